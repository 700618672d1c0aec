//! The golden hour: minutes to the first antibiotic in febrile neutropenia.
//!
//! Fever of 38.3 degrees once or 38.0 for an hour, with fewer than 500 neutrophils or a fall below expected (Freifeld and others,
//! Clin Infect Dis 2011;52:e56-e93). The clock starts at the door for a child who arrives, and at the fever for one on the ward.

use node_domain::date_time::PartialTime;

/// Minutes within which the first antibiotic is due.
pub const TARGET_MINUTES: i64 = 60;

/// What the first hour of an episode found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Findings {
    /// Degrees Celsius.
    pub temperature_c: f64,
    /// Whether the temperature lasted an hour.
    pub sustained_one_hour: Option<bool>,
    /// Neutrophils per microlitre.
    pub anc_per_ul: Option<u32>,
    /// Whether they are expected to fall below 500.
    pub anc_fall_expected: Option<bool>,
}

/// When the clock can start and stop.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Times {
    /// Arrival at the door.
    pub arrival: Option<PartialTime>,
    /// First recorded fever.
    pub fever: Option<PartialTime>,
    /// First antibiotic.
    pub antibiotic: Option<PartialTime>,
}

/// Whether an episode meets the definition; `None` where what was recorded does not decide it.
#[must_use]
pub fn eligible(findings: &Findings) -> Option<bool> {
    let fever = match findings.temperature_c {
        degrees if degrees >= 38.3 => Some(true),
        degrees if degrees >= 38.0 => findings.sustained_one_hour,
        _ => Some(false),
    };
    let neutropenia = match (findings.anc_per_ul, findings.anc_fall_expected) {
        (Some(..500), _) | (_, Some(true)) => Some(true),
        (Some(_), Some(false)) => Some(false),
        _ => None,
    };
    match (fever, neutropenia) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

/// Minutes to the first antibiotic, negative where it came before the clock started; `None` where a time is not known.
///
/// `setting` is a code of `fn_setting`: `arrival` counts from the door, `inpatient` from the first fever.
#[must_use]
pub fn minutes_to_antibiotic(setting: &str, times: &Times) -> Option<i64> {
    let start = match setting {
        "arrival" => times.arrival,
        "inpatient" => times.fever,
        _ => None,
    };
    start?.minutes_until(&times.antibiotic?)
}

/// Whether the antibiotic came within the hour; `None` for a negative time, which is an error of the record.
#[must_use]
pub fn within_target(minutes: i64) -> Option<bool> {
    (minutes >= 0).then_some(minutes <= TARGET_MINUTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Option<PartialTime> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn the_definition_is_fever_with_neutropenia() {
        let of = |temperature_c, sustained_one_hour, anc_per_ul, anc_fall_expected| {
            eligible(&Findings { temperature_c, sustained_one_hour, anc_per_ul, anc_fall_expected })
        };
        assert_eq!(of(38.3, None, Some(499), None), Some(true));
        assert_eq!(of(38.3, None, Some(500), Some(true)), Some(true));
        assert_eq!(of(38.3, None, Some(500), Some(false)), Some(false));
        assert_eq!(of(38.0, Some(true), Some(0), None), Some(true));
        assert_eq!(of(38.2, Some(false), Some(0), None), Some(false));
        assert_eq!(of(37.9, Some(true), Some(0), None), Some(false));
        assert_eq!(of(39.0, None, None, Some(true)), Some(true));
    }

    #[test]
    fn what_was_not_recorded_leaves_it_undecided_unless_the_rest_decides() {
        let of = |temperature_c, anc_per_ul| {
            eligible(&Findings { temperature_c, sustained_one_hour: None, anc_per_ul, anc_fall_expected: None })
        };
        assert_eq!(of(38.1, Some(100)), None);
        assert_eq!(of(39.0, None), None);
        assert_eq!(of(39.0, Some(800)), None);
        assert_eq!(of(37.0, None), Some(false));
    }

    #[test]
    fn the_clock_starts_by_setting() {
        let times = Times {
            arrival: time("2024-05-01T08:00"),
            fever: time("2024-05-01T08:20"),
            antibiotic: time("2024-05-01T09:10"),
        };
        assert_eq!(minutes_to_antibiotic("arrival", &times), Some(70));
        assert_eq!(minutes_to_antibiotic("inpatient", &times), Some(50));
        assert_eq!(minutes_to_antibiotic("", &times), None);
        assert_eq!(minutes_to_antibiotic("arrival", &Times { arrival: time("2024-05-01"), ..times }), None);
        assert_eq!(minutes_to_antibiotic("inpatient", &Times { antibiotic: None, ..times }), None);
        assert_eq!(
            minutes_to_antibiotic("arrival", &Times { antibiotic: time("2024-05-01T07:45"), ..times }),
            Some(-15)
        );
    }

    #[test]
    fn the_sixtieth_minute_is_within_the_hour() {
        let of = [0, 60, 61, -1].map(within_target);
        assert_eq!(of, [Some(true), Some(true), Some(false), None]);
    }
}

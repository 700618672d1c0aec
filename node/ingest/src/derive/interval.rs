//! The four intervals from the first symptom to treatment, in days.
//!
//! Patient, diagnosis, treatment and total interval as in the Canadian and Peruvian studies of time to diagnosis; the points in time
//! are those of the Aarhus statement (Weller and others, Br J Cancer 2012;106:1262-1267).

use node_domain::date::PartialDate;

/// What two dates say of the days between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Whole days, up to 65,534.
    Days(u16),
    /// A date is missing.
    Missing,
    /// A date is not known to the day, or the interval is beyond any life.
    Imprecise,
    /// The later point surely comes first.
    Negative,
}

impl Outcome {
    /// The days, where they are known.
    #[must_use]
    pub fn days(self) -> Option<u16> {
        match self {
            Self::Days(days) => Some(days),
            Self::Missing | Self::Imprecise | Self::Negative => None,
        }
    }
}

/// The dates of a child's way to treatment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pathway {
    /// First symptom.
    pub symptom_onset: Option<PartialDate>,
    /// First contact with a health service.
    pub first_contact: Option<PartialDate>,
    /// Incidence date.
    pub diagnosis: Option<PartialDate>,
    /// Start of the first treatment.
    pub first_treatment: Option<PartialDate>,
}

/// The four intervals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Intervals {
    /// Symptom to first contact.
    pub patient: Outcome,
    /// First contact to diagnosis.
    pub diagnosis: Outcome,
    /// Diagnosis to first treatment.
    pub treatment: Outcome,
    /// Symptom to first treatment.
    pub total: Outcome,
}

/// The intervals of a pathway; each stands alone, so the total may be known where a part is not.
#[must_use]
pub fn intervals(pathway: &Pathway) -> Intervals {
    Intervals {
        patient: between(pathway.symptom_onset, pathway.first_contact),
        diagnosis: between(pathway.first_contact, pathway.diagnosis),
        treatment: between(pathway.diagnosis, pathway.first_treatment),
        total: between(pathway.symptom_onset, pathway.first_treatment),
    }
}

/// Days from one date to another.
#[must_use]
pub fn between(from: Option<PartialDate>, to: Option<PartialDate>) -> Outcome {
    let (Some(from), Some(to)) = (from, to) else { return Outcome::Missing };
    if to.is_surely_before(&from) {
        return Outcome::Negative;
    }
    match from.days_until(&to) {
        Some(days) if days < u16::MAX => Outcome::Days(days),
        _ => Outcome::Imprecise,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> Option<PartialDate> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn the_parts_add_up_to_the_total() {
        let pathway = Pathway {
            symptom_onset: date("2024-01-01"),
            first_contact: date("2024-01-10"),
            diagnosis: date("2024-02-09"),
            first_treatment: date("2024-02-21"),
        };
        let of = intervals(&pathway);
        let days = [of.patient, of.diagnosis, of.treatment, of.total].map(Outcome::days);
        assert_eq!(days, [Some(9), Some(30), Some(12), Some(51)]);
    }

    #[test]
    fn what_gives_no_days_says_why() {
        assert_eq!(between(None, date("2024-01-01")), Outcome::Missing);
        assert_eq!(between(date("2024-01"), date("2024-01-20")), Outcome::Imprecise);
        assert_eq!(between(date("2024-01-02"), date("2024-01-01")), Outcome::Negative);
        assert_eq!(between(date("2024-02"), date("2024-01-31")), Outcome::Negative);
        assert_eq!(between(date("1900-01-01"), date("2099-01-01")), Outcome::Imprecise);
        assert_eq!(between(date("2024-01-01"), date("2024-01-01")), Outcome::Days(0));
        assert_eq!(between(date("2024-02"), date("2024-01-31")).days(), None);
    }

    #[test]
    fn the_total_stands_without_its_parts() {
        let of = intervals(&Pathway {
            symptom_onset: date("2024-01-01"),
            first_treatment: date("2024-02-01"),
            ..Pathway::default()
        });
        assert_eq!((of.patient, of.total), (Outcome::Missing, Outcome::Days(31)));
    }
}

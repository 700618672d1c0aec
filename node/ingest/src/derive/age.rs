//! Age at diagnosis: completed years, days, and the age bands of the registry.
//!
//! Bands <1, 1-4, 5-9, 10-14, 15-19: 15-19 is never mixed into 0-14 (IARC, Cancer Incidence in Five Continents; ICCC-3 reporting).

use node_domain::date::PartialDate;

/// Completed years and band; each `None` where the precision of the dates does not decide it.
#[must_use]
pub fn age(birth: &PartialDate, diagnosis: &PartialDate) -> (Option<u16>, Option<&'static str>) {
    match birth.completed_years(diagnosis) {
        Some((least, most)) => {
            let years = (least == most && least <= 120).then_some(least);
            (years, Some(band(least)).filter(|band| *band == self::band(most)))
        }
        None => (None, None),
    }
}

/// Days from birth to diagnosis, for rules such as stage MS under 18 months; `None` unless both dates are known to the day.
#[must_use]
pub fn age_days(birth: &PartialDate, diagnosis: &PartialDate) -> Option<u16> {
    birth.days_until(diagnosis)
}

/// The code of `age_band` for completed years.
#[must_use]
pub fn band(years: u16) -> &'static str {
    match years {
        0 => "0",
        1..=4 => "1-4",
        5..=9 => "5-9",
        10..=14 => "10-14",
        15..=19 => "15-19",
        _ => "20+",
    }
}

/// Whether a case of this age is in the alliance's extract, which holds ages 0 to 19.
#[must_use]
pub fn in_alliance_extract(band: &str) -> bool {
    band != "20+"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_year_alone_gives_a_band_only_where_both_ages_share_it() {
        let age_of = |birth: &str, diagnosis: &str| age(&birth.parse().unwrap(), &diagnosis.parse().unwrap());
        assert_eq!(age_of("2010", "2013-06-01"), (None, Some("1-4")));
        assert_eq!(age_of("2010", "2015-06-01"), (None, None));
        assert_eq!(age_of("2010-06-02", "2015-06-01"), (Some(4), Some("1-4")));
        assert_eq!(age_of("2015-07-01", "2015-06-01"), (None, None));
    }

    #[test]
    fn days_need_both_days() {
        let days = |birth: &str, diagnosis: &str| age_days(&birth.parse().unwrap(), &diagnosis.parse().unwrap());
        assert_eq!(days("2014-01-01", "2015-07-03"), Some(548));
        assert_eq!(days("2014-01", "2015-07-03"), None);
        assert_eq!(days("2015-07-04", "2015-07-03"), None);
    }

    #[test]
    fn bands_meet_at_their_bounds_and_the_extract_ends_at_nineteen() {
        for (years, code) in [(0, "0"), (1, "1-4"), (4, "1-4"), (5, "5-9"), (14, "10-14"), (19, "15-19"), (20, "20+")] {
            assert_eq!(band(years), code);
            assert_eq!(in_alliance_extract(code), years < 20);
        }
    }
}

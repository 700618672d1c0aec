//! Age at diagnosis: completed years and the age bands of the registry.
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

fn band(years: u16) -> &'static str {
    match years {
        0 => "0",
        1..=4 => "1-4",
        5..=9 => "5-9",
        10..=14 => "10-14",
        15..=19 => "15-19",
        _ => "20+",
    }
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
}

//! Published figures against which a registry's own are held: `schemas/quality/reference_values.csv`.

use serde::{Deserialize, Serialize};

const VALUES: &str = include_str!("../../../../schemas/quality/reference_values.csv");

/// A published figure.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
pub struct Reference {
    /// Country, or a region such as `LAC`.
    pub area: String,
    /// What was measured, such as `incidence_wsr`.
    pub indicator: String,
    /// Of which cancers.
    pub group: String,
    /// When.
    pub period: String,
    /// At which ages.
    pub ages: String,
    /// The figure.
    pub value: f64,
    /// Least plausible value, where the source gives one.
    pub lo: Option<f64>,
    /// Greatest plausible value.
    pub hi: Option<f64>,
    /// Unit.
    pub unit: String,
    /// Tag of the source.
    pub source: String,
    /// More.
    pub note: String,
}

/// A figure of this registry beside a published one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The published figure.
    pub reference: Reference,
    /// This registry's.
    pub ours: f64,
    /// Whether it lies within the published bounds; `None` where there are none.
    pub within: Option<bool>,
}

/// All published figures.
///
/// # Errors
/// Where the table that ships cannot be read; a test keeps that from shipping.
pub fn all() -> Result<Vec<Reference>, csv::Error> {
    csv::Reader::from_reader(VALUES.as_bytes()).deserialize().collect()
}

/// The figures for a country, or, of what is not published for it, those of Latin America and the Caribbean or the world.
#[must_use]
pub fn for_country(all: &[Reference], country: &str, indicator: &str, group: &str) -> Option<Reference> {
    let fits = |area: &str| {
        let of = all.iter().filter(|r| r.area == area && r.indicator == indicator && r.group == group);
        // childhood is 0 to 14; of several periods the latest
        of.max_by_key(|r| (r.ages == "0-14", r.period.clone())).cloned()
    };
    fits(country).or_else(|| fits("LAC")).or_else(|| fits("LATAM")).or_else(|| fits("WORLD"))
}

/// Holds a figure against the published one.
#[must_use]
pub fn compare(reference: Reference, ours: f64) -> Comparison {
    let within = match (reference.lo, reference.hi) {
        (None, None) => None,
        (lo, hi) => Some(lo.is_none_or(|lo| ours >= lo) && hi.is_none_or(|hi| ours <= hi)),
    };
    Comparison { reference, ours, within }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_countrys_own_figure_comes_before_the_regions() {
        let all = all().unwrap();
        assert_eq!(all.len(), 50);
        let of = |country: &str| for_country(&all, country, "incidence_wsr", "all").unwrap().value;
        assert_eq!((of("MX"), of("PY")), (133.8, 132.6));
        let mx = for_country(&all, "MX", "incidence_wsr", "all").unwrap();
        assert_eq!(compare(mx.clone(), 130.0).within, Some(true));
        assert_eq!(compare(mx, 100.0).within, Some(false));
    }
}

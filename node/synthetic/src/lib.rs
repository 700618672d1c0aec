//! A SYNTHETIC childhood-cancer registry for every default member: invented children, figures near the published ones.
//!
//! Nothing here describes a person. Incidence, the mix of cancers, survival and abandonment are set near published figures
//! (module [`mod@reference`]); everything else is plausible and no more. A registry covers a part of its country only, and the
//! sixteen hold about 23,000 tumours at scale 1. The same plan gives the same bytes, and each country draws from a stream of its own.
//!
//! A registry as made breaks no error or warning rule of the quality rules; rows that a rule merely lists are recorded in
//! [`Registry::planted`] from the start, and [`plant`] adds errors of one rule at a time, so that the list is always complete.

pub mod countries;
pub mod reference;
pub mod schema;
pub mod write;

mod cancers;
mod draw;
mod fate;
mod founding;
mod mix;
mod natural;
mod planting;
mod records;
mod regimen;
mod registry;
mod story;
mod tumour;

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, ops::RangeInclusive};

use chrono::NaiveDate;

pub use crate::{
    countries::{Country, countries},
    planting::{PlantError, RULES, implied, plant},
};

/// What is to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Seed of all draws.
    pub seed: u64,
    /// Day of the extract: no date lies after it.
    pub extract: NaiveDate,
    /// Size, 1.0 being the realistic one.
    pub scale: f64,
    /// Years of diagnosis; what lies after the extract is left out.
    pub years: RangeInclusive<i32>,
}

impl Plan {
    /// A plan over the diagnoses of 2015 to 2024 at the realistic size.
    #[must_use]
    pub fn new(seed: u64, extract: NaiveDate) -> Self {
        Self { seed, extract, scale: 1.0, years: 2015..=2024 }
    }
}

/// The registry of a country.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registry {
    /// ISO 3166-1 alpha-2.
    pub country: &'static str,
    /// The 18 collections by name.
    pub collections: BTreeMap<&'static str, Collection>,
    /// What breaks each rule: everything that was planted, and rows that break it by their nature.
    pub planted: BTreeMap<String, Vec<Planted>>,
}

/// The rows of a collection.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Collection {
    /// Columns, as the dictionary has them.
    pub header: Vec<&'static str>,
    /// Cells, empty where there is no value.
    pub rows: Vec<Vec<String>>,
}

/// A row that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Planted {
    /// Its collection; `aggregate` where the registry as a whole breaks the rule.
    pub collection: &'static str,
    /// Values of its primary key; for `aggregate` the year, or `period`.
    pub key: Vec<String>,
}

/// The registry of one of the default members; `None` for any other country.
#[must_use]
pub fn country(plan: &Plan, iso2: &str) -> Option<Registry> {
    let country = countries().iter().find(|country| country.iso2 == iso2)?;
    Some(records::registry(plan, country))
}

/// The treatment registry of the founding documents: 20,473 patients, 7,166 of them under 18, in 15 + 61 hospitals.
///
/// Besides: 302 patients registered in the 14 days up to the extract, 192 telemedicine sessions held on 170 complex cases,
/// 10 trainings and 10 lectures, and the agreements of session 166 of the parents' group. The scale of the plan is not used.
#[must_use]
pub fn founding(plan: &Plan) -> Registry {
    founding::registry(plan)
}

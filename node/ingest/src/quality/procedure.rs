//! The rules that need more than one row's values, one room per kind of record.

pub mod duplicates;
pub mod hospital;
pub mod supply;
pub mod treatment;
pub mod tumour;

use super::{
    rule::{On, Procedure, Rule},
    subject::Context,
};
use crate::registry::Row;

/// The rows that break a rule.
#[must_use]
pub fn rows<'c>(procedure: &Procedure, rule: &Rule, context: &'c Context<'c>) -> Vec<Row<'c>> {
    let registry = context.cases.registry;
    let own = || -> Vec<Row<'c>> {
        match &rule.on {
            On::Collection(collection) => registry.rows(collection).collect(),
            On::Any | On::Aggregate => Vec::new(),
        }
    };
    let keep = |breaks: &dyn Fn(&Row<'c>) -> bool| own().into_iter().filter(|row| breaks(row)).collect::<Vec<_>>();
    let cases = context.cases;
    match procedure {
        Procedure::AfterDeath => treatment::after_death(cases),
        Procedure::IsoRegion { country, region } => {
            let list = tumour::regions(registry.dictionary);
            keep(&|row| tumour::breaks_iso(row.at(*country), row.at(*region), list, &cases.classification.regions))
        }
        Procedure::TorontoValue => keep(&|row| cases.case_of(row).is_some_and(tumour::stage_is_foreign)),
        Procedure::AgeMatches { stored, tolerance, tolerance_partial } => {
            keep(&|row| tumour::age_differs(cases.case_of(row), row.at(*stored), *tolerance, *tolerance_partial))
        }
        Procedure::IcccMatches { stored } => {
            keep(&|row| cases.case_of(row).is_some_and(|case| tumour::iccc_differs(case, row.at(*stored))))
        }
        Procedure::AbandonmentGap { days } => keep(&|row| treatment::gap_is_short(cases, row, *days)),
        Procedure::DuplicatePatient => duplicates::patients(cases),
        Procedure::DuplicateTumour { days } => duplicates::tumours(cases, *days),
        Procedure::MultiplePrimary => duplicates::same_primaries(cases),
        Procedure::SecondMalignancy => keep(&|row| duplicates::second_malignancy_is_missing(cases, row)),
        Procedure::ToxicDeath => keep(&|row| treatment::toxic_death_with_disease(cases, row)),
        Procedure::EarlyWarningBefore { hours } => hospital::without_early_warning(cases, *hours),
        Procedure::PewsTotal { maximum } => keep(&|row| hospital::total_is_wrong(row, *maximum)),
        Procedure::SpellOverlap => supply::overlapping(cases),
        Procedure::MonthDays => supply::days_counted_twice(cases),
        // findings about holdings, not about rows
        Procedure::FacilityDays | Procedure::ExpectedUnreported => Vec::new(),
    }
}

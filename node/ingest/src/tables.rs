//! The analysis tables: flat, coded, each with one unit of privacy; one file each.

pub mod activities;
pub mod cases;
pub mod episodes;
pub mod places;
pub mod referrals;
pub mod sheet;
pub mod supply;
pub mod treatments;

use node_domain::dictionary::{Dictionary, Table};
use node_snapshot::parquet_file::Draft;

use self::sheet::{Sheet, SheetError};
use crate::{case::Cases, pseudonym::PseudonymKey, quality::evaluate::Findings};

/// All analysis tables of the dictionary, ready to be written.
///
/// # Errors
/// Where a table of the dictionary has no builder here, or a builder names a field that it does not have; a test keeps that from
/// shipping.
pub fn build<'d>(
    dictionary: &'d Dictionary,
    cases: &Cases<'_>,
    findings: &Findings,
    key: &PseudonymKey,
) -> Result<Vec<(&'d Table, Draft)>, SheetError> {
    dictionary
        .tables()
        .map(|table| {
            let mut sheet = Sheet::new(table, key);
            match table.name.as_str() {
                "cases" => cases::fill(&mut sheet, cases, findings),
                "treatments" => treatments::fill(&mut sheet, cases),
                "doses" => treatments::fill_doses(&mut sheet, cases),
                "febrile_episodes" => episodes::fill_febrile(&mut sheet, cases),
                "deteriorations" => episodes::fill_deteriorations(&mut sheet, cases),
                "ward_months" => places::fill_ward_months(&mut sheet, cases),
                "facilities" => places::fill_facilities(&mut sheet, cases),
                "population" => places::fill_population(&mut sheet, cases),
                "stock" => supply::fill(&mut sheet, cases),
                "referrals" => referrals::fill(&mut sheet, cases),
                "telemedicine" => activities::fill_sessions(&mut sheet, cases),
                "case_discussions" => activities::fill_discussions(&mut sheet, cases),
                "trainings" => activities::fill_trainings(&mut sheet, cases),
                "agreements" => activities::fill_agreements(&mut sheet, cases),
                "recommendations" => activities::fill_recommendations(&mut sheet, cases),
                other => Err(SheetError::Table(other.to_owned())),
            }?;
            Ok((table, sheet.finish()))
        })
        .collect()
}

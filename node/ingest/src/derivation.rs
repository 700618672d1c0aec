//! From the batches in force to analysis tables: rows are linked, judged by the quality rules, and derived.
//!
//! Rows that break an error rule are left out, and everything is derived again without them.

use std::{collections::BTreeMap, path::Path};

use chrono::NaiveDate;
use node_domain::dictionary::{Dictionary, Table};
use node_snapshot::{
    manifest::{Provenance, RuleCount},
    parquet_file::Draft,
};

use crate::{
    batch::IngestError,
    case::Cases,
    classification::Classification,
    derive::iccc3,
    erasure,
    pseudonym::PseudonymKey,
    quality::{
        evaluate::{Findings, evaluate, evaluate_aggregates},
        rule::Rules,
    },
    registry::Registry,
    tables,
};

/// Everything that derivation needs beside the data.
pub struct Means<'m> {
    /// The dictionary.
    pub dictionary: &'m Dictionary,
    /// The quality rules.
    pub rules: &'m Rules,
    /// The classifications.
    pub classification: &'m Classification,
    /// The node's key for record keys.
    pub key: &'m PseudonymKey,
}

/// What was derived.
pub struct Derived<'d> {
    /// The tables, ready to be written.
    pub tables: Vec<(&'d Table, Draft)>,
    /// What they were derived from, for the manifest.
    pub provenance: Provenance,
    /// What the rules found.
    pub findings: Findings,
}

/// Derives all analysis tables from the batches in force.
///
/// # Errors
/// Where a stored file is damaged.
pub fn derive<'m>(data: &Path, means: &Means<'m>) -> Result<Derived<'m>, IngestError> {
    erasure::none_under_way(data)?;
    let mut registry = Registry::open(data, means.dictionary)?;
    let findings = judge(&mut registry, means);
    let cases = Cases::of(&registry, means.classification, extract_of(&registry));
    let tables = tables::build(means.dictionary, &cases, &findings, means.key)
        .map_err(|error| IngestError::Shipped(error.to_string()))?;
    let count =
        |found: &crate::quality::evaluate::RuleFindings| RuleCount { found: found.rows.len() as u64, held: found.held };
    let counts = findings.rules.iter().map(|found| (found.rule.clone(), count(found)));
    let rules = counts.filter(|(_, count)| *count != RuleCount::default()).collect();
    let waiting: BTreeMap<String, u64> =
        cases.waiting.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
    let provenance = Provenance {
        batches: registry.batches.clone(),
        extracted_on: registry.extracted_on,
        iccc_version: iccc3::VERSION.to_owned(),
        objected: registry.objected,
        waiting,
        rules,
    };
    Ok(Derived { tables, provenance, findings })
}

/// Judges a registry by the quality rules and leaves out the rows that break an error rule. Figures of the registry as a whole are
/// judged without them.
#[must_use]
pub fn judge(registry: &mut Registry<'_>, means: &Means<'_>) -> Findings {
    let extract = extract_of(registry);
    let mut findings = evaluate(means.rules, &Cases::of(registry, means.classification, extract));
    registry.exclude(&findings.excluded);
    evaluate_aggregates(means.rules, &Cases::of(registry, means.classification, extract), &mut findings);
    findings
}

/// The day of the extract; of an empty registry, which has no rows that depend on it, the first of the calendar's.
#[must_use]
pub fn extract_of(registry: &Registry<'_>) -> NaiveDate {
    registry.extracted_on.unwrap_or_default()
}

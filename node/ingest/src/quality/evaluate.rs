//! All rules over the whole registry: which rows break which, and which rows are therefore left out.

use std::collections::{BTreeMap, HashSet};

use super::{
    aggregate::{self, Measured},
    at_load::{breaks, dates_of, is_after},
    condition::Value,
    name::Name,
    procedure,
    rule::{Check, Constraint, Effect, On, Procedure, Rule, Rules},
    subject::{Context, Subject},
};
use crate::{
    case::Cases,
    check::check,
    registry::{Origin, Registry, Row},
};

/// What the rules found in a registry.
#[derive(Debug, Default)]
pub struct Findings {
    /// By rule, in the order of the rules.
    pub rules: Vec<RuleFindings>,
    /// Rows to be left out, by collection and number.
    pub excluded: BTreeMap<String, HashSet<usize>>,
    /// Tumours that break a warning rule, by patient and sequence.
    pub warned: HashSet<Vec<String>>,
    /// The measures of the registry as a whole.
    pub measured: Vec<Measured>,
}

/// What one rule found.
#[derive(Debug, Default)]
pub struct RuleFindings {
    /// Identity of the rule.
    pub rule: String,
    /// Whether it could be evaluated, and if not, what holds it.
    pub state: State,
    /// Rows that break it, in the registry.
    pub rows: Vec<Found>,
    /// Rows held back at load because of it.
    pub held: u64,
}

/// Whether a rule was evaluated.
#[derive(Debug, Default, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// On every row that it is about.
    #[default]
    Evaluated,
    /// At load only: a row that breaks it is never in the registry.
    AtLoad,
    /// There is nothing in the registry that it is about.
    NothingToEvaluate,
    /// Not on records: something else holds it.
    Elsewhere {
        /// What holds it.
        held_by: String,
    },
}

/// A row that breaks a rule, or a year or period in which the registry does.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// Collection, or `aggregate`.
    pub collection: String,
    /// The values of its primary key (identifiers are pseudonyms); for aggregates the year or `period`.
    pub key: Vec<String>,
    /// Where it comes from; `None` for aggregates.
    pub origin: Option<Origin>,
}

/// Evaluates the rules on the registry as a whole, once the rows that are left out are gone.
pub fn evaluate_aggregates(rules: &Rules, cases: &Cases<'_>, findings: &mut Findings) {
    findings.measured = aggregate::measure(cases);
    for (rule, found) in rules.rules.iter().zip(&mut findings.rules) {
        for check in &rule.checks {
            let Check::Aggregate(bounds) = check else { continue };
            let key = |key| Found { collection: "aggregate".to_owned(), key: vec![key], origin: None };
            found.rows.extend(aggregate::outside(bounds, &findings.measured).into_iter().map(key));
        }
    }
}

/// Evaluates the rules on rows; those on the registry as a whole follow in [`evaluate_aggregates`].
#[must_use]
pub fn evaluate(rules: &Rules, cases: &Cases<'_>) -> Findings {
    let context = Context::of(cases);
    let registry = cases.registry;
    let mut findings = Findings::default();
    for rule in &rules.rules {
        let mut found =
            RuleFindings { rule: rule.id.clone(), held: held_by(registry, &rule.id), ..RuleFindings::default() };
        let mut rows: Vec<Row<'_>> = Vec::new();
        for check in &rule.checks {
            match check {
                Check::Elsewhere { held_by } => found.state = State::Elsewhere { held_by: held_by.clone() },
                Check::Aggregate(_) => {}
                Check::Procedure(Procedure::FacilityDays) => {
                    found.rows.extend(procedure::supply::facility_days(cases));
                }
                Check::Procedure(Procedure::ExpectedUnreported) => {
                    found.rows.extend(procedure::supply::expected_unreported(cases));
                }
                Check::Procedure(procedure) => rows.extend(procedure::rows(procedure, rule, &context)),
                Check::Constraint(constraint) => {
                    rows.extend(breaking_constraint(constraint, registry));
                    if rule.checks.len() == 1 && rule.effect == Effect::Exclude {
                        found.state = State::AtLoad;
                    }
                }
                Check::AfterExtract { except } => {
                    for collection in registry.collections() {
                        let dates = dates_of(collection.table, except);
                        let late =
                            |row: &Row<'_>| dates.iter().any(|at| is_after(&Value::of(row.at(*at)), cases.extract));
                        rows.extend(registry.rows(&collection.table.name).filter(late));
                    }
                }
                Check::Pattern(_) | Check::Order { .. } | Check::EqualDates { .. } => {
                    if let On::Collection(collection) = &rule.on {
                        let subjects = registry.rows(collection).map(|row| context.subject(row));
                        rows.extend(subjects.filter(|subject| subject_breaks(check, subject)).map(|s| s.row));
                    }
                }
            }
        }
        if found.state == State::Evaluated && is_about_nothing(rule, registry) {
            found.state = State::NothingToEvaluate;
        }
        note(&mut findings, rule, &mut found, &rows);
        findings.rules.push(found);
    }
    findings
}

/// Rows held back at load because of a rule.
fn held_by(registry: &Registry<'_>, rule: &str) -> u64 {
    registry.held.iter().filter(|(_, held)| held.reasons.iter().any(|reason| reason.rule == rule)).count() as u64
}

fn subject_breaks<'c>(check: &Check, subject: &Subject<'c>) -> bool {
    breaks(check, &|name: &Name| -> Value<'c> { subject.value(name) })
}

fn note(findings: &mut Findings, rule: &Rule, found: &mut RuleFindings, rows: &[Row<'_>]) {
    let mut seen = HashSet::new();
    for row in rows {
        let collection = row.table().name.as_str();
        if !seen.insert((collection, row.index)) {
            continue;
        }
        if rule.effect == Effect::Exclude {
            findings.excluded.entry(collection.to_owned()).or_default().insert(row.index);
        }
        if rule.severity == super::rule::Severity::Warning && collection == "tumour" {
            findings.warned.insert(row.key().into_iter().map(str::to_owned).collect());
        }
        found.rows.push(Found {
            collection: collection.to_owned(),
            key: row.key().into_iter().map(str::to_owned).collect(),
            origin: Some(row.origin()),
        });
    }
    found.rows.sort();
}

fn is_about_nothing(rule: &Rule, registry: &Registry<'_>) -> bool {
    match &rule.on {
        On::Collection(collection) => registry.count(collection) == 0,
        On::Any | On::Aggregate => registry.collections().all(|c| registry.count(&c.table.name) == 0),
    }
}

/// Rows whose stored values break the constraint; those of an error rule were held back at load.
fn breaking_constraint<'r>(constraint: &Constraint, registry: &'r Registry<'r>) -> Vec<Row<'r>> {
    let mut rows = Vec::new();
    for collection in registry.collections() {
        let table = collection.table;
        let named: Vec<usize> =
            (0..table.fields.len()).filter(|at| constraint.names(&table.name, *at, &table.fields[*at].kind)).collect();
        if named.is_empty() {
            continue;
        }
        let breaks = |row: &Row<'r>| named.iter().any(|at| check(&table.fields[*at], row.at(*at)).is_err());
        rows.extend(registry.rows(&table.name).filter(breaks));
    }
    rows
}

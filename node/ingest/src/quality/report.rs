//! The quality report: counts per rule, worst files, registry indicators, comparison with published figures.

use std::collections::BTreeMap;

use node_domain::language::Text;
use serde::Serialize;

use super::{
    aggregate::{Measured, PERIOD},
    evaluate::{Findings, State},
    reference::{self, Comparison, Reference},
    rule::{Measure, Rules, Severity},
};
use crate::{case::Cases, derive::abandonment::Status};

/// The report.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The day of the extract.
    pub extracted_on: chrono::NaiveDate,
    /// Rows in force, by collection.
    pub rows: BTreeMap<String, usize>,
    /// Every rule, in order.
    pub rules: Vec<RuleLine>,
    /// The files whose rows break most rules of severity error or warning, the worst first.
    pub worst_files: Vec<FileLine>,
    /// Indicators of the registry.
    pub indicators: Vec<Indicator>,
    /// The measures by year.
    pub measured: Vec<Measured>,
    /// Figures of this registry beside published ones.
    pub comparisons: Vec<Comparison>,
}

/// One rule.
#[derive(Debug, Serialize)]
pub struct RuleLine {
    /// Identity.
    pub rule: String,
    /// Severity.
    pub severity: Severity,
    /// What is wrong.
    pub text: Text,
    /// What to do.
    pub fix: Text,
    /// Whether it was evaluated.
    #[serde(flatten)]
    pub state: State,
    /// Rows in the registry that break it.
    pub found: u64,
    /// Rows held back at load because of it.
    pub held: u64,
}

/// One file.
#[derive(Debug, Serialize)]
pub struct FileLine {
    /// Its name.
    pub file: String,
    /// Number of the batch.
    pub batch: u32,
    /// Findings of severity error.
    pub errors: u64,
    /// Findings of severity warning.
    pub warnings: u64,
}

/// An indicator with what it rests on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Indicator {
    /// Name.
    pub name: &'static str,
    /// Numerator; for a median the number of cases.
    pub numerator: u64,
    /// Denominator.
    pub denominator: u64,
    /// Cases that lack what it needs.
    pub missing: u64,
    /// The value; `None` where the denominator is nothing.
    pub value: Option<f64>,
    /// Unit: `%` or `d`.
    pub unit: &'static str,
}

/// Files that are listed.
const WORST: usize = 10;

impl Report {
    /// The report on a registry of `country` (ISO 3166-1 alpha-2).
    ///
    /// # Errors
    /// Where the published figures that ship cannot be read; a test keeps that from shipping.
    pub fn of(rules: &Rules, cases: &Cases<'_>, findings: &Findings, country: &str) -> Result<Self, csv::Error> {
        let line = |(rule, found): (&super::rule::Rule, &super::evaluate::RuleFindings)| RuleLine {
            rule: rule.id.clone(),
            severity: rule.severity,
            text: rule.text.clone(),
            fix: rule.fix.clone(),
            state: found.state.clone(),
            found: found.rows.len() as u64,
            held: found.held,
        };
        let indicators = indicators(cases);
        Ok(Self {
            extracted_on: cases.extract,
            rows: cases
                .registry
                .collections()
                .map(|c| (c.table.name.clone(), cases.registry.count(&c.table.name)))
                .collect(),
            rules: rules.rules.iter().zip(&findings.rules).map(line).collect(),
            worst_files: worst_files(rules, findings),
            comparisons: comparisons(&reference::all()?, cases, findings, country),
            indicators,
            measured: findings.measured.clone(),
        })
    }
}

fn worst_files(rules: &Rules, findings: &Findings) -> Vec<FileLine> {
    let mut files: BTreeMap<(u32, &str), (u64, u64)> = BTreeMap::new();
    for (rule, found) in rules.rules.iter().zip(&findings.rules) {
        for origin in found.rows.iter().filter_map(|row| row.origin.as_ref()) {
            let (errors, warnings) = files.entry((origin.batch, &origin.file)).or_default();
            match rule.severity {
                Severity::Error => *errors += 1,
                Severity::Warning => *warnings += 1,
                Severity::Info => {}
            }
        }
    }
    let mut lines: Vec<FileLine> = files
        .into_iter()
        .map(|((batch, file), (errors, warnings))| FileLine { file: file.to_owned(), batch, errors, warnings })
        .filter(|line| line.errors + line.warnings > 0)
        .collect();
    lines.sort_by_key(|line| std::cmp::Reverse((line.errors, line.warnings)));
    lines.truncate(WORST);
    lines
}

fn percent(name: &'static str, numerator: usize, denominator: usize, missing: usize) -> Indicator {
    let value = (denominator > 0).then(|| 100.0 * numerator as f64 / denominator as f64);
    Indicator {
        name,
        numerator: numerator as u64,
        denominator: denominator as u64,
        missing: missing as u64,
        value,
        unit: "%",
    }
}

/// Microscopic verification, death certificate only, unknown stage, unspecified, timeliness.
fn indicators(cases: &Cases<'_>) -> Vec<Indicator> {
    let all = &cases.cases;
    let count = |holds: &dyn Fn(&crate::case::Case<'_>) -> bool| all.iter().filter(|case| holds(case)).count();
    let basis =
        |codes: &'static [&str]| move |case: &crate::case::Case<'_>| codes.contains(&case.tumour.value("basis"));
    let known = count(&basis(&["0", "1", "2", "4", "5", "6", "7", "8"]));
    let stageable = count(&|case| case.facts.classified.toronto.is_some());
    let unknown_stage = count(&|case| {
        case.facts.classified.toronto.is_some()
            && case.tumour.some("stage_value").is_none_or(|value| value.contains('X'))
    });
    let classified = count(&|case| case.facts.classified.leaf.is_some());
    let unspecified = count(&|case| matches!(case.facts.classified.subgroup(), "III(f)" | "XII(b)"));
    let mut delays: Vec<u16> = all
        .iter()
        .filter_map(|case| {
            let registered = case.tumour.date("registered_on");
            crate::derive::interval::between(case.facts.diagnosis, registered).days()
        })
        .collect();
    delays.sort_unstable();
    let middle = delays.len() / 2;
    let median = match delays.len() {
        0 => None,
        length if length % 2 == 1 => Some(f64::from(delays[middle])),
        _ => Some((f64::from(delays[middle - 1]) + f64::from(delays[middle])) / 2.0),
    };
    vec![
        percent("microscopic_verification", count(&basis(&["5", "6", "7", "8"])), known, all.len() - known),
        percent("death_certificate_only", count(&basis(&["0"])), all.len(), 0),
        percent("unknown_stage", unknown_stage, stageable, all.len() - stageable),
        percent("unspecified", unspecified, classified, all.len() - classified),
        Indicator {
            name: "timeliness",
            numerator: delays.len() as u64,
            denominator: delays.len() as u64,
            missing: (all.len() - delays.len()) as u64,
            value: median,
            unit: "d",
        },
    ]
}

fn comparisons(all: &[Reference], cases: &Cases<'_>, findings: &Findings, country: &str) -> Vec<Comparison> {
    let over_all = |measure: Measure| {
        let of = findings.measured.iter().find(|m| m.measure == measure && m.over == PERIOD);
        of.and_then(|m| m.value)
    };
    let children = cases.cases.iter().filter(|case| is_child(case));
    let offered = children.filter(|case| {
        matches!(case.facts.abandonment.status, Status::None | Status::NeverStarted | Status::Interrupted)
    });
    let abandoned = offered.clone().filter(|case| case.facts.abandonment.status != Status::None).count();
    let offered = offered.count();
    let abandonment = (offered > 0).then(|| 100.0 * abandoned as f64 / offered as f64);
    let ours = [
        ("incidence_wsr", "all", over_all(Measure::IncidencePerMillion)),
        ("incidence_wsr", "leukaemia", over_all(Measure::LeukaemiaPerMillion)),
        ("incidence_wsr", "lymphoma", over_all(Measure::LymphomaPerMillion)),
        ("incidence_wsr", "cns", over_all(Measure::CnsPerMillion)),
        ("share", "leukaemia", over_all(Measure::LeukaemiaSharePercent)),
        ("mi_ratio", "all", over_all(Measure::MortalityIncidenceRatio)),
        ("abandonment", "all", abandonment),
        ("cde_mortality", "all", deterioration_mortality(cases)),
        ("cde_rate", "all", deterioration_rate(cases)),
    ];
    ours.into_iter()
        .filter_map(|(indicator, group, value)| {
            let reference = reference::for_country(all, country, indicator, group)?;
            Some(reference::compare(reference, value?))
        })
        .collect()
}

/// Whether a case is of the ages 0 to 14 that published figures are about.
#[must_use]
pub fn is_child(case: &crate::case::Case<'_>) -> bool {
    matches!(case.facts.age_band, Some("0" | "1-4" | "5-9" | "10-14"))
}

/// Deterioration events without limits on escalation.
fn events<'r>(cases: &'r Cases<'_>) -> Vec<crate::registry::Row<'r>> {
    let records = cases.registry.rows("deterioration");
    records.filter(|r| r.value("record_kind") == "event" && r.answer("escalation_limits") != Some(true)).collect()
}

fn deterioration_mortality(cases: &Cases<'_>) -> Option<f64> {
    let events = events(cases);
    let known: Vec<_> = events.iter().filter(|event| !matches!(event.value("outcome"), "" | "unknown")).collect();
    let deaths = known.iter().filter(|event| event.value("outcome") == "death").count();
    (!known.is_empty()).then(|| 100.0 * deaths as f64 / known.len() as f64)
}

fn deterioration_rate(cases: &Cases<'_>) -> Option<f64> {
    let days: f64 = cases.registry.rows("ward_month").filter_map(|ward| ward.number::<f64>("inpatient_days")).sum();
    (days > 0.0).then(|| 1000.0 * events(cases).len() as f64 / days)
}

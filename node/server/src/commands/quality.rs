//! `quality`: the registry judged by the rules, on the terminal, as JSON, or as a page.

mod page;
mod words;

use std::{
    collections::{BTreeMap, HashSet},
    fmt::Write as _,
    path::Path,
};

use anyhow::{Context, bail};
use node_domain::language::Language;
use node_ingest::{
    case::Cases,
    derivation::{extract_of, judge},
    quality::{
        evaluate::{Findings, State},
        reference::{self, Comparison},
        report::{Report, is_child},
        rule::Severity,
    },
    registry::Registry,
};
use node_snapshot::durable;
use node_statistics::{frequency::TimeCount, survival};
use serde_json::json;

use self::words::Words;
use crate::{
    cli::{Ended, registry::QualityArgs},
    config::Home,
    operate::Ground,
    terminal::{say, say_json},
};

/// `quality`
pub(crate) fn run(dir: &Path, arguments: &QualityArgs) -> anyhow::Result<Ended> {
    let home = Home::open(dir)?;
    let ground = Ground::of(&home)?;
    let mut registry = Registry::open(&home.data(), &ground.dictionary)?;
    let means = ground.means();
    let findings = judge(&mut registry, &means);
    if let Some(id) = &arguments.rule {
        return one_rule(id, &ground, &findings, arguments);
    }
    let cases = Cases::of(&registry, means.classification, extract_of(&registry));
    let country = home.config.node.as_str().get(..2).unwrap_or_default().to_uppercase();
    let mut report = Report::of(&ground.rules, &cases, &findings, &country)?;
    report.comparisons.extend(survival_compared(&cases, &country)?);
    let found_errors = report.rules.iter().any(|rule| rule.severity == Severity::Error && rule.found + rule.held > 0);
    if let Some(path) = &arguments.html {
        let title = format!("{} {}", home.config.node.as_str().to_uppercase(), report.extracted_on);
        durable::replace(path, page::render(&report, &title, arguments.lang).as_bytes())
            .with_context(|| path.display().to_string())?;
        say(format!("Written to {}", path.display()));
    } else if arguments.output.json {
        say_json(&report)?;
    } else {
        say(render(&report, arguments.lang, arguments.all));
    }
    Ok(if found_errors { Ended::Found } else { Ended::Well })
}

/// Every row that breaks one rule, by file and line.
fn one_rule(id: &str, ground: &Ground, findings: &Findings, arguments: &QualityArgs) -> anyhow::Result<Ended> {
    let Some(rule) = ground.rules.rule(id) else { bail!("there is no rule {id}: alianza quality --all shows them") };
    let found = findings.rules.iter().find(|found| found.rule == id).context("every rule is evaluated")?;
    if arguments.output.json {
        let rows = found.rows.iter().map(|row| json!({ "collection": row.collection, "origin": row.origin }));
        say_json(&json!({ "rule": id, "state": found.state, "held": found.held, "rows": rows.collect::<Vec<_>>() }))?;
        return Ok(Ended::Well);
    }
    say(format!("{id} ({}): {}", rule.severity.name(), rule.text.of(arguments.lang)));
    say(rule.fix.of(arguments.lang));
    for row in &found.rows {
        match &row.origin {
            Some(origin) => {
                say(format!("{}:{}: {} (batch {})", origin.file, origin.line, row.collection, origin.batch));
            }
            None => say(row.key.join(" ")),
        }
    }
    if found.held > 0 {
        say(format!("{} rows are held back because of it: alianza quarantine export", found.held));
    }
    Ok(Ended::Well)
}

/// Five-year overall survival beside the published figure.
fn survival_compared(cases: &Cases<'_>, country: &str) -> anyhow::Result<Vec<Comparison>> {
    let all = reference::all()?;
    let five_years = |holds: &dyn Fn(&node_ingest::case::Case<'_>) -> bool| {
        let mut ended: BTreeMap<(u16, u8), u32> = BTreeMap::new();
        let mut persons = HashSet::new();
        let of_children = cases.cases.iter().filter(|case| is_child(case) && holds(case));
        // of several tumours of a child the first counts
        let first = of_children.filter(|case| persons.insert(case.patient.value("patient_id")));
        for end in first.filter_map(|case| case.facts.overall) {
            *ended.entry((end.days, u8::from(end.event != "censored"))).or_default() += 1;
        }
        let times: Vec<TimeCount> = ended
            .into_iter()
            .map(|((day, cause), persons)| TimeCount { group: 0, day, cause, persons, key_sum: 0 })
            .collect();
        let table = survival::share(&times, &[60]);
        let reached = table.last().is_some_and(|interval| interval.to_month == 60 && interval.at_risk_at_end > 0);
        reached.then(|| survival::curve(&table).last().map(|point| 100.0 * point.survival)).flatten()
    };
    let ours = [
        ("survival_5y_os", "all", five_years(&|_| true)),
        ("survival_5y_os", "ALL", five_years(&|case| case.facts.classified.index_cancer == Some("ALL"))),
    ];
    Ok(ours
        .into_iter()
        .filter_map(|(indicator, group, value)| {
            let reference = reference::for_country(&all, country, indicator, group)?;
            Some(reference::compare(reference, value?))
        })
        .collect())
}

fn render(report: &Report, language: Language, all: bool) -> String {
    let words = Words::of(language);
    let mut text = String::new();
    let rows = report.rows.iter().filter(|(_, count)| **count > 0);
    let _ = writeln!(text, "{} {}", words.extracted_on, report.extracted_on);
    let _ = writeln!(text, "{}", rows.map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", "));
    let _ = writeln!(text, "\n{}", words.rules);
    for rule in &report.rules {
        let count = rule.found + rule.held;
        if count == 0 && !all {
            continue;
        }
        let held = if rule.held > 0 { format!(" ({} {})", rule.held, words.held) } else { String::new() };
        let state = words.state(&rule.state);
        let severity = words.severity(rule.severity);
        let _ = writeln!(text, "  {}  {severity:<12} {count:>7}{held}  {}{state}", rule.rule, rule.text.of(language));
    }
    let silent =
        report.rules.iter().filter(|rule| rule.found + rule.held == 0 && rule.state == State::Evaluated).count();
    let elsewhere = report.rules.iter().filter(|rule| matches!(rule.state, State::Elsewhere { .. })).count();
    let nothing = report.rules.iter().filter(|rule| rule.state == State::NothingToEvaluate).count();
    let _ = writeln!(text, "  {}", words.summary(report.rules.len(), silent, nothing, elsewhere));
    if !report.worst_files.is_empty() {
        let _ = writeln!(text, "\n{}", words.worst_files);
        for file in &report.worst_files {
            let _ = writeln!(
                text,
                "  {:<28} {:>6} {}, {:>6} {}",
                file.file, file.errors, words.errors, file.warnings, words.warnings
            );
        }
    }
    let _ = writeln!(text, "\n{}", words.indicators);
    for indicator in &report.indicators {
        let value = indicator.value.map_or_else(|| "—".to_owned(), |value| format!("{value:.1} {}", indicator.unit));
        let _ = writeln!(
            text,
            "  {:<38} {value:>10}   {} / {}, {} {}",
            words.indicator(indicator.name),
            indicator.numerator,
            indicator.denominator,
            indicator.missing,
            words.missing
        );
    }
    if !report.comparisons.is_empty() {
        let _ = writeln!(text, "\n{}", words.comparisons);
        for one in &report.comparisons {
            let _ = writeln!(
                text,
                "  {:<38} {:>10.1}   {}  {}",
                words.figure(&one.reference.indicator, &one.reference.group),
                one.ours,
                words.reference(&one.reference),
                words.verdict(one.within)
            );
        }
    }
    text.trim_end().to_owned()
}

//! `quarantine`: rows held back at load and rows left out at publication, with the reasons, so that they are mended at the source.

use std::{collections::BTreeMap, path::Path};

use anyhow::Context;
use node_domain::language::Language;
use node_ingest::{
    derivation::judge,
    quality::rule::{Effect, Rules},
    registry::Registry,
};
use node_snapshot::durable;
use serde::Serialize;

use crate::{
    cli::{Ended, registry::QuarantineCommand},
    config::Home,
    operate::Ground,
    terminal::{say, say_json},
};

/// A row that does not count, for one reason.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Line {
    batch: u32,
    file: String,
    line: u64,
    collection: String,
    rule: String,
    /// Column that shows it, where one does.
    field: String,
    /// `load` or `publish`.
    found_at: &'static str,
}

/// `quarantine`
pub(crate) fn run(dir: &Path, command: QuarantineCommand) -> anyhow::Result<Ended> {
    let home = Home::open(dir)?;
    let ground = Ground::of(&home)?;
    let lines = lines(&home, &ground)?;
    match command {
        QuarantineCommand::List(output) if output.json => say_json(&lines)?,
        QuarantineCommand::List(_) => list(&lines),
        QuarantineCommand::Export { out, lang } => {
            let text = csv_of(&lines, &ground.rules, lang)?;
            match out {
                Some(path) => {
                    durable::replace(&path, &text).with_context(|| path.display().to_string())?;
                    say(format!("{} lines written to {}", lines.len(), path.display()));
                }
                None => say(String::from_utf8_lossy(&text).trim_end()),
            }
        }
    }
    Ok(if lines.is_empty() { Ended::Well } else { Ended::Found })
}

fn lines(home: &Home, ground: &Ground) -> anyhow::Result<Vec<Line>> {
    let mut registry = Registry::open(&home.data(), &ground.dictionary)?;
    let mut lines = Vec::new();
    for (batch, held) in &registry.held {
        for reason in &held.reasons {
            lines.push(Line {
                batch: *batch,
                file: held.file.clone(),
                line: held.line,
                collection: held.collection.clone(),
                rule: reason.rule.clone(),
                field: reason.field.clone().unwrap_or_default(),
                found_at: "load",
            });
        }
    }
    for found in judge(&mut registry, &ground.means()).rules {
        let excludes = ground.rules.rule(&found.rule).filter(|rule| rule.effect == Effect::Exclude);
        let Some(rule) = excludes else { continue };
        for row in found.rows {
            let Some(origin) = row.origin else { continue };
            lines.push(Line {
                batch: origin.batch,
                file: origin.file,
                line: origin.line,
                collection: row.collection,
                rule: found.rule.clone(),
                field: rule.columns.join(" "),
                found_at: "publish",
            });
        }
    }
    lines.sort();
    lines.dedup();
    Ok(lines)
}

fn list(lines: &[Line]) {
    let mut counts: BTreeMap<(&str, &str, &str), u64> = BTreeMap::new();
    for line in lines {
        *counts.entry((&line.file, &line.collection, &line.rule)).or_default() += 1;
    }
    if counts.is_empty() {
        say("No row is held back.");
        return;
    }
    for ((file, collection, rule), count) in counts {
        say(format!("{file:<28} {collection:<16} {rule}  {count:>6}"));
    }
    say("Where and why, row by row: alianza quarantine export");
}

fn csv_of(lines: &[Line], rules: &Rules, language: Language) -> anyhow::Result<Vec<u8>> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record([
        "batch",
        "file",
        "line",
        "collection",
        "rule",
        "columns",
        "found_at",
        "what_is_wrong",
        "what_to_do",
    ])?;
    for line in lines {
        let rule = rules.rule(&line.rule);
        let (text, fix) = rule.map_or(("", ""), |rule| (rule.text.of(language), rule.fix.of(language)));
        let (batch, number) = (line.batch.to_string(), line.line.to_string());
        csv.write_record([
            batch.as_str(),
            &harmless(&line.file),
            &number,
            &line.collection,
            &line.rule,
            &line.field,
            line.found_at,
            text,
            fix,
        ])?;
    }
    Ok(csv.into_inner().map_err(csv::IntoInnerError::into_error)?)
}

/// A spreadsheet takes a cell that begins so for a formula: an apostrophe makes it text.
pub(crate) fn harmless(cell: &str) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{cell}") } else { cell.to_owned() }
}

//! `ingest` and `publish`: files in, a snapshot in force.

use std::{collections::BTreeMap, path::Path, time::Instant};

use anyhow::bail;
use node_ingest::batch::{Outcome, Source};
use node_protocol::{answer::Answer, envelope::CatalogueEntry};
use serde_json::json;

use crate::{
    cli::{Ended, IngestArgs, Json},
    config::Home,
    operate::{self, load},
    terminal::{say, say_json},
};

/// `ingest`
pub(crate) fn ingest(dir: &Path, arguments: &IngestArgs) -> anyhow::Result<Ended> {
    let home = Home::open(dir)?;
    let sources = arguments.sources.iter().map(|text| source(text)).collect::<anyhow::Result<Vec<_>>>()?;
    let as_json = arguments.output.json;
    let begun = Instant::now();
    let (mut defects, mut by_rule) = (Vec::new(), BTreeMap::<String, u64>::new());
    let outcome = load(&home, &sources, &mut |defect| {
        *by_rule.entry(defect.rule.to_string()).or_default() += 1;
        if as_json { defects.push(defect) } else { say(&defect) }
    })?;
    let ended = if matches!(outcome, Outcome::Refused { .. }) { Ended::Found } else { Ended::Well };
    if as_json {
        let (word, record) = match &outcome {
            Outcome::Accepted(record) => ("accepted", Some(record)),
            Outcome::AlreadyLoaded(record) => ("already_loaded", Some(record)),
            Outcome::Refused { .. } => ("refused", None),
        };
        say_json(&json!({ "outcome": word, "batch": record, "defects": defects }))?;
        return Ok(ended);
    }
    match outcome {
        Outcome::Accepted(record) => {
            for file in &record.files {
                say(format!("{:<12} {:>9} rows", file.collection, file.rows));
            }
            say(format!(
                "Loaded as batch {} in {:.1} s. Next: alianza publish",
                record.batch.short(),
                begun.elapsed().as_secs_f64()
            ));
        }
        Outcome::AlreadyLoaded(record) => {
            say(format!("These files are loaded already, as batch {}; nothing was changed.", record.batch.short()));
        }
        Outcome::Refused { defects, rows } => {
            let rules = by_rule.iter().map(|(rule, count)| format!("{rule} {count}")).collect::<Vec<_>>().join(", ");
            say(format!(
                "Refused: {defects} errors in {rows} rows ({rules}). Nothing was loaded; mend the files and load them again."
            ));
        }
    }
    Ok(ended)
}

fn source(text: &str) -> anyhow::Result<Source> {
    let Some((collection, path)) = text.split_once('=') else {
        bail!("`{text}`: write COLLECTION=FILE, such as patient=patient.csv");
    };
    Ok(Source { collection: collection.to_owned(), path: path.into() })
}

/// `publish`
pub(crate) fn publish(dir: &Path, output: &Json) -> anyhow::Result<Ended> {
    let begun = Instant::now();
    let published = operate::publish(&Home::open(dir)?)?;
    let size = published.catalogue.iter().find(|entry| entry.indicator == "registry_size");
    if output.json {
        say_json(
            &json!({ "snapshot": published.id, "manifest": published.manifest, "catalogue": published.catalogue }),
        )?;
        return Ok(Ended::Well);
    }
    for (name, table) in &published.manifest.tables {
        say(format!("{name:<12} {:>9} rows", table.rows));
    }
    if let Some(CatalogueEntry { answer: Answer::Count(answer), .. }) = size {
        for cell in &answer.cells {
            say(format!("persons      {:>9}   (as peers see it)", super::render::cell(&cell.persons)));
        }
    }
    say(format!("Snapshot {} is in force, made in {:.1} s.", published.id, begun.elapsed().as_secs_f64()));
    Ok(Ended::Well)
}

//! `batch`: what was loaded, removed and erased.

use std::path::Path;

use anyhow::{Context, bail};
use node_domain::clock::{Clock, SystemClock};
use node_ingest::{
    batch::{self, Batch, BatchKind, Hold},
    defect::Defect,
    erasure::{self, Removed},
};
use node_snapshot::keeping;
use serde_json::json;

use crate::{
    cli::{Ended, registry::BatchCommand},
    config::Home,
    operate::{self, Ground},
    terminal::{note, say, say_json},
};

/// `batch`
pub(crate) fn run(dir: &Path, command: BatchCommand) -> anyhow::Result<Ended> {
    let home = Home::open(dir)?;
    let data = home.data();
    match command {
        BatchCommand::List(output) => {
            let batches = batch::list(&data)?;
            if output.json {
                say_json(&batches.iter().map(as_json).collect::<Vec<_>>())?;
            } else if batches.is_empty() {
                say("Nothing was loaded yet: alianza ingest");
            }
            if !output.json {
                batches.iter().for_each(|batch| say(line(batch)));
            }
            Ok(Ended::Well)
        }
        BatchCommand::Show { number, output } => {
            let batches = batch::list(&data)?;
            let found = batches.iter().find(|batch| batch.number == number);
            let batch = found.with_context(|| format!("there is no batch {number}: alianza batch list"))?;
            if output.json {
                say_json(&as_json(batch))?;
            } else {
                show(batch);
            }
            Ok(Ended::Well)
        }
        BatchCommand::Revert { number, why, who } => {
            batch::revert(&data, number, &who.by, SystemClock.now(), &why)?;
            say(format!("Batch {number} is out of force. Next: alianza publish"));
            Ok(Ended::Well)
        }
        BatchCommand::Remove { source, who } => {
            let (collection, path) =
                source.split_once('=').with_context(|| format!("`{source}`: write COLLECTION=FILE"))?;
            let ground = Ground::of(&home)?;
            let registrar = ground.registrar(&who.by, SystemClock.now());
            let removed =
                erasure::remove(&registrar, BatchKind::Removal, collection, Path::new(path), &mut |d: Defect| say(&d))?;
            Ok(tell(&removed, "rows are removed"))
        }
        BatchCommand::Object { file, who } => {
            let ground = Ground::of(&home)?;
            let registrar = ground.registrar(&who.by, SystemClock.now());
            let removed =
                erasure::remove(&registrar, BatchKind::Objection, "patient", &file, &mut |d: Defect| say(&d))?;
            Ok(tell(&removed, "patients are kept out of everything"))
        }
        BatchCommand::Erase { file, for_ever, who } => erase(&home, &file, for_ever, &who.by),
    }
}

/// Erases, publishes without the erased, deletes every snapshot that held them, and searches the data folder for traces.
fn erase(home: &Home, file: &Path, for_ever: bool, by: &str) -> anyhow::Result<Ended> {
    if !for_ever {
        bail!(
            "an erasure cannot be taken back, and it deletes all former snapshots, pinned ones too: add --for-ever if that is meant"
        );
    }
    let now = SystemClock.now();
    let ground = Ground::of(home)?;
    let registrar = ground.registrar(by, now);
    let identifiers = identifiers(file)?;
    let removed = erasure::erase(&registrar, file, &mut |defect| say(&defect))?;
    let Removed::Done { named, unknown, rewritten, .. } = removed else { return Ok(tell(&removed, "")) };
    let published = operate::publish(home, by, now)?;
    let deleted = {
        let _hold = Hold::take(&home.data())?;
        keeping::sweep(&home.snapshots())?
    };
    let erased = named - unknown;
    say(format!(
        "{erased} patients are erased: {rewritten} rows in earlier batches, {deleted} former snapshots deleted."
    ));
    if unknown > 0 {
        say(format!("{unknown} of the {named} identifiers are of nobody in this registry: look for misspellings."));
    }
    say(format!("Snapshot {} is in force without them.", published.id.short()));
    if operate::exact_answers(home)?.iter().any(|release| release.snapshot != published.id) {
        say(
            "Exact answers to queries were given on a deleted snapshot. No further one can be audited with them, so none is given from now on; the catalogue and answers with noise are.",
        );
    }
    let traces = erasure::traces(&registrar, &identifiers)?;
    if traces.is_empty() {
        say("A search of the data folder finds no trace of them.");
        note("Backups and the source still hold them: erase there too.");
        return Ok(if unknown > 0 { Ended::Found } else { Ended::Well });
    }
    for path in traces {
        say(format!("{}: still holds a trace", path.display()));
    }
    Ok(Ended::Found)
}

/// The identifiers as the file writes them, to search for.
fn identifiers(file: &Path) -> anyhow::Result<Vec<String>> {
    let mut csv = csv::Reader::from_path(file).with_context(|| file.display().to_string())?;
    let column = csv.headers()?.iter().position(|name| name.trim_start_matches('\u{feff}').trim() == "patient_id");
    let column = column.with_context(|| format!("{}: has no column patient_id", file.display()))?;
    csv.records().map(|record| Ok(record?.get(column).unwrap_or_default().trim().to_owned())).collect()
}

fn tell(removed: &Removed, what: &str) -> Ended {
    match removed {
        Removed::Done { batch, named, .. } => {
            say(format!("{named} {what}, as batch {}. Next: alianza publish", batch.number));
            Ended::Well
        }
        Removed::Refused { defects } => {
            say(format!("Refused: {defects} errors. Nothing was changed."));
            Ended::Found
        }
    }
}

fn as_json(batch: &Batch) -> serde_json::Value {
    json!({ "number": batch.number, "record": batch.record, "reverted": batch.reverted })
}

fn rows(batch: &Batch) -> (u64, u64) {
    let parts = batch.record.files.iter().flat_map(|file| &file.parts);
    parts.fold((0, 0), |(rows, held), part| (rows + part.rows, held + part.quarantined))
}

fn line(batch: &Batch) -> String {
    let (rows, held) = rows(batch);
    let state = match &batch.reverted {
        Some(reverted) => format!("  out of force since {}: {}", reverted.at.format("%Y-%m-%d"), reverted.why),
        None => String::new(),
    };
    let held = if held > 0 { format!(", {held} held back") } else { String::new() };
    let record = &batch.record;
    format!(
        "{:>4}  {}  {:<9} {rows:>9} rows{held}  by {}{state}",
        batch.number,
        record.at.format("%Y-%m-%d %H:%M"),
        record.kind.name(),
        record.by
    )
}

fn show(batch: &Batch) {
    let record = &batch.record;
    say(line(batch));
    say(format!("identity      {}", record.batch));
    say(format!("extracted on  {}", record.extracted_on));
    say(format!("dictionary    {}", record.dictionary));
    if let Some(mapping) = &record.mapping {
        say(format!("mapping       {} {} ({})", mapping.name, mapping.version, mapping.sha256));
    }
    for file in &record.files {
        say(format!("{} ({})", file.source, file.sha256));
        for part in &file.parts {
            say(format!("  {:<16} {:>9} rows, {} held back", part.collection, part.rows, part.quarantined));
            for (rule, count) in &part.rules {
                say(format!("    {rule}  {count}"));
            }
        }
    }
}

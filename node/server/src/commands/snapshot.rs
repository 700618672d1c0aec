//! `snapshot`: which there are, what is in them, what differs, and which are kept.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    path::Path,
    sync::Arc,
};

use node_domain::{
    clock::{Clock, SystemClock},
    dictionary::Dictionary,
    digest::Digest,
};
use node_ingest::batch::Hold;
use node_snapshot::{
    keeping::{self, Kept},
    manifest::{Manifest, RuleCount},
    shelf,
};
use serde::Serialize;
use serde_json::json;

use crate::{
    cli::{Ended, registry::SnapshotCommand},
    config::Home,
    operate,
    shelved::Shelf,
    terminal::{say, say_json},
};

/// `snapshot`
pub(crate) fn run(dir: &Path, command: SnapshotCommand) -> anyhow::Result<Ended> {
    let home = Home::open(dir)?;
    let shelf = home.snapshots();
    match command {
        SnapshotCommand::List(output) => list(&shelf, output.json)?,
        SnapshotCommand::Show { snapshot, output } => {
            let kept = keeping::find(&shelf, &snapshot)?;
            let manifest = shelf::manifest(&shelf, kept.id)?;
            if output.json {
                say_json(&json!({ "snapshot": kept.id, "note": kept.note, "manifest": manifest }))?;
            } else {
                say(line(&kept));
                say(Difference::between(None, &manifest).render());
            }
        }
        SnapshotCommand::Diff { from, to, output } => {
            let [from, to] = [from, to].map(|text| keeping::find(&shelf, &text));
            let (from, to) = (from?, to?);
            let difference =
                Difference::between(Some(&shelf::manifest(&shelf, from.id)?), &shelf::manifest(&shelf, to.id)?);
            if output.json {
                say_json(&json!({ "from": from.id, "to": to.id, "difference": difference }))?;
            } else {
                say(difference.render());
            }
        }
        SnapshotCommand::Pin { snapshot, why } => {
            let kept = keeping::find(&shelf, &snapshot)?;
            keeping::pin(&shelf, &kept, Some(&why), SystemClock.now())?;
            say(format!("Snapshot {} is pinned: {why}", kept.id.short()));
        }
        SnapshotCommand::Unpin { snapshot } => {
            let kept = keeping::find(&shelf, &snapshot)?;
            keeping::pin(&shelf, &kept, None, SystemClock.now())?;
            say(format!("Snapshot {} is no longer pinned.", kept.id.short()));
        }
        SnapshotCommand::Delete { snapshot, end_exact_answers } => {
            keeping::may_go(&keeping::find(&shelf, &snapshot)?)?;
            let _hold = Hold::take(&home.data())?;
            // a publication may have ended meanwhile
            let kept = keeping::find(&shelf, &snapshot)?;
            keeping::may_go(&kept)?;
            anyhow::ensure!(
                end_exact_answers || !audited_with(&home)?.contains(&kept.id),
                "exact numbers that are out are from snapshot {}, and without it no further exact answer can be audited; to delete it \
                 and give none any more (the catalogue and answers with noise stay), add --end-exact-answers",
                kept.id.short()
            );
            keeping::delete(&shelf, &kept)?;
            say(format!("Snapshot {} is deleted.", kept.id.short()));
        }
        SnapshotCommand::Prune { keep } => {
            let _hold = Hold::take(&home.data())?;
            let all = keeping::list(&shelf)?;
            let needed = audited_with(&home)?;
            let go = keeping::superfluous(&all, keep.unwrap_or(home.config.snapshots.keep));
            let (stay, go): (Vec<_>, Vec<_>) = go.into_iter().partition(|kept| needed.contains(&kept.id));
            for kept in &go {
                keeping::delete(&shelf, kept)?;
            }
            say(format!("{} snapshots deleted, {} kept.", go.len(), all.len() - go.len()));
            for kept in stay {
                say(format!(
                    "Snapshot {} stays: new exact answers are audited with numbers that are from it.",
                    kept.id.short()
                ));
            }
        }
    }
    Ok(Ended::Well)
}

/// The snapshots without which no exact answer can be audited.
fn audited_with(home: &Home) -> anyhow::Result<BTreeSet<Digest>> {
    Shelf::of(home, &Arc::new(Dictionary::built_in()?), operate::exact_answers(home)?).needed()
}

fn list(shelf: &Path, as_json: bool) -> anyhow::Result<()> {
    let all = keeping::list(shelf)?;
    if as_json {
        let entry = |kept: &Kept| json!({ "snapshot": kept.id, "note": kept.note, "in_force": kept.in_force });
        return Ok(say_json(&all.iter().map(entry).collect::<Vec<_>>())?);
    }
    if all.is_empty() {
        say("There is no snapshot yet: alianza publish");
    }
    for kept in &all {
        say(line(kept));
    }
    Ok(())
}

fn line(kept: &Kept) -> String {
    let mut line = kept.id.short();
    if let Some(note) = &kept.note {
        let _ = write!(line, "  published {} by {}", note.published.format("%Y-%m-%d %H:%M"), note.by);
        if let Some(why) = &note.pinned {
            let _ = write!(line, ", pinned: {why}");
        }
        for before in &note.earlier {
            let _ = write!(line, ", before on {} by {}", before.published.format("%Y-%m-%d %H:%M"), before.by);
        }
    }
    if kept.in_force {
        line.push_str("  (in force)");
    }
    line
}

/// What differs between two snapshots: counts per table and per quality rule.
#[derive(Debug, Serialize)]
pub(crate) struct Difference {
    tables: BTreeMap<String, Change>,
    rules: BTreeMap<String, Change>,
    /// Whether there was a former snapshot to compare with.
    compared: bool,
}

#[derive(Debug, Default, Serialize)]
struct Change {
    from: u64,
    to: u64,
}

impl Difference {
    pub(crate) fn between(from: Option<&Manifest>, to: &Manifest) -> Self {
        let (mut tables, mut rules) = (BTreeMap::<String, Change>::new(), BTreeMap::<String, Change>::new());
        let all = |count: &RuleCount| count.found + count.held;
        for (name, table) in from.into_iter().flat_map(|from| &from.tables) {
            tables.entry(name.clone()).or_default().from = table.rows;
        }
        for (name, table) in &to.tables {
            tables.entry(name.clone()).or_default().to = table.rows;
        }
        for (name, count) in from.into_iter().flat_map(|from| &from.provenance.rules) {
            rules.entry(name.clone()).or_default().from = all(count);
        }
        for (name, count) in &to.provenance.rules {
            rules.entry(name.clone()).or_default().to = all(count);
        }
        Self { tables, rules, compared: from.is_some() }
    }

    /// For people. Without a former snapshot only the counts.
    pub(crate) fn render(&self) -> String {
        let mut text = String::new();
        let mut section = |title: &str, changes: &BTreeMap<String, Change>| {
            let shown = changes.iter().filter(|(_, change)| change.from + change.to > 0);
            let shown: Vec<_> = shown.collect();
            if shown.is_empty() {
                return;
            }
            let _ = writeln!(text, "{title}");
            for (name, Change { from, to }) in shown {
                let change = if !self.compared || from == to {
                    String::new()
                } else {
                    format!("   {}{} since the snapshot before", if to > from { "+" } else { "−" }, to.abs_diff(*from))
                };
                let _ = writeln!(text, "  {name:<18} {to:>9}{change}");
            }
        };
        section("Table                  rows", &self.tables);
        section("Quality rule          found", &self.rules);
        text.trim_end().to_owned()
    }
}

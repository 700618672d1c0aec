//! `publish`: the analysis tables derived and put in force, what changed since the snapshot before, and what the protection of the
//! catalogue hides.

use std::{fmt::Write as _, path::Path, time::Instant};

use node_catalogue::Report;
use node_domain::clock::{Clock, SystemClock};
use node_snapshot::keeping::Note;
use serde_json::json;

use super::snapshot::Difference;
use crate::{
    cli::{Ended, registry::PublishArgs},
    config::Home,
    operate::{self, Publish},
    terminal::{say, say_json},
};

/// `publish`
pub(crate) fn run(dir: &Path, arguments: &PublishArgs) -> anyhow::Result<Ended> {
    let begun = Instant::now();
    let what = if arguments.dry_run { Publish::DryRun } else { Publish::InForce };
    let published = operate::publish_or_look(&Home::open(dir)?, &arguments.who.by, SystemClock.now(), what)?;
    let former = published.former.as_ref();
    let difference = Difference::between(former.map(|(_, manifest)| manifest), &published.manifest);
    if arguments.output.json {
        say_json(&json!({
            "snapshot": published.id,
            "in_force": what == Publish::InForce,
            "former": former.map(|(id, _)| id),
            "manifest": published.manifest,
            "difference": difference,
            "catalogue": published.catalogue,
            "protection": published.report,
            "published_before": published.same_before,
        }))?;
        return Ok(Ended::Well);
    }
    say(difference.render());
    for (collection, rows) in &published.manifest.provenance.waiting {
        say(format!(
            "{rows} rows of `{collection}` wait for the row that they belong to: held back, removed or not loaded"
        ));
    }
    if published.manifest.provenance.objected > 0 {
        say(format!("{} rows of persons who object are left out", published.manifest.provenance.objected));
    }
    say(protection(&published.report).trim_end());
    if let Some(note) = &published.same_before {
        say(published_before(note, former.is_some_and(|(id, _)| *id == published.id)));
    }
    let took = begun.elapsed().as_secs_f64();
    say(match what {
        Publish::InForce => format!("Snapshot {} is in force, made in {took:.1} s.", published.id),
        Publish::DryRun => format!("Snapshot {} is NOT in force: this was a dry run of {took:.1} s.", published.id),
    });
    Ok(Ended::Well)
}

/// That the same content was published before, and what becomes of its note.
fn published_before(note: &Note, in_force: bool) -> String {
    let when = format!("{} by {}", note.published.format("%Y-%m-%d %H:%M"), note.by);
    if in_force {
        format!("Nothing has changed: the same content is in force since {when}, and that note stays.")
    } else {
        format!("The same content was published on {when}; it is in force again.")
    }
}

/// What the joint suppression of the catalogue hides, for the steward.
fn protection(report: &Report) -> String {
    let mut text = String::from("Indicator                   shown  too few  hidden for others  as before\n");
    for line in &report.indicators {
        // writing to a String cannot fail
        let _ = writeln!(
            text,
            "  {:<25} {:>6} {:>8} {:>18} {:>10}",
            line.indicator, line.shown, line.primary, line.complementary, line.kept
        );
    }
    let lost = report.utility_lost * 100.0;
    let _ = writeln!(text, "  {lost:.1} % of what is large enough to be shown is hidden to protect others.");
    let hidden: usize = report.indicators.iter().map(|line| line.primary).sum();
    let _ = writeln!(
        text,
        "  Of {hidden} hidden small numbers none can be told; {} may be narrowed to less than their whole band.",
        report.narrow
    );
    text
}

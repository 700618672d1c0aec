//! `publish`: the analysis tables derived and put in force, and what changed since the snapshot before.

use std::{path::Path, time::Instant};

use node_domain::clock::{Clock, SystemClock};
use node_protocol::{answer::Answer, envelope::CatalogueEntry};
use serde_json::json;

use super::{render, snapshot::Difference};
use crate::{
    cli::{Ended, registry::PublishArgs},
    config::Home,
    operate,
    terminal::{say, say_json},
};

/// `publish`
pub(crate) fn run(dir: &Path, arguments: &PublishArgs) -> anyhow::Result<Ended> {
    let begun = Instant::now();
    let published = operate::publish(&Home::open(dir)?, &arguments.who.by, SystemClock.now())?;
    let former = published.former.as_ref();
    let difference = Difference::between(former.map(|(_, manifest)| manifest), &published.manifest);
    if arguments.output.json {
        say_json(&json!({
            "snapshot": published.id,
            "former": former.map(|(id, _)| id),
            "manifest": published.manifest,
            "difference": difference,
            "catalogue": published.catalogue,
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
    let size = published.catalogue.iter().find(|entry| entry.indicator == "registry_size");
    if let Some(CatalogueEntry { answer: Answer::Count(answer), .. }) = size {
        for cell in &answer.cells {
            say(format!("Persons as peers see them: {}", render::cell(&cell.persons)));
        }
    }
    say(format!("Snapshot {} is in force, made in {:.1} s.", published.id, begun.elapsed().as_secs_f64()));
    Ok(Ended::Well)
}

//! The work of each command of the command line.

pub(crate) mod audit;
pub(crate) mod batch;
pub(crate) mod classify;
pub(crate) mod dictionary;
pub(crate) mod estimate;
pub(crate) mod generate;
pub(crate) mod indicator;
pub(crate) mod ingest;
pub(crate) mod init;
pub(crate) mod join;
pub(crate) mod known_names;
pub(crate) mod membership;
pub(crate) mod policy;
pub(crate) mod project;
pub(crate) mod publish;
pub(crate) mod quality;
pub(crate) mod quarantine;
pub(crate) mod released;
pub(crate) mod render;
pub(crate) mod review;
pub(crate) mod serve;
pub(crate) mod snapshot;
pub(crate) mod study;
pub(crate) mod verify;
pub(crate) mod words;

use std::path::Path;

use crate::cli::Ended;

/// `schemas`: the files of `schemas/protocol/`, which a test compares.
pub(crate) fn schemas(out: &Path) -> anyhow::Result<Ended> {
    std::fs::create_dir_all(out)?;
    for (name, text) in node_protocol::schema::documents() {
        std::fs::write(out.join(name), text)?;
    }
    Ok(Ended::Well)
}

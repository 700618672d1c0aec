//! One file of a load: its rows go to the collections that its plan names, each into a stored file of its own.

use std::{io, path::Path};

use super::{
    Content, Source,
    collection::{Collections, Part},
};
use crate::{
    batch::{IngestError, PartRecord},
    defect::Defect,
    mapping::plan::Plan,
    reader::{Listener, Progress},
    row::RowBuffer,
};

/// Hears one file being read.
pub(super) struct FileListener<'c, 'l, 'p> {
    collections: &'c mut Collections<'l>,
    number: usize,
    source: &'c Source,
    progress: &'p mut dyn FnMut(&Path, Progress),
    parts: Vec<Part>,
    /// For each target of the plan the part that its rows go to.
    part_of: Vec<usize>,
    failure: Option<IngestError>,
}

impl<'c, 'l, 'p> FileListener<'c, 'l, 'p> {
    pub(super) fn new(
        collections: &'c mut Collections<'l>,
        number: usize,
        source: &'c Source,
        progress: &'p mut dyn FnMut(&Path, Progress),
    ) -> Self {
        collections.add_file(&source.path);
        Self { collections, number, source, progress, parts: Vec::new(), part_of: Vec::new(), failure: None }
    }

    /// The error that ended the reading, if one of ours did.
    pub(super) fn failure(&mut self) -> Result<(), IngestError> {
        self.failure.take().map_or(Ok(()), Err)
    }

    /// Closes the stored files.
    pub(super) fn finish(self) -> Result<Vec<PartRecord>, IngestError> {
        let Self { collections, parts, source, .. } = self;
        let path = &source.path;
        parts.into_iter().map(|part| collections.finish_part(part, path)).collect()
    }

    fn keep<T>(&mut self, outcome: Result<T, IngestError>) -> io::Result<T> {
        outcome.map_err(|error| {
            self.failure = Some(error);
            io::Error::other("the load was ended")
        })
    }
}

impl Listener for FileListener<'_, '_, '_> {
    fn plan(&mut self, plan: &Plan<'_>) -> io::Result<()> {
        for target in &plan.targets {
            let known = self.parts.iter().position(|part| part.record.collection == target.table.name);
            let at = match known {
                Some(at) => at,
                None => {
                    let several = matches!(self.source.content, Content::Mapped | Content::Fhir);
                    let keeps = |position: usize| {
                        plan.targets.iter().filter(|t| t.table.name == target.table.name).any(|t| t.fills(position))
                    };
                    let opened =
                        self.collections.open_part(self.number, self.parts.len(), several, target.table, &keeps);
                    let part = self.keep(opened)?;
                    self.parts.push(part);
                    self.parts.len() - 1
                }
            };
            self.part_of.push(at);
        }
        Ok(())
    }

    fn row(&mut self, plan: &Plan<'_>, target: usize, line: u64, row: &RowBuffer) -> io::Result<()> {
        let Some(part) = self.part_of.get(target).and_then(|at| self.parts.get_mut(*at)) else { return Ok(()) };
        let outcome = self.collections.take(part, &plan.targets[target], line, row);
        self.keep(outcome)
    }

    fn defect(&mut self, defect: Defect) {
        self.collections.tell(defect);
    }

    fn progress(&mut self, progress: Progress) {
        (self.progress)(&self.source.path, progress);
    }
}

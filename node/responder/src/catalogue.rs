//! The catalogue of a snapshot: released when it was published, answered by look-up.

use std::collections::HashMap;

use node_disclosure::{joint, release::Released};
use node_domain::digest::Digest;
use node_protocol::{answer::Answer, envelope::CatalogueEntry, problem::Problem, query::Query};

use crate::answer::question_hash;

/// Indicators with their released answers.
#[derive(Default)]
pub struct Catalogue {
    entries: Vec<CatalogueEntry>,
    released: HashMap<Digest, Released<Answer>>,
    earlier: Vec<CatalogueEntry>,
}

impl Catalogue {
    /// From the entries that were stored with the snapshot, and those of `earlier` catalogues of it, whose numbers are out too.
    ///
    /// # Errors
    /// Where an entry was not released as a catalogue's.
    pub fn of(entries: Vec<CatalogueEntry>, earlier: Vec<Vec<CatalogueEntry>>) -> Result<Self, Problem> {
        let released = entries
            .iter()
            .map(|entry| Ok((question_hash(&entry.query)?, joint::stored(entry.answer.clone())?)))
            .collect::<Result<_, Problem>>()?;
        let mut other: Vec<CatalogueEntry> = Vec::new();
        for entry in earlier.into_iter().flatten() {
            let same = |known: &CatalogueEntry| known.query == entry.query && known.answer == entry.answer;
            if !entries.iter().chain(&other).any(same) {
                other.push(entry);
            }
        }
        Ok(Self { entries, released, earlier: other })
    }

    /// The indicators.
    #[must_use]
    pub fn entries(&self) -> &[CatalogueEntry] {
        &self.entries
    }

    /// Everything that was released as a catalogue of the snapshot: the indicators, and what they were before under other policies.
    pub(crate) fn all_released(&self) -> impl Iterator<Item = &CatalogueEntry> {
        self.entries.iter().chain(&self.earlier)
    }

    /// The answer to a query that is an indicator's, whatever project it names.
    #[must_use]
    pub fn answer_to(&self, query: &Query) -> Option<&Released<Answer>> {
        self.released.get(&question_hash(query).ok()?)
    }
}

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
}

impl Catalogue {
    /// From the entries that were stored with the snapshot.
    ///
    /// # Errors
    /// Where an entry was not released as a catalogue's.
    pub fn of(entries: Vec<CatalogueEntry>) -> Result<Self, Problem> {
        let released = entries
            .iter()
            .map(|entry| Ok((question_hash(&entry.query)?, joint::stored(entry.answer.clone())?)))
            .collect::<Result<_, Problem>>()?;
        Ok(Self { entries, released })
    }

    /// The indicators.
    #[must_use]
    pub fn entries(&self) -> &[CatalogueEntry] {
        &self.entries
    }

    /// The answer to a query that is an indicator's, whatever project it names.
    #[must_use]
    pub fn answer_to(&self, query: &Query) -> Option<&Released<Answer>> {
        self.released.get(&question_hash(query).ok()?)
    }
}

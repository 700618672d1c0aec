//! The snapshots of a node's folder as the responder and the catalogue see them: opened when needed, the last few kept in memory.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Context;
use node_catalogue::{Former, Made, indicator::Indicator};
use node_domain::{dictionary::Dictionary, digest::Digest};
use node_policy::{permit::permit_indicator, policy::Policy};
use node_protocol::{envelope::CatalogueEntry, problem::Problem, query::Query, release::Release};
use node_responder::{answer::Published, catalogue::Catalogue};
use node_snapshot::{
    keeping,
    shelf::{self, Snapshot},
};

use crate::config::Home;

/// How many former snapshots stay in memory.
const IN_MEMORY: usize = 2;

/// A node's shelf of snapshots.
pub(crate) struct Shelf {
    folder: PathBuf,
    policy: Policy,
    dictionary: Arc<Dictionary>,
    opened: Mutex<Vec<Arc<Published>>>,
}

impl Shelf {
    /// Of a node's folder.
    pub(crate) fn of(home: &Home, dictionary: &Arc<Dictionary>) -> Self {
        Self {
            folder: home.snapshots(),
            policy: home.policy.clone(),
            dictionary: Arc::clone(dictionary),
            opened: Mutex::default(),
        }
    }

    /// The snapshot in force.
    pub(crate) fn open_current(&self) -> anyhow::Result<Option<Published>> {
        let Some((snapshot, catalogue)) = shelf::open(&self.folder, &self.dictionary)? else { return Ok(None) };
        let before = self.before(snapshot.id)?;
        let snapshot = Arc::new(snapshot);
        let mut made = read(&catalogue)?;
        if !self.holds(&made)? {
            // what was shown under the former policy is out: the new catalogue is suppressed together with it
            made = self.make(&snapshot, before)?;
        }
        let catalogue = Catalogue::of(made.entries)?;
        Ok(Some(Published { snapshot, catalogue, before }))
    }

    /// Makes the catalogue of a snapshot, together with that of the one `before`. Where the same snapshot had one under the same
    /// policy, it stays: two ways to hide the same numbers would tell both.
    pub(crate) fn make(&self, snapshot: &Arc<Snapshot>, before: Option<Digest>) -> anyhow::Result<Made> {
        let mut former = Vec::new();
        let catalogue = std::fs::read(shelf::place(&self.folder, snapshot.id).join(shelf::CATALOGUE));
        if let Some(made) = catalogue.ok().and_then(|catalogue| read(&catalogue).ok()) {
            if self.holds(&made)? {
                return Ok(made);
            }
            former.push(Former { snapshot: Arc::clone(snapshot), entries: made.entries });
        }
        if let Some(before) = before.and_then(|id| self.former(id)) {
            let entries = before.catalogue.entries().to_vec();
            former.push(Former { snapshot: Arc::clone(&before.snapshot), entries });
        }
        let shelved = |id| self.former(id).map(|former| Arc::clone(&former.snapshot));
        let indicators = Indicator::all()?;
        Ok(node_catalogue::compute(&indicators, snapshot, &self.policy, &self.dictionary, &former, &shelved)?)
    }

    /// Whether a stored catalogue is one of these indicators under this policy.
    fn holds(&self, made: &Made) -> anyhow::Result<bool> {
        let safeguards = |query: &Query| permit_indicator(query.clone(), &self.policy, &self.dictionary);
        let indicators = Indicator::all()?;
        let same = |(indicator, entry): (&Indicator, &CatalogueEntry)| {
            let released = Release::Catalogue(safeguards(&indicator.query)?.conditions().safeguards);
            Ok(entry.indicator == indicator.id && entry.query == indicator.query && entry.answer.release() == released)
        };
        let pairs = indicators.iter().zip(&made.entries).map(same).collect::<Result<Vec<bool>, Problem>>()?;
        Ok(indicators.len() == made.entries.len() && pairs.into_iter().all(|same| same))
    }

    /// The snapshot that was in force before `id`, if it is still there.
    fn before(&self, id: Digest) -> anyhow::Result<Option<Digest>> {
        // newest first
        let published = keeping::list(&self.folder)?.into_iter().filter(|kept| kept.note.is_some() && kept.id != id);
        Ok(published.map(|kept| kept.id).next())
    }

    /// The snapshot whose numbers are out when `next` is published: the one in force, or where that is the same, the one before it.
    pub(crate) fn before_next(&self, next: Digest) -> anyhow::Result<Option<Digest>> {
        match shelf::current(&self.folder)? {
            Some(id) if id != next => Ok(Some(id)),
            _ => self.before(next),
        }
    }

    /// A former snapshot with its catalogue; none where it is gone or cannot be read.
    pub(crate) fn former(&self, id: Digest) -> Option<Arc<Published>> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = opened.iter().find(|known| known.snapshot.id == id) {
            return Some(Arc::clone(known));
        }
        let open = || -> anyhow::Result<Published> {
            let (snapshot, catalogue) = shelf::open_one(&self.folder, &self.dictionary, id)?;
            let catalogue = Catalogue::of(read(&catalogue)?.entries)?;
            Ok(Published { snapshot: Arc::new(snapshot), catalogue, before: None })
        };
        match open() {
            Ok(published) => {
                let published = Arc::new(published);
                opened.insert(0, Arc::clone(&published));
                opened.truncate(IN_MEMORY);
                Some(published)
            }
            Err(error) => {
                tracing::warn!(snapshot.id = %id, error = format!("{error:#}"), "a former snapshot cannot be read");
                None
            }
        }
    }
}

fn read(catalogue: &[u8]) -> anyhow::Result<Made> {
    serde_json::from_slice(catalogue).context("the catalogue is damaged: publish again")
}

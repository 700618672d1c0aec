//! The snapshots of a node's folder as the responder and the catalogue see them: opened when needed, the last few kept in memory.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Context;
use node_catalogue::{Former, Made, indicator::Indicator};
use node_disclosure::between::Earlier;
use node_domain::{dictionary::Dictionary, digest::Digest};
use node_policy::{permit::permit_indicator, policy::Policy};
use node_protocol::{envelope::CatalogueEntry, problem::Problem, query::Query, release::Release};
use node_responder::{answer::Published, catalogue::Catalogue};
use node_snapshot::{
    durable,
    keeping::{self, Kept},
    shelf::{self, Snapshot},
};
use node_store::ledger::ExactRelease;

use crate::config::Home;

/// How many former snapshots stay in memory.
const IN_MEMORY: usize = 6;
/// How many snapshots that were in force a new catalogue is suppressed together with.
const LOOK_BACK: usize = 3;

/// A node's shelf of snapshots.
pub(crate) struct Shelf {
    folder: PathBuf,
    policy: Policy,
    dictionary: Arc<Dictionary>,
    /// Exact answers that are out.
    exact: Vec<ExactRelease>,
    opened: Mutex<Vec<Arc<Published>>>,
}

impl Shelf {
    /// Of a node's folder, beside the exact answers that its ledger knows.
    pub(crate) fn of(home: &Home, dictionary: &Arc<Dictionary>, exact: Vec<ExactRelease>) -> Self {
        Self {
            folder: home.snapshots(),
            policy: home.policy.clone(),
            dictionary: Arc::clone(dictionary),
            exact,
            opened: Mutex::default(),
        }
    }

    /// The snapshot in force.
    pub(crate) fn open_current(&self) -> anyhow::Result<Option<Published>> {
        let Some((snapshot, catalogue)) = shelf::open(&self.folder, &self.dictionary)? else { return Ok(None) };
        let before = self.before(snapshot.id)?.into_iter().map(|kept| kept.id).collect();
        let snapshot = Arc::new(snapshot);
        let mut made = read(&catalogue)?;
        if !self.holds(&made, snapshot.id)? {
            // what was shown under the former policy is out, and so are exact answers that it does not know of: the new catalogue is
            // suppressed together with them, and kept
            made = self.make(&snapshot)?;
            let path = shelf::place(&self.folder, snapshot.id).join(shelf::CATALOGUE);
            durable::replace(&path, &serde_json::to_vec(&made)?)?;
        }
        let catalogue = Catalogue::of(made.entries, made.earlier)?;
        Ok(Some(Published { snapshot, catalogue, before }))
    }

    /// Makes the catalogue of a snapshot, together with everything exact that is out: the catalogues of the snapshots that are still on
    /// the shelf, and the exact answers. Where the same snapshot had one under the same policy, it stays: two ways to hide the same
    /// numbers would tell both.
    pub(crate) fn make(&self, snapshot: &Arc<Snapshot>) -> anyhow::Result<Made> {
        let (mut out, mut earlier) = (Vec::new(), Vec::new());
        let catalogue = std::fs::read(shelf::place(&self.folder, snapshot.id).join(shelf::CATALOGUE));
        if let Some(made) = catalogue.ok().map(|catalogue| read(&catalogue)).transpose()? {
            if self.holds(&made, snapshot.id)? {
                return Ok(made);
            }
            earlier = made.earlier;
            earlier.push(made.entries);
            let former =
                |entries: &Vec<CatalogueEntry>| Former { snapshot: Arc::clone(snapshot), entries: entries.clone() };
            out.extend(earlier.iter().map(former));
        }
        // newest first, so that a group keeps the newest of its earlier numbers
        for kept in self.before(snapshot.id)? {
            let former = self.open(kept.id).with_context(|| {
                format!("{}: what was released on it cannot be looked at; delete it with `alianza snapshot delete` if it is lost", kept.id)
            })?;
            let catalogue = std::fs::read(shelf::place(&self.folder, kept.id).join(shelf::CATALOGUE))?;
            let Made { entries, earlier, .. } = read(&catalogue)?;
            for entries in std::iter::once(entries).chain(earlier.into_iter().rev()) {
                out.push(Former { snapshot: Arc::clone(&former.snapshot), entries });
            }
        }
        for release in &self.exact {
            let counted = if release.snapshot == snapshot.id {
                Some(Arc::clone(snapshot))
            } else {
                self.former(release.snapshot).map(|former| Arc::clone(&former.snapshot))
            };
            let Some(counted) = counted else { continue }; // nothing can be counted on a snapshot that is gone
            let (query, answer) = (release.query.clone(), release.answer.clone());
            let entry = CatalogueEntry { indicator: "exact answer".to_owned(), version: 0, query, answer };
            out.push(Former { snapshot: counted, entries: vec![entry] });
        }
        let shelved = |id| self.former(id).map(|former| Arc::clone(&former.snapshot));
        let made =
            node_catalogue::compute(&Indicator::all()?, snapshot, &self.policy, &self.dictionary, &out, &shelved)?;
        Ok(Made { earlier, elsewhere: self.exact_elsewhere(snapshot.id), ..made })
    }

    /// How many exact answers were given on other snapshots.
    fn exact_elsewhere(&self, id: Digest) -> usize {
        self.exact.iter().filter(|release| release.snapshot != id).count()
    }

    /// Whether a stored catalogue of a snapshot is one of these indicators under this policy, made with all exact answers given elsewhere:
    /// those given on the snapshot itself were audited with it.
    fn holds(&self, made: &Made, id: Digest) -> anyhow::Result<bool> {
        let safeguards = |query: &Query| permit_indicator(query.clone(), &self.policy, &self.dictionary);
        let indicators = Indicator::all()?;
        let same = |(indicator, entry): (&Indicator, &CatalogueEntry)| {
            let released = Release::Catalogue(safeguards(&indicator.query)?.conditions().safeguards);
            Ok(entry.indicator == indicator.id && entry.query == indicator.query && entry.answer.release() == released)
        };
        let pairs = indicators.iter().zip(&made.entries).map(same).collect::<Result<Vec<bool>, Problem>>()?;
        let sums = made.dominance == Some(self.policy.dominance());
        let all_known = made.elsewhere == self.exact_elsewhere(id);
        Ok(sums && all_known && indicators.len() == made.entries.len() && pairs.into_iter().all(|same| same))
    }

    /// The snapshots that were in force before `id`, the newest first: as many as are looked back on.
    fn before(&self, id: Digest) -> anyhow::Result<Vec<Kept>> {
        let was_in_force = |kept: &Kept| (kept.note.is_some() || kept.in_force) && kept.id != id;
        Ok(keeping::list(&self.folder)?.into_iter().filter(was_in_force).take(LOOK_BACK).collect())
    }

    /// The snapshots without which no exact answer can be audited: those that exact answers were given on, and those that numbers in force
    /// or beside these answers are from.
    pub(crate) fn needed(&self) -> anyhow::Result<BTreeSet<Digest>> {
        let in_force = shelf::current(&self.folder)?;
        let mut to_read: BTreeSet<Digest> = self.exact.iter().map(|release| release.snapshot).chain(in_force).collect();
        let mut needed = BTreeSet::new();
        while let Some(id) = to_read.pop_first() {
            needed.insert(id);
            let Ok(catalogue) = std::fs::read(shelf::place(&self.folder, id).join(shelf::CATALOGUE)) else { continue };
            let Made { entries, earlier, .. } = read(&catalogue)?;
            let indicators = entries.iter().chain(earlier.iter().flatten()).map(|entry| &entry.answer);
            let answers = self.exact.iter().filter(|release| release.snapshot == id).map(|release| &release.answer);
            for answer in indicators.chain(answers) {
                to_read.extend(Earlier::sources(answer, id).difference(&needed));
            }
        }
        Ok(needed)
    }

    /// A former snapshot with its catalogue; none where it is gone or cannot be read.
    pub(crate) fn former(&self, id: Digest) -> Option<Arc<Published>> {
        match self.open(id) {
            Ok(published) => Some(published),
            Err(error) => {
                tracing::warn!(snapshot.id = %id, error = format!("{error:#}"), "a former snapshot cannot be read");
                None
            }
        }
    }

    fn open(&self, id: Digest) -> anyhow::Result<Arc<Published>> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = opened.iter().find(|known| known.snapshot.id == id) {
            return Ok(Arc::clone(known));
        }
        let (snapshot, catalogue) = shelf::open_one(&self.folder, &self.dictionary, id)?;
        let Made { entries, earlier, .. } = read(&catalogue)?;
        let catalogue = Catalogue::of(entries, earlier)?;
        let published = Arc::new(Published { snapshot: Arc::new(snapshot), catalogue, before: Vec::new() });
        opened.insert(0, Arc::clone(&published));
        opened.truncate(IN_MEMORY);
        Ok(published)
    }
}

fn read(catalogue: &[u8]) -> anyhow::Result<Made> {
    if catalogue.starts_with(b"[") {
        // a list was written by versions that had no joint suppression: it is made anew
        return Ok(Made::default());
    }
    serde_json::from_slice(catalogue).context("the catalogue is damaged: publish again")
}

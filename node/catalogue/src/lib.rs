//! At publish: every indicator computed, all of them suppressed together, so that answering one is a look-up, everybody gets the
//! same numbers, and combining them gains nothing.

pub mod indicator;

use std::sync::Arc;

use node_disclosure::{
    between::Earlier,
    draft::Draft,
    exact::{ExactRefusal, release_public},
    joint::{self, JointError, Protected, Tally},
    layout::{Layout, State, boundaries_of, states_of},
    linked::Work,
    release::Counted,
};
use node_domain::{
    dictionary::{Dictionary, Unit},
    digest::Digest,
};
use node_engine::{
    columnar::{Measures, TabulateError, tabulate},
    membership::{Question, changed, membership},
};
use node_policy::{
    permit::{Permitted, permit_indicator},
    policy::Policy,
};
use node_protocol::{
    answer::Answer,
    envelope::CatalogueEntry,
    problem::Problem,
    query::{Query, Statistic, bins},
    release::Dominance,
};
use node_snapshot::shelf::Snapshot;
use serde::{Deserialize, Serialize};

use crate::indicator::{Indicator, IndicatorError};

/// A catalogue that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// An indicator's file.
    #[error(transparent)]
    Indicator(#[from] IndicatorError),
    /// An indicator that does not fit the dictionary.
    #[error("indicator {id}")]
    Query {
        /// Indicator.
        id: String,
        /// What does not fit.
        #[source]
        problem: Problem,
    },
    /// The snapshot.
    #[error(transparent)]
    Tabulate(#[from] TabulateError),
    /// The tables cannot be protected; nothing may be published.
    #[error("the indicators cannot be protected together")]
    Joint(#[from] JointError),
    /// A table about nobody could not be released.
    #[error("an indicator about nobody could not be released")]
    Public(#[from] ExactRefusal),
}

/// Released numbers that are out and cannot be taken back: a catalogue of an earlier snapshot, one of the same snapshot under another
/// policy, or exact answers to queries of an asker's making.
#[derive(Clone)]
pub struct Former {
    /// That snapshot.
    pub snapshot: Arc<Snapshot>,
    /// What was released on it.
    pub entries: Vec<CatalogueEntry>,
}

/// Snapshots that are still on the shelf, by identity.
pub type Shelved<'s> = dyn Fn(Digest) -> Option<Arc<Snapshot>> + 's;

/// A catalogue with what its protection cost, as it is stored with its snapshot.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Made {
    /// The released indicators.
    pub entries: Vec<CatalogueEntry>,
    /// What became of their cells.
    pub report: Report,
    /// The rule for sums that they were released under; thresholds are named in each answer.
    #[serde(default)]
    pub dominance: Option<Dominance>,
    /// Catalogues of the same snapshot that were in force before, under other policies: their numbers are out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Vec<CatalogueEntry>>,
    /// How many exact answers on other snapshots it was suppressed together with.
    #[serde(default)]
    pub elsewhere: usize,
}

/// What became of the cells of a catalogue: shown to the steward before it is put in force.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// By indicator.
    pub indicators: Vec<Line>,
    /// Share of all persons and hospitals counted in cells that are large enough, but hidden to protect others.
    pub utility_lost: f64,
    /// Rounds of audit and suppression.
    pub rounds: usize,
    /// Hidden cells that what is shown may narrow to less than their whole band, though to no single number.
    pub narrow: usize,
}

/// What became of the cells of one indicator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Indicator.
    pub indicator: String,
    /// Cells shown.
    pub shown: usize,
    /// Cells of fewer than the threshold.
    pub primary: usize,
    /// Cells hidden to protect others.
    pub complementary: usize,
    /// Groups that keep the number of an earlier snapshot.
    pub kept: usize,
}

/// Computes every indicator on `snapshot`, and releases them suppressed together with each other and with the
/// `former` catalogues.
///
/// # Errors
/// Where an indicator does not fit the dictionary or the snapshot, or no protection was found; then nothing may be published.
pub fn compute(
    indicators: &[Indicator],
    snapshot: &Snapshot,
    policy: &Policy,
    dictionary: &Dictionary,
    former: &[Former],
    shelved: &Shelved<'_>,
) -> Result<Made, CatalogueError> {
    let mut made: Vec<Option<(CatalogueEntry, Tally)>> = vec![None; indicators.len()];
    let (mut lost, mut rounds, mut narrow) = (Vec::new(), 0, 0);
    for unit in [Unit::None, Unit::Facility, Unit::Person] {
        let mut group = Group::of(indicators, unit, snapshot, policy, dictionary)?;
        if group.places.is_empty() {
            continue;
        }
        let (answers, tallies) = if unit == Unit::None {
            let answers = group.drafts.iter().map(|draft| Ok(release_public(draft)?.get().clone()));
            (answers.collect::<Result<Vec<_>, ExactRefusal>>()?, vec![Tally::default(); group.places.len()])
        } else {
            let mut beside = Vec::new();
            for former in former {
                if former.snapshot.id != snapshot.id {
                    group.keep_earlier(former, snapshot, shelved)?;
                } else if group.keep_hidden(former) {
                    continue; // all that can be shown now was shown then: together they tell no more than it did
                }
                beside.push(former);
            }
            let protected = group.protect(snapshot, policy, dictionary, &beside)?;
            lost.push(protected.utility_lost);
            rounds = rounds.max(protected.rounds);
            narrow += protected.narrow;
            (protected.answers.iter().map(|answer| answer.get().clone()).collect(), protected.tallies)
        };
        for ((at, answer), tally) in group.places.iter().zip(answers).zip(tallies) {
            let Indicator { id, version, query, .. } = &indicators[*at];
            let (indicator, query) = (id.clone(), query.clone());
            made[*at] = Some((CatalogueEntry { indicator, version: *version, query, answer }, tally));
        }
    }
    let (entries, tallies): (Vec<_>, Vec<_>) = made.into_iter().flatten().unzip();
    let lines = entries.iter().zip(tallies).map(|(entry, tally)| Line {
        indicator: entry.indicator.clone(),
        shown: tally.shown,
        primary: tally.primary,
        complementary: tally.complementary,
        kept: tally.kept,
    });
    let utility_lost = if lost.is_empty() { 0.0 } else { lost.iter().sum::<f64>() / lost.len() as f64 };
    let report = Report { indicators: lines.collect(), utility_lost, rounds, narrow };
    Ok(Made { entries, report, dominance: Some(policy.dominance()), earlier: Vec::new(), elsewhere: 0 })
}

/// The indicators about one kind of unit.
struct Group {
    /// Their places in the list of all.
    places: Vec<usize>,
    permits: Vec<Permitted<Query>>,
    drafts: Vec<Draft>,
}

impl Group {
    fn of(
        indicators: &[Indicator],
        unit: Unit,
        snapshot: &Snapshot,
        policy: &Policy,
        dictionary: &Dictionary,
    ) -> Result<Self, CatalogueError> {
        let mut group = Self { places: Vec::new(), permits: Vec::new(), drafts: Vec::new() };
        for (at, indicator) in indicators.iter().enumerate() {
            let permitted = permit_indicator(indicator.query.clone(), policy, dictionary)
                .map_err(|problem| CatalogueError::Query { id: indicator.id.clone(), problem })?;
            if permitted.table().unit_of_privacy != unit {
                continue;
            }
            let (groups, sealed) = tabulate(snapshot, &permitted, Measures::default())?;
            let lower_edges = match &indicator.query.statistic {
                Statistic::Histogram { field } => {
                    permitted.table().field(field).map(bins::lower_edges).unwrap_or_default()
                }
                _ => Vec::new(),
            };
            let draft = Draft::of(Counted { query: permitted.query(), groups, lower_edges, sealed });
            group.places.push(at);
            group.permits.push(permitted);
            group.drafts.push(draft);
        }
        Ok(group)
    }

    /// What was hidden on the same snapshot under a laxer policy stays hidden. Whether that holds for all there is to show.
    fn keep_hidden(&mut self, former: &Former) -> bool {
        let mut all = true;
        for (draft, permitted) in self.drafts.iter_mut().zip(&self.permits) {
            let same = |entry: &&CatalogueEntry| entry.query.asks_the_same(permitted.query());
            all &= former.entries.iter().find(same).is_some_and(|entry| draft.keep_hidden(&entry.answer));
        }
        all
    }

    /// Groups that have hardly changed keep the numbers that are out.
    fn keep_earlier(
        &mut self,
        former: &Former,
        snapshot: &Snapshot,
        shelved: &Shelved<'_>,
    ) -> Result<(), CatalogueError> {
        for (draft, permitted) in self.drafts.iter_mut().zip(&self.permits) {
            let query = permitted.query();
            let Some(entry) = former.entries.iter().find(|entry| entry.query.asks_the_same(query)) else { continue };
            for counted_from in Earlier::sources(&entry.answer, former.snapshot.id) {
                let earlier = Earlier { answer: &entry.answer, snapshot: former.snapshot.id, counted_from };
                let changed = shelved(counted_from)
                    .map(|before| changed((&before, permitted), (snapshot, permitted)))
                    .transpose()?;
                draft.keep_earlier(earlier, changed);
            }
        }
        Ok(())
    }

    fn protect(
        &self,
        snapshot: &Snapshot,
        policy: &Policy,
        dictionary: &Dictionary,
        former: &[&Former],
    ) -> Result<Protected, CatalogueError> {
        let unit = self.permits.first().map(|permitted| permitted.table().unit_of_privacy);
        let mut out: Vec<Out<'_>> = Vec::new();
        for former in former {
            out.extend(Out::of(former, policy, dictionary, unit)?);
        }
        let mut questions: Vec<Question<'_>> = out
            .iter()
            .map(|out| Question { snapshot: out.snapshot, permitted: &out.permitted, boundaries: &out.boundaries })
            .collect();
        let own = self.permits.iter().zip(&self.drafts);
        questions.extend(own.map(|(permitted, draft)| Question {
            snapshot,
            permitted,
            boundaries: draft.boundaries(),
        }));
        let mut hidden = Vec::new();
        for (at, out) in out.iter().enumerate() {
            let banded = out.cells.1.iter().enumerate().filter(|(_, state)| state.may_be_small());
            hidden.extend(banded.map(|(cell, _)| (at, cell)));
        }
        for (at, draft) in self.drafts.iter().enumerate() {
            hidden.extend(draft.hidden().into_iter().map(|cell| (out.len() + at, cell)));
        }
        // nobody chooses the indicators: that one of them counts everybody whom another counts is a figure like any other
        let patterns = membership(&questions, &hidden, usize::MAX)?;
        let known = out.into_iter().map(|out| out.cells).collect();
        Ok(joint::release_catalogue(&self.drafts, known, patterns, &Work::default())?)
    }
}

/// An indicator of the former catalogue.
struct Out<'f> {
    snapshot: &'f Snapshot,
    permitted: Permitted<Query>,
    boundaries: Vec<Vec<u16>>,
    cells: (Layout, Vec<State>),
}

impl<'f> Out<'f> {
    fn of(
        former: &'f Former,
        policy: &Policy,
        dictionary: &Dictionary,
        unit: Option<Unit>,
    ) -> Result<Vec<Self>, CatalogueError> {
        let mut out = Vec::new();
        for CatalogueEntry { indicator, query, answer, .. } in &former.entries {
            let permitted = permit_indicator(query.clone(), policy, dictionary)
                .map_err(|problem| CatalogueError::Query { id: indicator.clone(), problem })?;
            if Some(permitted.table().unit_of_privacy) == unit {
                out.push(Self::one(&former.snapshot, permitted, answer));
            }
        }
        Ok(out)
    }

    fn one(snapshot: &'f Snapshot, permitted: Permitted<Query>, answer: &Answer) -> Self {
        Self { snapshot, permitted, boundaries: boundaries_of(answer), cells: states_of(answer) }
    }
}

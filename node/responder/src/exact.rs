//! Exact ad hoc answers: audited, away from the threads that serve, with everything that was released exactly before.

use std::{collections::BTreeSet, sync::Arc};

use node_disclosure::{
    draft::Draft,
    exact::{ExactRefusal, again, release_exact},
    layout::{Layout, State, boundaries_of, states_of},
    linked::Work,
    release::{Released, Since},
};
use node_domain::dictionary::Unit;
use node_engine::membership::{Question, membership};
use node_policy::permit::{Permitted, permit_audit, permit_indicator};
use node_protocol::{
    answer::Answer,
    problem::{Problem, ProblemKind},
    query::Query,
    release::{Release, Safeguards},
};
use tokio::task::spawn_blocking;

use crate::answer::{Fault, Published, Responder, busy, question_hash};

/// An answer that was released exactly, with what it was counted on.
struct Known {
    published: Arc<Published>,
    permitted: Permitted<Query>,
    boundaries: Vec<Vec<u16>>,
    cells: (Layout, Vec<State>),
}

/// A new answer with everything that it is audited with.
struct Audit {
    published: Arc<Published>,
    permitted: Permitted<Query>,
    draft: Draft,
    known: Vec<Known>,
    /// The node's own thresholds: those of the tier only hide more.
    base: Safeguards,
}

impl Responder {
    /// The exact answer to a question that policy permits in this way: what it was on this snapshot before, or a new one.
    pub(crate) async fn exact(
        &self,
        permitted: &Permitted<Query>,
        published: &Arc<Published>,
    ) -> Result<Released<Answer>, Problem> {
        let question = question_hash(permitted.query())?;
        let snapshot = published.snapshot.id;
        let stored = self.store.released_before(&snapshot, &question, "exact_ad_hoc").await.map_err(Fault::from)?;
        let safeguards = permitted.conditions().safeguards;
        let mut draft = self.draft(permitted, published)?;
        match stored {
            // the same question has the same answer, whatever was released since
            Some(stored) if stored.release() == Release::ExactAdHoc(safeguards) => {
                return again(stored).map_err(|refusal| refused(&refusal));
            }
            Some(stored) => {
                draft.keep_hidden(&stored);
            }
            None => {}
        }
        let before = self.store.last_release(&question, "exact_ad_hoc", &snapshot).await.map_err(Fault::from)?;
        if let Some((snapshot, answer)) = &before {
            for Since { earlier, changed } in self.since(permitted, published, *snapshot, answer)? {
                draft.keep_earlier(earlier, changed);
            }
        }
        let known = self.known(permitted.table().unit_of_privacy, published).await?;
        let cells: usize = known.iter().map(|known| shown(&known.cells.1)).sum();
        if cells + draft.layout().len() > self.policy.exact.cells as usize {
            return Err(refused(&ExactRefusal::TooLarge));
        }
        let base = permit_audit(permitted.query().clone(), &self.policy, &self.dictionary)?.conditions().safeguards;
        let (published, permitted) = (Arc::clone(published), permitted.clone());
        let audit = Audit { published, permitted, draft, known, base };
        // held by the audit itself: one whose asker has hung up still runs to its end
        let alone = Arc::clone(&self.turns.audit).try_acquire_owned().map_err(|_| busy())?;
        let audited = spawn_blocking(move || {
            let _alone = alone;
            audit.run()
        });
        audited.await.map_err(Fault::from)?
    }

    /// Everything that was released exactly about the same kind of unit: the catalogue and the exact answers, on the snapshot in
    /// force and on every former one that exact answers were given on.
    async fn known(&self, unit: Unit, published: &Arc<Published>) -> Result<Vec<Known>, Problem> {
        let ledger = self.store.exact_released().await.map_err(Fault::from)?;
        let mut known = Vec::new();
        let mut snapshots = BTreeSet::from([published.snapshot.id]);
        snapshots.extend(published.before.filter(|id| (self.former)(*id).is_some()));
        snapshots.extend(ledger.iter().map(|release| release.snapshot));
        for id in snapshots {
            let on = if id == published.snapshot.id { Some(Arc::clone(published)) } else { (self.former)(id) };
            // a snapshot that is gone cannot be counted again: what was released on it can never be audited
            let on = on.ok_or_else(|| {
                ProblemKind::AuditTooLarge.because("exact answers were given on a snapshot that is no longer there")
            })?;
            for entry in on.catalogue.entries() {
                let permitted = permit_indicator(entry.query.clone(), &self.policy, &self.dictionary)?;
                if permitted.table().unit_of_privacy == unit {
                    known.push(Known::of(&on, permitted, &entry.answer));
                }
            }
            for release in ledger.iter().filter(|release| release.snapshot == id) {
                let permitted = permit_audit(release.query.clone(), &self.policy, &self.dictionary)?;
                if permitted.table().unit_of_privacy == unit {
                    known.push(Known::of(&on, permitted, &release.answer));
                }
            }
        }
        Ok(known)
    }
}

impl Known {
    fn of(published: &Arc<Published>, permitted: Permitted<Query>, answer: &Answer) -> Self {
        Self {
            published: Arc::clone(published),
            permitted,
            boundaries: boundaries_of(answer),
            cells: states_of(answer),
        }
    }
}

impl Audit {
    /// Takes seconds where much was released.
    fn run(self) -> Result<Released<Answer>, Problem> {
        let Self { published, permitted, draft, known, base } = self;
        let mut questions: Vec<Question<'_>> = known
            .iter()
            .map(|known| Question {
                snapshot: &known.published.snapshot,
                permitted: &known.permitted,
                boundaries: &known.boundaries,
            })
            .collect();
        questions.push(Question {
            snapshot: &published.snapshot,
            permitted: &permitted,
            boundaries: draft.boundaries(),
        });
        let mut hidden = Vec::new();
        for (at, known) in known.iter().enumerate() {
            hidden.extend(banded(&known.cells.1).map(|cell| (at, cell)));
        }
        hidden.extend(draft.hidden().into_iter().map(|cell| (known.len(), cell)));
        let patterns = membership(&questions, &hidden).map_err(Fault::from)?;
        let known = known.into_iter().map(|known| known.cells).collect();
        release_exact(&draft, base, known, patterns, &Work::default()).map_err(|refusal| refused(&refusal))
    }
}

fn shown(states: &[State]) -> usize {
    states.iter().filter(|state| **state == State::Shown).count()
}

fn banded(states: &[State]) -> impl Iterator<Item = usize> {
    states.iter().enumerate().filter(|(_, state)| **state == State::Banded).map(|(cell, _)| cell)
}

/// The same words for every disclosure: a refusal must not tell which number is hidden.
pub(crate) fn refused(refusal: &ExactRefusal) -> Problem {
    match refusal {
        ExactRefusal::Discloses => {
            ProblemKind::WouldDisclose.because("ask for fewer groups, take the catalogue, or ask with noise")
        }
        ExactRefusal::TooLarge => ProblemKind::AuditTooLarge
            .because("too much was released exactly on this snapshot; ask again on the next one"),
        ExactRefusal::OtherWay => ProblemKind::Internal.because("the operator of the node finds the reason in its log"),
    }
}

//! Exact ad hoc answers: audited, away from the threads that serve, with everything that was released exactly before.

use std::{collections::BTreeSet, sync::Arc};

use node_disclosure::{
    between::Earlier,
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

use crate::answer::{Fault, Published, Responder, Turn, question_hash};

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
        turn: &Turn,
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
        let before = self.store.last_release(&question, "exact_ad_hoc", &[snapshot]).await.map_err(Fault::from)?;
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
        // an audit whose asker has hung up still runs to its end
        let turn = turn.clone();
        let audited = spawn_blocking(move || {
            let _turn = turn;
            audit.run()
        });
        audited.await.map_err(Fault::from)?
    }

    /// Everything that was released exactly about the same kind of unit: the catalogues and the exact answers, on the snapshot in force,
    /// on those before it, on every one that exact answers were given on, and on those that any of their numbers are from.
    async fn known(&self, unit: Unit, published: &Arc<Published>) -> Result<Vec<Known>, Problem> {
        let ledger = self.store.exact_released().await.map_err(Fault::from)?;
        let mut to_read = BTreeSet::from([published.snapshot.id]);
        to_read.extend(&published.before);
        to_read.extend(ledger.iter().map(|release| release.snapshot));
        let (mut read, mut known) = (BTreeSet::new(), Vec::new());
        while let Some(id) = to_read.pop_first() {
            read.insert(id);
            let on = if id == published.snapshot.id { Some(Arc::clone(published)) } else { (self.former)(id) };
            // a snapshot that is gone cannot be counted again: what was released on it can never be audited
            let on = on.ok_or_else(|| {
                ProblemKind::AuditTooLarge.because("exact numbers were released on a snapshot that is no longer there")
            })?;
            let indicators = on.catalogue.all_released().map(|entry| (&entry.query, &entry.answer, true));
            let answers = ledger.iter().filter(|release| release.snapshot == id);
            for (query, answer, is_indicator) in
                indicators.chain(answers.map(|release| (&release.query, &release.answer, false)))
            {
                let permit = if is_indicator { permit_indicator } else { permit_audit };
                let permitted = permit(query.clone(), &self.policy, &self.dictionary)?;
                if permitted.table().unit_of_privacy == unit {
                    to_read.extend(Earlier::sources(answer, id).difference(&read));
                    known.push(Known::of(&on, permitted, answer));
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
        let patterns = membership(&questions, &hidden, known.len()).map_err(Fault::from)?;
        let known = known.into_iter().map(|known| known.cells).collect();
        release_exact(&draft, base, known, patterns, &Work::default()).map_err(|refusal| refused(&refusal))
    }
}

fn shown(states: &[State]) -> usize {
    states.iter().filter(|state| **state == State::Shown).count()
}

fn banded(states: &[State]) -> impl Iterator<Item = usize> {
    states.iter().enumerate().filter(|(_, state)| state.may_be_small()).map(|(cell, _)| cell)
}

/// The same words for every disclosure: a refusal must not tell which number is hidden.
pub(crate) fn refused(refusal: &ExactRefusal) -> Problem {
    match refusal {
        ExactRefusal::Discloses => {
            ProblemKind::WouldDisclose.because("ask for fewer groups, take the catalogue, or ask with noise")
        }
        ExactRefusal::TooLarge => ProblemKind::AuditTooLarge
            .because("too much was released exactly before; take the catalogue, or ask with noise"),
        ExactRefusal::OtherWay => ProblemKind::Internal.because("the operator of the node finds the reason in its log"),
    }
}

//! Counts an ad hoc question and lets disclosure control release it in the way that the permit says.

use std::{collections::BTreeSet, sync::Arc};

use chrono::TimeDelta;
use node_disclosure::{
    between::Earlier,
    draft::Draft,
    exact::{ExactRefusal, again, release_exact, release_public},
    layout::{Layout, State, boundaries_of, states_of},
    linked::Work,
    perturbation::{Perturbation, table::TableError},
    private::PrivatePlan,
    release::{Counted, Released, Since, release_perturbed, release_private},
};
use node_domain::{
    dictionary::{Table, Unit},
    digest::Digest,
};
use node_engine::{
    columnar::{Measures, once::tabulate_once, tabulate},
    membership::{Question, changed, membership},
};
use node_policy::permit::{Permitted, permit_audit, permit_indicator};
use node_protocol::{
    answer::Answer,
    problem::{Problem, ProblemKind},
    project::PrivacyTerms,
    query::{Query, Statistic, bins},
    release::{Release, Safeguards, Way},
};
use node_store::budgets::BudgetCharge;

use crate::answer::{Fault, Outcome, Published, Responder, question_hash};

/// Over how many days different questions are counted.
const QUARTER_DAYS: i64 = 92;

/// An answer that was released exactly, with what it was counted on.
struct Known<'d> {
    published: Arc<Published>,
    permitted: Permitted<'d, Query>,
    boundaries: Vec<Vec<u16>>,
    cells: (Layout, Vec<State>),
}

impl Responder {
    /// The released answer, with what it costs and what it was audited with.
    pub(crate) async fn release(
        &self,
        permitted: &Permitted<'_, Query>,
        published: &Arc<Published>,
    ) -> Result<Outcome, Problem> {
        let (mut charge, mut audited_to) = (None, None);
        let way = permitted.conditions().way;
        let released = if permitted.table().unit_of_privacy == Unit::None {
            self.public(permitted, published)?
        } else {
            match way {
                Way::Perturbed => self.perturbed(permitted, published).await?,
                Way::Exact | Way::Catalogue => {
                    audited_to = Some(self.store.ledger_end().await.map_err(Fault::from)?);
                    self.exact(permitted, published).await?
                }
                Way::Private(terms) => {
                    charge = Some(self.price(permitted.query(), terms)?);
                    self.private(permitted, published, terms)?
                }
            }
        };
        let (why, review) = (permitted.why().to_owned(), permitted.review().map(str::to_owned));
        Ok(Outcome { released, why, review, charge, audited_to })
    }

    fn private(
        &self,
        permitted: &Permitted<'_, Query>,
        published: &Published,
        terms: PrivacyTerms,
    ) -> Result<Released<Answer>, Problem> {
        let greatest = greatest(permitted.query(), permitted.table());
        let plan = PrivatePlan::of(permitted.query(), terms, &greatest).map_err(|_| no_plan())?;
        let (groups, sealed) = tabulate_once(&published.snapshot, permitted, &greatest).map_err(Fault::from)?;
        let (query, lower_edges) = (permitted.query(), lower_edges(permitted.query(), permitted.table()));
        let counted = Counted { query, groups, lower_edges, sealed };
        Ok(release_private(counted, &plan, (self.sampler)().as_mut()).map_err(Fault::from)?)
    }

    fn price(&self, query: &Query, terms: PrivacyTerms) -> Result<BudgetCharge, Problem> {
        let project = query.project.as_ref().and_then(|name| name.parse().ok()).ok_or_else(no_plan)?;
        Ok(BudgetCharge {
            project,
            rho: terms.rho_per_answer,
            project_granted: terms.rho.min(self.policy.privacy.project_rho),
            node_granted: self.policy.privacy.node_rho,
        })
    }

    fn count<'q>(
        &self,
        permitted: &'q Permitted<'_, Query>,
        published: &Published,
        measures: Measures,
    ) -> Result<Counted<'q>, Problem> {
        let (groups, sealed) = tabulate(&published.snapshot, permitted, measures).map_err(Fault::from)?;
        let query = permitted.query();
        Ok(Counted { query, groups, lower_edges: lower_edges(query, permitted.table()), sealed })
    }

    fn draft(&self, permitted: &Permitted<'_, Query>, published: &Published) -> Result<Draft, Problem> {
        Ok(Draft::of(self.count(permitted, published, Measures::default())?))
    }

    fn public(&self, permitted: &Permitted<'_, Query>, published: &Published) -> Result<Released<Answer>, Problem> {
        release_public(&self.draft(permitted, published)?).map_err(|refusal| refused(&refusal))
    }

    async fn perturbed(
        &self,
        permitted: &Permitted<'_, Query>,
        published: &Published,
    ) -> Result<Released<Answer>, Problem> {
        let (snapshot, question) = (published.snapshot.id, question_hash(permitted.query())?);
        let store = &self.store;
        let rule = "perturbed";
        let safeguards = permitted.conditions().safeguards;
        let stored = store.released_before(&snapshot, &question, rule).await.map_err(Fault::from)?;
        let same = |answer: &Answer| matches!(answer.release(), Release::Perturbed { safeguards: was, .. } if was == safeguards);
        if let Some(stored) = stored.filter(same) {
            // also where the policy's noise has changed since: a second noise would tell more
            return again(stored).map_err(|refusal| refused(&refusal));
        }
        let quarter = self.clock.now() - TimeDelta::days(QUARTER_DAYS);
        if !store.asked_since(quarter, &question, rule).await.map_err(Fault::from)?
            && store.different_questions_since(quarter, rule).await.map_err(Fault::from)?
                >= u64::from(self.policy.quota.different_per_quarter)
        {
            return Err(ProblemKind::NoiseSpent.because("take the catalogue's indicators, or ask again in some weeks"));
        }
        let earlier = store.last_release(&question, rule, &snapshot).await.map_err(Fault::from)?;
        let since = match &earlier {
            Some((former, answer)) => self.since(permitted, published, *former, answer)?,
            None => Vec::new(),
        };
        let noise = self.noise(permitted.table().unit_of_privacy, safeguards).map_err(Fault::from)?;
        let counted = self.count(permitted, published, Measures { record_keys: true })?;
        Ok(release_perturbed(counted, &noise, since).map_err(Fault::from)?)
    }

    /// The noise of a tier for tables about one kind of unit.
    pub(crate) fn noise(&self, unit: Unit, safeguards: Safeguards) -> Result<Arc<Perturbation>, TableError> {
        let threshold = self.policy.threshold;
        let base = if unit == Unit::Facility { threshold.facilities } else { threshold.persons };
        self.noises.of(self.policy.noise, base, safeguards)
    }

    /// What changed since an earlier answer, from each snapshot that its numbers are from.
    fn since<'e>(
        &self,
        permitted: &Permitted<'_, Query>,
        published: &Published,
        snapshot: Digest,
        answer: &'e Answer,
    ) -> Result<Vec<Since<'e>>, Problem> {
        let from = |counted_from: Digest| {
            let earlier = Earlier { answer, snapshot, counted_from };
            let changed = (self.former)(counted_from)
                .map(|former| changed((&former.snapshot, permitted), (&published.snapshot, permitted)))
                .transpose()
                .map_err(Fault::from)?;
            Ok(Since { earlier, changed })
        };
        Earlier::sources(answer, snapshot).into_iter().map(from).collect()
    }

    async fn exact(
        &self,
        permitted: &Permitted<'_, Query>,
        published: &Arc<Published>,
    ) -> Result<Released<Answer>, Problem> {
        let question = question_hash(permitted.query())?;
        let snapshot = published.snapshot.id;
        let stored = self.store.released_before(&snapshot, &question, "exact_ad_hoc").await.map_err(Fault::from)?;
        let safeguards = permitted.conditions().safeguards;
        if let Some(stored) = stored.filter(|answer| answer.release() == Release::ExactAdHoc(safeguards)) {
            // the same question has the same answer, whatever was released since
            return again(stored).map_err(|refusal| refused(&refusal));
        }
        let mut draft = self.draft(permitted, published)?;
        let before =
            self.store.last_release(&question, "exact_ad_hoc", &published.snapshot.id).await.map_err(Fault::from)?;
        if let Some((snapshot, answer)) = &before {
            for Since { earlier, changed } in self.since(permitted, published, *snapshot, answer)? {
                draft.keep_earlier(earlier, changed);
            }
        }
        let known = self.known(permitted.table(), published).await?;
        let cells: usize = known.iter().map(|known| shown(&known.cells.1)).sum();
        if cells + draft.layout().len() > self.policy.exact.cells as usize {
            return Err(refused(&ExactRefusal::TooLarge));
        }
        let mut questions: Vec<Question<'_>> = known
            .iter()
            .map(|known| Question {
                snapshot: &known.published.snapshot,
                permitted: &known.permitted,
                boundaries: &known.boundaries,
            })
            .collect();
        questions.push(Question { snapshot: &published.snapshot, permitted, boundaries: draft.boundaries() });
        let mut hidden = Vec::new();
        for (at, known) in known.iter().enumerate() {
            hidden.extend(banded(&known.cells.1).map(|cell| (at, cell)));
        }
        hidden.extend(draft.hidden().into_iter().map(|cell| (known.len(), cell)));
        let base = permit_audit(permitted.query().clone(), &self.policy, &self.dictionary)?.conditions().safeguards;
        let patterns = membership(&questions, &hidden).map_err(Fault::from)?;
        let known = known.into_iter().map(|known| known.cells).collect();
        release_exact(&draft, base, known, patterns, &Work::default()).map_err(|refusal| refused(&refusal))
    }

    /// Everything that was released exactly about the same kind of unit: the catalogue and the exact answers, on the snapshot in
    /// force and on every former one that exact answers were given on.
    async fn known(&self, table: &Table, published: &Arc<Published>) -> Result<Vec<Known<'_>>, Problem> {
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
                if permitted.table().unit_of_privacy == table.unit_of_privacy {
                    known.push(Known::of(&on, permitted, &entry.answer));
                }
            }
            for release in ledger.iter().filter(|release| release.snapshot == id) {
                let permitted = permit_audit(release.query.clone(), &self.policy, &self.dictionary)?;
                if permitted.table().unit_of_privacy == table.unit_of_privacy {
                    known.push(Known::of(&on, permitted, &release.answer));
                }
            }
        }
        Ok(known)
    }
}

impl<'d> Known<'d> {
    fn of(published: &Arc<Published>, permitted: Permitted<'d, Query>, answer: &Answer) -> Self {
        Self {
            published: Arc::clone(published),
            permitted,
            boundaries: boundaries_of(answer),
            cells: states_of(answer),
        }
    }
}

fn shown(states: &[State]) -> usize {
    states.iter().filter(|state| **state == State::Shown).count()
}

fn banded(states: &[State]) -> impl Iterator<Item = usize> {
    states.iter().enumerate().filter(|(_, state)| **state == State::Banded).map(|(cell, _)| cell)
}

/// Lower edges of the bins of a histogram; none of other statistics.
pub(crate) fn lower_edges(query: &Query, table: &Table) -> Vec<u16> {
    match &query.statistic {
        Statistic::Histogram { field } => table.field(field).map(bins::lower_edges).unwrap_or_default(),
        _ => Vec::new(),
    }
}

/// Where a private mean cuts each field's values off: the last edge of its bins, which no data decide.
pub(crate) fn greatest(query: &Query, table: &Table) -> Vec<u16> {
    match &query.statistic {
        Statistic::Mean { fields } => {
            let last = |field: &String| bins::lower_edges(table.field(field)?).last().copied();
            fields.iter().map(|field| last(field).unwrap_or(1).max(1)).collect()
        }
        _ => Vec::new(),
    }
}

/// The terms of the project leave no noise to draw for this question.
pub(crate) fn no_plan() -> Problem {
    ProblemKind::NotPermitted.at("statistic", "no noise fits the terms of the project")
}

/// The same words for every disclosure: a refusal must not tell which number is hidden.
fn refused(refusal: &ExactRefusal) -> Problem {
    match refusal {
        ExactRefusal::Discloses => {
            ProblemKind::WouldDisclose.because("ask for fewer groups, take the catalogue, or ask with noise")
        }
        ExactRefusal::TooLarge => ProblemKind::AuditTooLarge
            .because("too much was released exactly on this snapshot; ask again on the next one"),
        ExactRefusal::OtherWay => ProblemKind::Internal.because("the operator of the node finds the reason in its log"),
    }
}

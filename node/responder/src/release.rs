//! Counts an ad hoc question and lets disclosure control release it in the way that the permit says.

use std::sync::Arc;

use chrono::TimeDelta;
use node_disclosure::{
    between::Earlier,
    draft::Draft,
    exact::{again, release_public},
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
    membership::changed,
};
use node_policy::permit::Permitted;
use node_protocol::{
    answer::Answer,
    problem::{Problem, ProblemKind},
    project::PrivacyTerms,
    query::{Query, Statistic, bins},
    release::{Release, Safeguards, Way},
};
use node_store::budgets::BudgetCharge;

use crate::{
    answer::{Fault, Outcome, Published, Responder, Turn, question_hash},
    exact::refused,
    quota::QUARTER_DAYS,
};

impl Responder {
    /// The released answer, with what it costs and what it was audited with.
    pub(crate) async fn release(
        &self,
        permitted: &Permitted<Query>,
        published: &Arc<Published>,
        turn: &Turn,
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
                    self.exact(permitted, published, turn).await?
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
        permitted: &Permitted<Query>,
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
        permitted: &'q Permitted<Query>,
        published: &Published,
        measures: Measures,
    ) -> Result<Counted<'q>, Problem> {
        let (groups, sealed) = tabulate(&published.snapshot, permitted, measures).map_err(Fault::from)?;
        let query = permitted.query();
        Ok(Counted { query, groups, lower_edges: lower_edges(query, permitted.table()), sealed })
    }

    pub(crate) fn draft(&self, permitted: &Permitted<Query>, published: &Published) -> Result<Draft, Problem> {
        Ok(Draft::of(self.count(permitted, published, Measures::default())?))
    }

    fn public(&self, permitted: &Permitted<Query>, published: &Published) -> Result<Released<Answer>, Problem> {
        release_public(&self.draft(permitted, published)?).map_err(|refusal| refused(&refusal))
    }

    async fn perturbed(
        &self,
        permitted: &Permitted<Query>,
        published: &Arc<Published>,
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
        let noise = self.noise(permitted.table().unit_of_privacy, safeguards).map_err(Fault::from)?;
        self.along(permitted, published, &noise, &question).await
    }

    /// What the answer is on this snapshot after it was, asked or not, what it was on those before: so that the same question in other
    /// words does not meet new noise where hardly anything has changed.
    async fn along(
        &self,
        permitted: &Permitted<Query>,
        published: &Arc<Published>,
        noise: &Perturbation,
        question: &Digest,
    ) -> Result<Released<Answer>, Problem> {
        let rule = "perturbed";
        let former = published.before.iter().rev().filter_map(|id| (self.former)(*id));
        let chain: Vec<Arc<Published>> = former.chain([Arc::clone(published)]).collect();
        let ids: Vec<Digest> = chain.iter().map(|published| published.snapshot.id).collect();
        let mut earlier = self.store.last_release(question, rule, &ids).await.map_err(Fault::from)?;
        for (on, id) in chain.iter().zip(ids) {
            let released = match self.store.released_before(&id, question, rule).await.map_err(Fault::from)? {
                // what is out is as it is, under whatever policy
                Some(stored) if id != published.snapshot.id => again(stored).map_err(|refusal| refused(&refusal))?,
                _ => {
                    let since = match &earlier {
                        Some((former, answer)) => self.since(permitted, on, *former, answer)?,
                        None => Vec::new(),
                    };
                    let counted = self.count(permitted, on, Measures { record_keys: true })?;
                    release_perturbed(counted, noise, since).map_err(Fault::from)?
                }
            };
            if id == published.snapshot.id {
                return Ok(released);
            }
            earlier = Some((id, released.get().clone()));
        }
        Err(no_plan()) // the chain ends with the snapshot in force
    }

    /// The noise of a tier for tables about one kind of unit.
    pub(crate) fn noise(&self, unit: Unit, safeguards: Safeguards) -> Result<Arc<Perturbation>, TableError> {
        let threshold = self.policy.threshold;
        let base = if unit == Unit::Facility { threshold.facilities } else { threshold.persons };
        self.noises.of(self.policy.noise, base, safeguards)
    }

    /// What changed since an earlier answer, from each snapshot that its numbers are from.
    pub(crate) fn since<'e>(
        &self,
        permitted: &Permitted<Query>,
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

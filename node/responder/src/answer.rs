//! Answers a peer: one function, a stage a line, that tells how a question becomes a signed and audited answer.

use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use chrono::{DateTime, Utc};
use node_disclosure::{
    differential::mechanism::Sampler,
    private::PrivateError,
    release::{OtherWay, Released},
};
use node_domain::{clock::Clock, dictionary::Dictionary, digest::Digest, node_id::NodeId};
use node_engine::columnar::TabulateError;
use node_policy::{
    permit::{Asking, Grant, Permitted, permit},
    policy::Policy,
    role::{Action, Role},
};
use node_protocol::{
    answer::Answer,
    canonical::{self, CanonicalError},
    envelope::{AnswerRequest, AnswerStatement, AuditHead, PROTOCOL_VERSION},
    problem::{Problem, ProblemKind},
    project::ProjectState,
    query::Query,
    release::{Release, Way},
};
use node_snapshot::shelf::Snapshot;
use node_store::{
    Store, StoreError,
    answers::{Handover, Precedent, Recorded, UsedToken},
    audit::Event,
    budgets::BudgetCharge,
    ledger::LedgerEntry,
};
use node_trust::{
    keys::SigningKey,
    roster::Roster,
    signed::{Kind, sign},
    token::{Caller, Peer, identify},
};
use tokio::sync::{Mutex, OwnedMutexGuard, Semaphore};

use crate::{catalogue::Catalogue, noise::Noises, projects::state_on, quota};

/// What is in force at the node: replaced whole when the operator publishes.
pub struct Published {
    /// The snapshot.
    pub snapshot: Arc<Snapshot>,
    /// Its catalogue.
    pub catalogue: Catalogue,
    /// The snapshots that were in force before it and are still there, the newest first: those that its numbers are compared with.
    pub before: Vec<Digest>,
}

/// A former snapshot that is still on the shelf, with its catalogue.
pub type Former = dyn Fn(Digest) -> Option<Arc<Published>> + Send + Sync;

/// The pseudonym of a person within a project, or outside of one.
pub type Pseudonym = dyn Fn(&str, Option<&str>) -> String + Send + Sync;

/// The answering side of a node.
pub struct Responder {
    /// This node.
    pub node: NodeId,
    /// Its signing key.
    pub key: Arc<SigningKey>,
    /// The dictionary that it answers.
    pub dictionary: Arc<Dictionary>,
    /// Its policy.
    pub policy: Policy,
    /// Hash of the policy.
    pub policy_hash: Digest,
    /// What is published; nothing before the first publication.
    pub published: ArcSwapOption<Published>,
    /// Former snapshots.
    pub former: Box<Former>,
    /// The membership in force.
    pub roster: Arc<ArcSwap<Roster>>,
    /// What is remembered.
    pub store: Store,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The noise of sets of persons.
    pub noises: Noises,
    /// Fresh noise.
    pub sampler: Box<dyn Fn() -> Box<dyn Sampler + Send> + Send + Sync>,
    /// Pseudonym of a person of this institute within a project, as this node's own questions carry it.
    pub pseudonym: Arc<Pseudonym>,
    /// How many answers are made at once; beyond, the node is busy.
    pub capacity: Semaphore,
    /// What is done one at a time.
    pub turns: Turns,
}

/// What a node does one at a time.
#[derive(Default)]
pub struct Turns {
    /// Held from the audit of an exact answer until it is in the ledger: two that are safe alone may not be so together. Held too while
    /// another snapshot comes into force, whose catalogue must know of all of them.
    pub exact: Arc<Mutex<()>>,
    /// The same for answers with noise, from the look at how many there were.
    pub(crate) perturbed: Arc<Mutex<()>>,
}

/// One's turn; an audit holds it too, since it runs to its end even where its asker has hung up.
pub(crate) type Turn = Option<Arc<OwnedMutexGuard<()>>>;

/// A fault of this node while it answers. Its text goes to the log, never to the peer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("the store failed")]
    Store(#[from] StoreError),
    #[error("the snapshot could not be counted")]
    Tabulate(#[from] TabulateError),
    #[error("the statement has no canonical form")]
    Canonical(#[from] CanonicalError),
    #[error("the answer could not be released")]
    Way(#[from] OtherWay),
    #[error("the private answer could not be released")]
    Private(#[from] PrivateError),
    #[error("the audit did not end")]
    Audit(#[from] tokio::task::JoinError),
    #[error("the noise of the policy has no table")]
    Noise(#[from] node_disclosure::perturbation::table::TableError),
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        tracing::error!(error = &fault as &dyn std::error::Error, "an answer could not be made");
        ProblemKind::Internal.because("the operator of the node finds the reason in its log")
    }
}

/// What policy says to a question.
enum Decided {
    /// It is an indicator's: its numbers were released when the snapshot was published.
    Indicator(Released<Answer>),
    /// It may be asked ad hoc.
    AdHoc(Box<Permitted<Query>>),
}

/// A released answer with everything that is recorded of it.
pub(crate) struct Outcome {
    pub(crate) released: Released<Answer>,
    /// What was decided and why, for the audit.
    pub(crate) why: String,
    /// Why it waits for a steward, where it does.
    pub(crate) review: Option<String>,
    /// Its price, where it has one.
    pub(crate) charge: Option<BudgetCharge>,
    /// The end of the ledger that an exact answer was audited with.
    pub(crate) audited_to: Option<u64>,
}

impl Responder {
    /// Answers `request` of `peer`, who shows `token` for it.
    ///
    /// # Errors
    /// The refusal of the first stage that says no. What the stages before identification refuse leaves no trace in the store;
    /// what policy and disclosure control refuse is audited.
    pub async fn answer(&self, peer: &Peer, token: &str, request: AnswerRequest) -> Result<String, Problem> {
        let _place = self.capacity.try_acquire().map_err(|_| busy())?;
        let now = self.clock.now();
        let query_hash = request.query_hash().map_err(Fault::from)?;
        let roster = self.roster.load_full();

        let caller = identify(peer, token, &self.node, &request.study, &query_hash, &roster, now)?;
        if let Some(known) = self.precedent(&caller, &request.query).await? {
            return Ok(known);
        }
        let published = self.published.load_full().ok_or_else(no_snapshot)?;
        let outcome = match self.decide(&caller, &request.query, &published, now).await {
            Ok(Decided::Indicator(released)) => Ok(Outcome::indicator(released)),
            Ok(Decided::AdHoc(permitted)) => return self.answer_ad_hoc(&caller, &permitted, &published, now).await,
            Err(problem) => Err(self.told(peer, &request.query, problem).await),
        };
        self.hand_or_refuse(&caller, &request.query, &published, outcome, now).await
    }

    /// May it be asked: an indicator by everybody who may ask at all, everything else as the tier or the project allows.
    async fn decide(
        &self,
        caller: &Caller,
        query: &Query,
        published: &Published,
        now: DateTime<Utc>,
    ) -> Result<Decided, Problem> {
        let role: Role = caller.claims().role.parse()?;
        role.demand(Action::Ask)?;
        query.check_shape()?;
        if let Some(released) = published.catalogue.answer_to(query) {
            return Ok(Decided::Indicator(released.clone()));
        }
        let grant = self.grant(query).await?;
        let asking = Asking { role, peer: caller.node(), grant: grant.as_ref() };
        permit(query.clone(), asking, &self.policy, &self.dictionary, now)
            .map(|permitted| Decided::AdHoc(Box::new(permitted)))
    }

    /// What this node's steward granted to the project that the query names.
    pub(crate) async fn grant(&self, query: &Query) -> Result<Option<Grant>, Problem> {
        let Some(id) = query.project.as_ref().and_then(|name| name.parse().ok()) else { return Ok(None) };
        let stored = self.store.stored_project(&id).await.map_err(Fault::from)?;
        let granted = |state| matches!(state, ProjectState::Approved | ProjectState::Narrowed);
        let closed = self.policy.project.get(&id).is_some_and(|rules| rules.closed);
        let in_force = stored.filter(|stored| !closed && granted(state_on(stored, self.clock.now())));
        Ok(in_force.and_then(|stored| {
            let terms = stored.terms?;
            Some(Grant { project: stored.project, terms })
        }))
    }

    /// Counts the question, then its persons; releases and hands over.
    async fn answer_ad_hoc(
        &self,
        caller: &Caller,
        permitted: &Permitted<Query>,
        published: &Arc<Published>,
        now: DateTime<Utc>,
    ) -> Result<String, Problem> {
        let turn = self.turn(permitted, published).await?;
        let outcome = match quota::admit(self, caller, permitted.query(), now).await {
            Ok(()) => self.release(permitted, published, &turn).await,
            Err(problem) => Err(problem),
        };
        self.hand_or_refuse(caller, permitted.query(), published, outcome, now).await
    }

    /// Two exact answers that are safe alone may not be so together, and two with noise may pass the last place of a quota: one at a
    /// time. An audit takes long, so nobody waits for it, and nobody is charged who is told to come again.
    async fn turn(&self, permitted: &Permitted<Query>, published: &Published) -> Result<Turn, Problem> {
        let turn = match permitted.conditions().way {
            Way::Exact => Arc::clone(&self.turns.exact).try_lock_owned().map_err(|_| busy())?,
            Way::Perturbed => Arc::clone(&self.turns.perturbed).lock_owned().await,
            Way::Catalogue | Way::Private(_) => return Ok(None),
        };
        // another snapshot came into force meanwhile
        let in_force = self.published.load().as_ref().map(|published| published.snapshot.id);
        if in_force == Some(published.snapshot.id) { Ok(Some(Arc::new(turn))) } else { Err(busy()) }
    }

    async fn hand_or_refuse(
        &self,
        caller: &Caller,
        query: &Query,
        published: &Published,
        outcome: Result<Outcome, Problem>,
        now: DateTime<Utc>,
    ) -> Result<String, Problem> {
        match outcome {
            Ok(outcome) => self.hand(caller, query, published, outcome, now).await,
            Err(problem) => Err(self.refuse(caller, query, problem).await?),
        }
    }

    /// Records, signs and hands over an answer, or keeps it back for a steward.
    async fn hand(
        &self,
        caller: &Caller,
        query: &Query,
        published: &Published,
        outcome: Outcome,
        now: DateTime<Utc>,
    ) -> Result<String, Problem> {
        let Outcome { released, why, review, charge, audited_to } = outcome;
        let claims = caller.claims();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let answer = released.get();
        let rule = answer.release();
        let is_indicator = matches!(rule, Release::Catalogue(_));
        let canonical = text(canonical::bytes(query).map_err(Fault::from)?);
        let handover = Handover {
            token: used(caller),
            study: claims.study.clone(),
            query_hash: claims.query_hash,
            role: claims.role.clone(),
            policy_hash: self.policy_hash,
            answer_hash: canonical::digest(answer).map_err(Fault::from)?,
            why,
            entry: LedgerEntry {
                subject: claims.sub.clone(),
                project: query.project.clone(),
                question_hash: question_hash(query)?,
                query: canonical,
                snapshot: published.snapshot.id,
                rule: rule.name(),
                answer: if is_indicator { None } else { Some(text(canonical::bytes(answer).map_err(Fault::from)?)) },
            },
            charge,
            audited_to,
        };
        let epoch = self.roster.load().epoch();
        let sign = |audit_head| self.sign(caller, published, released, audit_head, epoch);
        let recorded = match review {
            None => self.store.give(&handover, now, sign).await,
            Some(class) => self.store.hold(&handover, &class, now, sign).await,
        };
        match recorded.map_err(|fault: Fault| Problem::from(fault))? {
            Recorded::Given(signed) => Ok(signed),
            Recorded::Held => Err(review_pending()),
            Recorded::BudgetSpent(_) => {
                // which of the two is spent would tell what others ask
                let problem = ProblemKind::BudgetSpent.because("ask the node's steward");
                Err(self.refuse(caller, query, problem).await?)
            }
            // another exact answer came in between: this one must be audited anew
            Recorded::Overtaken => Err(busy()),
            Recorded::Preceded(precedent) => self.follow(caller, query, precedent).await?.ok_or_else(busy),
        }
    }

    fn sign(
        &self,
        caller: &Caller,
        published: &Published,
        answer: Released<Answer>,
        audit_head: AuditHead,
        epoch: u64,
    ) -> Result<String, Fault> {
        let claims = caller.claims();
        let statement = AnswerStatement {
            protocol: PROTOCOL_VERSION,
            node: self.node.clone(),
            study: claims.study.clone(),
            query_hash: claims.query_hash,
            policy_hash: self.policy_hash,
            snapshot: published.snapshot.id,
            dictionary: self.dictionary.version.clone(),
            epoch,
            answer,
            audit_head,
            issued: self.clock.now(),
        };
        Ok(sign(&statement, Kind::Answer, &self.node, &self.key)?.into_string())
    }

    /// The answer that this study got before, if any.
    async fn precedent(&self, caller: &Caller, query: &Query) -> Result<Option<String>, Problem> {
        let claims = caller.claims();
        let precedent =
            self.store.precedent(&used(caller), &claims.study, &claims.query_hash).await.map_err(Fault::from)?;
        self.follow(caller, query, precedent).await
    }

    async fn follow(&self, caller: &Caller, query: &Query, precedent: Precedent) -> Result<Option<String>, Problem> {
        let claims = caller.claims();
        match precedent {
            Precedent::None => Ok(None),
            Precedent::TokenUsed => Err(replayed()),
            Precedent::OtherQuery => {
                let problem = ProblemKind::StudyConflict.because("begin a new study for another query");
                Err(self.refuse(caller, query, problem).await?)
            }
            // asking again while a steward thinks is no event: only the token is spent
            Precedent::Held => Err(review_pending()),
            Precedent::ReviewRefused(reason) => Err(ProblemKind::ReviewRefused.because(reason)),
            Precedent::Answered(signed) => {
                let event = Event::AnswerRepeated { peer: caller.node().clone(), study: claims.study.clone() };
                let spent = self.store.spend(&used(caller), self.clock.now(), event).await.map_err(Fault::from)?;
                if spent { Ok(Some(signed)) } else { Err(replayed()) }
            }
        }
    }

    /// Audits a refusal and gives back what the peer is told.
    async fn refuse(&self, caller: &Caller, query: &Query, problem: Problem) -> Result<Problem, Problem> {
        if problem.kind == ProblemKind::Internal {
            return Ok(problem);
        }
        let claims = caller.claims();
        let canonical = canonical::bytes(query).map_err(Fault::from)?;
        let event = Event::QueryRefused {
            peer: caller.node().clone(),
            subject: claims.sub.clone(),
            study: claims.study.clone(),
            query_hash: claims.query_hash,
            problem: problem.kind.urn().to_owned(),
            query: Some(String::from_utf8_lossy(&canonical).into_owned()),
            project: query.project.clone(),
            detail: Some(problem.detail.clone()),
        };
        let spent = self.store.spend(&used(caller), self.clock.now(), event).await.map_err(Fault::from)?;
        Ok(if spent { problem } else { replayed() })
    }
}

impl Outcome {
    fn indicator(released: Released<Answer>) -> Self {
        let why = "an indicator of the catalogue, released at publication for everybody".to_owned();
        Self { released, why, review: None, charge: None, audited_to: None }
    }
}

/// The hash of what is asked, the same whatever the project and the order of the groups.
pub(crate) fn question_hash(query: &Query) -> Result<Digest, Problem> {
    let mut question = query.clone();
    question.project = None;
    question.dictionary = String::new();
    question.by.sort_unstable();
    question.conditions = node_protocol::query::in_order(&question.conditions);
    Ok(canonical::digest(&question).map_err(Fault::from)?)
}

fn used(caller: &Caller) -> UsedToken {
    let claims = caller.claims();
    UsedToken { issuer: caller.node().clone(), token: claims.jti.clone(), forget_after: claims.forget_after() }
}

fn replayed() -> Problem {
    ProblemKind::TokenReplayed.because("each request needs a token of its own")
}

fn no_snapshot() -> Problem {
    ProblemKind::NoSnapshot.because("ask again when its operator has published")
}

fn review_pending() -> Problem {
    let problem =
        ProblemKind::ReviewPending.because("a steward of the node looks at it; ask again later with the same study");
    Problem { retry_after_s: Some(600), ..problem }
}

pub(crate) fn busy() -> Problem {
    Problem { retry_after_s: Some(1), ..ProblemKind::Busy.because("ask again in a second") }
}

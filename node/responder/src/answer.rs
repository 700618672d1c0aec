//! One query from a peer, from its token to the signed answer: the whole story in [`Responder::answer`].

use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use node_disclosure::release::{Released, release};
use node_domain::{clock::Clock, dictionary::Dictionary, digest::Digest, node_id::NodeId};
use node_engine::columnar::{Measures, TabulateError, tabulate};
use node_policy::{permit::permit, policy::Policy};
use node_protocol::{
    answer::Answer,
    canonical::{self, CanonicalError},
    envelope::{
        AnswerRequest, AnswerStatement, AuditHead, CatalogueEntry, HEADS_PAGE, Heads, NodeStatement, PROTOCOL_VERSION,
    },
    problem::{Problem, ProblemKind},
};
use node_snapshot::shelf::Snapshot;
use node_store::{
    Store, StoreError,
    answers::{Precedent, Recorded, UsedToken},
    audit::Event,
};
use node_trust::{
    keys::SigningKey,
    membership::MembershipFile,
    roster::Roster,
    signed::sign,
    token::{Caller, Peer, identify},
};
use tokio::sync::Semaphore;

/// What is in force at the node: replaced whole when the operator publishes.
pub struct Published {
    /// The snapshot.
    pub snapshot: Snapshot,
    /// Its catalogue.
    pub catalogue: Vec<CatalogueEntry>,
}

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
    /// The membership in force.
    pub roster: Arc<ArcSwap<Roster>>,
    /// What is remembered.
    pub store: Store,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// How many answers are made at once; beyond, the node is busy.
    pub capacity: Semaphore,
}

/// A fault of this node while it answers. Its text goes to the log, never to the peer.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("the store failed")]
    Store(#[from] StoreError),
    #[error("the snapshot could not be counted")]
    Tabulate(#[from] TabulateError),
    #[error("the answer has no canonical form")]
    Canonical(#[from] CanonicalError),
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        tracing::error!(error = &fault as &dyn std::error::Error, "an answer could not be made");
        ProblemKind::Internal.because("the operator of the node finds the reason in its log")
    }
}

impl Responder {
    /// Answers `request` of `peer`, who shows `token` for it.
    ///
    /// # Errors
    /// The refusal of the first stage that says no. What the stages before identification refuse leaves no trace in the store;
    /// what policy refuses is audited.
    pub async fn answer(&self, peer: &Peer, token: &str, request: AnswerRequest) -> Result<String, Problem> {
        let _place = self.capacity.try_acquire().map_err(|_| busy())?;
        let now = self.clock.now();
        let query_hash = request.query_hash().map_err(Fault::from)?;
        let roster = self.roster.load_full();

        let caller = identify(peer, token, &self.node, &request.study, &query_hash, &roster, now)?;
        if let Some(known) = self.precedent(&caller).await? {
            return Ok(known);
        }
        let published = self.published.load_full().ok_or_else(no_snapshot)?;
        let role = caller.claims().role.parse();
        let permitted = role.and_then(|role| permit(request.query, role, &self.policy, &self.dictionary, now));
        let permitted = match permitted {
            Ok(permitted) => permitted,
            Err(problem) => return Err(self.refuse(&caller, problem).await?),
        };
        let query = permitted.query().clone();
        let (groups, sealed) = tabulate(&published.snapshot, &permitted, Measures::default()).map_err(Fault::from)?;
        let released = release(&query, &groups, sealed);
        let event = self.answer_given(&caller, &query, &published, &released)?;
        let sign = |audit_head| self.sign(&caller, &published, released, audit_head, roster.epoch());
        let claims = caller.claims();
        let recorded = self.store.give(&used(&caller), (&claims.study, &query_hash), now, event, sign).await;
        match recorded.map_err(|fault: Fault| Problem::from(fault))? {
            Recorded::Given(signed) => Ok(signed),
            Recorded::Preceded(precedent) => self.follow(&caller, precedent).await?.ok_or_else(busy),
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
        Ok(sign(&statement, &self.node, &self.key)?.into_string())
    }

    fn answer_given(
        &self,
        caller: &Caller,
        query: &node_protocol::query::Query,
        published: &Published,
        released: &Released<Answer>,
    ) -> Result<Event, Fault> {
        let claims = caller.claims();
        let query = String::from_utf8_lossy(&canonical::bytes(query)?).into_owned();
        Ok(Event::AnswerGiven {
            peer: caller.node().clone(),
            subject: claims.sub.clone(),
            study: claims.study.clone(),
            query_hash: claims.query_hash,
            query,
            snapshot: published.snapshot.id,
            policy_hash: self.policy_hash,
            answer_hash: canonical::digest(released.get())?,
        })
    }

    /// The answer that this study got before, if any.
    async fn precedent(&self, caller: &Caller) -> Result<Option<String>, Problem> {
        let claims = caller.claims();
        let precedent =
            self.store.precedent(&used(caller), &claims.study, &claims.query_hash).await.map_err(Fault::from)?;
        self.follow(caller, precedent).await
    }

    async fn follow(&self, caller: &Caller, precedent: Precedent) -> Result<Option<String>, Problem> {
        let claims = caller.claims();
        match precedent {
            Precedent::None => Ok(None),
            Precedent::TokenUsed => Err(replayed()),
            Precedent::OtherQuery => {
                let problem = ProblemKind::StudyConflict.because("begin a new study for another query");
                Err(self.refuse(caller, problem).await?)
            }
            Precedent::Answered(signed) => {
                let event = Event::AnswerRepeated { peer: caller.node().clone(), study: claims.study.clone() };
                let spent = self.store.spend(&used(caller), self.clock.now(), event).await.map_err(Fault::from)?;
                if spent { Ok(Some(signed)) } else { Err(replayed()) }
            }
        }
    }

    /// Audits a refusal and gives back what the peer is told.
    async fn refuse(&self, caller: &Caller, problem: Problem) -> Result<Problem, Problem> {
        let claims = caller.claims();
        let event = Event::QueryRefused {
            peer: caller.node().clone(),
            subject: claims.sub.clone(),
            study: claims.study.clone(),
            query_hash: claims.query_hash,
            problem: problem.kind.urn().to_owned(),
        };
        let spent = self.store.spend(&used(caller), self.clock.now(), event).await.map_err(Fault::from)?;
        Ok(if spent { problem } else { replayed() })
    }

    /// What this node is able and willing to answer.
    #[must_use]
    pub fn describe(&self) -> NodeStatement {
        let published = self.published.load();
        NodeStatement {
            node: self.node.clone(),
            protocols: vec![PROTOCOL_VERSION],
            software: env!("CARGO_PKG_VERSION").to_owned(),
            dictionaries: self.dictionary.answers.clone(),
            statistics: vec!["count".to_owned(), "survival".to_owned()],
            snapshot: published.as_ref().map(|published| published.snapshot.id),
            epoch: self.roster.load().epoch(),
            policy_hash: self.policy_hash,
            exploration: self.policy.exploration_safeguards(),
            project: self.policy.project_safeguards(),
            catalogue: published.as_ref().map(|published| published.catalogue.clone()).unwrap_or_default(),
        }
    }

    /// The membership files after an epoch, oldest first, as this node verified them.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn memberships(&self, after: u64) -> Result<Vec<MembershipFile>, Problem> {
        let files = self.store.memberships_after(after).await.map_err(Fault::from)?;
        Ok(files.iter().map(|file| MembershipFile::parse(file.as_bytes())).collect::<Result<_, _>>()?)
    }

    /// This node's audit head and the heads of the peer that it holds after an entry.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn heads(&self, peer: &Peer, after: u64) -> Result<Heads, Problem> {
        let own = self.store.head().await.map_err(Fault::from)?;
        let page = u32::try_from(HEADS_PAGE).unwrap_or(u32::MAX);
        let held = self.store.held_heads(peer.node(), after, page).await.map_err(Fault::from)?;
        Ok(Heads { own, held, epoch: self.roster.load().epoch() })
    }
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

fn busy() -> Problem {
    Problem { retry_after_s: Some(1), ..ProblemKind::Busy.because("ask again in a second") }
}

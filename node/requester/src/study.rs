//! Studies: one query to many nodes at once, again until the deadline, across restarts.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use node_domain::{clock::Clock, digest::Digest, node_id::NodeId};
use node_protocol::{
    answer::Answer,
    canonical,
    envelope::{AnswerRequest, AuditHead},
    estimate::Estimate,
    problem::{Problem, ProblemKind},
    query::Query,
    study::{NodeState, Status, Study, StudyId},
};
use node_store::{
    Store, StoreError,
    studies::{StoredNode, StoredStudy},
};
use node_trust::{
    keys::SigningKey,
    signed::{self, Verified},
    token::{Claims, Confirmation, MAX_LIFE_S, issue},
};
use tokio::task::JoinSet;

use crate::{
    fits,
    peer::{Peers, body, send},
    pool,
};

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// One attempt at one node.
    pub attempt: Duration,
    /// Pause before the second round; doubled each round up to a minute.
    pub pause: Duration,
}

/// Randomness as an argument: 128 bits for each study and token.
pub type Draw = dyn Fn() -> u128 + Send + Sync;

/// The pseudonym of a person towards peers, under a secret of this node: another one in every project, the same at every query
/// within it.
pub type Pseudonym = dyn Fn(&str, Option<&str>) -> String + Send + Sync;

/// The asking side of a node.
pub struct Requester {
    /// This node.
    pub node: NodeId,
    /// Its signing key.
    pub key: Arc<SigningKey>,
    /// Connections.
    pub peers: Peers,
    /// What is remembered.
    pub store: Store,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub draw: Box<Draw>,
    /// How long things may take.
    pub timing: Timing,
    /// Pseudonyms of persons.
    pub pseudonym: Arc<Pseudonym>,
    /// Held while a membership is adopted.
    pub adopting: tokio::sync::Mutex<()>,
}

/// A study that cannot be begun or read.
#[derive(Debug, thiserror::Error)]
pub enum StudyError {
    /// The request is not acceptable.
    #[error(transparent)]
    Problem(#[from] Problem),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Who asks at this node.
#[derive(Debug, Clone)]
pub struct Asker {
    /// Pseudonym.
    pub subject: String,
    /// Role.
    pub role: String,
}

impl Requester {
    /// Remembers a new study. Nothing is sent before [`Self::pursue`].
    ///
    /// # Errors
    /// Where a named node is no active member, or the store fails.
    pub async fn begin(
        &self,
        asker: Asker,
        query: Query,
        nodes: &[NodeId],
        lasting: TimeDelta,
    ) -> Result<StudyId, StudyError> {
        let nodes = self.chosen(&query, nodes).await?;
        let study = self.new_study(asker, query, lasting)?;
        self.store.begin_study(&study, &nodes).await?;
        Ok(study.study)
    }

    /// The nodes to ask: where none is named those that the project asks, and outside of one all active ones.
    async fn chosen(&self, query: &Query, named: &[NodeId]) -> Result<Vec<NodeId>, StudyError> {
        let asked = self.asked_by_project(query).await?;
        let roster = self.peers.tls().roster.load_full();
        let active: Vec<NodeId> = roster.active().map(|member| member.node.clone()).collect();
        if let Some(stranger) = named.iter().find(|node| !active.contains(node)) {
            let known = active.iter().map(NodeId::as_str).collect::<Vec<_>>().join(", ");
            let detail = format!("`{stranger}` is no active member: {known}");
            return Err(ProblemKind::BodyInvalid.at("nodes", detail).into());
        }
        let mut nodes = match (named, asked) {
            ([], Some(asked)) => active.into_iter().filter(|node| asked.contains(node)).collect(),
            ([], None) => active,
            (named, _) => named.to_vec(),
        };
        nodes.sort_unstable();
        nodes.dedup();
        Ok(nodes)
    }

    /// The nodes that the project of a query asks, where this node proposed it.
    async fn asked_by_project(&self, query: &Query) -> Result<Option<BTreeSet<NodeId>>, StudyError> {
        let Some(id) = query.project.as_ref().and_then(|name| name.parse().ok()) else { return Ok(None) };
        let stored = self.store.stored_project(&id).await?;
        let own = stored.filter(|stored| stored.project.proposer == self.node);
        Ok(own.map(|stored| stored.project.countries))
    }

    fn new_study(&self, asker: Asker, query: Query, lasting: TimeDelta) -> Result<StoredStudy, StudyError> {
        let started = self.clock.now();
        Ok(StoredStudy {
            study: StudyId::from_random((self.draw)()),
            asker: asker.subject,
            role: asker.role,
            query_hash: canonical::digest(&query).map_err(StoreError::from)?,
            query,
            started,
            deadline: started + lasting,
        })
    }

    /// Asks the missing nodes in rounds until all have answered or refused, or the deadline is past.
    ///
    /// # Errors
    /// Where the store fails or there is no such study.
    pub async fn pursue(self: &Arc<Self>, study: &StudyId) -> Result<(), StudyError> {
        let mut pause = self.timing.pause;
        while self.round(study).await? {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(60));
        }
        Ok(())
    }

    /// Asks every missing node once, all at the same time. Returns whether another round makes sense.
    ///
    /// # Errors
    /// Where the store fails or there is no such study.
    pub async fn round(self: &Arc<Self>, study: &StudyId) -> Result<bool, StudyError> {
        let (stored, nodes) = self.stored(study).await?;
        let missing =
            nodes.iter().filter(|node| matches!(node.status, Status::Pending | Status::Unreachable | Status::InReview));
        let missing = missing.filter(|node| self.clock.now() < deadline_of(&stored, node.status));
        let missing: Vec<NodeId> = missing.map(|node| node.node.clone()).collect();
        if missing.is_empty() {
            return Ok(false);
        }
        let stored = Arc::new(stored);
        let mut tasks = JoinSet::new();
        for node in missing {
            let (requester, stored) = (Arc::clone(self), Arc::clone(&stored));
            tasks.spawn(async move { requester.ask_and_tell(&stored, node).await });
        }
        let mut again = false;
        while let Some(first) = tasks.join_next().await {
            // what has come meanwhile is noted together: one synced commit for all of it
            let mut done = vec![first];
            while let Some(next) = tasks.try_join_next() {
                done.push(next);
            }
            let mut noted = Vec::with_capacity(done.len());
            for outcome in done {
                match outcome {
                    Ok(node) => noted.push(node),
                    Err(error) => {
                        tracing::error!(study.id = %study, error = &error as &dyn std::error::Error, "a task of a study failed");
                        again = true;
                    }
                }
            }
            again |= noted.iter().any(|(node, _)| matches!(node.status, Status::Unreachable | Status::InReview));
            if let Err(error) = self.store.note_nodes(study, &noted).await {
                // asked again, the nodes give the same answers
                tracing::error!(study.id = %study, error = &error as &dyn std::error::Error, "states were not noted");
                again = true;
            }
        }
        Ok(again)
    }

    /// Asks one node and says where its answer stands.
    async fn ask_and_tell(&self, study: &StoredStudy, node: NodeId) -> (StoredNode, Option<AuditHead>) {
        let begun = Instant::now();
        let outcome = self.ask(study, &node).await;
        let elapsed_ms = Some(begun.elapsed().as_secs_f64() * 1e3);
        let changed = self.clock.now();
        let (status, problem, signed, head) = match outcome {
            Ok((signed, verified)) => {
                let statement = verified.statement();
                self.catch_up(&node, statement.epoch).await;
                (Status::Answered, None, Some(signed), Some(statement.audit_head))
            }
            Err(problem) => (status_of(&problem), Some(problem), None, None),
        };
        tracing::info!(
            peer.id = %node, study.id = %study.study, ?status, duration_ms = elapsed_ms,
            problem = problem.as_ref().map(|problem| problem.kind.urn()), "a node was asked"
        );
        (StoredNode { node, status, problem, signed, elapsed_ms, changed }, head)
    }

    /// Sends the query to one node and verifies what it says.
    async fn ask(&self, study: &StoredStudy, node: &NodeId) -> Result<(String, Verified), Problem> {
        let text = String::from_utf8(self.send_question(study, node, "/v1/answers").await?)
            .map_err(|_| ProblemKind::AnswerInvalid.because("it is not text"))?;
        let roster = self.peers.tls().roster.load();
        let verified = signed::verify(&text, node, &study.study, &study.query_hash, &roster)?;
        fits::check(&study.query, &verified.statement().answer)?;
        Ok((text, verified))
    }

    /// Asks one node as the study `study`, once, and remembers nothing: for the attack suite, which sends what no honest node would.
    ///
    /// # Errors
    /// The node's refusal, and an answer that does not fit.
    pub async fn ask_directly(
        &self,
        asker: Asker,
        study: StudyId,
        query: &Query,
        node: &NodeId,
    ) -> Result<Answer, Problem> {
        let malformed = |_| ProblemKind::Internal.because("the query has no canonical form");
        let query_hash = canonical::digest(query).map_err(malformed)?;
        let started = self.clock.now();
        let Asker { subject, role } = asker;
        let study =
            StoredStudy { study, asker: subject, role, query: query.clone(), query_hash, started, deadline: started };
        Ok(self.ask(&study, node).await?.1.into_statement().answer)
    }

    async fn send_question(&self, study: &StoredStudy, node: &NodeId, path: &str) -> Result<Vec<u8>, Problem> {
        let (client, url, thumbprint) = self.peers.client(node)?;
        let question = AnswerRequest { study: study.study.clone(), query: study.query.clone() };
        let request = || {
            let token = self.token(study, node, thumbprint)?;
            let request = client.post(format!("{url}{path}")).bearer_auth(token);
            Ok(request.json(&question).timeout(self.timing.attempt))
        };
        body(send(request).await?).await
    }

    /// What each node would do with a query, without asking it: nothing is remembered here or counted there.
    ///
    /// # Errors
    /// Where a named node is no active member.
    pub async fn estimate(
        self: &Arc<Self>,
        asker: Asker,
        query: Query,
        nodes: &[NodeId],
    ) -> Result<Vec<(NodeId, Result<Estimate, Problem>)>, StudyError> {
        let nodes = self.chosen(&query, nodes).await?;
        let study = Arc::new(self.new_study(asker, query, TimeDelta::zero())?);
        let mut tasks = JoinSet::new();
        for node in nodes {
            let (requester, study) = (Arc::clone(self), Arc::clone(&study));
            tasks.spawn(async move {
                let said = requester.send_question(&study, &node, "/v1/estimates").await;
                let malformed = |_| ProblemKind::AnswerInvalid.because("the estimate is not of this protocol");
                (node, said.and_then(|bytes| serde_json::from_slice(&bytes).map_err(malformed)))
            });
        }
        let mut estimates = tasks.join_all().await;
        estimates.sort_by(|left, right| left.0.cmp(&right.0));
        Ok(estimates)
    }

    fn token(&self, study: &StoredStudy, node: &NodeId, thumbprint: Digest) -> Result<String, Problem> {
        let now = self.clock.now().timestamp();
        let claims = Claims {
            iss: self.node.clone(),
            aud: node.clone(),
            sub: (self.pseudonym)(&study.asker, study.query.project.as_deref()),
            role: study.role.clone(),
            study: study.study.clone(),
            query_hash: study.query_hash,
            iat: now,
            exp: now + MAX_LIFE_S,
            jti: format!("{:032x}", (self.draw)()),
            cnf: Confirmation { thumbprint },
        };
        issue(&claims, &self.key).map_err(|_| ProblemKind::Internal.because("the request token could not be signed"))
    }

    async fn stored(&self, study: &StudyId) -> Result<(StoredStudy, Vec<StoredNode>), StudyError> {
        let unknown = || ProblemKind::NotFound.because("this node asked no such study");
        Ok(self.store.study(study).await?.ok_or_else(unknown)?)
    }

    /// The study as it stands: every node's state and the pooled estimate of what has come.
    ///
    /// # Errors
    /// Where the store fails or there is no such study.
    pub async fn study(&self, study: &StudyId) -> Result<Study, StudyError> {
        let (stored, nodes) = self.stored(study).await?;
        let nodes = nodes.into_iter().map(view).collect::<Result<Vec<_>, Problem>>()?;
        let (pooled, notes) = pool::pool(&stored.query, &nodes);
        let slowest = nodes.iter().filter_map(|node| node.elapsed_ms).fold(0.0, f64::max);
        Ok(Study {
            study: stored.study,
            query_hash: stored.query_hash,
            query: stored.query,
            started: stored.started,
            deadline: stored.deadline,
            elapsed_ms: slowest,
            nodes,
            pooled,
            notes,
        })
    }

    /// Signed answers of a study by node, as they came.
    ///
    /// # Errors
    /// Where the store fails or there is no such study.
    pub async fn signed_answers(&self, study: &StudyId) -> Result<Vec<(NodeId, String)>, StudyError> {
        let (_, nodes) = self.stored(study).await?;
        Ok(nodes.into_iter().filter_map(|node| Some((node.node, node.signed?))).collect())
    }

    /// Goes on with the studies that a stop interrupted.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn resume(self: &Arc<Self>) -> Result<usize, StudyError> {
        let open = self.store.open_studies(self.clock.now()).await?;
        let count = open.len();
        for study in open {
            let requester = Arc::clone(self);
            tokio::spawn(async move {
                if let Err(error) = requester.pursue(&study).await {
                    tracing::error!(study.id = %study, error = &error as &dyn std::error::Error, "a study stopped");
                }
            });
        }
        Ok(count)
    }
}

/// How long an answer that waits for a steward is asked for again, days.
const REVIEW_DAYS: i64 = 30;

/// Until when a node is asked again: a steward may take longer than a line that is down.
fn deadline_of(study: &StoredStudy, status: Status) -> DateTime<Utc> {
    if status == Status::InReview { study.started + TimeDelta::days(REVIEW_DAYS) } else { study.deadline }
}

/// Whether a refusal may go away by itself.
fn status_of(problem: &Problem) -> Status {
    match problem.kind {
        ProblemKind::ReviewPending => Status::InReview,
        ProblemKind::PeerUnreachable
        | ProblemKind::Busy
        | ProblemKind::NoSnapshot
        | ProblemKind::Internal
        | ProblemKind::PeerNotAuthentic
        | ProblemKind::UnknownPeer
        | ProblemKind::PeerKeyMismatch
        | ProblemKind::TokenExpired
        | ProblemKind::TokenNotBound
        | ProblemKind::MembershipExpired => Status::Unreachable,
        _ => Status::Refused,
    }
}

/// A node's state with the content of its kept answer.
fn view(node: StoredNode) -> Result<NodeState, Problem> {
    let statement = node.signed.as_deref().map(signed::read_kept).transpose()?;
    Ok(NodeState {
        node: node.node,
        status: node.status,
        problem: node.problem,
        snapshot: statement.as_ref().map(|statement| statement.snapshot),
        elapsed_ms: node.elapsed_ms,
        answer_file: None,
        answer: statement.map(|statement| statement.answer),
    })
}

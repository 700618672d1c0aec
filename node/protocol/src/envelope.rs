//! The signed statements that nodes exchange, and the request for an answer.

use chrono::{DateTime, Utc};
use node_domain::{digest::Digest, node_id::NodeId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{answer::Answer, canonical, outgoing::Outgoing, query::Query, release::Safeguards, study::StudyId};

/// The protocol version that this build speaks.
pub const PROTOCOL_VERSION: u32 = 1;

/// Body of `POST /v1/answers`: one query of one study.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AnswerRequest {
    /// The study that the answer is for; asking again with the same one returns the same answer.
    pub study: StudyId,
    /// The query.
    pub query: Query,
}

/// What a node says in answer to a query, generic over the answer so that only a released one can be put into it for sending.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AnswerStatement<A = Answer> {
    /// Protocol version.
    pub protocol: u32,
    /// The node that answers.
    pub node: NodeId,
    /// The study.
    pub study: StudyId,
    /// Hash of the query's canonical JSON.
    pub query_hash: Digest,
    /// Hash of the policy in force.
    pub policy_hash: Digest,
    /// The snapshot that was counted.
    pub snapshot: Digest,
    /// Dictionary version of the snapshot.
    pub dictionary: String,
    /// Membership epoch at the node.
    pub epoch: u64,
    /// The answer.
    pub answer: A,
    /// Head of the node's audit chain, which includes this answer.
    pub audit_head: AuditHead,
    /// When it was made.
    pub issued: DateTime<Utc>,
}

impl<A: Outgoing> Outgoing for AnswerStatement<A> {}

/// The head of a node's audit chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuditHead {
    /// Number of entries.
    pub sequence: u64,
    /// Hash of the last entry, which covers all before it.
    pub hash: Digest,
}

/// `GET /v1/node`: what a node is able and willing to answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NodeStatement {
    /// The node.
    pub node: NodeId,
    /// Protocol versions that it speaks.
    pub protocols: Vec<u32>,
    /// Software version.
    pub software: String,
    /// Dictionary versions that it answers.
    pub dictionaries: Vec<String>,
    /// Statistics that it computes.
    pub statistics: Vec<String>,
    /// Snapshot in force, if any.
    pub snapshot: Option<Digest>,
    /// Membership epoch that it knows.
    pub epoch: u64,
    /// Hash of its policy.
    pub policy_hash: Digest,
    /// Its thresholds for queries outside a project.
    pub exploration: Safeguards,
    /// Its thresholds inside projects, which single projects may tighten.
    pub project: Safeguards,
    /// The catalogue of the snapshot in force: indicators with their released answers.
    pub catalogue: Vec<CatalogueEntry>,
    /// Its whole policy as a signed [`PolicyStatement`].
    #[serde(default)]
    pub policy: String,
}

/// The effective policy of a node; signed by it. Generic over the policy, which is read as a JSON value by others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PolicyStatement<P = serde_json::Value> {
    /// The node.
    pub node: NodeId,
    /// The policy in force.
    pub policy: P,
    /// Hash of its canonical JSON, as every answer names it.
    pub policy_hash: Digest,
    /// When it was signed.
    pub issued: DateTime<Utc>,
}

impl<P: Serialize> Outgoing for PolicyStatement<P> {}

/// One indicator of a node's catalogue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CatalogueEntry {
    /// Indicator.
    pub indicator: String,
    /// Its version.
    pub version: u32,
    /// The query whose answer it is.
    pub query: Query,
    /// Its released answer.
    pub answer: Answer,
}

/// The most heads of one page.
pub const HEADS_PAGE: usize = 1_000;

/// `GET /v1/heads?after=N`: audit heads exchanged between two nodes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Heads {
    /// The answering node's own head.
    pub own: AuditHead,
    /// The heads of the asking node that the answering node holds after the entry asked for, oldest first, at most [`HEADS_PAGE`].
    pub held: Vec<AuditHead>,
    /// Membership epoch of the answering node.
    pub epoch: u64,
}

impl AnswerRequest {
    /// The hash of the query alone.
    ///
    /// # Errors
    /// Never for a parsed query; the type is that of canonical JSON.
    pub fn query_hash(&self) -> Result<Digest, canonical::CanonicalError> {
        canonical::digest(&self.query)
    }
}

//! A study: one query sent to several nodes, and what has come back.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Utc};
use node_domain::{digest::Digest, node_id::NodeId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    answer::{Answer, Pooled},
    problem::Problem,
    query::Query,
};

/// The identity of a study: 32 hexadecimal digits, drawn at random by the asking node.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", extend("pattern" = r"^[0-9a-f]{32}$"))]
pub struct StudyId(String);

/// The text is not a study's identity.
#[derive(Debug, thiserror::Error)]
#[error("a study is named by 32 lower-case hexadecimal digits")]
pub struct StudyIdError;

impl StudyId {
    /// An identity from 128 random bits.
    #[must_use]
    pub fn from_random(bits: u128) -> Self {
        Self(format!("{bits:032x}"))
    }

    /// The identity as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StudyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for StudyId {
    type Err = StudyIdError;

    fn from_str(text: &str) -> Result<Self, StudyIdError> {
        let fits = text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if fits { Ok(Self(text.to_owned())) } else { Err(StudyIdError) }
    }
}

impl TryFrom<String> for StudyId {
    type Error = StudyIdError;

    fn try_from(text: String) -> Result<Self, StudyIdError> {
        text.parse()
    }
}

impl From<StudyId> for String {
    fn from(id: StudyId) -> Self {
        id.0
    }
}

/// A study as its asker sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Study {
    /// Identity.
    pub study: StudyId,
    /// Hash of the query's canonical JSON.
    pub query_hash: Digest,
    /// The query.
    pub query: Query,
    /// When it was posted.
    pub started: DateTime<Utc>,
    /// Until when missing answers are asked for again.
    pub deadline: DateTime<Utc>,
    /// From asking to the verified answer of the slowest node that answered or refused, milliseconds.
    pub elapsed_ms: f64,
    /// One entry per node asked.
    pub nodes: Vec<NodeState>,
    /// The pooled estimate of what has come; `null` as long as nothing has.
    pub pooled: Option<Pooled>,
    /// What a reader must know: suppression, partial answers, bounds.
    pub notes: Vec<Note>,
}

/// Where one node's answer stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NodeState {
    /// The node.
    pub node: NodeId,
    /// State.
    pub status: Status,
    /// Why it refused or could not be reached.
    pub problem: Option<Problem>,
    /// Snapshot that it counted.
    pub snapshot: Option<Digest>,
    /// From asking to the verified answer, milliseconds.
    pub elapsed_ms: Option<f64>,
    /// File of the signed answer, where one was written.
    pub answer_file: Option<String>,
    /// The verified answer.
    pub answer: Option<Answer>,
}

/// The state of one node in a study.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// A verified answer is here.
    Answered,
    /// The node said no; asking again would not help.
    Refused,
    /// It could not be reached; it is asked again until the deadline.
    Unreachable,
    /// It has not answered yet.
    Pending,
    /// Its answer waits for a steward there; it is asked again until that is decided.
    InReview,
}

/// A remark on a study for its reader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Note {
    /// For machines, such as `tail_cut`.
    pub code: String,
    /// For people.
    pub text: String,
}

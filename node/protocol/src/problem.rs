//! Refusals as one closed list that both sides speak (RFC 9457, `application/problem+json`).

use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A refusal: what was refused and what to do. Never says anything about rows, counts or internals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, thiserror::Error)]
#[error("{title}: {detail}")]
pub struct Problem {
    /// Which refusal it is, as a URN.
    #[serde(rename = "type")]
    pub kind: ProblemKind,
    /// What it means, the same for every occurrence.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// This occurrence: what is wrong, where, and what to do next.
    pub detail: String,
    /// The field of the request that is wrong.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub field: Option<String>,
    /// Seconds after which asking again makes sense.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub retry_after_s: Option<u32>,
}

macro_rules! problems {
    ($($(#[doc = $doc:literal])+ $name:ident = $urn:literal, $status:literal, $title:literal;)+) => {
        /// The closed list of refusals.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ProblemKind { $($(#[doc = $doc])+ $name,)+ }

        impl ProblemKind {
            /// Every refusal.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The URN on the wire.
            #[must_use]
            pub fn urn(self) -> &'static str {
                match self { $(Self::$name => concat!("urn:alianza:problem:", $urn),)+ }
            }

            /// HTTP status.
            #[must_use]
            pub fn status(self) -> u16 {
                match self { $(Self::$name => $status,)+ }
            }

            /// What it means.
            #[must_use]
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)+ }
            }
        }
    };
}

problems! {
    /// The certificate's key is in no membership entry.
    UnknownPeer = "unknown-peer", 401, "The certificate belongs to no member of the alliance";
    /// The certificate names a member but carries another key.
    PeerKeyMismatch = "peer-key-mismatch", 401, "The certificate names a member but its key is not that member's";
    /// The node's membership was revoked.
    NodeRevoked = "node-revoked", 403, "This node's membership is revoked";
    /// The membership file has expired.
    MembershipExpired = "membership-expired", 503, "The membership file has expired";
    /// The membership file is not validly signed or contradicts itself.
    MembershipInvalid = "membership-invalid", 400, "The membership file is not valid";
    /// The membership file is older than the one in force.
    MembershipOld = "membership-old", 409, "The membership file is older than the one in force";
    /// There is no token, it is malformed, or its signature is wrong.
    TokenInvalid = "token-invalid", 401, "The request token is missing or not valid";
    /// The token is past its time, or its lifetime is longer than allowed.
    TokenExpired = "token-expired", 401, "The request token has expired";
    /// The token was issued by another node than the one that presents it.
    TokenIssuer = "token-issuer", 401, "The request token was issued by another node";
    /// The token is addressed to another node.
    TokenAudience = "token-audience", 401, "The request token is addressed to another node";
    /// The token is bound to another certificate.
    TokenNotBound = "token-not-bound", 401, "The request token is bound to another certificate";
    /// The token was used before.
    TokenReplayed = "token-replayed", 409, "The request token was used before";
    /// The token was issued for another query.
    QueryAltered = "query-altered", 401, "The query is not the one that the request token was issued for";
    /// The body is not what the endpoint takes.
    BodyInvalid = "body-invalid", 400, "The request body is not valid";
    /// The body is too large.
    BodyTooLarge = "body-too-large", 413, "The request body is too large";
    /// The query breaks a rule of the dictionary or of the protocol.
    QueryInvalid = "query-invalid", 422, "The query is not valid";
    /// The node's dictionary version is another.
    DictionaryUnsupported = "dictionary-unsupported", 422, "This node does not answer that dictionary version";
    /// The query would give more cells than allowed.
    TooManyCells = "too-many-cells", 422, "The query asks for too many cells";
    /// The role may not do that.
    RoleForbidden = "role-forbidden", 403, "This role may not do that";
    /// The project is not approved at this node.
    ProjectNotApproved = "project-not-approved", 403, "The project is not approved at this node";
    /// The statistic or table is not permitted under that project, or outside one.
    NotPermitted = "not-permitted", 403, "This node's policy does not permit the query";
    /// The project's document is not well formed, or asks for more than can be granted.
    ProjectInvalid = "project-invalid", 422, "The project is not valid";
    /// The project exists with another content.
    ProjectConflict = "project-conflict", 409, "There is another project of that name";
    /// The person, or the project, has asked as often as the node allows.
    QuotaExceeded = "quota-exceeded", 429, "The quota is spent for now";
    /// As many different queries were answered with noise as the node allows.
    NoiseSpent = "noise-spent", 429, "As many different queries were answered with noise as this node allows for now";
    /// The project's or the node's privacy budget does not suffice.
    BudgetSpent = "budget-spent", 429, "The privacy budget does not suffice";
    /// With what was released before, the exact answer would tell a number that is hidden.
    WouldDisclose = "would-disclose", 403, "The answer would disclose a hidden number together with earlier ones";
    /// The audit with everything that was released before would take more work than the node does.
    AuditTooLarge = "audit-too-large", 403, "The answer cannot be audited with all that was released before";
    /// The answer waits for a steward.
    ReviewPending = "review-pending", 202, "The answer waits for a steward's review";
    /// A steward has refused the answer.
    ReviewRefused = "review-refused", 403, "A steward has refused to release the answer";
    /// A second person must decide.
    FourEyes = "four-eyes", 403, "A second person must decide";
    /// It was decided before.
    AlreadyDecided = "already-decided", 409, "It was decided before";
    /// The study was already answered for another query.
    StudyConflict = "study-conflict", 409, "The study was already asked with another query";
    /// The node has published nothing.
    NoSnapshot = "no-snapshot", 503, "This node has published no data yet";
    /// The node is working at its limit.
    Busy = "busy", 503, "The node is busy";
    /// What is named does not exist.
    NotFound = "not-found", 404, "Not found";
    /// The method is not offered.
    MethodNotAllowed = "method-not-allowed", 405, "The method is not offered there";
    /// The person's token is missing or wrong.
    SignInRequired = "sign-in-required", 401, "A valid access token is needed";
    /// The node could not do it; the reason is in its log.
    Internal = "internal", 500, "The node could not complete the request";
    /// Nothing answers at the peer's address.
    PeerUnreachable = "peer-unreachable", 504, "The node could not be reached";
    /// What answers at the peer's address is not the peer.
    PeerNotAuthentic = "peer-not-authentic", 502, "What answers at that address does not hold the node's key";
    /// The peer's answer is not signed by the peer, or not well formed.
    AnswerInvalid = "answer-invalid", 502, "The answer is not validly signed by that node";
    /// The answer is to another query, of another study or by another node.
    AnswerMismatch = "answer-mismatch", 502, "The answer is not to the query that was asked";
}

impl ProblemKind {
    /// This refusal with what happened here.
    #[must_use]
    pub fn because(self, detail: impl Into<String>) -> Problem {
        Problem {
            kind: self,
            title: self.title().to_owned(),
            status: self.status(),
            detail: detail.into(),
            field: None,
            retry_after_s: None,
        }
    }

    /// This refusal of one field.
    #[must_use]
    pub fn at(self, field: impl Into<String>, detail: impl Into<String>) -> Problem {
        Problem { field: Some(field.into()), ..self.because(detail) }
    }
}

/// The text is no URN of a refusal.
#[derive(Debug, thiserror::Error)]
#[error("not a problem of this protocol")]
pub struct ProblemKindError;

impl FromStr for ProblemKind {
    type Err = ProblemKindError;

    fn from_str(text: &str) -> Result<Self, ProblemKindError> {
        Self::ALL.iter().copied().find(|kind| kind.urn() == text).ok_or(ProblemKindError)
    }
}

impl Serialize for ProblemKind {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.urn())
    }
}

impl<'de> Deserialize<'de> for ProblemKind {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for ProblemKind {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ProblemKind".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let urns: Vec<_> = Self::ALL.iter().map(|kind| kind.urn()).collect();
        json_schema!({ "type": "string", "enum": urns })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_survives_the_wire() {
        for kind in ProblemKind::ALL {
            let problem = kind.at("where", "detail");
            let text = serde_json::to_string(&problem).unwrap();
            assert_eq!(serde_json::from_str::<Problem>(&text).unwrap(), problem);
        }
        assert!("urn:alianza:problem:".parse::<ProblemKind>().is_err());
    }
}

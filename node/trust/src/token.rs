//! Request tokens: a JWT that binds a person's pseudonym, a role and one query to one TLS certificate for two minutes.

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use node_domain::{digest::Digest, node_id::NodeId};
use node_protocol::{
    problem::{Problem, ProblemKind},
    study::StudyId,
};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::{
    identity::facts,
    keys::SigningKey,
    membership::Member,
    roster::{Recognised, Roster},
};

/// The longest life of a token, seconds.
pub const MAX_LIFE_S: i64 = 120;
/// How far the clocks of two nodes may differ, seconds.
const SKEW_S: i64 = 30;

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// The asking node.
    pub iss: NodeId,
    /// The answering node.
    pub aud: NodeId,
    /// Pseudonym of the person, by project.
    pub sub: String,
    /// Role of the person at the asking node.
    pub role: String,
    /// The study.
    pub study: StudyId,
    /// Hash of the query's canonical JSON.
    pub query_hash: Digest,
    /// Issued at, seconds.
    pub iat: i64,
    /// Expires at, seconds.
    pub exp: i64,
    /// Unique per token.
    pub jti: String,
    /// What the token is bound to.
    pub cnf: Confirmation,
}

/// The certificate that a token is bound to (RFC 8705).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    /// Hash of the TLS certificate of the asking node.
    #[serde(rename = "x5t#S256")]
    pub thumbprint: Digest,
}

/// A peer whose key was recognised on this very connection. Made only by [`recognise`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    node: NodeId,
    thumbprint: Digest,
}

/// A peer with a valid token for one query. Made only by [`identify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    claims: Claims,
}

impl Peer {
    /// Its identity.
    #[must_use]
    pub fn node(&self) -> &NodeId {
        &self.node
    }
}

impl Caller {
    /// The asking node.
    #[must_use]
    pub fn node(&self) -> &NodeId {
        &self.claims.iss
    }

    /// What its token says.
    #[must_use]
    pub fn claims(&self) -> &Claims {
        &self.claims
    }
}

/// Signs a token.
///
/// # Errors
/// Never for a key made by this crate; the type is that of the JWT library.
pub fn issue(claims: &Claims, key: &SigningKey) -> Result<String, jsonwebtoken::errors::Error> {
    encode(&Header::new(Algorithm::EdDSA), claims, &EncodingKey::from_ed_der(key.pkcs8()))
}

/// Recognises the peer behind a connection by its certificate, at every request anew.
///
/// # Errors
/// Unknown or revoked keys, and an expired membership.
pub fn recognise(certificate: &[u8], roster: &Roster, now: DateTime<Utc>) -> Result<Peer, Problem> {
    roster.in_time(now)?;
    let unknown = || ProblemKind::UnknownPeer.because("the TLS key is in no entry of the membership file");
    let facts = facts(certificate).map_err(|_| unknown())?;
    match roster.recognise(&facts.pin) {
        Recognised::Active(Member { node, .. }) => Ok(Peer { node: node.clone(), thumbprint: facts.thumbprint }),
        Recognised::Revoked(_) => Err(ProblemKind::NodeRevoked.because("ask the committee of the alliance")),
        Recognised::Stranger => Err(unknown()),
    }
}

/// Checks a token against the peer that presents it and the query that it came with. Whether it was used before is for `store`
/// to say.
///
/// # Errors
/// A problem of its own for each thing that does not fit.
pub fn identify(
    peer: &Peer,
    token: &str,
    own: &NodeId,
    study: &StudyId,
    query_hash: &Digest,
    roster: &Roster,
    now: DateTime<Utc>,
) -> Result<Caller, Problem> {
    let invalid = |why: &str| ProblemKind::TokenInvalid.because(why);
    let member = roster.member(&peer.node).ok_or_else(|| invalid("the issuer is no member"))?;
    let mut validation = Validation::new(Algorithm::EdDSA);
    // time, audience and issuer are checked below, against our clock and with a refusal of their own
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    let key = DecodingKey::from_ed_der(member.signing_key.as_bytes());
    let claims = decode::<Claims>(token, &key, &validation)
        .map_err(|_| invalid("its form is wrong or it is not signed by the node that presents it"))?
        .claims;
    if claims.iss != peer.node {
        return Err(ProblemKind::TokenIssuer.because("the issuer is not the node whose certificate was shown"));
    }
    if claims.aud != *own {
        return Err(ProblemKind::TokenAudience.because("ask that node, or this one with a token of its own"));
    }
    let seconds = now.timestamp();
    let life = claims.exp.saturating_sub(claims.iat);
    if claims.exp <= seconds || claims.iat > seconds + SKEW_S || !(0..=MAX_LIFE_S).contains(&life) {
        let detail = format!("tokens live at most {MAX_LIFE_S} s; compare the clocks of the two nodes");
        return Err(ProblemKind::TokenExpired.because(detail));
    }
    if claims.jti.is_empty() || claims.jti.len() > 64 || claims.sub.is_empty() || claims.sub.len() > 128 {
        return Err(invalid("its identifier or subject is empty or too long"));
    }
    if !bool::from(claims.cnf.thumbprint.as_bytes().ct_eq(peer.thumbprint.as_bytes())) {
        return Err(ProblemKind::TokenNotBound.because("it was issued for another certificate than the one shown"));
    }
    if claims.query_hash != *query_hash || claims.study != *study {
        return Err(ProblemKind::QueryAltered.because("query or study differ from what the token was issued for"));
    }
    Ok(Caller { claims })
}

impl Claims {
    /// When the token's identifier may be forgotten.
    #[must_use]
    pub fn forget_after(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(self.exp, 0).unwrap_or(DateTime::<Utc>::MAX_UTC) + TimeDelta::seconds(SKEW_S)
    }
}

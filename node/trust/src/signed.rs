//! Signed answers: JWS (compact, EdDSA) over canonical JSON, made on one side and verified on the other or years later.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use node_domain::{digest::Digest, node_id::NodeId};
use node_protocol::{
    canonical::{self, CanonicalError},
    envelope::AnswerStatement,
    outgoing::Outgoing,
    problem::{Problem, ProblemKind},
    study::StudyId,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{keys::SigningKey, membership::Member, roster::Roster};

/// What a signed text says: its type stands in the header, so that no statement passes for one of another kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An answer to a query.
    Answer,
    /// A project as proposed.
    Project,
    /// A project taken back by its proposer.
    Withdrawal,
    /// Where a project stands at a node.
    ProjectStatus,
    /// The policy of a node.
    Policy,
}

impl Kind {
    fn header(self) -> &'static str {
        match self {
            Self::Answer => "alianza-answer+jws",
            Self::Project => "alianza-project+jws",
            Self::Withdrawal => "alianza-withdrawal+jws",
            Self::ProjectStatus => "alianza-project-status+jws",
            Self::Policy => "alianza-policy+jws",
        }
    }
}

/// The longest signed answer that is read, bytes.
pub const MAX_SIGNED: usize = 8 << 20;

/// A signed statement in compact form. Made only by [`sign`], from a value that may leave.
///
/// ```compile_fail,E0277
/// # fn key() -> node_trust::keys::SigningKey { node_trust::keys::SigningKey::generate().unwrap() }
/// // a number that disclosure control has not released cannot be signed
/// node_trust::signed::sign(&7_u64, node_trust::signed::Kind::Answer, &"mx".parse().unwrap(), &key());
/// ```
/// ```compile_fail,E0451
/// let forged = node_trust::signed::Signed { compact: String::new() };
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    compact: String,
}

/// A statement whose signature and sender were checked. Made only by [`verify`] and [`verify_offline`].
#[derive(Debug, Clone, PartialEq)]
pub struct Verified {
    statement: AnswerStatement,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    kid: NodeId,
    typ: String,
}

impl Signed {
    /// The text to be sent and kept.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.compact
    }

    /// The text, taken out.
    #[must_use]
    pub fn into_string(self) -> String {
        self.compact
    }
}

impl Verified {
    /// The statement.
    #[must_use]
    pub fn statement(&self) -> &AnswerStatement {
        &self.statement
    }

    /// The statement, taken out.
    #[must_use]
    pub fn into_statement(self) -> AnswerStatement {
        self.statement
    }
}

/// Signs a statement that may leave.
///
/// # Errors
/// Where it has no canonical form, for instance because a number is not finite.
pub fn sign<T: Outgoing>(statement: &T, kind: Kind, node: &NodeId, key: &SigningKey) -> Result<Signed, CanonicalError> {
    let header = Header { alg: "EdDSA".to_owned(), kid: node.clone(), typ: kind.header().to_owned() };
    let encode = |bytes: Vec<u8>| URL_SAFE_NO_PAD.encode(bytes);
    let content = format!("{}.{}", encode(canonical::bytes(&header)?), encode(canonical::bytes(statement)?));
    let signature = encode(key.sign(content.as_bytes()));
    Ok(Signed { compact: format!("{content}.{signature}") })
}

/// Verifies the answer of `node` to one query of one study.
///
/// # Errors
/// [`ProblemKind::AnswerInvalid`] for a wrong form or signature, [`ProblemKind::AnswerMismatch`] for an answer to something else.
pub fn verify(
    compact: &str,
    node: &NodeId,
    study: &StudyId,
    query_hash: &Digest,
    roster: &Roster,
) -> Result<Verified, Problem> {
    let (signer, verified) = open(compact, roster)?;
    let statement = &verified.statement;
    let mismatch = |what: &str| Err(ProblemKind::AnswerMismatch.because(what));
    if signer.node != *node {
        return mismatch("it is another node's");
    }
    if statement.study != *study {
        return mismatch("it belongs to another study");
    }
    if statement.query_hash != *query_hash {
        return mismatch("it answers another query");
    }
    Ok(verified)
}

/// Verifies a kept answer against a membership, without asking anybody.
///
/// # Errors
/// [`ProblemKind::AnswerInvalid`] with what is wrong.
pub fn verify_offline(compact: &str, roster: &Roster) -> Result<Verified, Problem> {
    open(compact, roster).map(|(_, verified)| verified)
}

/// The statement of some kind that `node` has signed.
///
/// # Errors
/// [`ProblemKind::AnswerInvalid`] with what is wrong, also where another member signed it.
pub fn verify_statement<T: DeserializeOwned>(
    compact: &str,
    kind: Kind,
    node: &NodeId,
    roster: &Roster,
) -> Result<T, Problem> {
    let (signer, statement) = open_as(compact, kind, roster)?;
    if signer.node != *node {
        return Err(ProblemKind::AnswerInvalid.because("it is signed by another node"));
    }
    Ok(statement)
}

/// The content of a statement that was verified when it came and has been in this node's own keeping since.
///
/// # Errors
/// [`ProblemKind::AnswerInvalid`] where it is none.
pub fn read_kept_statement<T: DeserializeOwned>(compact: &str) -> Result<T, Problem> {
    let invalid = || ProblemKind::AnswerInvalid.because("the kept statement is damaged");
    let payload = compact.split('.').nth(1).ok_or_else(invalid)?;
    let bytes = URL_SAFE_NO_PAD.decode(payload).map_err(|_| invalid())?;
    serde_json::from_slice(&bytes).map_err(|_| invalid())
}

/// The content of an answer that was verified when it came and has been in this node's own keeping since.
///
/// # Errors
/// [`ProblemKind::AnswerInvalid`] where it is no answer.
pub fn read_kept(compact: &str) -> Result<AnswerStatement, Problem> {
    read_kept_statement(compact)
}

fn open<'r>(compact: &str, roster: &'r Roster) -> Result<(&'r Member, Verified), Problem> {
    let (member, statement): (_, AnswerStatement) = open_as(compact, Kind::Answer, roster)?;
    if statement.node != member.node {
        return Err(ProblemKind::AnswerInvalid.because("it speaks for another node than its signer"));
    }
    Ok((member, Verified { statement }))
}

fn open_as<'r, T: DeserializeOwned>(compact: &str, kind: Kind, roster: &'r Roster) -> Result<(&'r Member, T), Problem> {
    let invalid = |what: &str| ProblemKind::AnswerInvalid.because(what);
    if compact.len() > MAX_SIGNED {
        return Err(invalid("it is longer than any answer"));
    }
    let (content, signature) = compact.trim_end().rsplit_once('.').ok_or_else(|| invalid("it is not a JWS"))?;
    let (header, payload) = content.split_once('.').ok_or_else(|| invalid("it is not a JWS"))?;
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| invalid("it is not a JWS"));
    let header: Header = serde_json::from_slice(&decode(header)?).map_err(|_| invalid("its header is not ours"))?;
    if header.alg != "EdDSA" || header.typ != kind.header() {
        return Err(invalid("its header is not ours"));
    }
    let member = roster.member(&header.kid).ok_or_else(|| invalid("its signer is no member"))?;
    if !member.signing_key.verifies(content.as_bytes(), &decode(signature)?) {
        return Err(invalid("the signature is wrong: it was altered, or signed with another key"));
    }
    let statement = serde_json::from_slice(&decode(payload)?).map_err(|_| invalid("its content is not of its kind"))?;
    Ok((member, statement))
}

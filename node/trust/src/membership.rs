//! The membership file: who belongs to the alliance and with which keys, signed by m of n committee keys.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use node_domain::{digest::Digest, language::Text, node_id::NodeId};
use node_protocol::canonical::{self, CanonicalError};
use serde::{Deserialize, Serialize};

use crate::keys::{PublicKey, SigningKey};

/// Put before the signed bytes, so that a signature of a membership is never one of anything else.
const DOMAIN: &[u8] = b"alianza membership 1\n";

/// The most members of the committee.
const MAX_COMMITTEE: usize = 64;

/// The most nodes of a membership.
const MAX_NODES: usize = 256;

/// The file: a membership and the committee's signatures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MembershipFile {
    /// What is signed.
    pub membership: Membership,
    /// Signatures over its canonical JSON.
    pub signatures: Vec<CommitteeSignature>,
}

/// Who belongs to the alliance from an epoch on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Membership {
    /// Grows by at least one with every change.
    pub epoch: u64,
    /// After this moment the file is void.
    pub expires: DateTime<Utc>,
    /// Who may sign the next epoch.
    pub committee: Committee,
    /// The nodes.
    pub nodes: Vec<Member>,
}

/// The plural organising committee.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Committee {
    /// How many must sign.
    pub threshold: usize,
    /// Who may sign.
    pub keys: Vec<PublicKey>,
}

/// One node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// Identity.
    pub node: NodeId,
    /// Country, ISO 3166-1 alpha-2.
    pub country: String,
    /// Name of the country in three languages.
    pub names: Text,
    /// The institute that runs it.
    pub operator: String,
    /// Base URL of its peer port.
    pub url: String,
    /// Hashes of the public keys (SubjectPublicKeyInfo) that its TLS certificates may carry; two during a change of keys.
    pub tls_pins: Vec<Digest>,
    /// Key of its answers and tokens.
    pub signing_key: PublicKey,
    /// Whether it may speak.
    pub status: MemberStatus,
}

/// Whether a node may speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MemberStatus {
    /// It may.
    Active,
    /// It may not; its keys are kept so that it is recognised.
    Revoked,
}

/// A signature by one committee key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommitteeSignature {
    /// The key.
    pub key: PublicKey,
    /// The signature, base64url.
    pub signature: String,
}

/// Why a membership file is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum MembershipError {
    /// Not the JSON of a membership file.
    #[error("the membership file cannot be read: {0}")]
    Form(String),
    /// Contradicts itself.
    #[error("the membership file contradicts itself: {0}")]
    Contradiction(String),
    /// Too few signatures by trusted keys.
    #[error("the membership file carries {found} valid signatures of the committee; {needed} are needed")]
    Signatures {
        /// Valid ones.
        found: usize,
        /// Needed ones.
        needed: usize,
    },
    /// Past its time.
    #[error("the membership file expired on {0}: ask the committee for the next epoch")]
    Expired(DateTime<Utc>),
    /// Not newer than the one in force.
    #[error("the membership file has epoch {offered}, in force is epoch {in_force}: nothing was changed")]
    Old {
        /// Epoch of the file.
        offered: u64,
        /// Epoch in force.
        in_force: u64,
    },
}

impl From<CanonicalError> for MembershipError {
    fn from(error: CanonicalError) -> Self {
        Self::Form(error.to_string())
    }
}

impl MembershipFile {
    /// Parses a file without judging it.
    ///
    /// # Errors
    /// Where it is not the JSON of a membership file.
    pub fn parse(json: &[u8]) -> Result<Self, MembershipError> {
        serde_json::from_slice(json).map_err(|error| MembershipError::Form(error.to_string()))
    }

    /// Adds the signature of `key`, replacing an earlier one.
    ///
    /// # Errors
    /// Where the key is not one of the committee's.
    pub fn sign(&mut self, key: &SigningKey) -> Result<(), MembershipError> {
        let public = key.public();
        if !self.membership.committee.keys.contains(&public) {
            return Err(MembershipError::Contradiction("the signing key is not in the file's committee".to_owned()));
        }
        let signature = URL_SAFE_NO_PAD.encode(key.sign(&self.membership.signed_bytes()?));
        self.signatures.retain(|known| known.key != public);
        self.signatures.push(CommitteeSignature { key: public, signature });
        Ok(())
    }

    /// Whether enough keys of `committee` signed it, it is consistent and not expired.
    ///
    /// # Errors
    /// Says which of these fails.
    pub fn check(&self, committee: &Committee, now: DateTime<Utc>) -> Result<(), MembershipError> {
        self.check_past(committee)?;
        if now >= self.membership.expires {
            return Err(MembershipError::Expired(self.membership.expires));
        }
        Ok(())
    }

    /// As [`Self::check`] for an earlier epoch, whose time may be over.
    ///
    /// # Errors
    /// Says what fails.
    pub fn check_past(&self, committee: &Committee) -> Result<(), MembershipError> {
        self.membership.check()?;
        if self.signatures.len() > MAX_COMMITTEE {
            return Err(MembershipError::Contradiction(format!("more than {MAX_COMMITTEE} signatures")));
        }
        let bytes = self.membership.signed_bytes()?;
        let signers: BTreeSet<PublicKey> = self
            .signatures
            .iter()
            .filter(|signature| committee.keys.contains(&signature.key))
            .filter(|signature| {
                URL_SAFE_NO_PAD.decode(&signature.signature).is_ok_and(|bits| signature.key.verifies(&bytes, &bits))
            })
            .map(|signature| signature.key)
            .collect();
        let (found, needed) = (signers.len(), committee.threshold.max(1));
        if found < needed { Err(MembershipError::Signatures { found, needed }) } else { Ok(()) }
    }
}

impl Membership {
    fn signed_bytes(&self) -> Result<Vec<u8>, CanonicalError> {
        Ok([DOMAIN, &canonical::bytes(self)?].concat())
    }

    fn check(&self) -> Result<(), MembershipError> {
        let bad = |what: String| Err(MembershipError::Contradiction(what));
        self.committee.check()?;
        if self.nodes.is_empty() || self.nodes.len() > MAX_NODES {
            return bad(format!("a membership has 1 to {MAX_NODES} nodes"));
        }
        let mut pins: BTreeMap<Digest, &NodeId> = BTreeMap::new();
        let (mut names, mut keys) = (BTreeSet::new(), BTreeSet::new());
        for member in &self.nodes {
            let node = &member.node;
            if !names.insert(node) {
                return bad(format!("node {node} stands twice"));
            }
            if !keys.insert(member.signing_key) {
                return bad(format!("the signing key of {node} is another node's too"));
            }
            if member.tls_pins.is_empty() || member.tls_pins.len() > 2 {
                return bad(format!("node {node} has {} TLS pins; one or two are allowed", member.tls_pins.len()));
            }
            if !member.url.starts_with("https://") {
                return bad(format!("the URL of {node} does not start with https://"));
            }
            for pin in &member.tls_pins {
                if pins.insert(*pin, node).is_some_and(|other| other != node) {
                    return bad(format!("a TLS pin of {node} is another node's too"));
                }
            }
        }
        Ok(())
    }
}

impl Committee {
    /// The fingerprint that people compare before they trust a committee.
    ///
    /// # Errors
    /// Never for a parsed committee; the type is that of canonical JSON.
    pub fn fingerprint(&self) -> Result<String, CanonicalError> {
        let mut keys = self.keys.clone();
        keys.sort_unstable();
        Ok(crate::keys::fingerprint(canonical::digest(&Self { threshold: self.threshold, keys })?))
    }

    fn check(&self) -> Result<(), MembershipError> {
        let distinct = self.keys.iter().collect::<BTreeSet<_>>().len();
        if self.threshold == 0 || self.threshold > distinct || distinct != self.keys.len() || distinct > MAX_COMMITTEE {
            let what = format!("{} of {distinct} distinct committee keys cannot sign", self.threshold);
            return Err(MembershipError::Contradiction(what));
        }
        Ok(())
    }
}

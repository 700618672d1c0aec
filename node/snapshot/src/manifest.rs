//! The manifest of a snapshot: what it holds, from which batches, with a hash of every file.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use node_domain::{dictionary::Unit, digest::Digest};
use serde::{Deserialize, Serialize};

/// The manifest. Its hash is the snapshot's identity, so it holds no time and nothing that two publications of the same data
/// would disagree on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of this format.
    pub format: u32,
    /// Dictionary version of the tables.
    pub dictionary: String,
    /// What the tables were derived from.
    pub provenance: Provenance,
    /// Tables by name.
    pub tables: BTreeMap<String, TableEntry>,
}

/// What a snapshot was derived from, and what was left out of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// Batches in force, in order.
    pub batches: Vec<Digest>,
    /// The latest day on which files were taken from their source.
    pub extracted_on: Option<NaiveDate>,
    /// Version of ICCC-3 by which tumours were classified.
    pub iccc_version: String,
    /// Rows of persons who object, which are in no table.
    pub objected: u64,
    /// Rows, by collection, that belong to a row which is not there.
    pub waiting: BTreeMap<String, u64>,
    /// By quality rule what was found; rules that found nothing are not listed.
    pub rules: BTreeMap<String, RuleCount>,
}

/// What a quality rule found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleCount {
    /// Rows in the registry that break it (or years, for rules on the registry as a whole).
    pub found: u64,
    /// Rows held back at load because of it.
    pub held: u64,
}

/// One table of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableEntry {
    /// File name inside the snapshot's folder.
    pub file: String,
    /// Number of rows.
    pub rows: u64,
    /// Whom its cells must protect.
    pub unit_of_privacy: Unit,
    /// Number of persons, or hospitals, that its rows are about; rows, where it is about nobody.
    pub units: u64,
    /// Hash of the file.
    pub sha256: Digest,
}

impl Manifest {
    /// The bytes that are stored and hashed.
    ///
    /// # Errors
    /// Never for this type; the signature is serde's.
    pub fn bytes(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec_pretty(self)
    }
}

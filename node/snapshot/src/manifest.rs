//! The manifest of a snapshot: what it holds, from which batches, with a hash of every file.

use std::collections::BTreeMap;

use node_domain::digest::Digest;
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
    /// Batches that the snapshot was derived from, in order.
    pub batches: Vec<Digest>,
    /// Tables by name.
    pub tables: BTreeMap<String, TableEntry>,
}

/// One table of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableEntry {
    /// File name inside the snapshot's folder.
    pub file: String,
    /// Number of rows.
    pub rows: u64,
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

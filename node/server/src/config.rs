//! The node's configuration: one file, every field known, read before a port is bound.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use node_domain::node_id::NodeId;
use node_ingest::derive::index_cancer::Decisions;
use node_policy::policy::{Policy, PolicyError};
use serde::Deserialize;

/// `node.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// This node's identity in the membership file.
    pub node: NodeId,
    /// The port for peers.
    pub peer: PeerPort,
    /// The port for this institute's people.
    pub people: PeoplePort,
    /// Where things are kept; relative to the folder of `node.toml`.
    #[serde(default)]
    pub files: Files,
    /// Bounds.
    #[serde(default)]
    pub limits: Limits,
    /// How studies are asked.
    #[serde(default)]
    pub study: StudyTiming,
    /// What the alliance has yet to decide about index cancers.
    #[serde(default)]
    pub classification: Decisions,
    /// How many snapshots are kept.
    #[serde(default)]
    pub snapshots: Snapshots,
}

/// How many snapshots are kept.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Snapshots {
    /// The newest that stay when `alianza snapshot prune` is run, beside the pinned ones and the one in force.
    pub keep: usize,
}

impl Default for Snapshots {
    fn default() -> Self {
        Self { keep: 12 }
    }
}

/// The port for peers: mutual TLS.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerPort {
    /// Address to listen on.
    pub listen: SocketAddr,
    /// URL by which peers reach it; stands in the membership file.
    pub url: String,
}

/// The port for people: TLS and access tokens.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeoplePort {
    /// Address to listen on.
    pub listen: SocketAddr,
}

/// Where things are kept.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Files {
    /// The steward's policy.
    pub policy: PathBuf,
    /// Folder of private keys.
    pub keys: PathBuf,
    /// Access tokens of people, as hashes.
    pub tokens: PathBuf,
    /// Batches and snapshots.
    pub data: PathBuf,
    /// Audit, studies, answers given.
    pub database: PathBuf,
}

/// Bounds.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Answers made at once; beyond, the node says that it is busy.
    pub answers_at_once: usize,
    /// Threads per port.
    pub threads: usize,
    /// Connections per thread.
    pub connections: usize,
}

/// How studies are asked.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StudyTiming {
    /// One attempt at one node, milliseconds.
    pub attempt_timeout_ms: u64,
    /// Pause before missing nodes are asked again, milliseconds; doubled each round up to a minute.
    pub first_pause_ms: u64,
    /// Until when missing nodes are asked again, hours.
    pub deadline_h: u32,
    /// Pause between two exchanges of audit heads and membership with all peers, seconds.
    pub gossip_s: u64,
}

impl Default for Files {
    fn default() -> Self {
        Self {
            policy: "policy.toml".into(),
            keys: "keys".into(),
            tokens: "tokens.toml".into(),
            data: "data".into(),
            database: "node.db".into(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { answers_at_once: 32, threads: 2, connections: 512 }
    }
}

impl Default for StudyTiming {
    fn default() -> Self {
        Self { attempt_timeout_ms: 30_000, first_pause_ms: 1_000, deadline_h: 24, gossip_s: 60 }
    }
}

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file system.
    #[error("{}: cannot be read; `alianza init` makes a node's folder", path.display())]
    Read {
        /// File.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Not TOML, or an unknown or missing key.
    #[error("{}: {what}", path.display())]
    Form {
        /// File.
        path: PathBuf,
        /// What is wrong, with line and column.
        what: String,
    },
    /// A value that cannot work.
    #[error("{}: {key}: {what}", path.display())]
    Value {
        /// File.
        path: PathBuf,
        /// Key.
        key: &'static str,
        /// What is wrong.
        what: &'static str,
    },
    /// The policy.
    #[error("{}", path.display())]
    Policy {
        /// File.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: PolicyError,
    },
}

fn read(path: &Path) -> Result<String, ConfigError> {
    fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })
}

/// A node's folder with its configuration and policy, both checked.
#[derive(Debug, Clone)]
pub struct Home {
    /// The folder.
    pub folder: PathBuf,
    /// `node.toml`.
    pub config: Config,
    /// The policy of its file; a node that starts takes it into force.
    pub policy: Policy,
}

impl Home {
    /// Reads `node.toml` and the policy of a node's folder.
    ///
    /// # Errors
    /// Names the file and the key that is wrong.
    pub fn open(folder: &Path) -> Result<Self, ConfigError> {
        let path = folder.join("node.toml");
        let config = Config::parse(&read(&path)?, &path)?;
        let path = folder.join(&config.files.policy);
        let policy = Policy::parse(&read(&path)?).map_err(|source| ConfigError::Policy { path, source })?;
        Ok(Self { folder: folder.to_owned(), config, policy })
    }

    /// Folder of batches and snapshots.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.join(&self.config.files.data)
    }

    /// Folder of snapshots.
    #[must_use]
    pub fn snapshots(&self) -> PathBuf {
        self.data().join("snapshots")
    }

    /// Folder of private keys.
    #[must_use]
    pub fn keys(&self) -> PathBuf {
        self.folder.join(&self.config.files.keys)
    }

    /// File of access tokens.
    #[must_use]
    pub fn tokens(&self) -> PathBuf {
        self.folder.join(&self.config.files.tokens)
    }

    /// The database.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.folder.join(&self.config.files.database)
    }
}

impl Config {
    /// Parses `node.toml`; `path` is for messages.
    ///
    /// # Errors
    /// Names the key that is unknown, missing or cannot work.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text)
            .map_err(|error| ConfigError::Form { path: path.to_owned(), what: error.to_string() })?;
        let bad = |key, what| Err(ConfigError::Value { path: path.to_owned(), key, what });
        if !config.peer.url.starts_with("https://") || config.peer.url.ends_with('/') {
            return bad("peer.url", "write https://host:port without a slash at the end");
        }
        if config.limits.answers_at_once == 0 || config.limits.threads == 0 || config.limits.connections == 0 {
            return bad("limits", "every limit is at least 1");
        }
        if config.study.attempt_timeout_ms == 0 || config.study.first_pause_ms == 0 || config.study.gossip_s == 0 {
            return bad("study", "every time is at least 1");
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHIPPED: &str = include_str!("../../../config/node.toml");

    #[test]
    fn the_sample_file_parses_and_names_every_field() {
        Config::parse(SHIPPED, Path::new("node.toml")).unwrap();
        for field in [
            "node",
            "listen",
            "url",
            "policy",
            "keys",
            "tokens",
            "data",
            "database",
            "answers_at_once",
            "threads",
            "connections",
            "attempt_timeout_ms",
            "first_pause_ms",
            "deadline_h",
            "gossip_s",
            "low_grade_glioma",
            "burkitt_leukaemia",
            "keep",
        ] {
            assert!(SHIPPED.lines().any(|line| line.starts_with(&format!("{field} ="))), "{field}");
        }
    }

    #[test]
    fn unknown_keys_and_impossible_values_are_named() {
        let error = |text: &str| Config::parse(text, Path::new("node.toml")).unwrap_err().to_string();
        assert!(error(&SHIPPED.replace("threads =", "treads =")).contains("treads"));
        assert!(error(&SHIPPED.replace("threads = 2", "threads = 0")).contains("limits"));
        assert!(error(&SHIPPED.replace("url = \"https://", "url = \"http://")).contains("peer.url"));
        assert!(error(&SHIPPED.replace("node = \"mx\"", "node = \"MX\"")).contains("lower-case"));
    }
}

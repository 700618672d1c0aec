//! The audit chain: append-only, each entry naming the hash of the one before, so that no past entry can be changed unseen.

use chrono::{DateTime, Utc};
use node_domain::{digest::Digest, node_id::NodeId};
use node_protocol::{canonical, envelope::AuditHead, study::StudyId};
use serde::{Deserialize, Serialize};
use sqlx::{Row, Sqlite, Transaction};

use crate::{Store, StoreError};

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Event {
    /// The node started to serve.
    Started {
        /// Hash of the policy in force.
        policy_hash: Digest,
        /// Membership epoch.
        epoch: u64,
        /// Snapshot in force.
        snapshot: Option<Digest>,
    },
    /// A peer got an answer.
    AnswerGiven {
        /// The peer.
        peer: NodeId,
        /// Pseudonym of its researcher.
        subject: String,
        /// The study.
        study: StudyId,
        /// Hash of the query.
        query_hash: Digest,
        /// The query's canonical JSON: auditors must be able to read what was asked.
        query: String,
        /// Snapshot that was counted.
        snapshot: Digest,
        /// Hash of the policy in force.
        policy_hash: Digest,
        /// Hash of the released answer.
        answer_hash: Digest,
    },
    /// A peer got the same answer once more.
    AnswerRepeated {
        /// The peer.
        peer: NodeId,
        /// The study.
        study: StudyId,
    },
    /// A recognised peer's query was refused.
    QueryRefused {
        /// The peer.
        peer: NodeId,
        /// Pseudonym of its researcher.
        subject: String,
        /// The study.
        study: StudyId,
        /// Hash of the query.
        query_hash: Digest,
        /// The refusal's URN.
        problem: String,
    },
    /// One of this node's people asked a study.
    StudyAsked {
        /// Pseudonym of the person.
        subject: String,
        /// The study.
        study: StudyId,
        /// Hash of the query.
        query_hash: Digest,
    },
    /// A newer membership came into force.
    MembershipAdopted {
        /// Its epoch.
        epoch: u64,
    },
    /// Another snapshot came into force.
    SnapshotAdopted {
        /// The snapshot.
        snapshot: Digest,
    },
}

/// An entry of the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Number, from 1.
    pub sequence: u64,
    /// Hash of the entry before; of nothing for the first.
    pub previous: Digest,
    /// When.
    pub time: DateTime<Utc>,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// Something wrong with the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "finding", rename_all = "snake_case")]
pub enum Finding {
    /// An entry is not what its hash says: it was altered.
    Altered {
        /// Its number.
        sequence: u64,
    },
    /// An entry is missing before this one.
    Gap {
        /// Number of the entry after the gap.
        sequence: u64,
    },
    /// An entry does not continue the one before it.
    Broken {
        /// Its number.
        sequence: u64,
    },
    /// A peer holds another hash for an entry: history was rewritten.
    Rewritten {
        /// The peer.
        peer: NodeId,
        /// The entry.
        sequence: u64,
    },
    /// A peer holds the head of an entry that is no longer there: the end was cut off.
    CutOff {
        /// The peer.
        peer: NodeId,
        /// The entry.
        sequence: u64,
    },
}

/// The hash that the first entry names.
fn beginning() -> Digest {
    Digest::of(b"")
}

pub(crate) async fn head_in(transaction: &mut Transaction<'_, Sqlite>) -> Result<AuditHead, StoreError> {
    let row = sqlx::query("SELECT sequence, hash FROM audit ORDER BY sequence DESC LIMIT 1")
        .fetch_optional(&mut **transaction)
        .await?;
    let Some(row) = row else { return Ok(AuditHead { sequence: 0, hash: beginning() }) };
    let hash = row.try_get::<String, _>("hash")?.parse().map_err(|_| StoreError::Damaged("audit"))?;
    Ok(AuditHead { sequence: u64::try_from(row.try_get::<i64, _>("sequence")?)?, hash })
}

/// Appends within a transaction that began as a writer, so that no two entries follow the same head.
pub(crate) async fn append_in(
    transaction: &mut Transaction<'_, Sqlite>,
    time: DateTime<Utc>,
    event: Event,
) -> Result<AuditHead, StoreError> {
    let last = head_in(transaction).await?;
    let entry = Entry { sequence: last.sequence + 1, previous: last.hash, time, event };
    let bytes = canonical::bytes(&entry)?;
    let head = AuditHead { sequence: entry.sequence, hash: Digest::of(&bytes) };
    sqlx::query("INSERT INTO audit (sequence, entry, hash) VALUES ($1, $2, $3)")
        .bind(i64::try_from(head.sequence)?)
        .bind(String::from_utf8(bytes).map_err(|_| StoreError::Damaged("audit"))?)
        .bind(head.hash.to_string())
        .execute(&mut **transaction)
        .await?;
    Ok(head)
}

impl Store {
    /// Appends one entry.
    ///
    /// # Errors
    /// Those of the database; then nothing was appended and what was to be recorded must not happen.
    pub async fn append(&self, time: DateTime<Utc>, event: Event) -> Result<AuditHead, StoreError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let head = append_in(&mut transaction, time, event).await?;
        transaction.commit().await?;
        Ok(head)
    }

    /// The head of the chain.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn head(&self) -> Result<AuditHead, StoreError> {
        head_in(&mut self.pool.begin().await?).await
    }

    /// The newest entries, newest first.
    ///
    /// # Errors
    /// Those of the database, and an entry that cannot be read.
    pub async fn recent_entries(&self, most: u32) -> Result<Vec<Entry>, StoreError> {
        let rows = sqlx::query("SELECT entry FROM audit ORDER BY sequence DESC LIMIT $1")
            .bind(most)
            .fetch_all(&self.pool)
            .await?;
        rows.iter()
            .map(|row| serde_json::from_str(row.try_get("entry")?).map_err(|_| StoreError::Damaged("audit")))
            .collect()
    }

    /// Checks the whole chain, and it against the heads that peers hold of it. Returns the entries checked and what is wrong.
    ///
    /// A chain that was rewritten from an entry on and chained anew is consistent in itself; only the peers' heads show it.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn check_chain(&self, held: &[(NodeId, AuditHead)]) -> Result<(u64, Vec<Finding>), StoreError> {
        let mut held: Vec<&(NodeId, AuditHead)> = held.iter().collect();
        held.sort_by_key(|(_, head)| head.sequence);
        let mut held = held.into_iter().peekable();
        let (mut last, mut findings, mut checked) = (AuditHead { sequence: 0, hash: beginning() }, Vec::new(), 0);
        // in portions, so that a long history does not fill the memory
        loop {
            let rows =
                sqlx::query("SELECT sequence, entry, hash FROM audit WHERE sequence > $1 ORDER BY sequence LIMIT 1000")
                    .bind(i64::try_from(last.sequence)?)
                    .fetch_all(&self.pool)
                    .await?;
            if rows.is_empty() {
                break;
            }
            for row in &rows {
                let sequence = u64::try_from(row.try_get::<i64, _>("sequence")?)?;
                let entry: &str = row.try_get("entry")?;
                let stored: &str = row.try_get("hash")?;
                let hash = Digest::of(entry.as_bytes());
                let parsed: Option<Entry> = serde_json::from_str(entry).ok();
                if sequence != last.sequence + 1 {
                    findings.push(Finding::Gap { sequence });
                } else if hash.to_string() != stored || parsed.as_ref().is_none_or(|entry| entry.sequence != sequence) {
                    findings.push(Finding::Altered { sequence });
                } else if parsed.is_some_and(|entry| entry.previous != last.hash) {
                    findings.push(Finding::Broken { sequence });
                }
                while let Some((peer, head)) = held.next_if(|(_, head)| head.sequence <= sequence) {
                    if head.sequence == sequence && head.hash != hash {
                        findings.push(Finding::Rewritten { peer: peer.clone(), sequence });
                    }
                }
                // the chain goes on from what the entry is, so that one alteration is one finding
                last = AuditHead { sequence, hash: stored.parse().unwrap_or(hash) };
                checked += 1;
            }
        }
        findings.extend(held.map(|(peer, head)| Finding::CutOff { peer: peer.clone(), sequence: head.sequence }));
        Ok((checked, findings))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn store_of(entries: u64) -> (tempfile::TempDir, Store, Vec<AuditHead>) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("node.db")).await.unwrap();
        let mut heads = Vec::new();
        for epoch in 1..=entries {
            heads.push(store.append(time(), Event::MembershipAdopted { epoch }).await.unwrap());
        }
        (folder, store, heads)
    }

    fn time() -> DateTime<Utc> {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    fn peer() -> NodeId {
        "ar".parse().unwrap()
    }

    async fn run(store: &Store, sql: &'static str) {
        sqlx::query(sql).execute(&store.pool).await.unwrap();
    }

    #[tokio::test]
    async fn an_untouched_chain_has_no_findings() {
        let (_folder, store, heads) = store_of(5).await;
        let held: Vec<_> = heads.into_iter().map(|head| (peer(), head)).collect();
        assert_eq!(store.check_chain(&held).await.unwrap(), (5, vec![]));
        assert_eq!(store.recent_entries(2).await.unwrap().len(), 2);
    }

    #[tokio::test]
    async fn an_altered_entry_is_found() {
        let (_folder, store, _) = store_of(5).await;
        run(&store, "UPDATE audit SET entry = replace(entry, '\"epoch\":3', '\"epoch\":9') WHERE sequence = 3").await;
        assert_eq!(store.check_chain(&[]).await.unwrap().1, [Finding::Altered { sequence: 3 }]);
    }

    #[tokio::test]
    async fn a_deleted_entry_is_found() {
        let (_folder, store, heads) = store_of(5).await;
        run(&store, "DELETE FROM audit WHERE sequence = 3").await;
        assert_eq!(store.check_chain(&[]).await.unwrap().1, [Finding::Gap { sequence: 4 }]);
        run(&store, "DELETE FROM audit WHERE sequence > 3").await;
        let held = [(peer(), heads[1]), (peer(), heads[4])];
        assert_eq!(store.check_chain(&held).await.unwrap().1, [Finding::CutOff { peer: peer(), sequence: 5 }]);
    }

    #[tokio::test]
    async fn a_chain_made_anew_is_consistent_and_found_by_the_heads_that_peers_hold() {
        let (_folder, store, heads) = store_of(5).await;
        run(&store, "DELETE FROM audit WHERE sequence >= 3").await;
        for epoch in [7, 8, 9] {
            store.append(time(), Event::MembershipAdopted { epoch }).await.unwrap();
        }
        assert_eq!(store.check_chain(&[]).await.unwrap(), (5, vec![]), "by itself nothing shows");
        let held = [(peer(), heads[0]), (peer(), heads[3])];
        assert_eq!(store.check_chain(&held).await.unwrap().1, [Finding::Rewritten { peer: peer(), sequence: 4 }]);
    }

    #[tokio::test]
    async fn many_writers_make_one_chain() {
        let (_folder, store, _) = store_of(0).await;
        let tasks: Vec<_> = (0..40)
            .map(|epoch| {
                let store = store.clone();
                tokio::spawn(async move { store.append(time(), Event::MembershipAdopted { epoch }).await.unwrap() })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(store.check_chain(&[]).await.unwrap(), (40, vec![]));
    }
}

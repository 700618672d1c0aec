//! The audit chain: append-only, each entry naming the hash of the one before, so that no past entry can be changed unseen.

pub mod entries;

use chrono::{DateTime, Utc};
use node_domain::{digest::Digest, node_id::NodeId};
use node_protocol::{
    canonical,
    envelope::AuditHead,
    project::{ProjectId, ProjectState, Terms},
    study::StudyId,
};
use rand::TryRngCore;
use serde::{Deserialize, Serialize};
use sqlx::{Row, Sqlite, Transaction};

use crate::{Store, StoreError};

/// What happened. Fields are only ever added, and those added later may be absent, so that old entries can be read for ever.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
        /// Project under which it was asked.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        project: Option<String>,
        /// Role of the researcher.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        role: Option<String>,
        /// Name of the release rule.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        rule: Option<String>,
        /// What policy decided and why, in one line.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        why: Option<String>,
    },
    /// An answer was made for a peer and waits for a steward.
    AnswerHeld {
        /// The peer.
        peer: NodeId,
        /// Pseudonym of its researcher.
        subject: String,
        /// The study.
        study: StudyId,
        /// Hash of the query.
        query_hash: Digest,
        /// The query's canonical JSON.
        query: String,
        /// Snapshot that was counted.
        snapshot: Digest,
        /// Hash of the policy in force.
        policy_hash: Digest,
        /// Hash of the answer that is kept back.
        answer_hash: Digest,
        /// Project under which it was asked.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        project: Option<String>,
        /// Role of the researcher.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        role: Option<String>,
        /// Name of the release rule.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        rule: Option<String>,
        /// What policy decided and why, in one line.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        why: Option<String>,
        /// The class of answers that the policy holds: why it waits.
        class: String,
    },
    /// A steward decided about a held answer.
    AnswerReviewed {
        /// The peer.
        peer: NodeId,
        /// The study.
        study: StudyId,
        /// Whether the answer may leave.
        released: bool,
        /// Who decided.
        by: String,
        /// Why.
        reason: String,
    },
    /// A decision about a held answer was taken back; it waits again.
    ReviewUndone {
        /// The peer.
        peer: NodeId,
        /// The study.
        study: StudyId,
        /// Who took it back.
        by: String,
        /// Why.
        reason: String,
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
        /// The query's canonical JSON.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        query: Option<String>,
        /// Project under which it was asked.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        project: Option<String>,
        /// What the peer was told of this occurrence.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        detail: Option<String>,
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
    /// Another policy came into force.
    PolicyAdopted {
        /// Its hash.
        policy_hash: Digest,
    },
    /// This node proposed a project.
    ProjectProposed {
        /// The project.
        project: ProjectId,
        /// Who proposed it.
        by: String,
        /// The nodes that it asks.
        countries: Vec<NodeId>,
        /// Hash of the proposal.
        document_hash: Digest,
    },
    /// A peer proposed a project to this node.
    ProjectReceived {
        /// The project.
        project: ProjectId,
        /// The peer.
        proposer: NodeId,
        /// Hash of the proposal.
        document_hash: Digest,
    },
    /// This node's steward decided about a project.
    ProjectDecided {
        /// The project.
        project: ProjectId,
        /// What was decided.
        state: ProjectState,
        /// Who decided.
        by: String,
        /// Why.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        reason: Option<String>,
        /// What is granted, where anything is.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        terms: Option<Box<Terms>>,
    },
    /// A project ended before its last day.
    ProjectWithdrawn {
        /// The project.
        project: ProjectId,
        /// Who ended it: a person of this node, or the proposing node.
        by: String,
        /// Why.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        reason: Option<String>,
    },
    /// A decision about a project was taken back; nothing is granted until it is decided again.
    ProjectReopened {
        /// The project.
        project: ProjectId,
        /// Who took it back.
        by: String,
        /// Why.
        reason: String,
    },
    /// An answer was paid for from the privacy budgets of a project and of the node.
    BudgetCharged {
        /// The project.
        project: ProjectId,
        /// Its price, rho of zero-concentrated differential privacy.
        rho: f64,
        /// What the project has spent with it.
        spent: f64,
        /// What the node has spent with it.
        node_spent: f64,
    },
}

/// An entry of the chain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Number, from 1.
    pub sequence: u64,
    /// Hash of the entry before; of nothing for the first.
    pub previous: Digest,
    /// When.
    pub time: DateTime<Utc>,
    /// 128 random bits, hexadecimal. Peers hold the hash of the entry: without them they could try what it says, such as the hash of
    /// an answer that is kept back. Entries of earlier versions have none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub salt: Option<String>,
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

fn fresh_salt() -> Result<String, StoreError> {
    let mut salt = [0; 16];
    rand::rngs::OsRng.try_fill_bytes(&mut salt).map_err(|_| StoreError::Randomness)?;
    Ok(format!("{:032x}", u128::from_be_bytes(salt)))
}

/// Appends within a transaction that began as a writer, so that no two entries follow the same head.
pub(crate) async fn append_in(
    transaction: &mut Transaction<'_, Sqlite>,
    time: DateTime<Utc>,
    event: Event,
) -> Result<AuditHead, StoreError> {
    let last = head_in(transaction).await?;
    let entry = Entry { sequence: last.sequence + 1, previous: last.hash, time, salt: Some(fresh_salt()?), event };
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

    /// An entry as the first version wrote it.
    const OLD: &str = concat!(
        r#"{"answer_hash":"sha256:7777777777777777777777777777777777777777777777777777777777777777","peer":"ar","#,
        r#""policy_hash":"sha256:6666666666666666666666666666666666666666666666666666666666666666","#,
        r#""previous":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","#,
        r#""query":"{\"dictionary\":\"1.0\",\"statistic\":{\"kind\":\"count\"},\"table\":\"cases\"}","#,
        r#""query_hash":"sha256:4444444444444444444444444444444444444444444444444444444444444444","sequence":1,"#,
        r#""snapshot":"sha256:5555555555555555555555555555555555555555555555555555555555555555","#,
        r#""study":"0000000000000000000000000000000a","subject":"r-1","time":"2026-11-21T12:00:00Z","what":"answer_given"}"#,
    );

    #[tokio::test]
    async fn an_entry_of_the_first_form_is_read_verified_and_written_alike() {
        let (_folder, store, _) = store_of(0).await;
        sqlx::query("INSERT INTO audit (sequence, entry, hash) VALUES (1, $1, $2)")
            .bind(OLD)
            .bind(Digest::of(OLD.as_bytes()).to_string())
            .execute(&store.pool)
            .await
            .unwrap();
        store.append(time(), Event::MembershipAdopted { epoch: 2 }).await.unwrap();
        assert_eq!(store.check_chain(&[]).await.unwrap(), (2, vec![]));
        let old = store.recent_entries(2).await.unwrap().pop().unwrap();
        let Event::AnswerGiven { project: None, role: None, rule: None, why: None, .. } = &old.event else {
            panic!("{old:?}")
        };
        assert_eq!(canonical::bytes(&old).unwrap(), OLD.as_bytes(), "what is absent is not written either");
    }

    #[tokio::test]
    async fn the_hash_of_an_entry_does_not_follow_from_what_happened() {
        let (_folder, store, _) = store_of(0).await;
        let (_other, other, _) = store_of(0).await;
        let event = Event::MembershipAdopted { epoch: 1 };
        let (one, two) =
            (store.append(time(), event.clone()).await.unwrap(), other.append(time(), event).await.unwrap());
        assert_ne!(one.hash, two.hash, "the same event at the same time in the same place of the chain");
        let salt = store.recent_entries(1).await.unwrap().remove(0).salt.unwrap();
        assert_eq!(salt.len(), 32);
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

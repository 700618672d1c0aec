//! Studies that this node's people asked, and where each node's answer stands.

use chrono::{DateTime, Utc};
use node_domain::{digest::Digest, node_id::NodeId};
use node_protocol::{
    envelope::AuditHead,
    problem::Problem,
    query::Query,
    study::{Status, StudyId},
};
use sqlx::{Row, sqlite::SqliteRow};

use crate::{
    Store, StoreError,
    audit::{self, Event},
    columns::time_of,
    heads::hold_in,
};

/// A study as it is remembered.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredStudy {
    /// Identity.
    pub study: StudyId,
    /// Pseudonym of the person who asked.
    pub asker: String,
    /// Role of that person.
    pub role: String,
    /// The query.
    pub query: Query,
    /// Its hash.
    pub query_hash: Digest,
    /// When it was asked.
    pub started: DateTime<Utc>,
    /// Until when missing answers are asked for again.
    pub deadline: DateTime<Utc>,
}

/// One node's place in a study.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredNode {
    /// The node.
    pub node: NodeId,
    /// State.
    pub status: Status,
    /// Why not.
    pub problem: Option<Problem>,
    /// The signed answer as it came.
    pub signed: Option<String>,
    /// From asking to the answer, milliseconds.
    pub elapsed_ms: Option<f64>,
    /// When the state last changed.
    pub changed: DateTime<Utc>,
}

fn status_text(status: Status) -> &'static str {
    match status {
        Status::Answered => "answered",
        Status::Refused => "refused",
        Status::Unreachable => "unreachable",
        Status::Pending => "pending",
        Status::InReview => "in_review",
    }
}

fn status_of(text: &str) -> Result<Status, StoreError> {
    [Status::Answered, Status::Refused, Status::Unreachable, Status::Pending, Status::InReview]
        .into_iter()
        .find(|status| status_text(*status) == text)
        .ok_or(StoreError::Damaged("study_node"))
}

fn study_of(row: &SqliteRow) -> Result<StoredStudy, StoreError> {
    Ok(StoredStudy {
        study: row.try_get::<&str, _>("study")?.parse().map_err(|_| StoreError::Damaged("study"))?,
        asker: row.try_get("asker")?,
        role: row.try_get("role")?,
        query: serde_json::from_str(row.try_get("query")?)?,
        query_hash: row.try_get::<&str, _>("query_hash")?.parse().map_err(|_| StoreError::Damaged("study"))?,
        started: time_of(row.try_get("started")?)?,
        deadline: time_of(row.try_get("deadline")?)?,
    })
}

impl Store {
    /// Remembers a new study with all its nodes pending, and audits it.
    ///
    /// # Errors
    /// Those of the database; then the study does not exist.
    pub async fn begin_study(&self, study: &StoredStudy, nodes: &[NodeId]) -> Result<(), StoreError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query(
            "INSERT INTO study (study, asker, role, query, query_hash, started, deadline) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(study.study.as_str())
        .bind(&study.asker)
        .bind(&study.role)
        .bind(serde_json::to_string(&study.query)?)
        .bind(study.query_hash.to_string())
        .bind(study.started.timestamp_millis())
        .bind(study.deadline.timestamp_millis())
        .execute(&mut *transaction)
        .await?;
        for node in nodes {
            sqlx::query("INSERT INTO study_node (study, node, status, changed) VALUES ($1, $2, 'pending', $3)")
                .bind(study.study.as_str())
                .bind(node.as_str())
                .bind(study.started.timestamp_millis())
                .execute(&mut *transaction)
                .await?;
        }
        let event = Event::StudyAsked {
            subject: study.asker.clone(),
            study: study.study.clone(),
            query_hash: study.query_hash,
        };
        audit::append_in(&mut transaction, study.started, event).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Notes where the answers of several nodes stand, with the audit heads that they showed, at once. An answer that is here is
    /// never replaced.
    ///
    /// # Errors
    /// Those of the database; then nothing was noted, and asking again gives the same answers.
    pub async fn note_nodes(
        &self,
        study: &StudyId,
        nodes: &[(StoredNode, Option<AuditHead>)],
    ) -> Result<(), StoreError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        for (node, head) in nodes {
            sqlx::query(
                "UPDATE study_node SET status = $3, problem = $4, signed = $5, elapsed_ms = $6, changed = $7
                 WHERE study = $1 AND node = $2 AND status <> 'answered'",
            )
            .bind(study.as_str())
            .bind(node.node.as_str())
            .bind(status_text(node.status))
            .bind(node.problem.as_ref().map(serde_json::to_string).transpose()?)
            .bind(&node.signed)
            .bind(node.elapsed_ms)
            .bind(node.changed.timestamp_millis())
            .execute(&mut *transaction)
            .await?;
            if let Some(head) = head {
                hold_in(&mut transaction, &node.node, *head, node.changed).await?;
            }
        }
        transaction.commit().await?;
        Ok(())
    }

    /// A study with its nodes in the order of their names.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn study(&self, study: &StudyId) -> Result<Option<(StoredStudy, Vec<StoredNode>)>, StoreError> {
        let mut transaction = self.pool.begin().await?;
        let row =
            sqlx::query("SELECT study, asker, role, query, query_hash, started, deadline FROM study WHERE study = $1")
                .bind(study.as_str())
                .fetch_optional(&mut *transaction)
                .await?;
        let Some(row) = row else { return Ok(None) };
        let nodes = sqlx::query(
            "SELECT node, status, problem, signed, elapsed_ms, changed FROM study_node WHERE study = $1 ORDER BY node",
        )
        .bind(study.as_str())
        .fetch_all(&mut *transaction)
        .await?;
        let nodes = nodes
            .iter()
            .map(|row| {
                Ok(StoredNode {
                    node: row.try_get::<&str, _>("node")?.parse().map_err(|_| StoreError::Damaged("study_node"))?,
                    status: status_of(row.try_get("status")?)?,
                    problem: row.try_get::<Option<&str>, _>("problem")?.map(serde_json::from_str).transpose()?,
                    signed: row.try_get("signed")?,
                    elapsed_ms: row.try_get("elapsed_ms")?,
                    changed: time_of(row.try_get("changed")?)?,
                })
            })
            .collect::<Result<_, StoreError>>()?;
        Ok(Some((study_of(&row)?, nodes)))
    }

    /// The newest studies, newest first.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn recent_studies(&self, most: u32) -> Result<Vec<StoredStudy>, StoreError> {
        let rows = sqlx::query(
            "SELECT study, asker, role, query, query_hash, started, deadline FROM study ORDER BY started DESC, study LIMIT $1",
        )
        .bind(most)
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(study_of).collect()
    }

    /// Studies that still wait for a node and whose deadline is not past.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn open_studies(&self, now: DateTime<Utc>) -> Result<Vec<StudyId>, StoreError> {
        let rows = sqlx::query(
            "SELECT DISTINCT study.study FROM study JOIN study_node ON study_node.study = study.study
             WHERE study.deadline > $1 AND study_node.status IN ('pending', 'unreachable', 'in_review') ORDER BY study.study",
        )
        .bind(now.timestamp_millis())
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| row.try_get::<&str, _>("study")?.parse().map_err(|_| StoreError::Damaged("study")))
            .collect()
    }
}

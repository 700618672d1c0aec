//! The ledger: every answer that was given, is held for review or was refused there, so that later ones can be audited with it.

use chrono::{DateTime, Utc};
use node_domain::{digest::Digest, node_id::NodeId};
use node_protocol::{answer::Answer, query::Query, study::StudyId};
use serde::{Deserialize, Serialize};
use sqlx::{Row, Sqlite, Transaction, sqlite::SqliteRow};

use crate::{
    Store, StoreError,
    answers::Handover,
    columns::{document, document_or_none, parsed, time},
    matching::{Kin, Matter},
};

/// The rule whose answers are audited with one another.
const EXACT: &str = "exact_ad_hoc";
/// How many lines are read at once.
const PAGE: u32 = 500;

/// What the ledger keeps of an answer beside its study.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerEntry {
    /// Pseudonym of the researcher.
    pub subject: String,
    /// Project under which it was asked.
    pub project: Option<String>,
    /// Hash of what was asked, the same for every spelling of the question.
    pub question_hash: Digest,
    /// The query's canonical JSON.
    pub query: String,
    /// The snapshot that was counted.
    pub snapshot: Digest,
    /// Name of the release rule.
    pub rule: &'static str,
    /// The answer's canonical JSON; nothing for look-ups in the catalogue.
    pub answer: Option<String>,
}

/// Where an answer of the ledger is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineState {
    /// It left.
    Given,
    /// It waits for a steward, and is audited with as if it had left.
    Held,
    /// A steward has refused it.
    Refused,
}

impl LineState {
    /// Its name in the database and for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Given => "given",
            Self::Held => "held",
            Self::Refused => "refused",
        }
    }
}

/// An exact answer to a query of the asker's making.
#[derive(Debug, Clone, PartialEq)]
pub struct ExactRelease {
    /// The snapshot that was counted.
    pub snapshot: Digest,
    /// The query.
    pub query: Query,
    /// The answer.
    pub answer: Answer,
}

/// Which lines are wanted: all that is given must hold.
#[derive(Debug, Clone, Default)]
pub struct LedgerFilter {
    /// The peer.
    pub peer: Option<NodeId>,
    /// Pseudonym of the researcher.
    pub subject: Option<String>,
    /// The project.
    pub project: Option<String>,
    /// The query's table.
    pub table: Option<String>,
    /// A field that the query uses.
    pub field: Option<String>,
    /// A value of that field that the answer can tell about, as in [`crate::audit::entries::EntryFilter`].
    pub value: Option<String>,
    /// Other ways of telling about that field that are wanted too.
    pub kin: Option<Kin>,
    /// From this moment on.
    pub since: Option<DateTime<Utc>>,
    /// Name of the release rule.
    pub rule: Option<String>,
}

impl LedgerFilter {
    /// What the queries are searched by.
    #[must_use]
    pub fn matter(&self) -> Matter<'_> {
        let (table, field, value) = (self.table.as_deref(), self.field.as_deref(), self.value.as_deref());
        Matter { table, field, value, kin: self.kin.as_ref() }
    }
}

/// A line of the ledger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LedgerLine {
    /// Its place: from 1, increasing; a place that is empty belonged to a refused answer that waits again.
    pub number: u64,
    /// When the answer was made.
    pub at: DateTime<Utc>,
    /// The peer.
    pub peer: NodeId,
    /// Pseudonym of the researcher.
    pub subject: String,
    /// Project under which it was asked.
    pub project: Option<String>,
    /// The study.
    pub study: StudyId,
    /// Hash of the query.
    pub query_hash: Digest,
    /// Hash of what was asked.
    pub question_hash: Digest,
    /// The query.
    pub query: Query,
    /// The snapshot that was counted.
    pub snapshot: Digest,
    /// Name of the release rule.
    pub rule: String,
    /// The answer; nothing for look-ups in the catalogue.
    pub answer: Option<Answer>,
    /// Where the answer is.
    pub state: LineState,
}

impl Store {
    /// The number of the last line; 0 where there is none.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn ledger_end(&self) -> Result<u64, StoreError> {
        Ok(u64::try_from(end_in(&mut self.pool.begin().await?).await?)?)
    }

    /// The exact answers to queries of the asker's making on all snapshots, oldest first, whoever got them; those that are held for
    /// review are among them. The same answer to the same question is named once.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn exact_released(&self) -> Result<Vec<ExactRelease>, StoreError> {
        let rows = sqlx::query(
            "SELECT snapshot, query, answer FROM released WHERE number IN (
                 SELECT MIN(number) FROM released
                 WHERE rule = $1 AND state IN ('given', 'held') AND answer IS NOT NULL
                 GROUP BY snapshot, question_hash, answer
             ) ORDER BY number",
        )
        .bind(EXACT)
        .fetch_all(&self.pool)
        .await?;
        let release = |row| {
            Ok(ExactRelease {
                snapshot: parsed(row, "snapshot", "released")?,
                query: document(row, "query")?,
                answer: document(row, "answer")?,
            })
        };
        rows.iter().map(release).collect()
    }

    /// How many different questions were answered by a rule since a moment, on whatever snapshot; those held for review count.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn different_questions_since(&self, since: DateTime<Utc>, rule: &str) -> Result<u64, StoreError> {
        let row = sqlx::query(
            "SELECT COUNT(DISTINCT question_hash) AS questions FROM released
             WHERE at >= $1 AND rule = $2 AND state IN ('given', 'held')",
        )
        .bind(since.timestamp_millis())
        .bind(rule)
        .fetch_one(&self.pool)
        .await?;
        Ok(u64::try_from(row.try_get::<i64, _>("questions")?)?)
    }

    /// Whether a question was answered by a rule since a moment, whoever asked; one held for review counts.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn asked_since(
        &self,
        since: DateTime<Utc>,
        question_hash: &Digest,
        rule: &str,
    ) -> Result<bool, StoreError> {
        let row = sqlx::query(
            "SELECT 1 FROM released
             WHERE at >= $1 AND question_hash = $2 AND rule = $3 AND state IN ('given', 'held') LIMIT 1",
        )
        .bind(since.timestamp_millis())
        .bind(question_hash.to_string())
        .bind(rule)
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.is_some())
    }

    /// The newest answer by a rule to a question on a snapshot that left.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn released_before(
        &self,
        snapshot: &Digest,
        question_hash: &Digest,
        rule: &str,
    ) -> Result<Option<Answer>, StoreError> {
        let row = sqlx::query(
            "SELECT answer FROM released
             WHERE snapshot = $1 AND question_hash = $2 AND rule = $3 AND state = 'given' AND answer IS NOT NULL
             ORDER BY number DESC LIMIT 1",
        )
        .bind(snapshot.to_string())
        .bind(question_hash.to_string())
        .bind(rule)
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| document(&row, "answer")).transpose()
    }

    /// The newest answer by a rule to a question on another snapshot than those `other_than`. One held for review does not count: its numbers
    /// are not out.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn last_release(
        &self,
        question_hash: &Digest,
        rule: &str,
        other_than: &[Digest],
    ) -> Result<Option<(Digest, Answer)>, StoreError> {
        let newest = sqlx::query(
            "SELECT snapshot, MAX(number) AS number FROM released
             WHERE question_hash = $1 AND rule = $2 AND state = 'given' AND answer IS NOT NULL
             GROUP BY snapshot ORDER BY number DESC",
        )
        .bind(question_hash.to_string())
        .bind(rule)
        .fetch_all(&self.pool)
        .await?;
        for row in &newest {
            let snapshot = parsed(row, "snapshot", "released")?;
            if !other_than.contains(&snapshot) {
                let answer = sqlx::query("SELECT answer FROM released WHERE number = $1")
                    .bind(row.try_get::<i64, _>("number")?)
                    .fetch_one(&self.pool)
                    .await?;
                return Ok(Some((snapshot, document(&answer, "answer")?)));
            }
        }
        Ok(None)
    }

    /// The lines that `filter` lets through, newest first, at most `most`.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn ledger(&self, filter: &LedgerFilter, most: u32) -> Result<Vec<LedgerLine>, StoreError> {
        let matter = filter.matter();
        let most = usize::try_from(most)?;
        let (mut found, mut before) = (Vec::new(), i64::MAX);
        while found.len() < most {
            let rows = sqlx::query(
                "SELECT number, at, peer, subject, project, study, query_hash, question_hash, query, snapshot, rule, answer,
                     state
                 FROM released
                 WHERE number < $1 AND at >= $2
                     AND (CAST($3 AS TEXT) IS NULL OR peer = $3) AND (CAST($4 AS TEXT) IS NULL OR subject = $4)
                     AND (CAST($5 AS TEXT) IS NULL OR project = $5) AND (CAST($6 AS TEXT) IS NULL OR rule = $6)
                 ORDER BY number DESC LIMIT $7",
            )
            .bind(before)
            .bind(filter.since.map_or(i64::MIN, |since| since.timestamp_millis()))
            .bind(filter.peer.as_ref().map(NodeId::as_str))
            .bind(filter.subject.as_deref())
            .bind(filter.project.as_deref())
            .bind(filter.rule.as_deref())
            .bind(PAGE)
            .fetch_all(&self.pool)
            .await?;
            let Some(last) = rows.last() else { break };
            before = last.try_get("number")?;
            for row in &rows {
                let query: Query = document(row, "query")?;
                if found.len() < most && matter.matches(&query) {
                    found.push(line_of(row, query)?);
                }
            }
        }
        Ok(found)
    }
}

fn line_of(row: &SqliteRow, query: Query) -> Result<LedgerLine, StoreError> {
    let state: &str = row.try_get("state")?;
    Ok(LedgerLine {
        number: u64::try_from(row.try_get::<i64, _>("number")?)?,
        at: time(row, "at")?,
        peer: parsed(row, "peer", "released")?,
        subject: row.try_get("subject")?,
        project: row.try_get("project")?,
        study: parsed(row, "study", "released")?,
        query_hash: parsed(row, "query_hash", "released")?,
        question_hash: parsed(row, "question_hash", "released")?,
        query,
        snapshot: parsed(row, "snapshot", "released")?,
        rule: row.try_get("rule")?,
        answer: document_or_none(row, "answer")?,
        state: [LineState::Given, LineState::Held, LineState::Refused]
            .into_iter()
            .find(|known| known.name() == state)
            .ok_or(StoreError::Damaged("released"))?,
    })
}

pub(crate) async fn end_in(transaction: &mut Transaction<'_, Sqlite>) -> Result<i64, StoreError> {
    let row = sqlx::query("SELECT MAX(number) AS number FROM released").fetch_one(&mut **transaction).await?;
    Ok(row.try_get::<Option<i64>, _>("number")?.unwrap_or(0))
}

/// Appends within a transaction that began as a writer, so that no two lines get one number.
pub(crate) async fn append_in(
    transaction: &mut Transaction<'_, Sqlite>,
    handover: &Handover,
    state: LineState,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let number = end_in(transaction).await? + 1;
    let entry = &handover.entry;
    sqlx::query(
        "INSERT INTO released (number, at, peer, subject, project, study, query_hash, question_hash, query, snapshot, rule,
             answer, state)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    )
    .bind(number)
    .bind(now.timestamp_millis())
    .bind(handover.token.issuer.as_str())
    .bind(&entry.subject)
    .bind(entry.project.as_deref())
    .bind(handover.study.as_str())
    .bind(handover.query_hash.to_string())
    .bind(entry.question_hash.to_string())
    .bind(&entry.query)
    .bind(entry.snapshot.to_string())
    .bind(entry.rule)
    .bind(entry.answer.as_deref())
    .bind(state.name())
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// What a review makes of a line.
pub(crate) async fn set_state(
    transaction: &mut Transaction<'_, Sqlite>,
    peer: &NodeId,
    study: &StudyId,
    state: LineState,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE released SET state = $3 WHERE peer = $1 AND study = $2")
        .bind(peer.as_str())
        .bind(study.as_str())
        .bind(state.name())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// A refused answer waits again: its line goes to the end, so that audits which are under way notice it.
pub(crate) async fn hold_again(
    transaction: &mut Transaction<'_, Sqlite>,
    peer: &NodeId,
    study: &StudyId,
) -> Result<(), StoreError> {
    let number = end_in(transaction).await? + 1;
    sqlx::query("UPDATE released SET state = 'held', number = $3 WHERE peer = $1 AND study = $2")
        .bind(peer.as_str())
        .bind(study.as_str())
        .bind(number)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// Whether an exact answer came into the ledger after a line.
pub(crate) async fn exact_since(transaction: &mut Transaction<'_, Sqlite>, line: u64) -> Result<bool, StoreError> {
    let row =
        sqlx::query("SELECT 1 FROM released WHERE rule = $1 AND number > $2 AND state IN ('given', 'held') LIMIT 1")
            .bind(EXACT)
            .bind(i64::try_from(line)?)
            .fetch_optional(&mut **transaction)
            .await?;
    Ok(row.is_some())
}

/// Whether answers came into the ledger after a line that were not audited with the answer of this study although they would
/// have been, had it not been refused: to the same question on another snapshot, or exact as it is.
pub(crate) async fn overtaken(
    transaction: &mut Transaction<'_, Sqlite>,
    peer: &NodeId,
    study: &StudyId,
    line: i64,
) -> Result<bool, StoreError> {
    let row = sqlx::query(
        "SELECT 1 FROM released AS later JOIN released AS own ON own.peer = $1 AND own.study = $2
         WHERE later.number > $3 AND later.state IN ('given', 'held')
             AND ((later.question_hash = own.question_hash AND later.snapshot <> own.snapshot)
                 OR (later.rule = $4 AND own.rule = $4))
         LIMIT 1",
    )
    .bind(peer.as_str())
    .bind(study.as_str())
    .bind(line)
    .bind(EXACT)
    .fetch_optional(&mut **transaction)
    .await?;
    Ok(row.is_some())
}

#[cfg(test)]
mod tests;

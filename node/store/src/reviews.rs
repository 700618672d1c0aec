//! Answers that wait for a steward: kept back signed, released or refused once, and what of that can be undone.

use chrono::{DateTime, Utc};
use node_domain::{digest::Digest, node_id::NodeId};
use node_protocol::{answer::Answer, query::Query, study::StudyId};
use sqlx::{Row, Sqlite, Transaction, sqlite::SqliteRow};

use crate::{
    Store, StoreError,
    answers::{self, Handover},
    audit::{self, Event},
    columns::{document, document_or_none, parsed, time, time_or_none},
    ledger::{self, LineState},
};

/// Where a held answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeldState {
    /// Nobody has decided.
    Waiting,
    /// It may leave.
    Released,
    /// It may not.
    Refused,
}

impl HeldState {
    /// Its name in the database and for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Released => "released",
            Self::Refused => "refused",
        }
    }
}

/// An answer that waits for a steward, or waited.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldAnswer {
    /// The peer that asked.
    pub peer: NodeId,
    /// The study.
    pub study: StudyId,
    /// Pseudonym of the researcher.
    pub subject: String,
    /// Role of the researcher.
    pub role: String,
    /// Project under which it was asked.
    pub project: Option<String>,
    /// Hash of the query.
    pub query_hash: Digest,
    /// The query.
    pub query: Query,
    /// The snapshot that was counted.
    pub snapshot: Digest,
    /// Hash of the policy under which it was made.
    pub policy_hash: Digest,
    /// Why it waits.
    pub class: String,
    /// Name of the release rule.
    pub rule: String,
    /// What policy decided and why, in one line.
    pub why: String,
    /// The signed answer.
    pub signed: String,
    /// The answer as the steward sees it; nothing for look-ups in the catalogue.
    pub answer: Option<Answer>,
    /// Hash of the answer.
    pub answer_hash: Digest,
    /// Where it is.
    pub state: HeldState,
    /// Who decided.
    pub reviewer: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// Since when it is held.
    pub held: DateTime<Utc>,
    /// When it was decided.
    pub decided: Option<DateTime<Utc>>,
    /// When the asker picked up what was released.
    pub fetched: Option<DateTime<Utc>>,
}

/// What became of a review.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reviewed {
    /// Decided.
    Done,
    /// There is no such held answer.
    Unknown,
    /// Somebody decided before, so.
    AlreadyDecided(HeldState),
}

/// What became of an attempt to take a review back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undone {
    /// It waits again.
    Done,
    /// There is no such held answer.
    Unknown,
    /// Nobody has decided.
    Waiting,
    /// The asker has picked the answer up.
    PickedUp,
    /// Answers left since the refusal that were not audited with this one; it must be asked again.
    Overtaken,
}

impl Store {
    /// The held answers, of one state or all, the longest held first.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn held_answers(&self, state: Option<HeldState>) -> Result<Vec<HeldAnswer>, StoreError> {
        let rows = rows_in(&mut self.pool.begin().await?, state, None).await?;
        rows.iter().map(held_of).collect()
    }

    /// One held answer.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn held_answer(&self, peer: &NodeId, study: &StudyId) -> Result<Option<HeldAnswer>, StoreError> {
        let rows = rows_in(&mut self.pool.begin().await?, None, Some((peer, study))).await?;
        rows.first().map(held_of).transpose()
    }

    /// Releases a waiting answer, so that the asker gets it with its next request, or refuses to. Of several who decide at once
    /// one is heard. What the answer cost stays spent, also where it is refused.
    ///
    /// # Errors
    /// Those of the database; then nothing was decided.
    pub async fn review(
        &self,
        peer: &NodeId,
        study: &StudyId,
        release: bool,
        by: &str,
        reason: &str,
        now: DateTime<Utc>,
    ) -> Result<Reviewed, StoreError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let rows = rows_in(&mut transaction, None, Some((peer, study))).await?;
        let Some(row) = rows.first() else { return Ok(Reviewed::Unknown) };
        let held = held_of(row)?;
        if held.state != HeldState::Waiting {
            return Ok(Reviewed::AlreadyDecided(held.state));
        }
        let state = if release { HeldState::Released } else { HeldState::Refused };
        sqlx::query(
            "UPDATE held_answer SET state = $3, reviewer = $4, reason = $5, decided = $6, ledger_end = $7
             WHERE peer = $1 AND study = $2",
        )
        .bind(peer.as_str())
        .bind(study.as_str())
        .bind(state.name())
        .bind(by)
        .bind(reason)
        .bind(now.timestamp_millis())
        .bind(ledger::end_in(&mut transaction).await?)
        .execute(&mut *transaction)
        .await?;
        let line = if release { LineState::Given } else { LineState::Refused };
        ledger::set_state(&mut transaction, peer, study, line).await?;
        let reviewed = Event::AnswerReviewed {
            peer: peer.clone(),
            study: study.clone(),
            released: release,
            by: by.to_owned(),
            reason: reason.to_owned(),
        };
        audit::append_in(&mut transaction, now, reviewed).await?;
        if release {
            answers::keep_given(&mut transaction, (peer, study), &held.query_hash, &held.signed, now).await?;
            audit::append_in(&mut transaction, now, given(held, row.try_get("query")?)).await?;
        }
        transaction.commit().await?;
        Ok(Reviewed::Done)
    }

    /// Takes a review back; the answer waits again. A released answer must not have been picked up, and no answer may have left
    /// since a refusal that was not audited with this one.
    ///
    /// # Errors
    /// Those of the database; then nothing was undone.
    pub async fn undo_review(
        &self,
        peer: &NodeId,
        study: &StudyId,
        by: &str,
        reason: &str,
        now: DateTime<Utc>,
    ) -> Result<Undone, StoreError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let rows = rows_in(&mut transaction, None, Some((peer, study))).await?;
        let Some(row) = rows.first() else { return Ok(Undone::Unknown) };
        let held = held_of(row)?;
        match held.state {
            HeldState::Waiting => return Ok(Undone::Waiting),
            HeldState::Released if held.fetched.is_some() => return Ok(Undone::PickedUp),
            HeldState::Released => {
                sqlx::query("DELETE FROM given_answer WHERE peer = $1 AND study = $2")
                    .bind(peer.as_str())
                    .bind(study.as_str())
                    .execute(&mut *transaction)
                    .await?;
                ledger::set_state(&mut transaction, peer, study, LineState::Held).await?;
            }
            HeldState::Refused => {
                let end = row.try_get("ledger_end")?;
                if ledger::overtaken(&mut transaction, peer, study, end).await? {
                    return Ok(Undone::Overtaken);
                }
                ledger::hold_again(&mut transaction, peer, study).await?;
            }
        }
        sqlx::query(
            "UPDATE held_answer SET state = 'waiting', reviewer = NULL, reason = NULL, decided = NULL, ledger_end = NULL
             WHERE peer = $1 AND study = $2",
        )
        .bind(peer.as_str())
        .bind(study.as_str())
        .execute(&mut *transaction)
        .await?;
        let event = Event::ReviewUndone {
            peer: peer.clone(),
            study: study.clone(),
            by: by.to_owned(),
            reason: reason.to_owned(),
        };
        audit::append_in(&mut transaction, now, event).await?;
        transaction.commit().await?;
        Ok(Undone::Done)
    }
}

async fn rows_in(
    transaction: &mut Transaction<'_, Sqlite>,
    state: Option<HeldState>,
    key: Option<(&NodeId, &StudyId)>,
) -> Result<Vec<SqliteRow>, StoreError> {
    let rows = sqlx::query(
        "SELECT peer, study, subject, role, project, query_hash, query, snapshot, policy_hash, class, rule, why, signed,
             answer, answer_hash, state, reviewer, reason, held, decided, ledger_end, fetched
         FROM held_answer
         WHERE (CAST($1 AS TEXT) IS NULL OR state = $1)
             AND (CAST($2 AS TEXT) IS NULL OR peer = $2) AND (CAST($3 AS TEXT) IS NULL OR study = $3)
         ORDER BY held, peer, study",
    )
    .bind(state.map(HeldState::name))
    .bind(key.map(|(peer, _)| peer.as_str()))
    .bind(key.map(|(_, study)| study.as_str()))
    .fetch_all(&mut **transaction)
    .await?;
    Ok(rows)
}

fn held_of(row: &SqliteRow) -> Result<HeldAnswer, StoreError> {
    const TABLE: &str = "held_answer";
    Ok(HeldAnswer {
        peer: parsed(row, "peer", TABLE)?,
        study: parsed(row, "study", TABLE)?,
        subject: row.try_get("subject")?,
        role: row.try_get("role")?,
        project: row.try_get("project")?,
        query_hash: parsed(row, "query_hash", TABLE)?,
        query: document(row, "query")?,
        snapshot: parsed(row, "snapshot", TABLE)?,
        policy_hash: parsed(row, "policy_hash", TABLE)?,
        class: row.try_get("class")?,
        rule: row.try_get("rule")?,
        why: row.try_get("why")?,
        signed: row.try_get("signed")?,
        answer: document_or_none(row, "answer")?,
        answer_hash: parsed(row, "answer_hash", TABLE)?,
        state: state_of(row.try_get("state")?)?,
        reviewer: row.try_get("reviewer")?,
        reason: row.try_get("reason")?,
        held: time(row, "held")?,
        decided: time_or_none(row, "decided")?,
        fetched: time_or_none(row, "fetched")?,
    })
}

fn state_of(text: &str) -> Result<HeldState, StoreError> {
    [HeldState::Waiting, HeldState::Released, HeldState::Refused]
        .into_iter()
        .find(|state| state.name() == text)
        .ok_or(StoreError::Damaged("held_answer"))
}

fn given(held: HeldAnswer, query: String) -> Event {
    Event::AnswerGiven {
        peer: held.peer,
        subject: held.subject,
        study: held.study,
        query_hash: held.query_hash,
        query,
        snapshot: held.snapshot,
        policy_hash: held.policy_hash,
        answer_hash: held.answer_hash,
        project: held.project,
        role: Some(held.role),
        rule: Some(held.rule),
        why: Some(held.why),
    }
}

/// Keeps a signed answer back.
pub(crate) async fn keep_held(
    transaction: &mut Transaction<'_, Sqlite>,
    handover: &Handover,
    class: &str,
    signed: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let entry = &handover.entry;
    sqlx::query(
        "INSERT INTO held_answer (peer, study, subject, role, project, query_hash, query, snapshot, policy_hash, class, rule,
             why, signed, answer, answer_hash, state, held)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, 'waiting', $16)",
    )
    .bind(handover.token.issuer.as_str())
    .bind(handover.study.as_str())
    .bind(&entry.subject)
    .bind(&handover.role)
    .bind(entry.project.as_deref())
    .bind(handover.query_hash.to_string())
    .bind(&entry.query)
    .bind(entry.snapshot.to_string())
    .bind(handover.policy_hash.to_string())
    .bind(class)
    .bind(entry.rule)
    .bind(&handover.why)
    .bind(signed)
    .bind(entry.answer.as_deref())
    .bind(handover.answer_hash.to_string())
    .bind(now.timestamp_millis())
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// The hash of the query of a held answer, where it is, and the reviewer's reason.
pub(crate) async fn state_in(
    transaction: &mut Transaction<'_, Sqlite>,
    peer: &NodeId,
    study: &StudyId,
) -> Result<Option<(String, HeldState, Option<String>)>, StoreError> {
    let row = sqlx::query("SELECT query_hash, state, reason FROM held_answer WHERE peer = $1 AND study = $2")
        .bind(peer.as_str())
        .bind(study.as_str())
        .fetch_optional(&mut **transaction)
        .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some((row.try_get("query_hash")?, state_of(row.try_get("state")?)?, row.try_get("reason")?)))
}

/// Notes that a released answer was picked up; nothing where the answer was never held.
pub(crate) async fn mark_fetched(
    transaction: &mut Transaction<'_, Sqlite>,
    peer: &NodeId,
    study: &StudyId,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE held_answer SET fetched = $3 WHERE peer = $1 AND study = $2 AND fetched IS NULL")
        .bind(peer.as_str())
        .bind(study.as_str())
        .bind(now.timestamp_millis())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests;

//! Tokens used and answers given: what makes a token good for once and a study's answer always the same.

use chrono::{DateTime, Utc};
use node_domain::{digest::Digest, node_id::NodeId};
use node_protocol::{envelope::AuditHead, study::StudyId};
use sqlx::{Row, Sqlite, Transaction};

use crate::{
    Store, StoreError,
    audit::{self, Event},
};

/// A request token as far as the store knows it.
#[derive(Debug, Clone)]
pub struct UsedToken {
    /// The node that issued it.
    pub issuer: NodeId,
    /// Its identifier.
    pub token: String,
    /// When it may be forgotten.
    pub forget_after: DateTime<Utc>,
}

/// What the store knows of a request before it is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Precedent {
    /// Nothing: a new request.
    None,
    /// The token was used.
    TokenUsed,
    /// The study was answered; the signed answer.
    Answered(String),
    /// The study was answered for another query.
    OtherQuery,
}

/// What became of an attempt to record an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    /// Recorded; it may be sent.
    Given(String),
    /// Something else was recorded first.
    Preceded(Precedent),
}

impl Store {
    /// What is known of a request. Cheap, and repeated under the write lock by the functions below.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn precedent(
        &self,
        token: &UsedToken,
        study: &StudyId,
        query_hash: &Digest,
    ) -> Result<Precedent, StoreError> {
        precedent_in(&mut self.pool.begin().await?, token, study, query_hash).await
    }

    /// Appends the audit entry, lets `sign` make the signed answer with the new head in it, and keeps that: all or nothing.
    ///
    /// # Errors
    /// Those of the database and of `sign`; then nothing was recorded and nothing may be sent.
    pub async fn give<E: From<StoreError>>(
        &self,
        token: &UsedToken,
        (study, query_hash): (&StudyId, &Digest),
        now: DateTime<Utc>,
        event: Event,
        sign: impl FnOnce(AuditHead) -> Result<String, E>,
    ) -> Result<Recorded, E> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(StoreError::from)?;
        let precedent = precedent_in(&mut transaction, token, study, query_hash).await?;
        if precedent != Precedent::None {
            return Ok(Recorded::Preceded(precedent));
        }
        use_token(&mut transaction, token, now).await?;
        let head = audit::append_in(&mut transaction, now, event).await?;
        let signed = sign(head)?;
        sqlx::query("INSERT INTO given_answer (peer, study, query_hash, signed, given) VALUES ($1, $2, $3, $4, $5)")
            .bind(token.issuer.as_str())
            .bind(study.as_str())
            .bind(query_hash.to_string())
            .bind(&signed)
            .bind(now.timestamp_millis())
            .execute(&mut *transaction)
            .await
            .map_err(StoreError::from)?;
        transaction.commit().await.map_err(StoreError::from)?;
        Ok(Recorded::Given(signed))
    }

    /// Records that the token was used for something that gives no new answer: a repeated answer or a refusal. Returns `false`
    /// if it was used before.
    ///
    /// # Errors
    /// Those of the database; then nothing may be sent.
    pub async fn spend(&self, token: &UsedToken, now: DateTime<Utc>, event: Event) -> Result<bool, StoreError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        if token_used(&mut transaction, token).await? {
            return Ok(false);
        }
        use_token(&mut transaction, token, now).await?;
        audit::append_in(&mut transaction, now, event).await?;
        transaction.commit().await?;
        Ok(true)
    }
}

async fn token_used(transaction: &mut Transaction<'_, Sqlite>, token: &UsedToken) -> Result<bool, StoreError> {
    let row = sqlx::query("SELECT 1 FROM used_token WHERE issuer = $1 AND token = $2")
        .bind(token.issuer.as_str())
        .bind(&token.token)
        .fetch_optional(&mut **transaction)
        .await?;
    Ok(row.is_some())
}

async fn precedent_in(
    transaction: &mut Transaction<'_, Sqlite>,
    token: &UsedToken,
    study: &StudyId,
    query_hash: &Digest,
) -> Result<Precedent, StoreError> {
    if token_used(transaction, token).await? {
        return Ok(Precedent::TokenUsed);
    }
    let row = sqlx::query("SELECT query_hash, signed FROM given_answer WHERE peer = $1 AND study = $2")
        .bind(token.issuer.as_str())
        .bind(study.as_str())
        .fetch_optional(&mut **transaction)
        .await?;
    let Some(row) = row else { return Ok(Precedent::None) };
    let same = row.try_get::<&str, _>("query_hash")? == query_hash.to_string();
    Ok(if same { Precedent::Answered(row.try_get("signed")?) } else { Precedent::OtherQuery })
}

/// Remembers the token and forgets those that have expired, which are refused for their time.
async fn use_token(
    transaction: &mut Transaction<'_, Sqlite>,
    token: &UsedToken,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM used_token WHERE forget_after < $1")
        .bind(now.timestamp_millis())
        .execute(&mut **transaction)
        .await?;
    sqlx::query("INSERT INTO used_token (issuer, token, forget_after) VALUES ($1, $2, $3)")
        .bind(token.issuer.as_str())
        .bind(&token.token)
        .bind(token.forget_after.timestamp_millis())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

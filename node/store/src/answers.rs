//! Tokens used and answers given: what makes a token good for once and a study's answer always the same.

use chrono::{DateTime, Utc};
use node_domain::{digest::Digest, node_id::NodeId};
use node_protocol::{envelope::AuditHead, study::StudyId};
use sqlx::{Row, Sqlite, Transaction};

use crate::{
    Store, StoreError,
    audit::{self, Event},
    budgets::{self, BudgetCharge, BudgetScope},
    ledger::{self, LedgerEntry, LineState},
    reviews::{self, HeldState},
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

/// An answer that is handed over, now or after a review, with all that is remembered of it.
#[derive(Debug, Clone)]
pub struct Handover {
    /// The token that it is asked with; its issuer is the peer that gets the answer.
    pub token: UsedToken,
    /// The study.
    pub study: StudyId,
    /// Hash of the query.
    pub query_hash: Digest,
    /// Role of the researcher.
    pub role: String,
    /// Hash of the policy in force.
    pub policy_hash: Digest,
    /// Hash of the answer.
    pub answer_hash: Digest,
    /// What policy decided and why, in one line.
    pub why: String,
    /// The line of the ledger.
    pub entry: LedgerEntry,
    /// The price, where the answer has one.
    pub charge: Option<BudgetCharge>,
    /// For an exact answer of the asker's making: [`Store::ledger_end`] from before the ledger was read for its audit. Where
    /// another exact answer came into the ledger since, nothing is recorded.
    pub audited_to: Option<u64>,
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
    /// The study's answer waits for a steward.
    Held,
    /// A steward has refused to release the study's answer; why.
    ReviewRefused(String),
    /// The study was asked with another query.
    OtherQuery,
}

/// What became of an attempt to record an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    /// Recorded; it may be sent.
    Given(String),
    /// Recorded, and kept back until a steward releases it.
    Held,
    /// Something else was recorded first.
    Preceded(Precedent),
    /// This budget does not suffice; nothing was recorded.
    BudgetSpent(BudgetScope),
    /// Another exact answer came into the ledger since this one was audited; nothing was recorded. Audit it again.
    Overtaken,
}

/// How an answer is handed over.
#[derive(Clone, Copy)]
enum Manner<'m> {
    Given,
    Held { class: &'m str },
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

    /// Charges the answer, writes it into the ledger, appends the audit entry, lets `sign` make the signed answer with the new
    /// head in it, and keeps that: all or nothing.
    ///
    /// # Errors
    /// Those of the database and of `sign`; then nothing was recorded and nothing may be sent.
    pub async fn give<E: From<StoreError>>(
        &self,
        handover: &Handover,
        now: DateTime<Utc>,
        sign: impl FnOnce(AuditHead) -> Result<String, E>,
    ) -> Result<Recorded, E> {
        self.hand_over(handover, Manner::Given, now, sign).await
    }

    /// As [`Store::give`], but the signed answer is kept back until a steward releases it. `class` says why it waits.
    ///
    /// # Errors
    /// Those of the database and of `sign`; then nothing was recorded.
    pub async fn hold<E: From<StoreError>>(
        &self,
        handover: &Handover,
        class: &str,
        now: DateTime<Utc>,
        sign: impl FnOnce(AuditHead) -> Result<String, E>,
    ) -> Result<Recorded, E> {
        self.hand_over(handover, Manner::Held { class }, now, sign).await
    }

    async fn hand_over<E: From<StoreError>>(
        &self,
        handover: &Handover,
        manner: Manner<'_>,
        now: DateTime<Utc>,
        sign: impl FnOnce(AuditHead) -> Result<String, E>,
    ) -> Result<Recorded, E> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(StoreError::from)?;
        let Handover { token, study, query_hash, .. } = handover;
        let precedent = precedent_in(&mut transaction, token, study, query_hash).await?;
        if precedent != Precedent::None {
            return Ok(Recorded::Preceded(precedent));
        }
        if let Some(audited_to) = handover.audited_to
            && ledger::exact_since(&mut transaction, audited_to).await?
        {
            return Ok(Recorded::Overtaken);
        }
        if let Some(charge) = &handover.charge {
            let short = budgets::charge_in(&mut transaction, (&token.issuer, study), charge, now).await?;
            if let Some(scope) = short {
                return Ok(Recorded::BudgetSpent(scope));
            }
        }
        use_token(&mut transaction, token, now).await?;
        let (event, state) = match manner {
            Manner::Given => (given(handover), LineState::Given),
            Manner::Held { class } => (held(handover, class), LineState::Held),
        };
        ledger::append_in(&mut transaction, handover, state, now).await?;
        let head = audit::append_in(&mut transaction, now, event).await?;
        let signed = sign(head)?;
        match manner {
            Manner::Given => {
                keep_given(&mut transaction, (&token.issuer, study), query_hash, &signed, now).await?;
            }
            Manner::Held { class } => reviews::keep_held(&mut transaction, handover, class, &signed, now).await?,
        }
        transaction.commit().await.map_err(StoreError::from)?;
        Ok(match manner {
            Manner::Given => Recorded::Given(signed),
            Manner::Held { .. } => Recorded::Held,
        })
    }

    /// Records that the token was used for something that gives no new answer: a repeated answer or a refusal. Returns `false`
    /// if it was used before, or if the answer that was to be repeated is no longer given; then nothing may be sent but a
    /// refusal.
    ///
    /// # Errors
    /// Those of the database; then nothing may be sent.
    pub async fn spend(&self, token: &UsedToken, now: DateTime<Utc>, event: Event) -> Result<bool, StoreError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        if token_used(&mut transaction, token).await? {
            return Ok(false);
        }
        if let Event::AnswerRepeated { peer, study } = &event {
            // from here on the release of a held answer cannot be undone
            if given_in(&mut transaction, peer, study).await?.is_none() {
                return Ok(false);
            }
            reviews::mark_fetched(&mut transaction, peer, study, now).await?;
        }
        use_token(&mut transaction, token, now).await?;
        audit::append_in(&mut transaction, now, event).await?;
        transaction.commit().await?;
        Ok(true)
    }
}

fn given(handover: &Handover) -> Event {
    let entry = &handover.entry;
    Event::AnswerGiven {
        peer: handover.token.issuer.clone(),
        subject: entry.subject.clone(),
        study: handover.study.clone(),
        query_hash: handover.query_hash,
        query: entry.query.clone(),
        snapshot: entry.snapshot,
        policy_hash: handover.policy_hash,
        answer_hash: handover.answer_hash,
        project: entry.project.clone(),
        role: Some(handover.role.clone()),
        rule: Some(entry.rule.to_owned()),
        why: Some(handover.why.clone()),
    }
}

fn held(handover: &Handover, class: &str) -> Event {
    let entry = &handover.entry;
    Event::AnswerHeld {
        peer: handover.token.issuer.clone(),
        subject: entry.subject.clone(),
        study: handover.study.clone(),
        query_hash: handover.query_hash,
        query: entry.query.clone(),
        snapshot: entry.snapshot,
        policy_hash: handover.policy_hash,
        answer_hash: handover.answer_hash,
        project: entry.project.clone(),
        role: Some(handover.role.clone()),
        rule: Some(entry.rule.to_owned()),
        why: Some(handover.why.clone()),
        class: class.to_owned(),
    }
}

/// Keeps a signed answer, so that its study gets it again.
pub(crate) async fn keep_given(
    transaction: &mut Transaction<'_, Sqlite>,
    (peer, study): (&NodeId, &StudyId),
    query_hash: &Digest,
    signed: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO given_answer (peer, study, query_hash, signed, given) VALUES ($1, $2, $3, $4, $5)")
        .bind(peer.as_str())
        .bind(study.as_str())
        .bind(query_hash.to_string())
        .bind(signed)
        .bind(now.timestamp_millis())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// The hash of the query and the signed answer that a study got.
async fn given_in(
    transaction: &mut Transaction<'_, Sqlite>,
    peer: &NodeId,
    study: &StudyId,
) -> Result<Option<(String, String)>, StoreError> {
    let row = sqlx::query("SELECT query_hash, signed FROM given_answer WHERE peer = $1 AND study = $2")
        .bind(peer.as_str())
        .bind(study.as_str())
        .fetch_optional(&mut **transaction)
        .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some((row.try_get("query_hash")?, row.try_get("signed")?)))
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
    let query_hash = query_hash.to_string();
    if let Some((of, signed)) = given_in(transaction, &token.issuer, study).await? {
        return Ok(if of == query_hash { Precedent::Answered(signed) } else { Precedent::OtherQuery });
    }
    let Some((of, state, reason)) = reviews::state_in(transaction, &token.issuer, study).await? else {
        return Ok(Precedent::None);
    };
    match state {
        _ if of != query_hash => Ok(Precedent::OtherQuery),
        HeldState::Waiting => Ok(Precedent::Held),
        HeldState::Refused => Ok(Precedent::ReviewRefused(reason.unwrap_or_default())),
        // a released answer is among those given, in the same transaction
        HeldState::Released => Err(StoreError::Damaged("held_answer")),
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::{handover, now, signed, store, token};

    #[tokio::test]
    async fn a_study_gets_one_answer_and_a_token_is_good_for_once() {
        let (_folder, store) = store().await;
        let first = handover(1);
        let Recorded::Given(answer) = store.give(&first, now(), signed).await.unwrap() else { panic!() };
        assert_eq!(answer, "signed at 1");
        let precedent = async |token: &UsedToken, query_hash: &Digest| {
            store.precedent(token, &first.study, query_hash).await.unwrap()
        };
        assert_eq!(precedent(&first.token, &first.query_hash).await, Precedent::TokenUsed);
        assert_eq!(precedent(&token(2), &first.query_hash).await, Precedent::Answered(answer.clone()));
        assert_eq!(precedent(&token(2), &Digest::of(b"another")).await, Precedent::OtherQuery);

        let mut again = first.clone();
        again.token = token(2);
        let preceded = Recorded::Preceded(Precedent::Answered(answer));
        assert_eq!(store.give(&again, now(), signed).await.unwrap(), preceded);
        assert_eq!(store.hold(&again, "class", now(), signed).await.unwrap(), preceded);
        let repeated = || Event::AnswerRepeated { peer: again.token.issuer.clone(), study: again.study.clone() };
        assert!(store.spend(&again.token, now(), repeated()).await.unwrap());
        assert!(!store.spend(&again.token, now(), repeated()).await.unwrap(), "used by now");
    }

    #[tokio::test]
    async fn an_answer_that_is_not_there_is_not_repeated() {
        let (_folder, store) = store().await;
        let first = handover(1);
        let event = Event::AnswerRepeated { peer: first.token.issuer.clone(), study: first.study.clone() };
        assert!(!store.spend(&first.token, now(), event).await.unwrap());
        assert_eq!(store.head().await.unwrap().sequence, 0);
    }

    #[tokio::test]
    async fn a_failure_to_sign_leaves_nothing() {
        let (_folder, store) = store().await;
        let mut first = handover(1);
        let project = "ar-2026-001".parse().unwrap();
        first.charge = Some(BudgetCharge { project, rho: 0.5, project_granted: 1.0, node_granted: 1.0 });
        let fail = |_| Err(StoreError::Damaged("the key"));
        assert!(store.give(&first, now(), fail).await.is_err());
        assert!(store.hold(&first, "class", now(), fail).await.is_err());
        assert_eq!(store.head().await.unwrap().sequence, 0);
        assert_eq!(store.ledger_end().await.unwrap(), 0);
        assert_eq!(store.budget_spent(&BudgetScope::Node).await.unwrap().to_bits(), 0.0_f64.to_bits());
        assert!(store.held_answers(None).await.unwrap().is_empty());
        let precedent = store.precedent(&first.token, &first.study, &first.query_hash).await.unwrap();
        assert_eq!(precedent, Precedent::None);
        assert!(matches!(store.give(&first, now(), signed).await.unwrap(), Recorded::Given(_)));
    }

    #[tokio::test]
    async fn an_exact_answer_is_not_given_when_another_came_first() {
        let (_folder, store) = store().await;
        let exact = |study| {
            let mut exact = handover(study);
            exact.entry.rule = "exact_ad_hoc";
            exact.audited_to = Some(0);
            exact
        };
        assert!(matches!(store.give(&handover(9), now(), signed).await.unwrap(), Recorded::Given(_)));
        assert!(matches!(store.give(&exact(1), now(), signed).await.unwrap(), Recorded::Given(_)));
        assert_eq!(store.give(&exact(2), now(), signed).await.unwrap(), Recorded::Overtaken);
        let mut again = exact(2);
        again.audited_to = Some(store.ledger_end().await.unwrap());
        assert_eq!(store.hold(&again, "class", now(), signed).await.unwrap(), Recorded::Held);
    }
}

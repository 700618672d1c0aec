//! What the tests of several modules share.

use chrono::{DateTime, Duration, Utc};
use node_domain::{digest::Digest, node_id::NodeId};
use node_protocol::{envelope::AuditHead, study::StudyId};

use crate::{
    Store, StoreError,
    answers::{Handover, UsedToken},
    ledger::LedgerEntry,
};

pub(crate) const QUERY: &str = r#"{"by":["sex"],"dictionary":"1.0","statistic":{"kind":"count"},"table":"cases"}"#;

pub(crate) async fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("node.db")).await.unwrap();
    (folder, store)
}

pub(crate) fn now() -> DateTime<Utc> {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

pub(crate) fn peer() -> NodeId {
    "ar".parse().unwrap()
}

pub(crate) fn token(number: u32) -> UsedToken {
    UsedToken { issuer: peer(), token: format!("token-{number}"), forget_after: now() + Duration::minutes(2) }
}

/// The answer of study `number`, whose token has the same number; perturbed, and nothing of it is charged.
pub(crate) fn handover(number: u32) -> Handover {
    Handover {
        token: token(number),
        study: StudyId::from_random(u128::from(number)),
        query_hash: Digest::of(QUERY.as_bytes()),
        role: "researcher".to_owned(),
        policy_hash: Digest::of(b"policy"),
        answer_hash: Digest::of(b"answer"),
        why: "exploration: counts of cases are answered".to_owned(),
        entry: LedgerEntry {
            subject: "r-1".to_owned(),
            project: None,
            question_hash: Digest::of(b"question"),
            query: QUERY.to_owned(),
            snapshot: Digest::of(b"snapshot"),
            rule: "perturbed",
            answer: Some(answer(12)),
        },
        charge: None,
        audited_to: None,
    }
}

/// An exact answer with one cell.
pub(crate) fn answer(persons: u64) -> String {
    let safeguards = r#"{"rule":"exact_ad_hoc","persons":5,"events":3,"at_risk":10}"#;
    let cell = format!(r#"{{"group":{{"sex":"1"}},"persons":{{"state":"exact","n":{persons}}}}}"#);
    format!(r#"{{"kind":"count","release":{safeguards},"cells":[{cell}]}}"#)
}

#[expect(clippy::unnecessary_wraps, reason = "it stands for a signature, which can fail")]
pub(crate) fn signed(head: AuditHead) -> Result<String, StoreError> {
    Ok(format!("signed at {}", head.sequence))
}

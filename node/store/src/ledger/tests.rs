//! The ledger as audits and people read it.

use chrono::Duration;

use super::*;
use crate::support::{answer, handover, now, peer, signed, store};

struct Line {
    study: u32,
    question: &'static str,
    snapshot: &'static str,
    rule: &'static str,
    persons: Option<u64>,
}

async fn give(store: &Store, line: Line) {
    let mut given = handover(line.study);
    given.entry.question_hash = Digest::of(line.question.as_bytes());
    given.entry.snapshot = Digest::of(line.snapshot.as_bytes());
    given.entry.rule = line.rule;
    given.entry.answer = line.persons.map(answer);
    store.give(&given, now() + Duration::seconds(i64::from(line.study)), signed).await.unwrap();
}

fn line(study: u32, question: &'static str, snapshot: &'static str, persons: u64) -> Line {
    Line { study, question, snapshot, rule: EXACT, persons: Some(persons) }
}

#[tokio::test]
async fn exact_answers_are_found_on_all_snapshots_and_each_once() {
    let (_folder, store) = store().await;
    give(&store, line(1, "a", "first", 12)).await;
    give(&store, line(2, "a", "first", 12)).await;
    give(&store, line(3, "a", "first", 13)).await;
    give(&store, line(4, "b", "second", 14)).await;
    give(&store, line(5, "c", "third", 15)).await;
    give(&store, Line { rule: "perturbed", ..line(6, "d", "first", 16) }).await;
    let (first, second) = (Digest::of(b"first"), Digest::of(b"second"));
    let found = store.exact_released().await.unwrap();
    let found: Vec<_> = found.iter().map(|found| (found.snapshot, persons(&found.answer))).collect();
    assert_eq!(found, [(first, 12), (first, 13), (second, 14), (Digest::of(b"third"), 15)]);
    let ever = chrono::DateTime::UNIX_EPOCH;
    assert_eq!(store.different_questions_since(ever, EXACT).await.unwrap(), 3);
    assert_eq!(store.different_questions_since(ever, "perturbed").await.unwrap(), 1);
    assert_eq!(store.different_questions_since(now() + chrono::TimeDelta::days(1), EXACT).await.unwrap(), 0);
    assert!(store.asked_since(ever, &Digest::of(b"a"), EXACT).await.unwrap());
    assert!(!store.asked_since(ever, &Digest::of(b"a"), "perturbed").await.unwrap());
    assert!(store.released_before(&first, &Digest::of(b"a"), EXACT).await.unwrap().is_some());
    assert!(store.released_before(&first, &Digest::of(b"b"), EXACT).await.unwrap().is_none());
}

#[tokio::test]
async fn the_last_release_is_the_newest_on_another_snapshot() {
    let (_folder, store) = store().await;
    give(&store, line(1, "a", "first", 12)).await;
    give(&store, line(2, "a", "second", 13)).await;
    give(&store, line(3, "a", "third", 14)).await;
    give(&store, Line { persons: None, ..line(4, "a", "fourth", 0) }).await;
    let last = async |other_than: &str| {
        let question = Digest::of(b"a");
        let last = store.last_release(&question, EXACT, &[Digest::of(other_than.as_bytes())]).await.unwrap();
        last.map(|(snapshot, answer)| (snapshot, persons(&answer)))
    };
    assert_eq!(last("third").await, Some((Digest::of(b"second"), 13)));
    assert_eq!(last("new").await, Some((Digest::of(b"third"), 14)), "look-ups hold no answer");
    assert!(store.last_release(&Digest::of(b"b"), EXACT, &[Digest::of(b"x")]).await.unwrap().is_none());
}

fn persons(answer: &Answer) -> u64 {
    let Answer::Count(count) = answer else { panic!() };
    count.cells[0].persons.exact().unwrap()
}

#[tokio::test]
async fn what_is_held_counts_and_what_was_refused_does_not() {
    let (_folder, store) = store().await;
    let mut held = handover(1);
    held.entry.rule = EXACT;
    let question = held.entry.question_hash;
    store.hold(&held, "exact", now(), signed).await.unwrap();
    let count = async || {
        let last = store.last_release(&question, EXACT, &[Digest::of(b"new")]).await.unwrap();
        let asked = store.asked_since(chrono::DateTime::UNIX_EPOCH, &question, EXACT).await.unwrap();
        let exact = store.exact_released().await.unwrap().len();
        (
            exact,
            store.different_questions_since(chrono::DateTime::UNIX_EPOCH, EXACT).await.unwrap(),
            asked,
            last.is_some(),
        )
    };
    assert_eq!(count().await, (1, 1, true, false), "its numbers are not out");
    store.review(&peer(), &held.study, false, "eva", "too fine", now()).await.unwrap();
    assert_eq!(count().await, (0, 0, false, false));
    let lines = store.ledger(&LedgerFilter::default(), 9).await.unwrap();
    assert_eq!((lines.len(), lines[0].state), (1, LineState::Refused), "it stays on record");
}

#[tokio::test]
async fn lines_are_found_by_what_was_asked_and_by_whom() {
    let (_folder, store) = store().await;
    for study in 1..=4 {
        let mut given = handover(study);
        if study == 2 {
            given.entry.subject = "r-2".to_owned();
            given.entry.project = Some("ar-1".to_owned());
            given.entry.query = r#"{"dictionary":"1.0","table":"doses","where":[{"field":"route","in":["IT"]}],
                "statistic":{"kind":"count"}}"#
                .to_owned();
        }
        given.entry.rule = if study == 3 { "catalogue" } else { "perturbed" };
        given.entry.answer = given.entry.answer.filter(|_| study != 3);
        store.give(&given, now() + Duration::seconds(i64::from(study)), signed).await.unwrap();
    }
    let numbers = async |filter: LedgerFilter| {
        let lines = store.ledger(&filter, 9).await.unwrap();
        lines.iter().map(|line| line.number).collect::<Vec<_>>()
    };
    let any = LedgerFilter::default;
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(numbers(any()).await, [4, 3, 2, 1]);
    assert_eq!(numbers(LedgerFilter { peer: Some("cl".parse().unwrap()), ..any() }).await, [0; 0]);
    assert_eq!(numbers(LedgerFilter { subject: text("r-2"), ..any() }).await, [2]);
    assert_eq!(numbers(LedgerFilter { project: text("ar-1"), ..any() }).await, [2]);
    assert_eq!(numbers(LedgerFilter { rule: text("catalogue"), ..any() }).await, [3]);
    assert_eq!(numbers(LedgerFilter { since: Some(now() + Duration::seconds(3)), ..any() }).await, [4, 3]);
    assert_eq!(numbers(LedgerFilter { table: text("doses"), ..any() }).await, [2]);
    assert_eq!(numbers(LedgerFilter { field: text("sex"), ..any() }).await, [4, 3, 1]);
    let route = |value| LedgerFilter { field: text("route"), value: text(value), ..any() };
    assert_eq!(numbers(route("IT")).await, [2]);
    assert_eq!(numbers(route("IV")).await, [0; 0]);
    let newest = store.ledger(&any(), 2).await.unwrap();
    assert_eq!(newest.len(), 2);
    assert_eq!((newest[1].answer.is_none(), newest[0].answer.is_some()), (true, true));
    assert_eq!(store.ledger_end().await.unwrap(), 4);
}

//! Held answers through every state, also with several people at once.

use super::*;
use crate::{
    answers::{Precedent, Recorded},
    ledger::LedgerFilter,
    support::{handover, now, peer, signed, store, token},
};

/// A store in which the answer of study 1 waits.
async fn waiting(rule: &'static str) -> (tempfile::TempDir, Store, Handover) {
    let (folder, store) = store().await;
    let mut held = handover(1);
    held.entry.rule = rule;
    assert_eq!(store.hold(&held, "exact answers", now(), signed).await.unwrap(), Recorded::Held);
    (folder, store, held)
}

async fn precedent(store: &Store, of: &Handover, number: u32) -> Precedent {
    store.precedent(&token(number), &of.study, &of.query_hash).await.unwrap()
}

async fn line(store: &Store) -> LineState {
    store.ledger(&LedgerFilter::default(), 9).await.unwrap().pop().unwrap().state
}

fn repeated(of: &Handover) -> Event {
    Event::AnswerRepeated { peer: peer(), study: of.study.clone() }
}

#[tokio::test]
async fn a_held_answer_waits_with_its_head_and_is_then_released_as_it_was_signed() {
    let (_folder, store, held) = waiting("perturbed").await;
    assert_eq!(precedent(&store, &held, 1).await, Precedent::TokenUsed);
    assert_eq!(precedent(&store, &held, 2).await, Precedent::Held);
    let other = store.precedent(&token(2), &held.study, &Digest::of(b"other")).await.unwrap();
    assert_eq!(other, Precedent::OtherQuery);
    let found = store.held_answer(&peer(), &held.study).await.unwrap().unwrap();
    assert_eq!((found.signed.as_str(), found.class.as_str()), ("signed at 1", "exact answers"));
    assert!(found.answer.is_some() && found.reviewer.is_none());

    let reviewed = store.review(&peer(), &held.study, true, "eva", "fine", now()).await.unwrap();
    assert_eq!(reviewed, Reviewed::Done);
    assert_eq!(precedent(&store, &held, 2).await, Precedent::Answered("signed at 1".to_owned()));
    assert_eq!(line(&store).await, LineState::Given);
    let entries = store.recent_entries(9).await.unwrap();
    let what: Vec<_> = entries.iter().map(|entry| entry.event.what()).collect();
    assert_eq!(what, ["answer_given", "answer_reviewed", "answer_held"]);
    let Event::AnswerGiven { query, answer_hash, why, .. } = &entries[0].event else { panic!() };
    assert_eq!((query, *answer_hash, why.as_ref()), (&held.entry.query, held.answer_hash, Some(&held.why)));
    let again = store.review(&peer(), &held.study, false, "ana", "no", now()).await.unwrap();
    assert_eq!(again, Reviewed::AlreadyDecided(HeldState::Released));
    assert_eq!(store.check_chain(&[]).await.unwrap(), (3, vec![]));
}

#[tokio::test]
async fn a_refused_answer_says_why_until_the_refusal_is_undone() {
    let (_folder, store, held) = waiting("perturbed").await;
    store.review(&peer(), &held.study, false, "eva", "too fine", now()).await.unwrap();
    assert_eq!(precedent(&store, &held, 2).await, Precedent::ReviewRefused("too fine".to_owned()));
    assert_eq!(line(&store).await, LineState::Refused);
    assert!(!store.spend(&token(2), now(), repeated(&held)).await.unwrap());

    assert_eq!(store.undo_review(&peer(), &held.study, "ana", "a slip", now()).await.unwrap(), Undone::Done);
    assert_eq!(precedent(&store, &held, 2).await, Precedent::Held);
    assert_eq!(line(&store).await, LineState::Held);
    assert_eq!(store.undo_review(&peer(), &held.study, "ana", "", now()).await.unwrap(), Undone::Waiting);
    store.review(&peer(), &held.study, true, "eva", "", now()).await.unwrap();
    assert_eq!(precedent(&store, &held, 2).await, Precedent::Answered("signed at 1".to_owned()));
}

#[tokio::test]
async fn a_release_can_be_undone_until_it_is_picked_up() {
    let (_folder, store, held) = waiting("perturbed").await;
    let undo = async || store.undo_review(&peer(), &held.study, "ana", "a slip", now()).await.unwrap();
    store.review(&peer(), &held.study, true, "eva", "", now()).await.unwrap();
    let seen = precedent(&store, &held, 2).await;
    assert!(matches!(seen, Precedent::Answered(_)));
    assert_eq!(undo().await, Undone::Done);
    assert_eq!(precedent(&store, &held, 2).await, Precedent::Held);
    assert!(!store.spend(&token(2), now(), repeated(&held)).await.unwrap(), "seen before, but no longer given");

    store.review(&peer(), &held.study, true, "eva", "", now()).await.unwrap();
    assert!(store.spend(&token(2), now(), repeated(&held)).await.unwrap());
    assert_eq!(undo().await, Undone::PickedUp);
    assert_eq!(line(&store).await, LineState::Given);
    let found = store.held_answer(&peer(), &held.study).await.unwrap().unwrap();
    assert_eq!(found.fetched, Some(now()));
}

#[tokio::test]
async fn a_refusal_is_not_undone_when_answers_left_that_did_not_know_of_it() {
    let (_folder, store, held) = waiting("exact_ad_hoc").await;
    store.review(&peer(), &held.study, false, "eva", "too fine", now()).await.unwrap();
    let mut other = handover(2);
    other.entry.question_hash = Digest::of(b"another question");
    store.give(&other, now(), signed).await.unwrap();
    let undo = async || store.undo_review(&peer(), &held.study, "ana", "", now()).await.unwrap();
    assert_eq!(undo().await, Undone::Done, "a perturbed answer to another question has nothing to do with it");
    let mut late = handover(3);
    late.entry.rule = "exact_ad_hoc";
    late.audited_to = Some(2);
    assert_eq!(store.give(&late, now(), signed).await.unwrap(), Recorded::Overtaken, "audited without it");
    store.review(&peer(), &held.study, false, "eva", "too fine", now()).await.unwrap();
    late.audited_to = Some(store.ledger_end().await.unwrap());
    assert!(matches!(store.give(&late, now(), signed).await.unwrap(), Recorded::Given(_)));
    assert_eq!(undo().await, Undone::Overtaken);

    let mut earlier = handover(4);
    earlier.entry.question_hash = Digest::of(b"a question of its own");
    store.hold(&earlier, "class", now(), signed).await.unwrap();
    store.review(&peer(), &earlier.study, false, "eva", "", now()).await.unwrap();
    let mut later = handover(5);
    later.entry.question_hash = earlier.entry.question_hash;
    later.entry.snapshot = Digest::of(b"the next snapshot");
    store.give(&later, now(), signed).await.unwrap();
    let undone = store.undo_review(&peer(), &earlier.study, "ana", "", now()).await.unwrap();
    assert_eq!(undone, Undone::Overtaken, "the later answer was not compared with it");
}

#[tokio::test]
async fn of_many_reviewers_one_is_heard() {
    let (_folder, store, held) = waiting("perturbed").await;
    let tasks: Vec<_> = (0..20)
        .map(|at| {
            let (store, study) = (store.clone(), held.study.clone());
            tokio::spawn(async move { store.review(&peer(), &study, at % 2 == 0, "eva", "", now()).await.unwrap() })
        })
        .collect();
    let mut done = 0;
    for task in tasks {
        done += u32::from(task.await.unwrap() == Reviewed::Done);
    }
    assert_eq!(done, 1);
    let found = store.held_answer(&peer(), &held.study).await.unwrap().unwrap();
    let answered = matches!(precedent(&store, &held, 2).await, Precedent::Answered(_));
    assert_eq!(answered, found.state == HeldState::Released);
}

#[tokio::test]
async fn picking_up_and_undoing_at_once_never_both_succeed() {
    for round in 0..10 {
        let (_folder, store, held) = waiting("perturbed").await;
        store.review(&peer(), &held.study, true, "eva", "", now()).await.unwrap();
        let pick = {
            let (store, event) = (store.clone(), repeated(&held));
            tokio::spawn(async move { store.spend(&token(2), now(), event).await.unwrap() })
        };
        let undone = store.undo_review(&peer(), &held.study, "ana", "", now()).await.unwrap();
        assert_eq!(pick.await.unwrap(), undone == Undone::PickedUp, "round {round}");
    }
}

#[tokio::test]
async fn lists_are_by_state_and_what_is_unknown_is_said() {
    let (_folder, store, held) = waiting("perturbed").await;
    store.hold(&handover(2), "class", now(), signed).await.unwrap();
    store.review(&peer(), &held.study, false, "eva", "no", now()).await.unwrap();
    let count = async |state| store.held_answers(state).await.unwrap().len();
    assert_eq!(count(None).await, 2);
    assert_eq!(count(Some(HeldState::Waiting)).await, 1);
    assert_eq!(count(Some(HeldState::Refused)).await, 1);
    assert_eq!(count(Some(HeldState::Released)).await, 0);
    let nobody = handover(9).study;
    assert!(store.held_answer(&peer(), &nobody).await.unwrap().is_none());
    assert_eq!(store.review(&peer(), &nobody, true, "eva", "", now()).await.unwrap(), Reviewed::Unknown);
    assert_eq!(store.undo_review(&peer(), &nobody, "eva", "", now()).await.unwrap(), Undone::Unknown);
}

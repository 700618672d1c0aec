//! Proposals, decisions, what takes them back, and several stewards at once.

use chrono::Duration;
use node_protocol::project::Lane;

use super::*;
use crate::{
    audit::entries::EntryFilter,
    support::{now, store},
};

fn project(name: &str) -> Project {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Project {
        project: name.parse().unwrap(),
        proposer: "ar".parse().unwrap(),
        title: "Outcomes of Wilms tumour".to_owned(),
        purpose: "To compare survival".to_owned(),
        lead: "A. Gómez".to_owned(),
        countries: ["cl", "mx"].iter().map(|node| node.parse().unwrap()).collect(),
        terms: Terms {
            tables: names(&["cases"]),
            statistics: names(&["count", "survival"]),
            fields: names(&["index_cancer", "overall"]),
            lane: Lane::Exact,
            privacy: None,
            persons: None,
            expires: "2027-12-31".parse().unwrap(),
        },
        proposed: now(),
    }
}

fn decision(state: ProjectState, terms: Option<Terms>) -> Decision {
    Decision { state, terms, reason: Some("within our mandate".to_owned()) }
}

async fn stored(store: &Store, project: &Project) -> StoredProject {
    store.stored_project(&project.project).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_proposal_is_kept_once_and_no_other_takes_its_name() {
    let (_folder, store) = store().await;
    let first = project("ar-1");
    assert_eq!(store.receive_project(&first, "signed", now()).await.unwrap(), Received::New);
    assert_eq!(store.receive_project(&first, "signed", now()).await.unwrap(), Received::Known);
    let other = Project { title: "Another".to_owned(), ..first.clone() };
    assert_eq!(store.receive_project(&other, "forged", now()).await.unwrap(), Received::Conflict);
    assert_eq!(store.propose_project(&other, "forged", "ana", now()).await.unwrap(), Received::Conflict);
    let kept = stored(&store, &first).await;
    assert_eq!((&kept.project, kept.signed.as_str(), kept.state), (&first, "signed", ProjectState::Pending));
    assert!(kept.asked_here && kept.terms.is_none() && kept.decided.is_none());
    let entries = store.recent_entries(9).await.unwrap();
    let document_hash = canonical::digest(&first).unwrap();
    let received = Event::ProjectReceived { project: first.project, proposer: "ar".parse().unwrap(), document_hash };
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].event, received);
}

#[tokio::test]
async fn an_own_project_waits_here_only_where_it_asks_this_node() {
    let (_folder, store) = store().await;
    let elsewhere = project("ar-1");
    assert_eq!(store.propose_project(&elsewhere, "signed", "ana", now()).await.unwrap(), Received::New);
    assert!(!stored(&store, &elsewhere).await.asked_here);
    let approve = || decision(ProjectState::Approved, None);
    assert_eq!(store.decide_project(&elsewhere.project, approve(), "eva", now()).await.unwrap(), Decided::NotAsked);
    let mut here = project("ar-2");
    here.countries.insert("ar".parse().unwrap());
    let later = now() + Duration::seconds(1);
    store.propose_project(&here, "signed", "ana", later).await.unwrap();
    assert_eq!(store.decide_project(&here.project, approve(), "eva", later).await.unwrap(), Decided::Done);
    let names = async |state| {
        let projects = store.projects(state).await.unwrap();
        projects.iter().map(|stored| stored.project.project.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names(None).await, ["ar-2", "ar-1"]);
    assert_eq!(names(Some(ProjectState::Approved)).await, ["ar-2"]);
    assert_eq!(names(Some(ProjectState::Declined)).await, [""; 0]);
}

#[tokio::test]
async fn a_decision_grants_and_taking_it_back_takes_the_grant() {
    let (_folder, store) = store().await;
    let proposal = project("ar-1");
    let id = &proposal.project;
    let decide = async |decision| store.decide_project(id, decision, "eva", now()).await.unwrap();
    assert_eq!(decide(decision(ProjectState::Approved, None)).await, Decided::Unknown);
    store.receive_project(&proposal, "signed", now()).await.unwrap();
    assert_eq!(store.reopen_project(id, "eva", "", now()).await.unwrap(), TakenBack::Impossible(ProjectState::Pending));

    assert_eq!(decide(decision(ProjectState::Approved, None)).await, Decided::Done);
    let kept = stored(&store, &proposal).await;
    assert_eq!((kept.state, kept.terms.as_ref()), (ProjectState::Approved, Some(&proposal.terms)));
    assert_eq!((kept.decided_by.as_deref(), kept.decided), (Some("eva"), Some(now())));
    let again = decide(decision(ProjectState::Declined, None)).await;
    assert_eq!(again, Decided::AlreadyDecided(ProjectState::Approved));

    assert_eq!(store.reopen_project(id, "ana", "a slip", now()).await.unwrap(), TakenBack::Done);
    let kept = stored(&store, &proposal).await;
    assert_eq!((kept.state, kept.terms, kept.decided_by), (ProjectState::Pending, None, None));
    assert_eq!(kept.reason.as_deref(), Some("a slip"), "the proposer reads why it waits again");

    let narrow = Terms { lane: Lane::Perturbed, persons: Some(11), ..proposal.terms.clone() };
    assert_eq!(decide(decision(ProjectState::Narrowed, Some(narrow.clone()))).await, Decided::Done);
    assert_eq!(stored(&store, &proposal).await.terms, Some(narrow.clone()));
    store.reopen_project(id, "ana", "", now()).await.unwrap();
    assert_eq!(decide(decision(ProjectState::Declined, None)).await, Decided::Done);
    assert_eq!(store.reopen_project(id, "ana", "", now()).await.unwrap(), TakenBack::Done);

    assert_eq!(store.withdraw_project(id, "ar", None, now()).await.unwrap(), TakenBack::Done);
    let kept = stored(&store, &proposal).await;
    assert_eq!((kept.state, kept.terms), (ProjectState::Withdrawn, None));
    let withdrawn = TakenBack::Impossible(ProjectState::Withdrawn);
    assert_eq!(store.withdraw_project(id, "ar", None, now()).await.unwrap(), withdrawn);
    assert_eq!(store.reopen_project(id, "ana", "", now()).await.unwrap(), withdrawn);
    assert_eq!(decide(decision(ProjectState::Approved, None)).await, Decided::AlreadyDecided(ProjectState::Withdrawn));

    let of_project = EntryFilter { project: Some("ar-1".to_owned()), ..EntryFilter::default() };
    let entries = store.entries(&of_project).await.unwrap();
    let what: Vec<_> = entries.iter().rev().map(|entry| entry.event.what()).collect();
    assert_eq!(what[..3], ["project_received", "project_decided", "project_reopened"]);
    assert_eq!(what.last(), Some(&"project_withdrawn"));
    let granted = entries.iter().find_map(|entry| match &entry.event {
        Event::ProjectDecided { state: ProjectState::Narrowed, terms, .. } => terms.as_deref(),
        _ => None,
    });
    assert_eq!(granted, Some(&narrow), "the entry tells what was granted");
    assert_eq!(store.check_chain(&[]).await.unwrap().1, []);
}

#[tokio::test]
async fn nothing_is_granted_beyond_the_proposal() {
    let (_folder, store) = store().await;
    let proposal = project("ar-1");
    store.receive_project(&proposal, "signed", now()).await.unwrap();
    let longer = Terms { expires: "2028-12-31".parse().unwrap(), ..proposal.terms.clone() };
    let shorter = Terms { expires: "2027-01-31".parse().unwrap(), ..proposal.terms.clone() };
    for unfit in [
        decision(ProjectState::Narrowed, Some(longer)),
        decision(ProjectState::Narrowed, None),
        decision(ProjectState::Approved, Some(shorter.clone())),
        decision(ProjectState::Declined, Some(shorter)),
        decision(ProjectState::Expired, None),
        decision(ProjectState::Pending, None),
    ] {
        let decided = store.decide_project(&proposal.project, unfit, "eva", now()).await.unwrap();
        assert_eq!(decided, Decided::Unfit);
    }
    assert_eq!(store.recent_entries(9).await.unwrap().len(), 1);
}

#[tokio::test]
async fn of_many_stewards_one_is_heard() {
    let (_folder, store) = store().await;
    let proposal = project("ar-1");
    store.receive_project(&proposal, "signed", now()).await.unwrap();
    let tasks: Vec<_> = (0..20)
        .map(|at| {
            let (store, id) = (store.clone(), proposal.project.clone());
            let state = if at % 2 == 0 { ProjectState::Approved } else { ProjectState::Declined };
            tokio::spawn(async move { store.decide_project(&id, decision(state, None), "eva", now()).await.unwrap() })
        })
        .collect();
    let mut done = 0;
    for task in tasks {
        done += u32::from(task.await.unwrap() == Decided::Done);
    }
    assert_eq!((done, store.recent_entries(99).await.unwrap().len()), (1, 2));
}

#[tokio::test]
async fn the_newest_word_of_each_node_is_kept() {
    let (_folder, store) = store().await;
    let proposal = project("ar-1");
    let id = &proposal.project;
    let [cl, mx]: [NodeId; 2] = ["cl", "mx"].map(|node| node.parse().unwrap());
    let later = now() + Duration::seconds(5);
    assert!(store.note_project_status(id, &mx, "x", ProjectState::Pending, now()).await.is_err(), "unknown");
    store.propose_project(&proposal, "signed", "ana", now()).await.unwrap();
    store.note_project_status(id, &mx, "mx 1", ProjectState::Pending, now()).await.unwrap();
    store.note_project_status(id, &mx, "mx 2", ProjectState::Approved, later).await.unwrap();
    store.note_project_status(id, &mx, "mx 1", ProjectState::Pending, now()).await.unwrap();
    store.note_project_status(id, &cl, "cl 1", ProjectState::Declined, now()).await.unwrap();
    let seen = store.project_statuses(id).await.unwrap();
    assert_eq!(seen.len(), 2);
    assert_eq!((&seen[0].node, seen[0].state), (&cl, ProjectState::Declined));
    assert_eq!((seen[1].signed.as_str(), seen[1].state, seen[1].seen), ("mx 2", ProjectState::Approved, later));
}

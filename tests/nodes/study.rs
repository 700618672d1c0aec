//! A study survives nodes that stop at any moment: it shows who is missing, completes later, and never takes a second value.

use node_protocol::{
    problem::ProblemKind,
    study::{Status, Study},
};
use node_store::audit::Event;
use node_tests::{Federation, Plan, policy, wilms};

use crate::COUNT;

async fn four() -> Federation {
    let nodes = &["mx", "ar", "co", "py"];
    Federation::start(Plan { nodes, data: Some(wilms().join("unequal")), policy: policy(5, 3, 10).unwrap() })
        .await
        .unwrap()
}

fn statuses(study: &Study) -> Vec<(&str, Status)> {
    study.nodes.iter().map(|node| (node.node.as_str(), node.status)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_away_is_unreachable_and_completes_the_study_when_it_returns() {
    let mut federation = four().await;
    federation.stop_node("co").await;
    let (id, _) = federation.begin(COUNT).await.unwrap();
    let again = federation.node("mx").requester.round(&id).await.unwrap();
    assert!(again);
    let partial = federation.node("mx").requester.study(&id).await.unwrap();
    let expected =
        [("ar", Status::Answered), ("co", Status::Unreachable), ("mx", Status::Answered), ("py", Status::Answered)];
    assert_eq!(statuses(&partial), expected);
    assert!(
        partial.notes.iter().any(|note| note.code == "partial")
            && partial.notes.iter().any(|note| note.code == "unreachable")
    );

    // the asking node restarts too, and goes on by itself
    federation.stop_node("mx").await;
    federation.start_node("co").await.unwrap();
    federation.start_node("mx").await.unwrap();
    let requester = &federation.node("mx").requester;
    let mut complete = requester.study(&id).await.unwrap();
    for _ in 0..200 {
        if complete.nodes.iter().all(|node| node.status == Status::Answered) {
            break;
        }
        tokio::task::yield_now().await;
        requester.round(&id).await.unwrap();
        complete = requester.study(&id).await.unwrap();
    }
    assert!(complete.nodes.iter().all(|node| node.status == Status::Answered), "{:?}", statuses(&complete));
    for (before, after) in partial.nodes.iter().zip(&complete.nodes).filter(|(before, _)| before.answer.is_some()) {
        assert_eq!(before.answer, after.answer, "{} was given once and stays", before.node);
    }
    assert!(!complete.notes.iter().any(|note| note.code == "partial"));
    // each node counted one answer for this study
    for name in ["ar", "co", "py"] {
        let entries = federation.node(name).responder.store.recent_entries(100).await.unwrap();
        let given =
            entries.iter().filter(|entry| matches!(&entry.event, Event::AnswerGiven { study, .. } if *study == id));
        assert_eq!(given.count(), 1, "{name}");
    }
    federation.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_the_deadline_nobody_is_asked_any_more() {
    let mut federation = four().await;
    federation.stop_node("co").await;
    let (id, _) = federation.begin(COUNT).await.unwrap();
    assert!(federation.node("mx").requester.round(&id).await.unwrap());
    federation.clock.advance(chrono::TimeDelta::hours(2));
    federation.start_node("co").await.unwrap();
    assert!(!federation.node("mx").requester.round(&id).await.unwrap());
    let study = federation.node("mx").requester.study(&id).await.unwrap();
    assert_eq!(study.nodes.iter().find(|node| node.node.as_str() == "co").unwrap().status, Status::Unreachable);
    federation.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_policy_refuses_is_refused_by_name_and_audited() {
    let federation = four().await;
    let query = COUNT.replace("\"table\"", "\"project\":\"xx-1\",\"by\":[\"stage\"],\"table\"");
    let study = federation.ask(&query).await.unwrap();
    for node in &study.nodes {
        assert_eq!(node.status, Status::Refused);
        assert_eq!(node.problem.as_ref().map(|problem| problem.kind), Some(ProblemKind::ProjectNotApproved));
    }
    assert_eq!(study.pooled, None);
    let entries = federation.node("ar").responder.store.recent_entries(1).await.unwrap();
    assert!(
        matches!(&entries[0].event, Event::QueryRefused { problem, .. } if problem.ends_with("project-not-approved"))
    );
    federation.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_snapshot_comes_into_force_without_restart_and_leaves_old_answers_as_they_are() {
    let federation = four().await;
    let (id, _) = federation.begin(COUNT).await.unwrap();
    federation.node("mx").requester.round(&id).await.unwrap();
    let before = federation.node("mx").requester.study(&id).await.unwrap();
    let home = federation.home("py");
    node_tests::load(home, &wilms().join("unequal/gt")).unwrap();
    node_server::operate::publish(home, "test", node_tests::beginning()).unwrap();
    federation.node("py").look_around().await.unwrap();
    assert_eq!(federation.node("mx").requester.study(&id).await.unwrap().nodes, before.nodes);
    let after = federation.ask(COUNT).await.unwrap();
    let snapshot = |study: &Study| study.nodes.iter().find(|node| node.node.as_str() == "py").unwrap().snapshot;
    assert_ne!(snapshot(&after), snapshot(&before));
    federation.stop().await;
}

//! The newest valid membership travels between peers; altered and old ones do not.

use node_domain::clock::Clock;
use node_protocol::problem::ProblemKind;
use node_tests::{Federation, Plan, policy, sign};
use node_trust::membership::MemberStatus;

use crate::COUNT;

async fn four() -> Federation {
    Federation::start(Plan { nodes: &["mx", "ar", "co", "uy"], data: None, policy: policy(5, 3, 10).unwrap() })
        .await
        .unwrap()
}

fn epoch(federation: &Federation, name: &str) -> u64 {
    federation.node(name).responder.roster.load().epoch()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_epoch_travels_from_peer_to_peer_and_survives_a_restart() {
    let mut federation = four().await;
    let next = federation.next_membership(2, |membership| membership.nodes[3].status = MemberStatus::Revoked).unwrap();
    federation.node("ar").requester.adopt(next).await.unwrap();
    assert_eq!(epoch(&federation, "co"), 1);
    federation.node("co").requester.gossip().await;
    assert_eq!(epoch(&federation, "co"), 2, "by exchanging heads");
    federation.ask(COUNT).await.unwrap();
    assert_eq!(epoch(&federation, "mx"), 2, "with an answer");
    federation.stop_node("co").await;
    federation.start_node("co").await.unwrap();
    assert_eq!(epoch(&federation, "co"), 2, "after a restart");
    federation.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn altered_old_and_undersigned_files_are_refused_and_change_nothing() {
    let federation = four().await;
    let requester = &federation.node("mx").requester;
    let head = requester.store.head().await.unwrap();

    let mut altered = federation.next_membership(2, |_| {}).unwrap();
    altered.membership.nodes[1].url = "https://127.0.0.1:9".to_owned();
    let old = federation.next_membership(1, |_| {}).unwrap();
    let committee = federation.membership.membership.committee.clone();
    let nodes = federation.membership.membership.nodes.clone();
    let undersigned = sign(2, nodes, &committee, &federation.committee[..2]).unwrap();
    let expired = federation.next_membership(2, |membership| membership.expires = federation.clock.now()).unwrap();
    for (file, kind) in [
        (altered, ProblemKind::MembershipInvalid),
        (old, ProblemKind::MembershipOld),
        (undersigned, ProblemKind::MembershipInvalid),
        (expired, ProblemKind::MembershipExpired),
    ] {
        assert_eq!(requester.adopt(file).await.unwrap_err().kind, kind);
    }
    assert_eq!(epoch(&federation, "mx"), 1);
    assert_eq!(requester.store.head().await.unwrap(), head);
    federation.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_its_time_a_membership_recognises_nobody() {
    let federation = four().await;
    federation.clock.advance(chrono::TimeDelta::days(3651));
    let study = federation.ask(COUNT).await.unwrap();
    for node in study.nodes {
        assert_eq!(node.problem.map(|problem| problem.kind), Some(ProblemKind::MembershipExpired), "{}", node.node);
    }
    federation.stop().await;
}

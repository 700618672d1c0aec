//! A rewritten history is found: by the chain itself, or by the heads that peers hold.

use node_protocol::study::Status;
use node_store::{Store, audit::Finding};
use node_tests::{Federation, Plan, policy};
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};

use crate::COUNT;

async fn asked_thrice() -> Federation {
    let federation =
        Federation::start(Plan { nodes: &["mx", "ar", "co"], data: None, policy: policy(5, 3, 10).unwrap() })
            .await
            .unwrap();
    for _ in 0..3 {
        let study = federation.ask(COUNT).await.unwrap();
        assert!(study.nodes.iter().all(|node| node.status == Status::Answered));
    }
    federation
}

/// Does something to a node's database behind its back.
async fn meddle(federation: &Federation, node: &str, sql: &str) {
    let path = federation.home(node).database();
    let mut connection = SqliteConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    sqlx::query(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// What `audit verify` finds at a node: its chain against the heads that its peers hold.
async fn findings(federation: &Federation, node: &str) -> Vec<Finding> {
    let requester = &federation.node(node).requester;
    let mut held = Vec::new();
    for peer in federation.nodes.iter().map(|peer| &peer.id).filter(|peer| peer.as_str() != node) {
        let heads = requester.heads_held_by(peer).await.unwrap();
        held.extend(heads.into_iter().map(|head| (peer.clone(), head)));
    }
    assert!(held.len() >= 3, "peers hold heads of {node}");
    requester.store.check_chain(&held).await.unwrap().1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_untouched_history_is_whole() {
    let federation = asked_thrice().await;
    assert_eq!(findings(&federation, "ar").await, []);
    federation.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tampered_entry_is_found() {
    let federation = asked_thrice().await;
    meddle(
        &federation,
        "ar",
        "UPDATE audit SET entry = replace(entry, 'answer_given', 'answer_taken') WHERE sequence = 4",
    )
    .await;
    assert_eq!(findings(&federation, "ar").await[0], Finding::Altered { sequence: 4 });
    federation.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_entry_is_found() {
    let federation = asked_thrice().await;
    meddle(&federation, "ar", "DELETE FROM audit WHERE sequence = 4").await;
    assert!(findings(&federation, "ar").await.contains(&Finding::Gap { sequence: 5 }));
    federation.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_history_chained_anew_is_found_by_the_heads_that_peers_hold() {
    let federation = asked_thrice().await;
    let store = Store::open(&federation.home("ar").database()).await.unwrap();
    let entries = store.recent_entries(100).await.unwrap();
    let last = entries.len() as u64;
    // forget the first answer, and chain what followed anew
    meddle(&federation, "ar", "DELETE FROM audit WHERE sequence >= 3").await;
    for entry in entries.into_iter().rev().skip(3) {
        store.append(entry.time, entry.event).await.unwrap();
    }
    assert_eq!(store.check_chain(&[]).await.unwrap().1, [], "by itself it is whole");
    let found = findings(&federation, "ar").await;
    assert!(found.iter().any(|finding| matches!(finding, Finding::Rewritten { .. })), "{found:?}");
    assert!(
        found.iter().any(|finding| matches!(finding, Finding::CutOff { sequence, .. } if *sequence == last)),
        "{found:?}"
    );
    store.close().await;
    federation.stop().await;
}

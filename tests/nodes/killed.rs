//! Two real processes, one of which is killed with SIGKILL while a study runs: it is unreachable, returns, and the study ends with
//! the one answer that it gave.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use node_domain::clock::{Clock, SystemClock};
use node_protocol::study::{Status, Study};
use node_server::{
    config::Home,
    operate::{self, NewNode},
    people_client::PeopleClient,
};
use node_store::{Store, audit::Event};
use node_tests::{load, sign, wilms};
use node_trust::{keys::SigningKey, membership::Committee};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::json;
use sqlx::{Connection, Row, SqliteConnection};

/// An address that is free now.
fn free() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}

fn serve(home: &Home) -> Child {
    Command::new(env!("CARGO_BIN_EXE_alianza-under-test"))
        .args(["serve", "--log", "off", "--dir", &home.folder.display().to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn kill(mut process: Child) {
    process.kill().unwrap();
    process.wait().unwrap();
}

/// Makes mx and ar in `folder`: the shipped policy, a membership signed by the committee, and real children.
async fn found(folder: &Path) -> Vec<Home> {
    let (mut homes, mut members) = (Vec::new(), Vec::new());
    for name in ["mx", "ar"] {
        let (peer, people) = (free(), free());
        let new = NewNode {
            node: name.parse().unwrap(),
            url: format!("https://{peer}"),
            operator: "test".to_owned(),
            listen: peer,
            people_listen: people,
        };
        let dir = folder.join(name);
        members.push(operate::create(&dir, &new, operate::POLICY).unwrap());
        let config = dir.join("node.toml");
        let text = std::fs::read_to_string(&config).unwrap();
        std::fs::write(&config, text.replace("first_pause_ms = 1000", "first_pause_ms = 50")).unwrap();
        homes.push(Home::open(&dir).unwrap());
    }
    let committee: Vec<SigningKey> = (0..5).map(|_| SigningKey::generate().unwrap()).collect();
    let keys = Committee { threshold: 3, keys: committee.iter().map(SigningKey::public).collect() };
    let membership = sign(1, members, &keys, &committee[..3]).unwrap();
    for home in &homes {
        let store = Store::open(&home.database()).await.unwrap();
        operate::adopt(home, &store, membership.clone(), SystemClock.now()).await.unwrap();
        store.close().await;
        load(home, &wilms().join("unequal").join(home.config.node.as_str())).unwrap();
        operate::publish(home, "test", node_tests::beginning()).unwrap();
    }
    homes
}

/// Repeats `attempt` until it gives something; a minute is longer than anything here takes.
async fn eventually<T>(what: &str, mut attempt: impl AsyncFnMut() -> Option<T>) -> T {
    for _ in 0..1200 {
        if let Some(value) = attempt().await {
            return value;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{what} did not happen within a minute")
}

fn status(study: &Study, node: &str) -> Status {
    study.nodes.iter().find(|state| state.node.as_str() == node).unwrap().status
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_killed_mid_study_returns_and_gives_one_answer() {
    let folder = tempfile::tempdir().unwrap();
    let homes = found(folder.path()).await;
    let [mx, ar] = homes.as_slice() else { panic!("two nodes") };
    let mut asking = serve(mx);
    let client = PeopleClient::of(mx, None).unwrap();
    let body = |wait_ms: u64| json!({ "query": { "dictionary": "1.0", "table": "cases", "statistic": { "kind": "count" } }, "wait_ms": wait_ms });

    // ar is away: the study says so
    let study: Study = eventually("mx serves", async || client.post("/api/v1/studies", &body(300)).await.ok()).await;
    assert_eq!((status(&study, "mx"), status(&study, "ar")), (Status::Answered, Status::Unreachable));
    let mut studies = vec![study.study];

    // ar comes and is killed at random moments while it is asked; mx is killed too
    let mut random = StdRng::seed_from_u64(166);
    for round in 0..6 {
        let process = serve(ar);
        let study: Study = eventually("mx answers", async || client.post("/api/v1/studies", &body(0)).await.ok()).await;
        studies.push(study.study);
        tokio::time::sleep(Duration::from_millis(random.random_range(0..250))).await;
        kill(process);
        if round % 2 == 1 {
            kill(asking);
            asking = serve(mx);
        }
    }
    let last = serve(ar);
    let mut completed = Vec::new();
    for study in &studies {
        let path = format!("/api/v1/studies/{study}");
        let complete = eventually("the study completes", async || {
            let study: Study = client.get(&path).await.ok()?;
            study.nodes.iter().all(|node| node.status == Status::Answered).then_some(study)
        });
        completed.push(complete.await);
    }
    kill(last);
    kill(asking);

    // one answer per study at ar, the one that mx holds
    let store = Store::open(&ar.database()).await.unwrap();
    let entries = store.recent_entries(1000).await.unwrap();
    assert_eq!(store.check_chain(&[]).await.unwrap().1, []);
    store.close().await;
    let signed = |home: &Home, sql: &'static str| {
        let url = format!("sqlite://{}", home.database().display());
        async move {
            let mut connection = SqliteConnection::connect(&url).await.unwrap();
            let rows = sqlx::query(sql).fetch_all(&mut connection).await.unwrap();
            rows.iter().map(|row| (row.get::<String, _>(0), row.get::<String, _>(1))).collect::<Vec<_>>()
        }
    };
    let given = signed(ar, "SELECT study, signed FROM given_answer ORDER BY study").await;
    let kept = signed(mx, "SELECT study, signed FROM study_node WHERE node = 'ar' ORDER BY study").await;
    assert_eq!(given, kept);
    assert_eq!(given.len(), studies.len());
    for study in completed {
        let audited = entries
            .iter()
            .filter(|entry| matches!(&entry.event, Event::AnswerGiven { study: of, .. } if *of == study.study));
        assert_eq!(audited.count(), 1);
    }
}

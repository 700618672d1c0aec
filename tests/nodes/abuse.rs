//! Malformed and excessive requests are bounded and refused, name the field, and the node stays up.

use std::sync::Arc;

use arc_swap::ArcSwap;
use node_domain::clock::Clock;
use node_protocol::problem::{Problem, ProblemKind};
use node_server::keystore::{KeyStore, read_secret};
use node_tests::{Federation, Plan, policy, wilms};
use node_trust::tls::{self, TlsState};
use reqwest::{Client, Method};

use crate::COUNT;

async fn two() -> Federation {
    Federation::start(Plan {
        nodes: &["mx", "ar"],
        data: Some(wilms().join("unequal")),
        policy: policy(5, 3, 10).unwrap(),
    })
    .await
    .unwrap()
}

/// A client of mx's own people, with its token.
fn person(federation: &Federation) -> (Client, String, String) {
    let home = federation.home("mx");
    let pin = KeyStore::new(home.keys()).tls().unwrap().pin;
    let config = tls::people_client_config(pin).unwrap();
    let client = Client::builder().tls_backend_preconfigured(config).no_proxy().build().unwrap();
    let token = read_secret(&home.keys().join("researcher.token")).unwrap();
    (client, format!("https://{}", federation.node("mx").people_address), token)
}

/// A client with mx's certificate towards ar's port for peers.
fn peer(federation: &Federation) -> (Client, String) {
    let state = TlsState {
        identity: Arc::new(ArcSwap::from_pointee(KeyStore::new(federation.home("mx").keys()).tls().unwrap())),
        roster: Arc::clone(&federation.node("mx").responder.roster),
        clock: Arc::clone(&federation.clock) as Arc<dyn Clock>,
    };
    let config = tls::client_config(&state, &"ar".parse().unwrap()).unwrap();
    let client = Client::builder().tls_backend_preconfigured(config).no_proxy().build().unwrap();
    (client, format!("https://{}", federation.node("ar").peer_address))
}

async fn problem(response: reqwest::Response) -> Problem {
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let status = response.status().as_u16();
    let problem: Problem = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    assert_eq!(problem.status, status);
    problem
}

fn study(query: &str) -> String {
    format!(r#"{{"query":{query},"wait_ms":1000}}"#)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_queries_are_refused_by_field_on_both_ports() {
    let federation = two().await;
    let survival = |cuts: &str| {
        COUNT.replace(
            r#"{"kind":"count"}"#,
            &format!(r#"{{"kind":"survival","endpoint":"overall","cuts_months":{cuts}}}"#),
        )
    };
    let bomb = format!("{}{{\"field\":\"sex\",\"is_missing\":true}}{}", "{\"not\":".repeat(4000), "}".repeat(4000));
    let cases = [
        ("unknown field", COUNT.replace("\"table\"", "\"noise\":0,\"table\""), ProblemKind::BodyInvalid, "query.noise"),
        ("unknown table", COUNT.replace("cases", "patient"), ProblemKind::QueryInvalid, "table"),
        ("negative cut", survival("[-12]"), ProblemKind::BodyInvalid, "query.statistic.cuts_months[0]"),
        ("NaN", survival("[NaN]"), ProblemKind::BodyInvalid, "query.statistic.cuts_months[0]"),
        ("fraction", survival("[1.5]"), ProblemKind::BodyInvalid, "query.statistic.cuts_months[0]"),
        ("cuts out of order", survival("[12,6]"), ProblemKind::QueryInvalid, "statistic.cuts_months[1]"),
        (
            "10,000 groups",
            COUNT.replace("\"statistic\"", r#""by":["toronto_schema","toronto_stage","basis"],"statistic""#),
            ProblemKind::TooManyCells,
            "by",
        ),
        (
            "identifier",
            COUNT.replace("\"statistic\"", r#""by":["patient_id"],"statistic""#),
            ProblemKind::QueryInvalid,
            "by[0]",
        ),
        (
            "nesting bomb",
            COUNT.replace("\"statistic\"", &format!("\"where\":[{bomb}],\"statistic\"")),
            ProblemKind::BodyInvalid,
            "",
        ),
    ];
    let (client, base, token) = person(&federation);
    let (peer, peer_base) = peer(&federation);
    let head = federation.node("ar").responder.store.head().await.unwrap();
    for (what, query, kind, field) in cases {
        let request = client.post(format!("{base}/api/v1/studies")).bearer_auth(&token).body(study(&query));
        let refused = problem(request.send().await.unwrap()).await;
        assert_eq!(refused.kind, kind, "{what}: {refused}");
        assert!(refused.field.unwrap_or_default().starts_with(field), "{what}");

        let body = format!(r#"{{"study":"{}","query":{query}}}"#, "0".repeat(32));
        let refused =
            problem(peer.post(format!("{peer_base}/v1/answers")).bearer_auth("x").body(body).send().await.unwrap())
                .await;
        let before_the_token = matches!(kind, ProblemKind::BodyInvalid) || what == "cuts out of order";
        assert_eq!(refused.kind, if before_the_token { kind } else { ProblemKind::TokenInvalid }, "{what} to a peer");
    }
    assert_eq!(federation.node("ar").responder.store.head().await.unwrap(), head, "nothing was audited or sent");
    federation.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_megabytes_are_refused_and_the_node_stays_up() {
    let federation = two().await;
    let (client, base, token) = person(&federation);
    let (peer, peer_base) = peer(&federation);
    let large = vec![b' '; 10 << 20];
    for request in [
        client.post(format!("{base}/api/v1/studies")).bearer_auth(&token),
        peer.post(format!("{peer_base}/v1/answers")).bearer_auth("x"),
    ] {
        // the node may answer and close while the body is still being sent
        if let Ok(response) = request.body(large.clone()).send().await {
            assert_eq!(problem(response).await.kind, ProblemKind::BodyTooLarge);
        }
    }
    let health = client.get(format!("{base}/healthz")).send().await.unwrap();
    assert!(health.status().is_success());
    federation.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_requests_at_once_are_answered_or_refused() {
    let federation = two().await;
    let (client, base, token) = person(&federation);
    let tasks: Vec<_> = (0..1000)
        .map(|number| {
            let (client, base, token) = (client.clone(), base.clone(), token.clone());
            tokio::spawn(async move {
                let request = if number % 4 == 0 {
                    client.post(format!("{base}/api/v1/studies")).bearer_auth(token).body(study(COUNT))
                } else {
                    client.get(format!("{base}/api/v1/node")).bearer_auth(token)
                };
                request.send().await.map(|response| response.status().as_u16())
            })
        })
        .collect();
    let mut answered = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(status) => {
                assert!(matches!(status, 200 | 201 | 503), "{status}");
                answered += usize::from(status < 300);
            }
            Err(error) => assert!(error.is_connect() || error.is_request(), "{error}"),
        }
    }
    assert!(answered > 700, "{answered} of 1000");
    let health = client.get(format!("{base}/healthz")).send().await.unwrap();
    assert!(health.status().is_success());
    federation.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_path_is_refused_to_strangers_and_says_so() {
    let federation = two().await;
    let (client, base, token) = person(&federation);
    for path in ["/api/v1/node", "/api/v1/studies", "/api/v1/studies/00", "/api/v1/studies/00/answers"] {
        for token in [None, Some("wrong"), Some("")] {
            let mut request = client.get(format!("{base}{path}"));
            if let Some(token) = token {
                request = request.bearer_auth(token);
            }
            assert_eq!(problem(request.send().await.unwrap()).await.kind, ProblemKind::SignInRequired, "{path}");
        }
    }
    let get = |path: &str| client.get(format!("{base}{path}")).bearer_auth(&token);
    assert_eq!(problem(get("/api/v1/studies/00").send().await.unwrap()).await.kind, ProblemKind::NotFound);
    assert_eq!(problem(get("/no/such/path").send().await.unwrap()).await.kind, ProblemKind::NotFound);
    let delete = client.request(Method::DELETE, format!("{base}/api/v1/studies")).bearer_auth(&token);
    assert_eq!(problem(delete.send().await.unwrap()).await.kind, ProblemKind::MethodNotAllowed);
    assert!(client.get(format!("{base}/readyz")).send().await.unwrap().status().is_success());

    // the port for peers does not even finish the handshake without a certificate
    let config = tls::people_client_config(KeyStore::new(federation.home("ar").keys()).tls().unwrap().pin).unwrap();
    let nobody = Client::builder().tls_backend_preconfigured(config).no_proxy().build().unwrap();
    assert!(nobody.get(format!("https://{}/v1/node", federation.node("ar").peer_address)).send().await.is_err());
    let (peer, peer_base) = peer(&federation);
    assert!(peer.get(format!("{peer_base}/v1/node")).send().await.unwrap().status().is_success());
    assert_eq!(
        problem(peer.get(format!("{peer_base}/v1/other")).send().await.unwrap()).await.kind,
        ProblemKind::NotFound
    );
    federation.stop().await;
}

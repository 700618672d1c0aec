//! Who may speak: everything that looks like a peer and is none is refused, each with a problem of its own, and leaves no trace.

use std::sync::Arc;

use arc_swap::ArcSwap;
use node_domain::{clock::Clock, digest::Digest, node_id::NodeId};
use node_protocol::{
    canonical,
    envelope::AnswerRequest,
    problem::{Problem, ProblemKind},
    query::Query,
    study::StudyId,
};
use node_server::keystore::KeyStore;
use node_tests::{Federation, Plan, policy, wilms};
use node_trust::{
    identity::{TlsIdentity, certificate, generate_key},
    keys::SigningKey,
    membership::MemberStatus,
    roster::Roster,
    signed,
    tls::{self, TlsState},
    token::{Claims, Confirmation, issue},
};

use crate::COUNT;

async fn three() -> Federation {
    let plan =
        Plan { nodes: &["mx", "ar", "co"], data: Some(wilms().join("unequal")), policy: policy(5, 3, 10).unwrap() };
    Federation::start(plan).await.unwrap()
}

/// A caller that the test forges: any certificate, any token, any body.
pub(crate) struct Forger {
    identity: TlsIdentity,
    pub(crate) claims: Claims,
    key: SigningKey,
    pub(crate) request: AnswerRequest,
    target: NodeId,
}

impl Forger {
    /// A flawless request from mx to ar, for the test to spoil.
    pub(crate) fn flawless(federation: &Federation) -> Self {
        let keys = KeyStore::new(federation.home("mx").keys());
        let identity = keys.tls().unwrap();
        let query = Query::parse(COUNT.as_bytes()).unwrap();
        let study = StudyId::from_random(7);
        let now = federation.clock.now().timestamp();
        let claims = Claims {
            iss: "mx".parse().unwrap(),
            aud: "ar".parse().unwrap(),
            sub: "somebody".to_owned(),
            role: "researcher".to_owned(),
            study: study.clone(),
            query_hash: canonical::digest(&query).unwrap(),
            iat: now,
            exp: now + 60,
            jti: "one".to_owned(),
            cnf: Confirmation { thumbprint: identity.thumbprint },
        };
        let request = AnswerRequest { study, query };
        Self { identity, claims, key: keys.signing().unwrap(), request, target: "ar".parse().unwrap() }
    }

    fn token(&self) -> String {
        issue(&self.claims, &self.key).unwrap()
    }

    async fn send(&self, federation: &Federation) -> Result<String, Problem> {
        self.send_with(federation, &self.token(), serde_json::to_vec(&self.request).unwrap()).await
    }

    async fn send_with(&self, federation: &Federation, token: &str, body: Vec<u8>) -> Result<String, Problem> {
        let response = self.post(federation, token, body).await?;
        let (status, text) = (response.status(), response.text().await.unwrap());
        if status.is_success() { Ok(text) } else { Err(serde_json::from_str(&text).unwrap()) }
    }

    /// The whole response, headers and all.
    pub(crate) async fn response(&self, federation: &Federation) -> reqwest::Response {
        self.post(federation, &self.token(), serde_json::to_vec(&self.request).unwrap()).await.unwrap()
    }

    async fn post(&self, federation: &Federation, token: &str, body: Vec<u8>) -> Result<reqwest::Response, Problem> {
        let roster =
            Roster::restore(federation.membership.clone(), &federation.membership.membership.committee).unwrap();
        let url = roster.member(&self.target).unwrap().url.clone();
        let state = TlsState {
            identity: Arc::new(ArcSwap::from_pointee(self.identity.clone())),
            roster: Arc::new(ArcSwap::from_pointee(roster)),
            clock: Arc::clone(&federation.clock) as Arc<dyn Clock>,
        };
        let config = tls::client_config(&state, &self.target).unwrap();
        let client = reqwest::Client::builder().tls_backend_preconfigured(config).no_proxy().build().unwrap();
        let mut tries = 0;
        loop {
            match client.post(format!("{url}/v1/answers")).bearer_auth(token).body(body.clone()).send().await {
                Ok(response) => return Ok(response),
                Err(error) => match tls_problem(&error) {
                    Some(problem) => return Err(problem),
                    // the alert came while the request was on its way, and was lost with the connection
                    None => assert!(tries < 20, "no TLS alert in {error:?}"),
                },
            }
            tries += 1;
        }
    }
}

/// The problem that a client reads from a TLS alert.
fn tls_problem(error: &reqwest::Error) -> Option<Problem> {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let inner = cause.downcast_ref::<std::io::Error>().and_then(|io| io.get_ref()?.downcast_ref::<rustls::Error>());
        if let Some(tls) = inner.or_else(|| cause.downcast_ref::<rustls::Error>()) {
            return Some(tls::problem_of(tls));
        }
        source = cause.source();
    }
    None
}

/// A certificate of a key that no membership holds, claiming a name.
fn stranger(claims: &str) -> TlsIdentity {
    let key = generate_key().unwrap();
    let pem = certificate(&claims.parse().unwrap(), &["localhost".to_owned()], &key).unwrap();
    TlsIdentity::from_pem(&pem, &key).unwrap()
}

/// What a refusal must not change at the refusing node.
async fn trace(federation: &Federation) -> (u64, usize) {
    let store = &federation.node("ar").responder.store;
    let request = Forger::flawless(federation);
    let token = node_store::answers::UsedToken {
        issuer: request.claims.iss.clone(),
        token: request.claims.jti.clone(),
        forget_after: request.claims.forget_after(),
    };
    let known = store.precedent(&token, &request.request.study, &request.claims.query_hash).await.unwrap();
    (store.head().await.unwrap().sequence, usize::from(known != node_store::answers::Precedent::None))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_forgery_has_its_own_refusal_and_leaves_no_trace() {
    let federation = three().await;
    let before = trace(&federation).await;
    type Spoil = fn(&mut Forger, &Federation);
    let forgeries: &[(&str, ProblemKind, Spoil)] = &[
        ("unknown peer", ProblemKind::UnknownPeer, |f, _| f.identity = stranger("ve")),
        ("right name with wrong key", ProblemKind::PeerKeyMismatch, |f, _| f.identity = stranger("mx")),
        ("certificate named by an extension of a known name", ProblemKind::UnknownPeer, |f, _| {
            f.identity = stranger("mx-1");
        }),
        ("issuer that extends a known name", ProblemKind::TokenIssuer, |f, _| f.claims.iss = "mx-1".parse().unwrap()),
        ("issuer that is another member", ProblemKind::TokenIssuer, |f, _| f.claims.iss = "co".parse().unwrap()),
        ("audience that is another member", ProblemKind::TokenAudience, |f, _| f.claims.aud = "co".parse().unwrap()),
        ("audience that extends the name", ProblemKind::TokenAudience, |f, _| f.claims.aud = "ar-x".parse().unwrap()),
        ("expired token", ProblemKind::TokenExpired, |f, _| {
            (f.claims.iat, f.claims.exp) = (f.claims.iat - 200, f.claims.iat - 100);
        }),
        ("token for an hour", ProblemKind::TokenExpired, |f, _| f.claims.exp = f.claims.iat + 3600),
        ("token from the future", ProblemKind::TokenExpired, |f, _| {
            (f.claims.iat, f.claims.exp) = (f.claims.iat + 600, f.claims.iat + 660);
        }),
        ("token bound to another certificate", ProblemKind::TokenNotBound, |f, _| {
            f.claims.cnf.thumbprint = Digest::of(b"other");
        }),
        ("token signed with another key", ProblemKind::TokenInvalid, |f, _| f.key = SigningKey::generate().unwrap()),
        ("token of another member's key", ProblemKind::TokenInvalid, |f, federation| {
            f.key = KeyStore::new(federation.home("co").keys()).signing().unwrap();
        }),
        ("altered query", ProblemKind::QueryAltered, |f, _| {
            f.request.query =
                Query::parse(COUNT.replace("\"statistic\"", "\"by\":[\"sex\"],\"statistic\"").as_bytes()).unwrap();
        }),
        ("altered study", ProblemKind::QueryAltered, |f, _| f.request.study = StudyId::from_random(8)),
    ];
    for (what, kind, spoil) in forgeries {
        let mut forger = Forger::flawless(&federation);
        spoil(&mut forger, &federation);
        let problem = forger.send(&federation).await.expect_err(what);
        assert_eq!(problem.kind, *kind, "{what}: {problem}");
    }
    let flawless = Forger::flawless(&federation);
    let body = serde_json::to_vec(&flawless.request).unwrap();
    let token = flawless.token();
    let (content, signature) = token.rsplit_once('.').unwrap();
    let altered = format!("{}.{signature}", content.replace('.', ".e"));
    for bad in ["", "x", "a.b.c", altered.as_str(), content] {
        let problem = flawless.send_with(&federation, bad, body.clone()).await.unwrap_err();
        assert_eq!(problem.kind, ProblemKind::TokenInvalid, "{bad}");
    }
    assert_eq!(trace(&federation).await, before, "refused callers left a trace");

    // and the flawless one is answered, once
    flawless.send(&federation).await.unwrap();
    let head = trace(&federation).await.0;
    assert_eq!(head, before.0 + 1);
    let replayed = flawless.send(&federation).await.unwrap_err();
    assert_eq!(replayed.kind, ProblemKind::TokenReplayed);
    assert_eq!(trace(&federation).await.0, head, "a replayed token left a trace");
    federation.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replayed_token_is_refused_after_a_restart_too() {
    let mut federation = three().await;
    let flawless = Forger::flawless(&federation);
    flawless.send(&federation).await.unwrap();
    federation.stop_node("ar").await;
    federation.start_node("ar").await.unwrap();
    assert_eq!(flawless.send(&federation).await.unwrap_err().kind, ProblemKind::TokenReplayed);
    federation.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_study_gets_the_same_answer_and_another_query_under_its_name_none() {
    let federation = three().await;
    let mut forger = Forger::flawless(&federation);
    let first = forger.send(&federation).await.unwrap();
    forger.claims.jti = "two".to_owned();
    assert_eq!(forger.send(&federation).await.unwrap(), first);
    forger.claims.jti = "three".to_owned();
    forger.request.query =
        Query::parse(COUNT.replace("\"statistic\"", "\"by\":[\"sex\"],\"statistic\"").as_bytes()).unwrap();
    forger.claims.query_hash = canonical::digest(&forger.request.query).unwrap();
    assert_eq!(forger.send(&federation).await.unwrap_err().kind, ProblemKind::StudyConflict);
    federation.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_was_altered_or_is_another_one_is_refused() {
    let federation = three().await;
    let forger = Forger::flawless(&federation);
    let answer = forger.send(&federation).await.unwrap();
    let roster = federation.node("mx").responder.roster.load_full();
    let (ar, co): (NodeId, NodeId) = ("ar".parse().unwrap(), "co".parse().unwrap());
    let (study, hash) = (&forger.request.study, &forger.claims.query_hash);
    let verify = |text: &str, node: &NodeId, study: &StudyId, hash: &Digest| {
        signed::verify(text, node, study, hash, &roster).map(drop).map_err(|problem| problem.kind)
    };
    assert_eq!(verify(&answer, &ar, study, hash), Ok(()));
    for at in (0..answer.len()).step_by(37) {
        let mut bytes = answer.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let altered = String::from_utf8(bytes).unwrap();
        assert_eq!(verify(&altered, &ar, study, hash), Err(ProblemKind::AnswerInvalid), "byte {at}");
    }
    assert_eq!(verify(&answer, &co, study, hash), Err(ProblemKind::AnswerMismatch));
    assert_eq!(verify(&answer, &ar, &StudyId::from_random(9), hash), Err(ProblemKind::AnswerMismatch));
    assert_eq!(verify(&answer, &ar, study, &Digest::of(b"other")), Err(ProblemKind::AnswerMismatch));
    federation.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_node_is_refused_on_new_and_on_open_connections() {
    let federation = three().await;
    let study = federation.ask(COUNT).await.unwrap(); // opens connections from mx to ar and co
    assert!(study.nodes.iter().all(|node| node.answer.is_some()));
    let next = federation.next_membership(2, |membership| membership.nodes[0].status = MemberStatus::Revoked).unwrap();
    federation.node("ar").requester.adopt(next).await.unwrap();
    // mx still has the old membership and its connection to ar open
    let study = federation.ask(COUNT).await.unwrap();
    let ar = study.nodes.iter().find(|node| node.node.as_str() == "ar").unwrap();
    assert_eq!(ar.problem.as_ref().map(|problem| problem.kind), Some(ProblemKind::NodeRevoked));
    let problem = Forger::flawless(&federation).send(&federation).await.unwrap_err();
    assert_eq!(problem.kind, ProblemKind::NodeRevoked, "a new connection is refused in the handshake");
    federation.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_renews_without_restart_and_the_old_one_is_not_needed() {
    let federation = three().await;
    federation.ask(COUNT).await.unwrap();
    let old = federation.node("mx").requester.peers.tls().identity.load().thumbprint;
    for name in ["mx", "ar"] {
        let home = federation.home(name);
        KeyStore::new(home.keys()).renew_certificate(&home.config.node, &["localhost".to_owned()]).unwrap();
        federation.node(name).look_around().await.unwrap();
    }
    assert_ne!(federation.node("mx").requester.peers.tls().identity.load().thumbprint, old);
    let study = federation.ask(COUNT).await.unwrap();
    for node in &study.nodes {
        assert!(node.answer.is_some(), "{}: {:?}", node.node, node.problem);
    }
    federation.stop().await;
}

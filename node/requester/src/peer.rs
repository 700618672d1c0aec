//! Connections to peers: each with that peer's pinned key, kept warm, and dropped when keys or membership change.

use std::{
    collections::HashMap,
    error::Error as _,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use node_domain::{digest::Digest, node_id::NodeId};
use node_protocol::problem::{Problem, ProblemKind};
use node_trust::tls::{self, TlsState};
use reqwest::{Client, RequestBuilder, Response, StatusCode, redirect};

/// The longest body that is read from a peer, bytes.
const MAX_BODY: usize = 8 << 20;

/// The clients of all peers.
pub struct Peers {
    tls: TlsState,
    clients: Mutex<HashMap<NodeId, Connection>>,
}

/// A client with what it was made for; when that changes it is made anew, and its open connections end with it.
struct Connection {
    epoch: u64,
    thumbprint: Digest,
    client: Client,
}

impl Peers {
    /// No connections yet.
    #[must_use]
    pub fn new(tls: TlsState) -> Self {
        Self { tls, clients: Mutex::new(HashMap::new()) }
    }

    /// The TLS state that connections are made from.
    #[must_use]
    pub fn tls(&self) -> &TlsState {
        &self.tls
    }

    /// The client for `peer`, the base URL of the peer, and the thumbprint of the certificate that the client shows.
    ///
    /// # Errors
    /// Where the peer is no active member.
    pub fn client(&self, peer: &NodeId) -> Result<(Client, String, Digest), Problem> {
        let roster = self.tls.roster.load();
        roster.in_time(self.tls.clock.now())?;
        let member = roster
            .member(peer)
            .ok_or_else(|| ProblemKind::UnknownPeer.because("the membership file has no such node"))?;
        if !roster.active().any(|active| active.node == *peer) {
            return Err(ProblemKind::NodeRevoked.because("the membership file has that node revoked"));
        }
        let (epoch, thumbprint) = (roster.epoch(), self.tls.identity.load().thumbprint);
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = clients.get(peer).filter(|known| known.epoch == epoch && known.thumbprint == thumbprint) {
            return Ok((known.client.clone(), member.url.clone(), thumbprint));
        }
        let client = self.connect(peer).map_err(|()| ProblemKind::Internal.because("TLS could not be set up"))?;
        clients.insert(peer.clone(), Connection { epoch, thumbprint, client: client.clone() });
        Ok((client, member.url.clone(), thumbprint))
    }

    fn connect(&self, peer: &NodeId) -> Result<Client, ()> {
        let config = tls::client_config(&self.tls, peer).map_err(drop)?;
        Client::builder()
            .tls_backend_preconfigured(config)
            .https_only(true)
            .no_proxy()
            .redirect(redirect::Policy::none())
            .tcp_nodelay(true)
            .connect_timeout(Duration::from_secs(5))
            .pool_idle_timeout(Duration::from_secs(300))
            .build()
            .map_err(drop)
    }
}

/// How often a request is sent when its connection closes before it is out.
const TRIES: usize = 5;

/// Sends a request, anew if its connection was closed before the response: a peer that refuses this node in the handshake says
/// why in an alert, which is lost where the request comes in between. `make` makes each one, so that no token is sent twice.
pub(crate) async fn send(make: impl Fn() -> Result<RequestBuilder, Problem>) -> Result<Response, Problem> {
    let mut problem = ProblemKind::PeerUnreachable.because("its connection closes before a request is out");
    for _ in 0..TRIES {
        match make()?.send().await {
            Ok(response) => return Ok(response),
            Err(error) => {
                problem = problem_of(&error);
                if problem.kind != ProblemKind::PeerUnreachable || error.is_connect() || error.is_timeout() {
                    break;
                }
            }
        }
    }
    Err(problem)
}

/// The refusal behind a request that got no response.
fn problem_of(error: &reqwest::Error) -> Problem {
    let mut source = error.source();
    while let Some(cause) = source {
        let tls = cause.downcast_ref::<rustls::Error>().or_else(|| {
            let io = cause.downcast_ref::<std::io::Error>()?;
            io.get_ref()?.downcast_ref::<rustls::Error>()
        });
        if let Some(tls) = tls {
            return tls::problem_of(tls);
        }
        source = cause.source();
    }
    let detail = if error.is_timeout() { "it did not answer in time" } else { "nothing answers at its address" };
    ProblemKind::PeerUnreachable.because(detail)
}

/// The body of a response, or the peer's refusal.
pub(crate) async fn body(mut response: Response) -> Result<Vec<u8>, Problem> {
    let status = response.status();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| problem_of(&error))? {
        if body.len() + chunk.len() > MAX_BODY {
            return Err(ProblemKind::AnswerInvalid.because("it is longer than any answer"));
        }
        body.extend_from_slice(&chunk);
    }
    // 202 tells that the answer waits for a steward: it comes as a problem too
    if status.is_success() && status != StatusCode::ACCEPTED {
        return Ok(body);
    }
    let passing = status.is_server_error() || matches!(status.as_u16(), 408 | 429);
    let kind = if passing { ProblemKind::PeerUnreachable } else { ProblemKind::AnswerInvalid };
    let foreign = || kind.because(format!("the peer says {status} and does not say why"));
    let mut problem = serde_json::from_slice::<Problem>(&body).unwrap_or_else(|_| foreign());
    // the words of a peer end up in a terminal and in the store
    problem.title = problem.kind.title().to_owned();
    problem.detail = problem.detail.chars().filter(|c| !c.is_control()).take(500).collect();
    problem.field = problem.field.map(|field| field.chars().filter(|c| !c.is_control()).take(100).collect());
    Err(problem)
}

//! The running node: built from its folder and two listeners, served until it is told to stop.

use std::{net::SocketAddr, net::TcpListener, sync::Arc, time::Duration, time::SystemTime};

use actix_web::{App, HttpServer, dev::ServerHandle, rt::net::TcpStream, web};
use anyhow::{Context, bail};
use arc_swap::{ArcSwap, ArcSwapOption};
use chrono::TimeDelta;
use node_disclosure::differential::mechanism::OpenDp;
use node_domain::{clock::Clock, dictionary::Dictionary};
use node_requester::{
    peer::Peers,
    study::{Pseudonym, Requester, Timing},
};
use node_responder::{
    answer::{Published, Responder, Turns},
    noise::Noises,
};
use node_snapshot::shelf;
use node_store::{Store, audit::Event};
use node_trust::{
    identity::TlsIdentity,
    membership::MembershipFile,
    roster::Roster,
    tls::{self, TlsState},
};
use rand::RngCore;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::{sync::Semaphore, task::JoinHandle};

use crate::{
    config::Home,
    keystore::KeyStore,
    peer_port::{self, PeerCertificate},
    people_port::{self, AccessTokens, People},
    shelved::Shelf,
};

/// How often the node looks whether its operator has published, renewed a certificate or brought a membership.
const LOOK_AROUND: Duration = Duration::from_secs(1);

/// Sockets bound before anything else is done.
pub struct Listeners {
    /// For peers.
    pub peer: TcpListener,
    /// For people.
    pub people: TcpListener,
}

impl Listeners {
    /// Binds both addresses; port 0 takes a free one.
    ///
    /// # Errors
    /// Where an address is taken or not this machine's.
    pub fn bind(peer: SocketAddr, people: SocketAddr) -> anyhow::Result<Self> {
        Ok(Self { peer: listen(peer)?, people: listen(people)? })
    }
}

/// No Nagle on the listening socket: set later, it is too late for the TLS handshake, which then waits for delayed
/// acknowledgements (44 ms instead of 1).
fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_tcp_nodelay(true)?;
    socket.bind(&address.into()).with_context(|| format!("{address}: cannot listen there"))?;
    socket.listen(1024)?;
    Ok(socket.into())
}

/// A node that serves.
pub struct Application {
    /// Answering side, for tests and the rehearsal.
    pub responder: Arc<Responder>,
    /// Asking side, for tests and the rehearsal.
    pub requester: Arc<Requester>,
    /// Where peers reach it.
    pub peer_address: SocketAddr,
    /// Where people reach it.
    pub people_address: SocketAddr,
    home: Home,
    tls: TlsState,
    handles: Vec<ServerHandle>,
    tasks: Vec<JoinHandle<()>>,
}

impl Application {
    /// Reads everything, then serves on the listeners. Must be called within a Tokio runtime, which studies run on.
    ///
    /// # Errors
    /// Where the folder is not a whole node: keys, policy, a membership that has this node in it.
    pub async fn start(home: Home, listeners: Listeners, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let keys = KeyStore::new(home.keys());
        let signing = Arc::new(keys.signing()?);
        let store = Store::open(&home.database()).await?;
        let roster = Arc::new(ArcSwap::from_pointee(roster_in_force(&store).await?));
        check_membership(&home, &roster.load(), &signing.public(), &keys.tls()?)?;
        let tls =
            TlsState { identity: Arc::new(ArcSwap::from_pointee(keys.tls()?)), roster, clock: Arc::clone(&clock) };
        let dictionary = Arc::new(Dictionary::built_in()?);
        let exact = store.exact_released().await?;
        let published = Shelf::of(&home, &dictionary, exact).open_current()?;
        let policy_hash = home.policy.hash()?;
        let shelf = Shelf::of(&home, &dictionary, Vec::new());
        let pseudonym = pseudonym(&keys)?;
        let responder = Arc::new(Responder {
            node: home.config.node.clone(),
            key: Arc::clone(&signing),
            dictionary,
            policy: home.policy.clone(),
            policy_hash,
            published: ArcSwapOption::from(published.map(Arc::new)),
            former: Box::new(move |id| shelf.former(id)),
            noises: Noises::new(keys.pseudonym()?.noise_secret()),
            sampler: Box::new(|| Box::new(OpenDp)),
            pseudonym: Arc::clone(&pseudonym),
            turns: Turns::default(),
            roster: Arc::clone(&tls.roster),
            store: store.clone(),
            clock: Arc::clone(&clock),
            capacity: Semaphore::new(home.config.limits.answers_at_once),
        });
        let timing = Timing {
            attempt: Duration::from_millis(home.config.study.attempt_timeout_ms),
            pause: Duration::from_millis(home.config.study.first_pause_ms),
        };
        let requester = Arc::new(Requester {
            node: home.config.node.clone(),
            key: signing,
            peers: Peers::new(tls.clone()),
            store: store.clone(),
            clock: Arc::clone(&clock),
            draw: Box::new(draw),
            timing,
            pseudonym,
            adopting: tokio::sync::Mutex::new(()),
        });
        if store.adopt_policy(policy_hash, clock.now()).await? {
            tracing::info!(policy.hash = %policy_hash, "another policy is in force");
        }
        let event = Event::Started {
            policy_hash,
            epoch: tls.roster.load().epoch(),
            snapshot: responder.published.load().as_ref().map(|published| published.snapshot.id),
        };
        store.append(clock.now(), event).await?;
        let (peer_address, people_address) = (listeners.peer.local_addr()?, listeners.people.local_addr()?);
        let mut application = Self {
            responder,
            requester,
            peer_address,
            people_address,
            home,
            tls,
            handles: Vec::new(),
            tasks: Vec::new(),
        };
        application.serve(listeners)?;
        let resumed = application.requester.resume().await?;
        tracing::info!(node.id = %application.home.config.node, %peer_address, %people_address, resumed, "serving");
        Ok(application)
    }

    fn serve(&mut self, listeners: Listeners) -> anyhow::Result<()> {
        let limits = self.home.config.limits.clone();
        let responder = web::Data::new(Arc::clone(&self.responder));
        let peers = HttpServer::new(move || App::new().app_data(responder.clone()).configure(peer_port::paths))
            .on_connect(|connection, extensions| {
                let stream = connection.downcast_ref::<actix_tls::accept::rustls_0_23::TlsStream<TcpStream>>();
                let chain = stream.and_then(|stream| stream.get_ref().1.peer_certificates());
                if let Some(certificate) = chain.and_then(<[_]>::first) {
                    extensions.insert(PeerCertificate(certificate.to_vec()));
                }
            })
            .workers(limits.threads)
            .max_connections(limits.connections)
            .client_request_timeout(Duration::from_secs(10))
            .shutdown_timeout(10)
            .disable_signals()
            .listen_rustls_0_23(listeners.peer, tls::server_config(&self.tls)?)?
            .run();
        let tokens_path = self.home.tokens();
        let tokens = std::fs::read_to_string(&tokens_path).with_context(|| tokens_path.display().to_string())?;
        let tokens: AccessTokens = toml::from_str(&tokens).with_context(|| tokens_path.display().to_string())?;
        let people = web::Data::new(People {
            requester: Arc::clone(&self.requester),
            responder: Arc::clone(&self.responder),
            tokens,
            lasting: TimeDelta::hours(i64::from(self.home.config.study.deadline_h)),
            runtime: tokio::runtime::Handle::current(),
        });
        let people = HttpServer::new(move || App::new().app_data(people.clone()).configure(people_port::paths))
            .workers(limits.threads)
            .max_connections(limits.connections)
            .client_request_timeout(Duration::from_secs(10))
            .shutdown_timeout(10)
            .disable_signals()
            .listen_rustls_0_23(listeners.people, tls::people_server_config(&self.tls.identity)?)?
            .run();
        self.handles = vec![peers.handle(), people.handle()];
        for server in [peers, people] {
            tokio::spawn(server);
        }
        self.tasks = vec![tokio::spawn(self.watch()), tokio::spawn(self.gossip())];
        Ok(())
    }

    /// Brings into force what the operator changes while the node runs.
    fn watch(&self) -> impl Future<Output = ()> + use<> {
        let watcher = Watcher {
            home: self.home.clone(),
            tls: self.tls.clone(),
            responder: Arc::clone(&self.responder),
            requester: Arc::clone(&self.requester),
        };
        async move {
            let mut certificate = watcher.certificate_changed();
            loop {
                tokio::time::sleep(LOOK_AROUND).await;
                if let Err(error) = watcher.look_around(&mut certificate).await {
                    tracing::error!(error = format!("{error:#}"), "a change was not brought into force");
                }
            }
        }
    }

    fn gossip(&self) -> impl Future<Output = ()> + use<> {
        let requester = Arc::clone(&self.requester);
        let pause = Duration::from_secs(self.home.config.study.gossip_s);
        async move {
            // soon after the start, so that peers hold a head of what came before it
            tokio::time::sleep(pause / 12).await;
            loop {
                requester.gossip().await;
                requester.follow_projects().await;
                tokio::time::sleep(pause).await;
            }
        }
    }

    /// Looks once for changes of the operator's instead of waiting for the next look around.
    ///
    /// # Errors
    /// Where a change cannot be brought into force.
    pub async fn look_around(&self) -> anyhow::Result<()> {
        let watcher = Watcher {
            home: self.home.clone(),
            tls: self.tls.clone(),
            responder: Arc::clone(&self.responder),
            requester: Arc::clone(&self.requester),
        };
        watcher.look_around(&mut None).await
    }

    /// Finishes the requests that are under way, closes the database, and ends.
    pub async fn stop(self) {
        for task in &self.tasks {
            task.abort();
        }
        for handle in &self.handles {
            handle.stop(true).await;
        }
        self.responder.store.close().await;
    }
}

/// Looks for what the operator has changed.
struct Watcher {
    home: Home,
    tls: TlsState,
    responder: Arc<Responder>,
    requester: Arc<Requester>,
}

impl Watcher {
    fn certificate_changed(&self) -> Option<SystemTime> {
        std::fs::metadata(KeyStore::new(self.home.keys()).certificate_path()).ok()?.modified().ok()
    }

    /// Each change by itself, so that none keeps another from coming into force; a revocation first.
    async fn look_around(&self, certificate: &mut Option<SystemTime>) -> anyhow::Result<()> {
        let outcomes = [self.take_membership().await, self.take_certificate(certificate), self.take_snapshot().await];
        outcomes.into_iter().collect()
    }

    async fn take_membership(&self) -> anyhow::Result<()> {
        let _one_at_a_time = self.requester.adopting.lock().await;
        if self.requester.store.newest_epoch().await? > Some(self.tls.roster.load().epoch()) {
            self.tls.roster.store(Arc::new(roster_in_force(&self.requester.store).await?));
            tracing::info!(membership.epoch = self.tls.roster.load().epoch(), "a newer membership is in force");
        }
        Ok(())
    }

    fn take_certificate(&self, certificate: &mut Option<SystemTime>) -> anyhow::Result<()> {
        let changed = self.certificate_changed();
        if changed != *certificate {
            self.tls.identity.store(Arc::new(KeyStore::new(self.home.keys()).tls()?));
            *certificate = changed;
            tracing::info!("the TLS certificate was read anew");
        }
        Ok(())
    }

    async fn open_published(&self) -> anyhow::Result<Option<Published>> {
        let exact = self.responder.store.exact_released().await?;
        Shelf::of(&self.home, &self.responder.dictionary, exact).open_current()
    }

    async fn take_snapshot(&self) -> anyhow::Result<()> {
        let in_force = self.responder.published.load().as_ref().map(|published| published.snapshot.id);
        if shelf::current(&self.home.snapshots())? == in_force {
            return Ok(());
        }
        // no exact answer is given meanwhile that the new catalogue would not know of
        let _turn = self.responder.turns.exact.lock().await;
        if let Some(published) = self.open_published().await? {
            let snapshot = published.snapshot.id;
            self.responder.store.append(self.responder.clock.now(), Event::SnapshotAdopted { snapshot }).await?;
            self.responder.published.store(Some(Arc::new(published)));
            tracing::info!(snapshot.id = %snapshot, "a newly published snapshot is in force");
        }
        Ok(())
    }
}

/// The newest membership of the store, each epoch verified by the committee of the one before.
///
/// # Errors
/// Where the node has not joined, or a stored file was altered.
pub async fn roster_in_force(store: &Store) -> anyhow::Result<Roster> {
    let mut roster: Option<Roster> = None;
    for text in store.memberships().await? {
        let file = MembershipFile::parse(text.as_bytes())?;
        let committee =
            roster.as_ref().map_or(&file.membership.committee, |roster| &roster.membership().committee).clone();
        roster = Some(Roster::restore(file, &committee)?);
    }
    roster.context("this node has not joined an alliance: run `alianza join MEMBERSHIP-FILE`")
}

fn check_membership(
    home: &Home,
    roster: &Roster,
    signing: &node_trust::keys::PublicKey,
    tls: &TlsIdentity,
) -> anyhow::Result<()> {
    let node = &home.config.node;
    let member = roster.member(node).with_context(|| format!("node {node} is not in the membership file"))?;
    if member.signing_key != *signing || !member.tls_pins.contains(&tls.pin) {
        bail!(
            "the membership file has other keys for {node} than its folder: send the committee the new member record"
        );
    }
    Ok(())
}

/// Pseudonyms of this institute's people, under the node's secret.
pub(crate) fn pseudonym(keys: &KeyStore) -> anyhow::Result<Arc<Pseudonym>> {
    let key = keys.pseudonym()?;
    Ok(Arc::new(move |person, project| key.pseudonym(&format!("person\n{person}\n{}", project.unwrap_or_default()))))
}

/// 128 bits from the thread's cryptographic generator, seeded by the system.
fn draw() -> u128 {
    let mut bytes = [0; 16];
    rand::rng().fill_bytes(&mut bytes);
    u128::from_be_bytes(bytes)
}

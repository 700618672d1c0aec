//! A real federation for tests and benchmarks: real nodes on port 0, a throw-away committee, a clock that the test moves.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context;
use chrono::{DateTime, Utc};
use node_domain::{
    clock::{Clock, SteppedClock},
    dictionary::Dictionary,
    node_id::NodeId,
};
use node_ingest::load::Outcome;
use node_policy::policy::Policy;
use node_protocol::{
    query::Query,
    study::{Study, StudyId},
};
use node_requester::study::Asker;
use node_server::{
    application::{Application, Listeners},
    config::Home,
    operate::{self, NewNode},
};
use node_store::Store;
use node_trust::{
    keys::SigningKey,
    membership::{Committee, Member, Membership, MembershipFile},
};
use tempfile::TempDir;

/// The collections of the Wilms tumour fixture.
pub const COLLECTIONS: [&str; 4] = ["patient", "tumour", "event", "follow_up"];

/// Folder of the Wilms tumour fixture.
#[must_use]
pub fn wilms() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/nwtco")
}

/// The time at which every test federation begins.
///
/// # Panics
/// Never: the text is a time.
#[must_use]
#[expect(clippy::expect_used, reason = "the text is a time")]
pub fn beginning() -> DateTime<Utc> {
    "2026-11-21T12:00:00Z".parse().expect("the text is a time")
}

/// The shipped policy as a rehearsal: everything may be explored, with these thresholds.
///
/// # Errors
/// Never for the policy that ships.
pub fn policy(persons: u32, events: u32, at_risk: u32) -> anyhow::Result<String> {
    let mut policy = Policy::parse(operate::POLICY)?;
    (policy.threshold.persons, policy.threshold.events, policy.threshold.at_risk) = (persons, events, at_risk);
    policy.threshold.facilities = policy.threshold.facilities.min(persons);
    policy.open_wide(Dictionary::built_in()?.tables().map(|table| table.name.clone()).collect());
    Ok(toml::to_string(&policy)?)
}

/// What a federation is made of.
pub struct Plan<'p> {
    /// Identities, in order; the first one asks.
    pub nodes: &'p [&'p str],
    /// `DIR/<node>/<collection>.csv`.
    pub data: Option<PathBuf>,
    /// Policy of all nodes.
    pub policy: String,
}

/// Nodes that serve in this process.
pub struct Federation {
    /// The committee's private keys, of which three must sign.
    pub committee: Vec<SigningKey>,
    /// The membership that all joined.
    pub membership: MembershipFile,
    /// The clock of all nodes.
    pub clock: Arc<SteppedClock>,
    /// The nodes; `None` while one is stopped.
    pub nodes: Vec<Node>,
    folder: TempDir,
}

/// One node.
pub struct Node {
    /// Identity.
    pub id: NodeId,
    /// Its folder.
    pub home: Home,
    /// The running node, unless it was stopped.
    pub running: Option<Application>,
}

impl Federation {
    /// Builds the nodes; all of them serve.
    ///
    /// # Errors
    /// Where anything goes wrong.
    pub async fn start(plan: Plan<'_>) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let clock = Arc::new(SteppedClock::starting_at(beginning()));
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let (mut homes, mut members, mut listeners) = (Vec::new(), Vec::new(), Vec::new());
        for name in plan.nodes {
            let bound = Listeners::bind(any, any)?;
            let (peer, people) = (bound.peer.local_addr()?, bound.people.local_addr()?);
            let node: NodeId = name.parse()?;
            let dir = folder.path().join(name);
            let new = NewNode {
                node,
                url: format!("https://{peer}"),
                operator: "test".to_owned(),
                listen: peer,
                people_listen: people,
            };
            members.push(operate::create(&dir, &new, &plan.policy)?);
            let mut home = Home::open(&dir)?;
            home.config.limits.threads = 1;
            home.config.study.first_pause_ms = 100;
            home.config.study.gossip_s = 3600;
            homes.push(home);
            listeners.push(bound);
        }
        let committee = (0..5).map(|_| SigningKey::generate()).collect::<Result<Vec<_>, _>>()?;
        let keys = Committee { threshold: 3, keys: committee.iter().map(SigningKey::public).collect() };
        let membership = sign(1, members, &keys, &committee[..3])?;
        let mut nodes = Vec::new();
        for (home, bound) in homes.into_iter().zip(listeners) {
            let store = Store::open(&home.database()).await?;
            operate::adopt(&home, &store, membership.clone(), clock.now()).await?;
            store.close().await;
            if let Some(data) = &plan.data {
                load(&home, &data.join(home.config.node.as_str()))?;
            }
            operate::publish(&home, "test", clock.now())?;
            let running = Application::start(home.clone(), bound, Arc::clone(&clock) as Arc<dyn Clock>).await?;
            nodes.push(Node { id: home.config.node.clone(), home, running: Some(running) });
        }
        Ok(Self { committee, membership, clock, nodes, folder })
    }

    /// Folder of all nodes.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The time of all nodes.
    #[must_use]
    pub fn clock_now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// A running node by name.
    ///
    /// # Panics
    /// Where there is none.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test that names a node that does not run is wrong")]
    pub fn node(&self, name: &str) -> &Application {
        let node = self.nodes.iter().find(|node| node.id.as_str() == name);
        node.and_then(|node| node.running.as_ref()).expect("the node runs")
    }

    /// The folder of a node by name.
    ///
    /// # Panics
    /// Where there is none.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test that names a node that does not exist is wrong")]
    pub fn home(&self, name: &str) -> &Home {
        &self.nodes.iter().find(|node| node.id.as_str() == name).expect("the node exists").home
    }

    /// Stops one node.
    pub async fn stop_node(&mut self, name: &str) {
        for node in self.nodes.iter_mut().filter(|node| node.id.as_str() == name) {
            if let Some(running) = node.running.take() {
                running.stop().await;
            }
        }
    }

    /// Puts another policy into a stopped node's folder, where it is read from when the node starts.
    ///
    /// # Errors
    /// Where it is not valid.
    pub fn set_policy(&mut self, name: &str, policy: &str) -> anyhow::Result<()> {
        for node in self.nodes.iter_mut().filter(|node| node.id.as_str() == name) {
            std::fs::write(node.home.folder.join("policy.toml"), policy)?;
            node.home.policy = Home::open(&node.home.folder)?.policy;
        }
        Ok(())
    }

    /// Starts a stopped node at its old address.
    ///
    /// # Errors
    /// Where it does not start.
    pub async fn start_node(&mut self, name: &str) -> anyhow::Result<()> {
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        for node in self.nodes.iter_mut().filter(|node| node.id.as_str() == name) {
            let config = &node.home.config;
            let bound = Listeners::bind(config.peer.listen, config.people.listen)?;
            node.running = Some(Application::start(node.home.clone(), bound, Arc::clone(&clock)).await?);
        }
        Ok(())
    }

    /// The next membership, changed by `change` and signed by three of the committee.
    ///
    /// # Errors
    /// Never for a committee of this federation.
    pub fn next_membership(&self, epoch: u64, change: impl FnOnce(&mut Membership)) -> anyhow::Result<MembershipFile> {
        let mut file = MembershipFile { membership: self.membership.membership.clone(), signatures: Vec::new() };
        file.membership.epoch = epoch;
        change(&mut file.membership);
        for key in &self.committee[..3] {
            file.sign(key)?;
        }
        Ok(file)
    }

    /// Asks `query` from the first node of all nodes, once.
    ///
    /// # Errors
    /// Where the study cannot be begun.
    pub async fn ask(&self, query: &str) -> anyhow::Result<Study> {
        let (study, _) = self.begin(query).await?;
        self.asking()?.requester.round(&study).await?;
        Ok(self.asking()?.requester.study(&study).await?)
    }

    /// Begins a study at the first node without asking anybody yet.
    ///
    /// # Errors
    /// Where the study cannot be begun.
    pub async fn begin(&self, query: &str) -> anyhow::Result<(StudyId, Query)> {
        let query = Query::parse(query.as_bytes())?;
        let asker = Asker { subject: "tester".to_owned(), role: "researcher".to_owned() };
        let lasting = chrono::TimeDelta::hours(1);
        let study = self.asking()?.requester.begin(asker, query.clone(), &[], lasting).await?;
        Ok((study, query))
    }

    fn asking(&self) -> anyhow::Result<&Application> {
        self.nodes.first().and_then(|node| node.running.as_ref()).context("the first node is stopped")
    }

    /// Stops everything.
    pub async fn stop(self) {
        for node in self.nodes {
            if let Some(running) = node.running {
                running.stop().await;
            }
        }
    }
}

/// A membership signed by `signers`.
///
/// # Errors
/// Where a signer is not of the committee.
pub fn sign(
    epoch: u64,
    nodes: Vec<Member>,
    committee: &Committee,
    signers: &[SigningKey],
) -> anyhow::Result<MembershipFile> {
    let expires = beginning() + chrono::TimeDelta::days(3650);
    let membership = Membership { epoch, expires, committee: committee.clone(), nodes };
    let mut file = MembershipFile { membership, signatures: Vec::new() };
    for key in signers {
        file.sign(key)?;
    }
    Ok(file)
}

/// Loads a folder of files into a node.
///
/// # Errors
/// Where a file has a defect.
pub fn load(home: &Home, folder: &Path) -> anyhow::Result<()> {
    let mut first = None;
    let now = beginning();
    let sources = operate::sources_in(folder)?;
    let outcome = operate::load(home, &sources, now.date_naive(), now, &mut |defect| {
        if defect.refuses() {
            first.get_or_insert(defect.to_string());
        }
    })?;
    anyhow::ensure!(!matches!(outcome, Outcome::Refused { .. }), "{}", first.unwrap_or_default());
    Ok(())
}

/// Reads the JSON of a fixture.
///
/// # Errors
/// Where it is missing.
pub fn json(path: &Path) -> anyhow::Result<serde_json::Value> {
    Ok(serde_json::from_slice(&fs::read(path).with_context(|| path.display().to_string())?)?)
}

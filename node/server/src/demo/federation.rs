//! Builds complete nodes on loopback: keys, a signed membership, data, snapshots, ports.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use chrono::{NaiveDate, TimeDelta};
use include_dir::{Dir, include_dir};
use node_domain::clock::{Clock, SystemClock};
use node_ingest::load::Outcome;
use node_policy::role::Role;
use node_protocol::{
    project::{Lane, Project, Terms},
    query::Query,
};
use node_responder::stewardship::Steward;
use node_store::Store;
use node_trust::{
    keys::SigningKey,
    membership::{Committee, Member, Membership, MembershipFile},
};

use crate::{
    application::{Application, Listeners},
    config::Home,
    keystore::write_secret,
    operate::{self, Country, NewNode, adopt, create},
    terminal::note,
};

/// The National Wilms Tumor Study in sixteen unequal parts; see `tests/fixtures/nwtco/SOURCES.md`.
static WILMS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../tests/fixtures/nwtco/unequal");

/// The seed of the synthetic registry, so that every rehearsal shows the same.
const SEED: u64 = 2026;

/// What the nodes hold.
#[derive(Debug, Clone)]
pub(crate) enum Data {
    /// A synthetic registry, made on the spot.
    Synthetic,
    /// The study that ships.
    Wilms,
    /// `DIR/<node>/<collection>.csv`; a node without a folder has an empty registry.
    Folder(PathBuf),
}

/// What is to be built.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// How many of the default members.
    pub(crate) nodes: usize,
    /// What they hold.
    pub(crate) data: Data,
    /// Policy of all nodes.
    pub(crate) policy: String,
}

/// Nodes that serve.
pub(crate) struct Federation {
    folder: PathBuf,
    homes: Vec<Home>,
    applications: Vec<Application>,
}

/// Tells that a stage has ended and how long it took.
type Tell<'t> = &'t mut dyn FnMut(&str, Duration);

impl Federation {
    /// Builds the nodes in `folder` and lets them serve.
    pub(crate) async fn build(folder: &Path, plan: &Plan, tell: Tell<'_>) -> anyhow::Result<Self> {
        let mut stage = Instant::now();
        let mut ended = |what: &str| {
            tell(what, stage.elapsed());
            stage = Instant::now();
        };
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let countries = Country::all()?.into_iter().filter(|country| country.default_member == "Y").take(plan.nodes);
        let (mut homes, mut members, mut listeners) = (Vec::new(), Vec::new(), Vec::new());
        for country in countries {
            let bound = Listeners::bind(any, any)?;
            let (home, member) = make_node(folder, &country, &bound, plan)?;
            homes.push(home);
            members.push(member);
            listeners.push(bound);
        }
        ended(&format!("{} nodes made, each with its own keys and store", homes.len()));

        let file = sign_membership(folder, members)?;
        for home in &homes {
            let store = Store::open(&home.database()).await?;
            adopt(home, &store, file.clone(), SystemClock.now()).await?;
            store.close().await;
        }
        ended("membership signed by 3 of 5 committee keys, joined by all");

        let files = folder.join("files");
        if matches!(plan.data, Data::Synthetic) {
            let synthetic = node_synthetic::Plan::new(SEED, extract_day());
            for home in &homes {
                let node = &home.config.node;
                let registry = node_synthetic::country(&synthetic, &node.as_str().to_uppercase());
                let registry = registry.with_context(|| format!("{node}: no synthetic registry"))?;
                node_synthetic::write::to_folder(&registry, &files.join(node.as_str()))?;
            }
            ended("a SYNTHETIC registry made: none of these children exists");
        }
        let mut rows = 0;
        for home in &homes {
            rows += fill(home, plan, &files)?;
        }
        ended(&format!("{rows} rows loaded and checked"));
        for home in &homes {
            operate::publish(home, "rehearsal", SystemClock.now())?;
        }
        ended("snapshots published");

        let mut applications = Vec::new();
        for (home, bound) in homes.iter().zip(listeners) {
            applications.push(Application::start(home.clone(), bound, Arc::new(SystemClock)).await?);
        }
        ended("all nodes serve, mutual TLS between them");
        Ok(Self { folder: folder.to_owned(), homes, applications })
    }

    /// The node that asks: the first member.
    pub(crate) fn asking(&self) -> &Home {
        &self.homes[0]
    }

    /// Has the asking node propose a project that may ask `query`, and every node approve it.
    pub(crate) async fn approve(&self, name: &str, query: &Query) -> anyhow::Result<()> {
        let asking = self.applications.first().context("a federation has nodes")?;
        let now = SystemClock.now();
        let terms = Terms {
            tables: [query.table.clone()].into(),
            statistics: [query.statistic.name().to_owned()].into(),
            fields: query.fields().into_iter().map(str::to_owned).collect(),
            lane: Lane::Exact,
            privacy: None,
            persons: None,
            expires: now.date_naive() + TimeDelta::days(30),
        };
        let project = Project {
            project: name.parse()?,
            proposer: self.asking().config.node.clone(),
            title: "Rehearsal".to_owned(),
            purpose: "Rehearse a question inside a project".to_owned(),
            lead: "Nobody: a rehearsal".to_owned(),
            countries: self.homes.iter().map(|home| home.config.node.clone()).collect(),
            terms,
            proposed: now,
        };
        let id = project.project.clone();
        asking.requester.propose(project, "rehearsal").await?;
        for application in &self.applications {
            let steward = Steward { name: "rehearsal steward", role: Role::Steward };
            application.responder.approve_project(steward, &id, None, None).await?;
        }
        Ok(())
    }

    /// Folder of all nodes.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Stops all nodes.
    pub(crate) async fn stop(self) {
        for application in self.applications {
            application.stop().await;
        }
    }
}

/// The file with the access token of a node's person of a role.
pub(crate) fn token_file(home: &Home, role: Role) -> PathBuf {
    home.keys().join(format!("{}.token", role.name()))
}

fn make_node(folder: &Path, country: &Country, bound: &Listeners, plan: &Plan) -> anyhow::Result<(Home, Member)> {
    let (peer, people) = (bound.peer.local_addr()?, bound.people.local_addr()?);
    let arguments = NewNode {
        node: country.iso2.to_lowercase().parse()?,
        url: format!("https://{peer}"),
        operator: match plan.data {
            Data::Synthetic => "Rehearsal with SYNTHETIC data".to_owned(),
            Data::Wilms | Data::Folder(_) => "Rehearsal".to_owned(),
        },
        listen: peer,
        people_listen: people,
    };
    let dir = folder.join(arguments.node.as_str());
    let member = create(&dir, &arguments, &plan.policy)?;
    let mut home = Home::open(&dir)?;
    for role in [Role::Steward, Role::Auditor] {
        let token = operate::add_person(&home, role.name(), role)?;
        write_secret(&token_file(&home, role), token.as_bytes())?;
    }
    home.config.limits.threads = 1; // sixteen nodes share one machine
    Ok((home, member))
}

fn sign_membership(folder: &Path, nodes: Vec<Member>) -> anyhow::Result<MembershipFile> {
    let keys = (0..5).map(|_| SigningKey::generate()).collect::<Result<Vec<_>, _>>()?;
    let committee = Committee { threshold: 3, keys: keys.iter().map(SigningKey::public).collect() };
    let expires = SystemClock.now() + TimeDelta::days(365);
    let mut file =
        MembershipFile { membership: Membership { epoch: 1, expires, committee, nodes }, signatures: Vec::new() };
    for key in &keys[..3] {
        file.sign(key)?;
    }
    fs::write(folder.join("alliance.json"), serde_json::to_string_pretty(&file)?)?;
    Ok(file)
}

/// Loads a node's files, as many as there are, and returns their rows.
fn fill(home: &Home, plan: &Plan, files: &Path) -> anyhow::Result<u64> {
    let node = &home.config.node;
    let place = match &plan.data {
        Data::Folder(data) => data.join(node.as_str()),
        Data::Synthetic => files.join(node.as_str()),
        Data::Wilms => {
            let place = files.join(node.as_str());
            fs::create_dir_all(&place)?;
            let shipped = WILMS.get_dir(node.as_str()).map(Dir::files).into_iter().flatten();
            for file in shipped {
                fs::write(place.join(file.path().file_name().context("a fixture without a name")?), file.contents())?;
            }
            place
        }
    };
    let sources = operate::sources_in(&place)?;
    if sources.is_empty() {
        note(format!("{node}: no files in {}; it runs with an empty registry", place.display()));
        return Ok(0);
    }
    // a synthetic registry ends on a day of its own; other files were taken today
    let extracted_on =
        if matches!(plan.data, Data::Synthetic) { extract_day() } else { SystemClock.now().date_naive() };
    match operate::load(home, &sources, extracted_on, SystemClock.now(), &mut |defect| note(defect))? {
        Outcome::Accepted(report) | Outcome::AlreadyLoaded(report) | Outcome::WouldAccept(report) => Ok(report.rows()),
        Outcome::Refused { defects, .. } => anyhow::bail!("{node}: {defects} errors in its files; nothing was loaded"),
    }
}

/// The day on which the synthetic registry ends.
fn extract_day() -> NaiveDate {
    NaiveDate::from_ymd_opt(2025, 12, 31).unwrap_or_default()
}

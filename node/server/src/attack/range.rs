//! The firing range: the node under attack and the attacker's own node, real ones on loopback, with a clock that can be moved.

use std::{
    collections::BTreeMap,
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context;
use arc_swap::ArcSwapOption;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use node_attack::target::{Account, Known, Projects, Target, Tier};
use node_domain::{
    clock::{Clock, SteppedClock},
    dictionary::Dictionary,
    node_id::NodeId,
};
use node_ingest::load::Outcome;
use node_policy::{policy::Policy, role::Role};
use node_protocol::{
    answer::Answer,
    envelope::CatalogueEntry,
    problem::{Problem, ProblemKind},
    project::{Lane, PrivacyTerms, Project, ProjectId, Terms},
    query::{Query, STATISTICS},
    release::Mechanism,
    study::StudyId,
};
use node_requester::study::Asker;
use node_responder::{answer::Published, stewardship::Steward};
use node_store::Store;
use node_trust::{
    keys::SigningKey,
    membership::{Committee, Member, Membership, MembershipFile},
};

use super::{SEED, arrivals::Arrivals};
use crate::{
    application::{Application, Listeners},
    config::Home,
    operate::{self, NewNode},
};

/// The node under attack.
const TARGET: &str = "uy";
/// The attacker's node.
const ATTACKER: &str = "mx";
/// How many people the attacker has.
const RESEARCHERS: u32 = 3;
/// Standard deviation of the noise of sums, as a share of the largest contribution.
const SUM_NOISE: f64 = 0.5;

/// The node under attack and the attacker's.
pub(crate) struct Range {
    folder: PathBuf,
    clock: Arc<SteppedClock>,
    homes: [Home; 2],
    running: Option<[Application; 2]>,
    published: Arc<ArcSwapOption<Published>>,
    arrivals: Arrivals,
    arrived: usize,
    snapshots: usize,
    known: Known,
    /// The study that each account asked last.
    last: BTreeMap<Account, StudyId>,
    studies: u128,
}

fn beginning() -> DateTime<Utc> {
    DateTime::from_timestamp(1_798_000_000, 0).unwrap_or_default()
}

fn extract_day() -> NaiveDate {
    NaiveDate::from_ymd_opt(2025, 12, 31).unwrap_or_default()
}

impl Range {
    /// Builds both nodes, publishes, and has the attacker's projects approved.
    pub(crate) async fn build(folder: &Path, policy: &Policy) -> anyhow::Result<Self> {
        let clock = Arc::new(SteppedClock::starting_at(beginning()));
        let text = toml::to_string(policy)?;
        let (mut homes, mut members, mut bound) = (Vec::new(), Vec::new(), Vec::new());
        for name in [TARGET, ATTACKER] {
            let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
            let listeners = Listeners::bind(any, any)?;
            let (home, member) = make_node(&folder.join(name), name, &listeners, &text)?;
            homes.push(home);
            members.push(member);
            bound.push(listeners);
        }
        let membership = sign(members)?;
        for home in &homes {
            let store = Store::open(&home.database()).await?;
            operate::adopt(home, &store, membership.clone(), clock.now()).await?;
            store.close().await;
        }
        let homes: [Home; 2] = homes.try_into().map_err(|_| anyhow::anyhow!("two nodes"))?;
        let arrivals = Arrivals::of(SEED, extract_day())?;
        arrivals.write_first(&folder.join("files"))?;
        load(&homes[0], &folder.join("files"), clock.now())?;
        operate::publish(&homes[0], "range", clock.now())?;
        let mut range = Self {
            folder: folder.to_owned(),
            clock,
            homes,
            running: None,
            published: Arc::default(),
            arrivals,
            arrived: 0,
            snapshots: 0,
            known: known(policy),
            last: BTreeMap::new(),
            studies: 0,
        };
        range.start(bound).await?;
        range.approve_projects().await?;
        range.halt().await;
        for home in &range.homes {
            copy_folder(&home.folder, &range.kept(home))?;
        }
        Ok(range)
    }

    /// What is published at the node under attack.
    pub(crate) fn published(&self) -> Arc<ArcSwapOption<Published>> {
        Arc::clone(&self.published)
    }

    /// Stops both nodes.
    pub(crate) async fn stop(mut self) {
        self.halt().await;
    }

    /// Where a node's folder is kept as it was before anything was asked.
    fn kept(&self, home: &Home) -> PathBuf {
        self.folder.join("kept").join(home.config.node.as_str())
    }

    async fn start(&mut self, bound: Vec<Listeners>) -> anyhow::Result<()> {
        let mut running = Vec::new();
        for (home, listeners) in self.homes.iter().zip(bound) {
            let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
            running.push(Application::start(home.clone(), listeners, clock).await?);
        }
        let running: [Application; 2] = running.try_into().map_err(|_| anyhow::anyhow!("two nodes"))?;
        self.published.store(running[0].responder.published.load_full());
        self.running = Some(running);
        Ok(())
    }

    async fn halt(&mut self) {
        for application in self.running.take().into_iter().flatten() {
            application.stop().await;
        }
    }

    async fn begin_anew(&mut self) -> anyhow::Result<()> {
        self.halt().await;
        let mut bound = Vec::new();
        for home in &self.homes {
            fs::remove_dir_all(&home.folder)?;
            copy_folder(&self.kept(home), &home.folder)?;
            bound.push(Listeners::bind(home.config.peer.listen, home.config.people.listen)?);
        }
        (self.arrived, self.snapshots) = (0, 0);
        self.last.clear();
        self.start(bound).await
    }

    async fn approve_projects(&self) -> anyhow::Result<()> {
        let [target, attacker] = self.running.as_ref().context("the nodes run")?;
        let dictionary = Dictionary::built_in()?;
        let steward = Steward { name: "steward", role: Role::Steward };
        for (name, lane) in lanes(&self.known.projects) {
            let project = project(name, lane, &dictionary, self.clock.now(), self.known.threshold)?;
            attacker.requester.propose(project.clone(), "researcher-0").await?;
            target.responder.approve_project(steward, &project.project, None, None).await?;
        }
        // a project that the node granted to somebody else: the attacker knows its name, no more
        if let Some(foreign) = &self.known.projects.foreign {
            let mut project = project(foreign, Lane::Exact, &dictionary, self.clock.now(), self.known.threshold)?;
            project.proposer = "cl".parse()?;
            target.responder.store.receive_project(&project, "", self.clock.now()).await?;
            target.responder.approve_project(steward, &project.project, None, None).await?;
        }
        Ok(())
    }

    async fn send(&mut self, account: Account, study: StudyId, query: &Query) -> Result<Answer, Problem> {
        let not_running = || ProblemKind::Internal.because("the range does not run");
        let [target, attacker] = self.running.as_ref().ok_or_else(not_running)?;
        let asker = Asker { subject: format!("researcher-{}", account.researcher), role: "researcher".to_owned() };
        let (peer, own): (NodeId, NodeId) = (named(TARGET)?, named(ATTACKER)?);
        let first = attacker.requester.ask_directly(asker.clone(), study.clone(), query, &peer).await;
        match first {
            Err(problem) if problem.kind == ProblemKind::ReviewPending => {
                // the worst case: a steward who releases everything
                let steward = Steward { name: "steward", role: Role::Steward };
                target.responder.review(steward, &own, &study, true, String::new()).await?;
                attacker.requester.ask_directly(asker, study, query, &peer).await
            }
            outcome => outcome,
        }
    }

    fn publish_next(&mut self) -> anyhow::Result<()> {
        // 1, 2, 3, 4, 1, ... patients more
        let count = self.snapshots % 4 + 1;
        let folder = self.folder.join(format!("arriving-{}", self.snapshots));
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        let arrived = self.arrivals.write_later(self.arrived, count, &folder)?;
        anyhow::ensure!(arrived > 0, "nobody else arrives");
        self.clock.advance(TimeDelta::days(1));
        load(&self.homes[0], &folder, self.clock.now())?;
        operate::publish(&self.homes[0], "range", self.clock.now())?;
        (self.arrived, self.snapshots) = (self.arrived + arrived, self.snapshots + 1);
        Ok(())
    }
}

impl Target for Range {
    async fn fresh(&mut self) -> Result<(), Problem> {
        self.begin_anew().await.map_err(|error| internal(&error))
    }

    async fn ask(&mut self, account: Account, query: &Query) -> Result<Answer, Problem> {
        self.studies += 1;
        let study = StudyId::from_random(self.studies);
        self.last.insert(account, study.clone());
        self.send(account, study, query).await
    }

    async fn ask_again(&mut self, account: Account, query: &Query) -> Result<Answer, Problem> {
        let study =
            self.last.get(&account).cloned().ok_or_else(|| ProblemKind::Internal.because("nothing was asked"))?;
        self.send(account, study, query).await
    }

    async fn catalogue(&mut self) -> Result<Vec<CatalogueEntry>, Problem> {
        let not_running = || ProblemKind::Internal.because("the range does not run");
        let [_, attacker] = self.running.as_ref().ok_or_else(not_running)?;
        Ok(attacker.requester.describe(&named(TARGET)?).await?.catalogue)
    }

    async fn next_snapshot(&mut self) -> Result<(), Problem> {
        self.publish_next().map_err(|error| internal(&error))?;
        let not_running = || ProblemKind::Internal.because("the range does not run");
        let [target, _] = self.running.as_ref().ok_or_else(not_running)?;
        target.look_around().await.map_err(|error| internal(&error))?;
        self.published.store(target.responder.published.load_full());
        Ok(())
    }

    fn wait(&mut self, seconds: i64) {
        self.clock.advance(TimeDelta::seconds(seconds));
    }

    fn known(&self) -> &Known {
        &self.known
    }
}

fn internal(error: &anyhow::Error) -> Problem {
    ProblemKind::Internal.because(format!("{error:#}"))
}

fn named(node: &str) -> Result<NodeId, Problem> {
    node.parse().map_err(|_| ProblemKind::Internal.because("no name of a node"))
}

fn known(policy: &Policy) -> Known {
    let name = |word: &str| Some(format!("{ATTACKER}-{word}"));
    Known {
        threshold: u64::from(policy.threshold.persons),
        exploration_threshold: u64::from(policy.exploration.persons),
        events: u64::from(policy.threshold.events),
        sum_noise: SUM_NOISE,
        fields: policy.exploration.fields.clone(),
        cells: u64::from(policy.size.cells),
        researchers: RESEARCHERS,
        projects: Projects {
            perturbed: name("perturbed"),
            exact: name("exact"),
            private: (policy.privacy.project_rho > 0.0).then(|| name("private")).flatten(),
            foreign: Some("cl-foreign".to_owned()),
        },
    }
}

fn lanes(projects: &Projects) -> impl Iterator<Item = (&String, Lane)> {
    let lanes = [Lane::Perturbed, Lane::Exact, Lane::DifferentiallyPrivate];
    lanes.into_iter().filter_map(|lane| Some((projects.of(Tier::Project(lane))?, lane)))
}

/// A project that may ask everything about cases.
fn project(
    name: &str,
    lane: Lane,
    dictionary: &Dictionary,
    now: DateTime<Utc>,
    threshold: u64,
) -> anyhow::Result<Project> {
    let table = dictionary.table("cases").context("no table of cases")?;
    let fields = table.fields.iter().map(|field| field.name.clone()).chain(table.endpoints.keys().cloned());
    let privacy = PrivacyTerms { mechanism: Mechanism::Gaussian, rho: 0.5, rho_per_answer: 0.02 };
    Ok(Project {
        project: name.parse::<ProjectId>()?,
        proposer: ATTACKER.parse()?,
        title: "Attack".to_owned(),
        purpose: "Learn what is hidden".to_owned(),
        lead: "nobody".to_owned(),
        countries: [TARGET.parse()?].into(),
        terms: Terms {
            tables: ["cases".to_owned()].into(),
            statistics: STATISTICS.map(str::to_owned).into(),
            fields: fields.collect(),
            lane,
            privacy: (lane == Lane::DifferentiallyPrivate).then_some(privacy),
            persons: u32::try_from(threshold).ok(),
            expires: now.date_naive() + TimeDelta::days(1500),
        },
        proposed: now,
    })
}

fn make_node(dir: &Path, name: &str, bound: &Listeners, policy: &str) -> anyhow::Result<(Home, Member)> {
    let (peer, people) = (bound.peer.local_addr()?, bound.people.local_addr()?);
    let new = NewNode {
        node: name.parse()?,
        url: format!("https://{peer}"),
        operator: "Attack on SYNTHETIC data".to_owned(),
        listen: peer,
        people_listen: people,
    };
    let member = operate::create(dir, &new, policy)?;
    let mut home = Home::open(dir)?;
    home.config.limits.threads = 1;
    home.config.study.gossip_s = 1_000_000;
    Ok((home, member))
}

fn sign(nodes: Vec<Member>) -> anyhow::Result<MembershipFile> {
    let key = SigningKey::generate()?;
    let committee = Committee { threshold: 1, keys: vec![key.public()] };
    let expires = beginning() + TimeDelta::days(20_000);
    let membership = Membership { epoch: 1, expires, committee, nodes };
    let mut file = MembershipFile { membership, signatures: Vec::new() };
    file.sign(&key)?;
    Ok(file)
}

fn load(home: &Home, folder: &Path, now: DateTime<Utc>) -> anyhow::Result<()> {
    let mut first = None;
    let outcome = operate::load(home, &operate::sources_in(folder)?, extract_day(), now, &mut |defect| {
        if defect.refuses() {
            first.get_or_insert(defect.to_string());
        }
    })?;
    anyhow::ensure!(!matches!(outcome, Outcome::Refused { .. }), "{}", first.unwrap_or_default());
    Ok(())
}

fn copy_folder(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?; // permissions go with it
        }
    }
    Ok(())
}

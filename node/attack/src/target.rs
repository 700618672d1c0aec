//! What the suite needs from outside: a node to attack, what is publicly known of it, and a judge who knows the truth.

use std::future::Future;

use node_protocol::{
    answer::Answer,
    envelope::CatalogueEntry,
    problem::Problem,
    project::Lane,
    query::{self, Query},
};

/// A node as the people of a peer see it. Nothing here tells more than the peer protocol does.
pub trait Target {
    /// The node with the same data and nothing asked of it yet: whole quotas and budgets, no earlier answers. Called before each
    /// attack.
    ///
    /// # Errors
    /// Where the node cannot be started again; the attack is then skipped.
    fn fresh(&mut self) -> impl Future<Output = Result<(), Problem>>;

    /// Asks as a new study. The query goes out as it is, its project included.
    ///
    /// # Errors
    /// The node's refusal.
    fn ask(&mut self, account: Account, query: &Query) -> impl Future<Output = Result<Answer, Problem>>;

    /// Sends the study that the account asked last once more, with `query`.
    ///
    /// # Errors
    /// The node's refusal.
    fn ask_again(&mut self, account: Account, query: &Query) -> impl Future<Output = Result<Answer, Problem>>;

    /// Asks as a new study with a query that the attacker wrote by hand. As far as the sender's own node lets it out: the default
    /// sends what the protocol parses.
    ///
    /// # Errors
    /// The refusal of either node.
    fn ask_json(
        &mut self,
        account: Account,
        body: &serde_json::Value,
    ) -> impl Future<Output = Result<Answer, Problem>> {
        async move {
            let query = Query::parse(body.to_string().as_bytes())?;
            self.ask(account, &query).await
        }
    }

    /// The catalogue, as `GET /v1/node` gives it to anybody.
    ///
    /// # Errors
    /// The node's refusal.
    fn catalogue(&mut self) -> impl Future<Output = Result<Vec<CatalogueEntry>, Problem>>;

    /// The institute publishes again, with one to four patients more.
    ///
    /// # Errors
    /// Where it cannot; the attack then goes on with what it has.
    fn next_snapshot(&mut self) -> impl Future<Output = Result<(), Problem>>;

    /// The clock moves on.
    fn wait(&mut self, seconds: i64);

    /// What the attacker may know.
    fn known(&self) -> &Known;
}

/// Knows the truth.
pub trait Judge {
    /// The exact answer to `query` on the target's current snapshot: no threshold, no noise, no cut merged or left out, zero as
    /// zero. None where it cannot be computed.
    fn truth(&mut self, query: &Query) -> Option<Answer>;
}

/// An account of the attacker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Account {
    /// Which of the attacker's people, from 0.
    pub researcher: u32,
    /// In which tier they ask.
    pub tier: Tier,
}

/// A way to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// Outside a project.
    Exploration,
    /// In the attacker's project of that lane.
    Project(Lane),
}

impl Tier {
    /// Outside a project.
    pub const EXPLORATION: Self = Self::Exploration;
    /// In a project with noise.
    pub const PERTURBED: Self = Self::Project(Lane::Perturbed);
    /// In a project with exact, audited answers.
    pub const EXACT: Self = Self::Project(Lane::Exact);
    /// In a project with a privacy budget.
    pub const PRIVATE: Self = Self::Project(Lane::DifferentiallyPrivate);
}

/// What everybody knows of the node: its policy is public.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// Fewest persons of a cell that is shown inside projects.
    pub threshold: u64,
    /// The same outside projects.
    pub exploration_threshold: u64,
    /// Fewest events between two points of a survival curve.
    pub events: u64,
    /// Standard deviation of the noise of a perturbed sum, as a share of its largest contribution; rounding comes on top.
    pub sum_noise: f64,
    /// Fields of `cases` that every tier may filter and group by; all where the list is empty.
    pub fields: Vec<String>,
    /// The most cells of one answer.
    pub cells: u64,
    /// How many people the attacker has.
    pub researchers: u32,
    /// The attacker's projects.
    pub projects: Projects,
}

/// The names of the attacker's projects; an absent one cannot be attacked through.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Projects {
    /// Answers with noise.
    pub perturbed: Option<String>,
    /// Exact answers, audited.
    pub exact: Option<String>,
    /// Answers from a privacy budget.
    pub private: Option<String>,
    /// A project that the node granted to another peer: the attacker knows its name, no more.
    pub foreign: Option<String>,
}

impl Projects {
    /// The project of a tier; none in exploration and where there is no project.
    #[must_use]
    pub fn of(&self, tier: Tier) -> Option<&String> {
        match tier {
            Tier::Exploration => None,
            Tier::Project(Lane::Perturbed) => self.perturbed.as_ref(),
            Tier::Project(Lane::Exact) => self.exact.as_ref(),
            Tier::Project(Lane::DifferentiallyPrivate) => self.private.as_ref(),
        }
    }
}

/// How long each attack may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// For every change: enough to spend the noise that the shipped policy allows.
    Brief,
    /// For continuous integration: spends less than a default quota.
    Quick,
    /// Long enough to spend every default quota.
    Thorough,
}

impl Scale {
    /// How often one attack asks at most.
    #[must_use]
    pub fn asks(self) -> u64 {
        match self {
            Self::Brief => 45,
            Self::Quick => 120,
            Self::Thorough => 600,
        }
    }
}

/// The most conditions that an attack puts into one query: below every bound of the protocol and of the default policy.
pub(crate) const MOST_CONDITIONS: usize = 12;

const _: () = assert!(MOST_CONDITIONS < query::MAX_CONDITIONS);

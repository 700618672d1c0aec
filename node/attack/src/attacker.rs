//! The attacker: asks in any tier, waits when told to, reads answers, and has its claims judged.

use node_domain::dictionary::{Dictionary, Field, Kind, Table};
use node_protocol::{
    answer::Answer,
    problem::{Problem, ProblemKind},
    query::{Condition, Query, Statistic},
};
use rand::{rngs::StdRng, seq::SliceRandom};

use crate::{
    finding::Tally,
    grid::{Codes, Grid, is},
    seen::Seen,
    target::{Account, Judge, Known, Scale, Target, Tier},
};

/// The table that is attacked.
const TABLE: &str = "cases";
/// Fields that cut a registry into small groups, the most telling first.
const TELLING: [&str; 14] = [
    "index_cancer",
    "age_band",
    "sex",
    "stage",
    "facility_level",
    "iccc_group",
    "coverage_scheme",
    "death_30d",
    "cohort",
    "metastatic",
    "basis",
    "treated",
    "abandonment",
    "vital_status",
];
/// How often the attacker waits for one answer before it gives up.
const PATIENCE: usize = 4;

/// An attacker at work on one attack.
pub(crate) struct Attacker<'a, T> {
    pub(crate) dictionary: &'a Dictionary,
    pub(crate) target: &'a mut T,
    pub(crate) judge: &'a mut dyn Judge,
    pub(crate) rng: StdRng,
    pub(crate) known: Known,
    pub(crate) scale: Scale,
    pub(crate) tally: Tally,
    /// Asks that are left for this part of the attack.
    left: u64,
}

impl<'a, T: Target> Attacker<'a, T> {
    pub(crate) fn new(
        dictionary: &'a Dictionary,
        target: &'a mut T,
        judge: &'a mut dyn Judge,
        scale: Scale,
        rng: StdRng,
    ) -> Self {
        let known = target.known().clone();
        Self { dictionary, target, judge, rng, known, scale, tally: Tally::default(), left: scale.asks() }
    }

    /// Those of the tiers through which the attacker can ask.
    pub(crate) fn tiers(&self, of: &[Tier]) -> Vec<Tier> {
        let open = |tier: &Tier| *tier == Tier::Exploration || self.known.projects.of(*tier).is_some();
        of.iter().copied().filter(open).collect()
    }

    /// Fewest persons of a cell that a tier shows.
    pub(crate) fn threshold(&self, tier: Tier) -> u64 {
        match tier {
            Tier::Exploration => self.known.exploration_threshold,
            Tier::Project(_) => self.known.threshold,
        }
    }

    /// Whether a tier would not show the true number exactly: it is small, or all numbers are noisy. A larger one that is
    /// withheld beside exact numbers protects others and is no secret itself.
    pub(crate) fn hides(&self, tier: Tier, truth: f64) -> bool {
        tier != Tier::EXACT || truth < self.known.threshold as f64
    }

    /// Has a belief judged, where the tier hides the number.
    pub(crate) fn claim(&mut self, tier: Tier, belief: &Seen, truth: f64) {
        if self.hides(tier, truth) {
            self.tally.score(belief, truth);
        }
    }

    /// Begins a part of an attack that has so many equal parts.
    pub(crate) fn begin(&mut self, parts: usize) {
        self.left = self.scale.asks() / u64::try_from(parts.max(1)).unwrap_or(1);
    }

    /// How often this part may still ask.
    pub(crate) fn left(&self) -> u64 {
        self.left
    }

    /// Sends by any of the target's ways and counts; none where this part of the attack is over.
    async fn send(
        &mut self,
        mut way: impl AsyncFnMut(&mut T) -> Result<Answer, Problem>,
    ) -> Option<Result<Answer, Problem>> {
        for _ in 0..PATIENCE {
            if self.left == 0 {
                return None;
            }
            self.tally.queries += 1;
            let problem = match way(self.target).await {
                Ok(answer) => {
                    self.left -= 1;
                    return Some(Ok(answer));
                }
                Err(problem) => problem,
            };
            self.tally.refused += 1;
            match problem.kind {
                ProblemKind::QuotaExceeded => {
                    self.target.wait(i64::from(problem.retry_after_s.unwrap_or(3_600)) + 1);
                }
                ProblemKind::NoiseSpent | ProblemKind::BudgetSpent => {
                    self.left = 0;
                    return Some(Err(problem));
                }
                _ => {
                    self.left -= 1;
                    return Some(Err(problem));
                }
            }
        }
        self.left = 0;
        None
    }

    fn addressed(&self, account: Account, query: &Query) -> Query {
        Query { project: self.known.projects.of(account.tier).cloned(), ..query.clone() }
    }

    /// Asks; waits where a quota says so.
    pub(crate) async fn outcome(&mut self, account: Account, query: &Query) -> Option<Result<Answer, Problem>> {
        let query = self.addressed(account, query);
        self.send(async |target: &mut T| target.ask(account, &query).await).await
    }

    /// Asks for the same study again.
    pub(crate) async fn again(&mut self, account: Account, query: &Query) -> Option<Answer> {
        let query = self.addressed(account, query);
        self.send(async |target: &mut T| target.ask_again(account, &query).await).await?.ok()
    }

    /// Asks with JSON of the attacker's making.
    pub(crate) async fn by_hand(&mut self, account: Account, body: &serde_json::Value) -> Option<Answer> {
        self.send(async |target: &mut T| target.ask_json(account, body).await).await?.ok()
    }

    /// Asks; none where it is refused.
    pub(crate) async fn ask(&mut self, account: Account, query: &Query) -> Option<Answer> {
        self.outcome(account, query).await?.ok()
    }

    /// Counts persons by group.
    pub(crate) async fn grid(&mut self, tier: Tier, conditions: &[Condition], by: &[String]) -> Option<Grid> {
        self.grid_as(Account { researcher: 0, tier }, conditions, by).await
    }

    /// The same as one of the attacker's people.
    pub(crate) async fn grid_as(&mut self, account: Account, conditions: &[Condition], by: &[String]) -> Option<Grid> {
        let query = self.count(conditions, by);
        Grid::of(&self.ask(account, &query).await?, by)
    }

    /// Counts persons of one set.
    pub(crate) async fn one(&mut self, tier: Tier, conditions: &[Condition]) -> Option<Seen> {
        self.grid(tier, conditions, &[]).await?.seen(&[])
    }

    /// The judge's count.
    pub(crate) fn truth(&mut self, conditions: &[Condition], by: &[String]) -> Option<Grid> {
        let query = self.count(conditions, by);
        Grid::of(&self.judge.truth(&query)?, by)
    }

    pub(crate) fn count(&self, conditions: &[Condition], by: &[String]) -> Query {
        self.query(conditions, by, Statistic::Count)
    }

    pub(crate) fn query(&self, conditions: &[Condition], by: &[String], statistic: Statistic) -> Query {
        Query {
            dictionary: self.dictionary.version.clone(),
            project: None,
            table: TABLE.to_owned(),
            conditions: conditions.to_vec(),
            by: by.to_vec(),
            statistic,
        }
    }

    pub(crate) fn table(&self) -> Option<&'a Table> {
        self.dictionary.table(TABLE).map(AsRef::as_ref)
    }

    /// Whether every tier lets the field be used.
    pub(crate) fn may_use(&self, field: &str) -> bool {
        self.known.fields.is_empty() || self.known.fields.iter().any(|known| known == field)
    }

    /// Coded fields that may be grouped by, the most telling first.
    pub(crate) fn fields(&self) -> Vec<String> {
        let Some(table) = self.table() else { return Vec::new() };
        let coded = |field: &Field| field.groupable && field.filterable && matches!(field.kind, Kind::Code(_));
        TELLING
            .iter()
            .filter(|name| self.may_use(name) && table.field(name).is_some_and(coded))
            .map(|name| (*name).to_owned())
            .collect()
    }

    /// The codes of a field.
    pub(crate) fn codes(&self, field: &str) -> Vec<String> {
        match self.table().and_then(|table| table.field(field)).map(|field| &field.kind) {
            Some(Kind::Code(list)) => list.codes.iter().map(|code| code.code.clone()).collect(),
            _ => Vec::new(),
        }
    }

    /// Pairs of fields whose cross-classification fits into one answer, in random order.
    pub(crate) fn pairs(&mut self) -> Vec<[String; 2]> {
        let fields = self.fields();
        let size = |field: &String| self.codes(field).len() as u64 + 1;
        let mut pairs = Vec::new();
        for (at, first) in fields.iter().enumerate() {
            for second in &fields[at + 1..] {
                if size(first) * size(second) <= self.known.cells {
                    pairs.push([first.clone(), second.clone()]);
                }
            }
        }
        pairs.shuffle(&mut self.rng);
        pairs
    }

    /// The first `many` of `targets` in random order, those below the threshold still first.
    pub(crate) fn choose(&mut self, grid: &Grid, many: usize) -> Vec<Codes> {
        let hidden = |codes: &Codes| grid.seen(codes).is_some_and(|seen| seen.shown().is_none());
        let (mut banded, mut noisy): (Vec<_>, Vec<_>) = grid.targets().into_iter().partition(hidden);
        banded.shuffle(&mut self.rng);
        noisy.shuffle(&mut self.rng);
        banded.into_iter().chain(noisy).take(many).collect()
    }

    /// A random part of a field's codes, neither none nor all.
    pub(crate) fn part(&mut self, codes: &[String]) -> Vec<String> {
        let mut codes = codes.to_vec();
        codes.shuffle(&mut self.rng);
        let many = codes.len().div_ceil(2).max(1);
        codes.truncate(many);
        codes.sort();
        codes
    }

    /// A condition that says one code of a group.
    pub(crate) fn coordinate(grid: &Grid, codes: &Codes, at: usize) -> Condition {
        is(&grid.by[at], codes[at].as_deref())
    }
}

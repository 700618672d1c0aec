//! A node's policy as one typed file; an unknown key refuses the start.

mod checks;

use std::collections::BTreeMap;

use node_domain::{dictionary::Unit, digest::Digest};
use node_protocol::{
    canonical::{self, CanonicalError},
    project::{Lane, ProjectId},
    query::STATISTICS,
    release::{Dominance, Safeguards},
};
use serde::{Deserialize, Serialize};

/// The least threshold of persons and of events that a node may set; a rehearsal on public data may go below.
pub const FLOOR: u32 = 3;
/// The greatest share of a sum that one contributor may have, per cent.
pub const MOST_LARGEST_PERCENT: u32 = 80;
/// The least that the p % rule may ask for, per cent.
pub const LEAST_P_PERCENT: u32 = 10;
/// The least variance of the noise, persons squared.
pub const LEAST_VARIANCE: f64 = 1.0;

/// What a node's steward allows. The effective policy is hashed into every answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Only for public or invented data: thresholds may lie below the floor, and real nodes do not start with it.
    #[serde(default)]
    pub rehearsal: bool,
    /// Thresholds of every answer.
    pub threshold: Threshold,
    /// Queries outside a project.
    pub exploration: Exploration,
    /// The noise of ad hoc answers.
    #[serde(default)]
    pub noise: Noise,
    /// How often may be asked.
    #[serde(default)]
    pub quota: Quota,
    /// How large a query may be.
    #[serde(default)]
    pub size: Size,
    /// Exact ad hoc answers.
    #[serde(default)]
    pub exact: Exact,
    /// Differentially private answers.
    #[serde(default)]
    pub privacy: Privacy,
    /// Regression models.
    #[serde(default)]
    pub models: Models,
    /// Classes of answers that wait for a steward.
    #[serde(default)]
    pub review: Vec<ReviewClass>,
    /// Tighter rules for single projects.
    #[serde(default)]
    pub project: BTreeMap<ProjectId, Override>,
}

/// Thresholds of every answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    /// A cell of fewer persons is not shown.
    pub persons: u32,
    /// Intervals of survival curves hold no event of a cause, or at least so many.
    pub events: u32,
    /// Curves end at the last boundary with so many at risk.
    pub at_risk: u32,
    /// A cell of fewer hospitals is not shown, in tables that are about hospitals.
    #[serde(default = "facilities")]
    pub facilities: u32,
    /// A sum is not shown if one contributor makes up more of it, per cent.
    #[serde(default = "largest_percent")]
    pub largest_percent: u32,
    /// A sum is not shown if less than this is left of the largest contributor without the two largest, per cent.
    #[serde(default = "p_percent")]
    pub p_percent: u32,
}

fn facilities() -> u32 {
    3
}

fn largest_percent() -> u32 {
    MOST_LARGEST_PERCENT
}

fn p_percent() -> u32 {
    LEAST_P_PERCENT
}

/// What any researcher may ask outside a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exploration {
    /// Statistics allowed, by name.
    pub statistics: Vec<String>,
    /// Analysis tables allowed.
    pub tables: Vec<String>,
    /// Fields allowed; all of the dictionary if empty.
    #[serde(default)]
    pub fields: Vec<String>,
    /// A cell of fewer persons is not shown; not below `threshold.persons`.
    pub persons: u32,
    /// How its ad hoc answers leave: with noise, and in a rehearsal possibly exact.
    #[serde(default = "perturbed")]
    pub lane: Lane,
}

fn perturbed() -> Lane {
    Lane::Perturbed
}

/// The noise of ad hoc answers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Noise {
    /// No number is further than this from the true one, persons.
    pub bound: u32,
    /// Its variance, persons squared.
    pub variance: f64,
}

impl Default for Noise {
    fn default() -> Self {
        Self { bound: 15, variance: 16.0 }
    }
}

/// How often may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Quota {
    /// One researcher, in a minute.
    pub researcher_per_minute: u32,
    /// One researcher, in a week.
    pub researcher_per_week: u32,
    /// One project, in a week.
    pub project_per_week: u32,
    /// One peer, in a week, whatever names it gives to its people.
    pub peer_per_week: u32,
    /// Different queries that are answered with noise in three months, whoever asks, on whatever snapshot.
    pub different_per_quarter: u32,
}

impl Default for Quota {
    fn default() -> Self {
        Self {
            researcher_per_minute: 3,
            researcher_per_week: 50,
            project_per_week: 100,
            peer_per_week: 200,
            different_per_quarter: 30,
        }
    }
}

/// How large one query may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Size {
    /// Cells of the answer.
    pub cells: u32,
    /// Conditions, nested ones included.
    pub conditions: u32,
    /// Different fields.
    pub fields: u32,
}

impl Default for Size {
    fn default() -> Self {
        Self { cells: 1000, conditions: 16, fields: 6 }
    }
}

/// Exact ad hoc answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Exact {
    /// Cells shown exactly on one snapshot, the catalogue's included, beyond which exact answers are refused.
    pub cells: u32,
}

impl Default for Exact {
    fn default() -> Self {
        Self { cells: 6000 }
    }
}

/// Budgets of differential privacy, as rho of zero-concentrated differential privacy.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Privacy {
    /// The most that one project can be granted.
    pub project_rho: f64,
    /// The most that all projects together can spend.
    pub node_rho: f64,
}

impl Default for Privacy {
    fn default() -> Self {
        Self { project_rho: 0.5, node_rho: 2.0 }
    }
}

/// Regression models.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Models {
    /// Least events per parameter.
    pub events_per_parameter: u32,
    /// Least persons per parameter.
    pub persons_per_parameter: u32,
    /// Greatest coefficient, on the scale of the model.
    pub coefficient: f64,
    /// Most models of one project.
    pub per_project: u32,
}

impl Default for Models {
    fn default() -> Self {
        Self { events_per_parameter: 10, persons_per_parameter: 10, coefficient: 10.0, per_project: 20 }
    }
}

/// A class of answers that wait for a steward: those that agree with everything named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReviewClass {
    /// How the numbers leave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub way: Option<Lane>,
    /// Statistic by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statistic: Option<String>,
    /// Analysis table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
}

/// Tighter rules for one project, beside its grant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Override {
    /// A tighter threshold of persons.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub persons: Option<u32>,
    /// A tighter quota.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_week: Option<u32>,
    /// Every answer waits for a steward.
    pub review: bool,
    /// Nothing is answered any more.
    pub closed: bool,
}

/// Why a policy is refused.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// Not TOML, or an unknown or missing key.
    #[error("the policy cannot be read: {0}")]
    Form(String),
    /// A threshold below the floor.
    #[error(
        "{key} = {value} is below the floor of {floor}: raise it (or set `rehearsal = true` on public or invented data)"
    )]
    Floor {
        /// Key.
        key: String,
        /// Its value.
        value: u32,
        /// The least value.
        floor: u32,
    },
    /// A project or tier that loosens what it may only tighten.
    #[error("{key} = {value} is looser than {than} = {limit}: it may only tighten")]
    Looser {
        /// Key.
        key: String,
        /// Its value.
        value: u32,
        /// What it must not be looser than.
        than: &'static str,
        /// The value of that.
        limit: u32,
    },
    /// A statistic that does not exist.
    #[error("{key} names the statistic `{name}`, which does not exist: {}", STATISTICS.join(", "))]
    Statistic {
        /// Key.
        key: String,
        /// The name.
        name: String,
    },
    /// A table or field that the dictionary does not have.
    #[error("{key}: {what}")]
    Name {
        /// Key.
        key: &'static str,
        /// That there is none, and which there are.
        what: String,
    },
    /// A value that protects too little or makes no sense.
    #[error("{key}: {what}")]
    Value {
        /// Key.
        key: &'static str,
        /// What is wrong, and what to do.
        what: String,
    },
}

impl Policy {
    /// Parses a policy file.
    ///
    /// # Errors
    /// Names the key that is unknown, missing, below the floor or looser than allowed.
    pub fn parse(toml: &str) -> Result<Self, PolicyError> {
        let policy: Self = toml::from_str(toml).map_err(|error| PolicyError::Form(error.to_string()))?;
        policy.check()?;
        Ok(policy)
    }

    /// Opens exploration as wide as a project with exact answers, for rehearsals on public or invented data: real nodes refuse to
    /// serve with it.
    pub fn open_wide(&mut self, tables: Vec<String>) {
        self.rehearsal = true;
        let statistics = STATISTICS.map(str::to_owned).to_vec();
        let persons = self.threshold.persons;
        self.exploration = Exploration { statistics, tables, fields: Vec::new(), persons, lane: Lane::Exact };
        self.review.clear();
        self.size = Size { cells: 5000, conditions: 64, fields: 64 };
        self.quota = Quota {
            researcher_per_minute: 1_000_000,
            researcher_per_week: 1_000_000,
            project_per_week: 1_000_000,
            peer_per_week: 1_000_000,
            different_per_quarter: 1_000_000,
        };
    }

    /// The hash of the effective policy.
    ///
    /// # Errors
    /// Never for a parsed policy; the type is that of canonical JSON.
    pub fn hash(&self) -> Result<Digest, CanonicalError> {
        canonical::digest(self)
    }

    /// The safeguards of queries outside a project.
    #[must_use]
    pub fn exploration_safeguards(&self) -> Safeguards {
        Safeguards { persons: self.exploration.persons, ..self.project_safeguards() }
    }

    /// The safeguards inside projects and of the catalogue; single projects may tighten them.
    #[must_use]
    pub fn project_safeguards(&self) -> Safeguards {
        let Threshold { persons, events, at_risk, .. } = self.threshold;
        Safeguards { persons, events, at_risk }
    }

    /// The rules for sums.
    #[must_use]
    pub fn dominance(&self) -> Dominance {
        Dominance { largest_percent: self.threshold.largest_percent, p_percent: self.threshold.p_percent }
    }

    /// The same for a table whose cells protect `unit`: hospitals have a threshold of their own, public acts none.
    pub(crate) fn for_unit(&self, safeguards: Safeguards, unit: Unit) -> Safeguards {
        let persons = match unit {
            Unit::Person => safeguards.persons,
            Unit::Facility => self.threshold.facilities,
            Unit::None => 0,
        };
        Safeguards { persons, ..safeguards }
    }
}

impl ReviewClass {
    /// Whether an answer belongs to the class.
    #[must_use]
    pub fn holds(&self, way: Lane, statistic: &str, table: &str) -> bool {
        self.way.is_none_or(|named| named == way)
            && self.statistic.as_ref().is_none_or(|named| named == statistic)
            && self.table.as_ref().is_none_or(|named| named == table)
    }
}

#[cfg(test)]
mod tests {
    use node_domain::dictionary::Dictionary;

    use super::*;

    const SHIPPED: &str = include_str!("../../../config/policy.toml");

    #[test]
    fn the_shipped_policy_is_the_design_default() {
        let policy = Policy::parse(SHIPPED).unwrap();
        assert_eq!(
            policy.threshold,
            Threshold { persons: 5, events: 3, at_risk: 10, facilities: 3, largest_percent: 80, p_percent: 10 }
        );
        assert_eq!((policy.exploration.persons, policy.rehearsal), (10, false));
        assert_eq!(policy.exploration.statistics, ["count"]);
        assert_eq!(policy.exploration.lane, Lane::Perturbed);
        assert_eq!((policy.noise, policy.quota, policy.size), (Noise::default(), Quota::default(), Size::default()));
        assert_eq!(
            (policy.exact, policy.privacy, policy.models),
            (Exact::default(), Privacy::default(), Models::default())
        );
    }

    #[test]
    fn unknown_keys_are_refused_by_name() {
        for (from, to) in [
            ("[noise]", "[noise]\nnoise_seed = 1"),
            ("[quota]", "[quotas]"),
            ("persons = 5", "personz = 5"),
            ("way = \"exact\"", "way = \"exact\"\nnode = \"mx\""),
        ] {
            assert!(SHIPPED.contains(from));
            let error = Policy::parse(&SHIPPED.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(["noise_seed", "quotas", "personz", "node"].iter().any(|word| error.contains(word)), "{error}");
        }
    }

    #[test]
    fn thresholds_below_the_floor_need_a_rehearsal() {
        let low = SHIPPED.replace("persons = 5", "persons = 2").replace("\nevents = 3", "\nevents = 1");
        assert!(matches!(Policy::parse(&low), Err(PolicyError::Floor { .. })));
        assert!(Policy::parse(&format!("rehearsal = true\n{low}")).is_ok());
        assert!(Policy::parse(&format!("rehearsal = true\n{}", low.replace("persons = 2", "persons = 0"))).is_err());
    }

    #[test]
    fn a_tier_or_a_project_may_only_tighten() {
        let loose = SHIPPED.replace("persons = 10", "persons = 4");
        assert!(matches!(Policy::parse(&loose), Err(PolicyError::Looser { .. })));
        let project = |line: &str| Policy::parse(&format!("{SHIPPED}\n[project.mx-2026-001]\n{line}\n"));
        assert!(project("persons = 8").is_ok());
        assert!(matches!(project("persons = 4"), Err(PolicyError::Looser { .. })));
        assert!(matches!(project("per_week = 101"), Err(PolicyError::Looser { .. })));
        assert!(project("statistics = [\"survival\"]").is_err(), "what a project may ask is granted, not configured");
    }

    #[test]
    fn values_that_protect_too_little_are_refused() {
        for (from, to) in [
            ("bound = 15", "bound = 4"),
            ("variance = 16.0", "variance = 0.5"),
            ("variance = 16.0", "variance = nan"),
            ("largest_percent = 80", "largest_percent = 81"),
            ("p_percent = 10", "p_percent = 9"),
            ("peer_per_week = 200", "peer_per_week = 49"),
            ("node_rho = 2.0", "node_rho = inf"),
            ("coefficient = 10.0", "coefficient = 51.0"),
            ("cells = 1000", "cells = 5001"),
        ] {
            assert!(SHIPPED.contains(from), "{from}");
            assert!(Policy::parse(&SHIPPED.replacen(from, to, 1)).is_err(), "{to}");
        }
    }

    #[test]
    fn names_that_the_dictionary_does_not_have_are_refused_with_the_nearest() {
        let dictionary = Dictionary::built_in().unwrap();
        let refused = |from: &str, to: &str| {
            assert!(SHIPPED.contains(from), "{from}");
            let policy = Policy::parse(&SHIPPED.replacen(from, to, 1)).unwrap();
            policy.check_names(&dictionary).unwrap_err().to_string()
        };
        assert!(Policy::parse(SHIPPED).unwrap().check_names(&dictionary).is_ok());
        let table = refused("tables = [\"cases\"]", "tables = [\"case\"]");
        assert!(
            table.starts_with("exploration.tables: there is no analysis table `case`; nearest first, there are: cases"),
            "{table}"
        );
        let field = refused("fields = []", "fields = [\"overall\", \"index_cancr\"]");
        assert!(field.starts_with("exploration.fields: ") && field.contains("there are: index_cancer, "), "{field}");
        assert!(refused("way = \"exact\"", "table = \"dose\"").starts_with("review.table: "));
    }

    #[test]
    fn an_empty_list_of_tables_is_no_way_to_say_all_of_them() {
        let empty = SHIPPED.replace("tables = [\"cases\"]", "tables = []");
        assert!(Policy::parse(&empty).unwrap_err().to_string().starts_with("exploration.tables: name at least one"));
        assert!(Policy::parse(&empty.replace("statistics = [\"count\"]", "statistics = []")).is_ok(), "nothing");
    }

    #[test]
    fn the_hash_follows_the_meaning_and_not_the_spelling() {
        let policy = Policy::parse(SHIPPED).unwrap();
        let spaced = Policy::parse(&SHIPPED.replace(" = ", "   =   ")).unwrap();
        assert_eq!(policy.hash().unwrap(), spaced.hash().unwrap());
        let tighter = Policy::parse(&SHIPPED.replace("persons = 5", "persons = 6")).unwrap();
        assert_ne!(policy.hash().unwrap(), tighter.hash().unwrap());
    }
}

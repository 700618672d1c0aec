//! A node's policy as one typed file; an unknown key refuses the start.

use std::collections::BTreeMap;

use node_domain::{
    dictionary::{Dictionary, Unit},
    digest::Digest,
    nearest::unknown,
};
use node_protocol::{
    canonical::{self, CanonicalError},
    project::{Lane, ProjectId},
    query::{MAX_CELLS, MAX_CONDITIONS, STATISTICS},
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

    fn check(&self) -> Result<(), PolicyError> {
        self.check_thresholds()?;
        self.check_statistics()?;
        self.check_projects()?;
        let value = |key, what: &str| Err(PolicyError::Value { key, what: what.to_owned() });
        if self.exploration.lane != Lane::Perturbed && !self.rehearsal {
            return value(
                "exploration.lane",
                "only `perturbed`: exact and private answers are granted to projects (or set `rehearsal = true` on public or invented data)",
            );
        }
        let bound = u64::from(self.noise.bound);
        let threshold = self.threshold.persons.max(self.threshold.facilities);
        if self.noise.bound < threshold || bound > 1000 {
            return value(
                "noise.bound",
                "at least threshold.persons and threshold.facilities, and at most 1000: else no number near the threshold can move",
            );
        }
        let widest = (bound * bound / 4) as f64;
        if !(LEAST_VARIANCE..=widest.max(LEAST_VARIANCE)).contains(&self.noise.variance) {
            return value("noise.variance", "at least 1, and at most a quarter of the squared bound");
        }
        let quota = self.quota;
        if quota.researcher_per_minute == 0 || quota.researcher_per_week == 0 || quota.project_per_week == 0 {
            return value("quota", "every quota is at least 1; to answer nothing, allow no statistic");
        }
        if quota.peer_per_week < quota.researcher_per_week {
            return value("quota.peer_per_week", "at least researcher_per_week, which it includes");
        }
        // below twice the variance, no number behind the noise can be told for certain, however the answers are combined
        if f64::from(quota.different_per_quarter) >= 2.0 * self.noise.variance && !self.rehearsal {
            return value(
                "quota.different_per_quarter",
                "less than twice noise.variance: noise wears off with every further query",
            );
        }
        let size = self.size;
        if !(1..=MAX_CELLS).contains(&u64::from(size.cells))
            || !(1..=MAX_CONDITIONS as u64).contains(&u64::from(size.conditions))
            || size.fields == 0
        {
            return value("size", "from 1 to the protocol's bounds: 5000 cells, 64 conditions");
        }
        if !(1..=20_000).contains(&self.exact.cells) {
            return value("exact.cells", "from 1 to 20000");
        }
        let sound = |rho: f64| rho.is_finite() && rho >= 0.0;
        if !sound(self.privacy.project_rho)
            || !sound(self.privacy.node_rho)
            || self.privacy.project_rho > self.privacy.node_rho
        {
            return value("privacy", "0 or more, and project_rho is at most node_rho");
        }
        let models = self.models;
        if models.events_per_parameter < 5 || models.persons_per_parameter < 5 {
            return value("models", "at least 5 events and 5 persons per parameter");
        }
        if !(models.coefficient > 0.0 && models.coefficient <= 50.0) {
            return value("models.coefficient", "greater than 0 and at most 50");
        }
        Ok(())
    }

    /// Checks the names of tables, fields and endpoints, which [`Policy::parse`] cannot know.
    ///
    /// # Errors
    /// Names the key and the name that the dictionary does not have, with those that it has, the nearest first.
    pub fn check_names(&self, dictionary: &Dictionary) -> Result<(), PolicyError> {
        let tables = || dictionary.tables().map(|table| table.name.as_str());
        let reviewed = self.review.iter().filter_map(|class| class.table.as_ref());
        let named = self.exploration.tables.iter().map(|name| ("exploration.tables", name));
        for (key, name) in named.chain(reviewed.map(|name| ("review.table", name))) {
            if dictionary.table(name).is_none() {
                return Err(PolicyError::Name { key, what: unknown("analysis table", name, tables()) });
            }
        }
        let fields: Vec<&str> = self
            .exploration
            .tables
            .iter()
            .filter_map(|name| dictionary.table(name))
            .flat_map(|table| table.names())
            .collect();
        match self.exploration.fields.iter().find(|field| !fields.contains(&field.as_str())) {
            Some(field) => {
                let what = unknown("field or endpoint of those tables", field, fields);
                Err(PolicyError::Name { key: "exploration.fields", what })
            }
            None => Ok(()),
        }
    }

    fn check_thresholds(&self) -> Result<(), PolicyError> {
        let floor = if self.rehearsal { 1 } else { FLOOR };
        let threshold = self.threshold;
        let thresholds = [
            ("persons", threshold.persons),
            ("events", threshold.events),
            ("at_risk", threshold.at_risk),
            ("facilities", threshold.facilities),
        ];
        for (key, value) in thresholds {
            if value < floor {
                return Err(PolicyError::Floor { key: format!("threshold.{key}"), value, floor });
            }
        }
        if threshold.events > threshold.persons {
            return Err(PolicyError::Looser {
                key: "threshold.persons".to_owned(),
                value: threshold.persons,
                than: "threshold.events",
                limit: threshold.events,
            });
        }
        if threshold.largest_percent > MOST_LARGEST_PERCENT && !self.rehearsal {
            let what = format!("at most {MOST_LARGEST_PERCENT}");
            return Err(PolicyError::Value { key: "threshold.largest_percent", what });
        }
        if threshold.p_percent < LEAST_P_PERCENT && !self.rehearsal {
            let what = format!("at least {LEAST_P_PERCENT}");
            return Err(PolicyError::Value { key: "threshold.p_percent", what });
        }
        if self.exploration.persons < threshold.persons {
            return Err(PolicyError::Looser {
                key: "exploration.persons".to_owned(),
                value: self.exploration.persons,
                than: "threshold.persons",
                limit: threshold.persons,
            });
        }
        Ok(())
    }

    fn check_statistics(&self) -> Result<(), PolicyError> {
        let reviewed = self.review.iter().filter_map(|class| class.statistic.as_ref());
        let named = self.exploration.statistics.iter().map(|name| ("exploration.statistics", name));
        for (key, name) in named.chain(reviewed.map(|name| ("review.statistic", name))) {
            if !STATISTICS.contains(&name.as_str()) {
                return Err(PolicyError::Statistic { key: key.to_owned(), name: name.clone() });
            }
        }
        // an empty list of fields means all of them; of tables it would mean none
        if self.exploration.tables.is_empty() && !self.exploration.statistics.is_empty() {
            let what = "name at least one table; to answer nothing outside projects, leave `statistics` empty as well";
            return Err(PolicyError::Value { key: "exploration.tables", what: what.to_owned() });
        }
        Ok(())
    }

    fn check_projects(&self) -> Result<(), PolicyError> {
        for (name, project) in &self.project {
            let looser = |key: &str, value, than, limit| {
                Err(PolicyError::Looser { key: format!("project.{name}.{key}"), value, than, limit })
            };
            if let Some(persons) = project.persons.filter(|persons| *persons < self.threshold.persons) {
                return looser("persons", persons, "threshold.persons", self.threshold.persons);
            }
            let limit = self.quota.project_per_week;
            if let Some(per_week) = project.per_week.filter(|per_week| *per_week > limit) {
                return looser("per_week", per_week, "quota.project_per_week", limit);
            }
        }
        Ok(())
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

//! A node's policy as one typed file; an unknown key refuses the start.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use node_domain::{dictionary::Unit, digest::Digest};
use node_protocol::{
    canonical::{self, CanonicalError},
    release::Safeguards,
};
use serde::{Deserialize, Serialize};

/// The least threshold of persons and of events that a node may set; a rehearsal on public data may go below.
pub const FLOOR: u32 = 3;

/// What a node's steward allows. The effective policy is hashed into every answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Thresholds of every answer.
    pub threshold: Threshold,
    /// Queries outside a project.
    pub exploration: Exploration,
    /// Approved projects by name.
    #[serde(default)]
    pub project: BTreeMap<String, Project>,
    /// Only for public or invented data: thresholds may lie below the floor, and real nodes do not start with it.
    #[serde(default)]
    pub rehearsal: bool,
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
}

/// The threshold of hospitals in a policy that does not name one.
fn facilities() -> u32 {
    3
}

/// What any researcher may ask outside a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exploration {
    /// Statistics allowed, by name.
    pub statistics: Vec<String>,
    /// Analysis tables allowed.
    pub tables: Vec<String>,
    /// A cell of fewer persons is not shown; not below `threshold.persons`.
    pub persons: u32,
}

/// An approved project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Project {
    /// What it is for.
    pub title: String,
    /// Statistics allowed, by name.
    pub statistics: Vec<String>,
    /// Analysis tables allowed.
    pub tables: Vec<String>,
    /// Last day on which it may ask.
    pub expires: NaiveDate,
    /// A tighter threshold of persons.
    #[serde(default)]
    pub persons: Option<u32>,
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
    #[error("{key} = {value} is looser than threshold.persons = {least}: it may only tighten")]
    Looser {
        /// Key.
        key: String,
        /// Its value.
        value: u32,
        /// The node's threshold.
        least: u32,
    },
    /// A statistic that does not exist.
    #[error("{key} names the statistic `{name}`, which does not exist: count, survival")]
    Statistic {
        /// Key.
        key: String,
        /// The name.
        name: String,
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
        let floor = if self.rehearsal { 1 } else { FLOOR };
        let Threshold { persons, events, at_risk, facilities } = self.threshold;
        let thresholds = [("persons", persons), ("events", events), ("at_risk", at_risk), ("facilities", facilities)];
        for (key, value) in thresholds {
            if value < floor {
                return Err(PolicyError::Floor { key: format!("threshold.{key}"), value, floor });
            }
        }
        let tiers = self.project.iter().map(|(name, project)| {
            (format!("project.{name}"), project.persons.unwrap_or(persons), &project.statistics)
        });
        let exploration = ("exploration".to_owned(), self.exploration.persons, &self.exploration.statistics);
        for (key, value, statistics) in tiers.chain([exploration]) {
            if value < persons {
                return Err(PolicyError::Looser { key: format!("{key}.persons"), value, least: persons });
            }
            if let Some(name) = statistics.iter().find(|name| !["count", "survival"].contains(&name.as_str())) {
                return Err(PolicyError::Statistic { key: format!("{key}.statistics"), name: name.clone() });
            }
        }
        Ok(())
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

    /// The safeguards inside projects, which single projects may tighten.
    #[must_use]
    pub fn project_safeguards(&self) -> Safeguards {
        let Threshold { persons, events, at_risk, .. } = self.threshold;
        Safeguards { persons, events, at_risk }
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

#[cfg(test)]
mod tests {
    use super::*;

    const SHIPPED: &str = include_str!("../../../config/policy.toml");

    #[test]
    fn the_shipped_policy_is_the_design_default() {
        let policy = Policy::parse(SHIPPED).unwrap();
        assert_eq!(policy.threshold, Threshold { persons: 5, events: 3, at_risk: 10, facilities: 3 });
        assert_eq!((policy.exploration.persons, policy.rehearsal), (10, false));
        assert_eq!(policy.exploration.statistics, ["count"]);
    }

    #[test]
    fn unknown_keys_are_refused_by_name() {
        for extra in ["noise = 1\n", "[threshold2]\n", "[threshold]\npersonz = 5\n"] {
            let error = Policy::parse(&format!("{extra}{SHIPPED}")).unwrap_err().to_string();
            assert!(["noise", "threshold2", "personz", "duplicate"].iter().any(|word| error.contains(word)), "{error}");
        }
    }

    #[test]
    fn thresholds_below_the_floor_need_a_rehearsal() {
        let low = SHIPPED.replace("persons = 5", "persons = 2");
        assert!(matches!(Policy::parse(&low), Err(PolicyError::Floor { .. })));
        assert!(Policy::parse(&format!("rehearsal = true\n{low}")).is_ok());
        assert!(Policy::parse(&format!("rehearsal = true\n{}", low.replace("persons = 2", "persons = 0"))).is_err());
    }

    #[test]
    fn a_tier_may_only_tighten() {
        let loose = SHIPPED.replace("persons = 10", "persons = 4");
        assert!(matches!(Policy::parse(&loose), Err(PolicyError::Looser { .. })));
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

//! Projects: an approved purpose under which queries run, proposed at one node and decided at each.

use std::{collections::BTreeSet, fmt, str::FromStr};

use chrono::{DateTime, NaiveDate, Utc};
use node_domain::node_id::NodeId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    outgoing::Outgoing,
    problem::{Problem, ProblemKind},
    query::STATISTICS,
    release::Mechanism,
};

/// The longest free text of a project or of a decision, characters.
pub const MAX_TEXT: usize = 2_000;
/// The most names in one list of a project.
pub const MAX_NAMES: usize = 200;
/// The longest life of a project, days.
pub const MAX_LIFE_DAYS: i64 = 5 * 366;

/// The name of a project: the proposing node, then a word of its own, such as `mx-2026-001`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", extend("pattern" = r"^[a-z0-9][a-z0-9-]{2,63}$"))]
pub struct ProjectId(String);

/// The text is no name of a project.
#[derive(Debug, thiserror::Error)]
#[error("a project is named by 3 to 64 lower-case letters, digits and hyphens, such as mx-2026-001")]
pub struct ProjectIdError;

impl ProjectId {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ProjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ProjectId {
    type Err = ProjectIdError;

    fn from_str(text: &str) -> Result<Self, ProjectIdError> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let fits = (3..=64).contains(&text.len()) && text.bytes().all(plain) && !text.starts_with('-');
        if fits { Ok(Self(text.to_owned())) } else { Err(ProjectIdError) }
    }
}

impl TryFrom<String> for ProjectId {
    type Error = ProjectIdError;

    fn try_from(text: String) -> Result<Self, ProjectIdError> {
        text.parse()
    }
}

impl From<ProjectId> for String {
    fn from(id: ProjectId) -> Self {
        id.0
    }
}

/// How the numbers of a project's ad hoc answers may leave; later ones protect less by themselves and are granted with more care.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    /// Fresh noise from a privacy budget.
    DifferentiallyPrivate,
    /// The noise of their set of persons.
    Perturbed,
    /// Exact, each audited with everything that was released exactly before.
    Exact,
}

impl Lane {
    /// Its name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::DifferentiallyPrivate => "differentially_private",
            Self::Perturbed => "perturbed",
            Self::Exact => "exact",
        }
    }
}

/// A privacy budget: zero-concentrated differential privacy (Bun & Steinke 2016), one person as the unit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PrivacyTerms {
    /// The noise's distribution.
    pub mechanism: Mechanism,
    /// All that the project may spend at the node.
    pub rho: f64,
    /// What one answer costs; fixed here, so that no request chooses its own noise.
    pub rho_per_answer: f64,
}

/// What a project may do at a node: asked for in the proposal, and granted (possibly less of it) by each steward.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// Analysis tables.
    pub tables: BTreeSet<String>,
    /// Statistics by name.
    pub statistics: BTreeSet<String>,
    /// Fields that its queries filter, group or measure by, endpoints included.
    pub fields: BTreeSet<String>,
    /// How the numbers leave.
    pub lane: Lane,
    /// The privacy budget; needed where the lane is `differentially_private`, and only there.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub privacy: Option<PrivacyTerms>,
    /// A tighter threshold of persons than the node's.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub persons: Option<u32>,
    /// Last day on which it may ask.
    pub expires: NaiveDate,
}

/// A project as it is proposed; signed by the proposing node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Project {
    /// Its name, which begins with the proposing node and a hyphen.
    pub project: ProjectId,
    /// The node that proposes it and whose people will ask.
    pub proposer: NodeId,
    /// Title.
    pub title: String,
    /// What it is for, in the words that a steward decides by.
    pub purpose: String,
    /// Who answers for it.
    pub lead: String,
    /// The nodes that it asks.
    pub countries: BTreeSet<NodeId>,
    /// What it asks for.
    pub terms: Terms,
    /// When it was proposed.
    pub proposed: DateTime<Utc>,
}

impl Outgoing for Project {}

/// The proposing node takes its project back; signed by it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Withdrawal {
    /// The project.
    pub project: ProjectId,
    /// The node that proposed it.
    pub proposer: NodeId,
    /// When.
    pub withdrawn: DateTime<Utc>,
    /// Why, in the words of who took it back.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}

impl Withdrawal {
    /// Checks the reason's length.
    ///
    /// # Errors
    /// A [`Problem`] that names the field.
    pub fn check(&self) -> Result<(), Problem> {
        let bad = |text: &String| text.chars().count() > MAX_TEXT || text.chars().any(char::is_control);
        if self.reason.as_ref().is_some_and(bad) {
            return Err(ProblemKind::ProjectInvalid.at("reason", "at most 2000 characters in one line"));
        }
        Ok(())
    }
}

impl Outgoing for Withdrawal {}

/// Where a project stands at one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProjectState {
    /// The steward has not decided.
    Pending,
    /// Granted as proposed.
    Approved,
    /// Granted with less than was proposed.
    Narrowed,
    /// Not granted.
    Declined,
    /// Taken back, by the proposer or by the node that had granted it.
    Withdrawn,
    /// Past its last day.
    Expired,
}

impl ProjectState {
    /// Its name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Narrowed => "narrowed",
            Self::Declined => "declined",
            Self::Withdrawn => "withdrawn",
            Self::Expired => "expired",
        }
    }
}

/// What a node says about a project; signed by it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProjectStatus {
    /// The project.
    pub project: ProjectId,
    /// The node that says so.
    pub node: NodeId,
    /// Where it stands.
    pub state: ProjectState,
    /// What is granted, where anything is.
    pub terms: Option<Terms>,
    /// The reason of the last decision, also of one that took an earlier one back.
    pub reason: Option<String>,
    /// When it was decided.
    pub decided: Option<DateTime<Utc>>,
}

impl Outgoing for ProjectStatus {}

impl Terms {
    /// Whether these terms allow nothing that `wider` does not.
    #[must_use]
    pub fn within(&self, wider: &Self) -> bool {
        let privacy = match (&self.privacy, &wider.privacy) {
            (Some(own), Some(wider)) => own.rho <= wider.rho && own.rho_per_answer <= wider.rho_per_answer,
            (Some(_), None) => wider.lane > Lane::DifferentiallyPrivate,
            (None, _) => true,
        };
        self.tables.is_subset(&wider.tables)
            && self.statistics.is_subset(&wider.statistics)
            && self.fields.is_subset(&wider.fields)
            && self.lane <= wider.lane
            && self.persons.unwrap_or(0) >= wider.persons.unwrap_or(0)
            && self.expires <= wider.expires
            && privacy
    }

    /// The bounds that need no dictionary.
    ///
    /// # Errors
    /// A [`Problem`] that names the field.
    pub fn check(&self) -> Result<(), Problem> {
        let bad = |field: &str, detail: String| Err(ProblemKind::ProjectInvalid.at(field, detail));
        for (field, names) in [("tables", &self.tables), ("statistics", &self.statistics), ("fields", &self.fields)] {
            if names.len() > MAX_NAMES || names.iter().any(|name| name.is_empty() || name.len() > 64) {
                return bad(&format!("terms.{field}"), format!("at most {MAX_NAMES} names of 1 to 64 characters"));
            }
        }
        if self.tables.is_empty() || self.statistics.is_empty() {
            return bad("terms", "at least one table and one statistic are needed".to_owned());
        }
        if let Some(name) = self.statistics.iter().find(|name| !STATISTICS.contains(&name.as_str())) {
            let detail = format!("there is no statistic `{name}`: {}", STATISTICS.join(", "));
            return bad("terms.statistics", detail);
        }
        match (&self.privacy, self.lane) {
            (None, Lane::DifferentiallyPrivate) => {
                bad("terms.privacy", "a differentially private project needs a budget".to_owned())
            }
            (Some(_), Lane::Perturbed | Lane::Exact) => {
                bad("terms.privacy", "only a differentially private project has a budget".to_owned())
            }
            (Some(privacy), Lane::DifferentiallyPrivate) => {
                let sound = |rho: f64| rho.is_finite() && rho > 0.0;
                if !sound(privacy.rho) || !sound(privacy.rho_per_answer) || privacy.rho_per_answer > privacy.rho {
                    return bad(
                        "terms.privacy",
                        "rho and rho_per_answer are greater than 0, the second not above the first".to_owned(),
                    );
                }
                Ok(())
            }
            (None, _) => Ok(()),
        }
    }
}

impl Project {
    /// Checks everything that needs no dictionary: lengths, names, dates.
    ///
    /// # Errors
    /// A [`Problem`] that names the field.
    pub fn check(&self, now: DateTime<Utc>) -> Result<(), Problem> {
        let bad = |field: &str, detail: &str| Err(ProblemKind::ProjectInvalid.at(field, detail));
        if !self.project.as_str().starts_with(&format!("{}-", self.proposer)) {
            return bad("project", "its name begins with the proposing node and a hyphen, such as mx-2026-001");
        }
        for (field, text) in [("title", &self.title), ("purpose", &self.purpose), ("lead", &self.lead)] {
            if text.trim().is_empty() || text.chars().count() > MAX_TEXT || text.chars().any(char::is_control) {
                return bad(field, "1 to 2000 characters in one line");
            }
        }
        if self.countries.is_empty() || self.countries.len() > MAX_NAMES {
            return bad("countries", "at least one node is asked");
        }
        let days = self.terms.expires.signed_duration_since(now.date_naive()).num_days();
        if !(0..=MAX_LIFE_DAYS).contains(&days) {
            return bad("terms.expires", "a day from today on, at most five years ahead");
        }
        self.terms.check()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms() -> Terms {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Terms {
            tables: names(&["cases"]),
            statistics: names(&["count", "survival"]),
            fields: names(&["index_cancer", "overall"]),
            lane: Lane::Perturbed,
            privacy: None,
            persons: None,
            expires: NaiveDate::from_ymd_opt(2027, 12, 31).unwrap(),
        }
    }

    #[test]
    fn terms_are_within_wider_ones_only() {
        let wide = terms();
        assert!(wide.within(&wide));
        let mut narrow = terms();
        narrow.statistics.remove("survival");
        narrow.persons = Some(11);
        assert!(narrow.within(&wide) && !wide.within(&narrow));
        let exact = Terms { lane: Lane::Exact, ..terms() };
        assert!(wide.within(&exact) && !exact.within(&wide));
        let longer = Terms { expires: NaiveDate::from_ymd_opt(2028, 1, 1).unwrap(), ..terms() };
        assert!(!longer.within(&wide));
    }

    #[test]
    fn a_budget_belongs_to_private_projects_alone() {
        let privacy = PrivacyTerms { mechanism: Mechanism::Gaussian, rho: 0.5, rho_per_answer: 0.01 };
        assert!(Terms { privacy: Some(privacy), ..terms() }.check().is_err());
        let private = Terms { lane: Lane::DifferentiallyPrivate, ..terms() };
        assert!(private.check().is_err());
        assert!(Terms { privacy: Some(privacy), ..private.clone() }.check().is_ok());
        let endless = PrivacyTerms { rho: f64::INFINITY, ..privacy };
        assert!(Terms { privacy: Some(endless), ..private }.check().is_err());
    }

    #[test]
    fn names_are_checked() {
        for bad in ["", "mx", "MX-1", "-mx", "mx 1", &"x".repeat(65)] {
            assert!(bad.parse::<ProjectId>().is_err(), "{bad}");
        }
        assert!("mx-2026-001".parse::<ProjectId>().is_ok());
    }
}

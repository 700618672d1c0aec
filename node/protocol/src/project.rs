//! Projects: an approved purpose under which queries run, proposed at one node and decided at each.

use std::{collections::BTreeSet, fmt, str::FromStr};

use chrono::{DateTime, NaiveDate, Utc};
use node_domain::{nearest::unknown, node_id::NodeId};
use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, Visitor},
};

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
/// The least threshold of persons that a proposal may name: no node's own is lower.
pub const LEAST_PERSONS: u32 = 3;

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
    #[serde(deserialize_with = "day")]
    #[schemars(with = "NaiveDate")]
    pub expires: NaiveDate,
}

/// A day as text; what else is there is told in which form a day is written.
fn day<'de, D: Deserializer<'de>>(deserializer: D) -> Result<NaiveDate, D::Error> {
    struct Day;

    impl Visitor<'_> for Day {
        type Value = NaiveDate;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a day in quotes as YYYY-MM-DD, such as \"2027-12-31\"")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<NaiveDate, E> {
            text.parse().map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
        }
    }

    deserializer.deserialize_str(Day)
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
        self.excess(wider).is_none()
    }

    /// The first of these terms that allows something that `wider` does not, and what: the name of the term, then words.
    #[must_use]
    pub fn excess(&self, wider: &Self) -> Option<(&'static str, String)> {
        let lists = [
            ("tables", &self.tables, &wider.tables),
            ("statistics", &self.statistics, &wider.statistics),
            ("fields", &self.fields, &wider.fields),
        ];
        for (term, own, wider) in lists {
            let more: Vec<String> = own.difference(wider).map(|name| format!("`{name}`")).collect();
            if !more.is_empty() {
                return Some((term, format!("{} not among them", more.join(", "))));
            }
        }
        if self.lane > wider.lane {
            return Some(("lane", format!("`{}` is wider than `{}`", self.lane.name(), wider.lane.name())));
        }
        let (persons, least) = (self.persons.unwrap_or(0), wider.persons.unwrap_or(0));
        if persons < least {
            return Some(("persons", format!("the threshold is at least {least}")));
        }
        if self.expires > wider.expires {
            return Some(("expires", format!("{} is later than {}", self.expires, wider.expires)));
        }
        self.dearer(wider)
    }

    /// The same for privacy budgets.
    fn dearer(&self, wider: &Self) -> Option<(&'static str, String)> {
        let more = |own: f64, wider: f64| format!("{own} is more than {wider}");
        match (&self.privacy, &wider.privacy) {
            (Some(own), Some(wider)) if own.rho > wider.rho => Some(("privacy.rho", more(own.rho, wider.rho))),
            (Some(own), Some(wider)) if own.rho_per_answer > wider.rho_per_answer => {
                Some(("privacy.rho_per_answer", more(own.rho_per_answer, wider.rho_per_answer)))
            }
            (Some(_), None) if wider.lane <= Lane::DifferentiallyPrivate => {
                Some(("privacy", "there is no budget".to_owned()))
            }
            _ => None,
        }
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
        if self.tables.is_empty() {
            return bad("terms.tables", "name at least one analysis table: with none, nothing can be asked".to_owned());
        }
        if self.statistics.is_empty() {
            let detail = format!("name at least one of {}: with none, nothing can be asked", STATISTICS.join(", "));
            return bad("terms.statistics", detail);
        }
        if let Some(name) = self.statistics.iter().find(|name| !STATISTICS.contains(&name.as_str())) {
            return bad("terms.statistics", unknown("statistic", name, STATISTICS));
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
            return bad("countries", "name at least one node that is asked, this one by its name as well");
        }
        let days = self.terms.expires.signed_duration_since(now.date_naive()).num_days();
        if !(0..=MAX_LIFE_DAYS).contains(&days) {
            return bad("terms.expires", "a day from today on, at most five years ahead, as YYYY-MM-DD");
        }
        if self.terms.persons.is_some_and(|persons| persons < LEAST_PERSONS) {
            return bad(
                "terms.persons",
                "at least 3, the least that any node shows; leave it out to take each node's own",
            );
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
    fn what_is_too_wide_is_named() {
        let too_wide = |own: Terms| own.excess(&terms()).unwrap();
        let mut more = terms();
        more.fields.insert("region".to_owned());
        assert_eq!(too_wide(more), ("fields", "`region` not among them".to_owned()));
        let exact = Terms { lane: Lane::Exact, ..terms() };
        assert_eq!(too_wide(exact), ("lane", "`exact` is wider than `perturbed`".to_owned()));
        let longer = Terms { expires: NaiveDate::from_ymd_opt(2028, 1, 1).unwrap(), ..terms() };
        assert_eq!(too_wide(longer), ("expires", "2028-01-01 is later than 2027-12-31".to_owned()));
    }

    fn proposal(terms: Terms) -> Project {
        Project {
            project: "mx-2026-001".parse().unwrap(),
            proposer: "mx".parse().unwrap(),
            title: "Wilms tumour".to_owned(),
            purpose: "Compare".to_owned(),
            lead: "A. Pérez".to_owned(),
            countries: ["ar".parse().unwrap()].into(),
            terms,
            proposed: "2026-11-21T12:00:00Z".parse().unwrap(),
        }
    }

    #[test]
    fn a_proposal_names_no_threshold_below_the_least_and_no_empty_list() {
        let refused = |terms: Terms| {
            let proposal = proposal(terms);
            proposal.check(proposal.proposed).unwrap_err().field.unwrap()
        };
        assert!(proposal(terms()).check(proposal(terms()).proposed).is_ok());
        assert_eq!(refused(Terms { persons: Some(2), ..terms() }), "terms.persons");
        assert_eq!(refused(Terms { tables: BTreeSet::new(), ..terms() }), "terms.tables");
        assert_eq!(refused(Terms { statistics: BTreeSet::new(), ..terms() }), "terms.statistics");
    }

    #[test]
    fn a_day_in_another_form_is_told_the_form() {
        let json = serde_json::to_string(&terms()).unwrap();
        assert_eq!(serde_json::from_str::<Terms>(&json).unwrap(), terms());
        for other in ["\"31/12/2027\"", "\"2027-13-01\"", "20271231"] {
            let error = serde_json::from_str::<Terms>(&json.replace("\"2027-12-31\"", other)).unwrap_err().to_string();
            assert!(error.contains("YYYY-MM-DD"), "{error}");
        }
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

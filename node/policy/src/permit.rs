//! The permit: policy's yes, and the only way to a query that the engine runs.

use chrono::{DateTime, Utc};
use node_domain::dictionary::{Dictionary, Table};
use node_protocol::{
    problem::{Problem, ProblemKind},
    query::Query,
    release::Safeguards,
};
use serde::{Deserialize, Serialize};

use crate::policy::Policy;

/// A query that policy permits, with the safeguards under which its answer may leave. Made only by [`permit`] and
/// [`permit_indicator`].
///
/// ```compile_fail,E0451
/// # use node_domain::dictionary::Table;
/// # use node_protocol::release::Safeguards;
/// fn forge(query: u8, table: &Table, safeguards: Safeguards) -> node_policy::permit::Permitted<'_, u8> {
///     node_policy::permit::Permitted { query, table, safeguards }
/// }
/// ```
#[derive(Debug)]
pub struct Permitted<'d, Q> {
    query: Q,
    table: &'d Table,
    safeguards: Safeguards,
}

impl<'d, Q> Permitted<'d, Q> {
    /// The query.
    #[must_use]
    pub fn query(&self) -> &Q {
        &self.query
    }

    /// The dictionary's entry of the table that it asks.
    #[must_use]
    pub fn table(&self) -> &'d Table {
        self.table
    }

    /// The thresholds of its answer.
    #[must_use]
    pub fn safeguards(&self) -> Safeguards {
        self.safeguards
    }
}

/// What a person does at their node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Runs the node.
    Operator,
    /// Approves projects and answers.
    Steward,
    /// Asks queries.
    Researcher,
    /// Prepares reports.
    Committee,
    /// Reads the audit.
    Auditor,
}

impl std::str::FromStr for Role {
    type Err = Problem;

    fn from_str(name: &str) -> Result<Self, Problem> {
        let roles = [Self::Operator, Self::Steward, Self::Researcher, Self::Committee, Self::Auditor];
        let unknown = || ProblemKind::RoleForbidden.because("there is no such role");
        roles.into_iter().find(|role| role.name() == name).ok_or_else(unknown)
    }
}

impl Role {
    /// Its name on the wire and in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Steward => "steward",
            Self::Researcher => "researcher",
            Self::Committee => "committee",
            Self::Auditor => "auditor",
        }
    }

    /// Whether the role may send queries: operators and auditors look after the node, they do not study its data.
    #[must_use]
    pub fn may_query(self) -> bool {
        match self {
            Self::Researcher | Self::Committee | Self::Steward => true,
            Self::Operator | Self::Auditor => false,
        }
    }
}

/// Decides whether `role` may ask `query` now.
///
/// # Errors
/// A [`Problem`] that says which rule refuses it; nothing about the data, which is not looked at.
pub fn permit<'d>(
    query: Query,
    role: Role,
    policy: &Policy,
    dictionary: &'d Dictionary,
    now: DateTime<Utc>,
) -> Result<Permitted<'d, Query>, Problem> {
    if !role.may_query() {
        return Err(ProblemKind::RoleForbidden.because("researchers, stewards and committee members send queries"));
    }
    query.check_shape()?;
    let (statistics, tables, safeguards) = match &query.project {
        None => {
            let tier = &policy.exploration;
            (&tier.statistics, &tier.tables, policy.exploration_safeguards())
        }
        Some(name) => {
            let project =
                policy.project.get(name).filter(|project| now.date_naive() <= project.expires).ok_or_else(|| {
                    ProblemKind::ProjectNotApproved.at("project", "ask the node's steward to approve it")
                })?;
            let safeguards = policy.project_safeguards();
            let persons = project.persons.unwrap_or(safeguards.persons);
            (&project.statistics, &project.tables, Safeguards { persons, ..safeguards })
        }
    };
    let place = if query.project.is_some() { "in this project" } else { "outside a project" };
    let statistic = query.statistic.name();
    if !statistics.iter().any(|allowed| allowed == statistic) {
        let allowed = statistics.join(", ");
        let detail = format!("`{statistic}` is not permitted {place}; permitted are: {allowed}");
        return Err(ProblemKind::NotPermitted.at("statistic.kind", detail));
    }
    if !tables.contains(&query.table) {
        return Err(ProblemKind::NotPermitted.at("table", format!("this table is not permitted {place}")));
    }
    let table = query.check_against(dictionary)?;
    Ok(Permitted { query, table, safeguards: policy.for_unit(safeguards, table.unit_of_privacy) })
}

/// Permits an indicator of the catalogue, which the node asks itself when it publishes.
///
/// # Errors
/// Where the indicator does not fit the dictionary.
pub fn permit_indicator<'d>(
    query: Query,
    policy: &Policy,
    dictionary: &'d Dictionary,
) -> Result<Permitted<'d, Query>, Problem> {
    query.check_shape()?;
    let table = query.check_against(dictionary)?;
    Ok(Permitted { query, table, safeguards: policy.for_unit(policy.project_safeguards(), table.unit_of_privacy) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = r#"
        [threshold]
        persons = 5
        events = 3
        at_risk = 10
        [exploration]
        statistics = ["count"]
        tables = ["cases"]
        persons = 10
        [project.mx-2026-001]
        title = "Wilms tumour outcomes"
        statistics = ["count", "survival"]
        tables = ["cases"]
        expires = "2027-12-31"
        persons = 8
    "#;

    fn ask(role: Role, project: Option<&str>, statistic: &str, date: &str) -> Result<Safeguards, ProblemKind> {
        let project = project.map(|name| format!(r#""project":"{name}","#)).unwrap_or_default();
        let json = format!(r#"{{"dictionary":"1.0",{project}"table":"cases","statistic":{statistic}}}"#);
        let query = Query::parse(json.as_bytes()).unwrap();
        let now = format!("{date}T12:00:00Z").parse().unwrap();
        let dictionary = Dictionary::built_in().unwrap();
        permit(query, role, &Policy::parse(POLICY).unwrap(), &dictionary, now)
            .map(|permitted| permitted.safeguards())
            .map_err(|problem| problem.kind)
    }

    const COUNT: &str = r#"{"kind":"count"}"#;
    const SURVIVAL: &str = r#"{"kind":"survival","endpoint":"overall","cuts_months":[12]}"#;

    #[test]
    fn exploration_counts_with_its_own_threshold() {
        assert_eq!(ask(Role::Researcher, None, COUNT, "2026-11-21").unwrap().persons, 10);
        assert_eq!(ask(Role::Researcher, None, SURVIVAL, "2026-11-21"), Err(ProblemKind::NotPermitted));
    }

    #[test]
    fn a_project_opens_its_statistics_until_it_expires() {
        let project = Some("mx-2026-001");
        assert_eq!(ask(Role::Researcher, project, SURVIVAL, "2027-12-31").unwrap().persons, 8);
        assert_eq!(ask(Role::Researcher, project, SURVIVAL, "2028-01-01"), Err(ProblemKind::ProjectNotApproved));
        assert_eq!(
            ask(Role::Researcher, Some("mx-2026-002"), COUNT, "2026-11-21"),
            Err(ProblemKind::ProjectNotApproved)
        );
    }

    #[test]
    fn only_some_roles_ask() {
        for (role, may) in [
            (Role::Operator, false),
            (Role::Steward, true),
            (Role::Researcher, true),
            (Role::Committee, true),
            (Role::Auditor, false),
        ] {
            assert_eq!(ask(role, None, COUNT, "2026-11-21").is_ok(), may, "{role:?}");
        }
    }
}

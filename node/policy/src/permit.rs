//! The permit: policy's yes, and the only way to a query that the engine runs.

use std::{collections::BTreeSet, sync::Arc};

use chrono::{DateTime, Utc};
use node_domain::{
    dictionary::{Dictionary, Table},
    node_id::NodeId,
};
use node_protocol::{
    problem::{Problem, ProblemKind},
    project::{Lane, Project, ProjectId, Terms},
    query::{Query, Statistic},
    release::{Conditions, Safeguards, Way},
};

use crate::{
    policy::{Override, Policy},
    role::{Action, Role},
};

/// A query that policy permits, with the conditions under which its answer may leave. Made only by the functions of this module.
///
/// ```compile_fail,E0451
/// # use node_domain::dictionary::Table;
/// # use node_protocol::release::Conditions;
/// fn forge(query: u8, table: std::sync::Arc<Table>, conditions: Conditions) -> node_policy::permit::Permitted<u8> {
///     node_policy::permit::Permitted { query, table, conditions, review: None, why: String::new() }
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Permitted<Q> {
    query: Q,
    table: Arc<Table>,
    conditions: Conditions,
    review: Option<String>,
    why: String,
}

impl<Q> Permitted<Q> {
    /// The query.
    #[must_use]
    pub fn query(&self) -> &Q {
        &self.query
    }

    /// The dictionary's entry of the table that it asks.
    #[must_use]
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// Under which its answer may leave.
    #[must_use]
    pub fn conditions(&self) -> Conditions {
        self.conditions
    }

    /// Why the answer waits for a steward, where it does.
    #[must_use]
    pub fn review(&self) -> Option<&str> {
        self.review.as_deref()
    }

    /// What was decided and why, in one line for the audit.
    #[must_use]
    pub fn why(&self) -> &str {
        &self.why
    }
}

/// What a steward granted to a project.
#[derive(Debug, Clone, PartialEq)]
pub struct Grant {
    /// The project as proposed.
    pub project: Project,
    /// What it may do here.
    pub terms: Terms,
}

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub struct Asking<'a> {
    /// Role of the person at the asking node.
    pub role: Role,
    /// The asking node.
    pub peer: &'a NodeId,
    /// What this node's steward granted to the project that the query names, where anything.
    pub grant: Option<&'a Grant>,
}

/// What a tier lets be asked.
struct Tier<'t> {
    words: String,
    statistics: BTreeSet<&'t str>,
    tables: BTreeSet<&'t str>,
    /// All fields where absent.
    fields: Option<BTreeSet<&'t str>>,
    safeguards: Safeguards,
    lane: Lane,
    way: Way,
    rules: Override,
}

fn names(list: &BTreeSet<String>) -> BTreeSet<&str> {
    list.iter().map(String::as_str).collect()
}

/// Decides whether `asking` may ask `query` now, ad hoc.
///
/// # Errors
/// A [`Problem`] that says which rule refuses it; nothing about the data, which is not looked at.
pub fn permit(
    query: Query,
    asking: Asking<'_>,
    policy: &Policy,
    dictionary: &Dictionary,
    now: DateTime<Utc>,
) -> Result<Permitted<Query>, Problem> {
    asking.role.demand(Action::Ask)?;
    query.check_shape()?;
    let tier = match &query.project {
        None => exploration(policy),
        Some(name) => project(name, asking, policy, now)?,
    };
    let refuse = |field: &str, detail: String| Err(ProblemKind::NotPermitted.at(field, detail));
    let (statistic, words) = (query.statistic.name(), &tier.words);
    if !tier.statistics.contains(statistic) {
        let allowed = tier.statistics.iter().copied().collect::<Vec<_>>().join(", ");
        return refuse("statistic.kind", format!("`{statistic}` is not permitted {words}; permitted are: {allowed}"));
    }
    if tier.lane == Lane::DifferentiallyPrivate && statistic == "survival" {
        return refuse("statistic.kind", "there are no differentially private survival curves here".to_owned());
    }
    if !tier.tables.contains(query.table.as_str()) {
        return refuse("table", format!("this table is not permitted {words}"));
    }
    let table = Arc::clone(query.check_against(dictionary)?);
    let fields = query.fields();
    if let Some(field) = tier.fields.as_ref().and_then(|allowed| fields.iter().find(|field| !allowed.contains(**field)))
    {
        return refuse(field, format!("this field is not permitted {words}"));
    }
    check_size(&query, &table, policy)?;
    check_measured(&query)?;
    let review = review(policy, &tier, statistic, &query.table);
    let conditions = Conditions {
        safeguards: policy.for_unit(tier.safeguards, table.unit_of_privacy),
        dominance: policy.dominance(),
        unit: table.unit_of_privacy,
        way: tier.way,
    };
    let held = review.as_deref().map(|class| format!("; waits for a steward: {class}")).unwrap_or_default();
    let why =
        format!("permitted {words}: {} answer, threshold {}{held}", tier.lane.name(), conditions.safeguards.persons);
    Ok(Permitted { query, table, conditions, review, why })
}

fn exploration(policy: &Policy) -> Tier<'_> {
    let tier = &policy.exploration;
    Tier {
        words: "outside a project".to_owned(),
        statistics: tier.statistics.iter().map(String::as_str).collect(),
        tables: tier.tables.iter().map(String::as_str).collect(),
        fields: (!tier.fields.is_empty()).then(|| tier.fields.iter().map(String::as_str).collect()),
        safeguards: policy.exploration_safeguards(),
        lane: tier.lane,
        way: if tier.lane == Lane::Exact { Way::Exact } else { Way::Perturbed },
        rules: Override::default(),
    }
}

fn project<'t>(name: &str, asking: Asking<'t>, policy: &Policy, now: DateTime<Utc>) -> Result<Tier<'t>, Problem> {
    // one refusal for all that is not granted: whether another node's project exists is not for everybody to know
    let none = || ProblemKind::ProjectNotApproved.at("project", "ask the node's steward to approve it");
    let id: ProjectId = name.parse().map_err(|_| none())?;
    let rules = policy.project.get(&id).copied().unwrap_or_default();
    let grant = asking
        .grant
        .filter(|grant| grant.project.project == id && grant.project.proposer == *asking.peer)
        .filter(|grant| now.date_naive() <= grant.terms.expires && !rules.closed)
        .ok_or_else(none)?;
    let (terms, safeguards) = (&grant.terms, policy.project_safeguards());
    let persons = safeguards.persons.max(terms.persons.unwrap_or(0)).max(rules.persons.unwrap_or(0));
    let way = match (terms.lane, &terms.privacy) {
        (Lane::Exact, _) => Way::Exact,
        (Lane::Perturbed, _) => Way::Perturbed,
        (Lane::DifferentiallyPrivate, Some(privacy)) => Way::Private(*privacy),
        (Lane::DifferentiallyPrivate, None) => return Err(none()),
    };
    Ok(Tier {
        words: format!("in project {id}"),
        statistics: names(&terms.statistics),
        tables: names(&terms.tables),
        fields: Some(names(&terms.fields)),
        safeguards: Safeguards { persons, ..safeguards },
        lane: terms.lane,
        way,
        rules,
    })
}

fn check_size(query: &Query, table: &Table, policy: &Policy) -> Result<(), Problem> {
    let size = policy.size;
    let cells = query.cell_count(table);
    if cells > u64::from(size.cells) {
        let detail = format!("{cells} cells; this node answers at most {}: group by fewer fields", size.cells);
        return Err(ProblemKind::TooManyCells.at("by", detail));
    }
    let conditions = query.condition_count();
    if conditions as u64 > u64::from(size.conditions) {
        let detail = format!("{conditions} conditions; this node answers at most {}", size.conditions);
        return Err(ProblemKind::NotPermitted.at("where", detail));
    }
    let fields = query.fields().len();
    if fields as u64 > u64::from(size.fields) {
        let detail = format!("{fields} different fields; this node answers at most {}", size.fields);
        return Err(ProblemKind::NotPermitted.at("where", detail));
    }
    Ok(())
}

/// A sum over persons of two or three known values tells how many have each: what is measured must not be filtered or grouped by,
/// nor a coarser form of it.
fn check_measured(query: &Query) -> Result<(), Problem> {
    let Statistic::Mean { fields } = &query.statistic else { return Ok(()) };
    let akin = |used: &str| {
        fields.iter().any(|field| field == used || (field.starts_with("age_") && used.starts_with("age_")))
    };
    match query.restricted_by().into_iter().find(|used| akin(used)) {
        Some(used) => {
            let detail = format!("`{used}` is what is measured: together they would tell how many have each value");
            Err(ProblemKind::NotPermitted.at(used, detail))
        }
        None => Ok(()),
    }
}

fn review(policy: &Policy, tier: &Tier<'_>, statistic: &str, table: &str) -> Option<String> {
    if tier.rules.review {
        return Some("every answer of this project".to_owned());
    }
    let class = policy.review.iter().find(|class| class.holds(tier.lane, statistic, table))?;
    let named = [
        class.way.map(|way| format!("{} answers", way.name())),
        class.statistic.clone(),
        class.table.as_ref().map(|table| format!("table {table}")),
    ];
    let words: Vec<String> = named.into_iter().flatten().collect();
    Some(if words.is_empty() { "every answer".to_owned() } else { words.join(", ") })
}

/// Permits an indicator of the catalogue, which the node asks itself when it publishes.
///
/// # Errors
/// Where the indicator does not fit the dictionary.
pub fn permit_indicator(query: Query, policy: &Policy, dictionary: &Dictionary) -> Result<Permitted<Query>, Problem> {
    own(query, policy, dictionary, Way::Catalogue, "an indicator of the catalogue")
}

/// Permits a query that was answered exactly before to be counted again, so that a new answer can be audited with it.
///
/// # Errors
/// Where the query does not fit the dictionary.
pub fn permit_audit(query: Query, policy: &Policy, dictionary: &Dictionary) -> Result<Permitted<Query>, Problem> {
    own(query, policy, dictionary, Way::Exact, "counted again for an audit")
}

fn own(
    query: Query,
    policy: &Policy,
    dictionary: &Dictionary,
    way: Way,
    why: &str,
) -> Result<Permitted<Query>, Problem> {
    query.check_shape()?;
    let table = Arc::clone(query.check_against(dictionary)?);
    let safeguards = policy.for_unit(policy.project_safeguards(), table.unit_of_privacy);
    let conditions = Conditions { safeguards, dominance: policy.dominance(), unit: table.unit_of_privacy, way };
    Ok(Permitted { query, table, conditions, review: None, why: why.to_owned() })
}

/// The most answers in a week that a project may have here.
#[must_use]
pub fn project_per_week(policy: &Policy, project: &str) -> u32 {
    let rules = project.parse::<ProjectId>().ok().and_then(|id| policy.project.get(&id).copied());
    rules.and_then(|rules| rules.per_week).unwrap_or(policy.quota.project_per_week)
}

#[cfg(test)]
mod tests {
    use node_protocol::release::Mechanism;
    use proptest::prelude::*;

    use super::*;
    use crate::{compare::Direction, policy::ReviewClass};
    use node_protocol::project::PrivacyTerms;

    const POLICY: &str = include_str!("../../../config/policy.toml");

    fn grant(lane: Lane) -> Grant {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        let private = PrivacyTerms { mechanism: Mechanism::Gaussian, rho: 0.5, rho_per_answer: 0.05 };
        let terms = Terms {
            tables: names(&["cases"]),
            statistics: names(&["count", "survival"]),
            fields: names(&["stage", "overall"]),
            lane,
            privacy: (lane == Lane::DifferentiallyPrivate).then_some(private),
            persons: Some(8),
            expires: "2027-12-31".parse().unwrap(),
        };
        let project = Project {
            project: "mx-2026-001".parse().unwrap(),
            proposer: "mx".parse().unwrap(),
            title: "Wilms tumour outcomes".into(),
            purpose: "Compare".into(),
            lead: "A. Pérez".into(),
            countries: ["ar".parse().unwrap()].into(),
            terms: terms.clone(),
            proposed: "2026-11-21T12:00:00Z".parse().unwrap(),
        };
        Grant { project, terms }
    }

    struct Ask<'a> {
        role: Role,
        peer: &'a str,
        project: Option<&'a str>,
        statistic: &'a str,
        by: &'a str,
        date: &'a str,
        lane: Lane,
        policy: String,
    }

    impl Default for Ask<'_> {
        fn default() -> Self {
            Self {
                role: Role::Researcher,
                peer: "mx",
                project: None,
                statistic: COUNT,
                by: "stage",
                date: "2026-11-21",
                lane: Lane::Perturbed,
                policy: POLICY.to_owned(),
            }
        }
    }

    fn ask(ask: &Ask<'_>) -> Result<(u32, Option<String>), ProblemKind> {
        let project = ask.project.map(|name| format!(r#""project":"{name}","#)).unwrap_or_default();
        let json = format!(
            r#"{{"dictionary":"1.0",{project}"table":"cases","by":["{}"],"statistic":{}}}"#,
            ask.by, ask.statistic
        );
        let query = Query::parse(json.as_bytes()).unwrap();
        let now = format!("{}T12:00:00Z", ask.date).parse().unwrap();
        let (dictionary, peer, grant) =
            (Dictionary::built_in().unwrap(), ask.peer.parse::<NodeId>().unwrap(), grant(ask.lane));
        let asking = Asking { role: ask.role, peer: &peer, grant: Some(&grant) };
        permit(query, asking, &Policy::parse(&ask.policy).unwrap(), &dictionary, now)
            .map(|permitted| (permitted.conditions().safeguards.persons, permitted.review().map(str::to_owned)))
            .map_err(|problem| problem.kind)
    }

    const COUNT: &str = r#"{"kind":"count"}"#;
    const SURVIVAL: &str = r#"{"kind":"survival","endpoint":"overall","cuts_months":[12]}"#;
    const PROJECT: Option<&str> = Some("mx-2026-001");

    #[test]
    fn exploration_counts_with_its_own_threshold() {
        assert_eq!(ask(&Ask::default()), Ok((10, None)));
        assert_eq!(ask(&Ask { statistic: SURVIVAL, ..Ask::default() }), Err(ProblemKind::NotPermitted));
    }

    #[test]
    fn a_grant_opens_its_statistics_and_fields_to_its_proposer_until_it_expires() {
        let inside = Ask { project: PROJECT, statistic: SURVIVAL, date: "2027-12-31", ..Ask::default() };
        assert_eq!(ask(&inside), Ok((8, None)));
        let refused = Err(ProblemKind::ProjectNotApproved);
        assert_eq!(ask(&Ask { project: PROJECT, date: "2028-01-01", ..Ask::default() }), refused);
        assert_eq!(ask(&Ask { project: Some("mx-2026-002"), ..Ask::default() }), refused);
        assert_eq!(ask(&Ask { project: PROJECT, peer: "ar", ..Ask::default() }), refused, "a project of another node");
        assert_eq!(ask(&Ask { project: PROJECT, by: "sex", ..Ask::default() }), Err(ProblemKind::NotPermitted));
    }

    #[test]
    fn the_policy_tightens_a_grant_and_closes_it() {
        let with = |line: &str| format!("{POLICY}\n[project.mx-2026-001]\n{line}\n");
        let inside = |line: &str| ask(&Ask { project: PROJECT, policy: with(line), ..Ask::default() });
        assert_eq!(inside("persons = 11"), Ok((11, None)));
        assert_eq!(inside("persons = 5"), Ok((8, None)), "the grant is tighter");
        assert_eq!(inside("closed = true"), Err(ProblemKind::ProjectNotApproved));
        assert_eq!(inside("review = true").unwrap().1.as_deref(), Some("every answer of this project"));
    }

    #[test]
    fn exact_answers_wait_for_a_steward_by_default() {
        let exact = ask(&Ask { project: PROJECT, lane: Lane::Exact, ..Ask::default() });
        assert_eq!(exact.unwrap().1.as_deref(), Some("exact answers"));
    }

    #[test]
    fn there_is_no_private_survival() {
        let private = Ask { project: PROJECT, lane: Lane::DifferentiallyPrivate, ..Ask::default() };
        assert!(ask(&private).is_ok());
        assert_eq!(ask(&Ask { statistic: SURVIVAL, ..private }), Err(ProblemKind::NotPermitted));
    }

    #[test]
    fn what_is_measured_is_not_filtered_by() {
        let mean = r#"{"kind":"mean","fields":["age_years"]}"#;
        let policy = POLICY.replace(r#"statistics = ["count"]"#, r#"statistics = ["count", "mean"]"#);
        let by = |by: &'static str| ask(&Ask { statistic: mean, by, policy: policy.clone(), ..Ask::default() });
        assert!(by("stage").is_ok());
        assert_eq!(by("age_band"), Err(ProblemKind::NotPermitted));
    }

    #[test]
    fn queries_are_bounded() {
        let small = POLICY.replace("cells = 1000", "cells = 8");
        assert_eq!(ask(&Ask { policy: small, ..Ask::default() }), Err(ProblemKind::TooManyCells));
    }

    /// One way to tighten a policy.
    fn tighten(policy: &mut Policy, which: usize, by: u32) {
        let project = policy.project.entry("mx-2026-001".parse().unwrap()).or_default();
        match which {
            0 => {
                policy.threshold.persons += by;
                policy.exploration.persons = policy.exploration.persons.max(policy.threshold.persons);
                policy.noise.bound = policy.noise.bound.max(policy.threshold.persons);
            }
            1 => policy.threshold.events = (policy.threshold.events + by).min(policy.threshold.persons),
            2 => policy.threshold.at_risk += by,
            3 => policy.threshold.largest_percent -= by,
            4 => policy.threshold.p_percent += by,
            5 => policy.exploration.persons += by,
            6 => policy.exploration.statistics.clear(),
            7 => policy.exploration.tables.clear(),
            8 => policy.exploration.fields = vec!["stage".to_owned()],
            9 => policy.size.cells = by,
            10 => policy.size.conditions = 1,
            11 => policy.size.fields = 1,
            12 => policy.review.push(ReviewClass { way: None, statistic: Some("count".to_owned()), table: None }),
            13 => project.persons = Some(policy.threshold.persons.max(by)),
            14 => project.review = true,
            15 => project.per_week = Some(by),
            _ => project.closed = true,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_tighter_policy_never_permits_more(
            changes in proptest::collection::vec((0..17_usize, 1..9_u32), 1..5),
            by in proptest::sample::select(vec!["stage", "sex", "index_cancer"]),
            statistic in proptest::sample::select(vec![COUNT, SURVIVAL]),
            conditions in 0..3_usize,
            inside in any::<bool>(),
            lane in proptest::sample::select(vec![Lane::Perturbed, Lane::Exact, Lane::DifferentiallyPrivate]),
        ) {
            let lax = Policy::parse(POLICY).unwrap();
            let mut tight = lax.clone();
            for (which, by) in changes {
                tighten(&mut tight, which, by);
            }
            for change in crate::compare::changes(&lax, &tight) {
                prop_assert!(change.direction != Direction::Looser, "{}", change.key);
            }
            let project = if inside { r#""project":"mx-2026-001","# } else { "" };
            let condition = r#"{"field":"stage","in":["1"]}"#;
            let json = format!(
                r#"{{"dictionary":"1.0",{project}"table":"cases","by":["{by}"],"where":[{}],"statistic":{statistic}}}"#,
                vec![condition; conditions].join(",")
            );
            let query = Query::parse(json.as_bytes()).unwrap();
            let (dictionary, peer, grant) = (Dictionary::built_in().unwrap(), "mx".parse().unwrap(), grant(lane));
            let asking = Asking { role: Role::Researcher, peer: &peer, grant: Some(&grant) };
            let now = "2026-11-21T12:00:00Z".parse().unwrap();
            let [lax, tight] = [lax, tight].map(|policy| {
                let week = project_per_week(&policy, "mx-2026-001");
                permit(query.clone(), asking, &policy, &dictionary, now).map(|permitted| (permitted, week))
            });
            if let Ok((tight, tight_week)) = tight {
                let Ok((lax, lax_week)) = lax else { return Err(TestCaseError::fail("refused by the laxer policy")) };
                let (strict, loose) = (tight.conditions(), lax.conditions());
                prop_assert!(strict.safeguards.persons >= loose.safeguards.persons);
                prop_assert!(strict.safeguards.events >= loose.safeguards.events);
                prop_assert!(strict.safeguards.at_risk >= loose.safeguards.at_risk);
                prop_assert!(strict.dominance.largest_percent <= loose.dominance.largest_percent);
                prop_assert!(strict.dominance.p_percent >= loose.dominance.p_percent);
                prop_assert_eq!((strict.way, strict.unit), (loose.way, loose.unit));
                prop_assert!(tight.review().is_some() || lax.review().is_none());
                prop_assert!(tight_week <= lax_week);
            }
        }
    }

    #[test]
    fn only_some_roles_ask() {
        for role in Role::ALL {
            assert_eq!(ask(&Ask { role, ..Ask::default() }).is_ok(), role.may(Action::Ask), "{role:?}");
        }
    }
}

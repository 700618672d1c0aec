//! `project`: proposals, what they would let others learn, and what stewards decide on them.

use std::{collections::BTreeSet, fmt::Write as _, fs, path::Path};

use anyhow::{Context, bail};
use node_domain::node_id::NodeId;
use node_protocol::{
    project::{Lane, ProjectState, Terms},
    query::parse_json,
};
use serde::de::DeserializeOwned;

use super::{
    render::{self, columns::columns},
    words::{self, Words, narrowing},
};
use crate::{
    cli::{
        Ended, Session,
        governance::{ApproveArgs, ProjectCommand, ProjectReason},
    },
    config::Home,
    people_client::{PeopleClient, Refused},
    people_port::governance::{NewProject, ProjectAt, ProjectDecision, ProjectView},
    terminal::{say, say_json},
};

/// `project`
pub(crate) async fn run(session: &Session, command: ProjectCommand) -> anyhow::Result<Ended> {
    let home = Home::open(&session.dir)?;
    let client = PeopleClient::of(&home, session.token.as_deref())?;
    match command {
        ProjectCommand::Propose { file, output } => {
            let new: NewProject = read(&file)?;
            let view: ProjectView = client.post("/api/v1/projects", &new).await?;
            if output.json {
                say_json(&view)?;
            } else {
                say(format!("Project {} is proposed.", view.project.project));
                say(nodes(&view, &home.config.node).trim_end());
                say(format!("Follow it with: alianza project show {}", view.project.project));
            }
            Ok(reached(&view))
        }
        ProjectCommand::List { state, output } => {
            let mut views: Vec<ProjectView> = client.get("/api/v1/projects").await?;
            views.retain(|view| state.is_none_or(|state| here(view, &home.config.node) == state.name()));
            if output.json {
                say_json(&views)?;
            } else if views.is_empty() {
                say("No such project. Propose one with: alianza project propose FILE");
            } else {
                say(list(&views, &home.config.node).trim_end());
            }
            Ok(Ended::Well)
        }
        ProjectCommand::Show { project, output } => {
            let view: ProjectView = client.get(&format!("/api/v1/projects/{project}")).await?;
            if output.json {
                say_json(&view)?;
            } else {
                say(show(&view, &home).trim_end());
            }
            Ok(reached(&view))
        }
        ProjectCommand::Approve(arguments) => approve(&client, &home, arguments).await,
        ProjectCommand::Decline(why) => decide(&client, &home, "decline", why).await,
        ProjectCommand::Reopen(why) => decide(&client, &home, "reopen", why).await,
        ProjectCommand::Close(why) => decide(&client, &home, "close", why).await,
        ProjectCommand::Withdraw(why) => decide(&client, &home, "withdraw", why).await,
    }
}

/// 1 where a node could not be asked now.
fn reached(view: &ProjectView) -> Ended {
    if view.nodes.iter().any(|at| at.problem.is_some()) { Ended::Found } else { Ended::Well }
}

/// Reads TOML, or JSON where the file begins so.
fn read<T: DeserializeOwned>(path: &Path) -> anyhow::Result<T> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    parse(&text).with_context(|| path.display().to_string())
}

fn parse<T: DeserializeOwned>(text: &str) -> anyhow::Result<T> {
    if text.trim_start().starts_with('{') {
        return Ok(parse_json(text.as_bytes()).map_err(Refused)?);
    }
    Ok(toml::from_str(text)?)
}

async fn approve(client: &PeopleClient, home: &Home, arguments: ApproveArgs) -> anyhow::Result<Ended> {
    let id = arguments.project.clone();
    let view: ProjectView = client.get(&format!("/api/v1/projects/{id}")).await?;
    let terms = match &arguments.narrow {
        Some(path) => Some(read::<Terms>(path)?),
        None => narrowed(&view.project.terms, &arguments)?,
    };
    let decision = ProjectDecision { terms, reason: arguments.reason };
    let view: ProjectView = client.post(&format!("/api/v1/projects/{id}/approve"), &decision).await?;
    say(format!("Project {id} is {} at {}.", view.state.name(), home.config.node));
    say(granted(&view, home).trim_end());
    say(format!("Take it back with: alianza project reopen {id} --reason '...'"));
    Ok(Ended::Well)
}

/// The proposed terms without what the options take away; none where they take nothing.
fn narrowed(proposed: &Terms, arguments: &ApproveArgs) -> anyhow::Result<Option<Terms>> {
    let mut terms = proposed.clone();
    let without = |what: &str, names: &mut BTreeSet<String>, gone: &[String]| {
        for name in gone {
            if !names.remove(name) {
                let there = names.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
                bail!("--without-{what} {name}: the proposal does not ask for it; it asks for: {there}");
            }
        }
        Ok(())
    };
    without("table", &mut terms.tables, &arguments.tables)?;
    without("statistic", &mut terms.statistics, &arguments.statistics)?;
    without("field", &mut terms.fields, &arguments.fields)?;
    terms.persons = arguments.persons.or(terms.persons);
    terms.expires = arguments.until.unwrap_or(terms.expires);
    if let Some(lane) = arguments.lane {
        terms.lane = lane;
        if lane != Lane::DifferentiallyPrivate {
            terms.privacy = None;
        } else if terms.privacy.is_none() {
            bail!("--lane differentially_private: the proposal names no budget; write one with --narrow FILE");
        }
    }
    match (arguments.rho, &mut terms.privacy) {
        (None, _) => {}
        (Some(rho), Some(privacy)) => privacy.rho = rho,
        (Some(_), None) => bail!("--rho: the project has no privacy budget"),
    }
    Ok((terms != *proposed).then_some(terms))
}

async fn decide(client: &PeopleClient, home: &Home, what: &str, why: ProjectReason) -> anyhow::Result<Ended> {
    let ProjectReason { project, reason } = why;
    let decision = ProjectDecision { terms: None, reason };
    let view: ProjectView = client.post(&format!("/api/v1/projects/{project}/{what}"), &decision).await?;
    say(format!("Project {project} is {} at {}.", view.state.name(), home.config.node));
    match what {
        "decline" => say(format!("Take it back with: alianza project reopen {project} --reason '...'")),
        "reopen" => say("Nothing is answered under it until it is decided again."),
        _ => say("Nothing is answered under it any more."),
    }
    if !view.nodes.is_empty() {
        say(nodes(&view, &home.config.node).trim_end());
    }
    Ok(reached(&view))
}

/// Projects as a table.
pub(crate) fn list(views: &[ProjectView], own: &NodeId) -> String {
    let row = |view: &ProjectView| {
        let project = &view.project;
        let until = view.terms.as_ref().map_or(project.terms.expires, |terms| terms.expires);
        vec![
            project.project.to_string(),
            here(view, own).to_owned(),
            until.to_string(),
            project.proposer.to_string(),
            elsewhere(view),
            project.title.clone(),
        ]
    };
    let (mut head, mut rows) =
        (vec!["project", "here", "until", "of", "elsewhere", "title"], views.iter().map(row).collect::<Vec<_>>());
    if views.iter().all(|view| view.nodes.is_empty()) {
        head.remove(ELSEWHERE);
        for row in &mut rows {
            row.remove(ELSEWHERE);
        }
    }
    columns(&head, &[], &rows)
}

/// The column of what other nodes said, which only projects of this node have.
const ELSEWHERE: usize = 4;

/// Where a project of this node stood at the others when they were last reached.
fn elsewhere(view: &ProjectView) -> String {
    let state = |at: &ProjectAt| at.status.as_ref().map_or("not reached yet", |status| status.state.name());
    let said: Vec<String> = view.nodes.iter().map(|at| format!("{} {}", at.node, state(at))).collect();
    if said.is_empty() { "-".to_owned() } else { said.join(", ") }
}

/// Where a project stands at this node.
fn here(view: &ProjectView, own: &NodeId) -> &'static str {
    let asked = view.project.countries.contains(own);
    if !asked && view.state == ProjectState::Pending { "not asked" } else { view.state.name() }
}

fn show(view: &ProjectView, home: &Home) -> String {
    let (project, own) = (&view.project, &home.config.node);
    let mut text = String::new();
    let mut line = |what: &str, value: &str| {
        // writing to a String cannot fail
        let _ = writeln!(text, "  {what:<13} {value}");
    };
    line("title", &project.title);
    line("purpose", &project.purpose);
    line("lead", &project.lead);
    line("proposed", &format!("by {} on {}", project.proposer, project.proposed.format("%Y-%m-%d %H:%M")));
    let asked: Vec<String> = project.countries.iter().map(NodeId::to_string).collect();
    line("asks", &words::joined(&asked, "and"));
    line(&format!("at {own}"), here(view, own));
    if let (Some(by), Some(decided)) = (&view.decided_by, view.decided) {
        line("decided", &format!("by {by} on {}", decided.format("%Y-%m-%d %H:%M")));
    }
    if let Some(reason) = &view.reason {
        line(reason_of(view.state), reason);
    }
    let heading = if project.proposer == *own {
        "What it asks to learn".to_owned()
    } else {
        format!("What it would let {} learn about this node's data", project.proposer)
    };
    let threshold = (project.countries.contains(own)).then_some(home.policy.threshold.persons);
    text = format!("Project {}\n{text}\n{heading}\n{}", project.project, terms(&project.terms, threshold));
    if view.terms.is_some() {
        text.push('\n');
        text.push_str(&granted(view, home));
    }
    if !view.nodes.is_empty() {
        text.push_str("\nWhat the nodes say\n");
        text.push_str(&nodes(view, own));
    }
    if view.state == ProjectState::Pending && project.countries.contains(own) {
        let id = &project.project;
        if !project.terms.fields.is_empty() {
            text.push_str(
                "\nA grant of a field opens all its codes and values: it cannot be narrowed to some of them.\n",
            );
        }
        let _ = write!(
            text,
            "\nDecide: alianza project approve {id}, with less: alianza project approve --help, or\n        alianza project decline {id} --reason '...'\n"
        );
    }
    text
}

/// What the reason of a project is one for.
fn reason_of(state: ProjectState) -> &'static str {
    match state {
        ProjectState::Pending => "reopened",
        ProjectState::Withdrawn => "ended",
        _ => "reason",
    }
}

fn terms(terms: &Terms, own_threshold: Option<u32>) -> String {
    let mut text = String::new();
    for (heading, lines) in Words::built_in().terms(terms, own_threshold) {
        for (at, line) in lines.iter().enumerate() {
            let heading = if at == 0 { heading } else { "" };
            let _ = writeln!(text, "  {heading:<22} {line}");
        }
    }
    text
}

/// What is granted here, by its difference to what was proposed.
fn granted(view: &ProjectView, home: &Home) -> String {
    let Some(granted) = &view.terms else { return String::new() };
    let less = narrowing(&view.project.terms, granted);
    if less.is_empty() {
        return format!("Granted at {} as proposed.\n", home.config.node);
    }
    let mut text = format!("Granted at {} with less than proposed\n", home.config.node);
    for line in less {
        let _ = writeln!(text, "  {line}");
    }
    text
}

/// What every node that is asked says, as the proposing node knows it.
fn nodes(view: &ProjectView, own: &NodeId) -> String {
    let said = |state: ProjectState, terms: Option<&Terms>, reason: Option<&String>| {
        let mut said = terms.map(|granted| narrowing(&view.project.terms, granted)).unwrap_or_default();
        said.extend(reason.map(|reason| match state {
            ProjectState::Pending => format!("its steward took the decision back: “{reason}”"),
            _ => format!("“{reason}”"),
        }));
        said
    };
    let mut rows = Vec::new();
    if view.project.countries.contains(own) {
        let words = said(view.state, view.terms.as_ref(), view.reason.as_ref());
        rows.push(vec![own.to_string(), view.state.name().to_owned(), words.join("; ")]);
    }
    for at in &view.nodes {
        let status = at.status.as_ref();
        let state = status.map_or("not reached yet", |status| status.state.name());
        let mut words = status.map(|at| said(at.state, at.terms.as_ref(), at.reason.as_ref())).unwrap_or_default();
        words.extend(at.problem.as_ref().map(|problem| format!("now: {}", render::problem(problem))));
        rows.push(vec![at.node.to_string(), state.to_owned(), words.join("; ")]);
    }
    columns(&["node", "says", "with"], &[], &rows)
}

#[cfg(test)]
mod tests {
    use node_protocol::query::Query;

    use super::*;

    const SAMPLE: &str = include_str!("../../../../config/project.toml");

    #[test]
    fn the_sample_parses_and_can_be_proposed() {
        let sample: NewProject = parse(SAMPLE).unwrap();
        sample.terms.check().unwrap();
        let json = serde_json::to_string(&sample).unwrap();
        let again: NewProject = parse(&json).unwrap();
        assert_eq!(again.terms, sample.terms);
        let words = terms(&sample.terms, Some(5));
        for said in ["count", "Index cancer", "endpoint: overall survival", "exact: the true numbers", "fewer than"] {
            assert!(words.contains(said), "{said}: {words}");
        }
        assert!(parse::<NewProject>(&SAMPLE.replace("title =", "titel =")).is_err());
    }

    #[test]
    fn the_sample_query_is_one_of_the_sample_project() {
        let query = Query::parse(include_bytes!("../../../../config/query.json")).unwrap();
        let sample: NewProject = parse(SAMPLE).unwrap();
        assert_eq!(query.project.as_deref(), Some(sample.project.as_str()));
        assert!(sample.terms.tables.contains(&query.table));
        assert!(sample.terms.statistics.contains(query.statistic.name()));
        assert!(query.fields().iter().all(|field| sample.terms.fields.contains(*field)), "{:?}", query.fields());
    }

    fn arguments() -> ApproveArgs {
        ApproveArgs {
            project: "mx-1".parse().unwrap(),
            narrow: None,
            lane: None,
            persons: None,
            until: None,
            rho: None,
            statistics: Vec::new(),
            fields: Vec::new(),
            tables: Vec::new(),
            reason: String::new(),
        }
    }

    #[test]
    fn options_take_away_and_never_add() {
        let proposed = parse::<NewProject>(SAMPLE).unwrap().terms;
        assert_eq!(narrowed(&proposed, &arguments()).unwrap(), None, "as proposed");
        let less = ApproveArgs { statistics: vec!["survival".to_owned()], persons: Some(20), ..arguments() };
        let granted = narrowed(&proposed, &less).unwrap().unwrap();
        assert!(granted.within(&proposed) && !granted.statistics.contains("survival"));
        let unknown = ApproveArgs { fields: vec!["shoe_size".to_owned()], ..arguments() };
        let error = narrowed(&proposed, &unknown).unwrap_err().to_string();
        assert!(error.starts_with("--without-field shoe_size: the proposal does not ask for it"), "{error}");
        let budget = ApproveArgs { rho: Some(0.1), ..arguments() };
        assert!(narrowed(&proposed, &budget).is_err());
    }
}

//! `demo`: a rehearsal of the whole alliance on one machine, with nothing left out.

mod federation;

use std::{fs, path::Path, time::Instant};

use anyhow::{Context, bail};
use node_catalogue::indicator::Indicator;
use node_domain::dictionary::Dictionary;
use node_policy::{policy::Policy, role::Role};
use node_protocol::{
    query::Query,
    study::{Status, Study},
};

use self::federation::{Data, Federation, Plan, token_file};
use crate::{
    cli::{DemoArgs, Ended},
    commands::{render, serve::asked_to_stop, study::read_query},
    operate::POLICY,
    people_client::PeopleClient,
    people_port::NewStudy,
    terminal::{note, say, say_json},
};

/// The question to the real trial data.
const BY_STAGE: &str = r#"{"dictionary":"1.1","table":"cases","by":["stage"],
  "statistic":{"kind":"survival","endpoint":"event_free","cuts_months":[6,12,24,36,48,60]}}"#;

/// The question to the synthetic registry: an indicator, which every node answers exactly from its catalogue.
const INDICATOR: &str = "survival_by_index_cancer";

/// `demo`
pub(crate) async fn run(arguments: DemoArgs) -> anyhow::Result<Ended> {
    let data = match arguments.data.as_str() {
        "synthetic" => Data::Synthetic,
        "nwts" => Data::Wilms,
        folder => Data::Folder(folder.into()),
    };
    let query = match (&arguments.query, &data) {
        (Some(path), _) => read_query(path)?,
        (None, Data::Synthetic) => indicator()?,
        (None, _) => Query::parse(BY_STAGE.as_bytes())?,
    };
    let asks_catalogue = arguments.query.is_none() && matches!(data, Data::Synthetic);
    let policy = policy(arguments.policy.as_deref(), asks_catalogue)?;
    let scratch = tempfile::tempdir()?;
    let folder = match &arguments.keep {
        Some(folder) => empty(folder)?,
        None => scratch.path(),
    };
    if matches!(data, Data::Synthetic) {
        note(
            "Data: SYNTHETIC. Invented children of sixteen countries, set near published figures; nothing here tells of anybody.",
        );
    }
    if matches!(data, Data::Wilms) {
        note(
            "Data: National Wilms Tumor Study 3/4, 4,028 children, relapse (R package survival; Breslow & Chatterjee 1999).",
        );
        note(
            "The children are real, the countries are NOMINAL: the study was split into unequal parts for this rehearsal.",
        );
    }
    let plan = Plan { nodes: usize::from(arguments.nodes), data, policy };
    let begun = Instant::now();
    let federation = Federation::build(folder, &plan, &mut |stage, took| {
        note(format!("{stage:<58} {:>8.0} ms", took.as_secs_f64() * 1e3));
    })
    .await?;
    note(format!("{:<58} {:>8.0} ms", "ready", begun.elapsed().as_secs_f64() * 1e3));

    if let Some(project) = &query.project {
        federation.approve(project, &query).await?;
        note(format!("project {project} proposed by {} and approved by every node", federation.asking().config.node));
    }
    let asking = federation.asking();
    let client = PeopleClient::of(asking, None)?;
    let asked = Instant::now();
    let new = NewStudy { query, nodes: Vec::new(), wait_ms: 30_000 };
    let study: Study = client.post("/api/v1/studies", &new).await?;
    note(format!(
        "{:<58} {:>8.1} ms",
        format!("query from {}: asked, answered, verified, pooled", asking.config.node),
        asked.elapsed().as_secs_f64() * 1e3
    ));
    if arguments.json {
        say_json(&study)?;
    } else {
        say(render::study(&study));
        if matches!(plan.data, Data::Synthetic) {
            say("SYNTHETIC data: these figures tell of no country and no child.");
        }
    }
    if !arguments.once {
        stay(&federation, &study).await?;
    }
    federation.stop().await;
    let complete = study.nodes.iter().all(|node| node.status == Status::Answered);
    Ok(if complete { Ended::Well } else { Ended::Found })
}

fn indicator() -> anyhow::Result<Query> {
    let all = Indicator::all()?;
    Ok(all.into_iter().find(|one| one.id == INDICATOR).context("the indicator ships")?.query)
}

/// The policy of the rehearsal: the file's; the shipped one where only the catalogue is asked; otherwise the shipped one with
/// exploration opened wide and nothing too small to be shown, which only public or invented data allow.
fn policy(path: Option<&Path>, asks_catalogue: bool) -> anyhow::Result<String> {
    if let Some(path) = path {
        let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let policy = Policy::parse(&text).with_context(|| path.display().to_string())?;
        policy.check_names(&Dictionary::built_in()?).with_context(|| path.display().to_string())?;
        return Ok(text);
    }
    if asks_catalogue {
        return Ok(POLICY.to_owned());
    }
    let mut policy = Policy::parse(POLICY)?;
    let threshold = &mut policy.threshold;
    (threshold.persons, threshold.events, threshold.at_risk, threshold.facilities) = (1, 1, 1, 1);
    policy.open_wide(Dictionary::built_in()?.tables().map(|table| table.name.clone()).collect());
    Ok(toml::to_string(&policy)?)
}

fn empty(folder: &Path) -> anyhow::Result<&Path> {
    fs::create_dir_all(folder)?;
    if fs::read_dir(folder)?.next().is_some() {
        bail!("{}: is not empty; the rehearsal overwrites nothing", folder.display());
    }
    Ok(folder)
}

async fn stay(federation: &Federation, study: &Study) -> anyhow::Result<()> {
    let dir = federation.asking().folder.display();
    let folder = federation.folder().display();
    say(format!("The federation stays up; its nodes are in {folder}. In another terminal, try:"));
    say(format!("  alianza study show {} --dir {dir}", study.study));
    say(format!("  alianza query {folder}/query.json --answers {folder}/answers --dir {dir}"));
    say(format!("  alianza verify {folder}/answers/ar.jws --membership {folder}/alliance.json"));
    say(format!("  alianza audit verify --dir {dir}"));
    let token = |role| token_file(federation.asking(), role).display().to_string();
    say("Every node has a researcher, a steward and an auditor, whose tokens are in its folder `keys`:");
    say(format!("  alianza pending --dir {dir} --token {}", token(Role::Steward)));
    say(format!("  alianza released --dir {dir} --token {}", token(Role::Auditor)));
    say("Ctrl-C ends it.");
    fs::write(federation.folder().join("query.json"), serde_json::to_string_pretty(&study.query)?)?;
    asked_to_stop().await?;
    Ok(())
}

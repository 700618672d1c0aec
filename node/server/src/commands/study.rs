//! `query` and `study`: asking the alliance through one's own node.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::Context;
use node_protocol::{
    query::Query,
    study::{Status, Study, StudyId},
};
use node_snapshot::durable;

use super::{
    estimate,
    render::{self, columns::columns, tidy},
};
use crate::{
    cli::{Asking, Ended, QueryArgs, Session, StudyCommand},
    config::Home,
    people_client::{PeopleClient, Refused},
    people_port::{NewStudy, StudyLine},
    terminal::{note, say, say_json},
};

/// The node's port for people, as the person who acts.
pub(crate) fn client(session: &Session) -> anyhow::Result<PeopleClient> {
    PeopleClient::of(&Home::open(&session.dir)?, session.token.as_deref())
}

/// `query`
pub(crate) async fn query(session: &Session, arguments: &QueryArgs) -> anyhow::Result<Ended> {
    let query = read_query(&arguments.file)?;
    if arguments.dry_run {
        return estimate::run(session, query, &arguments.asking).await;
    }
    ask(session, query, &arguments.asking).await
}

/// Asks a query and shows what comes.
pub(crate) async fn ask(session: &Session, query: Query, asking: &Asking) -> anyhow::Result<Ended> {
    let client = client(session)?;
    let new = NewStudy { query, nodes: asking.nodes.clone(), wait_ms: asking.wait_s.saturating_mul(1000) };
    let mut study: Study = client.post("/api/v1/studies", &new).await?;
    if let Some(folder) = &asking.answers {
        keep_answers(&client, &mut study, folder).await?;
    }
    show_study(&study, asking.csv.as_deref(), asking.output.json)
}

/// Reads a query file.
pub(crate) fn read_query(path: &Path) -> anyhow::Result<Query> {
    let text = fs::read(path).with_context(|| path.display().to_string())?;
    Query::parse(&text).map_err(Refused).with_context(|| path.display().to_string())
}

/// Writes the signed answers of a study to a folder, one file per node, and notes their names in the study.
pub(crate) async fn keep_answers(client: &PeopleClient, study: &mut Study, folder: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder)?;
    let answers: BTreeMap<String, String> = client.get(&format!("/api/v1/studies/{}/answers", study.study)).await?;
    for node in &mut study.nodes {
        if let Some(signed) = answers.get(node.node.as_str()) {
            let path = folder.join(format!("{}.jws", node.node));
            durable::replace(&path, format!("{signed}\n").as_bytes())?;
            node.answer_file = Some(path.display().to_string());
        }
    }
    Ok(())
}

fn show_study(study: &Study, csv: Option<&Path>, json: bool) -> anyhow::Result<Ended> {
    if let Some(path) = csv {
        let written = tidy::write(study, path)?;
        note(format!(
            "{}: {} numbers, and {} that are not shown and have an empty value",
            path.display(),
            written.shown,
            written.hidden
        ));
        if let Some(notes) = &written.notes {
            note(format!("{}: what their states mean", notes.display()));
        }
    }
    if json {
        say_json(study)?;
    } else {
        say(render::study(study).trim_end());
    }
    if study.nodes.iter().any(|node| matches!(node.status, Status::InReview | Status::Pending | Status::Unreachable)) {
        note(format!("The node goes on asking those that have not answered: alianza study show {}", study.study));
    }
    let complete = study.nodes.iter().all(|node| node.status == Status::Answered);
    Ok(if complete { Ended::Well } else { Ended::Found })
}

/// `study`
pub(crate) async fn run(session: &Session, command: StudyCommand) -> anyhow::Result<Ended> {
    match command {
        StudyCommand::List(output) => list(session, output.json).await,
        StudyCommand::Show { study, csv, output } => show(session, &study, csv.as_deref(), output.json).await,
    }
}

async fn list(session: &Session, json: bool) -> anyhow::Result<Ended> {
    let studies: Vec<StudyLine> = client(session)?.get("/api/v1/studies").await?;
    if json {
        say_json(&studies)?;
        return Ok(Ended::Well);
    }
    if studies.is_empty() {
        say("No studies yet. Ask one with: alianza query FILE");
        return Ok(Ended::Well);
    }
    let row = |study: &StudyLine| {
        let started = study.started.format("%Y-%m-%d %H:%M").to_string();
        vec![study.study.to_string(), started, study.statistic.clone(), study.asker.clone()]
    };
    let rows: Vec<_> = studies.iter().map(row).collect();
    say(columns(&["study", "asked", "statistic", "by"], &[], &rows).trim_end());
    Ok(Ended::Well)
}

async fn show(session: &Session, study: &StudyId, csv: Option<&Path>, json: bool) -> anyhow::Result<Ended> {
    let study: Study = client(session)?.get(&format!("/api/v1/studies/{study}")).await?;
    show_study(&study, csv, json)
}

//! `query` and `study`: asking the alliance through one's own node.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::Context;
use node_protocol::{
    query::Query,
    study::{Status, Study, StudyId},
};
use node_snapshot::durable;

use crate::{
    cli::{Ended, Json, QueryArgs},
    config::Home,
    people_client::{PeopleClient, Refused},
    people_port::{NewStudy, StudyLine},
    terminal::{say, say_json},
};

/// `query`
pub(crate) async fn query(dir: &Path, arguments: &QueryArgs) -> anyhow::Result<Ended> {
    let client = PeopleClient::of(&Home::open(dir)?)?;
    let query = read_query(&arguments.file)?;
    let new = NewStudy { query, nodes: arguments.nodes.clone(), wait_ms: arguments.wait_s.saturating_mul(1000) };
    let mut study: Study = client.post("/api/v1/studies", &new).await?;
    if let Some(folder) = &arguments.answers {
        keep_answers(&client, &mut study, folder).await?;
    }
    show_study(&study, &arguments.output)
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

fn show_study(study: &Study, output: &Json) -> anyhow::Result<Ended> {
    if output.json {
        say_json(study)?;
    } else {
        say(super::render::study(study));
    }
    let complete = study.nodes.iter().all(|node| node.status == Status::Answered);
    Ok(if complete { Ended::Well } else { Ended::Found })
}

/// `study list`
pub(crate) async fn list(dir: &Path, output: &Json) -> anyhow::Result<Ended> {
    let studies: Vec<StudyLine> = PeopleClient::of(&Home::open(dir)?)?.get("/api/v1/studies").await?;
    if output.json {
        say_json(&studies)?;
        return Ok(Ended::Well);
    }
    if studies.is_empty() {
        say("No studies yet. Ask one with: alianza query FILE");
    }
    for study in studies {
        say(format!(
            "{}  {}  {:<9} {}",
            study.study,
            study.started.format("%Y-%m-%d %H:%M"),
            study.statistic,
            study.asker
        ));
    }
    Ok(Ended::Well)
}

/// `study show`
pub(crate) async fn show(dir: &Path, study: &StudyId, output: &Json) -> anyhow::Result<Ended> {
    let study: Study = PeopleClient::of(&Home::open(dir)?)?.get(&format!("/api/v1/studies/{study}")).await?;
    show_study(&study, output)
}

//! `released`, `audit known` and `ledger`: who knows what of this node, and what its own people know of others.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    path::Path,
};

use anyhow::Context;
use chrono::{DateTime, Utc};
use node_catalogue::{Made, indicator::Indicator};
use node_domain::{dictionary::Dictionary, language::Language, node_id::NodeId};
use node_protocol::{
    answer::{Answer, GroupKey},
    query::Query,
};
use node_snapshot::shelf;
use node_store::{
    Store,
    ledger::{LedgerLine, LineState},
    matching::{Matter, Telling},
};
use serde::Serialize;
use serde_json::json;

use super::{
    known_names::{self, Subject},
    render::{self, Page, columns::columns},
    study::client,
    words::{self, Words},
};
use crate::{
    cli::{Ended, Json, Session, governance::ReleasedArgs},
    config::Home,
    people_port::governance::{OwnLedgerLine, ReleasedFilter},
    terminal::{say, say_json},
};

/// The rule of look-ups.
const CATALOGUE: &str = "catalogue";

/// `released`: through the node's port for people.
pub(crate) async fn released(session: &Session, arguments: ReleasedArgs) -> anyhow::Result<Ended> {
    let home = Home::open(&session.dir)?;
    known_names::subject(&Dictionary::built_in()?, &subject(&arguments))?;
    let query = serde_json::to_value(filter(&arguments))?;
    let pairs = query.as_object().into_iter().flatten().filter_map(|(name, value)| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        (!value.is_null()).then(|| (name.clone(), text))
    });
    // only its path is used
    let url = reqwest::Url::parse_with_params("https://localhost/api/v1/released", pairs)?;
    let path = format!("{}?{}", url.path(), url.query().unwrap_or_default());
    let lines: Vec<LedgerLine> = client(session)?.get(&path).await?;
    tell(&home, &arguments, lines)
}

/// `audit known`: from the node's database, whether it serves or not.
pub(crate) async fn known(dir: &Path, arguments: ReleasedArgs) -> anyhow::Result<Ended> {
    let home = Home::open(dir)?;
    let dictionary = Dictionary::built_in()?;
    known_names::subject(&dictionary, &subject(&arguments))?;
    let store = Store::open(&home.database()).await?;
    known_names::asker(&home, &store, arguments.peer.as_ref(), arguments.project.as_deref()).await?;
    let (filter, most) = filter(&arguments).into_filter(&dictionary);
    let lines = store.ledger(&filter, most).await?;
    store.close().await;
    tell(&home, &arguments, lines)
}

fn filter(arguments: &ReleasedArgs) -> ReleasedFilter {
    let ReleasedArgs { peer, project, table, field, value, rule, since, most, .. } = arguments.clone();
    ReleasedFilter { peer, project, table, field, value, kin: Some(true), rule, since, most: Some(most) }
}

fn subject(arguments: &ReleasedArgs) -> Subject<'_> {
    let ReleasedArgs { table, field, value, .. } = arguments;
    Subject { table: table.as_deref(), field: field.as_deref(), value: value.as_deref() }
}

/// An answer that was given, and how it tells about what is wanted.
#[derive(Debug, Serialize)]
struct Given {
    tells: Telling,
    #[serde(flatten)]
    line: LedgerLine,
}

/// An indicator, which everybody may look up.
#[derive(Debug, Serialize)]
struct Public {
    tells: Telling,
    indicator: String,
    title: String,
    asked: usize,
    peers: BTreeSet<NodeId>,
    last: Option<DateTime<Utc>>,
    #[serde(skip)]
    query: Query,
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<Answer>,
}

fn tell(home: &Home, arguments: &ReleasedArgs, lines: Vec<LedgerLine>) -> anyhow::Result<Ended> {
    let (wanted, _) = filter(arguments).into_filter(&Dictionary::built_in()?);
    let (looked_up, asked): (Vec<_>, Vec<_>) = lines.into_iter().partition(|line| line.rule == CATALOGUE);
    let all = looked_up.len() + asked.len() >= usize::try_from(arguments.most)?;
    let (mut given, mut kept): (Vec<_>, BTreeMap<&str, usize>) = (Vec::new(), BTreeMap::new());
    for mut line in asked {
        if line.state != LineState::Given {
            *kept.entry(line.state.name()).or_default() += 1;
            continue;
        }
        line.answer = line.answer.map(|answer| of_value(answer, arguments));
        let tells = wanted.matter().telling(&line.query).unwrap_or(Telling::AmongOthers);
        given.push(Given { tells, line });
    }
    let public = public(home, arguments, wanted.matter(), &looked_up)?;
    if arguments.output.json {
        say_json(&json!({ "everybody": public, "answers": given, "not_released": kept }))?;
        return Ok(Ended::Well);
    }
    let about = arguments.field.as_ref().map(|field| Words::built_in().about(field, arguments.value.as_deref()));
    let about = about.map(|about| format!(", about {about}")).unwrap_or_default();
    say(format!("What others know of {}{about}\n", home.config.node));
    say(render(&public, &given, arguments).trim_end());
    let waiting = kept.get("held").map(|count| format!("{count} waiting for a steward"));
    let refused = kept.get("refused").map(|count| format!("{count} refused by a steward"));
    let kept: Vec<String> = waiting.into_iter().chain(refused).collect();
    if !kept.is_empty() {
        say(format!("\nNot among them, since nobody else has them: {}.", kept.join(", ")));
    }
    if all {
        say(format!("\nThere may be more: only the newest {} were read; see --most and --since.", arguments.most));
    }
    Ok(Ended::Well)
}

/// The indicators that tell about what is wanted, and how often each was looked up.
fn public(
    home: &Home,
    arguments: &ReleasedArgs,
    wanted: Matter<'_>,
    looked_up: &[LedgerLine],
) -> anyhow::Result<Vec<Public>> {
    if arguments.rule.as_ref().is_some_and(|rule| rule != CATALOGUE) || arguments.project.is_some() {
        return Ok(Vec::new());
    }
    let catalogue = if arguments.values { catalogue(home)? } else { None };
    let mut all = Vec::new();
    for indicator in Indicator::all()? {
        let query = &indicator.query;
        let Some(tells) = wanted.telling(query) else { continue };
        let lines: Vec<_> = looked_up.iter().filter(|line| line.query.asks_the_same(query)).collect();
        let entry = catalogue.as_ref().and_then(|made| made.entries.iter().find(|one| one.indicator == indicator.id));
        all.push(Public {
            tells,
            title: indicator.title.of(Language::En).to_owned(),
            asked: lines.len(),
            peers: lines.iter().map(|line| line.peer.clone()).collect(),
            last: lines.iter().map(|line| line.at).max(),
            answer: entry.map(|entry| of_value(entry.answer.clone(), arguments)),
            query: indicator.query,
            indicator: indicator.id,
        });
    }
    Ok(all)
}

/// The catalogue in force; none before the first publication.
fn catalogue(home: &Home) -> anyhow::Result<Option<Made>> {
    let folder = home.snapshots();
    let Some(id) = shelf::current(&folder)? else { return Ok(None) };
    let path = shelf::place(&folder, id).join(shelf::CATALOGUE);
    let bytes = std::fs::read(&path).with_context(|| path.display().to_string())?;
    Ok(Some(serde_json::from_slice(&bytes).context("the catalogue is damaged: publish again")?))
}

/// The groups of an answer that tell of the value that is wanted; all where it is not grouped by that field.
fn of_value(mut answer: Answer, arguments: &ReleasedArgs) -> Answer {
    let (Some(field), Some(value)) = (&arguments.field, &arguments.value) else { return answer };
    let wanted = |group: &GroupKey| group.get(field).is_none_or(|code| code.as_ref() == Some(value));
    match &mut answer {
        Answer::Count(answer) => answer.cells.retain(|one| wanted(&one.group)),
        Answer::Histogram(answer) => answer.groups.retain(|one| wanted(&one.group)),
        Answer::Mean(answer) => answer.groups.retain(|one| wanted(&one.group)),
        Answer::Survival(answer) => answer.groups.retain(|one| wanted(&one.group)),
    }
    answer
}

fn render(public: &[Public], given: &[Given], arguments: &ReleasedArgs) -> String {
    if public.is_empty() && given.is_empty() {
        return "No answer was given.\n".to_owned();
    }
    let (mut page, mut text) = (Page::default(), String::new());
    for tells in [Telling::Directly, Telling::ByKindred, Telling::AmongOthers] {
        let public: Vec<&Public> = public.iter().filter(|one| one.tells == tells).collect();
        let given: Vec<&LedgerLine> = given.iter().filter(|one| one.tells == tells).map(|one| &one.line).collect();
        if public.is_empty() && given.is_empty() {
            continue;
        }
        if let Some(field) = &arguments.field {
            let used = public.iter().map(|one| &one.query).chain(given.iter().map(|line| &line.query));
            let _ = writeln!(text, "{}\n", heading(tells, field, used));
        }
        // the numbers of everybody tell little of a few; which there are is enough
        let values = arguments.values && tells != Telling::AmongOthers;
        if tells == Telling::AmongOthers {
            text.push_str(&names(&public));
        } else {
            text.push_str(&indicators(&public, &mut page));
        }
        text.push_str(&answers(&given, values, &mut page));
        text.push('\n');
    }
    text + &page.footnotes()
}

/// How the answers below tell about the field that was named.
fn heading<'q>(tells: Telling, field: &str, queries: impl Iterator<Item = &'q Query>) -> String {
    match tells {
        Telling::Directly => format!("TOLD BY `{field}`"),
        Telling::ByKindred => {
            let kindred = Dictionary::built_in().ok();
            let kindred = kindred.as_ref().map(|dictionary| dictionary.kindred(field)).unwrap_or_default();
            let used: BTreeSet<&str> = queries.flat_map(|query| query.fields()).collect();
            let used = used.into_iter().filter(|name| kindred.contains(name)).map(|name| format!("`{name}`"));
            let used = words::joined(&used.collect::<Vec<_>>(), "and");
            format!("TOLD BY FIELDS OF THE SAME KIND: {used}")
        }
        Telling::AmongOthers => "COUNTED AMONG ALL OTHERS, by no such field".to_owned(),
    }
}

/// Indicators in one line.
fn names(public: &[&Public]) -> String {
    if public.is_empty() {
        return String::new();
    }
    let names: Vec<String> = public.iter().map(|one| one.indicator.clone()).collect();
    format!("Indicators, which everybody may look up: {}\n\n", names.join(", "))
}

fn indicators(public: &[&Public], page: &mut Page) -> String {
    if public.is_empty() {
        return String::new();
    }
    let mut text = String::from("Everybody may look up these indicators, as published\n");
    let row = |one: &&Public| {
        let peers: Vec<String> = one.peers.iter().map(NodeId::to_string).collect();
        let asked = match one.last {
            None => "never".to_owned(),
            Some(last) => {
                format!("{}, last {}, by {}", times(one.asked), last.format("%Y-%m-%d"), peers.join(", "))
            }
        };
        vec![one.indicator.clone(), one.title.clone(), asked]
    };
    let rows: Vec<_> = public.iter().map(row).collect();
    text.push_str(&columns(&["indicator", "title", "looked up"], &[], &rows));
    for one in public {
        if let Some(answer) = &one.answer {
            let _ = write!(text, "\n{}\n{}", one.indicator, indented(&page.answer(&one.query, "here", answer)));
        }
    }
    text.push('\n');
    text
}

fn answers(given: &[&LedgerLine], values: bool, page: &mut Page) -> String {
    if given.is_empty() {
        return "No other answer was given.\n".to_owned();
    }
    let words = Words::built_in();
    let mut text = String::from("Answers that were given, newest first\n");
    let row = |line: &&LedgerLine| {
        vec![
            line.at.format("%Y-%m-%d %H:%M").to_string(),
            line.peer.to_string(),
            line.project.clone().unwrap_or_else(|| "-".to_owned()),
            line.subject.clone(),
            words::rule(&line.rule).to_owned(),
            words.query(&line.query),
        ]
    };
    let head = ["when", "peer", "project", "researcher", "numbers", "of"];
    let rows: Vec<_> = given.iter().map(row).collect();
    let table = columns(&head, &[], &rows);
    if !values {
        return text + &table;
    }
    let mut lines = table.lines();
    let _ = writeln!(text, "{}", lines.next().unwrap_or_default());
    for (line, released) in lines.zip(given) {
        let _ = writeln!(text, "{line}");
        match &released.answer {
            Some(answer) => {
                let numbers = page.answer(&released.query, "here", answer);
                let _ = writeln!(text, "{}", indented(&numbers).trim_end());
            }
            None => text.push_str("    (the numbers are not kept)\n"),
        }
    }
    text
}

fn times(count: usize) -> String {
    match count {
        1 => "once".to_owned(),
        count => format!("{count} times"),
    }
}

fn indented(text: &str) -> String {
    let line = |line: &str| if line.is_empty() { "\n".to_owned() } else { format!("    {line}\n") };
    text.lines().map(line).collect()
}

/// `ledger`: one's own released answers.
pub(crate) async fn own(session: &Session, output: &Json) -> anyhow::Result<Ended> {
    let studies: Vec<OwnLedgerLine> = client(session)?.get("/api/v1/ledger").await?;
    if output.json {
        say_json(&studies)?;
        return Ok(Ended::Well);
    }
    if studies.is_empty() {
        say("You have asked nothing yet. Ask with: alianza query FILE");
        return Ok(Ended::Well);
    }
    let mut rows = Vec::new();
    for study in &studies {
        let mut first = vec![
            study.started.format("%Y-%m-%d %H:%M").to_string(),
            study.study.to_string(),
            format!("{} of {}", study.statistic, study.table),
            study.project.clone().unwrap_or_else(|| "-".to_owned()),
        ];
        for node in &study.nodes {
            let why = node.problem.as_ref().map(|problem| problem.title.clone()).unwrap_or_default();
            let numbers = node.rule.as_deref().map_or(why, |rule| words::rule(rule).to_owned());
            let snapshot = node.snapshot.map(|id| id.short()).unwrap_or_default();
            let status = render::status_word(node.status).to_owned();
            rows.push([first, vec![node.node.to_string(), status, snapshot, numbers]].concat());
            first = vec![String::new(); 4];
        }
    }
    let head = ["asked", "study", "what", "project", "node", "status", "snapshot", "numbers"];
    say(columns(&head, &[], &rows).trim_end());
    Ok(Ended::Well)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::render::samples;

    fn arguments(field: &str, value: &str) -> ReleasedArgs {
        ReleasedArgs {
            peer: None,
            project: None,
            table: None,
            field: Some(field.to_owned()),
            value: Some(value.to_owned()),
            rule: None,
            since: None,
            most: 10,
            values: true,
            output: Json { json: false },
        }
    }

    #[test]
    fn only_the_groups_of_the_value_are_told() {
        let answer = samples::counts().nodes[0].answer.clone().unwrap();
        let groups = |answer: &Answer| match answer {
            Answer::Count(answer) => answer.cells.len(),
            _ => 0,
        };
        assert_eq!(groups(&of_value(answer.clone(), &arguments("sex", "1"))), 1);
        assert_eq!(groups(&of_value(answer, &arguments("stage", "1"))), 3, "each tells of every stage");
    }

    fn public(indicator: &str, fields: &str) -> Public {
        let json = format!(r#"{{"dictionary":"1.1","table":"cases","by":[{fields}],"statistic":{{"kind":"count"}}}}"#);
        let query = Query::parse(json.as_bytes()).unwrap();
        let wanted = filter(&arguments("index_cancer", "RETINOBLASTOMA"));
        let (wanted, _) = wanted.into_filter(&Dictionary::built_in().unwrap());
        Public {
            tells: wanted.matter().telling(&query).unwrap(),
            indicator: indicator.to_owned(),
            title: String::new(),
            asked: 0,
            peers: BTreeSet::new(),
            last: None,
            query,
            answer: None,
        }
    }

    #[test]
    fn answers_by_kindred_fields_and_totals_are_told_apart() {
        let all =
            [public("one", r#""index_cancer""#), public("two", r#""iccc_group","sex""#), public("three", r#""sex""#)];
        let text = render(&all, &[], &arguments("index_cancer", "RETINOBLASTOMA"));
        let at = |what: &str| text.find(what).unwrap_or_else(|| panic!("{what}: {text}"));
        assert!(at("TOLD BY `index_cancer`") < at("\none "), "{text}");
        assert!(at("\none ") < at("SAME KIND: `iccc_group`\n") && at("SAME KIND") < at("\ntwo "), "{text}");
        assert!(at("\ntwo ") < at("COUNTED AMONG ALL OTHERS") && at("COUNTED") < at("look up: three"), "{text}");
    }
}

//! `audit`: the chain, by itself and against what peers hold.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use arc_swap::ArcSwap;
use chrono::SecondsFormat;
use node_domain::{clock::SystemClock, dictionary::Dictionary, digest::Digest, nearest::unknown, node_id::NodeId};
use node_protocol::{canonical, envelope::AuditHead, query::Query};
use node_requester::{
    peer::Peers,
    study::{Requester, Timing},
};
use node_snapshot::durable;
use node_store::{
    Store,
    audit::{Entry, Event, Finding, entries::EntryFilter},
};
use node_trust::tls::TlsState;
use serde_json::json;

use super::{
    known_names::{self, Subject},
    released,
    render::columns::columns,
    words::{self, Words, joined},
};
use crate::{
    application::{pseudonym, roster_in_force},
    cli::{AuditCommand, Ended, Json, governance::AuditFilter, short},
    config::Home,
    keystore::KeyStore,
    terminal::{say, say_json},
};

/// `audit`
pub(crate) async fn run(dir: &Path, command: AuditCommand) -> anyhow::Result<Ended> {
    match command {
        AuditCommand::Verify { offline, output } => verify(dir, offline, &output).await,
        AuditCommand::List { filter, most, output } => list(dir, filter, most, output.json).await,
        AuditCommand::Show { sequence, output } => show(dir, sequence, output.json).await,
        AuditCommand::Export { out, force, filter } => export(dir, filter, &out, force).await,
        AuditCommand::Known(arguments) => released::known(dir, arguments).await,
    }
}

/// `audit verify`
async fn verify(dir: &Path, offline: bool, output: &Json) -> anyhow::Result<Ended> {
    let home = Home::open(dir)?;
    let store = Store::open(&home.database()).await?;
    let mut held: Vec<(NodeId, AuditHead)> = Vec::new();
    let (mut asked, mut silent) = (0, Vec::new());
    if !offline {
        let requester = requester(&home, &store).await?;
        let roster = requester.peers.tls().roster.load_full();
        for peer in roster.active().map(|member| &member.node).filter(|peer| **peer != requester.node) {
            asked += 1;
            match requester.heads_held_by(peer).await {
                Ok(heads) => held.extend(heads.into_iter().map(|head| (peer.clone(), head))),
                Err(_) => silent.push(peer.clone()),
            }
        }
    }
    let (checked, findings) = store.check_chain(&held).await?;
    store.close().await;
    if output.json {
        say_json(&json!({
            "entries": checked, "findings": findings, "heads_compared": held.len(), "peers_asked": asked, "peers_silent": silent
        }))?;
    } else {
        say(format!(
            "{checked} entries checked, compared with {} heads held by {} of {asked} peers.",
            held.len(),
            asked - silent.len()
        ));
        for finding in &findings {
            say(describe(finding));
        }
        if findings.is_empty() {
            say("The chain is whole.");
        }
        if offline || held.is_empty() {
            say("No peer's head was compared: a history that was rewritten and chained anew would not show.");
        }
    }
    Ok(if findings.is_empty() { Ended::Well } else { Ended::Found })
}

/// The asking side alone, to fetch heads while the node may or may not be running.
async fn requester(home: &Home, store: &Store) -> anyhow::Result<Requester> {
    let keys = KeyStore::new(home.keys());
    let tls = TlsState {
        identity: Arc::new(ArcSwap::from_pointee(keys.tls()?)),
        roster: Arc::new(ArcSwap::from_pointee(roster_in_force(store).await?)),
        clock: Arc::new(SystemClock),
    };
    Ok(Requester {
        node: home.config.node.clone(),
        key: Arc::new(keys.signing()?),
        peers: Peers::new(tls),
        store: store.clone(),
        clock: Arc::new(SystemClock),
        draw: Box::new(|| 0), // no study and no token is made here
        timing: Timing { attempt: Duration::from_secs(10), pause: Duration::from_secs(1) },
        pseudonym: pseudonym(&keys)?,
        adopting: tokio::sync::Mutex::new(()),
    })
}

fn describe(finding: &Finding) -> String {
    match finding {
        Finding::Altered { sequence } => format!("ALTERED    entry {sequence} is not what its hash says"),
        Finding::Gap { sequence } => format!("MISSING    entries are missing before entry {sequence}"),
        Finding::Broken { sequence } => format!("BROKEN     entry {sequence} does not continue the one before it"),
        Finding::Rewritten { peer, sequence } => format!("REWRITTEN  {peer} holds another hash for entry {sequence}"),
        Finding::CutOff { peer, sequence } => {
            format!("CUT OFF    {peer} holds the head of entry {sequence}, which is gone")
        }
    }
}

/// `audit list`
async fn list(dir: &Path, filter: AuditFilter, most: u32, json: bool) -> anyhow::Result<Ended> {
    let home = Home::open(dir)?;
    let store = Store::open(&home.database()).await?;
    let entries = store.entries(&wanted(&home, &store, filter, Some(most)).await?).await?;
    store.close().await;
    if json {
        for entry in &entries {
            say(serde_json::to_string(entry)?);
        }
    } else if entries.is_empty() {
        say("No such entry.");
    } else {
        let words = Words::built_in();
        let rows: Vec<_> = entries.iter().map(|entry| line(entry, &words)).collect();
        say(columns(&["entry", "time", "what", "who", "decision and why"], &[0], &rows).trim_end());
    }
    Ok(Ended::Well)
}

/// The filter, where all that it names is known.
async fn wanted(home: &Home, store: &Store, filter: AuditFilter, most: Option<u32>) -> anyhow::Result<EntryFilter> {
    let AuditFilter { since, until, what, peer, project, subject, table, field, value } = filter;
    if let Some(name) = &what {
        known_kind(name)?;
    }
    let about = Subject { table: table.as_deref(), field: field.as_deref(), value: value.as_deref() };
    known_names::subject(&Dictionary::built_in()?, &about)?;
    known_names::asker(home, store, peer.as_ref(), project.as_deref()).await?;
    Ok(EntryFilter { since, until, what, peer, project, subject, table, field, value, most })
}

fn known_kind(name: &str) -> anyhow::Result<()> {
    if KINDS.contains(&name) {
        return Ok(());
    }
    bail!("--what: {}", unknown("kind of entry", name, KINDS))
}

/// What entries can be about.
const KINDS: [&str; 17] = [
    "started",
    "answer_given",
    "answer_held",
    "answer_reviewed",
    "review_undone",
    "answer_repeated",
    "query_refused",
    "study_asked",
    "membership_adopted",
    "snapshot_adopted",
    "policy_adopted",
    "project_proposed",
    "project_received",
    "project_decided",
    "project_withdrawn",
    "project_reopened",
    "budget_charged",
];

fn line(entry: &Entry, words: &Words) -> Vec<String> {
    let (who, decision) = told(&entry.event, words);
    vec![
        entry.sequence.to_string(),
        entry.time.format("%Y-%m-%d %H:%M:%S").to_string(),
        entry.event.what().replace('_', " "),
        who,
        decision,
    ]
}

/// Who did it, and what was decided and why.
fn told(event: &Event, words: &Words) -> (String, String) {
    let asked = |query: &str| match serde_json::from_str::<Query>(query) {
        Ok(query) => words.query(&query),
        Err(_) => query.to_owned(),
    };
    let asker = |peer: &NodeId, subject: &str, project: Option<&String>| match project {
        Some(project) => format!("{peer} {subject} in {project}"),
        None => format!("{peer} {subject}"),
    };
    let because = |reason: &str| if reason.is_empty() { String::new() } else { format!(": “{reason}”") };
    match event {
        Event::Started { policy_hash, epoch, .. } => {
            (String::new(), format!("policy {}, membership epoch {epoch}", short(policy_hash)))
        }
        Event::AnswerGiven { peer, subject, query, project, rule, why, .. } => {
            let rule = rule.as_deref().map_or("given", words::rule);
            let why = why.as_deref().map(|why| format!(" [{why}]")).unwrap_or_default();
            (asker(peer, subject, project.as_ref()), format!("{rule}: {}{why}", asked(query)))
        }
        Event::AnswerHeld { peer, subject, query, project, class, .. } => {
            (asker(peer, subject, project.as_ref()), format!("waits because of {class}: {}", asked(query)))
        }
        Event::AnswerReviewed { peer, study, released, by, reason } => {
            let what = if *released { "released" } else { "refused" };
            (by.clone(), format!("{what} the answer to study {study} of {peer}{}", because(reason)))
        }
        Event::ReviewUndone { peer, study, by, reason } => {
            (by.clone(), format!("the answer to study {study} of {peer} waits again{}", because(reason)))
        }
        Event::AnswerRepeated { peer, study } => (peer.to_string(), format!("the same answer again, study {study}")),
        Event::QueryRefused { peer, subject, problem, query, project, detail, .. } => {
            let problem = problem.rsplit(':').next().unwrap_or_default();
            let detail = detail.as_deref().map(|detail| format!(": {detail}")).unwrap_or_default();
            let query = query.as_deref().map(|query| format!(" [{}]", asked(query))).unwrap_or_default();
            (asker(peer, subject, project.as_ref()), format!("{problem}{detail}{query}"))
        }
        Event::StudyAsked { subject, study, .. } => (subject.clone(), format!("study {study}")),
        Event::MembershipAdopted { epoch } => (String::new(), format!("epoch {epoch}")),
        Event::SnapshotAdopted { snapshot } => (String::new(), short(snapshot)),
        Event::PolicyAdopted { policy_hash } => (String::new(), short(policy_hash)),
        Event::ProjectProposed { project, by, countries, .. } => {
            let countries: Vec<String> = countries.iter().map(NodeId::to_string).collect();
            (by.clone(), format!("{project} to {}", joined(&countries, "and")))
        }
        Event::ProjectReceived { project, proposer, .. } => (proposer.to_string(), project.to_string()),
        Event::ProjectDecided { project, state, by, reason, .. } => {
            (by.clone(), format!("{project} {}{}", state.name(), because(reason.as_deref().unwrap_or_default())))
        }
        Event::ProjectWithdrawn { project, by, reason } => {
            (by.clone(), format!("{project}{}", because(reason.as_deref().unwrap_or_default())))
        }
        Event::ProjectReopened { project, by, reason } => (by.clone(), format!("{project}{}", because(reason))),
        Event::BudgetCharged { project, rho, spent, node_spent } => (
            String::new(),
            format!(
                "{project} paid rho {}; it has spent {}, all together {}",
                words::rho(*rho),
                words::rho(*spent),
                words::rho(*node_spent)
            ),
        ),
    }
}

/// `audit show`
async fn show(dir: &Path, sequence: u64, json: bool) -> anyhow::Result<Ended> {
    let store = Store::open(&Home::open(dir)?.database()).await?;
    let entries = store.entries(&EntryFilter::default()).await?;
    store.close().await;
    let found = entries.iter().find(|entry| entry.sequence == sequence);
    let entry = found.with_context(|| format!("there is no entry {sequence}; the newest is {}", entries.len()))?;
    if json {
        say_json(entry)?;
        return Ok(Ended::Well);
    }
    let words = Words::built_in();
    let (who, decision) = told(&entry.event, &words);
    say(format!("Entry {sequence}: {}", entry.event.what().replace('_', " ")));
    say(format!("  {:<14} {}", "time", entry.time.to_rfc3339_opts(SecondsFormat::Millis, true)));
    if !who.is_empty() {
        say(format!("  {:<14} {who}", "who"));
    }
    say(format!("  {:<14} {decision}", "in words"));
    let value = serde_json::to_value(entry)?;
    for (name, value) in value.as_object().into_iter().flatten() {
        if ["sequence", "time", "what"].contains(&name.as_str()) {
            continue;
        }
        say(format!("  {name:<14} {}", value.as_str().map_or_else(|| value.to_string(), str::to_owned)));
    }
    say(format!("  {:<14} {}", "hash", canonical::digest(entry)?));
    Ok(Ended::Well)
}

/// `audit export`: each line is `{"entry":ENTRY,"hash":HASH}`, where HASH is that of exactly the bytes of ENTRY.
async fn export(dir: &Path, filter: AuditFilter, out: &Path, force: bool) -> anyhow::Result<Ended> {
    anyhow::ensure!(force || !out.exists(), "{}: is there already and is not replaced; add --force", out.display());
    let home = Home::open(dir)?;
    let store = Store::open(&home.database()).await?;
    let mut entries = store.entries(&wanted(&home, &store, filter, None).await?).await?;
    let (_, findings) = store.check_chain(&[]).await?;
    let head = store.head().await?;
    store.close().await;
    entries.reverse();
    durable::replace(out, &exported(&entries)?).with_context(|| out.display().to_string())?;
    say(format!("{}: {} entries, oldest first.", out.display(), entries.len()));
    say(
        "To verify: the hash of a line is the SHA-256 of its entry, byte by byte as written between {\"entry\": and ,\"hash\"",
    );
    say(
        "(canonical JSON, RFC 8785), and `previous` in an entry is the hash of the one before. Without filters nothing is missing.",
    );
    say(format!(
        "The head of the chain is {} at entry {}; peers keep the heads that came with answers.",
        head.hash, head.sequence
    ));
    for finding in &findings {
        say(describe(finding));
    }
    Ok(if findings.is_empty() { Ended::Well } else { Ended::Found })
}

fn exported(entries: &[Entry]) -> anyhow::Result<Vec<u8>> {
    let mut lines = Vec::new();
    for entry in entries {
        let bytes = canonical::bytes(entry)?;
        lines.extend_from_slice(b"{\"entry\":");
        lines.extend_from_slice(&bytes);
        lines.extend_from_slice(format!(",\"hash\":\"{}\"}}\n", Digest::of(&bytes)).as_bytes());
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        Entry {
            sequence: 7,
            previous: Digest::of(b"before"),
            time: "2026-11-21T12:00:00Z".parse().unwrap(),
            salt: None,
            event: Event::QueryRefused {
                peer: "ar".parse().unwrap(),
                subject: "r-1".to_owned(),
                study: "0000000000000000000000000000000a".parse().unwrap(),
                query_hash: Digest::of(b"query"),
                problem: "urn:alianza:problem:not-permitted".to_owned(),
                query: Some(
                    r#"{"dictionary":"1.1","by":["sex"],"table":"cases","statistic":{"kind":"count"}}"#.to_owned(),
                ),
                project: Some("ar-1".to_owned()),
                detail: Some("the field sex is not granted".to_owned()),
            },
        }
    }

    #[test]
    fn a_line_says_when_what_who_and_why() {
        assert_eq!(
            line(&entry(), &Words::built_in()),
            [
                "7",
                "2026-11-21 12:00:00",
                "query refused",
                "ar r-1 in ar-1",
                "not-permitted: the field sex is not granted [persons by sex; counts]",
            ]
        );
    }

    #[test]
    fn an_exported_line_holds_the_bytes_that_its_hash_is_of() {
        let text = String::from_utf8(exported(&[entry()]).unwrap()).unwrap();
        let line = text.strip_suffix('\n').unwrap();
        let (bytes, hash) = line.strip_prefix("{\"entry\":").unwrap().rsplit_once(",\"hash\":").unwrap();
        assert_eq!(hash, format!("\"{}\"}}", Digest::of(bytes.as_bytes())));
        let read: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(serde_json::from_value::<Entry>(read["entry"].clone()).unwrap(), entry());
    }

    #[test]
    fn every_kind_of_entry_can_be_filtered_by() {
        assert!(KINDS.contains(&entry().event.what()));
        assert!(known_kind("answer_given").is_ok());
        assert!(known_kind("answer_givn").unwrap_err().to_string().contains("there are: answer_given, "));
    }
}

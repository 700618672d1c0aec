//! `policy`: what may leave this node, in words, checked and compared.

use std::{fmt::Write as _, fs, path::Path};

use anyhow::Context;
use chrono::{DateTime, Utc};
use node_attack::target::Scale;
use node_domain::{dictionary::Dictionary, digest::Digest};
use node_policy::{
    compare::{Change, Direction, changes},
    policy::{Policy, ReviewClass},
};
use node_store::Store;
use serde_json::{Value, json};

use super::{
    render::columns::columns,
    words::{self, joined, lane_words},
};
use crate::{
    attack,
    cli::{
        Ended,
        governance::{PolicyCommand, PolicyTestArgs},
        short,
    },
    config::Home,
    operate::POLICY,
    terminal::{say, say_json},
};

/// `policy`
pub(crate) async fn run(dir: &Path, command: PolicyCommand) -> anyhow::Result<Ended> {
    match command {
        PolicyCommand::Show(output) => show(&Home::open(dir)?, output.json).await,
        PolicyCommand::Check { file, output } => {
            let path = match file {
                Some(file) => file,
                None => own_file(dir),
            };
            check(&path, output.json)
        }
        PolicyCommand::Diff { before, after, output } => {
            let (before, after) = (read(&before)?, read(&after)?);
            let changes = changes(&before, &after);
            if output.json {
                say_json(&changes.iter().map(as_json).collect::<Vec<_>>())?;
            } else if changes.is_empty() {
                say("The policies allow the same.");
            } else {
                say(table(&changes, ["before", "after"]).trim_end());
                say(format!("\n{}", verdict(&changes)));
            }
            Ok(opens(&changes))
        }
        PolicyCommand::Test(arguments) => test(dir, arguments).await,
    }
}

/// What the file says, and whether the node answers under it: it reads the file only when it starts.
async fn show(home: &Home, json: bool) -> anyhow::Result<Ended> {
    let (policy, hash) = (&home.policy, home.policy.hash()?);
    let adopted = adopted(home).await?;
    let since = adopted.filter(|(adopted, _)| *adopted == hash).map(|(_, since)| since);
    if json {
        let adopted = adopted.map(|(adopted, _)| adopted);
        say_json(&json!({ "hash": hash, "policy": policy, "in_force_since": since, "hash_in_force": adopted }))?;
    } else {
        say(describe(policy)?.trim_end());
        say(format!("\n{}", standing(hash, adopted)));
    }
    Ok(Ended::Well)
}

/// The policy that the node last adopted, and when; none where it never served.
async fn adopted(home: &Home) -> anyhow::Result<Option<(Digest, DateTime<Utc>)>> {
    if !home.database().exists() {
        return Ok(None);
    }
    let store = Store::open(&home.database()).await?;
    let adopted = store.adopted_policy().await?;
    store.close().await;
    Ok(adopted)
}

fn standing(hash: Digest, adopted: Option<(Digest, DateTime<Utc>)>) -> String {
    match adopted {
        Some((adopted, since)) if adopted == hash => {
            format!("In force since {}", since.format("%Y-%m-%d %H:%M UTC"))
        }
        Some((adopted, since)) => format!(
            "NOT IN FORCE yet: restart the node. Until then it answers under the policy {}, in force since {}",
            short(&adopted),
            since.format("%Y-%m-%d %H:%M UTC")
        ),
        None => "NOT IN FORCE yet: the node has not served with it; start it with: alianza serve".to_owned(),
    }
}

/// `policy test`
async fn test(dir: &Path, arguments: PolicyTestArgs) -> anyhow::Result<Ended> {
    let own = own_file(dir);
    let (policy, from) = match &arguments.policy {
        Some(path) => (read(path)?, path.display().to_string()),
        None if own.exists() => (read(&own)?, own.display().to_string()),
        None => (Policy::parse(POLICY)?, "the shipped policy".to_owned()),
    };
    let scale = if arguments.thorough { Scale::Thorough } else { Scale::Brief };
    let findings = attack::run(&policy, scale).await?;
    let recovered: u64 = findings.iter().map(|finding| finding.exact_recoveries).sum();
    if arguments.output.json {
        say_json(&json!({ "policy": policy, "policy_hash": policy.hash()?, "attacks": findings }))?;
    } else {
        say(format!("Attacks on a node with SYNTHETIC data under {from} ({})", policy.hash()?));
        say(attack::render(&findings).trim_end());
        say(match recovered {
            0 => "No hidden number was recovered.".to_owned(),
            _ => format!("{recovered} hidden numbers were recovered: this policy protects too little."),
        });
    }
    Ok(if recovered == 0 { Ended::Well } else { Ended::Found })
}

/// The policy of a node, also where its folder is otherwise incomplete.
fn own_file(dir: &Path) -> std::path::PathBuf {
    Home::open(dir).map_or_else(|_| dir.join("policy.toml"), |home| home.folder.join(&home.config.files.policy))
}

fn read(path: &Path) -> anyhow::Result<Policy> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    parse(&text).with_context(|| path.display().to_string())
}

/// A policy whose tables and fields there are.
fn parse(text: &str) -> anyhow::Result<Policy> {
    let policy = Policy::parse(text)?;
    policy.check_names(&Dictionary::built_in()?)?;
    Ok(policy)
}

fn check(path: &Path, as_json_too: bool) -> anyhow::Result<Ended> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let policy = match parse(&text) {
        Ok(policy) => policy,
        Err(error) if as_json_too => {
            say_json(&json!({ "valid": false, "error": error.to_string() }))?;
            return Ok(Ended::Found);
        }
        Err(error) => {
            say(format!("NOT VALID  {}: {error}", path.display()));
            return Ok(Ended::Found);
        }
    };
    let changes = changes(&Policy::parse(POLICY)?, &policy);
    if as_json_too {
        let different = changes.iter().map(as_json).collect::<Vec<_>>();
        say_json(&json!({ "valid": true, "hash": policy.hash()?, "differs_from_shipped": different }))?;
        return Ok(opens(&changes));
    }
    say(format!("VALID      {}, hash {}", path.display(), policy.hash()?));
    if policy.rehearsal {
        say("           rehearsal = true: only `alianza demo` takes it, on public or invented data");
    }
    if changes.is_empty() {
        say("It allows the same as the policy that ships.");
    } else {
        say("\nIt differs from the policy that ships\n");
        say(table(&changes, ["shipped", "here"]).trim_end());
        say(format!("\n{}", verdict(&changes)));
    }
    Ok(opens(&changes))
}

/// 1 where more leaves, or may leave.
fn opens(changes: &[Change]) -> Ended {
    let tighter = changes.iter().all(|change| change.direction == Direction::Tighter);
    if tighter { Ended::Well } else { Ended::Found }
}

fn verdict(changes: &[Change]) -> &'static str {
    let any = |direction| changes.iter().any(|change| change.direction == direction);
    if any(Direction::Looser) {
        "Looser: something leaves that did not before."
    } else if any(Direction::Other) {
        "Whether more leaves cannot be said of every change: try it with `alianza policy test --policy FILE`."
    } else {
        "Tighter: less leaves."
    }
}

fn as_json(change: &Change) -> Value {
    json!({
        "key": change.key, "before": change.before, "after": change.after, "direction": direction(change.direction)
    })
}

fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::Tighter => "tighter",
        Direction::Looser => "looser",
        Direction::Other => "other",
    }
}

fn table(changes: &[Change], names: [&str; 2]) -> String {
    let row = |change: &Change| {
        vec![change.key.clone(), text(&change.before), text(&change.after), direction(change.direction).to_owned()]
    };
    let rows: Vec<_> = changes.iter().map(row).collect();
    columns(&["key", names[0], names[1], "direction"], &[], &rows)
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    }
}

fn describe(policy: &Policy) -> anyhow::Result<String> {
    let mut text = String::new();
    let mut section = |title: &str, lines: &[String]| {
        // writing to a String cannot fail
        let _ = writeln!(text, "{title}");
        for line in lines {
            let _ = writeln!(text, "  {line}");
        }
        text.push('\n');
    };
    let named = |names: &[String], none: &str| {
        if names.is_empty() { none.to_owned() } else { joined(names, "and") }
    };
    if policy.rehearsal {
        section("REHEARSAL", &["only for public or invented data; real nodes do not start with it".to_owned()]);
    }
    let limits = policy.threshold;
    section(
        "Never shown",
        &[
            format!(
                "groups of fewer than {} persons, zero included ({} hospitals in tables about those)",
                limits.persons, limits.facilities
            ),
            format!(
                "intervals of survival curves with 1 to {} events; curves end where fewer than {} are at risk",
                limits.events - 1,
                limits.at_risk
            ),
            format!(
                "sums of which one contributor makes up more than {} %, or that tell the largest one to within {} %",
                limits.largest_percent, limits.p_percent
            ),
        ],
    );
    section(
        "Everybody in the alliance",
        &["looks up the indicators: exact, free, suppressed together when a snapshot is published".to_owned()],
    );
    let exploration = &policy.exploration;
    let mut lines = Vec::new();
    if exploration.statistics.is_empty() || exploration.tables.is_empty() {
        lines.push("nothing".to_owned());
    } else {
        lines.push(format!(
            "{} on {}; fields: {}",
            named(&exploration.statistics, "nothing"),
            named(&exploration.tables, "nothing"),
            named(&exploration.fields, "all that the dictionary lets be queried")
        ));
        lines.push(format!("groups of fewer than {} persons are not shown", exploration.persons));
        lines.extend(lane_words(exploration.lane, None).into_iter().take(1));
    }
    section("Any researcher, outside projects", &lines);
    section(
        "Projects",
        &[
            "what a steward granted them, never more than they proposed; `alianza project list`".to_owned(),
            format!(
                "groups of fewer than {} persons are not shown, or of more where the grant says so",
                limits.persons
            ),
            format!("exact answers, where granted: until {} cells of a snapshot are shown exactly", policy.exact.cells),
            format!(
                "private budgets, where granted: at most rho = {} for one project, {} for all; no threshold, only noise",
                policy.privacy.project_rho, policy.privacy.node_rho
            ),
            format!(
                "models: {} events and {} persons per parameter, coefficients up to {}, {} models",
                policy.models.events_per_parameter,
                policy.models.persons_per_parameter,
                policy.models.coefficient,
                policy.models.per_project
            ),
        ],
    );
    section(
        "Noise of ad hoc answers",
        &[format!(
            "standard deviation {:.1}, at most {} from the true number; the same persons always have the same noise",
            policy.noise.variance.sqrt(),
            policy.noise.bound
        )],
    );
    let quota = policy.quota;
    section(
        "How often",
        &[
            format!(
                "a researcher: {} in a minute, {} in a week",
                quota.researcher_per_minute, quota.researcher_per_week
            ),
            format!("a project: {} in a week; a peer: {} in a week", quota.project_per_week, quota.peer_per_week),
            format!(
                "different queries answered with noise in three months, whoever asks: {}",
                quota.different_per_quarter
            ),
            format!(
                "one query: up to {} cells, {} conditions, {} fields",
                policy.size.cells, policy.size.conditions, policy.size.fields
            ),
        ],
    );
    let mut classes: Vec<String> = policy.review.iter().map(review_class).collect();
    if classes.is_empty() {
        classes.push("nothing".to_owned());
    }
    section("Waits for a steward", &classes);
    for (name, rules) in &policy.project {
        let mut lines = Vec::new();
        if rules.closed {
            lines.push("closed: nothing is answered any more".to_owned());
        }
        if rules.review {
            lines.push("every answer waits for a steward".to_owned());
        }
        lines.extend(rules.persons.map(|persons| format!("groups of fewer than {persons} persons are not shown")));
        lines.extend(rules.per_week.map(|most| format!("{most} questions in a week")));
        section(&format!("Project {name}, tighter than its grant"), &lines);
    }
    section("Hash of the policy, which every answer names", &[policy.hash()?.to_string()]);
    Ok(text)
}

fn review_class(class: &ReviewClass) -> String {
    let mut parts = Vec::new();
    parts.extend(class.way.map(|way| format!("whose numbers leave {}", words::rule(way.name()))));
    parts.extend(class.statistic.as_ref().map(|name| format!("with the statistic {name}")));
    parts.extend(class.table.as_ref().map(|name| format!("about the table {name}")));
    if parts.is_empty() { "every answer".to_owned() } else { format!("answers {}", joined(&parts, "and")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_policy_is_told_in_words() {
        let text = describe(&Policy::parse(POLICY).unwrap()).unwrap();
        for said in [
            "groups of fewer than 5 persons, zero included (3 hospitals",
            "with 1 to 2 events; curves end where fewer than 10 are at risk",
            "count on cases; fields: all that the dictionary lets be queried",
            "groups of fewer than 10 persons are not shown",
            "from the true number; the same persons always have the same noise",
            "a researcher: 3 in a minute, 50 in a week",
            "answers whose numbers leave exact",
        ] {
            assert!(text.contains(said), "{said}: {text}");
        }
    }

    #[test]
    fn a_policy_is_in_force_where_the_node_last_adopted_it() {
        let (file, other) = (Digest::of(b"file"), Digest::of(b"other"));
        let since: DateTime<Utc> = "2026-11-21T12:00:00Z".parse().unwrap();
        assert_eq!(standing(file, Some((file, since))), "In force since 2026-11-21 12:00 UTC");
        assert!(standing(file, Some((other, since))).starts_with("NOT IN FORCE yet: restart the node"));
        assert!(standing(file, None).starts_with("NOT IN FORCE yet: the node has not served"));
    }

    #[test]
    fn what_may_open_something_is_told_by_word_and_exit_code() {
        let shipped = Policy::parse(POLICY).unwrap();
        let told = |from: &str, to: &str| {
            let changes = changes(&shipped, &Policy::parse(&POLICY.replacen(from, to, 1)).unwrap());
            (verdict(&changes).split([':', ' ']).next().unwrap_or_default(), matches!(opens(&changes), Ended::Found))
        };
        assert_eq!(told("persons = 5", "persons = 6"), ("Tighter", false));
        assert_eq!(told("statistics = [\"count\"]", "statistics = [\"mean\"]"), ("Looser", true));
        assert_eq!(told("bound = 15", "bound = 18"), ("Whether", true));
    }

    #[test]
    fn differences_name_key_values_and_direction() {
        let shipped = Policy::parse(POLICY).unwrap();
        let tighter = Policy::parse(&POLICY.replacen("persons = 5", "persons = 6", 1)).unwrap();
        assert_eq!(
            table(&changes(&shipped, &tighter), ["before", "after"]),
            "key                before  after  direction\nthreshold.persons  5       6      tighter\n"
        );
    }
}

//! Attacks that need more than one tier, one lane or one snapshot, on real nodes; the suite itself runs in `alianza policy test`.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use node_policy::role::Role;
use node_protocol::{
    answer::{Answer, CountAnswer, CountCell},
    canonical,
    cell::{Cell, Withheld},
    envelope::{AnswerRequest, CatalogueEntry},
    problem::Problem,
    project::{Lane, Project, Terms},
    query::Query,
    study::StudyId,
};
use node_requester::study::Asker;
use node_responder::stewardship::Steward;
use node_server::operate::{self, POLICY};
use node_store::audit::entries::EntryFilter;
use node_synthetic::{Plan as Synthetic, country, write};
use node_tests::{Federation, Plan, beginning, wilms};
use tracing_subscriber::util::SubscriberInitExt;

use crate::identity::Forger;

const STEWARD: Steward<'_> = Steward { name: "Eva", role: Role::Steward };

async fn two(policy: &str) -> Federation {
    let data = Some(wilms().join("unequal"));
    Federation::start(Plan { nodes: &["mx", "ar"], data, policy: policy.to_owned() }).await.unwrap()
}

async fn granted(federation: &Federation, name: &str, lane: Lane) {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    let now = federation.clock_now();
    let terms = Terms {
        tables: names(&["cases"]),
        statistics: names(&["count", "survival"]),
        fields: names(&["stage", "sex", "age_band", "age_years", "event_free"]),
        lane,
        privacy: None,
        persons: None,
        expires: now.date_naive() + TimeDelta::days(100),
    };
    let project = Project {
        project: name.parse().unwrap(),
        proposer: "mx".parse().unwrap(),
        title: "Attack".into(),
        purpose: "Learn what is hidden".into(),
        lead: "nobody".into(),
        countries: ["ar".parse().unwrap()].into(),
        terms,
        proposed: now,
    };
    federation.node("mx").requester.propose(project.clone(), "Ana").await.unwrap();
    federation.node("ar").responder.approve_project(STEWARD, &project.project, None, None).await.unwrap();
}

async fn ask(federation: &Federation, who: &str, project: Option<&str>, question: &str) -> Result<Answer, Problem> {
    let project = project.map(|project| format!("\"project\":\"{project}\",")).unwrap_or_default();
    let json = format!("{{\"dictionary\":\"1.1\",{project}\"table\":\"cases\",{question}}}");
    let query = Query::parse(json.as_bytes()).unwrap();
    let asker = Asker { subject: who.to_owned(), role: "researcher".to_owned() };
    let requester = &federation.node("mx").requester;
    let study = requester.begin(asker, query, &["ar".parse().unwrap()], TimeDelta::hours(1)).await.unwrap();
    requester.round(&study).await.unwrap();
    let node = requester.study(&study).await.unwrap().nodes.remove(0);
    node.answer.ok_or_else(|| node.problem.unwrap())
}

fn counts(answer: Result<Answer, Problem>) -> CountAnswer {
    match answer.unwrap() {
        Answer::Count(answer) => answer,
        _ => unreachable!("counts were asked for"),
    }
}

const BY_STAGE_AND_SEX: &str = r#""by":["stage","sex"],"statistic":{"kind":"count"}"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_set_has_one_number_in_every_tier_for_everybody() {
    let federation = two(POLICY).await;
    granted(&federation, "mx-2026-001", Lane::Perturbed).await;
    let open = counts(ask(&federation, "Ana", None, BY_STAGE_AND_SEX).await);
    let inside = counts(ask(&federation, "Leo", Some("mx-2026-001"), BY_STAGE_AND_SEX).await);
    let mut both = 0;
    for (open, inside) in open.cells.iter().zip(&inside.cells) {
        assert_eq!(open.group, inside.group);
        if let (Some(left), Some(right)) = (open.persons.shown(), inside.persons.shown()) {
            assert_eq!(left, right, "two noises of one set could be averaged");
            both += 1;
        }
        assert!(inside.persons.shown().is_some() || open.persons.shown().is_none(), "the tighter tier shows no more");
    }
    assert!(both > 0, "something is shown in both");
    // the survival answer counts the same set: the same number again
    let survival = r#""by":["stage"],"statistic":{"kind":"survival","endpoint":"event_free","cuts_months":[60]}"#;
    let Ok(Answer::Survival(curves)) = ask(&federation, "Leo", Some("mx-2026-001"), survival).await else {
        panic!("survival was granted")
    };
    let by_stage =
        counts(ask(&federation, "Leo", Some("mx-2026-001"), r#""by":["stage"],"statistic":{"kind":"count"}"#).await);
    for (curve, cell) in curves.groups.iter().zip(&by_stage.cells) {
        assert_eq!(curve.persons, cell.persons, "{:?}", curve.group);
        assert!(curve.boundaries.survival.iter().all(|s| (0.0..=1.0).contains(s)));
    }
    federation.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_tells_an_empty_set_from_a_small_one() {
    let federation = two(POLICY).await;
    granted(&federation, "mx-2026-001", Lane::Perturbed).await;
    // ages that nobody has, and one that very few have
    let by_age = |age: u32| {
        format!(r#""where":[{{"field":"age_years","between":[{age},{age}]}}],"statistic":{{"kind":"count"}}"#)
    };
    let mut bodies = BTreeSet::new();
    let mut truths = BTreeSet::new();
    for age in (12..20).chain([60, 90]).filter(|age| exactly(&federation, *age) < 5) {
        federation.clock.advance(TimeDelta::minutes(2));
        for project in [None, Some("mx-2026-001")] {
            let answer = counts(ask(&federation, &format!("{age}{project:?}"), project, &by_age(age)).await);
            truths.insert(exactly(&federation, age));
            bodies.insert((project, serde_json::to_string(&answer.cells).unwrap()));
        }
    }
    assert!(truths.contains(&0) && truths.iter().any(|truth| (1..5).contains(truth)), "{truths:?}");
    assert_eq!(bodies.len(), 2, "one body in each tier: {bodies:?}");
    federation.stop().await;
}

/// Everything that is seen of an answer from without and in the node's own books, but for what names the study and the moment.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Seen {
    status: u16,
    headers: Vec<(String, String)>,
    statement: String,
    length: usize,
    log: Vec<String>,
    books: Vec<String>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_header_log_line_or_entry_tells_an_empty_set_from_a_small_one() {
    let log = log_lines();
    let federation = two(POLICY).await;
    granted(&federation, "mx-2026-001", Lane::Perturbed).await;
    granted(&federation, "mx-2026-002", Lane::Exact).await;
    let ages: Vec<u32> = (12..20).chain([60, 90]).filter(|age| exactly(&federation, *age) < 5).collect();
    let truths: BTreeSet<usize> = ages.iter().map(|age| exactly(&federation, *age)).collect();
    assert!(truths.contains(&0) && truths.iter().any(|truth| (1..5).contains(truth)), "{truths:?}");
    for project in [None, Some("mx-2026-001"), Some("mx-2026-002")] {
        let mut seen = BTreeSet::new();
        for age in &ages {
            federation.clock.advance(TimeDelta::minutes(2));
            seen.insert(look_at(&federation, &log, project, *age).await);
        }
        assert_eq!(seen.len(), 1, "{project:?}: {seen:#?}");
    }
    federation.stop().await;
}

async fn look_at(federation: &Federation, log: &LogLines, project: Option<&str>, age: u32) -> Seen {
    let named = project.map(|project| format!("\"project\":\"{project}\",")).unwrap_or_default();
    let json = format!(
        r#"{{"dictionary":"1.1",{named}"table":"cases","where":[{{"field":"age_years","between":[{age},{age}]}}],"statistic":{{"kind":"count"}}}}"#
    );
    let mut forger = Forger::flawless(federation);
    let mark = u128::from(age) * 10 + project.map_or(0, |name| u128::from(name.ends_with('2')) + 1);
    let study = StudyId::from_random(1_000 + mark);
    forger.request = AnswerRequest { study: study.clone(), query: Query::parse(json.as_bytes()).unwrap() };
    forger.claims.study = study.clone();
    forger.claims.query_hash = canonical::digest(&forger.request.query).unwrap();
    forger.claims.sub = format!("{mark}");
    forger.claims.jti = format!("{mark}");
    let store = &federation.node("ar").responder.store;
    let newest = store.entries(&EntryFilter::default()).await.unwrap().iter().map(|entry| entry.sequence).max();
    let response = forger.response(federation).await;
    let status = response.status().as_u16();
    let headers = response.headers().iter().filter(|(name, _)| !["date", "content-length"].contains(&name.as_str()));
    let headers = headers.map(|(name, value)| (name.to_string(), format!("{value:?}"))).collect();
    let body = response.text().await.unwrap();
    let (statement, length) = match body.split('.').nth(1) {
        Some(payload) if status == 200 => {
            let payload = URL_SAFE_NO_PAD.decode(payload).unwrap();
            let mut statement: serde_json::Value = serde_json::from_slice(&payload).unwrap();
            for what in ["study", "query_hash", "audit_head", "issued"] {
                statement[what] = serde_json::Value::Null;
            }
            (statement.to_string(), 0)
        }
        _ => (body.clone(), body.len()),
    };
    let books = store.entries(&EntryFilter::default()).await.unwrap();
    let since = books.iter().filter(|entry| Some(entry.sequence) > newest);
    let books = since.map(|entry| entry.event.what().to_owned()).collect();
    Seen { status, headers, statement, length, log: log.about(&study), books }
}

/// The log of all nodes of this process.
#[derive(Clone, Default)]
struct LogLines(Arc<Mutex<Vec<u8>>>);

impl LogLines {
    /// What is said about a study at the answering node, without the moment, the study and how long it took.
    fn about(&self, study: &StudyId) -> Vec<String> {
        let log = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let lines = log.lines().filter(|line| line.contains(study.as_str())).map(|line| {
            let mut line: serde_json::Value = serde_json::from_str(line).unwrap();
            line["timestamp"] = serde_json::Value::Null;
            line["fields"]["study.id"] = serde_json::Value::Null;
            assert!(line["fields"]["duration_ms"].take().is_number(), "how long it took is told");
            line.to_string()
        });
        let lines: Vec<String> = lines.collect();
        assert_eq!(lines.len(), 1, "an answer is logged once: {lines:?}");
        lines
    }
}

impl std::io::Write for LogLines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Gathers what is logged in this process from now on, at the finest level that the nodes have.
fn log_lines() -> LogLines {
    let lines = LogLines::default();
    let writer = lines.clone();
    let filter = "node_server=trace,node_responder=trace,node_store=trace,node_disclosure=trace,node_engine=trace";
    let subscriber =
        tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(move || writer.clone()).finish();
    subscriber.try_init().unwrap();
    lines
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tighter_policy_shows_no_more_of_the_same_snapshot_and_later_ones_are_published() {
    let files = tempfile::tempdir().unwrap();
    let made = |name: &str, seed: u64| {
        let registry = country(&Synthetic::new(seed, beginning().date_naive()), &name.to_uppercase()).unwrap();
        write::to_folder(&registry, &files.path().join(name)).unwrap();
    };
    made("uy", 1);
    made("hn", 2);
    let plan = Plan { nodes: &["uy"], data: Some(files.path().to_owned()), policy: POLICY.to_owned() };
    let mut federation = Federation::start(plan).await.unwrap();
    let catalogue = |federation: &Federation| -> Vec<CatalogueEntry> {
        federation.node("uy").responder.published.load_full().unwrap().catalogue.entries().to_vec()
    };
    let before = catalogue(&federation);
    federation.stop_node("uy").await;
    let tighter = POLICY
        .replace("persons = 5\n", "persons = 8\n")
        .replace("events = 3\n", "events = 4\n")
        .replace("at_risk = 10\n", "at_risk = 15\n");
    assert_ne!(POLICY, tighter);
    federation.set_policy("uy", &tighter).unwrap();
    federation.start_node("uy").await.unwrap();
    let after = catalogue(&federation);
    assert_eq!(before.len(), after.len());
    let (mut shown, mut hidden) = (0, 0);
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before.indicator, after.indicator);
        if let (Answer::Survival(before), Answer::Survival(after)) = (&before.answer, &after.answer) {
            for (before, after) in before.groups.iter().zip(&after.groups) {
                assert!(after.boundaries.months.iter().all(|month| before.boundaries.months.contains(month)));
            }
            continue;
        }
        for (before, after) in before.answer.cells().into_iter().zip(after.answer.cells()) {
            match after.exact() {
                Some(_) => assert_eq!(before, after),
                None => hidden += usize::from(before.exact().is_some()),
            }
            shown += usize::from(after.exact().is_some());
        }
    }
    assert!(shown > 0 && hidden > 0, "{shown} shown, {hidden} hidden that were shown before");
    // and a new snapshot is published under it, beside what both policies let out
    let home = federation.home("uy");
    node_tests::load(home, &files.path().join("hn")).unwrap();
    operate::publish(home, "test", beginning()).unwrap();
    federation.node("uy").look_around().await.unwrap();
    assert_ne!(catalogue(&federation), after);
    federation.stop().await;
}

/// How many children of an age there are at `ar`: the file says it.
fn exactly(federation: &Federation, age: u32) -> usize {
    let published = federation.node("ar").responder.published.load_full().unwrap();
    let cases = published.snapshot.table("cases").unwrap();
    match cases.column("age_years") {
        Some(node_snapshot::columns::Column::Numbers(ages)) => {
            ages.iter().filter(|one| u32::from(**one) == age).count()
        }
        _ => unreachable!("ages are numbers"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_hardly_changed_keeps_its_number_and_marks_tell_nothing_of_where() {
    let federation = two(POLICY).await;
    let size = r#""where":[{"field":"stage","in":["1","2"]}],"statistic":{"kind":"count"}"#;
    let cell = |answer: &CountAnswer| -> CountCell { answer.cells[0].clone() };
    let before = counts(ask(&federation, "Ana", None, size).await);
    let open_before = counts(ask(&federation, "Ana", None, BY_STAGE_AND_SEX).await);
    // three children more, of a country that has only three
    let home = federation.home("ar");
    node_tests::load(home, &wilms().join("unequal/py")).unwrap();
    operate::publish(home, "test", beginning()).unwrap();
    federation.node("ar").look_around().await.unwrap();
    let after = counts(ask(&federation, "Ana", None, size).await);
    assert_eq!(cell(&before).persons, cell(&after).persons, "the difference would be the three");
    assert!(cell(&after).as_of.is_some() && cell(&before).as_of.is_none(), "{before:?} {after:?}");
    // nor does the same question in other words get new noise, though it was never asked before
    let all =
        r#""where":[{"any":[{"field":"stage","in":["2"]},{"field":"stage","in":["1"]}]}],"statistic":{"kind":"count"}"#;
    let respelled = counts(ask(&federation, "Bo", None, all).await);
    assert_eq!((cell(&respelled).persons, cell(&respelled).as_of), (cell(&after).persons, cell(&after).as_of));
    let open_after = counts(ask(&federation, "Leo", None, BY_STAGE_AND_SEX).await);
    for (before, after) in open_before.cells.iter().zip(&open_after.cells) {
        assert_eq!(before.persons, after.persons);
        assert_eq!(after.as_of.is_some(), after.persons.shown().is_some(), "changed or not, it is marked");
    }
    federation.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_a_steward_does_not_leave_in_another_lane() {
    let policy = format!("{POLICY}\n[[review]]\ntable = \"cases\"\nstatistic = \"count\"\nway = \"perturbed\"\n");
    let federation = two(&policy).await;
    granted(&federation, "mx-2026-001", Lane::Perturbed).await;
    let waits = ask(&federation, "Ana", Some("mx-2026-001"), BY_STAGE_AND_SEX).await.unwrap_err();
    assert_eq!(waits.kind, node_protocol::problem::ProblemKind::ReviewPending);
    let home = federation.home("ar");
    node_tests::load(home, &wilms().join("unequal/py")).unwrap();
    operate::publish(home, "test", beginning()).unwrap();
    federation.node("ar").look_around().await.unwrap();
    let again = ask(&federation, "Leo", None, BY_STAGE_AND_SEX).await.unwrap_err();
    assert_eq!(again.kind, node_protocol::problem::ProblemKind::ReviewPending, "exploration waits here too");
    let held = federation.node("ar").responder.store.held_answers(None).await.unwrap();
    assert_eq!(held.len(), 2);
    federation.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exact_answers_never_tell_a_hidden_number_together_with_the_catalogue() {
    // the attacker's steward releases everything: the audit alone protects
    let policy = POLICY.replace("[[review]]\nway = \"exact\"\n", "");
    let federation = two(&policy).await;
    granted(&federation, "mx-2026-001", Lane::Exact).await;
    let total = counts(ask(&federation, "Ana", None, r#""statistic":{"kind":"count"}"#).await);
    let total = total.cells[0].persons.exact();
    let mut shown = 0;
    for (at, by) in ["\"sex\"", "\"stage\"", "\"age_band\"", "\"stage\",\"sex\""].into_iter().enumerate() {
        let question = format!(r#""by":[{by}],"statistic":{{"kind":"count"}}"#);
        let who = format!("person {at}");
        let Ok(answer) = ask(&federation, &who, Some("mx-2026-001"), &question).await else { continue };
        let answer = counts(Ok(answer));
        let sum: u64 = answer.cells.iter().filter_map(|cell| cell.persons.exact()).sum();
        let hidden = answer.cells.iter().filter(|cell| cell.persons.exact().is_none()).count();
        shown += answer.cells.len() - hidden;
        let alike = Cell::Refused { reason: Withheld::Unspecified };
        assert!(answer.cells.iter().all(|cell| cell.persons.exact().is_some() || cell.persons == alike));
        if let Some(total) = total.filter(|_| hidden > 0) {
            // what is left for the hidden cells must not pin a small one
            assert!(hidden > 1, "{by}: the total less the rest is the one hidden cell");
            assert!(total - sum >= 5, "{by}: the hidden cells are told to be empty or few");
        }
        // the same question has the same answer
        let again = counts(ask(&federation, &format!("{who} again"), Some("mx-2026-001"), &question).await);
        assert_eq!(again.cells, answer.cells);
    }
    assert!(shown > 0, "exact answers show something");
    federation.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_exact_answer_tells_by_subtraction_that_nobody_is_left() {
    let policy = POLICY.replace("[[review]]\nway = \"exact\"\n", "");
    let federation = two(&policy).await;
    granted(&federation, "mx-2026-001", Lane::Exact).await;
    let total = counts(ask(&federation, "Ana", None, r#""statistic":{"kind":"count"}"#).await);
    let mut numbers: Vec<u64> = total.cells[0].persons.exact().into_iter().collect();
    let (mut empty, mut small) = (0, 0);
    for age in [1, 3, 5, 7, 9, 11, 13, 15, 17, 19] {
        federation.clock.advance(TimeDelta::minutes(2));
        let older: usize = (age + 1..100).map(|age| exactly(&federation, age)).sum();
        let up_to = format!(
            r#""where":[{{"any":[{{"field":"age_years","between":[0,{age}]}},{{"field":"age_years","is_missing":true}}]}}],"statistic":{{"kind":"count"}}"#
        );
        let answer = ask(&federation, &format!("up to {age}"), Some("mx-2026-001"), &up_to).await;
        let number = answer.ok().and_then(|answer| counts(Ok(answer)).cells[0].persons.exact());
        (empty, small) = (empty + usize::from(older == 0), small + usize::from((1..5).contains(&older)));
        numbers.extend(number);
    }
    numbers.sort_unstable();
    for pair in numbers.windows(2) {
        assert!(pair[1] - pair[0] >= 5, "{} children are between two sets: {numbers:?}", pair[1] - pair[0]);
    }
    assert!(empty > 0 && small > 0 && numbers.len() > 3, "{empty} empty, {small} small, {numbers:?}");
    federation.stop().await;
}

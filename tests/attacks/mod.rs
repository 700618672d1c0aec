//! Attacks that need more than one tier, one lane or one snapshot, on real nodes; the suite itself runs in `alianza policy test`.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use node_policy::role::Role;
use node_protocol::{
    answer::{Answer, CountAnswer, CountCell},
    cell::Cell,
    problem::Problem,
    project::{Lane, Project, Terms},
    query::Query,
};
use node_requester::study::Asker;
use node_responder::stewardship::Steward;
use node_server::operate::{self, POLICY};
use node_tests::{Federation, Plan, beginning, wilms};

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
    let size = r#""statistic":{"kind":"count"}"#;
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
    assert!(cell(&after).as_of.is_some() && cell(&before).as_of.is_none());
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
    for answer in held.iter().filter_map(|held| held.answer.as_ref()) {
        assert!(!answer.keeps_earlier(), "numbers that are not out are not told on");
    }
    federation.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exact_answers_never_tell_a_hidden_number_together_with_the_catalogue() {
    // the attacker's steward releases everything: the audit alone protects
    let policy = POLICY.replace("[[review]]\nway = \"exact\"\n", "");
    let federation = two(&policy).await;
    granted(&federation, "mx-2026-001", Lane::Exact).await;
    let total = counts(ask(&federation, "Ana", None, r#""statistic":{"kind":"count"}"#).await);
    let total = total.cells[0].persons.exact().unwrap();
    let mut shown = 0;
    for (at, by) in ["\"sex\"", "\"stage\"", "\"age_band\"", "\"stage\",\"sex\""].into_iter().enumerate() {
        let question = format!(r#""by":[{by}],"statistic":{{"kind":"count"}}"#);
        let who = format!("person {at}");
        let Ok(answer) = ask(&federation, &who, Some("mx-2026-001"), &question).await else { continue };
        let answer = counts(Ok(answer));
        let sum: u64 = answer.cells.iter().filter_map(|cell| cell.persons.exact()).sum();
        let hidden = answer.cells.iter().filter(|cell| cell.persons.exact().is_none()).count();
        shown += answer.cells.len() - hidden;
        let banded = answer.cells.iter().filter(|cell| matches!(cell.persons, Cell::Banded { .. })).count();
        // what is left for the hidden cells must not pin a small one
        assert!(banded == 0 || hidden > 1, "{by}: the total less the rest is the one hidden cell");
        assert!(banded == 0 || total - sum != 0, "{by}: the hidden cells are told to be empty");
        // the same question has the same answer
        let again = counts(ask(&federation, &format!("{who} again"), Some("mx-2026-001"), &question).await);
        assert_eq!(again.cells, answer.cells);
    }
    assert!(shown > 0, "exact answers show something");
    federation.stop().await;
}

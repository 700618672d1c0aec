//! Projects from proposal to withdrawal, answers that wait for a steward, quotas and budgets, over real nodes.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use node_policy::role::Role;
use node_protocol::{
    answer::Answer,
    cell::Cell,
    problem::{Problem, ProblemKind},
    project::{Lane, PrivacyTerms, Project, ProjectId, ProjectState, Terms},
    query::Query,
    release::{Mechanism, Release},
    study::{Status, Study},
};
use node_requester::study::Asker;
use node_responder::stewardship::Steward;
use node_server::operate::POLICY;
use node_store::audit::{Event, entries::EntryFilter};
use node_tests::{Federation, Plan, wilms};

use crate::COUNT;

const STEWARD: Steward<'_> = Steward { name: "Eva", role: Role::Steward };

async fn two(policy: &str) -> Federation {
    let nodes = &["mx", "ar"];
    let data = Some(wilms().join("unequal"));
    Federation::start(Plan { nodes, data, policy: policy.to_owned() }).await.unwrap()
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn project(federation: &Federation, name: &str, lane: Lane) -> Project {
    let now = federation.clock_now();
    let privacy = PrivacyTerms { mechanism: Mechanism::Gaussian, rho: 0.1, rho_per_answer: 0.05 };
    Project {
        project: name.parse().unwrap(),
        proposer: "mx".parse().unwrap(),
        title: "Wilms tumour by stage".into(),
        purpose: "Compare survival by stage".into(),
        lead: "A. Pérez".into(),
        countries: ["ar".parse().unwrap()].into(),
        terms: Terms {
            tables: names(&["cases"]),
            statistics: names(&["count", "survival", "histogram", "mean"]),
            fields: names(&["stage", "sex", "event_free", "age_years"]),
            lane,
            privacy: (lane == Lane::DifferentiallyPrivate).then_some(privacy),
            persons: None,
            expires: now.date_naive() + TimeDelta::days(100),
        },
        proposed: now,
    }
}

async fn propose(federation: &Federation, project: &Project) -> ProjectState {
    let says = federation.node("mx").requester.propose(project.clone(), "Ana").await.unwrap();
    says[0].status.as_ref().unwrap().state
}

async fn state(federation: &Federation, id: &ProjectId) -> (ProjectState, Option<String>) {
    let says = federation.node("mx").requester.follow_project(id).await.unwrap();
    let status = says[0].status.clone().unwrap();
    (status.state, status.reason)
}

fn by_stage(project: &str, statistic: &str) -> String {
    format!(r#"{{"dictionary":"1.1","project":"{project}","table":"cases","by":["stage"],"statistic":{statistic}}}"#)
}

/// Asks only `ar`, as `who`.
async fn ask_as(federation: &Federation, who: &str, query: &str) -> Result<Answer, Problem> {
    let query = Query::parse(query.as_bytes()).unwrap();
    let asker = Asker { subject: who.to_owned(), role: "researcher".to_owned() };
    let requester = &federation.node("mx").requester;
    let study = requester.begin(asker, query, &["ar".parse().unwrap()], TimeDelta::hours(1)).await.unwrap();
    requester.round(&study).await.unwrap();
    let node = requester.study(&study).await.unwrap().nodes.remove(0);
    node.answer.ok_or_else(|| node.problem.unwrap())
}

/// Why `ar` answers nothing under the project of a query.
async fn why_not(federation: &Federation, query: &str) -> String {
    let problem = ask_as(federation, "Ana", query).await.unwrap_err();
    assert_eq!(problem.kind, ProblemKind::ProjectNotApproved);
    problem.detail
}

async fn refusal(federation: &Federation, query: &str) -> ProblemKind {
    ask_as(federation, "Ana", query).await.unwrap_err().kind
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_goes_from_proposal_to_grant_to_withdrawal_and_each_step_takes_effect_at_once() {
    let federation = two(POLICY).await;
    let mut proposed = project(&federation, "mx-2026-001", Lane::Perturbed);
    let id = proposed.project.clone();
    let count = by_stage("mx-2026-001", r#"{"kind":"count"}"#);
    assert_eq!(propose(&federation, &proposed).await, ProjectState::Pending);
    assert!(why_not(&federation, &count).await.contains("not decided yet"));

    let ar = &federation.node("ar").responder;
    let researcher = Steward { name: "Leo", role: Role::Researcher };
    assert_eq!(ar.approve_project(researcher, &id, None, None).await.unwrap_err().kind, ProblemKind::RoleForbidden);
    // narrower than proposed, never wider
    let narrow = Terms { statistics: names(&["count"]), ..proposed.terms.clone() };
    let wide = Terms { fields: names(&["stage", "region"]), ..proposed.terms.clone() };
    let refused = ar.approve_project(STEWARD, &id, Some(wide), None).await.unwrap_err();
    assert_eq!((refused.kind, refused.field.as_deref()), (ProblemKind::ProjectInvalid, Some("terms.fields")));
    assert!(refused.detail.contains("`region`"), "{}", refused.detail);
    // a threshold below the node's own would not hold
    let low = Terms { persons: Some(2), ..proposed.terms.clone() };
    let refused = ar.approve_project(STEWARD, &id, Some(low), None).await.unwrap_err();
    assert_eq!((refused.kind, refused.field.as_deref()), (ProblemKind::ProjectInvalid, Some("terms.persons")));
    ar.approve_project(STEWARD, &id, Some(narrow), Some("counts suffice".into())).await.unwrap();
    assert_eq!(state(&federation, &id).await, (ProjectState::Narrowed, Some("counts suffice".into())));
    let answer = ask_as(&federation, "Ana", &count).await.unwrap();
    assert!(matches!(answer.release(), Release::Perturbed { .. }));
    let survival = by_stage("mx-2026-001", r#"{"kind":"survival","endpoint":"event_free","cuts_months":[60]}"#);
    assert_eq!(refusal(&federation, &survival).await, ProblemKind::NotPermitted);
    // only its proposer asks under it; of a project that there is not nothing is told
    let unknown = why_not(&federation, &count.replace("mx-2026-001", "mx-2026-002")).await;
    assert_eq!(unknown, "ask the node's steward to approve it");

    // the proposer remembers what was said, without asking again
    let heard = federation.node("mx").requester.heard_of_project(&proposed).await.unwrap();
    assert_eq!(heard[0].status.as_ref().map(|status| status.state), Some(ProjectState::Narrowed));

    // a decision is undone, and made anew
    ar.reopen_project(STEWARD, &id, "looking again".into()).await.unwrap();
    assert_eq!(state(&federation, &id).await, (ProjectState::Pending, Some("looking again".into())));
    assert!(why_not(&federation, &count.replace("stage", "sex")).await.contains("looking again"));
    ar.approve_project(STEWARD, &id, None, None).await.unwrap();
    assert_eq!(state(&federation, &id).await.0, ProjectState::Approved);
    assert!(ask_as(&federation, "Ana", &count.replace("stage", "sex")).await.is_ok());
    // the same name with another content is refused, here and there
    proposed.purpose = "Something else".into();
    let error = federation.node("mx").requester.propose(proposed.clone(), "Ana").await.unwrap_err();
    assert!(error.to_string().contains("another"), "{error}");

    // the proposer takes it back; later it could have expired
    federation.node("mx").requester.take_back(&id, "Ana", "done").await.unwrap();
    assert_eq!(state(&federation, &id).await, (ProjectState::Withdrawn, Some("done".into())));
    let again = count.replace("\"by\":[\"stage\"]", "\"by\":[\"stage\",\"sex\"]");
    assert!(why_not(&federation, &again).await.contains("took it back"));

    // every step is in the audit, and who took it
    let entries =
        ar.store.entries(&EntryFilter { project: Some(id.to_string()), ..EntryFilter::default() }).await.unwrap();
    let whats: Vec<&str> = entries.iter().rev().map(|entry| entry.event.what()).collect();
    let steps = ["project_received", "project_decided", "project_reopened", "project_decided", "project_withdrawn"];
    let decisions: Vec<&str> = whats.iter().copied().filter(|what| what.starts_with("project_")).collect();
    assert_eq!(decisions, steps);
    assert!(entries.iter().any(|entry| matches!(&entry.event, Event::ProjectDecided { by, .. } if by == "Eva")));
    assert_eq!(ar.store.check_chain(&[]).await.unwrap().1, []);
    federation.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grant_expires_by_itself_and_a_node_that_was_away_hears_of_a_project_later() {
    let mut federation = two(POLICY).await;
    let proposed = project(&federation, "mx-2026-001", Lane::Perturbed);
    let id = proposed.project.clone();
    federation.stop_node("ar").await;
    let says = federation.node("mx").requester.propose(proposed, "Ana").await.unwrap();
    assert_eq!(says[0].problem.as_ref().map(|problem| problem.kind), Some(ProblemKind::PeerUnreachable));
    federation.start_node("ar").await.unwrap();
    federation.node("mx").requester.follow_projects().await;
    federation.node("ar").responder.approve_project(STEWARD, &id, None, None).await.unwrap();
    assert_eq!(state(&federation, &id).await.0, ProjectState::Approved);
    federation.clock.advance(TimeDelta::days(101));
    assert_eq!(state(&federation, &id).await.0, ProjectState::Expired);
    let count = by_stage("mx-2026-001", r#"{"kind":"count"}"#);
    assert!(why_not(&federation, &count).await.contains("last day"));
    federation.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_asks_the_nodes_of_its_project_and_others_learn_nothing_of_it() {
    let federation = two(POLICY).await;
    granted(&federation, "mx-2026-001", Lane::Perturbed).await;
    let count = by_stage("mx-2026-001", r#"{"kind":"count"}"#);
    let query = Query::parse(count.as_bytes()).unwrap();
    let asker = || Asker { subject: "Ana".into(), role: "researcher".into() };
    let mx = &federation.node("mx").requester;
    let study = mx.begin(asker(), query.clone(), &[], TimeDelta::hours(1)).await.unwrap();
    let asked: Vec<String> = mx.study(&study).await.unwrap().nodes.iter().map(|node| node.node.to_string()).collect();
    assert_eq!(asked, ["ar"], "the project asks ar alone");
    // ar asks itself under the project of mx, which it has granted: it is not its own
    let ar = &federation.node("ar").requester;
    let study = ar.begin(asker(), query, &["ar".parse().unwrap()], TimeDelta::hours(1)).await.unwrap();
    ar.round(&study).await.unwrap();
    let refused = ar.study(&study).await.unwrap().nodes.remove(0).problem.unwrap();
    assert_eq!(refused.kind, ProblemKind::ProjectNotApproved);
    assert_eq!(refused.detail, "ask the node's steward to approve it");
    federation.stop().await;
}

async fn granted(federation: &Federation, name: &str, lane: Lane) -> ProjectId {
    let proposed = project(federation, name, lane);
    propose(federation, &proposed).await;
    federation.node("ar").responder.approve_project(STEWARD, &proposed.project, None, None).await.unwrap();
    proposed.project
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exact_answer_waits_for_a_steward_who_did_not_ask_it() {
    let federation = two(POLICY).await;
    granted(&federation, "mx-2026-001", Lane::Exact).await;
    let requester = &federation.node("mx").requester;
    let query = Query::parse(by_stage("mx-2026-001", r#"{"kind":"count"}"#).as_bytes()).unwrap();
    let asker = Asker { subject: "Ana".into(), role: "researcher".into() };
    let study = requester.begin(asker, query, &["ar".parse().unwrap()], TimeDelta::hours(1)).await.unwrap();
    assert!(requester.round(&study).await.unwrap(), "it makes sense to ask again");
    let view: Study = requester.study(&study).await.unwrap();
    assert_eq!((view.nodes[0].status, view.nodes[0].answer.is_some()), (Status::InReview, false));
    assert!(view.notes.iter().any(|note| note.code == "in_review"));

    let ar = &federation.node("ar").responder;
    let mx = "mx".parse().unwrap();
    let held = ar.store.held_answers(None).await.unwrap();
    assert_eq!((held.len(), held[0].class.as_str()), (1, "exact answers"));
    let would_leave = held[0].answer.clone().unwrap();
    // refused, undone, released
    ar.review(STEWARD, &mx, &study, false, "too fine".into()).await.unwrap();
    requester.round(&study).await.unwrap();
    let refused = requester.study(&study).await.unwrap().nodes.remove(0);
    assert_eq!(refused.status, Status::Refused);
    assert!(refused.problem.unwrap().detail.contains("too fine"));
    ar.undo_review(STEWARD, &mx, &study, "on second thoughts".into()).await.unwrap();
    let empty = ar.review(STEWARD, &mx, &study, false, String::new()).await.unwrap_err();
    assert_eq!(empty.field.as_deref(), Some("reason"));
    ar.review(STEWARD, &mx, &study, true, String::new()).await.unwrap();
    let answer = ask_again(&federation, &study).await;
    assert_eq!(answer, would_leave, "what was looked at is what leaves");
    let late = ar.undo_review(STEWARD, &mx, &study, "too late".into()).await.unwrap_err();
    assert_eq!(late.kind, ProblemKind::AlreadyDecided);
    federation.stop().await;
}

/// A new study of the same question is another answer; the same study gets the one that waited.
async fn ask_again(federation: &Federation, study: &node_protocol::study::StudyId) -> Answer {
    let query = Query::parse(by_stage("mx-2026-001", r#"{"kind":"count"}"#).as_bytes()).unwrap();
    let asker = Asker { subject: "Ana".into(), role: "researcher".into() };
    let requester = &federation.node("mx").requester;
    requester.ask_directly(asker, study.clone(), &query, &"ar".parse().unwrap()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asked_or_proposed_does_not_decide() {
    let federation = two(POLICY).await;
    // a project of mx that asks mx itself, proposed by Eva, who is a steward there
    let mut proposed = project(&federation, "mx-2026-001", Lane::Exact);
    proposed.countries = ["mx".parse().unwrap()].into();
    federation.node("mx").requester.propose(proposed.clone(), "Eva").await.unwrap();
    let mx = &federation.node("mx").responder;
    let refused = mx.approve_project(STEWARD, &proposed.project, None, None).await.unwrap_err();
    assert_eq!(refused.kind, ProblemKind::FourEyes);
    let second = Steward { name: "Rita", role: Role::Steward };
    mx.approve_project(second, &proposed.project, None, None).await.unwrap();
    // Eva asks; Rita releases
    let query = Query::parse(by_stage("mx-2026-001", r#"{"kind":"count"}"#).as_bytes()).unwrap();
    let asker = Asker { subject: "Eva".into(), role: "steward".into() };
    let requester = &federation.node("mx").requester;
    let node = "mx".parse().unwrap();
    let study = requester.begin(asker, query, std::slice::from_ref(&node), TimeDelta::hours(1)).await.unwrap();
    requester.round(&study).await.unwrap();
    let refused = mx.review(STEWARD, &node, &study, true, String::new()).await.unwrap_err();
    assert_eq!(refused.kind, ProblemKind::FourEyes);
    mx.review(second, &node, &study, true, String::new()).await.unwrap();
    federation.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quotas_bound_questions_and_not_the_catalogue_and_survive_a_restart() {
    let mut federation = two(POLICY).await;
    let question = |year: u32| {
        format!(
            r#"{{"dictionary":"1.1","table":"cases","where":[{{"field":"age_years","between":[0,{year}]}}],"statistic":{{"kind":"count"}}}}"#
        )
    };
    for year in 1..=3 {
        ask_as(&federation, "Ana", &question(year)).await.unwrap();
    }
    let problem = ask_as(&federation, "Ana", &question(4)).await.unwrap_err();
    assert_eq!(problem.kind, ProblemKind::QuotaExceeded);
    assert_eq!(problem.retry_after_s, Some(60));
    assert!(ask_as(&federation, "Leo", &question(4)).await.is_ok(), "another researcher has a quota of his own");
    assert!(ask_as(&federation, "Ana", COUNT).await.is_ok(), "the catalogue is free");
    federation.stop_node("ar").await;
    federation.start_node("ar").await.unwrap();
    assert_eq!(refusal(&federation, &question(4)).await, ProblemKind::QuotaExceeded);
    federation.clock.advance(TimeDelta::seconds(61));
    assert!(ask_as(&federation, "Ana", &question(5)).await.is_ok());
    federation.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn different_questions_with_noise_are_bounded_whoever_asks_and_the_same_one_is_not_another() {
    let policy = POLICY.replace("different_per_quarter = 30", "different_per_quarter = 2");
    let federation = two(&policy).await;
    let by = |fields: &str| {
        format!(r#"{{"dictionary":"1.1","table":"cases","by":[{fields}],"statistic":{{"kind":"count"}}}}"#)
    };
    let first = ask_as(&federation, "Ana", &by(r#""stage","sex""#)).await.unwrap();
    ask_as(&federation, "Leo", &by(r#""sex""#)).await.unwrap();
    assert_eq!(refusal(&federation, &by(r#""stage""#)).await, ProblemKind::NoiseSpent);
    let asker = Asker { subject: "Ana".into(), role: "researcher".into() };
    let asked_before = Query::parse(by(r#""sex""#).as_bytes()).unwrap();
    let estimates = federation.node("mx").requester.estimate(asker, asked_before, &["ar".parse().unwrap()]).await;
    let estimate = estimates.unwrap().remove(0).1.unwrap();
    assert_eq!(estimate.noise_suffices, Some(false), "whether this one was asked before is not told");
    // the same question in another order, by somebody else: the same numbers
    let again = ask_as(&federation, "Rita", &by(r#""sex","stage""#)).await.unwrap();
    let sorted = |answer: Answer| match answer {
        Answer::Count(answer) => {
            let mut cells: Vec<_> = answer.cells.into_iter().map(|cell| (cell.group, cell.persons)).collect();
            cells.sort_by(|left, right| left.0.cmp(&right.0));
            cells
        }
        _ => unreachable!("counts were asked for"),
    };
    assert_eq!(sorted(first), sorted(again));
    federation.clock.advance(TimeDelta::days(93));
    assert!(ask_as(&federation, "Ana", &by(r#""stage""#)).await.is_ok());
    federation.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_privacy_budget_is_told_before_charged_before_release_and_then_spent() {
    let federation = two(POLICY).await;
    let id = granted(&federation, "mx-2026-001", Lane::DifferentiallyPrivate).await;
    let count = by_stage(id.as_str(), r#"{"kind":"count"}"#);
    let asker = Asker { subject: "Ana".into(), role: "researcher".into() };
    let query = Query::parse(count.as_bytes()).unwrap();
    let requester = &federation.node("mx").requester;
    let estimates = requester.estimate(asker, query, &["ar".parse().unwrap()]).await.unwrap();
    let estimate = estimates[0].1.as_ref().unwrap();
    let budget = estimate.budget.unwrap();
    assert_eq!((estimate.way.as_str(), budget.price, budget.left), ("differentially_private", 0.05, 0.1));
    let sd = estimate.private.unwrap().standard_deviation;
    // rho = 1 / (2 sigma^2): Bun & Steinke 2016, proposition 1.6
    assert!((sd - (1.0 / (2.0_f64 * 0.05)).sqrt()).abs() < 0.05, "{sd}");

    let Answer::Count(first) = ask_as(&federation, "Ana", &count).await.unwrap() else { unreachable!("counts") };
    assert!(first.cells.iter().all(|cell| matches!(cell.persons, Cell::Perturbed { .. })), "zero carries noise too");
    ask_as(&federation, "Ana", &count).await.unwrap();
    assert_eq!(refusal(&federation, &count).await, ProblemKind::BudgetSpent);
    let survival = by_stage(id.as_str(), r#"{"kind":"survival","endpoint":"event_free","cuts_months":[60]}"#);
    assert_eq!(refusal(&federation, &survival).await, ProblemKind::NotPermitted);
    let store = &federation.node("ar").responder.store;
    let entries = store.entries(&EntryFilter { what: Some("budget_charged".into()), ..EntryFilter::default() }).await;
    assert_eq!(entries.unwrap().len(), 2, "what is charged is audited");
    federation.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_whole_policy_is_signed_and_shown_to_peers() {
    let federation = two(POLICY).await;
    let statement = federation.node("mx").requester.describe(&"ar".parse().unwrap()).await.unwrap();
    let roster = federation.node("mx").requester.peers.tls().roster.load_full();
    let ar = "ar".parse().unwrap();
    let policy: node_protocol::envelope::PolicyStatement =
        node_trust::signed::verify_statement(&statement.policy, node_trust::signed::Kind::Policy, &ar, &roster)
            .unwrap();
    assert_eq!(policy.policy_hash, statement.policy_hash);
    assert_eq!(
        node_protocol::canonical::digest(&policy.policy).unwrap(),
        policy.policy_hash,
        "the hash is that of the text"
    );
    assert_eq!(policy.policy["threshold"]["persons"], 5);
    let mx = "mx".parse().unwrap();
    let other = node_trust::signed::verify_statement::<serde_json::Value>(
        &statement.policy,
        node_trust::signed::Kind::Policy,
        &mx,
        &roster,
    );
    assert!(other.is_err(), "nobody speaks for another node");
    let kind = node_trust::signed::Kind::Project;
    assert!(node_trust::signed::verify_statement::<serde_json::Value>(&statement.policy, kind, &ar, &roster).is_err());
    federation.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_policy_comes_into_force_at_a_start_and_is_audited_then() {
    let mut federation = two(POLICY).await;
    let adopted = async |federation: &Federation| {
        let store = &federation.node("ar").responder.store;
        let filter = EntryFilter { what: Some("policy_adopted".into()), ..EntryFilter::default() };
        let entries = store.entries(&filter).await.unwrap();
        (entries.len(), store.adopted_policy().await.unwrap().map(|(hash, _)| hash))
    };
    let first = federation.node("ar").responder.policy_hash;
    assert_eq!(adopted(&federation).await, (1, Some(first)));
    federation.stop_node("ar").await;
    federation.start_node("ar").await.unwrap();
    assert_eq!(adopted(&federation).await, (1, Some(first)), "the same policy is not adopted anew");
    federation.stop_node("ar").await;
    federation.set_policy("ar", &POLICY.replacen("persons = 5", "persons = 6", 1)).unwrap();
    federation.start_node("ar").await.unwrap();
    let second = federation.node("ar").responder.policy_hash;
    assert_ne!(first, second);
    assert_eq!(adopted(&federation).await, (2, Some(second)));
    federation.stop().await;
}

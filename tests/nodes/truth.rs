//! The numbers against R: `tests/fixtures/nwtco/truth.json` (survival 3.5.3) on the children of the National Wilms Tumor Study.

use node_protocol::{
    answer::{Answer, Pooled, SurvivalGroup},
    cell::{Cell, Withheld},
    study::{Status, Study},
};
use node_tests::{Federation, Plan, json, policy, wilms};
use serde_json::Value;

use crate::SIXTEEN;

/// Years at which `truth.json` gives the curve, as cuts; the base grid ends at ten.
const YEARS: &str = "12,24,36,60,120";

/// Within the alliance's extract, as the indicators are: beside them, a question about all children would tell that nobody lies outside of
/// it, so that it is not answered exactly.
fn survival(by: &str, cuts: &str) -> String {
    format!(
        r#"{{"dictionary":"1.1","table":"cases","where":[{{"field":"alliance_extract","in":["yes"]}}],"by":[{by}],
            "statistic":{{"kind":"survival","endpoint":"event_free","cuts_months":[{cuts}]}}}}"#
    )
}

fn months() -> String {
    (1..=60).map(|month| month.to_string()).collect::<Vec<_>>().join(",")
}

async fn federation(split: &str, thresholds: (u32, u32, u32)) -> Federation {
    let policy = policy(thresholds.0, thresholds.1, thresholds.2).unwrap();
    Federation::start(Plan { nodes: &SIXTEEN, data: Some(wilms().join(split)), policy }).await.unwrap()
}

fn groups(study: &Study, node: &str) -> Vec<SurvivalGroup> {
    let state = study.nodes.iter().find(|state| state.node.as_str() == node).unwrap();
    assert_eq!(state.status, Status::Answered, "{node}: {:?}", state.problem);
    match &state.answer {
        Some(Answer::Survival(answer)) => answer.groups.clone(),
        other => panic!("{other:?}"),
    }
}

fn pooled(study: &Study) -> (Vec<SurvivalGroup>, Option<node_protocol::answer::LogRank>) {
    match &study.pooled {
        Some(Pooled::Survival { groups, log_rank, .. }) => (groups.clone(), *log_rank),
        other => panic!("{other:?}"),
    }
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

/// Compares the cuts that a country shows with R; returns how many it shows.
fn compare(group: &SurvivalGroup, truth: &Value, place: &str) -> usize {
    let mut shown = 0;
    let mut events = 0;
    for cut in &group.cuts {
        let years = u64::from(cut.month) / 12;
        let row = truth["at"].as_array().unwrap().iter().find(|row| row["years"] == years).unwrap();
        let (Some(survival), Some(at_risk)) = (cut.survival, cut.at_risk.exact()) else { continue };
        shown += 1;
        events += cut.events.exact().unwrap();
        assert!((survival - number(&row["surv"])).abs() < 1e-9, "{place} at {years} years");
        assert_eq!(at_risk, row["n_risk"].as_u64().unwrap(), "{place} at {years} years");
        assert_eq!(events, row["cum_events"].as_u64().unwrap(), "{place} at {years} years");
        assert!((cut.standard_error.unwrap() - number(&row["se_greenwood"])).abs() < 1e-9, "{place} at {years} years");
        if survival < 1.0 {
            assert!((cut.lower.unwrap() - number(&row["ll_lower"])).abs() < 1e-9, "{place} at {years} years");
            assert!((cut.upper.unwrap() - number(&row["ll_upper"])).abs() < 1e-9, "{place} at {years} years");
        } else {
            assert_eq!((cut.lower, cut.upper), (None, None), "no interval at S = 1");
        }
    }
    shown
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_country_equals_r_wherever_nothing_was_merged() {
    let truth = json(&wilms().join("truth.json")).unwrap();
    for (split, least) in [("even", 50), ("unequal", 35)] {
        let federation = federation(split, (5, 3, 10)).await;
        let study = federation.ask(&survival("", YEARS)).await.unwrap();
        let mut shown = 0;
        for (node, site) in SIXTEEN.iter().zip(truth["splits"][split]["per_site"].as_array().unwrap()) {
            let group = groups(&study, node).remove(0);
            let children = site["n"].as_u64().unwrap();
            if children < 5 {
                assert_eq!(group.persons, Cell::Refused { reason: Withheld::Unspecified }, "{split} {node}");
                assert!(group.cuts.is_empty() && group.boundaries.is_empty(), "nothing but a mark: {split} {node}");
            } else {
                assert_eq!(group.persons, Cell::Exact { n: children }, "{split} {node}");
                shown += compare(&group, &site["km"], &format!("{split} {node}"));
            }
        }
        assert!(shown >= least, "{split}: only {shown} cuts are shown");
        federation.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pooled_months_equal_r_on_months_when_nothing_merges() {
    let truth = json(&wilms().join("truth.json")).unwrap();
    let r = json(&wilms().join("log_rank_months.json")).unwrap();
    for split in ["even", "unequal"] {
        let federation = federation(split, (1, 1, 1)).await;
        let all = federation.ask(&survival("", &months())).await.unwrap();
        let by_stage = federation.ask(&survival(r#""stage""#, &months())).await.unwrap();
        let overall = pooled(&all).0.remove(0);
        assert_eq!(overall.persons, Cell::Exact { n: 4028 });
        let mut curves = vec![(overall, truth["pooled"]["km_monthly"]["overall"].clone())];
        let (stages, log_rank) = pooled(&by_stage);
        let stages = stages.into_iter().filter(|group| group.persons != Cell::Exact { n: 0 });
        curves.extend(stages.map(|group| {
            let stage = group.group["stage"].clone().unwrap();
            (group, truth["pooled"]["km_monthly"]["by_stage"][stage].clone())
        }));
        assert_eq!(curves.len(), 5);
        for (group, truth) in &curves {
            assert_eq!(group.cuts.len(), 60);
            for cut in &group.cuts {
                let month = usize::from(cut.month);
                assert!(!cut.merged, "{split} {:?} month {month}", group.group);
                assert!((cut.survival.unwrap() - number(&truth["surv"][month])).abs() < 1e-9, "{split} month {month}");
                let error = cut.standard_error.unwrap() - number(&truth["se_greenwood"][month]);
                assert!(error.abs() < 1e-9, "{split} month {month}");
            }
        }
        let log_rank = log_rank.unwrap();
        let difference = log_rank.chi_squared - number(&r["stage"]["chisq"]);
        // where the last child at risk of a small country leaves, the tail cut takes that month's number at risk away
        let tolerance = if split == "even" { 1e-8 } else { 1e-3 };
        assert!(difference.abs() < tolerance, "log-rank {split}: {} differs by {difference}", log_rank.chi_squared);
        assert_eq!(u64::from(log_rank.df), r["stage"]["df"].as_u64().unwrap());
        // the pooled estimate does not depend on the cuts that were asked for
        let sparse = pooled(&federation.ask(&survival("", "60")).await.unwrap()).0.remove(0);
        assert_eq!(sparse.cuts[0].survival, curves[0].0.cuts[59].survival);
        federation.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pooled_curves_lie_within_five_thousandths_of_r_where_intervals_merge() {
    let truth = json(&wilms().join("truth.json")).unwrap();
    for split in ["even", "unequal"] {
        let federation = federation(split, (5, 3, 10)).await;
        for cuts in ["12,24,36,60", "12,36,60", "60"] {
            let study = federation.ask(&survival("", cuts)).await.unwrap();
            for cut in &pooled(&study).0[0].cuts {
                let years = u64::from(cut.month) / 12;
                let rows = truth["pooled"]["km"]["overall"]["at"].as_array().unwrap();
                let row = rows.iter().find(|row| row["years"] == years).unwrap();
                let difference = cut.survival.unwrap() - number(&row["surv"]);
                assert!(difference.abs() < 0.005, "{split} {cuts} at {years} years: {difference}");
            }
        }
        federation.stop().await;
    }
}

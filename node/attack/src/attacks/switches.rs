//! Switches: everything in a request that might turn protection off.
//!
//! One platform lets the requester's message choose whether a result is obfuscated; others forget a tier where a name is unknown,
//! or an older version of the format is asked for. The attacker takes a question whose small numbers are hidden, adds one thing
//! at a time, and looks whether any answer shows more, or other noise, than the plain one did.

use node_protocol::query::Query;
use serde_json::{Value, json};

use crate::{
    attacker::Attacker,
    attacks::STEADY,
    grid::{Grid, among, not},
    seen::Seen,
    target::{Account, Target, Tier},
};

pub(super) async fn attack<T: Target>(attacker: &mut Attacker<'_, T>) {
    // an exact project has nothing to switch off that its audit does not see
    let tiers = attacker.tiers(&STEADY[..2]);
    for tier in &tiers {
        attacker.begin(tiers.len());
        for by in attacker.pairs().into_iter().take(1) {
            in_table(attacker, *tier, &by).await;
        }
    }
}

async fn in_table<T: Target>(attacker: &mut Attacker<'_, T>, tier: Tier, by: &[String]) {
    let account = Account { researcher: 0, tier };
    let Some(plain) = attacker.grid(tier, &[], by).await else { return };
    let Some(truth) = attacker.truth(&[], by) else { return };
    let project = attacker.known.projects.of(tier).cloned();
    let query = Query { project, ..attacker.count(&[], by) };
    let mut grids: Vec<Grid> = vec![plain.clone()];
    for body in bodies(attacker, &query) {
        let answer = attacker.by_hand(account, &body).await;
        grids.extend(answer.and_then(|answer| Grid::of(&answer, by)));
    }
    for codes in plain.targets() {
        let mut views: Vec<Seen> = Vec::new();
        for seen in grids.iter().filter_map(|grid| grid.seen(&codes)) {
            if !views.contains(&seen) {
                views.push(seen);
            }
        }
        let belief = views.into_iter().reduce(|belief, seen| belief.meet(&seen));
        if let (Some(belief), Some(truth)) = (belief, truth.truth(&codes)) {
            attacker.tally.score(&belief, truth);
        }
    }
}

/// The question with one thing added or changed, the rows that it asks for the same.
fn bodies<T: Target>(attacker: &Attacker<'_, T>, query: &Query) -> Vec<Value> {
    let Ok(plain) = serde_json::to_value(query) else { return Vec::new() };
    let set = |key: &str, value: Value| {
        let mut body = plain.clone();
        body[key] = value;
        body
    };
    let mut bodies: Vec<Value> = Vec::new();
    for (key, value) in [
        ("exact", json!(true)),
        ("noise", json!(false)),
        ("obfuscate", json!(false)),
        ("suppress", json!(false)),
        ("threshold", json!(1)),
        ("release", json!({ "rule": "catalogue", "persons": 1, "events": 1, "at_risk": 1 })),
        ("safeguards", json!({ "persons": 0, "events": 0, "at_risk": 0 })),
        ("lane", json!("exact")),
        ("tier", json!("project")),
        ("role", json!("steward")),
        ("seed", json!(1)),
        ("indicator", json!("registry_size")),
        ("snapshot", json!("")),
        ("Project", json!("admin")),
    ] {
        bodies.push(set(key, value.clone()));
        let mut inside = plain.clone();
        inside["statistic"][key] = value;
        bodies.push(inside);
    }
    let others = attacker.known.projects.foreign.iter().map(String::as_str);
    for name in others.chain(["", "*", "catalogue", "exploration", "exact", "null", "../exact", "%"]) {
        bodies.push(set("project", json!(name)));
    }
    bodies.push(set("project", Value::Null));
    for version in ["1.0", "0.9", "1", "2.0", ""] {
        bodies.push(set("dictionary", json!(version)));
    }
    let field = query.by.first().map(String::as_str).unwrap_or_default();
    let codes = attacker.codes(field);
    let all = json!(among(field, codes.iter().map(String::as_str)));
    let ages = |low: i64, high: i64| json!({ "field": "age_years", "between": [low, high] });
    let either = |one: &Value| json!([{ "any": [one, { "not": one }] }]);
    let mut conditions = vec![
        json!([{ "field": field, "in": [] }]),
        either(&all),
        json!([{ "not": { "not": { "any": [&all, { "not": &all }] } } }]),
        json!([{ "all": [] }]),
        json!([{ "any": [] }]),
        json!(vec![json!({ "any": [&all, { "not": &all }] }); crate::target::MOST_CONDITIONS / 4]),
        json!([not(among(field, ["no such code"]))]),
    ];
    for (low, high) in [(0, 120), (0, 0), (-1, 200), (i64::MIN, i64::MAX), (120, 0)] {
        conditions.push(either(&ages(low, high)));
    }
    bodies.extend(conditions.into_iter().map(|conditions| set("where", conditions)));
    bodies
}

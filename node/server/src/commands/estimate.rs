//! `query --dry-run`: what each node would do with a query, without asking it.

use node_protocol::{
    estimate::{Estimate, Remaining},
    query::Query,
};

use super::{
    render::{self, columns::columns},
    study::client,
    words::{self, Words, lapse},
};
use crate::{
    cli::{Asking, Ended, Session},
    people_port::governance::{NewEstimate, NodeEstimate},
    terminal::{say, say_json},
};

/// `query --dry-run`: 1 where a node would refuse.
pub(crate) async fn run(session: &Session, query: Query, asking: &Asking) -> anyhow::Result<Ended> {
    let new = NewEstimate { query, nodes: asking.nodes.clone() };
    let estimates: Vec<NodeEstimate> = client(session)?.post("/api/v1/estimates", &new).await?;
    if asking.output.json {
        say_json(&estimates)?;
    } else {
        say(render(&new.query, &estimates).trim_end());
    }
    Ok(if estimates.iter().all(|one| one.estimate.is_some()) { Ended::Well } else { Ended::Found })
}

fn render(query: &Query, estimates: &[NodeEstimate]) -> String {
    let words = Words::built_in();
    let mut text = format!("{}\nNothing was asked. What each node would do:\n\n", render::capital(&words.query(query)));
    let told: Vec<_> = estimates.iter().filter_map(|one| Some((one.node.as_str(), one.estimate.as_ref()?))).collect();
    if !told.is_empty() {
        let unit = words.unit(&query.table);
        let rows: Vec<_> = told.iter().map(|(node, estimate)| row(node, estimate, unit)).collect();
        let head = ["node", "numbers", "cells", "not shown", "leaves", "quota left", "price (rho)"];
        text.push_str(&columns(&head, &[2], &rows));
    }
    let waits: Vec<_> = told.iter().filter_map(|(node, estimate)| Some((*node, estimate.review.as_deref()?))).collect();
    if !waits.is_empty() {
        text.push_str("\nWould wait for a steward\n");
    }
    for (node, why) in waits {
        text.push_str(&format!("  {node:<6} {why}\n"));
    }
    let refused: Vec<_> = estimates.iter().filter_map(|one| Some((one.node.as_str(), one.problem.as_ref()?))).collect();
    if !refused.is_empty() {
        text.push_str("\nWould refuse\n");
    }
    for (node, problem) in refused {
        text.push_str(&format!("  {node:<6} {}\n", render::problem(problem)));
    }
    text
}

fn row(node: &str, estimate: &Estimate, unit: &str) -> Vec<String> {
    let numbers = match (&estimate.noise, &estimate.private) {
        (Some(noise), _) => format!("with noise: sd {:.1}, at most {} off", noise.standard_deviation, noise.bound),
        (_, Some(private)) => {
            format!("with fresh noise: sd {:.1}, 95 % within {:.0}", private.standard_deviation, private.error_95)
        }
        _ => words::rule(&estimate.way).to_owned(),
    };
    let hidden = match (estimate.way.as_str(), estimate.threshold) {
        ("catalogue", _) => "as published".to_owned(),
        (_, 0) => "nothing".to_owned(),
        (_, threshold) => format!("fewer than {threshold} {unit}"),
    };
    let leaves = if estimate.review.is_some() { "after review" } else { "at once" };
    let quota = if estimate.free {
        "free".to_owned()
    } else {
        estimate.quotas.iter().map(quota).collect::<Vec<_>>().join("; ")
    };
    let price = estimate.budget.map_or_else(String::new, |budget| {
        let node = if budget.node_suffices { "" } else { "; the node's own budget is spent" };
        format!("{} of {} left ({} granted){node}", budget.price, budget.left, budget.granted)
    });
    vec![node.to_owned(), numbers, estimate.cells.to_string(), hidden, leaves.to_owned(), quota, price]
}

fn quota(remaining: &Remaining) -> String {
    let window = match remaining.window_s {
        60 => "minute".to_owned(),
        604_800 => "week".to_owned(),
        seconds => lapse(seconds),
    };
    format!("{} of {} per {window} ({})", remaining.left, remaining.most, remaining.scope)
}

#[cfg(test)]
mod tests {
    use node_protocol::{problem::ProblemKind, release::NoiseStatement};

    use super::*;

    #[test]
    fn every_node_says_what_it_would_do() {
        let query = r#"{"dictionary":"1.1","table":"cases","by":["sex"],"statistic":{"kind":"count"}}"#;
        let estimate = Estimate {
            way: "perturbed".to_owned(),
            cells: 5,
            threshold: 10,
            review: Some("every answer of the project waits".to_owned()),
            noise: Some(NoiseStatement { standard_deviation: 3.0, bound: 10 }),
            quotas: vec![Remaining { scope: "researcher".to_owned(), window_s: 60, most: 3, left: 2 }],
            ..Estimate::default()
        };
        let refusal = ProblemKind::QuotaExceeded.because("50 in a week");
        let refusal = node_protocol::problem::Problem { retry_after_s: Some(90), ..refusal };
        let estimates = [
            NodeEstimate { node: "ar".parse().unwrap(), estimate: Some(estimate), problem: None },
            NodeEstimate { node: "cl".parse().unwrap(), estimate: None, problem: Some(refusal) },
        ];
        assert_eq!(
            render(&Query::parse(query.as_bytes()).unwrap(), &estimates),
            "\
Persons by sex; counts
Nothing was asked. What each node would do:

node  numbers                            cells  not shown              leaves        quota left                        price (rho)
ar    with noise: sd 3.0, at most 10 off     5  fewer than 10 persons  after review  2 of 3 per minute (researcher)

Would wait for a steward
  ar     every answer of the project waits

Would refuse
  cl     The quota is spent for now: 50 in a week; ask again in 1 min 30 s
"
        );
    }
}

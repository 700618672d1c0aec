//! `query --dry-run`: what each node would do with a query, without asking it.

use node_protocol::{
    estimate::{Estimate, Remaining, Spending},
    problem::Problem,
    query::Query,
};

use super::{
    render::{self, columns::columns},
    study::client,
    words::{self, Words, joined, lapse},
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
    let answers = |one: &NodeEstimate| one.estimate.as_ref().is_some_and(|estimate| spent(estimate).is_empty());
    Ok(if estimates.iter().all(answers) { Ended::Well } else { Ended::Found })
}

/// What is spent, so that the question would be refused: quotas, the noise of the quarter, the privacy budget.
fn spent(estimate: &Estimate) -> Vec<String> {
    if estimate.free {
        return Vec::new();
    }
    let quotas = estimate.quotas.iter().filter(|quota| quota.left == 0);
    let quota = |quota: &Remaining| {
        let (scope, most, window) = (&quota.scope, quota.most, window(quota));
        format!("The quota is spent: {most} questions in a {window} for one {scope}")
    };
    let mut all: Vec<String> = quotas.map(quota).collect();
    if estimate.noise_suffices == Some(false) {
        all.push(
            "As many different questions were answered with noise as the node allows in three months; only one that was answered before is answered again"
                .to_owned(),
        );
    }
    if estimate.budget.is_some_and(|budget| budget.price > budget.left || !budget.node_suffices) {
        all.push("The privacy budget does not suffice".to_owned());
    }
    all
}

/// Whether a node could not tell what it would do: it refuses nothing.
fn unheard(problem: &Problem) -> bool {
    problem.status >= 500
}

fn render(query: &Query, estimates: &[NodeEstimate]) -> String {
    let words = Words::built_in();
    let mut text = format!("{}\nNothing was asked. What each node would do:\n", render::capital(&words.query(query)));
    let told: Vec<_> = estimates.iter().filter_map(|one| Some((one.node.as_str(), one.estimate.as_ref()?))).collect();
    if !told.is_empty() {
        text.push('\n');
        let unit = words.unit(&query.table);
        let rows: Vec<_> = told.iter().map(|(node, estimate)| row(node, estimate, unit)).collect();
        text.push_str(&columns(&["node", "numbers", "cells", "not shown", "leaves"], &[2], &rows));
        text.push_str(&left(&told));
    }
    if told.iter().any(|(_, estimate)| is_audited(estimate)) {
        text.push_str(AUDITED);
    }
    let waits = told.iter().filter_map(|(node, estimate)| Some((*node, estimate.review.clone()?)));
    text.push_str(&section("Would wait for a steward", waits));
    let spent = told.iter().flat_map(|(node, estimate)| spent(estimate).into_iter().map(|what| (*node, what)));
    let problems = || estimates.iter().filter_map(|one| Some((one.node.as_str(), one.problem.as_ref()?)));
    let said = |(node, problem)| (node, render::problem(problem));
    let refused = problems().filter(|(_, problem)| !unheard(problem)).map(said);
    text.push_str(&section("Would refuse", spent.chain(refused)));
    text.push_str(&section("Could not tell", problems().filter(|(_, problem)| unheard(problem)).map(said)));
    text
}

/// What holds for every exact answer of the asker's making.
const AUDITED: &str = "
Exact answers are audited with all exact numbers that were released before, whoever got them: the audit may hide more
groups than those that are too small, or refuse the answer.
";

/// Whether more than what is too small may be hidden.
fn is_audited(estimate: &Estimate) -> bool {
    estimate.way == "exact" && estimate.threshold > 0
}

/// Nodes with a line each, under a heading; nothing where there are none.
fn section<'n>(heading: &str, lines: impl Iterator<Item = (&'n str, String)>) -> String {
    let lines: String = lines.map(|(node, line)| format!("  {node:<6} {line}\n")).collect();
    if lines.is_empty() { lines } else { format!("\n{heading}\n{lines}") }
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
        _ if estimate.private.is_some() => "nothing".to_owned(),
        // noise makes some look small that are not
        (_, threshold) if estimate.noise.is_some() => format!("fewer than {threshold} {unit}, and some more"),
        (_, threshold) if is_audited(estimate) => format!("fewer than {threshold} {unit}, and what the audit takes"),
        (_, threshold) => format!("fewer than {threshold} {unit}"),
    };
    let leaves = if estimate.review.is_some() { "after review" } else { "at once" };
    vec![node.to_owned(), numbers, estimate.cells.to_string(), hidden, leaves.to_owned()]
}

/// What is left of quotas and budgets, before this question.
fn left(told: &[(&str, &Estimate)]) -> String {
    let mut text = String::new();
    let (free, counted): (Vec<_>, Vec<_>) = told.iter().partition(|(_, estimate)| estimate.free);
    if !free.is_empty() {
        let names: Vec<String> = free.iter().map(|(node, _)| (*node).to_owned()).collect();
        text.push_str(&format!("\nFree at {}: it counts against no quota.\n", joined(&names, "and")));
    }
    let mut heads: Vec<String> = Vec::new();
    for one in counted.iter().flat_map(|(_, estimate)| &estimate.quotas) {
        let head = format!("{}, {}", one.scope, window(one));
        if !heads.contains(&head) {
            heads.push(head);
        }
    }
    if !heads.is_empty() {
        let rows: Vec<Vec<String>> = counted
            .iter()
            .map(|(node, estimate)| {
                let of = |head: &String| {
                    let mut quotas = estimate.quotas.iter();
                    let found = quotas.find(|one| format!("{}, {}", one.scope, window(one)) == *head);
                    found.map_or_else(|| "-".to_owned(), |one| format!("{} of {}", one.left, one.most))
                };
                std::iter::once((*node).to_owned()).chain(heads.iter().map(of)).collect()
            })
            .collect();
        let head: Vec<&str> = std::iter::once("node").chain(heads.iter().map(String::as_str)).collect();
        text.push_str("\nQuestions left\n");
        text.push_str(&columns(&head, &[], &rows));
    }
    let priced: Vec<_> = told.iter().filter_map(|(node, estimate)| Some((node, estimate.budget?))).collect();
    if !priced.is_empty() {
        let row = |(node, budget): &(&&str, Spending)| {
            let node_has = if budget.node_suffices { "suffices" } else { "is spent" };
            let numbers = [budget.price, budget.left, budget.granted].map(words::rho);
            [vec![(**node).to_owned()], numbers.to_vec(), vec![node_has.to_owned()]].concat()
        };
        let rows: Vec<_> = priced.iter().map(row).collect();
        text.push_str("\nPrivacy budget, rho\n");
        text.push_str(&columns(&["node", "price", "left", "granted", "the node's own"], &[1, 2, 3], &rows));
    }
    text
}

fn window(remaining: &Remaining) -> String {
    match remaining.window_s {
        60 => "minute".to_owned(),
        604_800 => "week".to_owned(),
        seconds => lapse(seconds),
    }
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
            budget: Some(Spending { price: 0.02, granted: 0.2, left: 0.18, node_suffices: true }),
            quotas: vec![Remaining { scope: "researcher".to_owned(), window_s: 60, most: 3, left: 2 }],
            ..Estimate::default()
        };
        let refusal = ProblemKind::QuotaExceeded.because("50 in a week");
        let refusal = node_protocol::problem::Problem { retry_after_s: Some(90), ..refusal };
        let away = ProblemKind::PeerUnreachable.because("it does not answer");
        let estimates = [
            NodeEstimate { node: "ar".parse().unwrap(), estimate: Some(estimate), problem: None },
            NodeEstimate { node: "cl".parse().unwrap(), estimate: None, problem: Some(refusal) },
            NodeEstimate { node: "uy".parse().unwrap(), estimate: None, problem: Some(away) },
        ];
        assert_eq!(
            render(&Query::parse(query.as_bytes()).unwrap(), &estimates),
            "\
Persons by sex; counts
Nothing was asked. What each node would do:

node  numbers                             cells  not shown                             leaves
ar    with noise: sd 3.0, at most 10 off      5  fewer than 10 persons, and some more  after review

Questions left
node  researcher, minute
ar    2 of 3

Privacy budget, rho
node  price  left  granted  the node's own
ar     0.02  0.18      0.2  suffices

Would wait for a steward
  ar     every answer of the project waits

Would refuse
  cl     The quota is spent for now: 50 in a week; ask again in 1 min 30 s

Could not tell
  uy     The node could not be reached: it does not answer
"
        );
    }

    #[test]
    fn what_is_spent_is_told_as_a_refusal() {
        let week = Remaining { scope: "project".to_owned(), window_s: 604_800, most: 100, left: 0 };
        let budget = Spending { price: 0.05, granted: 0.1, left: 0.0, node_suffices: true };
        let all =
            Estimate { quotas: vec![week], noise_suffices: Some(false), budget: Some(budget), ..Estimate::default() };
        let told = spent(&all);
        assert_eq!(told.len(), 3);
        assert_eq!(told[0], "The quota is spent: 100 questions in a week for one project");
        assert!(spent(&Estimate { free: true, ..all }).is_empty(), "the catalogue costs nothing");
        assert!(spent(&Estimate::default()).is_empty());
    }

    #[test]
    fn an_exact_answer_may_show_less_than_the_threshold_says() {
        let query =
            r#"{"dictionary":"1.1","project":"mx-1","table":"cases","by":["sex"],"statistic":{"kind":"count"}}"#;
        let exact = Estimate { way: "exact".to_owned(), cells: 5, threshold: 5, ..Estimate::default() };
        let estimates = [NodeEstimate { node: "ar".parse().unwrap(), estimate: Some(exact), problem: None }];
        let text = render(&Query::parse(query.as_bytes()).unwrap(), &estimates);
        assert!(text.contains("and what the audit takes") && text.contains("or refuse the answer"), "{text}");
    }
}

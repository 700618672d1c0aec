//! The judge: knows the exact numbers of the node under attack, which the attacker never sees.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use node_attack::target::Judge;
use node_disclosure::{draft::Draft, exact::release_exact, linked::Work, release::Counted};
use node_domain::dictionary::Dictionary;
use node_engine::{
    columnar::{Measures, tabulate},
    membership::{Question, membership},
};
use node_policy::{permit::permit_audit, policy::Policy};
use node_protocol::{
    answer::Answer,
    cell::Cell,
    query::{Query, Statistic, bins},
};
use node_responder::answer::Published;

/// A policy under which nothing is small.
const OPEN: &str = r#"
    rehearsal = true
    [threshold]
    persons = 1
    events = 1
    at_risk = 1
    facilities = 1
    [exploration]
    statistics = []
    tables = []
    persons = 1
"#;

/// Counts the snapshot in force at the node under attack.
pub(crate) struct TruthJudge {
    published: Arc<ArcSwapOption<Published>>,
    dictionary: Dictionary,
    policy: Policy,
}

impl TruthJudge {
    /// Of what is published at the node, now and later.
    pub(crate) fn of(published: Arc<ArcSwapOption<Published>>) -> anyhow::Result<Self> {
        Ok(Self { published, dictionary: Dictionary::built_in()?, policy: Policy::parse(OPEN)? })
    }
}

impl Judge for TruthJudge {
    fn truth(&mut self, query: &Query) -> Option<Answer> {
        let published = self.published.load_full()?;
        let permitted = permit_audit(query.clone(), &self.policy, &self.dictionary).ok()?;
        let (groups, sealed) = tabulate(&published.snapshot, &permitted, Measures::default()).ok()?;
        let lower_edges = match &query.statistic {
            Statistic::Histogram { field } => bins::lower_edges(permitted.table().field(field)?),
            _ => Vec::new(),
        };
        let draft = Draft::of(Counted { query, groups, lower_edges, sealed });
        let question =
            Question { snapshot: &published.snapshot, permitted: &permitted, boundaries: draft.boundaries() };
        let patterns = membership(&[question], &[], 0).ok()?;
        let mut answer =
            release_exact(&draft, permitted.conditions().safeguards, Vec::new(), patterns, &Work::default())
                .ok()?
                .get()
                .clone();
        show_zeros(&mut answer);
        Some(answer)
    }
}

/// Below a threshold of one lies zero alone.
fn show_zeros(answer: &mut Answer) {
    let show = |cell: &mut Cell| {
        if *cell == (Cell::Banded { low: 0, high: 0 }) {
            *cell = Cell::Exact { n: 0 };
        }
    };
    match answer {
        Answer::Count(answer) => answer.cells.iter_mut().for_each(|cell| show(&mut cell.persons)),
        Answer::Histogram(answer) => {
            for group in &mut answer.groups {
                group.bins.iter_mut().for_each(show);
                show(&mut group.missing);
            }
        }
        Answer::Mean(answer) => {
            for value in answer.groups.iter_mut().flat_map(|group| &mut group.values) {
                show(&mut value.persons);
                show(&mut value.rows);
            }
        }
        Answer::Survival(answer) => {
            for group in &mut answer.groups {
                show(&mut group.persons);
                show(&mut group.missing);
            }
        }
    }
}

//! Sample studies with every state of a number, for tests.

use std::collections::BTreeMap;

use node_domain::digest::Digest;
use node_protocol::{
    answer::{
        Answer, Boundaries, CountAnswer, CountCell, Cut, GroupKey, HistogramAnswer, HistogramGroup, MeanAnswer,
        MeanGroup, MeanValue, Pooled, PooledCount, SurvivalAnswer, SurvivalGroup,
    },
    cell::{Cell, Withheld},
    problem::ProblemKind,
    query::Query,
    release::{NoiseStatement, Release, Safeguards},
    study::{NodeState, Note, Status, Study},
};

const GUARDS: Safeguards = Safeguards { persons: 10, events: 3, at_risk: 10 };
const NOISY: Release =
    Release::Perturbed { safeguards: GUARDS, noise: NoiseStatement { standard_deviation: 3.0, bound: 10 } };
const BAND: Cell = Cell::Banded { low: 0, high: 9 };

fn group(field: &str, code: Option<&str>) -> GroupKey {
    BTreeMap::from([(field.to_owned(), code.map(str::to_owned))])
}

fn node(name: &str, answer: Answer) -> NodeState {
    NodeState {
        node: name.parse().unwrap(),
        status: Status::Answered,
        problem: None,
        snapshot: Some(Digest::of(b"snapshot")),
        elapsed_ms: Some(1.0),
        answer_file: None,
        answer: Some(answer),
    }
}

fn study(query: &str, nodes: Vec<NodeState>, pooled: Option<Pooled>) -> Study {
    Study {
        study: "0000000000000000000000000000000a".parse().unwrap(),
        query_hash: Digest::of(b"query"),
        query: Query::parse(query.as_bytes()).unwrap(),
        started: "2026-11-21T12:00:00Z".parse().unwrap(),
        deadline: "2026-11-22T12:00:00Z".parse().unwrap(),
        elapsed_ms: 1.0,
        nodes,
        pooled,
        notes: Vec::new(),
    }
}

pub(crate) fn counts() -> Study {
    let cell = |code, persons| CountCell { group: group("sex", code), persons, cases: None, as_of: None };
    let cells = vec![
        cell(Some("1"), Cell::Perturbed { n: 123 }),
        cell(Some("2"), BAND),
        cell(None, Cell::Refused { reason: Withheld::Complementary }),
    ];
    let waits = ProblemKind::ReviewPending.because("class exact");
    let review = NodeState {
        node: "cl".parse().unwrap(),
        status: Status::InReview,
        problem: Some(waits),
        snapshot: None,
        elapsed_ms: None,
        answer_file: None,
        answer: None,
    };
    let pooled = |code, persons| PooledCount { group: group("sex", Some(code)), persons, share: None };
    let pooled =
        Pooled::Count { countries: 1, cells: vec![pooled("1", Cell::Perturbed { n: 123 }), pooled("2", BAND)] };
    study(
        r#"{"dictionary":"1.1","table":"cases","by":["sex"],"statistic":{"kind":"count"}}"#,
        vec![node("ar", Answer::Count(CountAnswer { release: NOISY, cells })), review],
        Some(pooled),
    )
}

pub(crate) fn histogram() -> Study {
    let bins = vec![Cell::Exact { n: 0 }, BAND, Cell::Exact { n: 31 }];
    let groups = vec![
        HistogramGroup { group: group("sex", Some("1")), bins, missing: BAND, as_of: Some(Digest::of(b"earlier")) },
        HistogramGroup { group: group("sex", Some("2")), bins: vec![BAND; 3], missing: BAND, as_of: None },
    ];
    let answer = HistogramAnswer {
        release: Release::ExactAdHoc(GUARDS),
        field: "diagnosis_interval_days".to_owned(),
        lower_edges: vec![0, 30, 45],
        groups,
    };
    study(
        r#"{"dictionary":"1.1","table":"cases","by":["sex"],"statistic":{"kind":"histogram","field":"diagnosis_interval_days"}}"#,
        vec![node("ar", Answer::Histogram(answer))],
        None,
    )
}

pub(crate) fn means() -> Study {
    let exact = |n| Cell::Exact { n };
    let value = |persons, sum: Option<u64>, sum_of_squares, withheld| MeanValue {
        persons,
        rows: persons,
        sum,
        sum_of_squares,
        withheld,
    };
    let one = |code, value| MeanGroup { group: group("sex", code), values: vec![value], as_of: None };
    let groups = vec![
        one(Some("1"), value(exact(40), Some(400), Some(5_560.0), None)),
        one(Some("2"), value(exact(20), None, None, Some(Withheld::Dominance))),
        one(Some("9"), value(BAND, None, None, None)),
    ];
    let answer =
        MeanAnswer { release: Release::ExactAdHoc(GUARDS), fields: vec!["patient_interval_days".to_owned()], groups };
    study(
        r#"{"dictionary":"1.1","table":"cases","by":["sex"],"statistic":{"kind":"mean","fields":["patient_interval_days"]}}"#,
        vec![node("ar", Answer::Mean(answer))],
        None,
    )
}

pub(crate) fn survival() -> Study {
    let shown = Cut {
        month: 60,
        days: 1826.25,
        at_risk: Cell::Exact { n: 40 },
        events: Cell::Exact { n: 12 },
        withdrawn: Cell::Exact { n: 8 },
        merged: false,
        survival: Some(0.8),
        standard_error: Some(0.05),
        lower: Some(0.68),
        upper: Some(0.88),
        countries: None,
    };
    let cuts = vec![Cut::hidden(12, Withheld::Merged), shown, Cut::hidden(120, Withheld::TailCut)];
    let boundaries = Boundaries { months: vec![60], events: vec![12], withdrawn: vec![8], survival: vec![0.8] };
    let groups = vec![
        SurvivalGroup {
            group: group("stage", Some("1")),
            persons: Cell::Exact { n: 60 },
            missing: BAND,
            cuts,
            boundaries,
            as_of: None,
        },
        SurvivalGroup {
            group: group("stage", None),
            persons: BAND,
            missing: BAND,
            cuts: Vec::new(),
            boundaries: Boundaries::default(),
            as_of: None,
        },
    ];
    let answer = SurvivalAnswer { release: Release::ExactAdHoc(GUARDS), endpoint: "overall".to_owned(), groups };
    let mut study = study(
        r#"{"dictionary":"1.1","table":"cases","by":["stage"],"statistic":{"kind":"survival","endpoint":"overall","cuts_months":[12,60,120]}}"#,
        vec![node("ar", Answer::Survival(answer))],
        None,
    );
    study.notes.push(Note { code: "tail_cut".to_owned(), text: "ar: too few at risk".to_owned() });
    study
}

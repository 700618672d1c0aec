//! What a draft shows under thresholds alone, and that no combination of answers tells more.

use node_domain::dictionary::Unit;
use node_protocol::{
    answer::{CountCell, SurvivalGroup},
    cell::{Cell, Withheld},
    release::{Dominance, Safeguards, Way},
};
use node_statistics::frequency::{GroupTotal, Sum, TimeCount};
use proptest::prelude::*;

use super::*;

const SAFEGUARDS: Safeguards = Safeguards { persons: 5, events: 3, at_risk: 10 };

fn conditions() -> Conditions {
    let dominance = Dominance { largest_percent: 80, p_percent: 10 };
    Conditions { safeguards: SAFEGUARDS, dominance, unit: Unit::Person, way: Way::Exact }
}

fn draft(statistic: Statistic, table: FrequencyTable) -> Draft {
    draft_under(conditions(), statistic, table)
}

fn draft_under(conditions: Conditions, statistic: Statistic, table: FrequencyTable) -> Draft {
    let query = Query {
        dictionary: "1.0".into(),
        project: None,
        table: "cases".into(),
        conditions: vec![],
        by: vec![],
        statistic,
    };
    let lower_edges = if matches!(query.statistic, Statistic::Histogram { .. }) { vec![0, 30, 90] } else { vec![] };
    let sealed = Confidential::seal(table, conditions);
    Draft::of(Counted { query: &query, groups: vec![GroupKey::new()], lower_edges, sealed })
}

fn answer(draft: &Draft) -> Answer {
    draft.answer(&draft.states(), Release::ExactAdHoc(SAFEGUARDS))
}

fn survival(times: &[TimeCount], cuts: &[u16]) -> SurvivalGroup {
    let persons: u64 = times.iter().map(|time| u64::from(time.persons)).sum();
    let groups = vec![GroupTotal { rows: persons, persons, ..GroupTotal::default() }];
    let statistic = Statistic::Survival { endpoint: "event_free".into(), cuts_months: cuts.to_vec() };
    let table = FrequencyTable { groups, times: times.to_vec(), sums: vec![] };
    match answer(&draft(statistic, table)) {
        Answer::Survival(mut answer) => answer.groups.remove(0),
        _ => unreachable!("asked for survival"),
    }
}

fn count(total: GroupTotal) -> CountCell {
    let table = FrequencyTable { groups: vec![total], ..FrequencyTable::default() };
    match answer(&draft(Statistic::Count, table)) {
        Answer::Count(mut answer) => answer.cells.remove(0),
        _ => unreachable!("asked for a count"),
    }
}

fn time(day: u16, cause: u8, persons: u32) -> TimeCount {
    TimeCount { group: 0, day, cause, persons, key_sum: 0 }
}

#[test]
fn zero_and_small_look_alike() {
    let band = Cell::Banded { low: 0, high: 4 };
    for persons in 0..5 {
        let cell = count(GroupTotal { rows: persons, persons, ..GroupTotal::default() });
        assert_eq!((cell.persons, cell.cases), (band, None), "{persons}");
    }
    assert_eq!(count(GroupTotal { rows: 5, persons: 5, ..GroupTotal::default() }).persons, Cell::Exact { n: 5 });
}

fn sum(values: &[u64]) -> Sum {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(|a, b| b.cmp(a));
    let squares = values.iter().map(|value| u128::from(*value) * u128::from(*value)).sum();
    let n = values.len() as u64;
    let (largest, second) = (sorted[0], sorted.get(1).copied().unwrap_or(0));
    Sum { persons: n, rows: n, key_sum: 0, sum: values.iter().sum(), sum_of_squares: squares, largest, second }
}

/// All numbers that an answer shows, by their place; months of survival by month, whatever else is shown around them.
fn numbers(answer: &Answer) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut note = |place: String, cell: Cell| {
        if let Some(n) = cell.exact() {
            found.insert(place, n.to_string());
        }
    };
    match answer {
        Answer::Count(answer) => note("persons".into(), answer.cells[0].persons),
        Answer::Histogram(answer) => {
            let cells = answer.groups[0].bins.iter().chain([&answer.groups[0].missing]);
            cells.enumerate().for_each(|(at, cell)| note(format!("bin {at}"), *cell));
        }
        Answer::Mean(answer) => {
            let value = &answer.groups[0].values[0];
            note("persons".into(), value.persons);
            note("rows".into(), value.rows);
            value.sum.into_iter().for_each(|sum| note("sum".into(), Cell::Exact { n: sum }));
        }
        Answer::Survival(answer) => {
            let group = &answer.groups[0];
            note("persons".into(), group.persons);
            note("missing".into(), group.missing);
            for cut in &group.cuts {
                note(format!("at risk {}", cut.month), cut.at_risk);
            }
            // events of merged intervals differ, but their sum up to a shared boundary does not
            let mut events = 0;
            for (month, more, _, _) in group.boundaries.rows() {
                events += more;
                note(format!("events up to {month}"), Cell::Exact { n: events });
            }
            let curve = group.boundaries.rows().map(|(month, _, _, survival)| (month, survival));
            let cuts = group.cuts.iter().filter_map(|cut| Some((cut.month, cut.survival?)));
            for (month, survival) in curve.chain(cuts) {
                found.insert(format!("survival {month}"), format!("{survival:.9}"));
            }
        }
    }
    found
}

#[test]
fn a_sum_that_one_or_two_make_up_is_withheld() {
    let shown = |values: &[u64]| {
        let table = FrequencyTable { sums: vec![sum(values)], ..FrequencyTable::default() };
        match answer(&draft(Statistic::Mean { fields: vec!["overall_days".into()] }, table)) {
            Answer::Mean(mut answer) => answer.groups.remove(0).values.remove(0),
            _ => unreachable!("asked for a mean"),
        }
    };
    assert_eq!((shown(&[10, 11, 12, 13, 14]).sum, shown(&[10, 11, 12, 13, 14]).withheld), (Some(60), None));
    for dominated in [&[400, 20, 20, 20, 20][..], &[100, 100, 2, 2, 2]] {
        let value = shown(dominated);
        assert_eq!((value.sum, value.sum_of_squares), (None, None), "{dominated:?}");
        assert_eq!(value.withheld, Some(Withheld::Dominance));
        assert_eq!(value.rows, Cell::Refused { reason: Withheld::Dominance });
    }
    assert_eq!(shown(&[0, 0, 0, 0, 0]).sum, None, "that nobody contributes is not told");
    assert_eq!(shown(&[1, 1, 1, 0, 0]).sum, None, "nor that fewer than the threshold do");
    let few = shown(&[10, 11, 12, 13]);
    assert_eq!((few.persons, few.sum), (Cell::Banded { low: 0, high: 4 }, None));
}

#[test]
fn fewer_than_the_threshold_release_nothing_but_a_band() {
    let group = survival(&[time(100, 1, 4)], &[12, 60]);
    assert_eq!(group.persons, Cell::Banded { low: 0, high: 4 });
    assert!(group.cuts.is_empty());
}

#[test]
fn the_number_at_risk_does_not_tell_who_ended_on_the_day_of_the_cut() {
    // month 48 is day 1461 exactly: of 100 children, some end on that very day
    for (on_that_day, shown) in [(0, true), (1, false), (4, false), (5, true)] {
        let mut times = vec![time(100, 1, 10), time(1461, 0, on_that_day), time(3000, 0, 90 - on_that_day)];
        times.retain(|time| time.persons > 0);
        let cut = survival(&times, &[48]).cuts.remove(0);
        assert_eq!(cut.events, Cell::Exact { n: 10 });
        let expected = if shown { Cell::Exact { n: 90 } } else { Cell::Refused { reason: Withheld::OneDay } };
        assert_eq!(cut.at_risk, expected, "{on_that_day} end on the day of the cut");
    }
}

type Rows = std::collections::BTreeMap<(u16, u8), u32>;

fn stratum() -> impl Strategy<Value = Rows> {
    proptest::collection::btree_map((0..3700_u16, 0..3_u8), 1..3_u32, 1..90)
}

fn times(rows: Rows) -> Vec<TimeCount> {
    rows.into_iter().map(|((day, cause), rows)| time(day, cause, rows)).collect()
}

fn cut_list() -> impl Strategy<Value = Vec<u16>> {
    proptest::collection::btree_set(1..=120_u16, 1..12).prop_map(|cuts| cuts.into_iter().collect())
}

/// Everything that an asker learns about cumulative events: (month, events up to it), from one answer.
fn learnt(group: &SurvivalGroup) -> Vec<(u16, u64)> {
    let (mut by_cut, mut by_boundary) = (0, 0);
    let cuts = group.cuts.iter().filter_map(|cut| {
        by_cut += cut.events.exact()?;
        Some((cut.month, by_cut))
    });
    let boundaries = group.boundaries.rows().map(|(month, events, _, _)| {
        by_boundary += events;
        (month, by_boundary)
    });
    cuts.chain(boundaries).collect()
}

proptest! {
    /// The attack of subtracting: ask one stratum with many cut lists, put every cumulative count together, look at all
    /// differences. None may be 1 or 2, also against the total of events, which a count query may tell.
    #[test]
    fn no_combination_of_cut_lists_isolates_one_or_two_events(
        rows in stratum(),
        lists in proptest::collection::vec(cut_list(), 1..12),
    ) {
        let times = times(rows);
        let mut known = vec![(0, 0)];
        let mut answers = Vec::new();
        for cuts in &lists {
            let group = survival(&times, cuts);
            known.extend(learnt(&group));
            answers.push(group);
        }
        let total: u64 = times.iter().filter(|time| time.cause > 0).map(|time| u64::from(time.persons)).sum();
        if known.len() > 1 {
            known.push((u16::MAX, total));
        }
        for (from, before) in &known {
            for (to, after) in &known {
                if from <= to {
                    let inside = after - before;
                    prop_assert!(inside == 0 || inside >= 3, "{inside} events between months {from} and {to}");
                }
            }
        }
        // the same cut never carries two values, and nothing is shown with fewer than ten at risk
        let shown = answers.iter().flat_map(|group| &group.cuts).filter(|cut| cut.survival.is_some());
        let mut by_month = std::collections::BTreeMap::new();
        for cut in shown {
            prop_assert!(cut.at_risk.exact().is_none_or(|n| n >= 10));
            let first = by_month.entry(cut.month).or_insert((cut.at_risk, cut.survival));
            prop_assert_eq!(first.0, cut.at_risk);
            prop_assert!((first.1.unwrap_or(0.0) - cut.survival.unwrap_or(1.0)).abs() < 1e-12);
        }
    }

    /// Of every statistic, whatever a stricter policy shows a laxer one shows too, with the same number.
    #[test]
    fn a_tighter_policy_never_shows_more(
        rows in stratum(),
        cuts in cut_list(),
        parts in proptest::collection::vec(0..12_u64, 4),
        values in proptest::collection::vec(0..40_u64, 1..12),
        (persons, events, at_risk) in (3..9_u32, 3..9_u32, 3..30_u32),
        (more_persons, more_events, more_at_risk) in (0..9_u32, 0..9_u32, 0..30_u32),
        (largest_percent, p_percent) in ((20..=80_u32, 0..60_u32), (10..=60_u32, 0..60_u32)),
    ) {
        let lax = Conditions {
            safeguards: Safeguards { persons: persons.max(events), events, at_risk },
            dominance: Dominance { largest_percent: largest_percent.0, p_percent: p_percent.0 },
            ..conditions()
        };
        let strict = Conditions {
            safeguards: Safeguards {
                persons: (persons + more_persons).max(events + more_events),
                events: events + more_events,
                at_risk: at_risk + more_at_risk,
            },
            dominance: Dominance {
                largest_percent: largest_percent.0.saturating_sub(largest_percent.1),
                p_percent: p_percent.0 + p_percent.1,
            },
            ..conditions()
        };
        let total: u64 = rows.values().map(|persons| u64::from(*persons)).sum();
        let of = |persons: u64| GroupTotal { rows: persons, persons, ..GroupTotal::default() };
        let with = |groups| FrequencyTable { groups, ..FrequencyTable::default() };
        let survival = Statistic::Survival { endpoint: "event_free".into(), cuts_months: cuts };
        let asked = [
            (Statistic::Count, with(vec![of(parts[0])])),
            (Statistic::Histogram { field: "overall_days".into() }, with(parts.iter().map(|n| of(*n)).collect())),
            (Statistic::Mean { fields: vec!["overall_days".into()] }, FrequencyTable { sums: vec![sum(&values)], ..with(vec![of(total)]) }),
            (survival, FrequencyTable { times: times(rows), ..with(vec![of(total)]) }),
        ];
        for (statistic, table) in asked {
            let [lax, strict] = [lax, strict].map(|conditions| {
                let draft = draft_under(conditions, statistic.clone(), table.clone());
                draft.answer(&draft.states(), Release::ExactAdHoc(SAFEGUARDS))
            });
            let (all, fewer) = (numbers(&lax), numbers(&strict));
            for (place, number) in &fewer {
                prop_assert_eq!(all.get(place), Some(number), "{} of {}", place, statistic.name());
            }
        }
    }

    #[test]
    fn hidden_cuts_carry_no_number(rows in stratum(), cuts in cut_list()) {
        let total: u64 = rows.values().map(|persons| u64::from(*persons)).sum();
        let mut ended = 0;
        for cut in survival(&times(rows), &cuts).cuts {
            let going_on = |sum: u64| total - sum;
            ended += cut.events.exact().unwrap_or(0) + cut.withdrawn.exact().unwrap_or(0);
            if let Some(n) = cut.at_risk.exact() {
                let on_one_day = n - going_on(ended);
                prop_assert!(on_one_day == 0 || on_one_day >= 5, "{on_one_day} ended on the day of month {}", cut.month);
            }
            if let Cell::Refused { reason } = cut.events {
                prop_assert_eq!(cut.merged, reason == Withheld::Merged);
                prop_assert_eq!((cut.at_risk, cut.withdrawn), (cut.events, cut.events));
                prop_assert_eq!((cut.survival, cut.standard_error, cut.lower, cut.upper), (None, None, None, None));
            }
        }
    }
}

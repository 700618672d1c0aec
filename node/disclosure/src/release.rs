//! Opens the seal and releases an answer: the one way from exact numbers to something that may leave.

use node_protocol::{
    answer::{Answer, Boundaries, CountAnswer, CountCell, Cut, GroupKey, SurvivalAnswer, SurvivalGroup},
    cell::{Cell, Withheld},
    outgoing::Outgoing,
    query::{Query, Statistic},
    release::{Release, Safeguards},
};
use node_statistics::{
    frequency::{FrequencyTable, GroupTotal, TimeCount},
    survival::{self, Interval},
};
use serde::{Serialize, Serializer};

use crate::{coarsening, confidential::Confidential};

/// A value that disclosure control let go. Made only by this crate.
///
/// ```compile_fail,E0423
/// let forged = node_disclosure::release::Released(7_u64);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Released<T>(T);

impl<T> Released<T> {
    /// The value, which may be shown to anybody.
    #[must_use]
    pub fn get(&self) -> &T {
        &self.0
    }
}

impl<T: Serialize> Serialize for Released<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<T: Serialize> Outgoing for Released<T> {}

/// Releases the answer to an ad hoc query with exact numbers: threshold, canonical coarsening and tail cut.
///
/// `groups` are the keys of the table's groups, in its order.
#[must_use]
pub fn release(query: &Query, groups: &[GroupKey], sealed: Confidential<FrequencyTable>) -> Released<Answer> {
    let (table, safeguards) = sealed.open();
    Released(answer(query, groups, &table, safeguards, Release::ExactAdHoc(safeguards)))
}

/// Releases an indicator of the catalogue. Every indicator that ships is one table of its own that shares no cell with another,
/// so the threshold alone protects it.
#[must_use]
pub fn release_indicator(query: &Query, groups: &[GroupKey], sealed: Confidential<FrequencyTable>) -> Released<Answer> {
    let (table, safeguards) = sealed.open();
    Released(answer(query, groups, &table, safeguards, Release::Catalogue(safeguards)))
}

fn answer(
    query: &Query,
    groups: &[GroupKey],
    table: &FrequencyTable,
    safeguards: Safeguards,
    release: Release,
) -> Answer {
    let totals = groups.iter().zip(&table.groups);
    match &query.statistic {
        Statistic::Count => Answer::Count(CountAnswer {
            release,
            cells: totals.map(|(group, total)| count_cell(group.clone(), *total, safeguards)).collect(),
        }),
        Statistic::Survival { endpoint, cuts_months } => Answer::Survival(SurvivalAnswer {
            release,
            endpoint: endpoint.clone(),
            groups: totals
                .enumerate()
                .map(|(at, (group, total))| {
                    survival_group(group.clone(), *total, table.times_of(at), cuts_months, safeguards)
                })
                .collect(),
        }),
    }
}

/// Shows `n` only from the threshold on; zero and small look alike.
fn threshold(n: u64, safeguards: Safeguards) -> Cell {
    let k = u64::from(safeguards.persons);
    if n >= k { Cell::Exact { n } } else { Cell::Banded { low: 0, high: k.saturating_sub(1) } }
}

fn count_cell(group: GroupKey, total: GroupTotal, safeguards: Safeguards) -> CountCell {
    let persons = threshold(total.persons, safeguards);
    // the difference counts persons with several tumours, so it is a small cell too
    let more = total.rows - total.persons;
    let cases =
        (persons.exact().is_some() && more >= u64::from(safeguards.persons)).then_some(Cell::Exact { n: total.rows });
    CountCell { group, persons, cases }
}

/// The number at risk just before a cut that falls on a whole day includes those who end on that day; beside the number that goes
/// on it tells how many those are, so it is withheld where they are few.
fn at_risk(interval: &Interval, safeguards: Safeguards) -> Cell {
    let going_on = interval.entering - interval.events - interval.withdrawn;
    let on_that_day = interval.at_risk_at_end - going_on;
    if on_that_day == 0 || on_that_day >= u64::from(safeguards.persons) {
        Cell::Exact { n: interval.at_risk_at_end }
    } else {
        Cell::Refused { reason: Withheld::OneDay }
    }
}

fn survival_group(
    group: GroupKey,
    total: GroupTotal,
    times: &[TimeCount],
    asked: &[u16],
    safeguards: Safeguards,
) -> SurvivalGroup {
    let persons = threshold(total.persons, safeguards);
    let missing = threshold(total.missing_time, safeguards);
    if persons.exact().is_none() {
        return SurvivalGroup { group, persons, missing, cuts: Vec::new(), boundaries: Boundaries::default() };
    }
    let boundaries = coarsening::boundaries(times, safeguards);
    let shown: Vec<u16> = asked.iter().copied().filter(|cut| boundaries.contains(cut)).collect();
    let table = survival::share(times, &shown);
    let mut points = table.iter().zip(survival::curve(&table)).peekable();
    let cuts = asked
        .iter()
        .map(|&month| {
            let merged = boundaries.last().is_some_and(|last| month < *last);
            let hidden = Cut::hidden(month, if merged { Withheld::Merged } else { Withheld::TailCut });
            let Some((interval, point)) = points.next_if(|(interval, _)| interval.to_month == month) else {
                return hidden;
            };
            Cut {
                at_risk: at_risk(interval, safeguards),
                events: Cell::Exact { n: interval.events },
                withdrawn: Cell::Exact { n: interval.withdrawn },
                merged: false,
                survival: Some(point.survival),
                standard_error: point.standard_error,
                lower: point.limits.map(|limits| limits.0),
                upper: point.limits.map(|limits| limits.1),
                ..hidden
            }
        })
        .collect();
    let table = survival::share(times, &boundaries);
    let boundaries = Boundaries {
        months: boundaries,
        events: table.iter().map(|interval| interval.events).collect(),
        withdrawn: table.iter().map(|interval| interval.withdrawn).collect(),
        survival: survival::curve(&table).iter().map(|point| point.survival).collect(),
    };
    SurvivalGroup { group, persons, missing, cuts, boundaries }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SAFEGUARDS: Safeguards = Safeguards { persons: 5, events: 3, at_risk: 10 };

    fn query(statistic: Statistic) -> Query {
        Query {
            dictionary: "1.0".into(),
            project: None,
            table: "cases".into(),
            conditions: vec![],
            by: vec![],
            statistic,
        }
    }

    fn survival(times: &[TimeCount], cuts: &[u16]) -> SurvivalGroup {
        let persons: u64 = times.iter().map(|time| u64::from(time.persons)).sum();
        let groups = vec![GroupTotal { rows: persons, persons, ..GroupTotal::default() }];
        let sealed = Confidential::seal(FrequencyTable { groups, times: times.to_vec() }, SAFEGUARDS);
        let statistic = Statistic::Survival { endpoint: "event_free".into(), cuts_months: cuts.to_vec() };
        match release(&query(statistic), &[GroupKey::new()], sealed).0 {
            Answer::Survival(mut answer) => answer.groups.remove(0),
            Answer::Count(_) => unreachable!("asked for survival"),
        }
    }

    fn count(total: GroupTotal) -> CountCell {
        let sealed = Confidential::seal(FrequencyTable { groups: vec![total], times: vec![] }, SAFEGUARDS);
        match release(&query(Statistic::Count), &[GroupKey::new()], sealed).0 {
            Answer::Count(mut answer) => answer.cells.remove(0),
            Answer::Survival(_) => unreachable!("asked for a count"),
        }
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

    #[test]
    fn cases_are_shown_only_where_the_difference_is_no_small_cell() {
        assert_eq!(count(GroupTotal { rows: 23, persons: 20, ..GroupTotal::default() }).cases, None);
        assert_eq!(
            count(GroupTotal { rows: 25, persons: 20, ..GroupTotal::default() }).cases,
            Some(Cell::Exact { n: 25 })
        );
    }

    #[test]
    fn fewer_than_the_threshold_release_nothing_but_a_band() {
        let group = survival(&[TimeCount { group: 0, day: 100, cause: 1, persons: 4 }], &[12, 60]);
        assert_eq!(group.persons, Cell::Banded { low: 0, high: 4 });
        assert!(group.cuts.is_empty());
    }

    #[test]
    fn the_number_at_risk_does_not_tell_who_ended_on_the_day_of_the_cut() {
        // month 48 is day 1461 exactly: of 100 children, some end on that very day
        for (on_that_day, shown) in [(0, true), (1, false), (4, false), (5, true)] {
            let time = |day, cause, persons| TimeCount { group: 0, day, cause, persons };
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
        rows.into_iter().map(|((day, cause), rows)| TimeCount { group: 0, day, cause, persons: rows }).collect()
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
}

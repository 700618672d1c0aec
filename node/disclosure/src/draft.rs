//! An exact answer before it is audited: what each cell would show, and why a cell may not be shown.

use std::collections::{BTreeMap, BTreeSet};

use node_domain::dictionary::Unit;
use node_protocol::{
    answer::{
        Answer, Boundaries, CountAnswer, CountCell, Cut, GroupKey, HistogramAnswer, HistogramGroup, MeanAnswer,
        MeanGroup, MeanValue, SurvivalAnswer, SurvivalGroup,
    },
    cell::{Cell, Withheld},
    query::{Query, Statistic},
    release::{Conditions, Dominance, Release, Safeguards},
};
use node_statistics::{
    frequency::{FrequencyTable, Sum},
    survival::{self, Interval},
};

use crate::{
    between::{self, Earlier, Kept},
    coarsening,
    confidential::Confidential,
    layout::{Counts, Layout, State, boundaries_of, states_of},
    release::Counted,
};

/// An exact answer that has not left. Holds open numbers: no `Debug`, no `Serialize`, private fields.
pub struct Draft {
    query: Query,
    groups: Vec<GroupKey>,
    lower_edges: Vec<u16>,
    table: FrequencyTable,
    conditions: Conditions,
    boundaries: Vec<Vec<u16>>,
    layout: Layout,
    kept: Vec<Option<Kept>>,
    /// Cells that stay hidden because they were before.
    stay_hidden: BTreeSet<usize>,
}

impl Draft {
    /// Opens what was counted.
    #[must_use]
    pub fn of(counted: Counted<'_>) -> Self {
        let Counted { query, groups, lower_edges, sealed } = counted;
        let (table, conditions) = sealed.open();
        let safeguards = conditions.safeguards;
        let (boundaries, layout) = match &query.statistic {
            Statistic::Count => (Vec::new(), Layout::Groups { groups: groups.len() }),
            Statistic::Histogram { .. } => {
                (Vec::new(), Layout::Bins { groups: groups.len(), bins: lower_edges.len() + 1 })
            }
            Statistic::Mean { fields } => (Vec::new(), Layout::Values { groups: groups.len(), fields: fields.len() }),
            Statistic::Survival { .. } => {
                let curve = |group: usize| {
                    let shown = table.groups[group].persons >= u64::from(safeguards.persons);
                    if shown { coarsening::boundaries(table.times_of(group), safeguards) } else { Vec::new() }
                };
                let boundaries: Vec<Vec<u16>> = (0..groups.len()).map(curve).collect();
                let layout = Layout::curves(boundaries.iter().map(Vec::as_slice));
                (boundaries, layout)
            }
        };
        let kept = vec![None; groups.len()];
        let stay_hidden = BTreeSet::new();
        Self { query: query.clone(), groups, lower_edges, table, conditions, boundaries, layout, kept, stay_hidden }
    }

    /// The boundaries of its curves, one list per group; none of other statistics. They depend on the data and are shown with the
    /// answer.
    #[must_use]
    pub fn boundaries(&self) -> &[Vec<u16>] {
        &self.boundaries
    }

    /// How its cells are numbered.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The query.
    #[must_use]
    pub fn query(&self) -> &Query {
        &self.query
    }

    /// The conditions of its permit.
    #[must_use]
    pub fn conditions(&self) -> Conditions {
        self.conditions
    }

    /// Keeps the earlier numbers of the groups in which fewer persons than the threshold have changed since; without `changed`, where
    /// the earlier snapshot is gone, of all groups whose numbers are from there. A group that keeps some already does not change.
    pub fn keep_earlier(&mut self, earlier: Earlier<'_>, changed: Option<Confidential<Vec<u64>>>) {
        let changed = changed.map(|changed| changed.open().0);
        let kept = between::kept(&earlier, &self.groups, changed.as_deref(), self.conditions.safeguards.persons);
        for (own, kept) in self.kept.iter_mut().zip(kept) {
            if own.is_none() {
                *own = kept;
            }
        }
    }

    /// Keeps hidden what an answer to the same question on the same snapshot hid to protect others, unless that was under stricter
    /// thresholds: there are many ways to hide the same numbers, and a tighter policy must not show a second one. Answers whether it
    /// did: then this draft tells nothing that the answer has not told.
    pub fn keep_hidden(&mut self, before: &Answer) -> bool {
        let (Release::Catalogue(was) | Release::ExactAdHoc(was)) = before.release() else { return false };
        let now = self.conditions.safeguards;
        let stricter_before = was.persons > now.persons || was.events > now.events || was.at_risk > now.at_risk;
        // the groups may be in another order: that of another spelling of the same question
        let own: BTreeMap<&GroupKey, usize> = self.groups.iter().zip(0..).collect();
        let places: Option<Vec<usize>> = before.group_keys().iter().map(|key| own.get(key).copied()).collect();
        let Some(places) = places.filter(|places| !stricter_before && places.len() == self.groups.len()) else {
            return false;
        };
        let (layout, states) = states_of(before);
        let hidden = |state: State| matches!(state, State::Complementary { .. } | State::Unmarked);
        for (cell, _) in states.iter().enumerate().filter(|(_, state)| hidden(**state)) {
            let own = match layout.counts(cell) {
                Some(Counts::Persons { group }) => self.layout.persons(places[group]),
                Some(Counts::Missing { group }) => self.layout.missing(places[group]),
                Some(Counts::Value { group, field: part } | Counts::Bin { group, bin: part }) => {
                    self.layout.part(places[group], part)
                }
                Some(Counts::Events { .. }) | None => continue,
            };
            self.stay_hidden.insert(own);
        }
        let curves = boundaries_of(before);
        for (_, group) in curves.iter().zip(places).filter(|(months, _)| months.is_empty()) {
            self.stay_hidden.extend((0..self.boundaries[group].len()).map(|at| self.layout.events(group, at)));
        }
        true
    }

    /// How many groups keep an earlier number.
    #[must_use]
    pub fn kept(&self) -> usize {
        self.kept.iter().flatten().count()
    }

    /// The cells that are hidden for being small, in the order of the layout. Which they are is shown with the answer.
    #[must_use]
    pub fn hidden(&self) -> Vec<usize> {
        let states = self.states();
        (0..states.len()).filter(|cell| states[*cell].may_be_small()).collect()
    }

    /// What thresholds and dominance alone say of each cell, in the order of the layout.
    pub(crate) fn states(&self) -> Vec<State> {
        let mut states = vec![State::Absent; self.layout.len()];
        for group in (0..self.groups.len()).filter(|group| self.kept[*group].is_none()) {
            match &self.layout {
                Layout::Groups { .. } => states[group] = self.by_size(self.table.groups[group].persons),
                Layout::Bins { bins, .. } => {
                    for bin in 0..*bins {
                        let cell = self.layout.part(group, bin);
                        states[cell] = self.by_size(self.table.groups[cell].persons);
                    }
                }
                Layout::Values { fields, .. } => {
                    for field in 0..*fields {
                        let cell = self.layout.part(group, field);
                        states[cell] = self.by_size(self.table.sums[cell].persons);
                    }
                }
                Layout::Curves { .. } => {
                    let total = self.table.groups[group];
                    states[self.layout.persons(group)] = self.by_size(total.persons);
                    states[self.layout.missing(group)] = self.by_size(total.missing_time);
                    for interval in 0..self.boundaries[group].len() {
                        states[self.layout.events(group, interval)] = State::Shown;
                    }
                }
            }
        }
        for &cell in &self.stay_hidden {
            if states[cell] == State::Shown {
                states[cell] = State::Complementary { least: u64::from(self.conditions.safeguards.persons) };
            }
        }
        states
    }

    fn by_size(&self, persons: u64) -> State {
        let below = u64::from(self.conditions.safeguards.persons);
        if persons >= below { State::Shown } else { State::Banded { below } }
    }

    /// How much would be lost with a cell: its persons.
    pub(crate) fn cost(&self, cell: usize) -> u64 {
        match self.layout.counts(cell) {
            Some(Counts::Persons { group } | Counts::Events { group, .. }) => self.table.groups[group].persons,
            Some(Counts::Missing { group }) => self.table.groups[group].missing_time,
            Some(Counts::Bin { .. }) => self.table.groups[cell].persons,
            Some(Counts::Value { .. }) => self.table.sums[cell].persons,
            None => 0,
        }
    }

    /// The answer with each cell as `states` say.
    pub(crate) fn answer(&self, states: &[State], release: Release) -> Answer {
        let answer = match &self.query.statistic {
            Statistic::Count => Answer::Count(CountAnswer { release, cells: self.count(states) }),
            Statistic::Histogram { field } => Answer::Histogram(HistogramAnswer {
                release,
                field: field.clone(),
                lower_edges: self.lower_edges.clone(),
                groups: self.histogram(states),
            }),
            Statistic::Mean { fields } => {
                Answer::Mean(MeanAnswer { release, fields: fields.clone(), groups: self.means(states, fields.len()) })
            }
            Statistic::Survival { endpoint, cuts_months } => Answer::Survival(SurvivalAnswer {
                release,
                endpoint: endpoint.clone(),
                groups: (0..self.groups.len()).map(|group| self.curve(group, states, cuts_months)).collect(),
            }),
        };
        between::with_kept(answer, &self.kept)
    }

    fn cell(n: u64, state: State) -> Cell {
        match state {
            State::Shown => Cell::Exact { n },
            State::Banded { below } => Cell::Banded { low: 0, high: below.saturating_sub(1) },
            State::Complementary { .. } | State::Absent => Cell::Refused { reason: Withheld::Complementary },
            State::Unmarked => Cell::Refused { reason: Withheld::Unspecified },
        }
    }

    fn count(&self, states: &[State]) -> Vec<CountCell> {
        let cells = self.groups.iter().zip(&self.table.groups).zip(states);
        cells
            .map(|((group, total), state)| {
                let persons = Self::cell(total.persons, *state);
                // rows beside persons would tell how many have several: a small cell that no table protects
                let public = self.conditions.unit == Unit::None;
                let cases = (public && total.rows > total.persons).then_some(Cell::Exact { n: total.rows });
                CountCell { group: group.clone(), persons, cases, as_of: None }
            })
            .collect()
    }

    fn histogram(&self, states: &[State]) -> Vec<HistogramGroup> {
        let bins = self.lower_edges.len();
        let cell = |at: usize| Self::cell(self.table.groups[at].persons, states[at]);
        let group = |at: usize| HistogramGroup {
            group: self.groups[at].clone(),
            bins: (0..bins).map(|bin| cell(self.layout.part(at, bin))).collect(),
            missing: cell(self.layout.part(at, bins)),
            as_of: None,
        };
        (0..self.groups.len()).map(group).collect()
    }

    fn means(&self, states: &[State], fields: usize) -> Vec<MeanGroup> {
        let value = |at: usize| self.mean(&self.table.sums[at], states[at]);
        let group = |at: usize| MeanGroup {
            group: self.groups[at].clone(),
            values: (0..fields).map(|field| value(self.layout.part(at, field))).collect(),
            as_of: None,
        };
        (0..self.groups.len()).map(group).collect()
    }

    fn mean(&self, sum: &Sum, state: State) -> MeanValue {
        let persons = Self::cell(sum.persons, state);
        let withheld = dominates(sum, self.conditions.dominance) || too_small(sum, self.conditions.safeguards);
        let shown = state == State::Shown && !withheld;
        // of persons, rows beside them would tell how many have several; and squares beside a sum how many have each value
        let rows = if self.conditions.unit == Unit::Person { sum.persons } else { sum.rows };
        let squares = (self.conditions.unit != Unit::Person).then_some(sum.sum_of_squares as f64);
        MeanValue {
            persons,
            rows: if shown { Cell::Exact { n: rows } } else { persons_or_none(persons) },
            sum: shown.then_some(sum.sum),
            sum_of_squares: squares.filter(|_| shown),
            withheld: (state == State::Shown && withheld).then_some(Withheld::Dominance),
        }
    }

    fn curve(&self, group: usize, states: &[State], asked: &[u16]) -> SurvivalGroup {
        let (total, boundaries) = (self.table.groups[group], &self.boundaries[group]);
        let persons = Self::cell(total.persons, states[self.layout.persons(group)]);
        let missing = Self::cell(total.missing_time, states[self.layout.missing(group)]);
        let key = self.groups[group].clone();
        let empty = |cuts| SurvivalGroup {
            group: key.clone(),
            persons,
            missing,
            cuts,
            boundaries: Boundaries::default(),
            as_of: None,
        };
        if persons.exact().is_none() {
            return empty(Vec::new());
        }
        let whole = (0..boundaries.len()).all(|at| states[self.layout.events(group, at)] == State::Shown);
        if !whole {
            return empty(asked.iter().map(|month| Cut::hidden(*month, Withheld::Complementary)).collect());
        }
        let times = self.table.times_of(group);
        let shown: Vec<u16> = asked.iter().copied().filter(|cut| boundaries.contains(cut)).collect();
        let table = survival::share(times, &shown);
        let mut points = table.iter().zip(survival::curve(&table)).peekable();
        let cuts = asked.iter().map(|&month| {
            let merged = boundaries.last().is_some_and(|last| month < *last);
            let hidden = Cut::hidden(month, if merged { Withheld::Merged } else { Withheld::TailCut });
            let Some((interval, point)) = points.next_if(|(interval, _)| interval.to_month == month) else {
                return hidden;
            };
            Cut {
                at_risk: at_risk(interval, self.conditions.safeguards),
                events: Cell::Exact { n: interval.events },
                withdrawn: Cell::Exact { n: interval.withdrawn },
                merged: false,
                survival: Some(point.survival),
                standard_error: point.standard_error,
                lower: point.limits.map(|limits| limits.0),
                upper: point.limits.map(|limits| limits.1),
                ..hidden
            }
        });
        let cuts = cuts.collect();
        let table = survival::share(times, boundaries);
        let boundaries = Boundaries {
            months: boundaries.clone(),
            events: table.iter().map(|interval| interval.events).collect(),
            withdrawn: table.iter().map(|interval| interval.withdrawn).collect(),
            survival: survival::curve(&table).iter().map(|point| point.survival).collect(),
        };
        SurvivalGroup { group: key, persons, missing, cuts, boundaries, as_of: None }
    }
}

fn persons_or_none(persons: Cell) -> Cell {
    match persons {
        Cell::Exact { .. } => Cell::Refused { reason: Withheld::Dominance },
        other => other,
    }
}

/// Whether a sum is so small that fewer units than the threshold may have made it, or that nobody did.
pub(crate) fn too_small(sum: &Sum, safeguards: Safeguards) -> bool {
    sum.sum < u64::from(safeguards.persons)
}

/// Whether one or two contributors make up too much of a sum: the dominance rule with one contributor and the p % rule
/// (Hundepool et al. 2012, section 4.2.2).
pub(crate) fn dominates(sum: &Sum, rules: Dominance) -> bool {
    if sum.sum == 0 {
        return false;
    }
    let rest = sum.sum.saturating_sub(sum.largest).saturating_sub(sum.second);
    let share = u128::from(sum.largest) * 100 > u128::from(sum.sum) * u128::from(rules.largest_percent);
    let p = u128::from(rest) * 100 < u128::from(sum.largest) * u128::from(rules.p_percent);
    share || p
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

#[cfg(test)]
mod tests {
    use node_protocol::release::Way;
    use node_statistics::frequency::{GroupTotal, TimeCount};
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
}

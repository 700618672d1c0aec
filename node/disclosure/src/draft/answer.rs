//! The answer that a draft becomes, each cell as it may be shown.

use node_domain::dictionary::Unit;
use node_protocol::{
    answer::{
        Answer, Boundaries, CountAnswer, CountCell, Cut, HistogramAnswer, HistogramGroup, MeanAnswer, MeanGroup,
        MeanValue, SurvivalAnswer, SurvivalGroup,
    },
    cell::{Cell, Withheld},
    query::Statistic,
    release::{Release, Safeguards},
};
use node_statistics::{
    frequency::Sum,
    survival::{self, Interval},
};

use super::Draft;
use crate::{
    between,
    dominance::{dominates, too_small},
    layout::State,
};

impl Draft {
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

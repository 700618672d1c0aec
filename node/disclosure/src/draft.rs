//! An exact answer before it is audited: what each cell would show, and why a cell may not be shown.

mod answer;

use std::collections::{BTreeMap, BTreeSet};

use node_protocol::{
    answer::{Answer, GroupKey},
    query::{Query, Statistic},
    release::{Conditions, Release},
};
use node_statistics::frequency::FrequencyTable;

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
}

#[cfg(test)]
mod tests;

//! How the cells of one answer are numbered, so that the engine's membership patterns and the answers' states speak of the same.

use node_protocol::{
    answer::Answer,
    cell::{Cell, Withheld},
    release::Release,
};

/// The cells of one answer in a fixed order; every cell is a set of persons (or hospitals).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Layout {
    /// Counts: one cell per group.
    Groups {
        /// Number of groups.
        groups: usize,
    },
    /// Histograms: the bins of each group, the missing one last.
    Bins {
        /// Number of groups.
        groups: usize,
        /// Bins of each, the missing one included.
        bins: usize,
    },
    /// Means: the fields of each group; a cell is those with a value.
    Values {
        /// Number of groups.
        groups: usize,
        /// Fields of each.
        fields: usize,
    },
    /// Life tables: of each group those with a time, those without, and those with an event in each interval, of which there is one
    /// more than there are boundaries: the open one at the end.
    Curves {
        /// First cell of each group, and past the end of the last.
        starts: Vec<usize>,
    },
}

/// What a cell counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counts {
    /// Those of a group; of a life table those with a time.
    Persons {
        /// Group.
        group: usize,
    },
    /// Those of a group that lack the time.
    Missing {
        /// Group.
        group: usize,
    },
    /// Those of a group with an event of any cause in one interval.
    Events {
        /// Group.
        group: usize,
        /// Interval, from 0; the one after the last boundary is the last.
        interval: usize,
    },
    /// Those of a group with a value.
    Value {
        /// Group.
        group: usize,
        /// Place of the field in the query.
        field: usize,
    },
    /// Those of a group with a value in one bin, the missing one last.
    Bin {
        /// Group.
        group: usize,
        /// Bin.
        bin: usize,
    },
}

impl Layout {
    /// The layout of life tables with these boundaries, one list per group.
    #[must_use]
    pub fn curves<'b>(boundaries: impl Iterator<Item = &'b [u16]>) -> Self {
        let mut next = 0;
        let mut starts = vec![next];
        for months in boundaries {
            next += months.len() + 3;
            starts.push(next);
        }
        Self::Curves { starts }
    }

    /// Number of cells.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Groups { groups } => *groups,
            Self::Bins { groups, bins } => groups * bins,
            Self::Values { groups, fields } => groups * fields,
            Self::Curves { starts } => starts.last().copied().unwrap_or(0),
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Those of a group; of a life table those with a time.
    #[must_use]
    pub fn persons(&self, group: usize) -> usize {
        match self {
            Self::Curves { starts } => starts[group],
            _ => group,
        }
    }

    /// Those of a group that lack the time; only of life tables.
    #[must_use]
    pub fn missing(&self, group: usize) -> usize {
        self.persons(group) + 1
    }

    /// Those of a group with an event in an interval; only of life tables.
    #[must_use]
    pub fn events(&self, group: usize, interval: usize) -> usize {
        self.persons(group) + 2 + interval
    }

    /// The bin of a histogram's group, or the field of a mean's.
    #[must_use]
    pub fn part(&self, group: usize, part: usize) -> usize {
        match self {
            Self::Bins { bins: parts, .. } | Self::Values { fields: parts, .. } => group * parts + part,
            Self::Groups { .. } | Self::Curves { .. } => group,
        }
    }

    /// What a cell counts; none past the last cell.
    #[must_use]
    pub fn counts(&self, cell: usize) -> Option<Counts> {
        if cell >= self.len() {
            return None;
        }
        Some(match self {
            Self::Groups { .. } => Counts::Persons { group: cell },
            Self::Bins { bins, .. } => Counts::Bin { group: cell / bins, bin: cell % bins },
            Self::Values { fields, .. } => Counts::Value { group: cell / fields, field: cell % fields },
            Self::Curves { starts } => {
                let group = starts.partition_point(|start| *start <= cell) - 1;
                match cell - starts[group] {
                    0 => Counts::Persons { group },
                    1 => Counts::Missing { group },
                    event => Counts::Events { group, interval: event - 2 },
                }
            }
        })
    }

    /// Whether the cell counts those of a group that lack the time or the value.
    #[must_use]
    pub fn counts_missing(&self, cell: usize) -> bool {
        match (self, self.counts(cell)) {
            (Self::Bins { bins, .. }, Some(Counts::Bin { bin, .. })) => bin + 1 == *bins,
            (_, counts) => matches!(counts, Some(Counts::Missing { .. })),
        }
    }

    /// The group whose events the cell counts, where it counts events.
    #[must_use]
    pub fn event_group(&self, cell: usize) -> Option<usize> {
        match self.counts(cell) {
            Some(Counts::Events { group, .. }) => Some(group),
            _ => None,
        }
    }
}

/// What became of one cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Its exact number is shown.
    Shown,
    /// It is banded.
    Banded {
        /// It holds fewer than these: the threshold.
        below: u64,
    },
    /// It is hidden to protect others.
    Complementary {
        /// It holds so many at least: the threshold.
        least: u64,
    },
    /// It is hidden, and whether for being small or to protect others is not told.
    Unmarked,
    /// It is in no answer: the open end of a curve, a curve that is not shown, a number of an earlier snapshot.
    Absent,
}

impl State {
    /// Whether the cell may hold fewer than the threshold: nobody is told that it does not.
    #[must_use]
    pub fn may_be_small(self) -> bool {
        matches!(self, Self::Banded { .. } | Self::Unmarked)
    }

    fn of(cell: Cell, threshold: u64) -> Self {
        match cell {
            Cell::Exact { .. } => Self::Shown,
            Cell::Banded { high, .. } => Self::Banded { below: high.saturating_add(1) },
            Cell::Refused { reason: Withheld::Complementary } => Self::Complementary { least: threshold },
            Cell::Refused { reason: Withheld::Unspecified } => Self::Unmarked,
            Cell::Perturbed { .. } | Cell::Refused { .. } => Self::Absent,
        }
    }
}

/// The layout of an answer that was released, and what became of its cells.
#[must_use]
pub fn states_of(answer: &Answer) -> (Layout, Vec<State>) {
    let threshold = match answer.release() {
        Release::Catalogue(safeguards) | Release::ExactAdHoc(safeguards) => u64::from(safeguards.persons),
        Release::Perturbed { .. } | Release::DifferentiallyPrivate { .. } => 0,
    };
    let state_of = |cell: Cell| State::of(cell, threshold);
    match answer {
        Answer::Count(answer) => {
            let state = |earlier: bool, cell| if earlier { State::Absent } else { state_of(cell) };
            let states = answer.cells.iter().map(|cell| state(cell.as_of.is_some(), cell.persons)).collect();
            (Layout::Groups { groups: answer.cells.len() }, states)
        }
        Answer::Histogram(answer) => {
            let bins = answer.lower_edges.len() + 1;
            let states = answer.groups.iter().flat_map(|group| {
                let cells = group.bins.iter().chain([&group.missing]);
                cells.map(|cell| if group.as_of.is_some() { State::Absent } else { state_of(*cell) })
            });
            (Layout::Bins { groups: answer.groups.len(), bins }, states.collect())
        }
        Answer::Mean(answer) => {
            let states = answer.groups.iter().flat_map(|group| {
                let earlier = group.as_of.is_some();
                group.values.iter().map(move |value| if earlier { State::Absent } else { state_of(value.persons) })
            });
            (Layout::Values { groups: answer.groups.len(), fields: answer.fields.len() }, states.collect())
        }
        Answer::Survival(answer) => {
            let layout = Layout::curves(answer.groups.iter().map(|group| group.boundaries.months.as_slice()));
            let mut states = vec![State::Absent; layout.len()];
            for (at, group) in answer.groups.iter().enumerate().filter(|(_, group)| group.as_of.is_none()) {
                states[layout.persons(at)] = state_of(group.persons);
                states[layout.missing(at)] = state_of(group.missing);
                for interval in 0..group.boundaries.months.len() {
                    states[layout.events(at, interval)] = State::Shown;
                }
            }
            (layout, states)
        }
    }
}

/// The boundaries of the curves of an answer that was released, one list per group; none of other answers.
#[must_use]
pub fn boundaries_of(answer: &Answer) -> Vec<Vec<u16>> {
    match answer {
        Answer::Survival(answer) => answer.groups.iter().map(|group| group.boundaries.months.clone()).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_of_curves_are_numbered_once_each() {
        let boundaries: [&[u16]; 3] = [&[12, 60], &[], &[36]];
        let layout = Layout::curves(boundaries.into_iter());
        let mut cells = Vec::new();
        for (group, boundaries) in boundaries.map(<[_]>::len).into_iter().enumerate() {
            cells.extend([layout.persons(group), layout.missing(group)]);
            for interval in 0..=boundaries {
                cells.push(layout.events(group, interval));
                assert_eq!(layout.event_group(layout.events(group, interval)), Some(group));
            }
            assert_eq!(layout.event_group(layout.missing(group)), None);
        }
        cells.sort_unstable();
        assert_eq!(cells, (0..layout.len()).collect::<Vec<_>>());
    }
}

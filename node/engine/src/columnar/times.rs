//! Counters of days and causes: an array where it is small enough, otherwise a list to be sorted.

use node_snapshot::columns::MISSING_NUMBER;
use node_statistics::frequency::TimeCount;

use super::Plan;

/// Up to this many (group, day, cause) counters they may be kept in an array; beyond, the rows are sorted.
const DENSE_TIMES: usize = 4 << 20;
/// Fewer rows than this share of the counters are sorted too: clearing and reading the array would cost more.
const ROWS_PER_COUNTER: usize = 4;

pub(super) enum Times {
    None,
    Dense(Dense),
    /// One entry per row, to be sorted.
    Listed {
        counted: Vec<Ended>,
        taken_back: Vec<Ended>,
    },
}

/// Counter of (group, day, cause) in row-major order. One group more takes the rows that do not pass, one day and one cause more
/// those that lack them, so that counting has no branch.
pub(super) struct Dense {
    days: usize,
    causes: usize,
    counters: Vec<u32>,
    /// Key sums in the same order; empty unless keys were asked for.
    keys: Vec<u64>,
}

/// How the time of one row ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ended {
    pub(super) group: u32,
    pub(super) day: u16,
    pub(super) cause: u8,
    /// The person's record key; 0 unless keys were asked for.
    pub(super) key: u32,
}

impl Times {
    /// Whichever is faster for the plan's groups and rows.
    pub(super) fn for_plan(plan: &Plan<'_>) -> Self {
        let Some(endpoint) = &plan.endpoint else { return Self::None };
        let last = endpoint.days.iter().map(|day| if *day == MISSING_NUMBER { 0 } else { *day }).max();
        let (days, causes) = (usize::from(last.unwrap_or(0)) + 2, usize::from(endpoint.cause_count) + 1);
        let size = (plan.grouping.groups() + 1) * days * causes;
        if size <= DENSE_TIMES && size / ROWS_PER_COUNTER <= plan.columns.rows() {
            Self::Dense(Dense::new(plan.grouping.groups(), days, causes, plan.record_keys.is_some()))
        } else {
            Self::listed()
        }
    }

    pub(super) fn listed() -> Self {
        Self::Listed { counted: Vec::new(), taken_back: Vec::new() }
    }

    /// Takes one counted row back.
    pub(super) fn take_back(&mut self, ended: Ended) {
        match self {
            Self::Dense(dense) => {
                let at = (ended.group as usize * dense.days + usize::from(ended.day)) * dense.causes;
                let at = at + usize::from(ended.cause);
                dense.counters[at] -= 1;
                if let Some(keys) = dense.keys.get_mut(at) {
                    *keys = keys.wrapping_sub(u64::from(ended.key));
                }
            }
            Self::Listed { taken_back, .. } => taken_back.push(ended),
            Self::None => {}
        }
    }

    /// All that were counted, by group, day and cause.
    pub(super) fn sorted(self) -> Vec<TimeCount> {
        match self {
            Self::Dense(dense) => dense.sorted(),
            Self::Listed { mut counted, mut taken_back } => {
                counted.sort_unstable();
                taken_back.sort_unstable();
                let mut back = taken_back.iter().peekable();
                counted.chunk_by(Ended::is_alike).filter_map(|alike| count_alike(alike, &mut back)).collect()
            }
            Self::None => Vec::new(),
        }
    }
}

impl Ended {
    fn is_alike(&self, other: &Self) -> bool {
        (self.group, self.day, self.cause) == (other.group, other.day, other.cause)
    }
}

fn count_alike<'e>(
    alike: &[Ended],
    back: &mut std::iter::Peekable<impl Iterator<Item = &'e Ended>>,
) -> Option<TimeCount> {
    let Ended { group, day, cause, .. } = *alike.first()?;
    let mut persons = alike.len();
    let mut key_sum = alike.iter().fold(0_u64, |sum, ended| sum.wrapping_add(u64::from(ended.key)));
    while let Some(taken) = back.next_if(|taken| taken.is_alike(&alike[0])) {
        persons -= 1;
        key_sum = key_sum.wrapping_sub(u64::from(taken.key));
    }
    let persons = u32::try_from(persons).unwrap_or(u32::MAX);
    (persons > 0).then_some(TimeCount { group, day, cause, persons, key_sum })
}

impl Dense {
    pub(super) fn new(groups: usize, days: usize, causes: usize, with_keys: bool) -> Self {
        let size = (groups + 1) * days * causes;
        Self { days, causes, counters: vec![0; size], keys: vec![0; if with_keys { size } else { 0 }] }
    }

    pub(super) fn count(&mut self, groups: &[u32], all_days: &[u16], all_causes: &[u8], keys: Option<&[u32]>) {
        let (days, causes) = (self.days, self.causes);
        let place = |((group, day), cause): ((&u32, &u16), &u8)| {
            let (day, cause) = (usize::from(*day).min(days - 1), usize::from(*cause).min(causes - 1));
            (*group as usize * days + day) * causes + cause
        };
        let rows = groups.iter().zip(all_days).zip(all_causes);
        let Some(keys) = keys else {
            for row in rows {
                self.counters[place(row)] += 1;
            }
            return;
        };
        for (row, key) in rows.zip(keys) {
            let at = place(row);
            self.counters[at] += 1;
            self.keys[at] = self.keys[at].wrapping_add(u64::from(*key));
        }
    }

    /// Rows of a group with a time, and without.
    pub(super) fn rows(&self, group: usize) -> (u64, u64) {
        self.split(&self.counters, group, |rows| u64::from(*rows))
    }

    /// Key sums of the same.
    pub(super) fn keys(&self, group: usize) -> (u64, u64) {
        self.split(&self.keys, group, |keys| *keys)
    }

    fn split<T>(&self, counters: &[T], group: usize, number: impl Fn(&T) -> u64) -> (u64, u64) {
        let sum = |part: &[T]| part.iter().fold(0_u64, |sum, counter| sum.wrapping_add(number(counter)));
        let size = self.days * self.causes;
        let of_group = &counters[group * size..(group + 1) * size];
        let with_day = of_group[..size - self.causes].chunks_exact(self.causes);
        let with_time = with_day.fold(0_u64, |all, of_day| all.wrapping_add(sum(&of_day[..self.causes - 1])));
        (with_time, sum(of_group).wrapping_sub(with_time))
    }

    fn sorted(self) -> Vec<TimeCount> {
        let Self { days, causes, counters, keys } = self;
        let mut times = Vec::new();
        let of_groups = counters.chunks_exact(days * causes);
        let groups = of_groups.len() - 1;
        for (of_group, group) in of_groups.take(groups).zip(0_u32..) {
            for (of_day, day) in of_group[..(days - 1) * causes].chunks_exact(causes).zip(0_u16..) {
                let counted = of_day[..causes - 1].iter().zip(0_u8..).filter(|(persons, _)| **persons > 0);
                times.extend(counted.map(|(persons, cause)| {
                    let at = || (group as usize * days + usize::from(day)) * causes + usize::from(cause);
                    let key_sum = if keys.is_empty() { 0 } else { keys[at()] };
                    TimeCount { group, day, cause, persons: *persons, key_sum }
                }));
            }
        }
        times
    }
}

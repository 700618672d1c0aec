//! The embedded back end: one pass over columns in memory, a block at a time.

use node_disclosure::confidential::Confidential;
use node_domain::dictionary::Kind;
use node_policy::permit::Permitted;
use node_protocol::{
    answer::GroupKey,
    query::{Query, Statistic},
};
use node_snapshot::{
    columns::{Column, Columns, MISSING_NUMBER},
    shelf::Snapshot,
};
use node_statistics::frequency::{FrequencyTable, GroupTotal, TimeCount};

use crate::{filter::Filter, grouping::Grouping};

/// Rows per block: mask, groups and the columns of a few conditions stay in the first-level cache.
const BLOCK: usize = 4096;
/// Up to this many groups, one compare pass per group beats scattered counting.
const COMPARE_PASSES: usize = 8;
/// The group number of a row that is not counted, where groups are numbered in bytes.
const NO_GROUP: u8 = u8::MAX;
/// Up to this many (group, day, cause) counters they may be kept in an array; beyond, the rows are sorted.
const DENSE_TIMES: usize = 4 << 20;
/// Fewer rows than this share of the counters are sorted too: clearing and reading the array would cost more.
const ROWS_PER_COUNTER: usize = 4;

/// A query that cannot be run on this snapshot; the dictionary check makes this a fault of the snapshot.
#[derive(Debug, thiserror::Error)]
pub enum TabulateError {
    /// No such table in the snapshot.
    #[error("the snapshot has no table `{0}`")]
    Table(String),
    /// No such column, or of another type.
    #[error("the snapshot's column `{0}` is not as the dictionary says")]
    Field(String),
}

/// What is counted beside rows and persons.
#[derive(Debug, Clone, Copy, Default)]
pub struct Measures<'q> {
    /// Whether record keys are summed, for cell-key perturbation.
    pub record_keys: bool,
    /// A whole-number field whose sum and sum of squares are taken.
    pub moments_of: Option<&'q str>,
}

/// The exact table of a permitted query, sealed, with the keys of its groups.
///
/// # Errors
/// Where the snapshot lacks a column that the dictionary promises.
///
/// # Privacy
/// The table may tell single patients apart; only disclosure control opens it.
pub fn tabulate(
    snapshot: &Snapshot,
    permitted: &Permitted<'_, Query>,
    measures: Measures<'_>,
) -> Result<(Vec<GroupKey>, Confidential<FrequencyTable>), TabulateError> {
    let query = permitted.query();
    let columns = snapshot.table(&query.table).ok_or_else(|| TabulateError::Table(query.table.clone()))?;
    let plan = Plan::of(permitted, columns, measures)?;
    let table = plan.run();
    Ok((plan.grouping.keys(), Confidential::seal(table, permitted.safeguards())))
}

struct Plan<'c> {
    columns: &'c Columns,
    filter: Filter<'c>,
    grouping: Grouping<'c>,
    endpoint: Option<Endpoint<'c>>,
    record_keys: Option<&'c [u32]>,
    moments_of: Option<&'c [u16]>,
}

struct Endpoint<'c> {
    days: &'c [u16],
    causes: &'c [u8],
    /// Number of causes with `censored`, which is the first; the missing cause follows them.
    cause_count: u8,
}

impl<'c> Plan<'c> {
    fn of(
        permitted: &Permitted<'_, Query>,
        columns: &'c Columns,
        measures: Measures<'_>,
    ) -> Result<Self, TabulateError> {
        let (query, table) = (permitted.query(), permitted.table());
        let numbers = |name: &str| match columns.column(name) {
            Some(Column::Numbers(numbers)) => Ok(numbers.as_slice()),
            _ => Err(TabulateError::Field(name.to_owned())),
        };
        let endpoint = match &query.statistic {
            Statistic::Count => None,
            Statistic::Survival { endpoint, .. } => {
                let absent = || TabulateError::Field(endpoint.clone());
                let names = table.endpoints.get(endpoint).ok_or_else(absent)?;
                let Some(Column::Codes(causes)) = columns.column(&names.event) else { return Err(absent()) };
                let Some(Kind::Code(list)) = table.field(&names.event).map(|field| &field.kind) else {
                    return Err(absent());
                };
                let cause_count = u8::try_from(list.codes.len()).map_err(|_| absent())?;
                Some(Endpoint { days: numbers(&names.days)?, causes, cause_count })
            }
        };
        Ok(Self {
            columns,
            filter: Filter::of(query, table, columns)?,
            grouping: Grouping::of(query, table, columns)?,
            endpoint,
            record_keys: measures.record_keys.then(|| columns.record_keys()),
            moments_of: measures.moments_of.map(numbers).transpose()?,
        })
    }

    fn run(&self) -> FrequencyTable {
        let mut tally = Tally::new(self);
        let mut mask = [0_u8; BLOCK];
        let mut bytes = [0_u8; BLOCK];
        let mut groups = [0_u32; BLOCK];
        let plain = tally.is_plain() && self.grouping.groups() < usize::from(NO_GROUP);
        let mut start = 0;
        while start < self.columns.rows() {
            let length = BLOCK.min(self.columns.rows() - start);
            let mask = &mut mask[..length];
            mask.fill(1);
            self.filter.narrow(start, mask);
            if plain {
                let bytes = &mut bytes[..length];
                self.grouping.assign_bytes(start, bytes);
                tally.count_bytes(bytes, mask);
            } else {
                let groups = &mut groups[..length];
                self.grouping.assign(start, groups);
                tally.count(start, groups, mask);
            }
            start += length;
        }
        tally.finish()
    }

    /// Whether one row is counted: it passes the filter and has the time that the endpoint needs.
    fn counts(&self, row: usize) -> bool {
        let mut one = [1];
        self.filter.narrow(row, &mut one);
        one[0] == 1 && self.endpoint.as_ref().is_none_or(|endpoint| endpoint.has_time(row))
    }
}

impl Endpoint<'_> {
    fn has_time(&self, row: usize) -> bool {
        self.days[row] != MISSING_NUMBER && self.causes[row] < self.cause_count
    }
}

/// The counters of one run.
struct Tally<'p, 'c> {
    plan: &'p Plan<'c>,
    totals: Vec<GroupTotal>,
    /// Rows per group: as many counters as groups and one for the rows that are not counted.
    rows: Vec<u64>,
    times: Times,
}

enum Times {
    None,
    /// Counter of (group, day, cause) in row-major order. One group more takes the rows that do not pass, one day and one cause
    /// more those that lack them, so that counting has no branch.
    Dense {
        days: usize,
        causes: usize,
        counters: Vec<u32>,
    },
    /// One (group, day, cause) per row, to be sorted.
    Listed {
        counted: Vec<(u32, u16, u8)>,
        taken_back: Vec<(u32, u16, u8)>,
    },
}

impl<'p, 'c> Tally<'p, 'c> {
    fn new(plan: &'p Plan<'c>) -> Self {
        let groups = plan.grouping.groups();
        let times = match &plan.endpoint {
            None => Times::None,
            Some(endpoint) => {
                let last = endpoint.days.iter().map(|day| if *day == MISSING_NUMBER { 0 } else { *day }).max();
                let (days, causes) = (usize::from(last.unwrap_or(0)) + 2, usize::from(endpoint.cause_count) + 1);
                let size = (groups + 1) * days * causes;
                if size <= DENSE_TIMES && size / ROWS_PER_COUNTER <= plan.columns.rows() {
                    Times::Dense { days, causes, counters: vec![0; size] }
                } else {
                    Times::listed()
                }
            }
        };
        Self { plan, totals: vec![GroupTotal::default(); groups], rows: vec![0; groups + 1], times }
    }

    /// Whether only rows and persons are counted.
    fn is_plain(&self) -> bool {
        matches!(self.times, Times::None) && self.plan.record_keys.is_none() && self.plan.moments_of.is_none()
    }

    /// Counts rows whose group is one byte: few groups by one vector sum each, more by scattered counters.
    fn count_bytes(&mut self, bytes: &mut [u8], mask: &[u8]) {
        for (group, pass) in bytes.iter_mut().zip(mask) {
            *group |= pass.wrapping_sub(1); // NO_GROUP where the row does not pass
        }
        let groups = self.totals.len();
        if groups <= COMPARE_PASSES {
            for (group, rows) in (0_u8..).zip(&mut self.rows[..groups]) {
                // a byte counter cannot overflow in 255 rows
                let ones = |part: &[u8]| part.iter().map(|byte| u8::from(*byte == group)).sum::<u8>();
                *rows += bytes.chunks(255).map(|part| u64::from(ones(part))).sum::<u64>();
            }
            return;
        }
        // eight rows at a time, most of which a filter leaves out together; two tables, so that equal neighbours do not wait
        let (even, odd) = (&mut [0_u32; 256], &mut [0_u32; 256]);
        let mut eights = bytes.chunks_exact(8);
        for eight in &mut eights {
            if eight == [NO_GROUP; 8] {
                continue;
            }
            for pair in eight.chunks_exact(2) {
                even[usize::from(pair[0])] += 1;
                odd[usize::from(pair[1])] += 1;
            }
        }
        for group in eights.remainder() {
            even[usize::from(*group)] += 1;
        }
        for (rows, (even, odd)) in self.rows[..groups].iter_mut().zip(even.iter().zip(odd.iter())) {
            *rows += u64::from(*even) + u64::from(*odd);
        }
    }

    fn count(&mut self, start: usize, groups: &mut [u32], mask: &[u8]) {
        let plan = self.plan;
        if plan.record_keys.is_some() || plan.moments_of.is_some() {
            self.measure(start, groups, mask);
        }
        // rows that do not pass belong to one group more
        let none = u32::try_from(self.totals.len()).unwrap_or(u32::MAX);
        for (group, pass) in groups.iter_mut().zip(mask) {
            *group = if *pass == 1 { *group } else { none };
        }
        let Some(endpoint) = &plan.endpoint else {
            for group in groups.iter() {
                self.rows[*group as usize] += 1;
            }
            return;
        };
        let end = start + groups.len();
        let (all_days, all_causes) = (&endpoint.days[start..end], &endpoint.causes[start..end]);
        match &mut self.times {
            Times::Dense { days, causes, counters } => {
                for ((group, day), cause) in groups.iter().zip(all_days).zip(all_causes) {
                    let (day, cause) = (usize::from(*day).min(*days - 1), usize::from(*cause).min(*causes - 1));
                    counters[(*group as usize * *days + day) * *causes + cause] += 1;
                }
            }
            Times::Listed { counted, .. } => {
                let rows = groups.iter().zip(all_days).zip(all_causes).filter(|((group, _), _)| **group < none);
                for ((group, day), cause) in rows {
                    if *day == MISSING_NUMBER || *cause >= endpoint.cause_count {
                        self.totals[*group as usize].missing_time += 1;
                    } else {
                        counted.push((*group, *day, *cause));
                        self.rows[*group as usize] += 1;
                    }
                }
            }
            Times::None => {}
        }
    }

    fn measure(&mut self, start: usize, groups: &[u32], mask: &[u8]) {
        let plan = self.plan;
        for (at, group) in groups.iter().enumerate().filter(|(at, _)| mask[*at] == 1) {
            let row = start + at;
            if plan.endpoint.as_ref().is_some_and(|endpoint| !endpoint.has_time(row)) {
                continue;
            }
            let total = &mut self.totals[*group as usize];
            if let Some(keys) = plan.record_keys {
                total.key_sum += u64::from(keys[row]);
            }
            if let Some(value) = plan.moments_of.map(|numbers| numbers[row]).filter(|n| *n != MISSING_NUMBER) {
                total.moments.add(value);
            }
        }
    }

    fn finish(mut self) -> FrequencyTable {
        if let Times::Dense { days, causes, counters } = &self.times {
            let sum = |part: &[u32]| part.iter().map(|rows| u64::from(*rows)).sum::<u64>();
            for (at, of_group) in counters.chunks_exact(days * causes).take(self.totals.len()).enumerate() {
                let with_day = &of_group[..(days - 1) * causes];
                self.rows[at] = with_day.chunks_exact(*causes).map(|of_day| sum(&of_day[..causes - 1])).sum();
                self.totals[at].missing_time = sum(of_group) - self.rows[at];
            }
        }
        for (total, rows) in self.totals.iter_mut().zip(&self.rows) {
            total.rows = *rows;
            total.persons = *rows;
        }
        self.count_persons_once();
        FrequencyTable { groups: self.totals, times: self.times.sorted() }
    }

    /// Takes back the rows of persons who were already counted in the same group, also from their life table: of several tumours
    /// the first counts. They are few.
    fn count_persons_once(&mut self) {
        let plan = self.plan;
        for repeat in plan.columns.repeats() {
            if !plan.counts(repeat.row) {
                continue;
            }
            let group = plan.grouping.group_of(repeat.row);
            let earlier = |row: &usize| plan.grouping.group_of(*row) == group && plan.counts(*row);
            if (repeat.first..repeat.row).any(|row| earlier(&row)) {
                let total = &mut self.totals[group as usize];
                total.persons -= 1;
                if let Some(endpoint) = &plan.endpoint {
                    self.times.take_back(group, endpoint, repeat.row);
                }
                if let Some(keys) = plan.record_keys {
                    total.key_sum -= u64::from(keys[repeat.row]);
                }
            }
        }
    }
}

impl Times {
    fn listed() -> Self {
        Self::Listed { counted: Vec::new(), taken_back: Vec::new() }
    }

    fn take_back(&mut self, group: u32, endpoint: &Endpoint<'_>, row: usize) {
        let (day, cause) = (endpoint.days[row], endpoint.causes[row]);
        match self {
            Self::Dense { days, causes, counters } => {
                let (days, causes) = (*days, *causes);
                counters[(group as usize * days + usize::from(day)) * causes + usize::from(cause)] -= 1;
            }
            Self::Listed { taken_back, .. } => taken_back.push((group, day, cause)),
            Self::None => {}
        }
    }

    fn sorted(self) -> Vec<TimeCount> {
        match self {
            Self::Dense { days, causes, counters } => {
                let mut times = Vec::new();
                let of_groups = counters.chunks_exact(days * causes);
                let groups = of_groups.len() - 1;
                for (of_group, group) in of_groups.take(groups).zip(0_u32..) {
                    for (of_day, day) in of_group[..(days - 1) * causes].chunks_exact(causes).zip(0_u16..) {
                        let counted = of_day[..causes - 1].iter().zip(0_u8..).filter(|(persons, _)| **persons > 0);
                        times.extend(counted.map(|(persons, cause)| TimeCount {
                            group,
                            day,
                            cause,
                            persons: *persons,
                        }));
                    }
                }
                times
            }
            Self::Listed { mut counted, mut taken_back } => {
                counted.sort_unstable();
                taken_back.sort_unstable();
                let mut back = taken_back.iter().peekable();
                counted
                    .chunk_by(|a, b| a == b)
                    .filter_map(|same| {
                        let mut persons = same.len();
                        while back.next_if(|taken| **taken == same[0]).is_some() {
                            persons -= 1;
                        }
                        let (group, day, cause) = same[0];
                        let persons = u32::try_from(persons).unwrap_or(u32::MAX);
                        (persons > 0).then_some(TimeCount { group, day, cause, persons })
                    })
                    .collect()
            }
            Self::None => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;

//! The embedded back end: one pass over columns in memory, a block at a time.

pub mod once;
mod sums;
mod tally;
mod times;

use std::ops::Range;

use node_disclosure::confidential::Confidential;
use node_domain::dictionary::{Kind, Table};
use node_policy::permit::Permitted;
use node_protocol::{
    answer::GroupKey,
    query::{Query, Statistic},
};
use node_snapshot::{
    columns::{Column, Columns, MISSING_NUMBER},
    shelf::Snapshot,
};
use node_statistics::frequency::FrequencyTable;

use self::tally::Tally;
use crate::{filter::Filter, grouping::Grouping};

/// Rows per block: mask, groups and the columns of a few conditions stay in the first-level cache.
const BLOCK: usize = 4096;
/// Where more than one row in so many is a repeat, all rows are read again in blocks rather than those of each person by themselves.
const MANY_REPEATS: usize = 16;
/// The group number of a row that is not counted, where groups are numbered in bytes.
const NO_GROUP: u8 = u8::MAX;

/// A query that cannot be run on this snapshot; the dictionary check makes the first two a fault of the snapshot.
#[derive(Debug, thiserror::Error)]
pub enum TabulateError {
    /// No such table in the snapshot.
    #[error("the snapshot has no table `{0}`")]
    Table(String),
    /// No such column, or of another type.
    #[error("the snapshot's column `{0}` is not as the dictionary says")]
    Field(String),
    /// A membership of nothing, which no permit covers.
    #[error("membership needs at least one question")]
    NoQuestion,
    /// Conditions of which it cannot be told within bounds whether anybody can meet them.
    #[error("the conditions of a question are too many to tell who can meet them")]
    Conditions,
    /// A phantom in a cell that there is not.
    #[error("question {question} has no cell {cell}")]
    Phantom {
        /// Place of the question.
        question: usize,
        /// Local number of the cell.
        cell: usize,
    },
}

/// What is counted beside rows and persons.
#[derive(Debug, Clone, Copy, Default)]
pub struct Measures {
    /// Whether record keys are summed, for cell-key perturbation.
    pub record_keys: bool,
}

/// The exact table of a permitted query, sealed, with the keys of the groups of its `by`.
///
/// Of a histogram the table has as many entries per key as there are bins, the missing one included.
///
/// # Errors
/// Where the snapshot lacks a column that the dictionary promises.
///
/// # Privacy
/// The table may tell single patients apart; only disclosure control opens it.
pub fn tabulate(
    snapshot: &Snapshot,
    permitted: &Permitted<Query>,
    measures: Measures,
) -> Result<(Vec<GroupKey>, Confidential<FrequencyTable>), TabulateError> {
    let plan = Plan::of(permitted, columns_of(snapshot, permitted)?, measures)?;
    let table = plan.run();
    Ok((plan.grouping.keys(), Confidential::seal(table, permitted.conditions())))
}

/// The columns of the table that a query asks.
pub(crate) fn columns_of<'s>(
    snapshot: &'s Snapshot,
    permitted: &Permitted<Query>,
) -> Result<&'s Columns, TabulateError> {
    let name = &permitted.query().table;
    snapshot.table(name).ok_or_else(|| TabulateError::Table(name.clone()))
}

/// The rows of each person who has several, ascending.
pub(crate) fn runs(columns: &Columns) -> impl Iterator<Item = Range<usize>> {
    let of_persons = columns.repeats().chunk_by(|a, b| a.first == b.first);
    of_persons.filter_map(|repeats| Some(repeats.first()?.first..repeats.last()?.row + 1))
}

/// A query compiled for the columns that it reads.
pub(crate) struct Plan<'c> {
    pub(crate) columns: &'c Columns,
    filter: Filter<'c>,
    pub(crate) grouping: Grouping<'c>,
    pub(crate) endpoint: Option<Endpoint<'c>>,
    /// The fields of a mean.
    pub(crate) fields: Vec<&'c [u16]>,
    record_keys: Option<&'c [u32]>,
}

/// The columns of a survival endpoint.
pub(crate) struct Endpoint<'c> {
    pub(crate) days: &'c [u16],
    pub(crate) causes: &'c [u8],
    /// Number of causes with `censored`, which is the first; the missing cause follows them.
    cause_count: u8,
}

/// Room for the groups of some rows, and which of them count.
#[derive(Default)]
pub(crate) struct Rows {
    mask: Vec<u8>,
    groups: Vec<u32>,
}

impl<'c> Plan<'c> {
    pub(crate) fn of(
        permitted: &Permitted<Query>,
        columns: &'c Columns,
        measures: Measures,
    ) -> Result<Self, TabulateError> {
        let (query, table) = (permitted.query(), permitted.table());
        let (mut endpoint, mut fields) = (None, Vec::new());
        match &query.statistic {
            Statistic::Count | Statistic::Histogram { .. } => {} // a histogram's field is an axis of the grouping
            Statistic::Mean { fields: names } => {
                fields = names.iter().map(|name| numbers(columns, name)).collect::<Result<_, _>>()?;
            }
            Statistic::Survival { endpoint: name, .. } => endpoint = Some(Endpoint::of(name, table, columns)?),
        }
        Ok(Self {
            columns,
            filter: Filter::of(query, table, columns)?,
            grouping: Grouping::of(query, table, columns)?,
            endpoint,
            fields,
            record_keys: measures.record_keys.then(|| columns.record_keys()),
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

    /// All rows, a block at a time.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let rows = self.columns.rows();
        (0..rows).step_by(BLOCK).map(move |start| start..rows.min(start + BLOCK))
    }
}

impl Plan<'_> {
    /// Every row that counts and whose person has other rows, with its group and the person's first row, in order. Persons with
    /// fewer than `least` rows that count may be left out.
    pub(crate) fn visit_several(&self, least: usize, mut each: impl FnMut(usize, usize, usize)) {
        let mut scratch = Rows::default();
        let repeats = self.columns.repeats();
        if repeats.len() < self.columns.rows() / MANY_REPEATS {
            for rows in runs(self.columns) {
                let first = rows.start;
                scratch.read_most(self, rows, least).for_each(|(row, group)| each(row, group, first));
            }
            return;
        }
        let mut several = runs(self.columns).peekable();
        for block in self.blocks() {
            for (row, group) in scratch.read(self, block) {
                while several.next_if(|rows| rows.end <= row).is_some() {}
                if let Some(rows) = several.peek().filter(|rows| rows.contains(&row)) {
                    each(row, group, rows.start);
                }
            }
        }
    }
}

impl Rows {
    /// Reads the given rows: each that the filter lets pass, with its group, in order.
    pub(crate) fn read<'r>(
        &'r mut self,
        plan: &Plan<'_>,
        rows: Range<usize>,
    ) -> impl Iterator<Item = (usize, usize)> + use<'r> {
        self.read_most(plan, rows, 1)
    }

    /// The same; nothing where fewer than `least` pass.
    fn read_most<'r>(
        &'r mut self,
        plan: &Plan<'_>,
        rows: Range<usize>,
        least: usize,
    ) -> impl Iterator<Item = (usize, usize)> + use<'r> {
        let length = rows.len();
        if self.mask.len() < length {
            self.mask.resize(length, 0);
            self.groups.resize(length, 0);
        }
        let (mask, groups) = (&mut self.mask[..length], &mut self.groups[..length]);
        mask.fill(1);
        plan.filter.narrow(rows.start, mask);
        if mask.iter().filter(|pass| **pass == 1).take(least).count() == least {
            plan.grouping.assign(rows.start, groups);
        } else {
            mask.fill(0);
        }
        let counted = rows.zip(groups).zip(mask).filter(|(_, pass)| **pass == 1);
        counted.map(|((row, group), _)| (row, *group as usize))
    }
}

impl<'c> Endpoint<'c> {
    fn of(name: &str, table: &Table, columns: &'c Columns) -> Result<Self, TabulateError> {
        let absent = || TabulateError::Field(name.to_owned());
        let names = table.endpoints.get(name).ok_or_else(absent)?;
        let Some(Column::Codes(causes)) = columns.column(&names.event) else { return Err(absent()) };
        let Some(Kind::Code(list)) = table.field(&names.event).map(|field| &field.kind) else {
            return Err(absent());
        };
        let cause_count = u8::try_from(list.codes.len()).map_err(|_| absent())?;
        Ok(Self { days: numbers(columns, &names.days)?, causes, cause_count })
    }

    /// Whether a row has both the days and the cause that ended them.
    pub(crate) fn has_time(&self, row: usize) -> bool {
        self.days[row] != MISSING_NUMBER && self.causes[row] < self.cause_count
    }
}

fn numbers<'c>(columns: &'c Columns, name: &str) -> Result<&'c [u16], TabulateError> {
    match columns.column(name) {
        Some(Column::Numbers(numbers)) => Ok(numbers),
        _ => Err(TabulateError::Field(name.to_owned())),
    }
}

#[cfg(test)]
pub(crate) mod tests;

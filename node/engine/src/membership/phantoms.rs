//! Units that do not exist but could: a row as like as possible to one that there is, changed so that it lies in a cell that counts
//! nobody, or in a cell of one question and outside of another.

use std::{
    cell::OnceCell,
    collections::{BTreeMap, HashSet},
};

use node_disclosure::layout::{Counts, Layout};
use node_protocol::query::{Condition, Statistic};
use node_snapshot::columns::{Column, Columns, ColumnsError};

use super::{
    Question,
    coding::Coding,
    layout::{Codes, NO_CODE},
    universe::Universe,
    values::{Wishes, column_of, missing_mark, present, value_at, ways},
};
use crate::columnar::{Measures, Plan, TabulateError};

/// Rows of different values that a phantom may be like.
const MODELS: usize = 8_192;
/// Mixes values into one key; two combinations that meet lose one row to be like.
const ODD: u64 = 0x9e37_79b9_7f4a_7c15;

/// What the phantoms of some questions are made from.
pub(super) struct Phantoms<'a> {
    questions: &'a [Question<'a>],
    plans: &'a [Plan<'a>],
    layouts: &'a [Layout],
    universe: &'a Universe<'a>,
    models: Vec<Models>,
}

/// The rows of one question that its phantoms are made after, found when they are asked for.
#[derive(Default)]
struct Models {
    /// A row of each code; [`NO_ROW`] where there is none.
    by_code: OnceCell<Vec<u32>>,
    /// One row for each combination of values of the question's fields.
    different: OnceCell<Vec<u32>>,
}

/// No row.
const NO_ROW: u32 = u32::MAX;

/// A phantom before it is counted: the cell that it is made for, and the row it has.
struct Wanted {
    question: usize,
    cell: usize,
    /// Row to be like, and what to change. None in an empty table, and where no values lie in the cell.
    row: Option<(usize, Wishes)>,
}

impl<'a> Phantoms<'a> {
    pub(super) fn new(
        questions: &'a [Question<'a>],
        plans: &'a [Plan<'a>],
        layouts: &'a [Layout],
        universe: &'a Universe<'a>,
    ) -> Self {
        let models = questions.iter().map(|_| Models::default()).collect();
        Self { questions, plans, layouts, universe, models }
    }

    /// The cells that a phantom of each of these cells is counted in: that cell in any case, the others by its values.
    pub(super) fn in_cells(&self, cells: &[(usize, usize)], offsets: &[u32]) -> Result<Vec<Vec<u32>>, TabulateError> {
        let wanted = cells.iter().map(|&(question, cell)| {
            let ways = self.ways_into(question, cell, None)?;
            let row = self.nearest(question, cell, &ways)?;
            Ok(Wanted { question, cell, row })
        });
        self.count(&wanted.collect::<Result<Vec<_>, TabulateError>>()?, offsets)
    }

    /// The cells that somebody in a cell would be counted in who meets a further condition; nothing where nobody can.
    pub(super) fn beside(
        &self,
        cells: &[(usize, usize, &Condition)],
        offsets: &[u32],
    ) -> Result<Vec<Vec<u32>>, TabulateError> {
        let mut wanted = Vec::new();
        for &(question, cell, outside) in cells {
            let ways = self.ways_into(question, cell, Some(outside))?;
            let row = self.nearest(question, cell, &ways)?;
            if row.is_some() {
                wanted.push(Wanted { question, cell, row });
            }
        }
        self.count(&wanted, offsets)
    }

    fn ways_into(
        &self,
        question: usize,
        cell: usize,
        further: Option<&Condition>,
    ) -> Result<Vec<Wishes>, TabulateError> {
        let none = || TabulateError::Phantom { question, cell };
        let (asked, plan) = (self.questions.get(question).ok_or_else(none)?, &self.plans[question]);
        let counted = self.layouts[question].counts(cell).ok_or_else(none)?;
        let (query, table) = (asked.permitted.query(), asked.permitted.table());
        let mut wishes = Wishes::default();
        let mut possible = true;
        let mut wish = |field: &str, ranges: &[(u16, u16)]| possible &= wishes.narrow(field, ranges);
        let group = match counted {
            Counts::Bin { group, bin } => group * plan.grouping.bins() + bin,
            Counts::Persons { group }
            | Counts::Missing { group }
            | Counts::Events { group, .. }
            | Counts::Value { group, .. } => group,
        };
        for (field, ranges) in plan.grouping.values_of(group) {
            wish(field, &ranges);
        }
        if let (Counts::Value { field, .. }, Statistic::Mean { fields }) = (counted, &query.statistic) {
            wish(&fields[field], &present(table, &fields[field], column_of(plan.columns, &fields[field])?)?);
        }
        if let Statistic::Survival { endpoint, .. } = &query.statistic {
            let names = table.endpoints.get(endpoint).ok_or_else(|| TabulateError::Field(endpoint.clone()))?;
            let days = column_of(plan.columns, &names.days)?;
            if matches!(counted, Counts::Missing { .. }) {
                let mark = missing_mark(table, &names.days, days)?;
                wish(&names.days, &[(mark, mark)]);
            } else {
                wish(&names.days, &present(table, &names.days, days)?);
                wish(&names.event, &present(table, &names.event, column_of(plan.columns, &names.event)?)?);
            }
        }
        if !possible {
            return Ok(Vec::new());
        }
        let goals = query.conditions.iter().chain(further).map(|condition| (condition, true)).collect();
        ways(goals, wishes, table, plan.columns)
    }

    /// The row that has to change least, and the way to change it: one of the cell itself where there is one.
    fn nearest(&self, question: usize, cell: usize, ways: &[Wishes]) -> Result<Option<(usize, Wishes)>, TabulateError> {
        let (plan, table) = (&self.plans[question], self.questions[question].permitted.table());
        let Some(first) = ways.first() else { return Ok(None) };
        let models = &self.models[question];
        let by_code = models.by_code.get_or_init(|| self.rows_by_code(question));
        let code = self.layouts[question].code(cell) as usize;
        let own = by_code.get(code).filter(|row| **row != NO_ROW);
        let different = || models.different.get_or_init(|| different_rows(plan.columns, first)).as_slice();
        let rows = own.map_or_else(different, std::slice::from_ref);
        let measures = ways.iter().map(|way| way.measure(plan.columns, table)).collect::<Result<Vec<_>, _>>()?;
        let pairs =
            rows.iter().flat_map(|row| measures.iter().enumerate().map(|(way, measure)| (*row as usize, way, measure)));
        let best = pairs.min_by_key(|(row, _, measure)| measure.distance(*row)).map(|(row, way, _)| (row, way));
        Ok(best.map(|(row, way)| (row, ways[way].clone())))
    }

    fn rows_by_code(&self, question: usize) -> Vec<u32> {
        let mut codes = Vec::new();
        let asked = &self.questions[question];
        Coding::new(&self.plans[question], &self.layouts[question], asked.boundaries).read(&mut codes);
        let mut rows = Vec::new();
        for (code, row) in codes.iter().zip(0_u32..).filter(|(code, _)| **code != NO_CODE) {
            let code = *code as usize;
            if rows.len() <= code {
                rows.resize(code + 1, NO_ROW);
            }
            rows[code] = rows[code].min(row);
        }
        rows
    }

    /// The cells of each phantom, ascending.
    fn count(&self, wanted: &[Wanted], offsets: &[u32]) -> Result<Vec<Vec<u32>>, TabulateError> {
        let mut codes: Vec<BTreeMap<usize, Vec<u32>>> = vec![BTreeMap::new(); wanted.len()];
        for table in 0..self.universe.tables() {
            let with_row = |phantom: &usize| {
                let wanted: &Wanted = &wanted[*phantom];
                wanted.row.is_some() && self.universe.table_of(wanted.question) == table
            };
            let here: Vec<usize> = (0..wanted.len()).filter(with_row).collect();
            let Some(made) = self.rows_of(wanted, &here)? else { continue };
            for (at, question) in self.questions.iter().enumerate() {
                if self.universe.table_of(at) != table {
                    continue;
                }
                let plan = Plan::of(question.permitted, &made, Measures::default())?;
                let mut read = Vec::new();
                Coding::new(&plan, &self.layouts[at], question.boundaries).read_phantoms(&mut read);
                for (phantom, code) in here.iter().zip(read).filter(|(_, code)| *code != NO_CODE) {
                    codes[*phantom].entry(at).or_default().push(code);
                }
            }
        }
        let listed = wanted.iter().zip(codes).map(|(wanted, mut codes)| {
            codes.entry(wanted.question).or_default().push(self.layouts[wanted.question].code(wanted.cell));
            let mut cells = Vec::new();
            for (at, mut codes) in codes {
                self.layouts[at].normalise(&mut codes);
                codes.iter().for_each(|code| self.layouts[at].list(*code, offsets[at], &mut cells));
            }
            cells.sort_unstable();
            cells.dedup();
            cells
        });
        Ok(listed.collect())
    }

    /// The rows of the phantoms `here`, which are all of one table.
    fn rows_of(&self, wanted: &[Wanted], here: &[usize]) -> Result<Option<Columns>, TabulateError> {
        let Some(first) = here.first() else { return Ok(None) };
        let question = wanted[*first].question;
        let (source, table) = (self.plans[question].columns, self.questions[question].permitted.table());
        let rows: Vec<&(usize, Wishes)> = here.iter().filter_map(|phantom| wanted[*phantom].row.as_ref()).collect();
        let models: Vec<usize> = rows.iter().map(|(model, _)| *model).collect();
        let mut columns = BTreeMap::new();
        for field in &table.fields {
            columns.insert(field.name.clone(), gather(column_of(source, &field.name)?, &models));
        }
        for (row, (_, wishes)) in rows.iter().enumerate() {
            wishes.write(&mut columns, row);
        }
        let units: Vec<u32> = (0..).take(rows.len()).collect();
        let columns = Columns::new(table, columns, &units, vec![0; rows.len()]).map_err(|error| match error {
            ColumnsError::Length(name) | ColumnsError::Field(name) | ColumnsError::Value(name) => {
                TabulateError::Field(name)
            }
            ColumnsError::Order => TabulateError::Table(table.name.clone()),
        })?;
        Ok(Some(columns))
    }
}

/// One row for each combination of values of the fields that are wished for.
fn different_rows(columns: &Columns, wishes: &Wishes) -> Vec<u32> {
    let columns_of_fields: Vec<&Column> = wishes.fields().filter_map(|field| columns.column(field)).collect();
    let mut seen = HashSet::new();
    let mut rows = Vec::new();
    for row in 0..columns.rows() {
        let fold =
            |key: u64, column: &&Column| (key ^ u64::from(value_at(column, row))).wrapping_mul(ODD).rotate_left(29);
        if rows.len() < MODELS && seen.insert(columns_of_fields.iter().fold(ODD, fold)) {
            rows.push(u32::try_from(row).unwrap_or(NO_ROW));
        }
    }
    rows
}

fn gather(column: &Column, rows: &[usize]) -> Column {
    match column {
        Column::Codes(codes) => Column::Codes(rows.iter().map(|row| codes[*row]).collect()),
        Column::Numbers(numbers) => Column::Numbers(rows.iter().map(|row| numbers[*row]).collect()),
        Column::Amounts(amounts) => Column::Amounts(rows.iter().map(|row| amounts[*row]).collect()),
    }
}

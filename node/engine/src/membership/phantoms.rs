//! Units that do not exist but could: a row of a question, moved into a cell that counts nobody.

use std::collections::BTreeMap;

use node_disclosure::layout::{Counts, Layout};
use node_domain::dictionary::Kind;
use node_protocol::query::Statistic;
use node_snapshot::columns::{Column, Columns, ColumnsError, MISSING_NUMBER};

use super::{
    Question,
    coding::Coding,
    layout::{Codes, NO_CODE},
    universe::Universe,
};
use crate::columnar::{Measures, Plan, Rows, TabulateError};

/// The phantoms of all questions; their numbers follow those of the real units.
pub(super) struct Phantoms {
    first: usize,
    count: usize,
    /// Per table the rows of its phantoms, which only exist here.
    tables: Vec<Option<Made>>,
    table_of: Vec<usize>,
    /// Per question the phantoms that are counted in a cell of it in any case, with the code of the cell.
    own: Vec<BTreeMap<usize, u32>>,
}

struct Made {
    columns: Columns,
    /// The phantom of each row.
    phantoms: Vec<usize>,
}

/// A phantom that has a row to be like.
struct Wanted {
    phantom: usize,
    question: usize,
    template: usize,
    cell: Counts,
}

impl Phantoms {
    pub(super) fn of(
        questions: &[Question<'_>],
        universe: &Universe<'_>,
        plans: &[Plan<'_>],
        layouts: &[Layout],
        wanted: &[(usize, usize)],
    ) -> Result<Self, TabulateError> {
        let mut own = vec![BTreeMap::new(); questions.len()];
        let mut of_tables: Vec<Vec<Wanted>> = (0..universe.tables()).map(|_| Vec::new()).collect();
        let mut templates: BTreeMap<usize, Option<usize>> = BTreeMap::new();
        for (phantom, &(question, cell)) in wanted.iter().enumerate() {
            let none = TabulateError::Phantom { question, cell };
            let (Some(layout), Some(plan)) = (layouts.get(question), plans.get(question)) else { return Err(none) };
            let counted = layout.counts(cell).ok_or(none)?;
            own[question].insert(phantom, layout.code(cell));
            if let Some(template) = *templates.entry(question).or_insert_with(|| template(plan)) {
                let wanted = Wanted { phantom, question, template, cell: counted };
                of_tables[universe.table_of(question)].push(wanted);
            }
        }
        let made = of_tables.iter().map(|wanted| Made::of(questions, plans, wanted));
        Ok(Self {
            first: universe.units(),
            count: wanted.len(),
            tables: made.collect::<Result<_, _>>()?,
            table_of: (0..questions.len()).map(|question| universe.table_of(question)).collect(),
            own,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// The phantoms that a question counts, with their codes in normal form.
    pub(super) fn codes(
        &self,
        at: usize,
        question: &Question<'_>,
        layout: &Layout,
    ) -> Result<Vec<(usize, Vec<u32>)>, TabulateError> {
        let mut codes: BTreeMap<usize, Vec<u32>> = BTreeMap::new();
        if let Some(made) = &self.tables[self.table_of[at]] {
            let plan = Plan::of(question.permitted, &made.columns, Measures::default())?;
            let evaluated = Coding::new(&plan, layout, question.boundaries).read_phantoms();
            let counted = made.phantoms.iter().zip(evaluated).filter(|(_, code)| *code != NO_CODE);
            codes.extend(counted.map(|(phantom, code)| (*phantom, vec![code])));
        }
        for (phantom, code) in &self.own[at] {
            codes.entry(*phantom).or_default().push(*code);
        }
        Ok(codes
            .into_iter()
            .map(|(phantom, mut codes)| {
                layout.normalise(&mut codes);
                (self.first + phantom, codes)
            })
            .collect())
    }
}

/// The first row that a question counts, otherwise the first of the table.
fn template(plan: &Plan<'_>) -> Option<usize> {
    let mut rows = Rows::default();
    let counted = plan.blocks().find_map(|block| rows.read(plan, block).next().map(|(row, _)| row));
    counted.or((plan.columns.rows() > 0).then_some(0))
}

impl Made {
    /// The rows of all phantoms of one table.
    fn of(questions: &[Question<'_>], plans: &[Plan<'_>], wanted: &[Wanted]) -> Result<Option<Self>, TabulateError> {
        let Some(first) = wanted.first() else { return Ok(None) };
        let (source, table) = (plans[first.question].columns, questions[first.question].permitted.table());
        let templates: Vec<usize> = wanted.iter().map(|wanted| wanted.template).collect();
        let mut columns = BTreeMap::new();
        for field in &table.fields {
            let column = source.column(&field.name).ok_or_else(|| TabulateError::Field(field.name.clone()))?;
            columns.insert(field.name.clone(), gather(column, &templates));
        }
        for (row, wanted) in wanted.iter().enumerate() {
            let grouping = &plans[wanted.question].grouping;
            let group = match wanted.cell {
                Counts::Bin { group, bin } => group * grouping.bins() + bin,
                Counts::Persons { group }
                | Counts::Missing { group }
                | Counts::Events { group, .. }
                | Counts::Value { group, .. } => group,
            };
            grouping.imprint(group, row, &mut columns);
            let Counts::Value { field, .. } = wanted.cell else { continue };
            let Statistic::Mean { fields } = &questions[wanted.question].permitted.query().statistic else { continue };
            // a phantom in the cell of a field has a value of it
            let Some(field) = fields.get(field).and_then(|name| table.field(name)) else { continue };
            if let (Some(Column::Numbers(numbers)), Kind::Integer { minimum, .. }) =
                (columns.get_mut(&field.name), &field.kind)
                && numbers[row] == MISSING_NUMBER
            {
                numbers[row] = u16::try_from(*minimum).unwrap_or(0);
            }
        }
        let units: Vec<u32> = (0..).take(wanted.len()).collect();
        let columns = Columns::new(table, columns, &units, vec![0; wanted.len()]).map_err(|error| match error {
            ColumnsError::Length(name) | ColumnsError::Field(name) | ColumnsError::Value(name) => {
                TabulateError::Field(name)
            }
            ColumnsError::Order => TabulateError::Table(table.name.clone()),
        })?;
        Ok(Some(Self { columns, phantoms: wanted.iter().map(|wanted| wanted.phantom).collect() }))
    }
}

fn gather(column: &Column, rows: &[usize]) -> Column {
    match column {
        Column::Codes(codes) => Column::Codes(rows.iter().map(|row| codes[*row]).collect()),
        Column::Numbers(numbers) => Column::Numbers(rows.iter().map(|row| numbers[*row]).collect()),
        Column::Amounts(amounts) => Column::Amounts(rows.iter().map(|row| amounts[*row]).collect()),
    }
}

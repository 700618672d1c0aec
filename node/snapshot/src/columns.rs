//! Columns in memory: one byte per coded value, two per whole number or code of a long list, four per amount, in the order of
//! persons (or hospitals, where the table is about those).

use std::collections::BTreeMap;

use node_domain::dictionary::{Field, Kind, Table};

/// The mark of a missing whole number.
pub const MISSING_NUMBER: u16 = u16::MAX;

/// The mark of a missing amount.
pub const MISSING_AMOUNT: u32 = u32::MAX;

/// A column of an analysis table.
#[derive(Clone, PartialEq, Eq)]
pub enum Column {
    /// Positions in the field's code list; the position past its end is the missing value.
    Codes(Vec<u8>),
    /// Whole numbers, or positions in a code list too long for a byte; [`MISSING_NUMBER`] is the missing value.
    Numbers(Vec<u16>),
    /// Whole amounts that are only summed; [`MISSING_AMOUNT`] is the missing value.
    Amounts(Vec<u32>),
}

impl Column {
    /// An empty column for values of `kind`, with room for `rows`; `None` for kinds that analysis tables do not hold.
    #[must_use]
    pub fn for_kind(kind: &Kind, rows: usize) -> Option<Self> {
        match kind {
            Kind::Code(list) if list.is_narrow() => Some(Self::Codes(Vec::with_capacity(rows))),
            Kind::Code(_) | Kind::Integer { .. } => Some(Self::Numbers(Vec::with_capacity(rows))),
            Kind::Amount { .. } => Some(Self::Amounts(Vec::with_capacity(rows))),
            Kind::Codes(_) | Kind::Decimal { .. } | Kind::Date | Kind::DateTime | Kind::Text => None,
        }
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        match self {
            Self::Codes(codes) => codes.len(),
            Self::Numbers(numbers) => numbers.len(),
            Self::Amounts(amounts) => amounts.len(),
        }
    }
}

/// An analysis table. Holds rows: never printed, and read by the engine alone.
#[derive(Clone, Default)]
pub struct Columns {
    rows: usize,
    columns: BTreeMap<String, Column>,
    record_keys: Vec<u32>,
    repeats: Vec<Repeat>,
}

/// A row of a person (or hospital) who has an earlier row.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Repeat {
    /// The row.
    pub row: usize,
    /// The person's first row; all rows between are theirs too.
    pub first: usize,
}

/// Columns that do not make a table.
#[derive(Debug, thiserror::Error)]
pub enum ColumnsError {
    /// Columns of different lengths.
    #[error("column `{0}` has another number of rows than the table")]
    Length(String),
    /// A field of the table has no column of its type.
    #[error("column `{0}` is missing or of another type than the dictionary says")]
    Field(String),
    /// The rows of one person do not follow each other.
    #[error("the rows are not in the order of persons")]
    Order,
    /// A value outside its field's codes or bounds.
    #[error("column `{0}` holds a value outside the dictionary")]
    Value(String),
}

impl Columns {
    /// A table from columns by field name, the person of each row (ascending) and the record key of each row's person.
    ///
    /// # Errors
    /// Where the columns are not the table's, differ in length, hold impossible values, or persons are out of order.
    pub fn new(
        table: &Table,
        mut columns: BTreeMap<String, Column>,
        persons: &[u32],
        record_keys: Vec<u32>,
    ) -> Result<Self, ColumnsError> {
        let rows = persons.len();
        if record_keys.len() != rows {
            return Err(ColumnsError::Length("record_key".to_owned()));
        }
        columns.retain(|name, _| table.field(name).is_some());
        for field in &table.fields {
            let column = columns.get(&field.name).ok_or_else(|| ColumnsError::Field(field.name.clone()))?;
            check(field, column, rows)?;
        }
        if persons.windows(2).any(|pair| pair[1] < pair[0]) {
            return Err(ColumnsError::Order);
        }
        let mut first = 0;
        let mut repeats = Vec::new();
        for row in 1..rows {
            if persons[row] == persons[row - 1] {
                repeats.push(Repeat { row, first });
            } else {
                first = row;
            }
        }
        Ok(Self { rows, columns, record_keys, repeats })
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The column of a field.
    #[must_use]
    pub fn column(&self, field: &str) -> Option<&Column> {
        self.columns.get(field)
    }

    /// The secret record key of each row's person.
    #[must_use]
    pub fn record_keys(&self) -> &[u32] {
        &self.record_keys
    }

    /// Rows of persons who have an earlier row, ascending.
    #[must_use]
    pub fn repeats(&self) -> &[Repeat] {
        &self.repeats
    }
}

fn check(field: &Field, column: &Column, rows: usize) -> Result<(), ColumnsError> {
    let fits = match (column, &field.kind) {
        (Column::Codes(codes), Kind::Code(list)) if list.is_narrow() => {
            codes.iter().all(|code| usize::from(*code) <= list.codes.len())
        }
        (Column::Numbers(positions), Kind::Code(list)) if !list.is_narrow() => {
            positions.iter().all(|at| *at == MISSING_NUMBER || usize::from(*at) < list.codes.len())
        }
        (Column::Numbers(numbers), Kind::Integer { minimum, maximum }) => {
            let bounds = *minimum..=*maximum;
            numbers.iter().all(|n| *n == MISSING_NUMBER || bounds.contains(&i64::from(*n)))
        }
        (Column::Amounts(amounts), Kind::Amount { maximum }) => {
            amounts.iter().all(|amount| *amount == MISSING_AMOUNT || amount <= maximum)
        }
        _ => return Err(ColumnsError::Field(field.name.clone())),
    };
    if column.rows() != rows {
        return Err(ColumnsError::Length(field.name.clone()));
    }
    if fits { Ok(()) } else { Err(ColumnsError::Value(field.name.clone())) }
}

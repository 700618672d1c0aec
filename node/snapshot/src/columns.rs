//! Columns in memory: one byte per coded value, two per whole number, in the order of persons.

use std::collections::BTreeMap;

use node_domain::dictionary::{Field, Kind, Table};

/// The mark of a missing whole number.
pub const MISSING_NUMBER: u16 = u16::MAX;

/// A column of an analysis table.
#[derive(Clone, PartialEq, Eq)]
pub enum Column {
    /// Positions in the field's code list; the position past its end is the missing value.
    Codes(Vec<u8>),
    /// Whole numbers; [`MISSING_NUMBER`] is the missing value.
    Numbers(Vec<u16>),
}

/// An analysis table. Holds rows: never printed, and read by the engine alone.
#[derive(Clone, Default)]
pub struct Columns {
    rows: usize,
    columns: BTreeMap<String, Column>,
    record_keys: Vec<u32>,
    repeats: Vec<Repeat>,
}

/// A row of a person who has an earlier row.
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
    let (length, fits) = match (column, &field.kind) {
        (Column::Codes(codes), Kind::Code(list)) => {
            (codes.len(), codes.iter().all(|code| usize::from(*code) <= list.codes.len()))
        }
        (Column::Numbers(numbers), Kind::Integer { minimum, maximum }) => {
            let bounds = *minimum..=*maximum;
            (numbers.len(), numbers.iter().all(|n| *n == MISSING_NUMBER || bounds.contains(&i64::from(*n))))
        }
        _ => return Err(ColumnsError::Field(field.name.clone())),
    };
    if length != rows {
        return Err(ColumnsError::Length(field.name.clone()));
    }
    if fits { Ok(()) } else { Err(ColumnsError::Value(field.name.clone())) }
}

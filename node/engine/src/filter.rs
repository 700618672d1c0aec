//! The filter of a query as branch-free passes over columns: one byte per row, 1 where it is counted.
//!
//! Arrow's comparison kernels pack bits, which the grouping pass would have to unpack again; a byte mask goes straight into the
//! compare of the next pass and vectorises without intrinsics.

use node_domain::dictionary::{Kind, Table};
use node_protocol::query::{Condition, Query, Value};
use node_snapshot::columns::{Column, Columns, MISSING_NUMBER};

use crate::columnar::TabulateError;

/// A compiled filter.
pub(crate) enum Filter<'c> {
    /// Codes among a few.
    CodesAmong(&'c [u8], Vec<u8>),
    /// Codes among many: a table of 256 bytes.
    CodesTable(&'c [u8], Box<[u8; 256]>),
    /// Whole numbers in one of the ranges; the missing mark lies outside all of them.
    Numbers(&'c [u16], Vec<(u16, u16)>),
    /// Whole numbers among many: a table of all that there can be.
    NumbersTable(&'c [u16], Vec<u8>),
    /// All of them.
    All(Vec<Filter<'c>>),
    /// Any of them.
    Any(Vec<Filter<'c>>),
    /// Not it.
    Not(Box<Filter<'c>>),
}

impl<'c> Filter<'c> {
    pub(crate) fn of(query: &Query, table: &Table, columns: &'c Columns) -> Result<Self, TabulateError> {
        query
            .conditions
            .iter()
            .map(|condition| Self::compile(condition, table, columns))
            .collect::<Result<_, _>>()
            .map(Self::All)
    }

    fn compile(condition: &Condition, table: &Table, columns: &'c Columns) -> Result<Self, TabulateError> {
        let inner = |conditions: &[Condition]| {
            conditions.iter().map(|condition| Self::compile(condition, table, columns)).collect::<Result<Vec<_>, _>>()
        };
        match condition {
            Condition::All(conditions) => Ok(Self::All(inner(conditions)?)),
            Condition::Any(conditions) => Ok(Self::Any(inner(conditions)?)),
            Condition::Not(condition) => Ok(Self::Not(Box::new(Self::compile(condition, table, columns)?))),
            Condition::In { field, .. } | Condition::Between { field, .. } | Condition::IsMissing { field, .. } => {
                let absent = || TabulateError::Field(field.clone());
                let described = table.field(field).ok_or_else(absent)?;
                match (columns.column(field).ok_or_else(absent)?, &described.kind, condition) {
                    (Column::Codes(codes), Kind::Code(list), Condition::In { values, .. }) => {
                        let position = |value: &Value| match value {
                            Value::Text(code) => list.position(code).and_then(|position| u8::try_from(position).ok()),
                            Value::Integer(_) => None,
                        };
                        let wanted = values.iter().map(position).collect::<Option<Vec<_>>>().ok_or_else(absent)?;
                        Ok(Self::codes(codes, wanted))
                    }
                    (Column::Codes(codes), Kind::Code(list), Condition::IsMissing { missing, .. }) => {
                        let mark = u8::try_from(list.codes.len()).map_err(|_| absent())?;
                        let filter = Self::codes(codes, vec![mark]);
                        Ok(if *missing { filter } else { Self::Not(Box::new(filter)) })
                    }
                    (Column::Numbers(numbers), kind, Condition::In { values, .. }) => {
                        let number = |value: &Value| match (value, kind) {
                            (Value::Text(code), Kind::Code(list)) => u16::try_from(list.position(code)?).ok(),
                            (Value::Integer(number), Kind::Integer { .. }) => u16::try_from(*number).ok(),
                            _ => None,
                        };
                        let number = |value: &Value| number(value).map(|number| (number, number));
                        let ranges = values.iter().map(number).collect::<Option<Vec<_>>>().ok_or_else(absent)?;
                        if ranges.len() <= 4 {
                            return Ok(Self::Numbers(numbers, ranges));
                        }
                        let mut table = vec![0; usize::from(u16::MAX) + 1];
                        for (number, _) in ranges {
                            table[usize::from(number)] = 1;
                        }
                        Ok(Self::NumbersTable(numbers, table))
                    }
                    (Column::Numbers(numbers), _, Condition::Between { low, high, .. }) => {
                        let low = u16::try_from(*low).map_err(|_| absent())?;
                        let high = u16::try_from(*high).map_err(|_| absent())?;
                        Ok(Self::Numbers(numbers, vec![(low, high)]))
                    }
                    (Column::Numbers(numbers), _, Condition::IsMissing { missing, .. }) => {
                        let filter = Self::Numbers(numbers, vec![(MISSING_NUMBER, MISSING_NUMBER)]);
                        Ok(if *missing { filter } else { Self::Not(Box::new(filter)) })
                    }
                    _ => Err(absent()),
                }
            }
        }
    }

    fn codes(codes: &'c [u8], wanted: Vec<u8>) -> Self {
        if wanted.len() <= 4 {
            return Self::CodesAmong(codes, wanted);
        }
        let mut table = Box::new([0; 256]);
        for code in wanted {
            table[usize::from(code)] = 1;
        }
        Self::CodesTable(codes, table)
    }

    /// Clears the bytes of `mask` whose rows, from `start` on, do not pass.
    pub(crate) fn narrow(&self, start: usize, mask: &mut [u8]) {
        let end = start + mask.len();
        match self {
            Self::CodesAmong(codes, wanted) => match wanted.as_slice() {
                [a] => narrow(mask, &codes[start..end], |code| code == *a),
                [a, b] => narrow(mask, &codes[start..end], |code| (code == *a) | (code == *b)),
                [a, b, c] => narrow(mask, &codes[start..end], |code| (code == *a) | (code == *b) | (code == *c)),
                many => {
                    narrow(mask, &codes[start..end], |code| many.iter().fold(false, |any, one| any | (code == *one)));
                }
            },
            Self::CodesTable(codes, table) => {
                for (pass, code) in mask.iter_mut().zip(&codes[start..end]) {
                    *pass &= table[usize::from(*code)];
                }
            }
            Self::Numbers(numbers, ranges) => match ranges.as_slice() {
                [(low, high)] => {
                    let span = high - low;
                    narrow(mask, &numbers[start..end], |number: u16| number.wrapping_sub(*low) <= span);
                }
                many => narrow(mask, &numbers[start..end], |number: u16| {
                    many.iter().fold(false, |any, (low, high)| any | (number.wrapping_sub(*low) <= high - low))
                }),
            },
            Self::NumbersTable(numbers, table) => {
                for (pass, number) in mask.iter_mut().zip(&numbers[start..end]) {
                    *pass &= table[usize::from(*number)];
                }
            }
            Self::All(filters) => filters.iter().for_each(|filter| filter.narrow(start, mask)),
            Self::Any(filters) => {
                let mut any = vec![0; mask.len()];
                let mut one = vec![1; mask.len()];
                for filter in filters {
                    one.fill(1);
                    filter.narrow(start, &mut one);
                    any.iter_mut().zip(&one).for_each(|(any, one)| *any |= one);
                }
                mask.iter_mut().zip(&any).for_each(|(pass, any)| *pass &= any);
            }
            Self::Not(filter) => {
                let mut one = vec![1; mask.len()];
                filter.narrow(start, &mut one);
                mask.iter_mut().zip(&one).for_each(|(pass, one)| *pass &= 1 - one);
            }
        }
    }
}

fn narrow<T: Copy>(mask: &mut [u8], column: &[T], passes: impl Fn(T) -> bool) {
    for (pass, value) in mask.iter_mut().zip(column) {
        *pass &= u8::from(passes(*value));
    }
}

//! Which values of its fields put a row where it is wanted: ranges by field, and the ways to fulfil a tree of conditions.

use std::collections::BTreeMap;

use node_domain::dictionary::{Kind, Table};
use node_protocol::query::{Condition, Value};
use node_snapshot::columns::{Column, Columns, MISSING_NUMBER};

use crate::columnar::TabulateError;

/// Ways that are kept of one tree of conditions.
const WAYS: usize = 32;
/// Steps of one search; what bounded queries need is far below.
const STEPS: usize = 100_000;

/// Values as a column stores them: ranges, both ends included, ascending and apart.
type Ranges = Vec<(u16, u16)>;

/// The values that some fields may have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Wishes(BTreeMap<String, Ranges>);

/// A condition that must hold, or must not.
pub(super) type Goal<'q> = (&'q Condition, bool);

impl Wishes {
    /// Narrows a field to these values; false where none is left.
    pub(super) fn narrow(&mut self, field: &str, to: &[(u16, u16)]) -> bool {
        let narrowed = self.0.get(field).map_or_else(|| to.to_vec(), |before| common(before, to));
        let any = !narrowed.is_empty();
        self.0.insert(field.to_owned(), narrowed);
        any
    }

    /// The fields that are spoken of.
    pub(super) fn fields(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The same ready to be measured against many rows.
    pub(super) fn measure<'c>(&'c self, columns: &'c Columns, table: &Table) -> Result<Measure<'c>, TabulateError> {
        let weighed = self.0.iter().map(|(field, ranges)| {
            let column = column_of(columns, field)?;
            let all = all_values(table, field, column)?;
            Ok((column, ranges.as_slice(), all.iter().map(|(low, high)| u64::from(high - low) + 1).sum()))
        });
        Ok(Measure(weighed.collect::<Result<_, TabulateError>>()?))
    }

    /// Changes one row of `columns` so that every field has a value that it may have.
    pub(super) fn write(&self, columns: &mut BTreeMap<String, Column>, row: usize) {
        for (field, ranges) in &self.0 {
            let Some((least, _)) = ranges.first() else { continue };
            match columns.get_mut(field) {
                Some(Column::Codes(codes)) if !lies_in(ranges, u16::from(codes[row])) => {
                    codes[row] = u8::try_from(*least).unwrap_or(u8::MAX);
                }
                Some(Column::Numbers(numbers)) if !lies_in(ranges, numbers[row]) => numbers[row] = *least,
                _ => {}
            }
        }
    }
}

/// How far rows are from what is wished.
pub(super) struct Measure<'c>(Vec<Weighed<'c>>);

/// A field's column, the values it may have, and what a change of it counts.
type Weighed<'c> = (&'c Column, &'c [(u16, u16)], u64);

impl Measure<'_> {
    /// How much of a row would have to change: a field counts as much as it has values, since one of few says little of the others.
    pub(super) fn distance(&self, row: usize) -> u64 {
        let to_change = self.0.iter().filter(|(column, ranges, _)| !lies_in(ranges, value_at(column, row)));
        to_change.map(|(.., values)| values).sum()
    }
}

/// The ways to reach all goals within what is wished already: none where no values do.
///
/// # Errors
/// Where the conditions do not fit the columns, or the search does not end within its bounds.
pub(super) fn ways(
    goals: Vec<Goal<'_>>,
    start: Wishes,
    table: &Table,
    columns: &Columns,
) -> Result<Vec<Wishes>, TabulateError> {
    let mut search = Search { table, columns, found: Vec::new(), steps: 0 };
    search.go_on(goals, start)?;
    Ok(search.found)
}

struct Search<'q> {
    table: &'q Table,
    columns: &'q Columns,
    found: Vec<Wishes>,
    steps: usize,
}

impl Search<'_> {
    fn go_on(&mut self, mut goals: Vec<Goal<'_>>, mut wishes: Wishes) -> Result<(), TabulateError> {
        while let Some((condition, wanted)) = goals.pop() {
            self.steps += 1;
            if self.found.len() >= WAYS {
                return Ok(());
            }
            if self.steps > STEPS {
                return Err(TabulateError::Conditions);
            }
            match (condition, wanted) {
                (Condition::All(parts), true) | (Condition::Any(parts), false) => {
                    goals.extend(parts.iter().map(|part| (part, wanted)));
                }
                (Condition::Any(parts), true) | (Condition::All(parts), false) => {
                    for part in parts {
                        let with_part = goals.iter().copied().chain([(part, wanted)]).collect();
                        self.go_on(with_part, wishes.clone())?;
                    }
                    return Ok(());
                }
                (Condition::Not(inner), wanted) => goals.push((inner, !wanted)),
                (
                    Condition::In { field, .. } | Condition::Between { field, .. } | Condition::IsMissing { field, .. },
                    _,
                ) => {
                    let column = column_of(self.columns, field)?;
                    let all = all_values(self.table, field, column)?;
                    let named = self.named_by(condition, field, column)?;
                    let values = if wanted { common(&all, &named) } else { without(&all, &named) };
                    if !wishes.narrow(field, &values) {
                        return Ok(());
                    }
                }
            }
        }
        self.found.push(wishes);
        Ok(())
    }

    /// The values that a condition on one field names.
    fn named_by(&self, condition: &Condition, field: &str, column: &Column) -> Result<Ranges, TabulateError> {
        let absent = || TabulateError::Field(field.to_owned());
        let kind = &self.table.field(field).ok_or_else(absent)?.kind;
        let position = |value: &Value| match (value, kind) {
            (Value::Text(code), Kind::Code(list)) => u16::try_from(list.position(code)?).ok(),
            (Value::Integer(number), Kind::Integer { .. }) => u16::try_from(*number).ok(),
            _ => None,
        };
        match condition {
            Condition::In { values, .. } => {
                let mut values = values.iter().map(position).collect::<Option<Vec<u16>>>().ok_or_else(absent)?;
                values.sort_unstable();
                values.dedup();
                Ok(values.into_iter().map(|value| (value, value)).collect())
            }
            Condition::Between { low, high, .. } => {
                let bound = |number: &i64| u16::try_from(*number).map_err(|_| absent());
                Ok(vec![(bound(low)?, bound(high)?)])
            }
            Condition::IsMissing { missing, .. } => {
                let mark = missing_mark(self.table, field, column)?;
                let all = all_values(self.table, field, column)?;
                Ok(if *missing { vec![(mark, mark)] } else { without(&all, &[(mark, mark)]) })
            }
            Condition::All(_) | Condition::Any(_) | Condition::Not(_) => Ok(Vec::new()),
        }
    }
}

pub(super) fn column_of<'c>(columns: &'c Columns, field: &str) -> Result<&'c Column, TabulateError> {
    columns.column(field).ok_or_else(|| TabulateError::Field(field.to_owned()))
}

/// The value of a row. Amounts are only summed: no condition speaks of them.
pub(super) fn value_at(column: &Column, row: usize) -> u16 {
    match column {
        Column::Codes(codes) => u16::from(codes[row]),
        Column::Numbers(numbers) => numbers[row],
        Column::Amounts(_) => MISSING_NUMBER,
    }
}

/// The values that are there of a field, without the missing one.
pub(super) fn present(table: &Table, field: &str, column: &Column) -> Result<Ranges, TabulateError> {
    let mark = missing_mark(table, field, column)?;
    Ok(without(&all_values(table, field, column)?, &[(mark, mark)]))
}

/// The value that stands for a missing one.
pub(super) fn missing_mark(table: &Table, field: &str, column: &Column) -> Result<u16, TabulateError> {
    let absent = || TabulateError::Field(field.to_owned());
    match (column, &table.field(field).ok_or_else(absent)?.kind) {
        (Column::Codes(_), Kind::Code(list)) => u16::try_from(list.codes.len()).map_err(|_| absent()),
        (Column::Numbers(_), _) => Ok(MISSING_NUMBER),
        _ => Err(absent()),
    }
}

fn all_values(table: &Table, field: &str, column: &Column) -> Result<Ranges, TabulateError> {
    let absent = || TabulateError::Field(field.to_owned());
    let (low, high) = match &table.field(field).ok_or_else(absent)?.kind {
        Kind::Code(list) => (0, u16::try_from(list.codes.len()).map_err(|_| absent())?.saturating_sub(1)),
        Kind::Integer { minimum, maximum } => {
            let bound = |number: i64| u16::try_from(number.clamp(0, i64::from(MISSING_NUMBER) - 1)).unwrap_or(0);
            (bound(*minimum), bound(*maximum))
        }
        _ => return Err(absent()),
    };
    let mark = missing_mark(table, field, column)?;
    Ok(vec![(low, high), (mark, mark)])
}

fn lies_in(ranges: &[(u16, u16)], value: u16) -> bool {
    ranges.iter().any(|(low, high)| (*low..=*high).contains(&value))
}

fn common(left: &[(u16, u16)], right: &[(u16, u16)]) -> Ranges {
    let pairs = left.iter().flat_map(|one| right.iter().map(move |other| (one.0.max(other.0), one.1.min(other.1))));
    pairs.filter(|(low, high)| low <= high).collect()
}

fn without(all: &[(u16, u16)], taken: &[(u16, u16)]) -> Ranges {
    let mut left = Vec::new();
    for &(low, high) in all {
        let mut next = u32::from(low);
        for &(from, to) in taken.iter().filter(|(from, to)| *to >= low && *from <= high) {
            if u32::from(from) > next {
                left.push((next as u16, from - 1));
            }
            next = next.max(u32::from(to) + 1);
        }
        if next <= u32::from(high) {
            left.push((next as u16, high));
        }
    }
    left
}

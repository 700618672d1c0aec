//! The groups of a query: which combinations of codes there are, and which one a row belongs to.

use node_domain::dictionary::{Kind, Table};
use node_protocol::{
    answer::GroupKey,
    query::{Query, group_codes::GroupCodes},
};
use node_snapshot::columns::{Column, Columns, MISSING_NUMBER};

use crate::columnar::TabulateError;

/// Dense group numbers in row-major order of the query's `by`, with the missing value last in each field.
pub(crate) struct Grouping<'c> {
    axes: Vec<Axis<'c>>,
    groups: usize,
}

struct Axis<'c> {
    field: String,
    codes: GroupCodes,
    column: &'c Column,
    /// Least whole number of a range; 0 for codes, whose positions begin there.
    low: u16,
    size: u32,
    stride: u32,
}

impl<'c> Grouping<'c> {
    pub(crate) fn of(query: &Query, table: &Table, columns: &'c Columns) -> Result<Self, TabulateError> {
        let mut axes = Vec::with_capacity(query.by.len());
        let mut stride = 1_u32;
        for name in query.by.iter().rev() {
            let missing = || TabulateError::Field(name.clone());
            let field = table.field(name).ok_or_else(missing)?;
            let column = columns.column(name).ok_or_else(missing)?;
            if matches!(column, Column::Amounts(_)) {
                return Err(missing());
            }
            let codes = query.codes_of(field);
            let low = match (&codes, &field.kind) {
                (GroupCodes::Range { low, .. }, Kind::Integer { .. }) => u16::try_from(*low).map_err(|_| missing())?,
                _ => 0,
            };
            let size = u32::try_from(codes.len() + 1).map_err(|_| missing())?;
            axes.push(Axis { field: name.clone(), codes, column, low, size, stride });
            stride = stride.checked_mul(size).ok_or_else(missing)?;
        }
        axes.reverse();
        Ok(Self { axes, groups: stride as usize })
    }

    /// How many groups there are.
    pub(crate) fn groups(&self) -> usize {
        self.groups
    }

    /// The keys of all groups in order.
    pub(crate) fn keys(&self) -> Vec<GroupKey> {
        (0..self.groups)
            .map(|group| {
                let position = |axis: &Axis<'_>| group / axis.stride as usize % axis.size as usize;
                self.axes.iter().map(|axis| (axis.field.clone(), axis.codes.code(position(axis)))).collect()
            })
            .collect()
    }

    /// Writes the group of each row from `start` on into `into`.
    pub(crate) fn assign(&self, start: usize, into: &mut [u32]) {
        into.fill(0);
        for axis in &self.axes {
            let end = start + into.len();
            match axis.column {
                // the last field's stride is one, and a multiplication saved is half the pass
                Column::Codes(codes) if axis.stride == 1 => {
                    for (group, code) in into.iter_mut().zip(&codes[start..end]) {
                        *group += u32::from(*code);
                    }
                }
                Column::Codes(codes) => {
                    for (group, code) in into.iter_mut().zip(&codes[start..end]) {
                        *group += u32::from(*code) * axis.stride;
                    }
                }
                Column::Amounts(_) => {} // an amount is no field to group by: `Grouping::of` refuses it
                Column::Numbers(numbers) => {
                    let missing = axis.size - 1;
                    for (group, number) in into.iter_mut().zip(&numbers[start..end]) {
                        // a number outside the range is excluded by the filter that set the range
                        let position = u32::from(number.wrapping_sub(axis.low)).min(missing);
                        let position = if *number == MISSING_NUMBER { missing } else { position };
                        *group += position * axis.stride;
                    }
                }
            }
        }
    }

    /// As [`Self::assign`] where there are fewer than 255 groups: numbers in bytes vectorise four times as wide.
    pub(crate) fn assign_bytes(&self, start: usize, into: &mut [u8]) {
        into.fill(0);
        let end = start + into.len();
        for axis in &self.axes {
            // with fewer than 255 groups every stride and position is a byte
            let (stride, missing) = (axis.stride as u8, (axis.size - 1) as u8);
            match axis.column {
                Column::Codes(codes) => {
                    for (group, code) in into.iter_mut().zip(&codes[start..end]) {
                        *group = group.wrapping_add(code.wrapping_mul(stride));
                    }
                }
                Column::Amounts(_) => {}
                Column::Numbers(numbers) => {
                    for (group, number) in into.iter_mut().zip(&numbers[start..end]) {
                        let position = number.wrapping_sub(axis.low).min(u16::from(missing)) as u8;
                        let position = if *number == MISSING_NUMBER { missing } else { position };
                        *group = group.wrapping_add(position.wrapping_mul(stride));
                    }
                }
            }
        }
    }

    /// The group of one row.
    pub(crate) fn group_of(&self, row: usize) -> u32 {
        let mut one = [0];
        self.assign(row, &mut one);
        one[0]
    }
}

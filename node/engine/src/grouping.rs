//! The groups of a query: which combinations of codes there are, and which one a row belongs to.

use node_domain::dictionary::{Field, Kind, Table};
use node_protocol::{
    answer::GroupKey,
    query::{Query, Statistic, bins, group_codes::GroupCodes},
};
use node_snapshot::columns::{Column, Columns, MISSING_NUMBER};

use crate::columnar::TabulateError;

/// Dense group numbers in row-major order of the query's `by`, with the missing value last in each field. The bins of a
/// histogram are one axis more, the last one.
pub(crate) struct Grouping<'c> {
    axes: Vec<Axis<'c>>,
    groups: usize,
    /// Bins per group of the query's `by`; 1 without a histogram.
    bins: usize,
}

struct Axis<'c> {
    field: String,
    codes: GroupCodes,
    positions: Positions<'c>,
    size: u32,
    stride: u32,
}

/// How the position on an axis follows from the column.
enum Positions<'c> {
    /// The code itself.
    Codes(&'c [u8]),
    /// The distance from the least number; past the end where it is missing.
    Numbers { numbers: &'c [u16], low: u16 },
    /// The bin, from a table of all numbers that there can be.
    Bins { numbers: &'c [u16], table: Vec<u16>, edges: Vec<u16> },
}

impl<'c> Grouping<'c> {
    pub(crate) fn of(query: &Query, table: &Table, columns: &'c Columns) -> Result<Self, TabulateError> {
        let mut axes = Vec::with_capacity(query.by.len() + 1);
        let mut stride = 1_u32;
        if let Statistic::Histogram { field } = &query.statistic {
            let (axis, next) = Axis::of_bins(query, field, table, columns, stride)?;
            axes.push(axis);
            stride = next;
        }
        let bins = stride as usize;
        for name in query.by.iter().rev() {
            let (axis, next) = Axis::of(query, name, table, columns, stride)?;
            axes.push(axis);
            stride = next;
        }
        axes.reverse();
        Ok(Self { axes, groups: stride as usize, bins })
    }

    /// How many groups there are, bins of a histogram included.
    pub(crate) fn groups(&self) -> usize {
        self.groups
    }

    /// How many of these belong to each group of the query's `by`.
    pub(crate) fn bins(&self) -> usize {
        self.bins
    }

    /// The keys of the groups of the query's `by`, in order.
    pub(crate) fn keys(&self) -> Vec<GroupKey> {
        let axes = self.axes.iter().filter(|axis| !matches!(axis.positions, Positions::Bins { .. }));
        let axes: Vec<_> = axes.collect();
        (0..self.groups)
            .step_by(self.bins)
            .map(|group| axes.iter().map(|axis| (axis.field.clone(), axis.codes.code(axis.position(group)))).collect())
            .collect()
    }

    /// Writes the group of each row from `start` on into `into`.
    pub(crate) fn assign(&self, start: usize, into: &mut [u32]) {
        into.fill(0);
        for axis in &self.axes {
            let end = start + into.len();
            match &axis.positions {
                // the last field's stride is one, and a multiplication saved is half the pass
                Positions::Codes(codes) if axis.stride == 1 => {
                    for (group, code) in into.iter_mut().zip(&codes[start..end]) {
                        *group += u32::from(*code);
                    }
                }
                Positions::Codes(codes) => {
                    for (group, code) in into.iter_mut().zip(&codes[start..end]) {
                        *group += u32::from(*code) * axis.stride;
                    }
                }
                Positions::Numbers { numbers, low } => {
                    let missing = axis.size - 1;
                    for (group, number) in into.iter_mut().zip(&numbers[start..end]) {
                        // a number outside the range is excluded by the filter that set the range
                        let position = u32::from(number.wrapping_sub(*low)).min(missing);
                        let position = if *number == MISSING_NUMBER { missing } else { position };
                        *group += position * axis.stride;
                    }
                }
                Positions::Bins { numbers, table, .. } => {
                    for (group, number) in into.iter_mut().zip(&numbers[start..end]) {
                        *group += u32::from(table[usize::from(*number)]) * axis.stride;
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
            match &axis.positions {
                Positions::Codes(codes) => {
                    for (group, code) in into.iter_mut().zip(&codes[start..end]) {
                        *group = group.wrapping_add(code.wrapping_mul(stride));
                    }
                }
                Positions::Numbers { numbers, low } => {
                    for (group, number) in into.iter_mut().zip(&numbers[start..end]) {
                        let position = number.wrapping_sub(*low).min(u16::from(missing)) as u8;
                        let position = if *number == MISSING_NUMBER { missing } else { position };
                        *group = group.wrapping_add(position.wrapping_mul(stride));
                    }
                }
                Positions::Bins { numbers, table, .. } => {
                    for (group, number) in into.iter_mut().zip(&numbers[start..end]) {
                        *group = group.wrapping_add((table[usize::from(*number)] as u8).wrapping_mul(stride));
                    }
                }
            }
        }
    }

    /// The values of the fields of a group, as ranges of what their columns store, both ends included: the histogram's last.
    pub(crate) fn values_of(&self, group: usize) -> impl Iterator<Item = (&str, Vec<(u16, u16)>)> {
        self.axes.iter().map(move |axis| (axis.field.as_str(), axis.values_at(axis.position(group))))
    }
}

impl<'c> Axis<'c> {
    /// The axis of a field to group by, and the stride of the next one.
    fn of(
        query: &Query,
        name: &str,
        table: &Table,
        columns: &'c Columns,
        stride: u32,
    ) -> Result<(Self, u32), TabulateError> {
        let missing = || TabulateError::Field(name.to_owned());
        let field = table.field(name).ok_or_else(missing)?;
        let codes = query.codes_of(field);
        let positions = match (columns.column(name).ok_or_else(missing)?, &codes, &field.kind) {
            (Column::Codes(codes), ..) => Positions::Codes(codes),
            (Column::Numbers(numbers), GroupCodes::Range { low, .. }, Kind::Integer { .. }) => {
                Positions::Numbers { numbers, low: u16::try_from(*low).map_err(|_| missing())? }
            }
            (Column::Numbers(numbers), ..) => Positions::Numbers { numbers, low: 0 },
            (Column::Amounts(_), ..) => return Err(missing()),
        };
        Self::sized(field, codes.len() + 1, codes, positions, stride)
    }

    /// The axis of the bins of a histogram.
    fn of_bins(
        query: &Query,
        name: &str,
        table: &Table,
        columns: &'c Columns,
        stride: u32,
    ) -> Result<(Self, u32), TabulateError> {
        let missing = || TabulateError::Field(name.to_owned());
        let field = table.field(name).ok_or_else(missing)?;
        let Some(Column::Numbers(numbers)) = columns.column(name) else { return Err(missing()) };
        let edges = bins::lower_edges(field);
        if edges.is_empty() {
            return Err(missing());
        }
        let last = u16::try_from(edges.len()).map_err(|_| missing())?;
        let mut bins = vec![0; usize::from(u16::MAX) + 1];
        let mut bin = 0;
        for (number, of_number) in (0..MISSING_NUMBER).zip(&mut bins) {
            if edges.get(usize::from(bin) + 1).is_some_and(|next| number >= *next) {
                bin += 1;
            }
            *of_number = bin;
        }
        bins[usize::from(MISSING_NUMBER)] = last;
        let size = edges.len() + 1;
        Self::sized(field, size, query.codes_of(field), Positions::Bins { numbers, table: bins, edges }, stride)
    }

    fn sized(
        field: &Field,
        size: usize,
        codes: GroupCodes,
        positions: Positions<'c>,
        stride: u32,
    ) -> Result<(Self, u32), TabulateError> {
        let missing = || TabulateError::Field(field.name.clone());
        let size = u32::try_from(size).map_err(|_| missing())?;
        let next = stride.checked_mul(size).ok_or_else(missing)?;
        Ok((Self { field: field.name.clone(), codes, positions, size, stride }, next))
    }

    /// The position on this axis of a group.
    fn position(&self, group: usize) -> usize {
        group / self.stride as usize % self.size as usize
    }

    /// The values at `position`, as the column stores them.
    fn values_at(&self, position: usize) -> Vec<(u16, u16)> {
        let at = u16::try_from(position).unwrap_or(MISSING_NUMBER);
        let is_missing = position + 1 == self.size as usize;
        let range = match &self.positions {
            Positions::Codes(_) => (at, at),
            _ if is_missing => (MISSING_NUMBER, MISSING_NUMBER),
            Positions::Numbers { low, .. } => (low.saturating_add(at), low.saturating_add(at)),
            Positions::Bins { edges, .. } => {
                let next = edges.get(position + 1).map_or(MISSING_NUMBER, |next| *next);
                (edges[position], next.saturating_sub(1))
            }
        };
        vec![range]
    }
}

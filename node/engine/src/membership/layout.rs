//! The codes that stand for the cells that a row counts in; how cells are numbered is said by the layout.

use node_disclosure::layout::{Counts, Layout};
use node_protocol::query::{Query, Statistic};

use crate::grouping::Grouping;

/// The code of a row that is not counted.
pub(super) const NO_CODE: u32 = u32::MAX;

/// The layout of a question's cells.
pub(super) fn layout_of(query: &Query, grouping: &Grouping<'_>, boundaries: &[Vec<u16>]) -> Layout {
    let (groups, bins) = (grouping.groups() / grouping.bins(), grouping.bins());
    match &query.statistic {
        Statistic::Count => Layout::Groups { groups },
        Statistic::Histogram { .. } => Layout::Bins { groups, bins },
        Statistic::Mean { fields } => Layout::Values { groups, fields: fields.len() },
        Statistic::Survival { .. } => {
            Layout::curves((0..groups).map(|group| boundaries.get(group).map_or(&[][..], Vec::as_slice)))
        }
    }
}

/// Codes of rows, by the layout of their cells.
pub(super) trait Codes {
    /// The code of a row that is counted in this cell: of a mean the group with one bit per field, otherwise the cell, where an
    /// event's cell stands for the persons' too.
    fn code(&self, cell: usize) -> u32;
    /// The code of a row of a group with values of the fields in `mask`.
    fn values_code(&self, group: usize, mask: u32) -> u32;
    /// Brings the codes of one unit into the one order and form that stands for their cells.
    fn normalise(&self, codes: &mut Vec<u32>);
    /// How many cells a code stands for.
    fn cells_of(&self, code: u32) -> u32;
    /// Writes the cells of a code, each `offset` more than its local number.
    fn list(&self, code: u32, offset: u32, into: &mut Vec<u32>);
}

impl Codes for Layout {
    fn code(&self, cell: usize) -> u32 {
        match self {
            Self::Values { fields, .. } => self.values_code(cell / fields, 1 << (cell % fields)),
            _ => u32::try_from(cell).unwrap_or(NO_CODE),
        }
    }

    fn values_code(&self, group: usize, mask: u32) -> u32 {
        match (self, u32::try_from(group)) {
            (Self::Values { fields, .. }, Ok(group)) if mask != 0 => group << *fields | mask,
            _ => NO_CODE,
        }
    }

    fn normalise(&self, codes: &mut Vec<u32>) {
        codes.retain(|code| *code != NO_CODE);
        codes.sort_unstable();
        codes.dedup();
        match self {
            Self::Groups { .. } | Self::Bins { .. } => {}
            Self::Values { fields, .. } => codes.dedup_by(|later, kept| {
                let same = *later >> fields == *kept >> fields;
                *kept |= if same { *later } else { 0 };
                same
            }),
            Self::Curves { .. } => {
                let events: Vec<usize> = codes.iter().filter_map(|code| self.event_group(*code as usize)).collect();
                codes.retain(|code| {
                    !matches!(self.counts(*code as usize), Some(Counts::Persons { group }) if events.contains(&group))
                });
            }
        }
    }

    fn cells_of(&self, code: u32) -> u32 {
        match self {
            Self::Groups { .. } | Self::Bins { .. } => 1,
            Self::Values { fields, .. } => (code & ((1 << fields) - 1)).count_ones(),
            Self::Curves { .. } => 1 + u32::from(self.event_group(code as usize).is_some()),
        }
    }

    fn list(&self, code: u32, offset: u32, into: &mut Vec<u32>) {
        match self {
            Self::Groups { .. } | Self::Bins { .. } => into.push(offset + code),
            Self::Values { fields, .. } => {
                let (group, count) = (code >> fields, u32::try_from(*fields).unwrap_or(0));
                let with_value = (0..count).filter(|field| code >> field & 1 == 1);
                into.extend(with_value.map(|field| offset + group * count + field));
            }
            Self::Curves { starts } => {
                let persons = self.event_group(code as usize).and_then(|group| u32::try_from(starts[group]).ok());
                into.extend(persons.into_iter().chain([code]).map(|cell| offset + cell));
            }
        }
    }
}

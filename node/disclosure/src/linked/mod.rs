//! Linked tables of counts: which cells count which persons, and what their released values give away together.
//!
//! A *cell* counts the units of a set. Units that are counted in exactly the same cells form a *pattern*. A cell's value is the
//! sum of the units of the patterns in it, so every released value is one linear equation in the numbers of units, and what an
//! attacker can derive is what linear algebra can derive from these equations (Hundepool et al., Statistical Disclosure Control,
//! 2012, chapter 4).
//!
//! `audit` finds sets of fewer than the least number of persons that follow from the released cells; `bounds` how closely a
//! hidden cell can be bracketed; `suppress` chooses which cells to hide.

pub mod audit;
pub mod bounds;
mod elimination;
mod field;
mod pinned;
mod small_set;
pub mod suppress;

use field::SplitMix64;

/// No cell, no column, no row.
pub(crate) const NONE: u32 = u32::MAX;

/// Units that are counted in exactly the same cells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    /// Cell numbers, ascending, none twice.
    pub cells: Vec<u32>,
    /// Number of units; 0 for a pattern that is possible but empty (a *phantom*: the attacker cannot rule it out).
    pub units: u64,
}

/// What the units of a cell are, which decides how few of them may not be singled out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protects {
    /// A cell of persons (or hospitals): no set of fewer than `Least::persons`.
    Persons,
    /// A cell of persons with an event in an interval of a life table: no set of fewer than `Least::events`.
    Events,
}

/// What is known of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CellInfo {
    /// What its units are.
    pub protects: Protects,
}

/// The least sets that may become known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Least {
    /// `k`: no set of 1 to `k - 1` persons may follow from the cells of persons.
    pub persons: u64,
    /// `1 <= k_events <= k`: no set of 1 to `k_events - 1` persons may follow from all cells together.
    pub events: u64,
}

impl Least {
    /// The least number of units of a cell that may become known.
    pub(crate) fn of(self, linked: &Linked, cell: u32) -> u64 {
        match linked.cells[cell as usize].protects {
            Protects::Persons => self.persons,
            Protects::Events => self.events,
        }
    }
}

/// Bounds on the work of one call. What would go beyond is not judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Work {
    /// Greatest number of released cells.
    pub cells: usize,
    /// Greatest number of patterns.
    pub patterns: usize,
    /// Greatest number of multiplications modulo the prime in one elimination.
    pub field_operations: u64,
    /// Greatest number of steps of one search for small sets.
    pub search_steps: u64,
}

impl Default for Work {
    fn default() -> Self {
        Self { cells: 20_000, patterns: 4_000_000, field_operations: 10_000_000_000, search_steps: 50_000_000 }
    }
}

/// Why tables cannot be linked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkedError {
    /// A pattern names a cell that there is not.
    #[error(
        "pattern {pattern} names cell {cell}, but there are only {cells} cells; add the cell or correct the pattern"
    )]
    UnknownCell {
        /// Number of the pattern, from 0.
        pattern: usize,
        /// The cell it names.
        cell: u32,
        /// How many cells there are.
        cells: usize,
    },
    /// The cells of a pattern are not strictly ascending.
    #[error("the cells of pattern {pattern} are not ascending; sort them and remove repeats")]
    Unsorted {
        /// Number of the pattern, from 0.
        pattern: usize,
    },
    /// More units than can be counted.
    #[error("the units of all patterns together exceed 2^53; check the numbers of units")]
    TooManyUnits,
    /// More patterns or memberships than can be numbered.
    #[error("there are more patterns or cells than 32-bit numbers can name; link fewer tables")]
    TooMany,
}

/// Cells and the patterns of units over them.
#[derive(Debug, Clone)]
pub struct Linked {
    cells: Vec<CellInfo>,
    flat: Flat,
}

impl Linked {
    /// Links cells by the patterns of their units; equal patterns are merged and their units added.
    ///
    /// # Errors
    /// Where a pattern names an unknown cell or is not ascending, or where there are too many units or patterns.
    pub fn new(cells: Vec<CellInfo>, patterns: impl IntoIterator<Item = Pattern>) -> Result<Self, LinkedError> {
        let mut flat = Flat::default();
        let mut total = 0_u64;
        for (number, pattern) in patterns.into_iter().enumerate() {
            if pattern.cells.windows(2).any(|pair| pair[0] >= pair[1]) {
                return Err(LinkedError::Unsorted { pattern: number });
            }
            if let Some(&cell) = pattern.cells.last().filter(|cell| **cell as usize >= cells.len()) {
                return Err(LinkedError::UnknownCell { pattern: number, cell, cells: cells.len() });
            }
            total = total.saturating_add(pattern.units);
            flat.push(&pattern.cells, pattern.units, 1);
        }
        if total > 1 << 53 {
            return Err(LinkedError::TooManyUnits);
        }
        if flat.len() >= NONE as usize || cells.len() >= NONE as usize {
            return Err(LinkedError::TooMany);
        }
        let all: Vec<u32> = (0..cells.len()).map(number).collect();
        let (mut flat, _) = flat.restrict(&all);
        flat.members.fill(1);
        Ok(Self { cells, flat })
    }

    /// What is known of each cell, by number.
    #[must_use]
    pub fn cells(&self) -> &[CellInfo] {
        &self.cells
    }

    /// The number of different patterns that lie in any cell.
    #[must_use]
    pub fn pattern_count(&self) -> usize {
        self.flat.len()
    }

    /// The patterns: their cells and units, in order of first appearance.
    pub fn patterns(&self) -> impl Iterator<Item = (&[u32], u64)> {
        (0..self.flat.len()).map(|pattern| (self.flat.column(pattern), self.flat.units[pattern]))
    }

    /// The value of every cell, by number.
    #[must_use]
    pub fn values(&self) -> Vec<u64> {
        let mut values = vec![0; self.cells.len()];
        for (cells, units) in self.patterns() {
            for &cell in cells {
                values[cell as usize] += units;
            }
        }
        values
    }

    pub(crate) fn flat(&self) -> &Flat {
        &self.flat
    }
}

/// Columns of a 0/1 matrix, one after the other: column `i` has its ones in the rows `column(i)`.
#[derive(Debug, Clone)]
pub(crate) struct Flat {
    starts: Vec<usize>,
    rows: Vec<u32>,
    /// Units of each column.
    pub(crate) units: Vec<u64>,
    /// How many columns were merged into each.
    pub(crate) members: Vec<u32>,
}

impl Default for Flat {
    fn default() -> Self {
        Self { starts: vec![0], rows: Vec::new(), units: Vec::new(), members: Vec::new() }
    }
}

impl Flat {
    pub(crate) fn len(&self) -> usize {
        self.units.len()
    }

    pub(crate) fn column(&self, column: usize) -> &[u32] {
        &self.rows[self.starts[column]..self.starts[column + 1]]
    }

    fn push(&mut self, rows: &[u32], units: u64, members: u32) {
        self.rows.extend_from_slice(rows);
        self.starts.push(self.rows.len());
        self.units.push(units);
        self.members.push(members);
    }

    /// The columns over some rows, which keep their numbers; taken from `earlier`, an earlier answer for more rows, if given.
    pub(crate) fn restrict_in_place(&self, rows: &[u32], earlier: Option<&Self>) -> Self {
        let count = self.rows.iter().max().map_or(0, |row| *row as usize + 1);
        let mut row_of = vec![NONE; count];
        for &row in rows {
            if let Some(place) = row_of.get_mut(row as usize) {
                *place = row;
            }
        }
        earlier.unwrap_or(self).restrict(&row_of).0
    }

    /// The columns over some of the rows (`row_of[old]` is the new number or `NONE`, increasing), with equal columns merged and
    /// columns without any one left out; and for every old column its new one, or `NONE`.
    ///
    /// Equal columns are found by a 64-bit sum of random row keys and then compared, so that a clash of keys can only leave two
    /// equal columns apart, which changes no verdict.
    pub(crate) fn restrict(&self, row_of: &[u32]) -> (Self, Vec<u32>) {
        let mut random = SplitMix64(0x5eed_0001);
        let keys: Vec<u64> = row_of.iter().map(|row| if *row == NONE { 0 } else { random.next() }).collect();
        let mut order: Vec<(u64, u32)> = Vec::with_capacity(self.len());
        for column in 0..self.len() {
            let mut key = 0_u64;
            let mut ones = 0_u32;
            for &row in self.column(column) {
                key = key.wrapping_add(keys[row as usize]);
                ones += u32::from(row_of[row as usize] != NONE);
            }
            if ones > 0 {
                order.push((key, number(column)));
            }
        }
        order.sort_unstable();
        let kept = |column: u32| {
            self.column(column as usize).iter().map(|row| row_of[*row as usize]).filter(|row| *row != NONE)
        };
        // the first of equal columns stands for all
        let mut first = vec![NONE; self.len()];
        let mut leader: Option<(u64, u32)> = None;
        for &(key, column) in &order {
            first[column as usize] = match leader {
                Some((leading, of)) if leading == key && kept(of).eq(kept(column)) => of,
                _ => {
                    leader = Some((key, column));
                    column
                }
            };
        }
        drop(order);
        let mut merged = Self::default();
        let mut place = vec![NONE; self.len()];
        for column in 0..self.len() {
            let of = first[column];
            if of == NONE {
                continue;
            }
            if of as usize == column {
                place[column] = number(merged.len());
                merged.rows.extend(kept(of));
                merged.starts.push(merged.rows.len());
                merged.units.push(self.units[column]);
                merged.members.push(self.members[column]);
            } else {
                let at = place[of as usize];
                place[column] = at;
                merged.units[at as usize] += self.units[column];
                merged.members[at as usize] += self.members[column];
            }
        }
        (merged, place)
    }
}

/// A number of a cell, row or column; those are checked to fit when tables are linked.
pub(crate) fn number(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(NONE)
}

#[cfg(test)]
pub(crate) mod examples {
    use super::*;

    /// Cells of persons and patterns, for tests.
    pub(crate) fn persons(cells: usize, patterns: &[(&[u32], u64)]) -> Linked {
        let cells = vec![CellInfo { protects: Protects::Persons }; cells];
        let patterns = patterns.iter().map(|(cells, units)| Pattern { cells: cells.to_vec(), units: *units });
        Linked::new(cells, patterns).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::{examples::persons, *};

    #[test]
    fn equal_patterns_are_merged_and_cells_add_up() {
        let linked = persons(3, &[(&[0, 1], 2), (&[2], 5), (&[0, 1], 3), (&[], 9)]);
        assert_eq!(linked.patterns().collect::<Vec<_>>(), [(&[0, 1][..], 5), (&[2][..], 5)]);
        assert_eq!(linked.values(), [5, 5, 5]);
    }

    #[test]
    fn unknown_and_unsorted_cells_are_refused() {
        let build = |cells: &[u32]| {
            Linked::new(
                vec![CellInfo { protects: Protects::Persons }; 2],
                [Pattern { cells: cells.to_vec(), units: 1 }],
            )
            .err()
        };
        assert_eq!(build(&[0, 2]), Some(LinkedError::UnknownCell { pattern: 0, cell: 2, cells: 2 }));
        assert_eq!(build(&[1, 0]), Some(LinkedError::Unsorted { pattern: 0 }));
        assert_eq!(build(&[1, 1]), Some(LinkedError::Unsorted { pattern: 0 }));
        let many =
            Linked::new(vec![CellInfo { protects: Protects::Persons }], [Pattern { cells: vec![0], units: u64::MAX }]);
        assert_eq!(many.err(), Some(LinkedError::TooManyUnits));
    }
}

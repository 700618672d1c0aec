//! Which cells each person (or hospital) is counted in, over many queries at once: what an audit of linked tables needs to know.

use crate::layout::Layout;

/// Patterns of membership over the cells of several queries. Made by the engine, sealed, and opened only by this crate.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Membership {
    /// The layout of each query's cells.
    pub layouts: Vec<Layout>,
    /// The number of each query's first cell.
    pub offsets: Vec<u32>,
    /// The patterns; every person belongs to one.
    pub patterns: Vec<UnitPattern>,
    /// Patterns of persons who do not exist but could, each in a cell of one question that another question counts everybody of.
    pub beside: Vec<UnitPattern>,
    /// Those in such a cell whom the other question does not count, as places in `patterns` followed by `beside`: that nobody is there
    /// would follow by subtraction.
    pub differences: Vec<Vec<u32>>,
}

/// Persons who are counted in exactly the same cells.
#[derive(Clone, PartialEq, Eq)]
pub struct UnitPattern {
    /// The cells, ascending.
    pub cells: Vec<u32>,
    /// How many persons; 0 where nobody is, but somebody could be.
    pub units: u64,
}

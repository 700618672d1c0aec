//! What crosses borders: queries, answers and their cells, problems, studies; one definition for both sides.
//!
//! Does no I/O and decides nothing: who may ask is policy's matter, what may leave is disclosure control's.

pub mod answer;
pub mod canonical;
pub mod cell;
pub mod envelope;
pub mod estimate;
pub mod outgoing;
pub mod problem;
pub mod project;
pub mod query;
pub mod release;
pub mod schema;
pub mod study;

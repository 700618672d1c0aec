//! The quality rules: data in `schemas/quality/`, evaluated row by row at load and over the whole registry at publish.
//!
//! Severity decides: an error leaves the row out of every indicator and is counted, a warning keeps it and is counted.

pub mod aggregate;
pub mod at_load;
pub mod condition;
pub mod evaluate;
pub mod name;
pub mod procedure;
#[cfg(test)]
mod recall;
pub mod reference;
pub mod report;
pub mod rule;
pub mod subject;

//! The only crate that reads rows of a snapshot: `tabulate` counts them under a permit and seals the result, `membership` says
//! which cells of several queries count the same units.

pub mod columnar;
mod filter;
mod grouping;
pub mod membership;

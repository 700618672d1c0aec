//! The only crate that reads rows of a snapshot: `tabulate` counts them under a permit and seals the result.

pub mod columnar;
mod filter;
mod grouping;

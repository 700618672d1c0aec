//! May this leave: the seal on exact tables, and the one function that opens it and releases an answer.
//!
//! Does no I/O and keeps no history. Nothing else can read a sealed value or make a released one.

pub mod coarsening;
pub mod confidential;
pub mod release;

//! Answers a peer: the chain of stages from a recognised caller to a signed and audited answer; projects; what stewards decide.
//!
//! Never dials out, never speaks HTTP, and cannot send what a stage has not let through: the types do not fit otherwise.

pub mod answer;
pub mod catalogue;
mod describe;
mod estimate;
mod exact;
pub mod noise;
pub mod projects;
mod quota;
mod release;
pub mod stewardship;

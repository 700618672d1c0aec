//! Answers a peer: the chain of stages from a recognised caller to a signed and audited answer.
//!
//! Never dials out, never speaks HTTP, and cannot send what a stage has not let through: the types do not fit otherwise.

pub mod answer;

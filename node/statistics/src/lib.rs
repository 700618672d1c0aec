//! The statistics that the alliance compares: one file each, with the share that a node computes and the pooled estimate of many.
//!
//! Pure: no I/O, nothing asynchronous, no knowledge of policy, cells or wire formats.

pub mod count;
pub mod frequency;
pub mod interval;
pub mod log_rank;
pub mod survival;

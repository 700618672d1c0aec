//! May this be asked: the node's policy, and the permit without which the engine does not run.
//!
//! Does no I/O: the caller reads the file. Never looks at data.

pub mod permit;
pub mod policy;

//! May this be asked: the node's policy, who may do what, and the permit without which the engine does not run.
//!
//! Does no I/O: the caller reads the file and the grants. Never looks at data.

pub mod compare;
pub mod permit;
pub mod policy;
pub mod role;

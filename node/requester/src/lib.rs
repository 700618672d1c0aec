//! Asks peers: fans a study out, verifies what comes back, pools it, and goes on after a restart.
//!
//! The only crate that dials out. Never sees a row, and believes no answer that is not signed by the node it asked.

mod fits;
pub mod gossip;
pub mod peer;
pub mod pool;
pub mod projects;
pub mod study;

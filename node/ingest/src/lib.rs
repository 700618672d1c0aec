//! Files in, checked records, batches; batches to the analysis tables of a snapshot.
//!
//! Nothing here answers queries. Patient identifiers end at the door: past [`pseudonym`] there are only keyed hashes.

pub mod age;
pub mod batch;
pub mod cases;
pub mod check;
pub mod defect;
pub mod endpoint;
pub mod pseudonym;
pub mod reader;
pub mod stage;
pub mod stored;

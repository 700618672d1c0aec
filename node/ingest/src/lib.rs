//! Files in, checked records, batches; batches to the analysis tables of a snapshot.
//!
//! Nothing here answers queries. Patient identifiers end at the door: past [`load`] there are only keyed hashes.

pub mod batch;
pub mod case;
pub mod check;
pub mod classification;
pub mod defect;
pub mod derivation;
pub mod derive;
pub mod erasure;
pub mod fhir;
pub mod input;
pub mod keys;
pub mod load;
pub mod mapping;
pub mod pseudonym;
pub mod quality;
pub mod quarantine;
pub mod reader;
pub mod registry;
pub mod row;
pub mod stored;
pub mod suggest;
pub mod tables;

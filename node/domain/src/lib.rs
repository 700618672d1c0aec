//! The words that every other crate shares: identities, dates with precision, hashes, languages, the clock and the dictionary.
//!
//! Imports nothing of ours, does no I/O (the dictionary is embedded at build time) and knows no protocol.

pub mod clock;
pub mod date;
pub mod date_time;
pub mod dictionary;
pub mod digest;
pub mod language;
pub mod months;
pub mod nearest;
pub mod node_id;

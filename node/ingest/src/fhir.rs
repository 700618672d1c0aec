//! FHIR R4: a Bundle, or resources line by line.

use std::{collections::BTreeMap, io, path::Path};

use node_domain::dictionary::Dictionary;

use crate::reader::{FileSummary, Listener};

/// What became of a FHIR file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Resources read and the hash of the file.
    pub file: FileSummary,
    /// Resources that were not used, by type.
    pub unused: BTreeMap<String, u64>,
}

/// Reads `path`.
///
/// # Errors
/// Those of the file system and of the listener.
pub fn read(path: &Path, dictionary: &Dictionary, listener: &mut dyn Listener) -> io::Result<Summary> {
    let _ = (path, dictionary, listener);
    Err(io::ErrorKind::Unsupported.into())
}

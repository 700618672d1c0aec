//! Rows held back at load: where they stand at the source and why, never what they say.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Write},
    path::Path,
};

use serde::{Deserialize, Serialize};

use crate::{
    batch::{Batch, IngestError, QUARANTINE, at},
    keys::Key,
};

/// A row held back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Held {
    /// Collection.
    pub collection: String,
    /// Name of the file.
    pub file: String,
    /// Line in it.
    pub line: u64,
    /// Hash of the row's key, so that rows that refer to it are known to wait for it.
    pub key: String,
    /// Pseudonym of the person, so that an erasure finds it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub person: Option<String>,
    /// Whether it says that the person objects: that holds although the row does not count.
    #[serde(default)]
    pub objects: bool,
    /// Whether it tells of the person's death: what became of them is not known then.
    #[serde(default)]
    pub tells_of_death: bool,
    /// The rules that it breaks.
    pub reasons: Vec<Reason>,
}

/// A rule that a row breaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// The quality rule.
    pub rule: String,
    /// The field that shows it, where there is one.
    pub field: Option<String>,
}

/// Writes the rows that a batch holds back.
pub struct Quarantine(BufWriter<File>);

impl Quarantine {
    /// A new list in a batch's folder.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn create(folder: &Path) -> io::Result<Self> {
        Ok(Self(BufWriter::new(File::create(folder.join(QUARANTINE))?)))
    }

    /// Adds a row.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn hold(&mut self, held: &Held) -> io::Result<()> {
        serde_json::to_writer(&mut self.0, held)?;
        self.0.write_all(b"\n")
    }

    /// Writes what is left and syncs the file.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn finish(self) -> io::Result<()> {
        self.0.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
    }
}

/// The rows that a batch holds back.
///
/// # Errors
/// Where the list is damaged.
pub fn read(batch: &Batch) -> Result<Vec<Held>, IngestError> {
    let path = batch.place.join(QUARANTINE);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(at(&path)(error)),
    };
    BufReader::new(file)
        .lines()
        .map(|line| {
            let line = line.map_err(at(&path))?;
            serde_json::from_str(&line).map_err(|_| IngestError::Record(path.clone()))
        })
        .collect()
}

/// A key as text.
#[must_use]
pub fn hex(key: &Key) -> String {
    key.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A key from its text.
#[must_use]
pub fn unhex(text: &str) -> Option<Key> {
    let mut key = Key::default();
    if text.len() != 2 * key.len() {
        return None;
    }
    for (byte, pair) in key.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(key)
}

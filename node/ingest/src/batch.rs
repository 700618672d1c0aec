//! Batches: what was loaded, removed or erased together, in order, each in a folder of its own.
//!
//! A batch is written into a folder called `unfinished` and renamed into place when it is whole. A crash leaves no batch; what was
//! begun is swept away by the next one. A batch that was reverted stays in its place with a note, out of force.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use chrono::{DateTime, NaiveDate, Utc};
use node_domain::digest::Digest;
use node_snapshot::durable;
use serde::{Deserialize, Serialize};

use crate::stored::StoredError;

const RECORD: &str = "batch.json";
const REVERTED: &str = "reverted.json";
const UNFINISHED: &str = "unfinished";
/// The file of held back rows in a batch's folder.
pub const QUARANTINE: &str = "quarantine.jsonl";

/// What is remembered of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchRecord {
    /// Identity: hash over what was loaded, so that the same files are the same batch.
    pub batch: Digest,
    /// What it does.
    pub kind: BatchKind,
    /// Who loaded it.
    pub by: String,
    /// When.
    pub at: DateTime<Utc>,
    /// The day on which the files were taken from their source.
    pub extracted_on: NaiveDate,
    /// Dictionary version that the rows were checked against.
    pub dictionary: String,
    /// The mapping, where one was used.
    pub mapping: Option<MappingRecord>,
    /// The files, in the order in which they were read.
    pub files: Vec<FileRecord>,
}

/// What a batch does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BatchKind {
    /// Brings rows; one with the key of an earlier row takes its place.
    Load,
    /// Takes rows away by their keys.
    Removal,
    /// Keeps all rows of these persons out of everything (they objected).
    Objection,
    /// All rows of some persons were erased from every batch. Does not say who.
    Erasure,
}

impl BatchKind {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Removal => "removal",
            Self::Objection => "objection",
            Self::Erasure => "erasure",
        }
    }
}

/// A mapping that a batch was loaded with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MappingRecord {
    /// Name.
    pub name: String,
    /// Version.
    pub version: u32,
    /// Hash of its text.
    pub sha256: Digest,
}

/// What is remembered of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileRecord {
    /// Its name, without folders.
    pub source: String,
    /// Hash of the file as it was loaded.
    pub sha256: Digest,
    /// What came of it.
    pub parts: Vec<PartRecord>,
}

/// The rows of one collection that came of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartRecord {
    /// Collection.
    pub collection: String,
    /// Stored file inside the batch's folder.
    pub stored: String,
    /// Rows taken.
    pub rows: u64,
    /// Rows held back.
    pub quarantined: u64,
    /// Rows that say the same as an earlier row of the batch, where the mapping allows that.
    pub repeated: u64,
    /// Rows of erased persons, which are not taken again.
    pub erased: u64,
    /// Rows per quality rule that they break, as far as one row alone shows it.
    pub rules: BTreeMap<String, u64>,
}

/// Why a batch is out of force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reverted {
    /// Who took it out.
    pub by: String,
    /// When.
    pub at: DateTime<Utc>,
    /// Why.
    pub why: String,
}

/// A batch on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Its number, counted from 1.
    pub number: u32,
    /// Its folder.
    pub place: PathBuf,
    /// What is remembered of it.
    pub record: BatchRecord,
    /// Set where it is out of force.
    pub reverted: Option<Reverted>,
}

/// Something that cannot be carried out, for reasons outside the files' content.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// No such collection.
    #[error("there is no collection `{0}`; known are: {1}")]
    Collection(String, String),
    /// The file system.
    #[error("{}: {}", path.display(), durable::trouble(source))]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A stored file.
    #[error("{}: {}", path.display(), durable::trouble(source))]
    Stored {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: StoredError,
    },
    /// A batch's record is damaged.
    #[error("{}: the record of the batch is damaged; restore it from a backup", .0.display())]
    Record(PathBuf),
    /// Another load or publication is running.
    #[error("another load or publication is running on this node: wait until it has ended")]
    Locked,
    /// An erasure was begun and did not end.
    #[error("an erasure was begun and did not end: run `alianza batch erase` with the same file again")]
    Erasing,
    /// No such batch.
    #[error("there is no batch {0}: `alianza batch list` shows them")]
    NoBatch(u32),
    /// The batch cannot be reverted.
    #[error("batch {0} {1}")]
    Unrevertible(u32, &'static str),
    /// Something of the program's own tables; a test keeps it from shipping.
    #[error("a table that ships with the program cannot be read: {0}")]
    Shipped(String),
}

/// Turns an error of the file system into one that says where.
pub fn at(path: &Path) -> impl FnOnce(io::Error) -> IngestError {
    let path = path.to_owned();
    |source| IngestError::Io { path, source }
}

/// Turns an error of a stored file into one that says where.
pub fn stored_at(path: &Path) -> impl FnOnce(StoredError) -> IngestError {
    let path = path.to_owned();
    |source| match source {
        StoredError::Io(source) => IngestError::Io { path, source },
        source => IngestError::Stored { path, source },
    }
}

/// Holds the data folder for one writer; released when dropped, also by a crash.
pub struct Hold(#[expect(dead_code, reason = "the lock lives as long as the open file")] File);

impl Hold {
    /// Takes the data folder, or says who is in the way.
    ///
    /// # Errors
    /// [`IngestError::Locked`] while another process writes.
    pub fn take(data: &Path) -> Result<Self, IngestError> {
        fs::create_dir_all(data).map_err(at(data))?;
        let path = data.join("lock");
        let file = File::create(&path).map_err(at(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(fs::TryLockError::WouldBlock) => Err(IngestError::Locked),
            Err(fs::TryLockError::Error(error)) => Err(at(&path)(error)),
        }
    }
}

/// The folder of all batches.
#[must_use]
pub fn folder(data: &Path) -> PathBuf {
    data.join("batches")
}

/// All batches in the order of their numbers, also those out of force.
///
/// # Errors
/// Where a record is damaged.
pub fn list(data: &Path) -> Result<Vec<Batch>, IngestError> {
    let folder = folder(data);
    let mut places = Vec::new();
    match fs::read_dir(&folder) {
        Ok(entries) => {
            for entry in entries {
                let path = entry.map_err(at(&folder))?.path();
                let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                if let Some(number) = name.split('-').next().and_then(|number| number.parse().ok()) {
                    places.push((number, path));
                }
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(at(&folder)(error)),
    }
    places.sort();
    places.into_iter().map(|(number, place)| read(number, place)).collect()
}

/// The batches in force, in order.
///
/// # Errors
/// As [`list`].
pub fn in_force(data: &Path) -> Result<Vec<Batch>, IngestError> {
    Ok(list(data)?.into_iter().filter(|batch| batch.reverted.is_none()).collect())
}

fn read(number: u32, place: PathBuf) -> Result<Batch, IngestError> {
    let path = place.join(RECORD);
    let bytes = fs::read(&path).map_err(at(&path))?;
    let record = serde_json::from_slice(&bytes).map_err(|_| IngestError::Record(path))?;
    let path = place.join(REVERTED);
    let reverted = match fs::read(&path) {
        Ok(bytes) => Some(serde_json::from_slice(&bytes).map_err(|_| IngestError::Record(path))?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(at(&path)(error)),
    };
    Ok(Batch { number, place, record, reverted })
}

/// A batch that is being made; swept away unless it is settled.
pub struct Unfinished {
    folder: PathBuf,
    batches: PathBuf,
    settled: bool,
}

impl Unfinished {
    /// Begins a batch. Needs the [`Hold`] of the data folder.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn begin(data: &Path, _hold: &Hold) -> Result<Self, IngestError> {
        let batches = folder(data);
        fs::create_dir_all(&batches).map_err(at(&batches))?;
        let folder = batches.join(UNFINISHED);
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(at(&folder))?;
        }
        fs::create_dir(&folder).map_err(at(&folder))?;
        Ok(Self { folder, batches, settled: false })
    }

    /// Its folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Puts the batch in its place with the next number.
    ///
    /// # Errors
    /// Those of the file system; there is no batch then.
    pub fn settle(mut self, record: BatchRecord, number: u32) -> Result<Batch, IngestError> {
        write_json(&self.folder.join(RECORD), &record)?;
        let place = self.batches.join(format!("{number:06}-{}", record.batch.short()));
        durable::settle(&self.folder, &place).map_err(at(&place))?;
        self.settled = true;
        Ok(Batch { number, place, record, reverted: None })
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.settled {
            // what cannot be removed now is swept away by the next batch
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// Replaces a file by a value as JSON.
///
/// # Errors
/// Those of the file system; the old file is whole then.
pub fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), IngestError> {
    let bytes = serde_json::to_vec_pretty(value).map_err(|_| IngestError::Record(path.to_owned()))?;
    durable::replace(path, &bytes).map_err(at(path))
}

/// Writes a batch's record anew, after its files were rewritten.
///
/// # Errors
/// Those of the file system.
pub fn rewrite_record(batch: &Batch) -> Result<(), IngestError> {
    write_json(&batch.place.join(RECORD), &batch.record)
}

/// The number that the next batch gets.
#[must_use]
pub fn next_number(batches: &[Batch]) -> u32 {
    batches.last().map_or(1, |batch| batch.number + 1)
}

/// Takes a batch out of force; its rows count no more from the next publication on.
///
/// # Errors
/// Where there is no such batch, or it is out of force already, or it is an erasure, which cannot be taken back.
pub fn revert(data: &Path, number: u32, by: &str, at_time: DateTime<Utc>, why: &str) -> Result<Batch, IngestError> {
    let _hold = Hold::take(data)?;
    let mut batch = list(data)?.into_iter().find(|batch| batch.number == number).ok_or(IngestError::NoBatch(number))?;
    if batch.reverted.is_some() {
        return Err(IngestError::Unrevertible(
            number,
            "is out of force already; load its files again to bring it back",
        ));
    }
    if batch.record.kind == BatchKind::Erasure {
        return Err(IngestError::Unrevertible(number, "is an erasure: what was erased cannot be brought back"));
    }
    let reverted = Reverted { by: by.to_owned(), at: at_time, why: why.to_owned() };
    write_json(&batch.place.join(REVERTED), &reverted)?;
    batch.reverted = Some(reverted);
    Ok(batch)
}

//! Batches: files that are loaded together, all or nothing.
//!
//! A batch is written into a folder of its own and renamed into place when every row of every file is good. A crash leaves no
//! batch; what was begun is swept away by the next load.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap, HashSet},
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use node_domain::{
    dictionary::{Dictionary, Table},
    digest::Digest,
};
use node_snapshot::durable;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{
    defect::{Defect, Rule},
    pseudonym::PseudonymKey,
    reader::{self, Row},
    stored::{self, StoredError, Writer},
};

/// A file of a collection, as named by the operator.
#[derive(Debug, Clone)]
pub struct Source {
    /// Collection, such as `tumour`.
    pub collection: String,
    /// File.
    pub path: PathBuf,
}

/// What is remembered of an accepted batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchRecord {
    /// Identity: hash over collections and file contents, so that the same files are the same batch.
    pub batch: Digest,
    /// Dictionary version that the rows were checked against.
    pub dictionary: String,
    /// The files, in the order in which they were read.
    pub files: Vec<FileRecord>,
}

/// What is remembered of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileRecord {
    /// Collection.
    pub collection: String,
    /// Rows.
    pub rows: u64,
    /// Hash of the file as it was loaded.
    pub sha256: Digest,
    /// Stored file inside the batch's folder.
    pub stored: String,
}

/// What became of a load.
#[derive(Debug)]
pub enum Outcome {
    /// All rows are in.
    Accepted(BatchRecord),
    /// The same files are in already; nothing was changed.
    AlreadyLoaded(BatchRecord),
    /// Nothing was taken; every defect was reported.
    Refused {
        /// Number of defects.
        defects: u64,
        /// Rows read.
        rows: u64,
    },
}

/// A load that could not be carried out, for reasons outside the files' content.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// No such collection.
    #[error("there is no collection `{0}`; known are: {1}")]
    Collection(String, String),
    /// The file system.
    #[error("{}: cannot be read or written", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A stored file.
    #[error(transparent)]
    Stored(#[from] StoredError),
    /// A batch's record is damaged.
    #[error("{}: the record of the batch is damaged; restore it from a backup", .0.display())]
    Record(PathBuf),
    /// Another load or publication is running.
    #[error("another load or publication is running on this node: wait until it has ended")]
    Locked,
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> IngestError {
    let path = path.to_owned();
    |source| IngestError::Io { path, source }
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

/// Loads files as one batch into `data/batches`. Every defect goes to `report` as it is found.
///
/// # Errors
/// See [`IngestError`]; nothing was taken then.
pub fn load(
    data: &Path,
    dictionary: &Dictionary,
    key: &PseudonymKey,
    sources: &[Source],
    report: &mut dyn FnMut(Defect),
) -> Result<Outcome, IngestError> {
    let _hold = Hold::take(data)?;
    let folder = data.join("batches");
    fs::create_dir_all(&folder).map_err(at(&folder))?;
    let earlier = list(data)?;
    let unfinished = folder.join("unfinished");
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).map_err(at(&unfinished))?;
    }
    fs::create_dir(&unfinished).map_err(at(&unfinished))?;

    let mut keys = Keys::default();
    for (place, record) in &earlier {
        keys.add_stored(place, record, dictionary)?;
    }
    let (mut defects, mut rows) = (0, 0);
    let mut count = |defect: Defect| {
        defects += 1;
        report(defect);
    };
    let mut files = Vec::new();
    for (number, (source, table)) in in_order(sources, dictionary)?.into_iter().enumerate() {
        let stored = format!("{number:03}-{}.parquet", source.collection);
        let summary = load_file(source, table, key, &unfinished.join(&stored), &mut keys, &mut count)?;
        rows += summary.rows;
        files.push(FileRecord {
            collection: source.collection.clone(),
            rows: summary.rows,
            sha256: summary.sha256,
            stored,
        });
    }
    if defects > 0 {
        fs::remove_dir_all(&unfinished).map_err(at(&unfinished))?;
        return Ok(Outcome::Refused { defects, rows });
    }
    let batch = identity(&files);
    if let Some((_, record)) = earlier.into_iter().find(|(_, record)| record.batch == batch) {
        fs::remove_dir_all(&unfinished).map_err(at(&unfinished))?;
        return Ok(Outcome::AlreadyLoaded(record));
    }
    let record = BatchRecord { batch, dictionary: dictionary.version.clone(), files };
    let path = unfinished.join("batch.json");
    let bytes = serde_json::to_vec_pretty(&record).map_err(|_| IngestError::Record(path.clone()))?;
    durable::replace(&path, &bytes).map_err(at(&path))?;
    let number = list(data)?.len() + 1;
    let place = folder.join(format!("{number:06}-{}", batch.short()));
    durable::settle(&unfinished, &place).map_err(at(&place))?;
    Ok(Outcome::Accepted(record))
}

/// The accepted batches in the order of their loading, with their folders.
///
/// # Errors
/// Where a record is damaged.
pub fn list(data: &Path) -> Result<Vec<(PathBuf, BatchRecord)>, IngestError> {
    let folder = data.join("batches");
    let mut places = Vec::new();
    match fs::read_dir(&folder) {
        Ok(entries) => {
            for entry in entries {
                let path = entry.map_err(at(&folder))?.path();
                if path.file_name().is_some_and(|name| name != "unfinished") {
                    places.push(path);
                }
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(at(&folder)(error)),
    }
    places.sort();
    places
        .into_iter()
        .map(|place| {
            let path = place.join("batch.json");
            let bytes = fs::read(&path).map_err(at(&path))?;
            let record = serde_json::from_slice(&bytes).map_err(|_| IngestError::Record(path))?;
            Ok((place, record))
        })
        .collect()
}

fn identity(files: &[FileRecord]) -> Digest {
    let mut parts: Vec<String> = files.iter().map(|file| format!("{}={}", file.collection, file.sha256)).collect();
    parts.sort();
    Digest::of(parts.join("\n").as_bytes())
}

/// The sources with their tables, referred-to collections first.
fn in_order<'s, 'd>(
    sources: &'s [Source],
    dictionary: &'d Dictionary,
) -> Result<Vec<(&'s Source, &'d Table)>, IngestError> {
    let mut ordered = Vec::new();
    for source in sources {
        let table = dictionary.collection(&source.collection).ok_or_else(|| {
            let known = dictionary.collections().map(|table| table.name.as_str()).collect::<Vec<_>>().join(", ");
            IngestError::Collection(source.collection.clone(), known)
        })?;
        ordered.push((depth(table, dictionary, 0), source, table));
    }
    ordered.sort_by_key(|(depth, ..)| *depth);
    Ok(ordered.into_iter().map(|(_, source, table)| (source, table)).collect())
}

fn depth(table: &Table, dictionary: &Dictionary, nested: usize) -> usize {
    let referred = table.foreign_keys.iter().filter_map(|key| dictionary.collection(&key.reference.resource));
    referred.filter(|_| nested < 10).map(|table| depth(table, dictionary, nested + 1) + 1).max().unwrap_or(0)
}

fn load_file(
    source: &Source,
    table: &Table,
    key: &PseudonymKey,
    stored: &Path,
    keys: &mut Keys,
    report: &mut dyn FnMut(Defect),
) -> Result<reader::FileSummary, IngestError> {
    let mut writer = Writer::create(stored, table)?;
    let mut failed = None;
    let shape = KeyShape::of(table);
    let mut seen = keys.of_batch.remove(&table.name).unwrap_or_default();
    let report = RefCell::new(report);
    let mut accept = |line: u64, row: Row| {
        let values: Vec<&str> = row.iter().map(String::as_str).collect();
        let mut good = true;
        let mut say = |column: String, rule, fix: String| {
            good = false;
            let file = source.path.clone();
            (report.borrow_mut())(Defect { file, line, column: Some(column), found: None, rule, fix });
        };
        if !seen.insert(shape.primary(&values)) {
            let fix = "the same key stands in an earlier row of this batch: keep one".to_owned();
            say(shape.primary_names.join(", "), Rule::Unique, fix);
        }
        for reference in &shape.references {
            if !keys.contains(&reference.resource, &reference.key(&values)) {
                let fix = format!("no such row in `{}`: load it first or with this file", reference.resource);
                say(reference.names.join(", "), Rule::Reference, fix);
            }
        }
        if good && let Err(error) = writer.push(&row) {
            failed.get_or_insert(error);
        }
        Ok(())
    };
    let mut tell = |defect| (report.borrow_mut())(defect);
    let summary = reader::read(&source.path, table, key, &mut accept, &mut tell).map_err(at(&source.path))?;
    if let Some(error) = failed {
        return Err(error.into());
    }
    writer.finish()?;
    keys.of_batch.insert(table.name.clone(), seen);
    Ok(summary)
}

/// The key of a row: half of a SHA-256 over its parts, so that millions of keys fit in memory.
type Key = [u8; 16];

fn key_of<'v>(parts: impl Iterator<Item = &'v str>) -> Key {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.as_bytes());
        hasher.update([0x1f]);
    }
    let mut key = Key::default();
    key.copy_from_slice(&hasher.finalize()[..16]);
    key
}

/// Where the keys of a table stand in its rows.
struct KeyShape {
    primary: Vec<usize>,
    primary_names: Vec<String>,
    references: Vec<ReferenceShape>,
}

struct ReferenceShape {
    resource: String,
    positions: Vec<usize>,
    names: Vec<String>,
}

impl KeyShape {
    fn of(table: &Table) -> Self {
        let positions = |names: &[String]| {
            names
                .iter()
                .filter_map(|name| table.fields.iter().position(|field| field.name == *name))
                .collect::<Vec<_>>()
        };
        Self {
            primary: positions(&table.primary_key),
            primary_names: table.primary_key.clone(),
            references: table
                .foreign_keys
                .iter()
                .map(|key| ReferenceShape {
                    resource: key.reference.resource.clone(),
                    positions: positions(&key.fields),
                    names: key.fields.clone(),
                })
                .collect(),
        }
    }

    fn primary(&self, row: &[&str]) -> Key {
        key_of(self.primary.iter().map(|position| row[*position]))
    }
}

impl ReferenceShape {
    fn key(&self, row: &[&str]) -> Key {
        key_of(self.positions.iter().map(|position| row[*position]))
    }
}

/// The primary keys of every collection, loaded before or now.
#[derive(Default)]
struct Keys {
    known: HashMap<String, HashSet<Key>>,
    of_batch: HashMap<String, HashSet<Key>>,
}

impl Keys {
    fn contains(&self, collection: &str, key: &Key) -> bool {
        [&self.known, &self.of_batch].iter().any(|keys| keys.get(collection).is_some_and(|keys| keys.contains(key)))
    }

    fn add_stored(&mut self, place: &Path, record: &BatchRecord, dictionary: &Dictionary) -> Result<(), IngestError> {
        for file in &record.files {
            let Some(table) = dictionary.collection(&file.collection) else { continue };
            let shape = KeyShape::of(table);
            let keys = self.known.entry(table.name.clone()).or_default();
            stored::read(&place.join(&file.stored), table, &mut |row| {
                keys.insert(shape.primary(row));
            })?;
        }
        Ok(())
    }
}

/// Rows in the order of the dictionary's fields, by collection.
pub type RowsByCollection = BTreeMap<String, Vec<Row>>;

/// The rows of every collection in force: of rows with the same key the one loaded last.
///
/// # Errors
/// Where a stored file is damaged.
pub fn rows_in_force(data: &Path, dictionary: &Dictionary) -> Result<(Vec<Digest>, RowsByCollection), IngestError> {
    let mut batches = Vec::new();
    let mut rows: BTreeMap<String, (HashMap<Key, usize>, Vec<Row>)> = BTreeMap::new();
    for (place, record) in list(data)? {
        batches.push(record.batch);
        for file in &record.files {
            let Some(table) = dictionary.collection(&file.collection) else { continue };
            let shape = KeyShape::of(table);
            let (places, rows) = rows.entry(table.name.clone()).or_default();
            stored::read(&place.join(&file.stored), table, &mut |row| {
                let owned: Row = row.iter().map(|value| (*value).to_owned()).collect();
                match places.get(&shape.primary(row)) {
                    Some(&known) => rows[known] = owned,
                    None => {
                        places.insert(shape.primary(row), rows.len());
                        rows.push(owned);
                    }
                }
            })?;
        }
    }
    Ok((batches, rows.into_iter().map(|(name, (_, rows))| (name, rows)).collect()))
}

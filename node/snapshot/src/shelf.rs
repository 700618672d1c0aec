//! The folder of snapshots and the pointer to the one in force.
//!
//! A snapshot is built in a folder of its own, synced, and renamed to its hash; then the pointer is replaced. A crash at any
//! moment leaves the former pointer and the former snapshot.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use node_domain::{
    dictionary::{Dictionary, Table},
    digest::Digest,
};
use sha2::{Digest as _, Sha256};

use crate::{
    columns::Columns,
    durable,
    manifest::{Manifest, Provenance, TableEntry},
    parquet_file::{self, Draft, FileError},
};

/// Version of the manifest's form.
const FORMAT: u32 = 2;
const POINTER: &str = "CURRENT";
const MANIFEST: &str = "manifest.json";
/// Name of the file of released indicators in a snapshot's folder.
pub const CATALOGUE: &str = "catalogue.json";

/// A snapshot in memory.
pub struct Snapshot {
    /// Its identity: the hash of its manifest.
    pub id: Digest,
    /// Its manifest.
    pub manifest: Manifest,
    tables: BTreeMap<String, Columns>,
}

/// A snapshot that cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ShelfError {
    /// The file system.
    #[error("{}: {}", path.display(), durable::trouble(source))]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A table.
    #[error("{}: {}", path.display(), durable::trouble(source))]
    Table {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: FileError,
    },
    /// A file is not what the manifest says.
    #[error("{}: the file was changed after publication; publish again", .0.display())]
    Hash(PathBuf),
    /// The manifest or the pointer.
    #[error("{}: not valid; publish again", .0.display())]
    Form(PathBuf),
    /// Made with another dictionary.
    #[error("the snapshot was made with dictionary {made}, this version reads {read}: publish again")]
    Dictionary {
        /// Version of the snapshot.
        made: String,
        /// Version of this build.
        read: String,
    },
}

pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> ShelfError {
    let path = path.to_owned();
    |source| ShelfError::Io { path, source }
}

impl Snapshot {
    /// A table of the snapshot.
    #[must_use]
    pub fn table(&self, name: &str) -> Option<&Columns> {
        self.tables.get(name)
    }

    /// A snapshot made in memory, for benchmarks and tests of the engine.
    #[must_use]
    pub fn in_memory(manifest: Manifest, id: Digest, tables: BTreeMap<String, Columns>) -> Self {
        Self { id, manifest, tables }
    }
}

/// A snapshot that is complete on disk but not yet in force.
pub struct Prepared {
    /// Its identity.
    pub id: Digest,
    /// Its manifest.
    pub manifest: Manifest,
    folder: PathBuf,
}

/// Writes the tables of a snapshot beside the others; nothing is in force before [`enforce`].
///
/// # Errors
/// Those of the file system; what was begun is swept away by the next call.
pub fn prepare(
    shelf: &Path,
    dictionary: &Dictionary,
    provenance: Provenance,
    tables: &[(&Table, Draft)],
) -> Result<Prepared, ShelfError> {
    fs::create_dir_all(shelf).map_err(at(shelf))?;
    let folder = shelf.join("unfinished");
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(at(&folder))?;
    }
    fs::create_dir(&folder).map_err(at(&folder))?;
    let mut manifest =
        Manifest { format: FORMAT, dictionary: dictionary.version.clone(), provenance, tables: BTreeMap::new() };
    for (table, draft) in tables {
        let file = format!("{}.parquet", table.name);
        let path = folder.join(&file);
        parquet_file::write(&path, table, draft).map_err(|source| ShelfError::Table { path: path.clone(), source })?;
        let sha256 = hash(&path)?;
        // persons ascend, so a new number is a new person
        let units = draft.persons.chunk_by(|a, b| a == b).count() as u64;
        let (rows, unit_of_privacy) = (draft.persons.len() as u64, table.unit_of_privacy);
        manifest.tables.insert(table.name.clone(), TableEntry { file, rows, unit_of_privacy, units, sha256 });
    }
    let path = folder.join(MANIFEST);
    let bytes = manifest.bytes().map_err(|_| ShelfError::Form(path.clone()))?;
    durable::replace(&path, &bytes).map_err(at(&path))?;
    Ok(Prepared { id: Digest::of(&bytes), manifest, folder })
}

impl Prepared {
    /// Reads the prepared tables back, so that the catalogue is computed from what will be in force.
    ///
    /// # Errors
    /// As [`open`].
    pub fn load(&self, dictionary: &Dictionary) -> Result<Snapshot, ShelfError> {
        load(&self.folder, self.id, dictionary)
    }

    /// Puts the snapshot with its catalogue (a JSON text) in force.
    ///
    /// # Errors
    /// Those of the file system; the former snapshot is then still in force.
    pub fn enforce(self, shelf: &Path, dictionary: &Dictionary, catalogue: &[u8]) -> Result<(), ShelfError> {
        let path = self.folder.join(CATALOGUE);
        durable::replace(&path, catalogue).map_err(at(&path))?;
        let place = place(shelf, self.id);
        if place.exists() && load(&place, self.id, dictionary).is_err() {
            // the same data were published before and damaged since: put the damaged folder aside
            let aside = shelf.join("damaged");
            if aside.exists() {
                fs::remove_dir_all(&aside).map_err(at(&aside))?;
            }
            fs::rename(&place, &aside).map_err(at(&place))?;
        }
        if place.exists() {
            // the same data were published before; only the catalogue may be new
            let path = place.join(CATALOGUE);
            durable::replace(&path, catalogue).map_err(at(&path))?;
            fs::remove_dir_all(&self.folder).map_err(at(&self.folder))?;
        } else {
            durable::settle(&self.folder, &place).map_err(at(&place))?;
        }
        let pointer = shelf.join(POINTER);
        durable::replace(&pointer, self.id.to_string().as_bytes()).map_err(at(&pointer))
    }
}

/// The folder of a snapshot.
#[must_use]
pub fn place(shelf: &Path, id: Digest) -> PathBuf {
    shelf.join(id.hex())
}

/// The identity of the snapshot in force, if any.
///
/// # Errors
/// Those of the file system, and a pointer that is not a hash.
pub fn current(shelf: &Path) -> Result<Option<Digest>, ShelfError> {
    let pointer = shelf.join(POINTER);
    match fs::read_to_string(&pointer) {
        Ok(text) => text.trim().parse().map(Some).map_err(|_| ShelfError::Form(pointer)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(at(&pointer)(error)),
    }
}

/// Reads the snapshot in force and its catalogue, checking every hash.
///
/// # Errors
/// Where a file is missing, changed or of another dictionary.
pub fn open(shelf: &Path, dictionary: &Dictionary) -> Result<Option<(Snapshot, Vec<u8>)>, ShelfError> {
    current(shelf)?.map(|id| open_one(shelf, dictionary, id)).transpose()
}

/// Reads one snapshot and its catalogue, checking every hash.
///
/// # Errors
/// Where a file is missing, changed or of another dictionary.
pub fn open_one(shelf: &Path, dictionary: &Dictionary, id: Digest) -> Result<(Snapshot, Vec<u8>), ShelfError> {
    let folder = place(shelf, id);
    let snapshot = load(&folder, id, dictionary)?;
    let path = folder.join(CATALOGUE);
    let catalogue = fs::read(&path).map_err(at(&path))?;
    Ok((snapshot, catalogue))
}

/// Reads the manifest of a snapshot, checking its hash.
///
/// # Errors
/// Where it is missing, changed, or of an earlier form.
pub fn manifest(shelf: &Path, id: Digest) -> Result<Manifest, ShelfError> {
    read_manifest(&place(shelf, id), id)
}

fn read_manifest(folder: &Path, id: Digest) -> Result<Manifest, ShelfError> {
    let path = folder.join(MANIFEST);
    let bytes = fs::read(&path).map_err(at(&path))?;
    if Digest::of(&bytes) != id {
        return Err(ShelfError::Hash(path));
    }
    serde_json::from_slice(&bytes).map_err(|_| ShelfError::Form(path))
}

fn load(folder: &Path, id: Digest, dictionary: &Dictionary) -> Result<Snapshot, ShelfError> {
    let path = folder.join(MANIFEST);
    let manifest = read_manifest(folder, id)?;
    if manifest.dictionary != dictionary.version {
        return Err(ShelfError::Dictionary { made: manifest.dictionary, read: dictionary.version.clone() });
    }
    let mut tables = BTreeMap::new();
    for (name, entry) in &manifest.tables {
        let file = folder.join(&entry.file);
        let table = dictionary.table(name).ok_or_else(|| ShelfError::Form(path.clone()))?;
        if hash(&file)? != entry.sha256 {
            return Err(ShelfError::Hash(file));
        }
        let columns =
            parquet_file::read(&file, table).map_err(|source| ShelfError::Table { path: file.clone(), source })?;
        tables.insert(name.clone(), columns);
    }
    Ok(Snapshot { id, manifest, tables })
}

fn hash(path: &Path) -> Result<Digest, ShelfError> {
    let mut hasher = Sha256::new();
    let mut file = File::open(path).map_err(at(path))?;
    io::copy(&mut file, &mut hasher).map_err(at(path))?;
    Ok(Digest::from_bytes(hasher.finalize().into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columns::{Column, MISSING_NUMBER};
    use node_domain::dictionary::Kind;

    fn draft(table: &Table, rows: usize) -> Draft {
        let columns = table
            .fields
            .iter()
            .map(|field| {
                let column = match &field.kind {
                    Kind::Code(list) if list.is_narrow() => Column::Codes(
                        (0..rows).map(|row| u8::try_from(row % (list.codes.len() + 1)).unwrap()).collect(),
                    ),
                    Kind::Code(list) => {
                        Column::Numbers((0..rows).map(|row| u16::try_from(row % list.codes.len()).unwrap()).collect())
                    }
                    Kind::Integer { minimum, .. } => {
                        let value = u16::try_from(*minimum).unwrap();
                        Column::Numbers(
                            (0..rows).map(|row| if row % 7 == 0 { MISSING_NUMBER } else { value }).collect(),
                        )
                    }
                    Kind::Amount { maximum } => Column::Amounts(vec![*maximum; rows]),
                    _ => panic!("analysis tables are coded"),
                };
                (field.name.clone(), column)
            })
            .collect();
        let persons = (0..rows).map(|row| u32::try_from(row / 2).unwrap()).collect();
        Draft { columns, persons, record_keys: vec![7; rows] }
    }

    #[test]
    fn an_empty_registry_is_a_snapshot_too() {
        let folder = tempfile::tempdir().unwrap();
        let dictionary = Dictionary::built_in().unwrap();
        let table = dictionary.table("cases").unwrap();
        let prepared = prepare(folder.path(), &dictionary, Provenance::default(), &[(table, draft(table, 0))]).unwrap();
        assert_eq!(prepared.load(&dictionary).unwrap().table("cases").unwrap().rows(), 0);
    }

    #[test]
    fn what_is_published_is_read_back_and_a_change_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let dictionary = Dictionary::built_in().unwrap();
        let table = dictionary.table("cases").unwrap();
        assert!(open(folder.path(), &dictionary).unwrap().is_none());
        let prepared =
            prepare(folder.path(), &dictionary, Provenance::default(), &[(table, draft(table, 1000))]).unwrap();
        assert_eq!(current(folder.path()).unwrap(), None, "nothing is in force before enforce");
        let id = prepared.id;
        prepared.enforce(folder.path(), &dictionary, b"[]").unwrap();
        let (snapshot, catalogue) = open(folder.path(), &dictionary).unwrap().unwrap();
        assert_eq!((snapshot.id, catalogue.as_slice()), (id, b"[]".as_slice()));
        let cases = snapshot.table("cases").unwrap();
        assert_eq!((cases.rows(), cases.repeats().len()), (1000, 500));
        for (name, column) in draft(table, 1000).columns {
            assert!(cases.column(&name) == Some(&column), "{name}");
        }
        // the same data again are the same snapshot
        let again = prepare(folder.path(), &dictionary, Provenance::default(), &[(table, draft(table, 1000))]).unwrap();
        assert_eq!(again.id, id);
        again.enforce(folder.path(), &dictionary, b"[]").unwrap();
        // one flipped byte is found
        let file = folder.path().join(id.hex()).join("cases.parquet");
        let mut bytes = fs::read(&file).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&file, bytes).unwrap();
        assert!(matches!(open(folder.path(), &dictionary), Err(ShelfError::Hash(_))));
        // and publishing again mends it
        let mended =
            prepare(folder.path(), &dictionary, Provenance::default(), &[(table, draft(table, 1000))]).unwrap();
        mended.enforce(folder.path(), &dictionary, b"[]").unwrap();
        assert_eq!(open(folder.path(), &dictionary).unwrap().unwrap().0.id, id);
    }
}

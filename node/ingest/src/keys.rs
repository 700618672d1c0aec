//! The keys of rows: whether one stands twice, whether what a row refers to exists. On disk beyond a bound, so that the memory
//! does not grow with the files.

use std::{
    fs::{self, File},
    io::{self, BufReader, BufWriter, Read, Write},
    path::{Path, PathBuf},
};

use node_domain::dictionary::Table;
use sha2::{Digest as _, Sha256};

/// The key of a row: half of a SHA-256 over its parts.
pub type Key = [u8; 16];

/// Entries held in memory before a list goes to disk.
const HELD: usize = 256 * 1024;
const PARTS: usize = 64;
const ENTRY: usize = 32;

/// The key of these values.
pub fn key_of<'v>(parts: impl Iterator<Item = &'v str>) -> Key {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.as_bytes());
        hasher.update([0x1f]);
    }
    let mut key = Key::default();
    key.copy_from_slice(&hasher.finalize()[..16]);
    key
}

/// A key with where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// The key.
    pub key: Key,
    /// Which file, by number, and line; 0 for rows loaded earlier.
    pub place: Place,
    /// Tells apart rows of the same key.
    pub content: u64,
}

/// A file, by number, and a line in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Number of the file in its batch.
    pub file: u16,
    /// Line.
    pub line: u64,
}

impl Place {
    fn pack(self) -> u64 {
        u64::from(self.file) << 48 | (self.line & 0xffff_ffff_ffff)
    }

    fn unpack(packed: u64) -> Self {
        Self { file: (packed >> 48) as u16, line: packed & 0xffff_ffff_ffff }
    }
}

/// A list of keys that may be longer than memory.
pub struct KeyList {
    folder: PathBuf,
    name: String,
    held: Vec<Entry>,
    parts: Vec<BufWriter<File>>,
}

impl KeyList {
    /// An empty list that would put its parts into `folder`, under `name`.
    #[must_use]
    pub fn new(folder: &Path, name: &str) -> Self {
        Self { folder: folder.to_owned(), name: name.to_owned(), held: Vec::new(), parts: Vec::new() }
    }

    /// Adds a key.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn push(&mut self, entry: Entry) -> io::Result<()> {
        if self.held.len() == HELD {
            self.spill()?;
        }
        self.held.push(entry);
        Ok(())
    }

    fn path(&self, part: usize) -> PathBuf {
        self.folder.join(format!("keys-{}-{part:02}", self.name))
    }

    fn spill(&mut self) -> io::Result<()> {
        if self.parts.is_empty() {
            fs::create_dir_all(&self.folder)?;
            for part in 0..PARTS {
                self.parts.push(BufWriter::new(File::create(self.path(part))?));
            }
        }
        for entry in self.held.drain(..) {
            let mut bytes = [0; ENTRY];
            bytes[..16].copy_from_slice(&entry.key);
            bytes[16..24].copy_from_slice(&entry.place.pack().to_be_bytes());
            bytes[24..].copy_from_slice(&entry.content.to_be_bytes());
            self.parts[part_of(&entry.key)].write_all(&bytes)?;
        }
        Ok(())
    }

    /// All entries of one part, sorted by key and place. Every key lies in one part only.
    fn part(&mut self, part: usize) -> io::Result<Vec<Entry>> {
        let mut entries: Vec<Entry> = self.held.iter().filter(|entry| part_of(&entry.key) == part).copied().collect();
        if let Some(writer) = self.parts.get_mut(part) {
            writer.flush()?;
            let mut reader = BufReader::new(File::open(self.path(part))?);
            let mut bytes = [0; ENTRY];
            while fill(&mut reader, &mut bytes)? {
                let (mut key, mut place, mut content) = (Key::default(), [0; 8], [0; 8]);
                key.copy_from_slice(&bytes[..16]);
                place.copy_from_slice(&bytes[16..24]);
                content.copy_from_slice(&bytes[24..]);
                let place = Place::unpack(u64::from_be_bytes(place));
                entries.push(Entry { key, place, content: u64::from_be_bytes(content) });
            }
        }
        entries.sort_unstable();
        Ok(entries)
    }

    /// Calls `each` for every entry whose key stands earlier in the list too, with the first of them.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn repeats(&mut self, each: &mut dyn FnMut(&Entry, &Entry)) -> io::Result<()> {
        for part in 0..PARTS {
            let entries = self.part(part)?;
            for same in entries.chunk_by(|a, b| a.key == b.key) {
                for entry in &same[1..] {
                    each(&same[0], entry);
                }
            }
        }
        Ok(())
    }

    /// Calls `each` for every entry whose key is in none of the other lists.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn absent_from(&mut self, others: &mut [&mut Self], each: &mut dyn FnMut(&Entry)) -> io::Result<()> {
        for part in 0..PARTS {
            let entries = self.part(part)?;
            if entries.is_empty() {
                continue;
            }
            let known = others.iter_mut().map(|other| other.part(part)).collect::<io::Result<Vec<_>>>()?;
            let is_known =
                |key: &Key| known.iter().any(|part| part.binary_search_by(|entry| entry.key.cmp(key)).is_ok());
            entries.iter().filter(|entry| !is_known(&entry.key)).for_each(&mut *each);
        }
        Ok(())
    }
}

impl Drop for KeyList {
    fn drop(&mut self) {
        for part in 0..self.parts.len() {
            // what cannot be removed lies in the folder of an unfinished batch, which the next load sweeps away
            let _ = fs::remove_file(self.path(part));
        }
    }
}

fn part_of(key: &Key) -> usize {
    usize::from(key[0]) % PARTS
}

/// Reads a whole entry; `false` at the end.
fn fill(reader: &mut impl Read, bytes: &mut [u8; ENTRY]) -> io::Result<bool> {
    match reader.read_exact(bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// Where the keys of a table stand in its rows.
#[derive(Debug, Clone)]
pub struct KeyShape {
    /// Positions of the primary key's fields.
    pub primary: Vec<usize>,
    /// Their names.
    pub primary_names: Vec<String>,
    /// What rows refer to.
    pub references: Vec<ReferenceShape>,
}

/// A reference from a row to another collection.
#[derive(Debug, Clone)]
pub struct ReferenceShape {
    /// The other collection.
    pub resource: String,
    /// Positions of the referring fields.
    pub positions: Vec<usize>,
    /// Their names.
    pub names: Vec<String>,
}

impl KeyShape {
    /// The shape of a table's keys.
    #[must_use]
    pub fn of(table: &Table) -> Self {
        let positions = |names: &[String]| names.iter().filter_map(|name| table.position(name)).collect::<Vec<_>>();
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
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: u64, line: u64) -> Entry {
        Entry { key: key_of([number.to_string().as_str()].into_iter()), place: Place { file: 1, line }, content: 0 }
    }

    #[test]
    fn keys_are_found_in_memory_and_on_disk() {
        for rows in [1_000, 600_000] {
            let folder = tempfile::tempdir().unwrap();
            let (mut list, mut known) = (KeyList::new(folder.path(), "a"), KeyList::new(folder.path(), "b"));
            for number in 0..rows {
                list.push(entry(number, number + 2)).unwrap();
                if number % 1_000 != 7 {
                    known.push(entry(number, 0)).unwrap();
                }
            }
            list.push(entry(5, 77)).unwrap();
            let mut repeats = vec![];
            list.repeats(&mut |first, again| repeats.push((first.place.line, again.place.line))).unwrap();
            assert_eq!(repeats, [(7, 77)]);
            let mut absent = vec![];
            list.absent_from(&mut [&mut known], &mut |entry| absent.push(entry.place.line)).unwrap();
            absent.sort_unstable();
            assert_eq!(absent.first(), Some(&9));
            assert_eq!(absent.len() as u64, rows / 1_000);
            drop((list, known));
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
        }
    }

    #[test]
    fn parts_of_keys_do_not_run_together() {
        assert_ne!(key_of(["a", "b"].into_iter()), key_of(["ab", ""].into_iter()));
    }
}

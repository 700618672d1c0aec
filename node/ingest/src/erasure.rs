//! Removals: rows taken away by key, persons who object, and persons whose every trace is erased from all batches.

use std::{
    collections::HashSet,
    fs, io,
    path::{Path, PathBuf},
};

use node_domain::{dictionary::Table, digest::Digest};
use node_snapshot::durable;
use serde::{Deserialize, Serialize};

use crate::{
    batch::{
        self, Batch, BatchKind, BatchRecord, FileRecord, Hold, IngestError, PartRecord, Unfinished, at, stored_at,
        write_json,
    },
    defect::Defect,
    load::Registrar,
    mapping::{Format, plan::Plan},
    pseudonym::Pseudonym,
    quarantine::{self, Quarantine},
    reader::{self, Listener, Progress, Reading},
    registry::person_columns,
    row::RowBuffer,
    stored::{Stored, Writer},
};

/// The file that remembers erased persons, each as a hash that leads nowhere.
const TOMBSTONES: &str = "erased.json";
/// There while an erasure is under way: nothing is published then.
const UNDER_WAY: &str = "erasing";

/// What remembers erased persons.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Erased {
    tombstones: Vec<Pseudonym>,
}

/// What became of a removal.
#[derive(Debug)]
pub enum Removed {
    /// It is done.
    Done {
        /// The batch that remembers it.
        batch: Box<Batch>,
        /// Rows or persons that the file names.
        named: u64,
        /// Of persons to be erased those of whom nothing was found: perhaps their identifiers are misspelt.
        unknown: u64,
        /// Rows that were erased from earlier batches, files and quarantine alike.
        rewritten: u64,
    },
    /// The file has defects, which were reported; nothing was changed.
    Refused {
        /// How many.
        defects: u64,
    },
}

/// The tombstones of erased persons.
///
/// # Errors
/// Where the file is damaged.
pub fn tombstones(data: &Path) -> Result<HashSet<Pseudonym>, IngestError> {
    Ok(read_erased(data)?.tombstones.into_iter().collect())
}

fn read_erased(data: &Path) -> Result<Erased, IngestError> {
    let path = data.join(TOMBSTONES);
    match fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|_| IngestError::Record(path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Erased::default()),
        Err(error) => Err(at(&path)(error)),
    }
}

/// The keys that a file names: its columns are those of a collection's primary key.
struct Named {
    table: KeyTable,
    rows: Vec<RowBuffer>,
    sha256: Digest,
    defects: u64,
}

/// A collection reduced to its primary key.
struct KeyTable(Table);

impl KeyTable {
    fn of(table: &Table) -> Self {
        let is_key = |name: &String| table.primary_key.contains(name);
        Self(Table {
            name: table.name.clone(),
            title: table.title.clone(),
            primary_key: table.primary_key.clone(),
            foreign_keys: Vec::new(),
            endpoints: std::collections::BTreeMap::new(),
            unit_of_privacy: table.unit_of_privacy,
            fields: table.fields.iter().filter(|field| is_key(&field.name)).cloned().collect(),
        })
    }
}

struct Gathering<'g> {
    path: &'g Path,
    registrar: &'g Registrar<'g>,
    rows: Vec<RowBuffer>,
    defects: u64,
    report: &'g mut dyn FnMut(Defect),
}

impl Listener for Gathering<'_> {
    fn plan(&mut self, _: &Plan<'_>) -> io::Result<()> {
        Ok(())
    }

    fn row(&mut self, plan: &Plan<'_>, target: usize, line: u64, row: &RowBuffer) -> io::Result<()> {
        let table = plan.targets[target].table;
        let mut stored = RowBuffer::default();
        for (field, value) in table.fields.iter().zip(row.iter()) {
            if let Err((rule, fix)) = crate::check::check(field, value) {
                let (file, column) = (self.path.to_owned(), Some(field.name.clone()));
                self.defect(Defect { file, line, column, found: None, rule, quality: None, fix });
                return Ok(());
            }
        }
        crate::load::strip(table, row, self.registrar.key, &mut stored);
        self.rows.push(stored);
        Ok(())
    }

    fn defect(&mut self, defect: Defect) {
        self.defects += 1;
        (self.report)(defect);
    }

    fn progress(&mut self, _: Progress) {}
}

fn read_keys(
    registrar: &Registrar<'_>,
    collection: &str,
    path: &Path,
    report: &mut dyn FnMut(Defect),
) -> Result<Named, IngestError> {
    let table = registrar.dictionary.collection(collection).ok_or_else(|| {
        let known = registrar.dictionary.collections().map(|table| table.name.as_str()).collect::<Vec<_>>();
        IngestError::Collection(collection.to_owned(), known.join(", "))
    })?;
    let table = KeyTable::of(table);
    let mut gathering = Gathering { path, registrar, rows: Vec::new(), defects: 0, report };
    let summary =
        reader::read(path, Reading::Plain(&table.0), &Format::default(), registrar.dictionary, &mut gathering)
            .map_err(at(path))?;
    let Gathering { rows, defects, .. } = gathering;
    Ok(Named { table, rows, sha256: summary.sha256, defects })
}

/// Takes away rows by their keys (`kind` Removal), or all rows of persons who object (`kind` Objection, collection `patient`).
///
/// # Errors
/// See [`IngestError`]; nothing was changed then.
pub fn remove(
    registrar: &Registrar<'_>,
    kind: BatchKind,
    collection: &str,
    path: &Path,
    report: &mut dyn FnMut(Defect),
) -> Result<Removed, IngestError> {
    let hold = Hold::take(&registrar.data)?;
    let named = read_keys(registrar, collection, path, report)?;
    if named.defects > 0 {
        return Ok(Removed::Refused { defects: named.defects });
    }
    let unfinished = Unfinished::begin(&registrar.data, &hold)?;
    let stored = format!("000-{collection}.parquet");
    let place = unfinished.folder().join(&stored);
    let mut writer = Writer::create(&place, &named.table.0, &|_| true).map_err(stored_at(&place))?;
    for row in &named.rows {
        writer.push(row, 0).map_err(stored_at(&place))?;
    }
    writer.finish().map_err(stored_at(&place))?;
    let count = named.rows.len() as u64;
    let part = part(collection, stored, count);
    let record = record(registrar, kind, path, named.sha256, vec![part]);
    let number = batch::next_number(&batch::list(&registrar.data)?);
    Ok(Removed::Done { batch: Box::new(unfinished.settle(record, number)?), named: count, unknown: 0, rewritten: 0 })
}

fn part(collection: &str, stored: String, rows: u64) -> PartRecord {
    PartRecord {
        collection: collection.to_owned(),
        stored,
        rows,
        quarantined: 0,
        repeated: 0,
        erased: 0,
        rules: std::collections::BTreeMap::new(),
    }
}

fn record(
    registrar: &Registrar<'_>,
    kind: BatchKind,
    path: &Path,
    sha256: Digest,
    parts: Vec<PartRecord>,
) -> BatchRecord {
    let source = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    BatchRecord {
        batch: Digest::of(format!("{} {sha256} {}", kind.name(), registrar.now).as_bytes()),
        kind,
        by: registrar.by.clone(),
        at: registrar.now,
        extracted_on: registrar.now.date_naive(),
        dictionary: registrar.dictionary.version.clone(),
        mapping: None,
        files: vec![FileRecord { source, sha256, parts }],
    }
}

/// Erases persons: every row of theirs goes from every batch, also from reverted ones and from quarantine. What is remembered is
/// how many rows went, and a hash by which an old file does not bring them back.
///
/// Each batch is rewritten whole before the next: stopped half-way, running it again finishes it.
///
/// # Errors
/// See [`IngestError`].
pub fn erase(registrar: &Registrar<'_>, path: &Path, report: &mut dyn FnMut(Defect)) -> Result<Removed, IngestError> {
    let hold = Hold::take(&registrar.data)?;
    let named = read_keys(registrar, "patient", path, report)?;
    if named.defects > 0 {
        return Ok(Removed::Refused { defects: named.defects });
    }
    let patients: HashSet<String> = named.rows.iter().map(|row| row.value(0).to_owned()).collect();
    let Traced { persons, found } = trace(registrar, &patients)?;
    let under_way = registrar.data.join(UNDER_WAY);
    durable::replace(&under_way, b"").map_err(at(&under_way))?;
    // first of all they are remembered, so that no load brings them back while batches are rewritten; but not misspelt ones
    let mut erased = read_erased(&registrar.data)?;
    erased.tombstones.extend(found.iter().map(|person| registrar.key.tombstone(person)));
    erased.tombstones.sort();
    erased.tombstones.dedup();
    write_json(&registrar.data.join(TOMBSTONES), &erased)?;

    let unfinished = Unfinished::begin(&registrar.data, &hold)?;
    let mut rewritten = 0;
    for mut batch in batch::list(&registrar.data)? {
        let before = rewritten;
        for part in batch.record.files.iter_mut().flat_map(|file| &mut file.parts) {
            let Some(table) = registrar.dictionary.collection(&part.collection) else { continue };
            let gone = rewrite(&batch.place.join(&part.stored), unfinished.folder(), table, &persons)?;
            part.rows = part.rows.saturating_sub(gone);
            rewritten += gone;
        }
        let held = quarantine::read(&batch)?;
        let kept: Vec<_> =
            held.iter().filter(|held| !held.person.as_ref().is_some_and(|p| persons.contains(p))).collect();
        if kept.len() < held.len() {
            rewritten += (held.len() - kept.len()) as u64;
            let mut list = Quarantine::create(unfinished.folder()).map_err(at(unfinished.folder()))?;
            for held in kept {
                list.hold(held).map_err(at(unfinished.folder()))?;
            }
            list.finish().map_err(at(unfinished.folder()))?;
            replace(&unfinished.folder().join(batch::QUARANTINE), &batch.place.join(batch::QUARANTINE))?;
        }
        if rewritten > before {
            batch::rewrite_record(&batch)?;
        }
    }
    let count = named.rows.len() as u64;
    // the hash of the file that named them would be a trace of them: it is not kept
    let record = record(registrar, BatchKind::Erasure, Path::new(""), Digest::of(b""), vec![]);
    let number = batch::next_number(&batch::list(&registrar.data)?);
    let batch = Box::new(unfinished.settle(record, number)?);
    fs::remove_file(&under_way).map_err(at(&under_way))?;
    let unknown = patients.iter().filter(|patient| !found.contains(*patient)).count() as u64;
    Ok(Removed::Done { batch, named: count, unknown, rewritten })
}

/// Refuses while an erasure is under way.
///
/// # Errors
/// [`IngestError::Erasing`].
pub fn none_under_way(data: &Path) -> Result<(), IngestError> {
    if data.join(UNDER_WAY).exists() { Err(IngestError::Erasing) } else { Ok(()) }
}

/// What is known of persons to be erased.
struct Traced {
    /// The patients, and the cases that were said to be them in any session.
    persons: HashSet<String>,
    /// Of these, whom some batch names, or an earlier erasure.
    found: HashSet<String>,
}

fn trace(registrar: &Registrar<'_>, patients: &HashSet<String>) -> Result<Traced, IngestError> {
    let mut traced = Traced { persons: patients.clone(), found: HashSet::new() };
    let known = tombstones(&registrar.data)?;
    traced.found.extend(patients.iter().filter(|person| known.contains(&registrar.key.tombstone(person))).cloned());
    for batch in batch::list(&registrar.data)? {
        for part in batch.record.files.iter().flat_map(|file| &file.parts) {
            let Some(table) = registrar.dictionary.collection(&part.collection) else { continue };
            let Some(patient) = table.position("patient_id") else { continue };
            let path = batch.place.join(&part.stored);
            let names: Vec<String> = person_columns(table).iter().map(|at| table.fields[*at].name.clone()).collect();
            let stored = Stored::open_columns(&path, table, &names).map_err(stored_at(&path))?;
            for row in (0..stored.rows()).filter(|row| patients.contains(stored.value(*row, patient))) {
                for at in person_columns(table) {
                    let person = Some(stored.value(row, at)).filter(|person| !person.is_empty());
                    traced.persons.extend(person.map(str::to_owned));
                    traced.found.extend(person.map(str::to_owned));
                }
            }
        }
        let held = quarantine::read(&batch)?.into_iter().filter_map(|held| held.person);
        traced.found.extend(held.filter(|person| patients.contains(person)));
    }
    Ok(traced)
}

/// Writes a stored file anew without the rows of `persons`; returns how many went.
fn rewrite(path: &Path, scratch: &Path, table: &Table, persons: &HashSet<String>) -> Result<u64, IngestError> {
    let identifiers = person_columns(table);
    if identifiers.is_empty() {
        return Ok(0);
    }
    let stored = Stored::open(path, table).map_err(stored_at(path))?;
    let goes = |row: usize| identifiers.iter().any(|at| persons.contains(stored.value(row, *at)));
    let gone = (0..stored.rows()).filter(|row| goes(*row)).count();
    if gone == 0 {
        return Ok(0);
    }
    let beside = scratch.join("rewritten.parquet");
    let mut writer = Writer::create(&beside, table, &|at| stored.has(at)).map_err(stored_at(&beside))?;
    let mut row = RowBuffer::default();
    for number in (0..stored.rows()).filter(|row| !goes(*row)) {
        row.replace_with((0..table.fields.len()).map(|at| stored.value(number, at)));
        writer.push(&row, stored.line(number)).map_err(stored_at(&beside))?;
    }
    writer.finish().map_err(stored_at(&beside))?;
    replace(&beside, path)?;
    Ok(gone as u64)
}

fn replace(from: &Path, to: &Path) -> Result<(), IngestError> {
    fs::rename(from, to).map_err(at(to))?;
    let folder: PathBuf = to.parent().map_or_else(PathBuf::new, Path::to_path_buf);
    fs::File::open(&folder).and_then(|folder| folder.sync_all()).map_err(at(&folder))
}

/// A shorter identifier than this is found in any file by chance, so only its pseudonym is looked for.
const SHORTEST: usize = 6;

/// Looks through the data folder for traces of persons: the columns of every stored file, and the bytes of every file. Returns the
/// files that hold one. Snapshots hold no identifiers; those from before an erasure must be deleted.
///
/// # Errors
/// Those of the file system.
pub fn traces(registrar: &Registrar<'_>, identifiers: &[String]) -> Result<Vec<PathBuf>, IngestError> {
    let data = &registrar.data;
    let long = identifiers.iter().filter(|identifier| identifier.len() >= SHORTEST).cloned();
    let pseudonyms = identifiers.iter().flat_map(|identifier| {
        [registrar.key.pseudonym(identifier), registrar.key.pseudonym(&format!("case {identifier}"))]
    });
    let wanted: HashSet<String> = long.chain(pseudonyms).collect();
    let mut found = Vec::new();
    for batch in batch::list(data)? {
        for part in batch.record.files.iter().flat_map(|file| &file.parts) {
            let Some(table) = registrar.dictionary.collection(&part.collection) else { continue };
            let path = batch.place.join(&part.stored);
            let stored = Stored::open(&path, table).map_err(stored_at(&path))?;
            let holds = |row: usize| (0..table.fields.len()).any(|at| wanted.contains(stored.value(row, at)));
            if (0..stored.rows()).any(holds) {
                found.push(path);
            }
        }
    }
    let mut folders = vec![data.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(at(&folder))? {
            let path = entry.map_err(at(&folder))?.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = fs::read(&path).map_err(at(&path))?;
            let holds = wanted.iter().any(|text| bytes.windows(text.len()).any(|window| window == text.as_bytes()));
            if holds && !found.contains(&path) {
                found.push(path);
            }
        }
    }
    Ok(found)
}

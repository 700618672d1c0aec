//! All rows in force, in memory: of rows with the same key the one loaded last, without what was removed.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::Path,
};

use chrono::NaiveDate;
use node_domain::{
    date::PartialDate,
    date_time::PartialTime,
    dictionary::{Dictionary, Table},
    digest::Digest,
};

use crate::{
    batch::{self, Batch, BatchKind, IngestError, stored_at},
    keys::{Key, KeyShape, key_of},
    quarantine::{self, Held},
    stored::Stored,
};

/// All rows in force.
pub struct Registry<'d> {
    /// The dictionary that they follow.
    pub dictionary: &'d Dictionary,
    /// The batches that they come from, in order.
    pub batches: Vec<Digest>,
    /// The latest day on which loaded files were taken from their source; `None` where nothing was loaded.
    pub extracted_on: Option<NaiveDate>,
    /// Rows of persons who object, which are in no collection here.
    pub objected: u64,
    /// Rows held back at load, with the number of their batch, of which no later batch brought one with the same key.
    pub held: Vec<(u32, Held)>,
    /// Patients of whom a row that tells of their death is held back or left out: what became of them is not known.
    pub fate_in_doubt: HashSet<String>,
    collections: BTreeMap<&'d str, Collection<'d>>,
}

/// The rows of one collection.
pub struct Collection<'d> {
    /// Its description.
    pub table: &'d Table,
    files: Vec<StoredFile>,
    rows: Vec<(u32, u32)>,
    positions: HashMap<&'d str, usize>,
}

struct StoredFile {
    batch: u32,
    extracted_on: NaiveDate,
    source: String,
    rows: Stored,
}

/// A row of a collection.
#[derive(Clone, Copy)]
pub struct Row<'r> {
    collection: &'r Collection<'r>,
    /// Its number in the collection.
    pub index: usize,
}

/// Where a row comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Origin {
    /// Number of the batch.
    pub batch: u32,
    /// Name of the file.
    pub file: String,
    /// Line in it.
    pub line: u64,
}

impl<'d> Registry<'d> {
    /// Reads all batches in force.
    ///
    /// # Errors
    /// Where a stored file is damaged.
    pub fn open(data: &Path, dictionary: &'d Dictionary) -> Result<Self, IngestError> {
        let batches = batch::in_force(data)?;
        let mut drafts: BTreeMap<&str, Draft<'d>> = BTreeMap::new();
        for table in dictionary.collections() {
            drafts.insert(&table.name, Draft::new(table));
        }
        let mut objectors: HashSet<String> = HashSet::new();
        for batch in &batches {
            for part in batch.record.files.iter().flat_map(|file| file.parts.iter().map(move |part| (file, part))) {
                let (file, part) = part;
                let Some(draft) = drafts.get_mut(part.collection.as_str()) else { continue };
                let path = batch.place.join(&part.stored);
                let rows = Stored::open(&path, draft.table).map_err(stored_at(&path))?;
                match batch.record.kind {
                    BatchKind::Load => {
                        // an objection in any batch in force holds, whatever a later row says: only taking the batch out of
                        // force ends it
                        objectors.extend(persons_where(draft.table, &rows, "objection", "yes"));
                        draft.add(batch, &file.source, rows);
                    }
                    BatchKind::Removal => draft.remove(&rows),
                    BatchKind::Objection => {
                        let position = draft.table.position("patient_id").unwrap_or(0);
                        objectors.extend((0..rows.rows()).map(|row| rows.value(row, position).to_owned()));
                    }
                    BatchKind::Erasure => {}
                }
            }
            for held in quarantine::read(batch)? {
                if let Some((draft, key)) = drafts.get_mut(held.collection.as_str()).zip(quarantine::unhex(&held.key)) {
                    draft.held.insert(key, (batch.number, held));
                }
            }
        }
        let mut held: Vec<(u32, Held)> =
            drafts.values_mut().flat_map(|draft| draft.held.drain().map(|(_, held)| held)).collect();
        held.sort_by(|a, b| (a.0, &a.1.file, a.1.line).cmp(&(b.0, &b.1.file, b.1.line)));
        let mut collections: BTreeMap<&str, Collection<'_>> =
            drafts.into_iter().map(|(name, draft)| (name, draft.finish())).collect();
        // a row held back for another reason objects all the same, and may tell of a death
        let person = |(_, held): &(u32, Held)| held.person.clone();
        objectors.extend(held.iter().filter(|(_, held)| held.objects).filter_map(person));
        let fate_in_doubt = held.iter().filter(|(_, held)| held.tells_of_death).filter_map(person).collect();
        if let Some(discussions) = collections.get("case_discussion") {
            let rows = (0..discussions.rows.len()).map(|index| Row { collection: discussions, index });
            let theirs = rows.filter(|row| objectors.contains(row.value("patient_id")));
            let cases: Vec<String> = theirs.map(|row| row.value("case_id").to_owned()).collect();
            objectors.extend(cases);
        }
        let mut objected = 0;
        for collection in collections.values_mut() {
            objected += collection.leave_out(&objectors);
        }
        Ok(Self {
            dictionary,
            batches: batches.iter().map(|batch| batch.record.batch).collect(),
            extracted_on: batches.iter().filter(|batch| batch.record.kind == BatchKind::Load).map(extract_of).max(),
            objected,
            held,
            fate_in_doubt,
            collections,
        })
    }

    /// The rows of a collection, in the order in which they were loaded.
    pub fn rows<'r>(&'r self, collection: &str) -> impl Iterator<Item = Row<'r>> + use<'r, 'd> {
        let collection: Option<&'r Collection<'r>> = self.collections.get(collection);
        collection
            .into_iter()
            .flat_map(|collection| (0..collection.rows.len()).map(move |index| Row { collection, index }))
    }

    /// All collections.
    pub fn collections(&self) -> impl Iterator<Item = &Collection<'d>> {
        self.dictionary.collections().filter_map(|table| self.collections.get(table.name.as_str()))
    }

    /// How many rows a collection has.
    #[must_use]
    pub fn count(&self, collection: &str) -> usize {
        self.collections.get(collection).map_or(0, |collection| collection.rows.len())
    }

    /// Leaves rows out, by collection and number.
    pub fn exclude(&mut self, excluded: &BTreeMap<String, HashSet<usize>>) {
        if let (Some(rows), Some(contacts)) = (excluded.get("follow_up"), self.collections.get("follow_up")) {
            let told = rows.iter().map(|index| Row { collection: contacts, index: *index });
            let told = told.filter(|row| row.value("vital_status") == "0");
            self.fate_in_doubt.extend(told.map(|row| row.value("patient_id").to_owned()));
        }
        for (name, rows) in excluded {
            if let Some(collection) = self.collections.get_mut(name.as_str()) {
                let mut index = 0;
                collection.rows.retain(|_| {
                    index += 1;
                    !rows.contains(&(index - 1))
                });
            }
        }
    }
}

/// The columns of a table that name persons: patients, and cases discussed.
pub(crate) fn person_columns(table: &Table) -> Vec<usize> {
    ["patient_id", "case_id"].iter().filter_map(|name| table.position(name)).collect()
}

/// The persons of the rows in which a field has a value.
fn persons_where(table: &Table, rows: &Stored, field: &str, value: &str) -> Vec<String> {
    let Some((person, field)) = table.position("patient_id").zip(table.position(field)) else { return Vec::new() };
    let holding = (0..rows.rows()).filter(|row| rows.value(*row, field) == value);
    holding.map(|row| rows.value(row, person).to_owned()).collect()
}

fn extract_of(batch: &Batch) -> NaiveDate {
    batch.record.extracted_on
}

impl<'d> Collection<'d> {
    fn leave_out(&mut self, persons: &HashSet<String>) -> u64 {
        let positions = person_columns(self.table);
        if positions.is_empty() || persons.is_empty() {
            return 0;
        }
        let before = self.rows.len();
        let files = &self.files;
        self.rows.retain(|(file, row)| {
            let value = |position: &usize| files[*file as usize].rows.value(*row as usize, *position);
            !positions.iter().any(|position| persons.contains(value(position)))
        });
        (before - self.rows.len()) as u64
    }

    /// The place of a field in the dictionary.
    #[must_use]
    pub fn position(&self, field: &str) -> Option<usize> {
        self.positions.get(field).copied()
    }
}

impl<'r> Row<'r> {
    /// The description of its collection.
    #[must_use]
    pub fn table(&self) -> &'r Table {
        self.collection.table
    }

    /// The value of a field; empty where there is none.
    #[must_use]
    pub fn value(&self, field: &str) -> &'r str {
        self.collection.position(field).map_or("", |position| self.at(position))
    }

    /// The value of the field at a position of the dictionary.
    #[must_use]
    pub fn at(&self, position: usize) -> &'r str {
        let (file, row) = self.collection.rows[self.index];
        self.collection.files[file as usize].rows.value(row as usize, position)
    }

    /// The value of a field where there is one.
    #[must_use]
    pub fn some(&self, field: &str) -> Option<&'r str> {
        Some(self.value(field)).filter(|value| !value.is_empty())
    }

    /// A date.
    #[must_use]
    pub fn date(&self, field: &str) -> Option<PartialDate> {
        self.some(field)?.parse().ok()
    }

    /// A day, where known with the time of day.
    #[must_use]
    pub fn time(&self, field: &str) -> Option<PartialTime> {
        self.some(field)?.parse().ok()
    }

    /// A number.
    #[must_use]
    pub fn number<T: std::str::FromStr>(&self, field: &str) -> Option<T> {
        self.some(field)?.parse().ok()
    }

    /// An answer: `yes`, `no`, or not known.
    #[must_use]
    pub fn answer(&self, field: &str) -> Option<bool> {
        match self.value(field) {
            "yes" => Some(true),
            "no" => Some(false),
            _ => None,
        }
    }

    /// Where it comes from.
    #[must_use]
    pub fn origin(&self) -> Origin {
        let (file, row) = self.collection.rows[self.index];
        let stored = &self.collection.files[file as usize];
        Origin { batch: stored.batch, file: stored.source.clone(), line: stored.rows.line(row as usize) }
    }

    /// The day on which its file was taken from the source.
    #[must_use]
    pub fn extracted_on(&self) -> NaiveDate {
        let (file, _) = self.collection.rows[self.index];
        self.collection.files[file as usize].extracted_on
    }

    /// The values of its primary key.
    #[must_use]
    pub fn key(&self) -> Vec<&'r str> {
        self.collection.table.primary_key.iter().map(|field| self.value(field)).collect()
    }
}

/// A collection while batches are read into it.
struct Draft<'d> {
    table: &'d Table,
    shape: KeyShape,
    files: Vec<StoredFile>,
    rows: Vec<Option<(u32, u32)>>,
    places: HashMap<Key, u32>,
    /// Rows held back so far, by key; one that was mended and loaded again is held no more.
    held: HashMap<Key, (u32, Held)>,
}

impl<'d> Draft<'d> {
    fn new(table: &'d Table) -> Self {
        Self {
            table,
            shape: KeyShape::of(table),
            files: Vec::new(),
            rows: Vec::new(),
            places: HashMap::new(),
            held: HashMap::new(),
        }
    }

    fn key(&self, rows: &Stored, row: usize) -> Key {
        key_of(self.shape.primary.iter().map(|position| rows.value(row, *position)))
    }

    fn add(&mut self, batch: &Batch, source: &str, rows: Stored) {
        let file = u32::try_from(self.files.len()).unwrap_or(u32::MAX);
        for row in 0..rows.rows() {
            let key = self.key(&rows, row);
            self.held.remove(&key);
            let here = (file, u32::try_from(row).unwrap_or(u32::MAX));
            let next = u32::try_from(self.rows.len()).unwrap_or(u32::MAX);
            let place = *self.places.entry(key).or_insert(next);
            match self.rows.get_mut(place as usize) {
                Some(known) => *known = Some(here),
                None => self.rows.push(Some(here)),
            }
        }
        let extracted_on = batch.record.extracted_on;
        self.files.push(StoredFile { batch: batch.number, extracted_on, source: source.to_owned(), rows });
    }

    fn remove(&mut self, rows: &Stored) {
        for row in 0..rows.rows() {
            if let Some(place) = self.places.get(&self.key(rows, row)) {
                self.rows[*place as usize] = None;
            }
        }
    }

    fn finish(self) -> Collection<'d> {
        let positions = self.table.fields.iter().enumerate().map(|(at, field)| (field.name.as_str(), at)).collect();
        Collection { table: self.table, files: self.files, rows: self.rows.into_iter().flatten().collect(), positions }
    }
}

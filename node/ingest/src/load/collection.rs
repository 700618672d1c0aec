//! The rows of a load by collection: each row is checked, judged, stripped of identifiers, and stored or held back.

use std::{
    collections::{BTreeMap, HashSet},
    path::{Path, PathBuf},
};

use chrono::NaiveDate;
use node_domain::dictionary::{Field, Kind, Privacy, Table};

use super::Registrar;
use crate::{
    batch::{Batch, FileRecord, IngestError, PartRecord, at, stored_at},
    check::check,
    defect::{Defect, Rule, class_of},
    keys::{Entry, Key, KeyList, KeyShape, Place, key_of},
    mapping::plan::Target,
    pseudonym::{Pseudonym, PseudonymKey},
    quality::at_load::{RowFinding, RowRules},
    quarantine::{self, Held, Quarantine},
    registry::person_columns,
    row::RowBuffer,
    stored::{Stored, Writer},
    suggest::UnknownCodes,
};

/// At least so many rows of a file, and this share of them, held back: the file or its mapping is wrong, not the rows.
const MOSTLY_HELD: (u64, u64) = (100, 5);

/// All collections of a load.
pub(super) struct Collections<'l> {
    registrar: &'l Registrar<'l>,
    extracted_on: NaiveDate,
    folder: PathBuf,
    quarantine: Quarantine,
    erased: &'l HashSet<Pseudonym>,
    tell: &'l mut dyn FnMut(Defect),
    states: BTreeMap<String, State<'l>>,
    unknown_codes: UnknownCodes,
    sources: Vec<PathBuf>,
    found: Vec<RowFinding>,
    stored: RowBuffer,
}

/// What is gathered of one collection over all files.
struct State<'l> {
    shape: KeyShape,
    rules: RowRules<'l>,
    primary: KeyList,
    held: KeyList,
    references: Vec<KeyList>,
}

/// The rows of one collection from one file.
pub(super) struct Part {
    pub(super) record: PartRecord,
    writer: Writer,
    file: u16,
}

impl<'l> Collections<'l> {
    pub(super) fn new(
        registrar: &'l Registrar<'l>,
        extracted_on: NaiveDate,
        folder: &Path,
        quarantine: Quarantine,
        erased: &'l HashSet<Pseudonym>,
        tell: &'l mut dyn FnMut(Defect),
    ) -> Self {
        Self {
            registrar,
            extracted_on,
            folder: folder.to_owned(),
            quarantine,
            erased,
            tell,
            states: BTreeMap::new(),
            unknown_codes: UnknownCodes::default(),
            sources: Vec::new(),
            found: Vec::new(),
            stored: RowBuffer::default(),
        }
    }

    pub(super) fn add_file(&mut self, path: &Path) {
        self.sources.push(path.to_owned());
    }

    pub(super) fn tell(&mut self, defect: Defect) {
        (self.tell)(defect);
    }

    /// Begins the rows of one collection from one file; `keeps` says which fields the file fills.
    pub(super) fn open_part(
        &mut self,
        file: usize,
        part: usize,
        several: bool,
        table: &Table,
        keeps: &dyn Fn(usize) -> bool,
    ) -> Result<Part, IngestError> {
        let stored = if several {
            format!("{file:03}-{part:02}-{}.parquet", table.name)
        } else {
            format!("{file:03}-{}.parquet", table.name)
        };
        let path = self.folder.join(&stored);
        let writer = Writer::create(&path, table, keeps).map_err(stored_at(&path))?;
        if !self.states.contains_key(&table.name) {
            let state = State::new(&self.folder, table, self.registrar, self.extracted_on);
            self.states.insert(table.name.clone(), state);
        }
        let record = PartRecord {
            collection: table.name.clone(),
            stored,
            rows: 0,
            quarantined: 0,
            repeated: 0,
            erased: 0,
            rules: BTreeMap::new(),
        };
        Ok(Part { record, writer, file: u16::try_from(file).unwrap_or(u16::MAX) })
    }

    /// Takes one row: stores it, holds it back, or reports what refuses the batch.
    pub(super) fn take(
        &mut self,
        part: &mut Part,
        target: &Target<'_>,
        line: u64,
        row: &RowBuffer,
    ) -> Result<(), IngestError> {
        let Some(state) = self.states.get_mut(&part.record.collection) else { return Ok(()) };
        let table = target.table;
        let source = &self.sources[usize::from(part.file)];
        self.found.clear();
        let mut refused = false;
        for (position, field) in table.fields.iter().enumerate() {
            if !target.fills(position) && !field.required {
                continue;
            }
            let value = row.value(position);
            let Err((rule, fix)) = check(field, value) else { continue };
            if matches!(field.kind, Kind::Code(_) | Kind::Codes(_)) {
                self.unknown_codes.note(table, field, target.column(position), value);
            }
            let quality = state.rules.constraint(position);
            if let Some(rule) = quality {
                self.found.push((rule, Some(position)));
            }
            let held = quality.filter(|rule| state.rules.holds_back(*rule));
            if quality.is_none() || held.is_some() {
                refused |= quality.is_none();
                (self.tell)(Defect {
                    file: source.clone(),
                    line,
                    column: Some(target.column(position).unwrap_or(&field.name).to_owned()),
                    found: Some(class_of(value)),
                    rule: if held.is_some() { Rule::Quality } else { rule },
                    quality: held.map(|rule| self.registrar.rules.rules[rule].id.clone()),
                    fix,
                });
            }
        }
        if refused {
            // what belongs to this row is not told that it does not exist: it does, and what is wrong with it was said
            strip(table, row, self.registrar.key, &mut self.stored);
            let key = key_of(state.shape.primary.iter().map(|at| self.stored.value(*at)));
            let entry = Entry { key, place: Place { file: part.file, line }, content: 0 };
            return state.held.push(entry).map_err(at(&self.folder));
        }
        let by_constraint = self.found.len();
        state.rules.evaluate(row, &mut self.found);
        for (rule, position) in &self.found[by_constraint..] {
            let quality = &self.registrar.rules.rules[*rule];
            if state.rules.holds_back(*rule) {
                let column = position.map(|at| target.column(at).unwrap_or(&table.fields[at].name).to_owned());
                let found = position.map(|at| class_of(row.value(at)));
                let (quality, fix) = (Some(quality.id.clone()), format!("{} {}", quality.text.en, quality.fix.en));
                (self.tell)(Defect { file: source.clone(), line, column, found, rule: Rule::Quality, quality, fix });
            }
        }
        strip(table, row, self.registrar.key, &mut self.stored);
        let person = persons_of(table, &self.stored).next();
        let is_erased = |person: &str| self.erased.contains(&self.registrar.key.tombstone(person));
        if !self.erased.is_empty() && persons_of(table, &self.stored).any(is_erased) {
            part.record.erased += 1;
            return Ok(());
        }
        for (rule, _) in &self.found {
            let id = self.registrar.rules.rules[*rule].id.clone();
            *part.record.rules.entry(id).or_default() += 1;
        }
        let key = key_of(state.shape.primary.iter().map(|at| self.stored.value(*at)));
        let place = Place { file: part.file, line };
        let content = if target.distinct { content_of(&self.stored) } else { 0 };
        let entry = Entry { key, place, content };
        if self.found.iter().any(|(rule, _)| state.rules.holds_back(*rule)) {
            part.record.quarantined += 1;
            let rules = self.found.iter().filter(|(rule, _)| state.rules.holds_back(*rule));
            let held = Held {
                collection: table.name.clone(),
                file: source.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
                line,
                key: quarantine::hex(&key),
                person: person.map(str::to_owned),
                objects: says(table, row, "objection", "yes"),
                tells_of_death: says(table, row, "vital_status", "0"),
                reasons: rules
                    .map(|(rule, position)| quarantine::Reason {
                        rule: self.registrar.rules.rules[*rule].id.clone(),
                        field: position.map(|at| table.fields[at].name.clone()),
                    })
                    .collect(),
            };
            self.quarantine.hold(&held).map_err(at(&self.folder))?;
            return state.held.push(entry).map_err(at(&self.folder));
        }
        state.primary.push(entry).map_err(at(&self.folder))?;
        for (list, reference) in state.references.iter_mut().zip(&state.shape.references) {
            let parts = || reference.positions.iter().map(|at| self.stored.value(*at));
            if parts().all(|part| !part.is_empty()) {
                list.push(Entry { key: key_of(parts()), place, content: 0 }).map_err(at(&self.folder))?;
            }
        }
        part.record.rows += 1;
        part.writer.push(&self.stored, line).map_err(stored_at(&self.folder))
    }

    /// Ends the rows of one collection from one file.
    pub(super) fn finish_part(&mut self, part: Part, source: &Path) -> Result<PartRecord, IngestError> {
        let Part { record, writer, .. } = part;
        let path = self.folder.join(&record.stored);
        writer.finish().map_err(stored_at(&path))?;
        let all = record.rows + record.quarantined;
        let (least, share) = MOSTLY_HELD;
        if record.quarantined >= least && record.quarantined * share > all {
            let rules = record.rules.iter().map(|(rule, count)| format!("{rule} {count}")).collect::<Vec<_>>();
            (self.tell)(Defect {
                file: source.to_owned(),
                line: 0,
                column: None,
                found: None,
                rule: Rule::MostlyHeld,
                quality: None,
                fix: format!(
                    "{} of {all} rows of `{}` break rules ({}): the export or the mapping is wrong, not the rows",
                    record.quarantined,
                    record.collection,
                    rules.join(", ")
                ),
            });
        }
        Ok(record)
    }

    /// Looks for keys that stand twice and for references that lead nowhere, once all files are read.
    pub(super) fn close(&mut self, files: &mut [FileRecord], earlier: &[Batch]) -> Result<(), IngestError> {
        let folder = self.folder.clone();
        let names: Vec<String> = self.states.keys().cloned().collect();
        for name in &names {
            let Some(state) = self.states.get_mut(name) else { continue };
            let (sources, tell) = (&self.sources, &mut *self.tell);
            let column = state.shape.primary_names.join(", ");
            let mut repeated: BTreeMap<u16, u64> = BTreeMap::new();
            let mut contradiction = |first: &Entry, again: &Entry| {
                if first.content != 0 && first.content == again.content {
                    *repeated.entry(again.place.file).or_default() += 1;
                    return;
                }
                let (rule, fix) = if first.content != 0 {
                    (Rule::Contradiction, "line {} has the same key and says something else: make them agree")
                } else {
                    (Rule::Unique, "the same key stands in line {} of this batch: keep one")
                };
                let fix = fix.replace("{}", &first.place.line.to_string());
                tell(defect(sources, again.place, &column, rule, fix));
            };
            state.primary.repeats(&mut contradiction).map_err(at(&folder))?;
            for (file, count) in repeated {
                let part = files.get_mut(usize::from(file)).into_iter().flat_map(|file| &mut file.parts);
                for part in part.filter(|part| part.collection == *name) {
                    part.repeated += count;
                    part.rows -= count;
                }
            }
        }
        for name in &names {
            self.close_references(name, earlier)?;
        }
        Ok(())
    }

    fn close_references(&mut self, name: &str, earlier: &[Batch]) -> Result<(), IngestError> {
        let folder = self.folder.clone();
        // taken out so that the lists of the collections that it refers to can be read at the same time
        let Some(mut state) = self.states.remove(name) else { return Ok(()) };
        for (list, reference) in state.references.iter_mut().zip(&state.shape.references) {
            let Some(table) = self.registrar.dictionary.collection(&reference.resource) else { continue };
            let mut known = KeyList::new(&folder, "known");
            keys_of_earlier(table, earlier, &mut known)?;
            let mut others = vec![&mut known];
            if let Some(target) = self.states.get_mut(&reference.resource) {
                others.push(&mut target.primary);
                others.push(&mut target.held);
            }
            let (sources, tell) = (&self.sources, &mut *self.tell);
            let column = reference.names.join(", ");
            let mut nowhere = |entry: &Entry| {
                let fix = format!("no such row in `{}`: load it first or with this file", reference.resource);
                tell(defect(sources, entry.place, &column, Rule::Reference, fix));
            };
            list.absent_from(&mut others, &mut nowhere).map_err(at(&folder))?;
        }
        self.states.insert(name.to_owned(), state);
        Ok(())
    }

    /// Closes the quarantine and lets go of what was kept for checking.
    pub(super) fn finish(self) -> Result<UnknownCodes, IngestError> {
        self.quarantine.finish().map_err(at(&self.folder))?;
        Ok(self.unknown_codes)
    }
}

impl<'l> State<'l> {
    fn new(folder: &Path, table: &Table, registrar: &'l Registrar<'l>, extracted_on: NaiveDate) -> Self {
        let shape = KeyShape::of(table);
        let list = |what: &str| KeyList::new(folder, &format!("{}-{what}", table.name));
        let references = (0..shape.references.len()).map(|at| list(&format!("r{at}"))).collect();
        Self {
            shape,
            rules: RowRules::of(registrar.rules, table, extracted_on),
            primary: list("p"),
            held: list("h"),
            references,
        }
    }
}

fn defect(sources: &[PathBuf], place: Place, column: &str, rule: Rule, fix: String) -> Defect {
    let file = sources.get(usize::from(place.file)).cloned().unwrap_or_default();
    Defect { file, line: place.line, column: Some(column.to_owned()), found: None, rule, quality: None, fix }
}

/// The keys of a collection in the batches that are in force, also of rows that they hold back.
fn keys_of_earlier(table: &Table, earlier: &[Batch], known: &mut KeyList) -> Result<(), IngestError> {
    let shape = KeyShape::of(table);
    let entry = |key: Key| Entry { key, place: Place::default(), content: 0 };
    for batch in earlier {
        for part in batch.record.files.iter().flat_map(|file| &file.parts) {
            if part.collection != table.name {
                continue;
            }
            let path = batch.place.join(&part.stored);
            let stored = Stored::open_columns(&path, table, &shape.primary_names).map_err(stored_at(&path))?;
            for row in 0..stored.rows() {
                let key = key_of(shape.primary.iter().map(|at| stored.value(row, *at)));
                known.push(entry(key)).map_err(at(&path))?;
            }
        }
        for held in quarantine::read(batch)? {
            if held.collection == table.name
                && let Some(key) = quarantine::unhex(&held.key)
            {
                known.push(entry(key)).map_err(at(&batch.place))?;
            }
        }
    }
    Ok(())
}

/// The values as they are stored: identifiers replaced, one spelling for each number.
pub(crate) fn strip(table: &Table, row: &RowBuffer, key: &PseudonymKey, stored: &mut RowBuffer) {
    stored.clear();
    for (field, value) in table.fields.iter().zip(row.iter()) {
        if value.is_empty() {
            stored.push("");
        } else if field.privacy == Privacy::Identifier {
            stored.push(&pseudonym(field, value, key));
        } else if matches!(field.kind, Kind::Integer { .. } | Kind::Amount { .. }) {
            // so that 01 and 1 are one key
            stored.push_with(|text| {
                text.push_str(&value.parse::<i64>().map_or_else(|_| String::new(), |number| number.to_string()));
            });
        } else {
            stored.push(value);
        }
    }
}

/// The pseudonym of an identifier: names are the same however they are spelt.
#[must_use]
pub(crate) fn pseudonym(field: &Field, value: &str, key: &PseudonymKey) -> Pseudonym {
    match field.name.as_str() {
        "full_name" => key.pseudonym_of_name(value),
        // a case and a patient with the same number are not the same person
        "case_id" => key.pseudonym(&format!("case {value}")),
        _ => key.pseudonym(value),
    }
}

/// Whether a row has this value in a field.
fn says(table: &Table, row: &RowBuffer, field: &str, value: &str) -> bool {
    table.position(field).is_some_and(|position| row.value(position) == value)
}

/// The persons that a row names: the patient first, then the case.
fn persons_of<'r>(table: &Table, stored: &'r RowBuffer) -> impl Iterator<Item = &'r str> {
    person_columns(table).into_iter().map(|position| stored.value(position)).filter(|person| !person.is_empty())
}

/// Tells rows of the same key apart; never 0.
fn content_of(row: &RowBuffer) -> u64 {
    let key = key_of(row.iter());
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&key[..8]);
    u64::from_be_bytes(bytes) | 1
}

//! The analysis table `cases`: one row per tumour, derived from the collections in force.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

use node_domain::{
    date::PartialDate,
    dictionary::{Dictionary, Kind, Table},
    digest::Digest,
};
use node_snapshot::{
    columns::{Column, MISSING_NUMBER},
    parquet_file::Draft,
};

use crate::{
    age,
    batch::{self, IngestError},
    endpoint::{self, Course, EventKind},
    pseudonym::PseudonymKey,
    reader::Row,
    stage,
};

/// The table ready to be written, with the batches that it was derived from. Persons who object are not in it.
///
/// # Errors
/// Where a stored batch is damaged.
pub fn derive(data: &Path, dictionary: &Dictionary, key: &PseudonymKey) -> Result<(Vec<Digest>, Draft), IngestError> {
    let (batches, rows) = batch::rows_in_force(data, dictionary)?;
    let view = |name: &str| -> View<'_> {
        let rows = rows.get(name).map(Vec::as_slice).unwrap_or_default();
        View { rows, table: dictionary.collection(name) }
    };
    let patients = view("patient");
    let by_patient: HashMap<&str, &Row> = patients.iter().map(|row| (patients.value(row, "patient_id"), row)).collect();
    let (events, contacts) = (events_by_tumour(view("event")), view("follow_up"));
    let fates = fates_by_patient(contacts);

    let tumours = view("tumour");
    let mut cases: Vec<(&str, &Row, &Row)> = tumours
        .iter()
        .filter_map(|tumour| {
            let id = tumours.value(tumour, "patient_id");
            let patient = *by_patient.get(id)?;
            (patients.value(patient, "objection") != "yes").then_some((id, patient, tumour))
        })
        .collect();
    let sequence = |tumour| tumours.value(tumour, "tumour_seq").parse::<u16>().unwrap_or(u16::MAX);
    cases.sort_by(|a, b| a.0.cmp(b.0).then_with(|| sequence(a.2).cmp(&sequence(b.2))));

    let mut draft = DraftBuilder::new(dictionary.table("cases"));
    for (id, patient, tumour) in cases {
        let fate = fates.get(id);
        let events = events.get(&(id, tumours.value(tumour, "tumour_seq")));
        let values = Case { patients, patient, tumours, tumour, contacts, fate, events }.values();
        draft.push(id, key.record_key(id), &values);
    }
    Ok((batches, draft.draft))
}

/// Rows of a collection with access by field name.
#[derive(Clone, Copy)]
struct View<'r> {
    rows: &'r [Row],
    table: Option<&'r Table>,
}

impl<'r> View<'r> {
    fn iter(self) -> impl Iterator<Item = &'r Row> {
        self.rows.iter()
    }

    fn value(self, row: &'r Row, field: &str) -> &'r str {
        let position = self.table.and_then(|table| table.fields.iter().position(|known| known.name == field));
        position.and_then(|position| row.get(position)).map_or("", String::as_str)
    }

    fn date(self, row: &'r Row, field: &str) -> Option<PartialDate> {
        self.value(row, field).parse().ok()
    }
}

type Events<'r> = HashMap<(&'r str, &'r str), Vec<(EventKind, PartialDate)>>;

fn events_by_tumour(events: View<'_>) -> Events<'_> {
    let mut by_tumour = Events::new();
    for row in events.iter() {
        let event = EventKind::of_code(events.value(row, "event_type")).zip(events.date(row, "event_date"));
        let tumour = (events.value(row, "patient_id"), events.value(row, "tumour_seq"));
        by_tumour.entry(tumour).or_default().extend(event);
    }
    by_tumour
}

/// What the rows of follow-up say of one patient together.
struct Fate<'r> {
    /// The row with the latest contact.
    latest: &'r Row,
    /// The latest contact that is known to the day.
    last_contact: Option<PartialDate>,
    /// Whether any row says that the patient died; a later row does not bring them back.
    dead: bool,
    /// The earliest date of death.
    death: Option<PartialDate>,
}

fn fates_by_patient(contacts: View<'_>) -> HashMap<&str, Fate<'_>> {
    let mut fates: HashMap<&str, Fate<'_>> = HashMap::new();
    let date_of = |row| contacts.date(row, "last_contact_date");
    let latest_day = |date: Option<PartialDate>| date.and_then(|date| date.latest());
    for row in contacts.iter() {
        let fate = fates.entry(contacts.value(row, "patient_id")).or_insert_with(|| Fate {
            latest: row,
            last_contact: None,
            dead: false,
            death: None,
        });
        let contact = date_of(row);
        if latest_day(contact) > latest_day(date_of(fate.latest)) {
            fate.latest = row;
        }
        let exact = contact.filter(|date| date.day().is_some());
        if latest_day(exact) > latest_day(fate.last_contact) {
            fate.last_contact = exact;
        }
        if contacts.value(row, "vital_status") == "0" {
            fate.dead = true;
            let death = contacts.date(row, "death_date").or(contact);
            if fate.death.is_none() || latest_day(death) < latest_day(fate.death) {
                fate.death = death;
            }
        }
    }
    fates
}

/// One tumour with all that is known around it.
struct Case<'r> {
    patients: View<'r>,
    patient: &'r Row,
    tumours: View<'r>,
    tumour: &'r Row,
    contacts: View<'r>,
    fate: Option<&'r Fate<'r>>,
    events: Option<&'r Vec<(EventKind, PartialDate)>>,
}

impl<'r> Case<'r> {
    /// The values of the analysis table by field; absent and empty ones are missing.
    fn values(&self) -> BTreeMap<&'static str, String> {
        let patient = |field| self.patients.value(self.patient, field);
        let tumour = |field| self.tumours.value(self.tumour, field);
        let contact = |field| self.fate.map_or("", |fate| self.contacts.value(fate.latest, field));
        let mut values: BTreeMap<&'static str, String> = BTreeMap::new();
        for field in ["sex", "coverage_scheme"] {
            values.insert(field, patient(field).to_owned());
        }
        for field in ["behaviour", "basis", "laterality", "morphology"] {
            values.insert(field, tumour(field).to_owned());
        }
        values.insert("toronto_schema", tumour("stage_schema").to_owned());
        values.insert("toronto_stage", tumour("stage_value").to_owned());
        values.insert("stage", stage::stage(tumour("stage_value")).unwrap_or_default().to_owned());
        values.insert("risk_group", tumour("risk_value").to_owned());
        values.insert("protocol", protocol(tumour("protocol")).to_owned());
        let dead = self.fate.is_some_and(|fate| fate.dead);
        values.insert("vital_status", if dead { "0".to_owned() } else { contact("vital_status").to_owned() });
        values.insert("followup_status", contact("followup_status").to_owned());

        let diagnosis = self.tumours.date(self.tumour, "diagnosis_date");
        if let Some(diagnosis) = &diagnosis {
            values.insert("diagnosis_year", diagnosis.year().to_string());
            if let Some(birth) = self.patients.date(self.patient, "birth_date") {
                let (years, band) = age::age(&birth, diagnosis);
                values.insert("age_years", years.map(|years| years.to_string()).unwrap_or_default());
                values.insert("age_band", band.unwrap_or_default().to_owned());
            }
        }
        let course = Course {
            diagnosis,
            death_certificate_only: tumour("basis") == "0",
            last_contact: self.fate.and_then(|fate| fate.last_contact),
            dead,
            death: self.fate.and_then(|fate| fate.death),
            events: self.events.cloned().unwrap_or_default(),
        };
        for (days, event, endpoint) in [
            ("overall_days", "overall_event", endpoint::overall(&course)),
            ("event_free_days", "event_free_event", endpoint::event_free(&course)),
        ] {
            if let Some(endpoint) = endpoint {
                values.insert(days, endpoint.days.to_string());
                values.insert(event, endpoint.event.to_owned());
            }
        }
        values
    }
}

/// The protocol of the code list, `other` for one that it does not know.
fn protocol(value: &str) -> &str {
    match value {
        "" | "NWTS-3" | "NWTS-4" => value,
        _ => "other",
    }
}

/// Collects coded columns, persons ascending.
struct DraftBuilder<'t> {
    table: Option<&'t Table>,
    draft: Draft,
    last: Option<String>,
}

impl<'t> DraftBuilder<'t> {
    fn new(table: Option<&'t Table>) -> Self {
        let columns = table.map(|table| &table.fields).into_iter().flatten().map(|field| {
            let column = match field.kind {
                Kind::Code(_) => Column::Codes(Vec::new()),
                Kind::Integer { .. } | Kind::Date | Kind::Text => Column::Numbers(Vec::new()),
            };
            (field.name.clone(), column)
        });
        let draft = Draft { columns: columns.collect(), persons: Vec::new(), record_keys: Vec::new() };
        Self { table, draft, last: None }
    }

    fn push(&mut self, person: &str, record_key: u32, values: &BTreeMap<&'static str, String>) {
        let number = match (self.draft.persons.last(), &self.last) {
            (Some(number), Some(last)) if last == person => *number,
            (Some(number), _) => number + 1,
            (None, _) => 0,
        };
        self.last = Some(person.to_owned());
        self.draft.persons.push(number);
        self.draft.record_keys.push(record_key);
        for field in self.table.map(|table| &table.fields).into_iter().flatten() {
            let value = values.get(field.name.as_str()).map_or("", String::as_str);
            match (self.draft.columns.get_mut(&field.name), &field.kind) {
                (Some(Column::Codes(codes)), Kind::Code(list)) => {
                    let position = list.position(value).unwrap_or(list.codes.len());
                    codes.push(u8::try_from(position).unwrap_or(u8::MAX));
                }
                (Some(Column::Numbers(numbers)), Kind::Integer { minimum, maximum }) => {
                    let within = |n: &u16| (*minimum..=*maximum).contains(&i64::from(*n));
                    numbers.push(value.parse().ok().filter(within).unwrap_or(MISSING_NUMBER));
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::PathBuf};

    use super::*;
    use crate::{
        batch::{Outcome, Source, load},
        defect::Rule,
    };

    fn samples() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas/dictionary/samples")
    }

    fn sources(folder: &Path) -> Vec<Source> {
        ["event", "follow_up", "patient", "tumour"]
            .map(|name| Source { collection: name.to_owned(), path: folder.join(format!("{name}.csv")) })
            .to_vec()
    }

    fn accept(data: &Path, sources: &[Source]) -> Outcome {
        let dictionary = Dictionary::built_in().unwrap();
        load(data, &dictionary, &PseudonymKey::new(&[1; 32]), sources, &mut |defect| panic!("{defect}")).unwrap()
    }

    fn derived(data: &Path) -> (Vec<Digest>, Draft) {
        derive(data, &Dictionary::built_in().unwrap(), &PseudonymKey::new(&[1; 32])).unwrap()
    }

    #[test]
    fn the_samples_load_once_and_make_cases_without_objectors() {
        let data = tempfile::tempdir().unwrap();
        let sources = sources(&samples());
        assert!(matches!(accept(data.path(), &sources), Outcome::Accepted(_)));
        assert!(matches!(accept(data.path(), &sources), Outcome::AlreadyLoaded(_)));
        let lines = |name: &str| fs::read_to_string(samples().join(name)).unwrap().lines().count() - 1;
        let objectors = fs::read_to_string(samples().join("patient.csv")).unwrap().matches(",yes").count();
        let (batches, draft) = derived(data.path());
        assert_eq!(batches.len(), 1);
        assert_eq!(draft.persons.len(), lines("tumour.csv") - objectors);
        let persons = draft.persons.iter().max().unwrap() + 1;
        assert_eq!(persons as usize, lines("patient.csv") - objectors);
    }

    #[test]
    fn no_identifier_survives_the_door() {
        let data = tempfile::tempdir().unwrap();
        accept(data.path(), &sources(&samples()));
        for (place, record) in batch::list(data.path()).unwrap() {
            for file in record.files {
                let bytes = fs::read(place.join(file.stored)).unwrap();
                assert!(!bytes.windows(7).any(|window| window == b"SAMPLE-"));
            }
        }
    }

    #[test]
    fn a_later_row_with_the_same_key_replaces_the_earlier_one() {
        let data = tempfile::tempdir().unwrap();
        accept(data.path(), &sources(&samples()));
        let before = derived(data.path()).1.persons.len();
        let patients = fs::read_to_string(samples().join("patient.csv")).unwrap();
        let mut lines = patients.lines();
        let (header, first) = (lines.next().unwrap(), lines.next().unwrap());
        let correction = data.path().join("correction.csv");
        fs::write(&correction, format!("{header}\n{}\n", first.replace(",no", ",yes"))).unwrap();
        accept(data.path(), &[Source { collection: "patient".to_owned(), path: correction }]);
        assert!(derived(data.path()).1.persons.len() < before);
    }

    #[test]
    fn a_death_is_not_taken_back_by_a_later_row() {
        let dictionary = Dictionary::built_in().unwrap();
        let table = dictionary.collection("follow_up").unwrap();
        let row = |contact: &str, vital: &str| -> Row {
            let value = |name: &str| match name {
                "patient_id" => "p".to_owned(),
                "last_contact_date" => contact.to_owned(),
                "vital_status" => vital.to_owned(),
                _ => String::new(),
            };
            table.fields.iter().map(|field| value(&field.name)).collect()
        };
        let rows = [row("2015-03-01", "1"), row("2016-05-02", "0"), row("2017", "9")];
        let fates = fates_by_patient(View { rows: &rows, table: Some(table) });
        let fate = &fates["p"];
        assert!(fate.dead);
        assert_eq!(fate.death, "2016-05-02".parse().ok());
        assert_eq!(fate.last_contact, "2016-05-02".parse().ok());
    }

    #[test]
    fn a_batch_with_one_bad_row_is_refused_whole() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        for name in ["event", "follow_up", "patient", "tumour"] {
            fs::copy(samples().join(format!("{name}.csv")), folder.path().join(format!("{name}.csv"))).unwrap();
        }
        let tumour = folder.path().join("tumour.csv");
        let mut text = fs::read_to_string(&tumour).unwrap();
        let last = text.lines().last().unwrap().to_owned();
        text.push_str(&format!("{last}\n{}\n", last.replace("SAMPLE-", "NOBODY-")));
        fs::write(&tumour, text).unwrap();
        let dictionary = Dictionary::built_in().unwrap();
        let mut defects = Vec::new();
        let outcome = load(&data, &dictionary, &PseudonymKey::new(&[1; 32]), &sources(folder.path()), &mut |defect| {
            defects.push(defect);
        })
        .unwrap();
        assert!(matches!(outcome, Outcome::Refused { defects: 2, .. }));
        assert_eq!(defects.iter().map(|defect| defect.rule).collect::<Vec<_>>(), [Rule::Unique, Rule::Reference]);
        assert_eq!(batch::list(&data).unwrap(), []);
        assert_eq!(derived(&data).1.persons.len(), 0);
    }
}

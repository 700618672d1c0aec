//! What planters work on: the registry by patient, and who is still free.

use std::{
    collections::{HashMap, HashSet},
    fmt::Display,
};

use chrono::NaiveDate;
use rand::rngs::StdRng;

use super::PlantError;
use crate::{
    Plan, Registry,
    draw::{shuffle, stream},
};

/// End of the identifier of a second record of one patient.
pub(super) const SECOND_RECORD: &str = "-D";

/// Rows of one patient, by collection.
#[derive(Debug, Clone, Default)]
pub(super) struct Person {
    pub(super) id: String,
    pub(super) patient: usize,
    pub(super) tumours: Vec<usize>,
    pub(super) courses: Vec<usize>,
    pub(super) doses: Vec<usize>,
    pub(super) events: Vec<usize>,
    pub(super) contacts: Vec<usize>,
    pub(super) fevers: Vec<usize>,
    pub(super) records: Vec<usize>,
    pub(super) referrals: Vec<usize>,
}

/// The registry, ready for planting.
pub(super) struct Bed<'b> {
    pub(super) registry: &'b mut Registry,
    pub(super) plan: &'b Plan,
    pub(super) rule: &'static str,
    pub(super) rng: StdRng,
    pub(super) people: Vec<Person>,
    used: HashSet<String>,
}

type Rows = fn(&mut Person) -> &mut Vec<usize>;

const OF_PERSONS: [(&str, Rows); 8] = [
    ("tumour", |person| &mut person.tumours),
    ("course", |person| &mut person.courses),
    ("administration", |person| &mut person.doses),
    ("event", |person| &mut person.events),
    ("follow_up", |person| &mut person.contacts),
    ("febrile_episode", |person| &mut person.fevers),
    ("deterioration", |person| &mut person.records),
    ("referral", |person| &mut person.referrals),
];

impl<'b> Bed<'b> {
    pub(super) fn new(registry: &'b mut Registry, plan: &'b Plan, rule: &'static str) -> Self {
        let planted: usize = registry.planted.values().map(Vec::len).sum();
        let rng = stream(plan.seed, &format!("{} {rule} {planted}", registry.country));
        let mut people: Vec<Person> = registry
            .rows("patient")
            .iter()
            .enumerate()
            .map(|(patient, row)| Person { id: row[0].clone(), patient, ..Person::default() })
            .collect();
        let index: HashMap<String, usize> =
            people.iter().enumerate().map(|(index, person)| (person.id.clone(), index)).collect();
        for (collection, rows) in OF_PERSONS {
            let column = usize::from(collection == "referral");
            for (row, cells) in registry.rows(collection).iter().enumerate() {
                if let Some(person) = index.get(&cells[column]) {
                    rows(&mut people[*person]).push(row);
                }
            }
        }
        let mut used = HashSet::new();
        for planted in registry.planted.values().flatten() {
            // of a patient recorded twice both records are taken
            used.extend(planted.key.first().map(|id| id.trim_end_matches(SECOND_RECORD).to_owned()));
        }
        Self { registry, plan, rule, rng, people, used }
    }

    /// A cell.
    pub(super) fn get(&self, collection: &str, row: usize, column: &str) -> &str {
        self.registry.cell(collection, row, column)
    }

    /// A day; `None` where the cell has none. A time of day is left out.
    pub(super) fn date(&self, collection: &str, row: usize, column: &str) -> Option<NaiveDate> {
        self.get(collection, row, column).get(..10)?.parse().ok()
    }

    /// Writes a cell.
    pub(super) fn set(&mut self, collection: &str, row: usize, column: &str, value: impl Display) {
        self.registry.set(collection, row, column, value.to_string());
    }

    /// Empties cells.
    pub(super) fn clear(&mut self, collection: &str, row: usize, columns: &[&str]) {
        for column in columns {
            self.set(collection, row, column, "");
        }
    }

    /// Records a row with the rule that is planted.
    pub(super) fn record(&mut self, collection: &'static str, row: usize) {
        let key = self.registry.key(collection, row);
        self.registry.record(self.rule, collection, key);
    }

    /// Records a row with another rule.
    pub(super) fn record_implied(&mut self, rule: &str, collection: &'static str, row: usize) {
        let key = self.registry.key(collection, row);
        self.registry.record(rule, collection, key);
    }

    /// Whether a patient breaks no rule yet.
    pub(super) fn is_free_person(&self, person: &Person) -> bool {
        !self.used.contains(&person.id)
    }

    /// Free patients of whom the condition holds, in random order.
    pub(super) fn persons(&mut self, fits: impl Fn(&Self, &Person) -> bool) -> Vec<Person> {
        let mut found: Vec<Person> = self
            .people
            .iter()
            .filter(|person| !self.used.contains(&person.id) && fits(self, person))
            .cloned()
            .collect();
        shuffle(&mut self.rng, &mut found);
        found
    }

    /// Free patients, each with one of their rows of which the condition holds.
    pub(super) fn rows(
        &mut self,
        rows: fn(&Person) -> &Vec<usize>,
        fits: impl Fn(&Self, &Person, usize) -> bool,
    ) -> Vec<(Person, usize)> {
        self.persons(|bed, person| rows(person).iter().any(|row| fits(bed, person, *row)))
            .into_iter()
            .filter_map(|person| {
                let row = rows(&person).iter().copied().find(|row| fits(self, &person, *row))?;
                Some((person, row))
            })
            .collect()
    }

    /// So many of the candidates.
    pub(super) fn take<T>(&self, mut candidates: Vec<T>, count: usize) -> Result<Vec<T>, PlantError> {
        if candidates.len() < count {
            return Err(self.too_few(count, candidates.len()));
        }
        candidates.truncate(count);
        Ok(candidates)
    }

    /// The error that says how many would fit.
    pub(super) fn too_few(&self, wanted: usize, available: usize) -> PlantError {
        PlantError::TooFew { rule: self.rule.to_owned(), wanted, available }
    }

    // What is known of a patient.

    /// The tumour, where there is just one.
    pub(super) fn only_tumour(&self, person: &Person) -> Option<usize> {
        match person.tumours.as_slice() {
            [tumour] => Some(*tumour),
            _ => None,
        }
    }

    /// Whether the latest contact found the patient alive.
    pub(super) fn is_alive(&self, person: &Person) -> bool {
        person.contacts.last().is_some_and(|row| self.get("follow_up", *row, "vital_status") == "1")
    }

    /// Whether the patient died.
    pub(super) fn is_dead(&self, person: &Person) -> bool {
        person.contacts.last().is_some_and(|row| self.get("follow_up", *row, "vital_status") == "0")
    }

    /// Whether there is an event of a kind.
    pub(super) fn has_event(&self, person: &Person, kind: &str) -> bool {
        person.events.iter().any(|row| self.get("event", *row, "event_type") == kind)
    }

    /// Completed years at diagnosis.
    pub(super) fn age(&self, tumour: usize) -> i64 {
        self.get("tumour", tumour, "extract_age_years").parse().unwrap_or(-1)
    }

    /// The latest contact.
    pub(super) fn last_contact(&self, person: &Person) -> Option<NaiveDate> {
        self.date("follow_up", *person.contacts.last()?, "last_contact_date")
    }

    /// The latest end or start of a course, the latest event and the diagnosis.
    pub(super) fn last_fact(&self, person: &Person) -> Option<NaiveDate> {
        let courses =
            person.courses.iter().flat_map(|row| [("course", *row, "start_date"), ("course", *row, "end_date")]);
        let events = person.events.iter().map(|row| ("event", *row, "event_date"));
        let tumours = person.tumours.iter().map(|row| ("tumour", *row, "diagnosis_date"));
        courses
            .chain(events)
            .chain(tumours)
            .filter_map(|(collection, row, column)| self.date(collection, row, column))
            .max()
    }

    /// Leaves all courses open, so that no end lies after a contact that is moved.
    pub(super) fn open_courses(&mut self, person: &Person) {
        for row in &person.courses {
            self.clear("course", *row, &["end_date", "end_reason"]);
        }
    }
}

//! Every tumour with what belongs to it, and what is derived from all that.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{Datelike, NaiveDate};
use node_domain::date::PartialDate;

use crate::{
    classification::{Classification, Classified},
    derive::{
        abandonment::{self, Finding},
        age,
        early_death::{self, FirstDays},
        endpoint::{self, Endpoint, EventKind},
        interval::{self, Intervals, Pathway},
        treatment_death::{self, Death},
    },
    registry::{Registry, Row},
};

/// All tumours of a registry, by patient, with what belongs to them.
pub struct Cases<'r> {
    /// The registry.
    pub registry: &'r Registry<'r>,
    /// The classifications.
    pub classification: &'r Classification,
    /// The day of the extract.
    pub extract: NaiveDate,
    /// The tumours, by patient and sequence.
    pub cases: Vec<Case<'r>>,
    /// Patients by pseudonym.
    pub patients: HashMap<&'r str, Row<'r>>,
    /// Hospitals by identity.
    pub facilities: HashMap<&'r str, Row<'r>>,
    /// What became of each patient.
    pub fates: HashMap<&'r str, Fate<'r>>,
    /// Rows that belong to a row that is not there, by collection: held back, removed, or not loaded yet.
    pub waiting: BTreeMap<&'static str, u64>,
    by_key: HashMap<(&'r str, &'r str), usize>,
}

/// A tumour with what belongs to it.
pub struct Case<'r> {
    /// The patient.
    pub patient: Row<'r>,
    /// The tumour.
    pub tumour: Row<'r>,
    /// Its courses of treatment, by start.
    pub courses: Vec<Row<'r>>,
    /// Its events, by date.
    pub events: Vec<Row<'r>>,
    /// What is derived.
    pub facts: Facts<'r>,
}

/// What all follow-up rows of one patient say together.
#[derive(Clone, Copy)]
pub struct Fate<'r> {
    /// The row with the latest contact.
    pub latest: Row<'r>,
    /// The latest contact.
    pub last_contact: Option<PartialDate>,
    /// The latest contact that is known to the day.
    pub last_day: Option<PartialDate>,
    /// Whether any row says that the patient died; a later row does not bring them back.
    pub dead: bool,
    /// The earliest date of death, of a row that has one of its own; else the contact at which the death was known.
    pub death: Option<PartialDate>,
    /// The row that says so.
    pub death_row: Option<Row<'r>>,
    /// Whether any row tells of palliative care.
    pub palliative: Option<bool>,
    /// The day on which a transfer was known.
    pub transferred_on: Option<PartialDate>,
}

/// What is derived from a tumour and what belongs to it.
pub struct Facts<'r> {
    /// ICD-O-3 morphology; 0 where it cannot be read.
    pub morphology: u16,
    /// What the codes classify it as.
    pub classified: Classified<'r>,
    /// Date of diagnosis.
    pub diagnosis: Option<PartialDate>,
    /// Completed years at diagnosis.
    pub age_years: Option<u16>,
    /// Days from birth to diagnosis.
    pub age_days: Option<u16>,
    /// Age band at diagnosis.
    pub age_band: Option<&'static str>,
    /// Start of the first course.
    pub first_treatment: Option<PartialDate>,
    /// Whether there is any course of treatment but watching; `None` where the registry holds no courses at all.
    pub treated: Option<bool>,
    /// Whether curative treatment was offered; `None` where nothing tells.
    pub curative: Option<bool>,
    /// The four pathway intervals.
    pub intervals: Intervals,
    /// Overall survival.
    pub overall: Option<Endpoint>,
    /// Overall survival with abandonment as an event.
    pub overall_abandonment: Option<Endpoint>,
    /// Event-free survival.
    pub event_free: Option<Endpoint>,
    /// Event-free survival with abandonment as an event.
    pub event_free_abandonment: Option<Endpoint>,
    /// Abandonment of treatment.
    pub abandonment: Finding,
    /// Death within 30 days.
    pub death_30d: Option<bool>,
    /// Treatment-related death.
    pub treatment_related_death: Option<bool>,
    /// Whether the stage, or a site of metastasis, says metastatic.
    pub metastatic: Option<bool>,
}

impl<'r> Cases<'r> {
    /// Links all rows of a registry and derives what follows from them.
    #[must_use]
    pub fn of(registry: &'r Registry<'r>, classification: &'r Classification, extract: NaiveDate) -> Self {
        let by_key = |collection, field| -> HashMap<&'r str, Row<'r>> {
            registry.rows(collection).map(|row| (row.value(field), row)).collect()
        };
        let patients = by_key("patient", "patient_id");
        let mut waiting = BTreeMap::new();
        let courses = by_tumour(registry, "course", "start_date");
        let events = by_tumour(registry, "event", "event_date");
        let fates = fates(registry);
        let holds_courses = registry.count("course") > 0;
        let mut cases = Vec::new();
        for tumour in registry.rows("tumour") {
            let id = tumour.value("patient_id");
            let Some(patient) = patients.get(id) else {
                *waiting.entry("tumour").or_default() += 1;
                continue;
            };
            let key = (id, tumour.value("tumour_seq"));
            let own = |rows: &HashMap<_, Vec<Row<'r>>>| rows.get(&key).cloned().unwrap_or_default();
            let (courses, events) = (own(&courses), own(&events));
            let gathered = Gathered {
                patient: *patient,
                tumour,
                courses: &courses,
                events: &events,
                fate: fates.get(id),
                holds_courses,
            };
            let facts = gathered.facts(classification, extract);
            cases.push(Case { patient: *patient, tumour, courses, events, facts });
        }
        cases.sort_by(|a, b| {
            let key = |case: &Case<'r>| (case.patient.value("patient_id"), case.tumour.number::<u16>("tumour_seq"));
            key(a).cmp(&key(b))
        });
        let by_key = cases
            .iter()
            .enumerate()
            .map(|(at, case)| ((case.patient.value("patient_id"), case.tumour.value("tumour_seq")), at))
            .collect::<HashMap<_, _>>();
        for (name, rows) in [("course", &courses), ("event", &events)] {
            let orphans = rows.iter().filter(|(key, _)| !by_key.contains_key(*key)).map(|(_, rows)| rows.len() as u64);
            let orphans: u64 = orphans.sum();
            if orphans > 0 {
                waiting.insert(name, orphans);
            }
        }
        for name in ["follow_up", "febrile_episode", "deterioration", "referral"] {
            let orphans = registry.rows(name).filter(|row| !patients.contains_key(row.value("patient_id"))).count();
            if orphans > 0 {
                waiting.insert(name, orphans as u64);
            }
        }
        let belongs = |row: &Row<'_>| by_key.contains_key(&(row.value("patient_id"), row.value("tumour_seq")));
        let doses = registry.rows("administration").filter(|row| !belongs(row)).count();
        if doses > 0 {
            waiting.insert("administration", doses as u64);
        }
        let facilities = registry.rows("facility").map(|row| (row.value("facility_id"), row)).collect();
        Self { registry, classification, extract, cases, patients, facilities, fates, waiting, by_key }
    }

    /// The case that a row belongs to, by its patient and tumour.
    #[must_use]
    pub fn case_of(&self, row: &Row<'_>) -> Option<&Case<'r>> {
        self.by_key.get(&(row.value("patient_id"), row.value("tumour_seq"))).map(|at| &self.cases[*at])
    }

    /// The tumours of a patient, by sequence.
    #[must_use]
    pub fn of_patient(&self, id: &str) -> &[Case<'r>] {
        let from = self.cases.partition_point(|case| case.patient.value("patient_id") < id);
        let until = self.cases.partition_point(|case| case.patient.value("patient_id") <= id);
        &self.cases[from..until]
    }

    /// What became of a case's patient.
    #[must_use]
    pub fn fate(&self, case: &Case<'_>) -> Option<&Fate<'r>> {
        self.fates.get(case.patient.value("patient_id"))
    }

    /// The level of the facility that a row names in `field`.
    #[must_use]
    pub fn level(&self, row: &Row<'_>, field: &str) -> Option<&'r str> {
        self.facilities.get(row.some(field)?).and_then(|facility| facility.some("level"))
    }

    /// The first-level region of a row's place.
    #[must_use]
    pub fn region(&self, row: &Row<'r>, field: &str) -> Option<&'r str> {
        row.some(field).map(|code| self.classification.regions.first_level(code))
    }

    /// Whole days from a date to the extract.
    #[must_use]
    pub fn days_to_extract(&self, date: Option<PartialDate>) -> Option<i64> {
        Some((self.extract - date?.day()?).num_days())
    }

    /// The patients who were referred.
    #[must_use]
    pub fn referred(&self) -> HashSet<&'r str> {
        self.registry.rows("referral").map(|row| row.value("patient_id")).collect()
    }
}

fn by_tumour<'r>(
    registry: &'r Registry<'r>,
    collection: &str,
    date: &str,
) -> HashMap<(&'r str, &'r str), Vec<Row<'r>>> {
    let mut by_tumour: HashMap<_, Vec<Row<'r>>> = HashMap::new();
    for row in registry.rows(collection) {
        by_tumour.entry((row.value("patient_id"), row.value("tumour_seq"))).or_default().push(row);
    }
    for rows in by_tumour.values_mut() {
        rows.sort_by_key(|row| row.date(date).and_then(|date| date.earliest()));
    }
    by_tumour
}

fn fates<'r>(registry: &'r Registry<'r>) -> HashMap<&'r str, Fate<'r>> {
    let mut fates: HashMap<&'r str, Fate<'r>> = HashMap::new();
    let latest_day = |date: Option<PartialDate>| date.and_then(|date| date.latest());
    for row in registry.rows("follow_up") {
        if registry.fate_in_doubt.contains(row.value("patient_id")) {
            continue;
        }
        let fate = fates.entry(row.value("patient_id")).or_insert(Fate {
            latest: row,
            last_contact: None,
            last_day: None,
            dead: false,
            death: None,
            death_row: None,
            palliative: None,
            transferred_on: None,
        });
        let contact = row.date("last_contact_date");
        if latest_day(contact) > latest_day(fate.last_contact) || fate.last_contact.is_none() {
            (fate.latest, fate.last_contact) = (row, contact);
        }
        let exact = contact.filter(|date| date.day().is_some());
        if latest_day(exact) > latest_day(fate.last_day) {
            fate.last_day = exact;
        }
        if row.value("vital_status") == "0" {
            fate.dead = true;
            let death = row.date("death_date").or(contact);
            if fate.death.is_none() || latest_day(death) < latest_day(fate.death) {
                (fate.death, fate.death_row) = (death, Some(row));
            }
        }
        match row.value("followup_status") {
            "palliative" => fate.palliative = Some(true),
            "transferred_confirmed" => fate.transferred_on = contact,
            _ => {}
        }
        if row.some("palliative_referral_date").is_some() {
            fate.palliative = Some(true);
        }
    }
    fates
}

/// What a case's facts are derived from.
struct Gathered<'g, 'r> {
    patient: Row<'r>,
    tumour: Row<'r>,
    courses: &'g [Row<'r>],
    events: &'g [Row<'r>],
    fate: Option<&'g Fate<'r>>,
    holds_courses: bool,
}

impl<'r> Gathered<'_, 'r> {
    fn facts(&self, classification: &'r Classification, extract: NaiveDate) -> Facts<'r> {
        let tumour = &self.tumour;
        let (birth, diagnosis) = (self.patient.date("birth_date"), tumour.date("diagnosis_date"));
        let (age_years, age_band) = match (birth, diagnosis) {
            (Some(birth), Some(diagnosis)) => age::age(&birth, &diagnosis),
            _ => (None, None),
        };
        let age_days = birth.zip(diagnosis).and_then(|(birth, diagnosis)| age::age_days(&birth, &diagnosis));
        let morphology = tumour.number("morphology").unwrap_or(0);
        let classified = classification.classify(
            tumour.value("topography"),
            morphology,
            tumour.value("behaviour"),
            tumour.number("who_cns_grade"),
            age_years,
        );
        let treatments = || self.courses.iter().filter(|course| course.value("modality") != "observation");
        let first_treatment = treatments().find_map(|course| course.date("start_date"));
        let treated = self.holds_courses.then(|| treatments().next().is_some());
        let death_certificate_only = tumour.value("basis") == "0";
        let abandonment = self.abandonment(extract);
        let course = self.endpoint_course(diagnosis, death_certificate_only, &abandonment);
        let recorded = |kind: &str| self.events.iter().any(|event| event.value("event_type") == kind);
        let dead = self.fate.map(|fate| fate.dead);
        let death = self.fate.filter(|fate| fate.dead);
        Facts {
            morphology,
            classified,
            diagnosis,
            age_years,
            age_days,
            age_band,
            first_treatment,
            treated,
            curative: self.curative(),
            intervals: interval::intervals(&Pathway {
                symptom_onset: tumour.date("symptom_onset_date"),
                first_contact: tumour.date("first_contact_date"),
                diagnosis,
                first_treatment,
            }),
            overall: endpoint::overall(&course),
            overall_abandonment: endpoint::overall_abandonment(&course),
            event_free: endpoint::event_free(&course),
            event_free_abandonment: endpoint::event_free_abandonment(&course),
            abandonment,
            death_30d: early_death::early_death(&FirstDays {
                diagnosis,
                death_certificate_only,
                dead: dead.unwrap_or(false),
                death: death.and_then(|fate| fate.death),
                last_contact: self.fate.and_then(|fate| fate.last_day),
            }),
            treatment_related_death: treatment_death::treatment_related(&Death {
                treatment_started: treated,
                dead: self.fate.and_then(Fate::vital),
                cause: death.and_then(|fate| fate.death_row?.some("death_cause_category")),
                active_disease: death.and_then(|fate| fate.death_row?.answer("active_disease_at_death")),
                progressed: recorded("relapse") || recorded("progression"),
            }),
            metastatic: self.metastatic(classification, &classified),
        }
    }

    /// Curative treatment was offered: given, or refused at once.
    fn curative(&self) -> Option<bool> {
        let refused = self.events.iter().any(|event| event.value("abandonment_kind") == "never_started");
        if refused || self.courses.iter().any(|course| course.value("intent") == "curative") {
            return Some(true);
        }
        if self.courses.is_empty() { None } else { Some(false) }
    }

    fn endpoint_course(
        &self,
        diagnosis: Option<PartialDate>,
        death_certificate_only: bool,
        abandonment: &Finding,
    ) -> endpoint::Course {
        let dated = |event: &Row<'r>| event.date("event_date");
        endpoint::Course {
            diagnosis,
            death_certificate_only,
            last_contact: self.fate.and_then(|fate| fate.last_day),
            dead: self.fate.is_some_and(|fate| fate.dead),
            death: self.fate.and_then(|fate| fate.death),
            events: self
                .events
                .iter()
                .filter_map(|event| EventKind::of_code(event.value("event_type")).zip(dated(event)))
                .collect(),
            abandonments: abandonment.date.into_iter().collect(),
        }
    }

    fn abandonment(&self, extract: NaiveDate) -> Finding {
        let courses: Vec<_> = self
            .courses
            .iter()
            .map(|course| abandonment::Course {
                intent: course.value("intent"),
                start: course.date("start_date"),
                end: course.date("end_date"),
                planned_end: course.date("planned_end_date"),
                last_attended: course.date("last_attended_date"),
                end_reason: course.some("end_reason"),
            })
            .collect();
        let events: Vec<_> = self
            .events
            .iter()
            .filter(|event| event.value("event_type") == "abandonment")
            .filter_map(|event| {
                Some(abandonment::Recorded {
                    kind: event.some("abandonment_kind"),
                    date: event.date("event_date")?,
                    reason: event.some("abandonment_reason"),
                    returned: event.answer("returned"),
                    returned_on: event.date("returned_on"),
                })
            })
            .collect();
        abandonment::abandonment(&abandonment::History {
            offered: self.curative(),
            courses: &courses,
            events: &events,
            transferred_on: self.fate.and_then(|fate| fate.transferred_on),
            dead: self.fate.is_some_and(|fate| fate.dead),
            death: self.fate.and_then(|fate| fate.death),
            last_contact: self.fate.and_then(|fate| fate.last_day),
            extract: PartialDate::from(extract),
        })
    }

    fn metastatic(&self, classification: &Classification, classified: &Classified<'_>) -> Option<bool> {
        let sites = self.tumour.value("metastasis_site");
        let by_stage = || {
            let value = self.tumour.some("stage_value")?;
            let recorded = self.tumour.some("stage_schema").and_then(|code| classification.schema(code));
            recorded.or(classified.toronto)?.metastatic(value)
        };
        match sites {
            "" => by_stage(),
            "none" => by_stage().or(Some(false)),
            _ => by_stage().or(Some(true)),
        }
    }
}

impl Fate<'_> {
    /// Whether the patient is dead; `None` where the latest row does not know.
    #[must_use]
    pub fn vital(&self) -> Option<bool> {
        match (self.dead, self.latest.value("vital_status")) {
            (true, _) => Some(true),
            (false, "1") => Some(false),
            _ => None,
        }
    }
}

/// The age band of a person on a day.
#[must_use]
pub fn age_band_on(patient: Option<&Row<'_>>, date: Option<PartialDate>) -> Option<&'static str> {
    age::age(&patient?.date("birth_date")?, &date?).1
}

/// The year of a date.
#[must_use]
pub fn year(date: Option<PartialDate>) -> Option<u16> {
    date.and_then(|date| u16::try_from(date.year()).ok())
}

/// The month of a day.
#[must_use]
pub fn month(date: Option<PartialDate>) -> Option<u16> {
    date.and_then(|date| date.earliest().filter(|_| date.day().is_some()))
        .and_then(|day| u16::try_from(day.month()).ok())
}

//! The rows that the facts of a file make.

use std::{
    collections::{BTreeMap, HashMap},
    io,
    path::Path,
};

use node_domain::dictionary::Dictionary;

use super::{
    element::day,
    gathered::Gathered,
    observation::{Event, Finding, Stage, What},
    output::{ADMINISTRATION, COURSE, EVENT, FILLED, FOLLOW_UP, Output, PATIENT, TUMOUR},
    treatment::{Administration, Order, Treatment},
};
use crate::{mapping::plan::Plan, reader::Listener, row::RowBuffer};

/// ATC group of the antineoplastic agents.
const ANTINEOPLASTIC: &str = "L01";

/// Makes the rows; gives the resources that were not used, by type.
///
/// # Errors
/// Those of the listener.
pub(super) fn write(
    path: &Path,
    gathered: Gathered,
    dictionary: &Dictionary,
    listener: &mut dyn Listener,
) -> io::Result<BTreeMap<String, u64>> {
    let tables = FILLED.iter().map(|(name, fields)| Some((dictionary.collection(name)?, *fields)));
    let Some(tables) = tables.collect::<Option<Vec<_>>>() else {
        return Err(io::Error::new(io::ErrorKind::Unsupported, "the dictionary lacks a collection that FHIR fills"));
    };
    let plan = Plan::whole(tables);
    listener.plan(&plan)?;
    let mut out = Output { path, plan: &plan, listener, row: RowBuffer::default() };
    let mut cases = Cases::of(gathered, &mut out);
    cases.write(&mut out)?;
    Ok(cases.gathered.unused)
}

/// What is known of one patient beside the Patient.
#[derive(Default)]
struct Known {
    tumours: Vec<usize>,
    contact: String,
    /// The last day on which the patient was seen.
    seen: String,
    vital: Option<(String, &'static str)>,
    status: Option<(String, String)>,
    decision: Option<(String, bool)>,
}

/// What is known of one tumour beside the Condition.
#[derive(Default)]
struct Case {
    person: Option<usize>,
    seq: String,
    stage: Option<(String, Stage)>,
    steps: BTreeMap<&'static str, String>,
    events: Vec<(u64, String, Event)>,
    courses: Vec<Course>,
    outside: Vec<Given>,
}

#[derive(Default)]
struct Course {
    treatment: Treatment,
    given: Vec<Given>,
}

struct Given {
    administration: Administration,
    medicine: (String, String),
    planned: String,
    protocol_dose: String,
}

struct Cases {
    gathered: Gathered,
    known: Vec<Known>,
    cases: Vec<Case>,
}

impl Cases {
    fn of(mut gathered: Gathered, out: &mut Output<'_>) -> Self {
        let known = gathered.people.iter().map(|_| Known::default()).collect();
        let cases = gathered.tumours.iter().map(|_| Case::default()).collect();
        let decisions = std::mem::take(&mut gathered.decisions);
        let findings = std::mem::take(&mut gathered.findings);
        let visits = std::mem::take(&mut gathered.visits);
        let procedures = std::mem::take(&mut gathered.procedures);
        let plans = std::mem::take(&mut gathered.plans);
        let administrations = std::mem::take(&mut gathered.administrations);
        let mut all = Self { gathered, known, cases };
        all.number_tumours(out);
        for decision in decisions {
            let Some(person) = all.person(&decision.patient, decision.line, "Consent.patient", out) else { continue };
            let latest = &mut all.known[person].decision;
            // of two on one day the one that denies holds
            let new = (decision.date, decision.permits);
            let holds = |old: &(String, bool)| new.0 > old.0 || (new.0 == old.0 && !new.1);
            if latest.as_ref().is_none_or(holds) {
                *latest = Some(new);
            }
        }
        for finding in findings {
            all.finding(finding, out);
        }
        for visit in visits {
            let Some(person) = all.person(&visit.patient, visit.line, "Encounter.subject", out) else { continue };
            later(&mut all.known[person].seen, &visit.end);
            if let Some(step) = visit.step
                && let Some(case) = all.tumour(person, &visit.about, "Encounter")
            {
                let date = all.cases[case].steps.entry(step).or_insert_with(|| visit.start.clone());
                if visit.start < *date {
                    *date = visit.start;
                }
            }
        }
        for treatment in procedures {
            let Some(person) = all.person(&treatment.patient, treatment.line, "Procedure.subject", out) else {
                continue;
            };
            let last = if treatment.end.is_empty() { &treatment.start } else { &treatment.end };
            later(&mut all.known[person].seen, last);
            if let Some(case) = all.tumour(person, &treatment.about, "Procedure") {
                all.cases[case].courses.push(Course { treatment, given: Vec::new() });
            }
        }
        let mut course_of = HashMap::new();
        for (at, treatment) in plans.into_iter().enumerate() {
            let Some(person) = all.person(&treatment.patient, treatment.line, "CarePlan.subject", out) else {
                continue;
            };
            if let Some(case) = all.tumour(person, &treatment.about, "CarePlan") {
                course_of.insert(at, (case, all.cases[case].courses.len()));
                all.cases[case].courses.push(Course { treatment, given: Vec::new() });
            }
        }
        for administration in administrations {
            all.administration(administration, &course_of, out);
        }
        for case in 0..all.cases.len() {
            all.close_courses(case);
        }
        all
    }

    fn person(&self, name: &str, line: u64, element: &str, out: &mut Output<'_>) -> Option<usize> {
        let found = self.gathered.person_at.get(name).copied();
        if found.is_none() {
            out.nobody(line, element);
        }
        found
    }

    /// The tumour that a resource is about: one that it names, else the only one of the patient.
    fn tumour(&mut self, person: usize, about: &[String], kind: &str) -> Option<usize> {
        let named = about.iter().filter_map(|name| self.gathered.tumour_at.get(name).copied());
        let of_person = named.into_iter().find(|case| self.cases[*case].person == Some(person));
        let found = of_person.or(match self.known[person].tumours.as_slice() {
            [only] => Some(*only),
            _ => None,
        });
        if found.is_none() {
            self.gathered.pass(kind, "does not name one of the patient's tumours");
        }
        found
    }

    /// Sequence of the tumours of each patient: 0 for the only malignant one, else 1 and on by date; 60 and on for the others.
    fn number_tumours(&mut self, out: &mut Output<'_>) {
        for at in 0..self.gathered.tumours.len() {
            let tumour = &self.gathered.tumours[at];
            let Some(person) = self.person(&tumour.patient, tumour.line, "Condition.subject", out) else { continue };
            self.cases[at].person = Some(person);
            self.known[person].tumours.push(at);
        }
        let tumours = &self.gathered.tumours;
        for known in &mut self.known {
            known.tumours.sort_by(|a, b| tumours[*a].order().cmp(&tumours[*b].order()));
            let is_benign = |at: &usize| matches!(tumours[*at].behaviour.as_str(), "0" | "1");
            let (benign, malignant): (Vec<usize>, Vec<usize>) = known.tumours.iter().partition(|at| is_benign(at));
            for (group, base) in [(malignant, 0), (benign, 60)] {
                let first = base + usize::from(group.len() > 1);
                for (number, at) in (first..).zip(group) {
                    self.cases[at].seq = number.to_string();
                }
            }
        }
    }

    fn finding(&mut self, finding: Finding, out: &mut Output<'_>) {
        let Some(person) = self.person(&finding.patient, finding.line, "Observation.subject", out) else { return };
        let known = &mut self.known[person];
        match finding.what {
            What::Contact => later(&mut known.contact, &finding.date),
            What::Vital(code) => {
                later(&mut known.contact, &finding.date);
                // of two on one day the one that says dead (0) holds
                let new = (finding.date, code);
                if known.vital.as_ref().is_none_or(|old| new.0 > old.0 || (new.0 == old.0 && new.1 < old.1)) {
                    known.vital = Some(new);
                }
            }
            What::Status(code) => {
                let new = (finding.date, code);
                if known.status.as_ref().is_none_or(|old| new > *old) {
                    known.status = Some(new);
                }
            }
            What::Stage(stage) => {
                let Some(case) = self.tumour(person, &finding.about, "Observation") else { return };
                let latest = &mut self.cases[case].stage;
                let later = |(date, old): &(String, Stage)| (&finding.date, &stage.value) > (date, &old.value);
                if latest.as_ref().is_none_or(later) {
                    *latest = Some((finding.date, *stage));
                }
            }
            What::Event(event) => {
                if let Some(case) = self.tumour(person, &finding.about, "Observation") {
                    self.cases[case].events.push((finding.line, finding.date, *event));
                }
            }
        }
    }

    fn administration(
        &mut self,
        administration: Administration,
        course_of: &HashMap<usize, (usize, usize)>,
        out: &mut Output<'_>,
    ) {
        const KIND: &str = "MedicationAdministration";
        let element = "MedicationAdministration.subject";
        let Some(person) = self.person(&administration.patient, administration.line, element, out) else { return };
        if administration.given {
            later(&mut self.known[person].seen, day(&administration.at));
        }
        let of_resource = || {
            administration.medication.as_ref().and_then(|name| self.gathered.medications.get(name)).cloned().flatten()
        };
        let Some(medicine) = administration.medicine.clone().or_else(of_resource) else {
            return self.gathered.pass(KIND, "of a medicine that is not in the list");
        };
        let order = administration.order.as_ref().and_then(|name| self.gathered.orders.get(name));
        let planned = planned(&administration, order);
        let dose = order.and_then(|order| order.protocol_dose.clone());
        // a dose in another unit cannot be compared
        let same_unit = dose.filter(|(_, unit)| administration.dose.as_ref().is_some_and(|(_, given)| given == unit));
        let protocol_dose = same_unit.map(|(value, _)| value).unwrap_or_default();
        let plan = order.and_then(|order| order.plans.iter().find_map(|name| self.gathered.plan_at.get(name)));
        let in_plan = plan.and_then(|plan| course_of.get(plan).copied());
        let mut about = administration.about.clone();
        about.extend(order.iter().flat_map(|order| order.about.clone()));
        let given = Given { administration, medicine, planned, protocol_dose };
        let (case, course) = match in_plan.filter(|(case, _)| self.cases[*case].person == Some(person)) {
            Some((case, course)) => (case, Some(course)),
            None => {
                let Some(case) = self.tumour(person, &about, KIND) else { return };
                let on = day(&given.administration.at).to_owned();
                (case, self.cases[case].courses.iter().position(|course| course.holds(&on)))
            }
        };
        match course {
            Some(course) => self.cases[case].courses[course].given.push(given),
            None => self.cases[case].outside.push(given),
        }
    }

    /// Makes one course of what was given outside a plan, and puts all courses in their order.
    fn close_courses(&mut self, case: usize) {
        let outside = std::mem::take(&mut self.cases[case].outside);
        if outside.iter().any(|given| given.medicine.1.starts_with(ANTINEOPLASTIC)) {
            let when = |given: &Given| day(&given.administration.at).to_owned();
            let treatment = Treatment {
                line: outside.iter().map(|given| given.administration.line).min().unwrap_or_default(),
                modality: "chemotherapy".to_owned(),
                start: outside.iter().map(when).filter(|day| !day.is_empty()).min().unwrap_or_default(),
                ..Treatment::default()
            };
            self.cases[case].courses.push(Course { treatment, given: outside });
        } else {
            for _ in outside {
                self.gathered.pass("MedicationAdministration", "outside a course of treatment");
            }
        }
        let courses = &mut self.cases[case].courses;
        for course in courses.iter_mut() {
            if course.treatment.intent.is_empty() {
                let said =
                    course.given.iter().map(|given| given.administration.intent).find(|intent| !intent.is_empty());
                course.treatment.intent = said.unwrap_or_default();
            }
            course.given.sort_by(|a, b| a.order().cmp(&b.order()));
        }
        courses.sort_by(|a, b| a.treatment.order().cmp(&b.treatment.order()));
    }

    fn write(&mut self, out: &mut Output<'_>) -> io::Result<()> {
        for (person, known) in self.gathered.people.iter().zip(&self.known) {
            let consents = known.decision.as_ref().filter(|(_, permits)| *permits).map(|_| "consent");
            let legal_basis = person.legal_basis.as_deref().or(consents).or(self.gathered.legal_basis.as_deref());
            let objects = known.decision.as_ref().is_some_and(|(_, permits)| !permits);
            out.row(
                PATIENT,
                person.line,
                &[
                    ("patient_id", &person.id),
                    ("birth_date", &person.birth_date),
                    ("sex", &person.sex),
                    ("residence_country", &person.country),
                    ("residence_region", &person.region),
                    ("legal_basis", legal_basis.unwrap_or_default()),
                    ("objection", if objects { "yes" } else { "no" }),
                ],
            )?;
        }
        for (tumour, case) in self.gathered.tumours.iter().zip(&self.cases) {
            let Some(person) = case.person else { continue };
            let nothing = Stage::default();
            let stage = case.stage.as_ref().map_or(&nothing, |(_, stage)| stage);
            let mut values = vec![
                ("patient_id", self.gathered.people[person].id.as_str()),
                ("tumour_seq", &case.seq),
                ("diagnosis_date", &tumour.diagnosis_date),
                ("topography", &tumour.topography),
                ("morphology", &tumour.morphology),
                ("behaviour", &tumour.behaviour),
                ("basis", &tumour.basis),
                ("laterality", tumour.laterality),
                ("icd10", &tumour.icd10),
                ("stage_schema", &stage.schema),
                ("stage_value", &stage.value),
                ("stage_tier", &stage.tier),
                ("stage_guideline_version", &stage.version),
                ("stage_basis", stage.basis),
            ];
            values.extend(case.steps.iter().map(|(step, date)| (*step, date.as_str())));
            out.row(TUMOUR, tumour.line, &values)?;
        }
        for case in &mut self.cases {
            let Some(person) = case.person else { continue };
            let key = [("patient_id", self.gathered.people[person].id.as_str()), ("tumour_seq", case.seq.as_str())];
            for (number, course) in (1_u64..).zip(&case.courses) {
                course.write(&key, &number.to_string(), out)?;
            }
            case.events.sort_by(|a, b| (&a.1, &a.2.kind, a.0).cmp(&(&b.1, &b.2.kind, b.0)));
            for (number, (line, date, event)) in (1_u64..).zip(&case.events) {
                let number = number.to_string();
                let own = [
                    ("event_number", number.as_str()),
                    ("event_type", &event.kind),
                    ("event_date", date),
                    ("event_site", &event.site),
                    ("abandonment_kind", &event.abandonment_kind),
                    ("abandonment_reason", &event.abandonment_reason),
                ];
                out.row(EVENT, *line, &[key.as_slice(), &own].concat())?;
            }
        }
        for (person, known) in self.gathered.people.iter().zip(&self.known) {
            let Some(state) = known.state(person.died.as_ref()) else { continue };
            out.row(
                FOLLOW_UP,
                person.line,
                &[
                    ("patient_id", &person.id),
                    ("last_contact_date", &state.last_contact),
                    ("vital_status", state.vital_status),
                    ("followup_status", known.status.as_ref().map_or("unknown", |(_, code)| code)),
                    ("death_date", &state.death),
                ],
            )?;
        }
        Ok(())
    }
}

impl Course {
    /// Whether it is a plan of medicines that was in force on a day.
    fn holds(&self, on: &str) -> bool {
        let treatment = &self.treatment;
        let medicines = !matches!(treatment.modality.as_str(), "surgery" | "radiotherapy" | "observation");
        let end = if treatment.end.is_empty() { &treatment.planned_end } else { &treatment.end };
        let started = !treatment.start.is_empty() && treatment.start.as_str() <= on;
        medicines && started && (end.is_empty() || on <= end.as_str())
    }

    fn write(&self, key: &[(&str, &str)], number: &str, out: &mut Output<'_>) -> io::Result<()> {
        let treatment = &self.treatment;
        let own = [
            ("course_no", number),
            ("intent", treatment.intent),
            ("modality", &treatment.modality),
            ("protocol", &treatment.protocol),
            ("phase", &treatment.phase),
            ("start_date", &treatment.start),
            ("end_date", &treatment.end),
            ("planned_end_date", &treatment.planned_end),
            ("end_reason", treatment.end_reason),
            ("radiotherapy_gy", &treatment.gy),
            ("radiotherapy_fractions", &treatment.fractions),
            ("transplant_kind", &treatment.transplant_kind),
        ];
        out.row(COURSE, treatment.line, &[key, &own].concat())?;
        for (admin_no, given) in (1_u64..).zip(&self.given) {
            let admin_no = admin_no.to_string();
            let administration = &given.administration;
            let (dose, unit) = administration.dose.as_ref().map_or(("", ""), |(dose, unit)| (dose, unit));
            let own = [
                ("course_no", number),
                ("admin_no", admin_no.as_str()),
                ("inn", &given.medicine.0),
                ("atc", &given.medicine.1),
                ("dose", dose),
                ("dose_unit", unit),
                ("protocol_dose", &given.protocol_dose),
                ("route", &administration.route),
                ("planned_at", &given.planned),
                ("given_at", if administration.given { &administration.at } else { "" }),
                ("not_given_reason", &administration.not_given_reason),
            ];
            out.row(ADMINISTRATION, administration.line, &[key, &own].concat())?;
        }
        Ok(())
    }
}

impl Given {
    /// Numbers must not depend on where a resource stands: the next extract may have another order.
    fn order(&self) -> (&str, &str, &str, u64) {
        let when = if self.planned.is_empty() { &self.administration.at } else { &self.planned };
        (when, &self.administration.at, &self.medicine.0, self.administration.line)
    }
}

/// When a medicine was due: the order's moment on the day, else its last before; what was not given was due when it says.
fn planned(administration: &Administration, order: Option<&Order>) -> String {
    let moments = || order.iter().flat_map(|order| &order.planned);
    let on = day(&administration.at);
    let same_day = moments().find(|moment| day(moment) == on);
    let before = || moments().filter(|moment| day(moment) < on).max();
    match same_day.or_else(before) {
        Some(moment) => moment.clone(),
        None if !administration.given => administration.at.clone(),
        None => String::new(),
    }
}

/// How a patient was at the last contact.
struct State {
    last_contact: String,
    vital_status: &'static str,
    death: String,
}

impl Known {
    /// `None` where nothing was heard of the patient after the diagnosis.
    fn state(&self, died: Option<&(bool, Option<String>)>) -> Option<State> {
        let by_vital = self.vital.as_ref().filter(|(_, code)| *code == "0").map(|(date, _)| date.clone());
        let death = match died {
            Some((true, date)) => Some(date.clone().or(by_vital).unwrap_or_default()),
            // a Patient that still says that the child is alive may be older than the news of the death
            _ => by_vital,
        };
        if let Some(death) = death {
            return Some(State { last_contact: death.clone(), vital_status: "0", death });
        }
        let last_contact = self.contact.as_str().max(&self.seen).to_owned();
        if last_contact.is_empty() {
            return None;
        }
        let alive = || died.is_some() || self.seen == last_contact;
        let vital = self.vital.as_ref().filter(|(date, code)| *date >= self.seen && *code != "0");
        let vital_status = vital.map_or_else(|| if alive() { "1" } else { "9" }, |(_, code)| code);
        Some(State { last_contact, vital_status, death: String::new() })
    }
}

/// Keeps the later of two dates.
fn later(date: &mut String, other: &str) {
    if other > date.as_str() {
        other.clone_into(date);
    }
}

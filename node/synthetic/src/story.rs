//! The course of one invented patient: diagnosis, treatment, remission, relapse, abandonment, follow-up, death.
//!
//! What happens is decided first and written down as courses, events and contacts, in order of time, so that no row can
//! contradict another.

mod course;
mod outcome;

use chrono::NaiveDate;
use rand::rngs::StdRng;

use crate::{
    cancers::Cancer,
    countries::Country,
    draw::{age, between, chance, days, plus, waiting},
    fate::Odds,
    mix::Known,
    regimen::{Dose, Patient},
    tumour::{Findings, find},
};

pub(crate) use outcome::Loss;

/// What all stories of a registry share.
pub(crate) struct World<'w> {
    pub(crate) country: &'w Country,
    pub(crate) odds: Odds,
    pub(crate) extract: NaiveDate,
    /// Last day on which a second cancer may be diagnosed.
    pub(crate) last_diagnosis: NaiveDate,
}

/// A patient with a tumour and what became of both.
#[derive(Debug, Clone)]
pub(crate) struct Story {
    pub(crate) id: String,
    pub(crate) boy: bool,
    pub(crate) birth: NaiveDate,
    pub(crate) diagnosis: NaiveDate,
    pub(crate) registered: NaiveDate,
    pub(crate) cancer: &'static Cancer,
    pub(crate) known: Known,
    pub(crate) found: Findings,
    /// Index of the hospital that treats.
    pub(crate) facility: usize,
    pub(crate) path: Option<Path>,
    pub(crate) remission: Option<NaiveDate>,
    pub(crate) courses: Vec<Course>,
    pub(crate) events: Vec<Event>,
    pub(crate) contacts: Vec<Contact>,
    pub(crate) death: Option<Death>,
    pub(crate) second: Option<Second>,
}

/// Dates before the diagnosis.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Path {
    pub(crate) onset: NaiveDate,
    pub(crate) contact: NaiveDate,
    pub(crate) suspicion: NaiveDate,
    pub(crate) referral: NaiveDate,
    pub(crate) specialist: NaiveDate,
}

/// A course of treatment.
#[derive(Debug, Clone)]
pub(crate) struct Course {
    pub(crate) intent: &'static str,
    pub(crate) modality: &'static str,
    pub(crate) phase: &'static str,
    pub(crate) doses: &'static [Dose],
    pub(crate) start: NaiveDate,
    pub(crate) end: Option<NaiveDate>,
    pub(crate) planned: Option<NaiveDate>,
    pub(crate) last_attended: Option<NaiveDate>,
    pub(crate) reason: &'static str,
}

/// An event after the diagnosis.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) kind: &'static str,
    pub(crate) date: NaiveDate,
    pub(crate) site: &'static str,
    pub(crate) abandonment: Option<Abandonment>,
}

/// How treatment was abandoned.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Abandonment {
    pub(crate) kind: &'static str,
    pub(crate) date: NaiveDate,
    pub(crate) reason: &'static str,
    pub(crate) returned: Option<NaiveDate>,
}

/// A contact with the patient.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Contact {
    pub(crate) date: NaiveDate,
    pub(crate) vital: &'static str,
    pub(crate) source: &'static str,
    pub(crate) status: &'static str,
}

/// A death.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Death {
    pub(crate) date: NaiveDate,
    pub(crate) cause: &'static str,
    pub(crate) toxic_cause: &'static str,
    pub(crate) active: &'static str,
    pub(crate) palliative: Option<NaiveDate>,
    pub(crate) place: &'static str,
    pub(crate) opioids: &'static str,
}

/// A second cancer, removed by surgery.
#[derive(Debug, Clone)]
pub(crate) struct Second {
    pub(crate) cancer: &'static Cancer,
    pub(crate) diagnosis: NaiveDate,
    pub(crate) surgery: NaiveDate,
    pub(crate) found: Findings,
}

/// Who is told of.
pub(crate) struct Who {
    pub(crate) id: String,
    pub(crate) boy: bool,
    pub(crate) birth: NaiveDate,
    pub(crate) diagnosis: NaiveDate,
    pub(crate) cancer: &'static Cancer,
    pub(crate) known: Known,
    pub(crate) facility: usize,
}

/// What the years of treatment hold before they are written down.
struct Draft {
    start: Option<NaiveDate>,
    palliative: bool,
    abandonment: Option<Abandonment>,
    loss: Option<(Loss, NaiveDate)>,
    death: Option<(NaiveDate, bool)>,
    planned_days: i64,
}

/// Tells the story of a patient.
pub(crate) fn tell(who: Who, world: &World<'_>, rng: &mut StdRng) -> Story {
    let Who { id, boy, birth, diagnosis, cancer, known, facility } = who;
    let found = find(cancer, days(birth, diagnosis), known, world.country.high_income_mix, rng);
    let registered = plus(diagnosis, waiting(rng, 70.0, 500)).min(plus(world.extract, -between(rng, 0, 14)));
    let mut story = Story {
        id,
        boy,
        birth,
        diagnosis,
        registered: registered.max(diagnosis),
        cancer,
        known,
        found,
        facility,
        path: None,
        remission: None,
        courses: Vec::new(),
        events: Vec::new(),
        contacts: Vec::new(),
        death: None,
        second: None,
    };
    if known == Known::Certificate {
        story.die_unknown();
        return story;
    }
    if chance(rng, 0.88) {
        story.path = Some(path(birth, diagnosis, world.country.high_income_mix, rng));
    }
    let draft = story.draft(world, rng);
    story.write_courses(&draft, world, rng);
    story.write_outcome(&draft, world, rng);
    story.settle_stage();
    story
}

fn path(birth: NaiveDate, diagnosis: NaiveDate, high_income: bool, rng: &mut StdRng) -> Path {
    let median = if high_income { 15.0 } else { 30.0 };
    let contact = plus(diagnosis, -waiting(rng, median, 400)).max(birth);
    let onset = plus(contact, -waiting(rng, 12.0, 400)).max(birth);
    let gap = days(contact, diagnosis);
    let suspicion = plus(contact, between(rng, 0, gap));
    let referral = plus(suspicion, between(rng, 0, days(suspicion, diagnosis)));
    let specialist = plus(referral, between(rng, 0, days(referral, diagnosis)));
    Path { onset, contact, suspicion, referral, specialist }
}

impl Story {
    /// Completed years at diagnosis.
    pub(crate) fn age(&self) -> i64 {
        age(self.birth, self.diagnosis)
    }

    /// Number of the tumour: 0 the only one, 1 the first of two, 60 one that is not malignant.
    pub(crate) fn tumour_seq(&self) -> &'static str {
        match (&self.second, self.found.behaviour) {
            (Some(_), _) => "1",
            (None, "3") => "0",
            (None, _) => "60",
        }
    }

    /// The latest contact.
    pub(crate) fn last_contact(&self) -> NaiveDate {
        self.contacts.last().map_or(self.diagnosis, |contact| contact.date)
    }

    /// The course that a day falls in, if there is one.
    pub(crate) fn chemotherapy(&self) -> impl Iterator<Item = (&Course, NaiveDate)> {
        let last = self.last_contact();
        self.courses
            .iter()
            .filter(|course| course.modality == "chemotherapy")
            .map(move |course| (course, course.end.unwrap_or(last).min(last)))
            .filter(|(course, end)| *end >= course.start)
    }

    fn patient(&self, high_income: bool) -> Patient {
        Patient { age: self.age(), stage: self.found.stage, metastatic: self.found.metastatic, high_income }
    }

    /// A stage after chemotherapy stands only where chemotherapy and then surgery took place.
    fn settle_stage(&mut self) {
        if !self.found.stage.starts_with("y-") {
            return;
        }
        let first = |modality: &str| {
            self.courses.iter().filter(|course| course.modality == modality).map(|course| course.start).min()
        };
        if !matches!((first("chemotherapy"), first("surgery")), (Some(chemotherapy), Some(surgery)) if chemotherapy < surgery)
        {
            self.found.stage = "X";
            self.found.metastasis = "";
        }
    }
}

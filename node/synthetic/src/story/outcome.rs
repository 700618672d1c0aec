//! Remission, relapse, loss, death and the contacts with the patient.

use chrono::NaiveDate;
use rand::rngs::StdRng;

use super::{Contact, Death, Draft, Event, Second, Story, World};
use crate::{
    cancers::{Cancer, children},
    draw::{age, between, chance, code, days, plus},
    mix::Known,
    tumour::find,
};

/// How the registry lost sight of a patient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    /// After treatment.
    Lost,
    /// Another centre took over, and said so.
    Transferred,
}

impl Story {
    /// A death of which only the certificate is known.
    pub(super) fn die_unknown(&mut self) {
        let date = self.diagnosis;
        self.events.push(event("death", date, ""));
        self.contacts.push(Contact { date, vital: "0", source: "civil_registry", status: "unknown" });
        self.death = Some(Death {
            date,
            cause: "disease",
            toxic_cause: "",
            active: "yes",
            palliative: None,
            place: "unknown",
            opioids: "unknown",
        });
    }

    /// Writes remission, events, contacts and death.
    pub(super) fn write_outcome(&mut self, draft: &Draft, world: &World<'_>, rng: &mut StdRng) {
        let remission = draft
            .start
            .filter(|_| !draft.palliative && self.found.behaviour == "3")
            .map(|start| plus(start, self.cancer.regimen.remission_days(draft.planned_days) + between(rng, 0, 8)));
        let watched = self.watched_until(draft, world);
        match draft.death.filter(|(date, _)| *date <= watched) {
            Some((date, early)) => self.die(date, early, remission, draft, world, rng),
            None => self.live(remission.filter(|date| *date < watched), watched, draft, world, rng),
        }
        if let Some(abandonment) = draft.abandonment {
            self.events.push(Event { abandonment: Some(abandonment), ..event("abandonment", abandonment.date, "") });
        }
        self.events.sort_by_key(|event| event.date);
        self.contact(draft, world, watched, rng);
        if draft.loss.is_none() && draft.abandonment.is_none() && self.death.is_none() {
            self.second_cancer(world, rng);
        }
    }

    /// The last day on which something may be known.
    fn watched_until(&self, draft: &Draft, world: &World<'_>) -> NaiveDate {
        match (draft.loss, draft.abandonment) {
            (Some((_, date)), _) => date,
            (None, Some(abandonment)) if abandonment.returned.is_none() => {
                // of every other child who did not come back nothing more is heard
                if self.id.bytes().last().is_some_and(|digit| digit % 2 == 0) {
                    abandonment.date
                } else {
                    world.extract
                }
            }
            _ => world.extract,
        }
    }

    fn die(
        &mut self,
        date: NaiveDate,
        early: bool,
        remission: Option<NaiveDate>,
        draft: &Draft,
        world: &World<'_>,
        rng: &mut StdRng,
    ) {
        let left = draft.abandonment.is_some();
        let on_treatment = draft.start.is_some_and(|start| start < date && date < plus(start, draft.planned_days + 30));
        let toxic = match (early, on_treatment) {
            (_, false) => 0.02,
            (true, true) => 0.55,
            (false, true) if world.country.high_income_mix => 0.2,
            (false, true) => 0.3,
        };
        let cause = if left || draft.palliative {
            "disease"
        } else {
            code(
                rng,
                &[("treatment_related", toxic), ("disease", 1.0 - toxic), ("unrelated", 0.025), ("unknown", 0.02)],
            )
        };
        let remission = remission.filter(|remission| *remission < date && !left);
        let mut palliative = None;
        if cause == "disease" && !left && !draft.palliative {
            match remission {
                Some(remission) if days(remission, date) > 30 => {
                    self.remission = Some(remission);
                    let relapse = plus(remission, between(rng, 5, days(remission, date) - 8));
                    self.events.push(event("relapse", relapse, self.relapse_site(rng)));
                    self.treat_again(relapse, draft, world, rng);
                    palliative = chance(rng, 0.55).then(|| plus(relapse, between(rng, 0, days(relapse, date))));
                }
                _ => self.progress(date, early, draft, world, rng),
            }
        } else if !left {
            self.remission = remission;
        }
        if draft.palliative {
            palliative = Some(plus(self.diagnosis, between(rng, 0, days(self.diagnosis, date).min(40))));
        }
        let toxic_cause = if cause == "treatment_related" {
            code(
                rng,
                &[
                    ("infection", 0.62),
                    ("haemorrhage", 0.14),
                    ("respiratory", 0.08),
                    ("tumour_lysis", 0.04),
                    ("cardiac", 0.05),
                    ("other", 0.07),
                ],
            )
        } else {
            ""
        };
        let place = match (cause, palliative) {
            ("treatment_related", _) => code(rng, &[("PICU", 0.6), ("ward", 0.4)]),
            (_, Some(_)) => {
                code(rng, &[("home", 0.45), ("ward", 0.3), ("hospice", 0.15), ("PICU", 0.05), ("unknown", 0.05)])
            }
            _ => code(rng, &[("home", 0.2), ("ward", 0.4), ("PICU", 0.25), ("unknown", 0.15)]),
        };
        self.events.push(event("death", date, ""));
        self.death = Some(Death {
            date,
            cause,
            toxic_cause,
            active: if cause == "disease" { "yes" } else { "no" },
            palliative,
            place,
            opioids: if palliative.is_some() {
                code(rng, &[("yes", 0.7), ("no", 0.15), ("unknown", 0.15)])
            } else {
                ""
            },
        });
    }

    /// Growth without remission.
    fn progress(&mut self, date: NaiveDate, early: bool, draft: &Draft, world: &World<'_>, rng: &mut StdRng) {
        let Some(start) = draft.start.filter(|start| !early && days(*start, date) > 12) else { return };
        let failure = plus(start, 35);
        if self.cancer.regimen.has_induction() && failure < plus(date, -5) && chance(rng, 0.5) {
            self.events.push(event("induction_failure", failure, ""));
            self.treat_again(failure, draft, world, rng);
        } else {
            let progression = plus(start, between(rng, 5, days(start, date) - 3));
            self.events.push(event("progression", progression, "local"));
            self.treat_again(progression, draft, world, rng);
        }
    }

    fn live(
        &mut self,
        remission: Option<NaiveDate>,
        watched: NaiveDate,
        draft: &Draft,
        world: &World<'_>,
        rng: &mut StdRng,
    ) {
        let Some(remission) = remission.filter(|_| draft.abandonment.is_none() && chance(rng, 0.96)) else { return };
        self.remission = Some(remission);
        let relapse = plus(remission, between(rng, 60, 1100));
        if draft.loss.is_none() && days(relapse, watched) > 30 && chance(rng, 0.07) {
            self.events.push(event("relapse", relapse, self.relapse_site(rng)));
            self.treat_again(relapse, draft, world, rng);
        }
    }

    fn relapse_site(&self, rng: &mut StdRng) -> &'static str {
        if self.cancer.iccc.starts_with("I(") {
            let testis = if self.boy { 0.07 } else { 0.0 };
            code(
                rng,
                &[
                    ("marrow", 0.63),
                    ("CNS", 0.15),
                    ("marrow;CNS", 0.1),
                    ("testis", testis),
                    ("marrow;testis", testis / 2.0),
                ],
            )
        } else {
            code(rng, &[("local", 0.5), ("distant", 0.35), ("local;distant", 0.15)])
        }
    }

    fn contact(&mut self, draft: &Draft, world: &World<'_>, watched: NaiveDate, rng: &mut StdRng) {
        let latest = self
            .courses
            .iter()
            .map(|course| course.end.unwrap_or(course.start))
            .chain(self.events.iter().map(|event| event.date))
            .chain(self.remission)
            .chain(self.registered_contact())
            .max()
            .unwrap_or(self.diagnosis)
            .max(plus(self.diagnosis, 1));
        let treated_now = self.courses.iter().any(|course| course.end.is_none());
        let last = match (&self.death, draft.loss, draft.abandonment) {
            (Some(death), ..) => {
                let status = match (draft.abandonment, death.palliative) {
                    (Some(abandonment), _) if abandonment.returned.is_none() => "abandoned",
                    (_, Some(_)) => "palliative",
                    _ if self.courses.iter().any(|course| course.reason == "death") => "on_treatment",
                    _ => "off_therapy",
                };
                let source = code(rng, &[("visit", 0.55), ("civil_registry", 0.35), ("phone", 0.1)]);
                Contact { date: death.date, vital: "0", source, status }
            }
            (None, Some((loss, date)), _) => {
                let (status, vital) = match loss {
                    Loss::Transferred => ("transferred_confirmed", "1"),
                    Loss::Lost => ("lost_after_therapy", code(rng, &[("1", 0.6), ("9", 0.4)])),
                };
                Contact { date: date.max(latest), vital, source: "visit", status }
            }
            (None, None, Some(abandonment)) if abandonment.returned.is_none() => {
                let date = if watched > abandonment.date {
                    let last = draft.death.map_or(world.extract, |(date, _)| plus(date, -1));
                    plus(abandonment.date, between(rng, 29, days(abandonment.date, last).min(500)))
                } else {
                    abandonment.date
                };
                Contact { date: date.max(plus(self.diagnosis, 1)), vital: "1", source: "phone", status: "abandoned" }
            }
            _ => {
                let (most, status) =
                    if treated_now || self.courses.is_empty() { (40, "on_treatment") } else { (620, "off_therapy") };
                let status = if draft.palliative { "palliative" } else { status };
                let date = plus(world.extract, -between(rng, 0, most)).max(latest).min(world.extract);
                Contact { date, vital: "1", source: code(rng, &[("visit", 0.85), ("phone", 0.15)]), status }
            }
        };
        self.earlier_contacts(last.date, draft, rng);
        self.contacts.push(last);
    }

    fn registered_contact(&self) -> Option<NaiveDate> {
        self.path.map(|_| self.diagnosis)
    }

    /// One contact in some years, none within four weeks of an abandonment.
    fn earlier_contacts(&mut self, last: NaiveDate, draft: &Draft, rng: &mut StdRng) {
        for year in 1..=3 {
            let date = plus(self.diagnosis, 365 * year + between(rng, 0, 40));
            let missing = draft.abandonment.is_some_and(|abandonment| {
                let until = abandonment.returned.unwrap_or(last);
                abandonment.date <= date && date <= until.max(plus(abandonment.date, 29))
            });
            if days(date, last) > 20 && !missing && chance(rng, 0.45) {
                let treated =
                    self.courses.iter().any(|course| course.start <= date && course.end.is_none_or(|end| date < end));
                let status = if treated { "on_treatment" } else { "off_therapy" };
                self.contacts.push(Contact { date, vital: "1", source: "visit", status });
            }
        }
    }

    /// Osteosarcoma after retinoblastoma, thyroid carcinoma after Hodgkin lymphoma.
    fn second_cancer(&mut self, world: &World<'_>, rng: &mut StdRng) {
        let (name, least_age) = match self.cancer.name {
            "retinoblastoma" => ("osteosarcoma", 6),
            "hodgkin" => ("thyroid_carcinoma", 6),
            _ => return,
        };
        if !chance(rng, 0.06)
            || self.courses.iter().any(|course| course.end.is_none())
            || self.events.iter().any(|event| event.kind != "relapse")
        {
            return;
        }
        let first = plus(self.diagnosis, 1000).max(plus(self.birth, least_age * 366));
        let last = world.last_diagnosis.min(plus(self.last_contact(), -40));
        let done = self.courses.iter().filter_map(|course| course.end).max().unwrap_or(first);
        let first = first.max(plus(done, 30));
        if days(first, last) < 10 {
            return;
        }
        let diagnosis = plus(first, between(rng, 0, days(first, last)));
        let Some(cancer) = children().into_iter().find(|cancer: &&Cancer| cancer.name == name) else { return };
        if age(self.birth, diagnosis) > 19 {
            return;
        }
        let found = find(cancer, days(self.birth, diagnosis), Known::Microscope, world.country.high_income_mix, rng);
        let surgery = plus(diagnosis, between(rng, 5, 30));
        self.events.push(event("second_malignancy", diagnosis, ""));
        self.second = Some(Second { cancer, diagnosis, surgery, found });
    }
}

fn event(kind: &'static str, date: NaiveDate, site: &'static str) -> Event {
    Event { kind, date, site, abandonment: None }
}

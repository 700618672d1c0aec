//! What is planned, when it stops, and the courses that result.

use chrono::NaiveDate;
use rand::rngs::StdRng;

use super::{Abandonment, Course, Draft, Loss, Story, World};
use crate::{
    draw::{between, chance, code, days, plus, waiting},
    regimen::{Regimen, Step},
};

/// Why a series of courses ends early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    Extract,
    Death,
    Abandonment(&'static str),
    Moved,
}

const REASONS: &[(&str, f64)] = &[
    ("financial", 0.26),
    ("distance", 0.2),
    ("belief", 0.14),
    ("toxicity_fear", 0.1),
    ("perceived_cure", 0.08),
    ("family", 0.1),
    ("migration", 0.04),
    ("service", 0.03),
    ("unknown", 0.05),
];

impl Story {
    /// Decides what will happen.
    pub(super) fn draft(&mut self, world: &World<'_>, rng: &mut StdRng) -> Draft {
        let high_income = world.country.high_income_mix;
        let death = world
            .odds
            .death(self.cancer, self.found.metastatic, rng)
            .map(|(after, early)| (plus(self.diagnosis, after), early))
            .filter(|(date, _)| *date <= world.extract);
        let palliative = (self.cancer.regimen == Regimen::BrainStem && chance(rng, 0.5))
            || (self.found.metastatic && self.cancer.survival < 0.6 && chance(rng, 0.06));
        let median = self.cancer.regimen.start_days() * if high_income { 1.0 } else { 1.4 };
        let mut start = Some(plus(self.diagnosis, waiting(rng, median, 70)));
        if let Some((date, _)) = death
            && start >= Some(date)
        {
            let left = days(self.diagnosis, date);
            start = (left >= 3 && chance(rng, 0.6)).then(|| plus(self.diagnosis, between(rng, 0, left - 2)));
        }
        start = start.filter(|start| *start < plus(world.extract, -1));
        let steps = self.cancer.regimen.steps(self.patient(high_income), rng);
        let planned_days = steps.iter().map(|step| step.start + step.length).max().unwrap_or(0);
        let mut draft = Draft { start, palliative, abandonment: None, loss: None, death, planned_days };
        self.abandon(&mut draft, &steps, world, rng);
        self.lose(&mut draft, world, rng);
        self.lay(&draft, &steps, world);
        draft
    }

    fn abandon(&self, draft: &mut Draft, steps: &[Step], world: &World<'_>, rng: &mut StdRng) {
        let share = world.country.abandonment_percent / 100.0;
        let Some(start) = draft.start.filter(|_| !draft.palliative && self.found.behaviour == "3") else { return };
        let latest = draft.death.map_or(world.extract, |(date, _)| date);
        let reason = code(rng, REASONS);
        let never = chance(rng, share * 0.25);
        let date = if never {
            plus(self.diagnosis, between(rng, 3, 25))
        } else if chance(rng, share * 1.25) && draft.planned_days >= 60 {
            let wanted = between(rng, 5, draft.planned_days - 2);
            // between two courses the last attended day is the end of the earlier one
            let inside = steps.iter().any(|step| step.start <= wanted && wanted < step.start + step.length);
            let before = steps.iter().map(|step| step.start + step.length).filter(|end| *end <= wanted).max();
            match (inside, before) {
                (true, _) => plus(start, wanted),
                (false, Some(end)) => plus(start, end),
                (false, None) => return,
            }
        } else {
            return;
        };
        if days(date, latest) < 40 {
            return;
        }
        let back = plus(date, between(rng, 29, 160));
        let returned = (chance(rng, 0.3) && days(back, latest) > 20).then_some(back);
        let kind = if never { "never_started" } else { "interrupted" };
        draft.abandonment = Some(Abandonment { kind, date, reason, returned });
        if never {
            draft.start = returned;
        }
    }

    /// Losses after treatment and transfers strike patients who are not known to die.
    fn lose(&self, draft: &mut Draft, world: &World<'_>, rng: &mut StdRng) {
        let Some(start) = draft.start else { return };
        if draft.death.is_some() || draft.abandonment.is_some() {
            return;
        }
        let end = plus(start, draft.planned_days);
        let (lost, moved) = if world.country.high_income_mix { (0.03, 0.01) } else { (0.09, 0.02) };
        if chance(rng, moved) && days(start, world.extract) > 60 {
            let date = plus(start, between(rng, 20, (draft.planned_days + 200).min(days(start, world.extract) - 5)));
            draft.loss = Some((Loss::Transferred, date));
        } else if chance(rng, lost) && days(end, world.extract) > 120 {
            let date = plus(end, between(rng, 60, 900.min(days(end, world.extract) - 30)));
            draft.loss = Some((Loss::Lost, date));
        }
    }

    /// Writes the courses of first treatment that take place.
    fn lay(&mut self, draft: &Draft, steps: &[Step], world: &World<'_>) {
        let Some(start) = draft.start else { return };
        let interrupted = draft.abandonment.filter(|abandonment| abandonment.kind == "interrupted");
        let mut stop = (world.extract, Stop::Extract);
        let mut consider = |date: NaiveDate, why: Stop| {
            if date < stop.0 {
                stop = (date, why);
            }
        };
        if let Some((date, _)) = draft.death {
            consider(date, Stop::Death);
        }
        if let Some((Loss::Transferred, date)) = draft.loss {
            consider(date, Stop::Moved);
        }
        if let Some(abandonment) = interrupted {
            consider(abandonment.date, Stop::Abandonment(abandonment.reason));
        }
        let intent = if draft.palliative { "palliative" } else { "curative" };
        self.courses = steps.iter().filter_map(|step| course(step, intent, start, stop, draft, world)).collect();
        if let Some(abandonment) = interrupted {
            self.mark(&abandonment);
        }
    }

    /// The course that was left carries the last attended day; no planned end lies before it.
    fn mark(&mut self, abandonment: &Abandonment) {
        if let Some(last) = self.courses.iter_mut().rfind(|course| course.end == Some(abandonment.date)) {
            last.last_attended = Some(abandonment.date);
        }
        if self.courses.iter().filter_map(|course| course.planned).max() < Some(abandonment.date) {
            for course in &mut self.courses {
                course.planned = None;
            }
        }
    }

    /// What follows a return after abandonment.
    pub(super) fn write_courses(&mut self, draft: &Draft, world: &World<'_>, rng: &mut StdRng) {
        let Some(Abandonment { kind: "interrupted", returned: Some(back), .. }) = draft.abandonment else { return };
        let length = between(rng, 60, 150);
        let step = Step { modality: "chemotherapy", phase: "other", start: 0, length, doses: &[] };
        let stop = match draft.death {
            Some((date, _)) => (date, Stop::Death),
            None => (world.extract, Stop::Extract),
        };
        self.courses.extend(course(&step, "curative", back, stop, draft, world));
    }

    /// Cuts what was planned after a relapse or progression and adds what follows it.
    pub(super) fn treat_again(&mut self, failure: NaiveDate, draft: &Draft, world: &World<'_>, rng: &mut StdRng) {
        self.courses.retain(|course| course.start < failure);
        for course in self.courses.iter_mut().filter(|course| course.end.is_none_or(|end| end > failure)) {
            course.end = Some(failure);
            course.reason = "no_response";
        }
        let latest = draft.death.map_or(world.extract, |(date, _)| date);
        let start = plus(failure, between(rng, 5, 30));
        if days(start, latest) < 5 {
            return;
        }
        let stop = if draft.death.is_some() { (latest, Stop::Death) } else { (latest, Stop::Extract) };
        let intent = if draft.death.is_none() || chance(rng, 0.55) { "curative" } else { "palliative" };
        let step = Step { modality: "chemotherapy", phase: "reinduction", start: 0, length: 110, doses: &[] };
        self.courses.extend(course(&step, intent, start, stop, draft, world));
        if self.cancer.iccc.starts_with("I(") && intent == "curative" && chance(rng, 0.3) {
            let step = Step { modality: "transplant", phase: "", start: 125, length: 30, doses: &[] };
            self.courses.extend(course(&step, intent, start, stop, draft, world));
        }
    }
}

fn course(
    step: &Step,
    intent: &'static str,
    from: NaiveDate,
    (last, why): (NaiveDate, Stop),
    draft: &Draft,
    world: &World<'_>,
) -> Option<Course> {
    let start = plus(from, step.start);
    let planned = plus(from, step.start + step.length);
    if start > last || (start == last && step.length > 0) {
        return None;
    }
    let (end, reason) = match why {
        _ if planned <= last => (Some(planned), "completed"),
        Stop::Extract => (None, ""),
        Stop::Death => (Some(last), "death"),
        Stop::Moved => (Some(last), "moved"),
        Stop::Abandonment("financial") => (Some(last), "financial"),
        Stop::Abandonment("belief" | "toxicity_fear") => (Some(last), "refusal"),
        Stop::Abandonment("migration") => (Some(last), "moved"),
        Stop::Abandonment(_) => (Some(last), "non_adherence"),
    };
    // no date lies after the extract or after death, planned ones included
    let known = draft.death.map_or(world.extract, |(date, _)| date);
    Some(Course {
        intent,
        modality: step.modality,
        phase: step.phase,
        doses: step.doses,
        start,
        end,
        planned: Some(planned).filter(|planned| *planned <= known),
        last_attended: None,
        reason,
    })
}

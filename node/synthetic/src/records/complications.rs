//! Rows of `febrile_episode`, `deterioration` and `ward_month`.

use chrono::{Datelike, Months, NaiveDate, NaiveDateTime, TimeDelta};
use rand::{Rng, rngs::StdRng};

use super::facilities::Hospital;
use crate::{
    Plan, Registry,
    countries::Country,
    draw::{between, chance, code, days, new_year, normal, number, plus, shuffle, stamp, time},
    mix::Known,
    reference,
    story::{Death, Story},
};

const ANTIBIOTICS: &[(&str, f64)] =
    &[("J01DE01", 0.42), ("J01CR05", 0.3), ("J01DD02", 0.1), ("J01DH02", 0.13), ("J01GB06", 0.05)];

/// Writes complications, and the census of the wards that fits the number of deteriorations.
pub(crate) fn write(
    registry: &mut Registry,
    stories: &[Story],
    hospitals: &[Hospital],
    country: &Country,
    plan: &Plan,
    rng: &mut StdRng,
) {
    let mut ward = Ward { registry, hospitals, country, plan, records: vec![0; stories.len()] };
    for (index, story) in stories.iter().enumerate() {
        ward.fevers(index, story, rng);
    }
    let events = ward.deteriorations(stories, rng);
    ward.census(events, stories.len(), rng);
}

struct Ward<'w> {
    registry: &'w mut Registry,
    hospitals: &'w [Hospital],
    country: &'w Country,
    plan: &'w Plan,
    /// Records of deterioration of each patient so far.
    records: Vec<usize>,
}

impl Ward<'_> {
    /// Febrile episodes in the courses of chemotherapy; none outside them.
    fn fevers(&mut self, index: usize, story: &Story, rng: &mut StdRng) {
        let mut number = 0;
        let courses: Vec<_> = story.chemotherapy().map(|(course, end)| (course.phase, course.start, end)).collect();
        for (phase, start, end) in courses {
            let daily = match phase {
                "induction" | "reinduction" => 0.009,
                "maintenance" => 0.0006,
                _ => 0.003,
            };
            let span = days(start, end);
            if span < 6 || number >= 4 || !chance(rng, (daily * span as f64).min(0.85)) {
                continue;
            }
            number += 1;
            let date = plus(start, between(rng, 2, span - 2));
            self.fever(index, story, number, date, false, rng);
        }
        if let Some(date) = fatal_infection(story, number > 0, rng) {
            self.fever(index, story, number + 1, date, true, rng);
        }
    }

    fn fever(&mut self, index: usize, story: &Story, number_of: usize, date: NaiveDate, fatal: bool, rng: &mut StdRng) {
        let inpatient = chance(rng, 0.45);
        let clock = time(date, between(rng, 30, 1300));
        let outcome = if fatal {
            "death"
        } else {
            code(rng, &[("resolved", 0.86), ("sepsis", 0.085), ("septic_shock", 0.03), ("PICU", 0.025)])
        };
        let warm = chance(rng, 0.85);
        let temperature = if warm { rng.random_range(38.3..40.4) } else { rng.random_range(38.0..38.25) };
        let sustained = if !warm || chance(rng, 0.5) { "yes" } else { "no" };
        let low = chance(rng, 0.85);
        let neutrophils: i64 = if low { between(rng, 0, 480) } else { between(rng, 500, 1400) };
        let year = f64::from(date.year() - self.plan.years.start()).max(0.0);
        let median = (self.country.antibiotic_minutes * 0.95_f64.powf(year)).max(28.0);
        let wait = ((median * (0.55 * normal(rng)).exp()) as i64).clamp(5, 700);
        let seen = clock + TimeDelta::minutes(between(rng, 2, wait.min(40)));
        let mut cells = vec![
            ("patient_id", story.id.clone()),
            ("episode_no", number_of.to_string()),
            ("facility_id", self.hospitals[story.facility].id.clone()),
            ("setting", if inpatient { "inpatient" } else { "arrival" }.to_owned()),
            ("temperature_c", number(temperature, 1)),
            ("sustained_one_hour", sustained.to_owned()),
            ("anc_per_ul", neutrophils.to_string()),
            ("anc_fall_expected", if low { "unknown" } else { "yes" }.to_owned()),
            ("first_contact_at", stamp(seen)),
            ("outcome", outcome.to_owned()),
        ];
        if inpatient {
            cells.push(("fever_at", stamp(clock)));
        } else {
            cells.push(("arrival_at", stamp(clock)));
            cells.push(("fever_at", stamp(clock - TimeDelta::minutes(between(rng, 60, 600)))));
        }
        if chance(rng, 0.97) {
            cells.push(("antibiotic_at", stamp(clock + TimeDelta::minutes(wait))));
            cells.push(("antibiotic_atc", code(rng, ANTIBIOTICS).to_owned()));
        }
        if chance(rng, 0.2) {
            let organism = [
                "Escherichia coli",
                "Klebsiella pneumoniae",
                "Pseudomonas aeruginosa",
                "Staphylococcus aureus",
                "Viridans streptococci",
            ];
            cells.push(("organism", organism[rng.random_range(0..organism.len())].to_owned()));
        }
        self.registry.add("febrile_episode", &cells);
        let severe = outcome != "resolved";
        if inpatient && (severe || chance(rng, 0.4)) {
            self.assess(index, story, clock - TimeDelta::minutes(between(rng, 60, 600)), severe, rng);
        }
    }

    /// An early-warning assessment; a red score is reviewed within two hours, mostly.
    fn assess(&mut self, index: usize, story: &Story, at: NaiveDateTime, severe: bool, rng: &mut StdRng) {
        let most = if severe { 3 } else { 1 };
        let mut scores = [0_i64; 5];
        for (position, score) in scores.iter_mut().enumerate() {
            let most = if position < 3 { most } else { 1 };
            *score = if chance(rng, if severe { 0.75 } else { 0.3 }) { between(rng, 1, most) } else { 0 };
        }
        let total: i64 = scores.iter().sum();
        let reviewed = (total >= 5 && chance(rng, 0.9)).then(|| stamp(at + TimeDelta::minutes(between(rng, 5, 55))));
        self.records[index] += 1;
        let mut cells = self.record(index, story, "assessment", at);
        cells.extend([
            ("instrument", self.country.instrument.to_owned()),
            ("instrument_version", "1".to_owned()),
            ("score_neurological", scores[0].to_string()),
            ("score_cardiovascular", scores[1].to_string()),
            ("score_respiratory", scores[2].to_string()),
            ("score_staff_concern", scores[3].to_string()),
            ("score_family_concern", scores[4].to_string()),
            ("score_total", total.to_string()),
            ("reviewed_at", reviewed.unwrap_or_default()),
        ]);
        self.registry.add("deterioration", &cells);
    }

    fn record(&self, index: usize, story: &Story, kind: &str, at: NaiveDateTime) -> Vec<(&'static str, String)> {
        vec![
            ("patient_id", story.id.clone()),
            ("record_no", self.records[index].to_string()),
            ("record_kind", kind.to_owned()),
            ("at", stamp(at)),
            ("facility_id", self.hospitals[story.facility].id.clone()),
            ("ward", "ONC-1".to_owned()),
        ]
    }

    /// Clinical deterioration events; their mortality is the published one. Returns how many.
    fn deteriorations(&mut self, stories: &[Story], rng: &mut StdRng) -> usize {
        let mortality = reference::value("LATAM", "cde_mortality_percent", "all").unwrap_or(32.9) / 100.0;
        let fatal: Vec<usize> = (0..stories.len())
            .filter(|index| {
                let story = &stories[*index];
                story.death.is_some_and(|death| !death.toxic_cause.is_empty() && matches!(death.place, "PICU" | "ward"))
                    && !story.courses.is_empty()
                    && chance(rng, 0.6)
            })
            .collect();
        let wanted = (fatal.len() as f64 * (1.0 - mortality) / mortality).round() as usize;
        let mut others: Vec<usize> =
            (0..stories.len()).filter(|index| !fatal.contains(index) && stay(&stories[*index]).is_some()).collect();
        shuffle(rng, &mut others);
        others.truncate(wanted);
        for index in &fatal {
            let story = &stories[*index];
            if let Some(Death { date, place, .. }) = story.death {
                let kind = if place == "PICU" {
                    "unplanned_transfer"
                } else {
                    code(rng, &[("ward_death", 0.5), ("ward_arrest", 0.3), ("icu_intervention_on_ward", 0.2)])
                };
                self.deteriorate(*index, story, time(date, between(rng, 700, 1400)), kind, "death", rng);
            }
        }
        for index in &others {
            let story = &stories[*index];
            if let Some((start, end)) = stay(story) {
                let date = plus(start, between(rng, 2, days(start, end) - 2));
                let kind = code(
                    rng,
                    &[("unplanned_transfer", 0.75), ("icu_intervention_on_ward", 0.21), ("ward_arrest", 0.04)],
                );
                let outcome = code(rng, &[("recovered", 0.75), ("transferred", 0.22), ("unknown", 0.03)]);
                self.deteriorate(*index, story, time(date, between(rng, 30, 1400)), kind, outcome, rng);
            }
        }
        fatal.len() + others.len()
    }

    fn deteriorate(
        &mut self,
        index: usize,
        story: &Story,
        at: NaiveDateTime,
        kind: &str,
        outcome: &str,
        rng: &mut StdRng,
    ) {
        self.assess(index, story, at - TimeDelta::minutes(between(rng, 90, 600)), true, rng);
        self.records[index] += 1;
        let mut cells = self.record(index, story, "event", at);
        cells.extend([
            ("cde_kind", kind.to_owned()),
            ("escalation_limits", "no".to_owned()),
            ("outcome", outcome.to_owned()),
        ]);
        self.registry.add("deterioration", &cells);
    }

    /// Inpatient-days by ward and month, so many that the events have the published rate.
    fn census(&mut self, events: usize, patients: usize, rng: &mut StdRng) {
        let rate = reference::value("LATAM", "cde_per_1000_inpatient_days", "all").unwrap_or(4.63);
        let all = if events > 0 { events as f64 * 1000.0 / rate } else { patients as f64 * 15.0 };
        let wards: Vec<(&str, &str)> = self
            .hospitals
            .iter()
            .flat_map(|hospital| {
                let wards: &[&str] = match hospital.level {
                    "oncocrean_or_equivalent" => &["ONC-1", "ONC-2"],
                    "tertiary" => &["ONC-1"],
                    _ => &[],
                };
                wards.iter().map(|ward| (hospital.id.as_str(), *ward))
            })
            .collect();
        let months = months(self.plan);
        let shares: Vec<f64> = (0..months.len() * wards.len()).map(|_| rng.random_range(0.7..1.3)).collect();
        let total: f64 = shares.iter().sum();
        let mut carry = 0.5;
        let mut shares = shares.into_iter();
        for (facility, ward) in wards {
            for month in &months {
                let exact = all * shares.next().unwrap_or(0.0) / total + carry;
                carry = exact.fract();
                let days = exact as i64;
                let due = days * 6;
                let done = (due as f64 * rng.random_range(0.82..0.99)) as i64;
                self.registry.add(
                    "ward_month",
                    &[
                        ("facility_id", facility.to_owned()),
                        ("ward", ward.to_owned()),
                        ("month", month.clone()),
                        ("inpatient_days", days.to_string()),
                        ("assessments_due", due.to_string()),
                        ("assessments_done", done.to_string()),
                    ],
                );
            }
        }
    }
}

/// The longest course of chemotherapy, where it is long enough for a stay in hospital.
fn stay(story: &Story) -> Option<(NaiveDate, NaiveDate)> {
    story
        .chemotherapy()
        .map(|(course, end)| (course.start, end))
        .max_by_key(|(start, end)| days(*start, *end))
        .filter(|(start, end)| days(*start, *end) >= 10)
}

/// The last fever of a child who died of an infection: it begins in the days before, inside treatment.
fn fatal_infection(story: &Story, before: bool, rng: &mut StdRng) -> Option<NaiveDate> {
    let death = story.death.filter(|death| death.toxic_cause == "infection" && story.known != Known::Certificate)?;
    let date = plus(death.date, -between(rng, 1, 3));
    let first = story.courses.first()?.start;
    (date > plus(first, 1) && (before || chance(rng, 0.8))).then_some(date)
}

/// The months from the first year of the plan on that are over at the extract, as the dictionary writes them.
fn months(plan: &Plan) -> Vec<String> {
    let first = new_year(*plan.years.start());
    let mut months = Vec::new();
    for month in 0.. {
        let (begin, next) =
            (first.checked_add_months(Months::new(month)), first.checked_add_months(Months::new(month + 1)));
        match (begin, next) {
            (Some(begin), Some(next)) if next <= plan.extract => months.push(begin.format("%Y-%m").to_string()),
            _ => break,
        }
    }
    months
}

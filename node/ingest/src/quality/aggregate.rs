//! Measures of the registry as a whole, by year of diagnosis and over all years, against which rules and references are held.
//!
//! Jensen et al., Cancer Registration: Principles and Methods (IARC 1991), chapters 9 and 11; Segi's world standard population as
//! modified by Doll (1960), weights 12,000, 10,000 and 9,000 at 0-4, 5-9 and 10-14.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;

use super::rule::{AggregateBounds, Measure, Per};
use crate::case::{Case, Cases};

/// A measure over a year or over all years.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Measured {
    /// What was measured.
    pub measure: Measure,
    /// The year, or `period`.
    pub over: String,
    /// Numerator.
    pub numerator: f64,
    /// Denominator: cases, or person-years.
    pub denominator: f64,
    /// The measure; `None` where the denominator is nothing.
    pub value: Option<f64>,
    /// Cases that lack what the measure needs.
    pub missing: u64,
}

/// The name of all years together.
pub const PERIOD: &str = "period";

/// Weights of the world standard population at ages 0-4, 5-9, 10-14.
const WORLD: [f64; 3] = [12_000.0, 10_000.0, 9_000.0];

/// Counts of one year, or of all.
#[derive(Debug, Clone, Default)]
struct Tally {
    cases: u64,
    verified: u64,
    known_basis: u64,
    certificate_only: u64,
    boys: u64,
    girls: u64,
    deaths: u64,
    /// Cases at 0-4, 5-9, 10-14.
    children: [u64; 3],
    /// Of these, ICCC-3 groups I, II and III.
    groups: [[u64; 3]; 3],
    without_age: u64,
}

impl Tally {
    /// Counts a case of the alliance's extract; ages of 20 and over are outside every denominator.
    fn add(&mut self, case: &Case<'_>) {
        if case.facts.age_band == Some("20+") {
            return;
        }
        self.cases += 1;
        match case.tumour.value("basis") {
            "5" | "6" | "7" | "8" => (self.verified, self.known_basis) = (self.verified + 1, self.known_basis + 1),
            "0" => {
                (self.certificate_only, self.known_basis) = (self.certificate_only + 1, self.known_basis + 1);
            }
            "1" | "2" | "4" => self.known_basis += 1,
            _ => {}
        }
        match case.patient.value("sex") {
            "1" => self.boys += 1,
            "2" => self.girls += 1,
            _ => {}
        }
        let age = match case.facts.age_band {
            Some("0" | "1-4") => 0,
            Some("5-9") => 1,
            Some("10-14") => 2,
            Some(_) => return,
            None => {
                self.without_age += 1;
                return;
            }
        };
        self.children[age] += 1;
        if let Some(group) = ["I", "II", "III"].iter().position(|group| *group == case.facts.classified.group()) {
            self.groups[group][age] += 1;
        }
    }

    fn measures(&self, over: &str, person_years: Option<&[f64; 3]>) -> Vec<Measured> {
        let ratio = |measure, numerator: u64, denominator: u64, times: f64, missing: u64| {
            // counts of a registry are exact in a float
            let (numerator, denominator) = (numerator as f64, denominator as f64);
            let value = (denominator > 0.0).then(|| times * numerator / denominator);
            Measured { measure, over: over.to_owned(), numerator, denominator, value, missing }
        };
        let children = self.children.iter().sum();
        let mut measures = vec![
            ratio(
                Measure::MicroscopicVerificationPercent,
                self.verified,
                self.known_basis,
                100.0,
                self.cases - self.known_basis,
            ),
            ratio(Measure::DeathCertificateOnlyPercent, self.certificate_only, self.cases, 100.0, 0),
            ratio(Measure::MaleFemaleRatio, self.boys, self.girls, 1.0, self.cases - self.boys - self.girls),
            ratio(Measure::MortalityIncidenceRatio, self.deaths, self.cases, 1.0, 0),
            ratio(Measure::LeukaemiaSharePercent, self.groups[0].iter().sum(), children, 100.0, self.without_age),
        ];
        if let Some(person_years) = person_years {
            let rates = [
                (Measure::IncidencePerMillion, &self.children),
                (Measure::LeukaemiaPerMillion, &self.groups[0]),
                (Measure::LymphomaPerMillion, &self.groups[1]),
                (Measure::CnsPerMillion, &self.groups[2]),
            ];
            measures.extend(rates.map(|(measure, cases)| Measured {
                measure,
                over: over.to_owned(),
                numerator: cases.iter().sum::<u64>() as f64,
                denominator: person_years.iter().sum(),
                value: standardised(cases, person_years),
                missing: self.without_age,
            }));
        }
        measures
    }
}

/// Cases per million person-years, each age weighted as in the world standard population; `None` where an age has no person-years.
fn standardised(cases: &[u64; 3], person_years: &[f64; 3]) -> Option<f64> {
    if person_years.iter().any(|years| *years <= 0.0) {
        return None;
    }
    let rate = |at: usize| 1e6 * cases[at] as f64 / person_years[at];
    Some((0..3).map(|at| WORLD[at] * rate(at)).sum::<f64>() / WORLD.iter().sum::<f64>())
}

/// All measures, by year of diagnosis and over all years.
#[must_use]
pub fn measure(cases: &Cases<'_>) -> Vec<Measured> {
    let mut years: BTreeMap<i32, Tally> = BTreeMap::new();
    let mut all = Tally::default();
    for case in &cases.cases {
        all.add(case);
        if let Some(diagnosis) = case.facts.diagnosis {
            years.entry(diagnosis.year()).or_default().add(case);
        }
    }
    let counted: HashSet<&str> = cases
        .cases
        .iter()
        .filter(|case| case.facts.age_band != Some("20+"))
        .map(|case| case.patient.value("patient_id"))
        .collect();
    for (_, fate) in cases.fates.iter().filter(|(id, fate)| fate.dead && counted.contains(*id)) {
        all.deaths += 1;
        if let Some(tally) = fate.death.and_then(|death| years.get_mut(&death.year())) {
            tally.deaths += 1;
        }
    }
    let population = person_years(cases);
    let covered: Vec<i32> = population.keys().copied().collect();
    let mut measured = Vec::new();
    for (year, tally) in &years {
        measured.extend(tally.measures(&year.to_string(), population.get(year)));
    }
    // over all years the rate takes only those of which the population is known
    let mut sum = [0.0; 3];
    for years in population.values() {
        for (sum, years) in sum.iter_mut().zip(years) {
            *sum += years;
        }
    }
    let mut in_covered = Tally::default();
    for case in cases.cases.iter().filter(|case| case.facts.diagnosis.is_some_and(|d| covered.contains(&d.year()))) {
        in_covered.add(case);
    }
    measured.extend(all.measures(PERIOD, None));
    if !covered.is_empty() {
        let rate = in_covered.measures(PERIOD, Some(&sum));
        measured.extend(rate.into_iter().filter(|m| m.measure.is_rate()));
    }
    measured
}

/// Person-years of children by year, at 0-4, 5-9 and 10-14: the rows of the whole country where there are any, else the sum of the
/// regions.
fn person_years(cases: &Cases<'_>) -> BTreeMap<i32, [f64; 3]> {
    let mut whole: BTreeMap<i32, [f64; 3]> = BTreeMap::new();
    let mut regions: BTreeMap<i32, [f64; 3]> = BTreeMap::new();
    for row in cases.registry.rows("population") {
        let (Some(year), Some(years)) = (row.number::<i32>("year"), row.number::<f64>("person_years")) else {
            continue;
        };
        let at = match row.value("age_band") {
            "0" | "1-4" => 0,
            "5-9" => 1,
            "10-14" => 2,
            _ => continue,
        };
        let by_year = if row.value("region").ends_with("-ALL") { &mut whole } else { &mut regions };
        by_year.entry(year).or_default()[at] += years;
    }
    for (year, years) in regions {
        whole.entry(year).or_insert(years);
    }
    whole
}

/// On how much a measure rests: its denominator, or both parts of a ratio of the sexes.
fn size(measured: &Measured) -> f64 {
    match measured.measure {
        Measure::MaleFemaleRatio => measured.numerator + measured.denominator,
        _ => measured.denominator,
    }
}

/// The years, or the period, in which a measure lies outside its bounds.
#[must_use]
pub fn outside(bounds: &AggregateBounds, measured: &[Measured]) -> Vec<String> {
    let of_bounds = |m: &&Measured| m.measure == bounds.measure && (m.over == PERIOD) == (bounds.per == Per::Period);
    measured
        .iter()
        .filter(of_bounds)
        .filter(|m| size(m) >= bounds.least as f64)
        .filter(|m| {
            m.value.is_some_and(|value| {
                bounds.low.is_some_and(|low| value < low) || bounds.high.is_some_and(|high| value > high)
            })
        })
        .map(|m| m.over.clone())
        .collect()
}

//! Rules on records that may be the same: patients, tumours, second malignancies.

use std::collections::HashMap;

use crate::{
    case::{Case, Cases},
    derive::multiple_primary::{Tumour, same_primary},
    registry::Row,
};

/// Patients who share a national identity, or name, birth date and sex, with an earlier one.
#[must_use]
pub fn patients<'c>(cases: &Cases<'c>) -> Vec<Row<'c>> {
    let mut by_identity: HashMap<&str, usize> = HashMap::new();
    let mut by_name: HashMap<(&str, &str, &str), usize> = HashMap::new();
    cases
        .registry
        .rows("patient")
        .filter(|patient| {
            let known = patient
                .some("national_id")
                .is_some_and(|id| *by_identity.entry(id).or_insert(patient.index) != patient.index);
            let name = patient.some("full_name").map(|name| (name, patient.value("birth_date"), patient.value("sex")));
            let same = name.is_some_and(|name| *by_name.entry(name).or_insert(patient.index) != patient.index);
            known || same
        })
        .collect()
}

/// Each tumour with the earlier ones of its patient.
fn with_earlier<'a, 'c>(cases: &'a Cases<'c>) -> impl Iterator<Item = (&'a Case<'c>, &'a [Case<'c>])> {
    let all = cases.cases.as_slice();
    all.iter().enumerate().map(move |(at, case)| {
        let id = case.patient.value("patient_id");
        let first = all[..at].iter().rposition(|other| other.patient.value("patient_id") != id).map_or(0, |p| p + 1);
        (case, &all[first..at])
    })
}

/// Tumours of the same ICCC-3 group and site as an earlier one of the patient, within so many days.
#[must_use]
pub fn tumours<'c>(cases: &Cases<'c>, days: i64) -> Vec<Row<'c>> {
    let alike = |case: &Case<'c>, other: &Case<'c>| {
        let near = match (case.facts.diagnosis, other.facts.diagnosis) {
            (Some(one), Some(two)) => {
                one.day_bounds(&two).is_some_and(|(least, most)| least.abs().min(most.abs()) <= days)
            }
            _ => false,
        };
        near && case.facts.classified.group() == other.facts.classified.group()
            && case.tumour.value("topography") == other.tumour.value("topography")
    };
    let repeated = with_earlier(cases).filter(|(case, earlier)| earlier.iter().any(|other| alike(case, other)));
    repeated.map(|(case, _)| case.tumour).collect()
}

/// Tumours that the rules for multiple primaries count as one with an earlier one of the patient.
#[must_use]
pub fn same_primaries<'c>(cases: &Cases<'c>) -> Vec<Row<'c>> {
    fn tumour<'a>(case: &'a Case<'_>) -> Tumour<'a> {
        Tumour { topography: case.tumour.value("topography"), morphology: case.facts.morphology }
    }
    let same = |case: &Case<'c>, other: &Case<'c>| same_primary(&tumour(case), &tumour(other));
    let repeated = with_earlier(cases).filter(|(case, earlier)| earlier.iter().any(|other| same(case, other)));
    repeated.map(|(case, _)| case.tumour).collect()
}

/// Whether an event tells of a second malignancy that is no tumour of the patient's.
#[must_use]
pub fn second_malignancy_is_missing(cases: &Cases<'_>, event: &Row<'_>) -> bool {
    if event.value("event_type") != "second_malignancy" {
        return false;
    }
    let Some(case) = cases.case_of(event) else { return false };
    let sequence = |case: &Case<'_>| case.tumour.number::<u16>("tumour_seq");
    let later = |other: &&Case<'_>| sequence(other) > sequence(case);
    // sequence 0 is a person's only tumour, so the second one is numbered above 1
    let of_patient = cases.of_patient(case.patient.value("patient_id"));
    !of_patient.iter().filter(later).any(|other| sequence(other) > Some(1))
}

//! QG: basis of diagnosis and morphology, and the shares of a year.

use std::collections::BTreeMap;

use chrono::Datelike;

use super::{
    PlantError,
    bed::{Bed, Person},
    recast::{self, recast},
};
use crate::draw::{age, plus, shuffle};

/// How many cases without microscopy a year may still take.
pub(super) struct Room {
    /// Cases with a known basis and those without microscopy, by year.
    years: BTreeMap<i32, (usize, usize)>,
}

impl Room {
    pub(super) fn of(bed: &Bed<'_>) -> Self {
        let mut years: BTreeMap<i32, (usize, usize)> = BTreeMap::new();
        for row in 0..bed.registry.rows("tumour").len() {
            let basis = bed.get("tumour", row, "basis");
            if let Some(date) = bed.date("tumour", row, "diagnosis_date")
                && basis != "9"
            {
                let year = years.entry(date.year()).or_default();
                year.0 += 1;
                year.1 += usize::from(!matches!(basis, "5" | "6" | "7" | "8"));
            }
        }
        Self { years }
    }

    /// The candidates whose year has room for one more, then the others.
    pub(super) fn prefer(mut self, bed: &Bed<'_>, candidates: Vec<(Person, usize)>) -> Vec<(Person, usize)> {
        let (mut fit, mut others) = (Vec::new(), Vec::new());
        for (person, tumour) in candidates {
            let microscopic = matches!(bed.get("tumour", tumour, "basis"), "5" | "6" | "7" | "8");
            let year = bed.date("tumour", tumour, "diagnosis_date").and_then(|date| self.years.get_mut(&date.year()));
            match year {
                Some((known, without)) if !microscopic || (*without + 1) * 10 <= *known => {
                    *without += usize::from(microscopic);
                    fit.push((person, tumour));
                }
                _ => others.push((person, tumour)),
            }
        }
        fit.extend(others);
        fit
    }
}

pub(super) fn plant(bed: &mut Bed<'_>, count: usize) -> Result<(), PlantError> {
    match bed.rule {
        "QG01" => {
            // codes that need a microscope: lymphomas, sarcomas and most tumours of the brain
            let candidates = recast::plain(bed)
                .into_iter()
                .filter(|(_, tumour)| {
                    let code: u16 = bed.get("tumour", *tumour, "morphology").parse().unwrap_or(0);
                    matches!(code, 8810..=8959 | 8970..=9049 | 9180..=9260 | 9391..=9499 | 9591..=9731)
                })
                .collect();
            set_basis(bed, count, candidates, "1", None)
        }
        "QG02" => {
            let candidates = bed.rows(
                |person| &person.tumours,
                |bed, person, tumour| {
                    bed.only_tumour(person).is_some()
                        && bed.get("tumour", tumour, "topography") == "C421"
                        && matches!(bed.get("tumour", tumour, "basis"), "5" | "7" | "8")
                        && bed.age(tumour) < 20
                },
            );
            set_basis(bed, count, candidates, "2", Some(()))
        }
        "QG03" => all_seen(bed, count),
        _ => certificates(bed, count),
    }
}

fn set_basis(
    bed: &mut Bed<'_>,
    count: usize,
    candidates: Vec<(Person, usize)>,
    basis: &str,
    leukaemia: Option<()>,
) -> Result<(), PlantError> {
    let candidates = Room::of(bed).prefer(bed, candidates);
    for (person, tumour) in bed.take(candidates, count)? {
        if leukaemia.is_some() {
            // leukaemia not otherwise specified is accepted without microscopy, but not on imaging
            let years = bed.age(tumour);
            recast::apply(bed, &person, tumour, recast("C421", 9800, "I(e)", (years, years)));
        }
        bed.set("tumour", tumour, "basis", basis);
        bed.record("tumour", tumour);
    }
    Ok(())
}

/// Tumours by year of diagnosis, with their patients.
fn by_year(bed: &Bed<'_>) -> BTreeMap<i32, Vec<(Person, usize)>> {
    let mut years: BTreeMap<i32, Vec<(Person, usize)>> = BTreeMap::new();
    for person in &bed.people {
        for tumour in &person.tumours {
            if let Some(date) = bed.date("tumour", *tumour, "diagnosis_date") {
                years.entry(date.year()).or_default().push((person.clone(), *tumour));
            }
        }
    }
    years
}

/// Years of which nothing was planted yet, in random order.
fn free_years(bed: &mut Bed<'_>, least: usize) -> Vec<(i32, Vec<(Person, usize)>)> {
    let taken: Vec<String> = ["QG03", "QG04"]
        .iter()
        .filter_map(|rule| bed.registry.planted.get(*rule))
        .flatten()
        .filter_map(|planted| planted.key.first().cloned())
        .collect();
    let mut years: Vec<_> = by_year(bed)
        .into_iter()
        .filter(|(year, cases)| cases.len() >= least && !taken.contains(&year.to_string()))
        .collect();
    shuffle(&mut bed.rng, &mut years);
    years
}

/// QG03: a year in which all is said to have been seen under the microscope. Cases of death certificates lose their basis.
fn all_seen(bed: &mut Bed<'_>, count: usize) -> Result<(), PlantError> {
    let years: Vec<_> = free_years(bed, 12)
        .into_iter()
        .filter(|(_, cases)| {
            cases.iter().all(|(person, tumour)| match bed.get("tumour", *tumour, "basis") {
                "5" | "6" | "7" | "8" => true,
                "0" => {
                    let later = bed.date("tumour", *tumour, "diagnosis_date").is_some_and(|date| date.ordinal() > 8);
                    later && bed.is_free_person(person) && age_in_days(bed, person, *tumour) > 40
                }
                _ => bed.is_free_person(person),
            })
        })
        .collect();
    for (year, cases) in bed.take(years, count)? {
        for (person, tumour) in cases {
            match bed.get("tumour", tumour, "basis") {
                "1" | "2" | "4" => bed.set("tumour", tumour, "basis", "7"),
                "0" => {
                    // not known from the certificate only: then there were some days before death
                    bed.set("tumour", tumour, "basis", "9");
                    move_diagnosis(bed, &person, tumour, -5);
                }
                _ => {}
            }
        }
        record_year(bed, year);
    }
    Ok(())
}

/// QG04: a year in which more than a twentieth is known from the death certificate only.
fn certificates(bed: &mut Bed<'_>, count: usize) -> Result<(), PlantError> {
    let mut found = Vec::new();
    for (year, cases) in free_years(bed, 20) {
        let now = cases.iter().filter(|(_, tumour)| bed.get("tumour", *tumour, "basis") == "0").count();
        // one more in a hundred, so that later cases of the year do not bring the share down again
        let wanted = (cases.len() / 20 + 1 + cases.len() / 100).saturating_sub(now);
        let dead: Vec<_> = cases
            .iter()
            .filter(|(person, tumour)| {
                let in_year = bed.last_contact(person).is_some_and(|date| date.year() == year);
                bed.is_free_person(person)
                    && bed.is_dead(person)
                    && in_year
                    && bed.only_tumour(person).is_some()
                    && bed.get("tumour", *tumour, "basis") != "0"
                    && bed
                        .date("patient", person.patient, "birth_date")
                        .zip(bed.last_contact(person))
                        .is_some_and(|(birth, death)| age(birth, death) < 20)
            })
            .cloned()
            .collect();
        if dead.len() >= wanted {
            found.push((year, cases, dead, wanted));
        }
    }
    let mut gone = Vec::new();
    for (year, cases, dead, wanted) in bed.take(found, count)? {
        for (person, tumour) in &cases {
            // room for the certificates among what was not seen under the microscope
            if matches!(bed.get("tumour", *tumour, "basis"), "1" | "2" | "4") && bed.is_free_person(person) {
                bed.set("tumour", *tumour, "basis", "7");
            }
        }
        for (person, tumour) in dead.into_iter().take(wanted) {
            become_certificate(bed, &person, tumour);
            gone.push(person.id);
        }
        record_year(bed, year);
    }
    forget_care(bed, &gone, false);
    Ok(())
}

fn record_year(bed: &mut Bed<'_>, year: i32) {
    bed.registry.record(bed.rule, "aggregate", vec![year.to_string()]);
}

/// A death whose certificate is all that is known.
fn become_certificate(bed: &mut Bed<'_>, person: &Person, tumour: usize) {
    let Some(death) = bed.last_contact(person) else { return };
    let years = bed.date("patient", person.patient, "birth_date").map_or(0, |birth| age(birth, death));
    recast::codes(bed, tumour, recast("C809", 8000, "XII(b)", (years, years)));
    bed.set("tumour", tumour, "basis", "0");
    bed.set("tumour", tumour, "diagnosis_date", death);
    bed.set("tumour", tumour, "extract_age_years", years);
    bed.clear("tumour", tumour, &["cr_date", "protocol", "mrd_percent", "mrd_day", "mrd_method", "mrd_limit_percent"]);
    if bed.date("tumour", tumour, "registered_on") < Some(death) {
        bed.set("tumour", tumour, "registered_on", death);
    }
    if let Some(row) = person.contacts.last() {
        bed.set("follow_up", *row, "death_cause_category", "disease");
        bed.clear("follow_up", *row, &["trm_cause", "palliative_referral_date", "opioid_access"]);
    }
}

/// Removes what was done for patients: nothing of it is known any more. A death and its contact stay, living contacts on demand.
pub(super) fn forget_care(bed: &mut Bed<'_>, patients: &[String], living_contacts: bool) {
    let mut keep = |collection: &str, unless: Option<(&str, &str)>| {
        let Some(collection) = bed.registry.collections.get_mut(collection) else { return };
        let Some(patient) = collection.column("patient_id") else { return };
        let unless = unless.and_then(|(column, value)| Some((collection.column(column)?, value)));
        collection.rows.retain(|row| {
            !patients.contains(&row[patient]) || unless.is_some_and(|(column, value)| row[column] == value)
        });
    };
    for collection in ["course", "administration", "febrile_episode", "deterioration", "referral", "case_discussion"] {
        keep(collection, None);
    }
    keep("event", Some(("event_type", "death")));
    if !living_contacts {
        keep("follow_up", Some(("vital_status", "0")));
    }
}

fn age_in_days(bed: &Bed<'_>, person: &Person, tumour: usize) -> i64 {
    match (bed.date("patient", person.patient, "birth_date"), bed.date("tumour", tumour, "diagnosis_date")) {
        (Some(birth), Some(diagnosis)) => crate::draw::days(birth, diagnosis),
        _ => 0,
    }
}

/// Moves a diagnosis by days; the stored age follows.
pub(super) fn move_diagnosis(bed: &mut Bed<'_>, person: &Person, tumour: usize, by: i64) {
    let Some(diagnosis) = bed.date("tumour", tumour, "diagnosis_date").map(|date| plus(date, by)) else { return };
    bed.set("tumour", tumour, "diagnosis_date", diagnosis);
    if let Some(birth) = bed.date("patient", person.patient, "birth_date") {
        bed.set("tumour", tumour, "extract_age_years", age(birth, diagnosis));
    }
}

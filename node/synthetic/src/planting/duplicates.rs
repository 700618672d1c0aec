//! QI: patients and tumours that are there twice.

use chrono::NaiveDate;

use super::{
    PlantError,
    bed::{Bed, Person, SECOND_RECORD},
};
use crate::draw::{age, between, days, plus};

pub(super) fn plant(bed: &mut Bed<'_>, count: usize) -> Result<(), PlantError> {
    match bed.rule {
        "QI01" => patients(bed, count),
        "QI02" => {
            let candidates = twice(bed, 20, |_, _| true);
            for (person, tumour) in bed.take(candidates, count)? {
                let copy = second_tumour(bed, &person, tumour, 20);
                bed.record_implied("QI03", "tumour", copy);
            }
            Ok(())
        }
        "QI03" => {
            let candidates = twice(bed, 400, |bed, tumour| bed.get("tumour", tumour, "iccc_code").starts_with("I("));
            for (person, tumour) in bed.take(candidates, count)? {
                second_tumour(bed, &person, tumour, 400);
            }
            Ok(())
        }
        _ => second_malignancy(bed, count),
    }
}

/// QI01: by turns a national identity number that another patient has too, and a second record of one child under the same
/// invented name, written otherwise. The second of the two records is the one recorded.
fn patients(bed: &mut Bed<'_>, count: usize) -> Result<(), PlantError> {
    let candidates = bed.persons(|_, _| true);
    let planted = bed.registry.planted.get("QI01").map_or(0, Vec::len);
    let mut pool = candidates.into_iter();
    let needed = count + count.div_ceil(2);
    if pool.len() < needed {
        return Err(bed.too_few(count, pool.len() * 2 / 3));
    }
    for index in planted..planted + count {
        let Some(first) = pool.next() else { break };
        if index % 2 == planted % 2 {
            let Some(other) = pool.next() else { break };
            let (first, second) = (first.patient.min(other.patient), first.patient.max(other.patient));
            let number = format!("INVENTED-{index:05}");
            bed.set("patient", first, "national_id", &number);
            bed.set("patient", second, "national_id", &number);
            bed.record("patient", second);
        } else {
            bed.set("patient", first.patient, "full_name", format!("Niñez Inventada {}", letters(index)));
            let mut copy = bed.registry.rows("patient")[first.patient].clone();
            copy[0] = format!("{}{SECOND_RECORD}", first.id);
            if let Some(patients) = bed.registry.collections.get_mut("patient") {
                patients.rows.push(copy);
            }
            let row = bed.registry.rows("patient").len() - 1;
            bed.set("patient", row, "full_name", format!("NIÑEZ  INVENTADA {}", letters(index)));
            bed.record("patient", row);
        }
    }
    Ok(())
}

/// A number in letters, for names.
fn letters(mut number: usize) -> String {
    let mut text = String::new();
    loop {
        text.push(char::from(b'A' + (number % 26) as u8));
        number /= 26;
        if number == 0 {
            return text;
        }
    }
}

/// Patients whose only tumour may be there a second time so many days later, at the same age where the days are few.
fn twice(bed: &mut Bed<'_>, after: i64, fits: impl Fn(&Bed<'_>, usize) -> bool) -> Vec<(Person, usize)> {
    bed.rows(
        |person| &person.tumours,
        |bed, person, tumour| {
            let (Some(date), Some(last)) = (bed.date("tumour", tumour, "diagnosis_date"), bed.last_contact(person))
            else {
                return false;
            };
            bed.only_tumour(person).is_some()
                && bed.get("tumour", tumour, "behaviour") == "3"
                && matches!(bed.get("tumour", tumour, "basis"), "5" | "6" | "7" | "8")
                && !matches!(bed.get("tumour", tumour, "stage_value"), "MS" | "y-I" | "y-II" | "y-III")
                && days(date, last) > after + 20
                && !bed.has_event(person, "abandonment")
                && fits(bed, tumour)
                && later_age(bed, person, plus(date, after))
                    .is_some_and(|age| age <= 19 && (after > 60 || age == bed.age(tumour)))
        },
    )
}

fn later_age(bed: &Bed<'_>, person: &Person, date: NaiveDate) -> Option<i64> {
    bed.date("patient", person.patient, "birth_date").map(|birth| age(birth, date))
}

/// The same tumour again, with an operation of its own; recorded. Returns its row.
fn second_tumour(bed: &mut Bed<'_>, person: &Person, tumour: usize, after: i64) -> usize {
    let mut copy = bed.registry.rows("tumour")[tumour].clone();
    let date = bed.date("tumour", tumour, "diagnosis_date").map(|date| plus(date, after)).unwrap_or_default();
    let number = "2".to_owned();
    copy[1].clone_from(&number);
    if let Some(tumours) = bed.registry.collections.get_mut("tumour") {
        tumours.rows.push(copy);
    }
    let row = bed.registry.rows("tumour").len() - 1;
    bed.set("tumour", row, "diagnosis_date", date);
    bed.set("tumour", row, "registered_on", plus(date, 10).min(bed.plan.extract));
    if let Some(years) = later_age(bed, person, date) {
        bed.set("tumour", row, "extract_age_years", years);
    }
    bed.clear(
        "tumour",
        row,
        &[
            "cr_date",
            "symptom_onset_date",
            "first_contact_date",
            "first_suspicion_date",
            "referral_date",
            "specialist_seen_date",
        ],
    );
    let operation = plus(date, between(&mut bed.rng, 1, 9)).to_string();
    let cells = [
        ("patient_id", person.id.clone()),
        ("tumour_seq", number),
        ("course_no", "1".to_owned()),
        ("intent", "curative".to_owned()),
        ("modality", "surgery".to_owned()),
        ("start_date", operation.clone()),
        ("end_date", operation),
        ("end_reason", "completed".to_owned()),
        ("surgery_extent", "complete".to_owned()),
        ("surgery_margin", "R0".to_owned()),
    ];
    bed.registry.add("course", &cells);
    bed.record("tumour", row);
    row
}

/// QI04: a second malignancy among the events, and no tumour of that number.
fn second_malignancy(bed: &mut Bed<'_>, count: usize) -> Result<(), PlantError> {
    let candidates = bed.rows(
        |person| &person.tumours,
        |bed, person, tumour| {
            let (date, last) = (bed.date("tumour", tumour, "diagnosis_date"), bed.last_contact(person));
            let followed = date.zip(last).is_some_and(|(date, last)| days(date, last) > 120);
            bed.only_tumour(person).is_some()
                && bed.is_alive(person)
                && followed
                && !bed.has_event(person, "abandonment")
        },
    );
    for (person, tumour) in bed.take(candidates, count)? {
        let date = bed.date("tumour", tumour, "diagnosis_date").unwrap_or_default();
        let cells = [
            ("patient_id", person.id.clone()),
            ("tumour_seq", bed.get("tumour", tumour, "tumour_seq").to_owned()),
            ("event_number", (person.events.len() + 1).to_string()),
            ("event_type", "second_malignancy".to_owned()),
            ("event_date", plus(date, between(&mut bed.rng, 100, 118)).to_string()),
        ];
        bed.registry.add("event", &cells);
        bed.record("event", bed.registry.rows("event").len() - 1);
    }
    Ok(())
}

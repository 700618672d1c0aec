//! QB: dates in the wrong order, missing or in the wrong form.

use chrono::{Datelike, NaiveDate, NaiveDateTime, TimeDelta};

use super::{
    PlantError,
    basis::move_diagnosis,
    bed::{Bed, Person},
    recast,
    treatment::abandoners,
};
use crate::draw::{between, days, plus, stamp};

/// Codes that need no microscopy and do occur as the only diagnosis of a death.
const CLINICAL: &[&str] = &["9500", "8960", "9510", "9380", "8000", "8800", "8720", "8170"];

pub(super) fn plant(bed: &mut Bed<'_>, count: usize) -> Result<(), PlantError> {
    match bed.rule {
        "QB01" => tumours(
            bed,
            count,
            |bed, tumour| old(bed, tumour, 260),
            |bed, person, tumour, date| {
                let birth = plus(date, between(&mut bed.rng, 30, 200));
                bed.set("patient", person.patient, "birth_date", birth);
                // without an age no schema of stages applies
                bed.clear("tumour", tumour, &["extract_age_years"]);
                bed.clear("tumour", tumour, recast::STAGE);
            },
        ),
        "QB02" => contact_at(bed, count, -7),
        "QB03" => tumours(
            bed,
            count,
            |_, _| true,
            |bed, _, tumour, _| {
                let date = plus(bed.plan.extract, between(&mut bed.rng, 10, 90));
                bed.set("tumour", tumour, "registered_on", date);
            },
        ),
        "QB04" => tumours(
            bed,
            count,
            |bed, tumour| bed.age(tumour) >= 0,
            |bed, _, tumour, _| {
                let wrong = bed.age(tumour) + between(&mut bed.rng, 1, 4);
                bed.set("tumour", tumour, "extract_age_years", wrong);
            },
        ),
        "QB05" => tumours(
            bed,
            count,
            |bed, tumour| bed.age(tumour) >= 1 && has_path(bed, tumour),
            |bed, _, tumour, date| {
                bed.set("tumour", tumour, "first_contact_date", plus(date, -20));
                bed.set("tumour", tumour, "symptom_onset_date", plus(date, -8));
            },
        ),
        "QB06" => first_course_before(bed, count),
        "QB07" => courses(bed, count),
        "QB08" => {
            let candidates = bed.rows(
                |person| &person.events,
                |bed, person, event| {
                    bed.only_tumour(person).is_some()
                        && matches!(bed.get("event", event, "event_type"), "toxicity" | "progression")
                },
            );
            for (person, event) in bed.take(candidates, count)? {
                if let Some(date) =
                    person.tumours.first().and_then(|tumour| bed.date("tumour", *tumour, "diagnosis_date"))
                {
                    bed.set("event", event, "event_date", plus(date, -12));
                }
                bed.record("event", event);
            }
            Ok(())
        }
        "QB09" => {
            let candidates = bed.persons(|bed, person| bed.is_dead(person) && !is_certificate(bed, person));
            for person in bed.take(candidates, count)? {
                if let Some(row) = person.contacts.last() {
                    bed.clear("follow_up", *row, &["death_date"]);
                    bed.record("follow_up", *row);
                }
            }
            Ok(())
        }
        "QB10" => event_after_death(bed, count),
        "QB11" => certificate_date(bed, count),
        "QB12" => contact_at(bed, count, 0),
        "QB13" => tumours(
            bed,
            count,
            |bed, tumour| bed.date("tumour", tumour, "registered_on").is_some(),
            |bed, _, tumour, _| {
                if let Some(date) = bed.date("tumour", tumour, "registered_on") {
                    bed.set("tumour", tumour, "registered_on", date.format("%d/%m/%Y"));
                }
            },
        ),
        "QB14" => short_gap(bed, count),
        "QB15" => antibiotic(bed, count),
        _ => stale_contact(bed, count),
    }
}

fn tumours(
    bed: &mut Bed<'_>,
    count: usize,
    fits: impl Fn(&Bed<'_>, usize) -> bool,
    change: impl Fn(&mut Bed<'_>, &Person, usize, NaiveDate),
) -> Result<(), PlantError> {
    let candidates = bed
        .rows(|person| &person.tumours, |bed, person, tumour| bed.only_tumour(person).is_some() && fits(bed, tumour));
    for (person, tumour) in bed.take(candidates, count)? {
        if let Some(date) = bed.date("tumour", tumour, "diagnosis_date") {
            change(bed, &person, tumour, date);
        }
        bed.record("tumour", tumour);
    }
    Ok(())
}

/// Whether a diagnosis lies so many days before the extract.
fn old(bed: &Bed<'_>, tumour: usize, least: i64) -> bool {
    bed.date("tumour", tumour, "diagnosis_date").is_some_and(|date| days(date, bed.plan.extract) >= least)
}

fn has_path(bed: &Bed<'_>, tumour: usize) -> bool {
    bed.date("tumour", tumour, "first_contact_date").is_some()
}

fn is_certificate(bed: &Bed<'_>, person: &Person) -> bool {
    person.tumours.iter().any(|tumour| bed.get("tumour", *tumour, "basis") == "0")
}

/// QB02 and QB12: the only contact lies at the diagnosis or before it.
fn contact_at(bed: &mut Bed<'_>, count: usize, after: i64) -> Result<(), PlantError> {
    let candidates = bed.persons(|bed, person| {
        bed.only_tumour(person).is_some()
            && person.contacts.len() == 1
            && bed.is_alive(person)
            && !bed.has_event(person, "abandonment")
            && !bed.has_event(person, "relapse")
    });
    for person in bed.take(candidates, count)? {
        let (Some(tumour), Some(contact)) = (person.tumours.first(), person.contacts.first()) else { continue };
        if let Some(date) = bed.date("tumour", *tumour, "diagnosis_date") {
            bed.set("follow_up", *contact, "last_contact_date", plus(date, after));
            bed.set("follow_up", *contact, "vital_status", "9");
            bed.open_courses(&person);
        }
        bed.record("tumour", *tumour);
    }
    Ok(())
}

/// QB06: the first course begins three weeks before the diagnosis.
fn first_course_before(bed: &mut Bed<'_>, count: usize) -> Result<(), PlantError> {
    let candidates = bed.rows(
        |person| &person.tumours,
        |bed, person, tumour| {
            bed.only_tumour(person).is_some()
                && !person.courses.is_empty()
                && bed.age(tumour) >= 1
                && !bed.get("tumour", tumour, "stage_value").starts_with("y-")
                && !bed.has_event(person, "abandonment")
        },
    );
    for (person, tumour) in bed.take(candidates, count)? {
        let first = person.courses.iter().copied().min_by_key(|row| bed.date("course", *row, "start_date"));
        if let (Some(first), Some(date)) = (first, bed.date("tumour", tumour, "diagnosis_date")) {
            bed.set("course", first, "start_date", plus(date, -21));
        }
        bed.record("tumour", tumour);
    }
    Ok(())
}

/// QB07: a course ends before it begins.
fn courses(bed: &mut Bed<'_>, count: usize) -> Result<(), PlantError> {
    let candidates = bed.rows(
        |person| &person.courses,
        |bed, person, course| bed.date("course", course, "end_date").is_some() && !bed.has_event(person, "abandonment"),
    );
    for (_, course) in bed.take(candidates, count)? {
        if let Some(start) = bed.date("course", course, "start_date") {
            bed.set("course", course, "end_date", plus(start, -3));
        }
        bed.record("course", course);
    }
    Ok(())
}

/// QB10: a toxicity after death.
fn event_after_death(bed: &mut Bed<'_>, count: usize) -> Result<(), PlantError> {
    let candidates = bed.persons(|bed, person| {
        let left = bed.last_contact(person).map_or(0, |death| days(death, bed.plan.extract));
        bed.only_tumour(person).is_some() && bed.is_dead(person) && !is_certificate(bed, person) && left > 15
    });
    for person in bed.take(candidates, count)? {
        let (Some(tumour), Some(death)) = (person.tumours.first(), bed.last_contact(&person)) else { continue };
        let date = plus(death, between(&mut bed.rng, 3, 10));
        let cells = [
            ("patient_id", person.id.clone()),
            ("tumour_seq", bed.get("tumour", *tumour, "tumour_seq").to_owned()),
            ("event_number", (person.events.len() + 1).to_string()),
            ("event_type", "toxicity".to_owned()),
            ("event_date", date.to_string()),
            ("toxicity_term", "Vomiting".to_owned()),
            ("toxicity_grade", "3".to_owned()),
        ];
        bed.registry.add("event", &cells);
        bed.record("event", bed.registry.rows("event").len() - 1);
    }
    Ok(())
}

/// QB11: a case of a death certificate that is dated before death; where there are too few, another death is made one.
fn certificate_date(bed: &mut Bed<'_>, count: usize) -> Result<(), PlantError> {
    let mut candidates = bed.rows(
        |person| &person.tumours,
        |bed, person, tumour| {
            let certificate = bed.get("tumour", tumour, "basis") == "0";
            let date = bed.date("tumour", tumour, "diagnosis_date");
            bed.only_tumour(person).is_some()
                && bed.is_dead(person)
                && bed.age(tumour) >= 1
                && date.is_some_and(|date| date.ordinal() > 25)
                && (certificate || CLINICAL.contains(&bed.get("tumour", tumour, "morphology")))
                && (certificate || date < bed.last_contact(person))
        },
    );
    candidates.sort_by_key(|(_, tumour)| bed.get("tumour", *tumour, "basis") != "0");
    for (person, tumour) in bed.take(candidates, count)? {
        if bed.get("tumour", tumour, "basis") == "0" {
            let back = between(&mut bed.rng, 5, 20);
            move_diagnosis(bed, &person, tumour, -back);
        } else {
            bed.set("tumour", tumour, "basis", "0");
        }
        bed.record("tumour", tumour);
    }
    Ok(())
}

/// QB14: an abandonment that is not dated on the last attended day, with a contact less than four weeks after it.
fn short_gap(bed: &mut Bed<'_>, count: usize) -> Result<(), PlantError> {
    let candidates: Vec<_> = abandoners(bed, |bed, person, event| {
        let interrupted = bed.get("event", event, "abandonment_kind") == "interrupted";
        interrupted && bed.is_alive(person) && bed.get("event", event, "returned") != "yes"
    });
    for (person, event) in bed.take(candidates, count)? {
        let event = event.row(bed, &person);
        if let (Some(date), Some(last)) = (bed.date("event", event, "event_date"), person.contacts.last()) {
            let soon = plus(date, between(&mut bed.rng, 8, 20));
            for course in &person.courses {
                if !bed.get("course", *course, "last_attended_date").is_empty() {
                    bed.set("course", *course, "last_attended_date", plus(date, -6));
                }
            }
            if bed.date("follow_up", *last, "last_contact_date") > Some(date) {
                bed.set("follow_up", *last, "last_contact_date", soon);
                bed.set("follow_up", *last, "followup_status", "abandoned");
            } else {
                let cells = [
                    ("patient_id", person.id.clone()),
                    ("last_contact_date", soon.to_string()),
                    ("vital_status", "1".to_owned()),
                    ("vital_source", "phone".to_owned()),
                    ("followup_status", "abandoned".to_owned()),
                ];
                bed.registry.add("follow_up", &cells);
            }
        }
        bed.record("event", event);
    }
    Ok(())
}

/// QB15: the antibiotic before the clock starts, or more than a day after.
fn antibiotic(bed: &mut Bed<'_>, count: usize) -> Result<(), PlantError> {
    let clock = |bed: &Bed<'_>, fever: usize| -> Option<NaiveDateTime> {
        let column = if bed.get("febrile_episode", fever, "setting") == "arrival" { "arrival_at" } else { "fever_at" };
        NaiveDateTime::parse_from_str(bed.get("febrile_episode", fever, column), "%Y-%m-%dT%H:%M").ok()
    };
    let candidates = bed.rows(
        |person| &person.fevers,
        |bed, _, fever| !bed.get("febrile_episode", fever, "antibiotic_at").is_empty() && clock(bed, fever).is_some(),
    );
    for (index, (person, fever)) in bed.take(candidates, count)?.into_iter().enumerate() {
        if let Some(start) = clock(bed, fever) {
            let late =
                bed.is_alive(&person) && bed.last_contact(&person) > Some(plus(start.date(), 3)) && index % 2 == 1;
            let minutes = if late { between(&mut bed.rng, 1500, 2000) } else { -between(&mut bed.rng, 5, 90) };
            bed.set("febrile_episode", fever, "antibiotic_at", stamp(start + TimeDelta::minutes(minutes)));
        }
        bed.record("febrile_episode", fever);
    }
    Ok(())
}

/// QB16: no contact for two years.
fn stale_contact(bed: &mut Bed<'_>, count: usize) -> Result<(), PlantError> {
    let long_ago = plus(bed.plan.extract, -735);
    let candidates = bed.persons(|bed, person| {
        person.contacts.len() == 1
            && bed.is_alive(person)
            && matches!(bed.get("follow_up", person.contacts[0], "followup_status"), "on_treatment" | "off_therapy")
            && !person.courses.iter().any(|course| bed.date("course", *course, "end_date").is_none())
            && bed.last_fact(person).is_some_and(|date| date < long_ago)
            && bed.last_fact(person)
                > person.tumours.first().and_then(|tumour| bed.date("tumour", *tumour, "diagnosis_date"))
    });
    for person in bed.take(candidates, count)? {
        if let Some(fact) = bed.last_fact(&person) {
            let back = between(&mut bed.rng, 0, 200).min(days(fact, long_ago));
            bed.set("follow_up", person.contacts[0], "last_contact_date", plus(long_ago, -back));
        }
        bed.record("patient", person.patient);
    }
    Ok(())
}

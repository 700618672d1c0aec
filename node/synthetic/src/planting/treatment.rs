//! QJ: treatment, events, fever and early warning.

use super::{
    PlantError,
    basis::forget_care,
    bed::{Bed, Person},
};
use crate::draw::{days, plus};

/// An abandonment that is there, or the place for one.
#[derive(Debug, Clone, Copy)]
pub(super) enum Left {
    /// Row of the event.
    There(usize),
    /// Treatment whose last course may be taken for an abandoned one.
    Possible,
}

impl Left {
    /// The row of the event; where there is none, it is written: treatment was left at the end of its last course.
    pub(super) fn row(self, bed: &mut Bed<'_>, person: &Person) -> usize {
        if let Self::There(row) = self {
            return row;
        }
        let last = person.courses.iter().copied().max_by_key(|course| bed.date("course", *course, "end_date"));
        let date = last.and_then(|course| bed.date("course", course, "end_date")).unwrap_or_default();
        if let Some(course) = last {
            bed.set("course", course, "last_attended_date", date);
            bed.set("course", course, "end_reason", "non_adherence");
            bed.set("course", course, "planned_end_date", date);
        }
        let seq = person.tumours.first().map_or("0", |tumour| bed.get("tumour", *tumour, "tumour_seq")).to_owned();
        let cells = [
            ("patient_id", person.id.clone()),
            ("tumour_seq", seq),
            ("event_number", (person.events.len() + 1).to_string()),
            ("event_type", "abandonment".to_owned()),
            ("event_date", date.to_string()),
            ("abandonment_kind", "interrupted".to_owned()),
            ("abandonment_reason", "distance".to_owned()),
            ("returned", "no".to_owned()),
        ];
        bed.registry.add("event", &cells);
        bed.registry.rows("event").len() - 1
    }
}

/// Patients with an abandonment of which the condition holds, then patients who may be given one.
pub(super) fn abandoners(bed: &mut Bed<'_>, fits: impl Fn(&Bed<'_>, &Person, usize) -> bool) -> Vec<(Person, Left)> {
    let there = bed.rows(
        |person| &person.events,
        |bed, person, event| bed.get("event", event, "event_type") == "abandonment" && fits(bed, person, event),
    );
    let possible = bed.persons(may_have_left);
    let there = there.into_iter().map(|(person, event)| (person, Left::There(event)));
    there.chain(possible.into_iter().map(|person| (person, Left::Possible))).collect()
}

/// Alive, all courses curative and over, and no contact in the month after the last of them.
fn may_have_left(bed: &Bed<'_>, person: &Person) -> bool {
    let ends: Option<Vec<_>> = person.courses.iter().map(|course| bed.date("course", *course, "end_date")).collect();
    let Some(end) = ends.and_then(|ends| ends.into_iter().max()) else { return false };
    let contacts = person.contacts.iter().filter_map(|row| bed.date("follow_up", *row, "last_contact_date"));
    bed.only_tumour(person).is_some()
        && bed.is_alive(person)
        && person.events.is_empty()
        && person.courses.iter().all(|course| bed.get("course", *course, "intent") == "curative")
        && person.courses.iter().any(|course| bed.get("course", *course, "modality") == "chemotherapy")
        && contacts.into_iter().all(|date| date <= end || days(end, date) > 29)
        && days(end, bed.plan.extract) > 40
}

pub(super) fn plant(bed: &mut Bed<'_>, count: usize) -> Result<(), PlantError> {
    match bed.rule {
        "QJ01" => untreated(bed, count),
        "QJ02" | "QJ04" | "QJ05" => doses(bed, count),
        "QJ03" => {
            let candidates =
                bed.rows(|person| &person.courses, |bed, _, course| !bed.get("course", course, "weight_kg").is_empty());
            for (_, course) in bed.take(candidates, count)? {
                bed.set("course", course, "weight_kg", "185");
                bed.record("course", course);
            }
            Ok(())
        }
        "QJ06" => {
            let candidates = bed.rows(
                |person| &person.events,
                |bed, person, event| {
                    let relapses = person
                        .events
                        .iter()
                        .filter(|event| bed.get("event", **event, "event_type") == "relapse")
                        .count();
                    bed.only_tumour(person).is_some()
                        && relapses == 1
                        && bed.get("event", event, "event_type") == "relapse"
                },
            );
            for (person, event) in bed.take(candidates, count)? {
                bed.clear("tumour", person.tumours[0], &["cr_date"]);
                bed.record("event", event);
            }
            Ok(())
        }
        "QJ07" => {
            let candidates = bed.persons(|bed, person| {
                let came_back = bed.has_event(person, "relapse") || bed.has_event(person, "progression");
                let active = person
                    .contacts
                    .last()
                    .is_some_and(|row| bed.get("follow_up", *row, "active_disease_at_death") == "yes");
                bed.is_dead(person) && came_back && active
            });
            for person in bed.take(candidates, count)? {
                if let Some(row) = person.contacts.last() {
                    bed.set("follow_up", *row, "death_cause_category", "treatment_related");
                    bed.set("follow_up", *row, "trm_cause", "infection");
                    bed.record("follow_up", *row);
                }
            }
            Ok(())
        }
        "QJ08" | "QJ09" | "QJ10" => abandonment(bed, count),
        "QJ11" => {
            let candidates = bed.rows(|person| &person.fevers, |_, _, _| true);
            for (_, fever) in bed.take(candidates, count)? {
                bed.set("febrile_episode", fever, "temperature_c", "37.4");
                bed.record("febrile_episode", fever);
            }
            Ok(())
        }
        "QJ12" => unwarned(bed, count),
        _ => {
            let candidates = bed.rows(
                |person| &person.records,
                |bed, _, record| bed.get("deterioration", record, "record_kind") == "assessment",
            );
            for (_, record) in bed.take(candidates, count)? {
                let total: i64 = bed.get("deterioration", record, "score_total").parse().unwrap_or(0);
                bed.set("deterioration", record, "score_total", total + 2);
                bed.record("deterioration", record);
            }
            Ok(())
        }
    }
}

/// QJ01: alive, diagnosed long ago, and nothing said of treatment.
fn untreated(bed: &mut Bed<'_>, count: usize) -> Result<(), PlantError> {
    let candidates = bed.rows(
        |person| &person.tumours,
        |bed, person, tumour| {
            let old =
                bed.date("tumour", tumour, "diagnosis_date").is_some_and(|date| days(date, bed.plan.extract) > 120);
            old && bed.only_tumour(person).is_some()
                && bed.get("tumour", tumour, "behaviour") == "3"
                && bed.is_alive(person)
                && !bed.has_event(person, "abandonment")
                && !bed.get("tumour", tumour, "stage_value").starts_with("y-")
        },
    );
    let mut gone = Vec::new();
    for (person, tumour) in bed.take(candidates, count)? {
        bed.clear(
            "tumour",
            tumour,
            &["cr_date", "protocol", "mrd_percent", "mrd_day", "mrd_method", "mrd_limit_percent"],
        );
        bed.record("tumour", tumour);
        gone.push(person.id);
    }
    forget_care(bed, &gone, true);
    Ok(())
}

/// QJ02, QJ04 and QJ05: a dose many times too high, vincristine or another medicine into the spine.
fn doses(bed: &mut Bed<'_>, count: usize) -> Result<(), PlantError> {
    let rule = bed.rule;
    let candidates = bed.rows(
        |person| &person.doses,
        |bed, _, dose| {
            let spinal = bed.get("administration", dose, "route") == "IT";
            match rule {
                "QJ02" => !bed.get("administration", dose, "dose").is_empty(),
                "QJ04" => !spinal && bed.get("administration", dose, "inn") == "vincristine",
                _ => {
                    let inn = bed.get("administration", dose, "inn");
                    !spinal && !matches!(inn, "methotrexate" | "cytarabine" | "hydrocortisone" | "vincristine")
                }
            }
        },
    );
    for (_, dose) in bed.take(candidates, count)? {
        if rule == "QJ02" {
            let protocol: f64 = bed.get("administration", dose, "protocol_dose").parse().unwrap_or(1.0);
            bed.set("administration", dose, "dose", crate::draw::number(protocol * 5.0, 2));
        } else {
            bed.set("administration", dose, "route", "IT");
        }
        bed.record("administration", dose);
    }
    Ok(())
}

/// QJ08, QJ09 and QJ10: what is called abandonment and is none.
fn abandonment(bed: &mut Bed<'_>, count: usize) -> Result<(), PlantError> {
    let rule = bed.rule;
    let candidates = abandoners(bed, |bed, person, event| {
        rule == "QJ09"
            || (bed.get("event", event, "abandonment_kind") == "interrupted"
                && bed.get("event", event, "returned") != "yes"
                && !person.courses.is_empty())
    });
    for (person, left) in bed.take(candidates, count)? {
        let event = left.row(bed, &person);
        match rule {
            "QJ08" => {
                if let Some(date) = bed.date("event", event, "event_date") {
                    for course in &person.courses {
                        bed.set("course", *course, "planned_end_date", plus(date, -9));
                    }
                }
            }
            "QJ09" => bed.set("event", event, "abandonment_reason", "medical_contraindication"),
            _ => {
                for course in &person.courses {
                    bed.set("course", *course, "intent", "palliative");
                }
            }
        }
        bed.record("event", event);
    }
    Ok(())
}

/// QJ12: an unplanned transfer without an assessment in the day before.
fn unwarned(bed: &mut Bed<'_>, count: usize) -> Result<(), PlantError> {
    let candidates = bed.rows(
        |person| &person.records,
        |bed, person, record| {
            let events =
                person.records.iter().filter(|row| bed.get("deterioration", **row, "record_kind") == "event").count();
            events == 1 && bed.get("deterioration", record, "cde_kind") == "unplanned_transfer"
        },
    );
    let mut gone = Vec::new();
    for (person, record) in bed.take(candidates, count)? {
        bed.record("deterioration", record);
        gone.push(person.id);
    }
    if let Some(records) = bed.registry.collections.get_mut("deterioration")
        && let Some(kind) = records.column("record_kind")
    {
        records.rows.retain(|row| row[kind] == "event" || !gone.contains(&row[0]));
    }
    Ok(())
}

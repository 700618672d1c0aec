//! Rules on the order of treatment, events, abandonment and death.

use node_domain::date::PartialDate;

use crate::{case::Cases, registry::Row};

/// The dates at which somebody must have been alive, by collection.
const ALIVE: [(&str, &[&str]); 6] = [
    ("follow_up", &["last_contact_date"]),
    ("course", &["start_date", "end_date", "last_attended_date"]),
    ("administration", &["given_at"]),
    ("event", &["event_date", "returned_on"]),
    ("febrile_episode", &["arrival_at", "fever_at", "antibiotic_at"]),
    ("deterioration", &["at", "reviewed_at"]),
];

/// Rows with a contact, treatment, event or episode surely after their patient's death.
#[must_use]
pub fn after_death<'c>(cases: &Cases<'c>) -> Vec<Row<'c>> {
    let mut rows = Vec::new();
    for (collection, fields) in ALIVE {
        for row in cases.registry.rows(collection) {
            let fate = cases.fates.get(row.value("patient_id")).filter(|fate| fate.dead);
            let Some(death) = fate.and_then(|fate| fate.death) else { continue };
            // the row that tells of the death is dated when it was known
            if collection == "follow_up" && row.value("vital_status") == "0" {
                continue;
            }
            let date = |field: &&str| row.date(field).or_else(|| row.time(field).map(|time| time.date()));
            if fields.iter().filter_map(date).any(|date| death.is_surely_before(&date)) {
                rows.push(row);
            }
        }
    }
    rows
}

/// Whether an interruption of treatment was surely shorter than so many days: until the child came back, the next contact, or the
/// extract; or is not dated on the last attended day.
#[must_use]
pub fn gap_is_short(cases: &Cases<'_>, event: &Row<'_>, days: i64) -> bool {
    if event.value("event_type") != "abandonment" || event.value("abandonment_kind") == "never_started" {
        return false;
    }
    let Some(date) = event.date("event_date") else { return false };
    let ends = [event.date("returned_on"), next_attended(cases, event, &date)];
    let end = ends.into_iter().flatten().min_by_key(PartialDate::latest);
    let end = end.unwrap_or_else(|| PartialDate::from(cases.extract));
    let too_short = date.day_bounds(&end).is_some_and(|(_, most)| most < days);
    let attended = cases.case_of(event).map(|case| {
        // a course that began after the interruption tells nothing of when it began
        let before = |course: &&Row<'_>| !course.date("start_date").is_some_and(|start| date.is_surely_before(&start));
        let last = case.courses.iter().filter(before).filter_map(|course| course.date("last_attended_date"));
        last.max_by_key(PartialDate::latest)
    });
    let elsewhere =
        attended.flatten().is_some_and(|last| last.surely_different(&date) && event.some("returned_on").is_none());
    too_short || elsewhere
}

/// The start of the first course after a date.
fn next_attended(cases: &Cases<'_>, event: &Row<'_>, date: &PartialDate) -> Option<PartialDate> {
    let case = cases.case_of(event)?;
    let starts = case.courses.iter().filter_map(|course| course.date("start_date"));
    starts.filter(|start| date.is_surely_before(start)).min_by_key(PartialDate::earliest)
}

/// Whether a death is called treatment-related though the disease was active, or had come back before it.
#[must_use]
pub fn toxic_death_with_disease(cases: &Cases<'_>, contact: &Row<'_>) -> bool {
    if contact.value("death_cause_category") != "treatment_related" {
        return false;
    }
    let id = contact.value("patient_id");
    let of_patient = cases.of_patient(id).iter();
    let came_back = |kind: &str| kind == "relapse" || kind == "progression";
    let relapsed = of_patient.flat_map(|case| &case.events).any(|event| came_back(event.value("event_type")));
    match contact.answer("active_disease_at_death") {
        Some(active) => active && relapsed,
        None => relapsed,
    }
}

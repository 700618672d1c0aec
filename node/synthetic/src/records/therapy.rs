//! Rows of `course` and `administration`.

use chrono::NaiveDate;
use rand::{Rng, rngs::StdRng};

use super::facilities::Hospital;
use crate::{
    Registry,
    draw::{between, chance, code, days, number, plus, stamp, text, time},
    story::{Course, Story},
};

/// Doses recorded of one course at most: a sample, not every dose.
const SAMPLE: usize = 6;

/// Writes the courses of a patient and a sample of doses.
pub(crate) fn write(registry: &mut Registry, story: &Story, hospitals: &[Hospital], rng: &mut StdRng) {
    let hospital = &hospitals[story.facility];
    for (index, course) in story.courses.iter().enumerate() {
        let cells = cells(story, course, story.tumour_seq(), index + 1, hospital, rng);
        registry.add("course", &cells);
        if course.modality == "chemotherapy" || course.modality == "targeted" || course.modality == "immunotherapy" {
            doses(registry, story, course, index + 1, hospital, rng);
        }
    }
    if let Some(second) = &story.second {
        let course = Course {
            intent: "curative",
            modality: "surgery",
            phase: "",
            doses: &[],
            start: second.surgery,
            end: Some(second.surgery),
            planned: Some(second.surgery),
            last_attended: None,
            reason: "completed",
        };
        let cells = cells(story, &course, "2", 1, hospital, rng);
        registry.add("course", &cells);
    }
}

fn cells(
    story: &Story,
    course: &Course,
    tumour_seq: &str,
    course_no: usize,
    hospital: &Hospital,
    rng: &mut StdRng,
) -> Vec<(&'static str, String)> {
    let protocol = match course.modality {
        "chemotherapy" | "immunotherapy" | "radiotherapy" | "transplant" => story.cancer.regimen.protocol(),
        _ => "",
    };
    let mut cells = vec![
        ("patient_id", story.id.clone()),
        ("tumour_seq", tumour_seq.to_owned()),
        ("course_no", course_no.to_string()),
        ("intent", course.intent.to_owned()),
        ("modality", course.modality.to_owned()),
        ("protocol", protocol.to_owned()),
        ("phase", course.phase.to_owned()),
        ("start_date", course.start.to_string()),
        ("end_date", text(course.end)),
        ("planned_end_date", text(course.planned)),
        ("last_attended_date", text(course.last_attended)),
        ("end_reason", course.reason.to_owned()),
        ("facility_id", hospital.id.clone()),
    ];
    let (weight, height) = body(days(story.birth, course.start) as f64 / 365.25, rng);
    if chance(rng, 0.93) {
        let bsa = (weight * height / 3600.0).sqrt();
        cells.extend([("weight_kg", number(weight, 1)), ("height_cm", number(height, 0)), ("bsa_m2", number(bsa, 2))]);
    }
    match course.modality {
        "surgery" => {
            let extent = code(rng, &[("complete", 0.66), ("partial", 0.24), ("biopsy", 0.06), ("unknown", 0.04)]);
            let margin = match extent {
                "complete" => code(rng, &[("R0", 0.8), ("R1", 0.15), ("unknown", 0.05)]),
                "partial" => "R2",
                _ => "unknown",
            };
            cells.extend([("surgery_extent", extent.to_owned()), ("surgery_margin", margin.to_owned())]);
        }
        "radiotherapy" => {
            let (gy, field) = match story.cancer.name {
                "medulloblastoma" | "pineoblastoma" | "atrt" => (54.0, "craniospinal"),
                "wilms" | "clear_cell_sarcoma_kidney" | "rhabdoid_kidney" => (10.8, "whole_organ"),
                "hodgkin" => (19.8, "local"),
                "neuroblastoma" => (21.6, "local"),
                _ => (50.4, "local"),
            };
            cells.extend([
                ("radiotherapy_gy", number(gy, 1)),
                ("radiotherapy_fractions", number(gy / 1.8, 0)),
                ("radiotherapy_field", field.to_owned()),
            ]);
        }
        "transplant" => {
            let kind = if story.cancer.iccc.starts_with("I(") {
                code(rng, &[("related", 0.4), ("unrelated", 0.15), ("haploidentical", 0.4), ("cord", 0.05)])
            } else {
                "autologous"
            };
            cells.push(("transplant_kind", kind.to_owned()));
        }
        _ => {}
    }
    cells
}

/// Weight (kg) and height (cm) at an age, plausible and no growth chart.
fn body(age: f64, rng: &mut StdRng) -> (f64, f64) {
    let (weight, height) = match age {
        age if age < 1.0 => (3.4 + 6.2 * age, 50.0 + 25.0 * age),
        age if age < 10.0 => (7.6 + 2.3 * age, 70.0 + 6.6 * age),
        age if age < 17.0 => (30.6 + 4.2 * (age - 10.0), 136.0 + 4.3 * (age - 10.0)),
        _ => (66.0, 166.0),
    };
    (weight * rng.random_range(0.86..1.16), height * rng.random_range(0.95..1.05))
}

fn doses(
    registry: &mut Registry,
    story: &Story,
    course: &Course,
    course_no: usize,
    hospital: &Hospital,
    rng: &mut StdRng,
) {
    let last = course.end.unwrap_or_else(|| story.last_contact()).min(story.last_contact());
    let mut planned: Vec<(NaiveDate, usize)> = Vec::new();
    for (index, dose) in course.doses.iter().enumerate() {
        let first = plus(course.start, between(rng, 0, 2));
        planned.extend(
            [first, plus(first, dose.every)].into_iter().filter(|date| *date <= last).map(|date| (date, index)),
        );
    }
    planned.sort_by_key(|(date, index)| (*date, *index));
    planned.truncate(SAMPLE);
    for (number_in_course, (date, index)) in planned.into_iter().enumerate() {
        let dose = course.doses[index];
        let missing = hospital.is_out(dose.inn, date);
        let reason = if missing && chance(rng, 0.7) {
            "medicine_unavailable"
        } else if chance(rng, 0.03) {
            code(rng, &[("toxicity", 0.45), ("clinical", 0.3), ("family", 0.1), ("transport", 0.1), ("other", 0.05)])
        } else {
            ""
        };
        let late = if chance(rng, 0.1) { between(rng, 1, 4) } else { 0 };
        let given = plus(date, late).min(last);
        let hour = 60 * between(rng, 8, 12);
        let share = if chance(rng, 0.08) { 0.75 } else { rng.random_range(0.94..1.04) };
        let mut cells = vec![
            ("patient_id", story.id.clone()),
            ("tumour_seq", story.tumour_seq().to_owned()),
            ("course_no", course_no.to_string()),
            ("admin_no", (number_in_course + 1).to_string()),
            ("inn", dose.inn.to_owned()),
            ("atc", dose.atc.to_owned()),
            ("dose_unit", dose.unit.to_owned()),
            ("protocol_dose", number(dose.amount, 2)),
            ("route", dose.route.to_owned()),
            ("planned_at", stamp(time(date, hour))),
        ];
        if reason.is_empty() {
            cells.extend([
                ("dose", number(dose.amount * share, 2)),
                ("given_at", stamp(time(given, hour + between(rng, 0, 180)))),
            ]);
        } else {
            cells.push(("not_given_reason", reason.to_owned()));
        }
        registry.add("administration", &cells);
    }
}

//! `treatments`: one row per course; `doses`: one row per administration.

use std::collections::HashMap;

use super::{
    cases::protocol,
    sheet::{Sheet, SheetError, SheetRow},
};
use crate::{
    case::{Case, Cases, year},
    derive::interval::between,
    registry::Row,
};

/// Fills `treatments`.
///
/// # Errors
/// Where a field is not in the dictionary.
pub fn fill(sheet: &mut Sheet<'_>, cases: &Cases<'_>) -> Result<(), SheetError> {
    let mut by_supply: HashMap<Vec<&str>, bool> = HashMap::new();
    for dose in cases.registry.rows("administration") {
        let missed = by_supply.entry(course_key(&dose)).or_insert(false);
        *missed |= dose.value("not_given_reason") == "medicine_unavailable";
    }
    for case in &cases.cases {
        for course in &case.courses {
            let mut row = sheet.row(case.patient.value("patient_id"));
            about_the_case(&mut row, case)?;
            row.code("iccc_group", Some(case.facts.classified.group()))?
                .number("diagnosis_year", year(case.facts.diagnosis))?
                .number("start_year", year(course.date("start_date")))?
                .code("facility_level", cases.level(course, "facility_id"))?
                .code("protocol", protocol(course.some("protocol")))?
                .number("duration_days", between(course.date("start_date"), course.date("end_date")).days())?
                .number("delay_days", between(case.facts.diagnosis, course.date("start_date")).days())?
                .answer("interrupted_by_supply", by_supply.get(&course_key(course)).copied())?;
            for field in ["intent", "modality", "phase", "end_reason", "transplant_kind"] {
                row.code(field, course.some(field))?;
            }
        }
    }
    Ok(())
}

/// Fills `doses`.
///
/// # Errors
/// Where a field is not in the dictionary.
pub fn fill_doses(sheet: &mut Sheet<'_>, cases: &Cases<'_>) -> Result<(), SheetError> {
    let courses: HashMap<Vec<&str>, &Row<'_>> =
        cases.cases.iter().flat_map(|case| &case.courses).map(|course| (course_key(course), course)).collect();
    for dose in cases.registry.rows("administration") {
        let Some(case) = cases.case_of(&dose) else { continue };
        let (planned, given) = (dose.time("planned_at"), dose.time("given_at"));
        let percent = match (dose.number::<f64>("dose"), dose.number::<f64>("protocol_dose")) {
            // the bounds of the field take care of what no u16 holds
            (Some(dose), Some(protocol)) if protocol > 0.0 => Some((100.0 * dose / protocol).round() as i64),
            _ => None,
        };
        let was_given = if given.is_some() { Some(true) } else { dose.some("not_given_reason").map(|_| false) };
        let mut row = sheet.row(case.patient.value("patient_id"));
        about_the_case(&mut row, case)?;
        row.code("medicine", dose.some("inn"))?
            .code("route", dose.some("route"))?
            .number("planned_year", year(planned.map(|time| time.date())))?
            .answer("given", was_given)?
            .code("not_given_reason", dose.some("not_given_reason"))?
            .number("delay_days", planned.zip(given).and_then(|(planned, given)| planned.days_until(&given)))?
            .number("dose_percent", percent)?
            .code("facility_level", courses.get(&course_key(&dose)).and_then(|c| cases.level(c, "facility_id")))?;
    }
    Ok(())
}

fn about_the_case(row: &mut SheetRow<'_, '_>, case: &Case<'_>) -> Result<(), SheetError> {
    row.code("index_cancer", case.facts.classified.index_cancer_or_other())?
        .code("age_band", case.facts.age_band)?
        .code("sex", case.patient.some("sex"))?;
    Ok(())
}

fn course_key<'r>(row: &Row<'r>) -> Vec<&'r str> {
    ["patient_id", "tumour_seq", "course_no"].map(|field| row.value(field)).to_vec()
}

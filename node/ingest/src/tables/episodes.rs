//! `febrile_episodes` and `deteriorations`: safety in hospital.

use super::sheet::{Sheet, SheetError};
use crate::{
    case::{Cases, age_band_on, year},
    derive::{
        early_warning::{Parts, colour, total},
        golden_hour::within_target,
    },
    quality::subject::{antibiotic_minutes, eligible},
};

/// Fills `febrile_episodes`.
///
/// # Errors
/// Where a field is not in the dictionary.
pub fn fill_febrile(sheet: &mut Sheet<'_>, cases: &Cases<'_>) -> Result<(), SheetError> {
    for episode in cases.registry.rows("febrile_episode") {
        let Some(patient) = cases.patients.get(episode.value("patient_id")) else { continue };
        let inpatient = episode.value("setting") == "inpatient";
        let begun = episode.time(if inpatient { "fever_at" } else { "arrival_at" }).map(|time| time.date());
        let minutes = antibiotic_minutes(&episode);
        sheet
            .row(patient.value("patient_id"))
            .number("year", year(begun))?
            .code("setting", episode.some("setting"))?
            .answer("eligible", eligible(&episode))?
            .number("minutes_to_antibiotic", minutes)?
            .answer("within_60_min", minutes.and_then(within_target))?
            .code("outcome", episode.some("outcome"))?
            .code("facility_level", cases.level(&episode, "facility_id"))?
            .code("age_band", age_band_on(Some(patient), begun))?
            .code("sex", patient.some("sex"))?;
    }
    Ok(())
}

/// Fills `deteriorations`.
///
/// # Errors
/// Where a field is not in the dictionary.
pub fn fill_deteriorations(sheet: &mut Sheet<'_>, cases: &Cases<'_>) -> Result<(), SheetError> {
    for record in cases.registry.rows("deterioration") {
        let Some(patient) = cases.patients.get(record.value("patient_id")) else { continue };
        let at = record.time("at");
        let date = at.map(|time| time.date());
        let assessment = record.value("record_kind") == "assessment";
        let score = total(
            record.number("score_total"),
            &Parts {
                neurological: record.number("score_neurological"),
                cardiovascular: record.number("score_cardiovascular"),
                respiratory: record.number("score_respiratory"),
                staff_concern: record.number("score_staff_concern"),
                family_concern: record.number("score_family_concern"),
            },
        )
        .filter(|_| assessment);
        let reviewed = record.time("reviewed_at");
        let minutes = at.zip(reviewed).and_then(|(at, reviewed)| at.minutes_until(&reviewed));
        let mut row = sheet.row(patient.value("patient_id"));
        row.number("year", year(date))?
            .code("record_kind", record.some("record_kind"))?
            .number("score_total", score)?
            .code("colour", score.map(colour))?
            .code("facility_level", cases.level(&record, "facility_id"))?
            .code("age_band", age_band_on(Some(patient), date))?
            .code("sex", patient.some("sex"))?
            .answer("eligible", record.answer("escalation_limits").map(|limits| !limits))?;
        if assessment {
            row.code("instrument", record.some("instrument"))?;
        } else {
            row.code("cde_kind", record.some("cde_kind"))?.code("outcome", record.some("outcome"))?;
        }
        if score.map(colour) == Some("red") {
            row.answer("reviewed", reviewed.map(|_| true))?.number("minutes_to_review", minutes)?;
        }
    }
    Ok(())
}

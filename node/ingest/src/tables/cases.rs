//! `cases`: one row per tumour.

use super::sheet::{Sheet, SheetError};
use crate::{
    case::{Case, Cases, year},
    derive::{
        abandonment::{Status, lost_to_follow_up, transferred},
        age::in_alliance_extract,
        endpoint::Endpoint,
        interval::between,
        stage::stage,
        toronto::Schema,
    },
    quality::evaluate::Findings,
    registry::Row,
};

/// Fills the table.
///
/// # Errors
/// Where a field is not in the dictionary.
pub fn fill(sheet: &mut Sheet<'_>, cases: &Cases<'_>, findings: &Findings) -> Result<(), SheetError> {
    for case in &cases.cases {
        let key: Vec<String> = case.tumour.key().into_iter().map(str::to_owned).collect();
        one(sheet, cases, case, findings.warned.contains(&key))?;
    }
    Ok(())
}

fn one(sheet: &mut Sheet<'_>, cases: &Cases<'_>, case: &Case<'_>, warned: bool) -> Result<(), SheetError> {
    let (patient, tumour, facts) = (&case.patient, &case.tumour, &case.facts);
    let fate = cases.fate(case);
    let status = fate.and_then(|fate| fate.latest.some("followup_status"));
    let mut row = sheet.row(patient.value("patient_id"));
    for field in ["sex", "coverage_scheme"] {
        row.code(field, patient.some(field))?;
    }
    for field in ["behaviour", "basis", "laterality", "grade", "who_cns_grade", "immunophenotype", "cohort"] {
        row.code(field, tumour.some(field))?;
    }
    row.number("morphology", tumour.number::<u16>("morphology"))?
        .number("age_years", facts.age_years)?
        .code("age_band", facts.age_band)?
        .number("diagnosis_year", year(facts.diagnosis))?
        .code("topography_site", tumour.value("topography").get(..3))?
        .code("region", cases.region(patient, "residence_region"))?
        .code("facility_level", cases.level(tumour, "facility_id"))?
        .code("protocol", protocol(tumour.some("protocol")))?
        .code("risk_group", tumour.some("risk_value"))?
        .code("multiple_primary", multiple_primary(tumour))?
        .answer("alliance_extract", facts.age_band.map(in_alliance_extract))?
        .yes_no("quality_warning", warned)?;

    let classified = &facts.classified;
    row.code("iccc_group", Some(classified.group()))?
        .code("iccc_subgroup", Some(classified.subgroup()))?
        .code("iccc_extended", Some(classified.extended()))?
        .code("index_cancer", classified.index_cancer_or_other())?;

    let value = tumour.some("stage_value");
    let schema = tumour.some("stage_schema").or_else(|| value.and(classified.toronto).map(Schema::code));
    let tier1 = value.zip(classified.toronto).and_then(|(value, schema)| schema.tier1(value));
    row.code("toronto_schema", schema)?
        .code("toronto_stage", value)?
        .code("stage", value.and_then(stage))?
        .code("toronto_tier1", tier1)?
        .answer("metastatic", facts.metastatic)?
        .answer("marker_tested", tumour.some("markers_tested").map(|_| true))?
        .answer("mrd_known", tumour.some("mrd_percent").map(|_| true))?;

    let registered = tumour.date("registered_on");
    row.number("registered_days_ago", cases.days_to_extract(registered))?
        .number("registration_delay_days", between(facts.diagnosis, registered).days())?
        .number("patient_interval_days", facts.intervals.patient.days())?
        .number("diagnosis_interval_days", facts.intervals.diagnosis.days())?
        .number("treatment_interval_days", facts.intervals.treatment.days())?
        .number("total_interval_days", facts.intervals.total.days())?;

    let abandoned = matches!(facts.abandonment.status, Status::NeverStarted | Status::Interrupted);
    row.answer("treated", facts.treated)?
        .answer("curative_intent", facts.curative)?
        .code("abandonment", Some(facts.abandonment.status.code()))?;
    if abandoned {
        row.answer("abandonment_returned", facts.abandonment.returned)?;
    }
    let vital =
        if fate.is_some_and(|fate| fate.dead) { Some("0") } else { fate.and_then(|f| f.latest.some("vital_status")) };
    row.code("vital_status", vital)?
        .code("followup_status", status)?
        .answer("lost_to_follow_up", status.and_then(lost_to_follow_up))?
        .answer("transferred", status.and_then(transferred))?
        .answer("palliative_care", fate.and_then(|fate| fate.palliative))?
        .answer("death_30d", facts.death_30d)?
        .answer("treatment_related_death", facts.treatment_related_death)?;

    for (name, endpoint) in [
        ("overall", facts.overall),
        ("event_free", facts.event_free),
        ("overall_abandonment", facts.overall_abandonment),
        ("event_free_abandonment", facts.event_free_abandonment),
    ] {
        let Some(Endpoint { days, event }) = endpoint else { continue };
        row.number(&format!("{name}_days"), Some(days))?.code(&format!("{name}_event"), Some(event))?;
    }
    Ok(())
}

/// The protocol of the code list, `other` for one that it does not know.
pub(super) fn protocol(value: Option<&str>) -> Option<&str> {
    match value? {
        known @ ("NWTS-3" | "NWTS-4") => Some(known),
        _ => Some("other"),
    }
}

/// By the sequence number: 0 the only one, 1 the first of several; from 60 on non-malignant ones in the same way.
fn multiple_primary(tumour: &Row<'_>) -> Option<&'static str> {
    match tumour.number::<u16>("tumour_seq")? {
        0 | 60 => Some("only"),
        1 | 61 => Some("first"),
        _ => Some("later"),
    }
}

//! Makes another tumour of a patient's only one: codes, side, age and sex as a rule wants them.

use super::{
    PlantError,
    bed::{Bed, Person},
};
use crate::{draw, tumour::is_paired};

/// A tumour as a rule wants it. Codes follow ICD-O-3 and, for `iccc`, the ICCC-3 update of 2017.
#[derive(Debug, Clone, Copy)]
pub(super) struct Recast {
    pub(super) topography: &'static str,
    pub(super) morphology: u16,
    pub(super) behaviour: &'static str,
    pub(super) iccc: &'static str,
    /// Completed years at diagnosis.
    pub(super) ages: (i64, i64),
    /// `1`, `2`, or empty where it may stay.
    pub(super) sex: &'static str,
}

/// A tumour of behaviour 3 at an age of a range.
pub(super) const fn recast(topography: &'static str, morphology: u16, iccc: &'static str, ages: (i64, i64)) -> Recast {
    Recast { topography, morphology, behaviour: "3", iccc, ages, sex: "" }
}

impl Recast {
    pub(super) const fn of_sex(self, sex: &'static str) -> Self {
        Self { sex, ..self }
    }

    pub(super) const fn of_behaviour(self, behaviour: &'static str) -> Self {
        Self { behaviour, ..self }
    }
}

/// Columns that say something of the earlier tumour.
const OUTDATED: &[&str] = &[
    "who_cns_grade",
    "icd10",
    "stage_schema",
    "stage_value",
    "stage_tier",
    "stage_guideline_version",
    "stage_basis",
    "metastasis_site",
    "markers_tested",
    "markers_positive",
    "markers_failed",
    "immunophenotype",
    "wbc_at_dx",
    "csf_wbc_per_ul",
    "csf_rbc_per_ul",
    "csf_blasts",
    "cns_clinical_signs",
    "risk_scheme",
    "risk_value",
];

/// Columns of the stage.
pub(super) const STAGE: &[&str] =
    &["stage_schema", "stage_value", "stage_tier", "stage_guideline_version", "stage_basis", "metastasis_site"];

const PATH: &[&str] =
    &["symptom_onset_date", "first_contact_date", "first_suspicion_date", "referral_date", "specialist_seen_date"];

/// Patients whose tumour may become another: one malignant tumour, seen under the microscope, in a child; leukaemias last.
pub(super) fn plain(bed: &mut Bed<'_>) -> Vec<(Person, usize)> {
    let mut found = bed.rows(
        |person| &person.tumours,
        |bed, person, tumour| {
            bed.only_tumour(person).is_some()
                && bed.get("tumour", tumour, "behaviour") == "3"
                && matches!(bed.get("tumour", tumour, "basis"), "5" | "6" | "7" | "8")
                && (0..=19).contains(&bed.age(tumour))
                && !bed.get("tumour", tumour, "stage_value").starts_with("y-")
        },
    );
    found.sort_by_key(|(_, tumour)| bed.get("tumour", *tumour, "iccc_code").starts_with("I("));
    found
}

/// Recasts so many tumours and records them.
pub(super) fn plant(bed: &mut Bed<'_>, count: usize, to: Recast) -> Result<Vec<usize>, PlantError> {
    let candidates = plain(bed);
    let mut rows = Vec::new();
    for (person, tumour) in bed.take(candidates, count)? {
        apply(bed, &person, tumour, to);
        bed.record("tumour", tumour);
        rows.push(tumour);
    }
    Ok(rows)
}

/// Makes another tumour of one.
pub(super) fn apply(bed: &mut Bed<'_>, person: &Person, tumour: usize, to: Recast) {
    let years = draw::between(&mut bed.rng, to.ages.0, to.ages.1);
    codes(bed, tumour, to);
    if !(to.ages.0..=to.ages.1).contains(&bed.age(tumour)) {
        set_age(bed, person, tumour, years);
    }
    if !to.sex.is_empty() {
        bed.set("patient", person.patient, "sex", to.sex);
    }
}

/// Writes the codes of another tumour.
pub(super) fn codes(bed: &mut Bed<'_>, tumour: usize, to: Recast) {
    bed.set("tumour", tumour, "topography", to.topography);
    bed.set("tumour", tumour, "morphology", to.morphology);
    bed.set("tumour", tumour, "behaviour", to.behaviour);
    bed.set("tumour", tumour, "iccc_code", to.iccc);
    bed.set("tumour", tumour, "laterality", if is_paired(to.topography) { "1" } else { "0" });
    bed.set("tumour", tumour, "grade", "9");
    bed.clear("tumour", tumour, OUTDATED);
}

/// Moves the birth so that the patient has another age at diagnosis.
pub(super) fn set_age(bed: &mut Bed<'_>, person: &Person, tumour: usize, years: i64) {
    let Some(diagnosis) = bed.date("tumour", tumour, "diagnosis_date") else { return };
    let birth = draw::birth(&mut bed.rng, diagnosis, years);
    bed.set("patient", person.patient, "birth_date", birth);
    bed.set("tumour", tumour, "extract_age_years", years);
    for column in PATH {
        if bed.date("tumour", tumour, column).is_some_and(|date| date < birth) {
            bed.set("tumour", tumour, column, birth);
        }
    }
}

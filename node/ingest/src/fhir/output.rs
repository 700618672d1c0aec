//! The rows that FHIR fills, field by field, on their way to the listener.

use std::{io, path::Path};

use crate::{
    defect::{Defect, Rule},
    mapping::plan::Plan,
    reader::Listener,
    row::RowBuffer,
};

/// The collections in the order of their targets, with the fields that are filled.
pub(super) const FILLED: &[(&str, &[&str])] = &[
    (
        "patient",
        &["patient_id", "birth_date", "sex", "residence_country", "residence_region", "legal_basis", "objection"],
    ),
    (
        "tumour",
        &[
            "patient_id",
            "tumour_seq",
            "diagnosis_date",
            "topography",
            "morphology",
            "behaviour",
            "basis",
            "laterality",
            "icd10",
            "stage_schema",
            "stage_value",
            "stage_tier",
            "stage_guideline_version",
            "stage_basis",
            "first_contact_date",
            "first_suspicion_date",
            "referral_date",
            "specialist_seen_date",
        ],
    ),
    (
        "course",
        &[
            "patient_id",
            "tumour_seq",
            "course_no",
            "intent",
            "modality",
            "protocol",
            "phase",
            "start_date",
            "end_date",
            "planned_end_date",
            "end_reason",
            "radiotherapy_gy",
            "radiotherapy_fractions",
            "transplant_kind",
        ],
    ),
    (
        "administration",
        &[
            "patient_id",
            "tumour_seq",
            "course_no",
            "admin_no",
            "inn",
            "atc",
            "dose",
            "dose_unit",
            "protocol_dose",
            "route",
            "planned_at",
            "given_at",
            "not_given_reason",
        ],
    ),
    (
        "event",
        &[
            "patient_id",
            "tumour_seq",
            "event_number",
            "event_type",
            "event_date",
            "event_site",
            "abandonment_kind",
            "abandonment_reason",
        ],
    ),
    ("follow_up", &["patient_id", "last_contact_date", "vital_status", "followup_status", "death_date"]),
];
/// Targets by their numbers in [`FILLED`].
pub(super) const PATIENT: usize = 0;
pub(super) const TUMOUR: usize = 1;
pub(super) const COURSE: usize = 2;
pub(super) const ADMINISTRATION: usize = 3;
pub(super) const EVENT: usize = 4;
pub(super) const FOLLOW_UP: usize = 5;

/// Where rows and defects go.
pub(super) struct Output<'o> {
    pub(super) path: &'o Path,
    pub(super) plan: &'o Plan<'o>,
    pub(super) listener: &'o mut dyn Listener,
    pub(super) row: RowBuffer,
}

impl Output<'_> {
    /// Writes a row from the fields that have a value, in any order.
    pub(super) fn row(&mut self, target: usize, line: u64, values: &[(&str, &str)]) -> io::Result<()> {
        self.row.clear();
        for field in &self.plan.targets[target].table.fields {
            let value = values.iter().find(|(name, _)| *name == field.name).map_or("", |(_, value)| value);
            self.row.push(value);
        }
        self.listener.row(self.plan, target, line, &self.row)
    }

    /// Says that a resource is about a patient who is not in the file.
    pub(super) fn nobody(&mut self, line: u64, element: &str) {
        self.listener.defect(Defect {
            file: self.path.into(),
            line,
            column: Some(element.to_owned()),
            found: None,
            rule: Rule::Reference,
            quality: None,
            fix: "no such Patient in this file: export the patients with what belongs to them".to_owned(),
        });
    }
}

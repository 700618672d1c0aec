//! Rules on early-warning scores and what should follow or precede them.

use std::collections::HashMap;

use node_domain::date_time::PartialTime;

use crate::{
    case::Cases,
    derive::early_warning::{Parts, total_agrees},
    registry::Row,
};

/// Whether a score's total is not the sum of its parts, or beyond the instrument's range.
#[must_use]
pub fn total_is_wrong(record: &Row<'_>, maximum: i64) -> bool {
    let Some(total) = record.number::<u8>("score_total") else { return false };
    let parts = Parts {
        neurological: record.number("score_neurological"),
        cardiovascular: record.number("score_cardiovascular"),
        respiratory: record.number("score_respiratory"),
        staff_concern: record.number("score_staff_concern"),
        family_concern: record.number("score_family_concern"),
    };
    let known_range = matches!(record.value("instrument"), "EVAT" | "EVATH" | "PEWS_RL");
    total_agrees(Some(total), &parts) == Some(false) || (known_range && i64::from(total) > maximum)
}

/// Clinical deterioration events without an assessment in the hours before. Children whose care is not to be escalated are left
/// aside: for them no event is counted.
#[must_use]
pub fn without_early_warning<'c>(cases: &Cases<'c>, hours: i64) -> Vec<Row<'c>> {
    let registry = cases.registry;
    let mut assessments: HashMap<&str, Vec<PartialTime>> = HashMap::new();
    for record in registry.rows("deterioration").filter(|record| record.value("record_kind") == "assessment") {
        assessments.entry(record.value("patient_id")).or_default().extend(record.time("at"));
    }
    let assessed = |row: &Row<'c>, at: PartialTime| {
        let times = assessments.get(row.value("patient_id")).into_iter().flatten();
        times.into_iter().any(|time| time.minutes_until(&at).is_some_and(|m| (0..=hours * 60).contains(&m)))
    };
    let worse = |row: &Row<'c>| -> Option<PartialTime> {
        let counted = row.value("record_kind") == "event" && row.answer("escalation_limits") != Some(true);
        row.time("at").filter(|at| counted && at.has_clock())
    };
    let records = registry.rows("deterioration");
    records.filter(|row| worse(row).is_some_and(|at| !assessed(row, at))).collect()
}

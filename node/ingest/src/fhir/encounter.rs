//! Encounter: the patient was seen; where its type says so, a step on the way to the diagnosis.

use serde::Deserialize;
use serde_json::Value;

use super::{
    code::PATHWAY,
    element::{Concept, Period, Reference, Turned, day, subject, targets, typed},
};

/// A visit.
#[derive(Debug)]
pub(super) struct Visit {
    pub(super) line: u64,
    pub(super) patient: String,
    pub(super) about: Vec<String>,
    pub(super) start: String,
    pub(super) end: String,
    /// The field of a tumour that the visit is the date of.
    pub(super) step: Option<&'static str>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Encounter {
    status: Option<String>,
    #[serde(rename = "type")]
    kind: Vec<Concept>,
    subject: Reference,
    period: Period,
    reason_reference: Vec<Reference>,
    diagnosis: Vec<Diagnosis>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Diagnosis {
    condition: Reference,
}

pub(super) fn visit(value: &Value, line: u64) -> Result<Visit, Turned> {
    let encounter: Encounter = typed(value)?;
    let took_place = ["arrived", "triaged", "in-progress", "onleave", "finished"];
    if !encounter.status.as_deref().is_some_and(|status| took_place.contains(&status)) {
        return Err(Turned::Unused("not taken place"));
    }
    let Some(start) = encounter.period.start.as_deref() else { return Err(Turned::Unused("without a date")) };
    let step = encounter.kind.iter().flat_map(|kind| kind.codes(PATHWAY)).find_map(|code| match code {
        "first-contact" => Some("first_contact_date"),
        "suspicion" => Some("first_suspicion_date"),
        "referral" => Some("referral_date"),
        "specialist-seen" => Some("specialist_seen_date"),
        _ => None,
    });
    let mut about = targets(&encounter.reason_reference);
    about.extend(encounter.diagnosis.iter().filter_map(|diagnosis| diagnosis.condition.target()));
    Ok(Visit {
        line,
        patient: subject(&encounter.subject, "subject")?,
        about,
        start: day(start).to_owned(),
        end: day(encounter.period.end.as_deref().unwrap_or(start)).to_owned(),
        step,
    })
}

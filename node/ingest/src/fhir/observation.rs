//! Observation: a stage, an event, or the state of a patient at the last contact.

use serde::Deserialize;
use serde_json::Value;

use super::{
    code::{
        self, ABANDONMENT_KIND, ABANDONMENT_REASON, EVENT, EVENT_SITE, FOLLOW_UP, FOLLOW_UP_STATUS, LOINC, SNOMED,
        TORONTO_STAGE, TORONTO_TIER, TORONTO_VERSION, understood,
    },
    element::{Concept, Period, Reference, Turned, day, subject, targets, typed},
};

/// What one Observation tells of a patient.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) line: u64,
    pub(super) patient: String,
    /// The Conditions that it is about.
    pub(super) about: Vec<String>,
    pub(super) date: String,
    pub(super) what: What,
}

#[derive(Debug)]
pub(super) enum What {
    Stage(Box<Stage>),
    Event(Box<Event>),
    /// Code of the list `vital_status`.
    Vital(&'static str),
    /// The patient, or someone who knows, was reached.
    Contact,
    /// Code of the list `followup_status`.
    Status(String),
}

/// A stage by the Toronto guidelines.
#[derive(Debug, Clone, Default)]
pub(super) struct Stage {
    pub(super) schema: String,
    pub(super) value: String,
    pub(super) tier: String,
    pub(super) version: String,
    pub(super) basis: &'static str,
}

#[derive(Debug)]
pub(super) struct Event {
    pub(super) kind: String,
    pub(super) site: String,
    pub(super) abandonment_kind: String,
    pub(super) abandonment_reason: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Observation {
    status: Option<String>,
    code: Concept,
    subject: Reference,
    focus: Vec<Reference>,
    effective_date_time: Option<String>,
    effective_period: Period,
    value_codeable_concept: Concept,
    value_date_time: Option<String>,
    body_site: Concept,
    method: Concept,
}

/// LOINC: vital status.
const VITAL_STATUS: &str = "67162-8";

pub(super) fn finding(value: &Value, line: u64) -> Result<Finding, Turned> {
    let observation: Observation = typed(value)?;
    if matches!(observation.status.as_deref(), Some("entered-in-error" | "cancelled")) {
        return Err(Turned::Unused("cancelled"));
    }
    let effective = observation.effective_date_time.as_deref().or(observation.effective_period.start.as_deref());
    let (mut date, value) = (effective, &observation.value_codeable_concept);
    let words = |concept: &Concept, system| concept.code(system).unwrap_or_default().to_owned();
    let what = if let Some(schema) = observation.code.code(TORONTO_STAGE) {
        let basis = |systems| understood(&observation.code, systems, code::STAGE_BASIS);
        What::Stage(Box::new(Stage {
            schema: schema.to_owned(),
            value: words(value, TORONTO_STAGE),
            tier: words(&observation.method, TORONTO_TIER),
            version: words(&observation.method, TORONTO_VERSION),
            basis: basis(LOINC).or_else(|| basis(SNOMED)).unwrap_or_default(),
        }))
    } else if let Some(kind) = observation.code.code(EVENT) {
        What::Event(Box::new(Event {
            kind: kind.to_owned(),
            site: observation.body_site.codes(EVENT_SITE).collect::<Vec<_>>().join(";"),
            abandonment_kind: words(value, ABANDONMENT_KIND),
            abandonment_reason: words(value, ABANDONMENT_REASON),
        }))
    } else if observation.code.codes(LOINC).any(|code| code == VITAL_STATUS) {
        What::Vital(understood(value, SNOMED, code::VITAL_STATUS).unwrap_or("9"))
    } else {
        match observation.code.code(FOLLOW_UP) {
            Some("last-contact") => {
                date = observation.value_date_time.as_deref().or(date);
                What::Contact
            }
            Some("status") => What::Status(words(value, FOLLOW_UP_STATUS)),
            _ => return Err(Turned::Unused("")),
        }
    };
    Ok(Finding {
        line,
        patient: subject(&observation.subject, "subject")?,
        about: targets(&observation.focus),
        date: date.map(day).unwrap_or_default().to_owned(),
        what,
    })
}

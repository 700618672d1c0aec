//! Patient, and what says on which ground and whether the data may be used: Consent and Flag.

use serde::Deserialize;
use serde_json::Value;

use super::{
    code::{CONSENT_SCOPE, IDENTIFIER_TYPE, LEGAL_BASIS, Lists, OBJECTION},
    element::{self, Concept, Identifier, Meta, Period, Reference, Turned, day, subject, typed},
};

/// A patient as far as the dictionary asks.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) line: u64,
    pub(super) id: String,
    pub(super) birth_date: String,
    pub(super) sex: String,
    pub(super) country: String,
    pub(super) region: String,
    pub(super) legal_basis: Option<String>,
    /// Whether the patient has died, where that is said; the day where it is known.
    pub(super) died: Option<(bool, Option<String>)>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Patient {
    id: Option<String>,
    meta: Meta,
    identifier: Vec<Identifier>,
    gender: Option<String>,
    birth_date: Option<String>,
    address: Vec<Address>,
    deceased_boolean: Option<bool>,
    deceased_date_time: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Address {
    #[serde(rename = "use")]
    usage: Option<String>,
    country: Option<String>,
    state: Option<String>,
}

impl Patient {
    /// The medical record number, else the identifier in usual use, else any but a national one, else the server's.
    fn patient_id(&self) -> Option<&str> {
        let usable = || {
            let national = |identifier: &&Identifier| identifier.kind.codes(IDENTIFIER_TYPE).any(|kind| kind == "NI");
            self.identifier.iter().filter(|one| one.value.is_some()).filter(move |one| !national(one))
        };
        let record = usable().find(|one| one.kind.codes(IDENTIFIER_TYPE).any(|kind| kind == "MR"));
        let usual = || usable().find(|one| one.usage.as_deref() == Some("usual"));
        let identifier = record.or_else(usual).or_else(|| usable().next());
        identifier.and_then(|one| one.value.as_deref()).or(self.id.as_deref())
    }
}

pub(super) fn person(value: &Value, line: u64, lists: &Lists) -> Result<Person, Turned> {
    let patient: Patient = typed(value)?;
    let home = patient.address.iter().find(|address| address.usage.as_deref() == Some("home"));
    let address = home.or(patient.address.first());
    let part = |part: Option<&Option<String>>| part.cloned().flatten().unwrap_or_default();
    let (country, region) =
        lists.place(&part(address.map(|address| &address.country)), &part(address.map(|address| &address.state)));
    let died = match (&patient.deceased_date_time, patient.deceased_boolean) {
        (Some(at), _) => Some((true, Some(day(at).to_owned()))),
        (None, said) => said.map(|died| (died, None)),
    };
    Ok(Person {
        line,
        id: patient.patient_id().unwrap_or_default().to_owned(),
        birth_date: patient.birth_date.clone().unwrap_or_default(),
        sex: match patient.gender.as_deref() {
            Some("male") => "1",
            Some("female") => "2",
            Some("other") => "3",
            Some("unknown") => "9",
            other => other.unwrap_or_default(),
        }
        .to_owned(),
        country,
        region,
        legal_basis: element::codes(&patient.meta.tag, LEGAL_BASIS).next().map(str::to_owned),
        died,
    })
}

/// What a patient allowed or objected to.
#[derive(Debug)]
pub(super) struct Decision {
    pub(super) line: u64,
    pub(super) patient: String,
    pub(super) date: String,
    pub(super) permits: bool,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Consent {
    status: Option<String>,
    scope: Concept,
    patient: Reference,
    date_time: Option<String>,
    provision: Provision,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Provision {
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// A consent to research or to the use of data; one to treatment says nothing about the data.
pub(super) fn consent(value: &Value, line: u64) -> Result<Decision, Turned> {
    let consent: Consent = typed(value)?;
    if !consent.scope.codes(CONSENT_SCOPE).any(|scope| matches!(scope, "research" | "patient-privacy")) {
        return Err(Turned::Unused("not about the use of data"));
    }
    let permits = match (consent.status.as_deref(), consent.provision.kind.as_deref()) {
        (Some("rejected"), _) | (Some("active"), Some("deny")) => false,
        (Some("active"), Some("permit")) => true,
        _ => return Err(Turned::Unused("not in force")),
    };
    let date = consent.date_time.as_deref().map(day).unwrap_or_default().to_owned();
    Ok(Decision { line, patient: subject(&consent.patient, "patient")?, date, permits })
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Flag {
    status: Option<String>,
    code: Concept,
    subject: Reference,
    period: Period,
}

/// A flag that the patient or the representative objected.
pub(super) fn flag(value: &Value, line: u64) -> Result<Decision, Turned> {
    let flag: Flag = typed(value)?;
    if flag.status.as_deref() != Some("active") || flag.code.code(OBJECTION) != Some("yes") {
        return Err(Turned::Unused(""));
    }
    let date = flag.period.start.as_deref().map(day).unwrap_or_default().to_owned();
    Ok(Decision { line, patient: subject(&flag.subject, "subject")?, date, permits: false })
}

//! Procedure, CarePlan and what is given: courses of treatment and the medicines in them.

use serde::Deserialize;
use serde_json::Value;

use super::{
    code::{self, Lists, MODALITY, NOT_GIVEN_REASON, PHASE, SNOMED, TRANSPLANT_KIND, understood, url},
    element::{
        Concept, Extension, Meta, Period, Quantity, Reference, Turned, concept, day, moment, number, subject, targets,
        typed,
    },
};

/// A course of treatment as far as one resource tells.
#[derive(Debug, Default)]
pub(super) struct Treatment {
    pub(super) line: u64,
    pub(super) patient: String,
    pub(super) about: Vec<String>,
    pub(super) modality: String,
    pub(super) intent: &'static str,
    pub(super) protocol: String,
    pub(super) phase: String,
    pub(super) start: String,
    pub(super) end: String,
    pub(super) planned_end: String,
    pub(super) end_reason: &'static str,
    pub(super) gy: String,
    pub(super) fractions: String,
    pub(super) transplant_kind: String,
}

impl Treatment {
    /// The order of a tumour's courses; those without a start come last.
    pub(super) fn order(&self) -> (bool, &str, &str, u64) {
        (self.start.is_empty(), &self.start, &self.modality, self.line)
    }
}

fn intent(extensions: &[Extension]) -> &'static str {
    concept(extensions, url::INTENT).and_then(|intent| understood(intent, SNOMED, code::INTENT)).unwrap_or_default()
}

fn end_reason(reason: Option<&Concept>, is_complete: bool) -> &'static str {
    let said = reason.and_then(|reason| understood(reason, SNOMED, code::END_REASON));
    said.or(is_complete.then_some("completed")).unwrap_or_default()
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Procedure {
    meta: Meta,
    extension: Vec<Extension>,
    status: Option<String>,
    status_reason: Option<Concept>,
    category: Concept,
    code: Concept,
    subject: Reference,
    performed_date_time: Option<String>,
    performed_period: Period,
    reason_reference: Vec<Reference>,
}

/// Surgery, radiotherapy or a transplant.
pub(super) fn procedure(value: &Value, line: u64) -> Result<Treatment, Turned> {
    let procedure: Procedure = typed(value)?;
    if !matches!(procedure.status.as_deref(), Some("in-progress" | "on-hold" | "stopped" | "completed")) {
        return Err(Turned::Unused("not done"));
    }
    let concepts = [&procedure.category, &procedure.code];
    let by_code = || concepts.iter().rev().find_map(|concept| understood(concept, SNOMED, code::PROCEDURE));
    let modality = if let Some(own) = concepts.iter().find_map(|concept| concept.code(MODALITY)) {
        own
    } else if procedure.meta.keeps(url::RADIOTHERAPY) {
        "radiotherapy"
    } else if let Some(known) = by_code() {
        known
    } else if procedure.meta.keeps(url::SURGERY) {
        "surgery"
    } else {
        return Err(Turned::Unused("no treatment of a tumour"));
    };
    let at = procedure.performed_date_time.as_deref();
    let (start, end) =
        (at.or(procedure.performed_period.start.as_deref()), at.or(procedure.performed_period.end.as_deref()));
    let (gy, fractions) = dose(&procedure.extension);
    let reason = concept(&procedure.extension, url::END_REASON).or(procedure.status_reason.as_ref());
    Ok(Treatment {
        line,
        patient: subject(&procedure.subject, "subject")?,
        about: targets(&procedure.reason_reference),
        modality: modality.to_owned(),
        intent: intent(&procedure.extension),
        start: start.map(day).unwrap_or_default().to_owned(),
        end: end.map(day).unwrap_or_default().to_owned(),
        end_reason: end_reason(reason, procedure.status.as_deref() == Some("completed")),
        gy,
        fractions,
        transplant_kind: procedure.code.code(TRANSPLANT_KIND).unwrap_or_default().to_owned(),
        ..Treatment::default()
    })
}

/// The highest dose that a volume received, in gray, with its fractions.
fn dose(extensions: &[Extension]) -> (String, String) {
    let volumes = extensions.iter().filter(|extension| extension.url == url::DOSE).filter_map(|volume| {
        let part = |url: &str| volume.extension.iter().find(|part| part.url == url);
        let total = part("totalDoseDelivered")?.value_quantity.as_ref()?;
        let gray = match total.unit() {
            "cGy" => total.value? / 100.0,
            "Gy" => total.value?,
            _ => return None,
        };
        Some((gray, part("fractionsDelivered").and_then(|part| part.value_unsigned_int)))
    });
    match volumes.max_by(|a, b| a.0.total_cmp(&b.0)) {
        Some((gray, fractions)) => (number(gray), fractions.map(|n| n.to_string()).unwrap_or_default()),
        None => Default::default(),
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct CarePlan {
    extension: Vec<Extension>,
    status: Option<String>,
    category: Vec<Concept>,
    title: Option<String>,
    subject: Reference,
    period: Period,
    addresses: Vec<Reference>,
}

/// A plan by which medicines are given.
pub(super) fn care_plan(value: &Value, line: u64) -> Result<Treatment, Turned> {
    let plan: CarePlan = typed(value)?;
    let ended = match plan.status.as_deref() {
        Some("completed" | "revoked") => true,
        Some("active" | "on-hold") => false,
        _ => return Err(Turned::Unused("not in force")),
    };
    let category = |system| plan.category.iter().find_map(move |category| category.code(system));
    let modality = category(MODALITY);
    if modality.is_none() && plan.addresses.is_empty() {
        return Err(Turned::Unused("of no tumour"));
    }
    let end = plan.period.end.as_deref().map(day).unwrap_or_default().to_owned();
    let (end, planned_end) = if ended { (end, String::new()) } else { (String::new(), end) };
    let is_complete = plan.status.as_deref() == Some("completed");
    Ok(Treatment {
        line,
        patient: subject(&plan.subject, "subject")?,
        about: targets(&plan.addresses),
        modality: modality.unwrap_or("chemotherapy").to_owned(),
        intent: intent(&plan.extension),
        protocol: plan.title.clone().unwrap_or_default(),
        phase: category(PHASE).unwrap_or_default().to_owned(),
        start: plan.period.start.as_deref().map(day).unwrap_or_default().to_owned(),
        end,
        planned_end,
        end_reason: end_reason(concept(&plan.extension, url::END_REASON), is_complete),
        ..Treatment::default()
    })
}

/// A medicine of the dictionary's list and its ATC code; `None` where the list does not hold it.
pub(super) type Medicine = Option<(String, String)>;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Medication {
    code: Concept,
}

pub(super) fn medication(value: &Value, lists: &Lists) -> Result<Medicine, Turned> {
    let medication: Medication = typed(value)?;
    Ok(lists.medicine(&medication.code))
}

/// What was ordered: when it was to be given, for which tumour and under which plan.
#[derive(Debug, Clone)]
pub(super) struct Order {
    pub(super) about: Vec<String>,
    pub(super) plans: Vec<String>,
    /// The moments at which it was to be given.
    pub(super) planned: Vec<String>,
    pub(super) protocol_dose: Option<(String, String)>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct MedicationRequest {
    reason_reference: Vec<Reference>,
    based_on: Vec<Reference>,
    dosage_instruction: Vec<Instruction>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Instruction {
    timing: Timing,
    dose_and_rate: Vec<DoseAndRate>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Timing {
    event: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct DoseAndRate {
    dose_quantity: Option<Quantity>,
}

pub(super) fn order(value: &Value) -> Result<Order, Turned> {
    let request: MedicationRequest = typed(value)?;
    let doses = request.dosage_instruction.iter().flat_map(|instruction| &instruction.dose_and_rate);
    let dose = doses.filter_map(|dose| dose.dose_quantity.as_ref()).next().map(amount);
    Ok(Order {
        about: targets(&request.reason_reference),
        plans: targets(&request.based_on),
        planned: request.dosage_instruction.iter().flat_map(|one| &one.timing.event).map(|at| moment(at)).collect(),
        protocol_dose: dose,
    })
}

/// A dose and its unit; grams are made milligrams.
fn amount(quantity: &Quantity) -> (String, String) {
    let value = quantity.value.unwrap_or_default();
    match quantity.unit() {
        "g" => (number(value * 1000.0), "mg".to_owned()),
        unit => (number(value), unit.to_owned()),
    }
}

/// A medicine that was given, or was not though it was due.
#[derive(Debug)]
pub(super) struct Administration {
    pub(super) line: u64,
    pub(super) patient: String,
    pub(super) about: Vec<String>,
    pub(super) order: Option<String>,
    pub(super) medicine: Medicine,
    /// Where the medicine is a resource of its own.
    pub(super) medication: Option<String>,
    pub(super) intent: &'static str,
    pub(super) dose: Option<(String, String)>,
    pub(super) route: String,
    /// When it was given, or due.
    pub(super) at: String,
    pub(super) given: bool,
    pub(super) not_given_reason: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct MedicationAdministration {
    extension: Vec<Extension>,
    status: Option<String>,
    status_reason: Vec<Concept>,
    medication_codeable_concept: Concept,
    medication_reference: Reference,
    subject: Reference,
    effective_date_time: Option<String>,
    effective_period: Period,
    reason_reference: Vec<Reference>,
    request: Reference,
    dosage: Dosage,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Dosage {
    route: Concept,
    dose: Option<Quantity>,
}

pub(super) fn administration(value: &Value, line: u64, lists: &Lists) -> Result<Administration, Turned> {
    let administration: MedicationAdministration = typed(value)?;
    let given = match administration.status.as_deref() {
        Some("in-progress" | "completed" | "stopped") => true,
        Some("not-done") => false,
        _ => return Err(Turned::Unused("neither given nor left out")),
    };
    let route = &administration.dosage.route;
    let words = || route.coding.iter().filter_map(|coding| coding.code.as_deref()).chain(route.names()).next();
    let at = administration.effective_date_time.as_deref().or(administration.effective_period.start.as_deref());
    let own_reason = administration.status_reason.iter().find_map(|reason| reason.code(NOT_GIVEN_REASON));
    Ok(Administration {
        line,
        patient: subject(&administration.subject, "subject")?,
        about: targets(&administration.reason_reference),
        order: administration.request.target(),
        medicine: lists.medicine(&administration.medication_codeable_concept),
        medication: administration.medication_reference.target(),
        intent: intent(&administration.extension),
        dose: administration.dosage.dose.as_ref().map(amount),
        // a route that is not understood goes on as it is: the check names it
        route: understood(route, SNOMED, code::ROUTE).or_else(words).unwrap_or_default().to_owned(),
        at: at.map(moment).unwrap_or_default(),
        given,
        not_given_reason: if given { "" } else { own_reason.unwrap_or("other") }.to_owned(),
    })
}

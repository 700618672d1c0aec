//! Condition: a tumour, where it is coded as one.

use serde::Deserialize;
use serde_json::Value;

use super::{
    code::{self, BASIS, ICD_10, ICD_O_3, SNOMED, understood, url},
    element::{Concept, Extension, Meta, Period, Reference, Turned, concept, date_time, day, subject, typed},
};

/// A tumour as far as one Condition tells.
#[derive(Debug)]
pub(super) struct Tumour {
    pub(super) line: u64,
    pub(super) patient: String,
    pub(super) diagnosis_date: String,
    pub(super) topography: String,
    pub(super) morphology: String,
    pub(super) behaviour: String,
    pub(super) laterality: &'static str,
    pub(super) basis: String,
    pub(super) icd10: String,
}

impl Tumour {
    /// The order of a patient's tumours.
    pub(super) fn order(&self) -> (&str, &str, &str, u64) {
        (&self.diagnosis_date, &self.topography, &self.morphology, self.line)
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Condition {
    meta: Meta,
    extension: Vec<Extension>,
    verification_status: Concept,
    code: Concept,
    body_site: Vec<Concept>,
    subject: Reference,
    onset_date_time: Option<String>,
    onset_period: Period,
    recorded_date: Option<String>,
    evidence: Vec<Evidence>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Evidence {
    code: Vec<Concept>,
}

/// Behaviours of the codes of ICD-O-3 that are tumours of their own; 6 and 9 are metastases.
const METASTATIC: &[&str] = &["6", "9"];

pub(super) fn tumour(value: &Value, line: u64) -> Result<Tumour, Turned> {
    let condition: Condition = typed(value)?;
    let refuted = |coding: &str| matches!(coding, "refuted" | "entered-in-error");
    if condition.verification_status.coding.iter().filter_map(|coding| coding.code.as_deref()).any(refuted) {
        return Err(Turned::Unused("refuted"));
    }
    let added = concept(&condition.extension, url::MORPHOLOGY);
    let histology = added.into_iter().chain([&condition.code]).find_map(histology);
    let topography = condition.body_site.iter().flat_map(|site| site.codes(ICD_O_3)).next();
    let is_secondary = condition.meta.keeps(url::SECONDARY)
        || histology.as_ref().is_some_and(|(_, behaviour)| METASTATIC.contains(&behaviour.as_str()));
    if is_secondary {
        return Err(Turned::Unused("a metastasis"));
    }
    if histology.is_none() && topography.is_none() && added.is_none() && !condition.meta.keeps(url::PRIMARY) {
        return Err(Turned::Unused("no tumour"));
    }
    let date = date_time(&condition.extension, url::ASSERTED)
        .or(condition.onset_date_time.as_deref())
        .or(condition.onset_period.start.as_deref())
        .or(condition.recorded_date.as_deref());
    let sides = condition.body_site.iter().filter_map(|site| concept(&site.extension, url::LATERALITY));
    let basis = condition.evidence.iter().flat_map(|evidence| &evidence.code).find_map(|code| code.code(BASIS));
    let (morphology, behaviour) = histology.unwrap_or_default();
    Ok(Tumour {
        line,
        patient: subject(&condition.subject, "subject")?,
        diagnosis_date: date.map(day).unwrap_or_default().to_owned(),
        topography: topography.unwrap_or_default().replace('.', ""),
        morphology,
        behaviour,
        laterality: sides.filter_map(|side| understood(side, SNOMED, code::LATERALITY)).next().unwrap_or_default(),
        basis: basis.unwrap_or("9").to_owned(),
        icd10: condition.code.code(ICD_10).unwrap_or_default().to_owned(),
    })
}

/// Morphology and behaviour of a code such as `8960/3`.
fn histology(concept: &Concept) -> Option<(String, String)> {
    concept.codes(ICD_O_3).find_map(|code| {
        let (morphology, behaviour) = code.split_once('/')?;
        Some((morphology.to_owned(), behaviour.to_owned()))
    })
}

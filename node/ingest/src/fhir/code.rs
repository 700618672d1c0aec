//! The code systems that are understood, and their codes in the dictionary's words.
//!
//! What FHIR has no code system for is read from systems of this project, `urn:alianza:*`; their codes are those of the dictionary's
//! list of the same name, unless said otherwise.

use std::collections::{BTreeMap, HashMap};

use node_domain::dictionary::{Code, Dictionary, Kind, Table};

use super::element::Concept;

/// ICD-O-3, topography and morphology.
pub(super) const ICD_O_3: &[&str] = &[
    "http://terminology.hl7.org/CodeSystem/icd-o-3",
    "urn:oid:2.16.840.1.113883.6.43.1",
    "http://hl7.org/fhir/sid/icd-o-3",
];
/// ICD-10 of WHO, and its clinical modification.
pub(super) const ICD_10: &[&str] = &["http://hl7.org/fhir/sid/icd-10", "http://hl7.org/fhir/sid/icd-10-cm"];
/// SNOMED CT.
pub(super) const SNOMED: &[&str] = &["http://snomed.info/sct"];
/// LOINC.
pub(super) const LOINC: &[&str] = &["http://loinc.org"];
/// ATC of WHO.
pub(super) const ATC: &[&str] = &["http://www.whocc.no/atc"];
/// Types of identifiers (HL7 version 2, table 0203).
pub(super) const IDENTIFIER_TYPE: &[&str] = &["http://terminology.hl7.org/CodeSystem/v2-0203"];
/// Scope of a consent.
pub(super) const CONSENT_SCOPE: &[&str] = &["http://terminology.hl7.org/CodeSystem/consentscope"];

/// Observation.code: the Toronto schema; Observation.value: the stage in it.
pub(super) const TORONTO_STAGE: &[&str] = &["urn:alianza:toronto-stage"];
/// Observation.method: the version of the Toronto guidelines, `1` or `2`.
pub(super) const TORONTO_VERSION: &[&str] = &["urn:alianza:toronto-version"];
/// Observation.method: the tier, `1` or `2`.
pub(super) const TORONTO_TIER: &[&str] = &["urn:alianza:toronto-tier"];
/// Observation.code: what happened (list `event_type`).
pub(super) const EVENT: &[&str] = &["urn:alianza:event"];
/// Observation.bodySite: where (list `event_site`).
pub(super) const EVENT_SITE: &[&str] = &["urn:alianza:event-site"];
/// Observation.value of an abandonment.
pub(super) const ABANDONMENT_KIND: &[&str] = &["urn:alianza:abandonment-kind"];
/// Observation.value of an abandonment.
pub(super) const ABANDONMENT_REASON: &[&str] = &["urn:alianza:abandonment-reason"];
/// Observation.code: `last-contact`, or `status` with its value from [`FOLLOW_UP_STATUS`].
pub(super) const FOLLOW_UP: &[&str] = &["urn:alianza:follow-up"];
/// Observation.value of `status`.
pub(super) const FOLLOW_UP_STATUS: &[&str] = &["urn:alianza:followup-status"];
/// Condition.evidence.code: the most valid basis of diagnosis.
pub(super) const BASIS: &[&str] = &["urn:alianza:basis"];
/// Procedure.category or code, CarePlan.category.
pub(super) const MODALITY: &[&str] = &["urn:alianza:modality"];
/// CarePlan.category.
pub(super) const PHASE: &[&str] = &["urn:alianza:phase"];
/// Procedure.code.
pub(super) const TRANSPLANT_KIND: &[&str] = &["urn:alianza:transplant-kind"];
/// MedicationAdministration.statusReason.
pub(super) const NOT_GIVEN_REASON: &[&str] = &["urn:alianza:not-given-reason"];
/// Encounter.type: `first-contact`, `suspicion`, `referral` or `specialist-seen`.
pub(super) const PATHWAY: &[&str] = &["urn:alianza:pathway"];
/// Meta.tag of a Patient, or of the Bundle for all its patients.
pub(super) const LEGAL_BASIS: &[&str] = &["urn:alianza:legal-basis"];
/// Flag.code: `yes` where the patient or the representative objected.
pub(super) const OBJECTION: &[&str] = &["urn:alianza:objection"];

/// Profiles and extensions of mCODE, and one of FHIR itself.
pub(super) mod url {
    pub(crate) const PRIMARY: &str = "http://hl7.org/fhir/us/mcode/StructureDefinition/mcode-primary-cancer-condition";
    pub(crate) const SECONDARY: &str =
        "http://hl7.org/fhir/us/mcode/StructureDefinition/mcode-secondary-cancer-condition";
    pub(crate) const MORPHOLOGY: &str =
        "http://hl7.org/fhir/us/mcode/StructureDefinition/mcode-histology-morphology-behavior";
    pub(crate) const LATERALITY: &str = "http://hl7.org/fhir/us/mcode/StructureDefinition/mcode-laterality-qualifier";
    pub(crate) const INTENT: &str = "http://hl7.org/fhir/us/mcode/StructureDefinition/mcode-procedure-intent";
    pub(crate) const END_REASON: &str =
        "http://hl7.org/fhir/us/mcode/StructureDefinition/mcode-treatment-termination-reason";
    pub(crate) const SURGERY: &str =
        "http://hl7.org/fhir/us/mcode/StructureDefinition/mcode-cancer-related-surgical-procedure";
    pub(crate) const RADIOTHERAPY: &str =
        "http://hl7.org/fhir/us/mcode/StructureDefinition/mcode-radiotherapy-course-summary";
    pub(crate) const DOSE: &str =
        "http://hl7.org/fhir/us/mcode/StructureDefinition/mcode-radiotherapy-dose-delivered-to-volume";
    pub(crate) const ASSERTED: &str = "http://hl7.org/fhir/StructureDefinition/condition-assertedDate";
}

/// SNOMED CT: side of the body.
pub(super) const LATERALITY: &[(&str, &str)] =
    &[("24028007", "1"), ("7771000", "2"), ("66459002", "3"), ("51440002", "4"), ("399488007", "5")];
/// SNOMED CT: intent of a treatment.
pub(super) const INTENT: &[(&str, &str)] =
    &[("373808002", "curative"), ("363676003", "palliative"), ("399707004", "supportive")];
/// SNOMED CT: why a treatment ended.
pub(super) const END_REASON: &[(&str, &str)] = &[
    ("266721009", "no_response"),
    ("407563006", "not_tolerated"),
    ("105480006", "refusal"),
    ("160932005", "financial"),
    ("184081006", "moved"),
    ("309846006", "not_available"),
    ("7058009", "non_adherence"),
    ("399307001", "lost"),
    ("419620001", "death"),
];
/// SNOMED CT: kinds of procedures.
pub(super) const PROCEDURE: &[(&str, &str)] = &[
    ("387713003", "surgery"),
    ("108290001", "radiotherapy"),
    ("1217123003", "radiotherapy"),
    ("1287742003", "radiotherapy"),
    ("23719005", "transplant"),
    ("234336002", "transplant"),
    ("77465005", "transplant"),
];
/// SNOMED CT: alive, dead, unknown.
pub(super) const VITAL_STATUS: &[(&str, &str)] = &[("438949009", "1"), ("419099009", "0"), ("261665006", "9")];
/// SNOMED CT: routes of administration.
pub(super) const ROUTE: &[(&str, &str)] =
    &[("47625008", "IV"), ("72607000", "IT"), ("26643006", "PO"), ("34206005", "SC"), ("78421000", "IM")];
/// LOINC and SNOMED CT: on what a stage rests.
pub(super) const STAGE_BASIS: &[(&str, &str)] = &[
    ("21908-9", "clinical"),
    ("399537006", "clinical"),
    ("21902-2", "pathological"),
    ("399588009", "pathological"),
    ("21914-7", "after_neoadjuvant"),
];
/// ISO 3166-1: three letters to two, for the countries of the alliance and Canada.
const COUNTRY: &[(&str, &str)] = &[
    ("ARG", "AR"),
    ("BOL", "BO"),
    ("BRA", "BR"),
    ("CAN", "CA"),
    ("CHL", "CL"),
    ("COL", "CO"),
    ("CRI", "CR"),
    ("CUB", "CU"),
    ("DOM", "DO"),
    ("ECU", "EC"),
    ("ESP", "ES"),
    ("GTM", "GT"),
    ("HND", "HN"),
    ("MEX", "MX"),
    ("NIC", "NI"),
    ("PAN", "PA"),
    ("PER", "PE"),
    ("PRY", "PY"),
    ("SLV", "SV"),
    ("URY", "UY"),
    ("USA", "US"),
    ("VEN", "VE"),
];

/// What a code stands for.
pub(super) fn meaning<'t>(table: &[(&str, &'t str)], code: &str) -> Option<&'t str> {
    table.iter().find(|(known, _)| *known == code).map(|(_, meaning)| *meaning)
}

/// What the first understood code of a concept stands for.
pub(super) fn understood<'t>(concept: &Concept, systems: &[&str], table: &[(&str, &'t str)]) -> Option<&'t str> {
    concept.codes(systems).find_map(|code| meaning(table, code))
}

/// The lists of the dictionary that are looked up by name.
pub(super) struct Lists {
    /// Codes of medicines by their ATC code; where two share it, the first.
    by_atc: HashMap<String, String>,
    /// Codes of medicines by what they are called in any language.
    by_name: HashMap<String, String>,
    /// ATC codes by the code of the medicine.
    atc: HashMap<String, String>,
    /// ISO 3166-2 by country and name.
    regions: BTreeMap<(String, String), String>,
}

/// The medicines that ship: their codes with their ATC codes.
const MEDICINES: &str = include_str!("../../../../schemas/classification/medicines.csv");

impl Lists {
    pub(super) fn of(dictionary: &Dictionary) -> Self {
        let mut lists =
            Self { by_atc: HashMap::new(), by_name: HashMap::new(), atc: HashMap::new(), regions: BTreeMap::new() };
        for code in codes_of(dictionary.collection("administration"), "inn") {
            let label = &code.label;
            for name in [&code.code, &label.es, &label.pt, &label.en] {
                lists.by_name.insert(plain(name), code.code.clone());
            }
        }
        let mut csv = csv::Reader::from_reader(MEDICINES.as_bytes());
        let header = csv.headers().cloned().unwrap_or_default();
        let at = |name: &str| header.iter().position(|column| column == name);
        if let (Some(code), Some(atc)) = (at("code"), at("atc")) {
            for record in csv.records().filter_map(Result::ok) {
                let (code, atc) = (record[code].to_owned(), record[atc].to_owned());
                if !atc.is_empty() {
                    lists.by_atc.entry(atc.clone()).or_insert_with(|| code.clone());
                    lists.atc.insert(code, atc);
                }
            }
        }
        for code in codes_of(dictionary.table("cases").map(AsRef::as_ref), "region") {
            let Some((country, _)) = code.code.split_once('-') else { continue };
            let label = &code.label;
            for name in [&label.es, &label.pt, &label.en] {
                lists.regions.insert((country.to_owned(), plain(name)), code.code.clone());
            }
        }
        lists
    }

    /// The code of a medicine and its ATC code; the name comes first, for two medicines may share an ATC code.
    pub(super) fn medicine(&self, concept: &Concept) -> Option<(String, String)> {
        let by_name = concept.names().find_map(|name| self.by_name.get(&plain(name)));
        let by_code = || concept.codes(ATC).find_map(|code| self.by_atc.get(code));
        let code = by_name.or_else(by_code)?;
        Some((code.clone(), self.atc.get(code).cloned().unwrap_or_default()))
    }

    /// Country and region of a place as FHIR writes them: the country by code, the state by code or name.
    pub(super) fn place(&self, country: &str, state: &str) -> (String, String) {
        let country = country.trim();
        let country = meaning(COUNTRY, country).unwrap_or(country);
        let state = state.trim();
        let region = if state.is_empty() {
            "unknown".to_owned()
        } else if let Some(code) = self.regions.get(&(country.to_owned(), plain(state))) {
            code.clone()
        } else if state.contains('-') {
            state.to_owned()
        } else {
            format!("{country}-{state}")
        };
        (country.to_owned(), region)
    }
}

/// The codes that a field takes.
fn codes_of<'d>(table: Option<&'d Table>, field: &str) -> &'d [Code] {
    match table.and_then(|table| table.field(field)).map(|field| &field.kind) {
        Some(Kind::Code(list)) => &list.codes,
        _ => &[],
    }
}

/// A name without differences of case, spaces and underscores.
fn plain(name: &str) -> String {
    name.trim().to_lowercase().replace(['_', ' '], "-")
}

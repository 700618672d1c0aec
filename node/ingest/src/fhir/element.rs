//! The few data types of FHIR R4 that are read; what else a resource holds is passed over.

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use crate::defect::Rule;

/// A code with the system that it belongs to.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Coding {
    pub(super) system: Option<String>,
    pub(super) code: Option<String>,
    pub(super) display: Option<String>,
}

/// A concept: the same thing in several code systems, and in words.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Concept {
    pub(super) coding: Vec<Coding>,
    pub(super) text: Option<String>,
    pub(super) extension: Vec<Extension>,
}

impl Concept {
    /// The codes that belong to one of these systems.
    pub(super) fn codes<'c>(&'c self, systems: &'c [&str]) -> impl Iterator<Item = &'c str> {
        codes(&self.coding, systems)
    }

    /// The first of them.
    pub(super) fn code<'c>(&'c self, systems: &'c [&str]) -> Option<&'c str> {
        self.codes(systems).next()
    }

    /// What it is called, in words.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.text.as_deref().into_iter().chain(self.coding.iter().filter_map(|coding| coding.display.as_deref()))
    }
}

/// Of codings, the codes that belong to one of these systems.
pub(super) fn codes<'c>(codings: &'c [Coding], systems: &'c [&str]) -> impl Iterator<Item = &'c str> {
    codings
        .iter()
        .filter(|coding| coding.system.as_deref().is_some_and(|system| systems.contains(&system)))
        .filter_map(|coding| coding.code.as_deref())
}

/// A reference to another resource.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Reference {
    reference: Option<String>,
}

impl Reference {
    /// The resource that is meant, whatever version of it; `None` where the reference is by identifier or by name only.
    pub(super) fn target(&self) -> Option<String> {
        let text = self.reference.as_deref()?;
        let text = text.split_once("/_history/").map_or(text, |(resource, _)| resource);
        (!text.is_empty()).then(|| text.to_owned())
    }
}

/// The resources that references mean.
pub(super) fn targets(references: &[Reference]) -> Vec<String> {
    references.iter().filter_map(Reference::target).collect()
}

/// An identifier of a person.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Identifier {
    #[serde(rename = "use")]
    pub(super) usage: Option<String>,
    #[serde(rename = "type")]
    pub(super) kind: Concept,
    pub(super) value: Option<String>,
}

/// From when to when.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Period {
    pub(super) start: Option<String>,
    pub(super) end: Option<String>,
}

/// A number with its unit.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Quantity {
    pub(super) value: Option<f64>,
    pub(super) unit: Option<String>,
    pub(super) code: Option<String>,
}

impl Quantity {
    /// The unit, by its UCUM code where it has one.
    pub(super) fn unit(&self) -> &str {
        self.code.as_deref().or(self.unit.as_deref()).unwrap_or_default()
    }
}

/// What a profile adds to a resource.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Extension {
    pub(super) url: String,
    value_codeable_concept: Option<Concept>,
    value_date_time: Option<String>,
    pub(super) value_quantity: Option<Quantity>,
    pub(super) value_unsigned_int: Option<u32>,
    pub(super) extension: Vec<Extension>,
}

/// The concept that an extension adds.
pub(super) fn concept<'e>(extensions: &'e [Extension], url: &str) -> Option<&'e Concept> {
    extensions.iter().find(|extension| extension.url == url)?.value_codeable_concept.as_ref()
}

/// The date that an extension adds.
pub(super) fn date_time<'e>(extensions: &'e [Extension], url: &str) -> Option<&'e str> {
    extensions.iter().find(|extension| extension.url == url)?.value_date_time.as_deref()
}

/// What a server says of a resource.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Meta {
    pub(super) profile: Vec<String>,
    pub(super) tag: Vec<Coding>,
}

impl Meta {
    /// Whether the resource says that it keeps a profile, in any version of it.
    pub(super) fn keeps(&self, profile: &str) -> bool {
        self.profile.iter().any(|kept| kept.split('|').next() == Some(profile))
    }
}

/// The day of a FHIR date or time, to the precision that it has.
pub(super) fn day(text: &str) -> &str {
    text.split('T').next().unwrap_or_default()
}

/// A FHIR time as the dictionary writes it: no fractions of a second.
pub(super) fn moment(text: &str) -> String {
    let Some((before, fraction)) = text.split_once('.') else { return text.to_owned() };
    let zone = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
    format!("{before}{zone}")
}

/// A number as the dictionary writes it.
pub(super) fn number(value: f64) -> String {
    ((value * 1e6).round() / 1e6).to_string()
}

/// Why nothing is made of a resource.
#[derive(Debug)]
pub(super) enum Turned {
    /// It is nothing that the dictionary asks for; in brackets behind its type, empty where its type says enough.
    Unused(&'static str),
    /// It is broken: the element, the rule and what to do.
    Broken(String, Rule, String),
}

/// Reads a resource as its type.
///
/// The message of serde would repeat the value, which may be a patient's: only what was expected is taken from it.
pub(super) fn typed<T: DeserializeOwned>(value: &Value) -> Result<T, Turned> {
    T::deserialize(value).map_err(|error| {
        let error = error.to_string();
        let expected = error.rsplit_once(", expected ").map_or("another type", |(_, expected)| expected);
        let fix = format!("it is not of the type that FHIR R4 gives it ({expected} is wanted): correct the export");
        Turned::Broken(culprit::<T>(value), Rule::Readable, fix)
    })
}

/// The element without which the resource can be read; empty where there is no such one.
fn culprit<T: DeserializeOwned>(value: &Value) -> String {
    let elements = value.as_object().into_iter().flat_map(|elements| elements.keys());
    let can_do_without = |element: &&String| {
        let mut rest = value.clone();
        rest.as_object_mut().is_some_and(|elements| elements.remove(*element).is_some())
            && T::deserialize(&rest).is_ok()
    };
    elements.into_iter().find(can_do_without).cloned().unwrap_or_default()
}

/// Whom a resource is about.
pub(super) fn subject(reference: &Reference, element: &'static str) -> Result<String, Turned> {
    reference.target().ok_or_else(|| {
        let fix = "name the Patient by a literal reference, such as Patient/123";
        Turned::Broken(element.to_owned(), Rule::Required, fix.to_owned())
    })
}

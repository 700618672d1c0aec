//! The data dictionary: collections as loaded, analysis tables as queried, code lists with labels.
//!
//! Read from the Frictionless Data Package in `schemas/dictionary/` and `schemas/codes/`, which is embedded at build time.
//! The loader, the query validator and the documentation are driven by it at run time.

mod raw;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use include_dir::{Dir, include_dir};
use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::language::Text;

static SCHEMAS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../schemas/dictionary");
static CODES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../schemas/codes");

/// Up to this many codes a column of one byte per row holds a list, with its missing value.
pub const NARROW_CODES: usize = 250;

/// The dictionary at one version.
#[derive(Debug)]
pub struct Dictionary {
    /// Version of this dictionary, such as `1.1`.
    pub version: String,
    /// Versions whose queries mean the same here, this one last: changes between them only add.
    pub answers: Vec<String>,
    collections: BTreeMap<String, Table>,
    tables: BTreeMap<String, Arc<Table>>,
    /// Names of the collections, referred-to ones first.
    order: Vec<String>,
}

/// A collection (as loaded) or an analysis table (as queried).
#[derive(Debug)]
pub struct Table {
    /// Name, such as `tumour` or `cases`.
    pub name: String,
    /// Title in three languages.
    pub title: Text,
    /// Fields that identify a row.
    pub primary_key: Vec<String>,
    /// References to other collections.
    pub foreign_keys: Vec<ForeignKey>,
    /// Survival endpoints that the table carries, by name.
    pub endpoints: BTreeMap<String, Endpoint>,
    /// What one row's disclosure would concern.
    pub unit_of_privacy: Unit,
    /// Fields in order.
    pub fields: Vec<Field>,
}

/// Whom the cells of a table must protect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Patients.
    Person,
    /// Hospitals.
    Facility,
    /// Nobody: the rows are public acts.
    None,
}

/// Which columns hold a survival endpoint.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// Column of whole days from diagnosis.
    pub days: String,
    /// Column of the cause that ended them, or `censored`.
    pub event: String,
}

/// A reference from fields of one collection to the primary key of another.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForeignKey {
    /// Referring fields.
    pub fields: Vec<String>,
    /// What they refer to.
    pub reference: Reference,
}

/// The target of a foreign key.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// Collection.
    pub resource: String,
    /// Its fields.
    pub fields: Vec<String>,
}

/// A variable.
#[derive(Debug, Clone)]
pub struct Field {
    /// Name, as in a CSV header or a query.
    pub name: String,
    /// What values it takes.
    pub kind: Kind,
    /// Whether a row must carry it.
    pub required: bool,
    /// Form of a text value.
    pub pattern: Option<Regex>,
    /// What a value reveals.
    pub privacy: Privacy,
    /// Whether a query may filter by it.
    pub filterable: bool,
    /// Whether a query may group by it.
    pub groupable: bool,
    /// Title in three languages.
    pub title: Text,
    /// Definition in three languages.
    pub description: Text,
    /// Whether it is mandatory, conditional, optional or derived.
    pub level: Level,
    /// Unit of a number (UCUM).
    pub unit: Option<String>,
    /// Version of the dictionary that brought it.
    pub since: String,
    /// Names of the same variable elsewhere, such as NAACCR item numbers.
    pub maps_to: BTreeMap<String, String>,
    /// What it tells of, such as `cancer`. Fields of whatever table that tell of the same are kindred: who knows the one knows
    /// something about the other.
    pub tells_of: Vec<String>,
}

/// How much a field is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Every row carries it.
    Mandatory,
    /// Where it applies.
    Conditional,
    /// Where it is known.
    Optional,
    /// Made by the node, never typed.
    Derived,
}

/// The values that a field takes.
#[derive(Debug, Clone)]
pub enum Kind {
    /// One of a closed list, stored by position.
    Code(CodeList),
    /// Several of a closed list, separated by `;`.
    Codes(CodeList),
    /// A whole number within bounds.
    Integer {
        /// Least value.
        minimum: i64,
        /// Greatest value.
        maximum: i64,
    },
    /// A decimal number within bounds.
    Decimal {
        /// Least value.
        minimum: f64,
        /// Greatest value.
        maximum: f64,
    },
    /// A whole amount that is only summed, such as person-years.
    Amount {
        /// Greatest value.
        maximum: u32,
    },
    /// A date with precision.
    Date,
    /// A day, where known with the time of day.
    DateTime,
    /// Text that fits the field's pattern.
    Text,
}

/// A closed list of codes in a fixed order.
#[derive(Debug, Clone)]
pub struct CodeList {
    /// Name of the list, such as `sex`.
    pub name: String,
    /// Codes with their labels.
    pub codes: Vec<Code>,
    positions: HashMap<String, usize>,
}

/// A code with its label.
#[derive(Debug, Clone)]
pub struct Code {
    /// As written in data and queries.
    pub code: String,
    /// What it means.
    pub label: Text,
}

impl CodeList {
    /// A list of codes in their order.
    #[must_use]
    pub fn new(name: String, codes: Vec<Code>) -> Self {
        let positions = codes.iter().enumerate().map(|(at, code)| (code.code.clone(), at)).collect();
        Self { name, codes, positions }
    }

    /// The position of `code` in the list.
    #[must_use]
    pub fn position(&self, code: &str) -> Option<usize> {
        self.positions.get(code).copied()
    }

    /// Whether a column of one byte per row holds the list.
    #[must_use]
    pub fn is_narrow(&self) -> bool {
        self.codes.len() <= NARROW_CODES
    }
}

/// What a value of a field may reveal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Privacy {
    /// Never queryable; replaced at the door.
    Identifier,
    /// Queryable only coarsened.
    Quasi,
    /// No restriction beyond the disclosure rules.
    Open,
}

/// The dictionary's files contradict each other.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {what}")]
pub struct DictionaryError {
    file: String,
    what: String,
}

impl Dictionary {
    /// The dictionary that this build carries.
    ///
    /// # Errors
    /// Where a file of `schemas/` is malformed; a test of this crate keeps that from shipping.
    pub fn built_in() -> Result<Self, DictionaryError> {
        Self::parse(&built_in_file)
    }

    /// A dictionary from its files: `file` gives the content of `datapackage.json`, of each schema by its path beside it, and of
    /// code lists as `codes/<list>.csv`.
    ///
    /// # Errors
    /// Names the file and what is wrong with it.
    pub fn parse(file: &dyn Fn(&str) -> Option<Vec<u8>>) -> Result<Self, DictionaryError> {
        raw::dictionary(file)
    }

    /// The files of this build's dictionary, by the names that [`Self::parse`] asks for.
    pub fn built_in_files() -> impl Iterator<Item = (String, &'static [u8])> {
        let tables = SCHEMAS.dirs().filter(|folder| folder.path().ends_with("tables")).flat_map(Dir::files);
        let schemas = SCHEMAS.files().chain(tables).map(|file| (file.path().display().to_string(), file.contents()));
        schemas.chain(CODES.files().map(|file| (format!("codes/{}", file.path().display()), file.contents())))
    }

    /// Whether queries of this version of the dictionary mean the same here.
    #[must_use]
    pub fn answers(&self, version: &str) -> bool {
        self.answers.iter().any(|known| known == version)
    }

    /// A collection as loaded.
    #[must_use]
    pub fn collection(&self, name: &str) -> Option<&Table> {
        self.collections.get(name)
    }

    /// All collections, those that others refer to first.
    pub fn collections(&self) -> impl Iterator<Item = &Table> {
        self.order.iter().filter_map(|name| self.collections.get(name))
    }

    /// All analysis tables, by name.
    pub fn tables(&self) -> impl Iterator<Item = &Table> {
        self.tables.values().map(Arc::as_ref)
    }

    /// The other fields and endpoints of the analysis tables that tell of the same as the field or endpoint called `name`.
    #[must_use]
    pub fn kindred(&self, name: &str) -> BTreeSet<&str> {
        let kinds: BTreeSet<&str> = self.tables().flat_map(|table| table.tells_of(name)).collect();
        let akin = |table: &Table, other: &str| table.tells_of(other).any(|kind| kinds.contains(kind));
        let names = self.tables().flat_map(|table| table.names().filter(move |other| akin(table, other)));
        names.filter(|other| *other != name).collect()
    }

    /// An analysis table.
    #[must_use]
    pub fn table(&self, name: &str) -> Option<&Arc<Table>> {
        self.tables.get(name)
    }
}

impl Table {
    /// The field called `name`.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// What a query can name in it: its fields and its endpoints.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let fields = self.fields.iter().map(|field| field.name.as_str());
        fields.chain(self.endpoints.keys().map(String::as_str))
    }

    /// What the field called `name` tells of, or the cause that ends the endpoint of that name.
    pub fn tells_of(&self, name: &str) -> impl Iterator<Item = &str> {
        let cause = self.endpoints.get(name).map(|endpoint| endpoint.event.as_str());
        let field = self.field(name).or_else(|| self.field(cause?));
        field.into_iter().flat_map(|field| field.tells_of.iter().map(String::as_str))
    }

    /// The place of the field called `name`.
    #[must_use]
    pub fn position(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.name == name)
    }
}

fn built_in_file(name: &str) -> Option<Vec<u8>> {
    let file = match name.strip_prefix("codes/") {
        Some(list) => CODES.get_file(list),
        None => SCHEMAS.get_file(name),
    };
    file.map(|file| file.contents().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(dictionary: &Dictionary) -> impl Iterator<Item = (&Table, &Field)> {
        let tables = dictionary.collections().chain(dictionary.tables());
        tables.flat_map(|table| table.fields.iter().map(move |field| (table, field)))
    }

    #[test]
    fn the_built_in_dictionary_is_whole() {
        let dictionary = Dictionary::built_in().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((dictionary.collections().count(), dictionary.tables().count()), (18, 15));
        let mut seen = Vec::new();
        for table in dictionary.collections() {
            assert!(!table.primary_key.is_empty(), "{}", table.name);
            for key in &table.primary_key {
                assert!(table.field(key).is_some_and(|field| field.required), "{}.{key}", table.name);
            }
            for key in &table.foreign_keys {
                let target = dictionary.collection(&key.reference.resource).unwrap_or_else(|| panic!("{}", table.name));
                assert_eq!(target.primary_key, key.reference.fields, "{}: references lead to primary keys", table.name);
                assert!(seen.contains(&target.name.as_str()), "{} comes after {}", table.name, target.name);
            }
            seen.push(table.name.as_str());
        }
        for endpoint in dictionary.tables().flat_map(|table| table.endpoints.values()) {
            let cases = dictionary.table("cases").unwrap_or_else(|| panic!("cases"));
            assert!(cases.field(&endpoint.days).is_some() && cases.field(&endpoint.event).is_some());
        }
    }

    #[test]
    fn identifiers_dates_and_texts_are_never_queryable_and_tables_are_coded() {
        let dictionary = Dictionary::built_in().unwrap_or_else(|error| panic!("{error}"));
        for (table, field) in all(&dictionary) {
            let coded = matches!(field.kind, Kind::Code(_) | Kind::Integer { .. });
            if field.privacy == Privacy::Identifier || !coded {
                assert!(!field.filterable && !field.groupable, "{}.{}", table.name, field.name);
            }
        }
        for table in dictionary.tables() {
            for field in &table.fields {
                let stored = match field.kind {
                    Kind::Code(_) | Kind::Amount { .. } => true,
                    Kind::Integer { minimum, maximum } => minimum >= 0 && maximum < i64::from(u16::MAX),
                    _ => false,
                };
                assert!(stored, "{}.{}", table.name, field.name);
            }
        }
    }

    #[test]
    fn every_label_exists_in_three_languages() {
        let dictionary = Dictionary::built_in().unwrap_or_else(|error| panic!("{error}"));
        for (table, field) in all(&dictionary) {
            for text in [&field.title, &field.description, &table.title] {
                assert!(![&text.es, &text.pt, &text.en].into_iter().any(String::is_empty), "{}", field.name);
            }
            if let Kind::Code(list) | Kind::Codes(list) = &field.kind {
                for code in &list.codes {
                    assert!(!code.label.es.is_empty() && !code.label.pt.is_empty() && !code.label.en.is_empty());
                }
            }
        }
    }

    #[test]
    fn kindred_fields_tell_of_the_same() {
        let dictionary = Dictionary::built_in().unwrap_or_else(|error| panic!("{error}"));
        let cancer = dictionary.kindred("index_cancer");
        assert!(["iccc_group", "morphology", "topography_site"].iter().all(|name| cancer.contains(name)), "{cancer:?}");
        assert!(["index_cancer", "sex", "stage"].iter().all(|name| !cancer.contains(name)), "{cancer:?}");
        assert!(dictionary.kindred("vital_status").contains("overall"), "an endpoint tells of its cause");
        assert!(dictionary.kindred("overall").contains("vital_status"));
        assert!(dictionary.kindred("sex").is_empty() && dictionary.kindred("shoe_size").is_empty());
        for (table, field) in all(&dictionary) {
            for kind in &field.tells_of {
                let alone =
                    !all(&dictionary).any(|(_, other)| other.name != field.name && other.tells_of.contains(kind));
                assert!(!alone, "{}.{}: nothing else tells of {kind}", table.name, field.name);
            }
        }
    }

    #[test]
    fn a_malformed_file_is_named() {
        let broken = |name: &str| if name == "codes/sex.csv" { Some(b"code\n".to_vec()) } else { built_in_file(name) };
        let error = Dictionary::parse(&broken).expect_err("broken").to_string();
        assert!(error.starts_with("codes/sex.csv"), "{error}");
        let missing = |name: &str| if name == "patient.schema.json" { None } else { built_in_file(name) };
        assert!(Dictionary::parse(&missing).expect_err("missing").to_string().starts_with("patient.schema.json"));
    }
}

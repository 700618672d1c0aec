//! The data dictionary: collections as loaded, analysis tables as queried, code lists with labels.
//!
//! Read from the Frictionless Data Package in `schemas/dictionary/` and `schemas/codes/`, which is embedded at build time.
//! The loader, the query validator and the documentation are driven by it at run time.

use std::collections::BTreeMap;

use include_dir::{Dir, include_dir};
use regex::Regex;
use serde::Deserialize;

use crate::language::Text;

static SCHEMAS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../schemas/dictionary");
static CODES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../schemas/codes");

/// The dictionary at one version.
#[derive(Debug)]
pub struct Dictionary {
    /// Version that queries and nodes name, such as `1.0`.
    pub version: String,
    collections: BTreeMap<String, Table>,
    tables: BTreeMap<String, Table>,
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
    /// Fields in order.
    pub fields: Vec<Field>,
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
#[derive(Debug)]
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
}

/// The values that a field takes.
#[derive(Debug, Clone)]
pub enum Kind {
    /// One of a closed list, stored by position.
    Code(CodeList),
    /// A whole number within bounds.
    Integer {
        /// Least value.
        minimum: i64,
        /// Greatest value.
        maximum: i64,
    },
    /// A date with precision.
    Date,
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
    /// The position of `code` in the list.
    #[must_use]
    pub fn position(&self, code: &str) -> Option<usize> {
        self.codes.iter().position(|known| known.code == code)
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
        let package: raw::Package = raw::json("datapackage.json")?;
        let mut dictionary = Self { version: package.version, collections: BTreeMap::new(), tables: BTreeMap::new() };
        for resource in package.resources {
            let table = raw::table(&resource.name, &resource.schema)?;
            dictionary.collections.insert(resource.name, table);
        }
        for file in package.tables {
            let name = file.trim_end_matches(".schema.json").to_owned();
            dictionary.tables.insert(name.clone(), raw::table(&name, &file)?);
        }
        Ok(dictionary)
    }

    /// A collection as loaded.
    #[must_use]
    pub fn collection(&self, name: &str) -> Option<&Table> {
        self.collections.get(name)
    }

    /// All collections, by name.
    pub fn collections(&self) -> impl Iterator<Item = &Table> {
        self.collections.values()
    }

    /// An analysis table.
    #[must_use]
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.tables.get(name)
    }
}

impl Table {
    /// The field called `name`.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

mod raw {
    //! The shapes of the files, as the Frictionless specification and our `alianza:` keys give them.

    use super::{
        BTreeMap, CODES, Code, CodeList, Deserialize, DictionaryError, Endpoint, Field, ForeignKey, Kind, Privacy,
        Regex, SCHEMAS, Table, Text,
    };

    #[derive(Deserialize)]
    pub(super) struct Package {
        pub(super) version: String,
        pub(super) resources: Vec<Resource>,
        #[serde(rename = "alianza:tables")]
        pub(super) tables: Vec<String>,
    }

    #[derive(Deserialize)]
    pub(super) struct Resource {
        pub(super) name: String,
        pub(super) schema: String,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Schema {
        fields: Vec<Descriptor>,
        #[serde(default)]
        primary_key: Vec<String>,
        #[serde(default)]
        foreign_keys: Vec<ForeignKey>,
        #[serde(rename = "alianza:title")]
        title: Text,
        #[serde(rename = "alianza:endpoints", default)]
        endpoints: BTreeMap<String, Endpoint>,
    }

    #[derive(Deserialize)]
    struct Descriptor {
        name: String,
        #[serde(rename = "type")]
        frictionless_type: String,
        #[serde(default)]
        constraints: Constraints,
        #[serde(rename = "alianza:title")]
        title: Text,
        #[serde(rename = "alianza:description")]
        description: Text,
        #[serde(rename = "alianza:privacy")]
        privacy: Privacy,
        #[serde(rename = "alianza:filterable")]
        filterable: bool,
        #[serde(rename = "alianza:groupable")]
        groupable: bool,
        #[serde(rename = "alianza:codes")]
        codes: Option<String>,
        #[serde(rename = "alianza:kind")]
        kind: Option<String>,
    }

    #[derive(Deserialize, Default)]
    struct Constraints {
        #[serde(default)]
        required: bool,
        pattern: Option<String>,
        minimum: Option<i64>,
        maximum: Option<i64>,
    }

    #[derive(Deserialize)]
    struct CodeRow {
        code: String,
        es: String,
        pt: String,
        en: String,
    }

    #[expect(clippy::needless_pass_by_value, reason = "used as the last step of map_err")]
    fn error(file: &str, what: impl ToString) -> DictionaryError {
        DictionaryError { file: file.to_owned(), what: what.to_string() }
    }

    pub(super) fn json<T: serde::de::DeserializeOwned>(name: &str) -> Result<T, DictionaryError> {
        let file = SCHEMAS.get_file(name).ok_or_else(|| error(name, "is missing"))?;
        serde_json::from_slice(file.contents()).map_err(|e| error(name, e))
    }

    pub(super) fn table(name: &str, file: &str) -> Result<Table, DictionaryError> {
        let schema: Schema = json(file)?;
        let fields = schema.fields.into_iter().map(|d| field(file, d)).collect::<Result<Vec<_>, _>>()?;
        Ok(Table {
            name: name.to_owned(),
            title: schema.title,
            primary_key: schema.primary_key,
            foreign_keys: schema.foreign_keys,
            endpoints: schema.endpoints,
            fields,
        })
    }

    fn field(file: &str, raw: Descriptor) -> Result<Field, DictionaryError> {
        let kind = match (raw.codes, raw.kind.as_deref(), raw.frictionless_type.as_str()) {
            (Some(list), None, "string") => Kind::Code(codes(list)?),
            (None, Some("date"), "string") => Kind::Date,
            (None, None, "string") => Kind::Text,
            (None, None, "integer") => match (raw.constraints.minimum, raw.constraints.maximum) {
                (Some(minimum), Some(maximum)) if minimum <= maximum => Kind::Integer { minimum, maximum },
                _ => return Err(error(file, format!("{}: an integer needs a minimum and a maximum", raw.name))),
            },
            _ => return Err(error(file, format!("{}: no such combination of type and kind", raw.name))),
        };
        let pattern = raw.constraints.pattern.as_deref().map(Regex::new).transpose().map_err(|e| error(file, e))?;
        Ok(Field {
            name: raw.name,
            kind,
            required: raw.constraints.required,
            pattern,
            privacy: raw.privacy,
            filterable: raw.filterable,
            groupable: raw.groupable,
            title: raw.title,
            description: raw.description,
        })
    }

    fn codes(list: String) -> Result<CodeList, DictionaryError> {
        let name = format!("{list}.csv");
        let file = CODES.get_file(&name).ok_or_else(|| error(&name, "is missing"))?;
        let codes = csv::Reader::from_reader(file.contents())
            .deserialize::<CodeRow>()
            .map(|row| row.map(|r| Code { code: r.code, label: Text { es: r.es, pt: r.pt, en: r.en } }))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|e| error(&name, e))?;
        if codes.is_empty() || codes.len() > 250 {
            return Err(error(&name, "a code list holds 1 to 250 codes"));
        }
        Ok(CodeList { name: list, codes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_dictionary_is_whole() {
        let dictionary = Dictionary::built_in().unwrap_or_else(|error| panic!("{error}"));
        for name in ["patient", "tumour", "event", "follow_up"] {
            let table = dictionary.collection(name).unwrap_or_else(|| panic!("{name}"));
            for key in &table.primary_key {
                assert!(table.field(key).is_some_and(|field| field.required), "{name}.{key}");
            }
        }
        let cases = dictionary.table("cases").unwrap_or_else(|| panic!("cases"));
        for endpoint in cases.endpoints.values() {
            assert!(cases.field(&endpoint.days).is_some() && cases.field(&endpoint.event).is_some());
        }
    }

    #[test]
    fn identifiers_and_dates_are_never_queryable() {
        let dictionary = Dictionary::built_in().unwrap_or_else(|error| panic!("{error}"));
        let all = dictionary.collections().chain(dictionary.table("cases"));
        for field in all.flat_map(|table| &table.fields) {
            if field.privacy == Privacy::Identifier || matches!(field.kind, Kind::Date | Kind::Text) {
                assert!(!field.filterable && !field.groupable, "{}", field.name);
            }
        }
    }

    #[test]
    fn every_label_exists_in_three_languages() {
        let dictionary = Dictionary::built_in().unwrap_or_else(|error| panic!("{error}"));
        for field in dictionary.collections().chain(dictionary.table("cases")).flat_map(|table| &table.fields) {
            for text in [&field.title, &field.description] {
                assert!(![&text.es, &text.pt, &text.en].into_iter().any(String::is_empty), "{}", field.name);
            }
            if let Kind::Code(list) = &field.kind {
                for code in &list.codes {
                    assert!(!code.label.es.is_empty() && !code.label.pt.is_empty() && !code.label.en.is_empty());
                }
            }
        }
    }
}

//! Mapping files: local column and code names, date forms, units, constants, and one wide file as several collections.
//!
//! A mapping is read ([`Mapping::parse`]) and then bound to the header of one file ([`Plan::bind`]). A plan without a mapping
//! takes the columns of one collection by their own names.

pub mod date_form;
pub mod draft;
pub mod plan;
pub mod template;

use std::collections::BTreeMap;

use node_domain::{
    dictionary::{Dictionary, Field, Kind},
    digest::Digest,
    language::Text,
};
use serde::Deserialize;

use self::date_form::DateForm;
use crate::input::Encoding;

/// A mapping file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// Name, such as `canreg5`.
    pub name: String,
    /// Version; grows when the mapping changes.
    pub version: u32,
    /// What it is for.
    pub description: Text,
    /// How the file is written.
    #[serde(default)]
    pub format: Format,
    /// The collections that a row of the file is turned into.
    #[serde(rename = "collection")]
    pub collections: Vec<CollectionMapping>,
    /// Columns that are left out on purpose; others without a place are reported.
    #[serde(default)]
    pub ignore: Vec<String>,
    /// The hash of the file's text.
    #[serde(skip)]
    pub sha256: Option<Digest>,
}

/// How a file is written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Format {
    /// Between values.
    pub delimiter: char,
    /// Of the text.
    pub encoding: Encoding,
    /// Whether decimals are written with a comma.
    pub decimal_comma: bool,
    /// Values that mean that nothing is known; the empty one always does.
    pub missing: Vec<String>,
    /// The form of dates, such as `DD/MM/YYYY`, unless a field says another.
    pub date: Option<DateForm>,
    /// Whether column names are compared with upper and lower case alike.
    pub ignore_case: bool,
}

impl Default for Format {
    fn default() -> Self {
        Self {
            delimiter: ',',
            encoding: Encoding::Utf8,
            decimal_comma: false,
            missing: Vec::new(),
            date: None,
            ignore_case: false,
        }
    }
}

/// One collection that a row of the file is turned into.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CollectionMapping {
    /// The collection.
    pub name: String,
    /// A row is made only where this column has a value (of these, if any are named).
    #[serde(default)]
    pub when: Option<When>,
    /// The block stands several times in a row, numbered: `{n}` in columns, constants and templates is the number.
    #[serde(default)]
    pub repeat: Option<Repeat>,
    /// The same row may come again, such as the patient on each of several tumours; equal ones count once.
    #[serde(default)]
    pub distinct: bool,
    /// Where each field's value comes from.
    pub fields: BTreeMap<String, FieldMapping>,
}

/// A condition on a column.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// Column.
    pub column: String,
    /// One of these values; any value where none is named.
    #[serde(default)]
    pub values: Vec<String>,
    /// Instead of `values`: whatever stands there, even nothing, but not these, so that no row is lost to an unknown code.
    #[serde(default)]
    pub except: Vec<String>,
}

/// Numbers of a block that stands several times in a row.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repeat {
    /// First number.
    pub from: u32,
    /// Last number.
    pub to: u32,
}

/// Where one field's value comes from: exactly one of `column`, `constant`, `template`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldMapping {
    /// A column of the file.
    pub column: Option<String>,
    /// The same value in every row.
    pub constant: Option<String>,
    /// Text with column names in braces, such as `MX-{STATE}`; empty where a named column is. The rest applies to the whole text.
    pub template: Option<String>,
    /// Local codes to the dictionary's; a value that is in neither is reported.
    #[serde(default)]
    pub codes: BTreeMap<String, String>,
    /// What an empty value becomes.
    pub default: Option<String>,
    /// The form of the date, where it differs from the file's.
    pub date: Option<DateForm>,
    /// Multiplies a number, to change its unit.
    pub scale: Option<f64>,
    /// What is taken off the value's ends beside spaces, such as the point of `C64.9`: these characters are taken out everywhere.
    pub remove: Option<String>,
    /// Whether the column may be absent from the file.
    #[serde(default)]
    pub optional: bool,
}

/// What is wrong with a mapping file.
#[derive(Debug, thiserror::Error)]
pub enum MappingError {
    /// Not TOML, or an unknown or missing key.
    #[error("the mapping cannot be read: {0}")]
    Form(String),
    /// Something that the dictionary does not have, or a contradiction.
    #[error("the mapping's {place}: {what}")]
    Value {
        /// Collection and field.
        place: String,
        /// What is wrong and what to do.
        what: String,
    },
}

/// The most rows that one row of a file becomes in one collection.
const MOST_REPEATS: u32 = 200;

impl Mapping {
    /// Parses a mapping and checks it against the dictionary.
    ///
    /// # Errors
    /// Names the collection and field that do not fit.
    pub fn parse(toml: &str, dictionary: &Dictionary) -> Result<Self, MappingError> {
        let mut mapping: Self = toml::from_str(toml).map_err(|error| MappingError::Form(error.to_string()))?;
        mapping.sha256 = Some(Digest::of(toml.as_bytes()));
        if !mapping.format.delimiter.is_ascii() {
            return Err(bad("format.delimiter", "use one ASCII character".to_owned()));
        }
        for collection in &mapping.collections {
            collection.check(dictionary)?;
        }
        Ok(mapping)
    }
}

fn bad(place: &str, what: String) -> MappingError {
    MappingError::Value { place: place.to_owned(), what }
}

/// Whether a local code may become this: a code of the field's list, or several where the field takes several.
fn is_code(kind: &Kind, code: &str) -> bool {
    match kind {
        Kind::Code(list) => list.position(code).is_some(),
        Kind::Codes(list) => code.split(';').all(|code| list.position(code).is_some()),
        _ => true,
    }
}

impl CollectionMapping {
    fn check(&self, dictionary: &Dictionary) -> Result<(), MappingError> {
        let Some(table) = dictionary.collection(&self.name) else {
            let known = dictionary.collections().map(|table| table.name.as_str()).collect::<Vec<_>>().join(", ");
            return Err(bad(&self.name, format!("there is no such collection; known are: {known}")));
        };
        if self.when.as_ref().is_some_and(|when| !when.values.is_empty() && !when.except.is_empty()) {
            return Err(bad(&self.name, "`when` names either `values` or `except`".to_owned()));
        }
        if let Some(Repeat { from, to }) = self.repeat
            && (from > to || to - from >= MOST_REPEATS)
        {
            return Err(bad(&self.name, format!("`repeat` counts up, at most {MOST_REPEATS} times")));
        }
        for (name, mapped) in &self.fields {
            let place = format!("{}.{name}", self.name);
            let Some(field) = table.field(name) else {
                return Err(bad(&place, "the dictionary has no such field".to_owned()));
            };
            let origins = [&mapped.column, &mapped.constant, &mapped.template];
            if origins.into_iter().flatten().count() != 1 {
                return Err(bad(&place, "give exactly one of `column`, `constant`, `template`".to_owned()));
            }
            let unclosed = |text: &String| template::parse(&text.replace("{n}", "1")).is_none();
            if mapped.template.as_ref().is_some_and(unclosed) {
                return Err(bad(&place, "a brace of the `template` is not closed".to_owned()));
            }
            if let (Kind::Code(list) | Kind::Codes(list), true) = (&field.kind, !mapped.codes.is_empty())
                && let Some(code) = mapped.codes.values().find(|code| !code.is_empty() && !is_code(&field.kind, code))
            {
                return Err(bad(&place, format!("`{code}` is no code of the list `{}`", list.name)));
            }
            let is_number = matches!(field.kind, Kind::Integer { .. } | Kind::Decimal { .. } | Kind::Amount { .. });
            if mapped.scale.is_some() && !is_number {
                return Err(bad(&place, "`scale` is for numbers".to_owned()));
            }
            if mapped.date.is_some() && !matches!(field.kind, Kind::Date | Kind::DateTime) {
                return Err(bad(&place, "`date` is for dates".to_owned()));
            }
        }
        let missing = |field: &&Field| field.required && !self.fields.contains_key(&field.name);
        if let Some(field) = table.fields.iter().find(missing) {
            return Err(bad(&format!("{}.{}", self.name, field.name), "the field is mandatory: map it".to_owned()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::{BTreeMap, BTreeSet},
        fs,
    };

    use super::{plan::Plan, *};
    use crate::{check::check, row::RowBuffer};

    /// What a shipped mapping makes of its fixture.
    struct Made {
        /// Different rows per collection.
        rows: BTreeMap<String, usize>,
        /// Line, field and rule of each value that the dictionary does not take.
        defects: Vec<String>,
        unread: Vec<String>,
        values: BTreeMap<String, String>,
    }

    fn made(name: &str) -> Made {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
        let dictionary = Dictionary::built_in().unwrap();
        let mapping = fs::read_to_string(format!("{root}/config/mappings/{name}.toml")).unwrap();
        let mapping = Mapping::parse(&mapping, &dictionary).unwrap();
        let delimiter = u8::try_from(mapping.format.delimiter).unwrap();
        let path = format!("{root}/tests/fixtures/mappings/{name}.csv");
        let mut csv = csv::ReaderBuilder::new().delimiter(delimiter).from_path(path).unwrap();
        let header: Vec<String> = csv.headers().unwrap().iter().map(str::to_owned).collect();
        let plan = Plan::bind(&mapping, &header, &dictionary).unwrap();
        let (mut rows, mut defects, mut values) = (BTreeSet::new(), Vec::new(), BTreeMap::new());
        let mut row = RowBuffer::default();
        for (record, line) in csv.records().zip(2..) {
            let record = record.unwrap();
            for target in &plan.targets {
                if !plan.fill(target, &|at| &record[at], &mut row) {
                    continue;
                }
                let table = target.table;
                if !rows.insert((table.name.clone(), row.iter().map(str::to_owned).collect::<Vec<_>>())) {
                    assert!(target.distinct, "{line}: the same row of {} twice", table.name);
                    continue;
                }
                let filled = (0..table.fields.len()).filter(|at| target.fills(*at) || table.fields[*at].required);
                for (field, value) in filled.map(|at| (&table.fields[at], row.value(at))) {
                    values.insert(format!("{line} {}.{}", table.name, field.name), value.to_owned());
                    if let Err((rule, _)) = check(field, value) {
                        defects.push(format!("{line} {}.{} {rule}", table.name, field.name));
                    }
                }
            }
        }
        let mut counts = BTreeMap::new();
        for (collection, _) in rows {
            *counts.entry(collection).or_default() += 1;
        }
        Made { rows: counts, defects, unread: plan.unread, values }
    }

    fn expect(made: &Made, rows: &[(&str, usize)], defects: &[&str], unread: &[&str]) {
        let rows: BTreeMap<String, usize> = rows.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        assert_eq!(made.rows, rows);
        assert_eq!(made.defects, defects);
        assert_eq!(made.unread, unread);
    }

    fn holds(made: &Made, place: &str, value: &str) {
        assert_eq!(made.values.get(place).map(String::as_str), Some(value), "{place}");
    }

    #[test]
    fn the_canreg5_mapping_reads_its_fixture() {
        let made = made("canreg5");
        expect(
            &made,
            &[("follow_up", 14), ("patient", 14), ("tumour", 15)],
            &[
                "10 patient.sex code",
                "11 patient.residence_region form",
                "12 tumour.basis code",
                "14 follow_up.vital_status code",
                "15 tumour.diagnosis_date date",
                "16 tumour.behaviour code",
            ],
            &["Occupation", "Source1"],
        );
        holds(&made, "2 tumour.topography", "C421");
        holds(&made, "2 tumour.tumour_seq", "0");
        holds(&made, "4 patient.birth_date", "2009");
        holds(&made, "4 tumour.diagnosis_date", "2015-04");
        holds(&made, "4 follow_up.vital_status", "0");
        holds(&made, "4 follow_up.death_date", "2016-10-20");
        holds(&made, "5 patient.sex", "1");
        holds(&made, "6 tumour.tumour_seq", "1");
        holds(&made, "7 tumour.tumour_seq", "2");
        holds(&made, "9 patient.residence_region", "unknown");
        holds(&made, "14 tumour.extract_age_years", "");
    }

    #[test]
    fn the_redcap_mapping_reads_its_fixture() {
        let made = made("redcap");
        expect(
            &made,
            &[("course", 20), ("event", 6), ("follow_up", 12), ("patient", 12), ("tumour", 13)],
            &[
                "10 patient.coverage_scheme code",
                "11 patient.legal_basis required",
                "12 patient.birth_date date",
                "13 course.weight_kg number",
            ],
            &["municipality", "school_year"],
        );
        holds(&made, "2 patient.national_id", "EJEM110514");
        holds(&made, "2 tumour.wbc_at_dx", "18.4");
        holds(&made, "2 tumour.symptom_onset_date", "2015-08");
        holds(&made, "3 course.course_no", "3");
        holds(&made, "3 course.radiotherapy_gy", "10.8");
        holds(&made, "4 tumour.cns_clinical_signs", "yes");
        holds(&made, "5 tumour.tumour_seq", "2");
        holds(&made, "9 patient.objection", "yes");
        holds(&made, "10 event.event_site", "local");
        holds(&made, "13 patient.residence_region", "unknown");
    }

    #[test]
    fn the_naaccr_mapping_reads_its_fixture() {
        let made = made("naaccr");
        expect(
            &made,
            &[("follow_up", 14), ("patient", 14), ("tumour", 15)],
            &[
                "14 patient.sex code",
                "15 tumour.laterality code",
                "16 patient.residence_country form",
                "16 tumour.basis code",
                "16 follow_up.vital_status code",
            ],
            &["race1", "primaryPayerAtDx"],
        );
        holds(&made, "2 patient.residence_region", "US-CA");
        holds(&made, "2 tumour.extract_age_years", "003");
        holds(&made, "4 tumour.basis", "1");
        holds(&made, "6 patient.birth_date", "2015-03");
        holds(&made, "6 follow_up.death_date", "2020-02-19");
        holds(&made, "9 patient.residence_region", "CA-ON");
        holds(&made, "11 patient.residence_country", "MX");
        holds(&made, "11 patient.residence_region", "unknown");
        holds(&made, "13 tumour.basis", "0");
        holds(&made, "14 tumour.topography", "C649");
    }

    #[test]
    fn a_contradiction_in_a_mapping_is_named() {
        let dictionary = Dictionary::built_in().unwrap();
        let shipped = include_str!("../../../config/mappings/redcap.toml");
        for (from, to, named) in [
            ("name = \"event\"", "name = \"events\"", "no such collection"),
            ("\"100\" = \"marrow\"", "\"100\" = \"marrow;skin\"", "`marrow;skin` is no code"),
            (
                "when = { column = \"last_contact\"",
                "when = { values = [\"1\"], except = [\"2\"], column = \"x\"",
                "either",
            ),
            ("fields.birth_date = { column", "fields.birth_date = { constant = \"\", column", "exactly one"),
            ("fields.sex = { column = \"sex\" }\n", "", "mandatory"),
        ] {
            let error = Mapping::parse(&shipped.replace(from, to), &dictionary).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
    }
}

//! Codes that are in no list, with the nearest known ones, so that a mapping can be written.

use std::collections::BTreeMap;

use node_domain::{
    dictionary::{Field, Kind, Table},
    nearest::nearest,
};
use serde::Serialize;

/// More different values than this are no codes.
const MOST: usize = 50;
/// Longer values are no codes.
const LONGEST: usize = 24;

/// Unknown codes by field.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct UnknownCodes(pub BTreeMap<String, UnknownField>);

/// The unknown codes of one field.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct UnknownField {
    /// Column of the file.
    pub column: String,
    /// Whether there are too many different values to be codes; then none is told.
    pub not_codes: bool,
    /// Each value with how often it stands there and the nearest code.
    pub values: BTreeMap<String, UnknownCode>,
}

/// One unknown code.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct UnknownCode {
    /// Times that it stands there.
    pub count: u64,
    /// The nearest code of the list.
    pub nearest: Option<String>,
}

impl UnknownCodes {
    /// Notes a value that is no code of the field's list.
    pub(crate) fn note(&mut self, table: &Table, field: &Field, column: Option<&str>, value: &str) {
        if value.is_empty() || value.len() > LONGEST {
            return;
        }
        let unknown = self.0.entry(format!("{}.{}", table.name, field.name)).or_default();
        if unknown.column.is_empty() {
            column.unwrap_or(&field.name).clone_into(&mut unknown.column);
        }
        // so many different values are no codes, perhaps names: none of them is told
        if unknown.not_codes || (unknown.values.len() >= MOST && !unknown.values.contains_key(value)) {
            unknown.not_codes = true;
            unknown.values.clear();
            return;
        }
        let noted = unknown.values.entry(value.to_owned()).or_insert_with(|| UnknownCode {
            count: 0,
            nearest: match &field.kind {
                Kind::Code(list) | Kind::Codes(list) => nearest(
                    value,
                    list.codes.iter().flat_map(|code| {
                        let label = &code.label;
                        [&code.code, &label.es, &label.pt, &label.en].map(|text| (text.as_str(), code.code.as_str()))
                    }),
                ),
                _ => None,
            },
        });
        noted.count += 1;
    }
}

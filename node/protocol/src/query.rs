//! What is asked: a filter, a grouping and a statistic over one analysis table.

pub mod bins;
pub mod group_codes;
mod raw;

use std::{collections::BTreeSet, sync::Arc};

use node_domain::{
    dictionary::{Dictionary, Field, Kind, Table},
    months::LAST_MONTH,
    nearest::unknown,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::group_codes::GroupCodes;
use crate::problem::{Problem, ProblemKind};

/// The largest query, bytes of JSON.
pub const MAX_BYTES: usize = 64 * 1024;
/// The most fields to group by.
pub const MAX_BY: usize = 4;
/// The most cells of an answer.
pub const MAX_CELLS: u64 = 5_000;
/// The most groups of a survival query: each may show every month of the base grid.
pub const MAX_CURVES: u64 = 500;
/// The deepest nesting of conditions.
pub const MAX_DEPTH: usize = 8;
/// The most conditions, nested ones included.
pub const MAX_CONDITIONS: usize = 64;
/// The most values of one `in`.
pub const MAX_VALUES: usize = 500;
/// The most fields of one `mean`.
pub const MAX_MEANS: usize = 4;
/// The names of all statistics, in the order of [`Statistic`].
pub const STATISTICS: [&str; 4] = ["count", "histogram", "mean", "survival"];

/// A question to a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// Dictionary version that the fields are of, such as `1.0`.
    pub dictionary: String,
    /// Project under which it is asked; exploration without one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub project: Option<String>,
    /// Analysis table, such as `cases`.
    pub table: String,
    /// Conditions that all must hold.
    #[serde(rename = "where", skip_serializing_if = "Vec::is_empty", default)]
    pub conditions: Vec<Condition>,
    /// Fields to group by.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub by: Vec<String>,
    /// What to compute.
    pub statistic: Statistic,
}

/// What to compute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "raw::Statistic", into = "raw::Statistic")]
pub enum Statistic {
    /// Persons per group.
    Count,
    /// Persons per group and fixed bin of a whole-number field; the bins are the protocol's, never the asker's.
    Histogram {
        /// Whole-number field.
        field: String,
    },
    /// Number, sum and sum of squares of whole-number fields.
    Mean {
        /// Whole-number fields, 1 to [`MAX_MEANS`].
        fields: Vec<String>,
    },
    /// Kaplan-Meier at the cuts.
    Survival {
        /// Endpoint of the table.
        endpoint: String,
        /// Months of 365.25/12 days, increasing, 1 to 120.
        cuts_months: Vec<u16>,
    },
}

/// A condition on rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "raw::Condition", into = "raw::Condition")]
pub enum Condition {
    /// The field has one of the values.
    In {
        /// Field.
        field: String,
        /// Values.
        values: Vec<Value>,
    },
    /// The field lies between two whole numbers, both included.
    Between {
        /// Field.
        field: String,
        /// Least.
        low: i64,
        /// Greatest.
        high: i64,
    },
    /// The field is missing, or is not.
    IsMissing {
        /// Field.
        field: String,
        /// Whether it is.
        missing: bool,
    },
    /// All hold.
    All(Vec<Condition>),
    /// At least one holds.
    Any(Vec<Condition>),
    /// It does not hold.
    Not(Box<Condition>),
}

/// A value of a field: a code or a whole number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "a code (text) or a whole number")]
pub enum Value {
    /// A whole number.
    Integer(i64),
    /// A code.
    Text(String),
}

impl Statistic {
    /// Its name on the wire.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Histogram { .. } => "histogram",
            Self::Mean { .. } => "mean",
            Self::Survival { .. } => "survival",
        }
    }
}

impl Query {
    /// Parses untrusted JSON.
    ///
    /// # Errors
    /// A [`Problem`] that names the field: unknown fields, wrong types and everything beyond the protocol's bounds are refused.
    pub fn parse(json: &[u8]) -> Result<Self, Problem> {
        let query: Self = parse_json(json)?;
        query.check_shape()?;
        Ok(query)
    }

    /// The bounds that need no dictionary.
    ///
    /// # Errors
    /// A [`Problem`] that names the field.
    pub fn check_shape(&self) -> Result<(), Problem> {
        let bad = |field: &str, detail: String| Err(ProblemKind::QueryInvalid.at(field, detail));
        if self.by.len() > MAX_BY {
            return bad("by", format!("{} fields to group by; at most {MAX_BY} are possible", self.by.len()));
        }
        for (at, field) in self.by.iter().enumerate() {
            if self.by[..at].contains(field) {
                return bad(&format!("by[{at}]"), "the field is named twice".to_owned());
            }
        }
        if self.project.as_ref().is_some_and(|project| project.is_empty() || project.len() > 64) {
            return bad("project", "a project's name has 1 to 64 characters".to_owned());
        }
        let mut conditions = 0;
        for (at, condition) in self.conditions.iter().enumerate() {
            condition.check_shape(&format!("where[{at}]"), 1, &mut conditions)?;
        }
        if let Statistic::Mean { fields } = &self.statistic {
            let twice = fields.iter().enumerate().any(|(at, field)| fields[..at].contains(field));
            if fields.is_empty() || fields.len() > MAX_MEANS || twice {
                return bad("statistic.fields", format!("1 to {MAX_MEANS} fields, none twice"));
            }
        }
        let Statistic::Survival { cuts_months, .. } = &self.statistic else { return Ok(()) };
        if cuts_months.is_empty() {
            return bad("statistic.cuts_months", "at least one cut is needed".to_owned());
        }
        let mut last = 0;
        for (at, &cut) in cuts_months.iter().enumerate() {
            if cut <= last || cut > LAST_MONTH {
                let field = format!("statistic.cuts_months[{at}]");
                return bad(
                    &field,
                    format!("cuts are months from 1 to {LAST_MONTH}, each greater than the one before"),
                );
            }
            last = cut;
        }
        Ok(())
    }

    /// Checks every name and value against the dictionary, and the number of cells.
    ///
    /// # Errors
    /// A [`Problem`] that names the field.
    pub fn check_against<'d>(&self, dictionary: &'d Dictionary) -> Result<&'d Arc<Table>, Problem> {
        if !dictionary.answers(&self.dictionary) {
            let known = dictionary.answers.join(", ");
            let detail = format!("answered here are: {known}; ask with one of those");
            return Err(ProblemKind::DictionaryUnsupported.at("dictionary", detail));
        }
        let table = dictionary
            .table(&self.table)
            .ok_or_else(|| ProblemKind::QueryInvalid.at("table", unknown_table(dictionary, &self.table)))?;
        for (at, condition) in self.conditions.iter().enumerate() {
            condition.check_against(table, &format!("where[{at}]"))?;
        }
        for (at, name) in self.by.iter().enumerate() {
            let place = format!("by[{at}]");
            let field = known(table, name, &place)?;
            if !field.groupable {
                return Err(ProblemKind::QueryInvalid.at(place, format!("`{name}` cannot be grouped by")));
            }
        }
        match &self.statistic {
            Statistic::Count => {}
            Statistic::Histogram { field } => {
                measured(table, field, "statistic.field")?;
            }
            Statistic::Mean { fields } => {
                for (at, field) in fields.iter().enumerate() {
                    measured(table, field, &format!("statistic.fields[{at}]"))?;
                }
            }
            Statistic::Survival { endpoint, .. } => {
                if !table.endpoints.contains_key(endpoint) {
                    let known = table.endpoints.keys().map(String::as_str);
                    return Err(
                        ProblemKind::QueryInvalid.at("statistic.endpoint", unknown("endpoint", endpoint, known))
                    );
                }
                let curves = self.group_count(table);
                if curves > MAX_CURVES {
                    let detail = format!("{curves} curves; at most {MAX_CURVES} are possible: group by fewer fields");
                    return Err(ProblemKind::TooManyCells.at("by", detail));
                }
            }
        }
        let cells = self.cell_count(table);
        if cells > MAX_CELLS {
            let detail =
                format!("{cells} cells; at most {MAX_CELLS} are possible: group by fewer fields or narrow `where`");
            return Err(ProblemKind::TooManyCells.at("by", detail));
        }
        Ok(table)
    }

    /// How many groups its answer has, those of missing values included.
    #[must_use]
    pub fn group_count(&self, table: &Table) -> u64 {
        let sizes = self.by.iter().filter_map(|name| table.field(name));
        sizes.fold(1, |groups: u64, field| groups.saturating_mul(self.codes_of(field).len() as u64 + 1))
    }

    /// How many cells its answer has.
    #[must_use]
    pub fn cell_count(&self, table: &Table) -> u64 {
        let each = match &self.statistic {
            Statistic::Count => 1,
            Statistic::Histogram { field } => {
                table.field(field).map_or(1, |field| bins::lower_edges(field).len() as u64 + 1)
            }
            Statistic::Mean { fields } => fields.len() as u64,
            Statistic::Survival { cuts_months, .. } => cuts_months.len() as u64,
        };
        self.group_count(table).saturating_mul(each)
    }

    /// The names of all fields that it filters, groups or measures by; an endpoint is named as it is asked for.
    #[must_use]
    pub fn fields(&self) -> BTreeSet<&str> {
        let mut fields = self.restricted_by();
        match &self.statistic {
            Statistic::Count => {}
            Statistic::Histogram { field } => {
                fields.insert(field);
            }
            Statistic::Mean { fields: measured } => fields.extend(measured.iter().map(String::as_str)),
            Statistic::Survival { endpoint, .. } => {
                fields.insert(endpoint);
            }
        }
        fields
    }

    /// The names of the fields that it filters or groups by.
    #[must_use]
    pub fn restricted_by(&self) -> BTreeSet<&str> {
        let mut fields: BTreeSet<&str> = self.by.iter().map(String::as_str).collect();
        self.conditions.iter().for_each(|condition| condition.name_fields(&mut fields));
        fields
    }

    /// How many conditions it has, nested ones included.
    #[must_use]
    pub fn condition_count(&self) -> usize {
        self.conditions.iter().map(Condition::count).sum()
    }

    /// Whether it asks the same of the same rows as `other`, whatever the project and the order of its groups.
    #[must_use]
    pub fn asks_the_same(&self, other: &Self) -> bool {
        let sorted = |by: &[String]| by.iter().cloned().collect::<BTreeSet<_>>();
        self.table == other.table
            && self.conditions == other.conditions
            && self.statistic == other.statistic
            && sorted(&self.by) == sorted(&other.by)
    }

    /// The codes that groups of `field` can have, in order: the code list, or the whole numbers that top-level conditions leave.
    #[must_use]
    pub fn codes_of(&self, field: &Field) -> GroupCodes {
        match &field.kind {
            Kind::Code(list) => GroupCodes::List(list.codes.iter().map(|code| code.code.clone()).collect()),
            Kind::Integer { minimum, maximum } => {
                let (mut low, mut high) = (*minimum, *maximum);
                for condition in &self.conditions {
                    match condition {
                        Condition::Between { field: name, low: from, high: to } if *name == field.name => {
                            (low, high) = (low.max(*from), high.min(*to));
                        }
                        Condition::In { field: name, values } if *name == field.name => {
                            let numbers = values.iter().filter_map(|value| match value {
                                Value::Integer(number) => Some(*number),
                                Value::Text(_) => None,
                            });
                            low = low.max(numbers.clone().min().unwrap_or(low));
                            high = high.min(numbers.max().unwrap_or(high));
                        }
                        _ => {}
                    }
                }
                GroupCodes::Range { low, high: high.max(low - 1) }
            }
            _ => GroupCodes::List(Vec::new()),
        }
    }
}

/// Parses JSON of any protocol type, naming the field that is wrong.
///
/// # Errors
/// [`ProblemKind::BodyTooLarge`] beyond [`MAX_BYTES`]; [`ProblemKind::BodyInvalid`] with the path otherwise.
pub fn parse_json<T: serde::de::DeserializeOwned>(json: &[u8]) -> Result<T, Problem> {
    if json.len() > MAX_BYTES {
        return Err(ProblemKind::BodyTooLarge.because(format!("at most {MAX_BYTES} bytes are read")));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let value: T = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        ProblemKind::BodyInvalid.at(path, error.into_inner().to_string())
    })?;
    deserializer.end().map_err(|error| ProblemKind::BodyInvalid.because(error.to_string()))?;
    Ok(value)
}

/// The same conditions in one order, with values sorted and none twice: other spellings of one question become alike.
#[must_use]
pub fn in_order(conditions: &[Condition]) -> Vec<Condition> {
    let mut ordered: Vec<Condition> = conditions.iter().map(Condition::in_order).collect();
    ordered.sort_by_cached_key(|condition| serde_json::to_string(condition).unwrap_or_default());
    ordered.dedup();
    ordered
}

fn known<'t>(table: &'t Table, name: &str, place: &str) -> Result<&'t Field, Problem> {
    let asked = || table.fields.iter().filter(|field| field.filterable || field.groupable);
    table.field(name).ok_or_else(|| {
        let what = format!("field of `{}`", table.name);
        let known = asked().map(|field| field.name.as_str());
        ProblemKind::QueryInvalid.at(place, unknown(&what, name, known))
    })
}

fn unknown_table(dictionary: &Dictionary, name: &str) -> String {
    unknown("analysis table", name, dictionary.tables().map(|table| table.name.as_str()))
}

/// A whole-number field that may be filtered by: only those may be measured.
fn measured<'t>(table: &'t Table, name: &str, place: &str) -> Result<&'t Field, Problem> {
    let field = known(table, name, place)?;
    // durations and ages; of codes and years a sum would tell how many have each
    let quantity = matches!(field.unit.as_deref(), Some("d" | "min" | "h")) || name == "age_years";
    if !matches!(field.kind, Kind::Integer { .. }) || !field.filterable || !quantity {
        let detail = format!("`{name}` is no quantity that may be measured: durations and ages are");
        return Err(ProblemKind::QueryInvalid.at(place, detail));
    }
    Ok(field)
}

impl Condition {
    fn in_order(&self) -> Self {
        match self {
            Self::In { field, values } => {
                let mut values = values.clone();
                values.sort_by_cached_key(|value| serde_json::to_string(value).unwrap_or_default());
                values.dedup();
                Self::In { field: field.clone(), values }
            }
            Self::All(inner) => Self::All(in_order(inner)),
            Self::Any(inner) => Self::Any(in_order(inner)),
            Self::Not(inner) => Self::Not(Box::new(inner.in_order())),
            Self::Between { .. } | Self::IsMissing { .. } => self.clone(),
        }
    }

    /// It and all conditions inside it.
    fn count(&self) -> usize {
        match self {
            Self::All(inner) | Self::Any(inner) => 1 + inner.iter().map(Self::count).sum::<usize>(),
            Self::Not(inner) => 1 + inner.count(),
            Self::In { .. } | Self::Between { .. } | Self::IsMissing { .. } => 1,
        }
    }

    fn name_fields<'c>(&'c self, fields: &mut BTreeSet<&'c str>) {
        match self {
            Self::In { field, .. } | Self::Between { field, .. } | Self::IsMissing { field, .. } => {
                fields.insert(field);
            }
            Self::All(inner) | Self::Any(inner) => inner.iter().for_each(|condition| condition.name_fields(fields)),
            Self::Not(inner) => inner.name_fields(fields),
        }
    }

    fn check_shape(&self, place: &str, depth: usize, count: &mut usize) -> Result<(), Problem> {
        let bad = |detail: String| Err(ProblemKind::QueryInvalid.at(place, detail));
        *count += 1;
        if *count > MAX_CONDITIONS {
            return bad(format!("more than {MAX_CONDITIONS} conditions"));
        }
        if depth > MAX_DEPTH {
            return bad(format!("conditions are nested more than {MAX_DEPTH} deep"));
        }
        match self {
            Self::In { values, .. } if values.is_empty() || values.len() > MAX_VALUES => {
                bad(format!("`in` takes 1 to {MAX_VALUES} values"))
            }
            Self::Between { low, high, .. } if low > high => bad("`between` takes the lower bound first".to_owned()),
            Self::All(inner) | Self::Any(inner) => {
                let word = if matches!(self, Self::All(_)) { "all" } else { "any" };
                if inner.is_empty() {
                    return bad(format!("`{word}` takes at least one condition"));
                }
                for (at, condition) in inner.iter().enumerate() {
                    condition.check_shape(&format!("{place}.{word}[{at}]"), depth + 1, count)?;
                }
                Ok(())
            }
            Self::Not(inner) => inner.check_shape(&format!("{place}.not"), depth + 1, count),
            Self::In { .. } | Self::Between { .. } | Self::IsMissing { .. } => Ok(()),
        }
    }

    fn check_against(&self, table: &Table, place: &str) -> Result<(), Problem> {
        let bad = |detail: String| Err(ProblemKind::QueryInvalid.at(place, detail));
        match self {
            Self::All(inner) | Self::Any(inner) => {
                let word = if matches!(self, Self::All(_)) { "all" } else { "any" };
                for (at, condition) in inner.iter().enumerate() {
                    condition.check_against(table, &format!("{place}.{word}[{at}]"))?;
                }
                Ok(())
            }
            Self::Not(inner) => inner.check_against(table, &format!("{place}.not")),
            Self::In { field: name, .. } | Self::Between { field: name, .. } | Self::IsMissing { field: name, .. } => {
                let field = known(table, name, place)?;
                if !field.filterable {
                    return bad(format!("`{name}` cannot be filtered by"));
                }
                match (self, &field.kind) {
                    (Self::IsMissing { .. }, _) => Ok(()),
                    (Self::Between { low, high, .. }, Kind::Integer { minimum, maximum }) => {
                        if low < minimum || high > maximum {
                            return bad(format!("`{name}` lies between {minimum} and {maximum}"));
                        }
                        Ok(())
                    }
                    (Self::Between { .. }, _) => bad(format!("`{name}` takes codes, not a range: use `in`")),
                    (Self::In { values, .. }, Kind::Integer { minimum, maximum }) => {
                        let fits =
                            |value: &Value| matches!(value, Value::Integer(n) if (minimum..=maximum).contains(&n));
                        if values.iter().all(fits) {
                            return Ok(());
                        }
                        bad(format!("`{name}` takes whole numbers between {minimum} and {maximum}"))
                    }
                    (Self::In { values, .. }, Kind::Code(list)) => {
                        let fits = |value: &Value| matches!(value, Value::Text(code) if list.position(code).is_some());
                        if values.iter().all(fits) {
                            return Ok(());
                        }
                        let mut codes = list.codes.iter().map(|code| code.code.as_str()).collect::<Vec<_>>();
                        let more = if codes.len() > 60 { ", … (see the dictionary)" } else { "" };
                        codes.truncate(60);
                        bad(format!("`{name}` takes codes, as text: {}{more}", codes.join(", ")))
                    }
                    (Self::In { .. }, _) => bad(format!("`{name}` cannot be filtered by")),
                    // these have no field of their own and were handled above
                    (Self::All(_) | Self::Any(_) | Self::Not(_), _) => Ok(()),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::canonical;

    const SURVIVAL: &str = r#"{"dictionary":"1.0","table":"cases","where":[{"field":"diagnosis_year","between":[2015,2020]}],
        "by":["stage"],"statistic":{"kind":"survival","endpoint":"overall","cuts_months":[12,36,60]}}"#;

    fn refused_at(json: &str) -> String {
        let problem = Query::parse(json.as_bytes())
            .and_then(|query| query.check_against(&Dictionary::built_in().unwrap()).map(drop))
            .expect_err(json);
        problem.field.unwrap_or_default()
    }

    #[test]
    fn a_good_query_parses_and_keeps_its_canonical_form() {
        let query = Query::parse(SURVIVAL.as_bytes()).unwrap();
        query.check_against(&Dictionary::built_in().unwrap()).unwrap();
        let bytes = canonical::bytes(&query).unwrap();
        assert_eq!(Query::parse(&bytes).unwrap(), query);
    }

    #[test]
    fn refusals_name_the_field() {
        let with = |from: &str, to: &str| SURVIVAL.replace(from, to);
        assert_eq!(refused_at(&with("[12,36,60]", "[-12,36]")), "statistic.cuts_months[0]");
        assert_eq!(refused_at(&with("[12,36,60]", "[12,12]")), "statistic.cuts_months[1]");
        assert_eq!(refused_at(&with("[12,36,60]", "[12,121]")), "statistic.cuts_months[1]");
        assert_eq!(refused_at(&with("[12,36,60]", "[12.5]")), "statistic.cuts_months[0]");
        assert_eq!(refused_at(&with("[12,36,60]", "[NaN]")), "statistic.cuts_months[0]");
        assert_eq!(refused_at(&with("[12,36,60]", "[]")), "statistic.cuts_months");
        assert_eq!(refused_at(&with("\"overall\"", "\"quality\"")), "statistic.endpoint");
        assert_eq!(refused_at(&with("\"table\"", "\"rows\":1,\"table\"")), "rows");
        assert_eq!(refused_at(&with("\"1.0\"", "\"9.0\"")), "dictionary");
        assert_eq!(refused_at(&with("\"cases\"", "\"patient\"")), "table");
        assert_eq!(refused_at(&with("[\"stage\"]", "[\"overall_days\"]")), "by[0]");
        assert_eq!(refused_at(&with("[\"stage\"]", "[\"stage\",\"stage\"]")), "by[1]");
        assert_eq!(refused_at(&with("[\"stage\"]", "[\"a\",\"b\",\"c\",\"d\",\"e\"]")), "by");
        assert_eq!(refused_at(&with("[2015,2020]", "[2020,2015]")), "where[0]");
        assert_eq!(refused_at(&with("[2015,2020]", "[2015,9999]")), "where[0]");
        assert_eq!(refused_at(&with("diagnosis_year", "birth_date")), "where[0]");
        assert_eq!(refused_at(&with("\"between\":[2015,2020]", "\"is\":1")), "where[0].is");
    }

    #[test]
    fn ten_thousand_groups_are_too_many() {
        let query = SURVIVAL.replace("[\"stage\"]", "[\"toronto_schema\",\"toronto_stage\",\"basis\"]");
        assert_eq!(refused_at(&query), "by");
    }

    #[test]
    fn nesting_bombs_are_refused_at_any_depth() {
        for depth in [9, 100, 1_000, 5_000] {
            let bomb =
                format!("{}{{\"field\":\"sex\",\"is_missing\":true}}{}", "{\"not\":".repeat(depth), "}".repeat(depth));
            let query = SURVIVAL.replace("{\"field\":\"diagnosis_year\",\"between\":[2015,2020]}", &bomb);
            assert!(Query::parse(query.as_bytes()).is_err(), "{depth}");
        }
    }

    proptest! {
        #[test]
        fn parsing_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Query::parse(&bytes);
        }

        #[test]
        fn a_damaged_query_never_panics(at in 0..SURVIVAL.len(), byte in any::<u8>()) {
            let mut bytes = SURVIVAL.as_bytes().to_vec();
            bytes[at] = byte;
            if let Ok(query) = Query::parse(&bytes) {
                let _ = query.check_against(&Dictionary::built_in().unwrap());
            }
        }
    }
}

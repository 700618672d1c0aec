//! Whether a query asked about something: a table, a field, or rows with one code of a field.

use std::collections::BTreeSet;

use node_protocol::query::{Condition, Query, Statistic, Value};
use serde::{Deserialize, Serialize};

/// How an answer tells about the rows that have a field, or one value of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Telling {
    /// By the field itself.
    Directly,
    /// By a field that tells of the same.
    ByKindred,
    /// They are counted in it among all others.
    AmongOthers,
}

/// Other ways in which answers tell about a field than by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kin {
    /// The fields and endpoints that tell of the same.
    pub fields: BTreeSet<String>,
    /// The tables that have the field or one of those: answers about them that use none of them count the rows among all others.
    pub tables: BTreeSet<String>,
}

/// What a query is searched by; all that is given must hold. A value without a field matches nothing.
#[derive(Debug, Clone, Copy)]
pub struct Matter<'m> {
    /// The table.
    pub table: Option<&'m str>,
    /// A field that it uses.
    pub field: Option<&'m str>,
    /// A value of that field that its answer can tell about.
    pub value: Option<&'m str>,
    /// Other ways of telling about the field that are wanted too.
    pub kin: Option<&'m Kin>,
}

impl Matter<'_> {
    /// Whether it restricts nothing, so that no query needs to be read.
    pub(crate) fn is_any(self) -> bool {
        self.table.is_none() && self.field.is_none() && self.value.is_none()
    }

    /// Whether the query is among those that are searched for.
    #[must_use]
    pub fn matches(self, query: &Query) -> bool {
        self.telling(query).is_some()
    }

    /// In which way the answer to a query tells about what is searched for; nothing where it does not.
    #[must_use]
    pub fn telling(self, query: &Query) -> Option<Telling> {
        if self.table.is_some_and(|table| query.table != table) {
            return None;
        }
        let direct = match (self.field, self.value) {
            (None, None) => true,
            (None, Some(_)) => return None,
            (Some(field), None) => query.fields().contains(field),
            (Some(field), Some(value)) => tells_about(query, field, value),
        };
        if direct {
            return Some(Telling::Directly);
        }
        let (field, kin) = (self.field?, self.kin?);
        if self.value.is_some_and(|value| leaves_out(query, field, value)) {
            return None;
        }
        if query.fields().into_iter().any(|used| kin.fields.contains(used)) {
            return Some(Telling::ByKindred);
        }
        kin.tables.contains(&query.table).then_some(Telling::AmongOthers)
    }
}

/// Whether a condition that all rows meet keeps those out whose `field` is `value`.
fn leaves_out(query: &Query, field: &str, value: &str) -> bool {
    query.conditions.iter().any(|condition| {
        let about = matches!(condition, Condition::In { field: name, .. } | Condition::Between { field: name, .. }
            | Condition::IsMissing { field: name, .. } if name == field);
        about && !lets_through(condition, field, value, true)
    })
}

/// Whether the answer can tell about rows whose `field` is `value`: it is grouped by the field (or by its bins), or a condition
/// on the field names or admits the value. A query that does not restrict the field tells nothing of one value of it.
fn tells_about(query: &Query, field: &str, value: &str) -> bool {
    query.by.iter().any(|by| by == field)
        || matches!(&query.statistic, Statistic::Histogram { field: binned } if binned == field)
        || query.conditions.iter().any(|condition| lets_through(condition, field, value, true))
}

/// Whether `condition` (or its negation, where `holds` is false) is about `field` and names or admits `value`. A negation that
/// names the value cuts it out, and what is left tells about it with the total: that counts too.
fn lets_through(condition: &Condition, field: &str, value: &str, holds: bool) -> bool {
    match condition {
        Condition::In { field: name, values } => {
            let named = |named: &Value| match named {
                Value::Integer(number) => value.parse() == Ok(*number),
                Value::Text(code) => code == value,
            };
            name == field && (!holds || values.iter().any(named))
        }
        Condition::Between { field: name, low, high } => {
            let number = value.parse::<i64>();
            name == field && number.is_ok_and(|number| !holds || (*low..=*high).contains(&number))
        }
        Condition::IsMissing { field: name, missing } => name == field && *missing != holds,
        Condition::All(inner) | Condition::Any(inner) => {
            inner.iter().any(|condition| lets_through(condition, field, value, holds))
        }
        Condition::Not(inner) => lets_through(inner, field, value, !holds),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(conditions: &str, rest: &str) -> Query {
        let json = format!(r#"{{"dictionary":"1.0","table":"cases","where":[{conditions}],{rest}}}"#);
        Query::parse(json.as_bytes()).unwrap()
    }

    const COUNT: &str = r#""statistic":{"kind":"count"}"#;

    fn found(query: &Query, field: &str, value: &str) -> bool {
        Matter { table: Some("cases"), field: Some(field), value: Some(value), kin: None }.matches(query)
    }

    #[test]
    fn conditions_are_read_and_not_searched_as_text() {
        let one = query(r#"{"field":"sex","in":["1"]}"#, COUNT);
        assert!(found(&one, "sex", "1"));
        assert!(!found(&one, "sex", "2"));
        assert!(!found(&one, "sex", "in"));
        assert!(!found(&one, "stage", "1"), "an unrestricted field is not enough");

        let years = query(r#"{"field":"diagnosis_year","between":[2015,2020]}"#, COUNT);
        assert!(found(&years, "diagnosis_year", "2015") && found(&years, "diagnosis_year", "2020"));
        assert!(!found(&years, "diagnosis_year", "2021") && !found(&years, "diagnosis_year", "x"));
    }

    #[test]
    fn nested_and_negated_conditions_count() {
        let nested = query(r#"{"any":[{"all":[{"field":"sex","in":["1"]}]},{"field":"stage","in":["I"]}]}"#, COUNT);
        assert!(found(&nested, "sex", "1") && found(&nested, "stage", "I") && !found(&nested, "stage", "II"));

        let without = query(r#"{"not":{"field":"stage","in":["I"]}}"#, COUNT);
        assert!(found(&without, "stage", "I"), "what is cut out is told by the difference");
        assert!(found(&without, "stage", "II"), "what is left is admitted");
        let twice = query(r#"{"not":{"not":{"field":"stage","in":["I"]}}}"#, COUNT);
        assert!(found(&twice, "stage", "I") && !found(&twice, "stage", "II"));
    }

    #[test]
    fn missing_values_are_told_from_present_ones() {
        let missing = |is: &str| query(&format!(r#"{{"field":"stage","is_missing":{is}}}"#), COUNT);
        assert!(found(&missing("false"), "stage", "I") && !found(&missing("true"), "stage", "I"));
        let not_missing = query(r#"{"not":{"field":"stage","is_missing":true}}"#, COUNT);
        assert!(found(&not_missing, "stage", "I"));
    }

    #[test]
    fn groups_and_bins_tell_about_every_value_and_means_about_none() {
        let grouped = query("", r#""by":["sex"],"statistic":{"kind":"count"}"#);
        assert!(found(&grouped, "sex", "1") && found(&grouped, "sex", "2"));
        let bins = query("", r#""statistic":{"kind":"histogram","field":"age_years"}"#);
        assert!(found(&bins, "age_years", "7"));
        let mean = query("", r#""statistic":{"kind":"mean","fields":["age_years"]}"#);
        assert!(!found(&mean, "age_years", "7"));
        assert!(Matter { table: None, field: Some("age_years"), value: None, kin: None }.matches(&mean));
    }

    #[test]
    fn a_value_needs_a_field() {
        let grouped = query("", r#""by":["sex"],"statistic":{"kind":"count"}"#);
        assert!(!Matter { table: None, field: None, value: Some("1"), kin: None }.matches(&grouped));
        assert!(!Matter { table: Some("doses"), field: None, value: None, kin: None }.matches(&grouped));
        assert!(Matter { table: None, field: None, value: None, kin: None }.is_any());
    }

    #[test]
    fn kindred_fields_tell_too_and_totals_count_everybody() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let kin = Kin { fields: names(&["iccc_group"]), tables: names(&["cases"]) };
        let of = |value| Matter { table: None, field: Some("index_cancer"), value, kin: Some(&kin) };
        let telling = |query: &Query| of(Some("RETINOBLASTOMA")).telling(query);

        assert_eq!(
            telling(&query("", r#""by":["index_cancer"],"statistic":{"kind":"count"}"#)),
            Some(Telling::Directly)
        );
        let grouped = query("", r#""by":["iccc_group"],"statistic":{"kind":"count"}"#);
        assert_eq!(telling(&grouped), Some(Telling::ByKindred));
        assert_eq!(of(None).telling(&grouped), Some(Telling::ByKindred));
        let by_sex = query("", r#""by":["sex"],"statistic":{"kind":"count"}"#);
        assert_eq!(telling(&by_sex), Some(Telling::AmongOthers));
        let others =
            query(r#"{"field":"index_cancer","in":["WILMS"]}"#, r#""by":["iccc_group"],"statistic":{"kind":"count"}"#);
        assert_eq!(telling(&others), None, "these children are not counted");
        let elsewhere = Kin { tables: names(&["doses"]), ..Kin::default() };
        assert_eq!(Matter { kin: Some(&elsewhere), ..of(None) }.telling(&by_sex), None);
    }
}

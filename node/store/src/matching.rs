//! Whether a query asked about something: a table, a field, or rows with one code of a field.

use node_protocol::query::{Condition, Query, Statistic, Value};

/// What a query is searched by; all that is given must hold. A value without a field matches nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Matter<'m> {
    pub(crate) table: Option<&'m str>,
    pub(crate) field: Option<&'m str>,
    pub(crate) value: Option<&'m str>,
}

impl Matter<'_> {
    /// Whether it restricts nothing, so that no query needs to be read.
    pub(crate) fn is_any(self) -> bool {
        self.table.is_none() && self.field.is_none() && self.value.is_none()
    }

    pub(crate) fn matches(self, query: &Query) -> bool {
        self.table.is_none_or(|table| query.table == table)
            && match (self.field, self.value) {
                (None, None) => true,
                (None, Some(_)) => false,
                (Some(field), None) => query.fields().contains(field),
                (Some(field), Some(value)) => tells_about(query, field, value),
            }
    }
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
        Matter { table: Some("cases"), field: Some(field), value: Some(value) }.matches(query)
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
        assert!(Matter { table: None, field: Some("age_years"), value: None }.matches(&mean));
    }

    #[test]
    fn a_value_needs_a_field() {
        let grouped = query("", r#""by":["sex"],"statistic":{"kind":"count"}"#);
        assert!(!Matter { table: None, field: None, value: Some("1") }.matches(&grouped));
        assert!(!Matter { table: Some("doses"), field: None, value: None }.matches(&grouped));
        assert!(Matter { table: None, field: None, value: None }.is_any());
    }
}

//! The flat forms on the wire, from which the enums are made so that errors keep the path of the field.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Value;

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Statistic")]
pub(super) struct Statistic {
    kind: Kind,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    field: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    fields: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    endpoint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    cuts_months: Option<Vec<u16>>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "StatisticKind")]
enum Kind {
    Count,
    Histogram,
    Mean,
    Survival,
}

impl TryFrom<Statistic> for super::Statistic {
    type Error = &'static str;

    fn try_from(raw: Statistic) -> Result<Self, Self::Error> {
        match (raw.kind, raw.field, raw.fields, raw.endpoint, raw.cuts_months) {
            (Kind::Count, None, None, None, None) => Ok(Self::Count),
            (Kind::Count, ..) => Err("`count` takes nothing beside its kind"),
            (Kind::Histogram, Some(field), None, None, None) => Ok(Self::Histogram { field }),
            (Kind::Histogram, ..) => Err("`histogram` needs `field` and takes nothing else"),
            (Kind::Mean, None, Some(fields), None, None) => Ok(Self::Mean { fields }),
            (Kind::Mean, ..) => Err("`mean` needs `fields` and takes nothing else"),
            (Kind::Survival, None, None, Some(endpoint), Some(cuts_months)) => {
                Ok(Self::Survival { endpoint, cuts_months })
            }
            (Kind::Survival, ..) => Err("`survival` needs `endpoint` and `cuts_months`"),
        }
    }
}

impl From<super::Statistic> for Statistic {
    fn from(statistic: super::Statistic) -> Self {
        let of = |kind| Self { kind, field: None, fields: None, endpoint: None, cuts_months: None };
        match statistic {
            super::Statistic::Count => of(Kind::Count),
            super::Statistic::Histogram { field } => Self { field: Some(field), ..of(Kind::Histogram) },
            super::Statistic::Mean { fields } => Self { fields: Some(fields), ..of(Kind::Mean) },
            super::Statistic::Survival { endpoint, cuts_months } => {
                Self { endpoint: Some(endpoint), cuts_months: Some(cuts_months), ..of(Kind::Survival) }
            }
        }
    }
}

/// Either `field` with one of `in`, `between`, `is_missing`, or one of `all`, `any`, `not`.
#[derive(Serialize, Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Condition")]
pub(super) struct Condition {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    field: Option<String>,
    #[serde(rename = "in", skip_serializing_if = "Option::is_none", default)]
    values: Option<Vec<Value>>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    between: Option<[i64; 2]>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    is_missing: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    all: Option<Vec<super::Condition>>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    any: Option<Vec<super::Condition>>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    not: Option<Box<super::Condition>>,
}

impl TryFrom<Condition> for super::Condition {
    type Error = &'static str;

    fn try_from(raw: Condition) -> Result<Self, Self::Error> {
        match raw {
            Condition {
                field: Some(field),
                values: Some(values),
                between: None,
                is_missing: None,
                all: None,
                any: None,
                not: None,
            } => Ok(Self::In { field, values }),
            Condition {
                field: Some(field),
                values: None,
                between: Some([low, high]),
                is_missing: None,
                all: None,
                any: None,
                not: None,
            } => Ok(Self::Between { field, low, high }),
            Condition {
                field: Some(field),
                values: None,
                between: None,
                is_missing: Some(missing),
                all: None,
                any: None,
                not: None,
            } => Ok(Self::IsMissing { field, missing }),
            Condition {
                field: None,
                values: None,
                between: None,
                is_missing: None,
                all: Some(inner),
                any: None,
                not: None,
            } => Ok(Self::All(inner)),
            Condition {
                field: None,
                values: None,
                between: None,
                is_missing: None,
                all: None,
                any: Some(inner),
                not: None,
            } => Ok(Self::Any(inner)),
            Condition {
                field: None,
                values: None,
                between: None,
                is_missing: None,
                all: None,
                any: None,
                not: Some(inner),
            } => Ok(Self::Not(inner)),
            _ => Err("a condition is `field` with one of `in`, `between`, `is_missing`; or one of `all`, `any`, `not`"),
        }
    }
}

impl From<super::Condition> for Condition {
    fn from(condition: super::Condition) -> Self {
        let empty = Self::default();
        match condition {
            super::Condition::In { field, values } => Self { field: Some(field), values: Some(values), ..empty },
            super::Condition::Between { field, low, high } => {
                Self { field: Some(field), between: Some([low, high]), ..empty }
            }
            super::Condition::IsMissing { field, missing } => {
                Self { field: Some(field), is_missing: Some(missing), ..empty }
            }
            super::Condition::All(inner) => Self { all: Some(inner), ..empty },
            super::Condition::Any(inner) => Self { any: Some(inner), ..empty },
            super::Condition::Not(inner) => Self { not: Some(inner), ..empty },
        }
    }
}

impl JsonSchema for super::Statistic {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        Statistic::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Statistic::json_schema(generator)
    }
}

impl JsonSchema for super::Condition {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        Condition::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Condition::json_schema(generator)
    }
}

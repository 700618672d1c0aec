//! The quality rules as data: read from `schemas/quality/rules.toml` and bound to the dictionary.

mod raw;

use node_domain::{
    dictionary::{Dictionary, Kind},
    language::Text,
};
use serde::{Deserialize, Serialize};

use super::{
    condition::{Condition, List, Sets},
    name::Name,
};

const RULES: &str = include_str!("../../../../schemas/quality/rules.toml");
const TOPOGRAPHY: &str = include_str!("../../../../schemas/classification/icdo3_topography.csv");
const COUNTRIES: &str = include_str!("../../../../schemas/classification/iso_3166_1.csv");

/// All rules, in the order of their identities.
#[derive(Debug)]
pub struct Rules {
    /// The rules.
    pub rules: Vec<Rule>,
    /// The named lists.
    pub sets: Sets,
}

/// One rule.
#[derive(Debug)]
pub struct Rule {
    /// Identity, such as `QC01`.
    pub id: String,
    /// Category, such as `age_morphology_child`.
    pub category: String,
    /// How bad it is.
    pub severity: Severity,
    /// Where the rule comes from.
    pub source: String,
    /// What it looks at.
    pub on: On,
    /// The values to look at, as the rule names them.
    pub columns: Vec<String>,
    /// What becomes of a row that breaks it.
    pub effect: Effect,
    /// What is wrong.
    pub text: Text,
    /// What to do.
    pub fix: Text,
    /// A row breaks the rule where any of these says so.
    pub checks: Vec<Check>,
}

/// How bad it is to break a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Impossible: the row is left out of every indicator, and counted.
    Error,
    /// Unlikely: the row is kept, and counted.
    Warning,
    /// Worth knowing.
    Info,
}

impl Severity {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

/// What becomes of a row that breaks a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// It is left out: quarantined at load, kept out of the analysis tables at publish.
    Exclude,
    /// It stays, but outside the alliance's extract of ages 0 to 19.
    Outside,
    /// It stays.
    Keep,
}

/// What a rule looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum On {
    /// The rows of one collection.
    Collection(String),
    /// The rows of every collection.
    Any,
    /// The registry as a whole.
    Aggregate,
}

/// A name with the condition on its value.
pub type Conditions = Vec<(Name, Condition)>;

/// One way to break a rule.
#[derive(Debug, Clone)]
pub enum Check {
    /// All conditions hold.
    Pattern(Conditions),
    /// One date surely lies after another.
    Order {
        /// The date that should come first.
        first: Name,
        /// The date that should come later.
        then: Name,
        /// Days by which it may come first all the same.
        slack_days: i64,
        /// Whether the same day breaks the rule too.
        strict: bool,
        /// Where the rule applies.
        when: Conditions,
    },
    /// Two dates surely differ.
    EqualDates {
        /// One.
        a: Name,
        /// The other.
        b: Name,
        /// Where the rule applies.
        when: Conditions,
    },
    /// The dictionary's own constraint.
    Constraint(Constraint),
    /// A date lies surely after the day of the extract; these fields may.
    AfterExtract {
        /// Collection and position of each.
        except: Vec<(String, usize)>,
    },
    /// A rule that needs more than one row's values.
    Procedure(Procedure),
    /// A measure of the registry lies outside its bounds.
    Aggregate(AggregateBounds),
    /// A rule about released answers, which no record can show.
    Elsewhere {
        /// What holds it.
        held_by: String,
    },
}

/// The fields whose constraints a rule names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Constraint {
    /// These fields of these collections.
    Fields(Vec<(String, usize)>),
    /// All dates and times of all collections.
    Dates,
}

/// A rule that needs more than one row's values.
#[derive(Debug, Clone, PartialEq)]
pub enum Procedure {
    /// A date of the row lies surely after the patient's death.
    AfterDeath,
    /// Country and region are ISO codes and go together.
    IsoRegion {
        /// Field of the country.
        country: usize,
        /// Field of the region.
        region: usize,
    },
    /// The stage is a value of the schema that applies.
    TorontoValue,
    /// The stored age is the derived one.
    AgeMatches {
        /// Field of the stored age.
        stored: usize,
        /// Years by which it may differ.
        tolerance: i64,
        /// The same where a date is not known to the day.
        tolerance_partial: i64,
    },
    /// The stored ICCC-3 code is the derived one.
    IcccMatches {
        /// Field of the stored code.
        stored: usize,
    },
    /// An abandonment has a gap of so many days after it.
    AbandonmentGap {
        /// Days.
        days: i64,
    },
    /// Two patients look like one.
    DuplicatePatient,
    /// Two tumours of a patient look like one.
    DuplicateTumour {
        /// Days between them.
        days: i64,
    },
    /// Two tumours of a patient are one by the rules for multiple primaries.
    MultiplePrimary,
    /// A second malignancy among the events is a tumour too.
    SecondMalignancy,
    /// A toxic death has no active disease.
    ToxicDeath,
    /// A sepsis or transfer of an inpatient has an assessment before it.
    EarlyWarningBefore {
        /// Within so many hours.
        hours: i64,
    },
    /// A score's total is the sum of its parts.
    PewsTotal {
        /// Greatest total.
        maximum: i64,
    },
    /// Spells of one medicine and hospital overlap.
    SpellOverlap,
    /// Days observed exceed the days that there are.
    FacilityDays,
    /// A medicine that a hospital should hold is never reported.
    ExpectedUnreported,
    /// The days of a month do not sum to its length.
    MonthDays,
}

/// Bounds on a measure of the registry.
#[derive(Debug, Clone, PartialEq)]
pub struct AggregateBounds {
    /// The measure.
    pub measure: Measure,
    /// Least value, where there is one.
    pub low: Option<f64>,
    /// Greatest value, where there is one.
    pub high: Option<f64>,
    /// Each year by itself, or all years together.
    pub per: Per,
    /// The smallest denominator on which it is judged.
    pub least: u64,
}

/// The time over which a measure is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Per {
    /// Each year of diagnosis.
    Year,
    /// All years.
    Period,
}

/// A measure of the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Basis 5 to 8 among those with a known basis.
    MicroscopicVerificationPercent,
    /// Basis 0 among all.
    DeathCertificateOnlyPercent,
    /// Cases by person-years, ages 0 to 14, standardised to the world population.
    #[serde(rename = "incidence_per_million_0_14")]
    IncidencePerMillion,
    /// The same of ICCC-3 group I.
    #[serde(rename = "leukaemia_per_million_0_14")]
    LeukaemiaPerMillion,
    /// The same of group II.
    #[serde(rename = "lymphoma_per_million_0_14")]
    LymphomaPerMillion,
    /// The same of group III.
    #[serde(rename = "cns_per_million_0_14")]
    CnsPerMillion,
    /// Boys by girls.
    MaleFemaleRatio,
    /// Deaths by cases of the same period.
    MortalityIncidenceRatio,
    /// Group I among all, ages 0 to 14.
    #[serde(rename = "leukaemia_share_percent_0_14")]
    LeukaemiaSharePercent,
}

impl Measure {
    /// Whether it needs person-years.
    #[must_use]
    pub fn is_rate(self) -> bool {
        matches!(
            self,
            Self::IncidencePerMillion | Self::LeukaemiaPerMillion | Self::LymphomaPerMillion | Self::CnsPerMillion
        )
    }
}

/// What is wrong with the rules' file; a test keeps it from shipping.
#[derive(Debug, thiserror::Error)]
#[error("quality rule {rule}: {what}")]
pub struct RuleError {
    rule: String,
    what: String,
}

impl Rules {
    /// The rules that ship.
    ///
    /// # Errors
    /// Where the file contradicts the dictionary; a test keeps that from shipping.
    pub fn built_in(dictionary: &Dictionary) -> Result<Self, RuleError> {
        Self::parse(RULES, dictionary)
    }

    /// Rules from the text of a file.
    ///
    /// # Errors
    /// Names the rule and what in it does not fit.
    pub fn parse(toml: &str, dictionary: &Dictionary) -> Result<Self, RuleError> {
        let file: raw::File = toml::from_str(toml).map_err(|error| bad("file", error.to_string()))?;
        let mut sets = Sets::new();
        for (name, text) in file.sets {
            let list = match text.strip_prefix("file:") {
                Some(path) => codes_of(path),
                None => List::parse(&text),
            };
            sets.insert(name.clone(), list.ok_or_else(|| bad(&name, "the set cannot be read".to_owned()))?);
        }
        let rules = file.rule.into_iter().map(|rule| bind(rule, &sets, dictionary)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { rules, sets })
    }

    /// The rule with this identity.
    #[must_use]
    pub fn rule(&self, id: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.id == id)
    }
}

fn bad(rule: &str, what: String) -> RuleError {
    RuleError { rule: rule.to_owned(), what }
}

/// The first column of a shipped table.
fn codes_of(path: &str) -> Option<List> {
    let text = match path {
        "icdo3_topography.csv" => TOPOGRAPHY,
        "iso_3166_1.csv" => COUNTRIES,
        _ => return None,
    };
    Some(List::of_codes(text.lines().skip(1).filter_map(|line| line.split(',').next())))
}

fn bind(raw: raw::Rule, sets: &Sets, dictionary: &Dictionary) -> Result<Rule, RuleError> {
    let on = match raw.on.as_str() {
        "*" => On::Any,
        "aggregate" => On::Aggregate,
        name => On::Collection(name.to_owned()),
    };
    let binder = Binder { rule: &raw.id, on: &on, sets, dictionary };
    let checks = raw.check.into_iter().map(|check| binder.check(check)).collect::<Result<Vec<_>, _>>()?;
    if checks.is_empty() {
        return Err(bad(&raw.id, "has no check".to_owned()));
    }
    let effect = raw.effect.unwrap_or(if raw.severity == Severity::Error { Effect::Exclude } else { Effect::Keep });
    Ok(Rule {
        id: raw.id,
        category: raw.category,
        severity: raw.severity,
        source: raw.source,
        on,
        columns: raw.columns,
        effect,
        text: raw.text,
        fix: raw.fix,
        checks,
    })
}

struct Binder<'r> {
    rule: &'r str,
    on: &'r On,
    sets: &'r Sets,
    dictionary: &'r Dictionary,
}

impl Binder<'_> {
    fn name(&self, text: &str) -> Result<Name, RuleError> {
        let On::Collection(collection) = self.on else {
            return Err(bad(self.rule, format!("`{text}` needs a rule on one collection")));
        };
        let table = self.dictionary.collection(collection);
        let table = table.ok_or_else(|| bad(self.rule, format!("there is no collection `{collection}`")))?;
        let name = Name::resolve(text, table, self.dictionary);
        name.ok_or_else(|| bad(self.rule, format!("`{text}` is no value of `{collection}`")))
    }

    fn own(&self, text: &str) -> Result<usize, RuleError> {
        match self.name(text)? {
            Name::Own(position) => Ok(position),
            _ => Err(bad(self.rule, format!("`{text}` is no field of the row itself"))),
        }
    }

    fn conditions(&self, raw: raw::Conditions) -> Result<Conditions, RuleError> {
        raw.into_iter()
            .map(|(name, text)| {
                let condition =
                    Condition::parse(&text, self.sets).map_err(|error| bad(self.rule, error.to_string()))?;
                Ok((self.name(&name)?, condition))
            })
            .collect()
    }

    /// Fields written as `collection.field`.
    fn places(&self, fields: &[String]) -> Result<Vec<(String, usize)>, RuleError> {
        let place = |text: &String| {
            let (collection, field) = text.split_once('.')?;
            let position = self.dictionary.collection(collection)?.position(field)?;
            Some((collection.to_owned(), position))
        };
        let places =
            fields.iter().map(|text| place(text).ok_or_else(|| bad(self.rule, format!("`{text}` does not exist"))));
        places.collect()
    }

    fn constraint(&self, fields: &[String], of_kind: Option<&str>) -> Result<Constraint, RuleError> {
        match (fields, of_kind) {
            ([], Some("date")) => Ok(Constraint::Dates),
            ([_, ..], None) => self.places(fields).map(Constraint::Fields),
            _ => Err(bad(self.rule, "`constraint` takes `fields`, or `of_kind = \"date\"`".to_owned())),
        }
    }

    fn check(&self, raw: raw::Check) -> Result<Check, RuleError> {
        let procedure = |procedure| Ok(Check::Procedure(procedure));
        match raw {
            raw::Check::Pattern { all } => Ok(Check::Pattern(self.conditions(all)?)),
            raw::Check::Order { first, then, slack_days, strict, when } => Ok(Check::Order {
                first: self.name(&first)?,
                then: self.name(&then)?,
                slack_days,
                strict,
                when: self.conditions(when)?,
            }),
            raw::Check::EqualDates { a, b, when } => {
                Ok(Check::EqualDates { a: self.name(&a)?, b: self.name(&b)?, when: self.conditions(when)? })
            }
            raw::Check::Constraint { fields, of_kind } => {
                self.constraint(&fields, of_kind.as_deref()).map(Check::Constraint)
            }
            raw::Check::AfterExtract { except } => Ok(Check::AfterExtract { except: self.places(&except)? }),
            raw::Check::AfterDeath {} => procedure(Procedure::AfterDeath),
            raw::Check::IsoRegion { country, region } => {
                procedure(Procedure::IsoRegion { country: self.own(&country)?, region: self.own(&region)? })
            }
            raw::Check::TorontoValue {} => procedure(Procedure::TorontoValue),
            raw::Check::AgeMatches { stored, tolerance, tolerance_partial } => {
                procedure(Procedure::AgeMatches { stored: self.own(&stored)?, tolerance, tolerance_partial })
            }
            raw::Check::IcccMatches { stored } => procedure(Procedure::IcccMatches { stored: self.own(&stored)? }),
            raw::Check::AbandonmentGap { days } => procedure(Procedure::AbandonmentGap { days }),
            raw::Check::DuplicatePatient {} => procedure(Procedure::DuplicatePatient),
            raw::Check::DuplicateTumour { days } => procedure(Procedure::DuplicateTumour { days }),
            raw::Check::MultiplePrimary {} => procedure(Procedure::MultiplePrimary),
            raw::Check::SecondMalignancy {} => procedure(Procedure::SecondMalignancy),
            raw::Check::ToxicDeath {} => procedure(Procedure::ToxicDeath),
            raw::Check::EarlyWarningBefore { hours } => procedure(Procedure::EarlyWarningBefore { hours }),
            raw::Check::PewsTotal { maximum } => procedure(Procedure::PewsTotal { maximum }),
            raw::Check::SpellOverlap {} => procedure(Procedure::SpellOverlap),
            raw::Check::FacilityDays {} => procedure(Procedure::FacilityDays),
            raw::Check::ExpectedUnreported {} => procedure(Procedure::ExpectedUnreported),
            raw::Check::MonthDays {} => procedure(Procedure::MonthDays),
            raw::Check::Aggregate { measure, low, high, per, least } => {
                Ok(Check::Aggregate(AggregateBounds { measure, low, high, per, least }))
            }
            raw::Check::Elsewhere { held_by } => Ok(Check::Elsewhere { held_by }),
        }
    }
}

impl Constraint {
    /// Whether it names the constraint of this field.
    #[must_use]
    pub fn names(&self, collection: &str, position: usize, kind: &Kind) -> bool {
        match self {
            Self::Fields(fields) => fields.iter().any(|(name, at)| name == collection && *at == position),
            Self::Dates => matches!(kind, Kind::Date | Kind::DateTime),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_118_rules_are_those_of_the_source_table() {
        let rules = Rules::built_in(&Dictionary::built_in().unwrap()).unwrap();
        let table = include_str!("../../../../tests/fixtures/quality/quality_rules.csv");
        let rows = csv::Reader::from_reader(table.as_bytes()).into_records().map(Result::unwrap).collect::<Vec<_>>();
        assert_eq!((rows.len(), rules.rules.len()), (118, 118));
        for (row, rule) in rows.iter().zip(&rules.rules) {
            assert_eq!((&row[0], &row[1]), (rule.id.as_str(), rule.category.as_str()));
            assert_eq!((&row[3], &row[6]), (rule.severity.name(), rule.source.as_str()), "{}", rule.id);
        }
    }

    #[test]
    fn a_rule_that_does_not_fit_the_dictionary_is_named() {
        let dictionary = Dictionary::built_in().unwrap();
        let rule = |check: &str| {
            let toml = format!(
                r#"[[rule]]
                id = "QX01"
                category = "x"
                severity = "error"
                source = "S"
                on = "tumour"
                columns = []
                text = {{ es = "a", pt = "b", en = "c" }}
                fix = {{ es = "a", pt = "b", en = "c" }}
                [[rule.check]]
                {check}"#
            );
            Rules::parse(&toml, &dictionary).err().map(|error| error.to_string()).unwrap_or_default()
        };
        assert_eq!(rule("kind = \"pattern\"\nall = { topography = \"C649\" }"), "");
        assert!(rule("kind = \"pattern\"\nall = { topografia = \"C649\" }").contains("QX01: `topografia`"));
        assert!(rule("kind = \"pattern\"\nall = { topography = \"@nothing\" }").contains("QX01"));
        assert!(rule("kind = \"patern\"").contains("patern"));
    }
}

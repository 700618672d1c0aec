//! The shape of the rules' file.

use std::collections::BTreeMap;

use node_domain::language::Text;
use serde::Deserialize;

use super::{Effect, Measure, Per, Severity};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(default)]
    pub(super) sets: BTreeMap<String, String>,
    pub(super) rule: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    pub(super) id: String,
    pub(super) category: String,
    pub(super) severity: Severity,
    pub(super) source: String,
    pub(super) on: String,
    pub(super) columns: Vec<String>,
    pub(super) effect: Option<Effect>,
    pub(super) text: Text,
    pub(super) fix: Text,
    pub(super) check: Vec<Check>,
}

pub(super) type Conditions = BTreeMap<String, String>;

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Check {
    Pattern {
        all: Conditions,
    },
    Order {
        first: String,
        then: String,
        #[serde(default)]
        slack_days: i64,
        #[serde(default)]
        strict: bool,
        #[serde(default)]
        when: Conditions,
    },
    EqualDates {
        a: String,
        b: String,
        #[serde(default)]
        when: Conditions,
    },
    Constraint {
        #[serde(default)]
        fields: Vec<String>,
        of_kind: Option<String>,
    },
    AfterExtract {
        #[serde(default)]
        except: Vec<String>,
    },
    AfterDeath {},
    IsoRegion {
        country: String,
        region: String,
    },
    TorontoValue {},
    AgeMatches {
        stored: String,
        tolerance: i64,
        tolerance_partial: i64,
    },
    IcccMatches {
        stored: String,
    },
    AbandonmentGap {
        days: i64,
    },
    DuplicatePatient {},
    DuplicateTumour {
        days: i64,
    },
    MultiplePrimary {},
    SecondMalignancy {},
    ToxicDeath {},
    EarlyWarningBefore {
        hours: i64,
    },
    PewsTotal {
        maximum: i64,
    },
    SpellOverlap {},
    FacilityDays {},
    ExpectedUnreported {},
    MonthDays {},
    Aggregate {
        measure: Measure,
        low: Option<f64>,
        high: Option<f64>,
        per: Per,
        #[serde(default)]
        least: u64,
    },
    Elsewhere {
        held_by: String,
    },
}

//! The Toronto staging schema of a tumour, the values it allows, and what tier 2 says at tier 1.
//!
//! Toronto Childhood Cancer Stage Guidelines, version 2 (2022), with the codes of the SEER paediatric staging tables 1.3. Where the
//! collapse to tier 1 has not been checked against the manual (`check_manual`), there is none.

use serde::Deserialize;

use super::table::{self, Behaviours, Ranges, TableError};

const TABLE: &str = include_str!("../../../../schemas/classification/toronto_stage.csv");

/// The schemas, with the rules that choose among them.
#[derive(Debug)]
pub struct Toronto {
    schemas: Vec<Schema>,
    rules: Vec<Rule>,
}

/// A staging system: one per cancer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    code: String,
    values: Vec<String>,
    collapse: Collapse,
    checked: bool,
}

/// What the values of tier 2 are called at tier 1.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Collapse {
    /// Both tiers have the same values.
    Same,
    /// Value, or beginning of a value before `*`, and its name at tier 1.
    Map(Vec<(String, String)>),
}

/// How finely a stage is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tier {
    /// Limited data.
    One,
    /// Detailed data.
    Two,
}

impl Tier {
    /// From the code of `stage_tier`.
    #[must_use]
    pub fn of_code(code: &str) -> Option<Self> {
        match code {
            "1" => Some(Self::One),
            "2" => Some(Self::Two),
            _ => None,
        }
    }
}

#[derive(Debug)]
struct Rule {
    morphologies: Ranges,
    sites: Ranges,
    behaviours: Behaviours,
    ages: Ranges,
    schema: usize,
    line: u64,
}

#[derive(Debug, Deserialize)]
struct Row {
    schema: String,
    morphology: String,
    topography: String,
    behaviour: String,
    age_years: String,
    tier2_values: String,
    tier1_map: String,
    tier1_status: String,
}

impl Toronto {
    /// The schemas that come with the program.
    ///
    /// # Errors
    /// [`TableError`] where the table was changed so that it cannot be read or gives a tumour two schemas.
    pub fn built_in() -> Result<Self, TableError> {
        Self::parse(TABLE)
    }

    /// The schema that stages a tumour; `None` where the guidelines stage no such tumour.
    ///
    /// An age that is not known counts as one that the schema covers: a registry of children holds few of 40 and over.
    #[must_use]
    pub fn schema_of(
        &self,
        topography: &str,
        morphology: u16,
        behaviour: &str,
        age_years: Option<u16>,
    ) -> Option<&Schema> {
        let site = table::site(topography)?;
        let rule = self.rules.iter().find(|rule| {
            rule.morphologies.contains(morphology)
                && rule.sites.contains(site)
                && rule.behaviours.contains(behaviour)
                && age_years.is_none_or(|age| rule.ages.contains(age))
        })?;
        self.schemas.get(rule.schema)
    }

    /// The schema of a code of `toronto_schema`.
    #[must_use]
    pub fn schema(&self, code: &str) -> Option<&Schema> {
        self.schemas.iter().find(|schema| schema.code == code)
    }

    fn parse(text: &str) -> Result<Self, TableError> {
        let mut toronto = Self { schemas: Vec::new(), rules: Vec::new() };
        for (line, row) in table::rows::<Row>(text)? {
            let morphologies = Ranges::of_morphologies(&row.morphology);
            let rule = Rule {
                morphologies: table::cell(line, "morphology", &row.morphology, morphologies)?,
                sites: table::cell(line, "topography", &row.topography, Ranges::of_sites(&row.topography))?,
                behaviours: table::cell(line, "behaviour", &row.behaviour, Behaviours::parse(&row.behaviour))?,
                ages: table::cell(line, "age_years", &row.age_years, Ranges::of_ages(&row.age_years))?,
                schema: toronto.index_of(Schema::parse(line, row)?, line)?,
                line,
            };
            for earlier in &toronto.rules {
                if let Some(morphology) = earlier.clash(&rule) {
                    return Err(TableError::Overlap { first: earlier.line, second: line, morphology });
                }
            }
            toronto.rules.push(rule);
        }
        Ok(toronto)
    }

    fn index_of(&mut self, schema: Schema, line: u64) -> Result<usize, TableError> {
        match self.schemas.iter().position(|known| known.code == schema.code) {
            Some(at) if self.schemas.get(at) == Some(&schema) => Ok(at),
            Some(_) => Err(TableError::Disagreement { line, code: schema.code }),
            None => {
                self.schemas.push(schema);
                Ok(self.schemas.len() - 1)
            }
        }
    }
}

impl Schema {
    /// The code, of `toronto_schema`.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The values of tier 2, with `X` (or what stands for it) for unknown.
    #[must_use]
    pub fn values(&self) -> &[String] {
        &self.values
    }

    /// What a value says at tier 1; `None` where the table is not sure of it, or where both tiers have the same values (Hodgkin).
    ///
    /// `X` is `UNKNOWN`. A value that is one of tier 1 already stays as it is. Never the other way: tier 1 does not tell tier 2.
    #[must_use]
    pub fn tier1(&self, value: &str) -> Option<&str> {
        if !self.checked || self.collapse == Collapse::Same {
            return None;
        }
        match (value, self.collapsed(value)) {
            (_, Some(collapsed)) => Some(collapsed),
            ("X" | "UNKNOWN", None) => Some("UNKNOWN"),
            (_, None) => self.tier1_values().find(|known| *known == value),
        }
    }

    /// Whether a value may be recorded at a tier.
    ///
    /// Tier 1 takes its own names, `X`, and each value of tier 2 that says no more than tier 1 (`L` and `M` of bone tumours).
    #[must_use]
    pub fn accepts(&self, value: &str, tier: Tier) -> bool {
        let listed = self.values.iter().any(|known| known == value);
        match tier {
            Tier::Two => listed,
            Tier::One if value == "X" || self.tier1_values().any(|known| known == value) => true,
            Tier::One => listed && self.says_no_more_than_tier1(value),
        }
    }

    /// Whether a stage means metastasis at diagnosis; `None` where it does not tell.
    ///
    /// Yes for `M...` and `IV` whose name at tier 1 is metastatic or distant, and for `MS` of neuroblastoma, a metastatic stage
    /// (INRGSS, Monclair and others, J Clin Oncol 2009). No for what is localised, or regional in a table that was checked. Silent
    /// are the status of the nervous system in leukaemia, lymphomas (their stage IV is spread of another kind), stage III of the
    /// testis, which tumour markers alone can give, and unknown stages.
    #[must_use]
    pub fn metastatic(&self, value: &str) -> Option<bool> {
        let plain = value.starts_with('M') || value == "IV" || value == "METASTATIC" || value == "DISTANT";
        let name = match self.collapsed(value) {
            Some(name) => name,
            None => self.tier1_values().find(|known| *known == value)?,
        };
        match name {
            "METASTATIC" | "DISTANT" | "MS" if plain => Some(true),
            "LOCALISED" => Some(false),
            "REGIONAL" if self.checked => Some(false),
            _ => None,
        }
    }

    fn parse(line: u64, row: Row) -> Result<Self, TableError> {
        let collapse = if row.tier1_map == "same as tier 2" {
            Some(Collapse::Same)
        } else {
            let pairs = row.tier1_map.split(';').map(|pair| pair.split_once('='));
            let owned = pairs.map(|pair| pair.map(|(value, name)| (value.to_owned(), name.to_owned())));
            owned.collect::<Option<Vec<_>>>().map(Collapse::Map)
        };
        let checked = match row.tier1_status.as_str() {
            "recalled" | "checked" => Some(true),
            "check_manual" => Some(false),
            _ => None,
        };
        Ok(Self {
            collapse: table::cell(line, "tier1_map", &row.tier1_map, collapse)?,
            checked: table::cell(line, "tier1_status", &row.tier1_status, checked)?,
            values: row.tier2_values.split(';').map(str::to_owned).collect(),
            code: row.schema,
        })
    }

    /// The name at tier 1 of a listed value, sure or not; the longest beginning wins, so that `II*` is not taken for `I*`.
    fn collapsed(&self, value: &str) -> Option<&str> {
        let Collapse::Map(pairs) = &self.collapse else { return None };
        if !self.values.iter().any(|known| known == value) {
            return None;
        }
        let fits = |pattern: &str| match pattern.strip_suffix('*') {
            Some(beginning) => value.starts_with(beginning),
            None => value == pattern,
        };
        pairs
            .iter()
            .filter(|(pattern, _)| fits(pattern))
            .max_by_key(|(pattern, _)| pattern.len())
            .map(|(_, name)| name.as_str())
    }

    fn tier1_values(&self) -> impl Iterator<Item = &str> {
        let pairs = match &self.collapse {
            Collapse::Same => [].as_slice(),
            Collapse::Map(pairs) => pairs,
        };
        pairs.iter().map(|(_, name)| name.as_str())
    }

    fn says_no_more_than_tier1(&self, value: &str) -> bool {
        if self.collapse == Collapse::Same {
            return true;
        }
        let name = self.collapsed(value);
        name.is_some() && self.values.iter().filter(|other| self.collapsed(other) == name).count() == 1
    }
}

impl Rule {
    /// A morphology for which both rules hold and name different schemas.
    fn clash(&self, other: &Self) -> Option<u16> {
        let apart = self.schema == other.schema
            || !self.sites.overlaps(&other.sites)
            || !self.behaviours.overlaps(other.behaviours)
            || !self.ages.overlaps(&other.ages);
        if apart {
            return None;
        }
        let starts = self.morphologies.as_slice().iter().chain(other.morphologies.as_slice()).map(|(from, _)| *from);
        starts.into_iter().find(|start| self.morphologies.contains(*start) && other.morphologies.contains(*start))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema_of(topography: &str, morphology: u16, behaviour: &str, age_years: Option<u16>) -> Option<String> {
        let toronto = Toronto::built_in().unwrap();
        toronto.schema_of(topography, morphology, behaviour, age_years).map(|schema| schema.code().to_owned())
    }

    fn schema(code: &str) -> Schema {
        Toronto::built_in().unwrap().schema(code).unwrap().clone()
    }

    #[test]
    fn the_schema_follows_site_morphology_behaviour_and_age() {
        for (topography, morphology, behaviour, age, code) in [
            ("C421", 9811, "3", Some(4), Some("acute_lymphoblastic_leukemia")),
            ("C421", 9811, "3", None, Some("acute_lymphoblastic_leukemia")),
            ("C421", 9811, "3", Some(40), None),
            ("C649", 8960, "3", Some(70), Some("renal_tumors_nephroblastoma")),
            ("C402", 9260, "3", Some(12), Some("malignant_bone_tumors_ewing")),
            ("C492", 9260, "3", Some(12), Some("non_rhabdomyosarcoma_other_specified")),
            ("C716", 9421, "1", Some(5), Some("astrocytoma")),
            ("C649", 8963, "3", Some(1), Some("renal_tumors_rhabdoid_renal_tumor")),
            ("C220", 8963, "3", Some(1), Some("non_rhabdomyosarcoma_other_specified")),
            ("C692", 9510, "3", Some(1), Some("retinoblastoma")),
            ("C692", 9510, "1", Some(1), None),
            ("C421", 9861, "3", Some(4), None),
            ("C42", 9811, "3", Some(4), None),
        ] {
            assert_eq!(schema_of(topography, morphology, behaviour, age).as_deref(), code, "{topography} {morphology}");
        }
    }

    #[test]
    fn every_schema_has_a_value_for_unknown_and_no_value_twice() {
        let toronto = Toronto::built_in().unwrap();
        assert_eq!(toronto.schemas.len(), 32);
        for schema in &toronto.schemas {
            assert!(schema.values().iter().any(|value| value == "X" || value == "XX"), "{}", schema.code());
            let mut values = schema.values().to_vec();
            values.sort();
            values.dedup();
            assert_eq!(values.len(), schema.values().len(), "{}", schema.code());
        }
    }

    #[test]
    fn tier_2_collapses_where_the_table_is_sure() {
        for (code, value, tier1) in [
            ("medulloblastoma", "M0", Some("LOCALISED")),
            ("medulloblastoma", "M3", Some("METASTATIC")),
            ("renal_tumors_nephroblastoma", "y-II", Some("LOCALISED")),
            ("nhl_burkitt_lymphoma", "III", Some("ADVANCED")),
            ("hepatoblastoma", "L3", Some("LOCALISED")),
            ("hepatoblastoma", "LX", Some("LOCALISED")),
            ("hepatoblastoma", "M4", Some("METASTATIC")),
            ("hepatoblastoma", "XX", Some("UNKNOWN")),
            ("rhabdomyosarcoma", "X", Some("UNKNOWN")),
            ("rhabdomyosarcoma", "METASTATIC", Some("METASTATIC")),
            ("rhabdomyosarcoma", "ADVANCED", None),
            ("rhabdomyosarcoma", "V", None),
            ("hodgkin_lymphoma", "IIA", None),
            ("hodgkin_lymphoma", "X", None),
            // not checked against the manual
            ("acute_lymphoblastic_leukemia", "CNS1", None),
            ("neuroblastoma", "M", None),
            ("retinoblastoma", "IV", None),
            ("testicular", "IIA", None),
        ] {
            assert_eq!(schema(code).tier1(value), tier1, "{code} {value}");
        }
    }

    #[test]
    fn the_longest_beginning_wins() {
        let testicular = schema("testicular");
        for (value, name) in [("IS", "LOCALISED"), ("II", "REGIONAL"), ("IIC", "REGIONAL"), ("IIIC", "METASTATIC")] {
            assert_eq!(testicular.collapsed(value), Some(name), "{value}");
        }
    }

    #[test]
    fn values_belong_to_their_schema_and_tier() {
        let accepts = |code: &str, value: &str, tier| schema(code).accepts(value, tier);
        assert!(accepts("neuroblastoma", "L1", Tier::Two) && !accepts("neuroblastoma", "L3", Tier::Two));
        assert!(!accepts("neuroblastoma", "LOCALISED", Tier::Two));
        assert!(accepts("neuroblastoma", "LOCALISED", Tier::One) && accepts("neuroblastoma", "MS", Tier::One));
        assert!(!accepts("neuroblastoma", "L1", Tier::One), "L1 says more than localised");
        assert!(accepts("astrocytoma", "L", Tier::One) && accepts("astrocytoma", "X", Tier::One));
        assert!(accepts("hodgkin_lymphoma", "IIB", Tier::One) && !accepts("hodgkin_lymphoma", "II", Tier::One));
        assert!(!accepts("acute_lymphoblastic_leukemia", "CNS2", Tier::One));
        assert_eq!(
            (Tier::of_code("1"), Tier::of_code("2"), Tier::of_code("")),
            (Some(Tier::One), Some(Tier::Two), None)
        );
    }

    #[test]
    fn metastasis_is_told_only_where_it_is_plain() {
        for (code, value, metastatic) in [
            ("medulloblastoma", "M0", Some(false)),
            ("medulloblastoma", "M1", Some(true)),
            ("malignant_bone_tumors_ewing", "M", Some(true)),
            ("hepatoblastoma", "M2", Some(true)),
            ("hepatoblastoma", "X2", None),
            ("renal_tumors_nephroblastoma", "y-III", Some(false)),
            ("renal_tumors_nephroblastoma", "IV", Some(true)),
            ("neuroblastoma", "L2", Some(false)),
            ("neuroblastoma", "MS", Some(true)),
            ("retinoblastoma", "IV", Some(true)),
            ("retinoblastoma", "III", None),
            ("ovarian", "III", None),
            ("testicular", "IIIB", None),
            ("testicular", "IS", Some(false)),
            ("nhl_burkitt_lymphoma", "IV", None),
            ("hodgkin_lymphoma", "IVB", None),
            ("acute_lymphoblastic_leukemia", "CNS3", None),
            ("rhabdomyosarcoma", "METASTATIC", Some(true)),
            ("rhabdomyosarcoma", "X", None),
            ("rhabdomyosarcoma", "IVA", None),
        ] {
            assert_eq!(schema(code).metastatic(value), metastatic, "{code} {value}");
        }
    }

    #[test]
    fn a_table_that_contradicts_itself_is_refused() {
        let header = TABLE.lines().next().unwrap();
        let parse = |rows: &str| Toronto::parse(&format!("{header}\n{rows}"));
        let one = "a,9500,C000-C809,3,any,L;M;X,L=LOCALISED;M=METASTATIC,recalled,\n";
        let clash = "b,9490-9500,C740,any,0-39,L;M;X,L=LOCALISED;M=METASTATIC,recalled,\n";
        assert!(matches!(
            parse(&format!("{one}{clash}")),
            Err(TableError::Overlap { first: 2, second: 3, morphology: 9500 })
        ));
        let other = "a,9490,C740,any,0-39,L;X,L=LOCALISED,recalled,\n";
        assert!(matches!(parse(&format!("{one}{other}")), Err(TableError::Disagreement { line: 3, .. })));
    }
}

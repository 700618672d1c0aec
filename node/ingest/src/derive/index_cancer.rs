//! The index cancers of the WHO Global Initiative for Childhood Cancer, as rules on ICD-O-3 codes.
//!
//! CureAll framework (WHO 2021) names six. It gives no codes for low-grade glioma, and Burkitt leukaemia lies between two of the
//! six: on both the alliance decides, and the code says which of them wait for that decision.

use serde::Deserialize;

use super::table::{self, Behaviours, Ranges, TableError};

const TABLE: &str = include_str!("../../../../schemas/classification/index_cancers.csv");

/// What the alliance decided on the two open questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Decisions {
    /// Whether the proposed code list for low-grade glioma is used; without it no tumour is `LGG`.
    pub low_grade_glioma: bool,
    /// Where Burkitt leukaemia (9826/3) reports.
    pub burkitt_leukaemia: BurkittLeukaemia,
}

/// Where Burkitt leukaemia reports: never in two places.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BurkittLeukaemia {
    /// As `BURKITT_LEUK`, beside the six.
    #[default]
    Apart,
    /// With Burkitt lymphoma, as the same disease in the marrow.
    Burkitt,
    /// With acute lymphoblastic leukaemia.
    All,
}

/// The rules, in the order of the table.
#[derive(Debug)]
pub struct IndexCancers {
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    code: String,
    morphologies: Ranges,
    sites: Ranges,
    behaviours: Behaviours,
    decision_needed: bool,
    line: u64,
}

#[derive(Debug, Deserialize)]
struct Row {
    index_code: String,
    morphology: String,
    topography: String,
    behaviour: String,
    status: String,
}

impl Default for Decisions {
    fn default() -> Self {
        Self { low_grade_glioma: true, burkitt_leukaemia: BurkittLeukaemia::default() }
    }
}

impl IndexCancers {
    /// The rules that come with the program.
    ///
    /// # Errors
    /// [`TableError`] where the table was changed so that it cannot be read or makes a tumour two index cancers.
    pub fn built_in() -> Result<Self, TableError> {
        Self::parse(TABLE)
    }

    /// The index cancer of a tumour: `ALL`, `BURKITT`, `BURKITT_LEUK`, `HODGKIN`, `RETINOBLASTOMA`, `WILMS` or `LGG`.
    ///
    /// A tumour of stated WHO CNS grade 3 or 4 is no low-grade glioma; one without a stated grade is, if its code is listed.
    #[must_use]
    pub fn of(
        &self,
        topography: &str,
        morphology: u16,
        behaviour: &str,
        who_cns_grade: Option<u8>,
        decisions: Decisions,
    ) -> Option<&str> {
        let site = table::site(topography)?;
        let rule = self.rules.iter().find(|rule| rule.holds(site, morphology, behaviour))?;
        match (rule.code.as_str(), decisions.burkitt_leukaemia) {
            ("LGG", _) => {
                let high_grade = who_cns_grade.is_some_and(|grade| grade > 2);
                (decisions.low_grade_glioma && !high_grade).then_some("LGG")
            }
            ("BURKITT_LEUK", BurkittLeukaemia::Burkitt) => Some("BURKITT"),
            ("BURKITT_LEUK", BurkittLeukaemia::All) => Some("ALL"),
            (code, _) => Some(code),
        }
    }

    /// Whether the rule of an index cancer waits for a decision of the alliance: figures that use it should say so.
    #[must_use]
    pub fn decision_needed(&self, code: &str) -> bool {
        self.rules.iter().any(|rule| rule.code == code && rule.decision_needed)
    }

    fn parse(text: &str) -> Result<Self, TableError> {
        let mut rules: Vec<Rule> = Vec::new();
        for (line, row) in table::rows::<Row>(text)? {
            let morphologies = Ranges::of_morphologies(&row.morphology);
            let status = match row.status.as_str() {
                "adopted" => Some(false),
                "decision_needed" => Some(true),
                _ => None,
            };
            let rule = Rule {
                morphologies: table::cell(line, "morphology", &row.morphology, morphologies)?,
                sites: table::cell(line, "topography", &row.topography, Ranges::of_sites(&row.topography))?,
                behaviours: table::cell(line, "behaviour", &row.behaviour, Behaviours::parse(&row.behaviour))?,
                decision_needed: table::cell(line, "status", &row.status, status)?,
                code: row.index_code,
                line,
            };
            if let Some((earlier, morphology)) = rules.iter().find_map(|earlier| Some((earlier, earlier.clash(&rule)?)))
            {
                return Err(TableError::Overlap { first: earlier.line, second: line, morphology });
            }
            rules.push(rule);
        }
        Ok(Self { rules })
    }
}

impl Rule {
    fn holds(&self, site: u16, morphology: u16, behaviour: &str) -> bool {
        self.morphologies.contains(morphology) && self.sites.contains(site) && self.behaviours.contains(behaviour)
    }

    /// A morphology for which both rules hold.
    fn clash(&self, other: &Self) -> Option<u16> {
        if !self.sites.overlaps(&other.sites) || !self.behaviours.overlaps(other.behaviours) {
            return None;
        }
        let starts = self.morphologies.as_slice().iter().chain(other.morphologies.as_slice()).map(|(from, _)| *from);
        starts.into_iter().find(|start| self.morphologies.contains(*start) && other.morphologies.contains(*start))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(topography: &str, morphology: u16, behaviour: &str) -> Option<String> {
        let cancers = IndexCancers::built_in().unwrap();
        cancers.of(topography, morphology, behaviour, None, Decisions::default()).map(str::to_owned)
    }

    #[test]
    fn the_six_and_burkitt_leukaemia_are_found() {
        for (topography, morphology, behaviour, code) in [
            ("C421", 9811, "3", Some("ALL")),
            ("C421", 9837, "3", Some("ALL")),
            ("C778", 9836, "3", Some("ALL")),
            ("C772", 9687, "3", Some("BURKITT")),
            ("C421", 9826, "3", Some("BURKITT_LEUK")),
            ("C770", 9650, "3", Some("HODGKIN")),
            ("C692", 9510, "3", Some("RETINOBLASTOMA")),
            ("C649", 8960, "3", Some("WILMS")),
            ("C716", 9421, "1", Some("LGG")),
            ("C723", 9380, "3", Some("LGG")),
            // the same codes outside blood and marrow are lymphoma
            ("C379", 9837, "3", None),
            // glioma without a specific code is low grade on the optic pathway only
            ("C717", 9380, "3", None),
            ("C649", 8963, "3", None),
            ("C649", 8960, "1", None),
            ("C716", 9421, "2", None),
            ("C421", 9861, "3", None),
        ] {
            assert_eq!(of(topography, morphology, behaviour).as_deref(), code, "{topography} {morphology}/{behaviour}");
        }
    }

    #[test]
    fn a_stated_high_grade_is_no_low_grade_glioma() {
        let cancers = IndexCancers::built_in().unwrap();
        let glioma = |grade| cancers.of("C716", 9400, "3", grade, Decisions::default());
        assert_eq!((glioma(None), glioma(Some(1)), glioma(Some(2))), (Some("LGG"), Some("LGG"), Some("LGG")));
        assert_eq!((glioma(Some(3)), glioma(Some(4))), (None, None));
        assert_eq!(cancers.of("C649", 8960, "3", Some(4), Decisions::default()), Some("WILMS"));
    }

    #[test]
    fn the_alliance_decides_on_two_of_them() {
        let cancers = IndexCancers::built_in().unwrap();
        let burkitt = |burkitt_leukaemia| {
            cancers.of("C421", 9826, "3", None, Decisions { burkitt_leukaemia, ..Decisions::default() })
        };
        assert_eq!(burkitt(BurkittLeukaemia::Burkitt), Some("BURKITT"));
        assert_eq!(burkitt(BurkittLeukaemia::All), Some("ALL"));
        let without = Decisions { low_grade_glioma: false, ..Decisions::default() };
        assert_eq!(cancers.of("C716", 9421, "1", None, without), None);
        assert!(cancers.decision_needed("LGG") && cancers.decision_needed("BURKITT_LEUK"));
        assert!(!cancers.decision_needed("ALL") && !cancers.decision_needed("no such code"));
    }

    #[test]
    fn decisions_are_read_and_what_is_not_known_is_refused() {
        let read = |text: &str| serde_json::from_str::<Decisions>(text);
        assert_eq!(read("{}").unwrap(), Decisions::default());
        assert_eq!(read(r#"{"burkitt_leukaemia":"all"}"#).unwrap().burkitt_leukaemia, BurkittLeukaemia::All);
        assert!(!read(r#"{"low_grade_glioma":false}"#).unwrap().low_grade_glioma);
        assert!(read(r#"{"low_grade_gliomas":false}"#).is_err());
        assert!(read(r#"{"burkitt_leukaemia":"both"}"#).is_err());
    }

    #[test]
    fn a_table_with_two_index_cancers_for_one_tumour_is_refused() {
        let rows = "index_code,name,morphology,topography,behaviour,iccc,status,note\n\
            A,,9811-9819,any,3,,adopted,\nB,,9800;9815-9816,C421,3,,adopted,\n";
        assert!(matches!(
            IndexCancers::parse(rows),
            Err(TableError::Overlap { first: 2, second: 3, morphology: 9815 })
        ));
    }
}

//! The classifications that derivations need, read once from the tables that ship.

use crate::{
    batch::IngestError,
    derive::{
        iccc3::{Iccc3, Leaf},
        index_cancer::{Decisions, IndexCancers},
        region::Regions,
        toronto::{Schema, Toronto},
    },
};

/// ICCC-3, index cancers and Toronto schemas, with the alliance's decisions where the tables leave a choice.
pub struct Classification {
    iccc3: Iccc3,
    index_cancers: IndexCancers,
    toronto: Toronto,
    decisions: Decisions,
    /// Regions of the second level.
    pub regions: Regions,
}

/// What the three codes of a tumour classify it as.
#[derive(Debug, Clone, Copy)]
pub struct Classified<'c> {
    /// Leaf of ICCC-3; `None` where it classifies no such tumour.
    pub leaf: Option<&'c Leaf>,
    /// Index cancer.
    pub index_cancer: Option<&'c str>,
    /// Toronto schema.
    pub toronto: Option<&'c Schema>,
}

/// The code of what ICCC-3 does not classify.
pub const UNCLASSIFIED: &str = "999";

impl Classification {
    /// The classifications that ship.
    ///
    /// # Errors
    /// Where a table was changed so that it contradicts itself; tests keep that from shipping.
    pub fn built_in(decisions: Decisions) -> Result<Self, IngestError> {
        let shipped = |error: crate::derive::table::TableError| IngestError::Shipped(error.to_string());
        Ok(Self {
            iccc3: Iccc3::built_in().map_err(shipped)?,
            index_cancers: IndexCancers::built_in().map_err(shipped)?,
            toronto: Toronto::built_in().map_err(shipped)?,
            decisions,
            regions: Regions::built_in().map_err(shipped)?,
        })
    }

    /// Classifies a tumour.
    #[must_use]
    pub fn classify(
        &self,
        topography: &str,
        morphology: u16,
        behaviour: &str,
        who_cns_grade: Option<u8>,
        age_years: Option<u16>,
    ) -> Classified<'_> {
        let decisions = self.decisions;
        Classified {
            leaf: self.iccc3.leaf(topography, morphology, behaviour),
            index_cancer: self.index_cancers.of(topography, morphology, behaviour, who_cns_grade, decisions),
            toronto: self.toronto.schema_of(topography, morphology, behaviour, age_years),
        }
    }

    /// Whether the alliance has still to decide what an index cancer holds.
    #[must_use]
    pub fn decision_needed(&self, index_cancer: &str) -> bool {
        self.index_cancers.decision_needed(index_cancer)
    }

    /// A Toronto schema by its code.
    #[must_use]
    pub fn schema(&self, code: &str) -> Option<&Schema> {
        self.toronto.schema(code)
    }
}

impl<'c> Classified<'c> {
    /// ICCC-3 main group, `999` where unclassified.
    #[must_use]
    pub fn group(&self) -> &'c str {
        self.leaf.map_or(UNCLASSIFIED, |leaf| leaf.group.as_str())
    }

    /// ICCC-3 subgroup, `999` where unclassified.
    #[must_use]
    pub fn subgroup(&self) -> &'c str {
        self.leaf.map_or(UNCLASSIFIED, |leaf| leaf.subgroup.as_str())
    }

    /// ICCC-3 extended division, or the subgroup where it is not divided; `999` where unclassified.
    #[must_use]
    pub fn extended(&self) -> &'c str {
        self.leaf.map_or(UNCLASSIFIED, Leaf::extended_code)
    }

    /// The index cancer, `other` for a classified tumour that is none of them; `None` where ICCC-3 does not classify it.
    #[must_use]
    pub fn index_cancer_or_other(&self) -> Option<&'c str> {
        self.index_cancer.or_else(|| self.leaf.map(|_| "other"))
    }
}

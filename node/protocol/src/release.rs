//! Which disclosure rule an answer went through, with its parameters.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The thresholds under which a query is answered; permits carry them, answers name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Safeguards {
    /// A cell of fewer persons is not shown; of fewer hospitals, where the table is about those; 0 where it is about nobody.
    pub persons: u32,
    /// An interval of a survival curve holds no event of a cause, or at least so many.
    pub events: u32,
    /// A survival curve ends at the last boundary with so many at risk.
    pub at_risk: u32,
}

/// The release rule of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "rule", rename_all = "snake_case")]
pub enum Release {
    /// Exact numbers of a query of the asker's making, each cell by itself: threshold, canonical coarsening and tail cut.
    ExactAdHoc(Safeguards),
    /// Exact numbers of an indicator fixed beforehand, computed when the snapshot was published.
    Catalogue(Safeguards),
}

//! What a node would do with a question, told before it is asked; nothing in it depends on the data.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::release::{NoiseStatement, PrivateStatement};

/// What a question would cost and meet at one node.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Estimate {
    /// How the numbers would leave: `catalogue`, `perturbed`, `exact` or `differentially_private`.
    pub way: String,
    /// Whether it counts against no quota.
    pub free: bool,
    /// Cells of the answer, whatever is in them.
    pub cells: u64,
    /// Cells of fewer persons would be banded; 0 where no threshold applies or the catalogue decides.
    pub threshold: u32,
    /// Why the answer would wait for a steward, where it would.
    pub review: Option<String>,
    /// Noise of sets of persons.
    pub noise: Option<NoiseStatement>,
    /// Fresh noise and its price.
    pub private: Option<PrivateStatement>,
    /// What is left of each quota, before this question.
    pub quotas: Vec<Remaining>,
    /// Whether the node's allowance of different questions with noise has room for another; absent where none is taken. Which were
    /// asked before is not told.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub noise_suffices: Option<bool>,
    /// What is left of the privacy budget, where the question has a price.
    pub budget: Option<Spending>,
}

/// What is left of one quota.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Remaining {
    /// `researcher`, `project` or `peer`.
    pub scope: String,
    /// Length of the window, seconds.
    pub window_s: u64,
    /// Questions in the window at most.
    pub most: u32,
    /// Questions left.
    pub left: u32,
}

/// What is left of a privacy budget, as rho of zero-concentrated differential privacy.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Spending {
    /// What this question would cost.
    pub price: f64,
    /// All that the project may spend at the node.
    pub granted: f64,
    /// What is left of that.
    pub left: f64,
    /// Whether the node's own budget suffices.
    pub node_suffices: bool,
}

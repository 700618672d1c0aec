//! Which disclosure rule an answer went through, with its parameters.

use node_domain::dictionary::Unit;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::project::PrivacyTerms;

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

/// Shares of a sum beyond which it would tell about single contributors (Hundepool et al. 2012, Statistical Disclosure Control,
/// section 4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dominance {
    /// The largest contribution is at most so much of the sum, per cent.
    pub largest_percent: u32,
    /// Without the two largest contributions at least so much of the largest is left, per cent: the p % rule.
    pub p_percent: u32,
}

/// Everything under which one answer may leave: permits carry it, and the seal on exact tables.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Conditions {
    /// Thresholds.
    pub safeguards: Safeguards,
    /// Rules for sums.
    pub dominance: Dominance,
    /// Whom its cells protect.
    pub unit: Unit,
    /// How the numbers leave.
    pub way: Way,
}

/// How the numbers of an answer leave.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Way {
    /// As an indicator, from the tables released at publication.
    Catalogue,
    /// Exact, audited.
    Exact,
    /// With the noise of their sets.
    Perturbed,
    /// With fresh noise for a price.
    Private(PrivacyTerms),
}

/// How much noise the numbers of an answer carry.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoiseStatement {
    /// Standard deviation of one number.
    pub standard_deviation: f64,
    /// No number is further than this from the true one.
    pub bound: u32,
}

/// How a differentially private answer was drawn.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PrivateStatement {
    /// The noise's distribution over the whole numbers.
    pub mechanism: Mechanism,
    /// Standard deviation of one number.
    pub standard_deviation: f64,
    /// 95 % of the numbers are no further than this from the true one.
    pub error_95: f64,
    /// What the answer cost the project's and the node's budget: zero-concentrated differential privacy, Bun & Steinke 2016.
    pub rho: f64,
}

/// A distribution of noise over the whole numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mechanism {
    /// Discrete Laplace.
    Laplace,
    /// Discrete Gaussian.
    Gaussian,
}

/// The release rule of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "rule", rename_all = "snake_case")]
pub enum Release {
    /// Exact numbers of an indicator fixed beforehand, computed and suppressed jointly when the snapshot was published.
    Catalogue(Safeguards),
    /// Exact numbers of a query of the asker's making, audited with everything that was released exactly on the snapshot.
    ExactAdHoc(Safeguards),
    /// Numbers with the noise of their set of persons: the same set has the same noise whoever asks, however often.
    Perturbed {
        /// Thresholds.
        safeguards: Safeguards,
        /// The noise.
        noise: NoiseStatement,
    },
    /// Numbers with fresh noise, paid for from a privacy budget.
    DifferentiallyPrivate {
        /// The noise and its price.
        private: PrivateStatement,
    },
}

impl Release {
    /// Its name on the wire.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Catalogue(_) => "catalogue",
            Self::ExactAdHoc(_) => "exact_ad_hoc",
            Self::Perturbed { .. } => "perturbed",
            Self::DifferentiallyPrivate { .. } => "differentially_private",
        }
    }

    /// Whether the numbers that it shows are the true ones.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        matches!(self, Self::Catalogue(_) | Self::ExactAdHoc(_))
    }
}

//! One number of an answer with its state: suppressed is a value of its own and never zero.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A number as it leaves the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case", deny_unknown_fields)]
pub enum Cell {
    /// The number itself.
    Exact {
        /// Persons, or what the field says.
        n: u64,
    },
    /// The number with noise: how much the answer's release rule says. Of several countries: a sum of which at least one is so.
    Perturbed {
        /// Persons, or what the field says.
        n: u64,
    },
    /// Somewhere from `low` to `high`: of one country always from 0, so that zero and small look alike; of several their sum.
    Banded {
        /// Least possible value.
        low: u64,
        /// Greatest possible value.
        high: u64,
    },
    /// Not shown.
    Refused {
        /// Why.
        reason: Withheld,
    },
}

/// Why a number is not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Withheld {
    /// The cut is no boundary of the canonical coarsening: its interval is part of the next one that is shown.
    Merged,
    /// It would tell, with the numbers beside it, how many ended on one single day: fewer than the threshold.
    OneDay,
    /// The curve ends before this cut: too few were at risk, or no boundary follows.
    TailCut,
    /// It is large enough itself, but with the numbers that are shown it would tell a smaller one.
    Complementary,
    /// It is too small, or hidden to protect others: in an answer that is audited beside earlier ones, which of the two it is would
    /// tell more than the band.
    Unspecified,
    /// One or two of those counted make up too much of the sum.
    Dominance,
}

impl Cell {
    /// The number, where it is exact.
    #[must_use]
    pub fn exact(&self) -> Option<u64> {
        match self {
            Self::Exact { n } => Some(*n),
            Self::Perturbed { .. } | Self::Banded { .. } | Self::Refused { .. } => None,
        }
    }

    /// The number that is shown, exact or with noise.
    #[must_use]
    pub fn shown(&self) -> Option<u64> {
        match self {
            Self::Exact { n } | Self::Perturbed { n } => Some(*n),
            Self::Banded { .. } | Self::Refused { .. } => None,
        }
    }
}

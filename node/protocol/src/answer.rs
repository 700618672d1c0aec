//! What a node releases for a query, and what several answers pool to.

use std::collections::BTreeMap;

use node_domain::{digest::Digest, months};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    cell::{Cell, Withheld},
    release::Release,
};

/// Codes of a group by field, in the order of the alphabet; `null` where the value is missing in the registry.
pub type GroupKey = BTreeMap<String, Option<String>>;

/// A node's answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Answer {
    /// Persons per group.
    Count(CountAnswer),
    /// Persons per group and bin.
    Histogram(HistogramAnswer),
    /// Sums per group.
    Mean(MeanAnswer),
    /// Life tables per group.
    Survival(SurvivalAnswer),
}

impl Answer {
    /// The disclosure rule that it went through.
    #[must_use]
    pub fn release(&self) -> Release {
        match self {
            Self::Count(answer) => answer.release,
            Self::Histogram(answer) => answer.release,
            Self::Mean(answer) => answer.release,
            Self::Survival(answer) => answer.release,
        }
    }

    /// The keys of its groups, in order.
    #[must_use]
    pub fn group_keys(&self) -> Vec<&GroupKey> {
        match self {
            Self::Count(answer) => answer.cells.iter().map(|cell| &cell.group).collect(),
            Self::Histogram(answer) => answer.groups.iter().map(|group| &group.group).collect(),
            Self::Mean(answer) => answer.groups.iter().map(|group| &group.group).collect(),
            Self::Survival(answer) => answer.groups.iter().map(|group| &group.group).collect(),
        }
    }

    /// All its cells, group by group.
    #[must_use]
    pub fn cells(&self) -> Vec<Cell> {
        match self {
            Self::Count(answer) => {
                answer.cells.iter().flat_map(|cell| [Some(cell.persons), cell.cases]).flatten().collect()
            }
            Self::Histogram(answer) => {
                answer.groups.iter().flat_map(|group| group.bins.iter().copied().chain([group.missing])).collect()
            }
            Self::Mean(answer) => {
                let values = answer.groups.iter().flat_map(|group| &group.values);
                let withheld = |value: &MeanValue| value.withheld.map(|reason| Cell::Refused { reason });
                values.flat_map(|value| [Some(value.persons), Some(value.rows), withheld(value)]).flatten().collect()
            }
            Self::Survival(answer) => {
                let of_cut = |cut: &Cut| [cut.at_risk, cut.events, cut.withdrawn];
                let of_group = |group: &SurvivalGroup| {
                    [group.persons, group.missing]
                        .into_iter()
                        .chain(group.cuts.iter().flat_map(of_cut))
                        .collect::<Vec<_>>()
                };
                answer.groups.iter().flat_map(of_group).collect()
            }
        }
    }

    /// Whether a group keeps the numbers of an earlier snapshot.
    #[must_use]
    pub fn keeps_earlier(&self) -> bool {
        match self {
            Self::Count(answer) => answer.cells.iter().any(|cell| cell.as_of.is_some()),
            Self::Histogram(answer) => answer.groups.iter().any(|group| group.as_of.is_some()),
            Self::Mean(answer) => answer.groups.iter().any(|group| group.as_of.is_some()),
            Self::Survival(answer) => answer.groups.iter().any(|group| group.as_of.is_some()),
        }
    }
}

/// Persons per group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CountAnswer {
    /// The disclosure rule that the answer went through.
    pub release: Release,
    /// Every group that the codes allow, also those with nobody in them.
    pub cells: Vec<CountCell>,
}

/// Persons of one group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CountCell {
    /// The group.
    pub group: GroupKey,
    /// Distinct persons.
    pub persons: Cell,
    /// Cases, where they are more than the persons and both may be shown.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cases: Option<Cell>,
    /// The earlier snapshot whose number this still is: fewer persons than the threshold have changed since.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub as_of: Option<Digest>,
}

/// Persons per group and bin of a whole-number field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HistogramAnswer {
    /// The disclosure rule that the answer went through.
    pub release: Release,
    /// The field.
    pub field: String,
    /// Lower edges of the bins, increasing; a bin ends where the next begins, the last is open.
    pub lower_edges: Vec<u16>,
    /// Every group that the codes allow.
    pub groups: Vec<HistogramGroup>,
}

/// The histogram of one group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HistogramGroup {
    /// The group.
    pub group: GroupKey,
    /// Distinct persons per bin, one entry per lower edge.
    pub bins: Vec<Cell>,
    /// Distinct persons without a value.
    pub missing: Cell,
    /// The earlier snapshot whose numbers these still are.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub as_of: Option<Digest>,
}

/// Sums of whole-number fields per group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MeanAnswer {
    /// The disclosure rule that the answer went through.
    pub release: Release,
    /// The fields, in the order of each group's values.
    pub fields: Vec<String>,
    /// Every group that the codes allow.
    pub groups: Vec<MeanGroup>,
}

/// Sums of one group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MeanGroup {
    /// The group.
    pub group: GroupKey,
    /// One entry per field.
    pub values: Vec<MeanValue>,
    /// The earlier snapshot whose numbers these still are.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub as_of: Option<Digest>,
}

/// Number, sum and sum of squares of one field in one group; the sums are absent where the number is not shown or one of those
/// counted dominates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MeanValue {
    /// Distinct persons (or hospitals) with a value.
    pub persons: Cell,
    /// Rows with a value: at least as many as the persons.
    pub rows: Cell,
    /// Sum over the rows, in the field's unit.
    pub sum: Option<u64>,
    /// Sum of squares over the rows; never beside noise.
    pub sum_of_squares: Option<f64>,
    /// Why the sums are absent although the number is shown.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub withheld: Option<Withheld>,
}

/// Life tables per group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SurvivalAnswer {
    /// The disclosure rule that the answer went through.
    pub release: Release,
    /// Endpoint, such as `overall` or `event_free`; time zero is the date of diagnosis.
    pub endpoint: String,
    /// Every group that the codes allow.
    pub groups: Vec<SurvivalGroup>,
}

/// The life table of one group at the cuts asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SurvivalGroup {
    /// The group.
    pub group: GroupKey,
    /// Distinct persons with the dates that the endpoint needs.
    pub persons: Cell,
    /// Cases that lack those dates; they are in no other number.
    pub missing: Cell,
    /// One entry per cut; empty where the persons are not shown.
    pub cuts: Vec<Cut>,
    /// The life table at every canonical boundary, the same whatever cuts were asked for: what the pooled estimate is made of.
    #[serde(skip_serializing_if = "Boundaries::is_empty", default)]
    pub boundaries: Boundaries,
    /// The earlier snapshot whose curve this still is: fewer persons than the threshold have changed since.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub as_of: Option<Digest>,
}

/// The life table at the canonical boundaries, by column, all of one length; the first interval starts with all persons.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Boundaries {
    /// Months of 365.25/12 days from diagnosis, increasing.
    pub months: Vec<u16>,
    /// Events since the boundary before.
    pub events: Vec<u64>,
    /// Withdrawn since the boundary before.
    pub withdrawn: Vec<u64>,
    /// S(t): exact Kaplan-Meier, or with noise the actuarial estimate from the perturbed numbers beside it.
    pub survival: Vec<f64>,
}

impl Boundaries {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.months.is_empty()
    }

    /// Month, events, withdrawn and survival of each boundary.
    pub fn rows(&self) -> impl Iterator<Item = (u16, u64, u64, f64)> {
        let counts = self.events.iter().zip(&self.withdrawn);
        self.months
            .iter()
            .zip(counts)
            .zip(&self.survival)
            .map(|((month, (events, withdrawn)), s)| (*month, *events, *withdrawn, *s))
    }
}

/// The life table and the curve at one cut.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cut {
    /// Months of 365.25/12 days from diagnosis.
    pub month: u16,
    /// The same in days.
    pub days: f64,
    /// Number at risk just before the cut.
    pub at_risk: Cell,
    /// Events since the last cut that is shown; an event on the cut day counts before it.
    pub events: Cell,
    /// Withdrawn (censored) since the last cut that is shown.
    pub withdrawn: Cell,
    /// Whether this cut's interval is merged into the next one that is shown. In a pooled table: whether a country's was.
    pub merged: bool,
    /// S(t), Kaplan-Meier; a probability.
    pub survival: Option<f64>,
    /// Greenwood's standard error.
    pub standard_error: Option<f64>,
    /// Lower 95 % limit, log(-log) scale.
    pub lower: Option<f64>,
    /// Upper 95 % limit, log(-log) scale.
    pub upper: Option<f64>,
    /// Countries behind a pooled cut.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub countries: Option<u32>,
}

impl Cut {
    /// A cut that is not shown: no number in it, and why.
    #[must_use]
    pub fn hidden(month: u16, reason: Withheld) -> Self {
        let cell = Cell::Refused { reason };
        Self {
            month,
            days: months::days(month),
            at_risk: cell,
            events: cell,
            withdrawn: cell,
            merged: reason == Withheld::Merged,
            survival: None,
            standard_error: None,
            lower: None,
            upper: None,
            countries: None,
        }
    }
}

/// What the answers of several countries pool to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Pooled {
    /// Sums with bounds where a country shows a band.
    Count {
        /// Countries that answered.
        countries: u32,
        /// One entry per group.
        cells: Vec<PooledCount>,
    },
    /// Sums by bin, with bounds where a country shows a band.
    Histogram {
        /// Countries that answered.
        countries: u32,
        /// The field.
        field: String,
        /// Lower edges of the bins.
        lower_edges: Vec<u16>,
        /// One entry per group.
        groups: Vec<HistogramGroup>,
    },
    /// Means over the countries that show their sums.
    Mean {
        /// Countries that answered.
        countries: u32,
        /// One entry per group and field.
        means: Vec<PooledMean>,
    },
    /// Pooled grouped curves.
    Survival {
        /// Estimator of the pooled curve.
        estimator: Estimator,
        /// Countries with a curve in at least one group.
        countries: u32,
        /// One entry per group; one of which no country shows a curve has none either.
        groups: Vec<SurvivalGroup>,
        /// Test between the groups; none for fewer than two.
        log_rank: Option<LogRank>,
    },
}

/// How the pooled curve is estimated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Estimator {
    /// Grouped product-limit estimate; see `node-statistics`, `survival::pool`.
    KaplanMeier,
}

/// The mean of one field in one group, over the countries that show their sums.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PooledMean {
    /// The group.
    pub group: GroupKey,
    /// The field.
    pub field: String,
    /// Countries behind it.
    pub countries: u32,
    /// Rows with a value, of those countries; of all where there are none.
    pub rows: Cell,
    /// Sum over the rows; absent where no country shows one.
    pub sum: Option<u64>,
    /// Mean, in the field's unit; absent where the sum is.
    pub mean: Option<f64>,
    /// Standard deviation between rows; absent where a country's sum of squares is.
    pub standard_deviation: Option<f64>,
    /// Why there is no sum although the number of rows is shown.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub withheld: Option<Withheld>,
}

/// Persons of one group over all countries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PooledCount {
    /// The group.
    pub group: GroupKey,
    /// Sum of the countries; banded where any of them is.
    pub persons: Cell,
    /// Share of all groups with Wilson's interval, where every number behind it is exact.
    pub share: Option<Share>,
}

/// A proportion with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Share {
    /// Numerator over denominator.
    pub value: f64,
    /// Lower limit.
    pub lower: f64,
    /// Upper limit.
    pub upper: f64,
}

/// Log-rank test between groups.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LogRank {
    /// Test statistic.
    pub chi_squared: f64,
    /// Degrees of freedom.
    pub df: u32,
    /// Upper tail probability.
    pub p: f64,
}

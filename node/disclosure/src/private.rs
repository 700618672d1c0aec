//! Differentially private answers: counts, histograms and sums with fresh noise, each person counted once.

use node_protocol::{
    answer::{
        Answer, CountAnswer, CountCell, GroupKey, HistogramAnswer, HistogramGroup, MeanAnswer, MeanGroup, MeanValue,
    },
    cell::Cell,
    project::PrivacyTerms,
    query::{Query, Statistic},
    release::{PrivateStatement, Release},
};
use node_statistics::frequency::FrequencyTable;

use crate::differential::mechanism::{self, Plan, PlanError, Sampler, SamplerError, Sensitivity};

/// Why no private answer can be made.
#[derive(Debug, thiserror::Error)]
pub enum PrivateError {
    /// The terms and the query have no plan.
    #[error("no noise fits the terms of the project")]
    Plan(#[from] PlanError),
    /// The noise could not be drawn.
    #[error("the noise could not be drawn")]
    Sampler(#[from] SamplerError),
    /// The statistic has no private form.
    #[error("the statistic has no differentially private form")]
    Statistic,
}

/// The noise of an answer, planned without looking at data: of its counts, and of its sums where it has any.
#[derive(Debug, Clone, PartialEq)]
pub struct PrivatePlan {
    counts: Plan,
    sums: Option<Plan>,
    terms: PrivacyTerms,
}

impl PrivatePlan {
    /// The plan of a query; `greatest` is where each measured value is cut off. Half of a mean's price pays for its numbers, half
    /// for its sums, shared evenly between fields.
    ///
    /// # Errors
    /// [`PrivateError`] where the terms leave no noise to draw, or the statistic is a survival curve.
    pub fn of(query: &Query, terms: PrivacyTerms, greatest: &[u16]) -> Result<Self, PrivateError> {
        let rho = terms.rho_per_answer;
        match &query.statistic {
            Statistic::Count | Statistic::Histogram { .. } => {
                let counts = mechanism::plan(terms.mechanism, Sensitivity::counts(1), rho)?;
                Ok(Self { counts, sums: None, terms })
            }
            Statistic::Mean { fields } => {
                let n = u32::try_from(fields.len()).unwrap_or(u32::MAX);
                let greatest = u32::from(greatest.iter().copied().max().unwrap_or(1));
                let counts = mechanism::plan(terms.mechanism, Sensitivity::counts(1).times(n), rho / 2.0)?;
                let sums = mechanism::plan(terms.mechanism, Sensitivity::sum(greatest).times(n), rho / 2.0)?;
                Ok(Self { counts, sums: Some(sums), terms })
            }
            Statistic::Survival { .. } => Err(PrivateError::Statistic),
        }
    }

    /// What an answer says of its noise.
    #[must_use]
    pub fn statement(&self) -> PrivateStatement {
        PrivateStatement {
            mechanism: self.terms.mechanism,
            standard_deviation: self.counts.standard_deviation(),
            error_95: self.counts.error_95(),
            rho: self.terms.rho_per_answer,
        }
    }

    /// Standard deviation of the sums, in the fields' unit; none where there are no sums.
    #[must_use]
    pub fn sum_standard_deviation(&self) -> Option<f64> {
        self.sums.as_ref().map(Plan::standard_deviation)
    }
}

/// The answer to `query` with fresh noise. The table must have been counted once per person, with values cut off.
pub(crate) fn answer(
    query: &Query,
    groups: &[GroupKey],
    lower_edges: &[u16],
    table: &FrequencyTable,
    plan: &PrivatePlan,
    sampler: &mut dyn Sampler,
) -> Result<Answer, PrivateError> {
    let release = Release::DifferentiallyPrivate { private: plan.statement() };
    let persons: Vec<i64> = match &query.statistic {
        Statistic::Mean { .. } => table.sums.iter().map(|sum| whole(sum.persons)).collect(),
        _ => table.groups.iter().map(|total| whole(total.persons)).collect(),
    };
    let noisy = mechanism::release(&plan.counts, &persons, sampler)?;
    let cell = |at: usize| Cell::Perturbed { n: u64::try_from(noisy[at]).unwrap_or(0) };
    match &query.statistic {
        Statistic::Count => {
            let cells = groups.iter().enumerate().map(|(at, group)| CountCell {
                group: group.clone(),
                persons: cell(at),
                cases: None,
                as_of: None,
            });
            Ok(Answer::Count(CountAnswer { release, cells: cells.collect() }))
        }
        Statistic::Histogram { field } => {
            let bins = lower_edges.len() + 1;
            let groups = groups.iter().enumerate().map(|(at, group)| HistogramGroup {
                group: group.clone(),
                bins: (0..bins - 1).map(|bin| cell(at * bins + bin)).collect(),
                missing: cell(at * bins + bins - 1),
                as_of: None,
            });
            let (groups, lower_edges) = (groups.collect(), lower_edges.to_vec());
            Ok(Answer::Histogram(HistogramAnswer { release, field: field.clone(), lower_edges, groups }))
        }
        Statistic::Mean { fields } => {
            let plan = plan.sums.as_ref().ok_or(PrivateError::Statistic)?;
            let sums: Vec<i64> = table.sums.iter().map(|sum| whole(sum.sum)).collect();
            let sums = mechanism::release(plan, &sums, sampler)?;
            let value = |at: usize| MeanValue {
                persons: cell(at),
                rows: cell(at),
                sum: u64::try_from(sums[at]).ok(),
                sum_of_squares: None,
                withheld: None,
            };
            let groups = groups.iter().enumerate().map(|(at, group)| MeanGroup {
                group: group.clone(),
                values: (0..fields.len()).map(|field| value(at * fields.len() + field)).collect(),
                as_of: None,
            });
            Ok(Answer::Mean(MeanAnswer { release, fields: fields.clone(), groups: groups.collect() }))
        }
        Statistic::Survival { .. } => Err(PrivateError::Statistic),
    }
}

fn whole(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

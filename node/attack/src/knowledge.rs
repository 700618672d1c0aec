//! All that is known about many numbers through sums of them: sure bounds by linear programming, estimates by least squares.

use std::panic::{AssertUnwindSafe, catch_unwind};

use microlp::{ComparisonOp, OptimizationDirection, Problem, Variable};
use nalgebra::{DMatrix, DVector};

use crate::seen::{Estimate, Seen};

/// Variance that stands for an exact number in least squares.
const ALMOST_EXACT: f64 = 1e-6;

/// Whole numbers of disjoint sets, none negative, and what was seen of sums of them.
#[derive(Debug, Clone)]
pub(crate) struct Knowledge {
    size: usize,
    sums: Vec<(Vec<usize>, Seen)>,
}

impl Knowledge {
    pub(crate) fn new(size: usize) -> Self {
        Self { size, sums: Vec::new() }
    }

    /// The numbers at `of` were seen to sum up to `seen`.
    pub(crate) fn learn(&mut self, of: Vec<usize>, seen: Seen) {
        self.sums.push((of, seen));
    }

    /// The least and the greatest that the sum of the numbers at `of` can be; none where the sums contradict each other or the
    /// solver fails.
    pub(crate) fn bounds(&self, of: &[usize]) -> Option<Seen> {
        let low = self.extreme(of, OptimizationDirection::Minimize)?;
        let high = self.extreme(of, OptimizationDirection::Maximize)?;
        Some(Seen { low, high, estimate: None })
    }

    fn extreme(&self, of: &[usize], direction: OptimizationDirection) -> Option<f64> {
        let mut limits = vec![(0.0_f64, f64::INFINITY); self.size];
        for (numbers, seen) in &self.sums {
            if let [number] = numbers[..] {
                let (low, high) = limits[number];
                limits[number] = (low.max(seen.low), high.min(seen.high));
            }
        }
        if limits.iter().any(|(low, high)| low > high) {
            return None;
        }
        let mut problem = Problem::new(direction);
        let variables: Vec<Variable> = (0..self.size)
            .map(|number| problem.add_var(if of.contains(&number) { 1.0 } else { 0.0 }, limits[number]))
            .collect();
        for (numbers, seen) in self.sums.iter().filter(|(numbers, _)| numbers.len() > 1) {
            let sum: Vec<(Variable, f64)> = numbers.iter().map(|&number| (variables[number], 1.0)).collect();
            if seen.is_exact() {
                problem.add_constraint(&sum[..], ComparisonOp::Eq, seen.low);
                continue;
            }
            if seen.low > 0.0 {
                problem.add_constraint(&sum[..], ComparisonOp::Ge, seen.low);
            }
            if seen.high.is_finite() {
                problem.add_constraint(&sum[..], ComparisonOp::Le, seen.high);
            }
        }
        // the solver's documentation does not rule out panics on ill-conditioned problems; such a one tells the attacker nothing
        match catch_unwind(AssertUnwindSafe(|| problem.solve())) {
            Ok(Ok(outcome)) => outcome.into_solution().ok().map(|solution| solution.objective()),
            Ok(Err(microlp::Error::Unbounded)) => Some(f64::INFINITY),
            _ => None,
        }
    }

    /// Least-squares estimates of all numbers, weighted by the inverse of the variances. With a prior (mean, variance) of each
    /// number it always exists and its variances are infinite, since a prior is no knowledge to claim from; without one it exists
    /// only where the sums determine every number.
    pub(crate) fn least_squares(&self, prior: Option<(f64, f64)>) -> Option<Vec<Estimate>> {
        let mut normal = DMatrix::<f64>::zeros(self.size, self.size);
        let mut right = DVector::<f64>::zeros(self.size);
        let mut unit = 0.0_f64;
        for (numbers, seen) in &self.sums {
            let Some(estimate) = seen.estimate else { continue };
            let weight = 1.0 / estimate.variance.max(ALMOST_EXACT);
            unit = unit.max(estimate.unit);
            for &row in numbers {
                right[row] += weight * estimate.value;
                for &column in numbers {
                    normal[(row, column)] += weight;
                }
            }
        }
        if let Some((mean, variance)) = prior {
            for number in 0..self.size {
                normal[(number, number)] += 1.0 / variance;
                right[number] += mean / variance;
            }
        }
        let inverse = normal.cholesky()?.inverse();
        let values = &inverse * right;
        let variance = |at: usize| if prior.is_some() { f64::INFINITY } else { inverse[(at, at)] };
        // nearly singular: the sums do not determine all numbers
        if (0..self.size).any(|at| !values[at].is_finite() || inverse[(at, at)] > 1e4) {
            return None;
        }
        Some((0..self.size).map(|at| Estimate { value: values[at], variance: variance(at), unit }).collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bounds_hold_the_truth(
            truth in proptest::collection::vec(0_u64..20, 6),
            sums in proptest::collection::vec((1_u8..64, 0_u64..4, 0_u64..4), 1..12),
            asked in 1_u8..64,
        ) {
            let members = |mask: u8| (0..6).filter(|at| mask >> at & 1 == 1).collect::<Vec<usize>>();
            let total = |of: &[usize]| of.iter().map(|at| truth[*at]).sum::<u64>();
            let mut known = Knowledge::new(6);
            for (mask, below, above) in sums {
                let n = total(&members(mask));
                known.learn(members(mask), Seen::band(n.saturating_sub(below), n + above));
            }
            let seen = known.bounds(&members(asked)).unwrap();
            let n = total(&members(asked)) as f64;
            prop_assert!(seen.low <= n + 1e-6 && n <= seen.high + 1e-6, "{seen:?} {n}");
        }
    }

    #[test]
    fn a_table_with_one_hidden_cell_gives_it_back() {
        let mut known = Knowledge::new(4);
        for (at, n) in [(0, 10), (1, 12), (2, 9)] {
            known.learn(vec![at], Seen::exact(n));
        }
        known.learn(vec![3], Seen::band(0, 4));
        known.learn(vec![2, 3], Seen::exact(11));
        assert_eq!(known.bounds(&[3]).and_then(|seen| seen.claim()), Some(2.0));
    }

    #[test]
    fn four_hidden_cells_keep_their_band() {
        let mut known = Knowledge::new(4);
        (0..4).for_each(|at| known.learn(vec![at], Seen::band(0, 4)));
        for pair in [[0, 1], [2, 3], [0, 2], [1, 3]] {
            known.learn(pair.to_vec(), Seen::exact(4));
        }
        let seen = known.bounds(&[0]).unwrap();
        assert!(seen.low.abs() < 1e-6 && (seen.high - 4.0).abs() < 1e-6, "{seen:?}");
        assert!(known.least_squares(None).is_none());
    }

    #[test]
    fn contradictions_tell_nothing() {
        let mut known = Knowledge::new(2);
        known.learn(vec![0, 1], Seen::exact(3));
        known.learn(vec![0], Seen::exact(5));
        assert!(known.bounds(&[1]).is_none());
    }

    #[test]
    fn least_squares_averages() {
        let mut known = Knowledge::new(2);
        known.learn(vec![0], Seen::noisy(10, 3.0, 5, 10));
        known.learn(vec![0], Seen::noisy(14, 3.0, 5, 10));
        known.learn(vec![0, 1], Seen::exact(20));
        let estimates = known.least_squares(None).unwrap();
        assert!((estimates[0].value - 12.0).abs() < 1e-3 && (estimates[1].value - 8.0).abs() < 1e-3);
        assert!((estimates[1].variance - 4.5).abs() < 1e-3);
    }
}

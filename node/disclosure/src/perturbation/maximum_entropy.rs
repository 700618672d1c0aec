//! The distribution of greatest entropy over given whole-number deviations with mean zero and a given variance.
//!
//! Its probabilities have the form `p(x) = exp(a x + b x^2) / Z` (Jaynes 1957; for perturbation tables Marley & Leaver
//! 2011 and Giessing 2016), so that only the two dual variables `a` and `b` are sought. They minimise the convex dual
//! `log Z(a, b) - b v`, whose gradient is the error of the mean and of the second moment.

/// Where the variance lies this close (relative) to the least or greatest possible, the distribution that attains it is
/// taken: the dual variables grow without bound there.
const EDGE: f64 = 1e-7;
/// Above any number of steps seen: starts are good and convergence is quadratic.
const MOST_STEPS: usize = 400;
/// Squared Newton decrement below which one more full step reaches the precision of the machine.
const SETTLED: f64 = 1e-20;
/// Squared Newton decrement below which a full step needs no search, and rounding would spoil one.
const NEAR: f64 = 1e-8;

/// Probabilities of the deviations, in their order; `None` only if the search does not settle.
///
/// `deviations` is increasing, holds something below zero and something above. A variance outside of what they allow is
/// taken to the nearest they do: the least has the two nearest neighbours of zero (or zero alone), the greatest the two
/// ends.
pub(super) fn probabilities(deviations: &[i64], variance: f64) -> Option<Vec<f64>> {
    let (&lowest, &highest) = (deviations.first()?, deviations.last()?);
    let below = *deviations.iter().rfind(|deviation| **deviation <= 0)?;
    let above = *deviations.iter().find(|deviation| **deviation >= 0)?;
    if variance <= two_point_variance(below, above) * (1.0 + EDGE) {
        Some(two_points(deviations, below, above))
    } else if variance >= two_point_variance(lowest, highest) * (1.0 - EDGE) {
        Some(two_points(deviations, lowest, highest))
    } else {
        // zero alone would be the only way below the variance of its neighbours, and it has been dealt with
        solve(deviations, variance)
    }
}

/// Variance of the mean-zero distribution on two points on either side of zero.
fn two_point_variance(below: i64, above: i64) -> f64 {
    -(below as f64) * above as f64
}

/// The mean-zero distribution on two of the deviations; all at zero where both are zero.
fn two_points(deviations: &[i64], below: i64, above: i64) -> Vec<f64> {
    let span = (above - below) as f64;
    let share = |deviation: i64| match deviation {
        0 if above == below => 1.0,
        at if at == below => above as f64 / span,
        at if at == above => -(below as f64) / span,
        _ => 0.0,
    };
    deviations.iter().map(|deviation| share(*deviation)).collect()
}

/// Newton's method on the dual with halving of steps, in deviations scaled to at most one.
fn solve(deviations: &[i64], variance: f64) -> Option<Vec<f64>> {
    let scale = deviations.iter().map(|deviation| deviation.unsigned_abs()).max()? as f64;
    let points: Vec<f64> = deviations.iter().map(|deviation| *deviation as f64 / scale).collect();
    let target = variance / (scale * scale);
    let mut dual = start(deviations, variance, scale)?;
    let mut tilted = Tilted::at(&points, dual);
    for _ in 0..MOST_STEPS {
        let step = tilted.newton(&points, target)?;
        let mut length = 1.0;
        let (next_dual, next) = loop {
            let next_dual = (dual.0 + length * step.linear, dual.1 + length * step.quadratic);
            let next = Tilted::at(&points, next_dual);
            let gain = tilted.objective(dual, target) - next.objective(next_dual, target);
            if step.decrement < NEAR
                || (gain >= 1e-4 * length * step.decrement && next.newton(&points, target).is_some())
            {
                break (next_dual, next);
            }
            length *= 0.5;
            if length < 1e-12 {
                return None;
            }
        };
        (dual, tilted) = (next_dual, next);
        if step.decrement < SETTLED {
            return tilted.polished(&points, target);
        }
    }
    None
}

/// A start on the wide side of the solution, from where steps are safe: the normal curve, or for little variance the
/// share that the neighbours of zero have, the farther one if they differ; flat where there is much.
fn start(deviations: &[i64], variance: f64, scale: f64) -> Option<(f64, f64)> {
    let below = deviations.iter().rfind(|deviation| **deviation < 0)?.unsigned_abs();
    let above = deviations.iter().find(|deviation| **deviation > 0)?.unsigned_abs();
    let gap = scale / below.max(above) as f64;
    let normal = scale * scale / (2.0 * variance);
    let neighbours = gap * gap * (2.0 / variance).ln_1p();
    let flat = variance > scale * scale / 3.0;
    Some((0.0, if flat { 0.0 } else { -normal.min(neighbours) }))
}

/// The exponential family at one pair of dual variables.
struct Tilted {
    probabilities: Vec<f64>,
    log_total: f64,
}

/// Direction of Newton's step and its squared decrement, the fall of the objective it promises.
struct Step {
    linear: f64,
    quadratic: f64,
    decrement: f64,
}

impl Tilted {
    fn at(points: &[f64], (linear, quadratic): (f64, f64)) -> Self {
        let mut weights: Vec<f64> = points.iter().map(|x| (linear + quadratic * x) * x).collect();
        let highest = weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        for weight in &mut weights {
            *weight = (*weight - highest).exp();
        }
        let total: f64 = weights.iter().sum();
        for weight in &mut weights {
            *weight /= total;
        }
        Self { probabilities: weights, log_total: highest + total.ln() }
    }

    /// The same with the last error of the moments taken off the probabilities themselves.
    ///
    /// Large dual variables cancel in the exponent, which leaves errors well above the precision of the machine. The
    /// step is so small that its first order is all of it.
    fn polished(mut self, points: &[f64], target: f64) -> Option<Vec<f64>> {
        for _ in 0..2 {
            let Step { linear, quadratic, .. } = self.newton(points, target)?;
            for (share, x) in self.probabilities.iter_mut().zip(points) {
                *share *= 1.0 + (linear + quadratic * x) * x;
            }
            let total: f64 = self.probabilities.iter().sum();
            for share in &mut self.probabilities {
                *share /= total;
            }
        }
        Some(self.probabilities)
    }

    fn objective(&self, (_, quadratic): (f64, f64), target: f64) -> f64 {
        self.log_total - quadratic * target
    }

    /// The curvature is taken along `x` and along what is left of `x^2` after its regression on `x`: near the edges
    /// both moments are almost one, and their raw 2 by 2 matrix could not be solved. `None` where the distribution is a
    /// single point.
    fn newton(&self, points: &[f64], target: f64) -> Option<Step> {
        let expect = |of: &dyn Fn(f64) -> f64| -> f64 {
            self.probabilities.iter().zip(points).map(|(share, x)| share * of(*x)).sum()
        };
        let (mean, second) = (expect(&|x| x), expect(&|x| x * x));
        let spread = expect(&|x| (x - mean) * (x - mean));
        let slope = expect(&|x| (x - mean) * (x * x - second)) / spread;
        let rest = expect(&|x| ((x * x - second) - slope * (x - mean)).powi(2));
        let rest_error = (second - target) - slope * mean;
        let quadratic = -rest_error / rest;
        let linear = -mean / spread - slope * quadratic;
        let decrement = mean * mean / spread + rest_error * rest_error / rest;
        [linear, quadratic, decrement].iter().all(|value| value.is_finite()).then_some(Step {
            linear,
            quadratic,
            decrement,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(deviations: &[i64], shares: &[f64]) -> (f64, f64, f64) {
        let expect = |power: i32| -> f64 {
            shares.iter().zip(deviations).map(|(share, at)| share * (*at as f64).powi(power)).sum()
        };
        (shares.iter().sum(), expect(1), expect(2))
    }

    #[test]
    fn two_neighbours_and_zero_have_the_closed_form() {
        let shares = probabilities(&[-1, 0, 1], 0.5).unwrap();
        for (share, expected) in shares.iter().zip([0.25, 0.5, 0.25]) {
            assert!((share - expected).abs() < 1e-14);
        }
    }

    #[test]
    fn the_flat_distribution_has_the_variance_of_a_die() {
        let deviations: Vec<i64> = (-7..=7).collect();
        let shares = probabilities(&deviations, 7.0 * 8.0 / 3.0).unwrap();
        assert!(shares.iter().all(|share| (share - 1.0 / 15.0).abs() < 1e-13));
    }

    #[test]
    fn a_variance_out_of_reach_gives_the_two_points_at_the_edge() {
        assert_eq!(probabilities(&[-2, 1, 2], 0.1).unwrap(), [1.0 / 3.0, 2.0 / 3.0, 0.0]);
        assert_eq!(probabilities(&[-1, 0, 4], 50.0).unwrap(), [0.8, 0.0, 0.2]);
        assert_eq!(probabilities(&[-1, 0, 4], 0.0).unwrap(), [0.0, 1.0, 0.0]);
    }

    #[test]
    fn wide_supports_and_extreme_variances_settle() {
        for reach in [1_i64, 2, 3, 10, 100, 1000] {
            let deviations: Vec<i64> = (-reach..=reach).collect();
            let most = (reach * reach) as f64;
            for share in [1e-9, 1e-6, 1e-3, 0.1, 0.33, 0.5, 0.9, 0.999, 1.0 - 1e-6, 1.0 - 2e-7] {
                let variance = (most * share).max(1e-6);
                let shares = probabilities(&deviations, variance).unwrap();
                let (total, mean, second) = moments(&deviations, &shares);
                assert!((total - 1.0).abs() < 1e-13, "{reach} {share}");
                assert!(mean.abs() < 1e-10 * reach as f64, "{reach} {share} {mean}");
                assert!((second / variance - 1.0).abs() < 1e-9, "{reach} {share} {second} {variance}");
            }
        }
    }

    #[test]
    fn lopsided_supports_settle_close_to_their_edges() {
        for (below, above) in [(-1_i64, 5_i64), (-3, 9), (-5, 1), (-20, 40), (-999, 1000), (-1, 1000)] {
            // nought, a gap, then all above: the row of a count just under the threshold
            let deviations: Vec<i64> = std::iter::once(below).chain(1..=above).collect();
            let (least, most) = (two_point_variance(below, 1), two_point_variance(below, above));
            for share in [2e-7, 1e-5, 0.01, 0.5, 0.99, 1.0 - 1e-5] {
                let variance = least * (1.0 + share) + (most - least) * share * 0.99;
                if variance >= most {
                    continue;
                }
                let shares = probabilities(&deviations, variance).unwrap();
                let (_, mean, second) = moments(&deviations, &shares);
                assert!(mean.abs() < 1e-10 * above as f64, "{below} {above} {share} {mean}");
                assert!((second / variance - 1.0).abs() < 2e-7, "{below} {above} {share} {second} {variance}");
            }
        }
    }
}

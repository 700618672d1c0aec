//! What a number on the wire tells an attacker who knows the method: sure bounds, and an estimate where there is noise.

use node_protocol::{cell::Cell, release::Release};

/// Standard errors to either side of an estimate within which the attacker takes the truth to lie.
const CERTAIN: f64 = 2.0;
/// Slack in comparing sums of floating-point numbers.
const SLACK: f64 = 1e-6;

/// What is known about one whole number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Seen {
    /// Surely at least.
    pub(crate) low: f64,
    /// Surely at most; may be infinite.
    pub(crate) high: f64,
    /// The estimate, where there is one.
    pub(crate) estimate: Option<Estimate>,
}

/// An unbiased estimate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Estimate {
    pub(crate) value: f64,
    pub(crate) variance: f64,
    /// Standard deviation of one noisy number among those that it is made of; 0 where all are exact.
    pub(crate) unit: f64,
}

impl Seen {
    pub(crate) const NOTHING: Self = Self { low: 0.0, high: f64::INFINITY, estimate: None };

    pub(crate) fn exact(n: u64) -> Self {
        Self::value(n as f64)
    }

    pub(crate) fn value(value: f64) -> Self {
        Self { low: value, high: value, estimate: Some(Estimate { value, variance: 0.0, unit: 0.0 }) }
    }

    pub(crate) fn band(low: u64, high: u64) -> Self {
        Self { low: low as f64, high: high as f64, estimate: None }
    }

    /// A shown number with noise: the truth is not below the threshold, since such numbers are never shown.
    pub(crate) fn noisy(n: u64, standard_deviation: f64, threshold: u64, bound: u64) -> Self {
        Self {
            low: n.saturating_sub(bound).max(if n == 0 { 0 } else { threshold }) as f64,
            high: (n + bound) as f64,
            estimate: Some(Estimate {
                value: n as f64,
                variance: standard_deviation * standard_deviation,
                unit: standard_deviation,
            }),
        }
    }

    /// What a number of persons tells.
    pub(crate) fn persons(cell: &Cell, release: &Release) -> Self {
        Self::of(cell, release, |safeguards| safeguards.persons)
    }

    /// What a number of events tells.
    pub(crate) fn events(cell: &Cell, release: &Release) -> Self {
        Self::of(cell, release, |safeguards| safeguards.events)
    }

    fn of(cell: &Cell, release: &Release, least: fn(&node_protocol::release::Safeguards) -> u32) -> Self {
        match (cell, release) {
            (Cell::Exact { n }, _) => Self::exact(*n),
            (Cell::Banded { low, high }, _) => Self::band(*low, *high),
            (Cell::Perturbed { n }, Release::Perturbed { safeguards, noise }) => {
                Self::noisy(*n, noise.standard_deviation, least(safeguards).into(), noise.bound.into())
            }
            (Cell::Perturbed { n }, Release::DifferentiallyPrivate { private }) => {
                Self { estimate: Self::noisy(*n, private.standard_deviation, 0, 0).estimate, ..Self::NOTHING }
            }
            (Cell::Perturbed { .. } | Cell::Refused { .. }, _) => Self::NOTHING,
        }
    }

    /// Both together: the sum of numbers of disjoint sets.
    pub(crate) fn plus(&self, other: &Self) -> Self {
        self.with(other, 1.0, self.low + other.low, self.high + other.high)
    }

    /// What is left: the difference of a set and a part of it.
    pub(crate) fn minus(&self, other: &Self) -> Self {
        self.with(other, -1.0, self.low - other.high, self.high - other.low).at_least_zero()
    }

    fn with(&self, other: &Self, sign: f64, low: f64, high: f64) -> Self {
        let estimate = self.estimate.zip(other.estimate).map(|(left, right)| Estimate {
            value: left.value + sign * right.value,
            variance: left.variance + right.variance,
            unit: left.unit.max(right.unit),
        });
        Self { low, high, estimate }
    }

    fn at_least_zero(self) -> Self {
        Self { low: self.low.max(0.0), ..self }
    }

    /// Two independent views of the same number. Estimates are weighted by the inverse of their variances.
    pub(crate) fn meet(&self, other: &Self) -> Self {
        let estimate = match (self.estimate, other.estimate) {
            (Some(left), Some(right)) if left.variance > 0.0 && right.variance > 0.0 => {
                let (a, b) = (1.0 / left.variance, 1.0 / right.variance);
                Some(Estimate {
                    value: (left.value * a + right.value * b) / (a + b),
                    variance: 1.0 / (a + b),
                    unit: left.unit.max(right.unit),
                })
            }
            (Some(left), Some(right)) => Some(if left.variance <= right.variance { left } else { right }),
            (left, right) => left.or(right),
        };
        Self { low: self.low.max(other.low), high: self.high.min(other.high), estimate }
    }

    /// Several draws of the noise of one number. Where some of them are not shown, those that are lie too high on average: their
    /// mean is no ground for a claim.
    pub(crate) fn pool(draws: impl IntoIterator<Item = Self>) -> Option<Self> {
        let mut partly = false;
        let mut pooled: Option<Self> = None;
        for draw in draws {
            partly |= pooled.is_some_and(|one| one.estimate.is_some() != draw.estimate.is_some());
            pooled = Some(pooled.map_or(draw, |one| one.meet(&draw)));
        }
        if let (true, Some(Self { estimate: Some(estimate), .. })) = (partly, &mut pooled) {
            estimate.variance = f64::INFINITY;
        }
        pooled
    }

    /// The same number with these sure bounds as well.
    pub(crate) fn within(&self, low: f64, high: f64) -> Self {
        Self { low: self.low.max(low), high: self.high.min(high), ..*self }
    }

    /// The same bounds without an estimate.
    pub(crate) fn bounds_only(&self) -> Self {
        Self { estimate: None, ..*self }
    }

    /// Whether the number itself is shown.
    pub(crate) fn is_exact(&self) -> bool {
        (self.high - self.low).abs() < SLACK
    }

    /// The number that is shown, exact or with noise.
    pub(crate) fn shown(&self) -> Option<f64> {
        self.estimate.map(|estimate| estimate.value)
    }

    /// The number that the attacker claims, where he can be certain.
    pub(crate) fn claim(&self) -> Option<f64> {
        self.bound_claim().or_else(|| {
            let estimate = self.estimate.filter(|estimate| estimate.variance.is_finite())?;
            let reach = CERTAIN * estimate.variance.sqrt();
            only_integer(estimate.value - reach, estimate.value + reach)
        })
    }

    /// The number that the bounds alone leave.
    pub(crate) fn bound_claim(&self) -> Option<f64> {
        only_integer(self.low, self.high)
    }

    /// The best estimate of a number behind noise, and the standard deviation of one noisy number.
    pub(crate) fn best_estimate(&self) -> Option<(f64, f64)> {
        let estimate = self.estimate.filter(|estimate| estimate.unit > 0.0)?;
        let inside = if self.low <= self.high { estimate.value.clamp(self.low, self.high) } else { estimate.value };
        Some((inside, estimate.unit))
    }
}

/// The one whole number between two bounds.
fn only_integer(low: f64, high: f64) -> Option<f64> {
    let (least, greatest) = ((low - SLACK).ceil(), (high + SLACK).floor());
    (least == greatest && least.is_finite()).then_some(least)
}

#[cfg(test)]
mod tests {
    use node_protocol::release::{NoiseStatement, Safeguards};

    use super::*;

    #[test]
    fn what_a_number_tells() {
        let safeguards = Safeguards { persons: 5, events: 3, at_risk: 10 };
        let noise = NoiseStatement { standard_deviation: 3.0, bound: 10 };
        let release = Release::Perturbed { safeguards, noise };
        let seen = Seen::persons(&Cell::Perturbed { n: 9 }, &release);
        assert_eq!((seen.low, seen.high), (5.0, 19.0));
        let band = Seen::persons(&Cell::Banded { low: 0, high: 10 }, &release);
        assert_eq!((band.low, band.high, band.claim()), (0.0, 10.0, None));
        assert_eq!(Seen::persons(&Cell::Exact { n: 0 }, &release).claim(), Some(0.0));
    }

    #[test]
    fn a_difference_of_exact_numbers_is_certain_and_of_noisy_ones_is_not() {
        assert_eq!(Seen::exact(20).minus(&Seen::exact(18)).claim(), Some(2.0));
        let noisy = Seen::noisy(20, 3.0, 5, 10).minus(&Seen::noisy(18, 3.0, 5, 10));
        assert_eq!(noisy.claim(), None);
        assert_eq!((noisy.low, noisy.high), (0.0, 22.0));
    }

    #[test]
    fn averages_become_certain() {
        let one = Seen::noisy(12, 3.0, 5, 10);
        let many = (0..200).fold(one, |sum, _| sum.meet(&one));
        assert_eq!(many.claim(), Some(12.0));
        assert_eq!((0..10).fold(one, |sum, _| sum.meet(&one)).claim(), None);
    }

    #[test]
    fn bounds_that_leave_one_number_are_certain() {
        assert_eq!(Seen::band(0, 4).within(3.5, 9.0).claim(), Some(4.0));
        assert_eq!(Seen::band(0, 4).within(5.0, 9.0).claim(), None);
    }
}

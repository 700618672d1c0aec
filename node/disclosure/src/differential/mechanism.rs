//! Plans how much noise an answer needs, and adds it to whole numbers.

use std::error::Error;

use node_protocol::release::Mechanism;
use opendp::{
    core::Measurement,
    domains::{AtomDomain, VectorDomain},
    error::Fallible,
    measurements::{make_gaussian, make_laplace},
    measures::{MaxDivergence, ZeroConcentratedDivergence},
    metrics::{L1Distance, L2Distance},
};
use serde::Serialize;
use thiserror::Error;

use super::spread;

/// Smallest scale that is planned. Below it even Laplace noise is zero in more than 96 of 100 cells and would only look like
/// protection.
const LEAST_SCALE: f64 = 0.25;

/// Greatest scale that is planned, 2^40. Above it noise could come near the ends of `i64`.
const GREATEST_SCALE: f64 = 1_099_511_627_776.0;

/// The price of one release, for the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Charge {
    /// zCDP; finite and above 0.
    pub rho: f64,
}

/// How far one person, added or removed, can move the whole vector of an answer. Rounded up, never down.
///
/// It holds only if the code that makes the vector keeps to the bound for every possible person, not just for those in the data.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sensitivity {
    l1: f64,
    l2: f64,
}

impl Sensitivity {
    /// Counts in which a person is in at most `cells_per_person` cells of the answer, and adds 1 to each.
    #[must_use]
    pub fn counts(cells_per_person: u32) -> Self {
        let cells = f64::from(cells_per_person);
        Self { l1: cells, l2: sqrt_up(cells) }
    }

    /// A sum, in one cell, of one value a person, clamped to `0..=greatest` before summing.
    #[must_use]
    pub fn sum(greatest: u32) -> Self {
        let greatest = f64::from(greatest);
        Self { l1: greatest, l2: greatest }
    }

    /// The same person in `n` such statistics, each with cells of its own in the released vector.
    ///
    /// `l2` grows by the root of `n` only. That is wrong for one person with `n` rows in the same cell: use `sum(n)` there.
    #[must_use]
    pub fn times(self, n: u32) -> Self {
        let n = f64::from(n);
        Self { l1: product_up(self.l1, n), l2: product_up(self.l2, sqrt_up(n)) }
    }

    /// Greatest sum of absolute changes over all cells.
    #[must_use]
    pub fn l1(self) -> f64 {
        self.l1
    }

    /// Greatest root of the sum of squared changes over all cells.
    #[must_use]
    pub fn l2(self) -> f64 {
        self.l2
    }

    fn for_mechanism(self, mechanism: Mechanism) -> f64 {
        match mechanism {
            Mechanism::Laplace => self.l1,
            Mechanism::Gaussian => self.l2,
        }
    }
}

/// The noise of one release and its price. Made only by [`plan`].
///
/// # Privacy
/// Depends on nothing in the data, so it may be shown before anything is charged or read.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Plan {
    mechanism: Mechanism,
    scale: f64,
    rho: f64,
    standard_deviation: f64,
    error_95: f64,
}

impl Plan {
    /// The shape of the noise.
    #[must_use]
    pub fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// Parameter of the noise, in units of the statistic: b of the Laplace, sigma of the Gaussian distribution.
    #[must_use]
    pub fn scale(&self) -> f64 {
        self.scale
    }

    /// Price of the whole vector, as asked for. The noise costs no more than this, rounding included.
    #[must_use]
    pub fn rho(&self) -> f64 {
        self.rho
    }

    /// Standard deviation of the noise of each cell, in units of the statistic, before negatives become 0.
    #[must_use]
    pub fn standard_deviation(&self) -> f64 {
        self.standard_deviation
    }

    /// A whole number that the noise of a cell exceeds, either way, in at most 5 % of releases.
    #[must_use]
    pub fn error_95(&self) -> f64 {
        self.error_95
    }

    /// What both accounts pay.
    #[must_use]
    pub fn charge(&self) -> Charge {
        Charge { rho: self.rho }
    }
}

/// Why no noise can be planned. Says nothing of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PlanError {
    /// rho is NaN, infinite, zero or negative.
    #[error("rho must be a finite number above 0")]
    Rho,
    /// The sensitivity is zero or not finite.
    #[error(
        "the sensitivity must be a finite number above 0: say in how many cells a person may be, or the greatest value"
    )]
    Sensitivity,
    /// The scale would be under 0.25.
    #[error("rho is so large for this statistic that the noise would nearly always be zero: ask for a smaller rho")]
    TooLittleNoise,
    /// The scale would be over 2^40.
    #[error("rho is so small for this statistic that only noise would be left: ask for a larger rho")]
    TooMuchNoise,
}

/// The least noise that keeps a release within `rho`.
///
/// Gaussian: `rho = l2^2 / (2 sigma^2)` (Bun & Steinke 2016, prop. 1.6; for the discrete distribution and vectors Canonne,
/// Kamath & Steinke 2020, theorem 14). Laplace: `epsilon = l1 / scale`, and epsilon-DP implies `(epsilon^2 / 2)`-zCDP (Bun &
/// Steinke 2016, prop. 1.4).
///
/// # Errors
/// See [`PlanError`].
pub fn plan(mechanism: Mechanism, sensitivity: Sensitivity, rho: f64) -> Result<Plan, PlanError> {
    if !(rho.is_finite() && rho > 0.0) {
        return Err(PlanError::Rho);
    }
    let distance = sensitivity.for_mechanism(mechanism);
    if !(distance.is_finite() && distance > 0.0) {
        return Err(PlanError::Sensitivity);
    }
    // both laws read rho = (distance / scale)^2 / 2; the quotient is wrong by at most one part in 2^52, so eight parts are on
    // the safe side
    let scale = distance / (2.0 * rho).sqrt() * (1.0 + 8.0 * f64::EPSILON);
    if scale < LEAST_SCALE {
        return Err(PlanError::TooLittleNoise);
    }
    if scale > GREATEST_SCALE {
        return Err(PlanError::TooMuchNoise);
    }
    let (standard_deviation, error_95) = match mechanism {
        Mechanism::Laplace => spread::laplace(scale),
        Mechanism::Gaussian => spread::gaussian(scale),
    };
    Ok(Plan { mechanism, scale, rho, standard_deviation, error_95 })
}

/// Adds the planned noise to each value; negatives become 0.
///
/// `values` must have a cell for everything that could occur, whether or not anybody is in it: cells that exist because of the
/// data are not protected by noise. `i64`'s ends saturate.
///
/// No threshold is applied: noise protects a zero as well as any other number. Cutting negatives off is post-processing, which
/// costs nothing but lifts small cells a little on average, so sums over many released cells are too high. Show each figure
/// with the plan's standard deviation.
///
/// # Privacy
/// Charge both accounts first. Time taken depends on the noise drawn.
///
/// # Errors
/// Where no noise could be drawn. Nothing is released then, and the charge stays.
pub fn release(plan: &Plan, values: &[i64], sampler: &mut dyn Sampler) -> Result<Vec<i64>, SamplerError> {
    let noisy = match plan.mechanism {
        Mechanism::Laplace => sampler.laplace(values, plan.scale),
        Mechanism::Gaussian => sampler.gaussian(values, plan.scale),
    }?;
    if noisy.len() != values.len() {
        return Err(SamplerError::Length);
    }
    Ok(noisy.into_iter().map(|value| value.max(0)).collect())
}

/// Adds independent noise to each value of a vector. The seam for tests: [`OpenDp`] cannot be seeded.
pub trait Sampler {
    /// Discrete Laplace noise: `P(x)` is proportional to `exp(-|x| / scale)` over all whole numbers.
    ///
    /// # Errors
    /// See [`SamplerError`].
    fn laplace(&mut self, values: &[i64], scale: f64) -> Result<Vec<i64>, SamplerError>;

    /// Discrete Gaussian noise: `P(x)` is proportional to `exp(-x^2 / (2 scale^2))` over all whole numbers.
    ///
    /// # Errors
    /// See [`SamplerError`].
    fn gaussian(&mut self, values: &[i64], scale: f64) -> Result<Vec<i64>, SamplerError>;
}

/// Why no noise was drawn. Holds none of the values.
#[derive(Debug, Error)]
pub enum SamplerError {
    /// The scale is NaN, infinite, zero or negative, which would mean no noise.
    #[error("the scale of the noise must be a finite number above 0")]
    Scale,
    /// The sampler returned another number of values than it was given.
    #[error("the sampler returned a vector of another length")]
    Length,
    /// The library refused, or the operating system gave no randomness.
    #[error("no noise could be drawn")]
    Failed(#[source] Box<dyn Error + Send + Sync>),
}

/// The exact samplers of OpenDP, in rational arithmetic (Canonne, Kamath & Steinke 2020, algorithms 1 to 3). No floating point
/// touches a value.
///
/// Built without OpenSSL, the library draws from its own per-thread ChaCha20 generator, seeded by the operating system and
/// again after every 64 KiB. It does not read the operating system for each draw.
#[derive(Debug, Clone, Copy, Default)]
pub struct OpenDp;

impl Sampler for OpenDp {
    fn laplace(&mut self, values: &[i64], scale: f64) -> Result<Vec<i64>, SamplerError> {
        let scale = checked_scale(scale)?;
        laplace_measurement(scale).and_then(|noise| noise.invoke(&values.to_vec())).map_err(failed)
    }

    fn gaussian(&mut self, values: &[i64], scale: f64) -> Result<Vec<i64>, SamplerError> {
        let scale = checked_scale(scale)?;
        gaussian_measurement(scale).and_then(|noise| noise.invoke(&values.to_vec())).map_err(failed)
    }
}

type Numbers = VectorDomain<AtomDomain<i64>>;

fn laplace_measurement(scale: f64) -> Fallible<Measurement<Numbers, L1Distance<f64>, MaxDivergence, Vec<i64>>> {
    make_laplace(Numbers::default(), L1Distance::default(), scale, None)
}

fn gaussian_measurement(
    scale: f64,
) -> Fallible<Measurement<Numbers, L2Distance<f64>, ZeroConcentratedDivergence, Vec<i64>>> {
    make_gaussian(Numbers::default(), L2Distance::default(), scale, None)
}

/// The library takes a scale of 0 for no noise at all, so it is stopped here.
fn checked_scale(scale: f64) -> Result<f64, SamplerError> {
    if scale.is_finite() && scale > 0.0 { Ok(scale) } else { Err(SamplerError::Scale) }
}

fn failed(error: opendp::error::Error) -> SamplerError {
    SamplerError::Failed(Box::new(error))
}

/// The root of a whole number, rounded up.
fn sqrt_up(x: f64) -> f64 {
    let root = x.sqrt();
    // fused, so the sign of what is missing is exact
    if root.mul_add(root, -x) < 0.0 { root.next_up() } else { root }
}

/// A product of numbers that are not negative, rounded up.
fn product_up(a: f64, b: f64) -> f64 {
    let product = a * b;
    if a.mul_add(b, -product) > 0.0 { product.next_up() } else { product }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DRAWS: usize = 20_000;

    /// Adds the same number to each value and remembers what it was asked for.
    struct Fixed {
        noise: i64,
        asked: Vec<(Mechanism, f64)>,
    }

    impl Fixed {
        fn new(noise: i64) -> Self {
            Self { noise, asked: Vec::new() }
        }

        fn add(&mut self, mechanism: Mechanism, values: &[i64], scale: f64) -> Vec<i64> {
            self.asked.push((mechanism, scale));
            values.iter().map(|value| value.saturating_add(self.noise)).collect()
        }
    }

    impl Sampler for Fixed {
        fn laplace(&mut self, values: &[i64], scale: f64) -> Result<Vec<i64>, SamplerError> {
            Ok(self.add(Mechanism::Laplace, values, scale))
        }

        fn gaussian(&mut self, values: &[i64], scale: f64) -> Result<Vec<i64>, SamplerError> {
            Ok(self.add(Mechanism::Gaussian, values, scale))
        }
    }

    /// Loses a cell.
    struct Short;

    impl Sampler for Short {
        fn laplace(&mut self, values: &[i64], _: f64) -> Result<Vec<i64>, SamplerError> {
            Ok(values[1..].to_vec())
        }

        fn gaussian(&mut self, values: &[i64], scale: f64) -> Result<Vec<i64>, SamplerError> {
            self.laplace(values, scale)
        }
    }

    fn mechanisms() -> impl Strategy<Value = Mechanism> {
        prop_oneof![Just(Mechanism::Laplace), Just(Mechanism::Gaussian)]
    }

    fn sensitivities() -> impl Strategy<Value = Sensitivity> {
        (any::<bool>(), 1..1_000_u32, 1..200_u32).prop_map(|(counts, size, n)| {
            if counts { Sensitivity::counts(size) } else { Sensitivity::sum(size) }.times(n)
        })
    }

    /// From 10^-8 to 10^-1.2, where every plan of `sensitivities` has enough noise.
    fn rhos() -> impl Strategy<Value = f64> {
        (-8.0..-1.2_f64).prop_map(|power| 10_f64.powf(power))
    }

    /// rho of a planned release by the library's own map: exact rational arithmetic, rounded up.
    fn rho_by_library(plan: &Plan, sensitivity: Sensitivity) -> f64 {
        match plan.mechanism() {
            Mechanism::Gaussian => gaussian_measurement(plan.scale()).unwrap().map(&sensitivity.l2()).unwrap(),
            Mechanism::Laplace => {
                laplace_measurement(plan.scale()).unwrap().map(&sensitivity.l1()).unwrap().powi(2) / 2.0
            }
        }
    }

    proptest! {
        #[test]
        fn a_plan_costs_what_was_asked_and_not_more(mechanism in mechanisms(), sensitivity in sensitivities(), rho in rhos()) {
            let plan = plan(mechanism, sensitivity, rho).unwrap();
            let cost = rho_by_library(&plan, sensitivity);
            prop_assert!(cost <= rho, "{cost} > {rho}");
            prop_assert!(cost >= rho * (1.0 - 1e-14), "{cost} wastes {rho}");
            prop_assert_eq!(plan.rho(), rho);
            prop_assert_eq!(plan.charge(), Charge { rho });
        }

        #[test]
        fn a_smaller_rho_never_means_less_noise(
            mechanism in mechanisms(), sensitivity in sensitivities(), a in rhos(), b in rhos(),
        ) {
            let less = plan(mechanism, sensitivity, a.min(b)).unwrap();
            let more = plan(mechanism, sensitivity, a.max(b)).unwrap();
            prop_assert!(less.scale() >= more.scale());
            prop_assert!(less.standard_deviation() >= more.standard_deviation() * (1.0 - 1e-12));
            prop_assert!(less.error_95() >= more.error_95());
        }

        #[test]
        fn more_cells_never_mean_less_noise(mechanism in mechanisms(), cells in 1..500_u32, more in 0..500_u32, rho in rhos()) {
            let few = plan(mechanism, Sensitivity::counts(cells), rho).unwrap();
            let many = plan(mechanism, Sensitivity::counts(cells + more), rho).unwrap();
            prop_assert!(many.scale() >= few.scale());
        }

        #[test]
        fn the_euclidean_bound_is_never_above_the_sum(sensitivity in sensitivities()) {
            prop_assert!(sensitivity.l2() <= sensitivity.l1());
        }

        #[test]
        fn n_counts_of_one_cell_are_a_count_of_n_cells(n in 0..u32::MAX) {
            prop_assert_eq!(Sensitivity::counts(1).times(n), Sensitivity::counts(n));
        }

        #[test]
        fn roots_are_rounded_up(n in any::<u32>()) {
            let root = sqrt_up(f64::from(n));
            prop_assert!(root.mul_add(root, -f64::from(n)) >= 0.0);
            prop_assert!(root <= f64::from(n).sqrt().next_up());
        }

        #[test]
        fn a_release_has_every_cell_and_no_negative(
            mechanism in mechanisms(), values in proptest::collection::vec(0..10_000_i64, 0..50), noise in -5_000..5_000_i64,
        ) {
            let plan = plan(mechanism, Sensitivity::counts(1), 0.01).unwrap();
            let mut sampler = Fixed::new(noise);
            let released = release(&plan, &values, &mut sampler).unwrap();
            let expected: Vec<i64> = values.iter().map(|value| (value + noise).max(0)).collect();
            prop_assert_eq!(released, expected);
            prop_assert_eq!(sampler.asked, vec![(mechanism, plan.scale())]);
        }
    }

    #[test]
    fn published_formulas_hold() {
        // l2 = 1 and rho = 0.5 give sigma = 1; l1 = 1 and rho = 0.5 give epsilon = 1
        for mechanism in [Mechanism::Laplace, Mechanism::Gaussian] {
            let plan = plan(mechanism, Sensitivity::counts(1), 0.5).unwrap();
            assert!((plan.scale() - 1.0).abs() < 1e-14);
        }
        // 100 cells a person: Laplace pays for the sum, Gaussian for the root
        let cells = Sensitivity::counts(100);
        assert!((plan(Mechanism::Laplace, cells, 0.5).unwrap().scale() - 100.0).abs() < 1e-12);
        assert!((plan(Mechanism::Gaussian, cells, 0.5).unwrap().scale() - 10.0).abs() < 1e-12);
    }

    #[test]
    fn nonsense_is_not_planned() {
        let count = Sensitivity::counts(1);
        for rho in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, 0.0, -0.0] {
            assert_eq!(plan(Mechanism::Gaussian, count, rho), Err(PlanError::Rho));
        }
        for nothing in [Sensitivity::counts(0), Sensitivity::sum(0), count.times(0)] {
            assert_eq!(plan(Mechanism::Laplace, nothing, 0.1), Err(PlanError::Sensitivity));
        }
        let endless = (0..40).fold(Sensitivity::sum(u32::MAX), |so_far, _| so_far.times(u32::MAX));
        assert_eq!(plan(Mechanism::Laplace, endless, 0.1), Err(PlanError::Sensitivity));
        assert_eq!(plan(Mechanism::Gaussian, count, 9.0), Err(PlanError::TooLittleNoise));
        assert_eq!(plan(Mechanism::Gaussian, count, f64::MAX), Err(PlanError::TooLittleNoise));
        assert_eq!(plan(Mechanism::Gaussian, count, f64::MIN_POSITIVE), Err(PlanError::TooMuchNoise));
    }

    #[test]
    fn a_sampler_that_loses_a_cell_releases_nothing() {
        let plan = plan(Mechanism::Laplace, Sensitivity::counts(1), 0.1).unwrap();
        assert!(matches!(release(&plan, &[1, 2, 3], &mut Short), Err(SamplerError::Length)));
    }

    #[test]
    fn no_scale_means_no_answer() {
        for scale in [0.0, -0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(matches!(OpenDp.laplace(&[1], scale), Err(SamplerError::Scale)));
            assert!(matches!(OpenDp.gaussian(&[1], scale), Err(SamplerError::Scale)));
        }
    }

    #[test]
    fn the_ends_of_the_numbers_saturate() {
        for value in OpenDp.laplace(&[i64::MAX; 50], 100.0).unwrap() {
            assert!(value > i64::MAX - 100_000);
        }
    }

    /// Bounds are six standard errors and more: a chance failure is rarer than one in ten million runs.
    #[test]
    fn drawn_noise_has_the_planned_spread() {
        for (mechanism, rho) in [
            (Mechanism::Laplace, 2.0),
            (Mechanism::Laplace, 0.005),
            (Mechanism::Gaussian, 2.0),
            (Mechanism::Gaussian, 0.005),
        ] {
            let plan = plan(mechanism, Sensitivity::counts(1), rho).unwrap();
            let values = vec![1_000_000; DRAWS];
            let noise: Vec<f64> = release(&plan, &values, &mut OpenDp)
                .unwrap()
                .into_iter()
                .map(|value| f64::from(i32::try_from(value - 1_000_000).unwrap()))
                .collect();
            let n = f64::from(u32::try_from(DRAWS).unwrap());
            let mean = noise.iter().sum::<f64>() / n;
            let variance = noise.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
            let sigma = plan.standard_deviation();
            assert!(mean.abs() <= 6.0 * sigma / n.sqrt(), "{mechanism:?} {rho}: mean {mean}");
            assert!((variance / sigma.powi(2) - 1.0).abs() <= 0.1, "{mechanism:?} {rho}: variance {variance}, {sigma}");
            let outside = noise.iter().map(|x| f64::from(u8::from(x.abs() > plan.error_95()))).sum::<f64>() / n;
            assert!(outside <= 0.06, "{mechanism:?} {rho}: {outside} outside");
        }
    }
}

//! How long patients live: survival by cancer and country, and when deaths fall.

use rand::{Rng, rngs::StdRng};

use crate::{
    cancers::{Cancer, children},
    countries::Country,
    draw::{between, chance},
    mix::SHAPE,
    tumour::staging::Metastasis,
};

/// The odds of a country's patients.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Odds {
    /// Power on the survival of acute lymphoblastic leukaemia.
    all: f64,
    /// Power on the survival of all other cancers.
    others: f64,
    /// Share that dies in the first two months.
    early: f64,
}

/// Days of five years.
const FIVE_YEARS: f64 = 1826.0;

/// Mean days to death of those who die within five years: 59 % of them in the first year and 84 % in the first two, near the
/// published course in Argentina (S-ROHA2012: 23.8, 33.6 and 38.3 percent dead after one, two and three years).
const MEAN_DAYS: f64 = 420.0;

impl Odds {
    /// Set so that the mix of ages 0-14 has the survival of the country.
    pub(crate) fn of(country: &Country) -> Self {
        let early = if country.high_income_mix { 0.01 } else { 0.035 };
        let mix = mix(country);
        let is_all = |cancer: &Cancer| cancer.name.starts_with("all_");
        let mean = |of: &dyn Fn(&Cancer) -> bool, power: f64| -> (f64, f64) {
            mix.iter().filter(|(cancer, _)| of(cancer)).fold((0.0, 0.0), |(sum, weights), (cancer, weight)| {
                (sum + weight * (1.0 - early) * average(cancer, power), weights + weight)
            })
        };
        let target = country.survival_percent / 100.0;
        let Some(all_percent) = country.all_survival_percent else {
            let power = solve(target, |power| mean(&|_| true, power).0);
            return Self { all: power, others: power, early };
        };
        // abandonment counts as an event in the published figure: about nine tenths of it strikes the living
        let all_target = all_percent / 100.0 / (1.0 - 0.9 * country.abandonment_percent / 100.0);
        let all = solve(all_target, |power| {
            let (sum, weights) = mean(&is_all, power);
            sum / weights
        });
        let others = solve(target, |power| mean(&is_all, all).0 + mean(&|cancer| !is_all(cancer), power).0);
        Self { all, others, early }
    }

    /// Days from diagnosis to death, if it comes within ten years, and whether it is an early death.
    pub(crate) fn death(&self, cancer: &Cancer, metastatic: bool, rng: &mut StdRng) -> Option<(i64, bool)> {
        if chance(rng, self.early) {
            return Some((between(rng, 4, 58), true));
        }
        let power = if cancer.name.starts_with("all_") { self.all } else { self.others };
        if chance(rng, survival(cancer, metastatic, power)) {
            return chance(rng, 0.012).then(|| (between(rng, 1835, 3650), false));
        }
        let least = 1.0 - (-(FIVE_YEARS - 25.0) / MEAN_DAYS).exp();
        let days = -(1.0 - rng.random::<f64>() * least).ln() * MEAN_DAYS;
        Some((20 + days as i64, false))
    }
}

/// Survival at five years of those who outlive the first months.
fn survival(cancer: &Cancer, metastatic: bool, power: f64) -> f64 {
    cancer.survival.powf(power * if metastatic { 2.2 } else { 0.8 })
}

fn average(cancer: &Cancer, power: f64) -> f64 {
    let values = cancer.staging.values;
    let all: f64 = values.iter().map(|value| value.weight).sum();
    let far: f64 =
        values.iter().filter(|value| value.metastasis == Metastasis::Present).map(|value| value.weight).sum();
    let far = if all > 0.0 { far / all } else { 0.0 };
    far * survival(cancer, true, power) + (1.0 - far) * survival(cancer, false, power)
}

/// The cancers of ages 0-14 with their shares.
fn mix(country: &Country) -> Vec<(&'static Cancer, f64)> {
    let cancers = children();
    let mut shares = vec![0.0; cancers.len()];
    for (band, shape) in SHAPE.iter().enumerate().take(4) {
        for boy in [true, false] {
            let weights: Vec<_> =
                cancers.iter().map(|cancer| cancer.weight(band, boy, country.high_income_mix)).collect();
            let cases = country.person_years(band, boy) * shape / weights.iter().sum::<f64>();
            for (share, weight) in shares.iter_mut().zip(weights) {
                *share += cases * weight;
            }
        }
    }
    let all: f64 = shares.iter().sum();
    cancers.into_iter().zip(shares).map(|(cancer, share)| (cancer, share / all)).collect()
}

/// The power at which a falling function has the value given (bisection).
fn solve(target: f64, survival: impl Fn(f64) -> f64) -> f64 {
    let (mut low, mut high) = (0.0, 20.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if survival(middle) > target { low = middle } else { high = middle }
    }
    low
}

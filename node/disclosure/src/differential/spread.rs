//! How far discrete noise spreads: standard deviation, and a bound that holds for 95 % of draws.

/// Up to this sigma the moments of the discrete Gaussian are summed; above it they equal the continuous ones to every digit of
/// an `f64`.
const SUMMED_UP_TO: f64 = 20.0;

/// The 97.5 % point of the standard normal distribution, rounded up.
const NORMAL_97_5: f64 = 1.96;

/// Standard deviation and 95 % bound of the discrete Laplace distribution, in closed form.
///
/// With `q = exp(-1 / scale)`: `Var = 2 q / (1 - q)^2` and `P(|x| > m) = 2 q^(m + 1) / (1 + q)`.
pub(super) fn laplace(scale: f64) -> (f64, f64) {
    let q = (-1.0 / scale).exp();
    let complement = -(-1.0 / scale).exp_m1();
    let bound = (-scale * (0.025 * (1.0 + q)).ln()).ceil() - 1.0;
    ((2.0 * q).sqrt() / complement, bound.max(0.0))
}

/// Standard deviation and 95 % bound of the discrete Gaussian distribution.
pub(super) fn gaussian(sigma: f64) -> (f64, f64) {
    if sigma > SUMMED_UP_TO {
        return (sigma, (NORMAL_97_5 * sigma).ceil());
    }
    // 300 is beyond 15 sigma
    let weights: Vec<(f64, f64)> =
        (1..=300_u32).map(f64::from).map(|x| (x, 2.0 * (-0.5 * (x / sigma).powi(2)).exp())).collect();
    let total = 1.0 + weights.iter().map(|(_, weight)| weight).sum::<f64>();
    let squares: f64 = weights.iter().map(|(x, weight)| x * x * weight).sum();
    let (mut within, mut bound) = (1.0, 0.0);
    for (x, weight) in weights {
        if within >= 0.95 * total {
            break;
        }
        within += weight;
        bound = x;
    }
    ((squares / total).sqrt(), bound)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn closed_forms_agree_with_sums(is_laplace in any::<bool>(), scale in 0.25..60.0_f64) {
            let weight = |x: f64| if is_laplace { (-x.abs() / scale).exp() } else { (-0.5 * (x / scale).powi(2)).exp() };
            let (deviation, bound) = if is_laplace { laplace(scale) } else { gaussian(scale) };
            let all: Vec<f64> = (-3_000..=3_000).map(f64::from).collect();
            let total: f64 = all.iter().map(|x| weight(*x)).sum();
            let variance = all.iter().map(|x| x * x * weight(*x)).sum::<f64>() / total;
            prop_assert!((deviation - variance.sqrt()).abs() <= 1e-9 * (1.0 + scale), "{deviation} {}", variance.sqrt());
            let outside = |m: f64| all.iter().filter(|x| x.abs() > m).map(|x| weight(*x)).sum::<f64>() / total;
            prop_assert!(outside(bound) <= 0.05 + 1e-12);
            // not more than one above the least such bound
            prop_assert!(bound < 2.0 || outside(bound - 2.0) > 0.05);
        }
    }
}

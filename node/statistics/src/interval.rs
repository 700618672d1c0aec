//! Confidence intervals shared by the statistics.

/// The 97.5 % point of the standard normal distribution: intervals here are 95 % and two-sided.
pub const Z95: f64 = 1.959_963_984_540_054;

/// A point with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// Point.
    pub value: f64,
    /// Lower limit.
    pub lower: f64,
    /// Upper limit.
    pub upper: f64,
}

/// Share of `numerator` in `denominator` with the score interval of Wilson (1927), J. Am. Stat. Assoc. 22:209-212; `None` if
/// there is no denominator or the numerator exceeds it.
#[must_use]
pub fn wilson(numerator: u64, denominator: u64) -> Option<Estimate> {
    if denominator == 0 || numerator > denominator {
        return None;
    }
    let (x, n) = (numerator as f64, denominator as f64);
    let p = x / n;
    let z2 = Z95 * Z95;
    let centre = (p + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = Z95 / (1.0 + z2 / n) * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    Some(Estimate { value: p, lower: (centre - half).max(0.0), upper: (centre + half).min(1.0) })
}

/// Limits of a survival probability on the log(-log) scale (Kalbfleisch & Prentice 1980, section 1.3): `S^exp(-+z se / (S ln S))`
/// written with the standard error `se` of S. `None` at S = 0 and S = 1, where it is undefined.
#[must_use]
pub fn log_log(survival: f64, standard_error: f64) -> Option<(f64, f64)> {
    if !(survival > 0.0 && survival < 1.0) {
        return None;
    }
    let theta = Z95 * standard_error / (survival * survival.ln().abs());
    Some((survival.powf(theta.exp()), survival.powf((-theta).exp())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilson_equals_the_published_example() {
        // Newcombe (1998), Stat. Med. 17:857-872, table I, method 3: 81/263 -> 0.2553 to 0.3662; 0/20 -> 0 to 0.1611.
        let share = wilson(81, 263).unwrap();
        assert!((share.lower - 0.2553).abs() < 5e-5 && (share.upper - 0.3662).abs() < 5e-5);
        let none = wilson(0, 20).unwrap();
        assert!(none.lower.abs() < 1e-12 && (none.upper - 0.1611).abs() < 5e-5);
        assert_eq!(wilson(1, 0), None);
        assert_eq!(wilson(2, 1), None);
    }

    #[test]
    fn the_log_log_limits_are_undefined_at_the_ends() {
        assert_eq!(log_log(1.0, 0.0), None);
        assert_eq!(log_log(0.0, 0.1), None);
    }
}

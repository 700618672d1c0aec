//! The log-rank test between groups, from pooled life tables by month.
//!
//! Mantel (1966), Cancer Chemother. Rep. 50:163-170; variance from the multivariate hypergeometric distribution (Kalbfleisch &
//! Prentice 1980, eq. 1.20). It equals R's `survdiff` on times rounded up to months.

use nalgebra::{DMatrix, DVector};
use statrs::distribution::{ChiSquared, ContinuousCDF};

use crate::survival::PooledMonth;

/// The result of the test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogRank {
    /// Test statistic.
    pub chi_squared: f64,
    /// Degrees of freedom: groups with anybody at risk, less one.
    pub degrees_of_freedom: usize,
    /// Upper tail probability.
    pub p: f64,
}

/// Compares the groups over the months that the curves of all of them cover; `None` for fewer than two groups or no event.
#[must_use]
pub fn log_rank(groups: &[Vec<PooledMonth>]) -> Option<LogRank> {
    let groups: Vec<&Vec<PooledMonth>> = groups.iter().filter(|group| !group.is_empty()).collect();
    let months = groups.iter().map(|group| group.len()).min()?;
    let last = groups.len().checked_sub(1).filter(|last| *last > 0)?;
    let mut difference = DVector::<f64>::zeros(last);
    let mut variance = DMatrix::<f64>::zeros(last, last);
    for row in 0..months {
        let events: f64 = groups.iter().map(|group| group[row].events).sum();
        let at_risk: f64 = groups.iter().map(|group| group[row].at_risk).sum();
        if events <= 0.0 || at_risk <= 1.0 {
            continue;
        }
        let spread = events * (at_risk - events) / (at_risk - 1.0);
        for i in 0..last {
            let share = groups[i][row].at_risk / at_risk;
            difference[i] += groups[i][row].events - events * share;
            for j in 0..last {
                let other = groups[j][row].at_risk / at_risk;
                variance[(i, j)] += spread * share * (f64::from(u8::from(i == j)) - other);
            }
        }
    }
    let chi_squared = difference.dot(&variance.cholesky()?.solve(&difference));
    let p = ChiSquared::new(last as f64).ok()?.sf(chi_squared);
    Some(LogRank { chi_squared, degrees_of_freedom: last, p })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &[(u16, f64, f64)]) -> Vec<PooledMonth> {
        rows.iter().map(|&(month, at_risk, events)| PooledMonth { month, at_risk, events, countries: 1 }).collect()
    }

    #[test]
    fn equal_groups_do_not_differ() {
        let group = table(&[(1, 100.0, 5.0), (2, 90.0, 4.0)]);
        let test = log_rank(&[group.clone(), group]).unwrap();
        assert!(test.chi_squared.abs() < 1e-12 && (test.p - 1.0).abs() < 1e-9);
    }

    #[test]
    fn two_groups_equal_the_formula_by_hand() {
        // one month: 2 of 10 against 6 of 10; O - E = -2, V = 8 * 12/19 * 1/4
        let test = log_rank(&[table(&[(1, 10.0, 2.0)]), table(&[(1, 10.0, 6.0)])]).unwrap();
        assert!((test.chi_squared - 4.0 / (8.0 * 12.0 / 19.0 / 4.0)).abs() < 1e-12);
        assert_eq!(test.degrees_of_freedom, 1);
    }

    #[test]
    fn the_order_of_groups_does_not_matter() {
        let groups = [
            table(&[(1, 50.0, 5.0), (2, 40.0, 1.0)]),
            table(&[(1, 30.0, 9.0), (2, 20.0, 3.0)]),
            table(&[(1, 70.0, 2.0), (2, 66.0, 2.0)]),
        ];
        let forward = log_rank(&groups).unwrap();
        let backward = log_rank(&[groups[2].clone(), groups[0].clone(), groups[1].clone()]).unwrap();
        assert!((forward.chi_squared - backward.chi_squared).abs() < 1e-9);
    }

    #[test]
    fn one_group_or_no_event_is_no_test() {
        assert_eq!(log_rank(&[table(&[(1, 10.0, 2.0)])]), None);
        assert_eq!(log_rank(&[table(&[(1, 10.0, 0.0)]), table(&[(1, 10.0, 0.0)])]), None);
    }
}

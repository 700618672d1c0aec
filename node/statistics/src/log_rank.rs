//! The log-rank test between groups, from pooled life tables.
//!
//! Mantel (1966), Cancer Chemother. Rep. 50:163-170; variance from the multivariate hypergeometric distribution (Kalbfleisch &
//! Prentice 1980, eq. 1.20). From life tables it equals the test on times rounded up to the cuts.

use nalgebra::{DMatrix, DVector};
use statrs::distribution::{ChiSquared, ContinuousCDF};

use crate::survival::PooledInterval;

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

/// Compares the groups on the cuts that all of them have; `None` for fewer than two groups or no event.
#[must_use]
pub fn log_rank(groups: &[Vec<PooledInterval>]) -> Option<LogRank> {
    let groups: Vec<&Vec<PooledInterval>> = groups.iter().filter(|group| !group.is_empty()).collect();
    let mut cuts: Vec<u16> = groups.first()?.iter().map(|interval| interval.to_month).collect();
    cuts.retain(|cut| groups.iter().all(|group| group.iter().any(|interval| interval.to_month == *cut)));
    let tables: Vec<Vec<(f64, f64)>> = groups.iter().map(|group| coarsen(group, &cuts)).collect();

    let last = groups.len().checked_sub(1).filter(|last| *last > 0)?;
    let mut difference = DVector::<f64>::zeros(last);
    let mut variance = DMatrix::<f64>::zeros(last, last);
    for row in 0..cuts.len() {
        let events: f64 = tables.iter().map(|table| table[row].0).sum();
        let at_risk: f64 = tables.iter().map(|table| table[row].1).sum();
        if events <= 0.0 || at_risk <= 1.0 {
            continue;
        }
        let spread = events * (at_risk - events) / (at_risk - 1.0);
        for i in 0..last {
            let share = tables[i][row].1 / at_risk;
            difference[i] += tables[i][row].0 - events * share;
            for j in 0..last {
                let other = tables[j][row].1 / at_risk;
                variance[(i, j)] += spread * share * (f64::from(u8::from(i == j)) - other);
            }
        }
    }
    let chi_squared = difference.dot(&variance.cholesky()?.solve(&difference));
    let p = ChiSquared::new(last as f64).ok()?.sf(chi_squared);
    Some(LogRank { chi_squared, degrees_of_freedom: last, p })
}

/// Events and number at risk between `cuts`; an interval made of several has the effective number at risk of their product.
fn coarsen(group: &[PooledInterval], cuts: &[u16]) -> Vec<(f64, f64)> {
    let mut rest = group;
    cuts.iter()
        .map(|cut| {
            let end = rest.partition_point(|interval| interval.to_month <= *cut);
            let (inside, later) = rest.split_at(end);
            rest = later;
            let events: f64 = inside.iter().map(|interval| interval.events).sum();
            let factor: f64 = inside.iter().map(|interval| 1.0 - interval.events / interval.at_risk).product();
            match inside {
                [one] => (one.events, one.at_risk),
                _ if factor < 1.0 => (events, events / (1.0 - factor)),
                _ => (events, inside.iter().map(|interval| interval.at_risk).sum::<f64>() / inside.len().max(1) as f64),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &[(u16, f64, f64)]) -> Vec<PooledInterval> {
        let mut from_month = 0;
        rows.iter()
            .map(|&(to_month, at_risk, events)| {
                let interval = PooledInterval { from_month, to_month, at_risk, events, countries: 1 };
                from_month = to_month;
                interval
            })
            .collect()
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

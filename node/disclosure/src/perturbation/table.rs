//! Perturbation tables: for each true count the distribution of the count that is published.
//!
//! A row is the distribution of greatest entropy with the true count as its mean, the variance that was asked for,
//! bounded deviation and no mass on 1 to threshold - 1 (Marley & Leaver 2011; Giessing 2016). Fraser & Wooton (2005)
//! and Thompson, Broadfoot & Elazar (2013) describe the method around it.

use crate::perturbation::maximum_entropy;

/// Greatest bound that is accepted; rows and their number grow with it.
const MOST_BOUND: u32 = 1000;
/// Below this, less than one count in a million would be changed.
const LEAST_VARIANCE: f64 = 1e-6;
/// The whole range of a uniform draw.
const WHOLE: u128 = 1 << 64;
/// Nought is made likelier by this for each unit of threshold, 2^-44 of the whole, so that rounding cannot turn the
/// order of [`PerturbationTable`] round: inversions by rounding stay a hundred times below it. It moves the mean by
/// less than 1e-6 at the widest.
const ORDERING: u128 = 1 << 20;

/// How much a count is perturbed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Noise {
    /// Greatest difference between a published and a true count; persons, threshold to 1000.
    pub bound: u32,
    /// Variance of the published count about the true one; persons squared, 1e-6 to below `bound` squared. Above `bound
    /// (bound + 1) / 3`, the variance of equal probabilities, great deviations become likelier than small ones.
    pub variance: f64,
}

/// Why there is no table for a noise and a threshold.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum TableError {
    /// Every count, one person too, would be shown.
    #[error(
        "the threshold is 0: set it to 1 or more, so that an empty cell and a cell of one person can be told from a number"
    )]
    NoThreshold,
    /// A true count near half the threshold could reach neither 0 nor the threshold.
    #[error(
        "the bound {bound} of the noise is below the threshold {threshold}: raise the bound to {threshold} or more, or lower the threshold"
    )]
    BoundBelowThreshold {
        /// The bound that was asked for.
        bound: u32,
        /// The threshold.
        threshold: u32,
    },
    /// The table would be too large to be of use.
    #[error(
        "the bound {bound} of the noise is above {MOST_BOUND}: lower it; a few standard deviations of the noise are enough"
    )]
    BoundTooWide {
        /// The bound that was asked for.
        bound: u32,
    },
    /// There would be no noise, or the variance is not a number.
    #[error(
        "the variance {variance} of the noise is not a number of at least {LEAST_VARIANCE}: raise it, to 1 or more for noise that protects"
    )]
    NoVariance {
        /// The variance that was asked for.
        variance: f64,
    },
    /// The bound does not allow for so much variance.
    #[error(
        "the variance {variance} of the noise cannot be had within the bound {bound}: lower it below {bound} x {bound}, or raise the bound"
    )]
    VarianceTooGreat {
        /// The variance that was asked for.
        variance: f64,
        /// The bound.
        bound: u32,
    },
    /// The numeric search of a row did not settle; not seen for any noise within the limits.
    #[error("no distribution was found for the true count {count}: change the variance of the noise a little")]
    Unsolved {
        /// True count of the row.
        count: u32,
    },
}

/// The distribution of the published count for every true count.
///
/// The row of the true count `n` is over `J(n) = { j : |j - n| <= bound, and j = 0 or j >= threshold }`, with mean `n`.
/// Nought stays nought. Its variance is the one asked for, or the nearest that `J(n)` allows for with mean `n`:
/// - at least `n (threshold - n)` for `0 < n < threshold`, had by 0 and the threshold alone;
/// - at most `n bound` for `n <= bound`, and `(n - threshold) bound` for `bound < n < threshold + bound`, had by both
///   ends alone.
///
/// From `n = threshold + bound` all rows are one and symmetric. Counts from the threshold on have the whole variance if
/// neither `threshold bound` nor `(bound + 1 - threshold) bound` is below it; a bound far above the threshold serves
/// best.
///
/// **A tighter threshold never shows more**: published counts lie along the draw in increasing order, nought first; and
/// for every count at or over both of two thresholds nought is the likelier under the greater one. (Both rows can have
/// the same variances, 0 to `n bound`, and so have the same moments. Their difference, greater less smaller threshold,
/// has zero total, mean and second moment, and so changes its sign three times or more. Where only the smaller
/// threshold has mass it is negative; elsewhere it has the sign of a quadratic, which changes twice at most. Were it
/// negative at nought too, two changes would be all; so it is positive there.)
pub struct PerturbationTable {
    /// By true count, from 0 to threshold + bound; later counts share the last.
    rows: Vec<Vec<Entry>>,
}

/// One published count of a row.
#[derive(Clone, Copy)]
struct Entry {
    /// Published less true count.
    deviation: i64,
    /// The last draw that gives this count; the first follows on the entry before.
    last: u64,
}

impl PerturbationTable {
    /// Solves all rows. Under a millisecond for bounds up to 50 and under a second for 1000, optimised.
    ///
    /// # Errors
    /// If the threshold or the noise is outside its range, or the bound is below the threshold.
    pub fn solve(noise: Noise, threshold: u32) -> Result<Self, TableError> {
        let Noise { bound, variance } = noise;
        if threshold == 0 {
            return Err(TableError::NoThreshold);
        }
        if bound > MOST_BOUND {
            return Err(TableError::BoundTooWide { bound });
        }
        if bound < threshold {
            return Err(TableError::BoundBelowThreshold { bound, threshold });
        }
        if !variance.is_finite() || variance < LEAST_VARIANCE {
            return Err(TableError::NoVariance { variance });
        }
        if variance >= f64::from(bound).powi(2) {
            return Err(TableError::VarianceTooGreat { variance, bound });
        }
        let row = |count| row(count, noise, threshold).ok_or(TableError::Unsolved { count });
        Ok(Self { rows: (0..=threshold + bound).map(row).collect::<Result<_, _>>()? })
    }

    /// The published count of the true count `n` for a draw that is uniform over all of `u64`.
    ///
    /// 0 or at least the threshold; at most the bound away from `n`; never less for a greater draw.
    #[must_use]
    pub fn perturb(&self, n: u64, uniform: u64) -> u64 {
        let row = self.entries(n);
        let at = row.partition_point(|entry| entry.last < uniform);
        // the last entry ends with the last draw there is
        row.get(at).map_or(0, |entry| n.saturating_add_signed(entry.deviation))
    }

    /// The deviations (published less true count) that the true count `n` can have, increasing, each with its
    /// probability.
    ///
    /// These are the probabilities in use, in units of 2^-64 and above zero.
    pub fn row(&self, n: u64) -> impl Iterator<Item = (i64, f64)> + '_ {
        let entries = self.entries(n);
        let starts = std::iter::once(0).chain(entries.iter().map(|entry| u128::from(entry.last) + 1));
        entries.iter().zip(starts).map(|(entry, start)| {
            let draws = u128::from(entry.last) + 1 - start;
            (entry.deviation, draws as f64 / WHOLE as f64)
        })
    }

    fn entries(&self, n: u64) -> &[Entry] {
        let at = usize::try_from(n).unwrap_or(usize::MAX).min(self.rows.len() - 1);
        &self.rows[at]
    }
}

/// The row of one true count; `None` if its distribution is not found.
fn row(count: u32, noise: Noise, threshold: u32) -> Option<Vec<Entry>> {
    if count == 0 {
        return Some(vec![Entry { deviation: 0, last: u64::MAX }]);
    }
    let deviations = support(count, noise.bound, threshold);
    let probabilities = maximum_entropy::probabilities(&deviations, noise.variance)?;
    let mut draws = whole_draws(&probabilities);
    if (threshold..=noise.bound).contains(&count) {
        let ordering = ORDERING * u128::from(threshold);
        if let [nought, others @ ..] = draws.as_mut_slice()
            && let Some(likeliest) = others.iter_mut().max()
        {
            *nought += ordering;
            *likeliest = likeliest.saturating_sub(ordering);
        }
    }
    let mut end = 0_u128;
    let mut entries = Vec::with_capacity(draws.len());
    for (deviation, draws) in deviations.into_iter().zip(draws).filter(|(_, draws)| *draws > 0) {
        end += draws;
        entries.push(Entry { deviation, last: u64::try_from(end - 1).ok()? });
    }
    Some(entries)
}

/// `J(n)` less `n`, increasing.
fn support(count: u32, bound: u32, threshold: u32) -> Vec<i64> {
    let nought = (count <= bound).then_some(0);
    let shown = threshold.max(count.saturating_sub(bound))..=count + bound;
    nought.into_iter().chain(shown).map(|published| i64::from(published) - i64::from(count)).collect()
}

/// Numbers of draws that sum to 2^64; the rounding, some thousand draws at most, goes to the likeliest.
fn whole_draws(probabilities: &[f64]) -> Vec<u128> {
    let mut draws: Vec<u128> = probabilities.iter().map(|share| (share * WHOLE as f64).round() as u128).collect();
    let total: u128 = draws.iter().sum();
    if let Some(likeliest) = draws.iter_mut().max() {
        *likeliest = (*likeliest + WHOLE).saturating_sub(total);
    }
    draws
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::perturbation::cell_key::{NoiseKey, Purpose};
    use proptest::prelude::*;

    /// Noise that a table accepts, from almost none to almost all at the bound, with its threshold.
    fn accepted() -> impl Strategy<Value = (Noise, u32)> {
        (1_u32..=25).prop_flat_map(|bound| {
            let most = f64::from(bound * bound);
            let variance = prop_oneof![
                (LEAST_VARIANCE.ln()..most.ln()).prop_map(f64::exp),
                (0.05..0.999).prop_map(move |share| share * most),
            ];
            (variance.prop_map(move |variance| Noise { bound, variance }), 1..=bound)
        })
    }

    fn moments(row: &[(i64, f64)]) -> (f64, f64) {
        let expect = |power| row.iter().map(|(at, share)| share * (*at as f64).powi(power)).sum::<f64>();
        (expect(1), expect(2))
    }

    /// Least and greatest variance with mean `n` over the support, from its definition.
    fn feasible(count: u32, bound: u32, threshold: u32) -> (f64, f64) {
        let support = support(count, bound, threshold);
        let products = |pick: fn(f64, f64) -> f64, from: f64| {
            support
                .iter()
                .filter(|at| **at <= 0)
                .flat_map(|low| support.iter().filter(|at| **at >= 0).map(move |high| (-low * high) as f64))
                .fold(from, pick)
        };
        (products(f64::min, f64::INFINITY), products(f64::max, 0.0))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn rows_keep_mean_variance_and_support((noise, threshold) in accepted()) {
            let table = PerturbationTable::solve(noise, threshold).unwrap();
            for count in 1..=noise.bound + threshold + 3 {
                let row: Vec<_> = table.row(count.into()).collect();
                let (mean, second) = moments(&row);
                prop_assert!(mean.abs() < 1e-9, "{count}: mean {mean}");
                let (least, most) = feasible(count, noise.bound, threshold);
                let wanted = noise.variance.clamp(least, most);
                prop_assert!((second - wanted).abs() < 1e-6 * wanted.max(1.0), "{count}: {second} for {wanted}");
                prop_assert!((row.iter().map(|(_, share)| share).sum::<f64>() - 1.0).abs() < 1e-12);
                prop_assert!(row.is_sorted_by(|a, b| a.0 < b.0));
                for (deviation, share) in row {
                    let published = i64::from(count) + deviation;
                    prop_assert!(published == 0 || published >= i64::from(threshold));
                    prop_assert!(deviation.unsigned_abs() <= u64::from(noise.bound));
                    prop_assert!(share > 0.0);
                }
            }
        }

        #[test]
        fn draws_are_increasing_and_fill_the_range((noise, threshold) in accepted()) {
            let table = PerturbationTable::solve(noise, threshold).unwrap();
            for row in &table.rows {
                prop_assert!(row.is_sorted_by(|a, b| a.last < b.last && a.deviation < b.deviation));
                prop_assert_eq!(row.last().unwrap().last, u64::MAX);
            }
        }

        #[test]
        fn no_other_distribution_with_the_same_moments_has_more_entropy(
            (bound, threshold) in (3_u32..=25).prop_flat_map(|bound| (Just(bound), 1..=bound)),
            share in 0.2_f64..3.0,
            direction in prop::collection::vec(-1.0..1.0, 80),
            pick in any::<prop::sample::Index>(),
        ) {
            let noise = Noise { bound, variance: f64::from(bound) * share };
            let count = 1 + u32::try_from(pick.index(usize::try_from(threshold + noise.bound).unwrap())).unwrap();
            let deviations = support(count, noise.bound, threshold);
            let shares = maximum_entropy::probabilities(&deviations, noise.variance).unwrap();
            // a move that leaves total, mean and second moment alone: residual of the direction, weighted by the shares so
            // that it stays feasible, on 1, x and x^2
            let x: Vec<f64> = deviations.iter().map(|at| *at as f64 / f64::from(noise.bound)).collect();
            let mut basis: Vec<Vec<f64>> = Vec::new();
            let inner = |a: &[f64], b: &[f64]| -> f64 { shares.iter().zip(a.iter().zip(b)).map(|(p, (a, b))| p * a * b).sum() };
            let mut rest = direction[..x.len()].to_vec();
            for power in 0..3 {
                let mut column: Vec<f64> = x.iter().map(|x| x.powi(power)).collect();
                for _ in 0..2 {
                    for earlier in &basis {
                        let along = inner(&column, earlier);
                        column.iter_mut().zip(earlier).for_each(|(c, e)| *c -= along * e);
                    }
                }
                let norm = inner(&column, &column).sqrt();
                prop_assume!(norm > 1e-5);
                column.iter_mut().for_each(|c| *c /= norm);
                basis.push(column);
            }
            for _ in 0..2 {
                for earlier in &basis {
                    let along = inner(&rest, earlier);
                    rest.iter_mut().zip(earlier).for_each(|(r, e)| *r -= along * e);
                }
            }
            let size = rest.iter().fold(0.0_f64, |most, r| most.max(r.abs()));
            // three points leave no freedom
            prop_assume!(size > 1e-6 && inner(&rest, &rest) > 1e-8 * size * size);
            let entropy = |shares: &[f64]| -> f64 { shares.iter().filter(|p| **p > 0.0).map(|p| -p * p.ln()).sum() };
            for step in [0.02, -0.02, 0.5, -0.5] {
                let moved: Vec<f64> = shares.iter().zip(&rest).map(|(p, r)| p * (1.0 + step * r / size)).collect();
                prop_assert!(entropy(&moved) < entropy(&shares));
            }
        }

        #[test]
        fn a_tighter_threshold_gives_nought_no_less_often((noise, threshold) in accepted()) {
            let tables: Vec<_> = (1..=threshold).map(|k| PerturbationTable::solve(noise, k).unwrap()).collect();
            // the last draw that gives nought, or none
            let nought = |table: &PerturbationTable, count: usize| {
                let first = table.rows[count][0];
                (u32::try_from(-first.deviation) == u32::try_from(count)).then_some(first.last)
            };
            for (tighter, k) in tables.iter().zip(1_usize..) {
                for looser in &tables[..k - 1] {
                    for count in k..=usize::try_from(noise.bound).unwrap() {
                        prop_assert!(nought(looser, count) < nought(tighter, count), "{count} under {k}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_widest_table_keeps_its_moments() {
        let noise = Noise { bound: 1000, variance: 900.0 };
        for count in [1, 2, 499, 999, 1000, 1001, 1500, 1999, 2000] {
            let entries = row(count, noise, 1000).unwrap();
            let table = PerturbationTable { rows: vec![entries] };
            let (mean, second) = moments(&table.row(0).collect::<Vec<_>>());
            let (least, most) = feasible(count, 1000, 1000);
            assert!(mean.abs() < 1e-6, "{count} {mean}");
            let wanted = noise.variance.clamp(least, most);
            assert!((second / wanted - 1.0).abs() < 1e-6, "{count} {second} {wanted}");
        }
    }

    #[test]
    fn large_counts_share_one_symmetric_row() {
        let table = PerturbationTable::solve(Noise { bound: 8, variance: 4.0 }, 5).unwrap();
        let last: Vec<_> = table.row(13).collect();
        assert_eq!(last.len(), 17);
        for (left, right) in last.iter().zip(last.iter().rev()) {
            assert_eq!(left.0, -right.0);
            assert!((left.1 - right.1).abs() < 1e-12);
        }
        assert_eq!(table.row(u64::MAX).collect::<Vec<_>>(), last);
        assert_eq!(table.perturb(1 << 40, u64::MAX), (1 << 40) + 8);
        assert_eq!(table.perturb(u64::MAX, u64::MAX), u64::MAX);
    }

    #[test]
    fn nought_stays_nought() {
        let table = PerturbationTable::solve(Noise { bound: 8, variance: 4.0 }, 5).unwrap();
        assert_eq!(table.row(0).collect::<Vec<_>>(), [(0, 1.0)]);
        assert_eq!([0, 1 << 63, u64::MAX].map(|draw| table.perturb(0, draw)), [0; 3]);
    }

    #[test]
    fn counts_below_the_threshold_have_the_two_nearest_when_the_variance_is_too_small_for_them() {
        let table = PerturbationTable::solve(Noise { bound: 10, variance: 2.0 }, 10).unwrap();
        assert_eq!(table.row(5).collect::<Vec<_>>(), [(-5, 0.5), (5, 0.5)]);
    }

    #[test]
    fn hashed_keys_give_the_frequencies_of_the_row() {
        const DRAWS: u32 = 200_000;
        let table = PerturbationTable::solve(Noise { bound: 8, variance: 4.0 }, 5).unwrap();
        let key = NoiseKey::new([7; 32]);
        for count in [2_u64, 6, 40] {
            let mut seen = std::collections::BTreeMap::<u64, u32>::new();
            for sum in 0..u64::from(DRAWS) {
                // sums that follow one another, the hardest for a hash
                *seen.entry(table.perturb(count, key.uniform(Purpose::Persons, (count << 40) + sum))).or_default() += 1;
            }
            for (deviation, share) in table.row(count) {
                let published = count.saturating_add_signed(deviation);
                let times = f64::from(seen.remove(&published).unwrap_or(0));
                let (mean, spread) = (share * f64::from(DRAWS), (share * (1.0 - share) * f64::from(DRAWS)).sqrt());
                assert!((times - mean).abs() < 4.5 * spread + 1.0, "{count} {deviation}: {times} for {mean}");
            }
            assert!(seen.is_empty(), "a published count that the row does not hold");
        }
    }

    #[test]
    fn what_is_out_of_range_is_refused_and_the_message_says_what_to_do() {
        let solve = |bound, variance, threshold| PerturbationTable::solve(Noise { bound, variance }, threshold).err();
        assert_eq!(solve(5, 2.0, 0), Some(TableError::NoThreshold));
        assert_eq!(solve(4, 2.0, 5), Some(TableError::BoundBelowThreshold { bound: 4, threshold: 5 }));
        assert_eq!(solve(1001, 2.0, 5), Some(TableError::BoundTooWide { bound: 1001 }));
        assert_eq!(solve(5, 0.0, 5), Some(TableError::NoVariance { variance: 0.0 }));
        assert!(matches!(solve(5, f64::NAN, 5), Some(TableError::NoVariance { .. })));
        assert_eq!(solve(5, 25.0, 5), Some(TableError::VarianceTooGreat { variance: 25.0, bound: 5 }));
        assert_eq!(solve(5, 24.9, 5), None);
        let message = TableError::BoundBelowThreshold { bound: 4, threshold: 5 }.to_string();
        assert!(message.contains("raise the bound to 5"), "{message}");
    }
}

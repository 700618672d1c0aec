//! Cell-key perturbation: noise that belongs to a set of persons, not to a question.
//!
//! Every person has a secret random record key. The sum of the keys in a cell, hashed under the node's secret, picks
//! the noise from a table, so the same persons always get the same noise, however and how often they are asked for
//! (Fraser & Wooton 2005; Thompson, Broadfoot & Elazar 2013, ABS TableBuilder; the method of the census of 2021 at the
//! ONS). Here the table comes from maximum entropy (Marley & Leaver 2011; Giessing 2016) and the key is hashed first.
//!
//! # Privacy
//! What an observer can learn, taken that noise, thresholds and this code are public and only the keys are secret:
//! - **A number** `j` says that the true count lies within `bound` of `j`. **A band** says that it lies in `0..high`
//!   and no more: empty cells, cells below the threshold and those perturbed to nought look alike.
//! - **Asking again** gives nothing: same set, same noise.
//! - **Averaging over partitions**: different sets have independent noise. A total can also be had by adding `m`
//!   disjoint parts, with variance `m V`; so `r` unrelated partitions into `m` parts give it with variance `m V / r`.
//!   Likewise a set `A` is `(A or B) - B` for any disjoint `B`: each `B` gives a guess with variance `2 V`, and `r` of
//!   them a mean with variance `2 V / r`. With `V = 4` thirty-two such pairs give it with a standard deviation of half
//!   a person. A cell that shows a band is no safer against this than one that shows a number. No table can prevent it,
//!   only make it dear (Asghar & Kaafar 2020): hence the quotas on questions, and no promise beyond them.
//! - **Bounds**: each number confines the truth to `2 bound + 1` values; many overlapping sets confine it further by
//!   linear programming. More bound at the same variance works against it.
//! - **Two thresholds, or two tables over one set** (persons and events) use the same draw. They are not independent
//!   and do not average, but the pair may say more about a count near the thresholds than either alone; a set that is
//!   below the threshold of persons and is shown as events has the protection of the events' threshold only.
//! - **Sums** hide the largest contributor only; who knows every other value of the cell learns the largest to within
//!   its noise.
//!
//! Conditional on being shown, a number just over the threshold is too high on average, since the draws of nought are
//! gone.

pub mod cell_key;
pub mod life_table;
mod maximum_entropy;
pub mod table;

use crate::perturbation::cell_key::{NoiseKey, Purpose};
use crate::perturbation::table::{Noise, PerturbationTable, TableError};

/// Half of a draw of 64 bits, as a number of values.
const HALF: u64 = 1 << 32;

/// A node's perturbation of counts, life tables and sums.
///
/// # Privacy
/// Holds the key of all noise; it has no `Debug`.
pub struct Perturbation {
    persons: PerturbationTable,
    events: PerturbationTable,
    key: NoiseKey,
    noise: Noise,
    least_shown: u64,
    high: u64,
}

/// What is shown of a count of persons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// A perturbed number of persons, at least the threshold.
    Number(u64),
    /// The true count is 0 to `high`; nothing more is said.
    Band {
        /// The same for every band of one policy.
        high: u64,
    },
}

impl Perturbation {
    /// Solves the two tables: groups of persons under the threshold `persons`, and events or withdrawn of an interval
    /// under `events`. Where `events` is above the bound of the noise, the table of events uses it as bound.
    ///
    /// # Errors
    /// As [`PerturbationTable::solve`], for either table.
    pub fn new(noise: Noise, persons: u32, events: u32, key: NoiseKey) -> Result<Self, TableError> {
        let wider = Noise { bound: noise.bound.max(events), ..noise };
        Ok(Self {
            persons: PerturbationTable::solve(noise, persons)?,
            events: PerturbationTable::solve(wider, events)?,
            key,
            noise,
            least_shown: persons.into(),
            high: noise.bound.max(persons.saturating_sub(1)).into(),
        })
    }

    /// The same noise for a tier that shows no count below `least`: a number is the same in every tier that shows it, so that asking
    /// in two of them tells nothing more than asking in the one with the smaller threshold.
    #[must_use]
    pub fn showing_from(mut self, least: u32) -> Self {
        let least = u64::from(least);
        if least > self.least_shown {
            self.least_shown = least;
            self.high = least - 1 + u64::from(self.noise.bound);
        }
        self
    }

    /// What is shown of a group of `persons` whose record keys sum to `key_sum` (modulo 2^64).
    ///
    /// # Privacy
    /// A true count below the threshold is always a band, whatever its key. A number is within the bound of the noise
    /// of the truth. With the same noise and key a greater threshold never shows a number where a smaller one shows a
    /// band.
    #[must_use]
    pub fn count(&self, persons: u64, key_sum: u64) -> Shown {
        if persons < self.least_shown {
            return Shown::Band { high: self.high };
        }
        let number = self.persons.perturb(persons, self.key.uniform(Purpose::Persons, key_sum));
        // a count falls by no more than the bound, so the band holds the truth here too
        if number < self.least_shown { Shown::Band { high: self.high } } else { Shown::Number(number) }
    }

    /// What is shown of the sum of a quantity over the `n` persons of a cell: the true mean times the shown count, plus
    /// `g * largest` with `g` in \[-1, 1\]; rounded, never below 0. Zero where `n` or `shown_n` is zero: give no sum
    /// beside a band.
    ///
    /// `g` has mean 0, standard deviation 1/2 and a half-ellipse as density: the first coordinate of a point drawn
    /// evenly from the unit disc. The noise is measured by the largest contributor because that is whom a sum reveals
    /// (after Thompson, Broadfoot & Elazar 2013, where the noise of a magnitude is a multiple of the greatest values of
    /// the cell).
    ///
    /// `n` and `largest` (greatest single contribution) are true values, `shown_n` comes from [`Perturbation::count`].
    ///
    /// # Privacy
    /// The same `key_sum` gives the same `g`. Two quantities over the same persons must not share it, or who knows one
    /// sum exactly takes the noise off the other: add to `key_sum` a number that belongs to the quantity (wrapping).
    #[must_use]
    pub fn sum(&self, n: u64, shown_n: u64, sum: u64, largest: u64, key_sum: u64) -> u64 {
        if n == 0 || shown_n == 0 {
            return 0;
        }
        let noise = disc(self.key.uniform(Purpose::Sum, key_sum)) * largest as f64;
        // a float cast saturates
        (sum as f64 * (shown_n as f64 / n as f64) + noise).round().max(0.0) as u64
    }

    /// No shown count is further than this from the true one; persons.
    #[must_use]
    pub fn bound(&self) -> u32 {
        self.noise.bound
    }

    /// Standard deviation of a shown count about the true one; persons.
    ///
    /// As asked for. Below `threshold + bound` the true one can be smaller, where the table allows for no more.
    #[must_use]
    pub fn standard_deviation(&self) -> f64 {
        self.noise.variance.sqrt()
    }
}

/// First coordinate of the point of the unit disc that a draw stands for; -1 to 1.
fn disc(uniform: u64) -> f64 {
    let [radius, turn] = [uniform / HALF, uniform % HALF].map(|half| half as f64 / HALF as f64);
    radius.sqrt() * (std::f64::consts::TAU * turn).cos()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOISE: Noise = Noise { bound: 12, variance: 4.0 };

    fn with(noise: Noise, persons: u32, events: u32) -> Perturbation {
        Perturbation::new(noise, persons, events, NoiseKey::new([9; 32])).unwrap()
    }

    fn number(shown: Shown) -> Option<u64> {
        match shown {
            Shown::Number(number) => Some(number),
            Shown::Band { .. } => None,
        }
    }

    proptest! {
        #[test]
        fn below_the_threshold_all_counts_look_alike(key_sums in prop::array::uniform5(any::<u64>())) {
            let perturbation = with(NOISE, 5, 3);
            for (n, key_sum) in (0..5).zip(key_sums) {
                prop_assert_eq!(perturbation.count(n, key_sum), Shown::Band { high: 12 });
            }
        }

        #[test]
        fn what_is_shown_is_true(n in 0_u64..40, key_sum: u64, persons in 1_u32..=12) {
            match with(NOISE, persons, 3).count(n, key_sum) {
                Shown::Number(number) => {
                    prop_assert!(number.abs_diff(n) <= 12);
                    prop_assert!(number >= u64::from(persons));
                }
                Shown::Band { high } => prop_assert!(n <= high && high == 12),
            }
        }

        #[test]
        fn a_tighter_threshold_never_shows_more(
            key_sum: u64,
            (bound, looser, tighter) in (1_u32..=15)
                .prop_flat_map(|bound| (Just(bound), 1..=bound))
                .prop_flat_map(|(bound, tighter)| (Just(bound), 1..=tighter, Just(tighter))),
            share in 0.001..0.999,
        ) {
            let noise = Noise { bound, variance: f64::from(bound * bound) * share };
            let (looser, tighter) = (with(noise, looser, 1), with(noise, tighter, 1));
            for n in 0..50 {
                // one key for each count, as one set has
                let key_sum = key_sum.wrapping_add(n);
                let (tighter, looser) = (number(tighter.count(n, key_sum)), number(looser.count(n, key_sum)));
                prop_assert!(tighter.is_none() || looser.is_some());
            }
        }

        #[test]
        fn tiers_with_one_noise_never_show_two_numbers(n in 0_u64..60, key_sum: u64, least in 5_u32..20) {
            let noise = Noise { bound: 10, variance: 9.0 };
            let (wide, narrow) = (with(noise, 5, 3), with(noise, 5, 3).showing_from(least));
            match (wide.count(n, key_sum), narrow.count(n, key_sum)) {
                (Shown::Number(number), Shown::Number(same)) => prop_assert_eq!(number, same),
                (Shown::Band { .. }, Shown::Number(_)) => prop_assert!(false, "the tighter tier shows more"),
                (_, Shown::Band { high }) => prop_assert!(n <= high),
            }
        }

        #[test]
        fn sums_are_within_the_largest_contribution(
            values in prop::collection::vec(0_u64..10_000, 5..50),
            shown_n in 1_u64..60,
            key_sum: u64,
        ) {
            let (n, sum) = (u64::try_from(values.len()).unwrap(), values.iter().sum::<u64>());
            let largest = *values.iter().max().unwrap();
            let shown = with(NOISE, 5, 3).sum(n, shown_n, sum, largest, key_sum);
            let scaled = sum as f64 * shown_n as f64 / n as f64;
            prop_assert!((shown as f64 - scaled).abs() <= largest as f64 + 0.5);
        }
    }

    #[test]
    fn the_noise_of_sums_has_mean_nought_and_half_the_largest_as_deviation() {
        let key = NoiseKey::new([4; 32]);
        let draws: Vec<f64> = (0..100_000).map(|sum| disc(key.uniform(Purpose::Sum, sum))).collect();
        let mean = draws.iter().sum::<f64>() / 1e5;
        let variance = draws.iter().map(|g| g * g).sum::<f64>() / 1e5;
        assert!(draws.iter().all(|g| g.abs() <= 1.0));
        assert!(mean.abs() < 0.01 && (variance.sqrt() - 0.5).abs() < 0.005, "{mean} {variance}");
    }

    #[test]
    fn an_empty_sum_has_no_noise_and_a_large_one_no_overflow() {
        let perturbation = with(NOISE, 5, 3);
        assert_eq!(perturbation.sum(10, 12, 0, 0, 99), 0);
        assert_eq!(perturbation.sum(0, 12, 0, 0, 99), 0);
        assert_eq!(perturbation.sum(10, 0, 70, 20, 99), 0);
        assert_eq!(perturbation.sum(5, 10, u64::MAX, 0, 99), u64::MAX);
    }

    #[test]
    fn the_events_table_is_as_wide_as_its_threshold_needs() {
        assert!(Perturbation::new(Noise { bound: 5, variance: 2.0 }, 5, 8, NoiseKey::new([1; 32])).is_ok());
        let refused = Perturbation::new(Noise { bound: 5, variance: 2.0 }, 8, 5, NoiseKey::new([1; 32])).err();
        assert_eq!(refused, Some(TableError::BoundBelowThreshold { bound: 5, threshold: 8 }));
    }

    #[test]
    fn the_standard_deviation_is_that_of_the_noise() {
        assert!((with(NOISE, 5, 3).standard_deviation() - 2.0).abs() < 1e-15);
    }

    /// The publicly described look-up of the ONS, written again without anything of ours but the probabilities.
    mod reference {
        use super::*;

        /// The row of a cell value is scanned until the cell key, as a share of the key range, is used up; values
        /// beyond the last row use it.
        fn look_up(ptable: &[Vec<(i64, f64)>], value: u64, cell_key: u64) -> u64 {
            if value == 0 {
                return 0;
            }
            let row = ptable.get(usize::try_from(value).unwrap()).or(ptable.last()).unwrap();
            let mut left = cell_key as f64 / 2_f64.powi(64);
            for (deviation, probability) in row {
                if left < *probability {
                    return u64::try_from(i64::try_from(value).unwrap() + deviation).unwrap();
                }
                left -= probability;
            }
            value.saturating_add_signed(row.last().unwrap().0)
        }

        proptest! {
            #[test]
            fn gives_the_same_for_random_cells(
                records in prop::collection::vec(any::<u32>(), 0..60),
                times in 1_u64..1000,
                rotate in any::<prop::sample::Index>(),
            ) {
                let key = NoiseKey::new([6; 32]);
                let table = PerturbationTable::solve(NOISE, 5).unwrap();
                let ptable: Vec<Vec<_>> = (0..=17).map(|n| table.row(n).collect()).collect();
                let key_sum = |records: &[u32]| records.iter().fold(0_u64, |sum, key| sum.wrapping_add((*key).into()));
                // a cell far beyond the table has the same records many times over
                for times in [1, times] {
                    let value = u64::try_from(records.len()).unwrap() * times;
                    let cell_key = key.uniform(Purpose::Persons, key_sum(&records).wrapping_mul(times));
                    let ours = table.perturb(value, cell_key);
                    prop_assert_eq!(ours, look_up(&ptable, value, cell_key));
                    prop_assert!(ours == 0 || ours >= 5);
                    prop_assert!(value > 0 || ours == 0);
                }
                let mut turned = records.clone();
                if !turned.is_empty() {
                    turned.rotate_left(rotate.index(records.len()));
                }
                let all = with(NOISE, 5, 3);
                let n = u64::try_from(records.len()).unwrap();
                prop_assert_eq!(all.count(n, key_sum(&records)), all.count(n, key_sum(&turned)));
            }
        }
    }
}

//! Life tables from perturbed numbers alone, consistent from interval to interval.

use crate::perturbation::Perturbation;
use crate::perturbation::cell_key::Purpose;

/// The true numbers of one interval of a life table. Intervals follow one another from month 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExactInterval {
    /// End of the interval, in months from the start of observation.
    pub to_month: u16,
    /// Persons with the event in the interval.
    pub events: u64,
    /// Sum of their record keys, modulo 2^64.
    pub events_key: u64,
    /// Persons whose observation ends in the interval without the event.
    pub withdrawn: u64,
    /// Sum of their record keys, modulo 2^64.
    pub withdrawn_key: u64,
}

/// One interval as it is shown; every number is perturbed or follows from perturbed ones.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PerturbedInterval {
    /// End of the interval, in months from the start of observation.
    pub to_month: u16,
    /// Persons entering the interval.
    pub at_risk: u64,
    /// Persons with the event; 0 or at least the threshold of events.
    pub events: u64,
    /// Persons withdrawn; 0 or at least the threshold of events.
    pub withdrawn: u64,
    /// Share surviving from the start to the end of the interval; 0 to 1. The actuarial estimate, with a factor `1 -
    /// events / (at_risk - withdrawn / 2)` for each interval (Cutler & Ederer 1958).
    pub survival: f64,
    /// Standard error of `survival` by Greenwood (1926) on the perturbed numbers: that of sampling, without the noise.
    /// None where nobody survives.
    pub standard_error: Option<f64>,
}

impl Perturbation {
    /// The perturbed life table of a group of which [`Perturbation::count`] shows `shown_persons`.
    ///
    /// Events and withdrawn get the noise of their own sets; an empty set stays 0, so a 0 stands for 0 to the bound of
    /// the noise. The first interval is entered by `shown_persons`, each later one by those who entered the one before
    /// less its events and withdrawn. The table ends before the first interval that fewer than `least_at_risk` (or
    /// nobody) enter, or in which more would leave than enter.
    ///
    /// # Privacy
    /// Nothing exact is used but the two counts of each interval, and those only through the table: no time of an event
    /// within an interval and no exact product-limit factor. The group itself is never estimated a second time, since
    /// its noise is in `shown_persons`. What is shown of an interval does not depend on later ones. The intervals are
    /// those of the canonical coarsening; if they followed the question, tables over different cuts would average out
    /// the noise.
    #[must_use]
    pub fn life_table(
        &self,
        shown_persons: u64,
        intervals: &[ExactInterval],
        least_at_risk: u32,
    ) -> Vec<PerturbedInterval> {
        let least = u64::from(least_at_risk).max(1);
        let mut shown = Vec::with_capacity(intervals.len());
        let mut entering = shown_persons;
        let mut survival = 1.0;
        // Greenwood's sum over the intervals so far
        let mut relative_variance = 0.0;
        for interval in intervals {
            let events = self.leaving(interval.events, interval.events_key);
            let withdrawn = self.leaving(interval.withdrawn, interval.withdrawn_key);
            let staying = events.checked_add(withdrawn).and_then(|leaving| entering.checked_sub(leaving));
            let Some(staying) = staying.filter(|_| entering >= least) else { break };
            // at least half of those entering, and at least the events
            let exposed = entering as f64 - withdrawn as f64 / 2.0;
            let died = events as f64;
            survival *= (exposed - died) / exposed;
            relative_variance += if died < exposed { died / (exposed * (exposed - died)) } else { 0.0 };
            shown.push(PerturbedInterval {
                to_month: interval.to_month,
                at_risk: entering,
                events,
                withdrawn,
                survival,
                standard_error: (survival > 0.0).then(|| survival * relative_variance.sqrt()),
            });
            entering = staying;
        }
        shown
    }

    fn leaving(&self, persons: u64, key_sum: u64) -> u64 {
        self.events.perturb(persons, self.key.uniform(Purpose::Persons, key_sum))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::perturbation::cell_key::NoiseKey;
    use crate::perturbation::table::Noise;
    use proptest::prelude::*;

    fn with(variance: f64, events: u32) -> Perturbation {
        Perturbation::new(Noise { bound: 6, variance }, 5, events, NoiseKey::new([5; 32])).unwrap()
    }

    fn intervals() -> impl Strategy<Value = Vec<ExactInterval>> {
        let leaving = || prop_oneof![Just(0_u64), 1_u64..12, 12_u64..60];
        prop::collection::vec((leaving(), any::<u64>(), leaving(), any::<u64>()), 0..12).prop_map(|rows| {
            (1..)
                .zip(rows)
                .map(|(at, (events, events_key, withdrawn, withdrawn_key))| ExactInterval {
                    to_month: 6 * at,
                    events,
                    events_key,
                    withdrawn,
                    withdrawn_key,
                })
                .collect()
        })
    }

    proptest! {
        #[test]
        fn each_interval_is_entered_by_those_who_stayed(intervals in intervals(), persons in 0_u64..300, least in 0_u32..20) {
            let shown = with(4.0, 3).life_table(persons, &intervals, least);
            let (mut entering, mut survival) = (persons, 1.0);
            for (interval, exact) in shown.iter().zip(&intervals) {
                prop_assert_eq!(interval.to_month, exact.to_month);
                prop_assert_eq!(interval.at_risk, entering);
                prop_assert!(interval.at_risk >= u64::from(least));
                prop_assert!(interval.events + interval.withdrawn <= entering);
                prop_assert!([interval.events, interval.withdrawn].iter().all(|count| *count == 0 || *count >= 3));
                prop_assert!(exact.events > 0 || interval.events == 0);
                prop_assert!(exact.withdrawn > 0 || interval.withdrawn == 0);
                prop_assert!((0.0..=survival).contains(&interval.survival));
                prop_assert_eq!(interval.standard_error.is_some(), interval.survival > 0.0);
                prop_assert!(interval.standard_error.is_none_or(|error| error.is_finite() && error >= 0.0));
                entering -= interval.events + interval.withdrawn;
                survival = interval.survival;
            }
        }

        #[test]
        fn later_intervals_and_repeats_change_nothing(intervals in intervals(), persons in 0_u64..300, cut in 0_usize..12) {
            let perturbation = with(4.0, 3);
            let all = perturbation.life_table(persons, &intervals, 10);
            let cut = cut.min(intervals.len());
            prop_assert_eq!(&perturbation.life_table(persons, &intervals[..cut], 10)[..], &all[..cut.min(all.len())]);
            prop_assert_eq!(perturbation.life_table(persons, &intervals, 10), all);
        }

        #[test]
        fn only_the_perturbed_counts_matter(intervals in intervals(), persons in 0_u64..300) {
            // exact counts that are perturbed to the same numbers give the same table
            let perturbation = with(4.0, 3);
            let other: Vec<ExactInterval> = intervals
                .iter()
                .map(|interval| {
                    let shown = perturbation.leaving(interval.events, interval.events_key);
                    let same = |n: &u64| perturbation.leaving(*n, interval.events_key) == shown;
                    ExactInterval { events: (0..80).rev().find(same).unwrap(), ..*interval }
                })
                .collect();
            prop_assert_eq!(perturbation.life_table(persons, &intervals, 10), perturbation.life_table(persons, &other, 10));
        }
    }

    #[test]
    fn without_noise_to_speak_of_it_is_the_actuarial_table() {
        let interval = |to_month, events, withdrawn| ExactInterval {
            to_month,
            events,
            events_key: 1,
            withdrawn,
            withdrawn_key: 2,
        };
        let shown = with(1e-6, 1).life_table(100, &[interval(12, 20, 10), interval(24, 7, 0), interval(36, 63, 0)], 10);
        assert_eq!(shown.iter().map(|row| row.at_risk).collect::<Vec<_>>(), [100, 70, 63]);
        let first: f64 = 1.0 - 20.0 / 95.0;
        assert!((shown[0].survival - first).abs() < 1e-12);
        assert!((shown[1].survival - first * 0.9).abs() < 1e-12);
        let greenwood: f64 = 20.0 / (95.0 * 75.0) + 7.0 / (70.0 * 63.0);
        assert!((shown[1].standard_error.unwrap() - first * 0.9 * greenwood.sqrt()).abs() < 1e-12);
        assert_eq!((shown[2].survival, shown[2].standard_error), (0.0, None));
    }

    #[test]
    fn it_ends_before_too_few_enter_or_too_many_leave() {
        let interval =
            |to_month, events| ExactInterval { to_month, events, events_key: 1, withdrawn: 0, withdrawn_key: 0 };
        let perturbation = with(1e-6, 1);
        assert_eq!(perturbation.life_table(40, &[interval(12, 25), interval(24, 10), interval(36, 3)], 10).len(), 2);
        assert_eq!(perturbation.life_table(40, &[interval(12, 25), interval(24, 16), interval(36, 1)], 10).len(), 1);
        assert!(perturbation.life_table(0, &[interval(12, 0)], 0).is_empty());
        assert!(perturbation.life_table(9, &[interval(12, 0)], 10).is_empty());
        assert!(perturbation.life_table(u64::MAX, &[interval(12, u64::MAX)], 10).len() <= 1);
    }
}

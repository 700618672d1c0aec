//! Survival: exact Kaplan-Meier per country at chosen cuts, and the grouped estimate pooled over countries.
//!
//! Kaplan & Meier (1958), J. Am. Stat. Assoc. 53:457-481: the product-limit estimate is eq. 2b; Greenwood's variance eq. 3a.
//! Deaths come before withdrawals on the same day. Time is whole days from diagnosis; cuts are months of 365.25/12 days.

use node_domain::months::{first_day_after, first_day_from};

use crate::{frequency::TimeCount, interval::log_log};

/// One interval `(from, to]` of a life table, in months; the first one holds day 0 too.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Cut at which it starts.
    pub from_month: u16,
    /// Cut at which it ends.
    pub to_month: u16,
    /// Number at risk as it starts: all whose time lies after `from_month`.
    pub entering: u64,
    /// Number at risk just before `to_month`: all whose time is that day or later.
    pub at_risk_at_end: u64,
    /// Events inside.
    pub events: u64,
    /// Withdrawn (censored) inside.
    pub withdrawn: u64,
    /// Exact product-limit factor inside: S(to) / S(from).
    pub factor: f64,
    /// Greenwood's sum of d / (n (n - d)) inside; infinite where the factor is 0.
    pub greenwood: f64,
}

/// The estimate at one cut.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Cut, months.
    pub month: u16,
    /// S(t), a probability.
    pub survival: f64,
    /// Greenwood's standard error; `None` at S = 0.
    pub standard_error: Option<f64>,
    /// 95 % limits on the log(-log) scale; `None` at S = 0 and S = 1.
    pub limits: Option<(f64, f64)>,
}

/// The life table of one group at `cuts` (months, strictly increasing): a node's share.
///
/// `times` are the group's, sorted by day. Events after the last cut are not in it.
#[must_use]
pub fn share(times: &[TimeCount], cuts: &[u16]) -> Vec<Interval> {
    let mut at_risk: u64 = times.iter().map(|time| u64::from(time.persons)).sum();
    let mut rest = times;
    let mut from_month = 0;
    let mut table = Vec::with_capacity(cuts.len());
    for &to_month in cuts {
        let after = first_day_after(to_month);
        let end = rest.partition_point(|time| u32::from(time.day) < after);
        let (inside, later) = rest.split_at(end);
        let mut interval = Interval {
            from_month,
            to_month,
            entering: at_risk,
            at_risk_at_end: 0,
            events: 0,
            withdrawn: 0,
            factor: 1.0,
            greenwood: 0.0,
        };
        let mut on_the_cut = 0;
        for day in inside.chunk_by(|a, b| a.day == b.day) {
            let (mut events, mut withdrawn) = (0, 0);
            for time in day {
                *(if time.cause == 0 { &mut withdrawn } else { &mut events }) += u64::from(time.persons);
            }
            if events > 0 {
                interval.factor *= 1.0 - events as f64 / at_risk as f64;
                interval.greenwood += events as f64 / (at_risk as f64 * (at_risk - events) as f64);
            }
            interval.events += events;
            interval.withdrawn += withdrawn;
            at_risk -= events + withdrawn;
            if day.first().is_some_and(|time| u32::from(time.day) >= first_day_from(to_month)) {
                on_the_cut = events + withdrawn;
            }
        }
        interval.at_risk_at_end = at_risk + on_the_cut;
        table.push(interval);
        from_month = to_month;
        rest = later;
    }
    table
}

/// The Kaplan-Meier curve at the ends of consecutive intervals that start at 0.
#[must_use]
pub fn curve(intervals: &[Interval]) -> Vec<Point> {
    let (mut survival, mut greenwood) = (1.0, 0.0);
    intervals
        .iter()
        .map(|interval| {
            survival *= interval.factor;
            greenwood += interval.greenwood;
            point(interval.to_month, survival, greenwood)
        })
        .collect()
}

fn point(month: u16, survival: f64, greenwood: f64) -> Point {
    let standard_error = (survival > 0.0).then(|| survival * greenwood.sqrt());
    Point { month, survival, standard_error, limits: standard_error.and_then(|se| log_log(survival, se)) }
}

/// One month of the pooled life table; its numbers are whole where every country shows that month by itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PooledMonth {
    /// Month, from 1: the interval `(month - 1, month]`.
    pub month: u16,
    /// Number at risk over all countries whose curve covers it.
    pub at_risk: f64,
    /// Events over the same.
    pub events: f64,
    /// Countries whose curve covers it.
    pub countries: usize,
}

/// The pooled life table of one group, by month, from the shares of several countries; it ends with the longest curve.
///
/// On intervals of one month it is the grouped product-limit estimate with the number at risk as the month starts, which is
/// what R's `survfit` gives on months. An interval wider than a month enters with a constant hazard inside, and with the
/// *effective* number at risk `d / (1 - factor)` that the country's exact product-limit factor implies (without events:
/// entering less half the withdrawn, the actuarial number; Kaplan & Meier 1958, section 1).
///
/// Estimating the shape inside wide intervals from the other countries (self-consistency, Turnbull 1976) was tried and is worse:
/// which boundaries a country shows depends on its events, so the shown ones are no fair sample.
#[must_use]
pub fn pool(countries: &[Vec<Interval>]) -> Vec<PooledMonth> {
    let last = countries.iter().flatten().map(|interval| interval.to_month).max().unwrap_or(0);
    let mut pooled: Vec<PooledMonth> =
        (1..=last).map(|month| PooledMonth { month, at_risk: 0.0, events: 0.0, countries: 0 }).collect();
    for interval in countries.iter().flatten() {
        let months = &mut pooled[usize::from(interval.from_month)..usize::from(interval.to_month)];
        let (mut at_risk, hazard) = (interval.effective_at_risk(), interval.monthly_hazard());
        let mut rest = interval.events as f64;
        let count = months.len();
        for (place, month) in months.iter_mut().enumerate() {
            // the last month takes what is left, so that no event is lost to rounding
            let events = if place + 1 == count { rest } else { (at_risk * hazard).min(rest) };
            month.at_risk += at_risk;
            month.events += events;
            month.countries += 1;
            at_risk -= events;
            rest -= events;
        }
    }
    pooled
}

/// The pooled curve at the end of every month; it ends where nobody is left at risk.
#[must_use]
pub fn pooled_curve(pooled: &[PooledMonth]) -> Vec<Point> {
    let (mut survival, mut greenwood) = (1.0, 0.0);
    pooled
        .iter()
        .take_while(|month| month.at_risk > 0.0)
        .map(|month| {
            survival *= 1.0 - month.events / month.at_risk;
            greenwood += month.events / (month.at_risk * (month.at_risk - month.events));
            point(month.month, survival, greenwood)
        })
        .collect()
}

impl Interval {
    fn effective_at_risk(&self) -> f64 {
        let (entering, events) = (self.entering as f64, self.events as f64);
        if self.to_month - self.from_month == 1 {
            entering
        } else if self.events > 0 && self.factor < 1.0 {
            events / (1.0 - self.factor)
        } else {
            entering - self.withdrawn as f64 / 2.0
        }
    }

    /// The constant hazard per month that gives the interval's factor; spread evenly where all had the event.
    fn monthly_hazard(&self) -> f64 {
        let months = f64::from(self.to_month - self.from_month);
        if self.factor > 0.0 { 1.0 - self.factor.powf(1.0 / months) } else { 1.0 / months }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn times(days: &[(u16, u8)]) -> Vec<TimeCount> {
        let mut days = days.to_vec();
        days.sort_unstable();
        days.chunk_by(|a, b| a == b)
            .map(|same| TimeCount {
                group: 0,
                day: same[0].0,
                cause: same[0].1,
                persons: u32::try_from(same.len()).unwrap(),
                key_sum: 0,
            })
            .collect()
    }

    /// Product-limit straight from the definition, a person at a time.
    fn definition(days: &[(u16, u8)], month: u16) -> f64 {
        let mut survival = 1.0;
        for day in 0..first_day_after(month) {
            let at_risk = days.iter().filter(|(d, _)| u32::from(*d) >= day).count();
            let events = days.iter().filter(|(d, cause)| u32::from(*d) == day && *cause > 0).count();
            if events > 0 {
                survival *= 1.0 - events as f64 / at_risk as f64;
            }
        }
        survival
    }

    fn people() -> impl Strategy<Value = Vec<(u16, u8)>> {
        proptest::collection::vec((0..2000_u16, 0..3_u8), 1..120)
    }

    proptest! {
        #[test]
        fn the_share_is_the_product_limit_estimate(people in people()) {
            let cuts = [1, 6, 16, 36, 60];
            for point in curve(&share(&times(&people), &cuts)) {
                prop_assert!((point.survival - definition(&people, point.month)).abs() < 1e-12);
            }
        }

        #[test]
        fn a_coarser_table_has_the_same_curve(people in people()) {
            let fine = curve(&share(&times(&people), &(1..=60).collect::<Vec<_>>()));
            for point in curve(&share(&times(&people), &[12, 36, 60])) {
                let same = fine[usize::from(point.month) - 1];
                prop_assert!((point.survival - same.survival).abs() < 1e-12);
            }
        }

        #[test]
        fn nobody_is_lost(people in people()) {
            let table = share(&times(&people), &[3, 16, 32, 64]);
            let mut entering = people.len() as u64;
            for interval in &table {
                prop_assert_eq!(interval.entering, entering);
                entering -= interval.events + interval.withdrawn;
                prop_assert!(interval.at_risk_at_end >= entering && interval.at_risk_at_end <= interval.entering);
            }
        }

        #[test]
        fn pooling_shards_equals_pooling_one_on_months(people in people(), split in 1..5_usize) {
            let cuts: Vec<u16> = (1..=66).collect();
            let whole = pooled_curve(&pool(&[share(&times(&people), &cuts)]));
            let shards: Vec<Vec<Interval>> = (0..split)
                .map(|shard| {
                    let part: Vec<_> = people.iter().copied().skip(shard).step_by(split).collect();
                    share(&times(&part), &cuts)
                })
                .collect();
            let mut reversed = shards.clone();
            reversed.reverse();
            for pooled in [pooled_curve(&pool(&shards)), pooled_curve(&pool(&reversed))] {
                prop_assert_eq!(pooled.len(), whole.len());
                for (a, b) in pooled.iter().zip(&whole) {
                    prop_assert!((a.survival - b.survival).abs() < 1e-9);
                }
            }
        }

        #[test]
        fn one_country_pools_to_its_own_curve_whatever_its_cuts(people in people()) {
            let table = share(&times(&people), &[12, 36, 60]);
            let pooled = pooled_curve(&pool(std::slice::from_ref(&table)));
            for own in curve(&table) {
                if let Some(pooled) = pooled.iter().find(|point| point.month == own.month) {
                    prop_assert!((own.survival - pooled.survival).abs() < 1e-9);
                }
            }
        }
    }

    #[test]
    fn an_event_on_the_cut_day_counts_before_it_and_is_at_risk_there() {
        let table = share(&times(&[(487, 1), (487, 0), (488, 1), (600, 0)]), &[16]);
        assert_eq!((table[0].events, table[0].withdrawn, table[0].at_risk_at_end), (1, 1, 4));
        assert!((table[0].factor - 0.75).abs() < 1e-15);
    }

    #[test]
    fn at_zero_survival_there_is_a_point_and_no_error() {
        let curve = curve(&share(&times(&[(10, 1), (20, 1)]), &[1]));
        assert_eq!((curve[0].survival, curve[0].standard_error, curve[0].limits), (0.0, None, None));
    }

    #[test]
    fn a_wide_interval_falls_evenly_and_keeps_its_events() {
        // 100 enter, 19 events within two months, nobody withdrawn: a constant hazard of 0.1 a month
        let people: Vec<(u16, u8)> = (0..19).map(|day| (day + 1, 1)).chain((0..81).map(|_| (2000, 0))).collect();
        let pooled = pool(&[share(&times(&people), &[2])]);
        assert_eq!(pooled.len(), 2);
        assert!((pooled[0].events - 10.0).abs() < 1e-9 && (pooled[1].events - 9.0).abs() < 1e-9);
        assert!((pooled[1].at_risk - 90.0).abs() < 1e-9);
    }
}

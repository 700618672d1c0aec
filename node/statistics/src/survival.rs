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

/// One interval of the pooled life table; `events` and `at_risk` are not whole numbers where a country's interval was wider.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PooledInterval {
    /// Cut at which it starts, months.
    pub from_month: u16,
    /// Cut at which it ends, months.
    pub to_month: u16,
    /// Number at risk over all countries whose curve covers it.
    pub at_risk: f64,
    /// Events over the same.
    pub events: f64,
    /// Countries whose curve covers it.
    pub countries: usize,
}

/// The pooled life table of one group from the shares of several countries.
///
/// On intervals of one month it is the grouped product-limit estimate with the number at risk as the month starts, which is
/// what R's `survfit` gives on months. Two things happen where a country released less than that:
/// - An interval wider than a month has the *effective* number at risk `d / (1 - factor)`, which the country's exact
///   product-limit factor implies (without events: entering less half the withdrawn, the actuarial number).
/// - An interval that spans several cuts of other countries is spread over them by self-consistency (Turnbull 1976, J. R. Stat.
///   Soc. B 38:290-295, eq. 3.4): its events fall as the pooled curve falls, iterated until nothing moves by 1e-12.
#[must_use]
pub fn pool(countries: &[Vec<Interval>]) -> Vec<PooledInterval> {
    let mut cuts: Vec<u16> = countries.iter().flatten().map(|interval| interval.to_month).collect();
    cuts.sort_unstable();
    cuts.dedup();
    let spans: Vec<Span> = countries.iter().flatten().filter_map(|interval| Span::of(interval, &cuts)).collect();
    let mut pooled: Vec<PooledInterval> = cuts
        .iter()
        .scan(0, |from_month, &to_month| {
            let interval = PooledInterval { from_month: *from_month, to_month, at_risk: 0.0, events: 0.0, countries: 0 };
            *from_month = to_month;
            Some(interval)
        })
        .collect();
    for span in &spans {
        for interval in &mut pooled[span.first..span.end] {
            interval.countries += 1;
        }
    }
    let mut hazards: Option<Vec<f64>> = None;
    for _ in 0..10_000 {
        for interval in &mut pooled {
            (interval.at_risk, interval.events) = (0.0, 0.0);
        }
        for span in &spans {
            span.spread(hazards.as_deref(), &mut pooled);
        }
        let next: Vec<f64> =
            pooled.iter().map(|interval| if interval.at_risk > 0.0 { interval.events / interval.at_risk } else { 0.0 }).collect();
        let moved = hazards
            .as_ref()
            .map_or(f64::INFINITY, |last| last.iter().zip(&next).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max));
        hazards = Some(next);
        if moved < 1e-12 {
            break;
        }
    }
    pooled
}

/// The pooled curve at the ends of pooled intervals; it ends where nobody is left at risk.
#[must_use]
pub fn pooled_curve(pooled: &[PooledInterval]) -> Vec<Point> {
    let (mut survival, mut greenwood) = (1.0, 0.0);
    pooled
        .iter()
        .take_while(|interval| interval.at_risk > 0.0)
        .map(|interval| {
            survival *= 1.0 - interval.events / interval.at_risk;
            greenwood += interval.events / (interval.at_risk * (interval.at_risk - interval.events));
            point(interval.to_month, survival, greenwood)
        })
        .collect()
}

/// A country's interval over the pooled cuts `first..end`.
struct Span {
    first: usize,
    end: usize,
    events: f64,
    at_risk: f64,
}

impl Span {
    fn of(interval: &Interval, cuts: &[u16]) -> Option<Self> {
        let end = cuts.binary_search(&interval.to_month).ok()? + 1;
        let first = cuts.partition_point(|&cut| cut <= interval.from_month);
        let (entering, events, withdrawn) = (interval.entering as f64, interval.events as f64, interval.withdrawn as f64);
        let at_risk = if interval.to_month - interval.from_month == 1 {
            entering
        } else if interval.events > 0 && interval.factor < 1.0 {
            events / (1.0 - interval.factor)
        } else {
            entering - withdrawn / 2.0
        };
        (first < end).then_some(Self { first, end, events, at_risk })
    }

    /// Adds this span's events and number at risk to the pooled intervals it covers, in proportion to `hazards`.
    fn spread(&self, hazards: Option<&[f64]>, pooled: &mut [PooledInterval]) {
        let months = |interval: &PooledInterval| f64::from(interval.to_month - interval.from_month);
        let covered = self.first..self.end;
        let falls: Vec<f64> = match hazards {
            Some(hazards) => hazards[covered.clone()]
                .iter()
                .scan(1.0, |survival, hazard| {
                    let fall = *survival * hazard;
                    *survival -= fall;
                    Some(fall)
                })
                .collect(),
            None => pooled[covered.clone()].iter().map(months).collect(),
        };
        let whole: f64 = falls.iter().sum();
        let mut at_risk = self.at_risk;
        for (interval, fall) in pooled[covered].iter_mut().zip(&falls) {
            let events = if whole > 0.0 { self.events * fall / whole } else { 0.0 };
            interval.at_risk += at_risk;
            interval.events += events;
            at_risk -= events;
        }
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
            .map(|same| TimeCount { group: 0, day: same[0].0, cause: same[0].1, persons: u32::try_from(same.len()).unwrap() })
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
            for (own, pooled) in curve(&table).iter().zip(pooled_curve(&pool(std::slice::from_ref(&table)))) {
                prop_assert!((own.survival - pooled.survival).abs() < 1e-9);
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
    fn a_wide_interval_is_spread_as_the_others_fall() {
        // one country shows months 12 and 24; the other, with the same people twice over, only month 24
        let people: Vec<(u16, u8)> = (0..300).map(|i| (10 + i * 5, u8::from(i % 4 == 0))).collect();
        let twice: Vec<(u16, u8)> = people.iter().chain(&people).copied().collect();
        let pooled = pooled_curve(&pool(&[share(&times(&people), &[12, 24]), share(&times(&twice), &[24])]));
        let own = curve(&share(&times(&people), &[12, 24]));
        assert!((pooled[0].survival - own[0].survival).abs() < 1e-6);
        assert!((pooled[1].survival - own[1].survival).abs() < 1e-6);
    }
}

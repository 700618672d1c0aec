//! Draws from a seeded stream, and dates as text.

use chrono::{Days, NaiveDate, NaiveDateTime};
use rand::{Rng, SeedableRng, rngs::StdRng};

/// A stream of its own for every seed and name (FNV-1a, 64 bits).
pub(crate) fn stream(seed: u64, name: &str) -> StdRng {
    let hash = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    StdRng::seed_from_u64(seed ^ hash)
}

/// True with the probability given.
pub(crate) fn chance(rng: &mut StdRng, probability: f64) -> bool {
    rng.random::<f64>() < probability
}

/// A whole number, both ends included; the lower end where they are in the wrong order.
pub(crate) fn between(rng: &mut StdRng, low: i64, high: i64) -> i64 {
    if high <= low { low } else { rng.random_range(low..=high) }
}

/// The index of a weight, drawn in proportion; the last where all are nothing.
pub(crate) fn weighted(rng: &mut StdRng, weights: impl Iterator<Item = f64> + Clone) -> usize {
    let point: f64 = rng.random();
    at(point, weights)
}

/// The index of the weight in which a point of 0..1 falls.
pub(crate) fn at(point: f64, weights: impl Iterator<Item = f64> + Clone) -> usize {
    let mut left = point * weights.clone().sum::<f64>();
    let mut last = 0;
    for (index, weight) in weights.enumerate() {
        if weight > 0.0 {
            last = index;
            if left < weight {
                return index;
            }
            left -= weight;
        }
    }
    last
}

/// One of a list of codes with weights.
pub(crate) fn code(rng: &mut StdRng, list: &[(&'static str, f64)]) -> &'static str {
    list[weighted(rng, list.iter().map(|(_, weight)| *weight))].0
}

/// A waiting time of that median: log-normal with a spread of about threefold.
pub(crate) fn waiting(rng: &mut StdRng, median: f64, most: i64) -> i64 {
    ((median * (0.9 * normal(rng)).exp()).round() as i64).clamp(0, most)
}

/// A standard normal number (Box and Muller 1958).
pub(crate) fn normal(rng: &mut StdRng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()
}

/// Puts a list in random order (Fisher and Yates).
pub(crate) fn shuffle<T>(rng: &mut StdRng, list: &mut [T]) {
    for index in (1..list.len()).rev() {
        list.swap(index, rng.random_range(0..=index));
    }
}

/// The day so many days later or earlier.
pub(crate) fn plus(date: NaiveDate, days: i64) -> NaiveDate {
    let step = Days::new(days.unsigned_abs());
    if days < 0 { date.checked_sub_days(step) } else { date.checked_add_days(step) }.unwrap_or(date)
}

/// Days from one date to another.
pub(crate) fn days(from: NaiveDate, to: NaiveDate) -> i64 {
    (to - from).num_days()
}

/// The day of the year given, which every calendar has.
pub(crate) fn new_year(year: i32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, 1, 1).unwrap_or_default()
}

/// Completed years.
pub(crate) fn age(birth: NaiveDate, day: NaiveDate) -> i64 {
    day.years_since(birth).map_or(-1, i64::from)
}

/// The same day so many years earlier; 28 February for 29 February where the year has none.
pub(crate) fn years_before(date: NaiveDate, years: i64) -> NaiveDate {
    let months = chrono::Months::new(u32::try_from(12 * years).unwrap_or(0));
    date.checked_sub_months(months).unwrap_or(date)
}

/// A birth date that gives completed years at a day.
pub(crate) fn birth(rng: &mut StdRng, day: NaiveDate, years: i64) -> NaiveDate {
    plus(years_before(day, years), -between(rng, 2, 363))
}

/// A time on a day, minutes after midnight.
pub(crate) fn time(date: NaiveDate, minutes: i64) -> NaiveDateTime {
    date.and_time(chrono::NaiveTime::MIN) + chrono::TimeDelta::minutes(minutes)
}

/// A time as the dictionary writes it.
pub(crate) fn stamp(time: NaiveDateTime) -> String {
    time.format("%Y-%m-%dT%H:%M").to_string()
}

/// A date that may be missing.
pub(crate) fn text(date: Option<NaiveDate>) -> String {
    date.map(|date| date.to_string()).unwrap_or_default()
}

/// A number with so many decimals, without needless zeros.
pub(crate) fn number(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

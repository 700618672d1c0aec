//! The canonical coarsening of a survival curve: which cuts of one stratum and endpoint may ever be shown.
//!
//! It depends on the stratum's times and causes and on the safeguards, never on the cuts that were asked for, so answers to
//! different cut lists cannot be subtracted to isolate an event (design, section 6, rule 2).

use node_domain::months::{LAST_MONTH, first_day_from, month_of};
use node_protocol::release::Safeguards;
use node_statistics::frequency::TimeCount;

/// Cuts that people report come first; the other months follow in order.
const PRIORITY: [u16; 14] = [60, 12, 36, 24, 120, 6, 48, 3, 18, 30, 84, 96, 1, 9];

/// The least number of events that the agreed design names. Stricter ones choose among its boundaries.
const AGREED_EVENTS: u32 = 3;

/// The months at which the curve of this stratum may be shown, increasing.
///
/// It starts with one interval that holds everything and adds boundaries in the fixed order, keeping one only if the intervals
/// on both its sides hold no event of a cause or at least `events`; the last interval is open and counts too, since the number
/// of all events can be learnt in other ways. Then the curve is cut after the last boundary with `at_risk` at risk.
///
/// Where more events are asked for than the agreed three, the boundaries are chosen among those of one event less, and so on down
/// to three: a stricter policy never shows a boundary that a laxer one merges.
#[must_use]
pub fn boundaries(times: &[TimeCount], safeguards: Safeguards) -> Vec<u16> {
    let ladder = Ladder::of(times);
    let months = PRIORITY.into_iter().chain((1..=LAST_MONTH).filter(|month| !PRIORITY.contains(month)));
    let mut offered: Vec<u16> = months.collect();
    let mut kept = Vec::new();
    for least in safeguards.events.min(AGREED_EVENTS)..=safeguards.events {
        kept = ladder.keep(&offered, u64::from(least));
        offered.retain(|month| kept.binary_search(month).is_ok());
    }
    let end = kept.partition_point(|month| ladder.at_risk[usize::from(*month)] >= u64::from(safeguards.at_risk));
    kept.truncate(end);
    kept
}

/// Cumulative events by cause and numbers at risk at every month of the base grid.
struct Ladder {
    /// `events[cause][month]`: events of the cause up to the month's cut; the last entry holds all there are.
    events: Vec<Vec<u64>>,
    /// `at_risk[month]`: number at risk just before the month's cut.
    at_risk: Vec<u64>,
}

impl Ladder {
    fn of(times: &[TimeCount]) -> Self {
        let last = usize::from(LAST_MONTH);
        let causes = times.iter().map(|time| usize::from(time.cause)).max().unwrap_or(0);
        let mut events = vec![vec![0; last + 2]; causes];
        for time in times.iter().filter(|time| time.cause > 0) {
            let month = usize::try_from(month_of(time.day)).unwrap_or(usize::MAX).min(last + 1);
            events[usize::from(time.cause) - 1][month] += u64::from(time.persons);
        }
        for cumulative in &mut events {
            for month in 1..cumulative.len() {
                cumulative[month] += cumulative[month - 1];
            }
        }
        // from the last month back, each person is counted once
        let mut at_risk = vec![0; last + 1];
        let (mut later, mut still) = (times, 0_u64);
        for month in (0..=LAST_MONTH).rev() {
            let (before, from) =
                later.split_at(later.partition_point(|time| u32::from(time.day) < first_day_from(month)));
            still += from.iter().map(|time| u64::from(time.persons)).sum::<u64>();
            at_risk[usize::from(month)] = still;
            later = before;
        }
        Self { events, at_risk }
    }

    /// Those of the months offered, first come first served, between which lie no events of a cause or at least `least`; increasing.
    fn keep(&self, offered: &[u16], least: u64) -> Vec<u16> {
        let mut kept: Vec<u16> = Vec::new();
        for &month in offered {
            let at = kept.partition_point(|boundary| *boundary < month);
            let before = if at == 0 { 0 } else { kept[at - 1] };
            let after = kept.get(at).copied();
            if self.holds(before, Some(month), least) && self.holds(month, after, least) {
                kept.insert(at, month);
            }
        }
        kept
    }

    /// Whether the interval `(from, to]`, open at the end without `to`, holds no event of a cause or at least `least`.
    fn holds(&self, from: u16, to: Option<u16>, least: u64) -> bool {
        self.events.iter().all(|cumulative| {
            let end = to.map_or(cumulative.len() - 1, usize::from);
            let inside = cumulative[end] - cumulative[usize::from(from)];
            inside == 0 || inside >= least
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULT: Safeguards = Safeguards { persons: 5, events: 3, at_risk: 10 };

    fn times(rows: &[(u16, u8, u32)]) -> Vec<TimeCount> {
        rows.iter().map(|&(day, cause, rows)| TimeCount { group: 0, day, cause, persons: rows, key_sum: 0 }).collect()
    }

    #[test]
    fn with_thresholds_of_one_every_month_is_a_boundary_while_somebody_is_at_risk() {
        let all = boundaries(
            &times(&[(100, 1, 1), (2000, 1, 1), (2500, 0, 1)]),
            Safeguards { persons: 1, events: 1, at_risk: 1 },
        );
        assert_eq!(all, (1..=82).collect::<Vec<_>>());
    }

    #[test]
    fn a_late_event_forbids_the_boundary_before_it() {
        let rows = times(&[(100, 1, 4), (500, 1, 4), (2000, 1, 1), (3700, 0, 50)]);
        let boundaries = boundaries(&rows, DEFAULT);
        assert!(!boundaries.contains(&60), "the one event after five years would stand alone");
        assert!(boundaries.contains(&12) && boundaries.contains(&120));
    }

    #[test]
    fn each_cause_counts_by_itself() {
        let rows = times(&[(100, 1, 3), (100, 2, 1), (3700, 0, 50)]);
        assert!(!boundaries(&rows, DEFAULT).contains(&60));
        let rows = times(&[(100, 1, 3), (100, 2, 3), (3700, 0, 50)]);
        assert!(boundaries(&rows, DEFAULT).contains(&60));
    }

    #[test]
    fn the_curve_ends_where_too_few_are_at_risk() {
        let rows = times(&[(100, 1, 3), (800, 0, 50), (1200, 0, 9)]);
        let boundaries = boundaries(&rows, DEFAULT);
        assert_eq!(boundaries.last(), Some(&26));
    }

    #[test]
    fn an_empty_stratum_has_no_boundary() {
        assert!(boundaries(&[], DEFAULT).is_empty());
    }
}

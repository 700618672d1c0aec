//! Death within 30 days of diagnosis, before any treatment included.
//!
//! Counted among all whose status at 30 days is known; the others are unknown, not alive.

use node_domain::date::PartialDate;

/// Days from diagnosis up to and including which a death is early.
pub const EARLY_DAYS: i64 = 30;

/// What is known of a child's first weeks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FirstDays {
    /// Incidence date.
    pub diagnosis: Option<PartialDate>,
    /// Whether the case is known from a death certificate only: its date of diagnosis is that of death and says nothing.
    pub death_certificate_only: bool,
    /// Whether the patient died.
    pub dead: bool,
    /// Date of death.
    pub death: Option<PartialDate>,
    /// Latest contact.
    pub last_contact: Option<PartialDate>,
}

/// Whether the child died within 30 days; `None` where the dates do not decide it.
///
/// A date known to the month decides where every day it can be gives one answer. A contact on day 30 or later shows that there was
/// no early death, for the dead too.
#[must_use]
pub fn early_death(first: &FirstDays) -> Option<bool> {
    if first.death_certificate_only {
        return None;
    }
    let diagnosis = first.diagnosis?;
    let reached =
        |contact: PartialDate, day: i64| diagnosis.day_bounds(&contact).is_some_and(|(least, _)| least >= day);
    match (first.dead, first.death) {
        (true, Some(death)) => match diagnosis.day_bounds(&death)? {
            (_, most) if most < 0 => None,
            (_, most) if most <= EARLY_DAYS => Some(true),
            (least, _) if least > EARLY_DAYS => Some(false),
            _ => None,
        },
        (true, None) => reached(first.last_contact?, EARLY_DAYS + 1).then_some(false),
        (false, _) => reached(first.last_contact?, EARLY_DAYS).then_some(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> Option<PartialDate> {
        Some(text.parse().unwrap())
    }

    fn died(death: Option<PartialDate>) -> FirstDays {
        FirstDays { diagnosis: date("2024-01-01"), dead: true, death, ..FirstDays::default() }
    }

    fn seen(last_contact: &str) -> FirstDays {
        FirstDays { diagnosis: date("2024-01-01"), last_contact: date(last_contact), ..FirstDays::default() }
    }

    #[test]
    fn day_30_is_early_and_day_31_is_not() {
        assert_eq!(early_death(&died(date("2024-01-31"))), Some(true));
        assert_eq!(early_death(&died(date("2024-02-01"))), Some(false));
        assert_eq!(early_death(&died(date("2024-01-01"))), Some(true));
    }

    #[test]
    fn the_living_need_a_contact_at_30_days() {
        assert_eq!(early_death(&seen("2024-01-31")), Some(false));
        assert_eq!(early_death(&seen("2024-01-30")), None);
        assert_eq!(early_death(&FirstDays { last_contact: None, ..seen("2024-01-30") }), None);
    }

    #[test]
    fn a_date_known_to_the_month_may_decide() {
        assert_eq!(early_death(&died(date("2024-01"))), Some(true));
        assert_eq!(early_death(&died(date("2024-03"))), Some(false));
        assert_eq!(early_death(&FirstDays { diagnosis: date("2024-01"), ..died(date("2024-02")) }), None);
    }

    #[test]
    fn a_death_without_a_date_is_unknown_unless_a_contact_came_later() {
        assert_eq!(early_death(&FirstDays { last_contact: date("2024-01-31"), ..died(None) }), None);
        assert_eq!(early_death(&FirstDays { last_contact: date("2024-02-01"), ..died(None) }), Some(false));
        assert_eq!(early_death(&died(None)), None);
    }

    #[test]
    fn certificates_and_impossible_orders_are_unknown() {
        assert_eq!(early_death(&FirstDays { death_certificate_only: true, ..died(date("2024-01-01")) }), None);
        assert_eq!(early_death(&died(date("2023-12-31"))), None);
        assert_eq!(early_death(&FirstDays { diagnosis: None, ..died(date("2024-01-01")) }), None);
    }
}

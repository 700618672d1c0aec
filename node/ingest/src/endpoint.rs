//! Survival endpoints of a case: days from diagnosis and what ended them.
//!
//! Overall: death. Event-free: the first of induction failure, relapse, progression, second malignancy and death (C3DC first
//! event). Withdrawn at last contact. Time zero is the date of diagnosis; a case without the days it needs has no endpoint.

use node_domain::date::PartialDate;

/// Days from diagnosis and the code of what ended them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoint {
    /// Whole days.
    pub days: u16,
    /// `censored` or the event.
    pub event: &'static str,
}

/// What is known of a case's course.
#[derive(Debug, Clone, Default)]
pub struct Course {
    /// Incidence date.
    pub diagnosis: Option<PartialDate>,
    /// Whether the case is known from a death certificate only; such cases have no survival time.
    pub death_certificate_only: bool,
    /// Latest contact.
    pub last_contact: Option<PartialDate>,
    /// Whether the patient died.
    pub dead: bool,
    /// Date of death; where it is absent, the last contact.
    pub death: Option<PartialDate>,
    /// Events with their type.
    pub events: Vec<(EventKind, PartialDate)>,
}

/// An event that ends event-free survival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventKind {
    /// No remission.
    InductionFailure,
    /// Return after remission.
    Relapse,
    /// Growth without remission.
    Progression,
    /// Another malignancy.
    SecondMalignancy,
    /// Death of any cause.
    Death,
}

impl EventKind {
    /// From the code of `event_type`; `None` for what ends no event-free survival, such as abandonment.
    #[must_use]
    pub fn of_code(code: &str) -> Option<Self> {
        Some(match code {
            "induction_failure" => Self::InductionFailure,
            "relapse" => Self::Relapse,
            "progression" => Self::Progression,
            "second_malignancy" => Self::SecondMalignancy,
            "death" => Self::Death,
            _ => return None,
        })
    }

    fn code(self) -> &'static str {
        match self {
            Self::InductionFailure => "induction_failure",
            Self::Relapse => "relapse",
            Self::Progression => "progression",
            Self::SecondMalignancy => "second_malignancy",
            Self::Death => "death",
        }
    }
}

/// Overall survival.
#[must_use]
pub fn overall(course: &Course) -> Option<Endpoint> {
    if course.death_certificate_only {
        return None;
    }
    let diagnosis = course.diagnosis?;
    if course.died() {
        let days = diagnosis.days_until(&course.date_of_death()?)?;
        return Some(Endpoint { days, event: "death" });
    }
    Some(Endpoint { days: diagnosis.days_until(&course.last_contact?)?, event: "censored" })
}

/// Event-free survival. An event whose day is not known leaves the case without an endpoint: withdrawing it would be wrong.
#[must_use]
pub fn event_free(course: &Course) -> Option<Endpoint> {
    if course.death_certificate_only {
        return None;
    }
    let diagnosis = course.diagnosis?;
    let mut events = course.events.iter().filter(|(kind, _)| *kind != EventKind::Death).copied().collect::<Vec<_>>();
    if course.died() {
        events.push((EventKind::Death, course.date_of_death()?));
    }
    let first = events
        .into_iter()
        .map(|(kind, date)| diagnosis.days_until(&date).map(|days| (days, kind)))
        .collect::<Option<Vec<_>>>()?
        .into_iter()
        .min();
    match first {
        Some((days, kind)) => Some(Endpoint { days, event: kind.code() }),
        None => Some(Endpoint { days: diagnosis.days_until(&course.last_contact?)?, event: "censored" }),
    }
}

impl Course {
    fn died(&self) -> bool {
        self.dead || self.events.iter().any(|(kind, _)| *kind == EventKind::Death)
    }

    fn date_of_death(&self) -> Option<PartialDate> {
        let event = self.events.iter().find(|(kind, _)| *kind == EventKind::Death).map(|(_, date)| *date);
        self.death.or(event).or(self.last_contact)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> Option<PartialDate> {
        Some(text.parse().unwrap())
    }

    fn course() -> Course {
        Course { diagnosis: date("2014-01-01"), last_contact: date("2015-01-01"), ..Course::default() }
    }

    fn ends(endpoint: Option<Endpoint>) -> Option<(u16, &'static str)> {
        endpoint.map(|endpoint| (endpoint.days, endpoint.event))
    }

    #[test]
    fn the_living_are_withdrawn_at_last_contact() {
        assert_eq!(ends(overall(&course())), Some((365, "censored")));
        assert_eq!(ends(event_free(&course())), Some((365, "censored")));
    }

    #[test]
    fn the_first_event_counts_and_death_is_one() {
        let events =
            vec![(EventKind::Relapse, date("2014-07-01").unwrap()), (EventKind::Death, date("2014-09-01").unwrap())];
        let course = Course { events, dead: true, ..course() };
        assert_eq!(ends(event_free(&course)), Some((181, "relapse")));
        assert_eq!(ends(overall(&course)), Some((243, "death")));
    }

    #[test]
    fn a_death_without_its_own_date_is_at_last_contact() {
        let course = Course { dead: true, ..course() };
        assert_eq!(ends(overall(&course)), Some((365, "death")));
        assert_eq!(ends(event_free(&course)), Some((365, "death")));
    }

    #[test]
    fn what_is_not_known_to_the_day_is_missing_and_not_withdrawn() {
        let events = vec![(EventKind::Relapse, date("2014-07").unwrap())];
        assert_eq!(ends(event_free(&Course { events, ..course() })), None);
        assert_eq!(ends(overall(&Course { diagnosis: date("2014"), ..course() })), None);
        assert_eq!(ends(overall(&Course { last_contact: None, ..course() })), None);
        assert_eq!(ends(overall(&Course { last_contact: date("2013-12-31"), ..course() })), None);
    }

    #[test]
    fn death_certificate_only_has_no_survival() {
        let course = Course { death_certificate_only: true, dead: true, ..course() };
        assert_eq!((ends(overall(&course)), ends(event_free(&course))), (None, None));
    }
}

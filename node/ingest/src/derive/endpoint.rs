//! Survival endpoints of a case: days from diagnosis and what ended them.
//!
//! Overall: death. Event-free: the first of induction failure, relapse, progression, second malignancy and death (C3DC first
//! event). Each also with abandonment of treatment as an event at its date, as SIOP PODC asks for both to be published (Mostert and
//! others, Lancet Oncol 2011;12:719-720). Withdrawn at last contact. Time zero is the date of diagnosis; a case without the days it
//! needs has no endpoint.

use node_domain::date::PartialDate;

/// Days from diagnosis and the code of what ended them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoint {
    /// Whole days, up to 65,534.
    pub days: u16,
    /// `censored`, an event, or `abandonment`.
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
    /// Dates of the abandonments that count (see `abandonment`): last attended treatment, or the day of refusal.
    pub abandonments: Vec<PartialDate>,
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
    course.end(&course.death()?)
}

/// Overall survival with abandonment as an event: whichever comes first, death where both are on one day.
#[must_use]
pub fn overall_abandonment(course: &Course) -> Option<Endpoint> {
    course.end(&[course.death()?, course.abandonment()].concat())
}

/// Event-free survival. An event whose day is not known leaves the case without an endpoint: withdrawing it would be wrong.
#[must_use]
pub fn event_free(course: &Course) -> Option<Endpoint> {
    course.end(&[course.failures(), course.death()?].concat())
}

/// Event-free survival with abandonment as an event: whichever comes first, the other event where both are on one day.
#[must_use]
pub fn event_free_abandonment(course: &Course) -> Option<Endpoint> {
    course.end(&[course.failures(), course.death()?, course.abandonment()].concat())
}

/// What ended the observation, and when.
type Ending = (&'static str, PartialDate);

impl Course {
    /// The earliest of the endings, the first named where two are on one day; withdrawn at last contact where there is none.
    fn end(&self, endings: &[Ending]) -> Option<Endpoint> {
        if self.death_certificate_only {
            return None;
        }
        let diagnosis = self.diagnosis?;
        let days_until = |date: &PartialDate| diagnosis.days_until(date).filter(|days| *days < u16::MAX);
        let ends = endings.iter().map(|(event, date)| Some(Endpoint { days: days_until(date)?, event }));
        match ends.collect::<Option<Vec<_>>>()?.into_iter().min_by_key(|end| end.days) {
            Some(end) => Some(end),
            None => Some(Endpoint { days: days_until(&self.last_contact?)?, event: "censored" }),
        }
    }

    /// Events before death, in the order that decides between two on one day.
    fn failures(&self) -> Vec<Ending> {
        let mut events = self.events.iter().filter(|(kind, _)| *kind != EventKind::Death).collect::<Vec<_>>();
        events.sort_by_key(|(kind, _)| *kind);
        events.into_iter().map(|(kind, date)| (kind.code(), *date)).collect()
    }

    /// The death, if there was one; `None` where nothing dates it.
    fn death(&self) -> Option<Vec<Ending>> {
        Some(if self.died() { vec![("death", self.date_of_death()?)] } else { Vec::new() })
    }

    fn abandonment(&self) -> Vec<Ending> {
        self.abandonments.iter().map(|date| ("abandonment", *date)).collect()
    }

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
        assert_eq!((ends(overall_abandonment(&course)), ends(event_free_abandonment(&course))), (None, None));
    }

    #[test]
    fn abandonment_ends_only_the_endpoints_that_count_it() {
        let course = Course { abandonments: vec![date("2014-03-01").unwrap()], ..course() };
        assert_eq!(ends(overall(&course)), Some((365, "censored")));
        assert_eq!(ends(event_free(&course)), Some((365, "censored")));
        assert_eq!(ends(overall_abandonment(&course)), Some((59, "abandonment")));
        assert_eq!(ends(event_free_abandonment(&course)), Some((59, "abandonment")));
    }

    #[test]
    fn the_earlier_of_abandonment_and_another_event_counts() {
        let abandoned = |relapse: &str, abandonments: &[&str]| Course {
            events: vec![(EventKind::Relapse, date(relapse).unwrap())],
            abandonments: abandonments.iter().filter_map(|text| date(text)).collect(),
            dead: true,
            death: date("2014-09-01"),
            ..course()
        };
        let both = |course: &Course| (ends(overall_abandonment(course)), ends(event_free_abandonment(course)));
        let first = abandoned("2014-07-01", &["2014-08-01", "2014-06-01"]);
        assert_eq!(both(&first), (Some((151, "abandonment")), Some((151, "abandonment"))));
        let later = abandoned("2014-07-01", &["2014-10-01"]);
        assert_eq!(both(&later), (Some((243, "death")), Some((181, "relapse"))));
        let same_day = abandoned("2014-07-01", &["2014-07-01"]);
        assert_eq!(both(&same_day), (Some((181, "abandonment")), Some((181, "relapse"))));
    }

    #[test]
    fn an_abandonment_without_its_day_leaves_no_endpoint_that_counts_it() {
        let course = Course { abandonments: vec![date("2014-03").unwrap()], ..course() };
        assert_eq!(ends(overall(&course)), Some((365, "censored")));
        assert_eq!(ends(overall_abandonment(&course)), None);
    }
}

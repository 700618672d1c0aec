//! Abandonment of curative treatment, and apart from it loss to follow-up and transfer: three losses that are never merged.
//!
//! SIOP PODC (Mostert and others, Lancet Oncol 2011;12:719-720): curative treatment that was not started, or was interrupted for
//! four consecutive weeks or more. Upfront refusals count. Medical contraindication, palliative intent and confirmed transfer do
//! not. Who comes back stays counted.

use node_domain::date::PartialDate;

/// Consecutive days of missed treatment from which an interruption is abandonment.
pub const MISSED_DAYS: i64 = 28;

/// Reasons to end a course that are the family's and not medicine's: codes of `end_reason`.
const LEAVING: [&str; 5] = ["refusal", "financial", "moved", "non_adherence", "lost"];

/// What is known of the treatment of one tumour.
#[derive(Debug, Clone, Copy)]
pub struct History<'a> {
    /// Whether curative treatment was offered, where the registry says so; otherwise a curative course or a refusal shows it.
    pub offered: Option<bool>,
    /// Courses, in any order.
    pub courses: &'a [Course<'a>],
    /// Events of abandonment, in any order.
    pub events: &'a [Recorded<'a>],
    /// Contact at which the transfer to another centre was confirmed.
    pub transferred_on: Option<PartialDate>,
    /// Whether the patient died.
    pub dead: bool,
    /// Date of death; where it is absent, the last contact.
    pub death: Option<PartialDate>,
    /// Latest contact of any kind.
    pub last_contact: Option<PartialDate>,
    /// Day of the extract.
    pub extract: PartialDate,
}

/// A course of treatment.
#[derive(Debug, Clone, Copy, Default)]
pub struct Course<'a> {
    /// Code of `intent`: only `curative` counts.
    pub intent: &'a str,
    /// First day.
    pub start: Option<PartialDate>,
    /// Last day; none while it goes on.
    pub end: Option<PartialDate>,
    /// Last day as planned.
    pub planned_end: Option<PartialDate>,
    /// Last treatment that the child attended.
    pub last_attended: Option<PartialDate>,
    /// Code of `end_reason`.
    pub end_reason: Option<&'a str>,
}

/// An abandonment as the registry recorded it.
#[derive(Debug, Clone, Copy)]
pub struct Recorded<'a> {
    /// Code of `abandonment_kind`; where it is absent, an interruption if a curative course was started by then.
    pub kind: Option<&'a str>,
    /// Last attended treatment, or the day of refusal.
    pub date: PartialDate,
    /// Code of `abandonment_reason`.
    pub reason: Option<&'a str>,
    /// Whether the child came back.
    pub returned: Option<bool>,
    /// When.
    pub returned_on: Option<PartialDate>,
}

/// The answer for one tumour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finding {
    /// Whether treatment was abandoned.
    pub status: Status,
    /// When: last attended treatment or day of refusal; only for the abandoned.
    pub date: Option<PartialDate>,
    /// Whether the child came back; only for the abandoned, `None` where nothing tells.
    pub returned: Option<bool>,
}

/// Whether treatment was abandoned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// No curative treatment is known to have been offered, or the child was transferred: outside the rate.
    NotEligible,
    /// The planned treatment is over and was not abandoned.
    None,
    /// Refused, or not started.
    NeverStarted,
    /// Interrupted for four weeks or more.
    Interrupted,
    /// It cannot be told yet: the planned end has not passed, or the four weeks have not.
    Open,
}

impl Status {
    /// The code of the list `abandonment`.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::NotEligible => "not_eligible",
            Self::None => "none",
            Self::NeverStarted => "never_started",
            Self::Interrupted => "interrupted",
            Self::Open => "open",
        }
    }
}

/// Whether the treatment of a tumour was abandoned.
///
/// 1. Without a curative course, an offer, or a refusal on record there is nothing to abandon; a child with other courses only
///    needs a stated offer.
/// 2. A recorded abandonment counts, the earliest first, unless its reason is a medical contraindication or completed treatment,
///    unless it lies surely after the last planned end (that is loss to follow-up), and unless fewer than 28 days were surely
///    missed. A refusal needs no 28 days where the child died first.
/// 3. A confirmed transfer takes the child out of the rate, unless it had abandoned and come back before.
/// 4. Without a record, a curative course tells: one that ended for a reason of the family's counts from the last attended day to
///    the next curative course, the planned end, death or the extract; one that goes on, and after which no other was attended,
///    counts only to the last contact, since silence of the registry is no absence of the child. All 28 days must be sure.
/// 5. Otherwise it is open until the planned end has passed. Death, no response and toxicity close it.
#[must_use]
pub fn abandonment(history: &History<'_>) -> Finding {
    let counted = history.events.iter().filter(|event| history.counts(event)).collect::<Vec<_>>();
    let curative = history.has_curative();
    let refused = history.courses.is_empty() && history.offered.is_none() && !counted.is_empty();
    if !curative && history.offered != Some(true) && !refused {
        return Finding::of(Status::NotEligible);
    }
    let verdicts = counted.iter().map(|event| history.judge(event)).collect::<Vec<_>>();
    let recorded = earliest(&verdicts);
    if let Some(transfer) = history.transferred_on {
        let came_back = recorded.filter(|finding| {
            finding.returned == Some(true) && finding.date.is_some_and(|date| date.is_surely_before(&transfer))
        });
        return came_back.unwrap_or(Finding::of(Status::NotEligible));
    }
    let lapses = history.curative().map(|course| history.lapse(course)).collect::<Vec<_>>();
    match recorded.or_else(|| earliest(&lapses)) {
        Some(finding) => finding,
        None if verdicts.iter().chain(&lapses).any(|verdict| *verdict == Verdict::Pending) => Finding::of(Status::Open),
        None if history.is_open() => Finding::of(Status::Open),
        None => Finding::of(Status::None),
    }
}

/// Whether a child was lost after therapy, from the code of `followup_status`; `None` where it is not known.
///
/// Never an abandonment: that needs treatment which was still due.
#[must_use]
pub fn lost_to_follow_up(followup_status: &str) -> Option<bool> {
    known(followup_status).then_some(followup_status == "lost_after_therapy")
}

/// Whether the transfer to another centre was confirmed, from the code of `followup_status`; `None` where it is not known.
///
/// A child who left for another centre and never arrived was not transferred.
#[must_use]
pub fn transferred(followup_status: &str) -> Option<bool> {
    known(followup_status).then_some(followup_status == "transferred_confirmed")
}

fn known(followup_status: &str) -> bool {
    !matches!(followup_status, "" | "unknown")
}

/// What one record or one course says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Abandoned(Finding),
    /// Fewer than 28 days could pass so far.
    Pending,
    Refuted,
}

/// The earliest abandonment; the child came back if it did from any of them.
fn earliest(verdicts: &[Verdict]) -> Option<Finding> {
    let abandoned = || {
        verdicts.iter().filter_map(|verdict| match verdict {
            Verdict::Abandoned(finding) => Some(*finding),
            Verdict::Pending | Verdict::Refuted => None,
        })
    };
    let first = abandoned().min_by_key(|finding| finding.date.and_then(|date| date.earliest()))?;
    let came_back = abandoned().any(|finding| finding.returned == Some(true));
    Some(Finding { returned: if came_back { Some(true) } else { first.returned }, ..first })
}

impl Finding {
    fn of(status: Status) -> Self {
        Self { status, date: None, returned: None }
    }
}

impl History<'_> {
    fn curative(&self) -> impl Iterator<Item = &Course<'_>> {
        self.courses.iter().filter(|course| course.intent == "curative")
    }

    fn has_curative(&self) -> bool {
        self.curative().next().is_some()
    }

    fn counts(&self, event: &Recorded<'_>) -> bool {
        let excused = matches!(event.reason, Some("medical_contraindication" | "completed"));
        let over = self.planned_end().is_some_and(|end| event.date.is_surely_after(&end));
        !excused && !over
    }

    /// The latest planned end of the curative courses.
    fn planned_end(&self) -> Option<PartialDate> {
        self.curative().filter_map(|course| course.planned_end).max_by_key(PartialDate::latest)
    }

    fn date_of_death(&self) -> Option<PartialDate> {
        self.death.or(self.last_contact).filter(|_| self.dead)
    }

    /// The start of the first curative course surely after a day.
    fn next_start(&self, day: &PartialDate) -> Option<PartialDate> {
        let later = self.curative().filter_map(|course| course.start).filter(|start| start.is_surely_after(day));
        later.min_by_key(PartialDate::earliest)
    }

    /// Rule 2.
    fn judge(&self, event: &Recorded<'_>) -> Verdict {
        let started =
            self.curative().filter_map(|course| course.start).any(|start| !start.is_surely_after(&event.date));
        let status = match event.kind {
            Some("never_started") => Status::NeverStarted,
            Some(_) => Status::Interrupted,
            None if started => Status::Interrupted,
            None => Status::NeverStarted,
        };
        let back = event.returned_on.or_else(|| self.next_start(&event.date));
        let returned = if back.is_some() { Some(true) } else { event.returned };
        let abandoned = Verdict::Abandoned(Finding { status, date: Some(event.date), returned });
        let died = self.date_of_death();
        let until = match (back, status) {
            (Some(back), _) => back,
            (None, _) if event.returned == Some(true) => return abandoned,
            (None, Status::NeverStarted) if died.is_some() => return abandoned,
            (None, _) => died.unwrap_or(self.extract),
        };
        match event.date.day_bounds(&until) {
            Some((_, most)) if most >= MISSED_DAYS => abandoned,
            _ if back.is_none() && died.is_none() => Verdict::Pending,
            _ => Verdict::Refuted,
        }
    }

    /// Rule 4.
    fn lapse(&self, course: &Course<'_>) -> Verdict {
        let left = course.end_reason.is_some_and(|reason| LEAVING.contains(&reason));
        let goes_on = course.end.is_none() && course.end_reason.is_none();
        let (from, seen_until) = if left {
            (course.last_attended.or(course.end), Some(self.extract))
        } else {
            (course.last_attended.filter(|day| goes_on && !self.attended_after(day)), self.last_contact)
        };
        let (Some(from), Some(seen_until)) = (from, seen_until) else { return Verdict::Refuted };
        let back = self.next_start(&from);
        let sooner = [back, self.planned_end(), self.date_of_death()].into_iter().flatten();
        let until = sooner.fold(seen_until, |until, day| if day.earliest() < until.earliest() { day } else { until });
        match from.day_bounds(&until) {
            Some((least, _)) if least >= MISSED_DAYS => Verdict::Abandoned(Finding {
                status: Status::Interrupted,
                date: Some(from),
                returned: back.map(|_| true),
            }),
            _ if left && until == self.extract => Verdict::Pending,
            _ => Verdict::Refuted,
        }
    }

    /// Whether a curative course was started or attended surely after a day.
    fn attended_after(&self, day: &PartialDate) -> bool {
        let days = self.curative().flat_map(|course| [course.start, course.last_attended, course.end]);
        days.flatten().any(|known| known.is_surely_after(day))
    }

    /// Rule 5.
    fn is_open(&self) -> bool {
        let last = self.curative().max_by_key(|course| course.start.and_then(|start| start.earliest()));
        let stopped = last.is_some_and(|last| matches!(last.end_reason, Some("no_response" | "not_tolerated")));
        if self.dead || stopped {
            return false;
        }
        match self.planned_end() {
            Some(end) => !end.is_surely_before(&self.extract),
            None => !self.has_curative() || self.curative().any(|course| course.end.is_none()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> PartialDate {
        text.parse().unwrap()
    }

    fn history<'a>(courses: &'a [Course<'a>], events: &'a [Recorded<'a>]) -> History<'a> {
        History {
            offered: None,
            courses,
            events,
            transferred_on: None,
            dead: false,
            death: None,
            last_contact: None,
            extract: date("2024-12-31"),
        }
    }

    /// Half a year of treatment, of which nothing more is known.
    fn curative() -> Course<'static> {
        Course {
            intent: "curative",
            start: Some(date("2024-01-01")),
            planned_end: Some(date("2024-06-30")),
            ..Course::default()
        }
    }

    fn completed() -> Course<'static> {
        Course { end: Some(date("2024-06-28")), end_reason: Some("completed"), ..curative() }
    }

    fn ended(reason: &'static str, last_attended: &str) -> Course<'static> {
        Course {
            end: Some(date(last_attended)),
            last_attended: Some(date(last_attended)),
            end_reason: Some(reason),
            ..curative()
        }
    }

    fn interrupted(on: &str) -> Recorded<'static> {
        Recorded { kind: Some("interrupted"), date: date(on), reason: None, returned: None, returned_on: None }
    }

    fn refused(on: &str) -> Recorded<'static> {
        Recorded { kind: Some("never_started"), ..interrupted(on) }
    }

    fn status(history: &History<'_>) -> Status {
        abandonment(history).status
    }

    #[test]
    fn without_an_offer_of_curative_treatment_there_is_nothing_to_abandon() {
        let palliative = [Course { intent: "palliative", ..curative() }];
        assert_eq!(status(&history(&[], &[])), Status::NotEligible);
        assert_eq!(status(&history(&palliative, &[])), Status::NotEligible);
        assert_eq!(status(&history(&palliative, &[refused("2024-01-05")])), Status::NotEligible);
        let offered = History { offered: Some(true), ..history(&palliative, &[]) };
        assert_eq!(status(&History { events: &[refused("2024-01-05")], ..offered }), Status::NeverStarted);
    }

    #[test]
    fn an_upfront_refusal_counts_and_shows_the_offer() {
        let found = abandonment(&history(&[], &[refused("2024-01-05")]));
        assert_eq!((found.status, found.date), (Status::NeverStarted, Some(date("2024-01-05"))));
        let contraindicated = [Recorded { reason: Some("medical_contraindication"), ..refused("2024-01-05") }];
        assert_eq!(status(&history(&[], &contraindicated)), Status::NotEligible);
        let events = [refused("2024-12-25")];
        assert_eq!(status(&history(&[], &events)), Status::Open);
        let died = History { dead: true, death: Some(date("2024-12-28")), ..history(&[], &events) };
        assert_eq!(status(&died), Status::NeverStarted);
    }

    #[test]
    fn a_refusal_taken_back_within_four_weeks_is_none() {
        let late = [Course { start: Some(date("2024-01-20")), ..completed() }];
        assert_eq!(status(&history(&late, &[refused("2024-01-05")])), Status::None);
        let too_late = [Course { start: Some(date("2024-02-02")), ..completed() }];
        let found = abandonment(&history(&too_late, &[refused("2024-01-05")]));
        assert_eq!((found.status, found.returned), (Status::NeverStarted, Some(true)));
    }

    #[test]
    fn twenty_eight_days_make_an_interruption_an_abandonment() {
        let back = |on: &str| Recorded { returned_on: Some(date(on)), ..interrupted("2024-03-01") };
        let of = |event| abandonment(&history(&[completed()], &[event]));
        assert_eq!(of(back("2024-03-28")).status, Status::None);
        let found = of(back("2024-03-29"));
        assert_eq!((found.status, found.returned), (Status::Interrupted, Some(true)));
        assert_eq!(of(Recorded { returned: Some(false), ..interrupted("2024-03-01") }).returned, Some(false));
        assert_eq!(of(interrupted("2024-03-01")).returned, None);
        // known to the month: the record is believed where 28 days are possible
        assert_eq!(
            of(Recorded { returned_on: Some(date("2024-03")), ..interrupted("2024-03-01") }).status,
            Status::Interrupted
        );
    }

    #[test]
    fn four_weeks_that_have_not_passed_leave_it_open() {
        let courses = [Course { planned_end: Some(date("2026-01-01")), ..curative() }];
        let of = |event| status(&history(&courses, &[event]));
        assert_eq!(of(interrupted("2024-12-04")), Status::Open);
        assert_eq!(of(interrupted("2024-12-03")), Status::Interrupted);
        let died = [interrupted("2024-12-04")];
        let died = History { dead: true, death: Some(date("2024-12-20")), ..history(&courses, &died) };
        assert_eq!(status(&died), Status::None);
    }

    #[test]
    fn reasons_that_are_no_abandonment_and_losses_after_therapy_are_left_out() {
        for reason in ["medical_contraindication", "completed"] {
            let event = [Recorded { reason: Some(reason), ..interrupted("2024-03-01") }];
            assert_eq!(status(&history(&[completed()], &event)), Status::None, "{reason}");
        }
        assert_eq!(status(&history(&[completed()], &[interrupted("2024-08-01")])), Status::None);
    }

    #[test]
    fn a_confirmed_transfer_is_outside_the_rate_unless_the_child_had_come_back_before() {
        let courses = [curative()];
        let transferred_on = Some(date("2024-06-01"));
        let of = |events: &[Recorded<'_>]| status(&History { transferred_on, ..history(&courses, events) });
        assert_eq!(of(&[]), Status::NotEligible);
        assert_eq!(of(&[interrupted("2024-03-01")]), Status::NotEligible);
        assert_eq!(of(&[Recorded { returned: Some(true), ..interrupted("2024-03-01") }]), Status::Interrupted);
    }

    #[test]
    fn the_earliest_of_several_counts_and_any_return_is_one() {
        let events = [Recorded { returned: Some(true), ..interrupted("2024-05-01") }, interrupted("2024-02-01")];
        let courses = [curative()];
        let found = abandonment(&history(&courses, &events));
        assert_eq!((found.date, found.returned), (Some(date("2024-02-01")), Some(true)));
    }

    #[test]
    fn a_course_ended_by_the_family_is_an_abandonment_without_a_record() {
        for reason in LEAVING {
            let courses = [ended(reason, "2024-03-01")];
            let found = abandonment(&history(&courses, &[]));
            assert_eq!((found.status, found.date), (Status::Interrupted, Some(date("2024-03-01"))), "{reason}");
        }
        for reason in ["no_response", "not_tolerated", "not_available", "completed"] {
            assert_eq!(status(&history(&[ended(reason, "2024-03-01")], &[])), Status::None, "{reason}");
        }
        let next = Course { start: Some(date("2024-03-20")), ..completed() };
        assert_eq!(status(&history(&[ended("financial", "2024-03-01"), next], &[])), Status::None);
        let next = Course { start: Some(date("2024-04-20")), ..completed() };
        assert_eq!(abandonment(&history(&[ended("financial", "2024-03-01"), next], &[])).returned, Some(true));
        // fewer than 28 days of the plan were left
        assert_eq!(status(&history(&[ended("refusal", "2024-06-10")], &[])), Status::None);
        let recent = [Course { planned_end: Some(date("2026-01-01")), ..ended("refusal", "2024-12-10") }];
        assert_eq!(status(&history(&recent, &[])), Status::Open);
    }

    #[test]
    fn a_silent_registry_makes_no_abandonment() {
        let attended = Some(date("2024-03-01"));
        let courses = [Course { last_attended: attended, planned_end: Some(date("2026-01-01")), ..curative() }];
        assert_eq!(status(&history(&courses, &[])), Status::Open);
        let seen = |on: &str| History { last_contact: Some(date(on)), ..history(&courses, &[]) };
        assert_eq!(status(&seen("2024-03-28")), Status::Open);
        assert_eq!(status(&seen("2024-03-29")), Status::Interrupted);
        let other = Course { start: Some(date("2024-03-10")), ..courses[0] };
        let both = [courses[0], Course { last_attended: Some(date("2024-05-01")), ..other }];
        assert_eq!(status(&History { courses: &both, ..seen("2024-05-10") }), Status::Open);
    }

    #[test]
    fn the_window_closes_with_the_planned_end_death_or_a_medical_stop() {
        let ending = |planned_end: Option<&str>| Course { planned_end: planned_end.map(date), ..curative() };
        assert_eq!(status(&history(&[ending(Some("2024-12-30"))], &[])), Status::None);
        assert_eq!(status(&history(&[ending(Some("2024-12-31"))], &[])), Status::Open);
        assert_eq!(status(&history(&[ending(Some("2024-12"))], &[])), Status::Open);
        assert_eq!(status(&history(&[ending(None)], &[])), Status::Open);
        assert_eq!(status(&history(&[Course { planned_end: None, ..completed() }], &[])), Status::None);
        let long = [ending(Some("2026-01-01"))];
        assert_eq!(status(&History { dead: true, ..history(&long, &[]) }), Status::None);
        let stopped = [Course { end_reason: Some("no_response"), ..ending(Some("2026-01-01")) }];
        assert_eq!(status(&history(&stopped, &[])), Status::None);
        assert_eq!(status(&History { offered: Some(true), ..history(&[], &[]) }), Status::Open);
    }

    #[test]
    fn loss_and_transfer_are_read_apart() {
        assert_eq!(
            (lost_to_follow_up("lost_after_therapy"), transferred("lost_after_therapy")),
            (Some(true), Some(false))
        );
        assert_eq!(
            (lost_to_follow_up("transferred_confirmed"), transferred("transferred_confirmed")),
            (Some(false), Some(true))
        );
        assert_eq!((lost_to_follow_up("abandoned"), transferred("abandoned")), (Some(false), Some(false)));
        assert_eq!((lost_to_follow_up("unknown"), transferred("")), (None, None));
    }

    #[test]
    fn codes_are_those_of_the_list() {
        let all = [Status::NotEligible, Status::None, Status::NeverStarted, Status::Interrupted, Status::Open];
        assert_eq!(all.map(Status::code), ["not_eligible", "none", "never_started", "interrupted", "open"]);
    }
}

//! `telemedicine`, `case_discussions`, `trainings`, `agreements`, `recommendations`: what the alliance does together.

use std::collections::{BTreeSet, HashMap, HashSet};

use node_domain::date::PartialDate;

use super::{
    places::year_and_month,
    sheet::{Sheet, SheetError},
};
use crate::{
    case::{Cases, year},
    derive::interval::between,
    registry::Row,
};

/// Fills `telemedicine`.
///
/// # Errors
/// Where a field is not in the dictionary.
pub fn fill_sessions(sheet: &mut Sheet<'_>, cases: &Cases<'_>) -> Result<(), SheetError> {
    let mut discussed: HashMap<&str, HashSet<&str>> = HashMap::new();
    for discussion in cases.registry.rows("case_discussion") {
        discussed.entry(discussion.value("session_id")).or_default().insert(discussion.value("case_id"));
    }
    for session in cases.registry.rows("session") {
        let (year, month) = year_and_month(session.date("date"));
        // a registry that keeps no discussions does not know of none
        let cases_discussed = discussed.get(session.value("session_id")).map_or(0, HashSet::len);
        let cases_discussed = u16::try_from(cases_discussed).ok().filter(|_| !discussed.is_empty());
        let countries = session.some("countries").map(|list| list.split(';').collect::<BTreeSet<_>>().len());
        sheet
            .row("")
            .number("year", year)?
            .number("month", month)?
            .code("kind", session.some("kind"))?
            .code("status", session.some("status"))?
            .code("host_country", session.some("host_country"))?
            .number("duration_min", session.number::<u16>("duration_min"))?
            .number("cases", cases_discussed)?
            .number("countries_count", countries.and_then(|count| u16::try_from(count).ok()))?;
    }
    Ok(())
}

/// Fills `case_discussions`. A case that is, in any of its sessions, said to be a patient of the registry is that person; another
/// one is a person of its own.
///
/// # Errors
/// Where a field is not in the dictionary.
pub fn fill_discussions(sheet: &mut Sheet<'_>, cases: &Cases<'_>) -> Result<(), SheetError> {
    let sessions: HashMap<&str, Row<'_>> =
        cases.registry.rows("session").map(|session| (session.value("session_id"), session)).collect();
    let patients: HashMap<&str, &str> = cases
        .registry
        .rows("case_discussion")
        .filter_map(|discussion| Some((discussion.value("case_id"), discussion.some("patient_id")?)))
        .collect();
    for discussion in cases.registry.rows("case_discussion") {
        let session = sessions.get(discussion.value("session_id"));
        let (requested, held) = (discussion.time("requested_at"), discussion.time("discussed_at"));
        let case = discussion.value("case_id");
        let person = patients.get(case).copied().unwrap_or(case);
        let mut row = sheet.row(person);
        row.number("year", year(requested.map(|time| time.date())))?
            .code("session_kind", session.and_then(|session| session.some("kind")))?
            .code("host_country", session.and_then(|session| session.some("host_country")))?
            .number("days_to_discussion", requested.zip(held).and_then(|(from, to)| from.days_until(&to)))?
            .answer("changed_management", discussion.answer("changed_management"))?;
        for field in ["question", "urgency", "complexity", "recommendation", "adopted"] {
            row.code(field, discussion.some(field))?;
        }
        if discussion.value("question") == "second_opinion" {
            row.answer("second_opinion_given", discussion.some("opinion_given_at").map(|_| true))?;
        }
    }
    Ok(())
}

/// Fills `trainings`.
///
/// # Errors
/// Where a field is not in the dictionary.
pub fn fill_trainings(sheet: &mut Sheet<'_>, cases: &Cases<'_>) -> Result<(), SheetError> {
    const ROLES: [&str; 4] = ["attendees_physicians", "attendees_nurses", "attendees_families", "attendees_other"];
    for training in cases.registry.rows("training") {
        let counts: Vec<i64> = ROLES.iter().filter_map(|role| training.number(role)).collect();
        let attendees = (!counts.is_empty()).then(|| counts.iter().sum::<i64>());
        // the bounds of the field take care of what no u16 holds
        let tenths = training.number::<f64>("hours").map(|hours| (hours * 10.0).round() as i64);
        sheet
            .row("")
            .number("year", year(training.date("date")))?
            .code("kind", training.some("kind"))?
            .code("topic", training.some("topic"))?
            .code("host_country", training.some("host_country"))?
            .number("hours_tenths", tenths)?
            .number("attendees", attendees)?;
    }
    Ok(())
}

/// Fills `agreements`.
///
/// # Errors
/// Where a field is not in the dictionary.
pub fn fill_agreements(sheet: &mut Sheet<'_>, cases: &Cases<'_>) -> Result<(), SheetError> {
    for agreement in cases.registry.rows("agreement") {
        let [made, due, closed, resumed] =
            ["session_date", "due_on", "closed_on", "supply_resumed_on"].map(|field| agreement.date(field));
        let extract = PartialDate::from(cases.extract);
        let mut row = sheet.row("");
        row.code("group", agreement.some("group"))?
            .number("session_no", agreement.number::<u16>("session_no"))?
            .number("year", year(made))?
            .code("topic", agreement.some("topic"))?
            .code("medicine", agreement.some("inn"))?
            .code("region", cases.region(&agreement, "region"))?
            .yes_no("closed", closed.is_some())?
            .answer("on_time", on_time(due, closed, &extract))?
            .number("days_to_close", between(made, closed).days())?;
        if closed.is_none() {
            row.number("open_days", between(made, Some(extract)).days())?;
        }
        if agreement.some("inn").is_some() {
            row.answer("supply_resumed", Some(resumed.is_some()))?
                .number("days_to_supply", between(made, resumed).days())?;
        }
    }
    Ok(())
}

/// Closed by the due date, closed or still open after it, or open before it (not known).
fn on_time(due: Option<PartialDate>, closed: Option<PartialDate>, extract: &PartialDate) -> Option<bool> {
    let due = due?;
    match closed {
        Some(closed) if due.is_surely_before(&closed) => Some(false),
        Some(closed) => closed.latest().zip(due.earliest()).is_some_and(|(closed, due)| closed <= due).then_some(true),
        None => due.is_surely_before(extract).then_some(false),
    }
}

/// Fills `recommendations`.
///
/// # Errors
/// Where a field is not in the dictionary.
pub fn fill_recommendations(sheet: &mut Sheet<'_>, cases: &Cases<'_>) -> Result<(), SheetError> {
    for recommendation in cases.registry.rows("recommendation") {
        let [issued, answered, adopted] =
            ["issued_on", "answered_on", "adopted_on"].map(|field| recommendation.date(field));
        sheet
            .row("")
            .number("year", year(issued))?
            .code("topic", recommendation.some("topic"))?
            .code("country", recommendation.some("country"))?
            .code("answer", recommendation.some("answer"))?
            .yes_no("adopted", adopted.is_some())?
            .number("days_to_answer", between(issued, answered).days())?
            .number("days_to_adoption", between(issued, adopted).days())?;
    }
    Ok(())
}

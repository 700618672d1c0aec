//! `referrals`: one row per referral between hospitals.

use super::sheet::{Sheet, SheetError};
use crate::case::{Cases, age_band_on, year};

/// Fills the table.
///
/// # Errors
/// Where a field is not in the dictionary.
pub fn fill(sheet: &mut Sheet<'_>, cases: &Cases<'_>) -> Result<(), SheetError> {
    for referral in cases.registry.rows("referral") {
        let Some(patient) = cases.patients.get(referral.value("patient_id")) else { continue };
        let [requested, accepted, arrived] =
            ["requested_at", "accepted_at", "arrived_at"].map(|field| referral.time(field));
        let date = requested.map(|time| time.date());
        let days = |to: Option<_>| requested.zip(to).and_then(|(from, to)| from.days_until(&to));
        let was_accepted =
            if accepted.is_some() { Some(true) } else { referral.some("declined_reason").map(|_| false) };
        sheet
            .row(patient.value("patient_id"))
            .number("year", year(date))?
            .code("reason", referral.some("reason"))?
            .code("capability_needed", referral.some("capability_needed"))?
            .answer("accepted", was_accepted)?
            .answer("arrived", arrived.map(|_| true).or(was_accepted.filter(|accepted| !accepted)))?
            .code("declined_reason", referral.some("declined_reason"))?
            .number("days_to_accept", days(accepted))?
            .number("days_to_arrive", days(arrived))?
            .code("from_level", cases.level(&referral, "from_facility"))?
            .code("to_level", cases.level(&referral, "to_facility"))?
            .code("age_band", age_band_on(Some(patient), date))?
            .code("sex", patient.some("sex"))?;
    }
    Ok(())
}

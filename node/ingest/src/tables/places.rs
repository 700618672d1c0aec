//! `facilities`, `ward_months` and `population`: hospitals, their wards, and the people around them.

use super::sheet::{Sheet, SheetError};
use crate::case::{Cases, month, year};

/// Fills `facilities`.
///
/// # Errors
/// Where a field is not in the dictionary.
pub fn fill_facilities(sheet: &mut Sheet<'_>, cases: &Cases<'_>) -> Result<(), SheetError> {
    const CAPABILITIES: [&str; 10] = [
        "chemo_preparation",
        "PICU",
        "radiotherapy",
        "flow_cytometry",
        "MRD",
        "molecular",
        "transplant",
        "neurosurgery",
        "ophthalmology",
        "palliative",
    ];
    for facility in cases.registry.rows("facility") {
        let closed = facility.date("closed_on").and_then(|date| date.earliest());
        let opened = facility.date("opened_on").and_then(|date| date.earliest());
        let open = closed.is_none_or(|day| day > cases.extract) && opened.is_none_or(|day| day <= cases.extract);
        let mut row = sheet.row(facility.value("facility_id"));
        row.code("level", facility.some("level"))?
            .code("country", facility.some("country"))?
            .code("region", cases.region(&facility, "region"))?
            .answer("reference_centre", facility.answer("reference_centre"))?
            .yes_no("active", open)?;
        // a hospital that declares none at all was perhaps not asked
        for capability in CAPABILITIES.iter().filter(|_| facility.some("capability").is_some()) {
            let declared = facility.value("capability").split(';').any(|one| one == *capability);
            row.yes_no(&format!("cap_{}", capability.to_lowercase()), declared)?;
        }
    }
    Ok(())
}

/// Fills `ward_months`.
///
/// # Errors
/// Where a field is not in the dictionary.
pub fn fill_ward_months(sheet: &mut Sheet<'_>, cases: &Cases<'_>) -> Result<(), SheetError> {
    for ward in cases.registry.rows("ward_month") {
        let date = ward.date("month");
        let facility = cases.facilities.get(ward.value("facility_id"));
        let number = ward.value("month").get(5..).and_then(|month| month.parse::<u16>().ok());
        let mut row = sheet.row(ward.value("facility_id"));
        row.number("year", year(date))?
            .number("month", number)?
            .code("facility_level", cases.level(&ward, "facility_id"))?
            .code("region", facility.and_then(|facility| cases.region(facility, "region")))?;
        for field in ["inpatient_days", "assessments_due", "assessments_done"] {
            row.amount(field, ward.number(field))?;
        }
    }
    Ok(())
}

/// Fills `population`.
///
/// # Errors
/// Where a field is not in the dictionary.
pub fn fill_population(sheet: &mut Sheet<'_>, cases: &Cases<'_>) -> Result<(), SheetError> {
    for population in cases.registry.rows("population") {
        sheet
            .row("")
            .number("year", population.number::<u16>("year"))?
            .code("sex", population.some("sex"))?
            .code("age_band", population.some("age_band"))?
            .code("region", cases.region(&population, "region"))?
            .amount("person_years", population.number("person_years"))?;
    }
    Ok(())
}

/// Year and month of an activity's date.
pub(super) fn year_and_month(date: Option<node_domain::date::PartialDate>) -> (Option<u16>, Option<u16>) {
    (year(date), month(date))
}

//! `stock`: one row per hospital, medicine, group of forms and month.

use std::collections::BTreeMap;

use super::sheet::{Sheet, SheetError};
use crate::{
    case::Cases,
    derive::stock_month::{Spell, State, stock_months},
};

/// Fills the table: the medicines of a hospital's formulary, or, where it states none, those that it reports; from its first
/// reported day to the extract. A medicine of the formulary that was never reported has its months too, all of them not reported.
///
/// # Errors
/// Where a field is not in the dictionary.
pub fn fill(sheet: &mut Sheet<'_>, cases: &Cases<'_>) -> Result<(), SheetError> {
    let mut spells: BTreeMap<&str, BTreeMap<(&str, &str), Vec<Spell>>> = BTreeMap::new();
    for row in cases.registry.rows("stock_spell") {
        let start = row.date("start_date").and_then(|date| date.day());
        let Some((state, start)) = State::of_code(row.value("state")).zip(start) else { continue };
        // a spell that lasts is known to last up to the day on which its own file was taken from the source
        let end = row.date("end_date").and_then(|date| date.latest()).or(Some(row.extracted_on()));
        let holding = (row.value("inn"), row.value("form_group"));
        spells.entry(row.value("facility_id")).or_default().entry(holding).or_default().push(Spell {
            state,
            start,
            end,
        });
    }
    for (facility, mut holdings) in spells {
        let Some(row) = cases.facilities.get(facility) else { continue };
        let formulary: Vec<&str> = row.value("formulary").split(';').filter(|inn| !inn.is_empty()).collect();
        let first = holdings.values().flatten().map(|spell| spell.start).min();
        for inn in &formulary {
            if !holdings.keys().any(|(known, _)| known == inn) {
                holdings.insert((inn, ""), Vec::new());
            }
        }
        for ((inn, form), spells) in holdings {
            let eligible = formulary.is_empty() || formulary.contains(&inn);
            let from = spells.iter().map(|spell| spell.start).min().or(first);
            let Some(from) = from else { continue };
            months(sheet, cases, facility, (inn, form), &stock_months(&spells, eligible, from, cases.extract))?;
        }
    }
    Ok(())
}

fn months(
    sheet: &mut Sheet<'_>,
    cases: &Cases<'_>,
    facility: &str,
    (inn, form): (&str, &str),
    months: &[crate::derive::stock_month::StockMonth],
) -> Result<(), SheetError> {
    let place = cases.facilities.get(facility);
    for month in months {
        sheet
            .row(facility)
            .code("medicine", Some(inn))?
            .code("form_group", Some(form))?
            .number("year", Some(month.year))?
            .number("month", Some(month.month))?
            .code("facility_level", place.and_then(|place| place.some("level")))?
            .code("region", place.and_then(|place| cases.region(place, "region")))?
            .number("days_in_stock", Some(month.days_in_stock))?
            .number("days_out", Some(month.days_out))?
            .number("days_not_reported", Some(month.days_not_reported))?
            .code("state", Some(month.state()))?;
    }
    Ok(())
}

//! Rules on stock: spells of one medicine in one hospital do not overlap, and what was never reported is missing.

use std::collections::{BTreeMap, HashSet};

use chrono::NaiveDate;

use crate::{case::Cases, quality::evaluate::Found, registry::Row};

/// A hospital's medicine in one group of forms.
type Holding<'c> = (&'c str, &'c str, &'c str);

struct Dated<'c> {
    row: Row<'c>,
    start: NaiveDate,
    /// Last day that it surely tells of.
    end: NaiveDate,
    /// Whether it lasts still.
    open: bool,
}

fn holdings<'c>(cases: &Cases<'c>) -> BTreeMap<Holding<'c>, Vec<Dated<'c>>> {
    let mut holdings: BTreeMap<_, Vec<Dated<'c>>> = BTreeMap::new();
    for row in cases.registry.rows("stock_spell") {
        let Some(start) = row.date("start_date").and_then(|date| date.day()) else { continue };
        let told = row.date("end_date").and_then(|date| date.earliest());
        let (end, open) = (told.unwrap_or(cases.extract), told.is_none());
        let holding = (row.value("facility_id"), row.value("inn"), row.value("form_group"));
        holdings.entry(holding).or_default().push(Dated { row, start, end, open });
    }
    for spells in holdings.values_mut() {
        spells.sort_by_key(|spell| (spell.start, spell.end));
    }
    holdings
}

/// Spells that begin before an earlier one of the same medicine and hospital has ended.
#[must_use]
pub fn overlapping<'c>(cases: &Cases<'c>) -> Vec<Row<'c>> {
    overlaps(cases, |_| true)
}

/// Of spells that tell of the same day the later one; but of a spell that was never closed and one that followed it, the one that was
/// not closed: the later one is what became of the stock.
fn overlaps<'c>(cases: &Cases<'c>, counts: impl Fn(&Dated<'c>) -> bool) -> Vec<Row<'c>> {
    let mut rows = Vec::new();
    for spells in holdings(cases).values() {
        let mut latest: Option<&Dated<'_>> = None;
        for spell in spells.iter().filter(|spell| counts(spell)) {
            match latest {
                Some(earlier) if earlier.open && earlier.start < spell.start => {
                    rows.push(earlier.row);
                    latest = Some(spell);
                }
                Some(earlier) if spell.start <= earlier.end => {
                    rows.push(spell.row);
                    latest = if spell.end > earlier.end { Some(spell) } else { latest };
                }
                _ => latest = Some(spell),
            }
        }
    }
    rows
}

/// Spells because of which the days in stock, out and not reported sum to more than the days that there were. Days that no spell
/// tells of are not reported, so the sum is never too small.
#[must_use]
pub fn days_counted_twice<'c>(cases: &Cases<'c>) -> Vec<Row<'c>> {
    overlaps(cases, |spell| spell.start <= spell.end)
}

/// Medicines of a hospital of which more days were observed than lie between the first and the last of them.
#[must_use]
pub fn facility_days(cases: &Cases<'_>) -> Vec<Found> {
    let days = |from: NaiveDate, to: NaiveDate| ((to - from).num_days() + 1).max(0);
    let exceed = |spells: &Vec<Dated<'_>>| {
        let observed: i64 = spells.iter().map(|spell| days(spell.start, spell.end)).sum();
        let first = spells.iter().map(|spell| spell.start).min();
        let last = spells.iter().map(|spell| spell.end).max();
        first.zip(last).is_some_and(|(first, last)| observed > days(first, last))
    };
    let holdings = holdings(cases);
    let beyond = holdings.iter().filter(|(_, spells)| exceed(spells));
    beyond
        .map(|((facility, inn, form), _)| Found {
            collection: "aggregate".to_owned(),
            key: [facility, inn, form].map(|part| (*part).to_owned()).to_vec(),
            origin: None,
        })
        .collect()
}

/// Medicines that a hospital should hold and of which it never reported anything: missing, not in stock.
#[must_use]
pub fn expected_unreported(cases: &Cases<'_>) -> Vec<Found> {
    let reported: HashSet<(&str, &str)> =
        cases.registry.rows("stock_spell").map(|spell| (spell.value("facility_id"), spell.value("inn"))).collect();
    let mut found = Vec::new();
    for facility in cases.registry.rows("facility") {
        let id = facility.value("facility_id");
        let formulary = facility.value("formulary").split(';').filter(|inn| !inn.is_empty());
        for inn in formulary.filter(|inn| !reported.contains(&(id, *inn))) {
            found.push(Found {
                collection: "facility".to_owned(),
                key: vec![id.to_owned(), inn.to_owned()],
                origin: Some(facility.origin()),
            });
        }
    }
    found
}

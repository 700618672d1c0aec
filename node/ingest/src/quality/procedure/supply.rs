//! Rules on stock: spells of one medicine in one hospital do not overlap, and what was never reported is missing.

use std::collections::{BTreeMap, HashSet};

use chrono::NaiveDate;

use crate::{
    case::Cases,
    quality::{aggregate::PERIOD, evaluate::Found},
    registry::Row,
};

/// A hospital's medicine in one group of forms.
type Holding<'c> = (&'c str, &'c str, &'c str);

struct Dated<'c> {
    row: Row<'c>,
    start: NaiveDate,
    end: NaiveDate,
}

fn holdings<'c>(cases: &Cases<'c>) -> BTreeMap<Holding<'c>, Vec<Dated<'c>>> {
    let mut holdings: BTreeMap<_, Vec<Dated<'c>>> = BTreeMap::new();
    for row in cases.registry.rows("stock_spell") {
        let Some(start) = row.date("start_date").and_then(|date| date.day()) else { continue };
        let end = row.date("end_date").and_then(|date| date.latest()).unwrap_or(cases.extract);
        let holding = (row.value("facility_id"), row.value("inn"), row.value("form_group"));
        holdings.entry(holding).or_default().push(Dated { row, start, end });
    }
    for spells in holdings.values_mut() {
        spells.sort_by_key(|spell| (spell.start, spell.end));
    }
    holdings
}

/// Spells that begin before an earlier one of the same medicine and hospital has ended.
#[must_use]
pub fn overlapping<'c>(cases: &Cases<'c>) -> Vec<Row<'c>> {
    let mut rows = Vec::new();
    for spells in holdings(cases).values() {
        let mut latest: Option<NaiveDate> = None;
        for spell in spells {
            if latest.is_some_and(|latest| spell.start <= latest) {
                rows.push(spell.row);
            }
            latest = latest.max(Some(spell.end));
        }
    }
    rows
}

/// Spells after which days lie that no spell tells of, before the next one begins; and spells that tell of days which an earlier
/// one told of.
#[must_use]
pub fn days_missing_or_twice<'c>(cases: &Cases<'c>) -> Vec<Row<'c>> {
    let mut rows = Vec::new();
    for spells in holdings(cases).values() {
        let mut told: Option<NaiveDate> = None;
        for (at, spell) in spells.iter().enumerate() {
            if told.is_some_and(|told| spell.start <= told && spell.start <= spell.end) {
                rows.push(spell.row);
            }
            // a spell that ends before it begins tells of no day
            told = told.or_else(|| spell.start.pred_opt()).max(Some(spell.end));
            let next = spells.get(at + 1).map(|next| next.start);
            if next.zip(told.and_then(|told| told.succ_opt())).is_some_and(|(next, day)| next > day) {
                rows.push(spell.row);
            }
        }
    }
    rows
}

/// Whether any medicine of a hospital has more days observed than lie between the first and the last of them: one finding for the
/// whole period.
#[must_use]
pub fn facility_days(cases: &Cases<'_>) -> Option<Found> {
    let days = |from: NaiveDate, to: NaiveDate| ((to - from).num_days() + 1).max(0);
    let exceed = |spells: &Vec<Dated<'_>>| {
        let observed: i64 = spells.iter().map(|spell| days(spell.start, spell.end)).sum();
        let first = spells.iter().map(|spell| spell.start).min();
        let last = spells.iter().map(|spell| spell.end).max();
        first.zip(last).is_some_and(|(first, last)| observed > days(first, last))
    };
    let beyond = holdings(cases).values().any(exceed);
    beyond.then(|| Found { collection: "aggregate".to_owned(), key: vec![PERIOD.to_owned()], origin: None })
}

/// Hospitals that should hold a medicine of which they never reported anything: it is missing, not in stock.
#[must_use]
pub fn expected_unreported<'c>(cases: &Cases<'c>) -> Vec<Row<'c>> {
    let reported: HashSet<(&str, &str)> =
        cases.registry.rows("stock_spell").map(|spell| (spell.value("facility_id"), spell.value("inn"))).collect();
    let silent = |facility: &Row<'c>| {
        let id = facility.value("facility_id");
        let mut formulary = facility.value("formulary").split(';').filter(|inn| !inn.is_empty());
        formulary.any(|inn| !reported.contains(&(id, inn)))
    };
    cases.registry.rows("facility").filter(silent).collect()
}

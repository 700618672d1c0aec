//! QK: spells of stock.

use std::collections::HashSet;

use super::{PlantError, bed::Bed};
use crate::draw::{between, days, plus, shuffle};

/// Medicines that no synthetic formulary lists.
const UNSTOCKED: &[&str] = &["temozolomide", "lomustine", "busulfan", "thiotepa", "imatinib", "rituximab"];

pub(super) fn plant(bed: &mut Bed<'_>, count: usize) -> Result<(), PlantError> {
    match bed.rule {
        "QK01" => {
            for row in spells(bed, count, 8)? {
                if let Some(start) = bed.date("stock_spell", row, "start_date") {
                    bed.set("stock_spell", row, "end_date", plus(start, -3));
                }
                bed.record("stock_spell", row);
            }
            Ok(())
        }
        "QK02" => {
            for row in spells(bed, count, 60)? {
                let row = report_again(bed, row);
                record_holding(bed, row);
                bed.record_implied("QK01", "stock_spell", row);
                bed.record_implied("QK04", "stock_spell", row);
            }
            Ok(())
        }
        "QK03" => unreported(bed, count),
        _ => {
            for row in spells(bed, count, 60)? {
                let row = report_again(bed, row);
                bed.record("stock_spell", row);
                bed.record_implied("QK01", "stock_spell", row);
                record_holding(bed, row);
            }
            Ok(())
        }
    }
}

/// A second spell inside one: its days are counted twice. Returns its row.
fn report_again(bed: &mut Bed<'_>, row: usize) -> usize {
    let mut copy = bed.registry.rows("stock_spell")[row].clone();
    let start = bed.date("stock_spell", row, "start_date").unwrap_or_default();
    let length = between(&mut bed.rng, 5, 30);
    if let Some(spells) = bed.registry.collections.get_mut("stock_spell")
        && let (Some(first), Some(last)) = (spells.column("start_date"), spells.column("end_date"))
    {
        copy[first] = plus(start, 10).to_string();
        copy[last] = plus(start, 10 + length).to_string();
        spells.rows.push(copy);
    }
    bed.registry.rows("stock_spell").len() - 1
}

/// QK02 is about a medicine of a hospital in one form, of which more days are reported than there were.
fn record_holding(bed: &mut Bed<'_>, row: usize) {
    let holding = ["facility_id", "inn", "form_group"].map(|column| bed.get("stock_spell", row, column).to_owned());
    bed.registry.record("QK02", "aggregate", holding.to_vec());
}

/// QK03: a formulary with a medicine that was never reported; the key is the hospital and the medicine.
fn unreported(bed: &mut Bed<'_>, count: usize) -> Result<(), PlantError> {
    let rows = bed.registry.rows("facility").len();
    let lists = |bed: &Bed<'_>, row: usize, inn: &str| {
        bed.get("facility", row, "formulary").split(';').any(|listed| listed == inn)
    };
    let mut candidates: Vec<(usize, &str)> = (0..rows)
        .filter(|row| !bed.get("facility", *row, "formulary").is_empty())
        .flat_map(|row| UNSTOCKED.iter().map(move |inn| (row, *inn)))
        .filter(|(row, inn)| !lists(bed, *row, inn))
        .collect();
    shuffle(&mut bed.rng, &mut candidates);
    for (row, inn) in bed.take(candidates, count)? {
        let formulary = format!("{};{inn}", bed.get("facility", row, "formulary"));
        bed.set("facility", row, "formulary", formulary);
        let key = vec![bed.get("facility", row, "facility_id").to_owned(), inn.to_owned()];
        bed.registry.record("QK03", "facility", key);
    }
    Ok(())
}

/// Closed spells of so many days at least, each of another medicine and hospital, none of which breaks a rule yet.
fn spells(bed: &mut Bed<'_>, count: usize, least: i64) -> Result<Vec<usize>, PlantError> {
    let pair = |bed: &Bed<'_>, row: usize| -> (String, String) {
        (bed.get("stock_spell", row, "facility_id").to_owned(), bed.get("stock_spell", row, "inn").to_owned())
    };
    let mut taken: HashSet<(String, String)> = bed
        .registry
        .planted
        .values()
        .flatten()
        .filter(|planted| planted.collection == "stock_spell" || planted.key.len() == 3)
        .filter_map(|planted| Some((planted.key.first()?.clone(), planted.key.get(1)?.clone())))
        .collect();
    let mut rows: Vec<usize> = (0..bed.registry.rows("stock_spell").len())
        .filter(|row| {
            let (start, end) = (bed.date("stock_spell", *row, "start_date"), bed.date("stock_spell", *row, "end_date"));
            start.zip(end).is_some_and(|(start, end)| days(start, end) >= least)
        })
        .collect();
    shuffle(&mut bed.rng, &mut rows);
    rows.retain(|row| taken.insert(pair(bed, *row)));
    bed.take(rows, count)
}

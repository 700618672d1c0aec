//! The registry under attack, with some patients held back: they arrive between snapshots, a few at a time.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use anyhow::Context;
use chrono::NaiveDate;
use node_synthetic::{Plan, Registry, schema::SHAPES};

/// A country whose numbers are small enough to hide, and large enough to show.
const COUNTRY: &str = "UY";
/// How many patients are held back.
const HELD_BACK: usize = 60;

/// A registry in two parts: what is loaded first, and what arrives later.
pub(crate) struct Arrivals {
    first: Registry,
    /// One registry per patient, in order of arrival.
    later: Vec<Registry>,
}

impl Arrivals {
    /// The registry of the country under attack.
    pub(crate) fn of(seed: u64, extract: NaiveDate) -> anyhow::Result<Self> {
        let whole = node_synthetic::country(&Plan::new(seed, extract), COUNTRY).context("no such synthetic country")?;
        let patients = &whole.collections.get("patient").context("no patients")?.rows;
        // every so many, so that they are of all years
        let step = (patients.len() / HELD_BACK).max(2);
        let id = whole.collections.get("patient").and_then(|one| one.column("patient_id")).context("no patient_id")?;
        let keys: Vec<String> = patients.iter().step_by(step).take(HELD_BACK).map(|row| row[id].clone()).collect();
        let held: BTreeSet<&str> = keys.iter().map(String::as_str).collect();
        let first = part(&whole, |owner| owner.is_none_or(|owner| !held.contains(owner)));
        let later = keys.iter().map(|key| part(&whole, |owner| owner == Some(key.as_str()))).collect();
        Ok(Self { first, later })
    }

    /// Writes what is loaded first.
    pub(crate) fn write_first(&self, folder: &Path) -> anyhow::Result<()> {
        Ok(node_synthetic::write::to_folder(&self.first, folder)?)
    }

    /// Writes the rows of some patients who arrive, each collection that has any.
    pub(crate) fn write_later(&self, from: usize, count: usize, folder: &Path) -> anyhow::Result<usize> {
        let arriving: Vec<&Registry> = self.later.iter().skip(from).take(count).collect();
        let Some(first) = arriving.first() else { return Ok(0) };
        let mut registry = Registry { country: first.country, collections: BTreeMap::new(), planted: BTreeMap::new() };
        for one in &arriving {
            for (name, collection) in one.collections.iter().filter(|(_, collection)| !collection.rows.is_empty()) {
                let into = registry.collections.entry(name).or_insert_with(|| {
                    let mut empty = collection.clone();
                    empty.rows.clear();
                    empty
                });
                into.rows.extend(collection.rows.iter().cloned());
            }
        }
        node_synthetic::write::to_folder(&registry, folder)?;
        Ok(arriving.len())
    }
}

/// The rows that belong to the patients for whom `keep` says so; rows of nobody are asked for with none.
fn part(whole: &Registry, keep: impl Fn(Option<&str>) -> bool) -> Registry {
    // which patient a key belongs to, by column: a row that names a key belongs to the same patient
    let mut owner: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    let mut collections = BTreeMap::new();
    for shape in SHAPES {
        let Some(collection) = whole.collections.get(shape.name) else { continue };
        let mut kept = collection.clone();
        kept.rows.clear();
        for row in &collection.rows {
            let named = |wanted: &str| collection.column(wanted).map(|at| row[at].as_str()).filter(|id| !id.is_empty());
            let ids = || collection.header.iter().zip(row).filter(|(column, _)| column.ends_with("_id"));
            let of_keys = || ids().find_map(|(column, cell)| owner.get(&(*column, cell.as_str())).copied());
            let of_row = named("patient_id").or_else(of_keys);
            if let Some(of_row) = of_row {
                for (column, cell) in ids().filter(|(column, _)| shape.key.contains(column)) {
                    owner.entry((*column, cell)).or_insert(of_row);
                }
            }
            if keep(of_row) {
                kept.rows.push(row.clone());
            }
        }
        collections.insert(shape.name, kept);
    }
    Registry { country: whole.country, collections, planted: BTreeMap::new() }
}

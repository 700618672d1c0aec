//! Catalogue mix: the catalogue's exact numbers subtracted from ad hoc answers.
//!
//! The catalogue is suppressed jointly, so nothing in it determines a hidden cell. An ad hoc answer about a hidden cell together
//! with a shown one, less the shown one, does, wherever ad hoc answers are exact and are not audited with the catalogue. Behind
//! noise it leaves one noisy number: the catalogue's part adds no noise.

use node_protocol::{envelope::CatalogueEntry, query::Condition};
use rand::seq::SliceRandom;

use crate::{
    attacker::Attacker,
    attacks::{STEADY, two_sets::difference},
    grid::{Grid, not},
    target::{Target, Tier},
};

pub(super) async fn attack<T: Target>(attacker: &mut Attacker<'_, T>) {
    let entries = attacker.target.catalogue().await.unwrap_or_default();
    let table = attacker.count(&[], &[]).table;
    let tables: Vec<(CatalogueEntry, Grid)> = entries
        .into_iter()
        .filter(|entry| entry.query.table == table)
        .filter_map(|entry| Grid::of(&entry.answer, &entry.query.by).map(|grid| (entry, grid)))
        .collect();
    let tiers = attacker.tiers(&STEADY);
    for tier in &tiers {
        attacker.begin(tiers.len());
        for (entry, grid) in &tables {
            in_table(attacker, *tier, &tables, entry, grid).await;
        }
    }
}

async fn in_table<T: Target>(
    attacker: &mut Attacker<'_, T>,
    tier: Tier,
    tables: &[(CatalogueEntry, Grid)],
    entry: &CatalogueEntry,
    grid: &Grid,
) {
    let rows = &entry.query.conditions;
    let Some(truth) = attacker.truth(rows, &grid.by) else { return };
    let total = tables.iter().find(|(other, _)| other.query.by.is_empty() && other.query.conditions == *rows);
    let mut shown: Vec<_> = grid.cells.iter().filter(|(_, seen)| seen.is_exact()).collect();
    shown.shuffle(&mut attacker.rng);
    for codes in attacker.choose(grid, 8) {
        if attacker.left() < 2 {
            return;
        }
        let (Some(own), Some(truth)) = (grid.seen(&codes), truth.truth(&codes)) else { continue };
        let set = Condition::All(grid.conditions(&codes));
        let mut belief = own;
        for (other, n) in shown.iter().filter(|(other, _)| **other != codes).take(2) {
            let union = Condition::Any(vec![set.clone(), Condition::All(grid.conditions(other))]);
            let conditions: Vec<Condition> = rows.iter().cloned().chain([union]).collect();
            if let Some(both) = attacker.one(tier, &conditions).await {
                belief = belief.meet(&difference(&both, n, &own));
            }
        }
        if let Some(total) = total.and_then(|(_, total)| total.seen(&[])) {
            let conditions: Vec<Condition> = rows.iter().cloned().chain([not(set)]).collect();
            if let Some(rest) = attacker.one(tier, &conditions).await {
                belief = belief.meet(&difference(&total, &rest, &own));
            }
        }
        attacker.claim(tier, &belief, truth);
    }
}

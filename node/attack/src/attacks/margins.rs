//! Margins: bounds on hidden cells from all margins that are shown.
//!
//! Rows and columns of a table, and tables that share fields, tie the hidden cells together. What a single subtraction does not
//! give, a linear programme does: the least and the greatest value that each hidden cell can have (Dobra & Fienberg 2000, Bounds
//! for cell entries in contingency tables given marginal totals; Hundepool et al. 2012, Statistical Disclosure Control, section
//! 4.4). Where both are one whole number, the cell is known. It is run over exact answers, over the catalogue and over noisy
//! answers with their bounds; noisy margins also give a better estimate by least squares.

use std::collections::BTreeMap;

use node_protocol::query::{Condition, Query};

use crate::{
    attacker::Attacker,
    attacks::STEADY,
    grid::{Codes, Grid},
    knowledge::Knowledge,
    seen::{Estimate, Seen},
    target::{Target, Tier},
};

/// The most cells of the finest table.
const MOST_ATOMS: usize = 420;
/// Hidden cells that are bounded per table.
const MOST_TARGETS: usize = 40;

pub(super) async fn attack<T: Target>(attacker: &mut Attacker<'_, T>) {
    of_catalogue(attacker).await;
    let tiers = attacker.tiers(&STEADY);
    for tier in &tiers {
        attacker.begin(tiers.len());
        let rounds = attacker.left() / 14 + 1;
        for _ in 0..rounds {
            of_tier(attacker, *tier).await;
        }
    }
}

/// Asks for all margins of three fields.
async fn of_tier<T: Target>(attacker: &mut Attacker<'_, T>, tier: Tier) {
    let Some([first, second]) = attacker.pairs().into_iter().next() else { return };
    let size = |attacker: &Attacker<'_, T>, field: &str| attacker.codes(field).len() + 1;
    let product = size(attacker, &first) * size(attacker, &second);
    let third = attacker
        .fields()
        .into_iter()
        .find(|field| *field != first && *field != second && product * size(attacker, field) <= MOST_ATOMS);
    let mut fields = vec![first, second];
    fields.extend(third);
    let mut seen = Vec::new();
    for mask in 0..1_u32 << fields.len() {
        // every margin, but not the finest table
        if mask.count_ones() > 2 {
            continue;
        }
        let by: Vec<String> =
            fields.iter().enumerate().filter(|(at, _)| mask >> at & 1 == 1).map(|(_, field)| field.clone()).collect();
        seen.extend(attacker.grid(tier, &[], &by).await);
    }
    bound(attacker, tier, &fields, &[], &seen);
}

/// Takes the catalogue's counts over the same rows together.
async fn of_catalogue<T: Target>(attacker: &mut Attacker<'_, T>) {
    let entries = attacker.target.catalogue().await.unwrap_or_default();
    let mut alike: Vec<(Query, Vec<Grid>)> = Vec::new();
    for entry in entries.iter().filter(|entry| entry.query.table == attacker.count(&[], &[]).table) {
        let Some(grid) = Grid::of(&entry.answer, &entry.query.by) else { continue };
        match alike.iter_mut().find(|(query, _)| query.conditions == entry.query.conditions) {
            Some((_, grids)) => grids.push(grid),
            None => alike.push((entry.query.clone(), vec![grid])),
        }
    }
    for (query, grids) in alike {
        let mut fields: Vec<String> = Vec::new();
        let mut used = Vec::new();
        for grid in grids {
            let more: Vec<String> = grid.by.iter().filter(|field| !fields.contains(field)).cloned().collect();
            let all: Vec<String> = fields.iter().chain(&more).cloned().collect();
            let atoms: usize = all.iter().map(|field| attacker.codes(field).len() + 1).product();
            if atoms <= MOST_ATOMS && all.iter().all(|field| !attacker.codes(field).is_empty()) {
                fields = all;
                used.push(grid);
            }
        }
        bound(attacker, Tier::EXACT, &fields, &query.conditions, &used);
    }
}

/// Bounds every hidden cell of `grids` through all of them. The catalogue hides as the exact tier does.
fn bound<T: Target>(
    attacker: &mut Attacker<'_, T>,
    tier: Tier,
    fields: &[String],
    conditions: &[Condition],
    grids: &[Grid],
) {
    let atoms = cross(attacker, fields);
    let mut knowledge = Knowledge::new(atoms.len());
    let mut members: Vec<BTreeMap<Codes, Vec<usize>>> = Vec::new();
    for grid in grids {
        let places: Vec<usize> =
            grid.by.iter().filter_map(|field| fields.iter().position(|known| known == field)).collect();
        let mut of: BTreeMap<Codes, Vec<usize>> = BTreeMap::new();
        for (at, codes) in atoms.iter().enumerate() {
            of.entry(places.iter().map(|place| codes[*place].clone()).collect()).or_default().push(at);
        }
        for (codes, seen) in &grid.cells {
            if let Some(of) = of.get(codes) {
                knowledge.learn(of.clone(), *seen);
            }
        }
        members.push(of);
    }
    let noisy = grids.iter().flat_map(|grid| grid.cells.values()).any(|seen| seen.best_estimate().is_some());
    // before anything is seen, each of the finest cells is taken for average, give or take twice as much
    let most = grids.iter().flat_map(|grid| grid.cells.values()).filter_map(Seen::shown).fold(1.0, f64::max);
    let average = most / atoms.len() as f64;
    let prior = (average, 4.0 * average * average + 1.0);
    let estimates = if noisy { knowledge.least_squares(Some(prior)) } else { None };
    for (grid, of) in grids.iter().zip(&members) {
        let Some(truth) = attacker.truth(conditions, &grid.by) else { continue };
        for codes in attacker.choose(grid, MOST_TARGETS / grids.len().max(1)) {
            let (Some(own), Some(of), Some(truth)) = (grid.seen(&codes), of.get(&codes), truth.truth(&codes)) else {
                continue;
            };
            let mut belief = own;
            if let Some(bounds) = knowledge.bounds(of) {
                belief = belief.within(bounds.low, bounds.high);
            }
            if let (Some(estimates), Some(own)) = (&estimates, own.estimate) {
                let value = of.iter().map(|at| estimates[*at].value).sum();
                belief.estimate = Some(Estimate { value, variance: f64::INFINITY, unit: own.unit });
            }
            attacker.claim(tier, &belief, truth);
        }
    }
}

/// All combinations of the fields' codes, the missing one among them.
fn cross<T: Target>(attacker: &Attacker<'_, T>, fields: &[String]) -> Vec<Codes> {
    fields.iter().fold(vec![Vec::new()], |rows, field| {
        let codes: Vec<Option<String>> = attacker.codes(field).into_iter().map(Some).chain([None]).collect();
        rows.iter()
            .flat_map(|row: &Codes| codes.iter().map(|code| row.iter().cloned().chain([code.clone()]).collect()))
            .collect()
    })
}

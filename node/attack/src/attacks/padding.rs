//! Padding: a hidden set in ever other unions with sets whose numbers are known exactly.
//!
//! Noise that is fixed for a set is new for every other set. Where some numbers are known exactly (from the catalogue, or from
//! exact answers), each union of the hidden set with some of those is a new set, and its noisy number less the known ones is a
//! fresh draw around the hidden number. With n known sets there are 2^n such draws, each with the noise of one number; grouping
//! attacks a whole row of hidden cells at once. It is the averaging attack of Asghar & Kaafar 2020 (Averaging attacks on bounded
//! noise-based disclosure control algorithms) with its partitions replaced by padding, and it is what the catalogue costs the
//! noise beside it: only the number of different noisy answers on one snapshot, against the noise's variance, holds it up. Two
//! standard errors hold two whole numbers as long as fewer than about four times the variance of draws are to be had.

use std::collections::{BTreeMap, BTreeSet};

use node_protocol::query::Condition;
use rand::Rng;

use crate::{
    attacker::Attacker,
    attacks::NOISY,
    grid::{Codes, Grid, among, is},
    seen::Seen,
    target::{Scale, Target, Tier},
};

pub(super) async fn attack<T: Target>(attacker: &mut Attacker<'_, T>) {
    let tiers = attacker.tiers(&NOISY);
    let known = exact_tables(attacker).await;
    let Some(known) = known.into_iter().max_by_key(worth) else { return };
    for tier in &tiers {
        attacker.begin(tiers.len());
        if known.targets().is_empty() || known.by.len() == 1 {
            within_row(attacker, *tier, &known).await;
        } else {
            whole_row(attacker, *tier, &known).await;
        }
    }
}

/// Tables over all cases with exact numbers: of the catalogue, and of the exact tier.
async fn exact_tables<T: Target>(attacker: &mut Attacker<'_, T>) -> Vec<Grid> {
    let table = attacker.count(&[], &[]).table;
    let entries = attacker.target.catalogue().await.unwrap_or_default();
    let whole = |grid: &Grid| matches!(grid.by.len(), 1 | 2);
    let mut tables: Vec<Grid> = entries
        .iter()
        .filter(|entry| entry.query.table == table && entry.query.conditions.is_empty())
        .filter_map(|entry| Grid::of(&entry.answer, &entry.query.by))
        .filter(whole)
        .collect();
    if !attacker.tiers(&[Tier::EXACT]).is_empty() {
        attacker.begin(1);
        for by in attacker.pairs().into_iter().take(2) {
            tables.extend(attacker.grid(Tier::EXACT, &[], &by).await);
        }
    }
    tables
}

/// Rather a table of two fields with hidden cells, then one of one field; of several the one with most exact cells, since each
/// doubles the number of pads.
fn worth(grid: &Grid) -> (bool, bool, usize) {
    let exact = grid.cells.values().filter(|seen| seen.is_exact()).count();
    (grid.by.len() > 1 && !grid.targets().is_empty(), grid.by.len() == 1, exact)
}

/// The hidden cells of one row, in unions with other whole rows.
async fn whole_row<T: Target>(attacker: &mut Attacker<'_, T>, tier: Tier, known: &Grid) {
    let Some(truth) = attacker.truth(&[], &known.by) else { return };
    let mut hidden: BTreeMap<String, usize> = BTreeMap::new();
    for codes in known.targets() {
        *hidden.entry(codes[0].clone().unwrap_or_default()).or_default() += 1;
    }
    let Some((row, _)) = hidden.into_iter().max_by_key(|(_, many)| *many) else { return };
    let (field, rest) = (&known.by[0], &known.by[1..]);
    let others: Vec<String> = attacker.codes(field).into_iter().filter(|code| *code != row).collect();
    let mut views: BTreeMap<Codes, BTreeMap<BTreeSet<String>, Seen>> = BTreeMap::new();
    for pad in pads(attacker, &others) {
        let codes = [&row].into_iter().chain(&pad).map(String::as_str);
        let Some(answer) = attacker.grid(tier, &[among(field, codes)], rest).await else { continue };
        for (group, seen) in &answer.cells {
            let number = |code: &String| {
                let codes: Codes = [Some(code.clone())].into_iter().chain(group.iter().cloned()).collect();
                known.seen(&codes).filter(Seen::is_exact)
            };
            let Some(numbers) = pad.iter().map(number).collect::<Option<Vec<_>>>() else { continue };
            // a pad of nobody makes no new set
            let real = pad.iter().zip(&numbers).filter(|(_, n)| n.high > 0.0).map(|(code, _)| code.clone()).collect();
            let left = numbers.iter().fold(*seen, |left, n| left.minus(n));
            views.entry(group.clone()).or_default().entry(real).or_insert(left);
        }
    }
    for codes in known.targets().into_iter().filter(|codes| codes[0].as_deref() == Some(&row)) {
        let (Some(own), Some(truth)) = (known.seen(&codes), truth.truth(&codes)) else { continue };
        let draws = views.get(&codes[1..]).into_iter().flat_map(BTreeMap::values);
        let belief = draws.fold(own, |belief, draw| belief.meet(draw));
        attacker.tally.score(&belief, truth);
    }
}

/// Small sets within one row of a table of rows that are known, in unions with other rows.
async fn within_row<T: Target>(attacker: &mut Attacker<'_, T>, tier: Tier, known: &Grid) {
    let field = known.by[0].clone();
    let Some(by) = attacker.pairs().into_iter().find(|pair| pair[0] == field || pair[1] == field) else { return };
    let rows: BTreeMap<String, Seen> = match known.by.len() {
        1 => known.cells.iter().filter_map(|(codes, seen)| Some((codes[0].clone()?, *seen))).collect(),
        _ => return,
    };
    let Some(grid) = attacker.grid(tier, &[], &by).await else { return };
    let Some(truth) = attacker.truth(&[], &by) else { return };
    let place = usize::from(by[1] == field);
    // one number well attacked says more than three by halves
    let many = if attacker.scale == Scale::Thorough { 3 } else { 1 };
    let targets = attacker.choose(&grid, many);
    let share = attacker.left() / targets.len().max(1) as u64;
    for codes in targets {
        let (Some(own), Some(truth), Some(row)) = (grid.seen(&codes), truth.truth(&codes), codes[place].clone()) else {
            continue;
        };
        let others: Vec<String> = rows
            .iter()
            .filter(|(code, n)| **code != row && n.is_exact() && n.high > 0.0)
            .map(|(code, _)| code.clone())
            .collect();
        let set = Condition::All(by.iter().zip(&codes).map(|(field, code)| is(field, code.as_deref())).collect());
        let stop = attacker.left().saturating_sub(share);
        let mut belief = own;
        for pad in pads(attacker, &others) {
            if attacker.left() <= stop {
                break;
            }
            if pad.is_empty() {
                continue;
            }
            let beside = among(&field, pad.iter().map(String::as_str));
            let Some(seen) = attacker.one(tier, &[Condition::Any(vec![set.clone(), beside])]).await else { continue };
            let left = pad.iter().filter_map(|code| rows.get(code)).fold(seen, |left, n| left.minus(n));
            belief = belief.meet(&left);
        }
        attacker.tally.score(&belief, truth);
    }
}

/// Different parts of `others` in random order, as many as may still be asked for.
fn pads<T: Target>(attacker: &mut Attacker<'_, T>, others: &[String]) -> Vec<Vec<String>> {
    let mut pads: BTreeSet<Vec<String>> = BTreeSet::new();
    let most = attacker.left().min(1 << others.len().min(20));
    for _ in 0..most * 8 {
        let pad = others.iter().filter(|_| attacker.rng.random_bool(0.5)).cloned().collect();
        pads.insert(pad);
        if pads.len() as u64 >= most {
            break;
        }
    }
    pads.into_iter().collect()
}

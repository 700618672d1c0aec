//! Reconstruction: sums over random subsets, solved for their parts.
//!
//! Enough noisy sums over random subsets determine every part, unless the noise grows with their number (Dinur & Nissim 2003,
//! Revealing information while preserving privacy). The parts here are the codes of one field; grouping by another field solves
//! one system per group from the same answers. It needs no exact number anywhere. Exact answers are solved at once; for noisy
//! ones both the least-squares estimate and the bounds that the noise's greatest size leaves are tried (Gadotti et al. 2019, When
//! the signal is in the noise, shows the same on a deployed system with noise fixed per set).

use std::collections::BTreeSet;

use rand::Rng;

use crate::{
    attacker::Attacker,
    attacks::STEADY,
    grid::{Codes, Grid, among},
    knowledge::Knowledge,
    seen::Seen,
    target::{Target, Tier},
};

/// Fewer sums than this solve nothing.
const LEAST: u64 = 8;

pub(super) async fn attack<T: Target>(attacker: &mut Attacker<'_, T>) {
    let tiers = attacker.tiers(&STEADY);
    for tier in &tiers {
        attacker.begin(tiers.len());
        in_tier(attacker, *tier).await;
    }
}

async fn in_tier<T: Target>(attacker: &mut Attacker<'_, T>, tier: Tier) {
    for pair in attacker.pairs() {
        if attacker.left() < LEAST {
            return;
        }
        let Some(direct) = attacker.grid(tier, &[], &pair).await else { continue };
        // exact sums of few codes are soon solved, and leave asks for other fields
        let most = if tier == Tier::EXACT { attacker.codes(&pair[0]).len() as u64 * 2 } else { attacker.left() };
        if !direct.targets().is_empty() {
            solve(attacker, tier, &pair, &direct, most).await;
        }
    }
}

async fn solve<T: Target>(attacker: &mut Attacker<'_, T>, tier: Tier, pair: &[String; 2], direct: &Grid, most: u64) {
    let [field, second] = pair;
    let by = [second.clone()];
    let codes = attacker.codes(field);
    let mut asked: BTreeSet<Vec<String>> = BTreeSet::new();
    let mut sums = Vec::new();
    // all subsets of few codes are soon asked for
    for _ in 0..most * 4 {
        let part = random_part(attacker, &codes);
        if attacker.left() == 0 || sums.len() as u64 >= most {
            break;
        }
        if part.len() < 2 || !asked.insert(part.clone()) {
            continue;
        }
        if let Some(grid) = attacker.grid(tier, &[among(field, part.iter().map(String::as_str))], &by).await {
            let places: Vec<usize> =
                codes.iter().enumerate().filter(|(_, code)| part.contains(code)).map(|(at, _)| at).collect();
            sums.push((places, grid));
        }
    }
    let Some(truth) = attacker.truth(&[], pair) else { return };
    let groups: BTreeSet<Codes> = sums.iter().flat_map(|(_, grid)| grid.cells.keys().cloned()).collect();
    for group in groups {
        let mut knowledge = Knowledge::new(codes.len());
        for (places, grid) in &sums {
            if let Some(seen) = grid.seen(&group) {
                knowledge.learn(places.clone(), seen);
            }
        }
        let whole =
            |code: &String| -> Codes { [Some(code.clone())].into_iter().chain(group.iter().cloned()).collect() };
        for (at, code) in codes.iter().enumerate() {
            knowledge.learn(vec![at], direct.seen(&whole(code)).unwrap_or(Seen::NOTHING));
        }
        let estimates = knowledge.least_squares(None);
        let targets = direct.targets();
        for (at, code) in codes.iter().enumerate().filter(|(_, code)| targets.contains(&whole(code))) {
            let (Some(own), Some(truth)) = (direct.seen(&whole(code)), truth.truth(&whole(code))) else { continue };
            let mut belief = own;
            if let Some(bounds) = knowledge.bounds(&[at]) {
                belief = belief.within(bounds.low, bounds.high);
            }
            if let Some(estimates) = &estimates {
                belief.estimate = Some(estimates[at]);
            }
            attacker.claim(tier, &belief, truth);
        }
    }
}

fn random_part<T: Target>(attacker: &mut Attacker<'_, T>, codes: &[String]) -> Vec<String> {
    codes.iter().filter(|_| attacker.rng.random_bool(0.5)).cloned().collect()
}

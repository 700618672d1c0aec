//! Partitions: the same set as the sum of the parts of many different partitions.
//!
//! Noise that is fixed for a set cannot be averaged by asking again, but each partition of the set adds the independent noise of
//! its parts, and its sum estimates the same number. With enough partitions the noise averages out (Asghar & Kaafar 2020,
//! Averaging attacks on bounded noise-based disclosure control algorithms, on TableBuilder). Here the parts are a random half of
//! some field's codes and everything else, and grouping attacks all codes of another field at once. Only quotas and the size of
//! the noise stand against it.

use std::collections::BTreeMap;

use crate::{
    attacker::Attacker,
    attacks::NOISY,
    grid::{Codes, among, not},
    seen::Seen,
    target::{Account, Target},
};

use rand::seq::IndexedRandom;

pub(super) async fn attack<T: Target>(attacker: &mut Attacker<'_, T>) {
    let tiers = attacker.tiers(&NOISY);
    for tier in &tiers {
        attacker.begin(tiers.len());
        average(attacker, &[Account { researcher: 0, tier: *tier }]).await;
    }
}

/// Averages over partitions as long as it may ask, each answer through the next of the accounts, and has the means judged.
pub(super) async fn average<T: Target>(attacker: &mut Attacker<'_, T>, accounts: &[Account]) {
    let fields = attacker.fields();
    let [main, filter, others @ ..] = &fields[..] else { return };
    // rows of the attacker's own choice: no indicator answers for them exactly
    let codes = attacker.codes(filter);
    let rows = among(filter, attacker.part(&codes).iter().map(String::as_str));
    let by = [main.clone()];
    let mut turn = accounts.iter().cycle().copied();
    let Some(account) = turn.next() else { return };
    let Some(direct) = attacker.grid_as(account, std::slice::from_ref(&rows), &by).await else { return };
    let mut views: BTreeMap<Codes, Vec<(Seen, Seen)>> = BTreeMap::new();
    while attacker.left() > 1 {
        let Some(field) = others.choose(&mut attacker.rng).cloned() else { return };
        let codes = attacker.codes(&field);
        let half = among(&field, attacker.part(&codes).iter().map(String::as_str));
        let account = turn.next().unwrap_or(account);
        let Some(inside) = attacker.grid_as(account, &[rows.clone(), half.clone()], &by).await else { continue };
        let account = turn.next().unwrap_or(account);
        let Some(outside) = attacker.grid_as(account, &[rows.clone(), not(half)], &by).await else { continue };
        for (codes, seen) in &inside.cells {
            let Some(rest) = outside.seen(codes) else { continue };
            let known = views.entry(codes.clone()).or_default();
            // two partitions of equal parts are taken for the same one, whose noise is the same
            let parts = (*seen, rest);
            if seen.shown().is_some()
                && rest.shown().is_some()
                && !known.contains(&parts)
                && !known.contains(&(rest, *seen))
            {
                known.push(parts);
            }
        }
    }
    let Some(truth) = attacker.truth(&[rows], &by) else { return };
    for codes in direct.targets() {
        let Some(own) = direct.seen(&codes) else { continue };
        let parts = views.get(&codes).map(Vec::as_slice).unwrap_or_default();
        let belief = parts.iter().fold(own, |mean, (inside, outside)| mean.meet(&inside.plus(outside)));
        if let Some(truth) = truth.truth(&codes) {
            attacker.tally.score(&belief, truth);
        }
    }
}

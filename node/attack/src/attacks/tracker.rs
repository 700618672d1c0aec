//! Tracker: a total minus the rest, and the same padded until every set is large.
//!
//! The plain form asks for a group's total and for the total without the small part. Where a node refuses small *complements*
//! too, the general tracker T hides the small set C in two large ones: n(C) = n(C or T) + n(C or not T) - n(T) - n(not T)
//! (Denning, Denning & Schwartz 1979, The tracker: a threat to statistical database security).

use node_protocol::query::Condition;

use crate::{
    attacker::Attacker,
    attacks::{STEADY, two_sets::difference},
    grid::{among, not},
    seen::Seen,
    target::{Target, Tier},
};

pub(super) async fn attack<T: Target>(attacker: &mut Attacker<'_, T>) {
    let tiers = attacker.tiers(&STEADY);
    for tier in &tiers {
        attacker.begin(tiers.len());
        in_tier(attacker, *tier).await;
    }
}

async fn in_tier<T: Target>(attacker: &mut Attacker<'_, T>, tier: Tier) {
    let Some(main) = attacker.fields().into_iter().next() else { return };
    let codes = attacker.codes(&main);
    let tracker = among(&main, attacker.part(&codes).iter().map(String::as_str));
    let outside = not(tracker.clone());
    let Some(inside_n) = attacker.one(tier, std::slice::from_ref(&tracker)).await else { return };
    let Some(outside_n) = attacker.one(tier, std::slice::from_ref(&outside)).await else { return };
    for by in attacker.pairs() {
        if attacker.left() < 8 {
            return;
        }
        let Some(grid) = attacker.grid(tier, &[], &by).await else { continue };
        let Some(truth) = attacker.truth(&[], &by) else { continue };
        for codes in attacker.choose(&grid, 4) {
            let (Some(own), Some(truth)) = (grid.seen(&codes), truth.truth(&codes)) else { continue };
            let [first, second] = [0, 1].map(|at| Attacker::<T>::coordinate(&grid, &codes, at));
            let rest = vec![first.clone(), not(second.clone())];
            let mut belief = own.bounds_only();
            let total = attacker.one(tier, std::slice::from_ref(&first)).await;
            let rest = attacker.one(tier, &rest).await;
            if let Some((total, rest)) = total.zip(rest) {
                belief = difference(&total, &rest, &belief);
            }
            let set = Condition::All(vec![first, second]);
            let with = attacker.one(tier, &[Condition::Any(vec![set.clone(), tracker.clone()])]).await;
            let without = attacker.one(tier, &[Condition::Any(vec![set, outside.clone()])]).await;
            if let Some((with, without)) = with.zip(without) {
                let tracked: Seen = with.plus(&without).minus(&inside_n).minus(&outside_n);
                belief = belief.meet(&tracked);
            }
            attacker.claim(tier, &belief, truth);
        }
    }
}

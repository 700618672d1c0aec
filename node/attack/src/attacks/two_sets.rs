//! Two sets: the number of A or B, minus the number of A.
//!
//! Where each answer is checked alone, both numbers are large and are shown, and their difference is the small set B. The oldest
//! attack on statistical databases (Hoffman & Miller 1970; Fellegi 1972). The second form widens a range of years of age by one.

use node_protocol::query::Condition;

use crate::{
    attacker::Attacker,
    attacks::STEADY,
    seen::Seen,
    target::{Target, Tier},
};

const AGE: &str = "age_years";
const AGES: std::ops::Range<i64> = 1..18;

pub(super) async fn attack<T: Target>(attacker: &mut Attacker<'_, T>) {
    let tiers = attacker.tiers(&STEADY);
    for tier in &tiers {
        attacker.begin(tiers.len());
        unions(attacker, *tier).await;
        ranges(attacker, *tier).await;
    }
}

async fn unions<T: Target>(attacker: &mut Attacker<'_, T>, tier: Tier) {
    for by in attacker.pairs() {
        // a third of the asks is kept for the ranges
        if attacker.left() < attacker.scale.asks() / 9 {
            return;
        }
        let Some(grid) = attacker.grid(tier, &[], &by).await else { continue };
        let Some(truth) = attacker.truth(&[], &by) else { continue };
        for codes in attacker.choose(&grid, 6) {
            let set = Condition::All(grid.conditions(&codes));
            // the other codes of the first field hide the small set best where they are many
            let [first, ..] = &by;
            let Some(other) = attacker.codes(first).into_iter().find(|code| Some(code) != codes[0].as_ref()) else {
                continue;
            };
            let beside = crate::grid::is(first, Some(&other));
            let Some(alone) = attacker.one(tier, std::slice::from_ref(&beside)).await else { continue };
            let Some(both) = attacker.one(tier, &[Condition::Any(vec![beside, set])]).await else { continue };
            let (Some(own), Some(truth)) = (grid.seen(&codes), truth.truth(&codes)) else { continue };
            attacker.claim(tier, &difference(&both, &alone, &own), truth);
        }
    }
}

async fn ranges<T: Target>(attacker: &mut Attacker<'_, T>, tier: Tier) {
    let Some(main) = attacker.fields().into_iter().next() else { return };
    if !attacker.may_use(AGE) {
        return;
    }
    let by = [main];
    let up_to = |high| Condition::Between { field: AGE.to_owned(), low: 0, high };
    let mut before = None;
    for age in AGES {
        let asked = attacker.grid(tier, &[up_to(age)], &by).await;
        let year = Condition::Between { field: AGE.to_owned(), low: age, high: age };
        let truth = attacker.truth(&[year], &by);
        if let (Some(narrow), Some(wide), Some(truth)) = (before.take(), &asked, truth) {
            let narrow: crate::grid::Grid = narrow;
            for (codes, wide) in &wide.cells {
                let (Some(narrow), Some(truth)) = (narrow.seen(codes), truth.truth(codes)) else { continue };
                if wide.shown().is_none() || narrow.shown().is_none() {
                    continue;
                }
                attacker.claim(tier, &difference(wide, &narrow, &Seen::NOTHING), truth);
            }
        }
        before = asked;
    }
}

/// What is left of a union without the rest, together with what was seen of it directly.
pub(super) fn difference(both: &Seen, alone: &Seen, own: &Seen) -> Seen {
    both.minus(alone).meet(&own.bounds_only())
}

//! Survival strata: the curve of all minus the curves of the groups that are shown.
//!
//! Where one group of a split is too small for a curve, the curve of all together gives it back: its persons, and its deaths
//! until each month, are what the others leave. Strata that sum to a released total must share its coarsening or be suppressed
//! jointly.

use std::collections::BTreeMap;

use node_protocol::query::Condition;

use crate::{
    attacker::Attacker,
    attacks::survival_cuts::survival,
    curve::{Curve, curves},
    grid::{Codes, is},
    seen::Seen,
    target::{Account, Target, Tier},
};

const CUTS: [u16; 6] = [6, 12, 24, 36, 48, 60];

pub(super) async fn attack<T: Target>(attacker: &mut Attacker<'_, T>) {
    let tiers = attacker.tiers(&[Tier::EXACT, Tier::PERTURBED]);
    for tier in &tiers {
        attacker.begin(tiers.len());
        let fields = attacker.fields();
        let Some((main, splits)) = fields.split_first() else { return };
        let within: Vec<Option<String>> =
            [None].into_iter().chain(attacker.codes(main).into_iter().map(Some)).collect();
        for code in within {
            let rows: Vec<Condition> = code.iter().map(|code| is(main, Some(code))).collect();
            let Some(total) = life_tables(attacker, *tier, &rows, &[]).await else { continue };
            let Some(total) = total.into_values().next() else { continue };
            for split in splits.iter().chain(code.is_none().then_some(main)) {
                let by = [split.clone()];
                let Some(strata) = life_tables(attacker, *tier, &rows, &by).await else { continue };
                let query = attacker.query(&rows, &by, survival(CUTS.to_vec()));
                let truth = attacker.judge.truth(&query).and_then(|answer| curves(&answer, &by));
                if let Some(truth) = truth {
                    judge(attacker, *tier, &total, &strata, &truth);
                }
            }
            if attacker.left() == 0 {
                break;
            }
        }
    }
}

async fn life_tables<T: Target>(
    attacker: &mut Attacker<'_, T>,
    tier: Tier,
    rows: &[Condition],
    by: &[String],
) -> Option<BTreeMap<Codes, Curve>> {
    let query = attacker.query(rows, by, survival(CUTS.to_vec()));
    curves(&attacker.ask(Account { researcher: 0, tier }, &query).await?, by)
}

fn judge<T: Target>(
    attacker: &mut Attacker<'_, T>,
    tier: Tier,
    total: &Curve,
    strata: &BTreeMap<Codes, Curve>,
    truth: &BTreeMap<Codes, Curve>,
) {
    for (codes, stratum) in strata.iter().filter(|(codes, curve)| codes[0].is_some() && curve.persons.shown().is_none())
    {
        let Some(truth) = truth.get(codes) else { continue };
        let others = || strata.iter().filter(|(other, _)| *other != codes).map(|(_, curve)| curve);
        let persons = others().fold(total.persons, |left, other| left.minus(&other.persons));
        let persons = persons.meet(&stratum.persons.bounds_only());
        if let Some(truth) = truth.persons.shown() {
            attacker.claim(tier, &persons, truth);
        }
        for month in CUTS {
            let Some(all) = total.events.get(&month) else { continue };
            let dead = |curve: &Curve| {
                let most = Seen { low: 0.0, high: curve.persons.high, estimate: None };
                curve.events.get(&month).copied().unwrap_or(most)
            };
            let events = others().fold(*all, |left, other| left.minus(&dead(other))).within(0.0, persons.high);
            if let Some(truth) = truth.events.get(&month).and_then(Seen::shown) {
                attacker.tally.score(&events, truth);
            }
        }
    }
}

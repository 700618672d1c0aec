//! Survival cuts: the same curve at many lists of cuts, subtracted.
//!
//! A node that merges intervals with few events *per request* tells with the cuts [12, 60] and [24, 60] how many died between 12
//! and 24 months, although no answer showed it. Months of death are among the most identifying facts of a registry. One canonical
//! coarsening, whatever is asked, leaves nothing to subtract.

use std::collections::{BTreeMap, BTreeSet};

use node_protocol::query::Statistic;
use rand::Rng;

use crate::{
    attacker::Attacker,
    curve::{Curve, curves},
    grid::Codes,
    seen::Seen,
    target::{Account, Target, Tier},
};

const ENDPOINT: &str = "overall";
const LAST_MONTH: u16 = 72;

pub(super) async fn attack<T: Target>(attacker: &mut Attacker<'_, T>) {
    let tiers = attacker.tiers(&[Tier::EXACT, Tier::PERTURBED]);
    for tier in &tiers {
        attacker.begin(tiers.len());
        in_tier(attacker, *tier).await;
    }
}

async fn in_tier<T: Target>(attacker: &mut Attacker<'_, T>, tier: Tier) {
    let Some(main) = attacker.fields().into_iter().next() else { return };
    let by = [main];
    let mut known: BTreeMap<Codes, Curve> = BTreeMap::new();
    let mut months = BTreeSet::from([0]);
    while attacker.left() > 0 {
        let mut cuts = BTreeSet::from([attacker.rng.random_range(1..=LAST_MONTH)]);
        for _ in 0..attacker.rng.random_range(0..3) {
            cuts.insert(attacker.rng.random_range(1..=LAST_MONTH));
        }
        let query = attacker.query(&[], &by, survival(cuts.iter().copied().collect()));
        let Some(answer) = attacker.ask(Account { researcher: 0, tier }, &query).await else { continue };
        months.extend(&cuts);
        for (codes, curve) in curves(&answer, &by).unwrap_or_default() {
            let own = known.entry(codes).or_insert_with(|| Curve { persons: curve.persons, events: BTreeMap::new() });
            for (month, seen) in curve.events {
                let same = |old: &Seen| old.shown() == seen.shown();
                let learnt = own.events.get(&month).map_or(seen, |old| if same(old) { *old } else { old.meet(&seen) });
                own.events.insert(month, learnt);
            }
        }
    }
    judge(attacker, tier, &by, &known, &months);
}

/// Has the events between neighbouring months judged.
fn judge<T: Target>(
    attacker: &mut Attacker<'_, T>,
    tier: Tier,
    by: &[String],
    known: &BTreeMap<Codes, Curve>,
    months: &BTreeSet<u16>,
) {
    let query = attacker.query(&[], by, survival(months.iter().copied().filter(|month| *month > 0).collect()));
    let Some(truth) = attacker.judge.truth(&query).and_then(|answer| curves(&answer, by)) else { return };
    let least = attacker.known.events as f64;
    for (codes, curve) in known {
        let Some(truth) = truth.get(codes) else { continue };
        let until = |month: u16| if month == 0 { Some(0.0) } else { truth.events.get(&month)?.shown() };
        for (from, to) in months.iter().zip(months.iter().skip(1)) {
            let (Some(before), Some(after)) = (until(*from), until(*to)) else { continue };
            let events = after - before;
            let hidden = events > 0.0 && (tier != Tier::EXACT || events < least);
            if hidden {
                let belief = at(curve, *to).minus(&at(curve, *from));
                attacker.tally.score(&belief, events);
            }
        }
    }
}

/// Events up to a month: as shown, or at least those before and at most those after.
fn at(curve: &Curve, month: u16) -> Seen {
    if month == 0 {
        return Seen::exact(0);
    }
    if let Some(seen) = curve.events.get(&month) {
        return *seen;
    }
    let low = curve.events.range(..month).next_back().map_or(0.0, |(_, seen)| seen.low);
    let high = curve.events.range(month..).next().map_or(curve.persons.high, |(_, seen)| seen.high);
    Seen { low, high, estimate: None }
}

/// The life table of the endpoint at these cuts.
pub(super) fn survival(cuts_months: Vec<u16>) -> Statistic {
    Statistic::Survival { endpoint: ENDPOINT.to_owned(), cuts_months }
}

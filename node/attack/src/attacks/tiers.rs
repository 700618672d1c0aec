//! Tiers: the same question in exploration, in a project with noise, in an exact one and in a private one.
//!
//! Each tier has a threshold and noise of its own. Where one hides what another bounds from above, or where the noise of two is
//! drawn apart, together they tell more than either. What one tier shows exactly is no hidden value: it was granted.

use std::collections::BTreeMap;

use crate::{
    attacker::Attacker,
    attacks::EVERY,
    grid::{Codes, Grid},
    seen::Seen,
    target::Target,
};

pub(super) async fn attack<T: Target>(attacker: &mut Attacker<'_, T>) {
    let tiers = attacker.tiers(&EVERY);
    attacker.begin(1);
    for by in attacker.pairs() {
        let mut grids: Vec<Grid> = Vec::new();
        for tier in &tiers {
            grids.extend(attacker.grid(*tier, &[], &by).await);
        }
        let Some(truth) = attacker.truth(&[], &by) else { continue };
        let mut views: BTreeMap<Codes, Vec<Seen>> = BTreeMap::new();
        for (codes, seen) in grids.iter().flat_map(|grid| &grid.cells).filter(|(codes, _)| !codes.contains(&None)) {
            let known = views.entry(codes.clone()).or_default();
            // the same noise seen twice is one draw, though each tier bounds the truth in its own way
            let again = seen.shown().is_some() && known.iter().any(|old| old.shown() == seen.shown());
            known.push(if again { seen.bounds_only() } else { *seen });
        }
        for (codes, seen) in views {
            if seen.iter().any(Seen::is_exact) || seen.len() < 2 {
                continue;
            }
            let belief = seen.into_iter().reduce(|belief, seen| belief.meet(&seen));
            if let (Some(belief), Some(truth)) = (belief, truth.truth(&codes)) {
                attacker.tally.score(&belief, truth);
            }
        }
        if attacker.left() < tiers.len() as u64 {
            return;
        }
    }
}

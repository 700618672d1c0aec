//! Replay: the same study sent again, and again.
//!
//! A study is answered once; sent again, it must bring the same bytes and cost no second draw. Where it is computed anew, fresh
//! noise averages out and a privacy budget is evaded.

use crate::{
    attacker::Attacker,
    attacks::repeats::score_means,
    grid::Grid,
    target::{Account, Target, Tier},
};

pub(super) async fn attack<T: Target>(attacker: &mut Attacker<'_, T>) {
    let tiers = attacker.tiers(&[Tier::EXPLORATION, Tier::PERTURBED, Tier::PRIVATE]);
    for tier in &tiers {
        attacker.begin(tiers.len());
        let account = Account { researcher: 0, tier: *tier };
        let Some(by) = attacker.pairs().into_iter().next() else { return };
        let query = attacker.count(&[], &by);
        let mut answers: Vec<Grid> = Vec::new();
        answers.extend(attacker.ask(account, &query).await.and_then(|answer| Grid::of(&answer, &by)));
        while attacker.left() > 0 && !answers.is_empty() {
            answers.extend(attacker.again(account, &query).await.and_then(|answer| Grid::of(&answer, &by)));
        }
        if let Some(truth) = attacker.truth(&[], &by) {
            score_means(attacker, &answers, &truth);
        }
    }
}

//! Private budget: the same question with fresh noise until the budget is spent.
//!
//! Differential privacy allows this by design and prices it: the mean of all answers is as good as one answer with all of the
//! budget would be (Rinott, O'Keefe, Shlomo & Skinner 2018, Confidentiality and differential privacy in the dissemination of
//! frequency tables, weigh it for flexible table builders). The attack shows what the granted budget is worth, and fails where it
//! is not charged.

use crate::{
    attacker::Attacker,
    seen::Seen,
    target::{Account, Target, Tier},
};

pub(super) async fn attack<T: Target>(attacker: &mut Attacker<'_, T>) {
    if attacker.tiers(&[Tier::PRIVATE]).is_empty() {
        return;
    }
    attacker.begin(1);
    let Some(by) = attacker.pairs().into_iter().next() else { return };
    let mut answers = Vec::new();
    let mut researcher = 0;
    while attacker.left() > 0 {
        researcher = (researcher + 1) % attacker.known.researchers.max(1);
        match attacker.grid_as(Account { researcher, tier: Tier::PRIVATE }, &[], &by).await {
            Some(grid) => answers.push(grid),
            None => break,
        }
    }
    let Some(truth) = attacker.truth(&[], &by) else { return };
    let Some(first) = answers.first() else { return };
    for codes in first.targets() {
        let belief = Seen::pool(answers.iter().filter_map(|grid| grid.seen(&codes)));
        if let (Some(belief), Some(truth)) = (belief, truth.truth(&codes)) {
            attacker.tally.score(&belief, truth);
        }
    }
}

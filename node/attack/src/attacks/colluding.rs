//! Colluding: several people, in every tier they have, pool what they are told.
//!
//! Noise that depends on who asks averages out over people; quotas per person multiply by the number of accounts. Here all people
//! first ask the same, then share out the partitions of [the averaging attack](super::partitions) and never wait for their own
//! quota.

use crate::{
    attacker::Attacker,
    attacks::{NOISY, partitions, repeats::score_means},
    target::{Account, Target},
};

pub(super) async fn attack<T: Target>(attacker: &mut Attacker<'_, T>) {
    let tiers = attacker.tiers(&NOISY);
    let accounts: Vec<Account> = (0..attacker.known.researchers)
        .flat_map(|researcher| tiers.iter().map(move |tier| Account { researcher, tier: *tier }))
        .collect();
    for tier in &tiers {
        attacker.begin(2 * tiers.len());
        for by in attacker.pairs().into_iter().take(2) {
            let mut answers = Vec::new();
            for account in accounts.iter().filter(|account| account.tier == *tier) {
                answers.extend(attacker.grid_as(*account, &[], &by).await);
            }
            if let Some(truth) = attacker.truth(&[], &by) {
                score_means(attacker, &answers, &truth);
            }
        }
    }
    attacker.begin(2);
    partitions::average(attacker, &accounts).await;
}

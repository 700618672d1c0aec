//! Runs the attacks, each against a node of which nothing was asked before.

use node_domain::dictionary::Dictionary;
use rand::{Rng, SeedableRng, rngs::StdRng};

use crate::{
    attacker::Attacker,
    attacks::Attack,
    finding::{Finding, Tally},
    target::{Judge, Scale, Target},
};

/// Runs every attack.
pub async fn run_all(
    dictionary: &Dictionary,
    target: &mut impl Target,
    judge: &mut dyn Judge,
    scale: Scale,
    rng: &mut impl Rng,
) -> Vec<Finding> {
    let mut findings = Vec::with_capacity(Attack::ALL.len());
    for attack in Attack::ALL {
        findings.push(run(*attack, dictionary, target, judge, scale, rng).await);
    }
    findings
}

/// Runs one attack.
pub async fn run(
    attack: Attack,
    dictionary: &Dictionary,
    target: &mut impl Target,
    judge: &mut dyn Judge,
    scale: Scale,
    rng: &mut impl Rng,
) -> Finding {
    if target.fresh().await.is_err() {
        return Tally::default().finding(attack.name());
    }
    let rng = StdRng::seed_from_u64(rng.random());
    let mut attacker = Attacker::new(dictionary, target, judge, scale, rng);
    attack.run(&mut attacker).await;
    attacker.tally.finding(attack.name())
}

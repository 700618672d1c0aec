//! Each attack recovers hidden numbers from a node with the weakness that it needs, and none from a sound one.

mod model;
mod population;

use std::{
    future::Future,
    pin::pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use crate::{
    attacks::Attack,
    finding::{Finding, render},
    run::{run, run_all},
    target::Scale,
};
use model::{Exact, NoiseOf, Protection, node};
use node_domain::dictionary::Dictionary;
use rand::{SeedableRng, rngs::StdRng};

/// Nodes in memory never make their askers wait.
fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the node in memory waits"),
    }
}

fn against(attack: Attack, protection: Protection, patients: u32) -> Finding {
    seeded(attack, protection, patients, 7)
}

fn seeded(attack: Attack, protection: Protection, patients: u32, seed: u64) -> Finding {
    let dictionary = Rc::new(Dictionary::built_in().unwrap());
    let (mut peer, mut truth) = node(&dictionary, protection, patients, seed + 4);
    let mut rng = StdRng::seed_from_u64(seed);
    let finding = now(run(attack, &dictionary, &mut peer, &mut truth, Scale::Quick, &mut rng));
    println!("{}", render(std::slice::from_ref(&finding)));
    finding
}

/// The attack recovers at least so many per cent of what it attacks.
fn loses(attack: Attack, protection: Protection, percent: u64) -> Finding {
    let finding = against(attack, protection, 600);
    assert!(finding.trials >= 5, "{finding:?}");
    assert!(finding.exact_recoveries * 100 >= finding.trials * percent, "{finding:?}");
    assert!(finding.wrong_claims <= finding.trials / 4, "{finding:?}");
    finding
}

fn weak(change: impl FnOnce(&mut Protection)) -> Protection {
    let mut protection = Protection { quota: 10_000, budget: 10_000, ..Protection::sound() };
    change(&mut protection);
    protection
}

fn exact() -> Protection {
    weak(|node| node.exact = Exact::CellByCell)
}

/// Noise fixed for a set, but too little of it for so many answers.
fn thin() -> Protection {
    weak(|node| node.deviation = 1.0)
}

#[test]
fn a_sound_node_loses_nothing() {
    let dictionary = Rc::new(Dictionary::built_in().unwrap());
    for (patients, seed) in [(600, 1), (3_000, 2)] {
        let (mut peer, mut truth) = node(&dictionary, Protection::sound(), patients, seed);
        let mut rng = StdRng::seed_from_u64(seed);
        let findings = now(run_all(&dictionary, &mut peer, &mut truth, Scale::Quick, &mut rng));
        println!("{}", render(&findings));
        assert_eq!(findings.len(), Attack::ALL.len());
        for finding in findings {
            assert_eq!(finding.exact_recoveries, 0, "{finding:?}");
        }
    }
}

#[test]
fn noise_that_is_drawn_anew_is_averaged() {
    loses(Attack::Repeats, weak(|node| (node.noise_of, node.deviation) = (NoiseOf::Draw, 2.0)), 30);
}

#[test]
fn noise_that_depends_on_the_words_is_averaged() {
    let finding = against(Attack::Repeats, weak(|node| node.noise_of = NoiseOf::Text), 600);
    assert!(finding.mean_absolute_error.unwrap() < finding.noise.unwrap() / 2.0, "{finding:?}");
}

#[test]
fn noise_that_depends_on_the_asker_is_averaged() {
    loses(Attack::Colluding, weak(|node| (node.noise_of, node.deviation) = (NoiseOf::Asker, 0.8)), 30);
}

#[test]
fn noise_that_depends_on_the_snapshot_is_averaged() {
    loses(
        Attack::Snapshots,
        weak(|node| (node.noise_of, node.deviation, node.keeps) = (NoiseOf::Snapshot, 0.9, false)),
        10,
    );
}

#[test]
fn thin_noise_is_averaged_over_partitions() {
    loses(Attack::Partitions, thin(), 30);
}

#[test]
fn thin_noise_is_solved_for() {
    loses(Attack::Reconstruction, thin(), 10);
}

#[test]
fn thin_noise_falls_to_padding_with_the_catalogue() {
    let finding = against(Attack::Padding, thin(), 600);
    assert!(finding.trials > 0 && finding.exact_recoveries == finding.trials, "{finding:?}");
}

#[test]
fn a_generous_quota_falls_to_padding_at_the_default_noise() {
    let finding = against(Attack::Padding, weak(|_| {}), 600);
    assert!(finding.exact_recoveries > 0, "{finding:?}");
    assert!(finding.mean_absolute_error.unwrap() < finding.noise.unwrap() / 3.0, "{finding:?}");
}

#[test]
fn exact_cells_are_subtracted() {
    loses(Attack::TwoSets, exact(), 20);
    loses(Attack::Tracker, exact(), 20);
    loses(Attack::Reconstruction, exact(), 5);
    loses(Attack::Margins, weak(|node| (node.exact, node.zeros) = (Exact::CellByCell, true)), 5);
}

#[test]
fn an_unlinked_catalogue_is_solved() {
    let linked = vec![vec![], vec!["index_cancer"], vec!["stage"], vec!["index_cancer", "stage"]];
    let catalogue = linked.clone();
    loses(Attack::CatalogueMix, weak(|node| (node.exact, node.catalogue) = (Exact::CellByCell, catalogue)), 20);
    // nothing else is answered
    loses(Attack::Margins, weak(|node| (node.quota, node.zeros, node.catalogue) = (0, true, linked)), 10);
}

#[test]
fn newcomers_are_read_off() {
    loses(Attack::Temporal, weak(|node| (node.exact, node.keeps) = (Exact::CellByCell, false)), 20);
}

#[test]
fn marks_on_kept_numbers_tell_who_joined() {
    // four newcomers in four marked cells are one each; with fewer the marks tell where they are, but not for sure how many
    let findings = (0..8).map(|seed| seeded(Attack::Temporal, weak(|node| node.marks = true), 600, seed));
    assert!(findings.map(|finding| finding.exact_recoveries).sum::<u64>() > 20);
}

#[test]
fn sums_tell_counts() {
    loses(Attack::ZeroVectors, weak(|node| (node.exact, node.sums) = (Exact::CellByCell, true)), 30);
}

#[test]
fn noisy_sums_are_padded_with_zeros() {
    let finding = against(Attack::ZeroVectors, weak(|node| node.sums = true), 3_000);
    assert!(finding.mean_absolute_error.unwrap() < finding.noise.unwrap() / 3.0, "{finding:?}");
    assert!(finding.exact_recoveries > 0, "{finding:?}");
}

#[test]
fn zeros_that_are_shown_are_seen() {
    loses(Attack::ZeroProbing, weak(|node| node.zeros = true), 90);
}

#[test]
fn curves_merged_per_request_are_subtracted() {
    let merging = || weak(|node| (node.exact, node.merges_per_request) = (Exact::CellByCell, true));
    loses(Attack::SurvivalCuts, merging(), 10);
    loses(Attack::SurvivalStrata, merging(), 5);
}

#[test]
fn statistics_that_know_nothing_of_each_other_are_combined() {
    loses(Attack::Statistics, weak(|node| (node.exact, node.zeros) = (Exact::CellByCell, true)), 5);
    let finding = against(Attack::Statistics, weak(|node| node.noise_of = NoiseOf::Text), 600);
    assert!(finding.mean_absolute_error.unwrap() < finding.noise.unwrap() * 0.8, "{finding:?}");
}

#[test]
fn tiers_are_combined() {
    loses(Attack::Tiers, weak(|node| node.private_deviation = 0.2), 80);
}

#[test]
fn a_believed_project_name_switches_protection_off() {
    loses(Attack::Switches, weak(|node| node.trusts_names = true), 5);
}

#[test]
fn a_replay_that_is_computed_again_is_averaged() {
    loses(
        Attack::Replay,
        weak(|node| (node.computes_again, node.noise_of, node.deviation) = (true, NoiseOf::Draw, 1.0)),
        20,
    );
}

#[test]
fn refusals_that_depend_on_the_data_tell_it() {
    loses(Attack::RefusalOracle, weak(|node| node.exact = Exact::SmallDifferences), 10);
}

#[test]
fn a_budget_that_is_not_charged_is_averaged() {
    loses(Attack::PrivateBudget, weak(|node| node.private_deviation = 2.0), 30);
}

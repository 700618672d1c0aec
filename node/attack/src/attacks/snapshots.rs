//! Snapshots: the same question on one publication after another.
//!
//! Few persons change between two snapshots. Where the noise of an unchanged set is drawn anew for each snapshot, a year of
//! publications averages it out. Noise that depends on the persons alone stays, and the attacker who sees that most numbers stay
//! takes them for one draw.

use crate::{
    attacker::Attacker,
    attacks::NOISY,
    grid::Grid,
    seen::Seen,
    target::{Scale, Target},
};

/// Share of numbers that stay equal from which on noise is taken for fixed.
const FIXED: f64 = 0.7;

pub(super) async fn attack<T: Target>(attacker: &mut Attacker<'_, T>) {
    let tiers = attacker.tiers(&NOISY);
    let Some(by) = attacker.pairs().into_iter().next() else { return };
    let many = match attacker.scale {
        Scale::Brief => 6,
        Scale::Quick => 12,
        Scale::Thorough => 50,
    };
    attacker.begin(1);
    // the registry grows: what the mean of all estimates is the number in the middle
    let mut truth = None;
    let mut answers: Vec<Vec<Grid>> = vec![Vec::new(); tiers.len()];
    for snapshot in 0..many {
        if snapshot > 0 && attacker.target.next_snapshot().await.is_err() {
            break;
        }
        for (tier, answers) in tiers.iter().zip(&mut answers) {
            answers.extend(attacker.grid(*tier, &[], &by).await);
        }
        if snapshot == many / 2 {
            truth = attacker.truth(&[], &by);
        }
    }
    let Some(truth) = truth else { return };
    for answers in answers {
        let [first, second, ..] = &answers[..] else { continue };
        let redrawn = equal_share(first, second) < FIXED;
        for codes in first.targets() {
            let seen = answers.iter().filter_map(|grid| grid.seen(&codes));
            let belief = if redrawn { Seen::pool(seen) } else { first.seen(&codes) };
            if let (Some(belief), Some(truth)) = (belief, truth.truth(&codes)) {
                attacker.tally.score(&belief, truth);
            }
        }
    }
}

/// The share of numbers shown in both that are equal.
fn equal_share(first: &Grid, second: &Grid) -> f64 {
    let both: Vec<bool> =
        first.cells.iter().filter_map(|(codes, seen)| Some(seen.shown()? == second.seen(codes)?.shown()?)).collect();
    both.iter().filter(|equal| **equal).count() as f64 / (both.len() as f64).max(1.0)
}

//! Repeats: the same question again, grouped in another order, in other words, by other people, in the other tier, weeks later.
//!
//! Where noise is drawn afresh for each answer, or depends on the text of the query, on the asker or on the hour instead of on
//! the set of persons, the answers are independent draws around one truth, and their mean gets as close to it as the quota
//! allows. Noise that is a function of the set alone (Fraser & Wooton 2005, A proposed method for confidentialising tabular
//! output to protect against differencing) gives nothing. The attacker knows that, and counts answers that are equal in every
//! cell as one.

use std::collections::BTreeMap;

use node_protocol::query::Condition;

use crate::{
    attacker::Attacker,
    attacks::NOISY,
    grid::{Codes, Grid, among, not},
    seen::Seen,
    target::{Account, Target},
};

const WEEK_S: i64 = 7 * 24 * 3_600;

pub(super) async fn attack<T: Target>(attacker: &mut Attacker<'_, T>) {
    let tiers = attacker.tiers(&NOISY);
    let Some([first, second]) = attacker.pairs().into_iter().next() else { return };
    let by = [first.clone(), second.clone()];
    let codes = attacker.codes(&first);
    let base = among(&first, codes.iter().map(String::as_str));
    let backwards = among(&first, codes.iter().rev().map(String::as_str));
    let halves = codes.split_at(codes.len() / 2);
    let spelled = [
        base.clone(),
        backwards,
        not(not(base.clone())),
        Condition::All(vec![base.clone(), base.clone()]),
        Condition::Any(vec![base.clone(), base.clone()]),
        Condition::Any(
            [halves.0, halves.1].iter().map(|half| among(&first, half.iter().map(String::as_str))).collect(),
        ),
    ];
    for tier in &tiers {
        attacker.begin(tiers.len());
        let mut answers = Vec::new();
        let mut round = 0;
        while attacker.left() > 0 {
            let condition = spelled[round % spelled.len()].clone();
            let order = if round % 4 < 2 { by.to_vec() } else { vec![second.clone(), first.clone()] };
            let researcher = u32::try_from(round / 3).unwrap_or(0) % attacker.known.researchers.max(1);
            // the last part comes weeks later
            if round % 40 == 39 {
                attacker.target.wait(WEEK_S);
            }
            let asked = attacker.grid_as(Account { researcher, tier: *tier }, &[condition], &order).await;
            answers.extend(asked.map(|grid| in_order(&grid, &by)));
            round += 1;
        }
        let Some(truth) = attacker.truth(std::slice::from_ref(&base), &by) else { continue };
        score_means(attacker, &answers, &truth);
    }
}

/// The same grid with its codes in the order of `by`.
fn in_order(grid: &Grid, by: &[String]) -> Grid {
    let places: Vec<usize> = by.iter().filter_map(|field| grid.by.iter().position(|asked| asked == field)).collect();
    let turn = |codes: &Codes| places.iter().map(|place| codes[*place].clone()).collect::<Codes>();
    Grid {
        by: by.to_vec(),
        cells: grid.cells.iter().map(|(codes, seen)| (turn(codes), *seen)).collect::<BTreeMap<_, _>>(),
        kept: grid.kept.iter().map(turn).collect(),
    }
}

/// Takes answers that differ anywhere for independent draws, and has the mean of each cell judged.
pub(super) fn score_means<T: Target>(attacker: &mut Attacker<'_, T>, answers: &[Grid], truth: &Grid) {
    let mut distinct: Vec<&Grid> = Vec::new();
    for answer in answers {
        if !distinct.iter().any(|other| other.cells == answer.cells) {
            distinct.push(answer);
        }
    }
    let Some(first) = distinct.first() else { return };
    for codes in first.targets() {
        let Some(belief) = Seen::pool(distinct.iter().filter_map(|grid| grid.seen(&codes))) else { continue };
        if let Some(truth) = truth.truth(&codes) {
            attacker.tally.score(&belief, truth);
        }
    }
}

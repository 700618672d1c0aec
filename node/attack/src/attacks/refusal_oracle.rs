//! Refusal oracle: what is refused tells, too.
//!
//! An audit that refuses exactly what would disclose is a function of the data, and the attacker knows the function. It asks for
//! a large set together with one, two and three hidden ones, and keeps, of all worlds that the hidden numbers can be in, those in
//! which the audit would have answered and refused just so (Kenthapadi, Mishra & Nissim 2005, Simulatable auditing, who show the
//! leak and its cure: to decide from earlier answers alone). Where all worlds left agree on a number, it is known.

use node_protocol::{problem::ProblemKind, query::Condition};

use crate::{
    attacker::Attacker,
    grid::Codes,
    seen::Seen,
    target::{Account, Target, Tier},
};

/// Hidden sets that are attacked together.
const TOGETHER: usize = 3;
/// Each subset of them, as bits, the smaller ones first.
const UNIONS: [u8; 7] = [0b001, 0b010, 0b100, 0b011, 0b101, 0b110, 0b111];

/// What the audit said to one union: the number, or no.
type Reply = Option<u64>;

pub(super) async fn attack<T: Target>(attacker: &mut Attacker<'_, T>) {
    if attacker.tiers(&[Tier::EXACT]).is_empty() {
        return;
    }
    attacker.begin(1);
    for by in attacker.pairs() {
        let Some(grid) = attacker.grid(Tier::EXACT, &[], &by).await else { continue };
        let Some(truth) = attacker.truth(&[], &by) else { continue };
        let large = grid.cells.iter().filter(|(_, seen)| seen.is_exact()).max_by(|a, b| a.1.high.total_cmp(&b.1.high));
        let Some((pad, pad_n)) = large.map(|(codes, seen)| (codes.clone(), seen.high as u64)) else { continue };
        let hidden: Vec<Codes> = attacker
            .choose(&grid, 12)
            .into_iter()
            .filter(|codes| grid.seen(codes).is_some_and(|seen| seen.shown().is_none()))
            .collect();
        for sets in hidden.chunks_exact(TOGETHER) {
            let conditions: Vec<Condition> = sets.iter().map(|codes| Condition::All(grid.conditions(codes))).collect();
            let pad = Condition::All(grid.conditions(&pad));
            let Some(replies) = ask_unions(attacker, &pad, &conditions).await else { return };
            let most = attacker.known.threshold - 1;
            let mut worlds = consistent(pad_n, &replies, most, true);
            if worlds.is_empty() {
                // the audit does not mind zeros
                worlds = consistent(pad_n, &replies, most, false);
            }
            if worlds.is_empty() {
                // it is another audit: what it released stays true
                worlds = summing(pad_n, &replies, most);
            }
            for (at, codes) in sets.iter().enumerate() {
                let numbers = worlds.iter().map(|world| world[at]);
                let belief = match (numbers.clone().min(), numbers.max()) {
                    (Some(low), Some(high)) => Seen::band(low, high),
                    _ => Seen::band(0, most),
                };
                if let Some(truth) = truth.truth(codes) {
                    attacker.claim(Tier::EXACT, &belief, truth);
                }
            }
        }
        if attacker.left() < 8 {
            return;
        }
    }
}

/// Asks for the large set with each union; none where the quota or another rule comes between.
async fn ask_unions<T: Target>(
    attacker: &mut Attacker<'_, T>,
    pad: &Condition,
    sets: &[Condition],
) -> Option<Vec<Reply>> {
    let mut replies = Vec::new();
    for union in UNIONS {
        let parts = (0..TOGETHER).filter(|at| union >> at & 1 == 1).map(|at| sets[at].clone());
        let any = Condition::Any([pad.clone()].into_iter().chain(parts).collect());
        let query = attacker.count(&[any], &[]);
        let reply = match attacker.outcome(Account { researcher: 0, tier: Tier::EXACT }, &query).await? {
            Ok(answer) => {
                let seen = crate::grid::Grid::of(&answer, &[])?.seen(&[])?;
                seen.is_exact().then_some(seen.high as u64)
            }
            Err(problem) if problem.kind == ProblemKind::WouldDisclose => None,
            Err(_) => return None,
        };
        replies.push(reply);
    }
    Some(replies)
}

/// Every way that the hidden numbers can be.
fn worlds(most: u64) -> impl Iterator<Item = [u64; TOGETHER]> {
    let pairs = (0..=most).flat_map(move |first| (0..=most).map(move |second| (first, second)));
    pairs.flat_map(move |(first, second)| (0..=most).map(move |third| [first, second, third]))
}

/// The worlds in which an audit would have said the same.
fn consistent(pad: u64, replies: &[Reply], most: u64, zeros: bool) -> Vec<[u64; TOGETHER]> {
    worlds(most).filter(|world| audit(pad, *world, most, zeros).as_slice() == replies).collect()
}

/// The worlds that give the released numbers, whatever was refused.
fn summing(pad: u64, replies: &[Reply], most: u64) -> Vec<[u64; TOGETHER]> {
    let sum = |world: &[u64; TOGETHER], union: u8| {
        pad + (0..TOGETHER).filter(|at| union >> at & 1 == 1).map(|at| world[at]).sum::<u64>()
    };
    let fits = |world: &[u64; TOGETHER]| {
        UNIONS.iter().zip(replies).all(|(union, reply)| reply.is_none_or(|n| n == sum(world, *union)))
    };
    worlds(most).filter(fits).collect()
}

/// What an exact audit by linear algebra says to each union in this world: no where the released sums would determine the number
/// of a set of 1..k-1, or (with `zeros`) of an empty hidden one.
fn audit(pad: u64, world: [u64; TOGETHER], most: u64, zeros: bool) -> Vec<Reply> {
    // columns: the hidden sets, then the pad, whose number is released
    let numbers = [world[0], world[1], world[2], pad];
    let mut released = vec![[0.0, 0.0, 0.0, 1.0]];
    UNIONS
        .iter()
        .map(|union| {
            let row = std::array::from_fn(|at| if at == TOGETHER || union >> at & 1 == 1 { 1.0 } else { 0.0 });
            let mut with = released.clone();
            with.push(row);
            let discloses = (1_u8..16).any(|set| {
                let vector: [f64; 4] = std::array::from_fn(|at| f64::from(set >> at & 1));
                let persons: u64 = (0..4).filter(|at| set >> at & 1 == 1).map(|at| numbers[at]).sum();
                let small = (1..=most).contains(&persons);
                let empty = zeros && persons == 0 && set.count_ones() == 1;
                (small || empty) && spans(&with, vector)
            });
            if discloses {
                return None;
            }
            released = with;
            Some((0..4).filter(|at| row[*at] > 0.0).map(|at| numbers[at]).sum())
        })
        .collect()
}

/// Whether the rows span the vector.
fn spans(rows: &[[f64; 4]], vector: [f64; 4]) -> bool {
    let rank =
        |rows: &[[f64; 4]]| nalgebra::DMatrix::from_fn(rows.len(), 4, |row, column| rows[row][column]).rank(1e-9);
    let mut more = rows.to_vec();
    more.push(vector);
    rank(rows) == rank(&more)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_audit_answers_what_determines_nothing_small() {
        // 4 + 4 = 8 is released although it leaves one world
        let replies = audit(20, [4, 4, 0], 4, true);
        assert_eq!(replies[..4], [None, None, None, Some(28)]);
        let worlds = consistent(20, &replies, 4, true);
        assert!(worlds.iter().all(|world| world[..2] == [4, 4]), "{worlds:?}");
    }

    #[test]
    fn an_audit_that_does_not_mind_zeros_tells_them() {
        let replies = audit(20, [0, 2, 3], 4, false);
        assert_eq!(replies[0], Some(20));
        assert!(consistent(20, &replies, 4, false).iter().all(|world| world[0] == 0));
    }
}

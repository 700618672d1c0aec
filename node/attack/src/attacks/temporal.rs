//! Temporal: after minus before a publication.
//!
//! Between two snapshots only a few patients join. Two exact tables, each safe alone, differ by the new ones: their cancer, age
//! and region are read off cell by cell. A node that keeps a number until at least `k` persons have changed gives less away.
//! Marking the single cells whose numbers are kept tells where somebody joined, and with the total often how many: that is put to
//! a linear programme.

use std::collections::BTreeMap;

use node_protocol::{answer::Answer, query::Query};

use crate::{
    attacker::Attacker,
    attacks::STEADY,
    grid::Grid,
    knowledge::Knowledge,
    seen::Seen,
    target::{Target, Tier},
};

/// Publications that are watched.
const SNAPSHOTS: usize = 4;

/// One question with its first answer, exact truth beside it.
struct Watched {
    query: Query,
    first: Option<(Grid, Grid)>,
}

pub(super) async fn attack<T: Target>(attacker: &mut Attacker<'_, T>) {
    let mut catalogue: BTreeMap<String, Watched> = BTreeMap::new();
    let tiers = attacker.tiers(&STEADY);
    // the total comes first: it ties the changes of the others together
    let mut questions = vec![Vec::new()];
    questions.extend(attacker.fields().into_iter().take(3).map(|field| vec![field]));
    questions.extend(attacker.pairs().into_iter().take(2).map(Vec::from));
    let mut asked: Vec<(Tier, Watched)> = Vec::new();
    for tier in &tiers {
        asked.extend(questions.iter().map(|by| (*tier, Watched { query: attacker.count(&[], by), first: None })));
    }
    for snapshot in 0..SNAPSHOTS {
        if snapshot > 0 && attacker.target.next_snapshot().await.is_err() {
            return;
        }
        let mut answers: Vec<(&mut Watched, Option<Tier>, Grid)> = Vec::new();
        let mut entries = attacker.target.catalogue().await.unwrap_or_default();
        entries.sort_by_key(|entry| entry.query.by.len());
        let mut grids: BTreeMap<String, Grid> = BTreeMap::new();
        for entry in entries.into_iter().filter(|entry| matches!(entry.answer, Answer::Count(_))) {
            if let Some(grid) = Grid::of(&entry.answer, &entry.query.by) {
                grids.insert(entry.indicator.clone(), grid);
                catalogue.entry(entry.indicator).or_insert(Watched { query: entry.query, first: None });
            }
        }
        let mut published: Vec<_> =
            catalogue.iter_mut().filter_map(|(name, watched)| Some((watched, None, grids.remove(name)?))).collect();
        published.sort_by_key(|(watched, _, _)| (watched.query.conditions.len(), watched.query.by.len()));
        answers.extend(published);
        for (tier, watched) in &mut asked {
            let by = watched.query.by.clone();
            if let Some(grid) = attacker.grid(*tier, &[], &by).await {
                answers.push((watched, Some(*tier), grid));
            }
        }
        // somebody joined each cell that is marked as kept
        let least = answers.iter().map(|(_, _, grid)| grid.kept.len()).max().unwrap_or(0) as f64;
        let mut total = Total { tier: None, least, change: Seen::NOTHING };
        for (watched, tier, grid) in answers {
            if total.tier != tier {
                total = Total { tier, least, change: Seen::NOTHING };
            }
            compare(attacker, watched, &grid, &mut total);
        }
    }
}

/// What is known of all who joined.
struct Total {
    /// Where their number was asked for; nowhere for the catalogue.
    tier: Option<Tier>,
    least: f64,
    change: Seen,
}

/// Has the newcomers of each cell since the first answer judged where they are 1..k-1.
fn compare<T: Target>(attacker: &mut Attacker<'_, T>, watched: &mut Watched, grid: &Grid, total: &mut Total) {
    let Some(truth) = attacker.truth(&watched.query.conditions, &watched.query.by) else { return };
    let threshold = attacker.known.threshold as f64;
    let Some((first, first_truth)) = &watched.first else {
        watched.first = Some((grid.clone(), truth));
        return;
    };
    // whether this node marks what it keeps
    let marks = !grid.kept.is_empty();
    let mut knowledge = Knowledge::new(grid.cells.len());
    let mut joined = Vec::new();
    for (at, (codes, after)) in grid.cells.iter().enumerate() {
        let change = first
            .seen(codes)
            .map_or(Seen::NOTHING, |first| change(&first, after, grid.kept.contains(codes), marks, threshold));
        knowledge.learn(vec![at], change);
        joined.push((codes.clone(), change));
    }
    if let ([], [(_, change)]) = (&grid.by[..], &joined[..]) {
        total.change = *change;
    }
    let whole = watched.query.conditions.is_empty() && !grid.by.is_empty();
    if whole {
        knowledge.learn((0..joined.len()).collect(), total.change.within(total.least, f64::INFINITY));
    }
    for (at, (codes, change)) in joined.iter().enumerate() {
        let (Some(now), Some(then)) = (truth.truth(codes), first_truth.truth(codes)) else { continue };
        if now - then < 1.0 || now - then >= threshold {
            continue;
        }
        let mut belief = *change;
        if let Some(bounds) = knowledge.bounds(&[at]).filter(|_| whole) {
            belief = belief.within(bounds.low, bounds.high);
        }
        attacker.tally.score(&belief, now - then);
    }
}

/// What two answers tell about those who joined. A number that is marked as kept tells that some joined since it was new, and
/// fewer than the threshold; one that is merely equal may have been kept, too, unless the node marks what it keeps.
fn change(first: &Seen, after: &Seen, kept: bool, marks: bool, threshold: f64) -> Seen {
    let since = after.minus(first);
    let same = first == after && after.shown().is_some();
    match (kept, same) {
        (true, true) => Seen { low: 1.0, high: threshold - 1.0, estimate: None },
        (true, false) => Seen { low: since.low + 1.0, high: since.high + threshold - 1.0, estimate: None },
        (false, true) if marks => Seen::exact(0),
        (false, true) => Seen { low: 0.0, high: threshold - 1.0, estimate: None },
        (false, false) => since,
    }
}

//! Zero probing: does nobody look other than few?
//!
//! That nobody of a region has a disease is as telling as that one has. The attacker asks for groups, and for single sets with
//! every statistic, and sorts everything that comes back, refusals included, by its form: the bytes without the group's name.
//! Where a form comes for zeros only while another comes for small numbers, the form gives the zero away.

use std::collections::BTreeMap;

use node_protocol::{
    answer::{Answer, CountCell, GroupKey},
    query::Statistic,
};

use crate::{
    attacker::Attacker,
    attacks::EVERY,
    grid::{Grid, codes},
    seen::Seen,
    target::{Account, Target, Tier},
};

/// Observations of fewer small numbers than this say nothing about their forms.
const ENOUGH: usize = 3;

/// Tables of which single sets are asked for, too.
const ALONE: usize = 1;

/// What was seen and what is true: form, true number.
type Observed = Vec<(String, f64)>;

pub(super) async fn attack<T: Target>(attacker: &mut Attacker<'_, T>) {
    let tiers = attacker.tiers(&EVERY);
    for tier in &tiers {
        attacker.begin(tiers.len());
        let account = Account { researcher: 0, tier: *tier };
        let mut singles: BTreeMap<&str, Observed> = BTreeMap::new();
        let mut grids = Observed::new();
        for (table, by) in attacker.pairs().into_iter().enumerate() {
            if attacker.left() == 0 {
                break;
            }
            // a third field makes more groups of nobody
            let by = wider(attacker, by);
            let query = attacker.count(&[], &by);
            let Some(answer) = attacker.ask(account, &query).await else { continue };
            let Some(truth) = attacker.truth(&[], &by) else { continue };
            let Some(grid) = Grid::of(&answer, &by) else { continue };
            let targets: Vec<_> = grid.plausible().map(|(codes, _)| codes.clone()).collect();
            for (group, form) in forms(&answer) {
                let group = codes(&group, &by);
                if targets.contains(&group) {
                    grids.extend(truth.truth(&group).map(|truth| (form, truth)));
                }
            }
            if table >= ALONE {
                continue;
            }
            // two zeros and two small ones of this table, each alone, by every statistic
            let small = |zero: bool, attacker: &Attacker<'_, T>| {
                let below = attacker.threshold(*tier) as f64;
                let of_kind = |n: f64| if zero { n == 0.0 } else { n > 0.0 && n < below };
                targets.iter().filter(|codes| truth.truth(codes).is_some_and(of_kind)).take(2).cloned().collect()
            };
            let chosen: [Vec<_>; 2] = [small(true, attacker), small(false, attacker)];
            for codes in chosen.iter().flatten() {
                for statistic in statistics(*tier) {
                    let name = statistic.name();
                    let query = attacker.query(&grid.conditions(codes), &[], statistic);
                    let Some(outcome) = attacker.outcome(account, &query).await else { break };
                    let form = match outcome {
                        Ok(answer) => serde_json::to_string(&answer).unwrap_or_default(),
                        Err(problem) => serde_json::to_string(&problem).unwrap_or_default(),
                    };
                    if let Some(truth) = truth.truth(codes) {
                        singles.entry(name).or_default().push((form, truth));
                    }
                }
            }
        }
        singles.into_values().chain([grids]).for_each(|observed| judge(attacker, *tier, &observed));
    }
}

/// The pair of fields with a third, where that still fits into one answer.
fn wider<T: Target>(attacker: &Attacker<'_, T>, pair: [String; 2]) -> Vec<String> {
    let size = |field: &String| attacker.codes(field).len() as u64 + 1;
    let cells: u64 = pair.iter().map(size).product();
    let fits = |field: &String| !pair.contains(field) && cells * size(field) <= attacker.known.cells;
    let third = attacker.fields().into_iter().find(fits);
    pair.into_iter().chain(third).collect()
}

fn statistics(tier: Tier) -> Vec<Statistic> {
    if tier == Tier::Exploration {
        return vec![Statistic::Count];
    }
    vec![
        Statistic::Count,
        Statistic::Survival { endpoint: "overall".to_owned(), cuts_months: vec![12, 60] },
        Statistic::Mean { fields: vec!["age_years".to_owned()] },
        Statistic::Histogram { field: "age_years".to_owned() },
    ]
}

/// The form of each group: everything but its name.
fn forms(answer: &Answer) -> Vec<(GroupKey, String)> {
    let Answer::Count(count) = answer else { return Vec::new() };
    let form = |cell: &CountCell| {
        let nameless = CountCell { group: BTreeMap::new(), ..cell.clone() };
        serde_json::to_string(&nameless).unwrap_or_default()
    };
    count.cells.iter().map(|cell| (cell.group.clone(), form(cell))).collect()
}

/// Attacks the zeros: their form gives them away where no small number has it.
fn judge<T: Target>(attacker: &mut Attacker<'_, T>, tier: Tier, observed: &Observed) {
    let below = attacker.threshold(tier) as f64;
    let few = |form: Option<&str>| {
        observed.iter().filter(|(seen, n)| *n > 0.0 && *n < below && form.is_none_or(|form| seen == form)).count()
    };
    // fresh noise makes every form its own
    if few(None) < ENOUGH || tier == Tier::PRIVATE {
        return;
    }
    for (form, n) in observed.iter().filter(|(_, n)| *n == 0.0) {
        let belief = if few(Some(form)) == 0 { Seen::exact(0) } else { Seen::band(0, attacker.threshold(tier) - 1) };
        attacker.tally.score(&belief, *n);
    }
}

//! Statistics: a count, a histogram, a mean and a life table of the same set.
//!
//! They share numbers. Where each protects its own, a hidden bin is the count minus the bins that are shown, a number below the
//! threshold stands as `rows` beside a mean, and where each draws its own noise for the same persons their average is better than
//! any of them.

use std::collections::BTreeMap;

use node_protocol::{
    answer::Answer,
    query::{Condition, Statistic},
};

use crate::{
    attacker::Attacker,
    attacks::survival_cuts::survival,
    curve::curves,
    grid::{Codes, Grid, codes, is},
    knowledge::Knowledge,
    seen::Seen,
    target::{Account, Target, Tier},
};

const FIELD: &str = "age_years";

pub(super) async fn attack<T: Target>(attacker: &mut Attacker<'_, T>) {
    let tiers = attacker.tiers(&[Tier::EXACT, Tier::PERTURBED]);
    for tier in &tiers {
        attacker.begin(tiers.len());
        let fields = attacker.fields();
        // each table alone, and each within a few values of the first field
        let first = fields.first().cloned().unwrap_or_default();
        let mut within = vec![Vec::new()];
        within.extend(attacker.codes(&first).iter().take(4).map(|code| vec![is(&first, Some(code))]));
        for rows in within {
            for field in &fields {
                if attacker.left() < 4 {
                    break;
                }
                one_set(attacker, *tier, &rows, std::slice::from_ref(field)).await;
            }
        }
    }
}

async fn one_set<T: Target>(attacker: &mut Attacker<'_, T>, tier: Tier, rows: &[Condition], by: &[String]) {
    let account = Account { researcher: 0, tier };
    let Some(counted) = attacker.grid(tier, rows, by).await else { return };
    let Some(truth) = attacker.truth(rows, by) else { return };
    let mut views: BTreeMap<Codes, Vec<Seen>> = BTreeMap::new();
    let mean = attacker.query(rows, by, Statistic::Mean { fields: vec![FIELD.to_owned()] });
    if let Some(Answer::Mean(answer)) = attacker.ask(account, &mean).await {
        for group in &answer.groups {
            let numbers = group.values.iter().flat_map(|value| [value.persons, value.rows]);
            let seen = numbers.map(|cell| Seen::persons(&cell, &answer.release));
            views.entry(codes(&group.group, by)).or_default().extend(seen);
        }
    }
    let life = attacker.query(rows, by, survival(vec![12, 60]));
    if let Some(answer) = attacker.ask(account, &life).await {
        for (codes, curve) in curves(&answer, by).unwrap_or_default() {
            views.entry(codes).or_default().push(curve.persons);
        }
    }
    let histogram = attacker.query(rows, by, Statistic::Histogram { field: FIELD.to_owned() });
    let shown = attacker.ask(account, &histogram).await;
    let true_bins = attacker.judge.truth(&histogram);
    if let (Some(shown), Some(true_bins)) = (shown, true_bins) {
        bins(attacker, tier, by, &counted, &shown, &true_bins, &mut views);
    }
    for codes in counted.targets() {
        let (Some(own), Some(truth)) = (counted.seen(&codes), truth.truth(&codes)) else { continue };
        let mut known = vec![own];
        for view in views.get(&codes).into_iter().flatten() {
            // equal numbers of the same persons are one number; a set that lacks persons without a date or an age is not the same
            if !known.iter().any(|old| old.shown() == view.shown()) && view.high >= own.low {
                known.push(*view);
            }
        }
        let belief = known.into_iter().reduce(|mean, seen| mean.meet(&seen)).unwrap_or(own);
        attacker.claim(tier, &belief, truth);
    }
}

/// Bounds hidden bins by the count of all, and adds what the shown bins say about the count.
fn bins<T: Target>(
    attacker: &mut Attacker<'_, T>,
    tier: Tier,
    by: &[String],
    counted: &Grid,
    shown: &Answer,
    truth: &Answer,
    views: &mut BTreeMap<Codes, Vec<Seen>>,
) {
    let (Answer::Histogram(shown), Answer::Histogram(truth)) = (shown, truth) else { return };
    for (group, true_group) in shown.groups.iter().zip(&truth.groups) {
        let codes = codes(&group.group, by);
        let Some(total) = counted.seen(&codes) else { continue };
        let seen: Vec<Seen> =
            group.bins.iter().chain([&group.missing]).map(|cell| Seen::persons(cell, &shown.release)).collect();
        let mut knowledge = Knowledge::new(seen.len());
        seen.iter().enumerate().for_each(|(at, seen)| knowledge.learn(vec![at], *seen));
        knowledge.learn((0..seen.len()).collect(), total);
        for (at, (bin, true_bin)) in seen.iter().zip(true_group.bins.iter().chain([&true_group.missing])).enumerate() {
            let hidden = bin.shown().is_none() && total.shown().is_some();
            if let (true, Some(truth)) = (hidden, true_bin.exact()) {
                let belief = knowledge.bounds(&[at]).unwrap_or(*bin);
                attacker.claim(tier, &belief, truth as f64);
            }
        }
        let sum = seen.into_iter().reduce(|sum, bin| sum.plus(&bin));
        views.entry(codes).or_default().extend(sum);
    }
}

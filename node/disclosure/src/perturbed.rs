//! Answers with the noise of their sets: cell-key perturbation of counts, histograms, sums and life tables.

use node_domain::{digest::Digest, months};
use node_protocol::{
    answer::{
        Answer, Boundaries, CountAnswer, CountCell, Cut, GroupKey, HistogramAnswer, HistogramGroup, MeanAnswer,
        MeanGroup, MeanValue, SurvivalAnswer, SurvivalGroup,
    },
    cell::{Cell, Withheld},
    query::{Query, Statistic},
    release::{Conditions, NoiseStatement, Release},
};
use node_statistics::{
    frequency::{FrequencyTable, Sum, TimeCount},
    interval::log_log,
};

use crate::{
    coarsening,
    dominance::{dominates, too_small},
    perturbation::{
        Perturbation, Shown,
        life_table::{ExactInterval, PerturbedInterval},
    },
};

/// The answer to `query` with noise. The table must have been counted with record keys.
pub(crate) fn answer(
    query: &Query,
    groups: &[GroupKey],
    lower_edges: &[u16],
    table: &FrequencyTable,
    conditions: Conditions,
    perturbation: &Perturbation,
) -> Answer {
    let noise = NoiseStatement { standard_deviation: perturbation.standard_deviation(), bound: perturbation.bound() };
    let release = Release::Perturbed { safeguards: conditions.safeguards, noise };
    let cell = |at: usize| count(perturbation, table.groups[at].persons, table.groups[at].key_sum);
    match &query.statistic {
        Statistic::Count => {
            let cells = groups.iter().enumerate().map(|(at, group)| CountCell {
                group: group.clone(),
                persons: cell(at),
                cases: None,
                as_of: None,
            });
            Answer::Count(CountAnswer { release, cells: cells.collect() })
        }
        Statistic::Histogram { field } => {
            let bins = lower_edges.len() + 1;
            let groups = groups.iter().enumerate().map(|(at, group)| HistogramGroup {
                group: group.clone(),
                bins: (0..bins - 1).map(|bin| cell(at * bins + bin)).collect(),
                missing: cell(at * bins + bins - 1),
                as_of: None,
            });
            let (groups, lower_edges) = (groups.collect(), lower_edges.to_vec());
            Answer::Histogram(HistogramAnswer { release, field: field.clone(), lower_edges, groups })
        }
        Statistic::Mean { fields } => {
            let value = |at: usize, field: usize| mean(perturbation, &table.sums[at], &fields[field], conditions);
            let groups = groups.iter().enumerate().map(|(at, group)| MeanGroup {
                group: group.clone(),
                values: (0..fields.len()).map(|field| value(at * fields.len() + field, field)).collect(),
                as_of: None,
            });
            Answer::Mean(MeanAnswer { release, fields: fields.clone(), groups: groups.collect() })
        }
        Statistic::Survival { endpoint, cuts_months } => {
            let groups = groups
                .iter()
                .enumerate()
                .map(|(at, group)| curve(group, at, table, cuts_months, conditions, perturbation));
            Answer::Survival(SurvivalAnswer { release, endpoint: endpoint.clone(), groups: groups.collect() })
        }
    }
}

fn count(perturbation: &Perturbation, persons: u64, key_sum: u64) -> Cell {
    match perturbation.count(persons, key_sum) {
        Shown::Number(n) => Cell::Perturbed { n },
        Shown::Band { high } => Cell::Banded { low: 0, high },
    }
}

fn mean(perturbation: &Perturbation, sum: &Sum, field: &str, conditions: Conditions) -> MeanValue {
    let persons = count(perturbation, sum.persons, sum.key_sum);
    let hidden = |withheld| MeanValue { persons, rows: persons, sum: None, sum_of_squares: None, withheld };
    let Some(shown) = persons.shown() else { return hidden(None) };
    if dominates(sum, conditions.dominance) || too_small(sum, conditions.safeguards) {
        return hidden(Some(Withheld::Dominance));
    }
    // every field has noise of its own, or who knows one sum would know the noise of the others
    let key = sum.key_sum.wrapping_add(of_field(field));
    let noisy = perturbation.sum(sum.persons, shown, sum.sum, sum.largest, key);
    MeanValue { persons, rows: persons, sum: Some(noisy), sum_of_squares: None, withheld: None }
}

fn of_field(field: &str) -> u64 {
    let digest = Digest::of(field.as_bytes());
    digest.as_bytes().iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn curve(
    key: &GroupKey,
    group: usize,
    table: &FrequencyTable,
    asked: &[u16],
    conditions: Conditions,
    perturbation: &Perturbation,
) -> SurvivalGroup {
    let total = table.groups[group];
    let persons = count(perturbation, total.persons, total.key_sum);
    let missing = count(perturbation, total.missing_time, total.missing_key_sum);
    let mut answer = SurvivalGroup {
        group: key.clone(),
        persons,
        missing,
        cuts: Vec::new(),
        boundaries: Boundaries::default(),
        as_of: None,
    };
    let Some(shown) = persons.shown() else { return answer };
    let safeguards = conditions.safeguards;
    let times = table.times_of(group);
    let exact = intervals(times, &coarsening::boundaries(times, safeguards));
    let table = perturbation.life_table(shown, &exact, safeguards.at_risk);
    answer.boundaries = Boundaries {
        months: table.iter().map(|interval| interval.to_month).collect(),
        events: table.iter().map(|interval| interval.events).collect(),
        withdrawn: table.iter().map(|interval| interval.withdrawn).collect(),
        survival: table.iter().map(|interval| interval.survival).collect(),
    };
    answer.cuts = cuts(&table, asked);
    answer
}

/// Events and withdrawals between the boundaries, with the keys of those who had them.
fn intervals(times: &[TimeCount], boundaries: &[u16]) -> Vec<ExactInterval> {
    let mut rest = times;
    boundaries
        .iter()
        .map(|&to_month| {
            let end = rest.partition_point(|time| u32::from(time.day) < months::first_day_after(to_month));
            let (inside, later) = rest.split_at(end);
            rest = later;
            let mut interval = ExactInterval { to_month, events: 0, events_key: 0, withdrawn: 0, withdrawn_key: 0 };
            for time in inside {
                let (n, key) = if time.cause == 0 {
                    (&mut interval.withdrawn, &mut interval.withdrawn_key)
                } else {
                    (&mut interval.events, &mut interval.events_key)
                };
                *n += u64::from(time.persons);
                *key = key.wrapping_add(time.key_sum);
            }
            interval
        })
        .collect()
}

fn cuts(table: &[PerturbedInterval], asked: &[u16]) -> Vec<Cut> {
    let (mut events, mut withdrawn) = (0, 0);
    let mut rest = table.iter().peekable();
    asked
        .iter()
        .map(|&month| {
            let mut at_cut = None;
            while let Some(interval) = rest.next_if(|interval| interval.to_month <= month) {
                events += interval.events;
                withdrawn += interval.withdrawn;
                at_cut = Some(interval).filter(|interval| interval.to_month == month);
            }
            let merged = rest.peek().is_some();
            let hidden = Cut::hidden(month, if merged { Withheld::Merged } else { Withheld::TailCut });
            let Some(interval) = at_cut else { return hidden };
            let limits = interval.standard_error.and_then(|error| log_log(interval.survival, error));
            let going_on = interval.at_risk.saturating_sub(interval.events + interval.withdrawn);
            let cut = Cut {
                at_risk: Cell::Perturbed { n: going_on },
                events: Cell::Perturbed { n: events },
                withdrawn: Cell::Perturbed { n: withdrawn },
                merged: false,
                survival: Some(interval.survival),
                standard_error: interval.standard_error,
                lower: limits.map(|limits| limits.0),
                upper: limits.map(|limits| limits.1),
                ..hidden
            };
            (events, withdrawn) = (0, 0);
            cut
        })
        .collect()
}

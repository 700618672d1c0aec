//! Which countries are behind a pooled figure, told where they are not all that answered.

use std::collections::BTreeMap;

use node_protocol::{
    answer::{Answer, GroupKey, HistogramAnswer, MeanAnswer, Pooled, PooledMean, SurvivalAnswer, SurvivalGroup},
    cell::Cell,
};

use super::{means::takes_part, reaches};

/// A node by its name, with its answer.
pub(crate) type Answered<'a> = (&'a str, &'a Answer);

/// A sentence for each pooled figure in which not all countries are that answered.
pub(crate) fn of(answers: &[Answered<'_>], pooled: &Pooled) -> Vec<String> {
    match pooled {
        Pooled::Count { cells, .. } => {
            let refused = cells.iter().filter(|one| is_refused(&one.persons));
            no_sums(refused.map(|one| (refusing(answers, &one.group), named(&one.group))))
        }
        Pooled::Histogram { lower_edges, .. } => other_bins(answers, lower_edges).into_iter().collect(),
        Pooled::Mean { means, .. } => {
            let of = |one: &PooledMean| {
                let inside = names(answers, |answer| shows_mean(answer, &one.group, &one.field));
                let part = part(&inside, &all(answers))?;
                Some(format!("Mean of {}, {}: {part}.", one.field, named(&one.group)))
            };
            means.iter().filter_map(of).collect()
        }
        Pooled::Survival { groups, .. } => {
            let months = |group: &SurvivalGroup| group.cuts.iter().map(|cut| cut.month).collect::<Vec<_>>();
            groups.iter().filter_map(|group| curve(answers, &group.group, &months(group))).collect()
        }
    }
}

fn is_refused(cell: &Cell) -> bool {
    matches!(cell, Cell::Refused { .. })
}

fn all<'a>(answers: &[Answered<'a>]) -> Vec<&'a str> {
    answers.iter().map(|(node, _)| *node).collect()
}

fn names<'a>(answers: &[Answered<'a>], test: impl Fn(&Answer) -> bool) -> Vec<&'a str> {
    answers.iter().filter(|(_, answer)| test(answer)).map(|(node, _)| *node).collect()
}

fn refusing<'a>(answers: &[Answered<'a>], group: &GroupKey) -> Vec<&'a str> {
    let refuses = |answer: &Answer| match answer {
        Answer::Count(answer) => answer.cells.iter().any(|one| one.group == *group && is_refused(&one.persons)),
        _ => false,
    };
    names(answers, refuses)
}

/// The groups that have no sum, those of the same countries together.
fn no_sums<'a>(groups: impl Iterator<Item = (Vec<&'a str>, String)>) -> Vec<String> {
    let mut told: BTreeMap<Vec<&str>, Vec<String>> = BTreeMap::new();
    for (countries, group) in groups {
        told.entry(countries).or_default().push(group);
    }
    let sentence = |(countries, groups): (Vec<&str>, Vec<String>)| {
        format!("No sum, since the number of {} is hidden: {}.", countries.join(", "), groups.join("; "))
    };
    told.into_iter().map(sentence).collect()
}

fn other_bins(answers: &[Answered<'_>], edges: &[u16]) -> Option<String> {
    let alike = |answer: &Answer| matches!(answer, Answer::Histogram(HistogramAnswer { lower_edges, .. }) if lower_edges == edges);
    let part = part(&names(answers, alike), &all(answers))?;
    Some(format!("Histograms of other bins are not pooled: {part}."))
}

fn shows_mean(answer: &Answer, group: &GroupKey, field: &str) -> bool {
    let Answer::Mean(MeanAnswer { fields, groups, .. }) = answer else { return false };
    let mut values = groups.iter().filter(|one| one.group == *group).flat_map(|one| fields.iter().zip(&one.values));
    values.any(|(name, value)| name == field && takes_part(value))
}

/// The countries of a curve, months with the same ones together.
fn curve(answers: &[Answered<'_>], group: &GroupKey, months: &[u16]) -> Option<String> {
    let mut runs: Vec<(Vec<&str>, Vec<String>)> = Vec::new();
    for &month in months {
        let inside = names(answers, |answer| {
            let Answer::Survival(SurvivalAnswer { groups, .. }) = answer else { return false };
            groups.iter().any(|one| one.group == *group && reaches(one, month))
        });
        match runs.last_mut() {
            Some((before, months)) if *before == inside => months.push(month.to_string()),
            _ => runs.push((inside, vec![month.to_string()])),
        }
    }
    // the cuts themselves say why there is no curve
    if runs.iter().all(|(inside, _)| inside.is_empty()) {
        return None;
    }
    let told = runs.iter().filter_map(|(inside, months)| {
        let part = part(inside, &all(answers))?;
        Some(format!("at {} months {part}", months.join(", ")))
    });
    let told: Vec<String> = told.collect();
    (!told.is_empty()).then(|| format!("Curve, {}: {}.", named(group), told.join("; ")))
}

/// Which countries are in, in the fewest words; nothing where all are.
fn part(inside: &[&str], all: &[&str]) -> Option<String> {
    let outside: Vec<&str> = all.iter().filter(|node| !inside.contains(node)).copied().collect();
    match (inside.len(), outside.len()) {
        (_, 0) => None,
        (0, _) => Some("no country".to_owned()),
        (inside, outside_count) if outside_count <= inside => Some(format!("all but {}", outside.join(", "))),
        _ => Some(format!("only {}", inside.join(", "))),
    }
}

/// A group by its codes.
fn named(group: &GroupKey) -> String {
    if group.is_empty() {
        return "all".to_owned();
    }
    let one = |(field, code): (&String, &Option<String>)| format!("{field} {}", code.as_deref().unwrap_or("(missing)"));
    group.iter().map(one).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_countries_that_are_in_are_told_in_the_fewest_words() {
        let all = ["ar", "br", "mx"];
        assert_eq!(part(&all, &all), None);
        assert_eq!(part(&["ar", "mx"], &all).as_deref(), Some("all but br"));
        assert_eq!(part(&["br"], &all).as_deref(), Some("only br"));
        assert_eq!(part(&[], &all).as_deref(), Some("no country"));
    }

    #[test]
    fn groups_without_a_sum_are_told_together() {
        let groups = [(vec!["ar"], "sex 1".to_owned()), (vec!["ar"], "sex 2".to_owned())];
        let told = ["No sum, since the number of ar is hidden: sex 1; sex 2."];
        assert_eq!(no_sums(groups.into_iter()), told);
    }
}

//! What the countries behind a pooled figure show: whether noise is in it.

use node_protocol::{
    answer::{Answer, GroupKey},
    cell::Cell,
};

/// A node by its name, with its answer.
type Answered<'a> = (&'a str, &'a Answer);

fn perturbed(cell: &Cell) -> bool {
    matches!(cell, Cell::Perturbed { .. })
}

/// Whether any country's number of persons in a group carries noise.
pub(super) fn noisy_persons(answers: &[Answered<'_>], group: &GroupKey) -> bool {
    answers.iter().any(|(_, answer)| match answer {
        Answer::Count(answer) => answer.cells.iter().any(|one| one.group == *group && perturbed(&one.persons)),
        Answer::Survival(answer) => answer.groups.iter().any(|one| one.group == *group && perturbed(&one.persons)),
        Answer::Histogram(_) | Answer::Mean(_) => false,
    })
}

/// Whether any country's number without the dates of a curve carries noise.
pub(super) fn noisy_missing(answers: &[Answered<'_>], group: &GroupKey) -> bool {
    answers.iter().any(|(_, answer)| match answer {
        Answer::Survival(answer) => answer.groups.iter().any(|one| one.group == *group && perturbed(&one.missing)),
        _ => false,
    })
}

/// Whether any country's number in a bin of a group carries noise; the one after the last bin is that of the missing.
pub(super) fn noisy_bin(answers: &[Answered<'_>], group: &GroupKey, bin: usize) -> bool {
    answers.iter().any(|(_, answer)| {
        let Answer::Histogram(answer) = answer else { return false };
        let mut groups = answer.groups.iter().filter(|one| one.group == *group);
        groups.any(|one| perturbed(one.bins.get(bin).unwrap_or(&one.missing)))
    })
}

/// Whether the curve of any country that reaches a month carries noise.
pub(super) fn noisy_curve(answers: &[Answered<'_>], group: &GroupKey, month: u16) -> bool {
    answers.iter().any(|(_, answer)| {
        let Answer::Survival(answer) = answer else { return false };
        let reaches = |months: &[u16]| months.last().is_some_and(|last| *last >= month);
        let mut groups = answer.groups.iter().filter(|one| one.group == *group && reaches(&one.boundaries.months));
        groups.any(|one| perturbed(&one.persons))
    })
}

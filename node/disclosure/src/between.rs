//! Between snapshots: a group whose set has changed by fewer persons than the threshold keeps its earlier numbers.
//!
//! Two answers to one query on two snapshots would otherwise tell, by their difference, what one or two new patients are (design,
//! section 6, rule 3). A group that has not changed at all is marked like one that has hardly changed.

use std::collections::BTreeSet;

use node_domain::digest::Digest;
use node_protocol::{
    answer::{Answer, Boundaries, CountCell, Cut, GroupKey, HistogramGroup, MeanGroup, MeanValue, SurvivalGroup},
    cell::{Cell, Withheld},
};

/// An answer that was released to the same query on another snapshot.
#[derive(Debug, Clone, Copy)]
pub struct Earlier<'a> {
    /// The answer.
    pub answer: &'a Answer,
    /// The snapshot that it was made on.
    pub snapshot: Digest,
    /// The snapshot that the changes were counted from: of its groups only those are kept whose numbers are from there.
    pub counted_from: Digest,
}

impl Earlier<'_> {
    /// The snapshots that the numbers of `answer`, made on `snapshot`, are from.
    #[must_use]
    pub fn sources(answer: &Answer, snapshot: Digest) -> BTreeSet<Digest> {
        let as_of: Vec<Option<Digest>> = match answer {
            Answer::Count(answer) => answer.cells.iter().map(|cell| cell.as_of).collect(),
            Answer::Histogram(answer) => answer.groups.iter().map(|group| group.as_of).collect(),
            Answer::Mean(answer) => answer.groups.iter().map(|group| group.as_of).collect(),
            Answer::Survival(answer) => answer.groups.iter().map(|group| group.as_of).collect(),
        };
        as_of.into_iter().map(|as_of| as_of.unwrap_or(snapshot)).collect()
    }
}

/// The earlier numbers of one group.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kept {
    Count(CountCell),
    Histogram(HistogramGroup),
    Mean(MeanGroup),
    Survival(SurvivalGroup),
}

/// The earlier numbers of each group that keeps them: fewer than `least` of its persons have changed. None and few look alike: a mark
/// on the few alone would tell where newcomers are, and of several marks beside a kept total how many each. Where the snapshot that
/// the numbers are from is gone, nobody can count changes any more: then a group keeps them.
pub(crate) fn kept(
    earlier: &Earlier<'_>,
    groups: &[GroupKey],
    changed: Option<&[u64]>,
    least: u32,
) -> Vec<Option<Kept>> {
    let few = |at: usize| changed.is_none_or(|changed| changed[at] < u64::from(least));
    let pick = |(at, key): (usize, &GroupKey)| {
        few(at).then(|| of_group(earlier.answer, key)).flatten().and_then(|kept| kept.from(earlier, least))
    };
    groups.iter().enumerate().map(pick).collect()
}

fn of_group(answer: &Answer, key: &GroupKey) -> Option<Kept> {
    match answer {
        Answer::Count(answer) => answer.cells.iter().find(|cell| cell.group == *key).cloned().map(Kept::Count),
        Answer::Histogram(answer) => {
            answer.groups.iter().find(|group| group.group == *key).cloned().map(Kept::Histogram)
        }
        Answer::Mean(answer) => answer.groups.iter().find(|group| group.group == *key).cloned().map(Kept::Mean),
        Answer::Survival(answer) => answer.groups.iter().find(|group| group.group == *key).cloned().map(Kept::Survival),
    }
}

impl Kept {
    /// The same marked with where it is from; none if it shows no number, or is from elsewhere than the changes were counted from.
    /// Numbers that were told under a smaller threshold are not told on, nor is what they are now: the difference would tell the change.
    fn from(mut self, earlier: &Earlier<'_>, least: u32) -> Option<Self> {
        let numbers: Vec<u64> = self.cells().iter().filter_map(Cell::shown).collect();
        if numbers.iter().any(|n| *n < u64::from(least)) {
            self.hide();
        }
        let as_of = match &mut self {
            Self::Count(cell) => &mut cell.as_of,
            Self::Histogram(group) => &mut group.as_of,
            Self::Mean(group) => &mut group.as_of,
            Self::Survival(group) => &mut group.as_of,
        };
        let source = *as_of.get_or_insert(earlier.snapshot);
        (!numbers.is_empty() && source == earlier.counted_from).then_some(self)
    }

    /// The cells that count persons.
    fn cells(&self) -> Vec<Cell> {
        match self {
            Self::Count(cell) => vec![cell.persons],
            Self::Histogram(group) => [group.bins.as_slice(), &[group.missing]].concat(),
            Self::Mean(group) => group.values.iter().map(|value| value.persons).collect(),
            Self::Survival(group) => vec![group.persons, group.missing],
        }
    }

    fn hide(&mut self) {
        let reason = Withheld::Complementary;
        let hidden = Cell::Refused { reason };
        match self {
            Self::Count(cell) => (cell.persons, cell.cases) = (hidden, None),
            Self::Histogram(group) => {
                group.bins.fill(hidden);
                group.missing = hidden;
            }
            Self::Mean(group) => {
                let none = MeanValue { persons: hidden, rows: hidden, sum: None, sum_of_squares: None, withheld: None };
                group.values.fill(none);
            }
            Self::Survival(group) => {
                (group.persons, group.missing) = (hidden, hidden);
                group.cuts = group.cuts.iter().map(|cut| Cut::hidden(cut.month, reason)).collect();
                group.boundaries = Boundaries::default();
            }
        }
    }
}

/// The answer with the kept numbers in place of new ones.
pub(crate) fn with_kept(mut answer: Answer, kept: &[Option<Kept>]) -> Answer {
    for (at, kept) in kept.iter().enumerate() {
        match (&mut answer, kept) {
            (Answer::Count(answer), Some(Kept::Count(cell))) => answer.cells[at] = cell.clone(),
            (Answer::Histogram(answer), Some(Kept::Histogram(group))) => answer.groups[at] = group.clone(),
            (Answer::Mean(answer), Some(Kept::Mean(group))) => answer.groups[at] = group.clone(),
            (Answer::Survival(answer), Some(Kept::Survival(group))) => answer.groups[at] = group.clone(),
            _ => {}
        }
    }
    answer
}

/// An answer with noise, in which the groups that have hardly changed keep their earlier numbers.
#[must_use]
pub(crate) fn keep(
    answer: Answer,
    groups: &[GroupKey],
    earlier: &Earlier<'_>,
    changed: Option<&[u64]>,
    least: u32,
) -> Answer {
    let kept = kept(earlier, groups, changed, least);
    with_kept(answer, &kept)
}

#[cfg(test)]
mod tests {
    use node_protocol::{
        answer::CountAnswer,
        release::{Release, Safeguards},
    };

    use super::*;

    fn key(code: &str) -> GroupKey {
        GroupKey::from([("stage".to_owned(), Some(code.to_owned()))])
    }

    fn answer(cells: &[(&str, Cell, Option<Digest>)]) -> Answer {
        let release = Release::Catalogue(Safeguards { persons: 5, events: 3, at_risk: 10 });
        let cell = |(code, persons, as_of): &(&str, Cell, Option<Digest>)| CountCell {
            group: key(code),
            persons: *persons,
            cases: None,
            as_of: *as_of,
        };
        Answer::Count(CountAnswer { release, cells: cells.iter().map(cell).collect() })
    }

    #[test]
    fn a_group_keeps_its_number_while_fewer_than_k_have_changed_none_included() {
        let (old, older, new) = (Digest::of(b"old"), Digest::of(b"older"), Digest::of(b"new"));
        let band = Cell::Banded { low: 0, high: 4 };
        let before = answer(&[
            ("1", Cell::Exact { n: 20 }, None),
            ("2", Cell::Exact { n: 20 }, None),
            ("3", Cell::Exact { n: 20 }, None),
            ("4", band, None),
            ("X", Cell::Exact { n: 20 }, Some(older)),
        ]);
        let groups: Vec<GroupKey> = ["1", "2", "3", "4", "X"].map(key).to_vec();
        let fresh = || answer(&["1", "2", "3", "4", "X"].map(|code| (code, Cell::Exact { n: 23 }, None)));
        let shown = |answer: Answer| -> Vec<(Option<u64>, Option<Digest>)> {
            let Answer::Count(answer) = answer else { unreachable!("counts") };
            answer.cells.iter().map(|cell| (cell.persons.exact(), cell.as_of)).collect()
        };
        let from = |counted_from| Earlier { answer: &before, snapshot: old, counted_from };
        let kept = keep(fresh(), &groups, &from(old), Some(&[0, 3, 5, 3, 3]), 5);
        let anew = (Some(23), None);
        assert_eq!(shown(kept), [(Some(20), Some(old)), (Some(20), Some(old)), anew, anew, anew]);
        let kept = keep(fresh(), &groups, &from(older), Some(&[0, 3, 5, 3, 3]), 5);
        assert_eq!(shown(kept), [anew, anew, anew, anew, (Some(20), Some(older))]);
        let kept = keep(fresh(), &groups, &from(older), None, 5);
        assert_eq!(shown(kept)[4], (Some(20), Some(older)), "nobody can count the changes: it stays");
        let kept = keep(fresh(), &groups, &from(old), Some(&[0, 24, 5, 3, 3]), 21);
        let hidden = (None, Some(old));
        assert_eq!(
            shown(kept)[..3],
            [hidden, anew, hidden],
            "neither the number of a smaller threshold nor the change"
        );
        assert_eq!(Earlier::sources(&before, old), BTreeSet::from([old, older]));
        assert_ne!(old, new);
    }
}

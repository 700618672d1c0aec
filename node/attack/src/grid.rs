//! Numbers of persons by group, as an attacker reads them from an answer.

use std::collections::BTreeMap;

use node_protocol::{
    answer::{Answer, GroupKey},
    query::{Condition, Value},
};

use crate::seen::Seen;

/// The codes of a group, in the order of the query's `by`; none where the value is missing.
pub(crate) type Codes = Vec<Option<String>>;

/// What one count told about each group.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Grid {
    pub(crate) by: Vec<String>,
    pub(crate) cells: BTreeMap<Codes, Seen>,
    /// Groups that still show the number of an earlier snapshot.
    pub(crate) kept: Vec<Codes>,
}

impl Grid {
    /// The grid of a count grouped by `by`; none of another statistic.
    pub(crate) fn of(answer: &Answer, by: &[String]) -> Option<Self> {
        let Answer::Count(count) = answer else { return None };
        let mut grid = Self { by: by.to_vec(), cells: BTreeMap::new(), kept: Vec::new() };
        for cell in &count.cells {
            let codes = codes(&cell.group, by);
            if cell.as_of.is_some() {
                grid.kept.push(codes.clone());
            }
            grid.cells.insert(codes, Seen::persons(&cell.persons, &count.release));
        }
        Some(grid)
    }

    pub(crate) fn seen(&self, codes: &[Option<String>]) -> Option<Seen> {
        self.cells.get(codes).copied()
    }

    /// The true number of a group, in a grid of the judge.
    pub(crate) fn truth(&self, codes: &[Option<String>]) -> Option<f64> {
        self.seen(codes)?.shown()
    }

    /// Groups of values that do occur: nobody is missed in the others.
    pub(crate) fn plausible(&self) -> impl Iterator<Item = (&Codes, &Seen)> {
        let occurs = move |at: usize, code: &Option<String>| {
            self.by.len() < 2
                || self.cells.iter().any(|(codes, seen)| codes[at] == *code && seen.shown().is_some_and(|n| n > 0.0))
        };
        self.cells
            .iter()
            .filter(move |(codes, _)| codes.iter().enumerate().all(|(at, code)| code.is_some() && occurs(at, code)))
    }

    /// Groups worth attacking: plausible, and not shown exactly; those below the threshold first.
    pub(crate) fn targets(&self) -> Vec<Codes> {
        let mut targets: Vec<(bool, Codes)> = self
            .plausible()
            .filter(|(_, seen)| !seen.is_exact())
            .map(|(codes, seen)| (seen.shown().is_some(), codes.clone()))
            .collect();
        targets.sort();
        targets.into_iter().map(|(_, codes)| codes).collect()
    }

    /// The conditions that say a group.
    pub(crate) fn conditions(&self, codes: &[Option<String>]) -> Vec<Condition> {
        self.by.iter().zip(codes).map(|(field, code)| is(field, code.as_deref())).collect()
    }
}

/// The codes of a group in the order of `by`.
pub(crate) fn codes(group: &GroupKey, by: &[String]) -> Codes {
    by.iter().map(|field| group.get(field).cloned().flatten()).collect()
}

/// The field has that code, or none.
pub(crate) fn is(field: &str, code: Option<&str>) -> Condition {
    match code {
        Some(code) => among(field, [code]),
        None => Condition::IsMissing { field: field.to_owned(), missing: true },
    }
}

/// The field has one of the codes.
pub(crate) fn among<'c>(field: &str, codes: impl IntoIterator<Item = &'c str>) -> Condition {
    let values = codes.into_iter().map(|code| Value::Text(code.to_owned())).collect();
    Condition::In { field: field.to_owned(), values }
}

/// The condition does not hold.
pub(crate) fn not(condition: Condition) -> Condition {
    Condition::Not(Box::new(condition))
}

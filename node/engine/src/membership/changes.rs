//! What each unit adds to each group of a query, compared between two snapshots.

use std::{cmp::Ordering, ops::Range};

use node_domain::months::month_of;
use node_policy::permit::Permitted;
use node_protocol::query::{Query, Statistic};
use node_snapshot::{columns::MISSING_NUMBER, shelf::Snapshot};

use super::universe::by_identity;
use crate::columnar::{Measures, Plan, Rows, TabulateError, columns_of, runs};

/// The group of a row that is not counted.
const NO_GROUP: u32 = u32::MAX;

/// Part of what a unit adds to a group.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Part {
    /// Group of the query's `by`.
    group: u32,
    /// Which part: a bin, a number of a field, whether there is a time.
    kind: u32,
    value: u64,
}

/// The query on one snapshot.
struct Side<'c> {
    plan: Plan<'c>,
    is_histogram: bool,
    /// The dense group of each row.
    groups: Vec<u32>,
    /// Units by identity with their rows.
    units: Vec<(u64, Range<usize>)>,
}

/// Per group the number of units that add something else in `new` than in `old`.
pub(super) fn between(
    old: (&Snapshot, &Permitted<Query>),
    new: (&Snapshot, &Permitted<Query>),
) -> Result<Vec<u64>, TabulateError> {
    let (old, new) = (Side::of(old.0, old.1)?, Side::of(new.0, new.1)?);
    let groups = |side: &Side<'_>| side.plan.grouping.groups() / side.plan.grouping.bins();
    let mut changed = vec![0; groups(&old).max(groups(&new))];
    let (mut before, mut after) = (Vec::new(), Vec::new());
    let (mut olds, mut news) = (old.units.iter().peekable(), new.units.iter().peekable());
    loop {
        let order = match (olds.peek(), news.peek()) {
            (None, None) => return Ok(changed),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((old, _)), Some((new, _))) => old.cmp(new),
        };
        before.clear();
        after.clear();
        if let Some((_, rows)) = olds.next_if(|_| order.is_le()) {
            old.parts(rows.clone(), &mut before);
        }
        if let Some((_, rows)) = news.next_if(|_| order.is_ge()) {
            new.parts(rows.clone(), &mut after);
        }
        if before != after {
            count_differences(&before, &after, &mut changed);
        }
    }
}

/// Counts each group in which the parts differ.
fn count_differences(mut before: &[Part], mut after: &[Part], changed: &mut [u64]) {
    while let Some(group) = before.first().into_iter().chain(after.first()).map(|part| part.group).min() {
        let split = |parts: &[Part]| parts.partition_point(|part| part.group <= group);
        let ((old, later_old), (new, later_new)) = (before.split_at(split(before)), after.split_at(split(after)));
        if let Some(count) = changed.get_mut(group as usize).filter(|_| old != new) {
            *count += 1;
        }
        (before, after) = (later_old, later_new);
    }
}

impl<'c> Side<'c> {
    fn of(snapshot: &'c Snapshot, permitted: &Permitted<Query>) -> Result<Self, TabulateError> {
        let plan = Plan::of(permitted, columns_of(snapshot, permitted)?, Measures::default())?;
        let mut groups = vec![NO_GROUP; plan.columns.rows()];
        let mut scratch = Rows::default();
        for block in plan.blocks() {
            for (row, group) in scratch.read(&plan, block) {
                groups[row] = u32::try_from(group).unwrap_or(NO_GROUP);
            }
        }
        let mut rows = Vec::with_capacity(plan.columns.rows());
        let end = plan.columns.rows()..plan.columns.rows();
        let mut row = 0;
        for of_one in runs(plan.columns).chain([end]) {
            rows.extend((row..of_one.start).map(|row| row..row + 1));
            row = of_one.end;
            rows.extend(Some(of_one).filter(|of_one| !of_one.is_empty()));
        }
        let units = by_identity(plan.columns);
        let units = units.into_iter().map(|unit| (unit.identity, rows[unit.place as usize].clone())).collect();
        let is_histogram = matches!(permitted.query().statistic, Statistic::Histogram { .. });
        Ok(Self { plan, is_histogram, groups, units })
    }

    /// What the unit of these rows adds, by group and kind.
    fn parts(&self, rows: Range<usize>, into: &mut Vec<Part>) {
        for row in rows.filter(|row| self.groups[*row] != NO_GROUP) {
            let group = self.groups[row];
            if let Some(endpoint) = &self.plan.endpoint {
                if !endpoint.has_time(row) {
                    into.push(Part { group, kind: 1, value: 1 });
                } else if !into.iter().any(|part| (part.group, part.kind) == (group, 0)) {
                    // of several times the first counts; a censored one is the same however long it is
                    let (month, cause) = (month_of(endpoint.days[row]), endpoint.causes[row]);
                    let value = if cause == 0 { 0 } else { u64::from(month) << 8 | u64::from(cause) };
                    into.push(Part { group, kind: 0, value });
                }
            } else if self.plan.fields.is_empty() {
                let bins = u32::try_from(self.plan.grouping.bins()).unwrap_or(u32::MAX);
                into.push(Part { group: group / bins, kind: group % bins, value: 1 });
            } else {
                let with_value = self.plan.fields.iter().zip(0_u32..).filter(|(field, _)| field[row] != MISSING_NUMBER);
                for (field, at) in with_value {
                    let value = u64::from(field[row]);
                    let numbers = [1, value, value * value].into_iter().zip(at * 3..);
                    into.extend(numbers.map(|(value, kind)| Part { group, kind, value }));
                }
            }
        }
        into.sort_unstable();
        into.dedup_by(|later, kept| {
            let alike = (later.group, later.kind) == (kept.group, kept.kind);
            if alike && !self.is_histogram {
                kept.value = kept.value.wrapping_add(later.value);
            }
            alike
        });
    }
}

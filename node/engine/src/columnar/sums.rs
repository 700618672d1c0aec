//! Sums of whole-number fields by group, with the two largest contributions of single persons.

use node_snapshot::columns::{MISSING_NUMBER, Repeat};
use node_statistics::frequency::{Contribution, Sum};

use super::Plan;

/// The sums of one run. Persons with one row are added as they come; the rows of the others are put together at the end.
pub(super) struct Sums<'p, 'c> {
    plan: &'p Plan<'c>,
    /// Groups by fields, row-major.
    sums: Vec<Sum>,
    /// The repeats from the present row on.
    repeats: &'c [Repeat],
}

impl<'p, 'c> Sums<'p, 'c> {
    pub(super) fn new(plan: &'p Plan<'c>) -> Self {
        let sums = vec![Sum::default(); plan.grouping.groups() * plan.fields.len()];
        Self { plan, sums, repeats: plan.columns.repeats() }
    }

    /// Adds the rows from `start` on of persons who have no other row.
    pub(super) fn add(&mut self, start: usize, groups: &[u32], mask: &[u8]) {
        let plan = self.plan;
        for (row, group) in (start..).zip(groups).zip(mask).filter(|(_, pass)| **pass == 1).map(|(row, _)| row) {
            if self.is_one_of_several(row) {
                continue;
            }
            let key = plan.record_keys.map_or(0, |keys| keys[row]);
            let of_group = self.sums.chunks_exact_mut(plan.fields.len()).nth(*group as usize);
            for (sum, field) in of_group.into_iter().flatten().zip(&plan.fields) {
                let mut person = Contribution::default();
                if field[row] != MISSING_NUMBER {
                    person.add(field[row]);
                    sum.add(&person, key);
                }
            }
        }
    }

    /// Whether the row's person has other rows; rows must be asked for in order.
    fn is_one_of_several(&mut self, row: usize) -> bool {
        while let Some((_, later)) = self.repeats.split_first().filter(|(repeat, _)| repeat.row < row) {
            self.repeats = later;
        }
        self.repeats.first().is_some_and(|repeat| repeat.row == row || repeat.first == row)
    }

    pub(super) fn finish(mut self) -> Vec<Sum> {
        let (plan, fields) = (self.plan, self.plan.fields.len());
        let mut of_person = vec![Contribution::default(); self.sums.len()];
        let (mut touched, mut present) = (Vec::new(), 0);
        let mut close = |touched: &mut Vec<usize>, of_person: &mut [Contribution], person: usize| {
            let key = plan.record_keys.map_or(0, |keys| keys[person]);
            for place in touched.drain(..) {
                self.sums[place].add(&std::mem::take(&mut of_person[place]), key);
            }
        };
        plan.visit_several(1, |row, group, person| {
            if person != present && !touched.is_empty() {
                close(&mut touched, &mut of_person, present);
            }
            present = person;
            for (at, field) in plan.fields.iter().enumerate().filter(|(_, field)| field[row] != MISSING_NUMBER) {
                let place = group * fields + at;
                if of_person[place].rows == 0 {
                    touched.push(place);
                }
                of_person[place].add(field[row]);
            }
        });
        if !touched.is_empty() {
            close(&mut touched, &mut of_person, present);
        }
        self.sums
    }
}

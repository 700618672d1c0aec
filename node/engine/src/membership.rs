//! Which cells of many queries each unit is counted in, for the audit of linked tables, and what changed between two snapshots.
//!
//! The method is partition refinement: every unit (a person, or a hospital) has the number of the class of units that cannot be
//! told apart so far, and each question splits the classes by the cells it counts them in. A unit that is alone in its class is
//! left alone from then on. Cells are listed at the end, in a second pass, for one unit of each class only.

mod changes;
mod coding;
mod differences;
mod layout;
mod partition;
mod phantoms;
mod universe;
mod values;

use std::collections::BTreeSet;

use node_disclosure::{
    confidential::Confidential,
    layout::Layout,
    membership::{Membership, UnitPattern},
};
use node_policy::permit::Permitted;
use node_protocol::query::Query;
use node_snapshot::shelf::Snapshot;

use self::{
    coding::{Coding, Occasion},
    differences::Reaches,
    layout::layout_of,
    partition::Partition,
    phantoms::Phantoms,
    universe::Universe,
};
use crate::columnar::{Measures, Plan, TabulateError, columns_of};

/// One of the questions whose cells are linked.
pub struct Question<'q> {
    /// The snapshot that it is asked of.
    pub snapshot: &'q Snapshot,
    /// The question.
    pub permitted: &'q Permitted<Query>,
    /// Of a survival question the canonical boundaries (months, increasing) of each group, none for a hidden curve; otherwise
    /// nothing.
    pub boundaries: &'q [Vec<u16>],
}

/// The patterns of all units over all questions, which must be about units of one kind.
///
/// Units are matched by record key over all tables and snapshots. For each of the cells `hidden` (question, local cell) there is a
/// phantom: a unit that does not exist but could. It is like the row that needs the least change to lie in the cell, and is counted
/// in that cell in any case. In survival questions a phantom is counted as a person without an event. There is none in cells that count
/// missing times or values: that the data are complete is no secret.
///
/// Of the questions from `drafts` on, and of the others with them, it is also told where everybody in a cell, other than those
/// hidden, is counted by another question that somebody could lie outside of.
///
/// # Errors
/// Where a snapshot lacks a column that the dictionary promises, a phantom names no cell, nothing is asked, or conditions are too many.
///
/// # Privacy
/// Patterns of few units tell them apart. They are sealed under the conditions of the first question.
pub fn membership(
    questions: &[Question<'_>],
    hidden: &[(usize, usize)],
    drafts: usize,
) -> Result<Confidential<Membership>, TabulateError> {
    let conditions = questions.first().ok_or(TabulateError::NoQuestion)?.permitted.conditions();
    Ok(Confidential::seal(link(questions, hidden, drafts)?, conditions))
}

/// Per group of the query's `by`, the number of units that count in one of two snapshots only, or count otherwise than before.
///
/// Units are matched by record key. They count otherwise with another number of rows (count), other bins (histogram), other
/// values (mean), or another event, its month or cause, or another number of rows without a time (survival). A longer follow-up
/// without an event changes nothing.
///
/// # Errors
/// Where a snapshot lacks a column that the dictionary promises.
///
/// # Privacy
/// Small numbers may tell single patients; sealed under the conditions of the new permit.
pub fn changed(
    old: (&Snapshot, &Permitted<Query>),
    new: (&Snapshot, &Permitted<Query>),
) -> Result<Confidential<Vec<u64>>, TabulateError> {
    Ok(Confidential::seal(changes::between(old, new)?, new.1.conditions()))
}

fn link(questions: &[Question<'_>], hidden: &[(usize, usize)], drafts: usize) -> Result<Membership, TabulateError> {
    let columns = questions.iter().map(|question| columns_of(question.snapshot, question.permitted));
    let universe = Universe::of(columns.collect::<Result<_, _>>()?);
    let (mut plans, mut layouts, mut offsets) = (Vec::new(), Vec::new(), Vec::new());
    let mut offset = 0_usize;
    for (question, columns) in questions.iter().zip(universe.columns()) {
        let plan = Plan::of(question.permitted, columns, Measures::default())?;
        let layout = layout_of(question.permitted.query(), &plan.grouping, question.boundaries);
        let too_many = || TabulateError::Table(question.permitted.query().table.clone());
        offsets.push(u32::try_from(offset).map_err(|_| too_many())?);
        offset += layout.len();
        plans.push(plan);
        layouts.push(layout);
    }
    let mut patterns = patterns_of(questions, &universe, &plans, &layouts, &offsets);

    let phantoms = Phantoms::new(questions, &plans, &layouts, &universe);
    let mut is_hidden = vec![false; offset];
    for &(question, cell) in hidden {
        let known = layouts.get(question).is_some_and(|layout| cell < layout.len());
        *is_hidden
            .get_mut(offsets.get(question).map_or(usize::MAX, |offset| *offset as usize + cell))
            .filter(|_| known)
            .ok_or(TabulateError::Phantom { question, cell })? = true;
    }
    let question_of = |cell: usize| offsets.partition_point(|offset| *offset as usize <= cell) - 1;
    let reaches = Reaches::of(questions, &layouts);
    let covered = reaches.covered(&patterns, |cell, reach| {
        let question = question_of(cell);
        !is_hidden[cell]
            && question != reach.question
            && (question >= drafts || reach.question >= drafts)
            && universe.table_of(question) == universe.table_of(reach.question)
    });
    let people: Vec<(usize, usize)> =
        hidden.iter().copied().filter(|(question, cell)| !layouts[*question].counts_missing(*cell)).collect();
    let in_cells = phantoms.in_cells(&people, &offsets)?;
    patterns.extend(in_cells.into_iter().map(|cells| UnitPattern { cells, units: 0 }));
    let certain = patterns.len();
    let of_pair = |&(cell, reach): &(usize, usize)| {
        let question = question_of(cell);
        (question, cell - offsets[question] as usize, &reaches.all[reach].outside)
    };
    let beside: BTreeSet<Vec<u32>> =
        phantoms.beside(&covered.iter().map(of_pair).collect::<Vec<_>>(), &offsets)?.into_iter().collect();
    patterns.extend(beside.into_iter().map(|cells| UnitPattern { cells, units: 0 }));
    let differences = reaches.between(&covered, &patterns);
    let beside = patterns.split_off(certain);
    Ok(Membership { layouts, offsets, patterns, beside, differences })
}

/// The patterns of all units that there are.
fn patterns_of(
    questions: &[Question<'_>],
    universe: &Universe<'_>,
    plans: &[Plan<'_>],
    layouts: &[Layout],
    offsets: &[u32],
) -> Vec<UnitPattern> {
    let of_question = |(at, ((question, plan), layout)): (usize, ((&Question<'_>, _), _))| Occasion {
        real: Coding::new(plan, layout, question.boundaries),
        layout,
        units: universe.units_of(at),
    };
    let occasions: Vec<Occasion<'_>> = questions.iter().zip(plans).zip(layouts).enumerate().map(of_question).collect();
    let mut partition = Partition::new(universe.units());
    let mut scratch = Vec::new();
    for occasion in &occasions {
        occasion.visit(&mut scratch, &mut partition.round(occasion.layout));
        partition.settle();
    }
    let mut listing = partition.listing();
    for (occasion, offset) in occasions.iter().zip(offsets) {
        occasion.visit(&mut scratch, &mut listing.round(occasion.layout, *offset));
    }
    listing.patterns()
}

#[cfg(test)]
mod tests;

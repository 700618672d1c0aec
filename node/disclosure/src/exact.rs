//! Exact ad hoc answers: each audited with everything that was released exactly before, whoever asked.

use node_protocol::{
    answer::Answer,
    release::{Release, Safeguards, Way},
};

use crate::{
    confidential::Confidential,
    draft::Draft,
    layout::{Layout, State},
    linked::{Work, suppress::Told},
    linked_cells::suppress,
    membership::Membership,
    release::Released,
};

/// Why an exact answer is not released. Which hidden number would become known is not told to anybody.
#[derive(Debug, thiserror::Error)]
pub enum ExactRefusal {
    /// A hidden number, or a set of fewer persons than the threshold, would become determined.
    #[error("with what was released before, a hidden number would become determined")]
    Discloses,
    /// The audit takes more work than is allowed.
    #[error("the audit with all that was released before takes too much work")]
    TooLarge,
    /// The permit was for another way of leaving.
    #[error("the answer was permitted to leave in another way")]
    OtherWay,
}

/// Releases an exact answer such that, with the cells of all `known` answers, no hidden cell and no set of fewer persons than the
/// threshold is determined, and no hidden cell is pinned to one number. Cells of the answer are hidden where that takes it; where even
/// that does not suffice the answer is refused.
///
/// The questions of `membership` are the known answers in order, then the draft. `known` are their layouts and states, as
/// [`crate::layout::states_of`] tells them. `base` are the node's own thresholds: those of the tier only hide more.
///
/// # Errors
/// [`ExactRefusal`]; the same for every disclosure.
pub fn release_exact(
    draft: &Draft,
    base: Safeguards,
    known: Vec<(Layout, Vec<State>)>,
    membership: Confidential<Membership>,
    work: &Work,
) -> Result<Released<Answer>, ExactRefusal> {
    let conditions = draft.conditions();
    if conditions.way != Way::Exact {
        return Err(ExactRefusal::OtherWay);
    }
    let (membership, _) = membership.open();
    let first = known.len();
    let known = known.into_iter().map(|(_, states)| states).collect();
    let drafts = std::slice::from_ref(draft);
    let suppressed = suppress(&membership, known, (drafts, Told::Nothing), base, work);
    let suppressed = suppressed.map_err(|_| ExactRefusal::TooLarge)?;
    if !suppressed.proved {
        return Err(ExactRefusal::Discloses);
    }
    Ok(Released(draft.answer(&suppressed.states[first], Release::ExactAdHoc(conditions.safeguards))))
}

/// An answer that was released before on the same snapshot, exactly or with noise, released again as it was.
///
/// # Errors
/// [`ExactRefusal::OtherWay`] where it was released in another way.
pub fn again(answer: Answer) -> Result<Released<Answer>, ExactRefusal> {
    match answer.release() {
        Release::ExactAdHoc(_) | Release::Perturbed { .. } => Ok(Released(answer)),
        Release::Catalogue(_) | Release::DifferentiallyPrivate { .. } => Err(ExactRefusal::OtherWay),
    }
}

/// Releases an exact answer about nobody: a table of public acts, which has no threshold.
///
/// # Errors
/// [`ExactRefusal::OtherWay`] where the table is about persons or hospitals, or the permit was for another way of leaving.
pub fn release_public(draft: &Draft) -> Result<Released<Answer>, ExactRefusal> {
    let conditions = draft.conditions();
    if conditions.safeguards.persons > 0 {
        return Err(ExactRefusal::OtherWay);
    }
    let release = match conditions.way {
        Way::Catalogue => Release::Catalogue(conditions.safeguards),
        Way::Exact | Way::Perturbed | Way::Private(_) => Release::ExactAdHoc(conditions.safeguards),
    };
    Ok(Released(draft.answer(&draft.states(), release)))
}

#[cfg(test)]
mod tests {
    use node_domain::dictionary::Unit;
    use node_protocol::{
        answer::{CountAnswer, GroupKey},
        cell::{Cell, Withheld},
        query::{Query, Statistic},
        release::{Conditions, Dominance},
    };
    use node_statistics::frequency::{FrequencyTable, GroupTotal};

    use super::*;
    use crate::{membership::UnitPattern, release::Counted};

    const SAFEGUARDS: Safeguards = Safeguards { persons: 5, events: 3, at_risk: 10 };

    fn conditions() -> Conditions {
        let dominance = Dominance { largest_percent: 80, p_percent: 10 };
        Conditions { safeguards: SAFEGUARDS, dominance, unit: Unit::Person, way: Way::Exact }
    }

    fn draft(persons: &[u64]) -> Draft {
        let query = Query {
            dictionary: "1.0".into(),
            project: None,
            table: "cases".into(),
            conditions: Vec::new(),
            by: vec!["sex".into()],
            statistic: Statistic::Count,
        };
        let groups = (0..persons.len()).map(|at| GroupKey::from([("sex".to_owned(), Some(at.to_string()))])).collect();
        let totals = persons.iter().map(|n| GroupTotal { rows: *n, persons: *n, ..GroupTotal::default() }).collect();
        let table = FrequencyTable { groups: totals, ..FrequencyTable::default() };
        let sealed = Confidential::seal(table, conditions());
        Draft::of(Counted { query: &query, groups, lower_edges: Vec::new(), sealed })
    }

    /// A total that is known, and a draft of its parts.
    fn parts_of_a_total(persons: &[u64], beside: Vec<Vec<u32>>) -> Result<Answer, ExactRefusal> {
        let known = (Layout::Groups { groups: 1 }, vec![State::Shown]);
        let patterns = persons.iter().zip(1..).map(|(units, cell)| UnitPattern { cells: vec![0, cell], units: *units });
        let membership = Membership {
            layouts: vec![Layout::Groups { groups: 1 }, Layout::Groups { groups: persons.len() }],
            offsets: vec![0, 1],
            patterns: patterns.collect(),
            differences: (0..beside.len()).map(|at| vec![u32::try_from(persons.len() + at).unwrap()]).collect(),
            beside: beside.into_iter().map(|cells| UnitPattern { cells, units: 0 }).collect(),
        };
        let sealed = Confidential::seal(membership, conditions());
        let released = release_exact(&draft(persons), SAFEGUARDS, vec![known], sealed, &Work::default())?;
        Ok(released.get().clone())
    }

    fn cells(answer: Answer) -> Vec<Cell> {
        let Answer::Count(CountAnswer { cells, .. }) = answer else { unreachable!("counts") };
        cells.into_iter().map(|cell| cell.persons).collect()
    }

    const HIDDEN: Cell = Cell::Refused { reason: Withheld::Unspecified };

    #[test]
    fn hidden_cells_look_alike_so_that_no_mark_tells_a_number() {
        // two bands of 0 to 4 beside a total of eight would be four and four
        assert_eq!(cells(parts_of_a_total(&[4, 4, 30], Vec::new()).unwrap()), [HIDDEN, HIDDEN, Cell::Exact { n: 30 }]);
        // a band beside the mark of a large one, which hold five together, would be nobody and five
        assert_eq!(cells(parts_of_a_total(&[0, 5, 30], Vec::new()).unwrap()), [HIDDEN, HIDDEN, Cell::Exact { n: 30 }]);
    }

    #[test]
    fn a_difference_in_which_nobody_is_hides_like_a_small_one() {
        let small = cells(parts_of_a_total(&[9, 2], Vec::new()).unwrap());
        assert_eq!(small, [HIDDEN, HIDDEN]);
        let shown = cells(parts_of_a_total(&[9], Vec::new()).unwrap());
        assert_eq!(shown, [Cell::Exact { n: 9 }], "all there can be are counted");
        let somebody_else_could_be_there = vec![vec![0]];
        assert_eq!(cells(parts_of_a_total(&[9], somebody_else_could_be_there).unwrap()), [HIDDEN]);
    }
}

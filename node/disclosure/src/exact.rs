//! Exact ad hoc answers: each audited with everything that was released exactly before, whoever asked.

use node_protocol::{
    answer::Answer,
    release::{Release, Safeguards, Way},
};

use crate::{
    confidential::Confidential,
    draft::Draft,
    layout::{Layout, State},
    linked::Work,
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
    let suppressed = suppress(&membership, known, std::slice::from_ref(draft), base, work);
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

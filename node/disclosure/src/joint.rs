//! The catalogue: all indicators of one snapshot suppressed together, so that combining what is released gains nothing.

use node_protocol::{
    answer::Answer,
    problem::{Problem, ProblemKind},
    release::Release,
};

use crate::{
    confidential::Confidential,
    draft::Draft,
    layout::{Layout, State},
    linked::{
        LinkedError, Work,
        suppress::{ProtectError, Told},
    },
    linked_cells::{SuppressionError, suppress},
    membership::Membership,
    release::Released,
};

/// A catalogue that cannot be protected.
#[derive(Debug, thiserror::Error)]
pub enum JointError {
    /// The tables cannot be linked.
    #[error("the tables of the catalogue cannot be linked")]
    Linked(#[source] LinkedError),
    /// The suppression did not end within its bounds.
    #[error("the catalogue cannot be protected within the work that is allowed: lower thresholds take less")]
    Suppress(#[source] ProtectError),
    /// With what was released before, a hidden number would follow whatever is hidden now.
    #[error("with what was released before, a hidden number would follow")]
    Pinned,
}

impl From<SuppressionError> for JointError {
    fn from(error: SuppressionError) -> Self {
        match error {
            SuppressionError::Linked(error) => Self::Linked(error),
            SuppressionError::Protect(error) => Self::Suppress(error),
        }
    }
}

/// What became of the cells of one indicator.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Cells that are shown.
    pub shown: usize,
    /// Cells of fewer than the threshold.
    pub primary: usize,
    /// Cells hidden to protect others.
    pub complementary: usize,
    /// Groups that keep an earlier number.
    pub kept: usize,
}

/// The released catalogue.
pub struct Protected {
    /// One answer per draft, in order.
    pub answers: Vec<Released<Answer>>,
    /// What became of each draft's cells.
    pub tallies: Vec<Tally>,
    /// Share of all persons counted in cells that could be shown by size and are hidden to protect others.
    pub utility_lost: f64,
    /// Rounds of audit and suppression.
    pub rounds: usize,
    /// Hidden cells of which it is not shown that they may hold anything below the threshold; none of them is pinned to one number.
    pub narrow: usize,
}

/// Suppresses the drafts together, and with the `known` answers of former snapshots, which cannot be taken back.
///
/// The questions of `membership` are the known answers in order, then the drafts.
///
/// # Errors
/// [`JointError`]; then nothing may be published.
pub fn release_catalogue(
    drafts: &[Draft],
    known: Vec<(Layout, Vec<State>)>,
    membership: Confidential<Membership>,
    work: &Work,
) -> Result<Protected, JointError> {
    let (membership, conditions) = membership.open();
    let (first, safeguards) = (known.len(), conditions.safeguards);
    let known: Vec<Vec<State>> = known.into_iter().map(|(_, states)| states).collect();
    let suppress = |told| suppress(&membership, known.clone(), (drafts, told), safeguards, work);
    let mut suppressed = suppress(Told::Size)?;
    if !suppressed.proved {
        // beside numbers that cannot be taken back, the mark of a cell may tell it: then none has one
        suppressed = suppress(Told::Nothing)?;
    }
    if !suppressed.proved {
        return Err(JointError::Pinned);
    }
    let answers = drafts.iter().zip(&suppressed.states[first..]);
    let released =
        |(draft, states): (&Draft, &Vec<State>)| Released(draft.answer(states, Release::Catalogue(safeguards)));
    Ok(Protected {
        answers: answers.clone().map(released).collect(),
        tallies: answers.map(|(draft, states)| tally(draft, states)).collect(),
        utility_lost: suppressed.utility_lost,
        rounds: suppressed.rounds,
        narrow: suppressed.narrow,
    })
}

fn tally(draft: &Draft, states: &[State]) -> Tally {
    let count = |hidden: fn(State) -> bool| states.iter().filter(|state| hidden(**state)).count();
    let hidden = count(|state| !matches!(state, State::Shown | State::Absent));
    let primary = draft.hidden().len();
    let shown = count(|state| state == State::Shown);
    Tally { shown, primary, complementary: hidden - primary, kept: draft.kept() }
}

/// An answer that was released by [`release_catalogue`] and stored with its snapshot.
///
/// # Errors
/// [`ProblemKind::Internal`] where it is no catalogue's.
pub fn stored(answer: Answer) -> Result<Released<Answer>, Problem> {
    match answer.release() {
        Release::Catalogue(_) => Ok(Released(answer)),
        _ => Err(ProblemKind::Internal.because("the stored catalogue holds another answer: publish again")),
    }
}

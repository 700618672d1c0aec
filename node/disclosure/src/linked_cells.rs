//! From answers and membership to the linked tables that are suppressed together: only cells that are in some answer take part.

use node_protocol::release::Safeguards;

use crate::{
    draft::Draft,
    layout::{Layout, State},
    linked::{
        CellInfo, Least, Linked, LinkedError, Pattern, Protects, Work,
        bounds::State as Chosen,
        suppress::{CellRequest, ProtectError, Wanted, protect},
    },
    membership::Membership,
};

/// What is shown of some drafts beside everything that was released before.
pub(crate) struct Suppressed {
    /// States of the cells of every question, as they leave.
    pub(crate) states: Vec<Vec<State>>,
    /// Whether, beyond what followed before, nothing hidden follows and no hidden cell is pinned to one number.
    pub(crate) proved: bool,
    /// Share of the persons in cells that are large enough, but hidden.
    pub(crate) utility_lost: f64,
    /// Passes of audit and suppression.
    pub(crate) rounds: usize,
    /// Hidden cells of which it is not shown that they may hold anything below the threshold.
    pub(crate) narrow: usize,
}

/// Why nothing was chosen.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SuppressionError {
    #[error("the tables cannot be linked")]
    Linked(#[from] LinkedError),
    #[error("the suppression did not end within its bounds")]
    Protect(#[from] ProtectError),
}

/// Chooses what to hide of the drafts, which are the last questions of `membership`; the `known` states of the questions before them
/// cannot be changed.
pub(crate) fn suppress(
    membership: &Membership,
    known: Vec<Vec<State>>,
    drafts: &[Draft],
    safeguards: Safeguards,
    work: &Work,
) -> Result<Suppressed, SuppressionError> {
    let first = known.len();
    let mut states = known;
    states.extend(drafts.iter().map(Draft::states));
    let cells = Cells::of(membership, &states)?;
    let requests: Vec<CellRequest> = cells
        .places
        .iter()
        .map(|&(question, cell)| {
            let draft = question.checked_sub(first).map(|at| &drafts[at]);
            let state = match (states[question][cell], draft) {
                (State::Shown, Some(draft)) => Wanted::MayShow { cost: draft.cost(cell) },
                (State::Shown, None) => Wanted::Shown,
                (State::Banded | State::Complementary | State::Absent, _) => Wanted::MustHide,
            };
            let bundle = draft.and_then(|draft| draft.layout().event_group(cell)).map(|group| bundle(question, group));
            CellRequest { state, table: u32::try_from(question).unwrap_or(u32::MAX), bundle }
        })
        .collect();
    let least = Least { persons: u64::from(safeguards.persons), events: u64::from(safeguards.events) };
    let outcome = protect(&cells.linked, &requests, least, work)?;
    for (&(question, cell), chosen) in cells.places.iter().zip(&outcome.states) {
        if question >= first && *chosen == Chosen::Complementary {
            states[question][cell] = State::Complementary;
        }
    }
    // what follows from earlier releases alone is past
    let proved = outcome.pinned.is_empty();
    Ok(Suppressed {
        states,
        proved,
        utility_lost: outcome.utility_lost,
        rounds: outcome.rounds,
        narrow: outcome.narrow.len(),
    })
}

/// Groups of an answer are fewer than a million, so that numbers of bundles do not meet.
fn bundle(question: usize, group: usize) -> u32 {
    u32::try_from(question * 1_000_000 + group).unwrap_or(u32::MAX)
}

/// Linked tables, and where each of their cells is from.
struct Cells {
    linked: Linked,
    /// Question and its own number of each cell.
    places: Vec<(usize, usize)>,
}

impl Cells {
    /// Of the questions of `membership`, whose cells have these states. Cells that are in no answer are left out.
    fn of(membership: &Membership, states: &[Vec<State>]) -> Result<Self, LinkedError> {
        let total: usize = membership.layouts.iter().map(Layout::len).sum();
        let mut number = vec![u32::MAX; total];
        let (mut places, mut infos) = (Vec::new(), Vec::new());
        for (question, (layout, states)) in membership.layouts.iter().zip(states).enumerate() {
            let offset = membership.offsets[question] as usize;
            for (cell, _) in states.iter().enumerate().filter(|(_, state)| **state != State::Absent) {
                number[offset + cell] = u32::try_from(places.len()).unwrap_or(u32::MAX);
                places.push((question, cell));
                let protects = if layout.event_group(cell).is_some() { Protects::Events } else { Protects::Persons };
                infos.push(CellInfo { protects });
            }
        }
        let patterns = membership.patterns.iter().map(|pattern| Pattern {
            cells: pattern.cells.iter().map(|cell| number[*cell as usize]).filter(|cell| *cell != u32::MAX).collect(),
            units: pattern.units,
        });
        Ok(Self { linked: Linked::new(infos, patterns)?, places })
    }
}

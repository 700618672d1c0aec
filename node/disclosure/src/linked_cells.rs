//! From answers and membership to the linked tables that are suppressed together: only cells that are in some answer take part.

use node_protocol::release::Safeguards;

use crate::{
    draft::Draft,
    layout::{Layout, State},
    linked::{
        CellInfo, Least, Linked, LinkedError, Pattern, Protects, Work,
        bounds::State as Chosen,
        suppress::{CellRequest, ProtectError, Protected, Told, Wanted, protect},
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
/// cannot be changed. With [`Told::Nothing`] all cells of the drafts that are hidden leave without a mark of why.
pub(crate) fn suppress(
    membership: &Membership,
    known: Vec<Vec<State>>,
    (drafts, told): (&[Draft], Told),
    safeguards: Safeguards,
    work: &Work,
) -> Result<Suppressed, SuppressionError> {
    let first = known.len();
    let mut states = known;
    states.extend(drafts.iter().map(Draft::states));
    let before = states.clone();
    let choice = Choice { membership, drafts, first, told, safeguards };
    let (mut rounds, mut narrow, mut proved) = (0, 0, true);
    // those who could be beside a cell would make every other combination look less certain than it is: they come in by themselves
    let passes: &[bool] = if membership.differences.is_empty() { &[false] } else { &[false, true] };
    for with_differences in passes {
        let protected = choice.hide(&mut states, *with_differences, work)?;
        rounds += protected.rounds;
        narrow = protected.narrow.len();
        proved &= protected.pinned.is_empty();
    }
    let utility_lost = choice.lost(&before, &states);
    if told == Told::Nothing {
        // below a threshold of one lies zero alone: it is no secret
        let is_open = |state: &State| matches!(state, State::Shown | State::Absent | State::Banded { below: 0..=1 });
        let hidden = states[first..].iter_mut().flatten().filter(|state| !is_open(state));
        hidden.for_each(|state| *state = State::Unmarked);
    }
    Ok(Suppressed { states, proved, utility_lost, rounds, narrow })
}

/// Drafts to hide cells of.
struct Choice<'a> {
    membership: &'a Membership,
    drafts: &'a [Draft],
    /// The question of the first draft.
    first: usize,
    told: Told,
    safeguards: Safeguards,
}

impl Choice<'_> {
    /// Hides what it takes, beside what is hidden already.
    fn hide(
        &self,
        states: &mut [Vec<State>],
        with_differences: bool,
        work: &Work,
    ) -> Result<Protected, SuppressionError> {
        let cells = Cells::of(self.membership, states, with_differences)?;
        let mut requests: Vec<CellRequest> =
            cells.places.iter().map(|&(question, cell)| self.request(states, question, cell)).collect();
        let nobody = CellRequest { state: Wanted::Nobody, told: Told::Nothing, table: u32::MAX, bundle: None };
        requests.resize(cells.linked.cells().len(), nobody);
        let Safeguards { persons, events, .. } = self.safeguards;
        let least = Least { persons: u64::from(persons), events: u64::from(events) };
        let protected = protect(&cells.linked, &requests, least, work)?;
        for (&(question, cell), chosen) in cells.places.iter().zip(&protected.states) {
            let state = &mut states[question][cell];
            if question >= self.first && *state == State::Shown && *chosen != Chosen::Shown {
                *state = State::Complementary { least: least.persons };
            }
        }
        Ok(protected)
    }

    fn request(&self, states: &[Vec<State>], question: usize, cell: usize) -> CellRequest {
        let draft = question.checked_sub(self.first).map(|at| &self.drafts[at]);
        let state = match (states[question][cell], draft) {
            // a total is what most readers look for: everything else is hidden first
            (State::Shown, Some(draft)) if draft.layout().len() == 1 => {
                Wanted::MayShow { cost: draft.cost(cell).saturating_mul(TOTAL) }
            }
            (State::Shown, Some(draft)) => Wanted::MayShow { cost: draft.cost(cell) },
            (State::Shown, None) => Wanted::Shown,
            _ => Wanted::MustHide,
        };
        let told = match (states[question][cell], draft) {
            (_, Some(_)) => self.told,
            (State::Banded { below }, None) => Told::Between { least: 0, most: below.saturating_sub(1) },
            (State::Complementary { least }, None) => Told::Between { least, most: u64::MAX },
            (State::Unmarked | State::Shown | State::Absent, None) => Told::Nothing,
        };
        let bundle = draft.and_then(|draft| draft.layout().event_group(cell)).map(|group| bundle(question, group));
        CellRequest { state, told, table: u32::try_from(question).unwrap_or(u32::MAX), bundle }
    }

    /// The persons in cells that were hidden to protect others, as a share of those in cells that could be shown; 0 to 1.
    fn lost(&self, before: &[Vec<State>], after: &[Vec<State>]) -> f64 {
        let (mut all, mut lost) = (0.0, 0.0);
        for (at, draft) in self.drafts.iter().enumerate() {
            let (before, after) = (&before[self.first + at], &after[self.first + at]);
            for cell in (0..before.len()).filter(|cell| before[*cell] == State::Shown) {
                let cost = draft.cost(cell) as f64;
                all += cost;
                lost += if after[cell] == State::Shown { 0.0 } else { cost };
            }
        }
        if all > 0.0 { lost / all } else { 0.0 }
    }
}

/// How much more it costs to hide a total than another cell of as many persons.
const TOTAL: u64 = 1_000;

/// Groups of an answer are fewer than a million, so that numbers of bundles do not meet.
fn bundle(question: usize, group: usize) -> u32 {
    u32::try_from(question * 1_000_000 + group).unwrap_or(u32::MAX)
}

/// Linked tables, and where each of their cells is from.
struct Cells {
    linked: Linked,
    /// Question and its own number of each cell; the cells of those who could be beside others follow them.
    places: Vec<(usize, usize)>,
}

impl Cells {
    /// Of the questions of `membership`, whose cells have these states. Cells that are in no answer are left out. With its differences
    /// each of them is a cell more, in which nobody is.
    fn of(membership: &Membership, states: &[Vec<State>], with_differences: bool) -> Result<Self, LinkedError> {
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
        let (beside, differences) = if with_differences {
            (membership.beside.as_slice(), membership.differences.as_slice())
        } else {
            (&[][..], &[][..])
        };
        let all = membership.patterns.iter().chain(beside);
        let mut patterns: Vec<Pattern> = all
            .map(|pattern| {
                let cells = pattern.cells.iter().map(|cell| number[*cell as usize]);
                Pattern { cells: cells.filter(|cell| *cell != u32::MAX).collect(), units: pattern.units }
            })
            .collect();
        for difference in differences {
            let own = u32::try_from(infos.len()).unwrap_or(u32::MAX);
            infos.push(CellInfo { protects: Protects::Persons });
            for pattern in difference {
                patterns[*pattern as usize].cells.push(own);
            }
        }
        Ok(Self { linked: Linked::new(infos, patterns)?, places })
    }
}

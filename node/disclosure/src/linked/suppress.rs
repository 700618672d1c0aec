//! Joint complementary suppression: which cells of linked tables to hide so that no small cell follows from the others.
//!
//! Hidden small cells are attacked, and for each attack that succeeds one more cell is hidden, until none does (Fischetti &
//! Salazar 2001, with the exact audit and linear bounds as attackers; the choice of cells is greedy, not optimal). Hiding more never
//! makes an earlier attack succeed again, so the loop ends.

use std::collections::{BTreeMap, HashSet};

use super::{
    Least, Linked, NONE, Protects, Work,
    audit::{self, Determined, NotJudged},
    bounds::{State, Surroundings},
    number,
};

/// Sets found in one pass of the audit.
const PER_PASS: usize = 512;
/// Cells hidden at most for the band of one small cell.
const BAND_TRIES: usize = 24;
/// Patterns times attempts to give a cell back.
const GIVE_BACK: usize = 1_000_000;

/// What is wanted of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// It must be hidden: too small.
    MustHide,
    /// It should be shown; hiding it loses `cost`.
    MayShow {
        /// What is lost, in the caller's unit; 0 for nothing.
        cost: u64,
    },
    /// It was released earlier and cannot be taken back.
    Shown,
}

/// A cell to publish; one for each cell of the linked tables, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CellRequest {
    /// What is wanted of it.
    pub state: Wanted,
    /// The table it belongs to.
    pub table: u32,
    /// Cells of one bundle are hidden together: those of one stratum of a life table.
    pub bundle: Option<u32>,
}

/// What to show and what to hide.
#[derive(Debug, Clone, PartialEq)]
pub struct Protected {
    /// By cell. A hidden cell is primary where it holds fewer units than its least number, complementary otherwise.
    pub states: Vec<State>,
    /// How many cells are primary hidden.
    pub primary: usize,
    /// How many cells are complementary hidden.
    pub complementary: usize,
    /// How many cells are shown.
    pub shown: usize,
    /// Cost of the cells hidden beyond those that must be, as a share of the cost of all that could be shown; 0 to 1.
    pub utility_lost: f64,
    /// Passes of the audit and of the bounds.
    pub rounds: usize,
    /// Small sets that follow from cells released earlier alone: they are past.
    pub unfixable: usize,
    /// Primary hidden cells for which a whole band could not be proved, ascending: too little could be hidden, or too much would
    /// have had to be computed. No number of units in them follows, but a narrower range might.
    pub unproved: Vec<u32>,
}

/// Why cells could not be chosen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProtectError {
    /// There must be one request for each cell.
    #[error("there are {requests} requests for {cells} cells; give one request for each cell, in order")]
    Requests {
        /// Requests given.
        requests: usize,
        /// Cells there are.
        cells: usize,
    },
    /// The audit could not be made within its bounds: nothing may be published.
    #[error("the tables could not be audited, so that none of them may be published")]
    NotJudged(#[from] NotJudged),
}

/// Chooses what to hide. Always the same for the same arguments.
///
/// # Errors
/// Where requests and cells do not match, or the audit cannot be made within its bounds on work.
pub fn protect(
    linked: &Linked,
    requests: &[CellRequest],
    least: Least,
    work: &Work,
) -> Result<Protected, ProtectError> {
    if requests.len() != linked.cells().len() {
        return Err(ProtectError::Requests { requests: requests.len(), cells: linked.cells().len() });
    }
    let mut choice = Choice::new(linked, requests, least);
    let mut bands = choice.primary();
    let unproved = loop {
        choice.hide_until_safe(work)?;
        bands = choice.hide_until_banded(bands);
        // a bundle may have drawn in further small cells
        if !choice.drew_small {
            break bands;
        }
        choice.drew_small = false;
        bands = choice.primary();
    };
    choice.give_back(&unproved, work)?;
    Ok(choice.finish(unproved))
}

struct Choice<'a> {
    linked: &'a Linked,
    requests: &'a [CellRequest],
    tables: Vec<u32>,
    least: Least,
    values: Vec<u64>,
    hidden: Vec<bool>,
    bundles: BTreeMap<u32, Vec<u32>>,
    rounds: usize,
    unfixable: usize,
    /// A cell below its least number was hidden since the last audit began.
    drew_small: bool,
}

impl<'a> Choice<'a> {
    fn new(linked: &'a Linked, requests: &'a [CellRequest], least: Least) -> Self {
        let mut bundles: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (cell, request) in requests.iter().enumerate() {
            if let Some(bundle) = request.bundle {
                bundles.entry(bundle).or_default().push(number(cell));
            }
        }
        let mut choice = Self {
            linked,
            requests,
            tables: requests.iter().map(|request| request.table).collect(),
            least,
            values: linked.values(),
            hidden: vec![false; requests.len()],
            bundles,
            rounds: 0,
            unfixable: 0,
            drew_small: false,
        };
        for (cell, request) in requests.iter().enumerate() {
            if request.state == Wanted::MustHide {
                choice.hide(number(cell));
            }
        }
        choice.drew_small = false;
        choice
    }

    /// Audits and hides, for each small set found, the cheapest cell that takes part.
    fn hide_until_safe(&mut self, work: &Work) -> Result<(), NotJudged> {
        // patterns that the cells still shown cannot tell apart stay so: later passes have less to read
        let mut flat = None;
        loop {
            self.rounds += 1;
            let released = self.shown();
            let shrunk = self.linked.flat().restrict_in_place(&released, flat.take());
            let most = PER_PASS + self.unfixable;
            let mut found = audit::find(self.linked, &shrunk, &released, &[], self.least, work, most)?;
            if !self.break_up(&found) {
                let zeros = self.empty_hidden();
                if zeros.is_empty() {
                    return Ok(());
                }
                found = audit::find(self.linked, self.linked.flat(), &released, &zeros, self.least, work, most * 2)?;
                if !self.break_up(&found) {
                    return Ok(());
                }
            }
            flat = Some(shrunk);
        }
    }

    /// Hides a cell of each set found; false where none was hidden.
    fn break_up(&mut self, found: &[Determined]) -> bool {
        let (mut any, mut past) = (false, HashSet::new());
        for determined in found {
            if determined.cells.iter().any(|cell| self.hidden[*cell as usize]) {
                continue;
            }
            let open = determined.cells.iter().filter_map(|cell| self.cost(*cell).map(|cost| (cost, *cell))).min();
            match open {
                Some((_, cell)) => {
                    self.hide(cell);
                    any = true;
                }
                None => {
                    past.insert(&determined.cells);
                }
            }
        }
        self.unfixable = past.len();
        any
    }

    /// Hides cells until each primary hidden cell given keeps its band; answers those for which that could not be shown.
    fn hide_until_banded(&mut self, mut open: Vec<u32>) -> Vec<u32> {
        let mut given_up = Vec::new();
        for _ in 0..BAND_TRIES {
            self.rounds += 1;
            let states = self.states();
            let around = Surroundings::new(self.linked, &states, &self.tables, self.least);
            open.retain(|cell| !around.holds_band(*cell));
            if open.is_empty() {
                break;
            }
            let shares = self.sharing(&open);
            let mut still = Vec::new();
            for (cell, shared) in open.into_iter().zip(shares) {
                let beside = self.cheapest(self.cells_of_table(cell)).or_else(|| self.cheapest(shared.into_iter()));
                match beside {
                    Some(other) => {
                        self.hide(other);
                        still.push(cell);
                    }
                    None => given_up.push(cell),
                }
            }
            open = still;
        }
        given_up.append(&mut open);
        // what was hidden for one cell may have freed another
        let states = self.states();
        let around = Surroundings::new(self.linked, &states, &self.tables, self.least);
        given_up.retain(|cell| !around.holds_band(*cell));
        given_up.sort_unstable();
        given_up
    }

    /// Shows complementary cells again, dearest first, where everything stays safe and banded.
    fn give_back(&mut self, unproved: &[u32], work: &Work) -> Result<(), NotJudged> {
        if self.unfixable > 0 {
            return Ok(());
        }
        let mut seen = HashSet::new();
        let mut groups: Vec<(u64, Vec<u32>)> = Vec::new();
        for cell in (0..self.hidden.len()).filter(|cell| self.hidden[*cell]).map(number) {
            let group = self.group(cell);
            if !seen.insert(group[0]) || group.iter().any(|cell| !self.may_return(*cell)) {
                continue;
            }
            groups.push((self.group_cost(&group), group));
        }
        groups.sort_by(|left, right| right.0.cmp(&left.0).then_with(|| left.1.cmp(&right.1)));
        let tries = (GIVE_BACK / self.linked.pattern_count().max(1)).clamp(1, 64);
        for (_, group) in groups.into_iter().take(tries) {
            self.rounds += 1;
            group.iter().for_each(|cell| self.hidden[*cell as usize] = false);
            let banded = |choice: &Self| {
                let states = choice.states();
                let around = Surroundings::new(choice.linked, &states, &choice.tables, choice.least);
                choice.primary().iter().all(|cell| unproved.binary_search(cell).is_ok() || around.holds_band(*cell))
            };
            let flat = self.linked.flat();
            let safe =
                audit::find(self.linked, flat, &self.shown(), &self.empty_hidden(), self.least, work, 1)?.is_empty();
            if !(safe && banded(self)) {
                group.iter().for_each(|cell| self.hidden[*cell as usize] = true);
            }
        }
        Ok(())
    }

    fn finish(self, unproved: Vec<u32>) -> Protected {
        let states = self.states();
        let count = |wanted| states.iter().filter(|state| **state == wanted).count();
        let cost = |cell: usize| match self.requests[cell].state {
            Wanted::MayShow { cost } => cost as f64,
            Wanted::MustHide | Wanted::Shown => 0.0,
        };
        let all: f64 = (0..states.len()).map(cost).sum();
        let lost: f64 = (0..states.len()).filter(|cell| self.hidden[*cell]).map(cost).sum();
        Protected {
            primary: count(State::Primary),
            complementary: count(State::Complementary),
            shown: count(State::Shown),
            utility_lost: if all > 0.0 { lost / all } else { 0.0 },
            rounds: self.rounds,
            unfixable: self.unfixable,
            unproved,
            states,
        }
    }

    fn least_of(&self, cell: u32) -> u64 {
        match self.linked.cells()[cell as usize].protects {
            Protects::Persons => self.least.persons,
            Protects::Events => self.least.events,
        }
    }

    fn states(&self) -> Vec<State> {
        let state = |cell: usize| match (self.hidden[cell], self.values[cell] < self.least_of(number(cell))) {
            (false, _) => State::Shown,
            (true, true) => State::Primary,
            (true, false) => State::Complementary,
        };
        (0..self.hidden.len()).map(state).collect()
    }

    fn shown(&self) -> Vec<u32> {
        (0..self.hidden.len()).filter(|cell| !self.hidden[*cell]).map(number).collect()
    }

    fn primary(&self) -> Vec<u32> {
        let states = self.states();
        (0..states.len()).filter(|cell| states[*cell] == State::Primary).map(number).collect()
    }

    fn empty_hidden(&self) -> Vec<u32> {
        (0..self.hidden.len()).filter(|cell| self.hidden[*cell] && self.values[*cell] == 0).map(number).collect()
    }

    /// The cells that are hidden together with a cell, itself among them; never one that was released earlier.
    fn group(&self, cell: u32) -> Vec<u32> {
        let bundle = self.requests[cell as usize].bundle.and_then(|bundle| self.bundles.get(&bundle));
        let fixed = |cell: &u32| self.requests[*cell as usize].state == Wanted::Shown;
        bundle.map_or_else(|| vec![cell], |cells| cells.iter().copied().filter(|cell| !fixed(cell)).collect())
    }

    fn group_cost(&self, group: &[u32]) -> u64 {
        group.iter().fold(0, |sum, cell| match self.requests[*cell as usize].state {
            Wanted::MayShow { cost } => cost.saturating_add(sum),
            Wanted::MustHide | Wanted::Shown => sum,
        })
    }

    /// What hiding a cell that is shown would cost, with its bundle; `None` where it cannot be hidden.
    fn cost(&self, cell: u32) -> Option<u64> {
        let open = !self.hidden[cell as usize] && matches!(self.requests[cell as usize].state, Wanted::MayShow { .. });
        open.then(|| self.group_cost(&self.group(cell)))
    }

    fn cheapest(&self, cells: impl Iterator<Item = u32>) -> Option<u32> {
        cells.filter_map(|cell| self.cost(cell).map(|cost| (cost, cell))).min().map(|(_, cell)| cell)
    }

    fn cells_of_table(&self, cell: u32) -> impl Iterator<Item = u32> {
        let table = self.tables[cell as usize];
        (0..self.tables.len()).filter(move |other| self.tables[*other] == table).map(number)
    }

    fn may_return(&self, cell: u32) -> bool {
        let wanted = matches!(self.requests[cell as usize].state, Wanted::MayShow { .. });
        wanted && self.hidden[cell as usize] && self.values[cell as usize] >= self.least_of(cell)
    }

    fn hide(&mut self, cell: u32) {
        for cell in self.group(cell) {
            if !self.hidden[cell as usize] {
                self.hidden[cell as usize] = true;
                self.drew_small |= self.values[cell as usize] < self.least_of(cell);
            }
        }
    }

    /// For each cell, the shown cells that share a pattern with it.
    fn sharing(&self, cells: &[u32]) -> Vec<Vec<u32>> {
        let mut place = vec![NONE; self.hidden.len()];
        cells.iter().enumerate().for_each(|(at, cell)| place[*cell as usize] = number(at));
        let mut shared = vec![HashSet::new(); cells.len()];
        for (pattern, _) in self.linked.patterns() {
            for cell in pattern {
                if let Some(shared) = shared.get_mut(place[*cell as usize] as usize) {
                    shared.extend(pattern.iter().copied().filter(|other| !self.hidden[*other as usize]));
                }
            }
        }
        shared.into_iter().map(|cells| cells.into_iter().collect()).collect()
    }
}

//! Joint complementary suppression: which cells of linked tables to hide so that no small cell follows from the others.
//!
//! Hidden small cells are attacked, and for each attack that succeeds one more cell is hidden, until none does (Fischetti &
//! Salazar 2001, with the exact audit and linear bounds as attackers; the choice of cells is greedy, not optimal). Hiding more never
//! makes an earlier attack succeed again, so the loop ends.

use std::collections::{BTreeMap, HashSet};

use super::{
    Least, Linked, Work,
    audit::{self, Determined, NotJudged},
    bounds::{State, Surroundings},
    number,
    pinned::Worlds,
};

/// Sets found in one pass of the audit.
const PER_PASS: usize = 48;
/// Rounds of hiding so that no cell is pinned.
const LOOSENING: usize = 60;
/// Patterns times attempts to give a cell back.
const GIVE_BACK: usize = 50_000;

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
    /// It is no cell of a table: nobody is in it, and that must not follow from the cells that are shown.
    Nobody,
}

/// What is told of a cell where it is hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// Whether it holds fewer units than its least number.
    Size,
    /// Nothing.
    Nothing,
    /// That it lies between these numbers: it was told so earlier.
    Between {
        /// The least that it may hold.
        least: u64,
        /// The most that it may hold; `u64::MAX` without a limit.
        most: u64,
    },
}

/// A cell to publish; one for each cell of the linked tables, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CellRequest {
    /// What is wanted of it.
    pub state: Wanted,
    /// What is told of it where it is hidden.
    pub told: Told,
    /// The table it belongs to.
    pub table: u32,
    /// Cells of one bundle are hidden together: those of one stratum of a life table.
    pub bundle: Option<u32>,
}

/// What to show and what to hide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Protected {
    /// By cell, with what is told of those hidden.
    pub states: Vec<State>,
    /// How many hidden cells are *primary*: they hold fewer units than their least number.
    pub primary: usize,
    /// How many hidden cells are *complementary*: they are large enough themselves.
    pub complementary: usize,
    /// How many cells are shown.
    pub shown: usize,
    /// Passes of the audit and of the bounds.
    pub rounds: usize,
    /// Small sets that follow from cells released earlier alone: they are past.
    pub unfixable: usize,
    /// Primary hidden cells that stay pinned to one number, ascending: they must not be published so. Those that were pinned by what was
    /// released earlier alone are not among them.
    pub pinned: Vec<u32>,
    /// Primary hidden cells of which it is not shown that they may hold any number below the least, ascending: no number in them
    /// follows, but a narrower range might.
    pub narrow: Vec<u32>,
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
    let pinned = loop {
        choice.hide_until_safe(work)?;
        let pinned = choice.hide_until_loose();
        // a bundle may have drawn in further small cells
        if !choice.drew_small {
            break pinned;
        }
        choice.drew_small = false;
    };
    choice.give_back(&pinned, work)?;
    let narrow = choice.unproved(&choice.primary());
    Ok(choice.finish(pinned, narrow))
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
            if matches!(request.state, Wanted::MustHide | Wanted::Nobody) {
                choice.hide(number(cell));
            }
        }
        choice.drew_small = false;
        choice
    }

    /// Audits and hides, for each small set found, the cheapest cell that takes part.
    fn hide_until_safe(&mut self, work: &Work) -> Result<(), NotJudged> {
        let past = self.known_to_be_empty(work)?;
        // patterns that the cells still shown cannot tell apart stay so: later passes have less to read
        let mut flat = None;
        loop {
            self.rounds += 1;
            let released = self.shown();
            let shrunk = self.linked.flat().restrict_in_place(&released, flat.as_ref());
            let most = PER_PASS + self.unfixable;
            let mut found = audit::find(self.linked, &shrunk, &released, &[], self.least, work, most)?;
            if !self.break_up(&found) {
                let zeros: Vec<u32> = self.empty_hidden().into_iter().filter(|cell| !past.contains(cell)).collect();
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

    /// Hidden cells that are shown to be empty by what was released earlier alone: nothing hides that any more.
    fn known_to_be_empty(&self, work: &Work) -> Result<HashSet<u32>, NotJudged> {
        let known: Vec<u32> =
            self.shown().into_iter().filter(|cell| self.requests[*cell as usize].state == Wanted::Shown).collect();
        let zeros = self.empty_hidden();
        if known.is_empty() || zeros.is_empty() {
            return Ok(HashSet::new());
        }
        let found = audit::find(self.linked, self.linked.flat(), &known, &zeros, self.least, work, usize::MAX)?;
        Ok(found.into_iter().filter_map(|determined| determined.empty).collect())
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

    /// Hides cells until no primary hidden cell is pinned to one number; answers those for which that did not come about, beside those
    /// that were pinned before.
    fn hide_until_loose(&mut self) -> Vec<u32> {
        if self.least.persons <= 1 {
            return Vec::new(); // a band of nothing but zero has only one number
        }
        for _ in 0..LOOSENING {
            self.rounds += 1;
            let (states, primary) = (self.states(), self.primary());
            let worlds = Worlds::new(self.linked, &states, self.least, &primary);
            let pinned: Vec<u32> = primary.into_iter().filter(|cell| worlds.is_pinned(*cell)).collect();
            let mut hidden = Vec::new();
            for cell in &pinned {
                match worlds.loosen(*cell, |shown| self.cost(shown)) {
                    Some(apart) => hidden.extend(apart),
                    // where no single move is near, less is shown around it
                    None => hidden.extend(worlds.beside(*cell, |shown| self.cost(shown))),
                }
            }
            if hidden.is_empty() {
                return self.not_past(pinned);
            }
            for cell in hidden {
                self.hide(cell);
            }
        }
        self.not_past(self.pinned(&self.primary()))
    }

    /// Those of the pinned cells that were not pinned by what was released earlier alone.
    fn not_past(&self, pinned: Vec<u32>) -> Vec<u32> {
        if pinned.is_empty() {
            return pinned;
        }
        let before = |request: &CellRequest| match (request.state, request.told) {
            (Wanted::Shown, _) => State::Shown,
            (_, Told::Between { least, most }) => State::Hidden { least, most },
            (_, Told::Size | Told::Nothing) => State::UNMARKED,
        };
        let states: Vec<State> = self.requests.iter().map(before).collect();
        let worlds = Worlds::new(self.linked, &states, self.least, &pinned);
        pinned.iter().copied().filter(|cell| !worlds.is_pinned(*cell)).collect()
    }

    /// Those of the primary hidden cells that are pinned to one number.
    fn pinned(&self, cells: &[u32]) -> Vec<u32> {
        let states = self.states();
        let worlds = Worlds::new(self.linked, &states, self.least, cells);
        cells.iter().copied().filter(|cell| worlds.is_pinned(*cell)).collect()
    }

    /// Those of the primary hidden cells, ascending, that may not keep their band.
    fn unproved(&self, cells: &[u32]) -> Vec<u32> {
        let states = self.states();
        let around = Surroundings::new(self.linked, &states, &self.tables, self.least);
        cells.iter().copied().filter(|cell| !around.holds_band(*cell)).collect()
    }

    /// Shows complementary cells again, dearest first, where everything stays safe and loose.
    fn give_back(&mut self, pinned: &[u32], work: &Work) -> Result<(), NotJudged> {
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
        let tries = (GIVE_BACK / self.linked.pattern_count().max(1)).clamp(1, 12);
        for (_, group) in groups.into_iter().take(tries) {
            self.rounds += 1;
            group.iter().for_each(|cell| self.hidden[*cell as usize] = false);
            let loose = |choice: &Self| choice.pinned(&choice.primary()).len() <= pinned.len();
            let flat = self.linked.flat();
            let safe =
                audit::find(self.linked, flat, &self.shown(), &self.empty_hidden(), self.least, work, 1)?.is_empty();
            if !(safe && loose(self)) {
                group.iter().for_each(|cell| self.hidden[*cell as usize] = true);
            }
        }
        Ok(())
    }

    fn finish(self, pinned: Vec<u32>, narrow: Vec<u32>) -> Protected {
        let (states, primary) = (self.states(), self.primary().len());
        let shown = self.shown().len();
        Protected {
            primary,
            complementary: states.len() - shown - primary,
            shown,
            rounds: self.rounds,
            unfixable: self.unfixable,
            pinned,
            narrow,
            states,
        }
    }

    /// Whether a cell holds fewer units than its least number.
    fn is_small(&self, cell: usize) -> bool {
        self.values[cell] < self.least.of(self.linked, number(cell))
    }

    fn states(&self) -> Vec<State> {
        let state = |cell: usize| match self.requests[cell].told {
            _ if !self.hidden[cell] => State::Shown,
            Told::Size if self.is_small(cell) => State::below(self.least.of(self.linked, number(cell))),
            Told::Size => State::from(self.least.of(self.linked, number(cell))),
            Told::Nothing => State::UNMARKED,
            Told::Between { least, most } => State::Hidden { least, most },
        };
        (0..self.hidden.len()).map(state).collect()
    }

    fn shown(&self) -> Vec<u32> {
        (0..self.hidden.len()).filter(|cell| !self.hidden[*cell]).map(number).collect()
    }

    fn primary(&self) -> Vec<u32> {
        let is_cell = |cell: &usize| self.hidden[*cell] && self.requests[*cell].state != Wanted::Nobody;
        (0..self.hidden.len()).filter(|cell| is_cell(cell) && self.is_small(*cell)).map(number).collect()
    }

    fn empty_hidden(&self) -> Vec<u32> {
        if self.least.persons <= 1 {
            return Vec::new(); // below a least number of one lies zero alone: it is no secret
        }
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
            Wanted::MustHide | Wanted::Shown | Wanted::Nobody => sum,
        })
    }

    /// What hiding a cell that is shown would cost, with its bundle; `None` where it cannot be hidden.
    fn cost(&self, cell: u32) -> Option<u64> {
        let open = !self.hidden[cell as usize] && matches!(self.requests[cell as usize].state, Wanted::MayShow { .. });
        open.then(|| self.group_cost(&self.group(cell)))
    }

    fn may_return(&self, cell: u32) -> bool {
        let wanted = matches!(self.requests[cell as usize].state, Wanted::MayShow { .. });
        wanted && self.hidden[cell as usize] && !self.is_small(cell as usize)
    }

    /// Hides a cell with its bundle and says which cells were still shown.
    fn hide(&mut self, cell: u32) -> Vec<u32> {
        let newly: Vec<u32> = self.group(cell).into_iter().filter(|cell| !self.hidden[*cell as usize]).collect();
        for &cell in &newly {
            self.hidden[cell as usize] = true;
            self.drew_small |= self.is_small(cell as usize);
        }
        newly
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        super::{CellInfo, Pattern, Protects, audit::brute_force, bounds::holds_band, examples::persons},
        *,
    };

    const FIVE: Least = Least { persons: 5, events: 5 };

    fn ask(state: Wanted, table: u32) -> CellRequest {
        CellRequest { state, told: Told::Size, table, bundle: None }
    }

    fn may(cost: u64) -> Wanted {
        Wanted::MayShow { cost }
    }

    /// A table of `units` by rows, with both margins and the total shown; inner cells first.
    fn table(units: &[Vec<u64>]) -> (Linked, Vec<CellRequest>) {
        let (rows, columns) = (units.len(), units[0].len());
        let inner = rows * columns;
        let patterns = (0..inner).map(|at| Pattern {
            cells: vec![
                number(at),
                number(inner + at / columns),
                number(inner + rows + at % columns),
                number(inner + rows + columns),
            ],
            units: units[at / columns][at % columns],
        });
        let cells = inner + rows + columns + 1;
        let linked = Linked::new(vec![CellInfo { protects: Protects::Persons }; cells], patterns).unwrap();
        let request = |cell: usize| match linked.values()[cell] {
            0..5 => ask(Wanted::MustHide, u32::from(cell >= inner)),
            value if cell < inner => ask(may(value), 0),
            _ => ask(may(100_000), 1),
        };
        let requests = (0..cells).map(request).collect();
        (linked, requests)
    }

    #[test]
    fn one_small_cell_of_a_two_way_table_takes_a_rectangle() {
        let (linked, requests) = table(&[vec![2, 30, 20], vec![25, 35, 45], vec![50, 60, 70]]);
        let protected = protect(&linked, &requests, FIVE, &Work::default()).unwrap();
        assert_eq!((protected.primary, protected.complementary), (1, 3));
        let hidden: Vec<usize> = (0..9).filter(|cell| protected.states[*cell] != State::Shown).collect();
        // the small cell, one beside it, one below it, and the corner opposite
        assert!(
            hidden[0] == 0 && hidden[1] < 3 && hidden[2].is_multiple_of(3) && hidden[3] == hidden[2] + hidden[1],
            "{hidden:?}"
        );
        assert!(protected.pinned.is_empty() && protected.unfixable == 0);
    }

    #[test]
    fn three_linked_tables_are_protected_together() {
        // sex, region, and age of the same persons: cell 0 is small; the same set is total 1 less cell 2, and total 3 less 4
        let linked = persons(6, &[(&[0, 1, 3, 5], 3), (&[1, 2, 4, 5], 40), (&[2, 3, 5], 50), (&[4, 5], 60)]);
        let mut requests = vec![ask(may(10), 0); 6];
        requests[0].state = Wanted::MustHide;
        (1..6).for_each(|cell| requests[cell].table = number(cell) / 2);
        let protected = protect(&linked, &requests, FIVE, &Work::default()).unwrap();
        let shown: Vec<u32> = (0..6).filter(|cell| protected.states[*cell as usize] == State::Shown).collect();
        assert!(brute_force::safe(&linked, &shown, &[0], FIVE));
        assert!(protected.complementary > 0);
    }

    #[test]
    fn a_bundle_is_hidden_as_a_whole() {
        let (linked, mut requests) = table(&[vec![2, 30, 20], vec![25, 35, 45], vec![50, 60, 70]]);
        requests[2].bundle = Some(9);
        requests[8].bundle = Some(9);
        let protected = protect(&linked, &requests, FIVE, &Work::default()).unwrap();
        assert_eq!(protected.states[2] == State::Shown, protected.states[8] == State::Shown);
        requests[0].bundle = Some(9);
        let protected = protect(&linked, &requests, FIVE, &Work::default()).unwrap();
        assert!([0, 2, 8].iter().all(|cell| protected.states[*cell] != State::Shown));
    }

    #[test]
    fn what_was_released_earlier_stays_and_is_reported() {
        let linked = persons(4, &[(&[0, 1], 18), (&[0], 2), (&[2], 3), (&[3], 30)]);
        let mut requests = vec![ask(Wanted::Shown, 0); 4];
        requests[2].state = Wanted::MustHide;
        let protected = protect(&linked, &requests, FIVE, &Work::default()).unwrap();
        assert_eq!((protected.unfixable, protected.shown, protected.primary), (1, 3, 1));
        requests[1].state = may(1);
        let protected = protect(&linked, &requests, FIVE, &Work::default()).unwrap();
        assert_eq!((protected.unfixable, protected.states[1]), (0, State::from(5)));
    }

    #[test]
    fn a_mark_that_would_pin_a_cell_to_one_number_is_reported() {
        // the total of eight was released earlier; both halves are four
        let linked = persons(3, &[(&[0, 1], 4), (&[0, 2], 4)]);
        let request = |state, told| CellRequest { state, told, table: 0, bundle: None };
        let with = |told| {
            let halves = request(Wanted::MustHide, told);
            let requests = [request(Wanted::Shown, Told::Size), halves, halves];
            protect(&linked, &requests, FIVE, &Work::default()).unwrap()
        };
        assert_eq!(with(Told::Size).pinned, [1, 2], "nothing can be hidden, and the marks tell four and four");
        assert_eq!(with(Told::Nothing).pinned, [0_u32; 0]);
        assert_eq!(with(Told::Between { least: 0, most: 4 }).pinned, [0_u32; 0], "it was told earlier: past");
    }

    #[test]
    fn requests_must_match_the_cells() {
        let linked = persons(2, &[(&[0, 1], 18)]);
        let answer = protect(&linked, &[], FIVE, &Work::default());
        assert_eq!(answer, Err(ProtectError::Requests { requests: 0, cells: 2 }));
    }

    /// The whole numbers that the first cell of a table can hold, by trying all tables.
    fn attainable(units: &[Vec<u64>], states: &[State], cell: usize) -> HashSet<u64> {
        let (rows, columns) = (units.len(), units[0].len());
        let inner = rows * columns;
        // one who is shown nothing does not know how many there are
        let top: u64 = (units.iter().flatten().sum::<u64>() + 4).min(14);
        let sum = |of: &[u64], which: &dyn Fn(usize) -> bool| {
            (0..inner).filter(|at| which(*at)).map(|at| of[at]).sum::<u64>()
        };
        let flat: Vec<u64> = units.concat();
        let agrees = |x: &[u64]| {
            (0..states.len()).all(|row| {
                let member = |at: usize| {
                    at == row
                        || inner + at / columns == row
                        || inner + rows + at % columns == row
                        || row == inner + rows + columns
                };
                let (now, true_value) = (sum(x, &member), sum(&flat, &member));
                match states[row] {
                    State::Shown => now == true_value,
                    State::Hidden { least, most } => (least..=most).contains(&now),
                }
            })
        };
        let (mut found, mut x) = (HashSet::new(), vec![0; inner]);
        loop {
            if agrees(&x) {
                found.insert(x[cell]);
            }
            let Some(at) = (0..inner).find(|at| x[*at] < top) else { return found };
            x[..at].fill(0);
            x[at] += 1;
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn no_cell_of_a_protected_two_way_table_is_pinned(units in prop::collection::vec(prop::collection::vec(0..10_u64, 2), 2)) {
            let (linked, requests) = table(&units);
            let protected = protect(&linked, &requests, FIVE, &Work::default()).unwrap();
            for cell in (0..4).filter(|cell| protected.states[*cell] == State::below(5)) {
                let attainable = attainable(&units, &protected.states, cell);
                // trying stops at 14 units in a cell, which is no limit below 5
                let whole = (0..5).all(|value| attainable.contains(&value));
                prop_assert!(whole || protected.narrow.contains(&number(cell)), "{attainable:?} {:?}", protected);
                prop_assert!(attainable.len() > 1 || protected.pinned.contains(&number(cell)), "{attainable:?} {:?}", protected);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]
        #[test]
        fn the_outcome_is_safe_and_always_the_same(
            patterns in prop::collection::vec((prop::collection::btree_set(0..8_u32, 1..6), 0..9_u64), 1..9),
            costs in prop::collection::vec(0..9_u64, 8), tables in prop::collection::vec(0..3_u32, 8), bundle in 0..256_u32
        ) {
            let patterns = patterns.into_iter().map(|(cells, units)| Pattern { cells: cells.into_iter().collect(), units });
            let linked = Linked::new(vec![CellInfo { protects: Protects::Persons }; 8], patterns).unwrap();
            let request = |cell: usize| CellRequest {
                state: if linked.values()[cell] < 5 { Wanted::MustHide } else { may(costs[cell]) },
                told: Told::Size,
                table: tables[cell],
                bundle: (bundle >> cell & 3 == 3).then_some(tables[cell]),
            };
            let requests: Vec<CellRequest> = (0..8).map(request).collect();
            let protected = protect(&linked, &requests, FIVE, &Work::default()).unwrap();
            prop_assert_eq!(&protected, &protect(&linked, &requests, FIVE, &Work::default()).unwrap());
            let (shown, hidden): (Vec<u32>, Vec<u32>) = (0..8).partition(|cell| protected.states[*cell as usize] == State::Shown);
            prop_assert!(brute_force::safe(&linked, &shown, &hidden, FIVE));
            for &cell in &hidden {
                let banded = holds_band(&linked, &protected.states, &tables, cell, FIVE);
                prop_assert_eq!(banded, !protected.narrow.contains(&cell));
            }
            for (request, state) in requests.iter().zip(&protected.states) {
                prop_assert!(request.state != Wanted::MustHide || *state == State::below(5));
            }
        }
    }
}

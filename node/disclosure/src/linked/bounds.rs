//! How closely a hidden cell can be bracketed from what is shown, and whether a hidden small cell keeps its whole band.
//!
//! The attacker knows the values of the cells shown, of a hidden cell between which numbers it lies where that is told, and that no
//! pattern has fewer than 0 units. The bounds are those of linear programming
//! over the numbers of units by pattern (Fischetti & Salazar 2001; Dobra & Fienberg 2000 for bounds from margins).

use std::{
    cell::Cell,
    collections::{HashMap, HashSet, VecDeque},
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use microlp::{ComparisonOp, OptimizationDirection, Problem, SolutionStatus};

use super::{Least, Linked, field::SplitMix64, number};

/// Slack within which a bound counts as reached.
const TOLERANCE: f64 = 1e-6;
/// Patterns looked at around a cell before those that cannot move are dropped.
const POOL: usize = 4_000;
/// Greatest number of memberships of a program: what takes well below a second.
const PROGRAM: usize = 600;
/// Greatest number of patterns of tables whose full program is tried.
const FULL: usize = 2_000;
/// Memberships of all programs that are solved before cells count as not protected.
const BUDGET: usize = 4_000;
/// Greatest number of memberships of the program of `interval`.
const INTERVAL: usize = 24_000;
/// Other patterns tried for the units of one pattern.
const MATES: usize = 256;

/// What becomes of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Its exact value is shown.
    Shown,
    /// Hidden, and known to hold a number of units in this range.
    Hidden {
        /// The least that it may hold.
        least: u64,
        /// The most that it may hold; `u64::MAX` where no limit is known.
        most: u64,
    },
}

impl State {
    /// Hidden, and nothing is told of it.
    pub const UNMARKED: Self = Self::Hidden { least: 0, most: u64::MAX };

    /// Hidden, and known to hold fewer units than `least`.
    #[must_use]
    pub const fn below(least: u64) -> Self {
        Self::Hidden { least: 0, most: least.saturating_sub(1) }
    }

    /// Hidden, and known to hold so many units or more.
    #[must_use]
    pub const fn from(least: u64) -> Self {
        Self::Hidden { least, most: u64::MAX }
    }
}

/// No bounds could be computed: too large, or the solver failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no bounds: the program is too large or the solver failed; count this cell as not protected")]
pub struct NoBounds;

/// The least and greatest value of a cell that agree with all that is shown, in units, to about 1e-6.
///
/// # Errors
/// Where the linear program is too large, or cannot be solved: for instance where `states` contradict the units.
pub fn interval(linked: &Linked, states: &[State], cell: u32, least: Least) -> Result<(f64, f64), NoBounds> {
    if cell as usize >= states.len() || states.len() != linked.cells().len() {
        return Err(NoBounds);
    }
    Surroundings::new(linked, states, &[], least).whole(cell, INTERVAL)
}

/// Whether a hidden cell of fewer units than its least number may, for all that is shown, hold any number below it.
///
/// True is certain: it rests on numbers of units that agree with all that is shown. False may also mean that no such numbers were
/// found. True as well for a cell that is shown or large enough, and for one in which no pattern lies: that it is empty is no secret.
/// `tables` gives the table of each cell; patterns of hidden cells of the same table are tried first.
#[must_use]
pub fn holds_band(linked: &Linked, states: &[State], tables: &[u32], cell: u32, least: Least) -> bool {
    let fits = states.len() == linked.cells().len() && tables.len() == states.len() && (cell as usize) < states.len();
    fits && Surroundings::new(linked, states, tables, least).holds_band(cell)
}

/// What is known around the hidden cells; made once for many questions.
pub(crate) struct Surroundings<'a> {
    linked: &'a Linked,
    states: &'a [State],
    tables: &'a [u32],
    least: Least,
    values: Vec<u64>,
    /// Patterns of each hidden cell.
    patterns: HashMap<u32, Vec<u32>>,
    /// Hidden cells of each table.
    hidden: HashMap<u32, Vec<u32>>,
    /// A key of the cells shown of each pattern, and the patterns with the same key, for those of small hidden cells.
    keys: Vec<u64>,
    mates: HashMap<u64, Vec<u32>>,
    /// Memberships of programs that may still be solved.
    budget: Cell<usize>,
}

impl<'a> Surroundings<'a> {
    pub(crate) fn new(linked: &'a Linked, states: &'a [State], tables: &'a [u32], least: Least) -> Self {
        let mut random = SplitMix64(0x5eed_0006);
        let key_of: Vec<u64> =
            states.iter().map(|state| if *state == State::Shown { random.next() } else { 0 }).collect();
        let values = linked.values();
        let small = |cell: u32| values[cell as usize] < least.of(linked, cell);
        let mut patterns: HashMap<u32, Vec<u32>> = HashMap::new();
        let mut mates: HashMap<u64, Vec<u32>> = HashMap::new();
        let mut keys = Vec::with_capacity(linked.pattern_count());
        for (pattern, (cells, _)) in linked.patterns().enumerate() {
            let (mut key, mut in_small) = (0_u64, false);
            for &cell in cells {
                match states.get(cell as usize) {
                    Some(State::Shown) => key = key.wrapping_add(key_of[cell as usize]),
                    Some(State::Hidden { .. }) => {
                        in_small |= small(cell);
                        patterns.entry(cell).or_default().push(number(pattern));
                    }
                    None => {}
                }
            }
            keys.push(key);
            if in_small {
                mates.entry(key).or_default();
            }
        }
        for (pattern, key) in keys.iter().enumerate() {
            if let Some(alike) = mates.get_mut(key) {
                alike.push(number(pattern));
            }
        }
        let mut hidden: HashMap<u32, Vec<u32>> = HashMap::new();
        for (cell, table) in tables.iter().enumerate().filter(|(cell, _)| states[*cell] != State::Shown) {
            hidden.entry(*table).or_default().push(number(cell));
        }
        Self { linked, states, tables, least, values, patterns, hidden, keys, mates, budget: Cell::new(BUDGET) }
    }

    pub(crate) fn holds_band(&self, cell: u32) -> bool {
        let State::Hidden { most, .. } = self.states[cell as usize] else { return true };
        if self.values[cell as usize] >= self.least.of(self.linked, cell) {
            return true;
        }
        let wanted = most.min(self.least.of(self.linked, cell) - 1);
        let Some(inside) = self.patterns.get(&cell) else { return true };
        if self.moves_reach(cell, inside, wanted) {
            return true;
        }
        let reaches = |bounds: Result<(f64, f64), NoBounds>| {
            bounds.is_ok_and(|(low, high)| low <= TOLERANCE && high >= wanted as f64 - TOLERANCE)
        };
        if self.is_spent() {
            return false;
        }
        reaches(self.around(cell, inside))
            || (self.linked.pattern_count() <= FULL && reaches(self.whole(cell, PROGRAM)))
    }

    /// Whether further cells count as not protected because enough programs have been solved.
    pub(crate) fn is_spent(&self) -> bool {
        self.budget.get() == 0
    }

    fn column(&self, pattern: u32) -> &[u32] {
        self.linked.flat().column(pattern as usize)
    }

    fn units(&self, pattern: u32) -> u64 {
        self.linked.flat().units[pattern as usize]
    }

    /// Whether moving units between patterns that the cells shown cannot tell apart empties the cell, and fills it up to `most`.
    fn moves_reach(&self, cell: u32, inside: &[u32], most: u64) -> bool {
        let (mut emptied, mut filled) = (Moves::new(self), Moves::new(self));
        let mut wanted = most.saturating_sub(self.values[cell as usize]);
        for &pattern in inside {
            let mut left = self.units(pattern);
            if left == 0 && wanted == 0 {
                continue;
            }
            let Some(alike) = self.mates.get(&self.keys[pattern as usize]) else { continue };
            for &mate in alike.iter().filter(|mate| self.column(**mate).binary_search(&cell).is_err()).take(MATES) {
                left -= emptied.shift(pattern, mate, left);
                wanted -= filled.shift(mate, pattern, wanted);
            }
            if left > 0 {
                return false;
            }
        }
        wanted == 0
    }

    /// Patterns that may have to move for the cell: its own, those the cells shown cannot tell from them, and those of the hidden
    /// cells of its table.
    fn pool(&self, cell: u32, inside: &[u32]) -> Vec<u32> {
        let alike = inside.iter().filter_map(|pattern| self.mates.get(&self.keys[*pattern as usize])).flatten();
        let beside = self.tables.get(cell as usize).and_then(|table| self.hidden.get(table)).into_iter().flatten();
        let near = beside.filter_map(|other| self.patterns.get(other)).flatten();
        let mut seen = HashSet::new();
        inside.iter().chain(alike).chain(near).copied().filter(|pattern| seen.insert(*pattern)).take(POOL).collect()
    }

    /// The range of the cell over all numbers of units that agree with what is shown.
    fn whole(&self, cell: u32, most: usize) -> Result<(f64, f64), NoBounds> {
        let all = (0..self.linked.pattern_count()).map(number).collect();
        let movable = self.near(cell, &self.unfixed(all), usize::MAX);
        if movable.iter().map(|pattern| self.column(*pattern).len()).sum::<usize>() > most {
            return Err(NoBounds);
        }
        self.bounds(cell, &movable)
    }

    /// A part of the range of the cell: only patterns around it may change.
    fn around(&self, cell: u32, inside: &[u32]) -> Result<(f64, f64), NoBounds> {
        let movable = self.near(cell, &self.unfixed(self.pool(cell, inside)), PROGRAM);
        self.bounds(cell, &self.near(cell, &self.unfixed(movable), usize::MAX))
    }

    /// The range of the cell while only the given patterns may change.
    fn bounds(&self, cell: u32, movable: &[u32]) -> Result<(f64, f64), NoBounds> {
        let inside = |pattern: &&u32| self.column(**pattern).binary_search(&cell).is_ok();
        let moving: u64 = movable.iter().filter(inside).map(|pattern| self.units(*pattern)).sum();
        let base = (self.values[cell as usize] - moving) as f64;
        if movable.is_empty() {
            return Ok((base, base));
        }
        let memberships: usize = movable.iter().map(|pattern| self.column(*pattern).len()).sum();
        self.budget.set(self.budget.get().saturating_sub(memberships));
        if self.is_spent() {
            return Err(NoBounds);
        }
        let low = self.optimum(cell, movable, OptimizationDirection::Minimize)?;
        let high = self.optimum(cell, movable, OptimizationDirection::Maximize)?;
        Ok((base + low, base + high))
    }

    /// Patterns that no shown cell holds in place: alone in it, or among others that are all empty.
    fn unfixed(&self, mut movable: Vec<u32>) -> Vec<u32> {
        loop {
            let mut rows: HashMap<u32, (u32, u64)> = HashMap::new();
            for &pattern in &movable {
                for &row in self.column(pattern).iter().filter(|row| self.states[**row as usize] == State::Shown) {
                    let state = rows.entry(row).or_default();
                    state.0 += 1;
                    state.1 += self.units(pattern);
                }
            }
            let before = movable.len();
            movable.retain(|pattern| {
                self.column(*pattern)
                    .iter()
                    .all(|row| rows.get(row).is_none_or(|(count, units)| *count > 1 && *units > 0))
            });
            if movable.len() == before {
                return movable;
            }
        }
    }

    /// The patterns reached from the cell's own by common cells, nearest first, up to a number of memberships.
    fn near(&self, cell: u32, movable: &[u32], most: usize) -> Vec<u32> {
        let mut of_row: HashMap<u32, Vec<u32>> = HashMap::new();
        for &pattern in movable {
            for &row in self.column(pattern) {
                of_row.entry(row).or_default().push(pattern);
            }
        }
        let mut seen: HashSet<u32> = of_row.get(&cell).into_iter().flatten().copied().collect();
        let mut queue: VecDeque<u32> = of_row.remove(&cell).unwrap_or_default().into();
        let (mut kept, mut memberships) = (Vec::new(), 0);
        while let Some(pattern) = queue.pop_front() {
            memberships += self.column(pattern).len();
            if memberships > most {
                break;
            }
            kept.push(pattern);
            for row in self.column(pattern) {
                for other in of_row.remove(row).unwrap_or_default() {
                    if seen.insert(other) {
                        queue.push_back(other);
                    }
                }
            }
        }
        kept.sort_unstable();
        kept
    }

    /// The least or greatest number of units of movable patterns in the cell.
    fn optimum(&self, cell: u32, movable: &[u32], direction: OptimizationDirection) -> Result<f64, NoBounds> {
        let mut problem = Problem::new(direction);
        let mut rows: HashMap<u32, (Vec<(microlp::Variable, f64)>, u64)> = HashMap::new();
        let mut order = Vec::new();
        for &pattern in movable {
            let inside = self.column(pattern).binary_search(&cell).is_ok();
            let variable = problem.add_var(f64::from(u8::from(inside)), (0.0, f64::INFINITY));
            for &row in self.column(pattern) {
                let (terms, units) = rows.entry(row).or_insert_with(|| {
                    order.push(row);
                    (Vec::new(), 0)
                });
                terms.push((variable, 1.0));
                *units += self.units(pattern);
            }
        }
        for row in order {
            let Some((terms, units)) = rows.remove(&row) else { continue };
            let rest = self.values[row as usize] - units;
            let State::Hidden { least, most } = self.states[row as usize] else {
                problem.add_constraint(terms, ComparisonOp::Eq, units as f64);
                continue;
            };
            if most < u64::MAX {
                problem.add_constraint(&terms, ComparisonOp::Le, most as f64 - rest as f64);
            }
            if least > rest {
                problem.add_constraint(&terms, ComparisonOp::Ge, (least - rest) as f64);
            }
        }
        // a cell whose value is not bounded from above by anything shown must not make the solver run on
        problem.set_time_limit(Duration::from_secs(2));
        // the solver's authors do not rule out a panic on an ill-conditioned program; one counts as "no bounds"
        match catch_unwind(AssertUnwindSafe(|| problem.solve())) {
            Ok(Ok(outcome)) => match outcome.into_solution() {
                Ok(solution) if solution.status() == SolutionStatus::Optimal => Ok(solution.objective()),
                _ => Err(NoBounds),
            },
            Ok(Err(microlp::Error::Unbounded)) => Ok(f64::INFINITY),
            _ => Err(NoBounds),
        }
    }
}

/// Units moved between patterns, within what is known of the hidden cells.
struct Moves<'a> {
    around: &'a Surroundings<'a>,
    taken: HashMap<u32, u64>,
    /// Value of each hidden cell that has changed.
    values: HashMap<u32, u64>,
}

impl<'a> Moves<'a> {
    fn new(around: &'a Surroundings<'a>) -> Self {
        Self { around, taken: HashMap::new(), values: HashMap::new() }
    }

    /// Moves up to `most` units and says how many.
    fn shift(&mut self, from: u32, to: u32, most: u64) -> u64 {
        let around = self.around;
        let mut room = most.min(around.units(from) - self.taken.get(&from).copied().unwrap_or(0));
        if room == 0 {
            return 0;
        }
        let (source, target) = (around.column(from), around.column(to));
        let leaving = || source.iter().filter(|cell| target.binary_search(cell).is_err());
        let entering = || target.iter().filter(|cell| source.binary_search(cell).is_err());
        let value =
            |values: &HashMap<u32, u64>, cell: u32| values.get(&cell).copied().unwrap_or(around.values[cell as usize]);
        for &cell in leaving() {
            let State::Hidden { least, .. } = around.states[cell as usize] else { return 0 };
            room = room.min(value(&self.values, cell).saturating_sub(least));
        }
        for &cell in entering() {
            let State::Hidden { most, .. } = around.states[cell as usize] else { return 0 };
            room = room.min(most.saturating_sub(value(&self.values, cell)));
        }
        if room > 0 {
            for &cell in leaving() {
                self.values.insert(cell, value(&self.values, cell) - room);
            }
            for &cell in entering() {
                self.values.insert(cell, value(&self.values, cell) + room);
            }
            *self.taken.entry(from).or_default() += room;
        }
        room
    }
}

#[cfg(test)]
mod tests {
    use super::{super::examples::persons, *};

    const FIVE: Least = Least { persons: 5, events: 5 };
    const SMALL: State = State::below(5);
    const LARGE: State = State::from(5);

    /// A 2 x 2 table: rows 0, 1; columns 2, 3; inner cells 4..8, all with further units beside it.
    fn square(units: [u64; 4]) -> Linked {
        persons(8, &[(&[0, 2, 4], units[0]), (&[0, 3, 5], units[1]), (&[1, 2, 6], units[2]), (&[1, 3, 7], units[3])])
    }

    #[test]
    fn a_rectangle_of_hidden_cells_is_bracketed_by_its_margins() {
        use State::Shown;
        let linked = square([2, 10, 20, 30]);
        let states = [Shown, Shown, Shown, Shown, SMALL, LARGE, LARGE, LARGE];
        let (low, high) = interval(&linked, &states, 4, FIVE).unwrap();
        assert!(low.abs() < 1e-6 && (high - 4.0).abs() < 1e-6);
        // its partner is what is left of the row
        let (low, high) = interval(&linked, &states, 5, FIVE).unwrap();
        assert!((low - 8.0).abs() < 1e-6 && (high - 12.0).abs() < 1e-6);
        assert!(holds_band(&linked, &states, &[0, 0, 1, 1, 2, 2, 2, 2], 4, FIVE));
        let pair = [Shown, Shown, Shown, Shown, SMALL, LARGE, Shown, Shown];
        assert_eq!(interval(&linked, &pair, 4, FIVE), Ok((2.0, 2.0)));
        assert!(!holds_band(&linked, &pair, &[0; 8], 4, FIVE));
    }

    #[test]
    fn a_partner_with_too_few_units_narrows_the_band() {
        use State::Shown;
        // the partner of 5 can give nothing: the cell cannot hold more than it does
        let linked = square([2, 5, 20, 30]);
        let states = [Shown, Shown, Shown, Shown, SMALL, LARGE, LARGE, LARGE];
        let (low, high) = interval(&linked, &states, 4, FIVE).unwrap();
        assert!(low.abs() < 1e-6 && (high - 2.0).abs() < 1e-6);
        assert!(!holds_band(&linked, &states, &[0; 8], 4, FIVE));
    }

    #[test]
    fn units_that_the_cells_shown_cannot_tell_apart_fill_and_empty_a_cell() {
        use State::Shown;
        let linked = persons(3, &[(&[0, 1], 2), (&[0, 2], 9)]);
        assert!(holds_band(&linked, &[Shown, SMALL, LARGE], &[0; 3], 1, FIVE));
        let tight = persons(3, &[(&[0, 1], 2), (&[0, 2], 6)]);
        assert!(!holds_band(&tight, &[Shown, SMALL, LARGE], &[0; 3], 1, FIVE));
    }

    #[test]
    fn what_is_told_of_a_hidden_cell_narrows_its_partner() {
        let linked = persons(3, &[(&[0, 1], 4), (&[0, 2], 4)]);
        let told = [State::Shown, SMALL, SMALL];
        assert_eq!(interval(&linked, &told, 1, FIVE), Ok((4.0, 4.0)), "four and four are the only ones below five");
        let untold = [State::Shown, State::UNMARKED, State::UNMARKED];
        assert!(holds_band(&linked, &untold, &[0; 3], 1, FIVE));
        let once = [State::Shown, State::UNMARKED, State::below(8)];
        let (low, high) = interval(&linked, &once, 1, FIVE).unwrap();
        assert!((low - 1.0).abs() < 1e-6 && (high - 8.0).abs() < 1e-6);
    }

    #[test]
    fn a_cell_without_a_limit_has_no_greatest_value() {
        let linked = persons(2, &[(&[0], 9), (&[1], 9)]);
        let (low, high) = interval(&linked, &[LARGE, State::Shown], 0, FIVE).unwrap();
        assert!((low - 5.0).abs() < 1e-6 && high.is_infinite());
    }
}

//! Hidden cells that what is shown pins to one number, though no combination of shown cells adds up to them: four and four are the
//! only two numbers below five that make eight.
//!
//! A cell is loose where another world agrees with all that is shown and gives it another number. Such a world is looked for one and
//! two units away: a unit that moves to a pattern with the same shown cells, or two units whose moves make up for each other (the
//! rectangle of a two-way table), while every hidden cell keeps to what is known of it: fewer than the least number, or at least that.
//! It is the attacker's sub-problem of Fischetti & Salazar 2001, solved on its shortest moves.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{Least, Linked, bounds::State, field::SplitMix64, number};

/// Patterns of a cell, and patterns with the same shown cells, that are looked at.
const MATES: usize = 256;
/// Patterns that are tried as the other end of a move, for each pattern of a cell.
const CANDIDATES: usize = 120;
/// Patterns whose units are tried as the second of two that move.
const SECONDS: usize = 800;
/// Patterns of a cell whose moves are tried.
const OWN: usize = 4;

/// What is known of all cells and patterns under some states.
pub(crate) struct Worlds<'a> {
    linked: &'a Linked,
    states: &'a [State],
    least: Least,
    values: Vec<u64>,
    /// Patterns of each cell that is asked about.
    patterns: HashMap<u32, Vec<u32>>,
    /// A key of the shown cells of each pattern, and the patterns by their key.
    keys: Vec<u64>,
    mates: HashMap<u64, Vec<u32>>,
    cells: Vec<&'a [u32]>,
    units: Vec<u64>,
    /// Patterns that are tried as the other end of a move: those in hidden cells first.
    candidates: Vec<u32>,
    /// Patterns with units that are tried as the second of two that move.
    seconds: Vec<u32>,
}

impl<'a> Worlds<'a> {
    /// For questions about the cells of `wanted`.
    pub(crate) fn new(linked: &'a Linked, states: &'a [State], least: Least, wanted: &[u32]) -> Self {
        let mut random = SplitMix64(0x5eed_0007);
        let key_of: Vec<u64> =
            states.iter().map(|state| if *state == State::Shown { random.next() } else { 0 }).collect();
        let wanted: HashSet<u32> = wanted.iter().copied().collect();
        let mut patterns: HashMap<u32, Vec<u32>> = HashMap::new();
        let (mut keys, mut cells_of, mut units_of) = (Vec::new(), Vec::new(), Vec::new());
        let mut mates: HashMap<u64, Vec<u32>> = HashMap::new();
        for (pattern, (cells, units)) in linked.patterns().enumerate() {
            let key = cells.iter().fold(0_u64, |key, cell| key.wrapping_add(key_of[*cell as usize]));
            for cell in cells.iter().filter(|cell| wanted.contains(cell)) {
                patterns.entry(*cell).or_default().push(number(pattern));
            }
            mates.entry(key).or_default().push(number(pattern));
            keys.push(key);
            cells_of.push(cells);
            units_of.push(units);
        }
        // a unit may also come from nowhere, or go there: it was in no shown cell, and nobody knows how many there are
        mates.entry(0).or_default().push(number(cells_of.len()));
        keys.push(0);
        cells_of.push(&[]);
        units_of.push(u64::MAX);
        let all = || 0..cells_of.len();
        let hidden = |at: &usize| cells_of[*at].iter().any(|cell| states[*cell as usize] != State::Shown);
        let mut candidates = vec![number(cells_of.len() - 1)];
        candidates.extend(sampled(all().filter(hidden).collect(), CANDIDATES));
        candidates.extend(sampled(all().filter(|at| !hidden(at)).collect(), CANDIDATES));
        let mut seconds = vec![number(cells_of.len() - 1)];
        seconds.extend(sampled(all().filter(|at| units_of[*at] > 0).collect(), SECONDS));
        let values = linked.values();
        Self {
            linked,
            states,
            least,
            values,
            patterns,
            keys,
            mates,
            cells: cells_of,
            units: units_of,
            candidates,
            seconds,
        }
    }

    /// Whether no other number of the cell was found that agrees with all that is shown. A cell in which no pattern lies is not pinned:
    /// that it is empty is no secret.
    pub(crate) fn is_pinned(&self, cell: u32) -> bool {
        let Some(own) = self.patterns.get(&cell) else { return false };
        let alone = own.iter().take(MATES).any(|pattern| {
            let alike = self.mates.get(&self.keys[*pattern as usize]).into_iter().flatten().take(MATES);
            alike
                .filter(|mate| !self.lies_in(**mate, cell))
                .any(|mate| self.may_move(&[(*pattern, *mate)], &[]) || self.may_move(&[(*mate, *pattern)], &[]))
        });
        !alone && !self.has_rectangle(cell, own)
    }

    /// Whether two moves that make up for each other change the cell.
    fn has_rectangle(&self, cell: u32, own: &[u32]) -> bool {
        own.iter().take(OWN).any(|pattern| {
            let others = self.candidates.iter().filter(|other| !self.lies_in(**other, cell));
            others.take(CANDIDATES).any(|other| {
                self.is_made_up_for(cell, (*pattern, *other)) || self.is_made_up_for(cell, (*other, *pattern))
            })
        })
    }

    /// Whether a second move makes up for this one in all shown cells, and not in the cell.
    fn is_made_up_for(&self, cell: u32, first: (u32, u32)) -> bool {
        if self.units[first.0 as usize] == 0 {
            return false;
        }
        let needed = self.keys[first.0 as usize].wrapping_sub(self.keys[first.1 as usize]);
        let change = |(from, to): (u32, u32)| i8::from(self.lies_in(to, cell)) - i8::from(self.lies_in(from, cell));
        self.seconds.iter().any(|from| {
            let arriving = self.mates.get(&self.keys[*from as usize].wrapping_add(needed)).into_iter().flatten();
            let seconds = arriving.take(OWN).map(|to| (*from, *to)).filter(|second| second.0 != second.1);
            seconds
                .filter(|second| change(first) + change(*second) != 0)
                .any(|second| self.may_move(&[first, second], &[]))
        })
    }

    /// The shown cells of least cost that would have to be hidden so that a unit may move in or out of the cell; none where no move
    /// was found. `cost` says what hiding a cell loses, none where it cannot be hidden.
    pub(crate) fn loosen(&self, cell: u32, cost: impl Fn(u32) -> Option<u64>) -> Option<Vec<u32>> {
        let own = self.patterns.get(&cell)?;
        let others: Vec<u32> = self.candidates.iter().copied().filter(|other| !self.lies_in(*other, cell)).collect();
        let mut best: Option<(u64, Vec<u32>)> = None;
        for pattern in own.iter().take(OWN) {
            for other in &others {
                let apart = self.shown_apart(*pattern, *other);
                let Some(price) = apart.iter().try_fold(0_u64, |sum, cell| sum.checked_add(cost(*cell)?)) else {
                    continue;
                };
                if best.as_ref().is_some_and(|(least, _)| *least <= price) {
                    continue;
                }
                if self.may_move(&[(*pattern, *other)], &apart) || self.may_move(&[(*other, *pattern)], &apart) {
                    best = Some((price, apart));
                }
            }
        }
        best.map(|(_, apart)| apart)
    }

    /// The shown cell of least cost that counts a pattern of the cell or one like it.
    pub(crate) fn beside(&self, cell: u32, cost: impl Fn(u32) -> Option<u64>) -> Option<u32> {
        let own = self.patterns.get(&cell)?;
        let around = own.iter().chain(self.candidates.iter());
        let shown = around.flat_map(|pattern| self.cells[*pattern as usize]).copied();
        shown
            .filter(|shown| self.states[*shown as usize] == State::Shown)
            .filter_map(|shown| Some((cost(shown)?, shown)))
            .min()
            .map(|(_, shown)| shown)
    }

    fn lies_in(&self, pattern: u32, cell: u32) -> bool {
        self.cells[pattern as usize].binary_search(&cell).is_ok()
    }

    /// The shown cells that count one of two patterns only.
    fn shown_apart(&self, left: u32, right: u32) -> Vec<u32> {
        let (left, right) = (self.cells[left as usize], self.cells[right as usize]);
        let only = |these: &[u32], those: &[u32]| -> Vec<u32> {
            let shown = |cell: &u32| self.states[*cell as usize] == State::Shown;
            these.iter().copied().filter(|cell| shown(cell) && those.binary_search(cell).is_err()).collect()
        };
        let mut apart = only(left, right);
        apart.extend(only(right, left));
        apart
    }

    /// Whether a unit may make each of these moves at once, with the cells of `hidden` hidden too: every hidden cell keeps to what is
    /// known of it. The moves together change no cell that stays shown.
    fn may_move(&self, moves: &[(u32, u32)], hidden: &[u32]) -> bool {
        let mut changes: BTreeMap<u32, i64> = BTreeMap::new();
        for (from, to) in moves {
            let leaving = moves.iter().filter(|(other, _)| other == from).count() as u64;
            if self.units[*from as usize] < leaving {
                return false;
            }
            for cell in self.cells[*from as usize] {
                *changes.entry(*cell).or_default() -= 1;
            }
            for cell in self.cells[*to as usize] {
                *changes.entry(*cell).or_default() += 1;
            }
        }
        changes.into_iter().filter(|(_, change)| *change != 0).all(|(cell, change)| {
            let Some(value) = self.values[cell as usize].checked_add_signed(change) else { return false };
            match self.states[cell as usize] {
                // what is not told of a cell yet may be told with its mark
                State::Shown => hidden.contains(&cell) && value >= self.least.of(self.linked, cell),
                State::Hidden { least, most } => (least..=most).contains(&value),
            }
        })
    }
}

/// At most about `most` of the places, evenly.
fn sampled(places: Vec<usize>, most: usize) -> Vec<u32> {
    let step = places.len().div_ceil(most).max(1);
    places.into_iter().step_by(step).map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linked::{CellInfo, Pattern, Protects};

    const LEAST: Least = Least { persons: 5, events: 3 };
    const SMALL: State = State::below(5);
    const LARGE: State = State::from(5);

    /// A total of two cells, each of which counts the units of one pattern.
    fn halves(left: u64, right: u64) -> Linked {
        let pattern = |cell, units| Pattern { cells: vec![0, cell], units };
        let cells = vec![CellInfo { protects: Protects::Persons }; 3];
        Linked::new(cells, [pattern(1, left), pattern(2, right)]).unwrap()
    }

    fn pinned(linked: &Linked, states: [State; 3]) -> Vec<u32> {
        let worlds = Worlds::new(linked, &states, LEAST, &[1, 2]);
        (1..3).filter(|cell| worlds.is_pinned(*cell)).collect()
    }

    #[test]
    fn four_and_four_are_the_only_two_that_make_eight() {
        let hidden = [State::Shown, SMALL, SMALL];
        assert_eq!(pinned(&halves(4, 4), hidden), [1, 2]);
        assert_eq!(pinned(&halves(4, 3), hidden), [0_u32; 0], "seven may be three and four");
        assert_eq!(pinned(&halves(0, 1), hidden), [0_u32; 0]);
        let beside = [State::Shown, SMALL, LARGE];
        assert_eq!(pinned(&halves(0, 5), beside), [1, 2], "five is the least of the other");
        assert_eq!(pinned(&halves(0, 6), beside), [0_u32; 0]);
        let untold = [State::Shown, State::UNMARKED, State::UNMARKED];
        assert_eq!(pinned(&halves(4, 4), untold), [0_u32; 0], "where nothing is told, eight may be any two");
    }

    #[test]
    fn a_rectangle_of_a_two_way_table_is_loose() {
        // rows 0 and 1, columns 2 and 3 are shown; the four inner cells are hidden
        let pattern = |row, column, inner, units| Pattern { cells: vec![row, column, inner], units };
        let patterns = [pattern(0, 2, 4, 2), pattern(0, 3, 5, 30), pattern(1, 2, 6, 25), pattern(1, 3, 7, 35)];
        let linked = Linked::new(vec![CellInfo { protects: Protects::Persons }; 8], patterns).unwrap();
        let mut states = [State::Shown; 8];
        states[4] = SMALL;
        states[5..].fill(LARGE);
        assert!(!Worlds::new(&linked, &states, LEAST, &[4]).is_pinned(4));
        states[7] = State::Shown;
        assert!(Worlds::new(&linked, &states, LEAST, &[4]).is_pinned(4), "three corners are not enough");
    }

    #[test]
    fn hiding_what_tells_two_patterns_apart_loosens() {
        // cell 1 is small; the total tells it from the rest
        let cells = vec![CellInfo { protects: Protects::Persons }; 2];
        let patterns = [Pattern { cells: vec![0, 1], units: 3 }, Pattern { cells: vec![0], units: 9 }];
        let linked = Linked::new(cells, patterns).unwrap();
        let states = [State::Shown, SMALL];
        let worlds = Worlds::new(&linked, &states, LEAST, &[1]);
        assert!(!worlds.is_pinned(1), "a unit may move within the total");
        let states = [State::Shown, State::Shown];
        let worlds = Worlds::new(&linked, &states, LEAST, &[1]);
        assert_eq!(worlds.loosen(1, |_| Some(7)), None, "cell 1 itself is one unit apart and below the least number");
        let states = [LARGE, SMALL];
        let worlds = Worlds::new(&linked, &states, LEAST, &[1]);
        assert!(!worlds.is_pinned(1), "nobody knows how many there are");
    }
}

//! Where everybody in a cell of one question is also counted by another: a subtraction would tell that nobody else is.

use std::collections::{BTreeSet, HashMap, HashSet};

use node_disclosure::{layout::Layout, membership::UnitPattern};
use node_protocol::query::Condition;

use super::Question;

/// What a question counts: everybody who meets its conditions. That a time or a value is missing is no condition: how complete the data
/// are is no secret about anybody.
pub(super) struct Reach {
    /// The question.
    pub(super) question: usize,
    /// Holds for everybody whom it does not count.
    pub(super) outside: Condition,
}

/// No reach: the question counts everybody.
const NONE: u32 = u32::MAX;

/// The reaches of all questions that somebody may lie outside of, and the one that each cell is part of.
pub(super) struct Reaches {
    pub(super) all: Vec<Reach>,
    of_cell: Vec<u32>,
}

impl Reaches {
    pub(super) fn of(questions: &[Question<'_>], layouts: &[Layout]) -> Self {
        let (mut all, mut of_cell) = (Vec::new(), Vec::new());
        for (at, (question, layout)) in questions.iter().zip(layouts).enumerate() {
            let conditions = &question.permitted.query().conditions;
            let mut own = NONE;
            if !conditions.is_empty() {
                own = u32::try_from(all.len()).unwrap_or(NONE);
                let outside = Condition::Not(Box::new(Condition::All(conditions.clone())));
                all.push(Reach { question: at, outside });
            }
            of_cell.extend(std::iter::repeat_n(own, layout.len()));
        }
        Self { all, of_cell }
    }

    /// The cells in which somebody is and nobody outside of a reach: pairs of a cell and a place among the reaches, for those that
    /// `compare` lets through.
    pub(super) fn covered(
        &self,
        patterns: &[UnitPattern],
        compare: impl Fn(usize, &Reach) -> bool,
    ) -> Vec<(usize, usize)> {
        let words = self.all.len().div_ceil(64);
        let mut outside = vec![0_u64; self.of_cell.len() * words];
        let mut is_used = vec![false; self.of_cell.len()];
        let mut inside = vec![0_u64; words];
        for pattern in patterns {
            inside.fill(0);
            for cell in &pattern.cells {
                let reach = self.of_cell[*cell as usize];
                if reach != NONE {
                    inside[reach as usize / 64] |= 1 << (reach % 64);
                }
            }
            for cell in pattern.cells.iter().map(|cell| *cell as usize) {
                is_used[cell] = true;
                let outside = &mut outside[cell * words..(cell + 1) * words];
                outside.iter_mut().zip(&inside).for_each(|(outside, inside)| *outside |= !inside);
            }
        }
        let is_covered = |cell: usize, reach: usize| outside[cell * words + reach / 64] >> (reach % 64) & 1 == 0;
        let mut covered = Vec::new();
        for cell in (0..self.of_cell.len()).filter(|cell| is_used[*cell]) {
            let reaches = self.all.iter().enumerate();
            let pairs = reaches.filter(|(at, reach)| is_covered(cell, *at) && compare(cell, reach));
            covered.extend(pairs.map(|(at, _)| (cell, at)));
        }
        covered
    }

    /// For each pair of a cell and a reach those who are in the cell and outside of the reach, as places in `patterns`; none twice.
    pub(super) fn between(&self, covered: &[(usize, usize)], patterns: &[UnitPattern]) -> Vec<Vec<u32>> {
        let mut of_cell: HashMap<usize, Vec<u32>> = covered.iter().map(|(cell, _)| (*cell, Vec::new())).collect();
        let mut inside: Vec<HashSet<u32>> = Vec::with_capacity(patterns.len());
        for (pattern, place) in patterns.iter().zip(0_u32..) {
            inside.push(pattern.cells.iter().map(|cell| self.of_cell[*cell as usize]).collect());
            for cell in &pattern.cells {
                if pattern.units == 0
                    && let Some(here) = of_cell.get_mut(&(*cell as usize))
                {
                    here.push(place);
                }
            }
        }
        let mut sets = BTreeSet::new();
        for (cell, reach) in covered {
            let reach = u32::try_from(*reach).unwrap_or(NONE);
            let here = of_cell.get(cell).into_iter().flatten().copied();
            let outside: Vec<u32> = here.filter(|place| !inside[*place as usize].contains(&reach)).collect();
            if !outside.is_empty() {
                sets.insert(outside);
            }
        }
        sets.into_iter().collect()
    }
}

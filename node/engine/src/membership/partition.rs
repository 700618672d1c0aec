//! Classes of units that cannot be told apart, split by one question after another.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

use node_disclosure::{layout::Layout, membership::UnitPattern};

use super::{coding::Taker, layout::Codes};

/// The class of a unit that no other unit shares: it need not be split again.
const ALONE: u32 = u32::MAX;
/// No pattern is listed for this unit: another one of its class stands for it, or it is counted nowhere.
const UNLISTED: u32 = u32::MAX;

/// The classes of units, numbered from 0.
pub(super) struct Partition {
    class: Vec<u32>,
    /// Units per class.
    sizes: Vec<u32>,
    /// Cells that each unit is counted in.
    cells: Vec<u32>,
    /// The class that units of a class with a code go to, during one question; several codes are a path.
    moves: HashMap<u64, u32, BuildHasherDefault<Folded>>,
}

impl Partition {
    pub(super) fn new(units: usize) -> Self {
        Self {
            class: vec![0; units],
            sizes: vec![u32::try_from(units).unwrap_or(u32::MAX)],
            cells: vec![0; units],
            moves: HashMap::default(),
        }
    }

    /// Splits the classes by one question, until [`Self::settle`].
    pub(super) fn round<'r>(&'r mut self, layout: &'r Layout) -> impl Taker + use<'r> {
        Splitting { partition: self, layout }
    }

    /// A unit is counted in the cells of these codes; units that the question does not count stay where they are.
    fn split(&mut self, unit: usize, codes: &[u32], layout: &Layout) {
        self.cells[unit] += codes.iter().map(|code| layout.cells_of(*code)).sum::<u32>();
        let class = self.class[unit];
        if class == ALONE {
            return;
        }
        // codes in normal form end in the same class just where they are the same
        let mut to = class;
        for code in codes {
            let fresh = self.sizes.len();
            to = *self.moves.entry(u64::from(to) << 32 | u64::from(*code)).or_insert(fresh as u32);
            if to as usize == fresh {
                self.sizes.push(0);
            }
        }
        self.sizes[class as usize] -= 1;
        self.sizes[to as usize] += 1;
        self.class[unit] = to;
    }

    /// Ends a question: classes are numbered anew without gaps, and units that are alone leave them.
    pub(super) fn settle(&mut self) {
        self.moves.clear();
        let mut numbers = vec![ALONE; self.sizes.len()];
        let mut kept = 0_usize;
        for (at, number) in numbers.iter_mut().enumerate() {
            if self.sizes[at] > 1 {
                self.sizes[kept] = self.sizes[at];
                *number = kept as u32;
                kept += 1;
            }
        }
        self.sizes.truncate(kept);
        for class in self.class.iter_mut().filter(|class| **class != ALONE) {
            *class = numbers[*class as usize];
        }
    }

    /// Chooses one unit of each class.
    pub(super) fn listing(self) -> Listing {
        let Self { mut class, sizes, cells, .. } = self;
        let mut pattern_of = vec![UNLISTED; sizes.len()];
        let mut patterns: Vec<UnitPattern> = Vec::new();
        for (unit, class) in class.iter_mut().enumerate() {
            let known = pattern_of.get(*class as usize).copied().filter(|pattern| *pattern != UNLISTED);
            if cells[unit] == 0 {
                *class = UNLISTED;
            } else if let Some(pattern) = known {
                patterns[pattern as usize].units += 1;
                *class = UNLISTED;
            } else {
                let pattern = patterns.len() as u32;
                if let Some(of_class) = pattern_of.get_mut(*class as usize) {
                    *of_class = pattern;
                }
                patterns.push(UnitPattern { cells: Vec::with_capacity(cells[unit] as usize), units: 1 });
                *class = pattern;
            }
        }
        Listing { pattern_of_unit: class, patterns }
    }
}

/// The patterns, whose cells are added question by question.
pub(super) struct Listing {
    pattern_of_unit: Vec<u32>,
    patterns: Vec<UnitPattern>,
}

impl Listing {
    /// Adds the cells of one question, whose first has the global number `offset`.
    pub(super) fn round<'r>(&'r mut self, layout: &'r Layout, offset: u32) -> impl Taker + use<'r> {
        Adding { listing: self, layout, offset }
    }

    /// A unit is counted in the cells of these codes.
    fn add(&mut self, unit: usize, codes: &[u32], layout: &Layout, offset: u32) {
        let Some(pattern) = self.patterns.get_mut(self.pattern_of_unit[unit] as usize) else { return };
        let from = pattern.cells.len();
        for code in codes {
            layout.list(*code, offset, &mut pattern.cells);
        }
        if codes.len() > 1 {
            // a person without a time and with an event in one group: the cells of one code lie around the other's
            pattern.cells[from..].sort_unstable();
        }
    }

    pub(super) fn patterns(self) -> Vec<UnitPattern> {
        self.patterns
    }
}

struct Splitting<'r> {
    partition: &'r mut Partition,
    layout: &'r Layout,
}

impl Taker for Splitting<'_> {
    fn wants(&self, _unit: usize) -> bool {
        true // units that are alone too: their cells are counted
    }

    fn take(&mut self, unit: usize, codes: &[u32]) {
        self.partition.split(unit, codes, self.layout);
    }
}

struct Adding<'r> {
    listing: &'r mut Listing,
    layout: &'r Layout,
    offset: u32,
}

impl Taker for Adding<'_> {
    fn wants(&self, unit: usize) -> bool {
        self.listing.pattern_of_unit[unit] != UNLISTED
    }

    fn take(&mut self, unit: usize, codes: &[u32]) {
        self.listing.add(unit, codes, self.layout, self.offset);
    }
}

/// A hash of one number: both halves of its product with a large odd constant. The keys are numbers of our own making.
#[derive(Default)]
struct Folded(u64);

impl Hasher for Folded {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u64(&mut self, number: u64) {
        let product = u128::from(self.0 ^ number) * 0x9e37_79b9_7f4a_7c15;
        self.0 = (product >> 64) as u64 ^ product as u64;
    }
}

//! Exact elimination of a sparse 0/1 matrix modulo a prime: a basis of its columns, in stages, and solves against that basis.
//!
//! The matrix has a row for each released cell and a column for each pattern. Most rows are *light*: going from the smallest
//! cells up, a column is found whose other ones lie in rows already used, so that these pivots form a triangle and cost nothing.
//! When no such column is left the row with most columns is set aside, as in the inactivation decoding of Raptor codes (Shokrollahi
//! & Luby 2009). The rows set aside are the *core*; only there is the elimination dense, by blocks of 64 columns. Columns that
//! depend on those already chosen are skipped by one product with two random vectors that all chosen columns are orthogonal to
//! (Freivalds 1979): a dependent column is never taken for independent, an independent one for dependent with probability about
//! 2^-62. The one other source of error is the prime itself: should 2^31 - 1 divide a minor that is not 0, a rank would come out
//! too small; for minors without relation to the prime that has probability about 2^-31 for each pivot.

use super::{
    Flat, NONE, Work,
    field::{PRIME, SplitMix64, fold, invert, multiply, narrow, negate, reduce},
    number,
};

/// Columns that are worked on side by side.
pub(crate) const LANES: usize = 64;
/// One number for each lane; at most `PRIME` between operations, `PRIME` standing for 0 too.
pub(crate) type Lanes = [u64; LANES];
pub(crate) const ZERO: Lanes = [0; LANES];

/// The work allowed does not suffice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLarge;

/// A basis of the columns of a matrix.
///
/// Columns come in stages; the pivots of the first stages together span all columns of these stages.
pub(crate) struct Elimination<'a> {
    columns: &'a Flat,
    rows: usize,
    /// Row and column of each pivot of the triangle: the column's other ones lie in earlier pivots' rows or in the core.
    light: Vec<(u32, u32)>,
    /// Rows of the core; the first `core_pivots.len()` hold the pivots, in their order.
    core: Vec<u32>,
    core_pivots: Vec<u32>,
    /// Opposite of the multipliers, a line of `core.len()` for each core row, in the order of `core`.
    lower: Vec<u32>,
    /// For each core pivot its column of the upper triangle, diagonal last.
    upper: Vec<Vec<u32>>,
}

impl<'a> Elimination<'a> {
    /// Eliminates `columns`, whose stages end at `stages` (ascending, the last one is the number of columns).
    pub(crate) fn new(columns: &'a Flat, rows: usize, stages: &[usize], work: &Work) -> Result<Self, TooLarge> {
        let (light, core) = triangle(columns, rows, stages);
        let size = core.len() as u64;
        if size * size * size / 3 + size * size * LANES as u64 > work.field_operations {
            return Err(TooLarge);
        }
        let lower = vec![0; core.len() * core.len()];
        let mut elimination = Self { columns, rows, light, core, core_pivots: Vec::new(), lower, upper: Vec::new() };
        elimination.eliminate_core();
        Ok(elimination)
    }

    /// All columns of the basis.
    pub(crate) fn pivots(&self) -> impl Iterator<Item = u32> {
        self.light.iter().map(|(_, column)| *column).chain(self.core_pivots.iter().copied())
    }

    /// The coefficients of right-hand sides in the column span, one lane each, by pivot in the order of `pivots`.
    ///
    /// `sides` has a line for each row. Lanes that lie outside the span give coefficients without meaning.
    pub(crate) fn solve(&self, mut sides: Vec<Lanes>) -> Vec<Lanes> {
        let mut reduced = sides.clone();
        self.clear_light(&mut reduced, None);
        let mut lanes: Vec<Lanes> = self.core.iter().map(|row| reduced[*row as usize]).collect();
        drop(reduced);
        self.forward(&mut lanes);
        lanes.truncate(self.core_pivots.len());
        for pivot in (0..lanes.len()).rev() {
            let line = &self.upper[pivot];
            let inverse = invert(u64::from(line[pivot]));
            let (before, at) = lanes.split_at_mut(pivot);
            for value in &mut at[0] {
                *value = multiply(reduce(*value), inverse);
            }
            for (target, factor) in before.iter_mut().zip(line) {
                add_multiple(target, negate(u64::from(*factor)), &at[0]);
            }
        }
        for (column, value) in self.core_pivots.iter().zip(&lanes) {
            for &row in self.columns.column(*column as usize) {
                subtract(&mut sides[row as usize], value);
            }
        }
        let mut coefficients = vec![ZERO; self.light.len()];
        self.clear_light(&mut sides, Some(&mut coefficients));
        coefficients.append(&mut lanes);
        coefficients
    }

    /// The combination of rows that has the given values at the pivots, in the order of `pivots`: a coefficient for each row.
    pub(crate) fn combination(&self, at_pivots: &[u64]) -> Vec<u64> {
        let (at_light, at_core) = at_pivots.split_at(self.light.len());
        let mut rows = vec![0; self.rows];
        self.extend_to_light(&mut rows, at_light);
        let rank = self.core_pivots.len();
        let mut partial: Vec<u64> = Vec::with_capacity(rank);
        for (pivot, (column, value)) in self.core_pivots.iter().zip(at_core).enumerate() {
            // core rows are still 0 in `rows`: this is what the light rows contribute
            let known: u64 = self.columns.column(*column as usize).iter().map(|row| rows[*row as usize]).sum();
            let line = &self.upper[pivot];
            let mut sum = reduce(value + negate(reduce(known)));
            for (earlier, factor) in partial.iter().zip(line) {
                sum = reduce(sum + negate(multiply(*earlier, u64::from(*factor))));
            }
            partial.push(multiply(sum, invert(u64::from(line[pivot]))));
        }
        let mut added = vec![0_u64; rank];
        for place in (0..rank).rev() {
            let value = reduce(partial[place] + added[place]);
            rows[self.core[place] as usize] = value;
            for (sum, factor) in added[..place].iter_mut().zip(&self.lower[place * self.core.len()..]) {
                *sum = fold(*sum + value * u64::from(*factor));
            }
        }
        self.extend_to_light(&mut rows, at_light);
        rows
    }

    /// Sets the coefficients of the light rows so that the light pivots get their values, given those of the core rows.
    fn extend_to_light(&self, rows: &mut [u64], at_light: &[u64]) {
        for ((row, column), value) in self.light.iter().zip(at_light) {
            rows[*row as usize] = 0;
            let others: u64 = self.columns.column(*column as usize).iter().map(|other| rows[*other as usize]).sum();
            rows[*row as usize] = reduce(value + negate(reduce(others)));
        }
    }

    /// Subtracts light pivots until all light rows are 0; keeps the coefficients where asked.
    fn clear_light(&self, sides: &mut [Lanes], mut coefficients: Option<&mut [Lanes]>) {
        for (pivot, (row, column)) in self.light.iter().enumerate().rev() {
            let value = sides[*row as usize];
            if value.iter().all(|value| *value == 0) {
                continue;
            }
            for &other in self.columns.column(*column as usize) {
                subtract(&mut sides[other as usize], &value);
            }
            if let Some(coefficients) = coefficients.as_deref_mut() {
                coefficients[pivot] = value.map(reduce);
            }
        }
    }

    fn eliminate_core(&mut self) {
        let mut random = SplitMix64(0x5eed_0002);
        let mut next = 0;
        let mut sides = vec![ZERO; self.rows];
        while self.core_pivots.len() < self.core.len() && next < self.columns.len() {
            let probe = self.null_vector(&mut random);
            let mut block: Vec<u32> = Vec::with_capacity(LANES);
            while block.len() < LANES && next < self.columns.len() {
                let (mut first, mut second) = (0, 0);
                for &row in self.columns.column(next) {
                    first += probe[row as usize].0;
                    second += probe[row as usize].1;
                }
                if reduce(first) != 0 || reduce(second) != 0 {
                    block.push(number(next));
                }
                next += 1;
            }
            if block.is_empty() {
                break;
            }
            sides.fill(ZERO);
            for (lane, column) in block.iter().enumerate() {
                for &row in self.columns.column(*column as usize) {
                    sides[row as usize][lane] = 1;
                }
            }
            self.clear_light(&mut sides, None);
            let mut lanes: Vec<Lanes> = self.core.iter().map(|row| sides[*row as usize]).collect();
            self.forward(&mut lanes);
            self.take_pivots(&block, &mut lanes);
        }
    }

    /// Two random vectors over the rows, among all those to which every column of the basis so far is orthogonal.
    pub(crate) fn null_vector(&self, random: &mut SplitMix64) -> Vec<(u64, u64)> {
        let (size, rank) = (self.core.len(), self.core_pivots.len());
        let mut rows: Vec<(u64, u64)> = (0..self.rows).map(|_| (random.residue(), random.residue())).collect();
        let mut sums = vec![(0_u64, 0_u64); rank];
        for place in (0..size).rev() {
            let value = match sums.get(place) {
                Some((first, second)) => (reduce(*first), reduce(*second)),
                None => rows[self.core[place] as usize],
            };
            rows[self.core[place] as usize] = value;
            let known = place.min(rank);
            for (sum, factor) in sums[..known].iter_mut().zip(&self.lower[place * size..]) {
                sum.0 = fold(sum.0 + value.0 * u64::from(*factor));
                sum.1 = fold(sum.1 + value.1 * u64::from(*factor));
            }
        }
        for (row, column) in &self.light {
            rows[*row as usize] = (0, 0);
            let (mut first, mut second) = (0, 0);
            for &other in self.columns.column(*column as usize) {
                first += rows[other as usize].0;
                second += rows[other as usize].1;
            }
            rows[*row as usize] = (negate(reduce(first)), negate(reduce(second)));
        }
        rows
    }

    /// Applies the multipliers so far to a block of columns over the core rows.
    fn forward(&self, lanes: &mut [Lanes]) {
        const STEP: usize = 32;
        let (size, rank) = (self.core.len(), self.core_pivots.len());
        for from in (0..rank).step_by(STEP) {
            let to = (from + STEP).min(rank);
            for place in from + 1..to {
                let (above, at) = lanes.split_at_mut(place);
                let factors = &self.lower[place * size + from..place * size + place];
                add_multiples(&mut at[0], factors, &above[from..]);
            }
            let (above, below) = lanes.split_at_mut(to);
            for (offset, target) in below.iter_mut().enumerate() {
                let line = (to + offset) * size;
                add_multiples(target, &self.lower[line + from..line + to], &above[from..to]);
            }
        }
    }

    /// Takes what is independent in a block that has gone through `forward` into the basis.
    fn take_pivots(&mut self, block: &[u32], lanes: &mut [Lanes]) {
        let size = self.core.len();
        for (lane, column) in block.iter().enumerate() {
            let rank = self.core_pivots.len();
            let Some(place) = (rank..size).find(|place| reduce(lanes[*place][lane]) != 0) else { continue };
            if place != rank {
                lanes.swap(rank, place);
                self.core.swap(rank, place);
                let (above, below) = self.lower.split_at_mut(place * size);
                above[rank * size..rank * size + rank].swap_with_slice(&mut below[..rank]);
            }
            let inverse = invert(lanes[rank][lane]);
            self.upper.push(lanes[..=rank].iter().map(|value| narrow(value[lane])).collect());
            self.core_pivots.push(*column);
            let (above, below) = lanes.split_at_mut(rank + 1);
            for (offset, target) in below.iter_mut().enumerate() {
                let value = reduce(target[lane]);
                if value != 0 {
                    let factor = negate(multiply(value, inverse));
                    self.lower[(rank + 1 + offset) * size + rank] = narrow(factor);
                    add_multiple(target, factor, &above[rank]);
                }
            }
        }
    }
}

/// Finds the light pivots, stage by stage, and the rows of the core.
///
/// In each stage only rows without a one in an earlier stage take part, so that earlier stages never meet a later pivot.
fn triangle(columns: &Flat, rows: usize, stages: &[usize]) -> (Vec<(u32, u32)>, Vec<u32>) {
    let (mut light, mut core) = (Vec::new(), Vec::new());
    let mut stage_of = vec![usize::MAX; rows];
    let mut from = 0;
    for (stage, &to) in stages.iter().enumerate() {
        let mut sizes = vec![0_usize; rows];
        for column in from..to {
            for &row in columns.column(column) {
                let row = row as usize;
                stage_of[row] = stage_of[row].min(stage);
                sizes[row] += usize::from(stage_of[row] == stage);
            }
        }
        // ones by row
        let mut starts = Vec::with_capacity(rows + 1);
        let mut total = 0;
        for size in &sizes {
            starts.push(total);
            total += size;
        }
        starts.push(total);
        let mut ends = starts.clone();
        let mut of_row = vec![0_u32; total];
        // per column: how many open rows, and the exclusive or of their numbers
        let mut open = vec![(0_u32, 0_u32); to - from];
        for column in from..to {
            for &row in columns.column(column) {
                if stage_of[row as usize] == stage {
                    of_row[ends[row as usize]] = number(column - from);
                    ends[row as usize] += 1;
                    open[column - from].0 += 1;
                    open[column - from].1 ^= row;
                }
            }
        }
        let mut by_size: Vec<u32> = (0..rows).filter(|row| sizes[*row] > 0).map(number).collect();
        by_size.sort_by_key(|row| sizes[*row as usize]);
        let mut single: Vec<u32> = (0..open.len()).rev().filter(|column| open[*column].0 == 1).map(number).collect();
        let mut closed = vec![false; rows];
        loop {
            let row = if let Some(column) = single.pop() {
                let (count, row) = open[column as usize];
                if count != 1 {
                    continue;
                }
                light.push((row, number(from) + column));
                row
            } else {
                // the largest row still open goes to the core
                while by_size.last().is_some_and(|row| closed[*row as usize]) {
                    by_size.pop();
                }
                let Some(row) = by_size.pop() else { break };
                core.push(row);
                row
            };
            closed[row as usize] = true;
            for &column in &of_row[starts[row as usize]..starts[row as usize + 1]] {
                let state = &mut open[column as usize];
                state.0 -= 1;
                state.1 ^= row;
                if state.0 == 1 {
                    single.push(column);
                }
            }
        }
        from = to;
    }
    debug_assert!(light.iter().all(|(row, column)| *row != NONE && *column != NONE));
    (light, core)
}

#[inline(always)]
fn subtract(target: &mut Lanes, value: &Lanes) {
    for lane in 0..LANES {
        target[lane] = fold(target[lane] + PRIME - value[lane]);
    }
}

#[inline(always)]
fn add_multiple(target: &mut Lanes, factor: u64, value: &Lanes) {
    for lane in 0..LANES {
        let product = (factor & 0xffff_ffff) * (value[lane] & 0xffff_ffff);
        target[lane] = fold(fold(fold(target[lane] + product)));
    }
}

/// Adds the sum of `factors[i] * values[i]`, four products between two folds.
#[inline(always)]
fn add_multiples(target: &mut Lanes, factors: &[u32], values: &[Lanes]) {
    let product = |factor: u32, value: u64| u64::from(factor) * (value & 0xffff_ffff);
    let mut fours = factors.chunks_exact(4);
    let mut lines = values.chunks_exact(4);
    for (factor, line) in (&mut fours).zip(&mut lines) {
        for lane in 0..LANES {
            let sum = target[lane]
                + product(factor[0], line[0][lane])
                + product(factor[1], line[1][lane])
                + product(factor[2], line[2][lane])
                + product(factor[3], line[3][lane]);
            target[lane] = fold(sum);
        }
    }
    for (factor, line) in fours.remainder().iter().zip(lines.remainder()) {
        for lane in 0..LANES {
            target[lane] = fold(target[lane] + product(*factor, line[lane]));
        }
    }
    for value in target.iter_mut() {
        *value = fold(fold(*value));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn every_column_is_spanned_and_pivots_take_any_value(
            columns in prop::collection::vec(prop::collection::btree_set(0..12_u32, 1..6), 1..40), cut in 0..40_usize
        ) {
            let mut flat = Flat::default();
            for column in &columns {
                flat.push(&column.iter().copied().collect::<Vec<_>>(), 1, 1);
            }
            let stages = [cut.min(columns.len()), columns.len()];
            let elimination = Elimination::new(&flat, 12, &stages, &Work::default()).unwrap();
            let pivots: Vec<u32> = elimination.pivots().collect();
            for column in 0..flat.len() {
                let mut sides = vec![ZERO; 12];
                flat.column(column).iter().for_each(|row| sides[*row as usize][7] = 1);
                let mut rest = sides.clone();
                let coefficients = elimination.solve(sides);
                for (pivot, value) in pivots.iter().zip(&coefficients) {
                    if column < stages[0] && *pivot as usize >= stages[0] {
                        prop_assert_eq!(reduce(value[7]), 0);
                    }
                    for &row in flat.column(*pivot as usize) {
                        let left = rest[row as usize][7];
                        rest[row as usize][7] = reduce(left + negate(reduce(value[7])));
                    }
                }
                prop_assert!(rest.iter().all(|row| row[7] == 0));
            }
            let wanted: Vec<u64> = (1..=pivots.len() as u64).collect();
            let combination = elimination.combination(&wanted);
            for (pivot, value) in pivots.iter().zip(wanted) {
                let sum: u64 = flat.column(*pivot as usize).iter().map(|row| combination[*row as usize]).sum();
                prop_assert_eq!(reduce(sum), value);
            }
        }
    }
}

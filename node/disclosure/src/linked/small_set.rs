//! Finds all sets of few units whose number follows from the released rows: 0/1 vectors of small weight in a row space.
//!
//! Let `J` be a basis of the columns that takes large patterns first. A vector `v` of the row space is fixed by its values on `J`,
//! and a wanted one is 0 on every large pattern. So it is given by a set `D` of small pivots with at most `t - 1` units, and
//! outside `J` it is 1 on at most `t - 1 - |D|` patterns. Cut the patterns outside `J` into `t - |D|` groups: in one of them `v` is
//! 0 throughout. Each small pivot gets, for each group, a random linear hash of its row of the reduced row echelon form over the
//! group; these hashes are solves against the basis, the echelon form itself is never made. Then the hashes of `D` add up to 0 in
//! that group, and all such sets are found by meeting in the middle over halves of `D`. Every candidate is then checked on all
//! patterns, so a reported set is one; a set cannot be missed, since hashes of a true one always add up to 0.
//!
//! Where `J` is too large for that, only sets with one or two pivots are sought so. Any other has at least three, hence at most
//! `t - 4` patterns outside `J`, and misses one of `t - 3` parts of them entirely. So for each part the search starts again with
//! all its patterns known to be outside the set. Few combinations of rows vanish on a whole part, so that little remains.

use std::{collections::HashSet, ops::RangeInclusive};

use super::{
    Flat, NONE, Work,
    elimination::{Elimination, LANES, TooLarge, ZERO},
    field::{SplitMix64, negate, reduce},
    number,
};

/// Groups that are hashed apart, with two residues each.
const GROUPS: usize = LANES / 2;
/// Greatest size of half a set.
const HALF: usize = 8;
/// Steps up to which a search is not worth dividing.
const AT_ONCE: u64 = 1_000_000;
/// Greatest number of half sets that may wait for their other half, and of patterns in a search over phantoms.
const WAITING: usize = 4_000_000;

/// Patterns over released rows, ordered by stage: large ones, small ones, phantoms.
pub(crate) struct Staged {
    flat: Flat,
    /// Where the stages end.
    stages: [usize; 3],
    rows: usize,
    /// The number here of each pattern given.
    place: Vec<u32>,
}

/// A combination of rows that counts few units, each once.
pub(crate) struct SmallSet {
    /// Coefficients by row.
    pub(crate) rows: Vec<u64>,
    /// How many units it counts.
    pub(crate) units: u64,
}

impl Staged {
    /// Orders merged patterns; those of `least` units and more are large.
    pub(crate) fn new(flat: &Flat, rows: usize, least: u64) -> Self {
        let stage = |units: u64| {
            if units >= least.max(1) {
                0
            } else if units > 0 {
                1
            } else {
                2_u8
            }
        };
        // many units first: the search then has fewer sets of pivots to look at; sparse columns first: less to eliminate
        let mut order: Vec<(u8, u64, u32, u32)> = (0..flat.len())
            .map(|column| {
                let units = flat.units[column];
                let stage = stage(units);
                let rank = if stage == 1 { u64::MAX - units } else { 0 };
                (stage, rank, number(flat.column(column).len()), number(column))
            })
            .collect();
        order.sort_unstable();
        let mut sorted = Flat::default();
        let mut place = vec![NONE; flat.len()];
        let mut stages = [0; 3];
        for (stage, _, _, column) in order {
            let old = column as usize;
            place[old] = number(sorted.len());
            sorted.push(flat.column(old), flat.units[old], flat.members[old]);
            stages[usize::from(stage)] = sorted.len();
        }
        stages[1] = stages[1].max(stages[0]);
        stages[2] = stages[2].max(stages[1]);
        Self { flat: sorted, stages, rows, place }
    }

    pub(crate) fn eliminate(&self, work: &Work) -> Result<Elimination<'_>, TooLarge> {
        Elimination::new(&self.flat, self.rows, &self.stages, work)
    }

    /// Small sets of 1 to `least - 1` units, those with few pivots first; at most `most`, and no more of them than are met on the
    /// way to the first. None only if there is none.
    pub(crate) fn small_sets(
        &self,
        basis: &Elimination,
        least: u64,
        work: &Work,
        most: usize,
    ) -> Result<Vec<SmallSet>, TooLarge> {
        self.small_sets_at(basis, least, work, most, AT_ONCE)
    }

    fn small_sets_at(
        &self,
        basis: &Elimination,
        least: u64,
        work: &Work,
        most: usize,
        at_once: u64,
    ) -> Result<Vec<SmallSet>, TooLarge> {
        let mut finds = Finds {
            root: self,
            basis,
            pivots: basis.pivots().collect(),
            most,
            at_once,
            sets: Vec::new(),
            supports: HashSet::new(),
        };
        if least >= 2 {
            let mut steps = work.search_steps;
            self.search(basis, least - 1, work, &mut steps, &mut finds)?;
        }
        Ok(finds.sets)
    }

    /// Searches for sets of at most `most_units` units; `steps` is what may still be spent.
    fn search(
        &self,
        basis: &Elimination,
        most_units: u64,
        work: &Work,
        steps: &mut u64,
        finds: &mut Finds,
    ) -> Result<(), TooLarge> {
        let pivots: Vec<u32> = basis.pivots().collect();
        let mut elements = self.elements(&pivots);
        if elements.is_empty() {
            return Ok(());
        }
        let hashes = self.hashes(basis, &pivots);
        let most_elements = usize::try_from(most_units).map_err(|_| TooLarge)?.min(elements.len());
        let weights: Vec<u64> = elements.iter().map(|element| element.weight).collect();
        let cost = |sizes: RangeInclusive<usize>| {
            sizes.map(|size| meeting_cost(&weights, size, most_units)).fold(0, u64::saturating_add)
        };
        let mut spend = |cost: u64| {
            *steps = steps.checked_sub(cost).ok_or(TooLarge)?;
            Ok(())
        };
        let few = most_elements.min(2);
        spend(cost(1..=few))?;
        let rest = cost(few + 1..=most_elements);
        let mut search = Search {
            staged: self,
            basis,
            pivots: &pivots,
            hashes: &hashes,
            most_units,
            finds,
            found: Vec::new(),
            seen: HashSet::new(),
        };
        search.sets_of(&mut elements, 1..=few)?;
        if most_elements == few || !search.finds.sets.is_empty() {
            return Ok(());
        }
        let mut parted = Vec::new();
        if rest > search.finds.at_once {
            // worth it only if every part leaves clearly less to do; both questions have the same rank
            let parts = most_units.saturating_sub(2);
            for part in 0..parts {
                parted.push(self.without(&pivots, part, parts, work)?);
                if parted.iter().any(|less| (pivots.len() - less.stages[0]) * 4 > elements.len() * 3) {
                    parted.clear();
                    break;
                }
            }
        }
        if parted.is_empty() {
            spend(rest)?;
            return search.sets_of(&mut elements, few + 1..=most_elements);
        }
        for less in parted {
            let basis = less.eliminate(work)?;
            less.search(&basis, most_units, work, steps, finds)?;
            if !finds.sets.is_empty() {
                break;
            }
        }
        Ok(())
    }

    /// The small pivots, lightest first.
    fn elements(&self, pivots: &[u32]) -> Vec<Element> {
        let mut elements: Vec<Element> = (0..pivots.len())
            .filter(|pivot| (self.stages[0]..self.stages[1]).contains(&(pivots[*pivot] as usize)))
            .map(|pivot| Element { pivot, weight: self.flat.units[pivots[pivot] as usize], key: (0, 0) })
            .collect();
        elements.sort_by_key(|element| element.weight);
        elements
    }

    /// The same question, but for phantoms, for sets that miss one of `parts` parts of the small patterns outside the basis.
    fn without(&self, pivots: &[u32], part: u64, parts: u64, work: &Work) -> Result<Self, TooLarge> {
        let mut random = SplitMix64(0x5eed_0005);
        let mut is_pivot = vec![false; self.flat.len()];
        pivots.iter().for_each(|pivot| is_pivot[*pivot as usize] = true);
        // some patterns of a part do as well as all, as long as they are many more than the rows
        let small = (self.stages[1] - self.stages[0]) as u64;
        let cut = parts.max(small / (24 * self.rows.max(1) as u64));
        let missed: Vec<bool> = (0..self.flat.len())
            .map(|column| match column {
                // the pivots span all large patterns
                column if column < self.stages[0] => is_pivot[column],
                column if column < self.stages[1] => random.next() % cut == part && !is_pivot[column],
                _ => false,
            })
            .collect();
        let mut zero = Flat::default();
        for column in (0..self.flat.len()).filter(|column| missed[*column]) {
            zero.push(self.flat.column(column), 1, 1);
        }
        let basis = Elimination::new(&zero, self.rows, &[zero.len()], work)?;
        let mut flat = Flat::default();
        for pivot in basis.pivots() {
            flat.push(zero.column(pivot as usize), u64::MAX, 1);
        }
        let mut stages = [flat.len(); 3];
        // a pattern that depends on the part is outside the set too
        let probe = basis.null_vector(&mut random);
        for column in (self.stages[0]..self.stages[1]).filter(|column| !missed[*column]) {
            if !orthogonal(&probe, self.flat.column(column)) {
                flat.push(self.flat.column(column), self.flat.units[column], 1);
            }
        }
        stages[1] = flat.len();
        stages[2] = flat.len();
        Ok(Self { flat, stages, rows: self.rows, place: Vec::new() })
    }

    /// The combination of rows that is 1 on exactly the given patterns, all of them empty, if there is one.
    ///
    /// `cells` lists, for each question, the patterns by the numbers given to `new`. Answers `None` where there is no such
    /// combination.
    pub(crate) fn empty_sets(&self, basis: &Elimination, questions: &[Vec<u32>]) -> Vec<Option<Vec<u64>>> {
        let pivots: Vec<u32> = basis.pivots().collect();
        let mut is_pivot = vec![false; self.flat.len()];
        pivots.iter().for_each(|pivot| is_pivot[*pivot as usize] = true);
        // a random vector to which all rows are orthogonal
        let mut random = SplitMix64(0x5eed_0003);
        let mut kernel = vec![(0, 0); self.flat.len()];
        let mut sides = vec![ZERO; self.rows];
        for column in self.stages[1]..self.stages[2] {
            if !is_pivot[column] {
                let value = (random.residue(), random.residue());
                kernel[column] = value;
                for &row in self.flat.column(column) {
                    let side = &mut sides[row as usize];
                    side[0] = reduce(side[0] + value.0);
                    side[1] = reduce(side[1] + value.1);
                }
            }
        }
        for (pivot, value) in pivots.iter().zip(basis.solve(sides)) {
            kernel[*pivot as usize] = (negate(reduce(value[0])), negate(reduce(value[1])));
        }
        let answer = |question: &Vec<u32>| {
            let wanted: HashSet<u32> = question.iter().map(|pattern| self.place[*pattern as usize]).collect();
            let product = wanted.iter().fold((0, 0), |sum, column| {
                let value = kernel[*column as usize];
                (reduce(sum.0 + value.0), reduce(sum.1 + value.1))
            });
            if product != (0, 0) {
                return None;
            }
            let values: Vec<u64> = pivots.iter().map(|pivot| u64::from(wanted.contains(pivot))).collect();
            let rows = basis.combination(&values);
            let exact = (0..self.flat.len())
                .all(|column| self.value(&rows, column) == u64::from(wanted.contains(&number(column))));
            exact.then_some(rows)
        };
        questions.iter().map(answer).collect()
    }

    /// How many patterns given were merged into a pattern, by the numbers given to `new`.
    pub(crate) fn members(&self, pattern: u32) -> u32 {
        self.flat.members[self.place[pattern as usize] as usize]
    }

    /// The value of a combination of rows at a column.
    fn value(&self, rows: &[u64], column: usize) -> u64 {
        reduce(self.flat.column(column).iter().map(|row| rows[*row as usize]).sum())
    }

    /// Hashes of the pivots' rows over the groups of small patterns outside the basis, by pivot.
    fn hashes(&self, basis: &Elimination, pivots: &[u32]) -> Vec<[u64; LANES]> {
        let mut is_pivot = vec![false; self.flat.len()];
        pivots.iter().for_each(|pivot| is_pivot[*pivot as usize] = true);
        let mut random = SplitMix64(0x5eed_0004);
        let mut sides = vec![ZERO; self.rows];
        for column in (self.stages[0]..self.stages[1]).filter(|column| !is_pivot[*column]) {
            let lane = 2 * (random.next() as usize % GROUPS);
            let value = (random.residue(), random.residue());
            for &row in self.flat.column(column) {
                // up to 2^32 patterns of residues below 2^31 fit
                sides[row as usize][lane] += value.0;
                sides[row as usize][lane + 1] += value.1;
            }
        }
        for side in &mut sides {
            *side = side.map(reduce);
        }
        let mut hashes = basis.solve(sides);
        hashes.iter_mut().for_each(|hash| *hash = hash.map(reduce));
        hashes
    }
}

/// A small pivot, with its hash over the group at hand.
struct Element {
    pivot: usize,
    weight: u64,
    key: (u64, u64),
}

type Half = [u32; HALF];

/// Sets found, checked on all patterns of the question first asked.
struct Finds<'a> {
    root: &'a Staged,
    basis: &'a Elimination<'a>,
    pivots: Vec<u32>,
    most: usize,
    at_once: u64,
    sets: Vec<SmallSet>,
    supports: HashSet<Vec<u32>>,
}

impl Finds<'_> {
    fn full(&self) -> bool {
        self.sets.len() >= self.most
    }

    /// Whether the real patterns that a combination of rows counts are a small set; keeps it if it is new.
    fn settle(&mut self, rows: &[u64], most_units: u64) -> Result<bool, TooLarge> {
        let (root, small) = (self.root, self.root.stages[1]);
        let mut wanted: Vec<u64> = Vec::with_capacity(self.pivots.len());
        for &pivot in &self.pivots {
            // what it says of phantoms is decided below
            let value = if (pivot as usize) < small { root.value(rows, pivot as usize) } else { 0 };
            if value > 1 {
                return Ok(false);
            }
            wanted.push(value);
        }
        let rows = self.basis.combination(&wanted);
        let values: Vec<u64> = (small..root.stages[2]).map(|column| root.value(&rows, column)).collect();
        if values.iter().all(|value| *value <= 1) {
            return Ok(self.keep(rows, most_units));
        }
        // combinations that vanish on all real patterns may mend the phantoms
        let free: Vec<usize> = (0..self.pivots.len()).filter(|pivot| self.pivots[*pivot] as usize >= small).collect();
        if free.len().saturating_mul(values.len()) > WAITING {
            return Err(TooLarge);
        }
        let line = |pivot: &usize| {
            let mut alone = vec![0; self.pivots.len()];
            alone[*pivot] = 1;
            let rows = self.basis.combination(&alone);
            (small..root.stages[2]).map(|column| root.value(&rows, column)).collect()
        };
        let lines: Vec<Vec<u64>> = free.iter().map(line).collect();
        let mut taken = vec![None; lines.len()];
        if !mend(&values, &lines, &mut taken, &mut 100_000)? {
            return Ok(false);
        }
        for (pivot, taken) in free.iter().zip(taken) {
            wanted[*pivot] = u64::from(taken == Some(true));
        }
        let rows = self.basis.combination(&wanted);
        Ok(self.keep(rows, most_units))
    }

    /// Whether the combination of rows is a small set; keeps it if it is new.
    fn keep(&mut self, rows: Vec<u64>, most_units: u64) -> bool {
        let (mut support, mut units) = (Vec::new(), 0_u64);
        for column in 0..self.root.flat.len() {
            match self.root.value(&rows, column) {
                0 => {}
                1 => {
                    units = units.saturating_add(self.root.flat.units[column]);
                    support.push(number(column));
                }
                _ => return false,
            }
        }
        let small = (1..=most_units).contains(&units);
        if small && self.supports.insert(support) {
            self.sets.push(SmallSet { rows, units });
        }
        small
    }
}

struct Search<'a, 'b> {
    staged: &'a Staged,
    basis: &'a Elimination<'a>,
    pivots: &'a [u32],
    hashes: &'a [[u64; LANES]],
    most_units: u64,
    finds: &'a mut Finds<'b>,
    /// Pivots, as places in `pivots`, of each find.
    found: Vec<Vec<usize>>,
    seen: HashSet<Vec<usize>>,
}

impl Search<'_, '_> {
    /// Finds the sets with so many pivots.
    fn sets_of(&mut self, elements: &mut [Element], sizes: RangeInclusive<usize>) -> Result<(), TooLarge> {
        for size in sizes {
            if self.finds.full() || elements[..size].iter().map(|element| element.weight).sum::<u64>() > self.most_units
            {
                break;
            }
            self.sets_of_size(elements, size)?;
        }
        Ok(())
    }

    fn sets_of_size(&mut self, elements: &mut [Element], size: usize) -> Result<(), TooLarge> {
        let groups = group_count(size, self.most_units).ok_or(TooLarge)?;
        for group in 0..groups {
            for element in elements.iter_mut() {
                let line = &self.hashes[element.pivot];
                let part = |lane: usize| (group..GROUPS).step_by(groups).map(|base| line[2 * base + lane]).sum();
                element.key = (reduce(part(0)), reduce(part(1)));
            }
            self.meet(elements, size.div_ceil(2), size / 2)?;
            if self.finds.full() {
                break;
            }
        }
        Ok(())
    }

    /// Finds the sets of `left + right` elements whose keys add up to 0.
    fn meet(&mut self, elements: &[Element], left: usize, right: usize) -> Result<(), TooLarge> {
        // the left halves whose key may be the opposite of a right half's
        let weights: Vec<u64> = elements.iter().map(|element| element.weight).collect();
        let mut rights = Sieve::new(subset_count(&weights, right, self.most_units));
        subsets(elements, right, self.most_units, &mut |_, key, _| {
            rights.insert(pack((negate(key.0), negate(key.1))));
            true
        });
        let mut waiting: Vec<(u64, u64, Half)> = Vec::new();
        let fits = subsets(elements, left, self.most_units, &mut |half, key, weight| {
            let key = pack(key);
            if rights.contains(key) {
                waiting.push((key, weight, *half));
            }
            waiting.len() <= WAITING
        });
        if !fits {
            return Err(TooLarge);
        }
        waiting.sort_unstable();
        let mut lefts = Sieve::new(waiting.len() as u64);
        waiting.iter().for_each(|(key, ..)| lefts.insert(*key));
        let mut outcome = Ok(());
        let mut candidates = 0_usize;
        subsets(elements, right, self.most_units, &mut |half, key, weight| {
            let key = pack((negate(key.0), negate(key.1)));
            if !lefts.contains(key) {
                return true;
            }
            let from = waiting.partition_point(|(other, ..)| *other < key);
            for (_, other_weight, other) in waiting[from..].iter().take_while(|(other, ..)| *other == key) {
                candidates += 1;
                if candidates > 20 * WAITING {
                    outcome = Err(TooLarge);
                    return false;
                }
                let weight = weight + other_weight;
                if weight > self.most_units {
                    continue;
                }
                if let Err(error) = self.judge(elements, half, other, weight, left + right) {
                    outcome = Err(error);
                    return false;
                }
                if self.finds.full() {
                    return false;
                }
            }
            true
        });
        outcome
    }

    /// Checks a candidate, first by all hashes, then on every pattern.
    fn judge(
        &mut self,
        elements: &[Element],
        half: &Half,
        other: &Half,
        weight: u64,
        size: usize,
    ) -> Result<(), TooLarge> {
        let both = half.iter().chain(other).filter(|element| **element != NONE);
        let mut set: Vec<usize> = both.map(|element| elements[*element as usize].pivot).collect();
        let outside = (0..GROUPS).filter(|group| {
            let sum = |lane: usize| reduce(set.iter().map(|pivot| self.hashes[*pivot][lane]).sum());
            sum(2 * group) != 0 || sum(2 * group + 1) != 0
        });
        if outside.count() as u64 > self.most_units - weight {
            return Ok(());
        }
        set.sort_unstable();
        set.dedup();
        if set.len() != size || self.seen.contains(&set) {
            return Ok(());
        }
        if self.found.iter().any(|smaller| smaller.iter().all(|pivot| set.binary_search(pivot).is_ok())) {
            return Ok(());
        }
        if self.seen.len() > 20_000 {
            return Err(TooLarge);
        }
        self.seen.insert(set.clone());
        let mut wanted = vec![0; self.pivots.len()];
        set.iter().for_each(|pivot| wanted[*pivot] = 1);
        let rows = self.basis.combination(&wanted);
        // a cheap look here before a full one at all patterns
        let plausible = (0..self.staged.stages[1]).all(|column| self.staged.value(&rows, column) <= 1);
        if plausible && self.finds.settle(&rows, self.most_units)? {
            self.found.push(set);
        }
        Ok(())
    }
}

/// Chooses lines to add so that all values become 0 or 1; branches on the worst column over the lines that touch it.
fn mend(values: &[u64], lines: &[Vec<u64>], taken: &mut [Option<bool>], steps: &mut u32) -> Result<bool, TooLarge> {
    *steps = steps.checked_sub(1).ok_or(TooLarge)?;
    let open = |column: usize, taken: &[Option<bool>]| -> Vec<usize> {
        (0..lines.len()).filter(|line| taken[*line].is_none() && lines[*line][column] != 0).collect()
    };
    let worst =
        (0..values.len()).filter(|column| values[*column] > 1).map(|column| open(column, taken)).min_by_key(Vec::len);
    let Some(choices) = worst else {
        return Ok(true);
    };
    let Some(&line) = choices.first() else {
        return Ok(false);
    };
    for choice in [true, false] {
        taken[line] = Some(choice);
        let next: Vec<u64> = if choice {
            values.iter().zip(&lines[line]).map(|(value, add)| reduce(value + add)).collect()
        } else {
            values.to_vec()
        };
        if mend(&next, lines, taken, steps)? {
            return Ok(true);
        }
    }
    taken[line] = None;
    Ok(false)
}

/// Calls `each` with every set of `size` elements of at most `most` units together, its key and units, until it says stop.
///
/// `elements` are in order of weight. Answers false where it was stopped.
fn subsets(
    elements: &[Element],
    size: usize,
    most: u64,
    each: &mut impl FnMut(&Half, (u64, u64), u64) -> bool,
) -> bool {
    fn extend(
        elements: &[Element],
        (from, depth, size): (usize, usize, usize),
        (key, weight, most): ((u64, u64), u64, u64),
        half: &mut Half,
        each: &mut impl FnMut(&Half, (u64, u64), u64) -> bool,
    ) -> bool {
        if depth == size {
            return each(half, key, weight);
        }
        for (at, element) in elements.iter().enumerate().skip(from) {
            let weight = weight + element.weight;
            if weight > most {
                break;
            }
            half[depth] = number(at);
            let key = (reduce(key.0 + element.key.0), reduce(key.1 + element.key.1));
            let go_on = if depth + 1 == size {
                each(half, key, weight)
            } else {
                extend(elements, (at + 1, depth + 1, size), (key, weight, most), half, each)
            };
            if !go_on {
                return false;
            }
        }
        half[depth] = NONE;
        true
    }
    extend(elements, (0, 0, size), ((0, 0), 0, most), &mut [NONE; HALF], each)
}

/// Into how many groups the patterns outside the basis are cut for sets with `size` pivots.
fn group_count(size: usize, most_units: u64) -> Option<usize> {
    let groups = usize::try_from(most_units).ok()? + 1 - size;
    (size.div_ceil(2) <= HALF && groups <= GROUPS).then_some(groups)
}

/// Steps of the search for sets with `size` pivots.
fn meeting_cost(weights: &[u64], size: usize, most_units: u64) -> u64 {
    let Some(groups) = group_count(size, most_units) else { return u64::MAX };
    let right = subset_count(weights, size / 2, most_units).saturating_mul(2);
    subset_count(weights, size.div_ceil(2), most_units).saturating_add(right).saturating_mul(groups as u64)
}

/// Whether a column is orthogonal to both of two random vectors.
fn orthogonal(probe: &[(u64, u64)], column: &[u32]) -> bool {
    let sum = column.iter().fold((0, 0), |sum, row| {
        let value = probe[*row as usize];
        (sum.0 + value.0, sum.1 + value.1)
    });
    reduce(sum.0) == 0 && reduce(sum.1) == 0
}

/// How many sets `subsets` goes through.
fn subset_count(weights: &[u64], size: usize, most: u64) -> u64 {
    let most = usize::try_from(most).unwrap_or(0);
    let mut counts = vec![vec![0_u64; most + 1]; size + 1];
    counts[0][0] = 1;
    for weight in weights {
        let Ok(weight) = usize::try_from(*weight) else { continue };
        for taken in (1..=size).rev() {
            for units in (weight..=most).rev() {
                counts[taken][units] = counts[taken][units].saturating_add(counts[taken - 1][units - weight]);
            }
        }
    }
    counts[size].iter().fold(0, |sum, count| sum.saturating_add(*count))
}

fn pack(key: (u64, u64)) -> u64 {
    (key.0 << 32) | key.1
}

/// A set of keys with false members (a Bloom filter with one bit a key), about one in 16.
struct Sieve {
    bits: Vec<u64>,
    shift: u32,
}

impl Sieve {
    fn new(keys: u64) -> Self {
        let bits = keys.saturating_mul(16).clamp(1 << 10, 1 << 30).next_power_of_two();
        Self { bits: vec![0; usize::try_from(bits / 64).unwrap_or(16)], shift: 64 - bits.trailing_zeros() }
    }

    fn at(&self, key: u64) -> (usize, u64) {
        let hash = key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> self.shift;
        ((hash >> 6) as usize, 1 << (hash & 63))
    }

    fn insert(&mut self, key: u64) {
        let (word, bit) = self.at(key);
        self.bits[word] |= bit;
    }

    fn contains(&self, key: u64) -> bool {
        let (word, bit) = self.at(key);
        self.bits[word] & bit != 0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn dividing_the_search_finds_what_searching_at_once_finds(
            columns in prop::collection::vec((prop::collection::btree_set(0..14_u32, 2..7), prop_oneof![1..2_u64, 0..4_u64]), 10..40), least in 4..8_u64
        ) {
            let mut flat = Flat::default();
            for (column, units) in &columns {
                flat.push(&column.iter().copied().collect::<Vec<_>>(), *units, 1);
            }
            let rows: Vec<u32> = (0..14).collect();
            let staged = Staged::new(&flat.restrict(&rows).0, 14, least);
            let basis = staged.eliminate(&Work::default()).unwrap();
            let found = |at_once| staged.small_sets_at(&basis, least, &Work::default(), 1, at_once).map(|sets| sets.len());
            prop_assert_eq!(found(0), found(u64::MAX));
        }
    }
}

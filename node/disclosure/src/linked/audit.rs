//! The exact audit: does what is released, taken together, single out fewer units than the least set?

use super::{
    Flat, Least, Linked, NONE, Protects, Work,
    elimination::TooLarge,
    number,
    small_set::{SmallSet, Staged},
};

/// What the audit of a set of released cells found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// No small set and no hidden zero follows from the released cells.
    Safe,
    /// One does; this is how.
    Determined(Determined),
    /// Not judged within the bounds on work, or a cell number is unknown. The caller refuses: it must not be taken for safe.
    TooLarge,
}

/// A set of units whose number follows from released cells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Determined {
    /// The released cells that give it away by adding and subtracting, ascending.
    pub cells: Vec<u32>,
    /// How many units are in the set; 0 for a hidden cell that is shown to be empty.
    pub units: u64,
    /// The hidden cell that is shown to be empty.
    pub empty: Option<u32>,
}

/// More than one pass can judge within the bounds on work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the tables are too large for an exact audit, or a cell number is unknown; link fewer tables or raise the bounds on work"
)]
pub struct NotJudged;

/// Judges whether the released cells, together, are safe.
///
/// Three rules. No set of 1 to `least.persons - 1` units follows from the released cells of persons. No set of 1 to
/// `least.events - 1` units follows from all released cells. No hidden cell without units is shown to be empty (a hidden cell
/// that no pattern could lie in is no secret). A set follows where the 0/1 vector of its patterns is a combination of released
/// cells. Hidden cells of the least number of units or more may follow.
///
/// Exact but for arithmetic modulo 2^31 - 1, see the module on elimination; a reported set was checked on every pattern.
#[must_use]
pub fn audit(linked: &Linked, released: &[u32], hidden: &[u32], least: Least, work: &Work) -> Verdict {
    match find(linked, linked.flat(), released, hidden, least, work, 1) {
        Ok(mut found) => found.pop().map_or(Verdict::Safe, Verdict::Determined),
        Err(NotJudged) => Verdict::TooLarge,
    }
}

/// As `audit`, but reports every set that one pass comes across, at most 512 for each rule; none where it is safe.
///
/// # Errors
/// Where the work would go beyond its bounds, or a cell is unknown.
pub fn audit_all(
    linked: &Linked,
    released: &[u32],
    hidden: &[u32],
    least: Least,
    work: &Work,
) -> Result<Vec<Determined>, NotJudged> {
    find(linked, linked.flat(), released, hidden, least, work, 512)
}

/// `flat` holds the patterns, or what `Flat::restrict` leaves of them where no cell is `hidden`; at most `most` for each rule.
pub(crate) fn find(
    linked: &Linked,
    flat: &Flat,
    released: &[u32],
    hidden: &[u32],
    least: Least,
    work: &Work,
    most: usize,
) -> Result<Vec<Determined>, NotJudged> {
    let cells = linked.cells();
    let known = released.iter().chain(hidden).all(|cell| (*cell as usize) < cells.len());
    if !known || released.len() > work.cells || linked.pattern_count() > work.patterns {
        return Err(NotJudged);
    }
    let mut all = released.to_vec();
    all.sort_unstable();
    all.dedup();
    let is_person = |cell: &u32| cells[*cell as usize].protects == Protects::Persons;
    let persons: Vec<u32> = all.iter().copied().filter(is_person).collect();
    let mut found = Vec::new();
    if persons.len() < all.len() {
        found = pass(linked, flat, &persons, &[], least.persons, work, most)?;
        if found.len() >= most {
            return Ok(found);
        }
        found.extend(pass(linked, flat, &all, hidden, least.events, work, most)?);
    } else {
        found.extend(pass(linked, flat, &all, hidden, least.persons, work, most)?);
    }
    Ok(found)
}

/// One elimination: small sets below `least`, and hidden zeros.
fn pass(
    linked: &Linked,
    flat: &Flat,
    released: &[u32],
    hidden: &[u32],
    least: u64,
    work: &Work,
    most: usize,
) -> Result<Vec<Determined>, NotJudged> {
    let mut row_of = vec![NONE; linked.cells().len()];
    for (row, &cell) in released.iter().enumerate() {
        row_of[cell as usize] = number(row);
    }
    let (merged, column_of) = flat.restrict(&row_of);
    let staged = Staged::new(&merged, released.len(), least);
    let basis = staged.eliminate(work).map_err(|TooLarge| NotJudged)?;
    let participants = |rows: &[u64]| -> Vec<u32> {
        released.iter().zip(rows).filter(|(_, value)| **value != 0).map(|(cell, _)| *cell).collect()
    };
    let small = staged.small_sets(&basis, least, work, most).map_err(|TooLarge| NotJudged)?;
    let mut found: Vec<Determined> = small
        .iter()
        .map(|SmallSet { rows, units }| Determined { cells: participants(rows), units: *units, empty: None })
        .collect();
    let (asked, questions): (Vec<u32>, Vec<Vec<u32>>) =
        empty_cells(linked, hidden, &column_of, &staged).into_iter().unzip();
    if found.len() < most && !questions.is_empty() {
        for (cell, rows) in asked.into_iter().zip(staged.empty_sets(&basis, &questions)) {
            let determined = |rows: Vec<u64>| Determined { cells: participants(&rows), units: 0, empty: Some(cell) };
            found.extend(rows.map(determined));
        }
        found.truncate(most);
    }
    Ok(found)
}

/// The merged patterns of each hidden cell without units whose set the released cells might tell apart.
fn empty_cells(linked: &Linked, hidden: &[u32], column_of: &[u32], staged: &Staged) -> Vec<(u32, Vec<u32>)> {
    let mut question_of = vec![NONE; linked.cells().len()];
    let mut questions: Vec<(u32, Vec<u32>, bool)> = Vec::new();
    for &cell in hidden {
        if question_of[cell as usize] == NONE {
            question_of[cell as usize] = number(questions.len());
            questions.push((cell, Vec::new(), true));
        }
    }
    if questions.is_empty() {
        return Vec::new();
    }
    for (pattern, (cells, units)) in linked.patterns().enumerate() {
        for &cell in cells {
            if let Some((_, columns, empty)) = questions.get_mut(question_of[cell as usize] as usize) {
                *empty &= units == 0 && column_of[pattern] != NONE;
                if *empty {
                    columns.push(column_of[pattern]);
                }
            }
        }
    }
    let mut asked = Vec::new();
    for (cell, mut columns, empty) in questions {
        if !empty || columns.is_empty() {
            continue;
        }
        // a merged pattern must lie in the cell with all its members, or the released cells do not tell them apart
        columns.sort_unstable();
        let whole =
            columns.chunk_by(|left, right| left == right).all(|run| run.len() == staged.members(run[0]) as usize);
        columns.dedup();
        if whole {
            asked.push((cell, columns));
        }
    }
    asked
}

#[cfg(test)]
pub(crate) mod brute_force {
    //! The same question answered by trying every set, with fractions.

    use super::*;

    /// Rows of the released cells over the patterns.
    fn matrix(linked: &Linked, released: &[u32]) -> Vec<Vec<i128>> {
        let line = |cell: &u32| linked.patterns().map(|(cells, _)| i128::from(cells.contains(cell))).collect();
        released.iter().map(line).collect()
    }

    /// Rank by elimination without fractions (Bareiss 1968).
    fn rank(mut rows: Vec<Vec<i128>>) -> usize {
        let (mut rank, mut last) = (0, 1);
        for column in 0..rows.first().map_or(0, Vec::len) {
            let Some(at) = (rank..rows.len()).find(|row| rows[*row][column] != 0) else { continue };
            rows.swap(rank, at);
            for row in rank + 1..rows.len() {
                for other in (0..rows[row].len()).rev() {
                    rows[row][other] =
                        (rows[row][other] * rows[rank][column] - rows[rank][other] * rows[row][column]) / last;
                }
            }
            last = rows[rank][column];
            rank += 1;
        }
        rank
    }

    fn follows(rows: &[Vec<i128>], set: Vec<i128>) -> bool {
        let mut more = rows.to_vec();
        more.push(set);
        rank(more) == rank(rows.to_vec())
    }

    /// Whether the released cells are safe.
    pub(crate) fn safe(linked: &Linked, released: &[u32], hidden: &[u32], least: Least) -> bool {
        let is_person = |cell: &&u32| linked.cells()[**cell as usize].protects == Protects::Persons;
        let persons: Vec<u32> = released.iter().filter(is_person).copied().collect();
        let units: Vec<u64> = linked.patterns().map(|(_, units)| units).collect();
        let all = matrix(linked, released);
        for (rows, least) in [(&matrix(linked, &persons), least.persons), (&all, least.events)] {
            for set in 1..1_u32 << units.len() {
                let has = |pattern: usize| set >> pattern & 1 == 1;
                let sum: u64 = (0..units.len()).filter(|pattern| has(*pattern)).map(|pattern| units[pattern]).sum();
                let vector = (0..units.len()).map(|pattern| i128::from(has(pattern))).collect();
                if (1..least).contains(&sum) && follows(rows, vector) {
                    return false;
                }
            }
        }
        let values = linked.values();
        hidden.iter().filter(|cell| values[**cell as usize] == 0).all(|cell| {
            let vector: Vec<i128> = matrix(linked, &[*cell]).remove(0);
            vector.iter().all(|value| *value == 0) || !follows(&all, vector)
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        super::{CellInfo, Pattern, examples::persons},
        *,
    };

    const FIVE: Least = Least { persons: 5, events: 3 };

    fn units(verdict: &Verdict) -> Option<u64> {
        match verdict {
            Verdict::Determined(determined) => Some(determined.units),
            Verdict::Safe | Verdict::TooLarge => None,
        }
    }

    #[test]
    fn a_set_inside_another_is_found_by_their_difference() {
        let linked = persons(2, &[(&[0, 1], 18), (&[0], 2)]);
        let verdict = audit(&linked, &[0, 1], &[], FIVE, &Work::default());
        assert_eq!(verdict, Verdict::Determined(Determined { cells: vec![0, 1], units: 2, empty: None }));
        assert_eq!(audit(&linked, &[0], &[], FIVE, &Work::default()), Verdict::Safe);
        let wide = persons(2, &[(&[0, 1], 18), (&[0], 5)]);
        assert_eq!(audit(&wide, &[0, 1], &[], FIVE, &Work::default()), Verdict::Safe);
    }

    #[test]
    fn a_total_and_its_other_parts_give_the_hidden_part() {
        let linked = persons(4, &[(&[0, 1], 3), (&[0, 2], 30), (&[0, 3], 40)]);
        assert_eq!(units(&audit(&linked, &[0, 2, 3], &[1], FIVE, &Work::default())), Some(3));
        assert_eq!(audit(&linked, &[0, 2], &[1, 3], FIVE, &Work::default()), Verdict::Safe);
    }

    #[test]
    fn an_empty_part_is_shown_by_total_minus_parts() {
        let linked = persons(4, &[(&[0, 1], 0), (&[0, 2], 30), (&[0, 3], 40)]);
        assert_eq!(units(&audit(&linked, &[0, 2, 3], &[1], FIVE, &Work::default())), Some(0));
        // without a pattern nothing could ever be in it: no secret
        let structural = persons(4, &[(&[0, 2], 30), (&[0, 3], 40)]);
        assert_eq!(audit(&structural, &[0, 2, 3], &[1], FIVE, &Work::default()), Verdict::Safe);
        // a phantom that the released cells cannot tell from patients proves nothing
        let alike = persons(3, &[(&[0, 1], 0), (&[0], 30), (&[0, 2], 40)]);
        assert_eq!(audit(&alike, &[0, 2], &[1], FIVE, &Work::default()), Verdict::Safe);
    }

    #[test]
    fn overlapping_triples_single_out_what_three_share() {
        // A + B + C - (A or B) - (B or C) = ... : the overlap of A and C follows
        let linked = persons(5, &[(&[0, 3], 20), (&[1, 3, 4], 20), (&[2, 4], 20), (&[0, 2, 3, 4], 2)]);
        // A = 0, B = 1, C = 2, A or B or overlap = 3, B or C or overlap = 4
        let verdict = audit(&linked, &[0, 1, 3], &[], FIVE, &Work::default());
        assert_eq!(verdict, Verdict::Safe);
        let linked = persons(4, &[(&[0, 3], 20), (&[1, 3], 20), (&[2, 3], 20), (&[0, 1, 3], 2), (&[3], 7)]);
        assert_eq!(audit(&linked, &[0, 1, 2, 3], &[], FIVE, &Work::default()), Verdict::Safe);
        let linked = persons(4, &[(&[0, 3], 20), (&[1, 3], 20), (&[2, 3], 20), (&[0, 1, 3], 2)]);
        assert_eq!(units(&audit(&linked, &[0, 1, 2, 3], &[], FIVE, &Work::default())), Some(2));
    }

    #[test]
    fn event_cells_have_their_own_least_set() {
        let cells = vec![CellInfo { protects: Protects::Persons }, CellInfo { protects: Protects::Events }];
        let patterns = |events| [(vec![0, 1], events), (vec![0], 20)].map(|(cells, units)| Pattern { cells, units });
        let three = Linked::new(cells.clone(), patterns(3)).unwrap();
        assert_eq!(audit(&three, &[0, 1], &[], FIVE, &Work::default()), Verdict::Safe);
        let two = Linked::new(cells, patterns(2)).unwrap();
        assert_eq!(units(&audit(&two, &[0, 1], &[], FIVE, &Work::default())), Some(2));
    }

    #[test]
    fn beyond_its_bounds_or_with_an_unknown_cell_nothing_is_judged() {
        let linked = persons(2, &[(&[0, 1], 18), (&[0], 2)]);
        assert_eq!(audit(&linked, &[0, 1], &[], FIVE, &Work { cells: 1, ..Work::default() }), Verdict::TooLarge);
        assert_eq!(audit(&linked, &[0, 1], &[], FIVE, &Work { search_steps: 0, ..Work::default() }), Verdict::TooLarge);
        assert_eq!(audit(&linked, &[0, 7], &[], FIVE, &Work::default()), Verdict::TooLarge);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3000))]
        #[test]
        fn agrees_with_trying_every_set(
            patterns in prop::collection::vec((prop::collection::btree_set(0..8_u32, 1..6), prop_oneof![0..3_u64, 0..9_u64]), 1..9),
            events in 0..256_u32, shown in 0..256_u32, persons in 2..7_u64, fewer in 0..4_u64
        ) {
            let cell = |cell: u32| CellInfo { protects: if events >> cell & 3 == 3 { Protects::Events } else { Protects::Persons } };
            let patterns = patterns.into_iter().map(|(cells, units)| Pattern { cells: cells.into_iter().collect(), units });
            let linked = Linked::new((0..8).map(cell).collect(), patterns).unwrap();
            let (released, hidden): (Vec<u32>, Vec<u32>) = (0..8).partition(|cell| shown >> cell & 1 == 1);
            let least = Least { persons, events: persons.saturating_sub(fewer).max(1) };
            let verdict = audit(&linked, &released, &hidden, least, &Work::default());
            prop_assert_ne!(&verdict, &Verdict::TooLarge);
            prop_assert_eq!(verdict == Verdict::Safe, brute_force::safe(&linked, &released, &hidden, least));
        }

        #[test]
        fn totals_and_parts_with_few_units_agree_too(
            units in prop::collection::vec(0..4_u64, 8), shown in 0..256_u32, persons in 2..6_u64
        ) {
            // a 2 x 4 table with both margins: cells 0, 1 rows; 2..6 columns; 6, 7 two inner cells
            let pattern = |at: usize| {
                let mut cells = vec![number(at / 4), number(2 + at % 4)];
                if at == 0 { cells.push(6) }
                if at == 5 { cells.push(7) }
                Pattern { cells, units: units[at] }
            };
            let linked = Linked::new(vec![CellInfo { protects: Protects::Persons }; 8], (0..8).map(pattern)).unwrap();
            let (released, hidden): (Vec<u32>, Vec<u32>) = (0..8).partition(|cell| shown >> cell & 1 == 1);
            let least = Least { persons, events: persons };
            let verdict = audit(&linked, &released, &hidden, least, &Work::default());
            prop_assert_eq!(verdict == Verdict::Safe, brute_force::safe(&linked, &released, &hidden, least));
        }
    }
}

//! Times of the audit of linked tables, and of joint suppression at publication.
//!
//! Units have twelve coded attributes with skewed codes; tables cross one to three of them, every other one for a single code of
//! a further attribute; cells below the least number are hidden. For suppression there are 10,000 empty patterns beside them.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints what it measures and may stop")]

use std::{hint::black_box, time::Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use node_disclosure::linked::{
    CellInfo, Least, Linked, Pattern, Protects, Work,
    audit::{Verdict, audit, audit_all},
    suppress::{CellRequest, Told, Wanted, protect},
};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::index::sample};

const WIDTHS: [u32; 12] = [2, 3, 4, 5, 6, 8, 10, 12, 18, 25, 40, 50];
const LEAST: Least = Least { persons: 5, events: 3 };

/// Linked tables, and the table of each cell.
fn tables(
    units: u32,
    (smallest, largest): (u32, u32),
    phantoms: u32,
    ratio: Option<f64>,
    enough: impl Fn(usize, usize) -> bool,
) -> (Linked, Vec<u32>) {
    let mut random = StdRng::seed_from_u64(7);
    let mut code = |width: u32| {
        let uniform = random.random::<f64>();
        // each code is rarer than the one before by a ratio, or codes follow a power of a uniform number
        let place = ratio.map_or(uniform.powf(2.5) * f64::from(width), |ratio| uniform.ln() / ratio.ln());
        (0..width).rfind(|code| f64::from(*code) <= place).unwrap_or(0)
    };
    let people: Vec<[u32; 12]> = (0..units + phantoms).map(|_| WIDTHS.map(&mut code)).collect();
    let mut cells_of = vec![Vec::new(); people.len()];
    let (mut table_of, mut shown, mut table) = (Vec::new(), 0, 0);
    while !enough(table, shown) {
        let dimensions = random.random_range(1..=3);
        let attributes = sample(&mut random, 12, dimensions + 1).into_vec();
        let size: u32 = attributes[..dimensions].iter().map(|attribute| WIDTHS[*attribute]).product();
        let only = random.random_bool(0.5).then(|| random.random_range(0..2));
        if !(smallest..=largest).contains(&size) {
            continue;
        }
        let base = u32::try_from(table_of.len()).unwrap();
        let mut counts = vec![0_u32; size as usize];
        for (number, (person, cells)) in people.iter().zip(&mut cells_of).enumerate() {
            if only.is_none_or(|only| person[attributes[dimensions]] == only) {
                let cell = attributes[..dimensions].iter().fold(0, |cell, at| cell * WIDTHS[*at] + person[*at]);
                counts[cell as usize] += u32::from(number < units as usize);
                cells.push(base + cell);
            }
        }
        shown += counts.iter().filter(|count| u64::from(**count) >= LEAST.persons).count();
        table_of.resize(table_of.len() + size as usize, u32::try_from(table).unwrap());
        table += 1;
    }
    let cells = vec![CellInfo { protects: Protects::Persons }; table_of.len()];
    let linked = Linked::new(
        cells,
        (0..).zip(cells_of).map(|(number, cells)| Pattern { cells, units: u64::from(number < units) }),
    )
    .unwrap();
    (linked, table_of)
}

/// Cells that are safe together: those with enough units, less what the audit objects to.
fn safe_cells(linked: &Linked) -> Vec<u32> {
    let mut shown: Vec<u32> =
        (0..).zip(linked.values()).filter(|(_, value)| *value >= LEAST.persons).map(|(cell, _)| cell).collect();
    loop {
        let found = audit_all(linked, &shown, &[], LEAST, &Work::default()).unwrap();
        if found.is_empty() {
            return shown;
        }
        let gone: Vec<u32> = found.iter().flat_map(|found| found.cells.iter().rev().take(3)).copied().collect();
        shown.retain(|cell| !gone.contains(cell));
    }
}

fn audits(criterion: &mut Criterion) {
    for (units, size, least_tables) in
        [(20_000, (20, 2_000), 1), (20_000, (20, 300), 60), (1_000_000, (20, 2_000), 1), (1_000_000, (20, 200), 60)]
    {
        let (linked, tables) = tables(units, size, 0, None, |tables, shown| {
            shown >= 5_700 || (tables >= least_tables && least_tables > 1)
        });
        let mut shown = safe_cells(&linked);
        // the newest answer is the last 500 cells
        shown.truncate(5_500);
        let begun = Instant::now();
        let verdict = audit(&linked, &shown, &[], LEAST, &Work::default());
        println!(
            "{units} units, {} tables, {} cells, {} released, {} patterns: {} in {:?}",
            tables.last().unwrap() + 1,
            tables.len(),
            shown.len(),
            linked.pattern_count(),
            if verdict == Verdict::Safe { "safe" } else { "not safe" },
            begun.elapsed()
        );
        let begun = Instant::now();
        let verdict = audit(&linked, &shown, &[], Least { persons: 10, events: 3 }, &Work::default());
        let judged = if verdict == Verdict::TooLarge { "too large" } else { "judged" };
        println!("  with a least number of 10: {judged} in {:?}", begun.elapsed());
        let name = format!("audit {} cells of {} tables, {units} units", shown.len(), tables.last().unwrap() + 1);
        let mut group = criterion.benchmark_group("linked");
        group.sample_size(10).bench_function(name, |bench| {
            bench.iter(|| black_box(audit(&linked, &shown, &[], LEAST, &Work::default())));
        });
    }
}

fn suppression(criterion: &mut Criterion) {
    for (units, ratio) in [(2_000, None), (1_000_000, Some(0.6))] {
        let (linked, tables) = tables(units, (24, 60), 10_000, ratio, |tables, _| tables == 45);
        let request = |(value, table): (u64, &u32)| CellRequest {
            state: if value < LEAST.persons { Wanted::MustHide } else { Wanted::MayShow { cost: value } },
            told: Told::Size,
            table: *table,
            bundle: None,
        };
        let requests: Vec<CellRequest> = linked.values().into_iter().zip(&tables).map(request).collect();
        let begun = Instant::now();
        let protected = protect(&linked, &requests, LEAST, &Work::default()).unwrap();
        println!(
            "{units} units, {} cells, {} patterns: {} primary, {} complementary, {} shown, {} rounds, {} not proved, in {:?}",
            tables.len(),
            linked.pattern_count(),
            protected.primary,
            protected.complementary,
            protected.shown,
            protected.rounds,
            protected.narrow.len(),
            begun.elapsed()
        );
        let mut group = criterion.benchmark_group("linked");
        group.sample_size(10).bench_function(format!("protect 45 tables, {units} units"), |bench| {
            bench.iter(|| black_box(protect(&linked, &requests, LEAST, &Work::default())));
        });
    }
}

criterion_group!(benches, suppression, audits);
criterion_main!(benches);

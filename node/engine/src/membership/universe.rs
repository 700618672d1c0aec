//! The units of several tables and snapshots, matched by record key.

use node_snapshot::columns::Columns;

use crate::columnar::runs;

/// All units of the tables that questions ask, numbered from 0.
pub(super) struct Universe<'s> {
    /// The table of each question, by its place in `tables`.
    table_of: Vec<usize>,
    tables: Vec<Table<'s>>,
    units: usize,
}

struct Table<'s> {
    columns: &'s Columns,
    /// The universe's number of each unit of the table, in the table's order.
    numbers: Vec<u32>,
}

/// The units of one table.
pub(super) struct Units<'u> {
    columns: &'u Columns,
    numbers: &'u [u32],
}

/// One unit of a table with what identifies it elsewhere.
pub(super) struct Known {
    /// The record key, above the number of units of the table before it that have the same one: keys of 32 bits may coincide.
    pub(super) identity: u64,
    /// Its place among the table's units.
    pub(super) place: u32,
}

impl<'s> Universe<'s> {
    /// The units of the tables of all questions, in the questions' order.
    pub(super) fn of(asked: Vec<&'s Columns>) -> Self {
        let mut tables: Vec<Table<'s>> = Vec::new();
        let mut table_of = Vec::with_capacity(asked.len());
        for columns in asked {
            let known = tables.iter().position(|table| std::ptr::eq(table.columns, columns));
            table_of.push(known.unwrap_or(tables.len()));
            if known.is_none() {
                tables.push(Table { columns, numbers: Vec::new() });
            }
        }
        let units = match tables.as_mut_slice() {
            [one] => {
                let units = one.columns.rows() - one.columns.repeats().len();
                one.numbers = (0..).take(units).collect();
                units
            }
            several => Self::match_units(several),
        };
        Self { table_of, tables, units }
    }

    fn match_units(tables: &mut [Table<'_>]) -> usize {
        let known: Vec<_> = tables.iter().map(|table| by_identity(table.columns)).collect();
        let mut all: Vec<u64> = known.iter().flatten().map(|unit| unit.identity).collect();
        all.sort_unstable();
        all.dedup();
        let mut number_of = vec![None; all.len()];
        let mut next = 0_u32;
        for (table, known) in tables.iter_mut().zip(known) {
            let mut places = vec![0_u32; known.len()];
            let mut ranked = all.iter().zip(0_u32..).peekable();
            for unit in known {
                while ranked.next_if(|(identity, _)| **identity < unit.identity).is_some() {}
                if let Some((_, rank)) = ranked.peek() {
                    places[unit.place as usize] = *rank;
                }
            }
            // numbers follow the order of the first table that has the unit, so that its rows are read in order
            for place in &mut places {
                *place = *number_of[*place as usize].get_or_insert_with(|| {
                    next += 1;
                    next - 1
                });
            }
            table.numbers = places;
        }
        all.len()
    }

    /// How many units there are.
    pub(super) fn units(&self) -> usize {
        self.units
    }

    /// The table of each question.
    pub(super) fn columns(&self) -> impl Iterator<Item = &'s Columns> {
        self.table_of.iter().map(|table| self.tables[*table].columns)
    }

    /// How many tables there are, and the place among them of a question's.
    pub(super) fn tables(&self) -> usize {
        self.tables.len()
    }

    /// The place among the tables of a question's.
    pub(super) fn table_of(&self, question: usize) -> usize {
        self.table_of[question]
    }

    /// The units of a question's table.
    pub(super) fn units_of(&self, question: usize) -> Units<'_> {
        let table = &self.tables[self.table_of[question]];
        Units { columns: table.columns, numbers: &table.numbers }
    }
}

impl Units<'_> {
    /// Every unit with what `rows` holds for its rows.
    pub(super) fn visit(&self, rows: &[u32], mut each: impl FnMut(usize, &[u32])) {
        let (mut row, mut place) = (0, 0);
        let end = rows.len()..rows.len();
        for of_one in runs(self.columns).chain([end]) {
            let single = of_one.start - row;
            for (number, row) in self.numbers[place..place + single].iter().zip(row..) {
                each(*number as usize, &rows[row..=row]);
            }
            place += single;
            if let Some(number) = self.numbers.get(place).filter(|_| !of_one.is_empty()) {
                each(*number as usize, &rows[of_one.clone()]);
            }
            place += 1;
            row = of_one.end;
        }
    }
}

/// The units of a table, by identity.
pub(super) fn by_identity(columns: &Columns) -> Vec<Known> {
    let keys = columns.record_keys();
    let mut repeats = columns.repeats().iter().map(|repeat| repeat.row).peekable();
    let firsts = (0..columns.rows()).filter(|row| repeats.next_if_eq(row).is_none());
    let mut units: Vec<Known> =
        firsts.zip(0_u32..).map(|(row, place)| Known { identity: u64::from(keys[row]), place }).collect();
    units.sort_unstable_by_key(|unit| (unit.identity, unit.place));
    for alike in units.chunk_by_mut(|a, b| a.identity == b.identity) {
        for (unit, before) in alike.iter_mut().zip(0_u64..) {
            unit.identity = unit.identity << 32 | before;
        }
    }
    units
}

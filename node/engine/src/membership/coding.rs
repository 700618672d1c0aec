//! One question read row by row: the code of the cells that each row counts in.

use node_disclosure::layout::Layout;
use node_domain::months::{LAST_MONTH, month_of};
use node_snapshot::columns::MISSING_NUMBER;

use super::{
    layout::{Codes, NO_CODE},
    universe::Units,
};
use crate::columnar::{Plan, Rows};

/// Months that are told apart: 0, the base grid, and everything later.
const MONTHS: usize = LAST_MONTH as usize + 2;

/// A question over the rows of a table.
pub(super) struct Coding<'q, 'c> {
    plan: &'q Plan<'c>,
    layout: &'q Layout,
    /// Of a survival question the event cell of each group and month, row-major.
    event_cells: Vec<u32>,
}

impl<'q, 'c> Coding<'q, 'c> {
    pub(super) fn new(plan: &'q Plan<'c>, layout: &'q Layout, boundaries: &[Vec<u16>]) -> Self {
        let groups = if plan.endpoint.is_some() { plan.grouping.groups() } else { 0 };
        let of_group = |group: usize| {
            let boundaries = boundaries.get(group).map_or(&[][..], Vec::as_slice);
            (0..MONTHS).map(move |month| {
                let interval = boundaries.partition_point(|boundary| usize::from(*boundary) < month);
                layout.code(layout.events(group, interval))
            })
        };
        Self { plan, layout, event_cells: (0..groups).flat_map(of_group).collect() }
    }

    /// The code of every row.
    pub(super) fn read(&self, codes: &mut Vec<u32>) {
        codes.clear();
        codes.resize(self.plan.columns.rows(), NO_CODE);
        let mut rows = Rows::default();
        for block in self.plan.blocks() {
            let counted = rows.read(self.plan, block);
            match &self.plan.endpoint {
                Some(endpoint) => counted.for_each(|(row, group)| {
                    codes[row] = if !endpoint.has_time(row) {
                        self.layout.code(self.layout.missing(group))
                    } else if endpoint.causes[row] == 0 {
                        self.layout.code(self.layout.persons(group))
                    } else {
                        let month = usize::try_from(month_of(endpoint.days[row])).unwrap_or(MONTHS).min(MONTHS - 1);
                        self.event_cells[group * MONTHS + month]
                    };
                }),
                None if self.plan.fields.is_empty() => {
                    counted.for_each(|(row, group)| codes[row] = self.layout.code(group));
                }
                None => counted.for_each(|(row, group)| {
                    let with_value = self.plan.fields.iter().enumerate().filter(|(_, f)| f[row] != MISSING_NUMBER);
                    let mask = with_value.fold(0, |mask, (field, _)| mask | 1 << field);
                    codes[row] = self.layout.values_code(group, mask);
                }),
            }
        }
        if self.plan.endpoint.is_some() {
            self.keep_first_times(codes);
        }
    }

    /// The same for rows of units that only could exist: in a survival question each is a person without an event, or without a time.
    pub(super) fn read_phantoms(&self, codes: &mut Vec<u32>) {
        let Some(endpoint) = &self.plan.endpoint else { return self.read(codes) };
        codes.clear();
        codes.resize(self.plan.columns.rows(), NO_CODE);
        let mut rows = Rows::default();
        for (row, group) in rows.read(self.plan, 0..codes.len()) {
            let has_time = endpoint.has_time(row);
            codes[row] =
                self.layout.code(if has_time { self.layout.persons(group) } else { self.layout.missing(group) });
        }
    }

    /// Of several rows of a unit with a time in one group the first counts.
    fn keep_first_times(&self, codes: &mut [u32]) {
        let Some(endpoint) = &self.plan.endpoint else { return };
        let mut seen = vec![usize::MAX; self.plan.grouping.groups()];
        self.plan.visit_several(2, |row, group, person| {
            if endpoint.has_time(row) && std::mem::replace(&mut seen[group], person) == person {
                codes[row] = NO_CODE;
            }
        });
    }
}

/// Takes the units that a question counts.
pub(super) trait Taker {
    /// Whether it takes this unit.
    fn wants(&self, unit: usize) -> bool;

    /// A unit with its codes in normal form, at least one; a unit that is not wanted may be among them.
    fn take(&mut self, unit: usize, codes: &[u32]);
}

/// A question with all units that it may count.
pub(super) struct Occasion<'q> {
    pub(super) real: Coding<'q, 'q>,
    pub(super) layout: &'q Layout,
    pub(super) units: Units<'q>,
}

impl Occasion<'_> {
    /// Hands out every unit that is counted. `codes` is room for those of all rows.
    pub(super) fn visit(&self, codes: &mut Vec<u32>, taker: &mut impl Taker) {
        self.real.read(codes);
        let mut several = Vec::new();
        self.units.visit(codes, |unit, codes| match codes {
            [NO_CODE] => {}
            [_] => taker.take(unit, codes),
            _ if taker.wants(unit) => {
                several.clear();
                several.extend_from_slice(codes);
                self.layout.normalise(&mut several);
                if !several.is_empty() {
                    taker.take(unit, &several);
                }
            }
            _ => {}
        });
    }
}

//! Sums of counts over countries: exact, with noise, or within bounds where a country shows a band.

use std::collections::BTreeMap;

use node_protocol::{
    answer::{GroupKey, HistogramAnswer, HistogramGroup, Pooled, PooledCount, Share},
    cell::{Cell, Withheld},
};
use node_statistics::{
    count::{self, Bounds},
    interval::wilson,
};

/// A sum over countries.
#[derive(Debug, Clone, Copy)]
struct Total {
    bounds: Bounds,
    /// Whether any number in it carries noise.
    noisy: bool,
}

impl Total {
    const NONE: Self = Self { bounds: Bounds { low: 0, high: 0 }, noisy: false };

    fn of(cell: Cell) -> Option<Self> {
        let exactly = |n| Bounds { low: n, high: n };
        match cell {
            Cell::Exact { n } => Some(Self { bounds: exactly(n), noisy: false }),
            Cell::Perturbed { n } => Some(Self { bounds: exactly(n), noisy: true }),
            Cell::Banded { low, high } => Some(Self { bounds: Bounds { low, high }, noisy: false }),
            Cell::Refused { .. } => None,
        }
    }

    fn plus(self, other: Self) -> Option<Self> {
        let bounds = count::merge(self.bounds, other.bounds)?;
        Some(Self { bounds, noisy: self.noisy || other.noisy })
    }

    /// The sum as it is shown.
    fn cell(self) -> Cell {
        let Bounds { low, high } = self.bounds;
        match (low == high, self.noisy) {
            (true, false) => Cell::Exact { n: low },
            (true, true) => Cell::Perturbed { n: low },
            (false, _) => Cell::Banded { low, high },
        }
    }
}

/// Sums by group; where a country refuses its number there is none, for that country's reason.
pub(crate) fn sums<'g>(countries: &[Vec<(&'g GroupKey, Cell)>]) -> BTreeMap<&'g GroupKey, Cell> {
    let mut groups: BTreeMap<&GroupKey, Vec<Cell>> = BTreeMap::new();
    for (group, cell) in countries.iter().flatten() {
        groups.entry(group).or_default().push(*cell);
    }
    groups.into_iter().map(|(group, cells)| (group, sum(&cells))).collect()
}

/// Pools counts, with each group's share where every number behind it is exact.
pub(crate) fn pool(countries: &[Vec<(&GroupKey, Cell)>]) -> Pooled {
    let sums = sums(countries);
    let total = sums.values().try_fold(0_u64, |total, sum| total.checked_add(sum.exact()?));
    let cells = sums
        .iter()
        .map(|(group, sum)| PooledCount {
            group: (*group).clone(),
            persons: *sum,
            share: sum
                .exact()
                .zip(total)
                .filter(|_| sums.len() > 1)
                .and_then(|(n, total)| wilson(n, total))
                .map(|share| Share { value: share.value, lower: share.lower, upper: share.upper }),
        })
        .collect();
    Pooled::Count { countries: u32::try_from(countries.len()).unwrap_or(u32::MAX), cells }
}

/// The sum of some cells; refused for the reason of the first that is.
pub(crate) fn sum(cells: &[Cell]) -> Cell {
    if let Some(refused) = cells.iter().find(|cell| matches!(cell, Cell::Refused { .. })) {
        return *refused;
    }
    let total = cells.iter().try_fold(Total::NONE, |sum, cell| sum.plus(Total::of(*cell)?));
    // only a peer that lies can make it overflow
    total.map_or(Cell::Refused { reason: Withheld::Complementary }, Total::cell)
}

/// Pools histograms bin by bin; those of other bins than the first country's do not take part.
pub(crate) fn pool_histograms(countries: &[&HistogramAnswer]) -> Option<Pooled> {
    let first = countries.first()?;
    let alike: Vec<_> = countries.iter().filter(|answer| answer.lower_edges == first.lower_edges).collect();
    let mut groups: BTreeMap<&GroupKey, Vec<&HistogramGroup>> = BTreeMap::new();
    for group in alike.iter().flat_map(|answer| &answer.groups) {
        groups.entry(&group.group).or_default().push(group);
    }
    let of = |parts: &[&HistogramGroup], number: &dyn Fn(&HistogramGroup) -> Cell| {
        sum(&parts.iter().map(|part| number(part)).collect::<Vec<_>>())
    };
    let pooled = groups.into_iter().map(|(key, parts)| HistogramGroup {
        group: key.clone(),
        bins: (0..first.lower_edges.len()).map(|bin| of(&parts, &|part| part.bins[bin])).collect(),
        missing: of(&parts, &|part| part.missing),
        as_of: None,
    });
    Some(Pooled::Histogram {
        countries: u32::try_from(alike.len()).unwrap_or(u32::MAX),
        field: first.field.clone(),
        lower_edges: first.lower_edges.clone(),
        groups: pooled.collect(),
    })
}

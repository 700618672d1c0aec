//! Pools the answers of a study, and says what a reader must know about them.

use std::collections::BTreeMap;

use node_domain::months;
use node_protocol::{
    answer::{Answer, Cut, Estimator, GroupKey, LogRank, Pooled, PooledCount, Share, SurvivalGroup},
    cell::{Cell, Withheld},
    study::{NodeState, Note, Status},
};
use node_statistics::{
    count::{self, Bounds},
    interval::wilson,
    log_rank::log_rank,
    survival::{self, Interval, Point, PooledInterval},
};

/// The pooled estimate of the answers that are here, and remarks on it.
#[must_use]
pub fn pool(nodes: &[NodeState]) -> (Option<Pooled>, Vec<Note>) {
    let (mut counts, mut curves) = (Vec::new(), Vec::new());
    for node in nodes {
        match &node.answer {
            Some(Answer::Count(answer)) => counts.push(answer.cells.iter().map(|cell| (&cell.group, cell.persons)).collect()),
            Some(Answer::Survival(answer)) => curves.push(answer.groups.as_slice()),
            None => {}
        }
    }
    let pooled = match (counts.is_empty(), curves.is_empty()) {
        (false, true) => Some(pool_counts(&counts)),
        (true, false) => Some(pool_survival(&curves)),
        // nothing has come, or nodes answered different questions, which verification excludes
        _ => None,
    };
    let notes = notes(nodes, pooled.as_ref());
    (pooled, notes)
}

fn bounds_of(cell: Cell) -> Option<Bounds> {
    match cell {
        Cell::Exact { n } => Some(Bounds { low: n, high: n }),
        Cell::Banded { low, high } => Some(Bounds { low, high }),
        Cell::Refused { .. } => None,
    }
}

fn cell_of(bounds: Bounds) -> Cell {
    if bounds.low == bounds.high { Cell::Exact { n: bounds.low } } else { Cell::Banded { low: bounds.low, high: bounds.high } }
}

/// Sums by group; a group that any country refuses has no sum.
fn sums<'g>(countries: &[Vec<(&'g GroupKey, Cell)>]) -> BTreeMap<&'g GroupKey, Bounds> {
    let mut sums: BTreeMap<&GroupKey, Option<Bounds>> = BTreeMap::new();
    for (group, cell) in countries.iter().flatten() {
        let sum = sums.entry(group).or_insert(Some(Bounds { low: 0, high: 0 }));
        *sum = sum.zip(bounds_of(*cell)).and_then(|(left, right)| count::merge(left, right));
    }
    sums.into_iter().filter_map(|(group, sum)| Some((group, sum?))).collect()
}

fn pool_counts(countries: &[Vec<(&GroupKey, Cell)>]) -> Pooled {
    let sums = sums(countries);
    let exact = |bounds: &Bounds| (bounds.low == bounds.high).then_some(bounds.low);
    let total: Option<u64> = sums.values().map(exact).sum();
    let cells = sums
        .iter()
        .map(|(group, bounds)| PooledCount {
            group: (*group).clone(),
            persons: cell_of(*bounds),
            share: exact(bounds)
                .zip(total)
                .filter(|_| sums.len() > 1)
                .and_then(|(n, total)| wilson(n, total))
                .map(|share| Share { value: share.value, lower: share.lower, upper: share.upper }),
        })
        .collect();
    Pooled::Count { countries: u32::try_from(countries.len()).unwrap_or(u32::MAX), cells }
}

fn pool_survival(countries: &[&[SurvivalGroup]]) -> Pooled {
    let persons: Vec<Vec<(&GroupKey, Cell)>> =
        countries.iter().map(|groups| groups.iter().map(|group| (&group.group, group.persons)).collect()).collect();
    let missing: Vec<Vec<(&GroupKey, Cell)>> =
        countries.iter().map(|groups| groups.iter().map(|group| (&group.group, group.missing)).collect()).collect();
    let (persons, missing) = (sums(&persons), sums(&missing));

    let mut tables: BTreeMap<&GroupKey, Vec<Vec<Interval>>> = BTreeMap::new();
    let mut with_curve = 0;
    for groups in countries {
        let mut any = false;
        for group in *groups {
            let intervals = intervals(group);
            if !intervals.is_empty() {
                any = true;
                tables.entry(&group.group).or_default().push(intervals);
            }
        }
        with_curve += u32::from(any);
    }
    let cuts: Vec<u16> = countries
        .iter()
        .flat_map(|groups| groups.iter())
        .map(|group| group.cuts.iter().map(|cut| cut.month).collect::<Vec<_>>())
        .max_by_key(Vec::len)
        .unwrap_or_default();
    let (mut groups, mut pooled_tables) = (Vec::new(), Vec::new());
    for (key, countries) in &tables {
        let pooled = survival::pool(countries);
        let curve = survival::pooled_curve(&pooled);
        groups.push(SurvivalGroup {
            group: (*key).clone(),
            persons: persons.get(key).map_or(Cell::Refused { reason: Withheld::Merged }, |bounds| cell_of(*bounds)),
            missing: missing.get(key).map_or(Cell::Refused { reason: Withheld::Merged }, |bounds| cell_of(*bounds)),
            cuts: pooled_cuts(&cuts, countries, &pooled, &curve),
        });
        pooled_tables.push(pooled);
    }
    let log_rank = log_rank(&pooled_tables).map(|test| LogRank {
        chi_squared: test.chi_squared,
        df: u32::try_from(test.degrees_of_freedom).unwrap_or(u32::MAX),
        p: test.p,
    });
    Pooled::Survival { estimator: Estimator::KaplanMeier, countries: with_curve, groups, log_rank }
}

/// The life table behind the cuts that a country shows.
fn intervals(group: &SurvivalGroup) -> Vec<Interval> {
    let shown: Vec<Shown> = group.cuts.iter().filter_map(Shown::of).collect();
    let Some(mut entering) = group.persons.exact() else { return Vec::new() };
    let (mut from_month, mut survival, mut variance) = (0, 1.0, 0.0);
    shown
        .iter()
        .map(|cut| {
            let relative = if cut.survival > 0.0 { (cut.standard_error / cut.survival).powi(2) } else { f64::INFINITY };
            let interval = Interval {
                from_month,
                to_month: cut.month,
                entering,
                at_risk_at_end: cut.at_risk,
                events: cut.events,
                withdrawn: cut.withdrawn,
                factor: if survival > 0.0 { cut.survival / survival } else { 0.0 },
                greenwood: relative - variance,
            };
            entering = entering.saturating_sub(cut.events + cut.withdrawn);
            (from_month, survival, variance) = (cut.month, cut.survival, relative);
            interval
        })
        .collect()
}

/// A cut whose numbers are all there.
struct Shown {
    month: u16,
    at_risk: u64,
    events: u64,
    withdrawn: u64,
    survival: f64,
    standard_error: f64,
}

impl Shown {
    fn of(cut: &Cut) -> Option<Self> {
        Some(Self {
            month: cut.month,
            at_risk: cut.at_risk.exact()?,
            events: cut.events.exact()?,
            withdrawn: cut.withdrawn.exact()?,
            survival: cut.survival?,
            standard_error: cut.standard_error.unwrap_or(0.0),
        })
    }
}

/// One row per cut asked for. Counts are sums since the last cut that every country behind the row shows; where one does not,
/// there is an estimate and no count.
fn pooled_cuts(cuts: &[u16], countries: &[Vec<Interval>], pooled: &[PooledInterval], curve: &[Point]) -> Vec<Cut> {
    let mut since = 0;
    cuts.iter()
        .map(|&month| {
            let place = pooled.iter().position(|interval| interval.to_month == month);
            let point = place.and_then(|place| curve.get(place));
            let covering: Vec<&Vec<Interval>> =
                countries.iter().filter(|table| table.last().is_some_and(|last| last.to_month >= month)).collect();
            let all_show = point.is_some() && covering.iter().all(|table| table.iter().any(|i| i.to_month == month));
            let aligned = all_show && covering.iter().all(|table| since == 0 || table.iter().any(|i| i.to_month == since));
            let reason = if point.is_none() { Withheld::TailCut } else { Withheld::Merged };
            let sum = |value: fn(&Interval) -> u64| {
                let inside = covering.iter().flat_map(|table| table.iter());
                Cell::Exact { n: inside.filter(|i| i.to_month > since && i.to_month <= month).map(value).sum() }
            };
            let hidden = Cell::Refused { reason };
            let at_risk = covering.iter().flat_map(|table| table.iter().filter(|i| i.to_month == month));
            let at_risk = Cell::Exact { n: at_risk.map(|interval| interval.at_risk_at_end).sum() };
            let row = Cut {
                month,
                days: months::days(month),
                at_risk: if all_show { at_risk } else { hidden },
                events: if aligned { sum(|interval| interval.events) } else { hidden },
                withdrawn: if aligned { sum(|interval| interval.withdrawn) } else { hidden },
                merged: point.is_some() && !aligned,
                survival: point.map(|point| point.survival),
                standard_error: point.and_then(|point| point.standard_error),
                lower: point.and_then(|point| point.limits).map(|limits| limits.0),
                upper: point.and_then(|point| point.limits).map(|limits| limits.1),
                countries: Some(u32::try_from(covering.len()).unwrap_or(u32::MAX)),
            };
            if all_show {
                since = month;
            }
            row
        })
        .collect()
}

fn notes(nodes: &[NodeState], pooled: Option<&Pooled>) -> Vec<Note> {
    let mut notes = Vec::new();
    let mut say = |code: &str, text: String| notes.push(Note { code: code.to_owned(), text });
    let with = |status: Status| nodes.iter().filter(move |node| node.status == status).collect::<Vec<_>>();
    let names = |nodes: &[&NodeState]| nodes.iter().map(|node| node.node.as_str()).collect::<Vec<_>>().join(", ");
    let answered = with(Status::Answered);
    if answered.len() < nodes.len() {
        say("partial", format!("{} of {} nodes have answered; the pooled estimate is of these alone.", answered.len(), nodes.len()));
    }
    for (status, code, words) in [
        (Status::Refused, "refused", "refused the query"),
        (Status::Unreachable, "unreachable", "could not be reached and will be asked again until the deadline"),
        (Status::Pending, "pending", "have not answered yet"),
    ] {
        let nodes = with(status);
        if !nodes.is_empty() {
            say(code, format!("{} {words}.", names(&nodes)));
        }
    }
    let groups = |node: &NodeState| match &node.answer {
        Some(Answer::Survival(answer)) => answer.groups.clone(),
        _ => Vec::new(),
    };
    let banded = |node: &&&NodeState| match &node.answer {
        Some(Answer::Count(answer)) => answer.cells.iter().any(|cell| cell.persons.exact().is_none()),
        Some(Answer::Survival(answer)) => answer.groups.iter().any(|group| group.persons.exact().is_none()),
        None => false,
    };
    let hides = |reason: Withheld| {
        move |node: &&&NodeState| {
            groups(node).iter().flat_map(|group| &group.cuts).any(|cut| cut.events == Cell::Refused { reason })
        }
    };
    let nodes_with = |test: &dyn Fn(&&&NodeState) -> bool| names(&answered.iter().filter(|node| test(node)).copied().collect::<Vec<_>>());
    let small = nodes_with(&banded);
    if !small.is_empty() {
        say("banded", format!("Groups of fewer persons than the node's threshold are shown as a band, zero and small alike: {small}."));
    }
    let merged = nodes_with(&hides(Withheld::Merged));
    if !merged.is_empty() {
        let why = "since too few events lie on one of its sides; the next cut shown covers it";
        say("merged", format!("A cut is not shown {why}: {merged}."));
    }
    let tail = nodes_with(&hides(Withheld::TailCut));
    if !tail.is_empty() {
        say("tail_cut", format!("Curves end before the last cut, since too few were at risk or too few events followed: {tail}."));
    }
    if matches!(pooled, Some(Pooled::Survival { groups, .. }) if groups.iter().flat_map(|group| &group.cuts).any(|cut| cut.merged)) {
        say(
            "pooled_merged",
            "At some pooled cuts not every country shows its own: there the estimate spreads its wider interval over the cut \
             (Turnbull 1976) and no counts are given."
                .to_owned(),
        );
    }
    notes
}

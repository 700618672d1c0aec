//! Pools the answers of a study, and says what a reader must know about them.

mod behind;
mod counts;
mod means;
mod notes;

use std::collections::BTreeMap;

use node_domain::months;
use node_protocol::{
    answer::{Answer, Boundaries, Cut, Estimator, GroupKey, LogRank, Pooled, SurvivalGroup},
    cell::{Cell, Withheld},
    query::{Query, Statistic},
    study::{NodeState, Note},
};
use node_statistics::{
    log_rank::log_rank,
    survival::{self, Interval, Point, PooledMonth},
};

/// The pooled estimate of the answers that are here, and remarks on it.
#[must_use]
pub fn pool(query: &Query, nodes: &[NodeState]) -> (Option<Pooled>, Vec<Note>) {
    let answers = || nodes.iter().filter_map(|node| node.answer.as_ref());
    // answers to another question are refused when they come (see `fits`)
    let pooled = match &query.statistic {
        Statistic::Count => {
            let cells = answers().filter_map(|answer| match answer {
                Answer::Count(answer) => Some(answer.cells.iter().map(|cell| (&cell.group, cell.persons)).collect()),
                _ => None,
            });
            some(&cells.collect::<Vec<_>>()).map(counts::pool)
        }
        Statistic::Histogram { .. } => {
            let histograms = answers().filter_map(|answer| match answer {
                Answer::Histogram(answer) => Some(answer),
                _ => None,
            });
            counts::pool_histograms(&histograms.collect::<Vec<_>>())
        }
        Statistic::Mean { .. } => {
            let sums = answers().filter_map(|answer| match answer {
                Answer::Mean(answer) => Some(answer),
                _ => None,
            });
            some(&sums.collect::<Vec<_>>()).map(means::pool)
        }
        Statistic::Survival { cuts_months, .. } => {
            let curves = answers().filter_map(|answer| match answer {
                Answer::Survival(answer) => Some(answer.groups.as_slice()),
                _ => None,
            });
            some(&curves.collect::<Vec<_>>()).map(|curves| pool_survival(curves, cuts_months))
        }
    };
    let notes = notes::of(nodes, pooled.as_ref());
    (pooled, notes)
}

fn some<T>(list: &[T]) -> Option<&[T]> {
    (!list.is_empty()).then_some(list)
}

fn pool_survival(countries: &[&[SurvivalGroup]], cuts: &[u16]) -> Pooled {
    let persons: Vec<Vec<(&GroupKey, Cell)>> =
        countries.iter().map(|groups| groups.iter().map(|group| (&group.group, group.persons)).collect()).collect();
    let missing: Vec<Vec<(&GroupKey, Cell)>> =
        countries.iter().map(|groups| groups.iter().map(|group| (&group.group, group.missing)).collect()).collect();
    let (persons, missing) = (counts::sums(&persons), counts::sums(&missing));

    let mut parts: BTreeMap<&GroupKey, Vec<&SurvivalGroup>> = BTreeMap::new();
    for group in countries.iter().flat_map(|groups| groups.iter()) {
        parts.entry(&group.group).or_default().push(group);
    }
    let with_curve = countries.iter().filter(|groups| groups.iter().any(has_curve)).count();
    let (mut groups, mut pooled_tables) = (Vec::new(), Vec::<Vec<PooledMonth>>::new());
    for (key, parts) in &parts {
        let curves: Vec<&SurvivalGroup> = parts.iter().filter(|group| has_curve(group)).copied().collect();
        let pooled = survival::pool(&curves.iter().map(|group| intervals(group)).collect::<Vec<_>>());
        let cuts_here = if curves.is_empty() {
            hidden_cuts(cuts, parts)
        } else {
            pooled_cuts(cuts, &curves, &survival::pooled_curve(&pooled))
        };
        groups.push(SurvivalGroup {
            group: (*key).clone(),
            persons: persons[key],
            missing: missing[key],
            cuts: cuts_here,
            boundaries: Boundaries::default(),
            as_of: None,
        });
        // rows whose value is missing are no group to compare
        if curves.is_empty() || key.values().any(Option::is_none) {
            continue;
        }
        pooled_tables.push(pooled.into_iter().take_while(|month| Some(&month.month) <= cuts.last()).collect());
    }
    // over the time that was asked for, which is what the reader sees
    let log_rank = log_rank(&pooled_tables).map(|test| LogRank {
        chi_squared: test.chi_squared,
        df: u32::try_from(test.degrees_of_freedom).unwrap_or(u32::MAX),
        p: test.p,
    });
    Pooled::Survival {
        estimator: Estimator::KaplanMeier,
        countries: u32::try_from(with_curve).unwrap_or(u32::MAX),
        groups,
        log_rank,
    }
}

/// Whether a country shows a curve of a group, from a table that adds up.
fn has_curve(group: &SurvivalGroup) -> bool {
    !intervals(group).is_empty()
}

/// Whether a country's curve is in the pooled one at a month.
fn reaches(group: &SurvivalGroup, month: u16) -> bool {
    has_curve(group) && group.boundaries.months.last().is_some_and(|last| *last >= month)
}

/// The cuts of a group of which no country shows a curve, with the reason of the first that gives one.
fn hidden_cuts(cuts: &[u16], countries: &[&SurvivalGroup]) -> Vec<Cut> {
    let reason = |month| {
        let cuts = countries.iter().flat_map(|group| &group.cuts).filter(|cut| cut.month == month);
        cuts.map(|cut| cut.events).find_map(|cell| match cell {
            Cell::Refused { reason } => Some(reason),
            _ => None,
        })
    };
    cuts.iter().filter_map(|&month| Some(Cut::hidden(month, reason(month)?))).collect()
}

/// The life table of a country from its boundaries; empty where it does not add up: a peer may lie about its data, but not
/// break the numbers of the others.
fn intervals(group: &SurvivalGroup) -> Vec<Interval> {
    let Some(mut entering) = group.persons.shown() else { return Vec::new() };
    let (mut from_month, mut survival) = (0, 1.0);
    let table = &group.boundaries;
    if [table.events.len(), table.withdrawn.len(), table.survival.len()] != [table.months.len(); 3] {
        return Vec::new();
    }
    let interval = |(to_month, events, withdrawn, next): (u16, u64, u64, f64)| {
        let left = entering.checked_sub(u64::checked_add(events, withdrawn)?)?;
        if to_month <= from_month || to_month > months::LAST_MONTH || !(0.0..=survival).contains(&next) {
            return None;
        }
        let interval = Interval {
            from_month,
            to_month,
            entering,
            at_risk_at_end: left,
            events,
            withdrawn,
            factor: if survival > 0.0 { next / survival } else { 0.0 },
            greenwood: 0.0, // the pooled variance comes from the pooled counts
        };
        (entering, from_month, survival) = (left, to_month, next);
        Some(interval)
    };
    table.rows().map(interval).collect::<Option<_>>().unwrap_or_default()
}

/// One row per cut asked for. Counts are sums since the last cut that every country behind the row shows; where one does not,
/// there is an estimate and no count.
fn pooled_cuts(cuts: &[u16], countries: &[&SurvivalGroup], curve: &[Point]) -> Vec<Cut> {
    let mut since = 0;
    cuts.iter()
        .map(|&month| {
            let point = curve.get(usize::from(month).saturating_sub(1));
            let covering: Vec<&SurvivalGroup> =
                countries.iter().filter(|group| reaches(group, month)).copied().collect();
            let shows = |group: &SurvivalGroup, month: u16| group.boundaries.months.contains(&month);
            let all_show = point.is_some() && covering.iter().all(|group| shows(group, month));
            let aligned = all_show && covering.iter().all(|group| since == 0 || shows(group, since));
            let hidden = Cell::Refused { reason: if point.is_none() { Withheld::TailCut } else { Withheld::Merged } };
            let inside = || {
                let rows = covering.iter().flat_map(|group| group.boundaries.rows());
                rows.filter(|(end, ..)| *end > since && *end <= month)
            };
            let (events, withdrawn) =
                inside().fold((0_u64, 0_u64), |sum, row| (sum.0.saturating_add(row.1), sum.1.saturating_add(row.2)));
            let at_risk = covering.iter().flat_map(|group| &group.cuts).filter(|cut| cut.month == month);
            let at_risk = at_risk.map(|cut| cut.at_risk.shown()).try_fold(0_u64, |sum, n| sum.checked_add(n?));
            let noisy = covering.iter().any(|group| group.persons.exact().is_none());
            let number = |n| if noisy { Cell::Perturbed { n } } else { Cell::Exact { n } };
            let at_risk = at_risk.map_or(Cell::Refused { reason: Withheld::OneDay }, number);
            let row = Cut {
                month,
                days: months::days(month),
                at_risk: if all_show { at_risk } else { hidden },
                events: if aligned { number(events) } else { hidden },
                withdrawn: if aligned { number(withdrawn) } else { hidden },
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

#[cfg(test)]
mod tests {
    use node_protocol::{
        answer::{CountAnswer, CountCell, SurvivalAnswer},
        release::{Release, Safeguards},
    };

    use node_protocol::study::Status;

    use super::*;

    const RELEASE: Release = Release::ExactAdHoc(Safeguards { persons: 5, events: 3, at_risk: 10 });

    fn node(name: &str, answer: Option<Answer>) -> NodeState {
        let status = if answer.is_some() { Status::Answered } else { Status::Unreachable };
        let node = name.parse().unwrap();
        NodeState { node, status, problem: None, snapshot: None, elapsed_ms: None, answer_file: None, answer }
    }

    fn query(statistic: Statistic) -> Query {
        Query {
            dictionary: "1.0".into(),
            project: None,
            table: "cases".into(),
            conditions: vec![],
            by: vec![],
            statistic,
        }
    }

    fn count(persons: Cell) -> Answer {
        let cells = vec![CountCell { group: GroupKey::new(), persons, cases: None, as_of: None }];
        Answer::Count(CountAnswer { release: RELEASE, cells })
    }

    fn survival(persons: u64, boundaries: Boundaries, at_risk: Cell) -> Answer {
        let cut = Cut {
            month: 48,
            days: 1461.0,
            at_risk,
            events: Cell::Exact { n: 5 },
            withdrawn: Cell::Exact { n: 5 },
            merged: false,
            survival: Some(0.9),
            standard_error: None,
            lower: None,
            upper: None,
            countries: None,
        };
        let missing = Cell::Banded { low: 0, high: 4 };
        let group = SurvivalGroup {
            group: GroupKey::new(),
            persons: Cell::Exact { n: persons },
            missing,
            cuts: vec![cut],
            boundaries,
            as_of: None,
        };
        Answer::Survival(SurvivalAnswer { release: RELEASE, endpoint: "overall".into(), groups: vec![group] })
    }

    fn boundaries() -> Boundaries {
        Boundaries { months: vec![48], events: vec![5], withdrawn: vec![5], survival: vec![0.9] }
    }

    fn pooled_cut(nodes: &[NodeState]) -> Cut {
        let statistic = Statistic::Survival { endpoint: "overall".into(), cuts_months: vec![48] };
        match pool(&query(statistic), nodes).0 {
            Some(Pooled::Survival { mut groups, .. }) => groups.remove(0).cuts.remove(0),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_sum_with_a_band_in_it_is_a_band() {
        let nodes = [
            node("mx", Some(count(Cell::Exact { n: 7 }))),
            node("ar", Some(count(Cell::Banded { low: 0, high: 4 }))),
            node("co", None),
        ];
        let (pooled, notes) = pool(&query(Statistic::Count), &nodes);
        let Some(Pooled::Count { countries, cells }) = pooled else { panic!("{pooled:?}") };
        assert_eq!((countries, cells[0].persons), (2, Cell::Banded { low: 7, high: 11 }));
        let codes: Vec<&str> = notes.iter().map(|note| note.code.as_str()).collect();
        assert_eq!(codes, ["partial", "unreachable", "banded", "pooled_band"]);
    }

    #[test]
    fn a_number_at_risk_that_one_country_withholds_has_no_sum() {
        let shown = survival(50, boundaries(), Cell::Exact { n: 40 });
        let withheld = survival(50, boundaries(), Cell::Refused { reason: Withheld::OneDay });
        assert_eq!(
            pooled_cut(&[node("mx", Some(shown.clone())), node("ar", Some(shown.clone()))]).at_risk,
            Cell::Exact { n: 80 }
        );
        let cut = pooled_cut(&[node("mx", Some(shown)), node("ar", Some(withheld))]);
        assert_eq!((cut.at_risk, cut.events), (Cell::Refused { reason: Withheld::OneDay }, Cell::Exact { n: 10 }));
    }

    #[test]
    fn the_countries_behind_a_pooled_cut_are_told_where_they_are_not_all() {
        let good = survival(50, boundaries(), Cell::Exact { n: 40 });
        let none = survival(50, Boundaries::default(), Cell::Exact { n: 40 });
        let nodes = [node("mx", Some(good.clone())), node("ar", Some(good)), node("uy", Some(none))];
        let statistic = Statistic::Survival { endpoint: "overall".into(), cuts_months: vec![12, 48] };
        let (_, notes) = pool(&query(statistic), &nodes);
        let told: Vec<&str> =
            notes.iter().filter(|note| note.code == "countries").map(|note| note.text.as_str()).collect();
        assert_eq!(told, ["Curve, all: at 12, 48 months all but uy."]);
    }

    #[test]
    fn a_sum_is_refused_for_the_reason_of_the_country_that_refuses() {
        let reason = Withheld::Complementary;
        let curve = survival(50, boundaries(), Cell::Exact { n: 40 });
        let Answer::Survival(mut hidden) = curve.clone() else { unreachable!("a curve") };
        (hidden.groups[0].persons, hidden.groups[0].cuts) = (Cell::Refused { reason }, vec![Cut::hidden(48, reason)]);
        hidden.groups[0].boundaries = Boundaries::default();
        let hidden = Answer::Survival(hidden);
        let statistic = Statistic::Survival { endpoint: "overall".into(), cuts_months: vec![48] };
        let groups = |nodes: &[NodeState]| match pool(&query(statistic.clone()), nodes).0 {
            Some(Pooled::Survival { groups, .. }) => groups,
            other => panic!("{other:?}"),
        };
        let both = groups(&[node("mx", Some(curve)), node("ar", Some(hidden.clone()))]);
        assert_eq!(both[0].persons, Cell::Refused { reason });
        assert!(both[0].cuts[0].survival.is_some(), "the curve is that of the other country");
        let alone = groups(&[node("ar", Some(hidden))]);
        assert_eq!(alone[0].cuts, [Cut::hidden(48, reason)], "a group without a curve is in the table and says why");
    }

    #[test]
    fn a_table_that_does_not_add_up_is_left_out() {
        let good = survival(50, boundaries(), Cell::Exact { n: 40 });
        let alone = pooled_cut(&[node("mx", Some(good.clone()))]);
        for bad in [
            Boundaries { events: vec![u64::MAX], ..boundaries() },
            Boundaries { events: vec![], ..boundaries() },
            Boundaries { months: vec![0], ..boundaries() },
            Boundaries { months: vec![500], ..boundaries() },
            Boundaries { survival: vec![f64::NAN], ..boundaries() },
            Boundaries { survival: vec![1.5], ..boundaries() },
        ] {
            let bad = survival(50, bad, Cell::Exact { n: 40 });
            assert_eq!(pooled_cut(&[node("mx", Some(good.clone())), node("ar", Some(bad))]), alone);
        }
    }
}

//! The kernel against a definition that visits one row at a time.

use std::collections::{BTreeMap, BTreeSet};

use node_domain::{
    dictionary::{Dictionary, Kind, Table},
    digest::Digest,
};
use node_policy::{
    permit::{Permitted, permit_audit},
    policy::Policy,
};
use node_protocol::query::{Condition, Query, Value, bins};
use node_snapshot::{
    columns::{Column, Columns, MISSING_NUMBER},
    manifest::{Manifest, Provenance},
    shelf::Snapshot,
};
use proptest::prelude::*;

use node_statistics::frequency::{Contribution, GroupTotal, Sum, TimeCount};

use super::{
    times::{Dense, Times},
    *,
};

/// A permit for a query that the dictionary knows: the one place where the tests make one.
pub(crate) fn permit(query: Query, dictionary: &Dictionary) -> Permitted<Query> {
    let policy = Policy::parse(include_str!("../../../../config/policy.toml")).unwrap();
    permit_audit(query, &policy, dictionary).unwrap()
}

/// A table of `rows` rows whose every value comes from a small generator, so that all codes and the missing value occur.
pub(crate) fn columns(table: &Table, rows: usize, seed: u64) -> (BTreeMap<String, Column>, Vec<u32>, Vec<u32>) {
    let mut state = seed | 1;
    let mut draw = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let columns = table
        .fields
        .iter()
        .map(|field| {
            let column = match &field.kind {
                Kind::Code(list) if list.is_narrow() => {
                    Column::Codes((0..rows).map(|_| u8::try_from(draw(list.codes.len() as u64 + 1)).unwrap()).collect())
                }
                Kind::Code(list) => {
                    let codes = list.codes.len() as u64;
                    let position =
                        |draw: u64| if draw == codes { MISSING_NUMBER } else { u16::try_from(draw).unwrap() };
                    Column::Numbers((0..rows).map(|_| position(draw(codes + 1))).collect())
                }
                Kind::Integer { minimum, maximum } => {
                    let span = u64::try_from((maximum - minimum).min(40)).unwrap();
                    let number = |draw: u64| {
                        if draw > span {
                            MISSING_NUMBER
                        } else {
                            u16::try_from(*minimum).unwrap() + u16::try_from(draw).unwrap()
                        }
                    };
                    Column::Numbers((0..rows).map(|_| number(draw(span + 3))).collect())
                }
                Kind::Amount { maximum } => Column::Amounts(vec![*maximum; rows]),
                _ => panic!("analysis tables are coded"),
            };
            (field.name.clone(), column)
        })
        .collect();
    let mut person = 0;
    // a quarter of the rows are repeats, or too few to read all rows again for them
    let share = if seed.is_multiple_of(2) { 4 } else { 40 };
    let persons: Vec<u32> = (0..rows)
        .map(|_| {
            person += u32::from(draw(share) > 0);
            person
        })
        .collect();
    let keys = persons.iter().map(|person| person.wrapping_mul(2_654_435_761)).collect();
    (columns, persons, keys)
}

/// A snapshot with one table, `cases`, and the person of each of its rows.
pub(crate) fn snapshot(dictionary: &Dictionary, rows: usize, seed: u64) -> (Snapshot, Vec<u32>) {
    let table = dictionary.table("cases").unwrap();
    let (columns_by_name, persons, keys) = columns(table, rows, seed);
    let columns = Columns::new(table, columns_by_name, &persons, keys).unwrap();
    (in_memory(BTreeMap::from([("cases".to_owned(), columns)])), persons)
}

pub(crate) fn in_memory(tables: BTreeMap<String, Columns>) -> Snapshot {
    let manifest =
        Manifest { format: 2, dictionary: "1.1".into(), provenance: Provenance::default(), tables: BTreeMap::new() };
    Snapshot::in_memory(manifest, Digest::of(b"test"), tables)
}

/// Whether a row meets a condition, by the definition.
pub(crate) fn passes(condition: &Condition, table: &Table, columns: &Columns, row: usize) -> bool {
    let value = |field: &str| match (columns.column(field).unwrap(), &table.field(field).unwrap().kind) {
        (Column::Codes(codes), Kind::Code(list)) => {
            list.codes.get(usize::from(codes[row])).map(|code| Value::Text(code.code.clone()))
        }
        (Column::Numbers(positions), Kind::Code(list)) => {
            list.codes.get(usize::from(positions[row])).map(|code| Value::Text(code.code.clone()))
        }
        (Column::Numbers(numbers), _) => {
            (numbers[row] != MISSING_NUMBER).then(|| Value::Integer(i64::from(numbers[row])))
        }
        _ => panic!("not coded"),
    };
    match condition {
        Condition::In { field, values } => value(field).is_some_and(|value| values.contains(&value)),
        Condition::Between { field, low, high } => {
            value(field).is_some_and(|value| matches!(value, Value::Integer(n) if (*low..=*high).contains(&n)))
        }
        Condition::IsMissing { field, missing } => value(field).is_none() == *missing,
        Condition::All(all) => all.iter().all(|one| passes(one, table, columns, row)),
        Condition::Any(any) => any.iter().any(|one| passes(one, table, columns, row)),
        Condition::Not(one) => !passes(one, table, columns, row),
    }
}

pub(crate) fn condition() -> impl Strategy<Value = Condition> {
    let text = |codes: &[&str]| codes.iter().map(|code| Value::Text((*code).to_owned())).collect::<Vec<_>>();
    let leaf = prop_oneof![
        proptest::sample::subsequence(vec!["1", "2", "3", "9"], 1..=4)
            .prop_map(move |codes| Condition::In { field: "sex".into(), values: text(&codes) }),
        proptest::sample::subsequence(vec!["1", "2", "3", "4", "y1", "y2", "X"], 1..=7)
            .prop_map(move |codes| Condition::In { field: "stage".into(), values: text(&codes) }),
        (1950..1995_i64, 0..20_i64).prop_map(|(low, span)| Condition::Between {
            field: "diagnosis_year".into(),
            low,
            high: low + span
        }),
        proptest::collection::vec(8000..8040_i64, 1..9).prop_map(|ages| Condition::In {
            field: "morphology".into(),
            values: ages.into_iter().map(Value::Integer).collect()
        }),
        (proptest::sample::select(vec!["sex", "morphology"]), any::<bool>())
            .prop_map(|(field, missing)| Condition::IsMissing { field: field.into(), missing }),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 1..3).prop_map(Condition::All),
            proptest::collection::vec(inner.clone(), 1..3).prop_map(Condition::Any),
            inner.prop_map(|one| Condition::Not(Box::new(one))),
        ]
    })
}

pub(crate) fn by() -> impl Strategy<Value = Vec<String>> {
    proptest::sample::subsequence(vec!["sex", "stage", "age_band", "risk_group"], 0..=2)
        .prop_map(|fields| fields.into_iter().map(str::to_owned).collect())
}

/// Any statistic on the table `cases`.
pub(crate) fn statistic() -> impl Strategy<Value = Statistic> {
    let measured = vec!["age_years", "morphology", "treatment_interval_days", "diagnosis_year"];
    prop_oneof![
        Just(Statistic::Count),
        proptest::sample::select(vec!["overall", "event_free"])
            .prop_map(|endpoint| Statistic::Survival { endpoint: endpoint.into(), cuts_months: vec![12] }),
        proptest::sample::select(measured.clone()).prop_map(|field| Statistic::Histogram { field: field.into() }),
        proptest::sample::subsequence(measured, 1..=3)
            .prop_map(|fields| Statistic::Mean { fields: fields.into_iter().map(str::to_owned).collect() }),
    ]
}

/// The value of a coded column in one row; the mark or the position past the end where it is missing.
pub(crate) fn number(columns: &Columns, name: &str, row: usize) -> u16 {
    match columns.column(name).unwrap() {
        Column::Numbers(numbers) => numbers[row],
        Column::Codes(codes) => u16::from(codes[row]),
        Column::Amounts(_) => panic!("an amount is neither a group nor a time"),
    }
}

/// The group of a row among `keys`, by its codes.
pub(crate) fn group_of(keys: &[GroupKey], query: &Query, table: &Table, columns: &Columns, row: usize) -> usize {
    let code = |name: &String| {
        let Kind::Code(list) = &table.field(name).unwrap().kind else { panic!("coded") };
        list.codes.get(usize::from(number(columns, name, row))).map(|code| code.code.clone())
    };
    let key: GroupKey = query.by.iter().map(|field| (field.clone(), code(field))).collect();
    keys.iter().position(|known| *known == key).unwrap()
}

/// The bin of a value, counted off the edges; the missing one last.
pub(crate) fn bin_of(edges: &[u16], value: u16) -> usize {
    if value == MISSING_NUMBER {
        return edges.len();
    }
    (0..edges.len()).rev().find(|bin| value >= edges[*bin]).unwrap()
}

/// The days and the cause of a row's endpoint, `None` where either is missing.
pub(crate) fn time(table: &Table, columns: &Columns, endpoint: &str, row: usize) -> Option<(u16, u8)> {
    let names = &table.endpoints[endpoint];
    let Kind::Code(causes) = &table.field(&names.event).unwrap().kind else { panic!("coded") };
    let (day, cause) = (number(columns, &names.days, row), number(columns, &names.event, row));
    (day != MISSING_NUMBER && usize::from(cause) < causes.codes.len()).then(|| (day, u8::try_from(cause).unwrap()))
}

/// The table by its definition, visiting one row at a time and remembering who was seen.
fn definition(query: &Query, table: &Table, columns: &Columns, persons: &[u32], keys: &[GroupKey]) -> FrequencyTable {
    let fields = match &query.statistic {
        Statistic::Mean { fields } => fields.clone(),
        _ => Vec::new(),
    };
    let edges = match &query.statistic {
        Statistic::Histogram { field } => bins::lower_edges(table.field(field).unwrap()),
        _ => Vec::new(),
    };
    let bins = if edges.is_empty() { 1 } else { edges.len() + 1 };
    let mut groups = vec![GroupTotal::default(); keys.len() * bins];
    let mut times: BTreeMap<(u32, u16, u8), (u32, u64)> = BTreeMap::new();
    let mut measured: BTreeMap<(usize, u32), (Contribution, u32)> = BTreeMap::new();
    let (mut seen, mut seen_without) = (BTreeSet::new(), BTreeSet::new());
    for (row, person) in persons.iter().enumerate() {
        if !query.conditions.iter().all(|condition| passes(condition, table, columns, row)) {
            continue;
        }
        let key = u64::from(columns.record_keys()[row]);
        let mut group = group_of(keys, query, table, columns, row) * bins;
        if let Statistic::Histogram { field } = &query.statistic {
            group += bin_of(&edges, number(columns, field, row));
        }
        if let Statistic::Survival { endpoint, .. } = &query.statistic {
            let Some((day, cause)) = time(table, columns, endpoint, row) else {
                groups[group].missing_time += 1;
                if seen_without.insert((group, *person)) {
                    groups[group].missing_key_sum += key;
                }
                continue;
            };
            if !seen.contains(&(group, *person)) {
                let (persons, key_sum) = times.entry((u32::try_from(group).unwrap(), day, cause)).or_default();
                *persons += 1;
                *key_sum += key;
            }
        }
        groups[group].rows += 1;
        if seen.insert((group, *person)) {
            groups[group].persons += 1;
            groups[group].key_sum += key;
        }
        for (at, field) in fields.iter().enumerate() {
            let value = number(columns, field, row);
            if value != MISSING_NUMBER {
                let of_person = measured.entry((group * fields.len() + at, *person)).or_default();
                of_person.0.rows += 1;
                of_person.0.sum += u64::from(value);
                of_person.0.sum_of_squares += u128::from(value).pow(2);
                of_person.1 = columns.record_keys()[row];
            }
        }
    }
    let sums = (0..keys.len() * fields.len()).map(|place| {
        let here: Vec<_> = measured.range((place, 0)..=(place, u32::MAX)).map(|(_, of_person)| *of_person).collect();
        let mut largest: Vec<u64> = here.iter().map(|(values, _)| values.sum).collect();
        largest.sort_unstable_by_key(|sum| std::cmp::Reverse(*sum));
        Sum {
            persons: here.len() as u64,
            rows: here.iter().map(|(values, _)| values.rows).sum(),
            key_sum: here.iter().map(|(_, key)| u64::from(*key)).sum(),
            sum: largest.iter().sum(),
            sum_of_squares: here.iter().map(|(values, _)| values.sum_of_squares).sum(),
            largest: largest.first().copied().unwrap_or(0),
            second: largest.get(1).copied().unwrap_or(0),
        }
    });
    let times = times.into_iter().map(|((group, day, cause), (persons, key_sum))| TimeCount {
        group,
        day,
        cause,
        persons,
        key_sum,
    });
    FrequencyTable { groups, times: times.collect(), sums: sums.collect() }
}

fn without_keys(mut table: FrequencyTable) -> FrequencyTable {
    for group in &mut table.groups {
        (group.key_sum, group.missing_key_sum) = (0, 0);
    }
    table.times.iter_mut().for_each(|time| time.key_sum = 0);
    table.sums.iter_mut().for_each(|sum| sum.key_sum = 0);
    table
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn the_kernel_equals_the_definition(
        conditions in proptest::collection::vec(condition(), 0..3),
        by in by(),
        statistic in statistic(),
        rows in prop_oneof![0..50_usize, 4000..9000_usize],
        seed in any::<u64>(),
    ) {
        let dictionary = Dictionary::built_in().unwrap();
        let (snapshot, persons) = snapshot(&dictionary, rows, seed);
        let query = Query { dictionary: "1.0".into(), project: None, table: "cases".into(), conditions, by, statistic };
        let fitting = query.check_against(&dictionary);
        prop_assume!(fitting.is_ok(), "too many cells");
        let permitted = permit(query.clone(), &dictionary);
        let columns = snapshot.table("cases").unwrap();
        let plan = Plan::of(&permitted, columns, Measures { record_keys: true }).unwrap();
        let keys = plan.grouping.keys();
        let expected = definition(&query, permitted.table(), columns, &persons, &keys);
        prop_assert_eq!(keys.len() * plan.grouping.bins(), expected.groups.len());
        prop_assert!(plan.run() == expected, "with keys");
        let plain = Plan::of(&permitted, columns, Measures::default()).unwrap().run();
        prop_assert!(plain == without_keys(expected), "plain");
    }
}

#[test]
fn years_group_within_the_range_that_the_filter_leaves() {
    let dictionary = Dictionary::built_in().unwrap();
    let (snapshot, _) = snapshot(&dictionary, 5000, 3);
    let json = br#"{"dictionary":"1.0","table":"cases","by":["diagnosis_year"],
        "where":[{"field":"diagnosis_year","between":[1960,1964]}],"statistic":{"kind":"count"}}"#;
    let permitted = permit(Query::parse(json).unwrap(), &dictionary);
    let columns = snapshot.table("cases").unwrap();
    let plan = Plan::of(&permitted, columns, Measures::default()).unwrap();
    let Some(Column::Numbers(years)) = columns.column("diagnosis_year") else { panic!("numbers") };
    let expected: Vec<u64> =
        (1960..=1964).map(|year| years.iter().filter(|y| **y == year).count() as u64).chain([0]).collect();
    assert_eq!(plan.run().groups.iter().map(|group| group.rows).collect::<Vec<_>>(), expected);
    assert_eq!(plan.grouping.keys()[0]["diagnosis_year"].as_deref(), Some("1960"));
    assert_eq!(plan.grouping.keys()[5]["diagnosis_year"], None);
}

#[test]
fn many_groups_are_sorted_and_equal_the_dense_count() {
    let dictionary = Dictionary::built_in().unwrap();
    let (snapshot, _) = snapshot(&dictionary, 3000, 9);
    let json = br#"{"dictionary":"1.0","table":"cases","by":["stage","sex"],
        "statistic":{"kind":"survival","endpoint":"overall","cuts_months":[12]}}"#;
    let permitted = permit(Query::parse(json).unwrap(), &dictionary);
    let columns = snapshot.table("cases").unwrap();
    for record_keys in [false, true] {
        let plan = Plan::of(&permitted, columns, Measures { record_keys }).unwrap();
        let counted = |times: Times| {
            let mut tally = Tally::new(&plan);
            tally.times = times;
            let mut groups = vec![0; columns.rows()];
            plan.grouping.assign(0, &mut groups);
            tally.count(0, &mut groups, &vec![1; columns.rows()]);
            tally.finish()
        };
        let (days, causes) = (100, 3); // all days of the test table lie below 98; censored, death, missing
        let dense = counted(Times::Dense(Dense::new(plan.grouping.groups(), days, causes, record_keys)));
        assert!(plan.run() == dense, "by size");
        assert!(counted(Times::listed()) == dense);
    }
}

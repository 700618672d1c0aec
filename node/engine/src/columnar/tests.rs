//! The kernel against a definition that visits one row at a time.

use std::collections::{BTreeMap, BTreeSet};

use node_domain::{
    dictionary::{Dictionary, Kind, Table},
    digest::Digest,
};
use node_policy::{permit::permit_indicator, policy::Policy};
use node_protocol::query::{Condition, Query, Value};
use node_snapshot::{
    columns::{Column, Columns, MISSING_NUMBER},
    manifest::{Manifest, Provenance},
    shelf::Snapshot,
};
use proptest::prelude::*;

use node_statistics::frequency::Moments;

use super::*;

/// A table of `rows` rows whose every value comes from a small generator, so that all codes and the missing value occur.
fn columns(table: &Table, rows: usize, seed: u64) -> (BTreeMap<String, Column>, Vec<u32>, Vec<u32>) {
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
    let persons: Vec<u32> = (0..rows)
        .map(|_| {
            person += u32::from(draw(4) > 0);
            person
        })
        .collect();
    let keys = persons.iter().map(|person| person.wrapping_mul(2_654_435_761)).collect();
    (columns, persons, keys)
}

fn snapshot(dictionary: &Dictionary, rows: usize, seed: u64) -> (Snapshot, Vec<u32>) {
    let table = dictionary.table("cases").unwrap();
    let (columns_by_name, persons, keys) = columns(table, rows, seed);
    let columns = Columns::new(table, columns_by_name, &persons, keys).unwrap();
    let manifest =
        Manifest { format: 2, dictionary: "1.1".into(), provenance: Provenance::default(), tables: BTreeMap::new() };
    (Snapshot::in_memory(manifest, Digest::of(b"test"), BTreeMap::from([("cases".to_owned(), columns)])), persons)
}

fn passes(condition: &Condition, table: &Table, columns: &Columns, row: usize) -> bool {
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

fn condition() -> impl Strategy<Value = Condition> {
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

fn by() -> impl Strategy<Value = Vec<String>> {
    proptest::sample::subsequence(vec!["sex", "stage", "age_band", "risk_group"], 0..=2)
        .prop_map(|fields| fields.into_iter().map(str::to_owned).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn the_kernel_equals_the_definition(
        conditions in proptest::collection::vec(condition(), 0..3),
        by in by(),
        survival in any::<bool>(),
        rows in prop_oneof![0..50_usize, 4000..9000_usize],
        seed in any::<u64>(),
    ) {
        let dictionary = Dictionary::built_in().unwrap();
        let policy = Policy::parse(include_str!("../../../../config/policy.toml")).unwrap();
        let (snapshot, persons) = snapshot(&dictionary, rows, seed);
        let statistic = if survival {
            Statistic::Survival { endpoint: "event_free".into(), cuts_months: vec![12] }
        } else {
            Statistic::Count
        };
        let query = Query { dictionary: "1.0".into(), project: None, table: "cases".into(), conditions, by, statistic };
        let permitted = permit_indicator(query.clone(), &policy, &dictionary).unwrap();
        let columns = snapshot.table("cases").unwrap();
        let measures = Measures { record_keys: true, moments_of: Some("age_years") };
        let plan = Plan::of(&permitted, columns, measures).unwrap();
        let table = plan.run();
        let plain = Plan::of(&permitted, columns, Measures::default()).unwrap().run();

        // a row at a time
        let keys = plan.grouping.keys();
        let mut groups = vec![GroupTotal::default(); keys.len()];
        let mut times: BTreeMap<(u32, u16, u8), u32> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        let numbers = |name: &str, row: usize| match columns.column(name).unwrap() {
            Column::Numbers(numbers) => numbers[row],
            Column::Codes(codes) => u16::from(codes[row]),
            Column::Amounts(_) => panic!("an amount is neither a group nor a time"),
        };
        let code = |name: &str, row: usize| {
            let Kind::Code(list) = &permitted.table().field(name).unwrap().kind else { panic!("coded") };
            list.codes.get(usize::from(numbers(name, row))).map(|code| code.code.clone())
        };
        for (row, person) in persons.iter().enumerate() {
            if !query.conditions.iter().all(|condition| passes(condition, permitted.table(), columns, row)) {
                continue;
            }
            let key: GroupKey = query.by.iter().map(|field| (field.clone(), code(field, row))).collect();
            let group = keys.iter().position(|known| *known == key).unwrap();
            if survival {
                let (day, cause) = (numbers("event_free_days", row), u8::try_from(numbers("event_free_event", row)).unwrap());
                if day == MISSING_NUMBER || code("event_free_event", row).is_none() {
                    groups[group].missing_time += 1;
                    continue;
                }
                if !seen.contains(&(group, *person)) {
                    *times.entry((u32::try_from(group).unwrap(), day, cause)).or_default() += 1;
                }
            }
            groups[group].rows += 1;
            if seen.insert((group, *person)) {
                groups[group].persons += 1;
                groups[group].key_sum += u64::from(columns.record_keys()[row]);
            }
            let age = numbers("age_years", row);
            if age != MISSING_NUMBER {
                groups[group].moments.n += 1;
                groups[group].moments.sum += u64::from(age);
                groups[group].moments.sum_of_squares += u128::from(age) * u128::from(age);
            }
        }
        let times: Vec<TimeCount> =
            times.into_iter().map(|((group, day, cause), rows)| TimeCount { group, day, cause, persons: rows }).collect();
        let expected = FrequencyTable { groups: groups.clone(), times: times.clone() };
        prop_assert!(table == expected, "with measures");
        for group in &mut groups {
            group.key_sum = 0;
            group.moments = Moments::default();
        }
        let expected = FrequencyTable { groups, times };
        prop_assert!(plain == expected, "plain");
    }
}

#[test]
fn years_group_within_the_range_that_the_filter_leaves() {
    let dictionary = Dictionary::built_in().unwrap();
    let policy = Policy::parse(include_str!("../../../../config/policy.toml")).unwrap();
    let (snapshot, _) = snapshot(&dictionary, 5000, 3);
    let json = br#"{"dictionary":"1.0","table":"cases","by":["diagnosis_year"],
        "where":[{"field":"diagnosis_year","between":[1960,1964]}],"statistic":{"kind":"count"}}"#;
    let permitted = permit_indicator(Query::parse(json).unwrap(), &policy, &dictionary).unwrap();
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
    let policy = Policy::parse(include_str!("../../../../config/policy.toml")).unwrap();
    let (snapshot, _) = snapshot(&dictionary, 3000, 9);
    let json = br#"{"dictionary":"1.0","table":"cases","by":["stage","sex"],
        "statistic":{"kind":"survival","endpoint":"overall","cuts_months":[12]}}"#;
    let permitted = permit_indicator(Query::parse(json).unwrap(), &policy, &dictionary).unwrap();
    let columns = snapshot.table("cases").unwrap();
    let plan = Plan::of(&permitted, columns, Measures::default()).unwrap();
    let listed_by_size = plan.run();
    let mut dense = Tally::new(&plan);
    let (days, causes) = (100, 3); // all days of the test table lie below 98; censored, death, missing
    dense.times = Times::Dense { days, causes, counters: vec![0; (plan.grouping.groups() + 1) * days * causes] };
    let mut groups = vec![0; columns.rows()];
    plan.grouping.assign(0, &mut groups);
    dense.count(0, &mut groups, &vec![1; columns.rows()]);
    let dense = dense.finish();
    assert!(listed_by_size == dense, "by size");
    let mut listed = Tally { times: Times::listed(), ..Tally::new(&plan) };
    let mut groups = vec![0; columns.rows()];
    plan.grouping.assign(0, &mut groups);
    listed.count(0, &mut groups, &vec![1; columns.rows()]);
    assert!(listed.finish() == dense);
}

//! Patterns and changes against definitions that keep a set of cells for each unit.

use std::collections::{BTreeMap, BTreeSet};

use node_disclosure::layout::Layout;
use node_domain::{
    dictionary::{Dictionary, Table},
    months::first_day_after,
};
use node_protocol::query::{Condition, Statistic, bins};
use node_snapshot::columns::{Column, Columns, MISSING_NUMBER};
use proptest::prelude::*;

use super::*;
use crate::columnar::tests as kernel;

type Patterns = BTreeMap<Vec<u32>, u64>;

fn patterns(membership: &Membership) -> Patterns {
    let mut patterns = Patterns::new();
    for pattern in &membership.patterns {
        assert!(!pattern.cells.is_empty() && pattern.cells.windows(2).all(|pair| pair[0] < pair[1]));
        // a phantom may be like units that there are
        let known = patterns.insert(pattern.cells.clone(), pattern.units);
        assert!(known.is_none() || pattern.units == 0, "listed twice");
        *patterns.entry(pattern.cells.clone()).or_default() += known.unwrap_or(0);
    }
    patterns
}

fn query(table: &str, by: &[&str], statistic: Statistic) -> Query {
    let by = by.iter().map(|field| (*field).to_owned()).collect();
    Query { dictionary: "1.0".into(), project: None, table: table.into(), conditions: Vec::new(), by, statistic }
}

fn survival() -> Statistic {
    Statistic::Survival { endpoint: "overall".into(), cuts_months: vec![12] }
}

fn mean(fields: &[&str]) -> Statistic {
    Statistic::Mean { fields: fields.iter().map(|field| (*field).to_owned()).collect() }
}

fn histogram(field: &str) -> Statistic {
    Statistic::Histogram { field: field.into() }
}

/// The local cells of one row, where it is the first with a time of its unit in its group or has none.
fn cells_of_row(
    question: &Question<'_>,
    layout: &Layout,
    row: usize,
    timed: &mut BTreeSet<(usize, u32)>,
) -> Vec<usize> {
    let (query, table) = (question.permitted.query(), question.permitted.table());
    let columns = columns_of(question.snapshot, question.permitted).unwrap();
    if !query.conditions.iter().all(|condition| kernel::passes(condition, table, columns, row)) {
        return Vec::new();
    }
    let keys = Plan::of(question.permitted, columns, Measures::default()).unwrap().grouping.keys();
    let group = kernel::group_of(&keys, query, table, columns, row);
    match &query.statistic {
        Statistic::Count => vec![layout.persons(group)],
        Statistic::Histogram { field } => {
            let edges = bins::lower_edges(table.field(field).unwrap());
            vec![layout.part(group, kernel::bin_of(&edges, kernel::number(columns, field, row)))]
        }
        Statistic::Mean { fields } => {
            let with_value = fields.iter().enumerate();
            let with_value = with_value.filter(|(_, field)| kernel::number(columns, field, row) != MISSING_NUMBER);
            with_value.map(|(at, _)| layout.part(group, at)).collect()
        }
        Statistic::Survival { endpoint, .. } => match kernel::time(table, columns, endpoint, row) {
            None => vec![layout.missing(group)],
            Some(_) if !timed.insert((group, columns.record_keys()[row])) => Vec::new(),
            Some((_, 0)) => vec![layout.persons(group)],
            Some((day, _)) => {
                let before = |boundary: &&u16| u32::from(day) >= first_day_after(**boundary);
                let interval = question.boundaries[group].iter().filter(before).count();
                vec![layout.persons(group), layout.events(group, interval)]
            }
        },
    }
}

fn by_definition(questions: &[Question<'_>], membership: &Membership) -> Patterns {
    let mut of_unit: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
    for ((question, layout), offset) in questions.iter().zip(&membership.layouts).zip(&membership.offsets) {
        let columns = columns_of(question.snapshot, question.permitted).unwrap();
        let mut timed = BTreeSet::new();
        for row in 0..columns.rows() {
            let cells = cells_of_row(question, layout, row, &mut timed);
            let cells = cells.into_iter().map(|cell| offset + u32::try_from(cell).unwrap());
            of_unit.entry(columns.record_keys()[row]).or_default().extend(cells);
        }
    }
    let mut patterns = Patterns::new();
    for cells in of_unit.into_values().filter(|cells| !cells.is_empty()) {
        *patterns.entry(cells.into_iter().collect()).or_default() += 1;
    }
    patterns
}

fn boundaries(query: &Query, dictionary: &Dictionary, groups: usize) -> Vec<Vec<u16>> {
    query.check_against(dictionary).unwrap();
    // the generator's times are days 0 to 40, which are months 1 and 2
    let curves = [vec![], vec![1], vec![1, 2], vec![2, 60]];
    match query.statistic {
        Statistic::Survival { .. } => curves.into_iter().cycle().take(groups).collect(),
        _ => Vec::new(),
    }
}

fn queries() -> impl Strategy<Value = Vec<(Query, bool)>> {
    let cases = (proptest::collection::vec(kernel::condition(), 0..2), kernel::by(), kernel::statistic())
        .prop_map(|(conditions, by, statistic)| Query { conditions, by, ..query("cases", &[], statistic) });
    let treatments = (
        proptest::sample::subsequence(vec!["sex", "intent"], 0..=2),
        proptest::sample::select(vec![
            Statistic::Count,
            histogram("delay_days"),
            mean(&["duration_days", "delay_days"]),
        ]),
    );
    let treatments = treatments.prop_map(|(by, statistic)| query("treatments", &by, statistic));
    proptest::collection::vec((prop_oneof![3 => cases, 1 => treatments], any::<bool>()), 1..5)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn patterns_equal_the_sets_of_cells(queries in queries(), rows in 0..120_usize, seed in any::<u64>(), phantom in any::<u64>()) {
        let dictionary = Dictionary::built_in().unwrap();
        prop_assume!(queries.iter().all(|(query, _)| query.check_against(&dictionary).is_ok()));
        let snapshots = [rows, rows / 2 + 20].map(|rows| {
            let tables = ["cases", "treatments"].map(|name| {
                let table = dictionary.table(name).unwrap();
                let (columns, persons, keys) = kernel::columns(table, rows, seed);
                (name.to_owned(), Columns::new(table, columns, &persons, keys).unwrap())
            });
            kernel::in_memory(BTreeMap::from(tables))
        });
        let permits: Vec<_> = queries.iter().map(|(query, _)| kernel::permit(query.clone(), &dictionary)).collect();
        let curves: Vec<_> = permits.iter().map(|permit| boundaries(permit.query(), &dictionary, 5000)).collect();
        let asked = queries.iter().zip(&permits).zip(&curves);
        let questions: Vec<_> = asked
            .map(|(((_, second), permitted), boundaries)| Question { snapshot: &snapshots[usize::from(*second)], permitted, boundaries })
            .collect();
        let linked = link(&questions, &[], usize::MAX).unwrap();
        let real = patterns(&linked);
        prop_assert_eq!(&real, &by_definition(&questions, &linked));

        // with a phantom in any cell of each question there is a pattern for that cell, and the real ones stay as they are
        let phantoms: Vec<_> = linked.layouts.iter().enumerate().map(|(at, layout)| (at, (phantom % layout.len() as u64) as usize)).collect();
        let with_phantoms = patterns(&link(&questions, &phantoms, usize::MAX).unwrap());
        for (question, cell) in phantoms.iter().filter(|(question, cell)| !linked.layouts[*question].counts_missing(*cell)) {
            let cell = linked.offsets[*question] + u32::try_from(*cell).unwrap();
            prop_assert!(with_phantoms.keys().any(|cells| cells.contains(&cell)));
        }
        let existing: Patterns = with_phantoms.into_iter().filter(|(_, units)| *units > 0).collect();
        prop_assert_eq!(existing, real);
    }

    #[test]
    fn changes_equal_the_definition(
        conditions in proptest::collection::vec(kernel::condition(), 0..2),
        by in kernel::by(),
        statistic in kernel::statistic(),
        rows in 1..200_usize,
        seed in any::<u64>(),
        altered in proptest::collection::btree_set(0..200_usize, 0..20),
        gone in 0..5_usize,
    ) {
        let dictionary = Dictionary::built_in().unwrap();
        let table = dictionary.table("cases").unwrap();
        let query = Query { conditions, by, ..query("cases", &[], statistic) };
        prop_assume!(query.check_against(&dictionary).is_ok());
        let permitted = kernel::permit(query, &dictionary);
        let (old_columns, persons, keys) = kernel::columns(table, rows, seed);
        let (other, ..) = kernel::columns(table, rows, seed ^ 0x5555);
        let left = rows.saturating_sub(gone);
        let pick = |row: &usize| altered.contains(row);
        let new_columns: BTreeMap<String, Column> = old_columns.iter().map(|(name, column)| {
            let column = match (column, &other[name]) {
                (Column::Codes(a), Column::Codes(b)) => Column::Codes((0..left).map(|row| if pick(&row) { b[row] } else { a[row] }).collect()),
                (Column::Numbers(a), Column::Numbers(b)) => Column::Numbers((0..left).map(|row| if pick(&row) { b[row] } else { a[row] }).collect()),
                _ => panic!("coded"),
            };
            (name.clone(), column)
        }).collect();
        let snapshot = |columns, rows: usize| {
            let columns = Columns::new(table, columns, &persons[..rows], keys[..rows].to_vec()).unwrap();
            kernel::in_memory(BTreeMap::from([("cases".to_owned(), columns)]))
        };
        let (old, new) = (snapshot(old_columns, rows), snapshot(new_columns, left));
        let expected = changes_by_definition([&old, &new], &permitted);
        prop_assert_eq!(changes::between((&old, &permitted), (&new, &permitted)).unwrap(), expected);
    }
}

fn changes_by_definition(snapshots: [&Snapshot; 2], permitted: &Permitted<Query>) -> Vec<u64> {
    let (query, table) = (permitted.query(), permitted.table());
    let mut groups = 0;
    let sides = snapshots.map(|snapshot| {
        let columns = columns_of(snapshot, permitted).unwrap();
        let keys = Plan::of(permitted, columns, Measures::default()).unwrap().grouping.keys();
        groups = keys.len();
        // what each unit adds to each group, as words
        let mut added: BTreeMap<(u32, usize), BTreeSet<String>> = BTreeMap::new();
        let mut rows_of: BTreeMap<(u32, usize), Vec<usize>> = BTreeMap::new();
        for row in 0..columns.rows() {
            if query.conditions.iter().all(|condition| kernel::passes(condition, table, columns, row)) {
                let group = kernel::group_of(&keys, query, table, columns, row);
                rows_of.entry((columns.record_keys()[row], group)).or_default().push(row);
            }
        }
        for (place, rows) in rows_of {
            let words = match &query.statistic {
                Statistic::Count => BTreeSet::from([format!("{} rows", rows.len())]),
                Statistic::Histogram { field } => {
                    let edges = bins::lower_edges(table.field(field).unwrap());
                    let bin = |row: &usize| kernel::bin_of(&edges, kernel::number(columns, field, *row)).to_string();
                    rows.iter().map(bin).collect()
                }
                Statistic::Mean { fields } => fields
                    .iter()
                    .filter_map(|field| {
                        let values: Vec<u64> = rows
                            .iter()
                            .map(|row| u64::from(kernel::number(columns, field, *row)))
                            .filter(|value| *value != u64::from(MISSING_NUMBER))
                            .collect();
                        let (sum, squares) =
                            (values.iter().sum::<u64>(), values.iter().map(|value| value * value).sum::<u64>());
                        (!values.is_empty()).then(|| format!("{field} {} {sum} {squares}", values.len()))
                    })
                    .collect(),
                Statistic::Survival { endpoint, .. } => {
                    let times: Vec<_> = rows.iter().map(|row| kernel::time(table, columns, endpoint, *row)).collect();
                    let without = times.iter().filter(|time| time.is_none()).count();
                    let first = times.into_iter().flatten().next().map(|(day, cause)| match cause {
                        0 => "no event".to_owned(),
                        cause => format!("{cause} in month {}", node_domain::months::month_of(day)),
                    });
                    first.into_iter().chain((without > 0).then(|| format!("{without} without"))).collect()
                }
            };
            if !words.is_empty() {
                added.insert(place, words);
            }
        }
        added
    });
    let places: BTreeSet<_> = sides.iter().flat_map(BTreeMap::keys).collect();
    let mut changed = vec![0; groups];
    for place in places {
        changed[place.1] += u64::from(sides[0].get(place) != sides[1].get(place));
    }
    changed
}

/// A table whose fields are all missing but for those given, one value per row.
fn table_of(table: &Table, persons: &[u32], keys: Vec<u32>, given: &[(&str, &[u16])]) -> Columns {
    let (mut columns, ..) = kernel::columns(table, persons.len(), 1);
    for (name, column) in &mut columns {
        let values = given.iter().find(|(field, _)| field == name).map(|(_, values)| *values);
        match column {
            Column::Codes(codes) => {
                let node_domain::dictionary::Kind::Code(list) = &table.field(name).unwrap().kind else { panic!() };
                let missing = u8::try_from(list.codes.len()).unwrap();
                codes.fill(missing);
                codes
                    .iter_mut()
                    .zip(values.unwrap_or(&[]))
                    .for_each(|(c, v)| *c = u8::try_from(*v).unwrap().min(missing));
            }
            Column::Numbers(numbers) => {
                numbers.fill(MISSING_NUMBER);
                numbers.iter_mut().zip(values.unwrap_or(&[])).for_each(|(n, v)| *n = *v);
            }
            Column::Amounts(_) => {}
        }
    }
    Columns::new(table, columns, persons, keys).unwrap()
}

const NONE: u16 = MISSING_NUMBER;

#[test]
fn a_person_in_several_tables_and_groups_has_one_pattern() {
    let dictionary = Dictionary::built_in().unwrap();
    let (cases, treatments) = (dictionary.table("cases").unwrap(), dictionary.table("treatments").unwrap());
    // person 70 has two tumours, by sex 0 and 1 (a correction); person 71 one; person 72 is treated only
    let cases = table_of(
        cases,
        &[0, 0, 1],
        vec![70, 70, 71],
        &[("sex", &[0, 1, 0]), ("overall_days", &[40, 5, NONE]), ("overall_event", &[1, 0, 1])],
    );
    let treatments = table_of(
        treatments,
        &[0, 0, 1],
        vec![72, 72, 70],
        &[("sex", &[1, 1, 0]), ("duration_days", &[3, NONE, NONE]), ("delay_days", &[NONE, 4, 5])],
    );
    let snapshot =
        kernel::in_memory(BTreeMap::from([("cases".to_owned(), cases), ("treatments".to_owned(), treatments)]));
    let permits = [
        query("cases", &["sex"], Statistic::Count),
        query("treatments", &["sex"], mean(&["duration_days", "delay_days"])),
        query("cases", &["sex"], survival()),
    ]
    .map(|query| kernel::permit(query, &dictionary));
    let hidden = vec![vec![1], vec![], vec![], vec![], vec![], vec![]];
    let questions: Vec<_> =
        permits.iter().map(|permitted| Question { snapshot: &snapshot, permitted, boundaries: &hidden }).collect();
    let membership = link(&questions, &[], usize::MAX).unwrap();
    let cell = |question: usize, cell: usize| membership.offsets[question] + u32::try_from(cell).unwrap();
    let [count, measured, curves] = membership.layouts.as_slice() else { panic!() };
    let twice = vec![
        cell(0, count.persons(0)),
        cell(0, count.persons(1)),
        cell(1, measured.part(0, 1)),
        cell(2, curves.persons(0)),
        cell(2, curves.events(0, 1)),
        cell(2, curves.persons(1)),
    ];
    let once = vec![cell(0, count.persons(0)), cell(2, curves.missing(0))];
    let treated = vec![cell(1, measured.part(1, 0)), cell(1, measured.part(1, 1))];
    assert_eq!(patterns(&membership), Patterns::from([(twice, 1), (once, 1), (treated, 1)]));
}

#[test]
fn persons_whose_keys_coincide_stay_two() {
    let dictionary = Dictionary::built_in().unwrap();
    let [cases, treatments] = ["cases", "treatments"].map(|name| {
        let columns = table_of(dictionary.table(name).unwrap(), &[0, 1, 2], vec![9, 9, 4], &[("sex", &[0, 0, 1])]);
        (name.to_owned(), columns)
    });
    let snapshot = kernel::in_memory(BTreeMap::from([cases, treatments]));
    let permits =
        ["cases", "treatments"].map(|table| kernel::permit(query(table, &["sex"], Statistic::Count), &dictionary));
    let questions = permits.each_ref().map(|permitted| Question { snapshot: &snapshot, permitted, boundaries: &[] });
    let membership = link(&questions, &[], usize::MAX).unwrap();
    let next = membership.offsets[1];
    assert_eq!(patterns(&membership), Patterns::from([(vec![0, next], 2), (vec![1, 1 + next], 1)]));
}

#[test]
fn a_phantom_is_like_the_row_that_needs_the_least_change() {
    let dictionary = Dictionary::built_in().unwrap();
    let cases = table_of(
        dictionary.table("cases").unwrap(),
        &[0, 1],
        vec![5, 6],
        &[
            ("sex", &[0, 1]),
            ("stage", &[2, 0]),
            ("age_years", &[3, 9]),
            ("overall_days", &[40, 50]),
            ("overall_event", &[1, 1]),
        ],
    );
    let snapshot = kernel::in_memory(BTreeMap::from([("cases".to_owned(), cases)]));
    let girls = Condition::In { field: "sex".into(), values: vec![node_protocol::query::Value::Text("2".into())] };
    let permits = [
        Query { conditions: vec![girls], ..query("cases", &["stage"], Statistic::Count) },
        query("cases", &["sex"], Statistic::Count),
        query("cases", &["stage"], survival()),
        query("cases", &[], histogram("age_years")),
        query("cases", &["sex"], mean(&["treatment_interval_days"])),
    ]
    .map(|query| kernel::permit(query, &dictionary));
    let open = vec![vec![1]; 20];
    let questions = permits.each_ref().map(|permitted| Question { snapshot: &snapshot, permitted, boundaries: &open });
    let layouts = link(&questions, &[], usize::MAX).unwrap().layouts;
    let phantoms = [
        (0, layouts[0].persons(4)),
        (0, layouts[0].persons(0)), // a girl of this stage there is already
        (3, layouts[3].part(0, 10)),
        (4, layouts[4].part(0, 0)),
    ];
    let membership = link(&questions, &phantoms, usize::MAX).unwrap();
    let cell = |question: usize, cell: usize| membership.offsets[question] + u32::try_from(cell).unwrap();
    let empty: Vec<_> = membership.patterns.iter().filter(|pattern| pattern.units == 0).map(|p| &p.cells).collect();
    let persons = |question: usize, group: usize| cell(question, layouts[question].persons(group));
    assert_eq!(empty.len(), 4, "the second phantom has no event and so is no girl that there is");
    // like the second row, with another stage
    assert_eq!(*empty[0], [persons(0, 4), persons(1, 1), persons(2, 4), cell(3, layouts[3].part(0, 1))]);
    // like the first row, of another age
    assert_eq!(*empty[2], [persons(1, 0), persons(2, 2), cell(3, layouts[3].part(0, 10))]);
    // like the first row, with a morphology
    let with_value = [persons(1, 0), persons(2, 2), cell(3, layouts[3].part(0, 0)), cell(4, layouts[4].part(0, 0))];
    assert_eq!(*empty[3], with_value);
    let real = membership.patterns.iter().filter(|pattern| pattern.units == 1).count();
    assert_eq!(real, 2);
}

#[test]
fn a_phantom_counts_in_its_cell_by_its_values_too() {
    let dictionary = Dictionary::built_in().unwrap();
    for name in ["cases", "case_discussions", "stock"] {
        let table = dictionary.table(name).unwrap();
        let snapshot = kernel::in_memory(BTreeMap::from([(name.to_owned(), table_of(table, &[0], vec![1], &[]))]));
        let counts = table.fields.iter().filter(|field| field.groupable);
        let counts = counts.map(|field| query(name, &[&field.name], Statistic::Count));
        let numbers = table.fields.iter().filter(|field| field.filterable && !bins::lower_edges(field).is_empty());
        let numbers = numbers.flat_map(|field| [histogram(&field.name), mean(&[&field.name])]);
        for query in counts.chain(numbers.map(|statistic| query(name, &[], statistic))) {
            if query.check_against(&dictionary).is_err() {
                continue; // too many cells
            }
            // the same question twice: in the first one its cell is forced, in the second only its values decide
            let permits = [query.clone(), query.clone()].map(|query| kernel::permit(query, &dictionary));
            let questions =
                permits.each_ref().map(|permitted| Question { snapshot: &snapshot, permitted, boundaries: &[] });
            let cells = link(&questions, &[], usize::MAX).unwrap().layouts[0].len();
            let phantoms: Vec<_> = (0..cells).map(|cell| (0, cell)).collect();
            let membership = link(&questions, &phantoms, usize::MAX).unwrap();
            let patterns = patterns(&membership);
            assert_eq!(patterns.len(), cells, "{query:?}");
            for cells in patterns.keys() {
                assert_eq!(cells.len(), 2, "{query:?}");
                assert_eq!(cells[1] - cells[0], membership.offsets[1], "{query:?}");
            }
        }
    }
}

#[test]
fn a_phantom_in_a_bin_keeps_within_the_filter_where_the_bin_allows() {
    let dictionary = Dictionary::built_in().unwrap();
    let cases = table_of(dictionary.table("cases").unwrap(), &[0], vec![1], &[("age_years", &[11])]);
    let snapshot = kernel::in_memory(BTreeMap::from([("cases".to_owned(), cases)]));
    let ages = vec![Condition::Between { field: "age_years".into(), low: 7, high: 12 }];
    let query = Query { conditions: ages, ..query("cases", &[], histogram("age_years")) };
    let permits = [query.clone(), query].map(|query| kernel::permit(query, &dictionary));
    let questions = permits.each_ref().map(|permitted| Question { snapshot: &snapshot, permitted, boundaries: &[] });
    let membership = link(&questions, &[(0, 1), (0, 2), (0, 3)], usize::MAX).unwrap();
    let next = membership.offsets[1];
    let expected = [(vec![1, 1 + next], 0), (vec![2, 2 + next], 1), (vec![3], 0)];
    assert_eq!(patterns(&membership), Patterns::from(expected));
}

#[test]
fn a_phantom_meets_the_conditions_of_its_question() {
    let dictionary = Dictionary::built_in().unwrap();
    let given: [(&str, &[u16]); 3] = [("sex", &[0, 0, 1]), ("stage", &[2, 0, 0]), ("age_years", &[3, 9, 9])];
    let cases = table_of(dictionary.table("cases").unwrap(), &[0, 1, 2], vec![5, 6, 7], &given);
    let snapshot = kernel::in_memory(BTreeMap::from([("cases".to_owned(), cases)]));
    let is = |field: &str, code: &str| Condition::In {
        field: field.into(),
        values: vec![node_protocol::query::Value::Text(code.into())],
    };
    let older = Condition::Not(Box::new(Condition::Any(vec![
        Condition::Between { field: "age_years".into(), low: 0, high: 12 },
        Condition::IsMissing { field: "age_years".into(), missing: true },
    ])));
    let conditions = vec![is("sex", "2"), Condition::Any(vec![is("stage", "3"), is("stage", "4")]), older];
    let permits = [
        Query { conditions, ..query("cases", &[], Statistic::Count) },
        query("cases", &["sex"], Statistic::Count),
        query("cases", &["stage"], Statistic::Count),
        query("cases", &[], histogram("age_years")),
    ]
    .map(|query| kernel::permit(query, &dictionary));
    let questions = permits.each_ref().map(|permitted| Question { snapshot: &snapshot, permitted, boundaries: &[] });
    let membership = link(&questions, &[(0, 0)], usize::MAX).unwrap();
    let empty = membership.patterns.iter().find(|pattern| pattern.units == 0).unwrap();
    let cell = |question: usize, cell: u32| membership.offsets[question] + cell;
    // like the girl that there is, with stage 3 (place 2) and 13 years, which are in the third bin
    assert_eq!(empty.cells, [cell(0, 0), cell(1, 1), cell(2, 2), cell(3, 2)]);
    let impossible = vec![is("sex", "2"), is("sex", "1")];
    let permit = kernel::permit(Query { conditions: impossible, ..query("cases", &[], Statistic::Count) }, &dictionary);
    let questions =
        [Question { snapshot: &snapshot, permitted: &permit, boundaries: &[] }, questions.into_iter().nth(1).unwrap()];
    let membership = link(&questions, &[(0, 0)], usize::MAX).unwrap();
    assert!(
        membership.patterns.iter().any(|pattern| pattern.units == 0 && pattern.cells == [0]),
        "nobody can be there"
    );
}

#[test]
fn that_nobody_lies_between_two_questions_is_told_as_a_difference() {
    let dictionary = Dictionary::built_in().unwrap();
    let missing = u16::try_from(match &dictionary.table("cases").unwrap().field("stage").unwrap().kind {
        node_domain::dictionary::Kind::Code(list) => list.codes.len(),
        _ => panic!("coded"),
    });
    // one boy's stage is not known; that of all girls is
    let stages = [2, 0, missing.unwrap(), 1];
    let given: [(&str, &[u16]); 2] = [("sex", &[1, 1, 0, 0]), ("stage", &stages)];
    let cases = table_of(dictionary.table("cases").unwrap(), &[0, 1, 2, 3], vec![5, 6, 7, 8], &given);
    let snapshot = kernel::in_memory(BTreeMap::from([("cases".to_owned(), cases)]));
    let known = Condition::IsMissing { field: "stage".into(), missing: false };
    let permits = [
        query("cases", &["sex"], Statistic::Count),
        query("cases", &["stage"], Statistic::Count),
        Query { conditions: vec![known], ..query("cases", &["sex"], Statistic::Count) },
    ]
    .map(|query| kernel::permit(query, &dictionary));
    let questions = permits.each_ref().map(|permitted| Question { snapshot: &snapshot, permitted, boundaries: &[] });
    let membership = link(&questions, &[], 2).unwrap();
    let offset = membership.offsets[1];
    // a girl of unknown stage, and nobody else: a boy of unknown stage there is, and every known stage is counted
    assert_eq!(membership.beside.len(), 1);
    assert_eq!(membership.beside[0].cells, [1, offset + u32::from(stages[2])]);
    assert_eq!(membership.differences, [vec![u32::try_from(membership.patterns.len()).unwrap()]]);
    assert!(link(&questions, &[], 3).unwrap().differences.is_empty(), "none of them is new");
    assert!(link(&questions, &[(0, 1)], 2).unwrap().differences.is_empty(), "nothing is subtracted from a hidden cell");
}

#[test]
fn an_empty_table_has_phantoms_in_their_own_cells_only() {
    let dictionary = Dictionary::built_in().unwrap();
    let cases = table_of(dictionary.table("cases").unwrap(), &[], Vec::new(), &[]);
    let snapshot = kernel::in_memory(BTreeMap::from([("cases".to_owned(), cases)]));
    let permits = [query("cases", &["sex"], Statistic::Count), query("cases", &[], Statistic::Count)]
        .map(|query| kernel::permit(query, &dictionary));
    let questions = permits.each_ref().map(|permitted| Question { snapshot: &snapshot, permitted, boundaries: &[] });
    let membership = link(&questions, &[(0, 1), (0, 1)], usize::MAX).unwrap();
    assert_eq!(patterns(&membership), Patterns::from([(vec![1], 0)]));
    assert!(matches!(link(&questions, &[(1, 1)], usize::MAX), Err(TabulateError::Phantom { question: 1, cell: 1 })));
    assert!(matches!(self::membership(&[], &[], 0), Err(TabulateError::NoQuestion)));
}

#[test]
fn a_longer_follow_up_is_no_change_and_an_event_is_one() {
    let dictionary = Dictionary::built_in().unwrap();
    let table = dictionary.table("cases").unwrap();
    let snapshot = |days: &[u16], events: &[u16]| {
        let given = [("sex", &[0, 0, 0, 1][..]), ("overall_days", days), ("overall_event", events)];
        kernel::in_memory(BTreeMap::from([(
            "cases".to_owned(),
            table_of(table, &[0, 1, 2, 3], vec![8, 7, 6, 5], &given),
        )]))
    };
    let permitted = kernel::permit(query("cases", &["sex"], survival()), &dictionary);
    let old = snapshot(&[100, 100, 100, 100], &[0, 0, 1, 1]);
    let changed = |days: &[u16], events: &[u16]| {
        let new = snapshot(days, events);
        changes::between((&old, &permitted), (&new, &permitted)).unwrap()[..2].to_vec()
    };
    assert_eq!(changed(&[500, 400, 100, 100], &[0, 0, 1, 1]), [0, 0]);
    assert_eq!(changed(&[500, 400, 101, 100], &[1, 0, 1, 1]), [1, 0]);
    assert_eq!(changed(&[NONE, 400, 200, 99], &[0, 0, 1, 0]), [2, 1]);
}

//! What the node's work costs, each beside a baseline in the same run. `cargo bench -p node-tests`; medians go to the README.

#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a step that fails is a benchmark that fails")]

use std::{collections::BTreeMap, hint::black_box, time::Duration};

use criterion::{Criterion, criterion_group, criterion_main};
use node_catalogue::{compute, indicator::Indicator};
use node_disclosure::{
    draft::Draft,
    exact::release_exact,
    linked::Work,
    release::{Counted, Released, release_perturbed},
};
use node_domain::{
    dictionary::{Dictionary, Kind, Table},
    digest::Digest,
};
use node_engine::{
    columnar::{Measures, tabulate},
    membership::{Question, membership},
};
use node_policy::{
    permit::{Asking, Permitted, permit, permit_audit},
    policy::Policy,
    role::Role,
};
use node_protocol::{
    answer::Answer,
    canonical,
    envelope::{AnswerStatement, AuditHead},
    query::Query,
    study::StudyId,
};
use node_responder::{catalogue::Catalogue, noise::Noises};
use node_server::operate::POLICY;
use node_snapshot::{
    columns::{Column, Columns},
    manifest::{Manifest, Provenance},
    shelf::Snapshot,
};
use node_tests::{Federation, Plan, beginning, policy, wilms};
use node_trust::signed;
use rand::{Rng, SeedableRng, rngs::StdRng};

const FILTER: &str = r#""where":[{"field":"diagnosis_year","between":[2005,2018]},{"field":"behaviour","in":["3"]},
    {"field":"basis","in":["5","6","7"]}]"#;

fn query(by: &str, statistic: &str, filter: &str) -> Query {
    let filter = if filter.is_empty() { String::new() } else { format!("{filter},") };
    let json = format!(r#"{{"dictionary":"1.0","table":"cases",{filter}"by":[{by}],"statistic":{statistic}}}"#);
    Query::parse(json.as_bytes()).unwrap()
}

/// Cases with uniform codes, ages and years; a quarter of the times end in an event.
fn snapshot(table: &Table, rows: usize) -> Snapshot {
    let mut random = StdRng::seed_from_u64(1);
    let columns = table
        .fields
        .iter()
        .map(|field| {
            let column = match &field.kind {
                Kind::Code(list) if field.name.ends_with("_event") => {
                    let causes = u8::try_from(list.codes.len()).unwrap();
                    let draw = |random: &mut StdRng| {
                        if random.random_ratio(1, 4) { random.random_range(1..causes) } else { 0 }
                    };
                    Column::Codes((0..rows).map(|_| draw(&mut random)).collect())
                }
                Kind::Code(list) if !list.is_narrow() => {
                    let codes = u16::try_from(list.codes.len()).unwrap();
                    Column::Numbers((0..rows).map(|_| random.random_range(0..codes)).collect())
                }
                Kind::Code(list) => {
                    let codes = u8::try_from(list.codes.len()).unwrap();
                    Column::Codes((0..rows).map(|_| random.random_range(0..codes)).collect())
                }
                Kind::Integer { .. } => {
                    let range = match field.name.as_str() {
                        "diagnosis_year" => 2000..2025,
                        "age_years" => 0..20,
                        "morphology" => 8000..9990,
                        _ => 1..4000,
                    };
                    Column::Numbers((0..rows).map(|_| random.random_range(range.clone())).collect())
                }
                _ => unreachable!("analysis tables are coded"),
            };
            (field.name.clone(), column)
        })
        .collect();
    let persons: Vec<u32> = (0..rows).map(|row| u32::try_from(row).unwrap()).collect();
    let columns = Columns::new(table, columns, &persons, vec![0; rows]).unwrap();
    let manifest =
        Manifest { format: 2, dictionary: "1.1".into(), provenance: Provenance::default(), tables: BTreeMap::new() };
    Snapshot::in_memory(manifest, Digest::of(b"bench"), BTreeMap::from([("cases".to_owned(), columns)]))
}

fn codes<'s>(snapshot: &'s Snapshot, name: &str) -> &'s [u8] {
    match snapshot.table("cases").unwrap().column(name).unwrap() {
        Column::Codes(codes) => codes,
        Column::Numbers(_) | Column::Amounts(_) => unreachable!("coded"),
    }
}

fn numbers<'s>(snapshot: &'s Snapshot, name: &str) -> &'s [u16] {
    match snapshot.table("cases").unwrap().column(name).unwrap() {
        Column::Numbers(numbers) => numbers,
        Column::Codes(_) | Column::Amounts(_) => unreachable!("numbers"),
    }
}

/// The same question as a loop that a programmer would write for it alone: one pass, one branch per condition.
fn by_hand(snapshot: &Snapshot) -> [u32; 64] {
    let (years, behaviour, basis) =
        (numbers(snapshot, "diagnosis_year"), codes(snapshot, "behaviour"), codes(snapshot, "basis"));
    let (sex, stage) = (codes(snapshot, "sex"), codes(snapshot, "stage"));
    let mut counts = [0; 64];
    for row in 0..years.len() {
        if (2005..=2018).contains(&years[row]) && behaviour[row] == 3 && (4..=6).contains(&basis[row]) {
            counts[usize::from(sex[row]) * 9 + usize::from(stage[row])] += 1;
        }
    }
    counts
}

/// The life-table counts by hand: group, day, cause.
fn times_by_hand(snapshot: &Snapshot, groups: &[u8]) -> Vec<u32> {
    let (days, causes) = (numbers(snapshot, "event_free_days"), codes(snapshot, "event_free_event"));
    let mut counts = vec![0; 16 * 4000 * 6];
    for row in 0..days.len() {
        counts[(usize::from(groups[row]) * 4000 + usize::from(days[row])) * 6 + usize::from(causes[row])] += 1;
    }
    counts
}

fn tabulation(criterion: &mut Criterion) {
    let dictionary = Dictionary::built_in().unwrap();
    let policy = Policy::parse(POLICY).unwrap();
    let table = dictionary.table("cases").unwrap();
    let permitted = |query: Query| permit_audit(query, &policy, &dictionary).unwrap();
    let two = permitted(query(r#""sex","stage""#, r#"{"kind":"count"}"#, FILTER));
    let one = permitted(query(r#""stage""#, r#"{"kind":"count"}"#, FILTER));
    let life = permitted(query(
        r#""laterality""#,
        r#"{"kind":"survival","endpoint":"event_free","cuts_months":[12,36,60]}"#,
        "",
    ));
    for (name, rows) in [("1M", 1_000_000), ("10M", 10_000_000)] {
        let snapshot = snapshot(table, rows);
        let mut group = criterion.benchmark_group(format!("tabulate {name}"));
        group.sample_size(20).measurement_time(Duration::from_secs(4));
        group.bench_function("filter 3 group 2", |b| {
            b.iter(|| black_box(tabulate(&snapshot, &two, Measures::default()).unwrap()));
        });
        group.bench_function("filter 3 group 2, by hand", |b| b.iter(|| black_box(by_hand(black_box(&snapshot)))));
        group.bench_function("filter 3 group 1", |b| {
            b.iter(|| black_box(tabulate(&snapshot, &one, Measures::default()).unwrap()));
        });
        group.bench_function("times, 8 groups", |b| {
            b.iter(|| black_box(tabulate(&snapshot, &life, Measures::default()).unwrap()));
        });
        let groups = codes(&snapshot, "laterality");
        group.bench_function("times, by hand", |b| b.iter(|| black_box(times_by_hand(black_box(&snapshot), groups))));
        group.bench_function("times, counted and coarsened", |b| b.iter(|| black_box(draft(&snapshot, &life))));
        group.finish();
    }
}

fn exchange(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let nodes = ["mx", "ar", "co", "do", "us", "es", "br", "cl", "pe", "gt", "ec", "uy", "sv", "hn", "pa", "py"];
    let plan = Plan { nodes: &nodes, data: Some(wilms().join("unequal")), policy: policy(5, 3, 10).unwrap() };
    let federation = runtime.block_on(Federation::start(plan)).unwrap();
    let survival = r#"{"dictionary":"1.0","table":"cases","by":["stage"],
        "statistic":{"kind":"survival","endpoint":"event_free","cuts_months":[12,24,36,60]}}"#;

    let mut group = criterion.benchmark_group("exchange");
    group.sample_size(60).measurement_time(Duration::from_secs(8));
    group.bench_function("study, 16 nodes", |b| b.iter(|| runtime.block_on(federation.ask(survival)).unwrap()));

    let responder = &federation.node("mx").responder;
    let study = runtime.block_on(federation.ask(survival)).unwrap();
    let statement = runtime
        .block_on(federation.node("mx").requester.signed_answers(&study.study))
        .unwrap()
        .into_iter()
        .map(|(_, signed)| signed)
        .next()
        .unwrap();
    group.bench_function("verify an answer", |b| {
        b.iter(|| signed::verify_offline(black_box(&statement), &responder.roster.load()).unwrap());
    });
    let answer = AnswerStatement {
        protocol: 1,
        node: responder.node.clone(),
        study: StudyId::from_random(1),
        query_hash: Digest::of(b"q"),
        policy_hash: Digest::of(b"p"),
        snapshot: Digest::of(b"s"),
        dictionary: "1.0".to_owned(),
        epoch: 1,
        answer: released(),
        audit_head: AuditHead { sequence: 1, hash: Digest::of(b"h") },
        issued: beginning(),
    };
    group.bench_function("sign an answer", |b| {
        b.iter(|| signed::sign(black_box(&answer), signed::Kind::Answer, &responder.node, &responder.key).unwrap());
    });
    group.finish();
    runtime.block_on(federation.stop());
}

fn draft(snapshot: &Snapshot, permitted: &Permitted<Query>) -> Draft {
    let (groups, sealed) = tabulate(snapshot, permitted, Measures::default()).unwrap();
    Draft::of(Counted { query: permitted.query(), groups, lower_edges: Vec::new(), sealed })
}

/// A released answer: the only way to one leads through disclosure control.
fn released() -> Released<Answer> {
    let dictionary = Dictionary::built_in().unwrap();
    let policy = Policy::parse(POLICY).unwrap();
    let snapshot = snapshot(dictionary.table("cases").unwrap(), 10_000);
    let survival = r#"{"kind":"survival","endpoint":"event_free","cuts_months":[12,24,36,60]}"#;
    let permitted = permit_audit(query(r#""stage""#, survival, ""), &policy, &dictionary).unwrap();
    let draft = draft(&snapshot, &permitted);
    let question = Question { snapshot: &snapshot, permitted: &permitted, boundaries: draft.boundaries() };
    release_exact(
        &draft,
        permitted.conditions().safeguards,
        Vec::new(),
        membership(&[question], &[], 0).unwrap(),
        &Work::default(),
    )
    .unwrap()
}

/// A catalogue of 45 indicators over cases: each field by itself, and by sex.
fn catalogue(criterion: &mut Criterion) {
    let dictionary = Dictionary::built_in().unwrap();
    let policy = Policy::parse(POLICY).unwrap();
    let table = dictionary.table("cases").unwrap();
    let model = Indicator::all().unwrap().into_iter().find(|one| one.id == "cases_by_index_cancer").unwrap();
    let fields = table.fields.iter().filter(|field| {
        field.groupable && field.name != "sex" && matches!(&field.kind, Kind::Code(list) if list.codes.len() <= 20)
    });
    let mut indicators = Vec::new();
    for field in fields {
        for by in [format!("\"{}\"", field.name), format!("\"{}\",\"sex\"", field.name)] {
            let query = query(&by, r#"{"kind":"count"}"#, "");
            indicators.push(Indicator { id: by, query, ..model.clone() });
        }
    }
    indicators.truncate(45);
    assert_eq!(indicators.len(), 45);
    let mut group = criterion.benchmark_group("catalogue");
    group.sample_size(10).measurement_time(Duration::from_secs(20));
    for (name, rows) in [("2 k", 2_000), ("1 M", 1_000_000)] {
        let snapshot = snapshot(table, rows);
        let make = || compute(&indicators, &snapshot, &policy, &dictionary, &[], &|_| None).unwrap();
        let report = make().report;
        let sum = |of: fn(&node_catalogue::Line) -> usize| report.indicators.iter().map(of).sum::<usize>();
        eprintln!(
            "{name}: {} cells shown, {} too few, {} hidden for others, {:.2} % lost",
            sum(|line| line.shown),
            sum(|line| line.primary),
            sum(|line| line.complementary),
            report.utility_lost * 100.0
        );
        group.bench_function(format!("45 indicators of {name} cases, made and suppressed"), |b| {
            b.iter(|| black_box(make()));
        });
    }
    group.finish();
}

/// The stages of an answer about nobody beside those of an answer about a few: their times must not tell which it is.
fn indistinct(criterion: &mut Criterion) {
    let dictionary = Dictionary::built_in().unwrap();
    let policy = Policy::parse(POLICY).unwrap();
    let snapshot = snapshot(dictionary.table("cases").unwrap(), 10_000);
    let days = numbers(&snapshot, "overall_days");
    let day = |wanted: std::ops::Range<usize>| {
        (1..4000).find(|day| wanted.contains(&days.iter().filter(|one| *one == day).count())).unwrap()
    };
    let noise =
        Noises::new([7; 32]).of(policy.noise, policy.threshold.persons, policy.exploration_safeguards()).unwrap();
    let peer = "mx".parse().unwrap();
    let asking = Asking { role: Role::Researcher, peer: &peer, grant: None };
    let mut group = criterion.benchmark_group("indistinct");
    group.sample_size(200).measurement_time(Duration::from_secs(4));
    for (name, day) in [("nobody", day(0..1)), ("a few", day(3..5))] {
        let filter = format!(r#""where":[{{"field":"overall_days","between":[{day},{day}]}}]"#);
        let query = query(r#""sex""#, r#"{"kind":"count"}"#, &filter);
        let permitted = permit(query, asking, &policy, &dictionary, beginning()).unwrap();
        group.bench_function(format!("an answer about {name}"), |b| {
            b.iter(|| {
                let (groups, sealed) = tabulate(&snapshot, &permitted, Measures { record_keys: true }).unwrap();
                let counted = Counted { query: permitted.query(), groups, lower_edges: Vec::new(), sealed };
                black_box(canonical::bytes(release_perturbed(counted, &noise, Vec::new()).unwrap().get()).unwrap())
            });
        });
    }
    group.finish();
}

/// Answering an indicator is a look-up.
fn look_up(criterion: &mut Criterion) {
    let dictionary = Dictionary::built_in().unwrap();
    let policy = Policy::parse(POLICY).unwrap();
    let snapshot = snapshot(dictionary.table("cases").unwrap(), 100_000);
    let indicators = Indicator::all().unwrap();
    let indicators: Vec<_> = indicators.into_iter().filter(|one| one.query.table == "cases").collect();
    let made = compute(&indicators, &snapshot, &policy, &dictionary, &[], &|_| None).unwrap();
    let query = indicators.last().unwrap().query.clone();
    let catalogue = Catalogue::of(made.entries, Vec::new()).unwrap();
    criterion.bench_function("catalogue/an indicator looked up", |b| {
        b.iter(|| black_box(catalogue.answer_to(black_box(&query)).unwrap().clone()));
    });
}

criterion_group!(benches, tabulation, indistinct, look_up, catalogue, exchange);
criterion_main!(benches);

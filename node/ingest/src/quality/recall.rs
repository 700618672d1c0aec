//! Every rule finds what was planted and nothing else: synthetic registries, written to files, loaded and judged.

use std::collections::{BTreeMap, BTreeSet};

use node_domain::dictionary::Dictionary;
use node_synthetic::{Plan, Planted, RULES, country, implied, plant, write};

use super::{
    evaluate::{evaluate, evaluate_aggregates},
    rule::Rules,
};
use crate::{
    batch,
    case::Cases,
    classification::Classification,
    derivation::extract_of,
    derive::index_cancer::Decisions,
    load::{Audience, Content, Outcome, Registrar, Request, Source, load},
    mapping::Format,
    pseudonym::PseudonymKey,
    quarantine,
    registry::Registry,
};

/// Findings as `collection key`, with pseudonyms in place of identifiers.
type Found = BTreeSet<String>;

/// A folder in memory where there is one: a hundred registries are written, and none of them needs to outlast a crash.
fn in_memory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// Loads a synthetic registry through the door and gives what every rule finds, at load and over the registry.
fn found(registry: &node_synthetic::Registry, plan: &Plan, key: &PseudonymKey) -> BTreeMap<String, Found> {
    let folder = in_memory();
    let (files, data) = (folder.path().join("files"), folder.path().join("data"));
    write::to_folder(registry, &files).unwrap();
    let dictionary = Dictionary::built_in().unwrap();
    let rules = Rules::built_in(&dictionary).unwrap();
    let sources: Vec<Source> = dictionary
        .collections()
        .map(|table| Source {
            content: Content::Collection(table.name.clone()),
            path: files.join(format!("{}.csv", table.name)),
        })
        .filter(|source| source.path.is_file())
        .collect();
    let now = plan.extract.and_hms_opt(12, 0, 0).unwrap().and_utc();
    let registrar =
        Registrar { data: data.clone(), dictionary: &dictionary, rules: &rules, key, by: "test".to_owned(), now };
    let request = Request {
        sources: &sources,
        mapping: None,
        format: Format::default(),
        extracted_on: plan.extract,
        dry_run: false,
    };
    let mut refused = Vec::new();
    let mut hear = |defect: crate::defect::Defect| {
        if defect.refuses() {
            refused.push(defect.to_string());
        }
    };
    let outcome = load(&registrar, &request, Audience { defect: &mut hear, progress: &mut |_, _| {} }).unwrap();
    assert!(matches!(outcome, Outcome::Accepted(_)), "{:?}", refused.iter().take(5).collect::<Vec<_>>());

    let mut all: BTreeMap<String, Found> = BTreeMap::new();
    for batch in batch::in_force(&data).unwrap() {
        for held in quarantine::read(&batch).unwrap() {
            for reason in held.reasons {
                let row = format!("{} {}", held.collection, held.key);
                all.entry(reason.rule).or_default().insert(row);
            }
        }
    }
    let stored = Registry::open(&data, &dictionary).unwrap();
    let classification = Classification::built_in(Decisions::default()).unwrap();
    let cases = Cases::of(&stored, &classification, extract_of(&stored));
    let mut findings = evaluate(&rules, &cases);
    evaluate_aggregates(&rules, &cases, &mut findings);
    for finding in findings.rules {
        for row in finding.rows {
            let key = if row.collection == "aggregate" {
                row.key.join(" ")
            } else {
                quarantine::hex(&crate::keys::key_of(row.key.iter().map(String::as_str)))
            };
            all.entry(finding.rule.clone()).or_default().insert(format!("{} {key}", row.collection));
        }
    }
    all
}

/// A planted row in the words of [`found`].
fn named(planted: &Planted, dictionary: &Dictionary, key: &PseudonymKey) -> String {
    if planted.collection == "aggregate" {
        return format!("aggregate {}", planted.key.join(" "));
    }
    let table = dictionary.collection(planted.collection).unwrap();
    let is_identifier = |at: usize| {
        let name = table.primary_key.get(at);
        name.is_some_and(|name| table.field(name).unwrap().privacy == node_domain::dictionary::Privacy::Identifier)
    };
    // a finding on a hospital's medicine is named by both, so a key may be longer than the primary key
    let part = |(at, value): (usize, &String)| if is_identifier(at) { key.pseudonym(value) } else { value.clone() };
    let parts: Vec<String> = planted.key.iter().enumerate().map(part).collect();
    format!("{} {}", planted.collection, quarantine::hex(&crate::keys::key_of(parts.iter().map(String::as_str))))
}

fn truth(registry: &node_synthetic::Registry, dictionary: &Dictionary, key: &PseudonymKey) -> BTreeMap<String, Found> {
    let named = |all: &Vec<Planted>| all.iter().map(|planted| named(planted, dictionary, key)).collect();
    registry.planted.iter().map(|(rule, all)| (rule.clone(), named(all))).collect()
}

fn plan(scale: f64) -> Plan {
    Plan { scale, ..Plan::new(2026, "2025-12-31".parse().unwrap()) }
}

/// Plants errors of one rule and says where what was found differs from what was planted.
fn faults(
    rule: &str,
    base: &node_synthetic::Registry,
    plan: &Plan,
    dictionary: &Dictionary,
    key: &PseudonymKey,
) -> Vec<String> {
    let mut registry = base.clone();
    let wanted = if matches!(rule, "QG03" | "QG04" | "QK02" | "QL01" | "QL02" | "QL03" | "QL04") { 1 } else { 3 };
    if let Err(error) = plant(&mut registry, plan, rule, wanted) {
        return vec![format!("{rule}: {error}")];
    }
    let (found, truth) = (found(&registry, plan, key), truth(&registry, dictionary, key));
    let of = |all: &BTreeMap<String, Found>, rule: &str| all.get(rule).cloned().unwrap_or_default();
    let mut faults = Vec::new();
    let (own, planted) = (of(&found, rule), of(&truth, rule));
    if own != planted {
        faults.push(format!(
            "{rule}: {} planted, {} missed, {} found beside",
            planted.len(),
            planted.difference(&own).count(),
            own.difference(&planted).count()
        ));
    }
    for (other, rows) in found.iter().filter(|(other, _)| *other != rule && !implied(rule).contains(&other.as_str())) {
        let beside = rows.difference(&of(&truth, other)).count();
        if beside > 0 {
            faults.push(format!("{rule}: {other} finds {beside} rows that were not planted"));
        }
    }
    faults
}

#[test]
fn every_rule_finds_what_was_planted_and_nothing_else() {
    let (plan, key) = (plan(0.15), PseudonymKey::new(&[1; 32]));
    let dictionary = Dictionary::built_in().unwrap();
    let base = country(&plan, "MX").unwrap();
    let tried = |rule: &str| faults(rule, &base, &plan, &dictionary, &key);
    let halves = RULES.split_at(RULES.len() / 2);
    let wrong = std::thread::scope(|scope| {
        let other = scope.spawn(|| halves.1.iter().flat_map(|rule| tried(rule)).collect::<Vec<_>>());
        let mut wrong: Vec<String> = halves.0.iter().flat_map(|rule| tried(rule)).collect();
        wrong.extend(other.join().unwrap());
        wrong
    });
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), RULES.len(), wrong.join("\n"));
}

#[test]
fn clean_registries_break_no_rule() {
    let key = PseudonymKey::new(&[1; 32]);
    let dictionary = Dictionary::built_in().unwrap();
    let plan = plan(0.2);
    for one in node_synthetic::countries() {
        let registry = country(&plan, one.iso2).unwrap();
        let (found, truth) = (found(&registry, &plan, &key), truth(&registry, &dictionary, &key));
        for (rule, rows) in &found {
            let beside: Vec<_> = rows.difference(truth.get(rule).unwrap_or(&Found::new())).cloned().collect();
            assert!(beside.is_empty(), "{}: {rule} finds {beside:?}", one.iso2);
        }
    }
}

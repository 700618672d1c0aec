//! Errors are planted exactly as often as asked, and nothing else is recorded but what they imply.

use std::collections::{BTreeMap, HashSet};

use super::plan;
use crate::{PlantError, Planted, RULES, Registry, country, implied, plant, schema::shape};

fn recorded(registry: &Registry) -> BTreeMap<String, usize> {
    registry.planted.iter().map(|(rule, rows)| (rule.clone(), rows.len())).collect()
}

/// Whether the row that was recorded is in the registry.
fn exists(registry: &Registry, planted: &Planted) -> bool {
    if planted.collection == "aggregate" {
        return !planted.key.is_empty();
    }
    let collection = &registry.collections[planted.collection];
    let key: Vec<usize> =
        shape(planted.collection).unwrap().key.iter().map(|name| collection.column(name).unwrap()).collect();
    collection.rows.iter().any(|row| key.iter().zip(&planted.key).all(|(column, value)| row[*column] == *value))
}

#[test]
fn every_rule_is_planted_as_often_as_asked() {
    let plan = crate::Plan { scale: 0.7, ..plan() };
    let base = country(&plan, "CL").unwrap();
    let before = recorded(&base);
    for rule in RULES {
        let mut registry = base.clone();
        let count = if rule.starts_with("QL") { 1 } else { 3 };
        plant(&mut registry, &plan, rule, count).unwrap_or_else(|error| panic!("{error}"));
        assert_ne!(registry.collections, base.collections, "{rule}");
        for (recorded, rows) in recorded(&registry) {
            let new = rows - before.get(&recorded).copied().unwrap_or(0);
            match () {
                () if recorded == *rule => assert_eq!(new, count, "{rule}"),
                () if implied(rule).contains(&recorded.as_str()) => assert_eq!(new, count, "{rule} implies {recorded}"),
                () => assert_eq!(new, 0, "{rule} recorded {recorded}"),
            }
        }
        let planted: HashSet<_> = registry.planted[*rule].iter().map(|planted| &planted.key).collect();
        assert_eq!(planted.len(), registry.planted[*rule].len(), "{rule}: a row twice");
        assert!(registry.planted[*rule].iter().all(|planted| exists(&registry, planted)), "{rule}");
    }
}

#[test]
fn rows_are_planted_once_even_over_several_rules() {
    let mut registry = country(&plan(), "AR").unwrap();
    for rule in RULES.iter().filter(|rule| rule.starts_with("QC") || rule.starts_with("QA") || rule.starts_with("QB")) {
        plant(&mut registry, &plan(), rule, 2).unwrap_or_else(|error| panic!("{error}"));
    }
    let mut patients = HashSet::new();
    for planted in
        registry.planted.iter().filter(|(rule, _)| !matches!(rule.as_str(), "QF03" | "QD05")).flat_map(|(_, rows)| rows)
    {
        assert!(patients.insert(planted.key[0].clone()), "{planted:?}");
    }
}

#[test]
fn what_cannot_be_planted_is_refused_by_name() {
    let mut registry = country(&plan(), "PA").unwrap();
    let before = registry.clone();
    for rule in ["QL05", "QL06", "QL07", "QL08"] {
        assert_eq!(plant(&mut registry, &plan(), rule, 1), Err(PlantError::Elsewhere { rule: rule.to_owned() }));
    }
    assert_eq!(plant(&mut registry, &plan(), "QZ01", 1), Err(PlantError::Unknown { rule: "QZ01".to_owned() }));
    assert!(matches!(plant(&mut registry, &plan(), "QA11", 10_000), Err(PlantError::TooFew { wanted: 10_000, .. })));
    assert!(matches!(plant(&mut registry, &plan(), "QI01", 10_000), Err(PlantError::TooFew { .. })));
    assert_eq!(registry, before);
    plant(&mut registry, &plan(), "QA11", 0).unwrap();
    assert_eq!(registry, before);
}

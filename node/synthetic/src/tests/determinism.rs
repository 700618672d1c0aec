//! The same plan gives the same bytes; countries do not depend on each other.

use super::plan;
use crate::{Plan, country, plant, write};

#[test]
fn the_same_plan_gives_the_same_bytes() {
    let plan = Plan { scale: 0.3, ..plan() };
    let make = || {
        let mut registry = country(&plan, "UY").unwrap();
        for rule in ["QA01", "QI01", "QK02", "QG02"] {
            plant(&mut registry, &plan, rule, 1).unwrap();
        }
        registry
    };
    assert_eq!(make(), make());
}

#[test]
fn another_seed_gives_another_registry_of_the_same_size() {
    let one = country(&plan(), "PA").unwrap();
    let other = country(&Plan { seed: 1, ..plan() }, "PA").unwrap();
    assert_ne!(one, other);
    let size = |registry: &crate::Registry| registry.collections["patient"].rows.len();
    assert!(size(&one).abs_diff(size(&other)) <= 5, "{} and {}", size(&one), size(&other));
}

#[test]
fn there_is_no_registry_of_other_countries() {
    assert!(country(&plan(), "FR").is_none());
}

#[test]
fn files_are_csv_with_line_feeds_and_say_that_they_are_synthetic() {
    let dir = std::env::temp_dir().join(format!("node-synthetic-{}", std::process::id()));
    let registry = country(&Plan { scale: 0.2, ..plan() }, "PA").unwrap();
    write::to_folder(&registry, &dir).unwrap();
    let readme = std::fs::read_to_string(dir.join("README.txt")).unwrap();
    assert!(
        ["SINTÉTICOS", "SYNTHETIC", "nunca existieron", "nunca existiram", "never existed"]
            .iter()
            .all(|w| readme.contains(w))
    );
    for (name, collection) in &registry.collections {
        let text = std::fs::read_to_string(dir.join(format!("{name}.csv"))).unwrap();
        assert!(text.ends_with('\n') && !text.contains('\r'), "{name}");
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        assert_eq!(reader.headers().unwrap().iter().collect::<Vec<_>>(), collection.header, "{name}");
        let read: Vec<Vec<String>> =
            reader.records().map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect();
        assert_eq!(read, collection.rows, "{name}");
    }
    std::fs::remove_dir_all(dir).unwrap();
}

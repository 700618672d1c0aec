//! The registry as made: keys, references, order of dates, and what the simplest rules ask.

use std::{
    collections::{HashMap, HashSet},
    sync::LazyLock,
};

use super::{FOUNDING, Row, date, plan, rows};
use crate::{Plan, Registry, country, schema::SHAPES, tumour::is_paired};

/// Made once for all tests of this file.
static REGISTRIES: LazyLock<Vec<Registry>> = LazyLock::new(registries);

fn registries() -> Vec<Registry> {
    let small = Plan { scale: 0.4, ..plan() };
    let early = Plan { seed: 3, extract: chrono::NaiveDate::from_ymd_opt(2021, 5, 17).unwrap(), ..plan() };
    vec![
        country(&plan(), "GT").unwrap(),
        country(&plan(), "PY").unwrap(),
        country(&small, "US").unwrap(),
        country(&early, "CO").unwrap(),
        FOUNDING.clone(),
    ]
}

fn extract(registry: &Registry) -> chrono::NaiveDate {
    if registry.country == "CO" { chrono::NaiveDate::from_ymd_opt(2021, 5, 17).unwrap() } else { plan().extract }
}

#[test]
fn keys_are_unique_and_references_exist() {
    for registry in REGISTRIES.iter() {
        let mut keys: HashMap<&str, HashSet<Vec<String>>> = HashMap::new();
        for shape in SHAPES {
            assert_eq!(registry.collections[shape.name].header, shape.columns);
            assert!(!registry.collections[shape.name].rows.is_empty(), "{} of {}", shape.name, registry.country);
            for row in rows(registry, shape.name) {
                let key: Vec<String> = shape.key.iter().map(|column| row.at(column).to_owned()).collect();
                assert!(key.iter().all(|part| !part.is_empty()));
                assert!(keys.entry(shape.name).or_default().insert(key.clone()), "{} {key:?} twice", shape.name);
                assert!(row.iter().all(|(_, value)| !value.starts_with(['=', '+', '-', '@'])));
            }
        }
        let refers = |collection: &str, columns: &[&str], to: &str| {
            for row in rows(registry, collection) {
                let key: Vec<String> = columns.iter().map(|column| row.at(column).to_owned()).collect();
                assert!(key.contains(&String::new()) || keys[to].contains(&key), "{collection} {key:?} has no {to}");
            }
        };
        for collection in ["tumour", "follow_up", "febrile_episode", "deterioration", "referral", "case_discussion"] {
            refers(collection, &["patient_id"], "patient");
        }
        for collection in [
            "tumour",
            "course",
            "febrile_episode",
            "deterioration",
            "ward_month",
            "stock_spell",
            "session",
            "agreement",
        ] {
            refers(collection, &["facility_id"], "facility");
        }
        refers("referral", &["from_facility"], "facility");
        refers("referral", &["to_facility"], "facility");
        refers("course", &["patient_id", "tumour_seq"], "tumour");
        refers("event", &["patient_id", "tumour_seq"], "tumour");
        refers("administration", &["patient_id", "tumour_seq", "course_no"], "course");
        refers("case_discussion", &["session_id"], "session");
    }
}

#[test]
fn no_date_lies_after_the_extract_and_none_of_care_after_death() {
    for registry in REGISTRIES.iter() {
        let extract = extract(registry);
        let deaths: HashMap<String, chrono::NaiveDate> = rows(registry, "follow_up")
            .iter()
            .filter_map(|row| Some((row.at("patient_id").to_owned(), date(row.at("death_date"))?)))
            .collect();
        for shape in SHAPES {
            for row in rows(registry, shape.name) {
                let death = row.get("patient_id").and_then(|id| deaths.get(id));
                for (column, value) in row
                    .iter()
                    .filter(|(column, _)| column.contains("date") || column.contains("_at") || column.ends_with("_on"))
                {
                    let Some(day) = date(value) else { continue };
                    assert!(day <= extract, "{} {column} {value}", shape.name);
                    assert!(
                        death.is_none_or(|death| day <= *death || column == "registered_on"),
                        "{} {column} {value}",
                        shape.name
                    );
                }
            }
        }
    }
}

fn in_order(row: &Row<'_>, first: &str, then: &str) -> bool {
    match (date(row.at(first)), date(row.at(then))) {
        (Some(first), Some(then)) => first <= then,
        _ => true,
    }
}

#[test]
fn dates_are_in_order() {
    for registry in REGISTRIES.iter() {
        let births: HashMap<String, String> = rows(registry, "patient")
            .iter()
            .map(|row| (row.at("patient_id").to_owned(), row.at("birth_date").to_owned()))
            .collect();
        let mut remission = HashMap::new();
        let mut diagnosis = HashMap::new();
        let tumours = rows(registry, "tumour");
        for row in &tumours {
            assert!(
                births[row.at("patient_id")].as_str() <= row.at("symptom_onset_date")
                    || row.at("symptom_onset_date").is_empty()
            );
            assert!(births[row.at("patient_id")].as_str() <= row.at("diagnosis_date"));
            for (first, then) in [
                ("symptom_onset_date", "first_contact_date"),
                ("first_contact_date", "diagnosis_date"),
                ("diagnosis_date", "registered_on"),
                ("diagnosis_date", "cr_date"),
            ] {
                assert!(in_order(row, first, then), "{row:?}");
            }
            let key = (row.at("patient_id"), row.at("tumour_seq"));
            remission.insert(key, row.at("cr_date"));
            diagnosis.insert(key, row.at("diagnosis_date"));
        }
        for row in rows(registry, "course") {
            assert!(in_order(&row, "start_date", "end_date"), "{row:?}");
            assert!(diagnosis[&(row.at("patient_id"), row.at("tumour_seq"))] <= row.at("start_date"), "{row:?}");
        }
        for row in rows(registry, "event") {
            let key = (row.at("patient_id"), row.at("tumour_seq"));
            assert!(diagnosis[&key] <= row.at("event_date"));
            assert!(
                row.at("event_type") != "relapse"
                    || (!remission[&key].is_empty() && remission[&key] < row.at("event_date"))
            );
        }
    }
}

#[test]
fn every_living_child_with_a_malignant_tumour_is_treated_or_it_is_said_why_not() {
    for registry in REGISTRIES.iter() {
        let has = |collection: &str, column: &str, value: &str| -> HashSet<String> {
            let rows = rows(registry, collection).into_iter();
            rows.filter(|row| column.is_empty() || row.at(column) == value)
                .map(|row| row.at("patient_id").to_owned())
                .collect()
        };
        let treated = has("course", "", "");
        let left = has("event", "event_type", "abandonment");
        let dead = has("follow_up", "vital_status", "0");
        for row in rows(registry, "tumour") {
            let old = (extract(registry) - date(row.at("diagnosis_date")).unwrap()).num_days() > 90;
            let id = row.at("patient_id");
            assert!(
                row.at("behaviour") != "3" || !old || treated.contains(id) || left.contains(id) || dead.contains(id),
                "{id}"
            );
        }
    }
}

#[test]
fn sides_grades_and_basis_fit_the_tumour() {
    for registry in REGISTRIES.iter() {
        for row in rows(registry, "tumour") {
            assert_eq!(is_paired(row.at("topography")), row.at("laterality") != "0", "{row:?}");
            assert!(row.at("behaviour") == "3" || row.at("grade") == "9");
            let lineage = matches!(row.at("grade"), "5" | "6" | "7" | "8");
            assert!(!lineage || row.at("morphology") >= "9590");
            assert!(row.at("stage_value").is_empty() == row.at("stage_guideline_version").is_empty());
        }
    }
}

#[test]
fn a_tenth_at_most_is_without_microscopy_in_any_year() {
    for registry in REGISTRIES.iter() {
        let mut years: HashMap<String, [usize; 3]> = HashMap::new();
        for row in rows(registry, "tumour") {
            let year = years.entry(row.at("diagnosis_date")[..4].to_owned()).or_default();
            year[0] += 1;
            year[1] += usize::from(matches!(row.at("basis"), "5" | "6" | "7" | "8"));
            year[2] += usize::from(row.at("basis") == "0");
        }
        for (year, [cases, verified, certificates]) in years {
            let percent = 100.0 * verified as f64 / cases as f64;
            assert!(cases < 10 || (90.0..=99.5).contains(&percent), "{} {year}: {percent}", registry.country);
            assert!(certificates * 20 <= cases, "{} {year}", registry.country);
        }
    }
}

#[test]
fn spells_of_stock_follow_each_other_without_gap_or_overlap() {
    for registry in REGISTRIES.iter() {
        let mut last: HashMap<[String; 3], Option<chrono::NaiveDate>> = HashMap::new();
        for row in rows(registry, "stock_spell") {
            let key = [row.at("facility_id"), row.at("inn"), row.at("form_group")].map(str::to_owned);
            let start = date(row.at("start_date")).unwrap();
            if let Some(end) = last.get(&key) {
                assert_eq!(end.and_then(|end| end.succ_opt()), Some(start), "{row:?}");
            }
            last.insert(key, date(row.at("end_date")));
        }
        assert!(last.values().all(Option::is_none), "a medicine is followed to the extract");
    }
}

#[test]
fn what_is_listed_by_nature_is_recorded() {
    let registry = country(&plan(), "GT").unwrap();
    let pilocytic = rows(&registry, "tumour").iter().filter(|row| row.at("morphology") == "9421").count();
    assert_eq!(registry.planted["QF03"].len(), pilocytic);
    assert!(registry.planted.keys().all(|rule| matches!(rule.as_str(), "QF03" | "QD05")));
}

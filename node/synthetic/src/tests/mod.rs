//! The tests of this crate: the figures, the counts, the clean base and the planted errors.

mod calibration;
mod clean;
mod counts;
mod determinism;
mod planting;

use std::{collections::HashMap, sync::LazyLock};

use chrono::NaiveDate;

use crate::{Plan, Registry, founding};

/// The extract of all tests.
fn plan() -> Plan {
    Plan::new(20_250_930, NaiveDate::from_ymd_opt(2025, 9, 30).unwrap())
}

/// The registry of the founding documents, made once.
static FOUNDING: LazyLock<Registry> = LazyLock::new(|| founding(&plan()));

/// A row by column name.
#[derive(Debug, Clone, Copy)]
struct Row<'r> {
    header: &'r [&'static str],
    cells: &'r [String],
}

impl<'r> Row<'r> {
    fn get(&self, column: &str) -> Option<&'r str> {
        self.header.iter().position(|name| *name == column).map(|at| self.cells[at].as_str())
    }

    fn at(&self, column: &str) -> &'r str {
        self.get(column).unwrap_or_else(|| panic!("no column {column}"))
    }

    fn iter(&self) -> impl Iterator<Item = (&'static str, &'r str)> {
        self.header.iter().copied().zip(self.cells.iter().map(String::as_str))
    }
}

fn rows<'r>(registry: &'r Registry, name: &str) -> Vec<Row<'r>> {
    let collection = &registry.collections[name];
    collection.rows.iter().map(|cells| Row { header: &collection.header, cells }).collect()
}

fn date(text: &str) -> Option<NaiveDate> {
    text.get(..10)?.parse().ok()
}

/// Product-limit survival at a day (Kaplan & Meier 1958), from days and whether each ended in an event.
fn kaplan_meier(mut times: Vec<(i64, bool)>, at: i64) -> f64 {
    times.sort_unstable_by_key(|(days, event)| (*days, !event));
    let mut at_risk = times.len() as f64;
    let mut survival = 1.0;
    for (days, event) in times {
        if days > at {
            break;
        }
        if event {
            survival *= 1.0 - 1.0 / at_risk;
        }
        at_risk -= 1.0;
    }
    survival
}

/// Days from diagnosis to death or last contact, of tumours of which the condition holds; death certificates are left out.
/// With `abandonment`, abandonment is an event too.
fn overall(registry: &Registry, abandonment: bool, of: impl Fn(&Row<'_>) -> bool) -> Vec<(i64, bool)> {
    let mut fate: HashMap<&str, (NaiveDate, bool)> = HashMap::new();
    for row in rows(registry, "follow_up") {
        let (contact, dead) = (date(row.at("last_contact_date")).unwrap(), row.at("vital_status") == "0");
        let known = fate.entry(row.at("patient_id")).or_insert((contact, dead));
        *known = (known.0.max(contact), known.1 || dead);
    }
    let left: HashMap<&str, NaiveDate> = rows(registry, "event")
        .iter()
        .filter(|row| abandonment && row.at("event_type") == "abandonment")
        .map(|row| (row.at("patient_id"), date(row.at("event_date")).unwrap()))
        .collect();
    rows(registry, "tumour")
        .iter()
        .filter(|row| row.at("basis") != "0" && row.at("tumour_seq") != "2" && of(row))
        .map(|row| {
            let diagnosis = date(row.at("diagnosis_date")).unwrap();
            let (last, dead) = fate[row.at("patient_id")];
            match left.get(row.at("patient_id")) {
                Some(left) => ((*left - diagnosis).num_days(), true),
                None => ((last - diagnosis).num_days(), dead),
            }
        })
        .collect()
}

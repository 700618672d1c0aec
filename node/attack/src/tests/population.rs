//! The patients of the node in memory.

use std::collections::{BTreeMap, BTreeSet};

use node_domain::dictionary::{Dictionary, Kind};
use node_protocol::query::{Condition, Value};
use rand::{Rng, rngs::StdRng};

/// Coded fields that patients have; they lack all others.
pub(super) const FIELDS: [&str; 9] = [
    "index_cancer",
    "age_band",
    "sex",
    "stage",
    "facility_level",
    "coverage_scheme",
    "death_30d",
    "cohort",
    "metastatic",
];

/// A patient with one tumour.
#[derive(Clone)]
pub(super) struct Person {
    pub(super) id: u32,
    pub(super) codes: BTreeMap<&'static str, String>,
    pub(super) age: i64,
    pub(super) days: f64,
    pub(super) dead: bool,
}

/// A patient drawn at random.
pub(super) fn person(dictionary: &Dictionary, id: u32, rng: &mut StdRng) -> Person {
    let table = dictionary.table("cases").unwrap();
    let mut codes = BTreeMap::new();
    for name in FIELDS {
        let Kind::Code(list) = &table.field(name).unwrap().kind else { continue };
        // the first codes are the most frequent
        let many = list.codes.len() as f64;
        let at = (rng.random::<f64>().powf(1.7) * many) as usize;
        codes.insert(name, list.codes[at].code.clone());
    }
    let age = rng.random_range(0..18);
    let band = ["0", "1-4", "5-9", "10-14", "15-19"][[0, 1, 5, 10, 15].iter().filter(|low| age >= **low).count() - 1];
    codes.insert("age_band", band.to_owned());
    Person { id, codes, age, days: rng.random_range(1.0..3_000.0), dead: rng.random_bool(0.3) }
}

impl Person {
    /// Whether the condition holds.
    pub(super) fn passes(&self, condition: &Condition) -> bool {
        match condition {
            Condition::In { field, values } if field == "age_years" => values.contains(&Value::Integer(self.age)),
            Condition::In { field, values } => {
                self.codes.get(field.as_str()).is_some_and(|code| values.contains(&Value::Text(code.clone())))
            }
            Condition::Between { field, low, high } => field == "age_years" && (*low..=*high).contains(&self.age),
            Condition::IsMissing { field, missing } => {
                (field != "age_years" && !self.codes.contains_key(field.as_str())) == *missing
            }
            Condition::All(all) => all.iter().all(|one| self.passes(one)),
            Condition::Any(any) => any.iter().any(|one| self.passes(one)),
            Condition::Not(one) => !self.passes(one),
        }
    }
}

/// Who is in the set.
pub(super) fn ids(set: &[Person]) -> BTreeSet<u32> {
    set.iter().map(|person| person.id).collect()
}

/// About standard normal: twelve uniform numbers, less their mean.
pub(super) fn normal(rng: &mut StdRng) -> f64 {
    (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0
}

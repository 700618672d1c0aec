//! What was read of the resources so far: small facts by kind, until all are there and rows can be made of them.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::{
    code::Lists,
    condition::{self, Tumour},
    element::Turned,
    encounter::{self, Visit},
    observation::{self, Finding},
    patient::{self, Decision, Person},
    treatment::{self, Administration, Medicine, Order, Treatment},
};
use crate::{
    defect::Rule,
    keys::{Key, key_of},
};

/// Resources of one file that are kept; a file with more is to be split.
pub(super) const MOST: usize = 2_000_000;

/// The facts of a file.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) people: Vec<Person>,
    pub(super) tumours: Vec<Tumour>,
    pub(super) findings: Vec<Finding>,
    pub(super) visits: Vec<Visit>,
    pub(super) procedures: Vec<Treatment>,
    pub(super) plans: Vec<Treatment>,
    pub(super) administrations: Vec<Administration>,
    pub(super) decisions: Vec<Decision>,
    pub(super) orders: HashMap<String, Order>,
    pub(super) medications: HashMap<String, Medicine>,
    /// Where the resource of a name is, by kind.
    pub(super) person_at: HashMap<String, usize>,
    pub(super) tumour_at: HashMap<String, usize>,
    pub(super) plan_at: HashMap<String, usize>,
    /// The legal basis that the Bundle gives for all its patients.
    pub(super) legal_basis: Option<String>,
    /// Resources of which nothing was made, by type and reason.
    pub(super) unused: BTreeMap<String, u64>,
    /// Lines of the resources that are kept, by name.
    seen: HashMap<Key, u64>,
    kept: usize,
}

/// What is wrong with a resource.
#[derive(Debug)]
pub(super) struct Broken {
    /// Such as `Condition.subject`.
    pub(super) element: String,
    pub(super) rule: Rule,
    pub(super) fix: String,
}

impl Gathered {
    /// Whether no more resources are kept.
    pub(super) fn is_full(&self) -> bool {
        self.kept >= MOST
    }

    /// Takes a resource.
    ///
    /// # Errors
    /// What is wrong with it and what to do; nothing of it is kept then.
    pub(super) fn take(
        &mut self,
        resource: &Value,
        url: Option<String>,
        line: u64,
        lists: &Lists,
    ) -> Result<(), Broken> {
        let Some(kind) = resource.get("resourceType").and_then(Value::as_str).map(str::to_owned) else {
            let fix = "give a FHIR resource: an object with a resourceType".to_owned();
            return Err(Broken { element: "resourceType".to_owned(), rule: Rule::Readable, fix });
        };
        let id = resource.get("id").and_then(Value::as_str).map(|id| format!("{kind}/{id}"));
        let names: Vec<String> = url.into_iter().chain(id).collect();
        match self.keep(&kind, resource, &names, line, lists) {
            Ok(()) => {
                self.kept += 1;
                Ok(())
            }
            Err(Turned::Unused(reason)) => {
                self.pass(&kind, reason);
                Ok(())
            }
            Err(Turned::Broken(element, rule, fix)) => {
                let element = if element.is_empty() { kind } else { format!("{kind}.{element}") };
                Err(Broken { element, rule, fix })
            }
        }
    }

    /// Counts a resource of which nothing is made.
    pub(super) fn pass(&mut self, kind: &str, reason: &str) {
        let what = if reason.is_empty() { kind.to_owned() } else { format!("{kind} ({reason})") };
        *self.unused.entry(what).or_default() += 1;
    }

    fn keep(&mut self, kind: &str, resource: &Value, names: &[String], line: u64, lists: &Lists) -> Result<(), Turned> {
        match kind {
            "Patient" => {
                let person = patient::person(resource, line, lists)?;
                self.note(names, line)?;
                name(&mut self.person_at, names, self.people.len());
                self.people.push(person);
            }
            "Condition" => {
                let tumour = condition::tumour(resource, line)?;
                self.note(names, line)?;
                name(&mut self.tumour_at, names, self.tumours.len());
                self.tumours.push(tumour);
            }
            "CarePlan" => {
                let plan = treatment::care_plan(resource, line)?;
                self.note(names, line)?;
                name(&mut self.plan_at, names, self.plans.len());
                self.plans.push(plan);
            }
            "Observation" => {
                let finding = observation::finding(resource, line)?;
                self.note(names, line)?;
                self.findings.push(finding);
            }
            "Procedure" => {
                let procedure = treatment::procedure(resource, line)?;
                self.note(names, line)?;
                self.procedures.push(procedure);
            }
            "MedicationAdministration" => {
                let administration = treatment::administration(resource, line, lists)?;
                self.note(names, line)?;
                self.administrations.push(administration);
            }
            "MedicationRequest" => {
                let order = treatment::order(resource)?;
                self.note(names, line)?;
                // what is named twice, by address and by id, is kept under both
                name(&mut self.orders, names, order);
            }
            "Medication" => {
                let medicine = treatment::medication(resource, lists)?;
                self.note(names, line)?;
                name(&mut self.medications, names, medicine);
            }
            "Encounter" => {
                let visit = encounter::visit(resource, line)?;
                self.note(names, line)?;
                self.visits.push(visit);
            }
            "Consent" | "Flag" => {
                let decision =
                    if kind == "Flag" { patient::flag(resource, line)? } else { patient::consent(resource, line)? };
                self.note(names, line)?;
                self.decisions.push(decision);
            }
            _ => return Err(Turned::Unused("")),
        }
        Ok(())
    }

    /// Notes that a resource of these names stands in a line; each may stand once.
    fn note(&mut self, names: &[String], line: u64) -> Result<(), Turned> {
        for name in names {
            if let Some(first) = self.seen.insert(key_of([name.as_str()].into_iter()), line) {
                let fix = format!("the same resource stands in line {first}: keep its newest version");
                return Err(Turned::Broken("id".to_owned(), Rule::Unique, fix));
            }
        }
        Ok(())
    }
}

/// Puts something where it is found under each of its names.
fn name<T: Clone>(places: &mut HashMap<String, T>, names: &[String], what: T) {
    for name in names {
        places.insert(name.clone(), what.clone());
    }
}

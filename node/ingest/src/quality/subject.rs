//! A row as rules see it: its own values, those of what it belongs to, and what is derived.

use std::collections::HashSet;

use node_domain::date::PartialDate;

use super::{
    condition::Value,
    name::{Derived, Fate, Name, Owner},
};
use crate::{
    case::{Case, Cases},
    derive::golden_hour,
    registry::Row,
};

/// Everything that rules need beside the rows.
pub struct Context<'c> {
    /// All cases.
    pub cases: &'c Cases<'c>,
    referred: HashSet<&'c str>,
}

/// A row with what it belongs to.
pub struct Subject<'c> {
    /// The row.
    pub row: Row<'c>,
    /// The case that it belongs to.
    pub case: Option<&'c Case<'c>>,
    context: &'c Context<'c>,
}

impl<'c> Context<'c> {
    /// For the rules on the rows of these cases.
    #[must_use]
    pub fn of(cases: &'c Cases<'c>) -> Self {
        Self { cases, referred: cases.referred() }
    }

    /// A row with what it belongs to.
    #[must_use]
    pub fn subject(&'c self, row: Row<'c>) -> Subject<'c> {
        let case = match row.table().name.as_str() {
            "tumour" | "course" | "event" | "administration" => self.cases.case_of(&row),
            _ => None,
        };
        Subject { row, case, context: self }
    }
}

impl<'c> Subject<'c> {
    /// The value that a rule calls by this name.
    #[must_use]
    pub fn value(&self, name: &Name) -> Value<'c> {
        match name {
            Name::Own(position) => Value::of(self.row.at(*position)),
            Name::Owner(owner, position) => {
                self.owner(*owner).map_or(Value::Unknown, |row| Value::of(row.at(*position)))
            }
            Name::Fate(fate) => self.fate(*fate),
            Name::Derived(derived) => self.derived(*derived),
        }
    }

    /// The row that this one belongs to.
    #[must_use]
    pub fn owner(&self, owner: Owner) -> Option<Row<'c>> {
        let cases = self.context.cases;
        match owner {
            Owner::Patient => cases.patients.get(self.row.some("patient_id")?).copied(),
            Owner::Tumour => self.case.map(|case| case.tumour),
            Owner::Course => {
                let number = self.row.value("course_no");
                self.case?.courses.iter().find(|course| course.value("course_no") == number).copied()
            }
            Owner::Facility => cases.facilities.get(self.row.some("facility_id")?).copied(),
        }
    }

    fn fate(&self, name: Fate) -> Value<'c> {
        let Some(fate) = self.row.some("patient_id").and_then(|id| self.context.cases.fates.get(id)) else {
            return Value::Absent;
        };
        let of_death = |field| fate.death_row.map_or(Value::Absent, |row| Value::of(row.value(field)));
        match name {
            Fate::LastContact => Value::date(fate.last_contact),
            Fate::VitalStatus if fate.dead => Value::Text("0"),
            Fate::VitalStatus => Value::of(fate.latest.value("vital_status")),
            Fate::DeathDate => Value::date(fate.death.filter(|_| fate.dead)),
            Fate::DaysSinceContact => days(self.context.cases.days_to_extract(fate.last_contact)),
            Fate::FollowupStatus => Value::of(fate.latest.value("followup_status")),
            Fate::DeathCause => of_death("death_cause_category"),
            Fate::ActiveDisease => of_death("active_disease_at_death"),
        }
    }

    fn derived(&self, name: Derived) -> Value<'c> {
        match name {
            Derived::DoseRatio => match (self.row.number::<f64>("dose"), self.row.number::<f64>("protocol_dose")) {
                (Some(dose), Some(protocol)) if protocol > 0.0 => Value::Number(dose / protocol),
                _ => Value::Absent,
            },
            Derived::AntibioticMinutes => days(antibiotic_minutes(&self.row)),
            Derived::Eligible => Value::yes_no(eligible(&self.row)),
            name => self.case.map_or(Value::Unknown, |case| self.of_case(case, name)),
        }
    }

    fn of_case(&self, case: &'c Case<'c>, name: Derived) -> Value<'c> {
        let facts = &case.facts;
        let recorded = |kinds: &[&str]| case.events.iter().any(|event| kinds.contains(&event.value("event_type")));
        let planned =
            || case.courses.iter().filter(|c| c.value("intent") == "curative").map(|c| c.date("planned_end_date"));
        match name {
            Derived::AgeYears => Value::number(facts.age_years),
            Derived::AgeDays => Value::number(facts.age_days),
            Derived::IcccGroup => Value::Text(facts.classified.group()),
            Derived::IcccSubgroup => Value::Text(facts.classified.subgroup()),
            Derived::IcccExtended => Value::Text(facts.classified.extended()),
            Derived::IndexCancer => facts.classified.index_cancer.map_or(Value::Absent, Value::Text),
            Derived::TorontoSchema => {
                facts.classified.toronto.map_or(Value::Absent, |schema| Value::Text(schema.code()))
            }
            Derived::TorontoTier1 => {
                let tier1 = facts.classified.toronto.and_then(|schema| schema.tier1(case.tumour.value("stage_value")));
                tier1.map_or(Value::Absent, Value::Text)
            }
            Derived::Metastatic => {
                // by the stage alone: the rule compares it with the sites of metastasis
                let value = case.tumour.some("stage_value");
                Value::yes_no(facts.classified.toronto.zip(value).and_then(|(schema, value)| schema.metastatic(value)))
            }
            Derived::SurvivalDays => Value::number(facts.overall.map(|overall| overall.days)),
            Derived::Treated => Value::yes_no(facts.treated),
            Derived::FirstTreatment => Value::date(facts.first_treatment),
            Derived::ChemotherapyBeforeSurgery => Value::yes_no(chemotherapy_before_surgery(case)),
            Derived::PalliativeOnly => Value::yes_no(
                (!case.courses.is_empty())
                    .then(|| case.courses.iter().all(|course| course.value("intent") == "palliative")),
            ),
            // with one planned end missing the treatment may last longer than the others say
            Derived::PlannedEnd => Value::date(
                planned().collect::<Option<Vec<_>>>().and_then(|ends| ends.into_iter().max_by_key(PartialDate::latest)),
            ),
            Derived::DaysSinceDiagnosis => days(self.context.cases.days_to_extract(facts.diagnosis)),
            Derived::AbandonmentRecorded => Value::yes_no(Some(recorded(&["abandonment"]))),
            Derived::ReferredOut => {
                Value::yes_no(Some(self.context.referred.contains(case.patient.value("patient_id"))))
            }
            Derived::Relapsed => Value::yes_no(Some(recorded(&["relapse", "progression"]))),
            Derived::DoseRatio | Derived::AntibioticMinutes | Derived::Eligible => Value::Absent,
        }
    }
}

fn days(number: Option<i64>) -> Value<'static> {
    // whole days and minutes of a life are exact in a float
    number.map_or(Value::Absent, |number| Value::Number(number as f64))
}

fn chemotherapy_before_surgery(case: &Case<'_>) -> Option<bool> {
    let first = |modality: &str| {
        let of = case.courses.iter().filter(|course| course.value("modality") == modality);
        of.filter_map(|course| course.date("start_date")?.earliest()).min()
    };
    match (first("chemotherapy"), first("surgery")) {
        (Some(chemotherapy), Some(surgery)) => Some(chemotherapy < surgery),
        (Some(_), None) => Some(true),
        (None, Some(_)) => Some(false),
        (None, None) => None,
    }
}

/// Minutes to the first antibiotic of a febrile episode, by the clock of its setting.
#[must_use]
pub fn antibiotic_minutes(episode: &Row<'_>) -> Option<i64> {
    let times = golden_hour::Times {
        arrival: episode.time("arrival_at"),
        fever: episode.time("fever_at"),
        antibiotic: episode.time("antibiotic_at"),
    };
    golden_hour::minutes_to_antibiotic(episode.value("setting"), &times)
}

/// Whether a febrile episode meets the definition of febrile neutropenia.
#[must_use]
pub fn eligible(episode: &Row<'_>) -> Option<bool> {
    golden_hour::eligible(&golden_hour::Findings {
        temperature_c: episode.number("temperature_c")?,
        sustained_one_hour: episode.answer("sustained_one_hour"),
        anc_per_ul: episode.number("anc_per_ul"),
        anc_fall_expected: episode.answer("anc_fall_expected"),
    })
}

//! The names by which rules call values: a row's own fields, its owner's, what is known of a patient's fate, what is derived.

use std::str::FromStr;

use node_domain::dictionary::{Dictionary, Table};

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Name {
    /// A field of the row itself, by position.
    Own(usize),
    /// A field of the row that this one belongs to.
    Owner(Owner, usize),
    /// What all follow-up rows of the patient say together.
    Fate(Fate),
    /// What is derived from the case that the row belongs to.
    Derived(Derived),
}

/// What a row belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Owner {
    /// The patient.
    Patient,
    /// The tumour.
    Tumour,
    /// The course of treatment.
    Course,
    /// The hospital.
    Facility,
}

macro_rules! names {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl FromStr for $name {
            type Err = ();

            fn from_str(text: &str) -> Result<Self, ()> {
                match text { $($text => Ok(Self::$variant),)* _ => Err(()) }
            }
        }
    };
}

names! {
    /// What all follow-up rows of a patient say together.
    Fate {
        /// Latest contact.
        LastContact = "last_contact_date",
        /// 0 once any row says so; else that of the latest row.
        VitalStatus = "vital_status",
        /// Date of death.
        DeathDate = "death_date",
        /// Days from the latest contact to the day of the extract.
        DaysSinceContact = "days_since_contact",
        /// Of the latest row.
        FollowupStatus = "followup_status",
        /// Cause of death.
        DeathCause = "death_cause_category",
        /// Whether disease was active at death.
        ActiveDisease = "active_disease_at_death",
    }
}

names! {
    /// What is derived from a case, an administration or a febrile episode.
    Derived {
        /// Completed years at diagnosis.
        AgeYears = "age_years",
        /// Days from birth to diagnosis.
        AgeDays = "age_days",
        /// ICCC-3 main group.
        IcccGroup = "iccc_group",
        /// ICCC-3 subgroup, 999 where unclassified.
        IcccSubgroup = "iccc_subgroup",
        /// ICCC-3 extended division.
        IcccExtended = "iccc_extended",
        /// GICC index cancer.
        IndexCancer = "index_cancer",
        /// Toronto schema that applies.
        TorontoSchema = "toronto_schema",
        /// Toronto tier 1 stage.
        TorontoTier1 = "toronto_tier1",
        /// Whether the stage says metastatic.
        Metastatic = "metastatic",
        /// Days of overall survival.
        SurvivalDays = "survival_days",
        /// Whether there is any course of treatment.
        Treated = "treated",
        /// Start of the first course.
        FirstTreatment = "first_treatment_date",
        /// Whether chemotherapy began before the first surgery.
        ChemotherapyBeforeSurgery = "chemotherapy_before_surgery",
        /// Whether all courses are palliative.
        PalliativeOnly = "palliative_only",
        /// Latest planned end of the curative courses.
        PlannedEnd = "planned_end_date",
        /// Days from diagnosis to the day of the extract.
        DaysSinceDiagnosis = "days_since_diagnosis",
        /// Whether abandonment is recorded.
        AbandonmentRecorded = "abandonment_recorded",
        /// Whether the patient has a referral.
        ReferredOut = "referred_out",
        /// Whether a relapse or progression is recorded.
        Relapsed = "relapsed",
        /// Dose by the protocol's dose.
        DoseRatio = "dose_ratio",
        /// Minutes to the first antibiotic, by the clock of the setting.
        AntibioticMinutes = "antibiotic_minutes",
        /// Whether an episode meets the definition of febrile neutropenia.
        Eligible = "eligible",
    }
}

impl Owner {
    /// The collection.
    #[must_use]
    pub fn collection(self) -> &'static str {
        match self {
            Self::Patient => "patient",
            Self::Tumour => "tumour",
            Self::Course => "course",
            Self::Facility => "facility",
        }
    }
}

impl Name {
    /// The value called `text` by a rule on `table`; `None` where there is none of that name.
    #[must_use]
    pub fn resolve(text: &str, table: &Table, dictionary: &Dictionary) -> Option<Self> {
        let Some((owner, field)) = text.split_once('.') else { return table.position(text).map(Self::Own) };
        let owner = match owner {
            "fate" => return field.parse().ok().map(Self::Fate),
            "derived" => return field.parse().ok().map(Self::Derived),
            owner if owner == table.name => return table.position(field).map(Self::Own),
            "patient" => Owner::Patient,
            "tumour" => Owner::Tumour,
            "course" => Owner::Course,
            "facility" => Owner::Facility,
            _ => return None,
        };
        dictionary.collection(owner.collection())?.position(field).map(|field| Self::Owner(owner, field))
    }
}

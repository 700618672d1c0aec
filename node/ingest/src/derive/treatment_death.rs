//! Treatment-related death: a death in the absence of progressive cancer, among children who started treatment.
//!
//! Consensus definition of Alexander and others, Lancet Oncol 2015;16:e604-e610. The cancer need not be gone: a child who dies of
//! an infection during induction has leukaemia, but none that progresses.

/// What is known of a child's death.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Death<'a> {
    /// Whether any treatment of the cancer was started.
    pub treatment_started: Option<bool>,
    /// Whether the patient died.
    pub dead: Option<bool>,
    /// Code of `death_cause`: `disease`, `treatment_related`, `second_malignancy`, `unrelated` or `unknown`.
    pub cause: Option<&'a str>,
    /// Whether there was active disease at death.
    pub active_disease: Option<bool>,
    /// Whether an induction failure, a relapse or a progression is on record before the death.
    pub progressed: bool,
}

/// Whether the death was related to treatment; `None` where the record does not decide it.
///
/// Not so for the living, for children never treated, and for deaths of the disease or of another malignancy. After a progression,
/// so only where the disease was no longer active. Without one, so for every other stated cause: the definition asks whether the
/// cancer progressed, not what else may have killed. Where no cause is stated, so if the disease was not active, else undecided.
#[must_use]
pub fn treatment_related(death: &Death<'_>) -> Option<bool> {
    if death.dead == Some(false) || death.treatment_started == Some(false) {
        return Some(false);
    }
    if death.dead.is_none() || death.treatment_started.is_none() {
        return None;
    }
    match (death.cause, death.progressed, death.active_disease) {
        (Some("disease"), _, Some(false)) => None,
        (Some("disease" | "second_malignancy"), ..) => Some(false),
        (_, true, active) => active.map(|active| !active),
        (Some("treatment_related" | "unrelated"), false, _) => Some(true),
        (_, false, Some(false)) => Some(true),
        (_, false, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn death(cause: &str) -> Death<'_> {
        Death { treatment_started: Some(true), dead: Some(true), cause: Some(cause), ..Death::default() }
    }

    #[test]
    fn the_living_and_the_untreated_have_none() {
        assert_eq!(treatment_related(&Death { dead: Some(false), ..Death::default() }), Some(false));
        assert_eq!(
            treatment_related(&Death { treatment_started: Some(false), ..death("treatment_related") }),
            Some(false)
        );
        assert_eq!(treatment_related(&Death { treatment_started: None, ..death("treatment_related") }), None);
        assert_eq!(treatment_related(&Death { dead: None, ..death("treatment_related") }), None);
    }

    #[test]
    fn the_cause_decides_where_the_cancer_did_not_progress() {
        let of = |cause| treatment_related(&death(cause));
        assert_eq!((of("treatment_related"), of("unrelated")), (Some(true), Some(true)));
        assert_eq!((of("disease"), of("second_malignancy"), of("unknown")), (Some(false), Some(false), None));
        let in_induction = Death { active_disease: Some(true), ..death("treatment_related") };
        assert_eq!(treatment_related(&in_induction), Some(true));
    }

    #[test]
    fn after_a_progression_only_an_inactive_disease_allows_it() {
        let of = |active_disease| {
            treatment_related(&Death { progressed: true, active_disease, ..death("treatment_related") })
        };
        assert_eq!((of(Some(true)), of(Some(false)), of(None)), (Some(false), Some(true), None));
    }

    #[test]
    fn without_a_cause_the_state_of_the_disease_decides_one_way() {
        let of = |active_disease| treatment_related(&Death { cause: None, active_disease, ..death("") });
        assert_eq!((of(Some(true)), of(Some(false)), of(None)), (None, Some(true), None));
        let contradiction = Death { active_disease: Some(false), ..death("disease") };
        assert_eq!(treatment_related(&contradiction), None);
    }
}

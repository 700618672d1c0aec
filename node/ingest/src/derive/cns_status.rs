//! The status of the central nervous system in acute lymphoblastic leukaemia, from the counts of the first lumbar puncture.
//!
//! Classes of the Rome/NCI workshop (Mastrangelo and others, Med Pediatr Oncol 1986); the correction for blood in the fluid is
//! that of Steinherz, as the Toronto guidelines and the COG protocols carry it.

/// What the first lumbar puncture and the examination found.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Findings {
    /// White cells of the fluid per microlitre.
    pub csf_wbc_per_ul: Option<f64>,
    /// Red cells of the fluid per microlitre.
    pub csf_rbc_per_ul: Option<f64>,
    /// Whether blasts were seen in the fluid.
    pub csf_blasts: Option<bool>,
    /// Whether there are signs such as a palsy of a cranial nerve or eye involvement.
    pub clinical_signs: Option<bool>,
    /// White cells of the blood divided by its red cells, in the same unit and of the same day.
    pub blood_ratio: Option<f64>,
}

/// `CNS1` no blasts, `CNS2` blasts with few cells or explained by blood, `CNS3` involved; `None` where the findings do not decide.
///
/// Blasts with 5 white cells or more are CNS2 only with 10 red cells or more and a ratio of white to red cells in the fluid of at
/// most twice that of the blood; where the blood ratio is not known such a puncture stays undecided. Signs make CNS3 whatever the
/// counts; CNS1 and CNS2 need it known that there are none.
#[must_use]
pub fn cns_status(findings: &Findings) -> Option<&'static str> {
    if findings.clinical_signs == Some(true) {
        return Some("CNS3");
    }
    let by_fluid = match findings.csf_blasts? {
        false => "CNS1",
        true if findings.csf_wbc_per_ul? < 5.0 => "CNS2",
        true if findings.csf_rbc_per_ul? < 10.0 => "CNS3",
        true if findings.csf_wbc_per_ul? <= 2.0 * findings.blood_ratio? * findings.csf_rbc_per_ul? => "CNS2",
        true => "CNS3",
    };
    (by_fluid == "CNS3" || findings.clinical_signs == Some(false)).then_some(by_fluid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn puncture(wbc: f64, rbc: f64, blasts: bool) -> Findings {
        Findings {
            csf_wbc_per_ul: Some(wbc),
            csf_rbc_per_ul: Some(rbc),
            csf_blasts: Some(blasts),
            clinical_signs: Some(false),
            blood_ratio: None,
        }
    }

    #[test]
    fn counts_give_the_class() {
        assert_eq!(cns_status(&puncture(20.0, 0.0, false)), Some("CNS1"));
        assert_eq!(cns_status(&puncture(4.0, 2000.0, true)), Some("CNS2"));
        assert_eq!(cns_status(&puncture(5.0, 9.0, true)), Some("CNS3"));
    }

    #[test]
    fn blood_in_the_fluid_is_weighed_by_the_ratio_of_the_blood() {
        let bloody = |blood_ratio| cns_status(&Findings { blood_ratio, ..puncture(20.0, 1000.0, true) });
        assert_eq!(bloody(Some(0.01)), Some("CNS2"));
        assert_eq!(bloody(Some(0.0099)), Some("CNS3"));
        assert_eq!(bloody(None), None);
    }

    #[test]
    fn signs_decide_and_must_be_known_for_the_lower_classes() {
        let signs = |clinical_signs, findings| cns_status(&Findings { clinical_signs, ..findings });
        assert_eq!(signs(Some(true), Findings::default()), Some("CNS3"));
        assert_eq!(signs(None, puncture(0.0, 0.0, false)), None);
        assert_eq!(signs(None, puncture(9.0, 0.0, true)), Some("CNS3"));
    }

    #[test]
    fn what_was_not_counted_is_not_filled_in() {
        assert_eq!(cns_status(&Findings { csf_blasts: None, ..puncture(2.0, 0.0, true) }), None);
        assert_eq!(cns_status(&Findings { csf_wbc_per_ul: None, ..puncture(2.0, 0.0, true) }), None);
        assert_eq!(cns_status(&Findings { csf_rbc_per_ul: None, ..puncture(6.0, 0.0, true) }), None);
        assert_eq!(cns_status(&Findings { csf_wbc_per_ul: None, ..puncture(2.0, 0.0, false) }), Some("CNS1"));
    }
}

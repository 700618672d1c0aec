//! Whether two tumours of one person are one primary cancer.
//!
//! International rules for multiple primary cancers, ICD-O third edition (IARC, IACR and ENCR, Lyon 2004): table 1 for the sites,
//! table 2 for the histologies (after Berg), the latter as the second revision of ICD-O-3 (2019) extends it; codes that the
//! revision dropped keep the group of the first revision.

/// What the rules ask of a tumour; time does not matter to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tumour<'a> {
    /// ICD-O-3 topography, such as `C421`.
    pub topography: &'a str,
    /// ICD-O-3 morphology.
    pub morphology: u16,
}

/// Groups of histologies that count as different, in the order of table 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HistologyGroup {
    /// 1. Squamous and transitional cell carcinomas.
    Squamous,
    /// 2. Basal cell carcinomas.
    BasalCell,
    /// 3. Adenocarcinomas.
    Adenocarcinoma,
    /// 4. Other specific carcinomas.
    OtherCarcinoma,
    /// (5) Unspecified carcinomas.
    UnspecifiedCarcinoma,
    /// 6. Sarcomas and other soft tissue tumours.
    Sarcoma,
    /// 7. Mesothelioma.
    Mesothelioma,
    /// 8. Myeloid neoplasms.
    Myeloid,
    /// 9. B-cell neoplasms.
    BCell,
    /// 10. T-cell and NK-cell neoplasms.
    TCell,
    /// 11. Hodgkin lymphoma.
    Hodgkin,
    /// 12. Mast-cell tumours.
    MastCell,
    /// 13. Histiocytes and accessory lymphoid cells.
    Histiocytic,
    /// (14) Unspecified haematopoietic cancers.
    UnspecifiedHaematopoietic,
    /// 15. Kaposi sarcoma.
    Kaposi,
    /// 16. Other specified cancers.
    OtherSpecified,
    /// (17) Unspecified cancers.
    Unspecified,
}

use HistologyGroup::{
    Adenocarcinoma, BCell, BasalCell, Histiocytic, Hodgkin, Kaposi, MastCell, Mesothelioma, Myeloid, OtherCarcinoma,
    OtherSpecified, Sarcoma, Squamous, TCell, Unspecified, UnspecifiedCarcinoma, UnspecifiedHaematopoietic,
};

/// Table 2, in the order of the codes.
const HISTOLOGIES: [(u16, u16, HistologyGroup); 86] = [
    (8000, 8005, Unspecified),
    (8010, 8015, UnspecifiedCarcinoma),
    (8020, 8022, UnspecifiedCarcinoma),
    (8026, 8026, OtherCarcinoma),
    (8030, 8046, OtherCarcinoma),
    (8050, 8050, UnspecifiedCarcinoma),
    (8051, 8086, Squamous),
    (8090, 8110, BasalCell),
    (8120, 8131, Squamous),
    (8140, 8149, Adenocarcinoma),
    (8150, 8158, OtherCarcinoma),
    (8160, 8163, Adenocarcinoma),
    (8170, 8180, OtherCarcinoma),
    (8190, 8221, Adenocarcinoma),
    (8230, 8249, OtherCarcinoma),
    (8250, 8552, Adenocarcinoma),
    (8560, 8562, OtherCarcinoma),
    (8570, 8576, Adenocarcinoma),
    (8580, 8589, OtherCarcinoma),
    (8590, 8671, OtherSpecified),
    (8680, 8714, Sarcoma),
    (8720, 8790, OtherSpecified),
    (8800, 8921, Sarcoma),
    (8930, 8936, Sarcoma),
    (8940, 8941, Adenocarcinoma),
    (8950, 8983, OtherSpecified),
    (8990, 8992, Sarcoma),
    (9000, 9030, OtherSpecified),
    (9040, 9045, Sarcoma),
    (9050, 9055, Mesothelioma),
    (9060, 9105, OtherSpecified),
    (9110, 9110, Adenocarcinoma),
    (9120, 9125, Sarcoma),
    (9130, 9138, Sarcoma),
    (9140, 9140, Kaposi),
    (9141, 9252, Sarcoma),
    (9260, 9365, OtherSpecified),
    (9370, 9373, Sarcoma),
    (9380, 9539, OtherSpecified),
    (9540, 9582, Sarcoma),
    (9590, 9591, UnspecifiedHaematopoietic),
    (9596, 9596, UnspecifiedHaematopoietic),
    (9597, 9597, BCell),
    (9650, 9667, Hodgkin),
    (9670, 9699, BCell),
    (9700, 9709, TCell),
    (9712, 9712, BCell),
    (9714, 9719, TCell),
    (9724, 9726, TCell),
    (9727, 9727, UnspecifiedHaematopoietic),
    (9728, 9728, BCell),
    (9729, 9729, TCell),
    (9731, 9738, BCell),
    (9740, 9742, MastCell),
    (9749, 9759, Histiocytic),
    (9760, 9760, UnspecifiedHaematopoietic),
    (9761, 9767, BCell),
    (9768, 9768, TCell),
    (9769, 9769, BCell),
    (9800, 9801, UnspecifiedHaematopoietic),
    (9805, 9809, UnspecifiedHaematopoietic),
    (9811, 9819, BCell),
    (9820, 9820, UnspecifiedHaematopoietic),
    (9823, 9823, BCell),
    (9826, 9826, BCell),
    (9827, 9831, TCell),
    (9832, 9832, UnspecifiedHaematopoietic),
    (9833, 9833, BCell),
    (9834, 9834, TCell),
    (9835, 9835, UnspecifiedHaematopoietic),
    (9836, 9836, BCell),
    (9837, 9837, TCell),
    (9840, 9840, Myeloid),
    (9860, 9931, Myeloid),
    (9940, 9940, BCell),
    (9945, 9946, Myeloid),
    (9948, 9948, TCell),
    (9950, 9950, Myeloid),
    (9960, 9964, Myeloid),
    (9965, 9965, UnspecifiedHaematopoietic),
    (9966, 9966, Myeloid),
    (9967, 9968, UnspecifiedHaematopoietic),
    (9970, 9971, UnspecifiedHaematopoietic),
    (9975, 9975, Myeloid),
    (9980, 9989, Myeloid),
    (9991, 9993, Myeloid),
];

/// Table 1: three-character sites that count as one organ. Every other site stands alone.
const ORGANS: [&[&str]; 8] = [
    &["C01", "C02"],
    &["C00", "C03", "C04", "C05", "C06"],
    &["C09", "C10", "C12", "C13", "C14"],
    &["C19", "C20"],
    &["C23", "C24"],
    &["C33", "C34"],
    &["C40", "C41"],
    &["C65", "C66", "C67", "C68"],
];

/// The group of a morphology; `None` for a number that table 2 does not hold.
#[must_use]
pub fn histology_group(morphology: u16) -> Option<HistologyGroup> {
    let at = HISTOLOGIES.partition_point(|(_, to, _)| *to < morphology);
    HISTOLOGIES.get(at).filter(|(from, ..)| *from <= morphology).map(|(.., group)| *group)
}

/// Whether two tumours of one person count as one primary cancer, whenever they were found and on whichever side.
///
/// Systemic and multicentric cancers (haematopoietic ones, Kaposi sarcoma) count once per group and person, wherever they are.
/// Others are one where organ and group are the same. An unspecified group is that of any specific one it may stand for: (5) for
/// carcinomas, (14) for haematopoietic cancers, (17) for all. Morphologies of no group are compared as they are.
#[must_use]
pub fn same_primary(one: &Tumour<'_>, other: &Tumour<'_>) -> bool {
    let same_organ = same_organ(one.topography, other.topography);
    match (histology_group(one.morphology), histology_group(other.morphology)) {
        (Some(group), Some(another)) => {
            same_histology(group, another) && (same_organ || (group.is_systemic() && another.is_systemic()))
        }
        _ => same_organ && one.morphology == other.morphology,
    }
}

fn same_organ(one: &str, other: &str) -> bool {
    let (Some(one), Some(other)) = (one.get(..3), other.get(..3)) else { return false };
    one == other || ORGANS.iter().any(|organ| organ.contains(&one) && organ.contains(&other))
}

fn same_histology(one: HistologyGroup, other: HistologyGroup) -> bool {
    one == other || one.may_stand_for(other) || other.may_stand_for(one)
}

impl HistologyGroup {
    /// Whether it counts once per person.
    #[must_use]
    pub fn is_systemic(self) -> bool {
        (Myeloid..=Kaposi).contains(&self)
    }

    fn may_stand_for(self, specific: Self) -> bool {
        match self {
            UnspecifiedCarcinoma => specific <= OtherCarcinoma,
            UnspecifiedHaematopoietic => (Myeloid..=Histiocytic).contains(&specific),
            Unspecified => true,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(one: (&str, u16), other: (&str, u16)) -> bool {
        let tumour = |(topography, morphology)| Tumour { topography, morphology };
        let answer = same_primary(&tumour(one), &tumour(other));
        assert_eq!(answer, same_primary(&tumour(other), &tumour(one)), "{one:?} {other:?}");
        answer
    }

    #[test]
    fn table_2_is_in_order_without_overlap() {
        for pair in HISTOLOGIES.windows(2) {
            assert!(pair[0].0 <= pair[0].1 && pair[0].1 < pair[1].0, "{pair:?}");
        }
    }

    #[test]
    fn morphologies_fall_into_their_groups() {
        for (morphology, group) in [
            (8000, Some(Unspecified)),
            (8010, Some(UnspecifiedCarcinoma)),
            (8070, Some(Squamous)),
            (8090, Some(BasalCell)),
            (8260, Some(Adenocarcinoma)),
            (8170, Some(OtherCarcinoma)),
            (8900, Some(Sarcoma)),
            (8960, Some(OtherSpecified)),
            (9050, Some(Mesothelioma)),
            (9140, Some(Kaposi)),
            (9260, Some(OtherSpecified)),
            (9510, Some(OtherSpecified)),
            (9591, Some(UnspecifiedHaematopoietic)),
            (9650, Some(Hodgkin)),
            (9687, Some(BCell)),
            (9740, Some(MastCell)),
            (9751, Some(Histiocytic)),
            (9811, Some(BCell)),
            (9837, Some(TCell)),
            (9861, Some(Myeloid)),
            (9993, Some(Myeloid)),
            (8006, None),
            (9600, None),
            (7999, None),
        ] {
            assert_eq!(histology_group(morphology), group, "{morphology}");
        }
    }

    #[test]
    fn paired_and_multifocal_tumours_of_one_organ_are_one() {
        assert!(same(("C649", 8960), ("C649", 8960)));
        assert!(same(("C692", 9510), ("C699", 9510)));
        assert!(same(("C402", 9180), ("C411", 9180)));
        assert!(same(("C649", 8960), ("C649", 8000)));
        assert!(same(("C182", 8010), ("C187", 8140)));
    }

    #[test]
    fn another_organ_or_another_group_is_another_cancer() {
        assert!(!same(("C692", 9510), ("C402", 9180)));
        assert!(!same(("C649", 8960), ("C739", 8260)));
        assert!(!same(("C220", 8970), ("C220", 8140)));
        assert!(!same(("C499", 8010), ("C499", 8900)));
    }

    #[test]
    fn systemic_cancers_count_once_per_group_wherever_they_are() {
        assert!(same(("C421", 9811), ("C770", 9680)));
        assert!(same(("C421", 9835), ("C379", 9837)));
        assert!(same(("C440", 9140), ("C779", 9140)));
        assert!(!same(("C421", 9811), ("C421", 9861)));
        assert!(!same(("C770", 9650), ("C421", 9861)));
        assert!(!same(("C421", 9861), ("C716", 8000)));
    }

    #[test]
    fn what_the_tables_do_not_hold_is_compared_as_it_is() {
        assert!(same(("C499", 8006), ("C499", 8006)));
        assert!(!same(("C499", 8006), ("C499", 8900)));
        assert!(!same(("C4", 8900), ("C4", 8900)));
    }
}

//! How a cancer is treated: the courses in order, their length and the medicines of which doses are recorded.

use rand::rngs::StdRng;

use crate::draw::chance;

/// A way to treat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Regimen {
    None,
    All,
    Aml,
    Cml,
    Mds,
    Hodgkin,
    Burkitt,
    Lymphoma,
    Lch,
    LowGlioma,
    HighGlioma,
    Medullo,
    Ependymoma,
    BrainStem,
    OpticGlioma,
    SurgeryOnly,
    SurgeryChemo,
    Neuroblastoma,
    Retinoblastoma,
    Wilms,
    Hepatoblastoma,
    Bone,
    SoftTissue,
    GermCell,
    Thyroid,
    Nasopharynx,
    Unspecified,
    Adult,
    AdultHormone,
}

/// A course as it is planned.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    pub(crate) modality: &'static str,
    pub(crate) phase: &'static str,
    /// Days from the first treatment.
    pub(crate) start: i64,
    /// Days.
    pub(crate) length: i64,
    pub(crate) doses: &'static [Dose],
}

/// A medicine as a protocol asks for it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dose {
    pub(crate) inn: &'static str,
    pub(crate) atc: &'static str,
    pub(crate) amount: f64,
    pub(crate) unit: &'static str,
    pub(crate) route: &'static str,
    /// Days between doses.
    pub(crate) every: i64,
}

const fn dose(
    inn: &'static str,
    atc: &'static str,
    amount: f64,
    unit: &'static str,
    route: &'static str,
    every: i64,
) -> Dose {
    Dose { inn, atc, amount, unit, route, every }
}

const VCR: Dose = dose("vincristine", "L01CA02", 1.5, "mg/m2", "IV", 7);
const PRED: Dose = dose("prednisolone", "H02AB06", 40.0, "mg/m2", "PO", 7);
const DEXA: Dose = dose("dexamethasone", "H02AB02", 10.0, "mg/m2", "PO", 7);
const IT_MTX: Dose = dose("methotrexate", "L01BA01", 12.0, "mg", "IT", 14);
const IT_ARAC: Dose = dose("cytarabine", "L01BC01", 30.0, "mg", "IT", 21);
const IT_HC: Dose = dose("hydrocortisone", "H02AB09", 15.0, "mg", "IT", 21);
const DNR: Dose = dose("daunorubicin", "L01DB02", 30.0, "mg/m2", "IV", 7);
const DOX: Dose = dose("doxorubicin", "L01DB01", 30.0, "mg/m2", "IV", 21);
const ASP: Dose = dose("asparaginase", "L01XX02", 5000.0, "[iU]/m2", "IM", 4);
const PEG: Dose = dose("pegaspargase", "L01XX24", 2500.0, "[iU]/m2", "IV", 28);
const CPM: Dose = dose("cyclophosphamide", "L01AA01", 1000.0, "mg/m2", "IV", 21);
const ARAC: Dose = dose("cytarabine", "L01BC01", 75.0, "mg/m2", "IV", 7);
const HDAC: Dose = dose("cytarabine", "L01BC01", 3000.0, "mg/m2", "IV", 21);
const MP6: Dose = dose("mercaptopurine", "L01BB02", 50.0, "mg/m2", "PO", 28);
const MTX: Dose = dose("methotrexate", "L01BA01", 20.0, "mg/m2", "PO", 28);
const HDMTX: Dose = dose("methotrexate", "L01BA01", 5000.0, "mg/m2", "IV", 14);
const VP16: Dose = dose("etoposide", "L01CB01", 100.0, "mg/m2", "IV", 21);
const IFO: Dose = dose("ifosfamide", "L01AA06", 1800.0, "mg/m2", "IV", 21);
const CARBO: Dose = dose("carboplatin", "L01XA02", 560.0, "mg/m2", "IV", 21);
const CDDP: Dose = dose("cisplatin", "L01XA01", 80.0, "mg/m2", "IV", 21);
const ACTD: Dose = dose("dactinomycin", "L01DA01", 1.35, "mg/m2", "IV", 21);
const VBL: Dose = dose("vinblastine", "L01CA01", 6.0, "mg/m2", "IV", 7);
const DTIC: Dose = dose("dacarbazine", "L01AX04", 250.0, "mg/m2", "IV", 21);
const BLEO: Dose = dose("bleomycin", "L01DC01", 10_000.0, "[iU]/m2", "IV", 14);
const RTX: Dose = dose("rituximab", "L01FA01", 375.0, "mg/m2", "IV", 21);
const IMA: Dose = dose("imatinib", "L01EA01", 340.0, "mg/m2", "PO", 90);
const TMZ: Dose = dose("temozolomide", "L01AX03", 200.0, "mg/m2", "PO", 28);
const TAXOL: Dose = dose("paclitaxel", "L01CD01", 175.0, "mg/m2", "IV", 21);
const FLUO: Dose = dose("fluorouracil", "L01BC02", 400.0, "mg/m2", "IV", 14);
const VP16_HIGH: Dose = dose("etoposide", "L01CB01", 150.0, "mg/m2", "IV", 14);
const ANTI_GD2: Dose = dose("dinutuximab_beta", "L01FX06", 10.0, "mg/m2", "IV", 35);

/// What the choice of courses depends on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patient {
    pub(crate) age: i64,
    pub(crate) stage: &'static str,
    pub(crate) metastatic: bool,
    pub(crate) high_income: bool,
}

const fn step(modality: &'static str, phase: &'static str, start: i64, length: i64, doses: &'static [Dose]) -> Step {
    Step { modality, phase, start, length, doses }
}

const fn chemo(phase: &'static str, start: i64, length: i64, doses: &'static [Dose]) -> Step {
    step("chemotherapy", phase, start, length, doses)
}

const fn surgery(start: i64) -> Step {
    step("surgery", "", start, 0, &[])
}

const fn radiotherapy(start: i64, length: i64) -> Step {
    step("radiotherapy", "", start, length, &[])
}

const fn transplant(start: i64) -> Step {
    step("transplant", "", start, 30, &[])
}

impl Regimen {
    /// Name of the protocol.
    pub(crate) fn protocol(self) -> &'static str {
        match self {
            Self::All => "ALL-IC 2009",
            Self::Aml => "AML-BFM 2012",
            Self::Mds => "EWOG-MDS 2006",
            Self::Hodgkin => "EuroNet-PHL-C2",
            Self::Burkitt => "LMB 2001",
            Self::Lymphoma => "B-NHL 2013",
            Self::Lch => "LCH-IV",
            Self::LowGlioma | Self::OpticGlioma => "SIOP LGG 2004",
            Self::HighGlioma | Self::BrainStem => "HIT-HGG 2007",
            Self::Medullo => "SIOP PNET5",
            Self::Ependymoma => "SIOP EP II",
            Self::Neuroblastoma => "HR-NBL1",
            Self::Retinoblastoma => "GALOP RB",
            Self::Wilms => "UMBRELLA SIOP",
            Self::Hepatoblastoma => "SIOPEL 3",
            Self::Bone => "EE2012",
            Self::SoftTissue => "EpSSG RMS 2005",
            Self::GermCell => "TGM 95",
            _ => "",
        }
    }

    /// Days from the first treatment to complete remission, where it is reached.
    pub(crate) fn remission_days(self, planned: i64) -> i64 {
        match self {
            Self::All | Self::Aml => 38,
            Self::Mds | Self::Burkitt => 75,
            Self::Cml => 180,
            Self::Hodgkin | Self::Lymphoma => 110,
            _ => (planned * 9 / 10).max(30),
        }
    }

    /// Whether it begins with an induction that may fail.
    pub(crate) fn has_induction(self) -> bool {
        matches!(self, Self::All | Self::Aml)
    }

    /// Days that usually pass from diagnosis to the first treatment.
    pub(crate) fn start_days(self) -> f64 {
        match self {
            Self::All | Self::Aml | Self::Burkitt => 2.5,
            Self::Lymphoma | Self::Medullo | Self::Wilms | Self::Neuroblastoma | Self::Hepatoblastoma => 6.0,
            _ => 10.0,
        }
    }

    /// The courses in order.
    pub(crate) fn steps(self, patient: Patient, rng: &mut StdRng) -> Vec<Step> {
        let Patient { age, stage, metastatic, high_income } = patient;
        match self {
            Self::None => Vec::new(),
            Self::All => vec![
                chemo("prephase", 0, 7, &[PRED, IT_MTX]),
                chemo(
                    "induction",
                    7,
                    28,
                    if high_income { &[VCR, DNR, PEG, DEXA, IT_MTX] } else { &[VCR, DNR, ASP, DEXA, IT_MTX] },
                ),
                chemo("consolidation", 42, 60, &[CPM, ARAC, MP6, IT_MTX]),
                chemo("interim", 108, 50, &[HDMTX, MP6, IT_ARAC]),
                chemo("reinduction", 165, 50, &[VCR, DOX, ASP, DEXA, IT_HC]),
                chemo("maintenance", 220, 510, &[MP6, MTX]),
            ],
            Self::Aml => {
                let mut steps = vec![
                    chemo("induction", 0, 30, &[ARAC, DNR, VP16, IT_ARAC]),
                    chemo("consolidation", 40, 35, &[HDAC, DOX]),
                    chemo("consolidation", 80, 35, &[HDAC, VP16_HIGH]),
                    chemo("other", 120, 35, &[HDAC, VP16]),
                ];
                if chance(rng, 0.2) {
                    steps.push(transplant(165));
                }
                steps
            }
            Self::Cml => vec![step("targeted", "", 0, 1460, &[IMA])],
            Self::Mds => {
                let mut steps = vec![chemo("other", 0, 60, &[ARAC, MP6])];
                if chance(rng, 0.6) {
                    steps.push(transplant(110));
                }
                steps
            }
            Self::Hodgkin => {
                let mut steps = vec![
                    chemo("induction", 0, 60, &[DOX, BLEO, VBL, DTIC]),
                    chemo("consolidation", 60, 60, &[CPM, VCR, DTIC, PRED]),
                ];
                if chance(rng, 0.4) {
                    steps.push(radiotherapy(140, 21));
                }
                steps
            }
            Self::Burkitt => vec![
                chemo("prephase", 0, 7, &[CPM, VCR, PRED]),
                chemo(
                    "induction",
                    7,
                    28,
                    if high_income { &[RTX, HDMTX, CPM, DOX, IT_MTX] } else { &[HDMTX, CPM, DOX, IT_MTX] },
                ),
                chemo("consolidation", 40, 80, &[HDMTX, HDAC, IT_ARAC]),
            ],
            Self::Lymphoma => vec![
                chemo("induction", 0, 40, &[CPM, DOX, VCR, PRED]),
                chemo("consolidation", 45, 100, &[IFO, VP16, VBL]),
            ],
            Self::Lch => vec![chemo("induction", 0, 42, &[VBL, PRED]), chemo("maintenance", 45, 320, &[VBL, PRED])],
            Self::LowGlioma => {
                let mut steps = vec![surgery(0)];
                if chance(rng, 0.3) {
                    steps.push(chemo("other", 30, 365, &[CARBO, VCR]));
                }
                steps
            }
            Self::HighGlioma => vec![surgery(0), radiotherapy(25, 42), chemo("other", 75, 180, &[TMZ])],
            Self::Medullo if age >= 3 => {
                vec![surgery(0), radiotherapy(28, 42), chemo("maintenance", 80, 240, &[CDDP, VCR, CPM])]
            }
            Self::Medullo => vec![surgery(0), chemo("other", 21, 200, &[CPM, VCR, CARBO, VP16])],
            Self::Ependymoma if age >= 1 => vec![surgery(0), radiotherapy(30, 42)],
            Self::Ependymoma => vec![surgery(0), chemo("other", 21, 150, &[VCR, CPM])],
            Self::BrainStem => vec![radiotherapy(0, 42)],
            Self::OpticGlioma => vec![chemo("other", 0, 365, &[CARBO, VCR])],
            Self::SurgeryOnly => vec![surgery(0)],
            Self::SurgeryChemo => vec![surgery(0), chemo("other", 20, 120, &[CDDP, DOX, VP16])],
            Self::Neuroblastoma if metastatic && stage != "MS" => {
                let mut steps = vec![
                    chemo("induction", 0, 120, &[CDDP, VP16, CPM, VCR, DOX]),
                    surgery(130),
                    transplant(165),
                    radiotherapy(215, 21),
                ];
                if high_income {
                    steps.push(step("immunotherapy", "", 250, 100, &[ANTI_GD2]));
                }
                steps
            }
            Self::Neuroblastoma if stage == "L1" || stage == "MS" => vec![surgery(0)],
            Self::Neuroblastoma => vec![chemo("induction", 0, 100, &[CARBO, VP16, CPM]), surgery(110)],
            Self::Retinoblastoma if stage == "0" => vec![chemo("other", 0, 120, &[CARBO, VP16, VCR])],
            Self::Retinoblastoma if stage == "I" => vec![surgery(0)],
            Self::Retinoblastoma => vec![surgery(0), chemo("other", 20, 130, &[CARBO, VP16, VCR])],
            Self::Wilms => {
                let after = stage.starts_with("y-") || (stage == "IV" && chance(rng, 0.7)) || stage == "X";
                let mut steps = if after {
                    vec![
                        chemo("induction", 0, 28, &[VCR, ACTD]),
                        surgery(35),
                        chemo("consolidation", 45, 130, &[VCR, ACTD, DOX]),
                    ]
                } else {
                    vec![surgery(0), chemo("consolidation", 8, 150, &[VCR, ACTD])]
                };
                if stage == "III" || stage == "y-III" || stage == "IV" {
                    steps.push(radiotherapy(55, 14));
                }
                steps
            }
            Self::Hepatoblastoma => {
                vec![chemo("induction", 0, 70, &[CDDP, DOX]), surgery(80), chemo("consolidation", 92, 45, &[CDDP])]
            }
            Self::Bone => vec![
                chemo("induction", 0, 75, &[DOX, CDDP, IFO, VCR]),
                surgery(85),
                chemo("consolidation", 100, 150, &[IFO, VP16, DOX]),
            ],
            Self::SoftTissue => vec![surgery(0), chemo("other", 12, 160, &[IFO, VCR, ACTD]), radiotherapy(176, 35)],
            Self::GermCell if chance(rng, 0.6) => vec![surgery(0), chemo("other", 14, 75, &[BLEO, VP16, CDDP])],
            Self::GermCell => vec![surgery(0)],
            Self::Thyroid => vec![surgery(0), step("hormone", "", 14, 365, &[])],
            Self::Nasopharynx => vec![chemo("induction", 0, 75, &[CDDP, FLUO]), radiotherapy(85, 45)],
            Self::Unspecified => vec![chemo("other", 0, 90, &[CARBO, VP16])],
            Self::Adult => vec![surgery(0), chemo("other", 25, 130, &[FLUO, TAXOL])],
            Self::AdultHormone => vec![surgery(0), step("hormone", "", 20, 900, &[])],
        }
    }
}

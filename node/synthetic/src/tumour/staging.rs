//! The Toronto schemas (version 2, tier 2) with how often each stage occurs and where the disease has spread to.

/// A schema.
#[derive(Debug)]
pub(crate) struct Staging {
    /// Code of the schema; empty where the cancer is not staged.
    pub(crate) schema: &'static str,
    /// Its values.
    pub(crate) values: &'static [Value],
    /// Sites of metastases with weights.
    pub(crate) spread: &'static [(&'static str, f64)],
}

/// A stage.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Value {
    pub(crate) code: &'static str,
    pub(crate) weight: f64,
    pub(crate) metastasis: Metastasis,
}

/// What a stage says of metastases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Metastasis {
    /// Nothing that is recorded.
    Unsaid,
    /// There are none.
    None,
    /// There are some.
    Present,
}

use Metastasis::{None as Local, Present as Far, Unsaid};

const fn v(code: &'static str, weight: f64, metastasis: Metastasis) -> Value {
    Value { code, weight, metastasis }
}

const fn staging(schema: &'static str, values: &'static [Value], spread: &'static [(&'static str, f64)]) -> Staging {
    Staging { schema, values, spread }
}

const LUNG: &[(&str, f64)] = &[("lung", 0.8), ("lung;liver", 0.2)];
const BONE: &[(&str, f64)] = &[("lung", 0.7), ("bone", 0.15), ("lung;bone", 0.15)];
const MARROW: &[(&str, f64)] = &[("marrow;bone", 0.6), ("marrow", 0.3), ("bone;liver", 0.1)];
const NEURAXIS: &[(&str, f64)] = &[("CNS", 1.0)];

const NODAL: &[Value] =
    &[v("I", 0.1, Unsaid), v("II", 0.25, Unsaid), v("III", 0.45, Unsaid), v("IV", 0.17, Unsaid), v("X", 0.03, Unsaid)];
const SPREAD: &[Value] = &[v("L", 0.75, Local), v("M", 0.22, Far), v("X", 0.03, Unsaid)];
const CHANG: &[Value] = &[
    v("M0", 0.65, Local),
    v("M1", 0.08, Far),
    v("M2", 0.08, Far),
    v("M3", 0.15, Far),
    v("M4", 0.01, Far),
    v("X", 0.03, Unsaid),
];
const FOUR: &[Value] =
    &[v("I", 0.3, Local), v("II", 0.25, Local), v("III", 0.27, Local), v("IV", 0.15, Far), v("X", 0.03, Unsaid)];
const RENAL: &[Value] = &[
    v("I", 0.12, Local),
    v("II", 0.1, Local),
    v("III", 0.1, Local),
    v("IV", 0.16, Far),
    v("y-I", 0.18, Local),
    v("y-II", 0.16, Local),
    v("y-III", 0.15, Local),
    v("X", 0.03, Unsaid),
];
const RENAL_UPFRONT: &[Value] = &[v("I", 0.25, Local), v("II", 0.3, Local), v("III", 0.3, Local), v("IV", 0.15, Far)];

pub(crate) const NONE: Staging = staging("", &[], &[]);
pub(crate) const ALL: Staging = staging(
    "acute_lymphoblastic_leukemia",
    &[v("CNS1", 0.86, Unsaid), v("CNS2", 0.08, Unsaid), v("CNS3", 0.03, Unsaid), v("X", 0.03, Unsaid)],
    &[],
);
pub(crate) const HODGKIN: Staging = staging(
    "hodgkin_lymphoma",
    &[
        v("IA", 0.1, Unsaid),
        v("IB", 0.02, Unsaid),
        v("IIA", 0.3, Unsaid),
        v("IIB", 0.15, Unsaid),
        v("IIIA", 0.12, Unsaid),
        v("IIIB", 0.13, Unsaid),
        v("IVA", 0.05, Unsaid),
        v("IVB", 0.11, Unsaid),
        v("X", 0.02, Unsaid),
    ],
    &[],
);
pub(crate) const BURKITT: Staging = staging("nhl_burkitt_lymphoma", NODAL, &[]);
pub(crate) const MATURE_B: Staging = staging("nhl_mature_b_cell_lymphomas", NODAL, &[]);
pub(crate) const T_NK: Staging = staging("nhl_t_cell_and_nk_cell_lymphomas", NODAL, &[]);
pub(crate) const NHL_NOS: Staging = staging("nhl_nos", NODAL, &[]);
pub(crate) const ASTRO: Staging =
    staging("astrocytoma", &[v("L", 0.95, Local), v("M", 0.03, Far), v("X", 0.02, Unsaid)], NEURAXIS);
pub(crate) const EPEND: Staging = staging("ependymoma", CHANG, NEURAXIS);
pub(crate) const MB: Staging = staging("medulloblastoma", CHANG, NEURAXIS);
pub(crate) const ATRT: Staging = staging("medulloblastoma_atypical_teratoid_rhabdoid", CHANG, NEURAXIS);
pub(crate) const PINEO: Staging = staging("medulloblastoma_pineoblastoma", CHANG, NEURAXIS);
pub(crate) const NB: Staging = staging(
    "neuroblastoma",
    &[v("L1", 0.2, Local), v("L2", 0.25, Local), v("M", 0.45, Far), v("MS", 0.2, Far), v("X", 0.03, Unsaid)],
    MARROW,
);
pub(crate) const RB: Staging = staging(
    "retinoblastoma",
    &[
        v("0", 0.25, Local),
        v("I", 0.45, Local),
        v("II", 0.12, Local),
        v("III", 0.08, Local),
        v("IV", 0.07, Far),
        v("X", 0.03, Unsaid),
    ],
    &[("CNS", 0.6), ("marrow", 0.4)],
);
pub(crate) const WILMS: Staging = staging("renal_tumors_nephroblastoma", RENAL, LUNG);
pub(crate) const RHABDOID: Staging = staging("renal_tumors_rhabdoid_renal_tumor", RENAL_UPFRONT, LUNG);
pub(crate) const KIDNEY_SARCOMA: Staging = staging("renal_tumors_kidney_sarcomas", RENAL_UPFRONT, BONE);
pub(crate) const HB: Staging = staging(
    "hepatoblastoma",
    &[
        v("L1", 0.08, Local),
        v("L2", 0.25, Local),
        v("L3", 0.27, Local),
        v("L4", 0.15, Local),
        v("LX", 0.02, Local),
        v("M2", 0.05, Far),
        v("M3", 0.1, Far),
        v("M4", 0.06, Far),
        v("XX", 0.02, Unsaid),
    ],
    &[("lung", 1.0)],
);
pub(crate) const OSTEO: Staging = staging("malignant_bone_tumors_osteosarcoma", SPREAD, BONE);
pub(crate) const EWING: Staging = staging("malignant_bone_tumors_ewing", SPREAD, BONE);
pub(crate) const CHONDRO: Staging = staging("malignant_bone_tumors_chondrosarcomas", SPREAD, BONE);
pub(crate) const RMS: Staging =
    staging("rhabdomyosarcoma", FOUR, &[("lung", 0.4), ("marrow", 0.2), ("distant_node", 0.3), ("bone", 0.1)]);
pub(crate) const FIBRO1: Staging = staging("non_rhabdomyosarcoma_fibrosarcomas", FOUR, LUNG);
pub(crate) const FIBRO2: Staging = staging("non_rhabdomyosarcoma_fibrosarcomas", FOUR, LUNG);
pub(crate) const OTHER_STS: Staging = staging("non_rhabdomyosarcoma_other_specified", FOUR, LUNG);
pub(crate) const UNSPEC_STS: Staging = staging("non_rhabdomyosarcoma_unspecified", FOUR, LUNG);
pub(crate) const OVARY: Staging = staging(
    "ovarian",
    &[v("I", 0.6, Local), v("II", 0.1, Local), v("III", 0.2, Local), v("IV", 0.07, Far), v("X", 0.03, Unsaid)],
    &[("liver", 0.5), ("lung", 0.5)],
);
pub(crate) const TESTIS: Staging = staging(
    "testicular",
    &[
        v("I", 0.2, Local),
        v("IA", 0.3, Local),
        v("IB", 0.1, Local),
        v("IS", 0.05, Local),
        v("IIA", 0.1, Local),
        v("IIB", 0.08, Local),
        v("IIIA", 0.08, Far),
        v("IIIB", 0.04, Far),
        v("IIIC", 0.03, Far),
        v("X", 0.02, Unsaid),
    ],
    &[("lung", 0.7), ("distant_node", 0.3)],
);

//! What is found at diagnosis: codes, side, stage, markers, risk.

pub(crate) mod staging;

use rand::{Rng, rngs::StdRng};

use crate::{
    cancers::Cancer,
    draw::{chance, code, number, weighted},
    mix::Known,
    tumour::staging::Metastasis,
};

/// A tumour as it is found; texts are codes of the dictionary, empty where they do not apply.
#[derive(Debug, Clone, Default)]
pub(crate) struct Findings {
    pub(crate) topography: &'static str,
    pub(crate) morphology: u16,
    pub(crate) behaviour: &'static str,
    pub(crate) laterality: &'static str,
    pub(crate) grade: &'static str,
    pub(crate) who_grade: &'static str,
    pub(crate) basis: &'static str,
    pub(crate) stage: &'static str,
    pub(crate) metastasis: &'static str,
    pub(crate) metastatic: bool,
    pub(crate) immunophenotype: &'static str,
    pub(crate) markers_tested: String,
    pub(crate) markers_positive: String,
    pub(crate) markers_failed: String,
    pub(crate) risk_scheme: &'static str,
    pub(crate) risk: &'static str,
    pub(crate) wbc: String,
    pub(crate) csf: Option<[String; 2]>,
    pub(crate) mrd: Option<[String; 4]>,
}

/// What is found at diagnosis of a cancer.
pub(crate) fn find(cancer: &Cancer, age_days: i64, known: Known, high_income: bool, rng: &mut StdRng) -> Findings {
    let topography = code(rng, cancer.sites);
    // without a microscope only the first, general code is given
    let morphology = match known {
        Known::Microscope => weighted(rng, cancer.morphologies.iter().map(|(_, weight)| *weight)),
        Known::Clinically | Known::Certificate => 0,
    };
    let morphology = cancer.morphologies[morphology].0;
    let behaviour = code(rng, cancer.behaviours);
    let mut found = Findings { topography, morphology, behaviour, ..Findings::default() };
    found.laterality = side(topography, cancer.name, rng);
    found.basis = basis(cancer, known, rng);
    found.grade = grade(cancer, morphology, behaviour, known, rng);
    found.who_grade = who_grade(cancer.name, morphology);
    if known != Known::Certificate {
        stage(cancer, age_days, &mut found, rng);
        blood(cancer, age_days, high_income, &mut found, rng);
        markers(cancer, morphology, high_income, &mut found, rng);
        risk(cancer, age_days, &mut found);
    }
    found
}

/// Whether a side is recorded for a site (SEER list of paired organs).
pub(crate) fn is_paired(topography: &str) -> bool {
    const PAIRED: &[(&str, &str)] = &[
        ("C079", "C081"),
        ("C090", "C091"),
        ("C098", "C099"),
        ("C300", "C301"),
        ("C310", "C310"),
        ("C312", "C312"),
        ("C340", "C349"),
        ("C384", "C384"),
        ("C400", "C403"),
        ("C413", "C414"),
        ("C441", "C443"),
        ("C445", "C447"),
        ("C471", "C472"),
        ("C491", "C492"),
        ("C500", "C509"),
        ("C569", "C570"),
        ("C620", "C629"),
        ("C630", "C631"),
        ("C649", "C649"),
        ("C659", "C659"),
        ("C669", "C669"),
        ("C690", "C699"),
        ("C700", "C700"),
        ("C710", "C714"),
        ("C722", "C725"),
        ("C740", "C749"),
        ("C754", "C754"),
    ];
    PAIRED.iter().any(|(low, high)| (*low..=*high).contains(&topography))
}

fn side(topography: &str, cancer: &str, rng: &mut StdRng) -> &'static str {
    if !is_paired(topography) {
        return "0";
    }
    let both = match cancer {
        "retinoblastoma" => 0.25,
        "wilms" => 0.05,
        _ => 0.0,
    };
    code(rng, &[("4", both), ("1", 0.49), ("2", 0.48), ("9", 0.02)])
}

fn basis(cancer: &Cancer, known: Known, rng: &mut StdRng) -> &'static str {
    match known {
        Known::Certificate => "0",
        Known::Clinically => cancer.clinical_basis,
        Known::Microscope if cancer.iccc.starts_with("I(") => code(rng, &[("7", 0.55), ("8", 0.35), ("5", 0.1)]),
        Known::Microscope => code(rng, &[("7", 0.9), ("6", 0.03), ("5", 0.03), ("8", 0.04)]),
    }
}

fn grade(cancer: &Cancer, morphology: u16, behaviour: &str, known: Known, rng: &mut StdRng) -> &'static str {
    if behaviour != "3" || known != Known::Microscope {
        return "9";
    }
    match cancer.name {
        "all_b" | "burkitt" | "dlbcl" => "6",
        "all_t" => "5",
        "alcl" if morphology == 9714 => "5",
        _ if morphology >= 9590 => "9",
        "high_grade_astrocytoma" => "4",
        _ => code(rng, &[("9", 0.7), ("1", 0.05), ("2", 0.08), ("3", 0.12), ("4", 0.05)]),
    }
}

fn who_grade(cancer: &str, morphology: u16) -> &'static str {
    match (cancer, morphology) {
        ("pilocytic_astrocytoma" | "ganglioglioma" | "craniopharyngioma" | "meningioma" | "choroid_plexus", _) => "1",
        ("astrocytoma" | "oligodendroglioma", _) | ("ependymoma", 9391) => "2",
        ("ependymoma", _) | ("high_grade_astrocytoma", 9401) => "3",
        ("high_grade_astrocytoma" | "medulloblastoma" | "atrt" | "pineoblastoma" | "brain_stem_glioma", _) => "4",
        _ => "",
    }
}

fn stage(cancer: &Cancer, age_days: i64, found: &mut Findings, rng: &mut StdRng) {
    let staging = cancer.staging;
    if staging.schema.is_empty() || chance(rng, 0.04) {
        return;
    }
    let young = age_days <= 500;
    let value =
        weighted(rng, staging.values.iter().map(|value| if value.code == "MS" && !young { 0.0 } else { value.weight }));
    let value = staging.values[value];
    found.stage = value.code;
    found.metastasis = match value.metastasis {
        Metastasis::Unsaid => "",
        Metastasis::None => "none",
        Metastasis::Present => code(rng, staging.spread),
    };
    if value.code == "MS" {
        found.metastasis = "marrow;liver";
    }
    found.metastatic = value.metastasis == Metastasis::Present;
}

fn blood(cancer: &Cancer, age_days: i64, high_income: bool, found: &mut Findings, rng: &mut StdRng) {
    if !cancer.iccc.starts_with("I(") {
        return;
    }
    let spread = rng.random::<f64>();
    let wbc = 1.5 * (spread * spread * 5.5).exp() * if cancer.name == "all_t" { 2.5 } else { 1.0 };
    found.wbc = number(wbc.min(900.0), 1);
    found.immunophenotype = match cancer.name {
        _ if chance(rng, if high_income { 0.01 } else { 0.08 }) => "not_done",
        "all_b" => "B",
        "all_t" => "T",
        _ if chance(rng, 0.02) => "MPAL",
        _ => "other",
    };
    if found.stage.starts_with("CNS") {
        let white = match found.stage {
            "CNS1" => 0,
            "CNS2" => rng.random_range(1..5),
            _ => rng.random_range(5..60),
        };
        found.csf = Some([white.to_string(), if found.stage == "CNS1" { "no" } else { "yes" }.to_owned()]);
    }
    if cancer.name.starts_with("all_") && chance(rng, if high_income { 0.95 } else { 0.55 }) && age_days > 0 {
        let percent = if chance(rng, 0.6) { 0.0 } else { 10_f64.powf(rng.random_range(-2.0..0.8)) };
        let method = code(rng, &[("flow", 0.85), ("PCR", 0.12), ("NGS", 0.03)]);
        let day = if chance(rng, 0.8) { "33" } else { "15" };
        found.mrd = Some([number(percent, 2), day.to_owned(), method.to_owned(), "0.01".to_owned()]);
    }
}

fn markers(cancer: &Cancer, morphology: u16, high_income: bool, found: &mut Findings, rng: &mut StdRng) {
    let candidates: &[(&str, f64)] = match cancer.name {
        "all_b" => &[
            ("ETV6_RUNX1", 0.16),
            ("BCR_ABL1", 0.03),
            ("KMT2A_r", 0.04),
            ("hyperdiploidy", 0.2),
            ("hypodiploidy", 0.02),
        ],
        "aml" => &[("KMT2A_r", 0.15)],
        "neuroblastoma" => &[("MYCN", 0.2), ("ALK", 0.1), ("loss_1p", 0.2)],
        "pilocytic_astrocytoma" => &[("KIAA1549_BRAF", 0.6), ("BRAF_V600E", 0.08)],
        "ganglioglioma" => &[("BRAF_V600E", 0.35)],
        "medulloblastoma" => &[("MB_WNT", 0.1), ("MB_SHH", 0.3), ("MB_group_3", 0.25), ("MB_group_4", 0.35)],
        "wilms" => &[("gain_1q", 0.25), ("loss_1p", 0.1), ("loss_16q", 0.15)],
        "rhabdomyosarcoma_alveolar" => &[("FOXO1", 0.75)],
        "ewing_bone" | "extraosseous_ewing" => &[("EWSR1_FLI1", 0.85)],
        "alcl" => &[("ALK", 0.9)],
        _ => &[],
    };
    if candidates.is_empty() || !chance(rng, if high_income { 0.92 } else { 0.5 }) {
        return;
    }
    let said = match morphology {
        9814 => "ETV6_RUNX1",
        9812 => "BCR_ABL1",
        9813 | 9897 => "KMT2A_r",
        9815 => "hyperdiploidy",
        9816 => "hypodiploidy",
        _ => "",
    };
    let (mut tested, mut positive, mut failed) = (Vec::new(), Vec::new(), Vec::new());
    for (marker, likely) in candidates {
        tested.push(*marker);
        if *marker == said || (said.is_empty() && positive.is_empty() && chance(rng, *likely)) {
            positive.push(*marker);
        } else if chance(rng, 0.03) {
            failed.push(*marker);
        }
    }
    found.markers_tested = tested.join(";");
    found.markers_positive = positive.join(";");
    found.markers_failed = failed.join(";");
}

fn risk(cancer: &Cancer, age_days: i64, found: &mut Findings) {
    let wbc: f64 = found.wbc.parse().unwrap_or(0.0);
    (found.risk_scheme, found.risk) = match cancer.name {
        "all_b" | "all_t" => {
            let standard = (365..3652).contains(&age_days) && wbc < 50.0;
            ("NCI-ALL", if standard { "standard" } else { "high" })
        }
        "neuroblastoma" => match found.stage {
            "M" => ("INRG", "high"),
            "L1" | "MS" => ("INRG", "low"),
            "L2" => ("INRG", "intermediate"),
            _ => ("", ""),
        },
        "medulloblastoma" if found.stage == "M0" => ("Chang", "standard"),
        "medulloblastoma" if !found.stage.is_empty() && found.stage != "X" => ("Chang", "high"),
        "wilms" => ("SIOP-histology", "favourable_histology"),
        _ => ("", ""),
    };
}

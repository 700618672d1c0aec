//! The cancers that the registry draws: rates, ages, codes, survival, treatment.
//!
//! Rates are relative: those of an age band are scaled so that all cancers together have the country's incidence. They were set so
//! that leukaemia, CNS tumours and lymphoma have the shares of Latin America (S-IICC3: 48.7, 23.0 and 16.6 of 132.6 per million).
//! ICCC-3 leaves follow the update of IARC of 2017; ages keep clear of what the quality rules call unlikely.

mod adult;
mod blood;
mod brain;
mod certificate;
mod solid;

use crate::{regimen::Regimen, tumour::staging::Staging};

/// Cancers whose share differs between kinds of country.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    /// ICCC-3 group I.
    Leukaemia,
    /// ICCC-3 group II.
    Lymphoma,
    /// ICCC-3 group III, and germ-cell tumours inside the skull.
    Cns,
    /// Neuroblastoma and ganglioneuroblastoma.
    Neuroblastoma,
    /// All others.
    Solid,
}

impl Group {
    /// Factor on the rate in Europe and North America, set so that Spain has the shares of S-RETI: 28, 25, 12 and 8 percent.
    pub(crate) fn high_income(self) -> f64 {
        match self {
            Self::Leukaemia => 0.76,
            Self::Lymphoma => 0.98,
            Self::Cns => 1.36,
            Self::Neuroblastoma => 1.27,
            Self::Solid => 1.0,
        }
    }
}

/// A cancer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cancer {
    /// Name inside this crate.
    pub(crate) name: &'static str,
    /// For the mix of a country.
    pub(crate) group: Group,
    /// Relative rate by age band: 0, 1-4, 5-9, 10-14, 15-19.
    pub(crate) rates: [f64; 5],
    /// Completed years at diagnosis, both ends included.
    pub(crate) ages: (i64, i64),
    /// `1` boys only, `2` girls only, empty both.
    pub(crate) sex: &'static str,
    /// Rate of boys by rate of girls.
    pub(crate) boys: f64,
    /// ICD-O-3 sites with weights.
    pub(crate) sites: &'static [(&'static str, f64)],
    /// ICD-O-3 morphologies with weights.
    pub(crate) morphologies: &'static [(u16, f64)],
    /// Behaviours with weights.
    pub(crate) behaviours: &'static [(&'static str, f64)],
    /// ICCC-3 leaf of all of them.
    pub(crate) iccc: &'static str,
    /// ICD-10.
    pub(crate) icd10: &'static str,
    /// How it is staged.
    pub(crate) staging: &'static Staging,
    /// Survival at five years where care is good.
    pub(crate) survival: f64,
    /// How it is treated.
    pub(crate) regimen: Regimen,
    /// Basis where it is accepted without microscopy: `2` imaging, `4` tumour marker, empty otherwise.
    pub(crate) clinical_basis: &'static str,
}

/// Cancers of ages 0 to 19.
pub(crate) fn children() -> Vec<&'static Cancer> {
    blood::BLOOD.iter().chain(brain::BRAIN).chain(solid::SOLID).collect()
}

/// Causes on death certificates.
pub(crate) fn certificates() -> Vec<&'static Cancer> {
    certificate::CERTIFICATE.iter().collect()
}

/// Cancers from 20 years on.
pub(crate) fn adults() -> Vec<&'static Cancer> {
    adult::ADULT.iter().collect()
}

/// The first year of an age band and its last.
pub(crate) const BANDS: [(i64, i64); 5] = [(0, 0), (1, 4), (5, 9), (10, 14), (15, 19)];

/// The age bands as the dictionary writes them.
pub(crate) const BAND_CODES: [&str; 5] = ["0", "1-4", "5-9", "10-14", "15-19"];

impl Cancer {
    /// Weight among the cancers of a band and sex.
    pub(crate) fn weight(&self, band: usize, boy: bool, high_income: bool) -> f64 {
        let of_sex = match (self.sex, boy) {
            ("1", false) | ("2", true) => 0.0,
            (_, true) => 2.0 * self.boys / (1.0 + self.boys),
            (_, false) => 2.0 / (1.0 + self.boys),
        };
        self.rates[band] * of_sex * if high_income { self.group.high_income() } else { 1.0 }
    }

    /// Completed years in a band at which it is drawn.
    pub(crate) fn ages_in(&self, band: usize) -> (i64, i64) {
        let (low, high) = BANDS[band];
        (low.max(self.ages.0), high.min(self.ages.1))
    }
}

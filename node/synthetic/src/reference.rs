//! Published figures that the synthetic registries are set near, with the tags of their sources.

/// A published figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figure {
    /// Country, or `LAC`, `LATAM`, `WORLD`.
    pub area: &'static str,
    /// What is measured.
    pub indicator: &'static str,
    /// Of which cancers.
    pub group: &'static str,
    /// The value in its own unit.
    pub value: f64,
    /// Tag of the source.
    pub source: &'static str,
}

const fn figure(
    area: &'static str,
    indicator: &'static str,
    group: &'static str,
    value: f64,
    source: &'static str,
) -> Figure {
    Figure { area, indicator, group, value, source }
}

/// The figures used.
///
/// Sources: S-IICC3 de Paula Silva et al., Rev Panam Salud Publica 2024;48:e11; S-UY2021 Dufort y Alvarez, Arch Pediatr Urug
/// 2021;92(1); S-ROHA and S-RETI registry reports as carried by the press; S-INCA estimates; S-UNOP Antillon et al., Cancer
/// 2017;123:436-448; S-TXA2015 Friedrich et al., PLOS ONE 2015; S-EVAT Agulnik et al., Lancet Oncol 2023;24:978-988; S-EVAT2021
/// Agulnik et al., Cancer 2021;127:1668-1678; S-SEED the founding documents of the alliance; `general knowledge` not looked up.
pub const FIGURES: &[Figure] = &[
    figure("LAC", "incidence_per_million_0_14", "all", 132.6, "S-IICC3"),
    figure("AR", "incidence_per_million_0_14", "all", 130.1, "S-IICC3"),
    figure("BR", "incidence_per_million_0_14", "all", 145.7, "S-IICC3"),
    figure("CL", "incidence_per_million_0_14", "all", 140.5, "S-IICC3"),
    figure("CO", "incidence_per_million_0_14", "all", 152.8, "S-IICC3"),
    figure("EC", "incidence_per_million_0_14", "all", 136.1, "S-IICC3"),
    figure("MX", "incidence_per_million_0_14", "all", 133.8, "S-IICC3"),
    figure("UY", "incidence_per_million_0_14", "all", 134.6, "S-UY2021"),
    figure("US", "incidence_per_million_0_14", "all", 175.0, "general knowledge"),
    figure("ES", "incidence_per_million_0_14", "all", 155.0, "general knowledge"),
    figure("LAC", "incidence_per_million_0_14", "leukaemia", 48.7, "S-IICC3"),
    figure("LAC", "incidence_per_million_0_14", "cns", 23.0, "S-IICC3"),
    figure("LAC", "incidence_per_million_0_14", "lymphoma", 16.6, "S-IICC3"),
    figure("LAC", "incidence_per_million_15_19", "all", 152.3, "S-IICC3"),
    figure("ES", "share_percent", "leukaemia", 28.0, "S-RETI"),
    figure("ES", "share_percent", "cns", 25.0, "S-RETI"),
    figure("ES", "share_percent", "lymphoma", 12.0, "S-RETI"),
    figure("ES", "share_percent", "neuroblastoma", 8.0, "S-RETI"),
    figure("AR", "survival_5y_percent", "all", 70.3, "S-ROHA"),
    figure("ES", "survival_5y_percent", "all", 84.0, "S-RETI"),
    figure("BR", "survival_5y_percent", "all", 64.0, "S-INCA"),
    figure("UY", "survival_5y_percent", "all", 75.0, "general knowledge"),
    figure("US", "survival_5y_percent", "all", 85.0, "general knowledge"),
    figure("GT", "survival_abandonment_5y_percent", "ALL", 64.1, "S-UNOP"),
    figure("MX", "survival_5y_percent", "all", 65.0, "S-MX2015"),
    figure("WORLD", "abandonment_percent", "all", 15.0, "S-TXA2015"),
    figure("LATAM", "cde_mortality_percent", "all", 32.9, "S-EVAT"),
    figure("LATAM", "cde_per_1000_inpatient_days", "all", 4.63, "S-EVAT2021"),
    figure("MX", "patients", "founding", 20_473.0, "S-SEED"),
    figure("MX", "telemedicine_sessions", "founding", 192.0, "S-SEED"),
];

/// The value of a figure.
#[must_use]
pub fn value(area: &str, indicator: &str, group: &str) -> Option<f64> {
    FIGURES
        .iter()
        .find(|figure| figure.area == area && figure.indicator == indicator && figure.group == group)
        .map(|figure| figure.value)
}

//! Plants errors of one rule at a time in rows that break none yet.

mod age;
mod aggregate;
mod basis;
mod bed;
mod dates;
mod duplicates;
mod recast;
mod site;
mod stage;
mod supply;
mod treatment;
mod validity;

use crate::{Plan, Registry, planting::bed::Bed};

/// Why errors could not be planted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlantError {
    /// There is no such rule.
    #[error("there is no rule {rule}")]
    Unknown {
        /// The rule.
        rule: String,
    },
    /// The rule is about released answers (QL05 to QL08), which records cannot show.
    #[error("rule {rule} is about released answers and cannot be planted in records (nor can QL05, QL06, QL07, QL08)")]
    Elsewhere {
        /// The rule.
        rule: String,
    },
    /// The registry has not enough rows that could break the rule; nothing was planted.
    #[error("rule {rule}: {wanted} errors asked for, the registry has place for {available}")]
    TooFew {
        /// The rule.
        rule: String,
        /// Errors asked for.
        wanted: usize,
        /// Errors that would fit.
        available: usize,
    },
}

/// The rules of which errors can be planted, in the order of the table.
pub const RULES: &[&str] = &[
    "QA01", "QA02", "QA03", "QA04", "QA05", "QA06", "QA07", "QA08", "QA09", "QA10", "QA11", "QA12", "QA13", "QA14",
    "QB01", "QB02", "QB03", "QB04", "QB05", "QB06", "QB07", "QB08", "QB09", "QB10", "QB11", "QB12", "QB13", "QB14",
    "QB15", "QB16", "QC01", "QC02", "QC03", "QC04", "QC05", "QC06", "QC07", "QC08", "QC09", "QC10", "QC11", "QC12",
    "QC13", "QC14", "QC15", "QC16", "QC17", "QD01", "QD02", "QD03", "QD04", "QD05", "QD06", "QD07", "QD08", "QD09",
    "QD10", "QE01", "QE02", "QE03", "QE04", "QF01", "QF02", "QF03", "QF04", "QF05", "QF06", "QF07", "QF08", "QF09",
    "QF10", "QF11", "QF12", "QF13", "QF14", "QF15", "QF16", "QF17", "QF18", "QF19", "QG01", "QG02", "QG03", "QG04",
    "QH01", "QH02", "QH03", "QH04", "QH05", "QI01", "QI02", "QI03", "QI04", "QJ01", "QJ02", "QJ03", "QJ04", "QJ05",
    "QJ06", "QJ07", "QJ08", "QJ09", "QJ10", "QJ11", "QJ12", "QJ13", "QK01", "QK02", "QK03", "QK04", "QL01", "QL02",
    "QL03", "QL04",
];

/// Rules that errors of a rule break too, because they must or because few cases leave no room.
///
/// Rows of the first kind are recorded with those rules as well. The second kind are QG03 and QG04: in a year of few cases one
/// case more without microscopy already leaves their bounds.
#[must_use]
pub fn implied(rule: &str) -> &'static [&'static str] {
    match rule {
        // retinoblastoma of 6 to 14 years is named by both tables
        "QD10" => &["QC03"],
        // the same tumour twice is also one primary counted twice
        "QI02" => &["QI03"],
        // days counted twice are an overlap, a sum that is too great, and more facility-days than there are
        "QK02" => &["QK01", "QK04"],
        "QK04" => &["QK01", "QK02"],
        // a contact held back at load leaves an earlier one as the latest
        "QA12" => &["QB16"],
        "QB11" => &["QG03", "QG04"],
        "QA05" | "QG01" | "QG02" | "QG04" => &["QG03"],
        _ => &[],
    }
}

/// Plants exactly `count` errors of a rule and records them in [`Registry::planted`].
///
/// Rows are chosen at random among those of patients, hospitals and spells that break no rule yet; the plan gives the seed and
/// the day of the extract. Some errors need changes in neighbouring rows (another birth date, an open course); these break nothing.
///
/// # Errors
/// [`PlantError`]; the registry is then as it was.
pub fn plant(registry: &mut Registry, plan: &Plan, rule: &str, count: usize) -> Result<(), PlantError> {
    if matches!(rule, "QL05" | "QL06" | "QL07" | "QL08") {
        return Err(PlantError::Elsewhere { rule: rule.to_owned() });
    }
    let Some(rule) = RULES.iter().find(|known| **known == rule) else {
        return Err(PlantError::Unknown { rule: rule.to_owned() });
    };
    if count == 0 {
        return Ok(());
    }
    let mut bed = Bed::new(registry, plan, rule);
    match &rule[..2] {
        "QA" => validity::plant(&mut bed, count),
        "QB" => dates::plant(&mut bed, count),
        "QC" => age::plant(&mut bed, count),
        "QD" | "QE" | "QF" => site::plant(&mut bed, count),
        "QG" => basis::plant(&mut bed, count),
        "QH" => stage::plant(&mut bed, count),
        "QI" => duplicates::plant(&mut bed, count),
        "QJ" => treatment::plant(&mut bed, count),
        "QK" => supply::plant(&mut bed, count),
        _ => aggregate::plant(&mut bed, count),
    }
}

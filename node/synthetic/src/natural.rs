//! Rows that a rule lists by their nature: they are no errors, and they are recorded like planted ones.

use crate::Registry;

/// Morphologies of QD05: tumours of young children, real now and then in adolescents.
const YOUNG: &[&str] = &[
    "8910", "8960", "8970", "8981", "8991", "9072", "9470", "9490", "9500", "9510", "9511", "9512", "9513", "9514",
    "9687",
];

/// Records every such row: QA07 (adults of the treatment registry), QD05 (15 years or more), QF03 (pilocytic astrocytoma).
pub(crate) fn record(registry: &mut Registry) {
    for row in 0..registry.rows("tumour").len() {
        let age: i64 = registry.cell("tumour", row, "extract_age_years").parse().unwrap_or(0);
        let morphology = registry.cell("tumour", row, "morphology");
        let rules =
            [("QA07", age > 19), ("QD05", age >= 15 && YOUNG.contains(&morphology)), ("QF03", morphology == "9421")];
        for (rule, breaks) in rules {
            if breaks {
                let key = registry.key("tumour", row);
                registry.record(rule, "tumour", key);
            }
        }
    }
}

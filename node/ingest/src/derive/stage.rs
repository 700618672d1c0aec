//! The Toronto stage as a number: I to IV as 1 to 4 with sub-letters collapsed, `y` for stages after chemotherapy.
//!
//! Toronto Paediatric Cancer Stage Guidelines v2 (2022); stages before and after pre-operative chemotherapy are never mixed.

/// The code of the `stage` list for a stage value; `None` where the system does not number its stages I to IV.
#[must_use]
pub fn stage(value: &str) -> Option<&'static str> {
    let (after_chemotherapy, roman) = match value.strip_prefix("y-") {
        Some(rest) => (true, rest),
        None => (false, value),
    };
    let number = match roman.trim_end_matches(['A', 'B', 'C', 'S']) {
        "I" => 1,
        "II" => 2,
        "III" => 3,
        "IV" => 4,
        "X" if !after_chemotherapy => return Some("X"),
        _ => return None,
    };
    Some(match (after_chemotherapy, number) {
        (false, 1) => "1",
        (false, 2) => "2",
        (false, 3) => "3",
        (_, 4) => "4",
        (true, 1) => "y1",
        (true, 2) => "y2",
        _ => "y3",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbered_stages_and_no_others() {
        for (value, code) in
            [("I", "1"), ("IIB", "2"), ("IIIC", "3"), ("IV", "4"), ("IS", "1"), ("y-II", "y2"), ("X", "X")]
        {
            assert_eq!(stage(value), Some(code), "{value}");
        }
        for value in ["", "0", "L", "M0", "MS", "CNS1", "L1", "XX", "y-X"] {
            assert_eq!(stage(value), None, "{value}");
        }
    }
}

//! The dictionary's constraints on one value.

use node_domain::{
    date::PartialDate,
    date_time::PartialTime,
    dictionary::{Field, Kind},
};

use crate::defect::Rule;

/// Checks a value, which may be empty. Says the rule and what to do where it does not fit.
///
/// # Errors
/// The rule that the value breaks and how to mend it.
pub fn check(field: &Field, value: &str) -> Result<(), (Rule, String)> {
    if value.is_empty() {
        return if field.required { Err((Rule::Required, "give a value".to_owned())) } else { Ok(()) };
    }
    match &field.kind {
        Kind::Code(list) if list.position(value).is_some() => Ok(()),
        Kind::Codes(list) if are_codes(value, |code| list.position(code).is_some()) => Ok(()),
        Kind::Code(list) | Kind::Codes(list) => {
            let codes = list.codes.iter().map(|code| code.code.as_str()).collect::<Vec<_>>();
            let shown = if codes.len() > 20 { format!("a code of the list `{}`", list.name) } else { codes.join(", ") };
            let several = if matches!(field.kind, Kind::Codes(_)) { " (several: separate them by `;`)" } else { "" };
            Err((Rule::Code, format!("use one of: {shown}{several}")))
        }
        Kind::Integer { minimum, maximum } => match whole(value) {
            Some(number) if (*minimum..=*maximum).contains(&number) => Ok(()),
            _ => Err((Rule::Number, format!("use a whole number from {minimum} to {maximum}"))),
        },
        Kind::Amount { maximum } => match whole(value) {
            Some(number) if (0..=i64::from(*maximum)).contains(&number) => Ok(()),
            _ => Err((Rule::Number, format!("use a whole number from 0 to {maximum}"))),
        },
        Kind::Decimal { minimum, maximum } => match decimal(value) {
            Some(number) if (*minimum..=*maximum).contains(&number) => Ok(()),
            _ => Err((Rule::Number, format!("use a number from {minimum} to {maximum} with a decimal point"))),
        },
        Kind::Date => match value.parse::<PartialDate>() {
            Ok(_) => pattern(field, value),
            Err(error) => {
                Err((Rule::Date, format!("{error}; write YYYY-MM-DD, or YYYY-MM or YYYY if no more is known")))
            }
        },
        Kind::DateTime => match value.parse::<PartialTime>() {
            Ok(_) => Ok(()),
            Err(error) => {
                Err((Rule::Date, format!("{error}; write YYYY-MM-DDThh:mm, or YYYY-MM-DD if no more is known")))
            }
        },
        Kind::Text => pattern(field, value),
    }
}

fn pattern(field: &Field, value: &str) -> Result<(), (Rule, String)> {
    match &field.pattern {
        Some(pattern) if !pattern.is_match(value) => Err((Rule::Form, format!("use the form {}", pattern.as_str()))),
        _ => Ok(()),
    }
}

/// Whether a text lists codes, each known and none twice.
fn are_codes(value: &str, known: impl Fn(&str) -> bool) -> bool {
    let mut seen: Vec<&str> = Vec::new();
    value.split(';').all(|code| {
        let new = known(code) && !seen.contains(&code);
        seen.push(code);
        new
    })
}

/// A whole number in digits alone, with a minus sign or none: what the Frictionless tools take too.
fn whole(value: &str) -> Option<i64> {
    let digits = value.strip_prefix('-').unwrap_or(value);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    value.parse().ok()
}

/// A decimal number in digits with at most one point, no exponent and no thousands separator.
#[must_use]
pub fn decimal(value: &str) -> Option<f64> {
    let digits = value.strip_prefix('-').unwrap_or(value);
    let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !all_digits(whole) || !all_digits(part) {
        return None;
    }
    value.parse().ok()
}

#[cfg(test)]
mod tests {
    use node_domain::dictionary::Dictionary;

    use super::*;

    fn rule(collection: &str, field: &str, value: &str) -> Option<Rule> {
        let dictionary = Dictionary::built_in().unwrap();
        let field = dictionary.collection(collection).unwrap().field(field).unwrap();
        check(field, value).err().map(|(rule, _)| rule)
    }

    #[test]
    fn every_kind_of_value_has_its_constraint() {
        assert_eq!(rule("course", "bsa_m2", "0.61"), None);
        for bad in ["0,61", "1e1", "+1", ".5", "5.", "1.2.3", "9", "=1"] {
            assert_eq!(rule("course", "bsa_m2", bad), Some(Rule::Number), "{bad}");
        }
        assert_eq!(rule("facility", "capability", "PICU;MRD"), None);
        for bad in ["PICU;", "PICU;PICU", "PICU, MRD", ";"] {
            assert_eq!(rule("facility", "capability", bad), Some(Rule::Code), "{bad}");
        }
        assert_eq!(rule("administration", "planned_at", "2024-02-29T08:30"), None);
        assert_eq!(rule("administration", "planned_at", "2023-02-29T08:30"), Some(Rule::Date));
        assert_eq!(rule("patient", "birth_date", "0202-01-01"), Some(Rule::Date));
        assert_eq!(rule("ward_month", "month", "2024-02"), None);
        assert_eq!(rule("ward_month", "month", "2024"), Some(Rule::Form));
        assert_eq!(rule("agreement", "owner", "=HYPERLINK(1)"), Some(Rule::Form));
        assert_eq!(rule("patient", "patient_id", "P\0"), Some(Rule::Form));
        assert_eq!(rule("tumour", "tumour_seq", "+1"), Some(Rule::Number));
    }
}

//! The dictionary's constraints on one value.

use node_domain::{
    date::PartialDate,
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
        Kind::Code(list) => {
            if list.position(value).is_some() {
                return Ok(());
            }
            let codes = list.codes.iter().map(|code| code.code.as_str()).collect::<Vec<_>>();
            let shown = if codes.len() > 20 { format!("a code of the list `{}`", list.name) } else { codes.join(", ") };
            Err((Rule::Code, format!("use one of: {shown}")))
        }
        Kind::Integer { minimum, maximum } => match value.parse::<i64>() {
            Ok(number) if (*minimum..=*maximum).contains(&number) => Ok(()),
            _ => Err((Rule::Number, format!("use a whole number from {minimum} to {maximum}"))),
        },
        Kind::Date => match value.parse::<PartialDate>() {
            Ok(_) => Ok(()),
            Err(error) => {
                Err((Rule::Date, format!("{error}; write YYYY-MM-DD, or YYYY-MM or YYYY if no more is known")))
            }
        },
        Kind::Text => match &field.pattern {
            Some(pattern) if !pattern.is_match(value) => {
                Err((Rule::Form, format!("use the form {}", pattern.as_str())))
            }
            _ => Ok(()),
        },
    }
}

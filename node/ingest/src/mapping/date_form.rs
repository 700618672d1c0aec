//! The form in which a file writes its dates, and dates read from it with the precision that is there.

use std::fmt::Write as _;

use serde::Deserialize;

/// A form such as `DD/MM/YYYY`, `YYYYMMDD` or `YYYY-MM-DD hh:mm`.
///
/// A day or month written as zeros, nines or left out lowers the precision (CanReg5 and NAACCR write 99 for unknown); it is
/// never filled in.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct DateForm(Vec<Part>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    Literal(char),
}

/// The text is no form of dates.
#[derive(Debug, thiserror::Error)]
#[error("a form of dates is written with YYYY, MM, DD, hh, mm, ss and what stands between them, such as DD/MM/YYYY")]
pub struct DateFormError;

impl TryFrom<String> for DateForm {
    type Error = DateFormError;

    fn try_from(text: String) -> Result<Self, DateFormError> {
        let mut parts = Vec::new();
        let mut rest = text.as_str();
        'next: while let Some(first) = rest.chars().next() {
            for (token, part) in [
                ("YYYY", Part::Year),
                ("MM", Part::Month),
                ("DD", Part::Day),
                ("hh", Part::Hour),
                ("mm", Part::Minute),
                ("ss", Part::Second),
            ] {
                if let Some(after) = rest.strip_prefix(token) {
                    if parts.contains(&part) {
                        return Err(DateFormError);
                    }
                    parts.push(part);
                    rest = after;
                    continue 'next;
                }
            }
            if first.is_ascii_alphanumeric() && first != 'T' {
                return Err(DateFormError);
            }
            parts.push(Part::Literal(first));
            rest = &rest[first.len_utf8()..];
        }
        if parts.contains(&Part::Year) { Ok(Self(parts)) } else { Err(DateFormError) }
    }
}

impl DateForm {
    /// Writes the date that `value` holds in the dictionary's form (YYYY, YYYY-MM, YYYY-MM-DD, with Thh:mm where there is a time)
    /// at the end of `into`; `false`, with nothing written, where the value does not have this form.
    ///
    /// A value that breaks off at a separator is taken with the parts that it has, so that `2014-03` fits `YYYY-MM-DD`.
    pub fn rewrite(&self, value: &str, into: &mut String) -> bool {
        let (mut year, mut month, mut day, mut time) = (None, None, None, [None; 3]);
        let mut rest = value;
        for part in &self.0 {
            let digits = match part {
                Part::Literal(expected) => {
                    if rest.is_empty() {
                        break;
                    }
                    match rest.strip_prefix(*expected) {
                        Some(after) => rest = after,
                        None => return false,
                    }
                    continue;
                }
                Part::Year => 4,
                _ => 2,
            };
            if rest.is_empty() {
                break;
            }
            // a day or month of one digit is common where separators stand between
            let length = rest.bytes().take(digits).take_while(u8::is_ascii_digit).count();
            if length == 0 || (length < digits && (*part == Part::Year || self.is_compact())) {
                return false;
            }
            let (number, after) = rest.split_at(length);
            rest = after;
            let number: u16 = number.parse().unwrap_or(0);
            let unknown = number == 0 || (digits == 2 && number == 99) || number == 9999;
            match part {
                Part::Year => year = Some(number).filter(|_| !unknown),
                Part::Month => month = Some(number).filter(|_| !unknown),
                Part::Day => day = Some(number).filter(|_| !unknown),
                Part::Hour => time[0] = Some(number),
                Part::Minute => time[1] = Some(number),
                Part::Second => time[2] = Some(number),
                Part::Literal(_) => {}
            }
        }
        if !rest.is_empty() {
            return false;
        }
        let Some(year) = year else { return true }; // nothing is known: no date, and no error
        let _ = write!(into, "{year:04}"); // writing to a String cannot fail
        let Some(month) = month else { return true };
        let _ = write!(into, "-{month:02}");
        let Some(day) = day else { return true };
        let _ = write!(into, "-{day:02}");
        if let [Some(hour), Some(minute), second] = time {
            let _ = write!(into, "T{hour:02}:{minute:02}");
            if let Some(second) = second {
                let _ = write!(into, ":{second:02}");
            }
        }
        true
    }

    fn is_compact(&self) -> bool {
        !self.0.iter().any(|part| matches!(part, Part::Literal(_)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rewrite(form: &str, value: &str) -> Option<String> {
        let form = DateForm::try_from(form.to_owned()).unwrap();
        let mut text = String::new();
        form.rewrite(value, &mut text).then_some(text)
    }

    #[test]
    fn dates_keep_the_precision_that_they_have() {
        for (form, value, wanted) in [
            ("DD/MM/YYYY", "09/03/2014", "2014-03-09"),
            ("DD/MM/YYYY", "9/3/2014", "2014-03-09"),
            ("DD/MM/YYYY", "99/03/2014", "2014-03"),
            ("YYYYMMDD", "20140309", "2014-03-09"),
            ("YYYYMMDD", "20149999", "2014"),
            ("YYYYMMDD", "201403", "2014-03"),
            ("YYYYMMDD", "99999999", ""),
            ("YYYY-MM-DD", "2014", "2014"),
            ("YYYY-MM-DD hh:mm", "2014-03-09 08:05", "2014-03-09T08:05"),
            ("YYYY-MM-DD hh:mm", "2014-03-09", "2014-03-09"),
        ] {
            assert_eq!(rewrite(form, value).as_deref(), Some(wanted), "{form} {value}");
        }
        for (form, value) in
            [("DD/MM/YYYY", "2014-03-09"), ("YYYYMMDD", "2014039"), ("YYYYMMDD", "20140309x"), ("MM/YYYY", "x")]
        {
            assert_eq!(rewrite(form, value), None, "{form} {value}");
        }
        for form in ["", "DD/MM", "YYYY-YYYY", "dd.MM.YYYY"] {
            assert!(DateForm::try_from(form.to_owned()).is_err(), "{form}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(value in "\\PC{0,16}") {
            rewrite("DD/MM/YYYY hh:mm", &value);
            rewrite("YYYYMMDD", &value);
        }
    }
}

//! Conditions on one value, as rules write them: `9650-9667;9670`, `not C40-C41`, `>548`, `present`.

use std::collections::{BTreeMap, HashSet};

use node_domain::date::PartialDate;

/// A value that a rule looks at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'v> {
    /// There is none.
    Absent,
    /// What it would belong to is not in the registry: no condition holds, not even that there is none.
    Unknown,
    /// As it is stored.
    Text(&'v str),
    /// A derived number.
    Number(f64),
    /// A derived date.
    Date(PartialDate),
}

impl<'v> Value<'v> {
    /// From stored text, where empty means that there is none.
    #[must_use]
    pub fn of(text: &'v str) -> Self {
        if text.is_empty() { Self::Absent } else { Self::Text(text) }
    }

    /// From a number that may be missing.
    #[must_use]
    pub fn number(number: Option<impl Into<f64>>) -> Self {
        number.map_or(Self::Absent, |number| Self::Number(number.into()))
    }

    /// From a date that may be missing.
    #[must_use]
    pub fn date(date: Option<PartialDate>) -> Self {
        date.map_or(Self::Absent, Self::Date)
    }

    /// From an answer that may not be known.
    #[must_use]
    pub fn yes_no(answer: Option<bool>) -> Self {
        answer.map_or(Self::Absent, |yes| Self::Text(if yes { "yes" } else { "no" }))
    }

    /// As a date, where it is one. A time of day is left out.
    #[must_use]
    pub fn as_date(&self) -> Option<PartialDate> {
        match self {
            Self::Date(date) => Some(*date),
            Self::Text(text) => text.split('T').next().unwrap_or_default().parse().ok(),
            Self::Absent | Self::Unknown | Self::Number(_) => None,
        }
    }

    /// As a number, where it is one.
    #[must_use]
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.parse().ok(),
            Self::Absent | Self::Unknown | Self::Date(_) => None,
        }
    }
}

/// What a rule asks of a value. Only [`Condition::Absent`] holds where there is none.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// There is a value.
    Present,
    /// There is none.
    Absent,
    /// A number below.
    Below(f64),
    /// A number above.
    Above(f64),
    /// In the list; of several codes any one.
    Among(List),
    /// Not in the list; of several codes none.
    NotAmong(List),
}

/// Codes and ranges of codes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct List {
    ranges: Vec<Range>,
    /// Single codes that are no numbers.
    codes: HashSet<String>,
}

#[derive(Debug, Clone, PartialEq)]
struct Range {
    low: String,
    high: String,
    /// The same as numbers, where both ends are.
    numbers: Option<(f64, f64)>,
}

/// Lists by name.
pub type Sets = BTreeMap<String, List>;

/// A text that is no condition.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` is no condition: write codes and ranges separated by `;`, `not …`, `@set`, `<n`, `>n`, `present` or `absent`"
)]
pub struct ConditionError(String);

impl Condition {
    /// Parses a condition; `@name` stands for a list of `sets`.
    ///
    /// # Errors
    /// Where the text is no condition or names a set that does not exist.
    pub fn parse(text: &str, sets: &Sets) -> Result<Self, ConditionError> {
        let bad = || ConditionError(text.to_owned());
        let number = |text: &str| text.parse::<f64>().map_err(|_| bad());
        match text {
            "present" => return Ok(Self::Present),
            "absent" => return Ok(Self::Absent),
            _ => {}
        }
        if let Some(rest) = text.strip_prefix('<') {
            return Ok(Self::Below(number(rest)?));
        }
        if let Some(rest) = text.strip_prefix('>') {
            return Ok(Self::Above(number(rest)?));
        }
        let (not, list) = match text.strip_prefix("not ") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let list = match list.strip_prefix('@') {
            Some(name) => sets.get(name).cloned().ok_or_else(bad)?,
            None => List::parse(list).ok_or_else(bad)?,
        };
        Ok(if not { Self::NotAmong(list) } else { Self::Among(list) })
    }

    /// Whether the value meets the condition.
    #[must_use]
    pub fn holds(&self, value: &Value<'_>) -> bool {
        if *value == Value::Unknown {
            return false;
        }
        match self {
            Self::Present => *value != Value::Absent,
            Self::Absent => *value == Value::Absent,
            Self::Below(bound) => value.as_number().is_some_and(|number| number < *bound),
            Self::Above(bound) => value.as_number().is_some_and(|number| number > *bound),
            Self::Among(list) => *value != Value::Absent && list.holds(value),
            Self::NotAmong(list) => *value != Value::Absent && !list.holds(value),
        }
    }
}

impl List {
    /// Parses codes and ranges separated by `;`. A range has numbers or topography codes at both ends.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let parts = text.split([';', ',']).map(str::trim).map(Range::parse).collect::<Option<Vec<_>>>()?;
        Some(Self::of_ranges(parts.into_iter()))
    }

    /// A list of single codes.
    pub fn of_codes<'c>(codes: impl Iterator<Item = &'c str>) -> Self {
        Self::of_ranges(codes.filter_map(Range::parse))
    }

    fn of_ranges(all: impl Iterator<Item = Range>) -> Self {
        let (single, ranges): (Vec<_>, Vec<_>) =
            all.partition(|range| range.numbers.is_none() && range.low == range.high);
        Self { ranges, codes: single.into_iter().map(|range| range.low).collect() }
    }

    fn holds(&self, value: &Value<'_>) -> bool {
        match value {
            Value::Absent | Value::Unknown | Value::Date(_) => false,
            Value::Number(number) => {
                self.ranges.iter().any(|range| range.numbers.is_some_and(|(low, high)| (low..=high).contains(number)))
            }
            Value::Text(text) if text.contains(';') => text.split(';').any(|code| self.holds_text(code)),
            Value::Text(text) => self.holds_text(text),
        }
    }

    fn holds_text(&self, text: &str) -> bool {
        let number: Option<f64> = text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten();
        self.codes.contains(text)
            || self.ranges.iter().any(|range| match (range.numbers, number) {
                (Some((low, high)), Some(number)) => (low..=high).contains(&number),
                _ => range.low.len() == text.len() && range.low.as_str() <= text && text <= range.high.as_str(),
            })
    }
}

impl Range {
    fn parse(text: &str) -> Option<Self> {
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let is_site = |text: &str| text.len() == 4 && text.starts_with('C') && is_number(&text[1..]);
        if text.is_empty() {
            return None;
        }
        let (low, high) = match text.split_once('-') {
            Some((low, high)) if (is_number(low) && is_number(high)) || (is_site(low) && is_site(high)) => (low, high),
            _ => (text, text),
        };
        let numbers = match (is_number(low), low.parse(), high.parse()) {
            (true, Ok(low), Ok(high)) => Some((low, high)),
            _ => None,
        };
        Some(Self { low: low.to_owned(), high: high.to_owned(), numbers })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(condition: &str, value: Value<'_>) -> bool {
        let sets = Sets::from([("bone".to_owned(), List::parse("C400-C419").unwrap())]);
        Condition::parse(condition, &sets).unwrap().holds(&value)
    }

    #[test]
    fn lists_take_codes_and_ranges_of_numbers_and_sites() {
        assert!(holds("9650-9667;9670", Value::Text("9650")) && holds("9650-9667;9670", Value::Text("9670")));
        assert!(!holds("9650-9667;9670", Value::Text("9668")));
        assert!(holds("0-2", Value::Number(2.0)) && !holds("0-2", Value::Number(10.0)));
        assert!(holds("C400-C419", Value::Text("C412")) && !holds("C400-C419", Value::Text("C420")));
        assert!(holds("y-I;y-II", Value::Text("y-I")) && !holds("y-I;y-II", Value::Text("I")));
        assert!(holds("not @bone", Value::Text("C649")) && !holds("not @bone", Value::Text("C400")));
        assert!(holds("bone;lung", Value::Text("marrow;lung")) && !holds("not none", Value::Text("none")));
    }

    #[test]
    fn only_absence_holds_where_there_is_no_value() {
        for condition in ["present", "1", "not 1", "<1", ">1"] {
            assert!(!holds(condition, Value::Absent), "{condition}");
        }
        assert!(holds("absent", Value::Absent) && holds("present", Value::Text("1")));
        assert!(!holds("absent", Value::Unknown), "what is not known is not absent");
        assert!(holds(">548", Value::Number(549.0)) && !holds(">548", Value::Number(548.0)));
        assert!(holds("<0.2", Value::Text("0.15")));
    }

    #[test]
    fn what_is_no_condition_is_refused() {
        for text in ["", "not ", "@nothing", "<x", "1;;2"] {
            assert!(Condition::parse(text, &Sets::new()).is_err(), "{text}");
        }
    }
}

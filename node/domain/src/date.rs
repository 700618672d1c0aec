//! Calendar dates with a precision: what is not known is not filled in.

use std::{fmt, str::FromStr};

use chrono::NaiveDate;

/// A date known to the day, the month or only the year (ISO 8601 reduced precision: `2014-03-09`, `2014-03`, `2014`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PartialDate {
    year: i32,
    month: Option<u32>,
    day: Option<u32>,
}

/// Why a text is not a date.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DateError {
    /// Neither YYYY, YYYY-MM nor YYYY-MM-DD.
    #[error("not written YYYY-MM-DD, YYYY-MM or YYYY")]
    Form,
    /// The form is right but the calendar has no such day.
    #[error("no such day in the calendar")]
    Calendar,
}

impl PartialDate {
    /// The year.
    #[must_use]
    pub fn year(&self) -> i32 {
        self.year
    }

    /// The day, where it is known to the day.
    #[must_use]
    pub fn day(&self) -> Option<NaiveDate> {
        NaiveDate::from_ymd_opt(self.year, self.month?, self.day?)
    }

    /// The earliest day it can be.
    #[must_use]
    pub fn earliest(&self) -> Option<NaiveDate> {
        NaiveDate::from_ymd_opt(self.year, self.month.unwrap_or(1), self.day.unwrap_or(1))
    }

    /// The latest day it can be.
    #[must_use]
    pub fn latest(&self) -> Option<NaiveDate> {
        if self.day.is_some() {
            return self.day();
        }
        let (year, month) = match self.month {
            Some(month) if month < 12 => (self.year, month + 1),
            _ => (self.year + 1, 1),
        };
        NaiveDate::from_ymd_opt(year, month, 1)?.pred_opt()
    }

    /// Whether it lies surely before `other`.
    #[must_use]
    pub fn is_surely_before(&self, other: &Self) -> bool {
        matches!((self.latest(), other.earliest()), (Some(latest), Some(earliest)) if latest < earliest)
    }

    /// Whole days from `self` to `later`; `None` unless both are known to the day and in order.
    #[must_use]
    pub fn days_until(&self, later: &Self) -> Option<u16> {
        u16::try_from((later.day()? - self.day()?).num_days()).ok()
    }

    /// The completed years from `self` to `later` as (least, most): equal where the precision decides.
    ///
    /// A date known to the month counts calendar months, which is right to one month; a date known to the year leaves two ages.
    #[must_use]
    pub fn completed_years(&self, later: &Self) -> Option<(u16, u16)> {
        let (least, most) = match (self.month, later.month) {
            (Some(born), Some(now)) => {
                let mut months = (later.year - self.year) * 12 + i32::try_from(now).ok()? - i32::try_from(born).ok()?;
                if let (Some(born_day), Some(day)) = (self.day, later.day)
                    && day < born_day
                {
                    months -= 1;
                }
                (months.div_euclid(12), months.div_euclid(12))
            }
            _ => ((later.year - self.year - 1).max(0), later.year - self.year),
        };
        Some((u16::try_from(least).ok()?, u16::try_from(most).ok()?))
    }
}

impl FromStr for PartialDate {
    type Err = DateError;

    fn from_str(text: &str) -> Result<Self, DateError> {
        let bytes = text.as_bytes();
        let digits = |from: usize, to: usize| -> Result<u32, DateError> {
            let part = bytes.get(from..to).ok_or(DateError::Form)?;
            if !part.iter().all(u8::is_ascii_digit) {
                return Err(DateError::Form);
            }
            Ok(part.iter().fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0')))
        };
        let dash = |at: usize| if bytes.get(at) == Some(&b'-') { Ok(()) } else { Err(DateError::Form) };
        let (month, day) = match bytes.len() {
            4 => (None, None),
            7 => (Some(digits(5, 7)?), None),
            10 => {
                dash(7)?;
                (Some(digits(5, 7)?), Some(digits(8, 10)?))
            }
            _ => return Err(DateError::Form),
        };
        if month.is_some() {
            dash(4)?;
        }
        let year = i32::try_from(digits(0, 4)?).map_err(|_| DateError::Form)?;
        let date = Self { year, month, day };
        date.earliest().ok_or(DateError::Calendar)?;
        Ok(date)
    }
}

impl fmt::Display for PartialDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}", self.year)?;
        if let Some(month) = self.month {
            write!(f, "-{month:02}")?;
        }
        if let Some(day) = self.day {
            write!(f, "-{day:02}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> PartialDate {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn parse_and_render_are_inverse() {
        for text in ["2014-02-28", "2014-02", "2014", "2016-02-29"] {
            assert_eq!(date(text).to_string(), text);
        }
    }

    #[test]
    fn what_is_not_a_date_is_refused() {
        for text in ["", "14", "2014-1", "2014-1-01", "2014/01/01", "20140101", "2014-01-0a", "+014-01-01", "２０１４"]
        {
            assert_eq!(text.parse::<PartialDate>(), Err(DateError::Form), "{text}");
        }
        for text in ["2014-13", "2014-00", "2015-02-29", "2014-04-31"] {
            assert_eq!(text.parse::<PartialDate>(), Err(DateError::Calendar), "{text}");
        }
    }

    #[test]
    fn intervals_need_both_days() {
        assert_eq!(date("2014-01-01").days_until(&date("2014-01-31")), Some(30));
        assert_eq!(date("2014-01-01").days_until(&date("2014-01-01")), Some(0));
        assert_eq!(date("2014-01").days_until(&date("2014-01-31")), None);
        assert_eq!(date("2014-02-01").days_until(&date("2014-01-31")), None);
    }

    #[test]
    fn ages_are_completed_years_and_ambiguous_ones_stay_so() {
        assert_eq!(date("2010-05-20").completed_years(&date("2014-05-19")), Some((3, 3)));
        assert_eq!(date("2010-05-20").completed_years(&date("2014-05-20")), Some((4, 4)));
        assert_eq!(date("2010-05").completed_years(&date("2014-05-01")), Some((4, 4)));
        assert_eq!(date("2010").completed_years(&date("2014-05-01")), Some((3, 4)));
        assert_eq!(date("2014").completed_years(&date("2014-05-01")), Some((0, 0)));
        assert_eq!(date("2015-01").completed_years(&date("2014-05-01")), None);
    }

    #[test]
    fn order_is_sure_only_where_precision_allows() {
        assert!(date("2014-01-31").is_surely_before(&date("2014-02")));
        assert!(!date("2014-01").is_surely_before(&date("2014-01-15")));
        assert!(!date("2014").is_surely_before(&date("2014-12-31")));
    }
}

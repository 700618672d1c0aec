//! Calendar dates with a precision: what is not known is not filled in.

use std::{fmt, ops::RangeInclusive, str::FromStr};

use chrono::{Datelike, NaiveDate};

/// A date known to the day, the month or only the year (ISO 8601 reduced precision: `2014-03-09`, `2014-03`, `2014`).
///
/// A date that was read lies in the years 1900 to 2099.
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
    /// A year that no record of a registry can hold, such as 0014 or 2914.
    #[error("the year must lie between 1900 and 2099")]
    Year,
}

/// The years that a record may name.
const YEARS: RangeInclusive<i32> = 1900..=2099;

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

    /// Whether it lies surely after `other`.
    #[must_use]
    pub fn is_surely_after(&self, other: &Self) -> bool {
        other.is_surely_before(self)
    }

    /// Whether both are known to the day and it is the same day.
    #[must_use]
    pub fn surely_equal(&self, other: &Self) -> bool {
        matches!((self.day(), other.day()), (Some(one), Some(another)) if one == another)
    }

    /// Whether they cannot be the same day.
    #[must_use]
    pub fn surely_different(&self, other: &Self) -> bool {
        self.is_surely_before(other) || other.is_surely_before(self)
    }

    /// Days from `self` to `later` as (least, most): equal where both are known to the day, negative where `later` is earlier.
    #[must_use]
    pub fn day_bounds(&self, later: &Self) -> Option<(i64, i64)> {
        let least = later.earliest()? - self.latest()?;
        let most = later.latest()? - self.earliest()?;
        Some((least.num_days(), most.num_days()))
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
        if !YEARS.contains(&year) {
            return Err(DateError::Year);
        }
        let date = Self { year, month, day };
        date.earliest().ok_or(DateError::Calendar)?;
        Ok(date)
    }
}

impl From<NaiveDate> for PartialDate {
    fn from(day: NaiveDate) -> Self {
        Self { year: day.year(), month: Some(day.month()), day: Some(day.day()) }
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
        for text in ["0014-01-01", "1899-12-31", "2100", "9999-12"] {
            assert_eq!(text.parse::<PartialDate>(), Err(DateError::Year), "{text}");
        }
        for text in ["1900-01-01", "2099-12-31", "2099-12", "2099"] {
            assert!(date(text).latest().is_some(), "{text}");
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
        assert!(date("2014-02").is_surely_after(&date("2014-01-31")));
        assert!(!date("2014-01-31").is_surely_after(&date("2014-01-31")));
    }

    #[test]
    fn two_dates_may_be_equal_without_being_surely_so() {
        assert!(date("2014-01-31").surely_equal(&date("2014-01-31")));
        assert!(!date("2014-01").surely_equal(&date("2014-01")));
        assert!(!date("2014-01").surely_different(&date("2014-01-31")));
        assert!(date("2014-01").surely_different(&date("2014-02-01")));
        assert!(date("2015").surely_different(&date("2014-12-31")));
    }

    #[test]
    fn the_bounds_of_an_interval_hold_every_day_it_can_have() {
        assert_eq!(date("2014-01-01").day_bounds(&date("2014-01-31")), Some((30, 30)));
        assert_eq!(date("2014-01-31").day_bounds(&date("2014-01-01")), Some((-30, -30)));
        assert_eq!(date("2014-01").day_bounds(&date("2014-02")), Some((1, 58)));
        assert_eq!(date("2014").day_bounds(&date("2014-01-01")), Some((-364, 0)));
    }
}

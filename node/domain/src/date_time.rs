//! A day, where known with the time of day and its offset from UTC (ISO 8601): a time that is not known is not filled in.

use std::{fmt, str::FromStr};

use chrono::{Datelike, NaiveDate};

use crate::date::{DateError, PartialDate};

/// A day, optionally with a clock time (`2024-05-01T08:30`, seconds allowed), optionally with an offset (`Z`, `-06:00`).
///
/// Without an offset the clock is the local one of the facility. The years are 1900 to 2099.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PartialTime {
    day: NaiveDate,
    clock: Option<Clock>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Clock {
    hour: u32,
    minute: u32,
    second: Option<u32>,
    offset: Option<Offset>,
}

/// `Z` and `+00:00` are the same moment but not the same text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Offset {
    Utc,
    Minutes(i32),
}

/// Why a text is neither a day nor a time.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DateTimeError {
    /// Another form, or a date without its day; seconds and one of `Z`, `+hh:mm` and `-hh:mm` may follow the minutes.
    #[error("not written YYYY-MM-DD or YYYY-MM-DDThh:mm")]
    Form,
    /// No such day.
    #[error("no such day in the calendar")]
    Calendar,
    /// A year outside 1900..=2099.
    #[error("the year must lie between 1900 and 2099")]
    Year,
    /// A clock that does not exist: hours are 00 to 23, minutes and seconds 00 to 59.
    #[error("no such time of day")]
    Clock,
    /// An offset that no place has: up to 14:00, and zero is written `Z` or `+00:00`.
    #[error("no such offset from UTC")]
    Offset,
}

impl PartialTime {
    /// The day as written, in the zone in which it was written.
    #[must_use]
    pub fn day(&self) -> NaiveDate {
        self.day
    }

    /// The same day as a date.
    #[must_use]
    pub fn date(&self) -> PartialDate {
        self.day.into()
    }

    /// The year of the day.
    #[must_use]
    pub fn year(&self) -> i32 {
        self.day.year()
    }

    /// Whether the time of day is known.
    #[must_use]
    pub fn has_clock(&self) -> bool {
        self.clock.is_some()
    }

    /// Minutes from `self` to `later`, negative where `later` is earlier; `None` unless both have a time of day.
    ///
    /// Offsets count where both have one; otherwise both clocks are read in the same local zone. Seconds are dropped from either
    /// clock, so that a record with seconds and one without compare alike.
    #[must_use]
    pub fn minutes_until(&self, later: &Self) -> Option<i64> {
        let (from, to) = (self.clock?, later.clock?);
        let local = (later.day - self.day).num_days() * 24 * 60 + from.minutes_until(&to);
        Some(match (from.offset, to.offset) {
            (Some(of_from), Some(of_to)) => local + i64::from(of_from.minutes() - of_to.minutes()),
            _ => local,
        })
    }

    /// Whole calendar days from `self` to `later`, by the days as written; `None` where `later` is an earlier day.
    #[must_use]
    pub fn days_until(&self, later: &Self) -> Option<u16> {
        u16::try_from((later.day - self.day).num_days()).ok()
    }

    /// Whether it lies surely before `other`: by the minute where both have a time of day, by the day otherwise.
    #[must_use]
    pub fn is_surely_before(&self, other: &Self) -> bool {
        match self.minutes_until(other) {
            Some(minutes) => minutes > 0,
            None => self.day < other.day,
        }
    }
}

impl Clock {
    fn minutes_until(&self, later: &Self) -> i64 {
        i64::from(later.hour * 60 + later.minute) - i64::from(self.hour * 60 + self.minute)
    }
}

impl Offset {
    fn minutes(self) -> i32 {
        match self {
            Self::Utc => 0,
            Self::Minutes(minutes) => minutes,
        }
    }
}

impl FromStr for PartialTime {
    type Err = DateTimeError;

    fn from_str(text: &str) -> Result<Self, DateTimeError> {
        let (day, clock) = match text.split_once('T') {
            Some((day, clock)) => (day, Some(clock)),
            None => (text, None),
        };
        let day = day.parse::<PartialDate>()?.day().ok_or(DateTimeError::Form)?;
        Ok(Self { day, clock: clock.map(str::parse).transpose()? })
    }
}

impl From<DateError> for DateTimeError {
    fn from(error: DateError) -> Self {
        match error {
            DateError::Form => Self::Form,
            DateError::Calendar => Self::Calendar,
            DateError::Year => Self::Year,
        }
    }
}

impl FromStr for Clock {
    type Err = DateTimeError;

    fn from_str(text: &str) -> Result<Self, DateTimeError> {
        let at = text.find(['Z', '+', '-']).unwrap_or(text.len());
        let (time, offset) = text.split_at_checked(at).ok_or(DateTimeError::Form)?;
        let (hour, minute, second) = match time.split(':').collect::<Vec<_>>().as_slice() {
            [hour, minute] => (two_digits(hour)?, two_digits(minute)?, None),
            [hour, minute, second] => (two_digits(hour)?, two_digits(minute)?, Some(two_digits(second)?)),
            _ => return Err(DateTimeError::Form),
        };
        if hour > 23 || minute > 59 || second.is_some_and(|second| second > 59) {
            return Err(DateTimeError::Clock);
        }
        let offset = if offset.is_empty() { None } else { Some(offset.parse()?) };
        Ok(Self { hour, minute, second, offset })
    }
}

impl FromStr for Offset {
    type Err = DateTimeError;

    fn from_str(text: &str) -> Result<Self, DateTimeError> {
        let (sign, amount) = match (text, text.strip_prefix('+'), text.strip_prefix('-')) {
            ("Z", ..) => return Ok(Self::Utc),
            (_, Some(amount), _) => (1, amount),
            (_, _, Some(amount)) => (-1, amount),
            _ => return Err(DateTimeError::Form),
        };
        let (hours, minutes) = amount.split_once(':').ok_or(DateTimeError::Form)?;
        let (hours, minutes) = (two_digits(hours)?, two_digits(minutes)?);
        let total = i32::try_from(hours * 60 + minutes).map_err(|_| DateTimeError::Offset)?;
        if minutes > 59 || total > 14 * 60 || (sign < 0 && total == 0) {
            return Err(DateTimeError::Offset);
        }
        Ok(Self::Minutes(sign * total))
    }
}

fn two_digits(text: &str) -> Result<u32, DateTimeError> {
    match text.as_bytes() {
        [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => Ok(u32::from(tens - b'0') * 10 + u32::from(ones - b'0')),
        _ => Err(DateTimeError::Form),
    }
}

impl fmt::Display for PartialTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.date())?;
        let Some(clock) = self.clock else { return Ok(()) };
        write!(f, "T{:02}:{:02}", clock.hour, clock.minute)?;
        if let Some(second) = clock.second {
            write!(f, ":{second:02}")?;
        }
        match clock.offset {
            None => Ok(()),
            Some(Offset::Utc) => f.write_str("Z"),
            Some(Offset::Minutes(minutes)) => {
                let sign = if minutes < 0 { '-' } else { '+' };
                write!(f, "{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> PartialTime {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn parse_and_render_are_inverse() {
        for text in [
            "2024-05-01",
            "2024-02-29T00:00",
            "2024-05-01T23:59:59",
            "2024-05-01T08:30Z",
            "2024-05-01T08:30+00:00",
            "2024-05-01T08:30:05-03:30",
            "2099-12-31T08:30+14:00",
        ] {
            assert_eq!(time(text).to_string(), text);
        }
    }

    #[test]
    fn what_is_not_a_time_is_refused() {
        let cases = [
            ("", DateTimeError::Form),
            ("2024-05", DateTimeError::Form),
            ("2024-05-01 08:30", DateTimeError::Form),
            ("2024-05-01T", DateTimeError::Form),
            ("2024-05-01T8:30", DateTimeError::Form),
            ("2024-05-01T08", DateTimeError::Form),
            ("2024-05-01T08:30:00:00", DateTimeError::Form),
            ("2024-05-01T08:30:00.5", DateTimeError::Form),
            ("2024-05-01T08:30z", DateTimeError::Form),
            ("2024-05-01T08:30-06", DateTimeError::Form),
            ("2024-05-01T08:30ZZ", DateTimeError::Form),
            ("2024-05-01T08:30é", DateTimeError::Form),
            ("2023-02-29T08:30", DateTimeError::Calendar),
            ("1899-12-31T08:30", DateTimeError::Year),
            ("2024-05-01T24:00", DateTimeError::Clock),
            ("2024-05-01T08:60", DateTimeError::Clock),
            ("2024-05-01T08:30:60", DateTimeError::Clock),
            ("2024-05-01T08:30+14:01", DateTimeError::Offset),
            ("2024-05-01T08:30+05:75", DateTimeError::Offset),
            ("2024-05-01T08:30-00:00", DateTimeError::Offset),
        ];
        for (text, error) in cases {
            assert_eq!(text.parse::<PartialTime>(), Err(error), "{text}");
        }
    }

    #[test]
    fn minutes_cross_midnight_and_may_be_negative() {
        let minutes = |from: &str, to: &str| time(from).minutes_until(&time(to));
        assert_eq!(minutes("2024-05-01T23:50", "2024-05-02T00:20"), Some(30));
        assert_eq!(minutes("2024-05-01T08:30", "2024-05-01T08:00"), Some(-30));
        assert_eq!(minutes("2024-05-01T08:30:59", "2024-05-01T09:30:00"), Some(60));
        assert_eq!(minutes("2024-05-01", "2024-05-01T09:30"), None);
    }

    #[test]
    fn offsets_count_only_where_both_are_stated() {
        let minutes = |from: &str, to: &str| time(from).minutes_until(&time(to));
        assert_eq!(minutes("2024-05-01T08:30-06:00", "2024-05-01T15:00Z"), Some(30));
        assert_eq!(minutes("2024-05-01T23:30-03:00", "2024-05-02T03:00Z"), Some(30));
        assert_eq!(minutes("2024-05-01T08:30-06:00", "2024-05-01T09:00"), Some(30));
    }

    #[test]
    fn days_are_calendar_days() {
        assert_eq!(time("2024-05-01T23:59").days_until(&time("2024-05-02T00:01")), Some(1));
        assert_eq!(time("2024-05-02").days_until(&time("2024-05-01")), None);
        assert!(time("2024-05-01").is_surely_before(&time("2024-05-02T00:00")));
        assert!(!time("2024-05-01").is_surely_before(&time("2024-05-01T10:00")));
        assert!(time("2024-05-01T09:00").is_surely_before(&time("2024-05-01T10:00")));
    }
}

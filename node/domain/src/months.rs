//! The base grid of survival time: months of 365.25/12 days, in exact integer arithmetic.
//!
//! 365.25/12 = 487/16 days, so a day belongs to month `ceil(16 day / 487)`: an event on the very day of a cut counts before it.

/// The last month of the base grid.
pub const LAST_MONTH: u16 = 120;

/// Days of `month` months of 365.25/12 days.
#[must_use]
pub fn days(month: u16) -> f64 {
    f64::from(month) * 487.0 / 16.0
}

/// The month whose interval `(month - 1, month]` holds `day`; day 0 belongs to month 1.
#[must_use]
pub fn month_of(day: u16) -> u32 {
    (u32::from(day) * 16).div_ceil(487).max(1)
}

/// The first whole day that lies strictly after the cut at `month`.
#[must_use]
pub fn first_day_after(month: u16) -> u32 {
    u32::from(month) * 487 / 16 + 1
}

/// The first whole day at or after the cut at `month`.
#[must_use]
pub fn first_day_from(month: u16) -> u32 {
    (u32::from(month) * 487).div_ceil(16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_on_the_cut_counts_before_it() {
        assert_eq!(month_of(487), 16);
        assert_eq!(month_of(488), 17);
        assert_eq!((first_day_from(16), first_day_after(16)), (487, 488));
        assert_eq!((first_day_from(12), first_day_after(12)), (366, 366));
        assert_eq!(month_of(365), 12);
        assert_eq!(month_of(366), 13);
        assert_eq!(month_of(0), 1);
        assert!((days(12) - 365.25).abs() < 1e-12);
    }

    #[test]
    fn the_integer_rule_equals_the_real_one() {
        for day in 1..=7000_u16 {
            assert_eq!(f64::from(month_of(day)), (f64::from(day) / (365.25 / 12.0)).ceil(), "day {day}");
        }
    }
}

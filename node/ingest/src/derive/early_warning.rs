//! The early-warning score for children with cancer: its total, its parts and its colour.
//!
//! EVAT (Agulnik and others, Lancet Oncol 2023;24:978-988): neurological, cardiovascular and respiratory state 0 to 3 each, concern
//! of the staff and of the family 0 or 1; green 0 to 2, yellow 3 and 4, red from 5.

/// The highest total.
pub const MAXIMUM: u8 = 11;

/// The five parts of a score.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Parts {
    /// 0 to 3.
    pub neurological: Option<u8>,
    /// 0 to 3.
    pub cardiovascular: Option<u8>,
    /// 0 to 3.
    pub respiratory: Option<u8>,
    /// 0 or 1.
    pub staff_concern: Option<u8>,
    /// 0 or 1.
    pub family_concern: Option<u8>,
}

impl Parts {
    /// Their sum; `None` where one is missing or out of its range.
    #[must_use]
    pub fn sum(&self) -> Option<u8> {
        let states =
            [self.neurological, self.cardiovascular, self.respiratory].map(|part| part.filter(|part| *part <= 3));
        let concerns = [self.staff_concern, self.family_concern].map(|part| part.filter(|part| *part <= 1));
        states.into_iter().chain(concerns).sum()
    }
}

/// The total as recorded, or the sum of the parts where none is recorded.
#[must_use]
pub fn total(recorded: Option<u8>, parts: &Parts) -> Option<u8> {
    recorded.or_else(|| parts.sum())
}

/// Whether the recorded total is the sum of the parts; `None` where either is not known.
#[must_use]
pub fn total_agrees(recorded: Option<u8>, parts: &Parts) -> Option<bool> {
    Some(recorded? == parts.sum()?)
}

/// The code of `pews_colour` for a total of EVAT; other instruments may set other bounds.
#[must_use]
pub fn colour(total: u8) -> &'static str {
    match total {
        0..=2 => "green",
        3..=4 => "yellow",
        _ => "red",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(neurological: u8, cardiovascular: u8, respiratory: u8, staff: u8, family: u8) -> Parts {
        Parts {
            neurological: Some(neurological),
            cardiovascular: Some(cardiovascular),
            respiratory: Some(respiratory),
            staff_concern: Some(staff),
            family_concern: Some(family),
        }
    }

    #[test]
    fn colours_change_at_three_and_five() {
        assert_eq!([0, 2, 3, 4, 5, 11].map(colour), ["green", "green", "yellow", "yellow", "red", "red"]);
    }

    #[test]
    fn parts_add_up_to_eleven_at_most() {
        assert_eq!(parts(3, 3, 3, 1, 1).sum(), Some(MAXIMUM));
        assert_eq!(parts(4, 0, 0, 0, 0).sum(), None);
        assert_eq!(parts(0, 0, 0, 2, 0).sum(), None);
        assert_eq!(Parts { respiratory: None, ..parts(1, 1, 1, 0, 0) }.sum(), None);
    }

    #[test]
    fn the_total_is_recorded_or_added_and_may_disagree() {
        assert_eq!(total(None, &parts(1, 2, 0, 1, 0)), Some(4));
        assert_eq!(total(Some(5), &parts(1, 2, 0, 1, 0)), Some(5));
        assert_eq!(total(None, &Parts::default()), None);
        assert_eq!(total_agrees(Some(4), &parts(1, 2, 0, 1, 0)), Some(true));
        assert_eq!(total_agrees(Some(5), &parts(1, 2, 0, 1, 0)), Some(false));
        assert_eq!(total_agrees(Some(5), &Parts::default()), None);
    }
}

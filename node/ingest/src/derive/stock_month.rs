//! Days in stock, out of stock and not reported, month by month, of one medicine in one form at one facility.
//!
//! Counted as in the WHO/HAI method and the availability indicators built on it: a day that nobody reported is neither in stock nor
//! out, and a medicine that a facility need not hold is not counted at all.

use chrono::{Datelike, Months, NaiveDate};

/// What is known of a day.
///
/// In order, the worst last: where spells overlap, the worst holds. A day claimed both in stock and not reported is not reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// At hand, if only for less than 30 days (`short`).
    InStock,
    /// Not reported.
    NotReported,
    /// None that may be given: none at all (`out`), or only what has expired (`expired_only`).
    Out,
}

impl State {
    /// From the code of `stock_state`.
    #[must_use]
    pub fn of_code(code: &str) -> Option<Self> {
        match code {
            "in_stock" | "short" => Some(Self::InStock),
            "out" | "expired_only" => Some(Self::Out),
            "not_reported" => Some(Self::NotReported),
            _ => None,
        }
    }
}

/// Days of one state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spell {
    /// The state.
    pub state: State,
    /// First day.
    pub start: NaiveDate,
    /// Last day, itself included; none while the spell lasts.
    pub end: Option<NaiveDate>,
}

impl Spell {
    fn covers(&self, day: NaiveDate) -> bool {
        self.start <= day && self.end.is_none_or(|end| day <= end)
    }
}

/// One month. The three counts always add up to the days of the month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StockMonth {
    /// Year of the calendar.
    pub year: i32,
    /// Month, 1 to 12.
    pub month: u32,
    /// Days in stock.
    pub days_in_stock: u8,
    /// Days out of stock.
    pub days_out: u8,
    /// Days that nobody reported.
    pub days_not_reported: u8,
}

impl StockMonth {
    /// The code of `stock_month_state`: `in_stock` all month, `out_all` month, `out_part` of it, otherwise `not_reported`.
    #[must_use]
    pub fn state(&self) -> &'static str {
        match (self.days_in_stock, self.days_out, self.days_not_reported) {
            (_, 0, 0) => "in_stock",
            (0, 1.., 0) => "out_all",
            (_, 1.., _) => "out_part",
            _ => "not_reported",
        }
    }
}

/// The months from that of `from` to that of `until`, each whole; none where the facility need not hold the medicine.
///
/// `until` is the last day that the extract can know: later days of its month are not reported, also in a spell that still lasts.
/// Days before `from` in its month count as any other. A spell that ends before it starts covers no day.
#[must_use]
pub fn stock_months(spells: &[Spell], eligible: bool, from: NaiveDate, until: NaiveDate) -> Vec<StockMonth> {
    if !eligible {
        return Vec::new();
    }
    let mut months = Vec::new();
    let mut first = from.with_day(1);
    while let Some(start) = first.filter(|start| *start <= until) {
        first = start.checked_add_months(Months::new(1));
        months.push(month(spells, start, until));
    }
    months
}

fn month(spells: &[Spell], start: NaiveDate, until: NaiveDate) -> StockMonth {
    let mut counted =
        StockMonth { year: start.year(), month: start.month(), days_in_stock: 0, days_out: 0, days_not_reported: 0 };
    for day in start.iter_days().take_while(|day| day.month() == start.month()) {
        let known = spells.iter().filter(|spell| day <= until && spell.covers(day));
        match known.map(|spell| spell.state).max() {
            Some(State::InStock) => counted.days_in_stock += 1,
            Some(State::Out) => counted.days_out += 1,
            Some(State::NotReported) | None => counted.days_not_reported += 1,
        }
    }
    counted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn spell(code: &str, start: &str, end: Option<&str>) -> Spell {
        Spell { state: State::of_code(code).unwrap(), start: day(start), end: end.map(day) }
    }

    fn counts(months: &[StockMonth]) -> Vec<(u32, u8, u8, u8)> {
        months.iter().map(|of| (of.month, of.days_in_stock, of.days_out, of.days_not_reported)).collect()
    }

    #[test]
    fn days_without_a_spell_are_not_reported() {
        let spells =
            [spell("in_stock", "2024-01-11", Some("2024-02-10")), spell("out", "2024-02-11", Some("2024-02-15"))];
        let months = stock_months(&spells, true, day("2024-01-20"), day("2024-03-31"));
        assert_eq!(counts(&months), [(1, 21, 0, 10), (2, 10, 5, 14), (3, 0, 0, 31)]);
        assert_eq!(
            months.iter().map(StockMonth::state).collect::<Vec<_>>(),
            ["not_reported", "out_part", "not_reported"]
        );
    }

    #[test]
    fn an_open_spell_lasts_to_the_extract_and_no_further() {
        let months = stock_months(&[spell("out", "2023-12-01", None)], true, day("2023-12-31"), day("2024-01-10"));
        assert_eq!(counts(&months), [(12, 0, 31, 0), (1, 0, 10, 21)]);
        assert_eq!((months[0].year, months[0].state()), (2023, "out_all"));
        assert_eq!((months[1].year, months[1].state()), (2024, "out_part"));
    }

    #[test]
    fn short_is_in_stock_and_expired_is_out() {
        let spells = [spell("short", "2024-04-01", Some("2024-04-20")), spell("expired_only", "2024-04-21", None)];
        assert_eq!(counts(&stock_months(&spells, true, day("2024-04-01"), day("2024-04-30"))), [(4, 20, 10, 0)]);
        assert_eq!(State::of_code("full"), None);
    }

    #[test]
    fn the_worse_of_two_spells_wins() {
        let spells = [
            spell("in_stock", "2024-04-01", None),
            spell("out", "2024-04-05", Some("2024-04-09")),
            spell("not_reported", "2024-04-09", Some("2024-04-12")),
        ];
        assert_eq!(counts(&stock_months(&spells, true, day("2024-04-01"), day("2024-04-30"))), [(4, 22, 5, 3)]);
    }

    #[test]
    fn what_need_not_be_held_has_no_rows() {
        assert!(
            stock_months(&[spell("out", "2024-04-01", None)], false, day("2024-04-01"), day("2024-04-30")).is_empty()
        );
        assert!(stock_months(&[], true, day("2024-05-01"), day("2024-04-30")).is_empty());
        let whole = stock_months(&[spell("in_stock", "2024-04-01", None)], true, day("2024-04-01"), day("2024-04-30"));
        assert_eq!(whole[0].state(), "in_stock");
    }

    proptest! {
        #[test]
        fn the_days_of_a_month_always_add_up_to_its_length(
            spells in proptest::collection::vec((0..3_u8, 0..800_i64, proptest::option::of(-5..200_i64)), 0..8),
            from in 0..700_i64,
            length in 0..400_i64,
        ) {
            let at = |days: i64| day("2023-01-15") + chrono::TimeDelta::days(days);
            let states = [State::InStock, State::NotReported, State::Out];
            let spells = spells
                .into_iter()
                .map(|(state, start, end)| Spell {
                    state: states[usize::from(state)],
                    start: at(start),
                    end: end.map(|end| at(start + end)),
                })
                .collect::<Vec<_>>();
            for month in stock_months(&spells, true, at(from), at(from + length)) {
                let sum = month.days_in_stock + month.days_out + month.days_not_reported;
                let first = NaiveDate::from_ymd_opt(month.year, month.month, 1).unwrap();
                prop_assert_eq!(first.num_days_in_month(), sum);
            }
        }
    }
}

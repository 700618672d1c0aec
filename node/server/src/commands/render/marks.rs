//! How one number is written: every state has a mark of its own, and every mark that occurs has a footnote.

use std::collections::{BTreeMap, BTreeSet};

use node_protocol::{
    answer::Answer,
    cell::{Cell, Withheld},
    release::Release,
};

use crate::commands::words;

/// A number with its state: suppressed is never mistaken for zero, nor noise for the true number.
pub(crate) fn cell(cell: &Cell) -> String {
    match cell {
        Cell::Exact { n } => n.to_string(),
        Cell::Perturbed { n } => format!("~{n}"),
        Cell::Banded { low, high } => format!("{low}–{high}"),
        Cell::Refused { reason } => withheld(*reason).to_owned(),
    }
}

/// The mark of a number that is not shown.
pub(crate) fn withheld(reason: Withheld) -> &'static str {
    match reason {
        Withheld::Merged => "merged",
        Withheld::OneDay => "one day",
        Withheld::TailCut => "cut",
        Withheld::Complementary => "(c)",
        Withheld::Unspecified => "(h)",
        Withheld::Dominance => "(d)",
    }
}

/// What a mark means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mark {
    Perturbed,
    Banded,
    /// The sum of countries of which one shows a band.
    BandOfSum,
    /// The same, with noise in it.
    NoisyBand,
    Merged,
    OneDay,
    TailCut,
    Complementary,
    Unspecified,
    Dominance,
    /// It would be computed from a number that is not shown.
    NotShown,
    AsOf,
}

/// The marks that occur on a page.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    seen: BTreeSet<Mark>,
    noise: BTreeSet<String>,
    /// The bands that occur, as they are written.
    bands: BTreeMap<Mark, BTreeSet<(u64, u64)>>,
}

/// The most bands of one mark that its footnote shows.
const MOST_BANDS: usize = 3;

impl Marks {
    /// A number with its mark, which is remembered.
    pub(crate) fn cell(&mut self, one: &Cell, earlier: bool) -> String {
        let mark = match one {
            Cell::Exact { .. } => None,
            Cell::Perturbed { .. } => Some(Mark::Perturbed),
            Cell::Banded { low, high } => Some(self.band(Mark::Banded, (*low, *high))),
            Cell::Refused { reason } => Some(match reason {
                Withheld::Merged => Mark::Merged,
                Withheld::OneDay => Mark::OneDay,
                Withheld::TailCut => Mark::TailCut,
                Withheld::Complementary => Mark::Complementary,
                Withheld::Unspecified => Mark::Unspecified,
                Withheld::Dominance => Mark::Dominance,
            }),
        };
        self.seen.extend(mark);
        let mut text = cell(one);
        if earlier && one.shown().is_some() {
            self.seen.insert(Mark::AsOf);
            text.push('*');
        }
        text
    }

    /// A sum of countries, which may have noise and a band in it at once.
    pub(crate) fn sum(&mut self, one: &Cell, noisy: bool) -> String {
        match one {
            Cell::Banded { low, high } if noisy => {
                let mark = self.band(Mark::NoisyBand, (*low, *high));
                self.seen.insert(mark);
                format!("~{low}–{high}")
            }
            Cell::Banded { low, high } if !self.has_band((*low, *high)) => {
                let mark = self.band(Mark::BandOfSum, (*low, *high));
                self.seen.insert(mark);
                format!("{low}–{high}")
            }
            _ => self.cell(one, false),
        }
    }

    /// Whether a country shows that very band.
    fn has_band(&self, band: (u64, u64)) -> bool {
        self.bands.get(&Mark::Banded).is_some_and(|bands| bands.contains(&band))
    }

    fn band(&mut self, mark: Mark, band: (u64, u64)) -> Mark {
        self.bands.entry(mark).or_default().insert(band);
        mark
    }

    /// In place of what would be computed from a number that is not shown.
    pub(crate) fn not_shown(&mut self) -> String {
        self.seen.insert(Mark::NotShown);
        "not shown".to_owned()
    }

    /// A number that was computed from numbers with noise.
    pub(crate) fn computed(&mut self, number: String, noisy: bool, earlier: bool) -> String {
        let mut text = number;
        if noisy {
            self.seen.insert(Mark::Perturbed);
            text.insert(0, '~');
        }
        if earlier {
            self.seen.insert(Mark::AsOf);
            text.push('*');
        }
        text
    }

    /// Notes how much noise an answer says that it has.
    pub(crate) fn note(&mut self, answer: &Answer) {
        match answer.release() {
            Release::Perturbed { noise, .. } => {
                self.noise.insert(words::noise_words(&noise));
            }
            Release::DifferentiallyPrivate { private } => {
                self.noise.insert(format!(
                    "fresh, standard deviation {:.1}, 95 % within {:.0} of the true number",
                    private.standard_deviation, private.error_95
                ));
            }
            Release::Catalogue(_) | Release::ExactAdHoc(_) => {}
        }
    }

    /// A line for each mark that occurs: the mark, and what it means.
    pub(crate) fn footnotes(&self) -> Vec<(String, String)> {
        self.seen.iter().map(|mark| (self.sign(*mark), self.meaning(*mark))).collect()
    }

    /// A mark as it is written; a band as those that occur.
    fn sign(&self, mark: Mark) -> String {
        let Some(bands) = self.bands.get(&mark) else { return mark.sign().to_owned() };
        let noise = if mark == Mark::NoisyBand { "~" } else { "" };
        let mut signs: Vec<String> =
            bands.iter().take(MOST_BANDS).map(|(low, high)| format!("{noise}{low}–{high}")).collect();
        if bands.len() > MOST_BANDS {
            signs.push("…".to_owned());
        }
        signs.join(", ")
    }

    fn meaning(&self, mark: Mark) -> String {
        match mark {
            Mark::Perturbed => {
                let how_much: Vec<&str> = self.noise.iter().map(String::as_str).collect();
                let how_much = match how_much.as_slice() {
                    [] => "how much, each answer says".to_owned(),
                    parts => parts.join("; or "),
                };
                format!("a number with noise, not the true one: {how_much}")
            }
            other => other.plain_meaning().to_owned(),
        }
    }
}

impl Mark {
    fn sign(self) -> &'static str {
        match self {
            Self::Perturbed => "~123",
            Self::Banded | Self::BandOfSum => "0–9",
            Self::NoisyBand => "~0–9",
            Self::NotShown => "not shown",
            Self::Merged => "merged",
            Self::OneDay => "one day",
            Self::TailCut => "cut",
            Self::Complementary => "(c)",
            Self::Unspecified => "(h)",
            Self::Dominance => "(d)",
            Self::AsOf => "123*",
        }
    }

    fn plain_meaning(self) -> &'static str {
        match self {
            Self::Perturbed => "a number with noise, not the true one",
            Self::Banded => "not shown: it lies somewhere between the two; zero and small look alike",
            Self::BandOfSum => "a sum with a band in it: it lies somewhere between the two",
            Self::NoisyBand => "a sum with a band and with noise in it: it lies near these, not surely between them",
            Self::NotShown => "a number that it would be computed from is not shown",
            Self::Merged => "not shown: too few events in this interval; it is part of the next one that is shown",
            Self::OneDay => "not shown: it would tell how many ended on one single day",
            Self::TailCut => "not shown: the curve ends before, since too few were at risk",
            Self::Complementary => "not shown: it is not small itself, but would tell a small one by subtraction",
            Self::Unspecified => {
                "not shown: it is small, or would tell a small one by subtraction; which of the two is not said"
            }
            Self::Dominance => "not shown: one or two of those counted make up too much of the sum",
            Self::AsOf => "the number of an earlier snapshot: fewer than the threshold have changed since",
        }
    }
}

/// What the states and reasons in a CSV mean: those that occur.
pub(crate) fn state_meanings(cells: impl Iterator<Item = Cell>) -> Vec<(&'static str, String)> {
    let mut marks = Marks::default();
    for one in cells {
        marks.cell(&one, false);
    }
    let name = |mark: &Mark| match mark {
        Mark::Perturbed => "perturbed",
        Mark::Banded | Mark::BandOfSum | Mark::NoisyBand => "banded",
        Mark::NotShown => "not_shown",
        Mark::Merged => "merged",
        Mark::OneDay => "one_day",
        Mark::TailCut => "tail_cut",
        Mark::Complementary => "complementary",
        Mark::Unspecified => "unspecified",
        Mark::Dominance => "dominance",
        Mark::AsOf => "as_of",
    };
    marks.seen.iter().map(|mark| (name(mark), mark.plain_meaning().to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_a_mark_of_its_own_and_a_footnote() {
        let refused = |reason| Cell::Refused { reason };
        let cells = [
            Cell::Exact { n: 0 },
            Cell::Exact { n: 123 },
            Cell::Perturbed { n: 0 },
            Cell::Perturbed { n: 123 },
            Cell::Banded { low: 0, high: 9 },
            refused(Withheld::Merged),
            refused(Withheld::OneDay),
            refused(Withheld::TailCut),
            refused(Withheld::Complementary),
            refused(Withheld::Unspecified),
            refused(Withheld::Dominance),
        ];
        let mut marks = Marks::default();
        let written: Vec<String> = cells.iter().map(|one| marks.cell(one, false)).collect();
        assert_eq!(
            written,
            ["0", "123", "~0", "~123", "0–9", "merged", "one day", "cut", "(c)", "(h)", "(d)"],
            "no two states look alike"
        );
        assert_eq!(marks.cell(&Cell::Exact { n: 7 }, true), "7*");
        assert_eq!(marks.cell(&Cell::Banded { low: 0, high: 4 }, true), "0–4", "a band tells nothing of a snapshot");
        assert_eq!(marks.not_shown(), "not shown");
        let signs: Vec<String> = marks.footnotes().into_iter().map(|(sign, _)| sign).collect();
        let expected = ["~123", "0–4, 0–9", "merged", "one day", "cut", "(c)", "(h)", "(d)", "not shown", "123*"];
        assert_eq!(signs, expected, "the bands are those that occur");
    }

    #[test]
    fn a_sum_says_whether_a_band_or_noise_or_both_are_in_it() {
        let (band, mut marks) = (Cell::Banded { low: 12, high: 16 }, Marks::default());
        assert_eq!(marks.sum(&band, false), "12–16");
        assert_eq!(marks.sum(&band, true), "~12–16");
        assert_eq!(marks.sum(&Cell::Exact { n: 12 }, false), "12");
        let notes = marks.footnotes();
        assert_eq!(notes.iter().map(|note| note.0.as_str()).collect::<Vec<_>>(), ["12–16", "~12–16"]);
        assert!(!notes[0].1.contains("noise") && notes[1].1.contains("noise"), "{notes:?}");
    }

    #[test]
    fn only_marks_that_occur_have_a_footnote() {
        let mut marks = Marks::default();
        marks.cell(&Cell::Exact { n: 0 }, false);
        assert!(marks.footnotes().is_empty());
        marks.cell(&Cell::Banded { low: 0, high: 4 }, false);
        assert_eq!(marks.footnotes().len(), 1);
    }
}

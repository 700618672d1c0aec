//! How the classification tables write codes: ICD-O-3 sites, morphologies and behaviours as lists of codes and ranges.
//!
//! `9811-9819;9837`, `C400-C419;C809`, `0;1;3`, and `any` for all of them.

use serde::de::DeserializeOwned;

/// The lowest ICD-O-3 morphology; tables are indexed from it.
pub const FIRST_MORPHOLOGY: u16 = 8000;

/// The highest ICD-O-3 morphology.
pub const LAST_MORPHOLOGY: u16 = 9993;

/// The site C80.9 as a number, the last one.
const LAST_SITE: u16 = 809;

/// Why a classification table is refused.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// It is not CSV, or a column is missing.
    #[error("the table cannot be read; restore the file that came with the program")]
    Csv(#[from] csv::Error),
    /// A cell that cannot be understood.
    #[error("line {line}, column {column}: {value:?} is not understood; write codes and ranges separated by `;`")]
    Cell {
        /// Line of the file, the header being line 1.
        line: u64,
        /// Name of the column.
        column: &'static str,
        /// What is written there.
        value: String,
    },
    /// Two rows that give two answers for one tumour.
    #[error(
        "lines {first} and {second} both hold for morphology {morphology}; let their sites, behaviours or ages differ"
    )]
    Overlap {
        /// The earlier line.
        first: u64,
        /// The later line.
        second: u64,
        /// A morphology for which both hold.
        morphology: u16,
    },
    /// Two rows that describe one thing differently.
    #[error("line {line}: {code} is described otherwise on an earlier line")]
    Disagreement {
        /// The later line.
        line: u64,
        /// The code described twice.
        code: String,
    },
}

/// Closed ranges of numbers, as a table lists them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ranges(Vec<(u16, u16)>);

impl Ranges {
    /// Ranges of morphologies.
    #[must_use]
    pub fn of_morphologies(list: &str) -> Option<Self> {
        Self::parse(list, (FIRST_MORPHOLOGY, LAST_MORPHOLOGY), |code| code.parse().ok())
    }

    /// Ranges of sites, as [`site`] numbers them.
    #[must_use]
    pub fn of_sites(list: &str) -> Option<Self> {
        Self::parse(list, (0, LAST_SITE), site)
    }

    /// Ranges of ages in completed years.
    #[must_use]
    pub fn of_ages(list: &str) -> Option<Self> {
        Self::parse(list, (0, 120), |age| age.parse().ok())
    }

    fn parse(list: &str, all: (u16, u16), number: impl Fn(&str) -> Option<u16>) -> Option<Self> {
        if list == "any" {
            return Some(Self(vec![all]));
        }
        let range = |item: &str| {
            let (from, to) = item.split_once('-').unwrap_or((item, item));
            let (from, to) = (number(from)?, number(to)?);
            (all.0 <= from && from <= to && to <= all.1).then_some((from, to))
        };
        list.split(';').map(range).collect::<Option<Vec<_>>>().map(Self)
    }

    /// The ranges as written.
    #[must_use]
    pub fn as_slice(&self) -> &[(u16, u16)] {
        &self.0
    }

    /// Whether a number lies in one of them.
    #[must_use]
    pub fn contains(&self, number: u16) -> bool {
        self.0.iter().any(|(from, to)| (*from..=*to).contains(&number))
    }

    /// Whether a number lies in both.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.0.iter().any(|(from, to)| other.0.iter().any(|(start, end)| from <= end && start <= to))
    }
}

/// A set of ICD-O behaviours among 0 benign, 1 uncertain, 2 in situ and 3 malignant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Behaviours(u8);

impl Behaviours {
    /// From a list such as `0;1;3`, or `any`.
    #[must_use]
    pub fn parse(list: &str) -> Option<Self> {
        if list == "any" {
            return Some(Self(0b1111));
        }
        list.split(';').map(bit).try_fold(0, |set, bit| Some(set | bit?)).map(Self)
    }

    /// Whether the code is one of them.
    #[must_use]
    pub fn contains(self, behaviour: &str) -> bool {
        bit(behaviour).is_some_and(|bit| self.0 & bit != 0)
    }

    /// Whether a behaviour is in both.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

fn bit(behaviour: &str) -> Option<u8> {
    match behaviour {
        "0" => Some(1),
        "1" => Some(1 << 1),
        "2" => Some(1 << 2),
        "3" => Some(1 << 3),
        _ => None,
    }
}

/// The number of an ICD-O-3 topography, C421 being 421; `None` where it is not written `Cnnn` or lies above C809.
#[must_use]
pub fn site(topography: &str) -> Option<u16> {
    let digits = topography.strip_prefix('C').filter(|digits| digits.len() == 3)?;
    if !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok().filter(|number| *number <= LAST_SITE)
}

/// The place of a morphology in a table indexed from [`FIRST_MORPHOLOGY`]; `None` outside 8000..=9993.
#[must_use]
pub fn place(morphology: u16) -> Option<usize> {
    (FIRST_MORPHOLOGY..=LAST_MORPHOLOGY).contains(&morphology).then(|| usize::from(morphology - FIRST_MORPHOLOGY))
}

/// The rows of a table with the lines on which they stand.
///
/// # Errors
/// [`TableError::Csv`].
pub fn rows<Row: DeserializeOwned>(text: &str) -> Result<Vec<(u64, Row)>, TableError> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let headers = reader.headers()?.clone();
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record?;
        let line = record.position().map_or(0, csv::Position::line);
        rows.push((line, record.deserialize(Some(&headers))?));
    }
    Ok(rows)
}

/// A cell understood, or the refusal that names it.
///
/// # Errors
/// [`TableError::Cell`] where `parsed` is `None`.
pub fn cell<T>(line: u64, column: &'static str, value: &str, parsed: Option<T>) -> Result<T, TableError> {
    parsed.ok_or_else(|| TableError::Cell { line, column, value: value.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_codes_and_ranges_are_understood() {
        let morphologies = Ranges::of_morphologies("9811-9819;9837").unwrap();
        assert!(morphologies.contains(9811) && morphologies.contains(9819) && morphologies.contains(9837));
        assert!(!morphologies.contains(9820));
        assert_eq!(Ranges::of_sites("C400-C419;C809").unwrap().as_slice(), [(400, 419), (809, 809)]);
        assert_eq!(Ranges::of_ages("0-39").unwrap().as_slice(), [(0, 39)]);
        assert!(Ranges::of_sites("any").unwrap().contains(0));
        assert!(morphologies.overlaps(&Ranges::of_morphologies("9819").unwrap()));
        assert!(!morphologies.overlaps(&Ranges::of_morphologies("9820-9836").unwrap()));
    }

    #[test]
    fn what_no_table_should_hold_is_not_understood() {
        for list in ["", "9819-9811", "7999", "9994", "9811;", "9811-", "ALL"] {
            assert_eq!(Ranges::of_morphologies(list), None, "{list}");
        }
        for list in ["", "C40", "C4000", "c400", "C810", "400", "C+40"] {
            assert_eq!(Ranges::of_sites(list), None, "{list}");
        }
        for list in ["", "4", "0-3", "03"] {
            assert_eq!(Behaviours::parse(list), None, "{list}");
        }
    }

    #[test]
    fn behaviours_are_sets() {
        let central_nervous = Behaviours::parse("0;1;3").unwrap();
        assert!(central_nervous.contains("0") && central_nervous.contains("3"));
        assert!(!central_nervous.contains("2") && !central_nervous.contains("6") && !central_nervous.contains(""));
        assert!(!central_nervous.overlaps(Behaviours::parse("2").unwrap()));
        assert!(Behaviours::parse("any").unwrap().contains("2"));
    }
}

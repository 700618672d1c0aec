//! What is wrong with a file, where, and what to do: never the value itself.

use std::{fmt, path::PathBuf};

use serde::Serialize;

/// One error of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Defect {
    /// File as it was named on the command line.
    pub file: PathBuf,
    /// Line, counted from 1; the header is line 1. 0 where the whole file is meant.
    pub line: u64,
    /// Column, where one is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// What kind of value was found, without showing it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
    /// The rule that is broken.
    pub rule: Rule,
    /// Which quality rule, where one holds the row back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quality: Option<String>,
    /// What to do.
    pub fix: String,
}

impl Defect {
    /// Whether it refuses the whole batch; otherwise it holds back one row.
    #[must_use]
    pub fn refuses(&self) -> bool {
        self.rule != Rule::Quality
    }
}

/// The rules that a file must keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// The file is CSV in UTF-8 with a header.
    Readable,
    /// Every mandatory column is there.
    ColumnMissing,
    /// Every column is in the dictionary.
    ColumnUnknown,
    /// No column stands twice.
    ColumnRepeated,
    /// Every row has as many values as the header.
    RowLength,
    /// Mandatory values are there.
    Required,
    /// Codes are in their list.
    Code,
    /// Whole numbers are within their bounds.
    Number,
    /// Dates are dates.
    Date,
    /// Text has the form that the dictionary gives.
    Form,
    /// No key stands twice.
    Unique,
    /// What a row refers to exists.
    Reference,
    /// Rows with the same key that should be the same row are so.
    Contradiction,
    /// A quality rule of severity `error`.
    Quality,
    /// Most rows keep the quality rules.
    MostlyHeld,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Readable => "readable",
            Self::ColumnMissing => "column missing",
            Self::ColumnUnknown => "column unknown",
            Self::ColumnRepeated => "column repeated",
            Self::RowLength => "row length",
            Self::Required => "required",
            Self::Code => "code",
            Self::Number => "number",
            Self::Date => "date",
            Self::Form => "form",
            Self::Unique => "unique",
            Self::Reference => "reference",
            Self::Contradiction => "contradiction",
            Self::Quality => "quality",
            Self::MostlyHeld => "most rows held back",
        })
    }
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)?;
        if let Some(column) = &self.column {
            write!(f, ": {column}")?;
        }
        match &self.quality {
            Some(id) => write!(f, ": {id}")?,
            None => write!(f, ": {}", self.rule)?,
        }
        if let Some(found) = &self.found {
            write!(f, " ({found})")?;
        }
        write!(f, ": {}", self.fix)
    }
}

/// The class of a value for a message: its kind and length, never its text.
#[must_use]
pub fn class_of(value: &str) -> String {
    let characters = value.chars().count();
    let kind = if value.is_empty() {
        return "empty".to_owned();
    } else if value.bytes().all(|b| b.is_ascii_digit()) {
        "number"
    } else if value.bytes().all(|b| b.is_ascii_digit() || b"-/.:".contains(&b)) {
        "digits with separators"
    } else {
        "text"
    };
    format!("{kind}, {characters} character{}", if characters == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_defect_says_where_and_what_to_do_and_never_the_value() {
        let defect = Defect {
            file: "patient.csv".into(),
            line: 7,
            column: Some("sex".to_owned()),
            found: Some(class_of("María")),
            rule: Rule::Code,
            quality: None,
            fix: "use one of: 1, 2, 3, 9".to_owned(),
        };
        assert_eq!(defect.to_string(), "patient.csv:7: sex: code (text, 5 characters): use one of: 1, 2, 3, 9");
        assert_eq!(class_of("12/03/2014"), "digits with separators, 10 characters");
        assert_eq!(class_of("7"), "number, 1 character");
    }
}

//! A mapping bound to the header of one file: for every field the column, constant or template that fills it.

use std::collections::BTreeMap;

use node_domain::dictionary::{Dictionary, Kind, Table};

use super::{
    CollectionMapping, FieldMapping, Format, Mapping, When,
    date_form::DateForm,
    template::{self, Piece},
};
use crate::{check::decimal, row::RowBuffer};

/// What every record of a file is turned into.
#[derive(Debug)]
pub struct Plan<'d> {
    /// One per collection, and per number of a block that stands several times.
    pub targets: Vec<Target<'d>>,
    /// Columns that nothing reads.
    pub unread: Vec<String>,
    missing: Vec<String>,
}

/// One row that a record is turned into.
#[derive(Debug)]
pub struct Target<'d> {
    /// The collection.
    pub table: &'d Table,
    /// Whether equal rows count once.
    pub distinct: bool,
    when: Option<(usize, When)>,
    origins: Vec<Origin>,
    /// For messages: the column (or columns) behind each field.
    columns: Vec<Option<String>>,
}

#[derive(Debug)]
enum Origin {
    Absent,
    /// The row is not made from columns.
    Whole,
    Constant(String),
    Column {
        at: usize,
        change: Option<Box<Change>>,
    },
    Template {
        pieces: Vec<Bound>,
        change: Option<Box<Change>>,
    },
}

#[derive(Debug)]
enum Bound {
    Literal(String),
    Column(usize),
}

/// What is done to a column's value on its way into a field.
#[derive(Debug, Default)]
struct Change {
    codes: BTreeMap<String, String>,
    default: Option<String>,
    date: Option<DateForm>,
    scale: Option<f64>,
    decimal_comma: bool,
    remove: Option<String>,
}

/// Why a mapping does not fit a file: each entry names a column and what it is needed for.
pub type Missing = Vec<(String, String)>;

impl<'d> Plan<'d> {
    /// The columns of one collection by their own names; `header` may hold some of them only.
    #[must_use]
    pub fn plain(table: &'d Table, header: &[String]) -> Self {
        let position = |name: &str| header.iter().position(|column| column == name);
        let origin = |name: &str| position(name).map_or(Origin::Absent, |at| Origin::Column { at, change: None });
        let target = Target {
            table,
            distinct: false,
            when: None,
            origins: table.fields.iter().map(|field| origin(&field.name)).collect(),
            columns: table.fields.iter().map(|field| Some(field.name.clone())).collect(),
        };
        Self { targets: vec![target], unread: Vec::new(), missing: Vec::new() }
    }

    /// Rows that come as they are, not from columns: for each collection the fields that are filled.
    #[must_use]
    pub fn whole(tables: Vec<(&'d Table, &[&str])>) -> Self {
        let target = |(table, filled): (&'d Table, &[&str])| Target {
            table,
            distinct: true,
            when: None,
            origins: table
                .fields
                .iter()
                .map(|field| if filled.contains(&field.name.as_str()) { Origin::Whole } else { Origin::Absent })
                .collect(),
            columns: table.fields.iter().map(|field| Some(field.name.clone())).collect(),
        };
        Self { targets: tables.into_iter().map(target).collect(), unread: Vec::new(), missing: Vec::new() }
    }

    /// A mapping on a file with this header.
    ///
    /// # Errors
    /// The columns that the mapping needs and the file lacks.
    pub fn bind(mapping: &Mapping, header: &[String], dictionary: &'d Dictionary) -> Result<Self, Missing> {
        let mut binder =
            Binder { header, format: &mapping.format, read: vec![false; header.len()], missing: Vec::new() };
        let mut targets = Vec::new();
        for collection in &mapping.collections {
            let Some(table) = dictionary.collection(&collection.name) else { continue };
            let numbers: Vec<Option<u32>> = match collection.repeat {
                Some(repeat) => (repeat.from..=repeat.to).map(Some).collect(),
                None => vec![None],
            };
            for number in numbers {
                targets.push(binder.target(table, collection, number));
            }
        }
        if !binder.missing.is_empty() {
            return Err(binder.missing);
        }
        let ignored = |name: &String| mapping.ignore.iter().any(|ignored| binder.same(ignored, name));
        let unread = header.iter().zip(&binder.read).filter(|(name, read)| !**read && !ignored(name));
        let unread = unread.map(|(name, _)| name.clone()).collect();
        Ok(Self { targets, unread, missing: mapping.format.missing.clone() })
    }

    /// Whether a value of the file says that nothing is known.
    fn is_missing(&self, value: &str) -> bool {
        value.is_empty() || self.missing.iter().any(|missing| missing == value)
    }

    fn holds(&self, when: &When, value: &str) -> bool {
        if !when.except.is_empty() {
            return !when.except.iter().any(|other| other == value);
        }
        !self.is_missing(value) && (when.values.is_empty() || when.values.iter().any(|wanted| wanted == value))
    }

    /// Turns a record into the row of one target; `false` where the record has none.
    pub fn fill<'v>(&self, target: &Target<'_>, record: &dyn Fn(usize) -> &'v str, row: &mut RowBuffer) -> bool {
        if let Some((at, when)) = &target.when
            && !self.holds(when, record(*at))
        {
            return false;
        }
        row.clear();
        for (origin, field) in target.origins.iter().zip(&target.table.fields) {
            match origin {
                Origin::Absent | Origin::Whole => row.push(""),
                Origin::Constant(value) => row.push(value),
                Origin::Column { at, change: None } => row.push(record(*at)),
                Origin::Column { at, change: Some(change) } => {
                    let value = record(*at);
                    let value = if self.is_missing(value) { "" } else { value };
                    row.push_with(|text| change.write(value, &field.kind, text));
                }
                Origin::Template { pieces, change } => {
                    let mut whole = String::new();
                    for piece in pieces {
                        match piece {
                            Bound::Literal(literal) => whole.push_str(literal),
                            Bound::Column(at) if self.is_missing(record(*at)) => {
                                whole.clear();
                                break;
                            }
                            Bound::Column(at) => whole.push_str(record(*at)),
                        }
                    }
                    match change {
                        Some(change) => row.push_with(|text| change.write(&whole, &field.kind, text)),
                        None => row.push(&whole),
                    }
                }
            }
        }
        true
    }
}

impl Target<'_> {
    /// The column that a field's value comes from, for messages.
    #[must_use]
    pub fn column(&self, field: usize) -> Option<&str> {
        self.columns.get(field).and_then(Option::as_deref)
    }

    /// Whether anything fills a field.
    #[must_use]
    pub fn fills(&self, field: usize) -> bool {
        self.origins.get(field).is_some_and(|origin| !matches!(origin, Origin::Absent))
    }
}

impl Change {
    fn write(&self, value: &str, kind: &Kind, text: &mut String) {
        let removed;
        let value = match &self.remove {
            Some(characters) => {
                removed = value.replace(|c| characters.contains(c), "");
                removed.as_str()
            }
            None => value,
        };
        if let Some(code) = self.codes.get(value) {
            return text.push_str(code);
        }
        if value.is_empty() {
            return text.push_str(self.default.as_deref().unwrap_or_default());
        }
        match kind {
            Kind::Date | Kind::DateTime => {
                // a value of another form goes on as it is: the check names it
                if !self.date.as_ref().is_some_and(|form| form.rewrite(value, text)) {
                    text.push_str(value);
                }
            }
            Kind::Decimal { .. } | Kind::Integer { .. } | Kind::Amount { .. } => {
                let pointed;
                let value = if self.decimal_comma {
                    pointed = value.replacen(',', ".", 1);
                    pointed.as_str()
                } else {
                    value
                };
                match (self.scale, decimal(value)) {
                    (Some(scale), Some(number)) => {
                        let scaled = (number * scale * 1e6).round() / 1e6;
                        text.push_str(&scaled.to_string());
                    }
                    _ => text.push_str(value),
                }
            }
            Kind::Code(_) | Kind::Codes(_) | Kind::Text => text.push_str(value),
        }
    }
}

/// Finds the columns of a header and notes which are read and which are missing.
struct Binder<'h> {
    header: &'h [String],
    format: &'h Format,
    read: Vec<bool>,
    missing: Missing,
}

impl Binder<'_> {
    fn same(&self, one: &str, other: &str) -> bool {
        if self.format.ignore_case { one.eq_ignore_ascii_case(other) } else { one == other }
    }

    fn column(&mut self, name: &str, needed_for: &str, optional: bool) -> Option<usize> {
        let found = self.header.iter().position(|column| self.same(column, name));
        match found {
            Some(at) => self.read[at] = true,
            None if optional => {}
            None => self.missing.push((name.to_owned(), needed_for.to_owned())),
        }
        found
    }

    fn target<'d>(&mut self, table: &'d Table, mapping: &CollectionMapping, number: Option<u32>) -> Target<'d> {
        let numbered = |text: &str| match number {
            Some(number) => text.replace("{n}", &number.to_string()),
            None => text.to_owned(),
        };
        let when = mapping.when.as_ref().and_then(|when| {
            let place = format!("{}.when", table.name);
            Some((self.column(&numbered(&when.column), &place, false)?, when.clone()))
        });
        let (mut origins, mut columns) = (Vec::new(), Vec::new());
        for field in &table.fields {
            let Some(mapped) = mapping.fields.get(&field.name) else {
                origins.push(Origin::Absent);
                columns.push(None);
                continue;
            };
            let place = format!("{}.{}", table.name, field.name);
            let optional = mapped.optional || !field.required;
            if let Some(name) = mapped.column.as_deref().map(numbered) {
                let at = self.column(&name, &place, optional);
                let change = self.change(mapped, &field.kind);
                origins.push(match at {
                    Some(at) => Origin::Column { at, change },
                    None => mapped.default.clone().map_or(Origin::Absent, Origin::Constant),
                });
                columns.push(Some(name));
            } else if let Some(text) = mapped.template.as_deref().map(numbered) {
                let pieces = template::parse(&text).unwrap_or_default();
                let bound: Option<Vec<Bound>> = pieces
                    .into_iter()
                    .map(|piece| match piece {
                        Piece::Literal(literal) => Some(Bound::Literal(literal)),
                        Piece::Column(name) => self.column(&name, &place, optional).map(Bound::Column),
                    })
                    .collect();
                let change = self.change(mapped, &field.kind);
                origins.push(match bound {
                    Some(pieces) => Origin::Template { pieces, change },
                    None => mapped.default.clone().map_or(Origin::Absent, Origin::Constant),
                });
                columns.push(Some(text));
            } else {
                origins.push(Origin::Constant(mapped.constant.as_deref().map(numbered).unwrap_or_default()));
                columns.push(None);
            }
        }
        Target { table, distinct: mapping.distinct, when, origins, columns }
    }

    fn change(&self, mapped: &FieldMapping, kind: &Kind) -> Option<Box<Change>> {
        let is_date = matches!(kind, Kind::Date | Kind::DateTime);
        let date = mapped.date.clone().or_else(|| self.format.date.clone()).filter(|_| is_date);
        Some(Box::new(Change {
            codes: mapped.codes.clone(),
            default: mapped.default.clone(),
            date,
            scale: mapped.scale,
            decimal_comma: self.format.decimal_comma,
            remove: mapped.remove.clone(),
        }))
    }
}

//! An analysis table being filled: values by field name, rows in any order; at the end sorted by whom they are about.

use std::collections::{BTreeMap, HashMap};

use node_domain::dictionary::{Kind, Table, Unit};
use node_snapshot::{
    columns::{Column, MISSING_AMOUNT, MISSING_NUMBER},
    parquet_file::Draft,
};

use crate::pseudonym::PseudonymKey;

/// A table being filled.
pub struct Sheet<'t> {
    table: &'t Table,
    key: &'t PseudonymKey,
    columns: Vec<Column>,
    positions: HashMap<&'t str, usize>,
    /// Whom each row is about, by number.
    units: Vec<u32>,
    names: HashMap<String, u32>,
}

/// A table or field that is not in the dictionary; a test keeps it from shipping.
#[derive(Debug, thiserror::Error)]
pub enum SheetError {
    /// A table without a builder.
    #[error("nothing fills the analysis table `{0}`")]
    Table(String),
    /// A field that a builder names.
    #[error("the analysis table `{0}` has no field `{1}` of that kind")]
    Field(String, String),
}

/// The row being filled.
pub struct SheetRow<'s, 't> {
    sheet: &'s mut Sheet<'t>,
}

impl<'t> Sheet<'t> {
    /// An empty table.
    #[must_use]
    pub fn new(table: &'t Table, key: &'t PseudonymKey) -> Self {
        // a field of another kind has no column, and naming it is an error
        let columns =
            table.fields.iter().map(|field| Column::for_kind(&field.kind, 0).unwrap_or(Column::Amounts(vec![])));
        Self {
            table,
            key,
            columns: columns.collect(),
            positions: table.fields.iter().enumerate().map(|(at, field)| (field.name.as_str(), at)).collect(),
            units: Vec::new(),
            names: HashMap::new(),
        }
    }

    /// Begins a row about a person or hospital; in a table about nobody, `unit` is left aside. All its values are missing at first.
    pub fn row(&mut self, unit: &str) -> SheetRow<'_, 't> {
        let next = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        let number = match self.table.unit_of_privacy {
            Unit::None => u32::try_from(self.units.len()).unwrap_or(u32::MAX),
            Unit::Person | Unit::Facility => match self.names.get(unit) {
                Some(number) => *number,
                None => *self.names.entry(unit.to_owned()).or_insert(next),
            },
        };
        self.units.push(number);
        for (column, field) in self.columns.iter_mut().zip(&self.table.fields) {
            match column {
                Column::Codes(codes) => codes.push(match &field.kind {
                    Kind::Code(list) => u8::try_from(list.codes.len()).unwrap_or(u8::MAX),
                    _ => u8::MAX,
                }),
                Column::Numbers(numbers) => numbers.push(MISSING_NUMBER),
                Column::Amounts(amounts) => amounts.push(MISSING_AMOUNT),
            }
        }
        SheetRow { sheet: self }
    }

    /// The table, with the rows of each person or hospital together, in the order of their secret record keys, so that the order
    /// tells nothing of when a row was loaded.
    #[must_use]
    pub fn finish(self) -> Draft {
        let mut record_key_of = vec![0; self.names.len()];
        let mut order: Vec<(u32, &str, u32)> = Vec::with_capacity(self.names.len());
        for (name, number) in &self.names {
            let key = match self.table.unit_of_privacy {
                Unit::Facility => self.key.record_key(&format!("facility:{name}")),
                Unit::Person | Unit::None => self.key.record_key(name),
            };
            record_key_of[*number as usize] = key;
            order.push((key, name, *number));
        }
        order.sort_unstable();
        let mut rank = vec![0_u32; order.len()];
        for (at, (.., number)) in (0_u32..).zip(&order) {
            rank[*number as usize] = at;
        }
        let unit_of = |row: &usize| rank.get(self.units[*row] as usize).copied().unwrap_or(self.units[*row]);
        let mut rows: Vec<usize> = (0..self.units.len()).collect();
        rows.sort_by_key(unit_of);
        fn pick<T: Copy>(values: &[T], rows: &[usize]) -> Vec<T> {
            rows.iter().map(|row| values[*row]).collect()
        }
        let columns: BTreeMap<String, Column> = self
            .table
            .fields
            .iter()
            .zip(&self.columns)
            .map(|(field, column)| {
                let column = match column {
                    Column::Codes(codes) => Column::Codes(pick(codes, &rows)),
                    Column::Numbers(numbers) => Column::Numbers(pick(numbers, &rows)),
                    Column::Amounts(amounts) => Column::Amounts(pick(amounts, &rows)),
                };
                (field.name.clone(), column)
            })
            .collect();
        let persons = rows.iter().map(unit_of).collect();
        let keys = |row: &usize| record_key_of.get(self.units[*row] as usize).copied().unwrap_or(0);
        let record_keys = rows.iter().map(keys).collect();
        Draft { columns, persons, record_keys }
    }
}

impl SheetRow<'_, '_> {
    fn column(&mut self, field: &str) -> Result<(&mut Column, &Kind), SheetError> {
        let sheet = &mut *self.sheet;
        let wrong = || SheetError::Field(sheet.table.name.clone(), field.to_owned());
        let at = *sheet.positions.get(field).ok_or_else(wrong)?;
        Ok((&mut sheet.columns[at], &sheet.table.fields[at].kind))
    }

    /// Sets a code; one that is not in the list is missing.
    ///
    /// # Errors
    /// Where the table has no such field of codes.
    pub fn code(&mut self, field: &str, code: Option<&str>) -> Result<&mut Self, SheetError> {
        match self.column(field)? {
            (Column::Codes(codes), Kind::Code(list)) => {
                if let (Some(last), Some(at)) = (codes.last_mut(), code.and_then(|code| list.position(code))) {
                    *last = u8::try_from(at).unwrap_or(u8::MAX);
                }
            }
            (Column::Numbers(positions), Kind::Code(list)) => {
                if let (Some(last), Some(at)) = (positions.last_mut(), code.and_then(|code| list.position(code))) {
                    *last = u16::try_from(at).unwrap_or(MISSING_NUMBER);
                }
            }
            _ => return Err(SheetError::Field(self.sheet.table.name.clone(), field.to_owned())),
        }
        Ok(self)
    }

    /// Sets a whole number; one outside the field's bounds is missing.
    ///
    /// # Errors
    /// Where the table has no such field of whole numbers.
    pub fn number(&mut self, field: &str, number: Option<impl Into<i64>>) -> Result<&mut Self, SheetError> {
        match self.column(field)? {
            (Column::Numbers(numbers), Kind::Integer { minimum, maximum }) => {
                let number = number.map(Into::into).filter(|number| (*minimum..=*maximum).contains(number));
                if let (Some(last), Some(number)) = (numbers.last_mut(), number.and_then(|n| u16::try_from(n).ok())) {
                    *last = number;
                }
            }
            _ => return Err(SheetError::Field(self.sheet.table.name.clone(), field.to_owned())),
        }
        Ok(self)
    }

    /// Sets an amount.
    ///
    /// # Errors
    /// Where the table has no such field of amounts.
    pub fn amount(&mut self, field: &str, amount: Option<u32>) -> Result<&mut Self, SheetError> {
        match self.column(field)? {
            (Column::Amounts(amounts), Kind::Amount { maximum }) => {
                if let (Some(last), Some(amount)) = (amounts.last_mut(), amount.filter(|amount| amount <= maximum)) {
                    *last = amount;
                }
            }
            _ => return Err(SheetError::Field(self.sheet.table.name.clone(), field.to_owned())),
        }
        Ok(self)
    }

    /// Sets `yes`, `no`, or `unknown` where the answer is not known.
    ///
    /// # Errors
    /// As [`Self::code`].
    pub fn answer(&mut self, field: &str, answer: Option<bool>) -> Result<&mut Self, SheetError> {
        self.code(field, Some(answer.map_or("unknown", |yes| if yes { "yes" } else { "no" })))
    }

    /// Sets `yes` or `no`.
    ///
    /// # Errors
    /// As [`Self::code`].
    pub fn yes_no(&mut self, field: &str, yes: bool) -> Result<&mut Self, SheetError> {
        self.code(field, Some(if yes { "yes" } else { "no" }))
    }
}

#[cfg(test)]
mod tests {
    use node_domain::dictionary::Dictionary;

    use super::*;

    #[test]
    fn rows_of_one_person_come_together_and_values_outside_the_dictionary_are_missing() {
        let dictionary = Dictionary::built_in().unwrap();
        let table = dictionary.table("cases").unwrap();
        let key = PseudonymKey::new(&[1; 32]);
        let mut sheet = Sheet::new(table, &key);
        for (person, years) in [("a", 3), ("b", 400), ("a", 5)] {
            let mut row = sheet.row(person);
            row.number("age_years", Some(years)).unwrap().code("region", Some("MX-SLP")).unwrap();
            row.code("sex", Some("7")).unwrap();
            assert!(row.code("sexo", None).is_err() && row.number("sex", Some(1)).is_err());
        }
        let draft = sheet.finish();
        assert!(draft.persons == [0, 0, 1] || draft.persons == [0, 1, 1]);
        let Some(Column::Numbers(years)) = draft.columns.get("age_years") else { panic!("numbers") };
        let mut sorted = years.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, [3, 5, MISSING_NUMBER]);
        assert_eq!(draft.record_keys.iter().collect::<std::collections::HashSet<_>>().len(), 2);
    }
}

//! Rows by column name, and the rows that break a rule.

use crate::{
    Collection, Planted, Registry,
    countries::Country,
    schema::{SHAPES, Shape, shape},
};

impl Registry {
    /// One without rows.
    pub(crate) fn empty(country: &Country) -> Self {
        let collections = SHAPES.iter().map(|shape| (shape.name, Collection::of(shape))).collect();
        Self { country: country.iso2, collections, planted: std::collections::BTreeMap::new() }
    }

    /// Adds a row; columns that are not named stay empty.
    pub(crate) fn add(&mut self, collection: &str, cells: &[(&str, String)]) {
        if let Some(collection) = self.collections.get_mut(collection) {
            collection.add(cells);
        }
    }

    /// The rows of a collection.
    pub(crate) fn rows(&self, collection: &str) -> &[Vec<String>] {
        self.collections.get(collection).map_or(&[], |collection| collection.rows.as_slice())
    }

    /// A cell; empty where there is none.
    pub(crate) fn cell(&self, collection: &str, row: usize, column: &str) -> &str {
        self.collections
            .get(collection)
            .and_then(|collection| Some(collection.rows.get(row)?.get(collection.column(column)?)?.as_str()))
            .unwrap_or_default()
    }

    /// Writes a cell.
    pub(crate) fn set(&mut self, collection: &str, row: usize, column: &str, value: impl Into<String>) {
        if let Some(collection) = self.collections.get_mut(collection)
            && let Some(column) = collection.column(column)
            && let Some(cell) = collection.rows.get_mut(row).and_then(|row| row.get_mut(column))
        {
            *cell = value.into();
        }
    }

    /// The primary key of a row.
    pub(crate) fn key(&self, collection: &str, row: usize) -> Vec<String> {
        let columns = shape(collection).map_or(&[][..], |shape| shape.key);
        columns.iter().map(|column| self.cell(collection, row, column).to_owned()).collect()
    }

    /// Records that a row breaks a rule.
    pub(crate) fn record(&mut self, rule: &str, collection: &'static str, key: Vec<String>) {
        self.planted.entry(rule.to_owned()).or_default().push(Planted { collection, key });
    }
}

impl Collection {
    fn of(shape: &Shape) -> Self {
        Self { header: shape.columns.to_vec(), rows: Vec::new() }
    }

    /// Where a column stands.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<usize> {
        self.header.iter().position(|column| *column == name)
    }

    fn add(&mut self, cells: &[(&str, String)]) {
        let mut row = vec![String::new(); self.header.len()];
        for (name, value) in cells {
            match self.column(name) {
                Some(column) => row[column].clone_from(value),
                None => debug_assert!(false, "no column {name} among {:?}", self.header),
            }
        }
        self.rows.push(row);
    }
}

//! Reading columns: texts that are parsed, times, and JSON documents.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use sqlx::{Row, sqlite::SqliteRow};

use crate::StoreError;

pub(crate) fn time_of(millis: i64) -> Result<DateTime<Utc>, StoreError> {
    DateTime::from_timestamp_millis(millis).ok_or(StoreError::Damaged("a time"))
}

/// The text of `column`, parsed; `table` is named where it cannot be.
pub(crate) fn parsed<T: FromStr>(row: &SqliteRow, column: &str, table: &'static str) -> Result<T, StoreError> {
    row.try_get::<&str, _>(column)?.parse().map_err(|_| StoreError::Damaged(table))
}

pub(crate) fn time(row: &SqliteRow, column: &str) -> Result<DateTime<Utc>, StoreError> {
    time_of(row.try_get(column)?)
}

pub(crate) fn time_or_none(row: &SqliteRow, column: &str) -> Result<Option<DateTime<Utc>>, StoreError> {
    row.try_get::<Option<i64>, _>(column)?.map(time_of).transpose()
}

/// The JSON document of `column`.
pub(crate) fn document<T: DeserializeOwned>(row: &SqliteRow, column: &str) -> Result<T, StoreError> {
    Ok(serde_json::from_str(row.try_get(column)?)?)
}

pub(crate) fn document_or_none<T: DeserializeOwned>(row: &SqliteRow, column: &str) -> Result<Option<T>, StoreError> {
    Ok(row.try_get::<Option<&str>, _>(column)?.map(serde_json::from_str).transpose()?)
}

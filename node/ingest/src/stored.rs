//! Accepted rows on disk: one Parquet file of text columns per loaded file.

use std::{fs::File, path::Path, sync::Arc};

use arrow::{
    array::{ArrayRef, AsArray, RecordBatch, StringBuilder},
    datatypes::{DataType, Field as ArrowField, Schema},
    error::ArrowError,
};
use node_domain::dictionary::Table;
use parquet::{
    arrow::{ArrowWriter, arrow_reader::ParquetRecordBatchReaderBuilder},
    basic::Compression,
    errors::ParquetError,
    file::properties::WriterProperties,
};

use crate::reader::Row;

/// Rows held back before they are written.
const ROWS_PER_BATCH: usize = 8 * 1024;

/// A stored file that cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum StoredError {
    /// The file system.
    #[error("a stored file cannot be read or written")]
    Io(#[from] std::io::Error),
    /// Parquet.
    #[error("a stored file is not valid Parquet")]
    Parquet(#[from] ParquetError),
    /// Arrow.
    #[error("a stored file does not hold text columns")]
    Arrow(#[from] ArrowError),
}

/// Writes rows of one collection as they come.
pub struct Writer {
    schema: Arc<Schema>,
    parquet: ArrowWriter<File>,
    columns: Vec<StringBuilder>,
    held: usize,
}

impl Writer {
    /// A new file for rows of `table`.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn create(path: &Path, table: &Table) -> Result<Self, StoredError> {
        let fields: Vec<ArrowField> =
            table.fields.iter().map(|field| ArrowField::new(&field.name, DataType::Utf8, false)).collect();
        let schema = Arc::new(Schema::new(fields));
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let parquet = ArrowWriter::try_new(File::create(path)?, Arc::clone(&schema), Some(properties))?;
        let columns = table.fields.iter().map(|_| StringBuilder::new()).collect();
        Ok(Self { schema, parquet, columns, held: 0 })
    }

    /// Adds a row, in the order of the dictionary's fields.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn push(&mut self, row: &Row) -> Result<(), StoredError> {
        for (column, value) in self.columns.iter_mut().zip(row) {
            column.append_value(value);
        }
        self.held += 1;
        if self.held == ROWS_PER_BATCH { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), StoredError> {
        let arrays = self.columns.iter_mut().map(|column| Arc::new(column.finish()) as ArrayRef).collect();
        self.parquet.write(&RecordBatch::try_new(Arc::clone(&self.schema), arrays)?)?;
        self.held = 0;
        Ok(())
    }

    /// Writes what is held and syncs the file.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn finish(mut self) -> Result<(), StoredError> {
        self.flush()?;
        self.parquet.into_inner()?.sync_all()?;
        Ok(())
    }
}

/// Calls `each` with every row of a stored file, in the order of the dictionary's fields; a column that the file lacks is empty.
///
/// # Errors
/// Those of the file system and of Parquet.
pub fn read(path: &Path, table: &Table, each: &mut dyn FnMut(&[&str])) -> Result<(), StoredError> {
    let reader =
        ParquetRecordBatchReaderBuilder::try_new(File::open(path)?)?.with_batch_size(ROWS_PER_BATCH).build()?;
    for batch in reader {
        let batch = batch?;
        let columns = table
            .fields
            .iter()
            .map(|field| {
                let Some(array) = batch.column_by_name(&field.name) else { return Ok(None) };
                let wrong = || ArrowError::SchemaError(format!("column {} is not text", field.name));
                array.as_string_opt::<i32>().map(Some).ok_or_else(wrong)
            })
            .collect::<Result<Vec<_>, _>>()?;
        let mut row = Vec::with_capacity(columns.len());
        for at in 0..batch.num_rows() {
            row.clear();
            row.extend(columns.iter().map(|column| column.map_or("", |column| column.value(at))));
            each(&row);
        }
    }
    Ok(())
}

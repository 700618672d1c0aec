//! Accepted rows on disk: one Parquet file of text columns per loaded file, with the line that each row came from.

use std::{fs::File, path::Path, sync::Arc};

use arrow::{
    array::{
        Array, ArrayRef, AsArray, RecordBatch, RecordBatchReader, StringArray, StringBuilder, UInt64Array,
        UInt64Builder,
    },
    compute::concat_batches,
    datatypes::{DataType, Field as ArrowField, Schema, UInt64Type},
    error::ArrowError,
};
use node_domain::dictionary::Table;
use parquet::{
    arrow::{ArrowWriter, ProjectionMask, arrow_reader::ParquetRecordBatchReaderBuilder},
    basic::Compression,
    errors::ParquetError,
    file::properties::WriterProperties,
};

use crate::row::RowBuffer;

/// Rows held back before they are written.
const ROWS_PER_BATCH: usize = 8 * 1024;
/// Rows that the Parquet writer gathers: bounds the memory of a load.
const ROWS_PER_GROUP: usize = 64 * 1024;
/// Column of the line that a row came from.
const LINE: &str = "_line";

/// A stored file that cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum StoredError {
    /// The file system.
    #[error("a stored file cannot be read or written")]
    Io(#[from] std::io::Error),
    /// Parquet.
    #[error("a stored file is not valid Parquet, or could not be written")]
    Parquet(#[from] ParquetError),
    /// Arrow.
    #[error("a stored file does not hold text columns")]
    Arrow(#[from] ArrowError),
}

/// Writes rows of one collection as they come.
pub struct Writer {
    schema: Arc<Schema>,
    parquet: ArrowWriter<File>,
    /// Which fields are kept, by position, with their values.
    columns: Vec<(usize, StringBuilder)>,
    lines: UInt64Builder,
}

impl Writer {
    /// A new file for rows of `table`, with the columns whose positions `keeps` says.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn create(path: &Path, table: &Table, keeps: &dyn Fn(usize) -> bool) -> Result<Self, StoredError> {
        let kept: Vec<usize> = (0..table.fields.len()).filter(|position| keeps(*position)).collect();
        let mut fields: Vec<ArrowField> =
            kept.iter().map(|at| ArrowField::new(&table.fields[*at].name, DataType::Utf8, false)).collect();
        fields.push(ArrowField::new(LINE, DataType::UInt64, false));
        let schema = Arc::new(Schema::new(fields));
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_max_row_group_row_count(Some(ROWS_PER_GROUP))
            .build();
        let parquet = ArrowWriter::try_new(File::create(path)?, Arc::clone(&schema), Some(properties))?;
        let columns = kept.into_iter().map(|position| (position, StringBuilder::new())).collect();
        Ok(Self { schema, parquet, columns, lines: UInt64Builder::new() })
    }

    /// Adds a row, in the order of the dictionary's fields.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn push(&mut self, row: &RowBuffer, line: u64) -> Result<(), StoredError> {
        for (position, column) in &mut self.columns {
            column.append_value(row.value(*position));
        }
        self.lines.append_value(line);
        if self.lines.values_slice().len() == ROWS_PER_BATCH { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), StoredError> {
        let mut arrays: Vec<ArrayRef> =
            self.columns.iter_mut().map(|(_, column)| Arc::new(column.finish()) as ArrayRef).collect();
        arrays.push(Arc::new(self.lines.finish()));
        self.parquet.write(&RecordBatch::try_new(Arc::clone(&self.schema), arrays)?)?;
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

/// The rows of one stored file in memory.
pub struct Stored {
    /// One per field of the dictionary; `None` where the file has no such column.
    columns: Vec<Option<StringArray>>,
    lines: Option<UInt64Array>,
    rows: usize,
}

impl Stored {
    /// Reads a stored file; a column that it lacks is empty.
    ///
    /// # Errors
    /// Those of the file system and of Parquet.
    pub fn open(path: &Path, table: &Table) -> Result<Self, StoredError> {
        Self::read(path, table, None)
    }

    /// As [`Self::open`], with these columns only.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_columns(path: &Path, table: &Table, names: &[String]) -> Result<Self, StoredError> {
        Self::read(path, table, Some(names))
    }

    fn read(path: &Path, table: &Table, names: Option<&[String]>) -> Result<Self, StoredError> {
        let mut builder = ParquetRecordBatchReaderBuilder::try_new(File::open(path)?)?.with_batch_size(ROWS_PER_BATCH);
        if let Some(names) = names {
            let mask = ProjectionMask::columns(builder.parquet_schema(), names.iter().map(String::as_str));
            builder = builder.with_projection(mask);
        }
        let reader = builder.build()?;
        let schema = RecordBatchReader::schema(&reader);
        let batches = reader.collect::<Result<Vec<_>, _>>()?;
        let whole = concat_batches(&schema, &batches)?;
        let column = |name: &str| match whole.column_by_name(name) {
            None => Ok(None),
            Some(array) => {
                let wrong = || ArrowError::SchemaError(format!("column {name} is not text"));
                array.as_string_opt::<i32>().cloned().map(Some).ok_or_else(wrong)
            }
        };
        let columns = table.fields.iter().map(|field| column(&field.name)).collect::<Result<Vec<_>, _>>()?;
        let lines = whole.column_by_name(LINE).and_then(|array| array.as_primitive_opt::<UInt64Type>()).cloned();
        Ok(Self { columns, lines, rows: whole.num_rows() })
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The value of a field, by its position in the dictionary; empty where the file lacks it.
    #[must_use]
    pub fn value(&self, row: usize, position: usize) -> &str {
        match self.columns.get(position) {
            Some(Some(column)) => column.value(row),
            _ => "",
        }
    }

    /// Whether the file has a field.
    #[must_use]
    pub fn has(&self, position: usize) -> bool {
        matches!(self.columns.get(position), Some(Some(_)))
    }

    /// The line of the loaded file that a row came from; 0 where that is not known.
    #[must_use]
    pub fn line(&self, row: usize) -> u64 {
        self.lines.as_ref().filter(|lines| row < lines.len()).map_or(0, |lines| lines.value(row))
    }
}

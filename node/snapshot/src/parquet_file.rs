//! Analysis tables in Parquet: codes as text, so that DuckDB or pandas read them without the dictionary.

use std::{collections::BTreeMap, fs::File, path::Path, sync::Arc};

use arrow::{
    array::{
        Array, ArrayRef, AsArray, DictionaryArray, RecordBatch, StringArray, UInt8Array, UInt16Array, UInt32Array,
    },
    datatypes::{DataType, Schema, UInt8Type, UInt16Type, UInt32Type},
    error::ArrowError,
};
use node_domain::dictionary::{CodeList, Kind, Table};
use parquet::{
    arrow::{ArrowWriter, arrow_reader::ParquetRecordBatchReaderBuilder},
    basic::Compression,
    errors::ParquetError,
    file::properties::WriterProperties,
};

use crate::columns::{Column, Columns, ColumnsError, MISSING_AMOUNT, MISSING_NUMBER};

/// Column of the person's number inside the snapshot.
const PERSON: &str = "person";
/// Column of the person's secret record key.
const RECORD_KEY: &str = "record_key";

/// A table that cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file system.
    #[error("the file cannot be read or written")]
    Io(#[from] std::io::Error),
    /// Parquet.
    #[error("the file is not valid Parquet")]
    Parquet(#[from] ParquetError),
    /// Arrow.
    #[error("the columns are not valid Arrow")]
    Arrow(#[from] ArrowError),
    /// The columns are not the table's.
    #[error(transparent)]
    Columns(#[from] ColumnsError),
}

/// The columns of a table before they are checked; persons ascending.
pub struct Draft {
    /// Columns by field.
    pub columns: BTreeMap<String, Column>,
    /// Person of each row.
    pub persons: Vec<u32>,
    /// Record key of each row's person.
    pub record_keys: Vec<u32>,
}

/// Writes `draft` and syncs the file.
///
/// # Errors
/// Those of the file system and of Parquet, and a column that is missing.
pub fn write(path: &Path, table: &Table, draft: &Draft) -> Result<(), FileError> {
    let mut arrays: Vec<(&str, ArrayRef, bool)> = vec![
        (PERSON, Arc::new(UInt32Array::from(draft.persons.clone())), false),
        (RECORD_KEY, Arc::new(UInt32Array::from(draft.record_keys.clone())), false),
    ];
    for field in &table.fields {
        let array: ArrayRef = match (draft.columns.get(&field.name), &field.kind) {
            (Some(Column::Codes(codes)), Kind::Code(list)) => Arc::new(code_array(codes, list)?),
            (Some(Column::Numbers(positions)), Kind::Code(list)) => Arc::new(long_code_array(positions, list)?),
            (Some(Column::Numbers(numbers)), Kind::Integer { .. }) => {
                Arc::new(numbers.iter().map(|n| (*n != MISSING_NUMBER).then_some(*n)).collect::<UInt16Array>())
            }
            (Some(Column::Amounts(amounts)), Kind::Amount { .. }) => {
                Arc::new(amounts.iter().map(|n| (*n != MISSING_AMOUNT).then_some(*n)).collect::<UInt32Array>())
            }
            _ => return Err(ColumnsError::Field(field.name.clone()).into()),
        };
        arrays.push((&field.name, array, true));
    }
    let batch = RecordBatch::try_from_iter_with_nullable(arrays)?;
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut writer = ArrowWriter::try_new(File::create(path)?, batch.schema(), Some(properties))?;
    writer.write(&batch)?;
    writer.into_inner()?.sync_all()?;
    Ok(())
}

fn code_array(codes: &[u8], list: &CodeList) -> Result<DictionaryArray<UInt8Type>, ArrowError> {
    let known = |code: &u8| (usize::from(*code) < list.codes.len()).then_some(*code);
    let keys = codes.iter().map(known).collect::<UInt8Array>();
    let values = list.codes.iter().map(|code| code.code.as_str()).collect::<Vec<_>>();
    DictionaryArray::try_new(keys, Arc::new(StringArray::from(values)))
}

fn long_code_array(positions: &[u16], list: &CodeList) -> Result<DictionaryArray<UInt16Type>, ArrowError> {
    let keys = positions.iter().map(|at| (*at != MISSING_NUMBER).then_some(*at)).collect::<UInt16Array>();
    let values = list.codes.iter().map(|code| code.code.as_str()).collect::<Vec<_>>();
    DictionaryArray::try_new(keys, Arc::new(StringArray::from(values)))
}

/// Reads a table into columns.
///
/// # Errors
/// Those of the file system and of Parquet, and columns that are not the dictionary's.
pub fn read(path: &Path, table: &Table) -> Result<Columns, FileError> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(path)?)?;
    let schema: Arc<Schema> = Arc::clone(builder.schema());
    let rows = usize::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0);
    let columns = table.fields.iter().filter_map(|f| Some((f.name.clone(), Column::for_kind(&f.kind, rows)?)));
    let mut draft =
        Draft { columns: columns.collect(), persons: Vec::with_capacity(rows), record_keys: Vec::with_capacity(rows) };
    for batch in builder.with_batch_size(64 * 1024).build()? {
        let batch = batch?;
        for (array, field) in batch.columns().iter().zip(schema.fields()) {
            let wrong = || ColumnsError::Field(field.name().clone());
            match field.name().as_str() {
                PERSON => draft.persons.extend(array.as_primitive_opt::<UInt32Type>().ok_or_else(wrong)?.values()),
                RECORD_KEY => {
                    draft.record_keys.extend(array.as_primitive_opt::<UInt32Type>().ok_or_else(wrong)?.values());
                }
                name => {
                    let Some(described) = table.field(name) else { continue };
                    let column = draft.columns.get_mut(name).ok_or_else(wrong)?;
                    append(column, array, &described.kind).ok_or_else(wrong)?;
                }
            }
        }
    }
    Ok(Columns::new(table, draft.columns, &draft.persons, draft.record_keys)?)
}

fn append(column: &mut Column, array: &ArrayRef, kind: &Kind) -> Option<()> {
    match (column, kind, array.data_type()) {
        (Column::Codes(codes), Kind::Code(list), DataType::Dictionary(..)) => {
            let array = array.as_dictionary_opt::<UInt8Type>()?;
            let positions = positions(list, array.values())?;
            let missing = u8::try_from(list.codes.len()).ok()?;
            for key in array.keys() {
                codes.push(match key {
                    Some(key) => u8::try_from(*positions.get(usize::from(key))?).ok()?,
                    None => missing,
                });
            }
        }
        (Column::Numbers(numbers), Kind::Code(list), DataType::Dictionary(..)) => {
            let array = array.as_dictionary_opt::<UInt16Type>()?;
            let positions = positions(list, array.values())?;
            for key in array.keys() {
                numbers.push(match key {
                    Some(key) => *positions.get(usize::from(key))?,
                    None => MISSING_NUMBER,
                });
            }
        }
        (Column::Numbers(numbers), Kind::Integer { .. }, DataType::UInt16) => {
            numbers.extend(array.as_primitive_opt::<UInt16Type>()?.iter().map(|n| n.unwrap_or(MISSING_NUMBER)));
        }
        (Column::Amounts(amounts), Kind::Amount { .. }, DataType::UInt32) => {
            amounts.extend(array.as_primitive_opt::<UInt32Type>()?.iter().map(|n| n.unwrap_or(MISSING_AMOUNT)));
        }
        _ => return None,
    }
    Some(())
}

/// The list's position of each value that the file's dictionary holds.
fn positions(list: &CodeList, values: &ArrayRef) -> Option<Vec<u16>> {
    let values = values.as_string_opt::<i32>()?;
    values.iter().map(|value| u16::try_from(list.position(value?)?).ok()).collect()
}

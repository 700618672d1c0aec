//! Analysis tables as immutable, hashed snapshots: Parquet files, a manifest, and typed columns in memory.
//!
//! Knows files and columns; never who asks for them or why.

pub mod columns;
pub mod durable;
pub mod keeping;
pub mod manifest;
pub mod parquet_file;
pub mod shelf;

//! What a node derives from the records it holds: every figure of the analysis tables that nobody types, one file each.
//!
//! Pure functions of plain values, each with its published source; nothing here knows of files, rows or tables of this project.

pub mod abandonment;
pub mod age;
pub mod cns_status;
pub mod early_death;
pub mod early_warning;
pub mod endpoint;
pub mod golden_hour;
pub mod iccc3;
pub mod index_cancer;
pub mod interval;
pub mod multiple_primary;
pub mod region;
pub mod stage;
pub mod stock_month;
pub mod table;
pub mod toronto;
pub mod treatment_death;

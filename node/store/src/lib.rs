//! What is remembered: the audit chain, used tokens, answers given, heads of peers, studies.
//!
//! The only crate that speaks SQL to the node's own database. It never sees rows of patients.

pub mod answers;
pub mod audit;
pub mod heads;
pub mod memberships;
pub mod studies;

use std::{borrow::Cow, path::Path, time::Duration};

use sqlx::{
    SqlSafeStr, SqlitePool,
    migrate::{MigrateError, Migration, MigrationType, Migrator},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

/// The node's database: SQLite in write-ahead mode, synced at every commit, since peers hold heads of what was committed.
#[derive(Debug, Clone)]
pub struct Store {
    pool: SqlitePool,
}

/// What the database could not do.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database.
    #[error("the database could not complete the operation")]
    Database(#[from] sqlx::Error),
    /// A migration.
    #[error("the database is of another version of this software")]
    Migration(#[from] MigrateError),
    /// A stored value that is not what this version writes.
    #[error("the database holds a damaged value in {0}")]
    Damaged(&'static str),
    /// A number that does not fit.
    #[error("a number does not fit the database")]
    Number(#[from] std::num::TryFromIntError),
    /// A value that has no canonical form.
    #[error(transparent)]
    Canonical(#[from] node_protocol::canonical::CanonicalError),
    /// A value that cannot be written as JSON.
    #[error("a value cannot be written as JSON")]
    Json(#[from] serde_json::Error),
}

impl Store {
    /// Opens the database at `path`, makes it if it is not there, and brings it to this version.
    ///
    /// # Errors
    /// Those of the file system and of SQLite.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(10));
        let pool = SqlitePoolOptions::new().max_connections(4).connect_with(options).await?;
        let first = Migration::new(
            1,
            Cow::Borrowed("first"),
            MigrationType::Simple,
            include_str!("../migrations/0001_first.sql").into_sql_str(),
            false,
        );
        Migrator::with_migrations(vec![first]).run(&pool).await?;
        Ok(Self { pool })
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// Where it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").execute(&self.pool).await?;
        Ok(())
    }

    /// Writes what is pending and closes the files.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

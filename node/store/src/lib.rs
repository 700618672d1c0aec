//! What is remembered: the audit chain, used tokens, answers given and held, the ledger of what was released, projects, quotas,
//! privacy budgets, heads of peers, studies.
//!
//! The only crate that speaks SQL to the node's own database. It never sees rows of patients.

pub mod answers;
pub mod audit;
pub mod budgets;
mod columns;
pub mod heads;
pub mod ledger;
pub mod matching;
pub mod memberships;
pub mod projects;
pub mod quotas;
pub mod reviews;
pub mod studies;
#[cfg(test)]
mod support;

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
    /// The price of an answer that is not a number above 0.
    #[error("the price of an answer is not a finite number above 0")]
    Price,
    /// The operating system gave no random bits.
    #[error("the operating system gave no random bits")]
    Randomness,
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
        let migrations = vec![
            migration(1, "first", include_str!("../migrations/0001_first.sql")),
            migration(2, "governance", include_str!("../migrations/0002_governance.sql")),
        ];
        Migrator::with_migrations(migrations).run(&pool).await?;
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

fn migration(version: i64, name: &'static str, sql: &'static str) -> Migration {
    Migration::new(version, Cow::Borrowed(name), MigrationType::Simple, sql.into_sql_str(), false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{answers::Precedent, support::handover};

    #[tokio::test]
    async fn a_database_of_the_first_version_is_brought_to_this_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node.db");
        let pool = SqlitePool::connect(&format!("sqlite://{}?mode=rwc", path.display())).await.unwrap();
        let first = migration(1, "first", include_str!("../migrations/0001_first.sql"));
        Migrator::with_migrations(vec![first]).run(&pool).await.unwrap();
        let old = handover(1);
        sqlx::query(
            "INSERT INTO given_answer (peer, study, query_hash, signed, given) VALUES ('ar', $1, $2, 'old', 5)",
        )
        .bind(old.study.as_str())
        .bind(old.query_hash.to_string())
        .execute(&pool)
        .await
        .unwrap();
        pool.close().await;

        for _ in 0..2 {
            let store = Store::open(&path).await.unwrap();
            let precedent = store.precedent(&old.token, &old.study, &old.query_hash).await.unwrap();
            assert_eq!(precedent, Precedent::Answered("old".to_owned()));
            assert!(store.exact_released().await.unwrap().is_empty());
            store.close().await;
        }
    }
}

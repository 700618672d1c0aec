//! Membership files that were in force, so that old answers verify after keys have changed.

use chrono::{DateTime, Utc};
use sqlx::Row;

use crate::{
    Store, StoreError,
    audit::{self, Event},
};

impl Store {
    /// Keeps a membership file that was verified, and audits it. Only a higher epoch than all before is: `false` says that
    /// this one is not.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn adopt_membership(&self, epoch: u64, file: &str, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let new = sqlx::query(
            "INSERT INTO membership (epoch, file, adopted)
             SELECT $1, $2, $3 WHERE NOT EXISTS (SELECT 1 FROM membership WHERE epoch >= $1)",
        )
        .bind(i64::try_from(epoch)?)
        .bind(file)
        .bind(now.timestamp_millis())
        .execute(&mut *transaction)
        .await?;
        if new.rows_affected() == 1 {
            audit::append_in(&mut transaction, now, Event::MembershipAdopted { epoch }).await?;
        }
        transaction.commit().await?;
        Ok(new.rows_affected() == 1)
    }

    /// The highest epoch, if any.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn newest_epoch(&self) -> Result<Option<u64>, StoreError> {
        let row = sqlx::query("SELECT MAX(epoch) AS epoch FROM membership").fetch_one(&self.pool).await?;
        row.try_get::<Option<i64>, _>("epoch")?.map(u64::try_from).transpose().map_err(Into::into)
    }

    /// The files after an epoch, oldest first.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn memberships_after(&self, epoch: u64) -> Result<Vec<String>, StoreError> {
        let rows = sqlx::query("SELECT file FROM membership WHERE epoch > $1 ORDER BY epoch")
            .bind(i64::try_from(epoch)?)
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(|row| row.try_get("file").map_err(Into::into)).collect()
    }

    /// All files, oldest epoch first.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn memberships(&self) -> Result<Vec<String>, StoreError> {
        self.memberships_after(0).await
    }
}

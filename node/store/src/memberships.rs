//! Membership files that were in force, so that old answers verify after keys have changed.

use chrono::{DateTime, Utc};
use sqlx::Row;

use crate::{
    Store, StoreError,
    audit::{self, Event},
};

impl Store {
    /// Keeps a membership file that was verified, and audits it. An epoch is kept once: `false` says that it was there.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn adopt_membership(&self, epoch: u64, file: &str, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let new =
            sqlx::query("INSERT INTO membership (epoch, file, adopted) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING")
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

    /// All files, oldest epoch first.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn memberships(&self) -> Result<Vec<String>, StoreError> {
        let rows = sqlx::query("SELECT file FROM membership ORDER BY epoch").fetch_all(&self.pool).await?;
        rows.iter().map(|row| row.try_get("file").map_err(Into::into)).collect()
    }
}

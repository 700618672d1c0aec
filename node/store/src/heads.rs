//! Heads of peers' audit chains, kept so that no peer can rewrite its history alone.

use chrono::{DateTime, Utc};
use node_domain::node_id::NodeId;
use node_protocol::envelope::AuditHead;
use sqlx::{Row, Sqlite, Transaction};

use crate::{Store, StoreError};

impl Store {
    /// Keeps a head that a peer has shown.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn hold_head(&self, peer: &NodeId, head: AuditHead, now: DateTime<Utc>) -> Result<(), StoreError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        hold_in(&mut transaction, peer, head, now).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// The heads of `peer` that are held here after entry `after`, oldest first.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn held_heads(&self, peer: &NodeId, after: u64, most: u32) -> Result<Vec<AuditHead>, StoreError> {
        let rows = sqlx::query(
            "SELECT sequence, hash FROM held_head WHERE peer = $1 AND sequence > $2 ORDER BY sequence, hash LIMIT $3",
        )
        .bind(peer.as_str())
        .bind(i64::try_from(after)?)
        .bind(most)
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                let hash = row.try_get::<&str, _>("hash")?.parse().map_err(|_| StoreError::Damaged("held_head"))?;
                Ok(AuditHead { sequence: u64::try_from(row.try_get::<i64, _>("sequence")?)?, hash })
            })
            .collect()
    }
}

pub(crate) async fn hold_in(
    transaction: &mut Transaction<'_, Sqlite>,
    peer: &NodeId,
    head: AuditHead,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO held_head (peer, sequence, hash, seen) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING")
        .bind(peer.as_str())
        .bind(i64::try_from(head.sequence)?)
        .bind(head.hash.to_string())
        .bind(now.timestamp_millis())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

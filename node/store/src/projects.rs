//! Projects that were proposed here or to this node, what its steward decided, and what the nodes asked say.

use chrono::{DateTime, Utc};
use node_domain::node_id::NodeId;
use node_protocol::{
    canonical,
    project::{Project, ProjectId, ProjectState, Terms},
};
use sqlx::{Row, Sqlite, Transaction, sqlite::SqliteRow};

use crate::{
    Store, StoreError,
    audit::{self, Event},
    columns::{document, document_or_none, parsed, time, time_or_none},
};

/// What became of a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// It is new and was kept.
    New,
    /// The same proposal is here already.
    Known,
    /// Another proposal has this name; nothing changed.
    Conflict,
}

/// What a steward decides.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// Approved, narrowed or declined.
    pub state: ProjectState,
    /// What is granted: needed where it is narrowed, and less than what was proposed; otherwise what was proposed, or nothing.
    pub terms: Option<Terms>,
    /// Why.
    pub reason: Option<String>,
}

/// What became of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decided {
    /// Decided.
    Done,
    /// There is no such project.
    Unknown,
    /// The project asks only other nodes.
    NotAsked,
    /// It was decided or withdrawn before.
    AlreadyDecided(ProjectState),
    /// The decision is none: another state, or terms that do not go with it. Nothing changed.
    Unfit,
}

/// What became of taking a decision or a project back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TakenBack {
    /// Done.
    Done,
    /// There is no such project.
    Unknown,
    /// It cannot be from this state.
    Impossible(ProjectState),
}

/// A project as it is remembered.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredProject {
    /// The proposal.
    pub project: Project,
    /// The proposal as its node signed it.
    pub signed: String,
    /// Whether this node is among those that it asks.
    pub asked_here: bool,
    /// Where it stands here; whether it has expired is for the caller to tell from the terms and the day.
    pub state: ProjectState,
    /// What is granted, where anything is.
    pub terms: Option<Terms>,
    /// The reason of the last decision; of a project that waits again, why its steward took one back.
    pub reason: Option<String>,
    /// Who decided.
    pub decided_by: Option<String>,
    /// When it was decided.
    pub decided: Option<DateTime<Utc>>,
    /// When it came here.
    pub received: DateTime<Utc>,
}

/// What a node that was asked says about a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenStatus {
    /// The node.
    pub node: NodeId,
    /// Where the project stands there.
    pub state: ProjectState,
    /// The signed statement.
    pub signed: String,
    /// When it came.
    pub seen: DateTime<Utc>,
}

impl Store {
    /// Keeps a project that a peer proposed to this node and whose signature was verified; it waits for the steward.
    ///
    /// # Errors
    /// Those of the database; then nothing was kept.
    pub async fn receive_project(
        &self,
        project: &Project,
        signed: &str,
        now: DateTime<Utc>,
    ) -> Result<Received, StoreError> {
        let event = Event::ProjectReceived {
            project: project.project.clone(),
            proposer: project.proposer.clone(),
            document_hash: canonical::digest(project)?,
        };
        self.keep_project(project, signed, true, event, now).await
    }

    /// Keeps a project that this node proposes. It waits for the own steward as well, if it asks this node.
    ///
    /// # Errors
    /// Those of the database; then nothing was kept.
    pub async fn propose_project(
        &self,
        project: &Project,
        signed: &str,
        by: &str,
        now: DateTime<Utc>,
    ) -> Result<Received, StoreError> {
        let event = Event::ProjectProposed {
            project: project.project.clone(),
            by: by.to_owned(),
            countries: project.countries.iter().cloned().collect(),
            document_hash: canonical::digest(project)?,
        };
        let asked_here = project.countries.contains(&project.proposer);
        self.keep_project(project, signed, asked_here, event, now).await
    }

    async fn keep_project(
        &self,
        project: &Project,
        signed: &str,
        asked_here: bool,
        event: Event,
        now: DateTime<Utc>,
    ) -> Result<Received, StoreError> {
        let document = String::from_utf8(canonical::bytes(project)?).map_err(|_| StoreError::Damaged("project"))?;
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let known = sqlx::query("SELECT document FROM project WHERE project = $1")
            .bind(project.project.as_str())
            .fetch_optional(&mut *transaction)
            .await?;
        if let Some(known) = known {
            let same = known.try_get::<&str, _>("document")? == document;
            return Ok(if same { Received::Known } else { Received::Conflict });
        }
        sqlx::query(
            "INSERT INTO project (project, proposer, signed, document, asked_here, state, received)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(project.project.as_str())
        .bind(project.proposer.as_str())
        .bind(signed)
        .bind(document)
        .bind(i64::from(asked_here))
        .bind(ProjectState::Pending.name())
        .bind(now.timestamp_millis())
        .execute(&mut *transaction)
        .await?;
        audit::append_in(&mut transaction, now, event).await?;
        transaction.commit().await?;
        Ok(Received::New)
    }

    /// One project.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn stored_project(&self, project: &ProjectId) -> Result<Option<StoredProject>, StoreError> {
        stored_in(&mut self.pool.begin().await?, project).await
    }

    /// The projects, of one state or all, newest first. Those of this node's own that ask only others are among them.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn projects(&self, state: Option<ProjectState>) -> Result<Vec<StoredProject>, StoreError> {
        let rows = rows_in(&mut self.pool.begin().await?, None, state).await?;
        rows.iter().map(project_of).collect()
    }

    /// Decides about a pending project. What is approved is granted as it was proposed.
    ///
    /// # Errors
    /// Those of the database; then nothing was decided.
    pub async fn decide_project(
        &self,
        project: &ProjectId,
        decision: Decision,
        by: &str,
        now: DateTime<Utc>,
    ) -> Result<Decided, StoreError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let Some(stored) = stored_in(&mut transaction, project).await? else { return Ok(Decided::Unknown) };
        if !stored.asked_here {
            return Ok(Decided::NotAsked);
        }
        if stored.state != ProjectState::Pending {
            return Ok(Decided::AlreadyDecided(stored.state));
        }
        let Decision { state, terms, reason } = decision;
        let proposed = stored.project.terms;
        let terms = match (state, terms) {
            (ProjectState::Approved, None) => Some(proposed),
            (ProjectState::Approved, Some(terms)) if terms == proposed => Some(terms),
            (ProjectState::Narrowed, Some(terms)) if terms.within(&proposed) => Some(terms),
            (ProjectState::Declined, None) => None,
            _ => return Ok(Decided::Unfit),
        };
        let change = Change { state, terms: terms.as_ref(), reason: reason.as_deref(), by: Some((by, now)) };
        change_in(&mut transaction, project, change).await?;
        let terms = terms.map(Box::new);
        let event = Event::ProjectDecided { project: project.clone(), state, by: by.to_owned(), reason, terms };
        audit::append_in(&mut transaction, now, event).await?;
        transaction.commit().await?;
        Ok(Decided::Done)
    }

    /// Takes a decision back: the project is pending again, and nothing is granted from now on.
    ///
    /// # Errors
    /// Those of the database; then nothing changed.
    pub async fn reopen_project(
        &self,
        project: &ProjectId,
        by: &str,
        reason: &str,
        now: DateTime<Utc>,
    ) -> Result<TakenBack, StoreError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let Some(stored) = stored_in(&mut transaction, project).await? else { return Ok(TakenBack::Unknown) };
        if !matches!(stored.state, ProjectState::Approved | ProjectState::Narrowed | ProjectState::Declined) {
            return Ok(TakenBack::Impossible(stored.state));
        }
        // why it waits again is for the proposer to read; nobody has decided
        let change = Change { state: ProjectState::Pending, terms: None, reason: Some(reason), by: None };
        change_in(&mut transaction, project, change).await?;
        let event = Event::ProjectReopened { project: project.clone(), by: by.to_owned(), reason: reason.to_owned() };
        audit::append_in(&mut transaction, now, event).await?;
        transaction.commit().await?;
        Ok(TakenBack::Done)
    }

    /// Ends a project for good, from whatever state: nothing is granted from now on.
    ///
    /// # Errors
    /// Those of the database; then nothing changed.
    pub async fn withdraw_project(
        &self,
        project: &ProjectId,
        by: &str,
        reason: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<TakenBack, StoreError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let Some(stored) = stored_in(&mut transaction, project).await? else { return Ok(TakenBack::Unknown) };
        if stored.state == ProjectState::Withdrawn {
            return Ok(TakenBack::Impossible(stored.state));
        }
        let change = Change { state: ProjectState::Withdrawn, terms: None, reason, by: Some((by, now)) };
        change_in(&mut transaction, project, change).await?;
        let event =
            Event::ProjectWithdrawn { project: project.clone(), by: by.to_owned(), reason: reason.map(str::to_owned) };
        audit::append_in(&mut transaction, now, event).await?;
        transaction.commit().await?;
        Ok(TakenBack::Done)
    }

    /// Notes what a node says about a project that was proposed here; its signature was verified. What came later stays.
    ///
    /// # Errors
    /// Those of the database, also where there is no such project.
    pub async fn note_project_status(
        &self,
        project: &ProjectId,
        node: &NodeId,
        signed: &str,
        state: ProjectState,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO project_status (project, node, signed, state, seen) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (project, node) DO UPDATE SET signed = excluded.signed, state = excluded.state,
                 seen = excluded.seen
             WHERE project_status.seen <= excluded.seen",
        )
        .bind(project.as_str())
        .bind(node.as_str())
        .bind(signed)
        .bind(state.name())
        .bind(now.timestamp_millis())
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// What the nodes that were asked say about a project, in the order of their names.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn project_statuses(&self, project: &ProjectId) -> Result<Vec<SeenStatus>, StoreError> {
        let rows = sqlx::query("SELECT node, signed, state, seen FROM project_status WHERE project = $1 ORDER BY node")
            .bind(project.as_str())
            .fetch_all(&self.pool)
            .await?;
        rows.iter()
            .map(|row| {
                Ok(SeenStatus {
                    node: parsed(row, "node", "project_status")?,
                    state: state_of(row.try_get("state")?, "project_status")?,
                    signed: row.try_get("signed")?,
                    seen: time(row, "seen")?,
                })
            })
            .collect()
    }
}

/// How a project stands from now on.
struct Change<'c> {
    state: ProjectState,
    terms: Option<&'c Terms>,
    reason: Option<&'c str>,
    by: Option<(&'c str, DateTime<Utc>)>,
}

async fn change_in(
    transaction: &mut Transaction<'_, Sqlite>,
    project: &ProjectId,
    change: Change<'_>,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE project SET state = $2, terms = $3, reason = $4, decided_by = $5, decided = $6 WHERE project = $1",
    )
    .bind(project.as_str())
    .bind(change.state.name())
    .bind(change.terms.map(serde_json::to_string).transpose()?)
    .bind(change.reason)
    .bind(change.by.map(|(by, _)| by))
    .bind(change.by.map(|(_, at)| at.timestamp_millis()))
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

async fn stored_in(
    transaction: &mut Transaction<'_, Sqlite>,
    project: &ProjectId,
) -> Result<Option<StoredProject>, StoreError> {
    rows_in(transaction, Some(project), None).await?.first().map(project_of).transpose()
}

async fn rows_in(
    transaction: &mut Transaction<'_, Sqlite>,
    project: Option<&ProjectId>,
    state: Option<ProjectState>,
) -> Result<Vec<SqliteRow>, StoreError> {
    let rows = sqlx::query(
        "SELECT project, signed, document, asked_here, state, terms, reason, decided_by, decided, received FROM project
         WHERE (CAST($1 AS TEXT) IS NULL OR project = $1) AND (CAST($2 AS TEXT) IS NULL OR state = $2)
         ORDER BY received DESC, project",
    )
    .bind(project.map(ProjectId::as_str))
    .bind(state.map(ProjectState::name))
    .fetch_all(&mut **transaction)
    .await?;
    Ok(rows)
}

fn project_of(row: &SqliteRow) -> Result<StoredProject, StoreError> {
    Ok(StoredProject {
        project: document(row, "document")?,
        signed: row.try_get("signed")?,
        asked_here: row.try_get::<i64, _>("asked_here")? != 0,
        state: state_of(row.try_get("state")?, "project")?,
        terms: document_or_none(row, "terms")?,
        reason: row.try_get("reason")?,
        decided_by: row.try_get("decided_by")?,
        decided: time_or_none(row, "decided")?,
        received: time(row, "received")?,
    })
}

fn state_of(text: &str, table: &'static str) -> Result<ProjectState, StoreError> {
    use ProjectState::{Approved, Declined, Expired, Narrowed, Pending, Withdrawn};
    [Pending, Approved, Narrowed, Declined, Withdrawn, Expired]
        .into_iter()
        .find(|state| state.name() == text)
        .ok_or(StoreError::Damaged(table))
}

#[cfg(test)]
mod tests;

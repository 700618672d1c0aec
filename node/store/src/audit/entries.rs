//! Reading the chain: the newest entries, and those that a filter lets through.

use chrono::{DateTime, Utc};
use node_domain::{digest::Digest, node_id::NodeId};
use node_protocol::query::Query;
use sqlx::Row;

use super::{Entry, Event};
use crate::{Store, StoreError, matching::Matter};

/// How many entries are read at once.
const PAGE: u32 = 1_000;

/// Which entries are wanted: all that is given must hold.
#[derive(Debug, Clone, Default)]
pub struct EntryFilter {
    /// From this moment on.
    pub since: Option<DateTime<Utc>>,
    /// Until this moment, which is included.
    pub until: Option<DateTime<Utc>>,
    /// What happened, such as `answer_given`.
    pub what: Option<String>,
    /// The peer that asked or proposed.
    pub peer: Option<NodeId>,
    /// The project.
    pub project: Option<String>,
    /// Pseudonym of the researcher.
    pub subject: Option<String>,
    /// The query's table. This and the two below let through only answers given or held and queries refused.
    pub table: Option<String>,
    /// A field that the query uses.
    pub field: Option<String>,
    /// A value of that field that the answer can tell about: the query is grouped by the field, or has a condition on it that
    /// names or admits the value. Without a field it lets nothing through.
    pub value: Option<String>,
    /// At most so many, the newest.
    pub most: Option<u32>,
}

impl EntryFilter {
    fn lets_through(&self, entry: &Entry) -> Result<bool, StoreError> {
        let event = &entry.event;
        let plain = self.since.is_none_or(|since| entry.time >= since)
            && self.until.is_none_or(|until| entry.time <= until)
            && self.what.as_ref().is_none_or(|what| event.what() == what)
            && self.peer.as_ref().is_none_or(|peer| event.peer() == Some(peer))
            && self.subject.as_ref().is_none_or(|subject| event.subject() == Some(subject));
        let (table, field, value) = (self.table.as_deref(), self.field.as_deref(), self.value.as_deref());
        let matter = Matter { table, field, value, kin: None };
        if !plain || (matter.is_any() && self.project.is_none()) {
            return Ok(plain);
        }
        let query = event.query().map(serde_json::from_str::<Query>).transpose();
        let query = query.map_err(|_| StoreError::Damaged("audit"))?;
        // old entries name the project in their query alone
        let project = event.project().or_else(|| query.as_ref()?.project.as_deref());
        let of_project = self.project.as_ref().is_none_or(|wanted| project == Some(wanted));
        Ok(of_project && (matter.is_any() || query.as_ref().is_some_and(|query| matter.matches(query))))
    }
}

impl Event {
    /// What happened, as it is written.
    #[must_use]
    pub fn what(&self) -> &'static str {
        match self {
            Self::Started { .. } => "started",
            Self::AnswerGiven { .. } => "answer_given",
            Self::AnswerHeld { .. } => "answer_held",
            Self::AnswerReviewed { .. } => "answer_reviewed",
            Self::ReviewUndone { .. } => "review_undone",
            Self::AnswerRepeated { .. } => "answer_repeated",
            Self::QueryRefused { .. } => "query_refused",
            Self::StudyAsked { .. } => "study_asked",
            Self::MembershipAdopted { .. } => "membership_adopted",
            Self::SnapshotAdopted { .. } => "snapshot_adopted",
            Self::PolicyAdopted { .. } => "policy_adopted",
            Self::ProjectProposed { .. } => "project_proposed",
            Self::ProjectReceived { .. } => "project_received",
            Self::ProjectDecided { .. } => "project_decided",
            Self::ProjectWithdrawn { .. } => "project_withdrawn",
            Self::ProjectReopened { .. } => "project_reopened",
            Self::BudgetCharged { .. } => "budget_charged",
        }
    }

    /// The peer that asked or proposed.
    #[must_use]
    pub fn peer(&self) -> Option<&NodeId> {
        match self {
            Self::AnswerGiven { peer, .. }
            | Self::AnswerHeld { peer, .. }
            | Self::AnswerReviewed { peer, .. }
            | Self::ReviewUndone { peer, .. }
            | Self::AnswerRepeated { peer, .. }
            | Self::QueryRefused { peer, .. }
            | Self::ProjectReceived { proposer: peer, .. } => Some(peer),
            _ => None,
        }
    }

    /// The project that it is about.
    #[must_use]
    pub fn project(&self) -> Option<&str> {
        match self {
            Self::AnswerGiven { project, .. }
            | Self::AnswerHeld { project, .. }
            | Self::QueryRefused { project, .. } => project.as_deref(),
            Self::ProjectProposed { project, .. }
            | Self::ProjectReceived { project, .. }
            | Self::ProjectDecided { project, .. }
            | Self::ProjectWithdrawn { project, .. }
            | Self::ProjectReopened { project, .. }
            | Self::BudgetCharged { project, .. } => Some(project.as_str()),
            _ => None,
        }
    }

    /// Pseudonym of the researcher who asked.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        match self {
            Self::AnswerGiven { subject, .. }
            | Self::AnswerHeld { subject, .. }
            | Self::QueryRefused { subject, .. }
            | Self::StudyAsked { subject, .. } => Some(subject),
            _ => None,
        }
    }

    /// The canonical JSON of a peer's query.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        match self {
            Self::AnswerGiven { query, .. } | Self::AnswerHeld { query, .. } => Some(query),
            Self::QueryRefused { query, .. } => query.as_deref(),
            _ => None,
        }
    }
}

impl Store {
    /// The policy that was last adopted, and when; none before the first start.
    ///
    /// # Errors
    /// Those of the database, and an entry that cannot be read.
    pub async fn adopted_policy(&self) -> Result<Option<(Digest, DateTime<Utc>)>, StoreError> {
        let filter = EntryFilter { what: Some("policy_adopted".to_owned()), most: Some(1), ..EntryFilter::default() };
        let newest = self.entries(&filter).await?.pop();
        Ok(newest.and_then(|entry| match entry.event {
            Event::PolicyAdopted { policy_hash } => Some((policy_hash, entry.time)),
            _ => None,
        }))
    }

    /// Notes that a policy is in force, where another one was before. Returns whether it is noted now.
    ///
    /// # Errors
    /// Those of the database; then nothing may be answered under it.
    pub async fn adopt_policy(&self, policy_hash: Digest, now: DateTime<Utc>) -> Result<bool, StoreError> {
        if self.adopted_policy().await?.is_some_and(|(adopted, _)| adopted == policy_hash) {
            return Ok(false);
        }
        self.append(now, Event::PolicyAdopted { policy_hash }).await?;
        Ok(true)
    }

    /// The newest entries, newest first.
    ///
    /// # Errors
    /// Those of the database, and an entry that cannot be read.
    pub async fn recent_entries(&self, most: u32) -> Result<Vec<Entry>, StoreError> {
        self.entries(&EntryFilter { most: Some(most), ..EntryFilter::default() }).await
    }

    /// The entries that `filter` lets through, newest first. The chain is read in portions: no more is in memory than one of
    /// them and what is returned.
    ///
    /// # Errors
    /// Those of the database, and an entry or its query that cannot be read: none is passed over unseen.
    pub async fn entries(&self, filter: &EntryFilter) -> Result<Vec<Entry>, StoreError> {
        let most = usize::try_from(filter.most.unwrap_or(u32::MAX))?;
        let (mut found, mut before) = (Vec::new(), i64::MAX);
        while found.len() < most {
            let rows =
                sqlx::query("SELECT sequence, entry FROM audit WHERE sequence < $1 ORDER BY sequence DESC LIMIT $2")
                    .bind(before)
                    .bind(filter.most.map_or(PAGE, |most| most.clamp(100, PAGE)))
                    .fetch_all(&self.pool)
                    .await?;
            let Some(last) = rows.last() else { break };
            before = last.try_get("sequence")?;
            for row in &rows {
                let entry: Entry =
                    serde_json::from_str(row.try_get("entry")?).map_err(|_| StoreError::Damaged("audit"))?;
                if found.len() < most && filter.lets_through(&entry)? {
                    found.push(entry);
                }
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use chrono::Duration;

    use super::*;
    use crate::support::{handover, now, peer, signed, store};

    const ROUTES: &str = r#"{"dictionary":"1.0","project":"ar-9","statistic":{"kind":"count"},"table":"doses","where":[{"field":"route","in":["IT"]}]}"#;

    /// One entry a second: an answer, a held one, a refusal, a refusal of the first form, and two of other kinds.
    async fn filled() -> (tempfile::TempDir, Store) {
        let (folder, store) = store().await;
        let at = |seconds| now() + Duration::seconds(seconds);
        store.give(&handover(1), at(1), signed).await.unwrap();
        let mut held = handover(2);
        held.entry.subject = "r-2".to_owned();
        held.entry.project = Some("ar-1".to_owned());
        store.hold(&held, "class", at(2), signed).await.unwrap();
        let refused = |query: Option<&str>, project: Option<&str>| Event::QueryRefused {
            peer: "cl".parse().unwrap(),
            subject: "r-1".to_owned(),
            study: handover(3).study,
            query_hash: Digest::of(b"query"),
            problem: "urn:alianza:problem:query-invalid".to_owned(),
            query: query.map(str::to_owned),
            project: project.map(str::to_owned),
            detail: Some("no".to_owned()),
        };
        store.append(at(3), refused(Some(ROUTES), None)).await.unwrap();
        store.append(at(4), refused(None, None)).await.unwrap();
        store.append(at(5), Event::PolicyAdopted { policy_hash: Digest::of(b"policy") }).await.unwrap();
        let document_hash = Digest::of(b"document");
        let received = Event::ProjectReceived { project: "ar-1".parse().unwrap(), proposer: peer(), document_hash };
        store.append(at(6), received).await.unwrap();
        (folder, store)
    }

    #[tokio::test]
    async fn entries_are_found_by_what_was_asked_by_whom_and_when() {
        let (_folder, store) = filled().await;
        let found = async |filter: EntryFilter| {
            let entries = store.entries(&filter).await.unwrap();
            entries.iter().map(|entry| entry.sequence).collect::<Vec<_>>()
        };
        let any = EntryFilter::default;
        let text = |text: &str| Some(text.to_owned());
        let at = |seconds| Some(now() + Duration::seconds(seconds));
        assert_eq!(found(any()).await, [6, 5, 4, 3, 2, 1]);
        assert_eq!(found(EntryFilter { most: Some(2), ..any() }).await, [6, 5]);
        assert_eq!(found(EntryFilter { most: Some(0), ..any() }).await, [0; 0]);
        assert_eq!(found(EntryFilter { since: at(3), until: at(5), ..any() }).await, [5, 4, 3]);
        assert_eq!(found(EntryFilter { what: text("answer_held"), ..any() }).await, [2]);
        assert_eq!(found(EntryFilter { peer: Some(peer()), ..any() }).await, [6, 2, 1]);
        assert_eq!(found(EntryFilter { subject: text("r-1"), ..any() }).await, [4, 3, 1]);
        assert_eq!(found(EntryFilter { project: text("ar-1"), ..any() }).await, [6, 2]);
        assert_eq!(found(EntryFilter { project: text("ar-9"), ..any() }).await, [3], "told by the query");
        assert_eq!(found(EntryFilter { table: text("doses"), ..any() }).await, [3]);
        assert_eq!(found(EntryFilter { field: text("sex"), ..any() }).await, [2, 1]);
        let of =
            |field: Option<&str>, value| EntryFilter { field: field.map(str::to_owned), value: text(value), ..any() };
        assert_eq!(found(of(Some("route"), "IT")).await, [3]);
        assert_eq!(found(of(Some("route"), "IV")).await, [0; 0]);
        assert_eq!(found(of(Some("sex"), "1")).await, [2, 1]);
        assert_eq!(found(of(None, "1")).await, [0; 0]);
        let combined = EntryFilter { peer: Some("cl".parse().unwrap()), ..of(Some("route"), "IT") };
        assert_eq!(found(combined).await, [3]);
    }

    #[tokio::test]
    async fn a_policy_is_noted_when_it_is_another_than_before() {
        let (_folder, store) = store().await;
        assert_eq!(store.adopted_policy().await.unwrap(), None);
        let [first, second] = [Digest::of(b"first"), Digest::of(b"second")];
        let at = |seconds| now() + Duration::seconds(seconds);
        for (seconds, policy, noted) in [(0, first, true), (1, first, false), (2, second, true), (3, first, true)] {
            assert_eq!(store.adopt_policy(policy, at(seconds)).await.unwrap(), noted, "{seconds}");
        }
        assert_eq!(store.adopted_policy().await.unwrap(), Some((first, at(3))));
        assert_eq!(store.head().await.unwrap().sequence, 3);
    }

    #[tokio::test]
    async fn a_chain_longer_than_a_portion_is_read_to_its_end() {
        let (_folder, store) = filled().await;
        let filler = r#"{"epoch":1,"previous":"sha256:","sequence":1,"time":"2026-11-21T12:00:00Z","what":"membership_adopted"}"#
            .replace("sha256:", &Digest::of(b"").to_string());
        sqlx::query(
            "WITH RECURSIVE more (n) AS (SELECT 7 UNION ALL SELECT n + 1 FROM more WHERE n < 2500)
             INSERT INTO audit (sequence, entry, hash) SELECT n, $1, '' FROM more",
        )
        .bind(filler)
        .execute(&store.pool)
        .await
        .unwrap();
        let routes = EntryFilter { table: Some("doses".to_owned()), ..EntryFilter::default() };
        assert_eq!(store.entries(&routes).await.unwrap().len(), 1);
        assert_eq!(store.entries(&EntryFilter::default()).await.unwrap().len(), 2_500);
        assert_eq!(store.recent_entries(1_500).await.unwrap().len(), 1_500);
    }

    #[tokio::test]
    async fn an_entry_that_cannot_be_read_is_not_passed_over() {
        let (_folder, store) = filled().await;
        sqlx::query("UPDATE audit SET entry = '{}' WHERE sequence = 2").execute(&store.pool).await.unwrap();
        assert!(matches!(store.entries(&EntryFilter::default()).await, Err(StoreError::Damaged("audit"))));
    }

    #[tokio::test]
    async fn every_entry_is_named_as_it_is_written() {
        let (_folder, store) = filled().await;
        for entry in store.entries(&EntryFilter::default()).await.unwrap() {
            let written = serde_json::to_value(&entry).unwrap();
            assert_eq!(written["what"], entry.event.what());
            assert_eq!(serde_json::from_value::<Entry>(written).unwrap(), entry);
        }
    }
}

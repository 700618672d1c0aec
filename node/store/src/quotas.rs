//! Quotas: how many questions a researcher, a project or a peer may ask within a time.

use chrono::{DateTime, Utc};
use node_domain::node_id::NodeId;
use sqlx::{Row, Sqlite, Transaction};

use crate::{Store, StoreError};

/// What is remembered at least so long, seconds: for limits that a single call may not name.
const KEPT_S: u64 = 92 * 24 * 60 * 60;

/// A question that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The peer that asks.
    pub peer: NodeId,
    /// Pseudonym of its researcher.
    pub subject: String,
    /// Project under which it is asked.
    pub project: Option<String>,
}

/// Whose questions a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Those of one researcher of a peer.
    Researcher,
    /// Those of one project; of none where the question has no project.
    Project,
    /// All of a peer.
    Peer,
}

impl Scope {
    /// Its name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Researcher => "researcher",
            Self::Project => "project",
            Self::Peer => "peer",
        }
    }
}

/// A limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Whose questions it counts.
    pub scope: Scope,
    /// At most so many.
    pub most: u32,
    /// Within so many seconds.
    pub window_s: u64,
}

/// Whether a question may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It may, and was counted.
    Admitted,
    /// It may not; it was not counted.
    Refused {
        /// Seconds until it would be admitted, if nothing else is asked; at least 1.
        retry_after_s: u32,
        /// The limit that takes longest to give way: whose questions it counts.
        scope: Scope,
        /// Its window, seconds.
        window_s: u64,
    },
}

impl Store {
    /// Counts a question against `limits`, if none of them is reached. Windows of more than three months must be named in every
    /// call, since what is older than the longest of them is forgotten.
    ///
    /// # Errors
    /// Those of the database; then nothing was counted and nothing may be answered.
    pub async fn admit(&self, asked: &Asked, limits: &[Limit], now: DateTime<Utc>) -> Result<Admission, StoreError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let asker = (&asked.peer, asked.subject.as_str(), asked.project.as_deref());
        let mut longest = None;
        for limit in limits {
            let times = times_in(&mut transaction, asker, *limit, now).await?;
            let wait = wait_s(&times, *limit, now);
            if wait.is_some() && wait > longest.map(|(wait, _)| wait) {
                longest = wait.map(|wait| (wait, *limit));
            }
        }
        if let Some((retry_after_s, Limit { scope, window_s, .. })) = longest {
            return Ok(Admission::Refused { retry_after_s, scope, window_s });
        }
        let kept_s = limits.iter().map(|limit| limit.window_s).fold(KEPT_S, u64::max);
        sqlx::query("DELETE FROM asked WHERE at <= $1").bind(start_of(kept_s, now)).execute(&mut *transaction).await?;
        sqlx::query("INSERT INTO asked (peer, subject, project, at) VALUES ($1, $2, $3, $4)")
            .bind(asked.peer.as_str())
            .bind(&asked.subject)
            .bind(asked.project.as_deref())
            .bind(now.timestamp_millis())
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(Admission::Admitted)
    }

    /// How many questions count against each of `limits` now, in their order.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn asked_so_far(
        &self,
        peer: &NodeId,
        subject: &str,
        project: Option<&str>,
        limits: &[Limit],
        now: DateTime<Utc>,
    ) -> Result<Vec<u32>, StoreError> {
        let mut transaction = self.pool.begin().await?;
        let mut counts = Vec::with_capacity(limits.len());
        for limit in limits {
            let times = times_in(&mut transaction, (peer, subject, project), *limit, now).await?;
            counts.push(u32::try_from(times.len())?);
        }
        Ok(counts)
    }
}

/// When the questions that count against `limit` were asked, milliseconds, oldest first.
async fn times_in(
    transaction: &mut Transaction<'_, Sqlite>,
    (peer, subject, project): (&NodeId, &str, Option<&str>),
    limit: Limit,
    now: DateTime<Utc>,
) -> Result<Vec<i64>, StoreError> {
    let sql = match (limit.scope, project) {
        (Scope::Researcher, _) => "SELECT at FROM asked WHERE at > $1 AND peer = $2 AND subject = $3 ORDER BY at",
        (Scope::Project, Some(_)) => "SELECT at FROM asked WHERE at > $1 AND peer = $2 AND project = $3 ORDER BY at",
        (Scope::Project, None) => return Ok(Vec::new()),
        (Scope::Peer, _) => "SELECT at FROM asked WHERE at > $1 AND peer = $2 ORDER BY at",
    };
    let query = sqlx::query(sql).bind(start_of(limit.window_s, now)).bind(peer.as_str());
    let query = match limit.scope {
        Scope::Researcher => query.bind(subject),
        Scope::Project => query.bind(project),
        Scope::Peer => query,
    };
    let rows = query.fetch_all(&mut **transaction).await?;
    rows.iter().map(|row| row.try_get("at").map_err(Into::into)).collect()
}

/// What was asked at this millisecond or before lies outside the window.
fn start_of(window_s: u64, now: DateTime<Utc>) -> i64 {
    let window_ms = i64::try_from(window_s.saturating_mul(1_000)).unwrap_or(i64::MAX);
    now.timestamp_millis().saturating_sub(window_ms)
}

/// Seconds until one more question fits, rounded up; nothing where it fits now.
fn wait_s(times: &[i64], limit: Limit, now: DateTime<Utc>) -> Option<u32> {
    let most = usize::try_from(limit.most).unwrap_or(usize::MAX);
    let surplus = times.len().checked_sub(most)?;
    // where nothing may be asked at all, the window is as good an answer as any
    let outside_ms = times.get(surplus).map_or(i64::MAX, |at| at.saturating_sub(start_of(limit.window_s, now)));
    let seconds = u64::try_from(outside_ms).map_or(1, |ms| ms.div_ceil(1_000)).min(limit.window_s).max(1);
    Some(u32::try_from(seconds).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use chrono::Duration;
    use proptest::prelude::*;

    use super::*;
    use crate::support::{now, peer, store};

    const MINUTE: Limit = Limit { scope: Scope::Researcher, most: 3, window_s: 60 };
    const WEEK: Limit = Limit { scope: Scope::Project, most: 5, window_s: 7 * 86_400 };

    fn asked() -> Asked {
        Asked { peer: peer(), subject: "r-1".to_owned(), project: Some("ar-1".to_owned()) }
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        now() + Duration::seconds(seconds)
    }

    #[tokio::test]
    async fn questions_are_admitted_up_to_the_limit_and_again_when_old_ones_leave() {
        let (_folder, store) = store().await;
        for seconds in [0, 10, 20] {
            assert_eq!(store.admit(&asked(), &[MINUTE], at(seconds)).await.unwrap(), Admission::Admitted);
        }
        let refused = |retry_after_s| Admission::Refused { retry_after_s, scope: Scope::Researcher, window_s: 60 };
        assert_eq!(store.admit(&asked(), &[MINUTE], at(21)).await.unwrap(), refused(39));
        let late = at(59) + Duration::milliseconds(999);
        assert_eq!(store.admit(&asked(), &[MINUTE], late).await.unwrap(), refused(1));
        assert_eq!(store.admit(&asked(), &[MINUTE], at(60)).await.unwrap(), Admission::Admitted);
        assert_eq!(store.admit(&asked(), &[MINUTE], at(60)).await.unwrap(), refused(10));
    }

    #[tokio::test]
    async fn limits_count_by_researcher_project_and_peer() {
        let (_folder, store) = store().await;
        let limits = [MINUTE, WEEK, Limit { scope: Scope::Peer, most: 6, window_s: 3_600 }];
        for _ in 0..3 {
            store.admit(&asked(), &limits, now()).await.unwrap();
        }
        let of = |subject: &str, project: Option<&str>| Asked {
            subject: subject.to_owned(),
            project: project.map(str::to_owned),
            ..asked()
        };
        for _ in 3..5 {
            store.admit(&of("r-2", Some("ar-1")), &limits, now()).await.unwrap();
        }
        let counts = store.asked_so_far(&peer(), "r-1", Some("ar-1"), &limits, at(1)).await.unwrap();
        assert_eq!(counts, [3, 5, 5]);
        let refused = store.admit(&of("r-1", Some("ar-1")), &limits, now()).await.unwrap();
        let week = Admission::Refused { retry_after_s: 604_800, scope: Scope::Project, window_s: 604_800 };
        assert_eq!(refused, week, "the limit that takes longest");
        assert_eq!(store.admit(&of("r-2", None), &limits, now()).await.unwrap(), Admission::Admitted);
        let peer_limit = store.admit(&of("r-3", None), &limits, now()).await.unwrap();
        assert!(matches!(peer_limit, Admission::Refused { scope: Scope::Peer, .. }));
        let counts = store.asked_so_far(&peer(), "r-3", None, &limits, at(7_200)).await.unwrap();
        assert_eq!(counts, [0, 0, 0]);
        let elsewhere = Asked { peer: "cl".parse().unwrap(), ..asked() };
        assert_eq!(store.admit(&elsewhere, &limits, now()).await.unwrap(), Admission::Admitted);
    }

    #[tokio::test]
    async fn a_limit_of_nothing_admits_nothing() {
        let (_folder, store) = store().await;
        let none = Limit { scope: Scope::Peer, most: 0, window_s: u64::MAX };
        let refused = store.admit(&asked(), &[none], now()).await.unwrap();
        let Admission::Refused { retry_after_s, .. } = refused else { panic!("{refused:?}") };
        assert_eq!(retry_after_s, u32::MAX);
        assert_eq!(store.admit(&asked(), &[], now()).await.unwrap(), Admission::Admitted, "no limit, no refusal");
    }

    #[tokio::test]
    async fn old_questions_are_forgotten_but_none_that_another_limit_counts() {
        let (_folder, store) = store().await;
        store.admit(&asked(), &[WEEK], now()).await.unwrap();
        store.admit(&asked(), &[MINUTE], at(3_600)).await.unwrap();
        let year = Limit { window_s: 366 * 86_400, ..WEEK };
        let count =
            async |seconds| store.asked_so_far(&peer(), "r-1", Some("ar-1"), &[year], at(seconds)).await.unwrap()[0];
        assert_eq!(count(3_600).await, 2);
        store.admit(&asked(), &[year], at(100 * 86_400)).await.unwrap();
        assert_eq!(count(100 * 86_400).await, 3);
        store.admit(&asked(), &[MINUTE], at(101 * 86_400)).await.unwrap();
        assert_eq!(count(101 * 86_400).await, 2);
    }

    #[tokio::test]
    async fn forty_at_once_are_ten_admitted() {
        let (_folder, store) = store().await;
        let limit = Limit { scope: Scope::Researcher, most: 10, window_s: 60 };
        let tasks: Vec<_> = (0..40)
            .map(|_| {
                let store = store.clone();
                tokio::spawn(async move { store.admit(&asked(), &[limit], now()).await.unwrap() })
            })
            .collect();
        let mut admitted = 0;
        for task in tasks {
            admitted += u32::from(task.await.unwrap() == Admission::Admitted);
        }
        assert_eq!(admitted, 10);
    }

    proptest! {
        #[test]
        fn after_the_wait_a_question_fits_and_a_second_before_it_does_not(
            mut ages_ms in proptest::collection::vec(0_i64..60_000, 0..40),
            most in 1_u32..20,
        ) {
            ages_ms.sort_unstable_by(|a, b| b.cmp(a));
            let limit = Limit { most, ..MINUTE };
            let times = |now: DateTime<Utc>| {
                let asked = ages_ms.iter().map(|age| at(0).timestamp_millis() - age);
                asked.filter(|at| *at > start_of(limit.window_s, now)).collect::<Vec<_>>()
            };
            match wait_s(&times(at(0)), limit, at(0)) {
                None => prop_assert!(ages_ms.len() < limit.most as usize),
                Some(wait) => {
                    let after = at(i64::from(wait));
                    prop_assert_eq!(wait_s(&times(after), limit, after), None);
                    let before = after - Duration::seconds(1);
                    prop_assert!(wait_s(&times(before), limit, before).is_some());
                }
            }
        }
    }
}

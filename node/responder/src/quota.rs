//! How often may be asked: counted before anything is computed, whatever comes of it.

use chrono::{DateTime, Utc};
use node_policy::permit::project_per_week;
use node_protocol::{
    problem::{Problem, ProblemKind},
    query::Query,
};
use node_store::quotas::{Admission, Asked, Limit, Scope};
use node_trust::token::Caller;

use crate::answer::{Fault, Responder};

const MINUTE_S: u64 = 60;
const WEEK_S: u64 = 7 * 24 * 3600;
/// Over how many days different questions with noise are counted.
pub(crate) const QUARTER_DAYS: i64 = 92;

impl Responder {
    /// The limits that hold for a query.
    pub(crate) fn limits(&self, query: &Query) -> Vec<Limit> {
        let quota = self.policy.quota;
        let mut limits = vec![
            Limit { scope: Scope::Researcher, most: quota.researcher_per_minute, window_s: MINUTE_S },
            Limit { scope: Scope::Researcher, most: quota.researcher_per_week, window_s: WEEK_S },
            Limit { scope: Scope::Peer, most: quota.peer_per_week, window_s: WEEK_S },
        ];
        if let Some(project) = &query.project {
            let most = project_per_week(&self.policy, project);
            limits.push(Limit { scope: Scope::Project, most, window_s: WEEK_S });
        }
        limits
    }
}

/// Who asks, as the quotas know them.
pub(crate) fn asked(caller: &Caller, query: &Query) -> Asked {
    let claims = caller.claims();
    Asked { peer: caller.node().clone(), subject: claims.sub.clone(), project: query.project.clone() }
}

/// Counts the question: each time that something is computed for it, so that asking one that is refused again and again is not free.
///
/// # Errors
/// [`ProblemKind::QuotaExceeded`] with the seconds after which asking makes sense again.
pub(crate) async fn admit(
    responder: &Responder,
    caller: &Caller,
    query: &Query,
    now: DateTime<Utc>,
) -> Result<(), Problem> {
    let limits = responder.limits(query);
    let admission = responder.store.admit(&asked(caller, query), &limits, now).await.map_err(Fault::from)?;
    match admission {
        Admission::Admitted => Ok(()),
        Admission::Refused { retry_after_s, scope, window_s } => {
            let who = match scope {
                Scope::Researcher => "this researcher has",
                Scope::Project => "this project has",
                Scope::Peer => "this peer's people have",
            };
            let window = if window_s == MINUTE_S { "minute" } else { "week" };
            let detail =
                format!("{who} asked as often in a {window} as this node allows; the catalogue is always free");
            Err(Problem { retry_after_s: Some(retry_after_s), ..ProblemKind::QuotaExceeded.because(detail) })
        }
    }
}

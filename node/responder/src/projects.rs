//! Projects as they arrive from peers: kept until a steward decides, and their state told to the node that proposed them.

use chrono::{DateTime, NaiveDate, Utc};
use node_domain::node_id::NodeId;
use node_protocol::{
    problem::{Problem, ProblemKind},
    project::{Project, ProjectId, ProjectState, ProjectStatus, Withdrawal},
    query::Query,
};
use node_store::projects::{Received, StoredProject};
use node_trust::{
    signed::{Kind, sign, verify_statement},
    token::Peer,
};

use crate::answer::{Fault, Responder};

impl Responder {
    /// Takes a signed proposal of `peer` and answers with the signed state of the project here.
    ///
    /// # Errors
    /// Where it is not validly signed by the peer, malformed, not addressed to this node, or another one has its name.
    pub async fn receive_project(&self, peer: &Peer, signed: &str) -> Result<String, Problem> {
        let now = self.clock.now();
        let project: Project = verify_statement(signed, Kind::Project, peer.node(), &self.roster.load())?;
        if project.proposer != *peer.node() {
            return Err(ProblemKind::ProjectInvalid.at("proposer", "a node proposes its own projects only"));
        }
        project.check(now)?;
        if !project.countries.contains(&self.node) {
            return Err(ProblemKind::ProjectInvalid.at("countries", "this node is not among them"));
        }
        match self.store.receive_project(&project, signed, now).await.map_err(Fault::from)? {
            Received::New | Received::Known => self.signed_status(peer, &project.project, now).await,
            Received::Conflict => {
                Err(ProblemKind::ProjectConflict.at("project", "give the new proposal a name of its own"))
            }
        }
    }

    /// Takes a project back at the word of the node that proposed it; at once nothing is answered under it any more.
    ///
    /// # Errors
    /// Where it is not validly signed by the peer, or there is no such project of the peer's.
    pub async fn receive_withdrawal(&self, peer: &Peer, signed: &str) -> Result<String, Problem> {
        let now = self.clock.now();
        let withdrawal: Withdrawal = verify_statement(signed, Kind::Withdrawal, peer.node(), &self.roster.load())?;
        withdrawal.check()?;
        let stored = self.project_of(peer, &withdrawal.project).await?;
        if stored.state != ProjectState::Withdrawn {
            let (id, by) = (&withdrawal.project, proposing(peer.node()));
            let reason = withdrawal.reason.as_deref().unwrap_or("taken back by the proposer");
            self.store.withdraw_project(id, &by, Some(reason), now).await.map_err(Fault::from)?;
        }
        self.signed_status(peer, &withdrawal.project, now).await
    }

    /// The signed state of a project that `peer` proposed.
    ///
    /// # Errors
    /// [`ProblemKind::NotFound`] also for projects of others: whether they exist is not the peer's to know.
    pub async fn project_status(&self, peer: &Peer, id: &ProjectId) -> Result<String, Problem> {
        self.signed_status(peer, id, self.clock.now()).await
    }

    /// A refusal as `peer` is told it: the node that proposed a project hears precisely why it is not in force here, everybody else
    /// only that it is not.
    pub async fn told(&self, peer: &Peer, query: &Query, problem: Problem) -> Problem {
        if problem.kind != ProblemKind::ProjectNotApproved {
            return problem;
        }
        let Some(id) = query.project.as_ref().and_then(|name| name.parse().ok()) else { return problem };
        // without the project's record the indistinct refusal stands
        let Ok(stored) = self.project_of(peer, &id).await else { return problem };
        let closed = self.policy.project.get(&id).is_some_and(|rules| rules.closed);
        match standing(&stored, closed, self.clock.now()) {
            Some(detail) => Problem { detail, ..problem },
            None => problem,
        }
    }

    async fn project_of(&self, peer: &Peer, id: &ProjectId) -> Result<StoredProject, Problem> {
        let stored = self.store.stored_project(id).await.map_err(Fault::from)?;
        let own = stored.filter(|stored| stored.project.proposer == *peer.node());
        own.ok_or_else(|| ProblemKind::NotFound.because("this node proposed no such project"))
    }

    async fn signed_status(&self, peer: &Peer, id: &ProjectId, now: DateTime<Utc>) -> Result<String, Problem> {
        let stored = self.project_of(peer, id).await?;
        let state = state_on(&stored, now);
        let granted = matches!(state, ProjectState::Approved | ProjectState::Narrowed);
        let status = ProjectStatus {
            project: id.clone(),
            node: self.node.clone(),
            state,
            terms: stored.terms.filter(|_| granted),
            reason: stored.reason,
            decided: stored.decided,
        };
        Ok(sign(&status, Kind::ProjectStatus, &self.node, &self.key).map_err(Fault::from)?.into_string())
    }
}

/// Who a project was withdrawn by, where its proposer did.
fn proposing(node: &NodeId) -> String {
    format!("node {node}")
}

/// Why nothing is answered under a project, for the node that proposed it; nothing where it is granted.
fn standing(stored: &StoredProject, closed: bool, now: DateTime<Utc>) -> Option<String> {
    let because = stored.reason.as_ref().map(|reason| format!(": “{reason}”")).unwrap_or_default();
    let on = stored.decided.map(|decided| format!(" on {}", decided.date_naive())).unwrap_or_default();
    let own_word = stored.decided_by.as_ref() == Some(&proposing(&stored.project.proposer));
    Some(match state_on(stored, now) {
        ProjectState::Pending if stored.reason.is_some() => {
            format!("its steward took the decision back and has not decided anew{because}")
        }
        ProjectState::Pending => "its steward has not decided yet".to_owned(),
        ProjectState::Declined => format!("its steward declined it{on}{because}"),
        ProjectState::Withdrawn if own_word => format!("your node took it back{on}{because}"),
        ProjectState::Withdrawn => format!("it was ended there{on}{because}; propose another one"),
        ProjectState::Expired => format!("its last day was {}; propose another one", last_day(stored)),
        ProjectState::Approved | ProjectState::Narrowed if closed => {
            "that node's policy has closed it; ask its steward".to_owned()
        }
        ProjectState::Approved | ProjectState::Narrowed => return None,
    })
}

fn last_day(stored: &StoredProject) -> NaiveDate {
    stored.terms.as_ref().map_or(stored.project.terms.expires, |terms| terms.expires)
}

/// Where a project stands on a day: what was granted expires by itself.
#[must_use]
pub fn state_on(stored: &StoredProject, now: DateTime<Utc>) -> ProjectState {
    let lasting = matches!(stored.state, ProjectState::Pending | ProjectState::Approved | ProjectState::Narrowed);
    if lasting && now.date_naive() > last_day(stored) { ProjectState::Expired } else { stored.state }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use node_protocol::project::{Lane, Terms};

    use super::*;

    fn stored(state: ProjectState, by: Option<&str>, reason: Option<&str>) -> StoredProject {
        let names = |name: &str| BTreeSet::from([name.to_owned()]);
        let terms = Terms {
            tables: names("cases"),
            statistics: names("count"),
            fields: names("sex"),
            lane: Lane::Perturbed,
            privacy: None,
            persons: None,
            expires: "2027-12-31".parse().unwrap(),
        };
        let now = "2026-11-21T12:00:00Z".parse().unwrap();
        let project = Project {
            project: "mx-1".parse().unwrap(),
            proposer: "mx".parse().unwrap(),
            title: "A".into(),
            purpose: "B".into(),
            lead: "C".into(),
            countries: ["ar".parse().unwrap()].into(),
            terms: terms.clone(),
            proposed: now,
        };
        let granted = matches!(state, ProjectState::Approved | ProjectState::Narrowed);
        StoredProject {
            project,
            signed: String::new(),
            asked_here: true,
            state,
            terms: granted.then_some(terms),
            reason: reason.map(str::to_owned),
            decided_by: by.map(str::to_owned),
            decided: by.map(|_| now),
            received: now,
        }
    }

    #[test]
    fn the_proposing_node_hears_why_a_project_is_not_in_force() {
        let told = |stored: &StoredProject, closed, day: &str| {
            standing(stored, closed, format!("{day}T12:00:00Z").parse().unwrap()).unwrap_or_default()
        };
        let (soon, late) = ("2026-12-01", "2028-01-01");
        let pending = stored(ProjectState::Pending, None, None);
        assert_eq!(told(&pending, false, soon), "its steward has not decided yet");
        assert!(told(&stored(ProjectState::Pending, None, Some("a slip")), false, soon).contains("back"));
        let declined = stored(ProjectState::Declined, Some("Eva"), Some("too wide"));
        assert_eq!(told(&declined, false, soon), "its steward declined it on 2026-11-21: “too wide”");
        let taken_back = stored(ProjectState::Withdrawn, Some("node mx"), Some("done"));
        assert_eq!(told(&taken_back, false, soon), "your node took it back on 2026-11-21: “done”");
        assert!(told(&stored(ProjectState::Withdrawn, Some("Eva"), Some("over")), false, soon).contains("ended there"));
        let approved = stored(ProjectState::Approved, Some("Eva"), None);
        assert!(told(&approved, true, soon).contains("policy has closed it"));
        assert_eq!(told(&approved, false, late), "its last day was 2027-12-31; propose another one");
        assert_eq!(told(&approved, false, soon), "", "what is granted is refused for another reason");
    }
}

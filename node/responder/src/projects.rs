//! Projects as they arrive from peers: kept until a steward decides, and their state told to the node that proposed them.

use chrono::{DateTime, Utc};
use node_protocol::{
    problem::{Problem, ProblemKind},
    project::{Project, ProjectId, ProjectState, ProjectStatus, Withdrawal},
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
        let stored = self.project_of(peer, &withdrawal.project).await?;
        if stored.state != ProjectState::Withdrawn {
            let by = format!("node {}", peer.node());
            let id = &withdrawal.project;
            self.store.withdraw_project(id, &by, Some("taken back by the proposer"), now).await.map_err(Fault::from)?;
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

/// Where a project stands on a day: what was granted expires by itself.
#[must_use]
pub fn state_on(stored: &StoredProject, now: DateTime<Utc>) -> ProjectState {
    let last = stored.terms.as_ref().map_or(stored.project.terms.expires, |terms| terms.expires);
    let lasting = matches!(stored.state, ProjectState::Pending | ProjectState::Approved | ProjectState::Narrowed);
    if lasting && now.date_naive() > last { ProjectState::Expired } else { stored.state }
}

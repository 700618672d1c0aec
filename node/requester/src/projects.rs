//! Projects of this node: proposed to the nodes that they name, and followed until each has decided.

use std::collections::BTreeSet;

use node_domain::node_id::NodeId;
use node_protocol::{
    problem::{Problem, ProblemKind},
    project::{Project, ProjectId, ProjectState, ProjectStatus, Withdrawal},
};
use node_store::projects::{Received, StoredProject};
use node_trust::signed::{Kind, sign, verify_statement};

use crate::{
    peer::{body, send},
    study::{Requester, StudyError},
};

/// What one node says of a project.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeSays {
    /// The node.
    pub node: NodeId,
    /// Its verified status, now or when it was last reached.
    pub status: Option<ProjectStatus>,
    /// Why it could not be asked now.
    pub problem: Option<Problem>,
}

impl Requester {
    /// Signs and stores a project of this node's, and sends it to the nodes that it names; those that cannot be reached get it
    /// later.
    ///
    /// # Errors
    /// Where it is malformed, names a node that is no active member, or another project has its name.
    pub async fn propose(&self, project: Project, by: &str) -> Result<Vec<NodeSays>, StudyError> {
        let now = self.clock.now();
        if project.proposer != self.node {
            return Err(ProblemKind::ProjectInvalid.at("proposer", "a node proposes its own projects only").into());
        }
        project.check(now)?;
        let roster = self.peers.tls().roster.load_full();
        let active: BTreeSet<NodeId> = roster.active().map(|member| member.node.clone()).collect();
        if let Some(stranger) = project.countries.iter().find(|node| !active.contains(*node)) {
            let detail = format!("`{stranger}` is no active member of the alliance");
            return Err(ProblemKind::ProjectInvalid.at("countries", detail).into());
        }
        let signed = sign(&project, Kind::Project, &self.node, &self.key).map_err(|_| unsigned())?;
        match self.store.propose_project(&project, signed.as_str(), by, now).await? {
            Received::New | Received::Known => {}
            Received::Conflict => {
                let detail = "a project keeps what it was proposed with; give the new one another name";
                return Err(ProblemKind::ProjectConflict.at("project", detail).into());
            }
        }
        self.follow_project(&project.project).await
    }

    /// What every node says of a project of this node's: sends it where it has not arrived, and asks where it has.
    ///
    /// # Errors
    /// Where the store fails or there is no such project.
    pub async fn follow_project(&self, id: &ProjectId) -> Result<Vec<NodeSays>, StudyError> {
        let stored = self.store.stored_project(id).await?;
        let unknown = || ProblemKind::NotFound.because("this node proposed no such project");
        let stored = stored.filter(|stored| stored.project.proposer == self.node).ok_or_else(unknown)?;
        let withdrawn = stored.state == ProjectState::Withdrawn;
        let known = self.store.project_statuses(id).await?;
        let mut says = Vec::new();
        for node in stored.project.countries.iter().filter(|node| **node != self.node) {
            let before = known.iter().find(|seen| seen.node == *node).map(|seen| seen.signed.as_str());
            let outcome = match (withdrawn, before) {
                (true, _) => self.post(node, "/v1/projects/withdrawals", self.signed_withdrawal(&stored)?).await,
                (false, None) => self.post(node, "/v1/projects", stored.signed.clone()).await,
                (false, Some(_)) => self.get(node, &format!("/v1/projects/{id}")).await,
            };
            let answered = outcome.and_then(|bytes| self.status_in(bytes, id, node));
            let (status, problem) = match answered {
                Ok((status, signed)) => {
                    self.store.note_project_status(id, node, &signed, status.state, self.clock.now()).await?;
                    (Some(status), None)
                }
                Err(problem) => {
                    let kept = before.and_then(|signed| node_trust::signed::read_kept_statement(signed).ok());
                    (kept, Some(problem))
                }
            };
            says.push(NodeSays { node: node.clone(), status, problem });
        }
        Ok(says)
    }

    /// What every node said of a project of this node's when it was last reached; nobody is asked.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn heard_of_project(&self, project: &Project) -> Result<Vec<NodeSays>, StudyError> {
        let known = self.store.project_statuses(&project.project).await?;
        let others = project.countries.iter().filter(|node| **node != self.node);
        let said = |node: &NodeId| {
            let seen = known.iter().find(|seen| seen.node == *node)?;
            node_trust::signed::read_kept_statement(&seen.signed).ok()
        };
        Ok(others.map(|node| NodeSays { node: node.clone(), status: said(node), problem: None }).collect())
    }

    /// Takes a project of this node's back, here at once and at the nodes that it names.
    ///
    /// # Errors
    /// Where the store fails or there is no such project.
    pub async fn take_back(&self, id: &ProjectId, by: &str, reason: &str) -> Result<Vec<NodeSays>, StudyError> {
        let stored = self.store.stored_project(id).await?;
        if stored.is_none_or(|stored| stored.project.proposer != self.node) {
            return Err(ProblemKind::NotFound.because("this node proposed no such project").into());
        }
        self.store.withdraw_project(id, by, Some(reason), self.clock.now()).await?;
        self.follow_project(id).await
    }

    /// Sends proposals and withdrawals that have not arrived everywhere, and learns of decisions.
    pub async fn follow_projects(&self) {
        let Ok(stored) = self.store.projects(None).await else { return };
        for project in stored.into_iter().filter(|stored| stored.project.proposer == self.node) {
            let id = &project.project.project;
            if let Err(error) = self.follow_project(id).await {
                tracing::warn!(project.id = %id, error = &error as &dyn std::error::Error, "a project could not be followed");
            }
        }
    }

    fn signed_withdrawal(&self, stored: &StoredProject) -> Result<String, Problem> {
        let withdrawal = Withdrawal {
            project: stored.project.project.clone(),
            proposer: self.node.clone(),
            withdrawn: stored.decided.unwrap_or_else(|| self.clock.now()),
            reason: stored.reason.clone(),
        };
        Ok(sign(&withdrawal, Kind::Withdrawal, &self.node, &self.key).map_err(|_| unsigned())?.into_string())
    }

    fn status_in(&self, bytes: Vec<u8>, id: &ProjectId, node: &NodeId) -> Result<(ProjectStatus, String), Problem> {
        let signed = String::from_utf8(bytes).map_err(|_| ProblemKind::AnswerInvalid.because("it is not text"))?;
        let roster = self.peers.tls().roster.load();
        let status: ProjectStatus = verify_statement(&signed, Kind::ProjectStatus, node, &roster)?;
        if status.project != *id || status.node != *node {
            return Err(ProblemKind::AnswerMismatch.because("it speaks of another project or for another node"));
        }
        Ok((status, signed))
    }

    async fn post(&self, node: &NodeId, path: &str, text: String) -> Result<Vec<u8>, Problem> {
        let (client, url, _) = self.peers.client(node)?;
        let request = || {
            let request = client.post(format!("{url}{path}")).body(text.clone());
            Ok(request.header("content-type", "application/jose").timeout(self.timing.attempt))
        };
        body(send(request).await?).await
    }
}

fn unsigned() -> Problem {
    ProblemKind::Internal.because("the statement could not be signed")
}

//! What a steward decides: projects, and answers that wait. Nobody decides on what they asked or proposed themselves.

use node_domain::node_id::NodeId;
use node_policy::role::{Action, Role};
use node_protocol::{
    problem::{Problem, ProblemKind},
    project::{Lane, ProjectId, ProjectState, Terms},
    study::StudyId,
};
use node_store::{
    audit::{Event, entries::EntryFilter},
    projects::{Decided, Decision, StoredProject, TakenBack},
    reviews::{HeldAnswer, Reviewed, Undone},
};

use crate::answer::{Fault, Responder};

/// A signed-in person of this institute.
#[derive(Debug, Clone, Copy)]
pub struct Steward<'a> {
    /// Name, as in the list of access tokens.
    pub name: &'a str,
    /// Role.
    pub role: Role,
}

/// The most characters of a reason.
const MAX_REASON: usize = 1_000;

impl Responder {
    /// Grants a project as proposed, or with narrower `terms`.
    ///
    /// # Errors
    /// For other roles, for one's own proposal, for terms wider than proposed or than policy lets be granted, and where it was
    /// decided before.
    pub async fn approve_project(
        &self,
        by: Steward<'_>,
        id: &ProjectId,
        terms: Option<Terms>,
        reason: Option<String>,
    ) -> Result<(), Problem> {
        let stored = self.to_decide(by, id).await?;
        let proposed = &stored.project.terms;
        let granted = terms.unwrap_or_else(|| proposed.clone());
        granted.check()?;
        if let Some((term, what)) = granted.excess(proposed) {
            let detail = format!("wider than what was proposed, and a grant may only be narrower: {what}");
            return Err(ProblemKind::ProjectInvalid.at(format!("terms.{term}"), detail));
        }
        self.check_threshold(&granted, proposed)?;
        if granted.expires < self.clock.now().date_naive() {
            return Err(ProblemKind::ProjectInvalid.at("terms.expires", "that day is past"));
        }
        let most = self.policy.privacy.project_rho;
        if granted.lane == Lane::DifferentiallyPrivate && granted.privacy.is_some_and(|privacy| privacy.rho > most) {
            let detail = format!("this node's policy grants at most rho = {most} to one project; narrow it");
            return Err(ProblemKind::ProjectInvalid.at("terms.privacy.rho", detail));
        }
        let state = if granted == *proposed { ProjectState::Approved } else { ProjectState::Narrowed };
        let decision = Decision { state, terms: Some(granted), reason: checked(reason)? };
        self.note_decision(by, id, decision).await
    }

    /// What a steward writes down must hold: a threshold below the node's own would not. One that was proposed so may stay.
    fn check_threshold(&self, granted: &Terms, proposed: &Terms) -> Result<(), Problem> {
        let least = self.policy.threshold.persons;
        match granted.persons.filter(|persons| *persons < least && granted.persons != proposed.persons) {
            Some(persons) => {
                let detail = format!(
                    "{persons} is below this node's threshold of {least}, which holds for every project: name {least} or more, or none"
                );
                Err(ProblemKind::ProjectInvalid.at("terms.persons", detail))
            }
            None => Ok(()),
        }
    }

    /// Declines a project.
    ///
    /// # Errors
    /// For other roles, for one's own proposal, and where it was decided before.
    pub async fn decline_project(&self, by: Steward<'_>, id: &ProjectId, reason: String) -> Result<(), Problem> {
        self.to_decide(by, id).await?;
        let decision = Decision { state: ProjectState::Declined, terms: None, reason: Some(needed(reason)?) };
        self.note_decision(by, id, decision).await
    }

    /// Takes a decision back: the project waits again, and nothing is answered under it meanwhile.
    ///
    /// # Errors
    /// For other roles, and where nothing was decided.
    pub async fn reopen_project(&self, by: Steward<'_>, id: &ProjectId, reason: String) -> Result<(), Problem> {
        self.to_decide(by, id).await?;
        let reason = needed(reason)?;
        let done = self.store.reopen_project(id, by.name, &reason, self.clock.now()).await.map_err(Fault::from)?;
        taken_back(&done)
    }

    /// Ends a project at this node for good.
    ///
    /// # Errors
    /// For other roles, and where there is no such project.
    pub async fn close_project(&self, by: Steward<'_>, id: &ProjectId, reason: String) -> Result<(), Problem> {
        by.role.demand(Action::DecideProject)?;
        let reason = needed(reason)?;
        let now = self.clock.now();
        let done = self.store.withdraw_project(id, by.name, Some(&reason), now).await.map_err(Fault::from)?;
        taken_back(&done)
    }

    async fn to_decide(&self, by: Steward<'_>, id: &ProjectId) -> Result<StoredProject, Problem> {
        by.role.demand(Action::DecideProject)?;
        let stored = self.store.stored_project(id).await.map_err(Fault::from)?.ok_or_else(unknown_project)?;
        if stored.project.proposer == self.node && self.proposed_by(id).await?.as_deref() == Some(by.name) {
            return Err(ProblemKind::FourEyes.because("who proposed a project does not decide on it"));
        }
        Ok(stored)
    }

    /// Who of this node's people proposed a project, as the audit tells.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn proposed_by(&self, id: &ProjectId) -> Result<Option<String>, Problem> {
        let filter = EntryFilter {
            what: Some("project_proposed".to_owned()),
            project: Some(id.to_string()),
            ..EntryFilter::default()
        };
        let entries = self.store.entries(&filter).await.map_err(Fault::from)?;
        Ok(entries.into_iter().find_map(|entry| match entry.event {
            Event::ProjectProposed { by, .. } => Some(by),
            _ => None,
        }))
    }

    async fn note_decision(&self, by: Steward<'_>, id: &ProjectId, decision: Decision) -> Result<(), Problem> {
        let done = self.store.decide_project(id, decision, by.name, self.clock.now()).await.map_err(Fault::from)?;
        decided(&done)
    }

    /// Releases or refuses an answer that waits.
    ///
    /// # Errors
    /// For other roles, for an answer to a question of one's own, and where it was decided before.
    pub async fn review(
        &self,
        by: Steward<'_>,
        peer: &NodeId,
        study: &StudyId,
        release: bool,
        reason: String,
    ) -> Result<(), Problem> {
        let held = self.held(by, peer, study).await?;
        if release {
            self.check_still_allowed(&held)?;
        }
        if release && held.project.is_some() && self.grant(&held.query).await?.is_none() {
            let detail =
                "the project it was asked under is no longer granted here; refuse it, or grant the project anew";
            return Err(ProblemKind::ProjectNotApproved.because(detail));
        }
        let reason = if release { checked(Some(reason))? } else { Some(needed(reason)?) };
        let done = self
            .store
            .review(peer, study, release, by.name, &reason.unwrap_or_default(), self.clock.now())
            .await
            .map_err(Fault::from)?;
        reviewed(&done)
    }

    /// Takes a decision on an answer back, as long as the asker has not fetched it.
    ///
    /// # Errors
    /// For other roles, and where the answer was fetched or waits already.
    pub async fn undo_review(
        &self,
        by: Steward<'_>,
        peer: &NodeId,
        study: &StudyId,
        reason: String,
    ) -> Result<(), Problem> {
        let held = self.held(by, peer, study).await?;
        self.check_still_allowed(&held)?;
        // what was refused took no part in what was released since: a newer catalogue does not know of it
        if self.published.load().as_ref().map(|published| published.snapshot.id) != Some(held.snapshot) {
            return Err(ask_anew("another snapshot is in force since"));
        }
        let reason = needed(reason)?;
        let done =
            self.store.undo_review(peer, study, by.name, &reason, self.clock.now()).await.map_err(Fault::from)?;
        undone(&done)
    }

    /// An answer was made under the policy of that day: another one may not allow it.
    fn check_still_allowed(&self, held: &HeldAnswer) -> Result<(), Problem> {
        if held.policy_hash == self.policy_hash { Ok(()) } else { Err(ask_anew("another policy is in force since")) }
    }

    async fn held(&self, by: Steward<'_>, peer: &NodeId, study: &StudyId) -> Result<HeldAnswer, Problem> {
        by.role.demand(Action::DecideReview)?;
        let held = self.store.held_answer(peer, study).await.map_err(Fault::from)?;
        let held = held.ok_or_else(nothing_waits)?;
        let own = *peer == self.node && held.subject == (self.pseudonym)(by.name, held.project.as_deref());
        if own {
            return Err(ProblemKind::FourEyes.because("who asked a question does not release its answer"));
        }
        Ok(held)
    }
}

fn ask_anew(why: &str) -> Problem {
    ProblemKind::AlreadyDecided.because(format!("{why}: refuse the answer, so that it is asked anew"))
}

fn unknown_project() -> Problem {
    ProblemKind::NotFound.because("there is no such project; `alianza project list` shows all")
}

fn decided(done: &Decided) -> Result<(), Problem> {
    match done {
        Decided::Done => Ok(()),
        Decided::Unknown => Err(unknown_project()),
        Decided::NotAsked => Err(ProblemKind::NotPermitted.because("the project does not ask this node")),
        Decided::Unfit => Err(ProblemKind::ProjectInvalid.at("terms", "they do not fit what was proposed")),
        Decided::AlreadyDecided(state) => {
            let detail =
                format!("the project is {} here; `alianza project reopen` takes a decision back", state.name());
            Err(ProblemKind::AlreadyDecided.because(detail))
        }
    }
}

fn taken_back(done: &TakenBack) -> Result<(), Problem> {
    match done {
        TakenBack::Done => Ok(()),
        TakenBack::Unknown => Err(unknown_project()),
        TakenBack::Impossible(state) => {
            Err(ProblemKind::AlreadyDecided.because(format!("the project is {} here", state.name())))
        }
    }
}

fn nothing_waits() -> Problem {
    ProblemKind::NotFound.because("no answer to that study waits")
}

fn reviewed(done: &Reviewed) -> Result<(), Problem> {
    match done {
        Reviewed::Done => Ok(()),
        Reviewed::Unknown => Err(nothing_waits()),
        Reviewed::AlreadyDecided(state) => {
            let detail = format!("the answer is {} here; `alianza review undo` takes a decision back", state.name());
            Err(ProblemKind::AlreadyDecided.because(detail))
        }
    }
}

fn undone(done: &Undone) -> Result<(), Problem> {
    let refuse = |detail: &str| Err(ProblemKind::AlreadyDecided.because(detail));
    match done {
        Undone::Done => Ok(()),
        Undone::Unknown => Err(nothing_waits()),
        Undone::Waiting => refuse("nothing was decided yet"),
        Undone::PickedUp => refuse("the asker has fetched the answer: it is out"),
        Undone::Overtaken => {
            refuse("answers were released since that were not audited with this one; it must be asked anew")
        }
    }
}

fn checked(reason: Option<String>) -> Result<Option<String>, Problem> {
    let reason = reason.map(|reason| reason.trim().to_owned()).filter(|reason| !reason.is_empty());
    let bad = |reason: &String| reason.chars().count() > MAX_REASON || reason.chars().any(char::is_control);
    if reason.as_ref().is_some_and(bad) {
        return Err(ProblemKind::BodyInvalid.at("reason", "at most 1000 characters in one line"));
    }
    Ok(reason)
}

/// The reason of a decision that cannot do without one.
///
/// # Errors
/// Where it is empty, too long or of more than one line.
pub fn needed(reason: String) -> Result<String, Problem> {
    let empty = || ProblemKind::BodyInvalid.at("reason", "a reason is needed; the other side reads it");
    checked(Some(reason))?.ok_or_else(empty)
}

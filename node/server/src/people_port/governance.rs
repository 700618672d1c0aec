//! Projects, reviews, estimates and released answers on the port for people.

use std::collections::BTreeSet;

use actix_web::{
    HttpResponse,
    web::{self, Bytes, Data, Path},
};
use chrono::{DateTime, Utc};
use node_domain::{
    dictionary::{Dictionary, Table},
    digest::Digest,
    nearest::unknown,
    node_id::NodeId,
};
use node_policy::role::Action;
use node_protocol::{
    answer::Answer,
    estimate::Estimate,
    problem::{Problem, ProblemKind},
    project::{Project, ProjectId, ProjectState, ProjectStatus, Terms},
    query::{MAX_BYTES, Query, parse_json},
    study::{NodeState, Status, StudyId},
};
use node_requester::{projects::NodeSays, study::Asker};
use node_responder::{
    projects::state_on,
    stewardship::{Steward, needed},
};
use node_store::{
    StoreError,
    ledger::{LedgerFilter, LedgerLine, LineState},
    matching::Kin,
    projects::StoredProject,
    reviews::{HeldAnswer, HeldState},
};
use serde::{Deserialize, Serialize};

use super::{People, Person};
use crate::refusal::{Refusal, bounded, no_such_path};

/// Paths of this part of the port.
pub(super) fn paths(app: &mut web::ServiceConfig) {
    let resource = |path: &str| web::resource(path).default_service(web::to(no_such_path));
    app.service(resource("/api/v1/estimates").post(estimate))
        .service(resource("/api/v1/projects").get(projects).post(propose))
        .service(resource("/api/v1/projects/{project}").get(project))
        .service(resource("/api/v1/projects/{project}/{decision}").post(decide))
        .service(resource("/api/v1/reviews").get(reviews))
        .service(resource("/api/v1/reviews/{peer}/{study}").get(review))
        .service(resource("/api/v1/reviews/{peer}/{study}/{decision}").post(decide_review))
        .service(resource("/api/v1/released").get(released))
        .service(resource("/api/v1/ledger").get(own_ledger));
}

fn fault(error: &StoreError) -> Refusal {
    tracing::error!(error = error as &dyn std::error::Error, "the store could not be read or written");
    ProblemKind::Internal.because("the operator finds the reason in the log").into()
}

fn project_id(text: &str) -> Result<ProjectId, Refusal> {
    text.parse().map_err(|_| ProblemKind::NotFound.because("there is no such project").into())
}

fn steward(person: &Person) -> Steward<'_> {
    Steward { name: &person.0.name, role: person.0.role }
}

/// Body of `POST /api/v1/estimates`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewEstimate {
    /// The query.
    pub query: Query,
    /// Nodes; if empty those that the query's project asks, or all active ones.
    #[serde(default)]
    pub nodes: Vec<NodeId>,
}

/// What one node would do.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct NodeEstimate {
    /// The node.
    pub node: NodeId,
    /// What it would do.
    pub estimate: Option<Estimate>,
    /// Why it would not.
    pub problem: Option<Problem>,
}

async fn estimate(
    person: Person,
    body: Result<Bytes, actix_web::Error>,
    people: Data<People>,
) -> Result<HttpResponse, Refusal> {
    person.0.role.demand(Action::Estimate)?;
    let new: NewEstimate = parse_json(&bounded(body, MAX_BYTES)?)?;
    new.query.check_shape()?;
    new.query.check_against(&people.responder.dictionary)?;
    let asker = Asker { subject: person.0.name, role: person.0.role.name().to_owned() };
    let estimates = people.requester.estimate(asker, new.query, &new.nodes).await.map_err(super::refusal)?;
    let lines = estimates.into_iter().map(|(node, outcome)| match outcome {
        Ok(estimate) => NodeEstimate { node, estimate: Some(estimate), problem: None },
        Err(problem) => NodeEstimate { node, estimate: None, problem: Some(problem) },
    });
    Ok(HttpResponse::Ok().json(lines.collect::<Vec<_>>()))
}

/// Body of `POST /api/v1/projects`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewProject {
    /// Its name, which begins with this node and a hyphen.
    pub project: ProjectId,
    /// Title.
    pub title: String,
    /// What it is for.
    pub purpose: String,
    /// Who answers for it.
    pub lead: String,
    /// The nodes that it asks.
    pub countries: BTreeSet<NodeId>,
    /// What it asks for.
    pub terms: Terms,
}

/// A project as people see it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ProjectView {
    /// As proposed.
    pub project: Project,
    /// Where it stands at this node; absent where this node proposed it to others alone.
    pub state: ProjectState,
    /// What is granted here.
    pub terms: Option<Terms>,
    /// The steward's reason.
    pub reason: Option<String>,
    /// Who decided.
    pub decided_by: Option<String>,
    /// When.
    pub decided: Option<DateTime<Utc>>,
    /// When it arrived.
    pub received: DateTime<Utc>,
    /// What other nodes say, for projects of this node.
    #[serde(default)]
    pub nodes: Vec<ProjectAt>,
}

/// What one node says of a project.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ProjectAt {
    /// The node.
    pub node: NodeId,
    /// Its signed word, now or when it was last reached.
    pub status: Option<ProjectStatus>,
    /// Why it could not be asked now.
    pub problem: Option<Problem>,
}

impl ProjectView {
    fn of(stored: StoredProject, now: DateTime<Utc>, nodes: Vec<NodeSays>) -> Self {
        let at = |says: NodeSays| ProjectAt { node: says.node, status: says.status, problem: says.problem };
        Self {
            state: state_on(&stored, now),
            project: stored.project,
            terms: stored.terms,
            reason: stored.reason,
            decided_by: stored.decided_by,
            decided: stored.decided,
            received: stored.received,
            nodes: nodes.into_iter().map(at).collect(),
        }
    }
}

async fn projects(person: Person, people: Data<People>) -> Result<HttpResponse, Refusal> {
    person.0.role.demand(Action::ReadProjects)?;
    let now = people.responder.clock.now();
    let stored = people.responder.store.projects(None).await.map_err(|error| fault(&error))?;
    let mut views = Vec::new();
    for stored in stored {
        let own = stored.project.proposer == people.responder.node;
        let heard = if own {
            people.requester.heard_of_project(&stored.project).await.map_err(super::refusal)?
        } else {
            Vec::new()
        };
        views.push(ProjectView::of(stored, now, heard));
    }
    Ok(HttpResponse::Ok().json(views))
}

async fn propose(
    person: Person,
    body: Result<Bytes, actix_web::Error>,
    people: Data<People>,
) -> Result<HttpResponse, Refusal> {
    person.0.role.demand(Action::ProposeProject)?;
    let new: NewProject = parse_json(&bounded(body, MAX_BYTES)?)?;
    let NewProject { project, title, purpose, lead, countries, terms } = new;
    check_names(&terms, &people.responder.dictionary)?;
    let proposer = people.responder.node.clone();
    let proposed = people.responder.clock.now();
    let project = Project { project, proposer, title, purpose, lead, countries, terms, proposed };
    let id = project.project.clone();
    let says = people.requester.propose(project, &person.0.name).await.map_err(super::refusal)?;
    view(&id, says, &people).await
}

/// Tables, fields and endpoints that the dictionary does not have are told before anybody is asked.
fn check_names(terms: &Terms, dictionary: &Dictionary) -> Result<(), Problem> {
    let bad = |term: &str, detail: String| Err(ProblemKind::ProjectInvalid.at(format!("terms.{term}"), detail));
    let mut known = BTreeSet::new();
    for name in &terms.tables {
        let Some(table) = dictionary.table(name) else {
            let tables = dictionary.tables().map(|table| table.name.as_str());
            return bad("tables", unknown("analysis table", name, tables));
        };
        known.extend(table.names());
    }
    if terms.fields.is_empty() {
        return bad("fields", "name every field that queries use; with none, only totals could be asked".to_owned());
    }
    match terms.fields.iter().find(|field| !known.contains(field.as_str())) {
        Some(field) => bad("fields", unknown("field or endpoint of those tables", field, known)),
        None => Ok(()),
    }
}

async fn view(id: &ProjectId, says: Vec<NodeSays>, people: &People) -> Result<HttpResponse, Refusal> {
    let stored = people.responder.store.stored_project(id).await.map_err(|error| fault(&error))?;
    let stored = stored.ok_or_else(|| ProblemKind::NotFound.because("there is no such project"))?;
    Ok(HttpResponse::Ok().json(ProjectView::of(stored, people.responder.clock.now(), says)))
}

async fn project(person: Person, project: Path<String>, people: Data<People>) -> Result<HttpResponse, Refusal> {
    person.0.role.demand(Action::ReadProjects)?;
    let id = project_id(&project)?;
    let stored = people.responder.store.stored_project(&id).await.map_err(|error| fault(&error))?;
    let own = stored.is_some_and(|stored| stored.project.proposer == people.responder.node);
    let says = if own { people.requester.follow_project(&id).await.map_err(super::refusal)? } else { Vec::new() };
    view(&id, says, &people).await
}

/// Body of `POST /api/v1/projects/{project}/{approve|decline|reopen|close|withdraw}`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProjectDecision {
    /// Narrower terms, for `approve`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub terms: Option<Terms>,
    /// The reason, which the proposer reads; needed for all but `approve`.
    #[serde(default)]
    pub reason: String,
}

async fn decide(
    person: Person,
    path: Path<(String, String)>,
    body: Result<Bytes, actix_web::Error>,
    people: Data<People>,
) -> Result<HttpResponse, Refusal> {
    let (id, decision) = path.into_inner();
    let id = project_id(&id)?;
    let ProjectDecision { terms, reason } = parse_json(&bounded(body, MAX_BYTES)?)?;
    let responder = &people.responder;
    let says = match decision.as_str() {
        "approve" => {
            responder.approve_project(steward(&person), &id, terms, Some(reason)).await?;
            Vec::new()
        }
        "decline" => {
            responder.decline_project(steward(&person), &id, reason).await?;
            Vec::new()
        }
        "reopen" => {
            responder.reopen_project(steward(&person), &id, reason).await?;
            Vec::new()
        }
        "close" => {
            responder.close_project(steward(&person), &id, reason).await?;
            Vec::new()
        }
        "withdraw" => {
            person.0.role.demand(Action::ProposeProject)?;
            let own = responder.proposed_by(&id).await?.as_deref() == Some(person.0.name.as_str());
            if !own && !person.0.role.may(Action::DecideProject) {
                return Err(ProblemKind::RoleForbidden
                    .because("who proposed a project withdraws it, or a steward")
                    .into());
            }
            let reason = needed(reason)?;
            people.requester.take_back(&id, &person.0.name, &reason).await.map_err(super::refusal)?
        }
        _ => return Err(ProblemKind::NotFound.because("approve, decline, reopen, close or withdraw").into()),
    };
    view(&id, says, &people).await
}

/// An answer that waits, or waited.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ReviewView {
    /// The asking node.
    pub peer: NodeId,
    /// The study.
    pub study: StudyId,
    /// Pseudonym of the asker.
    pub subject: String,
    /// Project.
    pub project: Option<String>,
    /// The query.
    pub query: Query,
    /// Why it waits.
    pub class: String,
    /// `waiting`, `released` or `refused`.
    pub state: String,
    /// The answer as it would leave.
    pub answer: Option<Answer>,
    /// Who decided.
    pub reviewer: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// When it was made.
    pub held: DateTime<Utc>,
    /// When it was decided.
    pub decided: Option<DateTime<Utc>>,
    /// Whether the reader asked it: then its numbers are not here, and somebody else decides.
    #[serde(default)]
    pub own: bool,
}

impl ReviewView {
    fn of(held: HeldAnswer) -> Self {
        Self {
            peer: held.peer,
            study: held.study,
            subject: held.subject,
            project: held.project,
            query: held.query,
            class: held.class,
            state: held.state.name().to_owned(),
            answer: held.answer,
            reviewer: held.reviewer,
            reason: held.reason,
            held: held.held,
            decided: held.decided,
            own: false,
        }
    }
}

impl ReviewView {
    /// Without its numbers for the person who asked, who has not got the answer yet.
    fn for_reader(mut self, person: &Person, people: &People) -> Self {
        let own = (people.responder.pseudonym)(&person.0.name, self.project.as_deref());
        if self.peer == people.responder.node && self.subject == own {
            (self.answer, self.own) = (None, true);
        }
        self
    }
}

async fn reviews(person: Person, people: Data<People>) -> Result<HttpResponse, Refusal> {
    person.0.role.demand(Action::ReadReviews)?;
    let held = people.responder.store.held_answers(None::<HeldState>).await.map_err(|error| fault(&error))?;
    let views = held.into_iter().map(|held| ReviewView::of(held).for_reader(&person, &people));
    Ok(HttpResponse::Ok().json(views.collect::<Vec<_>>()))
}

fn held_place(peer: &str, study: &str) -> Result<(NodeId, StudyId), Refusal> {
    let unknown = || ProblemKind::NotFound.because("no answer to that study waits");
    Ok((peer.parse().map_err(|_| unknown())?, study.parse().map_err(|_| unknown())?))
}

async fn review(person: Person, path: Path<(String, String)>, people: Data<People>) -> Result<HttpResponse, Refusal> {
    person.0.role.demand(Action::ReadReviews)?;
    let (peer, study) = held_place(&path.0, &path.1)?;
    show_review(&person, &peer, &study, &people).await
}

async fn show_review(
    person: &Person,
    peer: &NodeId,
    study: &StudyId,
    people: &People,
) -> Result<HttpResponse, Refusal> {
    let held = people.responder.store.held_answer(peer, study).await.map_err(|error| fault(&error))?;
    let held = held.ok_or_else(|| ProblemKind::NotFound.because("no answer to that study waits"))?;
    Ok(HttpResponse::Ok().json(ReviewView::of(held).for_reader(person, people)))
}

/// Body of `POST /api/v1/reviews/{peer}/{study}/{release|refuse|undo}`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReviewDecision {
    /// The reason; the asker reads it where the answer is refused.
    #[serde(default)]
    pub reason: String,
}

async fn decide_review(
    person: Person,
    path: Path<(String, String, String)>,
    body: Result<Bytes, actix_web::Error>,
    people: Data<People>,
) -> Result<HttpResponse, Refusal> {
    let (peer, study) = held_place(&path.0, &path.1)?;
    let ReviewDecision { reason } = parse_json(&bounded(body, MAX_BYTES)?)?;
    let (responder, by) = (&people.responder, steward(&person));
    match path.2.as_str() {
        "release" => responder.review(by, &peer, &study, true, reason).await?,
        "refuse" => responder.review(by, &peer, &study, false, reason).await?,
        "undo" => responder.undo_review(by, &peer, &study, reason).await?,
        _ => return Err(ProblemKind::NotFound.because("release, refuse or undo").into()),
    }
    show_review(&person, &peer, &study, &people).await
}

/// `?peer=ar&field=index_cancer&value=RETINOBLASTOMA`
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReleasedFilter {
    /// Asking node.
    pub peer: Option<NodeId>,
    /// Project.
    pub project: Option<String>,
    /// Analysis table.
    pub table: Option<String>,
    /// Field that the answers filter or group by.
    pub field: Option<String>,
    /// Value of that field that the answers tell of.
    pub value: Option<String>,
    /// Whether answers are wanted too that use a kindred field, or count the rows among all others.
    pub kin: Option<bool>,
    /// Release rule.
    pub rule: Option<String>,
    /// From when on.
    pub since: Option<DateTime<Utc>>,
    /// The most lines.
    pub most: Option<u32>,
}

impl ReleasedFilter {
    /// The same for the store.
    pub(crate) fn into_filter(self, dictionary: &Dictionary) -> (LedgerFilter, u32) {
        let most = self.most.unwrap_or(100).min(10_000);
        let kin = self.field.as_ref().filter(|_| self.kin == Some(true)).map(|field| kin(field, dictionary));
        let filter = LedgerFilter {
            peer: self.peer,
            subject: None,
            project: self.project,
            table: self.table,
            field: self.field,
            value: self.value,
            kin,
            since: self.since,
            rule: self.rule,
        };
        (filter, most)
    }
}

/// How answers tell about a field without using it.
fn kin(field: &str, dictionary: &Dictionary) -> Kin {
    let fields: BTreeSet<String> = dictionary.kindred(field).into_iter().map(str::to_owned).collect();
    let has = |table: &Table| table.names().any(|name| name == field || fields.contains(name));
    let tables = dictionary.tables().filter(|table| has(table)).map(|table| table.name.clone()).collect();
    Kin { fields, tables }
}

/// What left this node: who knows what.
async fn released(
    person: Person,
    filter: Result<web::Query<ReleasedFilter>, actix_web::Error>,
    people: Data<People>,
) -> Result<HttpResponse, Refusal> {
    person.0.role.demand(Action::ReadLedger)?;
    let filter = filter.map_err(|error| ProblemKind::BodyInvalid.at("query string", error.to_string()))?;
    let (filter, most) = filter.into_inner().into_filter(&people.responder.dictionary);
    let mut lines: Vec<LedgerLine> =
        people.responder.store.ledger(&filter, most).await.map_err(|error| fault(&error))?;
    // what has not left is told in reviews, where four eyes hold
    for line in lines.iter_mut().filter(|line| line.state != LineState::Given) {
        line.answer = None;
    }
    Ok(HttpResponse::Ok().json(lines))
}

/// How many of the newest studies of a node are looked through for one person's.
const MOST_STUDIES: u32 = 1_000;
/// How many of a person's studies are told.
const MOST_OWN: usize = 100;

/// One of a person's own studies, with what came of it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct OwnLedgerLine {
    /// The study.
    pub study: StudyId,
    /// When it was asked.
    pub started: DateTime<Utc>,
    /// Statistic by name.
    pub statistic: String,
    /// Analysis table.
    pub table: String,
    /// Project.
    pub project: Option<String>,
    /// What came from each node.
    pub nodes: Vec<OwnLedgerNode>,
}

/// What came from one node.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct OwnLedgerNode {
    /// The node.
    pub node: NodeId,
    /// Where its answer stands.
    pub status: Status,
    /// Name of the release rule of its answer.
    pub rule: Option<String>,
    /// Snapshot that it counted.
    pub snapshot: Option<Digest>,
    /// Why there is no answer.
    pub problem: Option<Problem>,
}

/// The signed-in person's own studies, newest first.
async fn own_ledger(person: Person, people: Data<People>) -> Result<HttpResponse, Refusal> {
    person.0.role.demand(Action::ReadOwnLedger)?;
    let requester = &people.requester;
    let studies = requester.store.recent_studies(MOST_STUDIES).await.map_err(|error| fault(&error))?;
    let own = studies.into_iter().filter(|study| study.asker == person.0.name).take(MOST_OWN);
    let mut lines = Vec::new();
    for stored in own {
        let study = requester.study(&stored.study).await.map_err(super::refusal)?;
        let node = |node: NodeState| OwnLedgerNode {
            rule: node.answer.map(|answer| answer.release().name().to_owned()),
            node: node.node,
            status: node.status,
            snapshot: node.snapshot,
            problem: node.problem,
        };
        lines.push(OwnLedgerLine {
            study: study.study,
            started: study.started,
            statistic: study.query.statistic.name().to_owned(),
            table: study.query.table,
            project: study.query.project,
            nodes: study.nodes.into_iter().map(node).collect(),
        });
    }
    Ok(HttpResponse::Ok().json(lines))
}

//! The port for this institute's people: `/api/v1`, TLS and access tokens; health for machines.

pub(crate) mod governance;

use std::{future::Ready, future::ready, sync::Arc, time::Duration};

use actix_web::{
    FromRequest, HttpRequest, HttpResponse,
    dev::Payload,
    http::header,
    web::{self, Bytes, Data, Path},
};
use chrono::TimeDelta;
use node_domain::{digest::Digest, node_id::NodeId};
use node_policy::role::{Action, Role};
use node_protocol::{
    problem::{Problem, ProblemKind},
    query::{MAX_BYTES, Query, parse_json},
    study::StudyId,
};
use node_requester::study::{Asker, Requester, StudyError};
use node_responder::answer::Responder;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::refusal::{Refusal, bounded, no_such_path};

/// The longest time that a request waits for a study.
const MAX_WAIT: Duration = Duration::from_secs(60);

/// A person with an access token.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccessToken {
    /// Name, for the audit.
    pub name: String,
    /// Role.
    pub role: Role,
    /// Hash of the token; the token itself is known to the person alone.
    pub sha256: Digest,
}

/// `tokens.toml`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccessTokens {
    /// One entry per person.
    #[serde(default)]
    pub token: Vec<AccessToken>,
}

impl AccessTokens {
    fn find(&self, token: &str) -> Option<&AccessToken> {
        let hash = Digest::of(token.as_bytes());
        self.token.iter().find(|known| known.sha256.as_bytes().ct_eq(hash.as_bytes()).into())
    }
}

/// The port's side of the node.
pub(crate) struct People {
    pub(crate) requester: Arc<Requester>,
    pub(crate) responder: Arc<Responder>,
    pub(crate) tokens: AccessTokens,
    pub(crate) lasting: TimeDelta,
    /// Where studies run: they outlive the connection that began them.
    pub(crate) runtime: tokio::runtime::Handle,
}

/// The signed-in person as an argument of a handler.
pub(crate) struct Person(AccessToken);

impl FromRequest for Person {
    type Error = Refusal;
    type Future = Ready<Result<Self, Refusal>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(signed_in(request).map(Self).map_err(Refusal::from))
    }
}

fn signed_in(request: &HttpRequest) -> Result<AccessToken, Problem> {
    let people = request.app_data::<Data<People>>();
    let people = people.ok_or_else(|| ProblemKind::Internal.because("the port is not set up"))?;
    let missing = || ProblemKind::SignInRequired.because("none was sent; send it as `Authorization: Bearer TOKEN`");
    let header = request.headers().get(header::AUTHORIZATION).ok_or_else(missing)?;
    let malformed =
        || ProblemKind::SignInRequired.because("the header is not of the form `Authorization: Bearer TOKEN`");
    let token = header.to_str().ok().and_then(|value| value.strip_prefix("Bearer ")).ok_or_else(malformed)?;
    let unknown = || {
        let detail = "this node knows no such token: it is another node's, it was removed, or it was added after the node started, \
                      which reads its list then; the operator adds one with `alianza add-token` and restarts the node";
        ProblemKind::SignInRequired.because(detail)
    };
    people.tokens.find(token).cloned().ok_or_else(unknown)
}

/// Paths of the port.
pub(crate) fn paths(app: &mut web::ServiceConfig) {
    app.app_data(web::PayloadConfig::new(MAX_BYTES))
        .service(web::resource("/healthz").get(healthz).default_service(web::to(no_such_path)))
        .service(web::resource("/readyz").get(readyz).default_service(web::to(no_such_path)))
        .service(web::resource("/api/v1/node").get(node).default_service(web::to(no_such_path)))
        .service(web::resource("/api/v1/studies").get(list).post(begin).default_service(web::to(no_such_path)))
        .service(web::resource("/api/v1/studies/{study}").get(show).default_service(web::to(no_such_path)))
        .service(web::resource("/api/v1/studies/{study}/answers").get(answers).default_service(web::to(no_such_path)))
        .configure(governance::paths)
        .default_service(web::to(no_such_path));
}

/// The process runs.
async fn healthz() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain").body("ok\n")
}

/// The node can answer: its database works, its membership holds, and something is published.
async fn readyz(people: Data<People>) -> Result<HttpResponse, Refusal> {
    let responder = &people.responder;
    let not_yet = |why: &str| ProblemKind::NoSnapshot.because(why);
    responder.store.ping().await.map_err(|_| ProblemKind::Internal.because("the database does not answer"))?;
    responder.roster.load().in_time(responder.clock.now())?;
    if responder.published.load().is_none() {
        return Err(not_yet("nothing is published: run `alianza ingest` and `alianza publish`").into());
    }
    Ok(HttpResponse::Ok().content_type("text/plain").body("ready\n"))
}

async fn node(_: Person, people: Data<People>) -> Result<HttpResponse, Refusal> {
    Ok(HttpResponse::Ok().json(people.responder.describe()?))
}

/// Body of `POST /api/v1/studies`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewStudy {
    /// The query.
    pub query: Query,
    /// Nodes to ask; if empty those that the query's project asks, or all active ones.
    #[serde(default)]
    pub nodes: Vec<NodeId>,
    /// How long to wait for all nodes before answering with what has come, milliseconds.
    #[serde(default)]
    pub wait_ms: u64,
}

async fn begin(
    person: Person,
    body: Result<Bytes, actix_web::Error>,
    people: Data<People>,
) -> Result<HttpResponse, Refusal> {
    person.0.role.demand(Action::Ask)?;
    let new: NewStudy = parse_json(&bounded(body, MAX_BYTES)?)?;
    new.query.check_shape()?;
    new.query.check_against(&people.responder.dictionary)?;
    let asker = Asker { subject: person.0.name, role: person.0.role.name().to_owned() };
    let requester = &people.requester;
    let study = requester.begin(asker, new.query, &new.nodes, people.lasting).await.map_err(refusal)?;

    let (pursuer, pursued) = (Arc::clone(requester), study.clone());
    let (all, heard) = tokio::sync::oneshot::channel::<()>();
    people.runtime.spawn(async move {
        if let Err(error) = pursuer.pursue(&pursued).await {
            tracing::error!(study.id = %pursued, error = &error as &dyn std::error::Error, "a study stopped");
        }
        drop(all); // whoever waits is woken
    });
    let wait = Duration::from_millis(new.wait_ms).min(MAX_WAIT);
    let _ = tokio::time::timeout(wait, heard).await; // what has come by then is shown
    let view = requester.study(&study).await.map_err(refusal)?;
    Ok(HttpResponse::Created().insert_header((header::LOCATION, format!("/api/v1/studies/{study}"))).json(view))
}

/// One line of the list of studies: the asker's own released answers are in the study itself.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StudyLine {
    /// Identity.
    pub study: StudyId,
    /// Who asked.
    pub asker: String,
    /// Statistic.
    pub statistic: String,
    /// When.
    pub started: chrono::DateTime<chrono::Utc>,
}

async fn list(_: Person, people: Data<People>) -> Result<HttpResponse, Refusal> {
    let studies = people.requester.store.recent_studies(100).await.map_err(|error| refusal(error.into()))?;
    let lines: Vec<StudyLine> = studies
        .into_iter()
        .map(|study| StudyLine {
            study: study.study,
            asker: study.asker,
            statistic: study.query.statistic.name().to_owned(),
            started: study.started,
        })
        .collect();
    Ok(HttpResponse::Ok().json(lines))
}

async fn show(_: Person, study: Path<String>, people: Data<People>) -> Result<HttpResponse, Refusal> {
    Ok(HttpResponse::Ok().json(people.requester.study(&named(&study)?).await.map_err(refusal)?))
}

async fn answers(_: Person, study: Path<String>, people: Data<People>) -> Result<HttpResponse, Refusal> {
    let signed = people.requester.signed_answers(&named(&study)?).await.map_err(refusal)?;
    Ok(HttpResponse::Ok().json(signed.into_iter().collect::<std::collections::BTreeMap<_, _>>()))
}

fn named(study: &str) -> Result<StudyId, Refusal> {
    study
        .parse()
        .map_err(|error: node_protocol::study::StudyIdError| ProblemKind::NotFound.because(error.to_string()).into())
}

fn refusal(error: StudyError) -> Refusal {
    match error {
        StudyError::Problem(problem) => problem.into(),
        StudyError::Store(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "a study could not be read or written");
            ProblemKind::Internal.because("the operator finds the reason in the log").into()
        }
    }
}

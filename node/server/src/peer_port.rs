//! The port for peers: `/v1`, mutual TLS, nothing without a recognised certificate.

use std::{future::Ready, future::ready, sync::Arc, time::Instant};

use actix_web::{
    FromRequest, HttpRequest, HttpResponse,
    dev::Payload,
    http::header,
    web::{self, Bytes, Data},
};
use node_protocol::{
    envelope::AnswerRequest,
    problem::{Problem, ProblemKind},
    query::{MAX_BYTES, parse_json},
};
use node_responder::answer::Responder;
use node_trust::token::{Peer, recognise};

use crate::refusal::{Refusal, bounded, no_such_path};

/// Content type of signed statements.
const JOSE: &str = "application/jose";

/// The certificate that the connection was made with: the FIRST of the chain, in DER.
pub(crate) struct PeerCertificate(pub(crate) Vec<u8>);

/// The recognised peer as an argument of a handler; looked up at every request, since connections outlive revocations.
pub(crate) struct Recognised(Peer);

impl FromRequest for Recognised {
    type Error = Refusal;
    type Future = Ready<Result<Self, Refusal>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(recognised(request).map_err(Refusal::from))
    }
}

fn recognised(request: &HttpRequest) -> Result<Recognised, Problem> {
    let unknown = || ProblemKind::UnknownPeer.because("no certificate was shown");
    let certificate = request.conn_data::<PeerCertificate>().ok_or_else(unknown)?;
    let responder = request
        .app_data::<Data<Arc<Responder>>>()
        .ok_or_else(|| ProblemKind::Internal.because("the port is not set up"))?;
    let peer = recognise(&certificate.0, &responder.roster.load(), responder.clock.now())?;
    Ok(Recognised(peer))
}

/// Paths of the port.
pub(crate) fn paths(app: &mut web::ServiceConfig) {
    let bad = |error: actix_web::error::QueryPayloadError, _: &HttpRequest| {
        Refusal::from(ProblemKind::BodyInvalid.at("after", error.to_string())).into()
    };
    app.app_data(web::PayloadConfig::new(MAX_BYTES))
        .app_data(web::QueryConfig::default().error_handler(bad))
        .service(web::resource("/v1/answers").name("answers").post(answers).default_service(web::to(no_such_path)))
        .service(
            web::resource("/v1/estimates").name("estimates").post(estimates).default_service(web::to(no_such_path)),
        )
        .service(web::resource("/v1/projects").name("projects").post(propose).default_service(web::to(no_such_path)))
        .service(
            web::resource("/v1/projects/withdrawals")
                .name("withdrawals")
                .post(withdraw)
                .default_service(web::to(no_such_path)),
        )
        .service(
            web::resource("/v1/projects/{project}").name("project").get(project).default_service(web::to(no_such_path)),
        )
        .service(web::resource("/v1/node").name("node").get(node).default_service(web::to(no_such_path)))
        .service(web::resource("/v1/heads").name("heads").get(heads).default_service(web::to(no_such_path)))
        .service(
            web::resource("/v1/membership").name("membership").get(membership).default_service(web::to(no_such_path)),
        )
        .default_service(web::to(no_such_path));
}

async fn answers(
    peer: Recognised,
    request: HttpRequest,
    body: Result<Bytes, actix_web::Error>,
    responder: Data<Arc<Responder>>,
) -> Result<HttpResponse, Refusal> {
    let (token, question) = asked(&request, body)?;
    let (study, statistic, begun) = (question.study.clone(), question.query.statistic.name(), Instant::now());
    let answered = responder.answer(&peer.0, token, question).await;
    let outcome = answered.as_ref().map_or_else(|problem| problem.kind.urn(), |_| "answered");
    let duration_ms = begun.elapsed().as_secs_f64() * 1e3;
    tracing::info!(peer.id = %peer.0.node(), study.id = %study, statistic, outcome, duration_ms, "a peer asked");
    Ok(HttpResponse::Ok().content_type(JOSE).body(answered?))
}

/// The token and the question of a request.
fn asked(request: &HttpRequest, body: Result<Bytes, actix_web::Error>) -> Result<(&str, AnswerRequest), Refusal> {
    let token =
        request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let token = token.ok_or_else(|| ProblemKind::TokenInvalid.because("send it as `Authorization: Bearer`"))?;
    let question: AnswerRequest = parse_json(&bounded(body, MAX_BYTES)?)?;
    question.query.check_shape()?;
    Ok((token, question))
}

async fn estimates(
    peer: Recognised,
    request: HttpRequest,
    body: Result<Bytes, actix_web::Error>,
    responder: Data<Arc<Responder>>,
) -> Result<HttpResponse, Refusal> {
    let (token, question) = asked(&request, body)?;
    let query = question.query.clone();
    match responder.estimate(&peer.0, token, question).await {
        Ok(estimate) => Ok(HttpResponse::Ok().json(estimate)),
        Err(problem) => Err(responder.told(&peer.0, &query, problem).await.into()),
    }
}

async fn propose(
    peer: Recognised,
    body: Result<Bytes, actix_web::Error>,
    responder: Data<Arc<Responder>>,
) -> Result<HttpResponse, Refusal> {
    let status = responder.receive_project(&peer.0, &text(body)?).await?;
    Ok(HttpResponse::Ok().content_type(JOSE).body(status))
}

async fn withdraw(
    peer: Recognised,
    body: Result<Bytes, actix_web::Error>,
    responder: Data<Arc<Responder>>,
) -> Result<HttpResponse, Refusal> {
    let status = responder.receive_withdrawal(&peer.0, &text(body)?).await?;
    Ok(HttpResponse::Ok().content_type(JOSE).body(status))
}

async fn project(
    peer: Recognised,
    project: web::Path<String>,
    responder: Data<Arc<Responder>>,
) -> Result<HttpResponse, Refusal> {
    let unknown = || ProblemKind::NotFound.because("this node proposed no such project");
    let id = project.parse().map_err(|_| unknown())?;
    Ok(HttpResponse::Ok().content_type(JOSE).body(responder.project_status(&peer.0, &id).await?))
}

/// A signed statement.
fn text(body: Result<Bytes, actix_web::Error>) -> Result<String, Refusal> {
    let bytes = bounded(body, MAX_BYTES)?;
    let text = String::from_utf8(bytes.to_vec());
    Ok(text.map_err(|_| ProblemKind::BodyInvalid.because("a signed statement is ASCII text"))?)
}

async fn node(_: Recognised, responder: Data<Arc<Responder>>) -> Result<HttpResponse, Refusal> {
    Ok(HttpResponse::Ok().json(responder.describe()?))
}

/// `?after=N`
#[derive(serde::Deserialize)]
struct After {
    #[serde(default)]
    after: u64,
}

async fn heads(
    peer: Recognised,
    page: web::Query<After>,
    responder: Data<Arc<Responder>>,
) -> Result<HttpResponse, Refusal> {
    Ok(HttpResponse::Ok().json(responder.heads(&peer.0, page.after).await?))
}

async fn membership(
    _: Recognised,
    page: web::Query<After>,
    responder: Data<Arc<Responder>>,
) -> Result<HttpResponse, Refusal> {
    Ok(HttpResponse::Ok().json(responder.memberships(page.after).await?))
}

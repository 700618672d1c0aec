//! Problems as HTTP responses: the one place where they are rendered.

use std::fmt;

use actix_web::{HttpRequest, HttpResponse, ResponseError, http::StatusCode, http::header};
use node_protocol::problem::{Problem, ProblemKind};

/// A refusal on its way out.
#[derive(Debug)]
pub(crate) struct Refusal(Box<Problem>);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self(Box::new(problem))
    }
}

impl ResponseError for Refusal {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        response.content_type("application/problem+json");
        if let Some(seconds) = self.0.retry_after_s {
            response.insert_header((header::RETRY_AFTER, seconds.to_string()));
        }
        // a problem holds only text and numbers, which always serialise
        response.body(serde_json::to_string(&self.0).unwrap_or_default())
    }
}

/// The response to a path that there is not.
pub(crate) async fn no_such_path(request: HttpRequest) -> Result<HttpResponse, Refusal> {
    let known = request.resource_map().match_name(request.path()).is_some() || request.match_pattern().is_some();
    Err(if known {
        ProblemKind::MethodNotAllowed.because("see the interface description for the methods of this path").into()
    } else {
        ProblemKind::NotFound.because("this port has no such path").into()
    })
}

/// The body within its bound, or the refusal to read it.
pub(crate) fn bounded(
    body: Result<actix_web::web::Bytes, actix_web::Error>,
    most: usize,
) -> Result<actix_web::web::Bytes, Refusal> {
    body.map_err(|error| {
        let too_large = error.as_response_error().status_code() == StatusCode::PAYLOAD_TOO_LARGE;
        let kind = if too_large { ProblemKind::BodyTooLarge } else { ProblemKind::BodyInvalid };
        kind.because(format!("the body could not be read; at most {most} bytes are")).into()
    })
}

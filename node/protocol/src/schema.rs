//! The JSON Schemas of the protocol, generated from the types into `schemas/protocol/`.

use schemars::{JsonSchema, schema_for};
use serde_json::Value;

use crate::{envelope, problem::Problem, project, query::Query, study::Study};

/// File names and contents of `schemas/protocol/` that come from this crate.
#[must_use]
pub fn documents() -> Vec<(&'static str, String)> {
    vec![
        ("query.schema.json", document::<Query>()),
        ("answer-request.schema.json", document::<envelope::AnswerRequest>()),
        ("answer.schema.json", document::<envelope::AnswerStatement>()),
        ("node.schema.json", document::<envelope::NodeStatement>()),
        ("heads.schema.json", document::<envelope::Heads>()),
        ("project.schema.json", document::<project::Project>()),
        ("project-status.schema.json", document::<project::ProjectStatus>()),
        ("study.schema.json", document::<Study>()),
        ("problem.schema.json", document::<Problem>()),
    ]
}

/// The schema of one type, indented, with a final newline.
#[must_use]
pub fn document<T: JsonSchema>() -> String {
    let schema: Value = schema_for!(T).into();
    format!("{schema:#}\n")
}

//! End-to-end tests over real nodes: one binary, a file per behaviour.

#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

mod abuse;
#[path = "../attacks/mod.rs"]
mod attacks;
mod audit;
mod crash;
mod founding;
mod governance;
mod identity;
mod interfaces;
mod killed;
mod membership;
mod program;
mod registry;
mod study;
mod truth;

/// The default members in the order of `config/members.csv`.
const SIXTEEN: [&str; 16] =
    ["mx", "ar", "co", "do", "us", "es", "br", "cl", "pe", "gt", "ec", "uy", "sv", "hn", "pa", "py"];

/// Counts all persons.
const COUNT: &str = r#"{"dictionary":"1.0","table":"cases","statistic":{"kind":"count"}}"#;

//! The running node: configuration, the two ports, the command line, the rehearsal federation.
//!
//! The only crate that knows actix-web or reads configuration; nothing imports it but tests. No rule about data lives here.

pub mod application;
pub mod attack;
pub mod cli;
mod commands;
pub mod config;
pub mod demo;
pub mod keystore;
pub mod operate;
mod peer_port;
pub mod people_client;
mod people_port;
mod refusal;
mod shelved;
pub mod terminal;

//! The program under test, built by this package so that its tests can start and kill real processes.

use std::process::ExitCode;

use clap::Parser;
use node_server::cli::{Cli, run};

fn main() -> ExitCode {
    run(Cli::parse())
}

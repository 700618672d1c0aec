//! The `alianza` program: parses the command line and runs one command.

use std::process::ExitCode;

use clap::Parser;
use node_server::cli::{Cli, run};

fn main() -> ExitCode {
    run(Cli::parse())
}

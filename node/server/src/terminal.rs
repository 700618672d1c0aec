//! Standard output, which is a contract: every command writes there through this module, and notes go to standard error.

use std::{
    fmt::Display,
    io::{self, Write},
};

use serde::Serialize;

/// Writes one line to standard output.
pub fn say(line: impl Display) {
    // a reader that has gone away, such as `head`, wants no more; the command still ends as it should
    let _ = writeln!(io::stdout().lock(), "{line}");
}

/// Writes a note to standard error.
pub fn note(line: impl Display) {
    // standard error may be closed; then there is nowhere to say so
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Writes a value as JSON to standard output.
///
/// # Errors
/// Where the value cannot be written as JSON.
pub fn say_json<T: Serialize>(value: &T) -> serde_json::Result<()> {
    say(serde_json::to_string_pretty(value)?);
    Ok(())
}

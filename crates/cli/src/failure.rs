//! What ends a command early, and the exit code that it means.

use crate::npy::NpyError;
use anyhow::Error;
use std::{io, process::ExitCode};

/// Input that cannot be right: the command exits 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BadInput(pub String);

/// An error for input that cannot be right. The message names the thing and what would be right.
pub fn bad_input(message: impl Into<String>) -> Error {
    BadInput(message.into()).into()
}

/// Prints the error on standard error and gives its exit code: 2 for invalid input, 1 for a failure at run
/// time, 0 where the reader of standard output went away.
pub fn report(error: &Error) -> ExitCode {
    if error.chain().any(is_closed_pipe) {
        return ExitCode::SUCCESS;
    }
    crate::output::complain(&format!("error: {error:#}"));
    ExitCode::from(if error.chain().any(is_bad_input) { 2 } else { 1 })
}

fn is_closed_pipe(e: &(dyn std::error::Error + 'static)) -> bool {
    e.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
}

fn is_bad_input(e: &(dyn std::error::Error + 'static)) -> bool {
    e.is::<BadInput>()
        || e.is::<NpyError>()
        || e.downcast_ref::<evener::Error>().is_some_and(evener::Error::is_invalid_input)
}

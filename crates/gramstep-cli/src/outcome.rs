//! How a command ends: exit codes, and errors with their hints.

use std::io;
use std::process::ExitCode;

use gramstep_train::Error;

/// How a command that did not fail ended.
#[derive(Clone, Copy)]
pub(crate) enum Outcome {
    Done,
    /// By the user; what there was is kept.
    Interrupted,
    /// A claim of the theory was refuted.
    Refuted,
}

/// Why a command failed.
pub(crate) enum Failure {
    Work(Error),
    /// stdout could not be written.
    Stdout(io::Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Work(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Stdout(error)
    }
}

pub(crate) type Result = std::result::Result<Outcome, Failure>;

/// 0 done, 1 the work failed, 2 wrong use, 3 a claim was refuted, 130 interrupted.
pub(crate) fn exit_code(result: Result) -> ExitCode {
    match result {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Refuted) => ExitCode::from(3),
        Ok(Outcome::Interrupted) => ExitCode::from(130),
        // The reader has seen enough: `gramstep predict .. | head`.
        Err(Failure::Stdout(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(Failure::Stdout(error)) => {
            eprintln!("error: cannot write to stdout: {error}");
            ExitCode::FAILURE
        }
        Err(Failure::Work(error)) => {
            eprintln!("error: {error}");
            if let Some(hint) = error.hint() {
                eprintln!("hint: {hint}");
            }
            ExitCode::from(if error.is_usage() { 2 } else { 1 })
        }
    }
}

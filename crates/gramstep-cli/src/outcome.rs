//! How a command ends: exit codes, and errors with their hints.

use std::io;
use std::process::ExitCode;

use gramstep_train::Error;

use crate::streams::say;

/// How a command that did not fail ended.
#[derive(Clone, Copy)]
pub(crate) enum Outcome {
    Done,
    /// A part of its work failed, which its results tell.
    Failed,
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
    ExitCode::from(match result {
        Ok(Outcome::Done) => 0,
        Ok(Outcome::Failed) => 1,
        Ok(Outcome::Refuted) => 3,
        Ok(Outcome::Interrupted) => 130,
        Err(failure) => failure.report(),
    })
}

impl Failure {
    /// Tells the user; returns the exit code.
    pub(crate) fn report(&self) -> u8 {
        match self {
            Self::Stdout(error) => {
                say(format_args!("error: cannot write to stdout: {error}"));
                1
            }
            Self::Work(Error::Core(gramstep::Error::Interrupted)) => {
                say(format_args!("interrupted: nothing was kept"));
                130
            }
            Self::Work(error) => {
                say(format_args!("error: {error}"));
                if let Some(hint) = error.hint() {
                    say(format_args!("hint: {hint}"));
                }
                if error.is_usage() { 2 } else { 1 }
            }
        }
    }
}

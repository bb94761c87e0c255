//! The command `gramstep`: arguments in, results on stdout, talk on stderr.

mod attack;
mod compare;
#[cfg(feature = "mpi")]
mod distributed;
mod ending;
mod info;
mod kernel;
mod options;
mod outcome;
mod predict;
mod progress;
mod report;
mod streams;
mod text;
mod train;
mod verify;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Train overparameterised networks with Gram-Gauss-Newton, a second-order method at about the price of gradient
/// descent.
#[derive(Parser)]
#[command(name = "gramstep", version, max_term_width = 100, arg_required_else_help = true)]
#[command(args_override_self = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Train(train::Train),
    Predict(predict::Predict),
    Compare(compare::Compare),
    Kernel(kernel::Kernel),
    Report(report::Report),
    Attack(attack::Attack),
    Verify(verify::Verify),
    Info(info::Info),
}

fn main() -> ExitCode {
    let command = Arguments::parse().command;
    let ending = ending::Ending::listen();
    let result = match command {
        Command::Train(command) => command.run(&ending),
        Command::Predict(command) => command.run(),
        Command::Compare(command) => command.run(&ending),
        Command::Kernel(command) => command.run(&ending),
        Command::Report(command) => command.run(),
        Command::Attack(command) => command.run(&ending),
        Command::Verify(command) => command.run(&ending),
        Command::Info(command) => command.run(),
    };
    outcome::exit_code(result)
}

//! Benchmarks: `cargo run --release --manifest-path bench/Cargo.toml -- CASE [--repeats N] [--threads N]` prints one
//! JSON line a measured operation: `{op, config, median_s, min_s, max_s, repeats}`. Operations of a case are timed in
//! turn, so that their ratio holds when the machine's speed drifts.

mod attack;
mod cases;
mod convolution;
mod ensemble;
mod images;
mod networks;
mod timing;

use std::process::ExitCode;

const USAGE: &str = "usage: gramstep-bench CASE.. [--repeats N] [--threads N]";

/// What every case needs to know.
struct Options {
    repeats: usize,
    threads: usize,
}

fn main() -> ExitCode {
    let mut options = Options { repeats: 20, threads: 2 };
    let mut names = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let target = match argument.as_str() {
            "--repeats" => &mut options.repeats,
            "--threads" => &mut options.threads,
            _ => {
                names.push(argument);
                continue;
            }
        };
        match arguments.next().and_then(|value| value.parse().ok()) {
            Some(value) if value > 0 => *target = value,
            _ => return fail(&format!("{argument} takes a positive number")),
        }
    }
    if names.is_empty() {
        return fail(&format!("no case given; there are {}, all", cases::NAMES.join(", ")));
    }
    if names == ["all"] {
        names = cases::NAMES.map(str::to_owned).to_vec();
    }
    for name in names {
        match cases::run(&name, &options) {
            Ok(()) => {}
            Err(message) => return fail(&message),
        }
    }
    ExitCode::SUCCESS
}

fn fail(message: &str) -> ExitCode {
    eprintln!("{message}\n{USAGE}");
    ExitCode::from(2)
}

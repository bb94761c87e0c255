//! The program as users meet it: the real binary on real files.

mod attack;
mod bad_data;
mod bad_options;
mod bad_runs;
mod classification;
mod compare;
#[cfg(feature = "mpi")]
mod distributed;
mod faults;
mod images;
mod info;
mod init;
mod interrupt;
mod kernel;
mod kernel_regression;
mod labels;
mod numpy;
mod old_runs;
mod reading;
mod record;
mod resume;
mod train_and_predict;
mod verify;

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// A working directory of its own for each test.
struct Bench {
    folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).expect("a written file");
        path
    }

    fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gramstep"));
        command.current_dir(self.folder.path()).args(arguments.split_whitespace());
        command
    }

    fn run(&self, arguments: &str) -> Run {
        Run::of(self.command(arguments).output().expect("the program runs"))
    }

    /// Runs a script of the shell; `gramstep` is the program.
    #[cfg(unix)]
    fn shell(&self, script: &str) -> Run {
        let script = script.replace("gramstep", env!("CARGO_BIN_EXE_gramstep"));
        Run::of(Command::new("sh").args(["-c", &script]).current_dir(self.folder.path()).output().expect("a shell"))
    }

    /// Runs a command that has to succeed and print one JSON object.
    fn json(&self, arguments: &str) -> Value {
        let run = self.run(arguments);
        assert_eq!(run.code, 0, "{arguments}\n{}", run.stderr);
        assert_eq!(run.stdout.lines().count(), 1, "{}", run.stdout);
        serde_json::from_str(&run.stdout).expect("a JSON object")
    }

    /// Runs a command that has to fail with this exit code; every given text must be in the message.
    #[track_caller]
    fn fails(&self, arguments: &str, code: i32, texts: &[&str]) {
        let run = self.run(arguments);
        assert_eq!(run.code, code, "{arguments}\n{}", run.stderr);
        assert_eq!(run.stdout, "", "{arguments}");
        assert!(run.stderr.lines().any(|line| line.starts_with("error: ")), "{}", run.stderr);
        for text in texts {
            assert!(run.stderr.contains(text), "`{text}` is not in\n{}", run.stderr);
        }
        assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
    }
}

struct Run {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Run {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).expect("text"),
            stderr: String::from_utf8(output.stderr).expect("text"),
        }
    }
}

/// A table of three inputs, a text column and a smooth target.
fn smooth_table(rows: usize) -> String {
    let mut text = "a,b,kind,y\n".to_owned();
    for i in 0..rows {
        let (a, b) = ((i * 37 % 101) as f64 / 101.0, (i * 53 % 97) as f64 / 97.0);
        let kind = ["low", "mid", "high"][i % 3];
        let y = 20.0 + 5.0 * (3.0 * a).sin() + 4.0 * b * b + (i % 3) as f64;
        writeln!(text, "{a},{b},{kind},{y}").expect("a string can be written");
    }
    text
}

/// The columns of a CSV as text.
fn columns(path: &Path) -> Vec<(String, Vec<String>)> {
    let mut reader = csv::Reader::from_path(path).expect("a CSV");
    let mut columns: Vec<(String, Vec<String>)> =
        reader.headers().expect("a header").iter().map(|name| (name.to_owned(), Vec::new())).collect();
    for record in reader.records() {
        for (cell, column) in record.expect("a row").iter().zip(&mut columns) {
            column.1.push(cell.to_owned());
        }
    }
    columns
}

fn numbers(column: &(String, Vec<String>)) -> Vec<f64> {
    column.1.iter().map(|cell| cell.parse().expect("a number")).collect()
}

#![cfg(unix)]

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Bench, Run, smooth_table};

/// The longest that a program may take from a signal to its end.
const SOON: Duration = Duration::from_secs(5);

/// A training that never ends by itself.
const ENDLESS: &str = "--optimizer sgd --model mlp:16:gelu --epochs 100000000 --patience 100000000";

impl Bench {
    fn start(&self, arguments: &str) -> Child {
        self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Waits until a file of a run is so long: the record is flushed after every epoch.
    fn wait_for(&self, file: &str, bytes: u64) {
        let (path, start) = (self.path(file), Instant::now());
        while std::fs::metadata(&path).map_or(0, |file| file.len()) < bytes && start.elapsed().as_secs() < 30 {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn send(signal: &str, child: &Child) {
    Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
}

/// Sends a signal; the program has to end soon, with 130.
#[track_caller]
fn ended_by(signal: &str, child: Child) -> Run {
    send(signal, &child);
    let start = Instant::now();
    let run = Run::of(child.wait_with_output().unwrap());
    assert_eq!(run.code, 130, "{signal}\n{}", run.stderr);
    assert!(start.elapsed() < SOON, "{signal}: {:?}\n{}", start.elapsed(), run.stderr);
    run
}

#[test]
fn a_run_that_a_signal_ends_exits_with_130_and_keeps_its_model_and_a_checkpoint() {
    let bench = Bench::new();
    bench.write("t.csv", smooth_table(80));
    let signals: &[&str] = &["-INT", "-TERM", "-USR1", "-HUP"];
    // Under `nohup` the tests pass on that a hang-up is nothing.
    for signal in signals.iter().take(if ignores_hang_ups() { 3 } else { 4 }) {
        let child = bench.start(&format!("train --data t.csv {ENDLESS} --json --out run{signal}"));
        bench.wait_for(&format!("run{signal}/record.jsonl"), 5000);
        let run = ended_by(signal, child);
        let report: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(report["stop_reason"], "interrupted");
        assert_eq!(bench.run(&format!("predict run{signal} --data t.csv --quiet")).code, 0);
        assert!(bench.path(&format!("run{signal}/checkpoint.json")).exists());
    }
}

/// Whether this process was started to ignore hang-ups, and so is what it starts.
fn ignores_hang_ups() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

#[test]
fn a_hang_up_is_nothing_to_a_program_that_was_started_to_ignore_it() {
    let bench = Bench::new();
    bench.write("t.csv", smooth_table(80));
    let script = format!("trap '' HUP; exec {} train --data t.csv {ENDLESS} --out run", env!("CARGO_BIN_EXE_gramstep"));
    let mut child = Command::new("sh");
    child.args(["-c", &script]).current_dir(bench.path("."));
    let mut child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    bench.wait_for("run/record.jsonl", 3000);
    send("-HUP", &child);
    let then = std::fs::metadata(bench.path("run/record.jsonl")).unwrap().len();
    // Far more than the last words of a run that ends.
    bench.wait_for("run/record.jsonl", then + 100_000);
    assert!(std::fs::metadata(bench.path("run/record.jsonl")).unwrap().len() > then + 50_000);
    assert!(child.try_wait().unwrap().is_none());
    ended_by("-TERM", child);
}

#[test]
fn an_interrupted_attack_reports_the_radii_that_are_done() {
    let bench = Bench::new();
    bench.write("t.csv", smooth_table(80));
    bench.json("train --data t.csv --model mlp:16:tanh --epochs 3 --quiet --json --out run");
    // One step of the search takes no time, the first radius takes hours.
    let child = bench.start("attack run --data t.csv --norm linf --radius 0.01 --attack pgd:100000000 --json");
    std::thread::sleep(Duration::from_millis(500));
    let run = ended_by("-INT", child);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(report["interrupted"], true);
    assert!(report["robust"].as_array().unwrap().is_empty() && report["clean"]["rows"] == 80);
}

#[test]
fn an_interrupted_verification_tells_the_claims_that_are_through() {
    let bench = Bench::new();
    let child = bench.start("verify --full --json --out verdicts --threads 1");
    std::thread::sleep(Duration::from_millis(1500));
    let run = ended_by("-INT", child);
    let found: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(found["interrupted"], true);
    assert!(found["claims"].as_array().unwrap().len() < 12 && bench.path("verdicts/certificates.json").exists());
}

#[test]
fn a_second_signal_ends_a_long_step_at_once() {
    let bench = Bench::new();
    bench.write("t.csv", smooth_table(6000));
    let child = bench.start("train --data t.csv --model ntk:depth=1:relu --out run --threads 1");
    std::thread::sleep(Duration::from_millis(2500));
    send("-INT", &child);
    std::thread::sleep(Duration::from_millis(300));
    let start = Instant::now();
    ended_by("-INT", child);
    // The first one alone would be given three and a half seconds.
    assert!(start.elapsed() < Duration::from_millis(2500), "{:?}", start.elapsed());
}

#[test]
fn a_solve_of_minutes_ends_with_nothing_kept_and_says_so() {
    let bench = Bench::new();
    bench.write("t.csv", smooth_table(6000));
    let child = bench.start("train --data t.csv --model ntk:depth=1:relu --out run --threads 1");
    std::thread::sleep(Duration::from_millis(2500));
    let run = ended_by("-INT", child);
    assert!(run.stderr.contains("long computation") && !bench.path("run").exists(), "{}", run.stderr);
}

#[test]
fn a_search_of_scales_ends_with_nothing_kept_and_says_so() {
    let bench = Bench::new();
    bench.write("t.csv", smooth_table(1000));
    let child = bench.start("train --data t.csv --model kernel:anova-matern32 --out run --threads 1");
    std::thread::sleep(Duration::from_secs(1));
    let run = ended_by("-INT", child);
    assert!(run.stderr.contains("nothing was kept") && !bench.path("run").exists(), "{}", run.stderr);
}

#[test]
fn a_step_without_end_leaves_the_model_of_the_steps_before_it() {
    let bench = Bench::new();
    bench.write("t.csv", smooth_table(80));
    let settings = "--model mlp:8:tanh --epochs 100000000 --patience 100000000 --adversarial linf:0.1:pgd:3";
    let mut child = bench.start(&format!("train --data t.csv {settings} --out run"));
    bench.wait_for("run/record.jsonl", 5000);
    child.kill().unwrap();
    child.wait().unwrap();
    std::fs::remove_file(bench.path("run/model.safetensors")).ok();
    let checkpoint = std::fs::read(bench.path("run/checkpoint.json")).unwrap();
    // From here on a step takes for ever.
    let config = std::fs::read_to_string(bench.path("run/config.toml")).unwrap();
    bench.write("run/config.toml", config.replace("pgd:3", "pgd:1000000000"));
    let child = bench.start("train --resume run --json");
    std::thread::sleep(Duration::from_secs(1));
    let run = ended_by("-INT", child);
    assert!(run.stderr.contains("long step"), "{}", run.stderr);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(report["stop_reason"], "interrupted");
    assert_eq!(std::fs::read(bench.path("run/checkpoint.json")).unwrap(), checkpoint);
    assert_eq!(bench.run("predict run --data t.csv --quiet").code, 0);
    assert!(bench.path("run/report.html").exists() && !bench.path("run/run.lock").exists());
}

#[test]
fn a_comparison_that_is_ended_in_a_long_step_tells_the_methods_that_are_done() {
    let bench = Bench::new();
    bench.write("t.csv", smooth_table(13_000));
    let settings = "--optimizers adam,gram-gauss-newton --model mlp:512,256:gelu --batch-size full --epochs 1";
    let child = bench.start(&format!("compare --data t.csv {settings} --threads 1 --precision f32 --json --out kept"));
    bench.wait_for("kept/gram-gauss-newton/config.toml", 1);
    std::thread::sleep(Duration::from_millis(500));
    let run = ended_by("-INT", child);
    assert!(run.stderr.contains("done before it is told"), "{}", run.stderr);
    let result: Value = serde_json::from_str(&run.stdout).unwrap();
    let names: Vec<_> = result["runs"].as_array().unwrap().iter().map(|run| run["optimizer"].clone()).collect();
    assert_eq!(names, ["adam"]);
}

#[test]
fn a_choice_that_is_ended_keeps_the_best_so_far_and_is_made_again_by_resume() {
    let bench = Bench::new();
    bench.write("t.csv", smooth_table(150));
    let settings = "train --data t.csv --patience 8 --threads 1";
    let whole = bench.run(&format!("{settings} --out whole"));
    assert_eq!(whole.code, 0, "{}", whole.stderr);
    let child = bench.start(&format!("{settings} --json --out cut"));
    std::thread::sleep(Duration::from_millis(300));
    let run = ended_by("-INT", child);
    assert!(run.stderr.contains("not all architectures were tried"), "{}", run.stderr);
    assert!(run.stderr.contains("--resume cut"), "{}", run.stderr);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(report["stop_reason"], "interrupted");
    assert_eq!(bench.run("predict cut --data t.csv --quiet").code, 0);
    let resumed = bench.run("train --resume cut");
    assert_eq!(resumed.code, 0, "{}", resumed.stderr);
    let model = |run: &str| std::fs::read(bench.path(run).join("model.safetensors")).unwrap();
    assert!(model("cut") == model("whole"));
}

#[test]
fn a_prediction_ends_at_once() {
    let bench = Bench::new();
    bench.write("t.csv", smooth_table(80));
    bench.json("train --data t.csv --model mlp:16:tanh --epochs 3 --quiet --json --out run");
    // A pipe that nobody writes to.
    Command::new("mkfifo").arg(bench.path("waiting.csv")).status().unwrap();
    let child = bench.start("predict run --data waiting.csv");
    std::thread::sleep(Duration::from_millis(300));
    ended_by("-TERM", child);
}

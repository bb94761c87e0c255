#![cfg(unix)]

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{Bench, Run, smooth_table};

#[test]
fn an_interrupted_run_ends_with_130_and_keeps_its_model() {
    let bench = Bench::new();
    bench.write("t.csv", smooth_table(80));
    let endless = "--optimizer sgd --model mlp:16:gelu --epochs 100000000 --patience 100000000";
    let child = bench
        .command(&format!("train --data t.csv {endless} --json --out run"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The record is flushed after every epoch: when it is long, training is under way.
    let record = bench.path("run/record.jsonl");
    let start = Instant::now();
    while std::fs::metadata(&record).map_or(0, |file| file.len()) < 5000 && start.elapsed().as_secs() < 20 {
        std::thread::sleep(Duration::from_millis(5));
    }
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let run = Run::of(child.wait_with_output().unwrap());
    assert_eq!(run.code, 130, "{}", run.stderr);
    let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(report["stop_reason"], "interrupted");
    assert_eq!(bench.run("predict run --data t.csv --quiet").code, 0);
}

#[test]
fn an_interrupted_attack_reports_the_radii_that_are_done() {
    let bench = Bench::new();
    bench.write("t.csv", smooth_table(80));
    bench.json("train --data t.csv --model mlp:16:tanh --epochs 3 --quiet --json --out run");
    let long = "attack run --data t.csv --norm linf --radius 0.01 --attack pgd:100000 --json";
    let child = bench.command(long).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(500));
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let run = Run::of(child.wait_with_output().unwrap());
    assert_eq!(run.code, 130, "{}", run.stderr);
    let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(report["interrupted"], true);
    assert!(report["robust"].as_array().unwrap().len() < 4 && report["clean"]["rows"] == 80);
}

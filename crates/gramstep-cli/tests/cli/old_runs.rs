//! Runs that the version before wrote are read. `tests/runs-of-version-1` holds three of them, and what that version
//! predicted: an average of two networks, a kernel regression, and a run that was stopped.

use std::fs;
use std::path::Path;

use super::Bench;

/// A bench with the runs of version 1 in it.
fn old_runs() -> Bench {
    let bench = Bench::new();
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/runs-of-version-1");
    for entry in fs::read_dir(&kept).unwrap() {
        let entry = entry.unwrap();
        let to = bench.path(entry.file_name().to_str().unwrap());
        if entry.path().is_dir() {
            fs::create_dir(&to).unwrap();
            for file in fs::read_dir(entry.path()).unwrap() {
                let file = file.unwrap();
                fs::copy(file.path(), to.join(file.file_name())).unwrap();
            }
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
    bench
}

fn numbers(text: &str) -> Vec<f64> {
    text.lines().skip(1).flat_map(|line| line.split(',')).map(|cell| cell.parse().unwrap()).collect()
}

#[test]
fn a_network_and_a_kernel_of_the_version_before_predict_what_they_predicted() {
    let bench = old_runs();
    for run in ["network", "kernel"] {
        let predicted = bench.run(&format!("predict {run} --data t.csv --quiet"));
        assert_eq!(predicted.code, 0, "{}", predicted.stderr);
        let before = fs::read_to_string(bench.path(&format!("{run}.predicted.csv"))).unwrap();
        let columns = before.lines().next().unwrap().split(',').count();
        let before: Vec<f64> = numbers(&before).into_iter().step_by(columns).collect();
        for (now, before) in numbers(&predicted.stdout).iter().zip(&before) {
            assert!((now - before).abs() < 1e-12, "{run}: {now} {before}");
        }
        assert_eq!(bench.json(&format!("info {run} --json"))["data"], serde_json::Value::Null);
        bench.json(&format!("attack {run} --data t.csv --norm linf --radius 0.1 --json --quiet"));
    }
}

#[test]
fn error_bars_of_an_old_kernel_run_are_there_and_those_of_an_old_network_say_why_not() {
    let bench = old_runs();
    assert_eq!(bench.run("predict kernel --data t.csv --std --interval 0.9 --quiet").code, 0);
    bench.fails("predict network --data t.csv --std", 2, &["an earlier version remembers no rows"]);
}

#[test]
fn a_stopped_run_of_the_version_before_goes_on_and_is_kept_in_the_present_form() {
    let bench = old_runs();
    let before = bench.json("info stopped --json")["report"]["epochs"].as_u64().unwrap();
    let report = bench.json(&format!("train --resume stopped --epochs {} --time-limit 1h --json --quiet", before + 5));
    assert_eq!(report["epochs"].as_u64(), Some(before + 5));
    assert!(bench.json("info stopped --json")["data"].is_string());
    assert_eq!(bench.run("predict stopped --data t.csv --std").code, 0);
}

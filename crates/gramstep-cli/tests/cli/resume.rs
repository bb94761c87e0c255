use std::process::Stdio;
use std::time::Duration;

use super::record::record;
use super::{Bench, smooth_table};

#[test]
fn a_run_that_is_killed_again_and_again_ends_in_the_same_bits() {
    let bench = Bench::new();
    bench.write("t.csv", smooth_table(90));
    for (name, method) in [
        ("gram-gauss-newton", "--batch-size 20 --momentum 0.9"),
        ("adam", "--optimizer adam --precision f32"),
        ("ensemble", "--optimizer sgd --ensemble 3"),
        // Patience counts from the end of the warm-up, though the best epoch is an early one.
        ("adversarial", "--adversarial linf:0.2:pgd:3 --warm-up 60 --patience 7"),
    ] {
        let (whole, cut) = (format!("{name}-whole"), format!("{name}-cut"));
        let settings = format!("train --data t.csv --model mlp:24:gelu --epochs 150 --patience 1000 {method} --quiet");
        let run = bench.run(&format!("{settings} --out {whole}"));
        assert_eq!(run.code, 0, "{}", run.stderr);

        let mut command = format!("{settings} --out {cut}");
        for attempt in 0..20_u64 {
            let mut child = bench.command(&command).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            std::thread::sleep(Duration::from_millis(10 + attempt * 37 % 60));
            child.kill().unwrap();
            child.wait().unwrap();
            if bench.path(&cut).join("config.toml").exists() {
                command = format!("train --resume {cut} --quiet");
            }
            if std::fs::read_to_string(bench.path(&cut).join("record.jsonl")).is_ok_and(|r| r.contains("\"end\"")) {
                break;
            }
        }
        let run = bench.run(&command);
        assert!(run.code == 0 || run.stderr.contains("come to its end"), "{}", run.stderr);
        assert_eq!(record(&bench.path(&cut)), record(&bench.path(&whole)));
        let model = |run: &str| std::fs::read(bench.path(run).join("model.safetensors")).unwrap();
        assert!(model(&cut) == model(&whole), "{name}");
        assert!(!bench.path(&cut).join("checkpoint.json").exists());
    }
}

#[test]
fn what_cannot_be_resumed_is_refused() {
    let bench = Bench::new();
    bench.write("t.csv", smooth_table(40));
    let run = bench.run("train --data t.csv --model mlp:8:gelu --epochs 3 --quiet --out run");
    assert_eq!(run.code, 0, "{}", run.stderr);
    bench.fails("train --resume run", 1, &["run: the run has come to its end", "hint: "]);
    bench.fails("train --resume gone", 1, &["gone/config.toml"]);
    bench.write("run/checkpoint.json", "{\"format_version\":1,\"epoch\":");
    bench.fails("train --resume run", 1, &["checkpoint.json: ", "hint: "]);
    bench.write("run/checkpoint.json", "{\"format_version\":9}");
    bench.fails("train --resume run", 1, &["format version 9"]);
    bench.fails("train --resume run --out other", 2, &["cannot be used with"]);
}

#[test]
fn data_that_were_moved_are_taken_and_others_are_not() {
    let bench = Bench::new();
    bench.write("t.csv", smooth_table(60));
    bench.write("other.csv", smooth_table(61));
    let endless =
        "train --data t.csv --optimizer sgd --model mlp:8:gelu --epochs 100000000 --patience 100000000 --out run";
    let mut child = bench.command(endless).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while !bench.path("run/checkpoint.json").exists() {
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let config = std::fs::read(bench.path("run/config.toml")).unwrap();
    std::fs::rename(bench.path("t.csv"), bench.path("moved.csv")).unwrap();
    bench.fails("train --resume run", 1, &["t.csv"]);
    bench.fails("train --resume run --data other.csv", 1, &["the data have changed since the run"]);
    assert_eq!(std::fs::read(bench.path("run/config.toml")).unwrap(), config);
    for setting in ["--seed 1", "--validation 0.4", "--batch-size 3", "--learning-rate 1", "--precision f32"] {
        bench.fails(
            &format!("train --resume run --data moved.csv {setting}"),
            2,
            &["the run goes on with its own settings"],
        );
    }
    let run = bench.run("train --resume run --data moved.csv --epochs 3000 --quiet");
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(bench.run("predict run --data moved.csv --quiet").code, 0);
    assert_eq!(bench.run("report run").code, 0);
}

#[test]
fn runs_are_laid_over_each_other_in_one_page() {
    let bench = Bench::new();
    bench.write("t.csv", smooth_table(60));
    for name in ["a", "b"] {
        let run = bench.run(&format!("train --data t.csv --model mlp:8:gelu --epochs 3 --quiet --out {name}"));
        assert_eq!(run.code, 0, "{}", run.stderr);
    }
    let single = std::fs::read_to_string(bench.path("a/report.html")).unwrap();
    assert!(single.contains("Predicted against true y") && single.contains("Residuals of y by a"));
    assert_eq!(bench.run("report a b --out both.html").code, 0);
    let both = std::fs::read_to_string(bench.path("both.html")).unwrap();
    assert!(both.contains("Validation loss over time"));
    for outside in ["<script", "src=", "href=", "url(", "@import"] {
        assert!(!both.contains(outside), "{outside}");
    }
    std::fs::remove_file(bench.path("t.csv")).unwrap();
    assert_eq!(bench.run("report a").code, 0);
    assert!(std::fs::read_to_string(bench.path("a/report.html")).unwrap().contains("no predictions to show"));
    bench.fails("report gone", 1, &["gone/config.toml"]);
}

#[test]
fn a_run_that_was_cut_off_after_its_last_step_gets_what_is_missing() {
    let bench = Bench::new();
    bench.write("t.csv", smooth_table(60));
    for (run, model) in [("network", "mlp:8:gelu --epochs 3"), ("kernel", "ntk:depth=1:relu")] {
        let trained = bench.run(&format!("train --data t.csv --model {model} --quiet --out {run}"));
        assert_eq!(trained.code, 0, "{}", trained.stderr);
        let path = |file: &str| bench.path(run).join(file);
        let model = std::fs::read(path("model.safetensors")).unwrap();
        std::fs::remove_file(path("report.html")).unwrap();
        let resumed = bench.run(&format!("train --resume {run} --quiet"));
        assert_eq!((resumed.code, resumed.stdout.contains("r2")), (0, true), "{}", resumed.stderr);
        assert!(path("report.html").exists());
        // Killed between the model and the last line of the record.
        let lines = std::fs::read_to_string(path("record.jsonl")).unwrap();
        let (before, _) = lines.trim_end().rsplit_once('\n').unwrap();
        std::fs::write(path("record.jsonl"), format!("{before}\n")).unwrap();
        assert_eq!(bench.run(&format!("train --resume {run} --quiet")).code, 0);
        assert_eq!(std::fs::read(path("model.safetensors")).unwrap(), model);
        bench.fails(&format!("train --resume {run}"), 1, &["come to its end"]);
    }
}

#[test]
fn a_record_that_lost_its_end_goes_on_from_the_checkpoint_with_a_note() {
    let bench = Bench::new();
    bench.write("t.csv", smooth_table(60));
    for (name, kept) in [("short", 500), ("empty", 0)] {
        let endless = "--optimizer sgd --model mlp:8:gelu --epochs 100000000 --patience 100000000";
        let mut child = bench.command(&format!("train --data t.csv {endless} --out {name}"));
        let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // Until the checkpoint needs more of the record than is left of it.
        let needed = || {
            let text = std::fs::read_to_string(bench.path(name).join("checkpoint.json")).unwrap_or_default();
            let number = text.split("\"record_bytes\":").nth(1).and_then(|rest| rest.split(',').next()?.parse().ok());
            number.unwrap_or(0_usize)
        };
        while needed() <= 1000 {
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let record = bench.path(name).join("record.jsonl");
        let bytes = std::fs::read(&record).unwrap();
        std::fs::write(&record, &bytes[..kept.min(bytes.len())]).unwrap();
        let resumed = bench.run(&format!("train --resume {name} --epochs 5000"));
        assert_eq!(resumed.code, 0, "{}", resumed.stderr);
        assert!(resumed.stderr.contains("has lost its last"), "{}", resumed.stderr);
        assert_eq!(bench.run(&format!("report {name}")).code, 0);
    }
}

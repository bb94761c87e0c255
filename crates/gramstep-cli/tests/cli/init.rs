use serde_json::Value;

use super::{Bench, smooth_table};

/// A run on the first rows with its training loss, and a table with more of them.
fn trained() -> (Bench, f64) {
    let bench = Bench::new();
    bench.write("t.csv", smooth_table(60));
    bench.write("more.csv", smooth_table(200));
    let report = bench.json("train --data t.csv --model mlp:16:gelu --epochs 20 --quiet --json --out first");
    (bench, report["train"]["loss"].as_f64().unwrap())
}

fn first_step(bench: &Bench, run: &str) -> f64 {
    let record = std::fs::read_to_string(bench.path(run).join("record.jsonl")).unwrap();
    let steps = record.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    steps.into_iter().find_map(|line| line["loss"].as_f64()).expect("a step with its loss")
}

#[test]
fn a_run_begins_where_an_earlier_one_ended_and_repeats() {
    let (bench, before) = trained();
    let judged = bench.json("train --data t.csv --init first --epochs 1 --quiet --json --out again");
    assert!((first_step(&bench, "again") / before - 1.0).abs() < 1e-9, "the same rows, the same loss");
    assert_eq!(judged["model"], "mlp:16:gelu");

    let refit = bench.json("train --data more.csv --init first --epochs 10 --quiet --json --out refit");
    let fresh = bench.json("train --data more.csv --model mlp:16:gelu --epochs 10 --quiet --json --out fresh");
    let rmse = |report: &Value| report["test"]["rmse"].as_f64().unwrap();
    assert!(rmse(&refit) < rmse(&fresh), "{} {}", rmse(&refit), rmse(&fresh));

    bench.json("train --config refit/config.toml --quiet --json --out repeated");
    let model = |run: &str| std::fs::read(bench.path(run).join("model.safetensors")).unwrap();
    assert!(model("refit") == model("repeated"));
    let metadata = |run: &str| bench.json(&format!("info {run} --json"))["model"].clone();
    assert_eq!(metadata("refit"), metadata("first"));
}

#[test]
fn the_default_run_goes_on_with_its_networks_and_fits_its_kernels_anew() {
    let bench = Bench::new();
    // Of noise as large as what is to be learned every model says as much, and all are kept.
    let row = |i: usize| {
        let [a, b, noise] = [0.7312, 0.3217, 0.5913].map(|step| (i as f64 * step).fract());
        format!("{a},{b},{}\n", (6.0 * a).sin() + b + 4.0 * (noise - 0.5))
    };
    let noisy = |rows: usize| format!("a,b,y\n{}", (0..rows).map(row).collect::<String>());
    bench.write("t.csv", noisy(60));
    bench.write("more.csv", noisy(300));
    bench.write("smooth.csv", smooth_table(60));
    let first = bench.json("train --data t.csv --epochs 30 --ensemble 2 --threads 1 --quiet --json --out first");
    assert_eq!(first["candidates"][0]["kept"], true, "{first}");
    let refit = bench.json("train --data more.csv --init first --epochs 30 --threads 1 --quiet --json --out refit");
    let rmse = |report: &Value| report["test"]["rmse"].as_f64().unwrap();
    assert!(rmse(&refit) < rmse(&first), "{} {}", rmse(&refit), rmse(&first));
    assert!(refit["candidates"].as_array().unwrap().len() > 5, "{refit}");
    let settings = std::fs::read_to_string(bench.path("refit/config.toml")).unwrap();
    for line in ["ensemble = 2", "candidates = \"networks,kernels,linear\"", "model = \"mlp:"] {
        assert!(settings.contains(line), "{settings}");
    }
    bench.json("train --config refit/config.toml --quiet --json --out repeated");
    let model = |run: &str| std::fs::read(bench.path(run).join("model.safetensors")).unwrap();
    assert!(model("refit") == model("repeated"));
    bench.json("train --data more.csv --init refit --candidates networks --epochs 2 --quiet --json --out alone");
    assert_eq!(bench.run("predict refit --data t.csv --std --out p.csv").code, 0);

    let kernels =
        bench.json("train --data smooth.csv --epochs 30 --ensemble 2 --threads 1 --quiet --json --out kernels");
    assert_eq!(kernels["candidates"][0]["kept"], false, "of a smooth table kernels say all");
    bench.fails(
        "train --data smooth.csv --init kernels",
        2,
        &["--init does not go with kernels", "no networks are in its combination"],
    );
}

#[test]
fn bounds_are_those_of_the_earlier_run_and_no_attack_begins_within_them() {
    let (bench, _) = trained();
    let bounds = |run: &str| {
        let text = std::fs::read_to_string(bench.path(run).join("config.toml")).unwrap();
        text.lines().find(|line| line.starts_with("input_bounds")).unwrap().to_owned()
    };
    bench.json("train --data t.csv --model mlp:16:gelu --epochs 3 --input-bounds none --quiet --json --out plain");
    for (earlier, own) in [("first", "auto"), ("plain", "none")] {
        bench.json(&format!("train --data t.csv --init {earlier} --epochs 1 --quiet --json --out next-{own}"));
        assert_eq!(bounds(&format!("next-{own}")), format!("input_bounds = \"{own}\""));
        bench.json(&format!("train --config next-{own}/config.toml --quiet --json --out again-{own}"));
    }
    let attacked = "--adversarial l2:0.1:pgd:2 --epochs 1";
    let refusal = ["--init does not go with --adversarial l2:0.1:pgd:2", "--input-bounds none"];
    bench.fails(&format!("train --data t.csv --init first {attacked}"), 2, &refusal);
    bench.json(&format!("train --data t.csv --init plain {attacked} --quiet --json --out hardened"));
}

#[test]
fn error_bars_and_report_do_not_need_the_earlier_run() {
    let (bench, _) = trained();
    bench.json("train --data more.csv --init first --epochs 3 --quiet --json --out refit");
    std::fs::remove_dir_all(bench.path("first")).unwrap();
    let run = bench.run("predict refit --data t.csv --std --out p.csv");
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(bench.run("report refit").code, 0);
    assert!(std::fs::read_to_string(bench.path("refit/report.html")).unwrap().contains("Predicted against true y"));
}

#[test]
fn what_does_not_fit_the_earlier_run_is_refused() {
    let (bench, _) = trained();
    bench.write("other.csv", "a,c,y\n1,2,3\n2,3,4\n3,4,5\n4,5,6\n5,6,7\n6,7,8\n");
    bench.fails("train --data other.csv --init first", 1, &["2 columns that the table lacks: b, kind"]);
    bench.fails("train --data t.csv --init gone", 1, &["cannot read gone/model.safetensors"]);
    bench.fails("train --data t.csv --init first --model mlp:8:gelu", 2, &["--init", "--model"]);
    bench.fails(
        "train --data t.csv --init first --target a",
        2,
        &["--target does not go with --init first", "that of first, y, and not a"],
    );
    bench.fails(
        "train --data t.csv --init first --task classification",
        2,
        &["--task does not go with --init first", "that of first, regression, and not classification"],
    );
    bench.write("run.toml", "init = \"first\"\ndata = \"t.csv\"\nensemble = 3\n");
    bench.fails(
        "train --config run.toml",
        2,
        &["--ensemble does not go with --init first", "the earlier run has 1 network"],
    );
    bench.write("run.toml", "init = \"first\"\ndata = \"t.csv\"\nmodel = \"mlp:8:gelu\"\n");
    bench.fails(
        "train --config run.toml",
        2,
        &["--model does not go with --init first", "that of first", "not mlp:8:gelu"],
    );
    bench.fails("compare --config run.toml", 2, &["--init does not go with compare", "train alone"]);
}

#[test]
fn rows_that_were_trained_on_do_not_judge_and_what_the_run_decides_is_not_asked_for_otherwise() {
    let bench = Bench::new();
    bench.write("t.csv", smooth_table(60));
    let first =
        bench.json("train --data t.csv --model mlp:8:gelu --epochs 3 --seed 5 --test 0.3 --quiet --json --out first");
    let again = bench.run("train --data t.csv --init first --epochs 1 --json --out again");
    let report: Value = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!((&report["seed"], &report["test"]["rows"]), (&first["seed"], &first["test"]["rows"]));
    assert!(!again.stderr.contains("shared out otherwise"), "{}", again.stderr);
    for otherwise in ["--seed 7", "--test 0.1", "--split time:a"] {
        let run = bench.run(&format!("train --data t.csv --init first --epochs 1 --out other {otherwise}"));
        assert!(
            run.stderr.contains("shared out otherwise: rows that it was trained on"),
            "{otherwise}: {}",
            run.stderr
        );
        std::fs::remove_dir_all(bench.path("other")).unwrap();
    }
    for (asked, own) in [
        ("--loss absolute", "squared, and not absolute"),
        ("--target-transform log", "none, and not log"),
        ("--input-bounds none", "auto, and not none"),
    ] {
        let name = asked.split(' ').next().unwrap();
        bench.fails(&format!("train --data t.csv --init first {asked}"), 2, &[name, "--init first", own]);
    }
}

#[test]
fn weights_that_are_not_named_again_are_said() {
    let bench = Bench::new();
    let row = |i: usize| format!("{},{},{}\n", i, (i as f64 / 9.0).sin(), 1 + i % 3);
    bench.write("t.csv", format!("a,y,w\n{}", (0..60).map(row).collect::<String>()));
    bench.json("train --data t.csv --target y --weights w --model mlp:8:gelu --epochs 2 --quiet --json --out first");
    let run = bench.run("train --data t.csv --init first --epochs 1 --out again");
    assert!(run.stderr.contains("first weighed its rows by `w`, and here all count alike"), "{}", run.stderr);
    let run = bench.run("train --data t.csv --init first --weights w --epochs 1 --out once-more");
    assert!(run.code == 0 && !run.stderr.contains("count alike"), "{}", run.stderr);
}

use std::fmt::Write;

use super::{Bench, columns, numbers, smooth_table};

const TRAIN: &str = "train --data t.csv --model mlp:24:gelu --epochs 15 --seed 4 --quiet --json";

fn table_bench() -> Bench {
    let bench = Bench::new();
    bench.write("t.csv", smooth_table(120));
    bench
}

#[test]
fn the_json_object_has_what_others_rely_on() {
    let bench = table_bench();
    let report = bench.json(&format!("{TRAIN} --out run"));
    for key in [
        "schema_version",
        "run",
        "task",
        "optimizer",
        "model",
        "parameters",
        "train",
        "validation",
        "test",
        "epochs",
        "steps",
        "seconds",
        "stop_reason",
        "seed",
        "precision",
    ] {
        assert!(!report[key].is_null(), "{key}");
    }
    for key in ["loss", "rmse", "mae", "r2"] {
        assert!(report["test"][key].is_f64(), "{key}");
    }
    assert_eq!(report["optimizer"], "gram-gauss-newton");
    assert_eq!(report["task"], "regression");
    assert_eq!(report["run"], "run");
    assert_eq!(report["seed"], 4);
    for file in ["config.toml", "record.jsonl", "model.safetensors"] {
        assert!(bench.path("run").join(file).is_file(), "{file}");
    }
}

#[test]
fn a_smooth_function_is_learned_far_below_its_variance() {
    let report = table_bench().json(&format!("{TRAIN} --epochs 60"));
    assert!(report["test"]["r2"].as_f64().unwrap() > 0.99, "{report}");
}

#[test]
fn predictions_of_the_test_file_have_the_error_that_training_reported() {
    for precision in ["f64", "f32"] {
        let bench = table_bench();
        let table = smooth_table(200);
        let test = table.lines().enumerate().filter(|(i, _)| *i == 0 || *i > 120);
        bench.write("test.csv", test.map(|(_, line)| format!("{line}\n")).collect::<Vec<_>>().concat());
        let report = bench.json(&format!("{TRAIN} --test test.csv --precision {precision} --out run"));
        let run = bench.run("predict run --data test.csv --out p.csv");
        assert_eq!((run.code, run.stdout.as_str()), (0, ""), "{}", run.stderr);
        let (expected, predicted) = (columns(&bench.path("test.csv")), columns(&bench.path("p.csv")));
        assert_eq!(predicted[0].0, "predicted_y");
        let (y, f) = (numbers(&expected[3]), numbers(&predicted[0]));
        let squares: f64 = y.iter().zip(&f).map(|(y, f)| (y - f).powi(2)).sum();
        let (rmse, reported) = ((squares / y.len() as f64).sqrt(), report["test"]["rmse"].as_f64().unwrap());
        let tolerance = if precision == "f64" { 1e-12 } else { 1e-4 };
        assert!((rmse - reported).abs() < tolerance * reported.max(1e-3), "{precision}: {rmse} {reported}");
    }
}

#[test]
fn predictions_go_to_stdout_unless_a_file_is_named() {
    let bench = table_bench();
    bench.json(&format!("{TRAIN} --out run"));
    bench.run("predict run --data t.csv --out p.csv");
    let run = bench.run("predict run --data t.csv");
    assert_eq!(run.stdout, std::fs::read_to_string(bench.path("p.csv")).unwrap());
    assert!(run.stderr.contains("120 rows with known target: loss "), "{}", run.stderr);
}

#[test]
fn the_same_seed_gives_the_same_bits_and_another_seed_does_not() {
    let bench = table_bench();
    let options = "--batch-size 30 --damping 0.1 --threads 2";
    for (run, seed) in [("a", 4), ("b", 4), ("c", 5)] {
        bench.json(&format!("{TRAIN} {options} --seed {seed} --out {run}").replace("--seed 4 --quiet", "--quiet"));
    }
    let model = |run: &str| std::fs::read(bench.path(run).join("model.safetensors")).unwrap();
    assert!(model("a") == model("b"));
    assert!(model("a") != model("c"));
    let record = |run: &str| {
        let text = std::fs::read_to_string(bench.path(run).join("record.jsonl")).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .map(|mut line: serde_json::Value| {
                line.as_object_mut().unwrap().remove("seconds");
                if let Some(report) = line.get_mut("report").and_then(serde_json::Value::as_object_mut) {
                    report.remove("seconds");
                    report.remove("run");
                }
                line
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(record("a"), record("b"));
    assert_ne!(record("a"), record("c"));
}

#[test]
fn the_written_configuration_repeats_the_run() {
    let bench = table_bench();
    let first = bench.json(&format!("{TRAIN} --validation 0.2 --ridge 0.01 --out a"));
    let second = bench.json("train --config a/config.toml --out b --json --quiet");
    assert_eq!(first["test"], second["test"]);
    assert_eq!(first["steps"], second["steps"]);
}

#[test]
fn the_record_has_one_line_a_step_and_one_an_epoch_between_start_and_end() {
    let bench = table_bench();
    let report = bench.json(&format!("{TRAIN} --batch-size 40 --damping 0.1 --out run"));
    let text = std::fs::read_to_string(bench.path("run/record.jsonl")).unwrap();
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let count = |kind: &str| lines.iter().filter(|line| line["kind"] == kind).count() as u64;
    assert_eq!(count("step"), report["steps"].as_u64().unwrap());
    assert_eq!(count("epoch"), report["epochs"].as_u64().unwrap());
    assert_eq!((&lines[0]["kind"], &lines[0]["format_version"]), (&"run".into(), &1.into()));
    assert_eq!(lines.last().unwrap()["report"], report);
}

#[test]
fn without_out_every_run_gets_a_folder_of_its_own() {
    let bench = table_bench();
    assert_eq!(bench.json(TRAIN)["run"], "runs/t-1");
    assert_eq!(bench.json(TRAIN)["run"], "runs/t-2");
}

#[test]
fn several_targets_are_learned_and_reported_one_by_one() {
    let bench = table_bench();
    let report = bench.json(&format!("{TRAIN} --target b,y --out run"));
    assert_eq!(report["test"]["per_target"][0]["target"], "b");
    assert!(report["test"]["per_target"][1]["rmse"].is_f64());
    bench.run("predict run --data t.csv --out p.csv");
    let names: Vec<String> = columns(&bench.path("p.csv")).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["predicted_b", "predicted_y"]);
}

#[test]
fn without_validation_rows_every_training_row_is_left_out_once() {
    let report = table_bench().json(&format!("{TRAIN} --test 0 --validation 0"));
    assert!(report["test"].is_null() && report["validation"]["rows"] == 120, "{report}");
    assert_eq!(report["train"]["rows"], 120);
}

#[test]
fn every_optimizer_lowers_the_loss() {
    for optimizer in ["gram-gauss-newton", "sgd", "adam"] {
        let report = table_bench().json(&format!("{TRAIN} --optimizer {optimizer} --epochs 200"));
        assert!(report["train"]["loss"].as_f64().unwrap() < 0.5, "{report}");
    }
}

#[test]
fn a_time_limit_ends_a_run() {
    let report = table_bench()
        .json(&format!("{TRAIN} --epochs 100000000 --optimizer sgd --patience 100000000 --time-limit 200ms"));
    assert_eq!(report["stop_reason"], "time-limit");
    assert!(report["seconds"].as_f64().unwrap() < 2.0);
}

#[test]
fn the_summary_for_people_fits_sixty_columns() {
    let bench = table_bench();
    for arguments in ["train --data t.csv --model mlp:24:gelu --epochs 5 --out run", "info run", "info"] {
        let run = bench.run(arguments);
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert!(run.stdout.lines().all(|line| line.chars().count() <= 60), "{}", run.stdout);
    }
    let info = bench.json("info run --json");
    assert_eq!(info["target"][0], "y");
    assert_eq!(info["columns"].as_array().unwrap().len(), 3);
    assert!(info["report"]["test"]["rmse"].is_f64());
    assert!(bench.json("info --json")["threads"].as_u64().unwrap() >= 1);
}

#[test]
fn the_built_in_sets_are_there() {
    for name in ["diabetes", "winequality"] {
        let report =
            Bench::new().json(&format!("train --data builtin:{name} --model mlp:8:tanh --epochs 3 --json --quiet"));
        assert!(report["test"]["rmse"].as_f64().unwrap() > 0.0);
    }
}

#[test]
fn error_bars_cover_about_as_many_new_rows_as_they_promise() {
    let bench = Bench::new();
    // Noise of standard deviation 0.1 on a smooth function: a sum of uniform numbers from a small generator.
    let mut state = 1_u64;
    let mut uniform = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let mut table = |rows: usize| {
        let mut text = "a,b,y\n".to_owned();
        for _ in 0..rows {
            let (a, b) = (4.0 * uniform() - 2.0, 4.0 * uniform() - 2.0);
            let noise = 0.1 * ((0..12).map(|_| uniform()).sum::<f64>() - 6.0);
            writeln!(text, "{a},{b},{}", a.sin() + 0.5 * b + noise).unwrap();
        }
        text
    };
    let (training, new) = (table(300), table(400));
    bench.write("t.csv", training);
    bench.write("new.csv", new);
    bench.json("train --data t.csv --model mlp:16:tanh --test 0 --out run --json --quiet");
    let predicted = bench.run("predict run --data new.csv --std --interval 0.8 --quiet");
    assert_eq!(predicted.code, 0, "{}", predicted.stderr);
    assert!(predicted.stdout.starts_with("predicted_y,std_y,lower_y,upper_y\n"), "{}", predicted.stdout);
    let numbers = |text: &str| -> Vec<Vec<f64>> {
        text.lines().skip(1).map(|line| line.split(',').map(|cell| cell.parse().unwrap()).collect()).collect()
    };
    let truth = numbers(&std::fs::read_to_string(bench.path("new.csv")).unwrap());
    let rows = numbers(&predicted.stdout);
    let inside = rows.iter().zip(&truth).filter(|(row, truth)| row[2] <= truth[2] && truth[2] <= row[3]).count();
    let mean = rows.iter().map(|row| row[1]).sum::<f64>() / rows.len() as f64;
    assert!((0.7..0.9).contains(&(inside as f64 / rows.len() as f64)), "{inside} of {}", rows.len());
    assert!((0.07..0.15).contains(&mean), "{mean}");

    bench.write("t.csv", "a,b,y\n1,2,3\n2,3,5\n4,4,4\n1,1,1\n7,6,5\n8,7,6\n");
    let again = bench.run("predict run --data new.csv --std --interval 0.8 --quiet");
    assert_eq!(again.stdout, predicted.stdout, "error bars need the model file alone");
    bench.run("report run --out page.html");
    assert!(std::fs::read_to_string(bench.path("page.html")).unwrap().contains("the data have changed since the run"));
    bench.fails("predict run --data new.csv --interval 1.5", 2, &["above 0 and below 1"]);

    let drawn = bench.run("predict run --data new.csv --std --samples 50 --seed 4 --quiet");
    assert!(drawn.stdout.starts_with("predicted_y,std_y,sample1_y,sample2_y,"), "{}", drawn.stdout);
    let off = |row: &[f64]| row[2..].iter().map(|y| ((y - row[0]) / row[1]).powi(2)).sum::<f64>() / 50.0;
    let drawn_rows = numbers(&drawn.stdout);
    let size = drawn_rows.iter().map(|row| off(row)).sum::<f64>() / 400.0;
    assert!((size - 1.0).abs() < 0.1, "{size}");
    assert_eq!(bench.run("predict run --data new.csv --std --samples 50 --seed 4 --quiet").stdout, drawn.stdout);
    assert_ne!(bench.run("predict run --data new.csv --std --samples 50 --quiet").stdout, drawn.stdout);
    bench.fails("predict run --data new.csv --samples 0", 2, &["--samples"]);
    bench.fails("predict run --data new.csv --seed 4", 2, &["--samples"]);
}

#[test]
fn weights_count_and_are_no_input() {
    let bench = Bench::new();
    // Two values of y at every x: the fit is their mean by weight, 0.25·1 + 0.75·5 = 4 times x.
    let mut table = "x,w,y\n".to_owned();
    for i in 1..40 {
        writeln!(table, "{i},1,{}\n{i},3,{}\n{i},0,1000", i, 5 * i).unwrap();
    }
    bench.write("t.csv", &table);
    bench.write("new.csv", "x\n10\n20\n");
    let options = "--data t.csv --model linear --validation 0 --test 0 --quiet --json";
    let report = bench.json(&format!("train {options} --weights w --out run"));
    assert_eq!(report["train"]["rows"], 78);
    let predicted = bench.run("predict run --data new.csv");
    assert_eq!(predicted.code, 0, "{}", predicted.stderr);
    for (line, expected) in predicted.stdout.lines().skip(1).zip([40.0, 80.0]) {
        // Training ends where no step lowers the loss above its rounding: √ε of the parameters, 3e-8, is left.
        assert!((line.parse::<f64>().unwrap() - expected).abs() < 1e-6 * expected, "{line}");
    }
    bench.fails("train --data t.csv --weights w --target w", 2, &["also the column of weights"]);
    bench.write("t.csv", table.replace("7,3,", "7,-3,"));
    bench.fails("train --data t.csv --weights w", 1, &["t.csv:21: column `w`: the weight -3 is not"]);
}

#[test]
fn rows_whose_target_the_model_cannot_have_are_predicted_and_not_judged() {
    let bench = Bench::new();
    let row = |i: i32| format!("{i},{}\n", f64::from(i).exp2());
    let rows = |last: &str| (0..30).map(row).collect::<String>() + last;
    bench.write("t.csv", format!("a,y\n{}", rows("")));
    bench.write("new.csv", format!("a,y\n{}", rows("31,-1\n")));
    bench.json("train --data t.csv --target-transform log --model mlp:8:tanh --epochs 3 --quiet --json --out run");
    let run = bench.run("predict run --data new.csv --out p.csv");
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.contains("not judged") && run.stderr.contains("new.csv:32"), "{}", run.stderr);
    assert_eq!(std::fs::read_to_string(bench.path("p.csv")).unwrap().lines().count(), 32);
}

//! `train --model ntk:..` and `kernel:..`: the regression with a kernel, kept like any other run.

use std::fmt::Write;

use crate::Bench;

fn table(rows: usize) -> String {
    let mut text = "a,kind,y,z,class\n".to_owned();
    for i in 0..rows {
        let (a, kind) = ((i * 37 % 101) as f64 / 50.0 - 1.0, ["red", "green"][i % 2]);
        let noise = (i * 7919 % 13) as f64 / 130.0 - 0.05;
        let y = 40.0 + 5.0 * (3.0 * a).sin() + (i % 2) as f64 + noise;
        writeln!(text, "{a},{kind},{y},{},{}", 2.0 * a + noise, if a * a < 0.3 { "in" } else { "out" }).unwrap();
    }
    text
}

const TRAIN: &str = "train --data t.csv --quiet --json";

#[test]
fn a_run_is_kept_repeated_predicted_and_described() {
    let bench = Bench::new();
    bench.write("t.csv", table(150));
    let report = bench.json(&format!("{TRAIN} --target y,z --drop class --model ntk:depth=2:erf --out run --seed 3"));
    assert_eq!((&report["train"]["rows"], &report["test"]["rows"]), (&120.into(), &30.into()));
    // Every training row is held out once.
    assert_eq!(report["validation"]["rows"], 120);
    assert!(report["optimizer"].is_null() && report["stop_reason"] == "solved");
    assert!(report["test"]["r2"].as_f64().unwrap() > 0.98, "{report}");
    let kernel = &report["kernel"];
    assert!(kernel["ridge"].as_f64().unwrap() > 0.0 && kernel["effective_parameters"].as_f64().unwrap() < 120.0);
    assert!((0.01..0.06).contains(&kernel["noise"][0].as_f64().unwrap()), "{kernel}");

    let again = bench.json("train --config run/config.toml --quiet --json --out again");
    assert_eq!((&again["kernel"], &again["test"]), (&report["kernel"], &report["test"]));
    let bytes = |run: &str| std::fs::read(bench.path(&format!("{run}/model.safetensors"))).unwrap();
    assert_eq!(bytes("run"), bytes("again"));

    let predicted = bench.run("predict run --data t.csv --std --interval 0.9");
    assert_eq!(predicted.code, 0, "{}", predicted.stderr);
    let header = predicted.stdout.lines().next().unwrap();
    assert_eq!(header, "predicted_y,std_y,lower_y,upper_y,predicted_z,std_z,lower_z,upper_z");
    assert_eq!(predicted.stdout.lines().count(), 151);

    let page = std::fs::read_to_string(bench.path("run/report.html")).unwrap();
    assert!(page.contains("effective parameters") && page.contains("Predicted against true y"));
    assert!(!page.contains("Loss over epochs") && !page.contains("no predictions to show"));
    let info = bench.run("info run");
    assert!(info.stdout.contains("regression by kernel regression") && info.stdout.contains("ntk:depth=2:erf"));
    let both = bench.run("report run again --out both.html");
    assert_eq!(both.code, 0, "{}", both.stderr);
}

#[test]
fn a_kernel_with_scales_says_which_columns_matter() {
    let bench = Bench::new();
    bench.write("t.csv", table(150));
    let train = format!("{TRAIN} --target y --drop class,z --out run --seed 3 --model");
    let report = bench.json(&format!("{train} kernel:anova-matern32"));
    assert!(report["test"]["r2"].as_f64().unwrap() > 0.98, "{report}");
    let kernel = &report["kernel"];
    assert!((0.01..0.06).contains(&kernel["noise"][0].as_f64().unwrap()), "{kernel}");
    let columns = kernel["columns"].as_array().unwrap();
    assert_eq!(columns[0]["column"], "a");
    let effect = |column: usize| columns[column]["effect"].as_f64().unwrap();
    assert!(effect(0) > 0.9 && effect(1) < 0.1 && effect(1) > 0.001, "{kernel}");
    // A category is one column and several inputs.
    assert_eq!(columns[1]["inputs"].as_array().unwrap().len(), 2);
    let input = &columns[0]["inputs"][0];
    assert!(input["weight"].as_f64().unwrap() > 0.0 && (0.0..=1.0).contains(&input["share"].as_f64().unwrap()));

    let again = bench.json("train --config run/config.toml --quiet --json --out again");
    assert_eq!((&again["kernel"], &again["test"]), (&report["kernel"], &report["test"]));
    let page = std::fs::read_to_string(bench.path("run/report.html")).unwrap();
    assert!(page.contains("How much the columns matter") && page.contains("share of the variance"));
    let info = bench.run("info run");
    assert!(info.stdout.contains("kernel:anova-matern32") && info.stdout.contains("goes with each column: a "));
    // New rows as the training saw them, and far from it.
    bench.write("new.csv", "a,kind\n0.02,red\n5,red\n");
    let predicted = bench.run("predict run --data new.csv --std --interval 0.9 --quiet");
    let cell = |row: usize, column: usize| -> f64 {
        predicted.stdout.lines().nth(row).unwrap().split(',').nth(column).unwrap().parse().unwrap()
    };
    assert!((cell(1, 0) - 40.3).abs() < 0.2 && cell(1, 1) < cell(2, 1) && cell(1, 2) < cell(1, 0));

    for kind in ["rbf", "matern12", "matern52", "anova-rbf", "anova-matern12", "nngp"] {
        let report = bench.json(
            &train.replace("--out run", &format!("--out {kind}")).replace("--model", &format!("--model kernel:{kind}")),
        );
        assert!(report["test"]["r2"].as_f64().unwrap() > 0.95, "{kind}: {report}");
    }
    bench.fails("train --data t.csv --model kernel:matern2", 2, &["matern2", "matern12", "anova-matern32"]);
    bench.fails("train --data t.csv --model kernel", 2, &["there is no such kernel", "matern12"]);
    bench.fails("train --data t.csv --model kernel:rbf --ridge 0", 2, &["ridge = 0", "> 0"]);
    bench.fails("train --data t.csv --model kernel:rbf --epochs 3", 2, &["--model kernel:rbf", "networks alone"]);
}

#[test]
fn classes_have_probabilities() {
    let bench = Bench::new();
    bench.write("t.csv", table(150));
    let report = bench.json(&format!("{TRAIN} --target class --drop y,z --model nngp:depth=1:relu --out run"));
    assert!(report["test"]["accuracy"].as_f64().unwrap() > 0.9 && report["task"] == "classification");
    let predicted = bench.run("predict run --data t.csv");
    assert!(predicted.stdout.starts_with("predicted_class,probability_in,probability_out\n"), "{}", predicted.stdout);
    let report = bench.json(&format!("{TRAIN} --target class --drop y,z --model kernel:matern32 --out scaled"));
    assert!(report["test"]["accuracy"].as_f64().unwrap() > 0.9, "{report}");
    assert_eq!(bench.run("predict scaled --data t.csv").stdout.lines().count(), 151);
}

#[test]
fn the_ridge_is_given_or_found() {
    let bench = Bench::new();
    bench.write("t.csv", table(100));
    let ridge = |choice: &str| {
        let report = bench.json(&format!("{TRAIN} --target y --model ntk --ridge {choice} --out {choice}"));
        report["kernel"]["ridge"].as_f64().unwrap()
    };
    assert_eq!(ridge("0.25"), 0.25);
    assert_ne!(ridge("evidence"), ridge("auto"));
}

#[test]
fn without_a_ridge_repeated_rows_are_read_back_and_new_points_stay_uncertain() {
    let bench = Bench::new();
    let text = table(60);
    let rows: Vec<&str> = text.lines().skip(1).collect();
    bench.write("t.csv", format!("{text}{}\n", rows.join("\n")));
    let report = bench.json(&format!("{TRAIN} --target y --model ntk:depth=1:erf --ridge 0 --test 0 --out run"));
    assert!(report["kernel"]["log_marginal_likelihood"].is_f64(), "{report}");
    assert!(!bench.run("info run").stdout.contains("did not come to its end"));
    bench.write("new.csv", "a,kind,z,class\n2.5,red,5,out\n");
    let predicted = bench.run("predict run --data new.csv --std --quiet");
    let deviation = predicted.stdout.lines().nth(1).and_then(|line| line.split(',').nth(1)).unwrap();
    assert!(deviation.parse::<f64>().unwrap() > 0.01, "{}", predicted.stdout);
}

#[test]
fn settings_of_networks_are_refused_and_those_of_kernels_for_networks() {
    let bench = Bench::new();
    bench.write("t.csv", table(100));
    for option in ["--epochs 3", "--batch-size 8", "--optimizer sgd", "--ensemble 2"] {
        bench.fails(&format!("train --data t.csv --model ntk {option}"), 2, &["--model ntk: ", "networks alone"]);
    }
    bench.fails(
        "train --data t.csv --model ntk --precision f32",
        2,
        &["--precision f32 does not go with --model ntk: ", "in f64"],
    );
    bench.fails("train --data t.csv --model ntk:depth=x", 2, &["depth=x"]);
    bench.fails(
        "train --data t.csv --ridge evidence",
        2,
        &["--ridge evidence does not go with a network", "a setting of kernels"],
    );
    bench.json(&format!("{TRAIN} --target y --model ntk --out run"));
    bench.fails("train --data t.csv --init run", 2, &["the run of a network"]);
}

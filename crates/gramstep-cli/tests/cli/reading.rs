use std::fmt::Write;

use super::{Bench, columns, numbers};

const TRAIN: &str = "train --data t.csv --model mlp:10:tanh --epochs 30 --out run --quiet";

/// y = area + 100 rooms, written by `cell`.
fn rents(header: &str, cell: impl Fn(f64, f64) -> String) -> String {
    let mut text = header.to_owned();
    for i in 0..120 {
        let (area, rooms) = (f64::from(i * 37 % 101) * 30.0 + 500.0, f64::from(i * 53 % 97) / 20.0);
        writeln!(text, "{}", cell(area, rooms)).unwrap();
    }
    text
}

/// A whole number with points between thousands.
fn grouped(value: f64) -> String {
    if value < 1000.0 {
        format!("{value:.0}")
    } else {
        format!("{:.0}.{:03.0}", (value / 1000.0).floor(), value % 1000.0)
    }
}

fn comma(value: f64) -> String {
    format!("{value:.2}").replace('.', ",")
}

fn predicted(bench: &Bench, rows: &str, options: &str) -> Vec<f64> {
    bench.write("new.csv", rows);
    let run = bench.run(&format!("predict run --data new.csv --out p.csv {options}"));
    assert_eq!(run.code, 0, "{}", run.stderr);
    numbers(columns(&bench.path("p.csv")).last().unwrap())
}

#[test]
fn the_same_numbers_in_other_conventions_are_the_same_model_and_the_model_keeps_them() {
    let plain = Bench::new();
    plain.write("t.csv", rents("area,rooms,y\n", |a, r| format!("{a},{r:.2},{}", a + 100.0 * r)));
    let expected = plain.json(&format!("{TRAIN} --json"))["test"].clone();
    assert!(expected["r2"].as_f64().unwrap() > 0.9, "{expected}");

    let german = Bench::new();
    let text = rents("area;rooms;y\n", |a, r| format!("{};{};{}", grouped(a), comma(r), comma(a + 100.0 * r)));
    german.write("t.csv", text);
    let run = german.run(&TRAIN.replace("--quiet", "--json"));
    let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(report["test"], expected);
    assert!(run.stderr.contains("with a point between thousands"), "{}", run.stderr);
    // The second file alone could as well be of numbers below 10.
    let rows = predicted(&german, "area;rooms\n1.500;3,0\n1500;3,0\n", "");
    assert_eq!(rows[0], rows[1]);
    assert_eq!(predicted(&german, "area;rooms\n1.500;3\n", ""), rows[..1]);
    let said = predicted(&german, "area,rooms\n1500,3.0\n", "--decimal .");
    assert_eq!(said, rows[..1]);
}

#[test]
fn affixes_and_gaps_are_no_part_of_a_number() {
    let plain = Bench::new();
    plain.write("t.csv", rents("area,rooms,y\n", |a, r| format!("{a},{r:.2},{}", a + 100.0 * r)));
    let expected = plain.json(&format!("{TRAIN} --json"))["test"].clone();
    let marked = Bench::new();
    let row = |a: f64, r: f64| format!("{a} m²,${r:.2},{}%", a + 100.0 * r);
    marked.write("t.csv", rents("area,rooms,y\n", row));
    assert_eq!(marked.json(&format!("{TRAIN} --json"))["test"], expected);
}

#[test]
fn labels_stay_as_they_are_written_and_lines_without_names_are_rows() {
    let bench = Bench::new();
    let text = (0..90).map(|i| format!("{}.5,{},0{}\n", i % 3, i % 7, i % 3)).collect::<Vec<_>>().concat();
    bench.write("t.csv", &text);
    let run = bench.run("train --data t.csv --task classification --model mlp:8:tanh --epochs 20 --out run --json");
    assert!(run.stderr.contains("no header"), "{}", run.stderr);
    let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let scores = &report["test"]["per_class"];
    assert_eq!(scores[2]["class"], "02");
    assert_eq!(scores[0]["recall"], 1.0, "{scores}");
    assert_eq!(report["test"]["confusion"].as_array().unwrap().len(), 3);
    bench.write("new.csv", "2.5,1,02\n0.5,3,00\n");
    let run = bench.run("predict run --data new.csv --keep column_3,column_1 --out p.csv");
    assert_eq!(run.code, 0, "{}", run.stderr);
    let written = columns(&bench.path("p.csv"));
    assert_eq!(written[0], ("column_3".to_owned(), vec!["02".to_owned(), "00".to_owned()]));
    assert_eq!((written[1].0.as_str(), &written[2].1), ("column_1", &written[0].1));
    bench.fails("predict run --data new.csv --keep gone", 2, &["no column `gone`"]);
}

#[test]
fn columns_are_what_the_user_says() {
    let bench = Bench::new();
    let text =
        (0..60).map(|i| format!("{},{},{}\n", 10 + i % 4, i % 2, [3, 9, 1, 7][i % 4])).collect::<Vec<_>>().concat();
    bench.write("t.csv", format!("zip,\"b, in mm\",y\n{text}"));
    let train = |types: &str| {
        let arguments = "train --data t.csv --model mlp:8:tanh --epochs 5 --types";
        let mut command = bench.command(arguments);
        super::Run::of(command.arg(types).output().unwrap())
    };
    let run = train("zip=category,b, in mm=drop");
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.contains("`zip`: text, 4 categories") && !run.stderr.contains("in mm"), "{}", run.stderr);
    assert!(train("zip=float").stderr.contains("types = float"));
    assert!(train("code=text").stderr.contains("no column `code`"));
    bench.fails("train --data t.csv --delimiter ab", 2, &["delimiter"]);
    bench.fails("train --data t.csv --decimal .. --thousands x", 2, &["decimal"]);
}

#[test]
fn the_split_follows_time_and_groups() {
    let bench = Bench::new();
    let text = (0..100)
        .map(|i| format!("2024-0{}-{:02},g{},{}\n", i % 4 + 1, i % 25 + 1, i % 10, i * i % 17))
        .collect::<Vec<_>>()
        .concat();
    bench.write("t.csv", format!("day,who,y\n{text}"));
    let train = |options: &str| bench.run(&format!("train --data t.csv --model mlp:6:tanh --epochs 3 {options}"));
    let run = train("--split time:day");
    assert!(run.stderr.contains("dates from 2024-01-01 to"), "{}", run.stderr);
    let run = train("--split group:who");
    assert!(run.stderr.contains("10 groups by `who` stay together"), "{}", run.stderr);
    bench.fails("train --data t.csv --split time:when", 2, &["no column `when`"]);
    bench.fails("train --data t.csv --split by:day", 2, &["random, time:COL or group:COL"]);
}

#[test]
fn a_column_that_numbers_the_rows_is_left_out() {
    let bench = Bench::new();
    let text = (0..60).map(|i| format!("{i},{},{}\n", i % 7, i / 3)).collect::<Vec<_>>().concat();
    bench.write("t.csv", format!(",a,y\n{text}"));
    let run = bench.run("train --data t.csv --model mlp:6:tanh --epochs 3 --out run");
    assert!(run.stderr.contains("`column_1` is left out: it numbers the rows"), "{}", run.stderr);
    assert_eq!(predicted(&bench, "a\n3\n", "").len(), 1);
}

#[test]
fn a_gap_where_training_had_none_is_said_and_widens_the_error_bars() {
    let bench = Bench::new();
    bench.write("t.csv", rents("area,rooms,y\n", |a, r| format!("{a},{r:.2},{}", a + 100.0 * r)));
    assert_eq!(bench.run(TRAIN).code, 0);
    bench.write("new.csv", "area,rooms\n1500,2\n,2\n");
    let run = bench.run("predict run --data new.csv --std --interval 0.9 --out p.csv");
    assert!(run.stderr.contains("`area`: 1 row lacks a value, missing in no training row"), "{}", run.stderr);
    let written = columns(&bench.path("p.csv"));
    let std = numbers(&written[1]);
    let width: Vec<f64> =
        numbers(&written[3]).iter().zip(numbers(&written[2])).map(|(upper, lower)| upper - lower).collect();
    // The column alone has a deviation of about 880.
    assert!(std[1] > 600.0 && std[1] > 3.0 * std[0], "{std:?}");
    assert!(width[1] > 2.0 * 600.0, "{width:?}");
}

#[test]
fn folds_judge_every_row_by_a_fit_that_has_not_seen_it_before_the_final_fit() {
    let bench = Bench::new();
    bench.write("t.csv", rents("area,rooms,y\n", |a, r| format!("{a},{r:.2},{}", a + 100.0 * r)));
    let alone = bench.json(&format!("{TRAIN} --json"));
    let report = bench.json("train --data t.csv --model mlp:10:tanh --epochs 30 --out folded --quiet --json --folds 4");
    assert_eq!(report["test"], alone["test"], "the final fit is as without folds");
    let scores = &report["cross_validation"]["scores"];
    let r2 = scores.as_array().unwrap().iter().find(|score| score["name"] == "r2").unwrap();
    assert!(r2["mean"].as_f64().unwrap() > 0.9 && r2["values"].as_array().unwrap().len() == 4, "{scores}");
    let written = columns(&bench.path("folded/out-of-fold.csv"));
    let names: Vec<&str> = written.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["line", "fold", "true_y", "predicted_y"]);
    assert_eq!(written[0].1, (2..122).map(|line| line.to_string()).collect::<Vec<_>>());
    let truth = numbers(&columns(&bench.path("t.csv"))[2]);
    assert!(numbers(&written[2]).iter().zip(&truth).all(|(a, b)| (a - b).abs() < 1e-9 * b.abs()));
    // The mean squared error of all rows is that of the folds.
    let square = |i: usize| (numbers(&written[3])[i] - truth[i]).powi(2);
    let rmse = scores.as_array().unwrap().iter().find(|score| score["name"] == "rmse").unwrap();
    let values: Vec<f64> = rmse["values"].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect();
    let mean = values.iter().map(|value| value * value).sum::<f64>() / 4.0;
    assert!(((0..120).map(square).sum::<f64>() / 120.0 - mean).abs() < 1e-6 * mean);
    bench.fails("train --data t.csv --folds 1", 2, &["at least 2"]);
    bench.fails("train --data t.csv --folds 3 --split time:area", 2, &["later ones"]);
}

#[test]
fn a_run_whose_folds_lack_a_score_is_a_whole_run() {
    let bench = Bench::new();
    let row = |i: usize| format!("{i},{},{:.3}\n", i * 7 % 11, (i as f64 / 3.0).sin());
    bench.write("t.csv", format!("a,b,y\n{}", (0..20).map(row).collect::<String>()));
    // A fold of one row has no r².
    let report = bench.json("train --data t.csv --model linear --epochs 3 --folds 20 --out run --quiet --json");
    let scores = report["cross_validation"]["scores"].as_array().unwrap();
    assert!(scores.iter().all(|score| score["name"] != "r2" && score["mean"].is_number()), "{scores:?}");
    bench.fails("train --resume run", 1, &["the run has come to its end"]);
    let page = std::fs::read_to_string(bench.path("run/report.html")).unwrap();
    assert!(!page.contains("did not come to its end"));
    assert_eq!(bench.json("info run --json")["report"]["test"], report["test"]);
}

#[test]
fn a_number_without_a_logarithm_is_refused_wherever_it_is() {
    let bench = Bench::new();
    let row = |i: usize| format!("{i},{}\n", if i == 17 { 0.0 } else { 1.0 + (i as f64 / 5.0).sin().powi(2) });
    bench.write("t.csv", format!("a,y\n{}", (0..60).map(row).collect::<String>()));
    for seed in 0..8 {
        let train = format!("train --data t.csv --model linear --epochs 2 --seed {seed} --quiet");
        bench.fails(&format!("{train} --target-transform log"), 2, &["needs numbers above 0, and there is 0"]);
        assert_eq!(bench.run(&format!("{train} --target-transform auto --out auto-{seed}")).code, 0);
    }
    bench.write("good.csv", "a,y\n1,1\n2,3\n3,4\n4,2\n5,6\n6,1\n7,2\n8,3\n");
    let file = "train --data good.csv --validation 0 --test t.csv --model linear --target-transform log";
    bench.fails(file, 2, &["t.csv:19", "above 0"]);
}

#[test]
fn a_run_that_goes_on_has_the_scores_of_its_folds() {
    let bench = Bench::new();
    bench.write("t.csv", rents("area,rooms,y\n", |a, r| format!("{a},{r:.2},{}", a + 100.0 * r)));
    let whole = bench.json("train --data t.csv --model mlp:10:tanh --epochs 30 --out run --quiet --json --folds 4");
    let held = std::fs::read(bench.path("run/out-of-fold.csv")).unwrap();
    // Cut off before its end: with the folds, without the rows that they predicted, with nothing of the record.
    for (lines, rows) in [(20, true), (20, false), (0, true)] {
        let record = std::fs::read_to_string(bench.path("run/record.jsonl")).unwrap();
        let kept: String = record.split_inclusive('\n').take(lines).collect();
        assert_eq!(kept.contains("\"folds\""), lines > 0);
        bench.write("run/record.jsonl", kept);
        for file in ["model.safetensors", "report.html"] {
            std::fs::remove_file(bench.path("run").join(file)).unwrap();
        }
        if !rows {
            std::fs::remove_file(bench.path("run/out-of-fold.csv")).unwrap();
        }
        let again = bench.json("train --resume run --quiet --json");
        assert_eq!(again["cross_validation"], whole["cross_validation"], "{lines} lines, rows {rows}");
        assert_eq!(again["test"], whole["test"]);
        assert!(std::fs::read(bench.path("run/out-of-fold.csv")).unwrap() == held);
    }
    bench.fails("predict run --data t.csv --out run/out-of-fold.csv", 2, &["out-of-fold.csv"]);
}

#[test]
fn what_is_said_of_text_is_refused_where_there_is_none() {
    let bench = Bench::new();
    let run = bench.run("train --data builtin:diabetes --model linear --epochs 2 --out run --quiet");
    assert_eq!(run.code, 0, "{}", run.stderr);
    for option in
        ["--delimiter ;", "--decimal ,", "--thousands .", "--missing -9", "--header no", "--types age=category"]
    {
        let data = "--data builtin:diabetes --model linear";
        bench.fails(&format!("train {data} {option}"), 2, &["does not go with the built-in data"]);
    }
    bench.fails("predict run --data builtin:diabetes --decimal ,", 2, &["does not go with the built-in data"]);
    bench.fails("train --data builtin:diabetes --types no=drop", 2, &["`no`"]);
    assert_eq!(bench.run("train --data builtin:diabetes --model linear --epochs 2 --types age=drop --quiet").code, 0);
}

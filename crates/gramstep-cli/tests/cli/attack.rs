use std::fmt::Write;

use serde_json::Value;

use super::{Bench, smooth_table};

const TRAIN: &str = "train --data t.csv --model mlp:32:tanh --epochs 20 --quiet --json";

/// A target that a tiny column explains wholly and a large one in part.
fn fragile_table(rows: usize) -> String {
    let mut text = "strong,fragile,y\n".to_owned();
    for i in 0..rows {
        let (strong, e) = ((i * 37 % 101) as f64 / 101.0, (i * 53 % 97) as f64 / 97.0 - 0.5);
        writeln!(text, "{strong},{},{}", 0.02 * e, 2.0 * strong + e).unwrap();
    }
    text
}

fn robust(report: &Value, at: usize, metric: &str) -> f64 {
    report["robust"][at][metric].as_f64().expect("a metric")
}

#[test]
fn an_attack_raises_the_error_with_the_radius_and_says_which_columns_it_moved() {
    let bench = Bench::new();
    bench.write("t.csv", smooth_table(120));
    bench.json(&format!("{TRAIN} --out run"));
    let report = bench.json("attack run --data t.csv --norm linf --radius 0.05 --json");
    let clean = report["clean"]["rmse"].as_f64().unwrap();
    let curve: Vec<f64> = (0..4).map(|at| robust(&report, at, "rmse")).collect();
    assert!(curve[0] > clean && curve.windows(2).all(|pair| pair[1] > pair[0]), "{clean} {curve:?}");
    for column in report["moves"].as_array().unwrap() {
        let mean = column["mean"].as_f64().unwrap();
        assert!(mean > 0.0 && mean <= 0.05 * (1.0 + 1e-9), "{column}");
    }
    // Frozen columns stay, whatever the radius; the text column is no number and never moves.
    let report = bench.json("attack run --data t.csv --norm l2 --radius 0.05 --freeze a --attack apgd:20 --json");
    let moves: Vec<(&str, f64)> = (report["moves"].as_array().unwrap().iter())
        .map(|column| (column["column"].as_str().unwrap(), column["mean"].as_f64().unwrap()))
        .collect();
    assert_eq!(moves.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["b", "a"]);
    assert_eq!(moves[1].1, 0.0);

    // Every column as far as its own size allows.
    let report = bench.json("attack run --data t.csv --norm linf --radius 0.05 --sizes a=0.1,b=2 --json");
    for column in report["moves"].as_array().unwrap() {
        let (mean, size) = (column["mean"].as_f64().unwrap(), if column["column"] == "a" { 0.1 } else { 2.0 });
        assert!(mean > 0.3 * 0.05 * size && mean <= 0.05 * size * (1.0 + 1e-9), "{column}");
    }

    let table = bench.run("attack run --data t.csv --norm linf --radius 0.05 --box 0,1 --rows 30");
    assert_eq!(table.code, 0, "{}", table.stderr);
    assert!(
        table.stdout.contains("30 rows (t.csv), linf radius 0.05") && table.stdout.contains("mean change"),
        "{}",
        table.stdout
    );
}

#[test]
fn training_against_an_attack_lowers_the_error_under_it() {
    let bench = Bench::new();
    bench.write("t.csv", fragile_table(160));
    let train = "train --data t.csv --model mlp:16:tanh --epochs 40 --quiet --json";
    // Without bounds, as adversarial training is: they hold a network back far outside the training range.
    let clean = bench.json(&format!("{train} --input-bounds none --out clean"));
    bench.json(&format!("{train} --adversarial linf:0.05:pgd:5 --ball 50 --out robust"));
    let attack = |run: &str| {
        bench.json(&format!("attack {run} --data t.csv --norm linf --radius 0.05 --json --report {run}.html"))
    };
    let (plain, hardened) = (attack("clean"), attack("robust"));
    // The clean fit is near perfect and falls at once; the hardened one gives up the fragile column.
    assert!(clean["test"]["rmse"].as_f64().unwrap() < 0.05);
    assert!(robust(&plain, 3, "rmse") > 1.1 && robust(&plain, 3, "r2") < -1.0, "{plain}");
    assert!(robust(&hardened, 3, "rmse") < 0.6, "{hardened}");
    let config = std::fs::read_to_string(bench.path("robust/config.toml")).unwrap();
    assert!(config.contains("adversarial = \"linf:0.05:pgd:5:1\"") && config.contains("ball = 50"), "{config}");

    // The record has the loss without attack and the way of every layer; the page of the attack shows rows.
    let record = std::fs::read_to_string(bench.path("robust/record.jsonl")).unwrap();
    let epochs: Vec<Value> = record
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|line| line["kind"] == "epoch")
        .collect();
    for epoch in &epochs {
        assert!(epoch["clean_loss"].as_f64().unwrap() <= epoch["validation_loss"].as_f64().unwrap(), "{epoch}");
    }
    let way = |epoch: &Value| epoch["distances"]["layers.0"].as_f64().unwrap();
    assert!(way(&epochs[0]) > 0.0 && way(epochs.last().unwrap()) > way(&epochs[0]));
    let page = std::fs::read_to_string(bench.path("clean.html")).unwrap();
    for text in ["Error against radius", "Which columns moved", "misled most", "under attack"] {
        assert!(page.contains(text), "`{text}` is not in the page");
    }
    assert!(std::fs::read_to_string(bench.path("robust/report.html")).unwrap().contains("validation without attack"));
}

#[test]
fn a_kernel_is_attacked_by_the_same_call_and_what_misleads_it_misleads_a_network() {
    let bench = Bench::new();
    bench.write("t.csv", fragile_table(160));
    bench.json("train --data t.csv --model ntk:depth=2:erf --quiet --json --out kernel");
    bench.json("train --data t.csv --model mlp:16:tanh --epochs 40 --quiet --json --out network");
    let options = "--data t.csv --norm linf --radius 0.02 --json";
    let report = bench.json(&format!("attack kernel {options} --transfer network,kernel --report kernel.html"));
    let clean = report["clean"]["rmse"].as_f64().unwrap();
    let curve: Vec<f64> = (0..4).map(|at| robust(&report, at, "rmse")).collect();
    assert!(curve[0] > clean && curve.windows(2).all(|pair| pair[1] > pair[0]), "{clean} {curve:?}");
    bench.json("train --data t.csv --model kernel:anova-rbf --quiet --json --out scaled");
    let scaled = bench.json(&format!("attack scaled {options}"));
    assert!(robust(&scaled, 3, "rmse") > 1.5 * scaled["clean"]["rmse"].as_f64().unwrap(), "{scaled}");
    let transfer = |at: usize, of: &str| report["transfer"][at][of]["rmse"].as_f64().unwrap();
    assert!(transfer(0, "attacked") > 5.0 * transfer(0, "clean") && transfer(0, "attacked") > 0.5, "{report}");
    // The run itself, judged as another one, is as wrong as under its own attack.
    assert!((transfer(1, "attacked") - curve[3]).abs() < 1e-9 && (transfer(1, "clean") - clean).abs() < 1e-12);
    // A network that knows neither the other's columns nor all of them still is judged.
    bench.json("train --data t.csv --drop strong --model mlp:4:tanh --epochs 5 --quiet --json --out dropped");
    let text = bench.run("attack network --data t.csv --norm linf --radius 0.02 --transfer kernel,dropped");
    assert!(text.code == 0 && text.stdout.contains("other run") && text.stdout.contains("dropped"), "{}", text.stdout);
    let page = std::fs::read_to_string(bench.path("kernel.html")).unwrap();
    assert!(page.contains("Other models on the same changed rows"));
    bench.fails("attack kernel --data t.csv --norm linf --radius 0.02 --transfer nowhere", 1, &["nowhere"]);
    bench.json("train --data t.csv --target strong --model mlp:4:tanh --epochs 1 --quiet --json --out another");
    let refused = ["targets and classes of the attacked one"];
    bench.fails("attack kernel --data t.csv --norm linf --radius 0.02 --transfer another", 2, &refused);
}

#[test]
fn without_data_the_test_rows_of_the_run_are_attacked() {
    let bench = Bench::new();
    bench.write("t.csv", smooth_table(120));
    bench.write("new.csv", smooth_table(30));
    for (options, rows) in [("", 24), ("--test 0.5", 60), ("--test new.csv", 30)] {
        let run = bench.json(&format!("{TRAIN} --out run{rows} {options}"));
        let report = bench.json(&format!("attack run{rows} --norm linf --radius 0.01 --json"));
        assert_eq!(report["clean"]["rows"], rows);
        let of = |object: &Value| object["rmse"].as_f64().unwrap();
        assert!((of(&report["clean"]) - of(&run["test"])).abs() < 1e-9 * of(&run["test"]), "{options}");
    }
    bench.json(&format!("{TRAIN} --out none --test 0"));
    bench.fails("attack none --norm linf --radius 0.01", 1, &["kept no rows", "--data"]);
    bench.write("t.csv", smooth_table(90));
    bench.fails("attack run24 --norm linf --radius 0.01", 1, &["the data have changed"]);
    bench.fails("attack run24 --norm linf --radius 0.01 --format csv", 2, &["--data"]);
}

#[test]
fn the_radius_rises_during_the_warm_up() {
    let bench = Bench::new();
    bench.write("t.csv", fragile_table(160));
    let train = "train --data t.csv --model mlp:16:tanh --epochs 1 --batch-size full --quiet --json";
    // The first step looks at the attacked batch: a tenth of the radius is a smaller loss.
    let first_loss = |name: &str, options: &str| {
        bench.json(&format!("{train} --adversarial linf:0.5:pgd:5 {options} --out {name}"));
        let record = std::fs::read_to_string(bench.path(name).join("record.jsonl")).unwrap();
        let mut lines = record.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.find(|line| line["kind"] == "step").unwrap()["loss"].as_f64().unwrap()
    };
    assert!(first_loss("cold", "") > 1.1 * first_loss("warm", "--warm-up 10"));
    bench.fails("train --data t.csv --warm-up 2", 2, &["--warm-up does not go with training without --adversarial"]);
}

#[test]
fn wrong_attacks_are_refused_with_what_they_have_to_be() {
    let bench = Bench::new();
    bench.write("t.csv", smooth_table(60));
    bench.json(&format!("{TRAIN} --out run"));
    let attack = |rest: &str| format!("attack run --data t.csv {rest}");
    bench.fails(&attack("--norm l1 --radius 0.1"), 2, &["linf or l2"]);
    bench.fails(&attack("--norm linf --radius -0.1"), 2, &["radius", "≥ 0"]);
    bench.fails(&attack("--norm linf --radius NaN"), 2, &["radius", "≥ 0"]);
    bench.fails(&attack("--norm linf --radius 0.1 --attack pgd:0"), 2, &["pgd[:STEPS"]);
    bench.fails(&attack("--norm linf --radius 0.1 --box 2,3"), 1, &["outside the box", "hint:"]);
    bench.fails(&attack("--norm linf --radius 0.1 --freeze nothing"), 2, &["nothing"]);
    bench.fails(&attack("--norm linf --radius 0.1 --sizes nothing=2"), 2, &["nothing"]);
    bench.fails(&attack("--norm linf --radius 0.1 --sizes a=-1"), 2, &["a=-1", "at least 0"]);
    bench.fails(&attack("--norm linf --radius 0.1 --sizes a"), 2, &["COL=F"]);
    bench.fails("train --data t.csv --adversarial linf:0.1", 2, &["linf:0.1:pgd:10"]);
    bench.fails("train --data t.csv --ball 2", 2, &["--ball does not go with training without --adversarial"]);
}

#[test]
fn rows_are_drawn_at_random_over_all_and_named() {
    let bench = Bench::new();
    bench.write("t.csv", smooth_table(120));
    bench.json(&format!("{TRAIN} --out run"));
    let attacked = |options: &str| {
        let report = bench.json(&format!("attack run --data t.csv --norm linf --radius 0.01 --json {options}"));
        let rows = report["rows"].as_array().unwrap().iter().map(|row| row.as_u64().unwrap()).collect::<Vec<_>>();
        (rows, report["drawn_from"].as_u64(), report["clean"]["rows"].as_u64().unwrap())
    };
    let (all, none, count) = attacked("");
    assert_eq!((all, none, count), ((1..=120).collect(), None, 120));
    let (some, from, count) = attacked("--rows 30");
    assert_eq!((some.len(), from, count), (30, Some(120), 30));
    assert!(some.windows(2).all(|pair| pair[0] < pair[1]) && some[29] > 60, "not the first ones: {some:?}");
    assert_eq!(attacked("--rows 30").0, some);
    assert_ne!(attacked("--rows 30 --seed 1").0, some);
    assert_eq!(attacked("--rows 500").1, None);
    let text = bench.run("attack run --data t.csv --norm linf --radius 0.01 --rows 5");
    assert!(text.stdout.contains("drawn at random from 120: rows "), "{}", text.stdout);
    // A row keeps its perturbation whatever others are attacked: the test rows of the run by their own numbers.
    let report = bench.json("attack run --norm linf --radius 0.01 --json");
    assert_eq!(report["rows"].as_array().unwrap().len(), 24);
}

#[test]
fn a_box_is_told_in_the_units_of_the_data_and_whole_numbers_stay_whole() {
    let bench = Bench::new();
    let mut text = "count,share,kind,y\n".to_owned();
    for i in 0..90 {
        let (count, share) = (i * 7 % 12, f64::from(i * 31 % 90) / 90.0);
        let kind = ["a", "b", "c"][usize::try_from(i).unwrap() % 3];
        writeln!(text, "{count},{share},{kind},{}", f64::from(count) + 3.0 * share).unwrap();
    }
    bench.write("t.csv", text);
    bench.json(&format!("{TRAIN} --out run"));
    let attack = "attack run --data t.csv --norm linf --json";
    bench.fails(
        &format!("{attack} --radius 0.1 --box 0,1"),
        1,
        &["row 2:", "`count` is 7,", "box from 0 to 1", "--box"],
    );
    let moved = |radius: &str| {
        let report = bench.json(&format!("{attack} --radius {radius} --attack apgd:30"));
        let note = report["notes"].to_string();
        assert!(note.contains("whole numbers move by whole numbers: `count`"), "{note}");
        let columns: Vec<(String, f64)> = (report["moves"].as_array().unwrap().iter())
            .map(|column| (column["column"].as_str().unwrap().to_owned(), column["mean"].as_f64().unwrap()))
            .collect();
        columns.iter().find(|(name, _)| name == "count").unwrap().1
    };
    // Within less than 1 a whole number has nowhere to go; every row goes 2 of 2.7.
    assert_eq!(moved("0.9"), 0.0);
    let mean = moved("2.7");
    assert!(mean > 1.0 && mean <= 2.0 + 1e-9, "{mean}");
    assert!((90.0 * mean - (90.0 * mean).round()).abs() < 1e-6, "a mean of whole numbers: {mean}");
}

/// y = sin x of even x, and a few slips of a hundred times as much.
fn table_with_slips(rows: usize) -> String {
    let mut text = "x,y\n".to_owned();
    for i in 0..rows {
        let x = 6.0 * (i * 37 % 101) as f64 / 101.0 - 3.0;
        let slip = if i % 50 == 7 { 100.0 } else { 1.0 };
        writeln!(text, "{},{}", slip * x, x.sin()).unwrap();
    }
    text
}

/// An attack on a bounded network finds what predict says of some changed row, and nothing else, however far it goes.
#[test]
fn inputs_with_far_outliers_are_attacked_in_the_units_of_the_data() {
    let bench = Bench::new();
    bench.write("t.csv", table_with_slips(200));
    let run = bench.json("train --data t.csv --model mlp:24:relu --epochs 60 --quiet --json --out run");
    bench.write("new.csv", "x,y\n0.5,0\n-1.2,0\n2.9,0\n250,0\n");
    let own = bench.json("attack run --norm linf --radius 0.1 --json");
    let of = |object: &Value| object["rmse"].as_f64().unwrap();
    assert!((of(&own["clean"]) - of(&run["test"])).abs() < 1e-6 * of(&run["test"]));
    for radius in [0.3, 40.0] {
        let attack = format!("attack run --data new.csv --norm linf --radius {radius} --attack pgd:60:10 --json");
        let found = robust(&bench.json(&attack), 3, "rmse");
        // All changed rows of a fine grid.
        let shares: Vec<f64> = (-200..=200).map(|step| f64::from(step) / 200.0).collect();
        let rows: Vec<f64> =
            [0.5, -1.2, 2.9, 250.0].iter().flat_map(|x| shares.iter().map(move |s| x + s * radius)).collect();
        bench.write("grid.csv", format!("x\n{}\n", rows.iter().map(f64::to_string).collect::<Vec<_>>().join("\n")));
        assert_eq!(bench.run("predict run --data grid.csv --out said.csv").code, 0);
        let said = std::fs::read_to_string(bench.path("said.csv")).unwrap();
        let said: Vec<f64> =
            said.lines().skip(1).map(|line| line.rsplit(',').next().unwrap().parse().unwrap()).collect();
        let worst = |of_row: &[f64]| of_row.iter().fold(0.0_f64, |worst, f| worst.max(f * f));
        let least = (said.chunks(shares.len()).map(worst).sum::<f64>() / 4.0).sqrt();
        assert!(found <= 1.01 * least && found >= 0.97 * least, "{radius}: {found} {least}");
    }
}

#[test]
fn an_attack_drives_up_the_loss_of_training_whatever_it_is() {
    let bench = Bench::new();
    let mut text = "a,b,y\n".to_owned();
    for i in 0..160 {
        let (a, b) = (f64::from(i * 37 % 101) / 101.0, f64::from(i * 53 % 97) / 97.0);
        writeln!(text, "{a},{b},{}", (4.0 * a + 2.0 * b).exp().round() + 1.0).unwrap();
    }
    bench.write("t.csv", text);
    for (at, options) in
        ["--target-transform log", "--loss poisson", "--loss quantile:0.1,0.5,0.9", "--loss absolute", "--loss huber"]
            .into_iter()
            .enumerate()
    {
        let run = bench.json(&format!("{TRAIN} {options} --out run{at}"));
        let report = bench.json(&format!("attack run{at} --norm linf --radius 0.1 --json --report {at}.html"));
        let loss = |metrics: &Value| metrics["loss"].as_f64().unwrap();
        assert!((loss(&report["clean"]) - loss(&run["test"])).abs() < 1e-9 * loss(&run["test"]).abs(), "{options}");
        let curve: Vec<f64> = (0..4).map(|at| robust(&report, at, "loss")).collect();
        assert!(curve[0] > loss(&report["clean"]), "{options}: {report}");
        assert!(curve.windows(2).all(|pair| pair[1] > pair[0]), "{options}: {curve:?}");
        assert!(std::fs::read_to_string(bench.path(&format!("{at}.html"))).unwrap().contains("misled most"));
    }
}

//! Several targets of two values: multi-label classification.

use std::fmt::Write;

use super::{Bench, columns, numbers};

/// Labels in three spellings, the last one rare.
fn labels(spelling: [[&str; 2]; 3]) -> String {
    let mut text = "u,v,wet,warm,rare\n".to_owned();
    for i in 0..240 {
        let (u, v) = (f64::from(i * 37 % 101) / 50.0 - 1.0, f64::from(i * 53 % 97) / 48.0 - 1.0);
        let is = [u + 0.3 * v > 0.0, u * v > 0.0, u + v > 1.35];
        let cells: Vec<&str> = spelling.iter().zip(is).map(|(two, is)| two[usize::from(is)]).collect();
        writeln!(text, "{u},{v},{}", cells.join(",")).expect("a string can be written");
    }
    text
}

const WORDS: [[&str; 2]; 3] = [["no", "yes"], ["False", "True"], ["0", "1"]];
const DIGITS: [[&str; 2]; 3] = [["0", "1"]; 3];
const TRAIN: &str = "train --target wet,warm,rare --model mlp:30:tanh --epochs 60 --quiet --threads 1";

#[test]
fn every_label_is_judged_alone_and_all_together() {
    let bench = Bench::new();
    bench.write("t.csv", labels(WORDS));
    let report = bench.json(&format!("{TRAIN} --data t.csv --out run --json --folds 3"));
    let test = &report["test"];
    assert_eq!((&report["task"], test["per_target"].as_array().unwrap().len()), (&"classification".into(), 3));
    let score = |target: usize, name: &str| test["per_target"][target][name].as_f64().unwrap();
    for (name, averaged) in [("accuracy", "accuracy"), ("f1", "f1"), ("auc", "auc")] {
        let mean = (0..3).map(|target| score(target, name)).sum::<f64>() / 3.0;
        assert!((mean - test[averaged].as_f64().unwrap()).abs() < 1e-12, "{name}: {test}");
        assert!(mean > 0.85, "{name}: {test}");
    }
    assert_eq!(test["per_target"][0]["class"], "yes");
    assert!(test["subset_accuracy"].as_f64().unwrap() <= test["accuracy"].as_f64().unwrap());
    // The rare label is in every part.
    for part in ["train", "validation", "test"] {
        assert!(report[part]["per_target"][2]["rows"].as_u64().unwrap() > 0, "{part}");
    }
    let candidates = report["candidates"].as_array().unwrap();
    assert!(candidates[1..].iter().all(|rival| rival["loss"].as_f64() > candidates[0]["loss"].as_f64()));
    let folds = columns(&bench.path("run/out-of-fold.csv"));
    assert_eq!((folds[2].0.as_str(), folds[5].0.as_str()), ("true_wet", "predicted_wet"));

    assert_eq!(bench.run("predict run --data t.csv --out p.csv --quiet").code, 0);
    let written = columns(&bench.path("p.csv"));
    let names: Vec<&str> = written.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names[..4], ["predicted_wet", "predicted_warm", "predicted_rare", "probability_wet_no"]);
    let [no, yes] = [3, 4].map(|column| numbers(&written[column]));
    for ((no, yes), said) in no.iter().zip(&yes).zip(&written[0].1) {
        assert!((no + yes - 1.0).abs() < 1e-12 && (said == "yes") == (yes > no), "{no} {yes} {said}");
    }
    // What reads the data of the run again finds the same data.
    for command in ["report run", "attack run --norm linf --radius 0.1"] {
        assert!(!bench.run(command).stderr.contains("changed"), "{command}");
    }
    let page = std::fs::read_to_string(bench.path("run/report.html")).unwrap();
    assert!(page.contains("ROC: each label") && page.contains("warm = True"));
    assert!(bench.run("info run").stdout.contains("warm  False, True"));
}

#[test]
fn the_spelling_of_labels_is_nothing_and_digits_need_the_task() {
    let bench = Bench::new();
    bench.write("words.csv", labels(WORDS));
    bench.write("digits.csv", labels(DIGITS));
    let words = bench.json(&format!("{TRAIN} --data words.csv --json"));
    let digits = bench.json(&format!("{TRAIN} --data digits.csv --json --task classification"));
    for part in ["train", "validation", "test"] {
        assert_eq!(words[part]["nll"], digits[part]["nll"], "{part}");
        assert_eq!(words[part]["auc"], digits[part]["auc"], "{part}");
    }
    let run = bench.run(&TRAIN.replace("--quiet", "--data digits.csv"));
    assert!(run.stderr.contains("--task classification learns them as labels"), "{}", run.stderr);
    assert!(run.stdout.contains("\nregression by"), "{}", run.stdout);
}

#[test]
fn what_has_no_meaning_for_several_labels_is_refused() {
    let bench = Bench::new();
    bench.write("t.csv", labels(WORDS));
    assert_eq!(bench.run(&format!("{TRAIN} --data t.csv --out run")).code, 0);
    let kernel = TRAIN.replace("--model mlp:30:tanh --epochs 60", "--model ntk:depth=2:relu");
    for (command, text) in [
        ("predict run --data t.csv --std".to_owned(), "probabilities"),
        ("predict run --data t.csv --interval 0.9".to_owned(), "probabilities"),
        ("attack run --norm linf --radius 0.1".to_owned(), "3 targets of a classification"),
        (format!("{kernel} --data t.csv"), "classifies one target"),
        (format!("{TRAIN} --data t.csv --class-weight balanced"), "several targets"),
        (format!("{TRAIN} --data t.csv --loss huber"), "a setting of regressions"),
        (TRAIN.replace("wet,warm,rare", "wet,u") + " --data t.csv", "`u`"),
    ] {
        bench.fails(&command, 2, &[text]);
    }
}

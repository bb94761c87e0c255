use std::fmt::Write;

use super::{Bench, columns, numbers};

/// Two inputs, three classes in bands of their sum.
fn bands(rows: usize) -> String {
    let mut text = "u,v,class\n".to_owned();
    for i in 0..rows {
        let (u, v) = ((i * 37 % 101) as f64 / 101.0, (i * 53 % 97) as f64 / 97.0);
        let class = match u + v {
            sum if sum < 0.7 => "red",
            sum if sum < 1.3 => "green",
            _ => "blue",
        };
        writeln!(text, "{u},{v},{class}").unwrap();
    }
    text
}

#[test]
fn a_text_target_is_classified_and_predicted_with_probabilities() {
    let bench = Bench::new();
    bench.write("t.csv", bands(150));
    let run = bench.run("train --data t.csv --model mlp:16:gelu --epochs 30 --out run --json");
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.contains("`class` is text: --task classification"), "{}", run.stderr);
    let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(report["task"], "classification");
    assert!(report["test"]["accuracy"].as_f64().unwrap() > 0.8, "{report}");
    assert_eq!(report["test"]["loss"], report["test"]["nll"]);
    assert!(report["test"]["rmse"].is_null());
    // Every count of the matrix is written into its cell.
    let page = std::fs::read_to_string(bench.path("run/report.html")).unwrap();
    let chart = page.split("<svg").find(|chart| chart.contains("predicted class")).unwrap();
    let cells = chart.split("<text").filter_map(|text| text.split_once('>')?.1.split_once('<')?.0.parse::<f64>().ok());
    let counts: Vec<f64> = cells.collect();
    assert_eq!((counts.len(), counts.iter().sum::<f64>()), (9, report["test"]["rows"].as_f64().unwrap()), "{chart}");

    assert_eq!(bench.run("predict run --data t.csv --out p.csv").code, 0);
    let predicted = columns(&bench.path("p.csv"));
    let names: Vec<&str> = predicted.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["predicted_class", "probability_blue", "probability_green", "probability_red"]);
    let probabilities: Vec<Vec<f64>> = predicted[1..].iter().map(numbers).collect();
    for i in 0..150 {
        assert!((probabilities.iter().map(|p| p[i]).sum::<f64>() - 1.0).abs() < 1e-12);
    }
    let expected = columns(&bench.path("t.csv")).remove(2).1;
    let right = expected.iter().zip(&predicted[0].1).filter(|(a, b)| a == b).count();
    assert!(right > 130, "{right} of 150");
}

#[test]
fn numbers_are_classes_where_the_user_says_so() {
    let bench = Bench::new();
    bench.write("t.csv", bands(150).replace("red", "1").replace("green", "2.0").replace("blue", "30"));
    let options = "train --data t.csv --task classification --model mlp:8:gelu --epochs 5 --out run --json --quiet";
    assert_eq!(bench.json(options)["task"], "classification");
    assert_eq!(bench.json("info run --json")["classes"], serde_json::json!(["1", "2.0", "30"]));
}

#[test]
fn a_class_that_no_training_row_has_is_named_by_line() {
    let bench = Bench::new();
    bench.write("t.csv", bands(60));
    bench.write("test.csv", "u,v,class\n0.1,0.2,red\n0.1,0.2,purple\n");
    bench.fails(
        "train --data t.csv --test test.csv --model mlp:8:gelu",
        1,
        &["test.csv:3: target `class`: the class `purple` is not in the training rows"],
    );
}

#[test]
fn classes_of_noisy_rows_do_not_make_mini_batches_diverge() {
    let report = Bench::new().json(
        "train --data builtin:winequality --task classification --model mlp:64:gelu --epochs 3 --out run --json --quiet",
    );
    let loss = report["test"]["loss"].as_f64().unwrap();
    assert!(loss < 1.5, "{loss}");
}

#[test]
fn the_script_that_rebuilds_networks_is_on_pages_of_networks_alone() {
    let bench = Bench::new();
    bench.write("t.csv", bands(60));
    for (settings, of_networks) in [("--model mlp:8:gelu --epochs 3", true), ("--candidates networks,kernels", false)] {
        let run = bench.run(&format!("train --data t.csv {settings} --out run-{of_networks} --quiet"));
        assert_eq!(run.code, 0, "{}", run.stderr);
        let page = std::fs::read_to_string(bench.path(&format!("run-{of_networks}/report.html"))).unwrap();
        assert_eq!(page.contains("Rebuilds a network"), of_networks, "{settings}");
        assert_eq!(page.contains("tensors of every part"), !of_networks, "{settings}");
    }
}

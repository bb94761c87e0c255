use super::{Bench, smooth_table};

#[test]
fn every_method_gets_the_same_rows_and_one_line() {
    let bench = Bench::new();
    bench.write("t.csv", smooth_table(80));
    let options = "compare --data t.csv --model mlp:16:gelu --optimizers gram-gauss-newton,sgd,adam --time-limit 300ms";
    let result = bench.json(&format!("{options} --json --quiet --out kept"));
    let runs = result["runs"].as_array().unwrap();
    let names: Vec<&str> = runs.iter().map(|run| run["optimizer"].as_str().unwrap()).collect();
    assert_eq!(names, ["gram-gauss-newton", "sgd", "adam"]);
    assert!(runs.iter().all(|run| run["train"]["rows"] == runs[0]["train"]["rows"]));
    assert!(bench.path("kept/adam/model.safetensors").is_file());

    let run = bench.run(options);
    assert_eq!(run.code, 0, "{}", run.stderr);
    for name in names {
        assert_eq!(run.stdout.lines().filter(|line| line.starts_with(name)).count(), 1, "{}", run.stdout);
    }
    assert!(!bench.path("runs").exists());
}

#[test]
fn a_method_that_diverges_is_an_entry_and_not_an_error() {
    let bench = Bench::new();
    bench.write("t.csv", smooth_table(60));
    let options = "--model mlp:32,32:quadratic-relu --learning-rate 1 --batch-size full --epochs 300";
    let result = bench.json(&format!("compare --data t.csv --optimizers sgd,adam {options} --json --quiet"));
    assert!(result["runs"][0]["error"].as_str().unwrap().contains("not finite"), "{result}");
    assert_eq!(result["runs"][1]["optimizer"], "adam");
}

#[test]
fn tuning_tries_learning_rates_for_first_order_methods_alone_and_shows_them() {
    let bench = Bench::new();
    bench.write("t.csv", smooth_table(80));
    let options = "--model mlp:8:tanh --optimizers gram-gauss-newton,sgd --epochs 5 --tune --out kept";
    let result = bench.json(&format!("compare --data t.csv {options} --json --quiet"));
    let trials = result["trials"].as_array().unwrap();
    assert!(trials.len() >= 5 && trials.iter().all(|trial| trial["optimizer"] == "sgd"), "{trials:?}");
    let page = std::fs::read_to_string(bench.path("kept/report.html")).unwrap();
    for text in ["Learning rates that were tried", "Test loss over time", "until a training loss was reached"] {
        assert!(page.contains(text), "{text}");
    }
    bench.fails(&format!("compare --data t.csv {options}2 --validation 0"), 2, &["give --validation"]);
}

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
fn all_methods_may_diverge_and_the_table_and_the_page_say_where() {
    let bench = Bench::new();
    let options =
        "--optimizers sgd,adam --learning-rate 1e6 --batch-size full --precision f32 --epochs 3 --model mlp:64,64:relu";
    let run = bench.run(&format!("compare --data builtin:diabetes {options} --out kept"));
    assert_eq!(run.code, 0, "{}", run.stderr);
    for method in ["sgd", "adam"] {
        let lines: Vec<&str> = run.stdout.lines().filter(|line| line.starts_with(method)).collect();
        assert!(lines[0].ends_with("diverged") && lines[1].contains(": step "), "{}", run.stdout);
        assert!(bench.path(&format!("kept/{method}/record.jsonl")).is_file());
    }
    let page = std::fs::read_to_string(bench.path("kept/report.html")).unwrap();
    assert!(page.contains("came to no end") && page.matches("is not finite").count() == 2);
    let result = bench.json(&format!("compare --data builtin:diabetes {options} --json --quiet"));
    let runs = result["runs"].as_array().unwrap();
    assert!(runs.iter().all(|run| run["step"].as_u64() > Some(0) && run["epoch"].as_u64() > Some(0)), "{runs:?}");
}

#[test]
fn tuning_tries_the_same_number_of_settings_for_every_method_and_shows_them() {
    let bench = Bench::new();
    bench.write("t.csv", smooth_table(80));
    let options = "--model mlp:8:tanh --optimizers gram-gauss-newton,sgd --batch-size 16 --epochs 3 --tune --out kept";
    let result = bench.json(&format!("compare --data t.csv {options} --json --quiet"));
    let trials = result["trials"].as_array().unwrap();
    let of = |name: &str| trials.iter().filter(|trial| trial["optimizer"] == name).count();
    assert!(of("gram-gauss-newton") >= 39 && of("sgd") >= 39, "{trials:?}");
    assert!(trials.iter().any(|trial| trial["schedule"] == "cosine"));
    let page = std::fs::read_to_string(bench.path("kept/report.html")).unwrap();
    for text in ["Settings that were tried", "Test loss over time", "until a training loss was reached"] {
        assert!(page.contains(text), "{text}");
    }
    assert_eq!(page.matches("judged beside").count(), 1, "one table for all methods");
    bench.fails(&format!("compare --data t.csv {options}2 --validation 0"), 2, &["give --validation"]);
}

#[test]
fn runs_that_differ_in_their_seed_alone_are_one_line_in_a_band() {
    let bench = Bench::new();
    bench.write("t.csv", smooth_table(80));
    let train = |options: &str| {
        let run = bench.run(&format!("train --data t.csv --model mlp:8:tanh --epochs 4 --quiet {options}"));
        assert_eq!(run.code, 0, "{}", run.stderr);
    };
    for seed in 0..3 {
        train(&format!("--optimizer sgd --seed {seed} --out {seed}/sgd"));
    }
    train("--optimizer adam --out adam");
    let page = |runs: &str| {
        assert_eq!(bench.run(&format!("report {runs} --out page.html")).code, 0);
        std::fs::read_to_string(bench.path("page.html")).unwrap()
    };
    let banded = page("0/sgd 1/sgd 2/sgd adam");
    for text in ["sgd, 3 seeds", "in a band", "(best of sgd, 3 seeds)", "of several seeds the medians"] {
        assert!(banded.contains(text), "{text}");
    }
    let bands = banded.matches("<polygon").count();
    assert_eq!(bands, banded.matches("over epochs</b>").count() + banded.matches("over time</b>").count());
    assert!(!page("0/sgd adam").contains("<polygon"));
    let alone = page("0/sgd 1/sgd 2/sgd");
    assert!(alone.contains("<polygon") && !alone.contains("best of"), "there is nothing to compare");
}

#[test]
fn adamw_is_adam_with_weight_decay_and_gram_gauss_newton_has_a_ridge_instead() {
    let bench = Bench::new();
    bench.write("t.csv", smooth_table(80));
    let run = |method: &str| {
        let options = format!("--model mlp:8:tanh --optimizer {method} --epochs 5 --seed 3 --json --quiet --out");
        bench.json(&format!("train --data t.csv {options} {}", method.replace(' ', "")))["train"]["loss"]
            .as_f64()
            .unwrap()
    };
    let [adamw, adam, with, without] = ["adamw", "adam", "adam --weight-decay 0.01", "adamw --weight-decay 0"].map(run);
    assert_eq!((adamw, adam), (with, without));
    assert_ne!(adamw, adam);
    bench.fails("train --data t.csv --weight-decay 0.1", 2, &["--ridge"]);
    let both = "train --data t.csv --optimizer adam --weight-decay 0.1 --ridge 1";
    bench.fails(both, 2, &["give one of them"]);
    let methods =
        "--optimizers gram-gauss-newton,adamw --weight-decay 0.1 --epochs 2 --model mlp:8:tanh --json --quiet";
    assert!(bench.json(&format!("compare --data t.csv {methods}"))["runs"][1]["train"]["loss"].is_f64());
}

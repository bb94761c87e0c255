use super::{Bench, smooth_table};

#[track_caller]
fn refused(options: &str, texts: &[&str]) {
    let bench = Bench::new();
    bench.write("t.csv", smooth_table(30));
    bench.fails(&format!("train --data t.csv {options}"), 2, texts);
    assert!(!bench.path("runs").exists(), "a refused run leaves no folder");
}

#[test]
fn unknown_options_and_commands_are_refused() {
    refused("--learning-rat 1", &["--learning-rat", "--learning-rate"]);
    Bench::new().fails("trian", 2, &["trian", "train"]);
}

#[test]
fn settings_that_are_negative_zero_or_not_numbers_are_refused() {
    for value in ["0", "-1", "nan", "inf"] {
        refused(&format!("--learning-rate {value}"), &["learning-rate", "a number above 0", "hint: "]);
    }
    for option in ["--ridge -1", "--ridge nan", "--ridge inf"] {
        refused(option, &["ridge", "or a number of at least 0"]);
    }
    for value in ["1", "-0.1", "nan"] {
        refused(&format!("--momentum {value}"), &["momentum", "at least 0 and below 1"]);
    }
    for option in ["--damping -1", "--damping nan", "--damping much"] {
        refused(option, &["`auto` or a number of at least 0"]);
    }
    for option in ["--batch-size 0", "--batch-size -4", "--batch-size some"] {
        refused(option, &["`full` or a number of rows above 0"]);
    }
    for option in ["--epochs 0", "--patience 0"] {
        refused(option, &["a whole number of at least 1"]);
    }
    for option in ["--threads 0", "--threads 1025", "--threads all"] {
        refused(option, &["a whole number from 1 to 1024"]);
    }
    for option in ["--time-limit 0s", "--time-limit -1s", "--time-limit soon"] {
        refused(option, &["a time above 0"]);
    }
    for option in ["--test 1", "--validation 1.5", "--test nan"] {
        refused(option, &["at least 0 and below 1"]);
    }
    for option in ["--epochs many", "--patience 1.5"] {
        refused(option, &["a whole number of at least 1"]);
    }
    refused("--learning-rate fast", &["'fast' for '--learning-rate <F>'", "a number above 0"]);
    refused("--seed mine", &["a whole number below"]);
    for option in ["--test -0.5", "--epochs -1", "--seed -1"] {
        refused(option, &[]);
    }
}

#[test]
fn words_that_are_not_known_are_refused_with_those_that_are() {
    refused("--optimizer lbfgs", &["gram-gauss-newton sgd adam"]);
    refused("--precision f16", &["f32 f64"]);
    refused("--task ranking", &["regression or classification"]);
    refused("--model forest:8", &["forest:8", "hint: "]);
    refused("--model mlp:0:gelu", &["mlp:0:gelu"]);
    refused("--model mlp:8:swoosh", &["swoosh"]);
}

#[test]
fn damping_without_gram_gauss_newton_is_refused() {
    refused(
        "--optimizer adam --damping 0.1",
        &["--damping does not go with --optimizer adam", "gram-gauss-newton alone"],
    );
}

#[test]
fn more_rows_for_test_and_validation_than_there_are_is_refused() {
    let bench = Bench::new();
    bench.write("t.csv", smooth_table(30));
    bench.fails("train --data t.csv --test 0.5 --validation 0.49", 1, &["30 usable rows, too few"]);
}

#[test]
fn a_wrong_configuration_file_is_named_with_its_line() {
    let bench = Bench::new();
    bench.write("run.toml", "data = \"builtin:diabetes\"\nepoch = 3\n");
    bench.fails("train --config run.toml", 2, &["run.toml", "line 2", "epoch"]);
    bench.write("run.toml", "format_version = 99\n");
    bench.fails("train --config run.toml", 1, &["format version 99, this program reads version 1"]);
    bench.fails("train --config gone.toml", 1, &["cannot read gone.toml"]);
}

#[test]
fn a_folder_that_holds_a_run_or_cannot_be_made_is_refused() {
    let bench = Bench::new();
    bench.write("t.csv", smooth_table(30));
    let train = "train --data t.csv --model mlp:8:gelu --epochs 2 --quiet --out";
    assert_eq!(bench.run(&format!("{train} kept")).code, 0);
    bench.fails(&format!("{train} kept"), 2, &["kept already holds a run", "--out"]);
    bench.fails(&format!("{train} t.csv/run"), 1, &["cannot write t.csv/run"]);
}

/// However little a file may hold, what is there is whole, and the run goes on from it.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_said_with_the_file_and_leaves_no_half_file() {
    let bench = Bench::new();
    bench.write("t.csv", smooth_table(30));
    let train = "train --data t.csv --model mlp:8:gelu --epochs 2 --quiet --out";
    assert_eq!(bench.run(&format!("{train} whole")).code, 0);
    let mut said = std::collections::BTreeSet::new();
    for blocks in [0, 1, 2, 3, 4, 6, 8, 12, 16, 32, 64, 1 << 20] {
        let run = format!("run-{blocks}");
        let run = bench.shell(&format!("trap '' XFSZ; ulimit -f {blocks}; exec gramstep {train} {run}"));
        let folder = bench.path(&format!("run-{blocks}"));
        if run.code != 0 {
            assert_eq!(run.code, 1, "{}", run.stderr);
            let file = run.stderr.split("cannot write ").nth(1).and_then(|rest| rest.split(':').next()).unwrap();
            said.insert(file.rsplit('/').next().unwrap().to_owned());
        }
        if folder.exists() {
            let names = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name());
            assert!(names.into_iter().all(|name| !name.to_string_lossy().ends_with(".tmp")));
            let resumed = bench.run(&format!("train --resume run-{blocks} --quiet"));
            assert!(resumed.code == 0 || resumed.stderr.contains("come to its end"), "{}", resumed.stderr);
            let model = |run: &str| std::fs::read(bench.path(run).join("model.safetensors")).unwrap();
            assert!(model(&format!("run-{blocks}")) == model("whole"), "{blocks} blocks");
        }
    }
    for file in ["config.toml", "record.jsonl", "checkpoint.json", "report.html"] {
        assert!(said.contains(file), "{file} is not among {said:?}");
    }
    assert_eq!(bench.run(&format!("{train} kept")).code, 0);
    for ending in ["", ".npy"] {
        let out = format!("full{ending}");
        std::os::unix::fs::symlink("/dev/full", bench.path(&out)).unwrap();
        bench.fails(
            &format!("predict kept --data t.csv --quiet --out {out}"),
            1,
            &["cannot write full", "No space left"],
        );
    }
}

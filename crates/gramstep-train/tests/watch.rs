//! The kernel that is watched in the course of a training, and the training that does not notice.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use gramstep_train::outcome::event::{Event, Silent};
use gramstep_train::outcome::{KernelWatch, Report};
use gramstep_train::run::{Keep, resume, train};
use gramstep_train::settings::Config;
use serde_json::Value;

fn table(folder: &Path) -> String {
    let row = |i: i32| {
        let (a, b) = (f64::from(i * 7 % 60) / 30.0 - 1.0, f64::from(i * 11 % 60) / 30.0 - 1.0);
        format!("{a},{b},{}\n", (3.0 * a).sin() + 0.5 * b)
    };
    let path = folder.join("t.csv");
    fs::write(&path, format!("a,b,y\n{}", (0..60).map(row).collect::<String>())).unwrap();
    path.display().to_string()
}

fn config(data: &str, given: &[(&str, &str)]) -> Config {
    let mut config = Config { data: Some(data.to_owned()), ..Config::default() };
    let base = [("model", "mlp:16:tanh"), ("epochs", "7"), ("patience", "50"), ("threads", "2"), ("watch-kernel", "3")];
    base.iter().chain(given).for_each(|(name, value)| config.set(name, value).unwrap());
    config
}

fn run(config: &Config, folder: &Path) -> Report {
    train(config, Keep::Folder(folder), &AtomicBool::new(false), &mut Silent).unwrap()
}

/// The lines of kind `kernel`, without times.
fn recorded(folder: &Path) -> Vec<Value> {
    let text = fs::read_to_string(folder.join("record.jsonl")).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut lines: Vec<Value> = lines.filter(|line| line["kind"] == "kernel").collect();
    for line in &mut lines {
        line["seconds"] = 0.into();
    }
    lines
}

fn epochs(watched: &[KernelWatch]) -> Vec<usize> {
    watched.iter().map(|watch| watch.epoch).collect()
}

#[test]
fn a_training_that_is_watched_has_the_same_bits() {
    let parent = tempfile::tempdir().unwrap();
    let data = table(parent.path());
    for (name, given) in [
        ("gram", &[][..]),
        ("sgd", &[("optimizer", "sgd"), ("batch-size", "16")]),
        ("adam", &[("optimizer", "adam"), ("batch-size", "16"), ("precision", "f32")]),
        ("ensemble", &[("ensemble", "3")]),
    ] {
        let watched = config(&data, given);
        let plain = Config { watch_kernel: None, ..watched.clone() };
        let folders = ["watched", "plain"].map(|kind| parent.path().join(format!("{name}-{kind}")));
        let (watched, plain) = (run(&watched, &folders[0]), run(&plain, &folders[1]));
        let bytes = |folder: &Path| fs::read(folder.join("model.safetensors")).unwrap();
        assert_eq!(bytes(&folders[0]), bytes(&folders[1]), "{name}");
        assert_eq!(watched.train, plain.train, "{name}");
        assert!(plain.kernel_watch.is_empty() && recorded(&folders[1]).is_empty());
        assert_eq!(epochs(&watched.kernel_watch), [0, 3, 6, 7], "{name}");
        assert_eq!(recorded(&folders[0]).len(), 4, "{name}: one network is watched");
        for watch in &watched.kernel_watch {
            assert!(
                (0.0..=1.0 + 1e-9).contains(&watch.alignment) && watch.effective_rank >= 1.0 && watch.sharpness > 0.0
            );
            assert!(watch.eigenvalues.is_sorted_by(|a, b| a >= b) && watch.eigenvalues.len() == 5);
            // The squared loss: the curvature of ½r² is 1.
            assert!((watch.sharpness / watch.eigenvalues[0] - 1.0).abs() < 1e-6, "{name}: {watch:?}");
        }
        assert_eq!(watched.kernel_watch[0].drift, Some(0.0));
        assert!(watched.kernel_watch[3].drift > Some(1e-6), "{name}");
        let page = fs::read_to_string(folders[0].join("report.html")).unwrap();
        for title in ["Drift of the kernel", "Alignment", "Effective rank", "Sharpness", "Largest eigenvalues"] {
            assert!(page.contains(title), "{title}");
        }
        assert!(!fs::read_to_string(folders[1].join("report.html")).unwrap().contains("Drift of the kernel"));
    }
}

#[test]
fn the_sharpness_of_a_line_is_where_gradient_descent_begins_to_grow() {
    let parent = tempfile::tempdir().unwrap();
    let data = table(parent.path());
    let descend = |name: &str, rate: f64, momentum: &str| {
        let rate = rate.to_string();
        // The rows of training, at most 64, are those that are watched.
        let given = [
            ("model", "linear"),
            ("optimizer", "sgd"),
            ("batch-size", "full"),
            ("ridge", "0"),
            ("epochs", "60"),
            ("patience", "1000"),
            ("momentum", momentum),
            ("learning-rate", &rate),
        ];
        run(&config(&data, &given), &parent.path().join(name))
    };
    let report = descend("first", 1e-3, "0");
    let sharpness = report.kernel_watch[0].sharpness;
    assert!(report.kernel_watch.iter().all(|watch| watch.drift == Some(0.0) && watch.sharpness == sharpness));
    for momentum in ["0", "0.5"] {
        let edge = 2.0 * (1.0 + momentum.parse::<f64>().unwrap()) / sharpness;
        let losses = |name: &str, rate: f64| {
            let folder = format!("{name}-{momentum}");
            let report = descend(&folder, rate, momentum);
            let bound = report.kernel_watch[0].stable_below.unwrap();
            assert_eq!(bound > sharpness, name == "below", "{bound} and {sharpness}");
            let text = fs::read_to_string(parent.path().join(folder).join("record.jsonl")).unwrap();
            let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
            lines.filter_map(|line| line["train_loss"].as_f64()).collect::<Vec<f64>>()
        };
        let (below, above) = (losses("below", 0.95 * edge), losses("above", 1.05 * edge));
        assert!(below[59] < below[5], "{below:?}");
        assert!(above[59] > 10.0 * above[5], "{above:?}");
    }
}

#[test]
fn a_run_that_was_cut_off_is_watched_on() {
    let parent = tempfile::tempdir().unwrap();
    let data = table(parent.path());
    let (whole, cut) = (parent.path().join("whole"), parent.path().join("cut"));
    let config = config(&data, &[("optimizer", "sgd"), ("batch-size", "16"), ("epochs", "11")]);
    let report = run(&config, &whole);
    let stop = AtomicBool::new(false);
    let mut cut_off = |event: &Event<'_>| {
        stop.fetch_or(matches!(event, Event::Epoch(epoch) if epoch.epoch == 5), Ordering::Relaxed);
        Ok(())
    };
    train(&config, Keep::Folder(&cut), &stop, &mut cut_off).unwrap();
    let on = resume(&cut, Config::default(), &AtomicBool::new(false), &mut Silent).unwrap();
    let untimed = |report: &Report| -> Vec<KernelWatch> {
        let untimed = |watch: &KernelWatch| {
            let mut watch = watch.clone();
            watch.seconds = 0.0;
            watch
        };
        report.kernel_watch.iter().map(untimed).collect()
    };
    assert_eq!(untimed(&on), untimed(&report));
    assert_eq!(recorded(&cut), recorded(&whole));
    assert_eq!(epochs(&on.kernel_watch), [0, 3, 6, 9, 11]);
}

#[test]
fn classes_have_a_sharpness_by_their_curvature_and_what_cannot_be_watched_is_refused() {
    let parent = tempfile::tempdir().unwrap();
    let row = |i: usize| format!("{},{},{}\n", i % 7, i % 5, ["a", "b", "c"][(i % 7 + i % 5) % 3]);
    let path = parent.path().join("c.csv");
    fs::write(&path, format!("a,b,y\n{}", (0..80).map(row).collect::<String>())).unwrap();
    let report = run(&config(&path.display().to_string(), &[]), &parent.path().join("classes"));
    let first = &report.kernel_watch[0];
    // p − pp′ has eigenvalues of at most ½.
    assert!(
        first.sharpness <= 0.5 * first.eigenvalues[0] && first.sharpness > 0.01 * first.eigenvalues[0],
        "{first:?}"
    );
    assert_eq!(first.stable_below, None);
    let data = table(parent.path());
    let kernel = config(&data, &[("model", "ntk:depth=1:relu")]);
    let refused = train(&kernel, Keep::Nothing, &AtomicBool::new(false), &mut Silent);
    assert!(refused.unwrap_err().is_usage());
}

//! What a power cut leaves of a run is enough to go on with: every beginning of the changes that a run makes on disk, with
//! any of those lost that were not synced.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use gramstep::random::{Purpose, stream};
use rand::RngExt;
use serde_json::Value;

use super::{Keep, resume, train};
use crate::error::Error;
use crate::format::disk::journal::{self, Change};
use crate::outcome::event::Silent;
use crate::settings::Config;

/// Cuts tried for each kind of run; `GRAMSTEP_CHAOS` times as many where it is set.
const CUTS: usize = 25;

/// Kinds of runs, each with several checkpoints.
const KINDS: [&[(&str, &str)]; 5] = [
    &[("model", "mlp:6:tanh"), ("optimizer", "adam"), ("epochs", "12"), ("batch-size", "8")],
    &[("model", "mlp:6:tanh"), ("epochs", "8"), ("ridge", "0")],
    &[("model", "mlp:4:tanh"), ("ensemble", "3"), ("optimizer", "sgd"), ("epochs", "5")],
    &[("model", "mlp:4:tanh"), ("ensemble", "4"), ("optimizer", "adam"), ("epochs", "5"), ("threads", "2")],
    &[("model", "ntk:depth=1:relu")],
];

fn config(data: &Path, settings: &[(&str, &str)]) -> Config {
    let mut config = Config { data: Some(data.display().to_string()), threads: Some(1), ..Config::default() };
    for (name, value) in settings {
        config.set(name, value).unwrap();
    }
    config
}

/// The record without times and names.
fn record(run: &Path) -> Vec<Value> {
    let text = fs::read_to_string(run.join("record.jsonl")).unwrap();
    let line = |line: &str| {
        let mut value: Value = serde_json::from_str(line).unwrap();
        value.as_object_mut().unwrap().remove("seconds");
        if let Some(report) = value.get_mut("report").and_then(Value::as_object_mut) {
            report.remove("seconds");
            report.remove("run");
        }
        value
    };
    text.lines().map(line).collect()
}

#[test]
fn a_run_goes_on_to_the_same_end_after_a_power_cut_at_any_moment() {
    let times = std::env::var("GRAMSTEP_CHAOS").ok().and_then(|times| times.parse().ok()).unwrap_or(1);
    let go_on = AtomicBool::new(false);
    let (mut tried, mut begun) = (0_usize, 0_usize);
    for (kind, settings) in KINDS.into_iter().enumerate() {
        let parent = tempfile::tempdir().unwrap();
        let data = parent.path().join("t.csv");
        let row = |i: i32| format!("{},{},{}\n", i, i * 7 % 5, (f64::from(i) / 5.0).sin());
        fs::write(&data, format!("a,b,y\n{}", (0..40).map(row).collect::<String>())).unwrap();
        let (config, whole) = (config(&data, settings), parent.path().join("whole"));
        let work = || drop(train(&config, Keep::Folder(&whole), &go_on, &mut Silent).unwrap());
        let changes = journal::of(parent.path(), work);
        let expected = (fs::read(whole.join("model.safetensors")).unwrap(), record(&whole));
        for cut in 0..CUTS * times {
            let mut random = stream(cut as u64, Purpose::Shuffle, kind as u64, 0);
            let mut below = |n: usize| random.random_range(0..n);
            let left = journal::after_a_cut(&changes, below(changes.len() + 1), &mut below);
            let run = parent.path().join(format!("cut-{cut}"));
            let left = moved(left, &whole, &run);
            tried += 1;
            let context = || format!("kind {kind}, cut {cut}: {:?}", left.keys());
            if left.contains_key(&run.join("config.toml")) {
                begun += 1;
                match resume(&run, Config::default(), &go_on, &mut Silent) {
                    Ok(_) => {}
                    Err(Error::Checkpoint { reason, .. }) if reason.contains("come to its end") => {}
                    Err(error) => panic!("{}: {error}", context()),
                }
            } else {
                let again = train(&config, Keep::Folder(&run), &go_on, &mut Silent);
                assert!(again.is_ok(), "{}: {again:?}", context());
            }
            assert!(fs::read(run.join("model.safetensors")).unwrap() == expected.0, "{}", context());
            assert_eq!(record(&run), expected.1, "{}", context());
            assert!(run.join("report.html").exists() && !run.join("checkpoint.json").exists(), "{}", context());
        }
    }
    println!("{tried} power cuts, {begun} of them in a run that had begun: none lost, none other than undisturbed");
    assert!(begun > tried / 2);
}

/// Writes files of one folder into another.
fn moved(files: Vec<(PathBuf, Vec<u8>)>, from: &Path, to: &Path) -> BTreeMap<PathBuf, usize> {
    fs::create_dir_all(to).unwrap();
    let mut written = BTreeMap::new();
    for (path, bytes) in files {
        let path = to.join(path.strip_prefix(from).unwrap());
        fs::write(&path, &bytes).unwrap();
        written.insert(path, bytes.len());
    }
    written
}

#[test]
fn the_record_is_on_the_disk_before_the_checkpoint_that_needs_it() {
    let parent = tempfile::tempdir().unwrap();
    let data = parent.path().join("t.csv");
    let rows = |i: i32| format!("{i},{}\n", i * i % 7);
    fs::write(&data, format!("a,y\n{}", (0..30).map(rows).collect::<String>())).unwrap();
    let (config, run) = (config(&data, KINDS[0]), parent.path().join("run"));
    let go_on = AtomicBool::new(false);
    let changes = journal::of(parent.path(), || drop(train(&config, Keep::Folder(&run), &go_on, &mut Silent).unwrap()));
    let (mut unsynced, mut checkpoints) = (false, 0);
    for change in &changes {
        match change {
            Change::Write(path, ..) if path.ends_with("record.jsonl") => unsynced = true,
            Change::Sync(path) if path.ends_with("record.jsonl") => unsynced = false,
            Change::Rename(_, to) if to.ends_with("checkpoint.json") => {
                assert!(!unsynced);
                checkpoints += 1;
            }
            _ => {}
        }
    }
    assert!(checkpoints > 1);
}

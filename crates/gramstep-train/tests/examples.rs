//! The examples run, each to its own assertions, and are short enough to be read.

use std::path::Path;

#[path = "../examples/own_data.rs"]
mod own_data;
#[path = "../examples/own_layer.rs"]
mod own_layer;
#[path = "../examples/own_loop.rs"]
mod own_loop;
#[path = "../examples/own_loss.rs"]
mod own_loss;

#[test]
fn own_data_are_trained_on() {
    own_data::main().unwrap();
}

#[test]
fn a_layer_of_ones_own_is_trained() {
    own_layer::main().unwrap();
}

#[test]
fn a_loop_of_ones_own_leaves_a_run() {
    own_loop::main().unwrap();
}

#[test]
fn a_loss_of_ones_own_is_lowered() {
    own_loss::main().unwrap();
}

#[test]
fn every_example_is_run_here_and_short() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut names = Vec::new();
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines < 80, "{}: {lines} lines", path.display());
        names.push(path.file_stem().unwrap().to_string_lossy().into_owned());
    }
    names.sort();
    assert_eq!(names, ["own_data", "own_layer", "own_loop", "own_loss"]);
}

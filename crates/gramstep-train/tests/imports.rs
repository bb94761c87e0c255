//! The wings of this crate use only wings below them, and no file uses one that uses it, however far round: here, in the
//! command line and in the Python package.

#[path = "../../gramstep/tests/house/mod.rs"]
mod house;

use std::path::Path;

use house::Crate;

const RANKS: [(&str, u8); 14] = [
    ("error", 0),
    ("format", 1),
    ("data", 2),
    ("settings", 3),
    ("outcome", 4),
    ("folder", 5),
    ("predictor", 6),
    ("training", 7),
    ("report", 8),
    ("run", 9),
    ("kernel", 10),
    ("attack", 10),
    ("verify", 10),
    ("arrays", 10),
];

fn source(folder: &str) -> Crate {
    Crate::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder))
}

#[test]
fn wings_use_only_wings_below_them() {
    let faults = source("src").against(&RANKS);
    assert!(faults.is_empty(), "imports against the direction:\n{}", faults.join("\n"));
}

#[test]
fn files_use_one_another_without_a_circle() {
    for folder in ["src", "../gramstep-cli/src", "../gramstep-mpi/src", "../../python/src"] {
        source(folder).check_circles();
    }
}

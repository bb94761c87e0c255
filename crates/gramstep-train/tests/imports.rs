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

#[test]
fn files_can_be_read_in_one_go() {
    for crate_source in ["../gramstep/src", "src", "../gramstep-cli/src", "../../python/src"] {
        let mut sizes: Vec<(u64, String)> = Vec::new();
        collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join(crate_source), &mut sizes);
        sizes.sort();
        let (median, largest) = (&sizes[sizes.len() / 2], &sizes[sizes.len() - 1]);
        assert!(median.0 <= 6 << 10, "half of {crate_source} is longer than {median:?}");
        assert!(largest.0 <= 20 << 10, "{largest:?} holds more than one idea");
    }
}

fn collect(folder: &Path, sizes: &mut Vec<(u64, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, sizes);
        } else {
            sizes.push((path.metadata().unwrap().len(), path.display().to_string()));
        }
    }
}

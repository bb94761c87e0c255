//! Imports go one way: a module uses only modules of lower rank, and no file uses one that uses it, however far round.

use std::path::Path;

use crate::house::Crate;

const RANKS: [(&str, u8); 15] = [
    ("scalar", 0),
    ("error", 0),
    ("view", 1),
    ("conversions", 2),
    ("random", 1),
    ("communicator", 1),
    ("device", 2),
    ("solve", 3),
    ("model", 4),
    ("loss", 4),
    ("tangent", 5),
    ("optim", 6),
    ("kernel", 6),
    ("attack", 7),
    ("theory", 8),
];

fn source() -> Crate {
    Crate::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
}

#[test]
fn modules_import_only_from_below() {
    let faults = source().against(&RANKS);
    assert!(faults.is_empty(), "imports against the direction:\n{}", faults.join("\n"));
}

#[test]
fn files_use_one_another_without_a_circle() {
    source().check_circles();
}

#[test]
fn the_reader_of_imports_sees_uses_where_they_are() {
    let source = source();
    assert!(source.uses("kernel::laplace", "kernel::regression"), "a neighbour");
    assert!(source.uses("attack::search", "model::differentiable"), "a name through the face of its folder");
    assert!(source.uses("kernel::laplace", "tangent"), "a name that the root hands on or a folder defines");
    assert!(!source.uses("kernel", "kernel::laplace"), "a face that hands on a name does not use it");
}

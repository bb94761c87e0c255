//! Imports go one way: a module uses only modules of lower rank.

use std::path::Path;

const RANKS: [(&str, u8); 14] = [
    ("scalar", 0),
    ("error", 0),
    ("view", 1),
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

/// Re-exports at the root, and where they come from.
const ROOT: [(&str, &str); 11] = [
    ("Scalar", "scalar"),
    ("Error", "error"),
    ("Result", "error"),
    ("Matrix", "view"),
    ("MatrixView", "view"),
    ("Device", "device"),
    ("Activation", "model"),
    ("Architecture", "model"),
    ("Model", "model"),
    ("Specification", "model"),
    ("TangentFeatures", "tangent"),
];

fn rank(module: &str) -> Option<u8> {
    RANKS.iter().find(|(name, _)| *name == module).map(|(_, rank)| *rank)
}

fn check(file: &Path, module: &str, faults: &mut Vec<String>) {
    let own = rank(module).unwrap_or_else(|| panic!("module `{module}` has no rank in this test"));
    let source = std::fs::read_to_string(file).unwrap();
    let code = source.split("#[cfg(test)]").next().unwrap_or("");
    for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
        for path in line.split("crate::").skip(1) {
            let name: String = path.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let target = ROOT.iter().find(|(root, _)| *root == name).map_or(name.as_str(), |(_, module)| module);
            if target != module && rank(target).is_some_and(|target| target >= own) {
                faults.push(format!("{}: {}", file.display(), line.trim()));
            }
        }
    }
}

fn walk(folder: &Path, module: Option<&str>, faults: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let module = module.unwrap_or(&name);
        if path.is_dir() {
            walk(&path, Some(module), faults);
        } else if name != "lib" {
            check(&path, module, faults);
        }
    }
}

#[test]
fn modules_import_only_from_below() {
    let mut faults = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), None, &mut faults);
    assert!(faults.is_empty(), "imports against the direction:\n{}", faults.join("\n"));
}

//! Files are changed in one place alone, `format/`: what is written elsewhere would not be synced, locked or whole.

use std::path::{Path, PathBuf};

/// What changes files.
const WRITERS: [&str; 9] = [
    "File::create",
    "OpenOptions",
    "fs::write",
    "fs::rename",
    "fs::remove",
    "fs::create_dir",
    "fs::copy",
    "fs::hard_link",
    "BufWriter::new(File",
];

/// Not a file of a user: a switch of the system.
const EXCEPT: &str = "verify/meter.rs";

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else {
            found.push(path);
        }
    }
}

#[test]
fn files_are_changed_in_one_place() {
    let mut found = Vec::new();
    for folder in ["src", "../gramstep-cli/src", "../../python/src"] {
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut found);
    }
    let mut faults = Vec::new();
    for path in found.iter().filter(|path| !path.components().any(|part| part.as_os_str() == "format")) {
        let text = std::fs::read_to_string(path).unwrap();
        // Tests, which stand at the end, write what they like; so does a file of tests alone.
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        if path.ends_with(EXCEPT) || path.ends_with("run/power_cuts.rs") || path.ends_with("tests.rs") {
            continue;
        }
        faults.extend(
            WRITERS.iter().filter(|word| code.contains(**word)).map(|word| format!("{}: {word}", path.display())),
        );
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

//! What the documentation has to hold.

use std::fs::read_to_string;
use std::path::Path;

use crate::house::rust_files;

/// Modules whose public structs have an example each; public traits have one everywhere.
const WITH_EXAMPLES: [&str; 4] = ["optim", "kernel", "attack", "tangent"];

#[test]
fn every_public_trait_and_every_public_struct_that_a_user_meets_has_an_example() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut without = Vec::new();
    for path in rust_files(&root) {
        let module = path.strip_prefix(&root).unwrap().iter().next().unwrap().to_string_lossy().into_owned();
        let structs = WITH_EXAMPLES.contains(&module.as_str());
        let text = read_to_string(&path).unwrap();
        let (mut documented, mut example) = (false, false);
        for line in text.lines() {
            let is_item = line.starts_with("pub trait ") || (structs && line.starts_with("pub struct "));
            if is_item && !example {
                without.push(format!("{}: {line}", path.display()));
            }
            documented = line.starts_with("///") || (documented && line.starts_with('#'));
            example = documented && (example || line.starts_with("/// ```"));
        }
    }
    assert!(without.is_empty(), "without an example:\n{}", without.join("\n"));
}

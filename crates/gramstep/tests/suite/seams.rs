//! Where the mathematics reaches into host memory: a device of another kind would have to be met in every such place.

use std::fs::read_to_string;
use std::path::Path;

use crate::house::rust_files;

/// Lines outside of `device/` that take the elements of a tile in host memory or make a tile of host memory. The number
/// may only fall: lower it here with every line that goes.
const REACHES: usize = 76;

#[test]
fn the_mathematics_reaches_into_host_memory_in_ever_fewer_places() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let reaches = |line: &str| [".host()", "Tile::new", "TileMut::new"].iter().any(|name| line.contains(name));
    let mut found = Vec::new();
    for path in rust_files(&root).into_iter().filter(|path| !path.starts_with(root.join("device"))) {
        let text = read_to_string(&path).unwrap();
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        found.extend(code.filter(|line| reaches(line)).map(|line| format!("{}: {}", path.display(), line.trim())));
    }
    let count = found.len();
    assert!(count <= REACHES, "{count} lines in place of {REACHES}; use Buffer::tile:\n{}", found.join("\n"));
    assert!(count == REACHES, "{count} lines, fewer than {REACHES}: lower the number in this test");
}

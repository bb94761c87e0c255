//! Decoded images on disk, so that a second run on the same files does not decode them again.
//!
//! The key is a hash of the bytes of all files, of size and colour: a changed file is another set. One file of the
//! user's cache folder holds one set; `GRAMSTEP_CACHE` names another folder, and empty it keeps none.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::decode;
use super::decoded::Decoded;
use super::{Geometry, ImageSettings, Images, Progress};
use crate::error::Result;
use crate::format::disk::make_folders;
use crate::format::whole_file::write_atomically;

/// Changes whenever decoding gives other pixels or the file another form.
const VERSION: u32 = 2;
/// Smaller sets are decoded in no time.
const SMALLEST: usize = 1000;

/// First line of a cache file; the pixels follow.
#[derive(Serialize, Deserialize)]
struct Header {
    geometry: Geometry,
    broken: Vec<(usize, String)>,
    resized: usize,
    converted: usize,
    transparent: usize,
    deep: usize,
    deepest: u16,
}

/// The images of some files, from the cache where they are there.
pub(super) fn decoded(files: &[PathBuf], settings: &ImageSettings, progress: &mut Progress<'_>) -> Result<Decoded> {
    let geometry = decode::geometry(files, settings)?;
    let place = if files.len() < SMALLEST {
        None
    } else {
        folder().and_then(|folder| place(&folder, files, geometry, settings.white))
    };
    if let Some(found) = place.as_deref().and_then(|path| load(path, files.len())) {
        return Ok(found);
    }
    let decoded = decode::decode(files, geometry, settings, progress)?;
    if let Some(path) = place {
        // A cache that cannot be written is a slow second run, nothing worse.
        _ = save(&path, &decoded);
    }
    Ok(decoded)
}

fn folder() -> Option<PathBuf> {
    match std::env::var_os("GRAMSTEP_CACHE") {
        Some(folder) if folder.is_empty() => None,
        Some(folder) => Some(folder.into()),
        None => dirs::cache_dir().map(|folder| folder.join("gramstep")),
    }
}

/// Where the set of these files would be; none if one cannot be read (decoding says which).
fn place(folder: &Path, files: &[PathBuf], geometry: Geometry, white: Option<u16>) -> Option<PathBuf> {
    let mut hash = blake3::Hasher::new();
    let Geometry { height, width, channels, .. } = geometry;
    hash.update(format!("{VERSION} {height} {width} {channels} {white:?}").as_bytes());
    for file in files {
        hash.update(blake3::hash(&std::fs::read(file).ok()?).as_bytes());
    }
    Some(folder.join(format!("images-{}.bin", hash.finalize().to_hex())))
}

fn load(path: &Path, files: usize) -> Option<Decoded> {
    let mut bytes = std::fs::read(path).ok()?;
    let end = bytes.iter().position(|&byte| byte == b'\n')?;
    let Header { geometry, broken, resized, converted, transparent, deep, deepest } =
        serde_json::from_slice(&bytes[..end]).ok()?;
    let pixels = bytes.split_off(end + 1);
    let whole = broken.len() <= files && pixels.len() == (files - broken.len()) * geometry.len();
    let images = Images { geometry, pixels, gaps: Vec::new() };
    whole.then_some(Decoded { images, broken, resized, converted, transparent, deep, deepest })
}

fn save(path: &Path, decoded: &Decoded) -> Result<()> {
    let Decoded { images, broken, resized, converted, transparent, deep, deepest } = decoded;
    let header = Header {
        geometry: images.geometry,
        broken: broken.clone(),
        resized: *resized,
        converted: *converted,
        transparent: *transparent,
        deep: *deep,
        deepest: *deepest,
    };
    let Ok(mut bytes) = serde_json::to_vec(&header) else { return Ok(()) };
    bytes.push(b'\n');
    bytes.extend_from_slice(&images.pixels);
    if let Some(folder) = path.parent() {
        _ = make_folders(folder);
    }
    write_atomically(path, &bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_loaded_as_it_was_saved_and_a_cut_off_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("set.bin");
        let images = Images { geometry: Geometry::new(2, 1, 3), pixels: (0..12).collect(), gaps: Vec::new() };
        let broken = vec![(1, "cut off".to_owned())];
        let decoded = Decoded { images, broken, resized: 2, converted: 0, transparent: 1, deep: 1, deepest: 9 };
        save(&path, &decoded).unwrap();
        let loaded = load(&path, 3).unwrap();
        assert_eq!((&loaded.images, &loaded.broken), (&decoded.images, &decoded.broken));
        assert!(load(&path, 4).is_none());
        std::fs::write(&path, &std::fs::read(&path).unwrap()[..40]).unwrap();
        assert!(load(&path, 3).is_none());
    }

    #[test]
    fn another_content_is_another_place() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a");
        let place_of = |content: &str| {
            std::fs::write(&file, content).unwrap();
            place(folder.path(), std::slice::from_ref(&file), Geometry::new(2, 1, 3), None).unwrap()
        };
        assert_eq!(place_of("one"), place_of("one"));
        assert_ne!(place_of("one"), place_of("two"));
    }
}

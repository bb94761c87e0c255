//! IDX files, as of MNIST: images (three dimensions of bytes) and labels (one), plain or compressed by gzip.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::read::GzDecoder;

use super::decoded::FEWER;
use super::{Colour, Geometry, ImageSettings, Images, decode};
use crate::data::{Cells, Column, Table, Task, TextCells};
use crate::error::{Error, Result};
use crate::format::bounded::{read_all, read_file};
use crate::format::memory::check_memory;

/// A file of images and the file of their labels.
#[derive(Debug)]
pub(super) struct Pair {
    images: PathBuf,
    labels: PathBuf,
}

/// What the names of images and of their labels end in; some programs write a dot for the hyphen.
const IMAGES: [&str; 2] = ["images-idx3-ubyte", "images.idx3-ubyte"];
const LABELS: [&str; 2] = ["labels-idx1-ubyte", "labels.idx1-ubyte"];

/// What stands before the ending of a file of images; none of another file.
fn start(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let bare = name.strip_suffix(".gz").unwrap_or(name);
    IMAGES.iter().find_map(|ending| bare.strip_suffix(ending)).map(str::to_owned)
}

/// Whether a path is a file of IDX images, by its name.
pub(in crate::data) fn is_images(path: &Path) -> bool {
    start(path).is_some()
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let wrong = |source| Error::Read { path: folder.to_owned(), source };
    let entries = std::fs::read_dir(folder).map_err(wrong)?;
    let mut found = entries.map(|entry| Ok(entry.map_err(wrong)?.path())).collect::<Result<Vec<_>>>()?;
    found.retain(|path| is_images(path));
    found.sort();
    Ok(found)
}

/// The error of a folder that should have IDX files.
pub(super) fn none_in(folder: &Path) -> Error {
    Error::ImageFolder { path: folder.to_owned(), reason: format!("no file *{0} or *{0}.gz to learn from", IMAGES[0]) }
}

fn is_test(path: &Path) -> bool {
    path.file_name().is_some_and(|name| ["t10k", "test"].iter().any(|word| name.to_string_lossy().starts_with(word)))
}

/// The pair to learn from, if the folder has IDX files.
pub(super) fn training_pair(folder: &Path) -> Result<Option<Pair>> {
    let found: Vec<PathBuf> = files(folder)?.into_iter().filter(|path| !is_test(path)).collect();
    match &found[..] {
        [] => Ok(None),
        [images] => pair_of(images).map(Some),
        several => Err(Error::ImageFolder {
            path: folder.to_owned(),
            reason: format!("{} files of training images; name the one to read", several.len()),
        }),
    }
}

/// The images to test on, if the folder has them beside a training pair.
pub(super) fn test_images(folder: &Path) -> Option<PathBuf> {
    let found = files(folder).ok()?;
    let mut tests = found.iter().filter(|path| is_test(path));
    let test = tests.next().filter(|_| found.len() == 2)?;
    Some(test.clone())
}

/// The pair that a file of images belongs to.
pub(super) fn pair_of(images: &Path) -> Result<Pair> {
    let start = start(images).unwrap_or_default();
    let candidates = LABELS.iter().flat_map(|ending| ["", ".gz"].map(|gz| format!("{start}{ending}{gz}")));
    let labels = candidates.map(|name| images.with_file_name(name)).find(|path| path.exists());
    let labels = labels.ok_or_else(|| Error::ImageFolder {
        path: images.to_owned(),
        reason: format!("no labels beside it: {start}{}", LABELS[0]),
    })?;
    Ok(Pair { images: images.to_owned(), labels })
}

pub(super) fn read(pair: &Pair, settings: &ImageSettings) -> Result<Table> {
    let (sizes, pixels) = array::<3>(&pair.images)?;
    let ([count], labels) = array::<1>(&pair.labels)?;
    let [images, height, width] = sizes;
    if images != count {
        let reason = format!("{images} images, but {count} labels in {}", pair.labels.display());
        return Err(Error::ImageFolder { path: pair.images.clone(), reason });
    }
    if images * height * width == 0 {
        return Err(Error::ImageFolder { path: pair.images.clone(), reason: "no images".to_owned() });
    }
    let (rows, columns) = settings.size.map_or((height, width), |size| (size.height, size.width));
    let channels = if settings.colour == Colour::Rgb { 3 } else { 1 };
    let geometry = Geometry::new(rows, columns, channels);
    let pixels = if geometry == Geometry::new(height, width, 1) {
        pixels
    } else {
        // Image by image, then in one piece.
        check_memory("the pixels of all images", images.saturating_mul(2 * geometry.len()), FEWER)?;
        let fit = |image: &[u8]| decode::fit_grey(image, height as u32, width as u32, geometry);
        let fitted: std::result::Result<Vec<_>, String> = pixels.chunks_exact(height * width).map(fit).collect();
        fitted.map_err(|reason| Error::ImageFolder { path: pair.images.clone(), reason })?.concat()
    };
    let values: Vec<String> = (0..=u8::MAX).map(|label| label.to_string()).collect();
    let codes = labels.iter().map(|&label| u32::from(label)).collect();
    let label = Cells::Text(TextCells { values, codes, numbers: 0, first_text: 0 });
    let columns = vec![
        Column {
            name: "image".to_owned(),
            cells: Cells::Images(Arc::new(Images { geometry, pixels, gaps: Vec::new() })),
        },
        Column { name: "label".to_owned(), cells: label },
    ];
    let table = Table::new(pair.images.display().to_string(), columns, (1..=images as u64).collect(), Vec::new());
    Ok(Table { targets: vec!["label".to_owned()], task: Some(Task::Classification), ..table })
}

/// Sizes and bytes of a file with N dimensions.
fn array<const N: usize>(path: &Path) -> Result<([usize; N], Vec<u8>)> {
    unpack(path, &read_file(path)?)
}

/// The same of the bytes of a file, packed by gzip or not; `path` is for messages.
pub(super) fn unpack<const N: usize>(path: &Path, raw: &[u8]) -> Result<([usize; N], Vec<u8>)> {
    if raw.starts_with(&[0x1f, 0x8b]) { parse(path, GzDecoder::new(raw)) } else { parse(path, raw) }
}

/// Two zeros, the type (8 is bytes), the number of dimensions, their sizes as big-endian words, the data. No more is read
/// than the sizes ask for, whatever a compressed file unpacks to.
fn parse<const N: usize>(path: &Path, mut file: impl Read) -> Result<([usize; N], Vec<u8>)> {
    let fail = |reason| Error::ImageFolder { path: path.to_owned(), reason };
    let no_idx = || fail(format!("not an IDX file of bytes with {N} dimensions"));
    let mut head = [0; 4];
    file.read_exact(&mut head).map_err(|_| no_idx())?;
    if head[..3] != [0, 0, 8] || usize::from(head[3]) != N {
        return Err(no_idx());
    }
    let mut sizes = [0; N];
    for size in &mut sizes {
        file.read_exact(&mut head).map_err(|_| no_idx())?;
        *size = u32::from_be_bytes(head) as usize;
    }
    let expected = sizes.iter().try_fold(1_usize, |product, &size| product.checked_mul(size));
    let limit = expected.map_or(0, |expected| expected as u64).saturating_add(1);
    let bytes = read_all(file.take(limit), |error| fail(error.to_string()))?;
    match expected {
        Some(expected) if expected == bytes.len() => Ok((sizes, bytes)),
        Some(expected) if expected < bytes.len() => {
            Err(fail(format!("more bytes of data than the sizes {sizes:?} ask for")))
        }
        _ => Err(fail(format!("{} bytes of data do not fit the sizes {sizes:?}", bytes.len()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_bytes_are_read_and_a_cut_off_file_is_refused() {
        let file = [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6];
        let parsed = |bytes: &[u8]| parse::<3>(Path::new("i"), bytes).map_err(|error| error.to_string());
        assert_eq!(parsed(&file), Ok(([2, 1, 3], vec![1, 2, 3, 4, 5, 6])));
        assert!(parsed(&file[..20]).unwrap_err().contains("do not fit"));
        assert!(parsed(&[&file[..], &[7]].concat()).unwrap_err().contains("more bytes"));
        assert!(parse::<1>(Path::new("i"), &file[..]).is_err() && parsed(b"PNG").is_err());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn images_that_do_not_fit_in_memory_are_refused_before_they_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("train-images-idx3-ubyte");
        std::fs::File::create(&path).unwrap().set_len(1 << 43).unwrap();
        assert!(matches!(array::<3>(&path), Err(Error::Memory { .. })));
        let (files, geometry) = (vec![path; 1000], Geometry::new(1_000_000, 1_000_000, 3));
        let decoded = decode::decode(&files, geometry, &ImageSettings::default(), &mut |_, _| {});
        assert!(matches!(decoded, Err(Error::Memory { .. })));
    }

    #[test]
    fn names_with_a_dot_for_the_hyphen_are_pairs_too() {
        let folder = tempfile::tempdir().unwrap();
        for (images, labels) in [
            ("train-images.idx3-ubyte", "train-labels.idx1-ubyte"),
            ("a-images-idx3-ubyte.gz", "a-labels.idx1-ubyte"),
            ("images.idx3-ubyte", "labels-idx1-ubyte.gz"),
        ] {
            let (images, labels) = (folder.path().join(images), folder.path().join(labels));
            assert!(is_images(&images) && pair_of(&images).is_err());
            std::fs::write(&labels, b"").unwrap();
            assert_eq!(pair_of(&images).unwrap().labels, labels);
        }
    }
}

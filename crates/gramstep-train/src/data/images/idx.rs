//! IDX files, as of MNIST: images (three dimensions of bytes) and labels (one), plain or compressed by gzip.

use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;

use super::{Colour, Geometry, ImageSettings, Images, decode};
use crate::data::{Cells, Column, Table, Task, TextCells};
use crate::error::{Error, Result};

/// A file of images and the file of their labels.
#[derive(Debug)]
pub(super) struct Pair {
    images: PathBuf,
    labels: PathBuf,
}

const IMAGES: &str = "images-idx3-ubyte";
const LABELS: &str = "labels-idx1-ubyte";

/// Whether a path is a file of IDX images, by its name.
pub(in crate::data) fn is_images(path: &Path) -> bool {
    let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    name.trim_end_matches(".gz").ends_with(IMAGES)
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
    Error::ImageFolder { path: folder.to_owned(), reason: format!("no file *{IMAGES} or *{IMAGES}.gz to learn from") }
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
    let name = images.file_name().map_or_else(String::new, |name| name.to_string_lossy().replace(IMAGES, LABELS));
    let bare = name.trim_end_matches(".gz").to_owned();
    let candidates = [images.with_file_name(format!("{bare}.gz")), images.with_file_name(bare)];
    let labels = candidates.iter().find(|path| path.exists()).ok_or_else(|| Error::ImageFolder {
        path: images.to_owned(),
        reason: format!("no labels beside it: {}", candidates[1].display()),
    })?;
    Ok(Pair { images: images.to_owned(), labels: labels.clone() })
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
    let geometry = Geometry { height: rows, width: columns, channels };
    let pixels = if geometry == (Geometry { height, width, channels: 1 }) {
        pixels
    } else {
        let fit = |image: &[u8]| decode::fit_grey(image, height as u32, width as u32, geometry);
        pixels.chunks_exact(height * width).flat_map(fit).collect()
    };
    let values: Vec<String> = (0..=u8::MAX).map(|label| label.to_string()).collect();
    let codes = labels.iter().map(|&label| u32::from(label)).collect();
    let label = Cells::Text(TextCells { values, codes, numbers: 0, first_text: 0 });
    let columns = vec![
        Column { name: "image".to_owned(), cells: Cells::Images(Images { geometry, pixels }) },
        Column { name: "label".to_owned(), cells: label },
    ];
    let table = Table::new(pair.images.display().to_string(), columns, (1..=images as u64).collect(), Vec::new());
    Ok(Table { targets: vec!["label".to_owned()], task: Some(Task::Classification), ..table })
}

/// Sizes and bytes of a file with N dimensions.
fn array<const N: usize>(path: &Path) -> Result<([usize; N], Vec<u8>)> {
    let raw = std::fs::read(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
    let mut bytes = Vec::new();
    if raw.starts_with(&[0x1f, 0x8b]) {
        let read = GzDecoder::new(&raw[..]).read_to_end(&mut bytes);
        read.map_err(|source| Error::Read { path: path.to_owned(), source })?;
    } else {
        bytes = raw;
    }
    parse(&bytes).map_err(|reason| Error::ImageFolder { path: path.to_owned(), reason })
}

/// Two zeros, the type (8 is bytes), the number of dimensions, their sizes as big-endian words, the data.
fn parse<const N: usize>(bytes: &[u8]) -> std::result::Result<([usize; N], Vec<u8>), String> {
    let head = 4 + 4 * N;
    if bytes.len() < head || bytes[..3] != [0, 0, 8] || usize::from(bytes[3]) != N {
        return Err(format!("not an IDX file of bytes with {N} dimensions"));
    }
    let mut sizes = [0; N];
    for (size, word) in sizes.iter_mut().zip(bytes[4..head].chunks_exact(4)) {
        *size = word.iter().fold(0, |number, &byte| number << 8 | usize::from(byte));
    }
    let expected = sizes.iter().try_fold(1_usize, |product, &size| product.checked_mul(size));
    match expected {
        Some(expected) if expected == bytes.len() - head => Ok((sizes, bytes[head..].to_vec())),
        _ => Err(format!("{} bytes of data do not fit the sizes {sizes:?}", bytes.len() - head)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_bytes_are_read_and_a_cut_off_file_is_refused() {
        let file = [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6];
        assert_eq!(parse::<3>(&file), Ok(([2, 1, 3], vec![1, 2, 3, 4, 5, 6])));
        assert!(parse::<3>(&file[..20]).unwrap_err().contains("do not fit"));
        assert!(parse::<1>(&file).is_err() && parse::<3>(b"PNG").is_err());
    }
}

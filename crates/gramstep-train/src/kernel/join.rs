//! Parts of a matrix that were computed one by one, joined into one file.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::matrix_file::{Contents, beside};
use crate::error::{Error, Result};
use crate::folder::check_output;
use crate::format::whole_file::write_whole;

/// Joins parts, given in any order, after checking that they belong together, are whole and leave nothing out.
/// Returns the number of rows.
///
/// # Errors
/// [`Error::KernelFile`] naming the part at fault, or when files cannot be read or written.
pub fn join(parts: &[PathBuf], out: &Path) -> Result<usize> {
    check_output(out, parts)?;
    let mut described = parts.iter().map(|path| Ok((describe(path)?, path))).collect::<Result<Vec<_>>>()?;
    described.sort_by_key(|(contents, _)| contents.rows);
    let fault = |path: &Path, reason: String| Error::KernelFile { path: path.to_owned(), reason };
    let Some((first, _)) = described.first().cloned() else {
        return Err(fault(out, "no parts to join".to_owned()));
    };
    let mut next = 0;
    for (contents, path) in &described {
        let expected = Contents { rows: contents.rows, ..first.clone() };
        if *contents != expected {
            return Err(fault(path, "belongs to another matrix than the first part".to_owned()));
        }
        if contents.rows.0 != next {
            let reason = format!("starts at row {}, where row {next} was expected", contents.rows.0);
            return Err(fault(path, reason));
        }
        next = contents.rows.1;
    }
    if next != first.size {
        return Err(fault(out, format!("rows {next} to {} are in no part", first.size - 1)));
    }
    let whole = Contents { rows: (0, first.size), ..first };
    let sources = described.iter().map(|(contents, path)| open(path, contents)).collect::<Result<Vec<_>>>()?;
    write_whole(out, |target| {
        target.write_all(&whole.header())?;
        for mut source in sources {
            io::copy(&mut source, target)?;
        }
        Ok(())
    })?;
    Ok(whole.size)
}

fn describe(path: &Path) -> Result<Contents> {
    let description = beside(path, ".json");
    let text = fs::read(&description).map_err(|source| Error::Read { path: description.clone(), source })?;
    let contents: Contents = serde_json::from_slice(&text)
        .map_err(|error| Error::KernelFile { path: description.clone(), reason: error.to_string() })?;
    if contents.format_version != Contents::FORMAT_VERSION {
        let (found, supported) = (contents.format_version, Contents::FORMAT_VERSION);
        return Err(Error::FormatVersion { path: description, found, supported });
    }
    let ((first, end), size) = (contents.rows, contents.size);
    let countable = size.checked_mul(size).and_then(|numbers| numbers.checked_mul(size_of::<f64>())).is_some();
    if first > end || end > size || !countable {
        let reason = format!("rows {first} to {end} of {size} are no part of a matrix");
        return Err(Error::KernelFile { path: description, reason });
    }
    Ok(contents)
}

/// The numbers of a part, its header read and checked.
fn open(path: &Path, contents: &Contents) -> Result<File> {
    let read = |source| Error::Read { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(read)?;
    let mut header = vec![0; contents.header().len()];
    let length = file.metadata().map_err(read)?.len();
    if length != contents.bytes() {
        let reason = format!("has {length} bytes, {} were expected", contents.bytes());
        return Err(Error::KernelFile { path: path.to_owned(), reason });
    }
    file.read_exact(&mut header).map_err(read)?;
    if header == contents.header() {
        Ok(file)
    } else {
        Err(Error::KernelFile { path: path.to_owned(), reason: "its header is not that of the part".to_owned() })
    }
}

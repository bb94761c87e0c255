//! A matrix in an NPY file, written piece by piece at its place, so that it needs no memory and survives a kill.
//!
//! While it is made it is called FILE.part, FILE.progress says how far it is, and FILE.lock keeps other processes out; all
//! are gone when it is whole.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use gramstep::Scalar;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::format::disk::{self, Written};
use crate::format::lock::Lock;
use crate::format::npy::Header;
use crate::format::whole_file::write_atomically;

/// What a file holds: some rows of a matrix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Contents {
    pub(super) format_version: u32,
    /// Of the data, the kernel and this program's version: equal ones belong together.
    pub(super) fingerprint: String,
    /// `f32` or `f64`.
    pub(super) precision: String,
    /// Rows of the whole matrix, which is square.
    pub(super) size: usize,
    /// The first row in this file, and the row after the last one.
    pub(super) rows: (usize, usize),
}

/// FILE.progress.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Progress {
    contents: Contents,
    blocks_done: usize,
}

impl Contents {
    pub(super) const FORMAT_VERSION: u32 = 1;

    /// The header of the file.
    pub(super) fn header(&self) -> Vec<u8> {
        let kind = if self.precision == "f32" { "<f4" } else { "<f8" };
        Header::of_matrix(kind, self.rows.1 - self.rows.0, self.size).bytes()
    }

    pub(super) fn number_bytes(&self) -> usize {
        if self.precision == "f32" { 4 } else { 8 }
    }

    /// Length of the file.
    pub(super) fn bytes(&self) -> u64 {
        self.header().len() as u64 + ((self.rows.1 - self.rows.0) * self.size * self.number_bytes()) as u64
    }
}

/// A path with something after its name.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// A file in the making.
#[derive(Debug)]
pub(super) struct MatrixFile {
    path: PathBuf,
    contents: Contents,
    file: Written,
    header: u64,
    buffer: Vec<u8>,
    _lock: Lock,
}

impl MatrixFile {
    /// Goes on with a file of the same contents, or starts one; returns the number of blocks that are done.
    pub(super) fn open(path: &Path, contents: Contents) -> Result<(Self, usize)> {
        let unfinished = beside(path, ".part");
        let fail = |source| Error::Write { path: unfinished.clone(), source };
        let lock = Lock::take(beside(path, ".lock"), path)?;
        let done = blocks_done(path, &contents);
        if done.is_none() {
            // What an earlier file said of itself must not be taken for that of the new one.
            forget(&beside(path, ".progress"))?;
        }
        let make = if done.is_none() { Written::create } else { Written::open };
        let file = make(&unfinished).map_err(fail)?;
        let header = contents.header();
        let (path, header_bytes) = (path.to_owned(), header.len() as u64);
        let mut made = Self { path, contents, file, header: header_bytes, buffer: Vec::new(), _lock: lock };
        if done.is_none() {
            made.file.set_length(made.contents.bytes()).map_err(fail)?;
            made.file.write_at(&header, 0).map_err(fail)?;
            made.commit(0)?;
        }
        Ok((made, done.unwrap_or(0)))
    }

    /// Writes numbers of one row, from a column on. The row counts from the first one of the whole matrix.
    pub(super) fn write<T: Scalar>(
        &mut self,
        row: usize,
        column: usize,
        values: impl Iterator<Item = T>,
    ) -> Result<()> {
        let size = self.contents.number_bytes();
        self.buffer.clear();
        for value in values {
            if size == 4 {
                self.buffer.extend_from_slice(&(value.to_f64() as f32).to_le_bytes());
            } else {
                self.buffer.extend_from_slice(&value.to_f64().to_le_bytes());
            }
        }
        let number = (row - self.contents.rows.0) * self.contents.size + column;
        self.file
            .write_at(&self.buffer, self.header + (number * size) as u64)
            .map_err(|source| Error::Write { path: beside(&self.path, ".part"), source })
    }

    /// Says how many blocks are written, after they have reached the disk.
    pub(super) fn commit(&mut self, blocks_done: usize) -> Result<()> {
        self.file.sync().map_err(|source| Error::Write { path: beside(&self.path, ".part"), source })?;
        let progress = Progress { contents: self.contents.clone(), blocks_done };
        write_json(&beside(&self.path, ".progress"), &progress)
    }

    /// Gives the file its name.
    pub(super) fn finish(self) -> Result<()> {
        let whole = self.contents.rows == (0, self.contents.size);
        if !whole {
            write_json(&beside(&self.path, ".json"), &self.contents)?;
        }
        disk::rename(&beside(&self.path, ".part"), &self.path)
            .and_then(|()| disk::remove(&beside(&self.path, ".progress")))
            .map_err(|source| Error::Write { path: self.path, source })
    }
}

fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let json = serde_json::to_vec(value)
        .map_err(|error| Error::Write { path: path.to_owned(), source: io::Error::other(error) })?;
    write_atomically(path, &json)
}

/// Removes a file for good, if it is there.
fn forget(path: &Path) -> Result<()> {
    match disk::remove(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed
            .and_then(|()| disk::sync_folder_of(path))
            .map_err(|source| Error::Write { path: path.to_owned(), source }),
    }
}

/// How far an interrupted file of the same contents is.
fn blocks_done(path: &Path, contents: &Contents) -> Option<usize> {
    let progress: Progress = serde_json::from_slice(&fs::read(beside(path, ".progress")).ok()?).ok()?;
    let mut header = vec![0; contents.header().len()];
    let mut file = File::open(beside(path, ".part")).ok()?;
    let length = file.metadata().ok()?.len();
    file.read_exact(&mut header).ok()?;
    let same = progress.contents == *contents && length == contents.bytes() && header == contents.header();
    same.then_some(progress.blocks_done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_finished_file_said_is_not_believed_of_the_next_one_wherever_that_is_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("k.npy");
        let (fingerprint, precision) = ("x".to_owned(), "f64".to_owned());
        let version = Contents::FORMAT_VERSION;
        let contents = Contents { format_version: version, fingerprint, precision, size: 3, rows: (0, 3) };
        let changes = disk::journal::of(folder.path(), || {
            // Killed after the file got its name, before its progress was removed.
            write_json(&beside(&path, ".progress"), &Progress { contents: contents.clone(), blocks_done: 1 }).unwrap();
            drop(MatrixFile::open(&path, contents.clone()).unwrap());
        });
        for cut in 0..200 * changes.len() {
            let mut seed = cut;
            let mut random = |below: usize| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (seed >> 33) % below
            };
            let left = disk::journal::after_a_cut(&changes, cut % (changes.len() + 1), &mut random);
            for entry in fs::read_dir(folder.path()).unwrap() {
                fs::remove_file(entry.unwrap().path()).unwrap();
            }
            for (name, bytes) in left {
                fs::write(name, bytes).unwrap();
            }
            assert_eq!(blocks_done(&path, &contents).unwrap_or(0), 0, "cut {cut}");
        }
    }

    #[test]
    fn a_part_is_as_long_as_its_header_and_rows() {
        let contents = Contents {
            format_version: Contents::FORMAT_VERSION,
            fingerprint: String::new(),
            precision: "f32".to_owned(),
            size: 20_000,
            rows: (5, 7),
        };
        assert_eq!(contents.bytes(), 128 + 2 * 20_000 * 4);
    }
}

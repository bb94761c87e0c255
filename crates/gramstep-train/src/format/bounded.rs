//! Reading what may be longer than the memory: a file of terabytes, or a few kilobytes that unpack to as many.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::memory::check_memory;
use crate::error::{Error, Result};

/// Bytes read between two looks at what is free.
const PIECE: usize = 64 << 20;
/// What is said of data that do not fit.
const INSTEAD: &str = "take fewer rows or columns, or a machine with more memory";

/// All bytes of a file.
pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>> {
    let fail = |source| Error::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(fail)?;
    let length = file.metadata().map_err(fail)?.len();
    check_memory("the file", usize::try_from(length).unwrap_or(usize::MAX), INSTEAD)?;
    read_all(file, fail)
}

/// All that a reader gives, as far as there is memory for it; `fail` makes the error of one that fails.
pub(crate) fn read_all(mut from: impl Read, fail: impl Fn(io::Error) -> Error) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        if bytes.capacity() - bytes.len() < PIECE {
            // A longer vector is another one, twice as long.
            let more = bytes.capacity().max(PIECE);
            if bytes.len() > PIECE {
                check_memory("what the file unpacks to", bytes.len() + more, INSTEAD)?;
            }
            bytes.try_reserve(more).map_err(|_| fail(io::ErrorKind::OutOfMemory.into()))?;
        }
        if from.by_ref().take(PIECE as u64).read_to_end(&mut bytes).map_err(&fail)? == 0 {
            return Ok(bytes);
        }
    }
}

/// Refuses a table whose numbers would not fit in memory.
pub(crate) fn check_numbers(what: &'static str, rows: usize, columns: usize) -> Result<()> {
    check_memory(what, rows.saturating_mul(columns).saturating_mul(size_of::<f64>()), INSTEAD)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail(source: io::Error) -> Error {
        Error::Read { path: "x".into(), source }
    }

    #[test]
    fn what_has_an_end_is_read_and_what_has_none_is_refused() {
        let bytes: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        assert_eq!(read_all(&bytes[..], fail).unwrap(), bytes);
        assert_eq!(read_all(io::empty(), fail).unwrap(), b"");
        if cfg!(target_os = "linux") {
            assert!(matches!(check_numbers("a table", usize::MAX, 2), Err(Error::Memory { .. })));
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("t.csv");
            File::create(&path).unwrap().set_len(1 << 43).unwrap();
            assert!(matches!(read_file(&path), Err(Error::Memory { .. })), "8 TiB of nothing");
        }
    }
}

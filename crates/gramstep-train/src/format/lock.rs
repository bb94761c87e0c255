//! One writer at a time: a file that says which process is at work, locked by the system as long as that process lives.
//!
//! The file of a process that was killed stays, but its lock does not: it is no obstacle. Readers need no lock.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{Error, Result};

/// Between locking the file and writing its number a process needs no longer.
const MOMENT: Duration = Duration::from_millis(20);

/// What is locked while this value lives.
#[derive(Debug)]
pub(crate) struct Lock {
    path: PathBuf,
    /// Closing it ends the lock.
    _file: File,
}

impl Lock {
    /// Locks `of`, a folder or a file, by the file `path`.
    ///
    /// # Errors
    /// [`Error::InUse`] where another process has it, [`Error::Write`].
    pub(crate) fn take(path: PathBuf, of: &Path) -> Result<Self> {
        let wrong = |source| Error::Write { path: path.clone(), source };
        loop {
            let mut file =
                OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(wrong)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    return Err(Error::InUse { path: of.to_owned(), process: holder(&path) });
                }
                // Some network file systems have no locks: the work is worth more than the guard.
                Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
                Err(TryLockError::Error(error)) => return Err(wrong(error)),
            }
            // The one who had it may have removed the file between our opening and locking it.
            if is_at(&file, &path) {
                // The number is for a message: a full disk is no reason not to go on.
                let _ = file.set_len(0).and_then(|()| write!(file, "{}", std::process::id()));
                return Ok(Self { path, _file: file });
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // While it is still locked; what stays behind is no obstacle.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The process whose number is in the file.
fn holder(path: &Path) -> Option<u32> {
    for _ in 0..3 {
        let mut text = String::new();
        File::open(path).and_then(|mut file| file.read_to_string(&mut text)).ok()?;
        if let Ok(process) = text.trim().parse() {
            return Some(process);
        }
        std::thread::sleep(MOMENT);
    }
    None
}

#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let place = |found: &std::fs::Metadata| (found.dev(), found.ino());
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(own), Ok(there)) => place(&own) == place(&there),
        _ => false,
    }
}

#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> bool {
    // A file that is open cannot be removed there.
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_writer_is_told_who_the_first_one_is_and_a_dead_ones_file_is_no_obstacle() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.lock");
        let take = || Lock::take(path.clone(), folder.path());
        let first = take().unwrap();
        let refused = take().unwrap_err();
        assert!(matches!(refused, Error::InUse { process: Some(own), .. } if own == std::process::id()), "{refused}");
        drop(first);
        assert!(!path.exists());
        std::fs::write(&path, "1").unwrap(); // the first process of all lives, and has no lock
        take().unwrap();
    }

    #[test]
    fn many_at_once_are_one_after_the_other() {
        let folder = tempfile::tempdir().unwrap();
        let (lock, held) = (folder.path().join("l"), std::sync::atomic::AtomicUsize::new(0));
        let turn = || {
            for _ in 0..300 {
                if let Ok(_lock) = Lock::take(lock.clone(), &lock) {
                    assert_eq!(held.fetch_add(1, std::sync::atomic::Ordering::SeqCst), 0);
                    held.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                }
            }
        };
        std::thread::scope(|scope| (0..4).map(|_| scope.spawn(turn)).for_each(drop));
    }
}

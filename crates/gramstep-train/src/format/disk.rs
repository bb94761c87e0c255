//! The one place of this crate that changes what is on disk, `tests/disk.rs` sees to it.
//!
//! What survives a power cut is what was synced: the bytes of a file by [`Written::sync`], its name by a sync of its
//! folder, which [`rename`] and the makers of folders do. A test can keep a [`journal`] of every change and play each
//! beginning of it back.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

#[cfg(test)]
pub(crate) mod journal;

/// A file that is being written.
#[derive(Debug)]
pub(crate) struct Written {
    file: File,
    #[cfg_attr(not(test), allow(dead_code))] // journals alone read it
    path: PathBuf,
    #[cfg_attr(not(test), allow(dead_code))]
    at: u64,
}

impl Written {
    /// An empty file in place of any that is there; its name reaches the disk with the next sync of the folder.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        let file = File::create(path)?;
        record!(Create(path.to_owned()));
        Ok(Self { file, path: path.to_owned(), at: 0 })
    }

    /// An empty file where there is none.
    pub(crate) fn create_new(path: &Path) -> io::Result<Self> {
        let file = File::create_new(path)?;
        record!(Create(path.to_owned()));
        Ok(Self { file, path: path.to_owned(), at: 0 })
    }

    /// A file, an old one as it stands, to be written from its first byte on.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let new = !path.exists();
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
        if new {
            record!(Create(path.to_owned()));
        }
        Ok(Self { file, path: path.to_owned(), at: 0 })
    }

    /// A file that is there, to be written after its first `bytes` bytes, to which it is cut.
    pub(crate) fn go_on(path: &Path, bytes: u64) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).open(path)?;
        let mut written = Self { file, path: path.to_owned(), at: 0 };
        written.set_length(bytes)?;
        written.at = bytes;
        io::Seek::seek(&mut written.file, io::SeekFrom::Start(bytes))?;
        Ok(written)
    }

    /// Cuts a file, or makes it longer by zeros.
    pub(crate) fn set_length(&mut self, bytes: u64) -> io::Result<()> {
        self.file.set_len(bytes)?;
        record!(SetLength(self.path.clone(), bytes));
        Ok(())
    }

    /// Writes at a place of its own.
    pub(crate) fn write_at(&mut self, bytes: &[u8], at: u64) -> io::Result<()> {
        #[cfg(unix)]
        std::os::unix::fs::FileExt::write_all_at(&self.file, bytes, at)?;
        #[cfg(not(unix))]
        {
            io::Seek::seek(&mut self.file, io::SeekFrom::Start(at))?;
            self.file.write_all(bytes)?;
        }
        record!(Write(self.path.clone(), at, bytes.to_vec()));
        Ok(())
    }

    /// Returns when all that was written is on the disk.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_all()?;
        record!(Sync(self.path.clone()));
        Ok(())
    }
}

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        record!(Write(self.path.clone(), self.at, bytes[..count].to_vec()));
        self.at += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Brings a file that another handle writes to the disk; returns its length.
pub(crate) fn sync(path: &Path) -> io::Result<u64> {
    let file = OpenOptions::new().append(true).open(path)?;
    file.sync_all()?;
    record!(Sync(path.to_owned()));
    Ok(file.metadata()?.len())
}

/// Gives a file another name, for good.
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    record!(Rename(from.to_owned(), to.to_owned()));
    sync_folder_of(to)
}

/// Removes a file; a power cut may bring it back.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    fs::remove_file(path)?;
    record!(Remove(path.to_owned()));
    Ok(())
}

/// Makes a folder where there is none, for good.
pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    fs::create_dir(path)?;
    record!(Folder(path.to_owned()));
    sync_folder_of(path)
}

/// Makes a folder and those that it lies in, as far as they are not there, for good.
pub(crate) fn make_folders(path: &Path) -> io::Result<()> {
    if path.as_os_str().is_empty() || path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        make_folders(parent)?;
    }
    match make_folder(path) {
        // Another process may have made it meanwhile.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        made => made,
    }
}

/// Removes a folder that is empty.
pub(crate) fn remove_folder(path: &Path) -> io::Result<()> {
    fs::remove_dir(path)
}

/// Brings the names in the folder of a file to the disk.
pub(crate) fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    // Other systems cannot open a folder, a folder that may not be read cannot be either, and some file systems cannot sync
    // one: there is no more to be done then.
    #[cfg(unix)]
    if let Ok(folder) = File::open(folder)
        && let Err(error) = folder.sync_all()
        && !matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported)
    {
        return Err(error);
    }
    record!(SyncFolder(folder.to_owned()));
    Ok(())
}

/// Notes a change in the journals of tests.
macro_rules! record {
    ($change:ident($($part:expr),*)) => {{
        #[cfg(test)]
        crate::format::disk::journal::note(&crate::format::disk::journal::Change::$change($($part),*));
    }};
}
use record;

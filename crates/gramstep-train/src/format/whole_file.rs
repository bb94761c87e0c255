//! Files that are there whole or not at all.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::disk::{self, Written};
use crate::error::{Error, Result};

/// Begins the names of files in the making; a process that was killed leaves one behind.
const MAKING: &str = ".gramstep-";

/// Writes a file so that at every moment, power cuts included, there is the old one or the whole new one.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    write_whole(path, |out| out.write_all(bytes))
}

/// The same for bytes that are made one after the other.
pub(crate) fn write_whole(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    let written = WholeFile::begin(path).and_then(|mut file| {
        write(&mut file.out)?;
        file.finish()
    });
    written.map_err(|source| Error::Write { path: path.to_owned(), source })
}

/// Removes what processes that were killed left in a folder that no other one writes to.
pub(crate) fn sweep(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(MAKING) {
            // What cannot be removed does no harm.
            let _ = disk::remove(&entry.path());
        }
    }
}

/// A file in the making, beside the place of which it takes the name in the end.
struct WholeFile {
    /// Where it is to be; none of what cannot be replaced: a pipe, a terminal, `/dev/null`.
    place: Option<PathBuf>,
    making: PathBuf,
    out: BufWriter<Written>,
}

impl WholeFile {
    fn begin(path: &Path) -> io::Result<Self> {
        let old = fs::metadata(path).ok();
        match &old {
            Some(old) if old.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Some(old) if !old.is_file() => {
                let out = BufWriter::new(Written::open(path)?);
                return Ok(Self { place: None, making: path.to_owned(), out });
            }
            Some(old) if old.permissions().readonly() => return Err(io::ErrorKind::PermissionDenied.into()),
            _ => {}
        }
        // A link stays a link: what it leads to is replaced.
        let place = if old.is_some() { fs::canonicalize(path)? } else { path.to_owned() };
        let (making, out) = Self::beside(&place)?;
        let file = Self { place: Some(place), making, out: BufWriter::new(out) };
        if let Some(old) = old {
            fs::set_permissions(&file.making, old.permissions())?;
        }
        Ok(file)
    }

    /// A new file under a name that no other one has.
    fn beside(place: &Path) -> io::Result<(PathBuf, Written)> {
        for number in 0_u32.. {
            let making = place.with_file_name(format!("{MAKING}{}-{number}.tmp", std::process::id()));
            match Written::create_new(&making) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => return Ok((making, made?)),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    fn finish(mut self) -> io::Result<()> {
        self.out.flush()?;
        let Some(place) = &self.place else { return Ok(()) };
        self.out.get_ref().sync()?;
        disk::rename(&self.making, place)?;
        self.place = None;
        Ok(())
    }
}

impl Drop for WholeFile {
    fn drop(&mut self) {
        if self.place.is_some() {
            // What could not be written whole is of no use; the first error is the one to tell.
            let _ = disk::remove(&self.making);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.collect()
    }

    #[test]
    fn a_file_that_cannot_be_written_leaves_nothing_behind_and_the_old_one_as_it_was() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("taken");
        fs::create_dir(&path).unwrap();
        assert!(write_atomically(&path, b"x").is_err());
        assert_eq!(names(parent.path()), ["taken"]);
        fs::remove_dir(&path).unwrap();
        write_atomically(&path, b"old").unwrap();
        let cut = write_whole(&path, |out| out.write_all(b"ne").and(Err(io::ErrorKind::StorageFull.into())));
        assert!(cut.is_err());
        assert_eq!((fs::read(&path).unwrap(), names(parent.path())), (b"old".to_vec(), vec!["taken".to_owned()]));
    }

    #[test]
    #[cfg(unix)]
    fn links_pipes_and_permissions_stay_as_they_are() {
        use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        symlink(&file, &link).unwrap();
        write_atomically(&link, b"new").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&file).unwrap(), b"new");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
        write_atomically(Path::new("/dev/null"), b"nothing").unwrap();
        assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());
        fs::set_permissions(&file, fs::Permissions::from_mode(0o440)).unwrap();
        assert!(write_atomically(&file, b"never").is_err());
    }
}

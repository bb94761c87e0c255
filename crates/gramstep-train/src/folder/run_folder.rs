//! The folder of a run: `config.toml`, `record.jsonl`, `model.safetensors`, `report.html`.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::format::disk;
use crate::format::lock::Lock;
use crate::format::whole_file::sweep;

/// Where the files of a run go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep<'a> {
    /// Nowhere.
    Nothing,
    /// Into this folder.
    Folder(&'a Path),
    /// Into a new folder `runs/NAME-N` of the working directory.
    Fresh,
    /// On with the run in this folder, from its last checkpoint, in its files.
    Resume(&'a Path),
}

impl Keep<'_> {
    /// Whether [`folder`](Self::folder) would find the folder in use: to know before work is done.
    pub(crate) fn check(self) -> Result<()> {
        match self {
            Keep::Folder(path) => RunFolder::open(path).check_free(),
            Keep::Nothing | Keep::Fresh | Keep::Resume(_) => Ok(()),
        }
    }

    /// The folder, if there is to be one, locked for this writer; `name` is that of the data.
    pub(crate) fn folder(self, name: &str) -> Result<Option<(RunFolder, Lock)>> {
        let folder = match self {
            Keep::Nothing => return Ok(None),
            Keep::Folder(path) => RunFolder::create(path)?,
            Keep::Resume(path) => RunFolder::open(path),
            Keep::Fresh => RunFolder::fresh(Path::new("runs"), name)?,
        };
        let lock = folder.lock()?;
        if let Keep::Folder(_) = self {
            // Another process may have been faster.
            folder.check_free()?;
        }
        Ok(Some((folder, lock)))
    }
}

/// A folder that holds one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// Makes the folder; it may exist but must not hold a run.
    ///
    /// # Errors
    /// [`Error::FolderInUse`], or [`Error::Write`] if it cannot be made.
    pub fn create(path: &Path) -> Result<Self> {
        let folder = Self::open(path);
        folder.check_free()?;
        disk::make_folders(path).map_err(|source| Error::Write { path: path.to_owned(), source })?;
        Ok(folder)
    }

    fn check_free(&self) -> Result<()> {
        if self.files().iter().any(|file| file.exists()) {
            return Err(Error::FolderInUse { path: self.path.clone() });
        }
        Ok(())
    }

    /// Makes a new folder `parent/name-N` with the first N that is free.
    ///
    /// # Errors
    /// [`Error::Write`] if it cannot be made.
    pub fn fresh(parent: &Path, name: &str) -> Result<Self> {
        let wrong = |path: &Path, source| Error::Write { path: path.to_owned(), source };
        disk::make_folders(parent).map_err(|source| wrong(parent, source))?;
        for number in 1_u32.. {
            let path = parent.join(format!("{name}-{number}"));
            match disk::make_folder(&path) {
                Ok(()) => return Ok(Self { path }),
                Err(source) if source.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(source) => return Err(wrong(&path, source)),
            }
        }
        Err(wrong(parent, std::io::ErrorKind::AlreadyExists.into()))
    }

    /// A folder that is there already.
    #[must_use]
    pub fn open(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Every file that a run may have in its folder.
    #[must_use]
    pub fn files(&self) -> [PathBuf; 6] {
        [self.config(), self.record(), self.model(), self.checkpoint(), self.report(), self.out_of_fold()]
    }

    /// Keeps other writers out while the lock lives, and removes what a process left that was killed.
    ///
    /// # Errors
    /// [`Error::InUse`].
    pub(crate) fn lock(&self) -> Result<Lock> {
        let lock = Lock::take(self.path.join("run.lock"), &self.path)?;
        sweep(&self.path);
        Ok(lock)
    }

    /// Removes a folder of which nothing is worth keeping, as far as this run made it.
    pub(crate) fn discard(&self) {
        for file in self.files() {
            let _ = disk::remove(&file);
        }
        let _ = disk::remove_folder(&self.path);
    }

    /// What folds predict of rows that they have not seen.
    #[must_use]
    pub fn out_of_fold(&self) -> PathBuf {
        self.path.join("out-of-fold.csv")
    }

    /// Every setting of the run.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.path.join("config.toml")
    }

    /// One JSON object a step and one an epoch.
    #[must_use]
    pub fn record(&self) -> PathBuf {
        self.path.join("record.jsonl")
    }

    /// Parameters and preprocessing.
    #[must_use]
    pub fn model(&self) -> PathBuf {
        self.path.join("model.safetensors")
    }

    /// Where a run that was cut off goes on.
    #[must_use]
    pub fn checkpoint(&self) -> PathBuf {
        self.path.join("checkpoint.json")
    }

    /// Removes the checkpoint of a run that came to its end.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub fn remove_checkpoint(&self) -> Result<()> {
        let path = self.checkpoint();
        match disk::remove(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(Error::Write { path, source }),
            _ => Ok(()),
        }
    }

    /// The page about the run.
    #[must_use]
    pub fn report(&self) -> PathBuf {
        self.path.join("report.html")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::whole_file::write_atomically;

    #[test]
    fn fresh_folders_are_numbered_and_used_ones_are_refused() {
        let parent = tempfile::tempdir().unwrap();
        let first = RunFolder::fresh(parent.path(), "wine").unwrap();
        let second = RunFolder::fresh(parent.path(), "wine").unwrap();
        assert!(first.path().ends_with("wine-1") && second.path().ends_with("wine-2"));
        assert!(RunFolder::create(first.path()).is_ok());
        write_atomically(&first.model(), b"x").unwrap();
        assert!(matches!(RunFolder::create(first.path()), Err(Error::FolderInUse { .. })));
    }
    #[test]
    fn what_a_killed_process_was_writing_is_gone_with_the_next_lock() {
        let parent = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(&parent.path().join("run")).unwrap();
        let left = folder.path().join(".gramstep-4000000-0.tmp");
        std::fs::write(&left, "half a model").unwrap();
        std::fs::write(folder.model(), "a model").unwrap();
        drop(folder.lock().unwrap());
        assert!(!left.exists() && folder.model().exists());
    }
}

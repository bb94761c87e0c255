//! What was done to the files of a folder, and what a power cut leaves of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// One change.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Create(PathBuf),
    Write(PathBuf, u64, Vec<u8>),
    SetLength(PathBuf, u64),
    Sync(PathBuf),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
    Folder(PathBuf),
    SyncFolder(PathBuf),
}

/// Open journals: the folder that each is about, and its changes.
static JOURNALS: Mutex<Vec<(PathBuf, Vec<Change>)>> = Mutex::new(Vec::new());

impl Change {
    fn path(&self) -> &Path {
        match self {
            Self::Create(path)
            | Self::Write(path, ..)
            | Self::SetLength(path, _)
            | Self::Sync(path)
            | Self::Rename(path, _)
            | Self::Remove(path)
            | Self::Folder(path)
            | Self::SyncFolder(path) => path,
        }
    }
}

pub(super) fn note(change: &Change) {
    for (folder, changes) in JOURNALS.lock().unwrap_or_else(PoisonError::into_inner).iter_mut() {
        if change.path().starts_with(folder) {
            changes.push(change.clone());
        }
    }
}

/// Everything that `work` does below a folder.
pub(crate) fn of(folder: &Path, work: impl FnOnce()) -> Vec<Change> {
    JOURNALS.lock().unwrap().push((folder.to_owned(), Vec::new()));
    work();
    let mut journals = JOURNALS.lock().unwrap();
    let at = journals.iter().position(|(own, _)| own == folder).unwrap();
    journals.swap_remove(at).1
}

/// A file: what it holds, what of it is on the disk for certain, and what was done since.
#[derive(Clone, Default)]
struct Contents {
    synced: Vec<u8>,
    since: Vec<Change>,
}

impl Contents {
    fn apply(bytes: &mut Vec<u8>, change: &Change) {
        match change {
            Change::Write(_, at, piece) => {
                let (at, end) = (*at as usize, *at as usize + piece.len());
                bytes.resize(bytes.len().max(end), 0);
                bytes[at..end].copy_from_slice(piece);
            }
            Change::SetLength(_, length) => bytes.resize(*length as usize, 0),
            _ => {}
        }
    }

    fn now(&self) -> Vec<u8> {
        let mut bytes = self.synced.clone();
        self.since.iter().for_each(|change| Self::apply(&mut bytes, change));
        bytes
    }

    /// What a cut leaves: some of what was done since the last sync, and of a write perhaps its length alone.
    fn cut(&self, random: &mut dyn FnMut(usize) -> usize) -> Vec<u8> {
        let mut bytes = self.synced.clone();
        for change in &self.since {
            match (random(4), change) {
                (0, _) => break,
                (1, Change::Write(path, at, piece)) => {
                    Self::apply(&mut bytes, &Change::Write(path.clone(), *at, vec![0; piece.len()]));
                }
                (2, Change::Write(path, at, piece)) => {
                    let part = piece[..random(piece.len() + 1)].to_vec();
                    Self::apply(&mut bytes, &Change::Write(path.clone(), *at, part));
                    break;
                }
                _ => Self::apply(&mut bytes, change),
            }
        }
        bytes
    }
}

/// A disk: files by number, and the names that they have, for certain and by now.
#[derive(Default)]
struct Disk {
    files: Vec<Contents>,
    /// Names now.
    names: BTreeMap<PathBuf, usize>,
    /// For each folder the changes of names that are not synced yet.
    waiting: BTreeMap<PathBuf, Vec<Change>>,
    /// Names on the disk, and the file that each had then.
    synced: BTreeMap<PathBuf, usize>,
}

impl Disk {
    fn play(&mut self, change: &Change) {
        let folder = |path: &Path| path.parent().map(Path::to_owned).unwrap_or_default();
        match change {
            Change::Create(path) => {
                if let Some(&file) = self.names.get(path) {
                    // The same file, emptied.
                    self.files[file].since.push(Change::SetLength(path.clone(), 0));
                    return;
                }
                self.files.push(Contents::default());
                self.names.insert(path.clone(), self.files.len() - 1);
                self.waiting.entry(folder(path)).or_default().push(change.clone());
            }
            Change::Write(path, ..) | Change::SetLength(path, _) => {
                if let Some(&file) = self.names.get(path) {
                    self.files[file].since.push(change.clone());
                }
            }
            Change::Sync(path) => {
                if let Some(&file) = self.names.get(path) {
                    let bytes = self.files[file].now();
                    self.files[file] = Contents { synced: bytes, since: Vec::new() };
                }
            }
            Change::Rename(from, to) => {
                if let Some(file) = self.names.remove(from) {
                    self.names.insert(to.clone(), file);
                }
                self.waiting.entry(folder(to)).or_default().push(change.clone());
            }
            Change::Remove(path) => {
                self.names.remove(path);
                self.waiting.entry(folder(path)).or_default().push(change.clone());
            }
            Change::Folder(_) => {}
            Change::SyncFolder(path) => {
                self.waiting.remove(path);
                self.synced.retain(|name, _| folder(name) != *path);
                let own = self.names.iter().filter(|(name, _)| folder(name) == *path);
                self.synced.extend(own.map(|(name, file)| (name.clone(), *file)));
            }
        }
    }

    /// The files after a cut: of the names that were not synced, a beginning of the changes.
    fn cut(&self, random: &mut dyn FnMut(usize) -> usize) -> Vec<(PathBuf, Vec<u8>)> {
        let mut names = self.synced.clone();
        for changes in self.waiting.values() {
            let kept = random(changes.len() + 1);
            for change in &changes[..kept] {
                match change {
                    Change::Create(path) => {
                        let file = self.file_of(path, changes);
                        names.extend(file.map(|file| (path.clone(), file)));
                    }
                    Change::Rename(from, to) => {
                        let file = names.remove(from);
                        names.extend(file.map(|file| (to.clone(), file)));
                    }
                    Change::Remove(path) => {
                        names.remove(path);
                    }
                    _ => {}
                }
            }
        }
        names.into_iter().map(|(name, file)| (name, self.files[file].cut(random))).collect()
    }

    /// The file that was made under a name, which may have another one by now.
    fn file_of(&self, path: &Path, changes: &[Change]) -> Option<usize> {
        let renamed = changes.iter().find_map(|change| match change {
            Change::Rename(from, to) if from == path => Some(to),
            _ => None,
        });
        self.names.get(path).or_else(|| renamed.and_then(|to| self.names.get(to))).copied()
    }
}

/// What is on the disk if the power fails after the first `done` changes; `random(n)` is a number below n.
pub(crate) fn after_a_cut(
    changes: &[Change],
    done: usize,
    random: &mut dyn FnMut(usize) -> usize,
) -> Vec<(PathBuf, Vec<u8>)> {
    let mut disk = Disk::default();
    changes[..done].iter().for_each(|change| disk.play(change));
    disk.cut(random)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::whole_file::write_atomically;

    #[test]
    fn what_was_written_whole_is_the_old_or_the_new_one_after_every_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        let changes = of(folder.path(), || {
            write_atomically(&path, b"old").unwrap();
            write_atomically(&path, b"the new one").unwrap();
        });
        let mut seed = 1_usize;
        let mut random = |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        let mut seen = std::collections::BTreeSet::new();
        for done in 0..=changes.len() {
            for _ in 0..50 {
                let left = after_a_cut(&changes, done, &mut random);
                seen.insert(left.into_iter().find(|(name, _)| *name == path).map(|(_, bytes)| bytes));
            }
        }
        let expected = [None, Some(b"old".to_vec()), Some(b"the new one".to_vec())];
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), expected);
    }
}

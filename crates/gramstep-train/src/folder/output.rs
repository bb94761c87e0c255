//! Where a command may write: never over what it reads, and never over a file of a run.

use std::path::{Path, PathBuf};

use super::RunFolder;
use crate::error::{Error, Result};

/// Refuses an output, before any work is done, that would be written over one of `inputs` (a file, or anything in a
/// folder), over a file of a run, or that cannot be written where it is to be.
///
/// # Errors
/// [`Error::Overwrites`], [`Error::Write`].
pub fn check_output(path: &Path, inputs: &[PathBuf]) -> Result<()> {
    check(path, inputs, |_| false)
}

/// The same for the page about some runs, which may be the page in the folder of one of them.
pub(crate) fn check_page(path: &Path, runs: &[PathBuf]) -> Result<()> {
    let shown = |folder: &RunFolder| runs.iter().any(|run| same(run, folder.path())) && same(path, &folder.report());
    check(path, &[], shown)
}

fn check(path: &Path, inputs: &[PathBuf], is_own_page: impl Fn(&RunFolder) -> bool) -> Result<()> {
    let refused = |reason: String| Err(Error::Overwrites { path: path.to_owned(), reason });
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !parent.is_dir() {
        return Err(Error::Write { path: path.to_owned(), source: std::io::ErrorKind::NotFound.into() });
    }
    if path.is_dir() {
        return Err(Error::Write { path: path.to_owned(), source: std::io::ErrorKind::IsADirectory.into() });
    }
    if let Some(input) = inputs.iter().find(|input| same(path, input) || is_within(path, input)) {
        return refused(format!("the command reads {}", input.display()));
    }
    let folder = RunFolder::open(parent);
    let is_run = [folder.config(), folder.record(), folder.model()].iter().any(|file| file.exists());
    let is_file_of_it = || folder.files().iter().any(|file| file.file_name() == path.file_name() || same(file, path));
    if is_run && is_file_of_it() && !is_own_page(&folder) {
        return refused(format!("it is a file of the run in {}", parent.display()));
    }
    Ok(())
}

/// Whether two paths lead to the same file, by whatever names and links.
fn same(one: &Path, other: &Path) -> bool {
    if !one.exists() || !other.exists() {
        return resolved(one).is_some_and(|place| Some(place) == resolved(other));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let place = |path: &Path| std::fs::metadata(path).ok().map(|found| (found.dev(), found.ino()));
        place(one).is_some_and(|found| Some(found) == place(other))
    }
    #[cfg(not(unix))]
    {
        resolved(one).is_some_and(|place| Some(place) == resolved(other))
    }
}

/// Whether a file that is there lies in a folder.
fn is_within(file: &Path, folder: &Path) -> bool {
    let (Ok(file), Ok(folder)) = (file.canonicalize(), folder.canonicalize()) else { return false };
    folder.is_dir() && file.starts_with(folder)
}

/// The place of a file that may not be there.
fn resolved(path: &Path) -> Option<PathBuf> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Some(parent.canonicalize().ok()?.join(path.file_name()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_written_over_an_input_or_a_file_of_a_run_by_whatever_name() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(at("run")).unwrap();
        std::fs::create_dir_all(at("images/cat")).unwrap();
        for name in ["t.csv", "run/model.safetensors", "run/record.jsonl", "images/cat/1.png"] {
            std::fs::write(at(name), "x").unwrap();
        }
        let inputs = [at("t.csv"), at("images")];
        let refused = |path: PathBuf| matches!(check_output(&path, &inputs), Err(Error::Overwrites { .. }));
        for name in ["t.csv", "run/../t.csv", "./t.csv", "images/cat/1.png", "run/record.jsonl", "run/report.html"] {
            assert!(refused(at(name)), "{name}");
        }
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(at("t.csv"), at("link")).unwrap();
            std::fs::hard_link(at("t.csv"), at("hard")).unwrap();
            std::os::unix::fs::symlink(at("run"), at("other")).unwrap();
            for name in ["link", "hard", "other/config.toml"] {
                assert!(refused(at(name)), "{name}");
            }
            check_output(Path::new("/dev/null"), &inputs).unwrap();
        }
        for name in ["new.csv", "images/new.csv", "run/predictions.csv", "report.html"] {
            check_output(&at(name), &inputs).unwrap();
        }
        for name in ["gone/new.csv", "images"] {
            assert!(matches!(check_output(&at(name), &inputs), Err(Error::Write { .. })), "{name}");
        }
        check_page(&at("run/report.html"), &[at("run")]).unwrap();
        assert!(check_page(&at("run/report.html"), &[at("images")]).is_err());
        assert!(check_page(&at("run/record.jsonl"), &[at("run")]).is_err());
    }
}

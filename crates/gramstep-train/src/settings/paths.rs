//! Paths of a kept run: relative to its folder where data and folder lie in one tree, absolute else, so that the run can
//! be used from any working directory and moved together with its data.

use std::path::{Component, Path, PathBuf};

use crate::data::{Portion, Source};
use crate::error::Result;

/// The paths of a configuration that name data or runs.
pub(crate) struct Paths<'a> {
    pub(crate) data: Option<&'a mut String>,
    pub(crate) test: Option<&'a mut Portion>,
    pub(crate) validation: Option<&'a mut Portion>,
    pub(crate) init: Option<&'a mut PathBuf>,
}

impl Paths<'_> {
    /// As they are written into a run folder, from as they are seen from the working directory.
    pub(crate) fn keep_in(self, folder: &Path) {
        let folder = absolute(folder);
        self.each(|path| from(&folder, &absolute(path)));
    }

    /// As they are seen from the working directory, from as they are written in a file of this folder. What is not there
    /// is taken as it stands: settings by hand are relative to the working directory.
    pub(crate) fn seen_from(self, folder: &Path) {
        self.each(|path| {
            let there = cleaned(&folder.join(path));
            if path.is_relative() && there.exists() { there } else { path.to_owned() }
        });
    }

    fn each(self, change: impl Fn(&Path) -> PathBuf) {
        if let Some(data) = self.data {
            *data = in_source(data, &change);
        }
        for portion in [self.test, self.validation].into_iter().flatten() {
            if let Portion::File(path) = portion {
                *path = in_source(&path.display().to_string(), &change).into();
            }
        }
        if let Some(init) = self.init {
            *init = change(init);
        }
    }
}

/// A source with another path; built-in data and text that is no source stay as they are.
fn in_source(text: &str, change: impl Fn(&Path) -> PathBuf) -> String {
    let source: Result<Source> = text.parse();
    match source {
        Ok(Source::Stored { path, format }) => Source::Stored { path: change(&path), format }.to_string(),
        // A folder that is not there is no source, and may be one elsewhere.
        Err(_) => change(Path::new(text)).display().to_string(),
        Ok(_) => text.to_owned(),
    }
}

fn absolute(path: &Path) -> PathBuf {
    cleaned(&std::path::absolute(path).unwrap_or_else(|_| path.to_owned()))
}

/// The same path without `.` and, where a folder is known, without `..`.
fn cleaned(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if matches!(clean.components().next_back(), Some(Component::Normal(_))) => {
                clean.pop();
            }
            other => clean.push(other),
        }
    }
    if clean.as_os_str().is_empty() { PathBuf::from(".") } else { clean }
}

/// The way from a folder to a path, both absolute; the path itself where they share no folder but the root.
fn from(folder: &Path, path: &Path) -> PathBuf {
    let (own, theirs): (Vec<_>, Vec<_>) = (folder.components().collect(), path.components().collect());
    let shared = own.iter().zip(&theirs).take_while(|(a, b)| a == b).count();
    if own[..shared].iter().filter(|component| matches!(component, Component::Normal(_))).count() == 0 {
        return path.to_owned();
    }
    let up = own[shared..].iter().map(|_| Component::ParentDir);
    up.chain(theirs[shared..].iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_in_the_same_tree_is_relative_and_another_one_absolute() {
        let way = |folder: &str, path: &str| from(Path::new(folder), Path::new(path)).display().to_string();
        assert_eq!(way("/a/runs/x", "/a/t.csv"), "../../t.csv");
        assert_eq!(way("/a/runs/x", "/a/runs/x/t.csv"), "t.csv");
        assert_eq!(way("/a/runs/x", "/b/t.csv"), "/b/t.csv");
        assert_eq!(cleaned(Path::new("run/../t.csv")), Path::new("t.csv"));
        assert_eq!(cleaned(Path::new("../x/./t.csv")), Path::new("../x/t.csv"));
    }

    #[test]
    fn what_is_kept_in_a_folder_is_seen_from_anywhere() {
        let parent = tempfile::tempdir().unwrap();
        let (run, table) = (parent.path().join("runs/one"), parent.path().join("t.txt"));
        std::fs::create_dir_all(&run).unwrap();
        std::fs::write(&table, "a,y\n").unwrap();
        let mut data = format!("csv:{}", table.display());
        let mut test = Portion::File(table.clone());
        let mut paths = Paths { data: Some(&mut data), test: Some(&mut test), validation: None, init: None };
        paths.init = None;
        paths.keep_in(&run);
        assert_eq!((data.as_str(), &test), ("csv:../../t.txt", &Portion::File("../../t.txt".into())));
        Paths { data: Some(&mut data), test: Some(&mut test), validation: None, init: None }.seen_from(&run);
        assert_eq!((data, test), (format!("csv:{}", table.display()), Portion::File(table)));
        let mut builtin = "builtin:diabetes".to_owned();
        Paths { data: Some(&mut builtin), test: None, validation: None, init: None }.keep_in(&run);
        assert_eq!(builtin, "builtin:diabetes");
    }
}

//! Layouts of image folders: which files there are, and what belongs to each.
//!
//! * `<age>/<111|112>/*.jpg`, as AFAD: 111 is male, 112 female; the target is `age`.
//! * `*.csv` and a folder of images, as the bone-age set of the RSNA: a column `id` (or `image`, `file`, `filename`)
//!   names the image of a row, with or without extension; the other columns are targets and side inputs.
//! * `<class>/*`: the target is `class`.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use super::BrokenImages;
use super::listing::{Listing, name};
use super::pixels::retain;
use crate::data::{Cells, Column, Format, ReadOptions, Reading, Table, Task, TextCells};
use crate::error::{Error, Result};

/// Columns that may name the image of a row, in lower case.
const IDENTITIES: [&str; 4] = ["id", "image", "file", "filename"];
/// The folders of AFAD's layout: male and female.
const SEXES: [&str; 2] = ["111", "112"];

/// Files and folders of a folder, by name; hidden ones are passed over.
struct Entries {
    files: Vec<PathBuf>,
    folders: Vec<PathBuf>,
}

/// What lies beside the images and is not read.
#[derive(Default)]
struct Passed {
    /// How many files there are of a kind, by its extension.
    kinds: BTreeMap<String, usize>,
    folders: usize,
}

impl Entries {
    fn of(folder: &Path) -> Result<Self> {
        let wrong = |source| Error::Read { path: folder.to_owned(), source };
        let mut entries = Self { files: Vec::new(), folders: Vec::new() };
        for entry in std::fs::read_dir(folder).map_err(wrong)? {
            let path = entry.map_err(wrong)?.path();
            if name(&path).starts_with('.') {
                continue;
            }
            if path.is_dir() { entries.folders.push(path) } else { entries.files.push(path) }
        }
        entries.files.sort();
        entries.folders.sort();
        Ok(entries)
    }

    /// The images, where folders are not looked into.
    fn images(self, passed: &mut Passed) -> Vec<PathBuf> {
        passed.folders += self.folders.len();
        self.image_files(passed)
    }

    fn image_files(self, passed: &mut Passed) -> Vec<PathBuf> {
        let (images, others): (Vec<_>, Vec<_>) = self.files.into_iter().partition(|file| is_image(file));
        passed.files(&others);
        images
    }
}

impl Passed {
    fn files(&mut self, files: &[PathBuf]) {
        for file in files {
            *self.kinds.entry(extension(file)).or_default() += 1;
        }
    }

    /// How much there is of what, such as `20 webp files and 1 subfolder are not read`.
    fn words(&self) -> Option<String> {
        let file = |kind: &str, many: usize| match kind {
            "" => count(many, "file") + " without extension",
            kind => count(many, &format!("{kind} file")),
        };
        let mut parts: Vec<String> = self.kinds.iter().map(|(kind, many)| file(kind, *many)).collect();
        parts.extend((self.folders > 0).then(|| count(self.folders, "subfolder")));
        let all = self.kinds.values().sum::<usize>() + self.folders;
        let last = parts.pop()?;
        let before = if parts.is_empty() { String::new() } else { parts.join(", ") + " and " };
        Some(format!("{before}{last} {} not read", if all == 1 { "is" } else { "are" }))
    }
}

fn extension(path: &Path) -> String {
    path.extension().map_or_else(String::new, |extension| extension.to_string_lossy().to_ascii_lowercase())
}

fn is_image(path: &Path) -> bool {
    matches!(extension(path).as_str(), "jpg" | "jpeg" | "png")
}

/// The files of a folder and their columns, by this layout or by the one that it has.
pub(super) fn list(
    folder: &Path,
    format: Option<Format>,
    broken: BrokenImages,
    reading: &ReadOptions,
) -> Result<Listing> {
    let entries = Entries::of(folder)?;
    match format {
        Some(Format::Afad) => return by_age(folder, &entries),
        Some(Format::Classes) => return by_class(folder, &entries),
        _ => {}
    }
    let tables: Vec<&PathBuf> = entries.files.iter().filter(|file| extension(file) == "csv").collect();
    match tables[..] {
        [table] => return beside_table(folder, (&table.clone(), reading), entries, broken),
        [] if format.is_some() => return Err(unknown(folder, "no .csv that names the images".to_owned())),
        [] => {}
        _ => return Err(unknown(folder, format!("{} .csv files, where one would name the images", tables.len()))),
    }
    let is_sex = |path: &PathBuf| SEXES.contains(&name(path).as_str());
    let mut ages = false;
    for folder in &entries.folders {
        ages |= Entries::of(folder)?.folders.iter().any(is_sex);
    }
    if ages { by_age(folder, &entries) } else { by_class(folder, &entries) }
}

fn unknown(folder: &Path, reason: String) -> Error {
    Error::ImageFolder { path: folder.to_owned(), reason }
}

/// `<age>/<111|112>/*`.
fn by_age(folder: &Path, entries: &Entries) -> Result<Listing> {
    let (mut files, mut values, mut notes) = (Vec::new(), Vec::new(), Vec::new());
    let mut passed = Passed::default();
    passed.files(&entries.files);
    for path in &entries.folders {
        let age: f64 = name(path).parse().ok().filter(|age: &f64| age.is_finite()).ok_or_else(|| {
            unknown(path, format!("`{}` is not an age; the layout is <age>/<111|112>/*.jpg", name(path)))
        })?;
        let before = files.len();
        let inner = Entries::of(path)?;
        passed.files(&inner.files);
        for sex in inner.folders {
            if SEXES.contains(&name(&sex).as_str()) {
                files.extend(Entries::of(&sex)?.images(&mut passed));
            } else {
                notes.push(format!("{} is not 111 or 112 and not read", sex.display()));
            }
        }
        note_if_empty(path, before, files.len(), &mut notes);
        values.resize(files.len(), age);
    }
    let columns = vec![Column { name: "age".to_owned(), cells: Cells::Numbers(values) }];
    listing(folder, files, columns, ("age", Task::Regression), (notes, &passed))
}

/// `<class>/*`.
fn by_class(folder: &Path, entries: &Entries) -> Result<Listing> {
    let (mut files, mut values, mut codes, mut notes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut passed = Passed::default();
    passed.files(&entries.files);
    for path in &entries.folders {
        let before = files.len();
        files.extend(Entries::of(path)?.images(&mut passed));
        note_if_empty(path, before, files.len(), &mut notes);
        if files.len() > before {
            codes.resize(files.len(), values.len() as u32);
            values.push(name(path));
        }
    }
    let cells = Cells::Text(TextCells { values, codes, numbers: 0, first_text: 0 });
    let columns = vec![Column { name: "class".to_owned(), cells }];
    listing(folder, files, columns, ("class", Task::Classification), (notes, &passed))
}

fn note_if_empty(path: &Path, before: usize, after: usize, notes: &mut Vec<String>) {
    if before == after {
        notes.push(format!("{} has no image and is passed over", path.display()));
    }
}

fn listing(
    folder: &Path,
    files: Vec<PathBuf>,
    columns: Vec<Column>,
    (target, task): (&str, Task),
    (notes, passed): (Vec<String>, &Passed),
) -> Result<Listing> {
    if files.is_empty() {
        let reason = "no images in a layout that is known: <class>/*, <age>/<111|112>/*, or a .csv with a column `id` \
                      and a folder of images";
        let passed = passed.words().map_or_else(String::new, |passed| format!(" ({passed})"));
        return Err(unknown(folder, format!("{reason}{passed}")));
    }
    let lines = (1..=files.len() as u64).collect();
    let origin = folder.display().to_string();
    let (target, passed) = (target.to_owned(), passed.words());
    let reading = Reading::default();
    Ok(Listing { origin, files, columns, lines, target, task: Some(task), notes, reading, passed, without: Vec::new() })
}

/// A table whose rows name images in the folders beside it.
fn beside_table(
    folder: &Path,
    (table, options): (&Path, &ReadOptions),
    entries: Entries,
    broken: BrokenImages,
) -> Result<Listing> {
    let mut options = options.clone();
    // A name is text, whatever it looks like: an id of 17 digits is more than a number holds.
    options
        .labels
        .extend(IDENTITIES.iter().flat_map(|name| [(*name).to_owned(), name.to_uppercase(), capitalised(name)]));
    let Table { origin, mut columns, mut lines, mut notes, reading, .. } =
        Table::of_file(table, Format::Csv, &options)?;
    let identity = columns.iter().position(|column| IDENTITIES.contains(&column.name.to_lowercase().as_str()));
    let identity = identity.ok_or_else(|| unknown(table, "no column `id` that names the images".to_owned()))?;
    let identity = columns.remove(identity);
    let mut passed = Passed::default();
    let mut found = images_by_name(folder, entries, &mut passed)?;
    let (mut files, mut without) = (Vec::new(), Vec::new());
    for row in 0..lines.len() {
        let id = identity.text(row).unwrap_or_default();
        match found.remove(&key(&id)) {
            Some(path) => files.push(path),
            None => without.push((row, id)),
        }
    }
    if let Some((row, id)) = without.first() {
        if broken == BrokenImages::Refuse || files.is_empty() {
            let (line, id, rows) = (lines[*row], id.clone(), without.len());
            return Err(Error::NoImageOfRow { origin, line, id, rows });
        }
        notes
            .push(format!("{origin}: {} without an image, left out; the first is `{id}`", count(without.len(), "row")));
        let missing: std::collections::HashSet<usize> = without.iter().map(|(row, _)| *row).collect();
        let keep = |row: usize| !missing.contains(&row);
        for column in &mut columns {
            column.cells.retain(keep);
        }
        retain(&mut lines, keep);
    }
    if !found.is_empty() {
        let first = found.values().min().map_or_else(String::new, |path| path.display().to_string());
        notes.push(format!("{origin}: {} without a row, not used; the first is {first}", count(found.len(), "image")));
    }
    let is_bone_age = |column: &&Column| column.name.eq_ignore_ascii_case("boneage");
    let target = columns.iter().find(is_bone_age).or(columns.last()).map(|column| column.name.clone());
    let target = target.ok_or_else(|| unknown(table, "no column beside the names of the images".to_owned()))?;
    let passed = passed.words();
    Ok(Listing { origin, files, columns, lines, target, task: None, notes, reading, passed, without })
}

fn capitalised(name: &str) -> String {
    name[..1].to_uppercase() + &name[1..]
}

fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// Images by their names without extension, in the folder itself and the folders in it.
fn images_by_name(folder: &Path, mut entries: Entries, passed: &mut Passed) -> Result<HashMap<String, PathBuf>> {
    let mut files = Vec::new();
    for folder in std::mem::take(&mut entries.folders) {
        files.push((folder.clone(), Entries::of(&folder)?.images(passed)));
    }
    entries.files.retain(|file| extension(file) != "csv"); // the table itself
    files.push((folder.to_owned(), entries.image_files(passed)));
    let mut found = HashMap::new();
    for (folder, files) in &files {
        for file in files {
            if let Some(twin) = found.insert(key(&name(file)), file.clone()) {
                let reason = format!("{} and {} have the same name", twin.display(), file.display());
                return Err(unknown(folder, reason));
            }
        }
    }
    Ok(found)
}

/// What a name and a cell have in common: no extension, and no leading zeros of a number.
fn key(name: &str) -> String {
    let path = Path::new(name);
    let stem = if is_image(path) { path.file_stem().unwrap_or_default().to_string_lossy() } else { name.into() };
    let digits = stem.trim_start_matches('0');
    let number = !stem.is_empty() && stem.bytes().all(|byte| byte.is_ascii_digit());
    if number && !digits.is_empty() { digits.to_owned() } else { stem.into_owned() }
}

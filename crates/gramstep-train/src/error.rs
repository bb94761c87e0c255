//! The one error type of the crate. A message says what and where (file, line, column), [`Error::hint`] what to do.

use std::io;
use std::path::PathBuf;

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong, with its data.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file or folder cannot be written.
    #[error("cannot write {}: {source}", .path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The text is neither a built-in set nor a kind of file that is read.
    #[error("`{source_text}` is not a data source")]
    UnknownSource {
        /// What was given.
        source_text: String,
    },
    /// There is no built-in data set of that name.
    #[error("no built-in data set `{name}`")]
    UnknownBuiltin {
        /// What was given.
        name: String,
    },
    /// The data of a run were arrays of a program.
    #[error("the data of this run were in memory and cannot be read again")]
    InMemory,
    /// No data were named.
    #[error("no data given")]
    NoData,
    /// A file without a single cell.
    #[error("{origin}: the file is empty")]
    EmptyFile {
        /// The file.
        origin: String,
    },
    /// A file with a header and no rows.
    #[error("{origin}: a header and no rows")]
    HeaderOnly {
        /// The file.
        origin: String,
    },
    /// Bytes that are not UTF-8 text.
    #[error("{origin}:{line}: not UTF-8 text")]
    NotText {
        /// The file.
        origin: String,
        /// Line of the first such byte.
        line: u64,
    },
    /// A row with another number of cells.
    #[error("{origin}:{line}: {found} {} where the first line has {expected}", if *.found == 1 { "cell" } else { "cells" })]
    Ragged {
        /// The file.
        origin: String,
        /// Line of the row.
        line: u64,
        /// Cells of the first line.
        expected: usize,
        /// Cells of this row.
        found: usize,
    },
    /// Two columns with one name.
    #[error("{origin}: two columns are called `{column}`")]
    DuplicateColumn {
        /// The file.
        origin: String,
        /// The name.
        column: String,
    },
    /// A column that is not there.
    #[error("{origin}: no column `{column}`")]
    UnknownColumn {
        /// The table.
        origin: String,
        /// The name that was asked for.
        column: String,
        /// The names that there are.
        available: Vec<String>,
    },
    /// Columns that a trained model needs are not there.
    #[error("{origin}: the model needs {} that the table lacks: {}", plural(.missing.len(), "column"), .missing.join(", "))]
    MissingColumns {
        /// The table.
        origin: String,
        /// The columns that are missing.
        missing: Vec<String>,
    },
    /// Text in a column that is otherwise numeric.
    #[error("{origin}:{line}: column `{column}`: `{value}` is not a number")]
    TextInNumbers {
        /// The table.
        origin: String,
        /// Line of the first such cell.
        line: u64,
        /// Name of the column.
        column: String,
        /// The text.
        value: String,
    },
    /// A value of a row lies outside the box that an attack is confined to.
    #[error("{origin}: row {row}: column `{column}` is {value}, outside the box from {lower} to {upper}")]
    OutsideBox {
        /// The table.
        origin: String,
        /// The row, from 1.
        row: usize,
        /// The column of the network's input.
        column: String,
        /// Its value, in the units of the data like the box.
        value: f64,
        /// Lower end of the box.
        lower: f64,
        /// Upper end of the box.
        upper: f64,
    },
    /// A cell of a table that cannot be read, or that may be read in two ways.
    #[error("{origin}:{line}: column `{column}`: `{value}` {reason}")]
    Cell {
        /// The table.
        origin: String,
        /// Line of the first such cell.
        line: u64,
        /// Name of the column.
        column: String,
        /// The text of the cell.
        value: String,
        /// What is wrong with it.
        reason: String,
        /// What a user can do about it.
        hint: &'static str,
    },
    /// An infinite value.
    #[error("{origin}:{line}: column `{column}`: infinite value")]
    Infinite {
        /// The table.
        origin: String,
        /// Line of the first such cell.
        line: u64,
        /// Name of the column.
        column: String,
    },
    /// No column is left to learn from.
    #[error("{origin}: no input column is left{reason}")]
    NoInputs {
        /// The table.
        origin: String,
        /// What happened to the columns.
        reason: String,
    },
    /// Too few rows for the parts asked for.
    #[error("{origin}: {rows} usable {}, too few for {purpose}", if *.rows == 1 { "row" } else { "rows" })]
    TooFewRows {
        /// The table.
        origin: String,
        /// Rows that can be used.
        rows: usize,
        /// What they would be needed for.
        purpose: String,
    },
    /// The target has one value in all training rows.
    #[error("{origin}: the target `{column}` has the same value in every training row")]
    ConstantTarget {
        /// The table.
        origin: String,
        /// The target.
        column: String,
    },
    /// A row whose weight is missing or below 0.
    #[error("{origin}:{line}: column `{column}`: the weight {value} is not a number of at least 0")]
    Weight {
        /// The table.
        origin: String,
        /// Line of the first such row.
        line: u64,
        /// The column of weights.
        column: String,
        /// The weight; NaN where it is missing.
        value: f64,
    },
    /// Text columns as targets of a regression, or several targets of a classification.
    #[error("target `{column}`: {reason}")]
    Target {
        /// The target.
        column: String,
        /// What is wrong.
        reason: String,
    },
    /// A class that the training rows do not have.
    #[error("{origin}:{line}: target `{column}`: the class `{class}` is not in the training rows")]
    UnknownClass {
        /// The table.
        origin: String,
        /// Line of the first such row.
        line: u64,
        /// The target.
        column: String,
        /// The class.
        class: String,
    },
    /// A setting outside its range.
    #[error("{name} = {value}: {range}")]
    Setting {
        /// Name of the setting, as on the command line without dashes.
        name: &'static str,
        /// What was given.
        value: String,
        /// What it has to be.
        range: String,
    },
    /// A setting beside something with which it has no meaning.
    #[error("--{one} does not go with {other}: {reason}")]
    Conflict {
        /// The setting, as on the command line without its hyphens, and its value where that matters.
        one: &'static str,
        /// What it does not go with.
        other: String,
        /// Why.
        reason: String,
    },
    /// Error bars of what has none.
    #[error("there are no error bars {of}: {reason}")]
    NoErrorBars {
        /// Of what.
        of: &'static str,
        /// Why, or of what there are.
        reason: &'static str,
    },
    /// A configuration file that cannot be understood.
    #[error("{}: {reason}", .path.display())]
    Configuration {
        /// The file.
        path: PathBuf,
        /// Where and why.
        reason: String,
    },
    /// A format version that this program does not read.
    #[error("{}: format version {found}, this program reads version {supported}", .path.display())]
    FormatVersion {
        /// The file.
        path: PathBuf,
        /// The version in the file.
        found: u32,
        /// The version that is read.
        supported: u32,
    },
    /// A file that is not a gramstep model, or a damaged one.
    #[error("{}: {reason}", .path.display())]
    ModelFile {
        /// The file.
        path: PathBuf,
        /// Why it cannot be used.
        reason: String,
    },
    /// The data of a run are needed again and are other data now.
    #[error("{}: the data have changed since the run, and its rows are needed", .run.display())]
    DataChanged {
        /// The run folder.
        run: PathBuf,
    },
    /// The test rows of a run are asked for, and there are none.
    #[error("{}: the run kept no rows for a test", .run.display())]
    NoTestRows {
        /// The run folder.
        run: PathBuf,
    },
    /// A file of a kernel matrix that cannot be joined with others.
    #[error("{}: {reason}", .path.display())]
    KernelFile {
        /// The file.
        path: PathBuf,
        /// Why it cannot be used.
        reason: String,
    },
    /// A run folder or file that another process writes to.
    #[error("{} is in use by {}", .path.display(), writer(*.process))]
    InUse {
        /// The folder or file.
        path: PathBuf,
        /// The process, where it is known.
        process: Option<u32>,
    },
    /// An output in the place of something that must not be lost.
    #[error("{} would be overwritten: {reason}", .path.display())]
    Overwrites {
        /// The output.
        path: PathBuf,
        /// What is there.
        reason: String,
    },
    /// A run folder that is already in use.
    #[error("{} already holds a run", .path.display())]
    FolderInUse {
        /// The folder.
        path: PathBuf,
    },
    /// A loss or a parameter became infinite or NaN.
    #[error("step {step} (epoch {epoch}): {what} is not finite{}", rescued(.kept.as_ref()))]
    NonFinite {
        /// The step, counted from 1.
        step: usize,
        /// The epoch, counted from 1.
        epoch: usize,
        /// Which quantity, with the parameter's name where it is known.
        what: String,
        /// The file with the best parameters before that step.
        kept: Option<PathBuf>,
    },
    /// A checkpoint that cannot be used, or that is missing.
    #[error("{}: {reason}", .path.display())]
    Checkpoint {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A file of arrays that is damaged or does not make a table.
    #[error("{origin}: {reason}")]
    Array {
        /// The file, and the array where there are several.
        origin: String,
        /// Why.
        reason: String,
    },
    /// An image that cannot be read.
    #[error("{}: {reason}", .path.display())]
    Image {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A folder, or a file of many images, that is not laid out as any that is known.
    #[error("{}: {reason}", .path.display())]
    ImageFolder {
        /// The folder or file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Rows of a table beside images that have no image.
    #[error("{origin}:{line}: no image is called `{id}`{}", others(*.rows))]
    NoImageOfRow {
        /// The table.
        origin: String,
        /// Line of the first such row.
        line: u64,
        /// What it calls its image.
        id: String,
        /// How many such rows there are.
        rows: usize,
    },
    /// Threads that the system does not give.
    #[error("cannot start threads: {reason}")]
    Threads {
        /// Why.
        reason: String,
    },
    /// A chart that the drawing library refuses.
    #[error("a chart cannot be drawn: {reason}")]
    Chart {
        /// Why.
        reason: String,
    },
    /// Work that needs more memory than the process may take.
    #[error("{what} needs {}, and may take {}", bytes(*.needed), bytes(*.free))]
    Memory {
        /// What.
        what: &'static str,
        /// Bytes that it needs.
        needed: u64,
        /// Bytes that are free, or that such a thing may take at most.
        free: u64,
        /// What would fit.
        instead: &'static str,
    },
    /// An error of the mathematics.
    #[error(transparent)]
    Core(#[from] gramstep::Error),
}

/// How many more rows have the same fault.
fn others(rows: usize) -> String {
    if rows == 1 { String::new() } else { format!(", and {} more rows have none", rows - 1) }
}

fn bytes(count: u64) -> String {
    let (unit, size) = if count < 1 << 30 { ("MB", 1 << 20) } else { ("GB", 1 << 30) };
    format!("{:.1} {unit} of memory", count as f64 / f64::from(size))
}

fn writer(process: Option<u32>) -> String {
    process.map_or_else(|| "another process".to_owned(), |process| format!("process {process}"))
}

fn plural(count: usize, noun: &str) -> String {
    if count == 1 { format!("a {noun}") } else { format!("{count} {noun}s") }
}

fn rescued(path: Option<&PathBuf>) -> String {
    path.map_or_else(String::new, |path| format!("; the best parameters so far are in {}", path.display()))
}

impl Error {
    /// What a user can do about it, in one sentence.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let fixed = match self {
            Self::UnknownColumn { column, available, .. } => return Some(nearest(column, available)),
            Self::Core(error) => return Some(error.hint().to_owned()),
            Self::OutsideBox { .. } => "widen the box with --box, or leave the column as it is with --freeze",
            Self::Cell { hint, .. } => hint,
            Self::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => "check the path",
            Self::Write { .. } => "choose another place with --out, or free some space",
            Self::UnknownSource { .. } => {
                "give a .csv, .tsv (also .gz), .npy or .npz file, a folder of images, or builtin:diabetes, builtin:winequality; --format csv reads \
                 a file of another name"
            }
            Self::UnknownBuiltin { .. } => "there are builtin:diabetes and builtin:winequality",
            Self::InMemory => "name rows with --data; what predicts and its error bars need no data",
            Self::NoData => "try --data builtin:diabetes, or give a file: --data table.csv",
            Self::EmptyFile { .. } | Self::HeaderOnly { .. } => {
                "give a table with a header and one row for each sample"
            }
            Self::NotText { .. } => "save the table as UTF-8 text with comma- or tab-separated cells",
            Self::Ragged { .. } => {
                "look for a missing or unquoted separator in that line; --delimiter names another separator"
            }
            Self::DuplicateColumn { .. } => "rename one of them",
            Self::MissingColumns { .. } => "predict needs the input columns of the training data, under the same names",
            Self::TextInNumbers { .. } => {
                "leave the cell empty if the value is missing or name its mark with --missing, or leave out the column with \
                 --drop; --types COL=number takes numbers with and without a unit, COL=text every value for a category"
            }
            Self::Weight { .. } => "give every row a weight; 0 leaves it out",
            Self::Infinite { .. } => "leave the cell empty (or NA) if the value is not known, or drop the row",
            Self::NoInputs { .. } => "check --drop and --target",
            Self::TooFewRows { .. } => "give more rows, or a smaller --test and --validation (0 for none)",
            Self::ConstantTarget { .. } => "choose another column with --target",
            Self::Target { .. } => "choose the columns with --target and the task with --task",
            Self::UnknownClass { .. } => {
                "every class needs a training row: merge rare classes, or take another --seed or a smaller --test"
            }
            Self::Setting { .. } | Self::Conflict { .. } => "see --help of the command",
            Self::NoErrorBars { .. } => "leave out --std, --interval and --samples",
            Self::Configuration { .. } => "config.toml of any run folder shows every setting",
            Self::FormatVersion { .. } => "use the version of gramstep that wrote it",
            Self::ModelFile { .. } => "give the folder that gramstep train wrote",
            Self::DataChanged { .. } => "put the data back as they were, or name their place by --data",
            Self::NoTestRows { .. } => "name rows with --data",
            Self::Checkpoint { .. } => {
                "give --resume the folder of a run that was cut off, or train again with another --out"
            }
            Self::KernelFile { .. } => "compute the parts again with the same data and options, tiles 1/N to N/N",
            Self::InUse { .. } => "wait for it, or end it; info, predict, attack and report need not wait",
            Self::Overwrites { .. } => "give the output another place",
            Self::FolderInUse { .. } => "give another folder with --out, or remove this one",
            Self::NonFinite { .. } => "lower --learning-rate, raise --damping, or look for huge values in the data",
            Self::Array { .. } => {
                "save numbers with one row a sample: numpy.savez(file, X=inputs, y=targets) or numpy.save(file, table)"
            }
            Self::Image { .. } | Self::NoImageOfRow { .. } => "leave such rows out with --broken-images skip",
            Self::ImageFolder { .. } => {
                "see gramstep train --help for the layouts: <class>/*, <age>/<111|112>/*, .csv and folder, IDX pair"
            }
            Self::Memory { instead, .. } => instead,
            Self::Threads { .. } => "give fewer --threads",
            Self::Read { .. } | Self::Chart { .. } => return None,
        };
        Some(fixed.to_owned())
    }

    /// Whether a training left the finite numbers: its own end, and none of what is tried beside it.
    #[must_use]
    pub fn is_divergence(&self) -> bool {
        matches!(self, Self::NonFinite { .. } | Self::Core(gramstep::Error::NonFinite { .. }))
    }

    /// Whether the command was given wrongly, rather than its work having failed.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Core(error) => {
                matches!(
                    error,
                    gramstep::Error::Setting { .. }
                        | gramstep::Error::Specification { .. }
                        | gramstep::Error::Layer { .. }
                )
            }
            Self::UnknownSource { .. }
            | Self::UnknownBuiltin { .. }
            | Self::NoData
            | Self::UnknownColumn { .. }
            | Self::Target { .. }
            | Self::Setting { .. }
            | Self::Conflict { .. }
            | Self::NoErrorBars { .. }
            | Self::Configuration { .. }
            | Self::Overwrites { .. }
            | Self::FolderInUse { .. } => true,
            _ => false,
        }
    }
}

/// The column that was probably meant, or the list of them.
fn nearest(column: &str, available: &[String]) -> String {
    let wanted = column.to_lowercase();
    let alike = available.iter().find(|name| {
        let name = name.to_lowercase();
        name == wanted || name.contains(&wanted) || wanted.contains(&name)
    });
    match alike {
        Some(name) => format!("did you mean `{name}`?"),
        None if available.len() <= 12 => format!("the columns are {}", available.join(", ")),
        None => format!("the columns are {}, .. ({} in all)", available[..12].join(", "), available.len()),
    }
}

/// A setting outside its range.
pub(crate) fn out_of_range(name: &'static str, value: &dyn std::fmt::Display, range: &str) -> Error {
    Error::Setting { name, value: value.to_string(), range: range.to_owned() }
}

/// Two things that do not go together.
pub(crate) fn conflict(one: &'static str, other: impl Into<String>, reason: impl Into<String>) -> Error {
    Error::Conflict { one, other: other.into(), reason: reason.into() }
}

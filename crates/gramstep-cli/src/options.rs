//! Options that several commands share.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{ArgAction, Args};
use gramstep_train::Result;
use gramstep_train::data::{Augmentation, BrokenImages, Colour, Format, ImageSize, Portion, Source, Task};
use gramstep_train::settings::Adversary;
use gramstep_train::settings::{BatchSize, Config, DampingChoice, Precision, RidgeChoice, TimeLimit};

/// What is learned, from what, and how: everything of `train` but the method.
#[derive(Args)]
pub(crate) struct TrainingOptions {
    /// The data: a .csv, .tsv, .npy or .npz file, a folder of images, builtin:diabetes or builtin:winequality. Folders:
    /// CLASS/*, AGE/<111|112>/* as AFAD, a .csv with a column `id` beside a folder of images as RSNA, IDX files as MNIST
    #[arg(long, value_name = "SRC", help_heading = "Data")]
    data: Option<String>,
    /// How the data are laid out, where their name does not tell: csv, tsv, npy, npz, afad, rsna, classes or idx
    #[arg(long, requires = "data", value_parser = parse::<Format>, help_heading = "Data")]
    format: Option<Format>,
    /// Settings from a file; options given here come first
    #[arg(long, value_name = "FILE.toml", help_heading = "Data")]
    config: Option<PathBuf>,
    /// The columns to learn [default: the last one]
    #[arg(long, value_name = "COL,..", value_delimiter = ',', help_heading = "Data")]
    target: Vec<String>,
    /// Columns to leave out
    #[arg(long, value_name = "COL,..", value_delimiter = ',', help_heading = "Data")]
    drop: Vec<String>,
    /// The column with the weight of every row: how much its error counts
    #[arg(long, value_name = "COL", help_heading = "Data")]
    weights: Option<String>,
    /// regression or classification [default: classification if the target is text]
    #[arg(long, value_parser = task, help_heading = "Data")]
    task: Option<Task>,
    /// Rows that are only judged at the end: a share of all rows (0 for none) or a file [default: 0.2]
    #[arg(long, value_name = "FRACTION|FILE", value_parser = parse::<Portion>, help_heading = "Data")]
    test: Option<Portion>,
    /// Rows that choose when to stop: a share of all rows (0 for none) or a file [default: 0.1]
    #[arg(long, value_name = "FRACTION|FILE", value_parser = parse::<Portion>, help_heading = "Data")]
    validation: Option<Portion>,

    /// Size that images are brought to: a side, or HEIGHTxWIDTH [default: that of the first image, at most 32]
    #[arg(long, value_name = "PIXELS", value_parser = parse::<ImageSize>, help_heading = "Images")]
    image_size: Option<ImageSize>,
    /// auto, grey or rgb [default: auto, as the first image is]
    #[arg(long, value_parser = parse::<Colour>, help_heading = "Images")]
    colour: Option<Colour>,
    /// What becomes of images that cannot be read and of rows without image: refuse or skip [default: refuse]
    #[arg(long, value_parser = parse::<BrokenImages>, help_heading = "Images")]
    broken_images: Option<BrokenImages>,
    /// Random changes of training images: none, flip, shift:PIXELS or both [default: none]
    #[arg(long, value_name = "flip,shift:N", value_parser = parse::<Augmentation>, help_heading = "Images")]
    augment: Option<Augmentation>,

    /// The network: linear, mlp:WIDTH,..:ACTIVATION, cnn:CHANNELS,..:ACTIVATION (then :max for max pools, :dense=WIDTH,..
    /// for dense layers over all pixels instead of their mean) or resnet32; or regression with the kernel of an
    /// infinitely wide one: ntk:depth=N:ACTIVATION or nngp:depth=N:ACTIVATION [default: on small tables the best of
    /// three by the validation loss, else mlp:256,256:gelu; resnet32 for images]
    #[arg(long, value_name = "SPEC", help_heading = "Model")]
    model: Option<String>,
    /// Number type of the parameters: f32 or f64 [default: f64; f32 for images and for large tables]
    #[arg(long, value_parser = parse::<Precision>, help_heading = "Model")]
    precision: Option<Precision>,

    /// Step length
    #[arg(long, value_name = "F", allow_negative_numbers = true, help_heading = "Method")]
    learning_rate: Option<f64>,
    /// Damping of gram-gauss-newton relative to the mean diagonal of G [default: auto]
    #[arg(long, value_name = "auto|F", value_parser = parse::<DampingChoice>, allow_hyphen_values = true, help_heading = "Method")]
    damping: Option<DampingChoice>,
    /// Weight decay; auto lets it fall in the course of the run, and early stopping chooses; of a kernel auto is the one
    /// of least error for rows left out, evidence that of largest marginal likelihood [default: auto]
    #[arg(long, value_name = "auto|evidence|F", value_parser = parse::<RidgeChoice>, allow_hyphen_values = true, help_heading = "Method")]
    ridge: Option<RidgeChoice>,
    /// Momentum: of SPRING for gram-gauss-newton, of sgd; for adam its first decay rate
    #[arg(long, value_name = "F", allow_negative_numbers = true, help_heading = "Method")]
    momentum: Option<f64>,
    /// Rows of one step
    #[arg(long, value_name = "full|N", value_parser = parse::<BatchSize>, allow_hyphen_values = true, help_heading = "Method")]
    batch_size: Option<BatchSize>,

    /// Train against an attack in the data's units: NORM:RADIUS:ATTACK, such as linf:0.1:pgd:10
    #[arg(long, value_name = "NORM:RADIUS:ATTACK", value_parser = parse::<Adversary>, help_heading = "Method")]
    adversarial: Option<Adversary>,
    /// Keep every layer within R/√m of its start, m the largest number of hidden units (with --adversarial)
    #[arg(long, value_name = "R", allow_negative_numbers = true, help_heading = "Method")]
    ball: Option<f64>,
    /// Epochs in which the radius of --adversarial rises to its full size: a network that cannot yet tell samples apart
    /// learns nothing against a large one [default: 0]
    #[arg(long, value_name = "N", help_heading = "Method")]
    warm_up: Option<usize>,

    /// The most epochs
    #[arg(long, value_name = "N", help_heading = "Stopping")]
    epochs: Option<usize>,
    /// The longest time, such as 60s, 2m, 1h
    #[arg(long, value_name = "TIME", value_parser = parse::<TimeLimit>, allow_hyphen_values = true, help_heading = "Stopping")]
    time_limit: Option<TimeLimit>,
    /// Epochs without a better validation loss before training stops
    #[arg(long, value_name = "N", help_heading = "Stopping")]
    patience: Option<usize>,

    /// Decides the split, the initial parameters and the order of the rows [default: 0]
    #[arg(long, value_name = "N", help_heading = "Machine")]
    seed: Option<u64>,
    /// Threads [default: all processors]
    #[arg(long, value_name = "N", help_heading = "Machine")]
    threads: Option<usize>,
}

impl TrainingOptions {
    /// The configuration: the file, if there is one, overridden by the options.
    pub(crate) fn config(self) -> Result<Config> {
        let file = self.config.as_deref().map(Config::read).transpose()?.unwrap_or_default();
        Ok(file.overridden_by(Config {
            data: self.data.map(|data| formatted(data, self.format)),
            target: self.target,
            drop: self.drop,
            weights: self.weights,
            task: self.task,
            test: self.test,
            validation: self.validation,
            image_size: self.image_size,
            colour: self.colour,
            broken_images: self.broken_images,
            augment: self.augment,
            model: self.model,
            learning_rate: self.learning_rate,
            damping: self.damping,
            ridge: self.ridge,
            momentum: self.momentum,
            batch_size: self.batch_size,
            adversarial: self.adversarial,
            ball: self.ball,
            warm_up: self.warm_up,
            epochs: self.epochs,
            time_limit: self.time_limit,
            patience: self.patience,
            seed: self.seed,
            precision: self.precision,
            threads: self.threads,
            ..Config::default()
        }))
    }
}

/// The text of a source that is read in this format.
pub(crate) fn formatted(data: String, format: Option<Format>) -> String {
    match format {
        Some(format) => format!("{format}:{data}"),
        None => data,
    }
}

/// Rows for a trained model.
#[derive(Args)]
pub(crate) struct RowOptions {
    /// The rows: a table or images with the columns of the training data
    #[arg(long, value_name = "SRC")]
    data: String,
    /// How the rows are laid out, where their name does not tell: csv, tsv, npy, npz, afad, rsna, classes or idx
    #[arg(long, value_parser = parse::<Format>)]
    format: Option<Format>,
}

impl RowOptions {
    pub(crate) fn source(&self) -> Result<Source> {
        formatted(self.data.clone(), self.format).parse()
    }
}

/// How a command talks.
#[derive(Args, Clone, Copy)]
pub(crate) struct TalkOptions {
    /// Print one JSON object on stdout
    #[arg(long, action = ArgAction::SetTrue)]
    pub(crate) json: bool,
    /// Say nothing on stderr but errors
    #[arg(long, action = ArgAction::SetTrue)]
    pub(crate) quiet: bool,
}

/// Parses an option by the library; what it has to be follows the value in the message.
pub(crate) fn parse<T: std::str::FromStr<Err = gramstep_train::Error>>(text: &str) -> std::result::Result<T, String> {
    text.parse().map_err(|error: gramstep_train::Error| match error {
        gramstep_train::Error::Setting { range, .. } => range,
        other => other.hint().map_or_else(|| other.to_string(), |hint| format!("{other}\n  hint: {hint}")),
    })
}

fn task(text: &str) -> std::result::Result<Task, String> {
    match text {
        "regression" => Ok(Task::Regression),
        "classification" => Ok(Task::Classification),
        _ => Err("regression or classification".to_owned()),
    }
}

/// A flag that Ctrl-C sets. A second Ctrl-C ends the program at once.
pub(crate) fn stop_flag() -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    let set = Arc::clone(&flag);
    let installed = ctrlc::set_handler(move || {
        if set.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        eprintln!("\nending soon, with what is done so far (Ctrl-C again: at once)");
    });
    if let Err(error) = installed {
        eprintln!("warning: Ctrl-C will not keep what is done: {error}");
    }
    flag
}

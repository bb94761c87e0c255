//! The table of settings. Whatever a user may give, on the command line or in `config.toml`, has its entry here and
//! nowhere else; what it is when it is left open is one line of `Settings::complete`.

use std::path::PathBuf;

use gramstep::Architecture;
use serde::{Deserialize, Serialize};

use super::Group::{Data, Images, Machine, Method, Model, Reading, Stopping};
use super::field::{
    ABOVE_ZERO, Field, IN_A_FILE, ONE_OR_MORE, SHARE_OF_THE_PAST, THREADS, TWO_OR_MORE, WHOLE, ZERO_OR_MORE,
};
use super::setting::{Entry, dashed};
use super::table::settings;
use super::{
    Adversary, BatchSize, Candidates, DampingChoice, Hyphen, InputBounds, OptimizerName, Precision, Preset,
    RidgeChoice, RowsPerSample, ScheduleChoice, Taken, TimeLimit,
};
use crate::data::{
    Augmentation, BrokenImages, ClassWeights, Colour, Header, ImageSize, LossChoice, Portion, Separator, SplitBy, Task,
    TransformChoice,
};
use crate::format::number_form::{Decimal, Thousands};

/// Version of `config.toml`.
pub const FORMAT_VERSION: u32 = 1;

/// One of [`SETTINGS`].
pub type Setting = Entry<Config>;

settings! {
    /// What a user asks for; what is left out is decided from the data ([`Settings`]).
    ///
    /// ```
    /// use gramstep_train::settings::Config;
    /// let mut config = Config { data: Some("builtin:diabetes".to_owned()), epochs: Some(20), ..Config::default() };
    /// config.set("learning-rate", "0.5")?;
    /// config.validate()?;
    /// # Ok::<(), gramstep_train::Error>(())
    /// ```
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    pub struct Config;

    /// Every setting of a run. Written to `config.toml`, it is a [`Config`] that repeats the run.
    #[derive(Clone, Debug, PartialEq, Serialize)]
    #[non_exhaustive]
    pub struct Settings;

    /// Where the data are: `builtin:NAME`, a file or a folder of images.
    data: Option<String> => always(String) {
        group: Data, value: "SRC", example: "builtin:diabetes", kernel: true,
        help: Some(
            "The data: a .csv, .tsv, .npy or .npz file, a folder of images, builtin:diabetes or builtin:winequality. \
             Folders: CLASS/*, AGE/<111|112>/* as AFAD, a .csv with a column `id` beside a folder of images as RSNA, \
             IDX files as MNIST"
        ),
    }
    /// The columns to learn: names, ranges x0..x67, patterns *_x; several of two values each are labels (with --task
    /// classification where they are numbers).
    target: Vec<String> => always(Vec<String>) {
        group: Data, value: "COL,..", example: "y,z", kernel: true, default: Some("the last one"),
    }
    /// Columns to leave out: names, ranges, patterns.
    drop: Vec<String> => always(Vec<String>) {
        group: Data, value: "COL,..", example: "id", kernel: true,
    }
    /// The column with the weight of every row: how much its error counts.
    weights: Option<String> => maybe(String) {
        group: Data, value: "COL", example: "w", kernel: true,
    }
    /// regression or classification.
    task: Option<Task> => always(Task) {
        group: Data, value: "TASK", example: "classification", kernel: true,
        default: Some("classification if the target is text"),
    }
    /// The loss of a regression: squared, absolute, huber, huber:DELTA in standard deviations, quantile:LEVEL,.. or
    /// poisson.
    loss: Option<LossChoice> => maybe(LossChoice) {
        group: Method, value: "LOSS", example: "quantile:0.1,0.5,0.9", kernel: false,
        default: Some("squared; the cross-entropy of classes"),
    }
    /// What is learned of the target: none for itself, log for its logarithm, auto for that of a positive one with a
    /// heavy tail.
    target_transform: Option<TransformChoice> => maybe(TransformChoice) {
        group: Method, value: "none|log|auto", example: "log", kernel: true, default: Some("none"),
    }
    /// How much the errors of a class count: balanced, or factors such as yes=5,no=1.
    class_weight: Option<ClassWeights> => maybe(ClassWeights) {
        group: Method, value: "balanced|CLASS=W,..", example: "yes=5,no=1", kernel: true, default: Some("all alike"),
    }
    /// Rows that are only judged at the end: a share of all rows (0 for none) or a file.
    test: Option<Portion> => always(Portion) {
        group: Data, value: "FRACTION|FILE", example: "0.3", kernel: true, default: Some("0.2"),
    }
    /// Rows that choose when to stop: a share of all rows (0 for none) or a file.
    validation: Option<Portion> => always(Portion) {
        group: Data, value: "FRACTION|FILE", example: "judges.csv", kernel: true, default: Some("0.2 of small tables, else 0.1"),
    }
    /// What decides which rows are judged: random (of classes each by itself), time:COL (the last ones) or group:COL (rows
    /// of one group stay together).
    split: Option<SplitBy> => maybe(SplitBy) {
        group: Data, value: "random|time:COL|group:COL", example: "time:day", kernel: true, default: Some("random"),
    }
    /// Before the fit, cross-validate with so many folds: scores and their spread, and predictions of every row by a fit that
    /// has not seen it (out-of-fold.csv).
    folds: Option<usize> where TWO_OR_MORE => maybe(usize) {
        group: Data, value: "K", example: "5", kernel: true, taken: Taken::Train, excludes: &["init"],
    }
    /// What separates the cells of a line: a character, tab, space or auto.
    delimiter: Option<Separator> => maybe(Separator) {
        group: Reading, value: "C|tab|auto", example: "|", kernel: true, default: Some("auto, as the lines show"),
    }
    /// The decimal mark of all numbers.
    decimal: Option<Decimal> => maybe(Decimal) {
        group: Reading, value: ".|,", example: ",", kernel: true, default: Some("as each column shows"),
    }
    /// The mark between thousands of all numbers: a comma, a point, an apostrophe, _, space or none.
    thousands: Option<Thousands> => maybe(Thousands) {
        group: Reading, value: "C", example: ".", kernel: true, default: Some("as each column shows"),
    }
    /// Cells that are gaps, beside empty ones, NA, NaN, null, None, ? and #N/A; - and . are gaps among numbers.
    missing: Vec<String> => always(Vec<String>) {
        group: Reading, value: "TEXT,..", example: "-999,unknown", kernel: true, hyphen: Hyphen::Value,
    }
    /// Whether the first line names the columns: yes, no or auto.
    header: Option<Header> => maybe(Header) {
        group: Reading, value: "HEADER", example: "no", kernel: true, default: Some("auto, as the lines show"),
    }
    /// What columns are: number, category, date (date:dmy, date:mdy, date:ymd say the order), text or drop.
    types: Vec<String> => always(Vec<String>) {
        group: Reading, value: "COL=TYPE,..", example: "zip=category,day=date:dmy", kernel: true,
    }
    /// Size that images are brought to: a side, or HEIGHTxWIDTH; as that they are kept in the user's cache folder, or in the
    /// one that the environment variable GRAMSTEP_CACHE names, empty for none.
    image_size: Option<ImageSize> => maybe(ImageSize) {
        group: Images, value: "PIXELS", example: "64x48", kernel: true,
        default: Some("that of the first image, at most 32"),
    }
    /// auto, grey or rgb.
    colour: Option<Colour> => maybe(Colour) {
        group: Images, value: "COLOUR", example: "grey", kernel: true, default: Some("auto, as the first image is"),
    }
    /// What becomes of images that cannot be read and of rows without image: refuse or skip.
    broken_images: Option<BrokenImages> => maybe(BrokenImages) {
        group: Images, value: "BROKEN_IMAGES", example: "skip", kernel: true, default: Some("refuse"),
    }
    /// Random changes of training images: none, flip, shift:PIXELS or both.
    augment: Option<Augmentation> => maybe(Augmentation) {
        group: Images, value: "flip,shift:N", example: "flip,shift:2", kernel: false, default: Some("none"),
    }
    /// Begin with the networks of an earlier run, and prepare the data as it did: to refit it to new rows of the same
    /// columns. Kernels of a combination are fitted anew, to these rows.
    init: Option<PathBuf> => maybe(PathBuf) {
        group: Model, value: "DIR", example: "runs/first", kernel: false, taken: Taken::Train,
        excludes: &["model", "drop", "preset", "ensemble"],
    }
    /// The network, such as `mlp:256,256:gelu`, or a kernel: with a scale for every column, such as `kernel:matern32`, or
    /// that of an infinitely wide network, such as `ntk:depth=3:relu`.
    model: Option<String> => always(#[serde(serialize_with = "as_text")] Architecture) {
        group: Model, value: "SPEC", example: "mlp:8,8:tanh", kernel: true,
        help: Some(
            "The network: linear, mlp:WIDTH,..:ACTIVATION, cnn:CHANNELS[kSIDE][sSTRIDE],..:ACTIVATION (then \
             :max for max pools, :dense=WIDTH,.. for dense layers over all pixels instead of their mean) or \
             resnet:DEPTH[:CHANNELS], DEPTH one of 20, 32, 44, 56, 6n + 2, both with :group-norm at the end to normalise groups of \
             8 channels (resnet: in place of the Fixup initialisation); or kernel \
             regression: kernel:KIND, KIND one of rbf, matern12, matern32, matern52, anova-rbf, anova-matern12, \
             anova-matern32, nngp, with a scale for every column, or the kernel of an infinitely wide network: \
             ntk:depth=N:ACTIVATION or nngp:depth=N:ACTIVATION, for images ntk:cnn:WIDTH[kSIDE][sSTRIDE],..:ACTIVATION (then :gap, \
             :flatten or :dense=WIDTH,..; only how many widths there are counts), ntk:myrtle5, ntk:myrtle10 or ntk:resnet20"
        ),
        default: Some(
            "on small tables the best of three by the validation loss, else mlp:256,256:gelu; resnet32 for images"
        ),
    }
    /// How much time the defaults may take: fast, default or thorough.
    preset: Option<Preset> => maybe(Preset) {
        group: Model, value: "PRESET", example: "fast", kernel: false, taken: Taken::Train,
    }
    /// Networks, of which the average is the model, each with validation rows of its own.
    ensemble: Option<usize> where ONE_OR_MORE => always(usize) {
        group: Model, value: "N", example: "2", kernel: false, taken: Taken::Train,
        default: Some(
            "where model and steps are left open 5 on small tables and, without --time-limit, 3 up to 20 000 numbers to \
             predict; 5 with --preset thorough, else 1"
        ),
    }
    /// auto bends far outliers of an input towards the others, and rows outside the training range towards it; none
    /// takes inputs as they are.
    input_bounds: Option<InputBounds> => always(InputBounds) {
        group: Model, value: "auto|none", example: "none", kernel: false,
        default: Some("auto for networks of tables; none for linear, and with --adversarial"),
    }
    /// What is tried on a table beside its networks: with kernels all is weighted by rows that it has not seen, without
    /// them ridge regression takes the place of the networks where it is better.
    candidates: Option<Candidates> => always(Candidates) {
        group: Model, value: "KIND,..", example: "networks", kernel: false, taken: Taken::Train,
        help: Some(
            "What is tried on a table: networks, beside them kernels (a scale for every column), linear (ridge regression), \
             or both. With kernels the model is their combination, weighted by rows that they have not seen"
        ),
        default: Some(
            "networks,kernels,linear from 6 rows on where the model is left open; without kernels where --optimizer, \
             --preset fast or another loss is given, and for several labels or processes"
        ),
    }
    /// gram-gauss-newton, sgd, adam or adamw.
    optimizer: Option<OptimizerName> => always(OptimizerName) {
        group: Method, value: "OPTIMIZER", example: "gram-gauss-newton", kernel: false, taken: Taken::Train,
        default: Some("gram-gauss-newton"),
    }
    /// Step length.
    learning_rate: Option<f64> where ABOVE_ZERO => always(f64) {
        group: Method, value: "F", example: "0.5", kernel: false, hyphen: Hyphen::Number,
        default: Some(
            "1 on full batches, 0.1 on others, 0.8 of images of three classes or more without --damping, 0.2 with --adversarial; \
             0.01 of sgd, 0.001 of adam"
        ),
    }
    /// How the learning rate goes on in the course of the run, by its epochs or its time: constant, cosine or
    /// step:SHARE,.. with :warm-up=SHARE, and :damping=F and :momentum=M that they go to as the rate falls; without --patience such a run does not stop early.
    schedule: Option<ScheduleChoice> => maybe(ScheduleChoice) {
        group: Method, value: "SCHEDULE", example: "cosine:warm-up=0.05", kernel: false, default: Some("constant"),
    }
    /// Damping of gram-gauss-newton relative to the mean diagonal of G; auto goes by the rows of a batch instead for images with one row a sample.
    damping: Option<DampingChoice> => maybe(DampingChoice) {
        group: Method, value: "auto|F", example: "0.01", kernel: false, hyphen: Hyphen::Value, default: Some("auto"),
    }
    /// Rows of gram-gauss-newton for a sample: exact (one an output) or one, whose steps cost about as much as those of sgd
    /// however many classes there are.
    rows_per_sample: Option<RowsPerSample> => maybe(RowsPerSample) {
        group: Method, value: "exact|one", example: "one", kernel: false,
        default: Some("one for three classes or more and images with more than 16 targets, else exact"),
    }
    /// Weight decay; auto lets it fall in the course of the run, and early stopping chooses; of ntk and nngp auto is the
    /// one of least error for rows left out, evidence that of largest marginal likelihood, which kernel:KIND always takes.
    ridge: Option<RidgeChoice> => always(RidgeChoice) {
        group: Method, value: "auto|evidence|F", example: "1e-3", kernel: true, hyphen: Hyphen::Value,
        default: Some("auto"),
    }
    /// Weight decay of sgd and, beside the step, of adam, as other programs have it; ridge is that of the summed loss.
    weight_decay: Option<f64> where ZERO_OR_MORE => maybe(f64) {
        group: Method, value: "F", example: "0.01", kernel: false, hyphen: Hyphen::Number, default: Some("0.01 of adamw"),
    }
    /// Momentum: of SPRING for gram-gauss-newton, of sgd; for adam its first decay rate.
    momentum: Option<f64> where SHARE_OF_THE_PAST => always(f64) {
        group: Method, value: "F", example: "0.9", kernel: false, hyphen: Hyphen::Number,
        default: Some("0 of gram-gauss-newton on full batches and with --adversarial, 0.9 or 0.95 on others; 0.9 of others"),
    }
    /// Rows of one step.
    batch_size: Option<BatchSize> => always(BatchSize) {
        group: Method, value: "full|N", example: "32", kernel: false, hyphen: Hyphen::Value,
        default: Some("of gram-gauss-newton full on small tables, 32 to 512 on others, 32 to 128 images; 64 of others, 128 images"),
    }
    /// Train against an attack in the data's units: NORM:RADIUS:ATTACK, such as linf:0.1:pgd:10.
    adversarial: Option<Adversary> => maybe(Adversary) {
        group: Method, value: "NORM:RADIUS:ATTACK", example: "l2:0.5:apgd:7:2", kernel: false,
    }
    /// Keep every layer within R/√m of its start, m the largest number of hidden units (with --adversarial).
    ball: Option<f64> where ABOVE_ZERO => maybe(f64) {
        group: Method, value: "R", example: "2.5", kernel: false, hyphen: Hyphen::Number, needs: Some("adversarial"),
    }
    /// Epochs in which the radius of --adversarial rises to its full size: a network that cannot yet tell samples apart
    /// learns nothing against a large one.
    warm_up: Option<usize> where WHOLE => maybe(usize) {
        group: Method, value: "N", example: "4", kernel: false, default: Some("0"), needs: Some("adversarial"),
    }
    /// The most epochs.
    epochs: Option<usize> where ONE_OR_MORE => always(usize) {
        group: Stopping, value: "N", example: "3", kernel: false,
        default: Some("100 or 200 of gram-gauss-newton, 500 of others; at least 2000 steps on images"),
    }
    /// The longest time of training, such as 60s, 2m, 1h, and again of every fold; on small tables half of it is for the
    /// choice of a model that is left open.
    time_limit: Option<TimeLimit> => maybe(TimeLimit) {
        group: Stopping, value: "TIME", example: "1.5h", kernel: false, hyphen: Hyphen::Value,
    }
    /// Epochs without a better validation loss, or training loss where no rows judge, before training stops.
    patience: Option<usize> where ONE_OR_MORE => maybe(usize) {
        group: Stopping, value: "N", example: "7", kernel: false,
        default: Some("10 to 30 by method and data; at least 200 steps on images; none with a schedule"),
    }
    /// Every so many epochs look at the Gram matrix of up to 64 training rows: its drift from the start, alignment with the
    /// targets, effective rank, largest eigenvalues, and the sharpness, of sgd beside 2(1 + μ)/η. The training stays the same to the bit.
    watch_kernel: Option<usize> where ONE_OR_MORE => maybe(usize) {
        group: Method, value: "N", example: "2", kernel: false, default: Some("never"),
    }
    /// Decides the split, the initial parameters and the order of the rows.
    seed: Option<u64> where IN_A_FILE => always(u64) {
        group: Machine, value: "N", example: "42", kernel: true, default: Some("0"),
    }
    /// Number type of the parameters: f32 or f64.
    precision: Option<Precision> => always(Precision) {
        group: Model, value: "PRECISION", example: "f64", kernel: true,
        default: Some("f64; f32 for images and for large tables"),
    }
    /// Threads.
    threads: Option<usize> where THREADS => always(usize) {
        group: Machine, value: "N", example: "2", kernel: true, default: Some("all processors"),
    }
    /// How many processes a distributed run had: written, not asked for. `threads` are those of each.
    processes: Option<usize> where WHOLE => maybe(usize) {
        group: Machine, value: "N", example: "2", kernel: true, taken: Taken::File,
    }
}

fn as_text<S: serde::Serializer>(value: &Architecture, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

#[cfg(test)]
mod tests;

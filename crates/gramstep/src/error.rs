//! The one error type of the crate: every variant carries the numbers that explain it.

/// What went wrong, with its numbers. [`Error::hint`] says what to do about it.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An array has the wrong length or shape.
    #[error("{what}: expected {expected}, got {got}")]
    Shape {
        /// Which array of which operation.
        what: &'static str,
        /// The extent that was needed.
        expected: usize,
        /// The extent that was given.
        got: usize,
    },
    /// There are fewer of something than are needed.
    #[error("{what}: at least {least} needed, got {got}")]
    TooFew {
        /// What there is too little of.
        what: &'static str,
        /// How many are needed.
        least: usize,
        /// How many there are.
        got: usize,
    },
    /// Something is asked for by a number beyond those that there are.
    #[error("{what} {index}: there are {count}, counted from 0")]
    OutOfRange {
        /// What is asked for.
        what: &'static str,
        /// Its number.
        index: usize,
        /// How many there are.
        count: usize,
    },
    /// Two things, each right by itself, do not go together.
    #[error("{what}: {reason}")]
    Conflict {
        /// What does not go together.
        what: &'static str,
        /// Why not.
        reason: String,
    },
    /// A matrix is no kernel.
    #[error("the matrix is no kernel: {reason}")]
    Kernel {
        /// What is wrong with it.
        reason: String,
    },
    /// A flag of the caller ended the work.
    #[error("interrupted")]
    Interrupted,
    /// A value is infinite or not a number.
    #[error("non-finite value in {what}{}", .layer.as_ref().map(|l| format!(" of layer `{l}`")).unwrap_or_default())]
    NonFinite {
        /// Which quantity.
        what: &'static str,
        /// The layer whose output is the first to be non-finite, where one is.
        layer: Option<String>,
    },
    /// A setting is outside its range.
    #[error("{name} = {value}: {range}")]
    Setting {
        /// Name of the setting.
        name: &'static str,
        /// The value given.
        value: String,
        /// What it has to be.
        range: &'static str,
    },
    /// A specification or its text form cannot be understood.
    #[error("model `{text}`: {reason}")]
    Specification {
        /// The text or the layer at fault.
        text: String,
        /// Why it cannot be built.
        reason: String,
    },
    /// A layer of an infinitely wide network has no kernel where it stands.
    #[error("layer `{layer}`: {reason}")]
    Layer {
        /// Its kind, or its place in the specification.
        layer: String,
        /// Why there is no kernel.
        reason: String,
    },
    /// Targets do not fit the loss.
    #[error("{loss} loss: target {value} of sample {sample} {reason}")]
    Target {
        /// Name of the loss.
        loss: &'static str,
        /// Row of the batch.
        sample: usize,
        /// The target.
        value: f64,
        /// Why it does not fit.
        reason: &'static str,
    },
    /// A sample lies outside the box that its perturbations are confined to.
    #[error("value {value} of sample {sample}, column {column}, is outside the box from {lower} to {upper}")]
    OutsideBox {
        /// Row of the batch.
        sample: usize,
        /// Column of the input.
        column: usize,
        /// The value.
        value: f64,
        /// Lower end of the box.
        lower: f64,
        /// Upper end of the box.
        upper: f64,
    },
    /// A linear system could not be solved by any of the methods tried.
    #[error("{solver} failed on a system of size {size}: {reason}")]
    Solve {
        /// The last method tried.
        solver: &'static str,
        /// Number of equations.
        size: usize,
        /// What happened.
        reason: String,
    },
    /// A step would not fit in the memory budget.
    #[error("{what} needs {needed} bytes, the budget is {budget}")]
    Memory {
        /// Which array.
        what: &'static str,
        /// Bytes needed.
        needed: usize,
        /// Bytes allowed.
        budget: usize,
    },
    /// A saved state belongs to something else.
    #[error("state of `{found}` given to `{expected}`")]
    State {
        /// What was to be restored.
        expected: String,
        /// What the state says it is.
        found: String,
    },
    /// Another process of a distributed run failed.
    #[error("communication: {0}")]
    Communication(String),
}

impl Error {
    /// What a user can do about it, in one sentence.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Shape { .. } => "rows are samples; check the number of columns against the model's input and output",
            Self::TooFew { .. } => "give more of them",
            Self::OutOfRange { .. } => "numbers of columns, outputs and rows begin at 0",
            Self::Conflict { .. } => "change one of the two; the message says why they exclude each other",
            Self::NonFinite { .. } => "lower the learning rate, raise the damping, or look for huge values in the data",
            Self::Setting { .. } => "see the documentation of this setting for its range",
            Self::Specification { text, .. } if text.starts_with("ntk") || text.starts_with("nngp") => {
                "write for example ntk:depth=3:relu, or of images ntk:cnn:16,32:relu:gap"
            }
            Self::Layer { .. } => {
                "convolutions, activations and pools come first, then the mean over pixels or all of them, then dense layers"
            }
            Self::Specification { .. } => "write for example mlp:256,256:gelu or linear",
            Self::Target { .. } => {
                "use squared loss for real targets, cross-entropy for one-hot ones, logistic for 0 and 1"
            }
            Self::Kernel { .. } => "a kernel is finite and symmetric, and K + εI has a Cholesky factor for every ε > 0",
            Self::Interrupted => "what was done before is not affected",
            Self::OutsideBox { .. } => "widen the box, or take it from the data; its units are those of the data",
            Self::Solve { .. } => "raise the damping; duplicate samples or dead units make the Gram matrix singular",
            Self::Memory { .. } => "use a smaller batch, or raise the memory budget",
            Self::State { .. } => "resume with the optimiser and the model that wrote the checkpoint",
            Self::Communication(_) => "see the message of the process that failed first",
        }
    }
}

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// [`Error::Shape`] unless an extent is the one expected.
pub(crate) fn check_extent(what: &'static str, expected: usize, got: usize) -> Result<()> {
    if expected == got { Ok(()) } else { Err(Error::Shape { what, expected, got }) }
}

/// [`Error::Setting`] unless a setting lies in its range.
pub(crate) fn check_setting<V: ToString + ?Sized>(
    valid: bool,
    name: &'static str,
    value: &V,
    range: &'static str,
) -> Result<()> {
    if valid { Ok(()) } else { Err(Error::Setting { name, value: value.to_string(), range }) }
}

/// [`Error::Setting`] unless a setting is finite and positive.
pub(crate) fn check_positive(name: &'static str, value: f64) -> Result<()> {
    check_setting(value > 0.0 && value.is_finite(), name, &value, "finite and > 0")
}

/// [`Error::Setting`] unless a share of the past, as in a momentum, keeps it finite.
pub(crate) fn check_momentum(name: &'static str, value: f64) -> Result<()> {
    check_setting((0.0..1.0).contains(&value), name, &value, "at least 0, below 1")
}

/// [`Error::Setting`] unless a setting is finite and not negative.
pub(crate) fn check_not_negative(name: &'static str, value: f64) -> Result<()> {
    check_setting(value >= 0.0 && value.is_finite(), name, &value, "finite and ≥ 0")
}

//! Which kernel a regression has, before and after its numbers are known.

use std::fmt;
use std::str::FromStr;

use gramstep::kernel::{InfiniteArchitecture, ScaledKernel, ScaledKind};
use gramstep::model::Shape;

use crate::error::{Error, Result};

/// What stands before the name of a kernel with a scale for every column, and a colon.
const SCALED: &str = "kernel";

/// The kernel that a configuration asks for: of an infinitely wide network, such as `ntk:depth=3:relu`, or with a scale for
/// every column, such as `kernel:matern32`.
///
/// ```
/// use gramstep_train::predictor::KernelChoice;
/// let choice: KernelChoice = "kernel:anova-matern32".parse()?;
/// assert!(matches!(choice, KernelChoice::Scaled(_)));
/// assert_eq!(choice.to_string(), "kernel:anova-matern32");
/// # Ok::<(), gramstep_train::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum KernelChoice {
    /// That of an infinitely wide network; nothing of it is found from data.
    Infinite(InfiniteArchitecture),
    /// One whose scales are found from data.
    Scaled(ScaledKind),
}

impl KernelChoice {
    /// Whether a model of this name is a kernel.
    #[must_use]
    pub fn names(model: &str) -> bool {
        matches!(model.split(':').next(), Some("ntk" | "nngp" | "kernel"))
    }

    /// The same for inputs of this shape, which a network for images has to know.
    ///
    /// # Errors
    /// When it is for images and the inputs are none.
    pub fn for_inputs(self, shape: Shape) -> Result<Self> {
        Ok(match self {
            Self::Infinite(architecture) => Self::Infinite(architecture.for_inputs(shape)?),
            Self::Scaled(_) => self,
        })
    }
}

impl fmt::Display for KernelChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Infinite(architecture) => architecture.fmt(f),
            Self::Scaled(kind) => write!(f, "{SCALED}:{kind}"),
        }
    }
}

impl FromStr for KernelChoice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Ok(match text.strip_prefix(SCALED) {
            Some(kind) => Self::Scaled(kind.trim_start_matches(':').parse()?),
            None => Self::Infinite(text.parse()?),
        })
    }
}

/// A kernel with all its numbers.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Kernel {
    /// That of an infinitely wide network.
    Infinite(InfiniteArchitecture),
    /// One with a scale for every column.
    Scaled(ScaledKernel),
}

impl Kernel {
    /// Which kernel it is.
    #[must_use]
    pub fn choice(&self) -> KernelChoice {
        match self {
            Self::Infinite(architecture) => KernelChoice::Infinite(architecture.clone()),
            Self::Scaled(kernel) => KernelChoice::Scaled(kernel.kind()),
        }
    }
}

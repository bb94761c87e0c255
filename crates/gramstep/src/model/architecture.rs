//! The one-line text form of an architecture, for command lines: `mlp:256,256:gelu`, `linear`.

use std::fmt;
use std::str::FromStr;

use super::activation::Activation;
use super::specification::Specification;
use crate::error::{Error, Result};

/// An architecture before the data say how many inputs and outputs it has.
///
/// ```
/// use gramstep::Architecture;
/// let architecture: Architecture = "mlp:64,32:tanh".parse()?;
/// assert_eq!(architecture.to_string(), "mlp:64,32:tanh");
/// let specification = architecture.specification(10, 1);
/// # Ok::<(), gramstep::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Architecture {
    /// A multi-layer perceptron: widths of the hidden layers and their activation.
    Mlp {
        /// Widths of the hidden layers.
        hidden: Vec<usize>,
        /// Activation after each of them.
        activation: Activation,
    },
    /// One dense layer.
    Linear,
}

impl Architecture {
    /// The specification for these numbers of inputs and outputs.
    #[must_use]
    pub fn specification(&self, inputs: usize, outputs: usize) -> Specification {
        match self {
            Self::Linear => Specification::mlp(&[inputs, outputs], Activation::Identity),
            Self::Mlp { hidden, activation } => {
                let sizes: Vec<_> = [inputs].into_iter().chain(hidden.iter().copied()).chain([outputs]).collect();
                Specification::mlp(&sizes, *activation)
            }
        }
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Linear => f.write_str("linear"),
            Self::Mlp { hidden, activation } => {
                let hidden: Vec<_> = hidden.iter().map(usize::to_string).collect();
                write!(f, "mlp:{}:{activation}", hidden.join(","))
            }
        }
    }
}

impl FromStr for Architecture {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let fault = |reason: String| Error::Specification { text: text.to_owned(), reason };
        let mut parts = text.split(':');
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some("linear"), None, None, None) => Ok(Self::Linear),
            (Some("mlp"), Some(widths), activation, None) => {
                let hidden = widths
                    .split(',')
                    .map(|width| match width.trim().parse::<usize>() {
                        Ok(width @ 1..=1_000_000) => Ok(width),
                        _ => Err(fault(format!("`{width}` is not a width between 1 and 1000000"))),
                    })
                    .collect::<Result<Vec<_>>>()?;
                Ok(Self::Mlp { hidden, activation: activation.unwrap_or("gelu").parse()? })
            }
            _ => Err(fault("expected mlp:WIDTH,WIDTH,..:ACTIVATION or linear".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_back_and_nonsense_is_refused() {
        for text in ["linear", "mlp:8:relu", "mlp:256,256:gelu"] {
            assert_eq!(text.parse::<Architecture>().map(|a| a.to_string()), Ok(text.to_owned()));
        }
        for text in ["", "mlp", "mlp:", "mlp:0:relu", "mlp:-3", "mlp:8:swoosh", "mlp:8:relu:2", "linear:3", "forest"] {
            assert!(text.parse::<Architecture>().is_err(), "{text}");
        }
    }
}

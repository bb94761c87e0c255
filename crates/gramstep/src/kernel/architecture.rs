//! The one-line text form of an infinitely wide network, for command lines: `ntk:depth=3:relu`.

use std::fmt;
use std::str::FromStr;

use super::{InfiniteKernel, Which};
use crate::error::{Error, Result};
use crate::model::Activation;

/// A kernel of an infinitely wide perceptron: `ntk` or `nngp`, then `depth=N` (hidden layers), an activation,
/// `weight=F` and `bias=F` (variances), in any order.
///
/// ```
/// use gramstep::kernel::InfiniteArchitecture;
/// let architecture: InfiniteArchitecture = "ntk:depth=3:relu".parse()?;
/// assert_eq!(architecture.to_string(), "ntk:depth=3:relu:weight=2:bias=0.1");
/// let kernel = architecture.kernel()?;
/// # Ok::<(), gramstep::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct InfiniteArchitecture {
    /// Which kernel.
    pub which: Which,
    /// Number of hidden layers (1 unless set).
    pub depth: usize,
    /// Their activation (relu unless set).
    pub activation: Activation,
    /// σ_w² of every dense layer: 2 for rectifiers, else 1, unless set.
    pub weight_variance: f64,
    /// σ_b² of every dense layer, 0.1 unless set.
    pub bias_variance: f64,
}

impl InfiniteArchitecture {
    /// The kernels.
    ///
    /// # Errors
    /// [`Error::Setting`] if a variance is negative or not finite.
    pub fn kernel(&self) -> Result<InfiniteKernel> {
        InfiniteKernel::mlp(self.depth, self.activation, self.weight_variance, self.bias_variance)
    }
}

impl fmt::Display for InfiniteArchitecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let which = if self.which == Which::Ntk { "ntk" } else { "nngp" };
        let Self { depth, activation, weight_variance, bias_variance, .. } = self;
        write!(f, "{which}:depth={depth}:{activation}:weight={weight_variance}:bias={bias_variance}")
    }
}

impl FromStr for InfiniteArchitecture {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let fault = |reason: String| Error::Specification { text: text.to_owned(), reason };
        let mut parts = text.split(':');
        let which = match parts.next() {
            Some("ntk") => Which::Ntk,
            Some("nngp") => Which::Nngp,
            _ => return Err(fault("expected ntk:depth=N:ACTIVATION or nngp:depth=N:ACTIVATION".to_owned())),
        };
        let (mut depth, mut activation, mut weight, mut bias) = (1, Activation::Relu, None, 0.1);
        for part in parts {
            let variance = |value: &str| match value.parse::<f64>() {
                Ok(variance) if variance >= 0.0 && variance.is_finite() => Ok(variance),
                _ => Err(fault(format!("`{part}` is not a variance, which is finite and at least 0"))),
            };
            match part.split_once('=') {
                None => activation = part.parse()?,
                Some(("depth", value)) => {
                    depth = value.parse().ok().filter(|depth| *depth <= 1000).ok_or_else(|| {
                        fault(format!("`{part}` is not a number of hidden layers between 0 and 1000"))
                    })?;
                }
                Some(("weight", value)) => weight = Some(variance(value)?),
                Some(("bias", value)) => bias = variance(value)?,
                Some((name, _)) => {
                    return Err(fault(format!("no setting `{name}`; there are depth, weight and bias")));
                }
            }
        }
        let weight_variance = weight.unwrap_or(if activation.is_rectifier() { 2.0 } else { 1.0 });
        Ok(Self { which, depth, activation, weight_variance, bias_variance: bias })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_back_and_nonsense_is_refused() {
        for text in ["ntk", "ntk:depth=3:relu", "nngp:erf:bias=0:weight=1.5:depth=2"] {
            let read: InfiniteArchitecture = text.parse().unwrap();
            assert_eq!(read.to_string().parse(), Ok(read));
        }
        for text in ["", "mlp:3", "ntk:depth=", "ntk:depth=-1", "ntk:swoosh", "ntk:weight=-1", "ntk:width=3", "ntk:"] {
            assert!(text.parse::<InfiniteArchitecture>().is_err(), "{text}");
        }
    }
}

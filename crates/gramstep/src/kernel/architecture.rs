//! The one-line text form of an infinitely wide network, for command lines: `ntk:depth=3:relu`, `ntk:cnn:16,32:gap`.

use std::fmt;
use std::str::FromStr;

use super::image_architecture::ImageArchitecture;
use super::{InfiniteKernel, Which};
use crate::error::{Error, Result};
use crate::model::{Activation, Shape};

/// A kernel of an infinitely wide network: `ntk` or `nngp`, then `depth=N` (hidden layers), an activation,
/// `weight=F` and `bias=F` (variances), in any order.
///
/// In place of `depth=N` a network for images may stand: `cnn:WIDTH[kSIDE][sSTRIDE],..` with `gap`, `flatten` or
/// `dense=WIDTH,..`, `myrtle5`, `myrtle7`, `myrtle10` or `resnet20`; `image=HEIGHTxWIDTHxCHANNELS` says how large they are, where
/// [`for_inputs`](InfiniteArchitecture::for_inputs) does not. Widths are infinite: only how many there are counts.
///
/// ```
/// use gramstep::kernel::InfiniteArchitecture;
/// let architecture: InfiniteArchitecture = "ntk:depth=3:relu".parse()?;
/// assert_eq!(architecture.to_string(), "ntk:depth=3:relu:weight=2:bias=0.1");
/// let kernel = architecture.kernel()?;
/// # Ok::<(), gramstep::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
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
    /// A network for images, which takes the place of the hidden layers.
    pub images: Option<ImageArchitecture>,
}

impl InfiniteArchitecture {
    /// The kernels.
    ///
    /// # Errors
    /// [`Error::Setting`] if a variance is negative or not finite.
    pub fn kernel(&self) -> Result<InfiniteKernel> {
        let Self { depth, activation, weight_variance, bias_variance, .. } = *self;
        match &self.images {
            Some(images) => images.kernel(activation, weight_variance, bias_variance),
            None => InfiniteKernel::mlp(depth, activation, weight_variance, bias_variance),
        }
    }

    /// The same for inputs of this shape, which a network for images has to know.
    ///
    /// ```
    /// use gramstep::kernel::InfiniteArchitecture;
    /// use gramstep::model::Shape;
    /// let architecture: InfiniteArchitecture = "ntk:myrtle5".parse()?;
    /// let architecture = architecture.for_inputs(Shape::Image { height: 28, width: 28, channels: 1, side: 0 })?;
    /// assert_eq!(architecture.to_string(), "ntk:myrtle5:image=28x28x1:relu:weight=2:bias=0.1");
    /// # Ok::<(), gramstep::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Specification`] if the network is for images and the inputs are none, or not of the size that it names.
    pub fn for_inputs(mut self, shape: impl Into<Shape>) -> Result<Self> {
        let shape = shape.into();
        let text = self.to_string();
        let Some(images) = &mut self.images else { return Ok(self) };
        let found = match shape {
            Shape::Image { height, width, channels, side: 0 } => Some((height, width, channels)),
            Shape::Image { side, .. } if side > 0 => {
                let reason =
                    format!("a network with {side} numbers beside an image has no kernel here; leave them out");
                return Err(Error::Specification { text, reason });
            }
            _ => None,
        };
        let length = |(height, width, channels): (usize, usize, usize)| height * width * channels;
        match (images.size, found) {
            (None, Some(size)) => images.size = Some(size),
            (Some(size), Some(found)) if size == found => {}
            (Some(size), None) if length(size) == shape.len() => {}
            (Some(_), _) => {
                return Err(Error::Specification { text, reason: format!("the inputs are {shape}") });
            }
            (None, None) => {
                let reason = format!(
                    "the network is for images, and the inputs are {shape}; image=HEIGHTxWIDTHxCHANNELS \
                                      says which image columns are, row by row"
                );
                return Err(Error::Specification { text, reason });
            }
        }
        Ok(self)
    }
}

impl fmt::Display for InfiniteArchitecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let which = if self.which == Which::Ntk { "ntk" } else { "nngp" };
        let Self { depth, activation, weight_variance, bias_variance, .. } = self;
        match &self.images {
            Some(images) => write!(f, "{which}:{images}")?,
            None => write!(f, "{which}:depth={depth}")?,
        }
        write!(f, ":{activation}:weight={weight_variance}:bias={bias_variance}")
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
        let (mut depth, mut activation, mut weight, mut bias) = (None, Activation::Relu, None, 0.1);
        let mut images: Option<ImageArchitecture> = None;
        while let Some(part) = parts.next() {
            if let Some(read) = ImageArchitecture::read(part, || parts.next()) {
                if images.replace(read.map_err(fault)?).is_some() {
                    return Err(fault(format!("`{part}` is a second network")));
                }
                continue;
            }
            if let Some(images) = &mut images
                && images.take(part).map_err(fault)?
            {
                continue;
            }
            let variance = |value: &str| match value.parse::<f64>() {
                Ok(variance) if variance >= 0.0 && variance.is_finite() => Ok(variance),
                _ => Err(fault(format!("`{part}` is not a variance, which is finite and at least 0"))),
            };
            match part.split_once('=') {
                None if part == "mlp" || part == "linear" => {
                    return Err(fault(
                        "hidden dense layers are depth=N, a number; how wide they are counts nothing".to_owned(),
                    ));
                }
                None => activation = part.parse()?,
                Some(("depth", value)) => {
                    let usable = value.parse().ok().filter(|depth| *depth <= 1000);
                    depth = Some(usable.ok_or_else(|| {
                        fault(format!("`{part}` is not a number of hidden layers between 0 and 1000"))
                    })?);
                }
                Some(("weight", value)) => weight = Some(variance(value)?),
                Some(("bias", value)) => bias = variance(value)?,
                Some((name, _)) => {
                    return Err(fault(format!("no setting `{name}`; there are depth, weight and bias")));
                }
            }
        }
        if images.is_some() && depth.is_some() {
            return Err(fault("depth=N is for networks without convolutions".to_owned()));
        }
        let depth = depth.unwrap_or(1);
        let weight_variance = weight.unwrap_or(if activation.is_rectifier() { 2.0 } else { 1.0 });
        Ok(Self { which, depth, activation, weight_variance, bias_variance: bias, images })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_back_and_nonsense_is_refused() {
        for text in ["ntk", "ntk:depth=3:relu", "nngp:erf:bias=0:weight=1.5:depth=2"]
            .into_iter()
            .chain([
                "ntk:cnn:16,32:gap",
                "nngp:cnn:8:erf:flatten:weight=1",
                "ntk:cnn:16k5s2,32,8k1:gap",
                "ntk:cnn:8,8:dense=4,4:image=28x28x3",
            ])
            .chain(["ntk:myrtle5", "ntk:relu:myrtle10:bias=0:image=16x16x1", "ntk:resnet32"])
        {
            let read: InfiniteArchitecture = text.parse().unwrap();
            assert_eq!(read.to_string().parse(), Ok(read));
        }
        for text in ["", "mlp:3", "ntk:depth=", "ntk:depth=-1", "ntk:swoosh", "ntk:weight=-1", "ntk:width=3", "ntk:"]
            .into_iter()
            .chain(["ntk:cnn", "ntk:cnn:0", "ntk:cnn:8:max", "ntk:cnn:8:myrtle5", "ntk:myrtle6", "ntk:myrtle5:gap"])
            .chain([
                "ntk:cnn:8k4",
                "ntk:cnn:8:group-norm",
                "ntk:resnet:20:group-norm",
                "ntk:mlp:8:relu",
                "ntk:resnet:9",
            ])
            .chain(["ntk:resnet9", "ntk:gap", "ntk:cnn:8:image=28x28", "ntk:cnn:8:image=0x1x1", "ntk:cnn:8:depth=2"])
        {
            assert!(text.parse::<InfiniteArchitecture>().is_err(), "{text}");
        }
    }

    #[test]
    fn words_of_finite_networks_are_understood_and_channels_count_nothing() {
        for (text, same) in [
            ("ntk:cnn:16,32:relu", "ntk:cnn:1,1:gap:relu:weight=2:bias=0.1"),
            ("ntk:cnn:16k5s2,32k3s1:dense=128", "ntk:cnn:1k5s2,1:dense=1:relu:weight=2:bias=0.1"),
            ("ntk:resnet:20:16", "ntk:resnet20:relu:weight=2:bias=0.1"),
            ("ntk:resnet20:8", "ntk:resnet20:relu:weight=2:bias=0.1"),
        ] {
            assert_eq!(text.parse::<InfiniteArchitecture>().map(|read| read.to_string()), Ok(same.to_owned()));
        }
        for (text, reason) in [
            ("ntk:cnn:8:max", "no kernel"),
            ("ntk:cnn:8:group-norm", "stays random"),
            ("ntk:resnet20:group-norm", "stays random"),
            ("ntk:mlp:8,8:relu", "depth=N"),
            ("ntk:cnn:8:8", "no such activation"),
        ] {
            let refused = text.parse::<InfiniteArchitecture>().unwrap_err().to_string();
            assert!(refused.contains(reason), "{text}: {refused}");
        }
    }

    #[test]
    fn the_size_of_images_comes_from_the_inputs_or_the_text() {
        let read = |text: &str| text.parse::<InfiniteArchitecture>().unwrap();
        let image = Shape::Image { height: 12, width: 10, channels: 3, side: 0 };
        for text in ["ntk:cnn:4,4:relu", "ntk:cnn:4,4:flatten:erf", "ntk:cnn:4:dense=2", "ntk:myrtle7", "nngp:resnet8"]
        {
            let architecture = read(text);
            assert!(architecture.kernel().is_err() && architecture.clone().for_inputs(360).is_err(), "{text}");
            let known = architecture.for_inputs(image).unwrap();
            assert!(known.kernel().is_ok(), "{text}");
            assert_eq!(known.to_string().parse(), Ok(known.clone()));
            assert!(known.clone().for_inputs(360).is_ok() && known.for_inputs(359).is_err(), "{text}");
        }
        assert_eq!(read("ntk:depth=2").for_inputs(7), Ok(read("ntk:depth=2")));
    }
}

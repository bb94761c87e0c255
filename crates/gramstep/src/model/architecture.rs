//! The one-line text form of an architecture, for command lines: `mlp:256,256:gelu`, `linear`, `cnn:32,64:relu`,
//! `cnn:16k5s2,32:relu:max:dense=128`, `resnet32`, `resnet20:8:group-norm`.

use std::fmt;
use std::str::FromStr;

use super::activation::Activation;
use super::images::{self, Convolution};
use super::specification::{Shape, Specification};
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
    /// A plain convolutional network ([`Specification::cnn_of`]): its convolutions and their activation.
    Cnn {
        /// The convolutions.
        convolutions: Vec<Convolution>,
        /// Activation after each of them.
        activation: Activation,
        /// Whether images are halved by the largest value of a square, not by its mean.
        max_pools: bool,
        /// Widths of hidden dense layers over all pixels; none for the mean over pixels.
        dense: Vec<usize>,
        /// Whether groups of channels are normalised behind every convolution.
        group_norm: bool,
    },
    /// A residual network, with Fixup initialisation ([`Specification::fixup_resnet`]) unless groups are normalised, of depth 6·blocks + 2.
    ResNet {
        /// Blocks of each of the three stages.
        blocks: usize,
        /// Channels of the first stage.
        channels: usize,
        /// Whether groups of channels are normalised in place of the Fixup initialisation
        /// ([`Specification::group_norm_resnet`]).
        group_norm: bool,
    },
}

/// The word at the end of a text for normalised groups of channels.
const GROUP_NORM: &str = ":group-norm";

/// Channels of a residual network's first stage, unless the text says otherwise.
const RESNET_CHANNELS: usize = 16;

impl Architecture {
    /// The specification for these inputs (a number of values, or the shape of an image) and outputs. Convolutional
    /// architectures need an image: with a vector the specification does not build.
    #[must_use]
    pub fn specification(&self, inputs: impl Into<Shape>, outputs: usize) -> Specification {
        let shape = inputs.into();
        match self {
            Self::Linear => Specification::mlp(&[shape.len(), outputs], Activation::Identity),
            Self::Mlp { hidden, activation } => {
                let sizes: Vec<_> = [shape.len()].into_iter().chain(hidden.iter().copied()).chain([outputs]).collect();
                Specification::mlp(&sizes, *activation)
            }
            Self::Cnn { convolutions, activation, max_pools, dense, group_norm } => {
                let mut specification = Specification::cnn_of(shape, convolutions, *activation, outputs);
                if !dense.is_empty() {
                    specification = specification.with_dense_head(dense, *activation);
                }
                if *max_pools {
                    specification = specification.with_max_pools();
                }
                if *group_norm { specification.with_group_norm() } else { specification }
            }
            Self::ResNet { blocks, channels, group_norm: false } => {
                Specification::fixup_resnet(shape, *blocks, *channels, outputs)
            }
            Self::ResNet { blocks, channels, group_norm: true } => {
                Specification::group_norm_resnet(shape, *blocks, *channels, outputs)
            }
        }
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Linear => f.write_str("linear"),
            Self::Mlp { hidden, activation } => write!(f, "mlp:{}:{activation}", list(hidden)),
            Self::Cnn { convolutions, activation, max_pools, dense, group_norm } => {
                write!(f, "cnn:{}:{activation}{}", list(convolutions), if *max_pools { ":max" } else { "" })?;
                if !dense.is_empty() {
                    write!(f, ":dense={}", list(dense))?;
                }
                f.write_str(if *group_norm { GROUP_NORM } else { "" })
            }
            Self::ResNet { blocks, channels, group_norm } => {
                write!(f, "resnet{}", 6 * blocks + 2)?;
                if *channels != RESNET_CHANNELS {
                    write!(f, ":{channels}")?;
                }
                f.write_str(if *group_norm { GROUP_NORM } else { "" })
            }
        }
    }
}

fn list(items: &[impl ToString]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

impl FromStr for Architecture {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let fault = |reason: String| Error::Specification { text: text.to_owned(), reason };
        let count = |number: &str, what: &str| images::count(number, what).map_err(fault);
        let counts = |list: &str, what: &str| list.split(',').map(|number| count(number, what)).collect::<Result<_>>();
        let (body, group_norm) = match text.strip_suffix(GROUP_NORM) {
            Some(body) if body.starts_with("cnn") || body.starts_with("resnet") => (body, true),
            _ => (text, false),
        };
        let mut parts = body.split(':');
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some("linear"), None, None, None) => Ok(Self::Linear),
            (Some("mlp"), Some(widths), activation, None) => {
                Ok(Self::Mlp { hidden: counts(widths, "width")?, activation: activation.unwrap_or("gelu").parse()? })
            }
            (Some("cnn"), Some(channels), activation, option) => {
                let mut options = option.into_iter().chain(parts).peekable();
                let max_pools = options.next_if_eq(&"max").is_some();
                let dense = options.next().map(|option| match option.split_once('=') {
                    Some(("dense", widths)) => counts(widths, "width"),
                    _ => Err(fault(format!("`{option}` is neither max nor dense=WIDTH,.."))),
                });
                if let Some(surplus) = options.next() {
                    return Err(fault(format!("`{surplus}` is one part too many")));
                }
                Ok(Self::Cnn {
                    convolutions: channels.split(',').map(str::parse).collect::<Result<_>>()?,
                    activation: activation.unwrap_or("relu").parse()?,
                    max_pools,
                    dense: dense.transpose()?.unwrap_or_default(),
                    group_norm,
                })
            }
            (Some("resnet"), Some(depth), channels, None) => {
                let channels = channels.map_or_else(String::new, |channels| format!(":{channels}"));
                format!("resnet{depth}{channels}{}", if group_norm { GROUP_NORM } else { "" }).parse()
            }
            (Some(name), channels, None, None) if name.starts_with("resnet") => {
                let depth = count(&name["resnet".len()..], "depth")?;
                if depth < 8 || depth % 6 != 2 {
                    let reason = format!("`{depth}` is not a depth 6·n + 2: 8, 14, 20, 26, 32, …");
                    return Err(fault(reason));
                }
                let channels = channels.map_or(Ok(RESNET_CHANNELS), |number| count(number, "number of channels"))?;
                Ok(Self::ResNet { blocks: (depth - 2) / 6, channels, group_norm })
            }
            _ => Err(fault(
                "expected mlp:WIDTH,..:ACTIVATION, linear, cnn:CHANNELS[kSIDE][sSTRIDE],..:ACTIVATION[:max][:dense=WIDTH,..] \
                 or resnet:DEPTH[:CHANNELS], both with :group-norm if wanted"
                    .to_owned(),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::LayerSpecification;

    #[test]
    fn convolutional_networks_need_an_image() {
        let build = |shape: Shape| {
            let specification = "resnet8:2".parse::<Architecture>().unwrap().specification(shape, 3);
            crate::Model::<f32>::builder(specification).build().map(|model| model.outputs())
        };
        assert_eq!(build(Shape::Image { height: 8, width: 9, channels: 1, side: 0 }), Ok(3));
        let refused = build(Shape::Vector(64)).unwrap_err().to_string();
        assert!(refused.contains("needs an image"), "{refused}");
    }

    #[test]
    fn a_dense_head_takes_the_place_of_the_mean_over_pixels() {
        let image = Shape::Image { height: 28, width: 28, channels: 1, side: 3 };
        let text = "cnn:4,8:relu:max:dense=16";
        let specification = text.parse::<Architecture>().unwrap().specification(image, 10);
        let plain = || Specification::cnn(image, &[4, 8], Activation::Relu, 10);
        let head = |specification: Specification| specification.with_dense_head(&[16], Activation::Relu);
        assert_eq!(specification, head(plain().with_max_pools()));
        assert_eq!(specification, head(plain()).with_max_pools());
        // 28 → 14 → 7 pixels of 8 channels, and the 3 numbers beside the image.
        let spans: Vec<_> = specification.spans().unwrap().into_iter().map(|span| span.shape).collect();
        assert!(spans.contains(&vec![16, 7 * 7 * 8 + 3]), "{spans:?}");
    }

    #[test]
    fn text_is_read_back_and_nonsense_is_refused() {
        for text in [
            "linear",
            "mlp:8:relu",
            "mlp:256,256:gelu",
            "cnn:8,16:tanh",
            "cnn:8,16:relu:max",
            "cnn:8:relu:dense=4",
            "cnn:8:relu:max:dense=32,16",
            "resnet32",
            "resnet20:8",
            "resnet56",
            "cnn:16k5s2,32,64k1:relu",
            "cnn:8s2:tanh:max",
            "cnn:8:relu:group-norm",
            "cnn:8:relu:max:dense=4:group-norm",
            "resnet20:group-norm",
            "resnet20:8:group-norm",
        ] {
            assert_eq!(text.parse::<Architecture>().map(|a| a.to_string()), Ok(text.to_owned()));
        }
        for text in ["", "mlp", "mlp:", "mlp:0:relu", "mlp:-3", "mlp:8:swoosh", "mlp:8:relu:2", "linear:3", "forest"]
            .into_iter()
            .chain([
                "resnet",
                "resnet33",
                "resnet2",
                "resnet32:0",
                "cnn",
                "cnn:a",
                "cnn:8:relu:min",
                "cnn:8:relu:dense=",
                "cnn:8:relu:dense=4:max",
                "cnn:8k4:relu",
                "cnn:8k:relu",
                "cnn:8s0:relu",
                "cnn:8s2k3:relu",
                "resnet:",
                "resnet:21",
                "resnet:20:8:2",
                "mlp:8:relu:group-norm",
                "cnn:group-norm",
                "resnet20:group-norm:8",
                "linear:group-norm",
            ])
        {
            assert!(text.parse::<Architecture>().is_err(), "{text}");
        }
        for (text, same) in [
            ("resnet:20", "resnet20"),
            ("resnet:44:8", "resnet44:8"),
            ("cnn:8k3s1:relu", "cnn:8:relu"),
            ("resnet:20:group-norm", "resnet20:group-norm"),
        ] {
            assert_eq!(text.parse::<Architecture>().map(|a| a.to_string()), Ok(same.to_owned()));
        }
    }

    #[test]
    fn a_convolution_has_kernel_and_stride_of_its_own_and_a_stride_takes_the_place_of_a_pool() {
        let image = Shape::Image { height: 32, width: 32, channels: 3, side: 0 };
        let specification = "cnn:8k5,16s2,4k1:relu".parse::<Architecture>().unwrap().specification(image, 2);
        let shapes: Vec<_> = specification.spans().unwrap().into_iter().map(|span| span.shape).collect();
        let weights: Vec<_> = shapes.into_iter().filter(|shape| shape.len() > 1).collect();
        assert_eq!(
            weights.iter().map(|shape| shape.iter().product()).collect::<Vec<usize>>(),
            [8 * 75, 16 * 72, 4 * 16, 8]
        );
        let pools = |specification: &Specification| {
            specification.layers.iter().filter(|layer| matches!(layer, LayerSpecification::AveragePool { .. })).count()
        };
        assert_eq!(
            (pools(&specification), pools(&Specification::cnn(image, &[8, 16, 4], Activation::Relu, 2))),
            (1, 2)
        );
        let model = crate::Model::<f32>::builder(specification).build().unwrap();
        assert!(model.predict(crate::Matrix::from_fn(2, 3072, |i, j| ((i + j) % 5) as f32).view()).is_ok());
    }
}

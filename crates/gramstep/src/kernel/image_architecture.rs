//! The words for kernels of infinitely wide convolutional networks: `cnn:16,32:relu:gap`, `myrtle5`, `resnet20`.

use std::fmt;

use super::infinite::GROUPS;
use super::{ConvolutionVariances, DenseVariances, InfiniteKernel, InfiniteLayer};
use crate::error::{Error, Result};
use crate::model::{Activation, Convolution, LayerSpecification, Parameterization, Shape, Specification, count};

/// A convolutional network whose widths are infinite, and the images that it is for.
///
/// ```
/// use gramstep::kernel::{ImageNetwork, InfiniteArchitecture};
/// let architecture: InfiniteArchitecture = "ntk:myrtle5:image=8x8x3".parse()?;
/// let images = architecture.images.unwrap();
/// assert_eq!((images.network, images.size), (ImageNetwork::Myrtle { depth: 5 }, Some((8, 8, 3))));
/// # Ok::<(), gramstep::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ImageArchitecture {
    /// Which network.
    pub network: ImageNetwork,
    /// Height, width and channels of the images, where they are known.
    pub size: Option<(usize, usize, usize)>,
}

/// A kind of convolutional network.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ImageNetwork {
    /// The limit of [`Specification::cnn_of`]: images halved between convolutions while they have 8 pixels a side.
    Cnn {
        /// The convolutions, each with 1 channel: how many there are counts nothing.
        convolutions: Vec<Convolution>,
        /// What makes a vector of the pixels.
        head: ImageHead,
    },
    /// Three groups of 3×3 convolutions with images halved between them, then the mean over pixels (shankar2020).
    Myrtle {
        /// Layers with weights: 5, 7 or 10.
        depth: usize,
    },
    /// Residual blocks x + conv φ(conv φ(x)) in three stages, images halved between them by strides, where the shortcut
    /// is a 1×1 convolution.
    ResNet {
        /// Blocks of a stage; 6·blocks + 2 layers.
        blocks: usize,
    },
}

/// What makes a vector of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ImageHead {
    /// The mean over pixels.
    Mean,
    /// All pixels side by side.
    Flatten,
    /// So many hidden dense layers over all pixels.
    Dense(usize),
}

/// Convolutions of the groups of a Myrtle network.
const MYRTLE: [(usize, [usize; 3]); 3] = [(5, [2, 1, 1]), (7, [2, 2, 2]), (10, [3, 3, 3])];

/// A word understood, or why it is not.
type Read<T> = std::result::Result<T, String>;

/// The most layers.
const MOST: usize = 1000;

impl ImageArchitecture {
    /// What a word names, and for `cnn` the next one; none where it names no network for images.
    pub(super) fn read<'t>(word: &str, mut next: impl FnMut() -> Option<&'t str>) -> Option<Read<Self>> {
        let network = if word == "cnn" {
            convolutions(next().unwrap_or_default())
                .map(|convolutions| ImageNetwork::Cnn { convolutions, head: ImageHead::Mean })
        } else if let Some(depth) = word.strip_prefix("myrtle") {
            match depth.parse() {
                Ok(depth) if MYRTLE.iter().any(|(known, _)| *known == depth) => Ok(ImageNetwork::Myrtle { depth }),
                _ => Err(format!("`{word}` is none of myrtle5, myrtle7 and myrtle10")),
            }
        } else if let Some(depth) = word.strip_prefix("resnet") {
            let depth = if depth.is_empty() { next().unwrap_or_default() } else { depth };
            match depth.parse::<usize>() {
                Ok(depth @ 8..=MOST) if depth % 6 == 2 => Ok(ImageNetwork::ResNet { blocks: (depth - 2) / 6 }),
                _ => Err(format!("resnet `{depth}` has no depth 6·n + 2: 8, 14, 20, 26, 32, …")),
            }
        } else {
            return None;
        };
        Some(network.map(|network| Self { network, size: None }))
    }

    /// Takes one more word: `gap`, `flatten`, `dense=WIDTH,..`, `image=HEIGHTxWIDTHxCHANNELS`, or the channels of a residual
    /// network, which count nothing; false where it is none.
    pub(super) fn take(&mut self, word: &str) -> Read<bool> {
        if let Some(size) = word.strip_prefix("image=") {
            let numbers: Vec<usize> = size
                .split('x')
                .map(|size| size.parse().map_err(|_| String::new()))
                .collect::<Read<_>>()
                .unwrap_or_default();
            let usable = |&&[height, width, channels]: &&[usize; 3]| {
                [height, width, channels].iter().all(|size| (1..=1 << 16).contains(size))
            };
            let numbers = <&[usize; 3]>::try_from(numbers.as_slice()).ok().filter(usable);
            let &[height, width, channels] =
                numbers.ok_or_else(|| format!("`{word}` is not the size of images, such as image=28x28x1"))?;
            self.size = Some((height, width, channels));
            return Ok(true);
        }
        let head = match word.split_once('=') {
            None if word == "gap" => ImageHead::Mean,
            None if word == "flatten" => ImageHead::Flatten,
            None if word == "max" => return Err("the largest of several values has no kernel of infinite width".into()),
            None if word == "group-norm" => return Err(GROUPS.into()),
            None if word.starts_with(|c: char| c.is_ascii_digit())
                && matches!(self.network, ImageNetwork::ResNet { .. }) =>
            {
                return count(word, "number of channels").map(|_| true);
            }
            Some(("dense", widths)) => ImageHead::Dense(words(widths, |word| count(word, "width"))?.len()),
            _ => return Ok(false),
        };
        match &mut self.network {
            ImageNetwork::Cnn { head: of, .. } => *of = head,
            other => return Err(format!("`{word}` goes with cnn, not with {other}")),
        }
        Ok(true)
    }

    /// The kernel of this network.
    pub(super) fn kernel(
        &self,
        activation: Activation,
        weight_variance: f64,
        bias_variance: f64,
    ) -> Result<InfiniteKernel> {
        let Some((height, width, channels)) = self.size else {
            return Err(Error::Specification {
                text: self.to_string(),
                reason: "the network needs images of known size".to_owned(),
            });
        };
        let shape = Shape::Image { height, width, channels, side: 0 };
        let variances = DenseVariances::new(weight_variance, bias_variance);
        let layers = match &self.network {
            ImageNetwork::Cnn { convolutions, head } => {
                let mut specification = Specification::cnn_of(shape, convolutions, activation, 1)
                    .with_parameterization(Parameterization::Ntk { weight_variance, bias_variance });
                match head {
                    ImageHead::Mean => {}
                    ImageHead::Flatten => {
                        specification.layers.retain(|layer| *layer != LayerSpecification::GlobalAveragePool);
                    }
                    ImageHead::Dense(hidden) => {
                        specification = specification.with_dense_head(&vec![1; *hidden], activation);
                    }
                }
                return InfiniteKernel::new(&specification);
            }
            ImageNetwork::Myrtle { depth } => myrtle(*depth, activation, variances),
            ImageNetwork::ResNet { blocks } => resnet(*blocks, activation, variances),
        };
        InfiniteKernel::for_inputs(layers, shape)
    }
}

fn convolutions(list: &str) -> Read<Vec<Convolution>> {
    let read = |word: &str| match word.parse::<Convolution>() {
        Ok(convolution) => Ok(Convolution { channels: 1, ..convolution }),
        Err(Error::Specification { reason, .. }) => Err(reason),
        Err(other) => Err(other.to_string()),
    };
    words(list, read)
}

/// What the words of a list with commas mean.
fn words<T>(list: &str, read: impl Fn(&str) -> Read<T>) -> Read<Vec<T>> {
    let words: Vec<&str> = list.split(',').collect();
    if words.len() > MOST {
        return Err(format!("`{list}` names more than {MOST} layers"));
    }
    words.into_iter().map(read).collect()
}

fn convolution(stride: usize, variances: DenseVariances) -> InfiniteLayer {
    InfiniteLayer::Convolution(ConvolutionVariances::new(3, variances).with_stride(stride))
}

fn myrtle(depth: usize, activation: Activation, variances: DenseVariances) -> Vec<InfiniteLayer> {
    let groups = MYRTLE.iter().find(|(known, _)| *known == depth).map_or([1; 3], |(_, groups)| *groups);
    let mut layers = Vec::new();
    for (at, group) in groups.into_iter().enumerate() {
        if at > 0 {
            layers.push(InfiniteLayer::AveragePool { window: 2 });
        }
        for _ in 0..group {
            layers.extend([convolution(1, variances), InfiniteLayer::Activation(activation)]);
        }
    }
    layers.extend([InfiniteLayer::GlobalAveragePool, InfiniteLayer::Dense(variances)]);
    layers
}

/// What goes through a shortcut has to stay normally distributed, so activations stand before convolutions (he2016).
fn resnet(blocks: usize, activation: Activation, variances: DenseVariances) -> Vec<InfiniteLayer> {
    let phi = || InfiniteLayer::Activation(activation);
    let mut layers = vec![convolution(1, variances)];
    for stage in 0..3 {
        for block in 0..blocks {
            let halve = stage > 0 && block == 0;
            let branch =
                vec![phi(), convolution(if halve { 2 } else { 1 }, variances), phi(), convolution(1, variances)];
            let pointwise = ConvolutionVariances::new(1, variances).with_stride(2);
            let shortcut = if halve { vec![InfiniteLayer::Convolution(pointwise)] } else { Vec::new() };
            layers.push(InfiniteLayer::Residual { layers: branch, shortcut });
        }
    }
    layers.extend([phi(), InfiniteLayer::GlobalAveragePool, InfiniteLayer::Dense(variances)]);
    layers
}

impl fmt::Display for ImageNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cnn { convolutions, .. } => {
                let convolutions: Vec<String> = convolutions.iter().map(ToString::to_string).collect();
                write!(f, "cnn:{}", convolutions.join(","))
            }
            Self::Myrtle { depth } => write!(f, "myrtle{depth}"),
            Self::ResNet { blocks } => write!(f, "resnet{}", 6 * blocks + 2),
        }
    }
}

impl fmt::Display for ImageArchitecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.network.fmt(f)?;
        match &self.network {
            ImageNetwork::Cnn { head: ImageHead::Mean, .. } => f.write_str(":gap")?,
            ImageNetwork::Cnn { head: ImageHead::Flatten, .. } => f.write_str(":flatten")?,
            ImageNetwork::Cnn { head: ImageHead::Dense(hidden), .. } => {
                write!(f, ":dense={}", vec!["1"; *hidden].join(","))?;
            }
            _ => {}
        }
        match self.size {
            Some((height, width, channels)) => write!(f, ":image={height}x{width}x{channels}"),
            None => Ok(()),
        }
    }
}

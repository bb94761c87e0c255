//! Networks for images: plain convolutional ones, and residual ones with Fixup initialisation.

use std::fmt;
use std::str::FromStr;

use super::activation::Activation;
use super::parameters::Distribution;
use super::specification::{
    ConvolutionSpecification, DenseSpecification, LayerSpecification, Shape, Shortcut, Specification,
};
use crate::error::{Error, Result};

/// The smallest side of an image that a plain convolutional network still halves.
const HALVED: usize = 8;

/// One convolution of a plain network: channels of its result, side of its kernel, pixels from one window to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)]
pub struct Convolution {
    /// Channels of the result.
    pub channels: usize,
    /// Side of the kernel, an odd number.
    pub kernel: usize,
    /// Pixels from one window to the next.
    pub stride: usize,
}

impl Convolution {
    /// 3×3 at every pixel.
    #[must_use]
    pub fn new(channels: usize) -> Self {
        Self { channels, kernel: 3, stride: 1 }
    }
}

/// Channels, and where they are not those of most networks kernel and stride: `16`, `16k5`, `16k5s2`.
impl fmt::Display for Convolution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { channels, kernel, stride } = *self;
        write!(f, "{channels}")?;
        if kernel != 3 {
            write!(f, "k{kernel}")?;
        }
        if stride == 1 { Ok(()) } else { write!(f, "s{stride}") }
    }
}

impl FromStr for Convolution {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let fault = |reason: String| Error::Specification { text: text.to_owned(), reason };
        let count = |number: &str, what: &str| count(number, what).map_err(fault);
        let (rest, stride) = text.split_once('s').unwrap_or((text, "1"));
        let (channels, kernel) = rest.split_once('k').unwrap_or((rest, "3"));
        let kernel = count(kernel, "side of a kernel")?;
        if kernel % 2 == 0 {
            return Err(fault(format!("a kernel has an odd side, not {kernel}")));
        }
        let channels = count(channels, "number of channels")?;
        Ok(Self { channels, kernel, stride: count(stride, "stride")? })
    }
}

/// A number of the text form of an architecture, or why it is none.
pub(crate) fn count(number: &str, what: &str) -> std::result::Result<usize, String> {
    match number.trim().parse::<usize>() {
        Ok(number @ 1..=1_000_000) => Ok(number),
        _ => Err(format!("`{number}` is not a {what} between 1 and 1000000")),
    }
}

impl Specification {
    /// A plain convolutional network: 3×3 convolutions with these channels, an activation after each, images halved by
    /// averaging between them while they have at least 8 pixels a side; the mean over pixels; a dense layer.
    ///
    /// Numbers that come with the image join before the dense layer.
    #[must_use]
    pub fn cnn(input: Shape, channels: &[usize], activation: Activation, outputs: usize) -> Self {
        let convolutions: Vec<Convolution> = channels.iter().map(|&channels| Convolution::new(channels)).collect();
        Self::cnn_of(input, &convolutions, activation, outputs)
    }

    /// The same of convolutions with kernels and strides of their own. Before one that takes strides images are not halved.
    #[must_use]
    pub fn cnn_of(input: Shape, convolutions: &[Convolution], activation: Activation, outputs: usize) -> Self {
        let mut side = match input {
            Shape::Image { height, width, .. } => height.min(width),
            Shape::Vector(_) => 0,
        };
        let mut layers = Vec::new();
        for (at, &Convolution { channels, kernel, stride }) in convolutions.iter().enumerate() {
            if at > 0 && side >= HALVED && stride == 1 {
                layers.push(LayerSpecification::AveragePool { kernel: 2 });
                side /= 2;
            }
            let convolution = ConvolutionSpecification::new(channels, kernel).with_stride(stride);
            layers.push(LayerSpecification::Convolution(convolution));
            side = side.div_ceil(stride.max(1));
            layers.push(LayerSpecification::Activation(activation));
        }
        layers.extend(head(input));
        layers.push(LayerSpecification::Dense(DenseSpecification::new(outputs)));
        Self::new(input, layers)
    }

    /// The same with the largest value of a square in place of its mean, wherever images are halved.
    #[must_use]
    pub fn with_max_pools(mut self) -> Self {
        for layer in &mut self.layers {
            if let LayerSpecification::AveragePool { kernel } = *layer {
                *layer = LayerSpecification::MaxPool { kernel };
            }
        }
        self
    }

    /// The same with a normalisation of groups of 8 channels (of all channels where 8 do not divide them) behind every convolution,
    /// which then needs no bias.
    #[must_use]
    pub fn with_group_norm(mut self) -> Self {
        let with_norm = |layer: LayerSpecification| match layer {
            LayerSpecification::Convolution(mut convolution) => {
                convolution.bias = false;
                let norm = group_norm(convolution.channels);
                vec![LayerSpecification::Convolution(convolution), norm]
            }
            other => vec![other],
        };
        self.layers = self.layers.into_iter().flat_map(with_norm).collect();
        self
    }

    /// The same with hidden dense layers of these widths over all pixels in place of the mean over pixels, for images in
    /// which it matters where something is. Images of at least 8 pixels a side are halved once more before them. A
    /// specification without the mean over pixels stays as it is.
    #[must_use]
    pub fn with_dense_head(mut self, hidden: &[usize], activation: Activation) -> Self {
        let pool = |layer: &&LayerSpecification| {
            matches!(layer, LayerSpecification::AveragePool { .. } | LayerSpecification::MaxPool { .. })
        };
        let smaller = |side: usize, layer: &LayerSpecification| match layer {
            LayerSpecification::Convolution(convolution) => side.div_ceil(convolution.stride.max(1)),
            layer if pool(&layer) => side / 2,
            _ => side,
        };
        let side = match self.input {
            Shape::Image { height, width, .. } => self.layers.iter().fold(height.min(width), smaller),
            Shape::Vector(_) => 0,
        };
        let halving = self.layers.iter().find(pool).cloned().unwrap_or(LayerSpecification::AveragePool { kernel: 2 });
        let halving = (side >= HALVED).then_some(halving);
        let hidden = hidden.iter().flat_map(|&units| {
            [LayerSpecification::Dense(DenseSpecification::new(units)), LayerSpecification::Activation(activation)]
        });
        if let Some(mean) = self.layers.iter().position(|layer| *layer == LayerSpecification::GlobalAveragePool) {
            self.layers.splice(mean..=mean, halving);
            let last = self.layers.len().saturating_sub(1);
            self.layers.splice(last..last, hidden);
        }
        self
    }

    /// The residual network of depth 6·n + 2 for small images, without normalisation, with the Fixup initialisation of
    /// zhang2019fixup: three stages of n blocks with c, 2c and 4c channels, images halved between stages.
    ///
    /// A block is x + s·W₂ φ(W₁(x + b₁) + b₂) … with scalar biases and one scale; W₁ ~ N(0, 2/fan-out)/√(number of
    /// blocks), W₂ = 0, and the last layer is 0: the network starts as f = 0 with G of rank at most its last width + 1,
    /// so steps need damping. Where the size changes, the shortcut takes every second pixel and adds channels of zeros.
    ///
    /// Numbers that come with the image join before the last layer.
    #[must_use]
    pub fn fixup_resnet(input: Shape, blocks: usize, channels: usize, outputs: usize) -> Self {
        let mut layers = vec![
            LayerSpecification::Convolution(convolution(channels, 1, 1.0)),
            LayerSpecification::ScalarBias,
            LayerSpecification::Activation(Activation::Relu),
        ];
        let shrink = 1.0 / ((3 * blocks).max(1) as f64).sqrt();
        for stage in 0..3 {
            for block in 0..blocks {
                let halve = stage > 0 && block == 0;
                layers.push(LayerSpecification::Residual {
                    layers: branch(channels << stage, if halve { 2 } else { 1 }, shrink),
                    shortcut: if halve { Shortcut::Pooled } else { Shortcut::Identity },
                });
                layers.push(LayerSpecification::Activation(Activation::Relu));
            }
        }
        layers.extend(head(input));
        layers.push(LayerSpecification::ScalarBias);
        let mut last = DenseSpecification::new(outputs);
        last.distribution = Some(Distribution::Zeros);
        layers.push(LayerSpecification::Dense(last));
        Self::new(input, layers)
    }

    /// The residual network of depth 6·n + 2 (he2016resnet) with a normalisation of groups of 8 channels behind every convolution in
    /// place of the Fixup initialisation: blocks x + N(W₂ φ(N(W₁ x))), W ~ N(0, 2/fan-out).
    #[must_use]
    pub fn group_norm_resnet(input: Shape, blocks: usize, channels: usize, outputs: usize) -> Self {
        let normalised = |channels: usize, stride: usize| {
            [LayerSpecification::Convolution(convolution(channels, stride, 1.0)), group_norm(channels)]
        };
        let relu = || LayerSpecification::Activation(Activation::Relu);
        let mut layers: Vec<LayerSpecification> = normalised(channels, 1).into_iter().chain([relu()]).collect();
        for stage in 0..3 {
            let channels = channels << stage;
            for block in 0..blocks {
                let halve = stage > 0 && block == 0;
                let first = normalised(channels, if halve { 2 } else { 1 });
                layers.push(LayerSpecification::Residual {
                    layers: first.into_iter().chain([relu()]).chain(normalised(channels, 1)).collect(),
                    shortcut: if halve { Shortcut::Pooled } else { Shortcut::Identity },
                });
                layers.push(relu());
            }
        }
        layers.extend(head(input));
        layers.push(LayerSpecification::Dense(DenseSpecification::new(outputs)));
        Self::new(input, layers)
    }
}

/// The normalisation of so many channels.
fn group_norm(channels: usize) -> LayerSpecification {
    const WIDTH: usize = 8;
    LayerSpecification::GroupNorm { groups: if channels.is_multiple_of(WIDTH) { (channels / WIDTH).max(1) } else { 1 } }
}

/// From an image to the vector before the last layer.
fn head(input: Shape) -> impl Iterator<Item = LayerSpecification> {
    let join = (input.side() > 0).then_some(LayerSpecification::JoinSide);
    std::iter::once(LayerSpecification::GlobalAveragePool).chain(join)
}

/// A 3×3 convolution without bias, W ~ N(0, 2/fan-out)·shrink².
fn convolution(channels: usize, stride: usize, shrink: f64) -> ConvolutionSpecification {
    let deviation = (2.0 / (9 * channels) as f64).sqrt() * shrink;
    ConvolutionSpecification::new(channels, 3).with_stride(stride).without_bias(Some(Distribution::Normal(deviation)))
}

/// The branch of a Fixup block.
fn branch(channels: usize, stride: usize, shrink: f64) -> Vec<LayerSpecification> {
    let second = ConvolutionSpecification::new(channels, 3).without_bias(Some(Distribution::Zeros));
    vec![
        LayerSpecification::ScalarBias,
        LayerSpecification::Convolution(convolution(channels, stride, shrink)),
        LayerSpecification::ScalarBias,
        LayerSpecification::Activation(Activation::Relu),
        LayerSpecification::ScalarBias,
        LayerSpecification::Convolution(second),
        LayerSpecification::ScalarScale,
        LayerSpecification::ScalarBias,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Matrix, Model};

    #[test]
    fn what_is_normalised_does_not_see_brightness_and_contrast_of_one_image_or_the_images_beside() {
        let image = Shape::Image { height: 8, width: 8, channels: 1, side: 0 };
        let specification = Specification::group_norm_resnet(image, 1, 8, 3);
        let model = Model::<f64>::builder(specification).seed(2).build().unwrap();
        let x = Matrix::from_fn(3, 64, |i, j| ((i * 64 + j) as f64 * 12.9898).sin());
        let louder = Matrix::from_fn(3, 64, |i, j| if i == 1 { 50.0 * x[(i, j)] } else { x[(i, j)] });
        let (f, loud) = (model.predict(&x).unwrap(), model.predict(&louder).unwrap());
        for i in 0..3 {
            let off = f.row(i).iter().zip(loud.row(i)).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            // 10⁻⁵ beside the variance.
            assert!(off < if i == 1 { 1e-3 } else { 1e-15 }, "{i}: {off}");
        }
        let refused = Specification::new(image, vec![LayerSpecification::GroupNorm { groups: 2 }]);
        let refused = Model::<f64>::builder(refused).build().unwrap_err().to_string();
        assert!(refused.contains("1 channels cannot be shared out among 2 groups"), "{refused}");
    }
}

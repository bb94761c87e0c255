//! The layers of an infinitely wide network, read from the specification of a finite one.

use super::function::Function;
use super::padding::Padding;
use crate::device::Window;
use crate::error::{Error, Result, check_not_negative};
use crate::model::{
    Activation, ConvolutionSpecification, DenseSpecification, Distribution, LayerSpecification, Parameterization,
    Shape, Shortcut, Specification, bare,
};

/// A layer of an infinitely wide network.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum InfiniteLayer {
    /// z = σ_w/√fan-in · W a + σ_b·b.
    Dense(DenseVariances),
    /// φ, number by number.
    Activation(Activation),
    /// The same with a function that finite networks here do not have.
    Function(Function),
    /// shortcut(x) + layers(x). The branch has to end in a dense layer or a convolution, so that its result is independent
    /// of x.
    Residual {
        /// The branch.
        layers: Vec<InfiniteLayer>,
        /// What is done to x beside it; nothing if it is empty.
        shortcut: Vec<InfiniteLayer>,
    },
    /// z_t = σ_w/√fan-in · W x_t + σ_b·b at every window x_t of an image.
    Convolution(ConvolutionVariances),
    /// The mean over squares of pixels side by side; what is left over at the end is dropped.
    AveragePool {
        /// Side of a square.
        window: usize,
    },
    /// The sum over squares of pixels side by side.
    SumPool {
        /// Side of a square.
        window: usize,
    },
    /// The mean over all pixels.
    GlobalAveragePool,
    /// All pixels side by side as one vector.
    Flatten,
    /// (x − mean)/√(variance + ε) over the channels, or the values of a vector.
    LayerNorm {
        /// ε
        epsilon: f64,
    },
    /// Every s-th pixel, as a shortcut takes it; `share` is what part of the channels of the result it fills, the others
    /// being 0.
    Pixels {
        /// s
        stride: usize,
        /// Channels of the input over channels of the result.
        share: f64,
    },
}

impl InfiniteLayer {
    /// x + layers(x).
    #[must_use]
    pub fn residual(layers: Vec<Self>) -> Self {
        Self::Residual { layers, shortcut: Vec::new() }
    }
}

/// A convolution with a square kernel.
///
/// ```
/// use gramstep::kernel::{ConvolutionVariances, DenseVariances, Padding};
/// let layer = ConvolutionVariances::new(3, DenseVariances::new(2.0, 0.1)).with_stride(2).with_padding(Padding::Valid);
/// assert_eq!((layer.kernel, layer.stride), (3, 2));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct ConvolutionVariances {
    /// Side of a window.
    pub kernel: usize,
    /// Pixels from one window to the next.
    pub stride: usize,
    /// What surrounds the image.
    pub padding: Padding,
    /// Its variances; those of the weights are of the sum over a window.
    pub variances: DenseVariances,
}

impl ConvolutionVariances {
    /// Stride 1 and a border of zeros that keeps the size.
    #[must_use]
    pub fn new(kernel: usize, variances: DenseVariances) -> Self {
        Self { kernel, stride: 1, padding: Padding::Same, variances }
    }

    /// The same with another stride.
    #[must_use]
    pub fn with_stride(mut self, stride: usize) -> Self {
        self.stride = stride;
        self
    }

    /// The same with another border.
    #[must_use]
    pub fn with_padding(mut self, padding: Padding) -> Self {
        self.padding = padding;
        self
    }
}

/// What a dense layer does to the kernels: K ← w·K + b, Θ ← w′·K + b′ + w·Θ.
///
/// ```
/// use gramstep::kernel::DenseVariances;
/// // In the NTK parameterisation weights and biases move as they vary.
/// let variances = DenseVariances::new(2.0, 0.1);
/// assert_eq!((variances.weight_tangent, variances.bias_tangent), (2.0, 0.1));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct DenseVariances {
    /// w, the variance of σ_w W: how much of the input's kernel reaches the output.
    pub weight: f64,
    /// b, the variance of the bias.
    pub bias: f64,
    /// w′ = s·σ_w², what training the weights adds; s is the span's weight, 0 where it is frozen.
    pub weight_tangent: f64,
    /// b′ = s·σ_b², what training the bias adds.
    pub bias_tangent: f64,
}

impl DenseVariances {
    /// A trained layer in the NTK parameterisation, with weight variance σ_w² and bias variance σ_b².
    #[must_use]
    pub fn new(weight: f64, bias: f64) -> Self {
        Self { weight, bias, weight_tangent: weight, bias_tangent: bias }
    }

    /// A trained layer in the standard parameterisation: weights of the variance `weight`/fan-in and biases are trained as
    /// they are, so Θ grows with the fan-in of the finite network that is meant (sohldickstein2020). Of a convolution the
    /// fan-in is channels·kernel².
    ///
    /// ```
    /// use gramstep::kernel::DenseVariances;
    /// let variances = DenseVariances::standard(2.0, 0.0, 512);
    /// assert_eq!((variances.weight_tangent, variances.bias_tangent), (512.0, 1.0));
    /// assert_eq!(variances.frozen().weight_tangent, 0.0);
    /// ```
    #[must_use]
    pub fn standard(weight: f64, bias: f64, fan_in: usize) -> Self {
        Self { weight, bias, weight_tangent: fan_in as f64, bias_tangent: 1.0 }
    }

    /// The same layer, not trained.
    #[must_use]
    pub fn frozen(mut self) -> Self {
        (self.weight_tangent, self.bias_tangent) = (0.0, 0.0);
        self
    }

    pub(super) fn check(self) -> Result<Self> {
        for (name, value) in [
            ("weight variance", self.weight),
            ("bias variance", self.bias),
            ("weight of a span times its variance", self.weight_tangent),
            ("weight of a span times its variance", self.bias_tangent),
        ] {
            check_not_negative(name, value)?;
        }
        Ok(self)
    }
}

/// The layers of a specification.
pub(super) fn read(specification: &Specification) -> Result<Vec<InfiniteLayer>> {
    let mut reader = Reader { specification, spans: Vec::new() };
    let last = specification.layers.iter().rposition(|layer| matches!(layer, LayerSpecification::Dense(_)));
    let zero = last.filter(|_| specification.initialization.zero_last);
    let (layers, _) = reader.layers("layers", &specification.layers, zero, specification.input)?;
    let unknown = specification.span_weights.keys().find(|name| !reader.spans.iter().any(|span| span == bare(name)));
    match unknown {
        Some(name) => Err(fault(name, &format!("no span has this name; there are {}", reader.spans.join(", ")))),
        None => Ok(layers),
    }
}

pub(super) fn fault(layer: &str, reason: &str) -> Error {
    Error::Layer { layer: layer.to_owned(), reason: reason.to_owned() }
}

const STANDARD: &str = "has no tangent kernel of infinite width in the standard parameterisation: choose the NTK \
                        parameterisation, or set multiplier and distribution of its weight and leave out its bias";

pub(in crate::kernel) const GROUPS: &str = "the deviation of a group of a few channels stays random however wide the \
                                            network is, so there is no kernel; LayerNorm, over all channels, has one";

const SCALAR: &str = "a number that all channels share, as Fixup's, has a gradient that stays random however wide the \
                      network is, so there is no kernel; ntk:resnetN is a residual network without such numbers";

struct Reader<'a> {
    specification: &'a Specification,
    /// Names of the spans seen.
    spans: Vec<String>,
}

impl Reader<'_> {
    /// Layers named `path`.0, `path`.1, … of values of this shape; returns the shape after them.
    fn layers(
        &mut self,
        path: &str,
        layers: &[LayerSpecification],
        zero: Option<usize>,
        mut shape: Shape,
    ) -> Result<(Vec<InfiniteLayer>, Shape)> {
        let mut read = Vec::with_capacity(layers.len());
        for (at, layer) in layers.iter().enumerate() {
            let name = format!("{path}.{at}");
            read.push(match layer {
                LayerSpecification::Activation(activation) => InfiniteLayer::Activation(*activation),
                LayerSpecification::Dense(dense) => {
                    let variances = self.dense(&name, dense, shape.len() as f64, zero == Some(at))?;
                    shape = Shape::Vector(dense.units);
                    InfiniteLayer::Dense(variances)
                }
                LayerSpecification::Convolution(convolution) => {
                    let (layer, after) = self.convolution(&name, convolution, shape)?;
                    shape = after;
                    InfiniteLayer::Convolution(layer)
                }
                LayerSpecification::AveragePool { kernel } => {
                    shape = windows(&name, shape, *kernel, *kernel, 0, None)?;
                    InfiniteLayer::AveragePool { window: *kernel }
                }
                LayerSpecification::GlobalAveragePool => {
                    shape = Shape::Vector(pixels(&name, shape)?.2);
                    InfiniteLayer::GlobalAveragePool
                }
                LayerSpecification::Residual { layers, shortcut } => {
                    let (branch, after) = self.layers(&format!("{name}.layers"), layers, None, shape)?;
                    let shortcut = match shortcut {
                        Shortcut::Identity if after == shape => Vec::new(),
                        Shortcut::Identity => {
                            let reason = format!("the branch puts out {after}, the shortcut {shape}");
                            return Err(fault(&name, &reason));
                        }
                        Shortcut::Pooled => vec![every_pixel(&name, shape, after)?],
                    };
                    shape = after;
                    InfiniteLayer::Residual { layers: branch, shortcut }
                }
                LayerSpecification::JoinSide if self.specification.input.side() == 0 => continue,
                LayerSpecification::JoinSide => {
                    return Err(fault(&name, "numbers beside an image count nothing among infinitely many channels"));
                }
                LayerSpecification::MaxPool { .. } => {
                    return Err(fault(&name, "the largest of several values has no kernel of infinite width here"));
                }
                LayerSpecification::ScalarBias | LayerSpecification::ScalarScale => {
                    return Err(fault(&name, SCALAR));
                }
                LayerSpecification::GroupNorm { .. } => {
                    return Err(fault(&name, GROUPS));
                }
            });
        }
        Ok((read, shape))
    }

    fn convolution(
        &mut self,
        name: &str,
        convolution: &ConvolutionSpecification,
        shape: Shape,
    ) -> Result<(ConvolutionVariances, Shape)> {
        let ConvolutionSpecification { channels, kernel, stride, padding, bias, distribution } = *convolution;
        let after = windows(name, shape, kernel, stride, padding, Some(channels))?;
        let fan_in = (kernel * kernel * pixels(name, shape)?.2) as f64;
        let dense = DenseSpecification { units: channels, bias, multiplier: None, distribution };
        let variances = self.dense(name, &dense, fan_in, false)?;
        Ok((ConvolutionVariances { kernel, stride, padding: Padding::Zeros(padding), variances }, after))
    }

    fn dense(&mut self, name: &str, dense: &DenseSpecification, fan_in: f64, zero: bool) -> Result<DenseVariances> {
        let (factor, drawn, bias) = match self.specification.parameterization {
            Parameterization::Ntk { weight_variance, bias_variance } => {
                (weight_variance / fan_in, dense.distribution.unwrap_or(Distribution::Normal(1.0)), bias_variance)
            }
            Parameterization::Standard => {
                let own = dense.multiplier.zip(dense.distribution).filter(|_| !dense.bias);
                let (multiplier, distribution) = own.ok_or_else(|| fault(name, STANDARD))?;
                (multiplier * multiplier, distribution, 0.0)
            }
        };
        let factor = dense.multiplier.map_or(factor, |multiplier| multiplier * multiplier) * fan_in;
        let spread = match drawn {
            _ if zero => 0.0,
            Distribution::Zeros => 0.0,
            Distribution::Normal(deviation) => deviation * deviation,
            Distribution::Signs => 1.0,
            Distribution::Ones => return Err(fault(name, "weights have to be drawn with mean 0")),
        };
        let bias = if dense.bias { bias } else { 0.0 };
        let weight_span = self.span_weight(format!("{name}.weight"));
        let bias_span = if dense.bias { self.span_weight(format!("{name}.bias")) } else { 0.0 };
        let variances = DenseVariances {
            weight: factor * spread,
            bias,
            weight_tangent: weight_span * factor,
            bias_tangent: bias_span * bias,
        };
        variances.check()
    }

    /// Weight of a span in Θ; the mean over both copies of a symmetric network, each of which counts half.
    fn span_weight(&mut self, name: String) -> f64 {
        let weights = &self.specification.span_weights;
        let of = |copy: &str| weights.get(&format!("{copy}{name}")).or(weights.get(&name)).copied().unwrap_or(1.0);
        let weight = if self.specification.symmetric { f64::midpoint(of("a."), of("b.")) } else { of("") };
        self.spans.push(name);
        weight
    }
}

fn pixels(name: &str, shape: Shape) -> Result<(usize, usize, usize)> {
    match shape {
        Shape::Image { height, width, channels, .. } => Ok((height, width, channels)),
        Shape::Vector(_) => Err(fault(name, &format!("needs an image, and its input is {shape}"))),
    }
}

/// The shape after windows on an image, with other channels where they are given.
fn windows(
    name: &str,
    shape: Shape,
    kernel: usize,
    stride: usize,
    padding: usize,
    channels: Option<usize>,
) -> Result<Shape> {
    let image = pixels(name, shape)?;
    let window = Window::new(image, (kernel, kernel), stride, padding)
        .ok_or_else(|| fault(name, &format!("windows of {kernel} pixels, stride {stride}, do not fit {shape}")))?;
    let (height, width) = window.output();
    Ok(Shape::Image { height, width, channels: channels.unwrap_or(image.2), side: 0 })
}

/// The shortcut that takes every s-th pixel and adds channels of zeros.
fn every_pixel(name: &str, shape: Shape, to: Shape) -> Result<InfiniteLayer> {
    let ((height, _, channels), (to_height, _, to_channels)) = (pixels(name, shape)?, pixels(name, to)?);
    let stride = height.div_ceil(to_height.max(1)).max(1);
    let after = windows(name, shape, 1, stride, 0, Some(to_channels))?;
    if after != to || to_channels < channels {
        return Err(fault(name, &format!("a pooled shortcut cannot go from {shape} to {to}")));
    }
    Ok(InfiniteLayer::Pixels { stride, share: channels as f64 / to_channels as f64 })
}

//! What a network is, apart from its weights: a plain value that can be written to a file and read back.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::activation::Activation;
use super::parameters::Distribution;

/// The architecture of a network, its scaling and its initialisation.
///
/// ```
/// use gramstep::{Activation, Specification};
/// let specification = Specification::mlp(&[10, 64, 64, 1], Activation::Gelu);
/// assert_eq!(specification.layers.len(), 5);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Specification {
    /// Shape of one sample.
    pub input: Shape,
    /// Layers, first to last.
    pub layers: Vec<LayerSpecification>,
    /// How weights enter the function.
    #[serde(default)]
    pub parameterization: Parameterization,
    /// How weights start.
    #[serde(default)]
    pub initialization: Initialization,
    /// Whether the network is the difference of two equal copies, (g(θ₁, x) − g(θ₂, x))/√2 with θ₁ = θ₂ at the
    /// start: f(θ₀, ·) = 0 with the tangent kernel of one copy.
    #[serde(default)]
    pub symmetric: bool,
    /// Factor α on the output (chizat2019: large α makes training lazy).
    #[serde(default = "one")]
    pub output_scale: f64,
    /// Weights of spans in G and in steps, by name; a span that is not named has 1, and 0 freezes it.
    #[serde(default)]
    pub span_weights: BTreeMap<String, f64>,
}

fn one() -> f64 {
    1.0
}

/// No layer may have more values a sample than this.
pub(super) const MOST_VALUES: usize = 1 << 40;

/// The shape of one sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Shape {
    /// A vector of numbers.
    Vector(usize),
    /// An image, row-major with channels innermost, and after it some numbers that belong to it.
    Image {
        /// Rows of pixels.
        height: usize,
        /// Pixels of a row.
        width: usize,
        /// Numbers of a pixel.
        channels: usize,
        /// Numbers after the image; [`LayerSpecification::JoinSide`] lets them in.
        #[serde(default)]
        side: usize,
    },
}

impl Shape {
    /// Number of values of one sample.
    #[must_use]
    pub fn len(self) -> usize {
        match self {
            Self::Vector(length) => length,
            Self::Image { height, width, channels, side } => height * width * channels + side,
        }
    }

    /// The same, unless it is beyond [`MOST_VALUES`].
    pub(super) fn checked_len(self) -> Option<usize> {
        let length = match self {
            Self::Vector(length) => Some(length),
            Self::Image { height, width, channels, side } => {
                height.checked_mul(width)?.checked_mul(channels)?.checked_add(side)
            }
        };
        length.filter(|&length| length <= MOST_VALUES)
    }

    /// Whether a sample has no values.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Number of values after the image.
    #[must_use]
    pub fn side(self) -> usize {
        match self {
            Self::Vector(_) => 0,
            Self::Image { side, .. } => side,
        }
    }
}

impl From<usize> for Shape {
    fn from(length: usize) -> Self {
        Self::Vector(length)
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vector(length) => write!(f, "a vector of {length}"),
            Self::Image { height, width, channels, side: 0 } => write!(f, "an image {height}×{width}×{channels}"),
            Self::Image { height, width, channels, side } => {
                write!(f, "an image {height}×{width}×{channels} with {side} numbers")
            }
        }
    }
}

/// One layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum LayerSpecification {
    /// z = s·W a + s_b·b.
    Dense(DenseSpecification),
    /// φ, number by number.
    Activation(Activation),
    /// z_t = s·W x_t + s_b·b at every window x_t of an image.
    Convolution(ConvolutionSpecification),
    /// The mean over squares of pixels side by side.
    AveragePool {
        /// Side of a square.
        kernel: usize,
    },
    /// The largest value over squares of pixels side by side, channel by channel.
    MaxPool {
        /// Side of a square.
        kernel: usize,
    },
    /// The mean over all pixels: one number a channel.
    GlobalAveragePool,
    /// (x − m)/s with mean m and deviation s of groups of channels of a sample, then γ_c·x + β_c (wu2018).
    GroupNorm {
        /// Groups of neighbouring channels.
        groups: usize,
    },
    /// y = x + b, one number b for all (zhang2019fixup).
    ScalarBias,
    /// y = s·x, one number s for all (zhang2019fixup).
    ScalarScale,
    /// y = x + layers(x).
    Residual {
        /// The branch.
        layers: Vec<LayerSpecification>,
        /// How x gets the shape of the branch's result.
        shortcut: Shortcut,
    },
    /// The values so far, and after them the numbers that came with the image.
    JoinSide,
}

impl LayerSpecification {
    /// Whether the layer is one with a weight matrix.
    pub(super) fn has_weight(&self) -> bool {
        matches!(self, Self::Dense(_) | Self::Convolution(_))
    }
}

/// How the input of a residual branch gets the shape of its result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Shortcut {
    /// It has it.
    #[default]
    Identity,
    /// By taking every s-th pixel, and with zeros for the new channels.
    Pooled,
}

/// A convolution with square kernel; images keep their size with stride 1 and padding (kernel − 1)/2.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ConvolutionSpecification {
    /// Channels of the result.
    pub channels: usize,
    /// Side of the kernel.
    pub kernel: usize,
    /// Pixels from one window to the next.
    pub stride: usize,
    /// Width of the border of zeros.
    pub padding: usize,
    /// Whether there is a bias for each channel.
    pub bias: bool,
    /// The distribution of W, where it is not the initialisation's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distribution: Option<Distribution>,
}

impl ConvolutionSpecification {
    /// A convolution with stride 1, a border that keeps the size for odd kernels, and a bias.
    #[must_use]
    pub fn new(channels: usize, kernel: usize) -> Self {
        Self { channels, kernel, stride: 1, padding: kernel.saturating_sub(1) / 2, bias: true, distribution: None }
    }

    /// The same with another stride.
    #[must_use]
    pub fn with_stride(mut self, stride: usize) -> Self {
        self.stride = stride;
        self
    }

    /// The same with another border.
    #[must_use]
    pub fn with_padding(mut self, padding: usize) -> Self {
        self.padding = padding;
        self
    }

    /// The same without bias and with weights drawn from a distribution.
    #[must_use]
    pub fn without_bias(mut self, distribution: Option<Distribution>) -> Self {
        self.bias = false;
        self.distribution = distribution;
        self
    }
}

/// A dense layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DenseSpecification {
    /// Number of outputs.
    pub units: usize,
    /// Whether there is a bias.
    pub bias: bool,
    /// The factor s on W, where it is not the parameterisation's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub multiplier: Option<f64>,
    /// The distribution of W, where it is not the initialisation's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distribution: Option<Distribution>,
}

impl DenseSpecification {
    /// A dense layer with a bias, scaled and initialised as the whole network is.
    #[must_use]
    pub fn new(units: usize) -> Self {
        Self { units, bias: true, multiplier: None, distribution: None }
    }
}

/// How weights enter the function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Parameterization {
    /// z = W a + b, the variance is in the initial weights.
    #[default]
    Standard,
    /// z = σ_w/√fan-in · W a + σ_b·b with W, b ~ N(0, 1) (jacot2018): gradients keep their size as width grows.
    Ntk {
        /// σ_w²
        weight_variance: f64,
        /// σ_b²
        bias_variance: f64,
    },
}

/// How weights start, in the standard parameterisation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Initialization {
    /// Variance of the weights.
    pub scheme: Scheme,
    /// Whether the last layer with weights starts at 0.
    pub zero_last: bool,
}

/// Variance of initial weights as a function of fan-in and fan-out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Scheme {
    /// 2/fan-in before a rectifier (relu, leaky relu, squared relu, gelu, silu), 1/fan-in elsewhere.
    #[default]
    Auto,
    /// 2/fan-in.
    He,
    /// 1/fan-in.
    LeCun,
    /// 2/(fan-in + fan-out).
    Xavier,
}

impl Specification {
    /// A network of layers, in the standard parameterisation.
    #[must_use]
    pub fn new(input: Shape, layers: Vec<LayerSpecification>) -> Self {
        Self {
            input,
            layers,
            parameterization: Parameterization::default(),
            initialization: Initialization::default(),
            symmetric: false,
            output_scale: 1.0,
            span_weights: BTreeMap::new(),
        }
    }

    /// A multi-layer perceptron; `sizes` = inputs, widths of the hidden layers, outputs.
    #[must_use]
    pub fn mlp(sizes: &[usize], activation: Activation) -> Self {
        let mut layers = Vec::new();
        for (at, &units) in sizes.iter().enumerate().skip(1) {
            layers.push(LayerSpecification::Dense(DenseSpecification::new(units)));
            if at + 1 < sizes.len() {
                layers.push(LayerSpecification::Activation(activation));
            }
        }
        Self::new(Shape::Vector(sizes.first().copied().unwrap_or(0)), layers)
    }

    /// The two-layer network of the theory: f(x) = m^{−1/2} Σ_r a_r φ(w_r·x), w_r ~ N(0, I), a_r = ±1 fixed
    /// (du2019, cai2019, gao2019).
    #[must_use]
    pub fn two_layer(inputs: usize, width: usize, activation: Activation) -> Self {
        let dense = |units, multiplier, distribution| {
            LayerSpecification::Dense(DenseSpecification {
                units,
                bias: false,
                multiplier: Some(multiplier),
                distribution: Some(distribution),
            })
        };
        let mut specification = Self::new(
            Shape::Vector(inputs),
            vec![
                dense(width, 1.0, Distribution::Normal(1.0)),
                LayerSpecification::Activation(activation),
                dense(1, 1.0 / (width as f64).sqrt(), Distribution::Signs),
            ],
        );
        specification.span_weights.insert("layers.2.weight".to_owned(), 0.0);
        specification
    }

    /// The same network in another parameterisation.
    #[must_use]
    pub fn with_parameterization(mut self, parameterization: Parameterization) -> Self {
        self.parameterization = parameterization;
        self
    }

    /// The same network with another initialisation.
    #[must_use]
    pub fn with_initialization(mut self, scheme: Scheme, zero_last: bool) -> Self {
        self.initialization = Initialization { scheme, zero_last };
        self
    }

    /// The same network with or without biases in its dense layers and convolutions.
    #[must_use]
    pub fn with_bias(mut self, bias: bool) -> Self {
        fn set(layers: &mut [LayerSpecification], bias: bool) {
            for layer in layers {
                match layer {
                    LayerSpecification::Dense(dense) => dense.bias = bias,
                    LayerSpecification::Convolution(convolution) => convolution.bias = bias,
                    LayerSpecification::Residual { layers, .. } => set(layers, bias),
                    _ => {}
                }
            }
        }
        set(&mut self.layers, bias);
        self
    }

    /// The difference of two equal copies, which starts as f(θ₀, ·) = 0.
    #[must_use]
    pub fn with_symmetric_start(mut self) -> Self {
        self.symmetric = true;
        self
    }

    /// The same network with its output multiplied by `scale`.
    #[must_use]
    pub fn with_output_scale(mut self, scale: f64) -> Self {
        self.output_scale = scale;
        self
    }

    /// The same network with the weight of one span set: 0 freezes it.
    #[must_use]
    pub fn with_span_weight(mut self, span: &str, weight: f64) -> Self {
        self.span_weights.insert(span.to_owned(), weight);
        self
    }
}

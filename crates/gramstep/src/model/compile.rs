//! From a specification to the nodes of a network.

use std::sync::Arc;

use super::layer::{
    AveragePool, ChannelScale, Combine, Convolution, Dense, Embed, GroupNorm, Layer, MaxPool, Placement, ScalarBias,
    ScalarScale, Stage,
};
use super::network::{Compiler, Network};
use super::parameters::{Distribution, Span, Start, bare};
use super::specification::{
    ConvolutionSpecification, DenseSpecification, LayerSpecification, MOST_VALUES, Parameterization, Scheme, Shape,
    Shortcut, Specification,
};
use crate::device::Window;
use crate::error::{Error, Result};
use crate::scalar::Scalar;

/// Builds the network of a specification.
pub(super) fn compile<T: Scalar>(specification: &Specification) -> Result<(Network<T>, Vec<Span>)> {
    check(specification)?;
    let mut compiler = Compiler::new(specification.input.len());
    if specification.symmetric {
        let first = stack(&mut compiler, specification, "a.")?;
        let spans_of_first = compiler.spans.len();
        let second = stack(&mut compiler, specification, "b.")?;
        for twin in 0..spans_of_first {
            compiler.spans[spans_of_first + twin].start = Start::CopyOf(compiler.spans[twin].offset);
        }
        let half = 0.5_f64.sqrt() * specification.output_scale;
        let difference = Combine::new(compiler.slots[second], vec![half, -half]);
        compiler.push("difference", layer(difference), vec![first, second]);
    } else {
        let output = stack(&mut compiler, specification, "")?;
        if specification.output_scale != 1.0 {
            let scale = Combine::new(compiler.slots[output], vec![specification.output_scale]);
            compiler.push("scale", layer(scale), vec![output]);
        }
    }
    let (network, mut spans) = compiler.finish();
    let weights = &specification.span_weights;
    for (name, &weight) in weights {
        let found = spans.iter().any(|span| span.name == *name || bare(&span.name) == name);
        if !found || !weight.is_finite() || weight < 0.0 {
            let names: Vec<_> = spans.iter().map(|span| span.name.as_str()).collect();
            let reason = format!("weights are ≥ 0, spans are {}", names.join(", "));
            return Err(fault(&format!("span weight {name} = {weight}"), &reason));
        }
    }
    for span in &mut spans {
        // That of one copy goes before that of both.
        let own = weights.get(&span.name).or_else(|| weights.get(bare(&span.name)));
        span.weight = own.copied().unwrap_or(span.weight);
    }
    Ok((network, spans))
}

impl Specification {
    /// The named stretches of the parameter vector θ of such a network, in order, without making θ.
    ///
    /// ```
    /// use gramstep::{Activation, Specification};
    /// let spans = Specification::mlp(&[2, 5, 1], Activation::Relu).spans()?;
    /// assert_eq!((spans[0].name.as_str(), spans[0].shape.as_slice()), ("layers.0.weight", [5, 2].as_slice()));
    /// # Ok::<(), gramstep::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Specification`] if no network can be built of it.
    pub fn spans(&self) -> Result<Vec<Span>> {
        Ok(compile::<f64>(self)?.1)
    }
}

fn fault(text: &str, reason: &str) -> Error {
    Error::Specification { text: text.to_owned(), reason: reason.to_owned() }
}

fn layer<T: Scalar>(layer: impl Layer<T> + 'static) -> Stage<T> {
    Stage::Layer(Arc::new(layer))
}

/// Refuses shapes of which the sizes would overflow.
fn small(name: &str, shape: Shape) -> Result<()> {
    match shape.checked_len() {
        Some(_) => Ok(()),
        None => Err(fault(name, &format!("{shape} has more than {MOST_VALUES} values"))),
    }
}

fn check(specification: &Specification) -> Result<()> {
    small("input", specification.input)?;
    if specification.input.is_empty() {
        return Err(fault("input", "a sample needs at least one value"));
    }
    if specification.layers.is_empty() {
        return Err(fault("layers", "a network needs at least one layer"));
    }
    if !specification.output_scale.is_finite() || specification.output_scale == 0.0 {
        return Err(fault("output_scale", "has to be a finite number other than 0"));
    }
    Ok(())
}

/// The layers of a specification, one after the other from the input; returns the slot of the last one.
fn stack<T: Scalar>(compiler: &mut Compiler<T>, specification: &Specification, prefix: &str) -> Result<usize> {
    let zero_last = specification.initialization.zero_last;
    let last = specification.layers.iter().rposition(LayerSpecification::has_weight).filter(|_| zero_last);
    let mut place = Place { slot: 0, shape: specification.input };
    if specification.layers.contains(&LayerSpecification::JoinSide) {
        let Shape::Image { height, width, channels, side: 1.. } = specification.input else {
            return Err(fault(
                "join-side",
                "the input has no side values; it is an image with `side` numbers after it",
            ));
        };
        place.shape = Shape::Image { height, width, channels, side: 0 };
        let image = Embed::slice(specification.input.len(), 0..place.shape.len());
        place.slot = compiler.push(&format!("{prefix}image"), layer(image), vec![0]);
    }
    let mut stacker = Stacker { compiler, specification, prefix };
    Ok(stacker.layers("layers", &specification.layers, last, place)?.slot)
}

/// A slot and the shape of what is in it.
#[derive(Clone, Copy)]
struct Place {
    slot: usize,
    shape: Shape,
}

struct Stacker<'a, T> {
    compiler: &'a mut Compiler<T>,
    specification: &'a Specification,
    prefix: &'a str,
}

impl<T: Scalar> Stacker<'_, T> {
    /// Appends layers named `path`.0, `path`.1, …; the one at `zero` starts at 0.
    fn layers(
        &mut self,
        path: &str,
        layers: &[LayerSpecification],
        zero: Option<usize>,
        mut place: Place,
    ) -> Result<Place> {
        for (at, layer) in layers.iter().enumerate() {
            let name = format!("{}{path}.{at}", self.prefix);
            let passed = |layer: &LayerSpecification| {
                matches!(layer, LayerSpecification::ScalarBias | LayerSpecification::GroupNorm { .. })
            };
            let next = layers[at + 1..].iter().find(|layer| !passed(layer));
            let start = WeightStart {
                rectified: matches!(next, Some(LayerSpecification::Activation(next)) if next.is_rectifier()),
                zero: zero == Some(at),
            };
            place = match layer {
                LayerSpecification::Residual { layers, shortcut } => {
                    self.residual(&format!("{path}.{at}.layers"), &name, layers, *shortcut, place)?
                }
                LayerSpecification::JoinSide => self.join_side(&name, place),
                LayerSpecification::GroupNorm { groups } => self.group_norm(&name, *groups, place)?,
                single => self.single(&name, single, start, place)?,
            };
        }
        Ok(place)
    }

    fn single(
        &mut self,
        name: &str,
        specification: &LayerSpecification,
        start: WeightStart,
        Place { slot, shape }: Place,
    ) -> Result<Place> {
        let length = shape.len();
        let (stage, shape) = match specification {
            LayerSpecification::Activation(activation) => (Stage::Pointwise(Arc::new(*activation)), shape),
            LayerSpecification::Dense(dense) => {
                if dense.units == 0 {
                    return Err(fault(name, "a dense layer needs at least one unit"));
                }
                (layer(self.dense(dense, length, start)), Shape::Vector(dense.units))
            }
            LayerSpecification::Convolution(convolution) => {
                let (kernel, stride) = (convolution.kernel, convolution.stride);
                let window = window(name, shape, (kernel, kernel), stride, convolution.padding)?;
                if convolution.channels == 0 {
                    return Err(fault(name, "a convolution needs at least one channel"));
                }
                (layer(self.convolution(convolution, window, start)), image(window, convolution.channels))
            }
            LayerSpecification::AveragePool { kernel } => {
                let window = window(name, shape, (*kernel, *kernel), *kernel, 0)?;
                (layer(AveragePool::new(window)), image(window, window.channels()))
            }
            LayerSpecification::MaxPool { kernel } => {
                let window = window(name, shape, (*kernel, *kernel), *kernel, 0)?;
                (Stage::Nonlinear(Arc::new(MaxPool::new(window))), image(window, window.channels()))
            }
            LayerSpecification::GlobalAveragePool => {
                let (height, width, _) = pixels(name, shape)?;
                let window = window(name, shape, (height, width), 1, 0)?;
                (layer(AveragePool::new(window)), Shape::Vector(window.channels()))
            }
            LayerSpecification::ScalarBias => (layer(ScalarBias::new(length)), shape),
            LayerSpecification::ScalarScale => (layer(ScalarScale::new(length)), shape),
            LayerSpecification::Residual { .. }
            | LayerSpecification::JoinSide
            | LayerSpecification::GroupNorm { .. } => return Ok(Place { slot, shape }),
        };
        small(name, shape)?;
        Ok(Place { slot: self.compiler.push(name, stage, vec![slot]), shape })
    }

    /// The normalisation, and the factors and shifts of channels behind it.
    fn group_norm(&mut self, name: &str, groups: usize, Place { slot, shape }: Place) -> Result<Place> {
        let (height, width, channels) = pixels(name, shape)?;
        if groups == 0 || channels % groups != 0 {
            return Err(fault(name, &format!("{channels} channels cannot be shared out among {groups} groups")));
        }
        let normalised = Stage::Nonlinear(Arc::new(GroupNorm::new(height * width, channels, groups)));
        let slot = self.compiler.push(name, normalised, vec![slot]);
        let scaled = layer(ChannelScale::new(height * width, channels));
        let slot = self.compiler.push(&format!("{name}.channels"), scaled, vec![slot]);
        Ok(Place { slot, shape })
    }

    /// x + branch(x), where the shortcut brings x to the shape of the branch's result.
    fn residual(
        &mut self,
        path: &str,
        name: &str,
        layers: &[LayerSpecification],
        shortcut: Shortcut,
        place: Place,
    ) -> Result<Place> {
        let branch = self.layers(path, layers, None, place)?;
        let other = match shortcut {
            Shortcut::Identity => place,
            Shortcut::Pooled => self.pooled(name, place, branch.shape)?,
        };
        if other.shape != branch.shape {
            let reason = format!("the branch puts out {}, the shortcut {}", branch.shape, other.shape);
            return Err(fault(name, &reason));
        }
        let sum = Combine::new(branch.shape.len(), vec![1.0, 1.0]);
        let slot = self.compiler.push(&format!("{name}.sum"), layer(sum), vec![branch.slot, other.slot]);
        Ok(Place { slot, shape: branch.shape })
    }

    /// Every s-th pixel of the image (a pool of one pixel, as in zhang2019fixup's code), with channels of zeros added.
    fn pooled(&mut self, name: &str, Place { mut slot, shape }: Place, to: Shape) -> Result<Place> {
        let ((height, _, channels), (to_height, to_width, to_channels)) = (pixels(name, shape)?, pixels(name, to)?);
        let stride = height.div_ceil(to_height.max(1)).max(1);
        let pool = window(name, shape, (1, 1), stride, 0)?;
        if pool.output() != (to_height, to_width) || to_channels < channels {
            return Err(fault(name, &format!("a pooled shortcut cannot go from {shape} to {to}")));
        }
        if stride > 1 {
            slot = self.compiler.push(&format!("{name}.pool"), layer(AveragePool::new(pool)), vec![slot]);
        }
        if to_channels > channels {
            let placement = Placement { width: channels, columns: 0..channels, to: 0 };
            let widened = Embed::new(to_height * to_width, to_channels, vec![placement]);
            slot = self.compiler.push(&format!("{name}.widen"), layer(widened), vec![slot]);
        }
        Ok(Place { slot, shape: to })
    }

    /// The values so far and after them the side values of the sample.
    fn join_side(&mut self, name: &str, place: Place) -> Place {
        let input = self.specification.input;
        let side = input.side();
        let values = Embed::slice(input.len(), input.len() - side..input.len());
        let slot = self.compiler.push(&format!("{name}.side"), layer(values), vec![0]);
        let lengths = [place.shape.len(), side];
        let slot = self.compiler.push(name, layer(Embed::concatenation(&lengths)), vec![place.slot, slot]);
        Place { slot, shape: Shape::Vector(lengths[0] + lengths[1]) }
    }

    fn dense(&self, dense: &DenseSpecification, inputs: usize, start: WeightStart) -> Dense {
        let scaling = self.scaling(inputs as f64, dense.units as f64, start);
        let distribution = start.distribution(dense.distribution, scaling.deviation);
        let layer = Dense::new(inputs, dense.units, dense.multiplier.unwrap_or(scaling.weight), distribution);
        if dense.bias { layer.with_bias(scaling.bias, scaling.bias_distribution) } else { layer }
    }

    fn convolution(&self, convolution: &ConvolutionSpecification, window: Window, start: WeightStart) -> Convolution {
        let taps = (window.kernel().0 * window.kernel().1) as f64;
        let scaling = self.scaling(window.len() as f64, convolution.channels as f64 * taps, start);
        let distribution = start.distribution(convolution.distribution, scaling.deviation);
        let layer = Convolution::new(window, convolution.channels, scaling.weight, distribution);
        if convolution.bias { layer.with_bias(scaling.bias, scaling.bias_distribution) } else { layer }
    }

    fn scaling(&self, fan_in: f64, fan_out: f64, start: WeightStart) -> Scaling {
        match self.specification.parameterization {
            Parameterization::Standard => {
                let variance = match self.specification.initialization.scheme {
                    Scheme::Auto if start.rectified => 2.0 / fan_in,
                    Scheme::Auto | Scheme::LeCun => 1.0 / fan_in,
                    Scheme::He => 2.0 / fan_in,
                    Scheme::Xavier => 2.0 / (fan_in + fan_out),
                };
                let bias_distribution = Distribution::Zeros;
                Scaling { weight: 1.0, deviation: variance.sqrt(), bias: 1.0, bias_distribution }
            }
            Parameterization::Ntk { weight_variance, bias_variance } => Scaling {
                weight: (weight_variance / fan_in).sqrt(),
                deviation: 1.0,
                bias: bias_variance.sqrt(),
                bias_distribution: Distribution::Normal(1.0),
            },
        }
    }
}

/// What the initial weights depend on.
#[derive(Clone, Copy)]
struct WeightStart {
    rectified: bool,
    zero: bool,
}

impl WeightStart {
    fn distribution(self, own: Option<Distribution>, deviation: f64) -> Distribution {
        if self.zero { Distribution::Zeros } else { own.unwrap_or(Distribution::Normal(deviation)) }
    }
}

/// Factors on weight and bias, and how they start.
struct Scaling {
    weight: f64,
    deviation: f64,
    bias: f64,
    bias_distribution: Distribution,
}

fn pixels(name: &str, shape: Shape) -> Result<(usize, usize, usize)> {
    match shape {
        Shape::Image { height, width, channels, side: 0 } => Ok((height, width, channels)),
        _ => Err(fault(name, &format!("needs an image, not {shape}"))),
    }
}

fn window(name: &str, shape: Shape, kernel: (usize, usize), stride: usize, padding: usize) -> Result<Window> {
    Window::new(pixels(name, shape)?, kernel, stride, padding).ok_or_else(|| {
        let (rows, columns) = kernel;
        let what = format!("a window of {rows}×{columns}, stride {stride}, border {padding} does not fit {shape}");
        fault(name, &what)
    })
}

fn image(window: Window, channels: usize) -> Shape {
    let (height, width) = window.output();
    Shape::Image { height, width, channels, side: 0 }
}

//! The layers of an infinitely wide network, read from the specification of a finite one.

use crate::error::{Error, Result, check_not_negative};
use crate::model::{
    Activation, DenseSpecification, Distribution, LayerSpecification, Parameterization, Shortcut, Specification,
};

/// A layer of an infinitely wide network.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum InfiniteLayer {
    /// z = σ_w/√fan-in · W a + σ_b·b.
    Dense(DenseVariances),
    /// φ, number by number.
    Activation(Activation),
    /// x + layers(x). The branch has to end in a dense layer, so that its result is independent of x.
    Residual(Vec<InfiniteLayer>),
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
    let (layers, _) = reader.layers("layers", &specification.layers, zero, specification.input.len())?;
    let unknown = specification.span_weights.keys().find(|name| !reader.spans.iter().any(|span| span == bare(name)));
    match unknown {
        Some(name) => Err(fault(name, &format!("no span has this name; there are {}", reader.spans.join(", ")))),
        None => Ok(layers),
    }
}

/// The name of a span without the mark of its copy in a symmetric network.
fn bare(name: &str) -> &str {
    name.strip_prefix("a.").or_else(|| name.strip_prefix("b.")).unwrap_or(name)
}

pub(super) fn fault(text: &str, reason: &str) -> Error {
    Error::Specification { text: text.to_owned(), reason: reason.to_owned() }
}

const STANDARD: &str = "has no tangent kernel of infinite width in the standard parameterisation: choose the NTK \
                        parameterisation, or set multiplier and distribution of its weight and leave out its bias";

struct Reader<'a> {
    specification: &'a Specification,
    /// Names of the spans seen.
    spans: Vec<String>,
}

impl Reader<'_> {
    /// Layers named `path`.0, `path`.1, … after `width` values; returns the number of values after them.
    fn layers(
        &mut self,
        path: &str,
        layers: &[LayerSpecification],
        zero: Option<usize>,
        mut width: usize,
    ) -> Result<(Vec<InfiniteLayer>, usize)> {
        let mut read = Vec::with_capacity(layers.len());
        for (at, layer) in layers.iter().enumerate() {
            let name = format!("{path}.{at}");
            read.push(match layer {
                LayerSpecification::Activation(activation) => InfiniteLayer::Activation(*activation),
                LayerSpecification::Dense(dense) => {
                    let variances = self.dense(&name, dense, width as f64, zero == Some(at))?;
                    width = dense.units;
                    InfiniteLayer::Dense(variances)
                }
                LayerSpecification::Residual { layers, shortcut: Shortcut::Identity } => {
                    let before = width;
                    let (branch, after) = self.layers(&format!("{name}.layers"), layers, None, width)?;
                    if after != before {
                        let reason = format!("the branch puts out {after} values, the shortcut {before}");
                        return Err(fault(&name, &reason));
                    }
                    InfiniteLayer::Residual(branch)
                }
                _ => {
                    return Err(fault(
                        &name,
                        "has no kernel of infinite width here: dense layers, functions, branches do",
                    ));
                }
            });
        }
        Ok((read, width))
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

//! A specification compiled into a list of nodes: node i reads earlier slots and writes slot i + 1; slot 0 is the
//! input, the last slot the output.

use std::sync::Arc;

use super::layer::{Combine, Dense, LinearUse, Stage};
use super::parameters::{Distribution, Span, Start};
use super::specification::{DenseSpecification, LayerSpecification, Parameterization, Scheme, Specification};
use crate::error::{Error, Result};
use crate::scalar::Scalar;

/// A stage at its place in the network.
#[derive(Debug)]
pub(crate) struct Node<T> {
    pub(crate) name: String,
    pub(crate) stage: Stage<T>,
    /// Slots that it reads.
    pub(crate) inputs: Vec<usize>,
    /// Indices of its spans.
    pub(crate) spans: std::ops::Range<usize>,
    /// Its part of θ.
    pub(crate) theta: std::ops::Range<usize>,
}

/// Stages in the order in which they run.
#[derive(Debug)]
pub(crate) struct Network<T> {
    pub(crate) nodes: Vec<Node<T>>,
    /// Values per sample of each slot.
    pub(crate) slots: Vec<usize>,
    /// The slot in whose memory the delta of each slot lives: a pointwise node turns the delta of its output into
    /// that of its input in place, unless another node reads that input too.
    pub(crate) homes: Vec<usize>,
    pub(crate) parameters: usize,
}

impl<T: Scalar> Network<T> {
    pub(crate) fn outputs(&self) -> usize {
        self.slots[self.slots.len() - 1]
    }

    pub(crate) fn inputs(&self) -> usize {
        self.slots[0]
    }

    /// Multiplications of one forward pass of one sample, about.
    pub(crate) fn cost(&self) -> f64 {
        self.parameters as f64
    }

    /// Nodes with parameters and how they use them.
    pub(crate) fn linear_nodes(&self) -> impl Iterator<Item = (usize, &Node<T>, LinearUse)> {
        self.nodes.iter().enumerate().filter_map(|(at, node)| match &node.stage {
            Stage::Layer(layer) => layer.linear_use().map(|linear| (at, node, linear)),
            Stage::Pointwise(_) => None,
        })
    }
}

/// Collects nodes and spans.
pub(crate) struct Compiler<T> {
    nodes: Vec<Node<T>>,
    slots: Vec<usize>,
    spans: Vec<Span>,
    parameters: usize,
}

impl<T: Scalar> Compiler<T> {
    pub(crate) fn new(inputs: usize) -> Self {
        Self { nodes: Vec::new(), slots: vec![inputs], spans: Vec::new(), parameters: 0 }
    }

    /// The slot that was written last.
    pub(crate) fn last(&self) -> usize {
        self.slots.len() - 1
    }

    /// Appends a stage that reads `inputs`, and returns the slot it writes.
    pub(crate) fn push(&mut self, name: &str, stage: Stage<T>, inputs: Vec<usize>) -> usize {
        let (length, requests) = match &stage {
            Stage::Pointwise(_) => (self.slots[inputs[0]], Vec::new()),
            Stage::Layer(layer) => (layer.output_len(), layer.parameters()),
        };
        let (first_span, first_parameter) = (self.spans.len(), self.parameters);
        for request in requests {
            let span = Span {
                name: format!("{name}.{}", request.name),
                offset: self.parameters,
                shape: request.shape,
                weight: 1.0,
                start: Start::Draw(request.distribution),
            };
            self.parameters += span.len();
            self.spans.push(span);
        }
        self.slots.push(length);
        self.nodes.push(Node {
            name: name.to_owned(),
            stage,
            inputs,
            spans: first_span..self.spans.len(),
            theta: first_parameter..self.parameters,
        });
        self.last()
    }

    pub(crate) fn finish(self) -> (Network<T>, Vec<Span>) {
        let mut readers = vec![0_usize; self.slots.len()];
        for node in &self.nodes {
            for &slot in &node.inputs {
                readers[slot] += 1;
            }
        }
        let mut homes: Vec<usize> = (0..self.slots.len()).collect();
        for (at, node) in self.nodes.iter().enumerate() {
            let input = node.inputs[0];
            if matches!(node.stage, Stage::Pointwise(_)) && readers[input] == 1 {
                homes[at + 1] = homes[input];
            }
        }
        let network = Network { nodes: self.nodes, slots: self.slots, homes, parameters: self.parameters };
        (network, self.spans)
    }
}

/// Builds the network of a specification.
pub(crate) fn compile<T: Scalar>(specification: &Specification) -> Result<(Network<T>, Vec<Span>)> {
    check(specification)?;
    let mut compiler = Compiler::new(specification.input.len());
    let mut output = 0;
    if specification.symmetric {
        let first = stack(&mut compiler, specification, "a.")?;
        let spans_of_first = compiler.spans.len();
        let second = stack(&mut compiler, specification, "b.")?;
        for twin in 0..spans_of_first {
            compiler.spans[spans_of_first + twin].start = Start::CopyOf(compiler.spans[twin].offset);
        }
        let half = 0.5_f64.sqrt() * specification.output_scale;
        let difference = Combine::new(compiler.slots[second], vec![half, -half]);
        compiler.push("difference", Stage::Layer(Arc::new(difference)), vec![first, second]);
    } else {
        output = stack(&mut compiler, specification, "")?.max(output);
        if specification.output_scale != 1.0 {
            let scale = Combine::new(compiler.slots[output], vec![specification.output_scale]);
            compiler.push("scale", Stage::Layer(Arc::new(scale)), vec![output]);
        }
    }
    let (network, mut spans) = compiler.finish();
    for (name, &weight) in &specification.span_weights {
        let mut found = false;
        for span in &mut spans {
            let bare = span.name.strip_prefix("a.").or_else(|| span.name.strip_prefix("b.")).unwrap_or(&span.name);
            if span.name == *name || bare == name {
                span.weight = weight;
                found = true;
            }
        }
        if !found || !weight.is_finite() || weight < 0.0 {
            let names: Vec<_> = spans.iter().map(|span| span.name.as_str()).collect();
            return Err(Error::Specification {
                text: format!("span weight {name} = {weight}"),
                reason: format!("weights are ≥ 0, spans are {}", names.join(", ")),
            });
        }
    }
    Ok((network, spans))
}

fn check(specification: &Specification) -> Result<()> {
    let fault = |text: &str, reason: &str| Error::Specification { text: text.to_owned(), reason: reason.to_owned() };
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
    let last_dense = specification.layers.iter().rposition(|layer| matches!(layer, LayerSpecification::Dense(_)));
    let mut slot = 0;
    for (at, layer) in specification.layers.iter().enumerate() {
        let name = format!("{prefix}layers.{at}");
        let length = compiler.slots[slot];
        let stage = match layer {
            LayerSpecification::Activation(activation) => Stage::Pointwise(Arc::new(*activation)),
            LayerSpecification::Dense(dense) => {
                if dense.units == 0 {
                    let reason = "a dense layer needs at least one unit".to_owned();
                    return Err(Error::Specification { text: name, reason });
                }
                let rectified = matches!(
                    specification.layers.get(at + 1),
                    Some(LayerSpecification::Activation(activation)) if activation.is_rectifier()
                );
                let zero = specification.initialization.zero_last && last_dense == Some(at);
                Stage::Layer(Arc::new(self::dense(specification, dense, length, rectified, zero)))
            }
        };
        slot = compiler.push(&name, stage, vec![slot]);
    }
    Ok(slot)
}

fn dense(
    specification: &Specification,
    dense: &DenseSpecification,
    inputs: usize,
    rectified: bool,
    zero: bool,
) -> Dense {
    let (fan_in, fan_out) = (inputs as f64, dense.units as f64);
    let (scale, deviation, bias_scale, bias_distribution) = match specification.parameterization {
        Parameterization::Standard => {
            let variance = match specification.initialization.scheme {
                Scheme::Auto if rectified => 2.0 / fan_in,
                Scheme::Auto | Scheme::LeCun => 1.0 / fan_in,
                Scheme::He => 2.0 / fan_in,
                Scheme::Xavier => 2.0 / (fan_in + fan_out),
            };
            (1.0, variance.sqrt(), 1.0, Distribution::Zeros)
        }
        Parameterization::Ntk { weight_variance, bias_variance } => {
            ((weight_variance / fan_in).sqrt(), 1.0, bias_variance.sqrt(), Distribution::Normal(1.0))
        }
    };
    let drawn = dense.distribution.unwrap_or(Distribution::Normal(deviation));
    let distribution = if zero { Distribution::Zeros } else { drawn };
    let layer = Dense::new(inputs, dense.units, dense.multiplier.unwrap_or(scale), distribution);
    if dense.bias { layer.with_bias(bias_scale, bias_distribution) } else { layer }
}

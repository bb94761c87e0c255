//! A network as a list of nodes: node i reads earlier slots and writes slot i + 1; slot 0 is the input, the last slot
//! the output.

use std::sync::Arc;

use super::layer::{Layer, ParameterUse, Stage};
use super::parameters::{Span, Start};
use crate::device::Pool;
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

impl<T: Scalar> Node<T> {
    /// Numbers of a gradient that is written out: of a weight without its bias, else of all parameters.
    pub(crate) fn gradient_length(&self) -> usize {
        match self.stage.layer().and_then(Layer::parameter_use) {
            Some(ParameterUse::Linear(linear)) => linear.inputs * linear.outputs,
            _ => self.theta.len(),
        }
    }
}

/// Stages in the order in which they run.
#[derive(Debug)]
pub(crate) struct Network<T> {
    pub(crate) nodes: Vec<Node<T>>,
    /// Values per sample of each slot.
    pub(crate) slots: Vec<usize>,
    /// The slot in whose memory the delta of each slot lives: a pointwise node turns the delta of its output into
    /// that of its input in place, and an additive layer and a sum leave it as it is.
    pub(crate) homes: Vec<usize>,
    /// The slot in whose memory the values of each slot live: what nobody needs any more makes room in its place.
    pub(crate) value_homes: Vec<usize>,
    /// Slots whose values are made again where they are needed: what an additive layer makes for the weight right behind it.
    pub(crate) remade: Vec<bool>,
    pub(crate) parameters: usize,
    /// Multiplications of one forward pass of one sample, about.
    pub(crate) cost: f64,
    /// Memory of tiles and of what they leave behind.
    pub(crate) memory: Arc<Pool<T>>,
}

impl<T: Scalar> Network<T> {
    pub(crate) fn outputs(&self) -> usize {
        self.slots[self.slots.len() - 1]
    }

    pub(crate) fn inputs(&self) -> usize {
        self.slots[0]
    }

    /// Numbers that a walk with `cotangents` cotangents a sample leaves behind for each sample: the outputs, and of nodes with
    /// parameters their inputs, each slot once, and deltas, or written-out gradients.
    pub(crate) fn trace_length(&self, cotangents: usize) -> usize {
        let mut read = vec![false; self.slots.len()];
        let mut length = self.outputs();
        for (at, node, parameters) in self.parametric_nodes() {
            if parameters == ParameterUse::Explicit {
                length += cotangents * node.theta.len();
                continue;
            }
            let from = node.inputs[0];
            if from > 0 && !std::mem::replace(&mut read[from], true) {
                length += self.slots[from];
            }
            length += cotangents * self.slots[at + 1];
        }
        length
    }

    /// Nodes with parameters, and how they use them.
    pub(crate) fn parametric_nodes(&self) -> impl Iterator<Item = (usize, &Node<T>, ParameterUse)> {
        let parameters = |node: &Node<T>| node.stage.layer()?.parameter_use();
        self.nodes.iter().enumerate().filter_map(move |(at, node)| Some((at, node, parameters(node)?)))
    }
}

/// Collects nodes and spans.
pub(super) struct Compiler<T> {
    nodes: Vec<Node<T>>,
    pub(super) slots: Vec<usize>,
    pub(super) spans: Vec<Span>,
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
        let length = stage.output_len(self.slots[inputs[0]]);
        let requests = stage.layer().map_or_else(Vec::new, Layer::parameters);
        let (first_span, first_parameter) = (self.spans.len(), self.parameters);
        for request in requests {
            let span = Span {
                name: format!("{name}.{}", request.name),
                offset: self.parameters,
                shape: request.shape,
                weight: 1.0,
                start: Start::Draw(request.distribution),
            };
            self.parameters = self.parameters.saturating_add(span.len());
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
        let homes = homes(&self.nodes, self.slots.len());
        let value_homes = value_homes(&self.nodes, self.slots.len());
        let remade = remade(&self.nodes, &value_homes);
        let cost = self.nodes.iter().map(|node| node.stage.cost()).sum::<usize>() as f64;
        let network = Network {
            nodes: self.nodes,
            slots: self.slots,
            homes,
            value_homes,
            remade,
            parameters: self.parameters,
            cost,
            memory: Arc::default(),
        };
        (network, self.spans)
    }
}

/// The home of every slot's values. A node works in place if nothing else reads its input, unless that is the value of a function
/// that itself took the place of its argument and has to find its slope there. The input and the output stay as they are.
fn value_homes<T: Scalar>(nodes: &[Node<T>], slots: usize) -> Vec<usize> {
    let mut readers = vec![0_usize; slots];
    nodes.iter().flat_map(|node| &node.inputs).for_each(|&slot| readers[slot] += 1);
    let (mut homes, mut is_slope): (Vec<usize>, _) = ((0..slots).collect(), vec![false; slots]);
    for (at, node) in nodes.iter().enumerate().take(slots.saturating_sub(2)) {
        let first = node.inputs[0];
        let (in_place, slope) = match &node.stage {
            Stage::Pointwise(function) => (function.slope_is_of_value(), true),
            Stage::Layer(layer) => (layer.works_in_place(), false),
            Stage::Nonlinear(_) => (false, false),
        };
        if in_place && first > 0 && readers[first] == 1 && !is_slope[first] {
            (homes[at + 1], is_slope[at + 1]) = (homes[first], slope);
        }
    }
    homes
}

/// Which slots are made again. Their inputs stay as they are: a node works in place on what it alone reads.
fn remade<T: Scalar>(nodes: &[Node<T>], homes: &[usize]) -> Vec<bool> {
    let mut remade = vec![false; homes.len()];
    for (at, pair) in nodes.windows(2).enumerate() {
        let slot = at + 1;
        let readers = nodes.iter().flat_map(|node| &node.inputs).filter(|&&input| input == slot).count();
        let is_additive = pair[0].stage.layer().is_some_and(Layer::is_additive);
        let for_weight = pair[1].inputs == [slot] && pair[1].stage.is_convolution();
        remade[slot] = homes[slot] == slot && readers == 1 && is_additive && for_weight;
    }
    remade
}

/// The home of every slot. A node that passes the delta on, or changes it number by number, leaves it where it is if no other
/// node reads its input; a sum also if all others come before it: going backwards they add to what it passed on.
fn homes<T: Scalar>(nodes: &[Node<T>], slots: usize) -> Vec<usize> {
    let (mut readers, mut last_reader) = (vec![0_usize; slots], vec![0; slots]);
    for (at, node) in nodes.iter().enumerate() {
        for &slot in &node.inputs {
            readers[slot] += 1;
            last_reader[slot] = at;
        }
    }
    let mut homes: Vec<usize> = (0..slots).collect();
    for (at, node) in nodes.iter().enumerate() {
        // The network's own input may have no deltas, and parameters behind it need them.
        let shared = node.inputs.iter().enumerate().find(|&(which, &input)| match &node.stage {
            Stage::Pointwise(_) => readers[input] == 1,
            Stage::Layer(layer) if layer.is_additive() => input > 0 && readers[input] == 1,
            Stage::Layer(layer) => {
                let once = node.inputs.iter().filter(|&&slot| slot == input).count() == 1;
                input > 0 && once && last_reader[input] == at && layer.passes_delta(which)
            }
            Stage::Nonlinear(_) => false,
        });
        if let Some((_, &input)) = shared {
            homes[at + 1] = homes[input];
        }
    }
    homes
}

//! The memory of a walk: what outlives it, for the whole batch, and each tile's share of that.

use std::ops::Range;
use std::sync::Arc;

use crate::device::{Buffer, TileMut, carve};
use crate::model::layer::ParameterUse;
use crate::model::network::Network;
use crate::scalar::Scalar;

/// What a walk leaves behind.
pub(crate) struct Trace<T> {
    /// f, n×k.
    pub(crate) outputs: Buffer<T>,
    /// What every node with parameters leaves, in order.
    pub(crate) parts: Vec<TracePart<T>>,
    /// ∂⟨cotangent, f⟩/∂x, n·q×d.
    pub(crate) input_deltas: Option<Buffer<T>>,
}

/// What a node with parameters leaves behind.
pub(crate) enum TracePart<T> {
    /// The inputs A_l (n×input) and the deltas D_l (n·q×output) of a weight.
    Linear { activations: Arc<Buffer<T>>, deltas: Buffer<T> },
    /// The gradients themselves, n·q×p_l.
    Explicit(Buffer<T>),
    /// Those of a weight and of its bias without their factors, where they are trained: of every sample and cotangent, or
    /// summed over each tile.
    Written { weight: Option<Buffer<T>>, bias: Option<Buffer<T>> },
}

/// Which convolutions leave gradients in place of activations and deltas, which then need no memory beyond their tile.
pub(crate) struct Writing {
    /// By node; `None` leaves activations and deltas.
    pub(crate) nodes: Vec<Option<Trained>>,
    /// Whether they are summed over each tile.
    pub(crate) summed: bool,
}

/// Which parameters of a node are trained.
#[derive(Clone, Copy)]
pub(crate) struct Trained {
    pub(crate) weight: bool,
    pub(crate) bias: bool,
}

/// Where gradients are written out, by node.
pub(super) struct Gradients<'g, 'm, T> {
    pub(super) rows: &'g mut [Option<TileMut<'m, T>>],
    pub(super) biases: &'g mut [Option<TileMut<'m, T>>],
}

impl<T: Scalar> Gradients<'_, '_, T> {
    /// Whether a node's are summed over a tile of `rows` deltas.
    pub(super) fn are_sums(&self, at: usize, rows: usize) -> bool {
        let mut written = [self.rows.get(at), self.biases.get(at)].into_iter().flatten().flatten();
        written.any(|out| out.rows() != rows)
    }
}

/// The samples of one tile, and its share of what outlives the walk.
pub(super) struct TileWork<'a, T> {
    pub(super) samples: Range<usize>,
    /// Values of slot s at index s − 1, where they are kept.
    pub(super) values: Vec<Option<TileMut<'a, T>>>,
    /// Deltas by home slot, where they are kept.
    pub(super) deltas: Vec<Option<TileMut<'a, T>>>,
    /// Written-out gradients by node, where there are some, and those of biases beside.
    pub(super) gradients: Vec<Option<TileMut<'a, T>>>,
    pub(super) bias_gradients: Vec<Option<TileMut<'a, T>>>,
}

/// Memory that outlives a walk, for all samples.
pub(super) struct Kept<'n, T> {
    network: &'n Network<T>,
    samples: usize,
    /// q, cotangents a sample.
    cotangents: usize,
    /// Values by slot.
    values: Vec<Option<Buffer<T>>>,
    /// Deltas by slot.
    deltas: Vec<Option<Buffer<T>>>,
    /// Written-out gradients by node, and those of biases beside.
    gradients: Vec<Option<Buffer<T>>>,
    bias_gradients: Vec<Option<Buffer<T>>>,
    /// Nodes of which gradients are written out in place of activations and deltas.
    written: Vec<bool>,
    /// Whether those are summed over each tile.
    summed: bool,
}

impl<'n, T: Scalar> Kept<'n, T> {
    /// Room for the outputs alone.
    pub(super) fn outputs(network: &'n Network<T>, samples: usize, cotangents: usize) -> Self {
        let slots = network.slots.len();
        let mut kept = Self {
            network,
            samples,
            cotangents,
            values: (0..slots).map(|_| None).collect(),
            deltas: (0..slots).map(|_| None).collect(),
            gradients: network.nodes.iter().map(|_| None).collect(),
            bias_gradients: network.nodes.iter().map(|_| None).collect(),
            written: vec![false; network.nodes.len()],
            summed: false,
        };
        kept.values[slots - 1] = Some(kept.lent(samples, network.outputs()));
        kept
    }

    /// Room for what nodes with parameters are to leave of a number of tiles, too.
    pub(super) fn with_parts(mut self, writing: &Writing, tiles: usize) -> Self {
        let (network, rows) = (self.network, self.samples * self.cotangents);
        self.summed = writing.summed;
        for (at, node, parameters) in network.parametric_nodes() {
            let linear = match parameters {
                ParameterUse::Linear(linear) => linear,
                ParameterUse::Explicit => {
                    self.gradients[at] = Some(self.lent(rows, node.theta.len()));
                    continue;
                }
            };
            if let Some(trained) = writing.nodes[at] {
                let rows = if self.summed { tiles } else { rows };
                self.written[at] = true;
                self.gradients[at] = trained.weight.then(|| self.lent(rows, linear.inputs * linear.outputs));
                self.bias_gradients[at] = trained.bias.then(|| self.lent(rows, linear.outputs));
                continue;
            }
            let (from, to) = (network.value_homes[node.inputs[0]], at + 1);
            if from > 0 && self.values[from].is_none() {
                self.values[from] = Some(self.lent(self.samples, network.slots[from]));
            }
            self.deltas[to] = Some(self.lent(rows, network.slots[to]));
        }
        self
    }

    /// Room for the deltas of the input, too.
    pub(super) fn with_input(mut self) -> Self {
        self.deltas[0] = Some(self.lent(self.samples * self.cotangents, self.network.inputs()));
        self
    }

    fn lent(&self, rows: usize, columns: usize) -> Buffer<T> {
        Buffer::lent(&self.network.memory, rows * columns)
    }

    /// Tiles of `rows` samples, each with its rows of everything.
    pub(super) fn tiles(&mut self, rows: usize) -> Vec<TileWork<'_, T>> {
        let (network, samples, delta_rows) = (self.network, self.samples, rows * self.cotangents);
        let mut works: Vec<_> = (0..samples.div_ceil(rows))
            .map(|tile| TileWork {
                samples: tile * rows..((tile + 1) * rows).min(samples),
                values: network.nodes.iter().map(|_| None).collect(),
                deltas: network.slots.iter().map(|_| None).collect(),
                gradients: network.nodes.iter().map(|_| None).collect(),
                bias_gradients: network.nodes.iter().map(|_| None).collect(),
            })
            .collect();
        for (slot, buffer) in present(&mut self.values) {
            attach(&mut works, buffer, rows, network.slots[slot], |work| &mut work.values[slot - 1]);
        }
        for (slot, buffer) in present(&mut self.deltas) {
            attach(&mut works, buffer, delta_rows, network.slots[slot], |work| &mut work.deltas[slot]);
        }
        for (at, buffer) in present(&mut self.gradients) {
            let rows = if self.summed && self.written[at] { 1 } else { delta_rows };
            let columns = network.nodes[at].gradient_length();
            attach(&mut works, buffer, rows, columns, |work| &mut work.gradients[at]);
        }
        for (at, buffer) in present(&mut self.bias_gradients) {
            let rows = if self.summed { 1 } else { delta_rows };
            let columns = network.nodes[at].theta.len() - network.nodes[at].gradient_length();
            attach(&mut works, buffer, rows, columns, |work| &mut work.bias_gradients[at]);
        }
        works
    }

    /// The outputs alone.
    pub(super) fn into_outputs(mut self) -> Buffer<T> {
        self.values.pop().flatten().unwrap_or_else(|| Buffer::zeros(0))
    }

    /// What the walk leaves behind; `x` is the input, which is the A_l of the layers that read it.
    pub(super) fn into_trace(mut self, x: &Arc<Buffer<T>>) -> Trace<T> {
        let values: Vec<_> = self.values.into_iter().map(|kept| kept.map(Arc::new)).collect();
        let mut parts = Vec::new();
        for (at, node, _) in self.network.parametric_nodes() {
            if self.written[at] {
                let (weight, bias) = (self.gradients[at].take(), self.bias_gradients[at].take());
                parts.push(TracePart::Written { weight, bias });
            } else if let Some(gradients) = self.gradients[at].take() {
                parts.push(TracePart::Explicit(gradients));
            } else if let Some(deltas) = self.deltas[at + 1].take() {
                let activations = values[self.network.value_homes[node.inputs[0]]].clone().unwrap_or_else(|| x.clone());
                parts.push(TracePart::Linear { activations, deltas });
            }
        }
        let outputs = values.last().and_then(Option::as_deref).cloned().unwrap_or_else(|| Buffer::zeros(0));
        Trace { outputs, parts, input_deltas: self.deltas[0].take() }
    }
}

/// Kept memory where there is some; elsewhere scratch memory of this number of rows, or nothing where `wanted` says so.
pub(super) fn join<'c, 'm: 'c, T: Scalar>(
    kept: &'c mut [Option<TileMut<'_, T>>],
    lengths: &[usize],
    rows: usize,
    memory: &mut &'m mut [T],
    wanted: impl Fn(usize) -> bool,
) -> Vec<Option<TileMut<'c, T>>> {
    let place = |(at, (kept, &length)): (usize, (&'c mut Option<TileMut<'_, T>>, &usize))| match kept {
        Some(kept) => Some(kept.reborrow()),
        None => wanted(at).then(|| carve(memory, rows, length)),
    };
    kept.iter_mut().zip(lengths).enumerate().map(place).collect()
}

/// The buffers that are there, with their places.
fn present<T>(buffers: &mut [Option<Buffer<T>>]) -> impl Iterator<Item = (usize, &mut Buffer<T>)> {
    buffers.iter_mut().enumerate().filter_map(|(at, buffer)| Some((at, buffer.as_mut()?)))
}

/// Gives every tile its rows of a whole-batch buffer.
fn attach<'b, T: Scalar>(
    works: &mut [TileWork<'b, T>],
    buffer: &'b mut Buffer<T>,
    rows: usize,
    columns: usize,
    place: impl for<'c> Fn(&'c mut TileWork<'b, T>) -> &'c mut Option<TileMut<'b, T>>,
) {
    for (work, block) in works.iter_mut().zip(buffer.row_blocks(rows, columns)) {
        *place(work) = Some(block);
    }
}

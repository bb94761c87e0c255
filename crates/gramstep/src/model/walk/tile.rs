//! One tile of samples through the nodes of a network, forwards and backwards.

use std::ops::Range;

use super::Walker;
use super::deltas::Deltas;
use super::memory::Gradients;
use super::values::Values;
use crate::device::{Buffer, Operations, Order, Tile, TileMut, Window, WriteMode};
use crate::model::layer::{Call, LinearUse, ParameterUse, Stage};
use crate::model::network::{Network, Node};
use crate::scalar::Scalar;

/// Bytes of the widest slot that a run of nodes works on at a time: what one node writes the next one finds in the second-level
/// cache.
const STRIP_BYTES: usize = 1 << 18;

impl<T: Scalar> Walker<'_, T> {
    /// Values of slots 1, 2, … of a tile.
    pub(super) fn forward_tile(&self, operations: &dyn Operations<T>, x: Tile<'_, T>, values: &mut Values<'_, T>) {
        let nodes = &self.network.nodes;
        // A run begins with a weight, or with what is made for it alone.
        let begins = |at: usize| {
            values.is_remade(at + 1)
                || (nodes[at].stage.has_weight() && !nodes[at].inputs.iter().any(|&slot| values.is_remade(slot)))
        };
        let begins: Vec<_> = (0..nodes.len()).map(begins).collect();
        let mut first = 0;
        while first < nodes.len() {
            let end = (first + 1..nodes.len()).find(|&at| begins[at]).unwrap_or(nodes.len());
            for samples in self.strips(first..end, x.rows(), 1) {
                (first..end).for_each(|at| self.forward_node(operations, at, x, &samples, values));
            }
            first = end;
        }
    }

    /// The values of a node's output for some samples of a tile.
    fn forward_node(
        &self,
        operations: &dyn Operations<T>,
        at: usize,
        x: Tile<'_, T>,
        samples: &Range<usize>,
        values: &mut Values<'_, T>,
    ) {
        let node = &self.network.nodes[at];
        let in_place = values.takes_place(at + 1);
        values.with(at + 1, samples, |out, values| {
            let read = |slots: &[usize]| slots.iter().map(|&slot| values.read(slot, x, samples)).collect::<Vec<_>>();
            match &node.stage {
                Stage::Pointwise(function) if in_place => operations.pointwise_in_place(&**function, out),
                Stage::Pointwise(function) => {
                    operations.pointwise(&**function, Order::Value, read(&node.inputs)[0], out);
                }
                Stage::Nonlinear(function) => function.value(operations, read(&node.inputs)[0], out),
                Stage::Layer(layer) if in_place => {
                    layer.forward_in_place(&call(operations, node, self.theta), out, &read(&node.inputs[1..]));
                }
                Stage::Layer(layer) => {
                    let call = call(operations, node, self.theta);
                    layer.forward(&call, &read(&node.inputs), out, true, WriteMode::Replace);
                }
            }
        });
    }

    /// Deltas by home slot, from that of the output, which is there already; written-out gradients where there is room.
    pub(super) fn backward_tile(
        &self,
        operations: &dyn Operations<T>,
        x: Tile<'_, T>,
        values: &mut Values<'_, T>,
        deltas: &mut Deltas<'_, T>,
        gradients: &mut Gradients<'_, '_, T>,
    ) {
        let nodes = &self.network.nodes;
        let cotangents = deltas.rows() / x.rows().max(1);
        let mut end = nodes.len();
        while end > 0 {
            // From a weight down to the next one; what sums over the tile is done before.
            let first = (1..end).rev().find(|&at| nodes[at - 1].stage.has_weight()).unwrap_or(0);
            let sums = gradients.are_sums(end - 1, deltas.rows());
            let lost = nodes[end - 1].inputs[0];
            let lost = values.is_remade(lost).then(|| lost - 1);
            if sums {
                if let Some(at) = lost {
                    self.forward_node(operations, at, x, &(0..x.rows()), values);
                }
                self.gradients_of_node(operations, end - 1, x, &(0..x.rows()), values, deltas, gradients);
            }
            let strips = self.strips(first..end, x.rows(), cotangents);
            let strips = strips.map(|samples| samples.start * cotangents..samples.end * cotangents);
            deltas.by_strips(strips, |deltas, rows| {
                let samples = rows.start / cotangents..rows.end / cotangents;
                if let Some(at) = lost.filter(|_| !sums) {
                    self.forward_node(operations, at, x, &samples, values);
                }
                for at in (first..end).rev() {
                    if !(sums && at == end - 1) {
                        self.gradients_of_node(operations, at, x, &samples, values, deltas, gradients);
                    }
                    let inputs: Vec<_> = nodes[at].inputs.iter().map(|&slot| values.read(slot, x, &samples)).collect();
                    deltas.with(at + 1, |delta, deltas| self.backward_node(operations, at, &inputs, delta, deltas));
                }
            });
            end = first;
        }
    }

    /// The samples of a tile in pieces that a run of nodes takes one after the other. A run without a convolution
    /// keeps all of them: large products are better than near values.
    fn strips(
        &self,
        nodes: Range<usize>,
        samples: usize,
        cotangents: usize,
    ) -> impl Iterator<Item = Range<usize>> + use<T> {
        let Network { nodes: all, slots, .. } = self.network;
        let near = all[nodes.clone()].iter().any(|node| node.stage.is_convolution());
        let of_node = |at: usize| all[at].inputs.iter().map(|&slot| slots[slot]).chain([slots[at + 1]]);
        let widest = nodes.flat_map(of_node).max().unwrap_or(0) * cotangents;
        let fitting = STRIP_BYTES / (widest * size_of::<T>()).max(1);
        let strip = if near { fitting.max(1) } else { samples.max(1) };
        (0..samples).step_by(strip).map(move |start| start..(start + strip).min(samples))
    }

    /// The gradients of a node that are written out, of some samples of a tile.
    #[allow(clippy::too_many_arguments, reason = "what a node has before it and behind it, and where to write")]
    fn gradients_of_node(
        &self,
        operations: &dyn Operations<T>,
        at: usize,
        x: Tile<'_, T>,
        samples: &Range<usize>,
        values: &Values<'_, T>,
        deltas: &mut Deltas<'_, T>,
        gradients: &mut Gradients<'_, '_, T>,
    ) {
        let node = &self.network.nodes[at];
        let Stage::Layer(layer) = &node.stage else { return };
        let (all, strip) = (deltas.rows(), deltas.strip());
        let Some(delta) = deltas.as_it_is(at + 1) else { return };
        let delta = delta.as_tile();
        if let Some(out) = gradients.rows.get_mut(at).and_then(Option::as_mut) {
            let out = rows_of(out, all, &strip);
            let inputs: Vec<_> = node.inputs.iter().map(|&slot| values.read(slot, x, samples)).collect();
            match layer.parameter_use() {
                Some(ParameterUse::Linear(LinearUse { window: Some(window), .. })) => {
                    convolution_gradients(operations, &window, inputs[0], delta, out);
                }
                _ => layer.gradients(&call(operations, node, self.theta), &inputs, delta, out),
            }
        }
        if let Some(out) = gradients.biases.get_mut(at).and_then(Option::as_mut) {
            bias_gradients(operations, delta, rows_of(out, all, &strip));
        }
    }

    fn backward_node(
        &self,
        operations: &dyn Operations<T>,
        at: usize,
        inputs: &[Tile<'_, T>],
        delta: TileMut<'_, T>,
        deltas: &mut Deltas<'_, T>,
    ) {
        let node = &self.network.nodes[at];
        match &node.stage {
            Stage::Pointwise(function) if deltas.home(node.inputs[0]) == deltas.home(at + 1) => {
                operations.pointwise_backward(&**function, inputs[0], delta);
            }
            Stage::Pointwise(function) => {
                if let Some((into, mode)) = deltas.of(node.inputs[0]) {
                    let (rows, columns) = (delta.rows(), delta.columns());
                    let mut product = Buffer::copy(delta.as_tile());
                    operations.pointwise_backward(&**function, inputs[0], product.tile_mut(0, rows, columns));
                    let beta = if mode == WriteMode::Accumulate { T::ONE } else { T::ZERO };
                    operations.axpby(into, beta, T::ONE, product.tile(0, rows, columns));
                }
            }
            Stage::Nonlinear(function) => {
                if let Some((into, mode)) = deltas.of(node.inputs[0]) {
                    function.vjp(operations, inputs[0], delta.as_tile(), into, mode);
                }
            }
            Stage::Layer(layer) => {
                let call = call(operations, node, self.theta);
                for (which, &slot) in node.inputs.iter().enumerate() {
                    if let Some((into, mode)) = deltas.of(slot) {
                        layer.backward(&call, inputs, which, delta.as_tile(), into, mode);
                    }
                }
            }
        }
    }
}

/// The rows of a strip, or the one row that all rows are summed into.
fn rows_of<'o, T: Scalar>(out: &'o mut TileMut<'_, T>, rows: usize, strip: &Range<usize>) -> TileMut<'o, T> {
    let range = if out.rows() == rows { strip.clone() } else { 0..out.rows() };
    out.reborrow().row_block(range)
}

/// Σ_t δ_t ⊗ x_t of every delta, or summed over all of them where `out` has one row; without the weight's factor.
fn convolution_gradients<T: Scalar>(
    operations: &dyn Operations<T>,
    window: &Window,
    images: Tile<'_, T>,
    deltas: Tile<'_, T>,
    mut out: TileMut<'_, T>,
) {
    if out.rows() == deltas.rows() {
        operations.convolve_gradients(out, window, images, deltas);
    } else {
        out.fill(T::ZERO);
        operations.convolve_gradient_sum(out.reshape(window.len()), T::ONE, window, images, deltas);
    }
}

/// Σ_t δ_t of every delta, or summed over all of them where `out` has one row.
fn bias_gradients<T: Scalar>(operations: &dyn Operations<T>, deltas: Tile<'_, T>, mut out: TileMut<'_, T>) {
    let (rows, deltas) = (out.rows(), deltas.reshape(out.columns()));
    let each = deltas.rows() / rows.max(1);
    out.fill(T::ZERO);
    for row in 0..rows {
        operations.column_sums(out.row_mut(row), T::ONE, deltas.row_range(row * each..(row + 1) * each));
    }
}

/// A layer's view of the device and of its part of a parameter vector.
pub(super) fn call<'b, T: Scalar>(
    operations: &'b dyn Operations<T>,
    node: &Node<T>,
    theta: &'b Buffer<T>,
) -> Call<'b, T> {
    Call { operations, theta: theta.tile(node.theta.start, 1, node.theta.len()) }
}

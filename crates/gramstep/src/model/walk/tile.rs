//! One tile of samples through the nodes of a network, forwards and backwards.

use super::Walker;
use super::deltas::Deltas;
use super::memory::Gradients;
use crate::device::{Buffer, Operations, Order, Tile, TileMut, Window, WriteMode};
use crate::model::layer::{Call, LinearUse, ParameterUse, Stage};
use crate::model::network::Node;
use crate::scalar::Scalar;

impl<T: Scalar> Walker<'_, T> {
    /// Values of slots 1, 2, … of a tile.
    pub(super) fn forward_tile(&self, operations: &dyn Operations<T>, x: Tile<'_, T>, values: &mut [TileMut<'_, T>]) {
        for (at, node) in self.network.nodes.iter().enumerate() {
            let (earlier, rest) = values.split_at_mut(at);
            let out = rest[0].reborrow();
            let inputs = read(node, x, earlier);
            match &node.stage {
                Stage::Pointwise(function) => operations.pointwise(&**function, Order::Value, inputs[0], out),
                Stage::Nonlinear(function) => function.value(operations, inputs[0], out),
                Stage::Layer(layer) => {
                    layer.forward(&call(operations, node, self.theta), &inputs, out, true, WriteMode::Replace);
                }
            }
        }
    }

    /// Deltas by home slot, from that of the output, which is there already; written-out gradients where there is room.
    pub(super) fn backward_tile(
        &self,
        operations: &dyn Operations<T>,
        x: Tile<'_, T>,
        values: &[TileMut<'_, T>],
        deltas: &mut Deltas<'_, T>,
        gradients: &mut Gradients<'_, '_, T>,
    ) {
        for (at, node) in self.network.nodes.iter().enumerate().rev() {
            let inputs = read(node, x, values);
            deltas.with(at + 1, |delta, deltas| {
                let weight = gradients.rows.get_mut(at).and_then(Option::as_mut);
                let bias = gradients.biases.get_mut(at).and_then(Option::as_mut);
                self.backward_node(operations, at, &inputs, delta, deltas, (weight, bias));
            });
        }
    }

    fn backward_node(
        &self,
        operations: &dyn Operations<T>,
        at: usize,
        inputs: &[Tile<'_, T>],
        delta: TileMut<'_, T>,
        deltas: &mut Deltas<'_, T>,
        (weight, bias): (Option<&mut TileMut<'_, T>>, Option<&mut TileMut<'_, T>>),
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
                match (layer.parameter_use(), weight) {
                    (Some(ParameterUse::Linear(LinearUse { window: Some(window), .. })), Some(out)) => {
                        convolution_gradients(operations, &window, inputs[0], delta.as_tile(), out.reborrow());
                    }
                    (_, Some(out)) => layer.gradients(&call, inputs, delta.as_tile(), out.reborrow()),
                    (_, None) => {}
                }
                if let Some(out) = bias {
                    bias_gradients(operations, delta.as_tile(), out.reborrow());
                }
                for (which, &slot) in node.inputs.iter().enumerate() {
                    if let Some((into, mode)) = deltas.of(slot) {
                        layer.backward(&call, inputs, which, delta.as_tile(), into, mode);
                    }
                }
            }
        }
    }
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

/// The input tiles of a node.
fn read<'b, T: Scalar>(node: &Node<T>, x: Tile<'b, T>, values: &'b [TileMut<'_, T>]) -> Vec<Tile<'b, T>> {
    node.inputs.iter().map(|&slot| if slot == 0 { x } else { values[slot - 1].as_tile() }).collect()
}

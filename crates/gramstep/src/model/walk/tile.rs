//! One tile of samples through the nodes of a network, forwards and backwards.

use super::Walker;
use crate::device::{Buffer, Operations, Order, Tile, TileMut, WriteMode};
use crate::model::layer::{Call, Stage};
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
        deltas: &mut [Option<TileMut<'_, T>>],
        gradients: &mut [Option<TileMut<'_, T>>],
    ) {
        let homes = &self.network.homes;
        let mut deltas = Deltas { homes, written: vec![false; homes.len()], at: deltas };
        for (at, node) in self.network.nodes.iter().enumerate().rev() {
            // Taken out so that another home can be written meanwhile; put back below.
            let Some(mut delta) = deltas.at[homes[at + 1]].take() else { continue };
            let inputs = read(node, x, values);
            match &node.stage {
                Stage::Pointwise(function) if homes[node.inputs[0]] == homes[at + 1] => {
                    operations.pointwise_backward(&**function, inputs[0], delta.reborrow());
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
                    if let Some(out) = &mut gradients[at] {
                        layer.gradients(&call, &inputs, delta.as_tile(), out.reborrow());
                    }
                    for (which, &slot) in node.inputs.iter().enumerate() {
                        if let Some((into, mode)) = deltas.of(slot) {
                            layer.backward(&call, &inputs, which, delta.as_tile(), into, mode);
                        }
                    }
                }
            }
            deltas.at[homes[at + 1]] = Some(delta);
        }
    }
}

/// Deltas by home slot, and whether something was written there.
struct Deltas<'d, 'm, T> {
    homes: &'d [usize],
    written: Vec<bool>,
    at: &'d mut [Option<TileMut<'m, T>>],
}

impl<T: Scalar> Deltas<'_, '_, T> {
    /// The delta of a slot where it is wanted, to be written first and added to later.
    fn of(&mut self, slot: usize) -> Option<(TileMut<'_, T>, WriteMode)> {
        let home = self.homes[slot];
        let into = self.at[home].as_mut()?.reborrow();
        let written = std::mem::replace(&mut self.written[home], true);
        Some((into, if written { WriteMode::Accumulate } else { WriteMode::Replace }))
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

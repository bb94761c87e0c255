//! Forward differentiation along a direction of θ, and the gradient of its result with respect to the input.

use super::Walker;
use super::tile::call;
use crate::device::{Buffer, Operations, Order, Pointwise, Tile, TileMut, WriteMode};
use crate::model::layer::{Layer, Stage};
use crate::model::network::Node;
use crate::scalar::Scalar;

/// Values and tangents of slots 1, 2, ….
struct Pair<T> {
    values: Vec<Buffer<T>>,
    tangents: Vec<Buffer<T>>,
}

impl<T: Scalar> Walker<'_, T> {
    /// f(θ, x) and J v, both n×k, by one forward walk of values and their tangents.
    pub(crate) fn forward_tangent(
        &self,
        direction: &Buffer<T>,
        x: &Buffer<T>,
        samples: usize,
    ) -> (Buffer<T>, Buffer<T>) {
        let (last, outputs) = (self.network.slots.len() - 2, self.network.outputs());
        let mut values = Buffer::zeros(samples * outputs);
        let mut tangents = Buffer::zeros(samples * outputs);
        let rows = self.tile_rows(samples, 1);
        let works: Vec<_> =
            values.row_blocks(rows, outputs).into_iter().zip(tangents.row_blocks(rows, outputs)).collect();
        self.device.for_each(
            self.cost(samples),
            works.into_iter().enumerate().collect(),
            |operations, (at, (f, jv)): (usize, (TileMut<'_, T>, TileMut<'_, T>))| {
                let (start, tile) = (at * rows, f.rows());
                let pair = self.tangent_tile(operations, direction, self.input(x, &(start..start + tile)));
                operations.axpby(f, T::ZERO, T::ONE, pair.values[last].tile(0, tile, outputs));
                operations.axpby(jv, T::ZERO, T::ONE, pair.tangents[last].tile(0, tile, outputs));
            },
        );
        (values, tangents)
    }

    /// ∂⟨u_i, (J v)_i⟩/∂x_i for every sample, n×d. u: n×k.
    pub(crate) fn tangent_input_gradient(
        &self,
        direction: &Buffer<T>,
        x: &Buffer<T>,
        cotangents: &Buffer<T>,
        samples: usize,
    ) -> Buffer<T> {
        let (d, k) = (self.network.inputs(), self.network.outputs());
        let mut gradients = Buffer::zeros(samples * d);
        let rows = self.tile_rows(samples, 4);
        let works = gradients.row_blocks(rows, d).into_iter().enumerate().collect();
        self.device.for_each(self.cost(samples), works, |operations, (at, gradient): (usize, TileMut<'_, T>)| {
            let (start, tile) = (at * rows, gradient.rows());
            let x = self.input(x, &(start..start + tile));
            let adjoint = self.second_order_tile(operations, direction, x, cotangents.tile(start * k, tile, k));
            operations.axpby(gradient, T::ZERO, T::ONE, adjoint.tile(0, tile, d));
        });
        gradients
    }

    /// Values and tangents of all slots but the input's, for one tile.
    fn tangent_tile(&self, operations: &dyn Operations<T>, direction: &Buffer<T>, x: Tile<'_, T>) -> Pair<T> {
        let (tile, slots) = (x.rows(), &self.network.slots);
        // x itself stands still.
        let still = Buffer::zeros(tile * slots[0]);
        let mut pair = Pair { values: Vec::new(), tangents: Vec::new() };
        for (at, node) in self.network.nodes.iter().enumerate() {
            let width = slots[at + 1];
            let (mut value, mut tangent) = (Buffer::zeros(tile * width), Buffer::zeros(tile * width));
            let (f, moved) = (value.tile_mut(0, tile, width), tangent.tile_mut(0, tile, width));
            let inputs = read(node, x, &pair.values, slots);
            let tangents = read(node, still.tile(0, tile, slots[0]), &pair.tangents, slots);
            let moves = node.inputs.iter().any(|&slot| slot > 0);
            match &node.stage {
                Stage::Pointwise(function) => {
                    operations.pointwise(&**function, Order::Value, inputs[0], f);
                    if moves {
                        let mut moved = moved;
                        operations.pointwise(&**function, Order::First, inputs[0], moved.reborrow());
                        operations.multiply(moved, tangents[0]);
                    }
                }
                Stage::Nonlinear(function) => {
                    function.value(operations, inputs[0], f);
                    if moves {
                        function.jvp(operations, inputs[0], tangents[0], moved);
                    }
                }
                Stage::Layer(layer) => {
                    layer.forward(&call(operations, node, self.theta), &inputs, f, true, WriteMode::Replace);
                    let tangents = moves.then_some(tangents.as_slice());
                    self.layer_tangent(operations, node, &**layer, direction, &inputs, tangents, moved);
                }
            }
            pair.values.push(value);
            pair.tangents.push(tangent);
        }
        pair
    }

    /// L(v) a + L(θ) ȧ of a bilinear layer; ȧ is `None` where its inputs stand still.
    #[allow(clippy::too_many_arguments, reason = "a layer, its inputs and their tangents, and where to write")]
    fn layer_tangent(
        &self,
        operations: &dyn Operations<T>,
        node: &Node<T>,
        layer: &dyn Layer<T>,
        direction: &Buffer<T>,
        inputs: &[Tile<'_, T>],
        tangents: Option<&[Tile<'_, T>]>,
        mut out: TileMut<'_, T>,
    ) {
        if !node.theta.is_empty() {
            let along = call(operations, node, direction);
            if layer.is_additive() {
                // θ is added to the input: along v the input itself stands still.
                let still: Vec<_> = inputs.iter().map(|input| Buffer::zeros(input.rows() * input.columns())).collect();
                let still = still.iter().zip(inputs).map(|(zeros, like)| zeros.tile(0, like.rows(), like.columns()));
                layer.forward(&along, &still.collect::<Vec<_>>(), out.reborrow(), true, WriteMode::Replace);
            } else {
                layer.forward(&along, inputs, out.reborrow(), true, WriteMode::Replace);
            }
        }
        if let Some(tangents) = tangents {
            layer.forward(&call(operations, node, self.theta), tangents, out, false, WriteMode::Accumulate);
        }
    }

    /// Backward walk of the pair (f, J v): adjoints of tangents μ and of values β.
    ///
    /// Pointwise: μ ← φ′(z)∘μ, β ← φ′(z)∘β + φ″(z)∘ż∘μ; another function: μ ← Jᵀμ, β ← Jᵀβ + ∂⟨μ, J ż⟩/∂z.
    /// Bilinear: μ ← Lᵀ(θ)μ, β ← Lᵀ(θ)β + Lᵀ(v)μ.
    fn second_order_tile(
        &self,
        operations: &dyn Operations<T>,
        direction: &Buffer<T>,
        x: Tile<'_, T>,
        u: Tile<'_, T>,
    ) -> Buffer<T> {
        let (tile, slots) = (x.rows(), &self.network.slots);
        let pair = self.tangent_tile(operations, direction, x);
        let zeros = || slots.iter().map(|&length| Buffer::zeros(tile * length)).collect::<Vec<_>>();
        let (mut mu, mut beta) = (zeros(), zeros());
        mu[slots.len() - 1] = Buffer::copy(u);
        for (at, node) in self.network.nodes.iter().enumerate().rev() {
            let width = slots[at + 1];
            let (mu_out, beta_out) = (take(&mut mu[at + 1]), take(&mut beta[at + 1]));
            let (mu_out, beta_out) = (mu_out.tile(0, tile, width), beta_out.tile(0, tile, width));
            let inputs = read(node, x, &pair.values, slots);
            // Of the first input, the only one of a function: its slot, its length, its tangent.
            let (first, length) = (node.inputs[0], slots[node.inputs[0]]);
            let tangent = first.checked_sub(1).map(|at| pair.tangents[at].tile(0, tile, length));
            match &node.stage {
                Stage::Pointwise(function) => {
                    let add = |order, factors: &[Tile<'_, T>], into: &mut Buffer<T>| {
                        let into = into.tile_mut(0, tile, length);
                        add_product(operations, &**function, order, inputs[0], factors, into);
                    };
                    add(Order::First, &[mu_out], &mut mu[first]);
                    add(Order::First, &[beta_out], &mut beta[first]);
                    if let Some(tangent) = tangent {
                        add(Order::Second, &[mu_out, tangent], &mut beta[first]);
                    }
                }
                Stage::Nonlinear(function) => {
                    for (delta, into) in [(mu_out, &mut mu[first]), (beta_out, &mut beta[first])] {
                        let into = into.tile_mut(0, tile, length);
                        function.vjp(operations, inputs[0], delta, into, WriteMode::Accumulate);
                    }
                    if let Some(tangent) = tangent {
                        let into = beta[first].tile_mut(0, tile, length);
                        function.second_order(operations, inputs[0], tangent, mu_out, into);
                    }
                }
                Stage::Layer(layer) => {
                    for (which, &slot) in node.inputs.iter().enumerate() {
                        let pull = |theta: &Buffer<T>, delta: Tile<'_, T>, into: &mut Buffer<T>| {
                            let (call, into) = (call(operations, node, theta), into.tile_mut(0, tile, slots[slot]));
                            layer.backward(&call, &inputs, which, delta, into, WriteMode::Accumulate);
                        };
                        pull(self.theta, mu_out, &mut mu[slot]);
                        pull(self.theta, beta_out, &mut beta[slot]);
                        if !node.theta.is_empty() && !layer.is_additive() {
                            pull(direction, mu_out, &mut beta[slot]);
                        }
                    }
                }
            }
        }
        beta.swap_remove(0)
    }
}

/// into += φ⁽ᵒ⁾(z) ∘ every factor.
fn add_product<T: Scalar>(
    operations: &dyn Operations<T>,
    function: &dyn Pointwise<T>,
    order: Order,
    z: Tile<'_, T>,
    factors: &[Tile<'_, T>],
    into: TileMut<'_, T>,
) {
    let (rows, columns) = (z.rows(), z.columns());
    let mut product = Buffer::zeros(rows * columns);
    operations.pointwise(function, order, z, product.tile_mut(0, rows, columns));
    for factor in factors {
        operations.multiply(product.tile_mut(0, rows, columns), *factor);
    }
    operations.axpby(into, T::ONE, T::ONE, product.tile(0, rows, columns));
}

/// The buffer, with none left in its place.
fn take<T: Scalar>(buffer: &mut Buffer<T>) -> Buffer<T> {
    std::mem::replace(buffer, Buffer::zeros(0))
}

/// The input tiles of a node.
fn read<'b, T: Scalar>(node: &Node<T>, x: Tile<'b, T>, values: &'b [Buffer<T>], slots: &[usize]) -> Vec<Tile<'b, T>> {
    let tile = |slot: usize| if slot == 0 { x } else { values[slot - 1].tile(0, x.rows(), slots[slot]) };
    node.inputs.iter().map(|&slot| tile(slot)).collect()
}

//! Forward differentiation along a direction of θ, and the gradient of its result with respect to the input.

use super::{Walker, call};
use crate::device::{Buffer, Operations, Order, Product, Tile, TileMut};
use crate::model::layer::Stage;
use crate::model::network::Node;
use crate::scalar::Scalar;

/// Values and tangents of slots 1, 2, ….
struct Pair<T> {
    values: Vec<Vec<T>>,
    tangents: Vec<Vec<T>>,
}

impl<T: Scalar> Walker<'_, T> {
    /// f(θ, x) and J v, both n×k, by one forward walk of values and their tangents.
    pub(crate) fn forward_tangent(
        &self,
        direction: &Buffer<T>,
        x: &Buffer<T>,
        samples: usize,
    ) -> (Buffer<T>, Buffer<T>) {
        let outputs = self.network.outputs();
        let mut values = Buffer::zeros(samples * outputs);
        let mut tangents = Buffer::zeros(samples * outputs);
        let rows = self.tile_rows(samples, 1);
        let works: Vec<_> =
            values.row_blocks(rows, outputs).into_iter().zip(tangents.row_blocks(rows, outputs)).collect();
        self.device.for_each(
            self.cost(samples),
            works.into_iter().enumerate().collect(),
            |operations, (at, (mut f, mut jv))| {
                let start = at * rows;
                let pair = self.tangent_tile(operations, direction, self.input(x, &(start..start + f.rows())));
                f.host().copy_from_slice(pair.values.last().map_or(&[], Vec::as_slice));
                jv.host().copy_from_slice(pair.tangents.last().map_or(&[], Vec::as_slice));
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
        self.device.for_each(self.cost(samples), works, |operations, (at, mut gradient): (usize, TileMut<'_, T>)| {
            let tile = gradient.rows();
            let start = at * rows;
            let x = self.input(x, &(start..start + tile));
            let u = cotangents.tile(start * k, tile, k);
            gradient.host().copy_from_slice(&self.second_order_tile(operations, direction, x, u));
        });
        gradients
    }

    /// Values and tangents of all slots but the input's, for one tile.
    fn tangent_tile(&self, operations: &dyn Operations<T>, direction: &Buffer<T>, x: Tile<'_, T>) -> Pair<T> {
        let tile = x.rows();
        let zeros = |length: usize| vec![T::ZERO; tile * length];
        let mut pair = Pair {
            values: self.network.slots[1..].iter().map(|&length| zeros(length)).collect(),
            tangents: self.network.slots[1..].iter().map(|&length| zeros(length)).collect(),
        };
        for (at, node) in self.network.nodes.iter().enumerate() {
            let width = self.network.slots[at + 1];
            let (earlier_values, values) = pair.values.split_at_mut(at);
            let (earlier_tangents, tangents) = pair.tangents.split_at_mut(at);
            let inputs = read_host(node, x, earlier_values, &self.network.slots);
            let mut value = TileMut::new(&mut values[0], tile, width);
            let mut tangent = TileMut::new(&mut tangents[0], tile, width);
            // The tangent of x itself is 0.
            let moving: Vec<_> = node.inputs.iter().filter(|&&slot| slot > 0).copied().collect();
            let layer = match &node.stage {
                Stage::Layer(layer) => layer,
                Stage::MaxPool(window) => {
                    operations.max_pool(value, window, inputs[0], inputs[0]);
                    if let Some(&slot) = moving.first() {
                        let moved = Tile::new(&earlier_tangents[slot - 1], tile, self.network.slots[slot]);
                        operations.max_pool(tangent, window, inputs[0], moved);
                    }
                    continue;
                }
                Stage::Pointwise(function) => {
                    operations.pointwise(&**function, Order::Value, inputs[0], value.reborrow());
                    operations.pointwise(&**function, Order::First, inputs[0], tangent.reborrow());
                    match moving.first() {
                        Some(&slot) => {
                            operations.multiply(tangent, Tile::new(&earlier_tangents[slot - 1], tile, width));
                        }
                        None => tangent.host().fill(T::ZERO),
                    }
                    continue;
                }
            };
            let here = call(operations, node, self.theta);
            layer.forward(&here, &inputs, value.reborrow(), true, Product::Replace);
            if !node.theta.is_empty() {
                let along = call(operations, node, direction);
                if layer.is_additive() {
                    // θ is added to the input: along v the input itself stands still.
                    let still: Vec<_> = inputs.iter().map(|input| vec![T::ZERO; input.host().len()]).collect();
                    let still = still.iter().zip(&inputs).map(|(zeros, input)| Tile::new(zeros, tile, input.columns()));
                    layer.forward(&along, &still.collect::<Vec<_>>(), tangent.reborrow(), true, Product::Replace);
                } else {
                    layer.forward(&along, &inputs, tangent.reborrow(), true, Product::Replace);
                }
            }
            if !moving.is_empty() {
                let still = vec![T::ZERO; tile * self.network.slots[0]];
                let still = Tile::new(&still, tile, self.network.slots[0]);
                let tangents_in = read_host(node, still, earlier_tangents, &self.network.slots);
                layer.forward(&here, &tangents_in, tangent, false, Product::Accumulate);
            }
        }
        pair
    }

    /// Backward walk of the pair (f, J v): adjoints of tangents μ and of values β.
    ///
    /// pointwise: μ ← φ′(z)∘μ, β ← φ′(z)∘β + φ″(z)∘ż∘μ; max pool: the same with φ″ = 0.
    /// Bilinear: μ ← Lᵀ(θ)μ, β ← Lᵀ(θ)β + Lᵀ(v)μ.
    fn second_order_tile(
        &self,
        operations: &dyn Operations<T>,
        direction: &Buffer<T>,
        x: Tile<'_, T>,
        u: Tile<'_, T>,
    ) -> Vec<T> {
        let tile = x.rows();
        let slots = &self.network.slots;
        let pair = self.tangent_tile(operations, direction, x);
        let zeros = || slots.iter().map(|&length| vec![T::ZERO; tile * length]).collect::<Vec<_>>();
        let (mut mu, mut beta) = (zeros(), zeros());
        mu[slots.len() - 1].copy_from_slice(u.host());
        for (at, node) in self.network.nodes.iter().enumerate().rev() {
            let width = slots[at + 1];
            let (mu_out, beta_out) = (std::mem::take(&mut mu[at + 1]), std::mem::take(&mut beta[at + 1]));
            let (mu_out, beta_out) = (Tile::new(&mu_out, tile, width), Tile::new(&beta_out, tile, width));
            let layer = match &node.stage {
                Stage::Layer(layer) => layer,
                Stage::MaxPool(window) => {
                    let slot = node.inputs[0];
                    let images = read_host(node, x, &pair.values, slots)[0];
                    for (delta, into) in [(mu_out, &mut mu[slot]), (beta_out, &mut beta[slot])] {
                        let into = TileMut::new(into, tile, slots[slot]);
                        operations.max_pool_backward(into, Product::Accumulate, window, images, delta);
                    }
                    continue;
                }
                Stage::Pointwise(function) => {
                    let slot = node.inputs[0];
                    let z = if slot == 0 { x } else { Tile::new(&pair.values[slot - 1], tile, width) };
                    let mut factor = vec![T::ZERO; tile * width];
                    let mut add = |order, with: Tile<'_, T>, tangent: Option<&[T]>, into: &mut [T]| {
                        operations.pointwise(&**function, order, z, TileMut::new(&mut factor, tile, width));
                        operations.multiply(TileMut::new(&mut factor, tile, width), with);
                        if let Some(tangent) = tangent {
                            operations
                                .multiply(TileMut::new(&mut factor, tile, width), Tile::new(tangent, tile, width));
                        }
                        let product = Tile::new(&factor, tile, width);
                        operations.axpby(TileMut::new(into, tile, width), T::ONE, T::ONE, product);
                    };
                    add(Order::First, mu_out, None, &mut mu[slot]);
                    add(Order::First, beta_out, None, &mut beta[slot]);
                    if slot > 0 {
                        add(Order::Second, mu_out, Some(&pair.tangents[slot - 1]), &mut beta[slot]);
                    }
                    continue;
                }
            };
            for (which, &slot) in node.inputs.iter().enumerate() {
                let pull = |theta: &Buffer<T>, delta: Tile<'_, T>, into: &mut Vec<T>| {
                    let into = TileMut::new(into, tile, slots[slot]);
                    layer.backward(&call(operations, node, theta), which, delta, into, Product::Accumulate);
                };
                pull(self.theta, mu_out, &mut mu[slot]);
                pull(self.theta, beta_out, &mut beta[slot]);
                if !node.theta.is_empty() && !layer.is_additive() {
                    pull(direction, mu_out, &mut beta[slot]);
                }
            }
        }
        beta.swap_remove(0)
    }
}

/// The input tiles of a node.
fn read_host<'b, T: Scalar>(node: &Node<T>, x: Tile<'b, T>, values: &'b [Vec<T>], slots: &[usize]) -> Vec<Tile<'b, T>> {
    let tile = |slot: usize| if slot == 0 { x } else { Tile::new(&values[slot - 1], x.rows(), slots[slot]) };
    node.inputs.iter().map(|&slot| tile(slot)).collect()
}

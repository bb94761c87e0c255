//! Taylor coefficients of a network along a direction v of θ: f(θ + t·v) = Σ_j c_j tʲ, layer by layer, and the adjoints of
//! the c_j with respect to v.
//!
//! ```text
//! bilinear layer   c_j = L(θ) a_j + L(v) a_{j−1}                       ā_j = Lᵀ(θ) c̄_j + Lᵀ(v) c̄_{j+1}
//! pointwise        c(t) = Σ_m φ⁽ᵐ⁾(a_0)/m! · (a(t) − a_0)ᵐ              ā_j = Σ_{m ≥ j} [φ′(a(t))]_{m−j} ∘ c̄_m
//! ```

use super::Walker;
use super::tile::call;
use crate::device::{Buffer, Operations, Order, Pointwise, Tile, TileMut, WriteMode};
use crate::model::layer::{Layer, Stage};
use crate::model::network::Node;
use crate::scalar::Scalar;

/// Coefficients 0, 1, …, of a slot for some samples; none where a coefficient is 0 throughout.
type Series<T> = Vec<Option<Buffer<T>>>;

/// The Taylor coefficients of all slots but the input's.
pub(crate) struct Jets<T> {
    samples: usize,
    slots: Vec<Series<T>>,
}

/// What a node with parameters leaves behind: at the places j = 1, 2, … its inputs a_{j−1} and the deltas c̄_j.
pub(crate) struct JetPart<'j, T> {
    /// The node's number.
    pub(crate) node: usize,
    /// n×input.
    pub(crate) activations: Vec<Tile<'j, T>>,
    /// n·q×output.
    pub(crate) deltas: Vec<Buffer<T>>,
}

impl<T: Scalar> Walker<'_, T> {
    /// The coefficients up to c_order of all slots, for the samples of one tile.
    pub(crate) fn jets(
        &self,
        operations: &dyn Operations<T>,
        direction: &Buffer<T>,
        x: Tile<'_, T>,
        order: usize,
    ) -> Jets<T> {
        let mut jets = Jets { samples: x.rows(), slots: Vec::new() };
        for (at, node) in self.network.nodes.iter().enumerate() {
            let width = self.network.slots[at + 1];
            let inputs: Vec<Vec<Option<Tile<'_, T>>>> =
                node.inputs.iter().map(|&slot| jets.of(slot, self.network.slots[slot], x, order)).collect();
            let series = match &node.stage {
                Stage::Pointwise(function) => compose(operations, &**function, 0, &inputs[0], order),
                Stage::Nonlinear(function) => {
                    let base = inputs[0][0];
                    let coefficient = |(j, input): (usize, &Option<Tile<'_, T>>)| {
                        let (base, input) = (base?, (*input)?);
                        let mut out = Buffer::zeros(x.rows() * width);
                        let into = out.tile_mut(0, x.rows(), width);
                        if j == 0 {
                            function.value(operations, base, into);
                        } else {
                            function.jvp(operations, base, input, into);
                        }
                        Some(out)
                    };
                    inputs[0].iter().enumerate().map(coefficient).collect()
                }
                Stage::Layer(layer) => {
                    let coefficient =
                        |j| self.layer_coefficient(operations, node, &**layer, direction, &inputs, (j, width));
                    (0..=order).map(coefficient).collect()
                }
            };
            drop(inputs);
            jets.slots.push(series);
        }
        jets
    }

    /// c_j = L(θ) a_j + L(v) a_{j−1} of a bilinear layer.
    fn layer_coefficient(
        &self,
        operations: &dyn Operations<T>,
        node: &Node<T>,
        layer: &dyn Layer<T>,
        direction: &Buffer<T>,
        inputs: &[Vec<Option<Tile<'_, T>>>],
        (j, width): (usize, usize),
    ) -> Option<Buffer<T>> {
        let samples = inputs[0][0]?.rows();
        let zeros: Vec<Buffer<T>> =
            inputs.iter().map(|input| Buffer::zeros(input[0].map_or(0, |tile| tile.rows() * tile.columns()))).collect();
        let still = |which: usize| inputs[which][0].map(|like| zeros[which].tile(0, like.rows(), like.columns()));
        let at = |j: usize| -> Vec<Tile<'_, T>> {
            (0..inputs.len()).filter_map(|which| inputs[which][j].or_else(|| still(which))).collect()
        };
        let moves = |j: usize| inputs.iter().any(|input| input[j].is_some());
        let mut out = Buffer::zeros(samples * width);
        let mut written = false;
        if j == 0 || moves(j) {
            let call = call(operations, node, self.theta);
            layer.forward(&call, &at(j), out.tile_mut(0, samples, width), j == 0, WriteMode::Replace);
            written = true;
        }
        // A layer that adds its parameters knows them at j = 1 alone, and so does a bias.
        if j > 0 && !node.theta.is_empty() && (j == 1 || (!layer.is_additive() && moves(j - 1))) {
            let along = call(operations, node, direction);
            let inputs = if layer.is_additive() { (0..inputs.len()).filter_map(still).collect() } else { at(j - 1) };
            layer.forward(&along, &inputs, out.tile_mut(0, samples, width), j == 1, WriteMode::Accumulate);
            written = true;
        }
        written.then_some(out)
    }

    /// The adjoints with respect to v of the sum of all coefficients of the output: what every node with parameters leaves
    /// behind. `u`: n·q×k, q cotangents a sample.
    pub(crate) fn jet_adjoints<'j>(
        &self,
        operations: &dyn Operations<T>,
        direction: &Buffer<T>,
        (x, jets): (Tile<'j, T>, &'j Jets<T>),
        u: Tile<'_, T>,
        order: usize,
    ) -> Vec<JetPart<'j, T>> {
        let (rows, slots) = (u.rows(), &self.network.slots);
        let mut adjoints: Vec<Series<T>> = slots.iter().map(|_| (0..=order).map(|_| None).collect()).collect();
        adjoints[slots.len() - 1] = (0..=order).map(|_| Some(Buffer::copy(u))).collect();
        let mut parts = Vec::new();
        for (at, node) in self.network.nodes.iter().enumerate().rev() {
            let out: Series<T> = std::mem::take(&mut adjoints[at + 1]);
            let delta = |j: usize| out.get(j)?.as_ref().map(|delta| delta.tile(0, rows, slots[at + 1]));
            let (first, length) = (node.inputs[0], slots[node.inputs[0]]);
            let series = jets.of(first, length, x, order);
            match &node.stage {
                Stage::Pointwise(function) if first > 0 => {
                    let slopes = compose(operations, &**function, 1, &series, order - 1);
                    for j in 1..=order {
                        for m in j..=order {
                            let (Some(delta), Some(slope)) = (delta(m), &slopes[m - j]) else { continue };
                            let mut product = Buffer::copy(delta);
                            operations.multiply(product.tile_mut(0, rows, length), slope.tile(0, jets.samples, length));
                            let into = writable(&mut adjoints[first][j], rows, length);
                            operations.axpby(into, T::ONE, T::ONE, product.tile(0, rows, length));
                        }
                    }
                }
                Stage::Nonlinear(function) if first > 0 => {
                    for (j, into) in adjoints[first].iter_mut().enumerate().skip(1) {
                        let (Some(delta), Some(base)) = (delta(j), series[0]) else { continue };
                        let into = writable(into, rows, length);
                        function.vjp(operations, base, delta, into, WriteMode::Accumulate);
                    }
                }
                Stage::Layer(layer) => {
                    let values: Vec<Tile<'_, T>> =
                        node.inputs.iter().filter_map(|&slot| jets.of(slot, slots[slot], x, order)[0]).collect();
                    for (which, &slot) in node.inputs.iter().enumerate().filter(|(_, slot)| **slot > 0) {
                        for j in 1..=order {
                            let Some(delta) = delta(j) else { continue };
                            let pull = |theta: &Buffer<T>, into: &mut Option<Buffer<T>>| {
                                let (call, into) = (call(operations, node, theta), writable(into, rows, slots[slot]));
                                layer.backward(&call, &values, which, delta, into, WriteMode::Accumulate);
                            };
                            pull(self.theta, &mut adjoints[slot][j]);
                            if j > 1 && !node.theta.is_empty() && !layer.is_additive() {
                                pull(direction, &mut adjoints[slot][j - 1]);
                            }
                        }
                    }
                }
                Stage::Pointwise(_) | Stage::Nonlinear(_) => {}
            }
            let deltas = out.into_iter().skip(1);
            if node.stage.layer().is_some_and(|layer| layer.parameter_use().is_some()) {
                // Places where the input or the delta is 0 add nothing.
                let places = series.into_iter().zip(deltas);
                let (activations, deltas) = places.filter_map(|(a, delta)| Some((a?, delta?))).unzip();
                parts.push(JetPart { node: at, activations, deltas });
            }
        }
        parts.reverse();
        parts
    }
}

impl<T: Scalar> Jets<T> {
    /// The coefficients of a slot; the input stands still.
    fn of<'j>(&'j self, slot: usize, width: usize, x: Tile<'j, T>, order: usize) -> Vec<Option<Tile<'j, T>>> {
        let tile = |buffer: &'j Buffer<T>| buffer.tile(0, self.samples, width);
        match slot.checked_sub(1) {
            None => (0..=order).map(|j| (j == 0).then_some(x)).collect(),
            Some(at) => self.slots[at].iter().map(|coefficient| coefficient.as_ref().map(tile)).collect(),
        }
    }

    /// The coefficients of the output; none where one is 0.
    pub(crate) fn outputs(&self) -> &[Option<Buffer<T>>] {
        self.slots.last().map_or(&[], Vec::as_slice)
    }
}

/// The coefficients up to c_order of φ⁽ᵇ⁾(a(t)), b = `base`.
fn compose<T: Scalar>(
    operations: &dyn Operations<T>,
    function: &dyn Pointwise<T>,
    base: usize,
    series: &[Option<Tile<'_, T>>],
    order: usize,
) -> Series<T> {
    let Some(z) = series[0] else { return Vec::new() };
    let (rows, columns) = (z.rows(), z.columns());
    let derivative = |of: Order| {
        let mut out = Buffer::zeros(rows * columns);
        operations.pointwise(function, of, z, out.tile_mut(0, rows, columns));
        out
    };
    let mut out: Series<T> = (0..=order).map(|_| None).collect();
    out[0] = Some(derivative(Order::ALL[base]));
    // (a(t) − a_0)ᵐ/m!
    let mut power: Series<T> = (0..=order).map(|j| series[j].filter(|_| j > 0).map(Buffer::copy)).collect();
    for m in 1..=order {
        let slope = derivative(Order::ALL[base + m]);
        for j in m..=order {
            let Some(term) = &power[j] else { continue };
            let mut product = term.clone();
            operations.multiply(product.tile_mut(0, rows, columns), slope.tile(0, rows, columns));
            let into = writable(&mut out[j], rows, columns);
            operations.axpby(into, T::ONE, T::ONE, product.tile(0, rows, columns));
        }
        let mut next: Series<T> = (0..=order).map(|_| None).collect();
        let share = T::from_f64(1.0 / (m + 1) as f64);
        for (i, term) in power.iter().enumerate() {
            for j in 1..=order.saturating_sub(i) {
                let (Some(term), Some(factor)) = (term, series[j]) else { continue };
                let mut product = term.clone();
                operations.multiply(product.tile_mut(0, rows, columns), factor);
                let into = writable(&mut next[i + j], rows, columns);
                operations.axpby(into, T::ONE, share, product.tile(0, rows, columns));
            }
        }
        power = next;
    }
    out
}

/// Memory to add to; zeros at first.
fn writable<T: Scalar>(buffer: &mut Option<Buffer<T>>, rows: usize, columns: usize) -> TileMut<'_, T> {
    buffer.get_or_insert_with(|| Buffer::zeros(rows * columns)).tile_mut(0, rows, columns)
}

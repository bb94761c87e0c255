//! The driver: takes a tile of samples through all layers, forwards and backwards, before the next tile starts.
//!
//! Whole-batch memory holds only what outlives the walk: outputs, and the A_l and D_l of layers with parameters.

mod input;
mod tangent;

use std::ops::Range;
use std::sync::Arc;

use super::layer::{Call, ParameterUse, Stage};
use super::network::{Network, Node};
use crate::device::{Buffer, Device, Operations, Order, Product, Tile, TileMut, carve};
use crate::scalar::Scalar;

/// The cotangents that a backward pass starts from.
#[derive(Clone, Copy)]
pub(crate) enum Seed<'a, T> {
    /// All k unit vectors for every sample: deltas are ∂f_ia/∂z.
    Outputs,
    /// One cotangent per sample, written by a function of (samples, their outputs).
    Given(&'a SeedFunction<'a, T>),
}

/// Writes the cotangents (n×k) of a range of samples, given their outputs (n×k).
pub(crate) type SeedFunction<'a, T> = dyn Fn(Range<usize>, Tile<'_, T>, TileMut<'_, T>) + Sync + 'a;

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
}

/// A network, its parameters and the device: what every walk needs.
pub(crate) struct Walker<'a, T> {
    pub(crate) network: &'a Network<T>,
    pub(crate) device: &'a Device,
    pub(crate) theta: &'a Buffer<T>,
}

/// The memory of one tile.
struct TileWork<'a, T> {
    samples: Range<usize>,
    /// Values of slot s at index s − 1, where they are kept.
    values: Vec<Option<TileMut<'a, T>>>,
    /// Deltas by home slot, where they are kept.
    deltas: Vec<Option<TileMut<'a, T>>>,
    /// Written-out gradients by node, where there are some.
    gradients: Vec<Option<TileMut<'a, T>>>,
}

impl<T: Scalar> Walker<'_, T> {
    /// f(θ, x), n×k.
    pub(crate) fn forward(&self, x: &Buffer<T>, samples: usize) -> Buffer<T> {
        let last = self.network.slots.len() - 1;
        let mut outputs = Buffer::zeros(samples * self.network.outputs());
        let rows = self.tile_rows(samples, 1);
        let mut works = self.works(samples, rows);
        attach(&mut works, &mut outputs, rows, self.network.outputs(), |work| &mut work.values[last - 1]);
        self.device.for_each(self.cost(samples), works, |operations, mut work| {
            let needed = self.value_scratch(&work);
            self.network.memory.lend(needed, |mut memory| {
                let mut values = self.join(&mut work.values, &mut memory, work.samples.len());
                self.forward_tile(operations, self.input(x, &work.samples), &mut values);
            });
        });
        outputs
    }

    /// One forward and one backward walk that keep A_l and D_l (if `parts`) and the deltas of the input (if `input`).
    pub(crate) fn trace(
        &self,
        x: &Arc<Buffer<T>>,
        samples: usize,
        seed: Seed<'_, T>,
        parts: bool,
        input: bool,
    ) -> Trace<T> {
        let network = self.network;
        let last = network.slots.len() - 1;
        let cotangents = match seed {
            Seed::Outputs => network.outputs(),
            Seed::Given(_) => 1,
        };
        let rows = self.tile_rows(samples, cotangents);
        let mut works = self.works(samples, rows);

        let mut kept_values: Vec<Option<Buffer<T>>> = (0..=last).map(|_| None).collect();
        let mut kept_deltas: Vec<Option<Buffer<T>>> = (0..=last).map(|_| None).collect();
        kept_values[last] = Some(self.lent(samples * network.outputs()));
        let mut gradients: Vec<Option<Buffer<T>>> = network.nodes.iter().map(|_| None).collect();
        for (at, node, parameters) in network.parametric_nodes().filter(|_| parts) {
            if parameters == ParameterUse::Explicit {
                gradients[at] = Some(self.lent(samples * cotangents * node.theta.len()));
                continue;
            }
            let (from, to) = (node.inputs[0], at + 1);
            if from > 0 && kept_values[from].is_none() {
                kept_values[from] = Some(self.lent(samples * network.slots[from]));
            }
            kept_deltas[to] = Some(self.lent(samples * cotangents * network.slots[to]));
        }
        if input {
            kept_deltas[0] = Some(self.lent(samples * cotangents * network.inputs()));
        }
        for (slot, buffer) in kept_values.iter_mut().enumerate() {
            if let Some(buffer) = buffer {
                attach(&mut works, buffer, rows, network.slots[slot], |work| &mut work.values[slot - 1]);
            }
        }
        for (slot, buffer) in kept_deltas.iter_mut().enumerate() {
            if let Some(buffer) = buffer {
                attach(&mut works, buffer, rows * cotangents, network.slots[slot], |work| &mut work.deltas[slot]);
            }
        }

        for (at, buffer) in gradients.iter_mut().enumerate() {
            if let Some(buffer) = buffer {
                let length = network.nodes[at].theta.len();
                attach(&mut works, buffer, rows * cotangents, length, |work| &mut work.gradients[at]);
            }
        }

        self.device.for_each(self.cost(samples), works, |operations, mut work| {
            let tile = work.samples.len();
            let x = self.input(x, &work.samples);
            let scratch_delta = |slot: usize, kept: bool| !kept && network.homes[slot] == slot && (slot > 0 || input);
            let delta_lengths = work.deltas.iter().zip(&network.slots).enumerate();
            let for_deltas: usize = delta_lengths
                .map(|(slot, (kept, length))| if scratch_delta(slot, kept.is_some()) { *length } else { 0 })
                .sum();
            let needed = self.value_scratch(&work) + tile * cotangents * for_deltas;
            network.memory.lend(needed, |mut memory| {
                let mut values = self.join(&mut work.values, &mut memory, tile);
                self.forward_tile(operations, x, &mut values);
                let mut deltas: Vec<_> = work
                    .deltas
                    .iter_mut()
                    .zip(&network.slots)
                    .enumerate()
                    .map(|(slot, (kept, &length))| match kept {
                        Some(kept) => Some(kept.reborrow()),
                        None if scratch_delta(slot, false) => Some(carve(&mut memory, tile * cotangents, length)),
                        None => None,
                    })
                    .collect();
                let outputs = values[last - 1].as_tile();
                if let Some(start) = &mut deltas[network.homes[last]] {
                    match seed {
                        Seed::Outputs => write_unit_vectors(start.reborrow()),
                        Seed::Given(write) => write(work.samples.clone(), outputs, start.reborrow()),
                    }
                }
                self.backward_tile(operations, x, &values, &mut deltas, &mut work.gradients);
            });
        });

        let kept_values: Vec<_> = kept_values.into_iter().map(|kept| kept.map(Arc::new)).collect();
        let mut left = Vec::new();
        for (at, node, _) in network.parametric_nodes().filter(|_| parts) {
            if let Some(gradients) = gradients[at].take() {
                left.push(TracePart::Explicit(gradients));
            } else if let Some(deltas) = kept_deltas[at + 1].take() {
                let activations = kept_values[node.inputs[0]].clone().unwrap_or_else(|| x.clone());
                left.push(TracePart::Linear { activations, deltas });
            }
        }
        let outputs = kept_values[last].as_deref().cloned().unwrap_or_else(|| Buffer::zeros(0));
        Trace { outputs, parts: left, input_deltas: kept_deltas[0].take() }
    }

    /// The first layer whose output is infinite or not a number for one of the samples.
    pub(crate) fn first_non_finite(&self, x: &Buffer<T>, samples: usize) -> Option<String> {
        let mut storage = vec![T::ZERO; samples * self.network.slots[1..].iter().sum::<usize>()];
        let mut kept: Vec<_> = self.network.nodes.iter().map(|_| None).collect();
        let mut values = self.join(&mut kept, &mut storage.as_mut_slice(), samples);
        self.forward_tile(&self.device.operations::<T>(), self.input(x, &(0..samples)), &mut values);
        let bad = values.iter().position(|value| value.as_tile().host().iter().any(|v| !v.is_finite()))?;
        Some(self.network.nodes[bad].name.clone())
    }

    fn input<'b>(&self, x: &'b Buffer<T>, samples: &Range<usize>) -> Tile<'b, T> {
        let d = self.network.inputs();
        x.tile(samples.start * d, samples.len(), d)
    }

    /// Multiplications of one pass.
    fn cost(&self, samples: usize) -> f64 {
        self.network.cost * samples as f64
    }

    fn tile_rows(&self, samples: usize, cotangents: usize) -> usize {
        let values = self.network.slots.iter().sum::<usize>() * (1 + cotangents);
        let widest = self.network.slots.iter().max().map_or(0, |&slot| slot * (1 + cotangents));
        self.device.tile_samples::<T>(samples, self.network.parameters, values, widest)
    }

    fn works<'b>(&self, samples: usize, rows: usize) -> Vec<TileWork<'b, T>> {
        (0..samples.div_ceil(rows))
            .map(|tile| TileWork {
                samples: tile * rows..((tile + 1) * rows).min(samples),
                values: self.network.slots[1..].iter().map(|_| None).collect(),
                deltas: self.network.slots.iter().map(|_| None).collect(),
                gradients: self.network.nodes.iter().map(|_| None).collect(),
            })
            .collect()
    }

    fn lent(&self, length: usize) -> Buffer<T> {
        Buffer::lent(&self.network.memory, length)
    }

    /// Numbers that a tile's values need beyond those that are kept.
    fn value_scratch(&self, work: &TileWork<'_, T>) -> usize {
        let lengths = work.values.iter().zip(&self.network.slots[1..]);
        work.samples.len() * lengths.map(|(kept, length)| if kept.is_some() { 0 } else { *length }).sum::<usize>()
    }

    /// Kept memory where there is some, scratch memory elsewhere.
    fn join<'c, 'm: 'c>(
        &self,
        kept: &'c mut [Option<TileMut<'_, T>>],
        memory: &mut &'m mut [T],
        rows: usize,
    ) -> Vec<TileMut<'c, T>> {
        kept.iter_mut()
            .zip(&self.network.slots[1..])
            .map(|(kept, &length)| match kept {
                Some(kept) => kept.reborrow(),
                None => carve(memory, rows, length),
            })
            .collect()
    }

    fn forward_tile(&self, operations: &dyn Operations<T>, x: Tile<'_, T>, values: &mut [TileMut<'_, T>]) {
        for (at, node) in self.network.nodes.iter().enumerate() {
            let (earlier, rest) = values.split_at_mut(at);
            let out = rest[0].reborrow();
            let inputs = read(node, x, earlier);
            match &node.stage {
                Stage::Pointwise(function) => operations.pointwise(&**function, Order::Value, inputs[0], out),
                Stage::MaxPool(window) => operations.max_pool(out, window, inputs[0], inputs[0]),
                Stage::Layer(layer) => {
                    layer.forward(&call(operations, node, self.theta), &inputs, out, true, Product::Replace);
                }
            }
        }
    }

    fn backward_tile(
        &self,
        operations: &dyn Operations<T>,
        x: Tile<'_, T>,
        values: &[TileMut<'_, T>],
        deltas: &mut [Option<TileMut<'_, T>>],
        gradients: &mut [Option<TileMut<'_, T>>],
    ) {
        let homes = &self.network.homes;
        let mut written = vec![false; homes.len()];
        for (at, node) in self.network.nodes.iter().enumerate().rev() {
            let home = homes[at + 1];
            // Taken out so that another home can be written meanwhile; put back below.
            let Some(mut delta) = deltas[home].take() else { continue };
            match &node.stage {
                Stage::Pointwise(function) => {
                    let z = read(node, x, values)[0];
                    let target = homes[node.inputs[0]];
                    if target == home {
                        operations.pointwise_backward(&**function, z, delta.reborrow());
                    } else if let Some(into) = &mut deltas[target] {
                        let mut product = delta.as_tile().host().to_vec();
                        let (rows, columns) = (delta.rows(), delta.columns());
                        operations.pointwise_backward(&**function, z, TileMut::new(&mut product, rows, columns));
                        let beta = if written[target] { T::ONE } else { T::ZERO };
                        operations.axpby(into.reborrow(), beta, T::ONE, Tile::new(&product, rows, columns));
                        written[target] = true;
                    }
                }
                Stage::MaxPool(window) => {
                    let target = homes[node.inputs[0]];
                    if let Some(into) = &mut deltas[target] {
                        let images = read(node, x, values)[0];
                        let mode = if written[target] { Product::Accumulate } else { Product::Replace };
                        operations.max_pool_backward(into.reborrow(), mode, window, images, delta.as_tile());
                        written[target] = true;
                    }
                }
                Stage::Layer(layer) => {
                    let call = call(operations, node, self.theta);
                    if let Some(out) = &mut gradients[at] {
                        layer.gradients(&call, &read(node, x, values), delta.as_tile(), out.reborrow());
                    }
                    for (which, &slot) in node.inputs.iter().enumerate() {
                        let target = homes[slot];
                        if let Some(into) = &mut deltas[target] {
                            let mode = if written[target] { Product::Accumulate } else { Product::Replace };
                            layer.backward(&call, which, delta.as_tile(), into.reborrow(), mode);
                            written[target] = true;
                        }
                    }
                }
            }
            deltas[home] = Some(delta);
        }
    }
}

/// A layer's view of the device and of its part of a parameter vector.
fn call<'b, T: Scalar>(operations: &'b dyn Operations<T>, node: &Node<T>, theta: &'b Buffer<T>) -> Call<'b, T> {
    Call { operations, theta: theta.tile(node.theta.start, 1, node.theta.len()) }
}

/// The input tiles of a node.
fn read<'b, T: Scalar>(node: &Node<T>, x: Tile<'b, T>, values: &'b [TileMut<'_, T>]) -> Vec<Tile<'b, T>> {
    node.inputs.iter().map(|&slot| if slot == 0 { x } else { values[slot - 1].as_tile() }).collect()
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

/// Row (i, a) = e_a.
fn write_unit_vectors<T: Scalar>(mut deltas: TileMut<'_, T>) {
    let outputs = deltas.columns();
    for (row, values) in deltas.host().chunks_exact_mut(outputs.max(1)).enumerate() {
        values.fill(T::ZERO);
        values[row % outputs] = T::ONE;
    }
}

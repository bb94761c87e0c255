//! The driver: takes a tile of samples through all layers, forwards and backwards, before the next tile starts.
//!
//! Whole-batch memory holds only what outlives the walk: outputs, and the A_l and D_l of layers with parameters.

mod input;
mod tangent;

use std::ops::Range;
use std::sync::Arc;

use super::layer::{Call, Stage};
use super::network::{Network, Node};
use crate::device::{Buffer, Device, Operations, Order, Product, Tile, TileMut};
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
    /// A_l of every linear node, n×d_in.
    pub(crate) activations: Vec<Arc<Buffer<T>>>,
    /// D_l of every linear node, n·q×d_out.
    pub(crate) deltas: Vec<Buffer<T>>,
    /// ∂⟨cotangent, f⟩/∂x, n·q×d.
    pub(crate) input_deltas: Option<Buffer<T>>,
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
            let mut scratch = self.value_scratch(&work);
            let mut values = join(&mut work.values, &mut scratch, work.samples.len(), &self.network.slots[1..]);
            self.forward_tile(operations, self.input(x, &work.samples), &mut values);
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
        kept_values[last] = Some(Buffer::zeros(samples * network.outputs()));
        if parts {
            for (at, node, _) in network.linear_nodes() {
                let (from, to) = (node.inputs[0], at + 1);
                if from > 0 && kept_values[from].is_none() {
                    kept_values[from] = Some(Buffer::zeros(samples * network.slots[from]));
                }
                kept_deltas[to] = Some(Buffer::zeros(samples * cotangents * network.slots[to]));
            }
        }
        if input {
            kept_deltas[0] = Some(Buffer::zeros(samples * cotangents * network.inputs()));
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

        self.device.for_each(self.cost(samples), works, |operations, mut work| {
            let tile = work.samples.len();
            let x = self.input(x, &work.samples);
            let mut scratch = self.value_scratch(&work);
            let mut values = join(&mut work.values, &mut scratch, tile, &network.slots[1..]);
            self.forward_tile(operations, x, &mut values);

            let mut scratch: Vec<_> = work
                .deltas
                .iter()
                .enumerate()
                .map(|(slot, kept)| {
                    let needed = kept.is_none() && network.homes[slot] == slot && (slot > 0 || input);
                    vec![T::ZERO; if needed { tile * cotangents * network.slots[slot] } else { 0 }]
                })
                .collect();
            let mut deltas: Vec<_> = work
                .deltas
                .iter_mut()
                .zip(&mut scratch)
                .zip(&network.slots)
                .map(|((kept, scratch), &length)| match kept {
                    Some(kept) => Some(kept.reborrow()),
                    None if scratch.is_empty() => None,
                    None => Some(TileMut::new(scratch, tile * cotangents, length)),
                })
                .collect();
            let outputs = values[last - 1].as_tile();
            if let Some(start) = &mut deltas[network.homes[last]] {
                match seed {
                    Seed::Outputs => write_unit_vectors(start.reborrow()),
                    Seed::Given(write) => write(work.samples.clone(), outputs, start.reborrow()),
                }
            }
            self.backward_tile(operations, x, &values, &mut deltas);
        });

        let kept_values: Vec<_> = kept_values.into_iter().map(|kept| kept.map(Arc::new)).collect();
        let mut activations = Vec::new();
        let mut deltas = Vec::new();
        if parts {
            for (at, node, _) in network.linear_nodes() {
                activations.push(kept_values[node.inputs[0]].clone().unwrap_or_else(|| x.clone()));
                deltas.extend(kept_deltas[at + 1].take());
            }
        }
        let outputs = kept_values[last].as_deref().cloned().unwrap_or_else(|| Buffer::zeros(0));
        Trace { outputs, activations, deltas, input_deltas: kept_deltas[0].take() }
    }

    /// The first layer whose output is infinite or not a number for one of the samples.
    pub(crate) fn first_non_finite(&self, x: &Buffer<T>, samples: usize) -> Option<String> {
        let mut storage: Vec<_> =
            self.network.slots[1..].iter().map(|&length| vec![T::ZERO; samples * length]).collect();
        let mut kept: Vec<_> = storage.iter().map(|_| None).collect();
        let mut values = join(&mut kept, &mut storage, samples, &self.network.slots[1..]);
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
        self.network.cost() * samples as f64
    }

    fn tile_rows(&self, samples: usize, cotangents: usize) -> usize {
        let values = self.network.slots.iter().sum::<usize>() * (1 + cotangents);
        self.device.tile_samples::<T>(samples, self.network.parameters, values)
    }

    fn works<'b>(&self, samples: usize, rows: usize) -> Vec<TileWork<'b, T>> {
        (0..samples.div_ceil(rows))
            .map(|tile| TileWork {
                samples: tile * rows..((tile + 1) * rows).min(samples),
                values: self.network.slots[1..].iter().map(|_| None).collect(),
                deltas: self.network.slots.iter().map(|_| None).collect(),
            })
            .collect()
    }

    fn value_scratch(&self, work: &TileWork<'_, T>) -> Vec<Vec<T>> {
        let lengths = &self.network.slots[1..];
        let scratch = work.values.iter().zip(lengths).map(|(kept, &length)| match kept {
            Some(_) => Vec::new(),
            None => vec![T::ZERO; work.samples.len() * length],
        });
        scratch.collect()
    }

    fn forward_tile(&self, operations: &dyn Operations<T>, x: Tile<'_, T>, values: &mut [TileMut<'_, T>]) {
        for (at, node) in self.network.nodes.iter().enumerate() {
            let (earlier, rest) = values.split_at_mut(at);
            let out = rest[0].reborrow();
            let inputs = read(node, x, earlier);
            match &node.stage {
                Stage::Pointwise(function) => operations.pointwise(&**function, Order::Value, inputs[0], out),
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
                Stage::Layer(layer) => {
                    let call = call(operations, node, self.theta);
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

/// Kept memory where there is some, scratch memory elsewhere.
fn join<'c, T: Scalar>(
    kept: &'c mut [Option<TileMut<'_, T>>],
    scratch: &'c mut [Vec<T>],
    rows: usize,
    lengths: &[usize],
) -> Vec<TileMut<'c, T>> {
    kept.iter_mut()
        .zip(scratch)
        .zip(lengths)
        .map(|((kept, scratch), &length)| match kept {
            Some(kept) => kept.reborrow(),
            None => TileMut::new(scratch, rows, length),
        })
        .collect()
}

/// Row (i, a) = e_a.
fn write_unit_vectors<T: Scalar>(mut deltas: TileMut<'_, T>) {
    let outputs = deltas.columns();
    for (row, values) in deltas.host().chunks_exact_mut(outputs.max(1)).enumerate() {
        values.fill(T::ZERO);
        values[row % outputs] = T::ONE;
    }
}

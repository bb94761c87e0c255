//! The driver: takes a tile of samples through all layers, forwards and backwards, before the next tile starts.
//!
//! Whole-batch memory holds only what outlives the walk: outputs, and the A_l and D_l of layers with parameters.

use std::ops::Range;
use std::sync::Arc;

use super::layer::Call;
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
        x: Arc<Buffer<T>>,
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
            let x = self.input(&x, &work.samples);
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
            self.backward_tile(operations, x, &values, &mut deltas, cotangents);
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

    fn call<'b>(&'b self, operations: &'b dyn Operations<T>, node: &Node<T>, theta: &'b Buffer<T>) -> Call<'b, T> {
        Call { operations, theta: theta.tile(node.theta.start, 1, node.theta.len()) }
    }

    fn forward_tile(&self, operations: &dyn Operations<T>, x: Tile<'_, T>, values: &mut [TileMut<'_, T>]) {
        for (at, node) in self.network.nodes.iter().enumerate() {
            let (earlier, rest) = values.split_at_mut(at);
            let out = rest[0].reborrow();
            let inputs = read(node, x, earlier);
            match node.layer.pointwise() {
                Some(function) => operations.pointwise(function, Order::Value, inputs[0], out),
                None => {
                    let call = self.call(operations, node, self.theta);
                    node.layer.forward(&call, &inputs, out, true, Product::Replace);
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
        cotangents: usize,
    ) {
        let homes = &self.network.homes;
        let mut written = vec![false; homes.len()];
        for (at, node) in self.network.nodes.iter().enumerate().rev() {
            let home = homes[at + 1];
            // Taken out so that another home can be written meanwhile; put back below.
            let Some(mut delta) = deltas[home].take() else { continue };
            if let Some(function) = node.layer.pointwise() {
                let z = read(node, x, values)[0];
                let target = homes[node.inputs[0]];
                if target == home {
                    operations.pointwise_backward(function, z, delta.reborrow());
                } else if let Some(into) = &mut deltas[target] {
                    let mut product = delta.as_tile().host().to_vec();
                    let (rows, columns) = (delta.rows(), delta.columns());
                    operations.pointwise_backward(function, z, TileMut::new(&mut product, rows, columns));
                    let beta = if written[target] { T::ONE } else { T::ZERO };
                    operations.axpby(into.reborrow(), beta, T::ONE, Tile::new(&product, rows, columns));
                    written[target] = true;
                }
            } else {
                let call = self.call(operations, node, self.theta);
                for (which, &slot) in node.inputs.iter().enumerate() {
                    let target = homes[slot];
                    if let Some(into) = &mut deltas[target] {
                        let mode = if written[target] { Product::Accumulate } else { Product::Replace };
                        debug_assert_eq!(into.rows(), values.first().map_or(0, TileMut::rows) * cotangents);
                        node.layer.backward(&call, which, delta.as_tile(), into.reborrow(), mode);
                        written[target] = true;
                    }
                }
            }
            deltas[home] = Some(delta);
        }
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
            if let Some(function) = node.layer.pointwise() {
                operations.pointwise(function, Order::Value, inputs[0], value.reborrow());
                operations.pointwise(function, Order::First, inputs[0], tangent.reborrow());
                match moving.first() {
                    Some(&slot) => operations.multiply(tangent, Tile::new(&earlier_tangents[slot - 1], tile, width)),
                    None => tangent.host().fill(T::ZERO),
                }
                continue;
            }
            let call = self.call(operations, node, self.theta);
            node.layer.forward(&call, &inputs, value.reborrow(), true, Product::Replace);
            if !node.theta.is_empty() {
                let call = self.call(operations, node, direction);
                node.layer.forward(&call, &inputs, tangent.reborrow(), true, Product::Replace);
            }
            if !moving.is_empty() {
                let still = vec![T::ZERO; tile * self.network.slots[0]];
                let still = Tile::new(&still, tile, self.network.slots[0]);
                let tangents_in = read_host(node, still, earlier_tangents, &self.network.slots);
                node.layer.forward(&call, &tangents_in, tangent, false, Product::Accumulate);
            }
        }
        pair
    }

    /// Backward walk of the pair (f, J v): adjoints of tangents μ and of values β.
    ///
    /// pointwise: μ ← φ′(z)∘μ, β ← φ′(z)∘β + φ″(z)∘ż∘μ. Bilinear: μ ← Lᵀ(θ)μ, β ← Lᵀ(θ)β + Lᵀ(v)μ.
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
            if let Some(function) = node.layer.pointwise() {
                let slot = node.inputs[0];
                let z = if slot == 0 { x } else { Tile::new(&pair.values[slot - 1], tile, width) };
                let mut factor = vec![T::ZERO; tile * width];
                let mut add = |order, with: Tile<'_, T>, tangent: Option<&[T]>, into: &mut [T]| {
                    operations.pointwise(function, order, z, TileMut::new(&mut factor, tile, width));
                    operations.multiply(TileMut::new(&mut factor, tile, width), with);
                    if let Some(tangent) = tangent {
                        operations.multiply(TileMut::new(&mut factor, tile, width), Tile::new(tangent, tile, width));
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
            for (which, &slot) in node.inputs.iter().enumerate() {
                let pull = |theta: &Buffer<T>, delta: Tile<'_, T>, into: &mut Vec<T>| {
                    let into = TileMut::new(into, tile, slots[slot]);
                    node.layer.backward(&self.call(operations, node, theta), which, delta, into, Product::Accumulate);
                };
                pull(self.theta, mu_out, &mut mu[slot]);
                pull(self.theta, beta_out, &mut beta[slot]);
                if !node.theta.is_empty() {
                    pull(direction, mu_out, &mut beta[slot]);
                }
            }
        }
        beta.swap_remove(0)
    }
}

/// Values and tangents of slots 1, 2, ….
struct Pair<T> {
    values: Vec<Vec<T>>,
    tangents: Vec<Vec<T>>,
}

/// The input tiles of a node.
fn read<'b, T: Scalar>(node: &Node<T>, x: Tile<'b, T>, values: &'b [TileMut<'_, T>]) -> Vec<Tile<'b, T>> {
    node.inputs.iter().map(|&slot| if slot == 0 { x } else { values[slot - 1].as_tile() }).collect()
}

fn read_host<'b, T: Scalar>(node: &Node<T>, x: Tile<'b, T>, values: &'b [Vec<T>], slots: &[usize]) -> Vec<Tile<'b, T>> {
    let tile = |slot: usize| if slot == 0 { x } else { Tile::new(&values[slot - 1], x.rows(), slots[slot]) };
    node.inputs.iter().map(|&slot| tile(slot)).collect()
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

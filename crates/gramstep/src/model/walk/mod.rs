//! The driver: takes a tile of samples through all layers, forwards and backwards, before the next tile starts.
//!
//! Whole-batch memory holds only what outlives the walk: outputs, and the A_l and D_l of layers with parameters.

mod deltas;
mod input;
mod jet;
mod memory;
mod tangent;
mod tile;
mod values;

use std::ops::Range;
use std::sync::Arc;

pub(crate) use self::jet::JetPart;
pub(crate) use self::memory::{Trace, TracePart, Trained, Writing};

use self::deltas::{Deltas, Places};
use self::memory::{Gradients, Kept, TileWork};
use self::values::Values;
use super::network::Network;
use crate::device::{Buffer, Device, Operations, Tile, TileMut, equal_tiles};
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

/// A network, its parameters and the device: what every walk needs.
pub(crate) struct Walker<'a, T> {
    pub(crate) network: &'a Network<T>,
    pub(crate) device: &'a Device,
    pub(crate) theta: &'a Buffer<T>,
}

impl<T: Scalar> Walker<'_, T> {
    /// f(θ, x), n×k.
    pub(crate) fn forward(&self, x: &Buffer<T>, samples: usize) -> Buffer<T> {
        let mut kept = Kept::outputs(self.network, samples, 1);
        let works = kept.tiles(self.tile_rows(samples, 1));
        self.device.for_each(self.cost(samples), works, |operations, mut work| {
            let rows = work.samples.len();
            self.network.memory.lend(Values::scratch(self.network, &work.values, rows), |mut memory| {
                let mut values = Values::new(self.network, &mut work.values, rows, &mut memory);
                self.forward_tile(operations, self.input(x, &work.samples), &mut values);
            });
        });
        kept.into_outputs()
    }

    /// One forward and one backward walk that keep A_l and D_l, or gradients (if `writing` says which), and the deltas of the
    /// input (if `input`).
    pub(crate) fn trace(
        &self,
        x: &Arc<Buffer<T>>,
        samples: usize,
        seed: Seed<'_, T>,
        writing: Option<&Writing>,
        input: bool,
    ) -> Trace<T> {
        let cotangents = match seed {
            Seed::Outputs => self.network.outputs(),
            Seed::Given(_) => 1,
        };
        // Sums over tiles must not depend on the number of threads.
        let rows = if writing.is_some_and(|writing| writing.summed) {
            let (values, widest) = self.extent(cotangents);
            equal_tiles::<T>(samples, self.network.parameters, values, widest)
        } else {
            self.tile_rows(samples, cotangents)
        };
        let mut kept = Kept::outputs(self.network, samples, cotangents);
        if let Some(writing) = writing {
            kept = kept.with_parts(writing, samples.div_ceil(rows));
        }
        kept = if input { kept.with_input() } else { kept };
        let works = kept.tiles(rows);
        self.device.for_each(self.cost(samples), works, |operations, work| {
            self.trace_tile(operations, self.input(x, &work.samples), seed, cotangents, work);
        });
        kept.into_trace(x)
    }

    /// Both walks of one tile.
    fn trace_tile(
        &self,
        operations: &dyn Operations<T>,
        x: Tile<'_, T>,
        seed: Seed<'_, T>,
        cotangents: usize,
        mut work: TileWork<'_, T>,
    ) {
        let Network { slots, memory, .. } = self.network;
        let (last, rows, delta_rows) = (slots.len() - 1, work.samples.len(), work.samples.len() * cotangents);
        let places = Places::new(self.network, |slot| work.deltas[slot].is_some());
        let of_values = Values::scratch(self.network, &work.values, rows);
        memory.lend(of_values + places.length() * delta_rows, |mut memory| {
            let mut values = Values::new(self.network, &mut work.values, rows, &mut memory);
            self.forward_tile(operations, x, &mut values);
            let own = work.deltas.iter_mut().map(|own| own.as_mut().map(TileMut::reborrow));
            let mut deltas = Deltas::new(self.network, &places, delta_rows, own, &mut memory);
            if let Some(start) = deltas.as_it_is(last) {
                match seed {
                    Seed::Outputs => write_unit_vectors(start),
                    Seed::Given(write) => {
                        write(work.samples.clone(), values.read(last, x, &(0..rows)), start);
                    }
                }
            }
            let mut gradients = Gradients { rows: &mut work.gradients, biases: &mut work.bias_gradients };
            self.backward_tile(operations, x, &mut values, &mut deltas, &mut gradients);
        });
    }

    /// The first layer whose output is infinite or not a number for one of the samples.
    pub(crate) fn first_non_finite(&self, x: &Buffer<T>, samples: usize) -> Option<String> {
        let mut buffers: Vec<_> = self.network.slots[1..].iter().map(|slot| Buffer::zeros(samples * slot)).collect();
        let with_slots = buffers.iter_mut().zip(&self.network.slots[1..]);
        let values = with_slots.map(|(buffer, &slot)| buffer.tile_mut(0, samples, slot)).collect();
        // Every slot has memory of its own, so that the first layer is found.
        let homes: Vec<_> = (0..self.network.slots.len()).collect();
        let mut values = Values::apart(&self.network.slots, &homes, samples, values);
        self.forward_tile(&self.device.operations::<T>(), self.input(x, &(0..samples)), &mut values);
        drop(values);
        let bad = buffers.into_iter().position(|value| value.into_host().iter().any(|v| !v.is_finite()))?;
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
        let (values, widest) = self.extent(cotangents);
        self.device.tile_samples::<T>(samples, self.network.parameters, values, widest)
    }

    /// Numbers of values and deltas of a sample, of all slots together and of the widest.
    fn extent(&self, cotangents: usize) -> (usize, usize) {
        let slots = &self.network.slots;
        (slots.iter().sum::<usize>() * (1 + cotangents), slots.iter().max().map_or(0, |&slot| slot * (1 + cotangents)))
    }
}

/// Row (i, a) = e_a.
fn write_unit_vectors<T: Scalar>(deltas: TileMut<'_, T>) {
    let outputs = deltas.columns();
    deltas.for_each_row(|row, values| {
        values.fill(T::ZERO);
        values[row % outputs] = T::ONE;
    });
}

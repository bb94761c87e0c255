//! One tile forwards and backwards for the sake of its input gradient, in memory that is kept between calls.

use super::{TileMut, Walker};
use crate::device::{Operations, Tile, carve};
use crate::model::differentiable::{Cotangent, InputPass};
use crate::scalar::Scalar;

impl<T: Scalar> Walker<'_, T> {
    /// f(x) of a tile and, where there are cotangents, ∂⟨u, f(x)⟩/∂x. Allocates only where `pass` is too small.
    pub(crate) fn input_pass(
        &self,
        operations: &dyn Operations<T>,
        x: Tile<'_, T>,
        cotangent: Option<&mut Cotangent<'_, T>>,
        pass: &mut InputPass<T>,
    ) {
        let (network, rows) = (self.network, x.rows());
        let last = network.slots.len() - 1;
        let (inputs, outputs) = (network.inputs(), network.outputs());
        let has_delta = |slot: usize| slot > 0 && network.homes[slot] == slot;
        let length = |slot: usize| rows * network.slots[slot];
        let values_length: usize = (1..last).map(length).sum();
        let deltas_length: usize =
            if cotangent.is_some() { (1..=last).filter(|&slot| has_delta(slot)).map(length).sum() } else { 0 };
        pass.outputs.resize(rows * outputs, T::ZERO);
        if pass.scratch.len() < values_length + deltas_length {
            pass.scratch.resize(values_length + deltas_length, T::ZERO);
        }

        let (values, deltas) = pass.scratch.split_at_mut(values_length);
        let mut rest = values;
        let mut values: Vec<TileMut<'_, T>> = Vec::with_capacity(last);
        for slot in 1..last {
            values.push(TileMut::new(
                rest.split_off_mut(..length(slot)).unwrap_or_default(),
                rows,
                network.slots[slot],
            ));
        }
        values.push(TileMut::new(&mut pass.outputs, rows, outputs));
        self.forward_tile(operations, x, &mut values);

        let Some(cotangent) = cotangent else { return };
        pass.gradient.resize(rows * inputs, T::ZERO);
        let mut rest = deltas;
        let mut deltas: Vec<Option<TileMut<'_, T>>> = Vec::with_capacity(last + 1);
        deltas.push(Some(TileMut::new(&mut pass.gradient, rows, inputs)));
        for slot in 1..=last {
            deltas.push(has_delta(slot).then(|| carve(&mut rest, rows, network.slots[slot])));
        }
        if let Some(start) = &mut deltas[network.homes[last]] {
            let f = values[last - 1].as_tile();
            let rows = f.host().chunks_exact(outputs).zip(start.host().chunks_exact_mut(outputs));
            rows.enumerate().for_each(|(row, (f, u))| cotangent(row, f, u));
        }
        let mut gradients: Vec<_> = network.nodes.iter().map(|_| None).collect();
        self.backward_tile(operations, x, &values, &mut deltas, &mut gradients);
    }
}

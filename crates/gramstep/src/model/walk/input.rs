//! One tile forwards and backwards for the sake of its input gradient, in memory that is kept between calls.

use super::Walker;
use crate::device::{Operations, Tile, TileMut, carve};
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
        network.memory.lend(values_length + deltas_length, |mut memory| {
            let mut values: Vec<_> = (1..last).map(|slot| carve(&mut memory, rows, network.slots[slot])).collect();
            values.push(TileMut::new(&mut pass.outputs, rows, outputs));
            self.forward_tile(operations, x, &mut values);

            let Some(cotangent) = cotangent else { return };
            pass.gradient.resize(rows * inputs, T::ZERO);
            let mut deltas = vec![Some(TileMut::new(&mut pass.gradient, rows, inputs))];
            deltas
                .extend((1..=last).map(|slot| has_delta(slot).then(|| carve(&mut memory, rows, network.slots[slot]))));
            if let Some(start) = &mut deltas[network.homes[last]] {
                let f = values[last - 1].as_tile();
                let rows = f.host().chunks_exact(outputs).zip(start.host().chunks_exact_mut(outputs));
                rows.enumerate().for_each(|(row, (f, u))| cotangent(row, f, u));
            }
            let mut gradients: Vec<_> = network.nodes.iter().map(|_| None).collect();
            self.backward_tile(operations, x, &values, &mut deltas, &mut gradients);
        });
    }
}

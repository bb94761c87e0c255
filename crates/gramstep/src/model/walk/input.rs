//! One tile forwards and backwards for the sake of its input gradient, in memory that is kept between calls.

use super::Walker;
use super::deltas::{Deltas, Places};
use super::memory::Gradients;
use super::values::Values;
use crate::device::{Operations, Tile, TileMut};
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
        let places = Places::new(network, |_| false);
        let deltas_length = if cotangent.is_some() { rows * places.length() } else { 0 };
        pass.outputs.resize(rows * outputs, T::ZERO);
        let mut kept: Vec<_> = (1..last).map(|_| None).collect();
        kept.push(Some(TileMut::new(&mut pass.outputs, rows, outputs)));
        let of_values = Values::scratch(network, &kept, rows);
        network.memory.lend(of_values + deltas_length, |mut memory| {
            let mut values = Values::new(network, &mut kept, rows, &mut memory);
            self.forward_tile(operations, x, &mut values);

            let Some(cotangent) = cotangent else { return };
            pass.gradient.resize(rows * inputs, T::ZERO);
            let gradient = TileMut::new(&mut pass.gradient, rows, inputs);
            let own = std::iter::once(Some(gradient)).chain((1..=last).map(|_| None));
            let mut deltas = Deltas::new(network, &places, rows, own, &mut memory);
            if let Some(mut start) = deltas.as_it_is(last) {
                let f = values.read(last, x, &(0..rows));
                let rows = f.host().chunks_exact(outputs).zip(start.host().chunks_exact_mut(outputs));
                rows.enumerate().for_each(|(row, (f, u))| cotangent(row, f, u));
            }
            let mut gradients = Gradients { rows: &mut [], biases: &mut [] };
            self.backward_tile(operations, x, &mut values, &mut deltas, &mut gradients);
        });
    }
}

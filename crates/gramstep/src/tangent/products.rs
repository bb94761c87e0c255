//! J v and Jᵀc from activations and deltas.

use super::part::Part;
use super::{TangentFeatures, upload};
use crate::device::{Buffer, Operations, Tile, TileMut, WriteMode};
use crate::error::{Result, check_extent};
use crate::scalar::Scalar;

impl<T: Scalar> TangentFeatures<T> {
    /// J v, one number per (sample, output). v: p. Frozen spans do not move.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if v does not have p entries.
    pub fn jvp(&self, v: &[T]) -> Result<Vec<T>> {
        check_extent("direction in parameter space", self.parameters, v.len())?;
        let v = upload(v);
        Ok(self.device().enter(self.cost(), |_| self.jvp_buffer(&v)).into_host())
    }

    /// S Jᵀu, a vector of length p: the combination Σ u_ia ∂f_ia/∂θ of gradients, each span times its weight s
    /// (1 unless set: then it is Jᵀu). u: n·k, ordered (sample, output).
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if u does not have n·k entries.
    pub fn vjp(&self, u: &[T]) -> Result<Vec<T>> {
        self.check_rows("cotangents", u.len())?;
        let mut gradient = Buffer::zeros(self.parameters);
        self.add_vjp(T::ONE, Some(u), &mut gradient);
        Ok(gradient.into_host())
    }

    /// into += α·S Jᵀu; no u means all ones. This is how steps are applied: straight into θ.
    pub(crate) fn add_vjp(&self, alpha: T, u: Option<&[T]>, into: &mut Buffer<T>) {
        debug_assert!(u.is_none() || self.sums.is_empty(), "rows of which only the sum is known");
        let u = u.map(upload);
        self.device().enter(self.cost(), |_| {
            let operations = self.device().operations::<T>();
            for part in &self.parts {
                self.add_part(&operations, part, alpha, u.as_ref(), into);
            }
            for part in &self.sums {
                let tiles = part.gradients.tile(0, part.gradients.len() / part.length.max(1), part.length);
                let factor = alpha * T::from_f64(part.term.weight * part.term.scale);
                operations.column_sums(into.tile_mut(part.term.offset, 1, part.length), factor, tiles);
            }
        });
    }

    pub(crate) fn jvp_buffer(&self, v: &Buffer<T>) -> Buffer<T> {
        let operations = self.device().operations::<T>();
        let (n, k) = (self.samples, self.outputs);
        let mut out = Buffer::zeros(n * k);
        for part in self.parts.iter().filter(|_| n > 0) {
            match part {
                Part::Linear(part) if !part.is_frozen() => {
                    let rows = n * part.places;
                    let mut y = Buffer::zeros(rows * part.outputs);
                    if let Some(bias) = part.bias.filter(|bias| bias.weight > 0.0) {
                        let mut row = vec![T::ZERO; part.outputs];
                        let b = v.tile(bias.offset, 1, part.outputs);
                        operations.axpby(TileMut::new(&mut row, 1, part.outputs), T::ZERO, T::from_f64(bias.scale), b);
                        operations.fill_rows(y.tile_mut(0, rows, part.outputs), Tile::new(&row, 1, part.outputs));
                    }
                    if part.weight.weight > 0.0 {
                        let w = v.tile(part.weight.offset, part.outputs, part.inputs);
                        part.apply(&operations, y.tile_mut(0, rows, part.outputs), w);
                    }
                    let y = y.tile(0, n, part.places * part.outputs);
                    operations.row_dots(out.tile_mut(0, n, k), y, part.wide_deltas(n * k));
                }
                Part::Explicit(part) if part.term.weight > 0.0 => {
                    let gradients = part.gradients.tile(0, n * k, part.length);
                    let v = v.tile(part.term.offset, part.length, 1);
                    let scale = T::from_f64(part.term.scale);
                    operations.product(out.tile_mut(0, n * k, 1), WriteMode::Accumulate, scale, gradients, v);
                }
                Part::Linear(_) | Part::Explicit(_) => {}
            }
        }
        out
    }

    fn add_part(
        &self,
        operations: &dyn Operations<T>,
        part: &Part<T>,
        alpha: T,
        u: Option<&Buffer<T>>,
        into: &mut Buffer<T>,
    ) {
        let (n, k) = (self.samples, self.outputs);
        match part {
            Part::Linear(part) if !part.is_frozen() => {
                let (rows, width) = (n * part.places, part.places * part.outputs);
                // E_it = Σ_a u_ia D_iat, then Σ_it E_it ⊗ A_it.
                let mut combined = Buffer::zeros(0);
                let scaled = match u {
                    Some(u) => {
                        combined = Buffer::zeros(n * width);
                        let u = u.tile(0, n, k);
                        operations.combine_outputs(combined.tile_mut(0, n, width), u, part.wide_deltas(n * k));
                        combined.tile(0, rows, part.outputs)
                    }
                    None => part.delta_rows(0..n, k),
                };
                let factor = |weight: f64, scale: f64| alpha * T::from_f64(weight * scale);
                if part.weight.weight > 0.0 {
                    let w = part.weight;
                    let out = into.tile_mut(w.offset, part.outputs, part.inputs);
                    part.add_outer(operations, out, factor(w.weight, w.scale), scaled);
                }
                if let Some(b) = part.bias.filter(|bias| bias.weight > 0.0) {
                    let out = into.tile_mut(b.offset, 1, part.outputs);
                    operations.column_sums(out, factor(b.weight, b.scale), scaled);
                }
                drop(combined);
            }
            Part::Explicit(part) if part.term.weight > 0.0 => {
                let gradients = part.gradients.tile(0, n * k, part.length);
                let out = into.tile_mut(part.term.offset, 1, part.length);
                let factor = alpha * T::from_f64(part.term.weight * part.term.scale);
                match u {
                    Some(u) => operations.product(out, WriteMode::Accumulate, factor, u.tile(0, 1, n * k), gradients),
                    None => operations.column_sums(out, factor, gradients),
                }
            }
            Part::Linear(_) | Part::Explicit(_) => {}
        }
    }
}

//! Functions of a sample that are not linear and not pointwise: pools, norms, attention without parameters.

use crate::device::{Operations, Tile, TileMut, WriteMode};
use crate::scalar::Scalar;

/// A function f of the values of a sample, without parameters: a stage between layers. Parameters that act on its result,
/// as the scales of a normalisation do, are a [`Layer`](super::Layer) behind it.
///
/// x is a tile of n samples, one row each; cotangents have q rows for each sample, in the order (sample, cotangent).
///
/// ```
/// use std::sync::Arc;
/// use gramstep::device::{Operations, WriteMode, Tile, TileMut};
/// use gramstep::model::layer::{Nonlinear, Stage};
/// use gramstep::{Matrix, Model};
///
/// /// x·(x₁ + x₂) of samples of two values.
/// #[derive(Debug)]
/// struct TimesSum;
///
/// impl Nonlinear<f64> for TimesSum {
///     fn output_len(&self) -> usize {
///         2
///     }
///     fn value(&self, _: &dyn Operations<f64>, x: Tile<'_, f64>, out: TileMut<'_, f64>) {
///         out.for_each_row(|i, out| for (out, v) in out.iter_mut().zip(x.row(i)) { *out = v * x.row(i).iter().sum::<f64>() });
///     }
///     fn jvp(&self, _: &dyn Operations<f64>, x: Tile<'_, f64>, v: Tile<'_, f64>, out: TileMut<'_, f64>) {
///         out.for_each_row(|i, out| {
///             let (sum, moved): (f64, f64) = (x.row(i).iter().sum(), v.row(i).iter().sum());
///             out.iter_mut().zip(x.row(i).iter().zip(v.row(i))).for_each(|(out, (x, v))| *out = v * sum + x * moved);
///         });
///     }
///     fn vjp(&self, _: &dyn Operations<f64>, x: Tile<'_, f64>, u: Tile<'_, f64>, into: TileMut<'_, f64>, mode: WriteMode) {
///         let cotangents = u.rows() / x.rows();
///         into.for_each_row(|row, into| {
///             let (x, u) = (x.row(row / cotangents), u.row(row));
///             let (sum, product): (f64, f64) = (x.iter().sum(), x.iter().zip(u).map(|(x, u)| x * u).sum());
///             for (into, u) in into.iter_mut().zip(u) {
///                 *into = if mode == WriteMode::Replace { 0.0 } else { *into } + u * sum + product;
///             }
///         });
///     }
///     fn second_order(
///         &self,
///         _: &dyn Operations<f64>,
///         _x: Tile<'_, f64>,
///         v: Tile<'_, f64>,
///         u: Tile<'_, f64>,
///         into: TileMut<'_, f64>,
///     ) {
///         // ⟨u, J v⟩ = ⟨u, v⟩ Σx + ⟨u, x⟩ Σv
///         into.for_each_row(|i, into| {
///             let moved: f64 = v.row(i).iter().sum();
///             let product: f64 = u.row(i).iter().zip(v.row(i)).map(|(u, v)| u * v).sum();
///             into.iter_mut().zip(u.row(i)).for_each(|(into, u)| *into += product + u * moved);
///         });
///     }
/// }
///
/// let model = Model::from_stages(2, vec![Stage::Nonlinear(Arc::new(TimesSum))]).build()?;
/// let x = Matrix::from_vec(1, 2, vec![2.0, 3.0])?;
/// assert_eq!(model.predict(&x)?.as_slice(), [10.0, 15.0]);
/// assert_eq!(model.input_gradient(&x, &Matrix::from_vec(1, 2, vec![1.0, 0.0])?)?.as_slice(), [7.0, 2.0]);
/// # Ok::<(), gramstep::Error>(())
/// ```
pub trait Nonlinear<T: Scalar>: Send + Sync + std::fmt::Debug {
    /// Number of values per sample that it puts out.
    fn output_len(&self) -> usize;

    /// Multiplications for one sample, about.
    fn cost(&self) -> usize {
        self.output_len()
    }

    /// Whether f is linear piece by piece: then every Taylor coefficient of its input goes through J(x) by itself. Others are
    /// expanded to first order alone.
    fn is_piecewise_linear(&self) -> bool {
        false
    }

    /// out = f(x).
    fn value(&self, operations: &dyn Operations<T>, x: Tile<'_, T>, out: TileMut<'_, T>);

    /// out = J(x) ẋ, one direction ẋ for each sample.
    fn jvp(&self, operations: &dyn Operations<T>, x: Tile<'_, T>, tangent: Tile<'_, T>, out: TileMut<'_, T>);

    /// Writes, or adds, J(x_i)ᵀ u_ia. `cotangents`: n·q rows.
    fn vjp(
        &self,
        operations: &dyn Operations<T>,
        x: Tile<'_, T>,
        cotangents: Tile<'_, T>,
        into: TileMut<'_, T>,
        mode: WriteMode,
    );

    /// into += ∂⟨u, J(x) ẋ⟩/∂x, one u and one ẋ for each sample: nothing where f is linear piece by piece. Asked only for
    /// gradients of the linearised network ([`Model::tangent_input_gradient`](crate::Model::tangent_input_gradient)).
    fn second_order(
        &self,
        operations: &dyn Operations<T>,
        x: Tile<'_, T>,
        tangent: Tile<'_, T>,
        cotangent: Tile<'_, T>,
        into: TileMut<'_, T>,
    );
}

//! The vocabulary in which layers, tangent features and optimisers speak to a device.

use std::ops::Range;

use super::buffer::Buffer;
use super::tile::{Tile, TileMut};
use super::window::Window;
use crate::scalar::Scalar;

/// Which derivative of a pointwise function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Order {
    /// φ
    Value,
    /// φ′
    First,
    /// φ″
    Second,
    /// φ‴, of functions that [know it](Pointwise::derivatives)
    Third,
    /// φ⁗, of functions that [know it](Pointwise::derivatives)
    Fourth,
}

impl Order {
    /// From φ on.
    pub(crate) const ALL: [Self; 5] = [Self::Value, Self::First, Self::Second, Self::Third, Self::Fourth];
}

/// A function applied to every number on its own. Activations implement it; so can a user's function.
///
/// ```
/// use std::sync::Arc;
/// use gramstep::device::{Order, Pointwise};
/// use gramstep::model::layer::Stage;
/// use gramstep::{Matrix, Model};
///
/// /// z²
/// #[derive(Debug)]
/// struct Square;
///
/// impl Pointwise<f64> for Square {
///     fn evaluate(&self, order: Order, z: &[f64], out: &mut [f64]) {
///         for (out, z) in out.iter_mut().zip(z) {
///             *out = match order {
///                 Order::Value => z * z,
///                 Order::First => 2.0 * z,
///                 _ => 2.0,
///             };
///         }
///     }
/// }
///
/// let model = Model::from_stages(2, vec![Stage::Pointwise(Arc::new(Square))]).build()?;
/// assert_eq!(model.predict(&Matrix::from_vec(1, 2, vec![2.0, -3.0])?)?.as_slice(), [4.0, 9.0]);
/// # Ok::<(), gramstep::Error>(())
/// ```
pub trait Pointwise<T: Scalar>: Send + Sync + std::fmt::Debug {
    /// out_i = φ(z_i), φ′(z_i), φ″(z_i), and up to as many derivatives as it [knows](Self::derivatives).
    fn evaluate(&self, order: Order, z: &[T], out: &mut [T]);

    /// How many derivatives [`evaluate`](Self::evaluate) knows, 2 to 4. Taylor expansions of order 3 and 4 ask for so many.
    fn derivatives(&self) -> usize {
        2
    }

    /// Whether φ′(φ(z)) = φ′(z) for every z. Then the value may take the place of its argument, from which
    /// [`backward`](Self::backward) finds the same slope.
    fn slope_is_of_value(&self) -> bool {
        false
    }

    /// delta_i ← delta_i · φ′(z_i).
    fn backward(&self, z: &[T], delta: &mut [T]) {
        let mut slope = [T::ZERO; 256];
        for (z, delta) in z.chunks(256).zip(delta.chunks_mut(256)) {
            let slope = &mut slope[..z.len()];
            self.evaluate(Order::First, z, slope);
            for (d, s) in delta.iter_mut().zip(slope) {
                *d *= *s;
            }
        }
    }
}

/// How a result meets what is already there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteMode {
    /// out = α·A·B
    Replace,
    /// out = out + α·A·B
    Accumulate,
}

/// Operations on tiles. Shapes are checked by assertion: a mismatch is a bug of the caller, not of the user.
///
/// "Row (i, a)" of a tile with n·k rows is row i·k + a: sample i, output (or cotangent) a.
///
/// ```
/// use gramstep::Device;
/// use gramstep::device::{Buffer, Operations, WriteMode};
/// let device = Device::cpu(1);
/// let operations = device.operations::<f64>();
/// let (a, b) = (Buffer::upload(vec![1.0, 2.0]), Buffer::upload(vec![3.0, 4.0]));
/// let mut out = Buffer::zeros(1);
/// operations.product(out.tile_mut(0, 1, 1), WriteMode::Replace, 10.0, a.tile(0, 1, 2), b.tile(0, 2, 1));
/// assert_eq!(out.download(), [110.0]);
/// ```
pub trait Operations<T: Scalar>: Sync {
    /// out = α·A·B, or out += α·A·B. A: m×k, B: k×n, out: m×n.
    fn product(&self, out: TileMut<'_, T>, mode: WriteMode, alpha: T, a: Tile<'_, T>, b: Tile<'_, T>);

    /// Every row of `out` = `row` (1×d).
    fn fill_rows(&self, out: TileMut<'_, T>, row: Tile<'_, T>);

    /// out = φ⁽ᵒ⁾(z), element by element.
    fn pointwise(&self, f: &dyn Pointwise<T>, order: Order, z: Tile<'_, T>, out: TileMut<'_, T>);

    /// z ← φ(z), element by element.
    fn pointwise_in_place(&self, f: &dyn Pointwise<T>, z: TileMut<'_, T>) {
        let copy = Buffer::copy(z.as_tile());
        self.pointwise(f, Order::Value, copy.tile(0, z.rows(), z.columns()), z);
    }

    /// delta\[(i,a)\] ← delta\[(i,a)\] ∘ φ′(z_i). z: n×d, delta: n·q×d.
    fn pointwise_backward(&self, f: &dyn Pointwise<T>, z: Tile<'_, T>, delta: TileMut<'_, T>);

    /// out\[(i,a)\] ← out\[(i,a)\] ∘ factor_i. factor: n×d, out: n·q×d.
    fn multiply(&self, out: TileMut<'_, T>, factor: Tile<'_, T>);

    /// out ← β·out + α·x, element by element (β = 0 ignores what was there).
    fn axpby(&self, out: TileMut<'_, T>, beta: T, alpha: T, x: Tile<'_, T>);

    /// out_i = Σ_a c_ia D_ia. c: n×k, deltas: n·k×d, out: n×d.
    fn combine_outputs(&self, out: TileMut<'_, T>, c: Tile<'_, T>, deltas: Tile<'_, T>);

    /// out_ia += y_i · D_ia. y: n×d, deltas: n·k×d, out: n×k.
    fn row_dots(&self, out: TileMut<'_, T>, y: Tile<'_, T>, deltas: Tile<'_, T>);

    /// out += α Σ_i row_i. rows: n×d, out: 1×d.
    fn column_sums(&self, out: TileMut<'_, T>, alpha: T, rows: Tile<'_, T>);

    /// Convolution: out_it (+)= α·W·x_it, where x_it is window t of image i, flattened (row, column, channel).
    /// images: n×(height·width·channels), weight: d_out×window length, out: n×(T·d_out).
    fn convolve(
        &self,
        out: TileMut<'_, T>,
        mode: WriteMode,
        alpha: T,
        window: &Window,
        images: Tile<'_, T>,
        weight: Tile<'_, T>,
    );

    /// Its transpose in the image: `into`_i (+)= α·∂⟨δ_i, W ∗ x_i⟩/∂x_i. deltas: n×(T·d_out), `into`: n×image.
    fn convolve_backward(
        &self,
        into: TileMut<'_, T>,
        mode: WriteMode,
        alpha: T,
        window: &Window,
        deltas: Tile<'_, T>,
        weight: Tile<'_, T>,
    );

    /// Its gradients in the weight: P_ia = Σ_t δ_iat ⊗ x_it. images: n×image, deltas: n·q×(T·d_out),
    /// out: n·q×(d_out·window length).
    fn convolve_gradients(&self, out: TileMut<'_, T>, window: &Window, images: Tile<'_, T>, deltas: Tile<'_, T>);

    /// out += α Σ_ia P_ia, without the P_ia. out: d_out×window length.
    fn convolve_gradient_sum(
        &self,
        out: TileMut<'_, T>,
        alpha: T,
        window: &Window,
        images: Tile<'_, T>,
        deltas: Tile<'_, T>,
    );

    /// The windows themselves: out_it = x_it. out: n·T×window length.
    fn unfold(&self, out: TileMut<'_, T>, window: &Window, images: Tile<'_, T>);

    /// out_it (+)= α times the sum over window t, channel by channel. images: n×image, out: n×(T·channels).
    fn pool(&self, out: TileMut<'_, T>, mode: WriteMode, alpha: T, window: &Window, images: Tile<'_, T>);

    /// Its transpose. deltas: n×(T·channels), `into`: n×image.
    fn pool_backward(&self, into: TileMut<'_, T>, mode: WriteMode, alpha: T, window: &Window, deltas: Tile<'_, T>);

    /// Takes from `x`, channel by channel, the pixel at which window t of image i is largest (the first of several; the
    /// border does not count): with the images as `x` this is the max pool, with their tangents its derivative.
    /// images, x: n×image, out: n×(T·channels).
    fn max_pool(&self, out: TileMut<'_, T>, window: &Window, images: Tile<'_, T>, x: Tile<'_, T>);

    /// Its transpose in `x`. deltas: n·q×(T·channels), `into`: n·q×image.
    fn max_pool_backward(
        &self,
        into: TileMut<'_, T>,
        mode: WriteMode,
        window: &Window,
        images: Tile<'_, T>,
        deltas: Tile<'_, T>,
    );

    /// out\[:, to..\] (+)= x\[:, columns\], both seen as matrices of equally many rows.
    fn copy_columns(&self, out: TileMut<'_, T>, mode: WriteMode, to: usize, x: Tile<'_, T>, columns: Range<usize>);

    /// out (+)= scale·x + shift, number by number.
    fn scale_shift(&self, out: TileMut<'_, T>, mode: WriteMode, scale: T, shift: T, x: Tile<'_, T>);

    /// out\[(i,a),(j,b)\] += (scale·aa_ij + shift)·dd\[(i,a),(j,b)\]. aa: n×m; dd, out: n·k×m·q.
    fn gram_accumulate(&self, out: TileMut<'_, T>, scale: T, shift: T, aa: Tile<'_, T>, dd: Tile<'_, T>);

    /// Whether [`add_row_products`](Self::add_row_products) has a form for so many rows, faster than panels of `product`.
    fn has_row_products(&self, rows: usize, length: usize) -> bool;

    /// out += α A Aᵀ at and below the diagonal. a: n×length, out: n×n.
    fn add_row_products(&self, out: TileMut<'_, T>, alpha: T, a: Tile<'_, T>);

    /// Heavy-ball update: θ ← θ − η·v, then v ← μ·v, in one pass.
    fn momentum_update(&self, theta: TileMut<'_, T>, velocity: TileMut<'_, T>, learning_rate: T, momentum: T);

    /// Adam update in one pass: m ← β₁m + (1−β₁)g, v ← β₂v + (1−β₂)g², θ ← θ − η·(m/c₁)/(√(v/c₂) + ε).
    fn adam_update(&self, state: AdamUpdate<'_, T>, gradient: Tile<'_, T>);
}

/// The arrays and constants of one Adam update.
#[derive(Debug)]
pub struct AdamUpdate<'a, T> {
    /// θ, 1×p.
    pub theta: TileMut<'a, T>,
    /// First moment m, 1×p.
    pub first: TileMut<'a, T>,
    /// Second moment v, 1×p.
    pub second: TileMut<'a, T>,
    /// (β₁, β₂).
    pub decay: (T, T),
    /// (c₁, c₂) = (1 − β₁ᵗ, 1 − β₂ᵗ).
    pub correction: (T, T),
    /// η
    pub learning_rate: T,
    /// ε
    pub epsilon: T,
}

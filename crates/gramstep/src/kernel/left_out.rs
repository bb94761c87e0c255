//! What a trained network says of its own rows if each is left out, by its tangent.
//!
//! ```text
//! f₋ᵢ(x_i) = y_i − ([M⁻¹]_ii)⁻¹(M⁻¹t)_i,    M = K + κW⁻¹,    t = Jθ + y − f
//! ```
//!
//! with the k×k block of row i. These are the predictions of the linearised network, fitted again without row i by the loss
//! ½Σ w_j|r_j|² + ½κ‖θ‖² (allen1974, in function space). κ is the one for which that network, fitted to all rows, leaves
//! residuals of the same size as the trained one: a training that was ended early, or has no weight decay, has one too.

use super::checked;
use super::row_weights::RowWeights;
use crate::error::{Result, check_extent};
use crate::model::Model;
use crate::scalar::Scalar;
use crate::solve::{Eigen, dot, eigen as decompose_any};
use crate::view::{Matrix, MatrixView};

/// Halvings of the interval of log κ.
const HALVINGS: usize = 60;

/// The outputs at every row of a network trained on x (n×inputs) and y (n×k) under the squared loss, if it had been trained
/// without that row; n×k. `weights` w > 0 of the rows; none where all counted the same.
///
/// It takes O((nk)³) operations and the memory of three nk×nk matrices.
///
/// ```
/// use gramstep::kernel::leave_one_out;
/// use gramstep::{Activation, Matrix, Model};
/// let model = Model::<f64>::mlp(&[1, 16, 1], Activation::Tanh).seed(1).build()?;
/// let x = Matrix::from_fn(10, 1, |i, _| i as f64 / 5.0 - 1.0);
/// let y = model.predict(&x)?; // as if it had been trained
/// let f = leave_one_out(&model, &x, &y, None)?;
/// assert!((1..9).all(|i| (f[(i, 0)] - y[(i, 0)]).abs() < 0.01), "a smooth function is known from the other rows");
/// # Ok::<(), gramstep::Error>(())
/// ```
///
/// # Errors
/// [`Error::Shape`](crate::Error::Shape) if sizes differ, [`Error::Setting`](crate::Error::Setting) if a weight is not above
/// 0, and those of [`Model::cast`], [`Model::tangent`] and of the decomposition.
pub fn leave_one_out<'x, T: Scalar>(
    model: &Model<T>,
    x: impl Into<MatrixView<'x, T>>,
    y: &Matrix<T>,
    weights: Option<&[f64]>,
) -> Result<Matrix<f64>> {
    let (x, k) = (x.into(), model.outputs());
    let n = x.rows();
    for (what, expected, got) in [
        ("rows of the targets", n, y.rows()),
        ("columns of the targets", k, y.columns()),
        ("sample weights", n, weights.map_or(n, <[f64]>::len)),
    ] {
        check_extent(what, expected, got)?;
    }
    let weights = weights.map_or(Ok(RowWeights::equal()), RowWeights::new)?;
    let root = |row: usize| weights.root(row / k);
    let model = model.cast::<f64>()?;
    let tangent = model.tangent(&Matrix::from_fn(n, x.columns(), |i, j| x.get(i, j).to_f64()))?;
    let residuals: Vec<f64> =
        y.as_slice().iter().zip(tangent.predictions().as_slice()).map(|(y, f)| y.to_f64() - f).collect();
    let t: Vec<f64> = tangent.jvp(&model.theta())?.iter().zip(&residuals).map(|(own, r)| own + r).collect();
    let mut kernel = tangent.gram();
    for i in 0..n * k {
        kernel.row_mut(i).iter_mut().enumerate().for_each(|(j, entry)| *entry = root(i) * *entry * root(j));
    }
    let work = ((n * k) as f64).powi(3);
    let eigen = model.device().enter(work, |threads| checked::decompose(&kernel, threads))?;
    drop(kernel);
    let weighed = |values: &[f64]| values.iter().enumerate().map(|(i, v)| root(i) * v).collect::<Vec<f64>>();
    let (q, left) = (eigen.project(&weighed(&t)), weighed(&residuals));
    let ridge = ridge_that_leaves(&eigen, &q, dot(&left, &left));

    // U Uᵀ = M⁻¹.
    let scale: Vec<f64> = eigen.values.iter().map(|e| (e.max(0.0) + ridge).sqrt().recip()).collect();
    let u = eigen.scaled(&scale);
    let q: Vec<f64> = q.iter().zip(&scale).map(|(q, scale)| q * scale).collect();
    let mut outputs = Matrix::zeros(n, k);
    for i in 0..n {
        let block = Matrix::from_fn(k, k, |a, b| dot(u.row(i * k + a), u.row(i * k + b)));
        let c: Vec<f64> = (0..k).map(|a| dot(u.row(i * k + a), &q)).collect();
        let off = if k == 1 { vec![c[0] / block[(0, 0)]] } else { decompose_any(&block, 1)?.solve(0.0, &c) };
        for (a, off) in off.into_iter().enumerate() {
            outputs[(i, a)] = y[(i, a)].to_f64() - off / weights.root(i);
        }
    }
    Ok(outputs)
}

/// κ with |κ(E + κ)⁻¹q|² = `left`, which rises with κ; the nearest one where there is none.
fn ridge_that_leaves(eigen: &Eigen, q: &[f64], left: f64) -> f64 {
    let mean = eigen.values.iter().map(|e| e.max(0.0)).sum::<f64>() / eigen.values.len().max(1) as f64;
    let leaves = |ridge: f64| {
        let share = |(e, q): (&f64, &f64)| (q * ridge / (e.max(0.0) + ridge)).powi(2);
        eigen.values.iter().zip(q).map(share).sum::<f64>()
    };
    let least = (1e-12 * mean).max(16.0 * eigen.rounding()).max(1e-200);
    let (mut low, mut high) = (least.ln(), least.max(1e9 * mean).ln());
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if leaves(middle.exp()) < left {
            low = middle;
        } else {
            high = middle;
        }
    }
    high.exp()
}

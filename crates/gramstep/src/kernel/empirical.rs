//! Kernels of a network of finite width at its parameters, tile by tile: the tangent kernel J J′ᵀ, and f f′ᵀ.

use std::ops::Range;

use super::tiles::{KernelTiles, check_tile};
use super::which::Which;
use crate::device::{Operations as _, Tile, TileMut, WriteMode};
use crate::error::{Error, Result, check_extent};
use crate::model::Model;
use crate::scalar::Scalar;
use crate::tangent::TangentFeatures;
use crate::view::{Matrix, MatrixView};

/// How the pairs of outputs enter an empirical kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outputs {
    /// All of them: n·k×n′·k, rows and columns (sample, output).
    Full,
    /// The mean over equal outputs, (1/k) Σ_a K\[(i,a),(j,a)\]: n×n′. What has an infinitely wide limit.
    Trace,
    /// One output with itself, K\[(i,a),(j,a)\]: n×n′.
    One(usize),
}

/// The kernel of a model between two sets of points. Tangent features of a tile's points exist only while it is made.
///
/// ```
/// use gramstep::kernel::{EmpiricalKernel, KernelTiles, Outputs, Which};
/// use gramstep::{Activation, Matrix, Model};
/// let model = Model::<f64>::mlp(&[2, 8, 3], Activation::Tanh).seed(1).build()?;
/// let x = Matrix::from_vec(3, 2, vec![0.0, 1.0, 0.5, -0.5, 1.0, 0.2])?;
/// let kernel = EmpiricalKernel::new(&model, &x, &x, Which::Ntk, Outputs::Full)?;
/// assert_eq!(kernel.tile(0..3, 0..3)?.rows(), 9);
/// let whole = model.tangent(&x)?.gram();
/// assert!((kernel.tile(1..2, 0..1)?[(2, 0)] - whole[(5, 0)]).abs() < 1e-13);
/// # Ok::<(), gramstep::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct EmpiricalKernel<'a, T> {
    model: &'a Model<T>,
    rows: MatrixView<'a, T>,
    columns: MatrixView<'a, T>,
    which: Which,
    outputs: Outputs,
}

impl<'a, T: Scalar> EmpiricalKernel<'a, T> {
    /// The kernel between the points `rows` and the points `columns`.
    ///
    /// # Errors
    /// [`Error::Shape`] if the points do not fit the model, [`Error::OutOfRange`] if it has no such output.
    pub fn new(
        model: &'a Model<T>,
        rows: impl Into<MatrixView<'a, T>>,
        columns: impl Into<MatrixView<'a, T>>,
        which: Which,
        outputs: Outputs,
    ) -> Result<Self> {
        let (rows, columns) = (rows.into(), columns.into());
        for got in [rows.columns(), columns.columns()] {
            check_extent("columns of the input", model.inputs(), got)?;
        }
        if let Outputs::One(output) = outputs
            && output >= model.outputs()
        {
            return Err(Error::OutOfRange { what: "output", index: output, count: model.outputs() });
        }
        Ok(Self { model, rows, columns, which, outputs })
    }

    /// Features of points; of one output where one is given.
    fn features(&self, x: MatrixView<'_, T>, output: Option<usize>) -> Result<TangentFeatures<T>> {
        let Some(output) = output else { return self.model.tangent(x) };
        let k = self.model.outputs();
        let seed = move |_, _: Tile<'_, T>, mut seed: TileMut<'_, T>| {
            for row in seed.host().chunks_exact_mut(k) {
                row.fill(T::ZERO);
                row[output] = T::ONE;
            }
        };
        self.model.functional(x, &seed, 0)
    }

    fn tangent_tile(
        &self,
        rows: MatrixView<'_, T>,
        columns: Option<MatrixView<'_, T>>,
        output: Option<usize>,
    ) -> Result<Matrix<T>> {
        let rows = self.features(rows, output)?;
        match columns {
            Some(columns) => rows.cross_gram(&self.features(columns, output)?),
            None => Ok(rows.gram()),
        }
    }

    /// F G′ᵀ of two matrices of outputs.
    fn outer(&self, rows: &Matrix<T>, columns: &Matrix<T>) -> Matrix<T> {
        let mut out = Matrix::zeros(rows.rows(), columns.rows());
        let target = TileMut::new(out.as_mut_slice(), rows.rows(), columns.rows());
        let operations = self.model.device().operations::<T>();
        operations.product(target, WriteMode::Replace, T::ONE, tile(rows), tile(columns).t());
        out
    }

    fn nngp_tile(&self, rows: MatrixView<'_, T>, columns: MatrixView<'_, T>) -> Result<Matrix<T>> {
        let (f, g) = (self.model.predict(rows)?, self.model.predict(columns)?);
        let k = self.model.outputs();
        match self.outputs {
            Outputs::Trace => {
                let mut out = self.outer(&f, &g);
                let share = T::from_f64(1.0 / k as f64);
                out.as_mut_slice().iter_mut().for_each(|v| *v *= share);
                Ok(out)
            }
            Outputs::Full => {
                let column = |f: Matrix<T>| Matrix::from_vec(f.rows() * k, 1, f.into_vec());
                Ok(self.outer(&column(f)?, &column(g)?))
            }
            Outputs::One(output) => {
                let column = |f: &Matrix<T>| Matrix::from_fn(f.rows(), 1, |i, _| f[(i, output)]);
                Ok(self.outer(&column(&f), &column(&g)))
            }
        }
    }
}

fn tile<T: Scalar>(matrix: &Matrix<T>) -> Tile<'_, T> {
    Tile::new(matrix.as_slice(), matrix.rows(), matrix.columns())
}

impl<T: Scalar> KernelTiles<T> for EmpiricalKernel<'_, T> {
    fn samples(&self) -> (usize, usize) {
        (self.rows.rows(), self.columns.rows())
    }

    fn rows_per_sample(&self) -> usize {
        if self.outputs == Outputs::Full { self.model.outputs() } else { 1 }
    }

    fn tile(&self, rows: Range<usize>, columns: Range<usize>) -> Result<Matrix<T>> {
        check_tile(self.samples(), &rows, &columns)?;
        let (x, y) = (self.rows.row_range(rows), self.columns.row_range(columns));
        if self.which == Which::Nngp {
            return self.nngp_tile(x, y);
        }
        match self.outputs {
            Outputs::Full => self.tangent_tile(x, Some(y), None),
            Outputs::One(output) => self.tangent_tile(x, Some(y), Some(output)),
            Outputs::Trace => {
                let k = self.model.outputs();
                let mut sum = self.tangent_tile(x, Some(y), Some(0))?;
                for output in 1..k {
                    let next = self.tangent_tile(x, Some(y), Some(output))?;
                    sum.as_mut_slice().iter_mut().zip(next.as_slice()).for_each(|(sum, &next)| *sum += next);
                }
                let share = T::from_f64(1.0 / k as f64);
                sum.as_mut_slice().iter_mut().for_each(|v| *v *= share);
                Ok(sum)
            }
        }
    }
}

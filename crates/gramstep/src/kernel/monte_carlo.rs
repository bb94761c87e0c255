//! The kernel of a finite network averaged over its initialisations.

use std::sync::atomic::{AtomicBool, Ordering};

use super::empirical::{EmpiricalKernel, Outputs};
use super::tiles::KernelTiles as _;
use super::which::Which;
use crate::error::{Error, Result, check_setting};
use crate::model::Model;
use crate::scalar::Scalar;
use crate::view::{Matrix, MatrixView};

/// Points of a tile.
const TILE: usize = 512;

/// The mean of a kernel over random initialisations, and how sure it is.
///
/// With growing width the mean tends to the kernel of infinite width, the NNGP kernel (mean of f f′ᵀ) and the NTK (mean of
/// J J′ᵀ) alike; at a given width it keeps a bias of order 1/width, which more draws do not take away.
///
/// ```
/// use gramstep::kernel::{InfiniteKernel, MonteCarloKernel, Outputs, Which};
/// use gramstep::model::Parameterization;
/// use gramstep::{Activation, Device, Matrix, Model, Specification};
/// let ntk = Parameterization::Ntk { weight_variance: 1.5, bias_variance: 0.1 };
/// let network = Specification::mlp(&[2, 128, 1], Activation::Erf).with_parameterization(ntk);
/// let x = Matrix::from_vec(3, 2, vec![0.0, 1.0, 0.5, -0.5, 1.0, 0.2])?;
/// let model = Model::<f64>::builder(network.clone()).build()?;
/// let mean = MonteCarloKernel::new(&model, &x, None, Which::Ntk, Outputs::Trace).draw(64, 7, None)?;
/// let limit = InfiniteKernel::new(&network)?.points(&x, &Device::cpu(1))?.gram(Which::Ntk);
/// let off = (mean.mean[(1, 0)] - limit[(1, 0)]).abs();
/// assert!(off < 4.0 * mean.standard_error[(1, 0)] && mean.draws == 64);
/// # Ok::<(), gramstep::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct MonteCarlo {
    /// The mean over draws.
    pub mean: Matrix<f64>,
    /// The standard deviation of draws over √draws, entry by entry.
    pub standard_error: Matrix<f64>,
    /// How many initialisations were drawn.
    pub draws: usize,
}

/// Which kernel of which network is averaged.
///
/// ```
/// use gramstep::kernel::{MonteCarloKernel, Outputs, Which};
/// use gramstep::{Activation, Matrix, Model};
/// let (model, x) = (Model::<f64>::mlp(&[2, 8, 1], Activation::Tanh).build()?, Matrix::zeros(3, 2));
/// let kernel = MonteCarloKernel::new(&model, &x, None, Which::Nngp, Outputs::Trace);
/// assert_eq!(kernel.draw(5, 1, None)?, kernel.draw(5, 1, None)?);
/// # Ok::<(), gramstep::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct MonteCarloKernel<'a, T> {
    model: &'a Model<T>,
    rows: MatrixView<'a, T>,
    /// The rows again where there are none.
    columns: Option<MatrixView<'a, T>>,
    which: Which,
    outputs: Outputs,
}

impl<'a, T: Scalar> MonteCarloKernel<'a, T> {
    /// The kernel of networks like `model` between the points `rows` and `columns`, the rows themselves where there are none;
    /// the parameters that `model` has play no part.
    #[must_use]
    pub fn new(
        model: &'a Model<T>,
        rows: impl Into<MatrixView<'a, T>>,
        columns: Option<MatrixView<'a, T>>,
        which: Which,
        outputs: Outputs,
    ) -> Self {
        Self { model, rows: rows.into(), columns, which, outputs }
    }

    /// The mean over `draws` initialisations of the seeds `seed`, `seed` + 1, …; 2 or more, since one says nothing of its error.
    ///
    /// # Errors
    /// [`Error::Setting`] for fewer draws, [`Error::Interrupted`] once `stop` is set, those of [`EmpiricalKernel`].
    pub fn draw(&self, draws: usize, seed: u64, stop: Option<&AtomicBool>) -> Result<MonteCarlo> {
        check_setting(draws > 1, "draws", &draws, "2 or more")?;
        let (mut mean, mut squares) = (Matrix::<f64>::zeros(0, 0), Matrix::<f64>::zeros(0, 0));
        for draw in 0..draws {
            if stop.is_some_and(|stop| stop.load(Ordering::Relaxed)) {
                return Err(Error::Interrupted);
            }
            let model = self.model.redrawn(seed.wrapping_add(draw as u64))?;
            let columns = self.columns.unwrap_or(self.rows);
            let kernel = EmpiricalKernel::new(&model, self.rows, columns, self.which, self.outputs)?;
            let kernel = if self.columns.is_some() { kernel.matrix(TILE) } else { kernel.symmetric_matrix(TILE) }?;
            if draw == 0 {
                (mean, squares) =
                    (Matrix::zeros(kernel.rows(), kernel.columns()), Matrix::zeros(kernel.rows(), kernel.columns()));
            }
            // Welford's recursion keeps the digits of a deviation that is small beside its mean.
            let sums = mean.as_mut_slice().iter_mut().zip(squares.as_mut_slice());
            for ((mean, square), value) in sums.zip(kernel.as_slice()) {
                let off = value.to_f64() - *mean;
                *mean += off / (draw + 1) as f64;
                *square += off * (value.to_f64() - *mean);
            }
        }
        let standard_error = Matrix::from_fn(mean.rows(), mean.columns(), |i, j| {
            (squares[(i, j)] / ((draws - 1) * draws) as f64).sqrt()
        });
        Ok(MonteCarlo { mean, standard_error, draws })
    }
}

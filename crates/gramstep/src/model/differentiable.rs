//! Functions of an input that can be differentiated with respect to it: networks, their linearisations, kernel
//! regressors. Attacks need nothing else of a model.

use std::ops::Deref;
use std::sync::Arc;

use super::Model;
use crate::device::{Device, Operations, Tile};
use crate::error::Result;
use crate::scalar::Scalar;

/// Writes the cotangent u_i (k numbers) of row i of a tile, given that row's outputs.
pub type Cotangent<'a, T> = dyn FnMut(usize, &[T], &mut [T]) + 'a;

/// What an evaluation leaves behind, its memory kept from one evaluation to the next.
#[derive(Clone, Debug, Default)]
pub struct InputPass<T> {
    /// f(x), n×k row by row.
    pub outputs: Vec<T>,
    /// ∂⟨u_i, f(x_i)⟩/∂x_i, n×d row by row; untouched by an evaluation without gradient.
    pub gradient: Vec<T>,
}

/// A function of the input, f: ℝᵈ → ℝᵏ, with its gradient.
///
/// Implemented for [`Model`]; implement it for anything else that should be attacked by the same call.
///
/// ```
/// use gramstep::device::{Operations, Tile};
/// use gramstep::model::{Cotangent, Differentiable, InputPass};
/// use gramstep::{Device, Matrix, Result, attack::{Attack, Criterion, Fgsm, Problem, Shift, ThreatModel}};
///
/// /// f(x) = x₁ − x₂
/// struct Difference(Device);
///
/// impl Differentiable<f64> for Difference {
///     fn inputs(&self) -> usize {
///         2
///     }
///     fn outputs(&self) -> usize {
///         1
///     }
///     fn device(&self) -> &Device {
///         &self.0
///     }
///     fn cost(&self) -> f64 {
///         1.0
///     }
///     fn evaluate(&self, _: &dyn Operations<f64>, x: Tile<'_, f64>, pass: &mut InputPass<f64>) -> Result<()> {
///         pass.outputs = (0..x.rows()).map(|i| x.row(i)[0] - x.row(i)[1]).collect();
///         Ok(())
///     }
///     fn pull_back(
///         &self,
///         operations: &dyn Operations<f64>,
///         x: Tile<'_, f64>,
///         cotangent: &mut Cotangent<'_, f64>,
///         pass: &mut InputPass<f64>,
///     ) -> Result<()> {
///         self.evaluate(operations, x, pass)?;
///         pass.gradient.clear();
///         for (i, f) in pass.outputs.iter().enumerate() {
///             let mut u = [0.0];
///             cotangent(i, &[*f], &mut u);
///             pass.gradient.extend([u[0], -u[0]]);
///         }
///         Ok(())
///     }
/// }
///
/// let (model, x, y, up) = (Difference(Device::cpu(1)), Matrix::zeros(1, 2), Matrix::zeros(1, 1), Shift::up(0));
/// let problem = Problem::new(&model, &x, &y).with_goal(&up).with_criterion(Criterion::Moved(0.1));
/// assert!((Fgsm.run(&problem, &ThreatModel::linf(0.5)?)?.after() - 1.0).abs() < 1e-12);
/// # Ok::<(), gramstep::Error>(())
/// ```
pub trait Differentiable<T: Scalar>: Sync {
    /// d, the number of values of one sample.
    fn inputs(&self) -> usize;

    /// k, the number of outputs of one sample.
    fn outputs(&self) -> usize;

    /// Where it computes.
    fn device(&self) -> &Device;

    /// Multiplications of evaluating one sample, about.
    fn cost(&self) -> f64;

    /// How many samples to evaluate at once, if `samples` have to be evaluated many times.
    fn tile_samples(&self, samples: usize) -> usize {
        self.device().even_tiles(samples, LARGEST_TILE)
    }

    /// f(x) of a tile (n×d).
    ///
    /// # Errors
    /// [`Error::NonFinite`](crate::Error::NonFinite) if an output is infinite or not a number.
    fn evaluate(&self, operations: &dyn Operations<T>, x: Tile<'_, T>, pass: &mut InputPass<T>) -> Result<()>;

    /// f(x) and ∂⟨u_i, f(x_i)⟩/∂x_i of a tile (n×d), with u_i written by `cotangent` once f(x_i) is known.
    ///
    /// # Errors
    /// [`Error::NonFinite`](crate::Error::NonFinite) if an output is infinite or not a number.
    fn pull_back(
        &self,
        operations: &dyn Operations<T>,
        x: Tile<'_, T>,
        cotangent: &mut Cotangent<'_, T>,
        pass: &mut InputPass<T>,
    ) -> Result<()>;
}

/// A model that several own.
#[derive(Debug)]
pub struct Shared<M: ?Sized>(pub Arc<M>);

impl<M: ?Sized> Deref for Shared<M> {
    type Target = M;

    fn deref(&self) -> &M {
        &self.0
    }
}

macro_rules! points_to_a_model {
    ($($pointer:ty: $bound:ident),*) => {
        $(
            impl<T: Scalar, M: Differentiable<T> + $bound + ?Sized> Differentiable<T> for $pointer {
                fn inputs(&self) -> usize {
                    (**self).inputs()
                }

                fn outputs(&self) -> usize {
                    (**self).outputs()
                }

                fn device(&self) -> &Device {
                    (**self).device()
                }

                fn cost(&self) -> f64 {
                    (**self).cost()
                }

                fn tile_samples(&self, samples: usize) -> usize {
                    (**self).tile_samples(samples)
                }

                fn evaluate(&self, operations: &dyn Operations<T>, x: Tile<'_, T>, pass: &mut InputPass<T>) -> Result<()> {
                    (**self).evaluate(operations, x, pass)
                }

                fn pull_back(
                    &self,
                    operations: &dyn Operations<T>,
                    x: Tile<'_, T>,
                    cotangent: &mut Cotangent<'_, T>,
                    pass: &mut InputPass<T>,
                ) -> Result<()> {
                    (**self).pull_back(operations, x, cotangent, pass)
                }
            }
        )*
    };
}
points_to_a_model!(&M: Sync, Shared<M>: Send);

/// Rows of the largest tile: enough for products to run at full speed.
const LARGEST_TILE: usize = 256;

/// Bytes that the values and deltas of a tile may take on each thread.
const TILE_BYTES: usize = 64 << 20;

impl<T: Scalar> Differentiable<T> for Model<T> {
    fn inputs(&self) -> usize {
        Self::inputs(self)
    }

    fn outputs(&self) -> usize {
        Self::outputs(self)
    }

    fn device(&self) -> &Device {
        Self::device(self)
    }

    fn cost(&self) -> f64 {
        self.network().cost
    }

    fn tile_samples(&self, samples: usize) -> usize {
        let bytes = 2 * self.network().slots.iter().sum::<usize>() * size_of::<T>();
        Self::device(self).even_tiles(samples, (TILE_BYTES / bytes.max(1)).clamp(1, LARGEST_TILE))
    }

    fn evaluate(&self, operations: &dyn Operations<T>, x: Tile<'_, T>, pass: &mut InputPass<T>) -> Result<()> {
        self.walker().input_pass(operations, x, None, pass);
        self.finite(x, pass)
    }

    fn pull_back(
        &self,
        operations: &dyn Operations<T>,
        x: Tile<'_, T>,
        cotangent: &mut Cotangent<'_, T>,
        pass: &mut InputPass<T>,
    ) -> Result<()> {
        self.walker().input_pass(operations, x, Some(cotangent), pass);
        self.finite(x, pass)
    }
}

impl<T: Scalar> Model<T> {
    fn finite(&self, x: Tile<'_, T>, pass: &InputPass<T>) -> Result<()> {
        if pass.outputs.iter().all(|value| value.is_finite()) {
            return Ok(());
        }
        let x = crate::device::Buffer::upload(x.host().to_vec());
        Err(self.non_finite(&x, x.len() / Self::inputs(self).max(1)))
    }
}

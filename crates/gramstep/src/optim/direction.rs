//! The direction φ of a Gram-Gauss-Newton step at one damping.

use super::damping::Damping;
use super::gram_gauss_newton::config::GramGaussNewtonConfig;
use super::system::{Solution, System};
use crate::communicator::Serial;
use crate::device::{Buffer, Operations};
use crate::error::{Result, check_extent, check_not_negative};
use crate::loss::LinearisedLoss;
use crate::scalar::Scalar;
use crate::solve::{SolveInfo, Solver, norm};
use crate::tangent::{JointFeatures, TangentFeatures};

/// A direction that was found, in the space in which it was found until a product of its own is asked of it.
pub(super) struct Direction<T> {
    form: Form<T>,
    /// J̃φ, where the solve tells it without a product.
    image: Option<Vec<f64>>,
    pub(super) solve: SolveInfo,
}

enum Form<T> {
    /// c of φ = S JᵀB c, n·k.
    Rows(Vec<f64>),
    /// φ, p.
    Vector(Buffer<T>),
}

impl<T: Scalar> Direction<T> {
    /// φ = m + J̃ᵀ(J̃J̃ᵀ + kI)⁻¹(z − J̃m), with m = 0 where there is no anchor.
    pub(super) fn solve(system: &System<'_, T>, anchor: Option<Buffer<T>>, damping: f64) -> Result<Self> {
        let z = &system.linear().z;
        let mut rhs = z.clone();
        if let Some(anchor) = &anchor {
            rhs.iter_mut().zip(system.image(anchor)?).for_each(|(r, image)| *r -= image);
        }
        let (solution, solve) = system.solve(&rhs, damping)?;
        // J̃φ = J̃m + J̃J̃ᵀc with J̃J̃ᵀc = z − J̃m − kc.
        let image = match &solution {
            Solution::Rows(c) if solve.solver == Solver::Dual && !solve.repaired => {
                Some(z.iter().zip(c).map(|(z, c)| z - solve.damping * c).collect())
            }
            _ => None,
        };
        let form = match (solution, anchor) {
            (Solution::Rows(c), None) => Form::Rows(c),
            (Solution::Rows(c), Some(mut anchor)) => {
                system.add_lifted(T::ONE, &c, &mut anchor)?;
                Form::Vector(anchor)
            }
            (Solution::Parameters(values), anchor) => {
                let mut vector = Buffer::upload(values.into_iter().map(T::from_f64).collect());
                if let Some(anchor) = anchor {
                    add(system, T::ONE, &anchor, &mut vector);
                }
                Form::Vector(vector)
            }
        };
        Ok(Self { form, image, solve })
    }

    /// φ, p. The product Jᵀ(B c) is made once, however often it is asked for.
    pub(super) fn vector(&mut self, system: &System<'_, T>) -> Result<&Buffer<T>> {
        if let Form::Rows(c) = &self.form {
            self.form = Form::Vector(system.lift(c)?);
        }
        match &self.form {
            Form::Vector(vector) => Ok(vector),
            Form::Rows(_) => unreachable!("lifted above"),
        }
    }

    /// φ, p, and nothing else of the direction.
    pub(super) fn into_vector(self, system: &System<'_, T>) -> Result<Buffer<T>> {
        match self.form {
            Form::Rows(c) => system.lift(&c),
            Form::Vector(vector) => Ok(vector),
        }
    }

    /// ‖φ‖
    pub(super) fn norm(&mut self, system: &System<'_, T>) -> Result<f64> {
        Ok(norm(&super::state::widen(self.vector(system)?)))
    }

    /// J φ, n·k.
    pub(super) fn output_change(&mut self, system: &System<'_, T>) -> Result<Vec<f64>> {
        system.output_change(self.vector(system)?)
    }

    /// J̃φ, n·k.
    pub(super) fn image(&mut self, system: &System<'_, T>) -> Result<Vec<f64>> {
        match self.image.take() {
            Some(image) => Ok(image),
            None => system.image(self.vector(system)?),
        }
    }

    /// into += α·φ. Where nothing else has asked for φ, Jᵀ(B c) is added straight into it.
    ///
    /// # Errors
    /// If a process is gone; `into` is left as it was.
    pub(super) fn add_to(&self, system: &System<'_, T>, alpha: T, into: &mut Buffer<T>) -> Result<()> {
        match &self.form {
            Form::Rows(c) => system.add_lifted(alpha, c, into),
            Form::Vector(vector) => {
                add(system, alpha, vector, into);
                Ok(())
            }
        }
    }
}

/// into += α·x.
fn add<T: Scalar>(system: &System<'_, T>, alpha: T, x: &Buffer<T>, into: &mut Buffer<T>) {
    let p = x.len();
    let operations = system.tangent().device().operations::<T>();
    operations.axpby(into.tile_mut(0, 1, p), T::ONE, alpha, x.tile(0, 1, p));
}

/// The system of a step without a model: directions of tangent features and a linearised loss, at any damping.
///
/// With J̃ = BᵀJ S^½ and an anchor m (0 unless given)
///
/// ```text
/// φ = m + J̃ᵀ(J̃J̃ᵀ + kI)⁻¹(z − J̃m)
/// ```
///
/// The Gram matrix is made once, then factored for every damping k that is asked for: what a search of one's own, or
/// features that come [from elsewhere](TangentFeatures::from_parts), need. [`GramGaussNewton`](super::GramGaussNewton)
/// takes m = μφ of the step before for a momentum μ, and (λμφ + κθ)/k for a ridge κ with k = κ + λ.
///
/// ```
/// use gramstep::loss::{LinearisedLoss, SquaredLoss};
/// use gramstep::optim::{GramGaussNewtonConfig, GramSystem};
/// use gramstep::{Activation, Matrix, Model};
/// let mut model = Model::<f64>::mlp(&[1, 32, 1], Activation::Tanh).seed(1).build()?;
/// let x = Matrix::from_vec(3, 1, vec![-1.0, 0.2, 1.0])?;
/// let y = Matrix::from_vec(3, 1, vec![0.5, -0.5, 0.1])?;
/// for _ in 0..10 {
///     let features = model.tangent(&x)?;
///     let linear = LinearisedLoss::new(&SquaredLoss, features.predictions(), &y, None);
///     let system = GramSystem::new(features, linear, &GramGaussNewtonConfig::default())?;
///     let (step, solve) = system.direction(1e-6 * system.mean_diagonal(), None)?;
///     assert!(solve.residual < 1e-8);
///     let theta: Vec<f64> = model.theta().iter().zip(step).map(|(theta, phi)| theta - phi).collect();
///     model.set_theta(&theta)?;
/// }
/// let errors = model.predict(&x)?.as_slice().iter().zip(y.as_slice()).map(|(f, y)| (f - y).abs()).fold(0.0, f64::max);
/// assert!(errors < 1e-6, "{errors}");
/// # Ok::<(), gramstep::Error>(())
/// ```
#[derive(Debug)]
pub struct GramSystem<T>(System<'static, T>);

impl<T: Scalar> GramSystem<T> {
    /// The system of a batch. Of the settings it takes the solver, the memory budget, when conjugate gradients stop,
    /// and the damping and the ridge, which tell whether products of `f32` features have digits enough.
    ///
    /// # Errors
    /// [`Error::Setting`] of settings out of range, [`Error::Shape`] if features and linearisation are not of as many
    /// rows, [`Error::Memory`] if the matrix would exceed the budget, [`Error::NonFinite`] if it holds no numbers.
    ///
    /// [`Error::Setting`]: crate::Error::Setting
    /// [`Error::Shape`]: crate::Error::Shape
    /// [`Error::Memory`]: crate::Error::Memory
    /// [`Error::NonFinite`]: crate::Error::NonFinite
    pub fn new(features: TangentFeatures<T>, linear: LinearisedLoss, settings: &GramGaussNewtonConfig) -> Result<Self> {
        settings.check()?;
        check_extent("entries of z", features.rows(), linear.z.len())?;
        let trainable = features.trainable();
        let solver = settings.solver(features.rows(), &trainable);
        let tangent = JointFeatures::new(&Serial, Ok(features), settings.memory_budget)?;
        let level = match settings.damping {
            Damping::Adaptive(rule) => rule.floor,
            Damping::Relative(_) | Damping::Absolute(_) => 0.0,
        };
        let least = settings.damping.least(level, settings.ridge);
        let system = System::new(tangent, linear, solver, &trainable, least, settings.memory_budget)?;
        Ok(Self(system.with_iterative(settings.conjugate_gradient)))
    }

    /// Mean diagonal of J̃J̃ᵀ, which relative dampings are relative to.
    #[must_use]
    pub fn mean_diagonal(&self) -> f64 {
        self.0.mean_diagonal()
    }

    /// φ at the damping k ≥ 0, p, and what the solve did; `anchor`: m, p.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) of a damping below 0, [`Error::Shape`](crate::Error::Shape) of an anchor
    /// that is not of p numbers, [`Error::Solve`](crate::Error::Solve).
    pub fn direction(&self, damping: f64, anchor: Option<&[T]>) -> Result<(Vec<T>, SolveInfo)> {
        check_not_negative("damping", damping)?;
        if let Some(anchor) = anchor {
            check_extent("anchor", self.0.tangent().parameter_count(), anchor.len())?;
        }
        let anchor = anchor.map(|anchor| Buffer::upload(anchor.to_vec()));
        let direction = Direction::solve(&self.0, anchor, damping)?;
        let solve = direction.solve;
        Ok((direction.into_vector(&self.0)?.into_host(), solve))
    }
}

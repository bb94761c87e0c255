//! The neural Taylor expansion: a network replaced by its tangent at θ₀ (jacot2018, chizat2019).

use crate::error::{Result, check_extent};
use crate::model::Model;
use crate::scalar::Scalar;
use crate::solve::{Damped, SolveInfo, Solver};
use crate::view::{Matrix, MatrixView};

/// f_lin(v, x) = f(θ₀, x) + J(x) v, J = ∂f/∂θ at θ₀: linear in v = θ − θ₀, as nonlinear in x as the network.
///
/// ```
/// use gramstep::kernel::LinearisedModel;
/// use gramstep::{Activation, Matrix, Model};
/// let model = Model::<f64>::mlp(&[1, 64, 1], Activation::Tanh).seed(3).build()?;
/// let x = Matrix::from_fn(6, 1, |i, _| i as f64 / 3.0 - 1.0);
/// let y = Matrix::from_fn(6, 1, |i, _| (3.0 * x[(i, 0)]).sin());
/// let mut linear = LinearisedModel::new(model);
/// linear.fit(&x, &y, 0.0)?;
/// let f = linear.predict(&x)?;
/// assert!((0..6).all(|i| (f[(i, 0)] - y[(i, 0)]).abs() < 1e-6));
/// # Ok::<(), gramstep::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct LinearisedModel<T> {
    model: Model<T>,
    /// v, p.
    displacement: Vec<T>,
}

/// How far a network is from its linearisation, on some points.
///
/// ```
/// use gramstep::kernel::LinearisedModel;
/// use gramstep::{Activation, Matrix, Model};
/// let line = Model::<f64>::mlp(&[1, 1], Activation::Identity).build()?;
/// let theta: Vec<f64> = line.theta().iter().map(|theta| theta + 1.0).collect();
/// // A network that is linear in its parameters is its linearisation.
/// assert!(LinearisedModel::new(line).error(&theta, &Matrix::from_vec(1, 1, vec![2.0])?)?.absolute < 1e-12);
/// # Ok::<(), gramstep::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct LinearisationError {
    /// ‖f(θ) − f_lin(θ)‖ over all points and outputs.
    pub absolute: f64,
    /// The same over ‖f(θ) − f(θ₀)‖.
    pub relative: f64,
}

impl<T: Scalar> LinearisedModel<T> {
    /// The expansion at the model's present parameters, v = 0.
    #[must_use]
    pub fn new(model: Model<T>) -> Self {
        let displacement = vec![T::ZERO; model.parameter_count()];
        Self { model, displacement }
    }

    /// The network at θ₀.
    #[must_use]
    pub fn model(&self) -> &Model<T> {
        &self.model
    }

    /// v = θ − θ₀, p.
    #[must_use]
    pub fn displacement(&self) -> &[T] {
        &self.displacement
    }

    /// Sets v.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if v does not have p entries.
    pub fn set_displacement(&mut self, v: Vec<T>) -> Result<()> {
        check_extent("displacement of the parameters", self.displacement.len(), v.len())?;
        self.displacement = v;
        Ok(())
    }

    /// f_lin(v, x), n×k.
    ///
    /// # Errors
    /// Those of [`Model::predict_tangent`].
    pub fn predict<'x>(&self, x: impl Into<MatrixView<'x, T>>) -> Result<Matrix<T>> {
        let (mut f, slope) = self.model.predict_tangent(x, &self.displacement)?;
        f.as_mut_slice().iter_mut().zip(slope.as_slice()).for_each(|(f, &slope)| *f += slope);
        Ok(f)
    }

    /// ∂⟨u_i, f_lin(x_i)⟩/∂x_i, n×inputs; needs φ″. u: n×k.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if x or u does not fit the network.
    pub fn input_gradient<'x>(&self, x: impl Into<MatrixView<'x, T>>, u: &Matrix<T>) -> Result<Matrix<T>> {
        let x = x.into();
        let mut gradient = self.model.input_gradient(x, u)?;
        let slope = self.model.tangent_input_gradient(x, &self.displacement, u)?;
        gradient.as_mut_slice().iter_mut().zip(slope.as_slice()).for_each(|(g, &slope)| *g += slope);
        Ok(gradient)
    }

    /// S Jᵀu, p: the gradient with respect to v of a loss whose output gradients are u, whatever v is. With it any
    /// first-order optimiser trains f_lin. u: n×k.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if x or u does not fit the network.
    pub fn gradient<'x>(&self, x: impl Into<MatrixView<'x, T>>, u: &Matrix<T>) -> Result<Vec<T>> {
        self.model.tangent(x)?.vjp(u.as_slice())
    }

    /// Trains to the end in closed form: v = S Jᵀ(G + κI)⁻¹(y − f₀), the minimiser of ½‖r‖² + ½κ·vᵀS⁻¹v over trainable
    /// spans, the one of least norm for κ = 0. y: n×k.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if x or y does not fit the network,
    /// [`Error::Setting`](crate::Error::Setting) if κ is negative, [`Error::Solve`](crate::Error::Solve).
    pub fn fit<'x>(&mut self, x: impl Into<MatrixView<'x, T>>, y: &Matrix<T>, ridge: f64) -> Result<SolveInfo> {
        let tangent = self.model.tangent(x)?;
        let f = tangent.predictions();
        check_extent("rows of the targets", f.rows(), y.rows())?;
        check_extent("columns of the targets", f.columns(), y.columns())?;
        let missing: Vec<f64> = y.as_slice().iter().zip(f.as_slice()).map(|(y, f)| y.to_f64() - f.to_f64()).collect();
        let gram = tangent.gram().into_f64();
        let work = (gram.rows() as f64).powi(3) / 6.0;
        let solve = |threads| Damped::factor(&gram, ridge, threads)?.solve(&missing, Solver::Dual);
        let (c, info) = self.model.device().enter(work, solve)?;
        let c: Vec<T> = c.into_iter().map(T::from_f64).collect();
        self.displacement = tangent.vjp(&c)?;
        Ok(info)
    }

    /// How far the network at θ is from the linearisation at θ₀, on the points x.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if θ or x does not fit the network.
    pub fn error<'x>(&self, theta: &[T], x: impl Into<MatrixView<'x, T>>) -> Result<LinearisationError> {
        let x = x.into();
        let mut moved = self.model.clone();
        moved.set_theta(theta)?;
        let v: Vec<T> = theta.iter().zip(self.model.theta()).map(|(&t, start)| t - start).collect();
        let (start, slope) = self.model.predict_tangent(x, &v)?;
        let end = moved.predict(x)?;
        let (mut absolute, mut change) = (0.0, 0.0);
        for ((end, start), slope) in end.as_slice().iter().zip(start.as_slice()).zip(slope.as_slice()) {
            let moved = end.to_f64() - start.to_f64();
            absolute += (moved - slope.to_f64()).powi(2);
            change += moved * moved;
        }
        let absolute = absolute.sqrt();
        Ok(LinearisationError { absolute, relative: if change > 0.0 { absolute / change.sqrt() } else { 0.0 } })
    }
}

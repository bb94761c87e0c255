//! Dual activations: E[φ(x)φ(y)] and E[φ′(x)φ′(y)] for normal (x, y) with mean 0 and covariance (a, k; k, b).
//!
//! Functions with a kink at 0 alone depend on the angle of the pair; they map (u, v) to (u, v) without cancellation.
//! Smooth ones have closed forms in the covariance, or a series.

mod functions;
mod mixture;
mod normalise;
mod partials;
mod rectifier;
mod series;
pub(super) mod smooth;

use std::sync::Arc;

use super::function::Function;
use super::pairs::{Pairs, Scales};
use crate::device::{Device, Pointwise};
use crate::error::{Result, check_not_negative, check_setting};
use crate::model::Activation;
use crate::scalar::Scalar;

pub(super) use functions::{Bell, Exponential, Polynomial, Scaled, Sign, Wave};
pub(super) use mixture::Mixture;
pub(super) use normalise::factor as normalising_factor;
pub(super) use partials::Partials;
pub(super) use rectifier::{shares, squared_relu_pair};
pub(super) use series::{Coefficients, Tables};

/// How an activation acts on kernels.
#[derive(Clone, Debug)]
pub(super) enum Dual {
    /// φ(z) = p·z + q·|z|: relu, leaky relu, abs.
    Rectifier {
        linear: f64,
        absolute: f64,
    },
    /// max(z, 0)²
    SquaredRelu,
    /// z/√(variance + ε), what normalisation over infinitely many values does.
    Normalise {
        epsilon: f64,
    },
    Erf(smooth::Erf),
    Sin(smooth::Sin),
    Cos(smooth::Cos),
    Gelu(smooth::Gelu),
    Sign(Sign),
    ScaledErf(Scaled<smooth::Erf>),
    Wave(Scaled<Wave>),
    Exponential(Scaled<Exponential>),
    Bell(Scaled<Bell>),
    Polynomial(Arc<Polynomial>),
    Mixture(Arc<Scaled<Mixture>>),
    /// Everything else: a series of Hermite polynomials.
    Series(Series),
}

/// A function by its Hermite series.
#[derive(Clone, Debug)]
pub(super) struct Series {
    pub(super) function: Arc<dyn Pointwise<f64>>,
    /// What takes its place where variances are too large for few terms.
    pub(super) far: Option<Arc<Scaled<Mixture>>>,
}

/// The variance above which a series leaves the field to what can take its place.
const FAR: f64 = 8.0;

/// Does the same to every kind of closed form in the covariance, and something else to the other kinds.
macro_rules! closed {
    ($dual:expr, $closed:ident => $does:expr, $($other:pat => $else:expr),+ $(,)?) => {
        match $dual {
            Dual::Erf($closed) => $does,
            Dual::Sin($closed) => $does,
            Dual::Cos($closed) => $does,
            Dual::Gelu($closed) => $does,
            Dual::Sign($closed) => $does,
            Dual::ScaledErf($closed) => $does,
            Dual::Wave($closed) => $does,
            Dual::Exponential($closed) => $does,
            Dual::Bell($closed) => $does,
            Dual::Polynomial($closed) => {
                let $closed = &**$closed;
                $does
            }
            Dual::Mixture($closed) => {
                let $closed = &**$closed;
                $does
            }
            $($other => $else,)+
        }
    };
}
pub(super) use closed;

impl From<Activation> for Dual {
    fn from(activation: Activation) -> Self {
        let mixture = |scale, rate, shift| Some(Arc::new(Scaled { of: Mixture::tanh(), scale, rate, shift }));
        match activation {
            Activation::Identity | Activation::Relu | Activation::LeakyRelu | Activation::Abs => {
                let (above, below) = (activation.value(1.0), activation.value(-1.0));
                Self::Rectifier { linear: (above - below) / 2.0, absolute: f64::midpoint(above, below) }
            }
            Activation::SquaredRelu => Self::SquaredRelu,
            Activation::Erf => Self::Erf(smooth::Erf),
            Activation::Sin => Self::Sin(smooth::Sin),
            Activation::Cos => Self::Cos(smooth::Cos),
            Activation::Gelu => Self::Gelu(smooth::Gelu),
            other => {
                let far = match other {
                    Activation::Tanh => mixture(1.0, 1.0, 0.0),
                    Activation::Sigmoid => mixture(0.5, 0.5, 0.5),
                    _ => None,
                };
                Self::Series(Series { function: Arc::new(other), far })
            }
        }
    }
}

impl Dual {
    /// How it acts on kernels.
    pub(super) fn of(function: &Function) -> Result<Self> {
        let finite = |values: &[f64]| {
            values.iter().try_for_each(|value| check_setting(value.is_finite(), function.name(), value, "finite"))
        };
        Ok(match function {
            Function::Sign => Self::Sign(Sign),
            &Function::Rectifier { below, above } => {
                finite(&[below, above])?;
                Self::Rectifier { linear: f64::midpoint(above, below), absolute: (above - below) / 2.0 }
            }
            &Function::Erf { scale, rate, shift } => {
                finite(&[scale, rate, shift])?;
                Self::ScaledErf(Scaled { of: smooth::Erf, scale, rate, shift })
            }
            &Function::Sine { scale, rate, phase } => {
                finite(&[scale, rate, phase])?;
                Self::Wave(Scaled { of: Wave { turn: (2.0 * phase).cos() }, scale, rate, shift: 0.0 })
            }
            &Function::Exponential { scale, rate } => {
                finite(&[scale, rate])?;
                Self::Exponential(Scaled { of: Exponential, scale, rate, shift: 0.0 })
            }
            &Function::Gaussian { scale, sharpness } => {
                finite(&[scale])?;
                check_not_negative("sharpness of a Gaussian", sharpness)?;
                Self::Bell(Scaled { of: Bell, scale, rate: sharpness.sqrt(), shift: 0.0 })
            }
            Function::Polynomial(coefficients) => {
                finite(coefficients)?;
                let given = !coefficients.is_empty();
                check_setting(given, "number of coefficients of a polynomial", &coefficients.len(), "at least 1")?;
                Self::Polynomial(Arc::new(Polynomial::new(coefficients)))
            }
            Function::Custom(custom) => Self::Series(Series { function: Arc::clone(custom), far: None }),
        })
    }

    /// Normalisation with this ε.
    pub(super) fn normalise(epsilon: f64) -> Result<Self> {
        check_not_negative("ε of a normalisation", epsilon)?;
        Ok(Self::Normalise { epsilon })
    }

    /// Whether it is a function with a closed form in the covariance, not in the angle.
    pub(super) fn is_smooth(&self) -> bool {
        closed!(self, _closed => true, _ => false)
    }

    /// Whether E[φφ] is never negative: of relu and |z| whatever the correlation, of a normalisation if it was not before.
    pub(super) fn makes_positive(&self, positive: bool) -> bool {
        match *self {
            Self::Rectifier { linear, absolute } => linear.abs() == absolute.abs() || linear == 0.0 || positive,
            Self::Normalise { .. } => positive,
            Self::SquaredRelu => true,
            _ => false,
        }
    }

    /// Itself, or what takes the place of a series, which is dear for pairs of pixels.
    pub(super) fn of_pixels(self) -> Self {
        match self {
            Self::Series(Series { far: Some(far), .. }) => Self::Mixture(far),
            other => other,
        }
    }

    /// E[φ(x)²] for x of these variances, and what the series needs to know of the points.
    pub(super) fn prepare<T: Scalar>(
        &self,
        device: &Device,
        variances: &[f64],
    ) -> Result<(Vec<f64>, Option<Coefficients<T>>)> {
        fn each<T>(variances: &[f64], moment: impl Fn(f64) -> f64) -> (Vec<f64>, Option<Coefficients<T>>) {
            (variances.iter().map(|&a| moment(a)).collect(), None)
        }
        Ok(closed!(
            self,
            closed => each(variances, |a| smooth::second_moment(closed, a)),
            &Self::Rectifier { linear, absolute } => {
                let factor = linear * linear + absolute * absolute;
                each(variances, |a| factor * a)
            },
            Self::SquaredRelu => each(variances, |a| 1.5 * a * a),
            &Self::Normalise { epsilon } => each(variances, |a| normalise::second_moment(a, epsilon)),
            Self::Series(Series { function, far }) => match far {
                Some(far) if variances.iter().any(|&a| a > FAR) => {
                    each(variances, |a| smooth::second_moment(&**far, a))
                }
                _ => {
                    let coefficients = Coefficients::new(device, function, variances)?;
                    (coefficients.second_moments().to_vec(), Some(coefficients))
                }
            },
        ))
    }

    /// K ← E[φφ], Θ ← Θ·E[φ′φ′] for a run of pairs.
    pub(super) fn apply<T: Scalar>(
        &self,
        pairs: &mut Pairs<T>,
        before: Scales<'_, T>,
        after: Scales<'_, T>,
        tables: Option<Tables<'_, T>>,
    ) {
        closed!(
            self,
            closed => smooth::apply(closed, pairs, before, after),
            &Self::Rectifier { linear, absolute } => {
                rectifier::rectifier(pairs, before.columns.len(), linear, absolute);
            },
            Self::SquaredRelu => rectifier::squared_relu(pairs, before),
            &Self::Normalise { epsilon } => normalise::apply(pairs, before, epsilon),
            Self::Series(Series { far, .. }) => match (tables, far) {
                (Some(tables), _) => series::apply(pairs, before, after, tables),
                (None, Some(far)) => smooth::apply(&**far, pairs, before, after),
                (None, None) => debug_assert!(false, "a series is prepared"),
            },
        );
    }

    /// The derivatives of E[φφ] and E[φ′φ′] of a run of pairs.
    pub(super) fn partials<T: Scalar>(
        &self,
        into: &mut Partials<T>,
        pairs: &Pairs<T>,
        before: Scales<'_, T>,
        tables: Option<Tables<'_, T>>,
    ) {
        closed!(
            self,
            closed => smooth::partials(closed, into, pairs, before),
            &Self::Rectifier { linear, absolute } => rectifier::partials(into, pairs, before, linear, absolute),
            Self::SquaredRelu => rectifier::squared_relu_partials(into, pairs, before),
            &Self::Normalise { epsilon } => normalise::partials(into, pairs, before, epsilon),
            Self::Series(Series { far, .. }) => match (tables, far) {
                (Some(tables), _) => series::partials(into, pairs, before, tables),
                (None, Some(far)) => smooth::partials(&**far, into, pairs, before),
                (None, None) => debug_assert!(false, "a series is prepared"),
            },
        );
    }
}

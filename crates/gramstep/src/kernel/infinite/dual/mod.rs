//! Dual activations: E[φ(x)φ(y)] and E[φ′(x)φ′(y)] for normal (x, y) with mean 0 and covariance (a, k; k, b).
//!
//! Functions with a kink at 0 alone depend on the angle of the pair; they map (u, v) to (u, v) without cancellation.
//! Smooth ones have closed forms in the covariance, or a series.

mod normalise;
mod partials;
mod rectifier;
mod series;
pub(super) mod smooth;

use super::pairs::{Pairs, Scales};
use crate::device::Device;
use crate::error::{Result, check_not_negative};
use crate::model::Activation;
use crate::scalar::Scalar;

pub(super) use normalise::factor as normalising_factor;
pub(super) use partials::Partials;
pub(super) use rectifier::squared_relu_pair;
pub(super) use series::{Coefficients, Tables};

/// How an activation acts on kernels.
#[derive(Clone, Copy, Debug)]
pub(super) enum Dual {
    /// φ(z) = p·z + q·|z|: relu, leaky relu, abs.
    Rectifier {
        linear: f64,
        absolute: f64,
    },
    /// max(z, 0)²
    SquaredRelu,
    Erf,
    Sin,
    Cos,
    Gelu,
    /// z/√(variance + ε), what normalisation over infinitely many values does.
    Normalise {
        epsilon: f64,
    },
    /// Everything else: a series of Hermite polynomials.
    Series(Activation),
}

impl From<Activation> for Dual {
    fn from(activation: Activation) -> Self {
        match activation {
            Activation::Identity | Activation::Relu | Activation::LeakyRelu | Activation::Abs => {
                let (above, below) = (activation.value(1.0), activation.value(-1.0));
                Self::Rectifier { linear: (above - below) / 2.0, absolute: f64::midpoint(above, below) }
            }
            Activation::SquaredRelu => Self::SquaredRelu,
            Activation::Erf => Self::Erf,
            Activation::Sin => Self::Sin,
            Activation::Cos => Self::Cos,
            Activation::Gelu => Self::Gelu,
            other => Self::Series(other),
        }
    }
}

impl Dual {
    /// Normalisation with this ε.
    pub(super) fn normalise(epsilon: f64) -> Result<Self> {
        check_not_negative("ε of a normalisation", epsilon)?;
        Ok(Self::Normalise { epsilon })
    }

    /// E[φ(x)²] for x of these variances, and what the series needs to know of the points.
    pub(super) fn prepare<T: Scalar>(
        self,
        device: &Device,
        variances: &[f64],
    ) -> Result<(Vec<f64>, Option<Coefficients<T>>)> {
        let each = |moment: fn(f64) -> f64| Ok((variances.iter().map(|&a| moment(a)).collect(), None));
        match self {
            Self::Rectifier { linear, absolute } => {
                let factor = linear * linear + absolute * absolute;
                Ok((variances.iter().map(|a| factor * a).collect(), None))
            }
            Self::SquaredRelu => each(|a| 1.5 * a * a),
            Self::Normalise { epsilon } => {
                Ok((variances.iter().map(|&a| normalise::second_moment(a, epsilon)).collect(), None))
            }
            Self::Erf => each(smooth::second_moment::<smooth::Erf>),
            Self::Sin => each(smooth::second_moment::<smooth::Sin>),
            Self::Cos => each(smooth::second_moment::<smooth::Cos>),
            Self::Gelu => each(smooth::second_moment::<smooth::Gelu>),
            Self::Series(activation) => {
                let coefficients = Coefficients::new(device, activation, variances)?;
                Ok((coefficients.second_moments().to_vec(), Some(coefficients)))
            }
        }
    }

    /// K ← E[φφ], Θ ← Θ·E[φ′φ′] for a run of pairs.
    pub(super) fn apply<T: Scalar>(
        self,
        pairs: &mut Pairs<T>,
        before: Scales<'_, T>,
        after: Scales<'_, T>,
        tables: Option<Tables<'_, T>>,
    ) {
        match self {
            Self::Rectifier { linear, absolute } => rectifier::rectifier(pairs, before.columns.len(), linear, absolute),
            Self::SquaredRelu => rectifier::squared_relu(pairs, before),
            Self::Normalise { epsilon } => normalise::apply(pairs, before, epsilon),
            Self::Erf => smooth::apply::<T, smooth::Erf>(pairs, before, after),
            Self::Sin => smooth::apply::<T, smooth::Sin>(pairs, before, after),
            Self::Cos => smooth::apply::<T, smooth::Cos>(pairs, before, after),
            Self::Gelu => smooth::apply::<T, smooth::Gelu>(pairs, before, after),
            Self::Series(_) => {
                if let Some(tables) = tables {
                    series::apply(pairs, before, after, tables);
                }
            }
        }
    }

    /// The derivatives of E[φφ] and E[φ′φ′] of a run of pairs.
    pub(super) fn partials<T: Scalar>(
        self,
        into: &mut Partials<T>,
        pairs: &Pairs<T>,
        before: Scales<'_, T>,
        tables: Option<Tables<'_, T>>,
    ) {
        match self {
            Self::Rectifier { linear, absolute } => rectifier::partials(into, pairs, before, linear, absolute),
            Self::SquaredRelu => rectifier::squared_relu_partials(into, pairs, before),
            Self::Normalise { epsilon } => normalise::partials(into, pairs, before, epsilon),
            Self::Erf => smooth::partials::<T, smooth::Erf>(into, pairs, before),
            Self::Sin => smooth::partials::<T, smooth::Sin>(into, pairs, before),
            Self::Cos => smooth::partials::<T, smooth::Cos>(into, pairs, before),
            Self::Gelu => smooth::partials::<T, smooth::Gelu>(into, pairs, before),
            Self::Series(_) => {
                if let Some(tables) = tables {
                    series::partials(into, pairs, before, tables);
                }
            }
        }
    }
}

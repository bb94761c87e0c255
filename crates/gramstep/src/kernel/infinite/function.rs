//! Functions of infinitely wide networks that finite ones here do not have.

use std::fmt;
use std::sync::Arc;

use crate::device::Pointwise;

/// A function between the layers of an infinitely wide network, beside the [`Activation`](crate::Activation)s.
///
/// ```
/// use gramstep::kernel::{DenseVariances, Function, InfiniteKernel, InfiniteLayer, Which};
/// use gramstep::{Device, Matrix};
/// let dense = InfiniteLayer::Dense(DenseVariances::new(1.0, 0.0));
/// let layers = vec![dense.clone(), InfiniteLayer::Function(Function::rbf(0.5)), dense];
/// let x = Matrix::from_vec(2, 1, vec![0.0, 1.0])?;
/// let gram = InfiniteKernel::from_layers(layers)?.points(&x, &Device::cpu(1))?.gram(Which::Nngp);
/// assert!((gram[(0, 1)] - (-0.5_f64).exp()).abs() < 1e-15);
/// # Ok::<(), gramstep::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Function {
    /// −1 below 0, 1 above; its derivative counts as 0, so that Θ = 0 after it.
    Sign,
    /// below·min(x, 0) + above·max(x, 0)
    Rectifier {
        /// Slope for x < 0.
        below: f64,
        /// Slope for x > 0.
        above: f64,
    },
    /// scale·erf(rate·x) + shift
    Erf {
        /// Factor of the value.
        scale: f64,
        /// Factor of the argument.
        rate: f64,
        /// What is added.
        shift: f64,
    },
    /// scale·sin(rate·x + phase)
    Sine {
        /// Factor of the value.
        scale: f64,
        /// Factor of the argument.
        rate: f64,
        /// What is added to the argument.
        phase: f64,
    },
    /// scale·exp(rate·x)
    Exponential {
        /// Factor of the value.
        scale: f64,
        /// Factor of the argument.
        rate: f64,
    },
    /// scale·exp(−sharpness·x²), sharpness ≥ 0
    Gaussian {
        /// Factor of the value.
        scale: f64,
        /// Factor of the square.
        sharpness: f64,
    },
    /// c_0 + c_1 x + c_2 x² + …
    Polynomial(Vec<f64>),
    /// Any smooth function, by its Hermite series. Gradients of the kernel ask for its second derivative.
    Custom(Arc<dyn Pointwise<f64>>),
}

impl Function {
    /// √2·sin(√(2γ)·x + π/4), whose kernel is exp(−γ·E(x − y)²).
    #[must_use]
    pub fn rbf(gamma: f64) -> Self {
        Self::Sine { scale: std::f64::consts::SQRT_2, rate: (2.0 * gamma).sqrt(), phase: std::f64::consts::FRAC_PI_4 }
    }

    /// ½·erf(x/2.4020563531719796) + ½, the closest to 1/(1 + e⁻ˣ) on −5…5.
    #[must_use]
    pub fn sigmoid_like() -> Self {
        Self::Erf { scale: 0.5, rate: 1.0 / 2.402_056_353_171_979_6, shift: 0.5 }
    }

    /// xⁿ
    #[must_use]
    pub fn monomial(degree: usize) -> Self {
        Self::Polynomial((0..=degree).map(|n| if n == degree { 1.0 } else { 0.0 }).collect())
    }

    /// The Hermite polynomial He_n(x)/√n!, of norm 1 where x has variance 1; its kernel is then Kⁿ.
    #[must_use]
    pub fn hermite(degree: usize) -> Self {
        let (mut before, mut now) = (Vec::new(), vec![1.0]);
        for n in 0..degree {
            // He_{n+1} = x·He_n − n·He_{n−1}
            let mut next: Vec<f64> = std::iter::once(0.0).chain(now.iter().copied()).collect();
            for (next, before) in next.iter_mut().zip(&before) {
                *next -= n as f64 * before;
            }
            (before, now) = (now, next);
        }
        let norm = (1..=degree).map(|n| n as f64).product::<f64>().sqrt();
        Self::Polynomial(now.into_iter().map(|c| c / norm).collect())
    }

    /// The word for it in errors.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sign => "sign",
            Self::Rectifier { .. } => "rectifier",
            Self::Erf { .. } => "erf",
            Self::Sine { .. } => "sine",
            Self::Exponential { .. } => "exp",
            Self::Gaussian { .. } => "gaussian",
            Self::Polynomial(_) => "polynomial",
            Self::Custom(_) => "custom function",
        }
    }
}

impl PartialEq for Function {
    /// Custom functions are equal if they are the same object.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Sign, Self::Sign) => true,
            (Self::Rectifier { below, above }, Self::Rectifier { below: b, above: a }) => (below, above) == (b, a),
            (Self::Erf { scale, rate, shift }, Self::Erf { scale: s, rate: r, shift: t }) => {
                (scale, rate, shift) == (s, r, t)
            }
            (Self::Sine { scale, rate, phase }, Self::Sine { scale: s, rate: r, phase: p }) => {
                (scale, rate, phase) == (s, r, p)
            }
            (Self::Exponential { scale, rate }, Self::Exponential { scale: s, rate: r }) => (scale, rate) == (s, r),
            (Self::Gaussian { scale, sharpness }, Self::Gaussian { scale: s, sharpness: b }) => {
                (scale, sharpness) == (s, b)
            }
            (Self::Polynomial(ours), Self::Polynomial(theirs)) => ours == theirs,
            (Self::Custom(ours), Self::Custom(theirs)) => Arc::ptr_eq(ours, theirs),
            _ => false,
        }
    }
}

impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

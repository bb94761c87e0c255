//! Activation functions with their first and second derivatives, in one place.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::device::{Order, Pointwise, vectorized};
use crate::error::Error;
use crate::scalar::{Scalar, elementary as e};

/// A pointwise nonlinearity φ.
///
/// Second derivatives are those almost everywhere: 0 for piecewise linear functions.
///
/// ```
/// use gramstep::Activation;
/// assert_eq!(Activation::SquaredRelu.value(3.0), 9.0);
/// assert_eq!(Activation::SquaredRelu.derivative(3.0), 6.0);
/// assert_eq!("leaky-relu".parse(), Ok(Activation::LeakyRelu));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Activation {
    /// z
    Identity,
    /// max(z, 0)
    Relu,
    /// max(z, 0) + 0.01·min(z, 0)
    LeakyRelu,
    /// |z|
    Abs,
    /// max(z, 0)², the quadratic ReLU of gao2019
    #[serde(alias = "quadratic-relu")]
    SquaredRelu,
    /// z·Φ(z), Φ the normal distribution function (the exact form, not the tanh approximation)
    Gelu,
    /// z·σ(z), also called swish
    Silu,
    /// tanh z
    Tanh,
    /// σ(z) = 1/(1 + e^−z)
    Sigmoid,
    /// ln(1 + e^z)
    Softplus,
    /// erf z = 2/√π ∫₀ᶻ e^−t² dt
    Erf,
    /// sin z
    Sin,
    /// cos z
    Cos,
}

const LEAK: f64 = 0.01;

impl Activation {
    /// Every activation, for tables and tests.
    pub const ALL: [Self; 13] = [
        Self::Identity,
        Self::Relu,
        Self::LeakyRelu,
        Self::Abs,
        Self::SquaredRelu,
        Self::Gelu,
        Self::Silu,
        Self::Tanh,
        Self::Sigmoid,
        Self::Softplus,
        Self::Erf,
        Self::Sin,
        Self::Cos,
    ];

    /// The name that a user writes.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Relu => "relu",
            Self::LeakyRelu => "leaky-relu",
            Self::Abs => "abs",
            Self::SquaredRelu => "squared-relu",
            Self::Gelu => "gelu",
            Self::Silu => "silu",
            Self::Tanh => "tanh",
            Self::Sigmoid => "sigmoid",
            Self::Softplus => "softplus",
            Self::Erf => "erf",
            Self::Sin => "sin",
            Self::Cos => "cos",
        }
    }

    /// φ(z).
    #[must_use]
    pub fn value(self, z: f64) -> f64 {
        self.at(Order::Value, z)
    }

    /// φ′(z).
    #[must_use]
    pub fn derivative(self, z: f64) -> f64 {
        self.at(Order::First, z)
    }

    /// φ″(z).
    #[must_use]
    pub fn second_derivative(self, z: f64) -> f64 {
        self.at(Order::Second, z)
    }

    /// sup |φ″|, where it is finite: β of the quadratic bound of `cai2019`.
    #[must_use]
    pub fn curvature_bound(self) -> Option<f64> {
        match self {
            Self::Identity => Some(0.0),
            Self::Relu | Self::LeakyRelu | Self::Abs => None,
            Self::SquaredRelu => Some(2.0),
            // |pdf(z)·(2 − z²)| is largest at 0.
            Self::Gelu => Some((2.0 / std::f64::consts::PI).sqrt()),
            Self::Silu => Some(0.5),
            Self::Tanh => Some(4.0 / (3.0 * 3.0_f64.sqrt())),
            Self::Sigmoid => Some(1.0 / (6.0 * 3.0_f64.sqrt())),
            Self::Softplus => Some(0.25),
            // |erf″| = 4/√π·z·e^−z² at z = 1/√2.
            Self::Erf => Some(4.0 / std::f64::consts::PI.sqrt() * 0.5_f64.sqrt() * (-0.5_f64).exp()),
            Self::Sin | Self::Cos => Some(1.0),
        }
    }

    /// Whether the gain of He initialisation (variance 2/fan-in) suits it.
    #[must_use]
    pub fn is_rectifier(self) -> bool {
        matches!(self, Self::Relu | Self::LeakyRelu | Self::SquaredRelu | Self::Gelu | Self::Silu)
    }

    fn at(self, order: Order, z: f64) -> f64 {
        let mut out = [0.0];
        Pointwise::<f64>::evaluate(&self, order, &[z], &mut out);
        out[0]
    }
}

impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Activation {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        let name = if text == "quadratic-relu" { "squared-relu" } else { text };
        Self::ALL.into_iter().find(|activation| activation.name() == name).ok_or_else(|| Error::Specification {
            text: text.to_owned(),
            reason: format!("no such activation; there are {}", Self::ALL.map(Self::name).join(", ")),
        })
    }
}

impl<T: Scalar> Pointwise<T> for Activation {
    fn evaluate(&self, order: Order, z: &[T], out: &mut [T]) {
        use Order::{First, Second, Value};
        let (zero, one, two) = (T::ZERO, T::ONE, T::ONE + T::ONE);
        let half = T::from_f64(0.5);
        let leak = T::from_f64(LEAK);
        match (self, order) {
            (_, Order::Third | Order::Fourth) => higher(*self, order, z, out),
            (Self::Identity, Value) => out.copy_from_slice(z),
            (Self::Identity, First) => out.fill(one),
            (Self::Identity | Self::Relu | Self::LeakyRelu | Self::Abs, Second) => out.fill(zero),
            (Self::Relu, Value) => map(z, out, move |z| step(z, zero, z)),
            (Self::Relu, First) => map(z, out, move |z| step(z, zero, one)),
            (Self::LeakyRelu, Value) => map(z, out, move |z| step(z, leak * z, z)),
            (Self::LeakyRelu, First) => map(z, out, move |z| step(z, leak, one)),
            (Self::Abs, Value) => map(z, out, Scalar::abs),
            (Self::Abs, First) => map(z, out, move |z| step(z, -one, one)),
            (Self::SquaredRelu, Value) => map(z, out, move |z| step(z, zero, z * z)),
            (Self::SquaredRelu, First) => map(z, out, move |z| step(z, zero, two * z)),
            (Self::SquaredRelu, Second) => map(z, out, move |z| step(z, zero, two)),
            (Self::Gelu, Value) => map(z, out, move |z| z * e::normal(z).0),
            (Self::Gelu, First) => map(z, out, move |z| {
                let (cdf, density) = e::normal(z);
                z.mul_add(density, cdf)
            }),
            (Self::Gelu, Second) => map(z, out, move |z| e::normal(z).1 * (two - z * z)),
            (Self::Silu, Value) => map(z, out, move |z| z * e::sigmoid(z)),
            (Self::Silu, First) => map(z, out, move |z| z.mul_add(e::sigmoid_slope(z), e::sigmoid(z))),
            (Self::Silu, Second) => {
                map(z, out, move |z| e::sigmoid_slope(z) * (two - z * e::tanh(half * z)));
            }
            (Self::Tanh, Value) => map(z, out, move |z| e::tanh(z)),
            (Self::Tanh, First) => map(z, out, move |z| two * two * e::sigmoid_slope(two * z)),
            (Self::Tanh, Second) => {
                map(z, out, move |z| -two * e::tanh(z) * two * two * e::sigmoid_slope(two * z));
            }
            (Self::Sigmoid, Value) | (Self::Softplus, First) => map(z, out, move |z| e::sigmoid(z)),
            (Self::Sigmoid, First) | (Self::Softplus, Second) => map(z, out, move |z| e::sigmoid_slope(z)),
            (Self::Sigmoid, Second) => map(z, out, move |z| -e::sigmoid_slope(z) * e::tanh(half * z)),
            (Self::Softplus, Value) => map(z, out, move |z| e::softplus(z)),
            (Self::Erf, Value) => map(z, out, move |z| e::erf(z)),
            (Self::Erf, First) => map(z, out, move |z| e::erf_slope(z)),
            (Self::Erf, Second) => map(z, out, move |z| -two * z * e::erf_slope(z)),
            (Self::Sin, Value) => map(z, out, Scalar::sin),
            (Self::Sin, First) | (Self::Cos, Value) => map(z, out, Scalar::cos),
            (Self::Sin, Second) | (Self::Cos, First) => map(z, out, move |z| -z.sin()),
            (Self::Cos, Second) => map(z, out, move |z| -z.cos()),
        }
    }

    fn derivatives(&self) -> usize {
        4
    }

    fn slope_is_of_value(&self) -> bool {
        matches!(self, Self::Identity | Self::Relu)
    }

    fn backward(&self, z: &[T], delta: &mut [T]) {
        if *self == Self::Identity {
            return;
        }
        if *self == Self::Relu {
            return vectorized(
                #[inline(always)]
                || {
                    for (d, &z) in delta.iter_mut().zip(z) {
                        *d = if z <= T::ZERO { T::ZERO } else { *d };
                    }
                },
            );
        }
        let mut slope = [T::ZERO; 512];
        for (z, delta) in z.chunks(512).zip(delta.chunks_mut(512)) {
            let slope = &mut slope[..z.len()];
            self.evaluate(Order::First, z, slope);
            vectorized(
                #[inline(always)]
                || {
                    for (d, s) in delta.iter_mut().zip(slope) {
                        *d *= *s;
                    }
                },
            );
        }
    }
}

/// Not a number counts as above, so that it reaches the output and is noticed.
#[inline(always)]
fn step<T: Scalar>(z: T, below: T, above: T) -> T {
    if z <= T::ZERO { below } else { above }
}

/// out_i = f(z_i). `f` holds its constants by value: behind a reference they might change with every number that is
/// written, and such a loop is compiled for one number at a time.
fn map<T: Scalar>(z: &[T], out: &mut [T], f: impl Fn(T) -> T) {
    vectorized(
        #[inline(always)]
        move || {
            for (o, &z) in out.iter_mut().zip(z) {
                *o = f(z);
            }
        },
    );
}

/// out = φ‴(z) or φ⁗(z); those almost everywhere, 0 for functions that are polynomials of degree 2 piece by piece.
fn higher<T: Scalar>(activation: Activation, order: Order, z: &[T], out: &mut [T]) {
    let number = T::from_f64;
    let (two, four) = (number(2.0), number(4.0));
    let third = order == Order::Third;
    match activation {
        Activation::Identity | Activation::Relu | Activation::LeakyRelu | Activation::Abs | Activation::SquaredRelu => {
            out.fill(T::ZERO);
        }
        Activation::Gelu if third => map(z, out, move |z| e::normal(z).1 * z * (z * z - four)),
        Activation::Gelu => map(z, out, move |z| {
            let square = z * z;
            e::normal(z).1 * ((number(7.0) - square) * square - four)
        }),
        Activation::Silu if third => map(z, out, move |z| number(3.0) * sigmoid_bends(z)[0] + z * sigmoid_bends(z)[1]),
        Activation::Silu => map(z, out, move |z| four * sigmoid_bends(z)[1] + z * sigmoid_bends(z)[2]),
        // tanh z = 2σ(2z) − 1
        Activation::Tanh if third => map(z, out, move |z| number(16.0) * sigmoid_bends(two * z)[1]),
        Activation::Tanh => map(z, out, move |z| number(32.0) * sigmoid_bends(two * z)[2]),
        Activation::Sigmoid if third => map(z, out, move |z| sigmoid_bends(z)[1]),
        Activation::Sigmoid => map(z, out, move |z| sigmoid_bends(z)[2]),
        Activation::Softplus if third => map(z, out, move |z| sigmoid_bends(z)[0]),
        Activation::Softplus => map(z, out, move |z| sigmoid_bends(z)[1]),
        Activation::Erf if third => map(z, out, move |z| e::erf_slope(z) * (four * z * z - two)),
        Activation::Erf => map(z, out, move |z| e::erf_slope(z) * z * (number(12.0) - number(8.0) * z * z)),
        Activation::Sin if third => map(z, out, move |z| -z.cos()),
        Activation::Cos if third => map(z, out, Scalar::sin),
        Activation::Sin => map(z, out, Scalar::sin),
        Activation::Cos => map(z, out, Scalar::cos),
    }
}

/// σ″, σ‴ and σ⁗ at z, from d = σ′ and t = tanh z/2 = 2σ − 1: d′ = −d t, t′ = 2d.
#[inline(always)]
fn sigmoid_bends<T: Scalar>(z: T) -> [T; 3] {
    let (d, t) = (e::sigmoid_slope(z), e::tanh(T::from_f64(0.5) * z));
    [-d * t, d * (t * t - d - d), d * t * (T::from_f64(8.0) * d - t * t)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derivatives_agree_with_central_differences() {
        for activation in Activation::ALL {
            for i in -40..=40 {
                let (z, h) = (f64::from(i) * 0.15 + 0.011, 1e-5);
                let slope = (activation.value(z + h) - activation.value(z - h)) / (2.0 * h);
                assert!((activation.derivative(z) - slope).abs() < 1e-8, "{activation}′({z})");
                for pair in Order::ALL.windows(2) {
                    let slope = (activation.at(pair[0], z + h) - activation.at(pair[0], z - h)) / (2.0 * h);
                    assert!((activation.at(pair[1], z) - slope).abs() < 1e-8, "{activation}, {:?} at {z}", pair[1]);
                }
            }
        }
    }

    #[test]
    fn curvature_bounds_are_attained_and_never_exceeded() {
        for activation in Activation::ALL {
            let Some(bound) = activation.curvature_bound() else { continue };
            let largest =
                (-60_000..=60_000).map(|i| activation.second_derivative(f64::from(i) * 1e-4).abs()).fold(0.0, f64::max);
            assert!(largest <= bound * (1.0 + 1e-12), "{activation}: {largest} > {bound}");
            assert!(largest >= bound * (1.0 - 1e-6), "{activation}: {largest} < {bound}");
        }
    }

    #[test]
    fn names_are_read_back() {
        for activation in Activation::ALL {
            assert_eq!(activation.name().parse(), Ok(activation));
        }
        assert!("swoosh".parse::<Activation>().is_err());
    }
}

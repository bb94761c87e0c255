//! Functions with one kink, at 0: φ(z) = p·z + q·|z|. With c = cos t = 1 − u, z = min(u, 2 − u) and t = arccos|c|,
//!
//! ```text
//! 1 − ρ of |z|    z − (2/π)(sin t − t·cos t) = z − (2/π)·z√z·R(z)
//! E[φ′φ′] of |z|  (2/π)·arcsin c = ±(1 − (2/π)·√z·P(z))
//! ```
//!
//! so one square root and two polynomials (tests/reference/arccosine_coefficients.py) make a pair of pixels.

use std::f64::consts::PI;

use super::super::dual::shares;
use super::maps::{Map, Pair};
use crate::scalar::Scalar;
use crate::scalar::elementary::horner;

/// Of P, to 2e-16.
#[expect(clippy::unreadable_literal, clippy::approx_constant, reason = "a table made by a script")]
const ANGLE: [f64; 18] = [
    7.609614252019444e-06,
    -5.225042885568418e-05,
    0.00017113011380930746,
    -0.0003430427736686459,
    0.00047186395065566117,
    -0.00046132434220270643,
    0.000341818862286027,
    -0.00017136610209234648,
    0.00010153174508844963,
    4.1126150860512944e-05,
    0.00015937743292100998,
    0.00038262430806552077,
    0.0009888113042502823,
    0.00268540304058573,
    0.007891817060755802,
    0.02651650428726522,
    0.11785113019782532,
    1.414213562373095,
];

/// Of R, to 3e-16.
#[expect(clippy::unreadable_literal, reason = "a table made by a script")]
const WEDGE: [f64; 17] = [
    5.181668111157759e-07,
    -3.24222421552795e-06,
    9.810556857027115e-06,
    -1.7968169723438826e-05,
    2.2713628805446335e-05,
    -1.966769120301e-05,
    1.4047980264888192e-05,
    -3.6793230159308196e-06,
    8.92321397865047e-06,
    1.7583617069244857e-05,
    5.123074679709073e-05,
    0.0001520972961588832,
    0.00048825745445442485,
    0.0017537370001752912,
    0.00757614408563485,
    0.047140452079087555,
    0.9428090415820634,
];

/// Of P for `f32`, to 2e-8.
#[expect(clippy::unreadable_literal, reason = "a table made by a script")]
const ANGLE_SINGLE: [f64; 8] = [
    0.001211737769810765,
    -0.0019906429602384126,
    0.003338417011053371,
    0.0014788598231931453,
    0.00821673096263844,
    0.026474482500567432,
    0.11785316670023775,
    1.4142135464083156,
];

/// Of R for `f32`, to 2e-8.
#[expect(clippy::unreadable_literal, reason = "a table made by a script")]
const WEDGE_SINGLE: [f64; 7] = [
    0.0002344713665398918,
    -0.00017620035502475994,
    0.0007422619752514665,
    0.0016582847055392794,
    0.0075927172597073725,
    0.04713939470348821,
    0.9428090524147318,
];

/// p·z + q·|z|. `POSITIVE`: correlations in front of it are not negative.
#[derive(Clone, Copy)]
pub(super) struct Rectifier<T, const POSITIVE: bool> {
    /// p² + q², what a variance is multiplied by.
    gain: T,
    /// p²/(p² + q²)
    linear: T,
    /// (2/π)·q²/(p² + q²)
    bend: T,
}

impl<T: Scalar, const POSITIVE: bool> Rectifier<T, POSITIVE> {
    pub(super) fn new(linear: f64, absolute: f64) -> Self {
        let [rest, share] = shares(linear, absolute);
        let gain = linear * linear + absolute * absolute;
        let [gain, linear, bend] = [gain, rest, 2.0 / PI * share].map(T::from_f64);
        Self { gain, linear, bend }
    }
}

impl<T: Scalar, const POSITIVE: bool> Map<T> for Rectifier<T, POSITIVE> {
    /// With β = (2/π)·q²/(p² + q²) and λ = p²/(p² + q²): up to u = 1 the deficit is z·(1 − β√z·R) and E[φ′φ′] is
    /// 1 − β√z·P, both over the gain; beyond, where z = 2 − u, it is that and 2λ·(1 − z), and 2λ less that of z.
    #[inline(always)]
    fn map(&self, pair: Pair<T>) -> (T, T) {
        let u = if POSITIVE { pair.deficit() } else { pair.bounded_deficit() };
        let beyond = !POSITIVE && u > T::ONE;
        let z = if beyond { T::ONE + T::ONE - u } else { u };
        let turn = -self.bend * z.sqrt();
        let (angle, wedge) = if size_of::<T>() == size_of::<f32>() {
            (horner(&ANGLE_SINGLE, z), horner(&WEDGE_SINGLE, z))
        } else {
            (horner(&ANGLE, z), horner(&WEDGE, z))
        };
        let deficit = z * turn.mul_add(wedge, T::ONE);
        let slope = turn.mul_add(angle, T::ONE);
        let twice = self.linear + self.linear;
        let deficit = if beyond { twice.mul_add(T::ONE - z, deficit) } else { deficit };
        let slope = if beyond { twice - slope } else { slope };
        (self.gain * pair.gap(deficit), self.gain * slope)
    }
}

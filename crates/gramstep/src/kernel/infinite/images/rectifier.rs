//! Functions with one kink, at 0: φ(z) = p·z + q·|z|. With c = cos t = 1 − u, z = min(u, 2 − u) and t = arccos|c|,
//!
//! ```text
//! 1 − ρ of |z|    z − (2/π)(sin t − t·cos t) = z − (2/π)·z√z·R(z)
//! E[φ′φ′] of |z|  (2/π)·arcsin c = ±(1 − (2/π)·√z·P(z))
//! ```
//!
//! so one square root and two polynomials (tests/reference/arccosine_coefficients.py) make a pair of pixels.

use std::f64::consts::PI;

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

/// p·z + q·|z|.
pub(super) struct Rectifier<T> {
    /// p² + q², what a variance is multiplied by.
    gain: T,
    /// p²/(p² + q²)
    linear: T,
    /// q²/(p² + q²)
    absolute: T,
}

impl<T: Scalar> Rectifier<T> {
    pub(super) fn new(linear: f64, absolute: f64) -> Self {
        let (p, q) = (linear * linear, absolute * absolute);
        Self { gain: T::from_f64(p + q), linear: T::from_f64(p / (p + q)), absolute: T::from_f64(q / (p + q)) }
    }
}

impl<T: Scalar> Map<T> for Rectifier<T> {
    #[inline(always)]
    fn map(&self, pair: Pair<T>) -> (T, T) {
        let (two, per_angle) = (T::from_f64(2.0), T::from_f64(2.0 / PI));
        let u = pair.deficit();
        let z = u.min(two - u);
        let root = z.sqrt();
        let (angle, wedge) = if size_of::<T>() == size_of::<f32>() {
            (horner(&ANGLE_SINGLE, z), horner(&WEDGE_SINGLE, z))
        } else {
            (horner(&ANGLE, z), horner(&WEDGE, z))
        };
        let even = (-per_angle * z * root).mul_add(wedge, z);
        let arcsine = (-per_angle * root).mul_add(angle, T::ONE);
        let arcsine = if u > T::ONE { -arcsine } else { arcsine };
        let deficit = self.linear.mul_add(u, self.absolute * even);
        let gap = self.gain * pair.norm().mul_add(deficit, pair.twist());
        (gap, self.gain * self.absolute.mul_add(arcsine, self.linear))
    }
}

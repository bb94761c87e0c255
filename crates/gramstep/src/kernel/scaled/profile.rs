//! Functions of the scaled distance r, as functions of r²: their values and their derivatives in r².

use crate::scalar::{Scalar, elementary::exp_nonpositive};

/// A positive definite function k of the distance, in any number of dimensions, with k(0) = 1.
pub(super) trait Profile: Send + Sync + std::fmt::Debug {
    /// (k, ∂k/∂r²) at r².
    fn at<T: Scalar>(square: T) -> (T, T);
}

/// exp(−½r²)
#[derive(Debug)]
pub(super) struct Gaussian;

/// exp(−r). Its derivative at r = 0, a kink, counts as 0.
#[derive(Debug)]
pub(super) struct Matern12;

/// (1 + s)·exp(−s), s = √3·r
#[derive(Debug)]
pub(super) struct Matern32;

/// (1 + s + s²/3)·exp(−s), s = √5·r
#[derive(Debug)]
pub(super) struct Matern52;

/// r² where exp(−r) has long been as small as it gets: beyond, powers of r before it would grow. NaN stays.
#[inline(always)]
fn near<T: Scalar>(square: T) -> T {
    let most = T::from_f64(1e6);
    if square > most { most } else { square }
}

impl Profile for Gaussian {
    #[inline(always)]
    fn at<T: Scalar>(square: T) -> (T, T) {
        let minus_half = T::from_f64(-0.5);
        let k = exp_nonpositive(minus_half * square);
        (k, minus_half * k)
    }
}

impl Profile for Matern12 {
    #[inline(always)]
    fn at<T: Scalar>(square: T) -> (T, T) {
        let r = square.sqrt();
        let k = exp_nonpositive(-r);
        (k, if square > T::ZERO { T::from_f64(-0.5) * k / r } else { T::ZERO })
    }
}

impl Profile for Matern32 {
    #[inline(always)]
    fn at<T: Scalar>(square: T) -> (T, T) {
        let s = (T::from_f64(3.0) * near(square)).sqrt();
        let e = exp_nonpositive(-s);
        (s.mul_add(e, e), T::from_f64(-1.5) * e)
    }
}

impl Profile for Matern52 {
    #[inline(always)]
    fn at<T: Scalar>(square: T) -> (T, T) {
        let five = T::from_f64(5.0) * near(square);
        let s = five.sqrt();
        let e = exp_nonpositive(-s);
        let line = s.mul_add(e, e);
        ((five * T::from_f64(1.0 / 3.0)).mul_add(e, line), T::from_f64(-5.0 / 6.0) * line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slope_is_the_difference<P: Profile>() {
        assert_eq!(P::at(0.0).0, 1.0);
        for square in [1e-3, 0.2, 1.0, 7.0, 90.0_f64] {
            let h = 1e-4 * square.min(1.0);
            let difference = (P::at(square + h).0 - P::at(square - h).0) / (2.0 * h);
            assert!((P::at(square).1 - difference).abs() < 1e-6 * difference.abs(), "{square}");
        }
        let (far, slope) = P::at(1e300);
        assert!(far < 1e-290 && slope.is_finite());
        assert!(P::at(0.0).1.is_finite() && P::at(1e-320).1.is_finite() && P::at(f64::NAN).0.is_nan());
    }

    #[test]
    fn derivatives_are_those_of_the_values_and_stay_finite() {
        slope_is_the_difference::<Gaussian>();
        slope_is_the_difference::<Matern12>();
        slope_is_the_difference::<Matern32>();
        slope_is_the_difference::<Matern52>();
    }
}

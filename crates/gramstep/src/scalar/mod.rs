//! The two number types of the system, `f32` and `f64`, behind one sealed trait.

pub(crate) mod elementary;

use std::fmt::{Debug, Display};
use std::iter::Sum;
use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};

mod sealed {
    /// What the dense kernels ask of a number; hidden so that no third-party trait is public.
    pub trait Real: faer::traits::RealField + bytemuck::Pod {}
    impl Real for f32 {}
    impl Real for f64 {}
}

/// A real number type of a model: `f32` or `f64`.
///
/// The trait is sealed. It carries only what numerical code of this crate needs; everything that must not lose
/// digits (residuals, solves, reported losses) is `f64` whatever the model's type.
///
/// ```
/// use gramstep::Scalar;
/// fn half<T: Scalar>(x: T) -> T {
///     x * T::from_f64(0.5)
/// }
/// assert_eq!((half(3.0_f32).to_f64(), <f64 as Scalar>::NAME), (1.5, "f64"));
/// ```
pub trait Scalar:
    sealed::Real
    + Copy
    + Debug
    + Display
    + Default
    + PartialOrd
    + Send
    + Sync
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
    + DivAssign
    + Sum
    + 'static
{
    /// Additive identity.
    const ZERO: Self;
    /// Multiplicative identity.
    const ONE: Self;
    /// Distance from 1 to the next larger number.
    const EPSILON: Self;
    /// The name that a user writes: `"f32"` or `"f64"`.
    const NAME: &'static str;

    /// Rounds an `f64` to this type.
    fn from_f64(value: f64) -> Self;
    /// Widens to `f64` (exact).
    fn to_f64(self) -> f64;
    /// Whether the value is neither infinite nor NaN.
    fn is_finite(self) -> bool;
    /// Whether it is not a number.
    fn is_nan(self) -> bool;
    /// Absolute value.
    #[must_use]
    fn abs(self) -> Self;
    /// `self · factor + summand`, fused where the processor can.
    #[must_use]
    fn mul_add(self, factor: Self, summand: Self) -> Self;
    /// The larger of the two (the other one if one is NaN).
    #[must_use]
    fn max(self, other: Self) -> Self;
    /// The smaller of the two (the other one if one is NaN).
    #[must_use]
    fn min(self, other: Self) -> Self;
    /// Square root.
    #[must_use]
    fn sqrt(self) -> Self;
    /// Sine.
    #[must_use]
    fn sin(self) -> Self;
    /// Cosine.
    #[must_use]
    fn cos(self) -> Self;
    /// eˣ − 1 split as 2ⁿ·(1 + q) for x ≤ 0: returns (2ⁿ, q) with |q| ≤ √2 − 1 and q relatively exact.
    #[doc(hidden)]
    fn exp_parts(self) -> (Self, Self);
}

macro_rules! scalar {
    ($float:ty, $bits:ty, $name:literal, $underflow:literal, $ln2_hi:literal, $ln2_lo:literal, $magic:literal,
     $bias:literal, $mantissa:literal, $series:expr) => {
        impl Scalar for $float {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            const EPSILON: Self = <$float>::EPSILON;
            const NAME: &'static str = $name;

            #[inline(always)]
            fn from_f64(value: f64) -> Self {
                value as $float
            }
            #[inline(always)]
            fn to_f64(self) -> f64 {
                f64::from(self)
            }
            #[inline(always)]
            fn is_finite(self) -> bool {
                <$float>::is_finite(self)
            }
            fn is_nan(self) -> bool {
                <$float>::is_nan(self)
            }
            #[inline(always)]
            fn abs(self) -> Self {
                <$float>::abs(self)
            }
            #[inline(always)]
            fn mul_add(self, factor: Self, summand: Self) -> Self {
                <$float>::mul_add(self, factor, summand)
            }
            #[inline(always)]
            fn max(self, other: Self) -> Self {
                <$float>::max(self, other)
            }
            #[inline(always)]
            fn min(self, other: Self) -> Self {
                <$float>::min(self, other)
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                <$float>::sqrt(self)
            }
            #[inline(always)]
            fn sin(self) -> Self {
                <$float>::sin(self)
            }
            #[inline(always)]
            fn cos(self) -> Self {
                <$float>::cos(self)
            }
            #[inline(always)]
            fn exp_parts(self) -> (Self, Self) {
                const SERIES: &[$float] = &$series;
                // Branch-free, so that a loop over it becomes vector code. Rounding to the nearest integer by
                // adding 1.5·2^mantissa leaves the integer in the low bits. The clamp keeps 2ⁿ normal.
                let x = if self < $underflow { $underflow } else { self };
                let shifted = x.mul_add(std::f64::consts::LOG2_E as $float, $magic);
                let n = shifted - $magic;
                let r = n.mul_add(-$ln2_lo, n.mul_add(-$ln2_hi, x));
                // q = r + r²/2 + r³/6 + …, to the last bit for |r| ≤ ½ ln 2.
                let mut q = SERIES[0];
                let mut i = 1;
                while i < SERIES.len() {
                    q = q.mul_add(r, SERIES[i]);
                    i += 1;
                }
                let q = (q * r).mul_add(r, r);
                let integer = shifted.to_bits().wrapping_add($bias).wrapping_shl($mantissa);
                (<$float>::from_bits(integer), q)
            }
        }
    };
}

scalar!(
    f64,
    u64,
    "f64",
    -708.0,
    6.931_471_803_691_238e-1,
    1.908_214_929_270_587_7e-10,
    6_755_399_441_055_744.0,
    1023,
    52,
    [
        1.0 / 6_227_020_800.0,
        1.0 / 479_001_600.0,
        1.0 / 39_916_800.0,
        1.0 / 3_628_800.0,
        1.0 / 362_880.0,
        1.0 / 40_320.0,
        1.0 / 5_040.0,
        1.0 / 720.0,
        1.0 / 120.0,
        1.0 / 24.0,
        1.0 / 6.0,
        1.0 / 2.0,
    ]
);
scalar!(
    f32,
    u32,
    "f32",
    -87.0,
    0.693_359_4,
    -2.121_944_4e-4,
    12_582_912.0,
    127,
    23,
    [1.0 / 5_040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 1.0 / 2.0]
);

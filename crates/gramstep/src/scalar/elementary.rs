//! Exponential functions without branches, so that loops over them become vector code. Each is accurate to a few
//! units in the last place (of 1 for `erfc`-based ones); the tests hold them against `libm`-quality references.

use super::Scalar;

/// eˣ for x ≤ 0. Below −708 (`f64`) or −87 (`f32`) it stays at the value there, the smallest power that is surely
/// normal, not 0.
#[inline(always)]
pub(crate) fn exp_nonpositive<T: Scalar>(x: T) -> T {
    let (power, q) = x.exp_parts();
    q.mul_add(power, power)
}

/// eˣ − 1 for x ≤ 0, relatively exact near 0.
#[inline(always)]
pub(crate) fn exp_m1_nonpositive<T: Scalar>(x: T) -> T {
    let (power, q) = x.exp_parts();
    q.mul_add(power, power - T::ONE)
}

/// 1/(1 + e⁻ˣ).
#[inline(always)]
pub(crate) fn sigmoid<T: Scalar>(x: T) -> T {
    let e = exp_nonpositive(-x.abs());
    let small = T::ONE / (T::ONE + e);
    if x < T::ZERO { e * small } else { small }
}

/// σ(x)·(1 − σ(x)), without cancellation for large |x|.
#[inline(always)]
pub(crate) fn sigmoid_slope<T: Scalar>(x: T) -> T {
    let e = exp_nonpositive(-x.abs());
    let inverse = T::ONE / (T::ONE + e);
    e * inverse * inverse
}

/// Hyperbolic tangent.
#[inline(always)]
pub(crate) fn tanh<T: Scalar>(x: T) -> T {
    let two = T::ONE + T::ONE;
    let t = exp_m1_nonpositive(-two * x.abs());
    let magnitude = -t / (two + t);
    if x < T::ZERO { -magnitude } else { magnitude }
}

/// ln(1 + eˣ) = max(x, 0) + ln(1 + e^−|x|), the logarithm by 2·artanh(e/(2 + e)).
#[inline(always)]
pub(crate) fn softplus<T: Scalar>(x: T) -> T {
    let two = T::ONE + T::ONE;
    let e = exp_nonpositive(-x.abs());
    let s = e / (two + e);
    let square = s * s;
    // Σ s^(2k+1)/(2k+1); s ≤ 1/3 leaves 3e-18 after k = 17.
    let mut sum = T::from_f64(1.0 / 35.0);
    let mut k = 16;
    while k > 0 {
        sum = sum.mul_add(square, T::from_f64(1.0 / f64::from(2 * k + 1)));
        k -= 1;
    }
    sum = sum.mul_add(square, T::ONE);
    x.max(T::ZERO) + two * s * sum
}

/// 1/√π
const FRAC_1_SQRT_PI: f64 = 0.564_189_583_547_756_3;

/// Coefficients of (1 + 2x)·exp(x²)·erfc(x) in powers of t = (x − 3.75)/(x + 3.75), highest first
/// (tests/reference/erfcx_coefficients.py).
#[expect(clippy::unreadable_literal, reason = "a table made by a script")]
const ERFC: [f64; 23] = [
    -2.7293941332533855e-09,
    -1.952790162974837e-09,
    3.256499083798513e-08,
    1.8778501156468795e-08,
    -2.4996538037405243e-07,
    -5.0816911811698186e-08,
    1.7438577411359181e-06,
    -9.79297529099823e-07,
    -1.143961526007595e-05,
    2.238759272534769e-05,
    5.164737123871838e-05,
    -0.0002901553656394713,
    0.00029371408777227685,
    0.0017556261692276722,
    -0.00974657962081509,
    0.028362277371370044,
    -0.058693398584491845,
    0.09230432116435616,
    -0.10880393014193915,
    0.08227673848999159,
    0.0035854154854663067,
    -0.14024059858554522,
    1.2375126308378275,
];

/// The same to 1e-8, for `f32` (the script's degree 11).
#[expect(clippy::unreadable_literal, reason = "a table made by a script")]
const ERFC_SINGLE: [f64; 12] = [
    -0.00022874723359084774,
    0.0003967046382800549,
    0.0016886622311156746,
    -0.009845491094959295,
    0.02839648212065827,
    -0.0586459828677125,
    0.092296367961203,
    -0.10881458496174144,
    0.08227741756036867,
    0.003586310101688852,
    -0.14024060801000693,
    1.2375126184625718,
];

/// exp(x²)·erfc(x) for x ≥ 0.
#[inline(always)]
fn scaled_erfc<T: Scalar>(x: T) -> T {
    let centre = T::from_f64(3.75);
    let t = (x - centre) / (x + centre);
    let p = if size_of::<T>() == size_of::<f32>() { horner(&ERFC_SINGLE, t) } else { horner(&ERFC, t) };
    p / (T::ONE + x + x)
}

/// Σ c_i tⁱ, the coefficients highest first.
#[inline(always)]
pub(crate) fn horner<T: Scalar, const N: usize>(coefficients: &[f64; N], t: T) -> T {
    let mut p = T::from_f64(coefficients[0]);
    let mut i = 1;
    while i < N {
        p = p.mul_add(t, T::from_f64(coefficients[i]));
        i += 1;
    }
    p
}

/// The error function, relatively exact near 0.
#[inline(always)]
pub(crate) fn erf<T: Scalar>(x: T) -> T {
    // 2/√π Σ (−1)ⁿ x^(2n+1)/(n!(2n+1)) for |x| < ½.
    const SERIES: [f64; 12] = [
        -1.0 / (39_916_800.0 * 23.0),
        1.0 / (3_628_800.0 * 21.0),
        -1.0 / (362_880.0 * 19.0),
        1.0 / (40_320.0 * 17.0),
        -1.0 / (5_040.0 * 15.0),
        1.0 / (720.0 * 13.0),
        -1.0 / (120.0 * 11.0),
        1.0 / (24.0 * 9.0),
        -1.0 / (6.0 * 7.0),
        1.0 / (2.0 * 5.0),
        -1.0 / 3.0,
        1.0,
    ];
    let magnitude = x.abs();
    let far = T::ONE - exp_nonpositive(-x * x) * scaled_erfc(magnitude);
    let square = x * x;
    let near = T::from_f64(2.0 * FRAC_1_SQRT_PI) * x * horner(&SERIES, square);
    let far = if x < T::ZERO { -far } else { far };
    if magnitude < T::from_f64(0.5) { near } else { far }
}

/// erf′(x) = 2/√π·exp(−x²).
#[inline(always)]
pub(crate) fn erf_slope<T: Scalar>(x: T) -> T {
    T::from_f64(2.0 * FRAC_1_SQRT_PI) * exp_nonpositive(-x * x)
}

/// (Φ(x), Φ′(x)) of the standard normal law; both need the same exponential.
#[inline(always)]
pub(crate) fn normal<T: Scalar>(x: T) -> (T, T) {
    let half = T::from_f64(0.5);
    let e = exp_nonpositive(-half * x * x);
    let tail = half * e * scaled_erfc(x.abs() * T::from_f64(std::f64::consts::FRAC_1_SQRT_2));
    let density = T::from_f64(FRAC_1_SQRT_PI * std::f64::consts::FRAC_1_SQRT_2) * e;
    (if x < T::ZERO { tail } else { T::ONE - tail }, density)
}

/// Coefficients of Q in asin(y) = y + y·z·Q(z), z = y² ≤ ¼, highest first (tests/reference/asin_coefficients.py).
#[expect(clippy::unreadable_literal, reason = "a table made by a script")]
const ASIN: [f64; 13] = [
    0.028757851367421566,
    -0.014851887071247204,
    0.01740087944269402,
    0.005457506718640358,
    0.01032281435018578,
    0.011479177415184906,
    0.013971212973552933,
    0.017352392720869973,
    0.02237217294214989,
    0.030381944138531247,
    0.04464285714635543,
    0.07499999999998433,
    0.16666666666666669,
];

/// (asin(c), arccos|c|) of a number whose distance m = 1 − |c| from ±1 is known without cancellation: the angle is then
/// relatively exact near 0 too.
#[inline(always)]
pub(crate) fn angles<T: Scalar>(c: T, m: T) -> (T, T) {
    let (half, two) = (T::from_f64(0.5), T::ONE + T::ONE);
    let magnitude = c.abs();
    // arccos|c| = 2·asin(√(m/2)) from |c| = ½ on, π/2 − asin|c| below.
    let near = magnitude > half;
    let (root, square) = ((half * m).sqrt(), magnitude * magnitude);
    let y = if near { root } else { magnitude };
    let z = if near { half * m } else { square };
    let small = (y * z).mul_add(horner(&ASIN, z), y);
    let right = T::from_f64(std::f64::consts::FRAC_PI_2);
    let angle = if near { two * small } else { right - small };
    let arcsine = if near { right - angle } else { small };
    (if c < T::ZERO { -arcsine } else { arcsine }, angle)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid() -> impl Iterator<Item = f64> {
        (-4000..=4000).map(|i| f64::from(i) * 0.005 + 1e-7)
    }

    #[test]
    fn exponential_functions_agree_with_the_standard_library() {
        for x in grid() {
            let close = |got: f64, want: f64| (got - want).abs() <= 4.0 * f64::EPSILON * want.abs();
            assert!(close(exp_nonpositive(-x.abs()), (-x.abs()).exp()), "exp {x}");
            assert!(close(tanh(x), x.tanh()), "tanh {x}: {} {}", tanh(x), x.tanh());
            assert!(close(sigmoid(x), 1.0 / (1.0 + (-x).exp())), "sigmoid {x}");
            assert!(close(softplus(x), x.max(0.0) + (-x.abs()).exp().ln_1p()), "softplus {x}");
            let narrow = |x: f64| x as f32;
            assert!((tanh(narrow(x)) - narrow(x).tanh()).abs() <= 4.0 * f32::EPSILON * narrow(x).tanh().abs());
            let wide = softplus(f64::from(narrow(x)));
            assert!((f64::from(softplus(narrow(x))) / wide - 1.0).abs() <= 1e-6, "softplus {x} in f32");
        }
    }

    #[test]
    fn tiny_and_huge_arguments_keep_their_meaning() {
        assert_eq!(tanh(1e-300), 1e-300);
        assert_eq!(tanh(1e300), 1.0);
        assert_eq!(tanh(-1e300_f64), -1.0);
        assert_eq!(sigmoid(1e300), 1.0);
        assert!(sigmoid(-1e300_f64) < 1e-300);
        assert_eq!(softplus(1e300), 1e300);
        assert_eq!(erf(1e300), 1.0);
        assert!(tanh(f64::NAN).is_nan() && softplus(f64::NAN).is_nan() && erf(f64::NAN).is_nan());
        assert!(sigmoid(f32::NAN).is_nan());
    }

    #[test]
    fn angles_agree_with_the_standard_library_and_keep_their_digits_near_one() {
        for i in -1000..=1000 {
            let c = f64::from(i) * 0.001;
            let (arcsine, angle) = angles(c, 1.0 - c.abs());
            assert!((arcsine - c.asin()).abs() <= 4.0 * f64::EPSILON * c.asin().abs(), "asin {c}");
            assert!((angle - c.abs().acos()).abs() <= 4.0 * f64::EPSILON * c.abs().acos().max(1e-300), "acos {c}");
        }
        // cos t = 1 − t²/2 + …: t = √(2m)·(1 + m/12 + …).
        for m in [1e-30, 1e-20, 1e-12_f64] {
            assert!((angles(1.0 - m, m).1 / (2.0 * m).sqrt() - 1.0).abs() < 1e-12);
        }
        assert!((angles(0.3_f32, 0.7).0 - 0.3_f32.asin()).abs() < 4.0 * f32::EPSILON);
    }

    #[test]
    fn error_function_agrees_with_reference_values() {
        // 30-digit values from mpmath, rounded.
        for (x, want) in [
            (0.0, 0.0),
            (1e-10, 1.128_379_167_095_512_6e-10),
            (0.25, 0.276_326_390_168_236_93),
            (0.499, 0.519_620_655_989_468_5),
            (0.5, 0.520_499_877_813_046_5),
            (1.0, 0.842_700_792_949_714_9),
            (2.0, 0.995_322_265_018_952_7),
            (3.5, 0.999_999_256_901_627_7),
        ] {
            assert!((erf(x) - want).abs() <= 4.0 * f64::EPSILON * want.max(1e-300), "erf({x}) = {}", erf(x));
            assert_eq!(erf(-x), -erf(x));
        }
        // Φ(−5), relatively exact in the tail.
        assert!((normal(-5.0).0 / 2.866_515_718_791_939e-7 - 1.0_f64).abs() < 1e-13);
        for x in grid().filter(|x| x.abs() < 12.0).map(|x| x as f32) {
            let (wide, narrow) = (normal(f64::from(x)).0, f64::from(normal(x).0));
            assert!((narrow / wide - 1.0).abs() < f64::from(f32::EPSILON * (4.0 + x * x)), "Φ({x}): {narrow}, {wide}");
            assert!((erf(f64::from(x)) - f64::from(erf(x))).abs() < 2.0 * f64::from(f32::EPSILON), "erf({x})");
        }
    }
}

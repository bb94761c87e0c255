//! Conjugate gradients (Hestenes and Stiefel 1952) on (G + λI) c = r, through products alone.

use serde::{Deserialize, Serialize};

use super::solver::{SolveInfo, Solver};
use super::vector::{dot, norm};
use crate::error::{Error, Result};

/// When to stop.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ConjugateGradient {
    /// Relative residual ‖r − (G + λI)c‖/‖r‖ that is good enough, above 0.
    pub tolerance: f64,
    /// Largest number of iterations, each with one product; the residual at the end takes one more.
    pub iterations: usize,
}

impl Default for ConjugateGradient {
    fn default() -> Self {
        Self { tolerance: 1e-10, iterations: 500 }
    }
}

impl ConjugateGradient {
    /// Stops at another relative residual.
    #[must_use]
    pub fn to_tolerance(tolerance: f64) -> Self {
        Self { tolerance, ..Self::default() }
    }
}

/// Solves (G + λI) c = `rhs`, where `product` computes G x.
///
/// Running out of iterations is not an error: the iterate so far is a descent direction, and the residual says how
/// good it is: computed anew at the end, not carried along.
///
/// # Errors
/// Those of `product`, and [`Error::Solve`] if G + λI is found to be indefinite (a search direction of negative
/// curvature beyond `tolerance` times the largest one seen) or not finite.
pub fn conjugate_gradient(
    mut product: impl FnMut(&[f64]) -> Result<Vec<f64>>,
    damping: f64,
    rhs: &[f64],
    settings: ConjugateGradient,
) -> Result<(Vec<f64>, SolveInfo)> {
    let size = rhs.len();
    let mut solution = vec![0.0; size];
    let mut residual = rhs.to_vec();
    let mut direction = rhs.to_vec();
    let target = norm(rhs) * settings.tolerance;
    let mut square = dot(&residual, &residual);
    // Rayleigh quotients of search directions: they lie between the extreme eigenvalues.
    let (mut smallest, mut largest) = (f64::INFINITY, 0.0_f64);
    let mut iterations = 0;
    while iterations < settings.iterations && square.sqrt() > target {
        let mut image = product(&direction)?;
        for (image, d) in image.iter_mut().zip(&direction) {
            *image += damping * d;
        }
        let curvature = dot(&direction, &image);
        let quotient = curvature / dot(&direction, &direction);
        if !quotient.is_finite() {
            let reason = "a product is not finite".to_owned();
            return Err(Error::Solve { solver: "conjugate gradients", size, reason });
        }
        if quotient < -settings.tolerance * largest {
            let reason = format!("the matrix is indefinite: curvature {quotient:e} along a search direction");
            return Err(Error::Solve { solver: "conjugate gradients", size, reason });
        }
        if quotient <= 0.0 {
            // The rest of the residual lies in the null space, up to rounding.
            break;
        }
        (smallest, largest) = (smallest.min(quotient), largest.max(quotient));
        let step = square / curvature;
        for ((c, r), (d, image)) in solution.iter_mut().zip(&mut residual).zip(direction.iter().zip(&image)) {
            *c += step * d;
            *r -= step * image;
        }
        let next = dot(&residual, &residual);
        let momentum = next / square;
        square = next;
        for (d, r) in direction.iter_mut().zip(&residual) {
            *d = r + momentum * *d;
        }
        iterations += 1;
    }
    let defect = if iterations > 0 { product(&solution)? } else { vec![0.0; size] };
    let defect: Vec<f64> = rhs.iter().zip(defect).zip(&solution).map(|((r, g), c)| r - g - damping * c).collect();
    let length = norm(rhs);
    let info = SolveInfo {
        solver: Solver::ConjugateGradient,
        size,
        damping,
        residual: if length == 0.0 { 0.0 } else { norm(&defect) / length },
        smallest: if smallest.is_finite() { smallest } else { 0.0 },
        largest,
        rank: None,
        iterations,
        repaired: false,
    };
    Ok((solution, info))
}

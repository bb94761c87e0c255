//! B and z of a loss that knows its gradient, and its Hessian or nothing more.

use crate::solve::eigen;
use crate::view::Matrix;

/// Curvature below this share of the largest counts as this share: differences know no more digits.
const FLOOR: f64 = 1e-8;

/// The Hessian from central differences of the gradient, symmetrised; k×k row by row.
pub(super) fn differences(f: &[f64], gradient: impl Fn(&[f64], &mut [f64]), hessian: &mut [f64]) {
    let k = f.len();
    let (mut at, mut up, mut down) = (f.to_vec(), vec![0.0; k], vec![0.0; k]);
    for j in 0..k {
        let step = f64::EPSILON.cbrt() * f[j].abs().max(1.0);
        at[j] = f[j] + step;
        gradient(&at, &mut up);
        at[j] = f[j] - step;
        gradient(&at, &mut down);
        at[j] = f[j];
        for i in 0..k {
            hessian[i * k + j] = (up[i] - down[i]) / (2.0 * step);
        }
    }
    for i in 0..k {
        for j in 0..i {
            let mean = 0.5 * (hessian[i * k + j] + hessian[j * k + i]);
            (hessian[i * k + j], hessian[j * k + i]) = (mean, mean);
        }
    }
}

/// B = V|Λ|^½ and z = |Λ|^{−½}Vᵀg for the Hessian VΛVᵀ; 1 in place of Λ where it is 0 altogether, not a number where it is
/// none.
pub(super) fn factor(hessian: Vec<f64>, gradient: &[f64], factor: &mut [f64], z: &mut [f64]) {
    let k = gradient.len();
    let decomposed = Matrix::from_vec(k, k, hessian).and_then(|hessian| eigen(&hessian, 1));
    let Ok(decomposed) = decomposed else {
        factor.fill(f64::NAN);
        z.fill(f64::NAN);
        return;
    };
    let top = decomposed.values.iter().fold(0.0_f64, |top, value| top.max(value.abs()));
    let root = |value: &f64| if top > 0.0 { value.abs().max(FLOOR * top).sqrt() } else { 1.0 };
    let roots: Vec<f64> = decomposed.values.iter().map(root).collect();
    let mut unit = vec![0.0; k];
    for (a, row) in factor.chunks_exact_mut(k).enumerate() {
        unit[a] = 1.0;
        for ((b, v), root) in row.iter_mut().zip(decomposed.project(&unit)).zip(&roots) {
            *b = v * root;
        }
        unit[a] = 0.0;
    }
    for ((z, g), root) in z.iter_mut().zip(decomposed.project(gradient)).zip(&roots) {
        *z = g / root;
    }
}

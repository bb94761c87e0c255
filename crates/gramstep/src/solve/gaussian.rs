//! Draws of a normal distribution with a given covariance.

use rand::Rng;
use rand_distr::{Distribution as _, StandardNormal};

use super::{Cholesky, Eigen, eigen};
use crate::error::{Result, check_extent};
use crate::view::Matrix;

/// N(0, C), as R z with R Rᵀ = C and z of independent standard normal numbers.
///
/// R is the Cholesky factor of C; of a singular C, such as that of one number repeated, Q √Λ of its eigenvalues, negative
/// ones of rounding taken for 0.
///
/// ```
/// use gramstep::random::{Purpose, stream};
/// use gramstep::{Matrix, solve::Gaussian};
/// // Twice the same number.
/// let twins = Gaussian::new(&Matrix::from_vec(2, 2, vec![4.0; 4])?, 1)?;
/// let draw = twins.draw(&mut stream(0, Purpose::Data, 0, 0));
/// assert!(draw[0] != 0.0 && (draw[0] - draw[1]).abs() < 1e-12);
/// # Ok::<(), gramstep::Error>(())
/// ```
#[derive(Debug)]
pub struct Gaussian {
    root: Root,
    size: usize,
}

#[derive(Debug)]
enum Root {
    Cholesky(Cholesky),
    /// With √Λ.
    Eigen(Eigen, Vec<f64>),
}

impl Gaussian {
    /// Of a covariance, m×m, of which the lower triangle is read.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if it is not square, and those of [`eigen`].
    pub fn new(covariance: &Matrix<f64>, threads: usize) -> Result<Self> {
        let size = covariance.rows();
        check_extent("columns of the covariance", size, covariance.columns())?;
        let root = if let Some(factor) = Cholesky::factor(covariance, 0.0, threads) {
            Root::Cholesky(factor)
        } else {
            let eigen = eigen(covariance, threads)?;
            let roots = eigen.values.iter().map(|value| value.max(0.0).sqrt()).collect();
            Root::Eigen(eigen, roots)
        };
        Ok(Self { root, size })
    }

    /// One draw, of length m.
    pub fn draw(&self, generator: &mut impl Rng) -> Vec<f64> {
        self.transform((0..self.size).map(|_| StandardNormal.sample(generator)).collect())
    }

    /// R z.
    fn transform(&self, mut z: Vec<f64>) -> Vec<f64> {
        match &self.root {
            Root::Cholesky(factor) => factor.multiply(&z),
            Root::Eigen(eigen, roots) => {
                z.iter_mut().zip(roots).for_each(|(z, root)| *z *= root);
                eigen.expand(&z)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R Rᵀ from the images of unit vectors.
    fn covariance_of(gaussian: &Gaussian) -> Matrix<f64> {
        let m = gaussian.size;
        let unit = |j: usize| gaussian.transform((0..m).map(|i| if i == j { 1.0 } else { 0.0 }).collect());
        let root: Vec<Vec<f64>> = (0..m).map(unit).collect();
        Matrix::from_fn(m, m, |i, k| root.iter().map(|column| column[i] * column[k]).sum())
    }

    #[test]
    fn draws_have_the_covariance_regular_or_singular() {
        let regular =
            Matrix::from_fn(40, 40, |i, j| (-(i as f64 - j as f64).powi(2) / 2.0).exp() + f64::from(u8::from(i == j)));
        let singular = Matrix::from_fn(40, 40, |i, j| (i + 1) as f64 * (j + 1) as f64 / 100.0);
        for covariance in [regular, singular] {
            let found = covariance_of(&Gaussian::new(&covariance, 1).unwrap());
            for (found, expected) in found.as_slice().iter().zip(covariance.as_slice()) {
                assert!((found - expected).abs() < 1e-12 * 16.0, "{found} for {expected}");
            }
        }
        assert!(Gaussian::new(&Matrix::zeros(2, 3), 1).is_err());
    }
}

//! A kernel with a scale for every column: its parameters, its matrices.

use super::anova::Anova;
use super::arc_cosine::ArcCosine;
use super::kind::ScaledKind;
use super::matrices::{input_slopes, rectangle, symmetric};
use super::pairs::Pairs;
use super::points::Points;
use super::profile::{Gaussian, Matern12, Matern32, Matern52};
use super::radial::Radial;
use crate::device::Device;
use crate::error::{Error, Result, check_extent, check_not_negative, check_setting};
use crate::scalar::Scalar;
use crate::view::{Matrix, MatrixView};

/// A kernel of d columns with its parameters.
///
/// ```
/// use gramstep::Matrix;
/// use gramstep::kernel::{ScaledKernel, ScaledKind};
/// // The second column does not count.
/// let kernel = ScaledKernel::new(ScaledKind::Rbf, vec![4.0, 0.0], Vec::new(), 0.0)?;
/// let x = Matrix::from_vec(2, 2, vec![0.0, 7.0, 0.5, -3.0])?;
/// let gram = kernel.gram(&x, 1)?;
/// assert_eq!(gram[(0, 0)], 1.0);
/// assert!((gram[(1, 0)] - (-0.5_f64 * 4.0 * 0.25).exp()).abs() < 1e-15);
/// # Ok::<(), gramstep::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ScaledKernel {
    kind: ScaledKind,
    weights: Vec<f64>,
    shares: Vec<f64>,
    bias: f64,
}

impl ScaledKernel {
    /// The kernel of weights w_j ≥ 0, one for every column; shares c_j from 0 to 1, as many, where the kind has them;
    /// a bias b ≥ 0 where it has one.
    ///
    /// # Errors
    /// [`Error::TooFew`] without columns, [`Error::Shape`] for another number of shares, [`Error::Setting`] if a number is
    /// outside its range or stands where the kind has none.
    pub fn new(kind: ScaledKind, weights: Vec<f64>, shares: Vec<f64>, bias: f64) -> Result<Self> {
        if weights.is_empty() {
            return Err(Error::TooFew { what: "columns of a kernel", least: 1, got: 0 });
        }
        weights.iter().try_for_each(|&weight| check_not_negative("weight of a column", weight))?;
        check_extent("shares of the columns", if kind.has_shares() { weights.len() } else { 0 }, shares.len())?;
        shares.iter().try_for_each(|share| {
            check_setting((0.0..=1.0).contains(share), "share of a column", share, "from 0 to 1")
        })?;
        check_not_negative("bias", bias)?;
        check_setting(kind.has_bias() || bias == 0.0, "bias", &bias, "0: this kernel has none")?;
        Ok(Self { kind, weights, shares, bias })
    }

    /// Which kernel.
    #[must_use]
    pub fn kind(&self) -> ScaledKind {
        self.kind
    }

    /// w_j, 1/ℓ_j² for a length scale ℓ_j.
    #[must_use]
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// c_j; none where the kind has none.
    #[must_use]
    pub fn shares(&self) -> &[f64] {
        &self.shares
    }

    /// b; 0 where the kind has none.
    #[must_use]
    pub fn bias(&self) -> f64 {
        self.bias
    }

    /// ℓ_j = 1/√w_j, infinite where w_j = 0.
    ///
    /// ```
    /// use gramstep::kernel::{ScaledKernel, ScaledKind};
    /// let kernel = ScaledKernel::new(ScaledKind::Rbf, vec![4.0, 0.0], Vec::new(), 0.0)?;
    /// assert_eq!(kernel.length_scales(), [0.5, f64::INFINITY]);
    /// # Ok::<(), gramstep::Error>(())
    /// ```
    #[must_use]
    pub fn length_scales(&self) -> Vec<f64> {
        self.weights.iter().map(|weight| weight.sqrt().recip()).collect()
    }

    /// The same kernel with all w_j times a factor ≥ 0.
    ///
    /// # Errors
    /// [`Error::Setting`] if a product is not finite and ≥ 0.
    pub fn rescaled(&self, factor: f64) -> Result<Self> {
        let weights = self.weights.iter().map(|weight| factor * weight).collect();
        Self::new(self.kind, weights, self.shares.clone(), self.bias)
    }

    /// K of points among themselves, n×n, symmetric to the bit.
    ///
    /// # Errors
    /// [`Error::Shape`] if the points have another number of columns.
    pub fn gram<'x, T: Scalar>(&self, x: impl Into<MatrixView<'x, T>>, threads: usize) -> Result<Matrix<T>> {
        let points = self.points(x.into())?;
        Ok(symmetric(&*self.pairs(&points, &points), &Device::cpu(threads)))
    }

    /// K between points (rows) and others (columns), m×n.
    ///
    /// # Errors
    /// [`Error::Shape`] if the points have another number of columns.
    pub fn cross<'x, T: Scalar>(
        &self,
        a: impl Into<MatrixView<'x, T>>,
        b: impl Into<MatrixView<'x, T>>,
        threads: usize,
    ) -> Result<Matrix<T>> {
        let (a, b) = (self.points(a.into())?, self.points(b.into())?);
        Ok(rectangle(&*self.pairs(&a, &b), &Device::cpu(threads)))
    }

    /// K(x, x) of every point.
    ///
    /// # Errors
    /// [`Error::Shape`] if the points have another number of columns.
    pub fn diagonal<'x, T: Scalar>(&self, x: impl Into<MatrixView<'x, T>>) -> Result<Vec<T>> {
        let x = x.into();
        let points = self.points(x)?;
        let pairs = self.pairs(&points, &points);
        let mut diagonal = vec![T::ONE; x.rows()];
        for (i, own) in diagonal.iter_mut().enumerate() {
            pairs.values(i, i..i + 1, std::slice::from_mut(own));
        }
        Ok(diagonal)
    }

    /// ∂/∂x_i ⟨u_i, Σ_k K(x_i, b_k) c_k⟩, m×d.
    pub(super) fn input_gradient<T: Scalar>(
        &self,
        x: &Points<T>,
        b: &Points<T>,
        uc: (&Matrix<T>, &Matrix<T>),
        device: &Device,
    ) -> Matrix<T> {
        let d = self.weights.len();
        let mut slopes = input_slopes(&*self.pairs(x, b), uc, d, device);
        let roots: Vec<T> = self.weights.iter().map(|weight| T::from_f64(weight.sqrt())).collect();
        for row in slopes.as_mut_slice().chunks_exact_mut(d) {
            row.iter_mut().zip(&roots).for_each(|(slope, &root)| *slope *= root);
        }
        slopes
    }

    /// Points in the coordinates of this kernel.
    pub(super) fn points<T: Scalar>(&self, x: MatrixView<'_, T>) -> Result<Points<T>> {
        check_extent("columns of the points of a kernel", self.weights.len(), x.columns())?;
        Ok(match self.kind {
            ScaledKind::Nngp => Points::directions(x, &self.weights, self.bias),
            _ => Points::scaled(x, &self.weights),
        })
    }

    /// The kernel between prepared points.
    pub(super) fn pairs<'a, T: Scalar>(&'a self, a: &'a Points<T>, b: &'a Points<T>) -> Box<dyn Pairs<T> + 'a> {
        match self.kind {
            ScaledKind::Rbf => Box::new(Radial::<T, Gaussian>::new(a, b)),
            ScaledKind::Matern12 => Box::new(Radial::<T, Matern12>::new(a, b)),
            ScaledKind::Matern32 => Box::new(Radial::<T, Matern32>::new(a, b)),
            ScaledKind::Matern52 => Box::new(Radial::<T, Matern52>::new(a, b)),
            ScaledKind::AnovaRbf => Box::new(Anova::<T, Gaussian>::new(a, b, &self.shares)),
            ScaledKind::AnovaMatern12 => Box::new(Anova::<T, Matern12>::new(a, b, &self.shares)),
            ScaledKind::AnovaMatern32 => Box::new(Anova::<T, Matern32>::new(a, b, &self.shares)),
            ScaledKind::Nngp => Box::new(ArcCosine::new(a, b)),
        }
    }
}

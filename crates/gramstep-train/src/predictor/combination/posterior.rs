//! What a combination says of several new observations at once.
//!
//! ```text
//! F = Σ_c w_c² Cov f_c        of networks by how their members differ, of kernels by their posterior, parts apart
//! Cov = D F D + diag(σ² − diag D F D),   D = diag min(1, σ/√F_ii)
//! ```
//!
//! σ(x) is the deviation that held on rows that the model had not seen: what its parts know of their own errors says how
//! these go together, not how large they are.

use gramstep::model::Average;
use gramstep::{Matrix, Scalar};

use super::{Combination, Part, PartModel};
use crate::error::Result;

impl Combination {
    /// Of new observations whose standard deviations are those given, m×targets: m×m for every target, in standardised
    /// units.
    pub(in crate::predictor) fn covariance(
        &self,
        x: &Matrix<f64>,
        deviation: &Matrix<f64>,
    ) -> Result<Vec<Matrix<f64>>> {
        let m = x.rows();
        let mut sums = vec![Matrix::<f64>::zeros(m, m); deviation.columns()];
        for part in &self.parts {
            let square = part.weight * part.weight;
            for (sum, own) in sums.iter_mut().zip(part.covariance(x)?) {
                sum.as_mut_slice().iter_mut().zip(own.as_slice()).for_each(|(sum, own)| *sum += square * own);
            }
        }
        for (a, sum) in sums.iter_mut().enumerate() {
            bound(sum, &(0..m).map(|i| deviation[(i, a)]).collect::<Vec<f64>>());
        }
        Ok(sums)
    }

    /// Bytes of the factors that its kernels are yet to make for their posteriors, which they keep, and of one kernel
    /// matrix beside them.
    pub(in crate::predictor) fn posterior_bytes(&self) -> usize {
        let squares = self.parts.iter().map(|part| part.rows_to_factor().saturating_pow(2));
        let matrices = squares.clone().max().unwrap_or(0).saturating_add(squares.sum());
        matrices.saturating_mul(size_of::<f64>())
    }
}

/// D F D, and on the diagonal σ².
fn bound(covariance: &mut Matrix<f64>, deviation: &[f64]) {
    let factor = |i: usize| {
        let own = covariance[(i, i)].max(0.0).sqrt();
        if own > deviation[i] { deviation[i] / own } else { 1.0 }
    };
    let factors: Vec<f64> = (0..deviation.len()).map(factor).collect();
    for i in 0..deviation.len() {
        covariance.row_mut(i).iter_mut().zip(&factors).for_each(|(entry, factor)| *entry *= factors[i] * factor);
        covariance[(i, i)] = deviation[i] * deviation[i];
    }
}

impl Part {
    /// Cov f of a regression, m×m for every target.
    fn covariance(&self, x: &Matrix<f64>) -> Result<Vec<Matrix<f64>>> {
        let seen = self.view.apply(x);
        match &self.model {
            PartModel::F32(networks) => between(networks, &seen.cast()),
            PartModel::F64(networks) => between(networks, &seen),
            PartModel::Kernel(kernel) => {
                let (prior, shape) = (kernel.regression.prior_variance()?, kernel.regression.covariance(&seen)?);
                let scaled = |prior: f64| Matrix::from_fn(x.rows(), x.rows(), |i, j| prior * shape[(i, j)]);
                Ok(prior.into_iter().map(scaled).collect())
            }
            PartModel::Infinite(kernel) => kernel.function_covariance(&seen),
        }
    }

    /// Rows of the kernel matrix that its posterior is yet to be made of.
    fn rows_to_factor(&self) -> usize {
        match &self.model {
            PartModel::Kernel(kernel) if !kernel.regression.is_factored() => kernel.regression.points().rows(),
            PartModel::Infinite(kernel) if !kernel.process().is_factored() => kernel.train().rows(),
            PartModel::F32(_) | PartModel::F64(_) | PartModel::Kernel(_) | PartModel::Infinite(_) => 0,
        }
    }
}

/// The covariance of the members' outputs, for every output.
fn between<T: Scalar>(networks: &Average<T>, x: &Matrix<T>) -> Result<Vec<Matrix<f64>>> {
    let members = networks.members();
    let outputs = members.iter().map(|member| Ok(member.predict(x)?.cast())).collect::<Result<Vec<Matrix<f64>>>>()?;
    let (m, count) = (x.rows(), members.len() as f64);
    let of = |a: usize| {
        let mut off = Matrix::from_fn(members.len(), m, |member, i| outputs[member][(i, a)]);
        for i in 0..m {
            let mean = (0..members.len()).map(|member| off[(member, i)]).sum::<f64>() / count;
            (0..members.len()).for_each(|member| off[(member, i)] -= mean);
        }
        Matrix::from_fn(m, m, |i, j| {
            (0..members.len()).map(|member| off[(member, i)] * off[(member, j)]).sum::<f64>() / count
        })
    };
    Ok((0..networks.members()[0].outputs()).map(of).collect())
}

#[cfg(test)]
mod tests {
    use gramstep::Device;
    use gramstep::kernel::{ScaledKernel, ScaledKind, ScaledRegression};

    use super::super::{KernelPart, View};
    use super::*;
    use crate::data::{Dataset, Task};

    #[test]
    fn a_posterior_asks_for_memory_once() {
        let (n, x) = (12, Matrix::from_fn(12, 1, |i, _| i as f64));
        let c = Matrix::from_fn(n, 1, |i, _| (i as f64).sin());
        let kernel = ScaledKernel::new(ScaledKind::Matern52, vec![2.0], Vec::new(), 0.0).unwrap();
        let regression = ScaledRegression::restore(kernel, 0.1, x.clone(), c.clone(), None, 1).unwrap();
        let model = PartModel::Kernel(Box::new(KernelPart { regression, inverse_temperature: 1.0 }));
        let part = Part { name: "kernel".to_owned(), weight: 1.0, view: View::default(), model };
        let rows = Dataset::new(x, c).unwrap();
        let combination = Combination::new(Task::Regression, vec![part], 1.0, rows, &Device::cpu(1));
        // The factor and the matrix.
        assert_eq!(combination.posterior_bytes(), 2 * n * n * size_of::<f64>());
        let new = Matrix::from_fn(2, 1, |i, _| i as f64 + 0.5);
        combination.covariance(&new, &Matrix::from_vec(2, 1, vec![1.0, 1.0]).unwrap()).unwrap();
        assert_eq!(combination.posterior_bytes(), 0);
    }

    #[test]
    fn the_diagonal_is_the_deviation_whatever_the_parts_say_of_themselves() {
        // A part too sure of its first row and not sure enough of its second, wholly of one mind about both.
        let mut covariance = Matrix::from_vec(2, 2, vec![1.0, 4.0, 4.0, 16.0]).unwrap();
        bound(&mut covariance, &[3.0, 2.0]);
        assert_eq!(covariance.as_slice(), [9.0, 2.0, 2.0, 4.0]);
        // Rows of which nothing is known together keep apart.
        let mut none = Matrix::zeros(2, 2);
        bound(&mut none, &[3.0, 2.0]);
        assert_eq!(none.as_slice(), [9.0, 0.0, 0.0, 4.0]);
    }
}

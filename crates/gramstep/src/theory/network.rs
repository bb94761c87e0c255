//! The two-layer network of the theory in training, and what is measured of it.

use super::ground::Points;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::kernel::{InfiniteKernel, Which};
use crate::model::{Activation, DenseSpecification, LayerSpecification, Model, Shape, Specification};
use crate::optim::{Batch, Damping, GramGaussNewton, GramGaussNewtonConfig, Optimizer, Sgd, SgdConfig, StepInfo};
use crate::solve::{Eigen, dot, eigen, norm};
use crate::view::Matrix;

/// A network f(x) = m^{−1/2} Σ_r a_r φ(w_r·x) with its points.
#[derive(Clone, Debug)]
pub(super) struct Trial {
    pub(super) model: Model<f64>,
    pub(super) points: Points,
    start: Vec<f64>,
}

impl Trial {
    pub(super) fn new(points: Points, specification: Specification, seed: u64, device: &Device) -> Result<Self> {
        let model = Model::builder(specification).seed(seed).device(device.clone()).build()?;
        let start = model.theta();
        Ok(Self { model, points, start })
    }

    /// The network of the theory.
    pub(super) fn two_layer(
        points: Points,
        width: usize,
        activation: Activation,
        seed: u64,
        device: &Device,
    ) -> Result<Self> {
        let specification = Specification::two_layer(points.inputs.columns(), width, activation);
        Self::new(points, specification, seed, device)
    }

    /// r = f − y.
    pub(super) fn residual(&self) -> Result<Vec<f64>> {
        let f = self.model.predict(&self.points.inputs)?;
        Ok(f.as_slice().iter().zip(self.points.targets.as_slice()).map(|(f, y)| f - y).collect())
    }

    /// G
    pub(super) fn gram(&self) -> Result<Matrix<f64>> {
        Ok(self.model.tangent(&self.points.inputs)?.gram())
    }

    /// Eigenvalues and vectors of G.
    pub(super) fn spectrum(&self) -> Result<Eigen> {
        eigen(&self.gram()?, self.model.device().threads())
    }

    /// One step on all points.
    pub(super) fn step(&mut self, optimizer: &mut dyn Optimizer<f64>) -> Result<StepInfo> {
        let batch = Batch::new(&self.points.inputs, &self.points.targets);
        optimizer.step(&mut self.model, &batch)
    }

    /// The same with targets y + f(θ₀, ·), on which f trains as f − f(θ₀, ·) does on y.
    pub(super) fn centred(mut self) -> Result<Self> {
        let f = self.model.predict(&self.points.inputs)?;
        for (y, f) in self.points.targets.as_mut_slice().iter_mut().zip(f.as_slice()) {
            *y += f;
        }
        Ok(self)
    }

    /// The same network at θ + length·direction.
    pub(super) fn moved(&self, direction: &[f64], length: f64) -> Result<Self> {
        let mut there = self.clone();
        let theta: Vec<f64> = self.model.theta().iter().zip(direction).map(|(t, d)| t + length * d).collect();
        there.model.set_theta(&theta)?;
        Ok(there)
    }

    /// θ − θ₀
    pub(super) fn displacement(&self) -> Vec<f64> {
        self.model.theta().iter().zip(&self.start).map(|(a, b)| a - b).collect()
    }

    /// ‖θ − θ₀‖
    pub(super) fn distance(&self) -> f64 {
        norm(&self.displacement())
    }

    /// ‖W₀‖, frozen signs apart.
    pub(super) fn start_norm(&self) -> f64 {
        let trainable = self.model.spans().iter().filter(|span| span.weight > 0.0);
        trainable.map(|span| dot(&self.start[span.range()], &self.start[span.range()])).sum::<f64>().sqrt()
    }

    /// max_r ‖w_r − w_r(0)‖
    pub(super) fn largest_movement(&self) -> f64 {
        let d = self.points.inputs.columns();
        let units = self.first_weight();
        let moved = &self.displacement()[units];
        super::statistics::largest(moved.chunks_exact(d).map(norm))
    }

    /// Whether w_r·x_i > 0, for all (i, r).
    pub(super) fn patterns(&self) -> Result<Vec<bool>> {
        let (d, weight) = (self.points.inputs.columns(), self.first_weight());
        let units = weight.len() / d;
        let hidden = DenseSpecification { bias: false, ..DenseSpecification::new(units) };
        let specification = Specification::new(Shape::Vector(d), vec![LayerSpecification::Dense(hidden)]);
        let mut first = Model::builder(specification).device(self.model.device().clone()).build()?;
        first.set_theta(&self.model.theta()[weight])?;
        Ok(first.predict(&self.points.inputs)?.as_slice().iter().map(|&z| z > 0.0).collect())
    }

    /// Where the weight of the first layer lies in θ.
    fn first_weight(&self) -> std::ops::Range<usize> {
        self.model.spans().first().map_or(0..0, crate::model::Span::range)
    }
}

/// A result, or nothing where the numbers left the finite ones or a fit does not exist: what was to be measured is lost,
/// which is no error.
pub(super) fn lost<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Error::NonFinite { .. } | Error::Solve { .. } | Error::Conflict { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Gradient descent with step length η on ½Σr².
pub(super) fn descent(learning_rate: f64, samples: usize) -> Result<Sgd<f64>> {
    Sgd::new(SgdConfig { learning_rate: learning_rate * samples as f64, momentum: 0.0, ..SgdConfig::default() })
}

/// Gram-Gauss-Newton with absolute damping and η = 1.
pub(super) fn gram_gauss_newton(damping: f64) -> Result<GramGaussNewton<f64>> {
    gram_gauss_newton_of_length(1.0, damping)
}

/// The same with another η.
pub(super) fn gram_gauss_newton_of_length(step_length: f64, damping: f64) -> Result<GramGaussNewton<f64>> {
    let config = GramGaussNewtonConfig::default().with_damping(Damping::Absolute(damping));
    GramGaussNewton::new(GramGaussNewtonConfig { learning_rate: step_length, ..config })
}

/// H∞, the tangent kernel of the infinitely wide network with fixed signs.
pub(super) fn infinite_gram(points: &Points, activation: Activation, device: &Device) -> Result<Matrix<f64>> {
    let specification = Specification::two_layer(points.inputs.columns(), 1, activation);
    Ok(InfiniteKernel::new(&specification)?.points(&points.inputs, device)?.gram(Which::Ntk))
}

#[cfg(test)]
mod tests {
    use super::super::ground::Labels;
    use super::*;

    #[test]
    fn patterns_are_the_signs_of_the_units_and_nothing_has_moved_at_the_start() {
        let points = Points::sphere(3, 6, 4, Labels::Gaussian);
        let trial = Trial::two_layer(points, 5, Activation::Relu, 1, &Device::cpu(1)).unwrap();
        let (theta, patterns) = (trial.model.theta(), trial.patterns().unwrap());
        for i in 0..6 {
            for r in 0..5 {
                let z = dot(&theta[4 * r..4 * r + 4], trial.points.inputs.row(i));
                assert_eq!(patterns[i * 5 + r], z > 0.0);
            }
        }
        assert_eq!((trial.distance(), trial.largest_movement()), (0.0, 0.0));
        assert!((trial.start_norm() - norm(&theta[..20])).abs() < 1e-14);
    }
}

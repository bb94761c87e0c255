//! Convergence of full-batch Gram-Gauss-Newton on the two-layer network of the theory.

use gramstep::optim::{Batch, Damping, GramGaussNewton, GramGaussNewtonConfig, Optimizer};
use gramstep::solve::eigen;
use gramstep::{Activation, Device, Matrix, Model, Specification};

use super::cases::{matrix, norm};

struct Problem {
    model: Model<f64>,
    x: Matrix<f64>,
    y: Matrix<f64>,
}

fn problem(activation: Activation, width: usize, seed: u64) -> Problem {
    let (n, d) = (8, 5);
    let mut x = matrix(100 + seed, n, d);
    for i in 0..n {
        let length = norm(x.row(i));
        x.row_mut(i).iter_mut().for_each(|v| *v /= length);
    }
    let model = Model::builder(Specification::two_layer(d, width, activation)).seed(seed).device(Device::cpu(1));
    Problem { model: model.build().unwrap(), x, y: matrix(200 + seed, n, 1) }
}

impl Problem {
    fn residual(&self) -> Vec<f64> {
        let f = self.model.predict(&self.x).unwrap();
        f.as_slice().iter().zip(self.y.as_slice()).map(|(f, y)| f - y).collect()
    }

    fn optimizer(damping: f64) -> GramGaussNewton<f64> {
        let config = GramGaussNewtonConfig::default().with_damping(Damping::Absolute(damping));
        GramGaussNewton::new(config).unwrap()
    }
}

#[test]
fn undamped_steps_reach_rounding_within_five_steps() {
    for seed in 0..20 {
        let mut problem = problem(Activation::Softplus, 512, seed);
        let mut optimizer = Problem::optimizer(0.0);
        for _ in 0..5 {
            optimizer.step(&mut problem.model, &Batch::new(&problem.x, &problem.y)).unwrap();
        }
        let residual = norm(&problem.residual());
        assert!(residual < 1e-12, "seed {seed}: {residual:e}");
    }
}

#[test]
fn every_step_obeys_the_deterministic_quadratic_bound() {
    let (n, width) = (8.0_f64, 512);
    for activation in [Activation::Softplus, Activation::Tanh, Activation::Sigmoid] {
        let beta = activation.curvature_bound().unwrap();
        for seed in 0..20 {
            let mut problem = problem(activation, width, seed);
            let mut optimizer = Problem::optimizer(0.0);
            for step in 0..5 {
                let residual = problem.residual();
                let spectrum = eigen(&problem.model.tangent(&problem.x).unwrap().gram(), 1).unwrap();
                let solved = spectrum.solve(0.0, &residual);
                let energy: f64 = residual.iter().zip(&solved).map(|(r, c)| r * c).sum();
                optimizer.step(&mut problem.model, &Batch::new(&problem.x, &problem.y)).unwrap();
                let bound = n.sqrt() * beta / (2.0 * (width as f64).sqrt()) * energy;
                let after = norm(&problem.residual());
                assert!(after <= bound + 1e-12, "{activation}, seed {seed}, step {step}: {after:e} > {bound:e}");
            }
        }
    }
}

#[test]
fn constant_damping_converges_linearly_at_the_predicted_factor() {
    for (damping, steps) in [(1e-3, 5), (1e-2, 16), (1e-1, 60)] {
        let mut problem = problem(Activation::Softplus, 1024, 1);
        let mut optimizer = Problem::optimizer(damping);
        let mut before = 0.0;
        for _ in 0..steps {
            before = norm(&problem.residual());
            optimizer.step(&mut problem.model, &Batch::new(&problem.x, &problem.y)).unwrap();
        }
        let measured = norm(&problem.residual()) / before;
        let smallest = eigen(&problem.model.tangent(&problem.x).unwrap().gram(), 1).unwrap().values[0];
        let predicted = damping / (damping + smallest);
        assert!((measured / predicted - 1.0).abs() < 0.1, "α = {damping}: {measured} against {predicted}");
    }
}

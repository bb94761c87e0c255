//! A loss of one's own: a value and a gradient are enough, the curvature follows. And a step of one's own on it.

use gramstep::loss::{LinearisedLoss, Loss};
use gramstep::optim::{Batch, Damping, GramGaussNewton, GramGaussNewtonConfig, GramSystem, Optimizer};
use gramstep::{Activation, Matrix, Model};
use gramstep_train::Result;

/// Two outputs, mean m and logarithm of the deviation s of y: the likelihood of a normal distribution. The first target
/// is y, the second is not looked at.
#[derive(Debug)]
struct NormalLikelihood;

impl Loss for NormalLikelihood {
    fn name(&self) -> &'static str {
        "normal likelihood"
    }
    fn value(&self, f: &[f64], y: &[f64]) -> f64 {
        0.5 * ((y[0] - f[0]) / f[1].exp()).powi(2) + f[1]
    }
    fn gradient(&self, f: &[f64], y: &[f64], g: &mut [f64]) {
        let scaled = (f[0] - y[0]) / f[1].exp();
        g[0] = scaled / f[1].exp();
        g[1] = 1.0 - scaled * scaled;
    }
}

pub(crate) fn main() -> Result<()> {
    // Noise that grows from left to right.
    let x = Matrix::from_fn(200, 1, |i, _| i as f64 / 100.0 - 1.0);
    let noise = |i: usize| ((i * 7919 + 17) as f64 * 12.9898).sin() * (0.1 + 0.2 * (x[(i, 0)] + 1.0));
    let y = Matrix::from_fn(200, 2, |i, a| if a == 0 { (3.0 * x[(i, 0)]).sin() + noise(i) } else { 0.0 });
    let mut model = Model::<f64>::mlp(&[1, 30, 2], Activation::Tanh).seed(1).build()?;
    let batch = Batch::new(&x, &y).with_loss(&NormalLikelihood);

    let first = batch.loss(&model)?;
    let config = GramGaussNewtonConfig::default().with_damping(Damping::Relative(0.1)).with_max_output_change(0.5);
    let mut optimizer = GramGaussNewton::new(config)?;
    for _ in 0..40 {
        optimizer.step(&mut model, &batch)?;
    }
    let trained = batch.loss(&model)?;

    // The same step by hand, at the length that lowers the loss most: direction, damping and search are three things.
    let features = model.tangent(&x)?;
    let linear = LinearisedLoss::new(&NormalLikelihood, features.predictions(), &y, None);
    let system = GramSystem::new(features, linear, &config)?;
    let (direction, solve) = system.direction(0.01 * system.mean_diagonal(), None)?;
    let theta = model.theta();
    let mut best = (trained, 0.0);
    for length in [0.01, 0.03, 0.1, 0.3, 1.0] {
        let moved: Vec<f64> = theta.iter().zip(&direction).map(|(theta, phi)| theta - length * phi).collect();
        model.set_theta(&moved)?;
        let loss = batch.loss(&model)?;
        best = if loss < best.0 { (loss, length) } else { best };
    }
    println!(
        "loss {first:.3}, trained {trained:.3}, after a step of {} {:.3}; residual {:.0e}",
        best.1, best.0, solve.residual
    );
    assert!(trained < first - 0.3 && best.0 <= trained);
    Ok(())
}

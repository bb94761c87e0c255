//! Training of a network beside its linearisation at the start: what both lazy claims measure.

use super::network::{Trial, descent, lost};
use super::statistics::largest;
use crate::error::Result;
use crate::kernel::{Dynamics, LinearisedModel, Time};
use crate::solve::norm;
use crate::view::Matrix;

/// How lazily a network trained.
#[derive(Clone, Debug)]
pub(super) struct Lazy {
    /// ‖f(θ_T) − f_lin(θ_T)‖/‖f(θ_T) − f(θ₀)‖, the same parameters in both.
    pub(super) linearisation: f64,
    /// ‖G_T − G₀‖_F/‖G₀‖_F
    pub(super) drift: f64,
    /// max_t ‖f_t − f_t predicted by G₀‖/‖f₀ − y‖, each trained by itself.
    pub(super) prediction: f64,
    /// Root mean square of f(θ_T) − f_lin(θ_T) over test points, in the unit of the targets.
    pub(super) test: f64,
    /// λ_min(G₀) over its rounding.
    pub(super) invertible: f64,
    /// ‖f_t − y‖ of the network and as predicted, at `times`.
    pub(super) measured: Vec<f64>,
    pub(super) predicted: Vec<f64>,
    pub(super) times: Vec<usize>,
}

/// Something that has to fall.
pub(super) struct Measure {
    pub(super) name: &'static str,
    pub(super) axis: &'static str,
    pub(super) of: fn(&Lazy) -> f64,
}

pub(super) const MEASURES: [Measure; 4] = [
    Measure {
        name: "Linearisation error", axis: "‖f − f_lin‖ / ‖f − f₀‖", of: |lazy| lazy.linearisation
    },
    Measure { name: "Kernel drift", axis: "‖G_t − G₀‖ / ‖G₀‖", of: |lazy| lazy.drift },
    Measure {
        name: "Distance from the kernel's prediction",
        axis: "distance / first error",
        of: |lazy| lazy.prediction,
    },
    Measure {
        name: "Distance from the linearisation on test points", axis: "rms of f − f_lin", of: |lazy| lazy.test
    },
];

/// The largest drift of the kernel that still is laziness.
pub(super) const LAZY: f64 = 0.1;

/// Times of a run that are kept for a picture.
const TIMES: usize = 50;

/// Gradient descent for a number of steps with η = `relative_rate`/λ_max(G₀). Not a number where training left them.
pub(super) fn train(mut trial: Trial, test: &Matrix<f64>, steps: usize, relative_rate: f64) -> Result<Lazy> {
    let threads = trial.model.device().threads();
    let (gram, y) = (trial.gram()?, trial.points.targets.clone());
    let f = trial.model.predict(&trial.points.inputs)?;
    let dynamics = Dynamics::new(&gram, &f, &y, threads)?;
    let (smallest, most) = (dynamics.eigenvalues()[0], dynamics.eigenvalues().last().copied().unwrap_or(0.0));
    let learning_rate = relative_rate / most;
    let mut lazy = Lazy {
        linearisation: f64::NAN,
        drift: f64::NAN,
        prediction: 0.0,
        test: f64::NAN,
        invertible: smallest / (y.rows() as f64 * f64::EPSILON * most),
        measured: Vec::new(),
        predicted: Vec::new(),
        times: Vec::new(),
    };
    let linear = LinearisedModel::new(trial.model.clone());
    let mut optimizer = descent(learning_rate, trial.points.samples())?;
    let apart = steps.div_ceil(TIMES).max(1);
    let followed = lost((|| {
        for step in 0..=steps {
            if step % apart == 0 || step == steps {
                let time = if step == 0 {
                    Time::Flow(0.0)
                } else {
                    Time::Descent { learning_rate, momentum: 0.0, steps: step as u64 }
                };
                lazy.look(step, &trial.residual()?, &difference(&dynamics.outputs(time)?, &y));
            }
            if step < steps {
                trial.step(&mut optimizer)?;
            }
        }
        let drift = norm(&difference(&trial.gram()?, &gram)) / norm(gram.as_slice());
        let theta = trial.model.theta();
        let off = linear.error(&theta, test)?.absolute / (test.rows() as f64).sqrt();
        Ok((linear.error(&theta, &trial.points.inputs)?.relative, drift, off))
    })())?;
    match followed {
        Some((linearisation, drift, test)) => Ok(Lazy { linearisation, drift, test, ..lazy }),
        None => Ok(Lazy { prediction: f64::NAN, ..lazy }),
    }
}

/// What the linearisation says of a network before it is trained.
#[derive(Clone, Copy, Debug)]
pub(super) struct Foretold {
    /// ‖f(θ) − f_lin(θ)‖/‖f(θ) − f(θ₀)‖ where gradient descent on f_lin ends.
    pub(super) linearisation: f64,
    /// ‖G − G₀‖_F/‖G₀‖_F there.
    pub(super) drift: f64,
}

/// The same training on the linearisation, in closed form: θ − θ₀ = J₀ᵀG₀⁻¹(f_T − f₀).
pub(super) fn foretold(trial: &Trial, steps: usize, relative_rate: f64) -> Result<Foretold> {
    let (x, y) = (&trial.points.inputs, &trial.points.targets);
    let tangent = trial.model.tangent(x)?;
    let (gram, spectrum) = (tangent.gram(), trial.spectrum()?);
    let dynamics = Dynamics::new(&gram, tangent.predictions(), y, trial.model.device().threads())?;
    let learning_rate = relative_rate / spectrum.values.last().copied().unwrap_or(1.0);
    let end = dynamics.outputs(Time::Descent { learning_rate, momentum: 0.0, steps: steps as u64 })?;
    let way = tangent.vjp(&spectrum.solve(0.0, &difference(&end, tangent.predictions())))?;
    let there = trial.moved(&way, 1.0)?;
    Ok(Foretold {
        linearisation: LinearisedModel::new(trial.model.clone()).error(&there.model.theta(), x)?.relative,
        drift: norm(&difference(&there.gram()?, &gram)) / norm(gram.as_slice()),
    })
}

impl Lazy {
    fn look(&mut self, step: usize, measured: &[f64], predicted: &[f64]) {
        self.times.push(step);
        self.measured.push(norm(measured));
        self.predicted.push(norm(predicted));
        let apart: Vec<f64> = measured.iter().zip(predicted).map(|(a, b)| a - b).collect();
        self.prediction = largest([self.prediction, norm(&apart) / self.measured[0]]);
    }
}

fn difference(a: &Matrix<f64>, b: &Matrix<f64>) -> Vec<f64> {
    a.as_slice().iter().zip(b.as_slice()).map(|(a, b)| a - b).collect()
}

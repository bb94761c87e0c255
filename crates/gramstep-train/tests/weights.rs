//! Weights mean one thing: how much a row counts beside the others.
//!
//! (a) their common scale is nothing, (b) a whole weight is that many copies of the row, (c) weight 0 is absence, (e)
//! copies are one row. For networks of every optimiser, ensembles and kernels, by the road that all of them take.

use std::sync::atomic::AtomicBool;

use gramstep::Matrix;
use gramstep_train::arrays::{ArrayTargets, How, Learnt, Samples, learn};
use gramstep_train::outcome::event::Silent;
use gramstep_train::settings::Config;

const ROWS: usize = 60;

/// Its name, its settings, and the share of validation rows.
type Case = (&'static str, &'static [(&'static str, &'static str)], f64);

/// What is fitted.
const FITS: [Case; 9] = [
    ("kernel with scales", &[("model", "kernel:anova-matern32")], 0.0),
    ("kernel, leave-one-out", &[("model", "ntk:depth=2:relu")], 0.0),
    ("kernel, evidence", &[("model", "nngp:depth=1:erf"), ("ridge", "evidence")], 0.0),
    ("falling ridge", &[("model", "mlp:10:tanh"), ("epochs", "12")], 0.2),
    ("ensemble", &[("model", "mlp:6:tanh"), ("epochs", "8"), ("ensemble", "3")], 0.2),
    ("mini-batches", &[("model", "mlp:6:tanh"), ("epochs", "3"), ("batch-size", "16"), ("damping", "0.1")], 0.2),
    ("sgd", &[("model", "mlp:6:tanh"), ("epochs", "5"), ("optimizer", "sgd"), ("batch-size", "16")], 0.2),
    ("adam", &[("model", "mlp:6:tanh"), ("epochs", "5"), ("optimizer", "adam"), ("batch-size", "full")], 0.2),
    ("linear", &[("model", "linear"), ("epochs", "4")], 0.0),
];

/// The same with an absolute κ.
const FIXED: [Case; 4] = [
    ("kernel with scales", &[("model", "kernel:matern52"), ("ridge", "0.3")], 0.0),
    ("kernel", &[("model", "ntk:depth=2:relu"), ("ridge", "0.3")], 0.0),
    ("network", &[("model", "mlp:10:tanh"), ("epochs", "6"), ("ridge", "0.5"), ("batch-size", "full")], 0.2),
    ("sgd", &[("model", "mlp:6:tanh"), ("epochs", "5"), ("ridge", "0.5"), ("optimizer", "sgd")], 0.0),
];

fn inputs() -> Matrix<f64> {
    Matrix::from_fn(ROWS, 2, |i, j| (((i * (13 + 8 * j) + 5 * j) % 61) as f64) / 30.0 - 1.0)
}

fn target(x: &Matrix<f64>) -> Matrix<f64> {
    let noise = |i: usize| (((i * 37) % 23) as f64 - 11.0) / 60.0;
    Matrix::from_fn(x.rows(), 1, |i, _| 10.0 + (3.0 * x[(i, 0)]).sin() - x[(i, 1)] + noise(i))
}

fn whole_weights() -> Vec<f64> {
    (0..ROWS).map(|i| 1.0 + (i % 3) as f64).collect()
}

fn fit(
    x: &Matrix<f64>,
    y: &Matrix<f64>,
    weights: Option<Vec<f64>>,
    settings: &[(&str, &str)],
    validation: f64,
) -> Learnt {
    let samples = Samples::new(x.view(), ArrayTargets::numbers(y.clone())).with_weights(weights);
    let mut config = Config { threads: Some(1), ..Config::default() };
    for (name, value) in settings {
        config.set(name, value).unwrap();
    }
    let problem = samples.problem(validation, 3).unwrap();
    learn(&problem, &config, How::default(), &AtomicBool::new(false), &mut Silent).unwrap()
}

/// Everything that a fit says of a grid of points, and of itself.
fn said(learnt: &Learnt) -> Vec<f64> {
    let new = Matrix::from_fn(25, 2, |i, j| (i / (1 + 4 * j) % 5) as f64 / 2.0 - 1.0);
    let f = learnt.predictor.predict_array(new.view()).unwrap();
    let deviation = learnt.predictor.deviation_array(new.view()).unwrap();
    let judged = [Some(&learnt.report.train), learnt.report.validation.as_ref()];
    let losses = judged.into_iter().flatten().map(|metrics| metrics.loss);
    let width = learnt.predictor.uncertainty().unwrap().half_width(0, 0.9);
    [f.as_slice(), deviation.as_slice()].concat().into_iter().chain(losses).chain([width]).collect()
}

#[track_caller]
fn alike(what: &str, a: &Learnt, b: &Learnt, tolerance: f64) {
    for (at, (a, b)) in said(a).iter().zip(said(b)).enumerate() {
        assert!((a - b).abs() <= tolerance * (1.0 + a.abs()), "{what}, number {at}: {a} and {b}");
    }
}

#[test]
fn the_scale_of_the_weights_changes_nothing() {
    let (x, weights) = (inputs(), whole_weights());
    let y = target(&x);
    for (name, settings, validation) in FITS {
        let own = fit(&x, &y, Some(weights.clone()), settings, validation);
        for scale in [1e-6, 1.0 / 300.0, 1.01, 1000.0] {
            let scaled = weights.iter().map(|weight| weight * scale).collect();
            alike(&format!("{name} × {scale}"), &own, &fit(&x, &y, Some(scaled), settings, validation), 1e-5);
        }
        let (none, equal) =
            (fit(&x, &y, None, settings, validation), fit(&x, &y, Some(vec![0.1; ROWS]), settings, validation));
        alike(&format!("{name}, equal weights"), &none, &equal, 1e-5);
    }
}

#[test]
fn a_whole_weight_is_that_many_copies_whatever_the_settings() {
    let (x, weights) = (inputs(), whole_weights());
    let y = target(&x);
    #[allow(clippy::cast_sign_loss)] // 1 to 3
    let rows: Vec<usize> = (0..ROWS).flat_map(|i| std::iter::repeat_n(i, weights[i] as usize)).collect();
    let (copied, their) = (x.select_rows(&rows), y.select_rows(&rows));
    for (name, settings, validation) in FITS.into_iter().chain(FIXED) {
        let weighted = fit(&x, &y, Some(weights.clone()), settings, validation);
        alike(name, &weighted, &fit(&copied, &their, None, settings, validation), 1e-9);
    }
}

#[test]
fn every_row_many_times_is_every_row_once() {
    let x = inputs();
    let y = target(&x);
    let rows: Vec<usize> = (0..20 * ROWS).map(|i| i % ROWS).collect();
    for (name, settings, validation) in FITS {
        let once = fit(&x, &y, None, settings, validation);
        let often = fit(&x.select_rows(&rows), &y.select_rows(&rows), None, settings, validation);
        alike(name, &once, &often, 1e-5);
    }
}

#[test]
fn a_weight_of_0_is_absence() {
    let x = inputs();
    let (y, mut weights) = (target(&x), whole_weights());
    let mut wrong = y.clone();
    for i in (0..ROWS).step_by(5) {
        weights[i] = 0.0;
        wrong[(i, 0)] = -1e6;
    }
    let rows: Vec<usize> = (0..ROWS).filter(|i| i % 5 != 0).collect();
    let others: Vec<f64> = rows.iter().map(|&i| weights[i]).collect();
    for (name, settings, validation) in FITS.into_iter().chain(FIXED) {
        let absent = fit(&x.select_rows(&rows), &y.select_rows(&rows), Some(others.clone()), settings, validation);
        alike(name, &absent, &fit(&x, &wrong, Some(weights.clone()), settings, validation), 0.0);
    }
}

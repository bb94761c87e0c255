//! Whatever the target, the network and the budget, a fit is not lost: where the target can be learnt the result is no
//! constant, and rows that it has not seen are predicted about as well as by ridge regression at least.

use std::sync::atomic::AtomicBool;

use gramstep::Matrix;
use gramstep::solve::{Damped, Solver};
use gramstep_train::arrays::{ArrayTargets, How, Learnt, Samples, learn};
use gramstep_train::data::Labels;
use gramstep_train::outcome::event::{Event, Silent};
use gramstep_train::settings::Config;

const MODELS: [&str; 3] = ["mlp:20:tanh", "mlp:50,50:gelu", "mlp:64,64:relu"];

/// Settings, and the share of the rows that choose among the epochs.
const BUDGETS: [(&[(&str, &str)], f64); 3] =
    [(&[("epochs", "50")], 0.2), (&[("epochs", "60")], 0.0), (&[("preset", "fast")], 0.2)];

/// Rows, columns, and a function of a row.
struct Target {
    name: &'static str,
    /// R² of training that is asked for: less where few rows choose the epoch, which know little of tails.
    least: f64,
    /// How far R² of new rows may be below that of ridge regression: further where two rows choose the epoch.
    slack: f64,
    rows: usize,
    columns: usize,
    f: fn(&[f64]) -> f64,
}

const TARGETS: [Target; 8] = [
    Target { name: "even", least: 0.9, slack: 0.05, rows: 100, columns: 2, f: |x| x[0] * x[0] + x[1] * x[1] },
    Target {
        name: "sinc",
        least: 0.9,
        slack: 0.05,
        rows: 80,
        columns: 1,
        f: |x| if x[0] == 0.0 { 1.0 } else { (10.0 * x[0]).sin() / (10.0 * x[0]) },
    },
    Target { name: "kink", least: 0.9, slack: 0.05, rows: 80, columns: 1, f: |x| x[0].abs() },
    Target { name: "periodic", least: 0.9, slack: 0.05, rows: 80, columns: 1, f: |x| (6.0 * x[0]).sin() },
    Target { name: "heavy tails", least: 0.3, slack: 0.05, rows: 100, columns: 1, f: |x| (2.0 * normal(x[0])).exp() },
    Target {
        name: "constant column",
        least: 0.9,
        slack: 0.05,
        rows: 100,
        columns: 3,
        f: |x| x[0] * x[0] + x[1] * x[1],
    },
    Target {
        name: "twelve rows",
        least: 0.7,
        slack: 0.15,
        rows: 12,
        columns: 1,
        f: |x| 1.0 + x[0] - 0.5 * x[0] * x[0],
    },
    Target { name: "more columns than rows", least: 0.9, slack: 0.05, rows: 15, columns: 20, f: |x| x[0] + 0.5 * x[1] },
];

/// A normal variable of a uniform one in (−1, 1): √2·erf⁻¹(u), to 2e-3.
fn normal(u: f64) -> f64 {
    let (log, a) = ((1.0 - u * u).ln(), 0.147);
    let half = 2.0 / (std::f64::consts::PI * a) + 0.5 * log;
    u.signum() * (2.0 * ((half * half - log / a).sqrt() - half)).sqrt()
}

/// Row i is as far from the others as it can be (a Kronecker sequence); a third column of three is constant.
fn inputs(target: &Target, rows: std::ops::Range<usize>) -> Matrix<f64> {
    let place = |i: usize, j: usize| ((i + 1) as f64 * (2.0 + 3.0 * j as f64).sqrt() + 0.31 * j as f64).fract();
    let start = rows.start;
    Matrix::from_fn(rows.len(), target.columns, |i, j| {
        if target.columns == 3 && j == 2 { 5.0 } else { 2.0 * place(start + i, j) - 1.0 }
    })
}

fn targets(target: &Target, x: &Matrix<f64>) -> Matrix<f64> {
    Matrix::from_fn(x.rows(), 1, |i, _| (target.f)(x.row(i)))
}

fn fit(x: &Matrix<f64>, y: &Matrix<f64>, settings: &[(&str, &str)], share: f64) -> Learnt {
    fit_to(x, ArrayTargets::numbers(y.clone()), settings, share)
}

fn fit_to(x: &Matrix<f64>, targets: ArrayTargets, settings: &[(&str, &str)], share: f64) -> Learnt {
    let samples = Samples::new(x.view(), targets);
    let mut config = Config { threads: Some(1), ..Config::default() };
    for (name, value) in settings {
        config.set(name, value).unwrap();
    }
    let problem = samples.problem(share, 3).unwrap();
    learn(&problem, &config, How::default(), &AtomicBool::new(false), &mut Silent).unwrap()
}

fn r2(f: &Matrix<f64>, y: &Matrix<f64>) -> f64 {
    let mean = y.as_slice().iter().sum::<f64>() / y.rows() as f64;
    let total: f64 = y.as_slice().iter().map(|y| (y - mean).powi(2)).sum();
    1.0 - f.as_slice().iter().zip(y.as_slice()).map(|(f, y)| (f - y).powi(2)).sum::<f64>() / total
}

/// Predictions of ridge regression with a free constant, ‖y − Xw − b‖² + ‖w‖².
fn ridge_regression(x: &Matrix<f64>, y: &Matrix<f64>, new: &Matrix<f64>) -> Matrix<f64> {
    let (n, d) = (x.rows(), x.columns());
    let mean = |values: &Matrix<f64>, j: usize| (0..n).map(|i| values[(i, j)]).sum::<f64>() / n as f64;
    let (centre, level): (Vec<f64>, f64) = ((0..d).map(|j| mean(x, j)).collect(), mean(y, 0));
    let gram = |a: usize, b: usize| (0..n).map(|i| (x[(i, a)] - centre[a]) * (x[(i, b)] - centre[b])).sum::<f64>();
    let gram = Matrix::from_fn(d, d, gram);
    let pulled: Vec<f64> =
        (0..d).map(|j| (0..n).map(|i| (x[(i, j)] - centre[j]) * (y[(i, 0)] - level)).sum()).collect();
    let (w, _) = Damped::factor(&gram, 1.0, 1).unwrap().solve(&pulled, Solver::Primal).unwrap();
    Matrix::from_fn(new.rows(), 1, |i, _| level + (0..d).map(|j| w[j] * (new[(i, j)] - centre[j])).sum::<f64>())
}

#[test]
fn no_fit_is_lost_and_none_is_worse_than_ridge_regression() {
    let mut faults = Vec::new();
    for target in &TARGETS {
        let (x, new) = (inputs(target, 0..target.rows), inputs(target, target.rows..target.rows + 200));
        let (y, expected) = (targets(target, &x), targets(target, &new));
        for model in MODELS {
            for (budget, share) in BUDGETS {
                // Rows that choose among epochs train no network.
                #[allow(clippy::cast_sign_loss)] // a share is at most 1
                let training: Vec<usize> = (0..(target.rows as f64 * (1.0 - share)) as usize).collect();
                let line = ridge_regression(&x.select_rows(&training), &y.select_rows(&training), &new);
                let line = r2(&line, &expected);
                let settings = [budget, &[("model", model)]].concat();
                let learnt = fit(&x, &y, &settings, share);
                let train = learnt.report.train.regression.as_ref().unwrap().r2.unwrap();
                let test = r2(&learnt.predictor.predict_array(new.view()).unwrap(), &expected);
                if train < target.least || test < line - target.slack {
                    let what = format!("{}, {model}, {budget:?}", target.name);
                    faults.push(format!(
                        "{what}: R² {train:.3} in training, {test:.3} on new rows, {line:.3} of the line"
                    ));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{} fits:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn no_fit_of_classes_is_lost() {
    // Three rings, of which a line tells nothing.
    let target = &TARGETS[0];
    let x = inputs(target, 0..100);
    let radius = |i: usize| x.row(i).iter().map(|x| x * x).sum::<f64>();
    let labels: Vec<usize> = (0..100).map(|i| usize::from(radius(i) > 0.35) + usize::from(radius(i) > 0.85)).collect();
    let mut faults = Vec::new();
    for model in ["mlp:20:tanh", "mlp:20,20:tanh", "mlp:20,20,20:tanh", "mlp:64,64:relu"] {
        for rows in ["one", "exact"] {
            for batch in ["full", "25"] {
                let classes = ["inner", "middle", "outer"].map(str::to_owned).to_vec();
                let of = ArrayTargets::Classes { classes, labels: labels.clone(), kind: Labels::Text };
                let settings = [("model", model), ("rows-per-sample", rows), ("batch-size", batch), ("epochs", "60")];
                let learnt = fit_to(&x, of, &settings, 0.2);
                let right = learnt.report.train.classification.as_ref().unwrap().accuracy;
                if right < 0.9 {
                    faults.push(format!("{model}, {rows}, {batch}: {right} are right"));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{} fits:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn no_fit_is_lost_on_mini_batches() {
    let target = &TARGETS[0];
    let x = inputs(target, 0..target.rows);
    for model in MODELS {
        let settings = [("batch-size", "25"), ("epochs", "60"), ("model", model)];
        let train = fit(&x, &targets(target, &x), &settings, 0.2).report.train.regression.unwrap().r2.unwrap();
        assert!(train > 0.9, "{model}: {train}");
    }
}

#[test]
fn a_network_that_is_far_worse_than_the_others_is_trained_again() {
    // One unit learns a ramp, or, where it begins on the other side of it, nothing.
    let x = Matrix::from_fn(60, 1, |i, _| i as f64 / 29.5 - 1.0);
    let y = Matrix::from_fn(60, 1, |i, _| x[(i, 0)].max(0.0));
    let samples = Samples::new(x.view(), ArrayTargets::numbers(y.clone()));
    let mut config = Config { threads: Some(1), ..Config::default() };
    for (name, value) in [("model", "mlp:1:relu"), ("ensemble", "5"), ("ridge", "0"), ("epochs", "60")] {
        config.set(name, value).unwrap();
    }
    let problem = samples.problem(0.2, 3).unwrap();
    let mut notes = Vec::new();
    let mut observer = |event: &Event<'_>| {
        if let Event::Note(note) = event {
            notes.push((*note).to_owned());
        }
        Ok(())
    };
    let learnt = learn(&problem, &config, How::default(), &AtomicBool::new(false), &mut observer).unwrap();
    let again = notes.iter().filter(|note| note.contains("is trained again from another seed")).count();
    assert!(again > 0, "{notes:?}");
    let predicted = r2(&learnt.predictor.predict_array(x.view()).unwrap(), &y);
    assert!(predicted > 0.9, "{predicted}, {notes:?}");
}

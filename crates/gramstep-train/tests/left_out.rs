//! Without validation rows a model of a table is judged all the same: every training row is left out once, of the networks'
//! linearisation and of ridge regression beside them.

mod random;

use std::sync::atomic::AtomicBool;

use gramstep::Matrix;
use gramstep_train::arrays::{ArrayTargets, How, Learnt, Samples, learn};
use gramstep_train::outcome::event::Event;
use gramstep_train::settings::Config;

use self::random::{normal, uniform};

fn data(f: fn(&[f64]) -> f64, first: usize, rows: usize, noise: f64) -> (Matrix<f64>, Matrix<f64>) {
    let x = Matrix::from_fn(rows, 3, |i, j| 2.0 * uniform(first + i, j) - 1.0);
    let y = Matrix::from_fn(rows, 1, |i, _| f(x.row(i)) + noise * normal(first + i, 1000));
    (x, y)
}

fn fit(x: &Matrix<f64>, y: &Matrix<f64>, settings: &[(&str, &str)]) -> (Learnt, String) {
    fit_targets(x, ArrayTargets::numbers(y.clone()), settings)
}

fn fit_targets(x: &Matrix<f64>, targets: ArrayTargets, settings: &[(&str, &str)]) -> (Learnt, String) {
    let problem = Samples::new(x.view(), targets).problem(0.0, 3).unwrap();
    let mut config = Config { threads: Some(1), ..Config::default() };
    for (name, value) in settings {
        config.set(name, value).unwrap();
    }
    let mut notes = String::new();
    let mut hear = |event: &Event<'_>| {
        if let Event::Note(note) = event {
            notes = notes.clone() + note + "\n";
        }
        Ok(())
    };
    let learnt = learn(&problem, &config, How::default(), &AtomicBool::new(false), &mut hear).unwrap();
    (learnt, notes)
}

/// Mean square over the mean square of the standardised targets.
fn loss(learnt: &Learnt, x: &Matrix<f64>, y: &Matrix<f64>, scale: f64) -> f64 {
    let f = learnt.predictor.predict_array(x.view()).unwrap();
    let squares = f.as_slice().iter().zip(y.as_slice()).map(|(f, y)| (f - y).powi(2)).sum::<f64>();
    squares / y.rows() as f64 / (scale * scale)
}

fn deviation(y: &Matrix<f64>) -> f64 {
    let mean = y.as_slice().iter().sum::<f64>() / y.rows() as f64;
    (y.as_slice().iter().map(|y| (y - mean).powi(2)).sum::<f64>() / y.rows() as f64).sqrt()
}

const CURVE: fn(&[f64]) -> f64 = |x| (2.0 * x[0]).sin() + x[1] * x[2];
const LINE: fn(&[f64]) -> f64 = |x| x[0] - 2.0 * x[1];

#[test]
fn what_rows_left_out_say_is_near_what_new_rows_say() {
    for (ridge, noise) in [("0.3", 0.1), ("auto", 0.05), ("3", 0.3)] {
        let ((x, y), (new, expected)) = (data(CURVE, 0, 150, noise), data(CURVE, 5000, 2000, noise));
        let settings = [("model", "mlp:20:tanh"), ("ridge", ridge), ("epochs", "60")];
        let (learnt, notes) = fit(&x, &y, &settings);
        let told = learnt.report.validation.as_ref().unwrap();
        let true_loss = loss(&learnt, &new, &expected, deviation(&y));
        assert_eq!((told.rows, learnt.report.candidates.len()), (150, 3), "{notes}");
        assert!(told.loss < 2.0 * true_loss && true_loss < 2.0 * told.loss, "κ {ridge}: {} and {true_loss}", told.loss);
    }
}

#[test]
fn a_line_in_noise_that_a_network_learns_by_heart_is_left_to_ridge_regression() {
    let ((x, y), (new, expected)) = (data(LINE, 0, 80, 1.0), data(LINE, 5000, 2000, 1.0));
    let (learnt, notes) = fit(&x, &y, &[("candidates", "networks,linear")]);
    assert_eq!(learnt.report.method(), "ridge regression", "{notes}");
    assert!(notes.contains("on the rows left out its loss is"), "{notes}");
    let (named, warning) = fit(&x, &y, &[("model", "mlp:60:tanh")]);
    assert!(warning.contains("on the rows left out ridge regression does better"), "{warning}");
    let of = |learnt: &Learnt| loss(learnt, &new, &expected, deviation(&y));
    assert!(of(&learnt) < of(&named), "and rightly so");
    // A combination that knows its parts by the same rows is no worse by more than chance.
    let combined = fit(&x, &y, &[]).0;
    assert!(combined.report.is_combination() && of(&combined) < 1.15 * of(&learnt), "{}", of(&combined));
}

#[test]
fn what_cannot_be_judged_is_said() {
    let (x, y) = data(CURVE, 0, 60, 0.0);
    let labels = y.as_slice().iter().map(|y| usize::from(*y > 0.0)).collect();
    let targets = ArrayTargets::classes(["u", "v"].map(str::to_owned).to_vec(), labels);
    let (learnt, notes) = fit_targets(&x, targets, &[("model", "mlp:5:tanh"), ("epochs", "2")]);
    assert!(learnt.report.validation.is_none());
    assert!(notes.contains("no rows judge the model"), "{notes}");
}

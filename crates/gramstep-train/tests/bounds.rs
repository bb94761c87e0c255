//! Few huge values do not rule a fit, and rows far away get no wild prediction.

use std::sync::atomic::AtomicBool;

use gramstep::Matrix;
use gramstep_train::arrays::{ArrayTargets, How, Learnt, Samples, learn, prepare};
use gramstep_train::outcome::event::Silent;
use gramstep_train::settings::Config;

fn place(i: usize, j: usize) -> f64 {
    2.0 * ((i + 1) as f64 * (2.0 + 3.0 * j as f64).sqrt() + 0.31 * j as f64).fract() - 1.0
}

/// Rows of four inputs and a smooth target; `slips` of the rows have an input 20 to 60 deviations off.
fn data(first: usize, rows: usize, slips: usize) -> (Matrix<f64>, Matrix<f64>) {
    let f = |i: usize| (2.0 * place(i, 0)).sin() + place(i, 1) * place(i, 2);
    let y = Matrix::from_fn(rows, 1, |i, _| f(first + i));
    let mut x = Matrix::from_fn(rows, 4, |i, j| place(first + i, j));
    for slip in 0..slips {
        let reach = 12.0 + 4.0 * slip as f64;
        x[(slip * rows / slips, slip % 4)] = if slip % 3 == 0 { -reach } else { reach };
    }
    (x, y)
}

fn fit(x: &Matrix<f64>, y: &Matrix<f64>, bounds: &str) -> Learnt {
    let mut problem = Samples::new(x.view(), ArrayTargets::numbers(y.clone())).problem(0.2, 0).unwrap();
    let mut config = Config { threads: Some(1), ..Config::default() };
    for (name, value) in [("input-bounds", bounds), ("model", "mlp:50,50:gelu"), ("ensemble", "3")] {
        config.set(name, value).unwrap();
    }
    prepare(&mut problem, &config, None).unwrap();
    learn(&problem, &config, How::default(), &AtomicBool::new(false), &mut Silent).unwrap()
}

fn rmse(learnt: &Learnt, x: &Matrix<f64>, y: &Matrix<f64>) -> f64 {
    let f = learnt.predictor.predict_array(x.view()).unwrap();
    let squares = f.as_slice().iter().zip(y.as_slice()).map(|(f, y)| (f - y).powi(2)).sum::<f64>();
    (squares / x.rows() as f64).sqrt()
}

#[test]
fn a_few_slips_cost_the_other_rows_little() {
    let ((x, y), (new, expected)) = (data(0, 300, 6), data(1000, 300, 0));
    let [bounded, free] = ["auto", "none"].map(|bounds| rmse(&fit(&x, &y, bounds), &new, &expected));
    assert!(bounded < 0.12, "{bounded}");
    assert!(free > 2.0 * bounded, "as they are {free}, bounded {bounded}: the bounds are for something");
}

#[test]
fn far_rows_are_predicted_like_the_edge_and_rows_inside_as_without_bounds() {
    let (x, y) = data(0, 200, 0);
    let [bounded, free] = ["auto", "none"].map(|bounds| fit(&x, &y, bounds));
    let far = |learnt: &Learnt, reach: f64| {
        let x = Matrix::from_fn(1, 4, |_, j| if j == 0 { reach } else { 0.1 });
        learnt.predictor.predict_array(x.view()).unwrap()[(0, 0)]
    };
    assert!((far(&bounded, 1e3) - far(&bounded, 1e9)).abs() < 0.02, "bounded");
    assert!((far(&free, 1e3) - far(&free, 1e9)).abs() > 1e3, "gelu goes on for ever");
    // Clean columns are the same numbers, and so is the fit.
    assert!((far(&bounded, 0.3) - far(&free, 0.3)).abs() < 0.01);
}

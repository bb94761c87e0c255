//! Several new observations at once: a covariance whose diagonal is the deviation, and draws that have it, whatever was
//! learned.

mod random;

use std::path::Path;
use std::sync::atomic::AtomicBool;

use gramstep::{Device, Matrix};
use gramstep_train::Predictor;
use gramstep_train::arrays::{ArrayTargets, How, Samples, learn};
use gramstep_train::data::{FrameCells, Labels, Learning};
use gramstep_train::outcome::event::Silent;
use gramstep_train::predictor::ErrorBars;
use gramstep_train::settings::Config;

use self::random::uniform;

const DRAWS: usize = 4000;

fn points(first: usize, n: usize) -> Matrix<f64> {
    Matrix::from_fn(n, 2, |i, j| 2.0 * uniform(first + i, j) - 1.0)
}

fn trained(targets: ArrayTargets, settings: &[(&str, &str)]) -> Predictor {
    let x = points(0, 60);
    let transform =
        settings.iter().find(|(name, _)| *name == "target-transform").map(|(_, value)| value.parse().unwrap());
    let mut learning = Learning::default();
    learning.transform = transform;
    let problem = Samples::new(x.view(), targets).with_learning(learning).problem(0.2, 3).unwrap();
    let mut config = Config { threads: Some(1), ..Config::default() };
    let alone = settings.iter().any(|(_, value)| value.starts_with("kernel:") || value.starts_with("ntk:"));
    let epochs = (!alone).then_some(("epochs", "20"));
    for (name, value) in settings.iter().chain(&epochs) {
        config.set(name, value).unwrap();
    }
    learn(&problem, &config, How::default(), &AtomicBool::new(false), &mut Silent).unwrap().predictor
}

/// Targets in units of their own, the second four times as noisy as the first.
fn numbers(k: usize) -> ArrayTargets {
    let x = points(0, 60);
    let y = Matrix::from_fn(60, k, |i, a| {
        let noise = uniform(i, 900 + a) - 0.5;
        (1 + 9 * a) as f64 * (3.0 + (2.0 * x[(i, a)]).sin() + 0.3 * noise)
    });
    ArrayTargets::numbers(y)
}

/// One of every kind that has error bars.
fn all() -> Vec<(&'static str, Predictor)> {
    let mlp = ("model", "mlp:12:tanh");
    vec![
        ("network", trained(numbers(1), &[mlp])),
        ("networks of two targets", trained(numbers(2), &[mlp, ("ensemble", "3")])),
        ("kernel of two targets", trained(numbers(2), &[("model", "kernel:matern52")])),
        ("kernel of an infinite network", trained(numbers(1), &[("model", "ntk:depth=1:relu")])),
        ("combination", trained(numbers(1), &[])),
        ("combination of two targets", trained(numbers(2), &[])),
    ]
}

/// Six points of which the first two are near each other and the last one has a gap.
fn new() -> Matrix<f64> {
    let mut x = points(500, 6);
    x[(5, 0)] = f64::NAN;
    for j in 0..2 {
        x[(1, j)] = x[(0, j)] + 0.01;
    }
    x
}

#[test]
fn the_covariance_has_the_squares_of_the_deviations_on_its_diagonal_and_is_one() {
    let x = new();
    for (what, predictor) in all() {
        let (covariances, deviation) =
            (predictor.covariance_array(x.view()).unwrap(), predictor.deviation_array(x.view()).unwrap());
        assert_eq!(covariances.len(), deviation.columns(), "{what}");
        for (a, covariance) in covariances.iter().enumerate() {
            for i in 0..6 {
                assert!((covariance[(i, i)].sqrt() / deviation[(i, a)] - 1.0).abs() < 1e-9, "{what} {a} {i}");
                for j in 0..6 {
                    let bound = deviation[(i, a)] * deviation[(j, a)];
                    assert!(covariance[(i, j)].abs() <= bound * (1.0 + 1e-9), "{what}");
                    assert!((covariance[(i, j)] - covariance[(j, i)]).abs() < 1e-9 * bound, "{what}");
                }
            }
            let far = (2..6).map(|j| covariance[(0, j)].abs()).fold(0.0, f64::max);
            assert!(covariance[(0, 1)] > 0.0 && covariance[(0, 1)] >= 0.9 * far, "{what}: {covariance:?}");
        }
    }
}

#[test]
fn draws_have_the_mean_and_the_covariance_that_are_said() {
    let x = new();
    for (what, predictor) in all() {
        let (f, covariances) =
            (predictor.predict_array(x.view()).unwrap(), predictor.covariance_array(x.view()).unwrap());
        let draws = predictor.draw_array(x.view(), DRAWS, 7).unwrap();
        for (a, covariance) in covariances.iter().enumerate() {
            let off = |draw: &Matrix<f64>, i: usize| (draw[(i, a)] - f[(i, a)]) / covariance[(i, i)].sqrt();
            for i in 0..6 {
                let mean = draws.iter().map(|draw| off(draw, i)).sum::<f64>() / DRAWS as f64;
                assert!(mean.abs() < 4.0 / (DRAWS as f64).sqrt(), "{what} {i}: {mean}");
                for j in 0..=i {
                    let found = draws.iter().map(|draw| off(draw, i) * off(draw, j)).sum::<f64>() / DRAWS as f64;
                    let expected = covariance[(i, j)] / (covariance[(i, i)] * covariance[(j, j)]).sqrt();
                    // Of a product of two normal numbers the standard deviation is √(1 + ρ²).
                    assert!(
                        (found - expected).abs() < 6.0 / (DRAWS as f64).sqrt(),
                        "{what} {i} {j}: {found} {expected}"
                    );
                }
            }
        }
        // The same seed draws the same, more draws begin with the same, another seed draws others.
        assert_eq!(draws[..3], predictor.draw_array(x.view(), 3, 7).unwrap(), "{what}");
        assert_ne!(draws[..3], predictor.draw_array(x.view(), 3, 8).unwrap(), "{what}");
    }
}

#[test]
fn a_model_file_draws_what_its_model_drew() {
    let x = new();
    for (what, predictor) in all() {
        let bytes = predictor.to_bytes(Path::new("model")).unwrap();
        let again = Predictor::parse(Path::new("model"), &bytes, &Device::cpu(1)).unwrap();
        let [drawn, expected] = [&again, &predictor].map(|predictor| predictor.draw_array(x.view(), 2, 0).unwrap());
        for (drawn, expected) in drawn.iter().zip(&expected) {
            let pairs = drawn.as_slice().iter().zip(expected.as_slice());
            pairs.for_each(|(a, b)| assert!((a - b).abs() < 1e-9 * b.abs().max(1.0), "{what}: {a} {b}"));
        }
    }
}

#[test]
fn a_table_is_drawn_as_its_array_and_a_gap_adds_to_the_spread() {
    let predictor = trained(numbers(1), &[("model", "kernel:rbf")]);
    let x = new();
    let column = |j: usize, gap: bool| {
        FrameCells::Numbers((0..6).map(|i| if gap && i == 0 { f64::NAN } else { x[(i, j)] }).collect())
    };
    let of = |gap: bool| {
        let columns = vec![("x0".to_owned(), column(0, gap)), ("x1".to_owned(), column(1, false))];
        let table = predictor.frame("the table", columns).unwrap();
        let bars = ErrorBars { deviation: true, interval: None, samples: Some((400, 7)) };
        predictor.predict_with(&table, bars).unwrap()
    };
    let whole = of(false);
    assert_eq!(whole.header[..4], ["predicted_y", "std_y", "sample1_y", "sample2_y"]);
    let drawn = predictor.draw_array(x.view(), 400, 7).unwrap();
    assert!((0..6).all(|i| (whole.values[(i, 2)] - drawn[0][(i, 0)]).abs() < 1e-9));
    let spread = |i: usize, values: &Matrix<f64>| {
        (2..402).map(|s| (values[(i, s)] - values[(i, 0)]).powi(2)).sum::<f64>().sqrt() / 20.0 / values[(i, 1)]
    };
    let open = of(true);
    assert!(open.values[(0, 1)] > 1.5 * whole.values[(0, 1)]);
    assert!((spread(0, &open.values) - 1.0).abs() < 0.2 && (spread(0, &whole.values) - 1.0).abs() < 0.2);
}

#[test]
fn logarithms_are_drawn_above_zero_and_classes_and_nothing_are_refused() {
    let x = new();
    let positive = {
        let x = points(0, 60);
        ArrayTargets::numbers(Matrix::from_fn(60, 1, |i, _| (2.0 * x[(i, 0)] + uniform(i, 900)).exp()))
    };
    let logarithm = trained(positive, &[("model", "kernel:rbf"), ("target-transform", "log")]);
    let draws = logarithm.draw_array(x.view(), 200, 0).unwrap();
    assert!(draws.iter().all(|draw| draw.as_slice().iter().all(|&y| y > 0.0)));
    let (mean, f) =
        (draws.iter().map(|draw| draw[(0, 0)].ln()).sum::<f64>() / 200.0, logarithm.predict_array(x.view()));
    let deviation = logarithm.uncertainty().unwrap().deviation(&logarithm.inputs(x.view()).unwrap()).unwrap()[(0, 0)];
    assert!((mean - f.unwrap()[(0, 0)].ln()).abs() < 4.0 * deviation / 200_f64.sqrt());
    assert!(logarithm.covariance_array(x.view()).unwrap_err().to_string().contains("learned as they are"));
    assert!(logarithm.draw_array(x.view(), 0, 0).unwrap_err().to_string().contains("samples"));
    let labels = (0..60).map(|i| usize::from(points(0, 60)[(i, 0)] > 0.0)).collect();
    let classes = ["no", "yes"].map(str::to_owned).to_vec();
    let classifier =
        trained(ArrayTargets::Classes { classes, labels, kind: Labels::Text }, &[("model", "mlp:12:tanh")]);
    assert!(
        classifier
            .draw_array(x.view(), 1, 0)
            .unwrap_err()
            .to_string()
            .contains("of classes: they have their probabilities")
    );
}

//! Scales found from data: laws of the fit, and inputs that break optimisers.

use std::cell::Cell;

use gramstep::kernel::{
    ScaleObjective, ScaleOptions, ScaledFit, ScaledKernel, ScaledKind, ScaledRegression, fit_rescaled, fit_scales,
};
use gramstep::random::{Purpose, stream};
use gramstep::{Error, Matrix};
use rand_distr::{Distribution as _, StandardNormal};

/// Normal numbers.
fn points(n: usize, d: usize) -> Matrix<f64> {
    let mut stream = stream(3, Purpose::Data, 0, 0);
    Matrix::from_fn(n, d, |_, _| StandardNormal.sample(&mut stream))
}

/// A wave in the first column, a line in the second, nothing in the others.
fn targets(x: &Matrix<f64>) -> Matrix<f64> {
    let noise = |i: usize| ((i * 7919) % 101) as f64 / 1000.0 - 0.05;
    Matrix::from_fn(x.rows(), 1, |i, _| {
        (2.0 * x[(i, 0)]).sin() + 0.3 * x.row(i).get(1).copied().unwrap_or(0.0) + noise(i)
    })
}

fn options() -> ScaleOptions<'static> {
    ScaleOptions { threads: 1, ..ScaleOptions::default() }
}

fn fit(kind: ScaledKind, x: &Matrix<f64>, y: &Matrix<f64>, options: &ScaleOptions<'_>) -> ScaledFit {
    fit_scales(kind, x, y, None, options, &|| false).unwrap()
}

#[test]
fn columns_that_say_nothing_get_long_lengths_or_no_share() {
    let x = points(120, 4);
    let y = targets(&x);
    for kind in ScaledKind::ALL.into_iter().filter(|kind| !kind.has_bias()) {
        let kernel = fit(kind, &x, &y, &options()).kernel;
        let matters = |j: usize| kernel.weights()[j] * kernel.shares().get(j).unwrap_or(&1.0);
        assert!(matters(0) > 8.0 * matters(2) && matters(0) > 8.0 * matters(3), "{kind}: {kernel:?}");
    }
}

#[test]
fn the_evidence_rises_along_the_fit() {
    let x = points(60, 3);
    let y = targets(&x);
    for kind in ScaledKind::ALL {
        let start = fit(kind, &x, &y, &ScaleOptions { iterations: 0, ..options() });
        let after =
            |iterations| fit(kind, &x, &y, &ScaleOptions { iterations, start: Some(&start), ..options() }).evidence;
        let path: Vec<f64> = (0..12).map(|i| after(3 * i)).collect();
        // The prior may take a little of it back.
        assert!(path.windows(2).all(|pair| pair[1] > pair[0] - 1.0), "{kind}: {path:?}");
        assert!(path[11] > path[0] + 5.0, "{kind}: {path:?}");
    }
}

/// The error on new rows, of targets of unit variance, follows the noise of the training's down to that of rounding.
#[test]
fn a_product_is_found_as_far_as_its_noise_allows() {
    let (x, new) = (points(160, 3), Matrix::from_fn(50, 3, |i, j| ((5 * i + 3 * j) % 11) as f64 / 5.5 - 1.0));
    let product = |x: &Matrix<f64>| Matrix::from_fn(x.rows(), 1, |i, _| x[(i, 0)] * x[(i, 1)]);
    for (noise, most) in [(0.0, 2e-5), (1e-3, 2e-3), (0.1, 0.1)] {
        let mut y = product(&x);
        (0..160).for_each(|i| y[(i, 0)] += noise * (((i * 7919) % 101) as f64 / 29.0 - 1.74));
        for kind in [ScaledKind::Rbf, ScaledKind::AnovaRbf] {
            let fit = fit(kind, &x, &y, &options());
            let model = ScaledRegression::fit(fit.kernel, fit.ridge, x.clone(), &y, None, 1).unwrap();
            let (f, truth) = (model.predict(&new).unwrap(), product(&new));
            let error = ((0..50).map(|i| (f[(i, 0)] - truth[(i, 0)]).powi(2)).sum::<f64>() / 50.0).sqrt();
            assert!(error <= most, "{kind}, noise {noise}: {error:e}, ridge {:e}", fit.ridge);
        }
    }
}

/// Copies of rows tell the noise: κ does not fall to where they would rule everything.
#[test]
fn copies_with_other_targets_keep_the_ridge() {
    let (x, other) = (points(40, 2), targets(&points(80, 2)));
    let twice = Matrix::from_fn(80, 2, |i, j| x[(i % 40, j)]);
    let y = Matrix::from_fn(80, 1, |i, _| other[(i % 40, 0)] + if i < 40 { 0.2 } else { -0.2 });
    for kind in ScaledKind::ALL {
        let fit = fit(kind, &twice, &y, &options());
        assert!(fit.ridge > 1e-3, "{kind}: {:e}", fit.ridge);
    }
}

#[test]
fn a_fit_goes_on_from_an_earlier_one() {
    let x = points(60, 3);
    let y = targets(&x);
    for kind in ScaledKind::ALL {
        let first = fit(kind, &x, &y, &options());
        let again = fit(kind, &x, &y, &ScaleOptions { start: Some(&first), ..options() });
        assert!((again.evidence - first.evidence).abs() < 0.05 && again.evaluations < first.evaluations, "{kind}");
    }
    let start = fit(ScaledKind::Rbf, &x, &y, &options());
    let options = ScaleOptions { start: Some(&start), ..options() };
    let other = fit_scales(ScaledKind::Matern12, &x, &y, None, &options, &|| false);
    assert!(matches!(other, Err(Error::Conflict { .. })));
}

#[test]
fn the_unit_of_the_targets_and_of_the_weights_and_the_order_of_rows_change_nothing() {
    let x = points(50, 2);
    let y = targets(&x);
    let weights: Vec<f64> = (0..50).map(|i| 1.0 + f64::from(i % 4)).collect();
    for kind in ScaledKind::ALL {
        for objective in [ScaleObjective::Evidence, ScaleObjective::LeaveOneOut] {
            let options = ScaleOptions { objective, ..options() };
            let of = |x: &Matrix<f64>, y: &Matrix<f64>, w: &[f64]| fit_scales(kind, x, y, Some(w), &options, &|| false);
            let plain = of(&x, &y, &weights).unwrap();
            let scaled = Matrix::from_fn(50, 1, |i, _| 1024.0 * y[(i, 0)]);
            let doubled: Vec<f64> = weights.iter().map(|weight| 2.0 * weight).collect();
            let order: Vec<usize> = (0..50).map(|i| (i * 7 + 3) % 50).collect();
            let moved_weights: Vec<f64> = order.iter().map(|&i| weights[i]).collect();
            let moved = of(&x.select_rows(&order), &y.select_rows(&order), &moved_weights).unwrap();
            for (what, other, unit) in [
                ("targets", of(&x, &scaled, &weights).unwrap(), 1.0),
                ("weights", of(&x, &y, &doubled).unwrap(), 2.0),
                ("order", moved, 1.0),
            ] {
                let near = |a: f64, b: f64| (a.ln() - b.ln()).abs() < 0.02;
                let mut weights = plain.kernel.weights().iter().zip(other.kernel.weights());
                assert!(near(unit * plain.ridge, other.ridge), "{kind} {objective:?} {what}: {plain:?} {other:?}");
                assert!(weights.all(|(a, b)| near(*a, *b)), "{kind} {objective:?} {what}");
            }
        }
    }
}

#[test]
fn leave_one_out_is_made_small() {
    let x = points(60, 3);
    let y = targets(&x);
    let loss = |fit: &ScaledFit| {
        let regression = ScaledRegression::fit(fit.kernel.clone(), fit.ridge, x.clone(), &y, None, 1).unwrap();
        regression.leave_one_out().unwrap().as_slice().iter().map(|e| e * e).sum::<f64>()
    };
    for kind in ScaledKind::ALL {
        let by = |objective| fit(kind, &x, &y, &ScaleOptions { objective, ..options() });
        let (evidence, held_out) = (by(ScaleObjective::Evidence), by(ScaleObjective::LeaveOneOut));
        assert!(loss(&held_out) < 1.1 * loss(&evidence), "{kind}: {} {}", loss(&held_out), loss(&evidence));
    }
}

#[test]
fn a_ridge_that_is_given_stays_where_nothing_else_can_be_found() {
    let (x, y) = (points(20, 2), Matrix::zeros(20, 1));
    for kind in ScaledKind::ALL {
        let found = fit(kind, &x, &y, &ScaleOptions { ridge: Some(0.5), ..options() });
        assert!((found.ridge - 0.5).abs() < 1e-12, "{kind}: {}", found.ridge);
    }
}

#[test]
fn small_flat_and_contradicting_data_are_fitted() {
    let (x, kinds) = (points(40, 2), ScaledKind::ALL);
    let y = targets(&x);
    let one_column = points(12, 1);
    let constant = Matrix::from_fn(40, 2, |i, j| if j == 0 { x[(i, 0)] } else { 3.0 });
    let copies: Vec<usize> = (0..40).map(|i| i / 2).collect();
    let alternating = Matrix::from_fn(40, 1, |i, _| if i % 2 == 0 { 1.0 } else { -1.0 });
    let flat = Matrix::from_fn(40, 2, |_, _| 0.0);
    let huge = Matrix::from_fn(40, 2, |i, j| 1e60 * x[(i, j)]);
    let three = x.select_rows(&[0, 1, 2]);
    let one = x.select_rows(&[0]);
    for kind in kinds {
        for objective in [ScaleObjective::Evidence, ScaleObjective::LeaveOneOut] {
            for (what, x, y) in [
                ("three rows", &three, &targets(&three)),
                ("one row", &one, &targets(&one)),
                ("one column", &one_column, &targets(&one_column)),
                ("a constant column", &constant, &y),
                ("copies that contradict", &x.select_rows(&copies), &alternating),
                ("inputs that are all alike", &flat, &y),
                ("huge inputs", &huge, &y),
                ("targets of 0", &x, &Matrix::zeros(40, 1)),
            ] {
                let fit = fit(kind, x, y, &ScaleOptions { objective, ..options() });
                assert!(fit.ridge >= 0.999e-10 && fit.ridge <= 30.1, "{kind} {what}: {fit:?}");
                assert!(!fit.evidence.is_nan(), "{kind} {what}: {fit:?}");
                let regression = ScaledRegression::fit(fit.kernel, fit.ridge, x.clone(), y, None, 1).unwrap();
                let f = regression.predict(x).unwrap();
                assert!(f.as_slice().iter().all(|f| f.is_finite()), "{kind} {what}");
            }
        }
    }
}

#[test]
fn a_fit_stops_when_it_is_told_and_refuses_what_is_not_finite() {
    let x = points(30, 2);
    let y = targets(&x);
    let asked = Cell::new(0);
    let stop = || {
        asked.set(asked.get() + 1);
        asked.get() > 3
    };
    assert_eq!(fit_scales(ScaledKind::Rbf, &x, &y, None, &options(), &stop), Err(Error::Interrupted));
    assert_eq!(asked.get(), 4);
    let mut missing = x.clone();
    missing[(3, 1)] = f64::NAN;
    let refused = |x: &Matrix<f64>, y: &Matrix<f64>, w: Option<&[f64]>, o: &ScaleOptions<'_>| {
        fit_scales(ScaledKind::Rbf, x, y, w, o, &|| false).unwrap_err()
    };
    assert!(matches!(refused(&missing, &y, None, &options()), Error::NonFinite { .. }));
    assert!(matches!(
        refused(&x, &Matrix::from_fn(30, 1, |_, _| f64::INFINITY), None, &options()),
        Error::NonFinite { .. }
    ));
    assert!(matches!(refused(&x, &y, Some(&[-1.0; 30]), &options()), Error::Setting { .. }));
    assert!(matches!(refused(&x, &y, None, &ScaleOptions { rows: 0, ..options() }), Error::Setting { .. }));
    assert!(matches!(refused(&Matrix::zeros(0, 2), &Matrix::zeros(0, 1), None, &options()), Error::TooFew { .. }));
    assert!(matches!(refused(&x, &Matrix::zeros(4, 1), None, &options()), Error::Shape { .. }));
}

#[test]
fn few_of_many_rows_are_chosen_by_the_seed() {
    let x = points(90, 2);
    let y = targets(&x);
    let of = |seed| fit(ScaledKind::Matern32, &x, &y, &ScaleOptions { rows: 40, seed, ..options() });
    assert_eq!(of(1), of(1));
    assert_ne!(of(1), of(2));
    assert_eq!(
        fit(ScaledKind::Rbf, &x, &y, &ScaleOptions { threads: 2, ..options() }),
        fit(ScaledKind::Rbf, &x, &y, &ScaleOptions { threads: 2, ..options() })
    );
}

#[test]
fn a_ridge_that_is_given_stays() {
    let x = points(40, 2);
    let y = targets(&x);
    for kind in ScaledKind::ALL {
        let given = fit(kind, &x, &y, &ScaleOptions { ridge: Some(0.37), ..options() });
        assert!((given.ridge - 0.37).abs() < 1e-12, "{kind}: {}", given.ridge);
        // Finding it too is no worse.
        let free = fit(kind, &x, &y, &options());
        assert!(free.evidence > given.evidence - 1.0, "{kind}: {} {}", free.evidence, given.evidence);
    }
    let options = ScaleOptions { ridge: Some(0.0), ..options() };
    let refused = fit_scales(ScaledKind::Rbf, &x, &y, None, &options, &|| false);
    assert!(matches!(refused, Err(Error::Setting { name: "ridge", .. })));
}

#[test]
fn the_lowest_ridge_is_a_bound_of_formulas_and_scales_are_those_of_it() {
    let x = points(60, 2);
    let y = Matrix::from_fn(60, 1, |i, _| x[(i, 0)] * x[(i, 1)]);
    let bounded = |least_ridge: f64| fit(ScaledKind::Rbf, &x, &y, &ScaleOptions { least_ridge, ..options() });
    let (low, high) = (bounded(1e-10), bounded(1e-3));
    assert!(low.ridge < 1e-6 && high.ridge >= 0.999e-3 && high.ridge < 1e-2, "{} {}", low.ridge, high.ridge);
    let given = fit(ScaledKind::Rbf, &x, &y, &ScaleOptions { ridge: Some(high.ridge), ..options() });
    assert!((high.evidence - given.evidence).abs() < 0.1, "{} {}", high.evidence, given.evidence);
    for least_ridge in [0.0, f64::NAN, 30.0] {
        let options = ScaleOptions { least_ridge, ..options() };
        assert!(fit_scales(ScaledKind::Rbf, &x, &y, None, &options, &|| false).is_err(), "{least_ridge}");
    }
}

#[test]
fn finer_scales_are_taken_where_rows_left_out_ask_for_them() {
    let x = Matrix::from_fn(150, 1, |i, _| ((i * 61) % 150) as f64 / 50.0 - 1.5);
    let rough = Matrix::from_fn(150, 1, |i, _| (30.0 * x[(i, 0)]).sin());
    let smooth = Matrix::from_fn(150, 1, |i, _| x[(i, 0)].sin());
    let weight = |y: &Matrix<f64>, weights: Option<&[f64]>| {
        let kernel = ScaledKernel::new(ScaledKind::Matern32, vec![1.0], Vec::new(), 0.0).unwrap();
        fit_rescaled(&kernel, 1e-2, &x, y, weights, 1, &|| false).unwrap().kernel().weights()[0]
    };
    assert_eq!(weight(&rough, None), 64.0);
    assert_eq!(weight(&smooth, None), 1.0);
    // Rows without weight do not ask.
    let weights: Vec<f64> = (0..150).map(|i| if i % 2 == 0 { 1.0 } else { 1e-9 }).collect();
    let half = Matrix::from_fn(150, 1, |i, _| if i % 2 == 0 { smooth[(i, 0)] } else { rough[(i, 0)] });
    assert_eq!(weight(&half, Some(&weights)), 1.0);
    let kernel = ScaledKernel::new(ScaledKind::Rbf, vec![1.0], Vec::new(), 0.0).unwrap();
    let stopped = fit_rescaled(&kernel, 1e-2, &x, &smooth, None, 1, &|| true);
    assert!(matches!(stopped, Err(Error::Interrupted)));
}

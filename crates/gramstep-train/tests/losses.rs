//! What each loss is for: medians, quantiles that hold, counts, relative errors, classes that count alike.

mod random;

use std::sync::atomic::AtomicBool;

use gramstep::Matrix;
use gramstep_train::arrays::{ArrayTargets, How, Learnt, Samples, learn, prepare};
use gramstep_train::data::Labels;
use gramstep_train::outcome::event::Silent;
use gramstep_train::settings::Config;

use self::random::{normal, uniform};

fn inputs(first: usize, rows: usize) -> Matrix<f64> {
    Matrix::from_fn(rows, 2, |i, j| 2.0 * uniform(first + i, j) - 1.0)
}

fn targets(x: &Matrix<f64>, first: usize, f: impl Fn(&[f64], usize) -> f64) -> Matrix<f64> {
    Matrix::from_fn(x.rows(), 1, |i, _| f(x.row(i), first + i))
}

fn fit(x: &Matrix<f64>, targets: ArrayTargets, settings: &[(&str, &str)]) -> Learnt {
    let mut config = Config { threads: Some(1), ..Config::default() };
    for (name, value) in [("model", "mlp:30:tanh"), ("ensemble", "3")].iter().chain(settings) {
        config.set(name, value).unwrap();
    }
    let mut problem = Samples::new(x.view(), targets).with_learning(config.learning()).problem(0.2, 1).unwrap();
    prepare(&mut problem, &config, None).unwrap();
    learn(&problem, &config, How::default(), &AtomicBool::new(false), &mut Silent).unwrap()
}

fn predict(learnt: &Learnt, x: &Matrix<f64>) -> Matrix<f64> {
    learnt.predictor.predict_array(x.view()).unwrap()
}

fn rmse(a: &Matrix<f64>, b: &Matrix<f64>) -> f64 {
    let squares = a.as_slice().iter().zip(b.as_slice()).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
    (squares / a.rows() as f64).sqrt()
}

#[test]
fn quantiles_hold_their_share_of_new_rows_and_do_not_cross() {
    // Noise that is four times as large on one side.
    let f = |x: &[f64], i: usize| (2.0 * x[0]).sin() + (0.25 + 0.15 * x[1]) * normal(i, 50);
    let (x, new) = (inputs(0, 800), inputs(5000, 1000));
    let (y, expected) = (targets(&x, 0, f), targets(&new, 5000, f));
    let learnt = fit(&x, ArrayTargets::numbers(y), &[("loss", "quantile:0.1,0.5,0.9")]);
    let quantiles = predict(&learnt, &new);
    assert_eq!(quantiles.columns(), 3);
    for half in [0, 1] {
        let rows: Vec<usize> = (0..1000).filter(|&i| (new[(i, 1)] > 0.0) == (half == 1)).collect();
        for (at, level) in [0.1, 0.5, 0.9].into_iter().enumerate() {
            let below = rows.iter().filter(|&&i| expected[(i, 0)] < quantiles[(i, at)]).count() as f64;
            let share = below / rows.len() as f64;
            assert!((share - level).abs() < 0.08, "half {half}: {share} below the quantile {level}");
        }
    }
    for i in 0..1000 {
        assert!(quantiles[(i, 0)] <= quantiles[(i, 1)] && quantiles[(i, 1)] <= quantiles[(i, 2)]);
    }
    let told = &learnt.report.validation.unwrap().quantiles;
    assert!(told.iter().all(|told| (told.below - told.level).abs() < 0.1), "{told:?}");
}

#[test]
fn a_few_wild_targets_cost_the_absolute_loss_and_hubers_little() {
    let clean = |x: &[f64], _| (2.0 * x[0]).sin() + x[1] * x[1];
    let wild = |x: &[f64], i: usize| clean(x, i) + if i % 20 == 3 { 50.0 } else { 0.0 };
    let (x, new) = (inputs(0, 400), inputs(5000, 400));
    let (y, expected) = (targets(&x, 0, wild), targets(&new, 5000, clean));
    let of =
        |loss: &str| rmse(&predict(&fit(&x, ArrayTargets::numbers(y.clone()), &[("loss", loss)]), &new), &expected);
    let [squared, absolute, huber] = ["squared", "absolute", "huber:0.1"].map(of);
    assert!(absolute < 0.3 && huber < 0.8 && squared > 2.0, "{squared} {absolute} {huber}");
}

#[test]
fn counts_have_their_rate_and_never_a_negative_one() {
    let rate = |x: &[f64]| (1.0 + 1.5 * x[0] - x[1]).exp();
    // Inversion of the distribution of counts.
    let draw = |x: &[f64], i: usize| {
        let (mut count, mut mass) = (0.0, (-rate(x)).exp());
        let mut left = uniform(i, 70) - mass;
        while left > 0.0 && count < 200.0 {
            count += 1.0;
            mass *= rate(x) / count;
            left -= mass;
        }
        count
    };
    let (x, new) = (inputs(0, 800), inputs(5000, 400));
    let learnt = fit(&x, ArrayTargets::numbers(targets(&x, 0, draw)), &[("loss", "poisson")]);
    let rates = predict(&learnt, &new);
    let off = |i: usize| (rates[(i, 0)] / rate(new.row(i))).ln().abs();
    let mean = (0..400).map(off).sum::<f64>() / 400.0;
    assert!(mean < 0.15, "rates are off by a factor {}", mean.exp());
    assert!(rates.as_slice().iter().all(|rate| *rate > 0.0));
    assert!(learnt.predictor.uncertainty().is_err());
}

#[test]
fn the_logarithm_learns_relative_errors_and_comes_back_in_the_targets_units() {
    let f = |x: &[f64], i: usize| (4.0 * x[0] + 0.1 * normal(i, 50)).exp();
    let (x, new) = (inputs(0, 300), inputs(5000, 300));
    let (y, expected) = (targets(&x, 0, f), targets(&new, 5000, |x, _| (4.0 * x[0]).exp()));
    let learnt = fit(&x, ArrayTargets::numbers(y), &[("target-transform", "log")]);
    let predicted = predict(&learnt, &new);
    assert!((0..300).all(|i| (predicted[(i, 0)] / expected[(i, 0)]).ln().abs() < 0.3));
    assert!(learnt.report.validation.unwrap().regression.unwrap().r2.unwrap() > 0.9);
    // Relative noise of a tenth, whatever the size.
    let deviation = learnt.predictor.deviation_array(new.view()).unwrap();
    let share = |i: usize| deviation[(i, 0)] / predicted[(i, 0)];
    assert!((0..300).all(|i| (0.06..0.2).contains(&share(i))), "{} {}", share(0), share(1));
}

#[test]
fn balanced_classes_are_found_as_often_as_they_are_there() {
    // One in twelve is of the rare class, told by noisy inputs.
    let rare = |i: usize| i.is_multiple_of(12);
    let x = |first: usize, rows: usize| {
        Matrix::from_fn(rows, 2, |i, j| normal(first + i, 2 * j) + if rare(first + i) { 1.2 } else { 0.0 })
    };
    let labels = (0..600).map(|i| usize::from(rare(i))).collect();
    let classes = ["usual", "rare"].map(str::to_owned).to_vec();
    let new = x(6000, 1200);
    let found = |settings: &[(&str, &str)]| {
        let targets =
            ArrayTargets::Classes { classes: classes.clone(), labels: Vec::clone(&labels), kind: Labels::Text };
        let p = predict(&fit(&x(0, 600), targets, settings), &new);
        (0..1200).filter(|&i| rare(6000 + i) && p[(i, 1)] > 0.5).count()
    };
    let (plain, balanced) = (found(&[]), found(&[("class-weight", "balanced")]));
    assert!(plain < 40 && balanced > 70, "{plain} and {balanced} of 100 rare rows are found");
    let weighed = found(&[("class-weight", "rare=11")]);
    assert!(weighed.abs_diff(balanced) < 10, "{weighed} {balanced}");
}

#[test]
fn a_loss_that_the_prepared_targets_do_not_have_is_refused() {
    let x = inputs(0, 40);
    let y = targets(&x, 0, |x, _| 2.0 + x[0]);
    let problem = |learning| {
        Samples::new(x.view(), ArrayTargets::numbers(y.clone())).with_learning(learning).problem(0.2, 1).unwrap()
    };
    let config = |name, value| {
        let mut config = Config { epochs: Some(1), ..Config::default() };
        config.set(name, value).unwrap();
        config
    };
    let learn = |prepared: &Config, config: &Config| {
        learn(&problem(prepared.learning()), config, How::default(), &AtomicBool::new(false), &mut Silent)
    };
    for (name, asked, other) in [("loss", "huber", "squared"), ("target-transform", "log", "none")] {
        for (prepared, wanted) in [(other, asked), (asked, other)] {
            let error = learn(&config(name, prepared), &config(name, wanted)).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains("with_learning"), "{error}");
        }
        learn(&config(name, asked), &config(name, asked)).unwrap();
    }
}

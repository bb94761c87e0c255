//! Where the model is left open, what is kept is no worse on rows that nothing has seen than ridge regression.

mod random;

use std::sync::atomic::AtomicBool;

use gramstep::Matrix;
use gramstep_train::arrays::{ArrayTargets, How, Learnt, Samples, learn};
use gramstep_train::data::Labels;
use gramstep_train::outcome::event::Event;
use gramstep_train::settings::Config;

use self::random::uniform;

struct Case {
    name: &'static str,
    rows: usize,
    columns: usize,
    f: fn(&[f64], f64) -> f64,
}

const CASES: [Case; 4] = [
    Case { name: "a line in noise", rows: 60, columns: 12, f: |x, e| x.iter().sum::<f64>() + 4.0 * e },
    Case { name: "more columns than rows", rows: 30, columns: 60, f: |x, e| x[0] - x[1] + 0.3 * e },
    Case { name: "a curve", rows: 150, columns: 2, f: |x, _| (3.0 * x[0]).sin() + x[1] },
    Case { name: "noise alone", rows: 80, columns: 5, f: |_, e| e },
];

fn data(case: &Case, first: usize, rows: usize) -> (Matrix<f64>, Matrix<f64>) {
    let x = Matrix::from_fn(rows, case.columns, |i, j| 2.0 * uniform(first + i, j) - 1.0);
    let y = Matrix::from_fn(rows, 1, |i, _| (case.f)(x.row(i), 2.0 * uniform(first + i, 1000) - 1.0));
    (x, y)
}

fn fit(x: &Matrix<f64>, targets: ArrayTargets, settings: &[(&str, &str)], share: f64) -> (Learnt, String) {
    let problem = Samples::new(x.view(), targets).problem(share, 3).unwrap();
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

fn squares(learnt: &Learnt, x: &Matrix<f64>, y: &Matrix<f64>) -> f64 {
    let f = learnt.predictor.predict_array(x.view()).unwrap();
    f.as_slice().iter().zip(y.as_slice()).map(|(f, y)| (f - y).powi(2)).sum()
}

#[test]
fn the_best_of_the_candidates_is_kept_and_the_others_are_told() {
    let mut exchanged = 0;
    for case in &CASES {
        let (x, y) = data(case, 0, case.rows);
        let line: &[(&str, &str)] = &[("candidates", "networks,linear")];
        let short: &[(&str, &str)] = &[("candidates", "networks,linear"), ("epochs", "5")];
        for settings in [line, &[("preset", "fast")], short, &[("optimizer", "adam"), ("epochs", "20")]] {
            let (learnt, notes) = fit(&x, ArrayTargets::numbers(y.clone()), settings, 0.2);
            let [own, ridge, constant] = &learnt.report.candidates[..] else { panic!("three candidates") };
            let what = format!("{}, {settings:?}: {own:?} {ridge:?} {constant:?}", case.name);
            assert_eq!((ridge.model.as_str(), constant.model.as_str()), ("ridge regression", "constant"));
            assert_eq!((own.kept, ridge.kept), (own.loss <= ridge.loss, own.loss > ridge.loss), "{what}");
            let kept = if own.kept { own } else { ridge };
            assert_eq!(learnt.report.validation.as_ref().unwrap().loss, kept.loss, "{what}");
            assert_eq!(notes.contains("the model is ridge regression"), ridge.kept, "{what}");
            assert_eq!(learnt.report.method() == "ridge regression", ridge.kept, "{what}");
            if ridge.kept {
                exchanged += 1;
                // A line: the middle of two rows is predicted the mean of their predictions.
                let middle = Matrix::from_fn(1, case.columns, |_, j| f64::midpoint(x[(0, j)], x[(1, j)]));
                let f = |x: &Matrix<f64>| learnt.predictor.predict_array(x.view()).unwrap()[(0, 0)];
                let [a, b] = [0, 1].map(|i| f(&x.select_rows(&[i])));
                assert!((f(&middle) - f64::midpoint(a, b)).abs() < 1e-9, "{what}");
            }
        }
    }
    assert!((3..12).contains(&exchanged), "{exchanged} of 12: each kind has to win somewhere");
}

#[test]
fn new_rows_are_predicted_no_worse_than_by_the_line_by_more_than_chance() {
    for case in &CASES[..2] {
        let ((x, y), (new, expected)) = (data(case, 0, case.rows), data(case, 5000, 400));
        let of = |settings: &[(&str, &str)]| fit(&x, ArrayTargets::numbers(y.clone()), settings, 0.2).0;
        let (own, line) = (of(&[]), of(&[("model", "linear"), ("epochs", "60")]));
        let (own, line) = (squares(&own, &new, &expected), squares(&line, &new, &expected));
        assert!(own <= 1.15 * line, "{}: {own} {line}", case.name);
    }
}

#[test]
fn a_model_that_the_user_names_stays_and_is_told_of_its_rival() {
    let (x, y) = data(&CASES[0], 0, 60);
    let settings = [("model", "mlp:64,64:relu"), ("optimizer", "sgd"), ("learning-rate", "1e-9"), ("epochs", "1")];
    let (learnt, notes) = fit(&x, ArrayTargets::numbers(y.clone()), &settings, 0.2);
    assert_eq!(learnt.report.model, "mlp:64,64:relu");
    assert!(notes.contains("ridge regression does better"), "{notes}");
    let settings = [&settings[..], &[("candidates", "networks,linear")]].concat();
    assert_eq!(fit(&x, ArrayTargets::numbers(y), &settings, 0.2).0.report.model, "linear");
}

#[test]
fn classes_have_a_rival_too() {
    let (x, y) = data(&CASES[0], 0, 60);
    let labels = y.as_slice().iter().map(|y| usize::from(*y > 0.0)).collect();
    let classes = ["u", "v"].map(str::to_owned).to_vec();
    let targets = ArrayTargets::Classes { classes, labels, kind: Labels::Text };
    let (learnt, _) = fit(&x, targets, &[("epochs", "2"), ("optimizer", "sgd")], 0.2);
    let candidates = &learnt.report.candidates;
    assert!(candidates[1].loss < candidates[2].loss, "a line tells these classes apart: {candidates:?}");
    assert_eq!(candidates.iter().filter(|candidate| candidate.kept).count(), 1);
    assert_eq!(learnt.report.validation.unwrap().loss, candidates[0].loss.min(candidates[1].loss));
}

/// Of 6 to 18 rows nothing is sure, but over many tables the result is far nearer than the mean of the targets, and none is
/// far off.
#[test]
fn few_rows_are_enough_for_something_better_than_their_mean() {
    let curve = Case { name: "a curve in noise", rows: 0, columns: 3, f: |x, e| (2.0 * x[0]).sin() + x[1] + 0.2 * e };
    let mut ratios = Vec::new();
    for rows in [6, 9, 13, 18] {
        for table in 0..6 {
            let (x, y) = data(&curve, 100 * table, rows);
            let (new, truth) = data(&curve, 5000, 200);
            let mean = y.as_slice().iter().sum::<f64>() / rows as f64;
            let constant = truth.as_slice().iter().map(|y| (y - mean).powi(2)).sum::<f64>();
            let (learnt, _) = fit(&x, ArrayTargets::numbers(y), &[("seed", &table.to_string())], 0.2);
            ratios.push((rows, (squares(&learnt, &new, &truth) / constant).sqrt()));
        }
    }
    for (rows, at_most) in [(6, 0.45), (9, 0.28), (13, 0.25), (18, 0.21)] {
        let own: Vec<f64> = ratios.iter().filter(|(of, _)| *of == rows).map(|(_, ratio)| *ratio).collect();
        let mean = (own.iter().map(|ratio| ratio.ln()).sum::<f64>() / own.len() as f64).exp();
        assert!(mean < at_most, "{ratios:?}");
        assert!(own.iter().all(|&ratio| ratio < 1.3), "{ratios:?}");
    }
}

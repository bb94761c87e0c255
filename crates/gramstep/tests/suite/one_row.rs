//! Gram-Gauss-Newton with one row a sample, against its formula and against all rows where the two are the same.

use gramstep::loss::{CrossEntropyLoss, HuberLoss, LogisticLoss, Loss, PoissonLoss, SquaredLoss};
use gramstep::optim::{Batch, Damping, GramGaussNewton, GramGaussNewtonConfig, Optimizer, Rows};
use gramstep::solve::Solver;
use gramstep::{Activation, Error, Matrix, Model};

use super::cases::{assert_close, eliminate, matrix};

const SAMPLES: usize = 6;

fn network(outputs: usize) -> Model<f64> {
    Model::mlp(&[4, 9, outputs], Activation::Tanh).seed(3).build().unwrap()
}

fn classes(k: usize) -> Matrix<f64> {
    Matrix::from_fn(SAMPLES, k, |i, a| f64::from(u8::from(a == i % k)))
}

fn config(rows: Rows) -> GramGaussNewtonConfig {
    let config = GramGaussNewtonConfig::default().with_damping(Damping::Absolute(0.3)).with_rows(rows);
    config.with_max_output_change(f64::INFINITY)
}

/// θ after some steps.
fn after(steps: usize, model: &Model<f64>, batch: &Batch<'_, f64>, config: GramGaussNewtonConfig) -> Vec<f64> {
    let (mut model, mut optimizer) = (model.clone(), GramGaussNewton::new(config).unwrap());
    for _ in 0..steps {
        optimizer.step(&mut model, batch).unwrap();
    }
    model.theta()
}

#[test]
fn by_curvature_is_the_exact_step_for_two_classes_and_for_one_output_of_any_loss() {
    let x = matrix(1, SAMPLES, 4);
    let weights = [1.0, 0.5, 2.0, 1.0, 3.0, 0.0];
    let compare = |loss: &dyn Loss, y: &Matrix<f64>| {
        let model = network(y.columns());
        let batch = Batch::new(&x, y).with_loss(loss).with_weights(&weights);
        let exact = after(2, &model, &batch, config(Rows::Exact));
        let one = after(2, &model, &batch, config(Rows::OneByCurvature));
        assert_close(&one, &exact, 1e6, loss.name());
    };
    compare(&CrossEntropyLoss, &classes(2));
    compare(&SquaredLoss, &matrix(2, SAMPLES, 1));
    compare(&HuberLoss::new(0.3).unwrap(), &matrix(2, SAMPLES, 1));
    compare(&LogisticLoss, &Matrix::from_fn(SAMPLES, 1, |i, _| f64::from(u8::from(i % 2 == 0))));
}

#[test]
fn the_root_of_the_squared_loss_of_one_output_is_its_residual() {
    let (x, y, model) = (matrix(1, SAMPLES, 4), matrix(2, SAMPLES, 1), network(1));
    let batch = Batch::new(&x, &y);
    let exact = after(3, &model, &batch, config(Rows::Exact));
    assert_close(&after(3, &model, &batch, config(Rows::One)), &exact, 1e6, "ρ = |r|");
}

/// d = μ d₋ + Rᵀc with c = u ∘ (diag(u) R Rᵀ diag(u) + λI)⁻¹(1/u − μ u ∘ (R d₋)), R = rows ∇ℓ_i.
fn twin(model: &Model<f64>, x: &Matrix<f64>, y: &Matrix<f64>, rows: Rows, carried: &[f64]) -> Vec<f64> {
    let tangent = model.tangent(x).unwrap();
    let (jacobian, f, k) = (tangent.jacobian(), tangent.predictions(), y.columns());
    let (mut gradients, mut u) = (Vec::new(), Vec::new());
    for i in 0..x.rows() {
        let mut g = vec![0.0; k];
        CrossEntropyLoss.gradient(f.row(i), y.row(i), &mut g);
        let loss = CrossEntropyLoss.value(f.row(i), y.row(i));
        let right = (-loss).exp();
        u.push(if rows == Rows::One { (2.0 * loss).sqrt().recip() } else { (right / (1.0 - right)).sqrt() });
        let row = |p: usize| (0..k).map(|a| g[a] * jacobian[(i * k + a, p)]).sum::<f64>();
        gradients.push((0..jacobian.columns()).map(row).collect::<Vec<_>>());
    }
    let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
    let system = (0..u.len()).map(|i| {
        let entry = |j: usize| u[i] * u[j] * dot(&gradients[i], &gradients[j]) + if i == j { 0.3 } else { 0.0 };
        (0..u.len()).map(entry).collect::<Vec<_>>()
    });
    let rhs = u.iter().zip(&gradients).map(|(u, row)| 1.0 / u - u * dot(row, carried)).collect();
    let c = eliminate(system.collect(), rhs);
    let direction = |p: usize| carried[p] + (0..u.len()).map(|i| u[i] * c[i] * gradients[i][p]).sum::<f64>();
    (0..carried.len()).map(direction).collect()
}

#[test]
fn steps_are_those_of_the_formula_in_all_solvers() {
    let x = matrix(1, SAMPLES, 4);
    for k in [3, 10] {
        let (model, y) = (network(k), classes(k));
        let batch = Batch::new(&x, &y).with_loss(&CrossEntropyLoss);
        let p = model.parameter_count();
        for rows in [Rows::One, Rows::OneByCurvature] {
            let expected = twin(&model, &x, &y, rows, &vec![0.0; p]);
            for solver in [Solver::Dual, Solver::Primal, Solver::ConjugateGradient] {
                let mut config = config(rows);
                config.solver = Some(solver);
                let theta = after(1, &model, &batch, config);
                let step: Vec<f64> = model.theta().iter().zip(&theta).map(|(before, after)| before - after).collect();
                assert_close(&step, &expected, 1e7, &format!("{rows:?}, k = {k}, {solver:?}"));
            }
        }
    }
}

#[test]
fn momentum_carries_the_direction_over() {
    const MOMENTUM: f64 = 0.9;
    let (x, y, model) = (matrix(1, SAMPLES, 4), classes(3), network(3));
    let batch = Batch::new(&x, &y).with_loss(&CrossEntropyLoss);
    let config = config(Rows::One).with_momentum(MOMENTUM).with_learning_rate(0.2);
    let mut expected = model.clone();
    let mut carried = vec![0.0; model.parameter_count()];
    for step in 1..=3 {
        for d in &mut carried {
            *d *= MOMENTUM;
        }
        carried = twin(&expected, &x, &y, Rows::One, &carried);
        let rate = 0.2 * (1.0 - MOMENTUM.powi(step));
        let theta: Vec<f64> = expected.theta().iter().zip(&carried).map(|(theta, d)| theta - rate * d).collect();
        expected.set_theta(&theta).unwrap();
    }
    assert_close(&after(3, &model, &batch, config), &expected.theta(), 1e7, "SPRING");
}

#[test]
fn the_loss_bounds_a_step_at_an_absolute_damping_whatever_the_curvature() {
    let (x, y) = (matrix(1, SAMPLES, 4), classes(10));
    for scale in [0.01, 1.0, 10.0] {
        let mut model = network(10);
        let theta: Vec<f64> = model.theta().iter().map(|theta| scale * theta).collect();
        model.set_theta(&theta).unwrap();
        let batch = Batch::new(&x, &y).with_loss(&CrossEntropyLoss);
        let mean = batch.loss(&model).unwrap();
        for damping in [1e-3, 0.5, 20.0] {
            let config = config(Rows::One).with_damping(Damping::Absolute(damping * SAMPLES as f64));
            let moved = after(1, &model, &batch, config);
            let length = theta.iter().zip(moved).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
            let most = (0.5 * mean / damping).sqrt();
            assert!(length <= most * (1.0 + 1e-9), "‖φ‖ = {length} at a mean loss of {mean} and λ = {damping}n");
        }
    }
}

#[test]
fn the_row_by_curvature_has_no_more_curvature_than_the_loss() {
    let f: Matrix<f64> = matrix(4, 1, 5);
    let y = Matrix::from_fn(1, 5, |_, a| f64::from(u8::from(a == 2)));
    let p: Vec<f64> = f.row(0).iter().map(|f| f.exp()).collect();
    let p: Vec<f64> = p.iter().map(|v| v / p.iter().sum::<f64>()).collect();
    let ratio = p[2] / (1.0 - p[2]);
    let mut g = vec![0.0; 5];
    CrossEntropyLoss.gradient(f.row(0), y.row(0), &mut g);
    for seed in 0..50 {
        let v: Matrix<f64> = matrix(100 + seed, 1, 5);
        let mean: f64 = p.iter().zip(v.row(0)).map(|(p, v)| p * v).sum();
        let curvature: f64 = p.iter().zip(v.row(0)).map(|(p, v)| p * (v - mean).powi(2)).sum();
        let along: f64 = g.iter().zip(v.row(0)).map(|(g, v)| g * v).sum();
        assert!(ratio * along * along <= curvature * (1.0 + 1e-12), "{} {curvature}", ratio * along * along);
    }
}

/// f, which is bounded by nothing.
#[derive(Debug)]
struct Negative;

impl Loss for Negative {
    fn name(&self) -> &'static str {
        "negative"
    }

    fn value(&self, f: &[f64], y: &[f64]) -> f64 {
        f.iter().zip(y).map(|(f, y)| f - y).sum()
    }

    fn gradient(&self, _: &[f64], _: &[f64], g: &mut [f64]) {
        g.fill(1.0);
    }
}

#[test]
fn the_system_has_a_row_a_sample_and_negative_losses_have_no_root() {
    let model = network(10);
    let plan = GramGaussNewton::<f64>::new(config(Rows::One)).unwrap().plan(&model, 64);
    assert_eq!((plan.solver, plan.size), (Solver::Dual, 64));
    let (x, y, mut model) = (matrix(1, SAMPLES, 4), Matrix::from_fn(SAMPLES, 1, |_, _| 9.0), network(1));
    let error = GramGaussNewton::new(config(Rows::One))
        .unwrap()
        .step(&mut model, &Batch::new(&x, &y).with_loss(&Negative))
        .unwrap_err();
    assert!(matches!(error, Error::Conflict { what: "one row a sample", .. }), "{error}");
}

#[test]
fn counts_have_one_row_whatever_they_are() {
    let (x, y, mut model) = (matrix(1, SAMPLES, 4), Matrix::from_fn(SAMPLES, 2, |i, a| (3 * i + a) as f64), network(2));
    let batch = Batch::new(&x, &y).with_loss(&PoissonLoss);
    let config = GramGaussNewtonConfig::default().with_rows(Rows::One).with_learning_rate(0.5);
    let mut optimizer = GramGaussNewton::new(config).unwrap();
    let first = batch.loss(&model).unwrap();
    for _ in 0..60 {
        optimizer.step(&mut model, &batch).unwrap();
    }
    let last = batch.loss(&model).unwrap();
    assert!(last < 1e-3 * first, "{first} {last}");
}

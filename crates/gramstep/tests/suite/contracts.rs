//! What an optimiser promises beside its step: frozen spans, empty batches, errors, saved states, momentum.

use std::sync::atomic::{AtomicUsize, Ordering};

use gramstep::communicator::Communicator;
use gramstep::loss::CrossEntropyLoss;
use gramstep::optim::{
    Adam, AdamConfig, AdaptiveDamping, Batch, Damping, GramGaussNewton, GramGaussNewtonConfig, Optimizer, Sgd,
    SgdConfig,
};
use gramstep::solve::{ConjugateGradient, Solver, conjugate_gradient};
use gramstep::{Activation, Device, Error, Matrix, Model, Result};

use super::cases::{INPUTS, MakeOptimizer, assert_close, cases, dot, matrix, model, norm, normal};

type Make = fn() -> Box<dyn Optimizer<f64>>;

fn network() -> Model<f64> {
    Model::<f64>::mlp(&[INPUTS, 20, 1], Activation::Tanh).seed(1).device(Device::cpu(1)).build().unwrap()
}

/// A network whose last weight alone is trainable.
fn head() -> Model<f64> {
    let mut model = network();
    for name in ["layers.0.weight", "layers.0.bias", "layers.2.bias"] {
        model.set_span_weight(name, 0.0).unwrap();
    }
    model
}

fn adaptive() -> GramGaussNewtonConfig {
    GramGaussNewtonConfig::default().with_damping(Damping::Adaptive(AdaptiveDamping::default()))
}

fn absolute(damping: f64) -> GramGaussNewtonConfig {
    GramGaussNewtonConfig::default().with_damping(Damping::Absolute(damping))
}

#[test]
fn the_primal_system_holds_trainable_columns_alone() {
    let (x, y) = (matrix(2, 60, INPUTS), matrix(3, 60, 1));
    // λ = 0: columns of frozen spans would make the system singular.
    let mut config = absolute(0.0);
    config.memory_budget = 20 * 20 * 16;
    let mut optimizer = GramGaussNewton::new(config).unwrap();
    let mut trained = head();
    let plan = optimizer.plan(&trained, 60);
    assert_eq!((plan.solver, plan.bytes), (Solver::Primal, 20 * 20 * 16));
    let solve = optimizer.step(&mut trained, &Batch::new(&x, &y)).unwrap().solve.unwrap();
    assert!(solve.solver == Solver::Primal && solve.size == 20 && !solve.repaired, "{solve:?}");
    // The residual of least squares is orthogonal to the trainable columns.
    let tangent = trained.tangent(&x).unwrap();
    let r: Vec<f64> = tangent.predictions().as_slice().iter().zip(y.as_slice()).map(|(f, y)| f - y).collect();
    assert!(norm(&tangent.vjp(&r).unwrap()) < 1e-10 * norm(&r));
    let frozen = |model: &Model<f64>| model.theta()[..20 * INPUTS + 20].to_vec();
    assert_eq!(frozen(&trained), frozen(&head()));
}

#[test]
fn a_network_without_trainable_parameters_stays_as_it_is() {
    let (x, y) = (matrix(2, 6, INPUTS), matrix(3, 6, 1));
    let mut frozen = head();
    frozen.set_span_weight("layers.2.weight", 0.0).unwrap();
    let before = frozen.theta();
    for solver in [Solver::Dual, Solver::Primal, Solver::ConjugateGradient] {
        let mut config = absolute(0.1);
        config.solver = Some(solver);
        GramGaussNewton::new(config).unwrap().step(&mut frozen, &Batch::new(&x, &y)).unwrap();
        assert_eq!(frozen.theta(), before, "{solver}");
    }
}

#[test]
fn frozen_spans_do_not_move_under_decay_and_momentum() {
    let (x, y) = (matrix(2, 6, INPUTS), matrix(3, 6, 1));
    let batch = Batch::new(&x, &y);
    let mut optimizers: Vec<Box<dyn Optimizer<f64>>> = Vec::new();
    for (momentum, nesterov, decay) in
        [(0.9, false, 0.0), (0.9, true, 0.0), (0.9, true, 0.1), (0.0, false, 0.1), (0.9, false, 0.1)]
    {
        let mut config = SgdConfig::default();
        (config.momentum, config.nesterov, config.weight_decay) = (momentum, nesterov, decay);
        optimizers.push(Box::new(Sgd::new(config).unwrap()));
    }
    for decay in [0.0, 0.1] {
        let mut config = AdamConfig::default();
        config.weight_decay = decay;
        optimizers.push(Box::new(Adam::new(config).unwrap()));
    }
    for mut optimizer in optimizers {
        let mut model = network();
        for _ in 0..3 {
            optimizer.step(&mut model, &batch).unwrap();
        }
        model.set_span_weight("layers.0.weight", 0.0).unwrap();
        let before = model.theta();
        for _ in 0..3 {
            optimizer.step(&mut model, &batch).unwrap();
        }
        let (frozen, moved) = (20 * INPUTS, model.theta());
        assert_eq!(moved[..frozen], before[..frozen], "{}", optimizer.name());
        assert!(moved[frozen..].iter().zip(&before[frozen..]).all(|(a, b)| a != b), "{}", optimizer.name());
    }
}

#[test]
fn a_batch_of_no_rows_gives_empty_results() {
    for case in cases() {
        let model = model::<f64>(&case, 5);
        let (x, u) = (Matrix::zeros(0, case.inputs()), Matrix::zeros(0, model.outputs()));
        let v: Vec<f64> = normal(6, model.parameter_count());
        assert_eq!(model.predict(&x).unwrap().rows(), 0, "{}", case.name);
        let (f, slope) = model.predict_tangent(&x, &v).unwrap();
        assert_eq!((f.rows(), slope.rows()), (0, 0), "{}", case.name);
        let gradient = model.input_gradient(&x, &u).unwrap();
        assert_eq!((gradient.rows(), gradient.columns()), (0, case.inputs()), "{}", case.name);
        assert_eq!(model.tangent_input_gradient(&x, &v, &u).unwrap().rows(), 0, "{}", case.name);
        assert_eq!(model.tangent(&x).unwrap().rows(), 0, "{}", case.name);
    }
}

#[test]
fn a_state_of_another_models_size_is_an_error_that_leaves_the_model() {
    let (x, y) = (matrix(2, 6, INPUTS), matrix(3, 6, 1));
    let optimizers: [Make; 3] = [
        || Box::new(GramGaussNewton::new(absolute(0.1).with_momentum(0.9)).unwrap()),
        || Box::new(Sgd::new(SgdConfig::default()).unwrap()),
        || Box::new(Adam::new(AdamConfig::default()).unwrap()),
    ];
    for make in optimizers {
        let mut small = Model::<f64>::mlp(&[INPUTS, 3, 1], Activation::Tanh).build().unwrap();
        let (mut first, mut second) = (make(), make());
        first.step(&mut small, &Batch::new(&x, &y)).unwrap();
        second.restore(first.state()).unwrap();
        let mut model = network();
        let before = model.theta();
        let error = second.step(&mut model, &Batch::new(&x, &y)).unwrap_err();
        assert!(matches!(error, Error::State { .. }), "{}: {error}", first.name());
        assert_eq!(model.theta(), before);
    }
}

#[test]
fn an_infinite_learning_rate_is_refused() {
    let (mut sgd, mut adam) = (SgdConfig::default(), AdamConfig::default());
    (sgd.learning_rate, adam.learning_rate) = (f64::INFINITY, f64::INFINITY);
    assert!(matches!(Sgd::<f64>::new(sgd), Err(Error::Setting { .. })));
    assert!(matches!(Adam::<f64>::new(adam), Err(Error::Setting { .. })));
}

#[test]
fn weights_of_zero_alone_are_refused() {
    let (x, y) = (matrix(2, 3, INPUTS), matrix(3, 3, 1));
    let mut model = network();
    let batch = Batch::new(&x, &y).with_weights(&[0.0; 3]);
    let refused = |error: Error| assert!(matches!(error, Error::Setting { .. }), "{error}");
    refused(batch.loss(&model).unwrap_err());
    refused(GramGaussNewton::new(absolute(0.1)).unwrap().step(&mut model, &batch).unwrap_err());
    refused(Sgd::new(SgdConfig::default()).unwrap().step(&mut model, &batch).unwrap_err());
    refused(Adam::new(AdamConfig::default()).unwrap().step(&mut model, &batch).unwrap_err());
}

/// One of two processes, alike in all they say, whose line breaks after some messages.
#[derive(Debug)]
struct Broken {
    messages: AtomicUsize,
    last: usize,
}

impl Broken {
    fn count(&self) -> Result<()> {
        let fine = self.messages.fetch_add(1, Ordering::Relaxed) < self.last;
        if fine { Ok(()) } else { Err(Error::Communication("the line broke".to_owned())) }
    }
}

impl Communicator for Broken {
    fn rank(&self) -> usize {
        0
    }
    fn size(&self) -> usize {
        2
    }
    fn all_gather(&self, bytes: &[u8]) -> Result<Vec<Vec<u8>>> {
        self.count().map(|()| vec![bytes.to_vec(); 2])
    }
    fn all_to_all(&self, parts: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>> {
        self.count().map(|()| vec![parts[0].clone(); 2])
    }
    fn broadcast(&self, _bytes: &mut Vec<u8>, _root: usize) -> Result<()> {
        self.count()
    }
}

#[test]
fn a_line_that_breaks_at_any_message_of_a_step_leaves_the_model() {
    let (x, y) = (matrix(2, 6, INPUTS), matrix(3, 6, 1));
    let optimizers: [MakeOptimizer; 4] = [
        || Box::new(GramGaussNewton::new(adaptive()).unwrap()),
        || Box::new(GramGaussNewton::new(absolute(0.1).with_momentum(0.5)).unwrap()),
        || Box::new(Sgd::new(SgdConfig::default()).unwrap()),
        || Box::new(Adam::new(AdamConfig::default()).unwrap()),
    ];
    for optimizer in optimizers {
        for last in 0.. {
            let (mut model, broken) = (network(), Broken { messages: AtomicUsize::new(0), last });
            let before = model.theta();
            let batch = Batch::new(&x, &y).with_communicator(&broken);
            if optimizer().step(&mut model, &batch).is_ok() {
                assert!(last > 4 && model.theta() != before, "{last} messages");
                break;
            }
            assert_eq!(model.theta(), before, "after {last} messages");
        }
    }
}

#[test]
fn momentum_stays_without_damping() {
    // One row at a time, λ = κ = 0: φ ← μφ + J⁺(r − μJφ).
    let mut model = network();
    let (mu, eta) = (0.9, 0.1);
    let mut optimizer = GramGaussNewton::new(absolute(0.0).with_momentum(mu).with_learning_rate(eta)).unwrap();
    let mut phi = vec![0.0; model.parameter_count()];
    for step in 0..3 {
        let (x, y) = (matrix(20 + step, 1, INPUTS), matrix::<f64>(30 + step, 1, 1));
        let tangent = model.tangent(&x).unwrap();
        let row = tangent.vjp(&[1.0]).unwrap();
        let c = (tangent.predictions()[(0, 0)] - y[(0, 0)] - mu * dot(&row, &phi)) / dot(&row, &row);
        phi.iter_mut().zip(&row).for_each(|(phi, j)| *phi = mu * *phi + c * j);
        let correction = (1.0 - mu.powf(2.0 * (step + 1) as f64)).sqrt();
        let expected: Vec<f64> = model.theta().iter().zip(&phi).map(|(t, phi)| t - eta * phi / correction).collect();
        optimizer.step(&mut model, &Batch::new(&x, &y)).unwrap();
        assert_close(&model.theta(), &expected, 1e-11 / f64::EPSILON, &format!("step {step}"));
    }
}

#[test]
fn conjugate_gradients_refuse_negative_curvature_and_leave_null_spaces() {
    let diagonal = |d: [f64; 3]| move |c: &[f64]| Ok(c.iter().zip(d).map(|(c, d)| c * d).collect::<Vec<f64>>());
    let solve = |d, rhs: [f64; 3]| conjugate_gradient(diagonal(d), 0.0, &rhs, ConjugateGradient::default());
    assert!(matches!(solve([2.0, 1.0, -1.0], [1.0, 1.0, 1.5]), Err(Error::Solve { .. })));
    let (c, info) = solve([2.0, 1.0, 0.0], [2.0, 3.0, 0.0]).unwrap();
    assert_close(&c, &[1.0, 3.0, 0.0], 100.0, "semi-definite");
    assert!(info.residual < 1e-14);
    // A right-hand side with a share outside the range: the residual says so.
    let (_, info) = solve([1.0, 1.0, 0.0], [1.0, 0.0, 1.0]).unwrap();
    assert!(info.residual > 0.5, "{}", info.residual);
}

#[test]
fn the_residual_of_conjugate_gradients_is_that_of_the_intended_system() {
    let model = network();
    let (x, y) = (matrix(2, 10, INPUTS), matrix(3, 10, 1));
    let weights: Vec<f64> = normal::<f64>(4, 10).iter().map(|w| w.abs() + 0.1).collect();
    let batch = Batch::new(&x, &y).with_weights(&weights);
    let tangent = model.tangent(&x).unwrap();
    let lambda = 1e-4 * tangent.gram()[(0, 0)];
    for iterations in [2, 3, 500] {
        let mut config = absolute(lambda);
        config.solver = Some(Solver::ConjugateGradient);
        config.conjugate_gradient.iterations = iterations;
        let mut moved = model.clone();
        let solve = GramGaussNewton::new(config).unwrap().step(&mut moved, &batch).unwrap().solve.unwrap();
        // J̃(−Δ) + λc = z − residual; c from Δ is not unique, so the residual is read off where λc is known: the step
        // of the exact system differs from this one by J̃ᵀ(J̃J̃ᵀ + λ)⁻¹ residual.
        config.solver = Some(Solver::Dual);
        let mut exact = model.clone();
        GramGaussNewton::new(config).unwrap().step(&mut exact, &batch).unwrap();
        let difference: Vec<f64> = moved.theta().iter().zip(exact.theta()).map(|(a, b)| a - b).collect();
        let z: Vec<f64> = (0..10).map(|i| weights[i].sqrt() * (tangent.predictions()[(i, 0)] - y[(i, 0)])).collect();
        // ‖J̃ᵀ(J̃J̃ᵀ + λ)⁻¹‖ ≤ 1/(2√λ).
        let most = solve.residual * norm(&z) / (2.0 * lambda.sqrt());
        assert!(norm(&difference) <= most + 1e-9, "{iterations}: {} > {most}", norm(&difference));
        assert_eq!(solve.residual < 1e-10, iterations == 500, "{iterations}: {}", solve.residual);
    }
}

#[test]
fn gain_ratios_do_not_depend_on_how_the_image_of_a_step_is_found() {
    for (ridge, momentum) in [(0.0, 0.0), (0.05, 0.0), (0.05, 0.9)] {
        let (x, y) = (matrix(2, 8, INPUTS), Matrix::from_fn(8, 3, |i, a| f64::from(u8::from(a == i % 3))));
        let batch = Batch::new(&x, &y).with_loss(&CrossEntropyLoss);
        let ratios = [Solver::Dual, Solver::Primal, Solver::ConjugateGradient].map(|solver| {
            let mut model = Model::<f64>::mlp(&[INPUTS, 9, 3], Activation::Tanh).seed(1).build().unwrap();
            let mut config = adaptive().with_ridge(ridge).with_momentum(momentum).with_learning_rate(0.5);
            config.solver = Some(solver);
            let mut optimizer = GramGaussNewton::new(config).unwrap();
            let mut step = || optimizer.step(&mut model, &batch).unwrap().gain_ratio.unwrap();
            [step(), step(), step()]
        });
        assert_close(&ratios[0], &ratios[1], 1e-8 / f64::EPSILON, "dual and primal");
        assert_close(&ratios[2], &ratios[1], 1e-6 / f64::EPSILON, "conjugate gradients and primal");
    }
}

#[test]
fn a_network_larger_than_any_memory_is_an_error() {
    for hidden in [vec![1_000_000, 1_000_000], vec![1 << 33, 2]] {
        let sizes = [vec![3], hidden, vec![1]].concat();
        let refused = Model::<f64>::mlp(&sizes, Activation::Tanh).build().unwrap_err();
        assert!(refused.to_string().contains("more parameters than fit"), "{refused}");
    }
}

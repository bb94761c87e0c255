//! Steps against their definitions, written out with the explicit Jacobian.

use gramstep::loss::{CrossEntropyLoss, Curvature, HuberLoss, LogisticLoss, Loss, SquaredLoss};
use gramstep::optim::{
    Adam, AdamConfig, AdaptiveDamping, Batch, Damping, Factors, GramGaussNewton, GramGaussNewtonConfig, Optimizer, Sgd,
    SgdConfig,
};
use gramstep::solve::Solver;
use gramstep::{Activation, Device, Error, Matrix, Model, Scalar, Specification};

use super::cases::{INPUTS, assert_close, cases, dot, eliminate, matrix, model, norm, normal};

fn targets(loss: &dyn Loss, n: usize, k: usize) -> Matrix<f64> {
    match loss.name() {
        "cross-entropy" => Matrix::from_fn(n, k, |i, a| f64::from(u8::from(a == i % k))),
        "logistic" => Matrix::from_fn(n, k, |i, a| f64::from(u8::from((i + a) % 2 == 0))),
        _ => matrix(77, n, k),
    }
}

fn losses() -> Vec<Box<dyn Loss>> {
    vec![
        Box::new(SquaredLoss),
        Box::new(HuberLoss::new(0.3).unwrap()),
        Box::new(LogisticLoss),
        Box::new(CrossEntropyLoss),
    ]
}

/// Whatever the loss, a whole step.
fn damped(damping: f64) -> GramGaussNewtonConfig {
    GramGaussNewtonConfig::default().with_damping(Damping::Absolute(damping)).with_max_output_change(f64::INFINITY)
}

/// θ after one step, minus θ before it.
fn step_of<T: Scalar>(model: &Model<T>, batch: &Batch<'_, T>, config: GramGaussNewtonConfig) -> Vec<f64> {
    let mut moved = model.clone();
    GramGaussNewton::new(config).unwrap().step(&mut moved, batch).unwrap();
    moved.theta().iter().zip(model.theta()).map(|(&a, b)| a.to_f64() - b.to_f64()).collect()
}

/// −(JᵀQJ + κS⁻¹ + λS⁻¹)⁻¹(Jᵀg + κS⁻¹θ) in trainable parameters, by elimination.
fn primal_twin(
    model: &Model<f64>,
    x: &Matrix<f64>,
    y: &Matrix<f64>,
    loss: &dyn Loss,
    w: &[f64],
    lambda: f64,
    kappa: f64,
) -> Vec<f64> {
    let tangent = model.tangent(x).unwrap();
    let (jacobian, f, k) = (tangent.jacobian(), tangent.predictions(), model.outputs());
    let s: Vec<f64> = model.spans().iter().flat_map(|span| vec![span.weight; span.len()]).collect();
    let trainable: Vec<usize> = (0..s.len()).filter(|&q| s[q] > 0.0).collect();
    let (mut system, mut gradient) = (vec![vec![0.0; trainable.len()]; trainable.len()], vec![0.0; trainable.len()]);
    for i in 0..x.rows() {
        let mut g = vec![0.0; k];
        loss.gradient(f.row(i), y.row(i), &mut g);
        let q = curvature(loss, f.row(i), y.row(i));
        for (row, &p) in trainable.iter().enumerate() {
            for a in 0..k {
                gradient[row] += w[i] * jacobian[(i * k + a, p)] * g[a];
                let qj: Vec<f64> = (0..k).map(|b| w[i] * jacobian[(i * k + a, p)] * q[a][b]).collect();
                for (column, &r) in trainable.iter().enumerate() {
                    system[row][column] += (0..k).map(|b| qj[b] * jacobian[(i * k + b, r)]).sum::<f64>();
                }
            }
        }
    }
    let theta = model.theta();
    for (row, &p) in trainable.iter().enumerate() {
        system[row][row] += (lambda + kappa) / s[p];
        gradient[row] += kappa * theta[p] / s[p];
    }
    let solution = eliminate(system, gradient);
    let mut step = vec![0.0; s.len()];
    trainable.iter().zip(solution).for_each(|(&p, v)| step[p] = -v);
    step
}

/// Q of one sample, from the losses' textbook second derivatives (Huber: the re-weighted squared loss).
fn curvature(loss: &dyn Loss, f: &[f64], y: &[f64]) -> Vec<Vec<f64>> {
    let k = f.len();
    let diagonal = |d: Vec<f64>| (0..k).map(|a| (0..k).map(|b| if a == b { d[a] } else { 0.0 }).collect()).collect();
    match loss.name() {
        "squared" => diagonal(vec![1.0; k]),
        "huber" => diagonal(f.iter().zip(y).map(|(f, y)| (0.3 / (f - y).abs()).min(1.0)).collect()),
        "logistic" => diagonal(f.iter().map(|f| 1.0 / ((1.0 + (-f).exp()) * (1.0 + f.exp()))).collect()),
        _ => {
            let top = f.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let e: Vec<f64> = f.iter().map(|f| (f - top).exp()).collect();
            let sum: f64 = e.iter().sum();
            let p: Vec<f64> = e.iter().map(|e| e / sum).collect();
            (0..k).map(|a| (0..k).map(|b| f64::from(u8::from(a == b)) * p[a] - p[a] * p[b]).collect()).collect()
        }
    }
}

#[test]
fn steps_equal_the_primal_generalised_gauss_newton_step_for_every_loss() {
    for case in cases() {
        let model = model::<f64>(&case, 61);
        // The primal twin eliminates a dense p×p system for every loss.
        if model.parameter_count() > 400 {
            continue;
        }
        let (n, k) = (6, model.outputs());
        let x = matrix(62, n, case.inputs());
        let weights: Vec<f64> = normal::<f64>(63, n).iter().map(|v| v.abs() + 0.1).collect();
        for loss in losses() {
            let y = targets(&*loss, n, k);
            let largest = norm(model.tangent(&x).unwrap().gram().as_slice());
            for relative in [1e-6, 1e-3, 1.0] {
                let lambda = relative * largest;
                for (w, kappa) in [(vec![1.0; n], 0.0), (weights.clone(), 0.0), (weights.clone(), 0.3 * lambda)] {
                    let twin = primal_twin(&model, &x, &y, &*loss, &w, lambda, kappa);
                    let batch = Batch::new(&x, &y).with_loss(&*loss).with_weights(&w);
                    for solver in [Solver::Dual, Solver::Primal] {
                        let mut config = damped(lambda).with_ridge(kappa);
                        config.solver = Some(solver);
                        let step = step_of(&model, &batch, config);
                        let what = format!("{}, {}, {solver}, λ = {relative}‖G‖, κ = {kappa}", case.name, loss.name());
                        assert_close(&step, &twin, 1e-9 / f64::EPSILON, &what);
                    }
                }
            }
        }
    }
}

#[test]
fn cross_entropy_steps_survive_probabilities_that_underflow() {
    let specification = Specification::mlp(&[INPUTS, 6, 3], Activation::Tanh).with_output_scale(900.0);
    let model = Model::<f64>::builder(specification).seed(2).device(Device::cpu(1)).build().unwrap();
    let (x, y) = (matrix(3, 5, INPUTS), targets(&CrossEntropyLoss, 5, 3));
    let f = model.predict(&x).unwrap();
    let gap = f.as_slice().iter().fold(0.0_f64, |gap, f| gap.max(f.abs()));
    assert!(gap > 750.0, "logits up to {gap} underflow");
    let lambda = 1e-6 * norm(model.tangent(&x).unwrap().gram().as_slice());
    let twin = primal_twin(&model, &x, &y, &CrossEntropyLoss, &[1.0; 5], lambda, 0.0);
    let step = step_of(&model, &Batch::new(&x, &y).with_loss(&CrossEntropyLoss), damped(lambda));
    assert_close(&step, &twin, 1e-9 / f64::EPSILON, "step");
}

#[test]
fn dual_primal_and_conjugate_gradient_steps_agree() {
    for case in cases() {
        let model = model::<f64>(&case, 71);
        let (n, k) = (7, model.outputs());
        let x = matrix(72, n, case.inputs());
        for loss in losses() {
            let y = targets(&*loss, n, k);
            let batch = Batch::new(&x, &y).with_loss(&*loss);
            let mut config = GramGaussNewtonConfig::default().with_damping(Damping::Relative(0.05)).with_ridge(0.01);
            let steps = [Solver::Dual, Solver::Primal, Solver::ConjugateGradient].map(|solver| {
                config.solver = Some(solver);
                step_of(&model, &batch, config)
            });
            let name = format!("{}, {}", case.name, loss.name());
            assert_close(&steps[1], &steps[0], 1e-9 / f64::EPSILON, &format!("{name}: primal"));
            assert_close(&steps[2], &steps[0], 1e-7 / f64::EPSILON, &format!("{name}: conjugate gradients"));
        }
    }
}

#[test]
fn single_precision_steps_follow_double_precision_ones() {
    for case in cases() {
        let (wide, narrow) = (model::<f64>(&case, 81), model::<f32>(&case, 81));
        let (x, y) = (matrix::<f64>(82, 8, case.inputs()), matrix::<f64>(83, 8, wide.outputs()));
        let config = GramGaussNewtonConfig::default().with_damping(Damping::Relative(0.1));
        let reference = step_of(&wide, &Batch::new(&x, &y), config);
        let (x, y) = (x.cast::<f32>(), y.cast::<f32>());
        let step = step_of(&narrow, &Batch::new(&x, &y), config);
        assert_close(&step, &reference, 1e-4 / f64::EPSILON, &case.name);
    }
}

#[test]
fn tiny_damping_in_single_precision_needs_no_repair() {
    let model = Model::<f32>::mlp(&[INPUTS, 64, 1], Activation::Gelu).seed(1).build().unwrap();
    let (x, y) = (matrix::<f32>(2, 40, INPUTS), matrix::<f32>(3, 40, 1));
    let config = GramGaussNewtonConfig::default().with_damping(Damping::Relative(1e-9));
    let info = GramGaussNewton::new(config).unwrap().step(&mut model.clone(), &Batch::new(&x, &y)).unwrap();
    let solve = info.solve.unwrap();
    assert!(!solve.repaired && solve.residual < 1e-6, "{solve:?}");
}

#[test]
fn permuting_the_batch_leaves_the_step_unchanged() {
    for case in cases() {
        let model = model::<f64>(&case, 91);
        let (x, y) = (matrix(92, 6, case.inputs()), matrix(93, 6, model.outputs()));
        let order = [4, 1, 5, 0, 2, 3];
        let (px, py) = (x.select_rows(&order), y.select_rows(&order));
        let config = GramGaussNewtonConfig::default().with_damping(Damping::Relative(0.01));
        let (step, permuted) =
            (step_of(&model, &Batch::new(&x, &y), config), step_of(&model, &Batch::new(&px, &py), config));
        assert_close(&permuted, &step, 1e-10 / f64::EPSILON, &case.name);
    }
}

#[test]
fn the_step_lies_in_the_row_space_of_the_jacobian_and_moves_outputs_as_the_kernel_says() {
    for case in cases() {
        let model = model::<f64>(&case, 101);
        let (x, y) = (matrix(102, 3, case.inputs()), matrix(103, 3, model.outputs()));
        let tangent = model.tangent(&x).unwrap();
        let gram = tangent.gram();
        let lambda = 0.01 * (0..gram.rows()).map(|i| gram[(i, i)]).sum::<f64>() / gram.rows() as f64;
        let step = step_of(&model, &Batch::new(&x, &y), damped(lambda));
        let residual: Vec<f64> =
            tangent.predictions().as_slice().iter().zip(y.as_slice()).map(|(f, y)| f - y).collect();
        let system = (0..gram.rows())
            .map(|i| (0..gram.rows()).map(|j| gram[(i, j)] + if i == j { lambda } else { 0.0 }).collect())
            .collect();
        let c = eliminate(system, residual);
        // Row space: the step is −S Jᵀc itself. Kernel: J·step = −G c.
        let pulled: Vec<f64> = tangent.vjp(&c).unwrap().iter().map(|v| -v).collect();
        assert_close(&step, &pulled, 1e-10 / f64::EPSILON, &format!("{}: row space", case.name));
        let image: Vec<f64> = (0..c.len()).map(|i| -dot(gram.row(i), &c)).collect();
        assert_close(
            &tangent.jvp(&step).unwrap(),
            &image,
            1e-10 / f64::EPSILON,
            &format!("{}: kernel step", case.name),
        );
    }
}

#[test]
fn a_batch_of_one_is_a_kaczmarz_step() {
    for case in cases().into_iter().filter(|case| case.name.ends_with("k = 1")) {
        let model = model::<f64>(&case, 111);
        let (x, y) = (matrix(112, 1, case.inputs()), matrix::<f64>(113, 1, 1));
        let tangent = model.tangent(&x).unwrap();
        let gradient = tangent.vjp(&[1.0]).unwrap();
        let r = tangent.predictions()[(0, 0)] - y[(0, 0)];
        let kaczmarz: Vec<f64> = gradient.iter().map(|g| -r * g / dot(&gradient, &gradient)).collect();
        assert_close(&step_of(&model, &Batch::new(&x, &y), damped(0.0)), &kaczmarz, 1000.0, &case.name);
    }
}

#[test]
fn one_undamped_step_of_a_linear_model_interpolates_and_is_the_limit_of_gradient_descent() {
    let model = Model::<f64>::mlp(&[12, 2], Activation::Identity).seed(1).device(Device::cpu(1)).build().unwrap();
    let (x, y) = (matrix(2, 5, 12), matrix(3, 5, 2));
    let batch = Batch::new(&x, &y);
    let mut newton = model.clone();
    GramGaussNewton::new(damped(0.0)).unwrap().step(&mut newton, &batch).unwrap();
    assert!(batch.loss(&newton).unwrap() < 1e-24);
    let mut descent = model;
    let mut config = SgdConfig::default();
    (config.learning_rate, config.momentum) = (0.15, 0.5);
    let mut sgd = Sgd::new(config).unwrap();
    for _ in 0..4000 {
        sgd.step(&mut descent, &batch).unwrap();
    }
    assert_close(&descent.theta(), &newton.theta(), 1e-9 / f64::EPSILON, "gradient descent at infinite time");
}

#[test]
fn huge_damping_is_a_gradient_step() {
    for case in cases() {
        let model = model::<f64>(&case, 121);
        let (n, lambda) = (6, 1e12);
        let (x, y) = (matrix(122, n, case.inputs()), matrix(123, n, model.outputs()));
        let batch = Batch::new(&x, &y);
        // (μ, α) = (0, 1/η) of cai2019: Jᵀ(λI)⁻¹r with η = λ·rate; SGD divides by n.
        let step = step_of(&model, &batch, damped(lambda).with_learning_rate(lambda * 0.1 / n as f64));
        let mut moved = model.clone();
        let mut config = SgdConfig::default();
        (config.learning_rate, config.momentum) = (0.1, 0.0);
        Sgd::new(config).unwrap().step(&mut moved, &batch).unwrap();
        let descent: Vec<f64> = moved.theta().iter().zip(model.theta()).map(|(a, b)| a - b).collect();
        assert_close(&step, &descent, 1e-7 / f64::EPSILON, &case.name);
    }
}

#[test]
fn spring_momentum_follows_its_recursion() {
    let mut model =
        Model::<f64>::mlp(&[INPUTS, 8, 2], Activation::Tanh).seed(1).device(Device::cpu(1)).build().unwrap();
    let (mu, lambda, eta) = (0.9, 0.3, 0.2);
    let mut optimizer = GramGaussNewton::new(damped(lambda).with_momentum(mu).with_learning_rate(eta)).unwrap();
    let mut phi = vec![0.0; model.parameter_count()];
    for step in 0..4 {
        let (x, y) = (matrix(200 + step, 5, INPUTS), matrix(300 + step, 5, 2));
        let tangent = model.tangent(&x).unwrap();
        let gram = tangent.gram();
        let carried = tangent.jvp(&phi).unwrap();
        let rhs = (0..10).map(|i| tangent.predictions().as_slice()[i] - y.as_slice()[i] - mu * carried[i]).collect();
        let system =
            (0..10).map(|i| (0..10).map(|j| gram[(i, j)] + if i == j { lambda } else { 0.0 }).collect()).collect();
        let pulled = tangent.vjp(&eliminate(system, rhs)).unwrap();
        phi.iter_mut().zip(pulled).for_each(|(phi, pulled)| *phi = mu * *phi + pulled);
        let correction = (1.0 - mu.powf(2.0 * (step + 1) as f64)).sqrt();
        let expected: Vec<f64> = model.theta().iter().zip(&phi).map(|(t, phi)| t - eta * phi / correction).collect();
        optimizer.step(&mut model, &Batch::new(&x, &y)).unwrap();
        assert_close(&model.theta(), &expected, 1e-11 / f64::EPSILON, &format!("step {step}"));
    }
}

#[test]
fn a_step_is_cut_to_the_largest_norm() {
    let model = Model::<f64>::mlp(&[INPUTS, 8, 1], Activation::Tanh).seed(1).build().unwrap();
    let (x, y) = (matrix(2, 5, INPUTS), matrix(3, 5, 1));
    let free = step_of(&model, &Batch::new(&x, &y), damped(0.1));
    let mut config = damped(0.1);
    config.max_step_norm = Some(0.5 * norm(&free));
    let cut = step_of(&model, &Batch::new(&x, &y), config);
    let half: Vec<f64> = free.iter().map(|v| 0.5 * v).collect();
    assert_close(&cut, &half, 1e-9 / f64::EPSILON, "half a step");
}

#[test]
fn a_step_is_cut_to_the_largest_change_of_the_outputs() {
    let start = Model::<f64>::mlp(&[INPUTS, 8, 3], Activation::Tanh).seed(1).build().unwrap();
    let (x, y) = (matrix(2, 5, INPUTS), targets(&CrossEntropyLoss, 5, 3));
    let mut config = damped(1e-3);
    for (cap, cut) in [(0.01, true), (1e9, false)] {
        config.max_output_change = Some(cap);
        let step = step_of(&start, &Batch::new(&x, &y).with_loss(&CrossEntropyLoss), config);
        let change = start.tangent(&x).unwrap().jvp(&step).unwrap();
        let root_mean_square = norm(&change) / 5_f64.sqrt();
        assert!(if cut { (root_mean_square / cap - 1.0).abs() < 1e-9 } else { root_mean_square < cap });
    }
}

#[test]
fn adaptive_damping_never_raises_the_loss_and_reaches_a_small_one() {
    for loss in losses() {
        let mut model = Model::<f64>::mlp(&[INPUTS, 30, 3], Activation::Tanh).seed(5).build().unwrap();
        let (x, y) = (matrix(6, 20, INPUTS), targets(&*loss, 20, 3));
        let batch = Batch::new(&x, &y).with_loss(&*loss);
        let config = GramGaussNewtonConfig::default().with_damping(Damping::Adaptive(AdaptiveDamping::default()));
        let mut optimizer = GramGaussNewton::new(config).unwrap();
        let first = batch.loss(&model).unwrap();
        let mut last = first;
        for step in 0..30 {
            let info = optimizer.step(&mut model, &batch).unwrap();
            let now = batch.loss(&model).unwrap();
            assert!(now <= last * (1.0 + 1e-12), "{}, step {step}: {last} → {now}", loss.name());
            assert!((info.loss_after.unwrap() - now).abs() <= 1e-12 * (1.0 + now));
            last = now;
        }
        assert!(last < 1e-3 * first, "{}: {first} → {last}", loss.name());
    }
}

#[test]
fn a_rejected_step_leaves_the_parameters_as_they_were() {
    let mut model = Model::<f64>::mlp(&[INPUTS, 8, 1], Activation::Tanh).seed(1).build().unwrap();
    let (x, y) = (matrix(2, 20, INPUTS), matrix(3, 20, 1));
    let mut damping = AdaptiveDamping::starting_at(1e-6);
    damping.ceiling = 1e-6;
    let config = GramGaussNewtonConfig::default().with_damping(Damping::Adaptive(damping)).with_learning_rate(1e3);
    let before = model.theta();
    let info = GramGaussNewton::new(config).unwrap().step(&mut model, &Batch::new(&x, &y)).unwrap();
    assert!(!info.accepted);
    assert_eq!(model.theta(), before);
    assert_eq!(info.loss_after, Some(info.loss));
}

#[test]
fn duplicate_samples_are_repaired_and_reported() {
    let mut model = Model::<f64>::mlp(&[INPUTS, 30, 1], Activation::Tanh).seed(1).build().unwrap();
    let x = matrix::<f64>(2, 4, INPUTS).select_rows(&[0, 1, 2, 3, 0, 1]);
    let y = matrix::<f64>(3, 4, 1).select_rows(&[0, 1, 2, 3, 0, 1]);
    let mut optimizer = GramGaussNewton::new(damped(0.0)).unwrap();
    let mut info = optimizer.step(&mut model, &Batch::new(&x, &y)).unwrap();
    let solve = info.solve.unwrap();
    assert!(solve.repaired && solve.rank == Some(4) && solve.residual < 1e-9, "{solve:?}");
    for _ in 0..20 {
        info = optimizer.step(&mut model, &Batch::new(&x, &y)).unwrap();
    }
    assert!(info.loss < 1e-20, "{}", info.loss);
}

#[test]
fn a_saved_state_continues_bit_for_bit() {
    fn check<T: Scalar>(make: impl Fn() -> Box<dyn Optimizer<T>>) {
        let fresh =
            || Model::<T>::mlp(&[INPUTS, 8, 1], Activation::Gelu).seed(1).device(Device::cpu(2)).build().unwrap();
        let step = |model: &mut Model<T>, optimizer: &mut dyn Optimizer<T>, at: u64| {
            let (x, y) = (matrix(at, 6, INPUTS), matrix(at + 50, 6, 1));
            optimizer.step(model, &Batch::new(&x, &y)).unwrap();
        };
        let (mut whole, mut optimizer) = (fresh(), make());
        (0..6).for_each(|at| step(&mut whole, &mut *optimizer, at));
        let (mut part, mut optimizer) = (fresh(), make());
        (0..3).for_each(|at| step(&mut part, &mut *optimizer, at));
        let saved = serde_json::to_string(&optimizer.state()).unwrap();
        let mut resumed = make();
        resumed.restore(serde_json::from_str(&saved).unwrap()).unwrap();
        (3..6).for_each(|at| step(&mut part, &mut *resumed, at));
        assert_eq!(part.theta(), whole.theta(), "{}", optimizer.name());
        let mut foreign = optimizer.state();
        "another".clone_into(&mut foreign.optimizer);
        assert!(matches!(resumed.restore(foreign), Err(Error::State { .. })));
    }
    fn all<T: Scalar>() {
        let spring = damped(0.1).with_momentum(0.9);
        let adaptive = GramGaussNewtonConfig::default().with_damping(Damping::Adaptive(AdaptiveDamping::default()));
        check::<T>(move || Box::new(GramGaussNewton::new(spring).unwrap()));
        check::<T>(move || Box::new(GramGaussNewton::new(adaptive).unwrap()));
        check::<T>(|| Box::new(Sgd::new(SgdConfig::default()).unwrap()));
        check::<T>(|| Box::new(Adam::new(AdamConfig::default()).unwrap()));
    }
    all::<f64>();
    all::<f32>();
}

#[test]
fn first_order_methods_follow_their_recursions() {
    let fresh = Model::<f64>::mlp(&[INPUTS, 6, 2], Activation::Tanh).seed(3).device(Device::cpu(1)).build().unwrap();
    let (x, y) = (matrix(4, 7, INPUTS), matrix(5, 7, 2));
    let gradient = |model: &Model<f64>| {
        let tangent = model.tangent(&x).unwrap();
        let r: Vec<f64> =
            tangent.predictions().as_slice().iter().zip(y.as_slice()).map(|(f, y)| (f - y) / 7.0).collect();
        tangent.vjp(&r).unwrap()
    };
    for (momentum, nesterov, decay) in
        [(0.0, false, 0.0), (0.9, false, 0.0), (0.9, true, 0.0), (0.8, true, 0.1), (0.0, false, 0.1)]
    {
        let mut config = SgdConfig::default();
        (config.learning_rate, config.momentum, config.nesterov, config.weight_decay) =
            (0.05, momentum, nesterov, decay);
        let (mut model, mut sgd) = (fresh.clone(), Sgd::new(config).unwrap());
        let (mut theta, mut velocity) = (model.theta(), vec![0.0; model.parameter_count()]);
        for _ in 0..4 {
            let g: Vec<f64> = gradient(&model).iter().zip(&theta).map(|(g, t)| g + decay * t).collect();
            for ((t, v), g) in theta.iter_mut().zip(&mut velocity).zip(&g) {
                *v = momentum * *v + g;
                *t -= 0.05 * if nesterov { g + momentum * *v } else { *v };
            }
            sgd.step(&mut model, &Batch::new(&x, &y)).unwrap();
            assert_close(&model.theta(), &theta, 1e-12 / f64::EPSILON, &format!("sgd {momentum} {nesterov} {decay}"));
            theta = model.theta();
        }
    }
    let (mut model, mut adam) = (fresh.clone(), Adam::new(AdamConfig::default()).unwrap());
    let (mut theta, mut m, mut v) =
        (model.theta(), vec![0.0; fresh.parameter_count()], vec![0.0; fresh.parameter_count()]);
    for time in 1..5 {
        let g = gradient(&model);
        for q in 0..g.len() {
            m[q] = 0.9 * m[q] + 0.1 * g[q];
            v[q] = 0.999 * v[q] + 0.001 * g[q] * g[q];
            let (m, v) = (m[q] / (1.0 - 0.9_f64.powi(time)), v[q] / (1.0 - 0.999_f64.powi(time)));
            theta[q] -= 1e-3 * m / (v.sqrt() + 1e-8);
        }
        adam.step(&mut model, &Batch::new(&x, &y)).unwrap();
        assert_close(&model.theta(), &theta, 1e-12 / f64::EPSILON, "adam");
        theta = model.theta();
    }
}

#[test]
fn settings_out_of_range_and_batches_that_do_not_fit_are_refused() {
    for bad in [f64::NAN, -1.0, f64::INFINITY] {
        assert!(GramGaussNewton::<f64>::new(damped(bad)).is_err());
        assert!(GramGaussNewton::<f64>::new(damped(1.0).with_learning_rate(bad)).is_err());
        assert!(GramGaussNewton::<f64>::new(damped(1.0).with_ridge(bad)).is_err());
        assert!(GramGaussNewton::<f64>::new(damped(1.0).with_momentum(bad)).is_err());
    }
    let mut model = Model::<f64>::mlp(&[3, 4, 2], Activation::Relu).build().unwrap();
    let before = model.theta();
    let mut optimizer = GramGaussNewton::new(damped(1.0)).unwrap();
    let (x, y) = (matrix::<f64>(1, 4, 3), matrix::<f64>(2, 4, 2));
    let mut refused = |batch: Batch<'_, f64>| optimizer.step(&mut model, &batch).unwrap_err();
    assert!(matches!(refused(Batch::new(&x, &matrix(2, 3, 2))), Error::Shape { .. }));
    assert!(matches!(refused(Batch::new(&x, &matrix(2, 4, 1))), Error::Shape { .. }));
    assert!(matches!(refused(Batch::new(&matrix(1, 4, 2), &y)), Error::Shape { .. }));
    let none = refused(Batch::new(&Matrix::zeros(0, 3), &Matrix::zeros(0, 2)));
    assert!(matches!(none, Error::TooFew { least: 1, got: 0, .. }), "{none}");
    assert!(matches!(refused(Batch::new(&x, &y).with_weights(&[1.0, -1.0, 1.0, 1.0])), Error::Setting { .. }));
    assert!(matches!(refused(Batch::new(&x, &y).with_loss(&CrossEntropyLoss)), Error::Target { .. }));
    let mut hole = y.clone();
    hole[(2, 1)] = f64::NAN;
    assert!(matches!(refused(Batch::new(&x, &hole)), Error::Target { sample: 2, .. }));
    assert_eq!(model.theta(), before);
    let _ = Curvature::Identity;
}

#[test]
fn a_dense_solve_beyond_the_memory_budget_says_so_before_it_starts() {
    let mut model = Model::<f64>::mlp(&[3, 40, 1], Activation::Relu).build().unwrap();
    let (x, y) = (matrix(1, 40, 3), matrix(2, 40, 1));
    let mut config = damped(1.0);
    config.memory_budget = 1000;
    let mut optimizer = GramGaussNewton::new(config).unwrap();
    assert_eq!(optimizer.plan(&model, 40).solver, Solver::ConjugateGradient);
    assert!(optimizer.step(&mut model, &Batch::new(&x, &y)).is_ok());
    config.solver = Some(Solver::Dual);
    let error = GramGaussNewton::new(config).unwrap().step(&mut model, &Batch::new(&x, &y)).unwrap_err();
    assert_eq!(error, Error::Memory { what: "the matrix of a dense solve", needed: 40 * 40 * 16, budget: 1000 });
}

#[test]
fn factors_make_an_optimiser_that_of_the_settings_that_they_lead_to() {
    let (x, y) = (matrix::<f64>(1, 6, 3), matrix::<f64>(2, 6, 2));
    let start = Model::<f64>::mlp(&[3, 12, 2], Activation::Tanh).seed(4).build().unwrap();
    let train = |optimizer: &mut dyn Optimizer<f64>, factors: Option<Factors>| {
        let mut model = start.clone();
        for _ in 0..6 {
            if let Some(factors) = factors {
                optimizer.set_factors(factors);
            }
            optimizer.step(&mut model, &Batch::new(&x, &y)).unwrap();
        }
        model.theta()
    };
    let gram = |rate, damping, momentum| {
        let config = GramGaussNewtonConfig::default().with_learning_rate(rate).with_momentum(momentum);
        GramGaussNewton::new(config.with_damping(Damping::Relative(damping))).unwrap()
    };
    let sgd = |rate, momentum| {
        let mut config = SgdConfig::default();
        (config.learning_rate, config.momentum) = (rate, momentum);
        Sgd::new(config).unwrap()
    };
    let adam = |rate, beta1| {
        let mut config = AdamConfig::default();
        (config.learning_rate, config.beta1) = (rate, beta1);
        Adam::new(config).unwrap()
    };
    let factors = Factors { learning_rate: 0.5, damping: 0.25, forgetting: 0.5 };
    let pairs: [(&str, Vec<f64>, Vec<f64>); 3] = [
        ("gram", train(&mut gram(0.4, 0.8, 0.9), Some(factors)), train(&mut gram(0.2, 0.2, 0.95), None)),
        ("sgd", train(&mut sgd(0.1, 0.8), Some(factors)), train(&mut sgd(0.05, 0.9), None)),
        ("adam", train(&mut adam(0.02, 0.8), Some(factors)), train(&mut adam(0.01, 0.9), None)),
    ];
    for (name, with, plain) in pairs {
        assert_close(&with, &plain, 1e4, name);
    }
    // None of them where there is nothing to move.
    let still = train(&mut gram(0.4, 0.8, 0.0), Some(Factors { forgetting: 0.1, ..Factors::default() }));
    assert_eq!(still, train(&mut gram(0.4, 0.8, 0.0), None));
}

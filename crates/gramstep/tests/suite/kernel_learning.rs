//! What follows from a kernel: empirical tiles, linearised networks, dynamics and regression.

use gramstep::kernel::{
    Dynamics, EmpiricalKernel, InfiniteKernel, InfiniteTiles, KernelRegression, KernelTiles, LinearisedModel, Outputs,
    Ridge, ScaledKernel, ScaledKind, ScaledRegression, Time, Which, one_hot, solve_matrix_free,
};
use gramstep::model::Parameterization;
use gramstep::optim::{Batch, Optimizer, Sgd, SgdConfig};
use gramstep::solve::ConjugateGradient;
use gramstep::{Activation, Device, Error, Matrix, Model, Specification};

use super::cases::{assert_close, cases, dot, eliminate, matrix, model, norm, normal};

#[test]
fn empirical_tiles_of_any_size_make_up_the_gram_matrix_and_its_traces() {
    for case in cases() {
        let model = model::<f64>(&case, 3);
        let k = model.outputs();
        let (x, y) = (matrix::<f64>(4, 11, case.inputs()), matrix::<f64>(5, 6, case.inputs()));
        let kernel = |outputs| EmpiricalKernel::new(&model, &x, &y, Which::Ntk, outputs).unwrap();
        let full = model.tangent(&x).unwrap().cross_gram(&model.tangent(&y).unwrap()).unwrap();
        let one = |a: usize| Matrix::from_fn(11, 6, |i, j| full[(i * k + a, j * k + a)]);
        let trace = Matrix::from_fn(11, 6, |i, j| (0..k).map(|a| one(a)[(i, j)]).sum::<f64>() / k as f64);
        for samples in [1, 4, 100] {
            let name = format!("{}, tiles of {samples}", case.name);
            let close =
                |got: Matrix<f64>, want: &Matrix<f64>| assert_close(got.as_slice(), want.as_slice(), 500.0, &name);
            close(kernel(Outputs::Full).matrix(samples).unwrap(), &full);
            close(kernel(Outputs::Trace).matrix(samples).unwrap(), &trace);
            close(kernel(Outputs::One(k - 1)).matrix(samples).unwrap(), &one(k - 1));
            let symmetric = EmpiricalKernel::new(&model, &x, &x, Which::Ntk, Outputs::Full).unwrap();
            close(symmetric.symmetric_matrix(samples).unwrap(), &model.tangent(&x).unwrap().gram());
            let (f, g) = (model.predict(&x).unwrap(), model.predict(&y).unwrap());
            let nngp =
                EmpiricalKernel::new(&model, &x, &y, Which::Nngp, Outputs::Trace).unwrap().matrix(samples).unwrap();
            close(nngp, &Matrix::from_fn(11, 6, |i, j| dot(f.row(i), g.row(j)) / k as f64));
        }
        assert!(kernel(Outputs::Full).matrix(0).is_err());
        assert!(kernel(Outputs::Full).tile(0..12, 0..1).is_err());
        assert!(EmpiricalKernel::new(&model, &x, &y, Which::Ntk, Outputs::One(k)).is_err());
    }
}

#[test]
fn a_linearised_network_is_the_tangent_of_the_network() {
    for case in cases() {
        let model = model::<f64>(&case, 7);
        let x = matrix::<f64>(8, 5, case.inputs());
        let mut linear = LinearisedModel::new(model.clone());
        assert_close(linear.predict(&x).unwrap().as_slice(), model.predict(&x).unwrap().as_slice(), 4.0, &case.name);
        let direction: Vec<f64> = normal(9, model.parameter_count());
        // The error of the linearisation is of second order in the displacement.
        let error = |step: f64| {
            let theta: Vec<f64> = model.theta().iter().zip(&direction).map(|(t, d)| t + step * d).collect();
            linear.error(&theta, &x).unwrap()
        };
        let (near, far) = (error(1e-6).absolute, error(1e-5).absolute);
        assert!(near <= 0.02 * far + 1e-13, "{}: {near} {far}", case.name);
        linear.set_displacement(direction.iter().map(|d| 0.3 * d).collect()).unwrap();
        // The input gradient is the slope of f_lin in x.
        let u = matrix::<f64>(10, 5, model.outputs());
        let gradient = linear.input_gradient(&x, &u).unwrap();
        let towards = matrix::<f64>(11, 5, case.inputs());
        let at = |step: f64| {
            let moved = Matrix::from_fn(5, case.inputs(), |i, j| x[(i, j)] + step * towards[(i, j)]);
            dot(linear.predict(&moved).unwrap().as_slice(), u.as_slice())
        };
        let slope = (at(1e-6) - at(-1e-6)) / 2e-6;
        let want = dot(gradient.as_slice(), towards.as_slice());
        assert!(
            (slope - want).abs() <= 1e-6 * (1.0 + want.abs() + norm(gradient.as_slice())),
            "{}: {slope} {want}",
            case.name
        );
        assert!(linear.set_displacement(vec![0.0]).is_err());
    }
}

/// A wide network, points, targets, and new points.
fn problem() -> (Model<f64>, Matrix<f64>, Matrix<f64>, Matrix<f64>) {
    let ntk = Parameterization::Ntk { weight_variance: 1.5, bias_variance: 0.1 };
    let specification = Specification::mlp(&[3, 96, 2], Activation::Tanh).with_parameterization(ntk);
    let model = Model::builder(specification).seed(2).device(Device::cpu(2)).build().unwrap();
    (model, matrix(12, 14, 3), matrix(13, 14, 2), matrix(14, 5, 3))
}

#[test]
fn kernel_regression_is_linearised_training_to_convergence() {
    let (model, x, y, new) = problem();
    let (tangent, other) = (model.tangent(&x).unwrap(), model.tangent(&new).unwrap());
    let gram = tangent.gram();
    let column = |m: &Matrix<f64>| Matrix::from_vec(m.as_slice().len(), 1, m.as_slice().to_vec()).unwrap();
    let (start, targets) = (column(tangent.predictions()), column(&y));
    let missing = Matrix::from_fn(28, 1, |i, _| targets[(i, 0)] - start[(i, 0)]);
    for ridge in [0.0, 0.3] {
        let regression = KernelRegression::fit(&gram, &missing, Ridge::Fixed(ridge), 1).unwrap();
        let cross = other.cross_gram(&tangent).unwrap();
        let change = regression.predict(&cross).unwrap();
        let kernel: Vec<f64> =
            change.as_slice().iter().zip(other.predictions().as_slice()).map(|(c, f)| c + f).collect();
        let mut linear = LinearisedModel::new(model.clone());
        let info = linear.fit(&x, &y, ridge).unwrap();
        assert!(info.residual < 1e-8);
        assert_close(linear.predict(&new).unwrap().as_slice(), &kernel, 1e-6 / f64::EPSILON, "closed form");
        if ridge == 0.0 {
            let dynamics = Dynamics::new(&gram, &start, &targets, 1).unwrap();
            let infinite = dynamics.predict(&cross, &column(other.predictions()), Time::Infinite).unwrap();
            assert_close(infinite.as_slice(), &kernel, 1e-6 / f64::EPSILON, "infinite time");
            // Gradient descent with momentum on the displacement itself, until it has converged.
            let mut linear = LinearisedModel::new(model.clone());
            let (rate, momentum) = (dynamics.largest_stable_rate(0.95).unwrap() * 0.5, 0.95);
            let (mut v, mut velocity) = (vec![0.0; model.parameter_count()], vec![0.0; model.parameter_count()]);
            for _ in 0..6000 {
                linear.set_displacement(v.clone()).unwrap();
                let f = linear.predict(&x).unwrap();
                let residual = Matrix::from_fn(14, 2, |i, a| f[(i, a)] - y[(i, a)]);
                let gradient = tangent.vjp(residual.as_slice()).unwrap();
                for ((v, velocity), g) in v.iter_mut().zip(&mut velocity).zip(gradient) {
                    *velocity = momentum * *velocity + g;
                    *v -= rate * *velocity;
                }
            }
            assert_close(linear.predict(&new).unwrap().as_slice(), &kernel, 1e-6 / f64::EPSILON, "descent");
        }
    }
}

#[test]
fn descent_in_function_space_is_descent_of_the_linearised_network_step_by_step() {
    let (model, x, y, new) = problem();
    let (tangent, other) = (model.tangent(&x).unwrap(), model.tangent(&new).unwrap());
    let column = |m: &Matrix<f64>| Matrix::from_vec(m.as_slice().len(), 1, m.as_slice().to_vec()).unwrap();
    let dynamics = Dynamics::new(&tangent.gram(), &column(tangent.predictions()), &column(&y), 1).unwrap();
    let cross = other.cross_gram(&tangent).unwrap();
    for momentum in [0.0, 0.5, 0.9] {
        let learning_rate = 0.7 * dynamics.largest_stable_rate(momentum).unwrap();
        let mut linear = LinearisedModel::new(model.clone());
        let (mut v, mut velocity) = (vec![0.0; model.parameter_count()], vec![0.0; model.parameter_count()]);
        for steps in 0..30 {
            let time = Time::Descent { learning_rate, momentum, steps };
            let f = linear.predict(&x).unwrap();
            assert_close(
                f.as_slice(),
                dynamics.outputs(time).unwrap().as_slice(),
                1e-9 / f64::EPSILON,
                "training points",
            );
            let outside = dynamics.predict(&cross, &column(other.predictions()), time).unwrap();
            assert_close(
                linear.predict(&new).unwrap().as_slice(),
                outside.as_slice(),
                1e-9 / f64::EPSILON,
                "new points",
            );
            let residual = Matrix::from_fn(14, 2, |i, a| f[(i, a)] - y[(i, a)]);
            let gradient = linear.gradient(&x, &residual).unwrap();
            for ((v, velocity), g) in v.iter_mut().zip(&mut velocity).zip(gradient) {
                *velocity = momentum * *velocity + g;
                *v -= learning_rate * *velocity;
            }
            linear.set_displacement(v.clone()).unwrap();
        }
    }
}

#[test]
fn lazy_networks_follow_the_dynamics_of_their_kernel() {
    // A real network and optimiser: the wider, the closer to the prediction.
    let (x, y) = (matrix::<f64>(15, 8, 3), matrix::<f64>(16, 8, 1));
    let error = |width: usize| {
        let ntk = Parameterization::Ntk { weight_variance: 1.5, bias_variance: 0.1 };
        let specification = Specification::mlp(&[3, width, 1], Activation::Tanh).with_parameterization(ntk);
        let mut model = Model::<f64>::builder(specification).seed(3).device(Device::cpu(2)).build().unwrap();
        let tangent = model.tangent(&x).unwrap();
        let dynamics = Dynamics::new(&tangent.gram(), tangent.predictions(), &y, 1).unwrap();
        let (momentum, steps) = (0.5, 60);
        let learning_rate = 0.5 * dynamics.largest_stable_rate(momentum).unwrap();
        let mut config = SgdConfig::default();
        // Its gradient is that of the mean.
        (config.learning_rate, config.momentum) = (learning_rate * 8.0, momentum);
        let mut sgd = Sgd::new(config).unwrap();
        for _ in 0..steps {
            sgd.step(&mut model, &Batch::new(&x, &y)).unwrap();
        }
        let predicted = dynamics.outputs(Time::Descent { learning_rate, momentum, steps }).unwrap();
        let trained = model.predict(&x).unwrap();
        let difference: Vec<f64> = trained.as_slice().iter().zip(predicted.as_slice()).map(|(a, b)| a - b).collect();
        norm(&difference)
    };
    let errors = [64, 512, 4096].map(error);
    assert!(errors[1] < 0.5 * errors[0] && errors[2] < 0.5 * errors[1], "{errors:?}");
}

#[test]
fn gradient_descent_grows_and_shrinks_as_the_spectral_radius_says() {
    let (model, x, y, _) = problem();
    let gram = model.tangent(&x).unwrap().gram();
    let column = |m: &Matrix<f64>| Matrix::from_vec(m.as_slice().len(), 1, m.as_slice().to_vec()).unwrap();
    let zeros = Matrix::zeros(28, 1);
    let y = column(&y);
    let dynamics = Dynamics::new(&gram, &zeros, &y, 1).unwrap();
    for momentum in [0.0, 0.5, 0.9] {
        for factor in [0.5, 0.99, 1.01, 3.0] {
            let learning_rate = factor * dynamics.largest_stable_rate(momentum).unwrap();
            let radius = dynamics.spectral_radius(learning_rate, momentum).unwrap();
            assert_eq!(radius < 1.0, factor < 1.0, "factor {factor}, momentum {momentum}: {radius}");
            // By products with the kernel, with the norm kept at 1 after every step.
            let (mut before, mut now) = (y.as_slice().to_vec(), y.as_slice().to_vec());
            let mut growth = 0.0;
            let (steps, warm) = (60_000, 40_000);
            for step in 0..steps {
                let image: Vec<f64> = (0..28).map(|i| dot(gram.row(i), &now)).collect();
                let next: Vec<f64> =
                    (0..28).map(|i| now[i] + momentum * (now[i] - before[i]) - learning_rate * image[i]).collect();
                let size = (norm(&next).powi(2) + norm(&now).powi(2)).sqrt();
                if step >= warm {
                    growth += size.ln() / f64::from(steps - warm);
                }
                before = now.iter().map(|v| v / size).collect();
                now = next.iter().map(|v| v / size).collect();
            }
            let measured = growth.exp();
            // Complex roots make the norm swing by up to a fifth, over all steps a relative 1e-5.
            assert!(
                (measured / radius - 1.0).abs() < 0.2 / f64::from(steps - warm),
                "factor {factor}, momentum {momentum}: {measured} for {radius}"
            );
        }
    }
    let settings = |learning_rate, momentum| Time::Descent { learning_rate, momentum, steps: 1 };
    for bad in [settings(0.0, 0.0), settings(1.0, 1.0), settings(f64::NAN, 0.0), Time::Flow(-1.0)] {
        assert!(dynamics.outputs(bad).is_err());
    }
}

#[test]
fn many_steps_at_a_small_rate_are_gradient_flow() {
    let (model, x, y, _) = problem();
    let gram = model.tangent(&x).unwrap().gram();
    let column = Matrix::from_vec(28, 1, y.as_slice().to_vec()).unwrap();
    let dynamics = Dynamics::new(&gram, &Matrix::zeros(28, 1), &column, 1).unwrap();
    let flow = dynamics.outputs(Time::Flow(0.4)).unwrap();
    let error = |steps: u64| {
        let time = Time::Descent { learning_rate: 0.4 / steps as f64, momentum: 0.0, steps };
        let descent = dynamics.outputs(time).unwrap();
        let difference: Vec<f64> = descent.as_slice().iter().zip(flow.as_slice()).map(|(a, b)| a - b).collect();
        norm(&difference)
    };
    let ratio = error(1 << 20) / error(1 << 21);
    assert!((ratio - 2.0).abs() < 0.01, "first order in the rate: {ratio}");
}

/// A kernel, targets, and the kernel of new points.
fn regression_problem() -> (Matrix<f64>, Matrix<f64>, Matrix<f64>, Vec<f64>) {
    let kernel = InfiniteKernel::mlp(2, Activation::Relu, 2.0, 0.1).unwrap();
    let device = Device::cpu(1);
    let (x, new) = (matrix::<f64>(17, 15, 3), matrix::<f64>(18, 4, 3));
    let (points, other) = (kernel.points(&x, &device).unwrap(), kernel.points(&new, &device).unwrap());
    let y = Matrix::from_fn(15, 2, |i, a| (x[(i, 0)] + a as f64).sin() + 0.3 * x[(i, 1)]);
    (points.gram(Which::Ntk), y, other.cross_gram(&points, Which::Ntk).unwrap(), other.diagonal(Which::Ntk))
}

/// (K + κI)⁻¹ b by elimination.
fn solved(kernel: &Matrix<f64>, ridge: f64, b: &[f64]) -> Vec<f64> {
    let shifted = |i: usize| (0..kernel.rows()).map(|j| kernel[(i, j)] + if i == j { ridge } else { 0.0 }).collect();
    eliminate((0..kernel.rows()).map(shifted).collect(), b.to_vec())
}

#[test]
fn mean_and_variance_are_those_of_the_gaussian_process() {
    let (kernel, y, cross, diagonal) = regression_problem();
    let regression = KernelRegression::fit(&kernel, &y, Ridge::Fixed(0.2), 1).unwrap();
    let (mean, variance) = (regression.predict(&cross).unwrap(), regression.variance(&cross, &diagonal).unwrap());
    for a in 0..2 {
        let column: Vec<f64> = (0..15).map(|i| y[(i, a)]).collect();
        let c = solved(&kernel, 0.2, &column);
        for i in 0..4 {
            assert!((mean[(i, a)] - dot(cross.row(i), &c)).abs() < 1e-11);
        }
        // s² = κ yᵀc/n.
        assert!((regression.noise_variance()[a] - 0.2 * dot(&column, &c) / 15.0).abs() < 1e-11);
    }
    for i in 0..4 {
        let want = diagonal[i] - dot(cross.row(i), &solved(&kernel, 0.2, cross.row(i)));
        assert!((variance[i] - want).abs() < 1e-11 && want > 0.0);
    }
    let effective: f64 = (0..15).map(|i| solved(&kernel, 0.2, kernel.row(i))[i]).sum();
    assert!((regression.effective_parameters() - effective).abs() < 1e-10);
}

#[test]
fn leave_one_out_residuals_are_those_of_fits_without_the_sample() {
    let (kernel, y, _, _) = regression_problem();
    let residuals = KernelRegression::fit(&kernel, &y, Ridge::Fixed(0.05), 1).unwrap().leave_one_out();
    for left in 0..15 {
        let others: Vec<usize> = (0..15).filter(|&i| i != left).collect();
        let small = Matrix::from_fn(14, 14, |i, j| kernel[(others[i], others[j])]);
        let regression = KernelRegression::fit(&small, &y.select_rows(&others), Ridge::Fixed(0.05), 1).unwrap();
        let cross = Matrix::from_fn(1, 14, |_, j| kernel[(left, others[j])]);
        let f = regression.predict(&cross).unwrap();
        for a in 0..2 {
            assert!((residuals[(left, a)] - (f[(0, a)] - y[(left, a)])).abs() < 1e-10);
        }
    }
}

#[test]
fn the_chosen_ridge_is_at_the_optimum_of_what_it_is_chosen_by() {
    let (kernel, clean, _, _) = regression_problem();
    let noise = normal::<f64>(19, 30);
    let y = Matrix::from_fn(15, 2, |i, a| clean[(i, a)] + 0.3 * noise[2 * i + a]);
    let squared = |ridge: f64| {
        let r = KernelRegression::fit(&kernel, &y, Ridge::Fixed(ridge), 1).unwrap().leave_one_out();
        dot(r.as_slice(), r.as_slice())
    };
    let chosen = KernelRegression::fit(&kernel, &y, Ridge::LeaveOneOut, 1).unwrap().ridge();
    for other in [0.5, 0.9, 1.1, 2.0] {
        assert!(squared(chosen) <= squared(chosen * other), "leave-one-out at {chosen}");
    }
    // The evidence of N(0, (s²/κ)K + s²I) with s² at its best, by the likelihood of each output's scaled kernel.
    let evidence = |ridge: f64| {
        let fitted = KernelRegression::fit(&kernel, &y, Ridge::Fixed(ridge), 1).unwrap();
        let of = |(a, s2): (usize, f64)| {
            let scaled = Matrix::from_fn(15, 15, |i, j| kernel[(i, j)] * s2 / ridge);
            let column = Matrix::from_fn(15, 1, |i, _| y[(i, a)]);
            KernelRegression::fit(&scaled, &column, Ridge::Fixed(s2), 1).unwrap().log_marginal_likelihood()
        };
        fitted.noise_variance().into_iter().enumerate().map(of).sum::<f64>()
    };
    let chosen = KernelRegression::fit(&kernel, &y, Ridge::Evidence, 1).unwrap().ridge();
    for other in [0.5, 0.9, 1.1, 2.0] {
        assert!(evidence(chosen) >= evidence(chosen * other), "evidence at {chosen}");
    }
}

#[test]
fn duplicates_have_a_least_norm_interpolant_or_the_mean_of_their_targets() {
    let kernel = InfiniteKernel::mlp(1, Activation::Gelu, 1.5, 0.1).unwrap();
    let x = matrix::<f64>(20, 6, 3);
    let doubled = Matrix::from_fn(12, 3, |i, j| x[(i % 6, j)]);
    let points = kernel.points(&doubled, &Device::cpu(1)).unwrap();
    let gram = points.gram(Which::Ntk);
    let y = Matrix::from_fn(12, 1, |i, _| (i % 6) as f64 + if i < 6 { 0.5 } else { -0.5 });
    let regression = KernelRegression::fit(&gram, &y, Ridge::Fixed(0.0), 1).unwrap();
    let f = regression.predict(&gram).unwrap();
    for i in 0..12 {
        assert!((f[(i, 0)] - (i % 6) as f64).abs() < 1e-7, "{}", f[(i, 0)]);
    }
}

#[test]
fn conjugate_gradients_solve_within_any_memory_budget() {
    let kernel = InfiniteKernel::mlp(2, Activation::Relu, 2.0, 0.1).unwrap();
    let x = matrix::<f64>(21, 40, 3);
    let points = kernel.points(&x, &Device::cpu(1)).unwrap();
    let tiles = InfiniteTiles { rows: &points, columns: &points, which: Which::Ntk };
    let y: Vec<f64> = normal(22, 40);
    let want = solved(&points.gram(Which::Ntk), 0.5, &y);
    let settings = ConjugateGradient::to_tolerance(1e-12);
    for budget in [40 * 8, 40 * 8 * 7, 1 << 20] {
        let (c, info) = solve_matrix_free(&tiles, &y, 0.5, budget, settings).unwrap();
        assert!(info.residual <= 1e-12);
        assert_close(&c, &want, 1e-10 / f64::EPSILON, &format!("budget {budget}"));
    }
    assert!(solve_matrix_free(&tiles, &y, 0.5, 100, settings).is_err());
    assert!(solve_matrix_free(&tiles, &y[1..], 0.5, 1 << 20, settings).is_err());
}

#[test]
fn one_hot_regression_separates_classes() {
    // Two rings around one another.
    let x = Matrix::from_fn(60, 2, |i, j| {
        let (radius, angle) = (if i % 2 == 0 { 0.5 } else { 1.5 }, i as f64 * 0.61);
        radius * if j == 0 { angle.cos() } else { angle.sin() }
    });
    let labels: Vec<usize> = (0..60).map(|i| i % 2).collect();
    let kernel = InfiniteKernel::mlp(2, Activation::Relu, 2.0, 0.5).unwrap();
    let points = kernel.points(&x, &Device::cpu(1)).unwrap();
    let gram = points.gram(Which::Ntk);
    let (train, test): (Vec<usize>, Vec<usize>) = (0..60).partition(|i| i % 3 != 0);
    let of = |rows: &[usize], columns: &[usize]| {
        Matrix::from_fn(rows.len(), columns.len(), |i, j| gram[(rows[i], columns[j])])
    };
    let targets: Vec<usize> = train.iter().map(|&i| labels[i]).collect();
    let fitted =
        KernelRegression::fit(&of(&train, &train), &one_hot(&targets, 2).unwrap(), Ridge::LeaveOneOut, 1).unwrap();
    let classes = fitted.classify(&of(&test, &train)).unwrap();
    assert!(classes.iter().zip(&test).all(|(&class, &i)| class == labels[i]));
    assert!(one_hot(&[0, 2], 2).is_err());
}

#[test]
fn sizes_that_do_not_fit_are_refused() {
    let (kernel, y, cross, diagonal) = regression_problem();
    assert!(KernelRegression::fit(&cross, &y, Ridge::Fixed(0.1), 1).is_err());
    assert!(KernelRegression::fit(&kernel, &matrix(1, 3, 1), Ridge::Fixed(0.1), 1).is_err());
    assert!(KernelRegression::fit(&kernel, &y, Ridge::Fixed(-0.1), 1).is_err());
    let fitted = KernelRegression::fit(&kernel, &y, Ridge::Fixed(0.1), 1).unwrap();
    assert!(fitted.predict(&matrix(1, 3, 4)).is_err());
    assert!(fitted.variance(&cross, &diagonal[1..]).is_err());
    assert!(Dynamics::new(&kernel, &y, &matrix(1, 15, 1), 1).is_err());
}

#[test]
fn the_posterior_of_rows_that_contradict_one_another_has_a_limit_for_small_ridges() {
    let kernel = Matrix::from_vec(3, 3, vec![1.0, 1.0, 0.2, 1.0, 1.0, 0.2, 0.2, 0.2, 1.0]).unwrap();
    let y = Matrix::from_vec(3, 1, vec![1.5, -1.5, 0.5]).unwrap();
    let deviation = |ridge: f64| {
        let fitted = KernelRegression::fit(&kernel, &y, Ridge::Fixed(ridge), 1).unwrap();
        let variance = fitted.variance(&kernel, &[1.0; 3]).unwrap()[0];
        (fitted.prior_variance()[0] * variance).sqrt()
    };
    // q²/2n for the part q of y that K has none of, (1.5 + 1.5)/√2.
    let expected = (4.5_f64 / 6.0).sqrt();
    for ridge in [1e-6, 1e-9, 1e-12, 1e-16, 1e-20, 1e-100, f64::MIN_POSITIVE] {
        let found = deviation(ridge);
        assert!((found / expected - 1.0).abs() < 0.5, "{ridge:e}: {found}, expected {expected}");
    }
}

#[test]
fn a_covariance_has_the_variances_on_its_diagonal_also_where_they_are_rounding() {
    let (kernel, y, cross, diagonal) = regression_problem();
    let at_rows: Vec<f64> = (0..15).map(|i| kernel[(i, i)]).collect();
    let new = Matrix::from_fn(4, 4, |i, j| if i == j { diagonal[i] } else { 0.0 });
    for ridge in [0.0, 1e-18, 0.2] {
        let regression = KernelRegression::fit(&kernel, &y, Ridge::Fixed(ridge), 1).unwrap();
        for (cross, gram, own) in [(&kernel, &kernel, &at_rows), (&cross, &new, &diagonal)] {
            let (covariance, variance) =
                (regression.covariance(cross, gram.clone()).unwrap(), regression.variance(cross, own).unwrap());
            for (i, variance) in variance.into_iter().enumerate() {
                let found = covariance[(i, i)];
                assert!(found >= 0.0 && (found - variance).abs() < 1e-12, "{ridge} {i}: {found} for {variance}");
            }
        }
    }
    let x = Matrix::from_fn(40, 1, |i, _| i as f64);
    let y = Matrix::from_fn(40, 1, |i, _| (i as f64).sin());
    let kernel = ScaledKernel::new(ScaledKind::Matern52, vec![2.0], Vec::new(), 0.0).unwrap();
    let regression = ScaledRegression::fit(kernel, 1e-18, x.clone(), &y, None, 1).unwrap();
    let (covariance, variance) = (regression.covariance(&x).unwrap(), regression.variance(&x).unwrap());
    for (i, variance) in variance.into_iter().enumerate() {
        let found = covariance[(i, i)];
        assert!(found >= 0.0 && (found - variance).abs() < 1e-13, "{i}: {found} for {variance}");
    }
}

#[test]
fn what_leaves_the_finite_numbers_is_an_error_of_linearised_networks_too() {
    let model = Model::<f32>::mlp(&[2, 8, 1], Activation::Softplus).seed(1).device(Device::cpu(1)).build().unwrap();
    let x = matrix::<f32>(1, 3, 2);
    let mut far = LinearisedModel::new(model.clone());
    far.set_displacement(vec![f32::MAX; model.parameter_count()]).unwrap();
    assert!(matches!(far.predict(&x), Err(Error::NonFinite { .. })));
    let huge = Matrix::from_fn(3, 2, |i, j| x[(i, j)] * f32::MAX * 2.0);
    assert!(matches!(model.predict_tangent(&huge, &model.theta()), Err(Error::NonFinite { .. })));
    assert!(model.predict_tangent(&x, &model.theta()).is_ok());
}

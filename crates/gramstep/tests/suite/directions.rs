//! Directions without a model: those that the optimiser takes.

use gramstep::loss::{AbsoluteLoss, CrossEntropyLoss, LinearisedLoss, Loss, SquaredLoss};
use gramstep::optim::{Batch, Damping, GramGaussNewton, GramGaussNewtonConfig, GramSystem, Optimizer};
use gramstep::solve::Solver;
use gramstep::{Activation, Device, Error, Matrix, Model};

use super::cases::{assert_close, matrix, norm};

const SAMPLES: usize = 7;

fn model() -> Model<f64> {
    Model::mlp(&[3, 9, 2], Activation::Tanh).seed(4).device(Device::cpu(2)).build().unwrap()
}

/// One-hot, so that both losses take them.
fn targets() -> Matrix<f64> {
    Matrix::from_fn(SAMPLES, 2, |i, a| f64::from(u8::from(i % 2 == a)))
}

fn system(loss: &dyn Loss, config: &GramGaussNewtonConfig) -> GramSystem<f64> {
    let features = model().tangent(&matrix(1, SAMPLES, 3)).unwrap();
    let linear = LinearisedLoss::new(loss, features.predictions(), &targets(), None);
    GramSystem::new(features, linear, config).unwrap()
}

#[test]
fn the_direction_of_features_alone_is_that_of_a_step() {
    let losses: [&dyn Loss; 2] = [&SquaredLoss, &CrossEntropyLoss];
    for (loss, solver) in losses
        .into_iter()
        .flat_map(|loss| [Solver::Dual, Solver::Primal, Solver::ConjugateGradient].map(|solver| (loss, solver)))
    {
        for ridge in [0.0, 0.3] {
            let damping = 0.2;
            let mut config = GramGaussNewtonConfig::default()
                .with_damping(Damping::Absolute(damping))
                .with_ridge(ridge)
                .with_max_output_change(f64::INFINITY);
            config.solver = Some(solver);
            let (mut stepped, x, y) = (model(), matrix(1, SAMPLES, 3), targets());
            let start = stepped.theta();
            let batch = Batch::new(&x, &y).with_loss(loss);
            GramGaussNewton::new(config).unwrap().step(&mut stepped, &batch).unwrap();
            let total = damping + ridge;
            let anchor: Vec<f64> = start.iter().map(|theta| ridge / total * theta).collect();
            let anchor = (ridge > 0.0).then_some(anchor.as_slice());
            let (direction, solve) = system(loss, &config).direction(total, anchor).unwrap();
            assert_eq!(solve.solver, solver);
            let taken: Vec<f64> = start.iter().zip(stepped.theta()).map(|(start, end)| start - end).collect();
            assert_close(&taken, &direction, 1e5, &format!("{}, {solver}, ridge {ridge}", loss.name()));
        }
    }
}

#[test]
fn one_system_serves_all_dampings_and_refuses_what_does_not_fit() {
    let system = system(&SquaredLoss, &GramGaussNewtonConfig::default());
    let length = |damping: f64| {
        let (direction, solve) = system.direction(damping * system.mean_diagonal(), None).unwrap();
        assert!(solve.residual < 1e-8);
        direction.iter().map(|phi| phi * phi).sum::<f64>().sqrt()
    };
    assert!(length(1e-6) > length(1e-2) && length(1e-2) > length(1.0));
    assert!(matches!(system.direction(-1.0, None), Err(Error::Setting { .. })));
    assert!(matches!(system.direction(1.0, Some(&[0.0])), Err(Error::Shape { .. })));
    let features = model().tangent(&matrix(1, SAMPLES, 3)).unwrap();
    let other = LinearisedLoss::new(&SquaredLoss, &matrix(1, 3, 2), &matrix(2, 3, 2), None);
    let config = GramGaussNewtonConfig::default();
    assert!(matches!(GramSystem::new(features.clone(), other, &config), Err(Error::Shape { .. })));
    let mut small = config;
    (small.memory_budget, small.solver) = (1, Some(Solver::Dual));
    let linear = LinearisedLoss::new(&SquaredLoss, features.predictions(), &targets(), None);
    assert!(matches!(GramSystem::new(features, linear, &small), Err(Error::Memory { .. })));
}

#[test]
fn frozen_parameters_do_not_move_whoever_solves() {
    let mut model = model();
    let name = model.spans()[0].name.clone();
    let frozen = model.spans()[0].len();
    model.set_span_weight(&name, 0.0).unwrap();
    for solver in [Solver::Dual, Solver::Primal] {
        let features = model.tangent(&matrix(1, SAMPLES, 3)).unwrap();
        let linear = LinearisedLoss::new(&SquaredLoss, features.predictions(), &targets(), None);
        let mut config = GramGaussNewtonConfig::default();
        config.solver = Some(solver);
        let (direction, _) = GramSystem::new(features, linear, &config).unwrap().direction(0.1, None).unwrap();
        assert!(direction[..frozen].iter().all(|&phi| phi == 0.0) && direction[frozen..].iter().any(|&phi| phi != 0.0));
    }
}

#[test]
fn a_damping_is_seen_to_be_below_the_noise_of_products_in_the_units_of_the_system() {
    // Curvatures of 50 make a damping small that is not small beside G itself.
    const SAMPLES: usize = 64;
    let x = Matrix::from_fn(SAMPLES, 1, |i, _| i as f32 / 32.0 - 1.0);
    let model = Model::<f32>::mlp(&[1, 64, 1], Activation::Tanh).seed(2).build().unwrap();
    let features = model.tangent(&x).unwrap();
    let f: Matrix<f64> = features.predictions().cast();
    let y = Matrix::from_fn(SAMPLES, 1, |i, _| f[(i, 0)] + if i % 3 == 0 { 1e-3 } else { -1e-3 });
    let linear = LinearisedLoss::new(&AbsoluteLoss, &f, &y, None);
    let mean = features.diagonal().iter().map(|&g| f64::from(g)).sum::<f64>() / SAMPLES as f64;
    let lambda = 2e-5 * mean;
    let exact = GramSystem::new(features.cast::<f64>(), linear.clone(), &GramGaussNewtonConfig::default()).unwrap();
    let (exact, _) = exact.direction(lambda, None).unwrap();
    let error = |damping: Damping| {
        let settings = GramGaussNewtonConfig::default().with_damping(damping);
        let system = GramSystem::new(features.clone(), linear.clone(), &settings).unwrap();
        let (direction, _) = system.direction(lambda, None).unwrap();
        let apart: Vec<f64> = direction.iter().zip(&exact).map(|(&a, b)| f64::from(a) - b).collect();
        norm(&apart) / norm(&exact)
    };
    let (seen, unseen) = (error(Damping::Absolute(lambda)), error(Damping::Relative(1.0)));
    assert!(seen < 1e-2, "{seen}");
    assert!(unseen > 0.1, "of products in single precision, for which such a system asks: {unseen}");
}

//! Momentum that a search carries, and that a schedule moves.

use gramstep::loss::{CrossEntropyLoss, Loss, SquaredLoss};
use gramstep::optim::{
    Adam, AdamConfig, AdaptiveDamping, Batch, Damping, Factors, GramGaussNewton, GramGaussNewtonConfig, Optimizer, Rows,
};
use gramstep::{Activation, Matrix, Model};

use super::cases::{INPUTS, assert_close, eliminate, matrix};

const SAMPLES: usize = 20;

fn adaptive(damping: AdaptiveDamping, momentum: f64) -> GramGaussNewtonConfig {
    GramGaussNewtonConfig::default().with_damping(Damping::Adaptive(damping)).with_momentum(momentum)
}

#[test]
fn a_search_with_momentum_ends_in_a_step_that_is_taken() {
    let classes = Matrix::from_fn(SAMPLES, 3, |i, a| f64::from(u8::from(a == i % 3)));
    let problems: [(&dyn Loss, Rows, Matrix<f64>); 3] = [
        (&SquaredLoss, Rows::Exact, matrix(2, SAMPLES, 1)),
        (&CrossEntropyLoss, Rows::Exact, classes.clone()),
        (&CrossEntropyLoss, Rows::One, classes),
    ];
    for (loss, rows, y) in problems {
        for momentum in [0.5, 0.9, 0.99] {
            for ridge in [0.0, 1e-2] {
                let mut model =
                    Model::<f64>::mlp(&[INPUTS, 30, y.columns()], Activation::Tanh).seed(5).build().unwrap();
                let x = matrix(1, SAMPLES, INPUTS);
                let batch = Batch::new(&x, &y).with_loss(loss);
                let config = adaptive(AdaptiveDamping::default(), momentum).with_ridge(ridge).with_rows(rows);
                let mut optimizer = GramGaussNewton::new(config).unwrap();
                let first = batch.loss(&model).unwrap();
                let what = format!("{}, {rows:?}, μ = {momentum}, κ = {ridge}", loss.name());
                for step in 0..60 {
                    let info = optimizer.step(&mut model, &batch).unwrap();
                    // Below that the loss is rounding.
                    assert!(info.accepted || info.loss < 1e-13 * first, "{what}, step {step}: {info:?}");
                }
                let last = batch.loss(&model).unwrap();
                assert!(last < 0.2 * first, "{what}: {first} → {last}");
            }
        }
    }
}

#[test]
fn a_momentum_that_leads_uphill_is_forgotten_by_the_search() {
    let (x, y) = (matrix(1, SAMPLES, INPUTS), matrix::<f64>(2, SAMPLES, 1));
    let batch = Batch::new(&x, &y);
    let model = Model::<f64>::mlp(&[INPUTS, 30, 1], Activation::Tanh).seed(5).build().unwrap();
    for ridge in [0.0, 1e-2] {
        let config = adaptive(AdaptiveDamping::default(), 0.9).with_ridge(ridge);
        let mut optimizer = GramGaussNewton::new(config).unwrap();
        let mut state = optimizer.state();
        // So far up the gradient that no damping makes a descent of it.
        let tangent = model.tangent(&x).unwrap();
        let residual: Vec<f64> =
            tangent.predictions().as_slice().iter().zip(y.as_slice()).map(|(f, y)| f - y).collect();
        let gradient = tangent.vjp(&residual).unwrap();
        state.vectors.push(("momentum".to_owned(), gradient.iter().map(|g| -100.0 * g).collect()));
        optimizer.restore(state).unwrap();
        let mut moved = model.clone();
        let info = optimizer.step(&mut moved, &batch).unwrap();
        assert!(info.accepted && info.damping.unwrap() < 100.0, "{info:?}");
        assert!(batch.loss(&moved).unwrap() < batch.loss(&model).unwrap());
    }
}

#[test]
fn a_search_that_is_given_up_forgets_momentum_and_lengths_need_no_correction() {
    let mut damping = AdaptiveDamping::starting_at(1e-6);
    damping.ceiling = 1e-6;
    let (x, y) = (matrix(2, SAMPLES, INPUTS), matrix(3, SAMPLES, 1));
    let batch = Batch::new(&x, &y);
    let mut model = Model::<f64>::mlp(&[INPUTS, 8, 1], Activation::Tanh).seed(1).build().unwrap();
    let mut gentle = GramGaussNewton::new(adaptive(damping, 0.9).with_learning_rate(1e-3)).unwrap();
    let info = gentle.step(&mut model, &batch).unwrap();
    assert!(info.accepted && info.learning_rate == 1e-3, "{info:?}");
    let state = gentle.state();
    assert_eq!((state.vectors.len(), state.numbers[1].clone()), (1, ("start".to_owned(), 0.9)));
    let mut bold = GramGaussNewton::new(adaptive(damping, 0.9).with_learning_rate(1e3)).unwrap();
    bold.restore(state).unwrap();
    assert!(!bold.step(&mut model, &batch).unwrap().accepted);
    assert!(bold.state().vectors.is_empty());
}

/// What a schedule does to a momentum of 0.9, and what is left of the start after each step.
const FORGETTING: [f64; 4] = [1.0, 1.0, 0.05, 0.02];

fn momenta() -> [(f64, f64); 4] {
    let mut start = 1.0;
    FORGETTING.map(|forgetting| {
        let momentum = 1.0 - 0.1 * forgetting;
        start *= momentum;
        (momentum, start)
    })
}

#[test]
fn corrections_for_the_start_know_every_momentum_that_there_was() {
    let fresh = Model::<f64>::mlp(&[INPUTS, 6, 2], Activation::Tanh).seed(3).build().unwrap();
    let (x, y) = (matrix(4, 7, INPUTS), matrix(5, 7, 2));
    let batch = Batch::new(&x, &y);
    let residual = |model: &Model<f64>| -> Vec<f64> {
        model.predict(&x).unwrap().as_slice().iter().zip(y.as_slice()).map(|(f, y)| f - y).collect()
    };
    let factors = |at: usize| Factors { forgetting: FORGETTING[at], ..Factors::default() };
    let (mut model, mut adam) = (fresh.clone(), Adam::new(AdamConfig::default()).unwrap());
    let mut m = vec![0.0; fresh.parameter_count()];
    let mut v = m.clone();
    for (at, (beta, start)) in momenta().into_iter().enumerate() {
        let r: Vec<f64> = residual(&model).iter().map(|r| r / 7.0).collect();
        let g = model.tangent(&x).unwrap().vjp(&r).unwrap();
        let mut theta = model.theta();
        for q in 0..g.len() {
            m[q] = beta * m[q] + (1.0 - beta) * g[q];
            v[q] = 0.999 * v[q] + 0.001 * g[q] * g[q];
            let square: f64 = v[q] / (1.0 - 0.999_f64.powi(i32::try_from(at).unwrap() + 1));
            theta[q] -= 1e-3 * (m[q] / (1.0 - start)) / (square.sqrt() + 1e-8);
        }
        // Also of a copy that goes on from a saved state.
        let state = adam.state();
        adam = Adam::new(AdamConfig::default()).unwrap();
        adam.restore(state).unwrap();
        adam.set_factors(factors(at));
        adam.step(&mut model, &batch).unwrap();
        assert_close(&model.theta(), &theta, 1e-12 / f64::EPSILON, &format!("adam, step {at}"));
    }
    let (lambda, eta) = (0.3, 0.2);
    let config = GramGaussNewtonConfig::default().with_damping(Damping::Absolute(lambda)).with_learning_rate(eta);
    let (mut model, mut optimizer) = (fresh, GramGaussNewton::new(config.with_momentum(0.9)).unwrap());
    let mut phi = vec![0.0; model.parameter_count()];
    for (at, (mu, start)) in momenta().into_iter().enumerate() {
        let tangent = model.tangent(&x).unwrap();
        let (gram, carried) = (tangent.gram(), tangent.jvp(&phi).unwrap());
        let rhs: Vec<f64> = residual(&model).iter().zip(&carried).map(|(r, carried)| r - mu * carried).collect();
        let entry = |i: usize, j: usize| gram[(i, j)] + if i == j { lambda } else { 0.0 };
        let system = (0..rhs.len()).map(|i| (0..rhs.len()).map(|j| entry(i, j)).collect()).collect();
        let pulled = tangent.vjp(&eliminate(system, rhs)).unwrap();
        phi.iter_mut().zip(pulled).for_each(|(phi, pulled)| *phi = mu * *phi + pulled);
        let length = eta / (1.0 - start * start).sqrt();
        let expected: Vec<f64> = model.theta().iter().zip(&phi).map(|(theta, phi)| theta - length * phi).collect();
        let state = optimizer.state();
        optimizer = GramGaussNewton::new(config.with_momentum(0.9)).unwrap();
        optimizer.restore(state).unwrap();
        optimizer.set_factors(factors(at));
        optimizer.step(&mut model, &batch).unwrap();
        assert_close(&model.theta(), &expected, 1e-11 / f64::EPSILON, &format!("SPRING, step {at}"));
    }
}

#[test]
fn states_without_the_product_of_momenta_have_that_of_the_setting() {
    let (x, y) = (matrix(4, 7, INPUTS), matrix(5, 7, 2));
    let batch = Batch::new(&x, &y);
    let start = Model::<f64>::mlp(&[INPUTS, 6, 2], Activation::Tanh).seed(3).build().unwrap();
    let goes_on = |make: &dyn Fn() -> Box<dyn Optimizer<f64>>, counts: &[(&str, u64)]| {
        let (mut model, mut optimizer) = (start.clone(), make());
        for _ in 0..3 {
            optimizer.step(&mut model, &batch).unwrap();
        }
        let (mut copy, mut other, mut state) = (model.clone(), make(), optimizer.state());
        state.numbers.retain(|(name, _)| name != "start");
        state.counts = counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        other.restore(state).unwrap();
        optimizer.step(&mut model, &batch).unwrap();
        other.step(&mut copy, &batch).unwrap();
        assert_close(&copy.theta(), &model.theta(), 100.0, optimizer.name());
    };
    let spring = GramGaussNewtonConfig::default().with_momentum(0.9).with_learning_rate(0.1);
    goes_on(&|| Box::new(Adam::new(AdamConfig::default()).unwrap()), &[]);
    goes_on(&|| Box::new(GramGaussNewton::new(spring).unwrap()), &[("updates", 3)]);
    goes_on(&|| Box::new(GramGaussNewton::new(spring).unwrap()), &[]);
}

//! Steps on networks of convolutions, whose walks write gradients out: against products with all of J.

use gramstep::model::{ConvolutionSpecification, DenseSpecification, LayerSpecification, Shape};
use gramstep::optim::{Batch, Damping, GramGaussNewton, GramGaussNewtonConfig, Optimizer, Sgd, SgdConfig};
use gramstep::solve::Solver;
use gramstep::{Activation, Device, Matrix, Model, Scalar, Specification};

use super::cases::{assert_close, matrix};

const IMAGE: Shape = Shape::Image { height: 32, width: 32, channels: 3, side: 0 };

/// Convolutions with biases at stride 1 and 2, one of which the fast form takes, and a residual block between them.
fn model<T: Scalar>(threads: usize) -> Model<T> {
    model_on(Device::cpu(threads))
}

fn model_on<T: Scalar>(device: Device) -> Model<T> {
    let convolution =
        |stride: usize| LayerSpecification::Convolution(ConvolutionSpecification::new(16, 3).with_stride(stride));
    let relu = || LayerSpecification::Activation(Activation::Relu);
    let residual = LayerSpecification::Residual {
        layers: vec![
            LayerSpecification::ScalarBias,
            convolution(1),
            relu(),
            convolution(1),
            LayerSpecification::ScalarScale,
        ],
        shortcut: gramstep::model::Shortcut::Identity,
    };
    let body = [convolution(1), relu(), residual, relu(), convolution(2), relu()];
    let head = [LayerSpecification::GlobalAveragePool, LayerSpecification::Dense(DenseSpecification::new(1))];
    let specification = Specification::new(IMAGE, body.into_iter().chain(head).collect());
    Model::builder(specification).seed(3).device(device).build().unwrap()
}

/// More samples than fit into one tile.
fn data<T: Scalar>() -> (Matrix<T>, Matrix<T>) {
    let wave = |i: usize, j: usize| T::from_f64(((i * 31 + j) as f64 * 12.9898).sin());
    (Matrix::from_fn(70, IMAGE.len(), wave), Matrix::from_fn(70, 1, wave))
}

fn step<T: Scalar>(model: &mut Model<T>, optimizer: &mut dyn Optimizer<T>) -> Vec<T> {
    let (x, y) = data();
    let before = model.theta();
    optimizer.step(model, &Batch::new(&x, &y)).unwrap();
    model.theta().iter().zip(before).map(|(&after, before)| after - before).collect()
}

fn sgd<T: Scalar>() -> Sgd<T> {
    let mut config = SgdConfig::default();
    (config.learning_rate, config.momentum) = (1.0, 0.0);
    Sgd::new(config).unwrap()
}

#[test]
fn a_gradient_summed_in_the_walk_is_the_sum_of_all_rows_of_j() {
    for frozen in [None, Some("layers.0.weight"), Some("layers.4.bias")] {
        let mut model = model::<f64>(1);
        if let Some(name) = frozen {
            model.set_span_weight(name, 0.0).unwrap();
        }
        let (x, y) = data();
        let tangent = model.tangent(&x).unwrap();
        let residual = |i: usize| (tangent.predictions()[(i, 0)] - y[(i, 0)]) / x.rows() as f64;
        let expected = tangent.vjp(&(0..x.rows()).map(residual).collect::<Vec<_>>()).unwrap();
        let moved = step(&mut model, &mut sgd());
        let length = expected.iter().map(|g| g * g).sum::<f64>().sqrt();
        for (at, (moved, g)) in moved.iter().zip(expected).enumerate() {
            assert!((moved + g).abs() < 1e-13 * length, "{frozen:?}, parameter {at}: {moved} for {}", -g);
        }
    }
}

#[test]
fn steps_are_the_same_bits_for_any_number_of_threads() {
    let steps = |threads: usize| {
        let damped = GramGaussNewtonConfig::default().with_damping(Damping::Relative(0.1));
        let mut gauss_newton = GramGaussNewton::new(damped).unwrap();
        [step(&mut model::<f32>(threads), &mut sgd()), step(&mut model::<f32>(threads), &mut gauss_newton)]
    };
    let alone = steps(1);
    for threads in [2, 3] {
        for (optimizer, (a, b)) in ["sgd", "gram-gauss-newton"].iter().zip(alone.iter().zip(steps(threads))) {
            let apart = a.iter().zip(b).filter(|(a, b)| a.to_bits() != b.to_bits()).count();
            assert_eq!(apart, 0, "{optimizer} on {threads} threads");
        }
    }
}

#[test]
fn gradients_that_the_walk_keeps_are_those_that_are_made_afterwards() {
    let step = |budget: usize| {
        let mut config = GramGaussNewtonConfig::default().with_damping(Damping::Relative(0.1));
        config.memory_budget = budget;
        step(&mut model::<f64>(1), &mut GramGaussNewton::new(config).unwrap())
    };
    // Room for all, for some and for nothing but the system.
    let (all, some, none) = (step(1 << 30), step(70 * 16 * 9 * 16 * 2 * 8), step(70 * 70 * 16));
    let length = all.iter().map(|v| v * v).sum::<f64>().sqrt();
    for (at, (all, (some, none))) in all.iter().zip(some.iter().zip(none)).enumerate() {
        assert!((all - some).abs().max((all - none).abs()) < 1e-11 * length, "parameter {at}: {all}, {some}, {none}");
    }
}

#[test]
fn twenty_losses_of_a_training_are_those_of_direct_convolutions() {
    let (x, y) = data::<f32>();
    let losses = |device: Device, optimizer: &mut dyn Optimizer<f32>| -> Vec<f64> {
        let mut model = model_on::<f32>(device);
        let batch = Batch::new(&x, &y);
        (0..20).map(|_| optimizer.step(&mut model, &batch).unwrap().loss).collect()
    };
    let carried = GramGaussNewtonConfig::default().with_damping(Damping::Relative(0.1)).with_momentum(0.95);
    let gauss_newton = || GramGaussNewton::new(carried.with_learning_rate(0.1)).unwrap();
    let (fast, direct) = (Device::cpu(1), Device::cpu(1).with_direct_convolutions());
    let of_gram = [&fast, &direct].map(|device| losses(device.clone(), &mut gauss_newton()));
    let mut config = SgdConfig::default();
    (config.learning_rate, config.momentum) = (0.01, 0.9);
    let of_sgd = [&fast, &direct].map(|device| losses(device.clone(), &mut Sgd::new(config).unwrap()));
    for [fast, direct] in [of_gram, of_sgd] {
        assert!(fast != direct, "other roundings");
        assert!(direct[19] < 0.9 * direct[0], "it learns: {direct:?}");
        for (step, (fast, direct)) in fast.iter().zip(&direct).enumerate() {
            assert!((fast / direct - 1.0).abs() < 1e-3, "step {step}: {fast}, {direct}");
        }
    }
}

#[test]
fn the_primal_system_is_the_same_from_several_blocks_of_rows() {
    let image = Shape::Image { height: 4, width: 3, channels: 1, side: 0 };
    let model = Model::<f64>::builder(Specification::cnn(image, &[2], Activation::Tanh, 2)).seed(1).build().unwrap();
    // Twice as many rows as have 1 MiB of J.
    let samples = (1 << 20) / (8 * model.parameter_count());
    let (x, y) = (matrix(1, samples, 12), matrix(2, samples, 2));
    let step = |solver| {
        let mut moved = model.clone();
        let mut config = GramGaussNewtonConfig::default().with_damping(Damping::Absolute(1.0));
        config.solver = Some(solver);
        GramGaussNewton::new(config).unwrap().step(&mut moved, &Batch::new(&x, &y)).unwrap();
        moved.theta()
    };
    assert_close(&step(Solver::Primal), &step(Solver::ConjugateGradient), 1e6, "through products alone");
}

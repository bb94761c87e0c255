//! Twenty steps on several processes against twenty of one, for a network of dense layers and for ResNet-32.

mod mpirun;

use std::process::ExitCode;

use gramstep::communicator::{Communicator, Serial, share};
use gramstep::model::Shape;
use gramstep::optim::{Batch, Damping, GramGaussNewton, GramGaussNewtonConfig, Optimizer};
use gramstep::{Activation, Device, Matrix, Model, Scalar, Specification};
use gramstep_mpi::World;

const STEPS: usize = 20;
const SAMPLES: usize = 14;

/// Losses of all steps and the parameters at the end.
fn train<T: Scalar>(specification: &Specification, communicator: &dyn Communicator) -> (Vec<f64>, Vec<f64>) {
    let inputs = specification.input.len();
    let value = |i: usize, j: usize| T::from_f64(((i * 31 + j * 17) as f64).sin());
    let own = share(SAMPLES, communicator.rank(), communicator.size());
    let x = Matrix::from_fn(own.len(), inputs, |i, j| value(own.start + i, j));
    let y = Matrix::from_fn(own.len(), 1, |i, _| value(own.start + i, 3));
    let mut model = Model::<T>::builder(specification.clone()).seed(1).device(Device::cpu(1)).build().unwrap();
    let config = GramGaussNewtonConfig::default().with_damping(Damping::Relative(0.1)).with_learning_rate(0.5);
    let mut optimizer = GramGaussNewton::new(config).unwrap();
    let batch = Batch::new(&x, &y).with_communicator(communicator);
    let losses = (0..STEPS).map(|_| optimizer.step(&mut model, &batch).unwrap().loss).collect();
    (losses, model.theta().iter().map(|value| value.to_f64()).collect())
}

fn compare<T: Scalar>(world: &World, name: &str, specification: &Specification, allowed: f64) {
    let (losses, theta) = train::<T>(specification, world);
    let (expected, alone) = train::<T>(specification, &Serial);
    let off = losses.iter().zip(&expected).map(|(a, b)| (a - b).abs() / b.abs()).fold(0.0, f64::max);
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    let moved = norm(&mut theta.iter().zip(&alone).map(|(a, b)| a - b)) / norm(&mut alone.iter().copied());
    if world.rank() == 0 {
        println!("{name} {} on {} processes: losses within {off:.1e}, θ within {moved:.1e}", T::NAME, world.size());
    }
    assert!(losses[STEPS - 1] < 0.5 * losses[0], "{losses:?}");
    assert!(off <= allowed && moved <= allowed, "{name} on process {}: {off:e}, {moved:e}", world.rank());
}

fn main() -> ExitCode {
    if gramstep_mpi::started().is_none() {
        return mpirun::on(&[2]);
    }
    let world = World::join().unwrap();
    let mlp = Specification::mlp(&[20, 64, 64, 1], Activation::Relu);
    let image = Shape::Image { height: 12, width: 12, channels: 3, side: 0 };
    let resnet32 = Specification::fixup_resnet(image, 5, 16, 1);
    for (name, specification) in [("mlp", &mlp), ("resnet32", &resnet32)] {
        compare::<f64>(&world, name, specification, 1e-9);
        compare::<f32>(&world, name, specification, 1e-3);
    }
    ExitCode::SUCCESS
}

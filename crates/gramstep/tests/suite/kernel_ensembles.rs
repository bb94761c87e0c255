//! Infinitely many networks trained for a time: neural-tangents, and networks that are wide and trained.

use gramstep::kernel::{Dynamics, EnsembleStart, InfiniteKernel, Kernels, Time};
use gramstep::loss::SquaredLoss;
use gramstep::model::Parameterization;
use gramstep::optim::{Batch, Optimizer, Sgd, SgdConfig};
use gramstep::{Activation, Device, Matrix, Model, Specification};
use serde_json::Value;

struct Known {
    train: Kernels<f64>,
    cross: Kernels<f64>,
    new: Kernels<f64>,
}

fn known(kernel: &InfiniteKernel, x: &Matrix<f64>, z: &Matrix<f64>) -> Known {
    let device = Device::cpu(1);
    let (x, z) = (kernel.points(x, &device).unwrap(), kernel.points(z, &device).unwrap());
    Known { train: x.kernels(), cross: z.cross_kernels(&x).unwrap(), new: z.kernels() }
}

/// Mean and covariance at new points; Θ is the tangent kernel, or K where only the last layer is trained.
fn ensemble(known: &Known, y: &Matrix<f64>, tangent: bool, time: Time) -> (Matrix<f64>, Matrix<f64>) {
    let Known { train, cross, new } = known;
    let theta = |kernels: &Kernels<f64>| if tangent { kernels.ntk.clone() } else { kernels.nngp.clone() };
    let start = Matrix::zeros(y.rows(), y.columns());
    let dynamics = Dynamics::new(&theta(train), &start, y, 1).unwrap();
    let prior = EnsembleStart::new(&train.nngp, &cross.nngp, &new.nngp);
    let zeros = Matrix::zeros(new.nngp.rows(), y.columns());
    let mean = dynamics.predict(&theta(cross), &zeros, time).unwrap();
    (mean, dynamics.ensemble_covariance(&theta(cross), &prior, time).unwrap())
}

#[test]
fn ensembles_at_a_time_are_those_of_neural_tangents() {
    let reference: Value = serde_json::from_str(include_str!("../reference/neural_tangents_ensembles.json")).unwrap();
    let number = |name: &str| reference[name].as_f64().unwrap();
    let (weight, bias) = (number("weight_variance"), number("bias_variance"));
    let kernel = InfiniteKernel::mlp(2, Activation::Erf, weight, bias).unwrap();
    let points = |first: usize, count: usize| {
        Matrix::from_fn(count, 4, |i, j| 1.5 * (78.233 * ((first + i) * 4 + j + 1) as f64).sin())
    };
    let known = known(&kernel, &points(0, 6), &points(6, 3));
    let y = Matrix::from_fn(6, 2, |i, a| (3.0 * i as f64 + a as f64).cos());
    let ensembles = reference["ensembles"].as_array().unwrap();
    assert_eq!(ensembles.len(), 8);
    for want in ensembles {
        let time = want["time"].as_f64().map_or(Time::Infinite, Time::Flow);
        let (mean, covariance) = ensemble(&known, &y, want["get"] == "ntk", time);
        for (name, got) in [("mean", mean), ("covariance", covariance)] {
            for i in 0..got.rows() {
                for j in 0..got.columns() {
                    let want = want[name][i][j].as_f64().unwrap();
                    assert!((got[(i, j)] - want).abs() <= 1e-10, "{time:?} {name}: {} for {want}", got[(i, j)]);
                }
            }
        }
    }
}

/// Two hundred networks of width 512, each trained by gradient descent from a start of its own: their outputs at new points
/// have mean and covariance of the limit within what so few tell.
#[test]
fn wide_networks_that_are_trained_have_mean_and_covariance_of_the_limit() {
    let (networks, width, steps) = (200_u32, 512, 25);
    let (weight_variance, bias_variance) = (1.5, 0.1);
    let x = Matrix::from_vec(4, 1, vec![0.8, -0.5, 0.1, 1.6]).unwrap();
    let z = Matrix::from_vec(2, 1, vec![0.4, -1.2]).unwrap();
    let y = Matrix::from_vec(4, 1, vec![1.0, -0.5, 0.3, 0.2]).unwrap();
    let kernel = InfiniteKernel::mlp(1, Activation::Erf, weight_variance, bias_variance).unwrap();
    let known = known(&kernel, &x, &z);
    let learning_rate = 0.1;
    let mut config = SgdConfig::default();
    // Its loss is the mean over four points, that of the dynamics the sum.
    (config.learning_rate, config.momentum) = (4.0 * learning_rate, 0.0);
    let outputs: Vec<[f64; 2]> = (0..networks)
        .map(|seed| {
            let specification = Specification::mlp(&[1, width, 1], Activation::Erf)
                .with_parameterization(Parameterization::Ntk { weight_variance, bias_variance });
            let builder = Model::<f64>::builder(specification).seed(u64::from(seed));
            let mut model = builder.device(Device::cpu(1)).build().unwrap();
            let mut sgd = Sgd::new(config).unwrap();
            for _ in 0..steps {
                sgd.step(&mut model, &Batch::new(&x, &y).with_loss(&SquaredLoss)).unwrap();
            }
            let f = model.predict(&z).unwrap();
            [f[(0, 0)], f[(1, 0)]]
        })
        .collect();
    let (mean, covariance) = ensemble(&known, &y, true, Time::Descent { learning_rate, momentum: 0.0, steps });
    let count = f64::from(networks);
    let found: Vec<f64> = (0..2).map(|a| outputs.iter().map(|f| f[a]).sum::<f64>() / count).collect();
    for a in 0..2 {
        let error = (covariance[(a, a)] / count).sqrt();
        assert!(
            (found[a] - mean[(a, 0)]).abs() <= 3.5 * error,
            "mean {a}: {} for {} ± {error}",
            found[a],
            mean[(a, 0)]
        );
        for b in 0..=a {
            let products = outputs.iter().map(|f| (f[a] - found[a]) * (f[b] - found[b]));
            let got = products.sum::<f64>() / (count - 1.0);
            let square = covariance[(a, a)] * covariance[(b, b)] + covariance[(a, b)].powi(2);
            let error = (square / count).sqrt();
            let want = covariance[(a, b)];
            assert!((got - want).abs() <= 3.5 * error, "covariance {a} {b}: {got} for {want} ± {error}");
        }
    }
    // Training has done something: neither is that of the start.
    assert!(mean[(0, 0)].abs() > 0.1 && covariance[(0, 0)] < 0.7 * known.new.nngp[(0, 0)]);
}

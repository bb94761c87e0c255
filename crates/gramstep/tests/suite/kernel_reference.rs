//! Kernels against those of neural-tangents 0.6.5 (tests/reference/neural_tangents_kernels.py), in double precision.

use gramstep::kernel::{
    DenseVariances, EmpiricalKernel, InfiniteKernel, InfiniteLayer, KernelTiles, Kernels, Outputs, Which,
};
use gramstep::model::Parameterization;
use gramstep::{Activation, Device, Matrix, Model, Specification};
use serde_json::Value;

const INPUTS: usize = 5;
const TOLERANCE: f64 = 1e-9;

fn reference() -> Value {
    serde_json::from_str(include_str!("../reference/neural_tangents_kernels.json")).unwrap()
}

/// Six training points and three test points.
fn points() -> (Matrix<f64>, Matrix<f64>) {
    let mut x = Matrix::from_fn(9, INPUTS, |i, j| 1.5 * (78.233 * (i * INPUTS + j + 1) as f64).sin());
    for j in 0..INPUTS {
        x[(1, j)] = -x[(0, j)];
    }
    (x.select_rows(&[0, 1, 2, 3, 4, 5]), x.select_rows(&[6, 7, 8]))
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

fn assert_matrix(got: &Matrix<f64>, want: &Value, name: &str) {
    let rows = want.as_array().unwrap();
    assert_eq!(got.rows(), rows.len(), "{name}");
    for (i, row) in rows.iter().enumerate() {
        let row = row.as_array().unwrap();
        assert_eq!(got.columns(), row.len(), "{name}");
        for (j, want) in row.iter().enumerate() {
            let (got, want) = (got[(i, j)], number(want));
            assert!((got - want).abs() <= TOLERANCE * want.abs().max(1.0), "{name} ({i}, {j}): {got} for {want}");
        }
    }
}

fn assert_kernels(got: &Kernels<f64>, want: &Value, name: &str) {
    assert_matrix(&got.ntk, &want["ntk"], &format!("{name}: ntk"));
    assert_matrix(&got.nngp, &want["nngp"], &format!("{name}: nngp"));
}

fn assert_infinite(kernel: &InfiniteKernel, want: &Value, name: &str) {
    let (train, test) = points();
    let device = Device::cpu(2);
    let (train, test) = (kernel.points(&train, &device).unwrap(), kernel.points(&test, &device).unwrap());
    assert_kernels(&train.kernels(), &want[0], &format!("{name}, train with train"));
    assert_kernels(&train.cross_kernels(&test).unwrap(), &want[1], &format!("{name}, train with test"));
}

/// The specification of a reference network; hidden widths 7, two outputs.
fn specification(network: &Value) -> Specification {
    let hidden: Vec<Activation> =
        network["hidden"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().parse().unwrap()).collect();
    let sizes: Vec<usize> = [INPUTS].into_iter().chain(hidden.iter().map(|_| 7)).chain([2]).collect();
    let (weight_variance, bias_variance) = (number(&network["weight_variance"]), number(&network["bias_variance"]));
    let mut specification = Specification::mlp(&sizes, Activation::Identity)
        .with_parameterization(Parameterization::Ntk { weight_variance, bias_variance })
        .with_bias(bias_variance > 0.0);
    for (layer, &activation) in hidden.iter().enumerate() {
        specification.layers[2 * layer + 1] = gramstep::model::LayerSpecification::Activation(activation);
    }
    specification
}

#[test]
fn kernels_of_infinite_width_equal_those_of_neural_tangents() {
    let reference = reference();
    let networks = reference["networks"].as_array().unwrap();
    assert_eq!(networks.len(), 12);
    for network in networks {
        let kernel = InfiniteKernel::new(&specification(network)).unwrap();
        assert_infinite(&kernel, &network["infinite"], &network["hidden"].to_string());
    }
}

#[test]
fn kernels_of_infinite_residual_networks_equal_those_of_neural_tangents() {
    let reference = reference();
    let residual = &reference["residual"];
    let variances = DenseVariances::new(number(&residual["weight_variance"]), number(&residual["bias_variance"]));
    let (dense, relu) = (InfiniteLayer::Dense(variances), InfiniteLayer::Activation(Activation::Relu));
    let block = InfiniteLayer::residual(vec![relu.clone(), dense.clone()]);
    let kernel = InfiniteKernel::from_layers(vec![dense.clone(), block.clone(), block, relu, dense]).unwrap();
    assert_infinite(&kernel, &residual["infinite"], "residual");
}

#[test]
fn kernels_of_finite_networks_equal_those_of_neural_tangents() {
    let (train, test) = points();
    for network in reference()["networks"].as_array().unwrap() {
        let mut model = Model::<f64>::builder(specification(network)).device(Device::cpu(2)).build().unwrap();
        let theta: Vec<f64> = (0..model.parameter_count()).map(|i| (12.9898 * (i + 1) as f64).sin()).collect();
        model.set_theta(&theta).unwrap();
        for (set, right) in [&train, &test].into_iter().enumerate() {
            let of =
                |which| EmpiricalKernel::new(&model, &train, right, which, Outputs::Full).unwrap().matrix(4).unwrap();
            let kernels = Kernels { ntk: of(Which::Ntk), nngp: of(Which::Nngp) };
            assert_kernels(&kernels, &network["finite"][set], &format!("{}, set {set}", network["hidden"]));
        }
    }
}

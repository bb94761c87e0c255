//! The average of several networks is a function like any other.

use gramstep::attack::{Attack, Pgd, Problem, Shift, ThreatModel};
use gramstep::device::Tile;
use gramstep::model::{Average, Differentiable, InputPass, Shape};
use gramstep::{Activation, Device, Matrix, Model, Specification};

use super::cases::{assert_close, matrix};

/// Networks of several architectures with six inputs (an image 2×3×1) and two outputs.
fn members() -> Vec<Model<f64>> {
    let image = Shape::Image { height: 2, width: 3, channels: 1, side: 0 };
    let specifications = [
        Specification::mlp(&[6, 9, 2], Activation::Tanh),
        Specification::mlp(&[6, 5, 4, 2], Activation::Gelu),
        Specification::cnn(image, &[3], Activation::Softplus, 2),
    ];
    let build =
        |(seed, specification)| Model::builder(specification).seed(seed).device(Device::cpu(1)).build().unwrap();
    (1..).zip(specifications).map(build).collect()
}

/// u = f − 1: a cotangent that depends on the outputs.
fn cotangent(_: usize, f: &[f64], u: &mut [f64]) {
    u.iter_mut().zip(f).for_each(|(u, f)| *u = f - 1.0);
}

fn passed(model: &dyn Differentiable<f64>, x: &Matrix<f64>) -> InputPass<f64> {
    let mut pass = InputPass::default();
    let tile = Tile::new(x.as_slice(), x.rows(), x.columns());
    model.pull_back(&model.device().operations(), tile, &mut cotangent, &mut pass).unwrap();
    pass
}

#[test]
fn an_average_has_the_mean_output_and_the_mean_gradient_of_its_members() {
    let (members, x) = (members(), matrix::<f64>(3, 7, 6));
    let average = Average::new(members.clone()).unwrap();
    assert_eq!(average.parameter_count(), members.iter().map(Model::parameter_count).sum::<usize>());
    assert_eq!(average.members().len(), 3);
    let outputs: Vec<_> = members.iter().map(|member| member.predict(&x).unwrap()).collect();
    let mean = |of: &[Matrix<f64>]| {
        Matrix::from_fn(7, of[0].columns(), |i, j| of.iter().map(|m| m[(i, j)]).sum::<f64>() / of.len() as f64)
    };
    let f = mean(&outputs);
    assert_close(average.predict(&x).unwrap().as_slice(), f.as_slice(), 8.0, "predictions");
    let pass = passed(&average, &x);
    assert_close(&pass.outputs, f.as_slice(), 8.0, "outputs");
    let u = Matrix::from_fn(7, 2, |i, a| f[(i, a)] - 1.0);
    let gradients: Vec<_> = members.iter().map(|member| member.input_gradient(&x, &u).unwrap()).collect();
    assert_close(&pass.gradient, mean(&gradients).as_slice(), 50.0, "gradient");
}

#[test]
fn the_average_of_one_network_is_that_network_to_the_bit() {
    let x = matrix::<f64>(4, 5, 6);
    for member in members() {
        let average = Average::new(vec![member.clone()]).unwrap();
        assert_eq!(average.predict(&x).unwrap(), member.predict(&x).unwrap());
        let (one, other) = (passed(&average, &x), passed(&member, &x));
        assert_eq!((one.outputs, one.gradient), (other.outputs, other.gradient));
    }
}

#[test]
fn an_attack_takes_an_average_as_it_takes_a_network() {
    let average = Average::new(members()).unwrap();
    let (x, threat) = (matrix::<f64>(5, 6, 6), ThreatModel::linf(0.2).unwrap());
    let y = Matrix::from_fn(6, 2, |i, a| if a == i % 2 { 1.0 } else { 0.0 });
    let attacked = Pgd::default().run(&Problem::new(&average, &x, &y).with_goal(&Shift::up(1)), &threat).unwrap();
    assert!(attacked.after() > attacked.before());
    for (sample, (clean, moved)) in attacked.samples.iter().zip((0..6).map(|i| (x.row(i), attacked.inputs.row(i)))) {
        assert!(sample.size <= 0.2 + 1e-12);
        assert!(clean.iter().zip(moved).all(|(a, b)| (a - b).abs() <= 0.2 + 1e-12));
    }
}

#[test]
fn networks_that_do_not_fit_together_have_no_average() {
    let mut members = members();
    members.push(Model::mlp(&[6, 4, 3], Activation::Tanh).build().unwrap());
    assert!(Average::new(members).is_err());
    assert!(Average::<f64>::new(Vec::new()).is_err());
}

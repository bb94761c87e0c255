//! The pool that all of a process share is nobody's to begin: a process forked after it was would wait for its threads for
//! ever. Alone in a process, so that no other test begins it.

use gramstep::kernel::{
    Dynamics, KernelRegression, LinearisedLaplace, LinearisedModel, Ridge, RidgeRegression, ScaledKernel, ScaledKind,
    ScaledRegression, Spectrum, TaylorModel, Time, leave_one_out,
};
use gramstep::random::{Purpose, stream};
use gramstep::solve::{Damped, Gaussian, Solver, eigen, eigenvalues};
use gramstep::{Activation, Device, Matrix, Model};

#[test]
fn no_solve_begins_the_pool_that_all_of_a_process_share() {
    let n = 300;
    let x = Matrix::from_fn(n, 2, |i, j| ((i * (7 + 12 * j)) % n) as f64 / 150.0 - 1.0);
    let y = Matrix::from_fn(n, 1, |i, _| (2.0 * x[(i, 0)]).sin());
    let gram = Matrix::from_fn(n, n, |i, j| f64::from(u8::from(i == j)) + 1.0 / (1 + i.abs_diff(j)) as f64);

    Damped::factor(&gram, 0.1, 2).unwrap().solve(y.as_slice(), Solver::Dual).unwrap();
    Damped::factor(&Matrix::from_fn(n, n, |_, _| 1.0), 0.0, 2).unwrap().solve(y.as_slice(), Solver::Dual).unwrap();
    let decomposed = eigen(&gram, 2).unwrap();
    assert_eq!(decomposed.solve(0.1, y.as_slice()).len(), n);
    eigenvalues(&gram, 2).unwrap();
    Gaussian::new(&gram, 2).unwrap().draw(&mut stream(0, Purpose::Data, 0, 0));

    let regression = KernelRegression::fit(&gram, &y, Ridge::Fixed(0.1), 2).unwrap();
    regression.covariance(&gram, gram.clone()).unwrap();
    assert_eq!(regression.leave_one_out_variance().rows(), n);
    RidgeRegression::fit(&x, &y, None, 2).unwrap();
    Dynamics::new(&gram, &Matrix::zeros(n, 1), &y, 2).unwrap().outputs(Time::Flow(1.0)).unwrap();
    Spectrum::new(&gram, 2).unwrap();
    let kernel = ScaledKernel::new(ScaledKind::Rbf, vec![4.0; 2], Vec::new(), 0.0).unwrap();
    let scaled = ScaledRegression::fit(kernel, 0.1, x.clone(), &y, None, 2).unwrap();
    scaled.leave_out(&[(0..280).collect()]).unwrap();
    scaled.covariance(&x).unwrap();

    let model = Model::<f64>::mlp(&[2, 8, 1], Activation::Tanh).seed(1).device(Device::cpu(2)).build().unwrap();
    LinearisedModel::new(model.clone()).fit(&x, &y, 0.1).unwrap();
    TaylorModel::new(model.clone(), 2).unwrap().fit(&x, &y, 0.1, Some(1)).unwrap();
    LinearisedLaplace::fit(&model, &x, &y, Ridge::Evidence, 1 << 30, 0).unwrap().covariance(&x).unwrap();
    leave_one_out(&model, &x, &y, None).unwrap();

    assert!(rayon::ThreadPoolBuilder::new().build_global().is_ok(), "a solve began it");
}

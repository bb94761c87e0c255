//! Identities that quantify over all networks and batches, on drawn ones.

use gramstep::loss::{CrossEntropyLoss, LogisticLoss, Loss, PoissonLoss};
use gramstep::model::Parameterization;
use gramstep::optim::{Batch, Damping, GramGaussNewton, GramGaussNewtonConfig, Optimizer};
use gramstep::solve::Solver;
use gramstep::{Activation, Device, Matrix, Model, Scalar, Specification};
use proptest::prelude::*;

use super::cases::{assert_close, dot, matrix, norm, normal};

/// A drawn network and batch.
#[derive(Clone, Debug)]
struct Drawn {
    specification: Specification,
    samples: usize,
    seed: u64,
    threads: usize,
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let sizes = prop::collection::vec(1..12_usize, 2..5);
    let activation = prop::sample::select(Activation::ALL.to_vec());
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    (sizes, activation, flags, 1..24_usize, 0..1000_u64, 1..3_usize).prop_map(
        |(sizes, activation, (bias, ntk, symmetric), samples, seed, threads)| {
            let mut specification = Specification::mlp(&sizes, activation).with_bias(bias);
            if ntk {
                let ntk = Parameterization::Ntk { weight_variance: 1.5, bias_variance: 0.2 };
                specification = specification.with_parameterization(ntk);
            }
            if symmetric {
                specification = specification.with_symmetric_start();
            }
            Drawn { specification, samples, seed, threads }
        },
    )
}

impl Drawn {
    fn model(&self) -> Model<f64> {
        let device = Device::cpu(self.threads);
        let mut model = Model::builder(self.specification.clone()).seed(self.seed).device(device).build().unwrap();
        let noise = normal::<f64>(self.seed + 1, model.parameter_count());
        let theta: Vec<f64> = model.theta().iter().zip(noise).map(|(t, e)| t + 0.2 * e).collect();
        model.set_theta(&theta).unwrap();
        model
    }

    fn x(&self, model: &Model<f64>) -> Matrix<f64> {
        matrix(self.seed + 2, self.samples, model.inputs())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn jvp_and_vjp_are_adjoint_and_make_up_the_gram_matrix(drawn in drawn()) {
        let model = drawn.model();
        let tangent = model.tangent(&drawn.x(&model)).unwrap();
        let (u, v) = (normal::<f64>(drawn.seed + 3, tangent.rows()), normal::<f64>(drawn.seed + 4, model.parameter_count()));
        let (pushed, pulled) = (tangent.jvp(&v).unwrap(), tangent.vjp(&u).unwrap());
        let scale = norm(&u) * norm(&pushed) + norm(&pulled) * norm(&v) + 1e-30;
        prop_assert!((dot(&u, &pushed) - dot(&pulled, &v)).abs() <= 1e-13 * scale);
        let gram = tangent.gram();
        let image: Vec<f64> = (0..u.len()).map(|i| dot(gram.row(i), &u)).collect();
        assert_close(&tangent.jvp(&pulled).unwrap(), &image, 1e4, "G u = J Jᵀ u");
        let jacobian = tangent.jacobian();
        let twin = Matrix::from_fn(u.len(), u.len(), |i, j| dot(jacobian.row(i), jacobian.row(j)));
        assert_close(gram.as_slice(), twin.as_slice(), 1e3, "G = J Jᵀ");
    }

    #[test]
    fn no_step_at_a_fixed_damping_changes_logits_by_more_than_their_reach(
        drawn in drawn(),
        sureness in 0.0..300.0_f64,
        exponent in -9..1_i32,
        momentum in prop::sample::select(vec![0.0, 0.9]),
        absolute in any::<bool>(),
    ) {
        let linear = Specification::mlp(&[3, 4], Activation::Tanh);
        let mut model = Model::<f64>::builder(linear).seed(drawn.seed).build().unwrap();
        // Sure of the classes that it draws, and mostly wrong.
        let theta: Vec<f64> = normal::<f64>(drawn.seed, model.parameter_count()).iter().map(|v| sureness * v).collect();
        model.set_theta(&theta).unwrap();
        let x = drawn.x(&model);
        let classes = Matrix::from_fn(drawn.samples, 4, |i, a| f64::from(u8::from((i + drawn.seed as usize) % 4 == a)));
        let damping = 10_f64.powi(exponent);
        let damping = if absolute { Damping::Absolute(damping) } else { Damping::Relative(damping) };
        let losses: [&dyn Loss; 3] = [&CrossEntropyLoss, &LogisticLoss, &PoissonLoss];
        for loss in losses {
            let (mut model, reach) = (model.clone(), loss.reach().unwrap());
            let mut config = GramGaussNewtonConfig::default().with_damping(damping);
            config.momentum = momentum;
            let mut optimizer = GramGaussNewton::new(config).unwrap();
            let batch = Batch::new(&x, &classes).with_loss(loss);
            for step in 0..12 {
                let before = model.predict(&x).unwrap();
                // The rate of a Poisson loss overflows: no step is defined.
                if loss.name() == PoissonLoss.name() && before.as_slice().iter().any(|f| *f > 700.0) {
                    break;
                }
                optimizer.step(&mut model, &batch).unwrap();
                let after = model.predict(&x).unwrap();
                let change: Vec<f64> = after.as_slice().iter().zip(before.as_slice()).map(|(a, b)| a - b).collect();
                let change = norm(&change) / (drawn.samples as f64).sqrt();
                // Directions that cancel leave some rounding.
                let most = 1.001 * reach + 1e-9 * norm(before.as_slice());
                prop_assert!(change <= most, "{}, step {step}: {change}", loss.name());
            }
        }
    }

    #[test]
    fn the_gram_matrix_is_positive_semi_definite(drawn in drawn()) {
        let model = drawn.model();
        let gram = model.tangent(&drawn.x(&model)).unwrap().gram();
        let spectrum = gramstep::solve::eigen(&gram, 1).unwrap();
        prop_assert!(spectrum.values[0] >= -spectrum.rounding().max(1e-300));
    }

    #[test]
    fn the_step_does_not_depend_on_the_method_that_solves_for_it(drawn in drawn(), relative in 1e-4..10.0_f64) {
        let model = drawn.model();
        let (x, y) = (drawn.x(&model), matrix(drawn.seed + 5, drawn.samples, model.outputs()));
        let step = |solver| {
            let mut config = GramGaussNewtonConfig::default().with_damping(Damping::Relative(relative));
            config.solver = Some(solver);
            let mut moved = model.clone();
            let info = GramGaussNewton::new(config).unwrap().step(&mut moved, &Batch::new(&x, &y)).unwrap();
            let step: Vec<f64> = moved.theta().iter().zip(model.theta()).map(|(a, b)| a - b).collect();
            (step, info.loss)
        };
        let ((dual, loss), (primal, same)) = (step(Solver::Dual), step(Solver::Primal));
        prop_assert_eq!(loss, same);
        // θ itself carries rounding of its own size into the difference.
        let floor = 1e-14 * norm(&model.theta());
        let difference: Vec<f64> = dual.iter().zip(&primal).map(|(a, b)| a - b).collect();
        prop_assert!(norm(&difference) <= 1e-9 * norm(&dual) + floor, "{} of {}", norm(&difference), norm(&dual));
    }
}

#[test]
fn a_network_that_is_sure_everywhere_takes_a_step() {
    sure_steps::<f64>(400);
    sure_steps::<f32>(400);
}

/// Whatever it is sure of: λ is a share of a curvature that is hardly there.
fn sure_steps<T: Scalar>(networks: u64) {
    for seed in 0..networks {
        let samples = 1 + (seed % 7) as usize;
        let linear = Specification::mlp(&[3, 4], Activation::Tanh);
        let mut model = Model::<T>::builder(linear).seed(seed).build().unwrap();
        let sureness = (seed * 37 % 300) as f64;
        let theta: Vec<T> = normal::<f64>(seed, 16).iter().map(|v| T::from_f64(sureness * v)).collect();
        model.set_theta(&theta).unwrap();
        let x = matrix::<T>(seed + 1, samples, 3);
        let right = |i: usize| (i + seed as usize) % 4;
        let classes = Matrix::from_fn(samples, 4, |i, a| if right(i) == a { T::ONE } else { T::ZERO });
        let damping = 10_f64.powi(-9 + (seed % 10) as i32);
        for damping in [Damping::Relative(damping), Damping::Absolute(damping)] {
            for loss in [&CrossEntropyLoss as &dyn Loss, &LogisticLoss] {
                let mut model = model.clone();
                let config = GramGaussNewtonConfig::default().with_damping(damping);
                let mut optimizer = GramGaussNewton::new(config).unwrap();
                for step in 0..6 {
                    let told = optimizer.step(&mut model, &Batch::new(&x, &classes).with_loss(loss));
                    assert!(told.is_ok(), "{} {seed} {damping:?} {}, step {step}: {told:?}", T::NAME, loss.name());
                }
            }
        }
    }
}

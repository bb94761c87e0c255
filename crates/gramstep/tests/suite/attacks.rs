//! Attacks: what they may do, what they must reach, against closed forms.

use gramstep::attack::{
    Apgd, Attack, Attacked, Candidates, Criterion, Fgsm, LargestLoss, Margin, Norm, OwnUnits, Pgd, Problem, Reach,
    Shift, SmallestPerturbation, Strongest, TangentRegressor, ThreatModel, error_against_radius, transfer,
};
use gramstep::device::Tile;
use gramstep::kernel::{InfiniteKernel, InfiniteRegressor, KernelRegression, LinearisedModel, Ridge, Which};
use gramstep::loss::{CrossEntropyLoss, SquaredLoss};
use gramstep::model::{Differentiable, InputPass};
use gramstep::{Activation, Device, Error, Matrix, Model, Scalar};
use proptest::prelude::*;

use super::cases::{assert_close, cases, dot, matrix, model, normal};

fn network<T: Scalar>(sizes: &[usize], activation: Activation, seed: u64) -> Model<T> {
    Model::mlp(sizes, activation).seed(seed).device(Device::cpu(2)).build().unwrap()
}

fn one_hot<T: Scalar>(samples: usize, classes: usize) -> Matrix<T> {
    Matrix::from_fn(samples, classes, |i, a| if i % classes == a { T::ONE } else { T::ZERO })
}

/// Data in the unit cube.
fn cube<T: Scalar>(seed: u64, samples: usize, columns: usize) -> Matrix<T> {
    let noise = normal::<f64>(seed, samples * columns);
    Matrix::from_fn(samples, columns, |i, j| T::from_f64((0.5 + 0.3 * noise[i * columns + j]).clamp(0.0, 1.0)))
}

/// All attacks with few steps.
fn attacks<T: Scalar>() -> Vec<Box<dyn Attack<T> + Send>> {
    vec![
        Box::new(Fgsm),
        Box::new(Pgd::new(7)),
        Box::new(Pgd::new(5).with_random_start().with_restarts(2).with_step_size(0.4)),
        Box::new(Pgd::new(5).with_momentum(0.9).with_restarts(2)),
        Box::new(Apgd::new(12).with_restarts(2)),
        Box::new(Strongest::new(vec![Box::new(Pgd::new(3)), Box::new(Apgd::new(5))])),
    ]
}

/// ‖(x − x₀) ⊘ s‖ and whether x is in the box.
fn measure<T: Scalar>(norm: Norm, clean: &[T], x: &[T], scales: &[f64]) -> f64 {
    let moves = x.iter().zip(clean).zip(scales).map(|((x, c), s)| (x.to_f64() - c.to_f64()).abs() / s);
    if norm == Norm::Linf { moves.fold(0.0, f64::max) } else { moves.map(|u| u * u).sum::<f64>().sqrt() }
}

/// What was filled in for a gap stays, and the rest moves as if it were not there.
#[test]
fn what_stands_in_a_gap_is_left_as_it_is() {
    let model = network::<f64>(&[4, 12, 3], Activation::Tanh, 3);
    let y = one_hot(8, 3);
    let mut x = cube::<f64>(5, 8, 4);
    (0..8).for_each(|i| x[(i, 3)] = if i % 2 == 0 { 1.3 } else { -0.7 });
    for norm in [Norm::Linf, Norm::L2] {
        let threat = ThreatModel::new(norm, 0.4).unwrap().with_frozen(&[3]);
        let with_gaps = threat.clone().with_gaps(1, 3, 0.0);
        for attack in attacks::<f64>() {
            let attacked = attack.run(&Problem::new(&model, &x, &y), &with_gaps).unwrap();
            let moved = |i: usize, j: usize| attacked.inputs[(i, j)] != x[(i, j)];
            assert!((0..8).all(|i| i % 2 == 1 || !moved(i, 1)), "{norm:?}");
            assert!((0..8).any(|i| i % 2 == 1 && moved(i, 1)) && (0..8).any(|i| i % 2 == 0 && moved(i, 0)));
        }
        // A gap is a frozen column of its row.
        let frozen = ThreatModel::new(norm, 0.4).unwrap().with_frozen(&[1, 3]);
        for attack in attacks::<f64>() {
            let of = |threat: &ThreatModel| attack.run(&Problem::new(&model, &x, &y), threat).unwrap().inputs;
            let (gaps, frozen) = (of(&with_gaps), of(&frozen));
            assert!((0..8).step_by(2).all(|i| gaps.row(i) == frozen.row(i)), "{norm:?} {}", attack.name());
        }
        let smallest = |threat: &ThreatModel| {
            SmallestPerturbation::default().run(&Pgd::new(5), &Problem::new(&model, &x, &y), threat).unwrap().inputs
        };
        let (gaps, frozen) = (smallest(&with_gaps), smallest(&frozen));
        assert!((0..8).step_by(2).all(|i| gaps.row(i) == frozen.row(i)), "{norm:?} smallest perturbation");
        assert!(Pgd::new(2).run(&Problem::new(&model, &x, &y), &threat.with_gaps(1, 4, 0.0)).is_err());
    }
}

fn inside<T: Scalar>(norm: Norm, radius: f64, seed: u64) {
    let (samples, d) = (9, 6);
    let model = network::<T>(&[d, 12, 3], Activation::Relu, seed);
    let (x, y) = (cube::<T>(seed + 1, samples, d), one_hot(samples, 3));
    let scales = [1.0, 0.5, 2.0, 1.0, 0.1, 1.0];
    let limits = [(0.0, 1.0), (-0.1, 1.1), (0.0, 1.0), (-9.0, 9.0), (0.0, 2.0), (0.0, 1.0)];
    let threat = ThreatModel::new(norm, radius).unwrap().with_scales(scales.to_vec()).unwrap();
    let threat =
        threat.with_column_box(limits.to_vec()).unwrap().with_frozen(&[1]).with_one_hot(std::slice::from_ref(&(4..6)));
    let epsilon = T::EPSILON.to_f64();
    for attack in attacks::<T>() {
        let attacked = attack.run(&Problem::new(&model, &x, &y), &threat).unwrap();
        for i in 0..samples {
            let (clean, row) = (x.row(i), attacked.inputs.row(i));
            let size = measure(norm, clean, row, &scales);
            assert!(size <= radius * (1.0 + 8.0 * epsilon) + 40.0 * epsilon, "{} {norm}: {size}", attack.name());
            assert!((size - attacked.samples[i].size).abs() <= 1e-12, "{} {norm}", attack.name());
            for (j, (low, high)) in limits.iter().enumerate() {
                let value = row[j].to_f64();
                assert!(value >= *low && value <= *high, "{} {norm}: {value}", attack.name());
            }
            for frozen in [1, 4, 5] {
                assert_eq!(row[frozen], clean[frozen], "{} {norm}: frozen", attack.name());
            }
            assert!(attacked.samples[i].after >= attacked.samples[i].before || attacked.samples[i].found);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_attack_stays_in_ball_and_box_and_leaves_frozen_columns(seed in 0..1000_u64, radius in 0.01..1.5_f64) {
        for norm in [Norm::Linf, Norm::L2] {
            inside::<f64>(norm, radius, seed);
            inside::<f32>(norm, radius, seed);
        }
    }

    /// The projection of p on a convex set is the point x with ⟨p − x, q − x⟩ ≤ 0 for every q of the set.
    #[test]
    fn candidates_are_projected_on_the_nearest_allowed_point(seed in 0..1000_u64, radius in 0.05..1.5_f64) {
        let d = 5;
        let model = network::<f64>(&[d, 1], Activation::Identity, seed);
        let (x, far) = (cube::<f64>(seed, 1, d), matrix::<f64>(seed + 1, 1, d));
        // A goal that the far point serves best makes the attack return its projection.
        let limits: Vec<(f64, f64)> = (0..d).map(|j| (-0.1 * j as f64, 1.0 + 0.05 * j as f64)).collect();
        let y = Matrix::zeros(1, 1);
        for norm in [Norm::Linf, Norm::L2] {
            let threat = ThreatModel::new(norm, radius).unwrap().with_column_box(limits.clone()).unwrap();
            let rises = dot(&model.theta()[..d], far.row(0)) > dot(&model.theta()[..d], x.row(0));
            let goal = if rises { Shift::up(0) } else { Shift::down(0) };
            let problem = Problem::new(&model, &x, &y).with_goal(&goal).with_criterion(Criterion::Moved(1e-12));
            let attacked = Candidates(far.clone()).run(&problem, &threat).unwrap();
            let p = attacked.inputs.row(0);
            prop_assume!(attacked.samples[0].steps == 1);
            for draw in 0..50 {
                let q = matrix::<f64>(seed + 2 + draw, 1, d);
                let mut q: Vec<f64> = q.row(0).iter().zip(x.row(0)).map(|(q, c)| c + radius * q).collect();
                q.iter_mut().zip(&limits).for_each(|(q, (low, high))| *q = q.clamp(*low, *high));
                let size = measure(norm, x.row(0), &q, &vec![1.0; d]);
                let shrink = if size > radius { radius / size } else { 1.0 };
                q.iter_mut().zip(x.row(0)).for_each(|(q, c)| *q = c + shrink * (*q - c));
                let angle: f64 = (0..d).map(|j| (far.row(0)[j] - p[j]) * (q[j] - p[j])).sum();
                prop_assert!(angle <= 1e-12, "{norm}: {angle:e}");
            }
        }
    }

    #[test]
    fn more_steps_and_more_restarts_are_never_worse(seed in 0..1000_u64) {
        let model = network::<f64>(&[4, 16, 3], Activation::Relu, seed);
        let (x, y) = (cube::<f64>(seed, 8, 4), one_hot(8, 3));
        let goal = LargestLoss(&CrossEntropyLoss);
        let problem = Problem::new(&model, &x, &y).with_goal(&goal).with_criterion(Criterion::None);
        for norm in [Norm::Linf, Norm::L2] {
            let threat = ThreatModel::new(norm, 0.3).unwrap().with_box(0.0, 1.0).unwrap();
            let values = |pgd: Pgd| pgd.run(&problem, &threat).unwrap().samples;
            let start = Pgd::new(3).with_random_start().with_momentum(0.5).with_seed(seed);
            let mut more_steps = start;
            more_steps.steps = 9;
            for (few, many) in values(start).iter().zip(values(more_steps)) {
                prop_assert!(many.after >= few.after);
            }
            for (few, many) in values(start).iter().zip(values(start.with_restarts(4))) {
                prop_assert!(many.after >= few.after);
            }
            prop_assert!(values(start).iter().all(|sample| sample.after >= sample.before));
        }
    }
}

#[test]
fn a_pass_of_every_network_gives_its_outputs_and_its_input_gradient() {
    for case in cases() {
        let model = model::<f64>(&case, 61);
        let (n, k) = (3, model.outputs());
        let (x, u) = (matrix::<f64>(62, n, model.inputs()), matrix::<f64>(63, n, k));
        let mut pass = InputPass::default();
        let operations = model.device().operations::<f64>();
        let tile = Tile::new(x.as_slice(), n, model.inputs());
        let mut cotangent = |row: usize, _: &[f64], out: &mut [f64]| out.copy_from_slice(u.row(row));
        // Twice: the second pass works in memory that the first has left.
        for _ in 0..2 {
            model.pull_back(&operations, tile, &mut cotangent, &mut pass).unwrap();
            assert_close(&pass.outputs, model.predict(&x).unwrap().as_slice(), 10.0, &case.name);
            assert_close(&pass.gradient, model.input_gradient(&x, &u).unwrap().as_slice(), 10.0, &case.name);
        }
        model.evaluate(&operations, tile, &mut pass).unwrap();
        assert_close(&pass.outputs, model.predict(&x).unwrap().as_slice(), 10.0, &case.name);
    }
}

#[test]
fn radius_zero_is_the_clean_sample() {
    let model = network::<f64>(&[4, 8, 3], Activation::Tanh, 3);
    let (x, y) = (cube::<f64>(4, 6, 4), one_hot(6, 3));
    let f = model.predict(&x).unwrap();
    for norm in [Norm::Linf, Norm::L2] {
        for attack in attacks::<f64>() {
            let attacked = attack.run(&Problem::new(&model, &x, &y), &ThreatModel::new(norm, 0.0).unwrap()).unwrap();
            assert_eq!(attacked.inputs, x);
            for (i, sample) in attacked.samples.iter().enumerate() {
                let margin =
                    (0..3).filter(|a| a % 3 != i % 3).map(|a| f[(i, a)]).fold(f64::MIN, f64::max) - f[(i, i % 3)];
                assert!((sample.before - margin).abs() < 1e-13);
                assert_eq!((sample.after, sample.size, sample.found), (sample.before, 0.0, margin >= 0.0));
            }
        }
    }
}

#[test]
fn fgsm_is_pgd_with_one_full_step() {
    let model = network::<f64>(&[4, 16, 1], Activation::Tanh, 3);
    let (x, y) = (cube::<f64>(4, 6, 4), matrix(5, 6, 1));
    let goal = LargestLoss(&SquaredLoss);
    let problem = Problem::new(&model, &x, &y).with_goal(&goal).with_criterion(Criterion::None);
    for norm in [Norm::Linf, Norm::L2] {
        let threat = ThreatModel::new(norm, 0.05).unwrap().with_box(0.0, 1.0).unwrap();
        let fgsm = Fgsm.run(&problem, &threat).unwrap();
        assert_eq!(fgsm, Pgd::new(1).with_step_size(1.0).run(&problem, &threat).unwrap());
        // … and by hand: x + ε·sign ∇ or x + ε·∇/‖∇‖.
        let u = Matrix::from_fn(6, 1, |i, _| model.predict(&x).unwrap()[(i, 0)] - y[(i, 0)]);
        let gradient = model.input_gradient(&x, &u).unwrap();
        for i in (0..6).filter(|&i| fgsm.samples[i].steps == 1) {
            let (g, clean) = (gradient.row(i), x.row(i));
            let moved: Vec<f64> = (0..4)
                .map(|j| match norm {
                    Norm::Linf => (clean[j] + 0.05 * g[j].signum()).clamp(0.0, 1.0),
                    _ => clean[j] + 0.05 * g[j] / dot(g, g).sqrt(),
                })
                .collect();
            let inner = moved.iter().all(|v| (0.0..=1.0).contains(v));
            let error = moved.iter().zip(fgsm.inputs.row(i)).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(!inner || error < 1e-12, "{norm}: {error:e}");
        }
    }
}

#[test]
fn on_a_linear_model_the_worst_case_is_that_of_the_closed_form() {
    let d = 7;
    let model = network::<f64>(&[d, 1], Activation::Identity, 11);
    let w = model.theta()[..d].to_vec();
    let (x, y) = (cube::<f64>(12, 20, d), Matrix::zeros(20, 1));
    let scales = [1.0, 0.5, 2.0, 1.0, 0.25, 1.0, 3.0];
    let clean = model.predict(&x).unwrap();
    let runs: [Box<dyn Attack<f64>>; 2] = [Box::new(Pgd::new(30)), Box::new(Apgd::new(60))];
    for (goal, sign) in [(Shift::up(0), 1.0), (Shift::down(0), -1.0)] {
        let problem = Problem::new(&model, &x, &y).with_goal(&goal).with_criterion(Criterion::Moved(1e-3));
        for norm in [Norm::Linf, Norm::L2] {
            let threat = ThreatModel::new(norm, 0.3).unwrap().with_scales(scales.to_vec()).unwrap();
            for attack in &runs {
                let attacked = attack.run(&problem, &threat).unwrap();
                let scaled: Vec<f64> = w.iter().zip(scales).map(|(w, s)| w * s).collect();
                // The dual norm of w ∘ s.
                let gain = match norm {
                    Norm::Linf => 0.3 * scaled.iter().map(|v| v.abs()).sum::<f64>(),
                    _ => 0.3 * dot(&scaled, &scaled).sqrt(),
                };
                for (i, sample) in attacked.samples.iter().enumerate() {
                    let worst = sign * clean[(i, 0)] + gain;
                    assert!((sample.after - worst).abs() < 1e-9, "{} {norm}: {}", attack.name(), sample.after - worst);
                }
            }
            // Within a box: every coordinate for itself (ℓ∞), or cut by the box and scaled by the ball (ℓ2).
            let threat = threat.with_box(0.0, 1.0).unwrap();
            let attacked = Pgd::new(400).run(&problem, &threat).unwrap();
            for (i, sample) in attacked.samples.iter().enumerate() {
                let worst = sign * clean[(i, 0)] + boxed_gain(norm, 0.3, &w, sign, x.row(i), &scales);
                assert!((sample.after - worst).abs() < 1e-9, "{norm} in a box: {:e}", sample.after - worst);
            }
        }
    }
}

/// max ⟨w, δ⟩ for ‖δ ⊘ s‖ ≤ ε and 0 ≤ x + δ ≤ 1, the ℓ2 one by bisection over the multiplier.
fn boxed_gain(norm: Norm, radius: f64, w: &[f64], sign: f64, x: &[f64], scales: &[f64]) -> f64 {
    let w: Vec<f64> = w.iter().map(|w| sign * w).collect();
    let room = |j: usize| if w[j] > 0.0 { 1.0 - x[j] } else { x[j] };
    if norm == Norm::Linf {
        return (0..w.len()).map(|j| w[j].abs() * room(j).min(radius * scales[j])).sum();
    }
    let moves = |t: f64| (0..w.len()).map(move |j| (j, t)).collect::<Vec<_>>();
    let at = |j: usize, t: f64| (t * w[j].abs() * scales[j] * scales[j]).min(room(j));
    let norm_at = |t: f64| moves(t).iter().map(|&(j, t)| (at(j, t) / scales[j]).powi(2)).sum::<f64>().sqrt();
    let (mut low, mut high) = (0.0, 1e6);
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if norm_at(middle) > radius { high = middle } else { low = middle }
    }
    (0..w.len()).map(|j| w[j].abs() * at(j, low)).sum()
}

#[test]
fn a_samples_result_does_not_depend_on_its_batch() {
    let model = network::<f64>(&[5, 24, 3], Activation::Tanh, 2);
    // More than one tile, and a batch whose tiles are cut elsewhere.
    let (x, y) = (cube::<f64>(3, 700, 5), one_hot::<f64>(700, 3));
    let picked: Vec<usize> = (0..700).filter(|i| i % 7 == 3).collect();
    let numbers: Vec<u64> = picked.iter().map(|&i| i as u64).collect();
    let (some_x, some_y) = (x.select_rows(&picked), y.select_rows(&picked));
    for norm in [Norm::Linf, Norm::L2] {
        let threat = ThreatModel::new(norm, 0.2).unwrap().with_box(0.0, 1.0).unwrap();
        for attack in attacks::<f64>() {
            let all = attack.run(&Problem::new(&model, &x, &y), &threat).unwrap();
            let some = attack.run(&Problem::new(&model, &some_x, &some_y).with_numbers(&numbers), &threat).unwrap();
            for (at, &i) in picked.iter().enumerate() {
                let (a, b) = (some.samples[at], all.samples[i]);
                assert!(
                    (a.after - b.after).abs() < 1e-9 && a.found == b.found,
                    "{} {norm}: {a:?} {b:?}",
                    attack.name()
                );
            }
        }
    }
}

#[test]
fn a_regressors_outputs_are_moved_up_down_and_to_a_wished_value() {
    let model = network::<f64>(&[3, 32, 1], Activation::Gelu, 9);
    let x = cube::<f64>(10, 12, 3);
    let f = model.predict(&x).unwrap();
    let wish = Matrix::from_fn(12, 1, |i, _| f[(i, 0)] + 0.02);
    let threat = ThreatModel::linf(0.1).unwrap();
    let (up, down) = (Shift::up(0), Shift::down(0));
    let problem = Problem::new(&model, &x, &wish).with_criterion(Criterion::Moved(1e-6));
    let after = |attacked: &Attacked<f64>| model.predict(&attacked.inputs).unwrap();
    let higher = Pgd::default().run(&problem.with_goal(&up), &threat).unwrap();
    let lower = Pgd::default().run(&problem.with_goal(&down), &threat).unwrap();
    let wished =
        Apgd::new(200).run(&problem.with_goal(&Reach).with_criterion(Criterion::Reached(1e-4)), &threat).unwrap();
    let loss = LargestLoss(&SquaredLoss);
    let worst = Pgd::default().run(&problem.with_goal(&loss), &threat).unwrap();
    for i in 0..12 {
        assert!(after(&higher)[(i, 0)] > f[(i, 0)] && after(&lower)[(i, 0)] < f[(i, 0)]);
        if after(&higher)[(i, 0)] > wish[(i, 0)] {
            assert!((after(&wished)[(i, 0)] - wish[(i, 0)]).abs() <= 1e-4, "{:?}", wished.samples[i]);
        }
        // The loss is convex in f, so its largest value is at one end of what can be reached (to what PGD finds).
        let ends = [after(&higher)[(i, 0)], after(&lower)[(i, 0)]].map(|f| 0.5 * (f - wish[(i, 0)]).powi(2));
        assert!(worst.samples[i].after <= ends[0].max(ends[1]) * (1.0 + 1e-3) + 1e-12);
    }
}

#[test]
fn the_smallest_perturbation_of_a_linear_classifier_is_its_distance_to_the_border() {
    let model = network::<f64>(&[6, 1], Activation::Identity, 21);
    let w = model.theta()[..6].to_vec();
    let x = matrix::<f64>(22, 10, 6);
    let f = model.predict(&x).unwrap();
    let y = Matrix::from_fn(10, 1, |i, _| if i == 0 { -f[(i, 0)].signum() } else { f[(i, 0)].signum() });
    for norm in [Norm::Linf, Norm::L2] {
        let threat = ThreatModel::new(norm, 50.0).unwrap();
        let problem = Problem::new(&model, &x, &y);
        let smallest = SmallestPerturbation::new(40).run(&Pgd::new(8), &problem, &threat).unwrap();
        let dual = if norm == Norm::Linf { w.iter().map(|v| v.abs()).sum::<f64>() } else { dot(&w, &w).sqrt() };
        for (i, sample) in smallest.samples.iter().enumerate() {
            let distance = if i == 0 { 0.0 } else { f[(i, 0)].abs() / dual };
            assert!(sample.found && (sample.size - distance).abs() < 1e-8, "{norm}: {} {distance}", sample.size);
        }
        // Out of reach: not found.
        let near =
            SmallestPerturbation::new(5).run(&Pgd::new(8), &problem, &threat.with_radius(1e-9).unwrap()).unwrap();
        assert!(near.samples.iter().enumerate().all(|(i, sample)| sample.found == (i == 0)));
    }
}

#[test]
fn robust_error_rises_with_the_radius_from_the_clean_error() {
    let model = network::<f64>(&[6, 24, 3], Activation::Relu, 31);
    let (x, y) = (cube::<f64>(32, 60, 6), one_hot::<f64>(60, 3));
    let problem = Problem::new(&model, &x, &y);
    let threat = ThreatModel::linf(0.0).unwrap().with_box(0.0, 1.0).unwrap();
    let curve = error_against_radius(&Pgd::new(10), &problem, &threat, &[0.0, 0.01, 0.03, 0.1, 0.3]).unwrap();
    let f = model.predict(&x).unwrap();
    let wrong = (0..60).filter(|&i| (0..3).any(|a| a != i % 3 && f[(i, a)] >= f[(i, i % 3)])).count();
    assert!((curve[0].error - wrong as f64 / 60.0).abs() < 1e-12);
    assert!(curve.windows(2).all(|pair| pair[1].error >= pair[0].error));
    assert!(curve[4].error > curve[0].error);
    assert!(error_against_radius(&Pgd::new(1), &problem, &threat, &[0.2, 0.1]).is_err());
}

#[test]
fn perturbations_transfer_to_the_model_they_were_made_for_at_least_as_well_as_to_a_stranger() {
    let (a, b) = (network::<f64>(&[6, 24, 3], Activation::Relu, 41), network::<f64>(&[6, 24, 3], Activation::Relu, 42));
    let (x, y) = (cube::<f64>(43, 90, 6), one_hot::<f64>(90, 3));
    let threat = ThreatModel::linf(0.15).unwrap();
    let (matrix, attacked) = transfer(&Pgd::new(10), &[&a, &b], &Problem::new(&a, &x, &y), &threat).unwrap();
    for i in 0..2 {
        assert!((matrix[(i, i)] - attacked[i].error()).abs() < 1e-12);
        assert!(matrix[(i, i)] >= matrix[(1 - i, i)], "{matrix:?}");
    }
}

/// A classifier, its linearisation trained to the end, and the regressor of its tangent kernel.
fn surrogates(x: &Matrix<f64>, y: &Matrix<f64>) -> (Model<f64>, LinearisedModel<f64>, TangentRegressor<f64>) {
    let model = network::<f64>(&[6, 24, 3], Activation::Tanh, 71);
    let mut linear = LinearisedModel::new(model.clone());
    linear.fit(x, y, 1e-2).unwrap();
    let gram = model.tangent(x).unwrap().gram();
    let rows = Matrix::from_vec(gram.rows(), 1, y.as_slice().to_vec()).unwrap();
    let regression = KernelRegression::fit(&gram, &rows, Ridge::Fixed(1e-2), 1).unwrap();
    (model.clone(), linear, TangentRegressor::new(model, x, &regression).unwrap())
}

/// The regressor of the same network with infinitely many hidden units.
fn infinite_regressor(x: &Matrix<f64>, y: &Matrix<f64>) -> InfiniteRegressor<f64> {
    let kernel = InfiniteKernel::mlp(1, Activation::Tanh, 1.0, 0.1).unwrap();
    let points = kernel.points(x, &Device::cpu(2)).unwrap();
    let regression = KernelRegression::fit(&points.gram(Which::Ntk), y, Ridge::Fixed(1e-2), 1).unwrap();
    InfiniteRegressor::new(points, Which::Ntk, regression.coefficients()).unwrap()
}

#[test]
fn a_linear_kernel_is_attacked_to_its_closed_form_worst_case() {
    // Without activation the kernel is linear in x: so is f, and its slope is a difference of two values.
    let (x, y) = (cube::<f64>(61, 40, 5), matrix::<f64>(62, 40, 1));
    let kernel = InfiniteKernel::mlp(0, Activation::Identity, 1.3, 0.2).unwrap();
    let points = kernel.points(&x, &Device::cpu(2)).unwrap();
    let coefficients =
        KernelRegression::fit(&points.gram(Which::Ntk), &y, Ridge::Fixed(1e-3), 1).unwrap().coefficients();
    let regressor = InfiniteRegressor::new(points, Which::Ntk, coefficients).unwrap();
    let at = |j: usize| Matrix::from_fn(1, 5, |_, i| if i == j { 1.0 } else { 0.0 });
    let zero = regressor.predict(&at(5)).unwrap()[(0, 0)];
    let w: Vec<f64> = (0..5).map(|j| regressor.predict(&at(j)).unwrap()[(0, 0)] - zero).collect();
    let (mean, scale) = ([5.0, 1.0, 0.0, -2.0, 3.0], [2.0, 1.0, 0.5, 3.0, 1.0]);
    let own = OwnUnits::new(regressor.clone(), (&mean, &scale), (&[10.0], &[4.0])).unwrap();
    let raw = Matrix::from_fn(40, 5, |i, j| mean[j] + scale[j] * x[(i, j)]);
    let (f, up) = (regressor.predict(&x).unwrap(), Shift::up(0));
    for norm in [Norm::Linf, Norm::L2] {
        let size = |w: &[f64]| match norm {
            Norm::Linf => w.iter().map(|w| w.abs()).sum::<f64>(),
            _ => dot(w, w).sqrt(),
        };
        let run = |model: &dyn Differentiable<f64>, x: &Matrix<f64>| {
            let problem = Problem::new(model, x, &y).with_goal(&up).with_criterion(Criterion::None);
            Pgd::new(30).run(&problem, &ThreatModel::new(norm, 0.2).unwrap()).unwrap()
        };
        let scaled: Vec<f64> = w.iter().zip(scale).map(|(w, s)| w / s).collect();
        let attacked = run(&regressor, &x).samples.into_iter().zip(run(&own, &raw).samples);
        for (i, (sample, in_own)) in attacked.enumerate() {
            assert!((sample.after - f[(i, 0)] - 0.2 * size(&w)).abs() < 1e-9, "{norm}");
            assert!((in_own.after - 10.0 - 4.0 * (f[(i, 0)] + 0.2 * size(&scaled))).abs() < 1e-9, "{norm}");
        }
    }
}

#[test]
fn single_precision_keeps_the_digits_of_large_means() {
    let model = network::<f32>(&[1, 8, 1], Activation::Tanh, 7);
    let (mean, scale) = (123_456_784.0, 40.0);
    let own = OwnUnits::new(model.clone(), (&[mean], &[scale]), (&[0.0], &[1.0])).unwrap();
    // Numbers that f32 holds, and a mean that it does not.
    let raw = Matrix::from_vec(2, 1, vec![123_456_792.0_f32, 123_456_864.0]).unwrap();
    let own_mean = OwnUnits::new(model.clone(), (&[mean + 3.0], &[scale]), (&[0.0], &[1.0])).unwrap();
    for (own, mean) in [(own, mean), (own_mean, mean + 3.0)] {
        let mut pass = InputPass::default();
        own.evaluate(&own.device().operations::<f32>(), Tile::new(raw.as_slice(), 2, 1), &mut pass).unwrap();
        let by_hand = Matrix::from_fn(2, 1, |i, _| ((f64::from(raw[(i, 0)]) - mean) / scale) as f32);
        assert_eq!(pass.outputs, model.predict(&by_hand).unwrap().as_slice());
    }
}

#[test]
fn surrogates_have_the_outputs_of_their_kernels_and_the_gradients_of_differences() {
    let (x, y) = (cube::<f64>(72, 30, 6), one_hot::<f64>(30, 3));
    let (model, linear, regressor) = surrogates(&x, &y);
    // K(x, X) c, by the kernel itself.
    let gram = model.tangent(&x).unwrap().gram();
    let rows = Matrix::from_vec(90, 1, y.as_slice().to_vec()).unwrap();
    let regression = KernelRegression::fit(&gram, &rows, Ridge::Fixed(1e-2), 1).unwrap();
    let new = cube::<f64>(73, 5, 6);
    let cross = model.tangent(&new).unwrap().cross_gram(&model.tangent(&x).unwrap()).unwrap();
    let by_kernel = regression.predict(&cross).unwrap();
    assert_close(regressor.predict(&new).unwrap().as_slice(), by_kernel.as_slice(), 1e-8 / f64::EPSILON, "K(x, X) c");
    let infinite = infinite_regressor(&x, &y);
    let units = (&[0.2, -0.1, 0.0, 0.3, 1.0, 0.5][..], &[1.0, 2.0, 0.5, 1.0, 3.0, 1.0][..]);
    let own = OwnUnits::new(infinite.clone(), units, (&[1.0, 2.0, -3.0], &[0.5, 4.0, 1.0])).unwrap();
    for surrogate in [&linear as &dyn Differentiable<f64>, &regressor, &infinite, &own] {
        let u = matrix::<f64>(74, 5, 3);
        let value = |x: &Matrix<f64>, pass: &mut InputPass<f64>| {
            let operations = surrogate.device().operations::<f64>();
            let mut cotangent = |row: usize, _: &[f64], out: &mut [f64]| out.copy_from_slice(u.row(row));
            surrogate.pull_back(&operations, Tile::new(x.as_slice(), 5, 6), &mut cotangent, pass).unwrap();
            dot(&pass.outputs, u.as_slice())
        };
        let mut pass = InputPass::default();
        value(&new, &mut pass);
        let gradient = pass.gradient.clone();
        let at = |j: usize, h: f64, pass: &mut InputPass<f64>| {
            let mut moved = new.clone();
            moved.as_mut_slice()[j] += h;
            value(&moved, pass)
        };
        let slopes: Vec<f64> = (0..30).map(|j| (at(j, 1e-5, &mut pass) - at(j, -1e-5, &mut pass)) / 2e-5).collect();
        assert_close(&gradient, &slopes, 1e-7 / f64::EPSILON, "input gradient of a surrogate");
    }
}

#[test]
fn network_linearisation_and_kernel_regressor_are_attacked_by_the_same_call() {
    let (x, y) = (cube::<f64>(72, 30, 6), one_hot::<f64>(30, 3));
    let (model, linear, regressor) = surrogates(&x, &y);
    let infinite = infinite_regressor(&x, &y);
    let models: [&dyn Differentiable<f64>; 4] = [&model, &linear, &regressor, &infinite];
    let problem = Problem::new(&model, &x, &y);
    let threat = ThreatModel::linf(0.1).unwrap().with_box(0.0, 1.0).unwrap();
    let (matrix, attacked) = transfer(&Pgd::new(10), &models, &problem, &threat).unwrap();
    for (i, attacked) in attacked.iter().enumerate() {
        assert!(attacked.after() > attacked.before() + 1e-3);
        assert!((matrix[(i, i)] - attacked.error()).abs() < 1e-12);
    }
    // The two that were fitted are nearly one function, the network is at its start: they mislead each other.
    assert!(matrix[(1, 2)] > matrix[(0, 2)] && matrix[(2, 1)] > matrix[(0, 1)], "{matrix:?}");
}

#[test]
fn the_margin_is_defined_from_two_classes_on() {
    use gramstep::attack::Goal;
    assert_eq!(Margin.value(&[2.0], &[1.0]), -2.0);
    assert_eq!((Margin.value(&[2.0], &[0.0]), Margin.value(&[2.0], &[-1.0])), (2.0, 2.0));
    assert_eq!(Margin.value(&[2.0, 5.0], &[1.0, 0.0]), 3.0);
    let mut g = [0.0; 3];
    Margin.gradient(&[2.0, 5.0, 4.0], &[0.0, 1.0, 0.0], &mut g);
    assert_eq!(g, [0.0, -1.0, 1.0]);
    // Softmax of 2 and 4 at a tenth of the range, whatever the unit of the outputs.
    let w = (-2.0_f64 / 0.3).exp();
    for unit in [1.0, 1e-6, 1e6] {
        Margin.ascent(&[2.0 * unit, 5.0 * unit, 4.0 * unit], &[0.0, 1.0, 0.0], &mut g);
        assert!((g[0] - w / (1.0 + w)).abs() < 1e-12 && (g[2] - 1.0 / (1.0 + w)).abs() < 1e-12, "{g:?}");
    }
    Margin.ascent(&[3.0; 3], &[0.0, 1.0, 0.0], &mut g);
    assert_eq!(g, [0.5, -1.0, 0.5]);
}

#[test]
fn apgd_finds_at_least_what_fgsm_finds_on_a_smooth_classifier() {
    let model = network::<f64>(&[8, 32, 2], Activation::Tanh, 51);
    let (x, y) = (cube::<f64>(52, 200, 8), one_hot::<f64>(200, 2));
    let problem = Problem::new(&model, &x, &y);
    for norm in [Norm::Linf, Norm::L2] {
        let threat = ThreatModel::new(norm, 0.2).unwrap().with_box(0.0, 1.0).unwrap();
        let (apgd, fgsm, pgd) = (
            Apgd::new(40).run(&problem, &threat).unwrap(),
            Fgsm.run(&problem, &threat).unwrap(),
            Pgd::new(40).run(&problem, &threat).unwrap(),
        );
        assert!(apgd.after() >= fgsm.after() && apgd.after() >= pgd.after() - 1e-3 * pgd.after().abs());
    }
}

#[test]
fn wrong_use_is_refused_with_the_numbers() {
    let model = network::<f64>(&[2, 4, 1], Activation::Tanh, 1);
    let (x, y) = (cube::<f64>(2, 3, 2), Matrix::from_vec(3, 1, vec![0.3, 2.7, 1.0]).unwrap());
    assert!(matches!(ThreatModel::linf(-0.1), Err(Error::Setting { name: "radius", .. })));
    assert!(matches!(ThreatModel::l2(f64::NAN), Err(Error::Setting { name: "radius", .. })));
    assert!(matches!(ThreatModel::l2(1.0).unwrap().with_box(1.0, 0.0), Err(Error::Setting { name: "box", .. })));
    let (ones, twos) = (&[1.0, 1.0][..], &[2.0, 2.0][..]);
    for (inputs, outputs) in [
        ((ones, &twos[..1]), (&ones[..1], &twos[..1])),
        ((&[f64::NAN, 0.0], twos), (&ones[..1], &twos[..1])),
        ((ones, twos), (&ones[..1], &[0.0])),
    ] {
        assert!(OwnUnits::new(model.clone(), inputs, outputs).is_err(), "{inputs:?} {outputs:?}");
    }
    assert!(matches!("l1".parse::<Norm>(), Err(Error::Setting { name: "norm", .. })));
    let threat = ThreatModel::linf(0.1).unwrap();
    let run = |threat: &ThreatModel, problem: Problem<'_, f64>| Pgd::default().run(&problem, threat).map(|_| ());
    // A classifier's attack on a regressor.
    let refused = run(&threat, Problem::new(&model, &x, &y)).unwrap_err();
    assert!(matches!(refused, Error::Target { sample: 0, value, .. } if value == 0.3), "{refused}");
    // A box that excludes a sample.
    let up = Shift::up(0);
    let problem = Problem::new(&model, &x, &y).with_goal(&up).with_criterion(Criterion::None);
    let outside = x.row(1)[0].max(x.row(1)[1]) - 1e-3;
    let refused = run(&threat.clone().with_box(-1.0, outside).unwrap(), problem).unwrap_err();
    assert!(matches!(refused, Error::OutsideBox { .. }), "{refused}");
    assert!(matches!(run(&threat.clone().with_scales(vec![1.0]).unwrap(), problem), Err(Error::Shape { .. })));
    let beyond = run(&threat.clone().with_frozen(&[5]), problem);
    assert!(matches!(beyond, Err(Error::OutOfRange { index: 5, count: 2, .. })));
    assert!(matches!(Pgd::new(0).run(&problem, &threat), Err(Error::Setting { name: "steps", .. })));
    assert!(Pgd::default().with_step_size(f64::NAN).run(&problem, &threat).is_err());
    let broken = Matrix::from_vec(3, 2, vec![0.0, f64::NAN, 0.0, 0.0, 0.0, 0.0]).unwrap();
    let problem = Problem::new(&model, &broken, &y).with_goal(&up).with_criterion(Criterion::None);
    assert!(matches!(run(&threat, problem), Err(Error::NonFinite { .. })));
}

//! Adversarial training near initialisation (gao2019): two layers, quadratic ReLU, fixed signs, f(θ₀, ·) = 0.

use gramstep::attack::{
    AdversarialTraining, Attack, Candidates, Criterion, LargestLoss, ParameterBall, Pgd, Problem, RobustFit,
    RobustFitConfig, Strongest, ThreatModel, robust_fit, robust_optimum,
};
use gramstep::kernel::LinearisedModel;
use gramstep::loss::{HingeLoss, Loss, SquaredHingeLoss};
use gramstep::optim::{Batch, Damping, GramGaussNewton, GramGaussNewtonConfig, Optimizer, Sgd, SgdConfig};
use gramstep::solve::eigen;
use gramstep::{Activation, Device, Matrix, Model, Specification};

use super::cases::{dot, matrix, norm};

const SAMPLES: usize = 20;
const INPUTS: usize = 10;

/// Points of the unit sphere at least `apart` from each other, with balanced labels.
fn sphere(seed: u64, apart: f64) -> (Matrix<f64>, Matrix<f64>) {
    let drawn = matrix::<f64>(seed, 4000, INPUTS);
    let mut rows: Vec<Vec<f64>> = Vec::new();
    for i in 0..drawn.rows() {
        let length = norm(drawn.row(i));
        let row: Vec<f64> = drawn.row(i).iter().map(|v| v / length).collect();
        let far = |other: &Vec<f64>| other.iter().zip(&row).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt() >= apart;
        if rows.len() < SAMPLES && rows.iter().all(far) {
            rows.push(row);
        }
    }
    assert_eq!(rows.len(), SAMPLES);
    let x = Matrix::from_vec(SAMPLES, INPUTS, rows.concat()).unwrap();
    (x, Matrix::from_fn(SAMPLES, 1, |i, _| if i % 2 == 0 { 1.0 } else { -1.0 }))
}

/// m units in two equal copies.
fn network(m: usize, seed: u64) -> Model<f64> {
    let specification = Specification::two_layer(INPUTS, m / 2, Activation::SquaredRelu).with_symmetric_start();
    Model::builder(specification).seed(seed).device(Device::cpu(2)).build().unwrap()
}

fn inner() -> Pgd {
    Pgd::new(10)
}

fn strong() -> Pgd {
    Pgd::new(60).with_step_size(0.1).with_restarts(10).with_seed(9)
}

fn threat(radius: f64) -> ThreatModel {
    ThreatModel::l2(radius).unwrap()
}

fn worst_loss(model: &Model<f64>, x: &Matrix<f64>, y: &Matrix<f64>, threat: &ThreatModel, loss: &dyn Loss) -> f64 {
    let goal = LargestLoss(loss);
    let problem = Problem::new(model, x, y).with_goal(&goal).with_criterion(Criterion::None);
    strong().run(&problem, threat).unwrap().after()
}

fn fit(model: &Model<f64>, x: &Matrix<f64>, y: &Matrix<f64>, radius: f64) -> RobustFit {
    let attack = Pgd::new(30).with_restarts(2);
    robust_fit(model, x, y, &threat(radius), &attack, RobustFitConfig::default()).unwrap()
}

/// Gradient descent with η = e₀·n/λ_max(G₀).
fn descent(model: &Model<f64>, x: &Matrix<f64>, e0: f64) -> Sgd<f64> {
    let spectrum = eigen(&model.tangent(x).unwrap().gram(), 1).unwrap();
    let largest = spectrum.values.iter().copied().fold(0.0, f64::max);
    let mut config = SgdConfig::default();
    (config.learning_rate, config.momentum) = (e0 * SAMPLES as f64 / largest, 0.0);
    Sgd::new(config).unwrap()
}

fn at(model: &Model<f64>, direction: &[f64], length: f64) -> Model<f64> {
    let mut moved = model.clone();
    let theta: Vec<f64> = model.theta().iter().zip(direction).map(|(t, d)| t + length * d).collect();
    moved.set_theta(&theta).unwrap();
    moved
}

#[test]
fn gradient_descent_on_attacked_samples_drives_the_robust_hinge_loss_to_zero_within_the_ball() {
    let (x, y) = sphere(1, 0.6);
    let mut model = network(512, 2);
    let radius = 1.5 * fit(&model, &x, &y, 0.2).norm;
    let ball = ParameterBall::around(&model, radius).unwrap();
    let mut optimizer = descent(&model, &x, 0.5);
    let mut training = AdversarialTraining::new(inner(), threat(0.2)).within(ball);
    let batch = Batch::new(&x, &y).with_loss(&HingeLoss);
    let mut first = None;
    for step in 0..200 {
        let info = training.step(&mut optimizer, &mut model, &batch).unwrap();
        assert!(info.distances.iter().all(|layer| layer.distance <= radius * (1.0 + 1e-12)), "{:?}", info.distances);
        assert!(info.robust_loss >= info.clean_loss - 1e-12);
        if info.robust_loss <= 0.01 {
            first.get_or_insert(step);
        }
    }
    assert!(first.is_some_and(|step| step <= 150), "{first:?}");
    let robust = worst_loss(&model, &x, &y, &threat(0.2), &HingeLoss);
    assert!(robust <= 0.02, "{robust}");
}

#[test]
fn a_tight_ball_is_respected_and_keeps_the_robust_loss_up() {
    let (x, y) = sphere(1, 0.6);
    let mut model = network(256, 2);
    let radius = 0.5 * fit(&model, &x, &y, 0.2).norm;
    let ball = ParameterBall::around(&model, radius).unwrap();
    let mut optimizer = descent(&model, &x, 0.1);
    let mut training = AdversarialTraining::new(inner(), threat(0.2)).within(ball.clone());
    let batch = Batch::new(&x, &y).with_loss(&HingeLoss);
    let mut lowest = f64::INFINITY;
    for _ in 0..150 {
        lowest = lowest.min(training.step(&mut optimizer, &mut model, &batch).unwrap().robust_loss);
    }
    let distances = ball.distances(&model).unwrap();
    assert!((distances[0].distance - radius).abs() < 1e-9 * radius, "{distances:?}");
    // Half of the norm that the margin 1 needs leaves at least about half of the hinge at the tightest samples.
    assert!((0.2..0.6).contains(&lowest), "{lowest}");
}

#[test]
fn a_robust_fit_exists_near_the_start_and_is_better_the_wider_the_network() {
    let (x, y) = sphere(3, 0.6);
    let losses: Vec<f64> = [64, 256, 1024]
        .map(|m| {
            let model = network(m, 4);
            let fit = fit(&model, &x, &y, 0.2);
            assert!(fit.converged, "m = {m}: {fit:?}");
            assert!(fit.norm < 14.0, "m = {m}: {}", fit.norm);
            worst_loss(&at(&model, &fit.direction, 1.1), &x, &y, &threat(0.2), &HingeLoss)
        })
        .to_vec();
    assert!(losses[0] < 0.1 && losses[1] < 0.02 && losses[2] < 1e-3, "{losses:?}");
    assert!(losses[1] <= losses[0] && losses[2] <= losses[1], "{losses:?}");
}

/// The optimum of a ball lies in it, is known to the tolerance, and nothing in the ball is below its bound; it falls as the
/// ball grows, to nothing where a robust fit has room.
#[test]
fn no_linearised_network_of_a_ball_is_more_robust_than_the_optimum() {
    let (x, y) = sphere(7, 0.6);
    let model = network(128, 8);
    let fitted = fit(&model, &x, &y, 0.2);
    let mut linear = LinearisedModel::new(model.clone());
    let mut worst = |direction: &[f64]| {
        linear.set_displacement(direction.to_vec()).unwrap();
        let problem = Problem::new(&linear, &x, &y).with_goal(&LargestLoss(&SquaredHingeLoss));
        2.0 * strong().run(&problem.with_criterion(Criterion::None), &threat(0.2)).unwrap().after()
    };
    let mut before = f64::INFINITY;
    for share in [0.3, 0.6, 1.2] {
        let radius = share * fitted.norm;
        let config = {
            let mut config = RobustFitConfig::default();
            config.tolerance = 1e-3;
            config
        };
        let found = robust_optimum(&model, &x, &y, &threat(0.2), &strong(), radius, config).unwrap();
        assert!(norm(&found.direction) <= radius * (1.0 + 1e-12) && found.loss - found.least <= 1e-3, "{share}");
        assert!((worst(&found.direction) - found.loss).abs() < 1e-3, "{share}");
        assert!(found.loss < before, "{share}");
        before = found.loss;
        let scaled = |v: &[f64]| v.iter().map(|entry| entry * radius / norm(v)).collect::<Vec<_>>();
        let mixed: Vec<f64> = fitted.direction.iter().zip(&found.direction).map(|(a, b)| a + 0.5 * b).collect();
        for rival in [&fitted.direction, &mixed, &model.theta()] {
            assert!(worst(&scaled(rival)) >= found.least, "{share}");
        }
    }
    assert!(before < 1e-3, "{before}");
}

#[test]
fn a_robust_fit_needs_a_longer_way_the_larger_the_radius() {
    let (x, y) = sphere(5, 0.6);
    let model = network(512, 6);
    let norms = [0.0, 0.1, 0.2].map(|radius| fit(&model, &x, &y, radius).norm);
    assert!(norms[0] < norms[1] && norms[1] < norms[2], "{norms:?}");
    assert!(norms[2] > 1.5 * norms[0], "{norms:?}");
}

#[test]
fn gram_gauss_newton_as_the_outer_step_takes_a_few_steps_where_gradient_descent_takes_dozens() {
    let (x, y) = sphere(1, 0.6);
    let start = network(1024, 2);
    let batch = Batch::new(&x, &y).with_loss(&SquaredHingeLoss);
    let steps = |optimizer: &mut dyn Optimizer<f64>| {
        let mut model = start.clone();
        let mut training = AdversarialTraining::new(inner(), threat(0.2));
        (0..300).find(|_| training.step(optimizer, &mut model, &batch).unwrap().robust_loss <= 1e-3)
    };
    let config = GramGaussNewtonConfig::default().with_damping(Damping::Relative(0.01));
    let second_order = steps(&mut GramGaussNewton::new(config).unwrap()).unwrap();
    let first_order = steps(&mut descent(&start, &x, 0.5)).unwrap_or(300);
    assert!(second_order <= 8, "{second_order}");
    assert!(first_order >= 4 * second_order, "{first_order} against {second_order}");
}

#[test]
fn opposite_twins_within_twice_the_radius_cannot_be_fitted_robustly_by_any_parameters() {
    let (x, y) = sphere(1, 0.6);
    let (pairs, n) = (2, SAMPLES + 4);
    // Twins at distance 0.3 < 2·0.2 with opposite labels.
    let twin = |j: usize| 2 * j;
    let moved = |j: usize, c: usize| x[(twin(j), c)] + if c == j { 0.3 } else { 0.0 };
    let all = Matrix::from_fn(n, INPUTS, |i, c| if i < SAMPLES { x[(i, c)] } else { moved((i - SAMPLES) % pairs, c) });
    let all = all.select_rows(&(0..SAMPLES + pairs).collect::<Vec<_>>());
    let labels =
        Matrix::from_fn(SAMPLES + pairs, 1, |i, _| if i < SAMPLES { y[(i, 0)] } else { -y[(twin(i - SAMPLES), 0)] });
    let middle = Matrix::from_fn(SAMPLES + pairs, INPUTS, |i, c| {
        let partner = |i: usize, c: usize| match (0..pairs).find(|&j| twin(j) == i) {
            Some(j) => moved(j, c),
            None if i >= SAMPLES => x[(twin(i - SAMPLES), c)],
            None => all[(i, c)],
        };
        0.5 * (all[(i, c)] + partner(i, c))
    });
    let attack = || Strongest::new(vec![Box::new(inner()), Box::new(Candidates(middle.clone()))]);
    let batch = Batch::new(&all, &labels).with_loss(&HingeLoss);
    let bound = 2.0 * pairs as f64 / (SAMPLES + pairs) as f64;
    let lowest = |radius: f64| {
        let mut model = network(512, 2);
        let mut optimizer = descent(&model, &all, 0.5);
        let mut training = AdversarialTraining::new(attack(), threat(radius));
        let losses = (0..300).map(|_| training.step(&mut optimizer, &mut model, &batch).unwrap());
        losses
            .fold((f64::INFINITY, f64::INFINITY), |low, info| (low.0.min(info.robust_loss), low.1.min(info.clean_loss)))
    };
    let (robust, _) = lowest(0.2);
    assert!(robust >= bound - 1e-12, "{robust} < {bound}");
    let (_, clean) = lowest(0.0);
    assert!(clean < 0.1 * bound, "{clean}");
}

/// With g_t the gradient at the attacked inputs A_t and θ* the robust fit: L_A(θ_t) − L(θ*; A_t) ≤ ⟨g_t, θ_t − θ*⟩ (almost
/// convexity), and therefore mean L_A ≤ mean L(θ*; A_t) + R²/(2ηT) + ½η mean ‖g_t‖², R = ‖θ₀ − θ*‖.
#[test]
fn every_step_is_almost_convex_and_the_mean_robust_loss_is_below_the_bound_of_gradient_descent() {
    let (x, y) = sphere(1, 0.6);
    let mut model = network(1024, 2);
    let fit = fit(&model, &x, &y, 0.2);
    let best = at(&model, &fit.direction, 1.05);
    let target = best.theta();
    let mut optimizer = descent(&model, &x, 0.5);
    let mut training = AdversarialTraining::new(inner(), threat(0.2));
    let batch = Batch::new(&x, &y).with_loss(&HingeLoss);
    let steps = 60;
    let (mut mean, mut reference, mut squares, mut eta) = (0.0, 0.0, 0.0, 0.0);
    for _ in 0..steps {
        let attacked = training.attack(&model, &batch).unwrap();
        let there = batch.with_inputs(&attacked.inputs).loss(&best).unwrap();
        let before = model.theta();
        let info = training.step(&mut optimizer, &mut model, &batch).unwrap();
        eta = info.step.learning_rate;
        let gradient: Vec<f64> = before.iter().zip(model.theta()).map(|(a, b)| (a - b) / eta).collect();
        let way: Vec<f64> = before.iter().zip(&target).map(|(a, b)| a - b).collect();
        let gap = info.robust_loss - there - dot(&gradient, &way);
        assert!(gap <= 1e-9, "{gap:e}");
        mean += info.robust_loss / f64::from(steps);
        reference += there / f64::from(steps);
        squares += dot(&gradient, &gradient) / f64::from(steps);
    }
    let bound = reference + (1.05 * fit.norm).powi(2) / (2.0 * eta * f64::from(steps)) + 0.5 * eta * squares;
    assert!(mean <= bound, "{mean} > {bound}");
    assert!(bound < 2.0 && reference < 0.05, "{bound} {reference}");
}

#[test]
fn the_radius_of_a_warm_up_rises_in_proportion_to_the_steps() {
    let (x, y) = sphere(1, 0.6);
    let mut model = network(64, 2);
    let mut optimizer = descent(&model, &x, 0.1);
    let mut training = AdversarialTraining::new(inner(), threat(0.2)).with_warm_up(4);
    let batch = Batch::new(&x, &y).with_loss(&HingeLoss);
    for expected in [0.05, 0.1, 0.15, 0.2, 0.2] {
        assert!((training.threat().unwrap().radius() - expected).abs() < 1e-15);
        let attacked = training.attack(&model, &batch).unwrap();
        assert!(attacked.samples.iter().all(|sample| sample.size <= expected * (1.0 + 1e-12)));
        training.step(&mut optimizer, &mut model, &batch).unwrap();
    }
}

#[test]
fn projection_on_the_parameter_ball_is_radial_and_leaves_frozen_spans() {
    let mut model = network(64, 1);
    let ball = ParameterBall::around(&model, 0.5).unwrap();
    let start = model.theta();
    let noise = matrix::<f64>(3, 1, start.len());
    let theta: Vec<f64> = start.iter().zip(noise.as_slice()).map(|(t, e)| t + e).collect();
    model.set_theta(&theta).unwrap();
    ball.project(&mut model).unwrap();
    let moved = model.theta();
    let trainable: Vec<usize> =
        model.spans().iter().filter(|span| span.weight > 0.0).flat_map(gramstep::model::Span::range).collect();
    let change: Vec<f64> = trainable.iter().map(|&j| moved[j] - start[j]).collect();
    let direction: Vec<f64> = trainable.iter().map(|&j| noise.as_slice()[j]).collect();
    assert!((norm(&change) - 0.5).abs() < 1e-12);
    assert!((dot(&change, &direction) - norm(&change) * norm(&direction)).abs() < 1e-9);
    let frozen = (0..start.len()).filter(|j| !trainable.contains(j));
    assert!(frozen.into_iter().all(|j| moved[j] == theta[j]));
    // Inside, nothing moves.
    let inside = ball.project(&mut model).unwrap();
    assert_eq!(model.theta(), moved);
    assert!((inside[0].distance - 0.5).abs() < 1e-12);
    assert!(ParameterBall::around(&model, -1.0).is_err() && ParameterBall::around(&model, f64::NAN).is_err());
}

//! The posterior of a trained network: linearised Laplace against a dense one over all parameters.

use gramstep::kernel::{Coverage, LinearisedLaplace, Ridge};
use gramstep::model::Parameterization;
use gramstep::optim::{AdaptiveDamping, Batch, Damping, GramGaussNewton, GramGaussNewtonConfig, Optimizer};
use gramstep::solve::eigen;
use gramstep::{Activation, Device, Matrix, Model, Specification};

use super::cases::{dot, eliminate, matrix, normal};

/// A network of two outputs, its data, and new points.
fn problem() -> (Model<f64>, Matrix<f64>, Matrix<f64>, Matrix<f64>) {
    let ntk = Parameterization::Ntk { weight_variance: 1.5, bias_variance: 0.1 };
    let specification = Specification::mlp(&[3, 96, 2], Activation::Tanh).with_parameterization(ntk);
    let model = Model::builder(specification).seed(2).device(Device::cpu(2)).build().unwrap();
    (model, matrix(12, 14, 3), matrix(13, 14, 2), matrix(14, 5, 3))
}

#[test]
fn the_laplace_variance_is_that_of_the_linearised_network() {
    let (model, x, y, new) = problem();
    let laplace = LinearisedLaplace::fit(&model, &x, &y, Ridge::Fixed(0.3), 1 << 30, 0).unwrap();
    assert_eq!(laplace.coverage(), Coverage::All);
    let s2 = laplace.noise_variance();
    // Primal: s² j (JᵀJ + κI)⁻¹ jᵀ for every row j of the new Jacobian.
    let (jacobian, other) = (model.tangent(&x).unwrap().jacobian(), model.tangent(&new).unwrap().jacobian());
    let p = jacobian.columns();
    let column = |q: usize| (0..28).map(|i| jacobian[(i, q)]).collect::<Vec<f64>>();
    let columns: Vec<Vec<f64>> = (0..p).map(column).collect();
    let hessian: Vec<Vec<f64>> = (0..p)
        .map(|q| (0..p).map(|r| dot(&columns[q], &columns[r]) + if q == r { 0.3 } else { 0.0 }).collect())
        .collect();
    let covariance = laplace.covariance(&new).unwrap();
    for (r, q) in (0..10).flat_map(|r| (0..10).map(move |q| (r, q))) {
        let expected = s2 * dot(other.row(r), &eliminate(hessian.clone(), other.row(q).to_vec()));
        assert!((covariance[(r, q)] - expected).abs() < 1e-8 * covariance[(r, r)].max(covariance[(q, q)]), "{r} {q}");
    }
    let deviation = laplace.deviation(&new).unwrap();
    for i in 0..5 {
        for a in 0..2 {
            let row = other.row(2 * i + a);
            let variance = s2 * dot(row, &eliminate(hessian.clone(), row.to_vec()));
            assert!((deviation[(i, a)] / variance.sqrt() - 1.0).abs() < 1e-8);
            let observed = laplace.observation_deviation(&new).unwrap();
            assert!((observed[(i, a)] / (variance + s2).sqrt() - 1.0).abs() < 1e-8);
        }
    }
    // A budget for half of the rows gives a wider posterior, and says so.
    let half = LinearisedLaplace::fit(&model, &x, &y, Ridge::Fixed(0.3), 7 * 7 * 4 * 24, 0).unwrap();
    assert_eq!(half.coverage(), Coverage::Rows { used: 7, of: 14 });
    let wider = half.deviation(&new).unwrap();
    for (wide, narrow) in wider.as_slice().iter().zip(deviation.as_slice()) {
        assert!(wide / half.noise_variance().sqrt() >= narrow / s2.sqrt() * (1.0 - 1e-9));
    }
}

#[test]
fn intervals_of_the_laplace_posterior_cover_what_they_say() {
    // y = g(x) + noise on 150 points; 1000 held-out observations.
    let noise = normal::<f64>(30, 1150);
    let x = matrix::<f64>(31, 1150, 2);
    let y = Matrix::from_fn(1150, 1, |i, _| (1.5 * x[(i, 0)]).sin() + 0.5 * x[(i, 1)] + 0.3 * noise[i]);
    let (train, test): (Vec<usize>, Vec<usize>) = (0..1150).partition(|&i| i < 150);
    let (x_train, y_train) = (x.select_rows(&train), y.select_rows(&train));
    let mut model = Model::<f64>::mlp(&[2, 48, 1], Activation::Tanh).seed(5).device(Device::cpu(2)).build().unwrap();
    let damping = Damping::Adaptive(AdaptiveDamping::default());
    let mut config = GramGaussNewtonConfig::default().with_damping(damping);
    config.ridge = 0.5;
    let mut optimizer = GramGaussNewton::new(config).unwrap();
    for _ in 0..60 {
        optimizer.step(&mut model, &Batch::new(&x_train, &y_train)).unwrap();
    }
    let laplace = LinearisedLaplace::fit(&model, &x_train, &y_train, Ridge::Fixed(0.5), 1 << 30, 0).unwrap();
    assert!((laplace.noise_variance() / 0.09 - 1.0).abs() < 0.3, "{}", laplace.noise_variance());
    let held_out = x.select_rows(&test);
    let (f, deviation) = (model.predict(&held_out).unwrap(), laplace.observation_deviation(&held_out).unwrap());
    let inside = |(at, &i): (usize, &usize)| (y[(i, 0)] - f[(at, 0)]).abs() <= 1.644_853_63 * deviation[(at, 0)];
    let covered = test.iter().enumerate().filter(|pair| inside(*pair)).count() as f64 / 1000.0;
    assert!((0.85..=0.95).contains(&covered), "{covered} of 0.9");
}

/// y = g(x) + noise of variance 0.09/w.
fn noisy(samples: usize, inputs: usize, weights: &[f64]) -> (Matrix<f32>, Matrix<f32>) {
    let (x, noise) = (matrix::<f64>(41, samples, inputs), normal::<f64>(42, samples));
    let g = |row: &[f64]| (1.5 * row[0]).sin() + 0.5 * row[inputs - 1];
    let y = Matrix::from_fn(samples, 1, |i, _| g(x.row(i)) + 0.3 * noise[i] / weights[i].sqrt());
    (x.cast(), y.cast())
}

/// Sixty rows at a time, or all of them, by Gram-Gauss-Newton steps.
fn trained(sizes: &[usize], x: &Matrix<f32>, y: &Matrix<f32>, weights: &[f64], steps: usize, full: bool) -> Model<f32> {
    let mut model = Model::<f32>::mlp(sizes, Activation::Tanh).seed(5).device(Device::cpu(2)).build().unwrap();
    let config = GramGaussNewtonConfig::default();
    let config = if full {
        config.with_damping(Damping::Adaptive(AdaptiveDamping::default()))
    } else {
        config.with_damping(Damping::Relative(0.3)).with_learning_rate(0.1)
    };
    let mut optimizer = GramGaussNewton::new(config).unwrap();
    for step in 0..steps {
        let rows: Vec<usize> = (0..if full { x.rows() } else { 60 }).map(|i| (i + 60 * step) % x.rows()).collect();
        let weights: Vec<f64> = rows.iter().map(|&i| weights[i]).collect();
        let (x, y) = (x.select_rows(&rows), y.select_rows(&rows));
        optimizer.step(&mut model, &Batch::new(&x, &y).with_weights(&weights)).unwrap();
    }
    model
}

/// The same posterior from A = JᵀŴJ + κI, p×p, Ŵ of mean 1, and t: nothing but sums of numbers ≥ 0 where it matters.
struct Dense {
    /// Eigenvalues of JᵀŴJ, and Jᵀ Ŵ t along its eigenvectors.
    values: Vec<f64>,
    projected: Vec<f64>,
    /// tᵀŴt.
    square: f64,
    samples: f64,
    vectors: gramstep::solve::Eigen,
}

impl Dense {
    fn new(model: &Model<f64>, x: &Matrix<f64>, y: &Matrix<f64>, weights: &[f64]) -> Self {
        let tangent = model.tangent(x).unwrap();
        let (jacobian, mean) = (tangent.jacobian(), weights.iter().sum::<f64>() / weights.len() as f64);
        let p = jacobian.columns();
        let mut t = tangent.jvp(&model.theta()).unwrap();
        let (mut hessian, mut pulled, mut square) = (Matrix::zeros(p, p), vec![0.0; p], 0.0);
        for i in 0..x.rows() {
            t[i] += y[(i, 0)] - tangent.predictions()[(i, 0)];
            let weight = weights[i] / mean;
            for q in 0..p {
                let scaled = weight * jacobian[(i, q)];
                hessian.row_mut(q).iter_mut().zip(jacobian.row(i)).for_each(|(h, j)| *h += scaled * j);
                pulled[q] += scaled * t[i];
            }
            square += weight * t[i] * t[i];
        }
        let vectors = eigen(&hessian, 1).unwrap();
        let values = vectors.values.iter().map(|value| value.max(0.0)).collect();
        Self { values, projected: vectors.project(&pulled), square, samples: x.rows() as f64, vectors }
    }

    /// s² = tᵀ(K/κ + Ŵ⁻¹)⁻¹t/n.
    fn noise(&self, ridge: f64) -> f64 {
        let explained = self.values.iter().zip(&self.projected).map(|(e, q)| q * q / (e + ridge)).sum::<f64>();
        (self.square - explained) / self.samples
    }

    /// The κ at which the effective parameters γ = Σ e/(e + κ) and κ·θᵀθ/s² are equal, θ = A⁻¹JᵀŴt (mackay1992).
    fn ridge(&self, near: f64) -> f64 {
        let excess = |ridge: f64| {
            let effective: f64 = self.values.iter().map(|e| e / (e + ridge)).sum();
            let theta = self.values.iter().zip(&self.projected).map(|(e, q)| (q / (e + ridge)).powi(2)).sum::<f64>();
            effective - ridge * theta / self.noise(ridge)
        };
        let (mut low, mut high) = (0.9 * near, 1.1 * near);
        assert!(excess(low) > 0.0 && excess(high) < 0.0, "the evidence rises before {near} and falls behind it");
        for _ in 0..60 {
            let middle = f64::midpoint(low, high);
            *(if excess(middle) > 0.0 { &mut low } else { &mut high }) = middle;
        }
        low
    }

    /// s·√(j A⁻¹ jᵀ).
    fn deviation(&self, row: &[f64], ridge: f64) -> f64 {
        let turned = self.vectors.project(row);
        let inside: f64 = turned.iter().zip(&self.values).map(|(g, e)| g * g / (e + ridge)).sum();
        (self.noise(ridge) * inside).sqrt()
    }
}

#[test]
fn the_posterior_of_the_evidence_is_the_dense_one_for_any_number_of_rows() {
    for (sizes, samples, full) in [
        (vec![2, 16, 1], 60, false),
        (vec![1, 30, 1], 60, true),
        (vec![2, 16, 1], 600, true),
        (vec![1, 30, 1], 600, false),
        (vec![2, 16, 1], 3000, true),
    ] {
        for weighted in [false, true] {
            if weighted && samples == 3000 {
                continue;
            }
            let name = format!("{sizes:?}, {samples} rows, full batch {full}, weighted {weighted}");
            let weights: Vec<f64> = (0..samples).map(|i| if weighted { 0.25 + (i % 5) as f64 } else { 1.0 }).collect();
            let (x, y) = noisy(samples, sizes[0], &weights);
            let model = trained(&sizes, &x, &y, &weights, 60, full);
            let given = weighted.then_some(weights.as_slice());
            let laplace = LinearisedLaplace::fit_weighted(&model, &x, &y, given, Ridge::Evidence, 1 << 30, 0).unwrap();
            let wide = model.cast::<f64>().unwrap();
            let dense = Dense::new(&wide, &x.cast(), &y.cast(), &weights);
            let mean = weights.iter().sum::<f64>() / samples as f64;
            let ridge = dense.ridge(laplace.ridge() / mean);
            let close = |what: &str, got: f64, want: f64| {
                assert!((got / want - 1.0).abs() < 1e-8, "{name}: {what} {got}, dense {want}");
            };
            close("ridge", laplace.ridge() / mean, ridge);
            close("noise", laplace.noise_variance(), dense.noise(ridge));
            if samples >= 600 {
                let noise = laplace.noise_variance() * mean;
                assert!((noise / 0.09 - 1.0).abs() < 0.15, "{name}: noise {noise} of 0.09");
            }
            let new: Matrix<f64> = matrix(43, 7, sizes[0]);
            let jacobian = wide.tangent(&new).unwrap().jacobian();
            let (deviation, observed) =
                (laplace.deviation(&new).unwrap(), laplace.observation_deviation(&new).unwrap());
            for i in 0..7 {
                let want = dense.deviation(jacobian.row(i), ridge);
                close("deviation", deviation[(i, 0)], want);
                close("deviation of an observation", observed[(i, 0)], want.hypot(dense.noise(ridge).sqrt()));
            }
        }
    }
}

#[test]
fn the_evidence_finds_the_noise_of_a_network_with_far_more_parameters_than_rows() {
    let weights = [1.0; 600];
    let (x, y) = noisy(600, 2, &weights);
    let model = trained(&[2, 128, 128, 1], &x, &y, &weights, 60, false);
    assert!(model.parameter_count() > 20 * 600);
    let laplace = LinearisedLaplace::fit(&model, &x, &y, Ridge::Evidence, 1 << 30, 0).unwrap();
    assert!((laplace.noise_variance() / 0.09 - 1.0).abs() < 0.15, "{}", laplace.noise_variance());
    assert!((5.0..150.0).contains(&laplace.effective_parameters()), "{}", laplace.effective_parameters());
}

#[test]
fn the_scale_of_the_weights_changes_no_posterior() {
    let weights: Vec<f64> = (0..80).map(|i| 0.5 + f64::from(i % 4)).collect();
    let (x, y) = noisy(80, 2, &weights);
    let model = trained(&[2, 12, 1], &x, &y, &weights, 40, false);
    let new: Matrix<f64> = matrix(44, 6, 2);
    let of = |factor: f64| {
        let scaled: Vec<f64> = weights.iter().map(|w| factor * w).collect();
        LinearisedLaplace::fit_weighted(&model, &x, &y, Some(&scaled), Ridge::Evidence, 1 << 30, 0).unwrap()
    };
    let one = of(1.0);
    for factor in [1e-6, 0.3, 1e6] {
        let other = of(factor);
        assert!((other.ridge() / (factor * one.ridge()) - 1.0).abs() < 1e-9, "{factor}");
        assert!((other.noise_variance() / one.noise_variance() - 1.0).abs() < 1e-9, "{factor}");
        let (same, before) = (other.deviation(&new).unwrap(), one.deviation(&new).unwrap());
        assert!(same.as_slice().iter().zip(before.as_slice()).all(|(a, b)| (a / b - 1.0).abs() < 1e-9), "{factor}");
    }
}

//! A user brings functions, a layer and a loss of their own; nothing else has to change.

use std::sync::Arc;

use gramstep::device::{Operations, Order, Pointwise, Tile, TileMut, WriteMode};
use gramstep::loss::{AbsoluteLoss, CrossEntropyLoss, Curvature, Loss};
use gramstep::model::Distribution;
use gramstep::model::layer::{Call, Dense, Layer, Nonlinear, Stage};
use gramstep::optim::{AdaptiveDamping, Batch, Damping, GramGaussNewton, GramGaussNewtonConfig, Optimizer};
use gramstep::{Device, Matrix, Model};

use super::cases::{assert_close, dot, matrix, normal};

/// z + z³/10
#[derive(Debug)]
struct Cubic;

impl Pointwise<f64> for Cubic {
    fn derivatives(&self) -> usize {
        4
    }
    fn evaluate(&self, order: Order, z: &[f64], out: &mut [f64]) {
        for (out, z) in out.iter_mut().zip(z) {
            *out = match order {
                Order::Value => z + 0.1 * z.powi(3),
                Order::First => 1.0 + 0.3 * z * z,
                Order::Second => 0.6 * z,
                Order::Third => 0.6,
                _ => 0.0,
            };
        }
    }
}

/// Turns the values of a sample around.
#[derive(Debug)]
struct Reverse(usize);

impl Reverse {
    fn turn(from: Tile<'_, f64>, mut to: TileMut<'_, f64>, mode: WriteMode) {
        let width = from.columns();
        for (from, to) in from.host().chunks_exact(width).zip(to.host().chunks_exact_mut(width)) {
            for (from, to) in from.iter().rev().zip(to) {
                *to = if mode == WriteMode::Replace { *from } else { *to + from };
            }
        }
    }
}

impl Layer<f64> for Reverse {
    fn output_len(&self) -> usize {
        self.0
    }
    fn forward(&self, _: &Call<'_, f64>, inputs: &[Tile<'_, f64>], out: TileMut<'_, f64>, _: bool, mode: WriteMode) {
        Self::turn(inputs[0], out, mode);
    }
    fn backward(
        &self,
        _: &Call<'_, f64>,
        _: &[Tile<'_, f64>],
        _: usize,
        delta: Tile<'_, f64>,
        into: TileMut<'_, f64>,
        mode: WriteMode,
    ) {
        Self::turn(delta, into, mode);
    }
}

/// x·‖x‖²/10: every output depends on all inputs of its sample.
#[derive(Debug)]
pub(crate) struct Swell(pub(crate) usize);

impl Nonlinear<f64> for Swell {
    fn output_len(&self) -> usize {
        self.0
    }
    fn value(&self, _: &dyn Operations<f64>, x: Tile<'_, f64>, out: TileMut<'_, f64>) {
        out.for_each_row(|i, out| {
            let square = dot(x.row(i), x.row(i));
            out.iter_mut().zip(x.row(i)).for_each(|(out, x)| *out = 0.1 * x * square);
        });
    }
    fn jvp(&self, _: &dyn Operations<f64>, x: Tile<'_, f64>, v: Tile<'_, f64>, out: TileMut<'_, f64>) {
        out.for_each_row(|i, out| {
            let (x, v) = (x.row(i), v.row(i));
            let (square, product) = (dot(x, x), dot(x, v));
            out.iter_mut().zip(x.iter().zip(v)).for_each(|(out, (x, v))| *out = 0.1 * (v * square + 2.0 * x * product));
        });
    }
    fn vjp(
        &self,
        _: &dyn Operations<f64>,
        x: Tile<'_, f64>,
        u: Tile<'_, f64>,
        into: TileMut<'_, f64>,
        mode: WriteMode,
    ) {
        let cotangents = u.rows() / x.rows();
        into.for_each_row(|row, into| {
            let (x, u) = (x.row(row / cotangents), u.row(row));
            let (square, product) = (dot(x, x), dot(x, u));
            for (into, (x, u)) in into.iter_mut().zip(x.iter().zip(u)) {
                let before = if mode == WriteMode::Replace { 0.0 } else { *into };
                *into = before + 0.1 * (u * square + 2.0 * x * product);
            }
        });
    }
    fn second_order(
        &self,
        _: &dyn Operations<f64>,
        x: Tile<'_, f64>,
        v: Tile<'_, f64>,
        u: Tile<'_, f64>,
        into: TileMut<'_, f64>,
    ) {
        into.for_each_row(|i, into| {
            let (x, v, u) = (x.row(i), v.row(i), u.row(i));
            let (uv, xv, xu) = (dot(u, v), dot(x, v), dot(x, u));
            for (j, into) in into.iter_mut().enumerate() {
                *into += 0.2 * (x[j] * uv + u[j] * xv + v[j] * xu);
            }
        });
    }
}

/// Σ ln cosh r, with the re-weighted curvature tanh(r)/r.
#[derive(Debug)]
struct LogCosh;

impl Loss for LogCosh {
    fn name(&self) -> &'static str {
        "log-cosh"
    }
    fn value(&self, f: &[f64], y: &[f64]) -> f64 {
        f.iter().zip(y).map(|(f, y)| (f - y).cosh().ln()).sum()
    }
    fn gradient(&self, f: &[f64], y: &[f64], g: &mut [f64]) {
        g.iter_mut().zip(f.iter().zip(y)).for_each(|(g, (f, y))| *g = (f - y).tanh());
    }
    fn curvature(&self) -> Curvature {
        Curvature::Diagonal
    }
    fn factor(&self, f: &[f64], y: &[f64], factor: &mut [f64], z: &mut [f64]) {
        for ((b, z), (f, y)) in factor.iter_mut().zip(z).zip(f.iter().zip(y)) {
            let r = f - y;
            *b = if r == 0.0 { 1.0 } else { (r.tanh() / r).sqrt() };
            *z = r.tanh() / *b;
        }
    }
}

/// With the function in the middle, or without.
fn network(swell: bool) -> Model<f64> {
    let dense = |inputs, outputs: usize| {
        let dense = Dense::new(inputs, outputs, 1.0, Distribution::Normal(0.4)).with_bias(1.0, Distribution::Zeros);
        Stage::Layer(Arc::new(dense))
    };
    let mut stages = vec![
        Stage::Pointwise(Arc::new(Cubic)),
        dense(4, 20),
        Stage::Layer(Arc::new(Reverse(20))),
        Stage::Pointwise(Arc::new(Cubic)),
        dense(20, 2),
    ];
    if swell {
        stages.insert(3, Stage::Nonlinear(Arc::new(Swell(20))));
    }
    Model::from_stages(4, stages).seed(3).device(Device::cpu(2)).build().unwrap()
}

#[test]
fn tangent_identities_hold_for_a_users_own_stages() {
    let model = network(true);
    let (x, v) = (matrix(1, 6, 4), normal::<f64>(2, model.parameter_count()));
    let tangent = model.tangent(&x).unwrap();
    let jacobian = tangent.jacobian();
    let twin = Matrix::from_fn(12, 12, |i, j| dot(jacobian.row(i), jacobian.row(j)));
    assert_close(tangent.gram().as_slice(), twin.as_slice(), 100.0, "gram");
    let (_, slope) = model.predict_tangent(&x, &v).unwrap();
    assert_close(&tangent.jvp(&v).unwrap(), slope.as_slice(), 100.0, "jvp");
    let u = matrix(4, 6, 2);
    let (first, second) = (model.input_gradient(&x, &u).unwrap(), model.tangent_input_gradient(&x, &v, &u).unwrap());
    let moved = |step: f64| Matrix::from_fn(6, 4, |i, j| x[(i, j)] + if j == 2 { step } else { 0.0 });
    let (up, down) =
        (model.predict_tangent(&moved(1e-5), &v).unwrap(), model.predict_tangent(&moved(-1e-5), &v).unwrap());
    for i in 0..6 {
        let slope =
            |up: &Matrix<f64>, down: &Matrix<f64>| (dot(u.row(i), up.row(i)) - dot(u.row(i), down.row(i))) / 2e-5;
        assert!((first[(i, 2)] - slope(&up.0, &down.0)).abs() < 1e-6);
        assert!((second[(i, 2)] - slope(&up.1, &down.1)).abs() < 1e-6);
    }
}

/// Another loss, of which only value and gradient are known.
#[derive(Debug)]
struct Bare<L>(L);

impl<L: Loss> Loss for Bare<L> {
    fn name(&self) -> &'static str {
        "bare"
    }
    fn value(&self, f: &[f64], y: &[f64]) -> f64 {
        self.0.value(f, y)
    }
    fn gradient(&self, f: &[f64], y: &[f64], g: &mut [f64]) {
        self.0.gradient(f, y, g);
    }
}

/// −r²/2 + r⁴/4: a saddle at 0, least at ±1.
#[derive(Debug)]
struct DoubleWell;

impl Loss for DoubleWell {
    fn name(&self) -> &'static str {
        "double well"
    }
    fn value(&self, f: &[f64], y: &[f64]) -> f64 {
        f.iter().zip(y).map(|(f, y)| (f - y).powi(4) / 4.0 - (f - y).powi(2) / 2.0).sum()
    }
    fn gradient(&self, f: &[f64], y: &[f64], g: &mut [f64]) {
        g.iter_mut().zip(f.iter().zip(y)).for_each(|(g, (f, y))| *g = (f - y).powi(3) - (f - y));
    }
}

/// B Bᵀ and B z.
fn squared(loss: &dyn Loss, f: &[f64], y: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let k = f.len();
    let (mut b, mut z) = (vec![0.0; k * k], vec![0.0; k]);
    loss.factor(f, y, &mut b, &mut z);
    let b = Matrix::from_vec(k, k, b).unwrap();
    ((0..k * k).map(|at| dot(b.row(at / k), b.row(at % k))).collect(), (0..k).map(|i| dot(b.row(i), &z)).collect())
}

#[test]
fn a_loss_without_a_factor_gets_one_from_its_gradient() {
    let (f, y) = ([0.3, -1.2, 0.9], [0.0, 1.0, 0.0]);
    let ((q, g), (twin, gradient)) = (squared(&Bare(CrossEntropyLoss), &f, &y), squared(&CrossEntropyLoss, &f, &y));
    assert!(q.iter().zip(&twin).all(|(q, twin)| (q - twin).abs() < 1e-7), "{q:?} and {twin:?}");
    assert!(g.iter().zip(&gradient).all(|(g, twin)| (g - twin).abs() < 1e-12), "{g:?} and {gradient:?}");
    // On the hill the size of the curvature counts, and where there is none, 1.
    let (q, g) = squared(&DoubleWell, &[0.2], &[0.0]);
    assert!((q[0] - (1.0 - 3.0 * 0.04)).abs() < 1e-8 && (g[0] - (0.008 - 0.2)).abs() < 1e-15);
    let (q, g) = squared(&Bare(AbsoluteLoss), &[3.0], &[1.0]);
    assert_eq!((q[0], g[0]), (1.0, 1.0));
}

#[test]
fn a_users_own_loss_is_minimised() {
    minimises(&LogCosh, 15);
    // The Hessian of a large residual is nearly 0 where the weight that LogCosh uses is not: more steps.
    minimises(&Bare(LogCosh), 40);
}

fn minimises(loss: &dyn Loss, steps: usize) {
    let mut model = network(false);
    let (x, y) = (matrix(5, 10, 4), matrix(6, 10, 2));
    let batch = Batch::new(&x, &y).with_loss(loss);
    let config = GramGaussNewtonConfig::default().with_damping(Damping::Adaptive(AdaptiveDamping::default()));
    let mut optimizer = GramGaussNewton::new(config).unwrap();
    let first = batch.loss(&model).unwrap();
    for _ in 0..steps {
        optimizer.step(&mut model, &batch).unwrap();
    }
    assert!(batch.loss(&model).unwrap() < 1e-6 * first);
}

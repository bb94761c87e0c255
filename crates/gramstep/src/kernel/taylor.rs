//! The Taylor expansion of a network around θ₀ to an order up to 4: of order 1 it is its linearisation.

use crate::device::{Buffer, Operations as _, Tile, TileMut};
use crate::error::{Error, Result, check_extent, check_not_negative, check_setting};
use crate::model::layer::{ParameterUse, Stage};
use crate::model::walk::JetPart;
use crate::model::{Model, Span};
use crate::scalar::Scalar;
use crate::solve::{Damped, Solver};
use crate::tangent::{ExplicitPart, LinearPart, Part, TangentFeatures, Term};
use crate::view::{Matrix, MatrixView};

/// The highest order: activations know so many derivatives.
const MOST: usize = 4;

/// Steps of [`TaylorModel::fit`] unless its caller says otherwise.
const STEPS: usize = 200;
/// The damping after the first step that fails, relative to the mean diagonal of G, and its factors later.
const FIRST_DAMPING: f64 = 1e-3;
const RAISE: f64 = 4.0;
const LOWER: f64 = 1.0 / 3.0;
/// Damping beyond which no step helps.
const MOST_DAMPING: f64 = 1e8;

/// f̃(v, x) = Σ_j Dʲf(θ₀, x)\[v, …, v\]/j!, j ≤ order: a polynomial in v = θ − θ₀, as nonlinear in x as the network.
///
/// Coefficients walk through the layers with the values (no differences, no matrices of derivatives), so that a value costs
/// about 2·order forward passes. Functions that are linear piece by piece (relu, max pools) are expanded within their piece:
/// ‖f − f̃‖ is O(‖v‖^(order + 1)) up to the next kink alone.
///
/// ```
/// use gramstep::kernel::TaylorModel;
/// use gramstep::{Activation, Matrix, Model};
/// let model = Model::<f64>::mlp(&[1, 16, 1], Activation::Tanh).seed(3).build()?;
/// let x = Matrix::from_fn(6, 1, |i, _| i as f64 / 3.0 - 1.0);
/// let mut moved = model.clone();
/// let v: Vec<f64> = (0..model.parameter_count()).map(|i| 0.005 * (i as f64).sin()).collect();
/// moved.set_theta(&model.theta().iter().zip(&v).map(|(theta, v)| theta + v).collect::<Vec<_>>())?;
/// let f = moved.predict(&x)?;
/// let error = |order| {
///     let mut taylor = TaylorModel::new(model.clone(), order)?;
///     taylor.set_displacement(v.clone())?;
///     let off = |(a, b): (&f64, &f64)| (a - b).abs();
///     Ok::<_, gramstep::Error>(taylor.predict(&x)?.as_slice().iter().zip(f.as_slice()).map(off).fold(0.0, f64::max))
/// };
/// assert!(error(2)? < 0.5 * error(1)? && error(4)? < 0.5 * error(2)?);
/// # Ok::<(), gramstep::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct TaylorModel<T> {
    model: Model<T>,
    order: usize,
    /// v, p.
    displacement: Vec<T>,
}

/// What [`TaylorModel::fit`] came to.
///
/// ```
/// use gramstep::kernel::TaylorModel;
/// use gramstep::{Activation, Matrix, Model};
/// let x = Matrix::from_fn(6, 1, |i, _| i as f64 / 3.0 - 1.0);
/// let mut taylor = TaylorModel::new(Model::<f64>::mlp(&[1, 32, 1], Activation::Tanh).seed(1).build()?, 2)?;
/// let fit = taylor.fit(&x, &Matrix::from_fn(6, 1, |i, _| (3.0 * x[(i, 0)]).sin()), 0.0, None)?;
/// assert!(fit.converged && fit.loss < 1e-12 && fit.steps > 1);
/// # Ok::<(), gramstep::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct TaylorFit {
    /// Steps that were taken.
    pub steps: usize,
    /// The mean of r² at the end.
    pub loss: f64,
    /// Whether no step lowers ½‖r‖² + ½κ‖v‖² beyond rounding any more.
    pub converged: bool,
}

impl<T: Scalar> TaylorModel<T> {
    /// The expansion at the model's present parameters, v = 0. `order`: 1 to 4.
    ///
    /// # Errors
    /// [`Error::Setting`] if the order is out of range, [`Error::Specification`] naming the first layer that does not know
    /// enough derivatives: a function of the caller's own knows two unless it [says otherwise], and one of whole samples
    /// that is not linear piece by piece is expanded to order 1 alone.
    ///
    /// [says otherwise]: crate::device::Pointwise::derivatives
    pub fn new(model: Model<T>, order: usize) -> Result<Self> {
        check_setting((1..=MOST).contains(&order), "order", &order, "a whole number from 1 to 4")?;
        for node in &model.network().nodes {
            let known = match &node.stage {
                Stage::Pointwise(function) => function.derivatives(),
                Stage::Nonlinear(function) if !function.is_piecewise_linear() => 1,
                Stage::Nonlinear(_) | Stage::Layer(_) => MOST,
            };
            if known < order {
                let reason = format!("its function is expanded to order {known}, not to {order}");
                return Err(Error::Specification { text: node.name.clone(), reason });
            }
        }
        let displacement = vec![T::ZERO; model.parameter_count()];
        Ok(Self { model, order, displacement })
    }

    /// The network at θ₀.
    #[must_use]
    pub fn model(&self) -> &Model<T> {
        &self.model
    }

    /// The degree in v.
    #[must_use]
    pub fn order(&self) -> usize {
        self.order
    }

    /// v = θ − θ₀, p.
    #[must_use]
    pub fn displacement(&self) -> &[T] {
        &self.displacement
    }

    /// Sets v.
    ///
    /// # Errors
    /// [`Error::Shape`] if v does not have p entries.
    pub fn set_displacement(&mut self, v: Vec<T>) -> Result<()> {
        check_extent("displacement of the parameters", self.displacement.len(), v.len())?;
        self.displacement = v;
        Ok(())
    }

    /// f̃(v, x), n×k.
    ///
    /// # Errors
    /// [`Error::Shape`] if x does not fit the network, [`Error::NonFinite`] if an output is infinite or not a number.
    pub fn predict<'x>(&self, x: impl Into<MatrixView<'x, T>>) -> Result<Matrix<T>> {
        Ok(sum(self.terms(x)?))
    }

    /// f, Df\[v\], D²f\[v, v\]/2, …, Dʲf\[v, …, v\]/j!: order + 1 matrices n×k, whose sum is f̃.
    ///
    /// # Errors
    /// Those of [`predict`](Self::predict).
    pub fn terms<'x>(&self, x: impl Into<MatrixView<'x, T>>) -> Result<Vec<Matrix<T>>> {
        let (x, samples) = self.model.upload(x.into())?;
        let (d, k) = (self.model.inputs(), self.model.outputs());
        let v = Buffer::upload(self.displacement.clone());
        let values = self.model.network().slots.iter().sum::<usize>() * (self.order + 1);
        let rows = self.model.device().tile_samples::<T>(samples, self.model.parameter_count(), values, values);
        let mut terms: Vec<Buffer<T>> = (0..=self.order).map(|_| Buffer::zeros(samples * k)).collect();
        let mut works: Vec<(usize, Vec<_>)> =
            (0..samples.div_ceil(rows)).map(|tile| (tile * rows, Vec::new())).collect();
        for term in &mut terms {
            works.iter_mut().zip(term.row_blocks(rows, k)).for_each(|((_, outs), block)| outs.push(block));
        }
        let cost = self.model.network().cost * (2 * samples * self.order) as f64;
        self.model.device().for_each(cost, works, |operations, (start, outs)| {
            let tile = outs.first().map_or(0, TileMut::rows);
            let jets = self.model.walker().jets(operations, &v, x.tile(start * d, tile, d), self.order);
            for (out, coefficient) in outs.into_iter().zip(jets.outputs()) {
                if let Some(coefficient) = coefficient {
                    operations.axpby(out, T::ZERO, T::ONE, coefficient.tile(0, tile, k));
                }
            }
        });
        let terms: Vec<Matrix<T>> =
            terms.into_iter().map(|term| Matrix::from_vec(samples, k, term.into_host())).collect::<Result<_>>()?;
        if terms.iter().flat_map(Matrix::as_slice).all(|value| value.is_finite()) {
            Ok(terms)
        } else {
            Err(Error::NonFinite { what: "Taylor expansion", layer: None })
        }
    }

    /// The tangent features of f̃ at v: G, J w and Jᵀu with J = ∂f̃/∂v, which moves with v beyond order 1. Every training that
    /// takes features trains f̃ ([`GramSystem`](crate::optim::GramSystem), or a gradient by
    /// [`vjp`](TangentFeatures::vjp)). Dense layers have `order` places, gradients of convolutions are written out (n·k·p
    /// numbers).
    ///
    /// # Errors
    /// Those of [`predict`](Self::predict).
    pub fn tangent<'x>(&self, x: impl Into<MatrixView<'x, T>>) -> Result<TangentFeatures<T>> {
        let x = x.into();
        let f = self.predict(x)?;
        let (x, samples) = self.model.upload(x)?;
        let (k, v) = (self.model.outputs(), Buffer::upload(self.displacement.clone()));
        let mut units = vec![T::ZERO; samples * k * k];
        units.chunks_exact_mut(k).enumerate().for_each(|(row, unit)| unit[row % k] = T::ONE);
        let units = Buffer::upload(units);
        let parts = self.model.enter(samples, 2 * self.order * (1 + k), || {
            let operations = self.model.device().operations::<T>();
            let x = x.tile(0, samples, self.model.inputs());
            let jets = self.model.walker().jets(&operations, &v, x, self.order);
            let u = units.tile(0, samples * k, k);
            let left = self.model.walker().jet_adjoints(&operations, &v, (x, &jets), u, self.order);
            left.into_iter().flat_map(|part| self.parts(&part, (samples, samples * k))).collect()
        });
        TangentFeatures::from_parts(self.model.device().clone(), self.model.parameter_count(), f, parts)
    }

    /// S Jᵀu, p, at v: the gradient of a loss of f̃ whose output gradients are u. u: n×k.
    ///
    /// # Errors
    /// Those of [`tangent`](Self::tangent), [`Error::Shape`] if u does not fit.
    pub fn gradient<'x>(&self, x: impl Into<MatrixView<'x, T>>, u: &Matrix<T>) -> Result<Vec<T>> {
        self.tangent(x)?.vjp(u.as_slice())
    }

    /// Lowers ½‖f̃ − y‖² + ½κ·vᵀS⁻¹v (over trainable spans, S their weights) from the present v: Gauss–Newton steps on G, damped where a step fails
    /// (Levenberg–Marquardt), at most `steps` (200 unless given). Of order 1 the first step is the minimum; of a higher order
    /// it is a local one, for polynomials of v have several. y: n×k.
    ///
    /// # Errors
    /// [`Error::Shape`] if x or y does not fit the network, [`Error::Setting`] if κ is negative, [`Error::Solve`].
    pub fn fit<'x>(
        &mut self,
        x: impl Into<MatrixView<'x, T>>,
        y: &Matrix<T>,
        ridge: f64,
        steps: Option<usize>,
    ) -> Result<TaylorFit> {
        let x = x.into();
        check_not_negative("ridge", ridge)?;
        check_extent("rows of the targets", x.rows(), y.rows())?;
        check_extent("columns of the targets", self.model.outputs(), y.columns())?;
        let (mut fit, mut damping) = (TaylorFit { steps: 0, loss: f64::NAN, converged: false }, 0.0);
        let mut tangent = self.tangent(x)?;
        let mut residual = difference(tangent.predictions(), y);
        let mut objective = self.objective(&residual, ridge);
        let floor = 16.0 * T::EPSILON.to_f64().powi(2) * squares(y.as_slice().iter().map(|y| y.to_f64()));
        while fit.steps < steps.unwrap_or(STEPS) && !fit.converged {
            let gram = tangent.gram().into_f64();
            let mean = (0..gram.rows()).map(|i| gram[(i, i)]).sum::<f64>() / gram.rows().max(1) as f64;
            loop {
                // v⁺ = v − Jᵀ(G + kI)⁻¹(r − (κ/k)Jv) − (κ/k)v, k = κ + λ.
                let all = ridge + damping * mean;
                let share = if all > 0.0 { ridge / all } else { 0.0 };
                let slope = tangent.jvp(&self.displacement)?;
                let rhs: Vec<f64> = residual.iter().zip(&slope).map(|(r, slope)| r - share * slope.to_f64()).collect();
                let work = (gram.rows() as f64).powi(3) / 6.0;
                let solve = |threads| Damped::factor(&gram, all, threads)?.solve(&rhs, Solver::Dual);
                let (c, _) = self.model.device().enter(work, solve)?;
                let step = tangent.vjp(&c.into_iter().map(T::from_f64).collect::<Vec<_>>())?;
                let mut moved: Vec<T> = self.displacement.iter().zip(&step).map(|(&v, &step)| v - step).collect();
                for span in self.model.spans().iter().filter(|span| span.weight > 0.0) {
                    let own = moved[span.range()].iter_mut().zip(&self.displacement[span.range()]);
                    own.for_each(|(moved, &v)| *moved -= T::from_f64(share) * v);
                }
                let before = std::mem::replace(&mut self.displacement, moved);
                let lower = match self.predict(x) {
                    Ok(f) => Some(difference(&f, y)).filter(|r| self.objective(r, ridge) < objective),
                    Err(Error::NonFinite { .. }) => None,
                    Err(error) => return Err(error),
                };
                let Some(there) = lower else {
                    self.displacement = before;
                    damping = (RAISE * damping).max(FIRST_DAMPING);
                    fit.converged = damping > MOST_DAMPING || objective <= floor;
                    if fit.converged {
                        break;
                    }
                    continue;
                };
                let next = self.objective(&there, ridge);
                fit.steps += 1;
                fit.converged = next <= floor || objective - next <= 4.0 * T::EPSILON.to_f64() * objective;
                (residual, objective, damping) = (there, next, damping * LOWER);
                if damping < FIRST_DAMPING * T::EPSILON.to_f64() {
                    damping = 0.0;
                }
                break;
            }
            if !fit.converged {
                tangent = self.tangent(x)?;
            }
        }
        fit.loss = squares(residual.iter().copied()) / residual.len().max(1) as f64;
        Ok(fit)
    }

    /// ½‖r‖² + ½κ·vᵀS⁻¹v over trainable spans.
    fn objective(&self, residual: &[f64], ridge: f64) -> f64 {
        let of_span = |span: &Span| squares(self.displacement[span.range()].iter().map(|v| v.to_f64())) / span.weight;
        let trainable = self.model.spans().iter().filter(|span| span.weight > 0.0);
        let parameters = if ridge > 0.0 { trainable.map(of_span).sum() } else { 0.0 };
        0.5 * (squares(residual.iter().copied()) + ridge * parameters)
    }

    /// The parts of the Jacobian of one node; of the batch samples and rows.
    fn parts(&self, part: &JetPart<'_, T>, (samples, rows): (usize, usize)) -> Vec<Part<T>> {
        let node = &self.model.network().nodes[part.node];
        let operations = self.model.device().operations::<T>();
        let Some(layer) = node.stage.layer() else { return Vec::new() };
        let spans: &[Span] = &self.model.spans()[node.spans.clone()];
        let term = |span: &Span, scale| Term { offset: span.offset, scale, weight: span.weight };
        let width = part.deltas.first().map_or(0, |delta| delta.len() / rows.max(1));
        let delta = |j: usize| part.deltas[j].tile(0, rows, width);
        match layer.parameter_use() {
            Some(ParameterUse::Linear(linear)) => {
                let mut parts = Vec::new();
                let places = part.activations.len();
                if let Some(window) = &linear.window {
                    let length = linear.inputs * linear.outputs;
                    let (mut gradients, mut own) = (Buffer::zeros(rows * length), Buffer::zeros(rows * length));
                    for (j, images) in part.activations.iter().enumerate() {
                        operations.convolve_gradients(own.tile_mut(0, rows, length), window, *images, delta(j));
                        let into = gradients.tile_mut(0, rows, length);
                        operations.axpby(into, T::ONE, T::ONE, own.tile(0, rows, length));
                    }
                    let weight = term(&spans[0], linear.scale);
                    parts.push(Part::Explicit(ExplicitPart::new(length, gradients.into_host(), weight)));
                } else {
                    // Rows (sample, place) and (sample, output, place).
                    let mixed = |tiles: &[Tile<'_, T>], count: usize| {
                        let row = |i: usize| tiles.iter().flat_map(move |tile| tile.row(i)).copied();
                        (0..count).flat_map(row).collect::<Vec<T>>()
                    };
                    let activations = mixed(&part.activations, samples);
                    let deltas = mixed(&(0..places).map(delta).collect::<Vec<_>>(), rows);
                    let (inputs, outputs) = ((linear.inputs, activations), (linear.outputs, deltas));
                    let weight = term(&spans[0], linear.scale);
                    parts.push(Part::Linear(LinearPart::new(places, inputs, outputs, weight, None)));
                }
                // A bias is added to a_0 alone.
                if let Some(scale) = linear.bias_scale {
                    let mut sums = Buffer::zeros(rows * linear.outputs);
                    for row in 0..rows {
                        let places = part.deltas[0].tile(row * width, width / linear.outputs, linear.outputs);
                        operations.column_sums(sums.tile_mut(row * linear.outputs, 1, linear.outputs), T::ONE, places);
                    }
                    let bias = term(&spans[1], scale);
                    parts.push(Part::Explicit(ExplicitPart::new(linear.outputs, sums.into_host(), bias)));
                }
                parts
            }
            Some(ParameterUse::Explicit) => {
                let length = node.theta.len();
                let (mut gradients, mut own) = (Buffer::zeros(rows * length), Buffer::zeros(rows * length));
                let theta = self.model.theta_buffer().tile(node.theta.start, 1, length);
                let call = crate::model::layer::Call { operations: &operations, theta };
                let mut add = |activations: Tile<'_, T>, j: usize, sign: T| {
                    layer.gradients(&call, &[activations], delta(j), own.tile_mut(0, rows, length));
                    let into = gradients.tile_mut(0, rows, length);
                    operations.axpby(into, T::ONE, sign, own.tile(0, rows, length));
                };
                // What does not depend on the input is added to a_0 alone: all of an additive layer, a shift of another.
                let places = if layer.is_additive() { 1 } else { part.activations.len() };
                for (j, &activations) in part.activations[..places].iter().enumerate() {
                    add(activations, j, T::ONE);
                    if j > 0 {
                        let (samples, length) = (activations.rows(), activations.columns());
                        add(Buffer::zeros(samples * length).tile(0, samples, length), j, -T::ONE);
                    }
                }
                self.model.explicit_parts(node, gradients)
            }
            None => Vec::new(),
        }
    }
}

fn sum<T: Scalar>(terms: Vec<Matrix<T>>) -> Matrix<T> {
    let mut terms = terms.into_iter();
    let mut sum = terms.next().unwrap_or_else(|| Matrix::zeros(0, 0));
    for term in terms {
        sum.as_mut_slice().iter_mut().zip(term.as_slice()).for_each(|(sum, &term)| *sum += term);
    }
    sum
}

fn difference<T: Scalar>(f: &Matrix<T>, y: &Matrix<T>) -> Vec<f64> {
    f.as_slice().iter().zip(y.as_slice()).map(|(f, y)| f.to_f64() - y.to_f64()).collect()
}

fn squares(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|value| value * value).sum()
}

//! Networks: a specification, a flat parameter vector with named spans, and layers that know nothing of training.

mod activation;
mod architecture;
mod average;
mod compile;
mod differentiable;
mod images;
pub mod layer;
pub(crate) mod network;
mod parameters;
mod specification;
pub(crate) mod walk;

pub use activation::Activation;
pub use architecture::Architecture;
pub use average::Average;
pub use differentiable::{Cotangent, Differentiable, InputPass, Shared};
pub use images::Convolution;
pub(crate) use images::count;
pub(crate) use parameters::bare;
pub use parameters::{Distribution, ParameterRequest, Span};
pub use specification::{
    ConvolutionSpecification, DenseSpecification, Initialization, LayerSpecification, Parameterization, Scheme, Shape,
    Shortcut, Specification,
};

use std::any::Any;
use std::sync::Arc;

use crate::device::{Buffer, Device};
use crate::error::{Error, Result, check_extent, check_not_negative};
use crate::scalar::Scalar;
use crate::view::{Matrix, MatrixView};
use layer::Stage;
use network::{Compiler, Network};
use walk::{Seed, Walker};

/// A network with its parameters on a device.
///
/// ```
/// use gramstep::{Activation, Matrix, Model};
/// let model = Model::<f64>::mlp(&[3, 16, 1], Activation::Tanh).seed(7).build()?;
/// let x = Matrix::from_vec(2, 3, vec![0.1, 0.2, 0.3, -0.1, 0.0, 0.5])?;
/// let f = model.predict(&x)?;
/// assert_eq!((f.rows(), f.columns()), (2, 1));
/// assert_eq!(model.parameter_count(), 3 * 16 + 16 + 16 + 1);
/// # Ok::<(), gramstep::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Model<T> {
    specification: Option<Specification>,
    network: Arc<Network<T>>,
    spans: Vec<Span>,
    theta: Buffer<T>,
    device: Device,
    seed: u64,
}

/// Builds a [`Model`]: seed and device.
#[derive(Debug)]
pub struct ModelBuilder<T> {
    source: Source<T>,
    seed: u64,
    theta: Option<Vec<T>>,
    device: Option<Device>,
}

#[derive(Debug)]
enum Source<T> {
    Specification(Specification),
    Stages { inputs: usize, stages: Vec<Stage<T>> },
}

impl<T: Scalar> Model<T> {
    /// A multi-layer perceptron; `sizes` = inputs, hidden widths, outputs.
    #[must_use]
    pub fn mlp(sizes: &[usize], activation: Activation) -> ModelBuilder<T> {
        Self::builder(Specification::mlp(sizes, activation))
    }

    /// The network of a specification.
    #[must_use]
    pub fn builder(specification: Specification) -> ModelBuilder<T> {
        ModelBuilder { source: Source::Specification(specification), seed: 0, theta: None, device: None }
    }

    /// A network of the caller's own layers and functions, one after the other.
    #[must_use]
    pub fn from_stages(inputs: usize, stages: Vec<Stage<T>>) -> ModelBuilder<T> {
        ModelBuilder { source: Source::Stages { inputs, stages }, seed: 0, theta: None, device: None }
    }

    /// What the network is; `None` for one made of the caller's own layers.
    #[must_use]
    pub fn specification(&self) -> Option<&Specification> {
        self.specification.as_ref()
    }

    /// The same network with parameters of another number type; of the same type, a copy.
    ///
    /// # Errors
    /// [`Error::Specification`] for a network of the caller's own layers and another type: they are of one type.
    ///
    /// ```
    /// use gramstep::{Activation, Model};
    /// let single = Model::<f32>::mlp(&[2, 8, 1], Activation::Tanh).seed(1).build()?;
    /// assert_eq!(single.cast::<f64>()?.cast::<f32>()?.theta(), single.theta());
    /// # Ok::<(), gramstep::Error>(())
    /// ```
    pub fn cast<U: Scalar>(&self) -> Result<Model<U>> {
        if let Some(same) = (self as &dyn Any).downcast_ref::<Model<U>>() {
            return Ok(same.clone());
        }
        let specification = self.specification.clone().ok_or_else(|| Error::Specification {
            text: "a network of own layers".to_owned(),
            reason: "has parameters of one number type".to_owned(),
        })?;
        let theta = self.theta().into_iter().map(|value| U::from_f64(value.to_f64())).collect();
        Model::builder(specification).seed(self.seed).theta(theta).device(self.device().clone()).build()
    }

    /// The same network with initial parameters drawn by another seed; weights of spans stay.
    ///
    /// # Errors
    /// [`Error::Specification`] if the parameters do not fit in memory once more.
    ///
    /// ```
    /// use gramstep::{Activation, Model};
    /// let model = Model::<f64>::mlp(&[2, 8, 1], Activation::Tanh).seed(1).build()?;
    /// assert_eq!(model.redrawn(2)?.redrawn(1)?.theta(), model.theta());
    /// # Ok::<(), gramstep::Error>(())
    /// ```
    pub fn redrawn(&self, seed: u64) -> Result<Self> {
        let theta = Buffer::upload(parameters::initial(&self.spans, seed)?);
        Ok(Self { theta, seed, ..self.clone() })
    }

    /// The seed of the initial parameters.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Bytes that the activations and deltas of one step take: of all k rows of J of every sample, as
    /// [`tangent`](Self::tangent) keeps them, or (`rows` = 1) of the gradient of one loss a sample.
    ///
    /// ```
    /// use gramstep::{Activation, Model};
    /// let model = Model::<f64>::mlp(&[2, 8, 3], Activation::Tanh).build()?;
    /// // Outputs, inputs of the second layer, and deltas of both layers for each of 3 rows of J.
    /// assert_eq!(model.step_bytes(10, 3), 10 * (3 + 8 + 3 * (8 + 3)) * 8);
    /// # Ok::<(), gramstep::Error>(())
    /// ```
    #[must_use]
    pub fn step_bytes(&self, samples: usize, rows: usize) -> usize {
        samples.saturating_mul(self.network.trace_length(rows)).saturating_mul(size_of::<T>())
    }

    /// p, the number of parameters.
    #[must_use]
    pub fn parameter_count(&self) -> usize {
        self.theta.len()
    }

    /// Number of values of one sample.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.network.inputs()
    }

    /// k, the number of outputs of one sample.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.network.outputs()
    }

    /// The named stretches of θ, in order.
    #[must_use]
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// Sets the weight of a span in G and in steps; 0 freezes it.
    ///
    /// # Errors
    /// [`Error::Setting`] if the weight is negative or not finite, [`Error::Specification`] if no span has the name.
    pub fn set_span_weight(&mut self, name: &str, weight: f64) -> Result<()> {
        check_not_negative("span weight", weight)?;
        let span = self.spans.iter_mut().find(|span| span.name == name).ok_or_else(|| Error::Specification {
            text: name.to_owned(),
            reason: "no span has this name".to_owned(),
        })?;
        span.weight = weight;
        if let Some(specification) = &mut self.specification {
            specification.span_weights.insert(name.to_owned(), weight);
        }
        Ok(())
    }

    /// Where the parameters of weight > 0 lie in θ: in order, neighbours joined.
    pub(crate) fn trainable(&self) -> Vec<std::ops::Range<usize>> {
        parameters::trainable(&self.spans)
    }

    /// The device it lives on.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// A copy of θ.
    #[must_use]
    pub fn theta(&self) -> Vec<T> {
        self.theta.download()
    }

    /// Replaces θ.
    ///
    /// # Errors
    /// [`Error::Shape`] if the length is not p.
    pub fn set_theta(&mut self, theta: &[T]) -> Result<()> {
        check_extent("parameters", self.parameter_count(), theta.len())?;
        self.theta = Buffer::upload(theta.to_vec());
        Ok(())
    }

    /// f(θ, x), n×k. x: n×inputs.
    ///
    /// # Errors
    /// [`Error::Shape`] if x has the wrong number of columns, [`Error::NonFinite`] naming the layer if an output is
    /// infinite or not a number.
    pub fn predict<'x>(&self, x: impl Into<MatrixView<'x, T>>) -> Result<Matrix<T>> {
        let (x, samples) = self.upload(x.into())?;
        let outputs = self.enter(samples, 1, || self.walker().forward(&x, samples));
        let outputs = Matrix::from_vec(samples, self.outputs(), outputs.into_host())?;
        if outputs.as_slice().iter().all(|value| value.is_finite()) {
            Ok(outputs)
        } else {
            Err(self.non_finite(&x, samples))
        }
    }

    /// f(θ, x) and J v, both n×k, by forward differentiation: the value and the slope of the network along v.
    ///
    /// # Errors
    /// [`Error::Shape`] if x or v does not fit the network, [`Error::NonFinite`] if a value or a slope is infinite or not a
    /// number.
    pub fn predict_tangent<'x>(&self, x: impl Into<MatrixView<'x, T>>, v: &[T]) -> Result<(Matrix<T>, Matrix<T>)> {
        let (x, samples) = self.upload(x.into())?;
        let v = self.direction(v)?;
        let (f, jv) = self.enter(samples, 2, || self.walker().forward_tangent(&v, &x, samples));
        let matrix = |buffer: Buffer<T>| Matrix::from_vec(samples, self.outputs(), buffer.into_host());
        let (f, jv) = (matrix(f)?, matrix(jv)?);
        let finite = |matrix: &Matrix<T>| matrix.as_slice().iter().all(|value| value.is_finite());
        match (finite(&f), finite(&jv)) {
            (true, true) => Ok((f, jv)),
            (true, false) => Err(Error::NonFinite { what: "slope of the outputs along a direction", layer: None }),
            (false, _) => Err(self.non_finite(&x, samples)),
        }
    }

    /// ∂⟨u_i, f(θ, x_i)⟩/∂x_i for every sample, n×inputs. u: n×k.
    ///
    /// # Errors
    /// [`Error::Shape`] if x or u does not fit the network.
    pub fn input_gradient<'x>(&self, x: impl Into<MatrixView<'x, T>>, u: &Matrix<T>) -> Result<Matrix<T>> {
        let (x, samples) = self.upload(x.into())?;
        self.check_cotangents(u, samples)?;
        let k = self.outputs();
        let seed =
            |rows: std::ops::Range<usize>, _: crate::device::Tile<'_, T>, mut out: crate::device::TileMut<'_, T>| {
                out.host().copy_from_slice(&u.as_slice()[rows.start * k..rows.end * k]);
            };
        let trace = self.enter(samples, 2, || self.walker().trace(&x, samples, Seed::Given(&seed), None, true));
        let gradient = trace.input_deltas.map_or_else(Vec::new, Buffer::into_host);
        Matrix::from_vec(samples, self.inputs(), gradient)
    }

    /// ∂⟨u_i, (J(x_i) v)⟩/∂x_i for every sample, n×inputs: the input gradient of the linearised network's tangent
    /// term. Needs φ″. u: n×k.
    ///
    /// # Errors
    /// [`Error::Shape`] if x, v or u does not fit the network.
    pub fn tangent_input_gradient<'x>(
        &self,
        x: impl Into<MatrixView<'x, T>>,
        v: &[T],
        u: &Matrix<T>,
    ) -> Result<Matrix<T>> {
        let (x, samples) = self.upload(x.into())?;
        self.check_cotangents(u, samples)?;
        let (v, u) = (self.direction(v)?, Buffer::upload(u.as_slice().to_vec()));
        let gradient = self.enter(samples, 6, || self.walker().tangent_input_gradient(&v, &x, &u, samples));
        Matrix::from_vec(samples, self.inputs(), gradient.into_host())
    }

    pub(crate) fn walker(&self) -> Walker<'_, T> {
        Walker { network: &self.network, device: &self.device, theta: &self.theta }
    }

    pub(crate) fn network(&self) -> &Network<T> {
        &self.network
    }

    pub(crate) fn theta_buffer(&self) -> &Buffer<T> {
        &self.theta
    }

    pub(crate) fn theta_buffer_mut(&mut self) -> &mut Buffer<T> {
        &mut self.theta
    }

    /// Runs work worth `passes` forward passes of `samples` samples among the device's threads, if it is large.
    pub(crate) fn enter<R: Send>(&self, samples: usize, passes: usize, work: impl FnOnce() -> R + Send) -> R {
        self.device.enter(self.network.cost * (samples * passes) as f64, |_| work())
    }

    /// x as device memory, its number of samples, and a check of its shape.
    pub(crate) fn upload(&self, x: MatrixView<'_, T>) -> Result<(Arc<Buffer<T>>, usize)> {
        check_extent("columns of the input", self.inputs(), x.columns())?;
        Ok((Arc::new(Buffer::upload(x.to_vec())), x.rows()))
    }

    /// The error that names the first layer whose output is not finite.
    pub(crate) fn non_finite(&self, x: &Buffer<T>, samples: usize) -> Error {
        if !x.tile(0, 1, x.len()).host().iter().all(|value| value.is_finite()) {
            return Error::NonFinite { what: "input", layer: None };
        }
        if let Some(span) = self
            .spans
            .iter()
            .find(|span| !self.theta.tile(span.offset, 1, span.len()).host().iter().all(|value| value.is_finite()))
        {
            return Error::NonFinite { what: "parameters", layer: Some(span.name.clone()) };
        }
        let layer = self.walker().first_non_finite(x, samples);
        Error::NonFinite { what: "output", layer }
    }

    fn direction(&self, v: &[T]) -> Result<Buffer<T>> {
        check_extent("direction in parameter space", self.parameter_count(), v.len())?;
        Ok(Buffer::upload(v.to_vec()))
    }

    fn check_cotangents(&self, u: &Matrix<T>, samples: usize) -> Result<()> {
        check_extent("rows of the cotangents", samples, u.rows())?;
        check_extent("columns of the cotangents", self.outputs(), u.columns())
    }
}

impl<T: Scalar> ModelBuilder<T> {
    /// Seed of the initial parameters (default 0).
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Device (default: the processor with all its threads).
    #[must_use]
    pub fn device(mut self, device: Device) -> Self {
        self.device = Some(device);
        self
    }

    /// Parameters to begin with, in place of drawn ones.
    #[must_use]
    pub fn theta(mut self, theta: Vec<T>) -> Self {
        self.theta = Some(theta);
        self
    }

    /// Builds the network and draws its parameters, unless they are given.
    ///
    /// # Errors
    /// [`Error::Shape`] if other than p parameters are given,
    /// [`Error::Specification`] if the specification cannot be built, or has more parameters than fit in memory.
    pub fn build(self) -> Result<Model<T>> {
        let (specification, (network, spans)) = match self.source {
            Source::Specification(specification) => {
                let compiled = compile::compile(&specification)?;
                (Some(specification), compiled)
            }
            Source::Stages { inputs, stages } => {
                let mut compiler = Compiler::new(inputs);
                for (at, stage) in stages.into_iter().enumerate() {
                    let from = compiler.last();
                    compiler.push(&format!("layers.{at}"), stage, vec![from]);
                }
                (None, compiler.finish())
            }
        };
        let theta = match self.theta {
            None => parameters::initial(&spans, self.seed)?,
            Some(theta) => {
                let expected = spans.iter().map(Span::len).fold(0, usize::saturating_add);
                check_extent("parameters", expected, theta.len())?;
                theta
            }
        };
        let theta = Buffer::upload(theta);
        let device = self.device.unwrap_or_else(|| Device::cpu(0));
        Ok(Model { specification, network: Arc::new(network), spans, theta, device, seed: self.seed })
    }
}

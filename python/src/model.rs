//! `Model`.

use gramstep::kernel::LinearisedModel;
use gramstep::model::Convolution;
use gramstep::model::{Parameterization, Shape};
use gramstep::{Activation, Architecture, Device, Model, Specification};
use pyo3::exceptions::{PyKeyError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};

use crate::array::{Input, Number, array_of, array2, cotangents};
use crate::counts;
use crate::error::core;
use crate::features::PyTangentFeatures;
use crate::linearised::{Linear, PyLinearisedModel};
use crate::precision::{ByPrecision, each};

/// A network of either number type.
pub(crate) type Network = ByPrecision<Model<f32>, Model<f64>>;

impl Network {
    /// A network of the named number type.
    pub(crate) fn build(specification: Specification, seed: u64, dtype: &str, threads: usize) -> PyResult<Self> {
        let device = Device::cpu(threads);
        match dtype {
            "float32" => Model::builder(specification).seed(seed).device(device).build().map(Self::F32).map_err(core),
            "float64" => Model::builder(specification).seed(seed).device(device).build().map(Self::F64).map_err(core),
            _ => Err(PyValueError::new_err(format!("dtype = {dtype:?}: expected \"float32\" or \"float64\""))),
        }
    }
}

/// A network with its parameters.
#[pyclass(name = "Model", module = "gramstep")]
#[derive(Clone, Debug)]
pub(crate) struct PyModel {
    pub(crate) network: Network,
}

/// The activation of that name.
pub(crate) fn activation(name: &str) -> PyResult<Activation> {
    name.replace('_', "-").parse().map_err(core)
}

/// The names of the activations of finite networks.
#[pyfunction]
pub(crate) fn activations() -> Vec<&'static str> {
    Activation::ALL.map(Activation::name).to_vec()
}

/// Whether an activation of finite networks has this name.
#[pyfunction]
pub(crate) fn is_activation(name: &str) -> bool {
    activation(name).is_ok()
}

/// σ_w² and σ_b² of dense layers: where they are not given, those of the command line.
fn variances(activation: Activation, weight: Option<f64>, bias: Option<f64>) -> PyResult<(f64, f64)> {
    let defaults: gramstep::kernel::InfiniteArchitecture = format!("ntk:{activation}").parse().map_err(core)?;
    Ok((weight.unwrap_or(defaults.weight_variance), bias.unwrap_or(defaults.bias_variance)))
}

fn image((height, width, channels): (usize, usize, usize)) -> Shape {
    Shape::Image { height, width, channels, side: 0 }
}

#[pymethods]
impl PyModel {
    /// A multi-layer perceptron.
    ///
    /// Parameters
    /// ----------
    /// sizes : list of int
    ///     Inputs, hidden widths, outputs.
    /// activation : str
    ///     identity, relu, leaky-relu, abs, squared-relu, gelu, silu, tanh, sigmoid, softplus, erf, sin or cos.
    /// parameterization : {"standard", "ntk"}
    ///     z = W a + b with the variance in the initial weights, or z = σ_w/√fan-in · W a + σ_b·b with W, b ~ N(0, 1).
    /// weight_variance, bias_variance : float, optional
    ///     σ_w² and σ_b² of "ntk": 2 for rectifiers, else 1, and 0.1 unless given.
    /// bias : bool
    /// symmetric : bool
    ///     Whether the network is the difference of two equal copies over √2: f = 0 at the start.
    /// output_scale : float
    ///     Factor on the output.
    /// seed : int
    /// dtype : {"float32", "float64"}
    /// threads : int
    ///     0: all that the machine has.
    ///
    /// Examples
    /// --------
    /// >>> import gramstep
    /// >>> gramstep.Model.mlp([3, 16, 1], activation="tanh", seed=7)
    /// <gramstep.Model 3 -> 1, 81 parameters, float64>
    #[classmethod]
    #[pyo3(signature = (sizes, *, activation="relu", parameterization="standard", weight_variance=None,
                        bias_variance=None, bias=true, symmetric=false, output_scale=1.0, seed=0, dtype="float64",
                        threads=0))]
    fn mlp(
        _class: &Bound<'_, PyType>,
        #[pyo3(from_py_with = counts::sizes)] sizes: Vec<usize>,
        activation: &str,
        parameterization: &str,
        weight_variance: Option<f64>,
        bias_variance: Option<f64>,
        bias: bool,
        symmetric: bool,
        output_scale: f64,
        #[pyo3(from_py_with = counts::seed)] seed: u64,
        dtype: &str,
        #[pyo3(from_py_with = counts::threads)] threads: usize,
    ) -> PyResult<Self> {
        let activation = self::activation(activation)?;
        let mut specification = Specification::mlp(&sizes, activation).with_bias(bias).with_output_scale(output_scale);
        match parameterization {
            "standard" if weight_variance.or(bias_variance).is_some() => {
                let text = "weight_variance and bias_variance belong to parameterization=\"ntk\"";
                return Err(PyValueError::new_err(text));
            }
            "standard" => {}
            "ntk" => {
                let (weight_variance, bias_variance) = variances(activation, weight_variance, bias_variance)?;
                specification =
                    specification.with_parameterization(Parameterization::Ntk { weight_variance, bias_variance });
            }
            _ => {
                let text = format!("parameterization = {parameterization:?}: expected \"standard\" or \"ntk\"");
                return Err(PyValueError::new_err(text));
            }
        }
        if symmetric {
            specification = specification.with_symmetric_start();
        }
        Ok(Self { network: Network::build(specification, seed, dtype, threads)? })
    }

    /// A plain convolutional network: 3×3 convolutions with these channels, an activation after each, images halved by
    /// ``pool`` ("mean" or "max" of squares of pixels) between them while they have at least 8 pixels a side; the mean
    /// over pixels, or hidden ``dense`` layers of these widths over all of them; a dense layer. ``group_norm`` normalises groups
    /// of 8 channels behind every convolution (wu2018), sample by sample: G stays exact.
    ///
    /// ``image_shape`` is (height, width, channels); X has the shape (n, height, width, channels).
    ///
    /// Examples
    /// --------
    /// >>> import numpy as np, gramstep
    /// >>> gramstep.Model.cnn((8, 8, 3), [4, 4], 2).predict(np.zeros((5, 8, 8, 3))).shape
    /// (5, 2)
    #[classmethod]
    #[pyo3(signature = (image_shape, channels, outputs, *, activation="relu", pool="mean", dense=Vec::new(), group_norm=false,
        seed=0, dtype="float32", threads=0))]
    fn cnn(
        _class: &Bound<'_, PyType>,
        #[pyo3(from_py_with = counts::image_shape)] image_shape: (usize, usize, usize),
        #[pyo3(from_py_with = counts::channels)] channels: Vec<usize>,
        #[pyo3(from_py_with = counts::outputs)] outputs: usize,
        activation: &str,
        pool: &str,
        #[pyo3(from_py_with = counts::dense)] dense: Vec<usize>,
        group_norm: bool,
        #[pyo3(from_py_with = counts::seed)] seed: u64,
        dtype: &str,
        #[pyo3(from_py_with = counts::threads)] threads: usize,
    ) -> PyResult<Self> {
        let max_pools = match pool {
            "mean" => false,
            "max" => true,
            other => return Err(PyValueError::new_err(format!("pool is 'mean' or 'max', not {other:?}"))),
        };
        let activation = self::activation(activation)?;
        let convolutions = channels.into_iter().map(Convolution::new).collect();
        let architecture = Architecture::Cnn { convolutions, activation, max_pools, dense, group_norm };
        let specification = architecture.specification(image(image_shape), outputs);
        Ok(Self { network: Network::build(specification, seed, dtype, threads)? })
    }

    /// A residual network of depth 6·n + 2 with Fixup initialisation and without normalisation (zhang2019fixup), or with
    /// ``group_norm`` with a normalisation of groups of 8 channels in its place (wu2018).
    ///
    /// ``image_shape`` is (height, width, channels); ``channels`` those of the first of three stages.
    #[classmethod]
    #[pyo3(signature = (image_shape, outputs, *, depth=32, channels=16, group_norm=false, seed=0, dtype="float32",
        threads=0))]
    fn resnet(
        _class: &Bound<'_, PyType>,
        #[pyo3(from_py_with = counts::image_shape)] image_shape: (usize, usize, usize),
        #[pyo3(from_py_with = counts::outputs)] outputs: usize,
        #[pyo3(from_py_with = counts::depth)] depth: usize,
        #[pyo3(from_py_with = counts::channels)] channels: usize,
        group_norm: bool,
        #[pyo3(from_py_with = counts::seed)] seed: u64,
        dtype: &str,
        #[pyo3(from_py_with = counts::threads)] threads: usize,
    ) -> PyResult<Self> {
        let norm = if group_norm { ":group-norm" } else { "" };
        let architecture: Architecture = format!("resnet{depth}:{channels}{norm}").parse().map_err(core)?;
        let specification = architecture.specification(image(image_shape), outputs);
        Ok(Self { network: Network::build(specification, seed, dtype, threads)? })
    }

    /// A network from the JSON text of :attr:`specification`, with fresh parameters.
    #[classmethod]
    #[pyo3(signature = (text, *, seed=0, dtype="float64", threads=0))]
    fn from_specification(
        _class: &Bound<'_, PyType>,
        text: &str,
        #[pyo3(from_py_with = counts::seed)] seed: u64,
        dtype: &str,
        #[pyo3(from_py_with = counts::threads)] threads: usize,
    ) -> PyResult<Self> {
        let specification = serde_json::from_str(text).map_err(|error| PyValueError::new_err(error.to_string()))?;
        Ok(Self { network: Network::build(specification, seed, dtype, threads)? })
    }

    /// Architecture, scaling and initialisation as JSON.
    #[getter]
    fn specification(&self) -> PyResult<String> {
        let text = each!(&self.network, model => serde_json::to_string(&model.specification()));
        text.map_err(|error| PyValueError::new_err(error.to_string()))
    }

    /// "float32" or "float64".
    #[getter]
    fn dtype(&self) -> &'static str {
        each!(&self.network, model => dtype_of(model))
    }

    /// The seed of the initial parameters.
    #[getter]
    fn seed(&self) -> u64 {
        each!(&self.network, model => model.seed())
    }

    /// Number of threads.
    #[getter]
    fn threads(&self) -> usize {
        each!(&self.network, model => model.device().threads())
    }

    /// Number of values of one sample.
    #[getter]
    fn n_inputs(&self) -> usize {
        each!(&self.network, model => model.inputs())
    }

    /// k, the number of outputs.
    #[getter]
    fn n_outputs(&self) -> usize {
        each!(&self.network, model => model.outputs())
    }

    /// p, the number of parameters.
    #[getter]
    fn n_parameters(&self) -> usize {
        each!(&self.network, model => model.parameter_count())
    }

    /// The parameters by name, in the order of θ: dense weights (out, in), as PyTorch has them.
    ///
    /// Examples
    /// --------
    /// >>> import gramstep
    /// >>> for name, values in gramstep.Model.mlp([3, 16, 1]).parameters().items():
    /// ...     print(name, values.shape)
    /// layers.0.weight (16, 3)
    /// layers.0.bias (16,)
    /// layers.2.weight (1, 16)
    /// layers.2.bias (1,)
    fn parameters<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let parameters = PyDict::new(py);
        each!(&self.network, model => {
            let theta = model.theta();
            for span in model.spans() {
                parameters.set_item(&span.name, array_of(py, theta[span.range()].to_vec(), &span.shape)?)?;
            }
        });
        Ok(parameters)
    }

    /// Takes the named parameters and leaves the others as they are.
    ///
    /// Raises
    /// ------
    /// KeyError, ValueError
    ///     If there is no such parameter, or it has another shape.
    fn set_parameters(&mut self, parameters: &Bound<'_, PyDict>) -> PyResult<()> {
        each!(&mut self.network, model => set_parameters(model, parameters))
    }

    /// All parameters in one vector, (p,): those of :meth:`parameters` one after another.
    #[getter]
    fn get_theta(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        each!(&self.network, model => array_of(py, model.theta(), &[model.parameter_count()]))
    }

    #[setter]
    fn set_theta(&mut self, theta: &Bound<'_, PyAny>) -> PyResult<()> {
        each!(&mut self.network, model => {
            let theta = Input::finite(theta, "theta")?.vector()?;
            model.set_theta(&theta).map_err(core)
        })
    }

    /// The weight s ≥ 0 of a parameter in G and in steps; 0 freezes it.
    fn set_span_weight(&mut self, name: &str, weight: f64) -> PyResult<()> {
        each!(&mut self.network, model => model.set_span_weight(name, weight).map_err(core))
    }

    /// f(θ, x), (n, k).
    ///
    /// Raises
    /// ------
    /// FloatingPointError
    ///     If an output is infinite or not a number.
    ///
    /// Examples
    /// --------
    /// >>> import numpy as np, gramstep
    /// >>> gramstep.Model.mlp([3, 16, 2]).predict(np.zeros((5, 3))).shape
    /// (5, 2)
    fn predict(&self, py: Python<'_>, X: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        each!(&self.network, model => {
            let x = Input::finite(X, "X")?;
            let x = x.samples()?;
            let outputs = py.detach(|| model.predict(x)).map_err(core)?;
            Ok(array2(py, outputs)?.into_any().unbind())
        })
    }

    /// ∂f/∂θ, (n, k, p): for small problems; :meth:`gram`, :meth:`jvp` and :meth:`vjp` do without.
    fn jacobian(&self, py: Python<'_>, X: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        each!(&self.network, model => {
            let x = Input::finite(X, "X")?;
            let x = x.samples()?;
            let jacobian = py.detach(|| model.tangent(x).map(|tangent| tangent.jacobian())).map_err(core)?;
            array_of(py, jacobian.into_vec(), &[x.rows(), model.outputs(), model.parameter_count()])
        })
    }

    /// G = J Jᵀ, or J J'ᵀ with the Jacobian of X2; (n·k, m·k), rows and columns ordered (sample, output).
    ///
    /// Examples
    /// --------
    /// >>> import numpy as np, gramstep
    /// >>> model, X = gramstep.Model.mlp([3, 16, 2], seed=1), np.eye(3)
    /// >>> J = model.jacobian(X).reshape(6, -1)
    /// >>> bool(np.allclose(model.gram(X), J @ J.T))
    /// True
    #[pyo3(signature = (X, X2=None))]
    fn gram(&self, py: Python<'_>, X: &Bound<'_, PyAny>, X2: Option<&Bound<'_, PyAny>>) -> PyResult<Py<PyAny>> {
        each!(&self.network, model => {
            let x = Input::finite(X, "X")?;
            let x2 = X2.map(|x2| Input::finite(x2, "X2")).transpose()?;
            let (x, x2) = (x.samples()?, x2.as_ref().map(Input::samples).transpose()?);
            let gram = py.detach(|| match x2 {
                None => Ok(model.tangent(x)?.gram()),
                Some(x2) => model.tangent(x)?.cross_gram(&model.tangent(x2)?),
            });
            Ok(array2(py, gram.map_err(core)?)?.into_any().unbind())
        })
    }

    /// J v, (n, k), by forward differentiation. v: (p,).
    fn jvp(&self, py: Python<'_>, X: &Bound<'_, PyAny>, v: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        each!(&self.network, model => {
            let (x, v) = (Input::finite(X, "X")?, Input::finite(v, "v")?.vector()?);
            let x = x.samples()?;
            let (_, slope) = py.detach(|| model.predict_tangent(x, &v)).map_err(core)?;
            Ok(array2(py, slope)?.into_any().unbind())
        })
    }

    /// Jᵀu, (p,): the gradient of Σ u·f. u: (n, k).
    ///
    /// Examples
    /// --------
    /// >>> import numpy as np, gramstep
    /// >>> model, X = gramstep.Model.mlp([3, 16, 1], seed=1), np.eye(3)
    /// >>> c = np.array([1.0, 0.0, 0.0])
    /// >>> bool(np.allclose(model.jvp(X, model.vjp(X, c))[:, 0], model.gram(X)[0]))
    /// True
    fn vjp(&self, py: Python<'_>, X: &Bound<'_, PyAny>, u: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        each!(&self.network, model => {
            let x = Input::finite(X, "X")?;
            let x = x.samples()?;
            let u = cotangents(u, x.rows(), model.outputs())?;
            let gradient = py.detach(|| model.tangent(x)?.vjp(u.as_slice())).map_err(core)?;
            array_of(py, gradient, &[model.parameter_count()])
        })
    }

    /// The tangent features of a batch: one forward and one backward pass for any number of products.
    fn tangent(&self, py: Python<'_>, X: &Bound<'_, PyAny>) -> PyResult<PyTangentFeatures> {
        each!(&self.network, model => {
            let x = Input::finite(X, "X")?;
            let x = x.samples()?;
            py.detach(|| model.tangent(x)).map(Into::into).map_err(core)
        })
    }

    /// ∂⟨u_i, f(x_i)⟩/∂x_i of every sample, of the shape of X. u: (n, k).
    fn input_gradient(&self, py: Python<'_>, X: &Bound<'_, PyAny>, u: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        each!(&self.network, model => {
            let x = Input::finite(X, "X")?;
            let rows = x.samples()?;
            let u = cotangents(u, rows.rows(), model.outputs())?;
            let gradient = py.detach(|| model.input_gradient(rows, &u)).map_err(core)?;
            array_of(py, gradient.into_vec(), x.shape())
        })
    }

    /// The network's tangent at its present parameters, f(θ₀, x) + J(x) v, v = 0 at first.
    ///
    /// Examples
    /// --------
    /// >>> import numpy as np, gramstep
    /// >>> X = np.linspace(-1, 1, 6)[:, None]
    /// >>> linear = gramstep.Model.mlp([1, 64, 1], activation="tanh", seed=3).linearise().fit(X, X**2)
    /// >>> bool(np.allclose(linear.predict(X), X**2, atol=1e-6))
    /// True
    fn linearise(&self) -> PyLinearisedModel {
        PyLinearisedModel {
            linear: match self.network.clone() {
                Network::F32(model) => Linear::F32(LinearisedModel::new(model)),
                Network::F64(model) => Linear::F64(LinearisedModel::new(model)),
            },
        }
    }

    /// The same network with parameters of its own.
    fn copy(&self) -> Self {
        self.clone()
    }

    fn __repr__(&self) -> String {
        let (inputs, outputs) = (self.n_inputs(), self.n_outputs());
        format!("<gramstep.Model {inputs} -> {outputs}, {} parameters, {}>", self.n_parameters(), self.dtype())
    }

    /// Pickling: build again, then take θ.
    fn __reduce__(slf: &Bound<'_, Self>) -> PyResult<(Py<PyAny>, Py<PyAny>)> {
        let py = slf.py();
        let model = slf.try_borrow()?;
        let rebuild = py.import("gramstep._pickle")?.getattr("rebuild_model")?.unbind();
        let arguments = (model.specification()?, model.seed(), model.dtype(), model.get_theta(py)?);
        Ok((rebuild, arguments.into_pyobject(py)?.into_any().unbind()))
    }
}

fn dtype_of<T: Number>(_: &Model<T>) -> &'static str {
    T::DTYPE
}

/// Takes the named parameters and leaves the others.
fn set_parameters<T: Number>(model: &mut Model<T>, parameters: &Bound<'_, PyDict>) -> PyResult<()> {
    let mut theta = model.theta();
    for (name, values) in parameters {
        let name: String = name.extract().map_err(|_| PyTypeError::new_err("names of parameters are strings"))?;
        let span = model.spans().iter().find(|span| span.name == name);
        let span = span.ok_or_else(|| PyKeyError::new_err(format!("no parameter {name:?}")))?;
        let values = Input::finite(&values, "a parameter")?;
        if values.shape() != span.shape {
            let (expected, got) = (&span.shape, values.shape());
            return Err(PyValueError::new_err(format!("{name}: expected shape {expected:?}, got {got:?}")));
        }
        theta[span.range()].copy_from_slice(&values.to_vec());
    }
    model.set_theta(&theta).map_err(core)
}

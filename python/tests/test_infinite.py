"""Infinitely wide networks put together layer by layer, ensembles of them in time, regression with their matrices."""

import pickle

import numpy as np
import pytest

import gramstep
from gramstep import InfiniteNetwork
from gramstep.infinite import (
    Activation,
    AvgPool,
    Conv,
    Dense,
    Flatten,
    GlobalAvgPool,
    LayerNorm,
    Residual,
    SumPool,
)

random = np.random.default_rng(0)
IMAGES = random.normal(size=(5, 6, 6, 2))


def images(*body, head=None):
    return InfiniteNetwork([*body, head or GlobalAvgPool(), Dense(1.5, 0.1)])


def test_a_network_of_dense_layers_is_the_short_form():
    X, Z = random.normal(size=(6, 3)), random.normal(size=(2, 3))
    dense = Dense(weight_variance=1.7, bias_variance=0.2)
    network = InfiniteNetwork([dense, Activation("erf"), dense, Activation("erf"), dense])
    short = {"depth": 2, "activation": "erf", "weight_variance": 1.7, "bias_variance": 0.2}
    assert np.array_equal(network.ntk(X, Z), gramstep.ntk(X, Z, **short))
    assert np.array_equal(network.nngp(X), gramstep.nngp(X, **short))


@pytest.mark.parametrize("padding", ["same", "valid", "circular", 1, 0])
@pytest.mark.parametrize("head", [GlobalAvgPool(), Flatten()])
def test_kernels_of_images_are_symmetric_and_positive(padding, head):
    network = images(Conv(3, padding=padding), Activation("relu"), Conv(3, padding=padding, bias_variance=0.1), head=head)
    for kernel in (network.ntk, network.nngp):
        K = kernel(IMAGES)
        assert K.shape == (5, 5) and np.array_equal(K, K.T)
        assert np.linalg.eigvalsh(K).min() > -1e-12 * K.max()
        assert np.allclose(kernel(IMAGES[:2], IMAGES[1:]), K[:2, 1:], rtol=1e-12)
        assert np.allclose(kernel(IMAGES.astype("float32")), K, rtol=1e-5)
        assert kernel(IMAGES.astype("float32")).dtype == np.float32


def test_one_convolution_is_the_mean_over_windows():
    # Valid, no bias: K of the mean over pixels = w w' mean over pairs of windows of x·x'.
    network = InfiniteNetwork([Conv(2, padding="valid", weight_variance=1.3), GlobalAvgPool(), Dense(0.7)])
    windows = np.lib.stride_tricks.sliding_window_view(IMAGES, (2, 2), axis=(1, 2)).reshape(5, 25, 2 * 2 * 2)
    K = 1.3 * 0.7 * np.einsum("ipc,jqc->ij", windows, windows) / (25 * 25 * 8)
    assert np.allclose(network.nngp(IMAGES), K, rtol=1e-12)
    assert np.allclose(network.ntk(IMAGES), 2 * K, rtol=1e-12)


def test_every_layer_has_a_part():
    body = [Conv(3), LayerNorm(1e-3), Activation("relu"), AvgPool(2), Conv(3)]
    plain = images(*body).ntk(IMAGES)
    branch = [Activation("relu"), Conv(3)]
    for other in (
        [*body, Residual(branch)],
        [*body, Residual(branch, shortcut=[Conv(1)])],
        [*body, Activation("gelu")],
        [body[0], *body[2:]],
        [*body[:3], SumPool(2), body[4]],
        [*body[:4], Conv(3, stride=2)],
        [*body[:4], Conv(3, weight_variance=1.0)],
    ):
        assert not np.allclose(images(*other).ntk(IMAGES), plain, rtol=1e-3)
    assert not np.allclose(images(*body, head=Flatten()).ntk(IMAGES), plain, rtol=1e-3)


def test_wrong_networks_and_inputs_say_what_is_wrong():
    with pytest.raises(TypeError, match="no layer"):
        InfiniteNetwork(["relu"])
    for network, X, words in [
        (images(Activation("relu")), IMAGES, "right before it"),
        (images(Conv(9, padding="valid")), IMAGES, "larger than the image"),
        (images(Conv(3, weight_variance=-1.0)), IMAGES, "variance"),
        (images(Conv(3)), IMAGES.reshape(5, -1), "images"),
        (images(Conv(3)), IMAGES[0], "axes"),
        (InfiniteNetwork([]), IMAGES, "dense layer"),
    ]:
        with pytest.raises(ValueError, match=words):
            network.ntk(X)
    with pytest.raises(ValueError, match="first axes"):
        images(Conv(3)).ntk(IMAGES, IMAGES[:, :5])
    with pytest.raises(ValueError, match="ntk"):
        images(Conv(3)).tile(IMAGES, slice(0, 2), kernel="gram")
    with pytest.raises(TypeError, match="rows = 2: expected a slice"):
        images(Conv(3)).tile(IMAGES, 2)
    # What is wrong with the layers of a network is no matter of the command line's words.
    with pytest.raises(ValueError, match="come first") as error:
        images(Conv(3)).ntk(IMAGES.reshape(5, -1))
    assert "mlp" not in str(error.value)


def test_layers_refuse_what_neural_tangents_calls_otherwise():
    for layer, arguments, kind, words in [
        (Dense, (512, 1.5, 0.05), TypeError, "positional"),
        (Conv, (512, (3, 3)), ValueError, "stride = .3, 3.: expected a whole number"),
        (Conv, ((3, 3),), ValueError, "channels are infinitely many"),
        (Conv, (2.5,), ValueError, "kernel = 2.5"),
        (Conv, (True,), ValueError, "kernel = True"),
        (Conv, (3, 0), ValueError, "stride = 0"),
        (Conv, (3, 1, "SAME"), ValueError, "padding = 'SAME'"),
        (Conv, (3, 1, True), ValueError, "padding = True"),
        (AvgPool, ((2, 2),), ValueError, "side of its squares"),
        (SumPool, (0,), ValueError, "window = 0"),
    ]:
        with pytest.raises(kind, match=words):
            layer(*arguments)
    with pytest.warns(UserWarning, match="widths are infinite"):
        Dense(512, 1.5)
    with pytest.raises(TypeError, match="no layer"):
        InfiniteNetwork([Conv(3), GlobalAvgPool, Dense()])
    assert Activation("leaky_relu")._words() == ("activation", "leaky_relu")


def test_a_network_is_a_value():
    network = images(Conv(3), Activation("relu"), Residual([Conv(3)], shortcut=[Conv(1)]))
    again = pickle.loads(pickle.dumps(network))
    assert repr(again) == repr(network) and np.array_equal(again.ntk(IMAGES), network.ntk(IMAGES))
    assert eval(repr(network)).layers == network.layers
    assert np.array_equal(network.tile(IMAGES, slice(2, 5), slice(0, 2)), network.ntk(IMAGES)[2:5, :2])


def covariance_by_hand(theta, k, time):
    """Means and covariances as written, by numpy."""
    (theta_xx, theta_zx), (k_xx, k_zx, k_zz) = theta, k
    w, v = np.linalg.eigh(theta_xx)
    A = theta_zx @ (v * ((1 - np.exp(-w * time)) / w)) @ v.T
    return A, k_zz + A @ k_xx @ A.T - A @ k_zx.T - k_zx @ A.T


@pytest.mark.parametrize("time", [0.0, 0.3, 20.0])
def test_ensembles_in_time_follow_the_formula(time):
    X, Z, y = random.normal(size=(8, 3)), random.normal(size=(4, 3)), random.normal(size=(8, 2))
    options = {"depth": 2, "activation": "erf", "bias_variance": 0.2}
    theta = [gramstep.ntk(X, **options), gramstep.ntk(Z, X, **options)]
    k = [gramstep.nngp(X, **options), gramstep.nngp(Z, X, **options), gramstep.nngp(Z, **options)]
    for kernels in (theta, k[:2]):
        dynamics = gramstep.KernelDynamics(kernels[0], np.zeros((8, 2)), y)
        mean, covariance = dynamics.ensemble(kernels[1], *k, time=time)
        A, want = covariance_by_hand(kernels, k, time)
        assert np.allclose(mean, A @ y, atol=1e-10) and np.allclose(covariance, want, atol=1e-10)
        assert np.array_equal(covariance, covariance.T)
    if time == 0.0:
        assert np.allclose(mean, 0) and np.allclose(covariance, k[2])


def test_an_ensemble_of_trained_networks_has_the_mean_and_covariance_of_the_limit():
    X, Z, y = np.array([[0.8], [-0.5], [0.1]]), np.array([[0.4], [-1.2]]), np.array([[1.0], [-0.5], [0.3]])
    options = {"depth": 1, "activation": "erf", "weight_variance": 1.5, "bias_variance": 0.1}
    time, networks = 2.0, 200
    outputs = []
    for seed in range(networks):
        model = gramstep.Model.mlp(
            [1, 512, 1], activation="erf", seed=seed, parameterization="ntk", weight_variance=1.5, bias_variance=0.1
        )
        linear = gramstep.KernelDynamics(model.gram(X), model.predict(X), y)
        outputs.append(linear.predict(model.gram(Z, X), model.predict(Z), time=time)[:, 0])
    outputs = np.array(outputs)
    dynamics = gramstep.KernelDynamics(gramstep.ntk(X, **options), np.zeros((3, 1)), y)
    prior = gramstep.nngp(X, **options), gramstep.nngp(Z, X, **options), gramstep.nngp(Z, **options)
    mean, covariance = dynamics.ensemble(gramstep.ntk(Z, X, **options), *prior, time=time)
    spread = np.sqrt(np.diag(covariance))
    assert np.all(np.abs(outputs.mean(0) - mean[:, 0]) < 4 * spread / np.sqrt(networks))
    assert np.all(np.abs(outputs.std(0) / spread - 1) < 4 / np.sqrt(2 * networks))


def test_regression_with_a_matrix_is_that_of_the_formulas():
    X, Z = random.normal(size=(9, 2)), random.normal(size=(3, 2))
    y, w = random.normal(size=9), random.uniform(0.5, 2.0, size=9)
    K, cross, new = gramstep.ntk(X), gramstep.ntk(Z, X), gramstep.ntk(Z)
    for weight in (None, w):
        damped = K + 0.3 * np.diag(1 / (np.ones(9) if weight is None else weight))
        fitted = gramstep.KernelRegression(ridge=0.3).fit(K, y, sample_weight=weight)
        f, std = fitted.predict(cross, np.diag(new), return_std=True)
        inverse = np.linalg.inv(damped)
        assert np.allclose(f, cross @ inverse @ y) and np.allclose(fitted.predict(cross), f)
        prior = y @ inverse @ y / 9
        posterior = prior * (new - cross @ inverse @ cross.T)
        assert np.allclose(fitted.covariance(cross, new), posterior)
        assert np.allclose(std, np.sqrt(np.diag(posterior) + fitted.noise_variance_))
        assert np.allclose(fitted.leave_one_out_, y - inverse @ y / np.diag(inverse))
        log = -0.5 * (y @ inverse @ y + np.linalg.slogdet(damped)[1] + 9 * np.log(2 * np.pi))
        assert np.isclose(fitted.log_marginal_likelihood_, log)
        assert np.isclose(fitted.effective_parameters_, np.trace(K @ inverse)) or weight is not None


def test_regression_with_several_targets_and_chosen_ridges():
    X, y = random.normal(size=(20, 2)), random.normal(size=(20, 3))
    K = gramstep.nngp(X, activation="erf")
    for ridge in ("auto", "evidence"):
        fitted = gramstep.KernelRegression(ridge).fit(K, y)
        f, std = fitted.predict(K, np.diag(K), return_std=True)
        assert f.shape == std.shape == fitted.leave_one_out_.shape == (20, 3)
        assert fitted.covariance(K, K).shape == (20, 20, 3) and fitted.noise_variance_.shape == (3,)
        again = gramstep.KernelRegression(fitted.ridge_).fit(K, y)
        assert np.allclose(again.predict(K), f)
    with pytest.raises(ValueError, match="ridge"):
        gramstep.KernelRegression("best")
    with pytest.raises(ValueError, match="k_diagonal"):
        fitted.predict(K, return_std=True)
    with pytest.raises(ValueError, match="fit"):
        gramstep.KernelRegression().predict(K)
    with pytest.raises(ValueError, match="shape"):
        gramstep.KernelRegression().fit(K, y[:, :, None])


def dense_kernels(activation, inputs, variance=0.8):
    network = InfiniteNetwork([Dense(variance), activation, Dense(variance), activation, Dense()])
    return network.ntk(inputs), network.nngp(inputs)


@pytest.mark.parametrize(
    "name, parameters, function, derivative",
    [
        ("exp", {"rate": 0.5}, lambda x: np.exp(x / 2), lambda x: np.exp(x / 2) / 2),
        ("gaussian", {"sharpness": 0.5}, lambda x: np.exp(-(x**2) / 2), lambda x: -x * np.exp(-(x**2) / 2)),
        ("sin", {"phase": 0.4, "scale": 2.0}, lambda x: 2 * np.sin(x + 0.4), lambda x: 2 * np.cos(x + 0.4)),
        ("cos", {"rate": 0.7}, lambda x: np.cos(0.7 * x), lambda x: -0.7 * np.sin(0.7 * x)),
        ("polynomial", {"coefficients": [1.0, 0.5, 0.2]}, lambda x: 1 + x / 2 + x**2 / 5, lambda x: 0.5 + 0.4 * x),
        ("hermite", {"degree": 1}, lambda x: x, np.ones_like),
    ],
)
def test_functions_by_name_are_those_of_their_formulas(name, parameters, function, derivative):
    X = random.normal(size=(5, 3))
    named = dense_kernels(Activation(name, **parameters), X)
    own = dense_kernels(Activation(function, derivative=derivative), X)
    for got, want in zip(named, own):
        assert np.allclose(got, want, rtol=1e-11, atol=1e-12)
    kernel = images(Conv(3), Activation(name, **parameters), Conv(3)).ntk
    assert np.array_equal(kernel(IMAGES), kernel(IMAGES).T)


def test_a_function_of_ones_own_has_kernels_of_images():
    own = Activation(lambda x: np.exp(-0.5 * x**2), derivative=lambda x: -x * np.exp(-0.5 * x**2))
    for head in (GlobalAvgPool(), Flatten()):
        got, want = (images(Conv(3), phi, Conv(3), phi, head=head) for phi in (own, Activation("gaussian", sharpness=0.5)))
        assert np.allclose(got.ntk(IMAGES), want.ntk(IMAGES), rtol=1e-11)
        assert np.allclose(got.nngp(IMAGES[:2], IMAGES), want.nngp(IMAGES[:2], IMAGES), rtol=1e-11)


def test_names_without_parameters_are_the_activations_of_finite_networks():
    X = random.normal(size=(5, 3))
    for name, same in [("erf", {"scale": 1.0}), ("sin", {"rate": 1.0}), ("cos", {"phase": 0.0})]:
        for got, want in zip(dense_kernels(Activation(name), X), dense_kernels(Activation(name, **same), X)):
            assert np.allclose(got, want, rtol=1e-12)
    for got, want in zip(dense_kernels(Activation("rectifier"), X), dense_kernels(Activation("relu"), X)):
        assert np.allclose(got, want, rtol=1e-13)
    assert Activation("relu") == Activation("relu") != Activation("erf") and hash(Activation("relu")) == hash(Activation("relu"))


def test_unusable_activations_are_refused_with_a_reason():
    X = random.normal(size=(3, 2))
    for arguments, parameters, text in [
        (("gaussian",), {"width": 1.0}, "sharpness"),
        (("relu",), {"scale": 1.0}, "no parameters"),
        (("relu", np.abs), {}, "derivative"),
        ((np.tanh,), {}, "derivative"),
        ((3,), {}, "name or a function"),
    ]:
        with pytest.raises(TypeError, match=text):
            Activation(*arguments, **parameters)

    with pytest.raises(ValueError, match="nonsense.*tanh.*gaussian"):
        Activation("nonsense")

    def fails(x):
        raise KeyError("of my own")

    for own, kind, text in [
        (Activation(fails, derivative=np.cos), KeyError, "of my own"),
        (Activation(np.sin, derivative=lambda x: x[:2]), ValueError, "one for each number"),
        (Activation(lambda x: x / 0.0, derivative=np.cos), FloatingPointError, "the activation's values"),
        (Activation(np.abs, derivative=np.sign), ValueError, "series"),
    ]:
        with np.errstate(all="ignore"), pytest.raises(kind, match=text):
            dense_kernels(own, X)


def test_frozen_layers_learn_nothing_and_standard_ones_by_their_width():
    X = random.normal(size=(4, 3))

    def network(first, last):
        def dense(tangents):
            return Dense(1.2, 0.3, **dict(zip(("weight_tangent", "bias_tangent"), tangents)))

        return InfiniteNetwork([dense(first), Activation("relu"), dense(last)])

    frozen, free = network((0.0, 0.0), (0.0, 0.0)), network((), ())
    assert not frozen.ntk(X).any() and np.array_equal(frozen.nngp(X), free.nngp(X))
    # Both layers: Θ is linear in what their weights and biases add.
    parts = [network(*tangents).ntk(X) for tangents in [((3.0, 0), (0, 0)), ((0, 1.0), (0, 0)), ((0, 0), (64.0, 1.0))]]
    assert np.allclose(sum(parts), network((3.0, 1.0), (64.0, 1.0)).ntk(X))

"""What is refused is refused with its node named and the parameters as they were; a wrong rule is caught and named."""

import dataclasses
import os
import warnings

import dense
import networks
import pytest
import torch
import torch.nn.functional as F
from gramstep.torch import GramGaussNewton, UnsupportedGraph, _tangent
from gramstep.torch._features import Lookup, Outer
from gramstep.torch.rules import RULES
from torch import nn
from torch.utils.checkpoint import checkpoint


def wrong(rule):
    """The rule times 1.05."""

    def scaled(site):
        found = rule(site)
        if isinstance(found, Outer):
            whole = None if found.whole is None else lambda: 1.05 * found.whole()

            def factors(samples):
                d, a = found.factors(samples)
                return 1.05 * d, a

            return dataclasses.replace(found, factors=factors, whole=whole)
        if isinstance(found, Lookup):
            return dataclasses.replace(found, deltas=1.05 * found.deltas)
        return None if found is None else 1.05 * found

    return scaled


# A network through which every rule is met. The others are those of devices that this test may not have.
MET_BY = {
    "MmBackward0": "trained frequencies",
    "AddmmBackward0": "perceptron",
    "BmmBackward0": "raw parameters",
    "ConvolutionBackward0": "convolutions",
    "NativeLayerNormBackward0": "called twice",
    "NativeGroupNormBackward0": "convolutions",
    "NativeBatchNormBackward0": "one axis, BatchNorm in eval",
    "EmbeddingBackward0": "GRU over words",
    "AddBackward0": "vision transformer",
    "SubBackward0": None,
    "MulBackward0": "trained frequencies",
    "ExpandBackward0": "vision transformer",
}
ELSEWHERE = {"LinearBackward0": "MPS", "CudnnBatchNormBackward0": "CUDA"}
if os.environ.get("GRAMSTEP_TORCH_DEVICE", "cpu").startswith("cuda"):
    # The same layer has another operation there.
    ELSEWHERE["NativeBatchNormBackward0"] = "CPU"
    MET_BY["CudnnBatchNormBackward0"] = MET_BY.pop("NativeBatchNormBackward0")
    del ELSEWHERE["CudnnBatchNormBackward0"]


class Shifted(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.shift = nn.Linear(5, 4), nn.Parameter(torch.randn(4))

    def forward(self, x):
        return torch.tanh(self.layer(x) - self.shift)


def met_by(rule):
    if MET_BY[rule] is None:
        return Shifted().double(), networks.normal(6, 5).double()
    return networks.build(MET_BY[rule])


def test_there_is_a_network_for_every_rule():
    assert set(MET_BY) | set(ELSEWHERE) == set(RULES)


def unchanged(parameters, action, error):
    """That `action` raises and leaves the parameters alone; what it raises."""
    before = [p.detach().clone() for p in parameters]
    with pytest.raises(error) as caught:
        action()
    assert all(torch.equal(a, b) for a, b in zip(before, parameters))
    return caught.value


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("rule", MET_BY)
def test_a_wrong_rule_is_caught_and_named(rule, dtype, monkeypatch):
    model, x = met_by(rule)
    model, x = model.to(dtype), x.to(dtype) if x.is_floating_point() else x
    parameters = dense.trained(model)
    GramGaussNewton(parameters).step(model(x), torch.randn_like(model(x)))  # as it is
    monkeypatch.setitem(RULES, rule, wrong(RULES[rule]))
    optimizer = GramGaussNewton(parameters)
    error = unchanged(parameters, lambda: optimizer.step(model(x), torch.randn_like(model(x))), UnsupportedGraph)
    assert rule in error.node


class Enlarged:
    """Inner products of A times 1.05."""

    def __init__(self, inner):
        self.inner = inner

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def multiplications(self, other):
        return 1

    def products(self, other, *arguments):
        return 1.05 * self.inner.products(other.inner, *arguments)


# How each form in which a rule may give its gradients goes wrong, and a layer whose weight has that form.
FORMS = {
    "factors": (lambda found: lambda at: (1.05 * found.factors(at)[0], found.factors(at)[1]), nn.Linear(64, 5), (64,)),
    "whole": (lambda found: lambda: 1.05 * found.whole(), nn.Conv2d(8, 4, 3, padding=1), (8, 9, 9)),
    "along": (lambda found: lambda v: 1.05 * found.along(v), nn.Conv2d(2, 4, 3), (2, 4, 4)),
    "inner": (lambda found: Enlarged(found.inner), nn.Conv2d(2, 64, 3), (2, 4, 4)),
}


def test_there_is_a_case_for_every_form():
    sizes = {"n", "k", "blocks", "places", "outputs", "inputs", "transposed", "at_hand"}
    assert set(FORMS) | sizes == {field.name for field in dataclasses.fields(Outer)}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("form", FORMS)
def test_a_wrong_form_is_caught_and_named(form, dtype, monkeypatch):
    spoil, layer, shape = FORMS[form]
    model = nn.Sequential(layer, nn.Tanh(), nn.Flatten(), nn.LazyLinear(1)).to(dtype)
    x, y, spoilt = torch.randn(6, *shape, dtype=dtype), torch.zeros(6, 1), []
    name = "AddmmBackward0" if form == "factors" else "ConvolutionBackward0"
    model(x)
    parameters, rule = dense.trained(model), RULES[name]

    def wrong_form(site):
        found = rule(site)
        if not isinstance(found, Outer) or getattr(found, form) is None:
            return found
        spoilt.append(form)
        return dataclasses.replace(found, **{form: spoil(found)})

    GramGaussNewton(parameters).step(model(x), y)
    monkeypatch.setitem(RULES, name, wrong_form)
    error = unchanged(parameters, lambda: GramGaussNewton(parameters).step(model(x), y), UnsupportedGraph)
    assert error.node == name and spoilt


def test_a_wrong_fallback_is_caught(monkeypatch):
    model, x = networks.build("a backward of one's own")
    right = _tangent.masked
    monkeypatch.setattr(_tangent, "masked", lambda *arguments: 1.05 * right(*arguments))
    parameters = dense.trained(model)
    error = unchanged(parameters, lambda: GramGaussNewton(parameters).step(model(x), torch.ones(6, 2)), UnsupportedGraph)
    assert "Swish" in error.node


def test_a_rule_that_goes_wrong_later_is_caught_at_that_step(monkeypatch):
    model, x = networks.build("perceptron")
    parameters, y = dense.trained(model), torch.zeros(6, 3)
    optimizer = GramGaussNewton(parameters)
    optimizer.step(model(x), y)
    monkeypatch.setitem(RULES, "AddmmBackward0", wrong(RULES["AddmmBackward0"]))
    error = unchanged(parameters, lambda: optimizer.step(model(x), y), UnsupportedGraph)
    assert error.node == "AddmmBackward0"


class Centred(nn.Module):
    """Samples of a batch meet, wherever they do."""

    def __init__(self, where):
        super().__init__()
        self.first, self.second, self.where = nn.Linear(5, 6), nn.Linear(6, 2), where

    def forward(self, x):
        h = self.first(x)
        h = h - h.mean(0) if self.where == "early" else torch.tanh(h)
        h = torch.tanh(h) - torch.tanh(h).mean(0) if self.where == "late" else torch.tanh(h)
        if self.where == "added":
            h = h + (self.first(x) - self.first(x).mean(0))
        if self.where == "attention":
            h = h + F.softmax(h @ h.T, 1) @ h
        f = self.second(h)
        if self.where == "swapped":
            f = f.flip(0)
        return f - f.mean(0) if self.where == "outputs" else f


@pytest.mark.parametrize("n", [6, 7])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("where", ["early", "late", "added", "attention", "swapped", "outputs"])
def test_samples_that_meet_are_refused(where, dtype, n):
    model, x = Centred(where).to(dtype), networks.normal(n, 5).to(dtype)
    parameters = dense.trained(model)
    unchanged(parameters, lambda: GramGaussNewton(parameters).step(model(x), torch.randn(n, 2).to(dtype)), UnsupportedGraph)


def test_samples_that_meet_after_a_table_or_by_words_are_refused():
    table, head = nn.Embedding(9, 4), nn.Linear(4, 2)
    words = torch.tensor([1, 4, 5, 8, 8])
    parameters = [*table.parameters(), *head.parameters()]

    def outputs():
        h = table(words)
        return head(torch.tanh(h - h.mean(0)))

    unchanged(parameters, lambda: GramGaussNewton(parameters).step(outputs(), torch.zeros(5, 2)), UnsupportedGraph)


class Operator(nn.Module):
    """Functions by their values at sensors, read at fixed places: a table of the model's own."""

    def __init__(self):
        super().__init__()
        self.branch, self.trunk = (nn.Sequential(nn.Linear(d, 8), nn.Tanh(), nn.Linear(8, 6)) for d in (5, 1))
        self.register_buffer("places", torch.linspace(0, 1, 4)[:, None])

    def forward(self, x):
        return self.branch(x) @ self.trunk(self.places).T


def test_a_table_as_long_as_the_batch_is_told_with_the_way_out():
    model = Operator().double()
    parameters, x = dense.trained(model), networks.normal(6, 5).double()
    error = unchanged(parameters, lambda: GramGaussNewton(parameters).step(model(x[:4]), torch.zeros(4, 4)), UnsupportedGraph)
    assert "another size" in error.hint
    want = dense.squared_step(model(x), torch.zeros(6, 4), parameters, 1.0, 1e-2)
    GramGaussNewton(parameters, damping=1e-2).step(model(x), torch.zeros(6, 4))
    assert dense.off(dense.flat(parameters), want) < 1e-10


def test_samples_that_begin_to_meet_later_are_noticed():
    class Sometimes(Centred):
        strength = 0.0

        def forward(self, x):
            h = torch.tanh(self.first(x))
            return self.second(h - self.strength * h.mean(0))

    model, x = Sometimes("").double(), networks.normal(6, 5).double()
    optimizer = GramGaussNewton(model.parameters(), lr=0.1)
    y = networks.normal(6, 2)
    optimizer.step(model(x), y)
    model.strength = 0.7
    with pytest.raises(UnsupportedGraph):
        for _ in range(16):
            optimizer.step(model(x), y)


def batch_norm_in_training():
    model = nn.Sequential(nn.Linear(5, 6), nn.BatchNorm1d(6), nn.Linear(6, 2))
    return model, model, "NativeBatchNormBackward0"


def compiled():
    model = nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 2))
    return model, torch.compile(model, backend="aot_eager"), "CompiledFunctionBackward"


def re_entrant_checkpoint():
    model = nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 2))
    return model, lambda x: checkpoint(model, x.requires_grad_(), use_reentrant=True), "CheckpointFunctionBackward"


def scripted():
    model = nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        function = torch.jit.script(model)
    for _ in range(3):  # it is optimised, and then hidden, after two calls
        function(networks.normal(6, 5))
    return model, function, "torch::jit::(anonymous namespace)::DifferentiableGraphBackward"


@pytest.mark.parametrize("hidden", [batch_norm_in_training, compiled, re_entrant_checkpoint, scripted])
def test_what_hides_its_samples_is_refused_by_name(hidden):
    model, function, node = hidden()
    parameters, x = list(model.parameters()), networks.normal(6, 5)
    error = unchanged(parameters, lambda: GramGaussNewton(parameters).step(function(x), torch.zeros(6, 2)), UnsupportedGraph)
    assert error.node == node and error.hint


def plain():
    model, x = networks.build("perceptron")
    return model, x, torch.zeros(6, 3, dtype=torch.float64)


@pytest.mark.parametrize(
    ("misuse", "error", "says"),
    [
        (lambda o, f, y: o.step((f - y).square().mean()), ValueError, "hides"),
        (lambda o, f, y: o.step(lambda: (f - y).square().mean()), ValueError, "closure"),
        (lambda o, f, y: o.step(f.detach(), y), ValueError, "no parameter"),
        (lambda o, f, y: o.step(f, y[:, :2]), ValueError, "targets"),
        (lambda o, f, y: o.step([f, f], [y]), ValueError, "blocks"),
        (lambda o, f, y: o.step({"logits": f}, y), ValueError, "expected tensors"),
        (lambda o, f, y: o.step(f, y + float("nan")), FloatingPointError, "targets"),
        (lambda o, f, y: o.step(f / 0, y), FloatingPointError, "outputs"),
    ],
)
def test_misuse_is_told_and_changes_nothing(misuse, error, says):
    model, x, y = plain()
    parameters = dense.trained(model)
    optimizer = GramGaussNewton(parameters)
    assert says in str(unchanged(parameters, lambda: misuse(optimizer, model(x), y), error))


@pytest.mark.parametrize(
    "settings",
    [
        {"lr": 0.0}, {"lr": float("nan")}, {"damping": -1.0}, {"damping": "adaptative"}, {"damping": ("relative", 1.0)},
        {"damping": ("absolute", -1.0)}, {"damping": True}, {"momentum": 1.0}, {"ridge": -1e-3}, {"max_output_change": 0.0},
        {"loss": "mse"},
    ],
)
def test_settings_out_of_range_are_told(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        GramGaussNewton([nn.Parameter(torch.ones(1))], **settings)


def test_a_system_beyond_the_memory_budget_is_refused_before_it_is_made():
    model, x, y = plain()
    parameters = dense.trained(model)
    optimizer = GramGaussNewton(parameters, memory_budget=10_000)
    unchanged(parameters, lambda: optimizer.step(model(x), y), MemoryError)


class SpectralNorm(nn.Sequential):
    def __init__(self):
        super().__init__(nn.utils.parametrizations.spectral_norm(nn.Linear(5, 6)), nn.Tanh(), nn.Linear(6, 3))


@pytest.mark.parametrize(
    "model", [lambda: nn.Sequential(nn.Linear(5, 6), nn.Dropout(0.5), nn.Linear(6, 3)), SpectralNorm], ids=["dropout", "spectral norm"]
)
def test_a_closure_that_changes_from_call_to_call_is_refused(model):
    model, x = model().double().train(), networks.normal(6, 5).double()
    parameters = dense.trained(model)
    optimizer = GramGaussNewton(parameters, damping="adaptive")
    error = unchanged(parameters, lambda: optimizer.step(lambda: (model(x), torch.zeros(6, 3))), ValueError)
    assert "closure" in str(error)
    model.eval()
    optimizer.step(lambda: (model(x), torch.zeros(6, 3)))


def test_batch_norm_of_one_sample_in_training_mode_is_of_its_own_statistics():
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Tanh(), nn.Flatten(), nn.Linear(48, 2)).double()
    x, parameters = torch.randn(1, 2, 6, 6).double(), list(model.parameters())
    J = dense.jacobian(model(x), parameters)
    assert dense.off(_tangent.Tangent(model(x), parameters).gram(), J @ J.T) < 1e-12


def test_a_vector_of_other_shapes_has_no_product_with_j():
    model, x = nn.Sequential(nn.Linear(5, 3), nn.Tanh(), nn.Linear(3, 1)), torch.randn(4, 5)
    parameters = list(model.parameters())
    tangent = _tangent.Tangent(model(x), parameters)
    for vector in ([p.detach().T for p in parameters], parameters[:-1], [*parameters, parameters[0]]):
        with pytest.raises(ValueError, match="vector: shapes"):
            tangent.jvp(vector)


@pytest.mark.parametrize("layer", [0, 2])
def test_a_hook_that_changes_gradients_steps_by_what_it_makes_of_them_or_is_refused(layer):
    model, x, y = nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 1)).double(), torch.randn(7, 5).double(), torch.zeros(7, 1)

    def outputs():
        hidden = x
        for at, module in enumerate(model):
            hidden = module(hidden)
            if at == layer:
                hidden.register_hook(lambda g: 2 * g)
        return hidden

    parameters = list(model.parameters())
    J, f = dense.jacobian(outputs(), parameters), outputs().detach()[:, 0]
    want = dense.flat(parameters) - J.T @ torch.linalg.solve(J @ J.T + 0.1 * torch.eye(7).double(), f)
    before = dense.flat(parameters).clone()
    try:
        GramGaussNewton(parameters, damping=("absolute", 0.1)).step(outputs(), y)
    except UnsupportedGraph as error:
        assert "hook" in str(error) and torch.equal(dense.flat(parameters), before)
    else:
        assert dense.off(dense.flat(parameters), want) < 1e-10


def test_plans_of_many_lengths_are_forgotten(monkeypatch):
    monkeypatch.setattr(_tangent, "MOST_PLANS", 3)
    model = nn.Linear(4, 1).double()
    optimizer = GramGaussNewton(model.parameters())
    for length in range(2, 9):
        optimizer.step(model(torch.randn(5, length, 4).double()).mean(1), torch.zeros(5, 1))
    assert len(optimizer._plans) == 3

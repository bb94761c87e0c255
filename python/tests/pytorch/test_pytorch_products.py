"""Cheap forms of G against what they stand for."""

import gc
import itertools
import weakref

import pytest
import torch
from torch import nn

from gramstep.torch import GramGaussNewton, Tangent, _features, _products
from gramstep.torch._products import product, products
from gramstep.torch.rules._windows import Windows, windows

SHAPES = [((7,), (3,)), ((6, 5), (3, 2)), ((4, 3, 5), (2, 3, 1))]


@pytest.mark.parametrize("image, kernel", SHAPES)
@pytest.mark.parametrize("stride, padding, dilation", list(itertools.product((1, 2, 3), (0, 1, 4), (1, 2))))
def test_windows_from_pixels(image, kernel, stride, padding, dilation):
    how = [(value,) * len(kernel) for value in (stride, padding, dilation)]
    if any(size + 2 * padding <= dilation * (wide - 1) for size, wide in zip(image, kernel)):
        pytest.skip("no place")
    generator = torch.Generator().manual_seed(1)
    x = torch.randn((4, 2, *image), dtype=torch.float64, generator=generator)
    y = torch.randn((3, 2, *(size + 2 for size in image)), dtype=torch.float64, generator=generator)
    mine, theirs = (Windows(t, lambda at: x, kernel, *how) for t in (x, y))
    a, b = (windows(t, kernel, *how) for t in (x, y))  # (n, C·|kernel|, T)
    assert mine.places == [(s + 2 * padding - dilation * (w - 1) - 1) // stride + 1 for s, w in zip(image, kernel)]
    found = mine.products(theirs, slice(1, 4), slice(0, 2), torch.float64)
    assert torch.allclose(found, torch.einsum("mit,nis->tmsn", a[1:4], b[:2]), atol=1e-12)


def layouts(rows, columns):
    yield torch.randn(rows, columns)
    yield torch.randn(columns, rows).T
    yield torch.randn(rows, 2 * columns)[:, ::2]
    yield torch.randn(rows, columns + 3)[:, 1 : columns + 1]
    yield torch.randn(1, columns).expand(rows, columns)


@pytest.mark.parametrize("rows, others, length", [(64, 64, 200), (1, 300, 3000), (40, 41, _products.LONGEST + 77), (600, 700, 1)])
def test_products_in_single_precision(rows, others, length):
    for a, b in zip(layouts(rows, length), layouts(others, length)):
        found, expected = product(a, b), a.double() @ b.double().T
        assert (found - expected).norm() <= 1e-6 * length**0.5 * expected.norm()
    a, b = torch.randn(3, rows, length), torch.randn(3, others, length)
    for left, right in ((a, b.mT), (a, b.mT.contiguous()), (a.mT.contiguous().mT, b.mT)):
        found, expected = products(left, right), left.double() @ right.double()
        assert (found - expected).norm() <= 1e-6 * length**0.5 * expected.norm()


def networks():
    yield "windows by places", nn.Sequential(nn.Conv2d(2, 64, 3, padding=1), nn.Tanh(), nn.Conv2d(64, 64, 3, padding=1)), (2, 4, 4)
    yield "windows, stride", nn.Sequential(nn.Conv2d(2, 64, 3), nn.Tanh(), nn.Conv2d(64, 64, 3, 2, 1)), (2, 7, 7)
    yield "gradients of samples", nn.Sequential(nn.Conv2d(2, 24, 3, padding=1), nn.Tanh(), nn.Conv2d(24, 20, 3, padding=1)), (2, 12, 12)


@pytest.mark.parametrize("name, body, shape", list(networks()), ids=lambda value: value if isinstance(value, str) else "")
@pytest.mark.parametrize("dtype, tolerance", [(torch.float64, 1e-11), (torch.float32, 2e-5)])
@pytest.mark.parametrize("piece", [_features.PIECE, 5000])
@pytest.mark.parametrize("outputs", [1, 2])
def test_every_form_of_convolutions(name, body, shape, dtype, tolerance, piece, outputs, monkeypatch):
    """In pieces or not: G from its triangle, G of other samples, and both against the Jacobian in double precision."""
    monkeypatch.setattr(_features, "PIECE", piece)
    torch.manual_seed(3)
    net = nn.Sequential(body, nn.Tanh(), nn.Flatten(), nn.LazyLinear(outputs)).to(dtype)
    x, y = torch.randn(24, *shape, dtype=dtype), torch.randn(5, *shape, dtype=dtype)
    net(x)
    J, Q = (Tangent(net.double()(t.double()), list(net.parameters())).jacobian().flatten(0, 1) for t in (x, y))
    net.to(dtype)
    mine, theirs = (Tangent(net(t), list(net.parameters())) for t in (x, y))
    for found, expected in ((mine.gram(), J @ J.T), (mine.gram(theirs), J @ Q.T), (theirs.gram(mine), Q @ J.T)):
        assert (found - expected).norm() <= tolerance * expected.norm()


def test_a_step_leaves_no_circle():
    """What a step held is gone with it, not when the collector comes by: graphs are large."""
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.GroupNorm(2, 8), nn.Flatten(), nn.Linear(8 * 36, 1))
    optimizer = GramGaussNewton(net.parameters(), momentum=0.5)
    gc.disable()
    try:
        for _ in range(2):
            f = net(torch.randn(4, 3, 8, 8))
            seen = weakref.ref(f)
            optimizer.step(f, torch.zeros(4, 1))
            del f
            assert seen() is None
    finally:
        gc.enable()


def test_products_in_bfloat16_are_off_for_gram_matrices():
    """On CPUs "medium" is bfloat16, where the processor has it."""
    seen = []
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    outputs = net(torch.randn(4, 3))
    outputs.grad_fn.register_prehook(lambda _: seen.append(torch.backends.mkldnn.matmul.fp32_precision))
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        chosen = torch.backends.mkldnn.matmul.fp32_precision
        Tangent(outputs, list(net.parameters())).gram()
        assert set(seen) == {"ieee"} and torch.backends.mkldnn.matmul.fp32_precision == chosen != "ieee"
    finally:
        torch.set_float32_matmul_precision(before)

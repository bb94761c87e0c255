"""The guide's blocks run one after the other, every docstring's example gives what it shows, and types fit."""

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import gramstep.torch
import numpy as np
import pytest
import torch

ROOT = Path(__file__).parents[2]
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "GUIDE-PYTORCH.md").read_text(encoding="utf-8"), re.DOTALL)
MODULES = [
    "gramstep.torch",
    *(module.name for module in pkgutil.walk_packages(gramstep.torch.__path__, "gramstep.torch.")),
]


@pytest.fixture(autouse=True)
def on_the_cpu(one_thread_and_a_seed):
    """Examples print numbers and hand them to NumPy."""
    torch.set_default_device("cpu")


def test_the_guide_runs():
    blocks = [block for block in BLOCKS if "import jax" not in block]
    assert len(blocks) >= 7
    names: dict = {}
    for block in blocks:
        exec(compile(block, "GUIDE-PYTORCH.md", "exec"), names)


@pytest.mark.parametrize("module", MODULES)
def test_docstrings_show_what_happens(module):
    assert doctest.testmod(importlib.import_module(module)).failed == 0


def test_the_recipe_for_jax_is_the_dense_step():
    jax = pytest.importorskip("jax", reason="JAX is not installed")
    jax.config.update("jax_enable_x64", True)
    (block,) = [block for block in BLOCKS if "import jax" in block]
    names: dict = {}
    exec(compile(block, "GUIDE-PYTORCH.md", "exec"), names)
    rng = np.random.default_rng(0)
    sizes = [3, 8, 2]
    params = [(jax.numpy.asarray(rng.normal(size=(o, i))), jax.numpy.asarray(rng.normal(size=o))) for i, o in zip(sizes, sizes[1:])]
    x, y = jax.numpy.asarray(rng.normal(size=(5, 3))), rng.normal(size=(5, 2))

    def outputs(params):
        return names["forward"](params, x, [0.0, jax.numpy.zeros(())])[0]

    leaves = jax.tree.leaves(jax.jacrev(outputs)(params))
    J = np.concatenate([np.asarray(leaf).reshape(10, -1) for leaf in leaves], 1)
    _, tangent = names["tangent"](params, x)
    assert np.allclose(tangent.jacobian().reshape(10, -1), J, rtol=1e-10)
    G = J @ J.T
    c = np.linalg.solve(G + 0.01 * G.trace() / 10 * np.eye(10), (np.asarray(outputs(params)) - y).ravel())
    flat = np.concatenate([np.asarray(leaf).ravel() for leaf in jax.tree.leaves(params)]) - J.T @ c
    got = np.concatenate([np.asarray(leaf).ravel() for leaf in jax.tree.leaves(names["step"](params, x, y, 0.01))])
    assert np.allclose(got, flat, rtol=1e-10)

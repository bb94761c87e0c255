"""The examples run, and every docstring's example gives what it shows."""

import doctest
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import gramstep

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))
# gramstep.torch has tests of its own, for where PyTorch is.
MODULES = ["gramstep", *(f"gramstep.{module.name}" for module in pkgutil.iter_modules(gramstep.__path__) if module.name != "torch")]


@pytest.mark.parametrize("module", MODULES)
def test_docstrings_show_what_happens(module):
    assert doctest.testmod(importlib.import_module(module)).failed == 0


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_run(path):
    if "pytorch" in path.stem:
        pytest.importorskip("torch", reason="PyTorch is not installed")
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_there_are_examples():
    assert len(EXAMPLES) >= 4

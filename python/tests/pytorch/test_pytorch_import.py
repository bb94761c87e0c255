"""A PyTorch that is missing or too old is told at import."""

import sys

import pytest
import torch
from gramstep.torch._require import require_torch


@pytest.mark.parametrize("version", ["1.13.1", "2.4.0+cpu", "2.10.1"])
def test_old_versions_are_refused_with_the_reason(version, monkeypatch):
    monkeypatch.setattr(torch, "__version__", version)
    with pytest.raises(ImportError, match=f"PyTorch {version.replace('+', '.')}.*2.11 or later"):
        require_torch()


@pytest.mark.parametrize("version", ["2.11.0+cu130", "2.15.0a0+git1234", "3.0.0"])
def test_later_versions_are_taken(version, monkeypatch):
    monkeypatch.setattr(torch, "__version__", version)
    require_torch()


def test_a_missing_pytorch_is_told_with_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ImportError, match=r"gramstep\[torch\]"):
        require_torch()

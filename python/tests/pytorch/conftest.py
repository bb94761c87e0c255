"""Tests of gramstep.torch; none is collected where PyTorch is missing. GRAMSTEP_TORCH_DEVICE=cuda runs them there."""

import importlib.util
import os

import pytest

collect_ignore_glob = [] if importlib.util.find_spec("torch") else ["test_*.py"]


@pytest.fixture(autouse=True)
def one_thread_and_a_seed():
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    before = torch.get_default_device()
    torch.set_default_device(os.environ.get("GRAMSTEP_TORCH_DEVICE", "cpu"))
    yield
    torch.set_default_device(before)
    torch.set_num_threads(threads)

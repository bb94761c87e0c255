"""Data that several tests use."""

import os

import numpy as np
import pytest


def pytest_addoption(parser):
    parser.addoption("--slow", action="store_true", help="run the tests that take minutes")


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes minutes; run with --slow")


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--slow"):
        for item in items:
            if "slow" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="takes minutes: pytest --slow"))


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.fixture
def program():
    """The command line, named by GRAMSTEP_PROGRAM."""
    path = os.environ.get("GRAMSTEP_PROGRAM")
    if not path:
        pytest.skip("GRAMSTEP_PROGRAM does not name the program gramstep")
    return path

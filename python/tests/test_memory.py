"""How much memory a fit takes beside X."""

import subprocess
import sys
import tempfile
import textwrap

import pytest

SCRIPT = textwrap.dedent(
    """
    import resource
    import numpy as np
    from gramstep import GramGaussNewtonRegressor

    def peak():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

    rng = np.random.default_rng(0)
    small = rng.standard_normal((2000, 50), dtype=np.float32)
    options = {"max_iter": 1, "early_stopping": EARLY, "batch_size": 512, "random_state": 0}
    GramGaussNewtonRegressor((8,), **options).fit(small, small[:, 0])
    X = rng.standard_normal((100_000, 50), dtype=np.float32)
    y = X[:, 0].copy()
    start = peak()
    GramGaussNewtonRegressor((8,), **options).fit(X, y)
    print((peak() - start) / X.nbytes)
    """
)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="peak memory is read as Linux tells it")
@pytest.mark.parametrize("early_stopping", [True, False])
def test_a_fit_of_float32_makes_one_copy_of_X(early_stopping):
    script = SCRIPT.replace("EARLY", str(early_stopping))
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=tempfile.gettempdir()).stdout
    # One copy of X (20 MB), and about 14 MB of targets, orders of rows and work space; two copies would make it 2.7.
    assert float(out) < 1.9, out

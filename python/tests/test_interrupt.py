"""Ctrl-C, and other threads while the compiled half works."""

import signal
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np

import gramstep

SCRIPT = textwrap.dedent(
    """
    import sys, time
    import numpy as np
    from gramstep import GramGaussNewtonRegressor
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(2000, 20)), rng.normal(size=2000)
    print("training", flush=True)
    try:
        GramGaussNewtonRegressor((512, 512), max_iter=10**6, early_stopping=False, alpha=1.0).fit(X, y)
    except KeyboardInterrupt:
        print("interrupted", time.time(), flush=True)
    """
)


def test_ctrl_c_ends_a_long_training_within_a_second(tmp_path):
    # Elsewhere than in the source folder, whose package has no compiled half.
    process = subprocess.Popen([sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, text=True, cwd=tmp_path)
    assert process.stdout.readline() == "training\n"
    time.sleep(1.5)
    sent = time.time()
    process.send_signal(signal.SIGINT)
    word, when = process.stdout.readline().split()
    process.kill()
    process.wait()
    assert word == "interrupted" and float(when) - sent < 1.0


def test_other_threads_run_while_a_kernel_is_computed(rng):
    X = rng.normal(size=(3000, 50))
    counts, done = [0], threading.Event()

    def count():
        while not done.is_set():
            counts[0] += 1
            time.sleep(0.001)

    thread = threading.Thread(target=count)
    thread.start()
    before = counts[0]
    kernel = gramstep.ntk(X, depth=3)
    during = counts[0] - before
    done.set()
    thread.join()
    assert during > 5 and np.isfinite(kernel).all()

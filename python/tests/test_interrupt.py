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


ATTACK = textwrap.dedent(
    """
    import time
    import numpy as np
    from gramstep import attacks

    class Line:
        n_inputs, n_outputs, dtype = 2, 1, "float64"
        calls = 0

        def outputs(self, X):
            Line.calls += 1
            return X[:, :1]

        def pull_back(self, X):
            Line.calls += 1
            time.sleep(0.01)
            return X[:, :1], lambda u: np.hstack([u, 0 * u])

    X, y = np.ones((3, 2)), np.zeros((3, 1))
    print("attacking", flush=True)
    try:
        attacks.pgd(Line(), X, y, radius=0.1, steps=10**6)
    except KeyboardInterrupt:
        before = Line.calls
        time.sleep(0.5)
        print("interrupted", before, Line.calls, flush=True)
    """
)


def test_ctrl_c_ends_the_evaluations_of_a_model_of_python(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", ATTACK], stdout=subprocess.PIPE, text=True, cwd=tmp_path)
    assert process.stdout.readline() == "attacking\n"
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    word, before, after = process.stdout.readline().split()
    process.kill()
    process.wait()
    assert word == "interrupted" and int(before) > 10
    assert after == before, "a thread went on with them"


KERNEL = textwrap.dedent(
    """
    import time
    import numpy as np
    import gramstep

    model = gramstep.Model.mlp([20, 256, 256, 4], dtype="float32", threads=1)
    X = np.random.default_rng(0).normal(size=(12_000, 20)).astype("float32")
    print("computing", flush=True)
    try:
        gramstep.empirical_ntk(model, X)
    except KeyboardInterrupt:
        # Until nothing works any more.
        until, idle = time.monotonic() + 8.0, False
        while time.monotonic() < until and not idle:
            before = time.process_time()
            time.sleep(0.5)
            idle = time.process_time() - before < 0.05
        print("idle" if idle else "busy", flush=True)
    """
)


def test_ctrl_c_ends_a_kernel_of_a_network_after_its_tile(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", KERNEL], stdout=subprocess.PIPE, text=True, cwd=tmp_path)
    assert process.stdout.readline() == "computing\n"
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    word = process.stdout.readline()
    process.kill()
    process.wait()
    assert word == "idle\n", "a thread went on with it"

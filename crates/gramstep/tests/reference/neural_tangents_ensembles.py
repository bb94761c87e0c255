#!/usr/bin/env python3
"""Mean and covariance of infinitely many networks trained for a time, by neural-tangents 0.6.5 in double precision.

usage: neural_tangents_ensembles.py > neural_tangents_ensembles.json   (in the environment of bench/peers/requirements-ntk.txt)

Points are 1.5·sin(78.233 (i + 1)), six training points and three others of 4 numbers, targets cos(3i + a) of two outputs. Two
hidden layers of erf. neural-tangents takes the mean loss: its time is nk = 12 times that written here.
"""
import json
import sys
import types

# neural-tangents imports its TensorFlow front door, unused here, on its way in.
sys.modules["neural_tangents.experimental"] = types.ModuleType("neural_tangents.experimental")

import jax

jax.config.update("jax_enable_x64", True)
import jax.numpy as jnp
import neural_tangents as nt
import numpy as np
from neural_tangents import stax

WEIGHT, BIAS = 1.5, 0.1


def main():
    scale = dict(W_std=WEIGHT**0.5, b_std=BIAS**0.5)
    block = stax.serial(stax.Dense(1, **scale), stax.Erf())
    kernel = stax.serial(block, block, stax.Dense(1, **scale))[2]
    x = jnp.array(1.5 * np.sin(78.233 * (np.arange(36) + 1)).reshape(9, 4))
    y = jnp.array(np.cos(3.0 * np.arange(6)[:, None] + np.arange(2)))
    predict = nt.predict.gradient_descent_mse_ensemble(kernel, x[:6], y, diag_reg=0.0)
    results = []
    for time in (0.05, 0.5, 4.0, None):
        both = predict(None if time is None else 12 * time, x[6:], ("ntk", "nngp"), compute_cov=True)
        for get in ("ntk", "nngp"):
            mean, covariance = getattr(both, get)
            results.append({"time": time, "get": get, "mean": np.asarray(mean).tolist(), "covariance": np.asarray(covariance).tolist()})
    reference = {"version": nt.__version__, "weight_variance": WEIGHT, "bias_variance": BIAS, "ensembles": results}
    print(json.dumps(reference).replace('{"time"', '\n{"time"'))


if __name__ == "__main__":
    main()

"""What pickles of this package call."""

import numpy as np

from gramstep._gramstep import Model


def rebuild_model(specification: str, seed: int, dtype: str, theta: np.ndarray) -> Model:
    """A model from its specification, with these parameters."""
    model = Model.from_specification(specification, seed=seed, dtype=dtype)
    model.theta = theta
    return model

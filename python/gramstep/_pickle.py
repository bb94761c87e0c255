"""What pickles of this package call."""

from typing import Any, Literal

from numpy.typing import NDArray

from gramstep._gramstep import Model


def rebuild_model(
    specification: str, seed: int, dtype: Literal["float32", "float64"], theta: NDArray[Any]
) -> Model:
    """A model from its specification, with these parameters."""
    model = Model.from_specification(specification, seed=seed, dtype=dtype)
    model.theta = theta
    return model

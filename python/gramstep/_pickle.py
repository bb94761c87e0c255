"""What pickles of this package call, and what they keep."""

import copyreg
from typing import Any, Literal

from numpy.typing import NDArray

from gramstep._gramstep import Model, Predictor


def rebuild_model(
    specification: str, seed: int, dtype: Literal["float32", "float64"], theta: NDArray[Any], threads: int = 0
) -> Model:
    """A model from its specification, with these parameters."""
    model = Model.from_specification(specification, seed=seed, dtype=dtype, threads=threads)
    model.theta = theta
    return model


def _reduce(model):
    """As the compiled half does it, and the threads."""
    return rebuild_model, (model.specification, model.seed, model.dtype, model.theta, model.threads)


copyreg.pickle(Model, _reduce)


class KeepsThreads:
    """What was learned, pickled with its number of threads, which the compiled half leaves out."""

    threads: int | None
    _predictor: Any

    def __getstate__(self):
        # Before Python 3.11 an object has no such method.
        inherited = getattr(super(), "__getstate__", None)
        state = dict(self.__dict__ if inherited is None else inherited())
        if isinstance(state.get("_predictor"), Predictor):
            state["_predictor"] = state["_predictor"].__reduce__()[1]
        return state

    def __setstate__(self, state):
        packed = state.get("_predictor")
        # A predictor itself in pickles of earlier versions.
        if isinstance(packed, tuple):
            threads = state.get("threads") or 0
            state = {**state, "_predictor": Predictor.from_state(*packed, threads=max(threads, 0))}
        inherited = getattr(super(), "__setstate__", None)
        if inherited is None:
            self.__dict__.update(state)
        else:
            inherited(state)

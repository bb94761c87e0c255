"""A run folder's network in PyTorch: the same outputs from the same file.

    python examples/rebuild_in_pytorch.py [RUN]

RUN is a folder that ``gramstep train`` or ``save_run`` wrote; without it one is made. In ``model.safetensors`` every
parameter is a tensor under its name, layers.N.weight (out, in) and layers.N.bias (out,), N the place among layers and
activations: exactly the names of a torch.nn.Sequential called ``layers``. The metadata entry "gramstep" holds the
architecture and the preprocessing.
"""

import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from sklearn.datasets import load_diabetes

from gramstep import GramGaussNewtonRegressor, load_run

ACTIVATIONS = {"relu": torch.nn.ReLU, "gelu": torch.nn.GELU, "tanh": torch.nn.Tanh, "silu": torch.nn.SiLU}


class Network(torch.nn.Module):
    """The network of a specification."""

    def __init__(self, specification):
        super().__init__()
        layers, width = [], specification["input"]["vector"]
        for layer in specification["layers"]:
            if "dense" in layer:
                units, bias = layer["dense"]["units"], layer["dense"]["bias"]
                layers.append(torch.nn.Linear(width, units, bias=bias))
                width = units
            else:
                layers.append(ACTIVATIONS[layer["activation"]]())
        self.layers = torch.nn.Sequential(*layers)

    def forward(self, x):
        return self.layers(x)


def main():
    X, y = load_diabetes(return_X_y=True)
    if len(sys.argv) > 1:
        folder = Path(sys.argv[1])
    else:
        folder = Path(tempfile.mkdtemp()) / "run"
        GramGaussNewtonRegressor((50,), "tanh", max_iter=20, random_state=0).fit(X, y).save_run(folder)

    path = folder / "model.safetensors"
    with safe_open(path, "pt") as file:
        metadata = json.loads(file.metadata()["gramstep"])
    network = Network(metadata["specification"])
    # Beside its weights the file holds rows for error bars.
    weights = {name: tensor for name, tensor in load_file(path).items() if name in network.state_dict()}
    network.to(next(iter(weights.values())).dtype).load_state_dict(weights)

    run = load_run(folder)
    x = torch.randn(100, run.model.n_inputs, dtype=next(network.parameters()).dtype)
    with torch.no_grad():
        difference = np.abs(network(x).numpy() - run.model.predict(x.numpy())).max()
    print(f"largest difference of the outputs: {difference:.1e}")
    assert difference < 1e-4


if __name__ == "__main__":
    main()

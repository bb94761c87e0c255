"""Rebuilds a network, or the mean of several, from model.safetensors with NumPy alone.

usage: python rebuild.py model.safetensors < inputs.txt
One row of the network's inputs a line: the columns of the table in the order of metadata["preprocessing"], as they are
before standardisation, text columns as 0/1 columns. Prints the targets in their own units, or the classes' logits.
"""
import json, math, struct, sys
import numpy as np

def load(path):
    data = open(path, "rb").read()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    metadata = json.loads(header.pop("__metadata__")["gramstep"])
    kinds = {"F32": "<f4", "F64": "<f8", "U64": "<u8"}
    tensors = {}
    for name, entry in header.items():
        start, end = entry["data_offsets"]
        tensors[name] = np.frombuffer(data[8 + size + start:8 + size + end], kinds[entry["dtype"]]).reshape(entry["shape"])
    return metadata, tensors

erf = np.vectorize(math.erf)
sigmoid = lambda z: 0.5 * (1 + np.tanh(0.5 * z))
activations = {
    "identity": lambda z: z, "relu": lambda z: np.maximum(z, 0), "tanh": np.tanh, "sigmoid": sigmoid,
    "gelu": lambda z: 0.5 * z * (1 + erf(z / math.sqrt(2))), "silu": lambda z: z * sigmoid(z),
    "softplus": lambda z: np.logaddexp(0, z), "erf": erf, "sin": np.sin, "cos": np.cos,
    "squared-relu": lambda z: np.maximum(z, 0) ** 2, "leaky-relu": lambda z: np.where(z > 0, z, 0.01 * z), "abs": np.abs,
}

def network(metadata, tensors, x, number):
    specification = metadata["specification"]
    prefix = "" if metadata["members"] == 1 else f"network.{number}."
    assert specification["parameterization"] == "standard" and not specification["symmetric"]
    for index, layer in enumerate(specification["layers"]):
        if "dense" in layer:                                     # (rows, in) -> (rows, out); weights are (out, in)
            x = x @ tensors[f"{prefix}layers.{index}.weight"].T
            if layer["dense"]["bias"]:
                x = x + tensors[f"{prefix}layers.{index}.bias"]
        else:
            x = activations[layer["activation"]](x)
    return specification["output_scale"] * x

def bend(t):
    return t / np.hypot(t, 1)

def predict(metadata, tensors, raw):
    inputs, targets = metadata["preprocessing"]["inputs"], metadata["preprocessing"]["targets"]
    x = (raw - np.array(inputs["standardisation"]["mean"])) / np.array(inputs["standardisation"]["scale"])
    for j, bound in enumerate(inputs.get("bounds", [])):          # as it is between low and high, at most 1 beyond
        if bound != "free":
            low, high = bound["range"]
            z = x[:, j]
            x[:, j] = np.where(z < low, low + bend(z - low), np.where(z > high, high + bend(z - high), z))
    outputs = np.mean([network(metadata, tensors, x, number) for number in range(metadata["members"])], axis=0)
    if "standardisation" in targets:
        loss = targets.get("loss", "squared")
        levels = len(loss.split(",")) if loss.startswith("quantile:") else 1
        outputs = np.sort(outputs.reshape(len(outputs), -1, levels), axis=2)
        if loss == "poisson":
            outputs = np.exp(outputs)
        scale, mean = (np.array(targets["standardisation"][what])[:, None] for what in ("scale", "mean"))
        outputs = outputs * scale + mean
        outputs = np.exp(outputs) if targets.get("transform") == "log" else outputs
        outputs = outputs.reshape(len(outputs), -1)
    return outputs

if __name__ == "__main__":
    np.savetxt(sys.stdout, predict(*load(sys.argv[1]), np.loadtxt(sys.stdin, ndmin=2)), fmt="%.17g")

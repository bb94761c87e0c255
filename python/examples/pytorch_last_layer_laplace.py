"""What a trained classifier does not know: the posterior of its last layer, and of all of it.

    python examples/pytorch_last_layer_laplace.py

A perceptron learns eight of the ten digits. On the two that it has never seen it should be unsure. Needs PyTorch.
"""

import torch
from sklearn.datasets import load_digits
from torch import nn

from gramstep.torch import GramGaussNewton, LinearisedLaplace


def entropy(p):
    return float(-(p * p.clamp_min(1e-12).log()).sum(1).mean())


def main():
    torch.manual_seed(0)
    torch.set_num_threads(1)
    digits = load_digits()
    x, y = torch.tensor(digits.data) / 16, torch.tensor(digits.target)
    known = y < 8
    order = torch.randperm(int(known.sum()))
    x_known, y_known = x[known][order], y[known][order]
    train, test = slice(0, 300), slice(300, None)
    model = nn.Sequential(nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 8)).double()
    optimizer = GramGaussNewton(model.parameters(), lr=0.5, damping=("absolute", 1.0), loss="cross_entropy")
    for _ in range(3):
        for rows in torch.randperm(300).split(50):
            optimizer.step(model(x_known[rows]), y_known[rows])
    with torch.no_grad():
        plain = [model(part).softmax(1) for part in (x_known[test], x[~known])]
    print(f"accuracy {float((plain[0].argmax(1) == y_known[test]).double().mean()):.3f}")
    print(f"{'network alone':14s} entropy of known digits {entropy(plain[0]):.2f}, of unseen ones {entropy(plain[1]):.2f}")
    for name, params in (("last layer", "last_layer"), ("all of it", None)):
        posterior = LinearisedLaplace(model, x_known[:100], y_known[:100], likelihood="classification", params=params)
        seen, unseen = (posterior.predict_proba(part) for part in (x_known[test][:300], x[~known]))
        print(f"{name:14s} entropy of known digits {entropy(seen):.2f}, of unseen ones {entropy(unseen):.2f}")


if __name__ == "__main__":
    main()

"""gramstep's attacks beside those of foolbox and torchattacks: one network, one run, success and distance.

    python attacks.py [--samples 400] [--seed 0]        # needs gramstep, torch, foolbox, torchattacks and scikit-learn

A network of 64-64-10 units is trained on scikit-learn's digits by PyTorch and its weights are given to gramstep; every
attack then meets the same test images. `success` is the share of images that are misclassified within the radius,
judged by PyTorch on what came back and on nothing else; `distance` the median over images of the smallest perturbation
(the radius counts where none was found). The last column says by how many standard errors of the paired difference
gramstep is behind (above 2: worse, and the exit status is 1).
"""

import argparse
import sys
import warnings

import foolbox
import gramstep
import numpy as np
import torch
import torchattacks
from sklearn.datasets import load_digits

STEPS = 40
# Radii at which neither all nor none of the images fall.
RADII = {"linf": 0.15, "l2": 0.8}
FAR = {"linf": 1.0, "l2": 8.0}


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--samples", type=int, default=400)
    options.add_argument("--seed", type=int, default=0)
    options = options.parse_args()
    warnings.filterwarnings("ignore")
    torch.manual_seed(options.seed)
    net, model, X, y = trained(options)
    wrong = judge(net, X) != y
    print(f"{len(y)} digits, {wrong.mean():.3f} wrong without attack; {STEPS} steps", file=sys.stderr)
    print("| attack | norm | measure | gramstep | foolbox | torchattacks | behind by |\n|---|---|---|---|---|---|---|")
    worse = [row(name, norm, net, model, X, y) for name in ATTACKS for norm in RADII]
    sys.exit(any(worse))


def trained(options):
    """The network in PyTorch and in gramstep, and test images it has not seen."""
    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(options.seed).permutation(len(labels))
    images, labels = (images[order] / 16).astype(np.float32), labels[order]
    train = len(labels) - options.samples
    net = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10))
    x, t = torch.from_numpy(images[:train]), torch.from_numpy(labels[:train])
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    for _ in range(400):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(x), t).backward()
        optimizer.step()
    net.eval().requires_grad_(False)
    model = gramstep.Model.mlp([64, 64, 10], activation="relu", dtype="float32")
    model.set_parameters(
        {f"layers.{at}.{name}": getattr(net[at], name).numpy() for at in (0, 2) for name in ("weight", "bias")}
    )
    return net, model, images[train:], labels[train:]


def judge(net, X):
    return net(torch.from_numpy(np.asarray(X, dtype=np.float32))).argmax(axis=1).numpy()


def size(norm, X, moved):
    return np.linalg.norm((np.asarray(moved) - X).reshape(len(X), -1), ord=np.inf if norm == "linf" else 2, axis=1)


class Images(torch.nn.Module):
    """Rows as images of one channel, which torchattacks asks for."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net(x.flatten(1))


def by_torchattacks(make):
    def run(net, X, y):
        attack = make(Images(net))
        return attack(torch.from_numpy(X).reshape(-1, 1, 8, 8), torch.from_numpy(y)).detach().numpy().reshape(X.shape)

    return run


def by_foolbox(make, radius):
    def run(net, X, y):
        frozen = foolbox.PyTorchModel(net, bounds=(0, 1), device="cpu")
        return make()(frozen, torch.from_numpy(X), torch.from_numpy(y), epsilons=radius)[1].numpy()

    return run


def by_gramstep(attack, norm, radius, **settings):
    def run(model, X, y):
        return getattr(gramstep.attacks, attack)(
            model, X, y, norm=norm, radius=radius, bounds=(0, 1), **settings
        ).adversarial

    return run


def fgsm(norm):
    r = RADII[norm]
    kind = {"linf": foolbox.attacks.LinfFastGradientAttack, "l2": foolbox.attacks.L2FastGradientAttack}[norm]
    theirs = by_torchattacks(lambda net: torchattacks.FGSM(net, eps=r)) if norm == "linf" else None
    return r, by_gramstep("fgsm", norm, r), by_foolbox(kind, r), theirs


def pgd(norm):
    r = RADII[norm]
    kind = {"linf": foolbox.attacks.LinfPGD, "l2": foolbox.attacks.L2PGD}[norm]
    same = {
        "linf": lambda net: torchattacks.PGD(net, eps=r, alpha=r / 4, steps=STEPS, random_start=False),
        "l2": lambda net: torchattacks.PGDL2(net, eps=r, alpha=r / 4, steps=STEPS, random_start=False),
    }[norm]
    ours = by_gramstep("pgd", norm, r, steps=STEPS)
    return r, ours, by_foolbox(lambda: kind(rel_stepsize=0.25, steps=STEPS, random_start=False), r), by_torchattacks(same)


def apgd(norm):
    r = RADII[norm]
    name = {"linf": "Linf", "l2": "L2"}[norm]
    theirs = by_torchattacks(lambda net: torchattacks.APGD(net, norm=name, eps=r, steps=STEPS, n_restarts=1))
    return r, by_gramstep("apgd", norm, r, steps=STEPS), None, theirs


def smallest(norm):
    """Minimal perturbations: foolbox's DeepFool and, where it has one, its best; torchattacks' DeepFool (l2 alone)."""
    r = FAR[norm]
    kind = {"linf": foolbox.attacks.LinfDeepFoolAttack, "l2": foolbox.attacks.L2DeepFoolAttack}[norm]
    theirs = by_torchattacks(lambda net: torchattacks.DeepFool(net, steps=50)) if norm == "l2" else None
    return r, by_gramstep("smallest_perturbation", norm, r), by_foolbox(kind, None), theirs


def smallest_by_fmn(norm):
    """foolbox's fast minimum norm attack with as many steps as our bisection takes for one way."""
    r = FAR[norm]
    kind = {"linf": foolbox.attacks.LInfFMNAttack, "l2": foolbox.attacks.L2FMNAttack}[norm]
    return r, by_gramstep("smallest_perturbation", norm, r), by_foolbox(lambda: kind(steps=400), None), None


ATTACKS = {"fgsm": fgsm, "pgd": pgd, "apgd": apgd, "smallest, deepfool": smallest, "smallest, fmn": smallest_by_fmn}


def row(name, norm, net, model, X, y):
    """Prints a line of the table; whether gramstep is worse than a peer."""
    radius, ours, *peers = ATTACKS[name](norm)
    distances = "smallest" in name

    def measured(moved):
        """A number of each image, larger is better for the attacker."""
        found, sizes = judge(net, moved) != y, size(norm, X, moved)
        assert (sizes[found] <= radius * (1 + 1e-4)).all() and moved.min() >= -1e-6 and moved.max() <= 1 + 1e-6
        return -np.where(found, sizes, radius) if distances else found.astype(float)

    mine = measured(ours(model, X, y))
    show = (lambda values: f"{np.median(-values):.4f}") if distances else (lambda values: f"{values.mean():.3f}")
    cells, behind = [show(mine)], []
    for peer in peers:
        if peer is None:
            cells.append("–")
            continue
        theirs = measured(peer(net, X, y))
        cells.append(show(theirs))
        difference = theirs - mine
        error = difference.std(ddof=1) / np.sqrt(len(y))
        behind.append(difference.mean() / error if error > 0 else 0.0)
    what = "median distance" if distances else f"success within {radius}"
    print(f"| {name} | {norm} | {what} | {' | '.join(cells)} | {max(behind):+.1f} |", flush=True)
    return max(behind) > 2


if __name__ == "__main__":
    main()

"""foolbox and torchattacks: PGD-20 on 784-512-512-10 relu, batch 512, with the weights, samples and settings of our own
case `pgd-mlp10`; the mean loss in `config` has to agree with ours."""

import numpy
import torch

from timing import Operation

LAYERS = [784, 512, 512, 10]
SAMPLES, RADIUS, STEPS = 512, 0.1, 20


def pgd_mlp10(threads):
    import foolbox
    import torchattacks

    model, images, labels = problem()
    frozen = foolbox.PyTorchModel(model, bounds=(0, 1), device="cpu")
    attack = foolbox.attacks.LinfPGD(rel_stepsize=0.25, steps=STEPS, random_start=False)
    other = torchattacks.PGD(model, eps=RADIUS, alpha=RADIUS / 4, steps=STEPS, random_start=False)

    def with_foolbox():
        return attack(frozen, images, labels, epsilons=RADIUS)[1]

    def with_torchattacks():
        return other(images, labels)

    operations = []
    for name, version, run in [("foolbox", foolbox.__version__, with_foolbox),
                               ("torchattacks", torchattacks.__version__, with_torchattacks)]:
        config = {"peer": name, "version": version, "torch": torch.__version__, "threads": threads, "dtype": "f32",
                  "n": SAMPLES, "layers": LAYERS, "loss_before": loss(model, images, labels),
                  "loss": loss(model, run(), labels)}
        operations.append(Operation(f"pgd-mlp10/{name}", config, run))
    return operations


def problem():
    modules = []
    for fan_in, fan_out in zip(LAYERS, LAYERS[1:]):
        layer = torch.nn.Linear(fan_in, fan_out)
        layer.weight.data = torch.from_numpy((6 / fan_in) ** 0.5 * noise(fan_out, fan_in))
        layer.bias.data.zero_()
        modules += [layer, torch.nn.ReLU()]
    model = torch.nn.Sequential(*modules[:-1]).eval()
    # Frozen weights: no gradient that an attack does not need.
    model.requires_grad_(False)
    images = torch.from_numpy(0.5 + 0.5 * noise(SAMPLES, LAYERS[0]))
    return model, images, torch.arange(SAMPLES) % 10


@torch.no_grad()
def loss(model, images, labels):
    return torch.nn.functional.cross_entropy(model(images).double(), labels).item()


def noise(rows, columns):
    """The numbers of `data` in bench/src/networks.rs: xorshift, about uniform in -1..1."""
    mask, state = 2**64 - 1, 0x9E3779B97F4A7C15
    values = numpy.empty(rows * columns)
    for at in range(len(values)):
        state ^= (state << 13) & mask
        state ^= state >> 7
        state ^= (state << 17) & mask
        values[at] = (state >> 11) / 2**52 - 1
    return values.astype(numpy.float32).reshape(rows, columns)

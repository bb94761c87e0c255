"""PyTorch on the CPU: SGD, the Gram trick as a good PyTorch user would write it by hand, Cholesky,
and the attacks of foolbox and torchattacks."""

from functools import partial

import torch

from pgd import pgd_mlp10
from timing import Operation, measure, parse_arguments

MLP = [784, 1024, 1024, 1024, 1]


def main():
    cases = {"step-mlp": step_mlp, "gram-mlp": gram_mlp, "cholesky": cholesky, "pgd-mlp10": pgd_mlp10}
    arguments = parse_arguments(__doc__, cases)
    torch.set_num_threads(arguments.threads)
    for case in arguments.cases:
        measure(cases[case](arguments.threads), arguments.repeats)


def step_mlp(threads):
    """One training step at batch 128 from inputs to updated weights: SGD with momentum 0.9 by autograd, and a
    Gram-Gauss-Newton step at fixed relative damping without momentum."""
    x, y = problem(128)
    sgd = SgdStep(x, y)
    gauss_newton = GramGaussNewtonStep(x, y)
    config = describe(threads, "f32", n=128, layers=MLP)
    return [
        Operation("step-mlp/torch-sgd", config, sgd.step),
        Operation("step-mlp/torch-gram-gauss-newton", config, gauss_newton.step),
    ]


def gram_mlp(threads):
    """The 512 x 512 Gram matrix from inputs and weights: forward, backward and one pair of products a layer."""
    x, _ = problem(512)
    network = ByHand(MLP)
    return [Operation("gram-mlp/torch-by-hand", describe(threads, "f32", n=512, layers=MLP), partial(network.gram, x))]


def cholesky(threads):
    """Factorisation alone, of a well-conditioned symmetric matrix in double precision."""
    operations = []
    for n in [512, 2048, 4096]:
        factor = torch.randn(n, n, dtype=torch.float64)
        matrix = (factor @ factor.T).div_(n).add_(torch.eye(n, dtype=torch.float64))
        operations.append(Operation("cholesky/torch", describe(threads, "f64", n=n), partial(torch.linalg.cholesky, matrix)))
    return operations


class SgdStep:
    """Autograd and torch.optim.SGD in its fused form, which is its fastest on a CPU."""

    def __init__(self, x, y):
        self.x, self.y = x, y
        modules = []
        for fan_in, fan_out in zip(MLP, MLP[1:]):
            modules += [torch.nn.Linear(fan_in, fan_out), torch.nn.ReLU()]
        self.model = torch.nn.Sequential(*modules[:-1])
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=1e-3, momentum=0.9, fused=True)

    def step(self):
        self.optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(self.model(self.x), self.y)
        loss.backward()
        self.optimizer.step()
        return loss.item()


class ByHand:
    """A relu network with one output that keeps, per layer, its inputs A and the deltas D = df/d(pre-activation)."""

    def __init__(self, sizes):
        self.weights = [torch.randn(m, k).mul_((2 / k) ** 0.5) for k, m in zip(sizes, sizes[1:])]
        self.biases = [torch.zeros(m) for m in sizes[1:]]

    @torch.inference_mode()
    def trace(self, x):
        """Outputs, and (A, D) of every layer."""
        inputs = [x]
        for weight, bias in zip(self.weights[:-1], self.biases):
            inputs.append(torch.addmm(bias, inputs[-1], weight.T).relu_())
        outputs = torch.addmm(self.biases[-1], inputs[-1], self.weights[-1].T)
        deltas = [torch.ones_like(outputs)]
        for weight, activated in zip(reversed(self.weights), reversed(inputs[1:])):
            deltas.append((deltas[-1] @ weight).mul_(activated > 0))
        return outputs, list(zip(inputs, reversed(deltas)))

    @torch.inference_mode()
    def gram(self, x):
        return gram_of(self.trace(x)[1])


def gram_of(layers):
    """sum over layers of (A A^T + 1) * (D D^T); the 1 is the bias."""
    n = len(layers[0][0])
    gram = torch.zeros(n, n)
    for inputs, deltas in layers:
        gram.addcmul_((inputs @ inputs.T).add_(1), deltas @ deltas.T)
    return gram


class GramGaussNewtonStep:
    """theta -= J^T (G + lambda I)^-1 r without ever holding J: the solve in double, the update inside the product."""

    DAMPING = 1e-3

    def __init__(self, x, y):
        self.x, self.y = x, y
        self.network = ByHand(MLP)

    @torch.inference_mode()
    def step(self):
        outputs, layers = self.network.trace(self.x)
        residual = outputs - self.y
        gram = gram_of(layers).double()
        gram.diagonal().add_(self.DAMPING * gram.diagonal().mean())
        coefficients = torch.cholesky_solve(residual.double(), torch.linalg.cholesky(gram)).float()
        for weight, bias, (inputs, deltas) in zip(self.network.weights, self.network.biases, layers):
            weighted = deltas * coefficients
            weight.addmm_(weighted.T, inputs, alpha=-1)
            bias.sub_(weighted.sum(0))
        return residual.square().mean().item()


def problem(n):
    torch.manual_seed(0)
    return torch.randn(n, MLP[0]), torch.randn(n, 1)


def describe(threads, dtype, **sizes):
    return {"peer": "torch", "version": torch.__version__, "threads": threads, "dtype": dtype, **sizes}


if __name__ == "__main__":
    main()

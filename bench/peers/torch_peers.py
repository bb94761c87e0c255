"""PyTorch on the CPU: SGD, the Gram trick as a good PyTorch user would write it by hand, Cholesky,
and the attacks of foolbox and torchattacks."""

from functools import partial

import torch

from pgd import pgd_mlp10
from timing import Operation, measure, parse_arguments

MLP = [784, 1024, 1024, 1024, 1]


def main():
    cases = {
        "step-mlp": partial(step_mlp, "step-mlp", 128),
        "step-mlp-512": partial(step_mlp, "step-mlp-512", 512),
        "step-resnet32": step_resnet32,
        "gram-mlp": gram_mlp,
        "gram-cnn": gram_cnn,
        "cholesky": cholesky,
        "pgd-mlp10": pgd_mlp10,
    }
    arguments = parse_arguments(__doc__, cases)
    torch.set_num_threads(arguments.threads)
    for case in arguments.cases:
        measure(cases[case](arguments.threads), arguments.repeats)


def step_mlp(name, n, threads):
    """One training step on a batch of n rows from inputs to updated weights: SGD with momentum 0.9 by autograd, and a
    Gram-Gauss-Newton step at fixed relative damping without momentum."""
    x, y = problem(n)
    modules = []
    for fan_in, fan_out in zip(MLP, MLP[1:]):
        modules += [torch.nn.Linear(fan_in, fan_out), torch.nn.ReLU()]
    sgd = SgdStep(x, y, torch.nn.Sequential(*modules[:-1]))
    gauss_newton = GramGaussNewtonStep(x, y)
    config = describe(threads, "f32", n=n, layers=MLP)
    return [
        Operation(f"{name}/torch-sgd", config, sgd.step),
        Operation(f"{name}/torch-gram-gauss-newton", config, gauss_newton.step),
    ]


def gram_mlp(threads):
    """The 512 x 512 Gram matrix from inputs and weights: forward, backward and one pair of products a layer."""
    x, _ = problem(512)
    network = ByHand(MLP)
    return [Operation("gram-mlp/torch-by-hand", describe(threads, "f32", n=512, layers=MLP), partial(network.gram, x))]


def step_resnet32(threads):
    """One SGD step with momentum at batch 128 on 32x32x3 images, in the memory format that is faster on a CPU."""
    torch.manual_seed(0)
    images = torch.randn(128, 3, 32, 32).contiguous(memory_format=torch.channels_last)
    step = SgdStep(images, torch.randn(128, 1), FixupResNet32().to(memory_format=torch.channels_last))
    return [Operation("step-resnet32/torch-sgd", describe(threads, "f32", n=128), step.step)]


def gram_cnn(threads):
    """The 128 x 128 Gram matrix of the reference CNN by contraction of torch.func's per-sample Jacobian."""
    torch.manual_seed(0)
    convolutions = [torch.nn.Conv2d(fan_in, 64, 3, padding=1) for fan_in in (3, 64, 64)]
    relu = torch.nn.ReLU
    head = [torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(64, 1)]
    model = torch.nn.Sequential(convolutions[0], relu(), convolutions[1], relu(), convolutions[2], *head)
    parameters = {name: value.detach() for name, value in model.named_parameters()}
    images = torch.randn(128, 3, 32, 32)

    def output(parameters, image):
        return torch.func.functional_call(model, parameters, image[None]).squeeze()

    def gram():
        gradients = torch.func.vmap(torch.func.grad(output), in_dims=(None, 0))(parameters, images)
        return sum(rows @ rows.T for rows in (gradient.flatten(1) for gradient in gradients.values()))

    return [Operation("gram-cnn/torch-func", describe(threads, "f32", n=128), gram)]


class FixupBlock(torch.nn.Module):
    """Two 3x3 convolutions with scalar biases and one scale; every second pixel and zero channels where sizes change."""

    def __init__(self, inputs, channels):
        super().__init__()
        self.stride, self.extra = (1, 0) if inputs == channels else (2, channels - inputs)
        self.first = torch.nn.Conv2d(inputs, channels, 3, self.stride, 1, bias=False)
        self.second = torch.nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.biases = torch.nn.ParameterList(torch.zeros(1) for _ in range(4))
        self.scale = torch.nn.Parameter(torch.ones(1))

    def forward(self, x):
        inner = torch.relu(self.first(x + self.biases[0]) + self.biases[1])
        branch = self.second(inner + self.biases[2]) * self.scale + self.biases[3]
        if self.extra:
            x = torch.nn.functional.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.extra))
        return torch.relu(x + branch)


class FixupResNet32(torch.nn.Module):
    """Depth 32, 16 channels, one output."""

    def __init__(self):
        super().__init__()
        self.stem = torch.nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.biases = torch.nn.ParameterList(torch.zeros(1) for _ in range(2))
        widths = [16] + [16] * 5 + [32] * 5 + [64] * 5
        self.blocks = torch.nn.Sequential(*(FixupBlock(*pair) for pair in zip(widths, widths[1:])))
        self.head = torch.nn.Linear(64, 1)

    def forward(self, x):
        x = self.blocks(torch.relu(self.stem(x) + self.biases[0]))
        return self.head(x.mean((2, 3)) + self.biases[1])


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

    def __init__(self, x, y, model):
        self.x, self.y, self.model = x, y, model
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

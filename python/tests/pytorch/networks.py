"""Networks of every kind that are read exactly, small enough for a dense Jacobian: name → (model, inputs)."""

import math

import torch
import torch.nn.functional as F
import torch.utils.checkpoint
from dense import Function
from torch import nn


class Residual(nn.Module):
    """Two convolutions around a shortcut, added in place."""

    def __init__(self, channels, out, stride, norm):
        super().__init__()
        self.first = nn.Conv2d(channels, out, 3, stride, 1, bias=False)
        self.second = nn.Conv2d(out, out, 3, padding=1, bias=False)
        self.norms = nn.ModuleList([norm(out), norm(out)])
        self.activation = nn.ReLU(inplace=True)
        same = stride == 1 and channels == out
        self.shortcut = nn.Identity() if same else nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), norm(out))

    def forward(self, x):
        y = self.norms[1](self.second(self.activation(self.norms[0](self.first(x)))))
        y += self.shortcut(x)
        return self.activation(y)


def resnet18(outputs, width, norm, channels=3):
    layers, before = [nn.Conv2d(channels, width, 3, padding=1, bias=False), norm(width), nn.ReLU()], width
    for stage in range(4):
        for block in range(2):
            out = width << stage
            layers.append(Residual(before, out, 2 if stage and not block else 1, norm))
            before = out
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, outputs))


def group_norm(channels):
    return nn.GroupNorm(2, channels)


class Scalars(nn.Module):
    """A residual branch with scalars for bias and scale, as Fixup has them."""

    def __init__(self, channels):
        super().__init__()
        self.before, self.scale, self.after = (nn.Parameter(torch.tensor([v])) for v in (0.1, 0.9, -0.2))
        self.convolution = nn.Conv2d(channels, channels, 3, padding=1, bias=False)

    def forward(self, x):
        return F.relu(self.convolution(x + self.before) * self.scale + self.after + x)


class VisionTransformer(nn.Module):
    """Patches, a class token, positions, transformer blocks, the token's output."""

    def __init__(self, outputs=3, width=16, depth=2, patch=4, size=8, dropout=0.0):
        super().__init__()
        self.patches = nn.Conv2d(3, width, patch, patch)
        self.token = nn.Parameter(0.02 * torch.randn(1, 1, width))
        self.positions = nn.Parameter(0.02 * torch.randn(1, (size // patch) ** 2 + 1, width))
        block = nn.TransformerEncoderLayer(width, 4, 2 * width, dropout, "gelu", batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(block, depth, enable_nested_tensor=False)
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, outputs))

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.positions
        return self.head(self.encoder(x)[:, 0])


class Recurrent(nn.Module):
    def __init__(self, kind, inputs=5, hidden=6, batch_first=True):
        super().__init__()
        self.cells, self.head = kind(inputs, hidden, batch_first=batch_first), nn.Linear(hidden, 2)
        self.batch_first = batch_first

    def forward(self, x):
        if self.batch_first:
            return self.head(self.cells(x)[0][:, -1])
        return self.head(self.cells(x.transpose(0, 1))[0][-1])


class Words(nn.Module):
    """A recurrent network over words, some of them padding."""

    def __init__(self):
        super().__init__()
        self.table, self.cells, self.head = nn.Embedding(9, 4, padding_idx=0), nn.GRU(4, 5, batch_first=True), nn.Linear(5, 2)

    def forward(self, words):
        return self.head(self.cells(self.table(words))[0].mean(1))


class Tied(nn.Module):
    """A table that reads words and scores them."""

    def __init__(self):
        super().__init__()
        self.table, self.middle, self.bias = nn.Embedding(7, 5), nn.Linear(5, 5), nn.Parameter(torch.randn(7))

    def forward(self, words):
        return F.linear(torch.tanh(self.middle(self.table(words))).mean(1), self.table.weight, self.bias)


class Twice(nn.Module):
    """Modules that are called twice."""

    def __init__(self):
        super().__init__()
        self.layer, self.norm, self.head = nn.Linear(6, 6), nn.LayerNorm(6), nn.Linear(6, 2)

    def forward(self, x):
        return self.head(self.norm(torch.tanh(self.layer(torch.tanh(self.norm(self.layer(x))))) + x))


class Attention(nn.Module):
    def __init__(self, own=None):
        super().__init__()
        self.own = own
        self.query, self.head = nn.Linear(5, 8), nn.Linear(8, 2)
        self.attend = nn.MultiheadAttention(8, 2, batch_first=True, kdim=own, vdim=own, add_bias_kv=own is None)

    def forward(self, x):
        q = self.query(x)
        keys = q if self.own is None else x
        return self.head(self.attend(q, keys, keys)[0].mean(1))


class Raw(nn.Module):
    """Parameters without modules: einsum, scales, weight norm, bilinear forms, PReLU, RMSNorm, a scalar's exponential."""

    def __init__(self):
        super().__init__()
        self.w, self.scale = nn.Parameter(0.3 * torch.randn(4, 3, 5)), nn.Parameter(0.5 + torch.rand(4))
        self.normed = nn.utils.parametrizations.weight_norm(nn.Linear(20, 8))
        self.bilinear, self.slope, self.rms = nn.Bilinear(8, 8, 6), nn.PReLU(6), nn.RMSNorm(6)
        self.logarithm, self.head = nn.Parameter(torch.tensor(0.3)), nn.Linear(6, 2)

    def forward(self, x):
        h = torch.einsum("oci,nci->no", self.w, x) * self.scale
        h = self.normed((h[:, :, None] * x.mean(1)[:, None]).flatten(1))
        return self.head(self.rms(self.slope(self.bilinear(h, h.tanh())))) * self.logarithm.exp()


class Transposed(nn.Module):
    """b + x W with W as GPT-2 has it."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.w, self.b = nn.Parameter(0.4 * torch.randn(inputs, outputs)), nn.Parameter(torch.zeros(outputs))

    def forward(self, x):
        return torch.addmm(self.b, x.reshape(-1, x.shape[-1]), self.w).reshape(*x.shape[:-1], -1)


class Bias(nn.Module):
    """Attention with a bias looked up in a table by the distance of two places: a table that is no data."""

    def __init__(self, places=4, width=6):
        super().__init__()
        self.table, self.q, self.k, self.v = nn.Embedding(2 * places, 1), *(nn.Linear(width, width) for _ in range(3))
        at = torch.arange(places)
        self.register_buffer("distance", at[:, None] - at[None, :] + places)
        self.head = nn.Linear(width, 2)

    def forward(self, x):
        scores = self.q(x) @ self.k(x).mT / math.sqrt(x.shape[-1]) + self.table(self.distance)[..., 0]
        return self.head((scores.softmax(-1) @ self.v(x)).mean(1))


class Experts(nn.Module):
    """A batch of matrices: an ensemble inside a network."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Parameter(torch.randn(3, 5, 4) * 0.4), nn.Parameter(torch.randn(3, 4, 2) * 0.4)
        self.gate = nn.Linear(5, 3)

    def forward(self, x):
        each = torch.bmm(torch.bmm(x.expand(3, *x.shape), self.first).tanh(), self.second)
        return (self.gate(x).softmax(1).T[:, :, None] * each).sum(0)


class Hyper(nn.Module):
    """Weights that are made of parameters: masked, shared between two layers, low rank."""

    def __init__(self):
        super().__init__()
        self.core, self.low, self.high = (nn.Parameter(0.5 * torch.randn(*s)) for s in ((6, 6), (6, 2), (2, 6)))
        self.register_buffer("mask", (torch.rand(6, 6) > 0.4).to(torch.get_default_dtype()))
        self.head = nn.Linear(6, 2)

    def forward(self, x):
        w = self.core * self.mask
        return self.head(torch.tanh(x @ w + torch.tanh(x @ (self.low @ self.high + w.T))))


class Sirens(nn.Module):
    """Random features with trained frequencies and amplitudes."""

    def __init__(self):
        super().__init__()
        self.frequencies, self.amplitude = nn.Parameter(torch.randn(5, 7)), nn.Parameter(torch.rand(14))
        self.head = nn.Linear(14, 1)

    def forward(self, x):
        z = x @ self.frequencies
        return self.head(torch.cat([z.sin(), z.cos()], 1) * self.amplitude).squeeze(1)


class Swish(torch.autograd.Function):
    """x σ(b x) with a backward of one's own."""

    @staticmethod
    def forward(ctx, x, b):
        ctx.save_for_backward(x, b)
        return x * torch.sigmoid(b * x)

    @staticmethod
    def backward(ctx, grad):
        x, b = ctx.saved_tensors
        s = torch.sigmoid(b * x)
        return grad * (s + b * x * s * (1 - s)), (grad * x * x * s * (1 - s)).sum(0)


class Custom(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.b, self.last = nn.Linear(5, 6), nn.Parameter(torch.ones(6)), nn.Linear(6, 2)

    def forward(self, x):
        return self.last(Swish.apply(self.first(x), self.b))


class Centres(nn.Module):
    """Radial functions: the batched backward of cdist is wrong in PyTorch 2.15."""

    def __init__(self):
        super().__init__()
        self.centres, self.head = nn.Parameter(torch.randn(7, 5)), nn.Linear(7, 2)

    def forward(self, x):
        return self.head(torch.exp(-torch.cdist(x, self.centres)))


class Bag(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.heads = nn.EmbeddingBag(7, 4, mode="mean"), nn.Parameter(torch.randn(4, 3, 2))

    def forward(self, words):
        return torch.einsum("nd,dhe->nhe", self.table(words), self.heads).tanh().flatten(1)


def frozen_first():
    model = nn.Sequential(nn.Linear(5, 16), nn.Tanh(), nn.Linear(16, 2))
    model[0].weight.requires_grad_(False)
    return model


def normal(*shape):
    return torch.randn(*shape, generator=torch.Generator("cpu").manual_seed(5), device="cpu").to(torch.get_default_device())


IMAGES = (4, 3, 8, 8)
SEQUENCES = (5, 4, 5)

class Filters(nn.Module):
    """Complex numbers inside: each sample's spectrum by trained filters, then a bilinear form."""

    def __init__(self):
        super().__init__()
        self.filter, self.mix = nn.Parameter(torch.randn(5, 2)), nn.Parameter(torch.randn(5, 3, 2))
        self.pairs, self.out = nn.Bilinear(3, 8, 4), nn.Linear(4, 2)

    def forward(self, x):
        spectrum = torch.fft.rfft(x) * torch.view_as_complex(self.filter)
        mixed = torch.tanh((spectrum @ torch.view_as_complex(self.mix)).abs())
        return self.out(torch.tanh(self.pairs(mixed, torch.fft.irfft(spectrum, n=8))))


class Messages(nn.Module):
    """Graphs of 3 to 5 nodes, all in one tensor of nodes: gathered along edges, added up at nodes, then by graph."""

    def __init__(self):
        super().__init__()
        self.message, self.update, self.out = nn.Linear(6, 4), nn.Linear(7, 3), nn.Linear(3, 2)

    def forward(self, x):
        nodes = x.flatten(0, 1)
        graph = torch.tensor([0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4])[: len(nodes)]
        start = torch.tensor([0, 1, 3, 4, 5, 6, 8, 9, 12, 13, 14, 16, 17, 18])
        start = start[start + 1 < len(nodes)]
        edges = torch.relu(self.message(torch.cat([nodes.index_select(0, start), nodes[start + 1]], 1)))
        heard = nodes.new_zeros(len(nodes), 4).index_add(0, start + 1, edges)
        updated = torch.relu(self.update(torch.cat([nodes, heard], 1)))
        return self.out(updated.new_zeros(len(x), 3).scatter_add(0, graph[:, None].expand(-1, 3), updated))


class Chosen(nn.Module):
    def __init__(self):
        super().__init__()
        self.gate, self.experts = nn.Linear(4, 3), nn.Parameter(torch.randn(3, 4, 5))
        self.heads, self.scale = nn.Parameter(torch.randn(3, 5, 2)), nn.Parameter(torch.randn(()))

    def forward(self, x):
        weight, chosen = self.gate(x).softmax(1).topk(2, 1)
        y = torch.tanh((torch.einsum("nkio,ni->nko", self.experts[chosen], x) * weight[..., None]).sum(1))
        return self.scale * torch.vmap(lambda head: torch.tanh(y @ head))(self.heads).mean(0)


class Speaking(nn.Module):
    """The table of words is the last layer too; the layer between is called with scaled parameters."""

    def __init__(self):
        super().__init__()
        self.words, self.scale = nn.Embedding(7, 6), nn.Parameter(torch.tensor(1.3))
        self.memory = nn.LSTM(6, 5, batch_first=True, bidirectional=True)
        self.back = nn.Linear(10, 6)

    def forward(self, x):
        scaled = {name: p * self.scale for name, p in self.back.named_parameters()}
        y = torch.func.functional_call(self.back, scaled, (self.memory(self.words(x))[0],))
        return nn.functional.linear(torch.tanh(y), self.words.weight)[:, -1]


class InPlace(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.shift, self.out = nn.Linear(4, 6), nn.Parameter(torch.randn(6)), nn.Linear(6, 2)

    def forward(self, x):
        y = self.first(x)
        y += self.shift
        y = y * 1.0
        y[:, 2:4] *= self.shift[:2]
        y[:, 0] = self.shift[3] * x[:, 0]
        return torch.utils.checkpoint.checkpoint(lambda z: self.out(torch.tanh(z)), y, use_reentrant=False)


CASES = {
    # The kinds of the prototype.
    "perceptron": (lambda: nn.Sequential(nn.Linear(5, 16), nn.ReLU(inplace=True), nn.Linear(16, 3)), lambda: normal(6, 5)),
    "linear over places": (
        lambda: nn.Sequential(nn.Linear(5, 7), nn.GELU(), nn.Linear(7, 2), nn.Flatten(), nn.Linear(8, 2)),
        lambda: normal(6, 4, 5),
    ),
    "convolutions": (
        lambda: nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 8, 3, 2), nn.GroupNorm(2, 8),
            nn.ReLU(), nn.Flatten(), nn.Linear(8, 4),
        ),
        lambda: normal(*IMAGES),
    ),
    "grouped, dilated, transposed": (
        lambda: nn.Sequential(
            nn.Conv2d(3, 6, 3, padding=2, dilation=2), nn.Conv2d(6, 6, 3, groups=6), nn.Conv2d(6, 4, 3, groups=2),
            nn.ReLU(), nn.ConvTranspose2d(4, 4, 2, 2, groups=2), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 2),
        ),
        lambda: normal(*IMAGES),
    ),
    "one axis, BatchNorm in eval": (
        lambda: nn.Sequential(
            nn.Conv1d(3, 6, 5), nn.BatchNorm1d(6), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(6, 2)
        ).eval(),
        lambda: normal(6, 3, 20),
    ),
    "three axes": (
        lambda: nn.Sequential(nn.Conv3d(2, 4, 2), nn.ReLU(), nn.Flatten(), nn.Linear(108, 2)), lambda: normal(5, 2, 4, 4, 4)
    ),
    "ResNet-18, GroupNorm": (lambda: resnet18(2, 4, group_norm), lambda: normal(*IMAGES)),
    "ResNet-18, BatchNorm in eval": (lambda: resnet18(2, 4, nn.BatchNorm2d).eval(), lambda: normal(*IMAGES)),
    "Fixup scalars": (
        lambda: nn.Sequential(nn.Conv2d(3, 6, 3), Scalars(6), Scalars(6), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 2)),
        lambda: normal(*IMAGES),
    ),
    "vision transformer": (VisionTransformer, lambda: normal(*IMAGES)),
    "LSTM": (lambda: Recurrent(nn.LSTM), lambda: normal(*SEQUENCES)),
    "LSTM, time first": (lambda: Recurrent(nn.LSTM, batch_first=False), lambda: normal(*SEQUENCES)),
    "GRU over words": (Words, lambda: torch.tensor([[1, 2, 0, 3], [4, 4, 1, 0], [2, 3, 5, 8], [7, 0, 0, 1], [1, 1, 1, 1]])),
    "called twice": (Twice, lambda: normal(6, 6)),
    "tied table": (Tied, lambda: torch.tensor([[1, 2, 0], [3, 3, 6], [0, 5, 4], [6, 6, 6]])),
    "raw parameters": (Raw, lambda: normal(6, 3, 5)),
    "attention with biases": (Attention, lambda: normal(*SEQUENCES)),
    "attention over others": (lambda: Attention(5), lambda: normal(*SEQUENCES)),
    "frozen weight": (frozen_first, lambda: normal(6, 5)),
    "one output, no axis": (
        lambda: nn.Sequential(nn.Linear(5, 16), nn.Tanh(), nn.Linear(16, 1), nn.Flatten(0)), lambda: normal(6, 5)
    ),
    "spectral norm in eval": (
        lambda: nn.Sequential(nn.utils.parametrizations.spectral_norm(nn.Linear(5, 6)), nn.Tanh(), nn.Linear(6, 2)).eval(),
        lambda: normal(6, 5),
    ),
    "samples = places = width": (
        lambda: nn.Sequential(nn.Linear(5, 5), nn.GELU(), nn.Linear(5, 5), nn.Flatten(), nn.Linear(25, 2)),
        lambda: normal(5, 5, 5),
    ),
    # Others.
    "RNN, time first, samples = places = width": (
        lambda: Recurrent(nn.RNN, 5, 5, batch_first=False), lambda: normal(5, 5, 5)
    ),
    "weights as GPT-2 has them": (
        lambda: nn.Sequential(Transposed(5, 6), nn.GELU(), Transposed(6, 2), nn.Flatten(), nn.Linear(8, 2)), lambda: normal(*SEQUENCES)
    ),
    "position bias from a table": (Bias, lambda: normal(5, 4, 6)),
    "position bias, samples = places": (Bias, lambda: normal(4, 4, 6)),
    "experts in one product": (Experts, lambda: normal(6, 5)),
    "weights made of parameters": (Hyper, lambda: normal(7, 6)),
    "trained frequencies": (Sirens, lambda: normal(6, 5)),
    "a backward of one's own": (Custom, lambda: normal(6, 5)),
    "an image for each place": (
        lambda: nn.Sequential(
            Function(lambda x: x.flatten(0, 1)), nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(),
            Function(lambda x: x.reshape(3, 2, -1).mean(1)), nn.Linear(144, 2),
        ),
        lambda: normal(3, 2, 3, 8, 8),
    ),
    "circular, strided, transposed in one axis": (
        lambda: nn.Sequential(
            nn.Conv1d(3, 4, 3, stride=2, padding=1, padding_mode="circular"), nn.SiLU(), nn.ConvTranspose1d(4, 3, 4, 2, 1, dilation=2),
            nn.Flatten(), nn.LazyLinear(2),
        ),
        lambda: normal(4, 3, 12),
    ),
    "instance norm, output padding": (
        lambda: nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.InstanceNorm2d(4, affine=True), nn.PReLU(), nn.ConvTranspose2d(4, 2, 3, 2, 1, output_padding=1),
            nn.Flatten(), nn.LazyLinear(2),
        ),
        lambda: normal(4, 3, 8, 8),
    ),
    "distances to centres": (Centres, lambda: normal(6, 5)),
    "bag of words, heads in one sum": (Bag, lambda: torch.tensor([[1, 2, 0], [3, 3, 6], [0, 5, 4], [6, 6, 6]])),
    "two directions, two layers": (
        lambda: nn.Sequential(nn.LSTM(5, 3, 2, batch_first=True, bidirectional=True), Function(lambda y: y[0].mean(1)), nn.Linear(6, 2)),
        lambda: normal(*SEQUENCES),
    ),
    "filters in frequency, bilinear forms": (Filters, lambda: normal(5, 8)),
    "messages over the edges of graphs": (Messages, lambda: normal(5, 4, 3)),
    "experts chosen by the sample, ensembles by vmap": (Chosen, lambda: normal(6, 4)),
    "a table that speaks, both directions, functional": (Speaking, lambda: torch.tensor([[1, 2, 0, 3], [3, 3, 6, 1], [0, 5, 4, 4], [6, 6, 6, 2]])),
    "in place and checkpointed": (InPlace, lambda: normal(5, 4)),
    "one sample": (lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3)), lambda: normal(1, 3, 8, 8)),
}


def build(name):
    """The model and its inputs, in float64, with no parameter at zero."""
    make, inputs = CASES[name]
    model, x = make(), inputs()
    model(x)
    model = model.double()
    with torch.no_grad():
        for p in model.parameters():
            if p.requires_grad and not p.any():
                p.normal_(std=0.3)
    return model, x.double() if x.is_floating_point() else x

"""Convolutions of any number of axes, grouped, dilated, strided, transposed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from gramstep.torch._features import Factors, Outer
from gramstep.torch.rules._site import Site


def windows(x: Tensor, kernel: Sequence[int], stride: Sequence[int], padding: Sequence[int], dilation: Sequence[int]) -> Tensor:
    """(m, C, *image) → (m, C·|kernel|, places): every window that the kernel sees, a column each."""
    if all(size == 1 for size in kernel) and all(s == 1 for s in stride) and not any(padding):
        return x.flatten(2)
    if x.dim() == 4:
        return torch.nn.functional.unfold(x, tuple(kernel), tuple(dilation), tuple(padding), tuple(stride))
    pad = [amount for p in reversed(padding) for amount in (p, p)]
    x, axes = torch.nn.functional.pad(x, pad), len(kernel)
    for axis, (size, step, apart) in enumerate(zip(kernel, stride, dilation)):
        x = x.unfold(2 + axis, apart * (size - 1) + 1, step)[..., ::apart]
    # (m, C, places.., kernel..)
    order = [0, 1, *range(2 + axes, 2 + 2 * axes), *range(2, 2 + axes)]
    x = x.permute(order)
    return x.reshape(x.shape[0], x.shape[1] * math.prod(kernel), -1)


def convolution(site: Site) -> Outer | Tensor | None:
    """Weight: D ⊗ windows of x, block by block of the groups. A transposed convolution exchanges image and cotangent."""
    node, layout = site.node, site.layout
    if layout.axis != 0:
        return None
    if site.slot == 2:
        return site.deltas.flatten(4).sum((2, -1)) if site.deltas.dim() > 4 else None
    if site.slot != 1:
        return None
    x, groups, transposed = site.by_sample(node._saved_input), node._saved_groups, node._saved_transposed
    how = (site.shape[2:], node._saved_stride, node._saved_padding, node._saved_dilation)
    n, k, each = site.n, site.k, x.shape[1]  # each: images a sample
    of_x, of_d = site.shape[0 if transposed else 1], site.shape[1 if transposed else 0]
    kernel = math.prod(site.shape[2:])
    if transposed:
        if any(extra >= step for extra, step in zip(node._saved_output_padding, node._saved_stride)):
            return None  # more windows than places
        inputs, outputs = of_x // groups, of_d * kernel
        spots = math.prod(x.shape[3:])
    else:
        inputs, outputs = of_x * kernel, of_d // groups
        spots = math.prod(site.deltas.shape[4:])

    def columns(images: Tensor) -> Tensor:
        """(m.., each, C, *image) → (m.., each, groups, rows a group, places)"""
        seen = windows(images.flatten(0, -len(how[0]) - 2), *how)
        return seen.reshape(*images.shape[: -len(how[0]) - 1], groups, seen.shape[1] // groups, seen.shape[2])

    def plain(images: Tensor) -> Tensor:
        """The same without windows."""
        return images.flatten(-len(how[0])).reshape(*images.shape[: -len(how[0]) - 1], groups, -1, spots)

    def factors(samples: slice) -> Factors:
        of_image, of_delta = (plain, columns) if transposed else (columns, plain)
        a, d = of_image(x[samples]), of_delta(site.deltas[samples])
        # (m, each, groups, i, spots) → (m, groups, each·spots, i); D has k in front of each.
        a, d = a.permute(0, 2, 1, 4, 3), d.permute(0, 3, 1, 2, 5, 4)
        return d.reshape(len(d), groups, k, each * spots, outputs), a.reshape(len(a), groups, each * spots, inputs)

    def whole() -> Tensor:
        """One convolution with a group for each sample: on CPUs quicker than windows while images are not small."""

        def one(delta: Tensor, image: Tensor) -> Tensor:
            arguments = (node._saved_weight, None, node._saved_stride, node._saved_padding, node._saved_dilation)
            rest = (transposed, node._saved_output_padding, groups, [False, True, False])
            return torch.ops.aten.convolution_backward(delta[None], image[None], *arguments, *rest)[1]

        return torch.vmap(one)(site.deltas[:, 0, 0], x[:, 0]).reshape(n, 1, -1)

    def along(v: Tensor) -> Tensor:
        """The convolution itself, by v."""
        how = (node._saved_stride, node._saved_padding, node._saved_dilation, transposed, node._saved_output_padding, groups)
        image = site.by_sample(torch.ops.aten.convolution(node._saved_input.to(v), v.reshape(site.shape), None, *how))
        return (site.deltas.to(v) * image[:, None]).flatten(2).sum(2)

    quick = k == 1 and each == 1 and groups == 1 and not transposed and spots >= 64 and of_x >= 8 and x.device.type == "cpu"
    return Outer(n, k, groups, each * spots, outputs, inputs, factors, transposed, whole if quick else None, along)


RULES = {"ConvolutionBackward0": convolution}

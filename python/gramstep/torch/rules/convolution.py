"""Convolutions of any number of axes, grouped, dilated, strided, transposed."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gramstep.torch._features import Factors, Outer
from gramstep.torch.rules._site import Site
from gramstep.torch.rules._windows import Windows, windows


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

    def images(samples: slice) -> Tensor:
        """A: (m, each, groups, i, spots) → (m, groups, each·spots, i)"""
        a = (plain if transposed else columns)(x[samples]).permute(0, 2, 1, 4, 3)
        return a.reshape(len(a), groups, each * spots, inputs)

    def deltas(samples: slice) -> Tensor:
        """D: the same, with k in front of each."""
        d = (columns if transposed else plain)(site.deltas[samples]).permute(0, 3, 1, 2, 5, 4)
        return d.reshape(len(d), groups, k, each * spots, outputs)

    def factors(samples: slice) -> Factors:
        return deltas(samples), images(samples)

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
    inner = Windows(x[:, 0], deltas, *how) if each == 1 and groups == 1 and not transposed else None
    return Outer(n, k, groups, each * spots, outputs, inputs, factors, transposed, whole if quick else None, along, inner)


RULES = {"ConvolutionBackward0": convolution}

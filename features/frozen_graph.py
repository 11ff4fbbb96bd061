"""A network as one traced graph for a single image, optimised for inference."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from features.backbone import Backbone

if TYPE_CHECKING:
    import torch

TOLERANCE = 1e-3  # of the largest output; float32 noise is a hundredth of it


class CannotFreeze(RuntimeError):  # noqa: N818 - an outcome, not an error
    """A network can't be converted to a graph; the message says why."""


def freeze(network: Backbone, height: int, width: int) -> torch.nn.Module:
    """Trace a network in evaluation mode and optimise the graph for inference in float32.

    Batch normalisations and activations are merged into the convolutions before them, and weights
    are laid out once as the convolution kernels need them. No compiler is needed.

    Parameters
    ----------
    network : Backbone
        On the CPU; not changed.
    height, width : int
        Of the grey images, in pixels.

    Returns
    -------
    torch.nn.Module
        Its input is the output of :meth:`features.backbone.Backbone.prepare` for one image of
        that size.

    Raises
    ------
    CannotFreeze
        If the network can't be traced, or the graph's outputs differ from the network's.
    """
    import torch

    generator = torch.Generator().manual_seed(0)
    first, second = torch.rand(2, 1, height, width, generator=generator)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch prefers torch.compile, which needs a compiler
        try:
            traced = torch.jit.trace(network.model, network.prepare(first), check_trace=False)
            graph = torch.jit.optimize_for_inference(torch.jit.freeze(traced))
            got, expected = graph(network.prepare(second)), network.model(network.prepare(second))
        except Exception as error:  # the tracer raises the network's own errors and torch's
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise CannotFreeze(f"it can't be traced: {lines[0]}") from error
    distance = float((got - expected).abs().max() / expected.abs().max())
    if not distance <= TOLERANCE:
        raise CannotFreeze(f"the graph differs from the network by {distance:.1g} of its output")
    return graph

"""A network as one graph for a single image: batch norms and activations in the convolutions."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from features.backbone import Backbone

if TYPE_CHECKING:
    import torch

TOLERANCE = 1e-3  # of the largest output; float32 noise is a hundredth of it


class CannotFreeze(RuntimeError):  # noqa: N818 - an outcome, no fault
    """A network can't be made one graph here; the message says why."""


def freeze(network: Backbone, height: int, width: int) -> torch.nn.Module:
    """Trace a network in evaluation mode and optimise the graph for inference in float32.

    Batch norms become part of the convolutions before them, and so do activations; weights are
    laid out once as the convolution kernels want them. No compiler is needed.

    Parameters
    ----------
    network : Backbone
        On the CPU. Left as it is.
    height, width : int
        Of the grey images.

    Returns
    -------
    torch.nn.Module
        Takes what :meth:`features.backbone.Backbone.prepare` gives for one image of that size.

    Raises
    ------
    CannotFreeze
        If the graph can't be traced, or computes anything else than the network.
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

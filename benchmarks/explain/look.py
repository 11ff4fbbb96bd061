"""Grad-CAM of a fitted cell that has a network in it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.explain.contributions import Explained, Row
from benchmarks.explain.grad_cam import NoSpatialOutputError, enlarge, grad_cam
from benchmarks.explain.linearise import NoGradientError, log_odds_gradient
from benchmarks.importance.groups import columns_of, group_columns
from features import ImageDescriptor
from features.backbone import Backbone, MissingExtra, create_backbone
from models.network.torch_settings import deterministic

NETWORKS = ("embedding", "embedding_random")


def look(
    found: Explained,
    image: NDArray[np.uint8],
    row: Row | None,
    descriptors: dict[str, ImageDescriptor],
) -> None:
    """Add Grad-CAM, or why there is none.

    Parameters
    ----------
    found : Explained
        Is added to.
    image : ndarray of shape (size, size), uint8
        Prepared.
    row : ndarray of shape (d,) or None
        Of a cell on features.
    descriptors : dict of ImageDescriptor
        Fitted, by family.
    """
    cell = found.cell
    network = [family for family in cell.families if family in NETWORKS]
    if cell.families and not network:
        found.notes["grad_cam"] = "no network in it"
        return
    try:
        if row is None:
            backbone, weights, zero = cell.fitted.network_, np.array([-1.0, 1.0]), 0.0
        else:
            gradient = log_odds_gradient(cell.fitted, row)
            columns = columns_of({family: descriptors[family] for family in cell.families})
            own = group_columns(columns, "family")[network[0]]
            weights = gradient[own]
            # As for features: what the mean training image has speaks for nothing.
            zero = float(weights @ cell.fitted.named_steps["scale"].mean_[own])
            backbone = _network(descriptors[network[0]])
        inputs = _inputs(backbone, image)
        with deterministic(inputs.device.type, seed=0, threads=1):
            small = grad_cam(backbone.model, inputs, weights, signed=True) - zero
    except NoGradientError:
        found.notes["grad_cam"] = "trees have no gradient"
    except (NoSpatialOutputError, MissingExtra) as error:
        found.notes["grad_cam"] = str(error)
    else:
        # As importance_map: the sum over the pixels is what all places add.
        found.maps["grad_cam"] = enlarge(small, (image.shape[0], image.shape[1])) / image.size


def _network(descriptor: Any) -> Backbone:
    """Build the network of a family anew: the descriptor's own may be one frozen graph."""
    return create_backbone(
        descriptor.backbone, weights=descriptor.weights, pretrained=descriptor.pretrained,
        seed=descriptor.seed,
    )  # fmt: skip


def _inputs(backbone: Backbone, image: NDArray[np.uint8]) -> Any:
    import torch

    device = next(backbone.model.parameters()).device
    grey = torch.from_numpy(image[None].copy()).to(device)
    return backbone.prepare(grey.float() / 255)

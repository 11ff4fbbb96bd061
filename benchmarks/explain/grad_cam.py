"""Grad-CAM of a network, and of fitted cells that contain one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.explain.contributions import Row
from benchmarks.explain.explanation import Explained
from benchmarks.importance.closed_form import NoGradientError, log_odds_gradient
from benchmarks.importance.groups import columns_of, group_columns
from features import ImageDescriptor
from features.backbone import Backbone, MissingExtra
from models.network.torch_settings import deterministic

if TYPE_CHECKING:
    import torch
Floats = NDArray[np.float64]


class NoSpatialOutputError(ValueError):
    """The last feature maps of a network have no height and width."""


def grad_cam(
    network: Any, inputs: torch.Tensor, weights: NDArray[np.floating], signed: bool = False
) -> Floats:
    """Compute Grad-CAM of a weighted sum of outputs, at the last feature maps of a network.

    Parameters
    ----------
    network : torch.nn.Module
        Network of timm in evaluation mode: ``forward_features`` returns the last feature maps,
        which ``forward_head`` pools and maps to the outputs.
    inputs : Tensor of shape (1, 3, H, W)
        Prepared image.
    weights : ndarray of shape (k,)
        Weights of the k outputs: ``[-1, 1]`` for the log-odds of two logits; the gradient of the
        classifier for an embedding.
    signed : bool
        Whether to keep negative values, which are evidence against the class.

    Returns
    -------
    ndarray of shape (h, w), float64
        Sum over the channels of activation times mean gradient, times the number of positions;
        negative values are set to 0 unless ``signed``. For outputs that are linear in the mean over
        positions, this is the class activation map, whose signed mean is the weighted sum without
        the bias.

    Raises
    ------
    NoSpatialOutputError
        If the network ends in tokens or a vector.
    MissingExtra
        If captum is not installed.

    References
    ----------
    Selvaraju RR, Cogswell M, Das A, et al. Grad-CAM: visual explanations from deep networks via
    gradient-based localization. IJCV 2020;128:336-359. doi:10.1007/s11263-019-01228-7

    Zhou B, Khosla A, Lapedriza A, et al. Learning deep features for discriminative localization.
    CVPR 2016. doi:10.1109/CVPR.2016.319
    """
    import torch

    attribution = _captum().LayerGradCam
    channels_last = _layout(network, inputs) == "NHWC"
    wanted = torch.as_tensor(np.asarray(weights), dtype=inputs.dtype, device=inputs.device)

    class _Split(torch.nn.Module):
        """The network with its last feature maps, channels first, as a layer for captum."""

        def __init__(self) -> None:
            super().__init__()
            self.maps = torch.nn.Identity()

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            found = network.forward_features(images)
            found = self.maps(found.permute(0, 3, 1, 2) if channels_last else found)
            outputs = network.forward_head(found.permute(0, 2, 3, 1) if channels_last else found)
            return outputs @ wanted

    split = _Split().eval()
    with torch.enable_grad():
        maps = attribution(split, split.maps).attribute(inputs, relu_attributions=not signed)
    found = maps[0, 0].detach().double().cpu().numpy()
    return np.asarray(found * found.size)


def enlarge(small: Floats, shape: tuple[int, int]) -> Floats:
    """Resize a map to the size of an image by bilinear interpolation.

    Parameters
    ----------
    small : ndarray of shape (h, w)
    shape : (int, int)
        Height and width in pixels.

    Returns
    -------
    ndarray of shape (height, width), float64

    Examples
    --------
    >>> enlarge(np.array([[0.0, 4.0]]), (1, 4)).tolist()
    [[0.0, 1.0, 3.0, 4.0]]
    """
    import cv2

    size = (shape[1], shape[0])
    return np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_LINEAR), dtype=np.float64)


def _layout(network: Any, inputs: torch.Tensor) -> str:
    """Return the layout of the last feature maps, ``NCHW`` or ``NHWC``."""
    import torch

    with torch.no_grad():
        shape = tuple(network.forward_features(inputs).shape)
    layout = str(getattr(network, "output_fmt", "NCHW"))
    places = shape[1:3] if layout == "NHWC" else shape[2:]
    if len(shape) != 4 or max(places) < 2:
        raise NoSpatialOutputError(
            f"Got last features of shape {shape[1:]} from {type(network).__name__}, but expected "
            "channels × height × width: without a spatial output there is no Grad-CAM."
        )
    return layout


def _captum() -> Any:
    try:
        import captum.attr
    except ImportError as error:
        raise MissingExtra(
            f"Grad-CAM needs captum, which can't be imported ({error}). "
            'Install it with: pip install -c constraints.txt -e ".[deep]"'
        ) from error
    return captum.attr


def add_grad_cam(
    found: Explained,
    image: NDArray[np.uint8],
    row: Row | None,
    descriptors: dict[str, ImageDescriptor],
) -> None:
    """Add Grad-CAM to an explanation, or the reason why there is none.

    Parameters
    ----------
    found : Explained
        Is modified.
    image : ndarray of shape (size, size), uint8
        Prepared image.
    row : ndarray of shape (d,) or None
        Features of the image, for a cell on features.
    descriptors : dict of ImageDescriptor
        Fitted, by family.
    """
    cell = found.cell
    network = [family for family in cell.families if descriptors[family].network]
    if cell.families and not network:
        found.notes["grad_cam"] = "the cell contains no network"
        return
    if len(network) > 1:
        found.notes["grad_cam"] = (
            f"the cell has the networks of {' and '.join(network)}, but Grad-CAM is computed only "
            "for one"
        )
        return
    if network and (reason := _no_map(descriptors[network[0]])):
        found.notes["grad_cam"] = reason
        return
    try:
        if row is None:
            backbone, weights, zero = cell.fitted.network_, np.array([-1.0, 1.0]), 0.0
        else:
            gradient = log_odds_gradient(cell.fitted, row)
            columns = columns_of({family: descriptors[family] for family in cell.families})
            own = group_columns(columns, "family")[network[0]]
            weights = gradient[own]
            # As for features, the mean training image is the zero point.
            zero = float(weights @ cell.fitted.named_steps["scale"].mean_[own])
            # Another copy: the descriptor may run its own as one frozen graph.
            [backbone] = descriptors[network[0]].build_networks()
        inputs = _inputs(backbone, image)
        with deterministic(inputs.device.type, seed=0, threads=1):
            small = grad_cam(backbone.model, inputs, weights, signed=True) - zero
    except NoGradientError:
        found.notes["grad_cam"] = "there is no gradient of this classifier"
    except (NoSpatialOutputError, MissingExtra) as error:
        found.notes["grad_cam"] = str(error)
    else:
        # As in importance_map, the sum over the pixels is the total contribution.
        found.maps["grad_cam"] = enlarge(small, (image.shape[0], image.shape[1])) / image.size


def _no_map(descriptor: Any) -> str:
    """Say why an embedding has no Grad-CAM; empty if it may have one."""
    if len(descriptor.backbones) > 1:
        return "the embedding has several networks, but Grad-CAM is computed only for one"
    if descriptor.layers:
        layers = ", ".join(map(str, descriptor.layers))
        return (
            f"the embedding is of the layers {layers} (--layers), but Grad-CAM is computed only "
            "for the last features of a network, without --layers"
        )
    if descriptor.pooling in ("network", "avg"):
        return ""
    return (
        f"the embedding is pooled by {descriptor.pooling}, but Grad-CAM is computed only for means "
        "over the positions"
    )


def _inputs(backbone: Backbone, image: NDArray[np.uint8]) -> Any:
    import torch

    device = next(backbone.model.parameters()).device
    grey = torch.from_numpy(image[None].copy()).to(device)
    return backbone.prepare(grey.float() / 255)

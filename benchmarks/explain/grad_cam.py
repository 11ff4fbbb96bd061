"""Where in the image a network finds what raises a sum of its outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from features.backbone import MissingExtra

if TYPE_CHECKING:
    import torch

Floats = NDArray[np.float64]


class NoSpatialOutputError(ValueError):
    """A network has no last layer with a height and a width."""


def grad_cam(
    network: Any, inputs: torch.Tensor, weights: NDArray[np.floating], signed: bool = False
) -> Floats:
    """Grad-CAM of a weighted sum of a network's outputs at its last layer with places.

    Parameters
    ----------
    network : torch.nn.Module
        Of timm, in evaluation mode: its ``forward_features`` gives the last maps, which
        ``forward_head`` pools and turns into outputs.
    inputs : Tensor of shape (1, 3, H, W)
        Prepared as the network expects it.
    weights : ndarray of shape (k,)
        Of the k outputs: ``[-1, 1]`` for the log-odds of two logits; a classifier's gradient for
        an embedding.
    signed : bool
        Keep the negative values, which speak against.

    Returns
    -------
    ndarray of shape (h, w), float64
        Sum over the channels of activation times mean gradient, times the number of places, below
        0 cut off unless ``signed``. For outputs that are linear in the mean over places it is the
        class activation map; its signed mean is then the weighted sum, less the bias's share.

    Raises
    ------
    NoSpatialOutputError
        If the network ends in tokens or a vector.
    MissingExtra
        If captum can't be imported.

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

    class Split(torch.nn.Module):
        """The network with its last maps, channels first, as a layer that can be watched."""

        def __init__(self) -> None:
            super().__init__()
            self.maps = torch.nn.Identity()

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            found = network.forward_features(images)
            found = self.maps(found.permute(0, 3, 1, 2) if channels_last else found)
            outputs = network.forward_head(found.permute(0, 2, 3, 1) if channels_last else found)
            return outputs @ wanted

    split = Split().eval()
    with torch.enable_grad():
        maps = attribution(split, split.maps).attribute(inputs, relu_attributions=not signed)
    found = maps[0, 0].detach().double().cpu().numpy()
    return np.asarray(found * found.size)


def enlarge(small: Floats, shape: tuple[int, int]) -> Floats:
    """Enlarge a map to an image's size, linearly between the centres of its places.

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
    """``NCHW`` or ``NHWC``: what the last maps are."""
    import torch

    with torch.no_grad():
        shape = tuple(network.forward_features(inputs).shape)
    layout = str(getattr(network, "output_fmt", "NCHW"))
    places = shape[1:3] if layout == "NHWC" else shape[2:]
    if len(shape) != 4 or max(places) < 2:
        raise NoSpatialOutputError(
            f"Got last features of shape {shape[1:]} from {type(network).__name__}, but expected "
            "channels × height × width: this network keeps no places up to its end, so there is "
            "no Grad-CAM."
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

"""Pooling of a network's last feature maps or tokens, in place of the network's own head."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar

from features.backbone import Backbone

if TYPE_CHECKING:
    import torch

POOLINGS = ("network", "avg", "max", "gem", "cls+avg")
GEM_FLOOR = 1e-6


class PoolingError(ValueError):
    """A network has no features that a pooling can be applied to; the message says which it has."""


def check_pooling(pooling: str) -> None:
    """Check the name of a pooling.

    Parameters
    ----------
    pooling : str

    Raises
    ------
    ValueError
        If it is not one of ``POOLINGS``.
    """
    if pooling not in POOLINGS:
        raise ValueError(f"Got pooling={pooling!r}, but expected one of {POOLINGS}.")


def pooled(network: Backbone, pooling: str) -> Backbone:
    """Replace the head of a network by a pooling of its last feature maps or tokens.

    Layers of the head behind its own pooling (the normalisation of ConvNeXt, the last convolution
    of MobileNetV3) are left out, because they were trained for that pooling.

    Parameters
    ----------
    network : Backbone
        With any head.
    pooling : {"network", "avg", "max", "gem", "cls+avg"}
        ``network`` keeps the network's own. ``avg`` and ``max`` are mean and maximum over the
        positions (tokens of patches, without class and register tokens). ``gem`` is the
        generalised mean (mean of max(x, 1e-6)³) to the power 1/3, for which negative activations
        count as 0. ``cls+avg`` is the class token followed by the mean over the
        tokens of patches.

    Returns
    -------
    Backbone
        Shares its layers with ``network``.

    Raises
    ------
    ValueError
        If ``pooling`` is unknown.
    PoolingError
        If the network has no class token for ``cls+avg``, or neither feature maps nor tokens.

    References
    ----------
    Radenović F, Tolias G, Chum O. Fine-tuning CNN image retrieval with no human annotation. IEEE
    Trans Pattern Anal Mach Intell 2019;41:1655-1668. doi:10.1109/TPAMI.2018.2846566
    """
    check_pooling(pooling)
    if pooling == "network":
        return network
    body: Any = network.model
    built = dataclasses.replace(network, model=_with_pooling(body, pooling))
    _try(built, side=max(body.pretrained_cfg["input_size"][1:]))
    return built


def _with_pooling(body: torch.nn.Module, how: str) -> torch.nn.Module:
    import torch

    class Pooled(torch.nn.Module):
        """A network of timm whose head is a pooling."""

        pooling: ClassVar[str] = how
        output_fmt: ClassVar[str] = getattr(body, "output_fmt", None) or "NCHW"
        has_class_token: ClassVar[bool] = getattr(body, "cls_token", None) is not None
        num_prefix_tokens: ClassVar[int] = getattr(body, "num_prefix_tokens", int(has_class_token))

        def __init__(self) -> None:
            super().__init__()
            self.body = body

        def forward_features(self, images: torch.Tensor) -> torch.Tensor:
            return self.body.forward_features(images)

        def forward_head(self, found: torch.Tensor) -> torch.Tensor:
            axes: tuple[int, ...]
            if found.ndim == 3:
                places, axes = found[:, self.num_prefix_tokens :], (1,)
            else:
                places, axes = found, (1, 2) if self.output_fmt == "NHWC" else (2, 3)
            mean = _pool(places, axes, how)
            return torch.cat([found[:, 0], mean], dim=1) if how == "cls+avg" else mean

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return self.forward_head(self.forward_features(images))

    return Pooled().eval()


def _pool(places: torch.Tensor, axes: tuple[int, ...], pooling: str) -> torch.Tensor:
    if pooling == "max":
        return places.amax(axes)
    if pooling == "gem":
        clipped = places.clamp(GEM_FLOOR, 3e38)  # with one bound, a graph fails
        return (clipped * clipped * clipped).mean(axes).pow(1 / 3)
    return places.mean(axes)


def _try(network: Backbone, side: int) -> None:
    """Run a pooled network once, and refuse one that has nothing to pool."""
    import torch

    model: Any = network.model
    with torch.inference_mode():
        found = model.forward_features(network.prepare(torch.zeros(1, side, side)))
    shape = tuple(found.shape) if torch.is_tensor(found) else type(found).__name__
    remedy = "Choose another pooling, or --pooling network for the network's own."
    if not torch.is_tensor(found) or found.ndim not in (3, 4):
        raise PoolingError(
            f"Got last features of shape {shape} from {network.name}, but expected feature maps or "
            f"tokens. {remedy}"
        )
    if model.pooling == "cls+avg" and (found.ndim != 3 or not model.has_class_token):
        raise PoolingError(
            f"Got pooling='cls+avg' for {network.name}, but expected a network with a class token, "
            f"such as a vision transformer. {remedy}"
        )
    if found.ndim == 3 and found.shape[1] <= model.num_prefix_tokens:
        raise PoolingError(
            f"Got only the class token as the last features of {network.name}, but expected tokens "
            f"of patches. {remedy}"
        )

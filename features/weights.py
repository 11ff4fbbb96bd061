"""Weights of timm networks: a file or folder, the hub's cache, or a download that fails fast."""

from __future__ import annotations

import hashlib
import json
import math
import re
import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import torch

PROBE_SECONDS = 3.0
HUB_FILES = ("model.safetensors", "pytorch_model.bin")
HUB_CONFIG = "config.json"
PREFIXES = ("backbone.", "module.", "model.", "timm_model.", "_orig_mod.")
REMEDY = (
    "Give a file with --weights FILE (timm's parameter names), or run once with internet access."
)
_LONGEST = 2**20  # bytes of config.json


# A file or folder for one network; pairs of a network and its file; None: a package, a cache or a
# download.
WeightFiles: TypeAlias = Path | tuple[tuple[str, Path], ...] | None


class WeightsError(ValueError):
    """A file of weights is missing, unreadable or of another network; the message says which."""


class _NotTensors(Exception):  # noqa: N818 - never leaves this file
    pass


@dataclass(frozen=True)
class GivenWeights:
    """A file of weights, and what the folder it is in says of them.

    Attributes
    ----------
    path : Path
        The file of tensors.
    source : str
        Names of the files, with their hashes.
    architecture : str
        Network that ``config.json`` names; empty without such a file.
    arguments : dict
        Arguments of timm's ``create_model`` in ``config.json``.
    mean, std : tuple of float
        Input normalisation in ``config.json``, per channel or one for all; empty if not given.
    """

    path: Path
    source: str
    architecture: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()


class WeightsUnavailable(RuntimeError):  # noqa: N818 - a state, not an error
    """Pretrained weights are unavailable.

    Parameters
    ----------
    reason : str
        Why, as one sentence.
    remedy : str
        What to do, as one sentence.
    """

    def __init__(self, reason: str, remedy: str = REMEDY) -> None:
        super().__init__(reason, remedy)
        self.reason, self.remedy = reason, remedy

    def __str__(self) -> str:
        return f"{self.reason} {self.remedy}"


def file_of(weights: WeightFiles, name: str) -> Path | None:
    """Return the file with the weights of one network.

    Parameters
    ----------
    weights : Path, tuple of (str, Path), or None
        A path alone is the file of any network.
    name : str
        Of the network, in timm.

    Returns
    -------
    Path or None
        None if no file is given for this network.

    Examples
    --------
    >>> file_of((("test_vit", Path("a.pth")),), "test_vit").name
    'a.pth'
    """
    return dict(weights).get(name) if isinstance(weights, tuple) else weights


def find_weights(path: Path) -> GivenWeights:
    """Find the tensors in a file, or in a folder as timm writes it for the Hugging Face hub.

    Parameters
    ----------
    path : Path
        A file; or a folder with ``model.safetensors`` or ``pytorch_model.bin``, and with
        ``config.json``, which may be missing.

    Returns
    -------
    GivenWeights

    Raises
    ------
    WeightsError
        If a folder has no such file, or its ``config.json`` names no network of timm.
    """
    if not path.is_dir():
        known = f" (sha256 {short_sha256(path)})" if path.is_file() else ""
        return GivenWeights(path, f"file {path.name}{known}")
    files = [path / name for name in HUB_FILES if (path / name).is_file()]
    if not files:
        found = ", ".join(sorted(one.name for one in path.iterdir())[:5]) or "nothing"
        raise WeightsError(
            f"{path}: expected a folder with {' or '.join(HUB_FILES)}, got {found}. Give the file "
            "itself, or a folder as the Hugging Face hub has it for a network of timm."
        )
    source = f"folder {path.resolve().name}: {files[0].name} (sha256 {short_sha256(files[0])})"
    config = path / HUB_CONFIG
    if not config.is_file():
        return GivenWeights(files[0], source)
    source += f", {HUB_CONFIG} (sha256 {short_sha256(config)})"
    return GivenWeights(files[0], source, **_read_config(config))


def _read_config(path: Path) -> dict[str, Any]:
    """Read what ``config.json`` of a timm network says that changes a number."""
    try:
        if path.stat().st_size > _LONGEST:
            raise ValueError(f"more than {_LONGEST:,} bytes")
        content = json.loads(path.read_bytes())
        name = content.get("architecture", "")
        arguments, normalised = content.get("model_args") or {}, content.get("pretrained_cfg") or {}
        mean, std = (tuple(map(float, normalised.get(key) or ())) for key in ("mean", "std"))
        if not isinstance(name, str) or not isinstance(arguments, dict):
            raise ValueError("an architecture or model_args of another type")
        if (
            len(mean) != len(std)
            or not all(map(math.isfinite, mean + std))
            or min(std, default=1) <= 0
        ):
            raise ValueError(f"the normalisation mean {mean}, std {std}")
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise WeightsError(
            f"{path}: expected the config.json of a network of timm, got {error}. Give the file of "
            "weights alone, and its network with --backbone."
        ) from error
    if not name:
        kind = content.get("architectures") or content.get("model_type") or "no architecture"
        raise WeightsError(
            f"{path}: expected the config.json of a network of timm, with its architecture, got "
            f"{kind}. The weights of other libraries have other names and can't be used; compute "
            "embeddings with that library and give them with --features-from NAME=TABLE."
        )
    return {"architecture": name, "arguments": arguments, "mean": mean, "std": std}


def without_prefix(
    state: Mapping[str, torch.Tensor], own: Collection[str]
) -> tuple[dict[str, torch.Tensor], str]:
    """Remove a prefix that all names of a file share, as a wrapper around the network adds it.

    Parameters
    ----------
    state : mapping of str to Tensor
        Tensors of the file; not empty.
    own : collection of str
        Names of the network's tensors; a prefix that they have is kept.

    Returns
    -------
    state : dict of Tensor
    prefix : str
        What was removed; may be empty.

    Examples
    --------
    >>> without_prefix({"backbone.a": 1, "backbone.b": 2}, ["a", "b"])
    ({'a': 1, 'b': 2}, 'backbone.')
    >>> without_prefix({"backbone.a": 1, "head.b": 2}, ["a", "b"])[1]
    ''
    """
    stripped, found = dict(state), ""
    while prefix := next(
        (one for one in PREFIXES if all(key.startswith(one) for key in stripped)
         and not any(key.startswith(one) for key in own)), ""
    ):  # fmt: skip
        stripped = {key.removeprefix(prefix): value for key, value in stripped.items()}
        found += prefix
    return stripped, found


def read_state(path: Path) -> dict[str, torch.Tensor]:
    """Read the tensors of a ``.safetensors`` file or torch checkpoint; no pickled code is run.

    Parameters
    ----------
    path : Path

    Returns
    -------
    dict of Tensor
        By parameter name.

    Raises
    ------
    WeightsError
        If the file is missing or holds anything else.
    """
    import torch
    from timm.models import load_state_dict

    if not path.is_file():
        found = "is no regular file" if path.exists() else "does not exist"
        raise WeightsError(f"{path}: expected a file of weights, but the file {found}.")
    try:
        with warnings.catch_warnings(action="ignore"):
            state = load_state_dict(str(path), weights_only=True)
        if not state or not all(torch.is_tensor(value) for value in state.values()):
            raise _NotTensors
    except MemoryError:
        raise
    except Exception as error:
        raise WeightsError(
            f"{path}: found {_found(error)}, but expected a .safetensors file or a torch "
            "checkpoint that holds only tensors. Give another file, or save the tensors alone: "
            "torch.save(model.state_dict(), FILE)."
        ) from error
    return state


def _found(error: Exception) -> str:
    """Say what a file holds in place of weights.

    Messages of torch that recommend weights_only=False, which runs code of the file, are replaced.
    """
    if isinstance(error, _NotTensors):
        return "a file that holds other things than named tensors"
    if "weights_only" in str(error):
        types = re.search(r"Unsupported globals: (.+?)\. ", str(error))
        which = f" of the types {types[1]}" if types else ""
        return f"pickled Python objects{which}, which are never loaded, or no weights at all"
    reason = " ".join(f"{type(error).__name__}: {error}".splitlines()[0].split())
    return f"a damaged file or one of another format ({reason})"


def short_sha256(path: Path) -> str:
    """Compute the first 16 hexadecimal digits of a file's SHA-256.

    Parameters
    ----------
    path : Path

    Returns
    -------
    str
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def pretrained_file(name: str) -> tuple[Path, str]:
    """Find the file of a network's pretrained weights; download it if necessary.

    Parameters
    ----------
    name : str
        Of the network, in timm.

    Returns
    -------
    path : Path
    origin : str
        Where timm publishes it.

    Raises
    ------
    WeightsUnavailable
        If timm publishes none, or they are not in the cache and the server does not respond.
    """
    import timm

    config = timm.get_pretrained_cfg(name)
    if config is not None and config.hf_hub_id:
        return _hub_file(config.hf_hub_id), f"timm hub {config.hf_hub_id}"
    if config is not None and config.url:
        return _url_file(config.url), f"timm {config.url}"
    raise WeightsUnavailable(
        f"timm publishes no pretrained weights of {name}.",
        "Give a file with --weights FILE, or choose one of timm.list_pretrained().",
    )


def _hub_file(hub_id: str) -> Path:
    from huggingface_hub import hf_hub_download, hf_hub_url, try_to_load_from_cache

    repo, _, revision = hub_id.partition("@")
    which = {"revision": revision or None}
    for filename in HUB_FILES:
        cached = try_to_load_from_cache(repo, filename, **which)
        if isinstance(cached, str):
            return Path(cached)
    _refuse_without_network(hf_hub_url(repo, HUB_FILES[0], **which), repo)
    reasons = []
    for filename in HUB_FILES:
        try:
            return Path(hf_hub_download(repo, filename, **which))
        except Exception as error:  # the hub's client raises its own, httpx's and the system's
            reasons.append(f"{filename}: {error}")
    raise WeightsUnavailable(f"The download of {repo} failed ({'; '.join(reasons)}).")


def _url_file(url: str) -> Path:
    import torch

    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
    if path.is_file():
        return path
    _refuse_without_network(url, path.name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(path))
    except Exception as error:
        raise WeightsUnavailable(f"The download of {url} failed ({error}).") from error
    return path


def _refuse_without_network(url: str, name: str) -> None:
    # Name resolution has no timeout, so a thread is waited for and then abandoned.
    from huggingface_hub.utils import get_session

    outcome = [f"no answer within {PROBE_SECONDS:g} s"]

    def ask() -> None:
        try:
            status = get_session().head(url, timeout=PROBE_SECONDS).status_code
            outcome[0] = f"status {status}" if status in (403, 407) or status >= 500 else ""
        except Exception as error:
            outcome[0] = str(error) or type(error).__name__

    thread = Thread(target=ask, daemon=True)
    thread.start()
    thread.join(PROBE_SECONDS)
    if outcome[0]:
        host = "/".join(url.split("/")[:3])
        raise WeightsUnavailable(
            f"The weights of {name} are not in the local cache and {host} can't be reached "
            f"({outcome[0]})."
        )

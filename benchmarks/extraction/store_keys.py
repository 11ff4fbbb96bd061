"""What names a row of the feature store: the pixels, and all that turns them into numbers.

A row is named by two hashes. One is of the exact pixels that the descriptor is given, with their
shape: whatever was done before (reading, resizing, cropping, contrast) is in them, so no
parameter or version of those steps has to be remembered, and none can be forgotten. The other
is of the family: class, parameters, weights, source and libraries.

The processor is not part of a key. Handcrafted kernels do not depend on its vector width; a
network's output, and NumPy's or OpenCV's elementary functions, may differ in the last bits
between processors that share one store.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
from collections.abc import Mapping
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.extraction.store_file import StoreError

if TYPE_CHECKING:
    from features import ImageDescriptor

PACKAGE = Path(__file__).parent.parent.parent / "features"
LIBRARIES = ("numba", "numpy", "opencv-python-headless", "scikit-image", "scipy")
NETWORK_LIBRARIES = ("timm", "torch")
NETWORKS = "features.backbone"
# Neither moves a number. batch_size does where it can be chosen: sums are taken in another order.
ASIDE = ("n_jobs", "weights")
KEY_BYTES = 16


class FamilyKey(NamedTuple):
    """Name of a family's rows in the store.

    Attributes
    ----------
    key : bytes
        16 bytes: hash of all that turns pixels into this family's numbers.
    name : str
        For people: family, image size and, for networks, the backbone.
    """

    key: bytes
    name: str


def hash_images(images: NDArray[np.uint8]) -> list[bytes]:
    """Hash each image's pixels and shape.

    Parameters
    ----------
    images : ndarray of shape (n, H, W), uint8
        Prepared, exactly as descriptors are given them.

    Returns
    -------
    list of bytes
        16 bytes an image.

    Raises
    ------
    ValueError
        If the images have another shape or dtype.

    Examples
    --------
    >>> [a, b] = hash_images(np.zeros((2, 16, 16), dtype=np.uint8))
    >>> a == b, len(a)
    (True, 16)
    """
    if images.ndim != 3 or images.dtype != np.uint8:
        raise ValueError(
            f"Got images of shape {images.shape} and dtype {images.dtype}, but expected "
            "(n, height, width) uint8."
        )
    shape = "{} {}".format(*images.shape[1:]).encode()
    return [
        hashlib.blake2b(image.data, digest_size=KEY_BYTES, key=shape).digest()
        for image in np.ascontiguousarray(images)
    ]


def family_key(descriptor: ImageDescriptor) -> FamilyKey:
    """Hash all that turns pixels into a descriptor's numbers.

    Parameters
    ----------
    descriptor : ImageDescriptor
        Fitted.

    Returns
    -------
    FamilyKey
        The same on every machine: of the class's name, the parameters other than ``n_jobs`` and
        the path of the weights, the hash of the weights, the image size, the source of every
        module of ``features`` that the class's module imports, directly or not, and the
        versions of the libraries they compute with.

    Raises
    ------
    StoreError
        If the class is not of the ``features`` package, one of its modules was edited since the
        program started, or a parameter is no plain value.
    """
    kind = type(descriptor)
    modules = _modules(kind.__module__)
    _refuse_if_edited(modules)
    parameters = descriptor.get_params(deep=False)
    backbone = parameters.get("backbone")
    content = {
        "class": f"{kind.__module__}.{kind.__qualname__}",
        "parameters": {name: parameters[name] for name in parameters if name not in ASIDE},
        "weights": _weights(descriptor),
        "shape": [int(side) for side in descriptor.image_shape_],
        "source": _digest(modules),
        "libraries": {name: _version(name) for name in libraries(modules)},
    }
    try:
        text = json.dumps(content, sort_keys=True)
    except TypeError as error:
        raise StoreError(
            f"The features of {descriptor!r} are not kept: a parameter can't be part of a key "
            f"({error}). Give plain numbers, text or tuples."
        ) from error
    name = "{} {}×{}".format(descriptor.family, *descriptor.image_shape_)
    return FamilyKey(
        hashlib.blake2b(text.encode(), digest_size=KEY_BYTES).digest(),
        f"{name} {backbone}" if backbone else name,
    )


def libraries(modules: tuple[str, ...]) -> tuple[str, ...]:
    """Distributions whose versions are part of the key of a family made of ``modules``."""
    return LIBRARIES + NETWORK_LIBRARIES if NETWORKS in modules else LIBRARIES


def read_sources(package: Path) -> dict[str, str]:
    """Text of a package's modules by dotted name."""
    files = sorted(package.rglob("*.py"))
    names = [".".join(file.relative_to(package.parent).with_suffix("").parts) for file in files]
    texts = (file.read_text(encoding="utf-8") for file in files)
    return dict(zip((name.removesuffix(".__init__") for name in names), texts, strict=True))


def modules_used(module: str, sources: Mapping[str, str]) -> tuple[str, ...]:
    """Modules among ``sources`` that a module imports, directly or not, and itself; sorted.

    Examples
    --------
    >>> sources = {"p.a": "from p import b", "p.b": "import p.c", "p.c": "", "p.d": ""}
    >>> modules_used("p.a", sources)
    ('p.a', 'p.b', 'p.c')
    """
    used: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in sources and name not in used:
            used.add(name)
            waiting += _imports(sources[name])
    return tuple(sorted(used))


def _imports(text: str) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *[f"{node.module}.{alias.name}" for alias in node.names]]
    return names


@lru_cache
def _modules(module: str) -> tuple[str, ...]:
    modules = modules_used(module, SOURCES)
    if not modules:
        raise StoreError(
            f"The features of a class of {module} are not kept: its source can't be told. "
            "Put the class into a file of the features package."
        )
    return modules


@lru_cache
def _digest(modules: tuple[str, ...]) -> str:
    texts = {name: SOURCES[name] for name in modules}
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()


def _refuse_if_edited(modules: tuple[str, ...]) -> None:
    # The code that runs was loaded at the start: the new text must not name its rows.
    now = read_sources(PACKAGE)
    edited = [name for name in modules if now.get(name) != SOURCES[name]]
    if edited:
        raise StoreError(
            f"No features are kept: {', '.join(edited)} was edited since the program started. "
            "Start it again."
        )


def _weights(descriptor: Any) -> str:
    source = str(getattr(descriptor, "weights_source_", ""))
    found = re.search(r"sha256 ([0-9a-f]+)", source)  # a file is the same wherever it lies
    return found[1] if found else source


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


SOURCES = read_sources(PACKAGE)  # read at once, when the code that runs has just been loaded

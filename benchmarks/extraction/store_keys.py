"""Keys of the feature store: the pixels, and everything that turns them into numbers.

The key of a row is two hashes. One is of the exact pixels that the descriptor receives, with their
shape: every earlier step (reading, resizing, cropping, contrast) is in them, so no parameter or
version of those steps can be forgotten. The other is of the family: class, parameters, weights,
source and libraries.

The processor is not part of a key. Handcrafted kernels do not depend on its vector width; the
output of a network, and elementary functions of NumPy or OpenCV, may differ in the last bits
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
# Neither changes a number. batch_size does where it can be set: it changes the order of sums.
ASIDE = ("n_jobs", "weights")
KEY_BYTES = 16


class FamilyKey(NamedTuple):
    """Key of a family's rows in the store.

    Attributes
    ----------
    key : bytes
        16 bytes: hash of everything that turns pixels into the numbers of this family.
    name : str
        For messages: family, image size and, for networks, the backbone.
    """

    key: bytes
    name: str


def hash_images(images: NDArray[np.uint8]) -> list[bytes]:
    """Hash the pixels and shape of each image.

    Parameters
    ----------
    images : ndarray of shape (n, H, W), uint8
        Prepared, exactly as descriptors receive them.

    Returns
    -------
    list of bytes
        16 bytes per image.

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
    """Hash everything that turns pixels into the numbers of a descriptor.

    Parameters
    ----------
    descriptor : ImageDescriptor
        Fitted.

    Returns
    -------
    FamilyKey
        The same on every machine. It covers the name of the class, the parameters other than
        ``n_jobs`` and the path of the weights, the hash of the weights, the image size, the source
        of every module of ``features`` that the module of the class imports, directly or
        indirectly, and the versions of the libraries that they use.

    Raises
    ------
    StoreError
        If the class is not in the ``features`` package, one of its modules was edited since the
        program started, or a parameter is not a plain value.
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
            f"The features of {descriptor!r} are not stored: a parameter can't be part of a key "
            f"({error}). Use plain numbers, text or tuples."
        ) from error
    name = "{} {}×{}".format(descriptor.family, *descriptor.image_shape_)
    return FamilyKey(
        hashlib.blake2b(text.encode(), digest_size=KEY_BYTES).digest(),
        f"{name} {backbone}" if backbone else name,
    )


def libraries(modules: tuple[str, ...]) -> tuple[str, ...]:
    """List the libraries whose versions are part of the key of a family.

    Parameters
    ----------
    modules : tuple of str
        Modules that compute the family, from :func:`modules_used`.

    Returns
    -------
    tuple of str
        Names of distributions.
    """
    return LIBRARIES + NETWORK_LIBRARIES if NETWORKS in modules else LIBRARIES


def read_sources(package: Path) -> dict[str, str]:
    """Read the source of all modules of a package.

    Parameters
    ----------
    package : Path
        Folder of the package.

    Returns
    -------
    dict of str
        By dotted name.
    """
    files = sorted(package.rglob("*.py"))
    names = [".".join(file.relative_to(package.parent).with_suffix("").parts) for file in files]
    texts = (file.read_text(encoding="utf-8") for file in files)
    return dict(zip((name.removesuffix(".__init__") for name in names), texts, strict=True))


def modules_used(module: str, sources: Mapping[str, str]) -> tuple[str, ...]:
    """List the modules that a module imports, directly or indirectly, and itself.

    Parameters
    ----------
    module : str
        Dotted name.
    sources : mapping of str
        From :func:`read_sources`; other modules are ignored.

    Returns
    -------
    tuple of str
        Sorted.

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
            f"The features of a class in {module} are not stored: its source is unknown. "
            "Put the class into a file of the features package."
        )
    return modules


@lru_cache
def _digest(modules: tuple[str, ...]) -> str:
    texts = {name: SOURCES[name] for name in modules}
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()


def _refuse_if_edited(modules: tuple[str, ...]) -> None:
    # The running code was loaded at the start: the new source must not be the key of its rows.
    now = read_sources(PACKAGE)
    edited = [name for name in modules if now.get(name) != SOURCES[name]]
    if edited:
        raise StoreError(
            f"No features are stored: {', '.join(edited)} was edited since the program started. "
            "Restart it."
        )


def _weights(descriptor: Any) -> str:
    source = str(getattr(descriptor, "weights_source_", ""))
    found = re.search(r"sha256 ([0-9a-f]+)", source)  # the same for any path
    return found[1] if found else source


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


SOURCES = read_sources(PACKAGE)  # read at import, when the running code has just been loaded

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
import importlib.util
import json
import re
import sys
import time
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
# Neither changes a number. batch_size does where it can be set: it changes the order of sums.
ASIDE = ("n_jobs", "weights")
# Imported for threads, the base class and downloads; a family that computes with one declares it.
CHANGE_NOTHING = frozenset({"huggingface_hub", "huggingface-hub", "joblib", "scikit-learn"})
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
        The same on every machine: of the class's name, the parameters except ``n_jobs``, the path
        of the weights and those that are None, the hash of the weights, the image size, the source
        of the class's module and of every module of ``features`` and of its own package that it
        imports, directly or not, and the versions of the libraries that these import or the class
        declares.

    Raises
    ------
    StoreError
        If the source of the class can't be read, one of its modules was edited since the program
        started, or a parameter is not a plain value.
    """
    kind = type(descriptor)
    sources = _sources_of(kind.__module__)
    modules = modules_used(kind.__module__, sources)
    _refuse_if_edited(kind.__module__, modules)
    parameters = descriptor.get_params(deep=False)
    backbone = parameters.get("backbone")
    content = {
        "class": f"{kind.__module__}.{kind.__qualname__}",
        "parameters": {  # None is an option that is not used: its name adds nothing to the key
            name: value
            for name, value in parameters.items()
            if name not in ASIDE and value is not None
        },
        "weights": _weights(descriptor),
        "shape": [int(side) for side in descriptor.image_shape_],
        "source": {name: sources[name] for name in modules},
        "libraries": {name: _version(name) for name in libraries(kind, sources)},
    }
    try:
        text = json.dumps(content, sort_keys=True)
    except TypeError as error:
        raise StoreError(
            f"The features of {descriptor!r} are not stored: a parameter can't be part of a key "
            f"({error}). Use plain numbers, text or tuples."
        ) from error
    name = "{} {}×{}".format(kind.title or kind.__name__, *descriptor.image_shape_)
    return FamilyKey(
        hashlib.blake2b(text.encode(), digest_size=KEY_BYTES).digest(),
        f"{name} {backbone}" if backbone else name,
    )


def libraries(kind: type[ImageDescriptor], sources: Mapping[str, str]) -> tuple[str, ...]:
    """List the distributions whose versions are part of a family's key.

    Parameters
    ----------
    kind : type of ImageDescriptor
    sources : mapping of str to str
        Text of the modules that it may use, by dotted name.

    Returns
    -------
    tuple of str
        Those that the class declares and those that its modules import, sorted.
    """
    used = modules_used(kind.__module__, sources)
    imported = {name.split(".")[0] for module in used for name in _imports(sources[module], module)}
    own = {module.split(".")[0] for module in used} | set(sys.stdlib_module_names)
    distributions = {name for module in imported - own for name in _packages().get(module, [])}
    return tuple(sorted({*kind.libraries, *(distributions - CHANGE_NOTHING)}))


@lru_cache
def _packages() -> Mapping[str, list[str]]:
    return metadata.packages_distributions()


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
            waiting += _imports(sources[name], name)
    return tuple(sorted(used))


def _imports(text: str, module: str = "") -> list[str]:
    """List the modules that a module's text may import; a name may be one or be in one."""
    names = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            for start in _starts(node, module):
                names += [start, *[f"{start}.{alias.name}" for alias in node.names]]
    return [name for name in names if name]


def _starts(node: ast.ImportFrom, module: str) -> list[str]:
    """Resolve where an import starts; a relative one in both ways, of a module and a package."""
    if not node.level:
        return [str(node.module)]
    parts = module.split(".")
    parents = (parts[: len(parts) - node.level + own] for own in (0, 1))
    return [".".join([*parent, *filter(None, [node.module])]) for parent in parents]


def _sources_of(module: str) -> Mapping[str, str]:
    """Return the texts of the modules that a family's module may import, by dotted name."""
    return SOURCES if module in SOURCES else {**SOURCES, **_read_elsewhere(module)}


@lru_cache
def _read_elsewhere(module: str) -> dict[str, str]:
    """Read a module outside the features package, and those it uses that are no library."""
    texts: dict[str, str] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name not in texts and name not in SOURCES and _is_local(name, module):
            file = _file_of(name)
            if file is not None:
                texts[name] = _read_unedited(name, file)
                waiting += _imports(texts[name], name)
    if module not in texts:
        raise StoreError(
            f"The features of a class of {module} are not stored: its source can't be found. "
            "Put the class into a file that is imported as a module."
        )
    return texts


def _is_local(name: str, module: str) -> bool:
    """Whether a module is part of the family's own code, and not of a library with a version."""
    root = name.split(".")[0]
    library = root in sys.stdlib_module_names or bool(_packages().get(root))
    return root == module.split(".")[0] or not library


def _file_of(name: str) -> Path | None:
    loaded = sys.modules.get(name)
    try:
        spec = None if loaded else importlib.util.find_spec(name)
    except (ImportError, AttributeError, ValueError):  # a function or class in a module
        return None
    found = getattr(loaded, "__file__", None) or (spec and spec.origin)
    file = Path(str(found))
    return file if file.suffix == ".py" and file.is_file() else None


def _read_unedited(name: str, file: Path) -> str:
    if file.stat().st_mtime > STARTED:
        raise _edited([name])
    return file.read_text(encoding="utf-8")


def _refuse_if_edited(module: str, modules: tuple[str, ...]) -> None:
    # The running code was loaded before: the new source must not be the key of its rows.
    before, now = _sources_of(module), read_sources(PACKAGE)
    if module not in SOURCES:
        now |= _read_elsewhere.__wrapped__(module)
    edited = [name for name in modules if now.get(name) != before[name]]
    if edited:
        raise _edited(edited)


def _edited(names: list[str]) -> StoreError:
    return StoreError(
        f"No features are stored: {', '.join(names)} was edited since the program started. "
        "Restart it."
    )


def _weights(descriptor: Any) -> str:
    source = str(getattr(descriptor, "weights_source_", ""))
    hashes = re.findall(r"sha256 ([0-9a-f]+)", source)  # the same for any path
    return " ".join(hashes) or source


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


# Read at import, when the running code has just been loaded.
STARTED, SOURCES = time.time(), read_sources(PACKAGE)

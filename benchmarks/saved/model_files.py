"""Save and load fitted cells, in file formats that run no code when they are loaded.

The cell ``hog/svm/seed0`` is saved as ``models/hog-svm-seed0.skops`` (a network: ``.safetensors``)
with a record ``models/hog-svm-seed0.json``: the sha256 of each file, the number of columns and the
versions of the libraries. The hashes reveal damaged and exchanged files, but are no protection:
who can change a model can change its record too.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from imblearn.pipeline import Pipeline

from benchmarks.fitting.cell import families_of
from benchmarks.io import provenance
from benchmarks.io.run_files import RunError, read_file, subfolder, write_text
from benchmarks.saved.pipeline_file import ModelFileError as ModelFileError
from benchmarks.saved.pipeline_file import pack, refuse, unpack
from models import model_libraries

FOLDER = "models"
FORMAT = 1
NETWORK = "safetensors"
MAX_FILE = 2**31  # bytes
MAX_RECORD = 2**20  # bytes
# Libraries that compute scores, besides those that classifiers declare.
SCORED_BY = ("imbalanced-learn", "numpy", "scikit-learn", "scipy")
_NAME = re.compile(r"\w[\w+-]*/\w+/seed\d+", re.ASCII)


class ModelVersionWarning(UserWarning):
    """A model was fitted with other versions of libraries, so its scores may differ."""


def save_cell(folder: Path, cell_name: str, model: Any, columns: int | None = None) -> None:
    """Save a fitted cell; each file is written atomically, the record last.

    Parameters
    ----------
    folder : Path
        The run folder.
    cell_name : str
        ``features/model/seedN``.
    model : Pipeline or CnnClassifier
        A fitted model.
    columns : int, optional
        Number of columns of the feature matrix it was fitted on; None for a model on images.

    Raises
    ------
    ModelFileError
        If the model contains a type that :func:`load_cell` would refuse.
    OSError
        If the folder can't be written.
    """
    stem = _stem(cell_name)
    place = subfolder(folder, FOLDER)
    files = {}
    if isinstance(model, Pipeline):
        for suffix, content in pack(model).items():
            with _replacing(place / f"{stem}.{suffix}") as temporary:
                temporary.write_bytes(content)
                files[f"{stem}.{suffix}"] = _fingerprint(content)
    else:
        from models.network_file import save_network

        with _replacing(place / f"{stem}.{NETWORK}") as temporary:
            save_network(model, temporary)
            files[f"{stem}.{NETWORK}"] = _fingerprint(temporary.read_bytes())
    record = {
        "format": FORMAT, "cell": cell_name, "columns": columns,
        "families": list(families_of(cell_name.split("/")[0])), "files": files,
        "versions": provenance.versions(), "program": provenance.program(),
    }  # fmt: skip
    write_text(place / f"{stem}.json", json.dumps(record, indent=2) + "\n")


def saved_cells(folder: Path) -> list[str]:
    """List the cells that are saved in a run folder.

    Parameters
    ----------
    folder : Path
        The run folder.

    Returns
    -------
    list of str
        Sorted names.

    Raises
    ------
    ModelFileError
        If a record can't be read.
    """
    names = []
    for path in sorted((folder / FOLDER).glob("[!.]*-seed*[0-9].json")):
        name = _read(folder, path.name).get("cell")
        if not isinstance(name, str) or not _NAME.fullmatch(name) or _stem(name) != path.stem:
            raise refuse(path, f"the cell {name!r}", "the cell in the file's name")
        names.append(name)
    return names


def read_saved(folder: Path, cell_name: str) -> dict[str, Any]:
    """Read the record of a saved cell.

    Parameters
    ----------
    folder : Path
        The run folder.
    cell_name : str
        ``features/model/seedN``.

    Returns
    -------
    dict
        ``cell``, ``columns`` (None for a model on images), ``families``, ``files`` (sha256 and
        bytes by name), ``versions``, ``program``.

    Raises
    ------
    ModelFileError
        If there is no record, or this version can't have written it.
    """
    stem = _stem(cell_name)
    path = folder / FOLDER / f"{stem}.json"
    record = _read(folder, path.name)
    expected = {"format": FORMAT, "cell": cell_name}
    found = {key: record.get(key) for key in expected}
    if found != expected:
        raise refuse(path, f"{found}", f"{expected}")
    allowed = ({f"{stem}.skops"}, {f"{stem}.skops", f"{stem}.booster.json"}, {f"{stem}.{NETWORK}"})
    files = record.get("files")
    # A record must not point to a file elsewhere.
    if not isinstance(files, dict) or set(files) not in allowed:
        named = ", ".join(map(str, files)) if isinstance(files, dict) else repr(files)
        raise refuse(path, f"the files {named}", f"{stem}.skops or {stem}.{NETWORK} beside it")
    if not (
        all(isinstance(entry, dict) and "sha256" in entry for entry in files.values())
        and isinstance(record.get("versions"), dict)
        and isinstance(record.get("families"), list)
        and isinstance(record.get("columns"), int | None)
    ):
        raise refuse(path, "missing keys or values of another type", "a record of this version")
    return record


def load_cell(folder: Path, cell_name: str, *, warn: bool = True) -> Any:
    """Load a fitted cell after checking the hashes of its files and the types in them.

    Parameters
    ----------
    folder : Path
        The run folder.
    cell_name : str
        ``features/model/seedN``.
    warn : bool
        Whether to warn about other versions of the libraries.

    Returns
    -------
    Pipeline or CnnClassifier
        ``predict_proba`` returns the same bits as before saving if the libraries and the machine
        are the same.

    Raises
    ------
    ModelFileError
        If a file is missing, damaged or too large, or contains a type that is not allowed.

    Warns
    -----
    ModelVersionWarning
        If a library that computes scores has another version here and ``warn`` is true.
    """
    record = read_saved(folder, cell_name)
    if warn and (other := other_versions(record["versions"])):
        warnings.warn(
            f"{cell_name} was fitted with {other}; scores may differ. Install those versions to "
            "reproduce its scores.",
            ModelVersionWarning, stacklevel=2,
        )  # fmt: skip
    contents = {}
    for name, entry in record["files"].items():
        path = folder / FOLDER / name
        contents[path] = _read_bytes(folder, name, MAX_FILE)
        sha256 = _fingerprint(contents[path])["sha256"]
        if sha256 != entry["sha256"]:
            raise refuse(path, f"the sha256 {sha256}", f"{entry['sha256']} as it was saved")
    first = next(iter(contents))
    if first.suffix != f".{NETWORK}":
        parts = {path.name.partition(".")[2]: content for path, content in contents.items()}
        return unpack(parts, first)
    from models.network_file import load_network

    try:
        return load_network(first)
    except ImportError:
        raise
    except Exception as error:  # what torch raises for a file of another network
        raise refuse(first, f"{type(error).__name__}: {error}", "a saved network") from error


def other_versions(recorded: dict[str, str], also: Sequence[str] = ()) -> str:
    """List the libraries that compute scores and have another version here.

    Parameters
    ----------
    recorded : dict of str
        Version by library, from ``run.json`` or from the record of a model.
    also : sequence of str
        Further libraries to compare.

    Returns
    -------
    str
        Each library with both versions; empty if all versions agree.
    """
    now = provenance.versions()
    return ", ".join(
        f"{name} {recorded[name]} (here {now[name]})"
        for name in (*also, *SCORED_BY, *model_libraries())
        if name in recorded and recorded[name] != now[name]
    )


def _stem(cell_name: str) -> str:
    if not _NAME.fullmatch(cell_name):
        raise ValueError(f"Got the cell {cell_name!r}, but expected features/model/seedN.")
    return cell_name.replace("/", "-")


def _fingerprint(content: bytes) -> dict[str, Any]:
    return {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def _read(folder: Path, name: str) -> dict[str, Any]:
    path = folder / FOLDER / name
    content = _read_bytes(folder, name, MAX_RECORD)
    try:
        record = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise refuse(path, f"no JSON ({error})", "the record of a saved cell") from error
    if not isinstance(record, dict):
        raise refuse(path, f"a {type(record).__name__}", "the record of a saved cell")
    return record


def _read_bytes(folder: Path, name: str, limit: int) -> bytes:
    path = folder / FOLDER / name
    try:
        return read_file(folder, Path(FOLDER) / name, limit)
    except FileNotFoundError as error:
        raise refuse(path, "no such file", "a saved cell") from error
    except RunError as error:
        raise ModelFileError(str(error)) from error
    except OSError as error:
        raise refuse(path, f"nothing that can be read ({error.strerror})", "a file") from error


def remove_unfinished(folder: Path) -> None:
    """Remove the temporary files that a killed run left beside its fitted models.

    Parameters
    ----------
    folder : Path
        The run folder.
    """
    for path in (folder / FOLDER).glob(".*"):
        path.unlink(missing_ok=True)


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary file, and move it to ``path`` once it is complete and on the disk."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}.", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise

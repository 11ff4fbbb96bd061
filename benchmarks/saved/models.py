"""Fitted cells in the run folder, in forms that load without running code.

A cell ``hog/svm/seed0`` becomes ``models/hog-svm-seed0.skops`` (a network: ``….safetensors``) and
a record ``….json`` with the sha256 of each file, the number of columns and the versions. The hashes
tell damage and mix-ups; whoever can rewrite a model can rewrite its record too.
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

from benchmarks.io import provenance
from benchmarks.io.results import write_text
from benchmarks.saved.pipeline_file import ModelFileError as ModelFileError
from benchmarks.saved.pipeline_file import pack, refuse, unpack
from features import all_feature_sets
from models import model_libraries

FOLDER = "models"
FORMAT = 1
NETWORK = "safetensors"
MAX_FILE = 2**31  # bytes
MAX_RECORD = 2**20  # bytes
SCORED_BY = ("imbalanced-learn", "numpy", "scikit-learn", "scipy")  # and what classifiers declare
_NAME = re.compile(r"\w+/\w+/seed\d+", re.ASCII)


class ModelVersionWarning(UserWarning):
    """A model was fitted with other versions of its libraries: scores may differ."""


def save_cell(folder: Path, cell_name: str, model: Any, columns: int | None = None) -> None:
    """Keep a fitted cell; each file is written in one step, the record last.

    Parameters
    ----------
    folder : Path
        The run folder.
    cell_name : str
        ``features/model/seedN``.
    model : Pipeline or CnnClassifier
        Fitted.
    columns : int, optional
        Columns of the feature matrix it was fitted on; None for a model on images.

    Raises
    ------
    ModelFileError
        If the model has a type that :func:`load_cell` would refuse.
    OSError
        If the folder can't be written.
    """
    stem = _stem(cell_name)
    place = folder / FOLDER
    place.mkdir(exist_ok=True)
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
        "families": list(all_feature_sets().get(cell_name.split("/")[0], ())), "files": files,
        "versions": provenance.versions(), "program": provenance.program(),
    }  # fmt: skip
    write_text(place / f"{stem}.json", json.dumps(record, indent=2) + "\n")


def saved_cells(folder: Path) -> list[str]:
    """Names of the cells that a run folder keeps, sorted.

    Raises
    ------
    ModelFileError
        If a record can't be read.
    """
    names = []
    for path in sorted((folder / FOLDER).glob("[!.]*-seed*[0-9].json")):
        name = _read(path).get("cell")
        if not isinstance(name, str) or not _NAME.fullmatch(name) or _stem(name) != path.stem:
            raise refuse(path, f"the cell {name!r}", "the one that the file is named after")
        names.append(name)
    return names


def read_saved(folder: Path, cell_name: str) -> dict[str, Any]:
    """Record of a saved cell.

    Returns
    -------
    dict
        ``cell``, ``columns`` (None for a model on images), ``families``, ``files`` (sha256 and
        bytes by name), ``versions``, ``program``.

    Raises
    ------
    ModelFileError
        If there is none, or it is none that this version wrote.
    """
    stem = _stem(cell_name)
    path = folder / FOLDER / f"{stem}.json"
    record = _read(path)
    expected = {"format": FORMAT, "cell": cell_name}
    found = {key: record.get(key) for key in expected}
    if found != expected:
        raise refuse(path, f"{found}", f"{expected}")
    allowed = ({f"{stem}.skops"}, {f"{stem}.skops", f"{stem}.booster.json"}, {f"{stem}.{NETWORK}"})
    files = record.get("files")
    # Only these names: a record must not lead to a file elsewhere.
    if not isinstance(files, dict) or set(files) not in allowed:
        named = ", ".join(map(str, files)) if isinstance(files, dict) else repr(files)
        raise refuse(path, f"the files {named}", f"{stem}.skops or {stem}.{NETWORK} beside it")
    if not (
        all(isinstance(entry, dict) and "sha256" in entry for entry in files.values())
        and isinstance(record.get("versions"), dict)
        and isinstance(record.get("families"), list)
        and isinstance(record.get("columns"), int | None)
    ):
        raise refuse(path, "keys missing or of another type", "a record of this version")
    return record


def load_cell(folder: Path, cell_name: str) -> Any:
    """Load a fitted cell: hashes first, then the types, then the model.

    Parameters
    ----------
    folder : Path
        The run folder.
    cell_name : str
        ``features/model/seedN``.

    Returns
    -------
    Pipeline or CnnClassifier
        ``predict_proba`` gives what it gave when it was saved, to the last bit where the
        libraries and the machine are the same.

    Raises
    ------
    ModelFileError
        If a file is missing, damaged or too large, or holds a type that is not allowed.

    Warns
    -----
    ModelVersionWarning
        If a library that computes scores has another version here.
    """
    record = read_saved(folder, cell_name)
    if other := other_versions(record["versions"]):
        warnings.warn(
            f"{cell_name} was fitted with {other}; scores may differ. Install those versions to "
            "repeat its scores.",
            ModelVersionWarning, stacklevel=2,
        )  # fmt: skip
    contents = {}
    for name, entry in record["files"].items():
        path = folder / FOLDER / name
        contents[path] = _read_bytes(path, MAX_FILE)
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
    except Exception as error:  # whatever a file of another network makes of torch
        raise refuse(first, f"{type(error).__name__}: {error}", "a saved network") from error


def other_versions(recorded: dict[str, str], also: Sequence[str] = ()) -> str:
    """Name the libraries that scores depend on and that are installed in another version.

    Parameters
    ----------
    recorded : dict of str
        Version by library, as ``run.json`` or a model's record has them.
    also : sequence of str
        Further libraries to compare.

    Returns
    -------
    str
        Empty if all versions agree.
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


def _read(path: Path) -> dict[str, Any]:
    content = _read_bytes(path, MAX_RECORD)
    try:
        record = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise refuse(path, f"no JSON ({error})", "the record of a saved cell") from error
    if not isinstance(record, dict):
        raise refuse(path, f"a {type(record).__name__}", "the record of a saved cell")
    return record


def _read_bytes(path: Path, most: int) -> bytes:
    try:
        if not path.is_file():
            raise refuse(path, "no such file", "a saved cell")
        if path.stat().st_size > most:
            raise refuse(path, f"{path.stat().st_size:,} bytes", f"at most {most:,}")
        return path.read_bytes()
    except OSError as error:
        raise refuse(path, f"nothing that can be read ({error.strerror})", "a file") from error


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """Yield a new file beside ``path``; put it in its place once it is whole and on the disk."""
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

"""Safetensors file of named tensors and facts, written atomically and verified by sha256."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from features.backbone import misfits

if TYPE_CHECKING:
    import torch

HEADER = "facts and sha256"  # the only metadata key: the order of several is undefined


class TensorFileError(ValueError):
    """A file is missing, damaged or of another format; the message says which."""


def write_tensors(path: Path, tensors: Mapping[str, torch.Tensor], facts: str) -> None:
    """Write tensors and facts; a reader finds the old file or the new one, never part of it.

    Parameters
    ----------
    path : Path
        Replaced if it exists. Its folder must exist.
    tensors : mapping of str to Tensor
        Tensors by name.
    facts : str
        JSON.

    Raises
    ------
    OSError
        If the file can't be written, because the disk is full, say; an old file is kept.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    plain = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    plain = {name: value.clone() for name, value in plain.items()}  # none may share memory
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        save_file(plain, part, metadata={HEADER: json.dumps([facts, _sha256(plain, facts)])})
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(part, path)
    except SafetensorError as error:
        raise OSError(f"{path} can't be written: {error}") from error
    finally:
        part.unlink(missing_ok=True)
    _keep_the_name(path.parent)


def read_tensors(path: Path) -> tuple[dict[str, torch.Tensor], str]:
    """Read a file of :func:`write_tensors`.

    Parameters
    ----------
    path : Path
        File to read.

    Returns
    -------
    tensors : dict of str to Tensor
        On the CPU.
    facts : str
        JSON.

    Raises
    ------
    TensorFileError
        If the file is missing, incomplete or changed since it was written.
    """
    from safetensors import safe_open

    if not path.is_file():
        raise TensorFileError(f"{path}: expected a safetensors file, but there is none.")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except Exception as error:  # the reader raises its own, the system's and torch's
        raise TensorFileError(
            f"{path}: expected a complete safetensors file, but it can't be read: {error}"
        ) from error
    if list(metadata) != [HEADER]:
        raise TensorFileError(
            f"{path}: got the metadata {sorted(metadata)}, but expected {[HEADER]}: this program "
            "did not write the file."
        )
    try:
        facts, written = json.loads(metadata[HEADER])
        whole = _sha256(tensors, facts) == written
    except (ValueError, TypeError, AttributeError):
        whole = False
    if not whole:
        raise TensorFileError(
            f"{path}: the content does not match its own sha256, so the file was changed or "
            "damaged. Delete it."
        )
    return tensors, facts


def unfit_tensors(found: Mapping[str, torch.Tensor], own: Mapping[str, torch.Tensor]) -> list[str]:
    """List why tensors of a file can't be a network's own: names, shapes, number formats.

    Parameters
    ----------
    found, own : mapping of str to Tensor
        Tensors of the file and of the network.

    Returns
    -------
    list of str
        As :func:`features.backbone.misfits`; empty if all fit.
    """
    formats = [
        f"{name} {found[name].dtype} instead of {value.dtype}"
        for name, value in own.items()
        if name in found and found[name].dtype != value.dtype
    ]
    return misfits(found, own, {"of another number format": formats})


def _sha256(tensors: Mapping[str, torch.Tensor], facts: str) -> str:
    import torch

    digest = hashlib.sha256()
    for name in sorted(tensors):
        value = tensors[name]
        digest.update(json.dumps([name, str(value.dtype), list(value.shape)]).encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy())
    digest.update(facts.encode())
    return digest.hexdigest()


def _keep_the_name(folder: Path) -> None:
    """Write the folder's entry to disk too; Windows can't open folders for that."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

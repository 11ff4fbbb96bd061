"""Image files below a folder: listed with those of its sub-folders, and decoded into a stack."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pandas as pd
from joblib import delayed

from benchmarks.config import RunConfig
from benchmarks.datasets.dataset import DataError
from benchmarks.io.columns import FILE_COLUMNS, MANIFEST_COLUMNS, MORE_MANIFEST_COLUMNS
from benchmarks.io.image_stack import ImageFile, ImageStack
from benchmarks.io.progress import track
from benchmarks.io.workers import FEW_FILES, parallel
from features.reading.images import (
    IGNORED_NAMES,
    MAX_MEMORY,
    GreyImage,
    ImageError,
    LargeImageError,
    read_image,
)
from features.reading.preprocess import resize

WORKER_MEMORY = 2**27  # bytes to read one image in a worker; larger ones are read one at a time
ARCHIVE_FOLDER = "__MACOSX"  # holds copies of file attributes in archives made by macOS

_OF_A_RUN = {"run.json", "manifest.csv"}  # in a run folder, which has thumbnails of images


def list_below(root: Path) -> tuple[list[str], int]:
    """List the files of a folder and of all its sub-folders.

    Links to folders are not followed. Folders that begin with a dot, ``__MACOSX``, and folders of
    runs are passed over with all that they hold.

    Parameters
    ----------
    root : Path

    Returns
    -------
    paths : list of str
        Relative to ``root``, with ``/``, sorted.
    ignored : int
        Number of hidden files (a leading dot), Thumbs.db and desktop.ini (in any case).

    Raises
    ------
    DataError
        If a folder can't be listed.
    """
    paths: list[str] = []
    ignored = 0
    start = len(os.path.join(root, ""))
    for folder, folders, files in os.walk(root, onerror=_refuse):
        if set(files) >= _OF_A_RUN:
            folders.clear()
            continue
        folders[:] = [name for name in folders if name[0] != "." and name != ARCHIVE_FOLDER]
        kept = [name for name in files if name[0] != "." and name.lower() not in IGNORED_NAMES]
        ignored += len(files) - len(kept)
        inside = folder[start:].replace(os.sep, "/")
        paths += [f"{inside}/{name}" for name in kept] if inside else kept
    return sorted(paths), ignored


def shown_path(path: str) -> str:
    """Escape the bytes of a path that are not UTF-8, as tables name it.

    Parameters
    ----------
    path : str
        As the file system gives it.

    Returns
    -------
    str

    Examples
    --------
    >>> shown_path("a/b.png")
    'a/b.png'
    """
    return path.encode("utf-8", "backslashreplace").decode()


def read_files(
    root: Path,
    manifest: pd.DataFrame,
    size: int,
    config: RunConfig,
    missing: pd.DataFrame | None = None,
) -> tuple[ImageStack, pd.DataFrame, pd.DataFrame]:
    """Decode every file, in processes if there are many; leave out what can't be read.

    Workers refuse images that take much memory; this process reads them, one at a time.

    Parameters
    ----------
    root : Path
        The folder that must contain all files.
    manifest : DataFrame
        One row per file: the columns of a manifest that are known before decoding, and ``path``
        (relative to ``root``).
    size : int
        Side to which images are resized, in pixels.
    config : RunConfig
        ``out``, ``max_unreadable``, ``jobs`` and ``quiet`` apply.
    missing : DataFrame, optional
        ``image`` and ``reason`` of images without a file; they count as unreadable.

    Returns
    -------
    images : ImageStack
    manifest : DataFrame
        The images that were read, with all columns of a manifest.
    left_out : DataFrame
        ``image`` and ``reason`` of the others.

    Raises
    ------
    DataError
        If more than ``max_unreadable`` of the images can't be read.
    """
    absent = pd.DataFrame(columns=["image", "reason"], dtype=str) if missing is None else missing
    total = len(manifest) + len(absent)
    _check_left_out(absent, total, config.max_unreadable)  # before anything is decoded
    jobs = config.jobs if len(manifest) > FEW_FILES else 1
    read = parallel(jobs, return_as="generator")(
        delayed(_read_one)(root, path, size, WORKER_MEMORY) for path in manifest["path"]
    )
    kept: list[tuple[int, str, int, int, int, int, str, str, int]] = []
    failed: list[tuple[str, str]] = []
    pixels = ImageFile(config.out, size)
    for row, result in enumerate(track(read, "data", len(manifest), "images", config.quiet)):
        if isinstance(result, LargeImageError):
            result = _read_one(root, manifest["path"].iloc[row], size, MAX_MEMORY)
        if isinstance(result, ImageError):
            failed.append((manifest["image"].iloc[row], str(result)))
            continue
        image, size_of_file = result
        pixels.append(image.pixels)
        kept.append((row, image.sha256, image.width, image.height, image.frames, size_of_file,
                     image.format, image.mode, image.bits))  # fmt: skip
    left_out = pd.concat(
        [absent, pd.DataFrame(failed, columns=["image", "reason"], dtype=str)], ignore_index=True
    )
    _check_left_out(left_out, total, config.max_unreadable)
    columns = ["row", "sha256", "width", "height", "frames", "bytes", *FILE_COLUMNS]
    rows = pd.DataFrame(kept, columns=columns)
    table = manifest.iloc[rows.pop("row")].reset_index(drop=True).join(rows)
    more = [name for name in MORE_MANIFEST_COLUMNS if name in table.columns]
    return pixels.images(), table[[*MANIFEST_COLUMNS, *more]], left_out


def _read_one(
    root: Path, path: str, size: int, max_memory: int
) -> tuple[GreyImage, int] | ImageError:
    """Read one file at a size; return it with the file's size in bytes."""
    try:
        read = read_image(root / path, root=root, size=size, max_memory=max_memory)
    except ImageError as error:
        return error
    image = replace(read, pixels=resize(read.pixels, size))
    return image, (root / path).stat().st_size


def _check_left_out(left_out: pd.DataFrame, n: int, bound: float) -> None:
    if len(left_out) > bound * n:
        first = "\n  ".join(left_out["reason"].head(5))
        raise DataError(
            f"{len(left_out)} of {n} images are unreadable, more than the {bound:.1%} allowed. "
            f"Repair or remove them, or raise --max-unreadable. The first:\n  {first}"
        )


def _refuse(error: OSError) -> None:
    raise DataError(
        f"{error.filename}: expected a folder that can be listed, got: {error.strerror}. Check "
        "its permissions."
    ) from error

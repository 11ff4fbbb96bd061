"""Names of images in a table, matched to files: only where exactly one file fits."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NONE, SEVERAL = -1, -2
AS_WRITTEN = "as written"
_EXTENSION = re.compile(
    r"\.(png|jpe?g|jpe|jfif|jp2|tiff?|bmp|gif|webp|pgm|dcm|dicom)$", re.IGNORECASE
)
_DRIVE = re.compile(r"^[A-Za-z]:")


@dataclass(frozen=True)
class Matches:
    """Which file each name means.

    Attributes
    ----------
    position : ndarray of int
        Position of the file; ``NONE`` where no file fits, ``SEVERAL`` where more than one does.
    how : dict of str to int
        How many names were matched in which way.
    """

    position: NDArray[np.intp]
    how: dict[str, int]

    def note(self, what: str = "images") -> list[str]:
        """Say how many names were matched how, unless all were as written.

        Parameters
        ----------
        what : str
            What the names are of.

        Returns
        -------
        list of str
            For the report.

        Examples
        --------
        >>> Matches(np.array([0, 1]), {"as written": 1, "in another case": 1}).note()
        ['Names of images matched to files: 1 as written, 1 in another case.']
        """
        if set(self.how) <= {AS_WRITTEN}:
            return []
        ways = ", ".join(f"{count:,} {way}" for way, count in self.how.items())
        return [f"Names of {what} matched to files: {ways}."]


def has_image_extension(path: str) -> bool:
    """Whether a path ends with an extension of image files.

    Parameters
    ----------
    path : str

    Returns
    -------
    bool

    Examples
    --------
    >>> has_image_extension("a.PNG"), has_image_extension("labels.csv")
    (True, False)
    """
    return _EXTENSION.search(path) is not None


def match_files(names: Sequence[str], paths: Sequence[str]) -> Matches:
    r"""Find the file that each name means.

    A name means the file of this path. If there is none, it means the only file whose path ends
    with it, at a folder. Then the names are compared with ``/`` for ``\``, in one Unicode
    normalisation, without regard to case, and without the extensions of images: each rule applies
    besides those before it, to names without a match so far. A first folder that all names share
    may be missing among the files.

    Parameters
    ----------
    names : sequence of str
        Each once.
    paths : sequence of str
        Of the files, with ``/``; each once.

    Returns
    -------
    Matches

    Examples
    --------
    >>> match_files(["a.png", "B", "c.png"], ["1/a.png", "2/b.png", "1/c.png", "2/c.png"]).position
    array([ 0,  1, -2])
    """
    position = np.full(len(names), NONE, dtype=np.intp)
    known = {path: k for k, path in enumerate(paths)}
    position[:] = [known.get(name, NONE) for name in names]
    how = {AS_WRITTEN: int((position >= 0).sum())}
    wanted, files = list(names), list(paths)
    for way, change in _STEPS:
        open_rows = np.flatnonzero(position == NONE)
        if not len(open_rows):
            break
        if change is not None:
            wanted, files = [change(name) for name in wanted], [change(path) for path in files]
        found = _match_ends([wanted[row] for row in open_rows], files, _shared_folders(wanted))
        position[open_rows] = found
        if count := int((found >= 0).sum()):
            how[way] = count
    return Matches(position, {way: count for way, count in how.items() if count})


def files_that_fit(position: int, names: Sequence[str], paths: Sequence[str]) -> list[str]:
    """List the files of which :func:`match_files` could choose none for a name.

    Parameters
    ----------
    position : int
        Of the name among ``names``.
    names, paths : sequence of str
        As for :func:`match_files`.

    Returns
    -------
    list of str
        Empty if there are no several files that the name may mean.

    Examples
    --------
    >>> files_that_fit(0, ["a.png"], ["1/a.png", "2/b.png", "3/a.png"])
    ['1/a.png', '3/a.png']
    """
    wanted, files = list(names), list(paths)
    for _, change in _STEPS:
        if change is not None:
            wanted, files = [change(name) for name in wanted], [change(path) for path in files]
        shared = _shared_folders(wanted)
        for skipped in range(len(shared) + 1):
            end = "/" + wanted[position][sum(len(part) + 1 for part in shared[:skipped]) :]
            fit = [path for path, file in zip(paths, files, strict=True)
                   if f"/{file}".endswith(end)]  # fmt: skip
            if len(fit) > 1:
                return fit
    return []


def _match_ends(names: list[str], paths: list[str], shared: list[str]) -> NDArray[np.intp]:
    """Match names to the ends of paths, also without the first folders that all names share."""
    found = np.full(len(names), NONE, dtype=np.intp)
    ends: dict[int, dict[str, int]] = {}
    for skipped in range(len(shared) + 1):
        prefix = sum(len(part) + 1 for part in shared[:skipped])
        for row in np.flatnonzero(found == NONE):
            name = names[row][prefix:]
            depth = name.count("/") + 1
            if depth not in ends:
                ends[depth] = _ends(paths, depth)
            found[row] = ends[depth].get(name, NONE)
    return found


def _shared_folders(names: list[str]) -> list[str]:
    """List the first folders that all names have in common."""
    if len(names) < 2:
        return []
    first, last = (name.split("/")[:-1] for name in (min(names), max(names)))
    shared = []
    for one, other in zip(first, last, strict=False):
        if one != other:
            break
        shared.append(one)
    return shared


def _ends(paths: list[str], depth: int) -> dict[str, int]:
    """Map the last ``depth`` parts of each path to its position, or to ``SEVERAL``."""
    ends: dict[str, int] = {}
    for position, path in enumerate(paths):
        parts = path.rsplit("/", depth)
        if len(parts) >= depth:
            end = path[len(parts[0]) + 1 :] if len(parts) > depth else path
            ends[end] = SEVERAL if end in ends else position
    return ends


def _slashes(name: str) -> str:
    name = _DRIVE.sub("", name.strip().replace("\\", "/"))
    return "/".join(part for part in name.split("/") if part not in ("", "."))


def _normal(name: str) -> str:
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def _without_extension(name: str) -> str:
    return _EXTENSION.sub("", name)


_STEPS: tuple[tuple[str, Callable[[str], str] | None], ...] = (
    ("in a sub-folder", None),
    ("with other slashes", _slashes),
    ("in another Unicode normalisation", _normal),
    ("in another case", str.casefold),
    ("by the name without extension", _without_extension),
)

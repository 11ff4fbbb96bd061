"""The feature store: rows of features kept from one run to the next, never trusted unchecked.

One SQLite file holds a row of float32 for each image and family. Its name is content
(:mod:`benchmarks.extraction.store_keys`), so an edit to an image, a parameter or a formula finds
nothing old.
Each row has a checksum that covers its name, too: a damaged or misplaced row counts as missing and
is computed again. Nothing read from the file is run.

A call of :meth:`FeatureStore.write` is one transaction. A process killed at any point loses
the call it was in, no more. After a power failure the last calls may be missing, and the file is
valid.
"""

from __future__ import annotations

import sqlite3
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from benchmarks.config import RunConfig
from benchmarks.extraction.store_file import (
    FAILURES,
    FILE,
    StoreError,
    damaged,
    identity,
    open_file,
    refusal,
    set_aside,
)
from benchmarks.extraction.store_keys import FamilyKey
from benchmarks.extraction.store_rows import StoreInfo, count_families, evict, read_rows, write_rows

__all__ = ["FeatureStore", "StoreError", "StoreInfo", "default_folder", "open_store"]

GIB = 2**30
Result = TypeVar("Result")


def default_folder() -> Path:
    """Folder of the store in the user's cache folder."""
    import pooch

    return Path(pooch.os_cache("cxr-classical-baseline"))


class FeatureStore:
    """Rows of features on disk; a context manager.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    max_bytes : int
        Bound on the file, at least 1 MiB. A write that goes beyond it removes the rows unused
        for longest until 90 % of it are left; their place is used again or given back, so that
        the file is within the bound when the write returns.

    Raises
    ------
    ValueError
        If ``max_bytes`` is too small.
    StoreError
        If the folder can't be made, read or written.

    Notes
    -----
    Several processes may use one folder at once. A file that is damaged as a whole, or of another
    version, is moved aside with a warning and a new one started; this may happen in any method.
    Any method may raise ``StoreError``; what was stored stays
    valid, and the caller can go on without the store.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from benchmarks.extraction.store_keys import family_key, hash_images
    >>> from features import Intensity
    >>> images = np.zeros((2, 16, 16), dtype=np.uint8)
    >>> descriptor = Intensity().fit(images)
    >>> family, hashes = family_key(descriptor), hash_images(images)
    >>> with TemporaryDirectory() as folder, FeatureStore(Path(folder)) as store:
    ...     store.write(family, hashes, descriptor.transform(images))
    ...     rows, found = store.read(family, hashes)
    >>> rows.shape, found.tolist()
    ((2, 170), [True, True])
    """

    def __init__(self, folder: Path, max_bytes: int = 20 * GIB) -> None:
        if max_bytes < 2**20:
            raise ValueError(f"Got a bound of {max_bytes} bytes, but expected at least {2**20}.")
        self.folder, self.path, self.max_bytes = folder, folder / FILE, max_bytes
        for note in self._open():
            warnings.warn(note, stacklevel=2)

    def __enter__(self) -> FeatureStore:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; the store can't be used any more."""
        self._db.close()

    def read(
        self, family: FamilyKey, images: Sequence[bytes], width: int | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Read a family's rows of some images.

        Parameters
        ----------
        family : FamilyKey
        images : sequence of n bytes
            From :func:`~benchmarks.extraction.store_keys.hash_images`; may repeat.
        width : int, optional
            Columns of the family; without it, those of the first sound row.

        Returns
        -------
        rows : ndarray of shape (n, width), float32
            0 where nothing was found; of width 0 if nothing was and none was given.
        found : ndarray of shape (n,), bool

        Warns
        -----
        UserWarning
            Once a call, if rows are damaged (checksum, length, or a value not finite). They are
            not found.

        Raises
        ------
        StoreError
        """
        rows, found, bad = self._repaired(lambda db: read_rows(db, family, images, width))
        if bad:
            ids = ", ".join(map(str, bad[:5])) + (", …" if bad[5:] else "")
            warnings.warn(
                f"{self.path}: {len(bad)} of {len(set(images))} rows of {family.name} are damaged "
                f"(table contents, id {ids}) and are computed again.",
                stacklevel=2,
            )
        return rows, found

    def write(self, family: FamilyKey, images: Sequence[bytes], rows: NDArray[np.float32]) -> None:
        """Keep a family's rows of some images, in place of those that are there.

        Parameters
        ----------
        family : FamilyKey
        images : sequence of n bytes
            From :func:`~benchmarks.extraction.store_keys.hash_images`; may repeat.
        rows : ndarray of shape (n, d), float32
            Finite.

        Raises
        ------
        ValueError
            If ``rows`` are of another shape or dtype, or not finite.
        StoreError
            If the disk is full, for instance. What earlier calls kept is still there; the caller
            warns once and goes on without writing.
        """
        if rows.dtype != np.float32 or rows.ndim != 2 or rows.shape[:1] != (len(images),):
            raise ValueError(
                f"Got rows of shape {rows.shape} and dtype {rows.dtype}, but expected "
                f"({len(images)}, d) float32, a row an image."
            )
        if rows.shape[1] == 0 or not np.isfinite(rows).all():
            raise ValueError("Got rows that are empty or not finite, but expected finite numbers.")
        self._repaired(lambda db: write_rows(db, family, images, rows))
        self._repaired(lambda db: evict(db, self.max_bytes))

    def info(self) -> StoreInfo:
        """Count what the store holds.

        Raises
        ------
        StoreError
        """
        families = self._repaired(count_families)
        return StoreInfo(
            path=self.path,
            rows=sum(family.rows for family in families),
            bytes=sum(family.bytes for family in families),
            file_bytes=sum(file.stat().st_size for file in self.folder.glob(f"{FILE}*")),
            families=tuple(families),
        )

    def clear(self) -> StoreInfo:
        """Remove every row, and the files moved aside; return what there was.

        The file itself is removed, which needs no space on a full disk. Other processes that use
        it go on with the new one.

        Raises
        ------
        StoreError
        """
        before = self.info()
        self._db.close()
        try:
            set_aside(self.path, self._identity, "cleared", "cleared")
            for file in self.folder.glob(f"{FILE}.*-*"):
                file.unlink(missing_ok=True)
        except (OSError, *FAILURES) as error:
            raise refusal(self.folder, error) from error
        self._open()
        return before

    def _open(self) -> list[str]:
        self._db, self._identity, notes = open_file(self.folder)
        return notes

    def _repaired(self, action: Callable[[sqlite3.Connection], Result]) -> Result:
        """Do something with the file; where it turns out damaged, with a new one."""
        try:
            if identity(self.path) != self._identity:  # moved aside or removed meanwhile
                self._db.close()
                self._open()
            try:
                return action(self._db)
            except FAILURES as error:
                if not damaged(error, self.path):
                    raise
                self._db.close()
                why = f"it is damaged ({error})"
                notes = set_aside(self.path, self._identity, "damaged", why)
            for note in notes + self._open():
                warnings.warn(note, stacklevel=3)
            return action(self._db)
        except (OSError, *FAILURES) as error:
            raise refusal(self.folder, error) from error


@contextmanager
def open_store(config: RunConfig) -> Iterator[FeatureStore | None]:
    """Open the feature store that a run uses.

    Parameters
    ----------
    config : RunConfig
        ``use_cache`` and ``cache`` apply.

    Yields
    ------
    FeatureStore or None
        None with ``use_cache=False``.

    Raises
    ------
    StoreError
        If the folder can't be created, read or written.
    """
    if not config.use_cache:
        yield None
        return
    with FeatureStore(config.cache or default_folder()) as store:
        yield store

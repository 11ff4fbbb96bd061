"""The feature store: feature rows kept from one run to the next and checked when they are read.

One SQLite file holds a float32 row for each image and family. The key of a row is a hash of its
content (:mod:`benchmarks.extraction.store_keys`), so after an edit to an image, a parameter or a
formula no old row is found. Each row has a checksum that covers its key, too: a damaged or
misplaced row counts as missing and is computed again. Nothing read from the file is executed.

Each call of :meth:`FeatureStore.write` is one transaction. A process killed at any point loses
only its current call. After a power failure the last calls may be missing; the file is valid.
"""

from __future__ import annotations

import sqlite3
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from benchmarks.extraction.store_file import (
    FAILURES,
    FILE,
    StoreError,
    StoreWarning,
    damaged,
    identity,
    open_file,
    refusal,
    set_aside,
)
from benchmarks.extraction.store_keys import FamilyKey
from benchmarks.extraction.store_rows import StoreInfo, count_families, evict, read_rows, write_rows

if TYPE_CHECKING:
    from benchmarks.config import RunConfig

__all__ = [
    "FeatureStore",
    "StoreError",
    "StoreInfo",
    "StoreWarning",
    "default_folder",
    "open_store",
]

GIB = 2**30
Result = TypeVar("Result")


def default_folder() -> Path:
    """Return the folder of the feature store in the user's cache folder.

    Returns
    -------
    Path
    """
    import pooch

    return Path(pooch.os_cache("cxr-classical-baseline"))


class FeatureStore:
    """Feature rows on disk; a context manager that closes the file.

    Parameters
    ----------
    folder : Path
        Created if it does not exist.
    max_bytes : int
        Maximum size of the file, at least 1 MiB. A write that exceeds it removes the least
        recently used rows until 90 % of it are used; their space is used again or freed, so that
        the file is within the maximum when the write returns.

    Raises
    ------
    ValueError
        If ``max_bytes`` is too small.
    StoreError
        If the folder can't be created, read or written.

    Notes
    -----
    Several processes may use one folder at once. A file that is damaged as a whole or of another
    version is moved aside with a warning and replaced by a new one; this may happen in any method.
    Any method may raise ``StoreError``; the stored rows stay valid, and the caller can continue
    without the store.

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
            raise ValueError(f"Got max_bytes={max_bytes}, but expected at least {2**20}.")
        self.folder, self.path, self.max_bytes = folder, folder / FILE, max_bytes
        for note in self._open():
            warnings.warn(note, StoreWarning, stacklevel=2)

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
        """Close the file; the store can't be used after that."""
        self._db.close()

    def read(
        self, family: FamilyKey, images: Sequence[bytes], width: int | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Read the rows of some images.

        Parameters
        ----------
        family : FamilyKey
        images : sequence of n bytes
            From :func:`~benchmarks.extraction.store_keys.hash_images`; may repeat.
        width : int, optional
            Number of columns of the family; by default that of the first intact row.

        Returns
        -------
        rows : ndarray of shape (n, width), float32
            0 where no row was found; of width 0 if none was found and no width was given.
        found : ndarray of shape (n,), bool

        Raises
        ------
        StoreError
            If the file can't be read.

        Warns
        -----
        StoreWarning
            Once per call, if rows are damaged (checksum, length, or a value that is not finite).
            They count as not found.
        """
        rows, found, bad = self._repaired(lambda db: read_rows(db, family, images, width))
        if bad:
            ids = ", ".join(map(str, bad[:5])) + (", …" if bad[5:] else "")
            warnings.warn(
                f"{self.path}: {len(bad)} of {len(set(images))} rows of {family.name} are damaged "
                f"(table contents, id {ids}) and are computed again.",
                StoreWarning,
                stacklevel=2,
            )
        return rows, found

    def write(self, family: FamilyKey, images: Sequence[bytes], rows: NDArray[np.float32]) -> None:
        """Write the rows of some images, in place of existing ones.

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
            If ``rows`` have another shape or dtype, or are not finite.
        StoreError
            For example if the disk is full. The rows of earlier calls are still there; the caller
            warns once and continues without writing.
        """
        if rows.dtype != np.float32 or rows.ndim != 2 or rows.shape[:1] != (len(images),):
            raise ValueError(
                f"Got rows of shape {rows.shape} and dtype {rows.dtype}, but expected "
                f"({len(images)}, d) float32, one row per image."
            )
        if rows.shape[1] == 0 or not np.isfinite(rows).all():
            raise ValueError("Got rows that are empty or not finite, but expected finite numbers.")
        self._repaired(lambda db: write_rows(db, family, images, rows))
        self._repaired(lambda db: evict(db, self.max_bytes))

    def info(self) -> StoreInfo:
        """Count the contents of the store.

        Returns
        -------
        StoreInfo

        Raises
        ------
        StoreError
            If the file can't be read.
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
        """Remove all rows and the files that were moved aside.

        The file itself is removed, which needs no space on a full disk. Other processes that use
        it continue with the new one.

        Returns
        -------
        StoreInfo
            What the store held before.

        Raises
        ------
        StoreError
            If a file can't be removed.
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
        """Perform an action on the file, or on a new one if the file turns out to be damaged."""
        try:
            if identity(self.path) != self._identity:  # moved aside or removed in the meantime
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
                warnings.warn(note, StoreWarning, stacklevel=3)
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

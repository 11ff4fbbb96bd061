"""The SQL statements of the feature store, as functions on an open connection."""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.extraction.store_keys import KEY_BYTES, FamilyKey

KEYS_A_QUERY = 500
USE_SECONDS = 60  # the last use is recorded to the minute, so that most reads write nothing
KEEP = 0.9  # fraction of the maximum that is used after an eviction, so that few writes evict


@dataclass(frozen=True)
class FamilyInfo:
    """Contents of the store of one family.

    Attributes
    ----------
    name : str
        As in :class:`~benchmarks.extraction.store_keys.FamilyKey`; families that differ only in
        source or versions share it.
    rows : int
        Number of rows.
    bytes : int
        Size of the values.
    """

    name: str
    rows: int
    bytes: int


@dataclass(frozen=True)
class StoreInfo:
    """Contents of the store.

    Attributes
    ----------
    path : Path
        Its file.
    rows : int
        Number of rows.
    bytes : int
        Size of the values.
    file_bytes : int
        Size on disk, with SQLite's own files and files that were moved aside.
    families : tuple of FamilyInfo
        One per key, sorted by name.
    """

    path: Path
    rows: int
    bytes: int
    file_bytes: int
    families: tuple[FamilyInfo, ...]


def read_rows(
    db: sqlite3.Connection, family: FamilyKey, images: Sequence[bytes], width: int | None
) -> tuple[NDArray[np.float32], NDArray[np.bool_], list[Any]]:
    """Read the rows of some images; see ``FeatureStore.read``.

    Parameters
    ----------
    db : sqlite3.Connection
    family : FamilyKey
    images : sequence of n bytes
        May repeat.
    width : int or None
        Number of columns of the family; None: that of the first intact row.

    Returns
    -------
    rows : ndarray of shape (n, width), float32
    found : ndarray of shape (n,), bool
    damaged : list of int
        Content ids of damaged rows.
    """
    places: dict[bytes, list[int]] = {}
    for place, image in enumerate(images):
        places.setdefault(image, []).append(place)
    rows = np.zeros((len(images), width or 0), np.float32)
    found = np.zeros(len(images), np.bool_)
    bad, stale = [], []
    for image, content, old, checksum, row in _select(db, family, list(places)):
        values = _values(family, image, checksum, row)
        if values is not None and rows.shape[1] == 0:
            rows = np.zeros((len(images), len(values)), np.float32)
        if values is None or len(values) != rows.shape[1] or image not in places:
            bad.append(content)
            continue
        rows[places[image]], found[places[image]] = values, True
        if old:
            stale.append(image)
    _note_use(db, family, stale)
    return rows, found, bad


def write_rows(
    db: sqlite3.Connection, family: FamilyKey, images: Sequence[bytes], rows: NDArray[np.float32]
) -> None:
    """Write or replace the rows of some images, in one transaction.

    Parameters
    ----------
    db : sqlite3.Connection
    family : FamilyKey
    images : sequence of n bytes
        May repeat; the last row of an image is written.
    rows : ndarray of shape (n, d), float32
    """
    now = int(time.time())
    chosen = dict(zip(images, range(len(images)), strict=True))
    little = np.ascontiguousarray(rows, "<f4")
    with _transaction(db):
        db.execute("INSERT OR REPLACE INTO families VALUES (?, ?)", family)
        _delete(db, family.key, list(chosen))
        for content, (image, place) in enumerate(chosen.items(), _next_id(db)):
            row = little[place].tobytes()
            values = content, _checksum(family, image, row), row
            db.execute("INSERT INTO contents VALUES (?, ?, ?)", values)
            entry = family.key, image, content, len(row), now
            db.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?)", entry)
        if _count(db, family.key, list(chosen)) != len(chosen):
            raise sqlite3.DatabaseError("rows just written are not found")


def evict(db: sqlite3.Connection, max_bytes: int) -> None:
    """Remove the least recently used rows until the file is within its maximum size.

    Later writes use the space of removed rows again; space beyond the maximum is freed.

    Parameters
    ----------
    db : sqlite3.Connection
    max_bytes : int
        Maximum size of the file.
    """
    page = _number(db, "page_size")
    bound = max_bytes // page
    while (used := _number(db, "page_count") - _number(db, "freelist_count")) > bound:
        if not _remove_oldest(db, (used - KEEP * bound) * page):
            break
    over = _number(db, "page_count") - bound
    if over > 0:
        db.executescript(f"PRAGMA incremental_vacuum({over})")  # execute would free one page
        db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def count_families(db: sqlite3.Connection) -> list[FamilyInfo]:
    """Count the rows and bytes of every family.

    Parameters
    ----------
    db : sqlite3.Connection

    Returns
    -------
    list of FamilyInfo
        One per key, sorted by name.
    """
    size = "CASE typeof(bytes) WHEN 'integer' THEN bytes END"
    query = (
        f"SELECT coalesce(name, 'unknown'), count(*), total({size}) FROM entries "
        "LEFT JOIN families ON key = family GROUP BY family ORDER BY name, family"
    )
    return [FamilyInfo(str(name), rows, int(total)) for name, rows, total in db.execute(query)]


@contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # SQLite itself may have rolled back
            db.execute("ROLLBACK")
        raise


def _select(
    db: sqlite3.Connection, family: FamilyKey, images: list[bytes]
) -> Iterator[tuple[Any, ...]]:
    recent = int(time.time()) - USE_SECONDS
    for some in _chunks(images):
        query = (
            "SELECT image, content, used < ?, checksum, row FROM entries "
            "LEFT JOIN contents ON id = content "
            f"WHERE family = ? AND image IN ({_marks(some)})"
        )
        yield from db.execute(query, (recent, family.key, *some))


def _note_use(db: sqlite3.Connection, family: FamilyKey, images: list[bytes]) -> None:
    now = int(time.time())
    with suppress(sqlite3.Error):  # losing a time of last use is harmless
        for some in _chunks(images):
            query = f"UPDATE entries SET used = ? WHERE family = ? AND image IN ({_marks(some)})"
            db.execute(query, (now, family.key, *some))


def _next_id(db: sqlite3.Connection) -> int:
    last = int(db.execute("SELECT coalesce(max(id), 0) FROM contents").fetchone()[0])
    if not 0 <= last < 2**62:
        raise sqlite3.DatabaseError(f"a content has the id {last}")
    return last + 1


def _count(db: sqlite3.Connection, family: bytes, images: list[bytes]) -> int:
    total = 0
    for some in _chunks(images):
        query = (
            "SELECT count(*) FROM entries JOIN contents ON id = content "
            f"WHERE family = ? AND image IN ({_marks(some)})"
        )
        total += db.execute(query, (family, *some)).fetchone()[0]
    return total


def _delete(db: sqlite3.Connection, family: bytes, images: list[bytes]) -> None:
    for some in _chunks(images):
        which = f"FROM entries WHERE family = ? AND image IN ({_marks(some)})"
        keys = (family, *some)
        db.execute(f"DELETE FROM contents WHERE id IN (SELECT content {which})", keys)
        db.execute(f"DELETE {which}", keys)


def _remove_oldest(db: sqlite3.Connection, excess: float) -> int:
    """Remove the least recently used rows, ``excess`` bytes in total; return their number."""
    with _transaction(db):
        query = "SELECT family, image, content, bytes FROM entries ORDER BY used, content"
        oldest = []
        for family, image, content, size in db.execute(query):
            oldest.append((family, image, content))
            excess -= size if isinstance(size, int) else 0
            if excess <= 0:
                break
        db.executemany("DELETE FROM contents WHERE id = ?", [(row[2],) for row in oldest])
        query = "DELETE FROM entries WHERE family = ? AND image = ?"
        db.executemany(query, [row[:2] for row in oldest])
    return len(oldest)


def _number(db: sqlite3.Connection, pragma: str) -> int:
    return int(db.execute(f"PRAGMA {pragma}").fetchone()[0])


def _checksum(family: FamilyKey, image: bytes, row: bytes) -> bytes:
    return hashlib.blake2b(row, digest_size=KEY_BYTES, key=family.key + image).digest()


def _values(
    family: FamilyKey, image: object, checksum: object, row: object
) -> NDArray[np.float32] | None:
    """Values of a row, or None if it is damaged."""
    if not (isinstance(image, bytes) and isinstance(row, bytes) and row and len(row) % 4 == 0):
        return None
    if _checksum(family, image, row) != checksum:
        return None
    values = np.frombuffer(row, "<f4")
    return values if np.isfinite(values).all() else None


def _chunks(images: list[bytes]) -> Iterator[list[bytes]]:
    for start in range(0, len(images), KEYS_A_QUERY):
        yield images[start : start + KEYS_A_QUERY]


def _marks(values: list[bytes]) -> str:
    return ", ".join("?" * len(values))

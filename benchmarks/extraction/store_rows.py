"""The statements of the feature store: functions on an open file's connection."""

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
USE_SECONDS = 60  # a row's last use is noted to the minute: most reads then write nothing
KEEP = 0.9  # share of the bound that is left after an eviction, so that few writes evict


@dataclass(frozen=True)
class FamilyInfo:
    """What the store holds of one family.

    Attributes
    ----------
    name : str
        As in :class:`~benchmarks.extraction.store_keys.FamilyKey`;
        families that differ in source or
        versions alone share it.
    rows : int
    bytes : int
        Of the rows' values.
    """

    name: str
    rows: int
    bytes: int


@dataclass(frozen=True)
class StoreInfo:
    """What the store holds.

    Attributes
    ----------
    path : Path
        Of the file.
    rows : int
    bytes : int
        Of the rows' values.
    file_bytes : int
        On disk, with SQLite's own files beside it and files moved aside.
    families : tuple of FamilyInfo
        By name, one for each key.
    """

    path: Path
    rows: int
    bytes: int
    file_bytes: int
    families: tuple[FamilyInfo, ...]


def read_rows(
    db: sqlite3.Connection, family: FamilyKey, images: Sequence[bytes], width: int | None
) -> tuple[NDArray[np.float32], NDArray[np.bool_], list[Any]]:
    """Rows, which were found, and the content ids of damaged ones; see ``FeatureStore.read``."""
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
    """Replace a family's rows of some images, in one transaction."""
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
    """Remove the rows unused for longest until the file is within its bound.

    The places of removed rows are used again by later writes; those beyond the bound are given
    back to the file system.
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
    """Count the rows and bytes of every family, by name."""
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
    with suppress(sqlite3.Error):  # the rows are read; a time is not worth a failure
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
    """Remove the rows unused for longest, of ``excess`` bytes in all; return how many."""
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

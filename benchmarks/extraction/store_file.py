"""The file of the feature store: opened, created, or moved aside if it can't be used."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from benchmarks.errors import UserError

FILE = "features.sqlite"
LOCK = "features.lock"
VERSION = 1
BUSY_SECONDS = 60.0  # how long one process waits for another's transaction
NEW_FILE = (
    "page_size = 8192",  # fits the rows of HOG and LBP with little waste
    "auto_vacuum = INCREMENTAL",
)
PRAGMAS = (
    "synchronous = NORMAL",
    "secure_delete = OFF",
    "trusted_schema = OFF",
    "cell_size_check = ON",
    f"journal_size_limit = {2**24}",
)
# The row is in a table of its own, so that recording its last use does not write it again.
SCHEMA = (
    "CREATE TABLE contents (id INTEGER PRIMARY KEY, checksum BLOB NOT NULL, row BLOB NOT NULL)",
    "CREATE TABLE entries (family BLOB NOT NULL, image BLOB NOT NULL, content INTEGER NOT NULL, "
    "bytes INTEGER NOT NULL, used INTEGER NOT NULL, PRIMARY KEY (family, image)) WITHOUT ROWID",
    "CREATE TABLE families (key BLOB PRIMARY KEY, name TEXT NOT NULL) WITHOUT ROWID",
)
DAMAGE = {
    sqlite3.SQLITE_ERROR,  # our statements are correct, so the tables are not ours
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_TOOBIG,
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_MISMATCH,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_INTERNAL,
}
FAILURES = (sqlite3.Error, UnicodeDecodeError)  # the latter where a message quotes the damage
SPACE = 2**28  # with this many bytes free, SQLite's "full" may mean a damaged file
SHORT_READ = 522  # SQLITE_IOERR_SHORT_READ: the file is cut off

Identity = tuple[int, int] | None


class StoreError(UserError, RuntimeError):
    """The feature store can't be used or is full; a run can continue without it.

    The message names the folder, what happened and the remedy.
    """


class StoreWarning(UserWarning):
    """The feature store is damaged, of another version or unusable; a run computes the rows."""


class _NotOurs(Exception):  # noqa: N818 - a state of the file
    """The tables are another version's; the message says which."""


def damaged(error: Exception, path: Path) -> bool:
    """Distinguish a damaged file from a full disk, a missing permission or a locked file.

    Parameters
    ----------
    error : Exception
        One of ``FAILURES``.
    path : Path
        The file of the store.

    Returns
    -------
    bool
        Whether the file is damaged.
    """
    if isinstance(error, sqlite3.ProgrammingError):  # such as a closed connection
        return False
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    if code & 0xFF == sqlite3.SQLITE_READONLY:  # by permission, or by a byte in the file's header
        return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
    if code & 0xFF == sqlite3.SQLITE_FULL:  # really, or because of a wrong page count
        return shutil.disk_usage(path.parent).free > SPACE and not _is_sound(path)
    return code == SHORT_READ or code & 0xFF in DAMAGE


def refusal(folder: Path, error: Exception) -> StoreError:
    """Return the error that explains why a store can't be used, and what to do.

    Parameters
    ----------
    folder : Path
        Folder of the store.
    error : Exception
        What happened.

    Returns
    -------
    StoreError
    """
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL or getattr(error, "errno", None) == errno.ENOSPC:
        what, remedy = "the disk is full", "Free some space, or choose another folder"
    elif code == sqlite3.SQLITE_BUSY:
        what = f"another process has locked it for {BUSY_SECONDS:g} s"
        remedy = "Wait for it, or choose another folder"
    else:
        what, remedy = "it can't be read and written", "Choose another folder"
    return StoreError(
        f"Feature store in {folder}: {what} ({error}). {remedy} with --cache DIR, or run "
        "without a store with --no-cache."
    )


def identity(path: Path) -> Identity:
    """Identify a file, to detect that its path leads to another one.

    Parameters
    ----------
    path : Path

    Returns
    -------
    (int, int) or None
        Device and inode; None if there is no file.
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def open_file(folder: Path) -> tuple[sqlite3.Connection, Identity, list[str]]:
    """Open the store of a folder, or create one if there is none or it can't be used.

    Parameters
    ----------
    folder : Path
        Created if it does not exist.

    Returns
    -------
    connection : sqlite3.Connection
    identity : (int, int)
        Of the file that was opened.
    notes : list of str
        Warnings: what was moved aside, and why.

    Raises
    ------
    StoreError
        If the folder can't be created, read or written, or the file is locked for too long.
    """
    path = folder / FILE
    notes: list[str] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        while True:
            before = identity(path)
            try:
                return _connect(path), identity(path), notes
            except _NotOurs as error:
                notes += set_aside(path, before, "version", str(error))
            except FAILURES as error:
                if not damaged(error, path) or before is None:
                    raise
                notes += set_aside(path, before, "damaged", f"it is damaged ({error})")
    except (OSError, *FAILURES) as error:
        raise refusal(folder, error) from error


def set_aside(path: Path, seen: Identity, label: str, reason: str) -> list[str]:
    """Rename the file of a store to ``<name>.<label>-<n>``, unless another process just did.

    Parameters
    ----------
    path : Path
    seen : (int, int)
        From :func:`identity`, of the unusable file.
    label : {"damaged", "version"}
    reason : str
        Why; follows the path in the warning.

    Returns
    -------
    list of str
        One warning; empty if another process was first.
    """
    with closing(sqlite3.connect(path.parent / LOCK, timeout=BUSY_SECONDS)) as lock:
        lock.execute("BEGIN EXCLUSIVE")  # the system releases it if this process is killed
        if identity(path) != seen:
            return []
        number = 1
        while (target := path.with_name(f"{path.name}.{label}-{number}")).exists():
            number += 1
        for end in ("", "-wal", "-shm"):
            part = path.with_name(path.name + end)
            if part.exists():
                part.rename(target.with_name(target.name + end))
    return [
        f"{path}: {reason}. It was moved aside to {target.name}, which you may delete; a new "
        "store was created, and its features are computed again."
    ]


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    db.text_factory = lambda text: text.decode("utf-8", "replace")
    try:
        new = db.execute("PRAGMA page_count").fetchone()[0] == 0
        for pragma in (*NEW_FILE, *PRAGMAS) if new else PRAGMAS:
            db.execute(f"PRAGMA {pragma}")
        _use_write_ahead_log(db)
        db.execute("BEGIN IMMEDIATE")  # fails where the file can't be written
        _check_or_create(db)
        db.execute("COMMIT")
    except BaseException:
        db.close()
        raise
    return db


def _is_sound(path: Path) -> bool:
    try:
        with closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as db:
            return bool(db.execute("PRAGMA quick_check(1)").fetchone() == ("ok",))
    except FAILURES:
        return False


def _use_write_ahead_log(db: sqlite3.Connection) -> None:
    # SQLite does not wait by itself for another process that makes the same change.
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _check_or_create(db: sqlite3.Connection) -> None:
    version = db.execute("PRAGMA user_version").fetchone()[0]
    query = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY sql"
    tables = [sql for (sql,) in db.execute(query)]
    if version == 0 and not tables:
        for statement in SCHEMA:
            db.execute(statement)
        db.execute(f"PRAGMA user_version = {VERSION}")
    elif version != VERSION:
        raise _NotOurs(f"its format is version {version}, but expected version {VERSION}")
    elif tables != list(SCHEMA):
        raise _NotOurs("its tables are not those of a feature store")

"""The folder that a run writes to: made once, written by one program at a time."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from benchmarks.config import ConfigError, RunConfig
from benchmarks.datasets import data_folder
from benchmarks.datasets.tables.table_file import table_stem

LOCK = ".lock"


@contextmanager
def locked(folder: Path, option: str) -> Iterator[None]:
    """Keep other programs from writing to a run folder.

    Parameters
    ----------
    folder : Path
        It exists.
    option : str
        The option or argument that names it, for the message.

    Yields
    ------
    None

    Raises
    ------
    ConfigError
        If another program has locked the folder, or it can't be written.
    """
    lock = FileLock(folder / LOCK, timeout=0)
    busy = ConfigError(
        f"{option} {folder}: another program is writing to this folder. Wait until it has "
        "finished, or choose another folder."
    )
    try:
        lock.acquire()
    except Timeout as error:
        raise busy from error
    except OSError as error:
        raise _not_writable(option, folder, error) from error
    if not (folder / LOCK).exists():  # another program removed it just before we locked it
        lock.release()
        raise busy
    try:
        yield
    finally:
        with suppress(OSError):
            (folder / LOCK).unlink()  # while it is locked, so that nobody else's lock is removed
        lock.release()


@contextmanager
def new_folder(config: RunConfig) -> Iterator[Path]:
    """Make and lock the run folder: ``config.out``, or ``runs/<data>-<time>``.

    Parameters
    ----------
    config : RunConfig

    Yields
    ------
    Path
        The folder. It is removed at the end if it is still empty.

    Raises
    ------
    ConfigError
        If the folder is not empty, in use by another program, inside the data, or can't be written.
    DataError
        If there are no such data.
    """
    stem = (
        re.sub(r"[^A-Za-z0-9_.-]+", "-", table_stem(Path(config.data)).removesuffix(".npz"))
        or "data"
    )
    folder = config.out or Path("runs") / f"{stem}-{datetime.now():%Y%m%d-%H%M%S}"
    _check_empty(folder)
    for data in (config.data, *(data for _, data in config.test_data)):
        _check_outside_data("--out", folder, data)
    if config.cache is not None and config.use_cache:
        _check_outside_data("--cache", config.cache, config.data)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _not_writable("--out", folder, error) from error
    try:
        with locked(folder, "--out"):
            _check_empty(folder)  # again: another run may have used it in the meantime
            yield folder
    finally:
        with suppress(OSError):
            folder.rmdir()


def _check_empty(folder: Path) -> None:
    try:
        found = folder.is_dir() and any(path.name != LOCK for path in folder.iterdir())
    except OSError as error:
        raise _not_writable("--out", folder, error) from error
    if found or (folder.exists() and not folder.is_dir()):
        resume = (
            f", or resume the run in it: --resume {folder}"
            if (folder / "run.json").is_file()
            else ""
        )
        raise ConfigError(
            f"--out {folder}: expected a new or empty folder. Choose another one{resume}."
        )


def _check_outside_data(option: str, folder: Path, data: str) -> None:
    root = data_folder(data)
    if root is not None and folder.resolve().is_relative_to(root.resolve()):
        raise ConfigError(
            f"{option} {folder}: got a folder inside the data ({data}), but a run must not write "
            "there. Choose a folder outside the data."
        )


def _not_writable(option: str, folder: Path, error: OSError) -> ConfigError:
    return ConfigError(
        f"{option} {folder}: expected a folder that can be written, got: {error.strerror}."
    )

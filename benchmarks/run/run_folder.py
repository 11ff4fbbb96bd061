"""The folder that a run writes to."""

from __future__ import annotations

import re
import tempfile
from datetime import datetime
from pathlib import Path

from benchmarks.config import ConfigError, RunConfig


def make_folder(config: RunConfig) -> Path:
    """Make the run folder: ``config.out``, or ``runs/<data>-<time>``.

    Parameters
    ----------
    config : RunConfig

    Returns
    -------
    Path

    Raises
    ------
    ConfigError
        If the folder is not empty or can't be written.
    """
    stem = re.sub(r"[^A-Za-z0-9_.-]+", "-", Path(config.data).name.removesuffix(".npz")) or "data"
    folder = config.out or Path("runs") / f"{stem}-{datetime.now():%Y%m%d-%H%M%S}"
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise ConfigError(
                f"--out {folder}: expected a new or empty folder. Choose another one, or resume "
                f"the run in it: --resume {folder}."
            )
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ConfigError(
            f"--out {folder}: expected a folder that can be written, got: {error.strerror}."
        ) from error
    return folder

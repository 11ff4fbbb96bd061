"""The commands ``cache info`` and ``cache clear``."""

from __future__ import annotations

from pathlib import Path

from benchmarks.extraction.store import FeatureStore, StoreInfo

MIB = 2**20


def store_contents(folder: Path) -> str:
    """Describe the feature store in a folder.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    str
        Its file, and one line per family with the number of rows and their size.

    Raises
    ------
    StoreError
        If the store can't be opened.
    """
    with FeatureStore(folder) as store:
        return _describe(store.info())


def clear_store(folder: Path) -> str:
    """Remove all rows of the feature store in a folder.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    str
        What was removed.

    Raises
    ------
    StoreError
        If the store can't be opened.
    """
    with FeatureStore(folder) as store:
        return f"Removed: {_describe(store.clear())}"


def _describe(store: StoreInfo) -> str:
    lines = [f"{store.path}: {store.rows:,} rows, {store.file_bytes / MIB:,.1f} MiB on disk"]
    for family in store.families:
        lines.append(f"  {family.name}: {family.rows:,} rows, {family.bytes / MIB:,.1f} MiB")
    return "\n".join(lines)

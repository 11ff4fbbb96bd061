"""Which column of a table holds the image, the label, the patient and more."""

from __future__ import annotations

import difflib

import pandas as pd

from benchmarks.config import RunConfig
from benchmarks.errors import DataError
from benchmarks.option_values import TABLE_KEYS


def named_columns(table: pd.DataFrame, config: RunConfig, source: str) -> dict[str, str]:
    """Find the name of the column for each key: as given, or named like the key in any case.

    Parameters
    ----------
    table : DataFrame
    config : RunConfig
        ``columns`` and ``label`` apply.
    source : str
        For error messages.

    Returns
    -------
    dict of str to str
        By key of ``TABLE_KEYS``; keys without a column are left out.

    Raises
    ------
    DataError
        If a given column, or one of images, is not in the table exactly once.
    """
    given = dict(config.columns)
    if config.label:
        if given.get("label", config.label[0]) != config.label[0]:
            raise DataError(
                f"--label {config.label[0]}: got another label in --columns ({given['label']}), "
                "but expected one. Leave one of them out."
            )
        given["label"] = config.label[0]
    found = list(table.columns)
    named = {}
    for key in TABLE_KEYS:
        name = given.get(key, key)
        alike = [one for one in found if one == name] or [
            one for one in found if one.strip().casefold() == name.casefold()
        ]
        if len(alike) == 1:
            named[key] = alike[0]
        elif alike or key in given or key == "image":
            raise DataError(_no_column(key, name, found, len(alike), source))
    return named


def _no_column(key: str, name: str, found: list[str], count: int, source: str) -> str:
    close = difflib.get_close_matches(name, found, n=1)
    hint = f" Did you mean {close[0]}?" if close else ""
    number = f"{count} columns" if count else "no column"
    return (
        f"{source}: found {number} {name!r}, but expected one for {key} among "
        f"{', '.join(map(repr, found[:30]))}.{hint} Give its name with --columns {key}=NAME."
    )

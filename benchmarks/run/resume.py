"""Checks before a run is resumed: no table may mix numbers of two data sets or programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.config import ConfigError

# Keys of run.json.
SAME = ("program", "versions", "protocol", "models", "external", "features_from")


def check_same(folder: Path, before: dict[str, Any], now: dict[str, Any]) -> None:
    """Check that data, program and libraries are those of the interrupted run.

    Parameters
    ----------
    folder : Path
        The run folder.
    before, now : dict
        ``run.json`` as the run left it and as it would be written now.

    Raises
    ------
    ConfigError
        If something differs; the message names the first difference.
    """
    if before["data"]["fingerprint"] != now["data"]["fingerprint"]:
        raise ConfigError(
            f"--resume {folder}: the data are not those of the run (their fingerprint differs). "
            "Give the folder or file of the run as --data, or start a new run."
        )
    plain = json.loads(json.dumps(now))
    for group in SAME:
        for key, value in plain[group].items():
            was = before.get(group, {}).get(key, "nothing")
            if was != value:
                raise ConfigError(
                    f"--resume {folder}: the run was made with {key} {was}, but now it is {value}. "
                    "Start a new run, or install what it was made with."
                )


def check_same_weights(folder: Path, before: pd.DataFrame, now: pd.DataFrame) -> None:
    """Check that feature families use the weights of the interrupted run.

    Parameters
    ----------
    folder : Path
        The run folder.
    before, now : DataFrame
        ``features.csv`` as the run left it and as it would be written now.

    Raises
    ------
    ConfigError
        If a family has other weights.
    """
    both = before.merge(now, on="family", suffixes=("_before", "_now"))
    other = both[(both["status_before"] == "ok") & (both["status_now"] == "ok")
                 & (both["weights_before"] != both["weights_now"])]  # fmt: skip
    if len(other):
        row = other.iloc[0]
        raise ConfigError(
            f"--resume {folder}: {row['family']} had the weights {row['weights_before']}, "
            f"but now {row['weights_now']}. Give the same --weights, or start a new run."
        )

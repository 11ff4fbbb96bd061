"""What there is to choose from, with one line each."""

from __future__ import annotations

import sys
from functools import partial

from benchmarks.datasets import DATASETS
from benchmarks.extraction.store import StoreInfo
from benchmarks.studies import STUDIES
from features import FEATURE_SETS, FEATURES
from models import MODELS
from models.balance import BALANCES

MIB = 2**20


def choices() -> dict[str, dict[str, str]]:
    """Map each kind of choice to its names and their descriptions."""
    return {
        "Feature families": {name: _family_line(name) for name in FEATURES},
        "Feature sets (--features)": {name: " + ".join(f) for name, f in FEATURE_SETS.items()},
        "Models (--models)": {name: _first_line(m.__doc__) for name, m in MODELS.items()},
        "Balancing (--balance)": dict(BALANCES),
        "Data (--data)": {name: _first_line(m.__doc__) for name, m in DATASETS.items()},
        "Studies (--study; all of them: --full)": {
            **{name: _first_line(m.__doc__) for name, m in STUDIES.items()},
            "--cv-cnn": "Cross-validate the CNN as all other cells are; part of --full.",
        },
    }


def contents(store: StoreInfo) -> str:
    """Where the feature store is and what it holds, a line each."""
    lines = [f"{store.path}: {store.rows:,} rows, {store.file_bytes / MIB:,.1f} MiB on disk"]
    for family in store.families:
        lines.append(f"  {family.name}: {family.rows:,} rows, {family.bytes / MIB:,.1f} MiB")
    return "\n".join(lines)


def _family_line(name: str) -> str:
    entry = FEATURES[name]
    described = entry.func if isinstance(entry, partial) else entry
    line = _first_line(sys.modules[described.__module__].__doc__)
    return f"{line} Random weights: the control." if name == "embedding_random" else line


def _first_line(docstring: str | None) -> str:
    return (docstring or "").strip().splitlines()[0]

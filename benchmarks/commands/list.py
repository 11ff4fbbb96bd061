"""The command ``list``: features, models, balancing methods, data sets and studies."""

from __future__ import annotations

import sys
from functools import partial

from benchmarks.datasets import DATASETS
from benchmarks.studies import STUDIES
from features import FEATURE_SETS, FEATURES
from models import MODELS
from models.balance import BALANCES


def choices() -> dict[str, dict[str, str]]:
    """Describe all choices that a run offers.

    Returns
    -------
    dict of dict of str
        Descriptions by name, by kind of choice.
    """
    return {
        "Feature families": {name: _family_line(name) for name in FEATURES},
        "Feature sets (--features)": {name: " + ".join(f) for name, f in FEATURE_SETS.items()},
        "Models (--models)": {name: _first_line(m.__doc__) for name, m in MODELS.items()},
        "Balancing (--balance)": dict(BALANCES),
        "Data (--data)": {name: _first_line(m.__doc__) for name, m in DATASETS.items()},
        "Studies (--study; all of them: --full)": {
            **{name: _first_line(m.__doc__) for name, m in STUDIES.items()},
            "--cv-cnn": "Cross-validate the CNN, too; part of --full.",
        },
    }


def _family_line(name: str) -> str:
    entry = FEATURES[name]
    described = entry.func if isinstance(entry, partial) else entry
    line = _first_line(sys.modules[described.__module__].__doc__)
    return f"{line} Random weights: the control." if name == "embedding_random" else line


def _first_line(docstring: str | None) -> str:
    return (docstring or "").strip().splitlines()[0]

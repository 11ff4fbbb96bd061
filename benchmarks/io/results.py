"""Read and write a run folder: the only place that knows its file names and columns."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.datasets.dataset import MANIFEST_COLUMNS

METRICS = [
    "precision", "recall", "specificity", "f1", "accuracy", "balanced_accuracy", "mcc",
    "auc", "average_precision", "brier",
]  # fmt: skip
CLASS_METRICS = [
    "precision", "recall", "specificity", "f1", "auc", "average_precision", "accuracy",
]  # fmt: skip
RECALLS = ["recall_bacteria", "recall_virus"]
COUNTS = ["tp", "fp", "tn", "fn"]
OPERATING_POINTS = ["0.5", "recall95"]
PREDICTION_COLUMNS = [
    "cell", "features", "model", "seed", "split", "fold", "image", "group", "subtype", "label",
    "score",
]  # fmt: skip
SCORE_COLUMNS = [
    "cell", "features", "model", "balance", "seed", "split", "operating_point", "threshold",
    "n", "n_positive",
    *[name + end for name in METRICS + RECALLS for end in ("", "_lo", "_hi")],
    "fit_seconds", "predict_seconds", "status", "reason", *COUNTS,
]  # fmt: skip
FEATURE_COLUMNS = [
    "family", "dimension", "milliseconds_per_image", "from_store", "weights", "status", "reason",
]  # fmt: skip
INTENSITY_COLUMNS = ["split", "class", "value", "fraction"]
TRAINING_COLUMNS = [
    "cell", "epoch", "train_loss", "validation_loss", "validation_average_precision",
    "learning_rate", "seconds", "best",
]  # fmt: skip
TABLES = {
    "manifest": MANIFEST_COLUMNS, "features": FEATURE_COLUMNS, "predictions": PREDICTION_COLUMNS,
    "scores": SCORE_COLUMNS, "training": TRAINING_COLUMNS, "intensity": INTENSITY_COLUMNS,
}  # fmt: skip
_BOUNDS = ("", "_lo", "_hi")
# Tables that a run adds where it can; a run folder may lack them.
MORE_TABLES = {
    "audit": ["check", "severity", "images", "patients", "detail"],
    "audit_images": ["finding", "image", "split", "label"],
    "gap": [
        "cell", "metric", "operating_point",
        *[name + end for name in ("cv", "official", "gap") for end in _BOUNDS],
    ],
    "comparisons": [
        "cell_a", "cell_b", "metric", "operating_point", "test", "value_a", "value_b",
        "difference", "lo", "hi", "only_a", "only_b", "p", "p_holm",
    ],
    "matched": [
        "cell", "split", "target_recall", "threshold",
        *[name + end for name in ("recall", "specificity", "precision") for end in _BOUNDS],
    ],
    "calibration": [
        "cell", "recalibration", "n", "brier", "brier_lo", "brier_hi", "reliability",
        "resolution", "uncertainty",
        *[name + end for name in ("ece", "slope", "intercept") for end in _BOUNDS],
    ],
    "reliability": [
        "cell", "recalibration", "bin", "n", "mean_score", "observed", "lo", "hi",
    ],
    "decision": ["cell", "threshold", "net_benefit", "lo", "hi"],
    "prevalence": ["cell", "operating_point", "prevalence", "precision", "lo", "hi"],
    "subgroups": [
        "cell", "operating_point", "kind", "name", "metric", "n", "patients", "value", "lo", "hi",
    ],
    "shortcuts": [
        "control", "model", "columns", "split", "n",
        *[name + end for name in ("auc", "average_precision", "below_whole") for end in _BOUNDS],
        "precision", "recall", "specificity", "status", "reason",
    ],
    "leaky": [
        "cell", "folds", "images", "patients", "mixed", "metric",
        *[name + end for name in ("grouped", "leaky", "worth") for end in _BOUNDS],
        "status", "reason",
    ],
    "ablation": [
        "features", "model", "balance", "split", "n",
        *[name + end for name in ("auc", "average_precision", "brier") for end in _BOUNDS],
        "precision_at_half", "recall_at_half", "specificity_at_half",
        "precision", "recall", "specificity", "ece", "slope", "intercept",
        *[name + end for name in ("auc_gain", "brier_gain") for end in _BOUNDS], "fit_seconds",
        "status", "reason",
    ],
    "importance": [
        "cell", "method", "level", "group", "split", "metric", "value", "lo", "hi", "rank",
        "status", "reason",
    ],
    "importance_swarm": ["cell", "feature", "shap", "percentile"],
    "importance_checks": ["cell", "check", "value", "images", "space"],
    "importance_regions": ["family", "region", "top", "bottom", "left", "right"],
    "importance_stability": [
        "cell", "method", "level", "kind", "fits", "groups", "w", "k", "overlap", "trusted",
        "names",
    ],
    "importance_clusters": ["cell", "cluster", "columns", "value", "alone"],
    "classes": [
        "cell", "features", "model", "balance", "seed", "split", "class", "n",
        *[name + end for name in CLASS_METRICS for end in _BOUNDS],
        "fit_seconds", "predict_seconds", "status", "reason",
    ],
    "confusions": ["cell", "split", "true", "predicted", "n"],
    "resampling": ["features", "model", "balance", "fold", "label", "before", "after"],
    "learning": [
        "cell", "fraction", "draw", "patients", "images", "split",
        *[name + end for name in ("auc", "average_precision") for end in _BOUNDS],
        "status", "reason",
    ],
}  # fmt: skip
IMAGES = "images"


class RunError(ValueError):
    """A folder is no run folder, or an incomplete one; the message says what is missing."""


@dataclass(frozen=True)
class Results:
    """What a run left behind.

    Attributes
    ----------
    folder : Path
    run : dict
        ``run.json``: configuration, fingerprint, versions, machine, times, warnings.
    manifest, features, predictions, scores : DataFrame
        One row an image; a family; an image × cell; a cell × split × operating point.
    training : DataFrame
        One row an epoch of each CNN cell; empty if none ran.
    intensity : DataFrame
        Histogram of pixel values by split and class: split, class, value, fraction.
    tables : dict of DataFrame
        Every name of ``MORE_TABLES``; empty where the run folder has no such file.
    """

    folder: Path
    run: dict[str, Any]
    manifest: pd.DataFrame
    features: pd.DataFrame
    predictions: pd.DataFrame
    scores: pd.DataFrame
    training: pd.DataFrame
    intensity: pd.DataFrame
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)


def class_names(manifest: pd.DataFrame) -> list[str]:
    """Names of the classes in a manifest, by label."""
    known = manifest[["label", "class"]].drop_duplicates().sort_values("label")
    return [str(name) for name in known["class"]]


def write_text(path: Path, text: str) -> None:
    """Write a text file in one step: a reader sees the old file or the new one, never half."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(
            handle, "w", encoding="utf-8", errors="backslashreplace", newline="\n"
        ) as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_table(folder: Path, name: str, table: pd.DataFrame) -> None:
    """Write ``<name>.csv`` in one step; floats keep every digit."""
    write_text(folder / f"{name}.csv", table.to_csv(index=False, lineterminator="\n"))


def write_run(folder: Path, run: dict[str, Any]) -> None:
    """Write ``run.json`` in one step."""
    text = json.dumps(run, indent=2, ensure_ascii=False, allow_nan=False)
    write_text(folder / "run.json", text + "\n")


def read_results(folder: Path) -> Results:
    """Read a run folder.

    Raises
    ------
    RunError
        If the folder or one of its tables is missing or unreadable.
    """
    needed = read_tables(folder, tuple(TABLES))
    more = {
        name: _read_table(folder, name)
        if (folder / f"{name}.csv").exists()
        else pd.DataFrame(columns=columns)
        for name, columns in MORE_TABLES.items()
    }
    return Results(folder=folder, run=read_run(folder), tables=more, **needed)


def read_run(folder: Path) -> dict[str, Any]:
    """Read ``run.json``; see :func:`read_results`."""
    path = folder / "run.json"
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: expected a run's record, got {error}.") from error
    if not isinstance(run, dict):
        raise RunError(f"{path}: expected a run's record, got {type(run).__name__}.")
    return run


def read_tables(folder: Path, names: tuple[str, ...]) -> dict[str, pd.DataFrame]:
    """Read some tables of a run folder; see :func:`read_results`."""
    return {name: _read_table(folder, name) for name in names}


def _read_table(folder: Path, name: str) -> pd.DataFrame:
    path = folder / f"{name}.csv"
    text = ["cell", "features", "model", "balance", "split", "operating_point", "image", "group",
            "subtype", "class", "sha256", "status", "reason", "family", "weights", "check",
            "severity", "detail", "cell_a", "cell_b", "metric", "test", "recalibration", "kind",
            "name", "control", "true", "predicted", "method", "level", "space",
            "region", "cluster", "names", "feature"]  # fmt: skip
    try:
        table = pd.read_csv(
            path,
            dtype=dict.fromkeys(text, str),
            na_values=[""],
            keep_default_na=False,
        )
    except (OSError, ValueError) as error:
        raise RunError(
            f"{path}: expected a table written by run_benchmark.py, got {error}. "
            "Give the folder that a run named as its --out."
        ) from error
    missing = [column for column in {**TABLES, **MORE_TABLES}[name] if column not in table.columns]
    if missing:
        raise RunError(f"{path}: expected the columns of this version, got none named "
                       f"{', '.join(missing)}. Run the benchmark again.")  # fmt: skip
    present = [column for column in text if column in table.columns]
    table[present] = table[present].fillna("")
    return table
